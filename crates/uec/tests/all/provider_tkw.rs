//! Every test of NHS Digital's conformance simulator that asserts something real about a Provider
//! (`docs/standard/assurance.md`, section 4, class R), as a black-box test named after it.

use super::support;
use serde_json::{Value, json};

use super::support::server::{INCLUDES, entries, matches};
use super::support::{
    Booking, Call, GP_CLINIC, NO_SLOTS, Response, SLOTS_ONLY, Server, to_xml, uuid,
};

const JSON: &str = "application/fhir+json;charset=utf-8";
const XML: &str = "application/fhir+xml;charset=utf-8";

#[track_caller]
fn is_capability(response: &Response, media: &str) {
    assert_eq!(response.header("content-type"), Some(media));
    assert_eq!(response.root(), "CapabilityStatement");
}

#[track_caller]
fn has_slots(response: &Response) -> Value {
    assert_eq!(response.header("content-type"), Some(JSON));
    let bundle = response.json();
    assert_eq!(bundle["resourceType"], "Bundle");
    assert!(
        bundle["total"].as_u64().is_some_and(|total| total > 0),
        "total > 0"
    );
    bundle
}

/// What every booking of the simulator is checked for.
#[track_caller]
fn is_booked(call: &Call, response: &Response) -> Value {
    let body = response.json();
    assert_eq!(body["resourceType"], "Appointment");
    assert_eq!(body["status"], "booked");
    assert!(body["id"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(response.header("x-correlation-id"), call.request_id());
    let location = response.header("location").expect("Location");
    assert!(
        location.starts_with("https://") && location.contains("/Appointment/"),
        "{location}"
    );
    body
}

/// Proves: Capability_xml_accept, PROV-GEN-07
#[test]
fn capability_xml_accept() {
    let call = Server::shared(module_path!())
        .metadata()
        .with("Accept", "application/fhir+xml");
    is_capability(&call.expect(200), XML);
}

/// Proves: Capability_json_accept, P8, P9, PROV-GEN-07
#[test]
fn capability_json_accept() {
    let call = Server::shared(module_path!())
        .metadata()
        .with("Accept", "application/fhir+json");
    is_capability(&call.expect(200), JSON);
}

fn metadata_with(query: &str) -> Call {
    let call = Server::shared(module_path!()).metadata();
    let target = format!("{}?{query}", call.target);
    call.target(&target)
}

/// Proves: Capability_xml_parameter
#[test]
fn capability_xml_parameter() {
    is_capability(
        &metadata_with("_format=application/fhir%2Bxml").expect(200),
        XML,
    );
}

/// Proves: Capability_json_parameter
#[test]
fn capability_json_parameter() {
    is_capability(
        &metadata_with("_format=application/fhir%2Bjson").expect(200),
        JSON,
    );
}

/// Proves: Capability_xml_parameter_json_accept, PROV-GEN-08
#[test]
fn capability_xml_parameter_json_accept() {
    let call =
        metadata_with("_format=application/fhir%2Bxml").with("Accept", "application/fhir+json");
    is_capability(&call.expect(200), XML);
}

/// Proves: Capability_json_parameter_xml_accept, PROV-GEN-08
#[test]
fn capability_json_parameter_xml_accept() {
    let call =
        metadata_with("_format=application/fhir%2Bjson").with("Accept", "application/fhir+xml");
    is_capability(&call.expect(200), JSON);
}

/// Proves: Capability_xml_accept_gzip, PROV-GEN-13
#[test]
fn capability_xml_accept_gzip() {
    let call = Server::shared(module_path!())
        .metadata()
        .with("Accept", "application/fhir+xml");
    let response = call.with("Accept-Encoding", "gzip").expect(200);
    assert!(response.was_gzipped);
    is_capability(&response, XML);
}

/// Proves: SFFSWithValidParameters_parameter_json
#[test]
fn sffs_with_valid_parameters_parameter_json() {
    let query = format!(
        "{}&_format=application/fhir%2Bjson",
        Server::full_query(GP_CLINIC)
    );
    has_slots(&Server::shared(module_path!()).search(&query).expect(200));
}

/// Proves: SFFSWithValidParameters_header_json
#[test]
fn sffs_with_valid_parameters_header_json() {
    let call = Server::shared(module_path!()).search(&Server::full_query(GP_CLINIC));
    has_slots(&call.with("Accept", "application/fhir+json").expect(200));
}

/// Proves: SFFSWithValidParameters_parameter_xml, P14, P18, PROV-SLOT-05
#[test]
fn sffs_with_valid_parameters_parameter_xml() {
    let query = format!(
        "{}&_format=application/fhir%2Bxml",
        Server::full_query(GP_CLINIC)
    );
    let response = Server::shared(module_path!()).search(&query).expect(200);
    assert_eq!(response.header("content-type"), Some(XML));
    let text = response.text();
    let document = booking::bounded_xml::parse(&text, booking::bounded_xml::Bounds::nodes(100_000))
        .expect("XML");
    let value = |node: &roxmltree::Node, name: &str| {
        let child = node
            .children()
            .find(|child| child.has_tag_name(("http://hl7.org/fhir", name)));
        child
            .and_then(|child| child.attribute("value"))
            .map(str::to_owned)
    };
    let slots: Vec<_> = document
        .descendants()
        .filter(|n| n.has_tag_name(("http://hl7.org/fhir", "Slot")))
        .collect();
    assert!(!slots.is_empty());
    let total = value(&document.root_element(), "total").expect("total");
    assert_eq!(total, slots.len().to_string());
    let bounds = [support::server::day(1), support::server::day(5)]
        .map(|text| parse_instant(&text.replace("%3A", ":").replace("%2B", "+")));
    for slot in &slots {
        assert_eq!(value(slot, "status").as_deref(), Some("free"));
        let start = parse_instant(&value(slot, "start").expect("start"));
        assert!(
            bounds[0] <= start && start <= bounds[1],
            "{start} within the window"
        );
    }
}

fn parse_instant(text: &str) -> jiff::Timestamp {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Proves: SFFSWithValidParameters_header_xml
#[test]
fn sffs_with_valid_parameters_header_xml() {
    let call = Server::shared(module_path!()).search(&Server::full_query(GP_CLINIC));
    let response = call.with("Accept", "application/fhir+xml").expect(200);
    assert_eq!(response.header("content-type"), Some(XML));
    assert_eq!(response.root(), "Bundle");
    assert!(!response.text().contains("<total value=\"0\"/>"));
}

/// Proves: SFFSWithValidParameters_JWT_NoPractitioner, NAT-JWT-11
#[test]
fn sffs_with_valid_parameters_jwt_no_practitioner() {
    let server = Server::shared(module_path!());
    let token = server
        .token("organization/slot.read")
        .claim("requesting_practitioner", Value::Null);
    let call = server
        .search(&Server::full_query(GP_CLINIC))
        .with("Authorization", &token.bearer());
    let bundle = has_slots(&call.expect(200));
    assert!(matches(&bundle).iter().all(|slot| slot["status"] == "free"));
}

/// Proves: SFFSWithValidParameters_3_days, P23
#[test]
fn sffs_with_valid_parameters_3_days() {
    let query = format!("{}{INCLUDES}", Server::window_query(GP_CLINIC, 1, 4));
    has_slots(&Server::shared(module_path!()).search(&query).expect(200));
}

/// Proves: SFFSWithValidParameters_includes, P11, P12, P13, P19, P20, P21, P22, PROV-SLOT-16, PROV-SLOT-17, RES-SCH-02, RES-PRA-01, RES-ROL-01, RES-ORG-01
#[test]
fn sffs_with_valid_parameters_includes() {
    let bundle = has_slots(
        &Server::shared(module_path!())
            .search(&Server::full_query(GP_CLINIC))
            .expect(200),
    );
    let included = entries(&bundle, "include");
    let of = |kind: &str| -> Vec<&Value> {
        included
            .iter()
            .filter(|r| r["resourceType"] == kind)
            .collect()
    };
    let has = |kind: &str, id: &str| of(kind).iter().any(|r| r["id"] == id);
    assert!(of("Schedule").len() >= 2, "the clinic has two schedules");
    assert!(
        !of("Practitioner").is_empty(),
        "the clinic names its practitioners"
    );
    for schedule in of("Schedule") {
        let actors: Vec<&str> = schedule["actor"]
            .as_array()
            .expect("actor")
            .iter()
            .map(|actor| actor["reference"].as_str().expect("a relative reference"))
            .collect();
        assert!((1..=3).contains(&actors.len()), "{actors:?}");
        let services = actors
            .iter()
            .filter(|r| r.starts_with("HealthcareService/"))
            .count();
        assert_eq!(services, 1, "{actors:?}");
        for actor in actors {
            let (kind, id) = actor.split_once('/').expect("Type/id");
            assert!(has(kind, id), "{actor} is in the Bundle");
        }
    }
    for practitioner in of("Practitioner") {
        let identifiers = practitioner["identifier"].as_array().expect("identifier");
        let roles: Vec<&str> = identifiers
            .iter()
            .filter(|i| i["system"] == "https://fhir.nhs.uk/Id/sds-role-profile-id")
            .filter_map(|i| i["value"].as_str())
            .collect();
        assert_eq!(roles.len(), 1, "one role profile: {practitioner}");
        assert!(
            has("PractitionerRole", roles[0]),
            "PractitionerRole/{} is in the Bundle",
            roles[0]
        );
    }
    for service in of("HealthcareService") {
        let organisation = service["providedBy"]["reference"]
            .as_str()
            .expect("providedBy");
        assert!(has(
            "Organization",
            organisation.trim_start_matches("Organization/")
        ));
    }
    let (organisations, services) = (of("Organization").len(), of("HealthcareService").len());
    assert_eq!(
        organisations, services,
        "one HealthcareService for each Organization"
    );
}

/// Proves: SFFSWithValidParameters_includes_slots_only, PROV-SLOT-09
#[test]
fn sffs_with_valid_parameters_includes_slots_only() {
    let bundle = has_slots(
        &Server::shared(module_path!())
            .search(&Server::full_query(SLOTS_ONLY))
            .expect(200),
    );
    let included = entries(&bundle, "include");
    for kind in [
        "Practitioner",
        "PractitionerRole",
        "Location",
        "Organization",
    ] {
        assert!(
            included.iter().all(|r| r["resourceType"] != kind),
            "{kind} is not held"
        );
    }
}

/// Proves: SFFSNoSlots_HappyPath, PROV-SLOT-14
#[test]
fn sffs_no_slots_happy_path() {
    let bundle = Server::shared(module_path!())
        .search(&Server::full_query(NO_SLOTS))
        .expect(200)
        .json();
    assert_eq!(bundle["total"], 0);
    assert_eq!(bundle.get("entry"), None);
}

/// Proves: SFFSInvalid, PROV-SLOT-11
#[test]
fn sffs_invalid() {
    let query = Server::full_query(GP_CLINIC).replacen("start=ge", "startXXXXXXX=ge", 1);
    Server::shared(module_path!()).search(&query).expect(400);
}

/// Proves: SFFSForbidden, P3, P4, NAT-JWT-04, NAT-JWT-08
#[test]
fn sffs_forbidden() {
    let server = Server::shared(module_path!());
    let search = server.search(&Server::full_query(GP_CLINIC));
    let scope = "organization/slot.read";
    let elsewhere = server.token(scope).claim("aud", json!("notanendpoint"));
    search
        .clone()
        .with("Authorization", &elsewhere.bearer())
        .expect(403);
    let other_scope = server.token("patient/appointment.write");
    search
        .with("Authorization", &other_scope.bearer())
        .expect(403);
}

/// Proves: SFFSWrongMethod, PROV-INT-09
#[test]
fn sffs_wrong_method() {
    let call = Server::shared(module_path!())
        .search(&Server::full_query(GP_CLINIC))
        .method("POST")
        .body("");
    let response = call.expect(405);
    let allowed = response.header("allow").expect("Allow");
    assert!(
        allowed.contains("GET") && !allowed.contains("POST"),
        "{allowed}"
    );
}

#[track_caller]
fn answers_a_bundle(query: &str) -> Value {
    let bundle = Server::shared(module_path!())
        .search(query)
        .expect(200)
        .json();
    assert_eq!(bundle["resourceType"], "Bundle");
    bundle
}

/// Proves: SFFSWithBusySlots, PROV-SLOT-07
#[test]
fn sffs_with_busy_slots() {
    let (booking, _) = Server::shared(module_path!()).booked();
    let bundle =
        answers_a_bundle(&Server::window_query(GP_CLINIC, 1, 14).replace("=free", "=busy"));
    let busy = matches(&bundle);
    assert!(busy.iter().all(|slot| slot["status"] == "busy"));
    assert!(
        busy.iter()
            .any(|slot| slot["start"] == booking.body()["start"])
    );
}

/// Proves: SFFSWithNoIncludes
#[test]
fn sffs_with_no_includes() {
    let bundle = answers_a_bundle(&Server::window_query(GP_CLINIC, 1, 5));
    assert!(entries(&bundle, "include").is_empty());
}

/// Proves: SFFSWithNoIncludesSlotsOnly
#[test]
fn sffs_with_no_includes_slots_only() {
    let bundle = answers_a_bundle(&Server::window_query(SLOTS_ONLY, 1, 5));
    assert!(entries(&bundle, "include").is_empty());
    assert!(!matches(&bundle).is_empty());
}

/// Proves: SFFSWithFreeAndBusySlots, PROV-SLOT-07
#[test]
fn sffs_with_free_and_busy_slots() {
    Server::shared(module_path!()).booked();
    let query = Server::window_query(GP_CLINIC, 1, 14).replace("=free", "=free%2Cbusy");
    let slots = matches(&answers_a_bundle(&query));
    for status in ["free", "busy"] {
        assert!(
            slots.iter().any(|slot| slot["status"] == status),
            "{status} slots are there"
        );
    }
}

/// Proves: SFFSWithFreeSlotsWithRevIncludes, PROV-SLOT-10
#[test]
fn sffs_with_free_slots_with_rev_includes() {
    let revincludes = INCLUDES.replace("_include", "_revinclude");
    let bundle = answers_a_bundle(&format!(
        "{}{revincludes}",
        Server::window_query(GP_CLINIC, 1, 5)
    ));
    assert!(
        entries(&bundle, "include").is_empty(),
        "_revinclude is ignored"
    );
}

/// Proves: SFFSWithFreeSlotsWithGzipEncoding, PROV-GEN-13
#[test]
fn sffs_with_free_slots_with_gzip_encoding() {
    let call = Server::shared(module_path!()).search(&Server::full_query(GP_CLINIC));
    let response = call.with("Accept-Encoding", "gzip").expect(200);
    assert!(response.was_gzipped);
    has_slots(&response);
}

/// Proves: BookAppointment_HappyPath, P25, P26, PROV-INT-03, PROV-HDR-11, PROV-HDR-15
#[test]
fn book_appointment_happy_path() {
    let server = Server::shared(module_path!());
    let call = server.book(&Booking::of(&server.take_slot()).body());
    is_booked(&call, &call.expect(201));
}

/// Proves: BookAppointment_NoNHSNumber, PROV-BOOK-05, D-17
#[test]
fn book_appointment_no_nhs_number() {
    let server = Server::shared(module_path!());
    let booking = Booking::of(&server.take_slot())
        .without_nhs_number()
        .with("/patient/contact", Value::Null);
    let call = server.book(&booking.body());
    let response = call.expect(201);
    is_booked(&call, &response);
    // TKW validates the answer too: an identifier of a Patient is an NHS number with its extension, or not there.
    let stored = response.json();
    let patient = support::messages::contained(&stored, "Patient");
    assert_eq!(patient.get("identifier"), None);
}

/// Proves: BookAppointment_TelecomAndContact, PROV-BOOK-06
#[test]
fn book_appointment_telecom_and_contact() {
    let server = Server::shared(module_path!());
    let booking = Booking::of(&server.take_slot());
    let patient = support::messages::contained(&booking.body(), "Patient").clone();
    assert_eq!(
        (
            &patient["telecom"][0]["rank"],
            &patient["contact"][0]["telecom"][0]["rank"]
        ),
        (&json!(1), &json!(2))
    );
    let call = server.book(&booking.body());
    is_booked(&call, &call.expect(201));
}

/// Proves: BookAppointment_Contact, PROV-BOOK-06
#[test]
fn book_appointment_contact() {
    let server = Server::shared(module_path!());
    let booking = Booking::of(&server.take_slot())
        .with("/patient/telecom", Value::Null)
        .with("/patient/contact/0/telecom/0/rank", json!(1));
    let call = server.book(&booking.body());
    is_booked(&call, &call.expect(201));
}

/// Proves: BookAppointment_HappyPathWithGzip, PROV-GEN-13
#[test]
fn book_appointment_happy_path_with_gzip() {
    let server = Server::shared(module_path!());
    let call = server.book(&Booking::of(&server.take_slot()).body());
    let call = call.with("Accept-Encoding", "gzip").gzipped();
    let response = call.expect(201);
    assert!(response.was_gzipped);
    is_booked(&call, &response);
}

/// Proves: BookAppointment_SlotAlreadyBooked, P29, PROV-BOOK-03, ERR-15
#[test]
fn book_appointment_slot_already_booked() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    server.book(&Booking::of(&slot).body()).expect(201);
    let outcome = server.book(&Booking::of(&slot).body()).expect(422).json();
    let expected = json!([{
        "severity": "error", "code": "processing",
        "details": {"coding": [{"system": "http://hl7.org/fhir/issue-type", "code": "processing",
            "display": "Processing Failure"}]},
        "diagnostics": "Slot no longer available"
    }]);
    assert_eq!(outcome["issue"], expected);
}

/// Proves: BookAppointment_HappyPathWithResentRequestID, PROV-BOOK-11, ERR-11
#[test]
fn book_appointment_happy_path_with_resent_request_id() {
    let server = Server::shared(module_path!());
    let first = server.book(&Booking::of(&server.take_slot()).body());
    first.expect(201);
    let second = server.book(&Booking::of(&server.take_slot()).body());
    let second = second
        .with("X-Request-ID", first.request_id().expect("id"))
        .gzipped();
    let outcome = second.with("Accept-Encoding", "gzip").expect(409).json();
    assert_eq!(outcome["issue"][0]["code"], "duplicate");
}

/// Proves: BookAppointment_TwoRank1, ERR-05, RES-RANK-02
#[test]
fn book_appointment_two_rank_1() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    let booking = Booking::of(&slot).with("/patient/contact/0/telecom/0/rank", json!(1));
    server.book(&booking.body()).expect(400);
    server.book(&Booking::of(&slot).body()).expect(201);
}

/// Proves: BookAppointment_NoRank1, ERR-05, RES-RANK-02
#[test]
fn book_appointment_no_rank_1() {
    let server = Server::shared(module_path!());
    let booking = Booking::of(&server.take_slot()).with("/patient/telecom/0/rank", json!(2));
    server.book(&booking.body()).expect(400);
}

/// Proves: BookAppointment_Invalid, PROV-GEN-14, ERR-04
#[test]
fn book_appointment_invalid() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    let ordered = to_xml(&Booking::of(&slot).body());
    let language = "<language value=\"en-GB\"/>";
    let disordered = ordered.replacen(language, "", 1);
    let disordered = disordered.replace("</Appointment>", &format!("{language}</Appointment>"));
    let response = server.book(&json!({})).xml(&disordered).expect(400);
    assert!(response.is_xml(), "an XML request is answered in XML");
    // The same message in order is fine, so it was the order.
    server.book(&json!({})).xml(&ordered).expect(201);
}

/// Proves: BookAppointment_Forbidden, PROV-HDR-01, ERR-06
#[test]
fn book_appointment_forbidden() {
    let server = Server::shared(module_path!());
    let body = to_xml(&Booking::of(&server.take_slot()).body());
    let response = server
        .book(&json!({}))
        .xml(&body)
        .without("Authorization")
        .expect(403);
    assert!(response.is_xml());
}

/// Proves: BookAppointment_UnsupportedMediaType, PROV-GEN-11, ERR-14
#[test]
fn book_appointment_unsupported_media_type() {
    let server = Server::shared(module_path!());
    let body = to_xml(&Booking::of(&server.take_slot()).body());
    server
        .book(&json!({}))
        .xml(&body)
        .with("Content-Type", "application/xml")
        .expect(415);
}

/// Proves: ReadNonExistentAppointment, ERR-09
#[test]
fn read_non_existent_appointment() {
    let call = Server::shared(module_path!())
        .read(&uuid())
        .with("Accept", "application/fhir+xml");
    assert!(call.expect(404).is_xml());
}

/// Proves: CancelAppointment_HappyPath, P31, PROV-CAN-02, PROV-CAN-05, PROV-INT-07
#[test]
fn cancel_appointment_happy_path() {
    let server = Server::shared(module_path!());
    let (booking, created) = server.booked();
    let id = created.location_id();
    let read = server.read(&id).expect(200);
    let etag = read.header("etag").expect("ETag").to_owned();
    let call = server.cancel(&id, &etag, &booking.cancelled(&read.json()));
    // The simulator sends a Location with its PUT.
    let call = call.with("Location", created.header("location").expect("Location"));
    let response = call.expect(200);
    assert_eq!(response.root(), "Appointment");
    assert_eq!(response.json()["status"], "cancelled");
    assert_eq!(response.header("x-correlation-id"), call.request_id());
    assert!(response.header("last-modified").is_some());
    assert!(response.header("etag").is_some_and(|new| new != etag));
}

/// Proves: CancelAppointment_DifferencesDetected, ERR-19
#[test]
fn cancel_appointment_differences_detected() {
    let server = Server::shared(module_path!());
    let (booking, created) = server.booked();
    let stored = created.json();
    let changed = booking.with("/patient/name/0/family", json!("Otherwise"));
    let body = changed.cancelled(&stored);
    let response = server
        .cancel(&created.location_id(), "W/\"1\"", &body)
        .expect(422);
    assert!(
        response.text().contains("family"),
        "names the path: {}",
        response.shown()
    );
}

/// Proves: CancelAppointment_VersionConflict, PROV-CAN-03, PROV-CAN-04, ERR-12
#[test]
fn cancel_appointment_version_conflict() {
    let server = Server::shared(module_path!());
    let (booking, created) = server.booked();
    let body = booking
        .with("/patient/name/0/family", json!("Otherwise"))
        .cancelled(&created.json());
    for odd in ["W/\"99\"", "W/\"\"99\"\"", "\"W/99\""] {
        let response = server
            .cancel(&created.location_id(), odd, &body)
            .expect(409);
        assert_eq!(response.json()["issue"][0]["code"], "conflict", "{odd}");
    }
}

/// Proves: CancelAppointment_If-MatchHeaderMissing, PROV-CAN-03, PROV-CAN-04, ERR-13
#[test]
fn cancel_appointment_if_match_header_missing() {
    let server = Server::shared(module_path!());
    let (booking, created) = server.booked();
    let body = booking
        .with("/patient/name/0/family", json!("Otherwise"))
        .cancelled(&created.json());
    server
        .cancel(&created.location_id(), "", &body)
        .without("If-Match")
        .expect(412);
}

/// Proves: CancelAppointment_Forbidden
#[test]
fn cancel_appointment_forbidden() {
    let server = Server::shared(module_path!());
    let (booking, created) = server.booked();
    let body = booking.cancelled(&created.json());
    server
        .cancel(&created.location_id(), "W/\"1\"", &body)
        .without("Authorization")
        .expect(403);
    assert_eq!(
        server.read(&created.location_id()).expect(200).json()["status"],
        "booked"
    );
}
