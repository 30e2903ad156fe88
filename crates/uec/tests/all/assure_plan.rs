//! `uec assure plan` as people and scripts use it: the real program, over pipes, against a real `uec demo`.

use super::plan_support::{Demo, Dialogue, GP_CLINIC, NO_SLOTS, fails, json, text, uec};
use serde_json::{Value, json};
use std::path::Path;

/// What the first questions are answered with, in their order.
const PARTICULARS: [&str; 12] = [
    "",                         // date: today
    "demonstration",            // environment
    "",                         // system of 111: suggested
    "",                         // organisation of 111: suggested
    "uec provider 0.1, itself", // system of the UTC
    "Fernhill Urgent Care (FX101)",
    "", // service: suggested
    "", // service without slots: suggested
    "10, all day",
    "Dx08",
    "synthetic",
    "Ada Testwell",
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
    let steps = json(&["list", plan, "--json"]);
    let all = steps.as_array().unwrap().iter();
    all.map(|s| s["id"].as_str().unwrap().to_owned()).collect()
}

fn state(folder: &str, step: &str) -> Value {
    let shown = json(&["show", folder, "--json"]);
    let steps = shown["steps"].as_array().unwrap();
    steps.iter().find(|s| s["id"] == step).unwrap().clone()
}

/// A plan with everything answered but the signatures.
fn answered(folder: &str) {
    text(&["new", "utc", "--out", folder]);
    ready(folder);
    for id in ids("utc") {
        text(&[
            "record",
            folder,
            &id,
            "--result",
            "passed",
            "--by",
            "Alex Adviser",
        ]);
    }
    text(&["set", folder, "result=passed", "actions=none"]);
}

fn ready(folder: &str) {
    let mut set = vec!["set", folder];
    set.extend(READY);
    text(&set);
}

/// Proves: DEP-06
/// The whole plan to a UTC with its automatic steps, from the first question to the signed report.
#[test]
fn the_whole_plan_to_a_utc() {
    let demo = Demo::start();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("utc");
    let folder = folder.to_str().unwrap();
    let shot = home.path().join("diary.png");
    std::fs::write(&shot, b"\x89PNG\r\n\x1a\nnot much of a picture").unwrap();
    text(&["new", "utc", "--out", folder, "--title", "111 to Fernhill"]);
    let mut dialogue = Dialogue::start(&[
        "run",
        folder,
        "--config",
        &demo.settings(),
        "--service",
        GP_CLINIC,
        "--service-empty",
        NO_SLOTS,
    ]);
    particulars(&mut dialogue);
    steps(&mut dialogue, &demo, &shot);
    dialogue.answer("Result of the run", "passed");
    dialogue.answer("Actions agreed", "none");
    let said = dialogue.ends(0);
    assert!(said.contains("24 of 24 steps answered"), "{said}");
    assert!(
        said.contains("Cancelled at the end") && !said.contains("Still booked"),
        "{said}"
    );
    assert_eq!(demo.booked(), 0, "nothing stays booked");

    let reason = fails(1, &["report", folder]);
    assert!(reason.contains("Not signed"), "{reason}");
    for (by, role) in [
        ("Alex Adviser", "consumer-user"),
        ("Grace Hazel", "provider-lead"),
    ] {
        text(&[
            "sign",
            folder,
            "--by",
            by,
            "--role",
            role,
            "--organisation",
            "FX101",
            "--statement",
            "As seen.",
        ]);
    }
    text(&["report", folder]);
    let page = std::fs::read_to_string(Path::new(folder).join("report.html")).unwrap();
    for words in [
        "The plan is complete",
        "OPS-P12",
        "Alex Adviser",
        "data:image/png;base64,",
        "As seen.",
        "TEST-",
        "Dx08",
    ] {
        assert!(page.contains(words), "{words}");
    }
    // Whole and well-formed: a page without outside references.
    booking::bounded_xml::parse(
        page.split_once('\n').unwrap().1,
        booking::bounded_xml::Bounds::nodes(100_000),
    )
    .unwrap();
    assert!(!page.contains("src=\"http") && !page.contains("<link"));
    let table = std::fs::read_to_string(Path::new(folder).join("plan.csv")).unwrap();
    assert!(
        table.contains("\"OPS-C9\"") && table.contains("\"Signed\""),
        "{table}"
    );
}

fn particulars(dialogue: &mut Dialogue) {
    for answer in PARTICULARS {
        dialogue.answer("> ", answer);
    }
    dialogue.answer("NHS number of the test patient", "999 012 3454");
    for role in [
        "delivery manager",
        "DoS configuration lead",
        "Supplier support, consumer",
        "lead, consumer",
    ] {
        dialogue.answer(role, "nobody");
    }
    dialogue.answer("User, consumer side", "Alex Adviser");
    dialogue.answer("organisation", "FX900");
    dialogue.answer("contact", "01632 960111");
    dialogue.answer("Supplier support, provider", "nobody");
    dialogue.answer("lead, provider side", "Grace Hazel");
    dialogue.answer("organisation", "FX101");
    dialogue.answer("contact", "");
    dialogue.answer("User, provider side", "nobody");
    for _ in 0..PREREQUISITES {
        dialogue.answer("yes, no or na", "yes");
        dialogue.answer("Note", "");
    }
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
        dialogue.answer(
            "Who saw it",
            if id == "OPS-C2" { "Alex Adviser" } else { "" },
        );
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
    demo.cancel_elsewhere(id);
}

/// Killed in the middle, at several moments of a booking: every answer is there, and nothing is booked unknown.
#[test]
fn killed_and_resumed() {
    let demo = Demo::start();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("utc");
    let folder = folder.to_str().unwrap();
    text(&["new", "utc", "--out", folder]);
    ready(folder);
    let run = [
        "run",
        folder,
        "--config",
        &demo.settings(),
        "--by",
        "Alex Adviser",
    ];
    let mut dialogue = Dialogue::start(&run);
    dialogue.until("] OPS-C1 ");
    dialogue.answer("pass, fail or na", "fail");
    dialogue.answer("What was seen instead", "a spinning wheel");
    dialogue.until("What will be done about it");
    dialogue.kill();
    // The half of an answer is there, and what is missing is asked for.
    let step = state(folder, "OPS-C2");
    assert_eq!(step["state"], "half answered");
    assert_eq!(step["answer"]["seen"], "a spinning wheel");
    assert_eq!(state(folder, "OPS-C1")["state"], "passed");
    let mut dialogue = Dialogue::start(&run);
    dialogue.until("] OPS-C2 ");
    dialogue.answer("Who saw it", "");
    dialogue.answer("Attach a file", "");
    dialogue.until("] OPS-C3 ");
    dialogue.answer("pass, fail or na", "skip");
    dialogue.until("] OPS-C4 ");
    dialogue.answer("pass, fail or na", "skip");
    dialogue.until("] OPS-C5 ");
    dialogue.until("Kept: attachments/OPS-C5-1-appointment.json");
    dialogue.kill();
    assert_eq!(demo.booked(), 1);
    for pause in [0, 30, 60, 120, 240] {
        let mut dialogue = Dialogue::start(&run);
        dialogue.answer("pass, fail or na", "skip");
        dialogue.answer("pass, fail or na", "skip");
        dialogue.until("] OPS-C5 ");
        dialogue.until("The tool has done its part");
        dialogue.answer("pass, fail or na", "again");
        std::thread::sleep(std::time::Duration::from_millis(pause));
        dialogue.kill();
    }
    let left = text(&["release", folder, "--config", &demo.settings()]);
    assert!(left.contains("Cancelled at the end"), "{left}");
    assert_eq!(demo.booked(), 0);
    assert_eq!(state(folder, "OPS-C2")["answer"]["by"], "Alex Adviser");
}

/// Proves: DEP-06
/// A change after signing makes signatures void, and is seen; signing again makes the plan complete again.
#[test]
fn a_change_makes_signatures_void() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("utc");
    let path = folder.clone();
    let folder = folder.to_str().unwrap();
    answered(folder);
    let sign = |by: &str, role: &str| text(&["sign", folder, "--by", by, "--role", role]);
    sign("alex adviser", "consumer-user");
    let last = sign("Grace Hazel", "provider-lead");
    assert!(last.contains("Everybody has signed"), "{last}");
    text(&["report", folder]);
    let again = fails(
        1,
        &[
            "sign",
            folder,
            "--by",
            "Grace Hazel",
            "--role",
            "provider-lead",
        ],
    );
    assert!(again.contains("signed already"), "{again}");

    text(&[
        "record",
        folder,
        "ops-c5",
        "--result",
        "failed",
        "--by",
        "Alex Adviser",
        "--seen",
        "wrong day",
        "--action",
        "supplier corrects it",
    ]);
    let shown = text(&["show", folder]);
    assert!(
        shown.contains("VOID, changed after signing: OPS-C5"),
        "{shown}"
    );
    let reason = fails(1, &["report", folder]);
    assert!(
        reason.contains("Failed: OPS-C5") && reason.contains("before a change"),
        "{reason}"
    );
    let page = std::fs::read_to_string(path.join("report.html")).unwrap();
    assert!(page.contains("supplier corrects it") && page.contains("Void: changed after signing"));

    text(&[
        "record",
        folder,
        "OPS-C5",
        "--result",
        "passed",
        "--by",
        "Alex Adviser",
    ]);
    assert_eq!(
        state(folder, "OPS-C5")["answer"]["earlier"][1]["seen"],
        "wrong day"
    );
    sign("Alex Adviser", "consumer-user");
    sign("Grace Hazel", "provider-lead");
    text(&[
        "report",
        folder,
        "--out",
        home.path().join("elsewhere.html").to_str().unwrap(),
    ]);
    assert!(home.path().join("elsewhere.csv").exists());

    // By hand: nothing is void in the file, the seal tells.
    let file = path.join("plan.json");
    let forged = std::fs::read_to_string(&file).unwrap().replace(
        "\"environment\": \"demonstration\"",
        "\"environment\": \"production\"",
    );
    std::fs::write(&file, forged).unwrap();
    let shown = text(&["show", folder]);
    assert!(shown.contains("not by this program"), "{shown}");
    // An attachment that was exchanged is told too.
    std::fs::write(home.path().join("a.txt"), "seen").unwrap();
    let attach = home.path().join("a.txt");
    text(&[
        "record",
        folder,
        "OPS-C1",
        "--result",
        "passed",
        "--by",
        "A",
        "--attach",
        attach.to_str().unwrap(),
    ]);
    std::fs::write(path.join("attachments/OPS-C1-1-a.txt"), "forged").unwrap();
    let reason = fails(1, &["report", folder]);
    assert!(
        reason.contains("is not the file that was attached"),
        "{reason}"
    );
}

/// The plans to a GP hub and to the registered practice go through the dispositions, and to a branch.
#[test]
fn the_plans_and_their_steps() {
    let plans = json(&["list", "--json"]);
    let words: Vec<&str> = plans
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["plan"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["utc", "gp-hub", "registered-practice"]);
    assert!(text(&["list"]).contains("GP Connect, which is out of scope"));
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
    assert!(text(&["list", "gp-hub"]).contains("Dx07: Provider side"));
}

/// The plan to a GP hub, automatic steps alone: each disposition in contacts of its own, nothing stays booked.
#[test]
fn automatic_steps_alone() {
    let demo = Demo::start();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("hub");
    let path = folder.clone();
    let folder = folder.to_str().unwrap();
    text(&["new", "gp-hub", "--out", folder]);
    text(&[
        "set",
        folder,
        "service=2000000021",
        "branch=2000000012",
        "service_empty=2000000014",
    ]);
    let run = [
        "run",
        folder,
        "--config",
        &demo.settings(),
        "--auto",
        "--redact",
        "--approved-by",
        "Dr I Larkspur",
    ];
    let said = text(&run);
    assert!(said.contains("0 failed, 0 could not be tried"), "{said}");
    assert!(
        said.contains("BRANCH-C") && said.contains("OPS-C11/Dx07"),
        "{said}"
    );
    assert_eq!(demo.booked(), 0);
    assert_eq!(state(folder, "OPS-C13/Dx06")["state"], "passed");
    assert_eq!(
        state(folder, "OPS-C5/Dx05")["state"],
        "done by the tool, to be looked at"
    );
    assert_eq!(state(folder, "OPS-C9/Dx05")["state"], "open");
    for file in std::fs::read_dir(path.join("attachments")).unwrap() {
        let kept = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(
            !kept.contains("Testwell") && !kept.contains("9990123454"),
            "{kept}"
        );
    }
    // A second run repeats nothing that was answered, and says what it cannot do.
    let other = home.path().join("other");
    let other = other.to_str().unwrap();
    text(&["new", "registered-practice", "--out", other]);
    let (code, said, reason) = uec(&[
        "run",
        other,
        "--config",
        &demo.settings(),
        "--auto",
        "--service",
        NO_SLOTS,
    ]);
    assert_eq!(code, 1);
    assert!(
        said.contains("put test slots into its diary") && reason.contains("could not be tried"),
        "{said}{reason}"
    );
    assert_eq!(demo.booked(), 0);
}

/// Wrong usage and wrong files are told precisely, and cost nothing.
#[test]
fn wrong_inputs() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("utc");
    let path = folder.clone();
    let folder = folder.to_str().unwrap();
    assert!(fails(2, &["new", "utx", "--out", folder]).contains("the nearest is utc"));
    assert!(fails(2, &["show", folder]).contains("uec assure plan new"));
    text(&["new", "utc", "--out", folder]);
    assert!(fails(2, &["new", "utc", "--out", folder]).contains("is not empty"));
    let record = |more: &[&str]| {
        let mut all = vec!["record", folder];
        all.extend(more);
        fails(2, &all)
    };
    assert!(record(&["OPS-C6", "--result", "passed", "--by", "A"]).contains("nearest is OPS-C"));
    assert!(record(&["OPS-C5", "--result", "pased", "--by", "A"]).contains("perhaps passed"));
    assert!(record(&["OPS-C5", "--result", "failed", "--by", "A"]).contains("--seen is missing"));
    assert!(record(&["OPS-C5", "--result", "passed", "--by", " "]).contains("--by"));
    let large = home.path().join("film.mp4");
    std::fs::File::create(&large)
        .unwrap()
        .set_len(50 * 1024 * 1024 + 1)
        .unwrap();
    let refused = record(&[
        "OPS-C5",
        "--result",
        "passed",
        "--by",
        "A",
        "--attach",
        large.to_str().unwrap(),
    ]);
    assert!(refused.contains("larger than 50 MB"), "{refused}");
    assert_eq!(state(folder, "OPS-C5")["state"], "open");
    assert!(fails(2, &["set", folder, "servise=1"]).contains("nearest is service"));
    assert!(fails(2, &["set", folder, "date=tomorrow"]).contains("2031-03-04"));
    assert!(fails(2, &["sign", folder, "--by", "A", "--role", "boss"]).contains("provider-lead"));
    assert!(
        fails(1, &["sign", folder, "--by", "A", "--role", "dos-lead"])
            .contains("nobody is named yet")
    );
    text(&["set", folder, "dos-lead=Wren Ash; FX1"]);
    let reason = fails(
        1,
        &["sign", folder, "--by", "Wren Ash", "--role", "dos-lead"],
    );
    assert!(reason.contains("nothing whole to sign yet"), "{reason}");
    assert!(
        fails(1, &["sign", folder, "--by", "B", "--role", "dos-lead"]).contains("names Wren Ash")
    );
    assert!(fails(2, &["run", folder, "--auto"]).contains("--config"));
    wrong_files(folder, &path.join("plan.json"));
}

fn wrong_files(folder: &str, file: &Path) {
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value = whole.clone();
        change(&mut value);
        let text = value.to_string();
        std::fs::write(file, &text).unwrap();
        let reason = fails(1, &["set", folder, "environment=x"]);
        assert_eq!(
            std::fs::read_to_string(file).unwrap(),
            text,
            "nothing was changed"
        );
        reason
    };
    let reason = with(&|v| v["format"] = json!("uec-operational-plan/2"));
    assert!(reason.contains("newer version"), "{reason}");
    let reason = with(&|v| v["format"] = json!("something/1"));
    assert!(reason.contains("format"), "{reason}");
    let reason = with(&|v| {
        v["answers"]["OPS-C5"] = json!({"result": "pased", "at": "2031-03-04T09:00:00Z"})
    });
    assert!(
        reason.contains("answers.OPS-C5.result") && reason.contains("passed"),
        "{reason}"
    );
    let reason = with(&|v| v["answers"]["OPS-C99"] = json!({}));
    assert!(
        reason.contains("answers.OPS-C99") && reason.contains("nearest"),
        "{reason}"
    );
    let reason = with(&|v| {
        v["particulars"]["date"] = json!("4 March");
        v["particulars"]["patient_nhs_number"] = json!("9434765919");
    });
    assert!(
        reason.contains("particulars.date") && reason.contains("******5919"),
        "{reason}"
    );
    let reason = with(&|v| {
        v["answers"]["OPS-C5"] = json!({"attachments": [{"file": "../../x", "name": "x", "bytes": 1,
            "sha256": "00", "at": "2031-03-04T09:00:00Z"}]});
    });
    assert!(
        reason.contains("attachments[0].file") && reason.contains("SHA-256"),
        "{reason}"
    );
    std::fs::write(file, "{\"format\": ").unwrap();
    assert!(fails(1, &["show", folder]).contains("line 1, column"));
    std::fs::write(file, whole.to_string()).unwrap();
    text(&["show", folder]);
}

/// Proves: DEP-06
/// The questions over a pipe: help, back, skip, quit, the end of the input; one program at a time; a change by another
/// program is not overwritten.
#[test]
fn questions_over_a_pipe() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("utc");
    let path = folder.clone();
    let folder = folder.to_str().unwrap();
    text(&["new", "utc", "--out", folder]);
    let mut dialogue = Dialogue::start(&["run", folder]);
    dialogue.answer("Date of the run", "?");
    dialogue.until("such as 2031-03-04");
    dialogue.until("back: the question before");
    dialogue.answer("Date of the run", "4 March");
    dialogue.until("is no date");
    dialogue.answer("Date of the run", "2031-03-04");
    let busy = fails(1, &["set", folder, "environment=other"]);
    assert!(busy.contains("another program"), "{busy}");
    dialogue.answer("Environment", "back");
    dialogue.answer("Date of the run [2031-03-04]", "2031-03-05");
    dialogue.answer("Environment", "integration");
    dialogue.answer("System of the 111 side", "skip");
    dialogue.answer("Organisation of the 111 side", "quit");
    let said = dialogue.ends(0);
    assert!(said.contains("Everything is kept"), "{said}");
    let kept = std::fs::read_to_string(path.join("plan.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(
        kept["particulars"],
        json!({"date": "2031-03-05", "environment": "integration"})
    );

    let mut dialogue = Dialogue::start(&["run", folder]);
    dialogue.until("System of the 111 side");
    let by_hand = kept.to_string().replace("integration", "training");
    std::fs::write(path.join("plan.json"), &by_hand).unwrap();
    dialogue.say("Pathways 1");
    let (_, reason) = dialogue.ends_with(1);
    assert!(reason.contains("plan.unsaved.json"), "{reason}");
    assert_eq!(
        std::fs::read_to_string(path.join("plan.json")).unwrap(),
        by_hand
    );
    let unsaved = std::fs::read_to_string(path.join("plan.unsaved.json")).unwrap();
    assert!(unsaved.contains("Pathways 1"), "{unsaved}");

    // The end of the input is `quit`.
    let mut dialogue = Dialogue::start(&["run", folder]);
    dialogue.answer("System of the 111 side", "Pathways 2");
    dialogue.end_of_input();
    dialogue.ends(0);
    assert!(
        std::fs::read_to_string(path.join("plan.json"))
            .unwrap()
            .contains("Pathways 2")
    );
}

/// A patient who may be real is not booked.
#[test]
fn no_real_patient_is_booked() {
    let demo = Demo::start();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("utc");
    let folder = folder.to_str().unwrap();
    text(&["new", "utc", "--out", folder]);
    let patient = std::fs::read_to_string(demo.file("patient.toml")).unwrap();
    let file = home.path().join("patient.toml");
    std::fs::write(&file, patient.replace("9990123454", "9434765919")).unwrap();
    let run = [
        "run",
        folder,
        "--config",
        &demo.settings(),
        "--auto",
        "--service",
        GP_CLINIC,
        "--patient",
        file.to_str().unwrap(),
    ];
    let (code, said, _) = uec(&run);
    assert_eq!(code, 1);
    assert!(said.contains("may be a real person's"), "{said}");
    assert_eq!(demo.booked(), 0);
}
