//! Group B: the published tests of bookings that succeed.

use booking::count::counted;
use booking::situation::Situation;
use serde_json::Value;

use super::answer::{Answer, contained, list, text};
use super::capability::is_format;
use super::messages::{contact_only, to_xml, with, without_nhs_number};
use super::registry::Test;
use super::request::Request;
use super::trial::{Ids, Step, Trial};

pub(super) const BOOKED: Ids = &["P24", "P26", "PROV-INT-03", "PROV-BOOK-08"];

/// The tests of this file.
pub(super) static TESTS: &[Test] = &[
    Test::new(
        "BookAppointment_HappyPath",
        "A booking with the patient's own telephone and a third party",
        BOOKED,
        happy_path,
    ),
    Test::new(
        "BookAppointment_NoNHSNumber",
        "A patient without NHS number",
        &["P26", "PROV-BOOK-05", "PROV-SLOT-19", "D-17"],
        no_nhs_number,
    ),
    Test::new(
        "BookAppointment_TelecomAndContact",
        "Contact details in telecom and contact",
        &["P26", "PROV-BOOK-06"],
        happy_path,
    ),
    Test::new(
        "BookAppointment_Contact",
        "Contact details in contact only",
        &["P26", "PROV-BOOK-06"],
        contact,
    ),
    Test::new(
        "BookAppointment_HappyPathWithGzip",
        "A booking gzipped both ways",
        &["P26", "PROV-GEN-13"],
        gzip,
    ),
    Test::new(
        "BookAppointment_SlotAlreadyBooked",
        "A second booking of a slot",
        &["P29", "PROV-BOOK-03", "D-02"],
        already_booked,
    ),
    Test::new(
        "BookAppointment_HappyPathWithResentRequestID",
        "A request id that has been used",
        &["PROV-BOOK-11", "D-03"],
        resent,
    ),
    Test::new("Book_Xml", "A booking in XML", &["P9", "PROV-GEN-07"], xml),
    Test::new(
        "Book_Chunked",
        "A booking in chunks",
        &["PROV-GEN-06"],
        chunked,
    ),
    Test::new(
        "Book_MediaTypes",
        "Every form of Content-Type",
        &["PROV-GEN-10"],
        media_types,
    ),
];

/// What every booking of the published tests is checked for.
pub(super) fn is_booked(t: &mut Trial, purpose: &str, request: &Request, ids: Ids) -> Step<Answer> {
    let a = t.succeeds(purpose, request, 201, "Appointment", ids)?;
    let r = a.resource.clone();
    t.must(
        text(&r, "/status") == "booked",
        &a,
        BOOKED,
        "Appointment.status",
        "The Appointment that came back is not booked",
        "booked",
    );
    let id = text(&r, "/id").to_owned();
    let legal = !id.is_empty() && id.len() <= 64;
    t.must(
        legal,
        &a,
        &["P26", "P27", "PROV-GEN-15", "PROV-BOOK-08"],
        "Appointment.id",
        "No id, or one of more than 64 characters",
        "a new id",
    );
    let (sent, back) = (
        request.header("x-request-id"),
        a.header("x-correlation-id").map(str::to_owned),
    );
    t.must(
        sent == back.as_deref(),
        &a,
        &["PROV-HDR-11"],
        "header X-Correlation-ID",
        "X-Correlation-ID is not the X-Request-ID of the booking",
        "the request's X-Request-ID",
    );
    let version = text(&r, "/meta/versionId").to_owned();
    location(t, &a, &id, &version);
    is_stored(t, &id)?;
    Ok(a)
}

/// What was answered with 201 is there when it is read.
fn is_stored(t: &mut Trial, id: &str) -> Step {
    let request = t.session.read(id);
    let a = t.send("read what was booked", &request)?;
    let given = match a.status {
        200 => format!("says `{}`", text(&a.resource, "/status")),
        status => format!("is answered with {status}"),
    };
    t.must(
        a.status == 200 && text(&a.resource, "/status") == "booked",
        &a,
        &["P24", "P26", "PROV-BOOK-08", "PROV-READ-01"],
        "Appointment.status",
        format!("The booking was answered with 201, and a read after it {given}"),
        "200 with the Appointment, booked",
    );
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
    t.must(
        absolute,
        a,
        ids,
        "header Location",
        what,
        "an absolute https address of the Appointment",
    );
    let versioned = given.ends_with(&format!("/Appointment/{id}/_history/{version}"));
    t.must(
        !absolute || versioned,
        a,
        ids,
        "header Location",
        format!("Location is `{given}`, which does not name the version that was made"),
        &format!("`…/Appointment/{id}/_history/{version}`"),
    );
    let content = a.header("content-location").unwrap_or_default();
    t.should(
        content.ends_with(&format!("/Appointment/{id}/_history/{version}")),
        a,
        &["PROV-HDR-16"],
        "header Content-Location",
        "Content-Location does not name the version in the body",
        "the version-specific URL",
    );
}

fn happy_path(t: &mut Trial) -> Step {
    let message = t.message()?;
    let request = t.session.book(&message);
    is_booked(t, "book a free slot", &request, BOOKED).map(drop)
}

fn no_nhs_number(t: &mut Trial) -> Step {
    let message = with(
        without_nhs_number(t.message()?),
        "/Patient/contact",
        Value::Null,
    );
    let request = t.session.book(&message);
    let a = is_booked(t, "book without NHS number", &request, &["PROV-BOOK-05"])?;
    let local = !list(contained(&a.resource, "Patient"), "/identifier").is_empty();
    t.must(
        !local,
        &a,
        &["PROV-BOOK-05", "RES-PAT-02", "D-17"],
        "Patient.identifier",
        "A patient without NHS number was given an identifier, on which TKW's report of this answer fails",
        "no identifier in the contained Patient",
    );
    Ok(())
}

fn contact(t: &mut Trial) -> Step {
    let message = contact_only(t.message()?);
    let request = t.session.book(&message);
    is_booked(
        t,
        "book with a third party's telephone only",
        &request,
        &["PROV-BOOK-06"],
    )
    .map(drop)
}

fn gzip(t: &mut Trial) -> Step {
    let message = t.message()?;
    let request = t
        .session
        .book(&message)
        .with("Accept-Encoding", "gzip")
        .gzipped();
    let a = is_booked(t, "book gzipped", &request, &["PROV-GEN-13"])?;
    t.must(
        a.gzipped,
        &a,
        &["PROV-GEN-13"],
        "header Content-Encoding",
        "The answer is not gzipped",
        "gzip, as Accept-Encoding asks",
    );
    Ok(())
}

fn already_booked(t: &mut Trial) -> Step {
    let slot = t.slot()?;
    let first = t.session.booking(&slot);
    let request = t.session.book(&first);
    is_booked(t, "book a free slot", &request, BOOKED)?;
    let second = t.session.booking(&slot);
    let request = t.session.book(&second);
    let a = t.refused(
        "book the same slot again",
        &request,
        Situation::SlotTaken,
        &["P29", "PROV-BOOK-03"],
    )?;
    if a.status == 422 {
        taken(t, &a);
    }
    Ok(())
}

/// ERR-15: the one refusal whose words are fixed.
pub(super) fn taken(t: &mut Trial, a: &Answer) {
    let ids: Ids = &["P29", "ERR-15"];
    let issues = list(&a.resource, "/issue").len();
    t.must(
        issues == 1,
        a,
        ids,
        "OperationOutcome.issue",
        format!(
            "The refusal of a taken slot has {}",
            counted(issues, "issue", "issues")
        ),
        "one issue only",
    );
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
        t.must(
            given == right,
            a,
            ids,
            &format!("OperationOutcome.issue[0].{at}"),
            format!("`{at}` of the refusal of a taken slot is `{given}`"),
            right,
        );
    }
}

fn resent(t: &mut Trial) -> Step {
    let first = t.message()?;
    let request = t.session.book(&first);
    let booked = is_booked(t, "book a free slot", &request, BOOKED)?;
    let used = request
        .header("x-request-id")
        .unwrap_or_default()
        .to_owned();
    let second = t.message()?;
    let request = t
        .session
        .book(&second)
        .with("X-Request-ID", used.clone())
        .with("Accept-Encoding", "gzip")
        .gzipped();
    let a = t.refused(
        "book another slot under the same X-Request-ID",
        &request,
        Situation::RequestIdReused,
        &["PROV-BOOK-11", "D-03"],
    )?;
    names_existing(t, &a, &booked);
    // The very same request again is a repeat as well, not a question of the slot.
    let request = t.session.book(&first).with("X-Request-ID", used);
    let a = t.refused(
        "send the same booking again",
        &request,
        Situation::RequestIdReused,
        &["PROV-BOOK-11", "D-03"],
    )?;
    names_existing(t, &a, &booked);
    Ok(())
}

fn names_existing(t: &mut Trial, a: &Answer, booked: &Answer) {
    if a.status != 409 {
        return;
    }
    let id = booked.appointment_id().unwrap_or_default();
    let named = a.header("location").is_some_and(|l| l.contains(&id)) || a.text.contains(&id);
    t.should(named, a, &["PROV-BOOK-11"], "header Location", "The existing appointment is not named", "its URL in diagnostics and Location, so that a consumer that lost the first answer can go on");
}

fn xml(t: &mut Trial) -> Step {
    let message = t.message()?;
    let request = t.session.book_xml(to_xml(&message));
    let a = is_booked(t, "book in XML", &request, &["PROV-GEN-07"])?;
    is_format(
        t,
        &a,
        true,
        &["PROV-GEN-08", "P9"],
        "Accept: application/fhir+xml",
    );
    let message = t.message()?;
    let request = t.session.book_xml(to_xml(&message)).without("Accept");
    let a = is_booked(t, "book in XML without Accept", &request, &["PROV-GEN-07"])?;
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
    let request = t.session.book(&message).in_chunks();
    is_booked(t, "book in chunks", &request, &["PROV-GEN-06"]).map(drop)
}

fn media_types(t: &mut Trial) -> Step {
    for media in [
        "application/fhir+json;charset=utf-8",
        "application/fhir+json; charset=UTF-8",
        "application/fhir+json;charset=UTF-8",
    ] {
        let message = t.message()?;
        let request = t.session.book(&message).with("Content-Type", media);
        let a = t.send("book under this Content-Type", &request)?;
        let _ = t.status(&a, 201, &["PROV-GEN-10"], media);
    }
    Ok(())
}
