//! Declaration files: what is accepted, and what is said about what is not.

use jiff::civil::{Date, date};
use provider::diary::declaration::Declaration;
use provider::diary::declaration::read::{Faults, read};
use provider::diary::demo;
use provider::diary::export::to_toml;

const TODAY: Date = date(2027, 3, 1);

const HEAD: &str = r#"[provider]
ods = "FX101"
asid = "918999000011"
name = "Test"

[[service]]
id = "2000000011"
name = "Clinic"

[[schedule]]
id = "gp"
services = ["2000000011"]
"#;

fn parse(rest: &str) -> Result<Declaration, Faults> {
    read(&format!("{HEAD}{rest}"), "clinic.toml", TODAY)
}

/// The one mistake in `HEAD` followed by `rest`, which begins at line 13.
fn fault(rest: &str) -> String {
    let faults = parse(rest).expect_err("refused");
    assert_eq!(faults.0.len(), 1, "{faults}");
    faults.to_string()
}

fn template(more: &str) -> String {
    format!(
        "[[template]]\nid = \"t\"\nschedule = \"gp\"\nweekdays = [\"mon\"]\nfrom = \"09:00\"\nto = \"12:00\"\n\
         slot_minutes = 10\n{more}"
    )
}

#[test]
fn a_misspelt_key_names_line_column_and_the_nearest_key() {
    assert_eq!(
        fault(&template("chanel = \"video\"\n")),
        "clinic.toml, line 20, column 1: [[template]], `chanel`: there is no key `chanel`; did you mean `channel`?"
    );
    assert_eq!(
        fault("[[shedule]]\nid = \"x\"\n"),
        "clinic.toml, line 13, column 3: there is no table `shedule`; did you mean `schedule`?"
    );
    // A misspelt key that must be there is one mistake, not two.
    let once = fault(&template("").replace("slot_minutes", "slot_minuts"));
    assert!(once.ends_with("did you mean `slot_minutes`?"), "{once}");
    let nested = fault(
        "[[location]]\nid = \"l\"\nname = \"Place\"\naddress = { lines = [\"1 Way\"], postcod = \"LS99 9ZZ\" }\n",
    );
    assert!(
        nested.starts_with("clinic.toml, line 16, column 32: [[location]], `address.postcod`"),
        "{nested}"
    );
    assert!(nested.ends_with("did you mean `postcode`?"), "{nested}");
}

#[test]
fn every_mistake_is_told_at_once() {
    let faults = parse(
        "[[template]]\nid = \"t\"\nschedule = \"gp\"\nweekdays = [\"funday\"]\nfrom = \"9:00\"\nto = \"12:00\"\n\
         slot_minutes = \"ten\"\nheldd = true\n\n[[consumer]]\nods = \"fx900\"\nname = \"111\"\nmay = [\"serch\"]\n",
    )
    .expect_err("refused");
    let text = faults.to_string();
    for part in [
        "line 16, column 13: [[template]], `weekdays`: `funday` is not a weekday",
        "line 17, column 8: [[template]], `from`: `9:00` is not a time of day",
        "line 19, column 16: [[template]], `slot_minutes`: expected a whole number",
        "line 20, column 1: [[template]], `heldd`: there is no key `heldd`; did you mean `held`?",
        "line 23, column 7: [[consumer]], `ods`: ODS code has a character that is not allowed",
        "[[consumer]], `may`: there is no value `serch`; did you mean `search`?",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(faults.0.len(), 6, "{text}");
}

#[test]
fn broken_toml_and_missing_tables_are_named() {
    let broken = read("[provider\nods = 1", "x.toml", TODAY)
        .expect_err("refused")
        .to_string();
    assert!(broken.starts_with("x.toml, line 1, column"), "{broken}");
    let empty = read("", "x.toml", TODAY).expect_err("refused").to_string();
    assert!(empty.contains("the table [provider] is missing"), "{empty}");
    let twice = HEAD.replace("[provider]", "[[provider]]");
    let twice = read(&twice, "x.toml", TODAY)
        .expect_err("refused")
        .to_string();
    assert!(twice.contains("with one bracket, [provider]"), "{twice}");
    let single = fault("[consumer]\nods = \"FX900\"\nname = \"x\"\n");
    assert!(
        single.contains("write it with two brackets, [[consumer]]"),
        "{single}"
    );
    let missing = fault("[[session]]\nid = \"x\"\n");
    assert!(
        missing.contains("line 13") && missing.contains("the key `schedule` is missing"),
        "{missing}"
    );
}

#[test]
fn references_must_exist() {
    let text = fault(&template(
        "release = \"only-111\"\n[[release]]\nid = \"only111\"\n",
    ));
    assert!(
        text.ends_with("`release`: there is no release `only-111`; did you mean `only111`?"),
        "{text}"
    );
    let text = fault(&template("").replace("schedule = \"gp\"", "schedule = \"gpp\""));
    assert!(
        text.contains("line 15, column 1: [[template]], `schedule`: there is no schedule `gpp`"),
        "{text}"
    );
}

const PEOPLE: &str = r#"
[[practitioner]]
id = "dr-1"
role_profile = "555000000011"
family = "Larkspur"
"#;

/// Proves: RES-SCH-02
#[test]
fn a_schedule_has_one_service_and_at_most_three_actors() {
    let none = read(&HEAD.replace("[\"2000000011\"]", "[]"), "x.toml", TODAY).expect_err("refused");
    assert!(none.to_string().contains("`services`: is empty"), "{none}");
    let role = "[[role]]\nid = \"555000000011\"\npractitioner = \"dr-1\"\n[[location]]\nid = \"l\"\nname = \"P\"\n\
                address = { postcode = \"LS99 9ZZ\" }\n[[schedule]]\nid = \"two\"\nservices = \"2000000011\"\n\
                practitioner = \"dr-1\"\n";
    assert!(parse(&format!("{PEOPLE}{role}")).is_ok());
    let four = fault(&format!("{PEOPLE}{role}location = \"l\"\n"));
    assert!(
        four.contains("already three actors") && four.contains("RES-SCH-02"),
        "{four}"
    );
}

/// Proves: RES-PRA-01, RES-ROL-01, PROV-SLOT-17
#[test]
fn a_practitioner_and_the_role_belong_together() {
    let role = |id: &str| format!("[[role]]\nid = \"{id}\"\npractitioner = \"dr-1\"\n");
    assert!(parse(&format!("{PEOPLE}{}", role("555000000011"))).is_ok());
    let other = fault(&format!("{PEOPLE}{}", role("r1")));
    assert!(
        other.contains("must be the role_profile of its practitioner `dr-1`"),
        "{other}"
    );
    let schedule =
        "[[schedule]]\nid = \"two\"\nservices = \"2000000011\"\npractitioner = \"dr-1\"\n";
    let alone = fault(&format!("{PEOPLE}{schedule}"));
    assert!(
        alone.contains("declare a [[role]] with id `555000000011`"),
        "{alone}"
    );
    let twice = fault(&format!("{PEOPLE}{}", PEOPLE.replace("dr-1", "dr-2")));
    assert!(twice.contains("already another practitioner's"), "{twice}");
}

#[test]
fn hours_must_fit_their_slots() {
    let odd = fault(&template("").replace("12:00", "12:05"));
    assert!(
        odd.contains("10-minute slots do not fill: 5 would be left over"),
        "{odd}"
    );
    let none = fault(&template("").replace("12:00", "09:00"));
    assert!(
        none.contains("has no length; a whole day is 00:00 to 24:00"),
        "{none}"
    );
    let long = fault(&template("").replace("slot_minutes = 10", "slot_minutes = 721"));
    assert!(long.contains("a slot lasts 1 to 720 minutes"), "{long}");
    let both = fault(&template(
        "exceptions = [{ date = 2027-03-08, closed = true, from = \"10:00\" }]",
    ));
    assert!(
        both.contains("2027-03-08: is closed and has hours"),
        "{both}"
    );
    let never = fault(&template(
        "valid_from = 2027-05-01\nvalid_to = 2027-04-01\n",
    ));
    assert!(
        never.contains("2027-04-01 is before valid_from, 2027-05-01"),
        "{never}"
    );
}

#[test]
fn clinics_of_one_schedule_do_not_overlap() {
    let second = template("")
        .replace("\"t\"", "\"u\"")
        .replace("09:00", "11:00")
        .replace("12:00", "13:00");
    let both = format!("{}{second}", template(""));
    let text = fault(&both);
    assert!(
        text.contains("[[template]], `from`: on 2027-03-01 it overlaps with the template `t` of the same schedule"),
        "{text}"
    );
    // Closed on every day on which the other one is held: no overlap.
    let apart = second.replace(
        "id = \"u\"",
        "id = \"u\"\nvalid_from = 2027-03-09\nvalid_to = 2027-03-15",
    );
    let closed = template("exceptions = [{ date = 2027-03-15, closed = true }]\n");
    assert!(parse(&format!("{closed}{apart}")).is_ok());
    // Allowed when the schedule says so.
    let allowed = HEAD.replace("id = \"gp\"", "id = \"gp\"\noverlaps = true");
    assert!(read(&format!("{allowed}{both}"), "x.toml", TODAY).is_ok());
    // Imported slots count too.
    let slot = "[[slot]]\nidentifier = \"0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01\"\nschedule = \"gp\"\n\
                start = 2027-03-29T09:30:00+01:00\nend = 2027-03-29T09:40:00+01:00\n";
    let text = fault(&format!("{}{slot}", template("")));
    assert!(
        text.contains("[[slot]], `start`: on 2027-03-29 it overlaps"),
        "{text}"
    );
}

#[test]
fn sizes_are_bounded() {
    let horizon = HEAD.replace("name = \"Test\"", "name = \"Test\"\nhorizon_days = 367");
    let text = read(&horizon, "x.toml", TODAY)
        .expect_err("refused")
        .to_string();
    assert!(
        text.contains("line 5, column 1: [provider], `horizon_days`: is 367; it is 1 to 366"),
        "{text}"
    );
    let long = format!("{HEAD}# {}", "x".repeat(16 << 20));
    let text = read(&long, "x.toml", TODAY)
        .expect_err("refused")
        .to_string();
    assert!(text.contains("at most 16777216 are read"), "{text}");
}

#[test]
fn release_rules_must_be_able_to_release() {
    let nobody = fault("[[release]]\nid = \"r\"\nembargo = \"2h\"\ncutoff = \"3h\"\n");
    assert!(
        nobody.contains("`embargo`: is not longer than `cutoff`"),
        "{nobody}"
    );
    assert!(fault("[[release]]\nid = \"r\"\ncap = 0\n").contains("hold the slots back instead"));
    assert!(
        fault("[[release]]\nid = \"r\"\nembargo = \"soon\"\n")
            .contains("write it like 30m, 48h, 2d or 1h30m")
    );
}

#[test]
fn ids_are_unique_and_legal() {
    let twice = fault(&format!(
        "{}{}",
        template(""),
        template("").replace("mon", "tue")
    ));
    assert!(
        twice.contains(
            "line 21, column 1: [[template]], `id`: `t` is already the id of another one"
        ),
        "{twice}"
    );
    let illegal = fault(&template("").replace("\"t\"", "\"a b\""));
    assert!(
        illegal.contains("has a character that is not allowed"),
        "{illegal}"
    );
    let reserved = fault(&template("").replace("\"t\"", "\"imported\""));
    assert!(
        reserved.contains("is the name of imported slots"),
        "{reserved}"
    );
}

#[test]
fn the_demonstration_is_sound_and_survives_export() {
    let now = "2027-03-01T12:00:00Z".parse().unwrap();
    for declaration in demo::declarations(now).unwrap_or_else(|e| panic!("{e}")) {
        let text = to_toml(&declaration).unwrap();
        let again = read(&text, "export.toml", TODAY).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(again, declaration);
    }
}

#[test]
fn every_key_survives_export() {
    let all = r#"
[[release]]
id = "r"
kinds = ["111", "cas"]
ods = ["FX900"]
asids = ["918999000099"]
cap = 3
cap_per = "kind"
embargo = "1h30m"
cutoff = "30m"

[[session]]
id = "once"
schedule = "gp"
date = 2027-03-14
from = 22:00
to = "02:00"
slot_minutes = 20
channel = "video"
held = true
release = "r"

[[slot]]
identifier = "0B6F4A52-6f3e-4c55-8f6f-6f2f0a7c9d01"
schedule = "gp"
start = 2027-03-29T18:30:00+01:00
end = "2027-03-29T18:40:00+01:00"
release = "r"

[[consumer]]
ods = "FX901"
name = "Other"
may = []
"#;
    let rest = format!(
        "{}{all}",
        template(
            "valid_from = 2027-03-01\nexceptions = [{ date = 2027-03-08, from = \"10:00\", to = \"11:00\" }]\n"
        )
    );
    let declaration = parse(&rest).unwrap_or_else(|e| panic!("{e}"));
    let again = read(&to_toml(&declaration).unwrap(), "export.toml", TODAY)
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(again, declaration);
}

/// The guide's worked example is a file that can be applied.
#[test]
fn the_example_of_the_guide_is_sound() {
    let guide = include_str!("../../../../docs/diary.md");
    let example = guide
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let declaration =
        read(example, "docs/diary.md", date(2026, 11, 21)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(declaration.templates[0].exceptions.len(), 2);
}

#[test]
fn an_empty_list_is_not_everybody() {
    let session = "[[session]]\nid = \"s\"\nschedule = \"gp\"\ndate = 2027-03-02\nfrom = \"09:00\"\nto = \"10:00\"\n\
                   slot_minutes = 10\nrelease = []\n";
    let everyone = "without any of `kinds`, `ods` and `asids` it releases to everyone";
    let whole = "it closes the whole provider";
    let rule = |list: &str| format!("[[release]]\nid = \"nobody\"\n{list}\n");
    let closure = |list: &str| format!("[[closure]]\nid = \"c\"\ndate = 2027-03-02\n{list}\n");
    for (text, key, said) in [
        (rule("ods = []"), "ods", everyone),
        (rule("kinds = []"), "kinds", everyone),
        (rule("asids = []"), "asids", everyone),
        // Beside a list that does name somebody, too.
        (rule("kinds = [\"111\"]\nods = []"), "ods", everyone),
        (closure("services = []"), "services", whole),
        (closure("locations = []"), "locations", whole),
        (
            template("release = []\n"),
            "release",
            "the rules of the service count",
        ),
        (
            session.to_owned(),
            "release",
            "the rules of the service count",
        ),
        (
            "[[service]]\nid = \"2000000012\"\nname = \"Other\"\nrelease = []\n".to_owned(),
            "release",
            "its slots are for everyone",
        ),
    ] {
        let told = fault(&text);
        assert!(
            told.contains(&format!("`{key}`: is an empty list")),
            "{told}"
        );
        assert!(told.contains(said), "{told}");
        assert!(
            told.ends_with("name at least one, or leave the key out"),
            "{told}"
        );
    }
    // Where a list that is left out is an empty one, or an empty list says what it means, it may be written.
    let free = "[[consumer]]\nods = \"FX900\"\nasid = \"918999000099\"\nname = \"111\"\nserves = []\nmay = []\n";
    let read = parse(free).unwrap();
    assert!(to_toml(&read).unwrap().contains("may = []"));
}
