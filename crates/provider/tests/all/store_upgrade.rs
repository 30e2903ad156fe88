//! The database of the release before: opened and brought up to date, it holds what it held, and goes on.

use super::store_fixture::raw::{Postgres, Raw};
use super::store_fixture::*;
use booking::ids::{RequestId, ResourceId};
use booking::refusal::Situation;
use provider::store::{
    AppointmentStatus, AuditVerdict, ReferralFilter, SlotFilter, Tenant, WriteError,
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A database of the release before, and a look at it.
struct Before {
    place: Place,
    raw: Raw,
}

impl Before {
    fn load() -> Before {
        let place = Place::bare();
        let raw = match on_postgres() {
            true => Raw::Postgres(Postgres::connect(place.url()).unwrap()),
            false => Raw::Sqlite(rusqlite::Connection::open(place.file()).unwrap()),
        };
        raw.run(text(
            include_str!("../schema/sqlite_2.sql"),
            include_str!("../schema/postgres_1.sql"),
        ));
        Before { place, raw }
    }
}

/// Ids in the file are made of a number.
fn uuid(n: u32) -> Uuid {
    Uuid::parse_str(&format!("0190aaaa-0000-7000-8000-{n:012}")).unwrap()
}

fn appointment(n: u32) -> ResourceId {
    ResourceId::parse(&uuid(200 + n).to_string()).unwrap()
}

fn request(n: u32) -> RequestId {
    RequestId::parse(&uuid(n).to_string()).unwrap()
}

fn tables(raw: &Raw) -> BTreeSet<String> {
    let sql = text(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
    );
    raw.words(sql)
        .into_iter()
        .map(|row| row[0].clone())
        .collect()
}

/// Columns of a table: type and whether a row may be made without it.
fn columns(raw: &Raw, table: &str) -> BTreeMap<String, (String, bool)> {
    let sql = text(
        format!(
            "SELECT name, type, \"notnull\" = 0 OR dflt_value IS NOT NULL FROM pragma_table_info('{table}')"
        ),
        format!(
            "SELECT column_name, data_type, (is_nullable = 'YES' OR column_default IS NOT NULL OR is_identity = 'YES')::int
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'"
        ),
    );
    raw.words(&sql)
        .into_iter()
        .map(|row| (row[0].clone(), (row[1].clone(), row[2] == "1")))
        .collect()
}

/// The rule of the steps: a process of the release before that runs on finds everything that it knows, and may leave out
/// what it does not.
#[test]
fn the_schema_only_grew() {
    let before = Before::load();
    let known: BTreeMap<String, _> = tables(&before.raw)
        .into_iter()
        .map(|table| (table.clone(), columns(&before.raw, &table)))
        .collect();
    drop(before.place.open());
    for (table, known) in known {
        let now = columns(&before.raw, &table);
        for (name, (kind, optional)) in &known {
            let (kind_now, optional_now) = now.get(name).expect(name);
            assert_eq!(kind_now, kind, "{table}.{name}");
            assert!(*optional_now || !optional, "{table}.{name} became needed");
        }
        for (name, (_, optional)) in &now {
            assert!(
                *optional || known.contains_key(name),
                "{table}.{name} is new and needed"
            );
        }
    }
}

/// Proves: NFR-02
#[tokio::test]
async fn everything_is_there_and_goes_on() {
    let before = Before::load();
    let store = before.place.open();
    let tenants = store.tenants().unwrap();
    assert_eq!(tenants.len(), 2);
    let tenant = store.tenant(tenants[0].key);
    let gp = schedule(tenant, "gp");
    assert_eq!(assert_trail_verifies(tenant), 19);
    for n in 0..8 {
        let history = tenant.history(&appointment(n)).unwrap();
        let (versions, status) = match n {
            0..6 => (1, AppointmentStatus::Booked),
            _ => (2, AppointmentStatus::Cancelled),
        };
        assert_eq!(history.len(), versions);
        assert_eq!(history[versions - 1].status, status);
        let received = tenant.received(&appointment(n), 1).unwrap();
        assert_eq!(received.unwrap().as_ref(), b"{}");
    }
    let all = SlotFilter {
        schedules: vec![gp],
        ..SlotFilter::default()
    };
    let counts = tenant.count_slots(&all).unwrap();
    assert_eq!((counts.busy, counts.held, counts.free), (6, 1, 16));
    let filed = store.referrals(Some(tenant.key()), ReferralFilter::All, 10);
    assert_eq!(filed.unwrap().len(), 2);
    let nobodys = store.referrals(None, ReferralFilter::All, 10).unwrap();
    let message = store.referral_message(None, nobodys[0].id).unwrap();
    assert_eq!(message.unwrap().as_ref(), b"<message n=\"3\"/>");
    // That release kept no digests: what was only looked for is counted, never taken for proven (D-73).
    assert_eq!(compared(tenant), (10, 10));
    assert_eq!(messages(tenant), (2, 2));
    goes_on(tenant).await;
    assert_eq!(assert_trail_verifies(tenant), 23);
    assert_eq!(compared(tenant), (12, 10));
}

/// Versions that the check of the trail compared, and those that have no digest.
fn compared(tenant: Tenant<'_>) -> (u64, u64) {
    match tenant.audit_verify().unwrap() {
        AuditVerdict::Verified {
            versions,
            before_digests,
            ..
        } => (versions, before_digests),
        broken => panic!("{broken:?}"),
    }
}

/// The same of the messages of referrals (D-97).
fn messages(tenant: Tenant<'_>) -> (u64, u64) {
    match tenant.audit_verify().unwrap() {
        AuditVerdict::Verified {
            messages,
            messages_before_digests,
            ..
        } => (messages, messages_before_digests),
        broken => panic!("{broken:?}"),
    }
}

/// Proves: AUD-07, D-73
#[test]
fn an_old_booking_that_is_gone_is_found_without_a_digest() {
    let before = Before::load();
    let tenant = before.place.open().tenants().unwrap()[0].key;
    before.raw.run(text(
        "DROP TRIGGER appointment_version_kept",
        "DROP TRIGGER appointment_version_kept ON appointment_version",
    ));
    before
        .raw
        .run("DELETE FROM appointment_version WHERE version = 2");
    match before.place.open().tenant(tenant).audit_verify().unwrap() {
        AuditVerdict::Broken { seq, .. } => assert_eq!(seq, 10),
        verified => panic!("{verified:?}"),
    }
}

/// Old requests are known, taken slots are taken, freed ones are not, old bookings can be cancelled.
async fn goes_on(tenant: Tenant<'_>) {
    let refused = |outcome: Result<_, WriteError>| match outcome {
        Err(WriteError::Refused(refusal)) => refusal.situation,
        Err(error) => panic!("{error}"),
        Ok::<provider::store::StoredAppointment, _>(_) => panic!("it was taken"),
    };
    let repeat = tenant.book(booking(uuid(9), request(100))).await;
    assert_eq!(refused(repeat), Situation::RequestIdReused);
    let taken = tenant.book(booking(uuid(1), new_request_id())).await;
    assert_eq!(refused(taken), Situation::SlotTaken);
    book(tenant, uuid(7)).await;
    let done = tenant.cancel(cancellation(&appointment(1), 1)).await;
    assert_eq!(done.unwrap().version, 2);
}
