//! The trace log, one line per request (NAT-SSP-05). It names systems and organisations and hashes users. It omits URL,
//! query and body, which may identify a patient.

use super::check::SspHeaders;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use booking::ids::OdsCode;
use booking::systems::ODS_ORGANIZATION;
use booking::wire::token::MAX_TOKEN;
use http::header::{self, HeaderMap};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::time::Instant;

/// Logged status of a request whose client went away (nginx's number, as in the Spine's log).
const CLIENT_CLOSED: u16 = 499;

/// Key of the hashes, new at every start. Lines of one run can be joined, but nobody can find a user by hashing all user
/// ids.
pub struct Key([u8; 16]);

impl Key {
    /// A new key.
    pub fn new() -> Key {
        Key(uuid::Uuid::new_v4().into_bytes())
    }

    fn hash(&self, text: &str) -> String {
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update(text.as_bytes())
            .finalize();
        let mut out = String::with_capacity(16);
        for byte in digest.iter().take(8) {
            // Writing to a String cannot fail.
            let _ = write!(out, "{byte:02x}");
        }
        out
    }
}

/// The log line of one request. If it is dropped before [`Line::done`], the client went away.
pub struct Line {
    started: Instant,
    ssp: Option<SspHeaders>,
    organisation: String,
    device: String,
    user: String,
    written: bool,
}

impl Line {
    /// Starts a line from the token's claims, unchecked; checking is the Provider's part.
    pub fn new(key: &Key, headers: &HeaderMap) -> Line {
        let claims = claims(headers).unwrap_or(Value::Null);
        let organisation = claims["requesting_organization"]["identifier"]
            .as_array()
            .and_then(|all| all.iter().find(|i| i["system"] == ODS_ORGANIZATION))
            .and_then(|i| i["value"].as_str())
            .and_then(|code| OdsCode::parse(code).ok());
        let hashed = |value: &Value| value.as_str().map_or("-".to_owned(), |v| key.hash(v));
        Line {
            started: Instant::now(),
            ssp: None,
            organisation: organisation.map_or("-".to_owned(), |o| o.to_string()),
            device: hashed(&claims["requesting_device"]["identifier"][0]["value"]),
            user: hashed(&claims["sub"]),
            written: false,
        }
    }

    /// Adds the valid SSP headers.
    pub fn ssp(&mut self, ssp: &SspHeaders) {
        self.ssp = Some(ssp.clone());
    }

    /// Writes the line.
    pub fn done(mut self, status: u16, why: &str) {
        self.write(status, why);
    }

    fn write(&mut self, status: u16, why: &str) {
        if std::mem::replace(&mut self.written, true) {
            return;
        }
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (trace, from, to, interaction) = match &self.ssp {
            Some(ssp) => (
                ssp.trace_id.as_str(),
                ssp.from.as_str(),
                ssp.to.as_str(),
                ssp.interaction.as_str(),
            ),
            None => ("-", "-", "-", "-"),
        };
        tracing::info!(
            trace,
            from,
            to,
            interaction,
            status,
            micros,
            organisation = self.organisation,
            device = self.device,
            user = self.user,
            why,
            "relayed"
        );
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.write(CLIENT_CLOSED, "the client closed the connection");
    }
}

/// The claims of a bearer token, unchecked.
fn claims(headers: &HeaderMap) -> Option<Value> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.len() > MAX_TOKEN {
        return None;
    }
    let payload = token.trim().split('.').nth(1)?.trim_end_matches('=');
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}
