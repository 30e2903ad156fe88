//! `kill -9` while referrals arrive: what was acknowledged, or refused and kept, is there after the restart.

use super::referral_fixture::*;
use super::support::{Call, Server, uuid};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Senders at the same time.
const SENDERS: usize = 4;
/// Answers that they get before the crash.
const ANSWERS: usize = 60;

/// Sends until the server is gone; gives the documents that were answered, and whether they were acknowledged.
fn sender(server: &Server, answers: &AtomicUsize) -> Vec<(String, bool)> {
    let mut answered = Vec::new();
    loop {
        let id = uuid();
        let wrong = answered.len() % 3 == 2;
        let mut message = Itk::new(&Cda::new(&id).xml());
        if wrong {
            // Reads, but its tracking id was used.
            message.tracking = "SAME".to_owned();
        }
        let call = Call::new(server.address, "POST", "/itk")
            .with("Content-Type", "text/xml")
            .with("Connection", "close")
            .body(message.xml());
        let response = std::panic::catch_unwind(|| send(&call)).ok().flatten();
        match response {
            Some(response) => {
                answered.push((id, response.status == 200));
                answers.fetch_add(1, Ordering::Relaxed);
            }
            None => return answered,
        }
    }
}

/// Proves: REF-PRO-01, REF-PRO-06, NFR-02
#[test]
fn what_was_answered_is_kept() {
    let server = Server::start("referral-crash", false);
    let mut first = Itk::new(&Cda::new(&uuid()).xml());
    first.tracking = "SAME".to_owned();
    accepted(&server, &first);
    let answers = AtomicUsize::new(0);
    let answered: Vec<(String, bool)> = std::thread::scope(|scope| {
        let (running, answers) = (&server, &answers);
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| scope.spawn(move || sender(running, answers)))
            .collect();
        testkit::until("some were answered", || {
            answers.load(Ordering::Relaxed) >= ANSWERS
        });
        assert!(server.kill_9());
        senders
            .into_iter()
            .flat_map(|s| s.join().expect("a sender"))
            .collect()
    });
    let server = server.restarted("referral-crash");
    assert!(
        answered.len() > SENDERS,
        "something was sent before the crash"
    );
    let all = referrals(&server, "list --provider FX101 --json");
    let state = |id: &str| {
        let mut found = all
            .as_array()
            .expect("a list")
            .iter()
            .filter(|r| r["document"] == id);
        let row = found.next().unwrap_or_else(|| panic!("{id} is lost"));
        assert!(found.next().is_none(), "{id} is there twice");
        row["state"].as_str().expect("a state").to_owned()
    };
    for (id, acknowledged) in &answered {
        let expected = if *acknowledged {
            "unmatched"
        } else {
            "quarantined"
        };
        assert_eq!(state(id), expected, "{id}");
    }
    server.uec("provider audit verify").with(0);
    server.removed();
}
