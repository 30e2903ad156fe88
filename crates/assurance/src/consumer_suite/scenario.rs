//! The scenarios: each its own DoS service, so that a consumer walks them in any order (ASR-22). They stand in `scenarios.toml`,
//! which a person can read and correct without reading the program.

use super::tally::Tally;
use booking::refusal::Situation;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

const TEXT: &str = include_str!("scenarios.toml");

/// A test reads the same text, so that it is never empty.
static SCENARIOS: LazyLock<Vec<Scenario>> = LazyLock::new(|| read().unwrap_or_default());

/// ASID of the simulated Provider, unless another one is given.
pub const PROVIDER_ASID: &str = "918999009001";

/// What part of the journey a scenario is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Slot search.
    Search,
    /// Booking.
    Book,
    /// Cancelling.
    Cancel,
    /// Directory and endpoint discovery; needs the national services in front.
    Discover,
}

impl Part {
    /// The word shown to a reader.
    pub fn word(self) -> &'static str {
        match self {
            Part::Search => "search",
            Part::Book => "book",
            Part::Cancel => "cancel",
            Part::Discover => "discover",
        }
    }
}

/// How the simulator plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(super) enum Play {
    /// As a Provider does when nothing goes wrong.
    Plain,
    /// Known, and nothing free.
    NoSlots,
    /// Slots whose schedules name nobody and no place.
    SlotsOnly,
    /// The search is refused.
    SearchRefused(Situation),
    /// The search is answered with this status and no body.
    SearchEmpty(u16),
    /// The search is never answered.
    SearchHangs,
    /// The search is answered with half a body.
    SearchBroken,
    /// Very many slots.
    ManySlots,
    /// Somebody else was quicker with the first slot.
    SlotTaken,
    /// Every booking is refused.
    BookRefused(Situation),
    /// Every booking is answered with this status and no body.
    BookEmpty(u16),
    /// The booking is stored and never answered.
    BookHangs,
    /// Every cancellation is refused.
    CancelRefused(Situation),
    /// The first cancellation of each appointment meets a change by somebody else.
    CancelMeetsChange(Situation),
    /// Every cancellation is answered with this status and no body.
    CancelEmpty(u16),
    /// The cancellation is carried out and never answered.
    CancelHangs,
    /// May be booked and referred to, as the directory's attribute has it.
    Referral { needs_booking: bool },
    /// The consumer must not get as far as the Provider.
    Stop(StopAt),
}

/// Where a consumer has to turn back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StopAt {
    /// The directory's answer is enough; SDS is not asked.
    Directory,
    /// The first answer of SDS is enough.
    System,
    /// The second answer of SDS is enough.
    Endpoint,
}

/// What `scenarios.toml` holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'static"))]
struct Scenarios {
    sentences: BTreeMap<&'static str, &'static str>,
    scenario: Vec<Scenario>,
}

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// DoS service id.
    pub id: &'static str,
    /// A short name.
    pub name: &'static str,
    /// What part of the journey it is about.
    pub part: Part,
    /// What the consumer has to do to walk it.
    pub task: &'static str,
    /// What is right.
    pub right: &'static str,
    /// Requirement ids.
    #[serde(borrow)]
    pub requirements: Vec<&'static str>,
    /// ASID of the system that the directory names; the simulator's own if none.
    #[serde(borrow)]
    pub asid: Option<&'static str>,
    pub(super) play: Play,
}

impl Scenario {
    /// Whether it can only be walked with the national services in front.
    pub fn is_national(&self) -> bool {
        self.part == Part::Discover
    }

    /// What is still to be done; none if it has been walked.
    pub(super) fn left(&self, t: &Tally) -> Option<&'static str> {
        let step = |done: bool, todo: &'static str| (!done).then_some(todo);
        let search = || step(t.searches > 0, "search for its slots");
        match self.play {
            Play::Plain => search()
                .or(step(t.booked > 0, "book a slot"))
                .or(step(t.reads > 0, "read the appointment"))
                .or(step(t.cancelled > 0, "cancel the appointment"))
                .or(step(t.booked > 1, "book another slot for the same patient")),
            Play::NoSlots
            | Play::SearchRefused(_)
            | Play::SearchEmpty(_)
            | Play::SearchHangs
            | Play::SearchBroken
            | Play::ManySlots => search(),
            Play::SlotsOnly => search().or(step(t.booked > 0, "book a slot")),
            Play::SlotTaken => search()
                .or(step(t.taken > 0, "book a slot"))
                .or(step(t.searches_after_refusal > 0, "search again"))
                .or(step(t.booked > 0, "book another slot")),
            Play::BookRefused(_) => search().or(step(t.refused > 0, "book a slot")),
            Play::BookEmpty(_) => search().or(step(t.unanswered > 0, "book a slot")).or(step(
                t.recovered > 0,
                "try the same booking again, or look whether it was made",
            )),
            Play::BookHangs => search().or(step(t.unanswered > 0, "book a slot")).or(step(
                t.recovered > 0,
                "send the same booking again, or look whether it was made",
            )),
            Play::CancelRefused(_) => step(t.booked > 0, "book a slot")
                .or(step(t.refused_cancels > 0, "cancel the appointment")),
            Play::CancelMeetsChange(_) => step(t.booked > 0, "book a slot")
                .or(step(t.conflicts > 0, "cancel the appointment"))
                .or(step(t.reads_after_conflict > 0, "read it again"))
                .or(step(t.cancelled > 0, "cancel it with the new version")),
            Play::CancelEmpty(_) | Play::CancelHangs => step(t.booked > 0, "book a slot")
                .or(step(t.unanswered_cancels > 0, "cancel the appointment"))
                .or(step(
                    t.recovered_cancels > 0,
                    "try again, or look at the appointment",
                )),
            Play::Referral {
                needs_booking: false,
            } => step(t.chosen > 0, "choose the service")
                .or(step(t.referrals > 0, "send the referral without a booking")),
            Play::Referral {
                needs_booking: true,
            } => step(
                t.chosen > 0,
                "choose the service, and try to refer without a booking",
            ),
            Play::Stop(StopAt::Directory) => {
                step(t.chosen > 0, "choose the service, and try to book")
            }
            Play::Stop(StopAt::System) => {
                step(t.system_asked > 0, "choose the service, and try to book")
            }
            Play::Stop(StopAt::Endpoint) => {
                step(t.system_asked > 0, "choose the service, and try to book")
                    .or(step(t.endpoint_asked > 0, "ask SDS for its endpoint"))
            }
        }
    }
}

/// Reads the scenarios, with the shared sentences in the place of their names.
fn read() -> Result<Vec<Scenario>, toml::de::Error> {
    let Scenarios {
        sentences,
        mut scenario,
    } = toml::from_str(TEXT)?;
    for scenario in &mut scenario {
        if let Some(sentence) = sentences.get(scenario.right) {
            scenario.right = sentence;
        }
    }
    Ok(scenario)
}

/// The scenario of a service.
pub fn scenario(id: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|s| s.id == id)
}

/// All scenarios: TKW's services first, then ours.
pub fn scenarios() -> &'static [Scenario] {
    &SCENARIOS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_read_whole() {
        let all = read().unwrap();
        assert_eq!(all.len(), 43);
        assert!(all.iter().all(|s| s.right.contains(' ')));
    }
}
