//! Several commands at the same time for one patient, on one journal: real processes, and the bookings that stand in the end.

use super::misbehaving::{Ended, SERVICE, World};
use serde_json::json;
use std::process::Child;

/// Commands that are started at once.
const AT_ONCE: usize = 4;

fn book(patient: &str, more: &str) -> String {
    format!("book --service {SERVICE} --first --patient {patient} --json {more}")
}

/// Starts a command, and waits until its search for slots is held: what it asks about the patient lies behind it.
fn held_at_slots(world: &World, arguments: &str) -> Child {
    world.rules(json!([{ "on": "slots", "hold": "before" }]));
    let child = world.start_command(arguments);
    world.held();
    child
}

fn check(done: &Ended, code: i32, outcome: &str, words: &str) {
    assert_eq!(done.code, code, "{done:?}");
    assert_eq!(done.json["outcome"], outcome, "{done:?}");
    assert!(done.stderr.contains(words), "{words}: {done:?}");
}

/// Proves: CONS-REB-04, D-53
/// A booking that another command made after the question stands in the way of the second: nothing is sent.
#[test]
fn a_patient_who_is_booked_in_the_meantime_is_not_booked_twice() {
    let world = World::start();
    for patient in ["ada.toml", "nameless.toml"] {
        for more in ["", "--yes"] {
            world.reset();
            let slow = held_at_slots(&world, &book(patient, more));
            let quick = world.booked(patient);
            world.release();
            let slow = World::end(slow);
            check(
                &slow,
                1,
                "not_booked",
                "The patient has an appointment already",
            );
            assert!(slow.stderr.contains("--another"), "{slow:?}");
            assert_eq!(slow.json["patient_has"][0]["appointment"], quick.as_str());
            assert_eq!(world.count("create"), 1);
            assert_eq!(world.live(), [quick]);
        }
        world.reset();
        let slow = held_at_slots(&world, &book(patient, "--another"));
        world.booked(patient);
        world.release();
        check(&World::end(slow), 0, "booked", "");
        assert_eq!(world.live().len(), 2);
    }
    // Another patient is nobody's business.
    world.reset();
    let slow = held_at_slots(&world, &book("nameless.toml", ""));
    world.booked("ada.toml");
    world.release();
    check(&World::end(slow), 0, "booked", "");
}

/// Proves: CONS-REB-04, CONS-BOOK-05, D-53
/// A booking of another command that is not certain stands in the way as well.
#[test]
fn a_patient_who_is_being_booked_is_not_booked_twice() {
    let world = World::start();
    let slow = held_at_slots(&world, &book("ada.toml", ""));
    world.rules(json!([{ "on": "create", "store": false, "hold": "before" }]));
    let mut quick = world.start_command(book("ada.toml", ""));
    testkit::until("the booking is sent", || world.count("create") == 1);
    quick.kill().unwrap();
    quick.wait().unwrap();
    world.release();
    let slow = World::end(slow);
    check(&slow, 3, "uncertain", "not certain yet");
    assert_eq!(
        slow.json["patient_has"].as_array().map(Vec::len),
        Some(1),
        "{slow:?}"
    );
    assert_eq!(world.count("create"), 1);
    assert_eq!(world.live().len(), 0);
}

/// Proves: CONS-REB-01, CONS-REB-04
/// Of two commands that rebook the same appointment one does; a rebooking of what the user knows of goes on.
#[test]
fn an_appointment_is_rebooked_once() {
    let world = World::start();
    let old = world.booked("ada.toml");
    let rebook = format!("rebook {old} --first --yes --json");
    let slow = held_at_slots(&world, &rebook);
    let quick = world.run(&rebook);
    check(&quick, 0, "booked", "");
    world.release();
    let slow = World::end(slow);
    check(
        &slow,
        1,
        "not_booked",
        "The patient has an appointment already",
    );
    let new = quick.json["booked"]["appointment"].as_str().unwrap();
    assert_eq!(world.live(), [new]);
}

/// Proves: CONS-REB-04
/// Started at once, one books.
#[test]
fn commands_that_start_at_once_make_one_booking() {
    let world = World::start();
    for patient in ["ada.toml", "nameless.toml"] {
        world.reset();
        let all: Vec<Child> = (0..AT_ONCE)
            .map(|_| world.start_command(book(patient, "")))
            .collect();
        let all: Vec<Ended> = all.into_iter().map(World::end).collect();
        let booked: Vec<&Ended> = all
            .iter()
            .filter(|e| e.json["outcome"] == "booked")
            .collect();
        let live = world.live();
        assert_eq!(live.len(), 1, "{all:?}");
        // A repeat of the same wish under the same request id is told of the same booking.
        for done in &booked {
            assert_eq!(
                done.json["booked"]["appointment"],
                live[0].as_str(),
                "{all:?}"
            );
        }
        assert!(!booked.is_empty(), "{all:?}");
        assert!(all.iter().all(|e| matches!(e.code, 0 | 1 | 3)), "{all:?}");
    }
}

/// Proves: CONS-BOOK-04, CONS-REB-04
/// A slot that went to this very patient, by another command from here, is not "somebody else's".
#[test]
fn a_time_that_the_patient_has_is_said_to_be_the_patients() {
    let world = World::start();
    for patient in ["ada.toml", "nameless.toml"] {
        // Before: the list lacks the slot already. After: the service refuses the booking.
        for hold in ["before", "after"] {
            world.reset();
            let slots = world.json(format!("slots --service {SERVICE}"));
            let slot = slots.json["slots"][0]["id"].as_str().unwrap();
            let book = format!("book --service {SERVICE} --slot {slot} --patient {patient} --json");
            world.rules(json!([{ "on": "slots", "hold": hold }]));
            let slow = world.start_command(&book);
            world.held();
            let quick = world.run(&book).with(0);
            world.release();
            let slow = World::end(slow);
            let case = format!("{patient} {hold}: {slow:?}");
            assert_eq!(slow.code, 1, "{case}");
            assert_eq!(slow.json["outcome"], "not_booked", "{case}");
            assert!(
                slow.stderr.contains("The patient has this time already"),
                "{case}"
            );
            let has = &slow.json["patient_has"][0]["appointment"];
            assert_eq!(*has, quick.json["booked"]["appointment"], "{case}");
            assert_eq!(world.live().len(), 1, "{case}");
        }
    }
}

/// Proves: CONS-BOOK-04, CONS-BOOK-05, CONS-REB-04
/// A time that another command is booking for this very patient is not certain, and not "somebody else's".
#[test]
fn a_time_that_is_being_booked_for_the_patient_is_not_certain() {
    let world = World::start();
    let slots = world.json(format!("slots --service {SERVICE}"));
    let slot = slots.json["slots"][0]["id"].as_str().unwrap();
    let book = format!("book --service {SERVICE} --slot {slot} --patient nameless.toml --json");
    let slow = held_at_slots(&world, &book);
    world.rules(json!([{ "on": "create", "hold": "after" }]));
    let mut quick = world.start_command(&book);
    testkit::until("the booking is stored", || world.live().len() == 1);
    quick.kill().unwrap();
    quick.wait().unwrap();
    world.release();
    let slow = World::end(slow);
    check(&slow, 3, "uncertain", "booking this time for this patient");
    assert_eq!(world.count("create"), 1);
    assert_eq!(world.live().len(), 1);
}
