//! Base rules of STU3, one test per family: what is said, where, and under which rule. Synthetic content only.

use fhir::schema::Schema;
use fhir::{Checker, Element, Issue, IssueCode, Limits, Options, Severity, Stage};

fn checker() -> &'static Checker {
    static CHECKER: std::sync::OnceLock<Checker> = std::sync::OnceLock::new();
    CHECKER.get_or_init(|| Checker::new(Schema::stu3(), &[]))
}

/// A finding as `severity expression [rule]`.
fn short(issue: &Issue) -> String {
    assert_eq!(issue.stage, Stage::Conformance);
    assert!(!issue.message.is_empty());
    let rule = if issue.rule.is_empty() {
        String::new()
    } else {
        format!(" [{}]", issue.rule)
    };
    format!("{} {}{rule}", issue.severity.code(), issue.expression)
}

fn tree(json: &str) -> Element {
    match fhir::json::parse(json.as_bytes(), &Limits::default()) {
        Ok(parsed) => parsed.root,
        Err(issue) => panic!("{issue}"),
    }
}

fn issues(json: &str) -> Vec<Issue> {
    checker().check(&tree(json), &Options::default())
}

/// Checks a resource: `expected` names every finding, in order.
#[track_caller]
fn check(json: &str, expected: &[&str]) {
    let found = issues(json);
    let said: Vec<String> = found.iter().map(short).collect();
    assert_eq!(said, expected, "{found:#?}");
}

const SLOT: &str = r#""schedule":{"reference":"Schedule/s1"},"status":"free","start":"2031-03-04T09:30:00Z","end":"2031-03-04T09:40:00Z""#;

fn slot(more: &str) -> String {
    format!(
        r#"{{"resourceType":"Slot",{more}{}{SLOT}}}"#,
        if more.is_empty() { "" } else { "," }
    )
}

#[test]
fn a_clean_resource_has_no_findings() {
    check(&slot(""), &[]);
    check(
        &slot(r#""id":"a","meta":{"profile":["http://hl7.org/fhir/StructureDefinition/Slot"]}"#),
        &[],
    );
}

#[test]
fn cardinality() {
    check(
        r#"{"resourceType":"Slot","schedule":{"reference":"Schedule/s1"}}"#,
        &["error Slot.status", "error Slot.start", "error Slot.end"],
    );
    check(
        r#"{"resourceType":"Appointment","status":"booked","start":"2031-03-04T09:30:00Z","end":"2031-03-04T09:40:00Z",
            "participant":[{"status":"accepted","actor":{"display":"x"}},{"actor":{"display":"y"}}]}"#,
        &["error Appointment.participant[1].status"],
    );
    let twice = Element::resource("Patient")
        .with(Element::text("birthDate", "1984-06-21"))
        .with(Element::text("birthDate", "1984-06-22"));
    let found = checker().check(&twice, &Options::default());
    assert_eq!(
        found.iter().map(short).collect::<Vec<_>>(),
        ["error Patient.birthDate"]
    );
    assert_eq!(found[0].code, IssueCode::Structure);
}

#[test]
fn missing_elements_are_placed_at_their_parent() {
    let found = issues(
        "{\"resourceType\":\"Appointment\",\n\"status\":\"proposed\",\n\"participant\":[\n {\"actor\":{\"display\":\"x\"}}]}",
    );
    assert_eq!(found[0].pos.line, 4);
    assert_eq!(found[0].code, IssueCode::Required);
}

#[test]
fn grammar_of_types() {
    let json = slot(r#""comment":" ""#).replace("2031-03-04T09:30:00Z", "2031-02-30T09:30:00Z");
    check(&json, &["error Slot.start"]);
    assert!(issues(&json)[0].message.contains("01 to 28"));
    check(&slot(r#""id":"a_b""#), &["error Slot.id"]);
}

#[test]
fn one_type_of_a_choice() {
    check(
        r#"{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2030"}"#,
        &["error Patient.deceased"],
    );
    check(
        r#"{"resourceType":"Patient","multipleBirthInteger":2}"#,
        &[],
    );
}

#[test]
fn bindings() {
    let found = issues(&slot("").replace("\"free\"", "\"freee\""));
    assert_eq!(
        found.iter().map(short).collect::<Vec<_>>(),
        ["error Slot.status"]
    );
    assert_eq!(found[0].code, IssueCode::CodeInvalid);
    assert!(found[0].message.contains("`freee`") && found[0].message.contains("busy-unavailable"));
    let prose = slot("").replace(
        "\"free\"",
        "\"Ada Testwell of 2 Synthetic Way in Exampleton\"",
    );
    assert!(!issues(&prose)[0].message.contains("Testwell"));
}

#[test]
fn invariants() {
    check(
        r#"{"resourceType":"Appointment","status":"booked","participant":[{"status":"accepted","type":[{"text":"x"}]}]}"#,
        &["error Appointment [app-3]"],
    );
    check(
        r#"{"resourceType":"Appointment","status":"proposed","start":"2031-03-04T09:30:00Z","participant":[{"status":"accepted"}]}"#,
        &[
            "error Appointment.participant[0] [app-1]",
            "error Appointment [app-2]",
        ],
    );
    check(
        r#"{"resourceType":"Patient","telecom":[{"value":"01632 960123"}],"name":[{"family":"T","period":{"start":"2031","end":"2030"}}],
            "contact":[{"gender":"other"}]}"#,
        &[
            "error Patient.telecom[0] [cpt-2]",
            "error Patient.name[0].period [per-1]",
            "error Patient.contact[0] [pat-1]",
        ],
    );
    check(
        r#"{"resourceType":"Organization","name":"Fernhill","address":[{"use":"work","city":"x"},{"use":"home","city":"x"}]}"#,
        &["error Organization.address[1] [org-2]"],
    );
}

#[test]
fn empty_elements() {
    let empty = Element::resource("Patient")
        .with(Element::new("maritalStatus"))
        .with(Element::new("gender"));
    let said: Vec<String> = checker()
        .check(&empty, &Options::default())
        .iter()
        .map(short)
        .collect();
    assert_eq!(
        said,
        [
            "error Patient.maritalStatus [ele-1]",
            "error Patient.gender [ele-1]"
        ]
    );
}

#[test]
fn references_have_a_format() {
    for good in [
        "Schedule/s1",
        "https://x.example/Schedule/1",
        "urn:uuid:0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01",
        "Schedule/1/_history/2",
    ] {
        check(&slot("").replace("Schedule/s1", good), &[]);
    }
    for bad in [
        "Schedule",
        "Schedule/",
        "schedule/1",
        "Schedule/a b",
        "Schedule/1/2",
        "/Schedule/1",
    ] {
        check(
            &slot("").replace("Schedule/s1", bad),
            &["error Slot.schedule.reference"],
        );
    }
    check(
        &slot("").replace("Schedule/s1", "Patient/s1"),
        &["error Slot.schedule.reference"],
    );
}

fn appointment(contained: &str, actor: &str) -> String {
    format!(
        r#"{{"resourceType":"Appointment","contained":[{contained}],"status":"proposed",
            "participant":[{{"status":"accepted","actor":{{"reference":"{actor}"}}}}]}}"#
    )
}

#[test]
fn contained_resources_are_found_by_reference() {
    let patient = r#"{"resourceType":"Patient","id":"p","gender":"male"}"#;
    check(&appointment(patient, "#p"), &[]);
    let json = appointment(patient, "#q");
    check(
        &json,
        &[
            "error Appointment.participant[0].actor.reference [ref-1]",
            "error Appointment.contained[0] [dom-3]",
        ],
    );
    assert_eq!(issues(&json)[0].code, IssueCode::NotFound);
    check(
        &appointment(
            r#"{"resourceType":"Organization","id":"p","name":"x"}"#,
            "#p",
        ),
        &["error Appointment.participant[0].actor.reference"],
    );
}

#[test]
fn contained_resources_are_bare() {
    check(
        &appointment(
            r#"{"resourceType":"Patient","id":"p","meta":{"versionId":"1"},
                "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}}"#,
            "#p",
        ),
        &[
            "error Appointment.contained[0].text [dom-1]",
            "error Appointment.contained[0].meta.versionId [dom-4]",
        ],
    );
    let found = issues(&appointment(
        r##"{"resourceType":"Patient","id":"p","contained":[{"resourceType":"Organization","id":"o","name":"x"}],
            "managingOrganization":{"reference":"#o"}}"##,
        "#p",
    ));
    let said: Vec<String> = found.iter().map(short).collect();
    assert!(
        said.contains(&"error Appointment.contained[0].contained[0] [dom-2]".to_owned()),
        "{said:?}"
    );
    check(
        &appointment(
            r#"{"resourceType":"Patient","gender":"male"},{"resourceType":"Patient","id":"p"},{"resourceType":"Patient","id":"p"}"#,
            "#p",
        ),
        &[
            "error Appointment.contained[0].id",
            "error Appointment.contained[2].id",
        ],
    );
}

#[test]
fn paths_count_within_lists() {
    let json = appointment(
        r##"{"resourceType":"Organization","id":"o","name":"x"},
           {"resourceType":"Patient","id":"p","managingOrganization":{"reference":"#o"},"name":[{"given":["Ada","\u0007"]}]}"##,
        "#p",
    );
    check(&json, &["error Appointment.contained[1].name[0].given[1]"]);
}

#[test]
fn element_ids_are_unique_in_a_resource() {
    check(
        r#"{"resourceType":"Patient","name":[{"id":"n","family":"A"},{"id":"n","family":"B"}]}"#,
        &["error Patient.name[1].id"],
    );
    check(
        r#"{"resourceType":"Patient","id":"n","name":[{"id":"m","family":"A"}]}"#,
        &[],
    );
}

#[test]
fn extensions_have_a_value_or_extensions() {
    let patient = |extension: &str| {
        format!(r#"{{"resourceType":"Patient","gender":"other","extension":[{extension}]}}"#)
    };
    check(
        &patient(r#"{"url":"http://x.example/a"}"#),
        &[
            "information Patient.extension[0]",
            "error Patient.extension[0] [ext-1]",
        ],
    );
    check(
        &patient(
            r#"{"url":"http://x.example/a","valueCode":"a","extension":[{"url":"b","valueCode":"b"}]}"#,
        ),
        &[
            "information Patient.extension[0]",
            "error Patient.extension[0] [ext-1]",
        ],
    );
    check(
        &patient(r#"{"valueCode":"a"}"#),
        &["error Patient.extension[0].url"],
    );
    check(
        r#"{"resourceType":"Patient","modifierExtension":[{"url":"http://x.example/a","valueCode":"a"}]}"#,
        &["error Patient.modifierExtension[0]"],
    );
    check(
        r#"{"resourceType":"Patient","_gender":{"extension":[{"url":"http://x.example/a","valueCode":"a"}]}}"#,
        &["information Patient.gender.extension[0]"],
    );
}

#[test]
fn narrative() {
    let patient = |div: &str| {
        let div = div.replace('"', "\\\"");
        format!(r#"{{"resourceType":"Patient","text":{{"status":"generated","div":"{div}"}}}}"#)
    };
    check(
        &patient("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Hello <b>you</b></p></div>"),
        &[],
    );
    check(
        &patient("<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"),
        &["error Patient.text.div [txt-1]"],
    );
    check(
        &patient("<div xmlns=\"http://www.w3.org/1999/xhtml\">a&nbsp;b</div>"),
        &["error Patient.text.div [txt-1]"],
    );
}

/// U+FFFE, U+FFFF and, in what STU3 does not define, control characters: XML has no way to write them.
///
/// Proves: D-59
#[test]
fn what_xml_cannot_write_is_an_error() {
    for bad in ["\\ufffe", "\\uffff"] {
        check(
            &slot(&format!(r#""comment":"a{bad}""#)),
            &["error Slot.comment"],
        );
        check(
            &slot(&format!(r#""implicitRules":"urn:x{bad}""#)),
            &["error Slot.implicitRules", "error Slot.implicitRules"],
        );
    }
    for bad in ["\\ufffe", "\\u0001"] {
        check(
            &slot(&format!(r#""colour":[{{"of":"a{bad}"}}]"#)),
            &["error Slot.colour", "information Slot.colour"],
        );
    }
    check(&slot(r#""comment":"a\ufffd\ud83d\ude00""#), &[]);
}

/// Rules that nobody here knows may change what the resource says, as a modifier extension may.
///
/// Proves: D-90
#[test]
fn implicit_rules_are_an_error() {
    check(
        &slot(r#""implicitRules":"http://example.org/rules""#),
        &["error Slot.implicitRules"],
    );
}

#[test]
fn unknown_things_are_information() {
    let json = slot(r#""colour":"red""#);
    check(&json, &["information Slot.colour"]);
    let quiet = Options {
        unknown_elements: false,
        ..Options::default()
    };
    assert_eq!(checker().check(&tree(&json), &quiet), []);
    check(
        &slot(r#""meta":{"profile":["http://x.example/P"]}"#),
        &["information Slot.meta.profile"],
    );
    let other = Element::resource("Basic");
    let said: Vec<String> = checker()
        .check(&other, &Options::default())
        .iter()
        .map(short)
        .collect();
    assert_eq!(said, ["information Basic"]);
}

#[test]
fn bundles() {
    let bundle = |of: &str, entry: &str| {
        format!(r#"{{"resourceType":"Bundle","type":"{of}","total":1,"entry":[{entry}]}}"#)
    };
    let resource = r#""resource":{"resourceType":"Organization","id":"o","name":"x"}"#;
    let url = "https://x.example/Organization";
    check(
        &bundle(
            "searchset",
            &format!(r#"{{"fullUrl":"{url}/o",{resource},"search":{{"mode":"match"}}}}"#),
        ),
        &[],
    );
    check(
        &bundle(
            "collection",
            &format!(r#"{{"fullUrl":"{url}/o",{resource},"search":{{"mode":"match"}}}}"#),
        ),
        &["error Bundle [bdl-1]", "error Bundle [bdl-2]"],
    );
    check(
        &bundle(
            "searchset",
            &format!(r#"{{"fullUrl":"{url}/other",{resource}}}"#),
        ),
        &["error Bundle.entry[0].fullUrl"],
    );
    check(
        &bundle(
            "searchset",
            &format!(r#"{{"fullUrl":"{url}/o",{resource}}},{{"fullUrl":"{url}/o",{resource}}}"#),
        ),
        &["error Bundle [bdl-7]"],
    );
    check(
        &bundle(
            "searchset",
            r#"{"fullUrl":"https://x.example/Organization/o"}"#,
        ),
        &["error Bundle.entry[0] [bdl-5]"],
    );
    // Each entry is a resource of its own: a local reference does not reach into another entry.
    check(
        &bundle(
            "searchset",
            r##"{"resource":{"resourceType":"Slot","schedule":{"reference":"#s"},"status":"free","start":"2031-03-04T09:30:00Z","end":"2031-03-04T09:40:00Z"}}"##,
        ),
        &["error Bundle.entry[0].resource.schedule.reference [ref-1]"],
    );
}

#[test]
fn findings_and_depth_are_bounded() {
    let mut patient = Element::resource("Patient");
    for _ in 0..2 * fhir::check::MAX_ISSUES {
        patient.push(Element::text("birthDate", "no date"));
    }
    assert_eq!(
        checker().check(&patient, &Options::default()).len(),
        fhir::check::MAX_ISSUES
    );
    let mut extension = Element::new("extension")
        .with(Element::text("url", "a"))
        .with(Element::text("valueCode", "a"));
    for _ in 0..2 * fhir::check::MAX_DEPTH {
        extension = Element::new("extension")
            .with(Element::text("url", "a"))
            .with(extension);
    }
    let found = checker().check(
        &Element::resource("Patient").with(extension),
        &Options::default(),
    );
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].code, found[0].severity),
        (IssueCode::TooLong, Severity::Error)
    );
}

#[test]
fn findings_name_no_person() {
    let said = issues(
        r#"{"resourceType":"Patient","identifier":[{"system":"not a uri 9990123454","value":""}],"birthDate":"1984-13-21",
            "name":[{"use":"Testwell","family":"","given":["Ada\u0007"]}],"telecom":[{"system":"01632960123","rank":0,"value":"\u0007"}],
            "address":[{"use":"Synthetic Way","postalCode":""}]}"#,
    );
    assert!(said.len() >= 6, "{said:#?}");
    for issue in said {
        for private in ["9990123454", "1984", "Ada", "LS99"] {
            assert!(!issue.message.contains(private), "{}", issue.message);
        }
    }
}

#[test]
fn a_checker_is_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(checker());
}
