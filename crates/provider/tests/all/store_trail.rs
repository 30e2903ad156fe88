//! The audit trail and the bookings: each proves the other, also against somebody who drops the triggers (D-73).

use super::store_fixture::raw::Raw;
use super::store_fixture::*;
use provider::store::{AuditVerdict, Store, TenantKey};

/// A closed database with bookings, and a hand in it that no trigger holds back.
struct Scene {
    place: Place,
    tenant: TenantKey,
    raw: Raw,
}

/// Rows: 1 the declaration, 2 the slots, 3 to 5 bookings, 6 the cancellation of the first, 7 something else.
const ROWS: i64 = 7;

impl Scene {
    async fn new() -> Scene {
        let place = Place::new();
        let store = place.open();
        let (tenant, gp) = tenant(&store).await;
        let slots = make_slots(&store, tenant, gp, 4).await;
        let mut made = Vec::new();
        for slot in &slots[..3] {
            let mut booking = booking(*slot, new_request_id());
            booking.received = Some(bytes::Bytes::from_static(b"{\"as\":\"received\"}"));
            made.push(store.book(tenant, booking).await.unwrap());
        }
        let cancelled = store.cancel(tenant, cancellation(&made[0].id, 1)).await;
        assert_eq!(cancelled.unwrap().version, 2);
        store.audit(tenant, &staff()).await.unwrap();
        assert_eq!(assert_trail_verifies(&store, tenant), ROWS);
        drop(store);
        let raw = place.raw();
        raw.run(text(
            "DROP TRIGGER audit_kept; DROP TRIGGER audit_fixed;
             DROP TRIGGER appointment_version_kept; DROP TRIGGER appointment_version_fixed",
            "DROP TRIGGER audit_kept ON audit; DROP TRIGGER audit_fixed ON audit;
             DROP TRIGGER appointment_version_kept ON appointment_version;
             DROP TRIGGER appointment_version_fixed ON appointment_version",
        ));
        Scene { place, tenant, raw }
    }

    /// The number of a row as the database has it.
    fn seq(&self) -> &'static str {
        text("(key & 1099511627775)", "seq")
    }

    /// Removes the rows after one, and moves the end there.
    fn cut_after(&self, last: i64) {
        let seq = self.seq();
        self.raw.run(&format!(
            "DELETE FROM audit WHERE {seq} > {last};
             UPDATE audit_head SET seq = {last}, at = (SELECT at FROM audit WHERE {seq} = {last}),
               hash = (SELECT hash FROM audit WHERE {seq} = {last}) WHERE tenant > 0"
        ));
    }

    fn verdict(&self) -> AuditVerdict {
        self.place.open().audit_verify(self.tenant).unwrap()
    }

    #[track_caller]
    fn broken_at(&self) -> (i64, String) {
        match self.verdict() {
            AuditVerdict::Broken { seq, what } => (seq, what),
            verified => panic!("not noticed: {verified:?}"),
        }
    }
}

/// What a hand in the database does, and at which row the check says so.
async fn found_at(sql: &str) -> i64 {
    let scene = Scene::new().await;
    scene.raw.run(sql);
    scene.broken_at().0
}

/// Proves: AUD-01, AUD-07, D-73
#[tokio::test]
async fn every_version_is_that_of_its_row() {
    let store = memory();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(&store, tenant, gp, 2).await;
    let made = book(&store, tenant, slots[0]).await;
    let done = store.cancel(tenant, cancellation(&made.id, 1)).await;
    let cancelled = done.unwrap();
    let rows = trail(&store, tenant);
    for (row, version) in rows[2..].iter().zip([&made, &cancelled]) {
        let digest: String = sha256(&version.json);
        assert_eq!(row["sha256"], digest.as_str());
        assert_eq!(row["record"].as_str().unwrap().len(), 64);
        assert_eq!(row["version"], version.version);
    }
    let verdict = store.audit_verify(tenant).unwrap();
    let AuditVerdict::Verified {
        versions,
        before_digests,
        ..
    } = verdict
    else {
        panic!("{verdict:?}")
    };
    assert_eq!((versions, before_digests), (2, 0));
}

/// Proves: AUD-07, D-73
#[tokio::test]
async fn a_removed_tail_with_bookings_is_found_although_its_end_was_moved() {
    for last in [2, 4, 5] {
        let scene = Scene::new().await;
        scene.cut_after(last);
        let (seq, what) = scene.broken_at();
        assert_eq!(seq, last + 1, "{what}");
        assert!(
            what.contains("no row") || what.contains("not what it was"),
            "{what}"
        );
    }
}

/// Proves: AUD-07, D-73
#[tokio::test]
async fn bookings_without_a_trail_are_found() {
    let scene = Scene::new().await;
    scene
        .raw
        .run("DELETE FROM audit; DELETE FROM audit_head WHERE tenant > 0");
    assert_eq!(scene.broken_at().0, 1);
    // Also when there is nothing but the provider.
    let scene = Scene::new().await;
    scene.raw.run(
        "DELETE FROM document_link; DELETE FROM appointment_version; DELETE FROM appointment;
         DELETE FROM audit; DELETE FROM audit_head WHERE tenant > 0",
    );
    assert_eq!(scene.broken_at().0, 1);
}

/// Proves: AUD-07, D-73
#[tokio::test]
async fn a_recomputed_chain_that_leaves_out_a_booking_is_found() {
    let scene = Scene::new().await;
    let mut rows = Chain::read(&scene.raw);
    rows.bodies.remove(3);
    rows.write(&scene.raw, scene.tenant);
    let (seq, what) = scene.broken_at();
    assert_eq!(seq, ROWS, "{what}");
    assert!(what.contains("no row"), "{what}");
}

/// Proves: AUD-07, D-73, AUD-02
#[tokio::test]
async fn whatever_is_changed_of_a_booking_is_found_at_its_row() {
    let first = "(SELECT min(key) FROM appointment)";
    let second = format!("(SELECT min(key) FROM appointment WHERE key > {first})");
    let json = text("CAST('{}' AS BLOB)", "'{}'::bytea");
    for (sql, row) in [
        // The row of the appointment: the one that is booked, and the one that is cancelled.
        (format!("UPDATE appointment SET nhs_number = '9990000026' WHERE key = {second}"), 4),
        (format!("UPDATE appointment SET start = start + 1 WHERE key = {second}"), 4),
        (format!("UPDATE appointment SET booked_ods = 'FX901' WHERE key = {second}"), 4),
        (format!("UPDATE appointment SET service = '2000000012' WHERE key = {second}"), 4),
        (format!("UPDATE appointment SET live = 0, status = 1 WHERE key = {second}"), 4),
        (format!("UPDATE appointment SET live = 1, status = 0 WHERE key = {first}"), 6),
        (format!("UPDATE appointment SET cancelled_at = cancelled_at + 1 WHERE key = {first}"), 6),
        (format!("UPDATE appointment SET cancelled_ods = 'FX901' WHERE key = {first}"), 6),
        // Its versions.
        (format!("UPDATE appointment_version SET json = {json} WHERE appointment = {second}"), 4),
        (format!("UPDATE appointment_version SET json = {json} WHERE version = 2"), 6),
        (format!("UPDATE appointment_version SET received = {json} WHERE appointment = {second}"), 4),
        (format!("UPDATE appointment_version SET received = NULL WHERE appointment = {second}"), 4),
        (format!("UPDATE appointment_version SET at = at + 1 WHERE appointment = {second}"), 4),
        (format!("UPDATE appointment_version SET asid = '918999000088' WHERE appointment = {second}"), 4),
        (format!("UPDATE appointment_version SET request_id = NULL WHERE appointment = {second}"), 4),
        (format!("DELETE FROM appointment_version WHERE appointment = {second}"), 4),
        ("DELETE FROM appointment_version WHERE version = 2".to_owned(), 6),
        // The cancellation is undone without a trace but its row.
        (format!("DELETE FROM appointment_version WHERE version = 2;
             UPDATE appointment SET version = 1, status = 0, live = 1, cancelled_at = NULL, cancelled_asid = NULL,
               cancelled_ods = NULL WHERE key = {first}"), 6),
        (format!("DELETE FROM document_link; DELETE FROM appointment_version WHERE appointment = {second};
             DELETE FROM appointment WHERE key = {second}"), 4),
    ] {
        assert_eq!(found_at(&sql).await, row, "{sql}");
    }
}

/// Proves: AUD-07, D-73
#[tokio::test]
async fn what_was_put_in_without_a_row_is_found_after_the_last() {
    let copied =
        "status, at, asid, ods, NULL, json, received FROM appointment_version WHERE version = 2";
    let version = format!(
        "INSERT INTO appointment_version (tenant, appointment, version, status, at, asid, ods, request_id, json, received)
         SELECT tenant, appointment, 3, {copied}"
    );
    assert_eq!(found_at(&version).await, ROWS + 1);
    let newest = format!("{version}; UPDATE appointment SET version = 3 WHERE version = 2");
    assert_eq!(found_at(&newest).await, ROWS + 1);
    assert_eq!(
        found_at("UPDATE appointment SET version = 7 WHERE version = 2").await,
        ROWS + 1
    );
    let columns = "slot, schedule, start, finish, day, service, nhs_number, booked_at, booked_asid, booked_ods";
    let bare = format!(
        "INSERT INTO appointment (tenant, id, version, status, live, {columns})
         SELECT tenant, 'made-up', 1, 0, 0, {columns} FROM appointment WHERE version = 2"
    );
    assert_eq!(found_at(&bare).await, ROWS + 1);
}

/// A change that leaves everything as it is says so; a chain that is computed by the rules is no forgery.
#[tokio::test]
async fn what_is_as_it_was_verifies() {
    let scene = Scene::new().await;
    Chain::read(&scene.raw).write(&scene.raw, scene.tenant);
    let store: Store = scene.place.open();
    assert_eq!(assert_trail_verifies(&store, scene.tenant), ROWS);
}
