//! Reads the free slots for a user from any conformant answer to a slot search: with or without included resources,
//! whatever the form of references, and with unrequested content (CONS-SLOT-04..09).

mod bundle;
mod describe;
mod paging;
mod times;
mod unreadable;

pub use bundle::{MAX_SLOTS, SearchPages};
pub(crate) use bundle::{envelope_modifier, modifier};
pub use describe::human_name;
pub use paging::next_tail;
pub(crate) use paging::{is_next, page_key, same_host};
pub use times::{counted, day, day_and_time, span, time};
pub use unreadable::{Unreadable, Why};

use crate::plan::book::SlotClaim;
use booking::foreign::Foreign;
use jiff::Timestamp;
use serde::Serialize;
use std::fmt;

/// How the patient is seen; absent if the Provider did not say (CONS-SLOT-07).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// Face to face.
    InPerson,
    /// By telephone.
    Telephone,
    /// By video.
    Video,
    /// A code that the Standard does not list, as received.
    Other(Foreign),
}

impl Channel {
    /// The channel of a code.
    pub fn from_code(code: &str) -> Channel {
        match code.to_ascii_lowercase().as_str() {
            "in-person" => Channel::InPerson,
            "telephone" => Channel::Telephone,
            "video" => Channel::Video,
            _ => Channel::Other(code.into()),
        }
    }
}

/// In words.
impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Channel::InPerson => f.pad("In person"),
            Channel::Telephone => f.pad("Telephone"),
            Channel::Video => f.pad("Video"),
            Channel::Other(code) => fmt::Display::fmt(code, f),
        }
    }
}

/// Shown when a Provider did not say (CONS-SLOT-07).
pub const NOT_SUPPLIED: &str = "not supplied";

/// The place where the patient is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Foreign>,
    /// Its address on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Foreign>,
}

/// Who sees the patient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Clinician {
    /// Name with title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Foreign>,
    /// Gender code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<Foreign>,
    /// Job role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Foreign>,
}

/// A free slot with all details supplied (CONS-SLOT-06).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FreeSlot {
    /// `Slot.id`, which names the slot in commands.
    pub id: String,
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// Delivery channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Name of the healthcare service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Foreign>,
    /// Where the patient is seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Who sees the patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clinician: Option<Clinician>,
    /// Providing organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<Foreign>,
    /// The values that a booking sends back.
    #[serde(skip)]
    pub claim: SlotClaim,
}

impl FreeSlot {
    /// Whole minutes from start to end.
    pub fn minutes(&self) -> i64 {
        (self.end.as_second() - self.start.as_second()) / 60
    }

    /// The delivery channel in words, or [`NOT_SUPPLIED`].
    pub fn channel_shown(&self) -> String {
        let channel = self.channel.as_ref();
        channel.map_or_else(|| NOT_SUPPLIED.to_owned(), Channel::to_string)
    }
}

/// The free slots of a search, in order of their start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SlotList {
    /// The slots.
    pub slots: Vec<FreeSlot>,
    /// The Provider's remarks for the user, such as why there are no slots.
    pub remarks: Vec<String>,
    /// Faults of the Provider's answer, for the log (CONS-ERR-01).
    #[serde(skip)]
    pub faults: Vec<String>,
    /// Entries that are unreadable as slots and so not offered.
    pub unreadable: Unreadable,
    /// True when there were more pages or slots than were read.
    pub cut_off: bool,
    /// Number of slots that start outside the requested time. They are shown too (CONS-SLOT-05), but none counts as the
    /// first free one (D-77).
    pub outside_asked_time: usize,
}

impl SlotList {
    /// Whether the list proves that a slot is not free: it is complete and lacks the slot.
    pub fn lacks(&self, slot: &str) -> bool {
        let whole = !self.cut_off && self.unreadable.count() == 0;
        whole && !self.slots.iter().any(|s| s.id == slot)
    }
}
