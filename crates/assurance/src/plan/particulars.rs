//! What is written down before a run and after it (DEP-06): systems, services, slot pattern, test patient, date,
//! result, actions.

use super::kind::PlanKind;
use booking::ids::{NhsNumber, ServiceId};
use jiff::civil::Date;

/// Most service ids of one field.
const MAX_SERVICES: usize = 20;
/// Start of the numbers that are never issued to a patient.
const SYNTHETIC: &str = "999";
/// Minutes that a slot may sensibly have.
const SLOT_MINUTES: std::ops::RangeInclusive<i64> = 1..=480;

/// What a value has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Any text.
    Text,
    /// A date such as 2031-03-04.
    Date,
    /// Directory (DoS) service ids, separated by commas.
    Services,
    /// Minutes, and words about them.
    SlotPattern,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// NHS number of the test patient.
    NhsNumber,
    /// A disposition code such as Dx05.
    Disposition,
}

/// One particular.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key in the file.
    pub key: &'static str,
    /// The question.
    pub label: &'static str,
    /// More about it, for `?`.
    pub help: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Whether the plan is incomplete without it.
    pub required: bool,
    /// Whether it is known only after the steps.
    pub after: bool,
}

const fn field(key: &'static str, label: &'static str, holds: Holds, help: &'static str) -> Field {
    Field {
        key,
        label,
        help,
        holds,
        required: true,
        after: false,
    }
}

const fn optional(field: Field) -> Field {
    Field {
        required: false,
        ..field
    }
}

const fn after(field: Field) -> Field {
    Field {
        after: true,
        ..field
    }
}

const FIELDS: &[Field] = &[
    field(
        "date",
        "Date of the run",
        Holds::Date,
        "The day on which the steps are done, such as 2031-03-04.",
    ),
    field(
        "environment",
        "Environment",
        Holds::Text,
        "Where it is done: integration, training, production under a test plan.",
    ),
    field(
        "consumer_system",
        "System of the 111 side",
        Holds::Text,
        "Product, version and supplier.",
    ),
    field(
        "consumer_organisation",
        "Organisation of the 111 side",
        Holds::Text,
        "Name and ODS code.",
    ),
    field(
        "provider_system",
        "System of the providing side",
        Holds::Text,
        "Product, version and supplier.",
    ),
    field(
        "provider_organisation",
        "Organisation of the providing side",
        Holds::Text,
        "Name and ODS code.",
    ),
    field(
        "service",
        "Directory (DoS) ids of the services",
        Holds::Services,
        "The services that are booked, separated by commas. The first is the one that automatic steps book.",
    ),
    optional(field(
        "service_empty",
        "Directory (DoS) id of a service without free slots",
        Holds::Services,
        "For the step on no slots, which the tool can do by itself when this is known.",
    )),
    field(
        "slot_pattern",
        "Slot pattern",
        Holds::SlotPattern,
        "Length of the test slots in minutes and what else is to be known, such as: 10, from 09:00 to 12:00. The published plans use slots of 10 minutes.",
    ),
    optional(field(
        "disposition",
        "Disposition of the test call",
        Holds::Disposition,
        "The Dx code that the triage ends in, such as Dx05. With it, automatic steps keep to its timeframe.",
    )),
    optional(field(
        "branch",
        "Directory (DoS) id of the branch or other location",
        Holds::Services,
        "The service whose slots are at a branch.",
    )),
    field(
        "patient_kind",
        "Test patient: synthetic or pds-test",
        Holds::OneOf(&["synthetic", "pds-test"]),
        "synthetic: made up, with a number of the 999 range. pds-test: a test patient that can be traced on PDS, as agreed with NHS Digital. Never a real patient.",
    ),
    field(
        "patient",
        "Name of the test patient's record",
        Holds::Text,
        "By which everybody finds the test patient. Never a real patient's name.",
    ),
    optional(field(
        "patient_nhs_number",
        "NHS number of the test patient",
        Holds::NhsNumber,
        "A number of the 999 range is kept whole. Of any other only the last four digits are kept.",
    )),
    after(field(
        "result",
        "Result of the run",
        Holds::Text,
        "What all actors agreed on: passed, passed with actions, to be repeated.",
    )),
    after(field(
        "actions",
        "Actions agreed",
        Holds::Text,
        "What has to be done, by whom and by when; `none` if nothing.",
    )),
];

/// The particulars of a plan, in the order in which they are asked for.
pub fn fields(kind: PlanKind) -> impl Iterator<Item = &'static Field> {
    FIELDS.iter().filter(move |field| match field.key {
        // The other plans go through the dispositions by themselves.
        "disposition" => kind == PlanKind::Utc,
        "branch" => kind != PlanKind::Utc,
        _ => true,
    })
}

/// The field of a key.
pub fn field_of(kind: PlanKind, key: &str) -> Result<&'static Field, String> {
    fields(kind).find(|f| f.key == key).ok_or_else(|| {
        let near = super::nearest::nearest(key, fields(kind).map(|f| f.key));
        match near {
            Some(near) => format!("there is no particular {key:?}; the nearest is {near:?}"),
            None => {
                let all: Vec<&str> = fields(kind).map(|f| f.key).collect();
                format!(
                    "there is no particular {key:?}; there are {}",
                    all.join(", ")
                )
            }
        }
    })
}

impl Field {
    /// The value as it is kept, or what is wrong with it.
    pub fn kept(&self, value: &str) -> Result<String, String> {
        let value = value.trim();
        if value.is_empty() {
            return Err("it is empty".to_owned());
        }
        match self.holds {
            Holds::Text => Ok(value.to_owned()),
            Holds::Date => value
                .parse::<Date>()
                .map(|date| date.to_string())
                .map_err(|_| format!("{value:?} is no date; write it as 2031-03-04")),
            Holds::Services => services(value).map(|ids| {
                let ids: Vec<&str> = ids.iter().map(ServiceId::as_str).collect();
                ids.join(", ")
            }),
            Holds::SlotPattern => slot_pattern(value),
            Holds::OneOf(words) => {
                let wanted = value.to_ascii_lowercase();
                match words.iter().find(|word| **word == wanted) {
                    Some(word) => Ok((*word).to_owned()),
                    None => Err(format!("{value:?} is none of {}", words.join(", "))),
                }
            }
            Holds::NhsNumber => nhs_number(value),
            Holds::Disposition => disposition(value),
        }
    }
}

/// The ids of a list.
pub fn services(text: &str) -> Result<Vec<ServiceId>, String> {
    let ids: Vec<&str> = text.split(',').map(str::trim).collect();
    if ids.len() > MAX_SERVICES {
        return Err(format!("more than {MAX_SERVICES} services"));
    }
    ids.into_iter()
        .map(|id| ServiceId::parse(id).map_err(|e| format!("{id:?}: {e}")))
        .collect()
}

fn slot_pattern(value: &str) -> Result<String, String> {
    let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
    match digits.parse::<i64>() {
        Ok(minutes) if SLOT_MINUTES.contains(&minutes) => Ok(value.to_owned()),
        _ => Err(format!(
            "{value:?} does not begin with the length of a slot in minutes, such as: 10, from 09:00 to 12:00"
        )),
    }
}

fn disposition(value: &str) -> Result<String, String> {
    let number = value
        .strip_prefix("Dx")
        .or_else(|| value.strip_prefix("DX"))
        .or_else(|| value.strip_prefix("dx"));
    match number {
        Some(n) if (2..=4).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            Ok(format!("Dx{n}"))
        }
        _ => Err(format!("{value:?} is no disposition code such as Dx05")),
    }
}

/// A number that is never issued is kept; of any other what is needed to recognise it.
fn nhs_number(value: &str) -> Result<String, String> {
    if is_masked(value) {
        return Ok(value.to_owned());
    }
    let digits: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    let number = NhsNumber::parse(&digits).map_err(|_| {
        "it is no valid NHS number: ten digits of which the last is the check digit".to_owned()
    })?;
    let number = number.as_str();
    match number.starts_with(SYNTHETIC) {
        true => Ok(number.to_owned()),
        false => Ok(format!("******{}", number.get(6..).unwrap_or_default())),
    }
}

fn is_masked(value: &str) -> bool {
    value
        .strip_prefix("******")
        .is_some_and(|rest| rest.len() == 4 && rest.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(key: &str, value: &str) -> Result<String, String> {
        field_of(PlanKind::Utc, key).unwrap().kept(value)
    }

    /// Proves: DEP-06
    /// Of a test patient only what may be kept is kept; every value is checked.
    #[test]
    fn values_are_checked_and_numbers_of_people_are_not_kept() {
        assert_eq!(
            kept("patient_nhs_number", "999 012 3454").unwrap(),
            "9990123454"
        );
        assert_eq!(
            kept("patient_nhs_number", "9434765919").unwrap(),
            "******5919"
        );
        assert_eq!(
            kept("patient_nhs_number", "******5919").unwrap(),
            "******5919"
        );
        assert!(kept("patient_nhs_number", "9990123455").is_err());
        assert!(kept("date", "4 March").unwrap_err().contains("2031-03-04"));
        assert!(kept("service", "2000000011; 2000000012").is_err());
        assert_eq!(
            kept("service", "2000000011,2000000012").unwrap(),
            "2000000011, 2000000012"
        );
        assert!(kept("slot_pattern", "ten").is_err());
        assert!(kept("slot_pattern", "10 minutes").is_ok());
        assert!(kept("patient_kind", "real").is_err());
        assert_eq!(kept("disposition", "dx05").unwrap(), "Dx05");
        let near = field_of(PlanKind::Utc, "servise").unwrap_err();
        assert!(near.contains("\"service\""), "{near}");
        assert!(field_of(PlanKind::Utc, "branch").is_err());
    }
}
