//! The typed form of a declaration file, in which one provider declares its organisations, locations, people, services,
//! schedules, clinics, release rules and consumers.

mod calendar;
pub mod check;
pub mod closure;
mod empty;
pub mod read;
pub mod warn;

pub use super::written::{ClockTime, Minutes};
use super::written::{list, one, option, text, text_list, text_option};
use crate::store::Channel;
use booking::ids::{Asid, OdsCode, ServiceId};
use booking::version::StandardVersion;
pub use closure::Closure;
use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Default of the days ahead to fill with slots: four weeks.
pub const DEFAULT_HORIZON_DAYS: u16 = 28;
/// Most days ahead: a year and a day, so that a diary fits in memory.
pub const MAX_HORIZON_DAYS: u16 = 366;
/// Most slots of a schedule at one time: as many as a large vaccination centre has rooms. Bounds the tracks of a diary.
pub const MAX_AT_ONCE: u16 = 1_000;
/// Default of `Schedule.identifier.system`, where a file names none (RES-SCH-01).
pub const SCHEDULE_SYSTEM: &str = "urn:x-uec:schedule";

/// A whole declaration file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Declaration {
    /// The provider that declares.
    pub provider: Provider,
    /// Organisations.
    #[serde(rename = "organization", skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<Organization>,
    /// Places.
    #[serde(rename = "location", skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<Location>,
    /// People.
    #[serde(rename = "practitioner", skip_serializing_if = "Vec::is_empty")]
    pub practitioners: Vec<Practitioner>,
    /// Their roles.
    #[serde(rename = "role", skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// Release rules.
    #[serde(rename = "release", skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<Release>,
    /// Services.
    #[serde(rename = "service", skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// Diaries.
    #[serde(rename = "schedule", skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<Schedule>,
    /// Weekly clinics.
    #[serde(rename = "template", skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<Template>,
    /// One-off clinics.
    #[serde(rename = "session", skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<Session>,
    /// Days on which the provider, or a part of it, is closed.
    #[serde(rename = "closure", skip_serializing_if = "Vec::is_empty")]
    pub closures: Vec<Closure>,
    /// Imported slots.
    #[serde(rename = "slot", skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<ImportedSlot>,
    /// Consumers.
    #[serde(rename = "consumer", skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<Consumer>,
}

/// `[provider]`: the tenant itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// ODS code, the routing segment of the service root.
    #[serde(with = "one")]
    pub ods: OdsCode,
    /// Its system, `Ssp-To`.
    #[serde(with = "one")]
    pub asid: Asid,
    /// Further ASIDs of the provider's systems, where the directory lists several for one service root.
    #[serde(default, with = "list", skip_serializing_if = "Vec::is_empty")]
    pub further_asids: Vec<Asid>,
    /// Name.
    #[serde(with = "text")]
    pub name: String,
    /// Days after today to fill with slots.
    #[serde(default = "default_horizon")]
    pub horizon_days: u16,
    /// `Schedule.identifier.system`.
    #[serde(default = "default_schedule_system", with = "text")]
    pub schedule_system: String,
    /// Rights of undeclared consumers.
    #[serde(default = "all_rights")]
    pub others_may: Vec<Right>,
    /// Whether a patient without NHS number gets an identifier of this Provider (D-17).
    #[serde(default, skip_serializing_if = "is_false")]
    pub local_patient_identifiers: bool,
    /// On trial: only consumers on trial see its slots.
    #[serde(default, skip_serializing_if = "is_false")]
    pub test: bool,
}

fn default_horizon() -> u16 {
    DEFAULT_HORIZON_DAYS
}

fn default_schedule_system() -> String {
    SCHEDULE_SYSTEM.to_owned()
}

fn all_rights() -> Vec<Right> {
    Right::ALL.to_vec()
}

fn is_false(value: &bool) -> bool {
    !value
}

fn one_slot() -> u16 {
    1
}

fn is_one_slot(capacity: &u16) -> bool {
    *capacity == 1
}

/// `[[organization]]` (RES-ORG-01).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    /// FHIR id.
    #[serde(with = "one")]
    pub id: String,
    /// ODS code.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub ods: Option<OdsCode>,
    /// Name.
    #[serde(with = "text")]
    pub name: String,
    /// Telephone.
    #[serde(default, with = "text_option", skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

/// The address of an organisation or a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Lines before the town.
    #[serde(default, with = "text_list", skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// Town.
    #[serde(default, with = "text_option", skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// County.
    #[serde(default, with = "text_option", skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    /// Postcode.
    #[serde(with = "text")]
    pub postcode: String,
}

/// `[[location]]`: where patients are seen, not the head office (RES-LOC-01).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// FHIR id.
    #[serde(with = "one")]
    pub id: String,
    /// ODS site code.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub site: Option<OdsCode>,
    /// Name.
    #[serde(with = "text")]
    pub name: String,
    /// Telephone.
    #[serde(default, with = "text_option", skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The organisation that runs the place.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Address.
    pub address: Address,
}

/// `[[practitioner]]` (RES-PRA-01, RES-PRA-02).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Practitioner {
    /// FHIR id.
    #[serde(with = "one")]
    pub id: String,
    /// SDS role profile id: also the id of the practitioner's role (D-35).
    #[serde(with = "one")]
    pub role_profile: String,
    /// SDS user id.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Family name.
    #[serde(with = "text")]
    pub family: String,
    /// Given names.
    #[serde(default, with = "text_list", skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<String>,
    /// Title.
    #[serde(default, with = "text_option", skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Gender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gender: Option<Gender>,
}

/// Administrative gender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gender {
    /// `male`
    Male,
    /// `female`
    Female,
    /// `other`
    Other,
    /// `unknown`
    Unknown,
}

impl Gender {
    /// The FHIR code.
    pub fn code(self) -> &'static str {
        match self {
            Gender::Male => "male",
            Gender::Female => "female",
            Gender::Other => "other",
            Gender::Unknown => "unknown",
        }
    }
}

/// `[[role]]`: a practitioner's role (RES-ROL-01, RES-ROL-02).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// FHIR id: the practitioner's `role_profile` (D-35).
    #[serde(with = "one")]
    pub id: String,
    /// The practitioner.
    #[serde(with = "one")]
    pub practitioner: String,
    /// The organisation that they work for.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// SDS job role code, such as R0260.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its display, such as General Medical Practitioner.
    #[serde(default, with = "text_option", skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

/// `[[service]]`: a HealthcareService (RES-HCS-01 to RES-HCS-05).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// DoS service id.
    #[serde(with = "one")]
    pub id: ServiceId,
    /// Name.
    #[serde(with = "text")]
    pub name: String,
    /// The organisation that provides it.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub provided_by: Option<String>,
    /// Where the patient is seen.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Release rules for everything booked through it.
    #[serde(default, with = "list", skip_serializing_if = "Vec::is_empty")]
    pub release: Vec<String>,
    /// On trial: only consumers on trial see its slots.
    #[serde(default, skip_serializing_if = "is_false")]
    pub test: bool,
}

/// `[[schedule]]`: a diary (RES-SCH-01, RES-SCH-02).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// FHIR id.
    #[serde(with = "one")]
    pub id: String,
    /// Services that book into it; a booking belongs to the first that permits the consumer.
    #[serde(with = "list")]
    pub services: Vec<ServiceId>,
    /// The practitioner whose diary it is.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub practitioner: Option<String>,
    /// Their role; when absent, the practitioner's.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The location whose diary it is.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Identifier; when absent, the id.
    #[serde(default, with = "text_option", skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// Clinics of this diary may overlap.
    #[serde(default, skip_serializing_if = "is_false")]
    pub overlaps: bool,
}

/// `[[template]]`: a weekly clinic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Id, which its slots carry. No session has the same id.
    #[serde(with = "one")]
    pub id: String,
    /// The diary.
    #[serde(with = "one")]
    pub schedule: String,
    /// Days of the week on which it starts.
    #[serde(with = "list")]
    pub weekdays: Vec<Weekday>,
    /// Start, London wall time.
    #[serde(with = "one")]
    pub from: ClockTime,
    /// End, London wall time. Earlier than `from` means the next day.
    #[serde(with = "one")]
    pub to: ClockTime,
    /// Length of a slot.
    pub slot_minutes: u16,
    /// Slots at each time.
    #[serde(default = "one_slot", skip_serializing_if = "is_one_slot")]
    pub capacity: u16,
    /// How patients are seen; absent means unknown (PROV-SLOT-23).
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// First day.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Date>,
    /// Last day.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
    /// Its slots begin held back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
    /// Release rules for its slots.
    #[serde(default, with = "list", skip_serializing_if = "Vec::is_empty")]
    pub release: Vec<String>,
    /// Days with other hours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
}

/// Days on which a template is closed or has other hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The day, or the first.
    #[serde(with = "one")]
    pub date: Date,
    /// The last day.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// No clinic.
    #[serde(default, skip_serializing_if = "is_false")]
    pub closed: bool,
    /// A clinic also on a weekday that the template does not have.
    #[serde(default, skip_serializing_if = "is_false")]
    pub extra: bool,
    /// Start on these days.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub from: Option<ClockTime>,
    /// End on these days.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub to: Option<ClockTime>,
    /// Why, for the staff.
    #[serde(default, with = "text_option", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Exception {
    /// Whether the exception applies to this day.
    pub fn covers(&self, day: Date) -> bool {
        self.date <= day && day <= self.until.unwrap_or(self.date)
    }
}

/// `[[session]]`: a one-off clinic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Id, which its slots carry. No template has the same id.
    #[serde(with = "one")]
    pub id: String,
    /// The diary.
    #[serde(with = "one")]
    pub schedule: String,
    /// The day on which it starts.
    #[serde(with = "one")]
    pub date: Date,
    /// Start, London wall time.
    #[serde(with = "one")]
    pub from: ClockTime,
    /// End, London wall time. Earlier than `from` means the next day.
    #[serde(with = "one")]
    pub to: ClockTime,
    /// Length of a slot.
    pub slot_minutes: u16,
    /// Slots at each time.
    #[serde(default = "one_slot", skip_serializing_if = "is_one_slot")]
    pub capacity: u16,
    /// How patients are seen.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Its slots begin held back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
    /// Release rules for its slots.
    #[serde(default, with = "list", skip_serializing_if = "Vec::is_empty")]
    pub release: Vec<String>,
}

/// `[[slot]]`: a slot imported from another diary system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedSlot {
    /// UUID, used as id and identifier (RES-SLOT-02).
    #[serde(with = "one")]
    pub identifier: Uuid,
    /// The diary.
    #[serde(with = "one")]
    pub schedule: String,
    /// Start, with offset.
    #[serde(with = "one")]
    pub start: Timestamp,
    /// End, with offset.
    #[serde(with = "one")]
    pub end: Timestamp,
    /// How the patient is seen.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Begins held back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
    /// A release rule of its own.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

/// `[[release]]`: who may book, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Its name.
    #[serde(with = "one")]
    pub id: String,
    /// Only consumers of these kinds.
    #[serde(default, with = "text_list", skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Only these organisations.
    #[serde(default, with = "list", skip_serializing_if = "Vec::is_empty")]
    pub ods: Vec<OdsCode>,
    /// Only these systems.
    #[serde(default, with = "list", skip_serializing_if = "Vec::is_empty")]
    pub asids: Vec<Asid>,
    /// Most bookings a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<u32>,
    /// Which bookings the cap counts together; see [`CapPer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_per: Option<CapPer>,
    /// Bookable from this long before the start.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub embargo: Option<Minutes>,
    /// Not bookable later than this before the start.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub cutoff: Option<Minutes>,
}

/// Whose bookings a cap counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CapPer {
    /// Each consumer organisation separately.
    Consumer,
    /// All consumers of a kind together.
    Kind,
}

/// `[[consumer]]`: a calling system and its rights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// ODS code of its organisation.
    #[serde(with = "one")]
    pub ods: OdsCode,
    /// ASID of its system.
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub asid: Option<Asid>,
    /// Further organisations that the system's tokens may name.
    #[serde(default, with = "list", skip_serializing_if = "Vec::is_empty")]
    pub serves: Vec<OdsCode>,
    /// Name.
    #[serde(with = "text")]
    pub name: String,
    /// Kind of consumer, as used in release rules.
    #[serde(default, with = "text_option", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Version of the API that it follows, such as 2.0.1-beta; the current one when absent (NFR-09).
    #[serde(default, with = "option", skip_serializing_if = "Option::is_none")]
    pub standard: Option<StandardVersion>,
    /// Rights; absent means all.
    #[serde(default = "all_rights")]
    pub may: Vec<Right>,
    /// On trial: sees only services on trial.
    #[serde(default, skip_serializing_if = "is_false")]
    pub test: bool,
    /// On trial, but sees the other services too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub live_too: bool,
    /// Requests a second, in place of the server's limit; 0: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// Requests at once after a pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Requests under way at once; 0: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<u32>,
}

impl Consumer {
    /// Whether it has limits of its own.
    pub fn has_limits(&self) -> bool {
        self.per_second.is_some() || self.burst.is_some() || self.under_way.is_some()
    }

    /// Whether the tokens of its system may name this organisation.
    pub fn acts_for(&self, ods: &OdsCode) -> bool {
        self.ods == *ods || self.serves.contains(ods)
    }

    /// Key in the store: the ODS code, and the ASID if there is one.
    pub fn id(&self) -> String {
        match &self.asid {
            Some(asid) => format!("{}-{asid}", self.ods),
            None => self.ods.to_string(),
        }
    }
}

/// A right of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Search slots.
    Search,
    /// Book.
    Book,
    /// Read appointments.
    Read,
    /// Cancel.
    Cancel,
}

impl Right {
    /// All rights.
    pub const ALL: [Right; 4] = [Right::Search, Right::Book, Right::Read, Right::Cancel];
}
