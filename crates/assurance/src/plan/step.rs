//! A step as the plans have it (a row), and as one plan has it (a step with its id).

use super::actors::Role;
use super::kind::{Part, PlanKind};
use super::{consumer_steps, provider_steps};
use crate::requirements::Level;

/// Whose side a step is looked at from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

/// What the tool makes ready, so that people can do their part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// An appointment that stands.
    Booked,
    /// An appointment that stands and that nothing was done with yet.
    Fresh,
    /// An appointment that stands, with its referral sent.
    Referred,
}

/// A row of the published plans.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number.
    pub id: &'static str,
    /// Whose side.
    pub side: Side,
    /// How binding.
    pub level: Level,
    /// Who acts.
    pub who: Role,
    /// A few words.
    pub title: &'static str,
    /// What to do. `{place}` is the providing side.
    pub act: &'static str,
    /// What to expect.
    pub expect: &'static str,
    /// What the tool can do of it.
    pub task: Option<Task>,
    /// What the tool makes ready before people act.
    pub ready: Option<Ready>,
    /// What people have to do between making ready and the tool's check.
    pub handover: Option<&'static str>,
    /// What people have to see for themselves after the tool did its part.
    pub look: Option<&'static str>,
    /// Ids of the catalogue that say the same in detail.
    pub cites: &'static [&'static str],
}

impl Row {
    pub(super) const fn new(
        id: &'static str,
        side: Side,
        level: Level,
        who: Role,
        title: &'static str,
    ) -> Row {
        Row {
            id,
            side,
            level,
            who,
            title,
            act: "",
            expect: "",
            task: None,
            ready: None,
            handover: None,
            look: None,
            cites: &[],
        }
    }

    pub(super) const fn act(mut self, act: &'static str) -> Row {
        self.act = act;
        self
    }

    pub(super) const fn expected(mut self, expect: &'static str) -> Row {
        self.expect = expect;
        self
    }

    pub(super) const fn task(mut self, task: Task) -> Row {
        self.task = Some(task);
        self
    }

    pub(super) const fn ready(mut self, ready: Ready) -> Row {
        self.ready = Some(ready);
        self
    }

    pub(super) const fn handover(mut self, what: &'static str) -> Row {
        self.handover = Some(what);
        self
    }

    pub(super) const fn look(mut self, question: &'static str) -> Row {
        self.look = Some(question);
        self
    }

    pub(super) const fn cites(mut self, ids: &'static [&'static str]) -> Row {
        self.cites = ids;
        self
    }
}

/// A step of one plan.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its id in this plan: `OPS-C5`, or `OPS-C5/Dx06` where the plan repeats it.
    pub id: String,
    /// The part it belongs to.
    pub part: Part,
    /// The row.
    pub row: &'static Row,
    kind: PlanKind,
}

impl Step {
    /// What to do, in the words of this plan.
    pub fn act(&self) -> String {
        self.worded(self.row.act)
    }

    /// What to expect.
    pub fn expected(&self) -> String {
        self.worded(self.row.expect)
    }

    /// What people do between the tool's making ready and its check.
    pub fn handover(&self) -> Option<String> {
        self.row.handover.map(|text| self.worded(text))
    }

    /// What people have to see for themselves.
    pub fn look(&self) -> Option<String> {
        self.row.look.map(|text| self.worded(text))
    }

    fn worded(&self, text: &str) -> String {
        text.replace("{place}", self.kind.place())
    }

    /// The id as a part of a file name.
    pub fn file_name(&self) -> String {
        self.id.replace('/', "-")
    }
}

/// The steps of a plan, in order: part by part, the consumer side first.
pub fn steps(kind: PlanKind) -> Vec<Step> {
    let mut all = Vec::new();
    for part in kind.parts() {
        let rows: [&'static [Row]; 2] = match part {
            Part::Whole | Part::Disposition(_) => [consumer_steps::ROWS, provider_steps::ROWS],
            Part::Branch => [consumer_steps::BRANCH, provider_steps::BRANCH],
        };
        all.extend(rows.into_iter().flatten().map(|row| Step {
            id: match part.suffix() {
                Some(suffix) => format!("{}/{suffix}", row.id),
                None => row.id.to_owned(),
            },
            part: *part,
            row,
            kind,
        }));
    }
    all
}

/// The step of an id, or which ids would have been right.
pub fn find(steps: &[Step], id: &str) -> Result<usize, String> {
    let wanted = id.trim();
    if let Some(at) = steps.iter().position(|s| s.id.eq_ignore_ascii_case(wanted)) {
        return Ok(at);
    }
    let repeated: Vec<&str> = steps
        .iter()
        .filter(|s| s.row.id.eq_ignore_ascii_case(wanted))
        .map(|s| s.id.as_str())
        .collect();
    if !repeated.is_empty() {
        return Err(format!(
            "this plan has the step {wanted} once for each disposition: write {}",
            repeated.join(", ")
        ));
    }
    let near = super::nearest::nearest(wanted, steps.iter().map(|s| s.id.as_str()));
    Err(match near {
        Some(near) => format!("this plan has no step {wanted:?}; the nearest is {near}"),
        None => format!("this plan has no step {wanted:?}; `uec assure plan show` lists its steps"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every published number of the consumer side once, the absent one not.
    #[test]
    fn the_consumer_side_has_the_published_numbers() {
        let ids: Vec<&str> = consumer_steps::ROWS.iter().map(|r| r.id).collect();
        let wanted: Vec<String> = (1..=14)
            .filter(|n| *n != 6)
            .map(|n| format!("OPS-C{n}"))
            .collect();
        assert_eq!(ids, wanted);
        for row in consumer_steps::ROWS {
            let may = row.id == "OPS-C12";
            assert_eq!(row.level == Level::May, may, "{}", row.id);
        }
    }

    /// The same of the provider side.
    #[test]
    fn the_provider_side_has_the_published_numbers() {
        let ids: Vec<&str> = provider_steps::ROWS.iter().map(|r| r.id).collect();
        let wanted: Vec<String> = (1..=12)
            .filter(|n| *n != 6)
            .map(|n| format!("OPS-P{n}"))
            .collect();
        assert_eq!(ids, wanted);
        for row in provider_steps::ROWS {
            assert_eq!(row.level == Level::May, row.id == "OPS-P10", "{}", row.id);
        }
    }

    #[test]
    fn each_plan_has_its_parts() {
        let utc = steps(PlanKind::Utc);
        assert_eq!(utc.len(), 24);
        for kind in [PlanKind::GpHub, PlanKind::RegisteredPractice] {
            let all = steps(kind);
            assert_eq!(all.len(), 4 * 24 + 2);
            assert!(all.iter().any(|s| s.id == "OPS-C5/Dx08"));
            assert!(all.iter().all(|s| !s.act().contains('{')));
        }
        assert!(
            utc.iter()
                .all(|s| !s.row.act.is_empty() && !s.row.expect.is_empty())
        );
    }

    #[test]
    fn a_wrong_id_is_answered_with_the_right_one() {
        let utc = steps(PlanKind::Utc);
        assert!(find(&utc, "ops-c5").is_ok());
        assert!(find(&utc, "OPS-C6").unwrap_err().contains("OPS-C"));
        let hub = steps(PlanKind::GpHub);
        assert!(find(&hub, "OPS-C5").unwrap_err().contains("OPS-C5/Dx07"));
        assert!(
            !find(&hub, "nothing like it")
                .unwrap_err()
                .contains("nearest")
        );
    }
}
