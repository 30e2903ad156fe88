//! A proof that finds nothing proves nothing: each violation is forged and must be found.

use super::facts::{Facts, Outcome};
use super::judge::{Kind, Wire, judge};
use super::stored::{Appointment, Chain, Event, Stored, Version};
use std::fmt::Write as _;
use uuid::Uuid;

const SERVICE: &str = "2000400001";
const CAPPED: &str = "2000400002";
const CAP: u32 = 2;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// The first two slots are of the service without a cap.
fn service(slot: u128) -> &'static str {
    if slot > 2 { CAPPED } else { SERVICE }
}

/// A ledger and the database that belongs to it: slots 1 to 5, requests 101…, appointments 201….
struct Case {
    ledger: String,
    stored: Stored,
    wire: Wire,
}

impl Case {
    fn new() -> Case {
        let mut case = Case {
            ledger: String::new(),
            stored: Stored::default(),
            wire: Wire::default(),
        };
        for n in 1..=5 {
            case.line(&format!(
                "slot\t{}\t{}\t{}\t{}",
                n - 1,
                id(n),
                service(n),
                if n > 2 { CAP } else { 0 }
            ));
            case.stored.slots.push((id(n), true));
            case.wire.free.insert(id(n));
        }
        case.stored.chains.push(Chain {
            provider: "FX404".to_owned(),
            verified: true,
            rows: 9,
            what: String::new(),
        });
        case
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.ledger, "{line}");
    }

    /// A request that is sent, and what is answered.
    fn sent(&mut self, request: u128, slot: u128, answer: &str) {
        self.line(&format!("book\t{}\t{}", id(request), slot - 1));
        self.line(&answer.replace("{}", &id(request).to_string()));
    }

    fn stores(&mut self, request: u128, slot: u128, appointment: u128) {
        self.stored.appointments.push(Appointment {
            id: id(appointment),
            slot: id(slot),
            live: true,
            version: 1,
            service: service(slot).to_owned(),
            day: 20_000,
            ods: "FX900".to_owned(),
        });
        self.stored.versions.push(Version {
            appointment: id(appointment),
            number: 1,
            request: Some(id(request)),
        });
        self.stored.trail.push(Event {
            booked: true,
            appointment: id(appointment),
            slot: id(slot),
        });
        self.stored.slots[slot as usize - 1].1 = false;
        self.wire.free.remove(&id(slot));
        self.wire
            .appointments
            .insert(id(appointment), "booked".to_owned());
    }

    /// All of it, as it should be.
    fn booked(&mut self, request: u128, slot: u128, appointment: u128) {
        self.sent(
            request,
            slot,
            &format!("told\t{{}}\t201\t{}\t900", id(appointment)),
        );
        self.stores(request, slot, appointment);
    }

    fn cancelled(&mut self, request: u128, slot: u128, appointment: u128) {
        let (request, named) = (id(request), id(appointment));
        self.line(&format!("cancel\t{request}\t{named}"));
        self.line(&format!("told\t{request}\t200\t{named}\t900"));
        let stored = self
            .stored
            .appointments
            .iter_mut()
            .find(|a| a.id == named)
            .unwrap();
        (stored.live, stored.version) = (false, 2);
        self.stored.versions.push(Version {
            appointment: named,
            number: 2,
            request: Some(request),
        });
        self.stored.trail.push(Event {
            booked: false,
            appointment: named,
            slot: id(slot),
        });
        self.stored.slots[slot as usize - 1].1 = true;
        self.wire.free.insert(id(slot));
        self.wire.appointments.insert(named, "cancelled".to_owned());
    }

    #[track_caller]
    fn expect(&self, kinds: &[Kind]) {
        let found = judge(&Facts::of(&self.ledger), &self.stored, Some(&self.wire));
        let mut seen: Vec<Kind> = found.iter().map(|v| v.kind).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, kinds, "{found:?}");
    }
}

fn two() -> Case {
    let mut case = Case::new();
    case.booked(101, 1, 201);
    case.booked(102, 2, 202);
    case.cancelled(103, 2, 202);
    case
}

#[test]
fn what_is_right_passes() {
    let mut case = two();
    // The cancelled slot is booked again; a lost answer is recovered; one stays unknown, either way.
    case.sent(104, 2, "lost\t{}\tbroken\t9");
    case.sent(104, 2, &format!("told\t{{}}\t409\t{}\t9", id(204)));
    case.stores(104, 2, 204);
    case.sent(105, 3, "lost\t{}\tbroken\t9");
    case.sent(106, 4, "lost\t{}\thung\t9");
    case.ledger = case.ledger.replace("hung", "broken");
    case.stores(106, 4, 206);
    case.sent(107, 1, "told\t{}\t422\t-\t9");
    case.line("read\tsearch\t200\t9");
    case.line("fault\tkilled");
    case.expect(&[]);
}

#[test]
fn a_lost_booking_is_found() {
    let mut case = two();
    case.sent(104, 3, &format!("told\t{{}}\t201\t{}\t9", id(204)));
    case.expect(&[Kind::Lost]);
}

#[test]
fn a_booking_that_went_from_everything_but_the_ledger_is_found() {
    let mut case = two();
    case.stored.appointments.remove(0);
    case.stored.versions.remove(0);
    case.stored.trail.remove(0);
    case.stored.slots[0].1 = true;
    case.wire.free.insert(id(1));
    case.expect(&[Kind::Lost]);
}

#[test]
fn a_booking_in_another_slot_is_found() {
    let mut case = two();
    case.sent(104, 3, &format!("told\t{{}}\t201\t{}\t9", id(204)));
    case.stores(104, 4, 204);
    case.expect(&[Kind::Lost]);
}

#[test]
fn a_double_booking_is_found() {
    let mut case = two();
    case.booked(104, 1, 204);
    // In the table, and in the trail.
    case.expect(&[Kind::Double, Kind::Trail]);
}

#[test]
fn a_double_booking_of_the_past_is_found_in_the_trail() {
    let mut case = Case::new();
    case.booked(101, 1, 201);
    case.booked(102, 1, 202);
    case.cancelled(103, 1, 201);
    case.stored.slots[0].1 = false;
    case.wire.free.remove(&id(1));
    case.expect(&[Kind::Double, Kind::Trail]);
}

#[test]
fn a_refused_booking_that_is_there_is_found() {
    let mut case = two();
    case.sent(104, 3, "told\t{}\t422\t-\t9");
    case.stores(104, 3, 204);
    case.expect(&[Kind::Unasked]);
}

#[test]
fn a_booking_that_nobody_sent_is_found() {
    let mut case = two();
    case.stores(104, 3, 204);
    case.expect(&[Kind::Unasked]);
}

#[test]
fn one_request_with_two_appointments_is_found() {
    let mut case = two();
    case.stores(101, 3, 204);
    case.expect(&[Kind::Repeated]);
    let mut case = two();
    case.sent(101, 1, &format!("told\t{{}}\t409\t{}\t9", id(209)));
    case.expect(&[Kind::Lost, Kind::Repeated, Kind::Seen]);
}

#[test]
fn a_first_request_that_is_called_a_repeat_is_found() {
    let mut case = two();
    case.sent(104, 3, &format!("told\t{{}}\t409\t{}\t9", id(204)));
    case.stores(104, 3, 204);
    case.expect(&[Kind::Seen]);
}

#[test]
fn a_cancellation_that_was_lost_is_found() {
    let mut case = Case::new();
    case.booked(101, 1, 201);
    case.line(&format!("cancel\t{}\t{}", id(102), id(201)));
    case.line(&format!("told\t{}\t200\t{}\t9", id(102), id(201)));
    case.expect(&[Kind::Cancel]);
    // Without an answer it may be either.
    case.ledger = case.ledger.replace(&format!("200\t{}", id(201)), "503\t-");
    case.expect(&[]);
}

#[test]
fn a_booking_that_somebody_cancelled_unasked_is_found() {
    let mut case = two();
    case.stored.appointments[0].live = false;
    case.expect(&[Kind::Cancel, Kind::Slot, Kind::Trail, Kind::Wire]);
}

#[test]
fn a_slot_that_does_not_come_free_is_found() {
    let mut case = two();
    case.stored.slots[1].1 = false;
    case.expect(&[Kind::Slot, Kind::Wire]);
    let mut case = two();
    case.stored.slots.remove(4);
    case.expect(&[Kind::Slot]);
}

#[test]
fn a_search_that_shows_another_diary_is_found() {
    let mut case = two();
    case.wire.free.insert(id(1));
    case.expect(&[Kind::Wire]);
    let mut case = two();
    case.wire.appointments.remove(&id(202));
    case.expect(&[Kind::Wire]);
}

#[test]
fn a_cap_that_was_passed_is_found_now_and_in_the_past() {
    let mut case = Case::new();
    (0..3).for_each(|n| case.booked(101 + n, 3 + n, 201 + n));
    case.expect(&[Kind::Cap]);
    case.cancelled(110, 3, 201);
    case.expect(&[Kind::Cap]);
}

#[test]
fn a_broken_chain_is_found() {
    let mut case = two();
    case.stored.chains[0].verified = false;
    case.expect(&[Kind::Trail]);
    let mut case = two();
    case.stored.chains.clear();
    case.expect(&[Kind::Trail]);
    let mut case = two();
    case.stored.trail.remove(0);
    case.expect(&[Kind::Trail]);
}

#[test]
fn a_request_that_hangs_is_found() {
    let mut case = two();
    case.sent(104, 3, "lost\t{}\thung\t35000000");
    case.expect(&[Kind::Hung]);
    let mut case = two();
    case.line("read\tsearch\t200\t33000001");
    case.expect(&[Kind::Hung]);
}

#[test]
fn a_torn_ledger_and_what_clients_saw_is_told() {
    let mut case = two();
    case.line("told\t12");
    case.expect(&[Kind::Ledger]);
    let mut case = two();
    case.line("wrong\tan appointment was missing");
    case.expect(&[Kind::Seen]);
}

#[test]
fn outcomes_follow_from_the_last_word() {
    let outcome = |answers: &[&str]| {
        let mut case = Case::new();
        answers.iter().for_each(|a| case.sent(101, 1, a));
        Facts::of(&case.ledger).bookings[&id(101)].outcome()
    };
    let (no, broken, unsent) = (
        "told\t{}\t422\t-\t1",
        "lost\t{}\tbroken\t1",
        "lost\t{}\tunsent\t1",
    );
    let busy = "told\t{}\t503\t-\t1";
    assert_eq!(outcome(&[broken, no]), Outcome::Not);
    assert_eq!(outcome(&[no]), Outcome::Not);
    assert_eq!(outcome(&[unsent]), Outcome::Not);
    assert_eq!(outcome(&[busy]), Outcome::Unknown);
    assert_eq!(outcome(&[broken, unsent]), Outcome::Unknown);
    assert_eq!(outcome(&[busy, no]), Outcome::Not);
}
