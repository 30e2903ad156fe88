//! Judging the contained Patient (C50..C64, RES-PAT-01..10, RES-RANK-01..05).

use booking::ids::NhsNumber;
use booking::instant::london;
use booking::postcode::is_postcode;
use booking::systems;
use fhir::Element;
use fhir::primitive::DateTime;
use jiff::Timestamp;

use super::body::states_profile;
use crate::consumer_suite::ledger::Notes;
use crate::consumer_suite::rules::Rule;

/// Nobody alive was born earlier (RES-PAT-06).
const FIRST_BIRTH_YEAR: i16 = 1900;

/// Judges the patient of a booking.
pub(crate) fn judge(patient: &Element, now: Timestamp, notes: &mut Notes) {
    let id = patient.str_of("id").unwrap_or_default();
    let local = !id.is_empty() && !id.contains('/');
    let what = "The Patient has no local id, or does not state its profile";
    notes.judge(Rule::PatientProfile, local && states_profile(patient), what);
    number(patient, notes);
    name(patient, notes);
    contact_points(patient, notes);
    third_parties(patient, notes);
    let gender = patient.str_of("gender").unwrap_or_default();
    let known = matches!(gender, "male" | "female" | "other" | "unknown");
    let what = "gender is missing, or none of the four";
    notes.judge(Rule::Gender, known, what);
    birth(patient, now, notes);
    address(patient, notes);
}

fn number(patient: &Element, notes: &mut Notes) {
    let identifiers: Vec<&Element> = patient.all("identifier").collect();
    let what = match identifiers.as_slice() {
        [] => None,
        [one] => number_fault(one),
        _ => Some("The Patient has more than one identifier"),
    };
    notes.fault(Rule::PatientNumber, what);
}

fn number_fault(identifier: &Element) -> Option<&'static str> {
    if identifier.str_of("system") != Some(systems::NHS_NUMBER) {
        return Some("The identifier has another system than the NHS number");
    }
    if identifier.str_of("use") != Some("official") {
        return Some("The use of the NHS number is not official");
    }
    if NhsNumber::parse(identifier.str_of("value").unwrap_or_default()).is_err() {
        return Some("The NHS number is not ten digits that pass modulus 11");
    }
    // Placeholders for "unknown" pass the check digit: 0000000000.
    let digits = identifier.str_of("value").unwrap_or_default().as_bytes();
    if digits.iter().all(|d| Some(d) == digits.first()) {
        return Some("The NHS number is a placeholder of ten equal digits");
    }
    let is_status = |e: &&Element| e.str_of("url") == Some(systems::NHS_NUMBER_VERIFICATION);
    let found: Vec<&Element> = identifier.all("extension").filter(is_status).collect();
    let [one] = found.as_slice() else {
        return Some("The NHS number does not say, or says more than once, how it was verified");
    };
    let coding = one.at("valueCodeableConcept.coding");
    let system = coding.and_then(|c| c.str_of("system"));
    let code = coding.and_then(|c| c.str_of("code")).unwrap_or_default();
    let known = matches!(code.as_bytes(), [b'0', b'1'..=b'8'])
        && system == Some(systems::NHS_NUMBER_VERIFICATION_CODES);
    (!known).then_some("The verification status is no code from 01 to 08 of its system")
}

fn name(patient: &Element, notes: &mut Notes) {
    let names: Vec<&Element> = patient.all("name").collect();
    let filled = |e: &Element| e.as_str().is_some_and(|t| !t.trim().is_empty());
    let what = match names.as_slice() {
        [one] if one.str_of("use") != Some("official") => {
            Some("The use of the name is not official")
        }
        [one] if !one.get("family").is_some_and(filled) => Some("The family name is missing"),
        [one] if !one.all("given").any(filled) => Some("The given name is missing"),
        [_] => None,
        _ => Some("The Patient has not exactly one name"),
    };
    notes.fault(Rule::PatientName, what);
}

fn contact_points(patient: &Element, notes: &mut Notes) {
    let points: Vec<&Element> = patient
        .all("telecom")
        .chain(patient.all("contact").flat_map(|c| c.all("telecom")))
        .collect();
    let rank = |p: &Element| {
        p.str_of("rank")
            .and_then(|r| r.parse::<u32>().ok())
            .filter(|r| *r > 0)
    };
    let filled = |p: &Element, name: &str| p.str_of(name).is_some_and(|t| !t.trim().is_empty());
    let first: Vec<&&Element> = points.iter().filter(|p| rank(p) == Some(1)).collect();
    let dialled = |p: &Element| {
        p.str_of("value")
            .is_some_and(|v| v.bytes().all(|b| b.is_ascii_digit() || b == b' '))
    };
    let what = match first.as_slice() {
        _ if points.is_empty() => Some("There is no contact point"),
        _ if points.iter().any(|p| rank(p).is_none()) => {
            Some("A contact point has no rank, or none that is a positive number")
        }
        _ if points
            .iter()
            .any(|p| !filled(p, "system") || !filled(p, "value")) =>
        {
            Some("A contact point has no system or no value")
        }
        [] => Some("No contact point has rank 1"),
        [one] if one.str_of("system") != Some("phone") => {
            Some("The contact point of rank 1 is no telephone")
        }
        [one] if !dialled(one) => {
            Some("The telephone of rank 1 has other characters than digits and spaces")
        }
        [_] => None,
        _ => Some("More than one contact point has rank 1"),
    };
    notes.fault(Rule::Contact, what);
    for point in points
        .iter()
        .filter(|p| p.str_of("system") == Some("email"))
    {
        let value = point.str_of("value").unwrap_or_default();
        let fine = value.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && !host.is_empty() && !value.contains(char::is_whitespace)
        });
        let what = "An e-mail address has not the form name@host";
        notes.judge(Rule::Email, fine, what);
    }
}

fn third_parties(patient: &Element, notes: &mut Notes) {
    for contact in patient.all("contact") {
        let named = contact
            .get("name")
            .is_some_and(|n| n.get("family").is_some() || n.get("text").is_some());
        let what = "A third party has no name";
        notes.judge(Rule::ThirdParty, named, what);
        let related = contact.get("relationship").is_some();
        notes
            .at(
                Rule::ThirdParty,
                "Appointment.contained.ofType(Patient).contact.relationship",
            )
            .must(related)
            .or("A third party has no relationship to the patient");
    }
}

fn birth(patient: &Element, now: Timestamp, notes: &mut Notes) {
    let today = now.to_zoned(london()).date();
    let what = match patient.str_of("birthDate") {
        None => Some("birthDate is missing"),
        Some(text) => match DateTime::check_date(text).map(|d| d.date()) {
            Err(_) => Some("birthDate is no date"),
            Ok(date) if date > today => Some("birthDate is to come"),
            Ok(date) if date.year() < FIRST_BIRTH_YEAR => Some("birthDate is before 1900"),
            Ok(_) => None,
        },
    };
    notes.fault(Rule::Birth, what);
}

fn address(patient: &Element, notes: &mut Notes) {
    let homes: Vec<&Element> = patient
        .all("address")
        .filter(|a| a.str_of("use") == Some("home"))
        .collect();
    let what = match (patient.count("address"), homes.len()) {
        (1, 1) => None,
        (0, _) => Some("address is missing"),
        (_, 0) => Some("No address has the use home"),
        _ => Some("There is more than one address"),
    };
    notes.fault(Rule::Address, what);
    let postcode = homes
        .first()
        .and_then(|h| h.str_of("postalCode"))
        .unwrap_or_default();
    if !homes.is_empty() {
        let what = if postcode.is_empty() {
            "The home address has no postcode"
        } else {
            "The postcode has not the usual form"
        };
        notes.judge(Rule::Postcode, is_postcode(postcode), what);
    }
}
