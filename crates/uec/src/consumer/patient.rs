//! Whom a booking is for, from flags or from a file. A new flag also goes into [`PatientArgs::is_empty`], and into the
//! questions of `asked` where a user is asked for it.

use super::Stopped;
use booking::named_file;
use booking::wrong_value;
use clap::Args;
use consumer::plan::{
    Address, BookingDetails, Contact, ContactPoint, Gender, Patient, Person, Relationship, System,
    Use, Verification,
};
use std::fs::File;
use std::path::PathBuf;

/// Largest file read; a patient has a few hundred bytes.
const MAX_FILE: u64 = 64 * 1024;

/// The patient and the reason.
#[derive(Args)]
#[command(next_help_heading = "Patient")]
pub struct PatientArgs {
    /// All of it from a TOML or JSON file (see docs/consumer.md); flags win over the file
    #[arg(long, value_name = "FILE")]
    pub patient: Option<PathBuf>,
    /// NHS number; leave it out when it is not known
    #[arg(long, value_name = "NUMBER")]
    pub nhs_number: Option<String>,
    /// The NHS number was traced, in PDS or by the Spine mini service: it is sent as verified
    #[arg(long, conflicts_with = "verification")]
    pub traced: bool,
    /// How far the NHS number was verified: 01 traced, 02 to 08 see the standard [default: 02, not traced]
    #[arg(long, value_name = "CODE")]
    pub verification: Option<String>,
    /// Family name
    #[arg(long, value_name = "NAME")]
    pub family: Option<String>,
    /// Given names, separated by spaces
    #[arg(long, value_name = "NAMES")]
    pub given: Option<String>,
    /// Title
    #[arg(long, value_name = "TITLE")]
    pub prefix: Option<String>,
    /// male, female, other or unknown
    #[arg(long)]
    pub gender: Option<String>,
    /// Date of birth, such as 1984-06-21
    #[arg(long, value_name = "DATE")]
    pub birth_date: Option<String>,
    /// House and street of the home address; may be repeated
    #[arg(long, value_name = "LINE")]
    pub address: Vec<String>,
    /// Town of the home address
    #[arg(long)]
    pub city: Option<String>,
    /// Postcode of the home address
    #[arg(long)]
    pub postcode: Option<String>,
    /// The patient's telephone; the first is tried first. May be repeated
    #[arg(long, value_name = "NUMBER")]
    pub phone: Vec<String>,
    /// The patient's e-mail address
    #[arg(long)]
    pub email: Option<String>,
    /// A third party to contact: family and given name, such as "Testwell, Grace"
    #[arg(long, value_name = "NAME", requires = "contact_phone")]
    pub contact: Option<String>,
    /// The third party's telephone; it is tried first when the patient has none
    #[arg(long, value_name = "NUMBER", requires = "contact")]
    pub contact_phone: Option<String>,
    /// Who they are: N next of kin, C emergency contact, E employer, U unknown
    #[arg(long, value_name = "CODE", default_value = "N")]
    pub contact_relationship: String,
    /// Reason for the appointment, shown to the service
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

impl PatientArgs {
    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.patient.is_none() && self.family.is_none() && self.nhs_number.is_none()
    }

    /// Flags over file.
    pub fn details(&self) -> Result<BookingDetails, Stopped> {
        let mut details = match &self.patient {
            Some(path) => read(path)?,
            None => self.fresh()?,
        };
        let patient = &mut details.patient;
        if let Some(number) = &self.nhs_number {
            // What the file says of its own number says nothing of another one.
            if patient.nhs_number.as_ref() != Some(number) {
                (patient.traced, patient.verification) = (false, Verification::default());
            }
            patient.nhs_number = Some(number.clone());
        }
        if let Some(code) = &self.verification {
            patient.verification = Verification::from_code(code)
                .ok_or_else(|| usage("--verification", "write a code from 01 to 08"))?;
            patient.traced = false;
        }
        patient.traced |= self.traced;
        replace(&mut patient.name.family, &self.family);
        if let Some(given) = &self.given {
            patient.name.given = words(given);
        }
        if let Some(prefix) = &self.prefix {
            patient.name.prefix = words(prefix);
        }
        if let Some(gender) = &self.gender {
            patient.gender = Gender::from_code(&gender.to_ascii_lowercase())
                .ok_or_else(|| usage("--gender", "write male, female, other or unknown"))?;
        }
        replace(&mut patient.birth_date, &self.birth_date);
        if !self.address.is_empty() {
            patient.address.lines.clone_from(&self.address);
        }
        if self.city.is_some() {
            patient.address.city.clone_from(&self.city);
        }
        replace(&mut patient.address.postcode, &self.postcode);
        replace(&mut details.description, &self.reason);
        self.contacts(&mut details.patient)?;
        Ok(details)
    }

    /// Details with nothing but what has to be there.
    fn fresh(&self) -> Result<BookingDetails, Stopped> {
        let wanted = |flag: &str, value: &Option<String>| {
            value
                .clone()
                .ok_or_else(|| usage(flag, "it is needed without --patient FILE"))
        };
        Ok(BookingDetails {
            description: wanted("--reason", &self.reason)?,
            patient: Patient {
                nhs_number: None,
                verification: Verification::default(),
                traced: false,
                name: Person {
                    family: wanted("--family", &self.family)?,
                    given: words(&wanted("--given", &self.given)?),
                    prefix: Vec::new(),
                },
                gender: Gender::default(),
                birth_date: wanted("--birth-date", &self.birth_date)?,
                address: Address {
                    lines: Vec::new(),
                    city: None,
                    district: None,
                    postcode: wanted("--postcode", &self.postcode)?,
                },
                telecom: Vec::new(),
                contact: Vec::new(),
            },
        })
    }

    /// Contact points of the flags replace those of the file.
    fn contacts(&self, patient: &mut Patient) -> Result<(), Stopped> {
        let point = |system, value: &str, rank| ContactPoint {
            system,
            value: value.to_owned(),
            place: value
                .replace(' ', "")
                .starts_with("07")
                .then_some(Use::Mobile),
            rank,
        };
        if !self.phone.is_empty() || self.email.is_some() {
            let phones = self.phone.iter().map(|v| (System::Phone, v));
            let all = phones.chain(self.email.iter().map(|v| (System::Email, v)));
            patient.telecom = (1..)
                .zip(all)
                .map(|(rank, (system, value))| point(system, value, rank))
                .collect();
        }
        let (Some(name), Some(phone)) = (&self.contact, &self.contact_phone) else {
            return Ok(());
        };
        let (family, given) = name
            .split_once(',')
            .ok_or_else(|| usage("--contact", "write \"Family, Given\""))?;
        let relationship = Relationship::from_code(&self.contact_relationship.to_ascii_uppercase())
            .ok_or_else(|| usage("--contact-relationship", "write N, C, E or U"))?;
        let rank = patient.telecom.iter().map(|p| p.rank).max().unwrap_or(0) + 1;
        patient.contact = vec![Contact {
            name: Person {
                family: family.trim().to_owned(),
                given: words(given),
                prefix: Vec::new(),
            },
            relationship,
            telecom: vec![point(System::Phone, phone, rank)],
        }];
        Ok(())
    }
}

fn replace(to: &mut String, from: &Option<String>) {
    if let Some(from) = from {
        to.clone_from(from);
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn usage(flag: &str, why: &str) -> Stopped {
    Stopped::Usage(format!("{flag}: {why}"))
}

fn read(path: &PathBuf) -> Result<BookingDetails, Stopped> {
    let shown = path.display().to_string();
    let text = named_file::text(File::open(path), MAX_FILE)
        .map_err(|e| Stopped::Usage(format!("cannot read {shown}: {e}")))?;
    let details = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(&text).map_err(|e| {
            let (told, line, column) = (e.to_string(), e.line(), e.column());
            match wrong_value::plain(&told) {
                Some(plain) => format!("{shown}: line {line}, column {column}: {plain}"),
                None => format!("{shown}: {told}"),
            }
        }),
        false => sheet::read(&text, &shown).map_err(|e| e.to_string()),
    };
    details.map_err(Stopped::Usage)
}
