//! Group B: what a booking leaves behind, and what a Provider has to bear with in one.

use serde_json::{Value, json};

use super::answer::{contained, text};
use super::book::BOOKED;
use super::messages::{set, uuid, with};
use super::registry::Table;
use super::trial::{Ids, Step, Trial};

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("Book_Returned", returned),
    ("Book_UnknownElements", unknown_elements),
    ("Book_SameDocument", same_document),
    ("Book_Offsets", offsets),
    ("Book_NoProfiles", no_profiles),
    ("Book_ReadBack", read_back),
    ("Book_Created", created),
];

fn returned(t: &mut Trial) -> Step {
    let message = t.message()?;
    let a = t.ask("book a free slot", &t.book(&message)).books(BOOKED)?;
    let r = a.resource.clone();
    let ids: Ids = &["PROV-BOOK-09"];
    let (sent, back) = (
        contained(&message, "Slot").clone(),
        contained(&r, "Slot").clone(),
    );
    for name in ["id", "identifier", "schedule"] {
        let same = sent.get(name) == back.get(name);
        t.at(&a, format!("Slot.{name}"), ids)
            .must(same)
            .right("as it was sent")
            .or(format!("The contained Slot came back with another {name}"));
    }
    for (place, one, other) in [
        ("Slot.start", text(&sent, "/start"), text(&back, "/start")),
        ("Slot.end", text(&sent, "/end"), text(&back, "/end")),
        (
            "Appointment.start",
            text(&message, "/start"),
            text(&r, "/start"),
        ),
        ("Appointment.end", text(&message, "/end"), text(&r, "/end")),
    ] {
        let same = booking::instant::parse(one)
            .is_some_and(|one| booking::instant::parse(other) == Some(one));
        t.at(&a, place, ids)
            .must(same)
            .right("the same moment as was sent")
            .or("Another time came back");
    }
    t.at(&a, "Slot.status", &["PROV-BOOK-08", "RES-SLOT-04"])
        .must(text(&back, "/status") == "busy")
        .right("busy")
        .or("The contained Slot is not busy");
    t.at(&a, "Appointment.language", &["PROV-BOOK-08", "RES-APPT-03"])
        .must(text(&r, "/language") == "en-GB")
        .right("en-GB")
        .or("The Appointment that came back does not have the language en-GB");
    for name in ["description", "supportingInformation", "slot"] {
        let same = message.get(name) == r.get(name);
        t.at(&a, format!("Appointment.{name}"), ids)
            .must(same)
            .right("as it was sent")
            .or(format!("Another {name} came back"));
    }
    for (kind, names) in [
        (
            "Patient",
            &[
                "name",
                "telecom",
                "gender",
                "birthDate",
                "address",
                "contact",
                "identifier",
            ][..],
        ),
        ("DocumentReference", &["identifier", "type", "status"]),
    ] {
        for name in names {
            let same = contained(&message, kind).get(name) == contained(&r, kind).get(name);
            t.at(&a, format!("{kind}.{name}"), ids)
                .must(same)
                .right("as it was sent")
                .or(format!("Another {kind}.{name} came back"));
        }
    }
    for at in ["/meta/versionId", "/meta/lastUpdated", "/created"] {
        t.at(&a, at, &["PROV-BOOK-08", "D-16"])
            .must(!text(&r, at).is_empty())
            .right("set by the Provider")
            .or(format!("{at} is missing"));
    }
    Ok(())
}

fn unknown_elements(t: &mut Trial) -> Step {
    let extension = json!([{"url": "https://consumer.example.nhs.uk/StructureDefinition/case", "valueString": "C-1"}]);
    let message = with(t.message()?, "/extension", extension);
    let request = t.book(&message);
    t.ask("book with an unknown extension", &request)
        .books(&["PROV-GEN-14"])?;
    let message = with(t.message()?, "/futureElement", json!("a"));
    t.ask("book with an unknown element", &t.book(&message))
        .books(&["PROV-GEN-14"])
        .map(drop)
}

fn same_document(t: &mut Trial) -> Step {
    let document = json!(uuid());
    for _ in 0..2 {
        let message = with(
            t.message()?,
            "/DocumentReference/identifier/0/value",
            document.clone(),
        );
        let request = t.book(&message);
        t.ask("book with a document identifier", &request)
            .books(&["PROV-BOOK-07"])?;
    }
    Ok(())
}

fn offsets(t: &mut Trial) -> Step {
    let mut message = t.message()?;
    for place in ["/Slot/start", "/Slot/end", "/start", "/end"] {
        let name = place.strip_prefix("/Slot").unwrap_or(place);
        let slot = contained(&message, "Slot").clone();
        let given = if place == name { &message } else { &slot };
        let Some(at) = booking::instant::parse(text(given, name)) else {
            continue;
        };
        // Two hours east: a zone that no Consumer and no Provider of England is in.
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
        let moved = at.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S.000%:z");
        set(&mut message, place, json!(moved.to_string()));
    }
    t.ask("book with times at +02:00", &t.book(&message))
        .books(&["RES-GEN-03"])
        .map(drop)
}

fn no_profiles(t: &mut Trial) -> Step {
    let mut message = t.message()?;
    for place in [
        "/Slot/meta",
        "/Patient/meta",
        "/DocumentReference/meta",
        "/language",
        "/participant/0/status",
    ] {
        set(&mut message, place, Value::Null);
    }
    let request = t.book(&message);
    t.ask("book as the API's own examples are written", &request)
        .books(&["RES-GEN-01", "RES-APPT-03", "D-48"])
        .map(drop)
}

fn read_back(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let location = booked
        .answer
        .header("location")
        .unwrap_or_default()
        .to_owned();
    let a = t.ask("read the booking", &t.read(&booked.id)).succeeds(
        200,
        "Appointment",
        &["PROV-READ-01"],
    )?;
    t.at(&a, "Appointment", &["PROV-READ-01", "PROV-BOOK-08"])
        .must(a.resource == *booked.stored())
        .right("the stored Appointment in both")
        .or("What is read is not what the booking answered");
    // The last part of Location is the version that can be read as such.
    if let Some((_, version)) = location.rsplit_once("/_history/") {
        let request = t.read(&format!("{}/_history/{version}", booked.id));
        t.ask("read what Location names", &request).succeeds(
            200,
            "Appointment",
            &["PROV-HDR-15", "PROV-INT-05"],
        )?;
    }
    Ok(())
}

/// The clocks of Consumer and Provider may differ, but not by an hour.
const CLOCKS: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// What clocks that keep network time differ by at most, the way of the message included.
const DRIFT: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

fn created(t: &mut Trial) -> Step {
    let ids: Ids = &["RES-APPT-07", "D-16"];
    let now = jiff::Timestamp::now();
    let long_ago = now - jiff::SignedDuration::from_hours(26);
    let sent = booking::instant::seconds(long_ago);
    let message = with(t.message()?, "/created", json!(sent));
    let request = t.book(&message);
    let a = t
        .ask("book with `created` of yesterday", &request)
        .books(ids)?;
    let stored = booking::instant::parse(text(&a.resource, "/created"));
    let own = stored.is_some_and(|at| at.duration_since(now).abs() < CLOCKS);
    t.at(&a, "Appointment.created", ids)
        .must(own)
        .right("the Provider's own time, in place of what was sent")
        .or("The time of creation that came back is not the time of the booking");
    let close = stored.is_none_or(|at| !own || at.duration_since(now).abs() < DRIFT);
    t.at(&a, "Appointment.created", &["PROV-GEN-18"])
        .should(close)
        .right("both keep the time of the network (NTP)")
        .or("The clocks of this program and of the Provider differ by more than a minute");
    Ok(())
}
