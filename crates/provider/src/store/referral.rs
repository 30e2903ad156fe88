//! Referrals as the store takes them in and hands them out.

use crate::audit::AuditEntry;
use crate::referral::cda::Facts;
use crate::referral::{Code, Reason, Wire, Wrapper};
use booking::foreign::Foreign;
use booking::ids::{OdsCode, ResourceId, ServiceId};
use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::appointment::AppointmentStatus;
use super::model::TenantKey;

/// Largest message that is kept, bytes; the table refuses more.
pub const REFERRAL_BYTES: usize = 32 << 20;

/// A message that was received whole, to be filed in one transaction.
pub struct Arrival {
    /// Id that it gets here.
    pub id: Uuid,
    /// Clock.
    pub at: Timestamp,
    /// How it was wrapped.
    pub wire: Wire,
    /// What was around the document.
    pub wrapper: Wrapper,
    /// What the document says of itself and the SHA-256 of what the message brings, or why there is none.
    pub document: Result<(Facts, [u8; 32]), Reason>,
    /// What is to be said of further documents in the same message.
    pub further: Option<String>,
    /// SHA-256 of the message.
    pub message_hash: [u8; 32],
    /// The message as received.
    pub body: Bytes,
    /// What its sender is answered when it is kept aside, for the record.
    pub refused_status: fn(Code) -> u16,
    /// What is recorded when it is filed; the store adds what became of it.
    pub entry: AuditEntry,
}

/// What became of a message. In every case it is durable when this is returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filed {
    /// Filed under this id.
    Taken {
        /// Its id here.
        id: Uuid,
        /// How it was matched with a booking; `None`: it waits on the work list.
        matched: Option<MatchedBy>,
    },
    /// The same document was filed before, under this id.
    Repeat {
        /// The id that it has.
        id: Uuid,
    },
    /// Kept aside under this id.
    Quarantined {
        /// Its id here; the earlier one when the very same message is in quarantine already.
        id: Uuid,
        /// Why.
        reason: Reason,
    },
}

/// What a document and a booking have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MatchedBy {
    /// The id of the document (REF-PRO-02).
    DocumentId = 0,
    /// The URL of the appointment (REF-PRO-06).
    Url = 1,
}

impl MatchedBy {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            MatchedBy::DocumentId => "document id",
            MatchedBy::Url => "appointment URL",
        }
    }

    pub(in crate::store) fn from_number(number: u8) -> Option<MatchedBy> {
        [MatchedBy::DocumentId, MatchedBy::Url]
            .into_iter()
            .find(|m| *m as u8 == number)
    }
}

/// Where a referral stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferralState {
    /// A live booking belongs to it.
    Linked,
    /// Its booking was cancelled: kept, but not a referral that waits to be seen (REF-PRO-07).
    Decoupled,
    /// No booking belongs to it: on the work list.
    Unmatched,
    /// Another document took its place.
    Superseded,
    /// Kept aside.
    Quarantined,
    /// Kept aside, and dealt with by an operator.
    Closed,
}

impl ReferralState {
    /// The word for people and JSON.
    pub fn word(self) -> &'static str {
        match self {
            ReferralState::Linked => "linked",
            ReferralState::Decoupled => "decoupled",
            ReferralState::Unmatched => "unmatched",
            ReferralState::Superseded => "superseded",
            ReferralState::Quarantined => "quarantined",
            ReferralState::Closed => "closed",
        }
    }
}

/// A booking that belongs to a referral, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedBooking {
    /// Appointment.
    pub id: ResourceId,
    /// Its state now.
    pub status: AppointmentStatus,
    /// Service that it is attributed to.
    pub service: ServiceId,
    /// Its start.
    pub start: Timestamp,
    /// Organisation that booked it.
    pub ods: OdsCode,
    /// Since when they belong together.
    pub linked_at: Timestamp,
    /// Until when, once the booking is cancelled.
    pub ended_at: Option<Timestamp>,
}

/// A referral without its document: nothing in it identifies a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferralRow {
    /// Its id here.
    pub id: Uuid,
    /// The tenant; `None`: it could not be told whose it is.
    pub tenant: Option<TenantKey>,
    /// When it was received.
    pub received_at: Timestamp,
    /// Where it stands.
    pub state: ReferralState,
    /// How its message is wrapped.
    pub wire: Wire,
    /// Tracking id of its message.
    pub tracking: Option<Foreign>,
    /// Service of its message.
    pub service: Option<Foreign>,
    /// Address or identity of the sender.
    pub sender: Option<Foreign>,
    /// Organisation that wrote the document.
    pub author: Option<Foreign>,
    /// Id of the document, lower case.
    pub document: Option<Foreign>,
    /// Number of its version, where it has one.
    pub version: Option<u32>,
    /// Document that it replaces.
    pub replaces: Option<Foreign>,
    /// Document that took its place.
    pub superseded_by: Option<Foreign>,
    /// The case: the document id that its bookings carry.
    pub case: Option<Foreign>,
    /// URL of the appointment as the document has it, without version.
    pub appointment_url: Option<Foreign>,
    /// When and by what it was first matched.
    pub matched: Option<(Timestamp, MatchedBy)>,
    /// Why it is in quarantine.
    pub reason: Option<Reason>,
    /// What to look at: mismatches, what was tolerated.
    pub note: Option<Foreign>,
    /// When, by whom and why it was taken off the quarantine list.
    pub closed: Option<(Timestamp, Foreign, Foreign)>,
    /// Size of its message.
    pub bytes: u64,
    /// Bookings that belong to it, or did; oldest link first.
    pub bookings: Vec<LinkedBooking>,
}

/// Which referrals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferralFilter {
    /// All.
    #[default]
    All,
    /// Filed and without any booking: the work list (REF-PRO-06).
    Unmatched,
    /// In quarantine and not dealt with.
    Quarantined,
}
