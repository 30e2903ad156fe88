//! Requests as attempts: which of them repeat an earlier one, and whether they may (CONS-BOOK-05, CONS-REQ-03,
//! CONS-ERR-04, NAT-SSP-06).

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use super::asked::{Asked, Wanted};
use super::ledger::Notes;
use super::rules::Rule;
use super::scenario::Scenario;

/// Most attempts remembered; a repeat follows within seconds.
const MAX_REMEMBERED: usize = 2048;
/// How often one request may be sent: the first time and three repeats (NAT-SSP-06).
const MAX_SENT: usize = 4;
/// Without an X-Request-ID to tell, the same request so soon after is a repeat by the program, not by its user.
const AUTOMATIC: Duration = Duration::from_secs(5);
/// A pause shorter than this is none.
const PAUSE: Duration = Duration::from_millis(100);
/// After so long a booking of the same patient is a new case.
const SAME_CASE: Duration = Duration::from_secs(600);

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Not yet.
    Open,
    /// Answered: 2xx.
    Done,
    /// Refused: 4xx.
    Refused,
    /// Failed: 5xx.
    Failed,
    /// Never answered, or by a gateway: whether it was carried out is unknown (CONS-BOOK-05).
    Lost,
}

/// One request.
#[derive(Debug)]
pub(super) struct Attempt {
    serial: u64,
    method: String,
    path: String,
    content: u64,
    request_id: Option<String>,
    began: Instant,
    ended_at: Option<Instant>,
    pub ended: Ended,
    sent: usize,
    pause: Option<Duration>,
    /// Its answer was withheld.
    silent: bool,
    /// Of a booking: whom and which slot.
    pub booking: Option<(String, String)>,
    /// A lost write that the consumer has looked after.
    pub recovered: bool,
    /// The appointment that a lost booking made.
    pub made: Option<String>,
    pub scenario: Option<&'static Scenario>,
}

/// What an attempt repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeats {
    /// Nothing.
    Nothing,
    /// A request that was lost or failed; its serial number.
    Unfinished(u64),
    /// A request that was answered.
    Finished,
}

/// The attempts remembered.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    list: VecDeque<Attempt>,
    next: u64,
}

impl Attempts {
    /// Judges a request against the earlier ones, and remembers it.
    pub fn begin(
        &mut self,
        asked: &Asked,
        wanted: &Wanted,
        booking: Option<(String, String)>,
        notes: &mut Notes,
    ) -> (u64, Repeats) {
        let request_id = asked.header("x-request-id").map(str::to_owned);
        let writes = matches!(wanted, Wanted::Book | Wanted::Cancel { .. });
        let mut hasher = DefaultHasher::new();
        (&asked.query, &asked.body[..]).hash(&mut hasher);
        let content = hasher.finish();
        let path = asked.path.clone().unwrap_or_else(|| asked.target.clone());
        let same_place = |a: &&Attempt| a.method == asked.method && a.path == path;
        let earlier = match (&request_id, writes) {
            (Some(id), true) => self
                .list
                .iter()
                .rev()
                .find(|a| a.request_id.as_ref() == Some(id)),
            _ => self.list.iter().rev().filter(same_place).find(|a| {
                let named = request_id.is_some() && a.request_id == request_id;
                a.content == content
                    && (named
                        || asked
                            .began
                            .saturating_duration_since(a.ended_at.unwrap_or(a.began))
                            < AUTOMATIC)
            }),
        };
        let identical = earlier.is_some_and(|a| same_place(&a) && a.content == content);
        if writes && earlier.is_some() {
            let what = "The X-Request-ID of an earlier, different request is used again";
            notes.judge(Rule::RequestIdNew, identical, what);
        } else if writes {
            notes.holds(Rule::RequestIdNew);
        }
        let mut sent = 1;
        let mut pause = None;
        let mut repeats = Repeats::Nothing;
        if let Some(a) = earlier.filter(|_| identical) {
            let gap = asked
                .began
                .saturating_duration_since(a.ended_at.unwrap_or(a.began));
            // What was answered is over: the next one begins anew.
            let before = if a.ended == Ended::Done { 0 } else { a.sent };
            (sent, pause) = (before + 1, (!a.silent).then_some(gap));
            repeats = judged_repeat(a, sent, gap, notes);
        }
        if let Some((who, slot)) = &booking
            && repeats == Repeats::Nothing
        {
            self.beside(who, slot, &request_id, asked.began, notes);
        }
        let serial = self.remember(Attempt {
            serial: 0,
            method: asked.method.clone(),
            path,
            content,
            request_id,
            began: asked.began,
            ended_at: None,
            ended: Ended::Open,
            sent,
            pause,
            silent: false,
            booking,
            recovered: false,
            made: None,
            scenario: None,
        });
        (serial, repeats)
    }

    fn remember(&mut self, attempt: Attempt) -> u64 {
        let serial = self.next;
        self.next += 1;
        if self.list.len() >= MAX_REMEMBERED {
            self.list.pop_front();
        }
        self.list.push_back(Attempt { serial, ..attempt });
        serial
    }

    /// A booking that repeats none: what does it leave behind, or run beside?
    fn beside(
        &self,
        who: &str,
        slot: &str,
        request_id: &Option<String>,
        now: Instant,
        notes: &mut Notes,
    ) {
        let of_patient = |a: &&Attempt| a.booking.as_ref().is_some_and(|(other, _)| other == who);
        let recent = |a: &&Attempt| now.saturating_duration_since(a.began) < SAME_CASE;
        let is_slot = |a: &&Attempt| a.booking.as_ref().is_some_and(|(_, other)| other == slot);
        let bookings: Vec<&Attempt> = self.list.iter().filter(of_patient).filter(recent).collect();
        let open = bookings
            .iter()
            .any(|a| a.ended == Ended::Open && !is_slot(a));
        let what = "Another slot is booked for this patient while a booking is still under way";
        notes.judge(Rule::OneAtATime, !open, what);
        let lost = bookings
            .iter()
            .filter(|a| a.ended == Ended::Lost && !a.recovered && a.request_id != *request_id);
        for a in lost {
            if is_slot(a) {
                let what = "The booking whose answer was lost is sent again under another X-Request-ID, or changed";
                notes.judge(Rule::RequestIdKept, false, what);
            } else {
                let what = "Another slot is booked although nobody looked whether the booking whose answer was lost was made";
                notes.judge(Rule::Recovers, false, what);
            }
        }
    }

    /// The answer has gone, or never will.
    pub fn end(&mut self, serial: u64, ended: Ended, silent: bool, at: Instant) {
        if let Some(a) = self.get_mut(serial) {
            (a.ended, a.silent, a.ended_at) = (ended, silent, Some(at));
        }
    }

    pub fn get_mut(&mut self, serial: u64) -> Option<&mut Attempt> {
        self.list.iter_mut().rev().find(|a| a.serial == serial)
    }

    /// The lost writes that nobody has looked after.
    pub fn lost(&mut self) -> impl Iterator<Item = &mut Attempt> {
        self.list
            .iter_mut()
            .filter(|a| a.ended == Ended::Lost && !a.recovered)
    }
}

impl Attempt {
    /// True for a booking or cancellation.
    pub fn writes(&self) -> bool {
        matches!(self.method.as_str(), "POST" | "PUT")
    }

    /// The appointment that a cancellation is about.
    pub fn appointment(&self) -> Option<&str> {
        self.path
            .strip_prefix("/Appointment/")
            .filter(|_| self.method == "PUT")
    }
}

/// A request that was sent before.
fn judged_repeat(a: &Attempt, sent: usize, gap: Duration, notes: &mut Notes) -> Repeats {
    match a.ended {
        Ended::Refused => {
            let what = format!(
                "A request that was refused with 4xx is sent again unchanged, for the {} time",
                ordinal(sent)
            );
            // Once more is unwise; going on is a fault.
            let place = notes.of(Rule::NoRepeat);
            match sent {
                2 => place.should(false).or(what),
                _ => place.must(false).or(what),
            };
            Repeats::Finished
        }
        Ended::Done => Repeats::Finished,
        Ended::Open | Ended::Lost | Ended::Failed => {
            let what = format!("The same request is sent for the {} time", ordinal(sent));
            notes.judge(Rule::RetryBound, sent <= MAX_SENT, what);
            judged_pause(a, gap, notes);
            if a.writes() {
                notes.holds(Rule::RequestIdKept);
                notes.holds(Rule::Recovers);
            }
            Repeats::Unfinished(a.serial)
        }
    }
}

/// The pause before a repeat. After an answer that was withheld nobody here knows when the consumer gave up.
fn judged_pause(a: &Attempt, gap: Duration, notes: &mut Notes) {
    if a.silent || a.ended == Ended::Open {
        return;
    }
    let ms = gap.as_millis();
    let what = format!("The request is repeated without a pause, after {ms} ms");
    notes.judge(Rule::RetryPause, gap >= PAUSE, what);
    if a.pause.is_some_and(|before| gap < before.mul_f32(0.6)) {
        // Pauses with chance in them may shrink now and then: worth knowing, no fault.
        let what = format!("The pause before the repeat, {ms} ms, is shorter than the one before");
        notes.remark(Rule::RetryPause, false, what);
    }
}

fn ordinal(n: usize) -> String {
    match n {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        n => format!("{n}th"),
    }
}
