//! Group R: many at once. One slot is booked once, one request id counts once, one version is cancelled once.

use booking::count::counted;
use booking::situation::Situation;

use super::answer::{Answer, text};
use super::book::taken;
use super::registry::Table;
use super::trial::{Ids, Step, Trial};

/// Clients side by side: enough to meet, few enough for a test environment.
const CLIENTS: usize = 8;
/// Rounds of each race: one may go well by chance.
const ROUNDS: usize = 3;

/// A request id that counts once.
const AGAIN: Ids = &["PROV-BOOK-11", "D-03"];

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("Race_OneSlot", one_slot),
    ("Race_OneRequestID", one_request_id),
    ("Race_SameRequest", same_request),
    ("Race_Cancel", cancel),
    ("Race_ManySlots", many_slots),
];

fn count(all: &[Answer], status: u16) -> usize {
    all.iter().filter(|a| a.status == status).count()
}

fn told(all: &[Answer]) -> String {
    all.iter()
        .map(|a| a.status.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Notes an error unless exactly one succeeded, at the first answer that should not have.
fn one_won(t: &mut Trial, all: &[Answer], status: u16, ids: Ids) -> bool {
    let won = count(all, status);
    let odd = all
        .iter()
        .filter(|a| a.status == status)
        .nth(1)
        .or(all.first());
    let Some(odd) = odd else { return false };
    t.at(odd, "status", ids)
        .must(won == 1)
        .right(format!("exactly one {status}"))
        .or(format!(
            "{won} of {} requests at the same time succeeded (answers: {})",
            all.len(),
            told(all)
        ))
}

/// All but those that succeeded have to be refused.
fn others(t: &mut Trial, all: &[Answer], status: u16, situation: Situation, ids: Ids) {
    for a in all.iter().filter(|a| a.status != status) {
        t.is_refused(a, situation, ids, "the others");
    }
}

fn one_slot(t: &mut Trial) -> Step {
    for _ in 0..ROUNDS {
        let slot = t.slot()?;
        let requests: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let message = t.booking(&slot);
                t.book(&message)
            })
            .collect();
        let all = t.together("book one slot at once", &requests)?;
        one_won(t, &all, 201, &["P24", "PROV-BOOK-03"]);
        const IDS: Ids = &["P29", "PROV-BOOK-03"];
        for a in all.iter().filter(|a| a.status != 201) {
            if t.is_refused(a, Situation::SlotTaken, IDS, "the others") {
                taken(t, a);
            }
        }
        t.tidy();
    }
    Ok(())
}

fn one_request_id(t: &mut Trial) -> Step {
    let id = super::messages::uuid();
    let mut requests = Vec::new();
    for _ in 0..CLIENTS {
        let message = t.message()?;
        requests.push(t.book(&message).with("X-Request-ID", id.clone()));
    }
    let all = t.together("book several slots under one X-Request-ID", &requests)?;
    one_won(t, &all, 201, AGAIN);
    others(t, &all, 201, Situation::RequestIdReused, &["PROV-BOOK-11"]);
    Ok(())
}

fn same_request(t: &mut Trial) -> Step {
    for _ in 0..ROUNDS {
        let message = t.message()?;
        let request = t.book(&message);
        let all = t.together("send one booking several times", &vec![request; CLIENTS])?;
        one_won(t, &all, 201, AGAIN);
        others(t, &all, 201, Situation::RequestIdReused, AGAIN);
        t.tidy();
    }
    Ok(())
}

fn cancel(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let requests: Vec<_> = (0..CLIENTS).map(|_| t.cancellation(&booked)).collect();
    let all = t.together("cancel one appointment at once", &requests)?;
    one_won(t, &all, 200, &["PROV-CAN-03", "PROV-CAN-05"]);
    let ids: Ids = &["PROV-CAN-03", "D-04"];
    others(t, &all, 200, Situation::VersionConflict, ids);
    let a = t.ask("read it afterwards", &t.read(&booked.id)).succeeds(
        200,
        "Appointment",
        &["PROV-READ-01"],
    )?;
    t.at(&a, "Appointment.status", &["PROV-CAN-05"])
        .must(text(&a.resource, "/status") == "cancelled")
        .right("cancelled")
        .or("It is not cancelled");
    Ok(())
}

fn many_slots(t: &mut Trial) -> Step {
    let mut requests = Vec::new();
    for _ in 0..CLIENTS {
        let message = t.message()?;
        requests.push(t.book(&message));
    }
    let all = t.together("book several slots at once", &requests)?;
    let won = count(&all, 201);
    if let Some(odd) = all.iter().find(|a| a.status != 201) {
        t.at(odd, "status", &["PROV-BOOK-01", "P24"])
            .must(false)
            .right("a booking of a slot does not disturb that of another")
            .or(format!(
                "{won} of {CLIENTS} bookings at the same time succeeded (answers: {})",
                told(&all)
            ));
    }
    let mut ids: Vec<_> = all.iter().filter_map(Answer::appointment_id).collect();
    ids.sort();
    ids.dedup();
    if let Some(first) = all.first() {
        t.at(first, "Appointment.id", &["P27", "PROV-GEN-15"])
            .must(ids.len() == won)
            .right("a new id for each")
            .or(format!(
                "{} for {}",
                counted(ids.len(), "id", "ids"),
                counted(won, "booking", "bookings")
            ));
    }
    Ok(())
}
