//! The lossless element tree, which both codecs read and write.
//!
//! An `Element` is one FHIR element: its name, its primitive value if any, its children (including `extension` and `id`) in
//! message order, and its position in the text. A list is consecutive elements of the same name. Unknown elements are kept
//! like known ones.

use crate::issue::Pos;
use smol_str::SmolStr;
use std::ops::Range;

/// A primitive value as it was written: decimals keep their digits, dates their precision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A JSON string, or the XML `value` attribute of a type that JSON writes as a string.
    String(SmolStr),
    /// A JSON number, digits as written (`1.50` stays `1.50`).
    Number(SmolStr),
    /// A JSON boolean.
    Boolean(bool),
    /// Narrative markup: the whole `<div …>…</div>`.
    Xhtml(SmolStr),
}

impl Value {
    /// The value as FHIR writes it in XML.
    pub fn as_str(&self) -> &str {
        match self {
            Value::String(s) | Value::Number(s) | Value::Xhtml(s) => s,
            Value::Boolean(true) => "true",
            Value::Boolean(false) => "false",
        }
    }
}

/// One element of a FHIR resource, or a whole resource (then `resource_type` is set).
#[derive(Clone, Debug, Default)]
pub struct Element {
    name: SmolStr,
    resource_type: Option<SmolStr>,
    value: Option<Value>,
    children: Vec<Element>,
    listed: bool,
    malformed: bool,
    lost: Option<Box<Lost>>,
    /// Index in the schema's type, found by the reader to save later searches.
    place: u16,
    pos: Pos,
}

/// Names of members in the text that the tree lacks. Valid messages have none.
#[derive(Clone, Debug, Default)]
struct Lost(Vec<SmolStr>);

/// Most lost names kept per element. Beyond it any name may be lost.
const MAX_LOST: usize = 64;

/// Trees are equal when names, types, values and order are; position and form in the text do not matter.
impl PartialEq for Element {
    fn eq(&self, other: &Element) -> bool {
        self.name == other.name
            && self.resource_type == other.resource_type
            && self.value == other.value
            && self.children == other.children
    }
}

impl Eq for Element {}

impl Element {
    /// An empty resource of a type. A root has an empty name; [`Element::named`] gives it one for a list (`contained`,
    /// `resource`).
    pub fn resource(resource_type: &str) -> Element {
        Element {
            resource_type: Some(SmolStr::new(resource_type)),
            ..Element::default()
        }
    }

    /// An element without value or children.
    pub fn new(name: &str) -> Element {
        Element {
            name: SmolStr::new(name),
            ..Element::default()
        }
    }

    /// An element without value or children, under a name of the schema; copies nothing.
    pub(crate) fn known(name: &'static str) -> Element {
        Element {
            name: SmolStr::new_static(name),
            ..Element::default()
        }
    }

    /// Appends a child without value or children, for filling in place; `place` is the index of its name in the type.
    pub(crate) fn open_child(
        &mut self,
        name: &'static str,
        place: usize,
        pos: Pos,
    ) -> &mut Element {
        self.children.push_mut(Element {
            name: SmolStr::new_static(name),
            place: u16::try_from(place).unwrap_or_default(),
            pos,
            ..Element::default()
        })
    }

    /// The likely index of this name in the schema's type of the parent; check the name.
    pub(crate) fn place_hint(&self) -> usize {
        usize::from(self.place)
    }

    /// Marks the last child as member of a list, and as malformed.
    pub(crate) fn mark_last(&mut self, listed: bool, malformed: bool) {
        if let Some(last) = self.children.last_mut() {
            last.listed |= listed;
            last.malformed |= malformed;
        }
    }

    /// Marks the element as written in a form that its type does not have.
    pub(crate) fn mark_malformed(&mut self) {
        self.malformed = true;
    }

    /// Marks some children as malformed.
    pub(crate) fn mark_children_malformed(&mut self, which: Range<usize>) {
        let children = self.children.get_mut(which).unwrap_or_default();
        children.iter_mut().for_each(Element::mark_malformed);
    }

    /// Records that the text had a member of this name that the tree cannot hold.
    pub(crate) fn lose(&mut self, name: &str) {
        let Lost(names) = &mut **self.lost.get_or_insert_default();
        if names.len() < MAX_LOST && !names.iter().any(|n| n == name) {
            names.push(SmolStr::new(name));
        }
    }

    /// Makes this element a resource of a type.
    pub(crate) fn set_resource_type(&mut self, resource_type: SmolStr) {
        self.resource_type = Some(resource_type);
    }

    /// Takes over the other half of a primitive: its value, or its id and extensions.
    pub(crate) fn absorb(&mut self, half: Element) {
        self.listed |= half.listed;
        self.malformed |= half.malformed;
        if half.value.is_some() {
            self.value = half.value;
            self.pos = half.pos;
        }
        self.children.extend(half.children);
    }

    /// An element with a string value (string, code, uri, date, …).
    pub fn text(name: &str, value: impl AsRef<str>) -> Element {
        Element::new(name).with_value(Value::String(SmolStr::new(value.as_ref())))
    }

    /// An element with a number value; `digits` is written as given.
    pub fn number(name: &str, digits: impl AsRef<str>) -> Element {
        Element::new(name).with_value(Value::Number(SmolStr::new(digits.as_ref())))
    }

    /// An element with a boolean value.
    pub fn boolean(name: &str, value: bool) -> Element {
        Element::new(name).with_value(Value::Boolean(value))
    }

    /// The same element under another name.
    pub fn named(mut self, name: &str) -> Element {
        self.name = SmolStr::new(name);
        self
    }

    /// The same element with a value.
    pub fn with_value(mut self, value: Value) -> Element {
        self.value = Some(value);
        self
    }

    /// The same element with another child at the end.
    pub fn with(mut self, child: Element) -> Element {
        self.children.push(child);
        self
    }

    /// The same element as a member of a list, which JSON needs to know if the schema lacks the element.
    pub fn in_list(mut self) -> Element {
        self.listed = true;
        self
    }

    /// The same element at a position in the text.
    pub fn at_pos(mut self, pos: Pos) -> Element {
        self.pos = pos;
        self
    }

    /// The same element as a resource of a type.
    pub fn with_resource_type(mut self, resource_type: &str) -> Element {
        self.resource_type = Some(SmolStr::new(resource_type));
        self
    }

    /// Element name as in JSON (`status`, `valueCode`); empty for a root resource.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `resourceType`, when this element is a resource.
    pub fn resource_type(&self) -> Option<&str> {
        self.resource_type.as_deref()
    }

    /// The primitive value.
    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// Sets the primitive value.
    pub fn set_value(&mut self, value: Option<Value>) {
        self.value = value;
    }

    /// The primitive value as FHIR text.
    pub fn as_str(&self) -> Option<&str> {
        self.value.as_ref().map(Value::as_str)
    }

    /// True when JSON had it inside an array.
    pub fn is_listed(&self) -> bool {
        self.listed
    }

    /// True when the text had a form that FHIR does not allow here: an array for a single value or the reverse, another
    /// JSON type, a duplicate name, another namespace. The reader reported that, and kept what it could.
    pub fn is_malformed(&self) -> bool {
        self.malformed
    }

    /// True when the text had a member of this name that the children lack: an object for a string, `null` in a list, a
    /// duplicate. The reader reported that.
    pub fn has_lost(&self, name: &str) -> bool {
        let Some(Lost(names)) = self.lost.as_deref() else {
            return false;
        };
        names.len() >= MAX_LOST || names.iter().any(|n| n == name)
    }

    /// Position in the source text.
    pub fn pos(&self) -> Pos {
        self.pos
    }

    /// All children in message order.
    pub fn children(&self) -> &[Element] {
        &self.children
    }

    /// All children, to change.
    pub fn children_mut(&mut self) -> &mut Vec<Element> {
        &mut self.children
    }

    /// The first child of a name.
    pub fn get(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The first child of a name, to change.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Element> {
        self.children.iter_mut().find(|c| c.name == name)
    }

    /// All children of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> + 'a {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// How many children of a name there are.
    pub fn count(&self, name: &str) -> usize {
        self.children.iter().filter(|c| c.name == name).count()
    }

    /// The value of the first child of a name, as FHIR text.
    pub fn str_of(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Element::as_str)
    }

    /// The element at a dotted path, taking the first at each step (`participant.actor.reference`).
    pub fn at(&self, path: &str) -> Option<&Element> {
        path.split('.').try_fold(self, |e, step| e.get(step))
    }

    /// Replaces the first child of the same name in place, or appends the child.
    pub fn set(&mut self, child: Element) {
        match self.children.iter_mut().find(|c| c.name == child.name) {
            Some(old) => *old = child,
            None => self.children.push(child),
        }
    }

    /// Adds a child at the end.
    pub fn push(&mut self, child: Element) {
        self.children.push(child);
    }

    /// Adds a child at the front.
    pub fn push_front(&mut self, child: Element) {
        self.children.insert(0, child);
    }

    /// Removes and returns all children of a name.
    pub fn remove(&mut self, name: &str) -> Vec<Element> {
        let (out, keep) = std::mem::take(&mut self.children)
            .into_iter()
            .partition(|c| c.name == name);
        self.children = keep;
        out
    }
}
