//! Checks the Patient: RES-PAT-01..10, and RES-RANK except the ranks.

use super::{RULE_NHS_NUMBER, Report, rank};
use crate::ids::NhsNumber;
use crate::systems;
use fhir::primitive::DateTime;
use fhir::{Element, IssueCode};
use jiff::Timestamp;
use jiff::civil::Date;

/// Nobody alive was born before (RES-PAT-06).
const FIRST_BIRTH_YEAR: i16 = 1900;

pub(super) fn patient(patient: &Element, path: &str, report: &mut Report) {
    report.contained_head(patient, path, "RES-PAT-01");
    identifiers(patient, path, report);
    if let Some(name) = report.one(patient, path, "name", "RES-PAT-04") {
        let path = format!("{path}.name[0]");
        report.fixed(name, &path, "use", "RES-PAT-04", &["official"]);
        report.text(name, &path, "family", "RES-PAT-04");
        if !name
            .all("given")
            .any(|g| g.as_str().is_some_and(|g| !g.trim().is_empty()))
        {
            let message = "`given` is missing; at least one given name is needed.";
            report.error(
                IssueCode::Required,
                name,
                format!("{path}.given"),
                "RES-PAT-04",
                message,
            );
        }
    }
    report.fixed(
        patient,
        path,
        "gender",
        "RES-PAT-05",
        &["male", "female", "other", "unknown"],
    );
    birth_date_check(patient, path, report);
    addresses(patient, path, report);
    for (place, point) in rank::contact_points(patient) {
        contact_point(point, || format!("{path}.{}", place.text()), report);
    }
    for (i, contact) in patient.all("contact").enumerate() {
        third_party(contact, &format!("{path}.contact[{i}]"), report);
    }
}

fn identifiers(patient: &Element, path: &str, report: &mut Report) {
    for (i, identifier) in patient.all("identifier").enumerate() {
        let path = format!("{path}.identifier[{i}]");
        if i > 0 {
            let message = "A Patient has one identifier, the NHS number, or none.";
            report.error(
                IssueCode::Structure,
                identifier,
                path,
                "RES-PAT-02",
                message,
            );
            continue;
        }
        report.fixed(
            identifier,
            &path,
            "system",
            "RES-PAT-02",
            &[systems::NHS_NUMBER],
        );
        report.fixed(identifier, &path, "use", "RES-PAT-03", &["official"]);
        nhs_number(identifier, &path, report);
        verification(identifier, &path, report);
    }
}

/// Checks the value of an NHS number identifier (ERR-18).
pub(super) fn nhs_number(identifier: &Element, path: &str, report: &mut Report) {
    if let Some(value) = report.text(identifier, path, "value", "RES-PAT-03")
        && let Err(error) = NhsNumber::parse(value)
    {
        let at = identifier.get("value").unwrap_or(identifier);
        report.error(
            IssueCode::Value,
            at,
            format!("{path}.value"),
            RULE_NHS_NUMBER,
            format!("The {error}."),
        );
    }
}

/// Checks the verification status: exactly one of 01 to 08.
fn verification(identifier: &Element, path: &str, report: &mut Report) {
    let is_status = |e: &&Element| e.str_of("url") == Some(systems::NHS_NUMBER_VERIFICATION);
    let found: Vec<&Element> = identifier.all("extension").filter(is_status).collect();
    let path = format!("{path}.extension");
    let [one] = found.as_slice() else {
        let message = format!(
            "There are {} extensions {}; exactly one is needed.",
            found.len(),
            systems::NHS_NUMBER_VERIFICATION
        );
        report.error(IssueCode::Required, identifier, path, "RES-PAT-03", message);
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
        let at = coding.unwrap_or(one);
        report.error(
            IssueCode::CodeInvalid,
            at,
            format!("{path}.valueCodeableConcept.coding"),
            "RES-PAT-03",
            message,
        );
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
fn birth_date_check(patient: &Element, path: &str, report: &mut Report) {
    let Some(text) = report.text(patient, path, "birthDate", "RES-PAT-06") else {
        return;
    };
    let at = patient.get("birthDate").unwrap_or(patient);
    let message = match first_day(text) {
        None => "`birthDate` is no date; write it as 1984-06-21.",
        Some(date) if date.year() < FIRST_BIRTH_YEAR => "`birthDate` is before 1900.",
        Some(_) => return,
    };
    report.error(
        IssueCode::Value,
        at,
        format!("{path}.birthDate"),
        "RES-PAT-06",
        message,
    );
}

/// One address is sent. More are tolerated, but one must be the home address with postcode (D-36).
fn addresses(patient: &Element, path: &str, report: &mut Report) {
    let path = format!("{path}.address");
    if patient.count("address") == 0 {
        let message = "`address` is missing; the home address is needed.";
        report.error(IssueCode::Required, patient, path, "RES-PAT-07", message);
        return;
    }
    if patient.count("address") > 1 {
        report.fault(
            IssueCode::Structure,
            patient,
            path.clone(),
            "RES-PAT-07",
            "There should be only one `address`.",
        );
    }
    let mut homes = patient
        .all("address")
        .enumerate()
        .filter(|(_, a)| a.str_of("use") == Some("home"));
    let Some((first, _)) = homes.next() else {
        let message = "One `address` must have `use` `home`.";
        report.error(
            IssueCode::Value,
            patient,
            format!("{path}[0].use"),
            "RES-PAT-07",
            message,
        );
        return;
    };
    let postcode = |a: &Element| a.str_of("postalCode").is_some_and(|p| !p.trim().is_empty());
    let with_postcode = patient
        .all("address")
        .any(|a| a.str_of("use") == Some("home") && postcode(a));
    if !with_postcode {
        let message = "The home address needs a `postalCode`.";
        report.error(
            IssueCode::Required,
            patient,
            format!("{path}[{first}].postalCode"),
            "RES-PAT-07",
            message,
        );
    }
}

/// Checks `system` and `value`; the rank has its own rule. Any UK form of a number is valid (RES-RANK-04).
fn contact_point(point: &Element, path: impl Fn() -> String, report: &mut Report) {
    let filled = |name: &str| point.str_of(name).is_some_and(|t| !t.trim().is_empty());
    for name in ["system", "value"] {
        if !filled(name) {
            let message =
                format!("`{name}` is missing; a contact point has `system`, `value` and `rank`.");
            report.error(
                IssueCode::Required,
                point,
                format!("{}.{name}", path()),
                "RES-PAT-08",
                message,
            );
        }
    }
    let value = point.str_of("value").unwrap_or_default();
    if point.str_of("system") == Some("email") && filled("value") && !is_email(value) {
        let message = "`value` is no e-mail address; it has the form a@b.";
        report.error(
            IssueCode::Value,
            point,
            format!("{}.value", path()),
            "RES-RANK-05",
            message,
        );
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
fn third_party(contact: &Element, path: &str, report: &mut Report) {
    let says = |e: &Element| e.count("coding") > 0 || e.get("text").is_some();
    if !contact.all("relationship").any(says) {
        let message = "`relationship` is missing; it says who the contact is to the patient.";
        report.error(
            IssueCode::Required,
            contact,
            format!("{path}.relationship"),
            "RES-PAT-09",
            message,
        );
    }
    if let Some(name) = report.one(contact, path, "name", "RES-PAT-09")
        && name.get("use").is_none()
    {
        let message = "`name.use` is missing.";
        report.fault(
            IssueCode::Required,
            name,
            format!("{path}.name.use"),
            "RES-PAT-09",
            message,
        );
    }
}
