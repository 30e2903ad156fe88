//! A booking in the journal: how it ended, what it took the place of, and what is known of it later.

use super::rows::State;
use crate::plan::book::SlotClaim;
use booking::foreign::Foreign;
use booking::ids::NhsNumber;
use jiff::Timestamp;
use serde::Serialize;
use std::fmt;

/// A booking that is about to be asked for.
#[derive(Clone)]
pub struct BookingRow {
    /// UUID of the clinical document.
    pub document: String,
    /// Encounter.
    pub encounter: String,
    /// DoS service id.
    pub service: String,
    /// ASID of the Provider.
    pub asid: String,
    /// Its service root.
    pub root: String,
    /// `X-Request-ID`
    pub request_id: String,
    /// The patient.
    pub nhs_number: Option<NhsNumber>,
    /// The slot as it is sent.
    pub claim: SlotClaim,
    /// Start of the slot.
    pub start: Timestamp,
    /// End of the slot.
    pub end: Timestamp,
    /// When it is asked for: also the time inside the message.
    pub at: Timestamp,
    /// Digest of the document id and the details, by which a repeat of the same wish is known.
    pub details_digest: Option<String>,
    /// The appointment that this one takes the place of.
    pub replaces: Option<Replaced>,
    /// What the user was shown of the slot.
    pub told: Told,
    /// Minutes after the end of the timeframe.
    pub outside_minutes: Option<i64>,
    /// Who approved a slot outside the timeframe.
    pub approver: Option<String>,
    /// Whether the patient agreed to it.
    pub patient_agreed: Option<bool>,
}

/// Which other bookings of the same patient a new one may stand beside (CONS-REB-04).
pub struct Others {
    /// The documents of those that the user knows of.
    pub known: Vec<String>,
    /// Tells those of the patient among all that have the same NHS number, or none.
    pub theirs: Box<dyn Fn(&KnownBooking) -> bool + Send>,
}

/// Whether a booking may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is in the journal.
    Yes,
    /// The patient has another one, or may have it, of which the user does not know. Nothing was kept.
    Other(Box<KnownBooking>),
}

/// What a user was shown of a slot: kept so that later lists say the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The service's name.
    #[serde(rename = "service_name", skip_serializing_if = "Option::is_none")]
    pub service: Option<Foreign>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Foreign>,
    /// With whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clinician: Option<Foreign>,
}

/// The appointment that a new booking takes the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Appointment id.
    pub appointment: String,
    /// DoS service id.
    pub service: String,
    /// Document id, if the appointment names one.
    pub document: Option<String>,
}

/// How a booking ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// State.
    pub state: State,
    /// Appointment id.
    pub appointment: Option<String>,
    /// Absolute URL without version.
    pub url: Option<String>,
    /// Version id.
    pub version: Option<String>,
    /// ETag as it came.
    pub etag: Option<String>,
    /// What the service said that differs from what was asked, when that leaves it open.
    pub open_question: Option<String>,
    /// When.
    pub at: Timestamp,
    /// When the request was made of which this is known. One that was made later, by another program too, is not settled
    /// by it as not booked.
    pub asked_at: Option<Timestamp>,
}

impl Settled {
    /// An end that gives no appointment.
    pub fn without_appointment(state: State, open_question: Option<String>) -> Settled {
        Settled {
            state,
            appointment: None,
            url: None,
            version: None,
            etag: None,
            open_question,
            at: Timestamp::now(),
            asked_at: None,
        }
    }
}

/// A booking that this Consumer made.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct KnownBooking {
    /// UUID of its clinical document.
    pub document: String,
    /// Encounter in which it was made.
    pub encounter: String,
    /// DoS service id.
    pub service: String,
    /// ASID of the Provider.
    pub asid: String,
    /// Service root of the Provider.
    #[serde(skip)]
    pub root: String,
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// What became of it.
    pub state: State,
    /// Appointment id.
    pub appointment: Option<String>,
    /// Absolute URL.
    pub url: Option<String>,
    /// ETag of the last version seen.
    #[serde(skip)]
    pub etag: Option<String>,
    /// Document id of the booking that this one took the place of.
    pub replaces: Option<String>,
    /// The patient; never printed.
    #[serde(skip)]
    pub nhs_number: Option<NhsNumber>,
    /// Slot id.
    pub slot: String,
    /// Value of the slot's identifier.
    #[serde(skip)]
    pub slot_identifier: Option<String>,
    /// The slot as it was sent, when that is known.
    #[serde(skip)]
    pub claim: Option<SlotClaim>,
    /// `X-Request-ID` of the booking.
    #[serde(skip)]
    pub request_id: String,
    /// When it was asked for last.
    pub requested_at: Timestamp,
    /// The time inside the message.
    #[serde(skip)]
    pub written_at: Timestamp,
    /// Digest of the document id and the details.
    #[serde(skip)]
    pub details_digest: Option<String>,
    /// What the service said that differs from what was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_question: Option<String>,
    /// The appointment and its service that this one takes the place of.
    #[serde(skip)]
    pub old: Option<(String, String)>,
    /// True while the old appointment has not been dealt with.
    #[serde(skip)]
    pub rebook_open: bool,
    /// What the user was shown of the slot.
    #[serde(flatten)]
    pub told: Told,
    /// Who cancelled it, when that was kept: a user's id, or [`ELSEWHERE`].
    #[serde(skip)]
    pub cancelled_by: Option<String>,
    /// False while no byte of the request for it can have left this machine, so that it cannot have been made.
    #[serde(skip)]
    pub may_have_left: bool,
}

/// Who cancelled an appointment of which only its service says that it is cancelled (D-78).
pub const ELSEWHERE: &str = "elsewhere";

impl KnownBooking {
    /// Whether its service says that it is cancelled, while it was not cancelled from here.
    pub fn is_said_cancelled(&self) -> bool {
        self.state == State::Cancelled && self.cancelled_by.as_deref() == Some(ELSEWHERE)
    }

    /// The same row, after its service showed that one stands of which it had said that it is cancelled.
    pub fn stands_after_all(&mut self) {
        if self.is_said_cancelled() {
            self.state = State::Booked;
            self.cancelled_by = None;
        }
    }

    /// Whether it is not known if it was made.
    pub fn is_unsettled(&self) -> bool {
        matches!(self.state, State::Requested | State::Unknown)
    }
}

impl fmt::Debug for KnownBooking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownBooking")
            .field("document", &self.document)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
