//! Checks the DocumentReference: RES-DOC-01..06.

use super::Checked;
use crate::systems;
use fhir::IssueCode;

/// Bounds of the document's identifier (RES-DOC-02).
const IDENTIFIER_LENGTH: std::ops::RangeInclusive<usize> = 5..=36;

pub(super) fn document(document: &Checked) {
    document.rule("RES-DOC-01").contained_head();
    if let Some(identifier) = document.rule("RES-DOC-02").one_of_list("identifier") {
        identifier.fixed("system", &[systems::UUID]);
        if let Some(value) = identifier.text("value")
            && !IDENTIFIER_LENGTH.contains(&value.trim().chars().count())
        {
            let message =
                "`value` has 5 to 36 characters: the id of the clinical document, a UUID.";
            identifier.error_at("value", IssueCode::Value, message);
        }
    }
    document.rule("RES-DOC-03").fixed("status", &["current"]);
    kind(&document.rule("RES-DOC-04"));
    document.rule("RES-DOC-05").instant("indexed");
    if let Some(content) = document.rule("RES-DOC-06").one_of_list("content")
        && let Some(attachment) = content.one("attachment")
    {
        attachment.fixed("contentType", &[systems::DOCUMENT_MEDIA_TYPE]);
        // D-37: two spellings.
        attachment.fixed("language", &["en", "en-GB"]);
    }
}

fn kind(document: &Checked) {
    let Some(kind) = document.one("type") else {
        return;
    };
    let Some(coding) = kind.one_of_list("coding") else {
        return;
    };
    coding.fixed("system", &[systems::DOCUMENT_TYPE]);
    coding.fixed("code", &[systems::DOCUMENT_TYPE_CODE]);
    if coding.element.str_of("display") != Some(systems::DOCUMENT_TYPE_DISPLAY) {
        let message = format!("`display` should be `{}`.", systems::DOCUMENT_TYPE_DISPLAY);
        coding.fault_at("display", IssueCode::Value, message);
    }
}
