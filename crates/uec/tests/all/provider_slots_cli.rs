//! Commands of the Provider that change or replace much at once: they say so first, and ask.

use super::support;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::support::operations::{uec, written};

const CLINIC: &str = r#"
[provider]
ods = "FX101"
asid = "918999000011"
name = "Fernhill Urgent Care"
horizon_days = 2

[[service]]
id = "2000000011"
name = "GP clinic"

[[schedule]]
id = "gp"
services = ["2000000011"]
overlaps = true

[[template]]
id = "day"
schedule = "gp"
weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "24:00"
slot_minutes = 30

[[template]]
id = "reserve"
schedule = "gp"
weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "24:00"
slot_minutes = 30
held = true
"#;

/// A provider in a database of its own.
struct Clinic {
    folder: tempfile::TempDir,
    database: String,
}

impl Clinic {
    fn new(text: &str) -> Clinic {
        let folder = tempfile::tempdir().expect("folder");
        let database = format!("sqlite:{}", folder.path().join("p.sqlite").display());
        let file = written(folder.path(), "clinic.toml", text);
        let clinic = Clinic { folder, database };
        clinic.says(&["apply", &file.display().to_string()], 0);
        clinic
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["provider"];
        all.extend(arguments);
        all.extend(["--database", &self.database]);
        uec(&all)
    }

    /// What it says on both outputs, with this exit code.
    #[track_caller]
    fn says(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let text = both(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        text
    }

    #[track_caller]
    fn count(&self, more: &[&str]) -> usize {
        let mut all = vec!["slots", "list", "--json"];
        all.extend(more);
        let output = self.run(&all);
        let lines: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        lines.as_array().expect("an array").len()
    }
}

fn both(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn the_whole_diary_is_changed_only_when_that_is_said() {
    let clinic = Clinic::new(CLINIC);
    for what in ["hold", "release", "remove"] {
        for narrow in [
            &[][..],
            &["--yes"],
            &["--held", "false"],
            &["--status", "free", "--yes"],
        ] {
            let mut all = vec!["slots", what];
            all.extend(narrow);
            let said = clinic.says(&all, 2);
            assert!(
                said.contains("--schedule") && said.contains("--all"),
                "{said}"
            );
            assert!(said.contains("Nothing was changed"), "{said}");
        }
    }
    let free = clinic.count(&["--held", "false"]);
    assert!(free > 90, "{free}");
    let said = clinic.says(&["slots", "hold", "--all", "--yes"], 0);
    assert!(
        said.contains(&format!("{free} slots held back, from 20")),
        "{said}"
    );
    assert_eq!(clinic.count(&["--held", "false"]), 0);
    // What is held by declaration stays so, and is named.
    let said = clinic.says(&["slots", "release", "--schedule", "gp", "--yes"], 0);
    assert!(said.contains(&format!("{free} slots released")), "{said}");
    assert!(said.contains("slots of reserve stay held"), "{said}");
    assert_eq!(clinic.count(&["--held", "false"]), free);
    let said = clinic.says(&["slots", "release", "--template", "reserve", "--yes"], 0);
    assert!(said.contains("slots released"), "{said}");
    assert_eq!(clinic.count(&["--held", "true"]), 0);
}

#[test]
fn without_a_terminal_a_change_says_what_it_would_do_and_does_nothing() {
    let clinic = Clinic::new(CLINIC);
    let before = clinic.count(&[]);
    for what in ["hold", "remove"] {
        let said = clinic.says(&["slots", what, "--template", "day"], 2);
        for part in [
            "FX101: ",
            " slots would be ",
            ", from 20",
            " to 20",
            "--yes",
            "Nothing was changed",
        ] {
            assert!(said.contains(part), "{what}: {part} is not in {said}");
        }
    }
    assert_eq!(
        (
            clinic.count(&[]),
            clinic.count(&["--template", "day", "--held", "true"])
        ),
        (before, 0)
    );
    let dry = clinic.run(&[
        "slots",
        "remove",
        "--template",
        "day",
        "--dry-run",
        "--json",
    ]);
    let dry: Value = serde_json::from_slice(&dry.stdout).expect("JSON");
    assert_eq!(dry["dry_run"], true);
    assert!(dry["first"].as_str() < dry["last"].as_str());
    // Nothing to do is nothing to ask.
    let said = clinic.says(&["slots", "release", "--template", "day"], 0);
    assert!(said.starts_with("0 slots released"), "{said}");
}

/// At a terminal the number and the span stand before the question.
#[test]
fn at_a_terminal_the_question_is_asked_and_no_is_no() {
    let clinic = Clinic::new(CLINIC);
    let before = clinic.count(&[]);
    let command = format!(
        "{} provider slots remove --template day --database {}",
        env!("CARGO_BIN_EXE_uec"),
        clinic.database
    );
    let typed = |answer: &str| {
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("script, of util-linux, makes a terminal");
        use std::io::Write as _;
        let mut stdin = child.stdin.take().expect("stdin");
        stdin.write_all(answer.as_bytes()).expect("typed");
        let output = child.wait_with_output().expect("ends");
        drop(stdin);
        (output.status.code(), both(&output))
    };
    let (code, said) = typed("n\n");
    assert!(
        said.contains("Go on? [y/N]") && said.contains("slots would be removed, from 20"),
        "{said}"
    );
    assert_eq!((code, clinic.count(&[])), (Some(1), before), "{said}");
    let (code, said) = typed("y\n");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(clinic.count(&["--template", "day"]), 0, "{said}");
    assert!(clinic.count(&["--template", "reserve"]) > 90);
}

#[test]
fn a_template_that_is_not_there_is_named_with_the_nearest() {
    let clinic = Clinic::new(CLINIC);
    for what in ["hold", "release", "remove"] {
        let said = clinic.says(&["slots", what, "--template", "reserv", "--yes"], 1);
        assert!(said.contains("`reserv`; did you mean `reserve`?"), "{said}");
    }
    let said = clinic.says(&["slots", "list", "--template", "nosuch"], 1);
    assert!(
        said.contains("there is no template or session `nosuch`"),
        "{said}"
    );
}

/// A slot that is named and is not there is a slip as well: "0 slots removed" would look like success.
#[test]
fn a_slot_that_is_not_there_is_refused() {
    let clinic = Clinic::new(CLINIC);
    let id = "0193f1c2-7a10-7c55-8f6f-6f2f0a7c9d01";
    for what in ["hold", "release", "remove"] {
        let said = clinic.says(&["slots", what, "--slot", id, "--yes"], 1);
        assert!(said.contains(&format!("there is no slot `{id}`")), "{said}");
    }
}

/// A list has no end but its own.
#[test]
fn a_list_of_many_slots_has_them_all() {
    let long = CLINIC
        .replace("horizon_days = 2", "horizon_days = 5")
        .replace("slot_minutes = 30", "slot_minutes = 1");
    let clinic = Clinic::new(&long);
    let counted = clinic.says(&["slots", "list", "--template", "day", "--count"], 0);
    let listed = clinic.count(&["--template", "day"]);
    assert!(listed > 5 * 1_440, "{listed}");
    assert!(
        counted.contains(&listed.to_string()) || listed.abs_diff(5 * 1_440) < 1_440,
        "{counted}"
    );
    let text = clinic.says(&["slots", "list", "--from", "2020-01-01"], 0);
    let lines = text.lines().filter(|line| line.starts_with("  ")).count();
    assert!(lines > 14_000, "{lines}");
    assert!(text.ends_with(&format!("\n{lines} slots\n")));
}

#[test]
fn migrate_makes_no_file_of_a_mistyped_path() {
    let clinic = Clinic::new(CLINIC);
    let missing = clinic.folder.path().join("provide.sqlite");
    let output = uec(&[
        "provider",
        "migrate",
        "--database",
        &format!("sqlite:{}", missing.display()),
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", both(&output));
    assert!(
        both(&output).contains("there is no database at"),
        "{}",
        both(&output)
    );
    assert!(!missing.exists());
    clinic.says(&["migrate"], 0);
}

#[test]
fn restore_names_the_flag_that_replaces() {
    let clinic = Clinic::new(CLINIC);
    let backup: PathBuf = clinic.folder.path().join("backup.sqlite");
    let shown = backup.display().to_string();
    clinic.says(&["backup", "--to", &shown], 0);
    let before = clinic.count(&[]);
    clinic.says(&["slots", "remove", "--all", "--yes"], 0);
    let said = clinic.says(&["restore", "--from", &shown], 1);
    assert!(
        said.contains("--replace") && said.contains("Nothing was changed"),
        "{said}"
    );
    assert_eq!(clinic.count(&[]), 0);
    clinic.says(&["restore", "--from", &shown, "--replace"], 0);
    assert_eq!(clinic.count(&[]), before);
}

/// A demo whose folder another running demo has says so, and leaves it alone.
#[test]
fn two_demos_do_not_share_a_folder() {
    let folder = tempfile::tempdir().expect("folder");
    let data: &Path = folder.path();
    let lock = std::fs::File::create(data.join("demo.lock")).expect("lock");
    lock.try_lock().expect("nobody has it");
    std::fs::write(data.join("demo.lock"), " (process 1, --port 8000)\n").expect("written");
    let demo = |port: &str| {
        let shown = data.display().to_string();
        uec(&["demo", "--data", &shown, "--port", port])
    };
    let port = support::operations::free_address()
        .port()
        .min(60_000)
        .to_string();
    let output = demo(&port);
    let said = both(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("in use by another demo (process 1, --port 8000)") && said.contains("--data"),
        "{said}"
    );
    assert!(!data.join("provider.sqlite").exists());
}

/// What is declared without effect is told by apply, its dry run and doctor.
#[test]
fn what_has_no_effect_is_told_by_apply_and_doctor() {
    let odd = format!(
        "{CLINIC}\n[[location]]\nid = \"here\"\nname = \"Here\"\naddress = {{ postcode = \"NOWHERE\" }}\n\
         [[template]]\nid = \"fridays\"\nschedule = \"gp\"\nweekdays = [\"fri\"]\nfrom = \"09:00\"\n\
         to = \"10:00\"\nslot_minutes = 10\nexceptions = [{{ date = 2199-12-26, closed = true }}]\n"
    );
    let clinic = Clinic::new(&odd);
    let file = clinic
        .folder
        .path()
        .join("clinic.toml")
        .display()
        .to_string();
    for arguments in [
        &["apply", &file][..],
        &["apply", &file, "--dry-run"],
        &["doctor"],
    ] {
        let output = clinic.run(arguments);
        let said = both(&output);
        for part in [
            "[[location]] `here`: `NOWHERE` is not a postcode",
            "[[template]] `fridays`: its exception changes nothing: 2199-12-26 lies more than two years ahead",
        ] {
            assert!(
                said.contains(part),
                "{arguments:?}: {part} is not in {said}"
            );
        }
    }
}

#[test]
fn what_contradicts_itself_is_a_slip_of_the_command_line() {
    let clinic = Clinic::new(CLINIC);
    let all = clinic.count(&[]);
    let days = ["--from", "2027-03-02", "--to", "2027-03-01"];
    for what in ["list", "hold", "release", "remove"] {
        let arguments = [&["slots", what][..], &days[..]].concat();
        let said = clinic.says(&arguments, 2);
        assert!(said.contains("--to 2027-03-01, is before"), "{said}");
    }
    for narrow in [["--schedule", "gp"], ["--to", "2099-01-01"]] {
        let arguments = [&["slots", "remove", "--all", "--yes"][..], &narrow[..]].concat();
        let said = clinic.says(&arguments, 2);
        assert!(said.contains("--all is the whole diary"), "{said}");
    }
    assert!(all > 0 && clinic.count(&["--held", "true"]) > 0, "{all}");
}
