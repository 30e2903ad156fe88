//! The error table of the Standard and the OperationOutcome built from it.

use booking::ids::ResourceId;
use booking::refusal::{
    Finding, ISSUE_TYPE, MAX_FINDINGS, Refusal, Retry, SPINE_CODES, Situation, information_outcome,
};
use fhir::{Element, Issue, IssueCode, Pos, Severity, Stage};

/// Section 11 of the wire contract, row by row: id, status, `issue.code`, detail code.
const TABLE: [(&str, u16, &str, &str); 23] = [
    ("ERR-01", 400, "invalid", "INVALID_PARAMETER"),
    ("ERR-02", 400, "invalid", "MISSING_OR_INVALID_HEADER"),
    ("ERR-03", 400, "required", "MISSING_OR_INVALID_HEADER"),
    ("ERR-04", 400, "invalid", "INVALID_PARAMETER"),
    ("ERR-05", 400, "invalid", "INVALID_PARAMETER"),
    ("ERR-06", 403, "forbidden", "ACCESS DENIED"),
    ("ERR-07", 403, "forbidden", "ACCESS DENIED"),
    ("ERR-08", 404, "not-found", "NO_RECORD_FOUND"),
    ("ERR-09", 404, "not-found", "NO_RECORD_FOUND"),
    ("ERR-10", 405, "not-supported", "BAD_REQUEST"),
    ("ERR-11", 409, "duplicate", "DUPLICATE_REJECTED"),
    ("ERR-12", 409, "conflict", "CONFLICTING_VALUES"),
    ("ERR-13", 412, "required", "MISSING_OR_INVALID_HEADER"),
    ("ERR-14", 415, "not-supported", "UNSUPPORTED_MEDIA_TYPE"),
    ("ERR-15", 422, "processing", "processing"),
    ("ERR-16", 422, "invalid", "REFERENCE_NOT_FOUND"),
    ("ERR-17", 422, "invalid", "INVALID_PARAMETER"),
    ("ERR-18", 422, "value", "INVALID_NHS_NUMBER"),
    ("ERR-19", 422, "invalid", "REFERENCE_NOT_FOUND"),
    ("ERR-20", 422, "business-rule", "INVALID_REQUEST_STATE"),
    ("ERR-21", 501, "not-supported", "NOT_IMPLEMENTED"),
    ("ERR-22", 500, "processing", "INTERNAL_SERVER_ERROR"),
    ("ERR-23", 503, "transient", "INTERNAL_SERVER_ERROR"),
];

fn text<'a>(outcome: &'a Element, path: &str) -> &'a str {
    outcome
        .at(path)
        .and_then(Element::as_str)
        .unwrap_or_else(|| panic!("no {path}"))
}

/// Proves: ERR-01, ERR-02, ERR-03, ERR-04, ERR-05, ERR-06, ERR-07, ERR-08, ERR-09, ERR-10, ERR-11, ERR-12, ERR-13, ERR-14, ERR-15, ERR-16, ERR-17, ERR-18, ERR-19, ERR-20, ERR-21, ERR-22, ERR-23
#[test]
fn every_row_is_as_the_standard_has_it() {
    for (situation, (id, status, code, detail)) in Situation::ALL.iter().zip(TABLE) {
        let row = situation.row();
        assert_eq!(
            (row.id, row.status, row.code, row.spine),
            (id, status, code, detail),
            "{situation:?}"
        );
        let outcome = Refusal::new(*situation, "why").outcome("e-1");
        assert_eq!(text(&outcome, "issue.code"), code);
        assert_eq!(text(&outcome, "issue.details.coding.code"), detail);
        assert_eq!(outcome.at("issue.details").unwrap().count("coding"), 1);
    }
    assert_eq!(Situation::ALL.len(), TABLE.len() + 6);
    for (i, situation) in Situation::ALL.iter().enumerate() {
        assert_eq!(
            *situation as usize, i,
            "the table is indexed by the situation"
        );
    }
    let others: Vec<u16> = Situation::ALL[TABLE.len()..]
        .iter()
        .map(|s| s.row().status)
        .collect();
    assert_eq!(others, [404, 413, 408, 429, 400, 431]);
    assert!(
        Situation::ALL
            .iter()
            .all(|s| s.row().status < 500 || s.row().retry != Retry::WithChange)
    );
}

/// Proves: PROV-ERR-01, PROV-ERR-02
#[test]
fn an_outcome_has_id_profile_severity_code_details_and_position() {
    let outcome = Refusal::new(Situation::InvalidParameter, "bad")
        .location("http.start")
        .outcome("err-7f3c");
    assert_eq!(outcome.resource_type(), Some("OperationOutcome"));
    assert_eq!(text(&outcome, "id"), "err-7f3c");
    assert_eq!(
        text(&outcome, "meta.profile"),
        "http://hl7.org/fhir/StructureDefinition/OperationOutcome"
    );
    assert_eq!(text(&outcome, "issue.severity"), "error");
    assert_eq!(text(&outcome, "issue.details.coding.system"), SPINE_CODES);
    assert_eq!(text(&outcome, "issue.diagnostics"), "bad");
    assert_eq!(text(&outcome, "issue.location"), "http.start");
}

/// Proves: ERR-15, D-15, PROV-BOOK-03
#[test]
fn a_taken_slot_is_said_in_the_fixed_words_whatever_is_added() {
    let refusal = Refusal::new(Situation::SlotTaken, "slot 7 is busy")
        .expression("Appointment.slot")
        .and(Finding::error("another"));
    let outcome = refusal.outcome("err-7f3c");
    assert_eq!(refusal.log, "slot 7 is busy");
    assert_eq!(outcome.count("issue"), 1);
    let issue = outcome.get("issue").unwrap();
    let names: Vec<&str> = issue.children().iter().map(Element::name).collect();
    assert_eq!(names, ["severity", "code", "details", "diagnostics"]);
    assert_eq!(text(issue, "diagnostics"), "Slot no longer available");
    assert_eq!(text(issue, "details.coding.system"), ISSUE_TYPE);
    assert_eq!(text(issue, "details.coding.code"), "processing");
    assert_eq!(text(issue, "details.coding.display"), "Processing Failure");
}

/// Proves: PROV-ERR-01, ERR-17, ERR-18
#[test]
fn findings_keep_their_own_rows_and_are_bounded() {
    let mut refusal = Refusal::new(Situation::NotConformant, "one").expression("Appointment.a");
    refusal = refusal.and(Finding::error("two").situation(Situation::NhsNumberInvalid));
    let outcome = refusal.outcome("e");
    let codes: Vec<&str> = outcome
        .all("issue")
        .map(|i| text(i, "details.coding.code"))
        .collect();
    assert_eq!(codes, ["INVALID_PARAMETER", "INVALID_NHS_NUMBER"]);
    for _ in 0..300 {
        refusal = refusal.and(Finding::error("x".repeat(5000)));
    }
    let outcome = refusal.outcome("e");
    assert_eq!(outcome.count("issue"), MAX_FINDINGS);
    assert!(
        outcome
            .all("issue")
            .all(|i| text(i, "diagnostics").len() <= 1000)
    );
    assert!(text(outcome.all("issue").last().unwrap(), "diagnostics").starts_with("203 more"));
}

/// Proves: ERR-04
#[test]
fn issues_bring_their_place() {
    let issue = Issue::error(Stage::Syntax, IssueCode::Structure, "A comma is missing")
        .at("Appointment.status")
        .pos(Pos {
            line: 3,
            column: 14,
        });
    let refusal = Refusal::from_issues(Situation::BodyUnreadable, &[issue]);
    assert_eq!(
        refusal.findings[0].diagnostics,
        "A comma is missing (line 3, column 14)"
    );
    assert_eq!(
        refusal.findings[0].expression.as_deref(),
        Some("Appointment.status")
    );
    assert_eq!(
        Refusal::from_issues(Situation::BodyUnreadable, &[])
            .findings
            .len(),
        1
    );
}

/// Proves: PROV-SLOT-14, PROV-BOOK-11
#[test]
fn an_information_outcome_and_a_named_earlier_appointment() {
    let outcome = information_outcome("o-1", "All are withheld.");
    assert_eq!(
        text(&outcome, "issue.severity"),
        Severity::Information.code()
    );
    assert_eq!(text(&outcome, "issue.diagnostics"), "All are withheld.");
    let refusal = Refusal::new(Situation::RequestIdReused, "used")
        .existing(ResourceId::parse("a-1").unwrap())
        .log("secret");
    assert_eq!(refusal.existing.as_ref().unwrap().as_str(), "a-1");
    assert!(!format!("{:?}", refusal.outcome("e")).contains("secret"));
}

/// What a log line and a metric call a refusal is never empty.
#[test]
fn every_row_has_a_name() {
    for situation in Situation::ALL {
        assert!(!situation.row().name().is_empty(), "{situation:?}");
    }
    assert_eq!(Situation::BodyTooLarge.row().name(), "413");
    assert_eq!(Situation::SlotTaken.row().name(), "ERR-15");
}
