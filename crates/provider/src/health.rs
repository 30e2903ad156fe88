//! Readiness: checks that run in the background, cached for the probe, with the reason when this server should get no requests.
//!
//! [`Health::watch`] checks reading and writing the database, the disk and the certificates every few seconds. A probe
//! costs nothing and never hangs. Checks that hang are themselves a reason.

use crate::anchor::state::AnchorState;
use crate::certificate::Validity;
use crate::config::Settings;
use crate::log_state::LogState;
use crate::revocation::Revocation;
use crate::store::{Store, StoreError};
use booking::count::counted;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Interval of the checks.
const EVERY: Duration = Duration::from_secs(5);
/// Interval while something is wrong, so that recovery shows soon.
const EVERY_WHILE_WRONG: Duration = Duration::from_secs(1);
/// A commit younger than this proves that writing works. Otherwise the check tries a write.
const COMMITTED_WITHIN: Duration = Duration::from_secs(10);
/// A database that answers more slowly than this is not ready.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// How long a starting server waits for its first check before it answers.
const FIRST_WITHIN: Duration = Duration::from_millis(500);
/// A server whose own socket does not answer within this is unreachable.
const DOOR_WITHIN: Duration = Duration::from_secs(5);
/// Reported when writes fail other than the check's own.
const TOO_MANY_FAILED: &str = "Too many of the last writes to the database failed.";
/// Checks older than this mean that the checks hang.
const LOOKED_WITHIN: Duration = Duration::from_secs(30);

/// Why the server is not ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Name for programs: `database-read`, `database-write`, `disk`, `certificate`, `clock`, `connections`, `log`,
    /// `audit-trail`, `starting`, `stopping`, `stalled`.
    pub code: &'static str,
    /// A sentence for people, without addresses, paths or secrets.
    pub text: String,
}

impl Reason {
    fn new(code: &'static str, text: impl Into<String>) -> Reason {
        let text = text.into();
        Reason { code, text }
    }
}

/// A certificate in use.
struct InUse {
    name: &'static str,
    validity: Validity,
}

/// The API's own socket.
struct Door {
    address: SocketAddr,
    tls: bool,
    gauges: Arc<listen::Gauges>,
}

/// The results of the last checks.
pub struct Health {
    /// The database's file, for SQLite.
    file: Option<PathBuf>,
    disk_free: u64,
    certificates: Vec<InUse>,
    stopping: AtomicBool,
    looked: Mutex<Option<(Instant, Vec<Reason>)>>,
    /// Finished checks since the start.
    looks: AtomicU64,
    /// True while a read is under way, so that a hanging read is not joined by others.
    reading: Arc<AtomicBool>,
    /// The API's own socket, once it accepts connections.
    door: OnceLock<Door>,
    /// Revocation lists of client certificates, if there are any.
    revocation: OnceLock<Arc<Revocation>>,
    /// State of the log.
    pub log: Arc<LogState>,
    /// State of the signed audit trail.
    pub trail: Arc<AnchorState>,
    ready_despite_loss: bool,
}

impl Health {
    /// No results yet; reads the certificates' validity.
    pub fn new(settings: &Settings, store: &Store) -> Health {
        let file = store.file();
        Health {
            file,
            disk_free: settings.health.disk_free_bytes,
            certificates: settings.tls.as_ref().map(in_use).unwrap_or_default(),
            stopping: AtomicBool::new(false),
            looked: Mutex::new(None),
            looks: AtomicU64::new(0),
            reading: Arc::default(),
            door: OnceLock::new(),
            revocation: OnceLock::new(),
            log: Arc::default(),
            trail: Arc::default(),
            ready_despite_loss: settings.audit.ready_despite_loss,
        }
    }

    /// Records that the API is served at this address.
    pub fn serves(&self, address: SocketAddr, tls: bool, gauges: Arc<listen::Gauges>) {
        // A second call comes from the same server.
        let _ = self.door.set(Door {
            address,
            tls,
            gauges,
        });
    }

    /// Records the revocation lists in use.
    pub fn revokes(&self, lists: Arc<Revocation>) {
        // A second call comes from the same server.
        let _ = self.revocation.set(lists);
    }

    /// What needs attention although the server is ready.
    pub fn notes(&self) -> Vec<Reason> {
        let lists = self.revocation.get();
        let over = lists.is_some_and(|lists| lists.over(crate::clock::now()).is_some());
        let note = || {
            Reason::new(
                "revocation-list",
                "A revocation list of client certificates should have been replaced by a newer one; what it revokes stays \
                 revoked.",
            )
        };
        over.then(note).into_iter().collect()
    }

    /// The revocation lists in use: file name, age in seconds, seconds until the successor is due.
    pub fn revocation_lists(&self) -> Vec<(String, i64, i64)> {
        let now = crate::clock::now();
        let lists = self.revocation.get().map(|lists| lists.lists());
        let shown = |(file, validity): &(PathBuf, Validity)| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let age = now.as_second() - validity.from.as_second();
            (name.into_owned(), age, validity.seconds_left(now))
        };
        lists.iter().flatten().map(shown).collect()
    }

    /// Makes the server not ready, because it is about to stop.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// True after [`Health::stop`].
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Why the server is not ready; empty if it is.
    pub fn reasons(&self, store: &Store) -> Vec<Reason> {
        if self.is_stopping() {
            return vec![Reason::new("stopping", "The server is stopping.")];
        }
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reasons = match looked.as_ref() {
            None => vec![Reason::new("starting", "The server is starting.")],
            Some((at, _)) if at.elapsed() > LOOKED_WITHIN => vec![Reason::new(
                "stalled",
                "The server's own checks have not come back for half a minute.",
            )],
            Some((_, reasons)) => reasons.clone(),
        };
        drop(looked);
        if store.gauges().is_failing() && !reasons.iter().any(|r| r.code == "database-write") {
            reasons.push(Reason::new("database-write", TOO_MANY_FAILED));
        }
        if self.log.is_failing() {
            let text = format!(
                "The log cannot be written; {} lost.",
                counted(self.log.lost(), "line is", "lines are")
            );
            reasons.push(Reason::new("log", text));
        }
        let losses = match self.ready_despite_loss {
            true => Vec::new(),
            false => self.trail.losses(),
        };
        reasons.extend(losses.iter().map(|loss| {
            let text = format!(
                "Bookings may be lost: {loss}. Once somebody knows, `uec provider audit accept-loss` lets the trail go on."
            );
            Reason::new("audit-trail", text)
        }));
        reasons
    }

    /// Finished checks since the start.
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Certificates in use with the seconds until they expire.
    pub fn certificates(&self) -> Vec<(&'static str, i64)> {
        let now = crate::clock::now();
        let left = |c: &InUse| (c.name, c.validity.seconds_left(now));
        self.certificates.iter().map(left).collect()
    }

    /// Runs the first check, so that a server that can be ready is ready at its first answer.
    pub async fn first(&self, store: &Store) {
        if let Ok(reasons) = tokio::time::timeout(FIRST_WITHIN, self.look(store)).await {
            self.note(reasons);
        }
    }

    /// Runs the checks for ever.
    pub async fn watch(&self, store: &Store) {
        loop {
            let reasons = self.look(store).await;
            let pause = match reasons.is_empty() {
                true => EVERY,
                false => EVERY_WHILE_WRONG,
            };
            self.note(reasons);
            tokio::time::sleep(pause).await;
        }
    }

    /// Runs all checks once.
    pub async fn look(&self, store: &Store) -> Vec<Reason> {
        let mut reasons = Vec::new();
        reasons.extend(self.readable(store).await.err());
        reasons.extend(writable(store).await.err());
        reasons.dedup_by_key(|reason| reason.code);
        reasons.extend(self.reachable().await);
        reasons.extend(self.disk());
        reasons.extend(self.expired());
        reasons.extend(crate::clock::unusable().map(|why| Reason::new("clock", why)));
        reasons
    }

    async fn readable(&self, store: &Store) -> Result<(), Reason> {
        let late = || {
            Reason::new(
                "database-read",
                "The database does not answer a read in time.",
            )
        };
        if self.reading.swap(true, Ordering::AcqRel) {
            return Err(late());
        }
        let (reading, out) = (store.clone(), self.reading.clone());
        let read = tokio::task::spawn_blocking(move || {
            let _out = Out(out);
            reading.ready()
        });
        match tokio::time::timeout(ANSWER_WITHIN, read).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error @ StoreError::ReadOnly { .. }))) => {
                Err(Reason::new("database-write", told("written", &error)))
            }
            Ok(Ok(Err(error))) => Err(Reason::new("database-read", told("read", &error))),
            Ok(Err(_)) => Err(Reason::new(
                "database-read",
                "Reading the database failed unexpectedly.",
            )),
            Err(_) => Err(late()),
        }
    }

    /// Asks the API through its own socket, which finds out if all connections are taken.
    async fn reachable(&self) -> Option<Reason> {
        let door = self.door.get().filter(|_| !self.is_stopping())?;
        let answered = listen::probe(door.address, door.tls, &door.gauges, DOOR_WITHIN).await;
        (!answered).then(|| {
            Reason::new(
                "connections",
                format!(
                    "The API does not answer on its own port; {} open.",
                    counted(door.gauges.open(), "connection is", "connections are")
                ),
            )
        })
    }

    fn note(&self, reasons: Vec<Reason>) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let before = looked.as_ref().map_or(&[][..], |(_, reasons)| reasons);
        // Compares codes: a text may hold a count that differs each time.
        let is_new = |reason: &&Reason| !before.iter().any(|b| b.code == reason.code);
        for new in reasons.iter().filter(is_new) {
            tracing::error!(code = new.code, reason = %new.text, "not ready");
        }
        if reasons.is_empty() && !before.is_empty() {
            tracing::info!("ready again");
        }
        *looked = Some((Instant::now(), reasons));
        self.looks.fetch_add(1, Ordering::Relaxed);
    }

    fn disk(&self) -> Option<Reason> {
        let free = free_bytes(self.file.as_deref()?)?;
        (free < self.disk_free).then(|| {
            Reason::new(
                "disk",
                format!(
                    "The disk of the database has {} MB left; {} MB are wanted.",
                    free >> 20,
                    self.disk_free >> 20
                ),
            )
        })
    }

    fn expired(&self) -> Option<Reason> {
        let now = crate::clock::now();
        let bad = self
            .certificates
            .iter()
            .find(|c| now > c.validity.until || now < c.validity.from)?;
        Some(Reason::new(
            "certificate",
            match now > bad.validity.until {
                true => format!("The {} certificate has expired.", bad.name),
                false => format!("The {} certificate does not hold yet.", bad.name),
            },
        ))
    }
}

/// A read under way. Its drop clears the mark, also on a panic.
struct Out(Arc<AtomicBool>);

impl Drop for Out {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

async fn writable(store: &Store) -> Result<(), Reason> {
    let gauges = store.gauges();
    let gone = |error| Reason::new("database-write", told("written", &error));
    store.in_place().map_err(gone)?;
    if !gauges.is_failing() && gauges.since_commit().is_some_and(|t| t < COMMITTED_WITHIN) {
        return Ok(());
    }
    match tokio::time::timeout(ANSWER_WITHIN, store.probe()).await {
        Ok(Ok(())) if gauges.is_failing() => Err(Reason::new("database-write", TOO_MANY_FAILED)),
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(gone(error)),
        Err(_) => Err(Reason::new(
            "database-write",
            "The database does not answer a write in time.",
        )),
    }
}

/// Describes a store error without the operating system's words, which may name files.
fn told(what: &str, error: &StoreError) -> String {
    let why = match error {
        StoreError::Full => "no space is left",
        StoreError::Locked { .. } => "another program holds it",
        StoreError::Busy { .. } => "it is busy",
        StoreError::ReadOnly { .. } => "it takes no writes",
        StoreError::Moved { .. } => {
            "its file was removed or replaced while it is in use; what was stored before may be lost when the server ends, \
             the log says how to save it"
        }
        StoreError::Corrupt { .. } => "it is damaged",
        StoreError::Permission { .. } => "there is no permission",
        StoreError::Io { .. } => "its disk fails",
        StoreError::Closed => "it is closed",
        _ => "the log says why",
    };
    format!("The database cannot be {what}: {why}.")
}

/// Bytes that this process can still write on the disk of a file.
pub fn free_bytes(file: &Path) -> Option<u64> {
    let place = file.parent().filter(|p| !p.as_os_str().is_empty());
    let stat = rustix::fs::statvfs(place.unwrap_or(Path::new("."))).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn in_use(tls: &crate::config::Tls) -> Vec<InUse> {
    let mut found = Vec::new();
    let files = [
        ("server", Some(&tls.certificate)),
        ("client-authority", tls.client_ca.as_ref()),
    ];
    for (name, file) in files {
        // An unreadable file stops the start elsewhere.
        let chain = file.and_then(|file| pemfile::certificates(file, name).ok());
        let validities = chain
            .iter()
            .flatten()
            .filter_map(|der| crate::certificate::validity(der));
        // A server's chain is valid as long as its shortest certificate; of authorities, one is enough.
        let validity = match name {
            "server" => validities.min_by_key(|v| v.until),
            _ => validities.max_by_key(|v| v.until),
        };
        found.extend(validity.map(|validity| InUse { name, validity }));
    }
    found
}
