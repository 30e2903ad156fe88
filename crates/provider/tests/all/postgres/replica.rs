//! Searches at a streaming standby: never older than the primary, and none that fails because the standby does. Two real
//! servers.

use super::store_fixture::postgres::Server;
use super::store_fixture::raw::Postgres;
use super::store_fixture::*;
use booking::slot::SlotStatus;
use provider::store::{Options, ScheduleKey, SlotRow, Store, StoreError, TenantKey, utc_day};
use uuid::Uuid;

/// Slots of the diary.
const SLOTS: usize = 400;

/// A primary, a standby, and a store that reads at the standby where it may.
struct Pair {
    standby: Server,
    /// The standby's database.
    look: String,
    primary_url: String,
    store: Store,
    tenant: TenantKey,
    schedule: ScheduleKey,
    slots: Vec<Uuid>,
    primary: Server,
}

async fn pair(name: &str) -> Option<Pair> {
    let primary = Server::start(&format!("{name}-primary"), &["fsync=off"])?;
    if !primary.copies() {
        return None;
    }
    let primary_url = primary.empty();
    let standby = primary.standby(&format!("{name}-standby"), &["fsync=off"]);
    let database = primary_url.rsplit('/').next().unwrap();
    let look = standby.url(database.split('?').next().unwrap());
    let options = Options {
        replica: Some(look.clone()),
        ..Options::default()
    };
    let store = Store::open(&primary_url, &options).unwrap();
    let (tenant, schedule) = tenant(&store).await;
    let slots = make_slots(tenant, schedule, SLOTS).await;
    let tenant = tenant.key();
    let pair = Pair {
        standby,
        look,
        primary_url,
        store,
        tenant,
        schedule,
        slots,
        primary,
    };
    pair.wait_until_used();
    Some(pair)
}

impl Pair {
    /// The day of a slot, as a search reads it.
    fn day_of(&self, n: usize) -> Vec<SlotRow> {
        let start = minutes(first_start(), 10 * i64::try_from(n).unwrap());
        self.store.revision().unwrap();
        let day = self
            .store
            .tenant(self.tenant)
            .slots_of_day(self.schedule, utc_day(start));
        day.unwrap().1
    }

    #[track_caller]
    fn is_free(&self, n: usize) -> bool {
        let day = self.day_of(n);
        let row = day.iter().find(|row| row.uuid == self.slots[n]).unwrap();
        row.status == SlotStatus::Free
    }

    /// What the standby says its clock is.
    fn clock(&self) -> Option<String> {
        let look = Postgres::connect(&self.look).ok()?;
        look.rows("SELECT clock_timestamp()").ok()?[0][0].clone()
    }

    /// Reads of the diary that the standby has answered since then: a look at them is the last of the session that asks.
    fn reads_at_standby(&self, since: &str) -> usize {
        let Ok(look) = Postgres::connect(&self.look) else {
            return 0;
        };
        let asked = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'uec'
             AND query LIKE '%LEFT JOIN slot s%' AND state_change > '{since}'"
        );
        look.rows(&asked).map_or(0, |rows| {
            rows[0][0].as_ref().map_or(0, |n| n.parse().unwrap())
        })
    }

    /// Searches until the standby answers.
    fn wait_until_used(&self) {
        let since = testkit::found("the standby is there", || self.clock());
        testkit::until("the standby is used", || {
            self.day_of(0);
            self.reads_at_standby(&since) > 0
        });
    }

    fn standby_does(&self, sql: &str) {
        Postgres::connect(&self.look).unwrap().rows(sql).unwrap();
    }
}

#[tokio::test]
async fn nothing_is_offered_that_was_taken_before() {
    let Some(pair) = pair("offered").await else {
        return;
    };
    let other = Store::open(&pair.primary_url, &Options::default()).unwrap();
    // The standby follows as fast as it can: what is not there yet is read at the primary.
    for n in 0..100 {
        assert!(pair.is_free(n));
        let by = if n % 2 == 0 { &pair.store } else { &other };
        book(by.tenant(pair.tenant), pair.slots[n]).await;
        if n % 2 == 1 {
            // Another process's commit is noticed at the next look.
            testkit::until("the booking is noticed", || !pair.is_free(n));
        }
        assert!(!pair.is_free(n), "{n}");
    }
    pair.wait_until_used();
    // The standby stands still.
    pair.standby_does("SELECT pg_wal_replay_pause()");
    for n in 100..150 {
        book(pair.store.tenant(pair.tenant), pair.slots[n]).await;
        assert!(!pair.is_free(n), "{n}");
    }
    let since = pair.clock().unwrap();
    assert!(!pair.is_free(149));
    assert_eq!(
        pair.reads_at_standby(&since),
        0,
        "it is not asked for what it has not"
    );
    pair.standby_does("SELECT pg_wal_replay_resume()");
    pair.wait_until_used();
    assert!(!pair.is_free(149) && pair.is_free(150));
    assert_trail_verifies(pair.store.tenant(pair.tenant));
}

#[tokio::test]
async fn a_standby_that_goes_away_is_not_missed() {
    let Some(pair) = pair("away").await else {
        return;
    };
    pair.standby.kill_9();
    for n in 0..20 {
        book(pair.store.tenant(pair.tenant), pair.slots[n]).await;
        assert!(!pair.is_free(n), "{n}");
    }
    pair.standby.up();
    pair.wait_until_used();
    assert!(!pair.is_free(19) && pair.is_free(20));
    // One that was promoted by mistake writes a history of its own, also where its log is longer.
    pair.standby.promote();
    pair.standby_does(
        "CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)",
    );
    for n in 20..60 {
        book(pair.store.tenant(pair.tenant), pair.slots[n]).await;
        assert!(!pair.is_free(n), "{n}");
    }
    assert!(pair.is_free(60));
}

/// Ids of the primary's sessions that wait until a standby has a commit.
fn waiting(look: &Postgres) -> Vec<String> {
    let asked = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let rows = look.rows(asked).unwrap();
    rows.into_iter().filter_map(|row| row[0].clone()).collect()
}

/// A commit that waits for its synchronous standby is broken off: the server keeps it, and the program sees it. It is not
/// acknowledged before a standby has it.
///
/// Proves: NFR-02, PROV-BOOK-01
#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_at_the_synchronous_standby() {
    let Some(pair) = pair("synchronous").await else {
        return;
    };
    let look = Postgres::connect(&pair.primary_url).unwrap();
    let primary = |sql: &str| pair.primary.psql(sql).unwrap();
    primary("ALTER SYSTEM SET synchronous_standby_names = '*'");
    primary("SELECT pg_reload_conf()");
    testkit::until("a synchronous standby", || {
        let asked = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
        !look.rows(asked).unwrap().is_empty()
    });
    pair.standby.kill_9();
    let (store, tenant, slot) = (pair.store.clone(), pair.tenant, pair.slots[7]);
    let booking = tokio::spawn(async move { book(store.tenant(tenant), slot).await });
    testkit::until("a commit that waits", || !waiting(&look).is_empty());
    let first = waiting(&look).remove(0);
    primary(&format!("SELECT pg_terminate_backend({first})"));
    testkit::until("another commit that waits", || {
        waiting(&look).iter().any(|pid| *pid != first) || booking.is_finished()
    });
    assert!(!booking.is_finished(), "acknowledged without a standby");
    pair.standby.up();
    let made = booking.await.unwrap();
    let stored = pair.store.tenant(pair.tenant).appointment(&made.id, None);
    assert_eq!(stored.unwrap().unwrap().version, 1);
    assert!(!pair.is_free(7));
    testkit::until("the standby has it", || {
        let rows = Postgres::connect(&pair.look).and_then(|l| l.rows("SELECT id FROM appointment"));
        rows.is_ok_and(|rows| rows.len() == 1)
    });
    assert_trail_verifies(pair.store.tenant(pair.tenant));
}

#[test]
fn a_replica_without_a_primary_is_refused_and_its_password_never_shown() {
    let options = Options {
        replica: Some("postgres://uec:s3cret@h/d".to_owned()),
        ..Options::default()
    };
    assert!(!format!("{options:?}").contains("s3cret"));
    let said = Store::open("sqlite::memory:", &options).err().unwrap();
    assert!(matches!(said, StoreError::Address { .. }), "{said}");
    assert!(!said.to_string().contains("s3cret"), "{said}");
}
