//! Slot and appointment searches: no query panics, and the `self` link of a slot search is that search.

use booking::instant::london;
use booking::wire::appointment_query::AppointmentQuery;
use booking::wire::slot_query::{SlotQuery, Window};
use jiff::Timestamp;

use crate::Outcome;

/// Takes the bytes as the raw query of both searches. Panics when a promise is broken.
pub fn run(bytes: &[u8]) -> Outcome {
    let Ok(raw) = std::str::from_utf8(bytes) else {
        return Outcome::of("the edge takes only text");
    };
    let (now, zone) = (crate::seeds::now(), london());
    let appointments = match AppointmentQuery::parse(raw, &zone) {
        Ok(query) => {
            // Deciding on it panics neither.
            let other = fhir::Element::resource("Appointment");
            Outcome::of(("appointments", query.covers(&other, now)))
        }
        Err(refusal) => refused(&refusal),
    };
    let slots = match SlotQuery::parse(raw, now, &zone, &Window::default()) {
        Ok(query) => accepted(&query, now),
        Err(refusal) => refused(&refusal),
    };
    appointments.then(slots)
}

fn accepted(query: &SlotQuery, now: Timestamp) -> Outcome {
    let _ = query.covers(now);
    let again = SlotQuery::parse(&query.self_query, now, &london(), &Window::default());
    let again = again.unwrap_or_else(|r| panic!("its `self` link is refused: {:?}", r.findings));
    assert!(
        again.self_query == query.self_query,
        "the `self` link of the `self` link differs: {} and {}",
        query.self_query,
        again.self_query
    );
    assert!(
        again.service == query.service,
        "the `self` link names another service"
    );
    assert!(
        again.statuses == query.statuses,
        "the `self` link asks for other states"
    );
    assert!(
        again.includes == query.includes,
        "the `self` link includes something else"
    );
    for at in [now, Timestamp::MIN, Timestamp::MAX] {
        assert!(
            again.covers(at) == query.covers(at),
            "the `self` link covers something else"
        );
    }
    Outcome::of((query.statuses, query.includes))
}

fn refused(refusal: &booking::refusal::Refusal) -> Outcome {
    crate::booking::check_refusal(refusal);
    assert!(refusal.status() == 400, "a faulty query is 400");
    Outcome::of_refusal(refusal)
}
