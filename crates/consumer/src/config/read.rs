//! From text and variables to checked settings.

use super::keys::{Holds, KEYS, Key};
use super::{Account, ConfigError, ConsumerConfig, Dos, Role, Secret, Timeouts, Tls, User, place};
use booking::ids::{Asid, IdError, OdsCode};
use booking::named_file;
use booking::wire::token::{Device, Organization, Practitioner};
use serde::Deserialize;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::{Table, Value};

/// Largest settings or password file; they have a kilobyte.
const MAX_FILE: u64 = 1 << 20;
/// Longest time-out that is taken: a token lives five minutes, and a repeat is the identical request.
const MAX_SECONDS: u64 = 240;
/// How long personal data stay in the journal when nobody says: as long as a patient may ask about an appointment of the
/// last year.
const RETENTION_DAYS: u32 = 365;
/// Longest retention that is taken: a century.
const MAX_DAYS: u32 = 36_525;
/// Longest text of a key: addresses and names are shorter.
const MAX_TEXT: usize = 1_024;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    asid: Option<String>,
    iss: Option<String>,
    journal: Option<String>,
    retention_days: Option<u32>,
    allow_plain: bool,
    allow_shared_files: bool,
    organisation: WrittenOrganisation,
    device: WrittenDevice,
    user: Option<WrittenUser>,
    dos: WrittenDos,
    sds: WrittenSds,
    ssp: WrittenSsp,
    tls: WrittenTls,
    timeouts: WrittenTimeouts,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenOrganisation {
    ods: Option<String>,
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenDevice {
    system: Option<String>,
    value: Option<String>,
    model: Option<String>,
    version: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenUser {
    id: Option<String>,
    family: Option<String>,
    given: Option<String>,
    prefix: Option<String>,
    clinical: bool,
    sds_user: Option<String>,
    sds_role: Option<String>,
    local_system: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenDos {
    url: Option<String>,
    clinician: Option<WrittenAccount>,
    adviser: Option<WrittenAccount>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenAccount {
    username: Option<String>,
    password: Option<String>,
    password_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenSds {
    url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenSsp {
    url: Option<String>,
    direct: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenTls {
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenTimeouts {
    connect_seconds: Option<u64>,
    dos_seconds: Option<u64>,
    sds_seconds: Option<u64>,
    attempt_seconds: Option<u64>,
    total_seconds: Option<u64>,
}

/// The text of a small file; the error says what to do about it.
pub(super) fn file(path: &Path) -> Result<String, ConfigError> {
    let shown = path.display();
    let text = named_file::text(File::open(path), MAX_FILE);
    text.map_err(|error| ConfigError(format!("cannot read {shown}: {error}")))
}

/// Reads and checks everything.
pub(super) fn read(
    name: &str,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    demo: bool,
) -> Result<ConsumerConfig, ConfigError> {
    // Read for itself first, so that mistakes in the file have their line.
    let _: Written = sheet::read(text, name).map_err(|e| ConfigError(e.to_string()))?;
    let unreadable = |error: toml::de::Error| ConfigError(format!("{name}: {}", error.message()));
    let mut table: Table = toml::from_str(text).map_err(unreadable)?;
    let mut faults = Vec::new();
    for key in KEYS {
        if let Some(given) = environment(key.variable).filter(|v| !v.is_empty())
            && let Err(fault) = set(&mut table, key, &given)
        {
            faults.push(fault);
        }
    }
    let written: Written = Value::Table(table).try_into().map_err(unreadable)?;
    let mut check = Check {
        name,
        default_journal: place::journal(environment, demo),
        faults,
    };
    match check.config(written) {
        Some(config) if check.faults.is_empty() => Ok(config),
        _ => Err(ConfigError(check.faults.join("\n"))),
    }
}

/// Puts a variable's value where the file has the key.
fn set(table: &mut Table, key: &Key, given: &str) -> Result<(), String> {
    let given = given.trim();
    let value = match key.holds {
        Holds::Text => Value::String(given.to_owned()),
        Holds::Truth => match given.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Value::Boolean(true),
            "false" | "no" | "0" => Value::Boolean(false),
            _ => return Err(format!("{}: `{given}` is not true or false", key.variable)),
        },
        Holds::Seconds | Holds::Days => match given.parse::<u32>() {
            Ok(number) => Value::Integer(i64::from(number)),
            Err(_) => {
                let of = match key.holds {
                    Holds::Days => "days",
                    _ => "seconds",
                };
                return Err(format!(
                    "{}: `{given}` is no whole number of {of}",
                    key.variable
                ));
            }
        },
    };
    let mut steps: Vec<&str> = key.path.split('.').collect();
    let Some(last) = steps.pop() else {
        return Ok(());
    };
    let mut at = table;
    for step in steps {
        let below = at.entry(step).or_insert_with(|| Value::Table(Table::new()));
        match below.as_table_mut() {
            Some(below) => at = below,
            // The file was read before: what stands here is a table.
            None => return Err(format!("{}: `{step}` is no table", key.variable)),
        }
    }
    at.insert(last.to_owned(), value);
    Ok(())
}

/// Checks, and collects what is wrong.
struct Check<'n> {
    name: &'n str,
    default_journal: Option<PathBuf>,
    faults: Vec<String>,
}

impl Check<'_> {
    fn fault<T>(&mut self, why: impl std::fmt::Display) -> Option<T> {
        self.faults.push(format!("{}: {why}", self.name));
        None
    }

    /// A text that has to be there.
    fn text(&mut self, path: &str, value: Option<String>) -> Option<String> {
        let value = value.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        match value {
            Some(text) if text.len() <= MAX_TEXT && !text.contains(char::is_control) => Some(text),
            Some(_) => self.fault(format!(
                "{path} has more than {MAX_TEXT} characters or a control character"
            )),
            None => {
                let key = KEYS.iter().find(|k| k.path == path);
                let variable = key.map_or("", |k| k.variable);
                self.fault(format!("{path} is missing (variable {variable})"))
            }
        }
    }

    fn id<T>(
        &mut self,
        path: &str,
        value: Option<String>,
        parse: impl Fn(&str) -> Result<T, IdError>,
    ) -> Option<T> {
        let text = self.text(path, value)?;
        match parse(&text) {
            Ok(id) => Some(id),
            Err(error) => self.fault(format!("{path}: {error}")),
        }
    }

    fn config(&mut self, w: Written) -> Option<ConsumerConfig> {
        let asid = self.id("asid", w.asid, Asid::parse);
        let iss = self.text("iss", w.iss);
        let iss = iss.and_then(|iss| self.url("iss", &iss, &["https", "http"], true));
        let ods = self.id("organisation.ods", w.organisation.ods, OdsCode::parse);
        let name = self.text("organisation.name", w.organisation.name);
        let device = self.device(w.device, iss.as_deref().unwrap_or_default());
        let user = w
            .user
            .map(|user| self.user(user, iss.as_deref().unwrap_or_default()));
        let dos = self.dos(w.dos, w.allow_plain);
        let sds = self.text("sds.url", w.sds.url);
        let sds = sds.and_then(|url| self.url("sds.url", &url, &["ldaps", "ldap"], w.allow_plain));
        let ssp = self.ssp(w.ssp, w.allow_plain);
        let addresses = [
            ("dos.url", dos.as_ref().map(|d| d.url.as_str())),
            ("sds.url", sds.as_deref()),
            ("ssp.url", ssp.as_ref().and_then(|s| s.as_deref())),
        ];
        let tls = self.tls(w.tls, &addresses);
        let timeouts = self.timeouts(&w.timeouts);
        let retention_days = self.retention(w.retention_days);
        let journal_is_default = w.journal.is_none();
        let journal = match w.journal {
            Some(path) => Some(PathBuf::from(path)),
            None => self.default_journal.clone().or_else(|| {
                self.fault("journal is missing, and you have no home folder in which it could lie")
            }),
        };
        Some(ConsumerConfig {
            asid: asid?,
            iss: iss?,
            organisation: Organization {
                name: name?,
                ods: ods?,
            },
            device: device?,
            user: match user {
                None => None,
                Some(user) => Some(user?),
            },
            dos: dos?,
            sds: sds?,
            ssp: ssp?,
            tls: tls?,
            allow_plain: w.allow_plain,
            allow_shared_files: w.allow_shared_files,
            timeouts: timeouts?,
            journal: journal?,
            journal_is_default,
            retention_days: retention_days?,
        })
    }

    fn device(&mut self, w: WrittenDevice, iss: &str) -> Option<Device> {
        let system = w.system.unwrap_or_else(|| below(iss, "Id/device"));
        Some(Device {
            system: self.text("device.system", Some(system))?,
            value: self.text(
                "device.value",
                Some(w.value.unwrap_or_else(|| "uec".to_owned())),
            )?,
            model: self.text(
                "device.model",
                Some(w.model.unwrap_or_else(|| "uec".to_owned())),
            )?,
            version: self.text(
                "device.version",
                Some(
                    w.version
                        .unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
                ),
            )?,
        })
    }

    fn user(&mut self, w: WrittenUser, iss: &str) -> Option<User> {
        let id = self.text("user.id", w.id);
        let family = self.text("user.family", w.family);
        let given = self.text("user.given", w.given);
        let system = w.local_system.unwrap_or_else(|| below(iss, "Id/user"));
        let id = id?;
        Some(User {
            practitioner: Practitioner {
                id: id.clone(),
                family: family?,
                given: given?,
                prefix: w.prefix.filter(|p| !p.is_empty()),
                // What is not known is said to be so (NAT-JWT-11).
                sds_user: Some(w.sds_user.unwrap_or_else(|| "UNK".to_owned())),
                sds_role: Some(w.sds_role.unwrap_or_else(|| "UNK".to_owned())),
                local: Some((system, id)),
            },
            role: match w.clinical {
                true => Role::Clinician,
                false => Role::HealthAdviser,
            },
        })
    }

    fn dos(&mut self, w: WrittenDos, allow_plain: bool) -> Option<Dos> {
        let url = self.text("dos.url", w.url);
        let url = url.and_then(|url| self.url("dos.url", &url, &["https", "http"], allow_plain));
        if w.clinician.is_none() && w.adviser.is_none() {
            return self
                .fault("an account at the DoS is missing: [dos.adviser] or [dos.clinician]");
        }
        let clinician = w.clinician.map(|a| self.account("clinician", a));
        let adviser = w.adviser.map(|a| self.account("adviser", a));
        Some(Dos {
            url: url?,
            clinician: clinician.map_or(Some(None), |a| a.map(Some))?,
            adviser: adviser.map_or(Some(None), |a| a.map(Some))?,
        })
    }

    fn account(&mut self, role: &str, w: WrittenAccount) -> Option<Account> {
        let username = self.text(&format!("dos.{role}.username"), w.username);
        let password = match (w.password, w.password_file) {
            (Some(_), Some(_)) => {
                return self.fault(format!(
                    "dos.{role} has a password and a password_file; keep one of them"
                ));
            }
            (Some(password), None) => Some(password),
            (None, Some(path)) => match file(&path) {
                Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => return self.fault(format!("dos.{role}.password_file: {error}")),
            },
            (None, None) => None,
        };
        match password.filter(|p| !p.is_empty()) {
            None => self.fault(format!("dos.{role}.password or password_file is missing")),
            Some(p) if p.len() > MAX_TEXT || p.contains(char::is_control) => self.fault(format!(
                "the password of dos.{role} is too long or has control characters"
            )),
            Some(password) => Some(Account {
                username: username?,
                password: Secret::new(password),
            }),
        }
    }

    fn ssp(&mut self, w: WrittenSsp, allow_plain: bool) -> Option<Option<String>> {
        match (w.url, w.direct) {
            (Some(_), true) => self.fault("ssp has a url and direct = true; keep one of them"),
            (None, true) => Some(None),
            (url, false) => {
                let url = self.text("ssp.url", url)?;
                self.url("ssp.url", &url, &["https", "http"], allow_plain)
                    .map(Some)
            }
        }
    }

    /// An absolute address with one of the schemes, the first of which is encrypted. The others are taken for this
    /// machine, and beyond only where `plain` says so.
    fn url(&mut self, path: &str, text: &str, schemes: &[&str; 2], plain: bool) -> Option<String> {
        let example = format!("write it like {}://host.example", schemes[0]);
        let whole = has_authority(text).then(|| reqwest::Url::parse(text));
        let Some(Ok(url)) = whole else {
            // A text with `@` may hold a password.
            let shown = if text.contains('@') { "this" } else { text };
            return self.fault(format!("{path}: `{shown}` is no address; {example}"));
        };
        if !schemes.contains(&url.scheme()) {
            return self.fault(format!(
                "{path}: `{}` is the wrong kind of address; {example}",
                url.scheme()
            ));
        }
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        match url.host_str().filter(|h| !h.is_empty()) {
            None => self.fault(format!("{path}: `{text}` names no host; {example}")),
            // The text is not shown: it may hold a password.
            Some(_) if !bare => self.fault(format!(
                "{path}: user, password, `?` and `#` do not belong into it; {example}"
            )),
            Some(host) if url.scheme() == schemes[1] && !plain && !is_this_machine(host) => self
                .fault(format!(
                    "{path}: {}:// is taken for this machine only; {example}, or set allow_plain on a test network",
                    schemes[1]
                )),
            Some(_) => Some(text.to_owned()),
        }
    }

    fn tls(&mut self, w: WrittenTls, addresses: &[(&str, Option<&str>)]) -> Option<Option<Tls>> {
        let encrypted: Vec<&str> = addresses
            .iter()
            .filter(|(_, url)| url.is_some_and(is_encrypted))
            .map(|(path, _)| *path)
            .collect();
        let identity = match (w.certificate, w.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                return self
                    .fault("tls.certificate and tls.key go together; one of them is missing");
            }
        };
        let with_certificate = encrypted.iter().find(|path| **path != "dos.url");
        match (w.ca, encrypted.first(), with_certificate, &identity) {
            (None, None, ..) if identity.is_none() => Some(None),
            (None, None, ..) => self.fault("tls.certificate needs tls.ca beside it"),
            (None, Some(path), ..) => self.fault(format!(
                "{path} is encrypted: tls.ca is missing, the file with the authorities of its certificate"
            )),
            (Some(_), _, Some(path), None) => self.fault(format!(
                "{path} asks for a client certificate: tls.certificate and tls.key are missing"
            )),
            (Some(ca), ..) => Some(Some(Tls { ca, identity })),
        }
    }

    fn retention(&mut self, given: Option<u32>) -> Option<u32> {
        match given {
            None => Some(RETENTION_DAYS),
            Some(days) if (1..=MAX_DAYS).contains(&days) => Some(days),
            Some(days) => self.fault(format!(
                "retention_days: {days} is not between 1 and {MAX_DAYS}"
            )),
        }
    }

    fn timeouts(&mut self, w: &WrittenTimeouts) -> Option<Timeouts> {
        let d = Timeouts::default();
        let mut of = |path: &str, given: Option<u64>, default: Duration| match given {
            None => Some(default),
            Some(seconds) if (1..=MAX_SECONDS).contains(&seconds) => {
                Some(Duration::from_secs(seconds))
            }
            Some(seconds) => self.fault(format!(
                "timeouts.{path}: {seconds} is not between 1 and {MAX_SECONDS}"
            )),
        };
        let connect = of("connect_seconds", w.connect_seconds, d.connect);
        let dos = of("dos_seconds", w.dos_seconds, d.dos);
        let sds = of("sds_seconds", w.sds_seconds, d.sds);
        let attempt = of("attempt_seconds", w.attempt_seconds, d.attempt);
        let total = of("total_seconds", w.total_seconds, d.total);
        Some(Timeouts {
            connect: connect?,
            dos: dos?,
            sds: sds?,
            attempt: attempt?,
            total: total?,
        })
    }
}

fn below(iss: &str, path: &str) -> String {
    format!("{}/{path}", iss.trim_end_matches('/'))
}

fn is_encrypted(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    ["https", "ldaps"]
        .iter()
        .any(|s| scheme.eq_ignore_ascii_case(s))
}

/// Whether an address has `://` and a host behind its scheme.
pub(crate) fn has_authority(address: &str) -> bool {
    let rest = address.split_once(':').map(|(_, rest)| rest);
    let host = rest.and_then(|rest| rest.strip_prefix("//"));
    host.is_some_and(|host| !host.is_empty() && !host.starts_with(['/', '\\', '?', '#']))
}

/// Whether a host of a URL is this machine.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}
