//! The interactions of the Standard (`provider-api.md` section 4).

use crate::version::StandardVersion;

/// Every interaction id starts so.
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

    /// The interaction ids accepted in `Ssp-InteractionID`, the one to send first.
    pub fn urns(self) -> &'static [&'static str] {
        match self {
            Interaction::Capability => &[urn!("read:metadata")],
            // D-22: the wire id, and the one that the directory knows.
            Interaction::SearchSlots => &[urn!("search:slot"), urn!("read:slot")],
            Interaction::Book => &[urn!("create:appointment")],
            Interaction::Read | Interaction::VersionRead | Interaction::History => {
                &[urn!("read:appointment")]
            }
            Interaction::Cancel => &[urn!("update:appointment")],
            Interaction::SearchAppointments => &[urn!("search:appointment")],
        }
    }

    /// The accepted suffixes behind [`URN_PREFIX`], the one to send first.
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

    /// Another scope that does as well where a version says that writing covers reading (VER-04).
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

    /// True for the interactions that change something: they need an `X-Request-ID` (PROV-HDR-05).
    pub fn writes(self) -> bool {
        matches!(self, Interaction::Book | Interaction::Cancel)
    }
}
