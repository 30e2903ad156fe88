//! Reading `plan.json` so that whatever is wrong with it is told with its place, all of it at once.

use super::attachment;
use super::model::{Attachment, FORMAT_NAME, FORMAT_NUMBER, Plan};
use super::published::{field_of, prerequisite_of};
use super::step;
use booking::wrong_value;
use serde_json::Value;

/// Longest text of one field, characters: a page of writing.
pub const MAX_TEXT: usize = 4_000;
/// Most faults told at once.
const MAX_FAULTS: usize = 20;
/// Most contacts: two for each part and repeat, with room for many repeats.
pub const MAX_CONTACTS: usize = 1_000;
/// Most signatures, void ones included.
pub const MAX_SIGNATURES: usize = 200;
/// Most earlier results kept of one step.
pub const MAX_EARLIER: usize = 100;

/// Why a text is no plan of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Written by a newer program.
    Newer(String),
    /// Wrong; each with its place.
    Wrong(Vec<String>),
}

/// Reads a plan.
pub fn plan(text: &str) -> Result<Plan, Unfit> {
    let one = |fault: String| Unfit::Wrong(vec![fault]);
    let value: Value = serde_json::from_str(text).map_err(|e| {
        one(format!(
            "line {}, column {}: this is no JSON: {e}",
            e.line(),
            e.column()
        ))
    })?;
    format(&value)?;
    let plan: Plan = serde_path_to_error::deserialize(&value).map_err(|e| {
        let path = e.path().to_string();
        let inner = e.into_inner().to_string();
        let inner = wrong_value::plain(&inner).unwrap_or(inner);
        one(format!(
            "{}: {inner}",
            if path == "." { "the whole" } else { &path }
        ))
    })?;
    let mut faults = faults(&plan);
    match faults.len() {
        0 => Ok(plan),
        many => {
            faults.truncate(MAX_FAULTS);
            if many > MAX_FAULTS {
                faults.push(format!("and {} more", many - MAX_FAULTS));
            }
            Err(Unfit::Wrong(faults))
        }
    }
}

fn format(value: &Value) -> Result<(), Unfit> {
    let found = value.get("format").and_then(Value::as_str);
    let right = format!("{FORMAT_NAME}/{FORMAT_NUMBER}");
    let number = found
        .and_then(|f| f.strip_prefix(FORMAT_NAME)?.strip_prefix('/'))
        .and_then(|n| n.parse::<u32>().ok());
    match (found, number) {
        (_, Some(FORMAT_NUMBER)) => Ok(()),
        (Some(found), Some(n)) if n > FORMAT_NUMBER => Err(Unfit::Newer(found.to_owned())),
        (found, _) => Err(Unfit::Wrong(vec![format!(
            "format: {} is not {right:?}: this is no operational test plan of this program",
            found.map_or_else(|| "nothing".to_owned(), |f| format!("{f:?}"))
        )])),
    }
}

/// Everything that the types do not say.
fn faults(plan: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    text(&mut found, "title", &plan.title);
    for (key, value) in &plan.particulars {
        let at = format!("particulars.{key}");
        text(&mut found, &at, value);
        match field_of(plan.plan, key).and_then(|field| field.kept(value)) {
            Ok(kept) if kept == *value => {}
            Ok(kept) => found.push(format!("{at}: write it as {kept:?}")),
            Err(why) => found.push(format!("{at}: {why}")),
        }
    }
    for (role, actor) in &plan.actors {
        let at = format!("actors.{}", role.word());
        if actor.name.trim().is_empty() {
            found.push(format!("{at}.name: it is empty; write a name or `nobody`"));
        }
        for (part, value) in [
            ("name", &actor.name),
            ("organisation", &actor.organisation),
            ("contact", &actor.contact),
        ] {
            text(&mut found, &format!("{at}.{part}"), value);
        }
    }
    for (key, check) in &plan.prerequisites {
        let at = format!("prerequisites.{key}");
        text(&mut found, &format!("{at}.note"), &check.note);
        if let Err(why) = prerequisite_of(plan.plan, key) {
            found.push(format!("{at}: {why}"));
        }
    }
    answers(plan, &mut found);
    rest(plan, &mut found);
    found
}

fn answers(plan: &Plan, found: &mut Vec<String>) {
    let steps = step::steps(plan.plan);
    let mut files = std::collections::BTreeSet::new();
    for (id, answer) in &plan.answers {
        let at = format!("answers.{id}");
        match step::find(&steps, id) {
            Ok(step) if step.id == *id => {}
            Ok(step) => found.push(format!("{at}: write the step as {}", step.id)),
            Err(why) => found.push(format!("{at}: {why}")),
        }
        for (part, value) in [
            ("seen", &answer.seen),
            ("action", &answer.action),
            ("by", &answer.by),
        ] {
            text(found, &format!("{at}.{part}"), value);
        }
        if answer.result.is_some() != answer.at.is_some() {
            found.push(format!(
                "{at}: result and at belong together; one is missing"
            ));
        }
        if answer.earlier.len() > MAX_EARLIER {
            found.push(format!("{at}.earlier: more than {MAX_EARLIER} results"));
        }
        for (n, file) in answer.attachments.iter().enumerate() {
            let at = format!("{at}.attachments[{n}]");
            attached(file, &at, found);
            if !files.insert(file.file.as_str()) {
                found.push(format!("{at}.file: {:?} is named twice", file.file));
            }
        }
    }
    if files.len() > attachment::MAX_COUNT {
        found.push(format!(
            "answers: more than {} attachments",
            attachment::MAX_COUNT
        ));
    }
}

fn attached(file: &Attachment, at: &str, found: &mut Vec<String>) {
    if !attachment::is_safe(&file.file) {
        found.push(format!(
            "{at}.file: {:?} is no plain name of a file in the folder's attachments",
            file.file
        ));
    }
    text(found, &format!("{at}.name"), &file.name);
    digest(found, &format!("{at}.sha256"), &file.sha256);
}

fn rest(plan: &Plan, found: &mut Vec<String>) {
    if plan.contacts.len() > MAX_CONTACTS {
        found.push(format!("contacts: more than {MAX_CONTACTS}"));
    }
    if plan.signatures.len() > MAX_SIGNATURES {
        found.push(format!("signatures: more than {MAX_SIGNATURES}"));
    }
    for (n, signature) in plan.signatures.iter().enumerate() {
        let at = format!("signatures[{n}]");
        text(found, &format!("{at}.name"), &signature.name);
        text(found, &format!("{at}.statement"), &signature.statement);
        digest(found, &format!("{at}.seal"), &signature.seal);
    }
}

fn text(found: &mut Vec<String>, at: &str, value: &str) {
    if value.chars().count() > MAX_TEXT {
        found.push(format!("{at}: longer than {MAX_TEXT} characters"));
    }
}

fn digest(found: &mut Vec<String>, at: &str, value: &str) {
    let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if value.len() != 64 || !value.bytes().all(lower) {
        found.push(format!("{at}: it is no SHA-256 of 64 hexadecimal digits"));
    }
}
