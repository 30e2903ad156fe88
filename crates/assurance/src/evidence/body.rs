//! The body of a message as evidence: bounded, and readable where it is text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// The most bytes kept of one body. A Bundle of 500 slots with all its includes is about 1 MB; beyond it a body is
/// either a fault or an attack, and its start tells enough.
pub const BODY_KEPT: usize = 2 * 1024 * 1024;

/// What was kept of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    bytes: Vec<u8>,
    length: u64,
    coded: Option<Coded>,
}

/// How a body was coded on the wire, when what is kept is the decoded form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coded {
    /// The content coding: `gzip`.
    pub coding: String,
    /// Bytes on the wire.
    pub length: u64,
}

impl Body {
    /// Keeps the first [`BODY_KEPT`] bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Body {
        let mut bytes = bytes.into();
        let length = bytes.len() as u64;
        bytes.truncate(BODY_KEPT);
        Body {
            bytes,
            length,
            coded: None,
        }
    }

    /// The start of a body that was not read to its end; `length` is what it said or what was seen of it.
    pub fn part(bytes: impl Into<Vec<u8>>, length: u64) -> Body {
        let body = Body::new(bytes);
        Body {
            length: length.max(body.length),
            ..body
        }
    }

    /// Says that on the wire it was coded, and how long it was there.
    #[must_use]
    pub fn was_coded(mut self, coding: &str, length: u64) -> Body {
        self.coded = Some(Coded {
            coding: coding.to_owned(),
            length,
        });
        self
    }

    /// What was kept, decoded.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The length of the whole (decoded) body.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// True if less was kept than there was.
    pub fn is_cut(&self) -> bool {
        self.length > self.bytes.len() as u64
    }

    /// How it was coded on the wire, if it was.
    pub fn coded(&self) -> Option<&Coded> {
        self.coded.as_ref()
    }

    /// True if there was none.
    pub fn is_empty(&self) -> bool {
        self.length == 0 && self.coded.is_none()
    }

    /// The text; none if it is not UTF-8. A character cut in two at the bound is left out.
    pub fn text(&self) -> Option<&str> {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => Some(text),
            Err(error) if self.is_cut() && error.error_len().is_none() => {
                std::str::from_utf8(self.bytes.get(..error.valid_up_to())?).ok()
            }
            Err(_) => None,
        }
    }

    /// The same body with other content, as redaction leaves it.
    pub(super) fn rewritten(&self, bytes: Vec<u8>) -> Body {
        let cut = self.is_cut();
        let kept = bytes.len() as u64;
        // A cut body stays one that is longer than what was kept.
        let length = if cut { self.length.max(kept + 1) } else { kept };
        Body {
            bytes,
            length,
            coded: self.coded.clone(),
        }
    }
}

/// The form in a file.
#[derive(Serialize, Deserialize)]
struct Written {
    length: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    coded: Option<Coded>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(&self.bytes).ok();
        Written {
            length: self.length,
            coded: self.coded.clone(),
            text: text.map(str::to_owned),
            base64: text.is_none().then(|| STANDARD.encode(&self.bytes)),
        }
        .serialize(out)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Body, D::Error> {
        let written = Written::deserialize(input)?;
        let bytes = match (written.text, written.base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(coded)) => STANDARD.decode(coded).map_err(D::Error::custom)?,
            (None, None) => Vec::new(),
            (Some(_), Some(_)) => {
                return Err(D::Error::custom("a body is text or base64, not both"));
            }
        };
        let body = Body::part(bytes, written.length);
        Ok(Body {
            coded: written.coded,
            ..body
        })
    }
}
