//! Checks the Slot contained in an Appointment: RES-SLOT-01..07.

use super::Checked;
use crate::systems;
use fhir::IssueCode;

pub(super) fn slot(slot: &Checked) {
    slot.rule("RES-SLOT-01").contained_head();
    if let Some(identifier) = slot.rule("RES-SLOT-02").one_of_list("identifier") {
        identifier.fixed("system", &[systems::UUID]);
        identifier.text("value");
    }
    if let Some(schedule) = slot.rule("RES-SLOT-03").one("schedule")
        && let Some(reference) = schedule.text("reference")
        && schedule_id(reference).is_none()
    {
        let message =
            "`reference` must be relative: `Schedule/` and the id, as the slot search returned it.";
        schedule.error_at("reference", IssueCode::Value, message);
    }
    match slot.rule("RES-SLOT-04").child("status") {
        Some(status) if status.element.as_str() == Some("free") => {
            let message = "The contained Slot is `free`; a Provider stores `busy`.";
            status.fault(IssueCode::Value, message);
        }
        _ => slot.rule("RES-SLOT-04").fixed("status", &["busy", "free"]),
    }
    let times = slot.rule("RES-SLOT-05");
    if let (Some(start), Some(end)) = (times.instant("start"), times.instant("end"))
        && end <= start
        && let Some(end) = slot.rule("RES-GEN-04").child("end")
    {
        end.error(IssueCode::BusinessRule, "`end` must be after `start`.");
    }
}

/// The id of a relative Schedule reference.
fn schedule_id(reference: &str) -> Option<&str> {
    reference
        .strip_prefix("Schedule/")
        .filter(|id| crate::ids::ResourceId::parse(id).is_ok())
}
