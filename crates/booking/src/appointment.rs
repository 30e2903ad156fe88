//! Reads the body of a booking (PROV-BOOK-04..10) and of a cancellation.

use crate::careconnect;
use crate::ids::{NhsNumber, is_uuid};
use crate::instant;
use crate::overrides::{
    Contained, Purpose, RULE_NHS_NUMBER, contained_path, is_unreadable, rank, referred_slot,
    slot_fault,
};
use crate::refusal::{Finding, Refusal, Situation};
use crate::systems;
use crate::version::StandardVersion;
use fhir::{Element, Issue, Parsed, Severity};
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

/// Refuses a body that cannot be read as an Appointment (ERR-04). The issues that are left are of conformance.
pub fn readable(parsed: Parsed) -> Result<Parsed, Refusal> {
    if parsed.issues.iter().any(is_unreadable) {
        let structural: Vec<Issue> = parsed.issues.into_iter().filter(is_unreadable).collect();
        return Err(Refusal::from_issues(Situation::BodyUnreadable, &structural));
    }
    match parsed.root.resource_type() {
        Some("Appointment") => Ok(parsed),
        _ => Err(Refusal::new(
            Situation::BodyUnreadable,
            "The body is another resource; `resourceType` must be `Appointment`.",
        )
        .expression("resourceType")),
    }
}

/// Checks a PUT's body for conformance (422). The codec's issues are enough: anything else wrong differs from the stored
/// Appointment, which conforms.
pub fn check_update(readable: Parsed) -> Result<Element, Refusal> {
    let errors: Vec<Issue> = readable
        .issues
        .into_iter()
        .filter(Issue::is_error)
        .collect();
    if errors.is_empty() {
        Ok(readable.root)
    } else {
        Err(not_conformant(&errors))
    }
}

/// The slot that a booking claims (PROV-BOOK-02).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotClaim {
    /// System and value; UUIDs in lower case.
    pub identifier: Option<(String, String)>,
    /// Id of the contained Slot; without one, the id in the reference.
    pub id: String,
    /// The contained Slot; absent if the version allows that (VER-05).
    pub copy: Option<SlotCopy>,
}

/// The slot as a Consumer copied it into its booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotCopy {
    /// Id of its Schedule.
    pub schedule: String,
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
}

impl SlotClaim {
    /// The UUID of the slot: the identifier, else the id. `None`: neither is a UUID, so the slot is not ours.
    pub fn uuid(&self) -> Option<Uuid> {
        let identifier = self.identifier.as_ref().map(|(_, value)| value.as_str());
        // Only the usual form: braces and URNs were never given out.
        identifier
            .into_iter()
            .chain([self.id.as_str()])
            .find(|t| is_uuid(t))
            .and_then(|t| Uuid::try_parse(t).ok())
    }
}

/// A booking that conforms to the Standard.
#[derive(Clone, Debug)]
pub struct BookingRequest {
    /// The submission, completed with `language`, profiles, `participant.status` and the Slot's `busy`.
    pub document: Element,
    /// The slot claimed.
    pub slot: SlotClaim,
    /// Start of the appointment.
    pub start: Timestamp,
    /// End of the appointment, within the slot.
    pub end: Timestamp,
    /// The patient's NHS number. One that is only in `participant.actor` does not count (PROV-BOOK-05).
    pub nhs_number: Option<NhsNumber>,
    /// Identifier of the referral document, lower case. `None` only if the version allows its absence (VER-05).
    pub document_id: Option<String>,
    /// Tolerated faults of the consumer's system, for the log (PROV-ERR-03).
    pub faults: Vec<Issue>,
    birth_date: Option<Date>,
    slot_index: Option<usize>,
    patient_index: usize,
}

impl BookingRequest {
    /// Reads a booking in the order of `provider-api.md` section 2. An unreadable body, or no contained Slot id, is 400
    /// (ERR-04). Wrong contact ranks are 400 (ERR-05). Then profile and overrides are 422, with one finding per fault
    /// (ERR-17, ERR-18).
    pub fn read(parsed: Parsed) -> Result<BookingRequest, Refusal> {
        BookingRequest::read_as(parsed, StandardVersion::Current)
    }

    /// [`BookingRequest::read`] by the rules of the Consumer's version.
    pub fn read_as(parsed: Parsed, version: StandardVersion) -> Result<BookingRequest, Refusal> {
        let Parsed { mut root, issues } = readable(parsed)?;
        let contained = Contained::of(&root);
        if let Some(issue) = slot_fault(&root, &contained, version) {
            return Err(Refusal::from_issues(Situation::BodyUnreadable, &[issue]));
        }
        let ranks = rank::faults(&root, &contained, version);
        if !ranks.is_empty() {
            return Err(Refusal::from_issues(Situation::ContactRank, &ranks));
        }
        let all = careconnect::conformance().judge(&mut root, issues, Purpose::Book(version));
        let faults = settle(all)?;
        claim(root, faults).ok_or_else(|| {
            // All parts taken here were checked above.
            Refusal::new(
                Situation::NotConformant,
                "The booking lacks what identifies slot and document.",
            )
        })
    }

    /// FHIRPath of `element` in the contained Slot, else in the Appointment.
    pub(crate) fn slot_path(&self, element: &str) -> String {
        match (self.slot_index, element) {
            (Some(index), _) => format!("{}.{element}", contained_path(index)),
            (None, "start" | "end") => format!("Appointment.{element}"),
            (None, _) => "Appointment.slot[0].reference".to_owned(),
        }
    }

    /// FHIRPath of the contained Patient.
    pub(crate) fn patient_path(&self) -> String {
        contained_path(self.patient_index)
    }

    /// First day of the date of birth, which may be a month or year.
    pub(crate) fn birth_date(&self) -> Option<Date> {
        self.birth_date
    }
}

/// Refuses errors, and returns warnings as tolerated faults.
fn settle(issues: Vec<Issue>) -> Result<Vec<Issue>, Refusal> {
    let (errors, rest): (Vec<Issue>, Vec<Issue>) = issues.into_iter().partition(Issue::is_error);
    if errors.is_empty() {
        Ok(rest
            .into_iter()
            .filter(|i| i.severity == Severity::Warning)
            .collect())
    } else {
        Err(not_conformant(&errors))
    }
}

/// 422 with one finding per fault. An invalid NHS number has its own row, ERR-18. The first fault sets the refusal's row.
fn not_conformant(errors: &[Issue]) -> Refusal {
    let of = |issue: &Issue| match issue.rule.as_str() {
        RULE_NHS_NUMBER => Situation::NhsNumberInvalid,
        _ => Situation::NotConformant,
    };
    let situation = errors.first().map_or(Situation::NotConformant, of);
    Refusal::of(
        situation,
        errors
            .iter()
            .map(|i| Finding::from(i).situation(of(i)))
            .collect(),
    )
}

fn claim(root: Element, faults: Vec<Issue>) -> Option<BookingRequest> {
    let contained = Contained::of(&root);
    let (patient_index, patient) = contained.patient?;
    let at = |e: &Element, name: &str| e.str_of(name).and_then(instant::parse);
    let (claimed, slot_index) = match contained.slot {
        None => {
            let claimed = SlotClaim {
                identifier: None,
                id: referred_slot(&root)?.to_owned(),
                copy: None,
            };
            (claimed, None)
        }
        Some((index, slot)) => {
            let identifier = slot
                .get("identifier")
                .and_then(|i| Some((i.str_of("system")?, i.str_of("value")?)));
            let schedule = slot.at("schedule.reference")?.as_str()?;
            let claimed = SlotClaim {
                identifier: identifier
                    .map(|(system, value)| (system.to_owned(), uuid_lowered(value))),
                id: slot.str_of("id")?.to_owned(),
                copy: Some(SlotCopy {
                    schedule: schedule.strip_prefix("Schedule/")?.to_owned(),
                    start: at(slot, "start")?,
                    end: at(slot, "end")?,
                }),
            };
            (claimed, Some(index))
        }
    };
    let number = crate::overrides::identifier_of(patient, systems::NHS_NUMBER);
    let nhs_number = number
        .and_then(|i| i.str_of("value"))
        .and_then(|v| NhsNumber::parse(v).ok());
    let document_id = match contained.document {
        None => None,
        Some((_, document)) => {
            let value = document.at("identifier.value")?.as_str()?;
            Some(value.trim().to_lowercase())
        }
    };
    let birth_date = patient
        .str_of("birthDate")
        .and_then(crate::overrides::first_day);
    let (start, end) = (at(&root, "start")?, at(&root, "end")?);
    Some(BookingRequest {
        slot: claimed,
        start,
        end,
        nhs_number,
        document_id,
        faults,
        birth_date,
        slot_index,
        patient_index,
        document: root,
    })
}

fn uuid_lowered(value: &str) -> String {
    if is_uuid(value) {
        value.to_ascii_lowercase()
    } else {
        value.to_owned()
    }
}
