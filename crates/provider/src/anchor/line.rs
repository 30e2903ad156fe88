//! One anchor as one line of JSON: the head of a provider's trail, signed; or the signed word of somebody that a loss is
//! known and accepted.
//!
//! The signature is over [`DOMAIN`] and the line without its last member, `signature`.

use super::key::{PublicKey, SigningKey};
use crate::audit::hex;
use crate::store::AuditHead;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use booking::ids::OdsCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is signed before the line, so that a signature means nothing else.
const DOMAIN: &str = "uec audit anchor 1\n";
/// How an anchor begins, also within the line of a log.
const BEGINNING: &str = "{\"uec_audit\":";
/// Where the signature begins.
const SIGNATURE: &str = ",\"signature\":\"";
/// Longest line that is read: an anchor has some 300 bytes, the reason of an acceptance has its own bound.
pub const LINE_BYTES: usize = 16 << 10;
/// Longest reason of an acceptance, in characters.
const REASON_MOST: usize = 1_000;

/// What an anchor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The trail ended here.
    Head,
    /// The trail goes on from here; what anchors before it say beyond is lost, and somebody knows.
    Accepted,
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// What it says.
    #[serde(rename = "uec_audit")]
    pub kind: Kind,
    /// ODS code of the provider.
    pub provider: String,
    /// Number of the row.
    pub row: i64,
    /// Its hash, 64 hexadecimal digits.
    pub hash: String,
    /// When it was signed.
    pub at: String,
    /// Id of the key.
    pub key: String,
    /// Who accepted the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

impl Anchor {
    /// The head of a provider's trail.
    pub fn head(provider: &str, head: &AuditHead, at: Timestamp) -> Anchor {
        Anchor {
            kind: Kind::Head,
            provider: provider.to_owned(),
            row: head.seq,
            hash: hex(&head.hash),
            at: shown(at),
            key: String::new(),
            by: None,
            because: None,
        }
    }

    /// The word of somebody that the trail goes on from this head.
    pub fn accepted(
        provider: &str,
        head: &AuditHead,
        at: Timestamp,
        by: &str,
        because: &str,
    ) -> Anchor {
        Anchor {
            kind: Kind::Accepted,
            by: Some(plain(by)),
            because: Some(plain(because)),
            ..Anchor::head(provider, head, at)
        }
    }

    /// The line, signed, without an end of line.
    pub fn sign(mut self, key: &SigningKey) -> Result<String, String> {
        self.key = key.public().id();
        let mut line = serde_json::to_string(&self).map_err(|e| e.to_string())?;
        let signature = STANDARD.encode(key.sign(signed(&line).as_bytes())?);
        line.truncate(line.len() - 1);
        Ok(format!("{line}{SIGNATURE}{signature}\"}}"))
    }
}

/// A moment as it is signed: UTC, to the second.
pub fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A text without what a terminal acts on: control characters, marks of direction, characters of no width.
fn plain(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars()
        .filter(|c| !acts(*c))
        .take(REASON_MOST)
        .collect()
}

fn signed(line: &str) -> String {
    format!("{DOMAIN}{line}")
}

/// A line as it was read, not yet believed.
pub struct Read {
    /// What it says.
    pub anchor: Anchor,
    text: String,
    signature: Vec<u8>,
}

/// What became of a line.
pub enum Parsed {
    /// It is an anchor.
    Anchor(Box<Read>),
    /// It was meant to be one, and cannot be read.
    Damaged,
    /// It is something else, such as another line of a log.
    Other,
}

impl Read {
    /// Whether one of the keys signed it: `None` when none of them has its id.
    pub fn is_signed_by(&self, keys: &[PublicKey]) -> Option<bool> {
        let key = keys.iter().find(|key| key.id() == self.anchor.key)?;
        Some(key.has_signed(signed(&self.text).as_bytes(), &self.signature))
    }
}

/// Reads a line: an anchor alone, or one in the line of a log, as text or JSON.
pub fn parse(line: &str) -> Parsed {
    if let Some(at) = line.find(BEGINNING) {
        return read(&line[at..]).map_or(Parsed::Damaged, |read| Parsed::Anchor(Box::new(read)));
    }
    // Within JSON its quotation marks are escaped.
    #[derive(Deserialize)]
    struct Logged {
        anchor: String,
    }
    match serde_json::from_str::<Logged>(line) {
        Ok(logged) if logged.anchor.starts_with(BEGINNING) => parse(&logged.anchor),
        _ if line.contains("\\\"uec_audit\\\"") => Parsed::Damaged,
        _ => Parsed::Other,
    }
}

fn read(text: &str) -> Option<Read> {
    let (before, after) = text.split_once(SIGNATURE)?;
    let (signature, _) = after.split_once("\"}")?;
    let text = format!("{before}}}");
    let anchor: Anchor = serde_json::from_str(&text).ok()?;
    let texts = [anchor.by.as_deref(), anchor.because.as_deref()];
    let is_whole = anchor.row >= 0
        && OdsCode::parse(&anchor.provider).is_ok()
        && anchor.key.len() == 16
        && anchor.key.bytes().all(|b| b.is_ascii_hexdigit())
        && texts.into_iter().flatten().all(|text| *text == plain(text))
        && anchor.at.parse::<Timestamp>().is_ok()
        && anchor.hash.len() == 64
        && anchor.hash.bytes().all(|b| b.is_ascii_hexdigit());
    let signature = STANDARD.decode(signature).ok()?;
    is_whole.then_some(Read {
        anchor,
        text,
        signature,
    })
}
