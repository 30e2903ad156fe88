//! The appointments of a patient: `GET [root]/Appointment?…` (PROV-SRCH-01), for the recovery of a lost answer
//! (CONS-BOOK-05) and for the list of known bookings (CONS-REB-04).

use super::{PlanError, Request, Setting, query_value};
use booking::ids::NhsNumber;
use booking::systems;
use booking::wire::interaction::Interaction;
use http::Method;

/// Asks for the appointments of a patient.
pub fn plan(setting: &Setting, patient: &NhsNumber) -> Result<Request, PlanError> {
    let token = format!("{}|{}", systems::NHS_NUMBER, patient.as_str());
    let tail = format!("Appointment?patient.identifier={}", query_value(&token));
    setting.request(Interaction::SearchAppointments, Method::GET, &tail, None)
}

/// Asks for a further page of a search; the tail comes from [`crate::slots::next_tail`].
pub fn page(setting: &Setting, tail: &str) -> Result<Request, PlanError> {
    setting.request(Interaction::SearchAppointments, Method::GET, tail, None)
}
