//! Checks the DocumentReference: RES-DOC-01..06.

use super::Report;
use crate::systems;
use fhir::{Element, IssueCode};

/// Bounds of the document's identifier (RES-DOC-02).
const IDENTIFIER_LENGTH: std::ops::RangeInclusive<usize> = 5..=36;

pub(super) fn document(document: &Element, path: &str, report: &mut Report) {
    report.contained_head(document, path, "RES-DOC-01");
    if let Some(identifier) = report.one(document, path, "identifier", "RES-DOC-02") {
        let path = format!("{path}.identifier[0]");
        report.fixed(identifier, &path, "system", "RES-DOC-02", &[systems::UUID]);
        if let Some(value) = report.text(identifier, &path, "value", "RES-DOC-02")
            && !IDENTIFIER_LENGTH.contains(&value.trim().chars().count())
        {
            let message =
                "`value` has 5 to 36 characters: the id of the clinical document, a UUID.";
            report.error(
                IssueCode::Value,
                identifier,
                format!("{path}.value"),
                "RES-DOC-02",
                message,
            );
        }
    }
    report.fixed(document, path, "status", "RES-DOC-03", &["current"]);
    kind(document, path, report);
    report.instant(document, path, "indexed", "RES-DOC-05");
    if let Some(content) = report.one(document, path, "content", "RES-DOC-06") {
        let path = format!("{path}.content[0]");
        if let Some(attachment) = report.one(content, &path, "attachment", "RES-DOC-06") {
            let path = format!("{path}.attachment");
            report.fixed(
                attachment,
                &path,
                "contentType",
                "RES-DOC-06",
                &[systems::DOCUMENT_MEDIA_TYPE],
            );
            // D-37: two spellings.
            report.fixed(
                attachment,
                &path,
                "language",
                "RES-DOC-06",
                &["en", "en-GB"],
            );
        }
    }
}

fn kind(document: &Element, path: &str, report: &mut Report) {
    let Some(kind) = report.one(document, path, "type", "RES-DOC-04") else {
        return;
    };
    let path = format!("{path}.type");
    let Some(coding) = report.one(kind, &path, "coding", "RES-DOC-04") else {
        return;
    };
    let path = format!("{path}.coding[0]");
    report.fixed(
        coding,
        &path,
        "system",
        "RES-DOC-04",
        &[systems::DOCUMENT_TYPE],
    );
    report.fixed(
        coding,
        &path,
        "code",
        "RES-DOC-04",
        &[systems::DOCUMENT_TYPE_CODE],
    );
    if coding.str_of("display") != Some(systems::DOCUMENT_TYPE_DISPLAY) {
        let message = format!("`display` should be `{}`.", systems::DOCUMENT_TYPE_DISPLAY);
        report.fault(
            IssueCode::Value,
            coding,
            format!("{path}.display"),
            "RES-DOC-04",
            message,
        );
    }
}
