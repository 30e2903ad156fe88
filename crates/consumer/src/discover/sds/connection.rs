//! One connection to SDS: TCP or TLS, an anonymous bind, searches one after the other (NAT-SDS-01).

use super::filter::Filter;
use crate::config::{ConfigError, ConsumerConfig};
use ldap_frame::{Broken, Framed, Limits};
use ldap3_proto::proto::{
    LdapBindCred, LdapBindRequest, LdapDerefAliases, LdapMsg, LdapOp, LdapPartialAttribute,
    LdapResult, LdapResultCode, LdapSearchRequest, LdapSearchScope,
};
use rustls::pki_types::ServerName;
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Entries asked for: two would be enough to know that there is not exactly one.
const SIZE_LIMIT: i32 = 5;
/// Entries that are read; a server that ignores the limit has shown by then that there are several.
const MAX_ENTRIES: usize = 10;
/// Messages of one search that are read, references and others besides entries included.
const MAX_MESSAGES: usize = 50;
/// An entry with several hundred interactions has some ten kilobytes and five levels; three searches with an entry each
/// have less than a hundred kilobytes. A server sends bind, entry, end, reference, extended and intermediate.
const LIMITS: Limits = Limits {
    message: 256 << 10,
    total: 2 << 20,
    depth: 16,
    operations: Some(&[0x61, 0x64, 0x65, 0x73, 0x78, 0x79]),
};

/// A stream that messages go over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why a search has no result.
#[derive(Debug)]
pub enum Trouble {
    /// Nothing is there, or it broke off, or it has no time.
    Unreachable(String),
    /// The server turns us away: certificate, bind, rights.
    Refused(String),
    /// What came cannot be understood.
    Unreadable(String),
}

/// An entry: attributes by their names in any case.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Distinguished name, for the log.
    pub dn: String,
    attributes: Vec<LdapPartialAttribute>,
}

impl Entry {
    /// The values of an attribute that are texts, trimmed, each once; names are compared without regard to case, and
    /// without options behind `;` (NAT-SDS-06).
    pub fn values(&self, name: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let named = self.attributes.iter().filter(|a| {
            let bare = a.atype.split(';').next().unwrap_or_default();
            bare.eq_ignore_ascii_case(name)
        });
        for value in named.flat_map(|a| &a.vals) {
            let text = String::from_utf8_lossy(value).trim().to_owned();
            if !text.is_empty() && !found.contains(&text) {
                found.push(text);
            }
        }
        found
    }
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// Entries, at most [`MAX_ENTRIES`].
    pub entries: Vec<Entry>,
    /// There are more.
    pub more: bool,
}

/// Where SDS is.
#[derive(Clone)]
pub struct Server {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Server {
    /// From the settings; what is wrong with the certificates is told here.
    pub fn new(config: &ConsumerConfig) -> Result<Server, ConfigError> {
        let wrong = |why: String| ConfigError(format!("sds.url: {why}"));
        let url = reqwest::Url::parse(&config.sds).map_err(|e| wrong(e.to_string()))?;
        let host = url.host_str().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let (tls, port) = match (url.scheme(), &config.tls) {
            ("ldaps", Some(tls)) => {
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| wrong(format!("`{host}` is no name of a server")))?;
                let connector = TlsConnector::from(crate::client::tls_settings(tls)?);
                (Some((connector, name)), 636)
            }
            ("ldaps", None) => return Err(wrong("ldaps needs tls.ca".to_owned())),
            ("ldap", _) => (None, 389),
            (other, _) => return Err(wrong(format!("`{other}` is neither ldap nor ldaps"))),
        };
        Ok(Server {
            host,
            port: url.port().unwrap_or(port),
            tls,
            patience: config.timeouts.connect,
        })
    }

    /// For the log.
    pub fn name(&self) -> String {
        let scheme = if self.tls.is_some() { "ldaps" } else { "ldap" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }

    /// Connects and binds anonymously.
    pub async fn connect(&self) -> Result<Connection, Trouble> {
        let late = |_| {
            let seconds = self.patience.as_secs_f64();
            Trouble::Unreachable(format!("no connection within {seconds} s"))
        };
        let stream = tokio::time::timeout(self.patience, self.open()).await;
        let stream = stream.map_err(late)?.map_err(|e| broken(e.into()))?;
        let mut connection = Connection {
            framed: Framed::new(stream, LIMITS),
            last: 0,
        };
        connection.bind().await?;
        Ok(connection)
    }

    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some((connector, name)) => Ok(Box::new(connector.connect(name.clone(), stream).await?)),
        }
    }
}

/// A connection that is bound.
pub struct Connection {
    framed: Framed<Box<dyn Stream>>,
    last: i32,
}

impl Connection {
    async fn bind(&mut self) -> Result<(), Trouble> {
        let request = LdapOp::BindRequest(LdapBindRequest {
            version: 3,
            dn: String::new(),
            cred: LdapBindCred::Simple(String::new()),
        });
        self.ask(request).await?;
        match self.answer().await? {
            LdapOp::BindResponse(response) if response.res.code == LdapResultCode::Success => {
                Ok(())
            }
            LdapOp::BindResponse(response) => Err(said(&response.res, "the bind")),
            _ => Err(Trouble::Unreadable(
                "the bind has another answer than its own".to_owned(),
            )),
        }
    }

    /// Searches the subtree below `base`.
    pub async fn search(
        &mut self,
        base: &str,
        filter: &Filter,
        attributes: &[&str],
    ) -> Result<Found, Trouble> {
        let request = LdapOp::SearchRequest(LdapSearchRequest {
            base: base.to_owned(),
            scope: LdapSearchScope::Subtree,
            aliases: LdapDerefAliases::Never,
            sizelimit: SIZE_LIMIT,
            timelimit: 0,
            typesonly: false,
            filter: filter.encoded(),
            attrs: attributes.iter().map(|a| (*a).to_owned()).collect(),
        });
        self.ask(request).await?;
        let mut found = Found::default();
        for _ in 0..MAX_MESSAGES {
            match self.answer().await? {
                LdapOp::SearchResultEntry(entry) if found.entries.len() < MAX_ENTRIES => {
                    found.entries.push(Entry {
                        dn: entry.dn,
                        attributes: entry.attributes,
                    });
                }
                LdapOp::SearchResultEntry(_) => found.more = true,
                LdapOp::SearchResultReference(_) => {
                    tracing::warn!(
                        fault_of = "sds",
                        "a reference to another directory is not followed"
                    );
                }
                LdapOp::IntermediateResponse(_) => {}
                LdapOp::SearchResultDone(result) => return done(found, &result),
                _ => break,
            }
        }
        Err(Trouble::Unreadable(
            "the search has another answer than its own".to_owned(),
        ))
    }

    /// Says goodbye; whether it is heard makes no difference.
    pub async fn end(mut self) {
        let _ = self.ask(LdapOp::UnbindRequest).await;
    }

    async fn ask(&mut self, op: LdapOp) -> Result<(), Trouble> {
        self.last += 1;
        let message = LdapMsg {
            msgid: self.last,
            op,
            ctrl: Vec::new(),
        };
        let sent = self.framed.send(message).await;
        sent.map_err(|e| broken(e.into()))
    }

    /// The next message to the last request. The server may end the connection with a message of its own (RFC 4511, 4.4).
    async fn answer(&mut self) -> Result<LdapOp, Trouble> {
        let message = self.framed.receive().await.map_err(broken)?;
        match (message.msgid, message.op) {
            (0, LdapOp::ExtendedResponse(notice)) => Err(said(&notice.res, "the connection")),
            (id, op) if id == self.last => Ok(op),
            (id, _) => Err(Trouble::Unreadable(format!(
                "an answer to {id}, which was not asked"
            ))),
        }
    }
}

fn done(mut found: Found, result: &LdapResult) -> Result<Found, Trouble> {
    match result.code {
        LdapResultCode::Success => Ok(found),
        // No such base: then there is no such entry below it either.
        LdapResultCode::NoSuchObject if found.entries.is_empty() => Ok(found),
        LdapResultCode::SizeLimitExceeded => {
            found.more = true;
            Ok(found)
        }
        _ => Err(said(result, "the search")),
    }
}

/// A result that is no success.
fn said(result: &LdapResult, of: &str) -> Trouble {
    let words = format!("{of}: {:?} {}", result.code, result.message);
    match result.code {
        LdapResultCode::Busy
        | LdapResultCode::Unavailable
        | LdapResultCode::TimeLimitExceeded
        | LdapResultCode::AdminLimitExceeded
        | LdapResultCode::OperationsError
        | LdapResultCode::Other => Trouble::Unreachable(words),
        _ => Trouble::Refused(words),
    }
}

/// A stream that failed. TLS refuses in both directions: our certificate or theirs.
fn broken(broken: Broken) -> Trouble {
    let error = match broken {
        Broken::Malformed(why) => return Trouble::Unreadable(why.to_owned()),
        Broken::Stream(error) => error,
    };
    let tls = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>());
    match (tls, error.kind()) {
        (Some(tls), _) => Trouble::Refused(format!("TLS: {tls}")),
        (None, io::ErrorKind::UnexpectedEof) => {
            Trouble::Unreachable("the connection was closed".to_owned())
        }
        (None, _) => Trouble::Unreachable(error.to_string()),
    }
}
