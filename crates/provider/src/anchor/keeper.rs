//! Signs the heads of all trails while a server runs, and checks that the rows signed before are still there.
//!
//! It has a thread of its own, so no request waits for it. It stops signing a trail that does not match its anchors until
//! somebody accepts the loss; otherwise the next start would forget the loss.

use super::compare::{Loss, LossKind, losses};
use super::folder::{Anchors, Folder};
use super::key::{PublicKey, SigningKey};
use super::line::{Anchor, shown};
use super::state::{AnchorState, Sink};
use crate::audit::hex;
use crate::config::Audit;
use crate::store::{AuditHead, Store, TenantRow};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// Interval of the checks while something is lost, so that an acceptance shows soon.
const WHILE_LOST: Duration = Duration::from_secs(5);

/// The keys of the settings: the signing key, and all keys that verify.
pub fn keys(settings: &Audit) -> Result<Option<(SigningKey, Vec<PublicKey>)>, String> {
    let Some(path) = &settings.key else {
        return Ok(None);
    };
    let key = SigningKey::open(path, "audit.key")?;
    let mut keys = vec![key.public()];
    for path in &settings.former_keys {
        keys.push(PublicKey::open(path).map_err(|e| format!("audit.former_keys: {e}"))?);
    }
    Ok(Some((key, keys)))
}

/// The signer of heads.
pub struct Keeper {
    store: Store,
    state: Arc<AnchorState>,
    key: SigningKey,
    keys: Vec<PublicKey>,
    every: Duration,
    to_log: bool,
    path: Option<PathBuf>,
    /// The folder at `path`, once it was reached and compared.
    folder: Option<Folder>,
    to_http: Option<Sender<String>>,
    /// The last signed head of each provider and when it was signed, from this process or the folder.
    signed: BTreeMap<String, (AuditHead, String)>,
    /// Lines that the folder still lacks, the latest of each provider.
    unsaved: BTreeMap<String, String>,
    /// Whether the database was compared with the folder.
    is_compared: bool,
    /// Whether the log has the losses with their first rows, from all anchors.
    is_named: bool,
    is_failing: bool,
}

impl Keeper {
    /// Opens the keys and the folder. `None`: the settings ask for no anchors.
    pub fn open(
        settings: &Audit,
        store: &Store,
        state: Arc<AnchorState>,
        to_http: Option<Sender<String>>,
    ) -> Result<Option<Keeper>, String> {
        let Some((key, keys)) = keys(settings)? else {
            return Ok(None);
        };
        state.done(Timestamp::now());
        Ok(Some(Keeper {
            store: store.clone(),
            state,
            key,
            keys,
            every: Duration::from_secs(settings.seconds),
            to_log: settings.log,
            path: settings.folder.clone(),
            folder: None,
            to_http,
            signed: BTreeMap::new(),
            unsaved: BTreeMap::new(),
            is_compared: false,
            is_named: false,
            is_failing: false,
        }))
    }

    /// Compares the database with the folder. Until that succeeds, each round tries it again and signs nothing: the head of
    /// a trail that lacks rows would hide the loss. Blocks on the folder.
    pub fn begin(&mut self) {
        if let Err(why) = self.compare() {
            self.complain(&why);
        }
    }

    /// Wait before the next round.
    pub fn pause(&self) -> Duration {
        match self.state.losses().is_empty() {
            true => self.every,
            false => self.every.min(WHILE_LOST),
        }
    }

    /// Signs the heads that changed. A failure is counted, logged once, and retried in the next round. Blocks.
    pub fn round(&mut self) {
        match self.try_round() {
            Ok(()) => {
                self.state.done(crate::clock::now());
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("heads of the audit trail are signed and kept again");
                }
            }
            Err(why) => self.complain(&why),
        }
    }

    fn complain(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!(
                why,
                "heads of the audit trail cannot be signed and kept; it is tried again"
            );
        }
    }

    fn try_round(&mut self) -> Result<(), String> {
        if !self.is_compared || !self.state.losses().is_empty() {
            self.compare()?;
        }
        let now = crate::clock::now();
        let lost = self.state.losses();
        let mut lines = Vec::new();
        let mut failed = None;
        for tenant in self.store.tenants().map_err(|e| e.to_string())? {
            if lost.iter().any(|loss| loss.provider == tenant.ods.as_str()) {
                continue;
            }
            match self.next(&tenant, now) {
                Ok(line) => lines.extend(line.map(|line| (tenant.ods.to_string(), line))),
                Err(why) => failed = Some(why),
            }
        }
        self.hand_out(lines, now)?;
        failed.map_or(Ok(()), Err)
    }

    /// The signed head of a provider, if it changed.
    fn next(&mut self, tenant: &TenantRow, now: Timestamp) -> Result<Option<String>, String> {
        let provider = tenant.ods.as_str();
        let text = |e: crate::store::StoreError| format!("{provider}: {e}");
        let head = self.store.tenant(tenant.key).audit_head().map_err(text)?;
        if let Some((last, at)) = self.signed.get(provider).filter(|(last, _)| last.seq > 0) {
            if *last == head {
                return Ok(None);
            }
            let there = self
                .store
                .tenant(tenant.key)
                .audit_hash(last.seq)
                .map_err(text)?;
            if there != Some(last.hash) {
                let (what, first) = match there {
                    None => (LossKind::Missing, head.seq.min(last.seq - 1) + 1),
                    Some(_) => (LossKind::Changed, last.seq),
                };
                self.lose(Loss {
                    provider: provider.to_owned(),
                    what,
                    first,
                    anchored: last.seq,
                    at: at.clone(),
                });
                return Ok(None);
            }
        }
        let line = Anchor::head(provider, &head, now).sign(&self.key)?;
        self.signed.insert(provider.to_owned(), (head, shown(now)));
        Ok(Some(line))
    }

    /// Records a loss seen while the server runs. With a folder, the next round finds its exact first row.
    fn lose(&mut self, loss: Loss) {
        let mut losses = self.state.losses();
        losses.push(loss);
        self.is_named = false;
        self.tell(&losses);
        self.state.set_losses(losses);
    }

    fn tell(&self, losses: &[Loss]) {
        let before = self.state.losses();
        for loss in losses.iter().filter(|loss| {
            !before
                .iter()
                .any(|known| known.provider == loss.provider && known.first == loss.first)
        }) {
            tracing::error!(
                provider = %loss.provider, first = loss.first, anchored = loss.anchored,
                "AUDIT TRAIL: {loss}. Bookings of that time may be lost: see `uec provider audit accept-loss --help`"
            );
        }
    }

    fn hand_out(&mut self, lines: Vec<(String, String)>, now: Timestamp) -> Result<(), String> {
        if self.to_log {
            for (_, line) in &lines {
                tracing::info!(anchor = %line, "the end of an audit trail");
            }
            self.state.wrote(Sink::Log, lines.len());
        }
        if let (Some(to_http), false) = (&self.to_http, lines.is_empty()) {
            let body: String = lines.iter().flat_map(|(_, line)| [line, "\n"]).collect();
            if to_http.try_send(body).is_err() {
                self.state.failed(Sink::Http, lines.len());
            }
        }
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        self.unsaved.extend(lines);
        if self.unsaved.is_empty() {
            return Ok(());
        }
        let all: Vec<&str> = self.unsaved.values().map(String::as_str).collect();
        let day = now.to_zoned(TimeZone::UTC).date();
        match folder.append(day, &all) {
            Ok(()) => {
                self.state.wrote(Sink::Folder, all.len());
                self.unsaved.clear();
                Ok(())
            }
            Err(error) => {
                self.state.failed(Sink::Folder, all.len());
                Err(format!("audit.folder cannot be written: {error}"))
            }
        }
    }

    /// Compares the database with what the folder says.
    fn compare(&mut self) -> Result<(), String> {
        let Some(path) = &self.path else {
            // Without a folder, only this process's own anchors are known.
            self.is_compared = true;
            return Ok(());
        };
        let compared = Folder::open(path).and_then(|folder| {
            self.compare_with(&folder)?;
            Ok(folder)
        });
        match compared {
            Ok(folder) => {
                self.folder = Some(folder);
                self.is_compared = true;
                Ok(())
            }
            Err(why) => {
                self.state.failed(Sink::Folder, 1);
                Err(why)
            }
        }
    }

    fn compare_with(&mut self, folder: &Folder) -> Result<(), String> {
        let tenants = self.store.tenants().map_err(|e| e.to_string())?;
        let providers: Vec<&str> = tenants.iter().map(|t| t.ods.as_str()).collect();
        let mut anchors = Anchors::latest(folder.path(), &self.keys, &providers)?;
        let mut found = losses(&self.store, &anchors).map_err(|e| e.to_string())?;
        let known = self.state.losses();
        let names = |losses: &[Loss]| -> Vec<String> {
            losses.iter().map(|loss| loss.provider.clone()).collect()
        };
        if self.is_named && names(&found) == names(&known) {
            found = known;
        } else if !found.is_empty() {
            // Reads all anchors, once, to find the first row.
            anchors = Anchors::read(folder.path(), &self.keys)?;
            found = losses(&self.store, &anchors).map_err(|e| e.to_string())?;
        }
        self.is_named = true;
        if anchors.faulty + anchors.damaged > 0 && !self.is_compared {
            tracing::warn!(
                lines = anchors.faulty + anchors.damaged,
                first = anchors
                    .faults
                    .first()
                    .map(String::as_str)
                    .unwrap_or_default(),
                "anchors of the audit trail cannot be believed, and are passed over"
            );
        }
        if anchors.taken == 0 && !tenants.is_empty() && !self.is_compared {
            tracing::warn!(
                "the folder of anchors is empty: nothing tells whether the audit trails are whole; is it the right folder?"
            );
        }
        for (provider, points) in &anchors.providers {
            if let Some(anchor) = points.last().map(|point| &point.anchor)
                && let Some(head) = head_of(anchor)
                && !found.iter().any(|loss| loss.provider == *provider)
            {
                let signed = (head, anchor.at.clone());
                self.signed.insert(provider.clone(), signed);
            }
        }
        self.tell(&found);
        if found.is_empty() && !self.state.losses().is_empty() {
            tracing::warn!("what is missing in the audit trail was accepted");
        }
        self.state.set_losses(found);
        Ok(())
    }
}

/// The head that an anchor holds.
fn head_of(anchor: &Anchor) -> Option<AuditHead> {
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(anchor.hash.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    (hex(&hash) == anchor.hash).then_some(AuditHead {
        seq: anchor.row,
        hash,
    })
}
