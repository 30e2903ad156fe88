//! Reads the clinical need in a CheckCapacitySummary: each field with its rule and its fault number (NAT-DOS-03).

use super::fault::DosFault;
use super::fields::Fields;
use crate::world::World;
use crate::world::model::{DISTANCES_KM, Disposition, Gender, Postcode, SymptomGroup};
use crate::world::written::{DAYS_PER_MONTH, DAYS_PER_YEAR, MAX_YEARS, plain_postcode};
use booking::ids::OdsCode;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use roxmltree::Node;
use std::str::FromStr;

/// The fields in order.
const FIELDS: [&str; 13] = [
    "caseRef",
    "caseId",
    "postcode",
    "surgery",
    "age",
    "ageFormat",
    "disposition",
    "symptomGroup",
    "symptomDiscriminatorList",
    "searchDistance",
    "forceSearchDistance",
    "gender",
    "searchDateTime",
];
/// Most discriminators of a request; triage sends a few.
const MAX_DISCRIMINATORS: usize = 100;
/// Longest text read, characters; dates, postcodes and numbers are shorter.
const MAX_TEXT: usize = 64;
/// A search may be this far in the past, since clocks differ.
const PAST: SignedDuration = SignedDuration::from_mins(1);

/// A clinical need.
#[derive(Debug)]
pub struct ClinicalNeed<'w> {
    /// Where the patient is, by postcode.
    pub place: &'w Postcode,
    /// The patient's surgery, if known.
    pub surgery: Option<OdsCode>,
    /// Youngest and oldest age searched, days.
    pub age_days: (f64, f64),
    /// The age in days, if more than the age group is known.
    pub exact_age: Option<f64>,
    /// Outcome of the triage.
    pub disposition: &'w Disposition,
    /// Symptom group.
    pub group: &'w SymptomGroup,
    /// Discriminators that belong to the group, each once.
    pub discriminators: Vec<u32>,
    /// Search distance, km.
    pub distance_km: u32,
    /// Source of the search distance, in the directory's words.
    pub distance_source: &'static str,
    /// Gender.
    pub gender: Gender,
    /// The time searched for.
    pub at: Timestamp,
}

impl<'w> ClinicalNeed<'w> {
    /// Reads the fields. The first wrong one is the fault.
    pub fn read(
        node: Node<'_, '_>,
        world: &'w World,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Result<ClinicalNeed<'w>, DosFault> {
        let strict = world.settings.strict;
        let fields = Fields::read(node, &FIELDS, strict)?;
        let force = forced(&fields, strict)?;
        let asked = asked_distance(&fields)?;
        if force && asked.is_none() {
            return Err(DosFault::new(113));
        }
        let postcode = short(&fields, "postcode", 101)?.ok_or_else(|| DosFault::new(101))?;
        let place = world
            .postcode(&postcode)
            .ok_or_else(|| DosFault::new(101))?;
        let (distance_km, distance_source) = distance(world, place, asked, force);
        let gender = match (short(&fields, "gender", 106)?.as_deref(), strict) {
            (Some("M"), _) => Gender::M,
            (Some("F"), _) => Gender::F,
            (Some("I"), _) | (None, false) => Gender::I,
            _ => return Err(DosFault::new(106)),
        };
        let (age_days, exact_age) = age(&fields)?;
        let group = number(&fields, "symptomGroup", 120)?
            .and_then(|id| world.symptom_group(id))
            .ok_or_else(|| DosFault::new(120))?;
        Ok(ClinicalNeed {
            place,
            surgery: surgery(&fields)?,
            age_days,
            exact_age,
            group,
            discriminators: discriminators(&fields, group, strict)?,
            disposition: number(&fields, "disposition", 121)?
                .and_then(|id| world.disposition(id))
                .ok_or_else(|| DosFault::new(121))?,
            distance_km,
            distance_source,
            gender,
            at: moment(&fields, now, zone)?,
        })
    }
}

/// A short text. A longer one is fault `code`.
fn short(fields: &Fields<'_, '_>, name: &str, code: u16) -> Result<Option<String>, DosFault> {
    match fields.text(name)? {
        Some(text) if text.len() > MAX_TEXT => Err(DosFault::new(code)),
        other => Ok(other),
    }
}

/// A whole number. Anything else is fault `code`.
fn number(fields: &Fields<'_, '_>, name: &str, code: u16) -> Result<Option<u32>, DosFault> {
    match short(fields, name, code)? {
        None => Ok(None),
        Some(text) => whole(&text).map(Some).ok_or_else(|| DosFault::new(code)),
    }
}

fn whole(text: &str) -> Option<u32> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

fn forced(fields: &Fields<'_, '_>, strict: bool) -> Result<bool, DosFault> {
    match (
        short(fields, "forceSearchDistance", 108)?.as_deref(),
        strict,
    ) {
        (Some("true" | "1"), _) => Ok(true),
        (Some("false" | "0"), _) | (None, false) => Ok(false),
        _ => Err(DosFault::malformed(
            "forceSearchDistance is missing or not a boolean: write true or false",
        )),
    }
}

fn asked_distance(fields: &Fields<'_, '_>) -> Result<Option<u32>, DosFault> {
    match number(fields, "searchDistance", 105)? {
        Some(km) if !DISTANCES_KM.contains(&km) => Err(DosFault::new(105)),
        other => Ok(other),
    }
}

/// The distance in the directory's order of precedence: forced; set for postcode, sector or district; requested; national.
/// Also returns its source, in the directory's words.
fn distance(
    world: &World,
    place: &Postcode,
    asked: Option<u32>,
    force: bool,
) -> (u32, &'static str) {
    if let (true, Some(km)) = (force, asked) {
        return (km, "Override");
    }
    let plain = plain_postcode(&place.postcode);
    // A postcode is a district and three more characters, of which the first completes the sector.
    let district = plain.len().saturating_sub(3);
    let areas = [
        (plain.as_str(), "Postcode"),
        (plain.get(..district + 1).unwrap_or(&plain), "Sector"),
        (plain.get(..district).unwrap_or(&plain), "District"),
    ];
    for (area, source) in areas {
        if let Some(set) = world
            .distances
            .iter()
            .find(|d| plain_postcode(&d.area) == area)
        {
            return (set.km, source);
        }
    }
    match asked {
        Some(km) => (km, "Web Service"),
        None => (world.settings.default_distance_km, "National"),
    }
}

fn surgery(fields: &Fields<'_, '_>) -> Result<Option<OdsCode>, DosFault> {
    match short(fields, "surgery", 108)?.as_deref() {
        None | Some("UNK") => Ok(None),
        Some(code) => OdsCode::parse(code)
            .map(Some)
            .map_err(|_| DosFault::malformed("surgery is an ODS code, such as FX501, or UNK")),
    }
}

type Ages = ((f64, f64), Option<f64>);

fn age(fields: &Fields<'_, '_>) -> Result<Ages, DosFault> {
    let format = short(fields, "ageFormat", 119)?;
    let format = format.as_deref().unwrap_or_default();
    if !["Days", "Months", "Years", "AgeGroup"].contains(&format) {
        return Err(DosFault::new(119));
    }
    let age = number(fields, "age", 114)?.ok_or_else(|| DosFault::new(114))?;
    let exact = |days: f64| Ok(((days, days), Some(days)));
    let years = |from: u32, to: u32| {
        let last = f64::from(to + 1) * DAYS_PER_YEAR - 1.0;
        Ok(((f64::from(from) * DAYS_PER_YEAR, last), None))
    };
    match (format, age) {
        ("Days", 0..=31) => exact(f64::from(age)),
        ("Months", 1..=23) => exact(f64::from(age) * DAYS_PER_MONTH),
        ("Years", 2..=MAX_YEARS) => exact(f64::from(age) * DAYS_PER_YEAR),
        ("AgeGroup", 1) => years(16, MAX_YEARS),
        ("AgeGroup", 2) => years(5, 15),
        ("AgeGroup", 3) => years(1, 4),
        ("AgeGroup", 4) => years(0, 0),
        ("Days", _) => Err(DosFault::new(115)),
        ("Months", _) => Err(DosFault::new(116)),
        ("Years", _) => Err(DosFault::new(117)),
        _ => Err(DosFault::new(118)),
    }
}

/// The discriminators that belong to the group. Fault 104 if none does.
fn discriminators(
    fields: &Fields<'_, '_>,
    group: &SymptomGroup,
    strict: bool,
) -> Result<Vec<u32>, DosFault> {
    let list = fields
        .get("symptomDiscriminatorList")
        .ok_or_else(|| DosFault::new(104))?;
    let mut kept = Vec::new();
    for (count, item) in list.children().filter(Node::is_element).enumerate() {
        if count >= MAX_DISCRIMINATORS {
            return Err(DosFault::with(
                104,
                format!("Parameter: at most {MAX_DISCRIMINATORS} symptom discriminators"),
            ));
        }
        let tag = item.tag_name();
        if strict && (tag.name() != "int" || tag.namespace() != Some(super::NAMESPACE)) {
            return Err(DosFault::malformed(
                "symptomDiscriminatorList holds elements `int` in the service's namespace",
            ));
        }
        let id = super::fields::text_of(item)?
            .and_then(|text| whole(&text))
            .ok_or_else(|| DosFault::new(104))?;
        if group.discriminators.contains(&id) && !kept.contains(&id) {
            kept.push(id);
        }
    }
    match kept.is_empty() {
        true => Err(DosFault::new(104)),
        false => Ok(kept),
    }
}

/// The time searched for; without offset it is London time.
fn moment(fields: &Fields<'_, '_>, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, DosFault> {
    let invalid = || {
        DosFault::with(
            108,
            "Parameter: searchDateTime is invalid; write it like 2026-01-20T08:44:00+00:00",
        )
    };
    let Some(text) = short(fields, "searchDateTime", 108)? else {
        return Ok(now);
    };
    if !text.contains('T') {
        return Err(invalid());
    }
    let at = match Timestamp::from_str(&text) {
        Ok(at) => at,
        Err(_) => DateTime::from_str(&text)
            .ok()
            .and_then(|civil| zone.to_timestamp(civil).ok())
            .ok_or_else(invalid)?,
    };
    let year_ahead = zone
        .to_datetime(now)
        .checked_add(1.year())
        .and_then(|civil| zone.to_timestamp(civil))
        .map_err(|_| DosFault::new(500))?;
    if at > year_ahead {
        return Err(DosFault::with(
            109,
            "Parameter: searchDateTime is more than 12 months in the future",
        ));
    }
    if now.duration_since(at) > PAST {
        return Err(DosFault::new(110));
    }
    Ok(at)
}
