//! A message as a tree of named values that know where they stand in the text, and which of them are about a person.

use super::text::{Known, scrub, scrub_marks};
use super::{NUMBER_REMOVED, REMOVED};
use std::ops::Range;

/// Deepest nesting that is read; FHIR messages are about 15 deep.
pub(super) const DEEPEST: usize = 100;

/// The syntax of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Xml,
}

/// An element of XML or a member of JSON. The members of an array stand beside each other under the array's name.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The member's or the element's name; `@name` for an attribute other than `value`, `#text` for mixed text.
    pub name: String,
    /// The value of a string, number or `value` attribute, or the text of an element.
    pub leaf: Option<Leaf>,
    /// What it holds.
    pub children: Vec<Node>,
}

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Leaf {
    /// The value without escapes.
    pub text: String,
    /// The bytes to replace: with the quotes in JSON, without them in XML.
    pub range: Range<usize>,
}

impl Node {
    /// A node with its name alone.
    pub fn named(name: &str) -> Node {
        Node {
            name: name.to_owned(),
            ..Node::default()
        }
    }

    /// A value and where it stands.
    pub fn value(name: &str, text: impl Into<String>, range: Range<usize>) -> Node {
        let text = text.into();
        Node {
            leaf: Some(Leaf { text, range }),
            ..Node::named(name)
        }
    }

    fn child(&self, name: &str) -> Option<&str> {
        let child = self.children.iter().find(|child| child.name == name)?;
        child.leaf.as_ref().map(|leaf| leaf.text.as_str())
    }

    /// The resource type: a member in JSON, the element's own name in XML.
    fn resource(&self) -> Option<&str> {
        let upper = self.name.starts_with(|c: char| c.is_ascii_uppercase());
        self.child("resourceType")
            .or(upper.then_some(self.name.as_str()))
    }
}

/// Resources whose names and addresses are those of places and systems.
const OF_PLACES: [&str; 9] = [
    "CapabilityStatement",
    "Device",
    "HealthcareService",
    "Location",
    "OperationOutcome",
    "Organization",
    "Schedule",
    "Slot",
    "PractitionerRole",
];
/// Resources that are one person's record.
const OF_PEOPLE: [&str; 3] = ["Patient", "Person", "RelatedPerson"];
/// Elements of which every value is about a person, in FHIR and in CDA.
const WHOLE: [&str; 18] = [
    "addr",
    "address",
    "birthDate",
    "birthTime",
    "deceasedDateTime",
    "div",
    "family",
    "given",
    "houseNumber",
    "photo",
    "postCode",
    "postalCode",
    "postcode",
    "prefix",
    "streetAddressLine",
    "streetName",
    "suffix",
    "telecom",
];
/// Values inside those that only say of which kind they are.
const CODED: [&str; 13] = [
    "@classCode",
    "@nullFlavor",
    "@type",
    "@typeCode",
    "@url",
    "@use",
    "id",
    "rank",
    "resourceType",
    "system",
    "type",
    "url",
    "use",
];
/// Members of an Appointment or a document that a person wrote about the patient.
const WRITTEN: [&str; 6] = [
    "comment",
    "description",
    "patientInstruction",
    "reason",
    "data",
    "title",
];
/// Members that hold free text, in which known values are looked for.
const FREE_TEXT: [&str; 11] = [
    "#comment",
    "#text",
    "comment",
    "content",
    "description",
    "details",
    "diagnostics",
    "display",
    "text",
    "title",
    "valueString",
];
/// The NHS number's identifier system in FHIR, and its OID in CDA.
const NUMBER_SYSTEMS: [&str; 2] = ["nhs-number", "2.16.840.1.113883.2.1.4.1"];

/// Where a node stands.
#[derive(Clone, Copy)]
struct Around<'a> {
    resource: &'a str,
    parent: &'a str,
    /// Inside an element that is about a person.
    personal: bool,
    /// The parent is an identifier with an NHS number in it.
    number: bool,
    /// The parent is an identifier in a person's record.
    identifier: bool,
}

/// What has to go.
enum Why {
    Person,
    Number,
}

/// Shows every value that is about a person.
pub(super) fn about_people(tree: &Node, see: &mut dyn FnMut(&Leaf)) {
    walk(tree, START, &mut |_, leaf, why| {
        if why.is_some() {
            see(leaf);
        }
    });
}

/// The changes that take everything about people out, in the order of the text.
pub(super) fn changes(tree: &Node, known: &Known, kind: Kind) -> Vec<(Range<usize>, String)> {
    let mut changes = Vec::new();
    walk(tree, START, &mut |node, leaf, why| {
        let new = match why {
            Some(Why::Person) => REMOVED.to_owned(),
            Some(Why::Number) => NUMBER_REMOVED.to_owned(),
            None if is_free_text(node, leaf) => scrub(&leaf.text, known),
            None => scrub_marks(&leaf.text),
        };
        if new != leaf.text {
            let written = match kind {
                Kind::Json => serde_json::Value::String(new).to_string(),
                Kind::Xml => crate::evidence::markup::escape(&new).into_owned(),
            };
            changes.push((leaf.range.clone(), written));
        }
    });
    changes.sort_by_key(|(range, _)| range.start);
    changes
}

/// True if nothing about people is left but the marks.
pub(super) fn is_clean(tree: &Node) -> bool {
    let mut clean = true;
    about_people(tree, &mut |leaf| {
        clean &= matches!(leaf.text.as_str(), REMOVED | NUMBER_REMOVED | "")
    });
    clean
}

/// Codes, ids and addresses have no spaces.
fn is_free_text(node: &Node, leaf: &Leaf) -> bool {
    FREE_TEXT.contains(&node.name.as_str()) || leaf.text.contains(char::is_whitespace)
}

/// The text with the changes made; all else stays byte for byte.
pub(super) fn replace(text: &str, changes: Vec<(Range<usize>, String)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (range, new) in changes {
        out.push_str(text.get(done..range.start).unwrap_or_default());
        out.push_str(&new);
        done = range.end.max(done);
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

const START: Around<'static> = Around {
    resource: "",
    parent: "",
    personal: false,
    number: false,
    identifier: false,
};

fn walk<'a>(
    node: &'a Node,
    around: Around<'a>,
    see: &mut dyn FnMut(&'a Node, &'a Leaf, Option<Why>),
) {
    let name = node.name.as_str();
    // A contained resource stands for itself, whatever it is contained in.
    let own = node.resource();
    let resource = own.unwrap_or(around.resource);
    let personal = (around.personal && own.is_none()) || is_personal(node, resource, around.parent);
    if let Some(leaf) = &node.leaf {
        see(node, leaf, why(name, resource, personal, around));
    }
    let is_number = |name: &str| {
        let system = node.child(name).unwrap_or_default();
        NUMBER_SYSTEMS.iter().any(|number| system.contains(number))
    };
    let inside = Around {
        resource,
        parent: name,
        personal,
        number: is_number("system")
            || is_number("@root")
            || (name == "id" && around.parent == "patientRole"),
        identifier: name == "identifier" && OF_PEOPLE.contains(&resource),
    };
    for child in &node.children {
        walk(child, inside, see);
    }
}

fn is_personal(node: &Node, resource: &str, parent: &str) -> bool {
    if OF_PLACES.contains(&resource) {
        return false;
    }
    let name = node.name.as_str();
    // A name in parts is a person's; in one piece it is one only in a person's record.
    let of_person = OF_PEOPLE.contains(&resource)
        || ["person", "patient", "guardian"]
            .iter()
            .any(|word| parent.to_ascii_lowercase().contains(word));
    let named = name == "name" && (!node.children.is_empty() || of_person);
    let written = WRITTEN.contains(&name)
        && matches!(resource, "Appointment" | "DocumentReference" | "Binary");
    named || written || WHOLE.contains(&name)
}

fn why(name: &str, resource: &str, personal: bool, around: Around) -> Option<Why> {
    if around.number && matches!(name, "value" | "@extension") {
        return Some(Why::Number);
    }
    let shown = name == "display"
        && !around.parent.to_ascii_lowercase().ends_with("coding")
        && !matches!(around.parent, "tag" | "security")
        && !OF_PLACES.contains(&resource);
    let identifier = around.identifier && name == "value";
    let personal = personal && !CODED.contains(&name);
    (shown || identifier || personal).then_some(Why::Person)
}
