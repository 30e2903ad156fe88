//! A copy of a server made while bookings go on, brought to a chosen moment from the archive of its log: what was
//! acknowledged before the moment is there, nothing of what came after, and booking goes on. As docs/postgresql.md
//! describes it.

use super::store_fixture::postgres::Server;
use super::store_fixture::raw::try_run;
use super::store_fixture::*;
use provider::store::{Options, Store, Tenant, TenantKey};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// Slots of the diary, many more than are booked.
const SLOTS: usize = 600;
/// Bookings before the copy, between the copy and the moment, and after it.
const EACH: usize = 30;
/// What a client does between two bookings.
const THOUGHT: Duration = Duration::from_millis(3);

/// Books one slot after the other until told to stop.
async fn book_on(tenant: Tenant<'_>, slots: &[Uuid], booked: &AtomicUsize, ended: &AtomicBool) {
    for slot in slots {
        if ended.load(Ordering::Acquire) {
            return;
        }
        book(tenant, *slot).await;
        booked.fetch_add(1, Ordering::AcqRel);
        tokio::time::sleep(THOUGHT).await;
    }
}

/// Proves: NFR-02
#[test]
fn a_copy_is_brought_to_the_moment_before_the_mistake() {
    let archive =
        "archive_command=test ! -f \"$PWD/../archive/%f\" && cp %p \"$PWD/../archive/%f\"";
    let settings = ["fsync=off", "archive_mode=on", archive];
    let Some(primary) = Server::start("archived", &settings) else {
        return;
    };
    if !primary.copies() {
        return;
    }
    let archive = primary.folder("archive");
    let url = primary.empty();
    let store = open_url(&url);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (tenant, slots) = runtime.block_on(async {
        let (tenant, gp) = tenant(&store).await;
        (tenant, make_slots(tenant, gp, SLOTS).await)
    });
    let (booked, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    let go_on = |more: usize| {
        let from = booked.load(Ordering::Acquire);
        testkit::until("bookings", || booked.load(Ordering::Acquire) >= from + more);
    };
    let copy = std::thread::scope(|scope| {
        scope.spawn(|| runtime.block_on(book_on(tenant, &slots, &booked, &ended)));
        go_on(EACH);
        // While bookings go on.
        let copy = primary.base_backup("copy", &["--wal-method", "none"]);
        go_on(EACH);
        ended.store(true, Ordering::Release);
        copy
    });
    let before = booked.load(Ordering::Acquire);
    primary
        .psql("SELECT pg_create_restore_point('before_the_mistake')")
        .unwrap();
    // The mistake, and what came after it.
    runtime.block_on(async {
        for slot in &slots[before..before + EACH] {
            book(tenant, *slot).await;
        }
    });
    try_run(&url, "SELECT pg_switch_wal()").unwrap();
    testkit::until("the log is archived", || {
        let archived = "SELECT 1 / (last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1))::int FROM pg_stat_archiver";
        primary.psql(archived).is_ok()
    });
    let restore = format!("restore_command=cp \"{}/%f\" %p", archive.display());
    let recovered = primary.recovered(
        &copy,
        &[
            &restore,
            "recovery_target_name=before_the_mistake",
            "recovery_target_action=promote",
            "fsync=off",
        ],
    );
    let database = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    holds(&recovered.url(database), tenant.key(), &slots, before);
    // The server that was copied knows nothing of it.
    assert_trail_verifies(tenant);
}

/// Exactly the bookings of before, an unbroken audit trail, and the next booking.
fn holds(url: &str, tenant: TenantKey, slots: &[Uuid], before: usize) {
    // Until the moment is reached the server takes no writes; opening waits for it.
    let store = Store::open(url, &Options::default()).unwrap();
    let tenant = store.tenant(tenant);
    let live = |n: usize| tenant.slot(slots[n]).unwrap().unwrap().booking.is_some();
    for n in 0..before {
        assert!(live(n), "booking {n} of {before} is lost");
    }
    for n in before..slots.len() {
        assert!(!live(n), "booking {n} of {before} is too many");
    }
    let rows = assert_trail_verifies(tenant);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(book(tenant, slots[before]));
    assert_eq!(assert_trail_verifies(tenant), rows + 1);
}
