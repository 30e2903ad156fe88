//! Group B: bookings that have to be refused, each for its own reason.

use booking::situation::Situation;
use serde_json::{Value, json};

use super::messages::{to_xml, uuid, with};
use super::registry::Test;
use super::request::Request;
use super::trial::{Ids, Step, Trial};

/// The tests of this file.
pub(super) static TESTS: &[Test] = &[
    Test::new("BookAppointment_Invalid", out_of_order)
        .tries("XML with an element out of order")
        .of(&["PROV-GEN-14", "D-06", "P35"]),
    Test::new("BookAppointment_Forbidden", forbidden)
        .tries("No token")
        .of(&["P1", "PROV-HDR-01", "D-01"]),
    Test::new("BookAppointment_UnsupportedMediaType", unsupported)
        .tries("Content-Type application/xml")
        .of(&["PROV-GEN-11"]),
    Test::new("BookRefused_Unreadable", unreadable)
        .tries("Bodies that are no Appointment")
        .of(&["P35", "P36", "D-06"]),
    Test::new("BookRefused_WithId", |t| {
        let own = wrong("/id", json!("own-id"), &["PROV-BOOK-10"]);
        bent(t, "an id", own)
    })
    .tries("A body with an id")
    .of(&["PROV-BOOK-10", "RES-APPT-01"]),
    Test::new("BookRefused_Appointment", appointment)
        .tries("Required elements of the Appointment left out, one by one")
        .of(&[
            "PROV-BOOK-04",
            "RES-APPT-05",
            "RES-APPT-06",
            "RES-APPT-08",
            "RES-APPT-09",
            "RES-APPT-10",
            "RES-APPT-12",
        ]),
    Test::new("BookRefused_Patient", patient)
        .tries("Required elements of the Patient left out, one by one")
        .of(&[
            "PROV-BOOK-04",
            "RES-PAT-04",
            "RES-PAT-05",
            "RES-PAT-06",
            "RES-PAT-07",
        ]),
    Test::new("BookRefused_Document", document)
        .tries("Required elements of the DocumentReference left out, one by one")
        .of(&[
            "PROV-BOOK-04",
            "RES-DOC-02",
            "RES-DOC-03",
            "RES-DOC-04",
            "RES-DOC-06",
        ]),
    Test::new("BookRefused_Contained", contained_count)
        .tries("A contained resource too few or too many")
        .of(&["PROV-BOOK-04", "RES-APPT-04"]),
    Test::new("BookRefused_NhsNumber", nhs_number)
        .tries("NHS numbers that cannot be")
        .of(&["ERR-18", "RES-PAT-03"]),
    Test::new("BookRefused_UnknownSlot", unknown_slot)
        .tries("A slot that does not exist")
        .of(&["PROV-BOOK-02"]),
    Test::new("BookRefused_SlotDiffers", slot_differs)
        .tries("A slot whose times or schedule are not those of the diary")
        .of(&["PROV-BOOK-02", "RES-APPT-06"]),
    Test::new("BookRefused_Coding", coding)
        .tries("A content coding that nobody has")
        .of(&["PROV-GEN-13", "PROV-GEN-11"]),
];

fn out_of_order(t: &mut Trial) -> Step {
    let message = t.message()?;
    let ordered = String::from_utf8_lossy(&to_xml(&message)).into_owned();
    let language = "<language value=\"en-GB\"/>";
    let moved = ordered
        .replacen(language, "", 1)
        .replace("</Appointment>", &format!("{language}</Appointment>"));
    let request = t.session.book_xml(moved.into_bytes());
    let a = t
        .ask("`language` after `participant`", &request)
        .refused(Situation::BodyUnreadable, &["PROV-GEN-14", "D-06"])?;
    if a.status == 400 {
        t.at(&a, "header Content-Type", &["PROV-GEN-08"])
            .must(a.is_xml)
            .right("XML")
            .or("A request in XML that accepts XML was answered in JSON");
    }
    // The same message in order is fine, so it was the order.
    let request = t.session.book_xml(ordered.into_bytes());
    let a = t.send("the same in order", &request)?;
    t.status(&a, 201, &["PROV-GEN-07"], "the same message in order")
}

fn forbidden(t: &mut Trial) -> Step {
    let message = t.message()?;
    let request = t
        .session
        .book_xml(to_xml(&message))
        .without("Authorization");
    t.ask("no Authorization", &request)
        .refused(Situation::TokenRefused, &["P1", "PROV-HDR-01"])
        .map(drop)
}

fn unsupported(t: &mut Trial) -> Step {
    let message = t.message()?;
    for media in [
        "application/xml",
        "text/plain",
        "application/json",
        "application/x-www-form-urlencoded",
    ] {
        let request = t
            .session
            .book_xml(to_xml(&message))
            .with("Content-Type", media);
        t.ask(media, &request)
            .refused(Situation::MediaTypeUnsupported, &["PROV-GEN-11"])?;
    }
    Ok(())
}

fn coding(t: &mut Trial) -> Step {
    let message = t.message()?;
    let request = t
        .session
        .book(&message)
        .with("Content-Encoding", "compress");
    t.ask("Content-Encoding: compress", &request)
        .refused(Situation::MediaTypeUnsupported, &["PROV-GEN-11"])
        .map(drop)
}

fn unreadable(t: &mut Trial) -> Step {
    let whole = t.message()?.to_string();
    let half = whole.get(..whole.len() / 2).unwrap_or_default().to_owned();
    for (about, body) in [
        ("half a message", half),
        ("an empty body", String::new()),
        ("no JSON", "not json".to_owned()),
        ("an empty object", "{}".to_owned()),
        ("a list", "[]".to_owned()),
        ("a Patient", "{\"resourceType\":\"Patient\"}".to_owned()),
        (
            "a type that does not exist",
            "{\"resourceType\":\"Nothing\"}".to_owned(),
        ),
        (
            "a list where one is wanted",
            whole.replace("\"status\":\"booked\"", "\"status\":[\"booked\"]"),
        ),
        (
            "one where a list is wanted",
            whole.replace("\"given\":[\"Odette\"]", "\"given\":\"Odette\""),
        ),
        (
            "a text where a number is wanted",
            whole.replace("\"rank\":1", "\"rank\":\"1\""),
        ),
    ] {
        t.ask(about, &t.session.book(&Value::Null).body(body))
            .refused(Situation::BodyUnreadable, &["P35", "D-06"])?;
    }
    let twice = "\"status\":\"booked\",\"status\":\"booked\"";
    let twice = whole.replace("\"status\":\"booked\"", twice);
    let request = t.session.book(&Value::Null).body(twice);
    let a = t.send("the same name twice", &request)?;
    // Many readers take the last one; the catalogue does not forbid it.
    t.at(&a, "status", &["ERR-04"])
        .should(a.status == 400)
        .right("400: such a body means two things")
        .or(format!(
            "A body with the same name twice was answered with {}",
            a.status
        ));
    t.session.tidy();
    let message = t.message()?;
    let request = t.session.book(&with(message, "/Slot/id", Value::Null));
    t.ask("a contained Slot without id", &request)
        .refused(Situation::BodyUnreadable, &["ASR-20"])
        .map(drop)
}

/// Rows of the error table of which each is right for a fault.
type Rows = &'static [Situation];
/// It can be read and does not keep to the profile.
const PROFILE: Rows = &[Situation::NotConformant];
/// A text that is no value of its type: one reader stops at it (D-06), another finds it when it looks at the profile.
const LEXICAL: Rows = &[Situation::NotConformant, Situation::BodyUnreadable];
/// A reference that leads nowhere.
const REFERENCE: Rows = &[Situation::NotConformant, Situation::ReferenceUnknown];
/// Who has no Patient has no contact point either, and ranks come first (section 2).
const PATIENT: Rows = &[Situation::NotConformant, Situation::ContactRank];
/// An NHS number that is none is a fault of the profile too.
const NUMBER: Rows = &[Situation::NhsNumberInvalid, Situation::NotConformant];

/// A change of one place that makes a booking wrong.
struct Change {
    place: &'static str,
    value: Value,
    rows: Rows,
    ids: Ids,
}

/// Nothing is at this place.
fn missing(place: &'static str, ids: Ids) -> Change {
    wrong(place, Value::Null, ids)
}

/// What is at this place does not keep to the profile.
fn wrong(place: &'static str, value: Value, ids: Ids) -> Change {
    Change {
        place,
        value,
        rows: PROFILE,
        ids,
    }
}

/// What is at this place is no value of its type.
fn illegal(place: &'static str, value: Value, ids: Ids) -> Change {
    Change {
        rows: LEXICAL,
        ..wrong(place, value, ids)
    }
}

/// A reference at this place leads nowhere.
fn dangling(place: &'static str, ids: Ids) -> Change {
    Change {
        rows: REFERENCE,
        ..wrong(place, json!("#nowhere"), ids)
    }
}

/// Books with one place changed; wants one of the refusals of the change.
fn bent(t: &mut Trial, about: &str, change: Change) -> Step {
    let message = with(t.message()?, change.place, change.value);
    t.ask(about, &t.session.book(&message))
        .refused_as(change.rows, change.ids)?;
    // What a wrong server booked nevertheless would make the next step fail for another reason.
    t.session.tidy();
    Ok(())
}

fn each(t: &mut Trial, changes: Vec<Change>) -> Step {
    for change in changes {
        let named = change.place.trim_start_matches('/').replace('/', ".");
        let about = match change.value {
            Value::Null => format!("without {named}"),
            _ => format!("a wrong {named}"),
        };
        bent(t, &about, change)?;
    }
    Ok(())
}

fn appointment(t: &mut Trial) -> Step {
    each(
        t,
        vec![
            missing("/description", &["RES-APPT-08"]),
            missing("/supportingInformation", &["RES-APPT-10"]),
            missing("/start", &["RES-APPT-06"]),
            missing("/end", &["RES-APPT-06"]),
            missing("/slot", &["RES-APPT-09"]),
            missing("/created", &["RES-APPT-07"]),
            missing("/participant", &["RES-APPT-12"]),
            missing("/participant/0/actor", &["RES-APPT-12"]),
            wrong("/status", json!("proposed"), &["RES-APPT-05"]),
            illegal("/status", json!("nonsense"), &["RES-APPT-05"]),
            wrong("/status", json!("cancelled"), &["RES-APPT-05"]),
            illegal(
                "/start",
                json!("2031-03-04"),
                &["RES-APPT-06", "RES-GEN-02"],
            ),
            dangling("/slot/0/reference", &["RES-APPT-09"]),
            dangling("/participant/0/actor/reference", &["RES-APPT-13"]),
        ],
    )
}

fn patient(t: &mut Trial) -> Step {
    each(
        t,
        vec![
            missing("/Patient/name", &["RES-PAT-04"]),
            missing("/Patient/name/0/family", &["RES-PAT-04"]),
            missing("/Patient/name/0/given", &["RES-PAT-04"]),
            missing("/Patient/gender", &["RES-PAT-05"]),
            illegal("/Patient/gender", json!("nonsense"), &["RES-PAT-05"]),
            missing("/Patient/birthDate", &["RES-PAT-06"]),
            illegal("/Patient/birthDate", json!("12.3.1979"), &["RES-PAT-06"]),
            wrong("/Patient/birthDate", json!("2999-01-01"), &["RES-PAT-06"]),
            missing("/Patient/address", &["RES-PAT-07"]),
            wrong(
                "/Patient/name/-",
                json!({"use": "official", "family": "Other", "given": ["A"]}),
                &["RES-PAT-04"],
            ),
            missing("/Patient/telecom/0/value", &["RES-PAT-08"]),
            missing("/Patient/telecom/0/system", &["RES-PAT-08"]),
            missing("/Patient/identifier/0/extension", &["RES-PAT-03"]),
            missing("/Patient/identifier/0/use", &["RES-PAT-03"]),
            missing("/Patient/address/0/postalCode", &["RES-PAT-07"]),
        ],
    )
}

fn document(t: &mut Trial) -> Step {
    each(
        t,
        vec![
            missing("/DocumentReference/identifier", &["RES-DOC-02"]),
            missing("/DocumentReference/status", &["RES-DOC-03"]),
            missing("/DocumentReference/type", &["RES-DOC-04"]),
            missing("/DocumentReference/indexed", &["RES-DOC-05"]),
            missing("/DocumentReference/content", &["RES-DOC-06"]),
            wrong(
                "/DocumentReference/identifier/-",
                json!({"system": booking::systems::UUID, "value": uuid()}),
                &["RES-DOC-02"],
            ),
            wrong(
                "/DocumentReference/type/coding/0/code",
                json!("OTHER"),
                &["RES-DOC-04"],
            ),
            wrong(
                "/DocumentReference/content/0/attachment/contentType",
                json!("text/plain"),
                &["RES-DOC-06"],
            ),
        ],
    )
}

fn contained_count(t: &mut Trial) -> Step {
    let ids: Ids = &["RES-APPT-04"];
    let none = missing("/DocumentReference", ids);
    bent(t, "no DocumentReference", none)?;
    let nobody = Change {
        rows: PATIENT,
        ..missing("/Patient", ids)
    };
    bent(t, "no Patient", nobody)?;
    let extra = json!({"resourceType": "Patient", "id": "other", "name": [{"family": "Other"}]});
    bent(t, "two Patients", wrong("/contained/-", extra, ids))
}

fn nhs_number(t: &mut Trial) -> Step {
    for (about, number) in [
        ("a check digit that is wrong", "9990000043"),
        ("nine digits", "999000004"),
        ("letters", "99900000AB"),
    ] {
        let message = with(t.message()?, "/Patient/identifier/0/value", json!(number));
        let message = with(
            message,
            "/participant/0/actor/identifier/value",
            json!(number),
        );
        t.ask(about, &t.session.book(&message))
            .refused_as(NUMBER, &["RES-PAT-03"])?;
        t.session.tidy();
    }
    Ok(())
}

/// 422 for whatever about the slot does not fit: the catalogue leaves open which row of the table.
fn slot_refused(t: &mut Trial, about: &str, request: &Request) -> Step {
    let a = t.send(about, request)?;
    let ids: Ids = &["PROV-BOOK-02", "ERR-16"];
    if t.status(&a, 422, ids, about).is_ok() {
        t.at(&a, "body", &["PROV-GEN-17", "P36"])
            .must(a.kind() == "OperationOutcome")
            .right("an OperationOutcome")
            .or("No OperationOutcome");
    }
    t.session.tidy();
    Ok(())
}

fn unknown_slot(t: &mut Trial) -> Step {
    let mut message = t.message()?;
    let unknown = uuid();
    for (place, value) in [
        ("/Slot/id", unknown.clone()),
        ("/Slot/identifier/0/value", unknown.clone()),
        ("/slot/0/reference", format!("#{unknown}")),
    ] {
        super::messages::set(&mut message, place, json!(value));
    }
    let request = t.session.book(&message);
    slot_refused(t, "a slot that does not exist", &request)
}

fn slot_differs(t: &mut Trial) -> Step {
    let ahead = "2031-03-04T03:00:00.000+00:00";
    let later = "2031-03-04T03:10:00.000+00:00";
    for (about, changes) in [
        (
            "another schedule",
            &[("/Slot/schedule/reference", "Schedule/nowhere-1")][..],
        ),
        (
            "another start",
            &[
                ("/Slot/start", ahead),
                ("/Slot/end", later),
                ("/start", ahead),
                ("/end", later),
            ],
        ),
        (
            "an Appointment at another time than its slot",
            &[("/start", ahead), ("/end", later)],
        ),
    ] {
        let mut message = t.message()?;
        for (place, value) in changes {
            super::messages::set(&mut message, place, json!(value));
        }
        let request = t.session.book(&message);
        slot_refused(t, about, &request)?;
    }
    Ok(())
}
