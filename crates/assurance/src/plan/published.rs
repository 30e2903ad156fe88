//! The published operational test plans as data: what is written down, what has to be there, the steps.
//!
//! All of it stands in `published.toml`, which a person can read and correct without reading the program.

use super::actors::Role;
use super::kind::PlanKind;
use crate::requirements::Level;
use booking::nearest::named;
use serde::Deserialize;
use std::sync::LazyLock;

const TEXT: &str = include_str!("published.toml");

/// A test reads the same text, so that it is never empty.
static PUBLISHED: LazyLock<Published> = LazyLock::new(|| toml::from_str(TEXT).unwrap_or_default());

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    particular: Vec<Field>,
    prerequisite: Vec<Prerequisite>,
    step: Vec<Row>,
}

/// What a value has to look like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// Any text.
    #[default]
    Text,
    /// A date such as 2031-03-04.
    Date,
    /// Directory (DoS) service ids, separated by commas.
    Services,
    /// Minutes, and words about them.
    SlotPattern,
    /// One of these words.
    OneOf(Vec<String>),
    /// NHS number of the test patient.
    NhsNumber,
    /// A disposition code such as Dx05.
    Disposition,
}

/// One particular: systems, services, slot pattern, test patient, date, result, actions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its key in the file.
    pub key: String,
    /// The question.
    pub label: String,
    /// More about it, for `?`.
    pub help: String,
    /// What it holds.
    #[serde(default)]
    pub holds: Holds,
    /// Whether the plan is incomplete without it.
    #[serde(default = "yes")]
    pub required: bool,
    /// Whether it is known only after the steps.
    #[serde(default)]
    pub after: bool,
    #[serde(default = "every_plan")]
    plans: Vec<PlanKind>,
}

/// One prerequisite (DEP-02, DEP-03, DEP-05, DEP-06).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prerequisite {
    /// Its key in the file.
    pub key: String,
    /// What has to be so.
    pub text: String,
    /// Ids of the catalogue that ask for it.
    pub cites: Vec<String>,
    #[serde(default = "every_plan")]
    plans: Vec<PlanKind>,
}

/// Whose side a step is looked at from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// 111.
    Consumer,
    /// The service that is booked.
    Provider,
}

impl Side {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Side::Consumer => "Consumer side",
            Side::Provider => "Provider side",
        }
    }
}

/// What the tool does in a step, when it has a consumer to do it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Booking is offered for the service.
    Offered,
    /// Lists the free slots.
    Slots,
    /// A service without slots says so.
    NoSlots,
    /// The clinics and types among the slots.
    Clinics,
    /// Books.
    Book,
    /// Books another slot within the same contact.
    RebookWithin,
    /// Books another slot in a new contact, the first one being closed.
    RebookAfter,
    /// The slot of an appointment that was cancelled locally can be booked again.
    Freed,
    /// Cancels within the contact.
    Cancel,
    /// Cancels after the contact.
    CancelAfter,
    /// Sends the referral of a booking.
    Refer,
    /// Writes the text message.
    TextMessage,
    /// Shows under which case number the contact is kept.
    CaseNumber,
    /// Counts what the reports have to show at least.
    Counts,
    /// Books at the branch.
    BookBranch,
    /// Makes ready what people need before they act.
    #[serde(skip)]
    MakeReady(Ready),
}

/// What the tool makes ready, so that people can do their part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ready {
    /// An appointment that stands.
    Booked,
    /// An appointment that stands and that nothing was done with yet.
    Fresh,
    /// An appointment that stands, with its referral sent.
    Referred,
}

/// A row of the published plans.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its number.
    pub id: String,
    /// Whose side.
    pub side: Side,
    /// Whether it belongs to the part about a branch or other location.
    #[serde(default)]
    pub branch: bool,
    /// How binding.
    pub level: Level,
    /// Who acts.
    pub who: Role,
    /// A few words.
    pub title: String,
    /// What to do. `{place}` is the providing side.
    pub act: String,
    /// What to expect.
    pub expected: String,
    /// What the tool can do of it.
    pub task: Option<Task>,
    /// What the tool makes ready before people act.
    pub ready: Option<Ready>,
    /// What people have to do between making ready and the tool's check.
    pub handover: Option<String>,
    /// What people have to see for themselves after the tool did its part.
    pub look: Option<String>,
    /// Ids of the catalogue that say the same in detail.
    #[serde(default)]
    pub cites: Vec<String>,
}

fn yes() -> bool {
    true
}

fn every_plan() -> Vec<PlanKind> {
    PlanKind::ALL.to_vec()
}

/// The particulars of a plan, in the order in which they are asked for.
pub fn fields(kind: PlanKind) -> impl Iterator<Item = &'static Field> {
    let all = PUBLISHED.particular.iter();
    all.filter(move |field| field.plans.contains(&kind))
}

/// The particular of a key.
pub fn field_of(kind: PlanKind, key: &str) -> Result<&'static Field, String> {
    named("particular", key, fields(kind), |field| &field.key)
}

/// The prerequisites of a plan.
pub fn prerequisites(kind: PlanKind) -> impl Iterator<Item = &'static Prerequisite> {
    let all = PUBLISHED.prerequisite.iter();
    all.filter(move |asked| asked.plans.contains(&kind))
}

/// The prerequisite of a key.
pub fn prerequisite_of(kind: PlanKind, key: &str) -> Result<&'static Prerequisite, String> {
    named("prerequisite", key, prerequisites(kind), |asked| &asked.key)
}

/// The steps of a part about a branch, or of any other part: the consumer side first.
pub(super) fn rows(branch: bool) -> impl Iterator<Item = &'static Row> {
    let all = PUBLISHED.step.iter();
    all.filter(move |row| row.branch == branch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_read_whole() {
        toml::from_str::<Published>(TEXT).unwrap();
    }

    /// Every published number once, the absent one not; the optional steps are those on text messages.
    #[test]
    fn each_side_has_the_published_numbers() {
        for (side, letter, last, optional) in [
            (Side::Consumer, 'C', 14, "OPS-C12"),
            (Side::Provider, 'P', 12, "OPS-P10"),
        ] {
            let of_side: Vec<_> = rows(false).filter(|r| r.side == side).collect();
            let ids: Vec<&str> = of_side.iter().map(|r| r.id.as_str()).collect();
            let wanted = (1..=last).filter(|n| *n != 6);
            let wanted: Vec<String> = wanted.map(|n| format!("OPS-{letter}{n}")).collect();
            assert_eq!(ids, wanted);
            for row in of_side {
                assert_eq!(row.level == Level::May, row.id == optional, "{}", row.id);
            }
        }
    }
}
