//! A booking that was made.

use super::Target;
use super::appointment::Located;
use super::identity::Proven;
use crate::slots::FreeSlot;
use serde::Serialize;

/// A completed booking, proven to be the requested one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Booked {
    /// Appointment id.
    pub appointment: String,
    /// The Provider's absolute URL without version, for the clinical document (REF-CON-03).
    pub url: String,
    /// Version id.
    pub version: Option<String>,
    /// ETag to cancel with.
    pub etag: String,
    /// UUID of the clinical document that has to follow.
    pub document: String,
    /// The slot.
    pub slot: FreeSlot,
    /// True when the answer was lost and the booking was found later.
    pub recovered: bool,
    /// Whether the journal has it. If not, the user has to note the URL.
    pub recorded: bool,
    /// Minutes after the end of the timeframe, if outside it (CONS-TF-05).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside_timeframe_minutes: Option<i64>,
    /// The service and its Provider.
    #[serde(skip)]
    pub target: Target,
    /// The appointment at the service.
    #[serde(skip)]
    pub proven: Proven,
}

impl Booked {
    /// A booking that is proven, found after its answer was lost.
    pub(super) fn of(proven: Proven, document: String, slot: FreeSlot, target: &Target) -> Booked {
        let shown = proven.appointment();
        Booked {
            appointment: shown.id.clone(),
            url: shown.url.clone(),
            version: shown.version.as_ref().map(|t| t.as_received().to_owned()),
            etag: shown.etag.clone(),
            document,
            slot,
            recovered: true,
            recorded: true,
            outside_timeframe_minutes: None,
            target: target.clone(),
            proven,
        }
    }

    /// The appointment, to show or cancel it.
    pub fn located(&self) -> Option<Located> {
        Located::of_text(&self.target, &self.appointment)
    }
}
