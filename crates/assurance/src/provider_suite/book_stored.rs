//! Group B: what a booking leaves behind, and what a Provider has to bear with in one.

use serde_json::{Value, json};

use super::answer::{contained, text};
use super::book::{BOOKED, is_booked};
use super::messages::{set, uuid, with};
use super::registry::Test;
use super::trial::{Ids, Step, Trial};

/// The tests of this file.
pub(super) static TESTS: &[Test] = &[
    Test::new(
        "Book_Returned",
        "The answer is the stored Appointment",
        &["P26", "PROV-BOOK-08", "PROV-BOOK-09"],
        returned,
    ),
    Test::new(
        "Book_UnknownElements",
        "Unknown elements and extensions are ignored",
        &["PROV-GEN-14"],
        unknown_elements,
    ),
    Test::new(
        "Book_SameDocument",
        "One document identifier in two bookings",
        &["PROV-BOOK-07"],
        same_document,
    ),
    Test::new(
        "Book_Offsets",
        "The times of the slot under another offset",
        &["RES-GEN-03"],
        offsets,
    ),
    Test::new(
        "Book_NoProfiles",
        "Contained resources without profile, no language, no participant status",
        &["RES-GEN-01", "RES-APPT-03", "RES-APPT-12", "D-48"],
        no_profiles,
    ),
    Test::new(
        "Book_ReadBack",
        "A booking can be read under its id at once",
        &["P26", "PROV-READ-01", "PROV-HDR-15"],
        read_back,
    ),
    Test::new(
        "Book_Created",
        "The time of creation is the Provider's",
        &["RES-APPT-07", "D-16", "PROV-GEN-18"],
        created,
    ),
];

fn returned(t: &mut Trial) -> Step {
    let message = t.message()?;
    let request = t.session.book(&message);
    let a = is_booked(t, "book a free slot", &request, BOOKED)?;
    let r = a.resource.clone();
    let ids: Ids = &["PROV-BOOK-09"];
    let (sent, back) = (
        contained(&message, "Slot").clone(),
        contained(&r, "Slot").clone(),
    );
    for name in ["id", "identifier", "schedule"] {
        let same = sent.get(name) == back.get(name);
        t.must(
            same,
            &a,
            ids,
            &format!("Slot.{name}"),
            format!("The contained Slot came back with another {name}"),
            "as it was sent",
        );
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
        t.must(
            same,
            &a,
            ids,
            place,
            "Another time came back",
            "the same moment as was sent",
        );
    }
    t.must(
        text(&back, "/status") == "busy",
        &a,
        &["PROV-BOOK-08", "RES-SLOT-04"],
        "Slot.status",
        "The contained Slot is not busy",
        "busy",
    );
    t.must(
        text(&r, "/language") == "en-GB",
        &a,
        &["PROV-BOOK-08", "RES-APPT-03"],
        "Appointment.language",
        "The Appointment that came back does not have the language en-GB",
        "en-GB",
    );
    for name in ["description", "supportingInformation", "slot"] {
        let same = message.get(name) == r.get(name);
        t.must(
            same,
            &a,
            ids,
            &format!("Appointment.{name}"),
            format!("Another {name} came back"),
            "as it was sent",
        );
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
            t.must(
                same,
                &a,
                ids,
                &format!("{kind}.{name}"),
                format!("Another {kind}.{name} came back"),
                "as it was sent",
            );
        }
    }
    for at in ["/meta/versionId", "/meta/lastUpdated", "/created"] {
        t.must(
            !text(&r, at).is_empty(),
            &a,
            &["PROV-BOOK-08", "D-16"],
            at,
            format!("{at} is missing"),
            "set by the Provider",
        );
    }
    Ok(())
}

fn unknown_elements(t: &mut Trial) -> Step {
    let extension = json!([{"url": "https://consumer.example.nhs.uk/StructureDefinition/case", "valueString": "C-1"}]);
    let message = with(t.message()?, "/extension", extension);
    let request = t.session.book(&message);
    is_booked(
        t,
        "book with an unknown extension",
        &request,
        &["PROV-GEN-14"],
    )?;
    let message = with(t.message()?, "/futureElement", json!("a"));
    let request = t.session.book(&message);
    is_booked(
        t,
        "book with an unknown element",
        &request,
        &["PROV-GEN-14"],
    )
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
        let request = t.session.book(&message);
        is_booked(
            t,
            "book with a document identifier",
            &request,
            &["PROV-BOOK-07"],
        )?;
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
    let request = t.session.book(&message);
    is_booked(t, "book with times at +02:00", &request, &["RES-GEN-03"]).map(drop)
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
    let request = t.session.book(&message);
    is_booked(
        t,
        "book as the API's own examples are written",
        &request,
        &["RES-GEN-01", "RES-APPT-03", "D-48"],
    )
    .map(drop)
}

fn read_back(t: &mut Trial) -> Step {
    let (_, booked) = t.booked()?;
    let location = booked
        .answer
        .header("location")
        .unwrap_or_default()
        .to_owned();
    let request = t.session.read(&booked.id);
    let a = t.succeeds(
        "read the booking",
        &request,
        200,
        "Appointment",
        &["PROV-READ-01"],
    )?;
    t.must(
        a.resource == booked.answer.resource,
        &a,
        &["PROV-READ-01", "PROV-BOOK-08"],
        "Appointment",
        "What is read is not what the booking answered",
        "the stored Appointment in both",
    );
    // The last part of Location is the version that can be read as such.
    if let Some((_, version)) = location.rsplit_once("/_history/") {
        let request = t.session.read(&format!("{}/_history/{version}", booked.id));
        t.succeeds(
            "read what Location names",
            &request,
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
    let request = t.session.book(&message);
    let a = is_booked(t, "book with `created` of yesterday", &request, ids)?;
    let stored = booking::instant::parse(text(&a.resource, "/created"));
    let own = stored.is_some_and(|at| at.duration_since(now).abs() < CLOCKS);
    t.must(
        own,
        &a,
        ids,
        "Appointment.created",
        "The time of creation that came back is not the time of the booking",
        "the Provider's own time, in place of what was sent",
    );
    let close = stored.is_none_or(|at| !own || at.duration_since(now).abs() < DRIFT);
    t.should(
        close,
        &a,
        &["PROV-GEN-18"],
        "Appointment.created",
        "The clocks of this program and of the Provider differ by more than a minute",
        "both keep the time of the network (NTP)",
    );
    Ok(())
}
