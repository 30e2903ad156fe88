//! Whether two commands wish for the same booking: a digest of the details, kept with each (D-53).

use crate::journal::KnownBooking;
use crate::plan::BookingDetails;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A digest of what is wished for a booking, different for every document: it tells whether a later command asks for
/// the same, also for a patient without NHS number, and gives nothing away.
pub(super) fn digest(document: &str, details: &BookingDetails) -> String {
    let mut digest = Sha256::new();
    digest.update(document.to_ascii_lowercase());
    // Serialising these types cannot fail; an empty text would only make a repeat a new wish.
    digest.update(serde_json::to_vec(details).unwrap_or_default());
    let mut text = String::with_capacity(64);
    for byte in digest.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether an earlier booking was for the same patient with the same details.
pub fn is_same_wish(known: &KnownBooking, details: &BookingDetails) -> bool {
    known.details_digest.as_deref() == Some(digest(&known.document, details).as_str())
}
