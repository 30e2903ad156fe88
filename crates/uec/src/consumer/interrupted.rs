//! What a command says when Ctrl-C or SIGTERM stops it: whether something is on its way that nobody has answered yet, and
//! which command comes next (D-53).
//!
//! The program ends at once. That is safe: a booking is in the journal before it is sent, so that it is looked for later.

use super::{note, shown};
use crate::serve::stop_signal_of;
use consumer::journey::{Journey, PendingChange, Progress};
use serde_json::json;
use std::sync::{Arc, OnceLock};

/// Which kind of command is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Makes a booking.
    Book,
    /// Makes a booking and cancels another.
    Rebook,
    /// Cancels.
    Cancel,
    /// Sends a document.
    Refer,
    /// Changes nothing, unless it finishes what an earlier command began.
    Other,
}

/// What is said, and how the program ends.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    code: i32,
    outcome: Option<&'static str>,
    message: String,
}

/// Exit codes of the program.
const NOT_DONE: i32 = 1;
const NOT_CERTAIN: i32 = 3;

/// The bit of SIGINT, signal 2, in a mask of signals.
const INTERRUPT: u64 = 1 << 1;

/// Ends the program when it is asked to stop. The journey is there once the settings are read. A second signal ends it
/// although what is to be said could not be written yet.
pub fn watch(journey: Arc<OnceLock<Journey>>, command: Command, json: bool) {
    let by_interrupt = !is_interrupt_ignored();
    let stop = stop_signal_of(by_interrupt);
    tokio::spawn(async move {
        stop.await;
        let again = stop_signal_of(by_interrupt);
        // What holds if the journal does not answer before the second signal.
        let mut code = NOT_CERTAIN;
        let ending = async {
            let progress = match journey.get() {
                Some(journey) => journey.stopped().await,
                None => Progress::default(),
            };
            let told = told(&progress, command);
            code = told.code;
            tokio::task::spawn_blocking(move || say(&told, json)).await
        };
        tokio::select! {
            _ = ending => {}
            () = again => {}
        }
        std::process::exit(code);
    });
}

/// Whether whoever started the program had SIGINT ignored, as a shell does for a script's commands in the background: then
/// Ctrl-C is not meant for it. False where the system does not tell.
fn is_interrupt_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & INTERRUPT != 0)
}

fn say(told: &Told, json: bool) {
    if let (true, Some(outcome), false) = (json, told.outcome, crate::output::has_written()) {
        shown::json(&json!({ "outcome": outcome, "message": told.message }));
    }
    note(&format!("\nuec: {}", told.message));
}

fn told(progress: &Progress, command: Command) -> Told {
    let uncertain = |message: String| Told {
        code: NOT_CERTAIN,
        outcome: Some("uncertain"),
        message,
    };
    match (&progress.on_its_way, &progress.booked) {
        (Some(PendingChange::Booking(document)), _) => uncertain(format!(
            "Stopped while the booking was on its way: it is not certain whether the appointment was booked. Find out with: \
             uec consumer settle {document}"
        )),
        (Some(PendingChange::Cancellation(id)), Some(_)) => uncertain(format!(
            "Stopped while the cancellation was on its way: the new appointment is booked, and it is not certain whether the \
             old one, {id}, was cancelled. Finish it with: uec consumer settle"
        )),
        (Some(PendingChange::Cancellation(id)), None) => uncertain(format!(
            "Stopped while the cancellation was on its way: it is not certain whether the appointment {id} was cancelled. \
             Look at it with: uec consumer show {id}"
        )),
        (Some(PendingChange::Referral(again)), _) => {
            let next = match again {
                true => "Run the same command again, which does no harm.",
                false => "Ring the service before you send another one.",
            };
            uncertain(format!(
                "Stopped while the document was on its way: it is not certain whether the service has it. {next}"
            ))
        }
        (None, Some(_)) if command == Command::Rebook => uncertain(
            "Stopped between the two halves: the new appointment is booked, and the old one may still stand. Finish it with: \
             uec consumer settle"
                .to_owned(),
        ),
        (None, Some(document)) => uncertain(format!(
            "Stopped after the appointment had been booked. Look at it with: uec consumer show {document}"
        )),
        (None, None) if progress.sent => uncertain(
            "Stopped after a service had answered. See what stands with: uec consumer show".to_owned(),
        ),
        (None, None) => {
            let (outcome, nothing) = match command {
                Command::Book => (Some("not_booked"), " Nothing was sent, so nothing was booked."),
                Command::Rebook => (
                    Some("not_booked"),
                    " Nothing was sent: nothing was booked, and the old appointment stands.",
                ),
                Command::Cancel => (
                    Some("not_cancelled"),
                    " Nothing was sent, so nothing was cancelled.",
                ),
                Command::Refer => (Some("not_sent"), " Nothing was sent."),
                Command::Other => (None, ""),
            };
            Told {
                code: NOT_DONE,
                outcome,
                message: format!("Stopped.{nothing}"),
            }
        }
    }
}
