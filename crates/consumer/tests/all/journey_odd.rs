//! Answers that are odd, wrong or quote what they must not: each has its own words, and nothing of it vanishes.

use super::journey_support::*;
use super::scripted::{Received, Reply, Scripted, say, say_with};
use consumer::journey::timeframe::{Confirmation, clear};
use consumer::journey::{Booking, Consultation, Located, SlotSearch, Target};
use consumer::obstacle::{Kind, Obstacle};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testkit::{assert_contains, assert_lacks};

fn at(hours: i64) -> String {
    (Timestamp::now() + SignedDuration::from_hours(hours)).to_string()
}

fn slot(id: &str, hours: i64) -> Value {
    json!({"resourceType": "Slot", "id": id, "status": "free", "start": at(hours), "end": at(hours + 1),
        "schedule": {"reference": "Schedule/x"}})
}

/// A slot without one of its elements, or with another value in it.
fn spoilt(id: &str, name: &str, value: Value) -> Value {
    let mut slot = slot(id, 3);
    slot[name] = value;
    if slot[name].is_null() {
        slot.as_object_mut().unwrap().remove(name);
    }
    slot
}

fn bundle(resources: &[Value]) -> Value {
    let entry: Vec<Value> = resources.iter().map(|r| json!({ "resource": r })).collect();
    json!({"resourceType": "Bundle", "type": "searchset", "entry": entry})
}

fn refusal(code: &str, words: &str) -> String {
    json!({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code, "diagnostics": words}]})
        .to_string()
}

async fn at_provider(provider: &Scripted) -> (Target, Consultation) {
    let target = target(&provider.root, "2000000091");
    let c = consultation(&journey(CONSUMER, "FX900", None)).await;
    (target, c)
}

/// The steps of the consultation as the journal has them, as one text.
async fn kept(c: &Consultation) -> String {
    let id = &c.encounter().id;
    let extract = c.journey().journal().extract(id).await.unwrap().unwrap();
    serde_json::to_string(&extract).unwrap()
}

fn all_bad() -> Vec<Value> {
    let modified = json!([{"url": "https://vendor.example/not", "valueBoolean": true}]);
    vec![
        spoilt("no-end", "end", Value::Null),
        spoilt("no-start", "start", Value::Null),
        spoilt("no-status", "status", Value::Null),
        spoilt("odd-status", "status", json!("vacant")),
        spoilt("no-offset", "start", json!("2031-03-04T09:00:00")),
        spoilt("backwards", "end", json!(at(1))),
        spoilt("modified", "modifierExtension", modified),
        spoilt(
            "own-rules",
            "implicitRules",
            json!("https://vendor.example/rules"),
        ),
        spoilt("marked-by-text", "modifierExtension", json!("not")),
        spoilt("marked-by-texts", "modifierExtension", json!(["not"])),
        spoilt("marked-by-yes", "modifierExtension", json!(true)),
        spoilt("rules-in-object", "implicitRules", json!({"uri": "x"})),
        spoilt("listed-status", "status", json!(["free"])),
        spoilt("numbered", "id", json!(7)),
        spoilt("no-name", "id", json!(" ")),
        spoilt("odd-name", "id", json!("a\u{1b}[31m\u{202e}b")),
        spoilt("object", "start", json!({ "value": at(1) })),
    ]
}

/// Proves: CONS-ERR-01, CONS-SLOT-08, D-60, D-79
/// What cannot be read is counted and said; when nothing can be read, that is the Provider's fault, not a lack of slots.
#[tokio::test]
async fn slots_that_cannot_be_read_are_not_lost() {
    let some = Scripted::start(|_, _| {
        let mut all = all_bad();
        all.push(slot("good", 2));
        say(200, bundle(&all).to_string())
    })
    .await;
    let (target, c) = at_provider(&some).await;
    let list = c.slots(&target, SlotSearch::soon()).await.unwrap();
    assert_eq!(list.slots.len(), 1);
    assert_eq!(list.unreadable.count(), 17);
    let told = list.unreadable.plain().unwrap();
    assert!(
        told.starts_with("17 slots")
            && told.contains("no end (1)")
            && told.contains("not written as FHIR has it (3)"),
        "{told}"
    );
    let journal = kept(&c).await;
    assert_contains(&journal, &["\"unreadable\":{\"count\":17"]);

    let none = Scripted::start(|_, _| say(200, bundle(&all_bad()).to_string())).await;
    let (target, c) = at_provider(&none).await;
    let obstacle = c.slots(&target, SlotSearch::soon()).await.unwrap_err();
    assert_eq!(obstacle.kind, Kind::SlotsUnreadable);
    let journal = kept(&c).await;
    assert_contains(&journal, &["slots-unreadable", "\"count\":17"]);
    assert_lacks(&journal, &["\"outcome\":\"none\""]);
}

/// Proves: CONS-SLOT-05, D-60
/// A schedule with a modifier extension makes its slots unusable; an appointment with one is not believed.
#[tokio::test]
async fn modifier_extensions_are_not_ignored() {
    let provider = Scripted::start(|seen, _| {
        let modified = json!([{"url": "https://vendor.example/not", "valueBoolean": true}]);
        if seen.path.ends_with("/Slot") {
            let schedule = json!({"resourceType": "Schedule", "id": "x", "modifierExtension": modified});
            return say(200, bundle(&[slot("a", 2), schedule]).to_string());
        }
        let read = json!({"resourceType": "Appointment", "id": "a", "status": "booked", "start": at(2),
            "participant": [{"status": "accepted", "modifierExtension": modified}]});
        say(200, read.to_string())
    })
    .await;
    let (target, c) = at_provider(&provider).await;
    let obstacle = c.slots(&target, SlotSearch::soon()).await.unwrap_err();
    assert_eq!(obstacle.kind, Kind::SlotsUnreadable);
    let located = Located::of_text(&target, "a").unwrap();
    let obstacle = c.show(&located).await.unwrap_err();
    assert_eq!(obstacle.kind, Kind::ProviderUnreadable);
    assert!(
        obstacle.fields().contains("modifier extension"),
        "{}",
        obstacle.fields()
    );
}

/// Proves: CONS-SLOT-05
/// A link to the page itself, in whatever spelling, is followed no further, and it is said that more may be there.
#[tokio::test]
async fn a_link_back_ends_the_paging() {
    let provider = Scripted::start(|seen, _| {
        let query = seen.query.replace("%3A", ":").replace("%2B", "+");
        let mut page = bundle(&[slot("a", 2)]);
        page["link"] = json!([{"relation": "next", "url": format!("Slot?{query}")}]);
        say(200, page.to_string())
    })
    .await;
    let (target, c) = at_provider(&provider).await;
    let list = c.slots(&target, SlotSearch::soon()).await.unwrap();
    assert_eq!((list.slots.len(), list.cut_off), (1, true));
    assert_eq!(provider.by(Method::GET).len(), 1);
}

async fn book(provider: &Scripted) -> (Result<Booking, Obstacle>, String) {
    let (target, c) = at_provider(provider).await;
    let slot = c
        .slots(&target, SlotSearch::soon())
        .await
        .unwrap()
        .slots
        .remove(0);
    let cleared = clear(c.encounter(), &slot, Confirmation::default()).unwrap();
    let details = details(Some("9990123454"));
    let result = c.book(&target, &slot, &details, &cleared).await;
    (result, kept(&c).await)
}

fn refusing(
    status: u16,
    code: &'static str,
    words: &'static str,
    gone: bool,
) -> impl Fn(&Received, usize) -> Reply {
    move |seen, before| match (seen.method.as_str(), seen.path.rsplit('/').next()) {
        ("GET", Some("Slot")) if before > 0 && gone => {
            say(200, bundle(&[slot("other", 5)]).to_string())
        }
        ("GET", Some("Slot")) => say(
            200,
            bundle(&[slot("wanted", 2), slot("other", 5)]).to_string(),
        ),
        ("POST", _) => say(status, refusal(code, words)),
        _ => say(200, bundle(&[]).to_string()),
    }
}

/// Proves: CONS-BOOK-04, D-02
/// Only ERR-15 says by itself that the time is taken; after anything else the fresh list has to show it.
#[tokio::test]
async fn taken_is_said_only_when_it_is_so() {
    for (status, code, words, gone, taken) in [
        (422, "processing", "Slot no longer available", false, true),
        (
            422,
            "processing",
            "The patient is not known to the practice",
            false,
            false,
        ),
        (422, "processing", "Not available", true, true),
        (
            422,
            "processing",
            "Slot no longer available to your organisation",
            false,
            false,
        ),
        (409, "conflict", "Slot no longer available", false, true),
        (409, "conflict", "Busy", false, false),
        (409, "conflict", "Busy", true, true),
        (422, "invalid", "Reference not found", true, false),
    ] {
        let provider = Scripted::start(refusing(status, code, words, gone)).await;
        let (result, _) = book(&provider).await;
        let said = matches!(&result, Ok(Booking::SlotTaken { refreshed: Ok(list), .. }) if !list.slots.is_empty());
        assert_eq!(said, taken, "{status} {code} {words} {gone}: {result:?}");
    }
}

/// Proves: D-60, NFR-01, CONS-ERR-05
/// What a Provider quotes of a patient reaches neither the journal nor the log fields.
#[tokio::test]
async fn quoted_patients_are_redacted() {
    let words =
        "Ada TESTWELL (999 012 3454, born 21/06/1984, tel +44 7700 900123, LS99 9ZZ) is unknown";
    let provider = Scripted::start(refusing(422, "invalid", words, false)).await;
    let (result, journal) = book(&provider).await;
    let told = format!("{} {}", result.unwrap_err().fields(), journal);
    assert_lacks(
        &told,
        &[
            "999 012 3454",
            "TESTWELL",
            "Ada",
            "21/06/1984",
            "7700 900123",
            "LS99 9ZZ",
        ],
    );
    assert_contains(&told, &["(NHS number)", "is unknown"]);
}

/// Proves: NAT-JWT-05, CONS-ERR-02
/// A token refused while the clocks differ is told as that; with equal clocks, and for other reasons, it is not.
#[tokio::test]
async fn clocks_that_differ_have_their_own_words() {
    let date = |minutes: i64| {
        let at = Timestamp::now() + SignedDuration::from_mins(minutes);
        at.to_zoned(jiff::tz::TimeZone::UTC)
            .strftime("%a, %d %b %Y %H:%M:%S GMT")
            .to_string()
    };
    for (status, words, minutes, kind) in [
        (403, "forbidden", 45, Kind::ClockWrong),
        (401, "forbidden", -45, Kind::ClockWrong),
        (400, "The JWT has expired", 45, Kind::ClockWrong),
        (400, "start is missing", 45, Kind::ProviderRefused),
        (403, "forbidden", 0, Kind::ProviderDenied),
    ] {
        let provider = Scripted::start(move |_, _| {
            say_with(
                status,
                &[("date", &date(minutes)), ("x-request-id", "r-1")],
                refusal("forbidden", words),
            )
        })
        .await;
        let (target, c) = at_provider(&provider).await;
        let obstacle = c.slots(&target, SlotSearch::soon()).await.unwrap_err();
        assert_eq!(
            obstacle.kind, kind,
            "{status} {words} {minutes}: {obstacle}"
        );
        if kind == Kind::ClockWrong {
            let which = if minutes > 0 { "behind" } else { "ahead of" };
            assert!(
                obstacle.plain.contains(&format!("45 minutes {which}")),
                "{}",
                obstacle.plain
            );
        }
    }
}

/// Proves: CONS-CAN-02
/// The tag goes back as it came: strong, weak, or made from the version where there is none.
#[tokio::test]
async fn tags_go_back_as_they_came() {
    for (etag, sent) in [
        (Some("\"5\""), "\"5\""),
        (Some("W/\"5\""), "W/\"5\""),
        (Some("5"), "W/\"5\""),
        (None, "W/\"3\""),
    ] {
        let start = at(3);
        let provider = Scripted::start(move |seen, _| {
            let status = match seen.method {
                Method::PUT => "cancelled",
                _ => "booked",
            };
            let read = json!({"resourceType": "Appointment", "id": "a", "meta": {"versionId": "3"}, "status": status,
                "start": start});
            let headers: Vec<(&'static str, &str)> = etag.map(|tag| ("etag", tag)).into_iter().collect();
            say_with(200, &headers, read.to_string())
        })
        .await;
        let (target, c) = at_provider(&provider).await;
        c.cancel(&Located::of_text(&target, "a").unwrap(), None)
            .await
            .unwrap();
        assert_eq!(provider.by(Method::PUT)[0].header("if-match"), sent);
    }
}
