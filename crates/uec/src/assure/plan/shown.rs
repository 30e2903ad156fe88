//! What is printed of plans: text for people, JSON for scripts.

use crate::print;
use assurance::plan::{self, Answer, Plan, PlanKind, Step, prerequisites, standing};
use serde_json::{Value, json};
use std::fmt::Write;

/// The steps of a plan.
pub fn steps(kind: PlanKind) -> String {
    let mut out = format!("{}\n{}\n", kind.title(), kind.scope());
    by_part(&mut out, &plan::steps(kind), |step| match step.row.task {
        Some(_) => format!("{}  (automatic with --config)", step.row.title),
        None => step.row.title.clone(),
    });
    out
}

/// A line for each step, part by part.
fn by_part(out: &mut String, steps: &[Step], words: impl Fn(&Step) -> String) {
    let mut part = None;
    for step in steps {
        if part.replace((step.part, step.row.side)) != Some((step.part, step.row.side)) {
            let _ = writeln!(out, "\n{}: {}", step.part.name(), step.row.side.word());
        }
        let level = step.row.level.word();
        let _ = writeln!(out, "{:<14} {level:<5} {}", step.id, words(step));
    }
}

/// What was seen, below a step.
pub fn lines(all: &[String]) {
    for line in all {
        print(&format!("  {line}\n"));
    }
}

/// The same for scripts.
pub fn steps_json(kind: PlanKind) -> Value {
    let steps = plan::steps(kind);
    let all = steps.iter().map(|s| {
        json!({
            "id": s.id, "part": s.part.name(), "side": s.row.side.word(), "level": s.row.level.word(),
            "title": s.row.title, "who": s.row.who.title(), "do": s.act(), "expect": s.expected(),
            "automatic": s.row.task.is_some(), "look": s.look(), "catalogue": s.row.cites,
        })
    });
    Value::from(all.collect::<Vec<_>>())
}

/// How far a run is, in a sentence.
pub fn progress(plan: &Plan) -> String {
    let standing = standing(plan);
    let all = standing.steps.len();
    let answered = all - standing.unanswered.len();
    format!("{answered} of {all} steps answered.")
}

/// How a step stands, in a word.
pub fn word(answer: Option<&Answer>) -> &'static str {
    match answer {
        None => "open",
        Some(a) => match (a.result, a.missing(), &a.tool) {
            (Some(_), Some(_), _) => "half answered",
            (Some(result), None, _) => result.word(),
            (None, _, Some(tool)) if tool.passed => "done by the tool, to be looked at",
            (None, _, Some(_)) => "not as expected by the tool",
            (None, _, None) => "open",
        },
    }
}

/// Where a run stands.
pub fn plan(plan: &Plan, faults: &[String]) -> String {
    let standing = standing(plan);
    let mut out = format!("{}\n{}\n", plan.title, plan.plan.scope());
    let mut list = |what: &str, open: &[&str]| {
        if !open.is_empty() {
            let _ = writeln!(out, "{what}: {}", open.join("; "));
        }
    };
    list("Particulars to give", &standing.particulars);
    list("Actors to name", &standing.actors);
    list("Prerequisites to check", &standing.prerequisites);
    list("To give at the end", &standing.closing);
    by_part(&mut out, &standing.steps, |step| {
        let answer = plan.answers.get(&step.id);
        let by = match answer.map(|a| a.by.as_str()) {
            Some(by) if !by.is_empty() => format!(" ({by})"),
            _ => String::new(),
        };
        format!("{:<38} {}{by}", step.row.title, word(answer))
    });
    out.push('\n');
    for signature in &plan.signatures {
        let holds = match plan.void(signature) {
            None => "signed".to_owned(),
            Some(why) => format!("VOID, {why}"),
        };
        let _ = writeln!(
            out,
            "{} ({}): {holds}",
            signature.name,
            signature.role.title()
        );
    }
    let mut why = standing.why_incomplete();
    why.extend(faults.iter().map(|f| format!("{f}.")));
    match why.is_empty() {
        true => out.push_str("The plan is complete.\n"),
        false => {
            let _ = writeln!(out, "The plan is not complete. {}", why.join(" "));
        }
    }
    out
}

/// Where a run stands, for scripts.
pub fn plan_json(plan: &Plan, faults: &[String]) -> Value {
    let standing = standing(plan);
    let steps: Vec<Value> = standing
        .steps
        .iter()
        .map(|s| {
            let answer = plan.answers.get(&s.id);
            json!({ "id": s.id, "level": s.row.level.word(), "title": s.row.title, "state": word(answer), "answer": answer })
        })
        .collect();
    let signatures: Vec<Value> = plan
        .signatures
        .iter()
        .map(|s| json!({ "role": s.role.word(), "name": s.name, "at": s.at, "void": plan.void(s) }))
        .collect();
    let ready: Vec<Value> = prerequisites(plan.plan)
        .map(|p| json!({ "key": p.key, "check": plan.prerequisites.get(&p.key) }))
        .collect();
    let mut why = standing.why_incomplete();
    why.extend_from_slice(faults);
    json!({
        "plan": plan.plan.word(), "title": plan.title, "open": standing.open(), "failed": standing.failed,
        "prerequisites": ready, "steps": steps, "signatures": signatures,
        "complete": why.is_empty(), "why": why,
    })
}
