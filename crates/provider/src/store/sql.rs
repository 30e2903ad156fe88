//! The store over either database: threads that write in groups, a pool of readers beside them. All statements are
//! here.
//!
//! Nothing is kept in memory that another process could change: what a transaction depends on it reads itself.

pub(in crate::store) mod audit;
mod book;
mod cancel;
mod declared;
mod deferred_audit;
pub(super) mod figures;
mod find;
mod group;
mod job;
mod made;
mod query;
pub(in crate::store) mod read;
mod readers;
pub(super) mod referral;
mod replica;
mod revision;
mod shard;
pub(super) mod slots;
mod writer;
mod writer_thread;

use crate::audit::AuditEntry;
use crate::store::Options;
use crate::store::appointment::{
    AuditHead, AuditRow, AuditVerdict, BackupReport, Booking, Cancellation, StoredAppointment,
};
use crate::store::driver::{Connection, DatabaseUrl, Release, postgres, sqlite};
use crate::store::error::{StoreError, WriteError};
use crate::store::gauges::{Gauges, Load};
use crate::store::model::{
    Declaration, Declared, Inserted, NewSlot, Revision, SlotFilter, TenantKey,
};
use crate::store::referral::{Arrival, Filed};
use jiff::Timestamp;
use readers::Readers;
use replica::Replica;
use revision::{Commits, Watch};
use slots::{Batch, Change, Cursor};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use writer::{Writer, store_only};

pub(crate) use writer::WriteIntent;

pub(super) use find::appointments as find_appointments;
pub(super) use group::snapshot;
pub(super) use read::{
    appointment, bookings_of_document, bookings_on, catalogue_version, declared as declared_rows,
    history, live_bookings, received, request_id, slot, slot_days, slots_of_day, tenant, tenants,
};
pub(super) use slots::{count as count_slots, list as list_slots, span as slot_span};

/// An open database.
pub(super) struct Database {
    url: DatabaseUrl,
    most_readers: usize,
    readers: Readers,
    replica: Option<Replica>,
    writer: Writer,
    watch: Watch,
    gauges: Arc<Gauges>,
    /// What must still stand at its paths, when it is a file.
    files: Option<Arc<sqlite::Files>>,
    _checkpointer: Option<sqlite::Checkpointer>,
}

impl Database {
    /// Opens, makes or brings up to date, as far as a release knows.
    pub(super) fn open(
        url: &str,
        options: &Options,
        release: Release,
    ) -> Result<Database, StoreError> {
        let url = DatabaseUrl::parse(url)?;
        let commits = Commits::default();
        let (writing, files, checkpointer) = match &url {
            DatabaseUrl::Sqlite(file) => {
                let requested = sqlite::CheckpointRequest::default();
                let writing = sqlite::writer(file, options, release.sqlite, requested.clone())?;
                let files = writing.files();
                let checkpointer = sqlite::Checkpointer::start(file, requested)?;
                (Some(writing.into()), files, Some(checkpointer))
            }
            DatabaseUrl::Postgres(server) => {
                postgres::run_blocking(|| postgres::open(server, options, release.postgres))?;
                (None, None, None)
            }
        };
        let most_readers = options.readers.max(1);
        let replica = match &options.replica {
            Some(address) => Some(Replica::start(&url, address, most_readers)?),
            None => None,
        };
        let (reading, known) = (url.clone(), files.clone());
        let gauges = Arc::new(Gauges::default());
        Ok(Database {
            readers: Readers::new(
                most_readers,
                Box::new(move || {
                    // A file that was put in the place of the open one is not read beside it.
                    known.as_ref().map_or(Ok(()), |files| files.check())?;
                    reading.reader(most_readers)
                }),
                gauges.clone(),
            ),
            writer: Writer::start(&url, writing, &commits, &gauges, options)?,
            watch: Watch::start(&url, commits, replica.is_some())?,
            replica,
            most_readers,
            url,
            gauges,
            files,
            _checkpointer: checkpointer,
        })
    }

    /// Where the database is, for messages.
    pub(super) fn shown(&self) -> String {
        self.url.shown()
    }

    /// The file that it is, if it is one.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.url.file()
    }

    pub(super) fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    pub(super) fn load(&self) -> Load {
        let (queued, queue_most, audit_waiting, audit_oldest) = self.writer.waiting();
        let (readers_in_use, readers_most) = self.readers.in_use();
        Load {
            queued,
            queue_most,
            readers_in_use,
            readers_most,
            audit_waiting,
            audit_oldest,
        }
    }

    /// A write that changes nothing, as durable as any.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        let shard = self.writer.shard(None);
        let done = self.writer.submit(shard, figures::probe);
        let outcome = done.await.map_err(store_only);
        if outcome.is_ok() {
            self.gauges.probed();
        }
        outcome
    }

    /// Refuses when a file was removed or replaced while it is open.
    pub(super) fn in_place(&self) -> Result<(), StoreError> {
        self.files.as_ref().map_or(Ok(()), |files| files.check())
    }

    /// What the database's content can be told apart by.
    pub(super) async fn revision(&self) -> Result<Revision, StoreError> {
        self.watch.revision().await
    }

    /// The same; blocks.
    pub(super) fn revision_blocking(&self) -> Result<Revision, StoreError> {
        self.watch.revision_blocking()
    }

    /// True where a read takes a way over the network.
    pub(super) fn is_remote(&self) -> bool {
        matches!(self.url, DatabaseUrl::Postgres(_))
    }

    /// One read.
    pub(super) fn read<T>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &self.url {
            DatabaseUrl::Sqlite(_) => self.readers.with(read),
            DatabaseUrl::Postgres(_) => postgres::run_blocking(|| self.readers.with(read)),
        }
    }

    /// One read of the diary as a search needs it: not older than what was committed when the revision is asked for. At
    /// the replica when it has all of that, else at the primary.
    pub(super) fn read_diary<T>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Some(replica) = &self.replica else {
            return self.read(read);
        };
        let found = postgres::run_blocking(|| {
            let needed = self.watch.position()?;
            Ok::<_, StoreError>(needed.and_then(|needed| replica.read(&needed, &read)))
        });
        match found {
            Ok(Some(found)) => Ok(found),
            // The primary itself says what is wrong with it.
            Ok(None) | Err(_) => self.read(read),
        }
    }

    /// One long read, on a connection of its own.
    fn read_long<T>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let work = || read(&self.url.separate(self.most_readers)?);
        match &self.url {
            DatabaseUrl::Sqlite(_) => work(),
            DatabaseUrl::Postgres(_) => postgres::run_blocking(work),
        }
    }

    pub(super) fn announce(&self, tenant: TenantKey) -> WriteIntent {
        self.writer.announce(self.writer.shard(Some(tenant)))
    }

    pub(super) async fn book(
        &self,
        tenant: TenantKey,
        booking: Booking,
    ) -> Result<StoredAppointment, WriteError> {
        let shard = self.writer.shard(Some(tenant));
        self.writer
            .submit(shard, move |group| book::book(group, tenant, &booking))
            .await
    }

    pub(super) async fn cancel(
        &self,
        tenant: TenantKey,
        change: Cancellation,
    ) -> Result<StoredAppointment, WriteError> {
        let shard = self.writer.shard(Some(tenant));
        self.writer
            .submit(shard, move |group| cancel::cancel(group, tenant, &change))
            .await
    }

    pub(super) async fn file_referral(
        &self,
        tenant: Option<TenantKey>,
        arrival: Arrival,
    ) -> Result<Filed, StoreError> {
        let shard = self.writer.shard(tenant);
        let done = self
            .writer
            .submit(shard, move |group| referral::file(group, tenant, &arrival));
        done.await.map_err(store_only)
    }

    pub(super) async fn close_referral(
        &self,
        tenant: Option<TenantKey>,
        id: uuid::Uuid,
        because: String,
        entry: AuditEntry,
    ) -> Result<bool, StoreError> {
        let shard = self.writer.shard(tenant);
        let done = self.writer.submit(shard, move |group| {
            referral::close(group, tenant, id, &because, &entry)
        });
        done.await.map_err(store_only)
    }

    pub(super) async fn declare(
        &self,
        declaration: Declaration,
        entry: AuditEntry,
    ) -> Result<Declared, StoreError> {
        let known = self.read(|c| read::tenant_of(c, declaration.ods.as_str()))?;
        let shard = match known {
            Some(tenant) => self.writer.shard(Some(tenant)),
            None => self.writer.lot_of_new(),
        };
        let done = self.writer.submit(shard, move |group| {
            declared::declare(group, &declaration, &entry)
        });
        done.await.map_err(store_only)
    }

    pub(super) async fn insert_slots(
        &self,
        tenant: TenantKey,
        slots: Vec<NewSlot>,
        at: Timestamp,
        entry: AuditEntry,
    ) -> Result<Inserted, StoreError> {
        let shard = self.writer.shard(Some(tenant));
        let done = self.writer.submit(shard, move |group| {
            slots::insert(group, tenant, &slots, at, &entry)
        });
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
        let shard = self.writer.shard(Some(tenant));
        let done = self.writer.submit(shard, move |group| {
            slots::change(group, tenant, &filter, what, from, at, &entry)
        });
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

    pub(super) fn audit_verify(
        &self,
        tenant: TenantKey,
        see: &dyn Fn(&AuditHead),
    ) -> Result<AuditVerdict, StoreError> {
        self.read_long(|c| audit::verify(c, tenant, see))
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
        match &self.url {
            DatabaseUrl::Sqlite(_) => self.read_long(|c| sqlite::backup(c, target)),
            DatabaseUrl::Postgres(_) => Err(StoreError::no_backup()),
        }
    }

    /// Does what is waiting and ends the writer; blocks.
    pub(super) fn close(&self) {
        self.writer.close();
    }
}
