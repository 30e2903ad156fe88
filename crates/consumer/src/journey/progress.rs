//! How far this process has come with what it changes at services, for whoever has to stop it in the middle (D-53).

use super::Journey;
use jiff::Timestamp;
use std::sync::{MutexGuard, PoisonError};

/// A request that changes something and whose end is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnItsWay {
    /// A booking; the id of its document.
    Booking(String),
    /// The cancellation of an appointment; its id.
    Cancellation(String),
    /// A clinical document. True when a repeat is the same document, so that it does no harm.
    Referral(bool),
}

/// What was sent so far, and what is still open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Something that changes something was sent before what is on its way.
    pub sent: bool,
    /// What nobody has answered for certain yet.
    pub on_its_way: Option<OnItsWay>,
    /// The document of the booking that was made.
    pub booked: Option<String>,
}

impl Journey {
    /// How far it has come.
    pub fn progress(&self) -> Progress {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Progress> {
        let progress = self.inner.progress.lock();
        progress.unwrap_or_else(PoisonError::into_inner)
    }

    /// How far it has come when it is stopped. A booking that has not begun to leave is settled as never made, which stops
    /// it from leaving later, and is not on its way.
    pub async fn stopped(&self) -> Progress {
        let mut progress = self.progress();
        if let Some(OnItsWay::Booking(document)) = &progress.on_its_way {
            let never = self.journal().not_sent(document, Timestamp::now()).await;
            if matches!(never, Ok(true)) {
                progress.on_its_way = None;
            }
        }
        progress
    }

    /// Says what leaves now, before it does.
    pub fn leaves(&self, request: OnItsWay) {
        let mut progress = self.locked();
        progress.sent |= progress.on_its_way.is_some();
        progress.on_its_way = Some(request);
    }

    /// Says that the last one is answered, with the document of the booking if it was made.
    pub fn arrived(&self, booked: Option<&str>) {
        let mut progress = self.locked();
        progress.sent |= progress.on_its_way.take().is_some();
        if let Some(document) = booked {
            progress.booked = Some(document.to_owned());
        }
    }
}
