//! What happens on PostgreSQL when connections are cut, the server is killed, or somebody goes past the store.

use super::proxy::{Cut, Proxy};
use super::store_fixture;
use super::store_fixture::raw::{Postgres, try_run};
use super::store_fixture::*;
use booking::slot::SlotStatus;
use provider::store::{
    AppointmentStatus, Options, SlotFilter, Store, StoreError, StoredAppointment, Tenant,
    WriteError,
};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use uuid::Uuid;

/// More statements than any write here has.
const STATEMENTS: usize = 60;

fn one_writer() -> Options {
    Options {
        writers: 1,
        ..Options::default()
    }
}

/// A store on a database of its own behind a proxy, and one that goes past it.
struct Behind {
    proxy: Proxy,
    store: Store,
    past: Store,
    raw: Postgres,
}

impl Behind {
    fn new() -> Behind {
        let url = server().migrated();
        let database = url.split('/').next_back().unwrap();
        let proxy = Proxy::to(server().port);
        let through = format!("postgres://uec@127.0.0.1:{}/{database}", proxy.port);
        Behind {
            store: Store::open(&through, &one_writer()).unwrap(),
            past: open_url(&url),
            raw: Postgres::connect(&url).unwrap(),
            proxy,
        }
    }

    fn count(&self, sql: &str) -> i64 {
        self.raw.rows(sql).unwrap()[0][0]
            .as_ref()
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// Every place at which a write can be cut, from the first on; the last is the one that it does not come to.
fn cuts() -> impl Iterator<Item = Cut> {
    (1..STATEMENTS).flat_map(|n| [Cut::Request(n), Cut::Answer(n)])
}

fn assert_booked_once(past: Tenant<'_>, slot: Uuid, made: &StoredAppointment, at: &str) {
    let history = past.history(&made.id).unwrap();
    assert_eq!(history, std::slice::from_ref(made), "{at}");
    let stored = past.slot(slot).unwrap().unwrap();
    assert_eq!(stored.booking, Some(made.id.clone()), "{at}");
    assert_eq!(stored.slot.status, SlotStatus::Busy, "{at}");
    let rows = trail(past);
    let named = rows
        .iter()
        .filter(|row| row["appointment"] == made.id.as_str());
    assert_eq!(named.count(), 1, "one audit row, {at}");
}

/// Proves: PROV-BOOK-01, PROV-BOOK-03, PROV-BOOK-11, NFR-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_cut_at_any_statement_is_made_exactly_once() {
    let behind = Behind::new();
    let (past, gp) = tenant(&behind.past).await;
    let tenant = behind.store.tenant(past.key());
    let slots = make_slots(past, gp, 2 * STATEMENTS).await;
    book(tenant, slots[0]).await;
    let (mut cut_here, mut missed) = (0, 0);
    for (cut, slot) in cuts().zip(&slots[1..]) {
        behind.proxy.arm(&[cut]);
        let wanted = booking(*slot, new_request_id());
        let id = wanted.id.clone();
        let made = tenant.book(wanted).await;
        let made = made.unwrap_or_else(|e| panic!("{cut:?}: {e}"));
        assert_eq!(made.id, id, "{cut:?}");
        assert_booked_once(past, *slot, &made, &format!("{cut:?}"));
        match behind.proxy.left() {
            0 => cut_here += 1,
            _ => missed += 1,
        }
        if missed == 4 {
            break;
        }
    }
    assert!(
        cut_here > 10 && missed == 4,
        "{cut_here} cuts, {missed} past the end"
    );
    assert_trail_verifies(past);
}

/// Proves: PROV-CAN-03, PROV-CAN-09, NFR-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_cut_at_any_statement_is_made_exactly_once() {
    let behind = Behind::new();
    let (past, gp) = tenant(&behind.past).await;
    let tenant = behind.store.tenant(past.key());
    let slots = make_slots(past, gp, 1).await;
    let first = book(tenant, slots[0]).await;
    tenant.cancel(cancellation(&first.id, 1)).await.unwrap();
    let mut missed = 0;
    for cut in cuts() {
        let made = book(past, slots[0]).await;
        behind.proxy.arm(&[cut]);
        let ended = tenant.cancel(cancellation(&made.id, 1)).await;
        let ended = ended.unwrap_or_else(|e| panic!("{cut:?}: {e}"));
        assert_eq!(
            (ended.version, ended.status),
            (2, AppointmentStatus::Cancelled)
        );
        assert_eq!(past.history(&made.id).unwrap().len(), 2, "{cut:?}");
        missed += behind.proxy.left();
        if missed == 4 {
            break;
        }
    }
    assert_eq!(missed, 4);
    assert_trail_verifies(past);
}

/// Batches of slots and declarations are made once, and counted as made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_and_declarations_cut_at_any_statement_are_made_exactly_once() {
    let behind = Behind::new();
    let (past, gp) = tenant(&behind.past).await;
    let tenant = behind.store.tenant(past.key());
    book(tenant, make_slots(past, gp, 1).await[0]).await;
    let mut missed = 0;
    for (n, cut) in cuts().enumerate() {
        behind.proxy.arm(&[cut]);
        let from = minutes(first_start(), 1_440 * (n as i64 + 1));
        let slots = new_slots_from(gp, from, 40);
        let made = tenant.insert_slots(slots, now(), &staff()).await;
        let made = made.unwrap_or_else(|e| panic!("{cut:?}: {e}"));
        assert_eq!((made.made, made.existing), (40, 0), "{cut:?}");
        missed += behind.proxy.left();
        if missed == 4 {
            break;
        }
    }
    assert_eq!(missed, 4);
    for (n, cut) in cuts().take(24).enumerate() {
        behind.proxy.arm(&[cut]);
        let (ods, asid) = (format!("FY{n:03}"), format!("9189991{n:05}"));
        let (made, gp) = tenant_named(&behind.store, &ods, &asid).await;
        let made = behind.past.tenant(made.key());
        assert_eq!(made.catalogue_version().unwrap(), 1, "{cut:?}");
        assert_eq!(schedule(made, "gp"), gp);
        assert_eq!(assert_trail_verifies(made), 1);
    }
    assert_trail_verifies(past);
}

/// Several cuts one after the other, at places drawn from a seed, with many bookings under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cuts_upon_cuts_lose_and_double_nothing() {
    let behind = Behind::new();
    let (past, gp) = tenant(&behind.past).await;
    let tenant = behind.store.tenant(past.key());
    let slots = make_slots(past, gp, 400).await;
    let mut seed: u64 = 0x5eed;
    let mut draw = |most: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) % most + 1) as usize
    };
    for some in slots.chunks(20) {
        let cuts: Vec<Cut> = (0..3)
            .map(|_| match draw(2) {
                1 => Cut::Request(draw(80)),
                _ => Cut::Answer(draw(80)),
            })
            .collect();
        behind.proxy.arm(&cuts);
        let tasks = book_at_once(tenant, some);
        for (task, slot) in tasks.into_iter().zip(some) {
            let made = task
                .await
                .unwrap()
                .unwrap_or_else(|e| panic!("{cuts:?}: {e}"));
            let stored = past.slot(*slot).unwrap().unwrap();
            assert_eq!(stored.booking, Some(made.id), "{cuts:?}");
        }
    }
    behind.proxy.arm(&[]);
    assert_eq!(behind.count("SELECT count(*) FROM appointment"), 400);
    assert_eq!(
        behind.count("SELECT count(*) FROM audit WHERE body LIKE '%\"book\"%'"),
        400
    );
    assert_trail_verifies(past);
}

/// A client that vanishes without a word leaves its lock behind; the server takes it away, and the booking is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_falls_silent_is_waited_out() {
    let behind = Behind::new();
    let (past, gp) = tenant(&behind.past).await;
    let tenant = behind.store.tenant(past.key());
    let slots = make_slots(past, gp, 2).await;
    book(tenant, slots[0]).await;
    behind.proxy.arm(&[Cut::Silence(5)]);
    // The silent connection never says anything again.
    let made = tenant
        .book(booking(slots[1], new_request_id()))
        .await
        .unwrap();
    assert_eq!(behind.proxy.left(), 0);
    assert_booked_once(past, slots[1], &made, "silence");
}

/// A read whose connection is cut is done again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_is_cut_is_done_again() {
    let behind = Behind::new();
    let (past, gp) = tenant(&behind.past).await;
    let tenant = behind.store.tenant(past.key());
    let slots = make_slots(past, gp, 1).await;
    tenant.slot(slots[0]).unwrap().unwrap();
    let seen = behind.store.revision().unwrap();
    for cut in cuts().take(6) {
        behind.proxy.arm(&[cut]);
        assert!(tenant.slot(slots[0]).unwrap().is_some(), "{cut:?}");
    }
    behind.proxy.arm(&[Cut::Answer(1)]);
    // After a lost connection everything may be different.
    testkit::until("the revision is another", || {
        behind.store.revision().unwrap() != seen
    });
}

/// An administrator who ends every connection again and again costs time, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_are_ended_lose_nothing() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let (key, slots) = (tenant.key(), make_slots(tenant, gp, 600).await);
    let over = Arc::new(AtomicBool::new(false));
    let booked = Arc::new(AtomicUsize::new(0));
    let ender = {
        let (over, postgres) = (over.clone(), server().url("postgres"));
        let booked = booked.clone();
        let database = place
            .url()
            .split('/')
            .next_back()
            .unwrap()
            .split('?')
            .next()
            .unwrap()
            .to_owned();
        std::thread::spawn(move || {
            let c = Postgres::connect(&postgres).unwrap();
            let sql = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
            );
            let (mut ended, mut next) = (0, 10);
            while !over.load(Ordering::Relaxed) {
                testkit::until("something is booked between", || {
                    booked.load(Ordering::Relaxed) >= next || over.load(Ordering::Relaxed)
                });
                ended += c.rows(&sql).unwrap().len();
                next = booked.load(Ordering::Relaxed) + 20;
            }
            ended
        })
    };
    let tasks: Vec<_> = slots
        .chunks(75)
        .map(|mine| {
            let (store, mine) = (store.clone(), mine.to_vec());
            let booked = booked.clone();
            tokio::spawn(async move {
                let tenant = store.tenant(key);
                for slot in mine {
                    let made = tenant.book(booking(slot, new_request_id())).await.unwrap();
                    booked.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(tenant.slot(slot).unwrap().unwrap().booking, Some(made.id));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    over.store(true, Ordering::Relaxed);
    assert!(ender.join().unwrap() > 0);
    assert_eq!(assert_trail_verifies(place.open().tenant(key)), 602);
}

/// The server is killed under load and comes back: what was acknowledged is there, nobody is told that his own slot was
/// taken by somebody, and no handle has to be opened again.
/// Proves: PROV-BOOK-01, NFR-02
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_killed_under_load_comes_back_with_everything() {
    let Some(own) = postgres_fixture("killed") else {
        return;
    };
    let own = Arc::new(own);
    try_run(&own.url("postgres"), "CREATE DATABASE uec").unwrap();
    let store = open_url(&own.url("uec"));
    let (tenant, gp) = tenant(&store).await;
    let (key, slots) = (tenant.key(), make_slots(tenant, gp, 4_000).await);
    let over = Arc::new(AtomicBool::new(false));
    let booked = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = slots
        .chunks(250)
        .map(|mine| {
            let (store, mine, over) = (store.clone(), mine.to_vec(), over.clone());
            let booked = booked.clone();
            tokio::spawn(async move {
                let (tenant, mut made) = (store.tenant(key), Vec::new());
                for slot in mine {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    match tenant.book(booking(slot, new_request_id())).await {
                        Ok(stored) => {
                            made.push((slot, stored.id));
                            booked.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(WriteError::Store(error)) => assert!(error.is_transient(), "{error}"),
                        Err(refused) => panic!("refused: {refused}"),
                    }
                }
                made
            })
        })
        .collect();
    let killer = own.clone();
    tokio::task::spawn_blocking(move || {
        let some_more = || {
            let wanted = booked.load(Ordering::Relaxed) + 40;
            testkit::until("some more are booked", || {
                booked.load(Ordering::Relaxed) >= wanted
            });
        };
        for _ in 0..3 {
            some_more();
            killer.kill_9();
            killer.up();
        }
        some_more();
    })
    .await
    .unwrap();
    over.store(true, Ordering::Relaxed);
    let mut made = Vec::new();
    for task in tasks {
        made.extend(task.await.unwrap());
    }
    assert!(made.len() >= 160, "{}", made.len());
    for (slot, id) in &made {
        let stored = tenant.slot(*slot).unwrap().unwrap();
        assert_eq!(stored.booking.as_ref(), Some(id));
    }
    let live = tenant.live_bookings(&[gp], first_start(), 10_000).unwrap();
    let each: HashSet<_> = live.iter().map(|b| b.slot.slot.key).collect();
    assert_eq!(each.len(), live.len());
    assert_trail_verifies(tenant);
}

fn postgres_fixture(name: &str) -> Option<store_fixture::postgres::Server> {
    // Syncs to the disk as in service.
    store_fixture::postgres::Server::start(name, &[])
}

/// Whoever goes past the lock of the tenant meets the constraints.
/// Proves: PROV-BOOK-03, PROV-BOOK-11
#[tokio::test]
async fn constraints_stand_behind_the_rules() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 1).await;
    let made = book(tenant, slots[0]).await;
    let raw = place.raw();
    let again = |change: &str| {
        let sql = format!(
            "BEGIN; CREATE TEMPORARY TABLE copy ON COMMIT DROP AS SELECT * FROM appointment;
             UPDATE copy SET key = key + 1000; {change}; INSERT INTO appointment SELECT * FROM copy; COMMIT"
        );
        let said = raw.try_run(&sql);
        let _ = raw.try_run("ROLLBACK");
        said
    };
    let live = again("UPDATE copy SET id = 'another'").unwrap_err();
    assert!(live.contains("appointment_live"), "{live}");
    let id = again("UPDATE copy SET live = 0").unwrap_err();
    assert!(id.contains("appointment_id"), "{id}");
    let used = raw
        .try_run(
            "INSERT INTO appointment_version SELECT tenant, appointment, 2, status, at, asid, ods, request_id, json
             FROM appointment_version",
        )
        .unwrap_err();
    assert!(used.contains("appointment_version_request"), "{used}");
    for sql in [
        "TRUNCATE appointment_version",
        "TRUNCATE audit",
        "DELETE FROM referral",
        "UPDATE referral_message SET body = body",
    ] {
        assert!(raw.try_run(sql).unwrap_err().contains("never"), "{sql}");
    }
    assert_eq!(tenant.history(&made.id).unwrap().len(), 1);
}

/// Two tenants are written for at the same time; a lock on one does not hold up the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_does_not_wait_for_another() {
    let place = Place::new();
    let store = place.open();
    let (one, gp) = tenant(&store).await;
    let (two, other_gp) = tenant_named(&store, "FX202", "918999000022").await;
    let slots = make_slots(one, gp, 1).await;
    let others = make_slots(two, other_gp, 5).await;
    let raw = place.raw();
    raw.run(&format!(
        "BEGIN; SELECT 1 FROM audit_head WHERE tenant = {} FOR UPDATE",
        one.key().number()
    ));
    let waiting = book_at_once(one, &slots).remove(0);
    // Booked while the lock is held.
    for slot in others {
        book(two, slot).await;
    }
    raw.run("COMMIT");
    match waiting.await.unwrap() {
        Ok(_) => {}
        // It has waited for as long as anybody waits for a lock.
        Err(WriteError::Store(StoreError::Busy { .. })) => drop(book(one, slots[0]).await),
        Err(error) => panic!("{error}"),
    }
}

/// A database that does not answer holds up its own callers only.
#[test]
fn a_slow_database_does_not_hold_up_the_server() {
    let place = Place::new();
    let store = place.open();
    let raw = place.raw();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    raw.run("BEGIN; LOCK TABLE tenant IN ACCESS EXCLUSIVE MODE");
    runtime.block_on(async {
        let reads: Vec<_> = (0..3)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.tenants() })
            })
            .collect();
        // The only worker goes on with others while the reads wait.
        tokio::spawn(async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        assert!(reads.iter().all(|read| !read.is_finished()));
        for read in reads {
            let outcome = read.await.unwrap();
            assert!(
                matches!(outcome, Err(StoreError::Busy { .. })),
                "{outcome:?}"
            );
        }
    });
    raw.run("ROLLBACK");
    assert!(store.tenants().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_any_process_changes_the_revision() {
    let place = Place::new();
    let (mine, other) = (place.open(), place.open());
    let (tenant, gp) = tenant(&mine).await;
    let slots = make_slots(tenant, gp, 60).await;
    for (n, slot) in slots.into_iter().enumerate() {
        let before = mine.revision().unwrap();
        match n % 2 {
            0 => book(tenant, slot).await,
            _ => {
                let made = book(other.tenant(tenant.key()), slot).await;
                // Another process's commit is noticed at the next look.
                let noticed = || mine.revision().unwrap() != before;
                testkit::until_async("the commit is noticed", noticed).await;
                made
            }
        };
        assert_ne!(mine.revision().unwrap(), before, "round {n}");
        let filter = SlotFilter {
            schedules: vec![gp],
            status: Some(SlotStatus::Busy),
            ..SlotFilter::default()
        };
        assert_eq!(tenant.slots(&filter, 100).unwrap().len(), n + 1);
    }
}
