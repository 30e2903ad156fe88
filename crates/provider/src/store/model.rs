//! What the store hands out and takes in: tenants, declared things, slots.

pub use crate::tenant_key::TenantKey;
use booking::ids::{Asid, OdsCode, ResourceId, ServiceId};
use booking::rules::book::SlotSnapshot;
use booking::slot::SlotStatus;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

/// `declared.kind` of a schedule; the store gives each of these a [`ScheduleKey`].
pub const SCHEDULE_KIND: &str = "schedule";

/// Key of a schedule in this database. A schedule that is removed and declared again has the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleKey(pub(in crate::store) i64);

/// Key of a slot in this database; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotKey(pub(in crate::store) i64);

/// A state of the whole database, as far as it can be told apart from the one before; a later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Eq, Ord)]
pub struct Revision(pub(in crate::store) u64);

macro_rules! key {
    ($name:ident) => {
        impl $name {
            /// The number, for logs and tests.
            pub fn number(self) -> i64 {
                self.0
            }
        }
    };
}
key!(TenantKey);
key!(ScheduleKey);
key!(SlotKey);

/// A provider organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRow {
    /// Its key.
    pub key: TenantKey,
    /// ODS code, the routing segment.
    pub ods: OdsCode,
    /// Its ASID.
    pub asid: Asid,
    /// Its name.
    pub name: String,
}

/// One declared thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredRow {
    /// What it is (`schedule`, `service`, …).
    pub kind: String,
    /// Its id, unique within its kind.
    pub id: String,
    /// Its place among its kind.
    pub position: i64,
    /// JSON document.
    pub body: String,
    /// Its key, for a schedule ([`SCHEDULE_KIND`]).
    pub schedule: Option<ScheduleKey>,
}

/// One change to the declared things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclaredChange {
    /// Makes or replaces.
    Put {
        /// What it is.
        kind: String,
        /// Its id.
        id: String,
        /// Its place among its kind.
        position: i64,
        /// JSON document.
        body: String,
    },
    /// Removes; slots and bookings stay.
    Remove {
        /// What it is.
        kind: String,
        /// Its id.
        id: String,
    },
}

/// A tenant and changes to its declared things, made in one transaction.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// ODS code; made if it is new.
    pub ods: OdsCode,
    /// ASID.
    pub asid: Asid,
    /// Name.
    pub name: String,
    /// The catalogue version that the changes were worked out from; if it is another by now, nothing is changed
    /// ([`StoreError::Conflict`](super::StoreError::Conflict)). `None`: whatever it is. A new tenant has 0.
    pub expected: Option<i64>,
    /// Changes in the order they are made.
    pub changes: Vec<DeclaredChange>,
    /// Clock.
    pub at: Timestamp,
}

/// What [`Store::declare`](super::Store::declare) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Key of the tenant.
    pub tenant: TenantKey,
    /// Catalogue version now; the same as before if nothing changed.
    pub version: i64,
    /// Rows made, changed or removed, the tenant's own included.
    pub changed: u32,
}

/// How the patient is seen, where it is known (PROV-SLOT-23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Channel {
    /// At the place of the service.
    InPerson = 1,
    /// By telephone.
    Telephone = 2,
    /// By video.
    Video = 3,
}

impl Channel {
    /// All channels in the order of their stored numbers.
    pub const ALL: [Channel; 3] = [Channel::InPerson, Channel::Telephone, Channel::Video];

    /// The FHIR code.
    pub fn code(self) -> &'static str {
        match self {
            Channel::InPerson => "In-person",
            Channel::Telephone => "Telephone",
            Channel::Video => "Video",
        }
    }

    /// The channel of a FHIR code.
    pub fn from_code(code: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|c| c.code() == code)
    }

    pub(in crate::store) fn from_number(number: u8) -> Option<Channel> {
        Channel::ALL.into_iter().find(|c| *c as u8 == number)
    }
}

/// A slot as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRow {
    /// Its key.
    pub key: SlotKey,
    /// Its id and identifier.
    pub uuid: Uuid,
    /// Start, to the millisecond.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// State.
    pub status: SlotStatus,
    /// Held back by staff.
    pub held: bool,
    /// How the patient is seen.
    pub channel: Option<Channel>,
    /// The template or one-off session that it was made from.
    pub template: Option<Arc<str>>,
    /// Name of a release rule of its own.
    pub release: Option<Arc<str>>,
    /// Which of the slots with this start and end in its schedule it is, from 0.
    pub track: u16,
}

/// A slot with the diary that it is in, as read inside a booking transaction and in listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedSlot {
    /// The slot.
    pub slot: SlotRow,
    /// Key of its schedule.
    pub schedule: ScheduleKey,
    /// Id of its schedule.
    pub schedule_id: String,
    /// The live booking, if there is one.
    pub booking: Option<ResourceId>,
}

impl PlacedSlot {
    /// What the rules of booking need to know of it.
    pub fn snapshot(&self) -> SlotSnapshot {
        SlotSnapshot {
            id: self.slot.uuid.to_string(),
            schedule: self.schedule_id.clone(),
            start: self.slot.start,
            end: self.slot.end,
            status: self.slot.status,
            live_booking: self.booking.is_some(),
        }
    }
}

/// Versions of the schedules' days that have or had slots, from one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotDays {
    /// Catalogue version at that moment.
    pub catalogue_version: i64,
    /// Schedule, day (since 1970-01-01 UTC), version; by schedule as asked for, then by day.
    pub days: Vec<(ScheduleKey, i32, i64)>,
}

/// A slot to be made.
#[derive(Clone, Debug)]
pub struct NewSlot {
    /// Its id; UUIDv7, so that ids are in the order of making.
    pub uuid: Uuid,
    /// Its schedule.
    pub schedule: ScheduleKey,
    /// Start.
    pub start: Timestamp,
    /// End, after the start.
    pub end: Timestamp,
    /// Held back until released.
    pub held: bool,
    /// How the patient is seen.
    pub channel: Option<Channel>,
    /// The template or one-off session that it comes from.
    pub template: Option<Arc<str>>,
    /// Name of a release rule of its own.
    pub release: Option<Arc<str>>,
    /// Which of the slots with this start and end in its schedule it is, from 0. It is what tells them apart: a slot
    /// whose schedule, start, end and track are there already is not made.
    pub track: u16,
}

/// Which slots. Every criterion that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct SlotFilter {
    /// In one of these schedules; empty: none at all, so that a mistake changes nothing.
    pub schedules: Vec<ScheduleKey>,
    /// Starting at or after.
    pub from: Option<Timestamp>,
    /// Starting before.
    pub to: Option<Timestamp>,
    /// Made from this template or session.
    pub template: Option<String>,
    /// Not made from any of these templates and sessions.
    pub other_than: Vec<String>,
    /// Not those made under this name that were held from the start and are held now.
    pub but_held_first_of: Option<String>,
    /// In this state.
    pub status: Option<SlotStatus>,
    /// Held back, or not.
    pub held: Option<bool>,
    /// One of these (at most [`super::SLOTS_PER_JOB`]); empty: any.
    pub slots: Vec<Uuid>,
}

/// How many slots of a filter are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotCounts {
    /// Free and not held back.
    pub free: u64,
    /// Free and held back.
    pub held: u64,
    /// Busy.
    pub busy: u64,
    /// Busy-unavailable, busy-tentative or entered in error.
    pub other: u64,
}

/// What [`Store::insert_slots`](super::Store::insert_slots) did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// Made.
    pub made: u64,
    /// Left alone: the schedule already has a slot of that start, end and track.
    pub existing: u64,
}

/// Which name of a consumer nothing proved when it booked: it uses up no cap of whoever bears that name (D-75).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Claimed {
    /// Both names are proven.
    #[default]
    Nothing = 0,
    /// The organisation is only claimed.
    Organization = 1,
    /// The system is only claimed.
    System = 2,
}

/// Whose bookings a cap counts.
#[derive(Clone, Copy, Debug)]
pub enum CountBy<'a> {
    /// Those made by a system, where that was proven.
    Asid(&'a Asid),
    /// Those made for an organisation, where that was proven.
    Ods(&'a OdsCode),
    /// Those made by consumers of a kind.
    Kind(&'a str),
}

/// Which live bookings a cap counts: on the London day of a slot, by somebody, narrowed to a service, template
/// or release rule.
#[derive(Clone, Copy, Debug)]
pub struct BookingCount<'a> {
    /// The day ([`london_day`]).
    pub day: i32,
    /// By whom.
    pub by: CountBy<'a>,
    /// Attributed to this service.
    pub service: Option<&'a ServiceId>,
    /// In slots of this template or session.
    pub template: Option<&'a str>,
    /// In slots with this release rule of their own.
    pub release: Option<&'a str>,
}

static LONDON: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC));

/// The Europe/London date of a moment, as days since 1970-01-01.
pub fn london_day(at: Timestamp) -> i32 {
    let local = LONDON.to_offset(at).seconds();
    i32::try_from((at.as_second() + i64::from(local)).div_euclid(86_400)).unwrap_or(i32::MAX)
}

/// The UTC date of a moment, as days since 1970-01-01.
pub fn utc_day(at: Timestamp) -> i32 {
    i32::try_from(at.as_second().div_euclid(86_400)).unwrap_or(i32::MAX)
}
