//! Faults of the DoS web service, each a number and a text (NAT-DOS-10).

use booking::xml_writer::escaped;
use http::StatusCode;
use std::borrow::Cow;

/// What is wrong with a request, or with the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DosFault {
    /// The number in `env:Code/env:Value`.
    pub code: u16,
    /// The text in `env:Reason/env:Text`.
    pub text: Cow<'static, str>,
}

/// The default text of every number.
const TEXTS: [(u16, &str); 26] = [
    (100, "System: the search failed"),
    (101, "Postcode: not found"),
    (102, "Search: no services found"),
    (103, "Request: service not found"),
    (
        104,
        "Parameter: no valid symptom discriminator, or none that belongs to the symptom group",
    ),
    (
        105,
        "Parameter: the search distance is a whole number of km from 1 to 99",
    ),
    (106, "Parameter: the gender is M, F or I"),
    (
        107,
        "Version: this version of the web service is not supported; send serviceVersion 1.5",
    ),
    (108, "Malformed request"),
    (
        109,
        "Version: no serviceVersion in the SOAP header; send 1.5",
    ),
    (
        110,
        "Parameter: searchDateTime is more than 1 minute in the past",
    ),
    (
        113,
        "Parameter: forceSearchDistance is true, so a searchDistance is needed",
    ),
    (114, "Parameter: the age is missing or not a whole number"),
    (
        115,
        "Parameter: an age in Days is a whole number from 0 to 31",
    ),
    (
        116,
        "Parameter: an age in Months is a whole number from 1 to 23",
    ),
    (
        117,
        "Parameter: an age in Years is a whole number from 2 to 129",
    ),
    (118, "Parameter: an AgeGroup is 1, 2, 3 or 4"),
    (
        119,
        "Parameter: the age format is Days, Months, Years or AgeGroup",
    ),
    (120, "Parameter: the symptom group is missing or not known"),
    (121, "Parameter: the disposition is missing or not known"),
    (300, "Login: the web service cannot be used for now"),
    (
        302,
        "Login: authentication failed; check user name and password, and whether the account is locked",
    ),
    (303, "Login: the account lacks the permission webService"),
    (500, "Internal error"),
    (504, "Time-out"),
    (1001, "Request: no user name and password in userInfo"),
];

impl DosFault {
    /// A fault with its default text.
    pub fn new(code: u16) -> DosFault {
        let text = TEXTS
            .iter()
            .find(|(number, _)| *number == code)
            .map_or("Fault", |(_, text)| text);
        DosFault {
            code,
            text: Cow::Borrowed(text),
        }
    }

    /// A fault with a more precise text.
    pub fn with(code: u16, text: impl Into<Cow<'static, str>>) -> DosFault {
        DosFault {
            code,
            text: text.into(),
        }
    }

    /// Fault 108, with what is malformed.
    pub fn malformed(what: impl std::fmt::Display) -> DosFault {
        DosFault::with(108, format!("Malformed request: {what}"))
    }

    /// Status by SOAP 1.2 over HTTP: 400 for the sender's faults, 500 for the service's.
    pub fn status(&self) -> StatusCode {
        match self.code {
            504 => StatusCode::GATEWAY_TIMEOUT,
            100 | 300 | 500 => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The SOAP envelope.
    pub fn envelope(&self) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <env:Envelope xmlns:env=\"{}\"><env:Body><env:Fault>\
             <env:Code><env:Value>{}</env:Value></env:Code>\
             <env:Reason><env:Text xml:lang=\"en\">{}</env:Text></env:Reason>\
             </env:Fault></env:Body></env:Envelope>\n",
            super::SOAP_12,
            self.code,
            escaped(&self.text)
        )
    }
}
