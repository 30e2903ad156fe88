//! Addresses of PostgreSQL as people write them: `postgres://user@host,host/database?sslmode=…`.
//!
//! Everything that the client library knows may be said; `sslmode=verify-full` and `sslrootcert` are read here.

use super::password;
use super::server::Target;
use super::tls::Tls;
use crate::store::error::StoreError;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// How long one host may take to answer, unless the address says otherwise.
const CONNECT: Duration = Duration::from_secs(3);
/// Idle time after which the operating system asks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How often it asks again.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(3);
/// How long sent bytes may go unacknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// What the server shows in its list of connections.
const NAME: &str = "uec";

/// True for an address of PostgreSQL.
pub(in crate::store) fn is_address(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// An address without what must not be shown: `postgres://user@host/database`.
pub(in crate::store) fn redacted(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return "postgres://…".to_owned();
    };
    // A password may hold any character, so the last @ counts.
    match rest.rsplit_once('@') {
        Some((user, place)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{place}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

/// A server to connect to. It holds the password, so it is never shown.
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
    pub(super) shown: String,
}

/// What of TLS the client library does not read.
struct Encryption {
    mode: SslMode,
    roots: Option<PathBuf>,
}

impl Address {
    /// Reads an address, of one host or of several.
    pub(super) fn parse(url: &str, target: Target) -> Result<Address, StoreError> {
        let shown = redacted(url);
        let wrong = |why: String| StoreError::Address {
            given: shown.clone(),
            why,
        };
        let (rest, encryption) = split(url).map_err(wrong)?;
        // The library's error may repeat what it was given.
        let mut config = Config::from_str(&rest).map_err(|_| {
            wrong("write postgres://USER@HOST:PORT/DATABASE, several hosts with commas, special characters of a \
                   password percent-encoded; options as in ?connect_timeout=3&application_name=uec".to_owned())
        })?;
        if config.get_hosts().is_empty() {
            return Err(wrong("the host is missing".to_owned()));
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(wrong(
                "the name of the database is missing after the host".to_owned(),
            ));
        }
        config.ssl_mode(encryption.mode);
        config.target_session_attrs(match target {
            Target::Primary => TargetSessionAttrs::ReadWrite,
            Target::Any => TargetSessionAttrs::Any,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name(NAME);
        }
        config
            .keepalives(true)
            .keepalives_idle(KEEPALIVE)
            .keepalives_interval(KEEPALIVE_EVERY)
            .tcp_user_timeout(UNACKNOWLEDGED);
        if config.get_password().is_none()
            && let Some(password) = password::find(&config).map_err(wrong)?
        {
            config.password(password);
        }
        Ok(Address {
            tls: Tls::new(encryption.roots.as_deref())?,
            config,
            shown,
        })
    }

    /// How long connecting may take in all.
    pub(super) fn patience(&self) -> Duration {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(1);
        let each = self.config.get_connect_timeout().copied();
        // Each host may be asked for its addresses, for TLS and whether it takes writes.
        each.unwrap_or(CONNECT) * hosts + Duration::from_secs(1)
    }

    /// Where passwords of a file belong: hosts with their ports.
    pub(super) fn hosts(config: &Config) -> Vec<(String, u16)> {
        let ports = config.get_ports();
        let port = |n: usize| ports.get(n).or(ports.first()).copied().unwrap_or(5432);
        config
            .get_hosts()
            .iter()
            .enumerate()
            .map(|(n, host)| {
                let name = match host {
                    Host::Tcp(name) => name.clone(),
                    #[cfg(unix)]
                    Host::Unix(_) => "localhost".to_owned(),
                };
                (name, port(n))
            })
            .collect()
    }
}

/// Takes out of an address what is read here; the rest is the library's.
fn split(url: &str) -> Result<(String, Encryption), String> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "sslmode" => mode = Some(decoded(value)?),
            "sslrootcert" => roots = Some(PathBuf::from(decoded(value)?)),
            _ => rest.push(pair),
        }
    }
    let verified = mode.as_deref() == Some("verify-full");
    let mode = match mode.as_deref() {
        Some("disable") => SslMode::Disable,
        Some("prefer") | None => SslMode::Prefer,
        Some("require" | "verify-full") => SslMode::Require,
        Some(other) => {
            return Err(format!(
                "sslmode is disable, prefer, require or verify-full, not `{other}`"
            ));
        }
    };
    match (verified, &roots) {
        (true, None) => {
            return Err(
                "sslmode=verify-full needs sslrootcert=FILE with the authority's certificate"
                    .into(),
            );
        }
        (false, Some(_)) => {
            return Err("sslrootcert is used with sslmode=verify-full only".into());
        }
        _ => {}
    }
    let rest = match rest.is_empty() {
        true => base.to_owned(),
        false => format!("{base}?{}", rest.join("&")),
    };
    Ok((rest, Encryption { mode, roots }))
}

fn decoded(value: &str) -> Result<String, String> {
    let wrong = || "a percent sign is followed by two hexadecimal digits".to_owned();
    let (mut bytes, mut rest) = (Vec::with_capacity(value.len()), value.as_bytes());
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let digits = tail.get(..2).and_then(|d| std::str::from_utf8(d).ok());
        let digits = digits.ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str) -> String {
        Address::parse(url, Target::Primary)
            .err()
            .expect(url)
            .to_string()
    }

    #[test]
    fn no_message_holds_the_password() {
        for url in [
            "postgres://uec:s3cret@db.example/x?sslmode=wrong",
            "postgres://uec:s3cret@db.example/x?sslmode=verify-full",
            "postgres://uec:s3cret@db.example/x?nonsense=1",
            "postgres://uec:s3c@ret@db.example:port/x",
            "postgres://uec:s3cret@db.example/",
        ] {
            let said = error(url);
            assert!(!said.contains("s3c") && said.contains("uec@"), "{said}");
        }
        assert_eq!(
            redacted("postgres://uec:s3cret@a:1,b:2/x?password=s3cret"),
            "postgres://uec@a:1,b:2/x"
        );
    }

    #[test]
    fn hosts_and_their_ports_are_read() {
        let url = "postgresql://uec@a:5433,b/x?connect_timeout=2&sslmode=require";
        let address = Address::parse(url, Target::Primary);
        let address = address.unwrap();
        assert_eq!(address.config.get_hosts().len(), 2);
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(address.patience(), Duration::from_secs(5));
        assert_eq!(address.shown, "postgresql://uec@a:5433,b/x");
    }

    #[test]
    fn values_are_decoded() {
        assert_eq!(decoded("%2Fetc%2fca.pem").unwrap(), "/etc/ca.pem");
        assert!(decoded("%2").is_err());
    }
}
