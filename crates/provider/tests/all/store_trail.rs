//! The audit trail and the bookings: each proves the other, also against somebody who drops the triggers (D-73).

use super::store_fixture::raw::Raw;
use super::store_fixture::*;
use provider::store::{AuditVerdict, Filed, Store, TenantKey};
use sha2::{Digest as _, Sha256};

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
        let slots = make_slots(tenant, gp, 4).await;
        let mut made = Vec::new();
        for slot in &slots[..3] {
            let mut booking = booking(*slot, new_request_id());
            booking.request.received = Some(bytes::Bytes::from_static(b"{\"as\":\"received\"}"));
            made.push(tenant.book(booking).await.unwrap());
        }
        let cancelled = tenant.cancel(cancellation(&made[0].id, 1)).await;
        assert_eq!(cancelled.unwrap().version, 2);
        tenant.audit(&staff()).await.unwrap();
        assert_eq!(assert_trail_verifies(tenant), ROWS);
        let tenant = tenant.key();
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
        let store = self.place.open();
        store.tenant(self.tenant).audit_verify().unwrap()
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
    let slots = make_slots(tenant, gp, 2).await;
    let made = book(tenant, slots[0]).await;
    let done = tenant.cancel(cancellation(&made.id, 1)).await;
    let cancelled = done.unwrap();
    let rows = trail(tenant);
    for (row, version) in rows[2..].iter().zip([&made, &cancelled]) {
        let digest: String = sha256(&version.json);
        assert_eq!(row["sha256"], digest.as_str());
        assert_eq!(row["record"].as_str().unwrap().len(), 64);
        assert_eq!(row["version"], version.version);
    }
    let verdict = tenant.audit_verify().unwrap();
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

/// Proves: AUD-07
#[tokio::test]
async fn rows_of_nobody_are_counted() {
    let scene = Scene::new().await;
    assert_eq!(scene.place.open().audit_strays().unwrap(), 0);
    scene.raw.run(text(
        "PRAGMA foreign_keys = OFF; INSERT INTO audit SELECT (77 << 40) + 1, at, body, hash FROM audit LIMIT 1",
        "INSERT INTO audit SELECT 77, 1, at, body, hash FROM audit LIMIT 1",
    ));
    assert_eq!(scene.place.open().audit_strays().unwrap(), 1);
    scene.verdict();
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
        (format!("UPDATE appointment SET booked_claimed = 2 WHERE key = {second}"), 4),
        (format!("UPDATE appointment SET booked_claimed = 1 WHERE key = {first}"), 3),
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
    assert_eq!(assert_trail_verifies(store.tenant(scene.tenant)), ROWS);
}

/// A row of before what was only claimed of the booker was in the digest proves all the rest, as it did.
#[tokio::test]
async fn a_digest_of_before_the_claimed_names_is_right() {
    let scene = Scene::new().await;
    let bytes = text("hex(v.received)", "encode(v.received, 'hex')");
    let row = &scene.raw.words(&format!(
        "SELECT a.id, v.version, v.status, v.at, v.asid, v.ods, v.request_id, {bytes}, a.slot, a.schedule, a.start,
           a.finish, a.day, a.service, a.nhs_number, a.booked_at, a.booked_asid, a.booked_ods, coalesce(a.booked_kind, '')
         FROM appointment a JOIN appointment_version v ON v.appointment = a.key ORDER BY a.key DESC LIMIT 1"
    ))[0];
    let cell = |n: usize| -> Vec<u8> {
        let value = row[n].as_str();
        let long = |mark: u8, bytes: &[u8]| {
            let length = bytes.len() as u64;
            [&[mark][..], &length.to_be_bytes(), bytes].concat()
        };
        match n {
            18 if value.is_empty() => [0; 9].to_vec(),
            7 => long(3, b"{\"as\":\"received\"}"),
            0 | 4..=6 | 13 | 14 | 16..=18 => long(2, value.as_bytes()),
            _ => [&[1][..], &value.parse::<i64>().unwrap().to_be_bytes()].concat(),
        }
    };
    let booked: Vec<u8> = (8..19).flat_map(cell).collect();
    let booked = Sha256::digest(booked);
    let ends = [&[3][..], &32_u64.to_be_bytes(), &booked].concat();
    let record: Vec<u8> = (0..8).flat_map(cell).chain(ends).collect();
    let mut rows = Chain::read(&scene.raw);
    // The last booking, before the cancellation and what came after it.
    let body = &mut rows.bodies[4];
    let now: serde_json::Value = serde_json::from_str(body).unwrap();
    let (now, before) = (now["record"].as_str().unwrap(), sha256(&record));
    assert_ne!(now, before);
    *body = body.replace(now, &before);
    rows.write(&scene.raw, scene.tenant);
    assert_trail_verifies(scene.place.open().tenant(scene.tenant));
    scene
        .raw
        .run("UPDATE appointment SET booked_ods = 'FX901' WHERE key = (SELECT max(key) FROM appointment)");
    assert_eq!(scene.broken_at().0, 5);
}

/// Rows after those of the scene: two messages, one of them twice.
const MESSAGES: [i64; 2] = [ROWS + 1, ROWS + 2];

/// The scene with messages of referrals.
async fn with_messages() -> Scene {
    let scene = Scene::new().await;
    let store = scene.place.open();
    for message in [&b"<one/>"[..], b"<two/>", b"<two/>"] {
        let filed = store.file_referral(Some(scene.tenant), received(message));
        assert!(matches!(filed.await, Ok(Filed::Quarantined { .. })));
    }
    assert_eq!(assert_trail_verifies(store.tenant(scene.tenant)), ROWS + 3);
    let verdict = store.tenant(scene.tenant).audit_verify().unwrap();
    let AuditVerdict::Verified {
        messages,
        messages_before_digests,
        ..
    } = verdict
    else {
        panic!("{verdict:?}")
    };
    assert_eq!((messages, messages_before_digests), (2, 0));
    drop(store);
    scene.raw.run(text(
        "DROP TRIGGER referral_kept; DROP TRIGGER referral_message_kept; DROP TRIGGER referral_message_fixed",
        "DROP TRIGGER referral_kept ON referral; DROP TRIGGER referral_message_kept ON referral_message;
         DROP TRIGGER referral_message_fixed ON referral_message",
    ));
    scene
}

/// Proves: AUD-01, AUD-07, D-97
#[tokio::test]
async fn every_message_of_a_referral_is_that_of_its_row() {
    let second = "(SELECT max(key) FROM referral)";
    let columns = "tenant, received_at, state, wire, reason, code, message_hash, bytes";
    let id = text("randomblob(16)", "uuid_send(gen_random_uuid())");
    let one = text("CAST('<one!>' AS BLOB)", "'<one!>'::bytea");
    for (sql, row) in [
        (
            format!("UPDATE referral_message SET body = {one} WHERE referral <> {second}"),
            MESSAGES[0],
        ),
        (
            format!("DELETE FROM referral_message WHERE referral = {second}"),
            MESSAGES[1],
        ),
        (
            format!(
                "DELETE FROM referral_message WHERE referral = {second}; DELETE FROM referral WHERE key = {second}"
            ),
            MESSAGES[1],
        ),
        (
            "DELETE FROM referral_message; DELETE FROM referral".to_owned(),
            MESSAGES[0],
        ),
        (
            format!("UPDATE referral SET id = {id} WHERE key = {second}"),
            MESSAGES[1],
        ),
        (
            format!(
                "INSERT INTO referral (id, {columns}) SELECT {id}, {columns} FROM referral WHERE key = {second}"
            ),
            ROWS + 4,
        ),
    ] {
        let scene = with_messages().await;
        scene.raw.run(&sql);
        let (seq, what) = scene.broken_at();
        assert_eq!(seq, row, "{sql}: {what}");
        assert!(
            what.contains("message") || what.contains("referral"),
            "{what}"
        );
    }
}

/// Proves: AUD-07, D-97
/// Rows that were written before they held digests prove the number of messages, and no more.
#[tokio::test]
async fn messages_of_before_digests_are_counted() {
    let scene = with_messages().await;
    let mut rows = Chain::read(&scene.raw);
    for body in &mut rows.bodies {
        if let Some(at) = body.find(",\"referral\":") {
            body.truncate(at);
            body.push('}');
        }
    }
    rows.write(&scene.raw, scene.tenant);
    let AuditVerdict::Verified {
        messages,
        messages_before_digests,
        ..
    } = scene.verdict()
    else {
        panic!("{:?}", scene.verdict())
    };
    assert_eq!((messages, messages_before_digests), (2, 2));
    scene
        .raw
        .run("DELETE FROM referral_message; DELETE FROM referral WHERE key = (SELECT max(key) FROM referral)");
    assert_eq!(scene.broken_at().0, MESSAGES[0]);
}
