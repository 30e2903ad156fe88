//! Search for a patient's appointments: `GET [root]/Appointment?…` (PROV-SRCH-01), to recover a lost answer (CONS-BOOK-05)
//! and to list known bookings (CONS-REB-04).

use super::{PlanError, Request, Setting, query_value};
use booking::ids::NhsNumber;
use booking::systems;
use booking::wire::interaction::Interaction;
use http::Method;

/// Builds the search for a patient's appointments.
pub fn plan(setting: &Setting, patient: &NhsNumber) -> Result<Request, PlanError> {
    let token = format!("{}|{}", systems::NHS_NUMBER, patient.as_str());
    let tail = format!("Appointment?patient.identifier={}", query_value(&token));
    setting.request(Interaction::SearchAppointments, Method::GET, &tail, None)
}

/// Builds the request for a further page; the tail comes from [`crate::slots::next_tail`].
pub fn page(setting: &Setting, tail: &str) -> Result<Request, PlanError> {
    setting.request(Interaction::SearchAppointments, Method::GET, tail, None)
}
