//! A release after this one, made up: its steps are taken while a store of this release goes on, on both databases.

#![allow(clippy::unwrap_used)] // a test fails by panicking

#[allow(dead_code, reason = "of the fixture this needs a part")]
#[path = "../../tests/all/store_fixture/mod.rs"]
mod store_fixture;

use super::driver::Release;
use super::driver::postgres::shape;
use super::{Options, Store, StoreError, TenantKey, utc_day};
use crate::store::{AuditVerdict, SlotFilter};
use booking::ids::ResourceId;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use store_fixture::raw::{Postgres, Raw, try_run};
use store_fixture::*;
use uuid::Uuid;

/// Slots of the diary, many times what is booked in the time that this takes.
const SLOTS: usize = 6_000;
/// What a client does between two bookings.
const THOUGHT: Duration = Duration::from_millis(2);
/// Bookings before the steps are taken.
const BEFORE: usize = 20;
/// Bookings of the old store that must go through while the steps are kept waiting, and beside the new store.
const BESIDE: usize = 20;
/// New processes that start at the same time.
const STARTED: usize = 3;

/// A column that may be null, one with a default, a table, an index.
const MORE_SQLITE: &[&str] = &[
    "ALTER TABLE slot ADD COLUMN note TEXT;
     ALTER TABLE appointment ADD COLUMN weight INTEGER NOT NULL DEFAULT 0;
     CREATE TABLE parcel (tenant INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (tenant, key)) WITHOUT ROWID;",
    "CREATE INDEX slot_note ON slot (tenant, note) WHERE note IS NOT NULL",
];
const MORE_POSTGRES: &[&str] = &[
    "ALTER TABLE slot ADD COLUMN note TEXT;
     ALTER TABLE appointment ADD COLUMN weight BIGINT NOT NULL DEFAULT 0;
     CREATE TABLE parcel (tenant BIGINT NOT NULL, key BIGINT NOT NULL, PRIMARY KEY (tenant, key))",
    "-- Beside the writers.\nCREATE INDEX CONCURRENTLY slot_note ON slot (tenant, note) WHERE note IS NOT NULL",
];

fn next_release() -> Release {
    let more = |now: &[&'static str], more: &[&'static str]| -> &'static [&'static str] {
        Box::leak([now, more].concat().into_boxed_slice())
    };
    Release {
        sqlite: more(Release::CURRENT.sqlite, MORE_SQLITE),
        postgres: more(Release::CURRENT.postgres, MORE_POSTGRES),
    }
}

fn open_as(url: &str, release: Release) -> Result<Store, StoreError> {
    Store::open_as(url, &Options::default(), release)
}

/// What the clients of a store have done.
struct Load<'s> {
    tenant: TenantKey,
    slots: &'s [Uuid],
    next: AtomicUsize,
    cancelled: AtomicUsize,
    ended: AtomicBool,
}

impl Load<'_> {
    fn booked(&self) -> usize {
        self.next.load(Ordering::Acquire)
    }

    /// Books the next slot, looks it up as a search does, and cancels every fourth.
    async fn one(&self, store: &Store) {
        let turn = self.next.fetch_add(1, Ordering::AcqRel);
        let slot = *self.slots.get(turn).expect("slots enough");
        let made = book(store.tenant(self.tenant), slot).await;
        let placed = store.tenant(self.tenant).slot(slot).unwrap().unwrap();
        assert_eq!(placed.booking.as_ref(), Some(&made.id));
        store.revision().unwrap();
        let day = utc_day(placed.slot.start);
        let days = store
            .tenant(self.tenant)
            .slot_days(&[placed.schedule], day, day);
        let (version, rows) = store
            .tenant(self.tenant)
            .slots_of_day(placed.schedule, day)
            .unwrap();
        assert!(version >= days.unwrap().days[0].2);
        let row = rows.iter().find(|row| row.uuid == slot).unwrap();
        assert!(!row.status.is_free());
        if turn % 4 == 3 {
            let done = store
                .tenant(self.tenant)
                .cancel(cancellation(&made.id, 1))
                .await;
            assert_eq!(done.unwrap().version, 2);
            self.cancelled.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Goes on until told to stop.
    async fn run(&self, store: &Store) {
        while !self.ended.load(Ordering::Acquire) {
            self.one(store).await;
            tokio::time::sleep(THOUGHT).await;
        }
    }

    /// Waits until so many more were booked.
    fn goes_on(&self, more: usize) {
        let from = self.booked();
        testkit::until("the old store goes on", || self.booked() >= from + more);
    }
}

/// Ends the load also when the test fails, so that its threads do.
struct End<'l>(&'l AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Takes the steps of the next release while a store of this one books and searches; `meanwhile` is done just before.
fn upgrade(url: &str, raw: &Raw, meanwhile: impl FnOnce(&Load<'_>)) {
    let old = open_as(url, Release::CURRENT).unwrap();
    let (tenant, slots) = runtime().block_on(async {
        let (tenant, gp) = tenant(&old).await;
        (tenant.key(), make_slots(tenant, gp, SLOTS).await)
    });
    let load = Load {
        tenant,
        slots: &slots,
        next: AtomicUsize::new(0),
        cancelled: AtomicUsize::new(0),
        ended: AtomicBool::new(false),
    };
    runtime().block_on(async {
        for _ in 0..BEFORE {
            load.one(&old).await;
        }
    });
    let new = std::thread::scope(|scope| {
        let _end = End(&load.ended);
        let running = scope.spawn(|| runtime().block_on(load.run(&old)));
        let opening: Vec<_> = (0..STARTED)
            .map(|_| scope.spawn(|| open_as(url, next_release())))
            .collect();
        meanwhile(&load);
        let mut new: Vec<Store> = opening
            .into_iter()
            .map(|opened| opened.join().unwrap().unwrap())
            .collect();
        // Both releases beside each other, on the newer schema.
        let new = new.remove(0);
        let beside = scope.spawn({
            let new = new.clone();
            let load = &load;
            move || runtime().block_on(load.run(&new))
        });
        load.goes_on(BESIDE);
        load.ended.store(true, Ordering::Release);
        running.join().unwrap();
        beside.join().unwrap();
        new
    });
    holds(&old, &new, &load, raw);
    // The steps are not taken twice, and this release is refused when it is started now.
    drop(open_as(url, next_release()).unwrap());
    let refused = open_as(url, Release::CURRENT).err().unwrap();
    assert!(
        matches!(refused, StoreError::NewerSchema { .. }),
        "{refused}"
    );
}

/// Everything that was acknowledged is there, in the eyes of both.
fn holds(old: &Store, new: &Store, load: &Load<'_>, raw: &Raw) {
    let (booked, cancelled) = (load.booked(), load.cancelled.load(Ordering::Acquire));
    let count = |sql: &str| usize::try_from(raw.number(sql)).unwrap();
    assert_eq!(count("SELECT count(*) FROM appointment"), booked);
    assert_eq!(
        count("SELECT count(*) FROM appointment WHERE live = 1 AND weight = 0"),
        booked - cancelled
    );
    assert_eq!(
        count("SELECT count(DISTINCT slot) FROM appointment WHERE live = 1"),
        booked - cancelled
    );
    for store in [old, new] {
        let verdict = store.tenant(load.tenant).audit_verify().unwrap();
        let AuditVerdict::Verified { rows, .. } = verdict else {
            panic!("{verdict:?}");
        };
        assert!(usize::try_from(rows).unwrap() > booked + cancelled);
        let gp = schedule(store.tenant(load.tenant), "gp");
        let filter = SlotFilter {
            schedules: vec![gp],
            ..SlotFilter::default()
        };
        let counts = store.tenant(load.tenant).count_slots(&filter);
        assert_eq!(counts.unwrap().busy, (booked - cancelled) as u64);
        let unknown = ResourceId::parse(&Uuid::now_v7().to_string()).unwrap();
        assert!(
            store
                .tenant(load.tenant)
                .history(&unknown)
                .unwrap()
                .is_empty()
        );
    }
}

/// What a database is compared with when it is opened is what the steps make.
#[test]
fn the_shape_of_postgresql_is_what_the_steps_make() {
    let Some(server) = postgres_server() else {
        return;
    };
    let raw = Raw::Postgres(Postgres::connect(&server.migrated()).unwrap());
    let lines = raw.words(shape::LINES);
    let made: String = lines.iter().map(|row| format!("{}\n", row[0])).collect();
    if std::env::var_os("UEC_WRITE_SHAPE").is_some() {
        std::fs::write("src/store/driver/postgres/shape.txt", &made).unwrap();
    }
    assert!(
        made == shape::SHAPE,
        "run this test once with UEC_WRITE_SHAPE=1 after a new step of the schema"
    );
}

#[test]
fn steps_are_taken_on_sqlite_while_the_release_before_goes_on() {
    let place = Place::new();
    let url = place.url().to_owned();
    // The file is there before the look at it.
    drop(place.open());
    upgrade(&url, &place.raw(), |_| {});
}

#[test]
fn steps_are_taken_on_postgresql_while_the_release_before_goes_on() {
    let Some(server) = postgres_server() else {
        return;
    };
    let url = server.migrated();
    let raw = Raw::Postgres(Postgres::connect(&url).unwrap());
    // What was left by a process that was killed while it made the index.
    try_run(
        &url,
        "ALTER TABLE label ADD COLUMN left_over TEXT;
         CREATE INDEX slot_note ON label (left_over);
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'slot_note'::regclass",
    )
    .unwrap();
    // Somebody reads the table for a long time: the steps wait, and nobody waits behind them.
    let reader = Postgres::connect(&url).unwrap();
    reader.rows("BEGIN").unwrap();
    reader.rows("SELECT key FROM slot LIMIT 1").unwrap();
    upgrade(&url, &raw, |load| {
        load.goes_on(5 * BESIDE);
        let step = raw.number("SELECT number FROM uec_schema");
        assert_eq!(
            usize::try_from(step).unwrap(),
            Release::CURRENT.postgres.len()
        );
        reader.rows("COMMIT").unwrap();
    });
    let made = "SELECT count(*) FROM pg_index i WHERE i.indexrelid = 'slot_note'::regclass
                AND i.indisvalid AND i.indrelid = 'slot'::regclass";
    assert_eq!(raw.number(made), 1);
    let newest = raw.number("SELECT number FROM uec_schema");
    assert_eq!(
        usize::try_from(newest).unwrap(),
        next_release().postgres.len()
    );
}
