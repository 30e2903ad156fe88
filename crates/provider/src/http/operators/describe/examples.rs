//! Messages that show each interaction. A test makes them with the real program; see `docs/messages.md`.

use booking::wire::interaction::Interaction;
use serde_json::Value;

/// An OperationOutcome: what a second booking of the same slot is answered.
pub fn refusal() -> Value {
    parsed(include_str!("examples/refusal.json"))
}

/// The body that is sent, for interactions that have one.
pub fn request(interaction: Interaction) -> Option<Value> {
    match interaction {
        Interaction::Book => Some(parsed(include_str!("examples/book-request.json"))),
        Interaction::Cancel => Some(parsed(include_str!("examples/cancel-request.json"))),
        _ => None,
    }
}

/// The body of the answer that means success.
pub fn answer(interaction: Interaction) -> Value {
    parsed(match interaction {
        Interaction::Capability => include_str!("examples/capability.json"),
        Interaction::SearchSlots => include_str!("examples/search-slots.json"),
        Interaction::Book => include_str!("examples/book.json"),
        Interaction::Read => include_str!("examples/read.json"),
        Interaction::VersionRead => include_str!("examples/version-read.json"),
        Interaction::History => include_str!("examples/history.json"),
        Interaction::Cancel => include_str!("examples/cancel.json"),
        Interaction::SearchAppointments => include_str!("examples/search-appointments.json"),
    })
}

/// The files are tested; one that could not be read would show as null.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
