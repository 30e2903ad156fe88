//! What stands in the database against a write. What a caller is told of it, and with which status, is one table in
//! [`crate::refusals`]; nothing beside SQL knows statuses.

use super::appointment::UsedRequestId;
use booking::ids::{Asid, OdsCode, ResourceId};
use booking::slot::SlotStatus;

/// Why a write cannot be made as things stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A request with this id succeeded before.
    RequestIdUsed {
        /// That request.
        used: UsedRequestId,
        /// It came from the same system and organisation, which may know what it made.
        by_caller: bool,
    },
    /// The slot is not free any more; also when only the unique index noticed.
    SlotNotFree(SlotStatus),
    /// There is no such slot.
    SlotUnknown,
    /// There is no such appointment.
    AppointmentUnknown(ResourceId),
    /// The caller has seen another version than the current one.
    OtherVersion {
        /// The version that the caller named, as it named it.
        given: String,
        /// The current one.
        current: u32,
    },
    /// The appointment was cancelled before.
    AlreadyCancelled,
}

impl Conflict {
    /// A repeat of a request, as its sender meets it.
    pub fn repeated(used: UsedRequestId, asid: &Asid, ods: &OdsCode) -> Conflict {
        let by_caller = used.asid == *asid && used.ods == *ods;
        Conflict::RequestIdUsed { used, by_caller }
    }
}
