//! Endpoints of a service: read in every spelling, and which of them is for booking (CONS-DOS-03..06, NAT-DOS-06,
//! NAT-DOS-08, NAT-DOS-11).

use super::soap::{below, child, is, text_of};
use crate::obstacle::{Kind, Obstacle};
use crate::referral::DosEndpoint;
use booking::ids::{Asid, OdsCode};
use roxmltree::Node;
use std::fmt;

/// Most endpoints of one service that are read; they have a handful.
const MAX_ENDPOINTS: usize = 100;
/// Transports of endpoints, also where they are the tag of an old one.
const TRANSPORTS: [&str; 4] = ["itk", "email", "telno", "http"];
/// Fewest and most parts of an old endpoint: the last ones may be left out.
const OLD_PARTS: std::ops::RangeInclusive<usize> = 3..=6;

/// Which system takes a service's bookings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BookingAddress {
    /// `ASID:`, the system itself.
    Asid(Asid),
    /// `ODS:`, the one system of this organisation that takes bookings (NAT-SDS-05).
    Ods(OdsCode),
}

impl fmt::Display for BookingAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BookingAddress::Asid(asid) => write!(f, "ASID:{asid}"),
            BookingAddress::Ods(ods) => write!(f, "ODS:{ods}"),
        }
    }
}

/// All endpoints below a service's element, the lowest order first; those of version 1.5 before old ones.
pub fn read(service: Node<'_, '_>) -> Vec<DosEndpoint> {
    let lists = service
        .descendants()
        .filter(|n| is(*n, "serviceEndpoints") || is(*n, "endpoints"));
    let mut found: Vec<DosEndpoint> = lists
        .flat_map(|list| list.children().filter(|n| is(*n, "endpoint")))
        .take(MAX_ENDPOINTS)
        .map(endpoint)
        .collect();
    let old = below(service, "contactDetail").take(MAX_ENDPOINTS);
    for endpoint in old.filter_map(old_endpoint) {
        let known = |e: &DosEndpoint| {
            e.address == endpoint.address && e.interaction == endpoint.interaction
        };
        if !found.iter().any(known) {
            found.push(endpoint);
        }
    }
    // Stable: equals stay in the directory's order.
    found.sort_by_key(|e| e.order);
    found
}

fn endpoint(node: Node<'_, '_>) -> DosEndpoint {
    let of = |name: &str| text_of(node, name).unwrap_or_default();
    let compression =
        text_of(node, "compression").or_else(|| text_of(node, "isCompressionEnabled"));
    DosEndpoint {
        order: order(node, &["endpointOrder", "order"]),
        transport: of("transport"),
        format: of("format"),
        interaction: of("interaction"),
        scenario: of("businessScenario"),
        address: of("address"),
        compression: compressed(compression.as_deref().unwrap_or_default()),
    }
}

/// The order; an endpoint without one comes last.
fn order(node: Node<'_, '_>, names: &[&str]) -> u32 {
    let text = names.iter().find_map(|name| text_of(node, name));
    text.and_then(|t| t.parse().ok()).unwrap_or(u32::MAX)
}

/// Both spellings of compression as the first one.
fn compressed(text: &str) -> String {
    match text.to_ascii_lowercase().as_str() {
        "compressed" | "true" | "1" | "y" | "yes" => "compressed".to_owned(),
        _ => "uncompressed".to_owned(),
    }
}

/// An endpoint of before version 1.5: address, interaction, format, scenario, comment, compression in one text. The
/// transport is the tag, or the address tells it.
fn old_endpoint(node: Node<'_, '_>) -> Option<DosEndpoint> {
    let value = text_of(node, "value")?;
    let parts: Vec<&str> = value.split('|').map(str::trim).collect();
    if !OLD_PARTS.contains(&parts.len()) {
        return None;
    }
    let part = |at: usize| parts.get(at).copied().unwrap_or_default().to_owned();
    let tag = child(node, "tag")
        .or_else(|| child(node, "transport"))
        .and_then(super::soap::text);
    let known = TRANSPORTS.into_iter().find(|t| {
        tag.as_deref()
            .is_some_and(|tag| tag.eq_ignore_ascii_case(t))
    });
    let address = part(0);
    let guessed = match address.as_str() {
        a if a.contains('@') => "email",
        _ if parts[1].starts_with("urn:nhs-itk:") => "itk",
        a if a.contains("://") => "http",
        _ => "telno",
    };
    Some(DosEndpoint {
        order: order(node, &["order", "endpointOrder"]),
        transport: known.unwrap_or(guessed).to_owned(),
        interaction: part(1),
        format: part(2),
        scenario: part(3),
        compression: compressed(&part(5)),
        address,
    })
}

/// Whether an endpoint is for booking: all words compared without regard to case, the scenario `Primary` or not given.
fn is_booking(endpoint: &DosEndpoint) -> bool {
    let is = |text: &str, wanted: &str| text.trim().eq_ignore_ascii_case(wanted);
    is(&endpoint.transport, "http")
        && is(&endpoint.format, "FHIR")
        && is(&endpoint.interaction, "Scheduling")
        && (is(&endpoint.scenario, "Primary") || endpoint.scenario.trim().is_empty())
}

/// The one address for bookings. None, several, or one that cannot be read: the obstacle says which (C6, C7, C8).
pub fn booking_address(endpoints: &[DosEndpoint]) -> Result<BookingAddress, Obstacle> {
    let mut booking = endpoints.iter().filter(|e| is_booking(e));
    match (booking.next(), booking.count()) {
        (None, _) => Err(Obstacle::new(Kind::NoBookingEndpoint).note("endpoints", endpoints.len())),
        (Some(only), 0) => address(&only.address),
        (Some(_), more) => {
            Err(Obstacle::new(Kind::SeveralBookingEndpoints).note("booking_endpoints", more + 1))
        }
    }
}

fn address(text: &str) -> Result<BookingAddress, Obstacle> {
    let wrong = |why: &str| {
        Obstacle::new(Kind::BookingAddress)
            .text("address", text)
            .note("fault", why)
    };
    let Some((prefix, rest)) = text.trim().split_once(':') else {
        return Err(wrong("neither ASID: nor ODS: stands before it"));
    };
    let rest = rest.trim();
    match prefix.trim().to_ascii_uppercase().as_str() {
        "ASID" => Asid::parse(rest)
            .map(BookingAddress::Asid)
            .map_err(|error| wrong(&error.to_string())),
        "ODS" => OdsCode::parse(&rest.to_ascii_uppercase())
            .map(BookingAddress::Ods)
            .map_err(|error| wrong(&error.to_string())),
        _ => Err(wrong("neither ASID: nor ODS: stands before it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booking(address: &str) -> DosEndpoint {
        DosEndpoint {
            order: 1,
            transport: "HTTP".into(),
            format: "fhir".into(),
            interaction: " scheduling ".into(),
            scenario: "primary".into(),
            address: address.into(),
            compression: "uncompressed".into(),
        }
    }

    /// Proves: CONS-DOS-03, CONS-DOS-05, CONS-DOS-06, NAT-DOS-06, C1, C6, C7, C8
    #[test]
    fn one_booking_address_or_the_reason() {
        let good = booking_address(&[booking(" asid: 918999000011 ")]).unwrap();
        assert_eq!(good.to_string(), "ASID:918999000011");
        let ods = booking_address(&[booking("ODS:fx101")]).unwrap();
        assert_eq!(ods.to_string(), "ODS:FX101");

        let copy = DosEndpoint {
            scenario: "Copy".into(),
            ..booking("ASID:918999000022")
        };
        let itk = DosEndpoint {
            transport: "itk".into(),
            ..booking("ASID:918999000022")
        };
        let one = booking("ASID:918999000011");
        let kind = |list: &[DosEndpoint]| booking_address(list).map_err(|o| o.kind);
        assert!(kind(&[copy.clone(), one.clone(), itk.clone()]).is_ok());
        assert_eq!(kind(&[copy, itk]), Err(Kind::NoBookingEndpoint));
        assert_eq!(kind(&[]), Err(Kind::NoBookingEndpoint));
        assert_eq!(
            kind(&[one.clone(), one]),
            Err(Kind::SeveralBookingEndpoints)
        );
        for wrong in [
            "918999000023",
            "ASID 918999000023",
            "ASID:91899900002",
            "ASID:9189990000233",
            "ASID:91899900002x",
            "ASID:",
            "ODS:",
            "ODS:F X",
            "https://provider.example",
            "",
        ] {
            assert_eq!(
                kind(&[booking(wrong)]),
                Err(Kind::BookingAddress),
                "{wrong}"
            );
        }
    }

    /// Proves: NAT-DOS-08, NAT-DOS-11
    #[test]
    fn endpoints_in_every_spelling() {
        let xml = "<n:service xmlns:n='urn:any'>
            <n:contactDetails><n:contactDetail><n:tag>itk</n:tag><n:name>x</n:name>
             <n:value>https://itk.example/old|urn:nhs-itk:interaction:copyRecipientNHS111CDADocument-v2-0|CDA|Copy|a comment|compressed</n:value><n:order>7</n:order></n:contactDetail>
             <contactDetail><value>someone@nhs.example|urn:nhs-itk:interaction:a|HTML|Primary</value></contactDetail>
             <contactDetail><tag>telno</tag><value>01632 960101</value></contactDetail></n:contactDetails>
            <serviceEndPoints><EndPoint><endpointOrder>3</endpointOrder><transport>itk</transport><format>CDA</format>
             <interaction>i</interaction><businessScenario>Primary</businessScenario><address>https://itk.example/new</address>
             <isCompressionEnabled>True</isCompressionEnabled></EndPoint></serviceEndPoints>
            <n:serviceEndpoints><n:endpoint><n:endpointOrder>2</n:endpointOrder><n:Transport>http</n:Transport><n:format>FHIR</n:format>
             <n:interaction>Scheduling</n:interaction><n:businessScenario>Primary</n:businessScenario>
             <n:address>ASID:918999000011</n:address><n:compression>uncompressed</n:compression><n:comment/></n:endpoint></n:serviceEndpoints>
            </n:service>";
        let document =
            booking::bounded_xml::parse(xml, booking::bounded_xml::Bounds::nodes(100_000)).unwrap();
        let found = read(document.root_element());
        let shown: Vec<_> = found
            .iter()
            .map(|e| {
                (
                    e.order,
                    e.transport.as_str(),
                    e.format.as_str(),
                    e.scenario.as_str(),
                    e.compression.as_str(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (2, "http", "FHIR", "Primary", "uncompressed"),
                (3, "itk", "CDA", "Primary", "compressed"),
                (7, "itk", "CDA", "Copy", "compressed"),
                (u32::MAX, "email", "HTML", "Primary", "uncompressed"),
            ]
        );
        assert_eq!(found[2].address, "https://itk.example/old");
    }
}
