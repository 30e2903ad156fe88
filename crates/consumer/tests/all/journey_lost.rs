//! A booking whose end the program did not see, because it was ended in between; and what the journal tells of an
//! encounter.

use super::journey_support::*;
use consumer::journal::{BookingRow, State};
use consumer::journey::timeframe::{Confirmation, clear};
use consumer::journey::{Booking, Consultation, Lost, SlotSearch, Target};
use consumer::slots::FreeSlot;
use jiff::Timestamp;
use uuid::Uuid;

/// What stands in the journal of a program that was ended after it had sent its request.
async fn interrupted(
    c: &Consultation,
    target: &Target,
    slot: &FreeSlot,
    patient: Option<&str>,
) -> String {
    let row = BookingRow {
        nhs_number: details(patient).patient.number(),
        ..booking_row(c, target, slot)
    };
    let document = row.document.clone();
    let journal = c.journey().journal();
    journal.requested(row, None).await.unwrap();
    assert!(journal.leaving(&document).await.unwrap());
    document
}

/// Proves: CONS-BOOK-05, CONS-ERR-05, AUD-05
#[tokio::test]
async fn a_booking_that_nobody_saw_end_is_found_out() {
    let path = Path::start().await;
    let journey = path.journey();
    let c = consultation(&journey).await;
    let target = path.target(GP_CLINIC);
    let list = c.slots(&target, SlotSearch::soon()).await.unwrap();
    let slot = list
        .slots
        .iter()
        .rfind(|s| s.start > Timestamp::now())
        .unwrap();
    let patient = nhs_number(77);
    let made = interrupted(&c, &target, slot, Some(&patient)).await;
    let never = interrupted(&c, &target, slot, Some(&patient)).await;
    let nameless = interrupted(&c, &target, slot, None).await;

    // The request arrived; the answer reached another program's journal, not ours.
    let other = consultation(&path.journey()).await;
    let cleared = clear(other.encounter(), slot, Confirmation::default()).unwrap();
    let document = Uuid::parse_str(&made).unwrap();
    let booking = other
        .book_as(
            &target,
            slot,
            &details(Some(&patient)),
            &cleared,
            document,
            None,
        )
        .await
        .unwrap();
    let Booking::Booked(booked) = booking else {
        panic!("not booked: {booking:?}");
    };

    let id = c.encounter().id.clone();
    let journal = journey.journal();
    let extract = journal.extract(&id).await.unwrap().unwrap();
    let known = |document: &str| {
        let found = extract.bookings.iter().find(|b| b.document == document);
        found.unwrap().clone()
    };
    let Lost::Booked(located, _) = c.look_for(&target, &known(&made)).await.unwrap() else {
        panic!("not found");
    };
    assert_eq!(located.id.as_str(), booked.appointment);
    assert_eq!(
        c.look_for(&target, &known(&never)).await.unwrap(),
        Lost::Absent
    );
    assert!(matches!(
        c.look_for(&target, &known(&nameless)).await.unwrap(),
        Lost::CannotTell(_)
    ));
    c.never_made(&known(&never)).await.unwrap();

    let extract = journal.extract(&id).await.unwrap().unwrap();
    let state = |document: &str| {
        extract
            .bookings
            .iter()
            .find(|b| b.document == document)
            .unwrap()
            .state
    };
    assert_eq!(state(&made), State::Booked);
    assert_eq!(state(&never), State::Failed);
    assert_eq!(state(&nameless), State::Requested);
    let looked: Vec<&str> = extract
        .steps
        .iter()
        .filter(|s| s.kind == "look for")
        .filter_map(|s| s.outcome.as_deref())
        .collect();
    assert_eq!(looked, ["found", "absent", "cannot tell"]);
    assert!(
        extract
            .steps
            .iter()
            .flat_map(|s| &s.attempts)
            .all(|a| !a.trace_id.is_empty())
    );
    // Nothing that names the patient leaves the journal this way.
    let text = serde_json::to_string(&extract).unwrap();
    assert!(!text.contains(&patient), "{text}");
    assert!(journal.extract("unknown").await.unwrap().is_none());
    assert!(c.cancel(&located, None).await.unwrap().is_cancelled());
}
