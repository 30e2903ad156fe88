//! The patient of a booking as typed data, with contact points and third parties (CONS-BOOK-02, RES-PAT, RES-RANK). All
//! `Debug` output hides what identifies a patient.

use crate::redact::Identifying;
use booking::ids::NhsNumber;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The details of a booking besides the slot.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookingDetails {
    /// The patient.
    pub patient: Patient,
    /// Reason, shown in the Provider's lists (RES-APPT-08).
    pub description: String,
}

/// The patient, with third parties to contact.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patient {
    /// NHS number, if known (RES-PAT-02).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nhs_number: Option<String>,
    /// Verification of the number; ignored without one.
    #[serde(default)]
    pub verification: Verification,
    /// True when the number was traced; then it counts as verified, whatever `verification` says.
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

impl From<&Patient> for Identifying {
    /// The patient with their third parties.
    fn from(patient: &Patient) -> Identifying {
        let people = || {
            std::iter::once((&patient.name, &patient.telecom))
                .chain(patient.contact.iter().map(|c| (&c.name, &c.telecom)))
        };
        let names = people().flat_map(|(name, _)| name.given.iter().chain([&name.family]));
        let points = people().flat_map(|(_, points)| points);
        let address = &patient.address;
        Identifying {
            names: names.cloned().collect(),
            points: points.map(|point| point.value.clone()).collect(),
            birth_date: patient.birth_date.clone(),
            numbers: patient.nhs_number.iter().cloned().collect(),
            address: address
                .lines
                .iter()
                .chain([&address.postcode])
                .cloned()
                .collect(),
        }
    }
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

/// A telephone number or address of a person.
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
    /// Order of trying, 1 first; equal if the order is unknown (RES-RANK-03).
    pub rank: u32,
}

/// A third party (RES-PAT-09).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Name.
    pub name: Person,
    /// Relation to the patient.
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

            /// The display text.
            pub fn display(self) -> &'static str {
                match self { $($name::$variant => $display),+ }
            }

            /// The value with this code.
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
        /// Temporary.
        Temp = "temp", "Temporary";
        /// Mobile.
        Mobile = "mobile", "Mobile";
    }
}

codes! {
    /// Relation of a third party to the patient (HL7 v2 table 0131).
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
    /// Verification of an NHS number (RES-PAT-03).
    Verification default NotTraced {
        /// Traced: for a number that was looked up.
        Verified = "01", "Number present and verified";
        /// Not traced: for a number that was said or typed.
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
    /// The value to send: telephone numbers as digits and spaces, in national form (RES-RANK-04).
    pub fn sent_value(&self) -> String {
        match self.system {
            System::Phone | System::Sms | System::Fax => national(&self.value),
            System::Email | System::Other => self.value.trim().to_owned(),
        }
    }
}

/// `+44 (0)7700-900456` as `07700 900456`. Text that is no number stays recognisable.
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

impl Patient {
    /// The NHS number, if valid.
    pub fn number(&self) -> Option<NhsNumber> {
        let digits: String = self.nhs_number.as_ref()?.split_whitespace().collect();
        NhsNumber::parse(&digits).ok()
    }

    /// The verification to send.
    pub fn verified_as(&self) -> Verification {
        match self.traced {
            true => Verification::Verified,
            false => self.verification,
        }
    }

    /// The patient's own mobile number with the best rank, for a text message.
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
