//! What the simulator knows. `driver.rs` leads a request through it.

use crate::evidence::Finding;
use booking::ids::Asid;
use booking::refusal::Refusal;
use fhir::Element;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use super::asked::{Root, Wanted};
use super::attempts::Attempts;
use super::diary::Diary;
use super::judge::token::TokenUses;
use super::ledger::{Ledger, Notes};
use super::national::National;
use super::reply::{Manner, Reply};
use super::scenario::{PROVIDER_ASID, Scenario, scenarios};
use super::tally::Tally;

/// How far the clocks of consumer and simulator may be apart (NAT-JWT-06).
pub(super) const TOLERANCE_SECONDS: i64 = 60;
/// Most X-Request-IDs and documents remembered.
pub(super) const MAX_IDS: usize = 10_000;

/// An appointment.
#[derive(Debug)]
pub(super) struct Stored {
    pub service: &'static Scenario,
    pub slot: String,
    pub number: Option<String>,
    pub versions: Vec<(Element, Timestamp)>,
    /// The version that the consumer has read last, and the read's own count.
    pub read: Option<(u32, Element)>,
    /// Somebody else has changed it already.
    pub changed: bool,
    /// A conflict was answered, and no read has followed.
    pub unread_conflict: bool,
}

impl Stored {
    pub fn version(&self) -> u32 {
        u32::try_from(self.versions.len()).unwrap_or(u32::MAX)
    }

    pub fn current(&self) -> Option<&(Element, Timestamp)> {
        self.versions.last()
    }
}

/// What is to become of a request.
#[derive(Debug)]
pub(super) struct Taken {
    pub reply: Reply,
    pub manner: Manner,
    pub judged: Judged,
    /// A booking takes a moment, as a real one does.
    pub slow: bool,
}

/// What was judged of a request, until its answer has gone.
#[derive(Debug)]
pub(super) struct Judged {
    pub notes: Notes,
    pub operation: &'static str,
    pub scenario: Option<&'static Scenario>,
    pub serial: Option<u64>,
}

/// Everything that the simulator knows.
pub(super) struct State {
    pub root: Root,
    pub https: bool,
    pub from: Option<Asid>,
    pub to: Asid,
    pub through_ssp: bool,
    pub chosen: Vec<&'static Scenario>,
    pub diary: Diary,
    pub appointments: HashMap<String, Stored>,
    pub attempts: Attempts,
    pub ledger: Ledger,
    pub national: National,
    pub tallies: HashMap<&'static str, Tally>,
    pub tokens: TokenUses,
    /// Request ids of successful writes, and the appointment of each (ERR-11).
    pub used: HashMap<String, String>,
    /// Documents of bookings that were made.
    pub documents: HashSet<String>,
    /// Trace ids of bookings: which patient, which services.
    pub traces: HashMap<String, (String, HashSet<&'static str>)>,
    /// Services whose next booking finds its slot taken.
    pub taken: HashMap<&'static str, bool>,
    /// Services where slots have to be fetched anew before the next booking.
    pub stale: HashSet<&'static str>,
    /// Services that were searched.
    pub searched: HashSet<&'static str>,
    pub ssp_seen: bool,
    pub last: Option<Instant>,
    pub target: Option<String>,
    pub recent: VecDeque<String>,
}

impl State {
    pub fn new(
        root: Root,
        from: Option<Asid>,
        to: Asid,
        through_ssp: bool,
        national: bool,
        chosen: &[String],
    ) -> State {
        let wanted = |s: &&'static Scenario| match chosen.is_empty() {
            true => national || !s.is_national(),
            false => chosen.iter().any(|c| c == s.id),
        };
        State {
            https: root.url().starts_with("https"),
            root,
            from,
            to,
            through_ssp,
            chosen: scenarios().iter().filter(wanted).collect(),
            diary: Diary::default(),
            appointments: HashMap::new(),
            attempts: Attempts::default(),
            ledger: Ledger::new(),
            national: National::new(national),
            tallies: HashMap::new(),
            tokens: TokenUses::default(),
            used: HashMap::new(),
            documents: HashSet::new(),
            traces: HashMap::new(),
            taken: HashMap::new(),
            stale: HashSet::new(),
            searched: HashSet::new(),
            ssp_seen: false,
            last: None,
            target: None,
            recent: VecDeque::new(),
        }
    }

    pub fn tally(&mut self, scenario: &'static Scenario) -> &mut Tally {
        self.tallies.entry(scenario.id).or_default()
    }

    /// The ASID that the directory names for a service.
    pub fn asid_of(&self, scenario: &Scenario) -> &str {
        scenario.asid.unwrap_or(self.to.as_str())
    }

    /// Whether an ASID is one that the directory names.
    pub fn is_announced(&self, asid: &str) -> bool {
        asid == self.to.as_str()
            || (self.to.as_str() != PROVIDER_ASID && asid == PROVIDER_ASID)
            || scenarios().iter().any(|s| s.asid == Some(asid))
    }
}

/// A request on its way.
pub(super) struct Call {
    pub wanted: Wanted,
    pub scenario: Option<&'static Scenario>,
    pub serial: Option<u64>,
    pub now: Timestamp,
}

/// What is shown of a request while the simulator runs.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The request's number, from 1.
    pub number: usize,
    /// The operation, in a word.
    pub operation: &'static str,
    /// The scenario.
    pub scenario: Option<&'static Scenario>,
    /// The status that was answered; none if no answer was given on purpose.
    pub status: Option<u16>,
    /// What is wrong with the request.
    pub findings: Vec<Finding>,
}

/// A body that was read, or why it cannot be.
pub(super) type Parsed = Result<fhir::Parsed, Box<Refusal>>;

/// Printable and short, fit for a sentence.
pub(super) fn clipped(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(80)
        .collect()
}
