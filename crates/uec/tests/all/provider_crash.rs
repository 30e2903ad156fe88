//! `kill -9` under load: what was answered with 201 or 200 is there after the restart, and nothing is half done.

use super::support;
use std::collections::BTreeSet;
use std::io::BufReader;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use super::support::http::connect;
use super::support::{Booking, GP_CLINIC, Response, Server};

/// Clients that book at the same time.
const CLIENTS: usize = 8;
/// Answers that they get before each crash.
const ANSWERS: usize = 60;
/// Crashes in a row, all on one database.
const CRASHES: usize = 3;

/// Books and cancels until the server is gone; gives the id and state of each acknowledged booking.
fn client(server: &Server, slots: &[Value], answers: &AtomicUsize) -> Vec<(String, &'static str)> {
    let mut acknowledged: Vec<(String, &'static str)> = Vec::new();
    for (i, slot) in slots.iter().enumerate() {
        let booking = Booking::of(slot);
        let Some(created) = try_send(&server.book(&booking.body())) else {
            break;
        };
        assert_eq!(created.status, 201, "{}", created.shown());
        answers.fetch_add(1, Ordering::Relaxed);
        let id = created.location_id();
        acknowledged.push((id.clone(), "booked"));
        if i % 2 == 1 {
            let body = booking.cancelled(&created.json());
            // Without an answer the state may be either.
            acknowledged.pop();
            let Some(cancelled) = try_send(&server.cancel(&id, "W/\"1\"", &body)) else {
                break;
            };
            assert_eq!(cancelled.status, 200, "{}", cancelled.shown());
            acknowledged.push((id, "cancelled"));
        }
    }
    acknowledged
}

/// An answer, or nothing when the server is gone.
fn try_send(call: &support::Call) -> Option<Response> {
    std::net::TcpStream::connect(call.address).ok()?;
    let stream = std::panic::catch_unwind(|| connect(call.address)).ok()?;
    let mut writing = stream.try_clone().ok()?;
    writing
        .write_all(&call.clone().with("Connection", "close").bytes())
        .ok()?;
    Response::read(&mut BufReader::new(stream))
}

/// Proves: PROV-BOOK-01, PROV-BOOK-03, PROV-BOOK-08, PROV-CAN-05, NFR-02, P24
#[test]
fn what_was_acknowledged_survives_kill_9() {
    let mut acknowledged: Vec<(String, &'static str)> = Vec::new();
    let mut server = Server::start("crash", false);
    for _ in 0..CRASHES {
        let free = server.slots(&Server::window_query(GP_CLINIC, 2, 14));
        let share = free.len() / CLIENTS;
        let shares: Vec<&[Value]> = free.chunks(share.max(1)).take(CLIENTS).collect();
        let answers = AtomicUsize::new(0);
        let (done, crashed) = thread::scope(|scope| {
            let (running, answers) = (&server, &answers);
            let threads: Vec<_> = shares
                .iter()
                .map(|share| scope.spawn(move || client(running, share, answers)))
                .collect();
            testkit::until("some were booked", || {
                answers.load(Ordering::Relaxed) >= ANSWERS
                    || threads.iter().all(thread::ScopedJoinHandle::is_finished)
            });
            let crashed = running.kill_9();
            let done: Vec<_> = threads
                .into_iter()
                .flat_map(|t| t.join().expect("a client"))
                .collect();
            (done, crashed)
        });
        assert!(crashed, "the server was killed");
        assert!(!done.is_empty(), "something was booked before the crash");
        acknowledged.extend(done);
        server.kill();
        server = Server::start("crash", false);
        let mut live = BTreeSet::new();
        for (id, status) in &acknowledged {
            let stored = server.read(id).expect(200).json();
            assert_eq!(stored["status"], *status, "{id}");
            if *status == "booked" {
                let slot = support::messages::contained(&stored, "Slot")["id"].to_string();
                assert!(live.insert(slot), "one booking for each slot");
            }
        }
        let free = server.slots(&Server::window_query(GP_CLINIC, 1, 14));
        assert!(
            free.iter()
                .all(|slot| !live.contains(&slot["id"].to_string())),
            "a booked slot is not free"
        );
    }
    server.uec("provider audit verify").with(0);
    server.removed();
}
