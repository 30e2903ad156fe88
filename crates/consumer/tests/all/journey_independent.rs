//! The journey against a provider written by somebody else: XML only, no includes, unknown content, odd headers.

use super::journey_support::*;
use super::scripted::{Received, Reply, Scripted, say, say_with};
use consumer::journey::timeframe::{Confirmation, clear};
use consumer::journey::{Booking, Cancelled, Consultation, SlotSearch, Target};
use consumer::obstacle::Kind;
use consumer::slots::{Channel, FreeSlot, SlotList};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use std::io::Write;
use std::sync::{Arc, Mutex};

const XML: &str = "application/fhir+xml; charset=\"UTF-8\"";

/// An instant some hours from now, with an odd but legal offset.
fn ahead(hours: i64) -> String {
    let at = Timestamp::now() + SignedDuration::from_hours(hours);
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
    at.to_zoned(zone)
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

fn slot_xml(id: &str, status: &str, hours: i64) -> String {
    format!(
        "<entry><fullUrl value=\"urn:uuid:{id}\"/><resource><Slot xmlns=\"http://hl7.org/fhir\">\
         <id value=\"{id}\"/><futureElement value=\"kept out of the way\"><part><x value=\"1\"/></part></futureElement>\
         <extension url=\"https://vendor.example/ext\"><valueString value=\"?\"/></extension>\
         <schedule><reference value=\"urn:uuid:11111111-2222-4333-8444-555555555555\"/></schedule>\
         <status value=\"{status}\"/><start value=\"{}\"/><end value=\"{}\"/></Slot></resource></entry>",
        ahead(hours),
        ahead(hours + 1)
    )
}

fn bundle_xml(entries: &str, link: &str) -> String {
    format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- made elsewhere --><Bundle xmlns=\"http://hl7.org/fhir\">\
         <type value=\"searchset\"/>{link}{entries}</Bundle>"
    )
}

async fn slots(target: &Target) -> (Consultation, SlotList) {
    let journey = journey(CONSUMER, "FX900", None);
    let c = consultation(&journey).await;
    let list = c.slots(target, SlotSearch::soon()).await.unwrap();
    (c, list)
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    to.write_all(text.as_bytes()).unwrap();
    to.finish().unwrap()
}

/// What the independent provider stores.
#[derive(Default)]
struct Held {
    version: u32,
    appointment: Option<String>,
}

/// Books what it gets, answers in XML under legal but unusual headers, and checks a cancellation itself.
fn independent(
    held: Arc<Mutex<Held>>,
) -> impl Fn(&Received, usize) -> Reply + Send + Sync + 'static {
    move |seen, _| {
        let mut held = held.lock().unwrap();
        let answer = |status: u16, held: &Held, more: &[(&'static str, &str)]| {
            let mut headers = vec![("content-type", XML)];
            headers.extend_from_slice(more);
            say_with(
                status,
                &headers,
                held.appointment.clone().unwrap_or_default(),
            )
        };
        match (seen.method.as_str(), seen.path.rsplit('/').next()) {
            ("GET", Some("Slot")) => {
                let body = bundle_xml(
                    &slot_xml("6c8e2f10-aaaa-4bbb-8ccc-000000000001", "free", 3),
                    "",
                );
                say_with(
                    200,
                    &[("content-type", XML), ("content-encoding", "gzip")],
                    gzipped(&body),
                )
            }
            ("POST", Some("Appointment")) => {
                let parsed =
                    fhir::json::parse(seen.body.as_bytes(), &fhir::Limits::default()).unwrap();
                assert!(parsed.issues.is_empty(), "{:?}", parsed.issues);
                let xml = String::from_utf8(fhir::xml::write(&parsed.root)).unwrap();
                held.version = 1;
                let meta = "<id value=\"A.7\"/><meta><versionId value=\"1\"/>";
                held.appointment = Some(xml.replacen("<meta>", meta, 1).replacen(
                    "<status value=\"booked\"/>",
                    "<ownElement><deep value=\"x\"/></ownElement><status value=\"booked\"/>",
                    1,
                ));
                answer(
                    201,
                    &held,
                    &[
                        ("location", "Appointment/A.7/_history/1"),
                        ("etag", "\"1\""),
                    ],
                )
            }
            ("GET", Some("A.7")) => answer(200, &held, &[]),
            ("PUT", Some("A.7")) => {
                assert_eq!(seen.header("if-match"), "W/\"1\"");
                let sent = fhir::json::parse(seen.body.as_bytes(), &fhir::Limits::default())
                    .unwrap()
                    .root;
                let kept = held.appointment.clone().unwrap();
                let kept = fhir::xml::parse(kept.as_bytes(), &fhir::Limits::default())
                    .unwrap()
                    .root;
                assert_eq!(sent.str_of("status"), Some("cancelled"));
                let deep = sent.at("ownElement.deep").and_then(fhir::Element::as_str);
                assert_eq!(deep, Some("x"), "unknown content is sent back");
                assert_eq!(sent.count("contained"), kept.count("contained"));
                held.appointment = Some(String::from_utf8(fhir::xml::write(&sent)).unwrap());
                answer(200, &held, &[])
            }
            _ => say(404, ""),
        }
    }
}

/// Proves: CONS-REQ-01, CONS-REQ-02, CONS-REQ-03, CONS-REQ-05, CONS-REQ-06, CONS-REQ-07, CONS-SLOT-01, CONS-SLOT-02, CONS-SLOT-03, CONS-SLOT-04, CONS-SLOT-09, CONS-BOOK-03, CONS-CAN-02
/// The whole journey with an independent provider.
#[tokio::test]
async fn the_whole_journey_in_xml() {
    let provider = Scripted::start(independent(Arc::default())).await;
    let target = target(&provider.root, "2000000091");
    let (c, list) = slots(&target).await;
    assert_eq!(list.slots.len(), 1, "{:?}", list.faults);
    let slot = &list.slots[0];
    assert!(slot.channel.is_none() && slot.service.is_none() && slot.place.is_none());
    assert_eq!(slot.channel_shown(), "not supplied");
    assert_eq!(slot.minutes(), 60);

    let cleared = clear(c.encounter(), slot, Confirmation::default()).unwrap();
    let result = c
        .book(&target, slot, &details(Some(&nhs_number(1))), &cleared)
        .await
        .unwrap();
    let Booking::Booked(booked) = result else {
        panic!("{result:?}")
    };
    assert_eq!(booked.url, format!("{}/Appointment/A.7", provider.root));
    assert_eq!(booked.etag, "\"1\"", "a tag goes back as it came");
    let report = c.cancel(&booked.located().unwrap(), None).await.unwrap();
    assert!(
        matches!(report.outcome, Cancelled::Yes(_)),
        "{}",
        report.plain()
    );

    let seen = provider.seen();
    let search = &seen[0];
    assert!(
        search
            .query
            .starts_with("schedule.actor%3Ahealthcareservice=2000000091&start=le20")
    );
    assert!(
        search.query.contains("%2B00%3A00&start=ge20")
            && search
                .query
                .contains("&status=free&_include=Slot%3Aschedule")
    );
    assert_eq!(search.query.matches("_include=").count(), 6);
    let mut ids = std::collections::HashSet::new();
    for request in &seen {
        assert_eq!(request.header("ssp-from"), CONSUMER);
        assert_eq!(request.header("ssp-to"), PROVIDER);
        assert_eq!(
            request.header("accept"),
            "application/fhir+json;charset=utf-8"
        );
        assert!(request.header("accept-encoding").contains("gzip"));
        assert!(ids.insert(request.header("x-request-id").to_owned()));
        assert!(ids.insert(request.header("ssp-traceid").to_owned()));
        let token = request
            .header("authorization")
            .strip_prefix("Bearer ")
            .unwrap();
        let expect = booking::wire::token::Expectation {
            audience: &|aud| aud == provider.root,
            scope: match (request.method.as_str(), request.path.ends_with("/Slot")) {
                ("GET", true) => "organization/slot.read",
                ("GET", false) => "patient/appointment.read",
                _ => "patient/appointment.write",
            },
            other_scope: &|_| None,
            now: Timestamp::now(),
            tolerance_seconds: 5,
        };
        booking::wire::token::read_unsigned(token, &expect).unwrap();
    }
    let interactions: Vec<&str> = seen
        .iter()
        .map(|s| {
            s.header("ssp-interactionid")
                .rsplit("rest:")
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(
        interactions,
        [
            "search:slot",
            "create:appointment",
            "read:appointment",
            "update:appointment"
        ]
    );
    assert_eq!(
        seen[1].header("content-type"),
        "application/fhir+json;charset=utf-8"
    );
}

/// Proves: CONS-SLOT-04, CONS-SLOT-05, CONS-SLOT-06
/// References absolute, relative, as URN and by identifier; included resources on another page; busy slots,
/// strangers and broken entries are left out; pages are followed, loops are not.
#[tokio::test]
async fn pages_references_and_strangers() {
    let provider = Scripted::start(|seen, before| {
        let root = "/STU3/1/careconnect/booking";
        if before == 0 {
            let entries = format!(
                "{}{}<entry><resource><Basic xmlns=\"http://hl7.org/fhir\"><id value=\"b\"/></Basic></resource></entry>\
                 <entry><fullUrl value=\"x\"/></entry><entry><resource><Slot xmlns=\"http://hl7.org/fhir\"><id value=\"s\"/>\
                 <status value=\"free\"/><start value=\"tomorrow\"/></Slot></resource></entry>",
                slot_xml("6c8e2f10-aaaa-4bbb-8ccc-000000000002", "free", 5),
                slot_xml("6c8e2f10-aaaa-4bbb-8ccc-000000000003", "busy", 4),
            );
            let link = format!("<link><relation value=\"next\"/><url value=\"{root}/Slot?page=2\"/></link>");
            return say_with(200, &[("content-type", "text/plain")], bundle_xml(&entries, &link));
        }
        assert_eq!(seen.query, "page=2");
        let json = serde_json::json!({"resourceType": "Bundle", "type": "searchset", "total": 99,
            "link": [{"relation": "next", "url": "Slot?page=2"}],
            "entry": [
            {"resource": {"resourceType": "Slot", "id": "early", "status": "free", "start": ahead(2), "end": ahead(3),
                "extension": [{"url": "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-GPConnect-DeliveryChannel-2", "valueCode": "telephone"}],
                "schedule": {"reference": "https://elsewhere.example/r/Schedule/s9/_history/4"}}},
            {"fullUrl": "urn:uuid:11111111-2222-4333-8444-555555555555", "resource": {"resourceType": "Schedule",
                "actor": [{"reference": "Practitioner/p1"}, {"identifier": {"value": "2000000091"}}]}},
            {"fullUrl": "https://elsewhere.example/r/Schedule/s9", "resource": {"resourceType": "Schedule", "id": "s9",
                "actor": [{"reference": "HealthcareService/none", "display": "By its display"}, {"reference": "Location/l1", "display": "A room"}]}},
            {"resource": {"resourceType": "Practitioner", "id": "p1", "gender": "other", "name": [{"text": "Nurse on duty"}],
                "identifier": [{"system": "https://fhir.nhs.uk/Id/sds-role-profile-id", "value": "R1"}]}},
            {"resource": {"resourceType": "PractitionerRole", "id": "R1", "code": [{"coding": [{"code": "R0600", "display": "Nurse"}]}]}},
            {"resource": {"resourceType": "HealthcareService", "id": "h", "identifier": [{"value": "2000000091"}], "name": "Elsewhere",
                "location": [{"reference": "#gone"}], "providedBy": {"display": "Elsewhere Trust"}}}]});
        say_with(200, &[("content-type", "application/json")], json.to_string())
    })
    .await;
    let (_, list) = slots(&target(&provider.root, "2000000091")).await;
    let ids: Vec<&str> = list.slots.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["early", "6c8e2f10-aaaa-4bbb-8ccc-000000000002"]);
    assert!(list.cut_off, "the last page links to itself");
    let early = &list.slots[0];
    assert_eq!(early.channel, Some(Channel::Telephone));
    assert_eq!(early.service, Some("By its display".into()));
    assert_eq!(early.place.as_ref().unwrap().name, Some("A room".into()));
    assert_eq!(early.claim.schedule.as_deref(), Some("s9"));
    let other = &list.slots[1];
    assert_eq!(other.service, Some("Elsewhere".into()));
    assert_eq!(other.organization, Some("Elsewhere Trust".into()));
    let clinician = other.clinician.as_ref().unwrap();
    assert_eq!(clinician.name, Some("Nurse on duty".into()));
    assert_eq!(clinician.role, Some("Nurse".into()));
    assert_eq!(
        other.claim.schedule.as_deref(),
        Some("11111111-2222-4333-8444-555555555555")
    );
    assert_eq!(list.faults.len(), 3, "{:?}", list.faults);
    assert!(provider.seen().len() <= 20);
}

fn slot_json() -> String {
    serde_json::json!({"resourceType": "Bundle", "type": "searchset", "entry": [
        {"resource": {"resourceType": "Slot", "id": "s1", "status": "free", "start": ahead(2), "end": ahead(3),
            "identifier": [{"system": "https://tools.ietf.org/html/rfc4122", "value": "6c8e2f10-aaaa-4bbb-8ccc-000000000009"}],
            "schedule": {"reference": "Schedule/x"}}}]})
    .to_string()
}

async fn one_slot(c: &Consultation, target: &Target) -> FreeSlot {
    c.slots(target, SlotSearch::soon())
        .await
        .unwrap()
        .slots
        .remove(0)
}

async fn try_book(
    provider: &Scripted,
    nhs: Option<&str>,
) -> Result<Booking, consumer::obstacle::Obstacle> {
    let target = target(&provider.root, "2000000091");
    let journey = journey(CONSUMER, "FX900", None);
    let c = consultation(&journey).await;
    let slot = one_slot(&c, &target).await;
    let cleared = clear(c.encounter(), &slot, Confirmation::default()).unwrap();
    c.book(&target, &slot, &details(nhs), &cleared).await
}

/// Answers bookings by the script, and reads of any appointment with the booking that came last.
async fn posts(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Scripted {
    let posted = Mutex::new(String::new());
    Scripted::start(move |seen, before| match seen.method {
        Method::POST => {
            posted.lock().unwrap().clone_from(&seen.body);
            script(before)
        }
        _ if seen.path.ends_with("/Slot") => say(200, slot_json()),
        _ => match seen.path.split_once("/Appointment/") {
            Some((_, id)) => say(200, stored(&posted.lock().unwrap(), id)),
            None => say(404, ""),
        },
    })
    .await
}

/// A booking, in JSON or XML, as it is stored.
fn stored(posted: &str, id: &str) -> String {
    let limits = fhir::Limits::default();
    let parsed = match posted.starts_with('<') {
        true => fhir::xml::parse(posted.as_bytes(), &limits),
        false => fhir::json::parse(posted.as_bytes(), &limits),
    };
    let bytes = fhir::json::write(&parsed.unwrap().root);
    let mut value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    value["id"] = id.into();
    value["meta"]["versionId"] = "1".into();
    value.to_string()
}

/// Proves: CONS-REQ-03, CONS-BOOK-05, CONS-ERR-04
/// What may pass is sent again as it was, byte for byte and under the same id, three times at most; what will not
/// pass is sent once.
#[tokio::test]
async fn repeats_are_identical_and_bounded() {
    for status in [429, 502, 503, 504, 599] {
        let provider = posts(move |_| say(status, "<html>gone</html>")).await;
        let result = try_book(&provider, None).await;
        // Nobody said that a Provider wrote the 429 either (D-62).
        assert!(matches!(result, Ok(Booking::Unknown { .. })), "{status}");
        let sent = provider.by(Method::POST);
        assert_eq!(sent.len(), 3, "{status}");
        for again in &sent[1..] {
            assert_eq!(
                (&again.body, &again.headers),
                (&sent[0].body, &sent[0].headers)
            );
        }
    }
    for status in [400, 403, 404, 405, 422] {
        let body = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","diagnostics":"No."}]}"#;
        let provider = posts(move |_| say(status, body)).await;
        let obstacle = try_book(&provider, None).await.unwrap_err();
        assert!(obstacle.plain.contains("Nothing was booked"), "{status}");
        assert!(
            !obstacle.plain.contains("No.") && obstacle.noted("answer").unwrap().contains("No.")
        );
        assert_eq!(provider.by(Method::POST).len(), 1, "{status}");
    }
}

/// Proves: NAT-SSP-06
/// `Retry-After` is waited for when it is short, and ends the tries when it is long.
#[tokio::test]
async fn retry_after_is_honoured_within_bounds() {
    let provider = posts(|before| match before {
        0 => say_with(503, &[("retry-after", "1")], ""),
        _ => say_with(
            201,
            &[("location", "/STU3/1/careconnect/booking/Appointment/z")],
            "",
        ),
    })
    .await;
    let begun = std::time::Instant::now();
    assert!(matches!(
        try_book(&provider, None).await,
        Ok(Booking::Booked(_))
    ));
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1));
    let provider = posts(|_| {
        let body = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"throttled"}]}"#;
        say_with(429, &[("retry-after", "3600")], body)
    })
    .await;
    assert_eq!(
        try_book(&provider, None).await.unwrap_err().kind,
        Kind::Overloaded
    );
    assert_eq!(provider.by(Method::POST).len(), 1);
}

/// Proves: CONS-BOOK-05
/// 409 to a repeat names the appointment in a sentence only, or says nothing and cannot be read.
#[tokio::test]
async fn conflicts_after_a_lost_answer() {
    let provider = posts(|before| match before {
        0 => Reply::Cut,
        _ => say(
            409,
            r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"duplicate","diagnostics":"Used before for /x/Appointment/q-1/_history/1."}]}"#,
        ),
    })
    .await;
    let Ok(Booking::Booked(booked)) = try_book(&provider, None).await else {
        panic!("not recovered")
    };
    assert!(booked.url.ends_with("/x/Appointment/q-1"), "{}", booked.url);
    assert!(booked.recovered);
    let provider = posts(|before| {
        if before == 0 {
            Reply::Cut
        } else {
            say(409, "")
        }
    })
    .await;
    assert!(matches!(
        try_book(&provider, Some(&nhs_number(2))).await,
        Ok(Booking::Unknown { .. })
    ));
}

/// Proves: CONS-BOOK-04, ERR-15
/// Taken, in the words of the Standard or of its older error table; without those words a slot that is still free is not
/// said to be taken, and what may be a repeat is not certain.
#[tokio::test]
async fn slot_taken_in_other_words() {
    let outcome = |code: &str, text: &str| {
        serde_json::json!({"resourceType": "OperationOutcome",
            "issue": [{"severity": "error", "code": code, "diagnostics": text}]})
        .to_string()
    };
    for (status, body, ends) in [
        (
            422,
            outcome("processing", "Slot no longer available"),
            "taken",
        ),
        (
            409,
            outcome("conflict", "Slot no longer available"),
            "taken",
        ),
        (422, outcome("processing", "?"), "refused"),
        (409, outcome("duplicate", "?"), "unknown"),
        (422, "not FHIR".to_owned(), "unknown"),
        (409, "not FHIR".to_owned(), "unknown"),
    ] {
        let told = body.clone();
        let provider = posts(move |_| say(status, told.clone())).await;
        let came = match try_book(&provider, None).await {
            Ok(Booking::SlotTaken { .. }) => "taken",
            Ok(Booking::Unknown { .. }) => "unknown",
            Ok(Booking::Booked(_)) => "booked",
            Err(_) => "refused",
        };
        assert_eq!(came, ends, "{status} {body}");
    }
}

/// Proves: CONS-BOOK-03
/// A booking is what was read, where the 201 has no readable body; what names no appointment is not certain.
#[tokio::test]
async fn only_201_is_a_booking() {
    let located = [("location", "Appointment/9")];
    let provider = posts(move |_| say_with(201, &located, "{ broken")).await;
    assert!(matches!(
        try_book(&provider, None).await,
        Ok(Booking::Booked(_))
    ));
    let provider = posts(|_| {
        say(
            201,
            r#"{"resourceType":"Appointment","id":"b-1","meta":{"versionId":"3"}}"#,
        )
    })
    .await;
    let Ok(Booking::Booked(booked)) = try_book(&provider, None).await else {
        panic!("not booked")
    };
    assert_eq!(
        (booked.appointment.as_str(), booked.etag.as_str()),
        ("b-1", "W/\"1\"")
    );
    for reply in [200, 201, 202] {
        let provider = posts(move |_| say(reply, "")).await;
        assert!(
            matches!(try_book(&provider, None).await, Ok(Booking::Unknown { .. })),
            "{reply}"
        );
    }
}

/// Proves: CONS-REQ-05
/// A provider that takes bodies in XML only gets the booking in XML, as a request of its own.
#[tokio::test]
async fn a_body_in_xml_after_415() {
    let posted = Mutex::new(String::new());
    let provider = Scripted::start(move |seen, _| match seen.method {
        Method::POST if seen.header("content-type").contains("xml") => {
            posted.lock().unwrap().clone_from(&seen.body);
            let parsed = fhir::xml::parse(seen.body.as_bytes(), &fhir::Limits::default()).unwrap();
            assert!(parsed.issues.is_empty(), "{:?}", parsed.issues);
            assert!(booking::appointment::BookingRequest::read(parsed).is_ok());
            say_with(201, &[("location", "Appointment/x")], "")
        }
        Method::POST => say(415, ""),
        _ if seen.path.ends_with("/Appointment/x") => {
            say(200, stored(&posted.lock().unwrap(), "x"))
        }
        _ => say(200, slot_json()),
    })
    .await;
    assert!(matches!(
        try_book(&provider, Some(&nhs_number(3))).await,
        Ok(Booking::Booked(_))
    ));
    let sent = provider.by(Method::POST);
    assert_ne!(
        sent[0].header("x-request-id"),
        sent[1].header("x-request-id")
    );
}

/// Proves: CONS-ERR-01, CONS-SLOT-04
/// Answers without end, without sense or that never come do not hang or harm a search.
#[tokio::test]
async fn hostile_answers_end_in_an_obstacle() {
    let endless = format!(
        "{{\"resourceType\":\"Bundle\",\"entry\":[{}]}}",
        "{},".repeat(6_000_000)
    );
    for (body, kind) in [
        (endless, Kind::ProviderUnreadable),
        ("[".repeat(100_000), Kind::ProviderUnreadable),
        (
            "{\"resourceType\":\"Patient\"}".to_owned(),
            Kind::ProviderUnreadable,
        ),
        (String::new(), Kind::ProviderUnreadable),
    ] {
        let provider = Scripted::start(move |_, _| say(200, body.clone())).await;
        let journey = journey(CONSUMER, "FX900", None);
        let c = consultation(&journey).await;
        let found = c
            .slots(&target(&provider.root, "2000000091"), SlotSearch::soon())
            .await;
        assert_eq!(found.unwrap_err().kind, kind);
    }
    let provider = Scripted::start(|_, _| {
        Reply::Late(std::time::Duration::from_secs(60), Box::new(say(200, "")))
    })
    .await;
    let quick = consumer::transport::Policy {
        attempt: std::time::Duration::from_millis(100),
        ..policy()
    };
    let journey = journey_with(CONSUMER, "FX900", None, quick);
    let c = consultation(&journey).await;
    let found = c
        .slots(&target(&provider.root, "2000000091"), SlotSearch::soon())
        .await;
    assert_eq!(found.unwrap_err().kind, Kind::ProviderSilent);
}
