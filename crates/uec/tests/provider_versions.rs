//! What a provider's declaration changes on the wire: identifiers of its own for patients without NHS number, and
//! consumers that still follow the superseded version of the Standard.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[allow(
    dead_code,
    unused_imports,
    reason = "each test program uses a part of it"
)]
mod support;

use std::sync::OnceLock;

use serde_json::{Value, json};

use support::messages::contained;
use support::operations::{declare, until};
use support::{Booking, Server};

/// The one server, whose provider gives identifiers of its own.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::start("versions", true);
        declare(&server, "FX101", |text| {
            let line = "[provider]\n";
            text.replace(line, &format!("{line}local_patient_identifiers = true\n"))
        });
        until("the declaration is known", || {
            let booking = Booking::of(&server.take_slot()).without_nhs_number();
            let stored = server.book(&booking.body()).expect(201).json();
            contained(&stored, "Patient").get("identifier").is_some()
        });
        server
    })
}

/// Proves: PROV-BOOK-05, PROV-CAN-02, D-17
#[test]
fn a_provider_may_give_patients_without_nhs_number_an_identifier_of_its_own() {
    let server = server();
    let booking = Booking::of(&server.take_slot())
        .without_nhs_number()
        .with("/participant/0/actor/identifier", Value::Null);
    let created = server.book(&booking.body()).expect(201);
    let stored = created.json();
    let identifiers = contained(&stored, "Patient")["identifier"]
        .as_array()
        .expect("one")
        .clone();
    assert_eq!(identifiers.len(), 1);
    assert_eq!(identifiers[0]["use"], "usual");
    assert!(identifiers[0]["value"].is_string());
    let system = identifiers[0]["system"].as_str().expect("a system");
    assert_ne!(system, "https://fhir.nhs.uk/Id/nhs-number");
    // It need not come back in a cancel.
    let body = booking.cancelled(&stored);
    assert_eq!(contained(&body, "Patient").get("identifier"), None);
    let id = created.location_id();
    server.cancel(&id, "W/\"1\"", &body).expect(200);
    // A patient with NHS number has that and no other.
    let numbered = Booking::of(&server.take_slot()).with("/description", json!("Earache"));
    let stored = server.book(&numbered.body()).expect(201).json();
    let identifiers = &contained(&stored, "Patient")["identifier"];
    assert_eq!(identifiers.as_array().map(Vec::len), Some(1));
    assert_eq!(
        identifiers[0]["system"],
        "https://fhir.nhs.uk/Id/nhs-number"
    );
}
