//! Remarks for the DoS lead: entries that are served as written, and that consumers stumble over.

use super::model::{Capacity, Endpoint, Service};
use super::{Remark, World};
use booking::ids::{Asid, OdsCode};
use sheet::Sheet;

/// The attribute that withholds referrals without a booking (NAT-DOS-09).
const REQUIRE_BOOKING: &str = "requirebooking";
/// Values of it that are understood, in any case.
const BOOLEANS: [&str; 4] = ["true", "false", "y", "n"];
/// Transports in use (NAT-DOS-11).
const TRANSPORTS: [&str; 4] = ["itk", "email", "telno", "http"];
/// Formats in use (NAT-DOS-11).
const FORMATS: [&str; 4] = ["CDA", "HTML", "PDF", "FHIR"];

/// All remarks, in the order of the file.
pub fn remarks(world: &World, sheet: &Sheet<'_>) -> Vec<Remark> {
    let mut found = Vec::new();
    for (at, service) in world.services.iter().enumerate() {
        let mut remark = |key: &str, text: String| {
            found.push(Remark {
                line: sheet.line("service", at, key),
                text: format!("service {} ({}): {text}", service.id, service.shown_name()),
            });
        };
        endpoints(world, service, &mut remark);
        attributes(service, &mut remark);
        reach(world, service, &mut remark);
    }
    found.sort_by_key(|r| r.line);
    found
}

fn endpoints(world: &World, service: &Service, remark: &mut dyn FnMut(&str, String)) {
    let booking: Vec<&Endpoint> = service.booking_endpoints().collect();
    if booking.len() > 1 {
        remark(
            "endpoint",
            format!(
                "{} booking endpoints: consumers stop booking and show an error; keep one",
                booking.len()
            ),
        );
    }
    for endpoint in &booking {
        if let Some(text) = wrong_address(world, service, &endpoint.address) {
            remark("endpoint", text);
        }
        if !endpoint.scenario.eq_ignore_ascii_case("Primary") {
            remark(
                "endpoint",
                format!(
                    "the booking endpoint's scenario is `{}`; it should be Primary",
                    endpoint.scenario
                ),
            );
        }
    }
    for endpoint in &service.endpoint {
        let unknown =
            |list: [&str; 4], text: &str| !list.iter().any(|k| k.eq_ignore_ascii_case(text));
        if unknown(TRANSPORTS, &endpoint.transport) {
            remark(
                "endpoint",
                format!(
                    "transport `{}` is not one of {}",
                    endpoint.transport,
                    TRANSPORTS.join(", ")
                ),
            );
        }
        if unknown(FORMATS, &endpoint.format) {
            remark(
                "endpoint",
                format!(
                    "format `{}` is not one of {}",
                    endpoint.format,
                    FORMATS.join(", ")
                ),
            );
        }
        let nearly =
            endpoint.interaction.eq_ignore_ascii_case("Scheduling") && !endpoint.is_booking();
        if nearly {
            remark(
                "endpoint",
                format!(
                    "interaction Scheduling with transport `{}` and format `{}` is no booking endpoint; it needs http and FHIR",
                    endpoint.transport, endpoint.format
                ),
            );
        }
        if !["compressed", "uncompressed"]
            .iter()
            .any(|k| k.eq_ignore_ascii_case(&endpoint.compression))
        {
            remark(
                "endpoint",
                format!(
                    "compression `{}` is neither compressed nor uncompressed",
                    endpoint.compression
                ),
            );
        }
    }
}

/// What is wrong with the address of a booking endpoint (NAT-DOS-06).
fn wrong_address(world: &World, service: &Service, address: &str) -> Option<String> {
    let form = "it is `ASID:` and 12 digits, or `ODS:` and a code";
    let Some((prefix, rest)) = address.split_once(':') else {
        return Some(format!(
            "the booking address `{address}` has no prefix; {form}"
        ));
    };
    if prefix.eq_ignore_ascii_case("ASID") {
        if Asid::parse(rest).is_err() {
            return Some(format!(
                "the booking address `{address}` is malformed; {form}"
            ));
        }
        return match world.directory.system(rest) {
            None => Some(format!(
                "the ASID {rest} of the booking address is not in the [[system]] table: SDS will not find it"
            )),
            Some(system) if system.ods != service.ods => Some(format!(
                "the ASID {rest} belongs to {}, the service to {}",
                system.ods, service.ods
            )),
            Some(_) => None,
        };
    }
    match prefix.eq_ignore_ascii_case("ODS") && OdsCode::parse(rest).is_ok() {
        true => None,
        false => Some(format!(
            "the booking address `{address}` is malformed; {form}"
        )),
    }
}

fn attributes(service: &Service, remark: &mut dyn FnMut(&str, String)) {
    let mut values: Vec<String> = Vec::new();
    for attribute in &service.attribute {
        let plain: String = attribute
            .name
            .chars()
            .filter(char::is_ascii_alphabetic)
            .collect();
        if !attribute.name.eq_ignore_ascii_case(REQUIRE_BOOKING) {
            if plain.eq_ignore_ascii_case(REQUIRE_BOOKING) {
                remark(
                    "attribute",
                    format!(
                        "attribute `{}` is not known to consumers; the name is {REQUIRE_BOOKING}",
                        attribute.name
                    ),
                );
            }
            continue;
        }
        let value = attribute.value.trim().to_ascii_lowercase();
        if !BOOLEANS.contains(&value.as_str()) {
            remark(
                "attribute",
                format!(
                    "{REQUIRE_BOOKING} is `{}`; it is TRUE or FALSE",
                    attribute.value
                ),
            );
        }
        values.push(value);
    }
    let required = values.iter().any(|v| v == "true" || v == "y");
    if required && values.iter().any(|v| v == "false" || v == "n") {
        remark(
            "attribute",
            format!("{REQUIRE_BOOKING} stands both as true and as false"),
        );
    }
    if required && service.booking_endpoints().next().is_none() {
        remark(
            "attribute",
            format!(
                "{REQUIRE_BOOKING} is true, but there is no booking endpoint: nobody can refer to it"
            ),
        );
    }
}

/// Whether a search can find the service at all.
fn reach(world: &World, service: &Service, remark: &mut dyn FnMut(&str, String)) {
    if service.catch_all || service.status != super::model::Status::Active {
        return;
    }
    let mut never = |key: &str, what: &str| remark(key, format!("no search finds it: {what}"));
    if service.roles.is_empty() {
        never("id", "it names no referral role (`roles`)");
    }
    if service.dispositions.is_empty() {
        never("id", "it takes no disposition (`dispositions`)");
    }
    if service.symptom.is_empty() {
        never("id", "it takes no symptom group (`symptom`)");
    }
    if service.genders.is_empty() || service.ages.is_empty() {
        never("id", "it sees no gender or no age");
    }
    if !service.open_all_hours && service.opening.is_empty() && service.specified.is_empty() {
        never("id", "it has no opening times");
    }
    if service.capacity == Capacity::None {
        never("capacity", "its capacity is none (red)");
    }
    if service.restricted && service.surgeries.is_empty() {
        never(
            "restricted",
            "it is restricted to surgeries, and names none",
        );
    }
    let roles = |wanted: &str| world.accounts.iter().any(|a| a.role == wanted && !a.locked);
    if !service.roles.is_empty() && !service.roles.iter().any(|r| roles(r)) {
        never("roles", "every account with its roles is locked");
    }
}
