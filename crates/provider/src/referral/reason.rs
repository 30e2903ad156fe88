//! Why a message is not taken, with the ITK code for its sender.

use booking::foreign::visible_text;
use std::fmt;

/// Longest reason, characters.
const MAX_TEXT: usize = 500;

/// ITK error codes (code system 2.16.840.1.113883.2.1.3.2.4.17.268).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Malformed or incomplete. The same message will never be taken.
    Invalid,
    /// A fault on this side. The same message may be taken later.
    Retryable,
    /// Well-formed, but refused.
    Refused,
    /// The sender is unknown.
    Denied,
}

impl Code {
    /// The number on the wire.
    pub fn number(self) -> &'static str {
        match self {
            Code::Invalid => "1000",
            Code::Retryable => "2100",
            Code::Refused => "2200",
            Code::Denied => "3000",
        }
    }

    /// The meaning, after ITK's wording.
    pub fn meaning(self) -> &'static str {
        match self {
            Code::Invalid => "Invalid message",
            Code::Retryable => "Processing error, send again",
            Code::Refused => "Processing error, do not send again",
            Code::Denied => "Access denied",
        }
    }

    /// The code of a stored number.
    pub fn from_number(number: &str) -> Option<Code> {
        [Code::Invalid, Code::Retryable, Code::Refused, Code::Denied]
            .into_iter()
            .find(|c| c.number() == number)
    }
}

/// Why a message is not taken, for its sender, the operator and the audit trail. Holds no patient data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Kind of the fault.
    pub code: Code,
    /// What is wrong and what would be right.
    pub text: String,
}

impl Reason {
    /// A malformed message.
    pub fn invalid(text: impl Into<String>) -> Reason {
        Reason::new(Code::Invalid, text)
    }

    /// A well-formed message that is refused.
    pub fn refused(text: impl Into<String>) -> Reason {
        Reason::new(Code::Refused, text)
    }

    /// A reason of any kind.
    pub fn new(code: Code, text: impl Into<String>) -> Reason {
        let text: String = text.into();
        Reason {
            code,
            text: match text.char_indices().nth(MAX_TEXT) {
                Some((end, _)) => text[..end].to_owned(),
                None => text,
            },
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text may quote identifiers of the message.
        f.write_str(&visible_text(&self.text))
    }
}

/// Text of the message for a reason, at most 80 printable ASCII characters. Callers pass names of
/// elements and identifiers, never a patient's data.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 80;
    text.chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(MOST)
        .collect()
}
