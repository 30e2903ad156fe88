//! Reading a booking, claiming its slot, and what is stored.

use super::messages;
use super::messages::{SLOT, booking, now, parse, published_form};
use booking::appointment::BookingRequest;
use booking::ids::ResourceId;
use booking::refusal::{Refusal, Situation};
use booking::rules::book::{SlotSnapshot, booked_document, check_claim};
use booking::slot::SlotStatus;
use fhir::Element;
use serde_json::{Value, json};

fn read(message: &Value) -> Result<BookingRequest, Refusal> {
    BookingRequest::read(parse(message))
}

/// The refusal of a booking after one change.
#[track_caller]
fn refused(change: impl FnOnce(&mut Value)) -> Refusal {
    let mut message = booking();
    change(&mut message);
    read(&message)
        .map(|_| ())
        .expect_err("this change must be refused")
}

#[track_caller]
fn accepted(change: impl FnOnce(&mut Value)) -> BookingRequest {
    let mut message = booking();
    change(&mut message);
    read(&message).unwrap_or_else(|refusal| panic!("refused: {refusal}"))
}

fn remove(at: &mut Value, name: &str) {
    at.as_object_mut().unwrap().remove(name).expect("was there");
}

fn expressions(refusal: &Refusal) -> Vec<&str> {
    refusal
        .findings
        .iter()
        .filter_map(|f| f.expression.as_deref())
        .collect()
}

/// Proves: PROV-BOOK-04, RES-APPT-04, RES-SLOT-07, RES-DOC-02
#[test]
fn a_whole_booking_is_read() {
    let request = read(&booking()).unwrap();
    assert!(request.faults.is_empty(), "{:?}", request.faults);
    assert_eq!(request.slot.identifier.as_ref().unwrap().1, SLOT);
    let copy = request.slot.copy.as_ref().unwrap();
    assert_eq!(copy.schedule, "sch-utc-1");
    assert_eq!(request.slot.uuid().unwrap().to_string(), SLOT);
    assert_eq!(request.nhs_number.as_ref().unwrap().as_str(), "9990123454");
    let document = request.document_id.as_deref();
    assert_eq!(document, Some("7c1d3b0a-52c6-4f2e-9a41-0d5a6d1f2b33"));
    assert_eq!(request.start, "2031-03-04T09:30:00Z".parse().unwrap());
}

/// Proves: D-48, RES-GEN-01, RES-APPT-03, RES-APPT-06, RES-APPT-12, D-37
#[test]
fn the_form_of_the_published_example_is_accepted_and_completed() {
    let request = read(&published_form()).unwrap();
    let document = &request.document;
    assert_eq!(document.str_of("language"), Some("en-GB"));
    assert_eq!(
        document.at("participant.status").unwrap().as_str(),
        Some("accepted")
    );
    let slot = document.all("contained").nth(2).unwrap();
    assert!(
        slot.at("meta.profile")
            .unwrap()
            .as_str()
            .unwrap()
            .ends_with("CareConnect-Slot-1")
    );
    let faults: Vec<&str> = request
        .faults
        .iter()
        .map(|f| f.expression.as_str())
        .collect();
    for path in [
        "Appointment.language",
        "Appointment.participant[0].status",
        "Appointment.contained[2].meta.profile",
    ] {
        assert!(faults.contains(&path), "{path} in {faults:?}");
    }
}

/// Proves: ERR-04, PROV-BOOK-04
#[test]
fn what_is_no_booking_is_unreadable() {
    for change in [
        (|b: &mut Value| b["resourceType"] = json!("Patient")) as fn(&mut Value),
        |b| remove(&mut b["contained"][2], "id"),
        |b| b["contained"] = json!([messages::document(), messages::patient()]),
    ] {
        let refusal = refused(change);
        assert_eq!(
            (refusal.situation, refusal.status()),
            (Situation::BodyUnreadable, 400)
        );
    }
}

/// Proves: ERR-05, D-05, RES-RANK-01, RES-RANK-02
#[test]
fn exactly_one_contact_point_has_rank_1() {
    let own = |rank: Value| json!([{"system": "phone", "value": "01632 960123", "rank": rank}]);
    for change in [
        // two of rank 1; none of rank 1; a point without rank; rank 0; no point at all
        (|b: &mut Value| b["contained"][1]["contact"][0]["telecom"][0]["rank"] = json!(1))
            as fn(&mut Value),
        |b| b["contained"][1]["telecom"][0]["rank"] = json!(2),
        |b| remove(&mut b["contained"][1]["telecom"][0], "rank"),
        |b| b["contained"][1]["telecom"][0]["rank"] = json!(0),
        |b| {
            remove(&mut b["contained"][1], "telecom");
            remove(&mut b["contained"][1], "contact");
        },
    ] {
        let refusal = refused(change);
        assert_eq!(
            (refusal.situation, refusal.status()),
            (Situation::ContactRank, 400),
            "{refusal}"
        );
        assert!(
            expressions(&refusal)
                .iter()
                .all(|e| e.ends_with("telecom.rank") || e.ends_with(".rank"))
        );
    }
    // The ranks are looked at before conformance.
    let refusal = refused(|b| {
        remove(b, "description");
        b["contained"][1]["telecom"] = own(json!(2));
    });
    assert_eq!(refusal.status(), 400);
}

/// Proves: PROV-BOOK-06, RES-RANK-03, RES-RANK-04, D-46
#[test]
fn contact_details_may_stand_in_either_place() {
    accepted(|b| remove(&mut b["contained"][1], "contact"));
    accepted(|b| {
        remove(&mut b["contained"][1], "telecom");
        b["contained"][1]["contact"][0]["telecom"][0]["rank"] = json!(1);
    });
    for form in [
        "+44 7700 900456",
        "(01632) 960123",
        "07700900456",
        "01632-960123 ext 4",
    ] {
        accepted(|b| b["contained"][1]["telecom"][0]["value"] = json!(form));
    }
    accepted(|b| {
        b["contained"][1]["contact"][0]["telecom"] = json!([
            {"system": "phone", "value": "07700 900456", "rank": 2},
            {"system": "email", "value": "grace@example.nhs.uk", "rank": 2}
        ]);
    });
}

/// Proves: PROV-BOOK-10, RES-APPT-01, ERR-17
#[test]
fn an_id_on_create_is_refused() {
    let refusal = refused(|b| b["id"] = json!("my-own"));
    assert_eq!(
        (refusal.situation, refusal.status()),
        (Situation::NotConformant, 422)
    );
    assert_eq!(expressions(&refusal), ["Appointment.id"]);
}

/// Proves: ERR-17, ERR-18, RES-PAT-03
#[test]
fn an_nhs_number_with_a_wrong_check_digit_has_its_own_row() {
    let refusal = refused(|b| {
        b["contained"][1]["identifier"][0]["value"] = json!("9990123455");
        b["participant"][0]["actor"]["identifier"]["value"] = json!("9990123455");
    });
    assert_eq!(refusal.situation, Situation::NhsNumberInvalid);
    let outcome = refusal.outcome("e-1");
    let code = outcome.at("issue.details.coding.code").unwrap().as_str();
    assert_eq!(code, Some("INVALID_NHS_NUMBER"));
    assert!(!refusal.to_string().contains("9990123455"), "{refusal}");
    assert!(expressions(&refusal).contains(&"Appointment.contained[1].identifier[0].value"));
}

/// Proves: ERR-17, PROV-BOOK-04
#[test]
fn every_fault_is_reported() {
    let refusal = refused(|b| {
        remove(b, "description");
        remove(&mut b["contained"][1], "gender");
        b["contained"][1]["identifier"][0]["value"] = json!("999");
        remove(&mut b["contained"][0], "identifier");
    });
    let found = expressions(&refusal);
    for path in [
        "Appointment.description",
        "Appointment.contained[1].gender",
        "Appointment.contained[1].identifier[0].value",
        "Appointment.contained[0].identifier",
    ] {
        assert!(found.contains(&path), "{path} in {found:?}");
    }
    let codes: Vec<u16> = refusal
        .findings
        .iter()
        .filter_map(|f| f.situation)
        .map(|s| s.row().status)
        .collect();
    assert!(codes.iter().all(|c| *c == 422));
    assert!(
        refusal
            .findings
            .iter()
            .any(|f| f.situation == Some(Situation::NhsNumberInvalid))
    );
}

/// Rule, path that the refusal must name, change.
type Broken = (&'static str, &'static str, fn(&mut Value));

/// One change per override, and the path that the refusal must name.
#[rustfmt::skip]
const BROKEN: &[Broken] = &[
    ("RES-APPT-02", "Appointment.meta.profile", |b| b["meta"] = json!({"profile": ["http://example.org/other"]})),
    ("RES-APPT-03", "Appointment.language", |b| b["language"] = json!("cy")),
    ("RES-APPT-04", "Appointment.contained", |b| b["contained"].as_array_mut().unwrap().push(messages::slot())),
    ("RES-APPT-04", "Appointment.contained[3]", |b| b["contained"].as_array_mut().unwrap().push(json!({"resourceType": "Location", "id": "l"}))),
    ("RES-APPT-05", "Appointment.status", |b| b["status"] = json!("proposed")),
    ("RES-APPT-06", "Appointment.start", |b| b["start"] = json!("2031-03-04T09:31:00Z")),
    ("RES-APPT-06", "Appointment.end", |b| b["end"] = json!("2031-03-04T09:41:00Z")),
    ("RES-APPT-06", "Appointment.end", |b| b["end"] = json!("2031-03-04T09:30:00Z")),
    ("RES-APPT-06", "Appointment.start", |b| remove(b, "start")),
    ("RES-APPT-07", "Appointment.created", |b| remove(b, "created")),
    ("RES-APPT-07", "Appointment.created", |b| b["created"] = json!("2031-03-04")),
    ("RES-APPT-08", "Appointment.description", |b| remove(b, "description")),
    ("RES-APPT-09", "Appointment.slot[0].reference", |b| b["slot"] = json!([{"reference": "#other"}])),
    ("RES-APPT-09", "Appointment.slot", |b| remove(b, "slot")),
    ("RES-APPT-10", "Appointment.supportingInformation", |b| remove(b, "supportingInformation")),
    ("RES-APPT-10", "Appointment.supportingInformation[0].reference", |b| b["supportingInformation"] = json!([{"reference": "#pat"}])),
    ("RES-APPT-12", "Appointment.participant[0].status", |b| b["participant"][0]["status"] = json!("tentative")),
    ("RES-APPT-12", "Appointment.participant", |b| { let p = b["participant"][0].clone(); b["participant"].as_array_mut().unwrap().push(p); }),
    ("RES-APPT-13", "Appointment.participant[0].actor.reference", |b| b["participant"][0]["actor"]["reference"] = json!("Patient/pat")),
    ("RES-APPT-14", "Appointment.participant[0].actor.identifier.value", |b| b["participant"][0]["actor"]["identifier"]["value"] = json!("9990000018")),
    ("RES-SLOT-02", "Appointment.contained[2].identifier", |b| remove(&mut b["contained"][2], "identifier")),
    ("RES-SLOT-02", "Appointment.contained[2].identifier[0].system", |b| b["contained"][2]["identifier"][0]["system"] = json!("http://example.org")),
    ("RES-SLOT-03", "Appointment.contained[2].schedule.reference", |b| b["contained"][2]["schedule"]["reference"] = json!("Location/1")),
    ("RES-SLOT-04", "Appointment.contained[2].status", |b| b["contained"][2]["status"] = json!("busy-tentative")),
    ("RES-SLOT-05", "Appointment.contained[2].start", |b| b["contained"][2]["start"] = json!("2031-03-04T09:30")),
    ("RES-PAT-02", "Appointment.contained[1].identifier[1]", |b| { let i = b["contained"][1]["identifier"][0].clone(); b["contained"][1]["identifier"].as_array_mut().unwrap().push(i); }),
    ("RES-PAT-02", "Appointment.contained[1].identifier[0].system", |b| b["contained"][1]["identifier"][0]["system"] = json!("http://example.org")),
    ("RES-PAT-03", "Appointment.contained[1].identifier[0].extension", |b| remove(&mut b["contained"][1]["identifier"][0], "extension")),
    ("RES-PAT-03", "Appointment.contained[1].identifier[0].extension.valueCodeableConcept.coding", |b| b["contained"][1]["identifier"][0]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] = json!("09")),
    ("RES-PAT-04", "Appointment.contained[1].name", |b| remove(&mut b["contained"][1], "name")),
    ("RES-PAT-04", "Appointment.contained[1].name[0].family", |b| remove(&mut b["contained"][1]["name"][0], "family")),
    ("RES-PAT-04", "Appointment.contained[1].name[0].given", |b| remove(&mut b["contained"][1]["name"][0], "given")),
    ("RES-PAT-04", "Appointment.contained[1].name[0].use", |b| b["contained"][1]["name"][0]["use"] = json!("nickname")),
    ("RES-PAT-05", "Appointment.contained[1].gender", |b| b["contained"][1]["gender"] = json!("F")),
    ("RES-PAT-06", "Appointment.contained[1].birthDate", |b| b["contained"][1]["birthDate"] = json!("1899-12-31")),
    ("RES-PAT-06", "Appointment.contained[1].birthDate", |b| b["contained"][1]["birthDate"] = json!("21/06/1984")),
    ("RES-PAT-07", "Appointment.contained[1].address", |b| remove(&mut b["contained"][1], "address")),
    ("RES-PAT-07", "Appointment.contained[1].address[0].use", |b| b["contained"][1]["address"][0]["use"] = json!("work")),
    ("RES-PAT-07", "Appointment.contained[1].address[0].postalCode", |b| remove(&mut b["contained"][1]["address"][0], "postalCode")),
    ("RES-PAT-08", "Appointment.contained[1].telecom[0].system", |b| remove(&mut b["contained"][1]["telecom"][0], "system")),
    ("RES-PAT-09", "Appointment.contained[1].contact[0].relationship", |b| remove(&mut b["contained"][1]["contact"][0], "relationship")),
    ("RES-PAT-09", "Appointment.contained[1].contact[0].name", |b| remove(&mut b["contained"][1]["contact"][0], "name")),
    ("RES-RANK-05", "Appointment.contained[1].contact[0].telecom[0].value", |b| b["contained"][1]["contact"][0]["telecom"][0]["system"] = json!("email")),
    ("RES-DOC-02", "Appointment.contained[0].identifier[0].value", |b| b["contained"][0]["identifier"][0]["value"] = json!("1234")),
    ("RES-DOC-03", "Appointment.contained[0].status", |b| b["contained"][0]["status"] = json!("superseded")),
    ("RES-DOC-04", "Appointment.contained[0].type.coding[0].code", |b| b["contained"][0]["type"]["coding"][0]["code"] = json!("X")),
    ("RES-DOC-05", "Appointment.contained[0].indexed", |b| remove(&mut b["contained"][0], "indexed")),
    ("RES-DOC-06", "Appointment.contained[0].content[0].attachment.contentType", |b| b["contained"][0]["content"][0]["attachment"]["contentType"] = json!("text/plain")),
    ("RES-DOC-06", "Appointment.contained[0].content[0].attachment.language", |b| b["contained"][0]["content"][0]["attachment"]["language"] = json!("fr")),
];

/// Proves: RES-APPT-02, RES-APPT-05, RES-APPT-07, RES-APPT-08, RES-APPT-10, RES-APPT-13, RES-APPT-14, RES-SLOT-02, RES-SLOT-03, RES-SLOT-04, RES-SLOT-05, RES-PAT-02, RES-PAT-04, RES-PAT-05, RES-PAT-06, RES-PAT-07, RES-PAT-08, RES-PAT-09, RES-RANK-05, RES-DOC-03, RES-DOC-04, RES-DOC-05, RES-DOC-06, ERR-17
#[test]
fn each_broken_override_is_named_by_its_path() {
    for (rule, path, change) in BROKEN {
        let mut message = booking();
        change(&mut message);
        let refusal = read(&message).map(|_| ()).expect_err(rule);
        assert_eq!(refusal.status(), 422, "{rule} {path}: {refusal}");
        assert!(
            expressions(&refusal).contains(path),
            "{rule} {path} in {:?}",
            expressions(&refusal)
        );
    }
}

/// Proves: RES-APPT-03, RES-APPT-06, RES-APPT-09, RES-SLOT-04, RES-PAT-03, RES-PAT-07, RES-PAT-09, RES-DOC-02, RES-DOC-05, D-36, D-37, PROV-BOOK-07
#[test]
fn what_a_provider_tolerates() {
    accepted(|b| b["language"] = json!("en"));
    accepted(|b| b["end"] = json!("2031-03-04T09:31:00+00:00"));
    let request = accepted(|b| b["slot"] = json!([{"reference": format!("Slot/{SLOT}")}]));
    let reference = request.document.at("slot.reference").unwrap();
    assert_eq!(
        reference.as_str().unwrap(),
        format!("#{SLOT}"),
        "stored as the local one"
    );
    for code in 1..=8 {
        accepted(|b| {
            let coding = &mut b["contained"][1]["identifier"][0]["extension"][0]["valueCodeableConcept"]
                ["coding"][0];
            coding["code"] = json!(format!("0{code}"));
        });
    }
    accepted(|b| {
        let address =
            json!([{"use": "temp", "line": ["1 Other Way"]}, b["contained"][1]["address"][0]]);
        b["contained"][1]["address"] = address;
    });
    accepted(|b| remove(&mut b["contained"][1]["contact"][0]["name"], "use"));
    accepted(|b| b["contained"][0]["identifier"][0]["value"] = json!("12345"));
    accepted(|b| b["contained"][0]["indexed"] = json!("1999-01-01T00:00:00Z"));
    let request = accepted(|b| b["contained"][2]["status"] = json!("free"));
    assert_eq!(
        request
            .document
            .all("contained")
            .nth(2)
            .unwrap()
            .str_of("status"),
        Some("busy")
    );
    // Offsets are all the same instant.
    accepted(|b| b["start"] = json!("2031-03-04T10:30:00+01:00"));
}

/// Proves: PROV-BOOK-05, D-17
#[test]
fn a_patient_without_nhs_number_gets_a_local_identifier_only_where_the_provider_gives_one() {
    let request = accepted(|b| remove(&mut b["contained"][1], "identifier"));
    assert!(
        request.nhs_number.is_none(),
        "the participant's number does not count"
    );
    let id = ResourceId::parse("a-1").unwrap();
    let plain = booked_document(&request, &id, now(), None);
    let patient = plain.all("contained").nth(1).unwrap();
    assert!(patient.get("identifier").is_none());
    // What is answered passes the rules that TKW's report has too.
    let errors = |d: &Element| {
        let issues = booking::careconnect::conformance().check(d);
        issues.into_iter().filter(|i| i.is_error()).count()
    };
    assert_eq!(errors(&plain), 0);
    let local = Some("https://provider.example.nhs.uk/Id/patient|p-7");
    let numbered = accepted(|_| {});
    let document = booked_document(&numbered, &id, now(), local);
    let patient = document.all("contained").nth(1).unwrap();
    assert_eq!(patient.count("identifier"), 1, "the NHS number alone");
    let document = booked_document(&request, &id, now(), local);
    let patient = document.all("contained").nth(1).unwrap();
    let identifier = patient.get("identifier").unwrap();
    assert_eq!(identifier.str_of("use"), Some("usual"));
    assert_eq!(
        identifier.str_of("system"),
        Some("https://provider.example.nhs.uk/Id/patient")
    );
    assert_eq!(identifier.str_of("value"), Some("p-7"));
    let names: Vec<&str> = patient.children().iter().map(Element::name).collect();
    assert!(
        names.iter().position(|n| *n == "identifier") < names.iter().position(|n| *n == "name")
    );
}

fn snapshot() -> SlotSnapshot {
    SlotSnapshot {
        id: SLOT.to_owned(),
        schedule: "sch-utc-1".to_owned(),
        start: "2031-03-04T09:30:00Z".parse().unwrap(),
        end: "2031-03-04T09:40:00Z".parse().unwrap(),
        status: SlotStatus::Free,
        live_booking: false,
    }
}

/// Proves: PROV-BOOK-02, PROV-BOOK-03, ERR-15, ERR-16, ERR-20, RES-PAT-06
#[test]
fn the_claim_must_agree_with_a_free_slot_to_come() {
    let request = read(&booking()).unwrap();
    let check = |slot: Option<SlotSnapshot>| {
        check_claim(&request, slot.as_ref(), now()).map_err(|r| r.situation)
    };
    assert_eq!(check(Some(snapshot())), Ok(()));
    assert_eq!(check(None), Err(Situation::ReferenceUnknown));
    let with = |change: fn(&mut SlotSnapshot)| {
        let mut slot = snapshot();
        change(&mut slot);
        check(Some(slot))
    };
    assert_eq!(
        with(|s| s.schedule = "other".to_owned()),
        Err(Situation::ReferenceUnknown)
    );
    assert_eq!(
        with(|s| s.id = "1b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01".to_owned()),
        Err(Situation::ReferenceUnknown)
    );
    assert_eq!(
        with(|s| s.start = "2031-03-04T09:20:00Z".parse().unwrap()),
        Err(Situation::NotConformant)
    );
    assert_eq!(
        with(|s| s.end = "2031-03-04T09:50:00Z".parse().unwrap()),
        Err(Situation::NotConformant)
    );
    assert_eq!(
        with(|s| s.status = SlotStatus::Busy),
        Err(Situation::SlotTaken)
    );
    assert_eq!(
        with(|s| s.status = SlotStatus::BusyUnavailable),
        Err(Situation::SlotTaken)
    );
    assert_eq!(with(|s| s.live_booking = true), Err(Situation::SlotTaken));
    let late = "2031-03-04T09:30:00Z".parse().unwrap();
    let refusal = check_claim(&request, Some(&snapshot()), late).unwrap_err();
    assert_eq!(refusal.situation, Situation::StateForbids);
    let unborn = accepted(|b| b["contained"][1]["birthDate"] = json!("2031-03-05"));
    let refusal = check_claim(&unborn, Some(&snapshot()), now()).unwrap_err();
    assert_eq!(
        expressions(&refusal),
        ["Appointment.contained[1].birthDate"]
    );
}

/// Proves: PROV-BOOK-08, PROV-BOOK-09, D-16, RES-GEN-02
#[test]
fn version_1_is_the_submission_with_what_the_server_sets() {
    let request = accepted(|b| {
        b["meta"]["versionId"] = json!("77");
        b["comment"] = json!("kept");
        b["unknownElement"] = json!("kept too");
    });
    let document = booked_document(&request, &ResourceId::parse("a-1").unwrap(), now(), None);
    assert_eq!(document.str_of("id"), Some("a-1"));
    assert_eq!(document.at("meta.versionId").unwrap().as_str(), Some("1"));
    assert_eq!(
        document.at("meta.lastUpdated").unwrap().as_str(),
        Some("2031-03-04T08:20:11.114+00:00")
    );
    assert_eq!(document.get("meta").unwrap().count("profile"), 1);
    assert_eq!(
        document.str_of("created"),
        Some("2031-03-04T08:20:11+00:00")
    );
    assert_eq!(document.str_of("status"), Some("booked"));
    assert_eq!(document.str_of("comment"), Some("kept"));
    assert_eq!(document.str_of("unknownElement"), Some("kept too"));
    let patient = document.all("contained").nth(1).unwrap();
    assert_eq!(
        patient.count("identifier"),
        1,
        "no local identifier beside an NHS number"
    );
    let slot = document.all("contained").nth(2).unwrap();
    assert_eq!(
        (slot.str_of("id"), slot.str_of("status")),
        (Some(SLOT), Some("busy"))
    );
    let names: Vec<&str> = document.children().iter().map(Element::name).collect();
    assert_eq!(names[..2], ["id", "meta"]);
}

/// Proves: PROV-BOOK-02
#[test]
fn the_identifier_leads_to_the_slot_and_the_id_is_the_fallback() {
    let request = accepted(|b| {
        b["contained"][2]["id"] = json!("slot002");
        b["slot"] = json!([{"reference": "#slot002"}]);
        b["contained"][2]["identifier"][0]["value"] = json!(SLOT.to_uppercase());
    });
    assert_eq!(request.slot.uuid().unwrap().to_string(), SLOT);
    assert!(check_claim(&request, Some(&snapshot()), now()).is_ok());
    let request = accepted(|b| b["contained"][2]["identifier"][0]["value"] = json!("not-a-uuid"));
    assert_eq!(request.slot.uuid().unwrap().to_string(), SLOT);
}

/// Proves: PROV-BOOK-04, D-48, RES-APPT-12
#[test]
fn a_booking_in_the_form_of_the_published_one_is_accepted() {
    let bytes = include_bytes!("../../../fhir/tests/data/forms/booking-request.json");
    let parsed = fhir::json::parse(bytes, &fhir::Limits::default()).unwrap();
    let request = BookingRequest::read(parsed).unwrap_or_else(|r| panic!("{r}"));
    assert_eq!(
        request.document.at("participant.status").unwrap().as_str(),
        Some("accepted")
    );
    assert!(
        request
            .faults
            .iter()
            .any(|f| f.expression == "Appointment.participant[0].status")
    );
}

/// Proves: RES-PAT-06, PROV-SLOT-04
#[test]
fn a_child_born_after_midnight_in_summer_is_not_of_tomorrow() {
    let mut message = booking();
    for (at, text) in [
        ("start", "2031-07-01T09:30:00Z"),
        ("end", "2031-07-01T09:40:00Z"),
    ] {
        message[at] = json!(text);
        message["contained"][2][at] = json!(text);
    }
    message["contained"][1]["birthDate"] = json!("2031-07-01");
    let request = read(&message).unwrap();
    let slot = SlotSnapshot {
        start: request.start,
        end: request.end,
        ..snapshot()
    };
    // 23:20 UTC is 00:20 in London.
    assert_eq!(
        check_claim(
            &request,
            Some(&slot),
            "2031-06-30T23:20:00Z".parse().unwrap()
        ),
        Ok(())
    );
    assert!(
        check_claim(
            &request,
            Some(&slot),
            "2031-06-30T22:20:00Z".parse().unwrap()
        )
        .is_err()
    );
}

/// Proves: PROV-GEN-14, RES-APPT-11, RES-APPT-16
#[test]
fn unknown_elements_and_extensions_are_ignored_and_kept() {
    let request = accepted(|b| {
        b["extension"] = json!([
            {"url": "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-DeliveryChannel-1",
             "valueCode": "Telephone"},
            {"url": "https://supplier.example.nhs.uk/extension", "valueString": "kept"}
        ]);
        b["incomingReferral"] = json!([{"reference": "ReferralRequest/1"}]);
        b["contained"][1]["colour"] = json!("green");
    });
    assert_eq!(request.document.count("extension"), 2);
    assert_eq!(request.document.count("incomingReferral"), 1);
    let patient = request.document.all("contained").nth(1).unwrap();
    assert_eq!(patient.str_of("colour"), Some("green"));
}
