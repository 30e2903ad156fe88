//! Checks the Patient: RES-PAT-01..10, and RES-RANK except the ranks.

use super::{Checked, RULE_NHS_NUMBER, rank};
use crate::ids::NhsNumber;
use crate::systems;
use fhir::primitive::DateTime;
use fhir::{Element, IssueCode};
use jiff::Timestamp;
use jiff::civil::Date;

/// Nobody alive was born before (RES-PAT-06).
const FIRST_BIRTH_YEAR: i16 = 1900;

pub(super) fn patient(patient: &Checked) {
    patient.rule("RES-PAT-01").contained_head();
    identifiers(patient);
    if let Some(name) = patient.rule("RES-PAT-04").one_of_list("name") {
        name.fixed("use", &["official"]);
        name.text("family");
        let is_filled = |given: &Element| given.as_str().is_some_and(|g| !g.trim().is_empty());
        if !name.element.all("given").any(is_filled) {
            let message = "`given` is missing; at least one given name is needed.";
            name.error_at("given", IssueCode::Required, message);
        }
    }
    let genders = ["male", "female", "other", "unknown"];
    patient.rule("RES-PAT-05").fixed("gender", &genders);
    birth_date(&patient.rule("RES-PAT-06"));
    addresses(&patient.rule("RES-PAT-07"));
    rank::each_contact_point(patient, contact_point);
    for (i, contact) in patient.element.all("contact").enumerate() {
        third_party(
            &patient
                .rule("RES-PAT-09")
                .below("contact", Some(i), contact),
        );
    }
}

fn identifiers(patient: &Checked) {
    for (i, identifier) in patient.element.all("identifier").enumerate() {
        let identifier = patient.below("identifier", Some(i), identifier);
        let only = identifier.rule("RES-PAT-02");
        if i > 0 {
            let message = "A Patient has one identifier, the NHS number, or none.";
            only.error(IssueCode::Structure, message);
            continue;
        }
        only.fixed("system", &[systems::NHS_NUMBER]);
        let number = identifier.rule("RES-PAT-03");
        number.fixed("use", &["official"]);
        nhs_number(&number);
        verification(&number);
    }
}

/// Checks the value of an NHS number identifier (ERR-18).
pub(super) fn nhs_number(identifier: &Checked) {
    if let Some((value, text)) = identifier.rule("RES-PAT-03").filled("value")
        && let Err(error) = NhsNumber::parse(text)
    {
        let value = value.rule(RULE_NHS_NUMBER);
        value.error(IssueCode::Value, format!("The {error}."));
    }
}

/// Checks the verification status: exactly one of 01 to 08.
fn verification(identifier: &Checked) {
    let is_status = |e: &&Element| e.str_of("url") == Some(systems::NHS_NUMBER_VERIFICATION);
    let extensions = identifier.element.all("extension");
    let found: Vec<&Element> = extensions.filter(is_status).collect();
    let [one] = found.as_slice() else {
        let message = format!(
            "There are {} extensions {}; exactly one is needed.",
            found.len(),
            systems::NHS_NUMBER_VERIFICATION
        );
        identifier.error_at("extension", IssueCode::Required, message);
        return;
    };
    let coding = one.at("valueCodeableConcept.coding");
    let code = coding.and_then(|c| c.str_of("code"));
    let known = code.is_some_and(|c| matches!(c.as_bytes(), [b'0', b'1'..=b'8']));
    let system = coding.and_then(|c| c.str_of("system"));
    if !known || system != Some(systems::NHS_NUMBER_VERIFICATION_CODES) {
        let message = format!(
            "The verification status has a coding of {} with a code from 01 to 08.",
            systems::NHS_NUMBER_VERIFICATION_CODES
        );
        let path = "extension.valueCodeableConcept.coding";
        let coding = identifier.below(path, None, coding.unwrap_or(one));
        coding.error(IssueCode::CodeInvalid, message);
    }
}

/// The first day that a FHIR date covers.
pub(crate) fn first_day(text: &str) -> Option<Date> {
    DateTime::check_date(text).ok().map(|date| date.date())
}

/// Message about a date of birth in the future (RES-PAT-06).
pub(crate) const BORN_LATER: &str = "The date of birth lies in the future.";

/// Whether a date of birth is after today in London.
pub(crate) fn is_future(born: Date, now: Timestamp) -> bool {
    born > now.to_zoned(crate::instant::london()).date()
}

/// Checks the form. That the date is past is checked against the clock when the slot is claimed.
fn birth_date(patient: &Checked) {
    let Some((element, text)) = patient.filled("birthDate") else {
        return;
    };
    let message = match first_day(text) {
        None => "`birthDate` is no date; write it as 1984-06-21.",
        Some(date) if date.year() < FIRST_BIRTH_YEAR => "`birthDate` is before 1900.",
        Some(_) => return,
    };
    element.error(IssueCode::Value, message);
}

/// One address is sent. More are tolerated, but one must be the home address with postcode (D-36).
fn addresses(patient: &Checked) {
    match patient.element.count("address") {
        0 => {
            let message = "`address` is missing; the home address is needed.";
            return patient.error_at("address", IssueCode::Required, message);
        }
        1 => {}
        _ => {
            let message = "There should be only one `address`.";
            patient.fault_at("address", IssueCode::Structure, message);
        }
    }
    let addresses = patient.element.all("address").enumerate();
    let mut homes = addresses.filter(|(_, a)| a.str_of("use") == Some("home"));
    let Some((first, home)) = homes.next() else {
        let message = "One `address` must have `use` `home`.";
        return patient.error_at("address[0].use", IssueCode::Value, message);
    };
    let postcode = |a: &Element| a.str_of("postalCode").is_some_and(|p| !p.trim().is_empty());
    if !postcode(home) && !homes.any(|(_, a)| postcode(a)) {
        let path = format!("address[{first}].postalCode");
        let message = "The home address needs a `postalCode`.";
        patient.error_at(&path, IssueCode::Required, message);
    }
}

/// Checks `system` and `value`; the rank has its own rule. Any UK form of a number is valid (RES-RANK-04).
fn contact_point(point: &Checked) {
    let text = |name: &str| point.element.str_of(name).unwrap_or_default();
    let filled = |name: &str| !text(name).trim().is_empty();
    for name in ["system", "value"] {
        if !filled(name) {
            let message =
                format!("`{name}` is missing; a contact point has `system`, `value` and `rank`.");
            let point = point.rule("RES-PAT-08");
            point.error_at(name, IssueCode::Required, message);
        }
    }
    if text("system") == "email" && filled("value") && !is_email(text("value")) {
        let message = "`value` is no e-mail address; it has the form a@b.";
        let point = point.rule("RES-RANK-05");
        point.error_at("value", IssueCode::Value, message);
    }
}

fn is_email(value: &str) -> bool {
    let value = value.trim();
    !value.contains(char::is_whitespace)
        && value
            .rsplit_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
}

/// A third party's relation to the patient has to be known before somebody rings them. The published examples lack
/// `name.use`, which the profile requires, so its absence is tolerated.
fn third_party(contact: &Checked) {
    let says = |e: &Element| e.count("coding") > 0 || e.get("text").is_some();
    if !contact.element.all("relationship").any(says) {
        let message = "`relationship` is missing; it says who the contact is to the patient.";
        contact.error_at("relationship", IssueCode::Required, message);
    }
    if let Some(name) = contact.one("name")
        && name.element.get("use").is_none()
    {
        name.fault_at("use", IssueCode::Required, "`name.use` is missing.");
    }
}
