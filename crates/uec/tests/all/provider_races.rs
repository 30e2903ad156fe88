//! Races: many clients at once want what only one can have (`docs/standard/provider-api.md`, sections 7
//! and 9), over the wire.

use super::support;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::thread;

use serde_json::Value;

use super::support::{Booking, Call, GP_CLINIC, Response, Server, uuid};

const FIRST: &str = "W/\"1\"";

/// Sends all calls at the same moment.
fn at_once(calls: Vec<Call>) -> Vec<Response> {
    let start = Barrier::new(calls.len());
    thread::scope(|scope| {
        let threads: Vec<_> = calls
            .iter()
            .map(|call| {
                scope.spawn(|| {
                    start.wait();
                    call.send()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("an answer"))
            .collect()
    })
}

fn statuses(responses: &[Response]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for response in responses {
        *counts.entry(response.status).or_default() += 1;
    }
    counts
}

fn is_free(server: &Server, slot: &Value) -> bool {
    let free = server.slots(&Server::window_query(GP_CLINIC, 1, 14));
    free.iter().any(|s| s["id"] == slot["id"])
}

/// Proves: PROV-BOOK-01, PROV-BOOK-03, ERR-15, RES-SLOT-04
#[test]
fn one_slot_is_booked_by_one_of_64_clients() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    let bookings: Vec<Booking> = (0..64).map(|_| Booking::of(&slot)).collect();
    let responses = at_once(bookings.iter().map(|b| server.book(&b.body())).collect());
    assert_eq!(statuses(&responses), BTreeMap::from([(201, 1), (422, 63)]));
    for (booking, response) in bookings.iter().zip(&responses) {
        // Losers leave no trace.
        let kept = u64::from(response.status == 201);
        server
            .appointments_of(booking)
            .expect(200)
            .has("/total", kept);
        if response.status == 422 {
            response.has("/issue/0/diagnostics", "Slot no longer available");
        }
    }
    assert!(!is_free(server, &slot));
}

/// Many bookings at the same moment, and more in the slots of those that were cancelled: no id is given twice, and a
/// cancelled appointment keeps its own.
///
/// Proves: P27
#[test]
fn an_appointment_id_is_never_used_again() {
    let server = Server::shared(module_path!());
    let slots: Vec<Value> = (0..12).map(|_| server.take_slot()).collect();
    let mut cancelled: Vec<String> = Vec::new();
    for _ in 0..3 {
        let bookings: Vec<Booking> = slots.iter().map(Booking::of).collect();
        let made = at_once(bookings.iter().map(|b| server.book(&b.body())).collect());
        assert_eq!(statuses(&made), BTreeMap::from([(201, slots.len())]));
        for (booking, response) in bookings.iter().zip(&made) {
            let id = response.location_id();
            assert!(booking::ids::is_uuid(&id), "{id}");
            let body = booking.cancelled(&response.json());
            server.cancel(&id, FIRST, &body).expect(200);
            cancelled.push(id);
        }
    }
    let distinct: BTreeSet<&String> = cancelled.iter().collect();
    assert_eq!(distinct.len(), 3 * slots.len());
    for id in &cancelled {
        let stored = server.read(id).expect(200).json();
        assert_eq!(
            (&stored["id"], &stored["status"]),
            (&id.as_str().into(), &"cancelled".into())
        );
    }
}

/// Proves: PROV-BOOK-11, ERR-11, D-03
#[test]
fn one_request_id_makes_one_booking() {
    let server = Server::shared(module_path!());
    let id = uuid();
    let same = server
        .book(&server.booking().body())
        .with("X-Request-ID", &id);
    let mut calls: Vec<Call> = (0..16).map(|_| same.clone()).collect();
    let others: Vec<Value> = (0..16).map(|_| server.take_slot()).collect();
    calls.extend(others.iter().map(|slot| {
        server
            .book(&Booking::of(slot).body())
            .with("X-Request-ID", &id)
    }));
    let responses = at_once(calls);
    assert_eq!(statuses(&responses), BTreeMap::from([(201, 1), (409, 31)]));
    let made = responses
        .iter()
        .find(|r| r.status == 201)
        .expect("one")
        .location_id();
    for response in responses.iter().filter(|r| r.status == 409) {
        assert_eq!(
            response.location_id(),
            made,
            "each repeat names the booking that was made"
        );
    }
}

/// Proves: PROV-CAN-03, PROV-CAN-05, ERR-12
#[test]
fn one_version_is_cancelled_once() {
    let server = Server::shared(module_path!());
    let (booking, created) = server.booked();
    let id = created.location_id();
    let body = booking.cancelled(&created.json());
    let responses = at_once((0..32).map(|_| server.cancel(&id, FIRST, &body)).collect());
    assert_eq!(statuses(&responses), BTreeMap::from([(200, 1), (409, 31)]));
    let history = server.read(&format!("{id}/_history")).expect(200).json();
    assert_eq!(history["total"], 2);
}

/// Proves: PROV-BOOK-01, PROV-BOOK-03, PROV-CAN-05, PROV-CAN-06
#[test]
fn booking_and_cancelling_in_a_crowd_keeps_slots_and_bookings_together() {
    let server = Server::shared(module_path!());
    let slots: Vec<Value> = (0..3).map(|_| server.take_slot()).collect();
    let live: Vec<Option<String>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..12)
            .map(|worker: usize| {
                let slots = &slots;
                scope.spawn(move || {
                    let mut live = None;
                    for round in 0..15 {
                        let booking = Booking::of(&slots[(worker + round) % slots.len()]);
                        let response = server.book(&booking.body()).send();
                        if response.status != 201 {
                            assert_eq!(response.status, 422, "{}", response.shown());
                            continue;
                        }
                        let id = response.location_id();
                        let body = booking.cancelled(&response.json());
                        // The last booking of a worker stays.
                        if round < 14 {
                            server.cancel(&id, FIRST, &body).expect(200);
                        } else {
                            live = Some(id);
                        }
                    }
                    live
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("no fault"))
            .collect()
    });
    let mut booked: BTreeMap<String, usize> = BTreeMap::new();
    for id in live.iter().flatten() {
        let stored = server.read(id).expect(200).json();
        assert_eq!(stored["status"], "booked");
        let slot = support::messages::contained(&stored, "Slot")["id"]
            .as_str()
            .expect("id")
            .to_owned();
        *booked.entry(slot).or_default() += 1;
    }
    assert!(booked.values().all(|count| *count == 1), "{booked:?}");
    for slot in &slots {
        let taken = booked.contains_key(slot["id"].as_str().expect("id"));
        assert_eq!(
            is_free(server, slot),
            !taken,
            "a slot is free if nobody holds it"
        );
    }
}

/// Proves: PROV-SLOT-07
#[test]
fn searches_beside_writes_see_whole_bookings() {
    let server = Server::shared(module_path!());
    let slots: Vec<Value> = (0..20).map(|_| server.take_slot()).collect();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for slot in &slots {
                server.book(&Booking::of(slot).body()).expect(201);
                assert!(!is_free(server, slot), "read your own write");
            }
        });
        while !writer.is_finished() {
            server.search(&Server::full_query(GP_CLINIC)).expect(200);
        }
        writer.join().expect("no fault");
    });
}
