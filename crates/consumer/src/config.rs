//! Settings of a Consumer: who it is, who uses it, where the national services are.
//!
//! They come from a TOML file and from environment variables, which win; whoever reads a command line puts its flags
//! in front of the environment ([`ConsumerConfig::load`]). Everything that is wrong is told at once, by file, line or
//! variable, key, and nearest valid key.

mod keys;
mod place;
mod read;

pub(crate) use read::{has_authority, is_this_machine};

use crate::journal::{Journal, JournalError};
use crate::plan::Sender;
use crate::transport::Policy;
use booking::ids::{Asid, OdsCode};
use booking::wire::token::{Device, Organization, Practitioner};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use keys::{Holds, KEYS, Key};

/// What is wrong with the settings: one line per mistake, for the person who wrote them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// A text that appears in no log and no error.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text out of sight.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, to be sent.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Who uses the program: which account is used at the DoS, and which rules hold outside the timeframe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// A health adviser: not clinical.
    #[default]
    HealthAdviser,
    /// A clinician.
    Clinician,
}

impl Role {
    /// A word for logs.
    pub fn word(self) -> &'static str {
        match self {
            Role::HealthAdviser => "health adviser",
            Role::Clinician => "clinician",
        }
    }
}

/// The user who is logged on (NAT-JWT-11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// What tokens say of the user.
    pub practitioner: Practitioner,
    /// Clinical or not.
    pub role: Role,
}

/// An account at the DoS (NAT-DOS-01).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// User name.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// The Directory of Services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dos {
    /// The web service's address.
    pub url: String,
    /// The account for searches by clinicians.
    pub clinician: Option<Account>,
    /// The account for searches by health advisers.
    pub adviser: Option<Account>,
}

impl Dos {
    /// The account for a role. With only one account it serves both (NAT-DOS-02 is a SHOULD).
    pub fn account(&self, role: Role) -> Option<&Account> {
        match role {
            Role::Clinician => self.clinician.as_ref().or(self.adviser.as_ref()),
            Role::HealthAdviser => self.adviser.as_ref().or(self.clinician.as_ref()),
        }
    }
}

/// Certificates; PEM files (NAT-SDS-01, NAT-SSP-04).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Authorities that sign the certificates of the national services.
    pub ca: PathBuf,
    /// Own certificate chain and private key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// For one answer of the DoS.
    pub dos: Duration,
    /// For all that one service needs from SDS.
    pub sds: Duration,
    /// For one attempt at a Provider.
    pub attempt: Duration,
    /// For all attempts at a Provider together.
    pub total: Duration,
}

impl Default for Timeouts {
    /// A caller waits on the line; the SSP itself gives a Provider about 30 seconds.
    fn default() -> Timeouts {
        let policy = Policy::default();
        Timeouts {
            connect: Duration::from_secs(5),
            dos: Duration::from_secs(30),
            sds: Duration::from_secs(10),
            attempt: policy.attempt,
            total: policy.total,
        }
    }
}

/// All settings of a Consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// Own ASID: `Ssp-From`.
    pub asid: Asid,
    /// `iss` of every token: URL of the Consumer's Spine endpoint (NAT-JWT-02).
    pub iss: String,
    /// Organisation of the user (NAT-JWT-10).
    pub organisation: Organization,
    /// The system that asks (NAT-JWT-09).
    pub device: Device,
    /// The user, when one is logged on.
    pub user: Option<User>,
    /// The Directory of Services.
    pub dos: Dos,
    /// `ldap://` or `ldaps://` address of SDS.
    pub sds: String,
    /// Address of the SSP; none sends straight to Providers, for development only.
    pub ssp: Option<String>,
    /// Certificates.
    pub tls: Option<Tls>,
    /// Takes `http` and `ldap` beyond this machine too; for test networks only.
    pub allow_plain: bool,
    /// The journal is opened although others than its owner may write in its folder (D-84).
    pub allow_shared_files: bool,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// File of the journal.
    pub journal: PathBuf,
    /// It lies where it lies when nobody says where.
    pub journal_is_default: bool,
    /// How many days the journal keeps personal data (AUD-07): `uec consumer prune`.
    pub retention_days: u32,
}

/// Where the parts of the demonstration are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoAddresses {
    /// The DoS, such as `http://127.0.0.1:8003`.
    pub dos: String,
    /// SDS, such as `ldap://127.0.0.1:8004`.
    pub sds: String,
    /// The SSP, such as `http://127.0.0.1:8002`.
    pub ssp: String,
}

impl Default for DemoAddresses {
    /// The ports of `uec demo`.
    fn default() -> DemoAddresses {
        DemoAddresses {
            dos: "http://127.0.0.1:8003".to_owned(),
            sds: "ldap://127.0.0.1:8004".to_owned(),
            ssp: "http://127.0.0.1:8002".to_owned(),
        }
    }
}

impl ConsumerConfig {
    /// Reads the file, if there is one, and the environment, which wins. `environment` gives the value of a variable;
    /// the names asked for are those of [`KEYS`].
    pub fn load(
        file: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ConsumerConfig, ConfigError> {
        let (name, text) = match file {
            None => ("the settings".to_owned(), String::new()),
            Some(path) => (path.display().to_string(), read::file(path)?),
        };
        ConsumerConfig::parse(&name, &text, environment)
    }

    /// The same with the text of a file; `name` is for messages.
    pub fn parse(
        name: &str,
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ConsumerConfig, ConfigError> {
        read::read(name, text, environment, false)
    }

    /// The demonstration's settings file, without the addresses.
    pub fn demo_file() -> &'static str {
        DEMO
    }

    /// The Consumer of the demonstration: "Fernhill 111" against the sandbox. What it books is real to the sandbox only.
    pub fn demo(addresses: &DemoAddresses) -> Result<ConsumerConfig, ConfigError> {
        ConsumerConfig::demo_with(addresses, &|_| None)
    }

    /// The demonstration's settings, over which those of the environment win.
    pub fn demo_with(
        addresses: &DemoAddresses,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ConsumerConfig, ConfigError> {
        let given = |name: &str| {
            environment(name).or_else(|| match name {
                "UEC_DOS_URL" => Some(addresses.dos.clone()),
                "UEC_SDS_URL" => Some(addresses.sds.clone()),
                "UEC_SSP_URL" => Some(addresses.ssp.clone()),
                _ => None,
            })
        };
        read::read(DEMO_NAME, DEMO, &given, true)
    }

    /// The demonstration with certificates, for addresses with `https` and `ldaps`.
    pub fn demo_with_tls(
        addresses: &DemoAddresses,
        tls: &Tls,
    ) -> Result<ConsumerConfig, ConfigError> {
        let shown = |path: &Path| Some(path.display().to_string());
        ConsumerConfig::demo_with(addresses, &|name| match (name, &tls.identity) {
            ("UEC_CONSUMER_CA", _) => shown(&tls.ca),
            ("UEC_CONSUMER_CERTIFICATE", Some((certificate, _))) => shown(certificate),
            ("UEC_CONSUMER_KEY", Some((_, key))) => shown(key),
            _ => None,
        })
    }

    /// Opens the journal. In the default place its folder is made too.
    pub fn open_journal(&self) -> Result<Journal, JournalError> {
        if self.journal_is_default {
            place::make_folder(&self.journal).map_err(|error| JournalError::Unusable {
                path: self.journal.display().to_string(),
                why: format!("its folder cannot be made: {error}"),
            })?;
        }
        Journal::open(&self.journal, self.allow_shared_files)
    }

    /// Who asks: for every request and its token.
    pub fn sender(&self) -> Sender {
        Sender {
            asid: self.asid.clone(),
            issuer: self.iss.clone(),
            device: self.device.clone(),
            organization: self.organisation.clone(),
            practitioner: self.user.as_ref().map(|user| user.practitioner.clone()),
        }
    }

    /// The role of the user; without one, that with fewer rights.
    pub fn role(&self) -> Role {
        self.user.as_ref().map_or(Role::default(), |user| user.role)
    }

    /// How patient the transport is.
    pub fn policy(&self) -> Policy {
        Policy {
            attempt: self.timeouts.attempt,
            total: self.timeouts.total,
            ..Policy::default()
        }
    }

    /// ODS code of the user's organisation.
    pub fn ods(&self) -> &OdsCode {
        &self.organisation.ods
    }
}

/// What messages call them.
const DEMO_NAME: &str = "the demonstration's settings";
/// The demonstration's settings; passwords are those of the sandbox's own world.
const DEMO: &str = r#"
asid = "918999000099"
iss = "https://consumer.fernhill111.example/"
allow_shared_files = true

[organisation]
ods = "FX900"
name = "Fernhill 111"

[device]
value = "FERNHILL-111-1"

[user]
id = "adviser-1"
family = "Adviser"
given = "Alex"

[dos.clinician]
username = "fernhill-clinician"
password = "sandbox-clinician"

[dos.adviser]
username = "fernhill-adviser"
password = "sandbox-adviser"
"#;
