//! The proof itself: what clients were told against what is stored and what is answered. Pure.

use super::facts::{Facts, Outcome};
use super::stored::{Appointment, Stored};
use crate::http::{GRACE, LIMIT};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use uuid::Uuid;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A client was told that it is booked, and it is not there, or another.
    Lost,
    /// A slot with two live bookings.
    Double,
    /// A booking that its client was told is refused, or that nobody asked for.
    Unasked,
    /// An `X-Request-ID` with more than one appointment.
    Repeated,
    /// A cancellation that was told and is not stored, or the other way round.
    Cancel,
    /// A slot that is neither free nor held by a live booking.
    Slot,
    /// More bookings than a cap permits.
    Cap,
    /// The audit trail is broken, or does not say what is stored.
    Trail,
    /// A request without an answer within the limit.
    Hung,
    /// What is answered over HTTP is not what is stored.
    Wire,
    /// Something that a client saw and must never see.
    Seen,
    /// The ledger itself cannot be trusted.
    Ledger,
}

/// One violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is broken.
    pub kind: Kind,
    /// Where and how.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// What was answered over HTTP after the restart.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    /// `status` of each appointment that was asked for; empty when the answer was none.
    pub appointments: HashMap<Uuid, String>,
    /// Slots that a search shows as free.
    pub free: HashSet<Uuid>,
}

/// Everything that does not fit.
pub fn judge(facts: &Facts, stored: &Stored, wire: Option<&Wire>) -> Vec<Violation> {
    let mut judge = Judge {
        facts,
        stored,
        by_id: stored.appointments.iter().map(|a| (a.id, a)).collect(),
        found: Vec::new(),
    };
    judge.told();
    judge.requests();
    judge.cancellations();
    judge.slots();
    judge.caps();
    judge.trail();
    judge.seen();
    if let Some(wire) = wire {
        judge.wire(wire);
    }
    judge.found
}

struct Judge<'a> {
    facts: &'a Facts,
    stored: &'a Stored,
    by_id: HashMap<Uuid, &'a Appointment>,
    found: Vec<Violation>,
}

impl Judge<'_> {
    fn add(&mut self, kind: Kind, what: String) {
        self.found.push(Violation { kind, what });
    }

    /// Every booking that a client was told is there, in its slot.
    fn told(&mut self) {
        for (request, attempt) in &self.facts.bookings {
            let Outcome::Made(id) = attempt.outcome() else {
                continue;
            };
            match self.by_id.get(&id) {
                None => self.add(
                    Kind::Lost,
                    format!("{id}, booked by {request}, is not stored"),
                ),
                Some(found) if found.slot != attempt.about => {
                    let slot = attempt.about;
                    self.add(
                        Kind::Lost,
                        format!("{id}, booked by {request}, is not in slot {slot}"),
                    );
                }
                Some(_) => {}
            }
        }
    }

    /// Every stored version was asked for, once, by a request that was not told otherwise.
    fn requests(&mut self) {
        let mut made: HashMap<Uuid, Uuid> = HashMap::new();
        for version in &self.stored.versions {
            let id = version.appointment;
            let Some(request) = version.request else {
                self.add(
                    Kind::Unasked,
                    format!("{id}, version {}: no request id", version.number),
                );
                continue;
            };
            if made.insert(request, id).is_some() {
                self.add(
                    Kind::Repeated,
                    format!("{request} made more than one version"),
                );
            }
            let attempts = match version.number {
                1 => &self.facts.bookings,
                _ => &self.facts.cancels,
            };
            match attempts.get(&request).map(|a| a.outcome()) {
                None => self.add(
                    Kind::Unasked,
                    format!("{id} was made by {request}, which nobody sent"),
                ),
                Some(Outcome::Not) => {
                    self.add(
                        Kind::Unasked,
                        format!("{id} is stored, but {request} was told it is refused"),
                    );
                }
                Some(Outcome::Made(told)) if told != id => {
                    self.add(
                        Kind::Repeated,
                        format!("{request} made {id} and was told {told}"),
                    );
                }
                Some(_) => {}
            }
        }
        let unmade = |a: &&Appointment| !self.stored.versions.iter().any(|v| v.appointment == a.id);
        if self.stored.versions.len() < self.stored.appointments.len() {
            let without: Vec<Uuid> = self
                .stored
                .appointments
                .iter()
                .filter(unmade)
                .map(|a| a.id)
                .collect();
            for id in without {
                self.add(Kind::Unasked, format!("{id} has no version"));
            }
        }
    }

    /// What was cancelled is cancelled, what was not is not.
    fn cancellations(&mut self) {
        let mut told: HashMap<Uuid, Outcome> = HashMap::new();
        for attempt in self.facts.cancels.values() {
            let outcome = told.entry(attempt.about).or_insert(Outcome::Not);
            *outcome = match (*outcome, attempt.outcome()) {
                (Outcome::Made(id), _) | (_, Outcome::Made(id)) => Outcome::Made(id),
                (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
                _ => Outcome::Not,
            };
        }
        for appointment in &self.stored.appointments {
            let id = appointment.id;
            let wrong = match told.get(&id) {
                Some(Outcome::Made(_)) => appointment.live || appointment.version != 2,
                Some(Outcome::Unknown) => appointment.live == (appointment.version == 2),
                _ => !appointment.live,
            };
            if wrong {
                let state = if appointment.live {
                    "live"
                } else {
                    "cancelled"
                };
                self.add(
                    Kind::Cancel,
                    format!(
                        "{id} is {state} in version {}, its client was told {:?}",
                        appointment.version,
                        told.get(&id)
                    ),
                );
            }
        }
    }

    /// A slot is held by one live booking, or it is free.
    fn slots(&mut self) {
        let mut holders: HashMap<Uuid, usize> = HashMap::new();
        for appointment in self.stored.appointments.iter().filter(|a| a.live) {
            *holders.entry(appointment.slot).or_default() += 1;
        }
        for (slot, count) in &holders {
            if *count > 1 {
                self.add(
                    Kind::Double,
                    format!("slot {slot} has {count} live bookings"),
                );
            }
        }
        for (slot, free) in &self.stored.slots {
            let held = holders.remove(slot).is_some();
            if held == *free {
                let (free, held) = (
                    if *free { "free" } else { "not free" },
                    if held { "is" } else { "is not" },
                );
                self.add(
                    Kind::Slot,
                    format!("slot {slot} is {free} and {held} booked"),
                );
            }
        }
        for slot in holders.keys() {
            self.add(Kind::Slot, format!("slot {slot} is booked and not there"));
        }
        let there: HashSet<Uuid> = self.stored.slots.iter().map(|(uuid, _)| *uuid).collect();
        for slot in &self.facts.slots {
            if !there.contains(&slot.uuid) {
                self.add(
                    Kind::Slot,
                    format!("slot {} was there and is gone", slot.uuid),
                );
            }
        }
    }

    /// No consumer has more live bookings of a service and day than its cap.
    fn caps(&mut self) {
        let caps = caps_of(self.facts);
        let mut counts: BTreeMap<(&str, i64, &str), u32> = BTreeMap::new();
        for a in self.stored.appointments.iter().filter(|a| a.live) {
            *counts.entry((&a.service, a.day, &a.ods)).or_default() += 1;
        }
        for ((service, day, ods), count) in counts {
            if caps.get(service).is_some_and(|cap| count > *cap) {
                self.add(
                    Kind::Cap,
                    format!("{ods} has {count} bookings of {service} on day {day}"),
                );
            }
        }
    }

    /// The chains are whole, and played from their beginning they never hold a slot twice, never pass a cap, and end
    /// in what is stored.
    fn trail(&mut self) {
        for chain in self.stored.chains.iter().filter(|c| !c.verified) {
            self.add(Kind::Trail, format!("{}: {}", chain.provider, chain.what));
        }
        if self.stored.chains.is_empty() {
            self.add(Kind::Trail, "there is no audit trail".to_owned());
        }
        let caps = caps_of(self.facts);
        let mut live: HashMap<Uuid, Uuid> = HashMap::new();
        let mut counts: HashMap<(&str, i64, &str), u32> = HashMap::new();
        let mut booked: HashSet<Uuid> = HashSet::new();
        let mut found = Vec::new();
        for event in &self.stored.trail {
            let id = event.appointment;
            let Some(a) = self.by_id.get(&id) else {
                found.push((
                    Kind::Trail,
                    format!("the trail names {id}, which is not stored"),
                ));
                continue;
            };
            let count = counts.entry((&a.service, a.day, &a.ods)).or_default();
            if !event.booked {
                *count = count.saturating_sub(1);
                if live.remove(&event.slot) != Some(id) {
                    found.push((
                        Kind::Trail,
                        format!(
                            "the trail cancels {id}, which did not hold slot {}",
                            event.slot
                        ),
                    ));
                }
                continue;
            }
            *count += 1;
            if caps
                .get(a.service.as_str())
                .is_some_and(|cap| *count > *cap)
            {
                found.push((
                    Kind::Cap,
                    format!("{id} was booked over the cap of {}", a.service),
                ));
            }
            if !booked.insert(id) {
                found.push((Kind::Trail, format!("the trail books {id} twice")));
            }
            if let Some(other) = live.insert(event.slot, id) {
                found.push((
                    Kind::Double,
                    format!(
                        "slot {} was booked by {id} while {other} held it",
                        event.slot
                    ),
                ));
            }
        }
        for a in &self.stored.appointments {
            if !booked.contains(&a.id) {
                found.push((
                    Kind::Trail,
                    format!("{} is stored without an audit row", a.id),
                ));
            }
            if a.live != (live.get(&a.slot) == Some(&a.id)) {
                found.push((
                    Kind::Trail,
                    format!("{} ends otherwise in the trail than in the database", a.id),
                ));
            }
        }
        self.found.extend(
            found
                .into_iter()
                .map(|(kind, what)| Violation { kind, what }),
        );
    }

    /// What clients saw themselves.
    fn seen(&mut self) {
        for what in &self.facts.wrong {
            self.add(Kind::Seen, what.clone());
        }
        let limit = u64::try_from((LIMIT + GRACE).as_micros()).unwrap_or(u64::MAX);
        if self.facts.hung > 0 || self.facts.longest > limit {
            let seconds = self.facts.longest / 1_000_000;
            self.add(
                Kind::Hung,
                format!(
                    "{} requests hung, the longest wait was {seconds} s",
                    self.facts.hung
                ),
            );
        }
        if self.facts.torn > 0 {
            self.add(
                Kind::Ledger,
                format!("{} lines cannot be read", self.facts.torn),
            );
        }
    }

    /// What is stored is what is answered.
    fn wire(&mut self, wire: &Wire) {
        for attempt in self.facts.bookings.values() {
            let Outcome::Made(id) = attempt.outcome() else {
                continue;
            };
            let expected = match self.by_id.get(&id) {
                Some(a) if a.live => "booked",
                Some(_) => "cancelled",
                // Told already.
                None => continue,
            };
            let answered = wire.appointments.get(&id).map_or("nothing", String::as_str);
            if answered != expected {
                self.add(
                    Kind::Wire,
                    format!("{id} is {expected} and answered as {answered}"),
                );
            }
        }
        let free: HashMap<Uuid, bool> = self.stored.slots.iter().copied().collect();
        // The search hides slots of a day whose cap is reached.
        for slot in self.facts.slots.iter().filter(|s| s.cap == 0) {
            let (stored, shown) = (
                free.get(&slot.uuid) == Some(&true),
                wire.free.contains(&slot.uuid),
            );
            if stored != shown {
                let (stored, shown) = (
                    if stored { "free" } else { "taken" },
                    if shown { "shows" } else { "hides" },
                );
                self.add(
                    Kind::Wire,
                    format!("slot {} is {stored}, and the search {shown} it", slot.uuid),
                );
            }
        }
    }
}

/// Caps by service.
fn caps_of(facts: &Facts) -> HashMap<&str, u32> {
    let capped = facts.slots.iter().filter(|s| s.cap > 0);
    capped.map(|s| (s.service.as_str(), s.cap)).collect()
}
