//! The diary, the bookings and the audit trail, stored.
//!
//! [`Store`] is a handle that is cheap to clone; [`Store::tenant`] gives what belongs to one [`Tenant`], whose methods
//! stand beside their statements. Reads are short and synchronous: one takes microseconds to some hundred microseconds and
//! may be called in an async task. Writes are async and return when they are durable. No SQL outside the folders `sql`
//! (statements and logic, the same for both databases) and `driver` (what differs).
//!
//! Nothing is kept in memory that another process could change: what a transaction depends on it reads itself.

mod appointment;
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
    AppointmentCursor, AppointmentFilter, AppointmentStatus, AuditHead, AuditRow, AuditVerdict,
    BackupReport, Booking, BookingRow, Cancellation, CountBookings, DecideBooking,
    DecideCancellation, FoundAppointments, Shown, StoredAppointment, UsedRequestId, WriteRequest,
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

use driver::{Connection, DatabaseUrl, Release, postgres, sqlite};
use sql::figures;
use sql::group::Group;
use sql::read;
use sql::readers::Readers;
use sql::replica::Replica;
use sql::revision::{Commits, Watch};
pub use sql::slots::{Cursor as SlotCursor, SlotChange};
pub(crate) use sql::writer::WriteIntent;
use sql::writer::{Writer, store_only};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// A handle on the stored data; a clone is another handle on the same.
#[derive(Clone)]
pub struct Store(Arc<OpenDatabase>);

/// What the handles of an open database share.
struct OpenDatabase {
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

/// What is stored of one tenant. No query crosses tenants.
#[derive(Clone, Copy)]
pub struct Tenant<'s> {
    store: &'s Store,
    key: TenantKey,
}

impl Store {
    /// Opens `sqlite:PATH`, `sqlite::memory:` or `postgres://USER@HOST/DATABASE`; makes it (a file, or the tables in an
    /// empty database) or brings its schema up to date. What is not ours, is newer than this program, locked, damaged or
    /// not accessible is left as it is.
    pub fn open(url: &str, options: &Options) -> Result<Store, StoreError> {
        Store::open_as(url, options, Release::CURRENT)
    }

    /// The same, with the schema of a release.
    fn open_as(url: &str, options: &Options, release: Release) -> Result<Store, StoreError> {
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
        Ok(Store(Arc::new(OpenDatabase {
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
        })))
    }

    /// Looks at a database from outside and changes nothing, not even its schema; `pages`: every page of a file too, about a
    /// second per gigabyte.
    pub fn inspect(url: &str, pages: bool) -> Result<Inspection, StoreError> {
        DatabaseUrl::parse(url)?.inspect(pages)
    }

    /// What is stored of a tenant.
    pub fn tenant(&self, key: TenantKey) -> Tenant<'_> {
        Tenant { store: self, key }
    }

    /// Where the data is, for messages; without password.
    pub fn shown(&self) -> String {
        self.0.url.shown()
    }

    /// The file that the data is in, if it is one.
    pub fn file(&self) -> Option<PathBuf> {
        self.0.url.file()
    }

    /// Takes no more writes, finishes those that are waiting, writes the last audit rows. Blocks until then, for a
    /// second or so at most; dropping the last handle does the same.
    pub fn close(&self) {
        self.0.writer.close();
    }

    /// `Ok` when the data can be read, from a server that takes writes.
    pub fn ready(&self) -> Result<(), StoreError> {
        self.read(|c| {
            read::tenants(c)?;
            c.takes_writes()
        })
    }

    /// Counters of this store, for metrics and readiness.
    pub fn gauges(&self) -> &Gauges {
        &self.0.gauges
    }

    /// What is waiting and in use at this moment.
    pub fn load(&self) -> Load {
        let (queued, queue_most, audit_waiting, audit_oldest) = self.0.writer.waiting();
        let (readers_in_use, readers_most) = self.0.readers.in_use();
        Load {
            queued,
            queue_most,
            readers_in_use,
            readers_most,
            audit_waiting,
            audit_oldest,
        }
    }

    /// Writes without changing anything, as durably as a booking: `Ok` when a booking would be stored.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.write(None, figures::probe).await?;
        self.0.gauges.probed();
        Ok(())
    }

    /// `Ok` when the files that are open are still the ones at their paths; costs some microseconds.
    pub fn in_place(&self) -> Result<(), StoreError> {
        self.0.files.as_ref().map_or(Ok(()), |files| files.check())
    }

    /// All tenants in order of ODS code.
    pub fn tenants(&self) -> Result<Vec<TenantRow>, StoreError> {
        self.read(read::tenants)
    }

    /// Differs from an earlier one when something was committed in between, by whatever process. While it is the same,
    /// what was read after it was first seen still holds; asking costs much less than reading.
    pub fn revision(&self) -> Result<Revision, StoreError> {
        self.0.watch.revision_blocking()
    }

    /// The same without blocking a thread where the database is far away.
    pub async fn revision_now(&self) -> Result<Revision, StoreError> {
        self.0.watch.revision().await
    }

    /// True where a read takes a way over the network, so that it pays to wait for another's.
    pub fn is_remote(&self) -> bool {
        matches!(self.0.url, DatabaseUrl::Postgres(_))
    }

    /// Copies the data of this moment into a new file and checks the copy. Blocks for as long as reading and writing
    /// it all takes; bookings go on meanwhile. A file that is there is not overwritten.
    pub fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
        match &self.0.url {
            DatabaseUrl::Sqlite(_) => self.read_long(|c| sqlite::backup(c, to)),
            DatabaseUrl::Postgres(_) => Err(StoreError::no_backup()),
        }
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

    /// One read.
    fn read<T>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &self.0.url {
            DatabaseUrl::Sqlite(_) => self.0.readers.with(read),
            DatabaseUrl::Postgres(_) => postgres::run_blocking(|| self.0.readers.with(read)),
        }
    }

    /// One long read, on a connection of its own.
    fn read_long<T>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let work = || read(&self.0.url.separate(self.0.most_readers)?);
        match &self.0.url {
            DatabaseUrl::Sqlite(_) => work(),
            DatabaseUrl::Postgres(_) => postgres::run_blocking(work),
        }
    }

    /// One write that no rule can refuse; `None`: of no tenant. It may be done several times; only the last is kept.
    async fn write<T: Send + 'static>(
        &self,
        tenant: Option<TenantKey>,
        work: impl FnMut(&mut Group<'_>) -> Result<T, WriteError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shard = self.0.writer.shard(tenant);
        self.0.writer.submit(shard, work).await.map_err(store_only)
    }
}

impl<'s> Tenant<'s> {
    /// Its key.
    pub fn key(self) -> TenantKey {
        self.key
    }

    /// The store that holds it, with everybody else's.
    pub fn store(self) -> &'s Store {
        self.store
    }

    /// Announces a booking or a cancellation, so that the group of writes under way waits a moment for it. What this
    /// returns must be gone before the write is waited for.
    pub(crate) fn announce(self) -> WriteIntent {
        let writer = &self.store.0.writer;
        writer.announce(writer.shard(Some(self.key)))
    }

    fn read<T>(self, read: impl Fn(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.store.read(read)
    }

    fn read_long<T>(
        self,
        read: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.store.read_long(read)
    }

    /// One read of the diary as a search needs it: not older than what was committed when the revision is asked for. At
    /// the replica when it has all of that, else at the primary.
    fn read_diary<T>(
        self,
        read: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = &self.store.0;
        let Some(replica) = &database.replica else {
            return self.read(read);
        };
        let found = postgres::run_blocking(|| {
            let needed = database.watch.position()?;
            Ok::<_, StoreError>(needed.and_then(|needed| replica.read(&needed, &read)))
        });
        match found {
            Ok(Some(found)) => Ok(found),
            // The primary itself says what is wrong with it.
            Ok(None) | Err(_) => self.read(read),
        }
    }

    /// One write. It may be done several times; only the last is kept.
    async fn write<T: Send + 'static>(
        self,
        work: impl FnMut(&mut Group<'_>) -> Result<T, WriteError> + Send + 'static,
    ) -> Result<T, WriteError> {
        let writer = &self.store.0.writer;
        writer.submit(writer.shard(Some(self.key)), work).await
    }
}
