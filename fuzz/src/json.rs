//! JSON codec: reading never panics; what was read without structural error is the same after writing
//! and reading it again.

use fhir::{Element, Issue, Limits, Parsed, json, xml};

use crate::Outcome;

/// Reads the bytes as one resource, writes it and reads it again. Panics when anything was lost.
pub fn run(bytes: &[u8]) -> Outcome {
    let parsed = match json::parse(bytes, &Limits::default()) {
        Ok(parsed) => parsed,
        Err(issue) => return Outcome::of_issues(&[issue]),
    };
    // Whatever the issues: what can be read can be written, in both formats, and read again.
    let written = json::write(&parsed.root);
    let again = json::parse(&written, &Limits::unbounded());
    let in_xml = xml::parse(&xml::write(&parsed.root), &Limits::unbounded());
    let outcome = Outcome::of_issues(&parsed.issues);
    if parsed.has_errors() {
        return outcome;
    }
    let again = sound(again, "what was written");
    assert!(again == parsed.root, "writing changed the resource");
    let pretty = json::parse(&json::write_pretty(&parsed.root), &Limits::unbounded());
    let pretty = sound(pretty, "pretty JSON");
    assert!(pretty == parsed.root, "pretty writing changed the resource");
    if !parsed.issues.is_empty() || !fits_xml(&parsed.root) {
        return outcome;
    }
    let in_xml = sound(in_xml, "its XML");
    // XML has one order, JSON any: they meet in the XML.
    let back = json::parse(&json::write(&in_xml), &Limits::unbounded());
    let back = sound(back, "the JSON of its XML");
    assert!(
        xml::write(&back) == xml::write(&parsed.root),
        "the way through XML changed the resource"
    );
    outcome
}

/// The resource in a text that a codec wrote. Panics when it cannot be read without an error; `what` names the text.
pub(crate) fn sound(parsed: Result<Parsed, Issue>, what: &str) -> Element {
    let parsed = parsed.unwrap_or_else(|e| panic!("{what} cannot be read: {e}"));
    assert!(
        !parsed.has_errors(),
        "{what} has errors: {:?}",
        parsed.issues
    );
    parsed.root
}

/// Whether XML 1.0 can carry all text of the resource; it has no way to write most control characters.
pub(crate) fn fits_xml(element: &Element) -> bool {
    let fits = |c: char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    element.as_str().is_none_or(|text| text.chars().all(fits))
        && element.children().iter().all(fits_xml)
}
