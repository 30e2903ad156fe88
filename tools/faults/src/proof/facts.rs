//! What the ledger says: each request, what became of it as far as its consumer knows.

use crate::ledger::{FILE, Lost};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use uuid::Uuid;

/// A slot that was there at the beginning.
#[derive(Clone, Debug)]
pub struct SlotFact {
    /// Id.
    pub uuid: Uuid,
    /// Its service.
    pub service: String,
    /// Most bookings of one consumer on one day in that service; 0: any number.
    pub cap: u32,
}

/// A booking or a cancellation with all its repeats.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// Slot to be booked, or appointment to be cancelled.
    pub about: Uuid,
    /// How often it was sent.
    pub sent: u32,
    /// The appointment that an answer named as booked, or cancelled.
    pub made: Option<Uuid>,
    /// The last refusal.
    pub refused: Option<u16>,
    pending: u32,
    doubtful: bool,
}

/// What the consumer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, with this appointment.
    Made(Uuid),
    /// Not done.
    Not,
    /// Nobody told.
    Unknown,
}

impl Attempt {
    /// What the consumer knows in the end.
    pub fn outcome(&self) -> Outcome {
        match self.made {
            Some(id) => Outcome::Made(id),
            None if self.pending > 0 || self.doubtful => Outcome::Unknown,
            None => Outcome::Not,
        }
    }
}

/// The whole ledger.
#[derive(Debug, Default)]
pub struct Facts {
    /// Slots by their number.
    pub slots: Vec<SlotFact>,
    /// Bookings by `X-Request-ID`.
    pub bookings: HashMap<Uuid, Attempt>,
    /// Cancellations by `X-Request-ID`.
    pub cancels: HashMap<Uuid, Attempt>,
    /// What clients saw and must never see.
    pub wrong: Vec<String>,
    /// Answers to changes by status.
    pub answers: BTreeMap<u16, usize>,
    /// Changes whose answer was lost.
    pub lost: usize,
    /// Requests without an answer for longer than a client waits.
    pub hung: usize,
    /// The longest time until an answer, microseconds.
    pub longest: u64,
    /// What was broken.
    pub faults: usize,
    /// Lines that could not be read.
    pub torn: usize,
}

impl Facts {
    /// Reads the ledger of a folder.
    pub fn read(folder: &Path) -> Result<Facts, String> {
        let path = folder.join(FILE);
        let file = File::open(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let mut facts = Facts::default();
        for line in BufReader::new(file).lines() {
            facts.line(&line.map_err(|e| format!("cannot read {}: {e}", path.display()))?);
        }
        Ok(facts)
    }

    /// The ledger in a text.
    #[cfg(test)]
    pub fn of(text: &str) -> Facts {
        let mut facts = Facts::default();
        text.lines().for_each(|line| facts.line(line));
        facts
    }

    fn line(&mut self, line: &str) {
        let fields: Vec<&str> = line.split('\t').collect();
        // A line that the end of the runner or a full disk cut short.
        if self.fields(&fields).is_none() {
            self.torn += 1;
        }
    }

    fn fields(&mut self, fields: &[&str]) -> Option<()> {
        match *fields {
            ["slot", _, uuid, service, cap] => self.slots.push(SlotFact {
                uuid: uuid.parse().ok()?,
                service: service.to_owned(),
                cap: cap.parse().ok()?,
            }),
            ["book", request, slot] => {
                let about = self.slots.get(slot.parse::<usize>().ok()?)?.uuid;
                sent(&mut self.bookings, request.parse().ok()?, about);
            }
            ["cancel", request, appointment] => {
                sent(
                    &mut self.cancels,
                    request.parse().ok()?,
                    appointment.parse().ok()?,
                );
            }
            ["told", request, status, named, micros] => {
                let named = match named {
                    "-" => None,
                    id => Some(id.parse().ok()?),
                };
                self.longest = self.longest.max(micros.parse().ok()?);
                self.told(request.parse().ok()?, status.parse().ok()?, named)?;
            }
            ["lost", request, why, micros] => {
                let (why, micros) = (Lost::of(why)?, micros.parse().ok()?);
                self.lost(request.parse().ok()?, why, micros)?;
            }
            ["read", _, status, micros] => {
                self.longest = self.longest.max(micros.parse().ok()?);
                if status == "0" {
                    self.hung += 1;
                }
            }
            ["wrong", what] => self.wrong.push(what.to_owned()),
            ["fault", _] => self.faults += 1,
            _ => return None,
        }
        Some(())
    }

    fn attempt(&mut self, request: Uuid) -> Option<&mut Attempt> {
        match self.bookings.get_mut(&request) {
            Some(attempt) => Some(attempt),
            None => self.cancels.get_mut(&request),
        }
    }

    fn told(&mut self, request: Uuid, status: u16, named: Option<Uuid>) -> Option<()> {
        *self.answers.entry(status).or_default() += 1;
        let attempt = self.attempt(request)?;
        attempt.pending = attempt.pending.saturating_sub(1);
        let mut wrong = None;
        match (status, named) {
            (200 | 201 | 409, Some(id)) => {
                if attempt.made.is_some_and(|made| made != id) {
                    wrong = Some(format!("{request} was answered with two appointments"));
                }
                if status == 409 && attempt.sent == 1 {
                    wrong = Some(format!("{request} was sent once and called a repeat"));
                }
                attempt.made = Some(id);
            }
            (408 | 429 | 500..=599, _) => attempt.doubtful = true,
            _ => {
                attempt.refused = Some(status);
                attempt.doubtful = false;
            }
        }
        self.wrong.extend(wrong);
        Some(())
    }

    fn lost(&mut self, request: Uuid, why: Lost, micros: u64) -> Option<()> {
        let attempt = self.attempt(request)?;
        attempt.pending = attempt.pending.saturating_sub(1);
        if why != Lost::Unsent {
            attempt.doubtful = true;
            self.lost += 1;
        }
        if why == Lost::Hung {
            self.hung += 1;
            self.longest = self.longest.max(micros);
        }
        Some(())
    }
}

fn sent(attempts: &mut HashMap<Uuid, Attempt>, request: Uuid, about: Uuid) {
    let attempt = attempts.entry(request).or_default();
    attempt.about = about;
    attempt.sent += 1;
    attempt.pending += 1;
}
