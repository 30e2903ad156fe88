//! A tenant with one schedule and slots, for the tests of the store.

use booking::ids::{Asid, NhsNumber, OdsCode, RequestId, ResourceId, ServiceId};
use booking::refusal::{Refusal, Situation};
use booking::rules::release::Believed;
use booking::slot::SlotStatus;
use booking::wire::interaction::Interaction;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use provider::audit::AuditEntry;
use provider::referral::{Reason, Wire, Wrapper};
use provider::store::{
    Arrival, Booking, Cancellation, Claimed, Declaration, DeclaredChange, Inserted, NewSlot,
    Options, ScheduleKey, SlotChange, SlotFilter, Store, StoredAppointment, Tenant, TenantKey,
    WriteError, WriteRequest,
};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
pub use testkit::postgres;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub mod diary;
pub mod raw;

use raw::Raw;

/// A caller whose names are all believed.
pub const BELIEVED: Believed = Believed {
    system: true,
    organization: true,
};

/// True in the suites that run on PostgreSQL.
pub fn on_postgres() -> bool {
    module_path!().contains("::postgres::")
}

/// What differs between the databases in a test.
pub fn text<T>(sqlite: T, postgres: T) -> T {
    if on_postgres() { postgres } else { sqlite }
}

/// A database that goes away with it: a file in a directory of its own, or one of the program's server.
pub struct Place {
    pub directory: tempfile::TempDir,
    url: String,
}

impl Place {
    pub fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let url = match on_postgres() {
            true => server().migrated(),
            false => url(&directory.path().join("provider.db")),
        };
        Place { directory, url }
    }

    /// The same without anything in it.
    pub fn bare() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let url = match on_postgres() {
            true => server().empty(),
            false => url(&directory.path().join("provider.db")),
        };
        Place { directory, url }
    }

    /// The file of SQLite.
    pub fn file(&self) -> PathBuf {
        assert!(!on_postgres());
        self.directory.path().join("provider.db")
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn open(&self) -> Store {
        open_url(&self.url)
    }

    pub fn open_with(&self, options: &Options) -> Store {
        Store::open(&self.url, options).unwrap()
    }

    /// A connection past the store.
    pub fn raw(&self) -> Raw {
        match on_postgres() {
            true => Raw::Postgres(raw::Postgres::connect(&self.url).unwrap()),
            false => Raw::Sqlite(rusqlite::Connection::open(self.file()).unwrap()),
        }
    }
}

/// As a server opens a database.
pub fn serving() -> Options {
    Options {
        serving: true,
        ..Options::default()
    }
}

/// The test program's PostgreSQL server; `None`, having said so, where PostgreSQL is not installed.
pub fn postgres_server() -> Option<&'static postgres::Server> {
    postgres::shared(|url| drop(open_url(url)))
}

/// The server of a suite that runs on PostgreSQL.
pub fn server() -> &'static postgres::Server {
    postgres_server().expect("PostgreSQL, see above")
}

/// A store that nothing but the test sees: in memory, or on the server.
pub fn memory() -> Store {
    match on_postgres() {
        true => open_url(&server().migrated()),
        false => open_url("sqlite::memory:"),
    }
}

pub fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

pub fn open(path: &Path) -> Store {
    open_url(&url(path))
}

pub fn open_url(url: &str) -> Store {
    Store::open(url, &Options::default()).unwrap()
}

/// 1 March 2030, 09:00 UTC: the first slot.
pub fn first_start() -> Timestamp {
    "2030-03-01T09:00:00Z".parse().unwrap()
}

/// The day before.
pub fn now() -> Timestamp {
    "2030-02-28T12:00:00Z".parse().unwrap()
}

pub fn minutes(at: Timestamp, n: i64) -> Timestamp {
    at + SignedDuration::from_mins(n)
}

pub fn asid() -> Asid {
    Asid::parse("918999000099").unwrap()
}

pub fn ods() -> OdsCode {
    OdsCode::parse("FX900").unwrap()
}

pub fn nhs_number() -> NhsNumber {
    NhsNumber::parse("9990000018").unwrap()
}

pub fn new_request_id() -> RequestId {
    RequestId::parse(&Uuid::new_v4().to_string()).unwrap()
}

pub fn staff() -> AuditEntry {
    AuditEntry::local(now(), "test", "nobody")
}

/// A message that nobody can read, received as staff would not: it is kept in quarantine.
pub fn received(message: &[u8]) -> Arrival {
    Arrival {
        id: Uuid::now_v7(),
        at: now(),
        wire: Wire::Soap11,
        wrapper: Wrapper::default(),
        document: Err(Reason::invalid("It cannot be read.")),
        further: None,
        message_hash: Sha256::digest(message).into(),
        body: Bytes::copy_from_slice(message),
        refused_status: |_| 500,
        entry: AuditEntry::local(now(), "referral.receive", "nobody"),
    }
}

/// Makes the tenant FX101 with the schedule `gp`.
pub async fn tenant(store: &Store) -> (Tenant<'_>, ScheduleKey) {
    tenant_named(store, "FX101", "918999000011").await
}

pub async fn tenant_named<'s>(
    store: &'s Store,
    ods: &str,
    asid: &str,
) -> (Tenant<'s>, ScheduleKey) {
    let declaration = Declaration {
        ods: OdsCode::parse(ods).unwrap(),
        asid: Asid::parse(asid).unwrap(),
        name: "Fernhill Urgent Care".to_owned(),
        expected: None,
        changes: vec![put("schedule", "gp", "{}")],
        at: now(),
    };
    let done = store.declare(declaration, staff()).await.unwrap();
    let tenant = store.tenant(done.tenant);
    (tenant, schedule(tenant, "gp"))
}

pub fn put(kind: &str, id: &str, body: &str) -> DeclaredChange {
    DeclaredChange::Put {
        kind: kind.into(),
        id: id.into(),
        position: 1,
        body: body.into(),
    }
}

pub fn schedule(tenant: Tenant<'_>, id: &str) -> ScheduleKey {
    let (_, rows) = tenant.declared().unwrap();
    rows.iter()
        .find(|r| r.kind == "schedule" && r.id == id)
        .unwrap()
        .schedule
        .unwrap()
}

/// Slots of ten minutes, one after the other.
pub fn new_slots(schedule: ScheduleKey, n: usize) -> Vec<NewSlot> {
    new_slots_from(schedule, first_start(), n)
}

pub fn new_slots_from(schedule: ScheduleKey, from: Timestamp, n: usize) -> Vec<NewSlot> {
    (0..n as i64)
        .map(|i| NewSlot {
            uuid: Uuid::now_v7(),
            schedule,
            start: minutes(from, 10 * i),
            end: minutes(from, 10 * i + 10),
            held: false,
            channel: None,
            template: Some("weekday".into()),
            release: None,
            track: 0,
        })
        .collect()
}

/// Makes slots and returns their ids.
pub async fn make_slots(tenant: Tenant<'_>, schedule: ScheduleKey, n: usize) -> Vec<Uuid> {
    let slots = new_slots(schedule, n);
    let ids = slots.iter().map(|s| s.uuid).collect();
    assert_eq!(insert(tenant, slots).await.made, n as u64);
    ids
}

/// Holds back, releases or removes slots; returns how many.
pub async fn change(
    tenant: Tenant<'_>,
    what: SlotChange,
    filter: SlotFilter,
    at: Timestamp,
) -> u64 {
    let entry = staff();
    let changed = tenant.change_slots(what, filter, at, &entry);
    changed.await.unwrap()
}

/// Makes slots.
pub async fn insert(tenant: Tenant<'_>, slots: Vec<NewSlot>) -> Inserted {
    let entry = staff();
    let made = tenant.insert_slots(slots, now(), &entry);
    made.await.unwrap()
}

/// A booking whose rule takes any free slot.
pub fn booking(slot: Uuid, request_id: RequestId) -> Booking {
    let id = ResourceId::parse(&Uuid::now_v7().to_string()).unwrap();
    let document =
        format!("{{\"resourceType\":\"Appointment\",\"id\":\"{id}\",\"status\":\"booked\"}}");
    Booking {
        slot: Some(slot),
        id,
        json: document.into(),
        nhs_number: Some(nhs_number()),
        document_id: Some("A1B2C3D4-0000-4000-8000-000000000002".to_owned()),
        declared: None,
        claimed: Claimed::Nothing,
        kind: Some("111".to_owned()),
        request: write_request(Interaction::Book, 201, request_id, now()),
        decide: Box::new(move |slot, _| {
            let slot =
                slot.ok_or_else(|| Refusal::new(Situation::ReferenceUnknown, "no such slot"))?;
            if slot.slot.status != SlotStatus::Free {
                return Err(Refusal::new(Situation::SlotTaken, "not free"));
            }
            Ok(ServiceId::parse("2000000011").unwrap())
        }),
    }
}

fn write_request(
    interaction: Interaction,
    status: u16,
    request_id: RequestId,
    at: Timestamp,
) -> WriteRequest {
    let mut entry = AuditEntry::new(now(), Uuid::new_v4());
    entry.interaction = Some(interaction);
    entry.status = status;
    entry.request_id = Some(request_id.clone());
    WriteRequest {
        asid: asid(),
        ods: ods(),
        request_id: Some(request_id),
        at,
        received: None,
        entry,
    }
}

pub async fn book(tenant: Tenant<'_>, slot: Uuid) -> StoredAppointment {
    tenant.book(booking(slot, new_request_id())).await.unwrap()
}

/// Books slots at the same time, each in a task of its own.
pub fn book_at_once(
    tenant: Tenant<'_>,
    slots: &[Uuid],
) -> Vec<JoinHandle<Result<StoredAppointment, WriteError>>> {
    let book = |slot: &Uuid| {
        let (store, key) = (tenant.store().clone(), tenant.key());
        let wanted = booking(*slot, new_request_id());
        tokio::spawn(async move { store.tenant(key).book(wanted).await })
    };
    slots.iter().map(book).collect()
}

/// A cancellation whose rule allows everything.
pub fn cancellation(id: &ResourceId, expected: u32) -> Cancellation {
    let at = minutes(now(), 5);
    Cancellation {
        id: id.clone(),
        expected,
        request: write_request(Interaction::Cancel, 200, new_request_id(), at),
        decide: Box::new(|stored| {
            Ok(String::from_utf8_lossy(&stored.json)
                .replace("booked", "cancelled")
                .into_bytes())
        }),
    }
}

/// Bodies of the audit trail as JSON, oldest first.
pub fn trail(tenant: Tenant<'_>) -> Vec<serde_json::Value> {
    let rows = tenant.audit_rows(0, 100_000).unwrap();
    rows.iter()
        .map(|row| serde_json::from_str(&row.body).unwrap())
        .collect()
}

pub fn assert_trail_verifies(tenant: Tenant<'_>) -> i64 {
    match tenant.audit_verify().unwrap() {
        provider::store::AuditVerdict::Verified { rows, .. } => rows,
        broken => panic!("{broken:?}"),
    }
}

/// A digest as a row of the trail holds it.
pub fn sha256(bytes: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    hex(&digest)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The audit trail in the hand of somebody who knows how it is made. The triggers must be gone.
pub struct Chain {
    ods: String,
    times: Vec<i64>,
    pub bodies: Vec<String>,
}

impl Chain {
    /// The trail of the only provider.
    pub fn read(raw: &Raw) -> Chain {
        let rows = raw.words(text(
            "SELECT at, body FROM audit ORDER BY key",
            "SELECT at, body FROM audit ORDER BY seq",
        ));
        Chain {
            ods: raw.words("SELECT ods FROM tenant")[0][0].clone(),
            times: rows.iter().map(|row| row[0].parse().unwrap()).collect(),
            bodies: rows.into_iter().map(|row| row[1].clone()).collect(),
        }
    }

    /// Writes it anew with hashes that fit; texts may have been changed or left out at any place.
    pub fn write(&self, raw: &Raw, tenant: TenantKey) {
        let mut hash: [u8; 32] = Sha256::digest(format!("uec audit chain 1\n{}", self.ods)).into();
        let mut sql = "DELETE FROM audit;".to_owned();
        let (tenant, mut last) = (tenant.number(), (0, 0));
        for (n, body) in (1_i64..).zip(&self.bodies) {
            let at = self.times[n as usize - 1];
            let mut sha = Sha256::new();
            sha.update(hash);
            sha.update(n.to_be_bytes());
            sha.update(at.to_be_bytes());
            sha.update(body.as_bytes());
            hash = sha.finalize().into();
            let (body, bytes) = (body.replace('\'', "''"), bytes_of(&hash));
            sql += &text(
                format!(
                    "INSERT INTO audit VALUES (({tenant} << 40) + {n}, {at}, '{body}', {bytes});"
                ),
                format!("INSERT INTO audit VALUES ({tenant}, {n}, {at}, '{body}', {bytes});"),
            );
            last = (n, at);
        }
        sql += &format!(
            "UPDATE audit_head SET seq = {}, at = {}, hash = {} WHERE tenant = {tenant}",
            last.0,
            last.1,
            bytes_of(&hash)
        );
        raw.run(&sql);
    }
}

/// Bytes as SQL.
fn bytes_of(bytes: &[u8]) -> String {
    let hex = hex(bytes);
    text(format!("X'{hex}'"), format!("decode('{hex}', 'hex')"))
}
