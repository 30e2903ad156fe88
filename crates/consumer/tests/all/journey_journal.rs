//! The journal as a file.

use booking::ids::NhsNumber;
use consumer::journal::{
    BookingRow, Encounter, Found, Journal, JournalError, Kept, Others, Settled, State, Which, Whose,
};
use consumer::plan::book::SlotClaim;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use testkit::assert_contains;

fn encounter(id: &str, at: Timestamp) -> Encounter {
    Encounter {
        id: id.into(),
        opened_at: at,
        user: "u-17".into(),
        within_minutes: Some(120),
        ..Encounter::default()
    }
}

fn row(document: &str, encounter: &str, start: Timestamp) -> BookingRow {
    BookingRow {
        document: document.into(),
        encounter: encounter.into(),
        service: "2000000011".into(),
        asid: "918999000011".into(),
        root: "https://p.example/STU3/1/X".into(),
        request_id: "r".into(),
        nhs_number: None,
        claim: SlotClaim {
            id: "s".into(),
            identifier: None,
            schedule: None,
            start: start.to_string(),
            end: start.to_string(),
            channel: None,
        },
        start,
        end: start,
        at: start,
        details_digest: None,
        replaces: None,
        told: Default::default(),
        outside_minutes: None,
        approver: None,
        patient_agreed: None,
    }
}

/// Proves: CONS-ERR-05, NFR-01
/// Only the owner may read the file, a foreign or newer one is refused, and what was acknowledged is there after
/// opening again.
#[tokio::test]
async fn a_private_file_that_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let now = Timestamp::now();
    {
        let journal = Journal::open(&path, false).unwrap();
        journal.encounter(encounter("e1", now)).await.unwrap();
        let step = journal
            .begin("e1", "slots", Some("2000000011"), now)
            .await
            .unwrap();
        let detail = serde_json::json!({ "long": "x".repeat(100_000) });
        journal.end(step, "shown", detail, now).await.unwrap();
        journal
            .requested(row("d1", "e1", now + SignedDuration::from_hours(1)), None)
            .await
            .unwrap();
        assert!(journal.begin("nobody", "slots", None, now).await.is_err());
    }
    #[cfg(unix)]
    for file in std::fs::read_dir(folder.path()).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let file = file.unwrap();
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{:?}",
            file.path()
        );
    }
    let journal = Journal::open(&path, false).unwrap();
    let live = journal
        .bookings(Which::Live, Whose::All, now)
        .await
        .unwrap();
    assert_eq!((live.len(), live[0].state), (1, State::Requested));
    let settled = Settled {
        state: State::Booked,
        appointment: Some("a".into()),
        url: Some("https://p.example/STU3/1/X/Appointment/a".into()),
        version: None,
        etag: None,
        open_question: None,
        at: now,
        asked_at: None,
    };
    journal.settle("d1", settled).await.unwrap();
    assert!(journal.is_booked("e1", "2000000011").await.unwrap());
    let again = journal
        .encounter(encounter("e1", now + SignedDuration::from_hours(5)))
        .await
        .unwrap();
    assert_eq!(
        again.opened_at.as_millisecond(),
        now.as_millisecond(),
        "an encounter begins once"
    );

    let other = folder.path().join("other.sqlite");
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (a)")
        .unwrap();
    let newer = folder.path().join("newer.sqlite");
    drop(Journal::open(&newer, false).unwrap());
    // Its own connection ends a little later.
    testkit::until("the journal lets it be changed", || {
        let raw = Connection::open(&newer).unwrap();
        raw.execute_batch("PRAGMA user_version = 99").is_ok()
    });
    let text = folder.path().join("text");
    std::fs::write(
        &text,
        "no database at all, but long enough to be looked at".repeat(20),
    )
    .unwrap();
    for bad in [
        &other,
        &newer,
        &text,
        &folder.path().join("no/such/folder/j"),
    ] {
        assert!(
            matches!(
                Journal::open(bad, false),
                Err(JournalError::Unusable { .. })
            ),
            "{bad:?}"
        );
    }
}

/// Proves: D-84
/// Where others may replace the file it is neither made nor opened, unless that is allowed.
#[cfg(unix)]
#[tokio::test]
async fn a_folder_of_everybody_is_refused() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let refused = Journal::open(&path, false).unwrap_err().to_string();
    assert_contains(&refused, &["(mode 0777)", "chmod"]);
    assert!(!path.exists());
    Journal::open(&path, true).unwrap();
    set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    Journal::open(&path, false).unwrap();
}

/// Proves: AUD-07
/// What is older than the retention goes, what is still to come stays.
#[tokio::test]
async fn old_encounters_are_pruned() {
    let journal = Journal::memory().unwrap();
    let now = Timestamp::now();
    let long_ago = now - SignedDuration::from_hours(24 * 400);
    for (id, at, start) in [
        ("old", long_ago, long_ago),
        ("ahead", long_ago, now + SignedDuration::from_hours(1)),
        ("new", now, now),
    ] {
        journal.encounter(encounter(id, at)).await.unwrap();
        let step = journal.begin(id, "book", None, at).await.unwrap();
        journal.shown(step, Vec::new()).await.unwrap();
        journal.requested(row(id, id, start), None).await.unwrap();
    }
    assert_eq!(
        journal
            .prune(now - SignedDuration::from_hours(24 * 365))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        journal
            .bookings(Which::Live, Whose::All, long_ago)
            .await
            .unwrap()
            .len(),
        2
    );
}

/// A list that was cut would be taken for the whole: too many are an error, a shorter time is answered.
#[tokio::test]
async fn a_list_of_bookings_outside_their_timeframe_is_never_cut() {
    let journal = Journal::memory().unwrap();
    let now = Timestamp::now();
    journal.encounter(encounter("e1", now)).await.unwrap();
    let minute = SignedDuration::from_mins(1);
    for n in 0..201 {
        let outside = BookingRow {
            outside_minutes: Some(5),
            ..row(&format!("d{n}"), "e1", now + minute * n)
        };
        journal.requested(outside, None).await.unwrap();
    }
    let all = journal.outside(now - minute, now + minute * 300).await;
    assert!(matches!(all, Err(JournalError::Failed(why)) if why.contains("more than 200")));
    let fewer = journal.outside(now - minute, now + minute * 199).await;
    assert_eq!(fewer.unwrap().len(), 200);
}

/// Proves: CONS-REB-04, D-53
/// Programs that ask for a booking of one patient at the same time: one may; another patient's is nobody's business.
#[tokio::test]
async fn of_several_programs_one_may_book_for_a_patient() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let now = Timestamp::now();
    let start = now + SignedDuration::from_hours(1);
    let others = || Others {
        known: vec!["known".to_owned()],
        theirs: Box::new(|_| true),
    };
    let mut programs = Vec::new();
    for n in 0..8 {
        let journal = Journal::open(&path, false).unwrap();
        journal.encounter(encounter("e1", now)).await.unwrap();
        if n == 0 {
            journal
                .requested(row("known", "e1", start), None)
                .await
                .unwrap();
            let another = BookingRow {
                nhs_number: NhsNumber::parse("9990123454").ok(),
                ..row("another", "e1", start)
            };
            journal.requested(another, None).await.unwrap();
        }
        programs.push(journal);
    }
    let asked = programs.into_iter().enumerate().map(|(n, journal)| {
        tokio::spawn(async move {
            let document = format!("d{n}");
            journal
                .requested(row(&document, "e1", start), Some(others()))
                .await
        })
    });
    let mut kept = 0;
    for asked in asked.collect::<Vec<_>>() {
        kept += usize::from(asked.await.unwrap().unwrap() == Kept::Yes);
    }
    assert_eq!(kept, 1);
}

/// Proves: D-53
/// What one program learned of its request says nothing of the request that another made since.
#[tokio::test]
async fn a_repeat_is_not_settled_by_the_refusal_of_the_first() {
    let journal = Journal::memory().unwrap();
    let first = Timestamp::now();
    let repeat = first + SignedDuration::from_millis(1);
    let start = first + SignedDuration::from_hours(1);
    journal.encounter(encounter("e1", first)).await.unwrap();
    let booking = BookingRow {
        at: first,
        ..row("d1", "e1", start)
    };
    journal.requested(booking, None).await.unwrap();
    assert!(journal.asked_again("d1", "r", repeat).await.unwrap());
    for (asked_at, state) in [(first, State::Requested), (repeat, State::Failed)] {
        let refused = Settled {
            asked_at: Some(asked_at),
            ..Settled::without_appointment(State::Failed, None)
        };
        journal.settle("d1", refused).await.unwrap();
        let found = journal.find("d1").await.unwrap();
        assert!(
            matches!(&found, Found::One(known) if known.state == state),
            "{found:?}"
        );
    }
    // What has ended is not asked for again.
    let late = repeat + SignedDuration::from_millis(1);
    assert!(!journal.asked_again("d1", "r", late).await.unwrap());
}

/// Proves: CONS-REB-04, D-53
/// A patient without an NHS number is found among all the others without one, however many there are.
#[tokio::test]
async fn a_nameless_patient_is_found_among_many() {
    let journal = Journal::memory().unwrap();
    let now = Timestamp::now();
    let start = now + SignedDuration::from_hours(1);
    journal.encounter(encounter("e1", now)).await.unwrap();
    let minute = SignedDuration::from_mins(1);
    for n in 0..250 {
        let one = BookingRow {
            at: now + minute * n,
            ..row(&format!("d{n}"), "e1", start + minute * (250 - n))
        };
        journal.requested(one, None).await.unwrap();
    }
    for which in [Which::Live, Which::Unsettled] {
        let found = journal.bookings(which, Whose::Nameless, now).await.unwrap();
        assert_eq!(found.len(), 250, "{which:?}");
    }
    let others = Others {
        known: Vec::new(),
        theirs: Box::new(|row| row.document == "d0"),
    };
    let kept = journal
        .requested(row("new", "e1", start), Some(others))
        .await;
    assert!(matches!(kept.unwrap(), Kept::Other(row) if row.document == "d0"));
}

/// Proves: D-53
/// Whether a booking leaves or is settled as never sent: the first of the two stops the other. Of rows that an earlier
/// release wrote nobody knows.
#[tokio::test]
async fn a_booking_leaves_or_was_never_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let now = Timestamp::now();
    let start = now + SignedDuration::from_hours(1);
    let old = Connection::open(&path).unwrap();
    for step in [
        include_str!("../../src/journal/0001_initial.sql"),
        include_str!("../../src/journal/0002_taken_up.sql"),
        "PRAGMA application_id = 0x5545434A; PRAGMA user_version = 2;",
    ] {
        old.execute_batch(step).unwrap();
    }
    let (begun, starts) = (now.as_millisecond(), start.as_millisecond());
    old.execute_batch(&format!(
        "INSERT INTO encounter (id, opened_at, user, clinical) VALUES ('e0', {begun}, 'u', 0);
         INSERT INTO booking (document, encounter, service, asid, root, request_id, slot, start, end, state, requested_at)
         VALUES ('old', 'e0', 's', 'a', 'r', 'q', 'slot', {starts}, {starts}, 'requested', {begun})"
    ))
    .unwrap();
    drop(old);
    let (one, other) = (
        Journal::open(&path, false).unwrap(),
        Journal::open(&path, false).unwrap(),
    );
    one.encounter(encounter("e1", now)).await.unwrap();
    for document in ["first", "second"] {
        one.requested(row(document, "e1", start), None)
            .await
            .unwrap();
    }
    assert!(one.leaving("first").await.unwrap());
    assert!(!other.not_sent("first", now).await.unwrap());
    assert!(one.leaving("first").await.unwrap(), "a repeat leaves too");
    assert!(other.not_sent("second", now).await.unwrap());
    assert!(!one.leaving("second").await.unwrap());
    assert!(!other.not_sent("old", now).await.unwrap());
    for (document, state, may_have_left) in [
        ("first", State::Requested, true),
        ("second", State::Failed, false),
        ("old", State::Requested, true),
    ] {
        let found = one.find(document).await.unwrap();
        assert!(
            matches!(&found, Found::One(k) if (k.state, k.may_have_left) == (state, may_have_left)),
            "{document}: {found:?}"
        );
    }
}
