//! Cancelling and rebooking at a provider that misbehaves, and what every later command makes of a Consumer that was
//! killed: the real program, real sockets, a counterpart in Python, and the live bookings that it holds in the end.

use super::misbehaving;
use super::misbehaving::{Ended, SERVICE, World};
use serde_json::{Value, json};

const BOOK: [&str; 6] = [
    "book",
    "--service",
    SERVICE,
    "--first",
    "--patient",
    "ada.toml",
];
const NAMELESS: [&str; 6] = [
    "book",
    "--service",
    SERVICE,
    "--first",
    "--patient",
    "nameless.toml",
];

fn check(done: &Ended, code: i32, outcome: &str, what: &str) {
    assert_eq!(done.code, code, "{what}: {done:?}");
    assert_eq!(done.json["outcome"], outcome, "{what}: {done:?}");
}

/// Proves: CONS-CAN-02, CONS-CAN-03, CONS-CAN-04
/// Only an appointment that says so is cancelled; otherwise it is read again, and what stands is said.
#[test]
fn a_cancellation_is_believed_when_the_appointment_says_so() {
    let world = World::start();
    let not_stored = |more: Value| {
        let mut rule = json!({ "on": "update", "times": 0, "store": false });
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        rule
    };
    let cases = [
        (
            "the body says booked",
            json!({ "on": "update", "alter": ["status=booked"] }),
            0,
            "cancelled",
            0,
        ),
        (
            "204",
            json!({ "on": "update", "status": 204, "body": "" }),
            0,
            "cancelled",
            0,
        ),
        (
            "an empty body",
            json!({ "on": "update", "body": "" }),
            0,
            "cancelled",
            0,
        ),
        (
            "somebody else's",
            json!({ "on": "update", "instead": "other" }),
            0,
            "cancelled",
            0,
        ),
        (
            "cut",
            json!({ "on": "update", "cut": true }),
            0,
            "cancelled",
            0,
        ),
        (
            "500 afterwards",
            json!({ "on": "update", "status": 500, "body": "" }),
            0,
            "cancelled",
            0,
        ),
        (
            "302 afterwards",
            json!({ "on": "update", "status": 302, "body": "" }),
            0,
            "cancelled",
            0,
        ),
        (
            "200 and stands",
            not_stored(json!({})),
            1,
            "not_cancelled",
            1,
        ),
        (
            "201 and stands",
            not_stored(json!({ "status": 201 })),
            1,
            "not_cancelled",
            1,
        ),
        (
            "204 and stands",
            not_stored(json!({ "status": 204, "body": "" })),
            1,
            "not_cancelled",
            1,
        ),
        (
            "200 says cancelled elsewhere",
            not_stored(json!({ "instead": "other", "alter": ["status=cancelled"] })),
            1,
            "not_cancelled",
            1,
        ),
        (
            "202 and stands",
            not_stored(json!({ "status": 202 })),
            3,
            "uncertain",
            1,
        ),
        (
            "500 and stands",
            not_stored(json!({ "status": 500, "body": "" })),
            1,
            "not_cancelled",
            1,
        ),
        (
            "403",
            not_stored(json!({ "status": 403, "body": "" })),
            1,
            "not_cancelled",
            1,
        ),
        (
            "cut and stands",
            not_stored(json!({ "cut": true })),
            3,
            "uncertain",
            1,
        ),
    ];
    for (what, rule, code, outcome, live) in cases {
        for patient in ["ada.toml", "nameless.toml"] {
            world.reset();
            world.booked(patient);
            world.rules(json!([rule]));
            let done = world.json(&["cancel", "last", "--yes"]);
            check(&done, code, outcome, what);
            assert_eq!(world.live().len(), live, "{what}");
            assert_eq!(world.state()["other_status"], "booked", "{what}");
            if code == 0 {
                assert!(
                    done.json["message"]
                        .as_str()
                        .unwrap()
                        .contains("Ada Testwell at "),
                    "{done:?}"
                );
            }
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
                &["cancel", "last", "--yes"][..],
                &["rebook", "last", "--first", "--yes"],
                &["refer", "last", "--note", "x"],
                &["show", "last"],
            ] {
                let done = world.run(command);
                assert_eq!(done.code, 1, "{command:?} {rule}: {done:?}");
                assert!(!done.said().contains("Otherwell"), "{command:?}: {done:?}");
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
    let stranger = ["cancel", "last", "--yes", "--nhs-number", "9990000018"];
    check(&world.json(&stranger), 1, "not_cancelled", "a stranger");
    assert_eq!(world.live().len(), 1);
}

/// Proves: CONS-CAN-04, CONS-CAN-05
/// `last` is the booking that was tried last, whatever became of it; nobody else's appointment is touched.
#[test]
fn last_is_the_booking_tried_last() {
    let world = World::start();
    world.reset();
    let first = world.booked("ada.toml");
    world.booked("nameless.toml");
    let asked = world.run(&["cancel", "last"]);
    assert_eq!(asked.code, 1);
    assert!(
        asked.stderr.contains("Ada Testwell at ") && asked.stderr.contains("--yes"),
        "{asked:?}"
    );
    check(
        &world.json(&["cancel", "last", "--yes"]),
        0,
        "cancelled",
        "once",
    );
    for _ in 0..2 {
        check(
            &world.json(&["cancel", "last", "--yes"]),
            0,
            "already_cancelled",
            "again",
        );
    }
    assert_eq!(world.live(), [first]);

    world.reset();
    let first = world.booked("ada.toml");
    world.rules(
        json!([{ "on": "create", "status": 500, "body": "", "headers": { "Location": null } }]),
    );
    check(
        &world.json(&NAMELESS),
        3,
        "uncertain",
        "the answer is a fault",
    );
    for command in [
        &["cancel", "last", "--yes"][..],
        &["rebook", "last", "--first", "--yes"],
        &["show", "last"],
    ] {
        let done = world.run(command);
        assert_eq!(done.code, 3, "{command:?}: {done:?}");
        assert!(
            done.stderr.contains("not certain") && done.stderr.contains("uec consumer settle"),
            "{done:?}"
        );
    }
    assert!(world.live().contains(&first));
    assert_eq!(world.count("update"), 0);

    world.reset();
    let first = world.booked("ada.toml");
    world.rules(
        json!([{ "on": "create", "store": false, "status": 403, "outcome": ["forbidden", "No."],
                          "headers": { "Location": null } }]),
    );
    check(&world.json(&NAMELESS), 1, "not_booked", "refused");
    let done = world.json(&["cancel", "last", "--yes"]);
    check(&done, 1, "not_cancelled", "the last one was never made");
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
        let done = world.json(&["rebook", &old, "--first", "--yes"]);
        check(&done, 3, "uncertain", "not certain");
        assert_eq!(done.json["old"]["outcome"], "not_cancelled");
        assert!(world.live().contains(&old));
        assert_eq!(world.count("update"), 0);
    }
    world.reset();
    let old = world.booked("ada.toml");
    world.rules(json!([{ "on": "update", "times": 0, "store": false, "status": 403, "body": "" }]));
    let done = world.json(&["rebook", &old, "--first", "--yes"]);
    check(&done, 1, "booked", "the old one cannot be cancelled");
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
    let rebook = ["rebook", &old, "--first", "--yes", "--patient", "ada.toml"];
    check(&world.json(&rebook), 3, "uncertain", "not certain");
    assert_eq!(world.live(), std::slice::from_ref(&old));
    world.rules(json!([]));
    let done = world.json(&BOOK);
    check(&done, 0, "booked", "repeated");
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
    let new = done.json["booked"]["appointment"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(new, old);
    assert_eq!(world.live(), [new]);
}

/// Proves: CONS-REB-04
/// Without an answer to the question nothing is sent; what is not certain is in the list too, and `--yes` is no answer to it.
#[test]
fn a_patient_who_has_an_appointment_is_asked_about() {
    let world = World::start();
    world.reset();
    let first = world.booked("ada.toml");
    let done = world.json(&BOOK);
    check(&done, 1, "not_booked", "asked");
    assert_eq!(done.json["patient_has"][0]["appointment"], first.as_str());
    assert_eq!(world.count("create"), 1);
    let done = world.json(&[&BOOK[..], &["--yes"]].concat());
    check(&done, 0, "booked", "--yes");
    assert_eq!(done.json["patient_has"][0]["appointment"], first.as_str());
    // What was cancelled at the service is no longer held against the patient.
    world.reset();
    let first = world.booked("ada.toml");
    world.run(&["cancel", &first, "--yes"]);
    check(&world.json(&BOOK), 0, "booked", "cancelled");

    world.reset();
    world.rules(json!([{ "on": "create", "store": false, "times": 0, "status": 500, "body": "", "headers": { "Location": null } }]));
    check(&world.json(&BOOK), 3, "uncertain", "a fault");
    world.rules(json!([]));
    let slots = world.json(&["slots", "--service", SERVICE]);
    let other = slots.json["slots"][5]["id"].as_str().unwrap().to_owned();
    let elsewhere = [
        "book",
        "--service",
        SERVICE,
        "--slot",
        &other,
        "--patient",
        "ada.toml",
        "--yes",
    ];
    let done = world.json(&elsewhere);
    check(&done, 3, "uncertain", "--yes is no answer");
    assert_eq!(done.json["patient_has"].as_array().unwrap().len(), 1);
    assert_eq!(world.live().len(), 0);
    let done = world.json(&[&elsewhere[..], &["--another"]].concat());
    check(&done, 0, "booked", "--another");
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
            world.rules(json!([{ "on": "create", "hold": hold }]));
            world.kill_when_held(&book);
            let done = world.json(&book);
            check(&done, 0, "booked", hold);
            world.release();
            let id = done.json["booked"]["appointment"].as_str().unwrap();
            assert_eq!(world.live(), [id], "{hold} {book:?}");
            let listed = world.json(&["show"]);
            let bookings = listed.json["bookings"].as_array().unwrap();
            assert_eq!(bookings.len(), 1, "{listed:?}");
            assert_eq!(
                (&bookings[0]["appointment"], &bookings[0]["state"]),
                (&json!(id), &json!("booked"))
            );
        }
    }
    for (next, code) in [
        (&["show"][..], 0),
        (&["show", "last"], 0),
        (&["settle"], 0),
        (&["refer", "last", "--note", "x", "--dry-run"], 0),
        (&["rebook", "last", "--first", "--yes"], 0),
    ] {
        world.reset();
        world.rules(json!([{ "on": "create", "hold": "after" }]));
        world.kill_when_held(&BOOK);
        world.release();
        let done = world.run(next);
        assert_eq!(done.code, code, "{next:?}: {done:?}");
        assert!(
            done.stderr.contains("had succeeded") || done.stdout.contains("had succeeded"),
            "{next:?}: {done:?}"
        );
        let live = world.live();
        assert_eq!(live.len(), 1, "{next:?}");
        let listed = world.json(&["show"]);
        assert_eq!(
            listed.json["bookings"][0]["appointment"],
            live[0].as_str(),
            "{next:?}"
        );
    }
    // The same slot by its id, which is not free any more.
    world.reset();
    let slots = world.json(&["slots", "--service", SERVICE]);
    let slot = slots.json["slots"][2]["id"].as_str().unwrap().to_owned();
    let exactly = [
        "book",
        "--service",
        SERVICE,
        "--slot",
        &slot,
        "--patient",
        "ada.toml",
    ];
    world.rules(json!([{ "on": "create", "hold": "after" }]));
    world.kill_when_held(&exactly);
    world.release();
    check(&world.json(&exactly), 0, "booked", "the same slot");
    assert_eq!(world.live().len(), 1);
    // Cancelled without having been seen.
    world.reset();
    world.rules(json!([{ "on": "create", "hold": "after" }]));
    world.kill_when_held(&BOOK);
    world.release();
    check(
        &world.json(&["cancel", "last", "--yes"]),
        0,
        "cancelled",
        "cancel",
    );
    assert_eq!(world.live().len(), 0);
}

/// Proves: CONS-BOOK-05
/// While the request may still be on its way nothing is settled; the user can say what the service said.
#[test]
fn what_stays_open_can_be_settled_by_hand() {
    let world = World::start();
    world.reset();
    world.rules(json!([{ "on": "create", "hold": "before" }]));
    world.kill_when_held(&BOOK);
    let open = world.run(&["settle"]);
    assert_eq!(open.code, 3, "{open:?}");
    assert!(open.stdout.contains("may still be on its way"), "{open:?}");
    world.release();
    let found = world.run(&["settle"]);
    assert_eq!(found.code, 0, "{found:?}");
    assert!(found.stdout.contains("had succeeded"), "{found:?}");

    world.reset();
    world.rules(json!([{ "on": "create", "hold": "after" }]));
    world.kill_when_held(&NAMELESS);
    world.release();
    assert_eq!(world.run(&["settle"]).code, 3);
    let other = world.state()["other"].as_str().unwrap().to_owned();
    let wrong = world.run(&["settle", "last", "--booked", &other]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    let id = world.live().remove(0);
    let told = world.run(&["settle", "last", "--booked", &id]);
    assert_eq!(told.code, 0, "{told:?}");
    check(
        &world.json(&["cancel", "last", "--yes"]),
        0,
        "cancelled",
        "known again",
    );

    world.reset();
    world.rules(json!([{ "on": "create", "store": false, "hold": "after" }]));
    world.kill_when_held(&NAMELESS);
    world.release();
    assert_eq!(world.run(&["settle", "last", "--not-booked"]).code, 0);
    check(&world.json(&NAMELESS), 0, "booked", "anew");
    assert_eq!(world.live().len(), 1);
}

/// Proves: CONS-REB-02, CONS-REB-05
/// Killed at each stage of a rebooking: the next command ends with one booking.
#[test]
fn a_killed_rebooking_is_taken_up_by_the_next_command() {
    let world = World::start();
    let stages = [
        (
            "the new one is stored",
            json!([{ "on": "create", "hold": "after" }]),
        ),
        (
            "the new one is under way",
            json!([{ "on": "create", "hold": "before" }]),
        ),
        (
            "between the two",
            json!([{ "on": "read" }, { "on": "read" }, { "on": "read", "hold": "before" }]),
        ),
        (
            "the old one is being cancelled",
            json!([{ "on": "update", "hold": "before" }]),
        ),
        (
            "the old one is cancelled",
            json!([{ "on": "update", "hold": "after" }]),
        ),
    ];
    for (stage, rules) in &stages {
        for next in ["rebook", "show"] {
            world.reset();
            let old = world.booked("ada.toml");
            world.rules(rules.clone());
            let rebook = ["rebook", &old, "--first", "--yes"];
            world.kill_when_held(&rebook);
            let pending = *stage == "the new one is under way";
            if next == "show" && pending {
                world.release();
            }
            let done = world.json(if next == "show" {
                &["show"][..]
            } else {
                &rebook[..]
            });
            world.release();
            let gone = *stage == "the old one is cancelled" && next == "rebook";
            let done = if gone && done.code != 0 {
                world.json(&["show"])
            } else {
                done
            };
            assert_eq!(done.code, 0, "{stage}, {next}: {done:?}");
            let live = world.live();
            assert_eq!(live.len(), 1, "{stage}, {next}: {done:?}");
            assert_ne!(live[0], old, "{stage}, {next}");
            let listed = world.json(&["show"]);
            let bookings = listed.json["bookings"].as_array().unwrap();
            assert_eq!(bookings.len(), 1, "{stage}, {next}: {listed:?}");
            assert_eq!(
                bookings[0]["appointment"],
                live[0].as_str(),
                "{stage}, {next}"
            );
        }
    }
}

/// Proves: CONS-REB-02, CONS-REB-05, D-53
/// A referral for either appointment of a rebooking that was killed finishes it first: the patient is expected once.
#[test]
fn a_referral_finishes_a_killed_rebooking() {
    let world = World::start();
    for (rule, named) in [
        (json!([{ "on": "create", "hold": "after" }]), "last"),
        (json!([{ "on": "update", "hold": "before" }]), "last"),
        (json!([{ "on": "update", "hold": "before" }]), "old"),
    ] {
        world.reset();
        let old = world.booked("ada.toml");
        world.rules(rule.clone());
        world.kill_when_held(&["rebook", &old, "--first", "--yes"]);
        let named = if named == "old" { &old } else { named };
        let dry = world.run(&["refer", named, "--dry-run"]);
        assert_eq!(world.live().len(), 2, "{rule}: {dry:?}");
        let done = world.run(&["refer", named]);
        let live = world.live();
        world.release();
        assert_eq!(live.len(), 1, "{rule}: {done:?}");
        assert_ne!(live[0], old, "{rule}");
        let listed = world.json(&["show"]);
        let bookings = listed.json["bookings"].as_array().unwrap();
        assert_eq!(bookings.len(), 1, "{listed:?}");
        assert_eq!(bookings[0]["appointment"], live[0].as_str(), "{listed:?}");
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
        world.rules(json!([{ "on": on, "hold": hold }]));
        world.kill_when_held(&["cancel", "last", "--yes"]);
        assert_eq!(
            world.json(&["show", "last"]).json["status"],
            status,
            "{on} {hold}"
        );
        let outcome = if status == "booked" {
            "cancelled"
        } else {
            "already_cancelled"
        };
        check(&world.json(&["cancel", "last", "--yes"]), 0, outcome, on);
        world.release();
        assert_eq!(world.live().len(), 0);
        check(&world.json(&BOOK), 0, "booked", "nothing stands in the way");
    }
}

/// Proves: CONS-ERR-05
/// A journal that cannot be written before a booking stops it; one that cannot be written after it does not hide it.
#[test]
fn a_locked_journal() {
    let world = World::start();
    world.reset();
    world.run(&["show"]);
    let lock = rusqlite::Connection::open(world.journal()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let done = world.run(&BOOK);
    assert_eq!((done.code, world.count("create")), (1, 0), "{done:?}");
    lock.execute_batch("ROLLBACK").unwrap();

    world.rules(json!([{ "on": "create", "hold": "after" }]));
    let running = world.start_command(&BOOK);
    assert_eq!(world.control("/control/held", &Value::Null)["held"], true);
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.release();
    let done = World::end(running);
    lock.execute_batch("ROLLBACK").unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    let id = world.live().remove(0);
    assert!(
        done.stderr.contains("could not be written") && done.stderr.contains(&id),
        "{done:?}"
    );
    let known = world.json(&["show", "last"]);
    assert_eq!(
        (known.code, &known.json["id"]),
        (0, &json!(id)),
        "{known:?}"
    );
}

/// Proves: RES-PAT-03
/// A number that was typed is not sent as verified.
#[test]
fn a_typed_number_is_not_traced() {
    let world = World::start();
    for (more, code) in [
        (&[][..], "02"),
        (&["--traced"], "01"),
        (&["--verification", "03"], "03"),
    ] {
        world.reset();
        let done = world.json(&[&BOOK[..], more].concat());
        check(&done, 0, "booked", code);
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
    world.reset();
    let lost = json!({ "on": "create", "store": false, "status": 500, "body": "", "headers": { "Location": null } });
    world.rules(json!([lost]));
    check(&world.json(&BOOK), 3, "uncertain", "a fault");
    let soon = world.json(&["settle"]);
    assert_eq!(
        (soon.code, &soon.json["settled"][0]["outcome"]),
        (3, &json!("uncertain")),
        "{soon:?}"
    );
    long_ago(&world);
    let late = world.json(&["settle"]);
    assert_eq!(
        (late.code, &late.json["settled"][0]["outcome"]),
        (0, &json!("not_booked")),
        "{late:?}"
    );
    let message = late.json["settled"][0]["message"].as_str().unwrap();
    assert!(message.contains("was never made"), "{late:?}");
    check(&world.json(&BOOK), 0, "booked", "anew");
    assert_eq!(world.live().len(), 1);
    assert_eq!(world.json(&["settle"]).json["settled"], json!([]));
}

/// Proves: CONS-BOOK-05, D-53
/// A list that is none, that says of itself that it is not whole, or that has the booking at another time, does not prove
/// that nothing was booked, however long ago: it would be booked a second time.
#[test]
fn a_list_that_is_not_whole_proves_nothing() {
    let world = World::start();
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
        with(
            "modifierExtension",
            json!([{ "url": "https://vendor.example/partly" }]),
        ),
        with("implicitRules", json!("https://vendor.example/partly")),
    ];
    for list in lists.iter().map(Value::to_string).chain([twice]) {
        world.reset();
        let lost =
            json!({ "on": "create", "status": 500, "body": "", "headers": { "Location": null } });
        world.rules(json!([lost, { "on": "search", "times": 0, "status": 500 }]));
        check(&world.json(&BOOK), 3, "uncertain", "a fault");
        long_ago(&world);
        let id = world.live().remove(0);
        let list = list.replace("\"id\":\"\"", &format!("\"id\":\"{id}\""));
        world.rules(json!([
            { "on": "search", "times": 0, "body": list },
            { "on": "read", "times": 0, "alter": ["start=15", "end=15"] },
        ]));
        let done = world.json(&["settle"]);
        assert_eq!(done.code, 3, "{list}: {done:?}");
        assert_eq!(
            done.json["settled"][0]["outcome"], "uncertain",
            "{list}: {done:?}"
        );
        if list.contains(&id) {
            let message = done.json["settled"][0]["message"].as_str().unwrap();
            assert!(message.contains("does not fit: it starts"), "{done:?}");
        }
        world.json(&BOOK);
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
        let lost =
            json!({ "on": "create", "status": 500, "body": "", "headers": { "Location": null } });
        world.rules(json!([lost, { "on": "search", "times": 0, "status": 500 }]));
        check(&world.json(&BOOK), 3, "uncertain", "a fault");
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
        let done = world.json(&["settle"]);
        let (code, outcome) = if all_lie {
            (3, "uncertain")
        } else {
            (0, "booked")
        };
        assert_eq!(done.code, code, "{mixed} {all_lie}: {done:?}");
        assert_eq!(done.json["settled"][0]["outcome"], outcome, "{done:?}");
        world.rules(json!([]));
        world.json(&BOOK);
        assert_eq!(world.live(), [id], "{mixed} {all_lie}");
    }
}

/// Proves: CONS-BOOK-05, CONS-REB-05, CONS-CAN-04
/// Ctrl-C while a request is under way: the next command finds out what became of it, and there is one appointment or none.
#[test]
fn what_was_interrupted_is_taken_up() {
    let world = World::start();
    let rebook = &["rebook", "last", "--first", "--yes"][..];
    let cancel = &["cancel", "last", "--yes"][..];
    // How many stand when the request went its way, and how many in the end.
    for (command, request, done, standing) in [
        (&BOOK[..], "create", 1, 1),
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
            assert_eq!(
                world.control("/control/held", &Value::Null)["held"],
                true,
                "{what}"
            );
            let pid = running.id().to_string();
            let sent = std::process::Command::new("kill")
                .args(["-INT", &pid])
                .status();
            assert!(sent.unwrap().success());
            let ended = World::end(running);
            assert_ne!(ended.code, 0, "{what}: {ended:?}");
            world.release();
            // The request that was held goes its way; the next command meets what became of it.
            assert!((0..100_000).any(|_| world.live().len() == done), "{what}");
            let next = if command == BOOK {
                world.json(&BOOK)
            } else {
                world.json(&["show"])
            };
            let again = if command == cancel {
                world.json(cancel)
            } else {
                next
            };
            assert_eq!(again.code, 0, "{what}: {again:?}");
            let listed = world.json(&["show"]);
            let known: Vec<&Value> = listed.json["bookings"].as_array().unwrap().iter().collect();
            let ids: Vec<String> = known
                .iter()
                .map(|b| b["appointment"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(
                (world.live(), ids.len()),
                (ids, standing),
                "{what}: {listed:?}"
            );
            assert!(
                known.iter().all(|b| b["state"] == "booked"),
                "{what}: {listed:?}"
            );
        }
    }
}

/// Proves: CONS-CAN-02, CONS-CAN-03
/// An appointment that was booked elsewhere is cancelled for the patient who was named, or it is said that nobody was.
#[test]
fn an_appointment_from_elsewhere_names_its_patient_first() {
    let world = World::start();
    world.reset();
    let other = world.state()["other"].as_str().unwrap().to_owned();
    let cancel = ["cancel", &other, "--service", SERVICE];
    let with = |more: &[&'static str]| {
        let all: Vec<&str> = cancel.iter().copied().chain(more.iter().copied()).collect();
        world.json(&all)
    };
    // Without an answer nothing is cancelled, and the question names whose it is.
    let asked = with(&[]);
    check(&asked, 1, "not_cancelled", "nobody answers");
    assert!(
        asked.stderr.contains("Una Otherwell at ") && asked.stderr.contains("--yes"),
        "{asked:?}"
    );
    let stranger = with(&["--yes", "--nhs-number", misbehaving::ADA]);
    check(&stranger, 1, "not_cancelled", "another patient");
    // The patient changes between the reading that was told of and the one before the cancelling.
    world.rules(
        json!([{ "on": "read" }, { "on": "read", "times": 0, "alter": ["patient=9990123454"] }]),
    );
    check(
        &with(&["--yes"]),
        1,
        "not_cancelled",
        "another patient at the second look",
    );
    assert_eq!(world.count("update"), 0);
    world.rules(json!([]));
    let done = with(&["--yes"]);
    check(&done, 0, "cancelled", "on its id alone");
    assert_eq!(done.json["patient_compared"], false, "{done:?}");
    for words in ["was not compared with anybody", "Una Otherwell at "] {
        assert!(done.stderr.contains(words), "{done:?}");
    }
    let known = with(&["--yes", "--nhs-number", "9990000018"]);
    check(&known, 0, "already_cancelled", "again");
    assert_eq!(known.json["patient_compared"], true, "{known:?}");
    assert!(!known.stderr.contains("compared"), "{known:?}");
}

/// Proves: CONS-CAN-04, CONS-REB-04, D-78
/// A service that says of our appointment that it is cancelled, which nobody here did: that is said as what the service
/// says, nothing is sent, a new booking is not made without a word, and what stands again is listed again.
#[test]
fn what_only_the_service_says_is_cancelled() {
    let world = World::start();
    let says = json!([{ "on": "read", "times": 0, "alter": ["status=cancelled"] }]);
    let of = |value: &Value| value[0]["appointment"].as_str().map(str::to_owned);
    for first in [
        &["cancel", "last", "--yes"][..],
        &["rebook", "last", "--first", "--yes"],
        &["refer", "last", "--note", "x"],
        &["show", "last"],
        &["show"],
        &BOOK,
    ] {
        world.reset();
        let id = world.booked("ada.toml");
        world.rules(says.clone());
        let done = world.json(first);
        match first[0] {
            "cancel" => {
                check(&done, 0, "already_cancelled", "cancel");
                let message = done.json["message"].as_str().unwrap();
                assert!(message.starts_with("The service says that"), "{done:?}");
            }
            "rebook" => {
                check(&done, 1, "not_booked", "rebook");
                assert!(
                    done.stderr
                        .contains("the service says that it is cancelled"),
                    "{done:?}"
                );
            }
            "refer" => {
                check(&done, 1, "not_sent", "refer");
                assert!(
                    done.stderr
                        .contains("the service says that it is cancelled"),
                    "{done:?}"
                );
                assert_eq!(world.count("refer"), 0);
            }
            "show" if first.len() == 2 => assert_eq!(done.json["said_cancelled"], true, "{done:?}"),
            "show" => assert_eq!(
                of(&done.json["said_cancelled"]),
                Some(id.clone()),
                "{done:?}"
            ),
            _ => check(&done, 0, "booked", "book"),
        }
        assert_eq!(world.count("update"), 0, "{first:?}");
        // Whoever comes later is told too, before and beside another booking.
        let listed = world.json(&["show"]);
        assert!(
            listed.json["said_cancelled"].to_string().contains(&id),
            "{first:?}: {listed:?}"
        );
        let told = world.run(&BOOK).said();
        let words =
            format!("({id}) is cancelled. It is not known to have been cancelled from here");
        assert!(told.contains(&words), "{first:?}: {told}");
        let again = world.json(&["show", &id]);
        assert_eq!(again.json["said_cancelled"], true, "{first:?}: {again:?}");
        // It was not so.
        world.rules(json!([]));
        let listed = world.json(&["show"]);
        assert_eq!(
            listed.json["said_cancelled"],
            json!([]),
            "{first:?}: {listed:?}"
        );
        let all = listed.json["bookings"].as_array().unwrap();
        let ours = all.iter().find(|b| b["appointment"] == id.as_str());
        assert_eq!(ours.unwrap()["state"], "booked", "{first:?}: {listed:?}");
        check(&world.json(&BOOK), 1, "not_booked", "the patient has one");
    }
}

/// Proves: CONS-CAN-04, D-78
/// What was cancelled from here is told as that, and no longer listed.
#[test]
fn what_was_cancelled_from_here_is_not_the_services_word() {
    let world = World::start();
    world.reset();
    let id = world.booked("ada.toml");
    check(
        &world.json(&["cancel", &id, "--yes"]),
        0,
        "cancelled",
        "cancel",
    );
    let shown = world.json(&["show", &id]);
    assert_eq!(shown.json["said_cancelled"], false, "{shown:?}");
    let listed = world.json(&["show"]);
    assert_eq!(listed.json["said_cancelled"], json!([]), "{listed:?}");
    assert_eq!(listed.json["bookings"], json!([]), "{listed:?}");
}

/// Proves: CONS-BOOK-05, D-53
/// A booking whose request never left is told as not made at once, and does not stand in the way.
#[test]
fn what_was_never_sent_is_certain() {
    let world = World::start();
    world.reset();
    world.rules(json!([{ "on": "create", "hold": "before", "store": false }]));
    world.kill_when_held(&BOOK);
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
    let done = world.json(&NAMELESS);
    check(&done, 0, "booked", "another patient");
    assert!(done.json["settled"].is_null(), "{done:?}");
    let done = world.json(&BOOK);
    check(&done, 0, "booked", "the patient");
    assert_eq!(done.json["settled"][0]["outcome"], "not_booked", "{done:?}");
    let message = done.json["settled"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("interrupted before it was sent"),
        "{message}"
    );
}

/// Proves: CONS-REB-05
/// What scripts are told of a patient after a rebooking does not count the appointment that is gone, and an address is
/// the service's own in every command.
#[test]
fn what_is_gone_is_not_what_the_patient_has() {
    let world = World::start();
    world.reset();
    let booked = world.json(&BOOK);
    let id = booked.json["booked"]["appointment"].as_str().unwrap();
    let shown = world.json(&["show", id]);
    assert_eq!(shown.json["url"], booked.json["booked"]["url"], "{shown:?}");
    let done = world.json(&["rebook", id, "--first", "--yes"]);
    check(&done, 0, "booked", "rebook");
    assert_eq!(done.json["patient_has"], json!([]), "{done:?}");
}
