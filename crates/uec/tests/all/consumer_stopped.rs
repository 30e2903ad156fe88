//! Commands of the Consumer that are stopped, by Ctrl-C or by SIGTERM: what they say, how they end, and what stands afterwards.

use super::misbehaving::{SERVICE, World, signal};
use serde_json::json;
use testkit::Ended;

const BOOK: &str = "book --service 2000000011 --first --patient ada.toml --json";

/// Starts a command, sends it a signal when its request is held, and waits for its end. Ctrl-C stops it also where the
/// tests themselves run in the background.
fn stopped(world: &World, arguments: &str, signal_name: &str) -> Ended {
    let child = world.start_as(&["stopped-by-interrupt"], arguments);
    world.held();
    signal(&child, signal_name);
    World::end(child)
}

/// Proves: CONS-BOOK-05, D-53
/// Stopped while the booking is on its way: not certain, and the command that is named finds it.
#[test]
fn a_booking_that_is_stopped_on_its_way_is_not_certain() {
    let world = World::start();
    for name in ["INT", "TERM"] {
        world.reset();
        world.rules(json!([{ "on": "create", "hold": "after" }]));
        let done = stopped(&world, BOOK, name).with(3);
        done.has("/outcome", "uncertain").notes(&["not certain"]);
        let (_, document) = done.stderr.split_once("uec consumer settle ").unwrap();
        world.release();
        let settled = world.json(format!("settle {document}")).with(0);
        settled.has("/settled/0/outcome", "booked");
    }
}

/// Proves: CONS-CAN-04, D-53
/// A cancellation that is stopped on its way is not certain either; before anything was sent nothing was done.
#[test]
fn a_command_that_is_stopped_says_what_it_did() {
    let world = World::start();
    world.rules(json!([{ "on": "slots", "hold": "before" }]));
    let done = stopped(&world, BOOK, "INT").with(1);
    done.has("/outcome", "not_booked");
    done.notes(&["Nothing was sent"]);
    world.release();
    assert_eq!(world.count("create"), 0);

    let id = world.booked("ada.toml");
    world.rules(json!([{ "on": "update", "hold": "before" }]));
    let done = stopped(&world, &format!("cancel {id} --yes --json"), "INT").with(3);
    done.has("/outcome", "uncertain");
    done.notes(&[&format!("uec consumer show {id}")]);
    world.release();

    // The new one is booked and the cancellation of the old one is on its way.
    world.reset();
    let id = world.booked("ada.toml");
    world.rules(json!([{ "on": "update", "hold": "after" }]));
    let done = stopped(&world, &format!("rebook {id} --first --yes --json"), "INT").with(3);
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
    let id = world.booked("ada.toml");
    let with = format!("refer {id} --note x --json");
    let without = format!("refer --service {SERVICE} --without-booking --patient ada.toml --json");
    for (command, on, code, outcome, words) in [
        (&with[..], "read", 1, "not_sent", "Nothing was sent."),
        (&with, "refer", 3, "uncertain", "Run the same command again"),
        (&without, "refer", 3, "uncertain", "Ring the service"),
    ] {
        world.rules(json!([{ "on": on, "hold": "before" }]));
        let done = stopped(&world, command, "INT").with(code);
        world.release();
        done.has("/outcome", outcome).notes(&[words]);
    }
}

/// Proves: D-53
/// What is to be said cannot be written, since nobody reads it: the second Ctrl-C ends the command, as uncertain as it was.
#[test]
fn a_second_interrupt_ends_a_command_that_cannot_speak() {
    let world = World::start();
    world.rules(json!([{ "on": "create", "hold": "after" }]));
    let mut child = world.start_as(&["stopped-by-interrupt", "nobody-reads"], BOOK);
    world.held();
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
    world.booked("ada.toml");
    let book = BOOK.trim_end_matches(" --json");
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
        let child = world.start_as(&["interrupt-ignored"], BOOK);
        world.held();
        signal(&child, name);
        if name == "INT" {
            world.release();
        }
        let done = World::end(child).with(code);
        world.release();
        done.has("/outcome", outcome);
    }
}
