//! The generated table of STU3 types: elements in order, with cardinality, type, binding and invariants.
//!
//! The table is read once. It has the resource types in use and every data type that they need.

use crate::tree::Element;
use std::collections::HashMap;
use std::sync::OnceLock;

static TABLE: &str = include_str!("../data/stu3.tbl");

/// Kind of a type definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Has a value: `string`, `boolean`, `instant`, …
    Primitive,
    /// A data type with elements: `HumanName`, …
    Complex,
    /// Elements inside a resource or data type: `Appointment.participant`, …
    Backbone,
    /// A resource.
    Resource,
}

/// How JSON writes a primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// A JSON string.
    String,
    /// A JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A JSON string that holds markup; in XML the markup itself.
    Xhtml,
}

/// Strength of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// The code must come from the value set.
    Required,
    /// The code comes from the value set if it has one that fits.
    Extensible,
    /// Encouraged.
    Preferred,
    /// An example only.
    Example,
}

impl Strength {
    /// The strength of a code in a definition.
    pub fn parse(code: &str) -> Option<Strength> {
        match code {
            "required" => Some(Strength::Required),
            "extensible" => Some(Strength::Extensible),
            "preferred" => Some(Strength::Preferred),
            "example" => Some(Strength::Example),
            _ => None,
        }
    }
}

/// A binding to a value set.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Strength of the binding.
    pub strength: Strength,
    /// URL of the value set.
    pub value_set: &'static str,
}

/// A rule written in FHIRPath.
#[derive(Clone, Copy, Debug)]
pub struct Invariant {
    /// Key in the specification, such as `app-3`.
    pub key: &'static str,
    /// True for a warning, false for an error.
    pub warning: bool,
    /// FHIRPath.
    pub expression: &'static str,
}

/// One element of a type. An element with a choice of types is one definition per type.
#[derive(Clone, Debug)]
pub struct ElementDef {
    /// Name as in JSON and XML (`valueCode`).
    pub name: &'static str,
    /// Index in the type; the same for all types of a choice.
    pub order: u32,
    /// Least number.
    pub min: u32,
    /// Greatest number; `None` is `*`.
    pub max: Option<u32>,
    /// Type of the element; `Resource` for any contained resource.
    pub type_name: &'static str,
    /// Name of its choice (`value`).
    pub choice: Option<&'static str>,
    /// Value set that it is bound to.
    pub binding: Option<Binding>,
    /// Resource types that a Reference may point at.
    pub targets: Vec<&'static str>,
    /// Rules on the element.
    pub invariants: Vec<Invariant>,
    type_index: Option<usize>,
}

impl ElementDef {
    /// True when JSON writes an array.
    pub fn is_list(&self) -> bool {
        self.max != Some(1)
    }
}

/// One type.
#[derive(Clone, Debug)]
pub struct TypeDef {
    /// Name; for a backbone element its path.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// Elements in order.
    pub elements: Vec<ElementDef>,
    /// Rules on the whole.
    pub invariants: Vec<Invariant>,
    json: JsonKind,
}

impl TypeDef {
    /// The element of a name.
    pub fn element(&self, name: &str) -> Option<&ElementDef> {
        self.elements.iter().find(|e| e.name == name)
    }

    /// The index of a name, searched from the last one found: messages mostly keep the order.
    pub(crate) fn place_from(&self, cursor: usize, name: &str) -> Option<usize> {
        let (before, after) = self.elements.split_at(cursor.min(self.elements.len()));
        let at = |part: &[ElementDef]| part.iter().position(|d| d.name == name);
        at(after).map(|i| i + before.len()).or_else(|| at(before))
    }

    /// The definition of an element of this type.
    pub(crate) fn def_of(&self, element: &Element) -> Option<&ElementDef> {
        let name = element.name();
        self.elements
            .get(element.place_hint())
            .filter(|d| same_name(d.name, name))
            .or_else(|| self.element(name))
    }

    /// How JSON writes the type, if it is a primitive.
    pub fn json_kind(&self) -> Option<JsonKind> {
        (self.kind == Kind::Primitive).then_some(self.json)
    }
}

/// Compares names; those of the schema mostly share their memory.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    std::ptr::eq(a, b) || a == b
}

/// The codes of a value set.
#[derive(Clone, Debug, Default)]
pub struct ValueSet {
    /// Codes by system. The system is empty if the definition names none.
    pub systems: Vec<(&'static str, Vec<&'static str>)>,
    /// False when the definition cannot be listed (filter, external system); then every code passes.
    pub listed: bool,
}

impl ValueSet {
    /// True when the code is in the set; without a system, when it is in any system of the set.
    pub fn contains(&self, system: Option<&str>, code: &str) -> bool {
        !self.listed
            || self
                .systems
                .iter()
                .any(|(s, codes)| system.is_none_or(|given| given == *s) && codes.contains(&code))
    }

    /// The codes, for an error message.
    pub fn codes(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.systems
            .iter()
            .flat_map(|(_, codes)| codes.iter().copied())
    }
}

/// All types and value sets.
#[derive(Debug)]
pub struct Schema {
    types: Vec<TypeDef>,
    by_name: HashMap<&'static str, usize>,
    value_sets: HashMap<&'static str, ValueSet>,
    /// Sorted names of resource types that the table does not describe.
    others: Vec<&'static str>,
}

impl Schema {
    /// The table of STU3, read at first use.
    pub fn stu3() -> &'static Schema {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(|| Schema::read(TABLE))
    }

    /// The type of a name.
    pub fn type_def(&self, name: &str) -> Option<&TypeDef> {
        self.by_name.get(name).map(|i| &self.types[*i])
    }

    /// The resource type of a name; `None` if the table has none.
    pub fn resource(&self, name: &str) -> Option<&TypeDef> {
        self.type_def(name).filter(|t| t.kind == Kind::Resource)
    }

    /// True for every resource type of STU3, even if the table does not describe it.
    pub fn is_resource_type(&self, name: &str) -> bool {
        self.resource(name).is_some() || self.others.binary_search(&name).is_ok()
    }

    /// The type of an element; `None` if it may hold any resource.
    pub fn type_of(&self, element: &ElementDef) -> Option<&TypeDef> {
        element.type_index.map(|i| &self.types[i])
    }

    /// The value set of a URL.
    pub fn value_set(&self, url: &str) -> Option<&ValueSet> {
        self.value_sets.get(url)
    }

    /// All types.
    pub fn types(&self) -> &[TypeDef] {
        &self.types
    }

    /// Reads the table. It is generated and tested, so malformed lines are skipped.
    fn read(table: &'static str) -> Schema {
        let mut types: Vec<TypeDef> = Vec::with_capacity(128);
        let mut value_sets: HashMap<&'static str, ValueSet> = HashMap::new();
        let mut set = "";
        let mut others = Vec::new();
        for line in table.lines() {
            let mut fields = line.split('\t');
            let (kind, first) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
            match kind {
                "T" => types.push(type_line(first, fields.next().unwrap_or(""))),
                "E" => {
                    if let Some(owner) = types.last_mut() {
                        let element = element_line(first, fields, owner);
                        owner.elements.push(element);
                    }
                }
                "I" => {
                    if let Some(owner) = types.last_mut() {
                        let warning = fields.next() == Some("warning");
                        let rule = Invariant {
                            key: first,
                            warning,
                            expression: fields.next().unwrap_or(""),
                        };
                        owner
                            .elements
                            .last_mut()
                            .map_or(&mut owner.invariants, |e| &mut e.invariants)
                            .push(rule);
                    }
                }
                "N" => others.extend(first.split(' ')),
                "V" => {
                    set = first;
                    value_sets.insert(
                        first,
                        ValueSet {
                            systems: Vec::new(),
                            listed: true,
                        },
                    );
                }
                "C" => {
                    let codes = fields.next().unwrap_or("").split(' ').collect();
                    if let Some(open) = value_sets.get_mut(set) {
                        open.systems.push((first, codes));
                    }
                }
                "U" => {
                    if let Some(open) = value_sets.get_mut(set) {
                        open.listed = false;
                    }
                }
                _ => {}
            }
        }
        let by_name: HashMap<&'static str, usize> =
            types.iter().enumerate().map(|(i, t)| (t.name, i)).collect();
        for owner in &mut types {
            for element in &mut owner.elements {
                element.type_index = by_name.get(element.type_name).copied();
            }
        }
        others.sort_unstable();
        Schema {
            types,
            by_name,
            value_sets,
            others,
        }
    }
}

fn type_line(name: &'static str, kind: &str) -> TypeDef {
    let kind = match kind {
        "p" => Kind::Primitive,
        "r" => Kind::Resource,
        "b" => Kind::Backbone,
        _ => Kind::Complex,
    };
    let json = match name {
        "boolean" => JsonKind::Boolean,
        "integer" | "unsignedInt" | "positiveInt" | "decimal" => JsonKind::Number,
        "xhtml" => JsonKind::Xhtml,
        _ => JsonKind::String,
    };
    TypeDef {
        name,
        kind,
        elements: Vec::new(),
        invariants: Vec::new(),
        json,
    }
}

fn element_line(
    name: &'static str,
    mut fields: std::str::Split<'static, char>,
    owner: &TypeDef,
) -> ElementDef {
    let mut next = || fields.next().unwrap_or("");
    let (min, max) = (next().parse().unwrap_or(0), next().parse().ok());
    let type_name = next();
    let choice = Some(next()).filter(|c| !c.is_empty());
    let strength = Strength::parse(next());
    let value_set = next();
    let targets: Vec<&'static str> = next().split(',').filter(|t| !t.is_empty()).collect();
    let order = match owner.elements.last() {
        None => 0,
        Some(last) if choice.is_some() && last.choice == choice => last.order,
        Some(last) => last.order + 1,
    };
    ElementDef {
        name,
        order,
        min,
        max,
        type_name,
        choice,
        binding: strength.map(|strength| Binding {
            strength,
            value_set,
        }),
        targets,
        invariants: Vec::new(),
        type_index: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_has_a_type() {
        let schema = Schema::stu3();
        for owner in schema.types() {
            for element in &owner.elements {
                let known = element.type_name == "Resource" || schema.type_of(element).is_some();
                assert!(
                    known,
                    "{}.{}: {}",
                    owner.name, element.name, element.type_name
                );
            }
        }
    }

    #[test]
    fn appointment_is_as_published() {
        let schema = Schema::stu3();
        let appointment = schema.resource("Appointment").unwrap();
        let status = appointment.element("status").unwrap();
        assert_eq!((status.min, status.max), (1, Some(1)));
        let set = schema.value_set(status.binding.unwrap().value_set).unwrap();
        assert!(set.contains(None, "booked") && !set.contains(None, "bookd"));
        assert_eq!(
            appointment.element("participant").unwrap().type_name,
            "Appointment.participant"
        );
        assert_eq!(
            schema
                .type_def("Extension")
                .unwrap()
                .element("valueCode")
                .unwrap()
                .choice,
            Some("value")
        );
    }
}
