//! Slot search: `GET [root]/Slot?…` (CONS-SLOT-01..03).

use super::{PlanError, Request, Setting, query_value};
use booking::ids::ServiceId;
use booking::instant::seconds;
use booking::wire::interaction::Interaction;
use http::Method;
use jiff::Timestamp;

/// All resources that describe a slot (CONS-SLOT-03).
const INCLUDES: [&str; 6] = [
    "Slot:schedule",
    "Schedule:actor:Practitioner",
    "Schedule:actor:PractitionerRole",
    "Schedule:actor:HealthcareService",
    "HealthcareService:location",
    "HealthcareService:providedBy",
];

/// The requested time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Earliest start, usually now.
    pub from: Timestamp,
    /// Latest start.
    pub until: Timestamp,
}

impl Window {
    /// Whether a start is in the window.
    pub fn has(&self, start: Timestamp) -> bool {
        self.from <= start && start <= self.until
    }
}

/// Builds the search for free slots of a service.
pub fn plan(setting: &Setting, service: &ServiceId, window: Window) -> Result<Request, PlanError> {
    let mut tail = format!(
        "Slot?schedule.actor%3Ahealthcareservice={}&start=le{}&start=ge{}&status=free",
        query_value(service.as_str()),
        query_value(&seconds(window.until)),
        query_value(&seconds(window.from)),
    );
    for include in INCLUDES {
        tail.push_str("&_include=");
        tail.push_str(&query_value(include));
    }
    setting.request(Interaction::SearchSlots, Method::GET, &tail, None)
}

/// Builds the request for a further page; the tail comes from [`crate::slots::next_tail`].
pub fn page(setting: &Setting, tail: &str) -> Result<Request, PlanError> {
    setting.request(Interaction::SearchSlots, Method::GET, tail, None)
}
