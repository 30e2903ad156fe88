//! What the Consumer tells and does when a provider misbehaves: the real program, real sockets, a counterpart in Python
//! that shares no code with it, and the live bookings that the counterpart holds in the end.

use super::misbehaving::{SERVICE, World, booked, faulty, refused};
use super::support::nation::Nation;
use serde_json::{Value, json};
use testkit::{assert_contains, assert_lacks};

const LIST: &str = "slots --service 2000000011";

fn book(patient: &str) -> String {
    format!("book --service {SERVICE} --first --patient {patient}")
}

/// How a booking ends: exit code, outcome, and words that have to be said.
type Ends = (i32, &'static str, &'static str);
const BOOKED: Ends = (0, "booked", "");
const UNCERTAIN: Ends = (3, "uncertain", "not certain");
const NOT_BOOKED: Ends = (1, "not_booked", "");
const TAKEN: Ends = (1, "slot_taken", "");
/// A patient with NHS number, by whom a booking is found, and one without.
const NUMBERED: &str = "ada.toml";
const NAMELESS: &str = "nameless.toml";

/// Books under these rules from the start, and checks how it ends and how many bookings stand at the counterpart.
#[track_caller]
fn books(world: &World, rules: Value, patient: &str, (code, outcome, says): Ends, live: usize) {
    world.reset();
    world.rules(rules);
    let done = world.ends(book(patient), code, outcome);
    done.says(&[says]);
    assert_eq!(world.live().len(), live, "{done}");
    if outcome == "booked" {
        assert_eq!(world.live(), [booked(&done)], "{done}");
    }
    assert_eq!(world.state()["other_status"], "booked", "{done}");
}

/// The same for both patients, where the booking is stored.
#[track_caller]
fn both(world: &World, rules: Value, numbered: Ends, nameless: Ends) {
    books(world, rules.clone(), NUMBERED, numbered, 1);
    books(world, rules, NAMELESS, nameless, 1);
}

/// Proves: CONS-BOOK-03, CONS-BOOK-05
/// A 201 is believed when its Appointment is the one that was asked for. Where it is not, the appointment is read at its
/// place, and that decides.
#[test]
fn a_201_is_believed_when_it_is_the_booking() {
    let world = World::start();
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
        both(&world, rules, BOOKED, BOOKED);
    }
    for mut rule in [
        json!({ "body": "" }),
        json!({ "body": "{ broken" }),
        json!({ "cut": "half" }),
        json!({ "body": "<html>Thank you</html>", "type": "text/html" }),
        json!({ "body": "{\"resourceType\":\"OperationOutcome\",\"issue\":[]}" }),
        json!({ "instead": "other" }),
    ] {
        rule["on"] = json!("create");
        both(&world, json!([rule]), BOOKED, BOOKED);
    }
}

/// Proves: CONS-BOOK-03, CONS-BOOK-05
/// What does not fit when it is read either is not certain, and the difference is named.
#[test]
fn what_does_not_fit_is_not_certain() {
    let world = World::start();
    const NO_DOCUMENT: &str = "drop-contained=DocumentReference";
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
        (NO_DOCUMENT, "does not name its clinical document"),
    ] {
        let rules = json!([
            { "on": "create", "alter": [change] },
            { "on": "read", "times": 0, "alter": [change] },
        ]);
        let uncertain = (3, "uncertain", says);
        both(&world, rules, uncertain, uncertain);
    }
    let other = json!([
        { "on": "create", "instead": "other" },
        { "on": "read", "times": 0, "instead": "other" },
    ]);
    let uncertain = (3, "uncertain", "another");
    both(&world, other, uncertain, uncertain);
}

/// Proves: CONS-BOOK-03, CONS-BOOK-05, D-79
/// An appointment by which nothing is decided in a form that FHIR has is not certain either, and the element is named.
#[test]
fn a_form_that_fhir_does_not_have_proves_nothing() {
    let world = World::start();
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
        both(&world, rules, uncertain, uncertain);
    }
    // A refusal of this form is no word that nothing was booked.
    let outcome = json!({ "resourceType": "OperationOutcome", "issue": [
        { "severity": ["error"], "code": "invalid", "diagnostics": "No." }] });
    let rules = json!([{ "on": "create", "status": 400, "headers": { "Location": null }, "body": outcome.to_string() }]);
    both(&world, rules, BOOKED, UNCERTAIN);
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
        world.ends(format!("cancel {id} --yes"), code, outcome);
        assert_eq!(world.count("update"), updates);
    }
}

/// Proves: CONS-BOOK-03, CONS-REQ-07
/// What is only written in another legal way is booked at once.
#[test]
fn legal_variety_is_booked() {
    let world = World::start();
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
        both(&world, rules, BOOKED, BOOKED);
    }
    for headers in [json!({ "Location": null }), json!({ "ETag": null })] {
        let rules = json!([{ "on": "create", "headers": headers }]);
        both(&world, rules, BOOKED, BOOKED);
    }
    let rules = json!([{ "on": "create", "gzip": true }]);
    both(&world, rules, BOOKED, BOOKED);
}

/// Proves: CONS-BOOK-05, CONS-ERR-04
/// After any fault the booking is looked for; a patient without NHS number cannot be looked for.
#[test]
fn every_fault_after_the_post_is_looked_for() {
    let world = World::start();
    for status in [
        200, 202, 204, 300, 302, 303, 307, 408, 500, 501, 505, 507, 511, 520, 524, 530, 599,
    ] {
        let mut rule = json!({ "on": "create", "times": 0, "status": status, "headers": { "Location": null } });
        if status != 204 {
            rule["body"] = json!("<html>?</html>");
        }
        both(&world, json!([rule]), BOOKED, UNCERTAIN);
    }
    for status in [500, 507, 302] {
        let rule = json!({ "on": "create", "times": 0, "store": false, "status": status, "body": "",
                           "headers": { "Location": null } });
        books(&world, json!([rule]), NUMBERED, UNCERTAIN, 0);
    }
    // 200 with the whole booking is read, and then it is booked.
    let whole = json!([{ "on": "create", "status": 200 }]);
    both(&world, whole, BOOKED, BOOKED);
}

/// Proves: CONS-BOOK-04, CONS-BOOK-05
/// Refusals are refusals; a conflict that points to somebody else's appointment is no booking; one that cannot be read is
/// not certain.
#[test]
fn refusals_and_conflicts() {
    let world = World::start();
    let ends = |rules: Value, ends| {
        for patient in [NUMBERED, NAMELESS] {
            books(&world, rules.clone(), patient, ends, 0);
        }
    };
    for status in [
        400, 401, 403, 404, 405, 406, 410, 411, 413, 415, 422, 429, 431,
    ] {
        ends(json!([refused(status, "invalid", "No.")]), NOT_BOOKED);
    }
    let taken = "Slot no longer available";
    ends(json!([refused(422, "processing", taken)]), TAKEN);
    for status in [409, 422] {
        let others = refused(status, "duplicate", "Used before for {other}");
        let unread = json!({ "on": "read", "times": 0, "status": 500 });
        let unclear = if status == 409 { UNCERTAIN } else { NOT_BOOKED };
        ends(json!([others]), unclear);
        ends(json!([others, unread]), UNCERTAIN);
        let mut gone = refused(status, "conflict", taken);
        gone["headers"]["Location"] = json!("{other}");
        ends(json!([gone]), TAKEN);
    }
    let mut empty = faulty("create");
    (empty["store"], empty["status"]) = (json!(false), json!(409));
    ends(json!([empty]), UNCERTAIN);
}

/// Proves: CONS-BOOK-05
/// The patient's list is read to its last page, however many appointments are at the same time.
#[test]
fn the_whole_list_of_the_patient_is_read() {
    let world = World::start();
    for (page, copies) in [(0, 12), (3, 12), (1, 15)] {
        world.reset();
        let slots = world.json(format!("slots --service {SERVICE}"));
        let first = slots.json["slots"][0]["start"].as_str().unwrap();
        let told = json!({ "number": Nation::ADA, "count": copies, "start": first });
        world.control("/control/copies", &told);
        world.control("/control/page", &json!(page));
        world.rules(json!([faulty("create")]));
        world.ends(book(NUMBERED), 0, "booked");
        assert_eq!(world.live().len(), copies + 1);
    }
}

/// Proves: CONS-BOOK-05, D-62
/// A 4xx without an OperationOutcome is looked for: booked when it is found, not booked when the whole list lacks it, and
/// not certain when nobody can look.
#[test]
fn a_4xx_without_an_outcome_is_looked_for() {
    let world = World::start();
    let unreadable = json!({ "on": "search", "times": 0, "status": 500, "body": "" });
    for status in [400, 401, 403, 404, 405, 410, 413, 415, 422, 431] {
        let rule = |store: bool, body: &str| {
            json!({ "on": "create", "times": 0, "store": store, "status": status, "body": body, "type": "text/html",
                    "headers": { "Location": null, "X-Request-ID": null, "X-Correlation-ID": null } })
        };
        let (page, empty) = ("<html>Blocked</html>", "");
        books(&world, json!([rule(true, page)]), NUMBERED, BOOKED, 1);
        books(&world, json!([rule(true, empty)]), NAMELESS, UNCERTAIN, 1);
        books(&world, json!([rule(false, empty)]), NUMBERED, NOT_BOOKED, 0);
        books(&world, json!([rule(false, page)]), NAMELESS, UNCERTAIN, 0);
        let rules = json!([rule(true, empty), unreadable]);
        books(&world, rules, NUMBERED, UNCERTAIN, 1);
    }
    // Stored by a first try that was answered by a proxy: whatever comes later is no proof.
    let mut limited = faulty("create");
    limited["status"] = json!(429);
    let taken = refused(422, "processing", "Slot no longer available");
    let rules = json!([limited, taken]);
    books(&world, rules.clone(), NUMBERED, BOOKED, 1);
    books(&world, rules, NAMELESS, UNCERTAIN, 1);
    // An outcome that only informs refuses nothing.
    let informs = json!([{ "on": "create", "status": 400, "headers": { "Location": null }, "body":
        "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"information\",\"code\":\"informational\"}]}" }]);
    books(&world, informs, NUMBERED, BOOKED, 1);
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
        world.ends(format!("cancel {id} --yes"), code, outcome);
    }
}

/// Proves: CONS-CAN-02, CONS-CAN-04, CONS-REB-02
/// Only what is booked is cancelled or rebooked. What stands is said, and nothing is sent.
#[test]
fn only_what_is_booked_is_cancelled() {
    let world = World::start();
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
        for yes in ["--yes", ""] {
            let done = world.ends(format!("cancel {id} {yes}"), 1, "not_cancelled");
            done.notes(&[says, "Ada Testwell"]);
            assert_lacks(&done.stderr, &["9990000018"]);
        }
        let done = world.json(format!("rebook {id} --first --yes")).with(1);
        done.notes(&[says]);
        assert_lacks(&done.stderr, &["9990000018"]);
    }
    assert_eq!(world.count("update"), 0);
    assert_eq!(world.live(), [id.as_str()]);

    // It stops being a booking while the new one is made: the new one stands, and the old one is left alone.
    world.rules(json!([
        { "on": "read", "times": 2 },
        { "on": "read", "times": 0, "alter": ["status=noshow"] },
    ]));
    let done = world.ends(format!("rebook {id} --first --yes"), 1, "booked");
    assert_eq!(done.json["old"]["outcome"], "not_cancelled", "{done:?}");
    done.notes(&["The new appointment is booked", "did not come"]);
    assert_eq!(world.count("update"), 0);
    assert_eq!(world.live().len(), 2);
}

/// Proves: CONS-SLOT-05, CONS-DOS-02, D-77
/// A service that pays no attention to the time that it is asked for: all its slots are listed and their number is told,
/// the first one is taken of the asked time only, and one that is named is booked.
#[test]
fn the_first_slot_is_one_of_the_asked_time() {
    let world = World::start();
    // The first free slot starts more than an hour from now.
    let listed = world.json(format!("{LIST} --hours 1")).json;
    let all = listed["slots"].as_array().unwrap().clone();
    assert_eq!(listed["outside_asked_time"], all.len(), "{listed}");
    let told = world.run(format!("{LIST} --hours 1"));
    let words = format!("{} slots of the service start outside", all.len());
    assert!(told.stdout.replace('\n', " ").contains(&words), "{told:?}");

    let book = book("ada.toml");
    let first = world.ends(format!("{book} --hours 1"), 1, "not_booked");
    let message = first.json["message"].as_str().unwrap();
    assert_contains(message, &[&words, "--hours and --from", "--slot"]);
    assert_eq!(world.count("create"), 0);

    let (third, id) = (&all[2]["start"], all[20]["id"].as_str().unwrap());
    let from = third.as_str().unwrap();
    let some = world
        .json(format!("{book} --from {from} --hours 1"))
        .with(0);
    assert_eq!(&some.json["booked"]["slot"]["start"], third, "{some:?}");
    some.notes(&["They were not considered."]);

    let old = some.json["booked"]["appointment"].as_str().unwrap();
    world
        .json(format!("rebook {old} --first --hours 1 --yes"))
        .with(1);
    assert_eq!(world.live(), [old]);
    let named = world
        .json(format!("rebook {old} --slot {id} --hours 1 --yes"))
        .with(0);
    assert_eq!(named.json["booked"]["slot"]["id"], id, "{named:?}");
}

/// Proves: CONS-SLOT-05, CONS-REB-04
/// What is booked is what was shown: a slot whose id now stands at another time, or several times, is not booked unseen.
#[test]
fn a_slot_that_moved_is_not_booked_unseen() {
    let world = World::start();
    let order = |slot: &str| {
        let by_id = format!("book --service {SERVICE} --patient ada.toml --yes");
        world.json(format!("{by_id} --slot {slot}"))
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
        let listed = world.json(format!("slots --service {SERVICE}")).json;
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
        assert_contains(done.json.to_string(), &["as it was shown"]);
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
    assert_contains(done.json.to_string(), &["Several free slots"]);
    assert_eq!(world.count("create"), 0);
}
