//! What happens when the disk is full, another program holds the lock, or the process is killed.

use super::store_fixture::*;
use provider::referral::{Reason, Wire, Wrapper};
use provider::store::{Arrival, Filed, Options, ReferralFilter, StoreError, WriteError};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Names the database to the child process of the crash test.
const CRASH_DATABASE: &str = "UEC_TEST_CRASH_DATABASE";
/// Rounds of the crash test; each kills the process at another moment.
const CRASHES: usize = 4;

/// A server that has room for a hundred versions of appointments.
const FULL_ON_POSTGRES: &str =
    "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF (SELECT count(*) FROM appointment_version) >= 100 THEN
         RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full';
       END IF;
       RETURN NULL;
     END $$;
     CREATE TRIGGER full_disk BEFORE INSERT ON appointment_version EXECUTE FUNCTION full_disk()";

/// Proves: NFR-02
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_disk_fails_the_group_and_the_writer_goes_on() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let (key, slots) = (tenant.key(), make_slots(tenant, gp, 400).await);
    drop(store);
    let store = match on_postgres() {
        // The server's disk is not the test's to fill: the server says that it is full, as it would.
        true => {
            place.raw().run(FULL_ON_POSTGRES);
            place.open()
        }
        // The limit is a property of a connection, so the store is told to set it on its writer.
        false => {
            let raw = rusqlite::Connection::open(place.file()).unwrap();
            let pages: i64 = raw
                .pragma_query_value(None, "page_count", |r| r.get(0))
                .unwrap();
            place.open_with(&Options {
                max_pages: Some(pages + 12),
                ..Options::default()
            })
        }
    };
    let tenant = store.tenant(key);
    let mut made = Vec::new();
    let mut full = 0;
    for round in slots[..320].chunks(64) {
        for task in book_at_once(tenant, round) {
            match task.await.unwrap() {
                Ok(booked) => made.push(booked),
                Err(WriteError::Store(error)) => {
                    assert_eq!(error, StoreError::Full);
                    assert!(error.is_transient());
                    full += 1;
                }
                Err(refused) => panic!("{refused}"),
            }
        }
    }
    assert!(full > 0, "the limit was reached");
    assert!(!made.is_empty(), "there was room for some");
    // Rows written late wait for space, they are not lost.
    tenant.audit_soon(&staff()).await.unwrap();
    let booked = tenant.live_bookings(&[gp], first_start(), 1_000).unwrap();
    assert_eq!(
        booked.len(),
        made.len(),
        "exactly what was answered is stored"
    );
    drop(store);

    if on_postgres() {
        place
            .raw()
            .run("DROP TRIGGER full_disk ON appointment_version");
    }
    let store = place.open();
    let tenant = store.tenant(key);
    assert_trail_verifies(tenant);
    let mut ids: Vec<_> = booked.iter().map(|b| b.id.clone()).collect();
    let mut answered: Vec<_> = made.iter().map(|b| b.id.clone()).collect();
    ids.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    answered.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    assert_eq!(ids, answered);
    book(tenant, slots[399]).await;
}

/// Space comes back while the store is open.
#[tokio::test]
async fn writes_succeed_again_when_there_is_space_again() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 3).await;
    let raw = place.raw();
    // Stands for a fault in the middle of a transaction.
    raw.run(text(
        "CREATE TRIGGER faulty BEFORE INSERT ON document_link BEGIN SELECT RAISE(ROLLBACK, 'no space'); END",
        "CREATE TRIGGER faulty BEFORE INSERT ON document_link EXECUTE FUNCTION uec_refuse('no space')",
    ));
    assert!(matches!(
        tenant.book(booking(slots[0], new_request_id())).await,
        Err(WriteError::Store(_))
    ));
    raw.run(text(
        "DROP TRIGGER faulty",
        "DROP TRIGGER faulty ON document_link",
    ));
    book(tenant, slots[0]).await;
    assert_trail_verifies(tenant);
}

/// A commit that fails takes the whole group with it: nobody is told that anything was stored, and nothing was. Rows
/// written late are kept for a later group.
/// Proves: PROV-BOOK-01, AUD-01
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failed_commit_is_told_to_the_whole_group() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 32).await;
    let raw = place.raw();
    // A reference that is checked at COMMIT stands for a disk that fails there.
    raw.run(text(
        "CREATE TABLE late (tenant REFERENCES tenant (key) DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER faulty AFTER INSERT ON document_link BEGIN INSERT INTO late VALUES (4711); END",
        "CREATE TABLE late (tenant BIGINT REFERENCES tenant (key) DEFERRABLE INITIALLY DEFERRED);
         CREATE FUNCTION faulty() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO late VALUES (4711); RETURN NULL; END $$;
         CREATE TRIGGER faulty AFTER INSERT ON document_link EXECUTE FUNCTION faulty()",
    ));
    let rows = trail(tenant).len();
    let tasks = book_at_once(tenant, &slots);
    tenant.audit_soon(&staff()).await.unwrap();
    for task in tasks {
        assert!(matches!(task.await.unwrap(), Err(WriteError::Store(_))));
    }
    assert!(
        tenant
            .live_bookings(&[gp], first_start(), 100)
            .unwrap()
            .is_empty()
    );
    raw.run(text(
        "DROP TRIGGER faulty",
        "DROP TRIGGER faulty ON document_link",
    ));
    book(tenant, slots[0]).await;
    store.close();
    let again = place.open();
    let tenant = again.tenant(tenant.key());
    assert_eq!(
        trail(tenant).len(),
        rows + 2,
        "the booking's row and the late one"
    );
    assert_trail_verifies(tenant);
}

/// A lock held by another program is waited for, but not for ever.
#[tokio::test]
async fn a_lock_held_too_long_is_answered_busy() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 2).await;
    let raw = place.raw();
    raw.run(text(
        "BEGIN IMMEDIATE",
        "BEGIN; SELECT 1 FROM audit_head FOR UPDATE",
    ));
    // Answered while the lock is still held.
    let outcome = tenant.book(booking(slots[0], new_request_id())).await;
    assert!(matches!(
        outcome,
        Err(WriteError::Store(StoreError::Busy { .. }))
    ));
    assert!(tenant.slot(slots[0]).unwrap().is_some(), "reads go on");
    raw.run("COMMIT");
    book(tenant, slots[0]).await;
}

/// More writes than may wait are turned away after a bounded time.
#[tokio::test]
async fn a_full_queue_is_answered_busy() {
    let place = Place::new();
    let options = Options {
        queue: 1,
        queue_wait: Duration::from_millis(50),
        ..Options::default()
    };
    let store = place.open_with(&options);
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 3).await;
    let mut slow = booking(slots[0], new_request_id());
    let decide = slow.decide;
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    slow.decide = Box::new(move |slot, counts| {
        begun.send(()).unwrap();
        may_go_on.lock().unwrap().recv().unwrap();
        decide(slot, counts)
    });
    let first = tokio::spawn({
        let (store, key) = (store.clone(), tenant.key());
        async move { store.tenant(key).book(slow).await }
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap())
        .await
        .unwrap();
    let outcome = tenant.book(booking(slots[1], new_request_id())).await;
    assert!(
        matches!(outcome, Err(WriteError::Store(StoreError::Busy { .. }))),
        "the place is still taken"
    );
    go_on.send(()).unwrap();
    first.await.unwrap().unwrap();
    book(tenant, slots[2]).await;
}

/// What waits when the store is closed is still done; what comes later is told so. Nothing is half done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_does_what_is_waiting() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 500).await;
    let tasks = book_at_once(tenant, &slots);
    testkit::until_async("some are booked", || tasks.iter().any(|t| t.is_finished())).await;
    let closing = store.clone();
    tokio::task::spawn_blocking(move || closing.close())
        .await
        .unwrap();
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error, WriteError::Store(StoreError::Closed)),
        }
    }
    let key = tenant.key();
    drop(store);
    let store = place.open();
    let tenant = store.tenant(key);
    assert_eq!(
        tenant
            .live_bookings(&[gp], first_start(), 1_000)
            .unwrap()
            .len(),
        made
    );
    assert_trail_verifies(tenant);
}

/// While another program holds the lock, everybody who waits is told together.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_that_wait_for_a_lock_are_told_together() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 40).await;
    let raw = place.raw();
    raw.run(text(
        "BEGIN IMMEDIATE",
        "BEGIN; SELECT 1 FROM audit_head FOR UPDATE",
    ));
    let begun = Instant::now();
    let tasks = book_at_once(tenant, &slots);
    for task in tasks {
        let outcome = task.await.unwrap();
        assert!(matches!(
            outcome,
            Err(WriteError::Store(StoreError::Busy { .. }))
        ));
    }
    // One after the other they would have waited twice as long at the very least.
    let each = Duration::from_secs(2);
    assert!(begun.elapsed() < each * 40 / 2, "{:?}", begun.elapsed());
    drop(raw);
    book(tenant, slots[0]).await;
}

/// Not a test of its own: the process that the crash test kills. It books slot after slot from many tasks and prints
/// the id of each booking after it was acknowledged.
#[test]
fn crash_child() {
    let Ok(file) = std::env::var(CRASH_DATABASE) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = open_url(&file);
        let key = store.tenants().unwrap()[0].key;
        let tenant = store.tenant(key);
        let gp = schedule(tenant, "gp");
        let filter = provider::store::SlotFilter {
            schedules: vec![gp],
            status: Some(booking::slot::SlotStatus::Free),
            ..Default::default()
        };
        let free = tenant.slots(&filter, 100_000).unwrap();
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let mine: Vec<_> = free
                    .iter()
                    .skip(n)
                    .step_by(16)
                    .map(|s| s.slot.uuid)
                    .collect();
                let store = store.clone();
                tokio::spawn(async move {
                    for slot in mine {
                        let made = book(store.tenant(key), slot).await;
                        println!("booked {}", made.id);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Proves: PROV-BOOK-01, NFR-02
#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    make_slots(tenant, gp, 20_000).await;
    let key = tenant.key();
    drop(store);
    let mut acknowledged = Vec::new();
    for round in 0..CRASHES {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                text(
                    "store_failure::crash_child",
                    "postgres::store_failure::crash_child",
                ),
                "--exact",
                "--nocapture",
                "--test-threads",
                "1",
            ])
            .env(CRASH_DATABASE, place.url())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = 40 + 173 * round;
        for _ in 0..wanted {
            let Some(Ok(line)) = lines.next() else { break };
            if let Some(at) = line.find("booked ") {
                acknowledged.push(line[at + 7..].to_owned());
            }
        }
        child.kill().unwrap();
        // Acknowledged before the kill took effect, still in the pipe; the last line may be torn.
        for line in lines.map_while(Result::ok) {
            let id = line.strip_prefix("booked ").unwrap_or("");
            if id.len() == 36 {
                acknowledged.push(id.to_owned());
            }
        }
        child.wait().unwrap();
        assert_trail_verifies(place.open().tenant(key));
    }
    assert!(acknowledged.len() > 300, "{}", acknowledged.len());
    let store = place.open();
    let tenant = store.tenant(key);
    let live = tenant.live_bookings(&[gp], first_start(), 100_000).unwrap();
    let ids: std::collections::HashSet<_> = live.iter().map(|b| b.id.as_str().to_owned()).collect();
    let slots: std::collections::HashSet<_> = live.iter().map(|b| b.slot.slot.key).collect();
    assert_eq!(
        (ids.len(), slots.len()),
        (live.len(), live.len()),
        "no slot is booked twice"
    );
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|id| !ids.contains(*id))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    if !on_postgres() {
        let raw = rusqlite::Connection::open(place.file()).unwrap();
        let sound: String = raw
            .query_row("PRAGMA integrity_check", [], |r| r.get(0))
            .unwrap();
        assert_eq!(sound, "ok");
    }
    let odd = place.raw().number(
        "SELECT count(*) FROM slot s LEFT JOIN appointment a ON a.slot = s.key AND a.live = 1
         WHERE (s.status = 1) <> (a.key IS NOT NULL)",
    );
    assert_eq!(odd, 0, "a slot is busy exactly when it has a live booking");
    let booked_rows = trail(tenant)
        .iter()
        .filter(|row| row["interaction"] == "book")
        .count();
    assert_eq!(booked_rows, live.len(), "one audit row each");
}

/// Proves: D-69
/// PostgreSQL keeps no NUL in text; whatever text comes here, neither database refuses it for ever.
#[tokio::test]
async fn a_nul_in_a_text_is_no_reason_to_keep_nothing() {
    let store = memory();
    let (tenant, _) = tenant(&store).await;
    let nul = |text: &str| format!("{text}\0{text}");
    let arrival = received(b"a\0b");
    let mut entry = arrival.entry.clone();
    entry.query = Some(nul("tracking"));
    let arrival = Arrival {
        wire: Wire::FhirJson,
        wrapper: Wrapper {
            tracking: Some(nul("t")),
            service: Some(nul("s")),
            sender: Some(nul("f")),
            ..Wrapper::default()
        },
        document: Err(Reason::invalid(nul("It is odd."))),
        entry,
        ..arrival
    };
    let filed = store
        .file_referral(Some(tenant.key()), arrival)
        .await
        .unwrap();
    let Filed::Quarantined { id, .. } = filed else {
        panic!("{filed:?}");
    };
    let kept = store
        .referrals(Some(tenant.key()), ReferralFilter::Quarantined, 10)
        .unwrap();
    assert_eq!(kept[0].tracking, Some("t\u{fffd}t".into()));
    let bytes = store.referral_message(Some(tenant.key()), id).unwrap();
    assert_eq!(bytes.as_deref(), Some(&b"a\0b"[..]));
    // The same again is found by its reason, which was stored without the NUL.
    assert_trail_verifies(tenant);
}
