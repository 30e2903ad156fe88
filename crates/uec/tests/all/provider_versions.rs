//! What a provider's declaration changes on the wire: identifiers of its own for patients without NHS number, and
//! consumers that still follow the superseded version of the Standard.

use std::sync::OnceLock;
use testkit::assert_contains;

use serde_json::{Value, json};

use super::support::messages::contained;
use super::support::operations::{declare, uec, until, written};
use super::support::server::matches;
use super::support::{Booking, Call, GP_CLINIC, Server, Token};

/// A consumer that follows the superseded version of the Standard.
const OLD_ASID: &str = "918999000097";
const OLD_ODS: &str = "FX903";
const OLD: &str = "\n[[consumer]]\nods = \"FX903\"\nasid = \"918999000097\"\nname = \"Elsewhere 111\"\n\
    standard = \"2.0.1-beta\"\n";
const READ: &str = "patient/appointment.read";
const WRITE: &str = "patient/appointment.write";
const FIRST: &str = "W/\"1\"";

/// The same call from the consumer of the superseded version.
fn as_old(mut call: Call, scope: &str) -> Call {
    call.scope = scope.to_owned();
    server().from(call, (OLD_ASID, OLD_ODS))
}

/// The one server, whose provider gives identifiers of its own and declares a consumer of the superseded version.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::start("versions", true);
        declare(&server, "FX101", |text| {
            let line = "[provider]\n";
            text.replace(line, &format!("{line}local_patient_identifiers = true\n")) + OLD
        });
        until("the declaration is known", || {
            let booking = server.booking().without_nhs_number();
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
    let booking = server
        .booking()
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
    let numbered = server.booking().with("/description", json!("Earache"));
    let stored = server.book(&numbered.body()).expect(201).json();
    let identifiers = &contained(&stored, "Patient")["identifier"];
    assert_eq!(identifiers.as_array().map(Vec::len), Some(1));
    assert_eq!(
        identifiers[0]["system"],
        "https://fhir.nhs.uk/Id/nhs-number"
    );
}

/// What only the superseded version lets a consumer leave out or add: the change, and what others are answered.
type Less = (fn(Booking) -> Booking, u16);

const LESS: [Less; 4] = [
    (without_ranks, 400),
    (without_document, 422),
    (without_slot, 400),
    (with_another, 422),
];

fn without_ranks(booking: Booking) -> Booking {
    booking
        .with("/patient/telecom/0/rank", Value::Null)
        .with("/patient/contact/0/telecom/0/rank", Value::Null)
}

fn without_document(booking: Booking) -> Booking {
    booking
        .with("/contained/0", Value::Null)
        .with("/supportingInformation", Value::Null)
}

fn without_slot(booking: Booking) -> Booking {
    let id = contained(&booking.body(), "Slot")["id"].clone();
    let id = id.as_str().expect("an id").to_owned();
    booking
        .with("/contained/2", Value::Null)
        .with("/slot/0/reference", json!(format!("Slot/{id}")))
}

fn with_another(booking: Booking) -> Booking {
    let other = json!({"actor": {"reference": "Practitioner/p-1", "display": "Dr Imogen Larkspur"},
        "status": "accepted"});
    booking.with("/participant/1", other)
}

/// Proves: NFR-09, VER-01, VER-03, VER-05, VER-06, VER-09
#[test]
fn a_consumer_of_the_superseded_version_may_leave_out_what_nobody_else_may() {
    let server = server();
    for (i, (change, status)) in LESS.into_iter().enumerate() {
        let booking = change(server.booking());
        server.book(&booking.body()).expect(status);
        let created = as_old(server.book(&booking.body()), WRITE).expect(201);
        let id = created.location_id();
        // Whoever else reads it gets it as it was booked, and can cancel it.
        let stored = server.read(&id).expect(200).json();
        assert_eq!(stored, created.json(), "case {i}");
        assert_eq!(
            stored["contained"].as_array().map(Vec::len),
            Some(3 - usize::from(i == 1 || i == 2))
        );
        let number = booking.nhs_number.as_deref().expect("a number");
        let found = server
            .appointments(&format!("identifier={number}"))
            .expect(200);
        let found = &matches(&found.json())[0];
        assert_eq!(
            found["participant"].as_array().map(Vec::len),
            Some(1),
            "case {i}"
        );
        let cancel = server.cancel(&id, FIRST, &booking.cancelled(&stored));
        let cancel = match i {
            0 => as_old(cancel, WRITE),
            _ => cancel,
        };
        assert_eq!(cancel.expect(200).json()["status"], "cancelled");
    }
    // Everything at once.
    let all = without_slot(without_ranks(server.booking()));
    let all = with_another(without_document(all));
    as_old(server.book(&all.body()), WRITE).expect(201);
}

/// Proves: VER-02, PROV-HDR-11, PROV-BOOK-11, ERR-03
#[test]
fn an_x_request_id_that_is_sent_is_held_to_its_rules() {
    let server = server();
    let call = server.book(&server.booking().body());
    let created = as_old(call.clone().without("X-Request-ID"), WRITE).expect(201);
    assert_eq!(created.header("x-correlation-id"), None);
    let once = as_old(server.book(&server.booking().body()), WRITE);
    once.expect(201);
    once.expect(409);
    as_old(call.with("X-Request-ID", ""), WRITE).expect(400);
}

/// Proves: VER-04, ERR-06
#[test]
fn the_scope_for_writing_covers_reading_for_that_consumer() {
    let server = server();
    let (booking, created) = server.booked();
    let id = created.location_id();
    let number = booking.nhs_number.as_deref().expect("a number");
    let calls = [
        server.read(&id),
        server.read(&format!("{id}/_history/1")),
        server.appointments(&format!("identifier={number}")),
    ];
    for call in calls {
        as_old(call.clone(), READ).expect(200);
        as_old(call.clone(), WRITE).expect(200);
        call.with("Authorization", &server.token(WRITE).bearer())
            .expect(403);
    }
    // Neither a slot search nor a write is opened by it.
    let query = Server::window_query(GP_CLINIC, 1, 2);
    as_old(server.search(&query), WRITE).expect(403);
    let body = server.booking().body();
    as_old(server.book(&body), READ).expect(403);
    // Another system of that organisation is not declared so.
    let token = Token::new(&server.audience(), WRITE, OLD_ODS);
    server
        .read(&id)
        .with("Authorization", &token.bearer())
        .expect(403);
}

/// Proves: PROV-META-02, RES-CAP-06
#[test]
fn the_capability_statement_is_one_for_all() {
    let server = server();
    let statement = server.metadata().expect(200);
    statement.has("/version", "2.0.4");
    let to_old = as_old(server.metadata(), "organization/slot.read").expect(200);
    assert_eq!(statement.json(), to_old.json());
}

/// Proves: VER-01
#[test]
fn a_declared_version_is_shown_and_an_unknown_one_refused() {
    let server = server();
    let database = server.database();
    let run = |command: &str| {
        let ended = uec(format!("{command} --database '{database}'"));
        (ended.code, ended.said())
    };
    let (code, exported) = run("provider export --provider FX202");
    assert_eq!(code, 0, "{exported}");
    let try_out = |text: String| {
        let file = written(&server.folder, "riverside.toml", &text);
        let file = file.display().to_string();
        run(&format!("provider apply '{file}' --dry-run"))
    };
    let (code, said) = try_out(exported.clone() + OLD);
    assert_eq!(code, 0, "{said}");
    assert_contains(
        &said,
        &["FX903-918999000097", "standard: nothing -> \"2.0.1-beta\""],
    );
    for wrong in ["1.0.0", "2.0.1", "beta"] {
        let (code, said) = try_out(exported.clone() + &OLD.replace("2.0.1-beta", wrong));
        assert_eq!(code, 2, "{said}");
        assert_contains(&said, &["`standard`", wrong, "2.0.4", "2.0.1-beta"]);
    }
    let (code, exported) = run("provider export --provider FX101");
    assert_eq!(code, 0);
    assert!(exported.contains("standard = \"2.0.1-beta\""), "{exported}");
    let (_, said) = run("provider doctor");
    let line = said.lines().find(|l| l.contains("Elsewhere 111"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    assert_contains(line, &["2.0.1-beta", "0.1.17"]);
}
