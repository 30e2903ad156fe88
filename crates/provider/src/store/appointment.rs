//! Bookings and cancellations as the store takes them in, appointments as it hands them out.

use super::model::{BookingCount, Claimed, PlacedSlot, SlotKey};
use crate::audit::AuditEntry;
use booking::ids::{Asid, NhsNumber, OdsCode, RequestId, ResourceId, ServiceId};
use booking::refusal::Refusal;
use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

/// State of an appointment. The numbers are the ones that are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AppointmentStatus {
    /// `booked`
    Booked = 0,
    /// `cancelled`
    Cancelled = 1,
}

impl AppointmentStatus {
    /// The FHIR code.
    pub fn code(self) -> &'static str {
        match self {
            AppointmentStatus::Booked => "booked",
            AppointmentStatus::Cancelled => "cancelled",
        }
    }

    pub(in crate::store) fn from_number(number: u8) -> Option<AppointmentStatus> {
        [AppointmentStatus::Booked, AppointmentStatus::Cancelled]
            .into_iter()
            .find(|s| *s as u8 == number)
    }
}

/// One version of an appointment.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredAppointment {
    /// Its id.
    pub id: ResourceId,
    /// Number of this version, from 1.
    pub version: u32,
    /// State in this version.
    pub status: AppointmentStatus,
    /// When this version was made.
    pub last_updated: Timestamp,
    /// The resource as sent.
    pub json: Bytes,
    /// The slot booked; freed again if cancelled.
    pub slot: SlotKey,
    /// Service that the booking is attributed to.
    pub service: ServiceId,
    /// System that booked it.
    pub booked_by: Asid,
}

impl StoredAppointment {
    /// When the version after this one is made: now, but never before this one, however the clock was set (D-72).
    pub fn next_at(&self, now: Timestamp) -> Timestamp {
        now.max(self.last_updated)
    }
}

/// The resource is patient data: it stays out of logs.
impl std::fmt::Debug for StoredAppointment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredAppointment")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Which appointments. Every criterion that is given must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct AppointmentFilter<'a> {
    /// Of this patient.
    pub patient: Option<&'a NhsNumber>,
    /// This one.
    pub id: Option<&'a ResourceId>,
    /// In this state.
    pub status: Option<AppointmentStatus>,
    /// Whose current version is this.
    pub version: Option<u32>,
    /// Starting at or after, to the millisecond.
    pub from: Option<Timestamp>,
    /// Starting before.
    pub before: Option<Timestamp>,
    /// Ending after.
    pub ends_after: Option<Timestamp>,
    /// Only what somebody is shown; `None`: everything.
    pub shown: Option<&'a Shown>,
}

/// What a consumer is shown where services are on trial: its own bookings, and those of some services.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The consumer's system.
    pub asid: Asid,
    /// Services of the provider.
    pub services: Vec<ServiceId>,
    /// Whether these are the services that it is shown, or those that it is not.
    pub are_shown: bool,
}

/// Where a page of appointments ended. Its text is part of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppointmentCursor {
    pub(in crate::store) live: u8,
    pub(in crate::store) start: i64,
    pub(in crate::store) key: i64,
}

impl AppointmentCursor {
    /// Reads what [`Display`](std::fmt::Display) writes.
    pub fn parse(text: &str) -> Option<AppointmentCursor> {
        let mut parts = text.split('.');
        let cursor = AppointmentCursor {
            live: parts.next()?.parse().ok()?,
            start: parts.next()?.parse().ok()?,
            key: parts.next()?.parse().ok()?,
        };
        (parts.next().is_none() && cursor.live < 2).then_some(cursor)
    }
}

impl std::fmt::Display for AppointmentCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.live, self.start, self.key)
    }
}

/// Appointments found: a page, how many there are in all, and where the page ended if there are more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAppointments {
    /// This page: live ones first, then the latest start first.
    pub page: Vec<StoredAppointment>,
    /// All that the filter finds, on whichever page.
    pub total: u64,
    /// Where the next page begins.
    pub next: Option<AppointmentCursor>,
}

/// A live booking without its resource, for work lists and for what a change of the diary would orphan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingRow {
    /// Its id.
    pub id: ResourceId,
    /// Service that it is attributed to.
    pub service: ServiceId,
    /// The slot and its diary.
    pub slot: PlacedSlot,
    /// When it was booked.
    pub booked_at: Timestamp,
    /// System that booked it.
    pub asid: Asid,
    /// Organisation that booked it.
    pub ods: OdsCode,
    /// Referral document, lower case.
    pub document: Option<String>,
}

/// An `X-Request-ID` that an earlier create or update succeeded with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedRequestId {
    /// The id.
    pub request_id: RequestId,
    /// System that sent it.
    pub asid: Asid,
    /// Organisation that sent it.
    pub ods: OdsCode,
    /// What it made or changed.
    pub appointment: ResourceId,
}

/// Who asks for a change, when, and with which words: what a booking and a cancellation have in common.
pub struct WriteRequest {
    /// The system that asks.
    pub asid: Asid,
    /// The organisation that asks.
    pub ods: OdsCode,
    /// `X-Request-ID`; `None` only from a consumer whose version lets it be left out, and from the provider's own staff.
    pub request_id: Option<RequestId>,
    /// Clock: the time of the version that the change makes.
    pub at: Timestamp,
    /// The request as received (DAT-04), kept beside that version.
    pub received: Option<Bytes>,
    /// What is recorded when the change is made; of one that is refused, the store records the refusal.
    pub entry: AuditEntry,
}

/// Counts live bookings for a rule while its transaction is open. If they cannot be counted, the answer is [`u32::MAX`],
/// which no cap allows, and the transaction fails with the store's own error.
pub type CountBookings<'c> = dyn Fn(&BookingCount<'_>) -> u32 + 'c;

/// The rule of a booking: gets the slot as it is now, or nothing if there is none, and answers the service that the booking
/// is attributed to. It is asked again when its transaction is done again.
pub type DecideBooking =
    Box<dyn Fn(Option<&PlacedSlot>, &CountBookings<'_>) -> Result<ServiceId, Refusal> + Send>;

/// The rule of a cancellation: gets the current version and returns the next one's JSON; it may be asked again.
pub type DecideCancellation = Box<dyn Fn(&StoredAppointment) -> Result<Vec<u8>, Refusal> + Send>;

/// A booking to be made in one transaction (PROV-BOOK-01).
pub struct Booking {
    /// The slot claimed; `None` when what the request names cannot be a slot of ours.
    pub slot: Option<Uuid>,
    /// Id of the appointment to be made.
    pub id: ResourceId,
    /// JSON of its version 1.
    pub json: Bytes,
    /// The patient, for the search by patient.
    pub nhs_number: Option<NhsNumber>,
    /// Referral document, lower case; `None` only from a consumer whose version lets it be left out.
    pub document_id: Option<String>,
    /// The catalogue version that the rule was read from: with another, it decides nothing. `None`: the rule reads nothing
    /// of what is declared.
    pub declared: Option<i64>,
    /// Which name of the consumer is only claimed.
    pub claimed: Claimed,
    /// Kind of the consumer, for caps per kind.
    pub kind: Option<String>,
    /// Who books.
    pub request: WriteRequest,
    /// The rule.
    pub decide: DecideBooking,
}

/// A cancellation to be made in one transaction.
pub struct Cancellation {
    /// The appointment.
    pub id: ResourceId,
    /// The version that the caller has seen.
    pub expected: u32,
    /// Who cancels.
    pub request: WriteRequest,
    /// The rule.
    pub decide: DecideCancellation,
}

/// One row of a tenant's audit trail.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1 without gaps.
    pub seq: i64,
    /// When it was written; never earlier than the row before.
    pub at: Timestamp,
    /// JSON.
    pub body: String,
    /// SHA-256 over the hash before, the number, the time and the body.
    pub hash: [u8; 32],
}

/// The end of an audit trail, or a row on the way through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditHead {
    /// Number of the row; 0: there is none.
    pub seq: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// What the check of an audit trail found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditVerdict {
    /// Every row is as it was written, every version of an appointment has its row, and is the one that it tells of.
    Verified {
        /// Rows.
        rows: i64,
        /// Hash of the last row, as 64 hexadecimal digits; written down elsewhere, it proves the trail up to here.
        head: String,
        /// Versions of appointments, each of which has its row.
        versions: u64,
        /// Those of them that were made before digests were kept, or by an older release: it was only looked at that they
        /// are there.
        before_digests: u64,
        /// Messages of referrals that were stored, each of which has its row.
        messages: u64,
        /// Those of them that were stored before digests of them were kept: only their number was compared.
        messages_before_digests: u64,
    },
    /// Something was changed, removed or put in.
    Broken {
        /// First row that is not right.
        seq: i64,
        /// What is wrong with it.
        what: String,
    },
}

/// What a checked backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Schema number.
    pub schema: i64,
    /// Tenants.
    pub tenants: u64,
    /// Slots.
    pub slots: u64,
    /// Appointments.
    pub appointments: u64,
    /// Versions of appointments.
    pub versions: u64,
    /// Audit rows, per tenant all verified.
    pub audit_rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
}
