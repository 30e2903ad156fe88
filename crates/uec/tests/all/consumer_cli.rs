//! `uec consumer …` as people and scripts use it: the real program against DoS, SDS, SSP and Provider on sockets.

use super::support::nation::{self, patient};
use super::support::operations::{uec, with_settings, written};
use super::support::{GP_CLINIC, Server, uuid};
use sandbox::faults::{Fault, Point, Rule};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use testkit::{Arguments, Ended, assert_contains, assert_lacks, words};

/// A search that finds most of the demonstration's services.
const FIND: &str = "services --postcode 'LS99 9AA' --age 42 --gender female \
             --disposition Dx05 --symptom-group 1011 \
             --discriminator 4052 --free";

/// Everything but the Consumer.
struct Nation {
    provider: Server,
    national: nation::Nation,
}

impl Nation {
    fn start() -> Nation {
        let provider = with_settings(&uuid(), "[trust]\nunsigned = \"any\"\n");
        Nation {
            national: nation::Nation::of(&format!("http://{}", provider.address)),
            provider,
        }
    }

    #[track_caller]
    fn run(&self, arguments: impl Arguments) -> Ended {
        Ended::run(&mut self.national.command(arguments))
    }

    fn folder(&self) -> &Path {
        self.national.folder.path()
    }

    /// Runs a command whose standard output is this.
    fn run_to(&self, stdout: Stdio, arguments: impl Arguments) -> Ended {
        Ended::run(self.national.command(arguments).stdout(stdout))
    }

    /// Runs a command that succeeds, and returns what it printed.
    #[track_caller]
    fn text(&self, arguments: impl Arguments) -> String {
        let done = self.run(arguments).with(0);
        assert_eq!(done.stderr, "", "{}", done.command);
        done.stdout
    }

    #[track_caller]
    fn json(&self, arguments: impl Arguments) -> Value {
        let text = self.text([arguments.words(), words("--json")].concat());
        serde_json::from_str(&text).unwrap()
    }

    /// Rows of the journal, each as a JSON object.
    fn kept(&self, sql: &str) -> Vec<Value> {
        let file = self.folder().join("data/uec/demo-consumer.sqlite");
        let journal = rusqlite::Connection::open(file).unwrap();
        let mut select = journal.prepare(sql).unwrap();
        let rows = select.query_map([], |r| r.get::<_, String>(0)).unwrap();
        rows.map(|row| serde_json::from_str(&row.unwrap()).unwrap())
            .collect()
    }

    /// Runs a command that ends with this code, and returns its reason.
    #[track_caller]
    fn fails(&self, code: i32, arguments: impl Arguments) -> String {
        self.run(arguments).with(code).stderr
    }
}

/// A booking stands although its report cannot be printed: standard error says so, and where it is.
#[test]
fn a_booking_that_cannot_be_printed_is_told_on_standard_error() {
    let nation = Nation::start();
    let full = || {
        Stdio::from(
            std::fs::File::options()
                .write(true)
                .open("/dev/full")
                .unwrap(),
        )
    };
    let book = format!("--verbose book --service {GP_CLINIC} --first --yes --patient ada.toml");
    let out = nation.run_to(full(), &book);
    out.with(3).notes(&[
        "uec: booked, but standard output",
        "Booked: ",
        "/Appointment/",
    ]);
    // It is there, and listed.
    assert!(nation.text("show").contains("booked"));
    // Words for people on standard error are lost without harm.
    let cancel = "--verbose cancel last --yes --patient-told";
    let out = Ended::run(nation.national.command(cancel).stderr(full())).with(0);
    assert!(out.stdout.contains("cancelled"));
    // Data that nobody could read is a failure, and a reader that left is not.
    let slots = format!("slots --service {GP_CLINIC}");
    nation.run_to(full(), &slots).with(1);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let out = nation.run_to(writer.into(), &slots);
    assert_eq!((out.code, out.stderr.as_str()), (0, ""));
}

/// Proves: CONS-DOS-01, CONS-DOS-02, CONS-SLOT-06, CONS-SLOT-07, CONS-SLOT-08, CONS-DOS-05, CONS-DOS-06, OPS-C2, OPS-C4
/// Finding, as tables and as JSON.
#[test]
fn finding() {
    let nation = Nation::start();
    let table = nation.text(FIND);
    let first: Vec<&str> = table.lines().take(4).collect();
    assert!(first[0].starts_with("  1  Fernhill"), "{table}");
    assert!(
        first[1].contains("can be booked") && first[3].contains(" free)"),
        "{table}"
    );
    assert_fits(&table);
    let services = nation.json(FIND);
    assert!(services["services"].as_array().unwrap().len() > 2);
    assert!(services["services"][0]["free"]["count"].as_u64().unwrap() > 0);

    let endpoint = nation.json(format!("endpoint --service {GP_CLINIC}"));
    assert_eq!(endpoint["asid"], "918999000011");
    assert!(
        endpoint["slots"]
            .as_str()
            .unwrap()
            .ends_with("/STU3/1/FX101")
    );
    let table = nation.text(format!("slots --service {GP_CLINIC} --limit 3"));
    assert_contains(&table, &["In person", "more; --limit"]);
    assert_fits(&table);
    assert_fits(&nation.text(format!("slots --service {GP_CLINIC} --within 1h")));
    let few = nation.json(format!("slots --service {GP_CLINIC} --limit 2"));
    assert_eq!(few["slots"].as_array().unwrap().len(), 2);
    let all = nation.json(format!("slots --service {GP_CLINIC}"));
    assert!(
        all["slots"].as_array().unwrap().len() > 40,
        "all of them without --limit"
    );
    assert_eq!(all["total"], few["total"]);
    assert_eq!(
        all["slots"].as_array().map(Vec::len),
        all["total"].as_u64().map(|n| n as usize)
    );
    // Every clinic of the service is there, each slot with its clinician and the kind of appointment.
    let clinicians: std::collections::BTreeSet<&str> = all["slots"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|slot| slot["channel"].is_string())
        .filter_map(|slot| slot["clinician"]["name"].as_str())
        .collect();
    assert_eq!(clinicians.len(), 2, "{clinicians:?}");
    let bare = nation.text("slots --service 2000000015 --limit 1");
    assert!(!bare.contains("WHERE") && !bare.contains("WITH"), "{bare}");
    let none = nation.text("slots --service 2000000014");
    assert!(none.contains("no free slots"), "{none}");
    for service in ["2000000022", "2000000023", "2999999999"] {
        let reason = nation.fails(1, format!("slots --service {service}"));
        assert!(
            !reason.contains("ASID") && reason.starts_with("uec: "),
            "{reason}"
        );
    }
    assert!(
        nation
            .fails(1, "slots --service 2000000023 --verbose")
            .contains("WARN")
    );
}

/// Proves: CONS-BOOK-03, CONS-BOOK-05, CONS-REB-01, CONS-REB-04, CONS-REB-05, CONS-CAN-01, CONS-CAN-05, CONS-SMS-01, REF-CON-05, OPS-C5, OPS-C10, OPS-C12
/// From the booking to its cancellation, the lost answer in between.
#[test]
fn the_journey_of_one_patient() {
    let nation = Nation::start();
    let book = format!("book --service {GP_CLINIC} --first --patient ada.toml");
    let booked = nation.json(&book);
    let first = booked["booked"]["appointment"].as_str().unwrap().to_owned();
    assert!(
        booked["booked"]["url"]
            .as_str()
            .unwrap()
            .starts_with("https://")
    );
    assert_eq!(booked["sms"]["to"], "07700 900123");
    let sms = booked["sms"]["text"].as_str().unwrap();
    let start: jiff::Timestamp = booked["booked"]["slot"]["start"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let local = start.in_tz("Europe/London").unwrap();
    assert_contains(
        sms,
        &[
            &local.strftime("%a %-d %b %Y").to_string(),
            &local.strftime("%H:%M").to_string(),
            "Fernhill",
            "call 111",
        ],
    );
    assert_eq!(nation.json("show last")["status"], "booked");
    assert!(nation.text("show").contains(&first));

    let referred = nation.text("refer last --note 'Three days' --disposition Dx05");
    assert_contains(
        &referred,
        &["The service has the referral", "Ada Testwell at "],
    );
    assert_lacks(&referred, &[&format!("at {GP_CLINIC}")]);
    let twice = nation.fails(1, "refer last");
    assert!(twice.contains("sent already"), "{twice}");

    let asked = nation.fails(1, "rebook last --first");
    assert_contains(&asked, &["Ms Ada Testwell", "--yes"]);
    let again = nation.text("rebook last --first --yes");
    assert_contains(
        &again,
        &[
            "Booked: ",
            "Old appointment: The appointment is cancelled: Ms Ada Testwell at ",
        ],
    );
    let old = nation.json(format!("show {first}"));
    assert_eq!(old["status"], "cancelled");

    let lost = Rule::new(Point::Ssp, Fault::LostAnswer { cut: false })
        .interaction("create:appointment")
        .times(1);
    nation.national.sandbox.faults().add(lost).unwrap();
    let known = nation.fails(1, &book);
    assert_contains(
        &known,
        &["has an appointment already", "Nothing was booked"],
    );
    let found = nation.run(format!("{book} --yes")).with(0);
    assert_contains(&found.stdout, &["There is only this one"]);
    found.notes(&["has an appointment already"]);

    let asked = nation.fails(1, "cancel last");
    assert_contains(&asked, &["--yes", "Ms Ada Testwell at "]);
    let done = nation.json("cancel last --yes --patient-told");
    assert_eq!(done["outcome"], "cancelled");
    let id = done["appointment"]["id"].as_str().unwrap();
    assert_eq!(
        nation.json(format!("cancel {id} --yes"))["outcome"],
        "already_cancelled"
    );
    let stranger = nation.fails(1, "cancel last --yes --nhs-number 9990000018");
    let is_told = stranger.contains("another patient's") || stranger.contains("NHS number");
    assert!(is_told, "{stranger}");
}

/// Proves: CONS-TF-03, CONS-TF-04, CONS-TF-05, CONS-BO-01, CONS-BOOK-02, CONS-ERR-02
/// Questions that flags answer, refusals with their reasons, wrong usage.
#[test]
fn questions_and_refusals() {
    let nation = Nation::start();
    let late = format!("book --service {GP_CLINIC} --first --patient ada.toml --within 0m");
    let reason = nation.fails(1, &late);
    assert_contains(&reason, &["clinician", "--approved-by"]);
    let booked = nation.json(format!("{late} --approved-by 'Dr I Larkspur'"));
    assert!(
        booked["booked"]["outside_timeframe_minutes"]
            .as_i64()
            .unwrap()
            > 0
    );

    let reason = nation.fails(
        1,
        format!("book --service {GP_CLINIC} --first --patient ada.toml --nhs-number 1234567890"),
    );
    assert!(reason.contains("NHS number is not valid"), "{reason}");
    let refer = "refer --service 2000000021 --patient ada.toml --note x";
    let unknown = nation.fails(1, refer);
    assert!(unknown.contains("List the services first"), "{unknown}");
    nation.text(FIND);
    let alone = nation.fails(1, refer);
    assert!(alone.contains("only with a booked appointment"), "{alone}");
    for wrong in [
        vec!["book", "--service", GP_CLINIC],
        vec!["slots", "--service", "no such id"],
        vec!["slots", "--service", GP_CLINIC, "--set", "dos.adress=x"],
        vec!["slots", "--service", GP_CLINIC, "--within", "soon"],
        vec!["show", "unknown-appointment"],
        vec!["book", "--service", GP_CLINIC, "--first"],
    ] {
        nation.fails(2, &wrong);
    }
}

/// Lists are read on an ordinary terminal.
#[track_caller]
fn assert_fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}\n{text}");
    }
}

/// Proves: CONS-BOOK-04, CONS-SLOT-05
/// A number names a row of the list shown last, of that service only; what has gone meanwhile is told with what is free.
#[test]
fn rows_are_booked_by_their_numbers() {
    let nation = Nation::start();
    let book = |slot: &str, patient: &str| {
        let book = format!("book --service {GP_CLINIC} --slot {slot} --yes --patient {patient}");
        nation.run(&book)
    };
    book("#3", "ada.toml").with(2);
    let listed = nation.json(format!("slots --service {GP_CLINIC} --limit 5"));
    let third = listed["slots"][2]["id"].as_str().unwrap().to_owned();
    // Somebody else takes it.
    let somebody = patient(Some("9990000018"));
    written(nation.folder(), "somebody.toml", &somebody);
    let booked = book("3", "somebody.toml --json").json;
    assert_eq!(booked["booked"]["slot"]["id"], third.as_str());
    // The same row again: it has gone since the list was shown.
    for name in ["3", third.as_str()] {
        let gone = book(name, "ada.toml").with(1);
        gone.notes(&["has just taken this time"]);
        assert_contains(&gone.stdout, &["free now", "\n1  "]);
        nation.json(format!("slots --service {GP_CLINIC} --limit 5"));
        if name == "3" {
            // Now it is the row of another slot: the number is not kept beyond its list.
            let rows = nation.json(format!("slots --service {GP_CLINIC} --limit 5"));
            assert_ne!(rows["slots"][2]["id"], third.as_str());
        }
    }
    let unknown = book("0190aaaa-bbbb-7ccc-8ddd-000000000000", "ada.toml");
    unknown.notes(&["not free in the time searched"]);
    book("99", "ada.toml").with(2);
    nation.text("slots --service 2000000013 --limit 5");
    let other = book("1", "ada.toml").with(2);
    other.notes(&["2000000013"]);
}

/// Proves: CONS-DOS-01, CONS-SLOT-05
/// A number after `--service` names a row of the list of services shown last, as it was shown.
#[test]
fn services_are_named_by_their_numbers() {
    let nation = Nation::start();
    let refused = |service: &str, words: &str| {
        let out = nation.run(format!("slots --service {service}"));
        out.with(2).notes(&[words]);
    };
    refused("1", "no list of services was shown before");
    let services = "services --postcode 'LS99 9AA' --age 42 --disposition 1005 \
             --symptom-group 1011 --discriminator 4052";
    let listed = nation.json(services);
    let all = listed["services"].as_array().unwrap();
    for (row, service) in all
        .iter()
        .enumerate()
        .filter(|(_, s)| s["bookable"] == true)
    {
        let number = format!("{}", row + 1);
        let slots = nation.json(format!("slots --service {number}"));
        assert_eq!(slots["service"], service["id"], "{number}");
    }
    let (row, service) = all
        .iter()
        .enumerate()
        .find(|(_, s)| s["id"] == GP_CLINIC)
        .unwrap();
    let number = format!("#{}", row + 1);
    let book = format!("book --service {number} --first --yes --patient ada.toml");
    assert_eq!(nation.json(&book)["service"]["id"], service["id"]);
    let endpoint = format!("endpoint --service {number}");
    assert_eq!(nation.json(&endpoint)["service"], service["id"]);
    refused("0", &format!("the rows 1 to {}", all.len()));
    refused("999", &format!("the rows 1 to {}", all.len()));
}

/// Proves: NFR-01
/// The journal of the terminal is private, and lies in the user's data folder, wherever the command is started.
#[test]
fn the_journal_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let nation = Nation::start();
    nation.text("show");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = nation.folder().join("data/uec");
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("demo-consumer.sqlite")), 0o600);
    assert!(!nation.folder().join("consumer.sqlite").exists());
    nation.text("show --set journal=own.sqlite");
    assert_eq!(mode(&nation.folder().join("own.sqlite")), 0o600);
}

/// Proves: AUD-07, NFR-01
/// Personal data that are due leave the journal, after a question; a booking to come stays whole, and what reports count
/// stays for ever.
#[test]
fn personal_data_leave_the_journal_when_they_are_due() {
    let nation = Nation::start();
    let book = format!("book --service {GP_CLINIC} --first --patient ada.toml --case case-7");
    nation.json(&book);
    let file = nation.folder().join("data/uec/demo-consumer.sqlite");
    let one = |sql: &str| {
        let journal = rusqlite::Connection::open(&file).unwrap();
        journal.query_row(sql, [], |r| r.get::<_, i64>(0)).unwrap()
    };
    let numbers = "SELECT count(*) FROM booking WHERE nhs_number = '9990123454'";
    let nothing = nation.json("prune --yes");
    assert_eq!(nothing["done"], false);
    // Two years pass: the row is as old as that.
    let journal = rusqlite::Connection::open(&file).unwrap();
    let past = "- 2 * 366 * 86400000";
    journal
        .execute_batch(&format!(
            "UPDATE encounter SET opened_at = opened_at {past}; UPDATE booking SET start = start {past}, end = end {past};"
        ))
        .unwrap();
    drop(journal);
    let dry = nation.text("prune --dry-run");
    assert!(dry.contains("1 booking with their patient and"), "{dry}");
    let asked = nation.fails(1, "prune");
    assert!(asked.contains("--yes"), "{asked}");
    assert_eq!(one(numbers), 1);
    let kept = nation.json("prune --set retention_days=3650 --yes");
    assert_eq!(
        (kept["done"].as_bool(), kept["days"].as_u64()),
        (Some(false), Some(3650))
    );
    assert_eq!(nation.json("prune --yes")["done"], true);
    assert_eq!(one(numbers), 0);
    assert_eq!(
        one("SELECT count(*) FROM booking WHERE state = 'booked' AND appointment IS NULL"),
        1
    );
    assert_eq!(
        one("SELECT count(*) FROM encounter WHERE case_ref IS NOT NULL"),
        0
    );
    assert!(one("SELECT count(*) FROM slot_shown") > 0);
    assert!(
        one(
            "SELECT count(*) FROM step WHERE kind = 'book' AND json_extract(detail, '$.document') IS NOT NULL"
        ) > 0
    );
    assert_eq!(nation.json("prune --yes")["done"], false);
}

/// Proves: DAT-01, DAT-02
/// What discovery has to leave behind is read back after a real contact: the case, what it came to, who asked, what the
/// directory listed in which order, what was chosen, and where it is booked or why it is not.
#[test]
fn discovery_leaves_what_reports_and_audits_need() {
    let nation = Nation::start();
    let contact = "--encounter contact-1 --case case-7 --set user.id=u-17 --set user.clinical=true";
    let before = jiff::Timestamp::now().as_millisecond();
    let listed = nation.json(format!("{FIND} --within 90m {contact}"));
    let way = nation.json(format!("endpoint --service {GP_CLINIC} {contact}"));
    for unreachable in ["2000000022", "2000000023"] {
        nation.fails(1, format!("endpoint --service {unreachable} {contact}"));
    }
    let after = jiff::Timestamp::now().as_millisecond();

    let encounters = nation.kept(
        "SELECT json_object('id', id, 'opened', opened_at, 'case', case_ref, 'user', user, 'clinical', clinical,
           'disposition', disposition, 'due', due_at) FROM encounter",
    );
    let [encounter] = encounters.as_slice() else {
        panic!("{encounters:?}")
    };
    assert_eq!(
        (&encounter["id"], &encounter["case"], &encounter["user"]),
        (&"contact-1".into(), &"case-7".into(), &"u-17".into())
    );
    assert_eq!(
        (&encounter["clinical"], &encounter["disposition"]),
        (&1.into(), &"Dx05".into())
    );
    let opened = encounter["opened"].as_i64().unwrap();
    assert!((before..=after).contains(&opened));
    assert_eq!(encounter["due"].as_i64(), Some(opened + 90 * 60 * 1000));

    let steps = nation.kept(
        "SELECT json_object('kind', kind, 'service', service, 'outcome', outcome, 'at', at, 'detail', json(detail))
         FROM step WHERE encounter = 'contact-1' ORDER BY id",
    );
    let of = |kind: &str| {
        steps
            .iter()
            .filter(|s| s["kind"] == kind)
            .collect::<Vec<_>>()
    };
    for step in &steps {
        assert!(
            (before..=after).contains(&step["at"].as_i64().unwrap()),
            "{step}"
        );
    }
    let [shown] = of("services")[..] else {
        panic!("{steps:?}")
    };
    let ids = |list: &Value, name: &str| -> Vec<String> {
        let all = list.as_array().unwrap().iter();
        all.map(|s| s[name].as_str().unwrap().to_owned()).collect()
    };
    let ranked = &shown["detail"]["ranked"];
    assert_eq!(ids(ranked, "service"), ids(&listed["services"], "id"));
    for (kept, listed) in ranked
        .as_array()
        .unwrap()
        .iter()
        .zip(listed["services"].as_array().unwrap())
    {
        assert_eq!(kept["booking_required"], listed["booking_required"]);
        assert_eq!(
            kept["address"].is_string(),
            listed["bookable"] == true,
            "{kept}"
        );
    }
    let clinic = ranked
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["service"] == GP_CLINIC);
    assert_eq!(clinic.unwrap()["address"], "ASID:918999000011");

    let chosen: Vec<&Value> = of("choice").iter().map(|s| &s["service"]).collect();
    assert_eq!(chosen, [GP_CLINIC, "2000000022", "2000000023"]);
    // The free times of the list were looked up as well; the endpoint that was asked for is the last of its service.
    let endpoints = of("endpoint");
    let last = |service: &str| *endpoints.iter().rfind(|s| s["service"] == service).unwrap();
    let found = last(GP_CLINIC);
    assert_eq!(
        found["detail"],
        serde_json::json!({ "asid": way["asid"], "party_key": "FX101-9000011", "slots": way["slots"], "booking": way["booking"] })
    );
    for unreachable in ["2000000022", "2000000023"] {
        let step = last(unreachable);
        assert_eq!(step["outcome"], "obstacle", "{step}");
        assert!(step["detail"]["kind"].is_string() && step["detail"]["plain"].is_string());
        let tried = endpoints.iter().filter(|s| s["service"] == unreachable);
        assert_eq!(
            tried.count(),
            2,
            "once for the list, once when it was asked for"
        );
    }
}

/// Proves: OPS-C8
/// The patient rings again after the contact was closed: another contact moves the appointment, and both say so.
#[test]
fn an_appointment_is_moved_after_the_contact_was_closed() {
    let nation = Nation::start();
    let book = format!(
        "book --service {GP_CLINIC} --first --patient ada.toml --encounter \
             contact-1 --close"
    );
    let first = nation.json(&book)["booked"]["appointment"].clone();
    let moved = nation.json("rebook last --first --yes --encounter contact-2");
    let second = moved["booked"]["appointment"].clone();
    assert!(second.is_string() && second != first, "{moved}");
    let state = |id: &Value| nation.json(["show", id.as_str().unwrap()])["status"].clone();
    assert_eq!(
        (state(&first), state(&second)),
        ("cancelled".into(), "booked".into())
    );
    let kept = nation.kept(
        "SELECT json_object('in', b.encounter, 'cancelled_in', cancelled_in, 'closed', e.closed_at IS NOT NULL,
           'id', appointment, 'old', old_appointment) FROM booking b JOIN encounter e ON e.id = b.encounter ORDER BY requested_at",
    );
    assert_eq!(
        kept,
        [
            serde_json::json!({ "in": "contact-1", "cancelled_in": "contact-2", "closed": 1, "id": first, "old": null }),
            serde_json::json!({ "in": "contact-2", "cancelled_in": null, "closed": 0, "id": second, "old": first }),
        ]
    );
}

/// Proves: OPS-C11, OPS-C13, OPS-P11, D-64
/// The number that the 111 service notes goes from the command line through journal and document to the Provider, whose
/// staff find the booking by it.
#[test]
fn a_case_number_leads_to_the_booking_on_both_sides() {
    let nation = Nation::start();
    let booked = |patient: &str, case: &str| {
        // Dx08 is a day: also at night the next clinic is within it.
        let booked = nation.json(format!(
            "book --service {GP_CLINIC} --first --yes --patient ada.toml \
             --nhs-number {patient} --case {case} --disposition Dx08"
        ));
        // The document goes with the contact in which it was booked, whatever contact sends it.
        let refer = "refer last --note 'Three days'";
        let document = nation.text(format!("{refer} --dry-run"));
        assert_contains(&document, &[case, "Dx08"]);
        let document = nation.text(format!("{refer} --dry-run --case 111-2031-0099"));
        assert_contains(&document, &["111-2031-0099"]);
        assert_lacks(&document, &[case]);
        nation.text(refer);
        booked["booked"]["appointment"].as_str().unwrap().to_owned()
    };
    let ours = booked("9990123454", "111-2031-0007");
    let other = booked("9990000018", "111-2031-0008");
    let noted = nation.kept(
        "SELECT json_object('case', e.case_ref, 'id', b.appointment) FROM booking b JOIN encounter e ON e.id = b.encounter
         ORDER BY b.requested_at",
    );
    assert_eq!(
        noted,
        [
            serde_json::json!({ "case": "111-2031-0007", "id": ours }),
            serde_json::json!({ "case": "111-2031-0008", "id": other }),
        ]
    );
    let database = nation.provider.database();
    let of_case = |case: &str, more: &str| {
        let list = format!("provider referral list --provider FX101 --case '{case}'");
        uec(format!("{list} --database '{database}' {more}"))
            .with(0)
            .stdout
    };
    for (case, id) in [("111-2031-0007", &ours), (" 111-2031-0008 ", &other)] {
        let found: Value = serde_json::from_str(&of_case(case, "--json")).unwrap();
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
        assert_eq!(
            found[0]["state"], "linked",
            "seen at the service, with its booking"
        );
        assert_eq!(found[0]["bookings"][0]["appointment"], id.as_str());
        assert!(of_case(case, "").contains(&format!("Appointment/{id} (booked)")));
    }
    assert_eq!(of_case("111-2031", ""), "0 referrals\n");
}
