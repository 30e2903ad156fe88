//! Decides whether an Appointment from a service is the expected one. Every answer to POST, GET and PUT and every entry of
//! a patient search passes this check (D-52).
//!
//! [`Expected`] holds what is known beforehand. [`Expected::judge`] compares it with the Appointment, and yields
//! [`Proven`], which nothing else can make, or [`Unproven`] with each difference in plain words without patient data. It
//! compares by meaning: instants by the moment, UUIDs in any case, NHS numbers with spaces, references in every form. A
//! missing element is no difference, but no proof either.

use super::appointment::AppointmentShown;
use crate::form::{self, MOST};
use crate::journal::KnownBooking;
use crate::slots::day_and_time;
use booking::ids::NhsNumber;
use booking::{instant, systems};
use fhir::Element;
use jiff::Timestamp;
use uuid::Uuid;

/// Longest status code shown to the user; FHIR's have at most sixteen letters.
const MAX_STATUS: usize = 20;

/// Whose appointment is expected.
#[derive(Clone, PartialEq, Eq)]
pub enum Whose {
    /// Unknown.
    Anyones,
    /// The patient with this NHS number.
    Number(NhsNumber),
    /// A patient for whom no NHS number was sent.
    Nameless,
}

impl Whose {
    /// The patient of a booking with this number, or without one.
    pub fn of(number: Option<&NhsNumber>) -> Whose {
        number.map_or(Whose::Nameless, |n| Whose::Number(n.clone()))
    }
}

/// The expected slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotKey {
    /// `Slot.id`
    pub id: String,
    /// Value of `Slot.identifier`, if the search gave one.
    pub identifier: Option<String>,
}

/// The expected status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Any; the caller judges it.
    Any,
    /// `booked`
    Booked,
    /// `cancelled`
    Cancelled,
}

/// What the Appointment has to contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// Everything expected, in the answer to a booking.
    Everything,
    /// What identifies it: its id, with the document's id or the NHS number, whichever is known. For appointments that were
    /// proven when booked.
    Identity,
}

/// What is known of an appointment before reading it.
#[derive(Clone)]
pub struct Expected {
    appointment: Option<String>,
    document: Option<String>,
    whose: Whose,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    slot: Option<SlotKey>,
    need: Need,
    /// The user named the patient, so the appointment has to name the patient too.
    at_hand: bool,
}

/// An Appointment that was compared with the expected one and is it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    appointment: AppointmentShown,
}

impl Proven {
    /// The appointment.
    pub fn appointment(&self) -> &AppointmentShown {
        &self.appointment
    }

    /// The appointment without its proof.
    pub fn into_appointment(self) -> AppointmentShown {
        self.appointment
    }
}

/// An element that identifies an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The appointment's id.
    Appointment,
    /// The clinical document.
    Document,
    /// The patient.
    Patient,
    /// The status.
    Status,
    /// The start.
    Start,
    /// The end.
    End,
    /// The slot.
    Slot,
    /// The meaning of the whole, which an unknown extension may reverse.
    Meaning,
    /// The form of a compared element: a list in place of a single value may hold anything.
    Form,
}

/// Why an appointment is not proven to be the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven {
    /// Differences, each with part of a sentence for the user, such as `it is for another patient`.
    pub differs: Vec<(Field, String)>,
    /// Elements that are missing.
    pub missing: Vec<Field>,
    /// The appointment that was read.
    pub appointment: Box<AppointmentShown>,
    /// Whether it has the expected clinical document.
    has_document: bool,
}

impl Unproven {
    /// Whether it is certainly another appointment. One with our document never is.
    pub fn is_other(&self) -> bool {
        let telling = [Field::Appointment, Field::Document, Field::Patient];
        !self.has_document && self.differs.iter().any(|(f, _)| telling.contains(f))
    }

    /// Whether only the status differs and nothing is missing.
    pub fn is_only_status(&self) -> bool {
        self.missing.is_empty()
            && self
                .differs
                .iter()
                .all(|(field, _)| *field == Field::Status)
    }

    /// All differences, as the second half of a sentence.
    pub fn plain(&self) -> String {
        let missing = self.missing.iter().map(|field| {
            match field {
                Field::Appointment => "it does not say its own id",
                Field::Document => "it does not name its clinical document",
                Field::Patient => "it does not name its patient",
                Field::Status => "it does not say its status",
                Field::Start => "it does not say when it starts",
                Field::End => "it does not say when it ends",
                Field::Slot => "it does not name its slot",
                Field::Meaning => "it does not say what it means",
                Field::Form => "it is not written as FHIR has it",
            }
            .to_owned()
        });
        let differs = self.differs.iter().map(|(_, words)| words.clone());
        differs.chain(missing).collect::<Vec<_>>().join("; ")
    }
}

/// The result of comparing one element.
enum Found {
    Same,
    Missing,
    Other(String),
}

impl Expected {
    /// A requested booking: all of it has to come back.
    pub fn booking(
        document: Uuid,
        number: Option<&NhsNumber>,
        start: Timestamp,
        end: Timestamp,
        slot: SlotKey,
    ) -> Expected {
        Expected {
            appointment: None,
            document: Some(document.to_string()),
            whose: Whose::of(number),
            start: Some(start),
            end: Some(end),
            slot: Some(slot),
            need: Need::Everything,
            at_hand: true,
        }
    }

    /// A journal row with open outcome, judged like the answer to the booking.
    pub fn unsettled(known: &KnownBooking) -> Expected {
        Expected {
            need: Need::Everything,
            ..Expected::known(known)
        }
    }

    /// A booking that the journal records as made.
    pub fn known(known: &KnownBooking) -> Expected {
        Expected {
            appointment: known.appointment.clone(),
            document: Some(known.document.clone()),
            whose: Whose::of(known.nhs_number.as_ref()),
            start: Some(known.start),
            end: Some(known.end),
            slot: Some(SlotKey {
                id: known.slot.clone(),
                identifier: known.slot_identifier.clone(),
            }),
            need: Need::Identity,
            at_hand: false,
        }
    }

    /// An appointment made elsewhere: its id, and the current patient if the number is known.
    pub fn elsewhere(id: &str, patient: Option<&NhsNumber>) -> Expected {
        Expected {
            appointment: Some(id.to_owned()),
            document: None,
            whose: patient.map_or(Whose::Anyones, |n| Whose::Number(n.clone())),
            start: None,
            end: None,
            slot: None,
            need: Need::Identity,
            at_hand: true,
        }
    }

    /// The appointment that was read before (CONS-CAN-03).
    pub fn again(read: &AppointmentShown) -> Expected {
        Expected {
            appointment: Some(read.id.clone()),
            document: read.document.as_ref().map(|t| t.as_received().to_owned()),
            whose: read.nhs_number().map_or(Whose::Anyones, Whose::Number),
            start: read.start,
            end: None,
            slot: None,
            need: Need::Everything,
            at_hand: false,
        }
    }

    /// The same expectation with this id.
    #[must_use]
    pub fn at(&self, id: &str) -> Expected {
        Expected {
            appointment: Some(id.to_owned()),
            ..self.clone()
        }
    }

    /// The same expectation with this patient.
    #[must_use]
    pub fn of_patient(&self, patient: &NhsNumber) -> Expected {
        Expected {
            whose: Whose::Number(patient.clone()),
            at_hand: true,
            ..self.clone()
        }
    }

    /// Whether the journal has the appointment.
    pub fn is_known(&self) -> bool {
        self.document.is_some()
    }

    /// The patient's NHS number, if known.
    pub fn number(&self) -> Option<&NhsNumber> {
        match &self.whose {
            Whose::Number(number) => Some(number),
            Whose::Anyones | Whose::Nameless => None,
        }
    }

    /// The expected start.
    pub fn start(&self) -> Option<Timestamp> {
        self.start
    }

    /// Compares an appointment with the expectation and names every difference.
    pub fn judge(&self, shown: AppointmentShown, status: Status) -> Result<Proven, Unproven> {
        let resource = &shown.resource;
        let found = [
            (Field::Appointment, self.same_id(resource)),
            (Field::Document, self.same_document(resource)),
            (Field::Patient, self.same_patient(resource)),
            (
                Field::Status,
                same_status(shown.status.as_received(), status),
            ),
            (Field::Start, same_moment(self.start, shown.start, "starts")),
            (Field::End, same_moment(self.end, shown.end, "ends")),
            (Field::Slot, self.same_slot(resource)),
            (Field::Meaning, same_meaning(resource)),
            (Field::Form, same_form(resource)),
        ];
        let (mut differs, mut missing) = (Vec::new(), Vec::new());
        for (field, found) in found {
            match found {
                Found::Same => {}
                Found::Other(words) => differs.push((field, words)),
                Found::Missing if self.needs(field) => missing.push(field),
                Found::Missing => {}
            }
        }
        match differs.is_empty() && missing.is_empty() {
            true => Ok(Proven { appointment: shown }),
            false => Err(Unproven {
                differs,
                missing,
                has_document: self.names_document(&shown.resource),
                appointment: Box::new(shown),
            }),
        }
    }

    fn needs(&self, field: Field) -> bool {
        match (self.need, field) {
            (Need::Everything, _) => true,
            (_, Field::Appointment | Field::Status | Field::Document) => true,
            (_, Field::Meaning | Field::Form) => true,
            // Beside the document's id the number proves nothing more, unless the user asked about it.
            (Need::Identity, Field::Patient) => self.at_hand || self.document.is_none(),
            (Need::Identity, Field::Start | Field::End | Field::Slot) => false,
        }
    }

    fn same_id(&self, resource: &Element) -> Found {
        let own = resource
            .str_of("id")
            .map(str::trim)
            .filter(|i| !i.is_empty());
        match (&self.appointment, own) {
            (None, Some(_)) => Found::Same,
            (_, None) => Found::Missing,
            (Some(wanted), Some(own)) if same_text(wanted, own) => Found::Same,
            _ => Found::Other("it is another appointment".to_owned()),
        }
    }

    fn same_document(&self, resource: &Element) -> Found {
        if self.document.is_none() || self.names_document(resource) {
            return Found::Same;
        }
        match documents_of(resource).is_empty() {
            true => Found::Missing,
            false => Found::Other("it belongs to another clinical document".to_owned()),
        }
    }

    /// Whether an appointment has the expected document. False if none is known.
    pub(super) fn names_document(&self, resource: &Element) -> bool {
        let wanted = self.document.as_deref();
        wanted.is_some_and(|w| documents_of(resource).iter().any(|d| same_text(d, w)))
    }

    fn same_patient(&self, resource: &Element) -> Found {
        let named = numbers_of(resource);
        let other = || Found::Other("it is for another patient".to_owned());
        match &self.whose {
            Whose::Anyones => Found::Same,
            Whose::Nameless if named.is_empty() => Found::Same,
            Whose::Nameless => other(),
            Whose::Number(_) if named.is_empty() => Found::Missing,
            Whose::Number(wanted) if named.iter().all(|n| n == wanted) => Found::Same,
            Whose::Number(_) => other(),
        }
    }

    /// Everything that names a slot has to agree: the references and the contained Slot.
    fn same_slot(&self, resource: &Element) -> Found {
        let Some(wanted) = &self.slot else {
            return Found::Same;
        };
        let contained: Vec<&Element> = contained(resource, "Slot").collect();
        let references = resource.all("slot").take(MOST);
        let named = references.map(|r| wanted.of_reference(r, &contained));
        let inside = contained
            .iter()
            .map(|slot| wanted.of_contained(slot, self.start));
        let mut same = false;
        for found in named.chain(inside) {
            match found {
                Found::Same => same = true,
                Found::Missing => {}
                Found::Other(words) => return Found::Other(words),
            }
        }
        if same { Found::Same } else { Found::Missing }
    }
}

impl SlotKey {
    fn is(&self, text: &str) -> bool {
        let of_identifier = |i: &String| same_text(i, text);
        same_text(&self.id, text) || self.identifier.as_ref().is_some_and(of_identifier)
    }

    fn other() -> Found {
        Found::Other("it is for another slot".to_owned())
    }

    fn of_reference(&self, reference: &Element, contained: &[&Element]) -> Found {
        let Some(text) = reference.str_of("reference").map(str::trim) else {
            let value = reference.at("identifier.value").and_then(Element::as_str);
            return match value {
                Some(value) if self.is(value) => Found::Same,
                Some(_) if self.identifier.is_some() => SlotKey::other(),
                _ => Found::Missing,
            };
        };
        match text.strip_prefix('#') {
            // The local id is the slot's own (RES-SLOT-07), or that of the contained copy, which is judged separately.
            Some(local) if self.is(local) => Found::Same,
            Some(local) => {
                let there = contained.iter().any(|slot| local_id(slot) == Some(local));
                if there {
                    Found::Missing
                } else {
                    SlotKey::other()
                }
            }
            None => match last_segment(text) {
                Some(id) if self.is(id) => Found::Same,
                Some(_) => SlotKey::other(),
                None => Found::Missing,
            },
        }
    }

    fn of_contained(&self, slot: &Element, start: Option<Timestamp>) -> Found {
        let at = slot.str_of("start").and_then(|s| instant::parse(s.trim()));
        if let (Some(wanted), Some(at)) = (start, at)
            && wanted.as_millisecond() != at.as_millisecond()
        {
            return SlotKey::other();
        }
        let values: Vec<&str> = slot
            .all("identifier")
            .take(MOST)
            .filter_map(|i| i.str_of("value"))
            .collect();
        let named = values.iter().any(|value| self.is(value));
        match (&self.identifier, local_id(slot)) {
            (Some(_), _) if !values.is_empty() && !named => SlotKey::other(),
            _ if named => Found::Same,
            (_, Some(id)) if self.is(id) => Found::Same,
            (_, Some(_)) => SlotKey::other(),
            (_, None) => Found::Missing,
        }
    }
}

/// FHIR: an unknown modifierExtension makes the resource unusable.
fn same_meaning(resource: &Element) -> Found {
    match crate::slots::modifier(resource) {
        None => Found::Same,
        Some(_) => Found::Other(
            "it carries a mark that changes its meaning and is not known here".to_owned(),
        ),
    }
}

/// The compared elements must have FHIR's form (D-79).
fn same_form(resource: &Element) -> Found {
    match form::of_appointment(resource) {
        names if names.is_empty() => Found::Same,
        names => Found::Other(form::plain(&names)),
    }
}

fn local_id(slot: &Element) -> Option<&str> {
    Some(slot.str_of("id")?.trim().trim_start_matches('#'))
}

fn same_status(found: &str, wanted: Status) -> Found {
    let code = match wanted {
        Status::Any => return Found::Same,
        Status::Booked => "booked",
        Status::Cancelled => "cancelled",
    };
    match found {
        _ if found == code => Found::Same,
        "" => Found::Missing,
        _ => Found::Other(format!("its status is {}", status_words(found))),
    }
}

/// A status for the user: FHIR's code, or a word for anything else.
pub(super) fn status_words(code: &str) -> String {
    let is_code = !code.is_empty()
        && code.len() <= MAX_STATUS
        && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    match is_code {
        true => code.to_owned(),
        false => "not one that is known".to_owned(),
    }
}

/// Compared in milliseconds, as the journal keeps them.
fn same_moment(wanted: Option<Timestamp>, found: Option<Timestamp>, verb: &str) -> Found {
    match (wanted, found) {
        (None, _) => Found::Same,
        (Some(_), None) => Found::Missing,
        (Some(w), Some(f)) if w.as_millisecond() == f.as_millisecond() => Found::Same,
        (Some(w), Some(f)) => Found::Other(format!(
            "it {verb} {}, not {}",
            day_and_time(f),
            day_and_time(w)
        )),
    }
}

/// Whether two identifiers are equal; UUIDs in any case, also as URN.
pub(super) fn same_text(a: &str, b: &str) -> bool {
    let bare = |t: &str| {
        let t = t.trim();
        let urn = t
            .get(..9)
            .is_some_and(|p| p.eq_ignore_ascii_case("urn:uuid:"));
        if urn { t[9..].to_owned() } else { t.to_owned() }
    };
    let (a, b) = (bare(a), bare(b));
    a == b
        || match (Uuid::try_parse(&a), Uuid::try_parse(&b)) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        }
}

/// The id at the end of a reference: relative, absolute, with version, or URN.
fn last_segment(reference: &str) -> Option<&str> {
    let text = reference.split(['?', '#']).next().unwrap_or_default();
    let text = text.split("/_history").next().unwrap_or_default();
    let text = text.trim_end_matches('/');
    let last = text.rsplit('/').next().unwrap_or_default();
    (!last.is_empty()).then_some(last)
}

fn contained<'a>(resource: &'a Element, kind: &'a str) -> impl Iterator<Item = &'a Element> {
    let of_kind = move |c: &&Element| c.resource_type() == Some(kind);
    resource.all("contained").filter(of_kind).take(MOST)
}

/// Ids of the clinical documents in an Appointment, lower case, without prefix.
pub(super) fn documents_of(appointment: &Element) -> Vec<String> {
    let values = contained(appointment, "DocumentReference").flat_map(|document| {
        let all = document
            .all("identifier")
            .chain(document.all("masterIdentifier"));
        all.take(MOST).filter_map(|i| i.str_of("value"))
    });
    values
        .map(|value| {
            let value = value.trim().to_ascii_lowercase();
            value
                .strip_prefix("urn:uuid:")
                .map(str::to_owned)
                .unwrap_or(value)
        })
        .filter(|value| !value.is_empty())
        .collect()
}

/// The NHS numbers in an Appointment's contained Patient or participant.
pub(super) fn numbers_of(appointment: &Element) -> Vec<NhsNumber> {
    let actors = appointment
        .all("participant")
        .take(MOST)
        .flat_map(|p| p.all("actor"));
    contained(appointment, "Patient")
        .chain(actors)
        .flat_map(|e| e.all("identifier").take(MOST))
        .filter(|i| i.str_of("system").map(str::trim) == Some(systems::NHS_NUMBER))
        .filter_map(|i| i.str_of("value"))
        .filter_map(|value| {
            let digits: String = value.chars().filter(|c| !c.is_whitespace()).collect();
            NhsNumber::parse(&digits).ok()
        })
        .collect()
}
