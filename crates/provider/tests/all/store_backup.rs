//! Backups while bookings go on, their check, and the way back.

use super::store_fixture::*;
use provider::store::{Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Proves: NFR-02, AUD-07
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_made_while_bookings_go_on_is_whole_and_can_be_restored() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 3_000).await;
    let first = book(tenant, slots[0]).await;
    let (key, stop) = (tenant.key(), Arc::new(AtomicBool::new(false)));
    let writing = {
        let (store, stop) = (store.clone(), stop.clone());
        tokio::spawn(async move {
            let mut booked = 0;
            for slot in &slots[1..] {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                book(store.tenant(key), *slot).await;
                booked += 1;
            }
            booked
        })
    };
    let file = place.directory.path().join("copy.db");
    let (source, to) = (store.clone(), file.clone());
    let report = tokio::task::spawn_blocking(move || source.backup(&to))
        .await
        .unwrap()
        .unwrap();
    stop.store(true, Ordering::Relaxed);
    assert!(writing.await.unwrap() > 0, "bookings went on");
    assert_eq!((report.tenants, report.slots), (1, 3_000));
    assert!(report.appointments >= 1 && report.appointments == report.versions);
    assert_eq!(Store::check_backup(&file).unwrap(), report);
    assert_eq!(
        store.backup(&file).unwrap_err(),
        StoreError::Exists { path: file.clone() }
    );
    let left: Vec<_> = std::fs::read_dir(place.directory.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|n| n.contains("partial") || n.starts_with("copy.db-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");

    // Not over a database that is there, nor over one in use.
    let target = place.file();
    assert!(matches!(
        Store::restore(&file, &target, false),
        Err(StoreError::Exists { .. })
    ));
    assert!(matches!(
        Store::restore(&file, &target, true),
        Err(StoreError::Locked { .. })
    ));
    drop(store);
    assert_eq!(Store::restore(&file, &target, true).unwrap(), report);
    let store = open(&target);
    let tenant = store.tenant(key);
    assert_eq!(tenant.history(&first.id).unwrap(), [first]);
    assert_eq!(assert_trail_verifies(tenant) as u64, report.audit_rows);

    let elsewhere = place.directory.path().join("elsewhere.db");
    Store::restore(&file, &elsewhere, false).unwrap();
    assert_eq!(open(&elsewhere).tenants().unwrap().len(), 1);
}

#[tokio::test]
async fn a_damaged_backup_is_not_restored() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 50).await;
    book(tenant, slots[0]).await;
    let file = place.directory.path().join("copy.db");
    store.backup(&file).unwrap();
    let good = std::fs::read(&file).unwrap();
    let target = place.directory.path().join("restored.db");

    let mut torn = good.clone();
    torn.truncate(good.len() / 2);
    std::fs::write(&file, &torn).unwrap();
    assert!(matches!(
        Store::restore(&file, &target, false),
        Err(StoreError::Corrupt { .. })
    ));

    std::fs::write(&file, &good).unwrap();
    let raw = rusqlite::Connection::open(&file).unwrap();
    raw.execute_batch("DROP TRIGGER audit_fixed; UPDATE audit SET body = '{}' WHERE key & 1 = 0")
        .unwrap();
    drop(raw);
    let error = Store::restore(&file, &target, false).unwrap_err();
    assert!(
        error.to_string().contains("audit trail of FX101"),
        "{error}"
    );

    std::fs::write(&file, "no database").unwrap();
    assert!(matches!(
        Store::restore(&file, &target, false),
        Err(StoreError::NotOurs { .. })
    ));
    assert!(!target.exists());
    let nowhere = place.directory.path().join("no/such/copy.db");
    assert!(matches!(
        store.backup(&nowhere),
        Err(StoreError::MissingDirectory { .. })
    ));
}
