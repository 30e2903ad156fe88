//! The plan as CSV: a row for each particular, actor, prerequisite, step and signature.

use super::model::{Plan, Signature};
use super::{Role, Step, particulars, prerequisites, steps};
use crate::evidence::record;

/// The columns.
const HEAD: [&str; 14] = [
    "Kind",
    "Id",
    "Part",
    "Level",
    "Who acts",
    "What",
    "Expected",
    "Result",
    "Seen",
    "Action",
    "By",
    "When",
    "Tool",
    "Attachments",
];

/// One line of the table; what does not apply is empty.
#[derive(Default)]
struct Row<'a> {
    kind: &'a str,
    id: &'a str,
    part: &'a str,
    level: &'a str,
    who: &'a str,
    what: &'a str,
    expected: &'a str,
    result: &'a str,
    seen: &'a str,
    action: &'a str,
    by: &'a str,
    when: &'a str,
    tool: &'a str,
    attachments: &'a str,
}

impl Row<'_> {
    fn write(&self, out: &mut String) {
        let cells = [
            self.kind,
            self.id,
            self.part,
            self.level,
            self.who,
            self.what,
            self.expected,
            self.result,
            self.seen,
            self.action,
            self.by,
            self.when,
            self.tool,
            self.attachments,
        ];
        record(out, &cells);
    }
}

/// The plan as CSV (RFC 4180), with the mark by which spreadsheets recognise UTF-8.
pub fn csv(plan: &Plan) -> String {
    let mut out = String::from("\u{feff}");
    record(&mut out, &HEAD);
    before(&mut out, plan);
    for step in steps(plan.plan) {
        step_row(&mut out, plan, &step);
    }
    for signature in &plan.signatures {
        signature_row(&mut out, plan, signature);
    }
    out
}

/// Particulars, actors, prerequisites.
fn before(out: &mut String, plan: &Plan) {
    for field in particulars::fields(plan.plan) {
        let row = Row {
            kind: "Particular",
            id: field.key,
            what: field.label,
            seen: plan.particulars.get(field.key).map_or("", String::as_str),
            ..Row::default()
        };
        row.write(out);
    }
    for role in Role::ALL {
        let Some(actor) = plan.actors.get(&role) else {
            continue;
        };
        let by = format!("{} {}", actor.name, actor.organisation);
        let row = Row {
            kind: "Actor",
            id: role.word(),
            what: role.title(),
            seen: &actor.contact,
            by: by.trim(),
            ..Row::default()
        };
        row.write(out);
    }
    for asked in prerequisites::prerequisites(plan.plan) {
        let check = plan.prerequisites.get(asked.key);
        let at = check.map(|c| c.at.to_string()).unwrap_or_default();
        let row = Row {
            kind: "Prerequisite",
            id: asked.key,
            level: "MUST",
            what: asked.text,
            result: check.map_or("", |c| c.result.shown()),
            seen: check.map_or("", |c| c.note.as_str()),
            when: &at,
            ..Row::default()
        };
        row.write(out);
    }
}

fn step_row(out: &mut String, plan: &Plan, step: &Step) {
    let answer = plan.answers.get(&step.id).cloned().unwrap_or_default();
    let files: Vec<String> = answer
        .attachments
        .iter()
        .map(|a| format!("{} sha256:{}", a.file, a.sha256))
        .collect();
    let tool = answer.tool.as_ref().map(|t| t.seen.join(" "));
    let at = answer.at.map(|at| at.to_string()).unwrap_or_default();
    let row = Row {
        kind: "Step",
        id: &step.id,
        part: step.part.name(),
        level: step.row.level.word(),
        who: step.row.who.title(),
        what: &step.act(),
        expected: &step.expected(),
        result: answer.result.map_or("", |r| r.shown()),
        seen: &answer.seen,
        action: &answer.action,
        by: &answer.by,
        when: &at,
        tool: &tool.unwrap_or_default(),
        attachments: &files.join("; "),
    };
    row.write(out);
}

fn signature_row(out: &mut String, plan: &Plan, signature: &Signature) {
    let void = plan.void(signature);
    let by = format!("{} {}", signature.name, signature.organisation);
    let at = signature.at.to_string();
    let row = Row {
        kind: "Signature",
        id: signature.role.word(),
        who: signature.role.title(),
        what: &signature.statement,
        result: if void.is_some() { "Void" } else { "Signed" },
        seen: void.as_deref().unwrap_or_default(),
        by: by.trim(),
        when: &at,
        tool: &signature.seal,
        ..Row::default()
    };
    row.write(out);
}
