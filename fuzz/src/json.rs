//! JSON codec: reading never panics; what was read without structural error is the same after writing
//! and reading it again.

use fhir::{Element, Limits, json, xml};

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
    let in_xml = fhir::xml::parse(&xml::write(&parsed.root), &Limits::unbounded());
    let outcome = Outcome::of_issues(&parsed.issues);
    if parsed.has_errors() {
        return outcome;
    }
    let again = again.unwrap_or_else(|e| panic!("what was written is no JSON: {e}"));
    assert!(
        !again.has_errors(),
        "what was written has errors: {:?}",
        again.issues
    );
    assert!(again.root == parsed.root, "writing changed the resource");
    let pretty = json::parse(&json::write_pretty(&parsed.root), &Limits::unbounded())
        .unwrap_or_else(|e| panic!("pretty JSON is no JSON: {e}"));
    assert!(
        pretty.root == parsed.root,
        "pretty writing changed the resource"
    );
    if !parsed.issues.is_empty() || !fits_xml(&parsed.root) {
        return outcome;
    }
    let in_xml = in_xml.unwrap_or_else(|e| panic!("its XML is no XML: {e}"));
    assert!(
        !in_xml.has_errors(),
        "its XML has errors: {:?}",
        in_xml.issues
    );
    // XML has one order, JSON any: they meet in the XML.
    let back = json::parse(&json::write(&in_xml.root), &Limits::unbounded())
        .unwrap_or_else(|e| panic!("the JSON of its XML is no JSON: {e}"));
    assert!(
        xml::write(&back.root) == xml::write(&parsed.root),
        "the way through XML changed the resource"
    );
    outcome
}

/// Whether XML 1.0 can carry all text of the resource; it has no way to write most control characters.
pub(crate) fn fits_xml(element: &Element) -> bool {
    let fits = |c: char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    element.as_str().is_none_or(|text| text.chars().all(fits))
        && element.children().iter().all(fits_xml)
}
