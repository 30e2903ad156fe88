//! Whether the request for a booking can have left this machine when the program ended: until its body is asked for it
//! cannot, and the booking is settled at once as never made (D-53).

use super::journey_support::*;
use super::scripted::{Received, Reply, Scripted, say};
use consumer::journal::{BookingRow, Found, Journal, KnownBooking, State, Which, Whose};
use consumer::journey::timeframe::{Confirmation, clear};
use consumer::journey::{Consultation, Lost, PendingChange, SlotSearch, Target};
use consumer::obstacle::Kind;
use consumer::plan::{self, Route, Setting};
use consumer::slots::FreeSlot;
use consumer::transport::{Hindrance, Policy, Transport};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Longer than any test waits.
const NEVER: Duration = Duration::from_secs(3_600);

fn at(hours: i64) -> String {
    (Timestamp::now() + SignedDuration::from_hours(hours)).to_string()
}

/// Has a free slot and no appointments; a booking is told of and never answered.
fn silent(came: Arc<Notify>) -> impl Fn(&Received, usize) -> Reply + Send + Sync + 'static {
    move |seen, _| {
        let found = match (&seen.method, seen.path.ends_with("/Slot")) {
            (&Method::POST, _) => {
                came.notify_one();
                return Reply::Late(NEVER, Box::new(say(500, "")));
            }
            (_, true) => json!([{ "resource": {
                "resourceType": "Slot", "id": "s1", "status": "free", "start": at(2), "end": at(3),
                "schedule": { "reference": "Schedule/x" } } }]),
            (_, false) => json!([]),
        };
        let bundle = json!({ "resourceType": "Bundle", "type": "searchset", "entry": found });
        say(200, bundle.to_string())
    }
}

async fn slot(c: &Consultation, target: &Target) -> FreeSlot {
    let list = c.slots(target, SlotSearch::soon()).await.unwrap();
    list.slots.into_iter().next().unwrap()
}

/// A service as it is, and the same where bookings go to somebody who takes connections and says nothing to a client that
/// wants TLS.
async fn at_both(provider: &Scripted) -> (Target, TcpListener, Target) {
    let open = target(&provider.root, "2000000091");
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = Target {
        booking_root: format!("https://{}/STU3/1/X", mute.local_addr().unwrap()),
        ..open.clone()
    };
    (open, mute, closed)
}

/// Begins to book, beside the test.
async fn begin(c: &Consultation, target: &Target, slot: FreeSlot) -> JoinHandle<()> {
    let (c, target) = (c.clone(), target.clone());
    tokio::spawn(async move {
        let cleared = clear(c.encounter(), &slot, Confirmation::default()).unwrap();
        let details = details(Some("9990123454"));
        let ended = c.book(&target, &slot, &details, &cleared).await;
        panic!("the booking ended: {ended:?}");
    })
}

/// The program ends: the booking goes no further, and its row stands as it is.
async fn end(booking: JoinHandle<()>) {
    booking.abort();
    assert!(booking.await.unwrap_err().is_cancelled());
}

async fn only_row(journal: &Journal) -> KnownBooking {
    let now = Timestamp::now();
    let mut rows = journal
        .bookings(Which::Unsettled, Whose::All, now)
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

/// Proves: CONS-BOOK-05, D-53
/// Ended while the line was being made: never sent, at once. Ended after the request came: not certain.
#[tokio::test]
async fn what_never_left_was_never_made() {
    let came = Arc::new(Notify::new());
    let provider = Scripted::start(silent(came.clone())).await;
    let (open, mute, closed) = at_both(&provider).await;
    let c = consultation(&journey(CONSUMER, "FX900", None)).await;
    let free = slot(&c, &open).await;
    let booking = begin(&c, &closed, free.clone()).await;
    let _line = mute.accept().await.unwrap();
    end(booking).await;
    let journal = c.journey().journal();
    let row = only_row(journal).await;
    assert!(!row.may_have_left);
    assert_eq!(c.settle_row(&closed, &row).await.unwrap(), Lost::NotSent);
    let found = journal.find(&row.document).await.unwrap();
    assert!(matches!(found, Found::One(known) if known.state == State::Failed));

    let booking = begin(&c, &open, free).await;
    came.notified().await;
    end(booking).await;
    let row = only_row(journal).await;
    assert!(row.may_have_left);
    let lost = c.settle_row(&open, &row).await.unwrap();
    assert!(
        matches!(&lost, Lost::CannotTell(why) if why.contains("still be on its way")),
        "{lost:?}"
    );
}

/// Proves: CONS-BOOK-05, D-53
/// Stopped while the line is being made: nothing is on its way, it is settled as never made, and does not leave any more.
/// Stopped after the request came: it is on its way.
#[tokio::test]
async fn who_is_stopped_while_connecting_has_sent_nothing() {
    let came = Arc::new(Notify::new());
    let provider = Scripted::start(silent(came.clone())).await;
    let (open, mute, closed) = at_both(&provider).await;
    let c = consultation(&journey(CONSUMER, "FX900", None)).await;
    let free = slot(&c, &open).await;
    let booking = begin(&c, &closed, free.clone()).await;
    let _line = mute.accept().await.unwrap();
    let row = only_row(c.journey().journal()).await;
    let progress = c.journey().stopped().await;
    assert_eq!((progress.on_its_way, progress.sent), (None, false));
    let found = c.journey().journal().find(&row.document).await.unwrap();
    assert!(matches!(found, Found::One(known) if known.state == State::Failed));
    end(booking).await;

    let c = consultation(&journey(CONSUMER, "FX900", None)).await;
    let booking = begin(&c, &open, free).await;
    came.notified().await;
    let row = only_row(c.journey().journal()).await;
    let progress = c.journey().stopped().await;
    assert_eq!(
        progress.on_its_way,
        Some(PendingChange::Booking(row.document))
    );
    end(booking).await;
}

/// Proves: CONS-BOOK-05, D-53
/// Where the whole time went by before there was a line, nothing was booked, and that is certain.
#[tokio::test]
async fn a_line_that_never_came_about_is_no_doubt() {
    let provider = Scripted::start(silent(Arc::default())).await;
    let (open, _mute, closed) = at_both(&provider).await;
    let patient = consultation(&journey(CONSUMER, "FX900", None)).await;
    let slot = slot(&patient, &open).await;
    let short = Policy {
        attempt: Duration::from_millis(50),
        ..policy()
    };
    let c = consultation(&journey_with(CONSUMER, "FX900", None, short)).await;
    let cleared = clear(c.encounter(), &slot, Confirmation::default()).unwrap();
    let details = details(Some("9990123454"));
    let obstacle = c
        .book(&closed, &slot, &details, &cleared)
        .await
        .unwrap_err();
    assert_eq!(obstacle.kind, Kind::SspUnreachable, "{obstacle}");
    assert!(obstacle.plain.ends_with("Nothing was booked."));
}

/// Proves: D-53
/// A booking that another command has settled as never sent does not leave any more.
#[tokio::test]
async fn what_was_settled_does_not_leave() {
    let provider = Scripted::start(silent(Arc::default())).await;
    let target = target(&provider.root, "2000000091");
    let journey = journey(CONSUMER, "FX900", None);
    let c = consultation(&journey).await;
    let slot = slot(&c, &target).await;
    let (document, journal) = (Uuid::new_v4(), journey.journal());
    let row = BookingRow {
        document: document.to_string(),
        ..booking_row(&c, &target, &slot)
    };
    journal.requested(row, None).await.unwrap();
    let known = only_row(journal).await;
    assert!(c.never_sent(&known).await.unwrap());
    let sender = sender(CONSUMER, "FX900");
    let route = Route::new(None, target.asid.clone(), &target.booking_root);
    let setting = Setting::now(&sender, &route);
    let now = Timestamp::now();
    let request =
        plan::book::written(&setting, &slot.claim, &details(None), document, now).unwrap();
    let encounter = &c.encounter().id;
    let step = journal.begin(encounter, "book", None, now).await.unwrap();
    let transport = Transport::new(client(), journal.clone(), policy());
    let document = document.to_string();
    let sent = transport.send_booking(&request, step, &document).await;
    let undelivered = sent.unwrap_err();
    assert_eq!(
        (
            undelivered.hindrance,
            undelivered.uncertain,
            undelivered.tries
        ),
        (Hindrance::Settled, false, 1)
    );
    assert!(provider.by(Method::POST).is_empty());
}
