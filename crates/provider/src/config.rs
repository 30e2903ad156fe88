//! Settings of the Provider server: one small struct per concern, with a default for everything.
//!
//! The file is TOML. Flags and environment variables, which the command line reads, override it. An unknown or bad key
//! stops the start with a message that names it and the nearest valid key.

use serde::Deserialize;
use std::path::PathBuf;

/// Settings that a file for `uec provider serve` may hold.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `HOST:PORT` to listen on.
    pub listen: Option<String>,
    /// `sqlite:PATH` or `postgres://USER@HOST/DATABASE`.
    pub database: Option<String>,
    /// `postgres://USER@HOST/DATABASE` of a streaming standby, for searches.
    pub database_replica: Option<String>,
    /// Open an SQLite file although others than its owner may write it or its folder (D-84).
    pub allow_shared_files: bool,
    /// Scheme, host and port at which consumers reach this server, without path. The service root of a tenant is
    /// `{base_url}/STU3/1/{ODS}` (PROV-GEN-01, D-20).
    pub base_url: Option<String>,
    /// Certificates.
    pub tls: Option<Tls>,
    /// Which tokens are trusted.
    pub trust: Trust,
    /// Limits per caller and in total.
    pub limits: Limits,
    /// Slot search.
    pub search: Search,
    /// Referral documents.
    pub referral: Referral,
    /// Log output.
    pub log: Log,
    /// The operators' port.
    pub admin: Admin,
    /// Conditions of readiness.
    pub health: Health,
    /// Traces for an OpenTelemetry collector.
    pub telemetry: Telemetry,
    /// Anchors of the audit trail.
    pub audit: Audit,
}

/// Signed heads of the audit trail, stored outside the database (AUD-07, D-74). Without a key there are none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Private signing key, PEM (PKCS#8, Ed25519).
    pub key: Option<PathBuf>,
    /// Earlier public keys, PEM. Their signatures still count.
    pub former_keys: Vec<PathBuf>,
    /// Interval at which changed heads are signed, seconds.
    pub seconds: u64,
    /// Whether each head is logged.
    pub log: bool,
    /// Folder for the heads, a file a day. The start compares the database with it.
    pub folder: Option<PathBuf>,
    /// Address to which heads are POSTed, `http` or `https`.
    pub url: Option<String>,
    /// Stay ready although signed rows are missing; only log and metrics report it.
    pub ready_despite_loss: bool,
}

impl Default for Audit {
    fn default() -> Audit {
        Audit {
            key: None,
            former_keys: Vec::new(),
            seconds: 60,
            log: true,
            folder: None,
            url: None,
            ready_despite_loss: false,
        }
    }
}

impl Audit {
    fn check(&self) -> Result<(), String> {
        if !(1..=86_400).contains(&self.seconds) {
            return Err("audit.seconds must be between 1 and 86400".into());
        }
        if self.key.is_none() && (self.folder.is_some() || self.url.is_some()) {
            return Err(
                "audit.folder and audit.url need audit.key: make one with `uec provider audit key FILE --make`"
                    .into(),
            );
        }
        match &self.url {
            Some(url) if !is_http(url) => Err(format!(
                "audit.url `{url}` must begin with http:// or https://, and name a host"
            )),
            _ => Ok(()),
        }
    }
}

/// Health and metrics for operators.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// `HOST:PORT` of a separate port for health and metrics, plain HTTP, for an inner network. None: the API's port has
    /// health only.
    pub listen: Option<String>,
    /// Whether the API's port shows `/metrics` too.
    pub metrics_on_api: bool,
}

/// Conditions of readiness.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// Least free space on the database's disk, bytes.
    pub disk_free_bytes: u64,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            disk_free_bytes: 256 << 20,
        }
    }
}

/// Traces for an OpenTelemetry collector.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Base URL of an OTLP/HTTP collector, such as `http://127.0.0.1:4318`. None: nothing is sent.
    pub otlp: Option<String>,
    /// Name of this service in traces.
    pub service_name: String,
    /// Share of requests traced, 0 to 1, unless the caller decides.
    pub sample: f64,
}

impl Default for Telemetry {
    fn default() -> Telemetry {
        Telemetry {
            otlp: None,
            service_name: "uec-provider".to_owned(),
            sample: 1.0,
        }
    }
}

/// A database address may hold a password.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let database = self.database.as_deref().map(crate::store::redacted);
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("database", &database)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// Certificates for HTTPS (PROV-GEN-04). Files are PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain of this server.
    pub certificate: PathBuf,
    /// Private key of the certificate.
    pub key: PathBuf,
    /// Certificates of the authorities for client certificates. When set, every client needs a certificate.
    pub client_ca: Option<PathBuf>,
    /// Revocation lists of these authorities, PEM or DER. When set, a client is refused if its certificate is on a list or
    /// its authority has no list. Changed files are read again.
    #[serde(default)]
    pub client_crl: Vec<PathBuf>,
}

/// Most revocation lists. There are few authorities, with one list each.
const MAX_LISTS: usize = 64;

/// From whom an unsigned token is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unsigned {
    /// From nobody: tokens must be signed.
    Never,
    /// From a peer whose client certificate carries one of `trust.ssp_names`.
    #[default]
    Ssp,
    /// From anybody who can reach the port. For development only.
    Any,
}

/// Which tokens are trusted (NAT-JWT-01, NAT-SSP-04).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// From whom an unsigned token is accepted.
    pub unsigned: Unsigned,
    /// DNS names; the Spine Secure Proxy's client certificate has one of them.
    pub ssp_names: Vec<String>,
    /// File with a JSON Web Key Set. When set, tokens signed by one of its keys are accepted from anybody.
    pub signed_keys: Option<PathBuf>,
    /// Tolerated clock difference in a token, seconds (NAT-JWT-06).
    pub tolerance_seconds: i64,
}

impl Default for Trust {
    fn default() -> Trust {
        Trust {
            unsigned: Unsigned::default(),
            ssp_names: Vec::new(),
            signed_keys: None,
            tolerance_seconds: 60,
        }
    }
}

/// Limits per caller and in total.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest body, before and after decompression, bytes. A booking is about 5 KB.
    pub body_bytes: usize,
    /// Open connections. Further ones wait in the listen queue.
    pub connections: usize,
    /// Open connections per peer (client certificate, else address); 0: half of `connections`. A proxy in front without a
    /// certificate is one peer.
    pub connections_per_peer: usize,
    /// Requests under way. Further ones are answered 503 with `Retry-After`.
    pub requests: usize,
    /// Seconds for the header of a request; for the first one they begin when the connection is accepted.
    pub header_seconds: u64,
    /// Seconds that an idle connection stays open (over HTTP/1.1, `header_seconds` if that is less).
    pub idle_seconds: u64,
    /// Seconds that a client may delay an answer, beyond one second for every 8 KiB.
    pub write_seconds: u64,
    /// Seconds for the body of a request.
    pub body_seconds: u64,
    /// Memory for answers that clients have not read yet, bytes. An answer beyond it becomes 503.
    pub answers_bytes: u64,
    /// Share of `requests` that searches may take, percent. The rest is reserved for bookings.
    pub searches_percent: u8,
    /// Searches are shed while a ready task waits longer than this for a processor, milliseconds.
    pub search_delay_ms: u64,
    /// Requests a second of one consumer (ASID) at one provider; 0: no limit. A declaration may set other limits.
    pub consumer_per_second: u32,
    /// Requests of one consumer at once after a pause; 0: as many as a second.
    pub consumer_burst: u32,
    /// Requests of one consumer under way at once; 0: half of `requests`.
    pub consumer_requests: u32,
    /// Seconds between "not ready" and the last accepted connection when the server is told to stop: the load balancer
    /// needs them to notice.
    pub drain_wait_seconds: u64,
    /// Seconds for requests under way when the server is told to stop.
    pub drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes: 1 << 20,
            connections: 16_384,
            connections_per_peer: 0,
            requests: 4_096,
            header_seconds: 15,
            idle_seconds: 60,
            write_seconds: 30,
            body_seconds: 30,
            answers_bytes: 128 << 20,
            searches_percent: 75,
            search_delay_ms: 2_000,
            consumer_per_second: 0,
            consumer_burst: 0,
            consumer_requests: 0,
            drain_wait_seconds: 0,
            drain_seconds: 30,
        }
    }
}

/// Slot search.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// Window from now if a search names no bound, hours (PROV-SLOT-05).
    pub default_hours: u32,
    /// Longest window of one search, days.
    pub max_days: u32,
    /// Most slots in one answer (PROV-SLOT-20).
    pub max_slots: usize,
    /// Memory for rendered slots, bytes.
    pub cache_bytes: u64,
}

impl Default for Search {
    fn default() -> Search {
        Search {
            default_hours: 72,
            max_days: 62,
            max_slots: 2_000,
            cache_bytes: 48 << 20,
        }
    }
}

/// Referral documents, received at `/itk` (REF-PRO-08).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Referral {
    /// Who may send them.
    pub from: ReferralSenders,
    /// Messages of one sender received and read at once, at least 1. Further ones wait. A sender is an address, or a system
    /// behind the Spine Secure Proxy. Eight keep the readers busy and leave room for others.
    pub per_sender: usize,
}

impl Default for Referral {
    fn default() -> Referral {
        Referral {
            from: ReferralSenders::default(),
            per_sender: 8,
        }
    }
}

/// Who may send referral documents (NFR-01).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReferralSenders {
    /// Nobody: the service does not take referrals yet.
    Nobody,
    /// Clients with a certificate of `tls.client_ca`; with `trust.unsigned = "any"`, anybody.
    #[default]
    Certificate,
    /// Anybody who can reach the port, for a network that is closed by other means.
    Any,
}

/// Log output.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` or `json`.
    pub format: LogFormat,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Settings {
    /// Reads settings from TOML text. The error names file, line, key, and the nearest valid key.
    pub fn parse(text: &str, file: &str) -> Result<Settings, String> {
        let settings: Settings = sheet::read(text, file).map_err(|e| e.to_string())?;
        settings.check().map_err(|e| format!("{file}: {e}"))?;
        Ok(settings)
    }

    /// Checks bounds and combinations, which types cannot.
    pub fn check(&self) -> Result<(), String> {
        let l = &self.limits;
        if l.body_bytes < 16 << 10 || l.body_bytes > 64 << 20 {
            return Err("limits.body_bytes must be between 16384 and 67108864".into());
        }
        if l.connections == 0 || l.requests == 0 {
            return Err("limits.connections and limits.requests must be at least 1".into());
        }
        for (name, seconds) in [
            ("header_seconds", l.header_seconds),
            ("idle_seconds", l.idle_seconds),
            ("write_seconds", l.write_seconds),
            ("body_seconds", l.body_seconds),
        ] {
            if !(1..=3_600).contains(&seconds) {
                return Err(format!("limits.{name} must be between 1 and 3600"));
            }
        }
        if l.answers_bytes < 1 << 20 {
            return Err("limits.answers_bytes must be at least 1048576".into());
        }
        if !(1..=100).contains(&l.searches_percent) {
            return Err("limits.searches_percent must be between 1 and 100".into());
        }
        if l.search_delay_ms == 0 {
            return Err("limits.search_delay_ms must be at least 1".into());
        }
        if l.consumer_burst > 0 && l.consumer_per_second == 0 {
            return Err("limits.consumer_burst needs limits.consumer_per_second".into());
        }
        if l.drain_wait_seconds > 600 || l.drain_seconds > 600 {
            return Err(
                "limits.drain_wait_seconds and limits.drain_seconds must be at most 600".into(),
            );
        }
        if !(0.0..=1.0).contains(&self.telemetry.sample) {
            return Err("telemetry.sample must be between 0 and 1".into());
        }
        if let Some(url) = &self.telemetry.otlp {
            check_collector(url)?;
        }
        self.audit.check()?;
        if self.search.default_hours == 0 || self.search.max_days == 0 || self.search.max_days > 366
        {
            return Err(
                "search.default_hours must be at least 1 and search.max_days 1 to 366".into(),
            );
        }
        if self.search.max_slots == 0 || self.search.max_slots > 10_000 {
            return Err("search.max_slots must be between 1 and 10000".into());
        }
        if !(0..=600).contains(&self.trust.tolerance_seconds) {
            return Err("trust.tolerance_seconds must be between 0 and 600".into());
        }
        if let Some(tls) = &self.tls {
            if tls.client_ca.is_none() && !tls.client_crl.is_empty() {
                return Err(
                    "tls.client_crl needs tls.client_ca, the authorities that wrote the lists"
                        .into(),
                );
            }
            if tls.client_crl.len() > MAX_LISTS {
                return Err(format!("tls.client_crl takes at most {MAX_LISTS} files"));
            }
        }
        if let Some(url) = &self.base_url {
            check_base_url(url)?;
        }
        Ok(())
    }
}

/// A base URL is `https://host[:port]`, without path, query or trailing slash. It is https even if a proxy ends TLS
/// (PROV-GEN-01, D-20): consumers, directories and referral links use an appointment's URL as sent.
pub fn check_base_url(url: &str) -> Result<(), String> {
    if url.starts_with("http://") {
        return Err(format!(
            "base_url `{url}` must begin with https://, also where a proxy in front ends TLS: it stands in every URL \
             that is sent, in tokens, and in referrals"
        ));
    }
    check_origin(url)
}

/// An address for tools on this machine: a base URL, also with `http`.
pub fn check_origin(url: &str) -> Result<(), String> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(host) if !host.contains('/') && booking::wire::url::normal_form(url).is_some() => {
            Ok(())
        }
        _ => Err(format!(
            "base_url `{url}` must be https://HOST or https://HOST:PORT, without path or trailing slash"
        )),
    }
}

/// A collector's address is `http(s)://host[:port][/path]`.
pub fn check_collector(url: &str) -> Result<(), String> {
    match is_http(url) {
        true => Ok(()),
        false => Err(format!(
            "telemetry.otlp `{url}` must be http://HOST:PORT or https://HOST:PORT, the base of the collector"
        )),
    }
}

fn is_http(url: &str) -> bool {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    rest.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_key_names_the_nearest() {
        let error = Settings::parse("[limits]\nbody_byte = 3\n", "uec.toml").unwrap_err();
        assert!(error.contains("uec.toml"), "{error}");
        assert!(error.contains("line 2"), "{error}");
        assert!(error.contains("body_bytes"), "{error}");
    }

    #[test]
    fn limits_that_cannot_be_meant_are_refused() {
        for (text, word) in [
            ("[limits]\nsearches_percent = 0\n", "searches_percent"),
            ("[limits]\nconsumer_burst = 5\n", "consumer_per_second"),
            (
                "[limits]\ndrain_wait_seconds = 6000\n",
                "drain_wait_seconds",
            ),
            ("[telemetry]\nsample = 1.5\n", "telemetry.sample"),
            ("[telemetry]\notlp = \"collector:4318\"\n", "telemetry.otlp"),
            ("[audit]\nseconds = 0\n", "audit.seconds"),
            ("[audit]\nfolder = \"anchors\"\n", "audit.key"),
            ("[audit]\nkey = \"k\"\nurl = \"ftp://a\"\n", "audit.url"),
        ] {
            let error = Settings::parse(text, "uec.toml").unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn base_url_has_no_path() {
        assert!(check_base_url("https://provider.example:8443").is_ok());
        assert!(check_base_url("https://provider.example/STU3").is_err());
        assert!(check_base_url("provider.example").is_err());
        for other in [
            "http://provider.example",
            "HTTPS://provider.example",
            "https://",
            "https://:8443",
            "https://provider.example:99999",
            "https://provider.example/",
            "https://user@provider.example",
            "https://provider.example?x",
            "https://a b",
        ] {
            assert!(check_base_url(other).is_err(), "{other}");
        }
        assert!(check_origin("http://127.0.0.1:8001").is_ok());
    }
}
