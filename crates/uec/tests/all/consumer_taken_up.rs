//! Cancelling and rebooking at a provider that misbehaves, and what every later command makes of a Consumer that was
//! killed: the real program, real sockets, a counterpart in Python, and the live bookings that it holds in the end.

use super::misbehaving::{SERVICE, World, booked, faulty, refused, signal};
use serde_json::{Value, json};
use testkit::assert_contains;

const BOOK: &str = "book --service 2000000011 --first --patient ada.toml";
const NAMELESS: &str = "book --service 2000000011 --first --patient nameless.toml";

/// Proves: CONS-CAN-02, CONS-CAN-03, CONS-CAN-04
/// Only an appointment that says so is cancelled; otherwise it is read again, and what stands is said.
#[test]
fn a_cancellation_is_believed_when_the_appointment_says_so() {
    let world = World::start();
    let stored = [
        json!({ "alter": ["status=booked"] }),
        json!({ "status": 204, "body": "" }),
        json!({ "body": "" }),
        json!({ "instead": "other" }),
        json!({ "cut": true }),
        json!({ "status": 500, "body": "" }),
        json!({ "status": 302, "body": "" }),
    ];
    // What the answer says is not so: the appointment stands.
    let not_stored = [
        json!({}),
        json!({ "status": 201 }),
        json!({ "status": 204, "body": "" }),
        json!({ "instead": "other", "alter": ["status=cancelled"] }),
        json!({ "status": 500, "body": "" }),
        json!({ "status": 403, "body": "" }),
    ];
    let on_its_way = [json!({ "status": 202 }), json!({ "cut": true })];
    for (answers, is_stored, code, outcome) in [
        (&stored[..], true, 0, "cancelled"),
        (&not_stored, false, 1, "not_cancelled"),
        (&on_its_way, false, 3, "uncertain"),
    ] {
        let patients = ["ada.toml", "nameless.toml"];
        for (answer, patient) in answers.iter().flat_map(|a| patients.map(|p| (a, p))) {
            let mut rule = answer.clone();
            rule["on"] = json!("update");
            if !is_stored {
                (rule["times"], rule["store"]) = (json!(0), json!(false));
            }
            world.reset();
            world.booked(patient);
            world.rules(json!([rule]));
            let done = world.ends("cancel last --yes", code, outcome);
            assert_eq!(world.live().is_empty(), is_stored, "{answer}");
            assert_eq!(world.state()["other_status"], "booked", "{answer}");
            let message = done.json["message"].as_str().unwrap_or_default();
            assert!(code != 0 || message.contains("Ada Testwell at "), "{done}");
        }
    }
}

/// Proves: CONS-CAN-02, CONS-CAN-03
/// What is read is compared with the journal before anything is done with it: another appointment, patient or document
/// is left alone, and nothing of it is shown.
#[test]
fn another_appointment_is_left_alone() {
    let world = World::start();
    for rule in [
        json!({ "instead": "other" }),
        json!({ "alter": ["patient"] }),
        json!({ "alter": ["document"] }),
        json!({ "alter": ["id"] }),
        json!({ "alter": ["drop=contained"] }),
    ] {
        for patient in ["ada.toml", "nameless.toml"] {
            world.reset();
            world.booked(patient);
            let mut rule = rule.clone();
            (rule["on"], rule["times"]) = (json!("read"), json!(0));
            world.rules(json!([rule]));
            for command in [
                "cancel last --yes",
                "rebook last --first --yes",
                "refer last --note x",
                "show last",
            ] {
                let done = world.run(command).with(1);
                done.never_says(&["Otherwell"]);
                assert!(
                    done.stderr.contains("not the appointment that is meant")
                        || done.stderr.contains("another patient"),
                    "{command:?}: {done:?}"
                );
            }
            assert_eq!(
                (world.count("update"), world.count("create")),
                (0, 1),
                "{rule}"
            );
            assert_eq!(
                (world.live().len(), &world.state()["other_status"]),
                (1, &json!("booked"))
            );
        }
    }
    // The patient at hand is not the one of the appointment.
    world.reset();
    world.booked("ada.toml");
    let stranger = "cancel last --yes --nhs-number 9990000018";
    world.ends(stranger, 1, "not_cancelled");
    assert_eq!(world.live().len(), 1);
}

/// Proves: CONS-CAN-04, CONS-CAN-05
/// `last` is the booking that was tried last, whatever became of it; nobody else's appointment is touched.
#[test]
fn last_is_the_booking_tried_last() {
    let world = World::start();
    let first = world.booked("ada.toml");
    world.booked("nameless.toml");
    let asked = world.run("cancel last").with(1);
    asked.notes(&["Ada Testwell at ", "--yes"]);
    world.ends("cancel last --yes", 0, "cancelled");
    for _ in 0..2 {
        world.ends("cancel last --yes", 0, "already_cancelled");
    }
    assert_eq!(world.live(), [first]);

    world.reset();
    let first = world.booked("ada.toml");
    world.rules(json!([faulty("create")]));
    world.ends(NAMELESS, 3, "uncertain");
    for command in [
        "cancel last --yes",
        "rebook last --first --yes",
        "show last",
    ] {
        let done = world.run(command);
        assert_eq!(done.code, 3, "{command:?}: {done:?}");
        done.notes(&["not certain", "uec consumer settle"]);
    }
    assert!(world.live().contains(&first));
    assert_eq!(world.count("update"), 0);

    world.reset();
    let first = world.booked("ada.toml");
    world.rules(json!([refused(403, "forbidden", "No.")]));
    world.ends(NAMELESS, 1, "not_booked");
    world.ends("cancel last --yes", 1, "not_cancelled");
    assert_eq!(world.live(), [first]);
}

/// Proves: CONS-REB-02, CONS-REB-05
/// The old appointment is cancelled on the strength of a proven new one only.
#[test]
fn a_rebooking_that_is_not_certain_leaves_the_old_one() {
    let world = World::start();
    for rule in [
        json!({ "status": 500, "body": "", "headers": { "Location": null } }),
        json!({ "instead": "other" }),
        json!({ "status": 302, "body": "", "headers": { "Location": null } }),
    ] {
        world.reset();
        let old = world.booked("nameless.toml");
        let mut rule = rule;
        rule["on"] = json!("create");
        // Where the answer points to, somebody else's is shown.
        world.rules(json!([{ "on": "read" }, rule, { "on": "read", "times": 0, "status": 500, "body": "" }]));
        let done = world.ends(format!("rebook {old} --first --yes"), 3, "uncertain");
        assert_eq!(done.json["old"]["outcome"], "not_cancelled");
        assert!(world.live().contains(&old));
        assert_eq!(world.count("update"), 0);
    }
    world.reset();
    let old = world.booked("ada.toml");
    world.rules(json!([{ "on": "update", "times": 0, "store": false, "status": 403, "body": "" }]));
    let done = world.ends(format!("rebook {old} --first --yes"), 1, "booked");
    assert_eq!(done.json["old"]["outcome"], "not_cancelled");
    assert_eq!(world.live().len(), 2);
}

/// Proves: CONS-REB-01, D-53
/// A booking that makes up for the lost first half of a rebooking does the second half too.
#[test]
fn a_booking_that_repeats_a_rebooking_finishes_it() {
    let world = World::start();
    let old = world.booked("ada.toml");
    world.rules(json!([{
        "on": "create", "times": 0, "store": false, "status": 302, "body": "", "headers": { "Location": null }
    }]));
    let rebook = format!("rebook {old} --first --yes --patient ada.toml");
    world.ends(&rebook, 3, "uncertain");
    assert_eq!(world.live(), std::slice::from_ref(&old));
    world.rules(json!([]));
    let done = world.ends(BOOK, 0, "booked");
    assert_eq!(
        done.json["finished"][0]["old"]["outcome"], "cancelled",
        "{done:?}"
    );
    assert_eq!(
        done.json["patient_has"].as_array().map(Vec::len),
        Some(0),
        "{done:?}"
    );
    assert!(done.json.get("settled").is_none(), "{done:?}");
    let new = booked(&done).to_owned();
    assert_ne!(new, old);
    assert_eq!(world.live(), [new]);
}

/// Proves: CONS-REB-04
/// Without an answer to the question nothing is sent; what is not certain is in the list too, and `--yes` is no answer to it.
#[test]
fn a_patient_who_has_an_appointment_is_asked_about() {
    let world = World::start();
    let first = world.booked("ada.toml");
    let done = world.ends(BOOK, 1, "not_booked");
    assert_eq!(done.json["patient_has"][0]["appointment"], first.as_str());
    assert_eq!(world.count("create"), 1);
    let done = world.ends(format!("{BOOK} --yes"), 0, "booked");
    assert_eq!(done.json["patient_has"][0]["appointment"], first.as_str());
    // What was cancelled at the service is no longer held against the patient.
    world.reset();
    let first = world.booked("ada.toml");
    world.run(format!("cancel {first} --yes"));
    world.ends(BOOK, 0, "booked");

    world.reset();
    world.rules(json!([{ "on": "create", "store": false, "times": 0, "status": 500, "body": "", "headers": { "Location": null } }]));
    world.ends(BOOK, 3, "uncertain");
    world.rules(json!([]));
    let slots = world.json(format!("slots --service {SERVICE}"));
    let other = slots.json["slots"][5]["id"].as_str().unwrap().to_owned();
    let elsewhere = format!("book --service {SERVICE} --slot {other} --patient ada.toml --yes");
    let done = world.ends(&elsewhere, 3, "uncertain");
    assert_eq!(done.json["patient_has"].as_array().unwrap().len(), 1);
    assert_eq!(world.live().len(), 0);
    world.ends(format!("{elsewhere} --another"), 0, "booked");
}

/// Proves: CONS-BOOK-05
/// Killed while the booking was under way, before it was stored or after: the next command finds it, or makes it under its
/// own request id. There is one, and the Consumer knows it.
#[test]
fn a_killed_booking_is_taken_up_by_the_next_command() {
    let world = World::start();
    for book in [BOOK, NAMELESS] {
        for hold in ["before", "after"] {
            world.reset();
            world.kill_at(book, "create", hold);
            let done = world.ends(book, 0, "booked");
            world.release();
            let id = booked(&done);
            world.stands_alone(id);
        }
    }
    for next in [
        "show",
        "show last",
        "settle",
        "refer last --note x --dry-run",
        "rebook last --first --yes",
    ] {
        world.reset();
        world.kill_at(BOOK, "create", "after");
        world.release();
        world.run(next).with(0).says(&["had succeeded"]);
        world.stands_alone(&world.live()[0]);
    }
    // The same slot by its id, which is not free any more.
    world.reset();
    let slots = world.json(format!("slots --service {SERVICE}"));
    let slot = slots.json["slots"][2]["id"].as_str().unwrap().to_owned();
    let exactly = format!("book --service {SERVICE} --slot {slot} --patient ada.toml");
    world.kill_at(&exactly, "create", "after");
    world.release();
    world.ends(&exactly, 0, "booked");
    assert_eq!(world.live().len(), 1);
    // Cancelled without having been seen.
    world.reset();
    world.kill_at(BOOK, "create", "after");
    world.release();
    world.ends("cancel last --yes", 0, "cancelled");
    assert_eq!(world.live().len(), 0);
}

/// Proves: CONS-BOOK-05
/// While the request may still be on its way nothing is settled; the user can say what the service said.
#[test]
fn what_stays_open_can_be_settled_by_hand() {
    let world = World::start();
    world.kill_at(BOOK, "create", "before");
    let open = world.run("settle").with(3);
    assert_contains(open.stdout, &["may still be on its way"]);
    world.release();
    let found = world.run("settle").with(0);
    assert_contains(found.stdout, &["had succeeded"]);

    world.reset();
    world.kill_at(NAMELESS, "create", "after");
    world.release();
    assert_eq!(world.run("settle").code, 3);
    let other = world.state()["other"].as_str().unwrap().to_owned();
    world.run(format!("settle last --booked {other}")).with(1);
    let id = world.live().remove(0);
    world.run(format!("settle last --booked {id}")).with(0);
    world.ends("cancel last --yes", 0, "cancelled");

    world.reset();
    world.rules(json!([{ "on": "create", "store": false, "hold": "after" }]));
    world.kill_when_held(NAMELESS);
    world.release();
    assert_eq!(world.run("settle last --not-booked").code, 0);
    world.ends(NAMELESS, 0, "booked");
    assert_eq!(world.live().len(), 1);
}

/// Proves: CONS-REB-02, CONS-REB-05
/// Killed at each stage of a rebooking: the next command ends with one booking.
#[test]
fn a_killed_rebooking_is_taken_up_by_the_next_command() {
    let world = World::start();
    let under_way = json!([{ "on": "create", "hold": "before" }]);
    let old_is_cancelled = json!([{ "on": "update", "hold": "after" }]);
    let stages = [
        json!([{ "on": "create", "hold": "after" }]),
        under_way.clone(),
        // Between the two.
        json!([{ "on": "read" }, { "on": "read" }, { "on": "read", "hold": "before" }]),
        json!([{ "on": "update", "hold": "before" }]),
        old_is_cancelled.clone(),
    ];
    for rules in &stages {
        for next in ["rebook", "show"] {
            world.reset();
            let old = world.booked("ada.toml");
            world.rules(rules.clone());
            let rebook = format!("rebook {old} --first --yes");
            world.kill_when_held(&rebook);
            if next == "show" && *rules == under_way {
                world.release();
            }
            let done = world.json(if next == "show" { next } else { &rebook });
            world.release();
            let gone = *rules == old_is_cancelled && next == "rebook";
            let done = match gone && done.code != 0 {
                true => world.json("show"),
                false => done,
            };
            let done = done.with(0);
            let live = world.live();
            assert_ne!(live[0], old, "{done}");
            world.stands_alone(&live[0]);
        }
    }
}

/// Proves: CONS-REB-02, CONS-REB-05, D-53
/// A referral for either appointment of a rebooking that was killed finishes it first: the patient is expected once.
#[test]
fn a_referral_finishes_a_killed_rebooking() {
    let world = World::start();
    for (on, hold, named) in [
        ("create", "after", "last"),
        ("update", "before", "last"),
        ("update", "before", "old"),
    ] {
        world.reset();
        let old = world.booked("ada.toml");
        world.kill_at(&format!("rebook {old} --first --yes"), on, hold);
        let named = if named == "old" { &old } else { named };
        let dry = world.run(format!("refer {named} --dry-run"));
        assert_eq!(world.live().len(), 2, "{on}: {dry:?}");
        let done = world.run(format!("refer {named}"));
        let live = world.live();
        world.release();
        assert_eq!(live.len(), 1, "{done}");
        assert_ne!(live[0], old, "{done}");
        world.stands_alone(&live[0]);
    }
}

/// Proves: CONS-CAN-04
/// Killed at each stage of a cancellation: the next command says what stands.
#[test]
fn a_killed_cancellation_is_read_again() {
    let world = World::start();
    for (hold, on, status) in [
        ("before", "read", "booked"),
        ("before", "update", "booked"),
        ("after", "update", "cancelled"),
    ] {
        world.reset();
        world.booked("ada.toml");
        world.kill_at("cancel last --yes", on, hold);
        assert_eq!(world.json("show last").json["status"], status, "{on}");
        let outcome = match status {
            "booked" => "cancelled",
            _ => "already_cancelled",
        };
        world.ends("cancel last --yes", 0, outcome);
        world.release();
        assert_eq!(world.live().len(), 0);
        world.ends(BOOK, 0, "booked");
    }
}

/// Proves: CONS-ERR-05
/// A journal that cannot be written before a booking stops it; one that cannot be written after it does not hide it.
#[test]
fn a_locked_journal() {
    let world = World::start();
    world.run("show");
    let lock = rusqlite::Connection::open(world.journal()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let done = world.run(BOOK);
    assert_eq!((done.code, world.count("create")), (1, 0), "{done:?}");
    lock.execute_batch("ROLLBACK").unwrap();

    world.rules(json!([{ "on": "create", "hold": "after" }]));
    let running = world.start_command(BOOK);
    world.held();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.release();
    let done = World::end(running).with(0);
    lock.execute_batch("ROLLBACK").unwrap();
    let id = world.live().remove(0);
    done.notes(&["could not be written", &id]);
    let known = world.json("show last").with(0);
    assert_eq!(known.json["id"], id.as_str(), "{known}");
}

/// Proves: RES-PAT-03
/// A number that was typed is not sent as verified.
#[test]
fn a_typed_number_is_not_traced() {
    let world = World::start();
    for (more, code) in [("", "02"), ("--traced", "01"), ("--verification 03", "03")] {
        world.reset();
        world.ends(format!("{BOOK} {more}"), 0, "booked");
        let state = world.state();
        let seen = state["seen"].as_array().unwrap();
        let sent = seen.iter().find(|s| s["interaction"] == "create").unwrap()["body"].to_string();
        assert!(
            sent.contains(&format!("\"code\":\"{code}\"")),
            "{code}: {sent}"
        );
    }
}

/// As if a booking that is not certain had been asked for longer ago than any request lives.
fn long_ago(world: &World) {
    let journal = rusqlite::Connection::open(world.journal()).unwrap();
    let hour = 60 * 60 * 1000;
    let changed = journal.execute(
        "UPDATE booking SET requested_at = requested_at - ?1",
        [hour],
    );
    assert_eq!(changed.unwrap(), 1);
}

/// Proves: CONS-BOOK-05, D-53
/// Ten minutes after the last request a booking that the service's whole list lacks was never made; not before.
#[test]
fn what_the_whole_list_lacks_was_never_made() {
    let world = World::start();
    let lost = json!({ "on": "create", "store": false, "status": 500, "body": "", "headers": { "Location": null } });
    world.rules(json!([lost]));
    world.ends(BOOK, 3, "uncertain");
    let soon = world.json("settle").with(3);
    soon.has("/settled/0/outcome", "uncertain");
    long_ago(&world);
    let late = world.json("settle").with(0);
    late.has("/settled/0/outcome", "not_booked");
    let message = late.json["settled"][0]["message"].as_str().unwrap();
    assert!(message.contains("was never made"), "{late:?}");
    world.ends(BOOK, 0, "booked");
    assert_eq!(world.live().len(), 1);
    assert_eq!(world.json("settle").json["settled"], json!([]));
}

/// Proves: CONS-BOOK-05, D-53
/// A list that is none, that says of itself that it is not whole, or that has the booking at another time, does not prove
/// that nothing was booked, however long ago: it would be booked a second time.
#[test]
fn a_list_that_is_not_whole_proves_nothing() {
    let world = World::start();
    const VENDOR: &str = "https://vendor.example/partly";
    let empty = |kind: &str| json!({ "resourceType": "Bundle", "type": kind, "entry": [] });
    let mut partly = empty("searchset");
    partly["entry"] = json!([{ "search": { "mode": "outcome" }, "resource": {
        "resourceType": "OperationOutcome",
        "issue": [{ "severity": "warning", "code": "incomplete", "diagnostics": "Not all are shown" }] } }]);
    let mut untyped = empty("");
    untyped.as_object_mut().unwrap().remove("type");
    let mut moved = empty("searchset");
    moved["entry"] = json!([{ "resource": {
        "resourceType": "Appointment", "id": "", "status": "booked", "start": "2090-01-01T10:00:00+00:00" } }]);
    let mut nothing_said = partly.clone();
    nothing_said["entry"][0]["resource"]["issue"] = json!([]);
    let with = |key: &str, value: Value| {
        let mut list = empty("searchset");
        list[key] = value;
        list
    };
    let twice = empty("searchset")
        .to_string()
        .replacen('{', "{\"entry\":[],", 1);
    let lists = [
        empty("transaction-response"),
        untyped,
        partly,
        nothing_said,
        moved,
        with("entry", json!([null])),
        with("entry", json!(["x"])),
        with("entry", json!([{ "resource": { "id": "x" } }])),
        with("link", json!([{ "relation": "next" }])),
        with(
            "link",
            json!([{ "relation": {}, "url": "Appointment?page=2" }]),
        ),
        with("modifierExtension", json!([{ "url": VENDOR }])),
        with("implicitRules", json!(VENDOR)),
    ];
    for list in lists.iter().map(Value::to_string).chain([twice]) {
        world.reset();
        let lost = faulty("create");
        world.rules(json!([lost, { "on": "search", "times": 0, "status": 500 }]));
        world.ends(BOOK, 3, "uncertain");
        long_ago(&world);
        let id = world.live().remove(0);
        let list = list.replace("\"id\":\"\"", &format!("\"id\":\"{id}\""));
        world.rules(json!([
            { "on": "search", "times": 0, "body": list },
            { "on": "read", "times": 0, "alter": ["start=15", "end=15"] },
        ]));
        println!("{list}");
        let done = world.json("settle").with(3);
        done.has("/settled/0/outcome", "uncertain");
        if list.contains(&id) {
            let message = done.json["settled"][0]["message"].as_str().unwrap();
            assert!(message.contains("does not fit: it starts"), "{done:?}");
        }
        world.json(BOOK);
        assert_eq!(world.live(), [id], "{list}");
    }
}

/// Proves: CONS-BOOK-05, D-53
/// An entry with our document is read whatever patient it names, and so is one that names ours among others; what the
/// service itself has mixed up is not certain, and never "not booked".
#[test]
fn an_entry_with_our_document_is_read() {
    let world = World::start();
    let other = json!([{ "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018" }]);
    for (mixed, all_lie) in [(false, false), (true, false), (false, true)] {
        world.reset();
        let lost = faulty("create");
        world.rules(json!([lost, { "on": "search", "times": 0, "status": 500 }]));
        world.ends(BOOK, 3, "uncertain");
        long_ago(&world);
        let id = world.live().remove(0);
        let mut entry = world.state()["appointments"][&id].clone();
        let parts = entry["contained"].as_array_mut().unwrap();
        let patient = parts.iter_mut().find(|p| p["resourceType"] == "Patient");
        let numbers = &mut patient.unwrap()["identifier"];
        match mixed {
            true => numbers
                .as_array_mut()
                .unwrap()
                .extend(other.as_array().unwrap().clone()),
            false => *numbers = other.clone(),
        }
        if !mixed {
            entry["participant"][0]["actor"]["identifier"] = other[0].clone();
        }
        let list = json!({ "resourceType": "Bundle", "type": "searchset", "total": 1,
                           "entry": [{ "resource": entry }] });
        let read = match all_lie {
            true => json!({ "on": "read", "times": 0, "body": entry.to_string() }),
            false => json!({ "on": "slots" }),
        };
        world.rules(json!([{ "on": "search", "times": 0, "body": list.to_string() }, read]));
        let (code, outcome) = match all_lie {
            true => (3, "uncertain"),
            false => (0, "booked"),
        };
        let done = world.json("settle").with(code);
        done.has("/settled/0/outcome", outcome);
        world.rules(json!([]));
        world.json(BOOK);
        assert_eq!(world.live(), [id], "{mixed} {all_lie}");
    }
}

/// Proves: CONS-BOOK-05, CONS-REB-05, CONS-CAN-04
/// Ctrl-C while a request is under way: the next command finds out what became of it, and there is one appointment or none.
#[test]
fn what_was_interrupted_is_taken_up() {
    let world = World::start();
    let rebook = "rebook last --first --yes";
    let cancel = "cancel last --yes";
    // How many stand when the request went its way, and how many in the end.
    for (command, request, done, standing) in [
        (BOOK, "create", 1, 1),
        (rebook, "create", 2, 1),
        (rebook, "update", 1, 1),
        (cancel, "update", 0, 0),
    ] {
        for hold in ["before", "after"] {
            let what = format!("{command:?} {request} {hold}");
            world.reset();
            if command != BOOK {
                world.booked("ada.toml");
            }
            world.rules(json!([{ "on": request, "hold": hold }]));
            let running = world.start_as(&["stopped-by-interrupt"], command);
            world.held();
            signal(&running, "INT");
            let ended = World::end(running);
            assert_ne!(ended.code, 0, "{what}: {ended:?}");
            world.release();
            // The request that was held goes its way; the next command meets what became of it.
            assert!((0..100_000).any(|_| world.live().len() == done), "{what}");
            let next = world.json(if command == BOOK { BOOK } else { "show" });
            let again = match command == cancel {
                true => world.json(cancel),
                false => next,
            };
            let live = world.live();
            assert_eq!(live.len(), standing, "{what}: {}", again.with(0));
            match live.first() {
                Some(id) => world.stands_alone(id),
                None => drop(world.json("show").has("/bookings", json!([]))),
            }
        }
    }
}

/// Proves: CONS-CAN-02, CONS-CAN-03
/// An appointment that was booked elsewhere is cancelled for the patient who was named, or it is said that nobody was.
#[test]
fn an_appointment_from_elsewhere_names_its_patient_first() {
    let world = World::start();
    let other = world.state()["other"].as_str().unwrap().to_owned();
    let cancel = format!("cancel {other} --service {SERVICE}");
    let ends = |more: &str, code, outcome| world.ends(format!("{cancel} {more}"), code, outcome);
    // Without an answer nothing is cancelled, and the question names whose it is.
    let asked = ends("", 1, "not_cancelled");
    asked.notes(&["Una Otherwell at ", "--yes"]);
    ends("--yes --nhs-number 9990123454", 1, "not_cancelled");
    // The patient changes between the reading that was told of and the one before the cancelling.
    world.rules(
        json!([{ "on": "read" }, { "on": "read", "times": 0, "alter": ["patient=9990123454"] }]),
    );
    ends("--yes", 1, "not_cancelled");
    assert_eq!(world.count("update"), 0);
    world.rules(json!([]));
    // On its id alone.
    let done = ends("--yes", 0, "cancelled");
    done.has("/patient_compared", false);
    done.notes(&["was not compared with anybody", "Una Otherwell at "]);
    let known = ends("--yes --nhs-number 9990000018", 0, "already_cancelled");
    known.has("/patient_compared", true);
    assert!(!known.stderr.contains("compared"), "{known:?}");
}

/// Proves: CONS-CAN-04, CONS-REB-04, D-78
/// A service that says of our appointment that it is cancelled, which nobody here did: that is said as what the service
/// says, nothing is sent, a new booking is not made without a word, and what stands again is listed again.
#[test]
fn what_only_the_service_says_is_cancelled() {
    let world = World::start();
    let says = json!([{ "on": "read", "times": 0, "alter": ["status=cancelled"] }]);
    let refer = "refer last --note x";
    for first in [
        "cancel last --yes",
        "rebook last --first --yes",
        refer,
        "show last",
        "show",
        BOOK,
    ] {
        world.reset();
        let id = world.booked("ada.toml");
        world.rules(says.clone());
        match first {
            "show" => drop(
                world
                    .json("show")
                    .has("/said_cancelled/0/appointment", &*id),
            ),
            "show last" => drop(world.json("show last").has("/said_cancelled", true)),
            BOOK => drop(world.ends(BOOK, 0, "booked")),
            "cancel last --yes" => {
                let done = world.ends(first, 0, "already_cancelled");
                let message = done.json["message"].as_str().unwrap();
                assert!(message.starts_with("The service says that"), "{done:?}");
            }
            first => {
                let outcome = if first == refer {
                    "not_sent"
                } else {
                    "not_booked"
                };
                let done = world.ends(first, 1, outcome);
                done.notes(&["the service says that it is cancelled"]);
            }
        }
        assert_eq!((world.count("update"), world.count("refer")), (0, 0));
        // Whoever comes later is told too, before and beside another booking.
        let listed = world.json("show");
        assert!(
            listed.json["said_cancelled"].to_string().contains(&id),
            "{first:?}: {listed:?}"
        );
        let words =
            format!("({id}) is cancelled. It is not known to have been cancelled from here");
        world.run(BOOK).says(&[&words]);
        let again = world.json(format!("show {id}"));
        again.has("/said_cancelled", true);
        // It was not so.
        world.rules(json!([]));
        let listed = world.json("show");
        listed.has("/said_cancelled", json!([]));
        let all = listed.json["bookings"].as_array().unwrap();
        let ours = all.iter().find(|b| b["appointment"] == id.as_str());
        assert_eq!(ours.unwrap()["state"], "booked", "{first:?}: {listed:?}");
        world.ends(BOOK, 1, "not_booked");
    }
}

/// Proves: CONS-CAN-04, D-78
/// What was cancelled from here is told as that, and no longer listed.
#[test]
fn what_was_cancelled_from_here_is_not_the_services_word() {
    let world = World::start();
    let id = world.booked("ada.toml");
    world.ends(format!("cancel {id} --yes"), 0, "cancelled");
    let shown = world.json(format!("show {id}"));
    assert_eq!(shown.json["said_cancelled"], false, "{shown:?}");
    let listed = world.json("show");
    assert_eq!(listed.json["said_cancelled"], json!([]), "{listed:?}");
    assert_eq!(listed.json["bookings"], json!([]), "{listed:?}");
}

/// Proves: CONS-BOOK-05, D-53
/// A booking whose request never left is told as not made at once, and does not stand in the way.
#[test]
fn what_was_never_sent_is_certain() {
    let world = World::start();
    world.rules(json!([{ "on": "create", "hold": "before", "store": false }]));
    world.kill_when_held(BOOK);
    world.release();
    let journal = rusqlite::Connection::open(world.journal()).unwrap();
    let left: bool = journal
        .query_row("SELECT may_have_left FROM booking", [], |r| r.get(0))
        .unwrap();
    assert!(left, "the request had come");
    // As if the program had been killed a moment before.
    journal
        .execute("UPDATE booking SET may_have_left = 0", [])
        .unwrap();
    let done = world.ends(NAMELESS, 0, "booked");
    assert!(done.json["settled"].is_null(), "{done:?}");
    let done = world.ends(BOOK, 0, "booked");
    assert_eq!(done.json["settled"][0]["outcome"], "not_booked", "{done:?}");
    let message = done.json["settled"][0]["message"].as_str().unwrap();
    assert_contains(message, &["interrupted before it was sent"]);
}

/// Proves: CONS-REB-05
/// What scripts are told of a patient after a rebooking does not count the appointment that is gone, and an address is
/// the service's own in every command.
#[test]
fn what_is_gone_is_not_what_the_patient_has() {
    let world = World::start();
    let done = world.json(BOOK);
    let id = booked(&done);
    let shown = world.json(format!("show {id}"));
    assert_eq!(shown.json["url"], done.json["booked"]["url"], "{shown:?}");
    let done = world.ends(format!("rebook {id} --first --yes"), 0, "booked");
    assert_eq!(done.json["patient_has"], json!([]), "{done:?}");
}
