//! Group B: bookings that have to be refused, each for its own reason.

use crate::rows::rows;
use booking::situation::Situation;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::LazyLock;

use super::messages::{to_xml, uuid, with};
use super::registry::Table;
use super::request::Request;
use super::trial::{Ids, Step, Trial};

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("BookAppointment_Invalid", out_of_order),
    ("BookAppointment_Forbidden", forbidden),
    ("BookAppointment_UnsupportedMediaType", unsupported),
    ("BookRefused_Unreadable", unreadable),
    ("BookRefused_WithId", |t| changed(t, "BookRefused_WithId")),
    ("BookRefused_Appointment", |t| {
        changed(t, "BookRefused_Appointment")
    }),
    ("BookRefused_Patient", |t| changed(t, "BookRefused_Patient")),
    ("BookRefused_Document", |t| {
        changed(t, "BookRefused_Document")
    }),
    ("BookRefused_Contained", |t| {
        changed(t, "BookRefused_Contained")
    }),
    ("BookRefused_NhsNumber", nhs_number),
    ("BookRefused_UnknownSlot", unknown_slot),
    ("BookRefused_SlotDiffers", slot_differs),
    ("BookRefused_Coding", coding),
];

fn out_of_order(t: &mut Trial) -> Step {
    let message = t.message()?;
    let ordered = String::from_utf8_lossy(&to_xml(&message)).into_owned();
    let language = "<language value=\"en-GB\"/>";
    let moved = ordered
        .replacen(language, "", 1)
        .replace("</Appointment>", &format!("{language}</Appointment>"));
    let request = t.book_xml(moved.into_bytes());
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
    let request = t.book_xml(ordered.into_bytes());
    let a = t.send("the same in order", &request)?;
    t.status(&a, 201, &["PROV-GEN-07"], "the same message in order")
}

fn forbidden(t: &mut Trial) -> Step {
    let message = t.message()?;
    let request = t.book_xml(to_xml(&message)).without("Authorization");
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
        let request = t.book_xml(to_xml(&message)).with("Content-Type", media);
        t.ask(media, &request)
            .refused(Situation::MediaTypeUnsupported, &["PROV-GEN-11"])?;
    }
    Ok(())
}

fn coding(t: &mut Trial) -> Step {
    let message = t.message()?;
    let request = t.book(&message).with("Content-Encoding", "compress");
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
        t.ask(about, &t.book(&Value::Null).body(body))
            .refused(Situation::BodyUnreadable, &["P35", "D-06"])?;
    }
    let twice = "\"status\":\"booked\",\"status\":\"booked\"";
    let twice = whole.replace("\"status\":\"booked\"", twice);
    let request = t.book(&Value::Null).body(twice);
    let a = t.send("the same name twice", &request)?;
    // Many readers take the last one; the catalogue does not forbid it.
    t.at(&a, "status", &["ERR-04"])
        .should(a.status == 400)
        .right("400: such a body means two things")
        .or(format!(
            "A body with the same name twice was answered with {}",
            a.status
        ));
    t.tidy();
    let message = t.message()?;
    let request = t.book(&with(message, "/Slot/id", Value::Null));
    t.ask("a contained Slot without id", &request)
        .refused(Situation::BodyUnreadable, &["ASR-20"])
        .map(drop)
}

const TEXT: &str = include_str!("book_refused.toml");

/// A test reads the same text, so that it is never empty.
static CHANGES: LazyLock<Vec<Change>> = LazyLock::new(|| rows(TEXT, "change").unwrap_or_default());

/// A change of one place that makes a booking wrong.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    test: &'static str,
    #[serde(borrow)]
    about: Option<&'static str>,
    place: &'static str,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    answer: Answers,
    #[serde(borrow)]
    requirements: Vec<&'static str>,
}

/// Rows of the error table of which each is right for a fault.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answers {
    /// It can be read and does not keep to the profile.
    #[default]
    Profile,
    /// A text that is no value of its type: one reader stops at it (D-06), another finds it when it looks at the profile.
    Lexical,
    /// A reference that leads nowhere.
    Reference,
    /// Who has no Patient has no contact point either, and ranks come first (section 2).
    Patient,
}

impl Answers {
    fn rows(self) -> &'static [Situation] {
        match self {
            Answers::Profile => &[Situation::NotConformant],
            Answers::Lexical => &[Situation::NotConformant, Situation::BodyUnreadable],
            Answers::Reference => &[Situation::NotConformant, Situation::ReferenceUnknown],
            Answers::Patient => &[Situation::NotConformant, Situation::ContactRank],
        }
    }
}

/// Books with one place changed, for each change of a test; wants one of the refusals of the change.
fn changed(t: &mut Trial, test: &str) -> Step {
    for change in CHANGES.iter().filter(|change| change.test == test) {
        let named = change.place.trim_start_matches('/').replace('/', ".");
        let about = match (change.about, &change.value) {
            (Some(about), _) => about.to_owned(),
            (None, Value::Null) => format!("without {named}"),
            (None, _) => format!("a wrong {named}"),
        };
        let message = with(t.message()?, change.place, change.value.clone());
        t.ask(&about, &t.book(&message))
            .refused_as(change.answer.rows(), &change.requirements)?;
        // What a wrong server booked nevertheless would make the next step fail for another reason.
        t.tidy();
    }
    Ok(())
}

/// An NHS number that is none is a fault of the profile too.
const NUMBER: &[Situation] = &[Situation::NhsNumberInvalid, Situation::NotConformant];

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
        t.ask(about, &t.book(&message))
            .refused_as(NUMBER, &["RES-PAT-03"])?;
        t.tidy();
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
    t.tidy();
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
    let request = t.book(&message);
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
        let request = t.book(&message);
        slot_refused(t, about, &request)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_belongs_to_a_test() {
        let changes: Vec<Change> = rows(TEXT, "change").unwrap();
        assert_eq!(changes.len(), 41);
        let named = |change: &Change| TESTS.iter().any(|(name, _)| *name == change.test);
        assert!(changes.iter().all(named));
    }
}
