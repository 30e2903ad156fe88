//! Renders the answers, in the published order of elements and the world's spellings (NAT-DOS-08, D-31).

use super::case::ClinicalNeed;
use super::search::Found;
use crate::world::model::{Endpoint, Service, Session, Settings, SpecifiedDay, Spelling};
use crate::world::written::{ClockTime, RotaDay};
use booking::xml_writer::XmlWriter;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The prefix of the service's namespace in answers.
const PREFIX: &str = "ns1:";
/// Mark of an emergency department that is listed because nothing matched (NAT-DOS-04).
const CATCH_ALL_MARK: &str = " (Catch-all)";

/// The effect of a fault on a service's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointFault {
    /// No booking endpoint.
    NoBooking,
    /// One booking endpoint too many.
    TwoBookings,
}

/// Decides which endpoints of a service are shown; called once per service in an answer.
pub type Tamper<'t> = &'t dyn Fn(&Service) -> Option<EndpointFault>;

/// Id and time for the head of an answer.
pub struct Transaction {
    /// A fresh id.
    pub id: String,
    /// When the request arrived.
    pub requested: Timestamp,
}

/// `CheckCapacitySummaryResponse`.
pub fn summary(
    settings: &Settings,
    case: &ClinicalNeed<'_>,
    found: &[Found<'_>],
    transaction: &Transaction,
    zone: &TimeZone,
    tamper: Tamper<'_>,
) -> String {
    let mut w = writer(settings.qualified);
    w.value("TransactionId", &transaction.id);
    w.value("RequestedAtDateTime", moment(transaction.requested, zone));
    w.value("SearchDateTime", moment(case.at, zone));
    w.optional("CalculatedAgeInDays", case.exact_age);
    w.value("SearchDistance", case.distance_km);
    w.value("SearchDistanceUsedSource", case.distance_source);
    w.element("CheckCapacitySummaryResult", |w| {
        for found in found {
            w.element("serviceCareSummaryDestination", |w| {
                destination(w, settings, found, tamper(found.service));
            });
        }
    });
    envelope("CheckCapacitySummaryResponse", w)
}

/// `ServiceDetailsByIdResponse`.
pub fn details(settings: &Settings, services: &[&Service], tamper: Tamper<'_>) -> String {
    let mut w = writer(settings.qualified);
    w.element("services", |w| {
        for service in services {
            w.element("service", |w| {
                w.value("id", service.id);
                w.value("odsCode", &service.ods);
                let list = shown(service, tamper(service));
                let old = |e: &Endpoint| is_old(settings.endpoints, e);
                if list.iter().any(|(_, e)| old(e)) {
                    w.element("contactDetails", |w| {
                        for (order, endpoint) in list.iter().filter(|(_, e)| old(e)) {
                            contact_detail(w, *order, endpoint);
                        }
                    });
                }
                endpoints(w, settings.endpoints, &list);
            });
        }
    });
    envelope("ServiceDetailsByIdResponse", w)
}

/// Elements carry the namespace when `qualified`.
fn writer(qualified: bool) -> XmlWriter {
    XmlWriter::fragment(if qualified { PREFIX } else { "" })
}

/// The SOAP envelope around what was written, inside the answer element of the operation. That one is always in the namespace.
fn envelope(answer: &str, inner: XmlWriter) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <env:Envelope xmlns:env=\"{}\" xmlns:ns1=\"{}\"><env:Body>\
         <{PREFIX}{answer}>{}</{PREFIX}{answer}></env:Body></env:Envelope>\n",
        super::SOAP_12,
        super::NAMESPACE,
        inner.finish()
    )
}

/// A moment in London time, with its offset.
fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

fn destination(
    w: &mut XmlWriter,
    settings: &Settings,
    found: &Found<'_>,
    tampering: Option<EndpointFault>,
) {
    let service = found.service;
    let mark = if found.catch_all { CATCH_ALL_MARK } else { "" };
    w.value("id", service.id);
    w.value("capacity", service.capacity.dos_name());
    w.value("name", format_args!("{}{mark}", service.name));
    w.optional(
        "publicName",
        service
            .public_name
            .as_ref()
            .map(|name| format!("{name}{mark}")),
    );
    w.optional("contactDetails", service.phone.as_ref());
    w.optional(
        "address",
        (!service.address.is_empty()).then(|| service.address.join(", ")),
    );
    w.value("postcode", &service.postcode);
    w.value("northings", found.place.northing);
    w.value("eastings", found.place.easting);
    w.optional("url", service.url.as_ref());
    w.element("serviceType", |w| {
        w.value("id", service.kind.id);
        w.value("name", &service.kind.name);
    });
    w.value("odsCode", &service.ods);
    w.optional("nonPublicTelephoneNo", service.non_public_phone.as_ref());
    w.optional("fax", service.fax.as_ref());
    w.optional(
        "publicFacingInformation",
        service.public_information.as_ref(),
    );
    w.value("distance", format_args!("{:.1}", found.miles));
    w.optional("referralInformation", service.referral_information.as_ref());
    w.value("openAllHours", service.open_all_hours);
    capacity(w, service);
    endpoints(w, settings.endpoints, &shown(service, tampering));
    opening(w, service);
    attributes(w, service);
    w.element("serviceAgeRange", |w| {
        for range in &found.ages {
            w.element("ageRange", |w| {
                w.value("daysFrom", range.from.first_day());
                w.value("daysTo", range.to.last_day());
            });
        }
    });
}

fn capacity(w: &mut XmlWriter, service: &Service) {
    if service.capacity_attribute.is_empty() {
        return;
    }
    w.element("capacityAttributes", |w| {
        for attribute in &service.capacity_attribute {
            w.element("capacityAttribute", |w| {
                w.value("name", &attribute.name);
                w.optional("description", attribute.description.as_ref());
                w.optional("value", attribute.value.as_ref());
            });
        }
    });
}

fn attributes(w: &mut XmlWriter, service: &Service) {
    if service.attribute.is_empty() {
        return;
    }
    w.element("attributes", |w| {
        for attribute in &service.attribute {
            w.element("attribute", |w| {
                w.value("dataType", &attribute.kind);
                w.value("name", &attribute.name);
                w.value(
                    "description",
                    attribute.description.as_deref().unwrap_or_default(),
                );
                w.value("value", &attribute.value);
            });
        }
    });
}

fn opening(w: &mut XmlWriter, service: &Service) {
    if !service.opening.is_empty() {
        w.element("rotaSessions", |w| {
            for day in RotaDay::ALL {
                for session in service.opening.iter().filter(|s| s.days.contains(&day)) {
                    rota_session(w, day, session);
                }
            }
        });
    }
    if !service.specified.is_empty() {
        w.element("openTimeSpecifiedSessions", |w| {
            for SpecifiedDay { day, from, to, .. } in &service.specified {
                let time = |time: &Option<ClockTime>| {
                    time.map_or_else(|| "00:00".to_owned(), |time| time.to_string())
                };
                let day = day.0.strftime("%d-%m-%Y");
                w.value(
                    "openTimeSpecified",
                    format_args!("{day}-{}-{}", time(from), time(to)),
                );
            }
        });
    }
}

fn rota_session(w: &mut XmlWriter, day: RotaDay, session: &Session) {
    let time = |w: &mut XmlWriter, name: &str, time: ClockTime| {
        w.element(name, |w| {
            w.value("hours", time.hour() % 24);
            w.value("minutes", time.minute());
        });
    };
    let overnight = session.to <= session.from || session.to.hour() == 24;
    w.element("serviceCareItemRotaSession", |w| {
        w.value("startDayOfWeek", day.dos_name());
        time(w, "startTime", session.from);
        w.value(
            "endDayOfWeek",
            if overnight { day.next() } else { day }.dos_name(),
        );
        time(w, "endTime", session.to);
        w.value("status", "Open");
    });
}

/// The endpoints to show, with their order.
fn shown(service: &Service, tampering: Option<EndpointFault>) -> Vec<(u32, Endpoint)> {
    let numbered = service
        .endpoint
        .iter()
        .zip(1..)
        .map(|(e, n)| (e.order.unwrap_or(n), e.clone()));
    let mut list: Vec<(u32, Endpoint)> = match tampering {
        Some(EndpointFault::NoBooking) => numbered.filter(|(_, e)| !e.is_booking()).collect(),
        _ => numbered.collect(),
    };
    if tampering == Some(EndpointFault::TwoBookings) {
        let next = list
            .iter()
            .map(|(n, _)| *n)
            .max()
            .unwrap_or(0)
            .saturating_add(1);
        let present = list.iter().filter(|(_, e)| e.is_booking()).count();
        let again = service
            .booking_endpoints()
            .next()
            .cloned()
            .unwrap_or_else(invented);
        for number in (next..).take(2usize.saturating_sub(present)) {
            list.push((number, again.clone()));
        }
    }
    list.sort_by_key(|(order, _)| *order);
    list
}

/// A booking endpoint for a service without one, when two are wanted.
fn invented() -> Endpoint {
    Endpoint {
        order: None,
        transport: "http".to_owned(),
        format: "FHIR".to_owned(),
        interaction: "Scheduling".to_owned(),
        scenario: "Primary".to_owned(),
        address: "ASID:918999000011".to_owned(),
        compression: "uncompressed".to_owned(),
        comment: String::new(),
    }
}

/// True for an endpoint in one text. A summary does not list those: its `contactDetails` is the telephone number.
fn is_old(spelling: Spelling, endpoint: &Endpoint) -> bool {
    spelling == Spelling::ContactDetails && !endpoint.is_booking()
}

fn endpoints(w: &mut XmlWriter, spelling: Spelling, list: &[(u32, Endpoint)]) {
    let (all, each, compression) = match spelling {
        Spelling::Standard => ("serviceEndPoints", "EndPoint", "isCompressionEnabled"),
        _ => ("serviceEndpoints", "endpoint", "compression"),
    };
    w.element(all, |w| {
        for (order, endpoint) in list.iter().filter(|(_, e)| !is_old(spelling, e)) {
            w.element(each, |w| {
                w.value("endpointOrder", order);
                w.value("transport", &endpoint.transport);
                w.value("format", &endpoint.format);
                w.value("interaction", &endpoint.interaction);
                w.value("businessScenario", &endpoint.scenario);
                w.value("address", &endpoint.address);
                w.value(compression, &endpoint.compression);
                w.value("comment", &endpoint.comment);
            });
        }
    });
}

/// An endpoint before version 1.5: address, interaction, format, scenario, comment, compression in one text (NAT-DOS-11).
fn contact_detail(w: &mut XmlWriter, order: u32, endpoint: &Endpoint) {
    let value = [
        &endpoint.address,
        &endpoint.interaction,
        &endpoint.format,
        &endpoint.scenario,
        &endpoint.comment,
        &endpoint.compression,
    ]
    .map(String::as_str)
    .join("|");
    w.element("contactDetail", |w| {
        w.value("tag", &endpoint.transport);
        w.value("name", &endpoint.interaction);
        w.value("value", value);
        w.value("order", order);
    });
}
