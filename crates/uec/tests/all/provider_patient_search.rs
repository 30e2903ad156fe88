//! The search for a patient's appointments (`docs/standard/provider-api.md`, section 10) where there are many.

use super::support;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::support::server::matches;
use super::support::{Booking, Server};

const NHS: &str = "https://fhir.nhs.uk/Id/nhs-number";
/// One more than an answer holds.
const CANCELLED: usize = 201;

/// A booking of this slot for a patient.
fn for_patient(slot: &Value, number: &str) -> Booking {
    Booking::of(slot)
        .with("/patient/identifier/0/value", json!(number))
        .with("/participant/0/actor/identifier/value", json!(number))
}

/// Books a slot for a patient; the id.
#[track_caller]
fn book(server: &Server, slot: &Value, number: &str) -> String {
    let stored = server
        .book(&for_patient(slot, number).body())
        .expect(201)
        .json();
    stored["id"].as_str().expect("id").to_owned()
}

/// Books a slot for a patient and cancels it again; the id.
#[track_caller]
fn book_and_cancel(server: &Server, slot: &Value, number: &str) -> String {
    let booking = for_patient(slot, number);
    let stored = server.book(&booking.body()).expect(201).json();
    let id = stored["id"].as_str().expect("id").to_owned();
    server
        .cancel(&id, "W/\"1\"", &booking.cancelled(&stored))
        .expect(200);
    id
}

/// Two slots, the earlier one first.
fn two_slots(server: &Server) -> (Value, Value) {
    let (one, two) = (server.take_slot(), server.take_slot());
    match one["start"].as_str() < two["start"].as_str() {
        true => (one, two),
        false => (two, one),
    }
}

fn ids(bundle: &Value) -> Vec<String> {
    let found = matches(bundle);
    let id = |a: &Value| a["id"].as_str().expect("id").to_owned();
    found.iter().map(id).collect()
}

/// The query of a Bundle's link.
fn link(bundle: &Value, relation: &str) -> Option<String> {
    let links = bundle["link"].as_array().expect("links");
    let link = links.iter().find(|l| l["relation"] == relation)?;
    let (_, query) = link["url"].as_str()?.split_once("/Appointment?")?;
    Some(query.to_owned())
}

/// All pages of a search: each id as often as it came, and each page's number of entries.
#[track_caller]
fn all_pages(server: &Server, query: &str) -> (Vec<String>, Vec<usize>, Value) {
    let (mut found, mut sizes, mut totals) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut next = Some(query.to_owned());
    let mut total = Value::Null;
    while let Some(query) = next {
        let bundle = server.appointments(&query).expect(200).json();
        let page = ids(&bundle);
        sizes.push(page.len());
        found.extend(page);
        total = bundle["total"].clone();
        totals.insert(total.to_string());
        next = link(&bundle, "next");
        assert!(sizes.len() < 500, "the pages end");
    }
    assert_eq!(
        totals.len(),
        1,
        "every page says the same total: {totals:?}"
    );
    (found, sizes, total)
}

/// However many cancelled ones there are, the live one comes first, and the total is true.
/// Proves: PROV-SRCH-02, D-57
#[test]
fn cancelled_appointments_never_hide_a_live_one() {
    let server = Server::shared(module_path!());
    let number = support::nhs_number();
    let (early, late) = two_slots(server);
    let live = book(server, &early, &number);
    for _ in 0..CANCELLED {
        book_and_cancel(server, &late, &number);
    }
    let query = format!("patient.identifier={NHS}|{number}");
    let bundle = server.appointments(&query).expect(200).json();
    assert_eq!(bundle["total"], CANCELLED + 1);
    let first = ids(&bundle);
    assert_eq!(first[0], live, "the live one comes first");
    assert!(first.len() < CANCELLED, "the page is bounded");
    let (found, sizes, _) = all_pages(server, &query);
    assert_eq!(found.len(), CANCELLED + 1);
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), CANCELLED + 1);
    assert_eq!(sizes, [200, 2]);
    // The filter holds before anything is cut off.
    let booked = format!("{query}&status=booked");
    let bundle = server.appointments(&booked).expect(200).json();
    assert_eq!(
        (&bundle["total"], ids(&bundle)),
        (&json!(1), vec![live.clone()])
    );
    assert_eq!(link(&bundle, "next"), None);
    let both = format!("{query}&_id={live}");
    let bundle = server.appointments(&both).expect(200).json();
    assert_eq!((&bundle["total"], ids(&bundle)), (&json!(1), vec![live]));
    let start = early["start"].as_str().expect("start").replace('+', "%2B");
    let bounded = format!("{query}&start=le{start}");
    let bundle = server.appointments(&bounded).expect(200).json();
    assert_eq!(bundle["total"], 1);
}

/// A page leads to the next one with the same criteria.
/// Proves: PROV-SRCH-02, D-57
#[test]
fn a_next_link_keeps_the_criteria() {
    let server = Server::shared(module_path!());
    let number = support::nhs_number();
    let other = support::nhs_number();
    let (early, late) = two_slots(server);
    for _ in 0..3 {
        book_and_cancel(server, &early, &number);
        book_and_cancel(server, &early, &other);
    }
    let live = [book(server, &early, &number), book(server, &late, &number)];
    let query = format!("patient.identifier={NHS}|{number}&_count=2");
    let (found, sizes, total) = all_pages(server, &query);
    assert_eq!((sizes, total), (vec![2, 2, 1], json!(5)));
    assert_eq!(
        found[..2],
        [live[1].clone(), live[0].clone()],
        "live ones first, the latest first"
    );
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 5);
    let (found, sizes, total) = all_pages(server, &format!("{query}&status=cancelled"));
    assert_eq!((found.len(), sizes, total), (3, vec![2, 1], json!(3)));
    let bundle = server
        .appointments(&format!("{query}&_after=1.5.9"))
        .expect(200)
        .json();
    assert!(
        link(&bundle, "self")
            .expect("self")
            .ends_with("&_count=2&_after=1.5.9")
    );
    let none = server
        .appointments(&format!("{query}&_count=0"))
        .expect(200)
        .json();
    assert_eq!((&none["total"], none.get("entry")), (&json!(5), None));
    assert_eq!(link(&none, "next"), None);
    for wrong in ["_after=x", "_after=2.1.1", "_count=x", "status=x"] {
        server.appointments(&format!("{query}&{wrong}")).expect(400);
    }
}

/// The `self` link names only what was applied, and as it was applied.
/// Proves: PROV-SRCH-01, PROV-SLOT-12, RES-CAP-04, D-92
#[test]
fn a_version_narrows_the_search() {
    let server = Server::shared(module_path!());
    let number = support::nhs_number();
    let (early, late) = two_slots(server);
    let cancelled = book_and_cancel(server, &early, &number);
    let live = book(server, &late, &number);
    let patient = format!("patient.identifier={NHS}|{number}");
    let found = |query: &str| {
        let bundle = server.appointments(query).expect(200).json();
        let ids = matches(&bundle)
            .iter()
            .map(|m| m["id"].clone())
            .collect::<Vec<_>>();
        let own = link(&bundle, "self").expect("self").to_owned();
        (ids, bundle["total"].clone(), own)
    };
    for (version, wanted) in [
        (1, vec![json!(live)]),
        (2, vec![json!(cancelled)]),
        (99, vec![]),
    ] {
        let (ids, total, own) = found(&format!("{patient}&version={version}"));
        assert_eq!((&ids, total), (&wanted, json!(wanted.len())), "{version}");
        assert!(own.ends_with(&format!("&version={version}")), "{own}");
    }
    // With an id it is any of its versions.
    let (ids, ..) = found(&format!("_id={cancelled}&version=1"));
    assert_eq!(ids, [json!(cancelled)]);
    server
        .appointments(&format!("{patient}&version=abc"))
        .expect(400);
    let (ids, _, own) = found(&format!("{patient}&_count=100000"));
    assert_eq!(ids.len(), 2);
    assert!(own.ends_with("&_count=200"), "{own}");
}
