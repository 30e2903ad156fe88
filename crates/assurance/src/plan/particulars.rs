//! What the value of a particular has to look like, and in which form it is kept (DEP-06).

use super::published::{Field, Holds};
use booking::ids::{NhsNumber, ServiceId};
use jiff::civil::Date;

/// Most service ids of one field.
const MAX_SERVICES: usize = 20;
/// Start of the numbers that are never issued to a patient.
const SYNTHETIC: &str = "999";
/// Minutes that a slot may sensibly have.
const SLOT_MINUTES: std::ops::RangeInclusive<i64> = 1..=480;

impl Field {
    /// The value as it is kept, or what is wrong with it.
    pub fn kept(&self, value: &str) -> Result<String, String> {
        let value = value.trim();
        if value.is_empty() {
            return Err("it is empty".to_owned());
        }
        match &self.holds {
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
                    Some(word) => Ok(word.clone()),
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
    use crate::plan::{PlanKind, field_of};

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
        assert!(near.ends_with("the nearest is service"), "{near}");
        assert!(field_of(PlanKind::Utc, "branch").is_err());
    }
}
