//! The audit chain: what breaks it is found, and rows written late are not lost.

use super::store_fixture::*;
use provider::audit::AuditEntry;
use provider::store::{AuditVerdict, StoreError, Tenant, TenantKey};

async fn chain(place: &Place, rows: usize) -> TenantKey {
    let store = place.open();
    let (tenant, _) = tenant(&store).await;
    for _ in 1..rows {
        tenant.audit(&staff()).await.unwrap();
    }
    assert_eq!(assert_trail_verifies(tenant), rows as i64);
    tenant.key()
}

/// Changes a closed database behind the triggers and says what the check finds.
async fn after(tampering: &str) -> (i64, String) {
    let place = Place::new();
    let tenant = chain(&place, 9).await;
    let raw = place.raw();
    raw.run(text(
        "DROP TRIGGER audit_kept; DROP TRIGGER audit_fixed",
        "DROP TRIGGER audit_kept ON audit; DROP TRIGGER audit_fixed ON audit",
    ));
    // The number of a row is the lower part of its key on SQLite, a column on PostgreSQL.
    let tampering = match on_postgres() {
        false => tampering.replace("ROW", "key & 0xFFFFFFFF"),
        true => tampering
            .replace("ROW", "seq")
            .replace("SELECT key + 1,", "SELECT tenant, key + 1,")
            .replace("key", "seq")
            .replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')"),
    };
    raw.run(&tampering);
    drop(raw);
    match place.open().tenant(tenant).audit_verify().unwrap() {
        AuditVerdict::Broken { seq, what } => (seq, what),
        AuditVerdict::Verified { .. } => panic!("not noticed: {tampering}"),
    }
}

/// Proves: AUD-01, AUD-07
#[tokio::test]
async fn every_kind_of_tampering_is_found_at_its_first_row() {
    assert_eq!(
        after("UPDATE audit SET body = '{}' WHERE ROW = 5").await.0,
        5
    );
    assert_eq!(
        after("UPDATE audit SET at = at + 1 WHERE ROW = 5").await.0,
        5
    );
    assert_eq!(
        after("UPDATE audit SET hash = zeroblob(32) WHERE ROW = 5")
            .await
            .0,
        5
    );
    assert_eq!(after("DELETE FROM audit WHERE ROW = 5").await.0, 5);
    assert_eq!(after("DELETE FROM audit WHERE ROW = 1").await.0, 1);
    // Cut off at the end, at the end with the head put back, and altogether.
    assert_eq!(after("DELETE FROM audit WHERE ROW = 9").await.0, 9);
    assert_eq!(
        after("DELETE FROM audit WHERE ROW = 9; UPDATE audit_head SET seq = 8")
            .await
            .0,
        8
    );
    assert_eq!(after("DELETE FROM audit").await.0, 1);
    assert_eq!(after("DELETE FROM audit_head").await.0, 9);
    // Two rows changed places; a row put in; the rows after a gap moved up.
    let swap = "UPDATE audit SET key = key + 100 WHERE ROW = 5; UPDATE audit SET key = key - 1 WHERE ROW = 6;
                UPDATE audit SET key = key - 99 WHERE ROW = 105";
    assert_eq!(after(swap).await.0, 5);
    let put_in = "INSERT INTO audit SELECT key + 1, at, body, hash FROM audit WHERE ROW = 9";
    assert_eq!(after(put_in).await.0, 10);
    let closed_up = "DELETE FROM audit WHERE ROW = 5; UPDATE audit SET key = key - 1 WHERE ROW > 5";
    assert_eq!(after(closed_up).await.0, 5);
}

/// Proves: AUD-07
#[tokio::test]
async fn rows_cannot_be_changed_or_deleted_in_passing() {
    let place = Place::new();
    chain(&place, 3).await;
    let raw = place.raw();
    for sql in ["DELETE FROM audit", "UPDATE audit SET body = '{}'"] {
        assert!(raw.try_run(sql).unwrap_err().contains("never"), "{sql}");
    }
}

#[tokio::test]
async fn each_tenant_has_its_own_chain() {
    let place = Place::new();
    let store = place.open();
    let (one, _) = tenant(&store).await;
    let (two, _) = tenant_named(&store, "FX202", "918999000022").await;
    for _ in 0..4 {
        one.audit(&staff()).await.unwrap();
        two.audit(&staff()).await.unwrap();
    }
    assert_eq!(assert_trail_verifies(one), 5);
    assert_eq!(assert_trail_verifies(two), 5);
    let head = |tenant: Tenant<'_>| match tenant.audit_verify().unwrap() {
        AuditVerdict::Verified { head, .. } => head,
        broken => panic!("{broken:?}"),
    };
    assert_ne!(head(one), head(two));
    assert_eq!(head(one).len(), 64);
    assert_eq!(
        one.audit_rows(2, 2)
            .unwrap()
            .iter()
            .map(|r| r.seq)
            .collect::<Vec<_>>(),
        [3, 4]
    );
}

/// Proves: AUD-01, DAT-03
#[tokio::test]
async fn rows_written_late_are_written_by_themselves() {
    let place = Place::new();
    let store = place.open();
    let (tenant, _) = tenant(&store).await;
    let mut entry = AuditEntry::new(now(), uuid::Uuid::new_v4());
    entry.query = Some("status=free".to_owned());
    entry.slots_returned = Some(0);
    entry.reason = Some("No slot matches the criteria.".to_owned());
    tenant.audit_soon(&entry).await.unwrap();
    // Nothing else is written that they could go along with.
    testkit::until_async("it is written", || trail(tenant).len() == 2).await;
    let row = trail(tenant).pop().unwrap();
    assert_eq!(
        (&row["query"], &row["slots_returned"]),
        (&"status=free".into(), &0.into())
    );
    assert_eq!(row["reason"], "No slot matches the criteria.");
}

/// Proves: AUD-01
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_written_late_are_never_dropped_however_many_there_are() {
    const EACH: usize = 5_000;
    let place = Place::new();
    let store = place.open();
    let (tenant, _) = tenant(&store).await;
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (store, key) = (store.clone(), tenant.key());
            tokio::spawn(async move {
                for _ in 0..EACH {
                    store.tenant(key).audit_soon(&staff()).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    store.close();
    assert_eq!(
        assert_trail_verifies(place.open().tenant(tenant.key())),
        1 + 4 * EACH as i64
    );
}

/// A row that cannot be written does not take the others of its transaction with it.
#[tokio::test]
async fn one_bad_row_written_late_does_no_harm() {
    let place = Place::new();
    let store = place.open();
    let (tenant, _) = tenant(&store).await;
    let elsewhere = memory();
    let mut stranger = tenant.key();
    for (ods, asid) in [("FX101", "918999000011"), ("FX202", "918999000022")] {
        stranger = tenant_named(&elsewhere, ods, asid).await.0.key();
    }
    let stranger = store.tenant(stranger);
    for _ in 0..3 {
        tenant.audit_soon(&staff()).await.unwrap();
        stranger.audit_soon(&staff()).await.unwrap();
    }
    assert!(stranger.audit(&staff()).await.is_err());
    tenant.audit(&staff()).await.unwrap();
    assert_eq!(assert_trail_verifies(tenant), 5);
}

#[tokio::test]
async fn a_report_finds_the_first_row_of_a_time() {
    let store = memory();
    let (tenant, _) = tenant(&store).await;
    for _ in 0..30 {
        tenant.audit(&staff()).await.unwrap();
    }
    let rows = tenant.audit_rows(0, 100).unwrap();
    for row in &rows {
        let earlier = rows
            .iter()
            .filter(|r| r.at < row.at)
            .map(|r| r.seq)
            .max()
            .unwrap_or(0);
        assert_eq!(tenant.audit_last_before(row.at).unwrap(), earlier);
    }
    assert_eq!(
        tenant.audit_last_before(minutes(rows[30].at, 1)).unwrap(),
        31
    );
}

/// Proves: AUD-02, AUD-03, AUD-04, AUD-05, AUD-06, P5
#[test]
fn an_entry_holds_the_provenance_and_the_ids() {
    let mut entry = AuditEntry::new(now(), uuid::Uuid::nil());
    entry.trace_id = Some("09a01679-2564-0fb4-5129-aecc81ea2706".to_owned());
    entry.asid_from = Some(asid().to_string());
    entry.ods = Some(ods().to_string());
    entry.request_id = Some(new_request_id());
    entry.provenance = Some("{\"iss\":\"https://consumer.example\",\"sub\":\"111\"}".into());
    entry.detail = Some("a \"quoted\" \\ word,\na line and a caf\u{e9}".to_owned());
    entry.consumer_faults = vec!["one".to_owned(), "two \"quoted\"".to_owned()];
    let refusal = booking::refusal::Refusal::new(
        booking::refusal::Situation::TokenRefused,
        "the token has expired",
    );
    entry.refused(&refusal, provider::audit::Fault::of(&refusal));
    let body: serde_json::Value = serde_json::from_str(&entry.body()).unwrap();
    assert_eq!(body["provenance"]["sub"], "111");
    assert_eq!(body["detail"], entry.detail.as_deref().unwrap());
    assert_eq!(
        body["consumer_faults"],
        serde_json::json!(entry.consumer_faults)
    );
    assert_eq!(body["trace_id"], "09a01679-2564-0fb4-5129-aecc81ea2706");
    assert_eq!(
        body["request_id"],
        entry.request_id.as_ref().unwrap().as_str()
    );
    assert_eq!(
        (&body["fault"], &body["error"], &body["status"]),
        (&"consumer".into(), &"ERR-06".into(), &403.into())
    );
    assert_eq!(body["at"], "2030-02-28T12:00:00.000Z");
    assert!(
        !format!("{entry:?}").contains("consumer.example"),
        "logs show no provenance"
    );
}

#[tokio::test]
async fn a_closed_store_says_so_and_has_kept_everything() {
    let place = Place::new();
    let store = place.open();
    let (tenant, _) = tenant(&store).await;
    for _ in 0..20 {
        tenant.audit_soon(&staff()).await.unwrap();
    }
    store.close();
    assert_eq!(tenant.audit(&staff()).await, Err(StoreError::Closed));
    assert_eq!(tenant.audit_soon(&staff()).await, Err(StoreError::Closed));
    assert_eq!(assert_trail_verifies(place.open().tenant(tenant.key())), 21);
}
