//! Tracks which changes at services are under way, for a process that is stopped in the middle (D-53).

use super::Journey;
use jiff::Timestamp;
use std::sync::{MutexGuard, PoisonError};

/// A changing request without an answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PendingChange {
    /// A booking, with the id of its document.
    Booking(String),
    /// A cancellation, with the id of the appointment.
    Cancellation(String),
    /// A clinical document. True when a repeat is the same document and so does no harm.
    Referral(bool),
}

/// The changes sent so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// True when another change was sent before the current one.
    pub sent: bool,
    /// The change without a certain answer.
    pub on_its_way: Option<PendingChange>,
    /// The document of the completed booking.
    pub booked: Option<String>,
}

impl Journey {
    /// The progress so far.
    pub fn progress(&self) -> Progress {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Progress> {
        let progress = self.inner.progress.lock();
        progress.unwrap_or_else(PoisonError::into_inner)
    }

    /// The progress at a stop. A booking that has not begun to leave is settled as never made, so that it cannot leave
    /// later; it is then no longer under way.
    pub async fn stopped(&self) -> Progress {
        let mut progress = self.progress();
        if let Some(PendingChange::Booking(document)) = &progress.on_its_way {
            let never = self.journal().not_sent(document, Timestamp::now()).await;
            if matches!(never, Ok(true)) {
                progress.on_its_way = None;
            }
        }
        progress
    }

    /// Records the next change before it leaves.
    pub fn leaves(&self, request: PendingChange) {
        let mut progress = self.locked();
        progress.sent |= progress.on_its_way.is_some();
        progress.on_its_way = Some(request);
    }

    /// Records that the change was answered, with the document of the booking if one was made.
    pub fn arrived(&self, booked: Option<&str>) {
        let mut progress = self.locked();
        progress.sent |= progress.on_its_way.take().is_some();
        if let Some(document) = booked {
            progress.booked = Some(document.to_owned());
        }
    }
}
