//! XML codec: reading never panics; what was read without structural error is the same after writing
//! and reading it again.

use fhir::schema::{ElementDef, Schema, TypeDef};
use fhir::{Element, Limits, json, xml};

use crate::Outcome;
use crate::json::sound;

/// Reads the bytes as one resource, writes it and reads it again. Panics when anything was lost.
pub fn run(bytes: &[u8]) -> Outcome {
    let parsed = match xml::parse(bytes, &Limits::default()) {
        Ok(parsed) => parsed,
        Err(issue) => return Outcome::of_issues(&[issue]),
    };
    let written = xml::write(&parsed.root);
    let again = xml::parse(&written, &Limits::unbounded());
    let in_json = json::parse(&json::write(&parsed.root), &Limits::unbounded());
    let outcome = Outcome::of_issues(&parsed.issues);
    if parsed.has_errors() {
        return outcome;
    }
    let again = sound(again, "what was written");
    assert!(
        xml::write(&again) == written,
        "writing it again gives another text"
    );
    if !parsed.issues.is_empty() {
        // Elements that STU3 does not define move behind the others, and only XML knows their order.
        return outcome;
    }
    assert!(again == parsed.root, "writing changed the resource");
    if repeats_a_single(&parsed.root, None) {
        // In XML that can be read and breaks a rule; in JSON it is an array where none may be.
        return outcome;
    }
    let in_json = sound(in_json, "its JSON");
    assert!(
        xml::write(&in_json) == written,
        "the way through JSON changed the resource"
    );
    outcome
}

/// Whether an element stands more than once where STU3 allows one.
fn repeats_a_single(element: &Element, of: Option<&TypeDef>) -> bool {
    let schema = Schema::stu3();
    let of = match element.resource_type() {
        Some(name) => schema.resource(name),
        None => of,
    };
    element.children().iter().any(|child| {
        // What a primitive has besides its value is defined by Extension, as by any element.
        let def = of
            .and_then(|t| t.element(child.name()))
            .or_else(|| schema.type_def("Extension")?.element(child.name()));
        let single = def.is_some_and(|d: &ElementDef| !d.is_list());
        (single && element.count(child.name()) > 1)
            || repeats_a_single(child, def.and_then(|d| schema.type_of(d)))
    })
}
