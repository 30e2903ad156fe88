//! The store in one SQLite file: one writer thread that commits in groups, a pool of readers beside it.
//!
//! Nothing is kept in memory that another process could change: what a transaction depends on it reads itself.

mod audit;
mod backup;
mod book;
mod cancel;
mod checkpoint;
mod connect;
mod declared;
mod fault;
mod group;
mod migrations;
mod read;
mod readers;
pub(super) mod referral;
mod revision;
pub(super) mod slots;
mod writer;

use crate::audit::AuditEntry;
use crate::store::Options;
use crate::store::appointment::{
    AuditRow, AuditVerdict, BackupReport, Booking, Cancellation, StoredAppointment,
};
use crate::store::error::{StoreError, WriteError};
use crate::store::model::{
    Declaration, Declared, Inserted, NewSlot, Revision, SlotFilter, TenantKey,
};
use crate::store::referral::{Arrival, Filed};
use checkpoint::{Checkpointer, Rest};
use connect::Place;
use jiff::Timestamp;
use readers::Readers;
use revision::{Commits, Watch};
use rusqlite::Connection;
use slots::{Batch, Change, Cursor};
use std::path::{Path, PathBuf};
use writer::{Writer, store_only};

pub(super) use backup::{check as check_backup, restore};
pub(super) use read::{
    appointment, appointments_of, bookings_of_document, bookings_on, catalogue_version,
    declared as declared_rows, history, live_bookings, received, request_id, slot, slot_days,
    slots_of_day, tenants,
};
pub(super) use slots::{count as count_slots, list as list_slots};

/// An open database.
pub(super) struct Database {
    place: Place,
    readers: Readers,
    writer: Writer,
    watch: Watch,
    _checkpointer: Checkpointer,
}

impl Database {
    /// Opens, makes or brings up to date.
    pub(super) fn open(url: &str, options: &Options) -> Result<Database, StoreError> {
        let place = Place::parse(url)?;
        let connection = connect::writer(&place, options)?;
        let readers = Readers::new(place.clone(), options.readers);
        let (commits, rest) = (Commits::default(), Rest::default());
        let writer = Writer::start(connection, commits.clone(), rest.clone(), options)?;
        let checkpointer = Checkpointer::start(&place, rest)?;
        let watch = Watch::start(&place, commits)?;
        Ok(Database {
            place,
            readers,
            writer,
            watch,
            _checkpointer: checkpointer,
        })
    }

    /// Where the database is, for messages.
    pub(super) fn path(&self) -> PathBuf {
        self.place.shown()
    }

    /// What the database's content can be told apart by.
    pub(super) fn revision(&self) -> Result<Revision, StoreError> {
        self.watch.revision()
    }

    /// One read.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.readers.with(read)
    }

    pub(super) async fn book(
        &self,
        tenant: TenantKey,
        booking: Booking,
    ) -> Result<StoredAppointment, WriteError> {
        self.writer
            .submit(move |group| book::book(group, tenant, booking))
            .await
    }

    pub(super) async fn cancel(
        &self,
        tenant: TenantKey,
        change: Cancellation,
    ) -> Result<StoredAppointment, WriteError> {
        self.writer
            .submit(move |group| cancel::cancel(group, tenant, change))
            .await
    }

    pub(super) async fn file_referral(
        &self,
        tenant: Option<TenantKey>,
        arrival: Arrival,
    ) -> Result<Filed, StoreError> {
        let done = self
            .writer
            .submit(move |group| referral::file(group, tenant, arrival));
        done.await.map_err(store_only)
    }

    pub(super) async fn close_referral(
        &self,
        tenant: Option<TenantKey>,
        id: uuid::Uuid,
        because: String,
        entry: AuditEntry,
    ) -> Result<bool, StoreError> {
        let done = self
            .writer
            .submit(move |group| referral::close(group, tenant, id, &because, &entry));
        done.await.map_err(store_only)
    }

    pub(super) async fn declare(
        &self,
        declaration: Declaration,
        entry: AuditEntry,
    ) -> Result<Declared, StoreError> {
        let done = self
            .writer
            .submit(move |group| declared::declare(group, &declaration, &entry));
        done.await.map_err(store_only)
    }

    pub(super) async fn insert_slots(
        &self,
        tenant: TenantKey,
        slots: Vec<NewSlot>,
        at: Timestamp,
        entry: AuditEntry,
    ) -> Result<Inserted, StoreError> {
        let done = self
            .writer
            .submit(move |group| slots::insert(group, tenant, &slots, at, &entry));
        done.await.map_err(store_only)
    }

    pub(super) async fn change_slots(
        &self,
        tenant: TenantKey,
        filter: SlotFilter,
        what: Change,
        from: Cursor,
        at: Timestamp,
        entry: AuditEntry,
    ) -> Result<Batch, StoreError> {
        let done = self
            .writer
            .submit(move |group| slots::change(group, tenant, &filter, what, from, at, &entry));
        done.await.map_err(store_only)
    }

    pub(super) async fn audit(&self, tenant: TenantKey, body: String) -> Result<(), StoreError> {
        self.writer.audit(tenant, body).await
    }

    pub(super) async fn audit_soon(
        &self,
        tenant: TenantKey,
        body: String,
    ) -> Result<(), StoreError> {
        self.writer.audit_soon(tenant, body).await
    }

    pub(super) fn audit_verify(&self, tenant: TenantKey) -> Result<AuditVerdict, StoreError> {
        audit::verify(&self.readers.separate()?, tenant)
    }

    pub(super) fn audit_rows(
        &self,
        tenant: TenantKey,
        after: i64,
        limit: usize,
    ) -> Result<Vec<AuditRow>, StoreError> {
        self.read(|c| audit::rows(c, tenant, after, limit))
    }

    pub(super) fn audit_last_before(
        &self,
        tenant: TenantKey,
        at: Timestamp,
    ) -> Result<i64, StoreError> {
        self.read(|c| audit::last_before(c, tenant, at))
    }

    pub(super) fn backup(&self, target: &Path) -> Result<BackupReport, StoreError> {
        backup::backup(&self.readers.separate()?, target)
    }

    /// Does what is waiting and ends the writer; blocks.
    pub(super) fn close(&self) {
        self.writer.close();
    }
}
