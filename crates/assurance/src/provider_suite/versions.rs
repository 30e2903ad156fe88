//! What a Provider lets a consumer of the superseded version leave out (`versions.md`). These tests are run as such a
//! consumer, which the Provider has to know as one.

use serde_json::{Value, json};

use super::answer::{is, list, resources, text};
use super::messages::{cancelled, with};
use super::query::{Window, window};
use super::registry::Table;
use super::token::WRITE;
use super::trial::{Step, Trial};

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("Version_RequestIdOptional", without_request_id),
    ("Version_RankOptional", without_rank),
    ("Version_WriteScopeReads", write_scope_reads),
    ("Version_FewerContained", fewer_contained),
    ("Version_FurtherParticipants", further_participants),
    ("Version_Includes", includes),
    ("Version_Capability", capability),
];

fn without_request_id(t: &mut Trial) -> Step {
    let message = t.message()?;
    let post = t.book(&message).without("X-Request-ID");
    let a = t
        .ask("book without X-Request-ID", &post)
        .books(&["VER-02"])?;
    let again = t.send("book once more without X-Request-ID", &post)?;
    let _ = t.status(
        &again,
        422,
        &["VER-02", "ERR-15"],
        "a repeat without X-Request-ID",
    );
    let id = text(&a.resource, "/id").to_owned();
    let etag = a.header("etag").unwrap_or_default().to_owned();
    let body = cancelled(&message, &a.resource);
    let put = t.cancel(&id, &etag, &body).without("X-Request-ID");
    t.ask("cancel without X-Request-ID", &put)
        .succeeds(200, "Appointment", &["VER-02"])?;
    let again = t.send("cancel once more without X-Request-ID", &put)?;
    t.status(
        &again,
        409,
        &["VER-02", "ERR-12"],
        "a repeated cancellation",
    )
}

fn without_rank(t: &mut Trial) -> Step {
    let message = with(t.message()?, "/Patient/telecom/0/rank", Value::Null);
    let message = with(message, "/Patient/contact/0/telecom/0/rank", Value::Null);
    t.ask("book without ranks", &t.book(&message))
        .books(&["VER-03"])
        .map(drop)
}

fn write_scope_reads(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let token = t.token(WRITE);
    let read = t.read(&booked.id);
    let read = read.with("Authorization", token.bearer());
    t.ask("read under the scope for writing", &read)
        .succeeds(200, "Appointment", &["VER-04"])
        .map(drop)
}

fn fewer_contained(t: &mut Trial) -> Step {
    let without_document = |message: Value| {
        let message = with(message, "/DocumentReference", Value::Null);
        with(message, "/supportingInformation", Value::Null)
    };
    let message = without_document(t.message()?);
    let post = t.book(&message);
    t.ask("book without DocumentReference", &post)
        .books(&["VER-05"])?;
    let message = t.message()?;
    let slot = text(&message, "/slot/0/reference").replace('#', "Slot/");
    let message = with(message, "/Slot", Value::Null);
    let message = without_document(with(message, "/slot/0/reference", json!(slot)));
    t.ask("book without contained Slot", &t.book(&message))
        .books(&["VER-05"])
        .map(drop)
}

fn further_participants(t: &mut Trial) -> Step {
    let other = json!({"actor": {"reference": "Practitioner/colleague", "display": "A colleague"},
        "status": "accepted"});
    let message = with(t.message()?, "/participant/1", other);
    let a = t
        .ask("book with another participant", &t.book(&message))
        .books(&["VER-06"])?;
    t.at(&a, "Appointment.participant", &["VER-06"])
        .must(list(&a.resource, "/participant").len() == 2)
        .right("both participants, as they were sent")
        .or("The other participant is not in the answer");
    Ok(())
}

fn includes(t: &mut Trial) -> Step {
    let service = t.target.service.as_str();
    let query = format!(
        "{}&_include=Slot%3Aschedule&_include=Schedule%3Aactor%3AHealthcareService\
         &_include=HealthcareService.providedBy&_include=HealthcareService.location",
        window(service, Window::usual(), "free")
    );
    let a = t
        .ask("search with these includes", &t.search(&query))
        .succeeds(200, "Bundle", &["VER-07"])?;
    for (element, kind) in [("providedBy", "Organization"), ("location", "Location")] {
        let names = |r: &Value| is(r, "HealthcareService") && r.get(element).is_some();
        let named = resources(&a.resource).any(names);
        let came = resources(&a.resource).any(|r| is(r, kind));
        t.at(&a, "Bundle.entry", &["VER-07", "PROV-SLOT-08"])
            .must(!named || came)
            .right("the resource that the service names")
            .or(format!(
                "HealthcareService.{element} is asked for and named, and no {kind} came"
            ));
    }
    Ok(())
}

fn capability(t: &mut Trial) -> Step {
    let request = t.metadata();
    let ids = &["VER-08", "RES-CAP-06"];
    let a = t.ask("read the CapabilityStatement", &request).succeeds(
        200,
        "CapabilityStatement",
        ids,
    )?;
    for place in ["/description", "/rest/0/documentation"] {
        for version in booking::version::StandardVersion::ALL {
            for name in [version.api(), version.standard()] {
                t.at(&a, place, &["VER-08"])
                    .must(text(&a.resource, place).contains(name))
                    .right("both versions of API and Standard")
                    .or(format!("The version {name} is not named"));
            }
        }
    }
    Ok(())
}
