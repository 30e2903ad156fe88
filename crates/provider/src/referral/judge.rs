//! Decides what becomes of a document from what is stored. Pure; the caller's transaction reads and writes.

use super::cda::Facts;
use super::reason::Reason;

/// A stored document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
}

/// A stored document that the new one replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// A booking names it, or named it before it was cancelled.
    pub linked: bool,
}

/// What the tenant has stored, read in the transaction that files the new document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// The document with the same tracking id.
    pub tracking: Option<Earlier>,
    /// The document with the same document id.
    pub document: Option<Earlier>,
    /// The document named by `relatedDocument`, or another one of the same set.
    pub replaced: Option<Replaced>,
}

/// The decision about a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// File it, and mark the document that it replaces, if any, as superseded.
    Take,
    /// It is filed already, byte for byte: acknowledge it, but do not file it again.
    Repeat,
    /// Keep it in quarantine and tell its sender why.
    Quarantine(Reason),
}

/// Judges a readable document.
pub fn judge(before: &Before, facts: &Facts, hash: &[u8; 32]) -> Verdict {
    if let Some(earlier) = before.document {
        return match earlier.hash == *hash {
            true => Verdict::Repeat,
            false => Verdict::Quarantine(Reason::refused(
                "A document with this id, but other content, was received before; a document that was sent is never \
                 changed. Send another document under an id of its own.",
            )),
        };
    }
    if before.tracking.is_some() {
        return Verdict::Quarantine(Reason::refused(
            "A message with this tracking id, but another document, was received before; every message has a tracking \
             id of its own, a repeat is the same message.",
        ));
    }
    match before.replaced {
        // REF-CON-05
        Some(Replaced { linked: true }) => Verdict::Quarantine(Reason::refused(
            "This document replaces one that is linked to a booking, which is not allowed. Cancel the booking, book \
             again, and send a new document under a new id that replaces nothing.",
        )),
        None if facts.replaces.as_deref() == Some(facts.id.as_str()) => Verdict::Quarantine(
            Reason::invalid("The document says that it replaces itself."),
        ),
        _ => Verdict::Take,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            id: "7c1d3b0a-52c6-4f2e-9a41-0d5a6d1f2b33".into(),
            set_id: None,
            version: None,
            replaces: None,
            nhs_number: None,
            appointment: None,
            case_numbers: Vec::new(),
            author: None,
            recipients: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Proves: REF-CON-05, REF-PRO-01
    #[test]
    fn every_case_of_the_table() {
        let (same, other) = ([1; 32], [2; 32]);
        let earlier = |hash| Some(Earlier { hash });
        let judged = |before: Before| judge(&before, &facts(), &same);
        assert_eq!(judged(Before::default()), Verdict::Take);
        let repeat = Before {
            document: earlier(same),
            tracking: earlier(same),
            replaced: None,
        };
        assert_eq!(judged(repeat), Verdict::Repeat);
        let linked = Some(Replaced { linked: true });
        // A replacement that was taken before its predecessor was linked may be repeated.
        assert_eq!(
            judged(Before {
                replaced: linked,
                ..repeat
            }),
            Verdict::Repeat
        );
        for refused in [
            Before {
                document: earlier(other),
                ..Before::default()
            },
            Before {
                tracking: earlier(other),
                ..Before::default()
            },
            Before {
                replaced: linked,
                ..Before::default()
            },
        ] {
            assert!(
                matches!(judged(refused), Verdict::Quarantine(_)),
                "{refused:?}"
            );
        }
        let free = Before {
            replaced: Some(Replaced { linked: false }),
            ..Before::default()
        };
        assert_eq!(judged(free), Verdict::Take);
    }
}
