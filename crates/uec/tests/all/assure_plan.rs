//! `uec assure plan` as people and scripts use it: the real program, over pipes, against a real `uec demo`.

use super::plan_support::{
    Dialogue, GP_CLINIC, NO_SLOTS, booked, cancel_elsewhere, fails, json, plan, settings, text,
};
use super::support::operations::Demo;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use testkit::{assert_contains, assert_lacks};

/// What the first questions are answered with, in their order.
#[rustfmt::skip] // a question a line
const PARTICULARS: [(&str, &str); 13] = [
    ("Date of the run [", ""),
    ("Environment", "demonstration"),
    ("System of the 111 side [", ""),
    ("Organisation of the 111 side [", ""),
    ("System of the providing side", "uec provider 0.1, itself"),
    ("Organisation of the providing side", "Fernhill Urgent Care (FX101)"),
    ("ids of the services [", ""),
    ("without free slots", ""),
    ("Slot pattern", "10, all day"),
    ("Disposition", "Dx08"),
    ("synthetic or pds-test", "synthetic"),
    ("Name of the test patient's record", "Ada Testwell"),
    ("NHS number of the test patient", "999 012 3454"),
];
/// Who has which role.
const ACTORS: [(&str, &str); 8] = [
    ("delivery manager", "nobody"),
    ("DoS configuration lead", "nobody"),
    ("Supplier support, consumer", "nobody"),
    ("lead, consumer", "nobody"),
    ("User, consumer side", "Alex Adviser; FX900; 01632 960111"),
    ("Supplier support, provider", "nobody"),
    ("lead, provider side", "Grace Hazel; FX101"),
    ("User, provider side", "nobody"),
];
/// Questions about prerequisites in the plan to a UTC.
const PREREQUISITES: usize = 10;
/// Everything before the steps, for runs that are not about it.
const READY: [&str; 29] = [
    "date=2031-03-04",
    "environment=demonstration",
    "consumer_system=uec",
    "consumer_organisation=Fernhill 111",
    "provider_system=uec",
    "provider_organisation=FX101",
    "service=2000000011",
    "slot_pattern=10",
    "patient_kind=synthetic",
    "patient=Ada Testwell",
    "patient_nhs_number=9990123454",
    "consumer-user=Alex Adviser; FX900; 01632 960111",
    "provider-lead=Grace Hazel; FX101",
    "delivery-manager=nobody",
    "dos-lead=nobody",
    "consumer-supplier=nobody",
    "consumer-lead=nobody",
    "provider-supplier=nobody",
    "provider-user=nobody",
    "plan-agreed=yes",
    "conformance=yes",
    "installed=yes",
    "safety=yes; signed by both",
    "profiled=yes",
    "slots=yes",
    "no-slots=yes",
    "test-patient=yes",
    "trained=na; rehearsal",
    "clear-up=yes",
];

/// The steps of a plan by their ids.
fn ids(plan: &str) -> Vec<String> {
    let steps = json(&format!("list {plan} --json"));
    let all = steps.as_array().unwrap().iter();
    all.map(|s| s["id"].as_str().unwrap().to_owned()).collect()
}

/// A run of a plan in a folder of its own.
struct Run {
    home: TempDir,
    folder: String,
}

impl Run {
    fn new(plan: &str) -> Run {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("run").display().to_string();
        text(&format!(
            "new {plan} --out {folder} --title '111 to Fernhill'"
        ));
        Run { home, folder }
    }

    /// One with everything before the steps answered.
    fn ready() -> Run {
        let run = Run::new("utc");
        run.text("set", &format!("'{}'", READY.join("' '")));
        run
    }

    /// One with everything answered but the signatures.
    fn answered() -> Run {
        let run = Run::ready();
        for id in ids("utc") {
            run.passed(&id);
        }
        run.text("set", "result=passed actions=none");
        run
    }

    fn line(&self, command: &str, more: &str) -> String {
        format!("{command} {} {more}", self.folder)
    }

    #[track_caller]
    fn text(&self, command: &str, more: &str) -> String {
        text(&self.line(command, more))
    }

    #[track_caller]
    fn fails(&self, code: i32, command: &str, more: &str, why: &[&str]) {
        fails(code, &self.line(command, more), why);
    }

    fn dialogue(&self, more: &str) -> Dialogue {
        Dialogue::start(&self.line("run", more))
    }

    #[track_caller]
    fn passed(&self, step: &str) {
        self.text(
            "record",
            &format!("{step} --result passed --by 'Alex Adviser'"),
        );
    }

    #[track_caller]
    fn sign(&self, by: &str, role: &str) -> String {
        let more = "--organisation FX101 --statement 'As seen.'";
        self.text("sign", &format!("--by '{by}' --role {role} {more}"))
    }

    fn state(&self, step: &str) -> Value {
        let shown = json(&self.line("show", "--json"));
        let steps = shown["steps"].as_array().unwrap();
        steps.iter().find(|s| s["id"] == step).unwrap().clone()
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.folder).join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

/// Proves: DEP-06
/// The whole plan to a UTC with its automatic steps, from the first question to the signed report.
#[test]
fn the_whole_plan_to_a_utc() {
    let demo = Demo::start("");
    let run = Run::new("utc");
    let shot = run.home.path().join("diary.png");
    std::fs::write(&shot, b"\x89PNG\r\n\x1a\nnot much of a picture").unwrap();
    let mut dialogue = run.dialogue(&format!(
        "--config {} --service {GP_CLINIC} --service-empty {NO_SLOTS}",
        settings(&demo)
    ));
    for (question, answer) in PARTICULARS.into_iter().chain(ACTORS) {
        dialogue.answer(question, answer);
    }
    for _ in 0..PREREQUISITES {
        dialogue.answer("yes, no or na; NOTE", "yes");
    }
    steps(&mut dialogue, &demo, &shot);
    dialogue.answer("Result of the run", "passed");
    dialogue.answer("Actions agreed", "none");
    let said = dialogue.ends(0);
    assert!(said.contains("24 of 24 steps answered"), "{said}");
    assert!(
        said.contains("Cancelled at the end") && !said.contains("Still booked"),
        "{said}"
    );
    assert_eq!(booked(&demo), 0, "nothing stays booked");

    run.fails(1, "report", "", &["Not signed"]);
    run.sign("Alex Adviser", "consumer-user");
    run.sign("Grace Hazel", "provider-lead");
    run.text("report", "");
    let page = run.read("report.html");
    assert_contains(
        &page,
        &[
            "The plan is complete",
            "OPS-P12",
            "Alex Adviser",
            "data:image/png;base64,",
            "As seen.",
            "TEST-",
            "Dx08",
        ],
    );
    // Whole and well-formed: a page without outside references.
    booking::bounded_xml::parse(
        page.split_once('\n').unwrap().1,
        booking::bounded_xml::Bounds::nodes(100_000),
    )
    .unwrap();
    assert!(!page.contains("src=\"http") && !page.contains("<link"));
    let table = run.read("plan.csv");
    assert_contains(&table, &["\"OPS-C9\"", "\"Signed\""]);
}

/// Answers every step; the service's own cancellations are done as the UTC would, behind 111's back.
fn steps(dialogue: &mut Dialogue, demo: &Demo, shot: &Path) {
    for id in ids("utc") {
        dialogue.until(&format!("] {id} "));
        match id.as_str() {
            // Done by the tool alone.
            "OPS-C1" | "OPS-C3" | "OPS-C13" => {
                dialogue.until("Passed.");
                continue;
            }
            "OPS-C9" => {
                cancelled_at_the_utc(dialogue, demo);
                dialogue.answer("cancel this appointment locally now", "");
                dialogue.until("among the free ones again");
                dialogue.until("Passed.");
                continue;
            }
            "OPS-P7" => cancelled_at_the_utc(dialogue, demo),
            "OPS-P8" => {
                dialogue.answer("release the slot now", "");
                dialogue.until("among the free ones again");
                dialogue.until("Passed.");
                continue;
            }
            _ => {}
        }
        dialogue.answer("pass, fail or na", "pass");
        dialogue.answer("What was seen", "");
        let by = if id == "OPS-C2" { "Alex Adviser" } else { "" };
        dialogue.answer("Who saw it", by);
        if id == "OPS-C5" {
            dialogue.answer("Attach a file", shot.to_str().unwrap());
        }
        dialogue.answer("Attach a file", "");
    }
}

fn cancelled_at_the_utc(dialogue: &mut Dialogue, demo: &Demo) {
    let line = dialogue.until("It is about: ");
    let rest = dialogue.until(".\n");
    let id = rest
        .split("appointment ")
        .nth(1)
        .unwrap()
        .trim_end_matches(".\n");
    assert!(id.len() > 10, "{line}{rest}");
    cancel_elsewhere(demo, id);
}

/// Killed in the middle, at several moments of a booking: what was answered and what the tool did is there, an answer
/// that was not finished is asked for again, and nothing is booked unknown.
#[test]
fn killed_and_resumed() {
    let demo = Demo::start("");
    let run = Run::ready();
    let start = || run.dialogue(&format!("--config {} --by 'Alex Adviser'", settings(&demo)));
    let mut dialogue = start();
    dialogue.until("] OPS-C1 ");
    dialogue.answer("pass, fail or na", "fail");
    dialogue.answer("What was seen instead", "a spinning wheel");
    dialogue.until("What will be done about it");
    dialogue.kill();
    let step = run.state("OPS-C2");
    assert_eq!(step["state"], "done by the tool, to be looked at");
    assert_eq!(run.state("OPS-C1")["state"], "passed");
    let mut dialogue = start();
    dialogue.until("] OPS-C2 ");
    dialogue.answer("pass, fail or na", "fail");
    dialogue.answer("What was seen instead", "a spinning wheel");
    dialogue.answer("What will be done about it", "");
    dialogue.answer("Who saw it", "");
    // What cannot be kept is said, and the answers are suggested.
    dialogue.answer("Attach a file", "/no/such/file");
    dialogue.answer("Attach a file", "");
    dialogue.until("/no/such/file: ");
    dialogue.answer("pass, fail or na [failed]", "");
    dialogue.answer("What was seen instead [a spinning wheel]", "");
    dialogue.answer("What will be done about it", "");
    dialogue.answer("Who saw it", "");
    dialogue.answer("Attach a file", "");
    dialogue.until("] OPS-C3 ");
    let step = run.state("OPS-C2");
    assert_eq!(step["state"], "failed");
    assert_eq!(step["answer"]["seen"], "a spinning wheel");
    dialogue.answer("pass, fail or na", "skip");
    dialogue.until("] OPS-C4 ");
    dialogue.answer("pass, fail or na", "skip");
    dialogue.until("] OPS-C5 ");
    dialogue.until("Kept: attachments/OPS-C5-1-appointment.json");
    dialogue.kill();
    assert_eq!(booked(&demo), 1);
    for pause in [0, 30, 60, 120, 240] {
        let mut dialogue = start();
        dialogue.answer("pass, fail or na", "skip");
        dialogue.answer("pass, fail or na", "skip");
        dialogue.until("] OPS-C5 ");
        dialogue.until("The tool has done its part");
        dialogue.answer("pass, fail or na", "again");
        std::thread::sleep(std::time::Duration::from_millis(pause));
        dialogue.kill();
    }
    let left = run.text("release", &format!("--config {}", settings(&demo)));
    assert!(left.contains("Cancelled at the end"), "{left}");
    assert_eq!(booked(&demo), 0);
    assert_eq!(run.state("OPS-C2")["answer"]["by"], "Alex Adviser");
}

/// Proves: DEP-06
/// A change after signing makes signatures void, and is seen; signing again makes the plan complete again.
#[test]
fn a_change_makes_signatures_void() {
    let run = Run::answered();
    run.sign("alex adviser", "consumer-user");
    let last = run.sign("Grace Hazel", "provider-lead");
    assert!(last.contains("Everybody has signed"), "{last}");
    run.text("report", "");
    let again = "--by 'Grace Hazel' --role provider-lead";
    run.fails(1, "sign", again, &["signed already"]);

    let failed = "--result failed --seen 'wrong day' --action 'supplier corrects it'";
    run.text("record", &format!("ops-c5 --by 'Alex Adviser' {failed}"));
    let shown = run.text("show", "");
    assert_contains(&shown, &["VOID, changed after signing: OPS-C5"]);
    run.fails(1, "report", "", &["Failed: OPS-C5", "before a change"]);
    let page = run.read("report.html");
    assert!(page.contains("supplier corrects it") && page.contains("Void: changed after signing"));

    run.passed("OPS-C5");
    let step = run.state("OPS-C5");
    assert_eq!(step["answer"]["earlier"][1]["seen"], "wrong day");
    run.sign("Alex Adviser", "consumer-user");
    run.sign("Grace Hazel", "provider-lead");
    let elsewhere = run.home.path().join("elsewhere.html");
    run.text("report", &format!("--out {}", elsewhere.display()));
    assert!(elsewhere.with_extension("csv").exists());

    // By hand: nothing is void in the file, the seal tells.
    let (honest, forged) = (
        "\"environment\": \"demonstration\"",
        "\"environment\": \"production\"",
    );
    let forged = run.read("plan.json").replace(honest, forged);
    std::fs::write(run.path("plan.json"), forged).unwrap();
    let shown = run.text("show", "");
    assert!(shown.contains("not by this program"), "{shown}");
    // An attachment that was exchanged is told too.
    let attach = run.home.path().join("a.txt");
    std::fs::write(&attach, "seen").unwrap();
    let attach = attach.display();
    run.text(
        "record",
        &format!("OPS-C1 --result passed --by A --attach {attach}"),
    );
    std::fs::write(run.path("attachments/OPS-C1-1-a.txt"), "forged").unwrap();
    run.fails(1, "report", "", &["is not the file that was attached"]);
}

/// The plans to a GP hub and to the registered practice go through the dispositions, and to a branch.
#[test]
fn the_plans_and_their_steps() {
    let plans = json("list --json");
    let words: Vec<&str> = plans
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["plan"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["utc", "gp-hub", "registered-practice"]);
    assert!(text("list").contains("GP Connect, which is out of scope"));
    assert_eq!(ids("utc").len(), 24);
    for plan in ["gp-hub", "registered-practice"] {
        let ids = ids(plan);
        assert_eq!(ids.len(), 98);
        for id in ["OPS-C1/Dx05", "OPS-P12/Dx08", "BRANCH-C", "BRANCH-P"] {
            assert!(ids.iter().any(|i| i == id), "{id}");
        }
        assert!(
            !ids.iter()
                .any(|i| i.starts_with("OPS-C6") || i.starts_with("OPS-P6"))
        );
    }
    assert!(text("list gp-hub").contains("Dx07: Provider side"));
    for plan in words {
        for step in json(&format!("list {plan} --json")).as_array().unwrap() {
            let (act, expected) = (step["do"].as_str(), step["expect"].as_str());
            for words in [act.unwrap(), expected.unwrap()] {
                assert!(!words.is_empty() && !words.contains('{'), "{step}");
            }
        }
    }
}

/// The plan to a GP hub, automatic steps alone: each disposition in contacts of its own, nothing stays booked.
#[test]
fn automatic_steps_alone() {
    let demo = Demo::start("");
    let run = Run::new("gp-hub");
    run.text(
        "set",
        "service=2000000021 branch=2000000012 service_empty=2000000014",
    );
    let config = settings(&demo);
    let said = run.text(
        "run",
        &format!("--config {config} --auto --redact --approved-by 'Dr I Larkspur'"),
    );
    assert!(said.contains("0 failed, 0 could not be tried"), "{said}");
    assert_contains(&said, &["BRANCH-C", "OPS-C11/Dx07"]);
    assert_eq!(booked(&demo), 0);
    for (step, state) in [
        ("OPS-C13/Dx06", "passed"),
        ("OPS-C5/Dx05", "done by the tool, to be looked at"),
        ("OPS-C9/Dx05", "open"),
    ] {
        assert_eq!(run.state(step)["state"], state, "{step}");
    }
    for file in std::fs::read_dir(run.path("attachments")).unwrap() {
        let kept = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert_lacks(&kept, &["Testwell", "9990123454"]);
    }
    // A second run repeats nothing that was answered, and says what it cannot do.
    let other = Run::new("registered-practice");
    let auto = format!("--config {config} --auto --service {NO_SLOTS}");
    let again = plan(&other.line("run", &auto)).with(1);
    again.says(&["put test slots into its diary"]);
    again.notes(&["could not be tried"]);
    assert_eq!(booked(&demo), 0);
}

/// Wrong usage and wrong files are told precisely, and cost nothing.
#[test]
fn wrong_inputs() {
    let run = Run::new("utc");
    let missing = format!("{}-missing", run.folder);
    fails(
        2,
        &format!("new utx --out {missing}"),
        &["the nearest is utc"],
    );
    fails(2, &format!("show {missing}"), &["uec assure plan new"]);
    fails(
        2,
        &format!("new utc --out {}", run.folder),
        &["is not empty"],
    );
    let large = run.home.path().join("film.mp4");
    let film = std::fs::File::create(&large).unwrap();
    film.set_len(50 * 1024 * 1024 + 1).unwrap();
    let attach = format!("OPS-C5 --result passed --by A --attach {}", large.display());
    for (code, command, more, why) in [
        (
            2,
            "record",
            "OPS-C6 --result passed --by A",
            "nearest is OPS-C",
        ),
        (
            2,
            "record",
            "OPS-C5 --result pased --by A",
            "perhaps passed",
        ),
        (
            2,
            "record",
            "OPS-C5 --result failed --by A",
            "(--seen) is missing",
        ),
        (2, "record", "OPS-C5 --result passed --by ' '", "--by"),
        (2, "record", &attach, "larger than 50 MB"),
        (2, "set", "servise=1", "nearest is service"),
        (2, "set", "date=tomorrow", "2031-03-04"),
        (2, "sign", "--by A --role boss", "provider-lead"),
        (1, "sign", "--by A --role dos-lead", "nobody is named yet"),
        (2, "run", "--auto", "--config"),
    ] {
        run.fails(code, command, more, &[why]);
    }
    assert_eq!(run.state("OPS-C5")["state"], "open");
    run.text("set", "'dos-lead=Wren Ash; FX1'");
    let open = "nothing whole to sign yet";
    run.fails(1, "sign", "--by 'Wren Ash' --role dos-lead", &[open]);
    run.fails(1, "sign", "--by B --role dos-lead", &["names Wren Ash"]);
    wrong_files(&run);
}

fn wrong_files(run: &Run) {
    let file = run.path("plan.json");
    let whole: Value = serde_json::from_str(&run.read("plan.json")).unwrap();
    let attached = json!({"file": "../../x", "name": "x", "bytes": 1, "sha256": "00", "at": "2031-03-04T09:00:00Z"});
    for (place, value, why) in [
        (
            "/format",
            json!("uec-operational-plan/2"),
            &["newer version"][..],
        ),
        ("/format", json!("something/1"), &["format"]),
        (
            "/answers",
            json!({"OPS-C5": {"result": "pased", "at": "2031-03-04T09:00:00Z"}}),
            &["answers.OPS-C5.result", "passed"],
        ),
        (
            "/answers",
            json!({"OPS-C99": {}}),
            &["answers.OPS-C99", "nearest"],
        ),
        (
            "/particulars",
            json!({"date": "4 March", "patient_nhs_number": "9434765919"}),
            &["particulars.date", "******5919"],
        ),
        (
            "/answers",
            json!({"OPS-C5": {"attachments": [attached]}}),
            &["attachments[0].file", "SHA-256"],
        ),
    ] {
        let mut changed = whole.clone();
        *changed.pointer_mut(place).unwrap() = value;
        let text = changed.to_string();
        std::fs::write(&file, &text).unwrap();
        run.fails(1, "set", "environment=x", why);
        assert_eq!(run.read("plan.json"), text, "nothing was changed");
    }
    std::fs::write(&file, "{\"format\": ").unwrap();
    run.fails(1, "show", "", &["line 1, column"]);
    std::fs::write(&file, whole.to_string()).unwrap();
    run.text("show", "");
}

/// Proves: DEP-06
/// The questions over a pipe: help, skip, quit, the end of the input; one program at a time; a change by another program
/// is not overwritten.
#[test]
fn questions_over_a_pipe() {
    let run = Run::new("utc");
    let mut dialogue = run.dialogue("");
    dialogue.answer("Date of the run", "?");
    dialogue.until("such as 2031-03-04");
    dialogue.until("quit: end; everything is kept");
    dialogue.answer("Date of the run", "4 March");
    dialogue.until("is no date");
    dialogue.answer("Date of the run", "2031-03-04");
    run.fails(1, "set", "environment=other", &["another program"]);
    dialogue.answer("Environment", "integration");
    dialogue.answer("System of the 111 side", "skip");
    dialogue.answer("Organisation of the 111 side", "quit");
    let said = dialogue.ends(0);
    assert!(said.contains("Everything is kept"), "{said}");
    // What was said can be put right.
    run.text("set", "date=2031-03-05");
    let kept: Value = serde_json::from_str(&run.read("plan.json")).unwrap();
    assert_eq!(
        kept["particulars"],
        json!({"date": "2031-03-05", "environment": "integration"})
    );

    let mut dialogue = run.dialogue("");
    dialogue.until("System of the 111 side");
    let by_hand = kept.to_string().replace("integration", "training");
    std::fs::write(run.path("plan.json"), &by_hand).unwrap();
    dialogue.say("Pathways 1");
    let (_, reason) = dialogue.ends_with(1);
    assert!(reason.contains("plan.unsaved.json"), "{reason}");
    assert_eq!(run.read("plan.json"), by_hand);
    let unsaved = run.read("plan.unsaved.json");
    assert!(unsaved.contains("Pathways 1"), "{unsaved}");

    // The end of the input is `quit`.
    let mut dialogue = run.dialogue("");
    dialogue.answer("System of the 111 side", "Pathways 2");
    dialogue.end_of_input();
    dialogue.ends(0);
    assert!(run.read("plan.json").contains("Pathways 2"));

    // A person is whole with an organisation.
    run.text("set", &format!("'{}'", READY[..11].join("' '")));
    let mut dialogue = run.dialogue("");
    for question in ["without free slots", "Disposition"] {
        dialogue.answer(question, "");
    }
    dialogue.answer("delivery manager", "Wren Ash");
    dialogue.until("The organisation is missing");
    dialogue.answer("delivery manager", "Wren Ash; FX1");
    dialogue.answer("DoS configuration lead", "quit");
    dialogue.ends(0);
}

/// A patient who may be real is not booked.
#[test]
fn no_real_patient_is_booked() {
    let demo = Demo::start("");
    let run = Run::new("utc");
    let patient = std::fs::read_to_string(demo.file("patient.toml")).unwrap();
    let file = run.home.path().join("patient.toml");
    std::fs::write(&file, patient.replace("9990123454", "9434765919")).unwrap();
    let auto = format!(
        "--config {} --auto --service {GP_CLINIC} --patient {}",
        settings(&demo),
        file.display()
    );
    let refused = plan(&run.line("run", &auto)).with(1);
    assert_contains(refused.stdout, &["may be a real person's"]);
    assert_eq!(booked(&demo), 0);
}
