//! The plan as CSV: a row for each particular, actor, prerequisite, step and signature.

use super::model::{Plan, Signature};
use super::published::{fields, prerequisites};
use super::{Step, steps};
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

/// Writes a line: the cells that apply, each with its column.
fn line(out: &mut String, cells: &[(&str, &str)]) {
    debug_assert!(cells.iter().all(|(column, _)| HEAD.contains(column)));
    let cell = |column: &str| cells.iter().find(|(name, _)| *name == column);
    let all = HEAD.map(|column| cell(column).map_or("", |(_, text)| text));
    record(out, &all);
}

/// The plan as CSV (RFC 4180), with the mark by which spreadsheets recognise UTF-8.
pub fn csv(plan: &Plan) -> String {
    let mut out = String::from("\u{feff}");
    record(&mut out, &HEAD);
    before(&mut out, plan);
    for step in steps(plan.plan) {
        of_step(&mut out, plan, &step);
    }
    for signature in &plan.signatures {
        of_signature(&mut out, plan, signature);
    }
    out
}

/// Particulars, actors, prerequisites.
fn before(out: &mut String, plan: &Plan) {
    for field in fields(plan.plan) {
        let given = plan.particulars.get(&field.key);
        let cells = [
            ("Kind", "Particular"),
            ("Id", &field.key),
            ("What", &field.label),
            ("Seen", given.map_or("", String::as_str)),
        ];
        line(out, &cells);
    }
    for (role, actor) in &plan.actors {
        let by = format!("{} {}", actor.name, actor.organisation);
        let cells = [
            ("Kind", "Actor"),
            ("Id", role.word()),
            ("What", role.title()),
            ("Seen", &actor.contact),
            ("By", by.trim()),
        ];
        line(out, &cells);
    }
    for asked in prerequisites(plan.plan) {
        let check = plan.prerequisites.get(&asked.key);
        let at = check.map(|c| c.at.to_string()).unwrap_or_default();
        let cells = [
            ("Kind", "Prerequisite"),
            ("Id", &asked.key),
            ("Level", "MUST"),
            ("What", &asked.text),
            ("Result", check.map_or("", |c| c.result.shown())),
            ("Seen", check.map_or("", |c| c.note.as_str())),
            ("When", &at),
        ];
        line(out, &cells);
    }
}

fn of_step(out: &mut String, plan: &Plan, step: &Step) {
    let answer = plan.answers.get(&step.id).cloned().unwrap_or_default();
    let files: Vec<String> = answer
        .attachments
        .iter()
        .map(|a| format!("{} sha256:{}", a.file, a.sha256))
        .collect();
    let tool = answer.tool.map(|t| t.seen.join(" ")).unwrap_or_default();
    let at = answer.at.map(|at| at.to_string()).unwrap_or_default();
    let cells = [
        ("Kind", "Step"),
        ("Id", &step.id),
        ("Part", step.part.name()),
        ("Level", step.row.level.word()),
        ("Who acts", step.row.who.title()),
        ("What", &step.act()),
        ("Expected", &step.expected()),
        ("Result", answer.result.map_or("", |r| r.shown())),
        ("Seen", &answer.seen),
        ("Action", &answer.action),
        ("By", &answer.by),
        ("When", &at),
        ("Tool", &tool),
        ("Attachments", &files.join("; ")),
    ];
    line(out, &cells);
}

fn of_signature(out: &mut String, plan: &Plan, signature: &Signature) {
    let void = plan.void(signature);
    let by = format!("{} {}", signature.name, signature.organisation);
    let cells = [
        ("Kind", "Signature"),
        ("Id", signature.role.word()),
        ("Who acts", signature.role.title()),
        ("What", &signature.statement),
        ("Result", if void.is_some() { "Void" } else { "Signed" }),
        ("Seen", void.as_deref().unwrap_or_default()),
        ("By", by.trim()),
        ("When", &signature.at.to_string()),
        ("Tool", &signature.seal),
    ];
    line(out, &cells);
}
