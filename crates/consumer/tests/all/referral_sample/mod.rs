//! A synthetic referral.

use booking::ids::{NhsNumber, OdsCode};
use consumer::referral::{
    Appointment, AppointmentUrl, Author, Disposition, Encounter, Endpoint, Gender, Organisation,
    Patient, Referral, Section, Wrapping,
};
use uuid::Uuid;

pub const URL: &str =
    "https://provider.example.nhs.uk/STU3/1/FX101/Appointment/5d2f1c1e-1111-4a4a-8b8b-000000000001";

pub fn organisation(ods: &str, name: &str) -> Organisation {
    Organisation {
        ods: OdsCode::parse(ods).expect("an ODS code"),
        name: name.to_owned(),
    }
}

pub fn appointment(url: &str) -> Appointment {
    Appointment {
        url: AppointmentUrl::from_location(&format!("{url}/_history/1")).expect("a URL"),
        start: "2031-07-04T08:30:00Z".parse().expect("a time"),
        service: "Fernhill UTC <GP> & nurse".to_owned(),
    }
}

/// Names and texts with everything that XML minds.
pub fn referral() -> Referral {
    let sender = organisation("FX900", "Fernhill 111");
    Referral {
        document_id: Uuid::new_v4(),
        written_at: "2031-07-04T08:05:06Z".parse().expect("a time"),
        patient: Patient {
            nhs_number: Some(NhsNumber::parse("9990123454").expect("a number")),
            verified: true,
            family: "O'Test & \"Sons\" <x>".to_owned(),
            given: vec!["Ada".to_owned(), "Zo\u{eb}".to_owned()],
            prefix: Some("Ms".to_owned()),
            gender: Gender::Female,
            birth_date: Some("1984-06-21".parse().expect("a date")),
            address: vec!["2 Synthetic Way".to_owned()],
            postcode: Some("LS99 9ZZ".to_owned()),
            telephones: vec!["01632 960123".to_owned()],
            practice: Some(organisation("FX333", "Fernhill Surgery")),
        },
        author: Author {
            id: "u-17".to_owned(),
            name: "Alex Advisor".to_owned(),
            role: "Health advisor".to_owned(),
            organisation: sender.clone(),
        },
        custodian: sender,
        recipient: organisation("FX101", "Fernhill Urgent Care"),
        copies: vec![organisation("FX333", "Fernhill Surgery")],
        encounter: Encounter {
            case_id: "C-2031-77".to_owned(),
            start: "2031-07-04T08:00:00Z".parse().expect("a time"),
            end: None,
            disposition: Disposition {
                code: "Dx05".to_owned(),
                text: "To contact a primary care service within 2 hours".to_owned(),
            },
        },
        triage: vec![Section {
            title: "Questions & answers".to_owned(),
            paragraphs: vec!["Temperature > 38? \u{0}\u{1b} no]]>".to_owned()],
        }],
        appointment: Some(appointment(URL)),
        replaces: None,
    }
}

pub fn endpoint(address: &str, wrapping: Wrapping) -> Endpoint {
    Endpoint {
        address: address.to_owned(),
        wrapping,
        interaction:
            "urn:nhs-itk:interaction:primaryEmergencyDepartmentRecipientNHS111CDADocument-v2-0"
                .to_owned(),
        copy: false,
    }
}
