//! Copying a database: a rich one from SQLite to PostgreSQL and back, and to its like; what is refused, what stays.

use super::store_fixture::raw::{Postgres, Raw};
use super::store_fixture::*;
use booking::ids::RequestId;
use booking::refusal::Situation;
use provider::referral::cda::Facts;
use provider::referral::{Code, Reason, Wrapper};
use provider::store::{
    Arrival, CopyError, CopyOptions, CopyProgress, CopyReport, CopyStage, Filed, Options,
    ReferralFilter, SlotChange, SlotFilter, Store, StoreError, TenantKey, WriteError, copy,
};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Slots of the first provider; more than one statement takes on either database.
const SLOTS: usize = 1_300;
/// Documents that the first provider was sent.
const DOCUMENTS: usize = 4;
/// A message larger than what waits to be written at once.
const LARGE: usize = 5 << 20;

/// What a database was filled with.
struct Rich {
    tenant: TenantKey,
    other: TenantKey,
    slots: Vec<Uuid>,
    booked: provider::store::StoredAppointment,
    cancelled: provider::store::StoredAppointment,
    request_id: RequestId,
    trail: i64,
}

fn arrival(document: Result<Facts, Reason>, tracking: Option<&str>, bytes: usize) -> Arrival {
    let id = Uuid::now_v7();
    // No two are the same.
    let filling = (0..bytes).map(|n| (n % 251) as u8);
    let body: Vec<u8> = id.as_bytes().iter().copied().chain(filling).collect();
    let arrival = received(&body[..bytes.max(1)]);
    let hash = arrival.message_hash;
    Arrival {
        id,
        wrapper: Wrapper {
            tracking: tracking.map(str::to_owned),
            sender: Some("urn:nhs-uk:addressing:ods:FX900".to_owned()),
            ..Wrapper::default()
        },
        document: document.map(|facts| (facts, hash)),
        ..arrival
    }
}

fn facts(id: &str) -> Facts {
    Facts {
        id: id.to_owned(),
        set_id: None,
        version: Some(1),
        replaces: None,
        nhs_number: Some(nhs_number()),
        appointment: None,
        case_numbers: Vec::new(),
        author: Some(ods()),
        recipients: Vec::new(),
        notes: Vec::new(),
    }
}

async fn send(store: &Store, tenant: Option<TenantKey>, arrival: Arrival) -> Filed {
    store.file_referral(tenant, arrival).await.unwrap()
}

/// Two providers, slots held and removed, bookings, cancellations, referrals linked, waiting and in quarantine.
async fn fill(store: &Store) -> Rich {
    let (tenant, gp) = tenant(store).await;
    let (other, clinic) = tenant_named(store, "FX202", "918999000022").await;
    let slots = make_slots(tenant, gp, SLOTS).await;
    let others = make_slots(other, clinic, 30).await;
    let some = |slots: &[Uuid]| SlotFilter {
        schedules: vec![gp],
        slots: slots.to_vec(),
        ..SlotFilter::default()
    };
    let held = change(tenant, SlotChange::Hold, some(&slots[40..60]), now());
    assert_eq!(held.await, 20);
    // The last slots go, so that the highest key is not that of a slot.
    let last = some(&slots[SLOTS - 10..]);
    assert_eq!(change(tenant, SlotChange::Remove, last, now()).await, 10);
    let request_id = new_request_id();
    let booked = tenant
        .book(booking(slots[0], request_id.clone()))
        .await
        .unwrap();
    for slot in &slots[1..20] {
        book(tenant, *slot).await;
    }
    for slot in &others[..5] {
        book(other, *slot).await;
    }
    let cancelled = book(tenant, slots[30]).await;
    let cancelled = tenant.cancel(cancellation(&cancelled.id, 1)).await.unwrap();
    // The slot of a cancelled booking is booked by somebody else.
    book(tenant, slots[30]).await;
    for n in 0..DOCUMENTS {
        let document = match n {
            0 => "a1b2c3d4-0000-4000-8000-000000000002".to_owned(),
            _ => Uuid::new_v4().to_string(),
        };
        let size = if n == 1 { LARGE } else { 900 };
        let filed = send(
            store,
            Some(tenant.key()),
            arrival(Ok(facts(&document)), Some(&format!("T{n}")), size),
        );
        assert!(matches!(filed.await, Filed::Taken { .. }));
    }
    let unreadable = Err(Reason::new(Code::Invalid, "It is not XML."));
    let aside = send(
        store,
        Some(other.key()),
        arrival(unreadable.clone(), None, 40),
    );
    assert!(matches!(aside.await, Filed::Quarantined { .. }));
    let nobody = send(store, None, arrival(unreadable, None, 50)).await;
    let Filed::Quarantined { id, .. } = nobody else {
        panic!("{nobody:?}")
    };
    let closed = store.close_referral(None, id, "looked at", staff());
    assert!(closed.await.unwrap());
    Rich {
        tenant: tenant.key(),
        other: other.key(),
        slots,
        booked,
        cancelled,
        request_id,
        trail: assert_trail_verifies(tenant),
    }
}

fn moved(from: &str, to: &str) -> Result<CopyReport, CopyError> {
    copy(from, to, &CopyOptions::default(), &mut |_| {
        ControlFlow::Continue(())
    })
}

/// A connection past the store.
fn raw(url: &str) -> Raw {
    match url.strip_prefix("sqlite:") {
        Some(path) => Raw::Sqlite(rusqlite::Connection::open(path).unwrap()),
        None => Raw::Postgres(Postgres::connect(url).unwrap()),
    }
}

fn rows(report: &CopyReport, table: &str) -> u64 {
    report
        .tables
        .iter()
        .find(|t| t.name == table)
        .expect(table)
        .rows
}

/// The copy is used as the original would have been.
async fn live_on(url: &str, rich: &Rich, last_key: i64) {
    let store = open_url(url);
    let tenant = store.tenant(rich.tenant);
    assert_eq!(
        tenant.history(&rich.booked.id).unwrap(),
        std::slice::from_ref(&rich.booked)
    );
    let history = tenant.history(&rich.cancelled.id).unwrap();
    assert_eq!(history.len(), 2);
    assert!(history.contains(&rich.cancelled), "{}", history.len());

    // A repeat of what was answered in the old house gets that answer; another request for the slot is refused.
    let repeat = tenant
        .book(booking(rich.slots[0], rich.request_id.clone()))
        .await;
    let used = tenant
        .request_id(&rich.request_id)
        .unwrap()
        .expect("the request id is known");
    assert_eq!(used.appointment, rich.booked.id);
    match repeat {
        Err(WriteError::Refused(refusal)) => {
            assert_eq!(refusal.situation, Situation::RequestIdReused, "{refusal}");
            assert_eq!(refusal.existing.as_ref(), Some(&rich.booked.id));
        }
        other => panic!("{other:?}"),
    }
    let taken = tenant.book(booking(rich.slots[0], new_request_id())).await;
    match taken {
        Err(WriteError::Refused(refusal)) => {
            assert_eq!(refusal.situation, Situation::SlotTaken, "{refusal}");
        }
        other => panic!("{other:?}"),
    }
    let free = book(tenant, rich.slots[100]).await;
    assert_eq!(tenant.history(&free.id).unwrap(), [free]);

    // A key that was given out is not given out again, be it that of a removed slot.
    let gp = schedule(tenant, "gp");
    let more = new_slots_from(gp, minutes(first_start(), 1_000_000), 3);
    assert_eq!(insert(tenant, more).await.made, 3);
    let next = raw(url)
        .number("SELECT min(key) FROM slot WHERE key > (SELECT max(key) FROM slot_removed)");
    assert!(next > last_key, "{next} after {last_key}");
    tenant_named(&store, "FX303", "918999000033").await;

    let listed = store
        .referrals(Some(rich.tenant), ReferralFilter::All, 100)
        .unwrap();
    assert_eq!(listed.len(), DOCUMENTS);
    let large = listed.iter().find(|r| r.bytes == LARGE as u64).unwrap();
    let message = store.referral_message(Some(rich.tenant), large.id).unwrap();
    assert_eq!(message.unwrap().len(), LARGE);
    assert!(listed.iter().any(|r| !r.bookings.is_empty()));
    let other = store.referrals(Some(rich.other), ReferralFilter::Quarantined, 9);
    assert_eq!(other.unwrap().len(), 1);
    let nobody = store.referrals(None, ReferralFilter::All, 9).unwrap();
    assert_eq!(nobody.len(), 1);
    // A document that was filed in the old house is known in the new one.
    let again = arrival(
        Ok(facts("a1b2c3d4-0000-4000-8000-000000000002")),
        Some("T99"),
        77,
    );
    let again = send(&store, Some(rich.tenant), again).await;
    assert!(!matches!(again, Filed::Taken { .. }), "{again:?}");

    assert!(assert_trail_verifies(tenant) > rich.trail);
    assert_trail_verifies(store.tenant(rich.other));
    store.close();
    drop(store);
    triggers_stand(url);
}

/// What must never be changed or deleted still cannot be.
fn triggers_stand(url: &str) {
    let raw = raw(url);
    for sql in [
        "UPDATE audit SET at = 0",
        "DELETE FROM audit",
        "UPDATE appointment_version SET status = 0",
        "DELETE FROM appointment_version",
        "DELETE FROM referral",
        "UPDATE referral_message SET body = body",
        "DELETE FROM referral_message",
    ] {
        let said = raw.try_run(sql).unwrap_err();
        assert!(said.contains("never"), "{sql}: {said}");
    }
    let twice = raw.try_run(
        "UPDATE appointment SET slot = (SELECT min(slot) FROM appointment WHERE live = 1) WHERE live = 1",
    );
    assert!(twice.is_err(), "one live booking for each slot");
}

fn last_slot_key(url: &str) -> i64 {
    raw(url).number("SELECT max(key) FROM slot_removed")
}

fn sqlite_in(folder: &tempfile::TempDir, name: &str) -> (PathBuf, String) {
    let path = folder.path().join(name);
    let address = url(&path);
    (path, address)
}

/// Proves: NFR-02, AUD-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_to_postgresql_and_back_keeps_everything() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let (path, first) = sqlite_in(&folder, "first.db");
    let store = open_url(&first);
    let rich = fill(&store).await;
    drop(store);
    let last = last_slot_key(&first);
    let before = std::fs::read(&path).unwrap();

    let second = server.empty();
    let there = moved(&path.display().to_string(), &second).unwrap();
    assert_eq!(
        std::fs::read(&path).unwrap(),
        before,
        "the source is as it was"
    );
    assert!(there.is_whole && there.left_behind.is_empty());
    assert!(!there.to.contains('?'), "{}", there.to);
    assert_eq!(rows(&there, "tenant"), 2);
    assert_eq!(rows(&there, "slot"), SLOTS as u64 + 30 - 10);
    assert_eq!(rows(&there, "slot_removed"), 10);
    assert_eq!(rows(&there, "referral_message"), rows(&there, "referral"));
    assert_eq!(there.live_bookings, 26);
    assert_eq!(there.chains.len(), 2);

    // Back, and on to a like database, without anything done in between: the same rows, the same trails.
    let (_, third) = sqlite_in(&folder, "third.db");
    let back = moved(&second, &third).unwrap();
    assert_eq!((&back.tables, &back.chains), (&there.tables, &there.chains));
    let (_, fourth) = sqlite_in(&folder, "fourth.db");
    // An empty database that a provider made.
    drop(open_url(&fourth));
    let like = moved(&third, &fourth).unwrap();
    assert_eq!(like.tables, there.tables);
    let fifth = server.migrated();
    let like = moved(&second, &fifth).unwrap();
    assert_eq!((like.tables, like.chains), (there.tables, there.chains));

    for url in [&second, &third, &fourth, &fifth] {
        live_on(url, &rich, last).await;
    }
}

#[tokio::test]
async fn a_full_or_foreign_target_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (source, from) = sqlite_in(&folder, "from.db");
    tenant(&open_url(&from)).await;

    let (full, to) = sqlite_in(&folder, "full.db");
    tenant(&open_url(&to)).await;
    let before = std::fs::read(&full).unwrap();
    let said = moved(&from, &to).unwrap_err();
    assert!(matches!(said, CopyError::Occupied { .. }), "{said}");
    assert_eq!(open_url(&to).tenants().unwrap().len(), 1);
    assert_eq!(before.len(), std::fs::read(&full).unwrap().len());

    // Open in a program, though empty.
    let (_, to) = sqlite_in(&folder, "open.db");
    let store = open_url(&to);
    let said = moved(&from, &to).unwrap_err();
    assert!(matches!(said, CopyError::TargetInUse { .. }), "{said}");
    assert!(store.tenants().unwrap().is_empty());

    let foreign = folder.path().join("foreign.db");
    let other = rusqlite::Connection::open(&foreign).unwrap();
    other
        .execute_batch("CREATE TABLE recipes (name TEXT)")
        .unwrap();
    drop(other);
    let before = std::fs::read(&foreign).unwrap();
    let said = moved(&from, &url(&foreign)).unwrap_err();
    let is_foreign = |said: &CopyError| {
        matches!(
            said,
            CopyError::Store {
                error: StoreError::NotOurs { .. },
                ..
            }
        )
    };
    assert!(is_foreign(&said), "{said}");
    assert_eq!(std::fs::read(&foreign).unwrap(), before);

    for said in [
        moved(&from, &from).unwrap_err(),
        moved(&from, &source.display().to_string()).unwrap_err(),
    ] {
        assert!(matches!(said, CopyError::Same { .. }), "{said}");
    }
    let nowhere = folder.path().join("no/such/folder.db");
    let said = moved(&from, &url(&nowhere)).unwrap_err();
    assert!(said.to_string().contains("does not exist"), "{said}");
    let said = moved(&from, "sqlite::memory:").unwrap_err();
    assert!(said.is_usage(), "{said}");
    let said = moved(&from, "mysql://x/y").unwrap_err();
    assert!(said.is_usage(), "{said}");

    let Some(server) = postgres_server() else {
        return;
    };
    let full = server.migrated();
    tenant(&open_url(&full)).await;
    let said = moved(&from, &full).unwrap_err();
    assert!(
        matches!(
            said,
            CopyError::Occupied {
                table: "tenant",
                ..
            }
        ),
        "{said}"
    );
    let foreign = server.empty();
    raw::try_run(&foreign, "CREATE TABLE recipes (name TEXT)").unwrap();
    let said = moved(&from, &foreign).unwrap_err();
    assert!(is_foreign(&said), "{said}");
    let mixed = server.migrated();
    raw::try_run(&mixed, "CREATE TABLE recipes (name TEXT)").unwrap();
    let said = moved(&from, &mixed).unwrap_err();
    assert!(said.to_string().contains("recipes is not known"), "{said}");
    let used = server.migrated();
    let store = open_url(&used);
    let said = moved(&from, &used).unwrap_err();
    assert!(matches!(said, CopyError::TargetInUse { .. }), "{said}");
    drop(store);
    let away = moved(&from, "postgres://uec:s3cret@127.0.0.1:1/x").unwrap_err();
    assert!(!away.to_string().contains("s3cret"), "{away}");
}

#[tokio::test]
async fn a_source_that_is_not_right_is_refused_and_no_target_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("to.db");
    let refused = |from: &Path| {
        let said = moved(&url(from), &url(&target)).unwrap_err();
        assert!(!target.exists(), "{said}");
        said
    };
    let said = refused(&folder.path().join("missing.db"));
    assert!(said.to_string().contains("no database at"), "{said}");
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    assert!(matches!(refused(&empty), CopyError::Empty { .. }));

    let (path, from) = sqlite_in(&folder, "from.db");
    let store = open_url(&from);
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 20).await;
    book(tenant, slots[0]).await;
    let said = refused(&path);
    assert!(matches!(said, CopyError::SourceInUse { .. }), "{said}");
    assert!(said.to_string().contains("--while-running"), "{said}");
    drop(store);

    let spoilt = |name: &str, sql: &str| {
        let copied = folder.path().join(name);
        let raw = rusqlite::Connection::open(&path).unwrap();
        raw.execute("VACUUM INTO ?1", [copied.display().to_string()])
            .unwrap();
        let raw = rusqlite::Connection::open(&copied).unwrap();
        raw.execute_batch(sql).unwrap();
        drop(raw);
        refused(&copied)
    };
    let said = spoilt("older.db", "PRAGMA user_version = 1");
    assert!(matches!(said, CopyError::Older { found: 1, .. }), "{said}");
    let said = spoilt("newer.db", "PRAGMA user_version = 4711");
    assert!(said.to_string().contains("newer version"), "{said}");
    let said = spoilt(
        "chain.db",
        "DROP TRIGGER audit_fixed; UPDATE audit SET body = '{}' WHERE key & 1 = 0",
    );
    assert!(matches!(said, CopyError::Broken { .. }), "{said}");
    let said = spoilt("column.db", "ALTER TABLE slot ADD COLUMN colour TEXT");
    assert!(
        said.to_string()
            .contains("the column colour of slot is not known"),
        "{said}"
    );
    // A second booking of a slot has neither version nor row (D-73).
    let said = spoilt("doubled.db", "DROP INDEX appointment_live;
        INSERT INTO appointment SELECT key + 1, tenant, id || 'x', version, status,
        live, slot, schedule, start, finish, day, service, template, release, nhs_number, booked_at, booked_asid,
        booked_ods, booked_kind, cancelled_at, cancelled_asid, cancelled_ods, booked_claimed FROM appointment");
    assert!(matches!(said, CopyError::Broken { .. }), "{said}");
    let said = spoilt("damaged.db", "DROP INDEX slot_uuid;
        INSERT INTO slot SELECT key + 1000, tenant, schedule, start + 7, finish + 7, uuid, status, held, channel,
        template, release, published_at, held_first FROM slot WHERE key = 1");
    assert!(
        matches!(said, CopyError::Unfit { table: "slot", .. }),
        "{said}"
    );

    // A table of somebody else stays, and is named.
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    drop(raw);
    let report = moved(&from, &url(&target)).unwrap();
    assert_eq!(report.left_behind, ["notes"]);
}

/// Rows, columns and tables that are added to the schema must be added to the copy: this names what is missing.
#[test]
fn the_copy_knows_every_table_and_column_of_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    let (_, from) = sqlite_in(&folder, "from.db");
    drop(open_url(&from));
    let (_, to) = sqlite_in(&folder, "to.db");
    let report = moved(&from, &to).unwrap();
    let names = |sql: &str, url: &str| match raw(url) {
        Raw::Sqlite(c) => {
            let mut all = c.prepare(sql).unwrap();
            let rows = all.query_map([], |r| r.get::<_, String>(0)).unwrap();
            rows.map(Result::unwrap).collect::<Vec<_>>()
        }
        Raw::Postgres(c) => {
            let rows = c.rows(sql).unwrap().into_iter();
            rows.map(|row| row[0].clone().unwrap()).collect()
        }
    };
    let mut known: Vec<String> = report.tables.iter().map(|t| t.name.to_owned()).collect();
    known.sort();
    let tables = names(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
        &from,
    );
    assert_eq!(tables, known);

    let Some(server) = postgres_server() else {
        return;
    };
    let to = server.migrated();
    moved(&from, &to).unwrap();
    let tables = names(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name <> 'uec_schema'
         ORDER BY table_name COLLATE \"C\"",
        &to,
    );
    assert_eq!(tables, known);
    // What a later step might add.
    for (sql, what) in [
        (
            "ALTER TABLE slot ADD COLUMN colour TEXT",
            "column colour of slot",
        ),
        ("CREATE TABLE rumour (tenant BIGINT)", "table rumour"),
    ] {
        let to = server.migrated();
        raw::try_run(&to, sql).unwrap();
        let said = moved(&from, &to).unwrap_err();
        assert!(said.to_string().contains(what), "{said}");
    }
}

/// Whatever ends it in the middle, the target is as it was and takes the next copy.
#[tokio::test]
async fn a_copy_that_is_stopped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_, from) = sqlite_in(&folder, "from.db");
    let store = open_url(&from);
    let (tenant, gp) = tenant(&store).await;
    make_slots(tenant, gp, 1_500).await;
    drop(store);
    let (path, to) = sqlite_in(&folder, "to.db");
    let postgres = postgres_server().map(|server| server.empty());
    for to in [Some(to), postgres].into_iter().flatten() {
        let stops: [fn(&CopyProgress) -> bool; 3] = [
            |p| p.stage == CopyStage::Checking,
            |p| p.stage == CopyStage::Copying && p.table == "slot" && p.rows > 1_000,
            |p| p.stage == CopyStage::Verifying && p.table == "slot" && p.rows > 1_000,
        ];
        for stop in stops {
            let said = copy(
                &from,
                &to,
                &CopyOptions::default(),
                &mut |p| match stop(p) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                },
            );
            assert_eq!(said.unwrap_err(), CopyError::Stopped);
            assert!(!path.exists());
            let none = Options {
                create: false,
                ..Options::default()
            };
            let said = Store::open(&to, &none).err().expect("it is empty");
            assert!(matches!(said, StoreError::Missing { .. }), "{said}");
        }
        moved(&from, &to).unwrap();
        assert_eq!(open_url(&to).tenants().unwrap().len(), 1);
        let _ = std::fs::remove_file(&path);
    }
}

/// A rehearsal copies one moment while bookings go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rehearsal_sees_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = sqlite_in(&folder, "from.db");
    let sources = [Some(file), postgres_server().map(|s| s.migrated())];
    for (n, from) in sources.into_iter().flatten().enumerate() {
        let store = open_url(&from);
        let (tenant, gp) = tenant(&store).await;
        let slots = make_slots(tenant, gp, 100).await;
        book(tenant, slots[0]).await;
        let (_, to) = sqlite_in(&folder, &format!("to-{n}.db"));
        let options = CopyOptions {
            while_running: true,
        };
        let runtime = tokio::runtime::Handle::current();
        let mut booked = 0;
        let report = tokio::task::block_in_place(|| {
            copy(&from, &to, &options, &mut |progress| {
                if progress.is_done && booked < slots.len() - 1 {
                    booked += 1;
                    runtime.block_on(book(tenant, slots[booked]));
                }
                ControlFlow::Continue(())
            })
        });
        let report = report.unwrap();
        assert!(!report.is_whole && booked > 10);
        assert_eq!((report.live_bookings, rows(&report, "appointment")), (1, 1));
        let copied = open_url(&to);
        assert_trail_verifies(copied.tenant(tenant.key()));
        book(copied.tenant(tenant.key()), slots[1]).await;
    }
}

/// Nobody writes to a source that is held, and whoever comes meanwhile is noticed.
#[tokio::test]
async fn a_held_source_takes_no_writes() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let from = server.migrated();
    tenant(&open_url(&from)).await;
    let (path, to) = sqlite_in(&folder, "to.db");
    let raw = raw(&from);
    // Connected under its own name already, so taken for a provider.
    let said = moved(&from, &to).unwrap_err();
    assert!(matches!(said, CopyError::SourceInUse { .. }), "{said}");
    drop(raw);
    let mut tried = None;
    let said = copy(&from, &to, &CopyOptions::default(), &mut |progress| {
        if progress.stage == CopyStage::Copying && tried.is_none() {
            let late = Postgres::connect(&from).unwrap();
            let sql = "SET lock_timeout = 100; UPDATE tenant SET name = 'x'";
            tried = Some((late.rows(sql), late));
        }
        ControlFlow::Continue(())
    });
    assert!(
        matches!(said, Err(CopyError::SourceInUse { .. })),
        "{said:?}"
    );
    let (outcome, late) = tried.unwrap();
    assert!(outcome.unwrap_err().contains("55P03"));
    assert!(!path.exists());
    drop(late);
    moved(&from, &to).unwrap();
}
