//! Booking: checks the claim against the slot, and makes the stored document (PROV-BOOK-02, 03, 08, 09).

use crate::appointment::BookingRequest;
use crate::ids::{ResourceId, is_uuid};
use crate::instant;
use crate::overrides::{BORN_LATER, is_future};
use crate::placing::{
    BEFORE_CREATED, BEFORE_META, BEFORE_PATIENT_IDENTIFIER, place, stamp, state_profile,
};
use crate::refusal::{Finding, Refusal, Situation};
use crate::slot::SlotStatus;
use crate::systems;
use fhir::Element;
use jiff::Timestamp;

/// A slot as the booking transaction sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotSnapshot {
    /// Its id and identifier: a UUID, lower case.
    pub id: String,
    /// Id of its schedule.
    pub schedule: String,
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// State.
    pub status: SlotStatus,
    /// Whether a live booking holds it.
    pub live_booking: bool,
}

/// Checks a booking against its slot: unknown (ERR-16), other schedule or times (422), past (ERR-20), taken (ERR-15).
/// `None`: the slot does not exist.
pub fn check_claim(
    claim: &BookingRequest,
    slot: Option<&SlotSnapshot>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let Some(slot) = slot else {
        return Err(Refusal::new(
            Situation::ReferenceUnknown,
            "This slot does not exist here; search for slots again.",
        )
        .expression(claim.slot_path("identifier")));
    };
    let mut faults = mismatches(claim, slot);
    if claim.birth_date().is_some_and(|born| is_future(born, now)) {
        faults.push(
            Finding::error(BORN_LATER)
                .expression(format!("{}.birthDate", claim.patient_path()))
                .situation(Situation::NotConformant),
        );
    }
    if let Some(first) = faults.first() {
        return Err(Refusal::of(
            first.situation.unwrap_or(Situation::NotConformant),
            faults,
        ));
    }
    if slot.start <= now {
        return Err(Refusal::new(
            Situation::StateForbids,
            "The slot is in the past; a slot can be booked until it starts.",
        )
        .expression(claim.slot_path("start")));
    }
    if slot.status != SlotStatus::Free || slot.live_booking {
        return Err(Refusal::new(
            Situation::SlotTaken,
            format!("slot {} is {}", slot.id, slot.status),
        ));
    }
    Ok(())
}

fn mismatches(claim: &BookingRequest, slot: &SlotSnapshot) -> Vec<Finding> {
    let mut faults = Vec::new();
    let mut differs = |element: &str, situation| {
        let sentence = format!(
            "`{element}` does not agree with the slot; send the Slot as the search returned it."
        );
        faults.push(
            Finding::error(sentence)
                .expression(claim.slot_path(element))
                .situation(situation),
        );
    };
    let Some(copy) = &claim.slot.copy else {
        // Only the Appointment's own times can differ.
        if claim.start != slot.start {
            differs("start", Situation::NotConformant);
        }
        if claim.end > slot.end {
            differs("end", Situation::NotConformant);
        }
        return faults;
    };
    // A local name for the contained Slot is tolerated, but not another slot's id.
    if is_uuid(&claim.slot.id) && !claim.slot.id.eq_ignore_ascii_case(&slot.id) {
        differs("id", Situation::ReferenceUnknown);
    }
    if copy.schedule != slot.schedule {
        differs("schedule.reference", Situation::ReferenceUnknown);
    }
    if copy.start != slot.start {
        differs("start", Situation::NotConformant);
    }
    if copy.end != slot.end {
        differs("end", Situation::NotConformant);
    }
    faults
}

/// The stored Appointment, version 1 (PROV-BOOK-08): with `id`, `meta`, the server's `created` (D-16), and a local
/// `Patient.identifier` (D-17) for a patient without NHS number, if the Provider is configured so.
pub fn booked_document(
    request: &BookingRequest,
    id: &ResourceId,
    now: Timestamp,
    local_identifier: Option<&str>,
) -> Element {
    let local_identifier = local_identifier.filter(|_| request.nhs_number.is_none());
    stored_document(request.document.clone(), id, now, local_identifier)
}

/// [`booked_document`] for a given document. `local_identifier`, a value of our own system or `system|value`, is for a
/// patient without NHS number.
pub fn stored_document(
    mut document: Element,
    id: &ResourceId,
    now: Timestamp,
    local_identifier: Option<&str>,
) -> Element {
    document.remove("id");
    document.push_front(Element::text("id", id.as_str()));
    if let Some(meta) = document.get_mut("meta") {
        // A consumer's version metadata is discarded.
        meta.remove("versionId");
        meta.remove("lastUpdated");
    } else {
        place(&mut document, Element::new("meta"), BEFORE_META);
    }
    stamp(&mut document, 1, now);
    state_profile(&mut document);
    place(
        &mut document,
        Element::text("created", instant::seconds(now)),
        BEFORE_CREATED,
    );
    if let Some(local_identifier) = local_identifier {
        let patient = document
            .children_mut()
            .iter_mut()
            .find(|c| c.name() == "contained" && c.resource_type() == Some("Patient"));
        if let Some(patient) = patient {
            let (system, value) = local_identifier
                .split_once('|')
                .unwrap_or((systems::LOCAL_PATIENT, local_identifier));
            let identifier = Element::new("identifier")
                .in_list()
                .with(Element::text("use", "usual"))
                .with(Element::text("system", system))
                .with(Element::text("value", value));
            place(patient, identifier, BEFORE_PATIENT_IDENTIFIER);
        }
    }
    document
}
