//! The report of a plan for people: one page, read on a telephone, on paper and by a screen reader.

use super::attachment::{self, FOLDER};
use super::folder::PlanError;
use super::model::{Answer, Attachment, Outcome, Plan};
use super::progress::{Standing, attachment_faults, standing};
use super::{Part, Role, Step, particulars, prerequisites, table};
use crate::evidence::markup::Markup;
use crate::evidence::report::{page, rows};
use crate::evidence::{Mark, write_whole};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use booking::named_file;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Name of the report in the plan's folder.
const REPORT: &str = "report.html";
/// Name of the table in the plan's folder.
const TABLE: &str = "plan.csv";
/// Largest picture that is shown in the report; a larger one is linked.
const PICTURE: u64 = 512 * 1024;
/// Bytes of pictures in one report: browsers on telephones slow down beyond a few MB.
const PICTURES: u64 = 6 * 1024 * 1024;

/// What was written, and whether the plan is complete.
#[derive(Clone, Debug)]
pub struct Reports {
    /// The page.
    pub page: PathBuf,
    /// The table.
    pub table: PathBuf,
    /// Why the plan is not complete, one sentence for each reason; empty when it is.
    pub why_incomplete: Vec<String>,
}

/// Writes report and table: into the plan's folder, or to `out` and beside it with the ending `.csv`. Links to
/// attachments lead into the plan's folder.
pub fn write_report(folder: &Path, plan: &Plan, out: Option<&Path>) -> Result<Reports, PlanError> {
    let (page, csv) = match out {
        Some(out) => (out.to_owned(), out.with_extension("csv")),
        None => (folder.join(REPORT), folder.join(TABLE)),
    };
    if page == csv {
        return Err(PlanError::Wrong(format!(
            "{} is the name of the table: give the page another ending, such as .html",
            page.display()
        )));
    }
    let standing = standing(plan);
    let faults = attachment_faults(folder, plan);
    let mut why_incomplete = standing.why_incomplete();
    why_incomplete.extend(faults.iter().map(|fault| format!("{fault}.")));
    let links = links(folder, &page);
    let text = Writer {
        plan,
        standing: &standing,
        folder,
        links,
        pictures: PICTURES,
        out: Markup::default(),
    }
    .page(&why_incomplete);
    write_whole(&page, text.as_bytes())?;
    write_whole(&csv, table::csv(plan).as_bytes())?;
    Ok(Reports {
        page,
        table: csv,
        why_incomplete,
    })
}

/// What stands in front of an attachment's name in a link.
fn links(folder: &Path, page: &Path) -> String {
    let of = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let beside = page.parent().is_some_and(|parent| of(parent) == of(folder));
    if beside {
        return format!("{FOLDER}/");
    }
    // Away from its folder the page says where the files were, without the path of one machine.
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned());
    let name = attachment::safe(&name.unwrap_or_default());
    format!("{name}/{FOLDER}/")
}

struct Writer<'a> {
    plan: &'a Plan,
    standing: &'a Standing,
    folder: &'a Path,
    links: String,
    pictures: u64,
    out: Markup,
}

fn mark_of(outcome: Option<Outcome>) -> (Mark, &'static str) {
    match outcome {
        Some(Outcome::Passed) => (Mark::Passed, "Passed"),
        Some(Outcome::Failed) => (Mark::Failed, "Failed"),
        Some(Outcome::NotApplicable) => (Mark::Declared, "Not applicable"),
        None => (Mark::Untried, "Open"),
    }
}

impl Writer<'_> {
    fn page(mut self, why: &[String]) -> String {
        page::start_with_images(
            &mut self.out,
            &self.plan.title,
            Some(("steps", "Skip to the steps")),
        );
        self.out.open("main", &[("id", "main")]);
        self.out.element("h1", &[], &self.plan.title);
        self.short(why);
        self.particulars();
        self.failures();
        self.prerequisites();
        let choices = [
            ("failed", "Failed"),
            ("passed", "Passed"),
            ("declared", "Not applicable"),
            ("untried", "Open"),
        ];
        page::filter_of(&mut self.out, &choices);
        self.steps();
        self.signatures();
        self.out.close("main");
        page::end_saying(
            &mut self.out,
            "Test patients only: neither this report nor its attachments may name a real one.",
        );
        self.out.finish()
    }

    fn short(&mut self, why: &[String]) {
        let (passed, not_applicable) = self.standing.counts;
        let failed = self.standing.failed.len() + self.standing.failed_optional.len();
        let all = self.standing.steps.len();
        let out = &mut self.out;
        out.open("section", &[("aria-labelledby", "short")]);
        out.element("h2", &[("id", "short")], "In short");
        let verdict = match why.is_empty() {
            true => {
                "The plan is complete: every step is answered, no binding step failed, every actor signed."
            }
            false => "The plan is not complete.",
        };
        let open = all - passed - not_applicable - failed;
        out.element(
            "p",
            &[("class", "lead")],
            &format!(
                "{verdict} Of {all} steps {passed} passed, {failed} failed, {not_applicable} do not apply, {open} are open."
            ),
        );
        if !why.is_empty() {
            out.open("ul", &[]);
            for reason in why {
                out.element("li", &[], reason);
            }
            out.close("ul");
        }
        out.element("p", &[("class", "note")], self.plan.plan.scope());
        out.close("section");
    }

    fn particulars(&mut self) {
        let plan = self.plan;
        let out = &mut self.out;
        out.open("section", &[("aria-labelledby", "particulars")]);
        out.element("h2", &[("id", "particulars")], "Particulars");
        out.open("dl", &[]);
        let mut item = |name: &str, value: &str| {
            out.open("div", &[]);
            out.element("dt", &[], name)
                .element("dd", &[], value)
                .close("div");
        };
        for field in particulars::fields(plan.plan) {
            match plan.particulars.get(field.key) {
                Some(value) => item(field.label, value),
                None if field.required => item(field.label, "not given yet"),
                None => {}
            }
        }
        item("Plan made", &page::time(plan.created));
        out.close("dl");
        rows::table(
            out,
            "plan",
            "Actors",
            &["Role", "Name", "Organisation", "Contact"],
        );
        for role in Role::ALL {
            let actor = plan.actors.get(&role);
            out.open("tr", &[("role", "row")]);
            rows::head_cell(out).text(role.title()).close("th");
            let name = actor.map_or("not named yet", |a| a.name.as_str());
            rows::cell(out, "Name").text(name).close("td");
            rows::cell(out, "Organisation")
                .text(actor.map_or("", |a| &a.organisation))
                .close("td");
            rows::cell(out, "Contact")
                .text(actor.map_or("", |a| &a.contact))
                .close("td");
            out.close("tr");
        }
        rows::end(out);
        out.close("section");
    }

    fn failures(&mut self) {
        let plan = self.plan;
        let out = &mut self.out;
        out.open("section", &[("aria-labelledby", "failed")]);
        out.element("h2", &[("id", "failed")], "Failures and actions");
        let failed: Vec<&Step> = self
            .standing
            .steps
            .iter()
            .filter(|s| plan.answers.get(&s.id).and_then(|a| a.result) == Some(Outcome::Failed))
            .collect();
        if failed.is_empty() {
            out.element("p", &[], "No step failed.");
        }
        for step in failed {
            let Some(answer) = plan.answers.get(&step.id) else {
                continue;
            };
            out.open("article", &[("class", "failure")]);
            out.open("h3", &[]);
            let target = format!("#{}", step.file_name());
            out.element(
                "a",
                &[("href", &target)],
                &format!("{}: {}", step.id, step.row.title),
            );
            out.close("h3");
            out.element("p", &[], &format!("Expected: {}", step.expected()));
            out.element("p", &[], &format!("Seen: {}", answer.seen));
            let action = match answer.action.as_str() {
                "" => "Action: none is written down.".to_owned(),
                action => format!("Action: {action}"),
            };
            out.element("p", &[], &action);
            out.close("article");
        }
        out.close("section");
    }

    fn prerequisites(&mut self) {
        let plan = self.plan;
        let out = &mut self.out;
        out.open("section", &[("aria-labelledby", "ready")]);
        out.element("h2", &[("id", "ready")], "Prerequisites");
        rows::table(
            out,
            "ready",
            "What had to be there before the first step",
            &["Prerequisite", "There", "Note"],
        );
        for asked in prerequisites::prerequisites(plan.plan) {
            let check = plan.prerequisites.get(asked.key);
            let (mark, words) = match mark_of(check.map(|c| c.result)) {
                (Mark::Passed, _) => (Mark::Passed, "Yes"),
                (Mark::Failed, _) => (Mark::Failed, "No"),
                other => other,
            };
            rows::row(out, mark);
            rows::head_cell(out).text(asked.text);
            out.element("small", &[], &asked.cites.join(", "));
            out.close("th");
            rows::cell(out, "There");
            page::mark(out, mark, words);
            out.close("td");
            rows::cell(out, "Note")
                .text(check.map_or("", |c| &c.note))
                .close("td");
            out.close("tr");
        }
        rows::end(out);
        out.close("section");
    }

    fn steps(&mut self) {
        self.out.open("section", &[("aria-labelledby", "steps")]);
        self.out.element("h2", &[("id", "steps")], "Steps");
        for part in self.plan.plan.parts() {
            self.part(*part);
        }
        self.out.close("section");
    }

    fn part(&mut self, part: Part) {
        for side in [super::Side::Consumer, super::Side::Provider] {
            let caption = match part {
                Part::Whole => side.word().to_owned(),
                other => format!("{}: {}", other.name(), side.word().to_lowercase()),
            };
            rows::table(
                &mut self.out,
                "plan",
                &caption,
                &[
                    "Step",
                    "Result",
                    "What to do and expect",
                    "What was seen",
                    "By, when",
                ],
            );
            let standing = self.standing;
            let of_part = standing
                .steps
                .iter()
                .filter(|s| s.part == part && s.row.side == side);
            for step in of_part {
                self.step(step);
            }
            rows::end(&mut self.out);
        }
    }

    fn step(&mut self, step: &Step) {
        let none = Answer::default();
        let answer = self.plan.answers.get(&step.id).unwrap_or(&none);
        let (mark, words) = mark_of(answer.result);
        let out = &mut self.out;
        rows::row(out, mark);
        rows::head_cell(out)
            .open("span", &[("id", &step.file_name())])
            .text(&step.id)
            .close("span")
            .text(step.row.title)
            .element("small", &[], step.row.level.word());
        out.close("th");
        rows::cell(out, "Result");
        page::mark(out, mark, words);
        out.close("td");
        rows::cell(out, "What to do and expect")
            .element(
                "p",
                &[],
                &format!("{}: {}", step.row.who.title(), step.act()),
            )
            .element("p", &[], &format!("Expected: {}", step.expected()));
        if !step.row.cites.is_empty() {
            out.element("small", &[], &step.row.cites.join(", "));
        }
        out.close("td");
        rows::cell(out, "What was seen");
        self.seen(answer);
        let out = &mut self.out;
        out.close("td");
        rows::cell(out, "By, when");
        if !answer.by.is_empty() {
            out.element("p", &[], &answer.by);
        }
        if let Some(at) = answer.at {
            out.element("p", &[], &page::time(at));
        }
        if answer.result.is_some()
            && let Some(missing) = answer.missing()
        {
            out.element("p", &[], &format!("Missing: {missing}."));
        }
        out.close("td").close("tr");
    }

    fn seen(&mut self, answer: &Answer) {
        let out = &mut self.out;
        if !answer.seen.is_empty() {
            out.element("p", &[], &answer.seen);
        }
        if !answer.action.is_empty() {
            out.element("p", &[], &format!("Action: {}", answer.action));
        }
        if let Some(tool) = &answer.tool {
            out.open("details", &[]);
            let how = if tool.passed {
                "as expected"
            } else {
                "not as expected"
            };
            let summary = format!(
                "Done by uec {} at {}: {how}",
                tool.tool,
                page::time(tool.at)
            );
            out.element("summary", &[], &summary);
            out.open("ul", &[]);
            for line in &tool.seen {
                out.element("li", &[], line);
            }
            out.close("ul").close("details");
        }
        if !answer.earlier.is_empty() {
            out.open("details", &[]);
            out.element(
                "summary",
                &[],
                &format!("{} earlier results", answer.earlier.len()),
            );
            out.open("ul", &[]);
            for old in &answer.earlier {
                let at = old.at.map(page::time).unwrap_or_default();
                let text = format!("{}, {} {at}: {}", old.result.shown(), old.by, old.seen);
                out.element("li", &[], &text);
            }
            out.close("ul").close("details");
        }
        if !answer.attachments.is_empty() {
            self.attachments(&answer.attachments);
        }
    }

    fn attachments(&mut self, all: &[Attachment]) {
        self.out.open("ul", &[]);
        for file in all {
            let link = format!("{}{}", self.links, file.file);
            let picture = self.picture(file);
            let out = &mut self.out;
            out.open("li", &[]);
            out.element("a", &[("href", &link)], &file.file)
                .text(&format!(" ({} bytes)", file.bytes));
            if let Some(data) = picture {
                let alt = format!("Attachment {}", file.name);
                out.empty("img", &[("src", &data), ("alt", &alt)]);
            }
            out.element("small", &[], &format!(" SHA-256 {}", file.sha256));
            out.close("li");
        }
        self.out.close("ul");
    }

    /// A small picture as it stands in the page. What it is, its content says, not its name.
    fn picture(&mut self, file: &Attachment) -> Option<String> {
        if file.bytes > PICTURE.min(self.pictures) || attachment::fault(self.folder, file).is_some()
        {
            return None;
        }
        let opened = File::open(self.folder.join(FOLDER).join(&file.file));
        let bytes = named_file::bytes(opened, PICTURE).ok()?;
        let kind = match bytes.as_slice() {
            [0x89, b'P', b'N', b'G', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [b'G', b'I', b'F', b'8', ..] => "image/gif",
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => "image/webp",
            _ => return None,
        };
        self.pictures -= file.bytes;
        Some(format!("data:{kind};base64,{}", STANDARD.encode(&bytes)))
    }

    fn signatures(&mut self) {
        let plan = self.plan;
        let out = &mut self.out;
        out.open("section", &[("aria-labelledby", "signed")]);
        out.element("h2", &[("id", "signed")], "Signatures");
        out.element(
            "p",
            &[],
            "A signature holds for what was written down when it was given. A change afterwards makes it void.",
        );
        rows::table(
            out,
            "plan",
            "Who signed",
            &[
                "Role",
                "Holds",
                "Name and organisation",
                "Statement",
                "When",
            ],
        );
        for role in &self.standing.unsigned {
            let signed = plan.signatures.iter().any(|s| s.role == *role);
            if !signed {
                let name = plan.actors.get(role).map_or("", |a| a.name.as_str());
                signature_row(out, role.title(), Mark::Untried, "Missing", [name, "", ""]);
            }
        }
        for signature in &plan.signatures {
            let void = plan.void(signature);
            let (mark, words) = match &void {
                Some(_) => (Mark::Failed, "Void"),
                None => (Mark::Passed, "Signed"),
            };
            let who = format!("{} {}", signature.name, signature.organisation);
            let said = match &void {
                Some(why) => format!("{} Void: {why}.", signature.statement),
                None => signature.statement.clone(),
            };
            let at = page::time(signature.at);
            signature_row(out, signature.role.title(), mark, words, [&who, &said, &at]);
        }
        rows::end(out);
        out.close("section");
    }
}

fn signature_row(out: &mut Markup, role: &str, mark: Mark, words: &str, cells: [&str; 3]) {
    rows::row(out, mark);
    rows::head_cell(out).text(role).close("th");
    rows::cell(out, "Holds");
    page::mark(out, mark, words);
    out.close("td");
    for (label, text) in ["Name and organisation", "Statement", "When"]
        .iter()
        .zip(cells)
    {
        rows::cell(out, label).text(text).close("td");
    }
    out.close("tr");
}
