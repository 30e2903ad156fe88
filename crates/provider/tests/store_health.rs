//! Health is judged by outcome: what the store does when the database takes no writes, and when its files go away.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod store_fixture;

use provider::store::{StoreError, WriteError};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use store_fixture::*;

/// A database that refuses every row stays open, and its transactions commit: the writes that it failed are counted, the
/// audit rows of searches that were answered wait, and are written when it takes rows again.
/// Proves: AUD-01
#[tokio::test]
async fn audit_rows_wait_while_the_database_takes_none() {
    let place = Place::new();
    let store = place.open_with(&serving());
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(&store, tenant, gp, 40).await;
    let rows = trail(&store, tenant).len();
    let raw = place.raw();
    raw.run(text(
        "CREATE TRIGGER faulty BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no rows'); END",
        "CREATE TRIGGER faulty BEFORE INSERT ON audit EXECUTE FUNCTION uec_refuse('no rows')",
    ));
    assert!(!store.gauges().is_failing());
    for _ in 0..5 {
        store.audit_soon(tenant, &staff()).await.unwrap();
    }
    for slot in &slots {
        let failed = store.book(tenant, booking(*slot, new_request_id())).await;
        assert!(matches!(failed, Err(WriteError::Store(_))), "{failed:?}");
        assert!(
            store.gauges().is_failing(),
            "whatever the rows do meanwhile"
        );
    }
    let failed = store.gauges().failed_writes.load(Ordering::Relaxed);
    assert!(failed >= slots.len() as u64, "{failed}");
    assert_eq!(store.load().audit_waiting, 5, "none is given up");
    // Each write that the server tries by itself succeeds here, which alone does not make the store well at once.
    store.probe().await.unwrap();
    assert!(store.gauges().is_failing());
    raw.run(text("DROP TRIGGER faulty", "DROP TRIGGER faulty ON audit"));
    book(&store, tenant, slots[0]).await;
    testkit::until("the rows are written", || store.load().audit_waiting == 0);
    while store.gauges().is_failing() {
        store.probe().await.unwrap();
    }
    store.close();
    let store = place.open();
    assert_eq!(trail(&store, tenant).len(), rows + 6);
    assert_trail_verifies(&store, tenant);
}

/// A row that can never be written does not keep the others back.
#[tokio::test]
async fn a_row_that_is_itself_at_fault_is_given_up() {
    let place = Place::new();
    let store = place.open_with(&serving());
    let (tenant, _) = tenant(&store).await;
    let rows = trail(&store, tenant).len();
    let raw = place.raw();
    raw.run(text(
        "CREATE TRIGGER faulty BEFORE INSERT ON audit WHEN NEW.body LIKE '%poison%'
         BEGIN SELECT RAISE(ABORT, 'not this'); END",
        "CREATE TRIGGER faulty BEFORE INSERT ON audit FOR EACH ROW WHEN (NEW.body LIKE '%poison%')
         EXECUTE FUNCTION uec_refuse('not this')",
    ));
    let poison = provider::audit::AuditEntry::local(now(), "test", "poison");
    store.audit_soon(tenant, &poison).await.unwrap();
    store.audit_soon(tenant, &staff()).await.unwrap();
    testkit::until("nothing waits", || store.load().audit_waiting == 0);
    store.close();
    assert_eq!(trail(&place.open(), tenant).len(), rows + 1);
}

/// What becomes of the open files, and the path of the one that is missed.
fn beside(place: &Place, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", place.file().display()))
}

/// Proves: PROV-BOOK-01, NFR-02
#[tokio::test]
async fn nothing_is_acknowledged_that_goes_to_a_removed_file() {
    if on_postgres() {
        return; // the server's files are its own
    }
    for (suffix, replaced) in [
        ("", false),
        ("", true),
        ("-wal", false),
        ("-wal", true),
        ("-shm", false),
    ] {
        let place = Place::new();
        let store = place.open_with(&serving());
        let (tenant, gp) = tenant(&store).await;
        let slots = make_slots(&store, tenant, gp, 40).await;
        let mut made = Vec::new();
        for slot in &slots[..30] {
            made.push(book(&store, tenant, *slot).await.id);
        }
        store.in_place().unwrap();
        let gone = beside(&place, suffix);
        std::fs::rename(&gone, beside(&place, ".aside")).unwrap();
        if replaced {
            std::fs::copy(beside(&place, ".aside"), &gone).unwrap();
        }
        for slot in &slots[30..] {
            let refused = store.book(tenant, booking(*slot, new_request_id())).await;
            let Err(WriteError::Store(error @ StoreError::Moved { .. })) = refused else {
                panic!("{suffix} {replaced}: {refused:?}");
            };
            assert!(error.is_transient());
            assert!(
                error.to_string().contains(&gone.display().to_string()),
                "{error}"
            );
        }
        assert!(store.in_place().is_err());
        assert!(store.gauges().is_failing());
        // Everything that was acknowledged is in the open database file by now.
        let saved = match suffix {
            "" => beside(&place, ".aside"),
            _ => place.file(),
        };
        let copy = place.directory.path().join("copy.db");
        std::fs::copy(saved, &copy).unwrap();
        let copied = open(&copy);
        assert_trail_verifies(&copied, tenant);
        for id in &made {
            assert!(
                copied.appointment(tenant, id, None).unwrap().is_some(),
                "{suffix}"
            );
        }
        let live = copied
            .live_bookings(tenant, &[gp], first_start(), 100)
            .unwrap();
        assert_eq!(live.len(), made.len(), "{suffix}: nothing else was stored");
        drop(store);
    }
}
