//! Whom a booking is for, as typed data: the patient, contact points and third parties (CONS-BOOK-02, RES-PAT,
//! RES-RANK). `Debug` of everything here hides what identifies a patient.

use booking::ids::NhsNumber;
use fhir::primitive::DateTime;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest text of one field. The Standard has no limits (RES-PAT-04); this only keeps a message small.
const MAX_TEXT: usize = 500;
/// Most contact points and third parties; records of a 111 call have two or three.
const MAX_CONTACTS: usize = 20;
/// Nobody alive was born earlier (RES-PAT-06).
const FIRST_BIRTH_YEAR: i16 = 1900;

/// What a booking says besides the slot.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookingDetails {
    /// The patient.
    pub patient: Patient,
    /// Reason, shown in the Provider's lists (RES-APPT-08).
    pub description: String,
}

/// The patient, with third parties who may be contacted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patient {
    /// NHS number; none when it is not known (RES-PAT-02).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nhs_number: Option<String>,
    /// How far the number was verified; counts only with a number.
    #[serde(default)]
    pub verification: Verification,
    /// The number was traced: then it is verified, whatever is said besides.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub traced: bool,
    /// The official name.
    pub name: Person,
    /// Administrative gender.
    pub gender: Gender,
    /// Date of birth, `YYYY-MM-DD`.
    pub birth_date: String,
    /// Home address.
    pub address: Address,
    /// The patient's own contact points.
    #[serde(default)]
    pub telecom: Vec<ContactPoint>,
    /// Third parties.
    #[serde(default)]
    pub contact: Vec<Contact>,
}

/// A person's name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Family name.
    pub family: String,
    /// Given names, at least one.
    pub given: Vec<String>,
    /// Titles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefix: Vec<String>,
}

/// The home address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// House and street.
    #[serde(default)]
    pub lines: Vec<String>,
    /// Town.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// County.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    /// Postcode.
    pub postcode: String,
}

/// A telephone number or address at which somebody is reached.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactPoint {
    /// Kind.
    #[serde(default)]
    pub system: System,
    /// Number or address.
    pub value: String,
    /// Where it is.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub place: Option<Use>,
    /// Order of trying: 1 first; equal where the order is not known (RES-RANK-03).
    pub rank: u32,
}

/// A third party (RES-PAT-09).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Name.
    pub name: Person,
    /// Who they are to the patient.
    pub relationship: Relationship,
    /// Their contact points.
    pub telecom: Vec<ContactPoint>,
}

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident default $first:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $display:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $code)] $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The code on the wire.
            pub fn code(self) -> &'static str {
                match self { $($name::$variant => $code),+ }
            }

            /// What it is called.
            pub fn display(self) -> &'static str {
                match self { $($name::$variant => $display),+ }
            }

            /// The one of a code.
            pub fn from_code(code: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|c| c.code() == code)
            }
        }

        impl Default for $name {
            fn default() -> $name { $name::$first }
        }
    };
}

codes! {
    /// Administrative gender (RES-PAT-05).
    Gender default Unknown {
        /// Male.
        Male = "male", "Male";
        /// Female.
        Female = "female", "Female";
        /// Other.
        Other = "other", "Other";
        /// Not known.
        Unknown = "unknown", "Unknown";
    }
}

codes! {
    /// Kind of a contact point (FHIR contact-point-system).
    System default Phone {
        /// Telephone.
        Phone = "phone", "Telephone";
        /// E-mail.
        Email = "email", "E-mail";
        /// Text message only.
        Sms = "sms", "SMS";
        /// Fax.
        Fax = "fax", "Fax";
        /// Anything else.
        Other = "other", "Other";
    }
}

codes! {
    /// Where a contact point is (FHIR contact-point-use).
    Use default Home {
        /// At home.
        Home = "home", "Home";
        /// At work.
        Work = "work", "Work";
        /// For the time being.
        Temp = "temp", "Temporary";
        /// Mobile.
        Mobile = "mobile", "Mobile";
    }
}

codes! {
    /// Who a third party is to the patient (HL7 v2 table 0131).
    Relationship default NextOfKin {
        /// Next of kin.
        NextOfKin = "N", "Next-of-Kin";
        /// Emergency contact.
        EmergencyContact = "C", "Emergency Contact";
        /// Employer.
        Employer = "E", "Employer";
        /// Federal agency.
        FederalAgency = "F", "Federal Agency";
        /// Insurance company.
        InsuranceCompany = "I", "Insurance Company";
        /// State agency.
        StateAgency = "S", "State Agency";
        /// Unknown.
        Unknown = "U", "Unknown";
    }
}

codes! {
    /// How far an NHS number was verified (RES-PAT-03).
    Verification default NotTraced {
        /// Traced: what a Consumer sends for a number that was looked up.
        Verified = "01", "Number present and verified";
        /// Not traced: what is true of a number that somebody said or typed.
        NotTraced = "02", "Number present but not traced";
        /// Trace required.
        TraceRequired = "03", "Trace required";
        /// No match, or several.
        TraceFailed = "04", "Trace attempted - No match or multiple match found";
        /// Needs to be resolved.
        Unresolved = "05", "Trace needs to be resolved - (NHS Number or patient detail conflict)";
        /// In progress.
        InProgress = "06", "Trace in progress";
        /// Not needed.
        NotRequired = "07", "Number not present and trace not required";
        /// A baby under six weeks.
        Postponed = "08", "Trace postponed (baby under six weeks old)";
    }
}

/// What is wrong with booking details: every fault, in words for the person who filled them in, without values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join(" "))]
pub struct DetailsError(pub Vec<String>);

impl Person {
    /// Prefix, given and family names.
    pub fn display(&self) -> String {
        let parts = self.prefix.iter().chain(&self.given);
        let mut words: Vec<&str> = parts.map(|p| p.trim()).filter(|p| !p.is_empty()).collect();
        words.push(self.family.trim());
        words.join(" ")
    }
}

impl ContactPoint {
    /// The value as it is sent: telephone numbers of digits and spaces, national form (RES-RANK-04).
    pub fn sent_value(&self) -> String {
        match self.system {
            System::Phone | System::Sms | System::Fax => national(&self.value),
            System::Email | System::Other => self.value.trim().to_owned(),
        }
    }
}

/// `+44 (0)7700-900456` as `07700 900456`; what is no number stays recognisable as such.
fn national(value: &str) -> String {
    let value = value.trim().replace("(0)", "");
    let value = match value
        .strip_prefix("+44")
        .or_else(|| value.strip_prefix("0044"))
    {
        Some(rest) => format!("0{}", rest.trim_start()),
        None => value,
    };
    let plain: String = value
        .chars()
        .filter(|c| !matches!(c, '(' | ')'))
        .map(|c| if matches!(c, '-' | '.' | '/') { ' ' } else { c })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl BookingDetails {
    /// Everything that a Provider would refuse, before it is asked (CONS-BOOK-02).
    pub fn check(&self, today: Date) -> Result<(), DetailsError> {
        let mut faults = Vec::new();
        if self.description.trim().is_empty() {
            faults.push("The reason for the appointment is missing.".to_owned());
        }
        if self.description.len() > MAX_TEXT {
            faults.push(format!("The reason is longer than {MAX_TEXT} characters."));
        }
        let patient = &self.patient;
        patient.identity(today, &mut faults);
        patient.contacts(&mut faults);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(DetailsError(faults))
        }
    }
}

impl Patient {
    /// The NHS number, if there is one and it is one.
    pub fn number(&self) -> Option<NhsNumber> {
        let digits: String = self.nhs_number.as_ref()?.split_whitespace().collect();
        NhsNumber::parse(&digits).ok()
    }

    /// How far the number was verified, as it is sent.
    pub fn verified_as(&self) -> Verification {
        match self.traced {
            true => Verification::Verified,
            false => self.verification,
        }
    }

    /// The mobile number to send a text message to, the best ranked of the patient's own.
    pub fn mobile(&self) -> Option<String> {
        let mut own: Vec<&ContactPoint> = self.telecom.iter().collect();
        own.sort_by_key(|p| p.rank);
        own.into_iter().find_map(|p| {
            let value = p.sent_value();
            let compact: String = value.split_whitespace().collect();
            let mobile = compact.starts_with("07") && compact.len() == 11;
            (matches!(p.system, System::Phone | System::Sms) && mobile).then_some(value)
        })
    }

    fn identity(&self, today: Date, faults: &mut Vec<String>) {
        if self.nhs_number.is_some() && self.number().is_none() {
            faults.push(
                "The NHS number is not valid: it has ten digits, the last a check digit. Leave it out when it is not \
                 known."
                    .to_owned(),
            );
        }
        name("The patient", &self.name, faults);
        match DateTime::check_date(&self.birth_date).map(|d| d.date()) {
            Err(_) => {
                faults.push("The date of birth is no date; write it as 1984-06-21.".to_owned())
            }
            Ok(date) if date > today => {
                faults.push("The date of birth is in the future.".to_owned())
            }
            Ok(date) if date.year() < FIRST_BIRTH_YEAR => {
                faults.push(format!("The date of birth is before {FIRST_BIRTH_YEAR}."));
            }
            Ok(_) => {}
        }
        if !is_postcode(&self.address.postcode) {
            faults.push("The home address needs a valid postcode, such as LS99 9ZZ.".to_owned());
        }
        let address = &self.address;
        let texts = address
            .lines
            .iter()
            .chain(&address.city)
            .chain(&address.district);
        if texts.into_iter().any(|t| t.len() > MAX_TEXT) {
            faults.push(format!(
                "A part of the address is longer than {MAX_TEXT} characters."
            ));
        }
    }

    fn contacts(&self, faults: &mut Vec<String>) {
        let of_contacts = self.contact.iter().flat_map(|c| &c.telecom);
        let points: Vec<&ContactPoint> = self.telecom.iter().chain(of_contacts).collect();
        if points.len() > MAX_CONTACTS || self.contact.len() > MAX_CONTACTS {
            faults.push(format!("There are more than {MAX_CONTACTS} contacts."));
        }
        let firsts: Vec<&&ContactPoint> = points.iter().filter(|p| p.rank == 1).collect();
        match firsts.as_slice() {
            [] => faults.push(
                "One telephone number must have rank 1: the one to try first, of the patient or of somebody else."
                    .to_owned(),
            ),
            [first] if first.system != System::Phone => {
                faults.push("The contact of rank 1 must be a telephone number.".to_owned());
            }
            [_] => {}
            many => faults.push(format!(
                "{} contacts have rank 1; only the one to try first has it.",
                many.len()
            )),
        }
        if points.iter().any(|p| p.rank == 0) {
            faults.push("Ranks start at 1.".to_owned());
        }
        for point in points {
            contact_value(point, faults);
        }
        for contact in &self.contact {
            name("A third party", &contact.name, faults);
            if contact.telecom.is_empty() {
                faults.push("A third party has no contact point.".to_owned());
            }
        }
    }
}

fn contact_value(point: &ContactPoint, faults: &mut Vec<String>) {
    let value = point.sent_value();
    let fault = match point.system {
        _ if value.is_empty() => "A contact point is empty.",
        _ if value.len() > MAX_TEXT => "A contact point is too long.",
        System::Phone | System::Sms | System::Fax
            if !value.chars().all(|c| c.is_ascii_digit() || c == ' ') =>
        {
            "A telephone number has digits and spaces only, in the national form: 01632 960123."
        }
        System::Email if !is_email(&value) => "An e-mail address has the form a@b.",
        _ => return,
    };
    faults.push(fault.to_owned());
}

fn name(whose: &str, name: &Person, faults: &mut Vec<String>) {
    let parts = name.given.iter().chain(&name.prefix).chain([&name.family]);
    if parts.into_iter().any(|p| p.len() > MAX_TEXT) {
        faults.push(format!(
            "{whose} has a name longer than {MAX_TEXT} characters."
        ));
    }
    if name.family.trim().is_empty() {
        faults.push(format!("{whose} has no family name."));
    }
    if !name.given.iter().any(|g| !g.trim().is_empty()) {
        faults.push(format!("{whose} has no given name."));
    }
}

fn is_email(value: &str) -> bool {
    !value.contains(char::is_whitespace)
        && value
            .rsplit_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
}

/// A UK postcode: outward part of 2 to 4, inward part of a digit and two letters.
fn is_postcode(text: &str) -> bool {
    let compact: Vec<char> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let Some(cut) = compact.len().checked_sub(3).filter(|n| (2..=4).contains(n)) else {
        return false;
    };
    let (outward, inward) = compact.split_at(cut);
    outward.first().is_some_and(char::is_ascii_alphabetic)
        && outward.iter().all(char::is_ascii_alphanumeric)
        && outward.iter().any(char::is_ascii_digit)
        && inward.first().is_some_and(char::is_ascii_digit)
        && inward.iter().skip(1).all(char::is_ascii_alphabetic)
}

macro_rules! hidden {
    ($($name:ident),+) => { $(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )+ };
}

hidden!(
    BookingDetails,
    Patient,
    Person,
    Address,
    ContactPoint,
    Contact
);

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

    fn faults(change: impl FnOnce(&mut BookingDetails)) -> Vec<String> {
        let mut d = details();
        change(&mut d);
        d.check(Date::constant(2031, 3, 4))
            .err()
            .map_or(Vec::new(), |e| e.0)
    }

    #[test]
    fn good_details_have_no_fault_and_numbers_are_sent_in_the_national_form() {
        assert_eq!(faults(|_| ()), Vec::<String>::new());
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
}
