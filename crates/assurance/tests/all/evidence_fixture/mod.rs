//! Messages about an invented patient.

use assurance::evidence::{Body, Exchange, Headers};
use std::time::Duration;

/// An unsigned token of the Standard's form.
pub const TOKEN: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJNYXJsb3dlIn0.";

/// All that may not be left.
pub const SECRETS: [&str; 16] = [
    "9990123454",
    "999 012 3454",
    "Marlowe",
    "MARLOWE",
    "Persephone",
    "12 Nowhere Lane",
    "ZZ99 3WZ",
    "07700900123",
    "1980-02-29",
    "19800229",
    "hunter2",
    "abc123secret",
    "eyJhbGci",
    "LOCAL-77",
    "Twisted ankle",
    "persephone@example.test",
];

/// Header pairs.
pub fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect()
}

/// An exchange with this request body and status.
pub fn exchange(method: &str, url: &str, body: &str, status: u16) -> Exchange {
    let sent = headers(&[
        ("Ssp-From", "918999000099"),
        ("Accept", "application/fhir+json"),
    ]);
    let mut exchange = Exchange::sent(method, url, sent, Body::new(body));
    exchange.status = Some(status);
    exchange.took = Duration::from_micros(12_345);
    exchange
}

/// A booking request.
pub fn appointment_json() -> String {
    serde_json::json!({
        "resourceType": "Appointment",
        "language": "en-GB",
        "contained": [
            {
                "resourceType": "Patient",
                "id": "p1",
                "identifier": [{"use": "official", "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990123454"}],
                "name": [{"use": "official", "family": "Marlowe", "given": ["Persephone"]}],
                "telecom": [
                    {"system": "phone", "value": "07700900123", "rank": 1},
                    {"system": "email", "value": "persephone@example.test", "rank": 2}
                ],
                "gender": "female",
                "birthDate": "1980-02-29",
                "address": [{"use": "home", "line": ["12 Nowhere Lane"], "postalCode": "ZZ99 3WZ"}]
            },
            {"resourceType": "Slot", "id": "slot1", "status": "busy"}
        ],
        "status": "booked",
        "description": "Twisted ankle",
        "start": "2030-01-01T09:00:00+00:00",
        "participant": [{"actor": {"reference": "#p1", "display": "Persephone MARLOWE"}, "status": "accepted"}]
    })
    .to_string()
}

/// The same as an answer in XML.
pub fn appointment_xml() -> String {
    r##"<Appointment xmlns="http://hl7.org/fhir"><id value="a1"/><text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p>Persephone <b>Marlowe</b></p></div></text><contained><Patient><id value="p1"/><identifier><system value="https://fhir.nhs.uk/Id/nhs-number"/><value value="999&#48;123454"/></identifier><name><family value="Marlowe"/><given value="Persephone"/></name><telecom><system value="phone"/><value value="07700900123"/><rank value="1"/></telecom><birthDate value="1980-02-29"/><address><line value="12 Nowhere Lane"/><postalCode value="ZZ99 3WZ"/></address></Patient></contained><status value="booked"/><description value="Twisted ankle"/><participant><actor><reference value="#p1"/><identifier><system value="https://fhir.nhs.uk/Id/nhs-number"/><value value="9990123454"/></identifier><display value="Persephone Marlowe"/></actor></participant></Appointment>"##.to_owned()
}
