//! Checks an Appointment: RES-APPT-01..16.

use super::{Contained, Report, contained_path, document, patient, slot};
use crate::systems;
use crate::version::StandardVersion;
use fhir::{Element, IssueCode};

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
pub(crate) fn appointment(
    root: &Element,
    contained: &Contained,
    purpose: Purpose,
    report: &mut Report,
) {
    const PATH: &str = "Appointment";
    head(root, purpose, report);
    let version = purpose.version();
    contained_kinds(root, version, report);
    match purpose {
        Purpose::Book(_) => report.fixed(root, PATH, "status", "RES-APPT-05", &["booked"]),
        Purpose::Any(_) => {
            report.fixed(
                root,
                PATH,
                "status",
                "RES-APPT-05",
                &["booked", "cancelled", "entered-in-error"],
            );
        }
    }
    times(root, contained, report);
    report.text(root, PATH, "description", "RES-APPT-08");
    slot_reference(root, contained, report);
    document_reference(root, contained, version, report);
    participants(root, contained, version, report);
    if let Some((i, resource)) = contained.slot {
        slot::slot(resource, &contained_path(i), report);
    }
    if let Some((i, resource)) = contained.patient {
        patient::patient(resource, &contained_path(i), report);
    }
    if let Some((i, resource)) = contained.document {
        document::document(resource, &contained_path(i), report);
    }
}

fn head(root: &Element, purpose: Purpose, report: &mut Report) {
    if matches!(purpose, Purpose::Book(_)) {
        if let Some(id) = root.get("id") {
            let message = "A new Appointment has no `id`; the Provider assigns it.";
            report.error(
                IssueCode::Value,
                id,
                "Appointment.id".to_owned(),
                "RES-APPT-01",
                message,
            );
        }
        if let Some(version) = root.get("meta").and_then(|m| m.get("versionId")) {
            let message = "A new Appointment has no `versionId`; a Provider replaces it.";
            let path = "Appointment.meta.versionId".to_owned();
            report.fault(IssueCode::Value, version, path, "RES-APPT-01", message);
        }
    }
    let profile = systems::profile("Appointment").unwrap_or_default();
    let stated = root
        .get("meta")
        .is_some_and(|m| m.all("profile").any(|p| p.as_str() == Some(profile)));
    if !stated {
        let message = format!("The profile {profile} must be stated.");
        let path = "Appointment.meta.profile".to_owned();
        report.error(IssueCode::Required, root, path, "RES-APPT-02", message);
    }
    let path = || "Appointment.language".to_owned();
    match root.get("language") {
        None => {
            report.fault(
                IssueCode::Required,
                root,
                path(),
                "RES-APPT-03",
                "`language` is missing; a Provider adds `en-GB`.",
            );
        }
        Some(e) => match e.as_str() {
            Some("en-GB") => {}
            Some("en") => {
                report.fault(
                    IssueCode::Value,
                    e,
                    path(),
                    "RES-APPT-03",
                    "`language` is `en`; a Provider stores `en-GB`.",
                );
            }
            _ => report.error(
                IssueCode::Value,
                e,
                path(),
                "RES-APPT-03",
                "`language` must be `en-GB`.",
            ),
        },
    }
}

fn contained_kinds(root: &Element, version: StandardVersion, report: &mut Report) {
    let kinds = ["DocumentReference", "Patient", "Slot"];
    for kind in kinds {
        let found = root
            .all("contained")
            .filter(|c| c.resource_type() == Some(kind))
            .count();
        let may_lack = kind != "Patient" && !version.requires_all_contained();
        if found != 1 && !(found == 0 && may_lack) {
            report.error(
                IssueCode::Required,
                root,
                "Appointment.contained".to_owned(),
                "RES-APPT-04",
                format!("There are {found} contained {kind} resources; there must be exactly one."),
            );
        }
    }
    for (i, other) in root.all("contained").enumerate() {
        if !other.resource_type().is_some_and(|t| kinds.contains(&t)) {
            report.error(
                IssueCode::Structure,
                other,
                contained_path(i),
                "RES-APPT-04",
                "Only one DocumentReference, one Patient and one Slot are contained, nothing else.",
            );
        }
    }
}

fn times(root: &Element, contained: &Contained, report: &mut Report) {
    let start = report.instant(root, "Appointment", "start", "RES-APPT-06");
    let end = report.instant(root, "Appointment", "end", "RES-APPT-06");
    report.instant(root, "Appointment", "created", "RES-APPT-07");
    let (Some(start), Some(end)) = (start, end) else {
        return;
    };
    let mut wrong = |name: &str, message: &str| {
        let at = root.get(name).unwrap_or(root);
        report.error(
            IssueCode::BusinessRule,
            at,
            format!("Appointment.{name}"),
            "RES-APPT-06",
            message,
        );
    };
    if end <= start {
        wrong("end", "`end` must be after `start`.");
    }
    let slot = contained.slot.map(|(_, slot)| slot);
    let of_slot = |name| {
        slot.and_then(|s| s.str_of(name))
            .and_then(crate::instant::parse)
    };
    if of_slot("start").is_some_and(|slot_start| slot_start != start) {
        wrong("start", "`start` must be the start of the contained Slot.");
    }
    if of_slot("end").is_some_and(|slot_end| end > slot_end) {
        wrong(
            "end",
            "`end` must not be later than the end of the contained Slot.",
        );
    }
}

/// `slot`: refers to the contained Slot, or to the slot itself if the version allows it.
fn slot_reference(root: &Element, contained: &Contained, report: &mut Report) {
    let Some(e) = report.one(root, "Appointment", "slot", "RES-APPT-09") else {
        return;
    };
    let path = "Appointment.slot[0]";
    let Some(given) = report.text(e, path, "reference", "RES-APPT-09") else {
        return;
    };
    let path = format!("{path}.reference");
    let direct = given.strip_prefix("Slot/");
    let Some((_, slot)) = contained.slot else {
        if direct.is_none() {
            let message = "`reference` must be `Slot/` and the id of the slot, or `#` and the id of a contained Slot.";
            report.error(IssueCode::NotFound, e, path, "RES-APPT-09", message);
        }
        return;
    };
    let id = slot.str_of("id").unwrap_or_default();
    if direct == Some(id) {
        let message = "`Slot/<id>` is an old form; write `#` and the id of the contained Slot.";
        report.fault(IssueCode::Value, e, path, "RES-APPT-09", message);
    } else if given.strip_prefix('#') != Some(id) {
        let message = "`reference` must be `#` and the id of the contained Slot.";
        report.error(IssueCode::NotFound, e, path, "RES-APPT-09", message);
    }
}

/// `supportingInformation`: refers to the contained DocumentReference, if that is contained.
fn document_reference(
    root: &Element,
    contained: &Contained,
    version: StandardVersion,
    report: &mut Report,
) {
    if contained.document.is_none() && !version.requires_all_contained() {
        return;
    }
    if let Some(e) = report.one(root, "Appointment", "supportingInformation", "RES-APPT-10") {
        let path = "Appointment.supportingInformation[0]";
        local(e, path, contained.document, "RES-APPT-10", report);
    }
}

/// `reference` must be `#` and the id of a contained resource.
fn local(
    e: &Element,
    path: &str,
    target: Option<(usize, &Element)>,
    rule: &str,
    report: &mut Report,
) {
    let Some(given) = report.text(e, path, "reference", rule) else {
        return;
    };
    // The missing resource is another finding.
    let Some((_, resource)) = target else {
        return;
    };
    if given.strip_prefix('#') != Some(resource.str_of("id").unwrap_or_default()) {
        let kind = resource.resource_type().unwrap_or_default();
        let message = format!("`reference` must be `#` and the id of the contained {kind}.");
        report.error(
            IssueCode::NotFound,
            e,
            format!("{path}.reference"),
            rule,
            message,
        );
    }
}

/// The patient and, if the version allows it, others, who are kept unchanged.
fn participants(
    root: &Element,
    contained: &Contained,
    version: StandardVersion,
    report: &mut Report,
) {
    if !version.allows_further_participants() || root.count("participant") < 2 {
        if let Some(one) = report.one(root, "Appointment", "participant", "RES-APPT-12") {
            participant(one, "Appointment.participant[0]", contained, report);
        }
        return;
    }
    let id = contained.patient.and_then(|(_, p)| p.str_of("id"));
    let mut patients = root.all("participant").enumerate().filter(|(_, p)| {
        let actor = p.at("actor.reference").and_then(Element::as_str);
        actor.and_then(|reference| reference.strip_prefix('#')) == id
    });
    match (patients.next(), patients.next()) {
        (Some((i, one)), None) => {
            let path = format!("Appointment.participant[{i}]");
            participant(one, &path, contained, report);
        }
        _ => report.error(
            IssueCode::Required,
            root,
            "Appointment.participant".to_owned(),
            "RES-APPT-12",
            "Exactly one `participant` must be the contained Patient.",
        ),
    }
}

fn participant(participant: &Element, path: &str, contained: &Contained, report: &mut Report) {
    match participant.get("status") {
        None => report.fault(
            IssueCode::Required,
            participant,
            format!("{path}.status"),
            "RES-APPT-12",
            "`participant.status` is missing; a Provider stores `accepted`.",
        ),
        Some(_) => report.fixed(participant, path, "status", "RES-APPT-12", &["accepted"]),
    }
    let Some(actor) = report.one(participant, path, "actor", "RES-APPT-12") else {
        return;
    };
    let path = format!("{path}.actor");
    local(actor, &path, contained.patient, "RES-APPT-13", report);
    if actor.str_of("display").is_none_or(|d| d.trim().is_empty()) {
        let message = "`display` is missing; it holds the patient's full name.";
        report.fault(
            IssueCode::Required,
            actor,
            format!("{path}.display"),
            "RES-APPT-15",
            message,
        );
    }
    actor_identifier(actor, &path, contained, report);
}

fn actor_identifier(actor: &Element, path: &str, contained: &Contained, report: &mut Report) {
    let of_patient = contained
        .patient
        .and_then(|(_, p)| super::identifier_of(p, systems::NHS_NUMBER));
    let number = of_patient.and_then(|i| i.str_of("value"));
    let path = format!("{path}.identifier");
    let Some(identifier) = actor.get("identifier") else {
        if number.is_some() {
            let message = "`identifier` is missing; it repeats the patient's NHS number.";
            report.fault(IssueCode::Required, actor, path, "RES-APPT-14", message);
        }
        return;
    };
    report.fixed(
        identifier,
        &path,
        "system",
        "RES-APPT-14",
        &[systems::NHS_NUMBER],
    );
    if identifier.str_of("use") != Some("official") {
        let message = "`use` should be `official`.";
        report.fault(
            IssueCode::Value,
            identifier,
            format!("{path}.use"),
            "RES-APPT-14",
            message,
        );
    }
    patient::nhs_number(identifier, &path, report);
    // A patient booked without NHS number may have one here (PROV-BOOK-05), but two must not differ.
    if let (Some(number), Some(here)) = (number, identifier.str_of("value"))
        && number != here
    {
        let message = "The NHS number of the participant is not that of the contained Patient.";
        report.error(
            IssueCode::BusinessRule,
            identifier,
            format!("{path}.value"),
            "RES-APPT-14",
            message,
        );
    }
}
