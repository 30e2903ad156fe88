//! What the Consumer tells and does when a provider misbehaves: the real program, real sockets, a counterpart in Python
//! that shares no code with it, and the live bookings that the counterpart holds in the end.

use super::misbehaving;
use super::misbehaving::{SERVICE, World};
use serde_json::{Value, json};

fn book(patient: &str) -> [&str; 6] {
    [
        "book",
        "--service",
        SERVICE,
        "--first",
        "--patient",
        patient,
    ]
}

/// A way in which the answer to a booking is wrong or unusual, and how it has to end.
struct Case {
    name: &'static str,
    rules: Value,
    patient: &'static str,
    code: i32,
    outcome: &'static str,
    live: usize,
    /// Words that have to be said.
    says: &'static str,
}

/// Runs each case from the start, and checks status, outcome, words and what stands at the counterpart.
fn run(cases: Vec<Case>) {
    let world = World::start();
    for case in cases {
        world.reset();
        world.rules(case.rules.clone());
        let name = format!("{} ({})", case.name, case.patient);
        let done = world.json(&book(case.patient));
        assert_eq!(done.code, case.code, "{name}: {done:?}");
        assert_eq!(done.json["outcome"], case.outcome, "{name}: {done:?}");
        assert!(done.said().contains(case.says), "{name}: {}", done.said());
        assert_eq!(world.live().len(), case.live, "{name}");
        if case.outcome == "booked" {
            let id = done.json["booked"]["appointment"].as_str().unwrap();
            assert_eq!(world.live(), [id], "{name}");
        }
        assert_eq!(world.state()["other_status"], "booked", "{name}");
    }
}

/// A case for the patient with NHS number, by whom the booking is found, and for the one without.
fn both(
    cases: &mut Vec<Case>,
    name: &'static str,
    rules: &Value,
    numbered: (i32, &'static str, &'static str),
    nameless: (i32, &'static str, &'static str),
) {
    for (patient, (code, outcome, says)) in [("ada.toml", numbered), ("nameless.toml", nameless)] {
        cases.push(Case {
            name,
            rules: rules.clone(),
            patient,
            code,
            outcome,
            live: 1,
            says,
        });
    }
}

/// Proves: CONS-BOOK-03, CONS-BOOK-05
/// A 201 is believed when its Appointment is the one that was asked for. Where it is not, the appointment is read at its
/// place, and that decides.
#[test]
fn a_201_is_believed_when_it_is_the_booking() {
    let mut cases = Vec::new();
    for change in [
        "start=15",
        "end=15",
        "patient",
        "participant",
        "slot",
        "slot-reference",
        "document",
        "status=cancelled",
        "status=proposed",
        "status=pending",
        "drop=slot",
        "drop=start",
        "drop=contained",
        "drop=id",
        "drop=status",
        "drop-contained=DocumentReference",
        "drop-contained=Slot",
        "list=status",
        "list=Slot.start",
        "single=slot",
    ] {
        let rules = json!([{ "on": "create", "alter": [change] }]);
        // The reading is right, so the booking is found.
        both(
            &mut cases,
            change,
            &rules,
            (0, "booked", ""),
            (0, "booked", ""),
        );
    }
    for (name, rule) in [
        ("empty", json!({ "body": "" })),
        ("broken", json!({ "body": "{ broken" })),
        ("half", json!({ "cut": "half" })),
        (
            "a page",
            json!({ "body": "<html>Thank you</html>", "type": "text/html" }),
        ),
        (
            "an outcome",
            json!({ "body": "{\"resourceType\":\"OperationOutcome\",\"issue\":[]}" }),
        ),
        ("another's", json!({ "instead": "other" })),
    ] {
        let mut rule = rule;
        rule["on"] = json!("create");
        both(
            &mut cases,
            name,
            &json!([rule]),
            (0, "booked", ""),
            (0, "booked", ""),
        );
    }
    run(cases);
}

/// Proves: CONS-BOOK-03, CONS-BOOK-05
/// What does not fit when it is read either is not certain, and the difference is named.
#[test]
fn what_does_not_fit_is_not_certain() {
    let mut cases = Vec::new();
    for (change, says) in [
        ("start=15", "it starts"),
        ("end=15", "it ends"),
        ("patient", "another patient"),
        ("slot", "another slot"),
        ("document", "another clinical document"),
        ("id", "another appointment"),
        ("status=cancelled", "its status is cancelled"),
        ("status=proposed", "its status is proposed"),
        ("modifier", "not certain"),
        ("drop=end", "does not say when it ends"),
        (
            "drop-contained=DocumentReference",
            "does not name its clinical document",
        ),
    ] {
        let rules = json!([
            { "on": "create", "alter": [change] },
            { "on": "read", "times": 0, "alter": [change] },
        ]);
        let uncertain = (3, "uncertain", says);
        both(&mut cases, change, &rules, uncertain, uncertain);
    }
    let other = json!([
        { "on": "create", "instead": "other" },
        { "on": "read", "times": 0, "instead": "other" },
    ]);
    let uncertain = (3, "uncertain", "another");
    both(&mut cases, "another's", &other, uncertain, uncertain);
    run(cases);
}

/// Proves: CONS-BOOK-03, CONS-BOOK-05, D-79
/// An appointment by which nothing is decided in a form that FHIR has is not certain either, and the element is named.
#[test]
fn a_form_that_fhir_does_not_have_proves_nothing() {
    let mut cases = Vec::new();
    let odd = "not written as FHIR has it";
    for (change, says) in [
        ("list=status", "(status)"),
        ("list=id", "(id)"),
        ("list=start", "(start)"),
        ("list=end", odd),
        ("number=status", odd),
        ("single=slot", "(slot)"),
        ("list=slot/reference", "(reference)"),
        ("single=participant", "(participant)"),
        ("list=Slot.start", "(start)"),
        ("list=DocumentReference.identifier/value", "(value)"),
        ("single=DocumentReference.identifier", "(identifier)"),
        ("object=status", "does not say its status"),
        ("null=status", "does not say its status"),
    ] {
        let rules = json!([
            { "on": "create", "alter": [change] },
            { "on": "read", "times": 0, "alter": [change] },
        ]);
        let uncertain = (3, "uncertain", says);
        both(&mut cases, change, &rules, uncertain, uncertain);
    }
    // A refusal of this form is no word that nothing was booked.
    let outcome = json!({ "resourceType": "OperationOutcome", "issue": [
        { "severity": ["error"], "code": "invalid", "diagnostics": "No." }] });
    let rules = json!([{ "on": "create", "status": 400, "headers": { "Location": null }, "body": outcome.to_string() }]);
    let unknown = (3, "uncertain", "not certain");
    both(
        &mut cases,
        "an odd refusal",
        &rules,
        (0, "booked", ""),
        unknown,
    );
    run(cases);
}

/// Proves: CONS-CAN-04, D-79
/// A cancellation is not believed, and nothing is cancelled, on the strength of a form that FHIR does not have.
#[test]
fn a_cancellation_in_a_form_that_fhir_does_not_have_is_not_believed() {
    let world = World::start();
    let odd = |on: &str| json!({ "on": on, "times": 0, "alter": ["list=status"] });
    let object = json!([{ "on": "read", "times": 0, "alter": ["object=start"] }]);
    let before = json!([odd("read")]);
    let read_again = json!([odd("update")]);
    let never = json!([{ "on": "read" }, odd("update"), odd("read")]);
    for (rules, code, outcome, updates) in [
        (before, 1, "not_cancelled", 0),
        (object, 1, "not_cancelled", 0),
        (read_again, 0, "cancelled", 1),
        (never, 3, "uncertain", 1),
    ] {
        world.reset();
        let id = world.booked("ada.toml");
        world.rules(rules);
        let done = world.json(&["cancel", &id, "--yes"]);
        assert_eq!(done.code, code, "{done:?}");
        assert_eq!(done.json["outcome"], outcome, "{done:?}");
        assert_eq!(world.count("update"), updates);
    }
}

/// Proves: CONS-BOOK-03, CONS-REQ-07
/// What is only written in another legal way is booked at once.
#[test]
fn legal_variety_is_booked() {
    let mut cases = Vec::new();
    for change in [
        "offset=1",
        "offset=-5",
        "fraction",
        "upper",
        "urn",
        "slot-absolute",
        "slot-local",
        "only-contained-slot",
        "extra",
        "spaces",
    ] {
        let rules = json!([
            { "on": "create", "alter": [change] },
            { "on": "read", "times": 0, "alter": [change] },
        ]);
        both(
            &mut cases,
            change,
            &rules,
            (0, "booked", ""),
            (0, "booked", ""),
        );
    }
    for (name, headers) in [
        ("relative location", json!({ "Location": null })),
        ("no etag", json!({ "ETag": null })),
    ] {
        let rules = json!([{ "on": "create", "headers": headers }]);
        both(
            &mut cases,
            name,
            &rules,
            (0, "booked", ""),
            (0, "booked", ""),
        );
    }
    let rules = json!([{ "on": "create", "gzip": true }]);
    both(
        &mut cases,
        "gzip",
        &rules,
        (0, "booked", ""),
        (0, "booked", ""),
    );
    run(cases);
}

/// Proves: CONS-BOOK-05, CONS-ERR-04
/// After any fault the booking is looked for; a patient without NHS number cannot be looked for.
#[test]
fn every_fault_after_the_post_is_looked_for() {
    let mut cases = Vec::new();
    for status in [
        200, 202, 204, 300, 302, 303, 307, 408, 500, 501, 505, 507, 511, 520, 524, 530, 599,
    ] {
        let mut rule = json!({ "on": "create", "times": 0, "status": status, "headers": { "Location": null } });
        if status != 204 {
            rule["body"] = json!("<html>?</html>");
        }
        let name: &'static str = Box::leak(format!("status {status}").into_boxed_str());
        let unknown = (3, "uncertain", "not certain");
        both(&mut cases, name, &json!([rule]), (0, "booked", ""), unknown);
    }
    for status in [500, 507, 302] {
        let rule = json!({ "on": "create", "times": 0, "store": false, "status": status, "body": "",
                           "headers": { "Location": null } });
        cases.push(Case {
            name: "not stored",
            rules: json!([rule]),
            patient: "ada.toml",
            code: 3,
            outcome: "uncertain",
            live: 0,
            says: "not certain",
        });
    }
    // 200 with the whole booking is read, and then it is booked.
    let whole = json!([{ "on": "create", "status": 200 }]);
    both(
        &mut cases,
        "200",
        &whole,
        (0, "booked", ""),
        (0, "booked", ""),
    );
    run(cases);
}

/// Proves: CONS-BOOK-04, CONS-BOOK-05
/// Refusals are refusals; a conflict that points to somebody else's appointment is no booking; one that cannot be read is
/// not certain.
#[test]
fn refusals_and_conflicts() {
    let mut cases = Vec::new();
    let mut case = |name: &'static str, rules: Value, code, outcome, live, says| {
        for patient in ["ada.toml", "nameless.toml"] {
            cases.push(Case {
                name,
                rules: rules.clone(),
                patient,
                code,
                outcome,
                live,
                says,
            });
        }
    };
    for status in [
        400, 401, 403, 404, 405, 406, 410, 411, 413, 415, 422, 429, 431,
    ] {
        let name: &'static str = Box::leak(format!("refused {status}").into_boxed_str());
        let rule = json!({ "on": "create", "times": 0, "store": false, "status": status, "headers": { "Location": null },
                           "outcome": ["invalid", "No."] });
        case(name, json!([rule]), 1, "not_booked", 0, "");
    }
    let taken = json!([{ "on": "create", "store": false, "status": 422, "headers": { "Location": null },
                         "outcome": ["processing", "Slot no longer available"] }]);
    case("taken", taken, 1, "slot_taken", 0, "");
    for status in [409, 422] {
        let rule = |text: &str, code: &str| {
            json!({
            "on": "create", "store": false, "status": status, "headers": { "Location": null }, "outcome": [code, text] })
        };
        let others = rule("Used before for {other}", "duplicate");
        let unread = json!({ "on": "read", "times": 0, "status": 500 });
        let expected = if status == 409 {
            (3, "uncertain")
        } else {
            (1, "not_booked")
        };
        case(
            "names another's",
            json!([others]),
            expected.0,
            expected.1,
            0,
            "",
        );
        case(
            "cannot be read",
            json!([others, unread]),
            3,
            "uncertain",
            0,
            "not certain",
        );
        let mut gone = rule("Slot no longer available", "conflict");
        gone["headers"]["Location"] = json!("{other}");
        case("slot of another", json!([gone]), 1, "slot_taken", 0, "");
    }
    let empty = json!([{ "on": "create", "store": false, "status": 409, "body": "", "headers": { "Location": null } }]);
    case(
        "409 without a word",
        empty,
        3,
        "uncertain",
        0,
        "not certain",
    );
    run(cases);
}

/// Proves: CONS-BOOK-05
/// The patient's list is read to its last page, however many appointments are at the same time.
#[test]
fn the_whole_list_of_the_patient_is_read() {
    let world = World::start();
    for (page, copies) in [(0, 12), (3, 12), (1, 15)] {
        world.reset();
        let slots = world.json(&["slots", "--service", SERVICE]);
        let first = slots.json["slots"][0]["start"].as_str().unwrap();
        let told = json!({ "number": misbehaving::ADA, "count": copies, "start": first });
        world.control("/control/copies", &told);
        world.control("/control/page", &json!(page));
        world.rules(
            json!([{ "on": "create", "status": 500, "body": "", "headers": { "Location": null } }]),
        );
        let done = world.json(&book("ada.toml"));
        assert_eq!(
            (done.code, &done.json["outcome"]),
            (0, &json!("booked")),
            "{page}: {done:?}"
        );
        assert_eq!(world.live().len(), copies + 1);
    }
}

/// Proves: CONS-BOOK-05, D-62
/// A 4xx without an OperationOutcome is looked for: booked when it is found, not booked when the whole list lacks it, and
/// not certain when nobody can look.
#[test]
fn a_4xx_without_an_outcome_is_looked_for() {
    let mut cases = Vec::new();
    let mut case = |name: &str, rules: Value, patient, (code, outcome, live)| {
        cases.push(Case {
            name: Box::leak(name.to_owned().into_boxed_str()),
            rules,
            patient,
            code,
            outcome,
            live,
            says: if code == 3 { "not certain" } else { "" },
        });
    };
    let unreadable = json!({ "on": "search", "times": 0, "status": 500, "body": "" });
    for status in [400, 401, 403, 404, 405, 410, 413, 415, 422, 431] {
        let rule = |store: bool, body: &str| {
            json!({ "on": "create", "times": 0, "store": store, "status": status, "body": body, "type": "text/html",
                    "headers": { "Location": null, "X-Request-ID": null, "X-Correlation-ID": null } })
        };
        let (page, empty) = ("<html>Blocked</html>", "");
        let name = format!("unsaid {status}");
        case(
            &name,
            json!([rule(true, page)]),
            "ada.toml",
            (0, "booked", 1),
        );
        case(
            &name,
            json!([rule(true, empty)]),
            "nameless.toml",
            (3, "uncertain", 1),
        );
        case(
            &name,
            json!([rule(false, empty)]),
            "ada.toml",
            (1, "not_booked", 0),
        );
        case(
            &name,
            json!([rule(false, page)]),
            "nameless.toml",
            (3, "uncertain", 0),
        );
        let rules = json!([rule(true, empty), unreadable]);
        case(&name, rules, "ada.toml", (3, "uncertain", 1));
    }
    // Stored by a first try that was answered by a proxy: whatever comes later is no proof.
    let limited =
        json!({ "on": "create", "status": 429, "body": "", "headers": { "Location": null } });
    let taken = json!({ "on": "create", "store": false, "status": 422, "headers": { "Location": null },
                        "outcome": ["processing", "Slot no longer available"] });
    let rules = json!([limited, taken]);
    case(
        "limited, then taken",
        rules.clone(),
        "ada.toml",
        (0, "booked", 1),
    );
    case(
        "limited, then taken",
        rules,
        "nameless.toml",
        (3, "uncertain", 1),
    );
    // An outcome that only informs refuses nothing.
    let informs = json!([{ "on": "create", "status": 400, "headers": { "Location": null }, "body":
        "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"information\",\"code\":\"informational\"}]}" }]);
    case("only informs", informs, "ada.toml", (0, "booked", 1));
    run(cases);
}

/// Proves: CONS-CAN-04, D-62
/// A cancellation that was stored and answered with a page of a proxy is not told as refused.
#[test]
fn a_cancel_answered_without_an_outcome_is_read_again() {
    let world = World::start();
    let update = json!({ "on": "update", "status": 403, "body": "<html>Blocked</html>" });
    let unreadable =
        json!([{ "on": "read" }, update, { "on": "read", "times": 0, "status": 500, "body": "" }]);
    for (rules, code, outcome) in [
        (json!([update]), 0, "cancelled"),
        (unreadable, 3, "uncertain"),
    ] {
        world.reset();
        let id = world.booked("ada.toml");
        world.rules(rules);
        let done = world.json(&["cancel", &id, "--yes"]);
        assert_eq!(done.code, code, "{done:?}");
        assert_eq!(done.json["outcome"], outcome, "{done:?}");
    }
}

/// Proves: CONS-CAN-02, CONS-CAN-04, CONS-REB-02
/// Only what is booked is cancelled or rebooked. What stands is said, and nothing is sent.
#[test]
fn only_what_is_booked_is_cancelled() {
    let world = World::start();
    world.reset();
    let id = world.booked("ada.toml");
    for (change, says) in [
        ("status=noshow", "did not come"),
        ("status=fulfilled", "took place"),
        ("status=arrived", "has arrived"),
        ("status=entered-in-error", "by mistake"),
        ("status=proposed", "has not confirmed it"),
        ("status=pending", "has not confirmed it"),
        ("status=Parked 9990000018", "not known here"),
        ("drop=status", "does not say"),
    ] {
        world.rules(json!([{ "on": "read", "times": 0, "alter": [change] }]));
        for arguments in [
            vec!["cancel", id.as_str(), "--yes"],
            vec!["cancel", id.as_str()],
        ] {
            let done = world.json(&arguments);
            assert_eq!(done.code, 1, "{change}: {done:?}");
            assert_eq!(done.json["outcome"], "not_cancelled", "{change}: {done:?}");
            assert!(done.stderr.contains(says), "{change}: {done:?}");
            assert!(done.stderr.contains("Ada Testwell"), "{change}: {done:?}");
            assert!(!done.stderr.contains("9990000018"), "{change}: {done:?}");
        }
        let done = world.json(&["rebook", &id, "--first", "--yes"]);
        assert_eq!(done.code, 1, "{change}: {done:?}");
        assert!(done.stderr.contains(says), "{change}: {done:?}");
        assert!(!done.stderr.contains("9990000018"), "{change}: {done:?}");
    }
    assert_eq!(world.count("update"), 0);
    assert_eq!(world.live(), [id.as_str()]);

    // It stops being a booking while the new one is made: the new one stands, and the old one is left alone.
    world.rules(json!([
        { "on": "read", "times": 2 },
        { "on": "read", "times": 0, "alter": ["status=noshow"] },
    ]));
    let done = world.json(&["rebook", &id, "--first", "--yes"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert_eq!(done.json["outcome"], "booked", "{done:?}");
    assert_eq!(done.json["old"]["outcome"], "not_cancelled", "{done:?}");
    assert!(
        done.stderr.contains("The new appointment is booked"),
        "{done:?}"
    );
    assert!(done.stderr.contains("did not come"), "{done:?}");
    assert_eq!(world.count("update"), 0);
    assert_eq!(world.live().len(), 2);
}

/// Proves: CONS-SLOT-05, CONS-DOS-02, D-77
/// A service that pays no attention to the time that it is asked for: all its slots are listed and their number is told,
/// the first one is taken of the asked time only, and one that is named is booked.
#[test]
fn the_first_slot_is_one_of_the_asked_time() {
    let world = World::start();
    world.reset();
    // The first free slot starts more than an hour from now.
    let slots = |more: &[&str]| {
        let mut all = vec!["slots", "--service", SERVICE];
        all.extend(more);
        world.json(&all).json
    };
    let listed = slots(&["--hours", "1"]);
    let all = listed["slots"].as_array().unwrap().clone();
    assert_eq!(listed["outside_asked_time"], all.len(), "{listed}");
    let told = world.run(&["slots", "--service", SERVICE, "--hours", "1"]);
    let words = format!("{} slots of the service start outside", all.len());
    assert!(told.stdout.replace('\n', " ").contains(&words), "{told:?}");

    let first = world.json(&[&book("ada.toml")[..], &["--hours", "1"]].concat());
    assert_eq!(first.code, 1, "{first:?}");
    assert_eq!(first.json["outcome"], "not_booked", "{first:?}");
    let message = first.json["message"].as_str().unwrap();
    for part in [&words, "--hours and --from", "--slot"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(world.count("create"), 0);

    let (third, id) = (&all[2]["start"], all[20]["id"].as_str().unwrap());
    let window = ["--from", third.as_str().unwrap(), "--hours", "1"];
    let some = world.json(&[&book("ada.toml")[..], &window].concat());
    assert_eq!(some.code, 0, "{some:?}");
    assert_eq!(&some.json["booked"]["slot"]["start"], third, "{some:?}");
    assert!(
        some.stderr.contains("They were not considered."),
        "{some:?}"
    );

    let old = some.json["booked"]["appointment"].as_str().unwrap();
    let rebook = world.json(&["rebook", old, "--first", "--hours", "1", "--yes"]);
    assert_eq!(rebook.code, 1, "{rebook:?}");
    assert_eq!(world.live(), [old]);
    let named = world.json(&["rebook", old, "--slot", id, "--hours", "1", "--yes"]);
    assert_eq!(named.code, 0, "{named:?}");
    assert_eq!(named.json["booked"]["slot"]["id"], id, "{named:?}");
}

/// Proves: CONS-SLOT-05, CONS-REB-04
/// What is booked is what was shown: a slot whose id now stands at another time, or several times, is not booked unseen.
#[test]
fn a_slot_that_moved_is_not_booked_unseen() {
    let world = World::start();
    let order = |slot: &str| {
        let by_id = [
            "book",
            "--service",
            SERVICE,
            "--patient",
            "ada.toml",
            "--yes",
        ];
        world.json(&[&by_id[..], &["--slot", slot]].concat())
    };
    let free = |id: &Value, hour: u32| {
        let at = |minute: u32| format!("2090-03-04T{hour:02}:{minute:02}:00Z");
        json!({ "resource": { "resourceType": "Slot", "id": id, "status": "free", "start": at(0), "end": at(15),
                              "schedule": { "reference": "Schedule/sch" } } })
    };
    let only = |entries: Vec<Value>| {
        let list = json!({ "resourceType": "Bundle", "type": "searchset", "entry": entries });
        world.rules(json!([{ "on": "slots", "times": 0, "body": list.to_string() }]));
    };
    for by_number in [true, false] {
        world.reset();
        let listed = world.json(&["slots", "--service", SERVICE]).json;
        let third = &listed["slots"][2]["id"];
        only(vec![free(third, 10)]);
        let name = if by_number {
            "3"
        } else {
            third.as_str().unwrap()
        };
        let done = order(name);
        assert_eq!(
            (done.code, &done.json["outcome"]),
            (1, &json!("not_booked")),
            "{done:?}"
        );
        assert!(
            done.json.to_string().contains("as it was shown"),
            "{done:?}"
        );
        assert_eq!(world.count("create"), 0);
    }
    world.reset();
    only(vec![free(&json!("same"), 10), free(&json!("same"), 12)]);
    let done = order("same");
    assert_eq!(
        (done.code, &done.json["outcome"]),
        (1, &json!("not_booked")),
        "{done:?}"
    );
    assert!(
        done.json.to_string().contains("Several free slots"),
        "{done:?}"
    );
    assert_eq!(world.count("create"), 0);
}
