//! Group B: the published tests of bookings that succeed.

use booking::count::counted;
use booking::situation::Situation;
use serde_json::Value;

use super::answer::{Answer, contained, list, text};
use super::ask::Ask;
use super::capability::is_format;
use super::messages::{contact_only, to_xml, with, without_nhs_number};
use super::registry::Table;
use super::trial::{Ids, Step, Trial};

pub(super) const BOOKED: Ids = &["P24", "P26", "PROV-INT-03", "PROV-BOOK-08"];

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("BookAppointment_HappyPath", happy_path),
    ("BookAppointment_NoNHSNumber", no_nhs_number),
    ("BookAppointment_TelecomAndContact", happy_path),
    ("BookAppointment_Contact", contact),
    ("BookAppointment_HappyPathWithGzip", gzip),
    ("BookAppointment_SlotAlreadyBooked", already_booked),
    ("BookAppointment_HappyPathWithResentRequestID", resent),
    ("Book_Xml", xml),
    ("Book_Chunked", chunked),
    ("Book_MediaTypes", media_types),
];

impl Ask<'_, '_, '_> {
    /// What every booking of the published tests is checked for.
    pub(super) fn books(self, ids: Ids) -> Step<Answer> {
        let Ask {
            t,
            purpose,
            request,
        } = self;
        let a = t.ask(purpose, request).succeeds(201, "Appointment", ids)?;
        let r = a.resource.clone();
        t.at(&a, "Appointment.status", BOOKED)
            .must(text(&r, "/status") == "booked")
            .right("booked")
            .or("The Appointment that came back is not booked");
        let id = text(&r, "/id").to_owned();
        let legal = !id.is_empty() && id.len() <= 64;
        t.at(
            &a,
            "Appointment.id",
            &["P26", "P27", "PROV-GEN-15", "PROV-BOOK-08"],
        )
        .must(legal)
        .right("a new id")
        .or("No id, or one of more than 64 characters");
        t.is_correlated(&a, request, "booking");
        let version = text(&r, "/meta/versionId").to_owned();
        location(t, &a, &id, &version);
        is_stored(t, &id)?;
        Ok(a)
    }
}

/// What was answered with 201 is there when it is read.
fn is_stored(t: &mut Trial, id: &str) -> Step {
    let a = t.send("read what was booked", &t.read(id))?;
    let given = match a.status {
        200 => format!("says `{}`", text(&a.resource, "/status")),
        status => format!("is answered with {status}"),
    };
    t.at(
        &a,
        "Appointment.status",
        &["P24", "P26", "PROV-BOOK-08", "PROV-READ-01"],
    )
    .must(a.status == 200 && text(&a.resource, "/status") == "booked")
    .right("200 with the Appointment, booked")
    .or(format!(
        "The booking was answered with 201, and a read after it {given}"
    ));
    Ok(())
}

/// PROV-HDR-15, PROV-HDR-16: where the version that was made is.
pub(super) fn location(t: &mut Trial, a: &Answer, id: &str, version: &str) {
    let given = a.header("location").unwrap_or_default().to_owned();
    let ids: Ids = &["P26", "PROV-HDR-15", "D-20"];
    let what = match given.as_str() {
        "" => "Location is missing".to_owned(),
        given => format!("Location is `{given}`"),
    };
    let absolute = given.starts_with("https://") && given.contains(&format!("/Appointment/{id}"));
    t.at(a, "header Location", ids)
        .must(absolute)
        .right("an absolute https address of the Appointment")
        .or(what);
    let versioned = given.ends_with(&format!("/Appointment/{id}/_history/{version}"));
    t.at(a, "header Location", ids)
        .must(!absolute || versioned)
        .right(format!("`…/Appointment/{id}/_history/{version}`"))
        .or(format!(
            "Location is `{given}`, which does not name the version that was made"
        ));
    let content = a.header("content-location").unwrap_or_default();
    t.at(a, "header Content-Location", &["PROV-HDR-16"])
        .should(content.ends_with(&format!("/Appointment/{id}/_history/{version}")))
        .right("the version-specific URL")
        .or("Content-Location does not name the version in the body");
}

fn happy_path(t: &mut Trial) -> Step {
    let message = t.message()?;
    t.ask("book a free slot", &t.book(&message))
        .books(BOOKED)
        .map(drop)
}

fn no_nhs_number(t: &mut Trial) -> Step {
    let message = with(
        without_nhs_number(t.message()?),
        "/Patient/contact",
        Value::Null,
    );
    let a = t
        .ask("book without NHS number", &t.book(&message))
        .books(&["PROV-BOOK-05"])?;
    let local = !list(contained(&a.resource, "Patient"), "/identifier").is_empty();
    t.at(&a, "Patient.identifier", &["PROV-BOOK-05", "RES-PAT-02", "D-17"]).must(!local).right("no identifier in the contained Patient").or("A patient without NHS number was given an identifier, on which TKW's report of this answer fails");
    Ok(())
}

fn contact(t: &mut Trial) -> Step {
    let message = contact_only(t.message()?);
    let request = t.book(&message);
    t.ask("book with a third party's telephone only", &request)
        .books(&["PROV-BOOK-06"])
        .map(drop)
}

fn gzip(t: &mut Trial) -> Step {
    let message = t.message()?;
    let request = t.book(&message).with("Accept-Encoding", "gzip").gzipped();
    let a = t.ask("book gzipped", &request).books(&["PROV-GEN-13"])?;
    t.is_gzipped(&a);
    Ok(())
}

fn already_booked(t: &mut Trial) -> Step {
    let slot = t.slot()?;
    let first = t.booking(&slot);
    t.ask("book a free slot", &t.book(&first)).books(BOOKED)?;
    let second = t.booking(&slot);
    let a = t
        .ask("book the same slot again", &t.book(&second))
        .refused(Situation::SlotTaken, &["P29", "PROV-BOOK-03"])?;
    if a.status == 422 {
        taken(t, &a);
    }
    Ok(())
}

/// ERR-15: the one refusal whose words are fixed.
pub(super) fn taken(t: &mut Trial, a: &Answer) {
    let ids: Ids = &["P29", "ERR-15"];
    let issues = list(&a.resource, "/issue").len();
    t.at(a, "OperationOutcome.issue", ids)
        .must(issues == 1)
        .right("one issue only")
        .or(format!(
            "The refusal of a taken slot has {}",
            counted(issues, "issue", "issues")
        ));
    let issue = a.issue().clone();
    for (at, pointer, right) in [
        ("severity", "/severity", "error"),
        ("code", "/code", "processing"),
        (
            "details.coding.code",
            "/details/coding/0/code",
            "processing",
        ),
        (
            "details.coding.display",
            "/details/coding/0/display",
            "Processing Failure",
        ),
        (
            "details.coding.system",
            "/details/coding/0/system",
            "http://hl7.org/fhir/issue-type",
        ),
        ("diagnostics", "/diagnostics", "Slot no longer available"),
    ] {
        let given = text(&issue, pointer).to_owned();
        t.at(a, format!("OperationOutcome.issue[0].{at}"), ids)
            .must(given == right)
            .right(right)
            .or(format!(
                "`{at}` of the refusal of a taken slot is `{given}`"
            ));
    }
}

fn resent(t: &mut Trial) -> Step {
    let first = t.message()?;
    let request = t.book(&first);
    let booked = t.ask("book a free slot", &request).books(BOOKED)?;
    let used = request
        .header("x-request-id")
        .unwrap_or_default()
        .to_owned();
    let second = t.message()?;
    let request = t
        .book(&second)
        .with("X-Request-ID", used.clone())
        .with("Accept-Encoding", "gzip")
        .gzipped();
    let a = t
        .ask("book another slot under the same X-Request-ID", &request)
        .refused(Situation::RequestIdReused, &["PROV-BOOK-11", "D-03"])?;
    names_existing(t, &a, &booked);
    // The very same request again is a repeat as well, not a question of the slot.
    let request = t.book(&first).with("X-Request-ID", used);
    let a = t
        .ask("send the same booking again", &request)
        .refused(Situation::RequestIdReused, &["PROV-BOOK-11", "D-03"])?;
    names_existing(t, &a, &booked);
    Ok(())
}

fn names_existing(t: &mut Trial, a: &Answer, booked: &Answer) {
    if a.status != 409 {
        return;
    }
    let id = booked.appointment_id().unwrap_or_default();
    let named = a.header("location").is_some_and(|l| l.contains(&id)) || a.text.contains(&id);
    t.at(a, "header Location", &["PROV-BOOK-11"]).should(named).right("its URL in diagnostics and Location, so that a consumer that lost the first answer can go on").or("The existing appointment is not named");
}

fn xml(t: &mut Trial) -> Step {
    let message = t.message()?;
    let a = t
        .ask("book in XML", &t.book_xml(to_xml(&message)))
        .books(&["PROV-GEN-07"])?;
    is_format(
        t,
        &a,
        true,
        &["PROV-GEN-08", "P9"],
        "Accept: application/fhir+xml",
    );
    let message = t.message()?;
    let request = t.book_xml(to_xml(&message)).without("Accept");
    let a = t
        .ask("book in XML without Accept", &request)
        .books(&["PROV-GEN-07"])?;
    is_format(
        t,
        &a,
        true,
        &["PROV-GEN-08", "P9"],
        "Content-Type: application/fhir+xml, no Accept",
    );
    Ok(())
}

fn chunked(t: &mut Trial) -> Step {
    let message = t.message()?;
    t.ask("book in chunks", &t.book(&message).in_chunks())
        .books(&["PROV-GEN-06"])
        .map(drop)
}

fn media_types(t: &mut Trial) -> Step {
    for media in [
        "application/fhir+json;charset=utf-8",
        "application/fhir+json; charset=UTF-8",
        "application/fhir+json;charset=UTF-8",
    ] {
        let message = t.message()?;
        let request = t.book(&message).with("Content-Type", media);
        let a = t.send("book under this Content-Type", &request)?;
        let _ = t.status(&a, 201, &["PROV-GEN-10"], media);
    }
    Ok(())
}
