//! The states of a Slot.

use std::fmt;

/// `Slot.status` (STU3 slotstatus). The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum SlotStatus {
    /// Bookable.
    Free = 0,
    /// Taken.
    Busy = 1,
    /// Not bookable.
    BusyUnavailable = 2,
    /// Taken provisionally.
    BusyTentative = 3,
    /// Made in error.
    EnteredInError = 4,
}

impl SlotStatus {
    /// All states in the order of their numbers.
    pub const ALL: [SlotStatus; 5] = [
        SlotStatus::Free,
        SlotStatus::Busy,
        SlotStatus::BusyUnavailable,
        SlotStatus::BusyTentative,
        SlotStatus::EnteredInError,
    ];

    /// The FHIR code.
    pub fn code(self) -> &'static str {
        match self {
            SlotStatus::Free => "free",
            SlotStatus::Busy => "busy",
            SlotStatus::BusyUnavailable => "busy-unavailable",
            SlotStatus::BusyTentative => "busy-tentative",
            SlotStatus::EnteredInError => "entered-in-error",
        }
    }

    /// Whether it can be booked.
    pub fn is_free(self) -> bool {
        self == SlotStatus::Free
    }

    /// The state of a FHIR code; codes are case sensitive.
    pub fn from_code(code: &str) -> Option<SlotStatus> {
        SlotStatus::ALL.into_iter().find(|s| s.code() == code)
    }

    /// The state of a stored number.
    pub fn from_number(number: u8) -> Option<SlotStatus> {
        SlotStatus::ALL.get(usize::from(number)).copied()
    }

    /// The number that is stored.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for SlotStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
