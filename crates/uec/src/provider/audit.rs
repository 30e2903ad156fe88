//! `uec provider audit …`: check the trail, alone and against signed heads; the key that signs; a head; the acceptance of a
//! loss.

use super::{Database, print_json, which_provider};
use crate::serve::{read_settings, runtime};
use crate::{Failure, Outcome, output, print};
use booking::count::{counted, plural};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use provider::anchor::compare::{self, Checked, Loss, LossKind};
use provider::anchor::folder::{Anchors, Folder};
use provider::anchor::keeper;
use provider::anchor::key::{PublicKey, SigningKey};
use provider::anchor::line::Anchor;
use provider::audit::{AuditEntry, operator};
use provider::config;
use provider::store::{AuditHead, AuditVerdict, Store, TenantRow};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The audit trail.
#[derive(Subcommand)]
pub enum Audit {
    /// Recompute the chain of every provider, compare it with the bookings and with signed heads; name the first row that does not fit
    Verify(Verify),
    /// Make the key that signs heads, or show the public half of one
    Key(Key),
    /// Print the signed head of every provider's trail, to be kept elsewhere
    Head(Head),
    /// Say that rows which were signed and are missing are known to be lost: the trail goes on from its end
    AcceptLoss(AcceptLoss),
}

impl Audit {
    /// What the command has changed when it succeeds.
    pub fn done(&self) -> Option<&'static str> {
        match self {
            Audit::Key(key) if key.make => Some("the key is made"),
            Audit::AcceptLoss(_) => Some("accepted"),
            _ => None,
        }
    }

    /// Runs the command.
    pub fn run(self) -> Outcome {
        match self {
            Audit::Verify(verify) => verify.run(),
            Audit::Key(key) => key.run(),
            Audit::Head(head) => head.run(),
            Audit::AcceptLoss(accept) => accept.run(),
        }
    }
}

/// What the settings file says of anchors.
fn settings(database: &Database) -> Result<config::Audit, Failure> {
    let settings = database.config.as_deref().map(read_settings).transpose()?;
    Ok(settings.unwrap_or_default().audit)
}

/// Arguments of `uec provider audit verify`.
#[derive(Args)]
pub struct Verify {
    #[command(flatten)]
    database: Database,
    /// Signed heads to compare with: a folder of anchors, one of its files, or a log [default: `audit.folder` of the settings file]
    #[arg(long, value_name = "FOLDER-or-FILE")]
    anchors: Option<PathBuf>,
    /// Public key that the heads must be signed with, PEM; may be given several times [default: the keys of the settings file]
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found wrong in all.
#[derive(Default)]
struct Wrong {
    broken: usize,
    lost: usize,
    unbelieved: usize,
}

impl Verify {
    fn run(self) -> Outcome {
        let anchors = self.anchors()?;
        let store = self.database.open(false)?;
        let mut wrong = Wrong::default();
        let mut out = Vec::new();
        if let Some(anchors) = &anchors {
            wrong.unbelieved = anchors.faulty;
            self.of_anchors(anchors);
        }
        for tenant in store.tenants().map_err(|e| e.to_string())? {
            let value = match &anchors {
                None => {
                    let verdict = store
                        .tenant(tenant.key)
                        .audit_verify()
                        .map_err(|e| e.to_string())?;
                    self.verdict(&tenant, &verdict, &mut wrong)
                }
                Some(anchors) => {
                    let checked =
                        compare::check(&store, &tenant, anchors).map_err(|e| e.to_string())?;
                    let mut value = self.verdict(&tenant, &checked.verdict, &mut wrong);
                    value["anchors"] = self.checked(&tenant, &checked, &mut wrong);
                    value
                }
            };
            out.push(value);
        }
        let strays = store.audit_strays().map_err(|e| e.to_string())?;
        if strays > 0 {
            wrong.broken += 1;
            let of = counted(strays, "row belongs", "rows belong");
            let what = format!(
                "{of} to no provider of this database, and were not written by this program"
            );
            self.say(&format!("BROKEN: {what}\n"));
            out.push(json!({"provider": null, "verified": false, "what": what}));
        }
        if let Some(anchors) = &anchors {
            for loss in self.gone(&store, anchors)? {
                wrong.lost += 1;
                self.say(&format!("{}: LOST: {loss}\n", loss.provider));
                out.push(
                    json!({"provider": loss.provider, "verified": false, "what": loss.to_string()}),
                );
            }
        }
        if self.json {
            print_json(&out)?;
        }
        wrong.outcome()
    }

    fn say(&self, text: &str) {
        if !self.json {
            print(text);
        }
    }

    fn anchors(&self) -> Result<Option<Anchors>, Failure> {
        let settings = settings(&self.database)?;
        let Some(path) = self.anchors.clone().or(settings.folder.clone()) else {
            if !self.keys.is_empty() {
                return Err(Failure::Usage("--key needs --anchors".to_owned()));
            }
            return Ok(None);
        };
        let mut keys = Vec::new();
        for path in &self.keys {
            keys.push(PublicKey::open(path).map_err(|e| Failure::Usage(format!("--key: {e}")))?);
        }
        if keys.is_empty() {
            let of_settings = keeper::keys(&settings).map_err(Failure::Usage)?;
            keys = of_settings.map(|(_, keys)| keys).unwrap_or_default();
        }
        Ok(Some(Anchors::read(&path, &keys).map_err(Failure::Usage)?))
    }

    /// What is to be known of the anchors before anybody believes them.
    fn of_anchors(&self, anchors: &Anchors) {
        if anchors.unchecked {
            output::note(
                "The signatures of the anchors were not checked: name the public key with --key.\n",
            );
        }
        for fault in &anchors.faults {
            output::note(&format!("An anchor was passed over: {fault}\n"));
        }
        let unnamed = (anchors.faulty + anchors.damaged).saturating_sub(anchors.faults.len());
        if unnamed > 0 {
            output::note(&format!("{unnamed} more anchors were passed over.\n"));
        }
    }

    fn verdict(&self, tenant: &TenantRow, verdict: &AuditVerdict, wrong: &mut Wrong) -> Value {
        let ods = tenant.ods.as_str();
        match verdict {
            AuditVerdict::Verified {
                rows,
                head,
                versions,
                before_digests,
                messages,
                messages_before_digests,
            } => {
                let versions_told = of_versions(*versions, *before_digests);
                let messages_told = of_messages(*messages, *messages_before_digests);
                let rows_told = counted(*rows, "row", "rows");
                self.say(&format!(
                    "{ods}: {rows_told} verified, head {head}{versions_told}{messages_told}\n"
                ));
                json!({
                    "provider": ods, "verified": true, "rows": rows, "head": head, "versions": versions,
                    "versions_before_digests": before_digests, "messages": messages,
                    "messages_before_digests": messages_before_digests,
                })
            }
            AuditVerdict::Broken { seq, what } => {
                wrong.broken += 1;
                self.say(&format!("{ods}: BROKEN at row {seq}: {what}\n"));
                json!({"provider": ods, "verified": false, "row": seq, "what": what})
            }
        }
    }

    fn checked(&self, tenant: &TenantRow, checked: &Checked, wrong: &mut Wrong) -> Value {
        let ods = tenant.ods.as_str();
        for accepted in &checked.accepted {
            self.say(&format!("{ods}: {accepted}\n"));
        }
        match (&checked.loss, checked.fits) {
            (Some(loss), _) => {
                wrong.lost += 1;
                self.say(&format!("{ods}: LOST from row {}: {loss}\n", loss.first));
            }
            (None, 0) => self.say(&format!(
                "{ods}: no anchor fits: nothing outside the database proves this trail\n"
            )),
            (None, fits) => self.say(&format!(
                "{ods}: {}; proven up to row {}\n",
                counted(fits, "anchor fits", "anchors fit"),
                checked.proven
            )),
        }
        json!({
            "fit": checked.fits, "proven_rows": checked.proven, "accepted": checked.accepted,
            "first_lost_row": checked.loss.as_ref().map(|loss| loss.first),
            "lost": checked.loss.as_ref().map(ToString::to_string),
        })
    }

    /// Providers that have anchors, and are not in the database.
    fn gone(&self, store: &Store, anchors: &Anchors) -> Result<Vec<Loss>, Failure> {
        let losses = compare::losses(store, anchors).map_err(|e| e.to_string())?;
        let gone = losses
            .into_iter()
            .filter(|l| l.what == LossKind::NoProvider);
        Ok(gone.collect())
    }
}

impl Wrong {
    fn outcome(self) -> Outcome {
        let mut all = Vec::new();
        if self.broken > 0 {
            all.push(counted(
                self.broken,
                "audit trail is broken",
                "audit trails are broken",
            ));
        }
        if self.lost > 0 {
            all.push(format!(
                "{} audit trails are not what was signed",
                self.lost
            ));
        }
        if self.unbelieved > 0 {
            all.push(counted(
                self.unbelieved,
                "anchor cannot be believed",
                "anchors cannot be believed",
            ));
        }
        match all.is_empty() {
            true => Ok(()),
            false => Err(Failure::Refused(all.join("; "))),
        }
    }
}

/// What is said of the versions of a trail that holds together.
fn of_versions(versions: u64, before_digests: u64) -> String {
    let of = |n| {
        counted(
            n,
            "version of an appointment is as its row says",
            "versions of appointments are as their rows say",
        )
    };
    match (versions, before_digests) {
        (0, _) => String::new(),
        (all, 0) => format!("; {}", of(all)),
        (all, before) => format!(
            "; {}, {} from before digests were kept: only that {} there was checked",
            of(all - before),
            counted(before, "is", "are"),
            plural(before, "it is", "they are")
        ),
    }
}

/// What is said of the messages of referrals.
fn of_messages(messages: u64, before_digests: u64) -> String {
    let of = |n| {
        counted(
            n,
            "message of a referral is as its row says",
            "messages of referrals are as their rows say",
        )
    };
    match (messages, before_digests) {
        (0, _) => String::new(),
        (all, 0) => format!("; {}", of(all)),
        (all, before) => format!(
            "; {}, {} from before digests of them were kept: only their number was checked",
            of(all - before),
            counted(before, "is", "are"),
        ),
    }
}

/// Arguments of `uec provider audit key`.
#[derive(Args)]
pub struct Key {
    /// File of the key, PEM (PKCS#8, Ed25519) [default: `audit.key` of the settings file]
    file: Option<PathBuf>,
    /// Make the key: the file must not be there yet
    #[arg(long)]
    make: bool,
    /// Settings file of the Provider, TOML: its `audit.key` is used where no file is named
    #[arg(long, env = "UEC_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Key {
    fn run(self) -> Outcome {
        let of_settings = self.config.as_deref().map(read_settings).transpose()?;
        let of_settings = of_settings.and_then(|settings| settings.audit.key);
        let file = self.file.or(of_settings).ok_or_else(|| {
            Failure::Usage(
                "no key named: name its file, or --config with a settings file that has `audit.key`"
                    .to_owned(),
            )
        })?;
        let public = match self.make {
            true => SigningKey::make(&file)?.public(),
            false => PublicKey::open(&file).map_err(Failure::Usage)?,
        };
        print(&public.pem());
        output::note(&format!("Key {}\n", public.id()));
        if self.make {
            output::note(&format!(
                "{} signs heads: only the server's user may read it. Keep the public key, printed above, and the anchors \
                 where whoever has the database cannot change them.\n",
                file.display()
            ));
        }
        Ok(())
    }
}

/// The key that signs.
fn signing_key(named: Option<&Path>, settings: &config::Audit) -> Result<SigningKey, Failure> {
    let (path, setting) = match (named, &settings.key) {
        (Some(path), _) => (path, "--key"),
        (None, Some(path)) => (path.as_path(), "audit.key"),
        (None, None) => {
            return Err(Failure::Usage(
                "no key named: use --key FILE, or --config with a settings file that has `audit.key`; \
                 `uec provider audit key FILE --make` makes one"
                    .to_owned(),
            ));
        }
    };
    SigningKey::open(path, setting).map_err(Failure::Usage)
}

/// Arguments of `uec provider audit head`.
#[derive(Args)]
pub struct Head {
    #[command(flatten)]
    database: Database,
    /// Private key that signs, PEM [default: `audit.key` of the settings file]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Head {
    fn run(self) -> Outcome {
        let key = signing_key(self.key.as_deref(), &settings(&self.database)?)?;
        let store = self.database.open(false)?;
        for tenant in store.tenants().map_err(|e| e.to_string())? {
            let head = store
                .tenant(tenant.key)
                .audit_head()
                .map_err(|e| e.to_string())?;
            let line = Anchor::head(tenant.ods.as_str(), &head, Timestamp::now()).sign(&key)?;
            print(&format!("{line}\n"));
        }
        Ok(())
    }
}

/// Arguments of `uec provider audit accept-loss`.
#[derive(Args)]
pub struct AcceptLoss {
    #[command(flatten)]
    database: Database,
    /// Folder of anchors [default: `audit.folder` of the settings file]
    #[arg(long, value_name = "FOLDER")]
    anchors: Option<PathBuf>,
    /// Private key that signs, PEM [default: `audit.key` of the settings file]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// ODS code of the provider; without it, of all that lack rows
    #[arg(long, value_name = "ODS")]
    provider: Option<String>,
    /// What happened, for whoever reads the trail later
    #[arg(long, value_name = "TEXT")]
    because: String,
}

impl AcceptLoss {
    fn run(self) -> Outcome {
        if self.because.trim().is_empty() {
            return Err(Failure::Usage("--because needs a reason".to_owned()));
        }
        let settings = settings(&self.database)?;
        let key = signing_key(self.key.as_deref(), &settings)?;
        let mut keys = vec![key.public()];
        if let Some((_, of_settings)) = keeper::keys(&settings).map_err(Failure::Usage)? {
            keys.extend(of_settings);
        }
        let folder = self.anchors.clone().or(settings.folder).ok_or_else(|| {
            Failure::Usage(
                "no anchors named: use --anchors FOLDER, or --config with a settings file that has `audit.folder`".to_owned(),
            )
        })?;
        let anchors = Anchors::read(&folder, &keys).map_err(Failure::Usage)?;
        let folder = Folder::open(&folder).map_err(Failure::Usage)?;
        let store = self.database.open(false)?;
        let mut losses = compare::losses(&store, &anchors).map_err(|e| e.to_string())?;
        if let Some(named) = self.provider.as_deref() {
            losses.retain(|loss| loss.provider == named);
            if losses.is_empty() && !anchors.providers.contains_key(named) {
                which_provider(&store, Some(named))?;
            }
        }
        if losses.is_empty() {
            print("Nothing that was signed is missing; nothing was changed.\n");
            return Ok(());
        }
        for loss in &losses {
            let line = self.accept(&store, loss, &key)?;
            folder
                .append(Timestamp::now().to_zoned(TimeZone::UTC).date(), &[&line])
                .map_err(|e| format!("the acceptance cannot be written to the folder: {e}"))?;
            print(&format!("Accepted: {loss}.\n"));
        }
        store.close();
        output::note("A server that was not ready for this is ready within seconds.\n");
        Ok(())
    }

    /// Writes the acceptance into the trail, and signs where the trail goes on.
    fn accept(&self, store: &Store, loss: &Loss, key: &SigningKey) -> Result<String, Failure> {
        let (now, by) = (Timestamp::now(), operator());
        let tenants = store.tenants().map_err(|e| e.to_string())?;
        let head = match tenants.iter().find(|t| t.ods.as_str() == loss.provider) {
            // The provider itself is gone: nothing goes on.
            None => AuditHead::default(),
            Some(tenant) => {
                let mut entry = AuditEntry::local(now, "audit.accept-loss", &by);
                entry.detail = Some(format!("{loss}; accepted: {}", self.because));
                runtime()?
                    .block_on(store.tenant(tenant.key).audit(&entry))
                    .map_err(|e| e.to_string())?;
                store
                    .tenant(tenant.key)
                    .audit_head()
                    .map_err(|e| e.to_string())?
            }
        };
        Ok(Anchor::accepted(&loss.provider, &head, now, &by, &self.because).sign(key)?)
    }
}
