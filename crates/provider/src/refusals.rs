//! Maps conflicts and faults of the store to rows of the error table, with their sentences. The edge answers by this map,
//! and the audit trail records by it.

use crate::store::{Conflict, StoreError};
use booking::refusal::{Refusal, Situation};

impl From<&Conflict> for Refusal {
    fn from(conflict: &Conflict) -> Refusal {
        match conflict {
            // Only the system and organisation that made the appointment see its id (PROV-BOOK-11).
            Conflict::RequestIdUsed { used, by_caller } => {
                let rest = match by_caller {
                    true => format!("; see Appointment/{}.", used.appointment),
                    false => "; send a new one with every new request.".to_owned(),
                };
                let refusal = Refusal::new(
                    Situation::RequestIdReused,
                    format!(
                        "The X-Request-ID `{}` was used before by a request that succeeded{rest}",
                        used.request_id
                    ),
                )
                .location("http.X-Request-ID");
                match by_caller {
                    true => refusal.existing(used.appointment.clone()),
                    false => refusal,
                }
            }
            Conflict::SlotNotFree(status) => {
                Refusal::new(Situation::SlotTaken, format!("the slot is {status}"))
            }
            Conflict::SlotUnknown => Refusal::new(
                Situation::ReferenceUnknown,
                "This slot does not exist here; search for slots again.",
            ),
            Conflict::AppointmentUnknown(id) => Refusal::new(
                Situation::AppointmentUnknown,
                format!("No Appointment `{id}` exists here."),
            ),
            Conflict::OtherVersion { given, current } => Refusal::new(
                Situation::VersionConflict,
                format!(
                    "If-Match names version `{given}`, but the current version is `{current}`: read the appointment \
                     again, check that it is still the same booking, and send its ETag as W/\"{current}\"."
                ),
            )
            .location("http.If-Match"),
            Conflict::AlreadyCancelled => Refusal::new(
                Situation::StateForbids,
                "The appointment is already cancelled.",
            )
            .expression("Appointment.status"),
        }
    }
}

impl From<&StoreError> for Refusal {
    /// The cause goes to the log only.
    fn from(error: &StoreError) -> Refusal {
        let (situation, sentence) = match error.is_transient() {
            true => (
                Situation::Unavailable,
                "The diary cannot be reached at this moment; try again in a second.",
            ),
            false => (
                Situation::Unexpected,
                "The diary could not be read or written; the fault is logged.",
            ),
        };
        Refusal::new(situation, sentence).log(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_lets_nobody_in_is_a_reason_to_try_again() {
        let (place, what) = ("db".to_owned(), String::new());
        for error in [
            StoreError::NoDatabase {
                place: place.clone(),
            },
            StoreError::Untrusted {
                place: place.clone(),
                what: what.clone(),
            },
            StoreError::LoginRefused { place, what },
        ] {
            let refusal = Refusal::from(&error);
            assert_eq!(refusal.status(), 503, "{error}");
        }
    }
}
