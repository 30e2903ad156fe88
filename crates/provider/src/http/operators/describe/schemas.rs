//! JSON schemas of the FHIR types in use, made from the same table that reads and checks messages.

use fhir::schema::{ElementDef, JsonKind, Kind, Schema, Strength, TypeDef};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The resources that an interaction sends or answers, alone, contained or in a Bundle.
const RESOURCES: [&str; 12] = [
    "Appointment",
    "Bundle",
    "CapabilityStatement",
    "DocumentReference",
    "HealthcareService",
    "Location",
    "OperationOutcome",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Schedule",
];
/// The resource that a search is for.
const SLOT: &str = "Slot";
/// Most codes that are listed; longer value sets are named.
const LISTED_CODES: usize = 40;

/// A reference to a schema below.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The schemas, by name.
pub fn all() -> Map<String, Value> {
    let schema = Schema::stu3();
    let resources = || RESOURCES.into_iter().chain([SLOT]);
    let mut open: Vec<&TypeDef> = resources()
        .filter_map(|name| schema.resource(name))
        .collect();
    let mut seen: BTreeSet<&str> = open.iter().map(|t| t.name).collect();
    let mut described: Vec<&TypeDef> = Vec::new();
    while let Some(next) = open.pop() {
        described.push(next);
        for of in next.elements.iter().filter_map(|e| schema.type_of(e)) {
            if of.kind != Kind::Primitive && seen.insert(of.name) {
                open.push(of);
            }
        }
    }
    described.sort_by_key(|t| t.name);
    let any: Vec<Value> = resources().map(reference).collect();
    let mut out = Map::new();
    out.insert(
        "Resource".to_owned(),
        json!({"description": "A FHIR STU3 resource", "anyOf": any}),
    );
    for of in described {
        out.insert(of.name.to_owned(), object(schema, of));
    }
    out
}

fn object(schema: &Schema, of: &TypeDef) -> Value {
    let mut properties = Map::new();
    let mut required: Vec<&str> = Vec::new();
    if of.kind == Kind::Resource {
        properties.insert(
            "resourceType".to_owned(),
            json!({"type": "string", "enum": [of.name]}),
        );
        required.push("resourceType");
    }
    for element in of.elements.iter().filter(|e| e.max != Some(0)) {
        properties.insert(element.name.to_owned(), property(schema, element));
        if element.min > 0 && element.choice.is_none() {
            required.push(element.name);
        }
    }
    let mut out = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        out["required"] = json!(required);
    }
    out
}

fn property(schema: &Schema, element: &ElementDef) -> Value {
    let one = match schema.type_of(element) {
        None => reference("Resource"),
        Some(of) => match of.json_kind() {
            None => reference(of.name),
            Some(kind) => primitive(schema, element, kind),
        },
    };
    match element.is_list() {
        true => json!({"type": "array", "items": one}),
        false => one,
    }
}

fn primitive(schema: &Schema, element: &ElementDef, kind: JsonKind) -> Value {
    let mut out = match kind {
        JsonKind::Number => json!({"type": "number"}),
        JsonKind::Boolean => json!({"type": "boolean"}),
        JsonKind::String | JsonKind::Xhtml => json!({"type": "string"}),
    };
    match element.type_name {
        "instant" => out["format"] = json!("date-time"),
        "date" => out["description"] = json!("YYYY, YYYY-MM or YYYY-MM-DD"),
        _ => {}
    }
    let bound = element.binding.filter(|b| b.strength == Strength::Required);
    let set = bound.and_then(|b| schema.value_set(b.value_set));
    if let Some(set) = set.filter(|set| set.listed) {
        let codes: Vec<&str> = set.codes().collect();
        if !codes.is_empty() && codes.len() <= LISTED_CODES {
            out["enum"] = json!(codes);
        }
    }
    out
}
