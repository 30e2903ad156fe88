//! Commands of the Consumer that are stopped, by Ctrl-C or by SIGTERM: what they say, how they end, and what stands afterwards.

use super::misbehaving::{SERVICE, World, signal};
use serde_json::{Value, json};
use std::process::Child;

/// Starts a command that Ctrl-C stops, also where the tests themselves run in the background.
fn start(world: &World, arguments: &str) -> Child {
    world.start_as(&["stopped-by-interrupt"], arguments)
}

/// Proves: CONS-BOOK-05, D-53
/// Stopped while the booking is on its way: not certain, and the command that is named finds it.
#[test]
fn a_booking_that_is_stopped_on_its_way_is_not_certain() {
    let world = World::start();
    for name in ["INT", "TERM"] {
        world.reset();
        world.rules(json!([{ "on": "create", "hold": "after" }]));
        let arguments = format!("book --service {SERVICE} --first --patient ada.toml --json");
        let child = start(&world, &arguments);
        world.control("/control/held", &Value::Null);
        signal(&child, name);
        let done = World::end(child);
        assert_eq!(done.code, 3, "{name}: {done:?}");
        assert_eq!(done.json["outcome"], "uncertain", "{name}: {done:?}");
        let (_, document) = done.stderr.split_once("uec consumer settle ").unwrap();
        assert!(done.stderr.contains("not certain"), "{name}: {done:?}");
        world.release();
        let settled = world.json(format!("settle {document}"));
        assert_eq!(settled.code, 0, "{name}: {settled:?}");
        assert_eq!(
            settled.json["settled"][0]["outcome"], "booked",
            "{name}: {settled:?}"
        );
    }
}

/// Proves: CONS-CAN-04, D-53
/// A cancellation that is stopped on its way is not certain either; before anything was sent nothing was done.
#[test]
fn a_command_that_is_stopped_says_what_it_did() {
    let world = World::start();
    world.reset();
    let arguments = format!("book --service {SERVICE} --first --patient ada.toml --json");
    world.rules(json!([{ "on": "slots", "hold": "before" }]));
    let child = start(&world, &arguments);
    world.control("/control/held", &Value::Null);
    signal(&child, "INT");
    let done = World::end(child).with(1);
    assert_eq!(done.json["outcome"], "not_booked", "{done:?}");
    assert!(done.stderr.contains("Nothing was sent"), "{done:?}");
    world.release();
    assert_eq!(world.count("create"), 0);

    let id = world.booked("ada.toml");
    world.rules(json!([{ "on": "update", "hold": "before" }]));
    let child = start(&world, &format!("cancel {id} --yes --json"));
    world.control("/control/held", &Value::Null);
    signal(&child, "INT");
    let done = World::end(child).with(3);
    assert_eq!(done.json["outcome"], "uncertain", "{done:?}");
    let next = format!("uec consumer show {id}");
    assert!(done.stderr.contains(&next), "{done:?}");
    world.release();

    // The new one is booked and the cancellation of the old one is on its way.
    world.reset();
    let id = world.booked("ada.toml");
    world.rules(json!([{ "on": "update", "hold": "after" }]));
    let child = start(&world, &format!("rebook {id} --first --yes --json"));
    world.control("/control/held", &Value::Null);
    signal(&child, "INT");
    let done = World::end(child).with(3);
    done.notes(&["the new appointment is booked"]);
    world.release();
    world.json("settle").with(0);
    assert_eq!(world.live().len(), 1);
    assert_ne!(world.live(), [id]);
}

/// Proves: D-53, D-65
/// A document that is stopped on its way is not certain; before it left nothing was sent.
#[test]
fn a_referral_that_is_stopped_says_whether_it_left() {
    let world = World::start();
    world.reset();
    let id = world.booked("ada.toml");
    let with = format!("refer {id} --note x --json");
    let without = format!("refer --service {SERVICE} --without-booking --patient ada.toml --json");
    for (command, on, code, outcome, words) in [
        (&with[..], "read", 1, "not_sent", "Nothing was sent."),
        (&with, "refer", 3, "uncertain", "Run the same command again"),
        (&without, "refer", 3, "uncertain", "Ring the service"),
    ] {
        world.rules(json!([{ "on": on, "hold": "before" }]));
        let child = start(&world, command);
        world.control("/control/held", &Value::Null);
        signal(&child, "INT");
        let done = World::end(child);
        world.release();
        assert_eq!(done.code, code, "{done:?}");
        assert_eq!(done.json["outcome"], outcome, "{done:?}");
        assert!(done.stderr.contains(words), "{done:?}");
    }
}

/// Proves: D-53
/// What is to be said cannot be written, since nobody reads it: the second Ctrl-C ends the command, as uncertain as it was.
#[test]
fn a_second_interrupt_ends_a_command_that_cannot_speak() {
    let world = World::start();
    world.reset();
    world.rules(json!([{ "on": "create", "hold": "after" }]));
    let book = format!("book --service {SERVICE} --first --patient ada.toml --json");
    let mut child = world.start_as(&["stopped-by-interrupt", "nobody-reads"], &book);
    world.control("/control/held", &Value::Null);
    testkit::until("the command has ended", || {
        signal(&child, "INT");
        child.try_wait().unwrap().is_some()
    });
    assert_eq!(World::end(child).code, 3);
    world.release();
    assert_eq!(world.run("settle").code, 0);
}

/// Proves: CONS-REB-04, D-53
/// Ctrl-C at a question is no answer: nothing is sent.
#[test]
fn an_interrupt_at_a_question_sends_nothing() {
    let world = World::start();
    world.reset();
    world.booked("ada.toml");
    let book = "book --service 2000000011 --first --patient ada.toml";
    let done = world.at_terminal(book, &[("Book another besides?", "\u{3}")]);
    done.with(1)
        .says(&["Nothing was sent, so nothing was booked."]);
    assert_eq!(world.count("create"), 1);
}

/// Proves: D-53
/// Where the shell has SIGINT ignored, as for a script's commands in the background, Ctrl-C stops nothing; SIGTERM does.
#[test]
fn an_interrupt_that_is_ignored_stops_nothing() {
    let world = World::start();
    for (name, code, outcome) in [("INT", 0, "booked"), ("TERM", 3, "uncertain")] {
        world.reset();
        world.rules(json!([{ "on": "create", "hold": "after" }]));
        let book = format!("book --service {SERVICE} --first --patient ada.toml --json");
        let child = world.start_as(&["interrupt-ignored"], &book);
        world.control("/control/held", &Value::Null);
        signal(&child, name);
        let done = match name {
            "INT" => {
                world.release();
                World::end(child)
            }
            _ => {
                let done = World::end(child);
                world.release();
                done
            }
        };
        assert_eq!(done.code, code, "{name}: {done:?}");
        assert_eq!(done.json["outcome"], outcome, "{name}: {done:?}");
    }
}
