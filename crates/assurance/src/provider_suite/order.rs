//! Group H: methods, paths, and which of several faults is answered (`provider-api.md` section 2).

use booking::situation::Situation;
use serde_json::{Value, json};

use super::messages::{uuid, with};
use super::query::{encoded, midnight};
use super::registry::Table;
use super::request::Request;
use super::token::WRITE;
use super::trial::{Ids, Step, Trial};

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("Method_NotAllowed", methods),
    ("Path_Unknown", paths),
    ("Order_OfAHead", head),
    ("Order_OfACancellation", cancellation),
    ("Order_OfABooking", booking),
    ("Order_OfASearch", search),
];

fn methods(t: &mut Trial) -> Step {
    let id = uuid();
    for (path, method) in [
        ("/metadata".to_owned(), "POST"),
        ("/metadata".to_owned(), "DELETE"),
        ("/Slot".to_owned(), "POST"),
        ("/Slot".to_owned(), "PUT"),
        ("/Appointment".to_owned(), "DELETE"),
        ("/Appointment".to_owned(), "PUT"),
        (format!("/Appointment/{id}"), "DELETE"),
        (format!("/Appointment/{id}"), "PATCH"),
        (format!("/Appointment/{id}"), "POST"),
        (format!("/Appointment/{id}"), "OPTIONS"),
        (format!("/Appointment/{id}/_history/1"), "PUT"),
    ] {
        let about = format!("{method} {path}");
        // Without token and headers: the method is looked at first.
        let a = t
            .ask(&about, &Request::new(method, path).body(""))
            .refused(Situation::MethodNotAllowed, &["PROV-INT-09"])?;
        if a.status == 405 {
            let allow = a.header("allow").unwrap_or_default().to_owned();
            let fits = !allow.is_empty() && !allow.split(',').any(|m| m.trim() == method);
            t.at(&a, "header Allow", &["PROV-HDR-18"])
                .should(fits)
                .right("the methods that the path has")
                .or(format!("The refusal of {about} says Allow: `{allow}`"));
        }
    }
    Ok(())
}

fn paths(t: &mut Trial) -> Step {
    for path in [
        "/NoSuchResource",
        "/Slots",
        "/appointment",
        "/Metadata",
        "/Appointment/1/other",
        "/Appointment/1/_history/1/2",
    ] {
        let a = t.send(&format!("GET {path}"), &Request::new("GET", path))?;
        t.is_refused(
            &a,
            Situation::RouteUnknown,
            &["PROV-GEN-01", "PROV-GEN-17"],
            &format!("GET {path}"),
        );
    }
    Ok(())
}

fn head(t: &mut Trial) -> Step {
    let message = t.message()?;
    let used = t.book(&message);
    t.ask("book a free slot", &used)
        .succeeds(201, "Appointment", &["PROV-INT-03"])?;
    let used = used.header("x-request-id").unwrap_or_default().to_owned();
    let ids: Ids = &["P35"];
    // Wrong in every way; each step mends one thing.
    let request = t
        .book(&Value::Null)
        .body("{")
        .with("Content-Type", "text/plain")
        .without("X-Request-ID")
        .without("Authorization");
    t.ask(
        "no Ssp-From and four more faults",
        &request.clone().without("Ssp-From"),
    )
    .refused(Situation::HeaderInvalid, ids)?;
    t.ask("no token and three more faults", &request)
        .refused(Situation::TokenRefused, ids)?;
    let token = t.token(WRITE);
    let request = request.with("Authorization", token.bearer());
    t.ask("text/plain and two more faults", &request)
        .refused(Situation::MediaTypeUnsupported, ids)?;
    let request = request.with("Content-Type", "application/fhir+json");
    t.ask("no X-Request-ID and no body to read", &request)
        .refused(Situation::RequestIdMissing, ids)?;
    let request = request.with("X-Request-ID", used);
    t.ask("a used X-Request-ID and no body to read", &request)
        .refused(Situation::RequestIdReused, &["D-03"])?;
    t.ask("no body to read", &request.with("X-Request-ID", uuid()))
        .refused(Situation::BodyUnreadable, ids)
        .map(drop)
}

fn cancellation(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let unknown = uuid();
    let ids: Ids = &["PROV-CAN-03", "PROV-CAN-04"];
    let request = t.cancel(&unknown, "W/\"1\"", &Value::Null).body("{");
    t.ask("no body to read, an unknown id", &request)
        .refused(Situation::BodyUnreadable, ids)?;
    let elsewhere = with(booked.cancelled(), "/id", json!(unknown));
    let request = t.cancel(&unknown, "", &elsewhere).without("If-Match");
    t.ask("an unknown id, no If-Match", &request)
        .refused(Situation::AppointmentUnknown, ids)?;
    let faulty = with(booked.cancelled(), "/description", Value::Null);
    let request = t.cancel(&booked.id, "", &faulty).without("If-Match");
    t.ask("no If-Match, a faulty body", &request)
        .refused(Situation::VersionMissing, ids)?;
    let request = t.cancel(&booked.id, "W/\"99999\"", &faulty);
    t.ask("another version, a faulty body", &request)
        .refused(Situation::VersionConflict, ids)?;
    let request = t.cancel(&booked.id, &booked.etag, &faulty);
    let a = t.send("a faulty body", &request)?;
    let _ = t.status(&a, 422, &["PROV-CAN-02"], "a faulty body");
    Ok(())
}

fn booking(t: &mut Trial) -> Step {
    let slot = t.slot()?;
    let first = t.booking(&slot);
    t.ask("book a free slot", &t.book(&first))
        .succeeds(201, "Appointment", &["PROV-INT-03"])?;
    let faulty = with(t.booking(&slot), "/description", Value::Null);
    let request = t.book(&faulty);
    t.ask("a fault in the profile, a slot that is taken", &request)
        .refused(Situation::NotConformant, &["PROV-BOOK-04"])?;
    let faulty = with(faulty, "/Patient/telecom/0/rank", json!(2));
    let request = t.book(&faulty);
    t.ask("a fault in rank, profile and slot", &request)
        .refused(Situation::ContactRank, &["D-05"])
        .map(drop)
}

fn search(t: &mut Trial) -> Step {
    let good = encoded(midnight(2));
    let request = t.search("service=2099999999&start=gewhen");
    t.ask("no time, an unknown service", &request)
        .refused(Situation::InvalidParameter, &["ERR-01"])?;
    let request = t.search(&format!("service=2099999999&start=ge{good}"));
    t.ask("an unknown service", &request)
        .refused(Situation::ServiceUnknown, &["ERR-08"])
        .map(drop)
}
