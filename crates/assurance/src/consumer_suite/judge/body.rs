//! Judging the Appointment of a booking (C39..C71, RES-*), as strictly as the published test kit: what a Provider
//! tolerates or fills in is a fault of the consumer all the same.

use booking::careconnect::conformance;
use booking::count::{counted, plural};
use booking::instant;
use booking::systems;
use fhir::{Element, Issue};
use jiff::Timestamp;

use super::patient;
use crate::consumer_suite::diary::{Slot, schedule_id};
use crate::consumer_suite::ledger::Notes;
use crate::consumer_suite::rules::Rule;
use crate::consumer_suite::state::{TOLERANCE_SECONDS, clipped};
use crate::evidence::Finding;

/// How far `created` and `indexed` may lie from now: the request is built just before it is sent.
const NOW_SECONDS: i64 = 300;
/// Most issues of the profiles that are told.
const MAX_ISSUES: usize = 20;

/// Judges a booking. `slot` is what its contained Slot names, with its service.
pub(crate) fn judge(
    root: &Element,
    issues: &[Issue],
    slot: Option<(&str, &Slot)>,
    now: Timestamp,
    notes: &mut Notes,
) {
    head(root, now, notes);
    let slots = contained(root, "Slot");
    let patients = contained(root, "Patient");
    let documents = contained(root, "DocumentReference");
    let others = root.count("contained") - slots.len() - patients.len() - documents.len();
    let counted = [
        (Rule::Contained, "Slot", slots.len()),
        (Rule::PatientContained, "Patient", patients.len()),
        (Rule::DocContained, "DocumentReference", documents.len()),
    ];
    for (rule, kind, count) in counted {
        let what = format!("{count} resources of the type {kind} are contained");
        notes.judge(rule, count == 1, what);
    }
    let what =
        format!("{others} contained resources are neither Slot, Patient nor DocumentReference");
    notes.judge(Rule::Contained, others == 0, what);
    if let Some(claimed) = slots.first() {
        the_slot(root, claimed, slot, notes);
    }
    points_to(root, "slot", slots.first().copied(), Rule::SlotRef, notes);
    points_to(
        root,
        "supportingInformation",
        documents.first().copied(),
        Rule::Document,
        notes,
    );
    participant(root, patients.first().copied(), notes);
    if let Some(patient) = patients.first() {
        patient::judge(patient, now, notes);
    }
    if let Some(document) = documents.first() {
        the_document(document, now, notes);
    }
    conforms(root, issues, notes);
}

/// The contained resources of a type.
pub(crate) fn contained<'a>(root: &'a Element, kind: &str) -> Vec<&'a Element> {
    root.children()
        .iter()
        .filter(|c| c.name() == "contained" && c.resource_type() == Some(kind))
        .collect()
}

/// The slot that a booking names: its identifier, else its id.
pub(crate) fn slot_id(root: &Element) -> Option<String> {
    let slot = *contained(root, "Slot").first()?;
    let identifier = slot.at("identifier.value").and_then(Element::as_str);
    Some(identifier.or(slot.str_of("id"))?.to_ascii_lowercase())
}

/// What tells two patients apart: the NHS number, else family name and date of birth.
pub(crate) fn patient_key(root: &Element) -> String {
    let Some(patient) = contained(root, "Patient").first().copied() else {
        return String::new();
    };
    match nhs_number(patient) {
        Some(number) => number.to_owned(),
        None => {
            let born = patient.str_of("birthDate").unwrap_or_default();
            format!("{}|{born}", text_at(patient, "name.family"))
        }
    }
}

/// The value of the NHS number among a patient's identifiers.
fn nhs_number(patient: &Element) -> Option<&str> {
    let mut identifiers = patient.all("identifier");
    let is_number = |i: &&Element| i.str_of("system") == Some(systems::NHS_NUMBER);
    identifiers.find(is_number)?.str_of("value")
}

/// The text at a path; empty when there is none.
fn text_at<'a>(element: &'a Element, path: &str) -> &'a str {
    let found = element.at(path).and_then(Element::as_str);
    found.unwrap_or_default()
}

/// Whether a resource states the profile of its type.
pub(crate) fn states_profile(resource: &Element) -> bool {
    let wanted = resource.resource_type().and_then(systems::profile);
    resource.get("meta").is_some_and(|m| {
        m.all("profile")
            .any(|p| p.as_str() == wanted && wanted.is_some())
    })
}

fn head(root: &Element, now: Timestamp, notes: &mut Notes) {
    let text = |name: &str| root.str_of(name).unwrap_or_default();
    let what = "The Appointment does not state its profile";
    notes.judge(Rule::Profile, states_profile(root), what);
    let what = "A new Appointment carries an id";
    notes.judge(Rule::NoId, root.get("id").is_none(), what);
    let versioned = root.at("meta.versionId").is_some();
    notes
        .at(Rule::NoId, "Appointment.meta.versionId")
        .must(!versioned)
        .or("A new Appointment carries a version id");
    let what = format!("status is `{}`", clipped(text("status")));
    notes.judge(Rule::StatusBooked, text("status") == "booked", what);
    let what = format!("language is `{}`", clipped(text("language")));
    notes.judge(Rule::Language, text("language") == "en-GB", what);
    let what = "description is missing";
    let described = !text("description").trim().is_empty();
    notes.judge(Rule::Description, described, what);
    let fault = current("created", root.str_of("created"), now);
    notes.fault(Rule::Created, fault);
}

/// What is wrong with a time that should be now.
fn current(name: &str, text: Option<&str>, now: Timestamp) -> Option<String> {
    let Some(text) = text else {
        return Some(format!("{name} is missing"));
    };
    match instant::parse(text) {
        None => Some(format!(
            "{name} is `{}`, which has no time with offset",
            clipped(text)
        )),
        Some(at) => {
            let away = at.as_second() - now.as_second();
            match away {
                _ if away < -NOW_SECONDS => {
                    Some(format!("{name} lies {} seconds in the past", -away))
                }
                _ if away > TOLERANCE_SECONDS => {
                    Some(format!("{name} lies {away} seconds in the future"))
                }
                _ => None,
            }
        }
    }
}

fn the_slot(root: &Element, claimed: &Element, slot: Option<(&str, &Slot)>, notes: &mut Notes) {
    let what = "The contained Slot does not state its profile";
    notes.judge(Rule::SlotProfile, states_profile(claimed), what);
    let at = |e: &Element, name: &str| e.str_of(name).and_then(instant::parse);
    let (start, end) = (at(root, "start"), at(root, "end"));
    let what = match (start, end) {
        (None, _) => Some("start is missing, or has no time with offset"),
        (_, None) => Some("end is missing, or has no time with offset"),
        // An appointment may end within its slot (RES-APPT-06).
        (Some(s), Some(e)) => match (at(claimed, "start"), at(claimed, "end")) {
            (Some(slot_start), _) if slot_start != s => Some("start is not the start of the slot"),
            (_, Some(slot_end)) if e > slot_end || e <= s => Some("end is not the end of the slot"),
            _ => None,
        },
    };
    notes.fault(Rule::Times, what);
    let status = claimed.str_of("status").unwrap_or("missing");
    let mut wrong: Vec<String> = Vec::new();
    if status != "busy" {
        wrong.push(format!("status is {}", clipped(status)));
    }
    let identifier = claimed.get("identifier");
    let of = |name: &str| identifier.and_then(|i| i.str_of(name)).unwrap_or_default();
    if of("system") != systems::UUID || !booking::ids::is_uuid(of("value")) {
        wrong.push("identifier is no UUID".to_owned());
    }
    if let Some((service, slot)) = slot {
        let schedule = format!("Schedule/{}", schedule_id(service, slot.schedule));
        let differs = [
            ("id", claimed.str_of("id").is_some_and(|id| id == slot.id)),
            ("identifier", of("value").eq_ignore_ascii_case(&slot.id)),
            (
                "schedule",
                claimed.at("schedule.reference").and_then(Element::as_str) == Some(&schedule),
            ),
            ("start", at(claimed, "start") == Some(slot.start)),
            ("end", at(claimed, "end") == Some(slot.end)),
        ];
        wrong.extend(
            differs
                .iter()
                .filter(|(_, same)| !same)
                .map(|(name, _)| format!("{name} is not that of the search result")),
        );
    }
    let what = format!("The contained Slot: {}", wrong.join(", "));
    notes.judge(Rule::SlotCopy, wrong.is_empty(), what);
}

/// One element that points with `#` to a contained resource.
fn points_to(root: &Element, name: &str, target: Option<&Element>, rule: Rule, notes: &mut Notes) {
    let count = root.count(name);
    let reference = text_at(root, &format!("{name}.reference"));
    let id = target.and_then(|t| t.str_of("id"));
    let what = match count {
        0 => format!("{name} is missing"),
        1 => format!(
            "{name} is `{}`, not # and the id of the contained resource",
            clipped(reference)
        ),
        n => format!("{name} stands {n} times"),
    };
    let fine = count == 1 && id.is_some() && reference.strip_prefix('#') == id;
    notes.judge(rule, fine, what);
}

fn participant(root: &Element, patient: Option<&Element>, notes: &mut Notes) {
    let participants: Vec<&Element> = root.all("participant").collect();
    let [one] = participants.as_slice() else {
        let place = notes.at(Rule::Actor, "Appointment.participant");
        place.must(false).or(format!(
            "There {} {}",
            plural(participants.len(), "is", "are"),
            counted(participants.len(), "participant", "participants")
        ));
        return;
    };
    let actors = one.count("actor");
    let reference = text_at(one, "actor.reference");
    let id = patient.and_then(|p| p.str_of("id"));
    let what = match actors {
        1 => format!(
            "actor.reference is `{}`, not # and the id of the contained Patient",
            clipped(reference)
        ),
        n => format!("There are {n} actors"),
    };
    let fine = actors == 1 && id.is_some() && reference.strip_prefix('#') == id;
    notes.judge(Rule::Actor, fine, what);
    // The published examples leave the status out, and a Provider fills it in (D-48).
    let status = one.str_of("status");
    notes
        .at(Rule::Actor, "Appointment.participant.status")
        .should(status == Some("accepted"))
        .or("participant.status is not accepted");
    let Some(actor) = one.get("actor") else {
        return;
    };
    let display = actor.str_of("display").unwrap_or_default().trim();
    let family = patient.map_or("", |p| text_at(p, "name.family"));
    let readable = !display.is_empty() && display.to_lowercase().contains(&family.to_lowercase());
    let what = if display.is_empty() {
        "display is missing"
    } else {
        "display does not hold the patient's name"
    };
    notes.judge(Rule::ActorDisplay, readable, what);
    actor_number(actor, patient, notes);
}

fn actor_number(actor: &Element, patient: Option<&Element>, notes: &mut Notes) {
    let number = patient.and_then(nhs_number);
    let given = actor.get("identifier");
    let of = |name: &str| given.and_then(|i| i.str_of(name)).unwrap_or_default();
    let what = match (number, given) {
        (None, None) => None,
        (None, Some(_)) => Some("The actor has an identifier, the contained Patient has none"),
        (Some(_), None) => Some("The actor has no identifier; it repeats the patient's NHS number"),
        (Some(_), Some(_)) if of("use") != "official" => {
            Some("The use of the actor's identifier is not official")
        }
        (Some(_), Some(_)) if of("system") != systems::NHS_NUMBER => {
            Some("The actor's identifier has another system")
        }
        (Some(number), Some(_)) if of("value") != number => {
            Some("The actor's NHS number is not that of the contained Patient")
        }
        _ => None,
    };
    notes.fault(Rule::ActorNumber, what);
}

fn the_document(document: &Element, now: Timestamp, notes: &mut Notes) {
    let id = document.str_of("id").unwrap_or_default();
    let local = !id.is_empty() && !id.contains('/');
    let what = "The DocumentReference has no local id, or does not state its profile";
    notes.judge(Rule::DocProfile, local && states_profile(document), what);
    let system = text_at(document, "identifier.system");
    let value = text_at(document, "identifier.value");
    let what = match (document.count("identifier"), system, value) {
        (1, systems::UUID, value) if !booking::ids::is_uuid(value) => {
            Some("The document's identifier is no UUID")
        }
        (1, systems::UUID, value) if value.bytes().any(|b| b.is_ascii_uppercase()) => {
            Some("The document's UUID has capital letters")
        }
        (1, systems::UUID, _) => None,
        (1, _, _) => Some("The document's identifier has another system"),
        _ => Some("The document has not exactly one identifier"),
    };
    notes.fault(Rule::DocIdentifier, what);
    let status = document.str_of("status").unwrap_or("missing");
    let what = format!("The document's status is {}", clipped(status));
    notes.judge(Rule::DocStatus, status == "current", what);
    let fine = text_at(document, "type.coding.system") == systems::DOCUMENT_TYPE
        && text_at(document, "type.coding.code") == systems::DOCUMENT_TYPE_CODE
        && text_at(document, "type.coding.display") == systems::DOCUMENT_TYPE_DISPLAY;
    let what = "The document's type is missing, or another one";
    notes.judge(Rule::DocType, fine, what);
    indexed(document, now, notes);
    let media = text_at(document, "content.attachment.contentType");
    let language = text_at(document, "content.attachment.language");
    let fine = media == systems::DOCUMENT_MEDIA_TYPE && matches!(language, "en" | "en-GB");
    let what = "The attachment's contentType or language is missing, or another one";
    notes.judge(Rule::DocAttachment, fine, what);
    // D-37: the published examples have it so, the test kit wants the table's value.
    notes
        .at(
            Rule::DocAttachment,
            "Appointment.contained.ofType(DocumentReference).content.attachment.language",
        )
        .advise(language != "en-GB")
        .right("en")
        .or("The attachment's language is en-GB");
}

/// `indexed` is an instant and not to come. An old one is worth knowing: NHS Digital's own consumer sends one.
fn indexed(document: &Element, now: Timestamp, notes: &mut Notes) {
    let given = document.str_of("indexed");
    let age = given
        .and_then(instant::parse)
        .map_or(0, |at| now.as_second() - at.as_second());
    let fault = current("indexed", given, now).filter(|_| age <= NOW_SECONDS);
    notes.fault(Rule::DocIndexed, fault);
    let what = format!("indexed lies {age} seconds in the past");
    notes.remark(Rule::DocIndexed, age <= NOW_SECONDS, what);
}

/// What profiles and STU3 say beyond the rules above; those say it in their own words.
fn conforms(root: &Element, issues: &[Issue], notes: &mut Notes) {
    let already = notes.has_error();
    let all = issues.iter().cloned().chain(conformance().check(root));
    let own = |i: &Issue| i.rule.starts_with("RES-") || i.rule.starts_with("ERR-");
    let errors: Vec<Issue> = all
        .filter(Issue::is_error)
        .filter(|i| !(already && (own(i) || i.code == fhir::IssueCode::Required)))
        .collect();
    notes.note(Rule::Conforms, None);
    for issue in errors.iter().take(MAX_ISSUES) {
        let row = Rule::Conforms.row();
        let mut finding = Finding::error(&row.requirements, clipped_sentence(&issue.message))
            .at(issue.expression.clone())
            .right(row.right);
        if own(issue) {
            finding.requirement.push(issue.rule.clone().into());
        }
        notes.note(Rule::Conforms, Some(finding));
    }
}

fn clipped_sentence(text: &str) -> String {
    text.chars().take(300).collect()
}
