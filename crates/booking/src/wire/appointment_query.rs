//! Reads the query of a patient's appointments (`provider-api.md` section 10).

use super::query;
use super::slot_query::append_bounds;
use super::time::{Bound, Bounds, within};
use crate::ids::{IdError, NhsNumber, ResourceId};
use crate::refusal::{Refusal, Situation};
use crate::systems;
use fhir::Element;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Names of the parameter for the NHS number (PROV-SRCH-01), in any case.
const PATIENT_SPELLINGS: [&str; 7] = [
    "Appointment.participant.actor:Patient.identifier",
    "Appointment.participant.actor",
    "participant.actor:Patient.identifier",
    "patient.identifier",
    "patient:Patient.identifier",
    "patient",
    "identifier",
];

/// The values of `status`.
const STATUSES: [&str; 8] = [
    "proposed",
    "pending",
    "booked",
    "arrived",
    "fulfilled",
    "cancelled",
    "noshow",
    "entered-in-error",
];
/// Most appointments in one answer: more than any patient has ahead, so one answer is complete (PROV-SRCH-02). If there are
/// more, a link leads to the next page (D-57).
pub const MAX_ENTRIES: usize = 200;
/// Longest `_after`.
const MAX_PLACE: usize = 64;

/// A parsed search for appointments. Its `Debug` hides the NHS number, but `self_query` holds it for the answer, never for
/// a log.
#[derive(Clone, PartialEq, Eq)]
pub struct AppointmentQuery {
    /// The patient.
    pub nhs_number: Option<NhsNumber>,
    /// `_id`
    pub id: Option<ResourceId>,
    /// `version`: with `_id`, the version to return; otherwise it has to be the current one (D-92).
    pub version: Option<u32>,
    /// Lower bound of `Appointment.start`, if any (PROV-SRCH-04).
    pub lower: Option<Bound>,
    /// Upper bound of `Appointment.start`, if any.
    pub upper: Option<Bound>,
    /// The wanted states; empty: all.
    pub statuses: Vec<&'static str>,
    /// `_count`: entries in one answer, at most [`MAX_ENTRIES`].
    pub count: Option<usize>,
    /// `_after`: end of the previous page, in a form that only the Provider knows (D-57).
    pub after: Option<String>,
    /// The parsed criteria, percent-encoded in a fixed order, without the page.
    pub self_query: String,
}

impl std::fmt::Debug for AppointmentQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppointmentQuery")
            .field("nhs_number", &self.nhs_number)
            .field("id", &self.id)
            .field("version", &self.version)
            .field("lower", &self.lower)
            .field("upper", &self.upper)
            .field("statuses", &self.statuses)
            .field("count", &self.count)
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

impl AppointmentQuery {
    /// Reads the raw query. A search needs a patient or an appointment: `version` alone would list every patient's, so it
    /// is refused like an empty query (ERR-01). Unknown parameters are ignored, modifiers of known ones are refused
    /// (PROV-SLOT-11). Past `start` bounds are allowed (PROV-SRCH-04).
    pub fn parse(raw_query: &str, zone: &TimeZone) -> Result<AppointmentQuery, Refusal> {
        let mut nhs_number = None;
        let mut id = None;
        let mut version = None;
        let (mut statuses, mut count, mut after) = (Vec::new(), None, None);
        let mut bounds = Bounds::default();
        for (name, value) in query::parameters(raw_query)? {
            match name.as_ref() {
                "_id" => put(
                    &mut id,
                    &name,
                    value.strip_prefix("Appointment/").unwrap_or(&value),
                    ResourceId::parse,
                )?,
                "version" => set(&mut version, &name, version_number(&value)?)?,
                "start" => bounds.add(&name, &value, zone)?,
                "status" => add_statuses(&mut statuses, &value)?,
                "_count" => count = Some(number_of_entries(&value)?),
                "_after" => after = Some(place(&value)?),
                _ if PATIENT_SPELLINGS
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(&name)) =>
                {
                    put(
                        &mut nhs_number,
                        &name,
                        number(&name, &value)?,
                        NhsNumber::parse,
                    )?;
                }
                _ => {
                    let names: Vec<&str> = PATIENT_SPELLINGS
                        .into_iter()
                        .chain(["participant.actor", "_id", "version", "_count", "_after"])
                        .collect();
                    query::refuse_unsupported(&name, &names, &["start", "status"])?;
                }
            }
        }
        if nhs_number.is_none() && id.is_none() {
            return Err(Refusal::new(
                Situation::InvalidParameter,
                format!(
                    "The search names no patient; give `patient.identifier={}|` and the NHS \
                     number, or `_id`.",
                    systems::NHS_NUMBER
                ),
            )
            .location("http.patient.identifier"));
        }
        let mut self_query = String::with_capacity(160);
        if let Some(number) = &nhs_number {
            let token = format!("{}|{}", systems::NHS_NUMBER, number.as_str());
            query::append(&mut self_query, "patient.identifier", &token);
        }
        if let Some(id) = &id {
            query::append(&mut self_query, "_id", id.as_str());
        }
        if let Some(version) = &version {
            query::append(&mut self_query, "version", &version.to_string());
        }
        append_bounds(&mut self_query, bounds.lower, bounds.upper);
        if !statuses.is_empty() {
            query::append(&mut self_query, "status", &statuses.join(","));
        }
        if let Some(count) = count {
            query::append(&mut self_query, "_count", &count.to_string());
        }
        Ok(AppointmentQuery {
            nhs_number,
            id,
            version,
            lower: bounds.lower,
            upper: bounds.upper,
            statuses,
            count,
            after,
            self_query,
        })
    }
}

impl AppointmentQuery {
    /// The query of one page, for a link.
    pub fn page_query(&self, after: Option<&str>) -> String {
        let mut page = self.self_query.clone();
        if let Some(after) = after {
            query::append(&mut page, "_after", after);
        }
        page
    }

    /// True when past appointments are left out: without bounds and without `_id` (PROV-SRCH-02).
    pub fn only_to_come(&self) -> bool {
        self.lower.is_none() && self.upper.is_none() && self.id.is_none()
    }

    /// Whether a stored Appointment has a wanted state and is within the bounds. Without bounds and `_id`, past ones are
    /// left out (PROV-SRCH-02).
    pub fn covers(&self, stored: &Element, now: Timestamp) -> bool {
        let at = |name: &str| stored.str_of(name).and_then(crate::instant::parse);
        let status = stored.str_of("status").unwrap_or("");
        if !self.statuses.is_empty() && !self.statuses.contains(&status) {
            return false;
        }
        if self.lower.is_none() && self.upper.is_none() {
            return !self.only_to_come() || at("end").is_none_or(|end| end > now);
        }
        at("start").is_some_and(|start| within(start, self.lower, self.upper))
    }
}

/// Adds the alternatives in one `status`.
fn add_statuses(statuses: &mut Vec<&'static str>, value: &str) -> Result<(), Refusal> {
    for one in value.split(',') {
        let code = one.rsplit_once('|').map_or(one, |(_, code)| code);
        let known = STATUSES.into_iter().find(|s| *s == code).ok_or_else(|| {
            refused(
                "status",
                format!("The value of `status` is none of {}.", STATUSES.join(", ")),
            )
        })?;
        if !statuses.contains(&known) {
            statuses.push(known);
        }
    }
    Ok(())
}

fn number_of_entries(value: &str) -> Result<usize, Refusal> {
    let count: usize = value.parse().map_err(|_| {
        refused(
            "_count",
            "The value of `_count` is not a whole number, like 50.".to_owned(),
        )
    })?;
    Ok(count.min(MAX_ENTRIES))
}

/// Reads a version number, from 1.
fn version_number(value: &str) -> Result<u32, Refusal> {
    let number = value.parse::<u32>().ok();
    number
        .filter(|number| *number > 0 && number.to_string() == value)
        .ok_or_else(|| {
            refused(
                "version",
                "The value of `version` is not a version of an appointment, like 2.".to_owned(),
            )
        })
}

fn place(value: &str) -> Result<String, Refusal> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    match value.len() <= MAX_PLACE && !value.is_empty() && value.chars().all(legal) {
        true => Ok(value.to_owned()),
        false => Err(refused(
            "_after",
            "The value of `_after` is not one of this server's links.".to_owned(),
        )),
    }
}

/// The value of a token with the NHS number system, or none.
fn number<'a>(name: &str, value: &'a str) -> Result<&'a str, Refusal> {
    match value.split_once('|') {
        None => Ok(value),
        Some(("" | systems::NHS_NUMBER, number)) => Ok(number),
        Some(_) => Err(refused(
            name,
            format!(
                "The identifier system of `{name}` is not known here; it is {}.",
                systems::NHS_NUMBER
            ),
        )),
    }
}

fn put<T: PartialEq>(
    place: &mut Option<T>,
    name: &str,
    value: &str,
    parse: fn(&str) -> Result<T, IdError>,
) -> Result<(), Refusal> {
    let parsed = parse(value).map_err(|error| {
        refused(
            name,
            format!("The value of `{name}` is not legal: the {error}."),
        )
    })?;
    set(place, name, parsed)
}

fn set<T: PartialEq>(place: &mut Option<T>, name: &str, parsed: T) -> Result<(), Refusal> {
    match place {
        Some(other) if *other != parsed => Err(refused(
            name,
            format!("`{name}` contradicts an earlier value; send one value."),
        )),
        _ => {
            *place = Some(parsed);
            Ok(())
        }
    }
}

fn refused(parameter: &str, diagnostics: String) -> Refusal {
    Refusal::new(Situation::InvalidParameter, diagnostics).location(format!("http.{parameter}"))
}
