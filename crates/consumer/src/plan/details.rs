//! Finds what a Provider would refuse in a patient's details before it is asked (CONS-BOOK-02), each fault with its field.

use super::patient::{BookingDetails, ContactPoint, Patient, Person, System};
use booking::postcode::is_postcode;
use fhir::primitive::DateTime;
use jiff::civil::Date;

/// Longest text of one field, characters. The Standard has no limit (RES-PAT-04); this one keeps messages small.
const MAX_TEXT: usize = 500;
/// Most contact points and third parties. A 111 call has two or three.
const MAX_CONTACTS: usize = 20;
/// Nobody alive was born before (RES-PAT-06).
const FIRST_BIRTH_YEAR: i16 = 1900;

/// The field of a fault, so that a terminal can name its flag and a page its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The reason for the appointment.
    Reason,
    /// The NHS number.
    NhsNumber,
    /// The patient's family name.
    Family,
    /// The patient's given names.
    Given,
    /// The patient's title.
    Prefix,
    /// The date of birth.
    BirthDate,
    /// The postcode of the home address.
    Postcode,
    /// Another part of the home address.
    Address,
    /// The patient's telephone numbers.
    Telephone,
    /// The patient's e-mail address.
    Email,
    /// A third party's name.
    Contact,
    /// A third party's contact points.
    ContactPoint,
}

/// One fault of booking details: a sentence for the person who entered them, without values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetailFault {
    /// The field.
    pub field: Field,
    /// What is wrong, or what to do.
    pub sentence: String,
}

/// All faults of booking details.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|f| f.sentence.as_str()).collect::<Vec<_>>().join(" "))]
pub struct DetailsError(pub Vec<DetailFault>);

/// Collects faults.
#[derive(Default)]
struct Faults(Vec<DetailFault>);

impl Faults {
    fn add(&mut self, field: Field, sentence: impl Into<String>) {
        self.0.push(DetailFault {
            field,
            sentence: sentence.into(),
        });
    }
}

impl BookingDetails {
    /// Checks for everything that a Provider would refuse (CONS-BOOK-02).
    pub fn check(&self, today: Date) -> Result<(), DetailsError> {
        let mut faults = Faults::default();
        if self.description.trim().is_empty() {
            faults.add(Field::Reason, "Say the reason for the appointment.");
        }
        if self.description.len() > MAX_TEXT {
            faults.add(
                Field::Reason,
                format!("Make the reason shorter than {MAX_TEXT} characters."),
            );
        }
        let patient = &self.patient;
        patient.identity(today, &mut faults);
        patient.contacts(&mut faults);
        match faults.0.is_empty() {
            true => Ok(()),
            false => Err(DetailsError(faults.0)),
        }
    }
}

impl Patient {
    fn identity(&self, today: Date, faults: &mut Faults) {
        if self.nhs_number.is_some() && self.number().is_none() {
            faults.add(
                Field::NhsNumber,
                "The NHS number is not valid: it has ten digits, the last a check digit. Correct it, or leave it out when it \
                 is not known.",
            );
        }
        name(
            "The patient",
            &self.name,
            [Field::Family, Field::Given, Field::Prefix],
            faults,
        );
        let birth = |faults: &mut Faults, sentence: &str| faults.add(Field::BirthDate, sentence);
        match DateTime::check_date(&self.birth_date).map(|d| d.date()) {
            Err(_) => birth(
                faults,
                "The date of birth is no date; write it as 1984-06-21.",
            ),
            Ok(date) if date > today => birth(faults, "The date of birth is in the future."),
            Ok(date) if date.year() < FIRST_BIRTH_YEAR => {
                birth(
                    faults,
                    &format!("The date of birth is before {FIRST_BIRTH_YEAR}."),
                );
            }
            Ok(_) => {}
        }
        if !is_postcode(&self.address.postcode) {
            faults.add(
                Field::Postcode,
                "The home address needs a valid postcode, such as LS99 9ZZ.",
            );
        }
        let address = &self.address;
        let texts = address
            .lines
            .iter()
            .chain(&address.city)
            .chain(&address.district);
        if texts.into_iter().any(|t| t.len() > MAX_TEXT) {
            faults.add(
                Field::Address,
                format!("A part of the address is longer than {MAX_TEXT} characters."),
            );
        }
    }

    fn contacts(&self, faults: &mut Faults) {
        let of_contacts = self.contact.iter().flat_map(|c| &c.telecom);
        let points: Vec<&ContactPoint> = self.telecom.iter().chain(of_contacts).collect();
        if points.len() > MAX_CONTACTS || self.contact.len() > MAX_CONTACTS {
            faults.add(
                Field::Telephone,
                format!("There are more than {MAX_CONTACTS} contacts."),
            );
        }
        let firsts: Vec<&&ContactPoint> = points.iter().filter(|p| p.rank == 1).collect();
        let has_phone = points.iter().any(|p| p.system == System::Phone);
        match firsts.as_slice() {
            [] if !has_phone => faults.add(Field::Telephone, "Add a telephone number."),
            [] => faults.add(
                Field::Telephone,
                "Say which telephone number is tried first: one of them has rank 1 in the file, or is the first given.",
            ),
            [first] if first.system != System::Phone && !has_phone => {
                faults.add(Field::Telephone, "Add a telephone number that is tried first.");
            }
            [first] if first.system != System::Phone => faults.add(
                Field::Telephone,
                "A telephone number is tried first: give it rank 1 in the file, instead of another kind of contact.",
            ),
            [_] => {}
            many => faults.add(
                Field::Telephone,
                format!(
                    "{} contacts are to be tried first, with rank 1 in the file: keep one of them.",
                    many.len()
                ),
            ),
        }
        if points.iter().any(|p| p.rank == 0) {
            faults.add(Field::Telephone, "Ranks in the file start at 1.");
        }
        for point in &self.telecom {
            let field = match point.system {
                System::Email => Field::Email,
                _ => Field::Telephone,
            };
            contact_value(point, field, faults);
        }
        for contact in &self.contact {
            name("A third party", &contact.name, [Field::Contact; 3], faults);
            if contact.telecom.is_empty() {
                faults.add(Field::ContactPoint, "A third party has no contact point.");
            }
            for point in &contact.telecom {
                contact_value(point, Field::ContactPoint, faults);
            }
        }
    }
}

fn contact_value(point: &ContactPoint, field: Field, faults: &mut Faults) {
    let value = point.sent_value();
    let fault = match point.system {
        _ if value.is_empty() => "A contact point is empty.",
        _ if value.len() > MAX_TEXT => "A contact point is too long.",
        System::Phone | System::Sms | System::Fax
            if !value.chars().all(|c| c.is_ascii_digit() || c == ' ') =>
        {
            "A telephone number has digits and spaces only, in the national form, such as 01632 960123."
        }
        System::Email if !is_email(&value) => "An e-mail address has the form a@b.",
        _ => return,
    };
    faults.add(field, fault);
}

/// `fields` are those of the family name, the given names and the title.
fn name(whose: &str, name: &Person, fields: [Field; 3], faults: &mut Faults) {
    let [family, given, prefix] = fields;
    let too_long = |part: &String| part.len() > MAX_TEXT;
    for (field, long) in [
        (family, too_long(&name.family)),
        (given, name.given.iter().any(too_long)),
        (prefix, name.prefix.iter().any(too_long)),
    ] {
        if long {
            faults.add(
                field,
                format!("{whose} has a name longer than {MAX_TEXT} characters."),
            );
        }
    }
    if name.family.trim().is_empty() {
        faults.add(family, format!("{whose} has no family name."));
    }
    if !name.given.iter().any(|g| !g.trim().is_empty()) {
        faults.add(given, format!("{whose} has no given name."));
    }
}

fn is_email(value: &str) -> bool {
    !value.contains(char::is_whitespace)
        && value
            .rsplit_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details() -> BookingDetails {
        toml::from_str(
            r#"
            description = "Sore throat"
            [patient]
            nhs_number = "999 012 3454"
            gender = "female"
            birth_date = "1984-06-21"
            name = { family = "Testwell", given = ["Ada"], prefix = ["Ms"] }
            address = { lines = ["2 Synthetic Way"], postcode = "LS99 9ZZ" }
            telecom = [{ value = "+44 (0)1632-960123", rank = 1 }]
            "#,
        )
        .unwrap()
    }

    fn faults(change: impl FnOnce(&mut BookingDetails)) -> Vec<Field> {
        let mut d = details();
        change(&mut d);
        d.check(Date::constant(2031, 3, 4))
            .err()
            .map_or(Vec::new(), |e| e.0.iter().map(|f| f.field).collect())
    }

    #[test]
    fn good_details_have_no_fault_and_numbers_are_sent_in_the_national_form() {
        assert_eq!(faults(|_| ()), Vec::<Field>::new());
        assert_eq!(details().patient.telecom[0].sent_value(), "01632 960123");
        assert_eq!(details().patient.number().unwrap().as_str(), "9990123454");
        assert_eq!(format!("{:?}", details()), "BookingDetails(…)");
    }

    #[test]
    fn every_fault_is_told_without_the_value() {
        assert_eq!(
            faults(|d| d.patient.nhs_number = Some("9990123455".into())).len(),
            1
        );
        assert_eq!(
            faults(|d| d.patient.birth_date = "2031-03-05".into()).len(),
            1
        );
        assert_eq!(
            faults(|d| d.patient.birth_date = "1899-12-31".into()).len(),
            1
        );
        assert_eq!(
            faults(|d| d.patient.address.postcode = "nowhere".into()).len(),
            1
        );
        for rare in ["GIR 0AA", "BFPO 57", "BF1 3AA"] {
            let told = faults(|d| d.patient.address.postcode = rare.into());
            assert_eq!(told, [], "{rare}");
        }
        assert_eq!(faults(|d| d.patient.telecom.clear()).len(), 1);
        assert_eq!(faults(|d| d.patient.telecom[0].rank = 2).len(), 1);
        assert_eq!(
            faults(|d| d.patient.telecom[0].system = System::Email).len(),
            2
        );
        assert_eq!(
            faults(|d| {
                let again = d.patient.telecom[0].clone();
                d.patient.telecom.push(again);
            })
            .len(),
            1
        );
        assert_eq!(faults(|d| d.description = " ".into()).len(), 1);
        assert_eq!(faults(|d| d.patient.name.given = vec![" ".into()]).len(), 1);
    }

    /// Proves: CONS-ERR-02, CONS-BOOK-02
    /// Each fault says what it is about; a missing telephone number is asked for, not a rank.
    #[test]
    fn each_fault_has_its_field() {
        assert_eq!(faults(|d| d.patient.telecom.clear()), [Field::Telephone]);
        assert_eq!(faults(|d| d.patient.name.family.clear()), [Field::Family]);
        assert_eq!(faults(|d| d.patient.birth_date.clear()), [Field::BirthDate]);
        assert_eq!(faults(|d| d.description.clear()), [Field::Reason]);
        let mut without = details();
        without.patient.telecom.clear();
        let told = without.check(Date::constant(2031, 3, 4)).unwrap_err();
        assert_eq!(told.to_string(), "Add a telephone number.");
    }
}
