//! The three published plans, and the parts that each has.

use booking::nearest::named;
use serde::{Deserialize, Serialize};

/// One of the published operational test plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanKind {
    /// 111 to an urgent treatment centre.
    Utc,
    /// 111 to a GP hub.
    GpHub,
    /// 111 to the patient's registered practice.
    RegisteredPractice,
}

impl PlanKind {
    /// All of them.
    pub const ALL: [PlanKind; 3] = [PlanKind::Utc, PlanKind::GpHub, PlanKind::RegisteredPractice];

    /// The word on the command line and in the file.
    pub fn word(self) -> &'static str {
        match self {
            PlanKind::Utc => "utc",
            PlanKind::GpHub => "gp-hub",
            PlanKind::RegisteredPractice => "registered-practice",
        }
    }

    /// The plan of a word.
    pub fn from_word(word: &str) -> Result<PlanKind, String> {
        let word = word.trim().to_ascii_lowercase();
        named("plan", &word, PlanKind::ALL.into_iter(), |kind| kind.word())
    }

    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            PlanKind::Utc => "111 to UTC: operational test plan",
            PlanKind::GpHub => "111 to GP hub: operational test plan",
            PlanKind::RegisteredPractice => "111 to registered practice: operational test plan",
        }
    }

    /// The providing side, within a sentence.
    pub fn place(self) -> &'static str {
        match self {
            PlanKind::Utc => "the UTC",
            PlanKind::GpHub => "the GP hub",
            PlanKind::RegisteredPractice => "the practice",
        }
    }

    /// What a reader has to know about how far the plan goes.
    pub fn scope(self) -> &'static str {
        match self {
            PlanKind::Utc => "Care Connect booking from 111 to an urgent treatment centre.",
            PlanKind::GpHub | PlanKind::RegisteredPractice => {
                "The steps of the plan to a UTC, once for each disposition from Dx05 to Dx08, and booking at a branch or \
                 other location. The published plan was written for GP Connect, which is out of scope: bookings here go \
                 through the booking standard."
            }
        }
    }

    /// Its parts, in order.
    pub fn parts(self) -> &'static [Part] {
        const WHOLE: &[Part] = &[Part::Whole];
        const EACH: &[Part] = &[
            Part::Disposition("Dx05"),
            Part::Disposition("Dx06"),
            Part::Disposition("Dx07"),
            Part::Disposition("Dx08"),
            Part::Branch,
        ];
        match self {
            PlanKind::Utc => WHOLE,
            PlanKind::GpHub | PlanKind::RegisteredPractice => EACH,
        }
    }
}

/// A part of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A plan in one part.
    Whole,
    /// The steps for one disposition.
    Disposition(&'static str),
    /// Booking at a branch or other location.
    Branch,
}

impl Part {
    /// What stands behind a step's number: nothing, or the disposition.
    pub fn suffix(self) -> Option<&'static str> {
        match self {
            Part::Disposition(code) => Some(code),
            Part::Whole | Part::Branch => None,
        }
    }

    /// Its name, for headings and for the contacts that belong to it.
    pub fn name(self) -> &'static str {
        match self {
            Part::Whole => "Steps",
            Part::Disposition(code) => code,
            Part::Branch => "Branch or other location",
        }
    }
}
