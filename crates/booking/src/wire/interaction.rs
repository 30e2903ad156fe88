//! The interactions of the Standard (`provider-api.md` section 4).

use crate::version::StandardVersion;

/// Prefix of every interaction id.
pub const URN_PREFIX: &str = "urn:nhs:names:services:careconnect:fhir:rest:";

/// One interaction of a Provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interaction {
    /// `GET metadata` (PROV-INT-01).
    Capability,
    /// `GET Slot?…` (PROV-INT-02).
    SearchSlots,
    /// `POST Appointment` (PROV-INT-03).
    Book,
    /// `GET Appointment/{id}` (PROV-INT-04).
    Read,
    /// `GET Appointment/{id}/_history/{vid}` (PROV-INT-05).
    VersionRead,
    /// `GET Appointment/{id}/_history` (PROV-INT-06).
    History,
    /// `PUT Appointment/{id}` (PROV-INT-07).
    Cancel,
    /// `GET Appointment?…` (PROV-INT-08).
    SearchAppointments,
}

macro_rules! urn {
    ($suffix:literal) => {
        concat!("urn:nhs:names:services:careconnect:fhir:rest:", $suffix)
    };
}

impl Interaction {
    /// All of them.
    pub const ALL: [Interaction; 8] = [
        Interaction::Capability,
        Interaction::SearchSlots,
        Interaction::Book,
        Interaction::Read,
        Interaction::VersionRead,
        Interaction::History,
        Interaction::Cancel,
        Interaction::SearchAppointments,
    ];

    /// A short name for logs, metrics and audit rows.
    pub fn name(self) -> &'static str {
        match self {
            Interaction::Capability => "capability",
            Interaction::SearchSlots => "search-slots",
            Interaction::Book => "book",
            Interaction::Read => "read",
            Interaction::VersionRead => "version-read",
            Interaction::History => "history",
            Interaction::Cancel => "cancel",
            Interaction::SearchAppointments => "search-appointments",
        }
    }

    /// Accepted values of `Ssp-InteractionID`; send the first.
    pub fn urns(self) -> &'static [&'static str] {
        match self {
            Interaction::Capability => &[urn!("read:metadata")],
            // D-22: the id on the wire, and the id in the directory.
            Interaction::SearchSlots => &[urn!("search:slot"), urn!("read:slot")],
            Interaction::Book => &[urn!("create:appointment")],
            Interaction::Read | Interaction::VersionRead | Interaction::History => {
                &[urn!("read:appointment")]
            }
            Interaction::Cancel => &[urn!("update:appointment")],
            Interaction::SearchAppointments => &[urn!("search:appointment")],
        }
    }

    /// Accepted suffixes after [`URN_PREFIX`]; send the first.
    pub fn suffixes(self) -> impl Iterator<Item = &'static str> {
        self.urns()
            .iter()
            .filter_map(|urn| urn.strip_prefix(URN_PREFIX))
    }

    /// The token's `requested_scope` (PROV-INT-01..08, D-23).
    pub fn scope(self) -> &'static str {
        match self {
            Interaction::Capability | Interaction::SearchSlots => "organization/slot.read",
            Interaction::Book | Interaction::Cancel => "patient/appointment.write",
            Interaction::Read
            | Interaction::VersionRead
            | Interaction::History
            | Interaction::SearchAppointments => "patient/appointment.read",
        }
    }

    /// A scope that is accepted too if the version lets writing cover reading (VER-04).
    pub fn other_scope(self, version: StandardVersion) -> Option<&'static str> {
        let read = self.scope() == "patient/appointment.read";
        (read && version.write_scope_covers_reads()).then_some("patient/appointment.write")
    }

    /// The known interaction id equal to `urn`, if it suits this interaction. Case sensitive, as the SSP is.
    pub fn matching(self, urn: &str) -> Option<&'static str> {
        self.urns().iter().find(|known| **known == urn).copied()
    }

    /// True when `urn` suits this interaction (PROV-HDR-04).
    pub fn accepts(self, urn: &str) -> bool {
        self.matching(urn).is_some()
    }

    /// True for interactions that change something and so need an `X-Request-ID` (PROV-HDR-05).
    pub fn writes(self) -> bool {
        matches!(self, Interaction::Book | Interaction::Cancel)
    }
}
