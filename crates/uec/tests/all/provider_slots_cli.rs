//! Commands of the Provider that change or replace much at once: they say so first, and ask.

use super::support;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::{Arguments, Ended, assert_contains, words};

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
        clinic.says(format!("apply '{}'", file.display()), 0);
        clinic
    }

    #[track_caller]
    fn run(&self, arguments: impl Arguments) -> Ended {
        let database = ["--database", &self.database];
        uec([words("provider"), arguments.words(), database.words()].concat())
    }

    /// What it says on both outputs, with this exit code.
    #[track_caller]
    fn says(&self, arguments: impl Arguments, code: i32) -> String {
        self.run(arguments).with(code).said()
    }

    #[track_caller]
    fn count(&self, more: &str) -> usize {
        let slots = self.run(format!("slots list --json {more}")).json;
        slots.as_array().expect("an array").len()
    }
}

#[test]
fn the_whole_diary_is_changed_only_when_that_is_said() {
    let clinic = Clinic::new(CLINIC);
    for what in ["hold", "release", "remove"] {
        for narrow in ["", "--yes", "--held false", "--status free --yes"] {
            let said = clinic.says(format!("slots {what} {narrow}"), 2);
            assert_contains(&said, &["--schedule", "--all", "Nothing was changed"]);
        }
    }
    let free = clinic.count("--held false");
    assert!(free > 90, "{free}");
    let said = clinic.says("slots hold --all --yes", 0);
    assert_contains(&said, &[&format!("{free} slots held back, from 20")]);
    assert_eq!(clinic.count("--held false"), 0);
    // What is held by declaration stays so, and is named.
    let said = clinic.says("slots release --schedule gp --yes", 0);
    assert_contains(
        &said,
        &[
            &format!("{free} slots released"),
            "slots of reserve stay held",
        ],
    );
    assert_eq!(clinic.count("--held false"), free);
    let said = clinic.says("slots release --template reserve --yes", 0);
    assert!(said.contains("slots released"), "{said}");
    assert_eq!(clinic.count("--held true"), 0);
}

#[test]
fn without_a_terminal_a_change_says_what_it_would_do_and_does_nothing() {
    let clinic = Clinic::new(CLINIC);
    let before = clinic.count("");
    for what in ["hold", "remove"] {
        let said = clinic.says(format!("slots {what} --template day"), 2);
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
        (clinic.count(""), clinic.count("--template day --held true")),
        (before, 0)
    );
    let dry = clinic
        .run("slots remove --template day --dry-run --json")
        .json;
    assert_eq!(dry["dry_run"], true);
    assert!(dry["first"].as_str() < dry["last"].as_str());
    // Nothing to do is nothing to ask.
    let said = clinic.says("slots release --template day", 0);
    assert!(said.starts_with("0 slots released"), "{said}");
}

/// At a terminal the number and the span stand before the question.
#[test]
fn at_a_terminal_the_question_is_asked_and_no_is_no() {
    let clinic = Clinic::new(CLINIC);
    let before = clinic.count("");
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
        let ended = Ended::wait(&command, child);
        drop(stdin);
        (ended.code, ended.said())
    };
    let (code, said) = typed("n\n");
    assert_contains(&said, &["Go on? [y/N]", "slots would be removed, from 20"]);
    assert_eq!((code, clinic.count("")), (1, before), "{said}");
    let (code, said) = typed("y\n");
    assert_eq!(code, 0, "{said}");
    assert_eq!(clinic.count("--template day"), 0, "{said}");
    assert!(clinic.count("--template reserve") > 90);
}

#[test]
fn a_template_that_is_not_there_is_named_with_the_nearest() {
    let clinic = Clinic::new(CLINIC);
    for what in ["hold", "release", "remove"] {
        let said = clinic.says(format!("slots {what} --template reserv --yes"), 1);
        assert!(said.contains("`reserv`; did you mean `reserve`?"), "{said}");
    }
    let said = clinic.says("slots list --template nosuch", 1);
    assert_contains(&said, &["there is no template or session `nosuch`"]);
}

/// A slot that is named and is not there is a slip as well: "0 slots removed" would look like success.
#[test]
fn a_slot_that_is_not_there_is_refused() {
    let clinic = Clinic::new(CLINIC);
    let id = "0193f1c2-7a10-7c55-8f6f-6f2f0a7c9d01";
    for what in ["hold", "release", "remove"] {
        let said = clinic.says(format!("slots {what} --slot {id} --yes"), 1);
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
    let counted = clinic.says("slots list --template day --count", 0);
    let listed = clinic.count("--template day");
    assert!(listed > 5 * 1_440, "{listed}");
    assert!(
        counted.contains(&listed.to_string()) || listed.abs_diff(5 * 1_440) < 1_440,
        "{counted}"
    );
    let text = clinic.says("slots list --from 2020-01-01", 0);
    let lines = text.lines().filter(|line| line.starts_with("  ")).count();
    assert!(lines > 14_000, "{lines}");
    assert!(text.ends_with(&format!("\n{lines} slots\n")));
}

#[test]
fn migrate_makes_no_file_of_a_mistyped_path() {
    let clinic = Clinic::new(CLINIC);
    let missing = clinic.folder.path().join("provide.sqlite");
    let missed = uec(format!(
        "provider migrate --database 'sqlite:{}'",
        missing.display()
    ));
    missed.with(1).says(&["there is no database at"]);
    assert!(!missing.exists());
    clinic.says("migrate", 0);
}

#[test]
fn restore_names_the_flag_that_replaces() {
    let clinic = Clinic::new(CLINIC);
    let backup: PathBuf = clinic.folder.path().join("backup.sqlite");
    let shown = backup.display().to_string();
    clinic.says(format!("backup --to '{shown}'"), 0);
    let before = clinic.count("");
    clinic.says("slots remove --all --yes", 0);
    let said = clinic.says(format!("restore --from '{shown}'"), 1);
    assert_contains(&said, &["--replace", "Nothing was changed"]);
    assert_eq!(clinic.count(""), 0);
    clinic.says(format!("restore --from '{shown}' --replace"), 0);
    assert_eq!(clinic.count(""), before);
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
        uec(format!("demo --data '{shown}' --port {port}"))
    };
    let port = support::operations::free_address()
        .port()
        .min(60_000)
        .to_string();
    let output = demo(&port);
    let said = output.said();
    assert_eq!(output.code, 1, "{said}");
    assert_contains(
        &said,
        &["in use by another demo (process 1, --port 8000)", "--data"],
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
        &format!("apply '{file}'"),
        &format!("apply '{file}' --dry-run"),
        "doctor",
    ] {
        let output = clinic.run(arguments);
        let said = output.said();
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
    let all = clinic.count("");
    let days = "--from 2027-03-02 --to 2027-03-01";
    for what in ["list", "hold", "release", "remove"] {
        let said = clinic.says(format!("slots {what} {days}"), 2);
        assert!(said.contains("--to 2027-03-01, is before"), "{said}");
    }
    for narrow in ["--schedule gp", "--to 2099-01-01"] {
        let said = clinic.says(format!("slots remove --all --yes {narrow}"), 2);
        assert!(said.contains("--all is the whole diary"), "{said}");
    }
    assert!(all > 0 && clinic.count("--held true") > 0, "{all}");
}
