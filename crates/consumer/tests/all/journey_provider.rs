//! The journey against the real Provider behind the sandbox's SSP, over sockets.

use super::journey_support;
use super::journey_support::*;
use booking::ids::NhsNumber;
use consumer::journal::{Found, State};
use consumer::journey::timeframe::{Confirmation, clear};
use consumer::journey::{
    Booked, Booking, Cancelled, Consultation, Located, Old, SlotSearch, Target,
};
use consumer::obstacle::Kind;
use consumer::plan::BookingDetails;
use consumer::slots::FreeSlot;
use jiff::Timestamp;
use sandbox::faults::{Fault, Point, Rule};

async fn some_slot(c: &Consultation, target: &Target, nth: usize) -> FreeSlot {
    let list = c.slots(target, SlotSearch::soon()).await.unwrap();
    list.slots
        .into_iter()
        .filter(|s| s.start > Timestamp::now())
        .nth(nth + 2)
        .unwrap()
}

async fn book(c: &Consultation, target: &Target, slot: &FreeSlot, who: &BookingDetails) -> Booking {
    let cleared = clear(c.encounter(), slot, Confirmation::default()).unwrap();
    c.book(target, slot, who, &cleared).await.unwrap()
}

fn booked(booking: Booking) -> Booked {
    match booking {
        Booking::Booked(booked) => *booked,
        other => panic!("not booked: {other:?}"),
    }
}

/// Proves: CONS-SLOT-01, CONS-SLOT-05, CONS-SLOT-06, CONS-SLOT-07, CONS-SLOT-08, CONS-SDS-03, OPS-C3
/// What the seeded services show, with everything about a slot and with nothing, and none at all.
#[tokio::test]
async fn slots_with_everything_with_nothing_and_none() {
    let path = Path::start().await;
    let journey = path.journey();
    let c = consultation(&journey).await;
    let list = c
        .slots(&path.target(GP_CLINIC), SlotSearch::soon())
        .await
        .unwrap();
    assert!(list.faults.is_empty(), "{:?}", list.faults);
    assert!(list.slots.len() > 30);
    assert!(list.slots.windows(2).all(|w| w[0].start <= w[1].start));
    let slot = &list.slots[0];
    assert_eq!(slot.channel_shown(), "In person");
    assert!(slot.minutes() > 0);
    assert!(
        slot.service
            .as_ref()
            .unwrap()
            .as_received()
            .contains("Fernhill")
    );
    let place = slot.place.as_ref().unwrap();
    assert!(
        place.name.is_some()
            && place
                .address
                .as_ref()
                .unwrap()
                .as_received()
                .contains("LS99")
    );
    let clinician = slot.clinician.as_ref().unwrap();
    assert!(
        clinician
            .name
            .as_ref()
            .unwrap()
            .as_received()
            .starts_with("Dr ")
    );
    assert!(clinician.gender.is_some() && clinician.role.is_some());
    assert_eq!(slot.organization, Some("Fernhill Urgent Care".into()));

    let bare = c
        .slots(&path.target(BARE_SLOTS), SlotSearch::soon())
        .await
        .unwrap();
    let slot = &bare.slots[0];
    assert!(slot.place.is_none() && slot.clinician.is_none() && slot.organization.is_none());
    let none = c
        .slots(&path.target(NO_FREE_SLOT), SlotSearch::soon())
        .await
        .unwrap();
    assert!(none.slots.is_empty());

    let capability = c.capability(&path.target(GP_CLINIC)).await.unwrap();
    assert!(capability.version.is_some());
    assert_eq!(capability.fhir_version.as_deref(), Some("3.0.1"));
}

/// Proves: CONS-BOOK-01, CONS-BOOK-03, CONS-CAN-01, CONS-CAN-02, CONS-CAN-04, CONS-REQ-04, CONS-REB-04
/// Book, find it in the journal, show, cancel, cancel again.
#[tokio::test]
async fn book_show_cancel() {
    let path = Path::start().await;
    let (journey, target) = (path.journey(), path.target(GP_CLINIC));
    let c = consultation(&journey).await;
    let patient = nhs_number(11);
    let slot = some_slot(&c, &target, 0).await;
    let booked = booked(book(&c, &target, &slot, &details(Some(&patient))).await);
    assert!(booked.url.starts_with("https://") && !booked.url.contains("_history"));
    assert!(
        booked
            .url
            .ends_with(&format!("/Appointment/{}", booked.appointment))
    );
    assert_eq!((booked.etag.as_str(), booked.recovered), ("W/\"1\"", false));
    assert_eq!(path.live_bookings(&patient), 1);

    let number = NhsNumber::parse(&patient).unwrap();
    let known = c.known_bookings(Some(&number)).await.unwrap();
    assert_eq!(known.len(), 1);
    for key in [
        &booked.appointment,
        &booked.url,
        &booked.document.to_uppercase(),
    ] {
        let Found::One(found) = journey.journal().find(key).await.unwrap() else {
            panic!("{key} is not known")
        };
        assert_eq!(found.state, State::Booked);
    }
    let located = Located::of_known(&known[0]).unwrap();
    let shown = c.show(&located).await.unwrap();
    assert_eq!(shown.status, "booked");
    assert_eq!(shown.patient, Some("Ms Ada Testwell".into()));
    assert_eq!(shown.document, Some(booked.document.as_str().into()));
    assert_eq!(shown.start, Some(slot.start));

    let stranger = NhsNumber::parse(&nhs_number(12)).unwrap();
    let report = c.cancel(&located, Some(&stranger)).await.unwrap();
    assert_eq!(report.outcome, Cancelled::NotThisPatient);
    assert_eq!(path.live_bookings(&patient), 1);
    let report = c.cancel(&located, Some(&number)).await.unwrap();
    assert!(
        matches!(report.outcome, Cancelled::Yes(_)),
        "{}",
        report.plain()
    );
    assert_eq!(report.appointment.unwrap().version.unwrap(), "2");
    assert_eq!(path.live_bookings(&patient), 0);
    assert!(matches!(
        c.cancel(&located, None).await.unwrap().outcome,
        Cancelled::Already(_)
    ));
    assert!(c.known_bookings(Some(&number)).await.unwrap().is_empty());
    let nowhere = Located::of_text(&target, "no-such-appointment").unwrap();
    assert_eq!(
        c.cancel(&nowhere, None).await.unwrap().outcome,
        Cancelled::NotFound
    );
    let again = c.slots(&target, SlotSearch::soon()).await.unwrap();
    assert!(
        again.slots.iter().any(|s| s.id == slot.id),
        "the slot is free again"
    );
}

/// Proves: CONS-BOOK-04
/// The slot that somebody else took is not offered again, the next ones are.
#[tokio::test]
async fn a_slot_that_went_is_followed_by_fresh_ones() {
    let path = Path::start().await;
    let (journey, target) = (path.journey(), path.target(GP_CLINIC));
    let c = consultation(&journey).await;
    let slot = some_slot(&c, &target, 1).await;
    booked(book(&c, &target, &slot, &details(Some(&nhs_number(21)))).await);
    let second = book(&c, &target, &slot, &details(Some(&nhs_number(22)))).await;
    let Booking::SlotTaken { notice, refreshed } = second else {
        panic!("{second:?}")
    };
    assert_eq!(notice.kind, Kind::SlotTaken);
    let fresh = refreshed.unwrap().slots;
    assert!(!fresh.is_empty() && fresh.iter().all(|s| s.id != slot.id));
    booked(book(&c, &target, &fresh[4], &details(Some(&nhs_number(22)))).await);
}

/// Proves: CONS-BOOK-05, NAT-SSP-06
/// The Provider booked and its answer was lost, as a 504 or with the connection, once or every time: exactly one
/// booking remains, and the Consumer knows it.
#[tokio::test]
async fn lost_answers_are_recovered() {
    let path = Path::start().await;
    let (journey, target) = (path.journey(), path.target(GP_CLINIC));
    let c = consultation(&journey).await;
    for (n, (cut, times)) in [(false, 1), (true, 1), (false, 3), (true, 3)]
        .into_iter()
        .enumerate()
    {
        let slot = some_slot(&c, &target, n).await;
        let patient = nhs_number(30 + n as u32 * 10);
        let rule = Rule::new(Point::Ssp, Fault::LostAnswer { cut })
            .interaction("create:appointment")
            .times(times);
        path.sandbox.faults().add(rule).unwrap();
        let booked = booked(book(&c, &target, &slot, &details(Some(&patient))).await);
        assert!(booked.recovered);
        assert_eq!(path.live_bookings(&patient), 1, "cut {cut}, {times} times");
        let shown = c.show(&booked.located().unwrap()).await.unwrap();
        assert_eq!(shown.document, Some(booked.document.as_str().into()));
        path.sandbox.faults().clear();
    }
}

/// Proves: CONS-BOOK-05
/// Without a patient to search for, a booking whose every answer was lost stays unknown; the user is told to call,
/// and the journal keeps it.
#[tokio::test]
async fn what_cannot_be_found_out_is_said_to_be_unknown() {
    let path = Path::start().await;
    let (journey, target) = (path.journey(), path.target(GP_CLINIC));
    let c = consultation(&journey).await;
    let slot = some_slot(&c, &target, 0).await;
    path.sandbox
        .faults()
        .add(
            Rule::new(Point::Ssp, Fault::LostAnswer { cut: true })
                .interaction("create:appointment"),
        )
        .unwrap();
    let result = book(&c, &target, &slot, &details(None)).await;
    let Booking::Unknown { notice, document } = result else {
        panic!("{result:?}")
    };
    assert_eq!(notice.kind, Kind::BookingUncertain);
    assert!(!notice.retry_safe);
    assert!(notice.noted("request_id").is_some());
    let Found::One(known) = journey.journal().find(&document).await.unwrap() else {
        panic!("not kept")
    };
    assert_eq!(known.state, State::Unknown);
}

/// Proves: CONS-ERR-02, CONS-ERR-03, CONS-BOOK-04
/// SSP gone, Provider offline, slow, malformed, failing: each has its own words, and a booking that cannot have
/// been made is said not to be.
#[tokio::test]
async fn faults_on_the_way_end_in_plain_words() {
    let path = Path::start().await;
    let target = path.target(GP_CLINIC);
    let journey = path.journey();
    let c = consultation(&journey).await;
    let slot = some_slot(&c, &target, 0).await;
    let faults = path.sandbox.faults();
    for (fault, kind) in [
        (Fault::Offline, Kind::ProviderOffline),
        (Fault::Malformed, Kind::ProviderUnreadable),
        (Fault::Status { status: 504 }, Kind::ProviderSilent),
        (Fault::Status { status: 429 }, Kind::Overloaded),
        (Fault::Status { status: 500 }, Kind::ProviderFailed),
        (Fault::Status { status: 496 }, Kind::SspCertificate),
    ] {
        faults
            .add(Rule::new(Point::Ssp, fault.clone()).interaction("search:slot"))
            .unwrap();
        let obstacle = c.slots(&target, SlotSearch::soon()).await.unwrap_err();
        assert_eq!(obstacle.kind, kind, "{fault:?}");
        faults.clear();
    }
    let gone = journey_support::journey(CONSUMER, "FX900", Some("http://127.0.0.1:9".into()));
    let c = consultation(&gone).await;
    let obstacle = c.slots(&target, SlotSearch::soon()).await.unwrap_err();
    assert_eq!(obstacle.kind, Kind::SspUnreachable);
    let cleared = clear(c.encounter(), &slot, Confirmation::default()).unwrap();
    let obstacle = c
        .book(&target, &slot, &details(None), &cleared)
        .await
        .unwrap_err();
    assert_eq!(obstacle.kind, Kind::SspUnreachable);
    assert!(obstacle.plain.contains("Nothing was booked") && obstacle.retry_safe);
}

/// Proves: CONS-SLOT-08, CONS-ERR-02
/// A Consumer that may not book sees why there are no slots, and a booking is refused.
#[tokio::test]
async fn a_consumer_without_rights_is_told_so() {
    let path = Path::start().await;
    let target = path.target(GP_CLINIC);
    let ours = path.journey();
    let slot = some_slot(&consultation(&ours).await, &target, 0).await;
    let journey = journey_support::journey(SEARCH_ONLY, "FX901", None);
    let c = consultation(&journey).await;
    let list = c.slots(&target, SlotSearch::soon()).await.unwrap();
    assert!(list.slots.is_empty());
    assert_eq!(list.remarks.len(), 1);
    let cleared = clear(c.encounter(), &slot, Confirmation::default()).unwrap();
    let obstacle = c
        .book(&target, &slot, &details(None), &cleared)
        .await
        .unwrap_err();
    assert_eq!(obstacle.kind, Kind::ProviderDenied);
}

/// Proves: CONS-REB-01, CONS-REB-02, CONS-REB-05, CONS-REB-06, DAT-07, OPS-C7, OPS-P9
/// New first, then the old; when the new one fails the old one stands.
#[tokio::test]
async fn rebook_keeps_the_patient_covered() {
    let path = Path::start().await;
    let (journey, target) = (path.journey(), path.target(GP_CLINIC));
    let c = consultation(&journey).await;
    let patient = nhs_number(51);
    let who = details(Some(&patient));
    let first = booked(book(&c, &target, &some_slot(&c, &target, 0).await, &who).await);
    let old = first.located().unwrap();
    let replaced = Old {
        located: &old,
        document: Some(&first.document),
    };
    let taken = some_slot(&c, &target, 3).await;
    booked(book(&c, &target, &taken, &details(Some(&nhs_number(55)))).await);
    let cleared = clear(c.encounter(), &taken, Confirmation::default()).unwrap();
    let failed = c
        .rebook(replaced, &target, &taken, &who, &cleared)
        .await
        .unwrap();
    assert!(matches!(failed.new, Ok(Booking::SlotTaken { .. })) && failed.old.is_none());
    assert_eq!(c.show(&old).await.unwrap().status, "booked");

    let slot = some_slot(&c, &target, 5).await;
    let cleared = clear(c.encounter(), &slot, Confirmation::default()).unwrap();
    let done = c
        .rebook(replaced, &target, &slot, &who, &cleared)
        .await
        .unwrap();
    assert!(done.is_complete());
    let new = booked(done.new.unwrap());
    assert_ne!(new.document, first.document);
    assert_eq!(path.live_bookings(&patient), 1);
    let Found::One(known) = journey.journal().find(&new.document).await.unwrap() else {
        panic!("not kept")
    };
    assert_eq!(known.replaces.as_deref(), Some(first.document.as_str()));
}

/// Proves: CONS-CAN-03, CONS-CAN-04
/// The answer to a cancellation was lost; the appointment itself tells that it is cancelled.
#[tokio::test]
async fn a_lost_cancellation_is_looked_up() {
    let path = Path::start().await;
    let (journey, target) = (path.journey(), path.target(GP_CLINIC));
    let c = consultation(&journey).await;
    for times in [1, 3] {
        let patient = nhs_number(60 + times);
        let made = booked(
            book(
                &c,
                &target,
                &some_slot(&c, &target, 0).await,
                &details(Some(&patient)),
            )
            .await,
        );
        let rule = Rule::new(Point::Ssp, Fault::LostAnswer { cut: false })
            .interaction("update:appointment");
        path.sandbox.faults().add(rule.times(times)).unwrap();
        let report = c.cancel(&made.located().unwrap(), None).await.unwrap();
        assert!(
            matches!(report.outcome, Cancelled::Yes(_)),
            "{}",
            report.plain()
        );
        path.sandbox.faults().clear();
    }
}

/// Proves: CONS-DOS-02
/// Next free times of several services side by side; one obstacle leaves the others alone.
#[tokio::test]
async fn next_free_times_of_a_list() {
    let path = Path::start().await;
    let journey = path.journey();
    let c = consultation(&journey).await;
    let targets: Vec<Target> = [GP_CLINIC, "2000000099", NO_FREE_SLOT, TELEPHONE]
        .map(|s| path.target(s))
        .to_vec();
    let found = c.next_free(&targets, SlotSearch::soon()).await;
    let services: Vec<&str> = found.iter().map(|n| n.target.service.as_str()).collect();
    assert_eq!(services, [GP_CLINIC, "2000000099", NO_FREE_SLOT, TELEPHONE]);
    assert!(found[0].found.as_ref().unwrap().1.is_some());
    assert_eq!(found[1].found.as_ref().unwrap_err().kind, Kind::NotFound);
    assert_eq!(found[2].found.as_ref().unwrap().0, 0);
    assert!(found[3].found.as_ref().unwrap().0 > 0);
}

/// Proves: CONS-TF-01, CONS-TF-03, CONS-TF-05, CONS-BO-01, CONS-BO-02, CONS-BO-03
/// Approval before a late slot, its record, and the referral of a booking-only service before, with and after a
/// booking.
#[tokio::test]
async fn timeframes_and_booking_only_services() {
    use consumer::journey::ReferralPermit::{Allowed, Withheld};
    let path = Path::start().await;
    let (journey, target) = (path.journey(), path.target(GP_CLINIC));
    let c = journey
        .consultation(encounter(false, Some(0)))
        .await
        .unwrap();
    let slot = some_slot(&c, &target, 0).await;
    let refused = clear(c.encounter(), &slot, Confirmation::default()).unwrap_err();
    assert!(refused.notice.contains("clinician"));
    let confirmed = Confirmation {
        approver: Some("Dr I Larkspur".into()),
        ..Confirmation::default()
    };
    let cleared = clear(c.encounter(), &slot, confirmed).unwrap();
    let other = some_slot(&c, &target, 40).await;
    let wrong = c
        .book(&target, &other, &details(None), &cleared)
        .await
        .unwrap_err();
    assert_eq!(wrong.kind, Kind::ApprovalNeeded);

    assert_eq!(c.may_refer(&target.service, false).await.unwrap(), Allowed);
    assert!(matches!(
        c.may_refer(&target.service, true).await.unwrap(),
        Withheld(_)
    ));
    let Booking::Booked(made) = c
        .book(&target, &slot, &details(None), &cleared)
        .await
        .unwrap()
    else {
        panic!("not booked")
    };
    assert!(made.outside_timeframe_minutes.unwrap() > 0);
    assert_eq!(c.may_refer(&target.service, true).await.unwrap(), Allowed);
    let day = jiff::SignedDuration::from_hours(24);
    let now = Timestamp::now();
    let outside = journey
        .journal()
        .outside(now - day, now + day)
        .await
        .unwrap();
    assert_eq!(outside.len(), 1);
    assert_eq!(outside[0].approver.as_deref(), Some("Dr I Larkspur"));
    c.cancel(&made.located().unwrap(), None).await.unwrap();
    assert!(matches!(
        c.may_refer(&target.service, true).await.unwrap(),
        Withheld(_)
    ));
    c.close().await.unwrap();
}
