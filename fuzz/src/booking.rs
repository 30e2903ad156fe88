//! A booking from bytes to the rules: no body panics, every refusal can be answered, and a booking that was
//! accepted is accepted again as it was stored.

use booking::appointment::BookingRequest;
use booking::refusal::Refusal;
use fhir::{Limits, Parsed, json, xml};

use crate::Outcome;

/// Takes the bytes as the body of a booking, XML when it starts like XML. Panics when a promise is broken.
pub fn run(bytes: &[u8]) -> Outcome {
    let is_xml = bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<');
    let parse = if is_xml { xml::parse } else { json::parse };
    let parsed = match parse(bytes, &Limits::default()) {
        Ok(parsed) => parsed,
        Err(issue) => return Outcome::of_issues(&[issue]),
    };
    match BookingRequest::read(parsed) {
        Ok(request) => accepted(&request),
        Err(refusal) => {
            check_refusal(&refusal);
            Outcome::of_refusal(&refusal)
        }
    }
}

fn accepted(request: &BookingRequest) -> Outcome {
    assert!(request.start <= request.end, "it ends before it starts");
    let stored = json::write(&request.document);
    let again = read(json::parse(&stored, &Limits::unbounded()));
    assert!(
        again.document == request.document,
        "reading it again changes it"
    );
    assert!(again.slot == request.slot, "it claims another slot");
    assert!(
        (again.start, again.end) == (request.start, request.end),
        "it is at another time"
    );
    assert!(
        again.nhs_number == request.nhs_number,
        "it is for another patient"
    );
    assert!(
        again.document_id == request.document_id,
        "it is for another referral"
    );
    if crate::json::fits_xml(&request.document) {
        let through_xml = read(xml::parse(
            &xml::write(&request.document),
            &Limits::unbounded(),
        ));
        assert!(
            through_xml.slot == request.slot,
            "in XML it claims another slot"
        );
        assert!(
            through_xml.nhs_number == request.nhs_number,
            "in XML it is for another patient"
        );
    }
    Outcome::of(("accepted", request.nhs_number.is_some()))
        .then(Outcome::of_issues(&request.faults))
}

fn read(parsed: Result<Parsed, fhir::Issue>) -> BookingRequest {
    let parsed = parsed.unwrap_or_else(|e| panic!("what was stored cannot be read: {e}"));
    BookingRequest::read(parsed)
        .unwrap_or_else(|r| panic!("what was stored is refused: {:?}", r.findings))
}

/// A refusal can be answered: it says something, and its outcome is sound in both formats.
pub(crate) fn check_refusal(refusal: &Refusal) {
    assert!(
        (400..500).contains(&refusal.status()),
        "a fault of the message is 4xx, not {}",
        refusal.status()
    );
    assert!(!refusal.findings.is_empty(), "a refusal without a reason");
    let outcome = refusal.outcome("00000000-0000-4000-8000-000000000000");
    let in_json = json::parse(&json::write(&outcome), &Limits::default());
    let in_xml = xml::parse(&xml::write(&outcome), &Limits::default());
    for (format, parsed) in [("JSON", in_json), ("XML", in_xml)] {
        let parsed = parsed.unwrap_or_else(|e| panic!("the answer is no {format}: {e}"));
        assert!(
            parsed.issues.is_empty(),
            "the answer in {format} has issues: {:?}",
            parsed.issues
        );
    }
}
