//! Renders the answers, in the published order of elements and the world's spellings (NAT-DOS-08, D-31).

use super::case::Case;
use super::search::Found;
use super::xml::Writer;
use crate::world::model::{Endpoint, Service, Session, Settings, SpecifiedDay, Spelling};
use crate::world::written::{ClockTime, RotaDay};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Mark of an emergency department that is listed because nothing matched (NAT-DOS-04).
const CATCH_ALL_MARK: &str = " (Catch-all)";

/// The effect of a fault on a service's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// No booking endpoint.
    NoBooking,
    /// One booking endpoint too many.
    TwoBookings,
}

/// Decides which endpoints of a service are shown; called once per service in an answer.
pub type Tamper<'t> = &'t dyn Fn(&Service) -> Option<Tampering>;

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
    case: &Case<'_>,
    found: &[Found<'_>],
    transaction: &Transaction,
    zone: &TimeZone,
    tamper: Tamper<'_>,
) -> String {
    let mut w = Writer::new(settings.qualified);
    w.text("TransactionId", &transaction.id);
    w.text("RequestedAtDateTime", moment(transaction.requested, zone));
    w.text("SearchDateTime", moment(case.at, zone));
    w.optional("CalculatedAgeInDays", case.exact_age);
    w.text("SearchDistance", case.distance_km);
    w.text("SearchDistanceUsedSource", case.distance_source);
    w.element("CheckCapacitySummaryResult", |w| {
        for found in found {
            w.element("serviceCareSummaryDestination", |w| {
                destination(w, settings, found, tamper(found.service));
            });
        }
    });
    w.envelope("CheckCapacitySummaryResponse")
}

/// `ServiceDetailsByIdResponse`.
pub fn details(settings: &Settings, services: &[&Service], tamper: Tamper<'_>) -> String {
    let mut w = Writer::new(settings.qualified);
    w.element("services", |w| {
        for service in services {
            w.element("service", |w| {
                w.text("id", service.id);
                w.text("odsCode", &service.ods);
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
    w.envelope("ServiceDetailsByIdResponse")
}

/// A moment in London time, with its offset.
fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

fn destination(
    w: &mut Writer,
    settings: &Settings,
    found: &Found<'_>,
    tampering: Option<Tampering>,
) {
    let service = found.service;
    let mark = if found.catch_all { CATCH_ALL_MARK } else { "" };
    w.text("id", service.id);
    w.text("capacity", service.capacity.dos_name());
    w.text("name", format_args!("{}{mark}", service.name));
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
    w.text("postcode", &service.postcode);
    w.text("northings", found.place.northing);
    w.text("eastings", found.place.easting);
    w.optional("url", service.url.as_ref());
    w.element("serviceType", |w| {
        w.text("id", service.kind.id);
        w.text("name", &service.kind.name);
    });
    w.text("odsCode", &service.ods);
    w.optional("nonPublicTelephoneNo", service.non_public_phone.as_ref());
    w.optional("fax", service.fax.as_ref());
    w.optional(
        "publicFacingInformation",
        service.public_information.as_ref(),
    );
    w.text("distance", format_args!("{:.1}", found.miles));
    w.optional("referralInformation", service.referral_information.as_ref());
    w.text("openAllHours", service.open_all_hours);
    capacity(w, service);
    endpoints(w, settings.endpoints, &shown(service, tampering));
    opening(w, service);
    attributes(w, service);
    w.element("serviceAgeRange", |w| {
        for range in &found.ages {
            w.element("ageRange", |w| {
                w.text("daysFrom", range.from.first_day());
                w.text("daysTo", range.to.last_day());
            });
        }
    });
}

fn capacity(w: &mut Writer, service: &Service) {
    if service.capacity_attribute.is_empty() {
        return;
    }
    w.element("capacityAttributes", |w| {
        for attribute in &service.capacity_attribute {
            w.element("capacityAttribute", |w| {
                w.text("name", &attribute.name);
                w.optional("description", attribute.description.as_ref());
                w.optional("value", attribute.value.as_ref());
            });
        }
    });
}

fn attributes(w: &mut Writer, service: &Service) {
    if service.attribute.is_empty() {
        return;
    }
    w.element("attributes", |w| {
        for attribute in &service.attribute {
            w.element("attribute", |w| {
                w.text("dataType", &attribute.kind);
                w.text("name", &attribute.name);
                w.text(
                    "description",
                    attribute.description.as_deref().unwrap_or_default(),
                );
                w.text("value", &attribute.value);
            });
        }
    });
}

fn opening(w: &mut Writer, service: &Service) {
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
                w.text(
                    "openTimeSpecified",
                    format_args!("{day}-{}-{}", time(from), time(to)),
                );
            }
        });
    }
}

fn rota_session(w: &mut Writer, day: RotaDay, session: &Session) {
    let time = |w: &mut Writer, name: &str, time: ClockTime| {
        w.element(name, |w| {
            w.text("hours", time.hour() % 24);
            w.text("minutes", time.minute());
        });
    };
    let overnight = session.to <= session.from || session.to.hour() == 24;
    w.element("serviceCareItemRotaSession", |w| {
        w.text("startDayOfWeek", day.dos_name());
        time(w, "startTime", session.from);
        w.text(
            "endDayOfWeek",
            if overnight { day.next() } else { day }.dos_name(),
        );
        time(w, "endTime", session.to);
        w.text("status", "Open");
    });
}

/// The endpoints to show, with their order.
fn shown(service: &Service, tampering: Option<Tampering>) -> Vec<(u32, Endpoint)> {
    let numbered = service
        .endpoint
        .iter()
        .zip(1..)
        .map(|(e, n)| (e.order.unwrap_or(n), e.clone()));
    let mut list: Vec<(u32, Endpoint)> = match tampering {
        Some(Tampering::NoBooking) => numbered.filter(|(_, e)| !e.is_booking()).collect(),
        _ => numbered.collect(),
    };
    if tampering == Some(Tampering::TwoBookings) {
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

fn endpoints(w: &mut Writer, spelling: Spelling, list: &[(u32, Endpoint)]) {
    let (all, each, compression) = match spelling {
        Spelling::Standard => ("serviceEndPoints", "EndPoint", "isCompressionEnabled"),
        _ => ("serviceEndpoints", "endpoint", "compression"),
    };
    w.element(all, |w| {
        for (order, endpoint) in list.iter().filter(|(_, e)| !is_old(spelling, e)) {
            w.element(each, |w| {
                w.text("endpointOrder", order);
                w.text("transport", &endpoint.transport);
                w.text("format", &endpoint.format);
                w.text("interaction", &endpoint.interaction);
                w.text("businessScenario", &endpoint.scenario);
                w.text("address", &endpoint.address);
                w.text(compression, &endpoint.compression);
                w.text("comment", &endpoint.comment);
            });
        }
    });
}

/// An endpoint before version 1.5: address, interaction, format, scenario, comment, compression in one text (NAT-DOS-11).
fn contact_detail(w: &mut Writer, order: u32, endpoint: &Endpoint) {
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
        w.text("tag", &endpoint.transport);
        w.text("name", &endpoint.interaction);
        w.text("value", value);
        w.text("order", order);
    });
}
