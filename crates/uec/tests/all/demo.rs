//! The demonstration as a newcomer runs it: one command, and what it prints can be pasted.

use super::support::operations::{Demo, command, page};
use std::net::TcpListener;
use std::process::Command;
use testkit::{Ended, assert_contains, assert_lacks};

/// The front page, as somebody gets it who takes these types.
fn front(demo: &Demo, accept: &str) -> (String, String) {
    page(&format!("127.0.0.1:{}", demo.port), "/", accept)
}

/// The pasteable command that has this in it: from its `curl` to the first line without a backslash at its end.
fn shown_command(text: &str, part: &str) -> String {
    text.split("\n\n")
        .find(|block| block.starts_with("curl") && block.contains(part))
        .unwrap_or_else(|| panic!("no command with {part} in\n{text}"))
        .to_owned()
}

/// Runs a printed command as a person would.
fn paste(command: &str) -> String {
    let output = Ended::run(Command::new("sh").args(["-c", command]));
    output.stdout
}

/// A browser gets the tour as a page with links, `curl` as text.
#[test]
fn a_browser_gets_a_page_with_links() {
    let demo = Demo::start("");
    let (head, text) = front(&demo, "*/*");
    assert_contains(head, &["text/plain"]);
    assert_contains(text, &["step by step"]);
    let (head, body) = front(&demo, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    assert_contains(
        head.to_lowercase(),
        &["text/html;charset=utf-8", "vary: accept"],
    );
    assert_contains(
        &body,
        &[
            "<html lang=\"en-GB\">",
            "name=\"viewport\"",
            "Skip to the tour",
            "<h1>",
            "/health/ready\">",
        ],
    );
    // The same commands in both, escaped in the page.
    assert!(body.matches("<pre").count() >= 16, "{body}");
    assert_contains(&body, &["&#39;Authorization: Bearer "]);
    assert_lacks(&body, &["-H 'Auth"]);
}

/// Proves: PROV-BOOK-08, PROV-BOOK-11
#[test]
fn the_printed_curl_books_once() {
    if !testkit::has("curl") {
        return;
    }
    let demo = Demo::start("");
    let tour = demo.running.said();
    let answered = |command: &str, status: &str| {
        let said = paste(command);
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{said}");
    };
    answered(&shown_command(&tour, "/Slot?"), "200");
    let book = shown_command(&tour, "/Appointment'");
    answered(&book, "201");
    answered(&book, "409");
    // The page has a fresh token and a fresh slot.
    let (_, page) = front(&demo, "*/*");
    answered(&shown_command(&page, "/Appointment'"), "201");
}

#[test]
fn a_port_in_use_is_said_in_a_sentence() {
    let first = testkit::ports(Demo::PORTS);
    let _taken = TcpListener::bind(("127.0.0.1", first + 1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut demo = command(format!("demo --port {first} --data"));
    let output = Ended::run(demo.arg(folder.path()));
    output.with(1).notes(&["in use", "--port"]);
}

/// What each step of the tour has to show, in the tour's order; a `!` in front: the command is refused with these words.
const STEPS: [&str; 13] = [
    "can be booked",
    "918999000011",
    "In person",
    "Booked:",
    "has the referral",
    "linked",
    "booked",
    "Old appointment: The appointment is cancelled",
    "lost-answer",
    "There is only this one",
    "is cancelled",
    "!only with a booked appointment",
    "rows verified",
];

/// Pastes every command of the tour and looks at what it says.
fn follow(demo: &Demo) {
    let tour = demo.running.said();
    let (_, journey) = tour.split_once("The whole journey").unwrap();
    let commands: Vec<&str> = journey
        .split("\n\n")
        .filter(|block| block.starts_with('\'') || block.starts_with("curl"))
        .collect();
    assert_eq!(commands.len(), STEPS.len(), "{journey}");
    for (command, expected) in commands.iter().zip(STEPS) {
        let ended = Ended::run(Command::new("sh").args(["-c", command]));
        match expected.strip_prefix('!') {
            Some(words) => assert_contains(ended.with(1).stderr, &[words]),
            None => assert_contains(ended.with(0).stdout, &[expected]),
        }
    }
}

/// Proves: CONS-DOS-01, CONS-SDS-01, CONS-REQ-02, CONS-BOOK-01, CONS-BOOK-03, CONS-BOOK-05, CONS-CAN-02, CONS-REB-01,
/// CONS-REB-02, CONS-BO-01, REF-CON-01, REF-CON-04, REF-PRO-01
#[test]
fn the_tour_runs_as_printed() {
    if !testkit::has("curl") {
        return;
    }
    follow(&Demo::start(""));
}

/// Proves: NAT-SDS-01, NAT-SSP-04
#[test]
fn the_tour_runs_as_printed_with_certificates() {
    if !testkit::has("curl") {
        return;
    }
    let demo = Demo::start("--tls");
    let tour = demo.running.said();
    assert_contains(&tour, &["ldaps://"]);
    let booked = paste(&shown_command(&tour, "/Appointment'"));
    assert!(booked.contains(" 201"), "{booked}");
    follow(&demo);
}
