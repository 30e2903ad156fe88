//! What happens when an appointment changes under a cancellation, and when an own lost attempt stands in the way.

use super::journey_support::*;
use super::scripted::{Reply, Scripted, say, say_with};
use consumer::journey::timeframe::{Confirmation, clear};
use consumer::journey::{Booking, CancelReport, Cancelled, Located, SlotSearch};
use consumer::obstacle::Kind;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

fn at(hours: i64) -> String {
    (Timestamp::now() + SignedDuration::from_hours(hours)).to_string()
}

fn appointment(version: usize, status: &str, document: &str, start: &str) -> String {
    json!({"resourceType": "Appointment", "id": "a", "meta": {"versionId": version.to_string()}, "status": status,
        "start": start, "contained": [
            {"resourceType": "DocumentReference", "id": "d", "identifier": [{"value": document}]},
            {"resourceType": "Patient", "id": "p",
             "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990123454"}]}]})
    .to_string()
}

async fn cancel(provider: &Scripted) -> CancelReport {
    let target = target(&provider.root, "2000000091");
    let journey = journey(CONSUMER, "FX900", None);
    let c = consultation(&journey).await;
    c.cancel(&Located::of_text(&target, "a").unwrap(), None)
        .await
        .unwrap()
}

/// Proves: CONS-CAN-03
/// On 409 and on 412 it is read again and sent again under the new version; without end, it is not.
#[tokio::test]
async fn a_conflict_is_read_again() {
    for status in [409, 412] {
        let start = at(3);
        let provider = Scripted::start(move |seen, before| match seen.method {
            Method::PUT if before < 2 => say(status, ""),
            Method::PUT => say(200, appointment(9, "cancelled", "d1", &start)),
            _ => say_with(
                200,
                &[("etag", &format!("\"{}\"", before + 1))],
                appointment(before + 1, "booked", "d1", &start),
            ),
        })
        .await;
        let report = cancel(&provider).await;
        assert!(
            matches!(report.outcome, Cancelled::Yes(_)),
            "{}",
            report.plain()
        );
        assert_eq!(report.appointment.unwrap().version.unwrap(), "9");
        let sent = provider.by(Method::PUT);
        let tags: Vec<&str> = sent.iter().map(|s| s.header("if-match")).collect();
        assert_eq!(tags, ["\"1\"", "\"2\"", "\"3\""]);
    }
    let start = at(3);
    let provider = Scripted::start(move |seen, _| match seen.method {
        Method::PUT => say(409, ""),
        _ => say(200, appointment(1, "booked", "d1", &start)),
    })
    .await;
    let Cancelled::Failed(obstacle) = cancel(&provider).await.outcome else {
        panic!("not failed")
    };
    assert_eq!(obstacle.kind, Kind::BookingChanged);
    assert_eq!(provider.by(Method::PUT).len(), 3);
}

/// Proves: CONS-CAN-03, CONS-CAN-04
/// What was changed into another booking is left alone; what somebody else cancelled, what is past, what cannot be
/// cancelled and what fails, each have their own words.
#[tokio::test]
async fn other_ends_of_a_cancellation() {
    let start = at(3);
    let other = Scripted::start(move |seen, before| match seen.method {
        Method::PUT => say(409, ""),
        _ => say(
            200,
            appointment(before + 1, "booked", &format!("d{before}"), &start),
        ),
    })
    .await;
    let outcome = cancel(&other).await.outcome;
    assert!(
        matches!(&outcome, Cancelled::Refused(o) if o.kind == Kind::BookingChanged),
        "{outcome:?}"
    );
    assert_eq!(other.by(Method::PUT).len(), 1);

    let past = Scripted::start(|_, _| say(200, appointment(1, "booked", "d", &at(-1)))).await;
    assert_eq!(cancel(&past).await.outcome, Cancelled::InThePast);
    assert!(past.by(Method::PUT).is_empty());

    let start = at(3);
    let raced = Scripted::start(move |seen, before| match (&seen.method, before) {
        (&Method::PUT, _) => say(
            422,
            r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}]}"#,
        ),
        (_, 0) => say(200, appointment(1, "booked", "d", &start)),
        _ => say(200, appointment(2, "cancelled", "d", &start)),
    })
    .await;
    assert!(matches!(
        cancel(&raced).await.outcome,
        Cancelled::Already(_)
    ));

    let start = at(3);
    let refused = Scripted::start(move |seen, _| match seen.method {
        Method::PUT => say(403, ""),
        _ => say(200, appointment(1, "booked", "d", &start)),
    })
    .await;
    let report = cancel(&refused).await;
    assert!(matches!(report.outcome, Cancelled::Refused(_)));
    assert!(
        report
            .plain()
            .starts_with("The appointment was not cancelled.")
    );

    let start = at(3);
    let gone = Scripted::start(move |seen, before| match (&seen.method, before) {
        (&Method::GET, 0) => say(200, appointment(1, "booked", "d", &start)),
        _ => Reply::Cut,
    })
    .await;
    let Cancelled::Uncertain(obstacle) = cancel(&gone).await.outcome else {
        panic!("not uncertain")
    };
    assert_eq!(obstacle.kind, Kind::CancelUncertain);
}

/// Proves: CONS-BOOK-05
/// The first answer is lost; the repeat meets the slot that the first one took, and the provider knows no repeats. The
/// patient's own list, with another appointment at the same time in it, shows whose it is.
#[tokio::test]
async fn the_slot_that_an_own_lost_attempt_took() {
    let start = at(2);
    let document = Arc::new(Mutex::new(String::new()));
    let (kept, at_start, at_end) = (document.clone(), start.clone(), at(4));
    let provider = Scripted::start(move |seen, before| {
        let last = seen.path.rsplit('/').next().unwrap();
        match (seen.method.as_str(), last) {
            ("GET", "Slot") => say(
                200,
                json!({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource":
                    {"resourceType": "Slot", "id": "s1", "status": "free", "start": at_start, "end": at_end,
                     "schedule": {"reference": "Schedule/x"}}}]})
                .to_string(),
            ),
            ("POST", _) if before == 0 => {
                let sent: Value = serde_json::from_str(&seen.body).unwrap();
                let of_document = &sent["contained"][0]["identifier"][0]["value"];
                *kept.lock().unwrap() = of_document.as_str().unwrap().to_owned();
                Reply::Cut
            }
            ("POST", _) => say(
                422,
                r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing","diagnostics":"Slot no longer available"}]}"#,
            ),
            ("GET", "Appointment") => {
                assert!(seen.query.contains("nhs-number%7C999"));
                let entry = |id: &str, start: &str| json!({"resource":
                    {"resourceType": "Appointment", "id": id, "status": "booked", "start": start}});
                say(
                    200,
                    json!({"resourceType": "Bundle", "type": "searchset",
                        "entry": [entry("other-day", &at(30)), entry("ours", &at_start), entry("same-time", &at_start)]})
                    .to_string(),
                )
            }
            ("GET", "ours") => {
                let document = kept.lock().unwrap().to_uppercase();
                let mut ours: Value = serde_json::from_str(&appointment(1, "booked", &document, &at_start)).unwrap();
                ours["id"] = json!("ours");
                ours["end"] = json!(at_end);
                ours["slot"] = json!([{ "reference": "Slot/s1" }]);
                say(200, ours.to_string())
            }
            ("GET", "same-time") => say(200, appointment(1, "booked", "another", &at_start)),
            other => panic!("asked for {other:?}"),
        }
    })
    .await;
    let target = target(&provider.root, "2000000091");
    let journey = journey(CONSUMER, "FX900", None);
    let c = consultation(&journey).await;
    let slot = c
        .slots(&target, SlotSearch::soon())
        .await
        .unwrap()
        .slots
        .remove(0);
    let cleared = clear(c.encounter(), &slot, Confirmation::default()).unwrap();
    let result = c
        .book(&target, &slot, &details(Some("9990123454")), &cleared)
        .await
        .unwrap();
    let Booking::Booked(booked) = result else {
        panic!("{result:?}")
    };
    assert_eq!(
        (booked.appointment.as_str(), booked.recovered),
        ("ours", true)
    );
    assert_eq!(booked.document, *document.lock().unwrap());
}
