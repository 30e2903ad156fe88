//! `uec validate` and the Provider have one set of rules: the same messages are given to both.

use testkit::{Ended, assert_contains, assert_lacks, words};

use serde_json::{Value, json};

use super::support::operations::{file_named, uec};
use super::support::server::INCLUDES;
use super::support::{GP_CLINIC, Server, to_xml};

/// A message to be judged: what is changed, place and value.
type Change = (&'static str, &'static str, fn() -> Value);

const NULL: fn() -> Value = || Value::Null;

/// What is right, tolerated, or wrong in one way each.
#[rustfmt::skip] // a change a line
const CHANGES: &[Change] = &[
    ("nothing", "/status", || json!("booked")),
    ("other rules", "/implicitRules", || json!("http://example.org")),
    ("a patient by other rules", "/patient/implicitRules", || json!("http://example.org")),
    ("no rank", "/patient/telecom/0/rank", NULL),
    ("rank 0", "/patient/telecom/0/rank", || json!(0)),
    ("no rank 1", "/patient/telecom/0/rank", || json!(3)),
    ("two rank 1", "/patient/contact/0/telecom/0/rank", || json!(1)),
    ("own telephone only", "/patient/contact", NULL),
    ("a third party's telephone of rank 2 only", "/patient/telecom", NULL),
    ("no system of a telephone", "/patient/telecom/0/system", NULL),
    ("an e-mail address that is none", "/patient/telecom/0", || json!({"system": "email", "value": "nowhere", "rank": 1})),
    ("no relationship", "/patient/contact/0/relationship", NULL),
    ("no use of a third party's name", "/patient/contact/0/name/use", NULL),
    ("no NHS number", "/patient/identifier", NULL),
    ("a number of another system", "/patient/identifier/0/system", || json!("urn:other")),
    ("a wrong number", "/patient/identifier/0/value", || json!("9990000043")),
    ("no verification", "/patient/identifier/0/extension", NULL),
    ("no name", "/patient/name", NULL),
    ("no given name", "/patient/name/0/given", NULL),
    ("a nickname", "/patient/name/0/use", || json!("nickname")),
    ("no gender", "/patient/gender", NULL),
    ("a gender that is none", "/patient/gender", || json!("m")),
    ("no date of birth", "/patient/birthDate", NULL),
    ("a date of birth in the future", "/patient/birthDate", || json!("2999-01-01")),
    ("a date of birth long ago", "/patient/birthDate", || json!("1899-12-31")),
    ("a date of birth that is none", "/patient/birthDate", || json!("12/03/1979")),
    ("no address", "/patient/address", NULL),
    ("an address at work", "/patient/address/0/use", || json!("work")),
    ("no postcode", "/patient/address/0/postalCode", NULL),
    ("no profile of the patient", "/patient/meta", NULL),
    ("no patient", "/contained/1", NULL),
    ("no document", "/contained/0", NULL),
    ("no slot", "/contained/2", NULL),
    ("no id of the slot", "/contained-slot/id", NULL),
    ("a free slot", "/contained-slot/status", || json!("free")),
    ("no identifier of the slot", "/contained-slot/identifier", NULL),
    ("a superseded document", "/document/status", || json!("superseded")),
    ("a document of another type", "/document/type/coding/0/code", || json!("X")),
    ("an id", "/id", || json!("a-1")),
    ("a proposal", "/status", || json!("proposed")),
    ("no status", "/status", NULL),
    ("no language", "/language", NULL),
    ("plain English", "/language", || json!("en")),
    ("French", "/language", || json!("fr")),
    ("no profile", "/meta", NULL),
    ("no description", "/description", NULL),
    ("no created", "/created", NULL),
    ("an end before the start", "/end", || json!("2001-01-01T10:00:00Z")),
    ("a start that is none", "/start", || json!("tomorrow")),
    ("no reference to the slot", "/slot", NULL),
    ("a reference to another slot", "/slot/0/reference", || json!("#other")),
    ("no supporting information", "/supportingInformation", NULL),
    ("no participant", "/participant", NULL),
    ("no status of the participant", "/participant/0/status", NULL),
    ("a tentative participant", "/participant/0/status", || json!("tentative")),
    ("no display", "/participant/0/actor/display", NULL),
    ("two participants", "/participant/1", || json!({"actor": {"reference": "Practitioner/p-1"}, "status": "accepted"})),
    ("an element that FHIR does not define", "/colour", || json!("blue")),
    ("a code that is not defined", "/patient/contact/0/relationship/0/coding/0/code", || json!("zzz")),
    ("a wrong JSON type", "/description", || json!(["a", "b"])),
    ("another resource", "/resourceType", || json!("Slot")),
];

/// Runs the program on files with these contents; all outcomes, in order.
fn validate(server: &Server, name: &str, contents: &[String], flags: &str) -> (Ended, Vec<Value>) {
    let files: Vec<String> = contents
        .iter()
        .enumerate()
        .map(|(i, text)| file_named(&server.folder, &format!("{name}-{i}"), text))
        .collect();
    let flags = words(&format!("validate --json {flags}"));
    let output = uec([flags, files].concat());
    let outcomes = output
        .stdout
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"));
    let outcomes: Vec<Value> = outcomes.collect();
    assert_eq!(outcomes.len(), contents.len());
    (output, outcomes)
}

/// Where and what, of each error.
fn errors(outcome: &Value) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let issues = outcome["issue"].as_array().map(Vec::as_slice);
    let errors = issues
        .unwrap_or(&[])
        .iter()
        .filter(|i| matches!(i["severity"].as_str(), Some("error" | "fatal")));
    errors
        .map(|i| {
            let place = match &i["expression"] {
                Value::Array(all) => text(&all[0]),
                other => text(other),
            };
            (place, text(&i["diagnostics"]))
        })
        .collect()
}

/// Proves: PROV-BOOK-04, RES-RANK-01, RES-RANK-02, RES-PAT-02, RES-PAT-06, ERR-05, ERR-17, D-90
#[test]
fn validate_and_provider_judge_a_booking_alike() {
    let server = Server::shared(module_path!());
    let mut cases: Vec<(String, String, bool)> = Vec::new();
    for (name, place, value) in CHANGES {
        let booking = server.booking().with(place, value());
        cases.push(((*name).to_owned(), booking.body().to_string(), false));
    }
    let whole = server.booking().body();
    let misplaced = server.booking().with("/language", Value::Null);
    let misplaced = misplaced.with("/language", json!("en-GB")).body();
    cases.push(("XML".to_owned(), to_xml(&whole), true));
    cases.push(("XML out of order".to_owned(), to_xml(&misplaced), true));
    cases.push(("no JSON".to_owned(), "{".to_owned(), false));
    let contents: Vec<String> = cases.iter().map(|(_, text, _)| text.clone()).collect();
    let (output, outcomes) = validate(server, "alike", &contents, "--wire");
    assert_eq!(output.code, 1, "{output}");
    for ((name, text, xml), outcome) in cases.iter().zip(&outcomes) {
        let call = server.book(&Value::Null);
        let call = match xml {
            true => call.xml(text),
            false => call.body(text.clone()),
        };
        let answer = call.with("Accept", "application/fhir+json").send();
        let found = errors(outcome);
        match answer.status {
            201 => assert!(found.is_empty(), "{name}: {found:?}"),
            // Another resource alone is no fault of a file.
            400 if name == "another resource" => {}
            400 | 422 => {
                let told = errors(&answer.json());
                assert!(!told.is_empty(), "{name}: {}", answer.shown());
                for (place, said) in &told {
                    let same = |(p, s): &&(String, String)| p == place && s.starts_with(said);
                    assert!(
                        found.iter().find(same).is_some(),
                        "{name}: {place}: {said}\n{found:#?}"
                    );
                }
            }
            other => panic!("{name}: {other}"),
        }
    }
    // What is not stored is not said to be stored.
    let all = output.stdout;
    assert_lacks(&all, &["was stored", "was added"]);
    assert!(all.contains("a Provider stores `accepted`"));
}

/// Proves: PROV-GEN-14
#[test]
fn a_validator_is_strict_unless_it_is_told_to_judge_as_the_wire_does() {
    let server = Server::shared(module_path!());
    let strange = server
        .booking()
        .with("/colour", json!("blue"))
        .with("/patient/shoeSize", json!(42))
        .body();
    let organization = json!({"resourceType": "Organization", "name": "Fernhill",
        "type": [{"coding": [{"system": "http://hl7.org/fhir/organization-type", "code": "zzz"}]}]});
    let other = json!({"resourceType": "Medication", "status": "active"});
    let contents = [
        strange.to_string(),
        to_xml(&strange),
        organization.to_string(),
        other.to_string(),
    ];
    let (output, outcomes) = validate(server, "strict", &contents, "");
    assert_eq!(output.code, 1, "{output}");
    for outcome in &outcomes[..2] {
        let places: Vec<String> = errors(outcome)
            .into_iter()
            .map(|(place, _)| place)
            .collect();
        for place in ["Appointment.colour", "Appointment.contained[1].shoeSize"] {
            assert!(places.iter().any(|p| p == place), "{place}: {places:?}");
        }
        assert_eq!(places.len(), 2, "{places:?}");
    }
    let undefined = errors(&outcomes[2]);
    assert_eq!(undefined.len(), 1, "{undefined:?}");
    assert_eq!(undefined[0].0, "Organization.type[0].coding[0]");
    assert_contains(&undefined[0].1, &["zzz", "prov"]);
    assert!(
        errors(&outcomes[3]).is_empty(),
        "a type of FHIR that is not checked here"
    );
    let (output, outcomes) = validate(server, "lenient", &contents, "--wire");
    assert_eq!(output.code, 0, "{outcomes:#?}");
}

/// Proves: NFR-09, VER-03
#[test]
fn a_booking_is_judged_by_the_version_that_its_sender_follows() {
    let server = Server::shared(module_path!());
    let body = server
        .booking()
        .with("/patient/telecom/0/rank", Value::Null)
        .body();
    let contents = [body.to_string()];
    let (output, _) = validate(server, "current", &contents, "");
    assert_eq!(output.code, 1, "{output}");
    let (output, _) = validate(server, "old", &contents, "--standard 2.0.1-beta");
    assert_eq!(output.code, 0, "{output}");
    let unknown = uec("validate --standard 1.0 nothing").with(2);
    unknown.notes(&["2.0.4", "2.0.1-beta"]);
}

/// Proves: D-17, PROV-BOOK-08, PROV-CAN-05, PROV-SLOT-12, PROV-META-01, PROV-ERR-01
#[test]
fn what_the_provider_answers_is_valid() {
    let server = Server::shared(module_path!());
    let booking = server
        .booking()
        .without_nhs_number()
        .with("/participant/0/actor/identifier", Value::Null);
    let created = server.book(&booking.body()).expect(201);
    let cancelled = server.cancelling(&booking, &created);
    let query = format!("{}{INCLUDES}", Server::window_query(GP_CLINIC, 1, 2));
    let contents = [
        created.text(),
        cancelled.expect(200).text(),
        server.search(&query).expect(200).text(),
        server.metadata().expect(200).text(),
        server.read("nobody").expect(404).text(),
    ];
    let (output, outcomes) = validate(server, "answers", &contents, "");
    assert_eq!(output.code, 0, "{outcomes:#?}");
}
