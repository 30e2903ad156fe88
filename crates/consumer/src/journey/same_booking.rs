//! Compares the wishes of two commands: whether they want the same booking, by a digest of the details (D-53), and whether
//! they book for the same patient at the same time (CONS-REB-04).

use super::{Consultation, faults};
use crate::journal::{BookingRow, Kept, KnownBooking, Others};
use crate::obstacle::Obstacle;
use crate::plan::BookingDetails;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A digest of a wished booking, different for every document. It tells whether a later command wants the same, also for a
/// patient without NHS number, and reveals nothing.
pub(super) fn digest(document: &str, details: &BookingDetails) -> String {
    let mut digest = Sha256::new();
    digest.update(document.to_ascii_lowercase());
    // Serialising these types cannot fail. An empty text would only turn a repeat into a new wish.
    digest.update(serde_json::to_vec(details).unwrap_or_default());
    let mut text = String::with_capacity(64);
    for byte in digest.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether a booking of the journal is for the patient in these details: by NHS number, or without one by the same details.
pub fn is_theirs(known: &KnownBooking, details: &BookingDetails) -> bool {
    match details.patient.number() {
        Some(number) => known.nhs_number.as_ref() == Some(&number),
        None => is_same_booking(known, details),
    }
}

/// Whether an earlier booking was for the same patient with the same details.
pub fn is_same_booking(known: &KnownBooking, details: &BookingDetails) -> bool {
    known.details_digest.as_deref() == Some(digest(&known.document, details).as_str())
}

impl Consultation {
    /// Records a booking before it leaves, unless another command has meanwhile requested one for this patient.
    pub(super) async fn requested(
        &self,
        row: BookingRow,
        details: &BookingDetails,
    ) -> Result<(), Obstacle> {
        let others = self.known.clone().map(|known| {
            let details = details.clone();
            Others {
                known,
                theirs: Box::new(move |row| is_theirs(row, &details)),
            }
        });
        match self.journal().requested(row, others).await {
            Ok(Kept::Yes) => Ok(()),
            Ok(Kept::Other(other)) => Err(faults::other_booking(&other.document)),
            Err(error) => Err(faults::journal(error)),
        }
    }
}
