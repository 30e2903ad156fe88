//! Checks the Slot contained in an Appointment: RES-SLOT-01..07.

use super::Report;
use crate::systems;
use fhir::{Element, IssueCode};

pub(super) fn slot(slot: &Element, path: &str, report: &mut Report) {
    report.contained_head(slot, path, "RES-SLOT-01");
    if let Some(identifier) = report.one(slot, path, "identifier", "RES-SLOT-02") {
        let path = format!("{path}.identifier[0]");
        report.fixed(identifier, &path, "system", "RES-SLOT-02", &[systems::UUID]);
        report.text(identifier, &path, "value", "RES-SLOT-02");
    }
    if let Some(schedule) = report.one(slot, path, "schedule", "RES-SLOT-03") {
        let path = format!("{path}.schedule");
        if let Some(reference) = report.text(schedule, &path, "reference", "RES-SLOT-03")
            && schedule_id(reference).is_none()
        {
            let message = "`reference` must be relative: `Schedule/` and the id, as the slot search returned it.";
            report.error(
                IssueCode::Value,
                schedule,
                format!("{path}.reference"),
                "RES-SLOT-03",
                message,
            );
        }
    }
    match slot.str_of("status") {
        Some("free") => {
            let at = slot.get("status").unwrap_or(slot);
            let message = "The contained Slot is `free`; a Provider stores `busy`.";
            report.fault(
                IssueCode::Value,
                at,
                format!("{path}.status"),
                "RES-SLOT-04",
                message,
            );
        }
        _ => report.fixed(slot, path, "status", "RES-SLOT-04", &["busy", "free"]),
    }
    let start = report.instant(slot, path, "start", "RES-SLOT-05");
    let end = report.instant(slot, path, "end", "RES-SLOT-05");
    if let (Some(start), Some(end)) = (start, end)
        && end <= start
    {
        let at = slot.get("end").unwrap_or(slot);
        report.error(
            IssueCode::BusinessRule,
            at,
            format!("{path}.end"),
            "RES-GEN-04",
            "`end` must be after `start`.",
        );
    }
}

/// The id of a relative Schedule reference.
pub(crate) fn schedule_id(reference: &str) -> Option<&str> {
    reference
        .strip_prefix("Schedule/")
        .filter(|id| crate::ids::ResourceId::parse(id).is_ok())
}
