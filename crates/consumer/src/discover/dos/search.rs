//! A search for services: the clinical need, checked before it is sent (NAT-DOS-03).

use crate::obstacle::{Kind, Obstacle};
use booking::ids::OdsCode;
use booking::xml_writer::XmlWriter;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Search distances, km.
const DISTANCES_KM: std::ops::RangeInclusive<u8> = 1..=99;
/// Most discriminators; triage gives a few.
const MAX_DISCRIMINATORS: usize = 100;
/// Longest reference of one's own.
const MAX_REFERENCE: usize = 100;
/// Longest postcode with its space.
const MAX_POSTCODE: usize = 10;

/// The patient's age, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// 0 to 31 days.
    Days(u8),
    /// 1 to 23 months.
    Months(u8),
    /// 2 to 129 years.
    Years(u8),
    /// 1 adult, 2 child from five years, 3 toddler, 4 baby.
    Group(u8),
}

impl Age {
    fn written(self) -> (u8, &'static str) {
        match self {
            Age::Days(n) => (n, "Days"),
            Age::Months(n) => (n, "Months"),
            Age::Years(n) => (n, "Years"),
            Age::Group(n) => (n, "AgeGroup"),
        }
    }

    fn is_possible(self) -> bool {
        match self {
            Age::Days(n) => n <= 31,
            Age::Months(n) => (1..=23).contains(&n),
            Age::Years(n) => (2..=129).contains(&n),
            Age::Group(n) => (1..=4).contains(&n),
        }
    }
}

/// The patient's sex as the DoS has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// `M`
    Male,
    /// `F`
    Female,
    /// `I`: not known, or neither.
    Indeterminate,
}

/// What services are searched for.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceSearch {
    /// Reference of the case in one's own system.
    pub case_ref: Option<String>,
    /// Id of the case in one's own system.
    pub case_id: Option<String>,
    /// Where the patient is.
    pub postcode: String,
    /// The patient's surgery; left out: not known.
    pub surgery: Option<OdsCode>,
    /// Age.
    pub age: Age,
    /// Sex.
    pub sex: Sex,
    /// Outcome of triage.
    pub disposition: u32,
    /// Symptom group.
    pub symptom_group: u32,
    /// Symptom discriminators, at least one.
    pub discriminators: Vec<u32>,
    /// Search distance, km; left out: the DoS's own.
    pub distance_km: Option<u8>,
    /// Whether the distance overrides the one that is set for the area.
    pub force_distance: bool,
    /// The moment searched for; left out: now.
    pub at: Option<Timestamp>,
}

/// Without where the patient is and the references.
impl std::fmt::Debug for ServiceSearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceSearch")
            .field("disposition", &self.disposition)
            .field("symptom_group", &self.symptom_group)
            .field("distance_km", &self.distance_km)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl ServiceSearch {
    /// Says what the DoS would refuse, in words that name the detail.
    pub fn check(&self) -> Result<(), Obstacle> {
        let too_long = |text: &Option<String>| {
            text.as_ref()
                .is_some_and(|t| t.chars().count() > MAX_REFERENCE)
        };
        let postcode = self.postcode.trim();
        let shaped = (5..=MAX_POSTCODE).contains(&postcode.len())
            && postcode
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == ' ');
        let wrong = if !shaped {
            return Err(Obstacle::new(Kind::PostcodeUnknown).note("field", "postcode"));
        } else if !self.age.is_possible() {
            (
                "age",
                "The age does not fit its unit: days go to thirty-one, months to twenty-three, years from two.",
            )
        } else if self
            .distance_km
            .is_some_and(|km| !DISTANCES_KM.contains(&km))
        {
            (
                "searchDistance",
                "The search distance is outside what the directory of services allows.",
            )
        } else if self.force_distance && self.distance_km.is_none() {
            (
                "forceSearchDistance",
                "A search distance is missing, although it shall be kept to.",
            )
        } else if self.discriminators.is_empty() || self.discriminators.len() > MAX_DISCRIMINATORS {
            (
                "symptomDiscriminatorList",
                "The assessment's symptom discriminator is missing, or there are too many.",
            )
        } else if too_long(&self.case_ref) || too_long(&self.case_id) {
            ("caseRef", "The reference of the case is too long.")
        } else {
            return Ok(());
        };
        let (field, plain) = wrong;
        Err(Obstacle::new(Kind::SearchDetails)
            .saying(plain, "Correct it, and search again.")
            .note("field", field))
    }

    /// The element `c`, in the published order.
    pub(super) fn write(&self, xml: &mut XmlWriter) {
        let (age, format) = self.age.written();
        xml.element("c", |xml| {
            xml.optional("caseRef", self.case_ref.as_ref());
            xml.optional("caseId", self.case_id.as_ref());
            xml.value("postcode", self.postcode.trim());
            xml.value(
                "surgery",
                self.surgery.as_ref().map_or("UNK", OdsCode::as_str),
            );
            xml.value("age", age);
            xml.value("ageFormat", format);
            xml.value("disposition", self.disposition);
            xml.value("symptomGroup", self.symptom_group);
            xml.element("symptomDiscriminatorList", |xml| {
                for id in &self.discriminators {
                    xml.value("int", id);
                }
            });
            xml.optional("searchDistance", self.distance_km);
            xml.value("forceSearchDistance", self.force_distance);
            xml.value(
                "gender",
                match self.sex {
                    Sex::Male => "M",
                    Sex::Female => "F",
                    Sex::Indeterminate => "I",
                },
            );
            xml.optional("searchDateTime", self.at.map(london));
        });
    }
}

/// A moment as London clocks show it, with its offset.
fn london(at: Timestamp) -> String {
    // The zone is bundled; without it the moment itself stays right.
    let zone = TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC);
    at.to_zoned(zone)
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}
