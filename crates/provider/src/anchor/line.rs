//! The format of one anchor, one line of JSON: a signed head of a provider's trail, or somebody's signed acceptance of a
//! loss.
//!
//! The signature covers [`DOMAIN`] and the line without its last member, `signature`.

use super::key::{PublicKey, SigningKey};
use crate::audit::hex;
use crate::store::AuditHead;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use booking::ids::OdsCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Signed before the line, so that a signature has no other use.
const DOMAIN: &str = "uec audit anchor 1\n";
/// Start of an anchor, also inside a log line.
const BEGINNING: &str = "{\"uec_audit\":";
/// Start of the signature.
const SIGNATURE: &str = ",\"signature\":\"";
/// Longest line read, bytes. An anchor has some 300; the reason of an acceptance has its own bound.
pub const LINE_BYTES: usize = 16 << 10;
/// Longest reason of an acceptance, in characters.
const REASON_MOST: usize = 1_000;

/// The kind of an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The trail ended here.
    Head,
    /// The trail continues from here. Somebody accepts the loss of what earlier anchors hold beyond it.
    Accepted,
}

/// The signed content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Head or acceptance.
    #[serde(rename = "uec_audit")]
    pub kind: Kind,
    /// ODS code of the provider.
    pub provider: String,
    /// Number of the row.
    pub row: i64,
    /// Hash of the row, 64 hexadecimal digits.
    pub hash: String,
    /// When it was signed.
    pub at: String,
    /// Id of the signing key.
    pub key: String,
    /// Who accepted the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Reason of the acceptance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

impl Anchor {
    /// An anchor for the head of a provider's trail.
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

    /// An acceptance: the trail continues from this head.
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

    /// The signed line, without line end.
    pub fn sign(mut self, key: &SigningKey) -> Result<String, String> {
        self.key = key.public().id();
        let mut line = serde_json::to_string(&self).map_err(|e| e.to_string())?;
        let signature = STANDARD.encode(key.sign(signed(&line).as_bytes())?);
        line.truncate(line.len() - 1);
        Ok(format!("{line}{SIGNATURE}{signature}\"}}"))
    }
}

/// A moment as it is signed: UTC, in seconds.
pub fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Removes what a terminal acts on: control characters, direction marks, zero-width characters.
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

/// A line as read; its signature is not checked yet.
pub struct Read {
    /// The content of the line.
    pub anchor: Anchor,
    text: String,
    signature: Vec<u8>,
}

/// The result of parsing a line.
pub enum Parsed {
    /// An anchor.
    Anchor(Box<Read>),
    /// An unreadable anchor.
    Damaged,
    /// Something else, such as another log line.
    Other,
}

impl Read {
    /// Whether one of the keys signed it. `None`: no key has its id.
    pub fn is_signed_by(&self, keys: &[PublicKey]) -> Option<bool> {
        let key = keys.iter().find(|key| key.id() == self.anchor.key)?;
        Some(key.has_signed(signed(&self.text).as_bytes(), &self.signature))
    }
}

/// Parses an anchor, alone or inside a log line (text or JSON).
pub fn parse(line: &str) -> Parsed {
    if let Some(at) = line.find(BEGINNING) {
        return read(&line[at..]).map_or(Parsed::Damaged, |read| Parsed::Anchor(Box::new(read)));
    }
    // Inside JSON its quotation marks are escaped.
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
