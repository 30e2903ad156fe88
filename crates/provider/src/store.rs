//! The diary, the bookings and the audit trail, stored.
//!
//! [`Store`] is a handle that is cheap to clone. Reads are short and synchronous: one takes microseconds to some
//! hundred microseconds and may be called in an async task. Writes are async and return when they are durable. No SQL
//! outside the folders `sql` (statements and logic, the same for both databases) and `driver` (what differs).

mod appointment;
mod audit;
mod conflict;
mod copy;
mod driver;
mod error;
mod gauges;
mod model;
mod options;
mod referral;
mod sql;
#[cfg(test)]
mod upgrade_tests;

pub use appointment::{
    Accepted, AppointmentCursor, AppointmentFilter, AppointmentStatus, AuditHead, AuditRow,
    AuditVerdict, BackupReport, Booking, BookingRow, Cancellation, Counts, DecideBooking,
    DecideCancellation, FoundAppointments, Shown, StoredAppointment, UsedRequestId,
};
pub use conflict::Conflict;
pub use copy::{
    CopiedChain, CopiedTable, CopyError, CopyListener, CopyOptions, CopyProgress, CopyReport,
    CopyStage, copy,
};
pub use error::{StoreError, WriteError};
pub use gauges::{Gauges, Inspection, Load, ServerSeen, Waiting};
pub use model::{
    BookingCount, Channel, Claimed, CountBy, Declaration, Declared, DeclaredChange, DeclaredRow,
    Inserted, NewSlot, PlacedSlot, Revision, SCHEDULE_KIND, ScheduleKey, SlotCounts, SlotDays,
    SlotFilter, SlotKey, SlotRow, TenantKey, TenantRow, london_day, utc_day,
};

pub use options::Options;
pub use referral::{
    Arrival, Filed, LinkedBooking, MatchedBy, REFERRAL_BYTES, ReferralFilter, ReferralRow,
    ReferralState,
};

use crate::audit::AuditEntry;
use booking::ids::{Asid, NhsNumber, OdsCode, RequestId, ResourceId, ServiceId};
use bytes::Bytes;
use driver::{Release, postgres, sqlite};
use jiff::Timestamp;
use sql::Database;
pub(crate) use sql::WriteIntent;
pub use sql::slots::Cursor as SlotCursor;
use sql::slots::{Change, check_filter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// Slots that one transaction of a bulk change takes, a few hundredths of a second of work; bookings go between.
pub const SLOTS_PER_JOB: usize = 2_000;
/// Most rows that one listing returns, whatever is asked for: it is held in memory.
const LIST_MOST: usize = 100_000;

/// An address of a database as it may be shown: without password.
pub fn redacted(url: &str) -> String {
    match postgres::is_address(url) {
        true => postgres::redacted(url),
        false => url.to_owned(),
    }
}

/// What is to be used instead of `backup` and `restore` for a database that is not a file; nothing for a file.
pub fn backed_up_elsewhere(url: &str) -> Option<StoreError> {
    postgres::is_address(url).then(StoreError::no_backup)
}

/// A handle on the stored data.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
}

impl Store {
    /// Opens `sqlite:PATH`, `sqlite::memory:` or `postgres://USER@HOST/DATABASE`; makes it (a file, or the tables in an
    /// empty database) or brings its schema up to date. What is not ours, is newer than this program, locked, damaged or
    /// not accessible is left as it is.
    pub fn open(url: &str, options: &Options) -> Result<Store, StoreError> {
        Ok(Store {
            database: Arc::new(Database::open(url, options, Release::CURRENT)?),
        })
    }

    /// Looks at a database from outside and changes nothing, not even its schema; `pages`: every page of a file too, about a
    /// second per gigabyte.
    pub fn inspect(url: &str, pages: bool) -> Result<Inspection, StoreError> {
        driver::DatabaseUrl::parse(url)?.inspect(pages)
    }

    /// Where the data is, for messages; without password.
    pub fn shown(&self) -> String {
        self.database.shown()
    }

    /// The file that the data is in, if it is one.
    pub fn file(&self) -> Option<PathBuf> {
        self.database.file()
    }

    /// Takes no more writes, finishes those that are waiting, writes the last audit rows. Blocks until then, for a
    /// second or so at most; dropping the last handle does the same.
    pub fn close(&self) {
        self.database.close();
    }

    /// `Ok` when the data can be read, from a server that takes writes.
    pub fn ready(&self) -> Result<(), StoreError> {
        self.database.read(|c| {
            sql::tenants(c)?;
            c.takes_writes()
        })
    }

    /// Counters of this store, for metrics and readiness.
    pub fn gauges(&self) -> &Gauges {
        self.database.gauges()
    }

    /// What is waiting and in use at this moment.
    pub fn load(&self) -> Load {
        self.database.load()
    }

    /// Writes without changing anything, as durably as a booking: `Ok` when a booking would be stored.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.database.probe().await
    }

    /// `Ok` when the files that are open are still the ones at their paths; costs some microseconds.
    pub fn in_place(&self) -> Result<(), StoreError> {
        self.database.in_place()
    }

    /// Live bookings from a London day ([`london_day`]) on, by service.
    pub fn live_by_service(
        &self,
        tenant: TenantKey,
        from_day: i32,
    ) -> Result<Vec<(ServiceId, u64)>, StoreError> {
        self.database
            .read(|c| sql::figures::live_by_service(c, tenant, from_day))
    }

    /// Referrals received since a moment that wait for somebody. `None`: those that belong to nobody.
    pub fn referrals_waiting(
        &self,
        tenant: Option<TenantKey>,
        since: Timestamp,
    ) -> Result<Waiting, StoreError> {
        let since = since.as_millisecond();
        self.database
            .read(|c| sql::figures::referrals_waiting(c, tenant, since))
    }

    /// The service that an appointment is attributed to, and the system that booked it; `None` when it is unknown.
    pub fn origin_of(
        &self,
        tenant: TenantKey,
        id: &ResourceId,
    ) -> Result<Option<(ServiceId, Asid)>, StoreError> {
        self.database
            .read(|c| sql::figures::origin_of(c, tenant, id))
    }

    /// All tenants in order of ODS code.
    pub fn tenants(&self) -> Result<Vec<TenantRow>, StoreError> {
        self.database.read(sql::tenants)
    }

    /// The tenant of an ODS code.
    pub fn tenant(&self, ods: &OdsCode) -> Result<Option<TenantRow>, StoreError> {
        self.database.read(|c| sql::tenant(c, ods))
    }

    /// Differs from an earlier one when something was committed in between, by whatever process. While it is the same,
    /// what was read after it was first seen still holds; asking costs much less than reading.
    pub fn revision(&self) -> Result<Revision, StoreError> {
        self.database.revision_blocking()
    }

    /// The same without blocking a thread where the database is far away.
    pub async fn revision_now(&self) -> Result<Revision, StoreError> {
        self.database.revision().await
    }

    /// True where a read takes a way over the network, so that it pays to wait for another's.
    pub fn is_remote(&self) -> bool {
        self.database.is_remote()
    }

    /// Goes up with every change of the tenant's declared things.
    pub fn catalogue_version(&self, tenant: TenantKey) -> Result<i64, StoreError> {
        self.database.read(|c| sql::catalogue_version(c, tenant))
    }

    /// The declared things with their catalogue version, by kind, then position.
    pub fn declared(&self, tenant: TenantKey) -> Result<(i64, Vec<DeclaredRow>), StoreError> {
        self.database.read(|c| sql::declared_rows(c, tenant))
    }

    /// Versions of the days in `from..=to` (days since 1970-01-01 UTC, by slot start) that have or had slots.
    pub fn slot_days(
        &self,
        tenant: TenantKey,
        schedules: &[ScheduleKey],
        from: i32,
        to: i32,
    ) -> Result<SlotDays, StoreError> {
        self.database
            .read_diary(|c| sql::slot_days(c, tenant, schedules, from, to))
    }

    /// All slots of a schedule that start on a UTC day, in order of start, with the day's version (0: never had any).
    pub fn slots_of_day(
        &self,
        tenant: TenantKey,
        schedule: ScheduleKey,
        day: i32,
    ) -> Result<(i64, Vec<SlotRow>), StoreError> {
        self.database
            .read_diary(|c| sql::slots_of_day(c, tenant, schedule, day))
    }

    /// A slot by its id.
    pub fn slot(&self, tenant: TenantKey, uuid: Uuid) -> Result<Option<PlacedSlot>, StoreError> {
        self.database.read(|c| sql::slot(c, tenant, uuid))
    }

    /// Slots by schedule as named in the filter, then by start; at most `limit`.
    pub fn slots(
        &self,
        tenant: TenantKey,
        filter: &SlotFilter,
        limit: usize,
    ) -> Result<Vec<PlacedSlot>, StoreError> {
        self.slots_after(tenant, filter, None, limit)
            .map(|(slots, _)| slots)
    }

    /// The same from a place on, with the place after them; `None` when there are no more. So a list of any length is
    /// read page by page.
    pub fn slots_after(
        &self,
        tenant: TenantKey,
        filter: &SlotFilter,
        after: Option<SlotCursor>,
        limit: usize,
    ) -> Result<(Vec<PlacedSlot>, Option<SlotCursor>), StoreError> {
        let from = after.unwrap_or(SlotCursor::START);
        self.database
            .read(|c| sql::list_slots(c, tenant, filter, from, limit.min(LIST_MOST)))
    }

    /// How many slots are in which state.
    pub fn count_slots(
        &self,
        tenant: TenantKey,
        filter: &SlotFilter,
    ) -> Result<SlotCounts, StoreError> {
        self.database.read(|c| sql::count_slots(c, tenant, filter))
    }

    /// When the first and the last slot of a filter begin; `None`: there is none.
    pub fn slot_span(
        &self,
        tenant: TenantKey,
        filter: &SlotFilter,
    ) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        self.database.read(|c| sql::slot_span(c, tenant, filter))
    }

    /// A version of an appointment; `None`: the current one.
    pub fn appointment(
        &self,
        tenant: TenantKey,
        id: &ResourceId,
        version: Option<u32>,
    ) -> Result<Option<StoredAppointment>, StoreError> {
        self.database
            .read(|c| sql::appointment(c, tenant, id, version))
    }

    /// All versions, oldest first; none if the appointment is unknown.
    pub fn history(
        &self,
        tenant: TenantKey,
        id: &ResourceId,
    ) -> Result<Vec<StoredAppointment>, StoreError> {
        self.database.read(|c| sql::history(c, tenant, id))
    }

    /// The request as received that made a version (DAT-04), where it was kept.
    pub fn received(
        &self,
        tenant: TenantKey,
        id: &ResourceId,
        version: u32,
    ) -> Result<Option<Bytes>, StoreError> {
        self.database
            .read(|c| sql::received(c, tenant, id, version))
    }

    /// A page of the appointments of a filter in their current versions, at most `limit`: live ones first, then the latest
    /// start first. The filter holds before the limit, and all that it finds are counted.
    pub fn find_appointments(
        &self,
        tenant: TenantKey,
        filter: &AppointmentFilter<'_>,
        after: Option<AppointmentCursor>,
        limit: usize,
    ) -> Result<FoundAppointments, StoreError> {
        self.database
            .read(|c| sql::find_appointments(c, tenant, filter, after, limit.min(LIST_MOST)))
    }

    /// The first page of a patient's appointments.
    pub fn appointments_of(
        &self,
        tenant: TenantKey,
        number: &NhsNumber,
        limit: usize,
    ) -> Result<Vec<StoredAppointment>, StoreError> {
        let filter = AppointmentFilter {
            patient: Some(number),
            ..AppointmentFilter::default()
        };
        self.find_appointments(tenant, &filter, None, limit)
            .map(|found| found.page)
    }

    /// Live bookings of schedules that start at or after a moment; at most `limit`.
    pub fn live_bookings(
        &self,
        tenant: TenantKey,
        schedules: &[ScheduleKey],
        from: Timestamp,
        limit: usize,
    ) -> Result<Vec<BookingRow>, StoreError> {
        self.database
            .read(|c| sql::live_bookings(c, tenant, schedules, from, limit.min(LIST_MOST)))
    }

    /// Live bookings linked to a referral document, compared without regard to case (REF-PRO-02).
    pub fn bookings_of_document(
        &self,
        tenant: TenantKey,
        document: &str,
        limit: usize,
    ) -> Result<Vec<BookingRow>, StoreError> {
        self.database
            .read(|c| sql::bookings_of_document(c, tenant, document, limit.min(LIST_MOST)))
    }

    /// Who used an `X-Request-ID` for a create or update that succeeded.
    pub fn request_id(
        &self,
        tenant: TenantKey,
        id: &RequestId,
    ) -> Result<Option<UsedRequestId>, StoreError> {
        self.database.read(|c| sql::request_id(c, tenant, id))
    }

    /// Live bookings that a cap counts.
    pub fn bookings_on(&self, tenant: TenantKey, of: &BookingCount<'_>) -> Result<u32, StoreError> {
        self.database.read(|c| sql::bookings_on(c, tenant, of))
    }

    /// Says that a booking or a cancellation is being made ready, so that the group of writes under way waits a moment
    /// for it. What this returns must be gone before the write is waited for.
    pub(crate) fn announce(&self, tenant: TenantKey) -> WriteIntent {
        self.database.announce(tenant)
    }

    /// Books a slot, all or nothing. The audit row of the attempt is written either way; only when the store itself
    /// fails ([`WriteError::Store`]) there is none.
    pub async fn book(
        &self,
        tenant: TenantKey,
        booking: Booking,
    ) -> Result<StoredAppointment, WriteError> {
        self.database.book(tenant, booking).await
    }

    /// Cancels an appointment and frees its slot, all or nothing; audit as for [`Store::book`].
    pub async fn cancel(
        &self,
        tenant: TenantKey,
        change: Cancellation,
    ) -> Result<StoredAppointment, WriteError> {
        self.database.cancel(tenant, change).await
    }

    /// Files a message with a referral, or keeps it aside, all or nothing with its audit row. `None`: it could not be
    /// told whose it is; such a message is kept, and has no audit trail to be recorded in.
    pub async fn file_referral(
        &self,
        tenant: Option<TenantKey>,
        arrival: Arrival,
    ) -> Result<Filed, StoreError> {
        self.database.file_referral(tenant, arrival).await
    }

    /// Referrals of a tenant, latest first; `None`: what could not be assigned. At most `limit`.
    pub fn referrals(
        &self,
        tenant: Option<TenantKey>,
        filter: ReferralFilter,
        limit: usize,
    ) -> Result<Vec<ReferralRow>, StoreError> {
        self.database
            .read(|c| sql::referral::rows(c, tenant, filter, limit.min(LIST_MOST)))
    }

    /// One referral by its id here, its document id or its tracking id.
    pub fn referral(
        &self,
        tenant: Option<TenantKey>,
        name: &str,
    ) -> Result<Option<ReferralRow>, StoreError> {
        self.database.read(|c| sql::referral::one(c, tenant, name))
    }

    /// The message of a referral, as received. It is patient data: whoever asks for it belongs in the audit trail.
    pub fn referral_message(
        &self,
        tenant: Option<TenantKey>,
        id: Uuid,
    ) -> Result<Option<Bytes>, StoreError> {
        self.database
            .read(|c| sql::referral::message(c, tenant, id))
    }

    /// Takes a message off the quarantine list; it is kept. False when it is not on it.
    pub async fn close_referral(
        &self,
        tenant: Option<TenantKey>,
        id: Uuid,
        because: &str,
        entry: AuditEntry,
    ) -> Result<bool, StoreError> {
        self.database
            .close_referral(tenant, id, because.to_owned(), entry)
            .await
    }

    /// Makes or changes a tenant and its declared things.
    pub async fn declare(
        &self,
        declaration: Declaration,
        entry: AuditEntry,
    ) -> Result<Declared, StoreError> {
        self.database.declare(declaration, entry).await
    }

    /// Makes slots, in batches of [`SLOTS_PER_JOB`], each a transaction with an audit row. Slots that a schedule already
    /// has are left alone, so that a call that failed half way can be made again.
    pub async fn insert_slots(
        &self,
        tenant: TenantKey,
        slots: Vec<NewSlot>,
        at: Timestamp,
        entry: &AuditEntry,
    ) -> Result<Inserted, StoreError> {
        let mut done = Inserted::default();
        for batch in slots.chunks(SLOTS_PER_JOB) {
            let batch = self
                .database
                .insert_slots(tenant, batch.to_vec(), at, entry.clone())
                .await?;
            done.made += batch.made;
            done.existing += batch.existing;
        }
        Ok(done)
    }

    /// Holds slots back from consumers; returns how many were not held before.
    pub async fn hold_slots(
        &self,
        tenant: TenantKey,
        filter: SlotFilter,
        at: Timestamp,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        self.change_slots(tenant, filter, Change::Hold, at, entry)
            .await
    }

    /// Releases held slots; returns how many were held before.
    pub async fn release_slots(
        &self,
        tenant: TenantKey,
        filter: SlotFilter,
        at: Timestamp,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        self.change_slots(tenant, filter, Change::Release, at, entry)
            .await
    }

    /// Takes free slots that have not begun out of the diary; booked ones stay. Returns how many were removed.
    pub async fn remove_slots(
        &self,
        tenant: TenantKey,
        filter: SlotFilter,
        at: Timestamp,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        self.change_slots(tenant, filter, Change::Remove, at, entry)
            .await
    }

    async fn change_slots(
        &self,
        tenant: TenantKey,
        filter: SlotFilter,
        what: Change,
        at: Timestamp,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        check_filter(&filter)?;
        let (mut changed, mut from) = (0, Some(SlotCursor::START));
        // Each batch begins after the one before, so this ends with the slots of the filter.
        while let Some(cursor) = from {
            let batch = self
                .database
                .change_slots(tenant, filter.clone(), what, cursor, at, entry.clone())
                .await?;
            changed += batch.changed;
            from = batch.next;
        }
        Ok(changed)
    }

    /// Copies the data of this moment into a new file and checks the copy. Blocks for as long as reading and writing
    /// it all takes; bookings go on meanwhile. A file that is there is not overwritten.
    pub fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
        self.database.backup(to)
    }

    /// Checks a backup: every page, every index, every audit trail.
    pub fn check_backup(file: &Path) -> Result<BackupReport, StoreError> {
        sqlite::check_backup(file)
    }

    /// Checks a backup and puts a copy of it at `to`. With `replace` a database that is there is replaced, but never
    /// one that a program has open.
    pub fn restore(file: &Path, to: &Path, replace: bool) -> Result<BackupReport, StoreError> {
        sqlite::restore(file, to, replace)
    }
}
