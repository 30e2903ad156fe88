//! The report of a plan for people: one page, read on a telephone, on paper and by a screen reader.

use super::attachment::{self, FOLDER};
use super::folder::PlanError;
use super::model::{Answer, Attachment, Outcome, Plan};
use super::progress::{Standing, attachment_faults, standing};
use super::published::{fields, prerequisites};
use super::{Actor, Part, Role, Step, table};
use crate::evidence::markup::Markup;
use crate::evidence::report::page::{self, Frame};
use crate::evidence::report::rows;
use crate::evidence::{Mark, write_whole};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use booking::named_file;
use std::cell::Cell;
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
        pictures: Cell::new(PICTURES),
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
    /// Bytes that pictures may still take.
    pictures: Cell<u64>,
}

fn mark_of(outcome: Option<Outcome>) -> Mark {
    match outcome {
        Some(Outcome::Passed) => Mark::Passed,
        Some(Outcome::Failed) => Mark::Failed,
        Some(Outcome::NotApplicable) => Mark::Declared,
        None => Mark::Untried,
    }
}

fn words(mark: Mark) -> &'static str {
    match mark {
        Mark::Passed => "Passed",
        Mark::Failed => "Failed",
        Mark::Declared => "Not applicable",
        Mark::Untried => "Open",
    }
}

impl Writer<'_> {
    fn page(&self, why: &[String]) -> String {
        let frame = Frame {
            title: &self.plan.title,
            heading: &self.plan.title,
            skip: ("steps", "Skip to the steps"),
            images: true,
            remark: "Test patients only: neither this report nor its attachments may name a real one.",
        };
        page::page(&frame, |out| {
            self.short(out, why);
            self.particulars(out);
            self.failures(out);
            self.prerequisites(out);
            page::filter(out, words);
            self.steps(out);
            self.signatures(out);
        })
    }

    fn short(&self, out: &mut Markup, why: &[String]) {
        let (passed, not_applicable) = self.standing.counts;
        let failed = self.standing.failed.len() + self.standing.failed_optional.len();
        let all = self.standing.steps.len();
        let open = all - passed - not_applicable - failed;
        let verdict = match why.is_empty() {
            true => {
                "The plan is complete: every step is answered, no binding step failed, every actor signed."
            }
            false => "The plan is not complete.",
        };
        let lead = format!(
            "{verdict} Of {all} steps {passed} passed, {failed} failed, {not_applicable} do not apply, {open} are open."
        );
        out.section("short", "In short", |out| {
            out.element("p", &[("class", "lead")], &lead);
            if !why.is_empty() {
                out.list(why);
            }
            out.element("p", &[("class", "note")], self.plan.plan.scope());
        });
    }

    fn particulars(&self, out: &mut Markup) {
        let plan = self.plan;
        let given = fields(plan.plan).filter_map(|field| {
            let known = plan.particulars.get(&field.key).cloned();
            let value = known.or_else(|| field.required.then(|| "not given yet".to_owned()));
            Some((field.label.as_str(), value?))
        });
        const COLUMNS: [&str; 4] = ["Role", "Name", "Organisation", "Contact"];
        out.section("particulars", "Particulars", |out| {
            out.facts(given.chain([("Plan made", page::time(plan.created))]));
            rows::table(out, "plan", "Actors", &COLUMNS, |out| {
                for role in Role::ALL {
                    let actor = plan.actors.get(&role).cloned();
                    let actor = actor.unwrap_or_else(|| Actor {
                        name: "not named yet".to_owned(),
                        ..Actor::default()
                    });
                    out.within("tr", &[("role", "row")], |out| {
                        head(out, role.title());
                        rows::text_cell(out, "Name", &actor.name);
                        rows::text_cell(out, "Organisation", &actor.organisation);
                        rows::text_cell(out, "Contact", &actor.contact);
                    });
                }
            });
        });
    }

    fn failures(&self, out: &mut Markup) {
        let failed = self.standing.steps.iter().filter_map(|step| {
            let answer = self.plan.answers.get(&step.id)?;
            (answer.result == Some(Outcome::Failed)).then_some((step, answer))
        });
        let failed: Vec<(&Step, &Answer)> = failed.collect();
        out.section("failed", "Failures and actions", |out| {
            if failed.is_empty() {
                out.paragraph("No step failed.");
            }
            for (step, answer) in failed {
                let action = match answer.action.as_str() {
                    "" => "none is written down.",
                    action => action,
                };
                out.within("article", &[("class", "failure")], |out| {
                    out.within("h3", &[], |out| {
                        let words = format!("{}: {}", step.id, step.row.title);
                        out.link(&format!("#{}", step.file_name()), &words);
                    });
                    out.paragraph(&format!("Expected: {}", step.expected()))
                        .paragraph(&format!("Seen: {}", answer.seen))
                        .paragraph(&format!("Action: {action}"));
                });
            }
        });
    }

    fn prerequisites(&self, out: &mut Markup) {
        const COLUMNS: [&str; 3] = ["Prerequisite", "There", "Note"];
        let caption = "What had to be there before the first step";
        out.section("ready", "Prerequisites", |out| {
            rows::table(out, "ready", caption, &COLUMNS, |out| {
                for asked in prerequisites(self.plan.plan) {
                    let check = self.plan.prerequisites.get(&asked.key);
                    let mark = mark_of(check.map(|c| c.result));
                    rows::row(out, mark, |out| {
                        rows::head_cell(out, |out| {
                            let cites = asked.cites.join(", ");
                            out.text(&asked.text).element("small", &[], &cites);
                        });
                        let said = match mark {
                            Mark::Passed => "Yes",
                            Mark::Failed => "No",
                            other => words(other),
                        };
                        rows::mark_cell(out, "There", mark, said);
                        rows::text_cell(out, "Note", check.map_or("", |c| &c.note));
                    });
                }
            });
        });
    }

    fn steps(&self, out: &mut Markup) {
        const COLUMNS: [&str; 5] = [
            "Step",
            "Result",
            "What to do and expect",
            "What was seen",
            "By, when",
        ];
        out.section("steps", "Steps", |out| {
            let side_of = |a: &Step, b: &Step| (a.part, a.row.side) == (b.part, b.row.side);
            for of_side in self.standing.steps.chunk_by(side_of) {
                let Some(first) = of_side.first() else {
                    continue;
                };
                let side = first.row.side.word();
                let caption = match first.part {
                    Part::Whole => side.to_owned(),
                    other => format!("{}: {}", other.name(), side.to_lowercase()),
                };
                rows::table(out, "plan", &caption, &COLUMNS, |out| {
                    for step in of_side {
                        self.step(out, step);
                    }
                });
            }
        });
    }

    fn step(&self, out: &mut Markup, step: &Step) {
        let none = Answer::default();
        let answer = self.plan.answers.get(&step.id).unwrap_or(&none);
        let mark = mark_of(answer.result);
        let row = step.row;
        rows::row(out, mark, |out| {
            rows::head_cell(out, |out| {
                out.element("span", &[("id", &step.file_name())], &step.id)
                    .text("\n")
                    .text(&row.title)
                    .element("small", &[], row.level.word());
            });
            rows::mark_cell(out, "Result", mark, words(mark));
            rows::cell(out, "What to do and expect", |out| {
                out.paragraph(&format!("{}: {}", row.who.title(), step.act()))
                    .paragraph(&format!("Expected: {}", step.expected()));
                if !row.cites.is_empty() {
                    out.element("small", &[], &row.cites.join(", "));
                }
            });
            rows::cell(out, "What was seen", |out| self.seen(out, answer));
            rows::cell(out, "By, when", |out| {
                if !answer.by.is_empty() {
                    out.paragraph(&answer.by);
                }
                if let Some(at) = answer.at {
                    out.paragraph(&page::time(at));
                }
                if let (Some(_), Some(missing)) = (answer.result, answer.missing()) {
                    out.paragraph(&format!("Missing: {missing}."));
                }
            });
        });
    }

    fn seen(&self, out: &mut Markup, answer: &Answer) {
        if !answer.seen.is_empty() {
            out.paragraph(&answer.seen);
        }
        if !answer.action.is_empty() {
            out.paragraph(&format!("Action: {}", answer.action));
        }
        if let Some(tool) = &answer.tool {
            let how = if tool.passed { "as" } else { "not as" };
            let at = page::time(tool.at);
            let summary = format!("Done by uec {} at {at}: {how} expected", tool.tool);
            out.folded(&summary, |out| {
                out.list(&tool.seen);
            });
        }
        if !answer.earlier.is_empty() {
            let summary = format!("{} earlier results", answer.earlier.len());
            out.folded(&summary, |out| {
                out.list(answer.earlier.iter().map(|old| {
                    let at = old.at.map(page::time).unwrap_or_default();
                    format!("{}, {} {at}: {}", old.result.shown(), old.by, old.seen)
                }));
            });
        }
        if !answer.attachments.is_empty() {
            out.within("ul", &[], |out| {
                for file in &answer.attachments {
                    out.within("li", &[], |out| self.attachment(out, file));
                }
            });
        }
    }

    fn attachment(&self, out: &mut Markup, file: &Attachment) {
        out.link(&format!("{}{}", self.links, file.file), &file.file)
            .text(&format!(" ({} bytes)", file.bytes));
        if let Some(data) = self.picture(file) {
            let alt = format!("Attachment {}", file.name);
            out.empty("img", &[("src", &data), ("alt", &alt)]);
        }
        out.element("small", &[], &format!(" SHA-256 {}", file.sha256));
    }

    /// A small picture as it stands in the page. What it is, its content says, not its name.
    fn picture(&self, file: &Attachment) -> Option<String> {
        let room = self.pictures.get();
        if file.bytes > PICTURE.min(room) || attachment::fault(self.folder, file).is_some() {
            return None;
        }
        let opened = File::open(self.folder.join(FOLDER).join(&file.file));
        let bytes = named_file::bytes(opened, PICTURE).ok()?;
        let kind = match bytes.as_slice() {
            [0x89, b'P', b'N', b'G', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [b'G', b'I', b'F', b'8', ..] => "image/gif",
            webp if webp.starts_with(b"RIFF") && webp.get(8..12) == Some(b"WEBP") => "image/webp",
            _ => return None,
        };
        self.pictures.set(room - file.bytes);
        Some(format!("data:{kind};base64,{}", STANDARD.encode(&bytes)))
    }

    fn signatures(&self, out: &mut Markup) {
        let plan = self.plan;
        let signed = |role: Role| plan.signatures.iter().any(|s| s.role == role);
        let missing = self.standing.unsigned.iter().filter(|role| !signed(**role));
        out.section("signed", "Signatures", |out| {
            out.paragraph("A signature holds for what was written down when it was given. A change afterwards makes it void.");
            rows::table(out, "plan", "Who signed", &SIGNATURE, |out| {
                for role in missing {
                    let name = plan.actors.get(role).map_or("", |a| a.name.as_str());
                    signature(out, role.title(), Mark::Untried, ["Missing", name, "", ""]);
                }
                for given in &plan.signatures {
                    let (mark, holds, said) = match plan.void(given) {
                        Some(why) => {
                            let said = format!("{} Void: {why}.", given.statement);
                            (Mark::Failed, "Void", said)
                        }
                        None => (Mark::Passed, "Signed", given.statement.clone()),
                    };
                    let who = format!("{} {}", given.name, given.organisation);
                    let cells = [holds, &who, &said, &page::time(given.at)];
                    signature(out, given.role.title(), mark, cells);
                }
            });
        });
    }
}

/// The columns of the signatures.
const SIGNATURE: [&str; 5] = [
    "Role",
    "Holds",
    "Name and organisation",
    "Statement",
    "When",
];

fn signature(out: &mut Markup, role: &str, mark: Mark, [holds, who, said, at]: [&str; 4]) {
    let [_, _, for_who, for_said, for_at] = SIGNATURE;
    rows::row(out, mark, |out| {
        head(out, role);
        rows::mark_cell(out, "Holds", mark, holds);
        rows::text_cell(out, for_who, who);
        rows::text_cell(out, for_said, said);
        rows::text_cell(out, for_at, at);
    });
}

fn head(out: &mut Markup, text: &str) {
    rows::head_cell(out, |out| {
        out.text(text);
    });
}
