//! The steps of one plan, with their ids.

use super::kind::{Part, PlanKind};
use super::published::{Row, rows};

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
        self.worded(&self.row.act)
    }

    /// What to expect.
    pub fn expected(&self) -> String {
        self.worded(&self.row.expected)
    }

    /// What people do between the tool's making ready and its check.
    pub fn handover(&self) -> Option<String> {
        self.row.handover.as_deref().map(|text| self.worded(text))
    }

    /// What people have to see for themselves.
    pub fn look(&self) -> Option<String> {
        self.row.look.as_deref().map(|text| self.worded(text))
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
        all.extend(rows(*part == Part::Branch).map(|row| Step {
            id: match part.suffix() {
                Some(suffix) => format!("{}/{suffix}", row.id),
                None => row.id.clone(),
            },
            part: *part,
            row,
            kind,
        }));
    }
    all
}

/// The step of an id, or which ids would have been right.
pub fn find<'a>(steps: &'a [Step], id: &str) -> Result<&'a Step, String> {
    let wanted = id.trim();
    if let Some(step) = steps.iter().find(|s| s.id.eq_ignore_ascii_case(wanted)) {
        return Ok(step);
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
    let near = booking::nearest::nearest(wanted, steps.iter().map(|s| s.id.as_str()));
    Err(match near {
        Some(near) => format!("this plan has no step {wanted:?}; the nearest is {near}"),
        None => format!("this plan has no step {wanted:?}; `uec assure plan show` lists its steps"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
