//! Checks an Appointment: RES-APPT-01..16.

use super::{Checked, Contained, document, patient, slot, states_profile};
use crate::systems;
use crate::version::StandardVersion;
use fhir::{Element, Issue, IssueCode};
use std::cell::RefCell;

/// Which Appointment is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The body of a booking, by a version's rules.
    Book(StandardVersion),
    /// Any message or stored Appointment of a Consumer of this version.
    Any(StandardVersion),
}

impl Purpose {
    fn version(self) -> StandardVersion {
        match self {
            Purpose::Book(version) | Purpose::Any(version) => version,
        }
    }
}

/// Checks an Appointment and its contained resources against the overrides. What a Provider completes is a warning.
pub(crate) fn appointment(appointment: &Element, purpose: Purpose) -> Vec<Issue> {
    let issues = RefCell::default();
    let root = &Checked::root(appointment, &issues);
    let contained = &Contained::of(appointment);
    let version = purpose.version();
    head(root, purpose);
    contained_kinds(&root.rule("RES-APPT-04"), version);
    let statuses: &[&str] = match purpose {
        Purpose::Book(_) => &["booked"],
        Purpose::Any(_) => &["booked", "cancelled", "entered-in-error"],
    };
    root.rule("RES-APPT-05").fixed("status", statuses);
    times(root, contained);
    root.rule("RES-APPT-08").text("description");
    slot_reference(&root.rule("RES-APPT-09"), contained);
    document_reference(&root.rule("RES-APPT-10"), contained, version);
    participants(&root.rule("RES-APPT-12"), contained, version);
    if let Some((i, resource)) = contained.slot {
        slot::slot(&root.below("contained", Some(i), resource));
    }
    if let Some((i, resource)) = contained.patient {
        patient::patient(&root.below("contained", Some(i), resource));
    }
    if let Some((i, resource)) = contained.document {
        document::document(&root.below("contained", Some(i), resource));
    }
    issues.into_inner()
}

fn head(root: &Checked, purpose: Purpose) {
    if matches!(purpose, Purpose::Book(_)) {
        let root = root.rule("RES-APPT-01");
        if let Some(id) = root.child("id") {
            let message = "A new Appointment has no `id`; the Provider assigns it.";
            id.error(IssueCode::Value, message);
        }
        if let Some(meta) = root.child("meta")
            && let Some(version) = meta.child("versionId")
        {
            let message = "A new Appointment has no `versionId`; a Provider replaces it.";
            version.fault(IssueCode::Value, message);
        }
    }
    let profile = systems::profile("Appointment").unwrap_or_default();
    if !states_profile(root.element, profile) {
        let message = format!("The profile {profile} must be stated.");
        let root = root.rule("RES-APPT-02");
        root.error_at("meta.profile", IssueCode::Required, message);
    }
    let root = root.rule("RES-APPT-03");
    let Some(language) = root.child("language") else {
        let message = "`language` is missing; a Provider adds `en-GB`.";
        return root.fault_at("language", IssueCode::Required, message);
    };
    match language.element.as_str() {
        Some("en-GB") => {}
        Some("en") => {
            let message = "`language` is `en`; a Provider stores `en-GB`.";
            language.fault(IssueCode::Value, message);
        }
        _ => language.error(IssueCode::Value, "`language` must be `en-GB`."),
    }
}

fn contained_kinds(root: &Checked, version: StandardVersion) {
    let kinds = ["DocumentReference", "Patient", "Slot"];
    for kind in kinds {
        let contained = root.element.all("contained");
        let found = contained
            .filter(|c| c.resource_type() == Some(kind))
            .count();
        let may_lack = kind != "Patient" && !version.requires_all_contained();
        if found != 1 && !(found == 0 && may_lack) {
            let message =
                format!("There are {found} contained {kind} resources; there must be exactly one.");
            root.error_at("contained", IssueCode::Required, message);
        }
    }
    for (i, other) in root.element.all("contained").enumerate() {
        if !other.resource_type().is_some_and(|t| kinds.contains(&t)) {
            let message =
                "Only one DocumentReference, one Patient and one Slot are contained, nothing else.";
            let other = root.below("contained", Some(i), other);
            other.error(IssueCode::Structure, message);
        }
    }
}

fn times(root: &Checked, contained: &Contained) {
    let created = root.rule("RES-APPT-07");
    let root = root.rule("RES-APPT-06");
    let (start, end) = (root.instant("start"), root.instant("end"));
    created.instant("created");
    let (Some(start), Some(end)) = (start, end) else {
        return;
    };
    let wrong = |name: &str, message: &str| {
        if let Some(time) = root.child(name) {
            time.error(IssueCode::BusinessRule, message);
        }
    };
    if end <= start {
        wrong("end", "`end` must be after `start`.");
    }
    let of_slot = |name| {
        let (_, slot) = contained.slot?;
        slot.str_of(name).and_then(crate::instant::parse)
    };
    if of_slot("start").is_some_and(|slot_start| slot_start != start) {
        wrong("start", "`start` must be the start of the contained Slot.");
    }
    if of_slot("end").is_some_and(|slot_end| end > slot_end) {
        let message = "`end` must not be later than the end of the contained Slot.";
        wrong("end", message);
    }
}

/// `slot`: refers to the contained Slot, or to the slot itself if the version allows it.
fn slot_reference(root: &Checked, contained: &Contained) {
    let Some(slot) = root.one_of_list("slot") else {
        return;
    };
    let Some(given) = slot.text("reference") else {
        return;
    };
    let direct = given.strip_prefix("Slot/");
    let Some((_, resource)) = contained.slot else {
        if direct.is_none() {
            let message = "`reference` must be `Slot/` and the id of the slot, or `#` and the id of a contained Slot.";
            slot.error_at("reference", IssueCode::NotFound, message);
        }
        return;
    };
    let id = resource.str_of("id").unwrap_or_default();
    if direct == Some(id) {
        let message = "`Slot/<id>` is an old form; write `#` and the id of the contained Slot.";
        slot.fault_at("reference", IssueCode::Value, message);
    } else if given.strip_prefix('#') != Some(id) {
        let message = "`reference` must be `#` and the id of the contained Slot.";
        slot.error_at("reference", IssueCode::NotFound, message);
    }
}

/// `supportingInformation`: refers to the contained DocumentReference, if that is contained.
fn document_reference(root: &Checked, contained: &Contained, version: StandardVersion) {
    if contained.document.is_none() && !version.requires_all_contained() {
        return;
    }
    if let Some(information) = root.one_of_list("supportingInformation") {
        local(&information, contained.document);
    }
}

/// `reference` must be `#` and the id of a contained resource.
fn local(at: &Checked, target: Option<(usize, &Element)>) {
    let Some(given) = at.text("reference") else {
        return;
    };
    // The missing resource is another finding.
    let Some((_, resource)) = target else {
        return;
    };
    if given.strip_prefix('#') != Some(resource.str_of("id").unwrap_or_default()) {
        let kind = resource.resource_type().unwrap_or_default();
        let message = format!("`reference` must be `#` and the id of the contained {kind}.");
        at.error_at("reference", IssueCode::NotFound, message);
    }
}

/// The patient and, if the version allows it, others, who are kept unchanged.
fn participants(root: &Checked, contained: &Contained, version: StandardVersion) {
    if !version.allows_further_participants() || root.element.count("participant") < 2 {
        if let Some(one) = root.one_of_list("participant") {
            participant(&one, contained);
        }
        return;
    }
    let id = contained.patient.and_then(|(_, p)| p.str_of("id"));
    let all = root.element.all("participant").enumerate();
    let mut patients = all.filter(|(_, p)| {
        let actor = p.at("actor.reference").and_then(Element::as_str);
        actor.and_then(|reference| reference.strip_prefix('#')) == id
    });
    match (patients.next(), patients.next()) {
        (Some((i, one)), None) => {
            participant(&root.below("participant", Some(i), one), contained);
        }
        _ => {
            let message = "Exactly one `participant` must be the contained Patient.";
            root.error_at("participant", IssueCode::Required, message);
        }
    }
}

fn participant(participant: &Checked, contained: &Contained) {
    match participant.element.get("status") {
        None => {
            let message = "`participant.status` is missing; a Provider stores `accepted`.";
            participant.fault_at("status", IssueCode::Required, message);
        }
        Some(_) => participant.fixed("status", &["accepted"]),
    }
    let Some(actor) = participant.one("actor") else {
        return;
    };
    local(&actor.rule("RES-APPT-13"), contained.patient);
    let display = actor.element.str_of("display");
    if display.is_none_or(|d| d.trim().is_empty()) {
        let message = "`display` is missing; it holds the patient's full name.";
        let actor = actor.rule("RES-APPT-15");
        actor.fault_at("display", IssueCode::Required, message);
    }
    actor_identifier(&actor.rule("RES-APPT-14"), contained);
}

fn actor_identifier(actor: &Checked, contained: &Contained) {
    let of_patient = contained
        .patient
        .and_then(|(_, p)| super::identifier_of(p, systems::NHS_NUMBER));
    let number = of_patient.and_then(|i| i.str_of("value"));
    let Some(identifier) = actor.child("identifier") else {
        if number.is_some() {
            let message = "`identifier` is missing; it repeats the patient's NHS number.";
            actor.fault_at("identifier", IssueCode::Required, message);
        }
        return;
    };
    identifier.fixed("system", &[systems::NHS_NUMBER]);
    if identifier.element.str_of("use") != Some("official") {
        identifier.fault_at("use", IssueCode::Value, "`use` should be `official`.");
    }
    patient::nhs_number(&identifier);
    // A patient booked without NHS number may have one here (PROV-BOOK-05), but two must not differ.
    if let (Some(number), Some(here)) = (number, identifier.element.str_of("value"))
        && number != here
    {
        let message = "The NHS number of the participant is not that of the contained Patient.";
        identifier.error_at("value", IssueCode::BusinessRule, message);
    }
}
