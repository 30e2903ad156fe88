//! Health is judged by outcome: what the store does when the database takes no writes, and when its files go away.

use super::store_fixture::*;
use provider::store::{StoreError, WriteError};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// A database that refuses every row stays open, and its transactions commit: the writes that it failed are counted, the
/// audit rows of searches that were answered wait, and are written when it takes rows again.
/// Proves: AUD-01
#[tokio::test]
async fn audit_rows_wait_while_the_database_takes_none() {
    let place = Place::new();
    let store = place.open_with(&serving());
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 40).await;
    let rows = trail(tenant).len();
    let raw = place.raw();
    raw.run(text(
        "CREATE TRIGGER faulty BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no rows'); END",
        "CREATE TRIGGER faulty BEFORE INSERT ON audit EXECUTE FUNCTION uec_refuse('no rows')",
    ));
    assert!(!store.gauges().is_failing());
    for _ in 0..5 {
        tenant.audit_soon(&staff()).await.unwrap();
    }
    for slot in &slots {
        let failed = tenant.book(booking(*slot, new_request_id())).await;
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
    book(tenant, slots[0]).await;
    testkit::until("the rows are written", || store.load().audit_waiting == 0);
    while store.gauges().is_failing() {
        store.probe().await.unwrap();
    }
    store.close();
    let again = place.open();
    let tenant = again.tenant(tenant.key());
    assert_eq!(trail(tenant).len(), rows + 6);
    assert_trail_verifies(tenant);
}

/// A row that can never be written does not keep the others back.
#[tokio::test]
async fn a_row_that_is_itself_at_fault_is_given_up() {
    let place = Place::new();
    let store = place.open_with(&serving());
    let (tenant, _) = tenant(&store).await;
    let rows = trail(tenant).len();
    let raw = place.raw();
    raw.run(text(
        "CREATE TRIGGER faulty BEFORE INSERT ON audit WHEN NEW.body LIKE '%poison%'
         BEGIN SELECT RAISE(ABORT, 'not this'); END",
        "CREATE TRIGGER faulty BEFORE INSERT ON audit FOR EACH ROW WHEN (NEW.body LIKE '%poison%')
         EXECUTE FUNCTION uec_refuse('not this')",
    ));
    let poison = provider::audit::AuditEntry::local(now(), "test", "poison");
    tenant.audit_soon(&poison).await.unwrap();
    tenant.audit_soon(&staff()).await.unwrap();
    testkit::until("nothing waits", || store.load().audit_waiting == 0);
    store.close();
    assert_eq!(trail(place.open().tenant(tenant.key())).len(), rows + 1);
}

/// What becomes of the open files, and the path of the one that is missed.
fn beside(place: &Place, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", place.file().display()))
}

/// Proves: PROV-BOOK-01, NFR-02
#[tokio::test]
async fn nothing_is_acknowledged_that_goes_to_a_removed_file() {
    if on_postgres() {
        // No file of ours is there to be lost.
        let store = Place::new().open_with(&serving());
        return assert_eq!(store.file(), None, "the server's files are its own");
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
        let slots = make_slots(tenant, gp, 40).await;
        let mut made = Vec::new();
        for slot in &slots[..30] {
            made.push(book(tenant, *slot).await.id);
        }
        store.in_place().unwrap();
        let gone = beside(&place, suffix);
        std::fs::rename(&gone, beside(&place, ".aside")).unwrap();
        if replaced {
            std::fs::copy(beside(&place, ".aside"), &gone).unwrap();
        }
        for slot in &slots[30..] {
            let refused = tenant.book(booking(*slot, new_request_id())).await;
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
        assert_trail_verifies(copied.tenant(tenant.key()));
        for id in &made {
            assert!(
                copied
                    .tenant(tenant.key())
                    .appointment(id, None)
                    .unwrap()
                    .is_some(),
                "{suffix}"
            );
        }
        let live = copied
            .tenant(tenant.key())
            .live_bookings(&[gp], first_start(), 100)
            .unwrap();
        assert_eq!(live.len(), made.len(), "{suffix}: nothing else was stored");
        drop(store);
    }
}

/// A WAL that is gone, cut or damaged is taken by SQLite without a word; the file beside the database knows better.
/// Proves: AUD-01
#[tokio::test]
async fn a_lost_wal_is_told() {
    if on_postgres() {
        // No file of ours is there to be lost.
        let store = Place::new().open_with(&serving());
        return assert_eq!(store.file(), None, "the server checks its own");
    }
    let place = Place::new();
    let store = place.open_with(&serving());
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 6).await;
    let made = place.directory.path().join("made");
    store.backup(&made).unwrap();
    // From here on everything is in the WAL, which is too short to be copied back by itself.
    place.raw().run("PRAGMA wal_checkpoint(TRUNCATE)");
    for slot in &slots {
        book(tenant, *slot).await;
    }
    let told = format!("rows to {} were acknowledged", trail(tenant).len());
    let wal = std::fs::read(beside(&place, "-wal")).unwrap();
    let mut damaged = wal.clone();
    damaged[wal.len() / 2] ^= 1;
    // As a kill leaves the files, but for the WAL.
    for (name, wal) in [
        ("whole", wal.clone()),
        ("gone", Vec::new()),
        ("cut", wal[..wal.len() / 2].to_vec()),
        ("damaged", damaged),
    ] {
        let copy = place.directory.path().join(name);
        for suffix in ["", "-tally"] {
            std::fs::copy(
                beside(&place, suffix),
                format!("{}{suffix}", copy.display()),
            )
            .unwrap();
        }
        std::fs::write(format!("{}-wal", copy.display()), wal).unwrap();
        let seen = provider::store::Store::inspect(&url(&copy), true).unwrap();
        assert_eq!(seen.damage, None, "SQLite sees nothing");
        let told_of = seen.lost.iter().filter(|lost| lost.contains(&told)).count();
        assert_eq!(
            told_of,
            usize::from(name != "whole"),
            "{name}: {:?}",
            seen.lost
        );
        assert_trail_verifies(open(&copy).tenant(tenant.key()));
    }
    // What was restored on purpose is compared with nothing; a database that is gone is missed.
    let copy = place.directory.path().join("cut");
    provider::store::Store::restore(&made, &copy, true).unwrap();
    let lost = |copy: &std::path::Path| {
        let seen = provider::store::Store::inspect(&url(copy), false);
        seen.unwrap().lost
    };
    assert!(lost(&copy).is_empty());
    let copy = place.directory.path().join("gone");
    std::fs::write(&copy, "").unwrap();
    assert!(lost(&copy)[0].contains("is missing"), "{:?}", lost(&copy));
}

/// However the clock is set back, a version is not older than the one before.
/// Proves: D-72
#[tokio::test]
async fn a_version_is_not_older_than_the_one_before() {
    let store = memory();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 1).await;
    let made = book(tenant, slots[0]).await;
    let mut change = cancellation(&made.id, 1);
    change.request.at = minutes(now(), -600);
    let done = tenant.cancel(change).await.unwrap();
    assert_eq!(done.last_updated, made.last_updated);
    let all = tenant.history(&made.id).unwrap();
    assert!(all[1].last_updated >= all[0].last_updated, "{all:?}");
    assert_trail_verifies(tenant);
}
