//! Reads JSON text into an element tree. Reports every structural fault with its path and position. Only text that is not
//! JSON, or over a limit, stops the reading.

mod companion;
mod keys;
mod unknown;

use super::lexer::Lexer;
use crate::codec::{Findings, Limits, MAX_NAME, MAX_RESOURCES_DEEP, Parsed, Path, shown, text_of};
use crate::issue::{Issue, IssueCode, Pos};
use crate::schema::{ElementDef, JsonKind, Kind, Schema, TypeDef};
use crate::tree::{Element, Value};
use keys::Keys;
use smol_str::SmolStr;
use std::ops::Range;

/// Reads one resource. The error says where the text stops being JSON or exceeds a limit; all other faults are in
/// [`Parsed::issues`].
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed, Issue> {
    let text = text_of(bytes, limits)?;
    let mut reader = Reader {
        lexer: Lexer::new(text),
        schema: Schema::stu3(),
        limits,
        path: Path::default(),
        keys: Keys::default(),
        elements: 0,
        resources: 0,
        nulls: 0,
        findings: Findings::new(limits),
    };
    if reader.lexer.peek() != Some(b'{') {
        return Err(reader
            .lexer
            .fail("A FHIR resource in JSON is an object: `{` is expected."));
    }
    let mut root = Element::default().at_pos(reader.lexer.pos());
    reader.resource(&mut root)?;
    reader.lexer.at_end()?;
    Ok(Parsed {
        root,
        issues: reader.findings.into_issues(),
    })
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    schema: &'static Schema,
    limits: &'a Limits,
    path: Path,
    keys: Keys<'a>,
    elements: usize,
    /// Open resources.
    resources: usize,
    /// `null`s in lists of primitives so far.
    nulls: usize,
    findings: Findings,
}

/// The parent of an object's members.
#[derive(Clone, Copy)]
struct Owner {
    of: Option<&'static TypeDef>,
    /// True in the companion of a primitive, which may hold only `id` and `extension`.
    companion: bool,
}

/// Facts about a member before its value is read.
struct Member {
    pos: Pos,
    /// Children that the other half (`name` of `_name`, or the reverse) has made.
    twin: Option<Range<usize>>,
}

impl Reader<'_> {
    fn structure(&mut self, name: &str, pos: Pos, message: impl Into<String>) {
        self.findings.structure(self.path.text(name), pos, message);
    }

    fn empty(&mut self, name: &str, pos: Pos, message: impl Into<String>) {
        self.findings.empty(self.path.text(name), pos, message);
    }

    fn count(&mut self) -> Result<(), Issue> {
        self.elements += 1;
        match self.elements > self.limits.max_elements {
            true => {
                let most = self.limits.max_elements;
                Err(self.too_long(format!("The text has more than {most} elements.")))
            }
            false => Ok(()),
        }
    }

    fn check_depth(&mut self, depth: usize) -> Result<(), Issue> {
        match depth > self.limits.max_depth {
            true => {
                let most = self.limits.max_depth;
                Err(self.too_long(format!("The text is nested deeper than {most} levels.")))
            }
            false => Ok(()),
        }
    }

    fn too_long(&mut self, message: String) -> Issue {
        let mut issue = self.lexer.fail(message);
        issue.code = IssueCode::TooLong;
        issue
    }

    /// A resource from its opening brace; `element` has its name and position.
    fn resource(&mut self, element: &mut Element) -> Result<(), Issue> {
        let pos = self.lexer.pos();
        if self.resources >= MAX_RESOURCES_DEEP {
            let message =
                format!("More than {MAX_RESOURCES_DEEP} resources are inside one another.");
            return Err(self.too_long(message));
        }
        let name = self.peek_resource_type()?;
        let root = self.resources == 0;
        if root {
            self.path.push(name.as_deref().unwrap_or("Resource"), None);
        }
        let of = match &name {
            None => {
                self.structure(
                    "",
                    pos,
                    "`resourceType` is missing: it names the type of the resource.",
                );
                None
            }
            Some(name) => {
                element.set_resource_type(name.clone());
                self.check_resource_type(name, pos);
                self.schema.resource(name)
            }
        };
        self.resources += 1;
        self.object(
            element,
            Owner {
                of,
                companion: false,
            },
        )?;
        self.resources -= 1;
        if root {
            self.path.pop();
        }
        Ok(())
    }

    fn check_resource_type(&mut self, name: &str, pos: Pos) {
        if self.schema.resource(name).is_some() {
            return;
        }
        if self.schema.is_resource_type(name) {
            let note = format!(
                "Of {name} only the outer form is read; its elements are kept and ignored."
            );
            self.findings.unchecked(self.path.text(""), pos, note);
            return;
        }
        let message = format!("`{}` is not a resource type of STU3.", shown(name));
        self.structure("", pos, message);
    }

    /// Looks ahead for `resourceType` among the members of the object that opens here.
    fn peek_resource_type(&mut self) -> Result<Option<SmolStr>, Issue> {
        let mark = self.lexer.mark();
        let found = self.scan_for_type()?;
        self.lexer.reset(mark);
        Ok(found.filter(|name| !name.is_empty() && name.len() <= MAX_NAME))
    }

    fn scan_for_type(&mut self) -> Result<Option<SmolStr>, Issue> {
        self.lexer.take(b'{')?;
        if self.lexer.closes(b'}') {
            return Ok(None);
        }
        loop {
            let key = self.lexer.string()?;
            self.lexer.take(b':')?;
            if key == "resourceType" {
                return match self.lexer.peek() {
                    Some(b'"') => self.lexer.string().map(|name| Some(SmolStr::new(name))),
                    _ => Ok(None),
                };
            }
            self.skip(self.path.depth())?;
            if !self.lexer.more(b'}')? {
                return Ok(None);
            }
        }
    }

    /// Skips a value at a depth.
    fn skip(&mut self, depth: usize) -> Result<(), Issue> {
        self.check_depth(depth)?;
        match self.lexer.peek() {
            Some(b'"') => self.lexer.string().map(drop),
            Some(b'{') => {
                self.lexer.take(b'{')?;
                if self.lexer.closes(b'}') {
                    return Ok(());
                }
                loop {
                    self.lexer.string()?;
                    self.lexer.take(b':')?;
                    self.skip(depth + 1)?;
                    if !self.lexer.more(b'}')? {
                        return Ok(());
                    }
                }
            }
            Some(b'[') => {
                self.lexer.take(b'[')?;
                if self.lexer.closes(b']') {
                    return Ok(());
                }
                loop {
                    self.skip(depth + 1)?;
                    if !self.lexer.more(b']')? {
                        return Ok(());
                    }
                }
            }
            Some(b't') => self.lexer.word("true"),
            Some(b'f') => self.lexer.word("false"),
            Some(b'n') => self.lexer.word("null"),
            Some(b'-' | b'0'..=b'9') => self.lexer.number().map(drop),
            _ => Err(self.lexer.bad_value()),
        }
    }

    /// The members of an object, from opening to closing brace.
    fn object(&mut self, element: &mut Element, owner: Owner) -> Result<(), Issue> {
        self.check_depth(self.path.depth())?;
        let pos = self.lexer.pos();
        self.lexer.take(b'{')?;
        if self.lexer.closes(b'}') {
            self.empty(
                "",
                pos,
                "An object must not be empty: leave the element out.",
            );
            return Ok(());
        }
        let nulls = self.nulls;
        let mut open = self.keys.open();
        let mut cursor = 0;
        loop {
            self.lexer.peek();
            let pos = self.lexer.pos();
            let key = self.lexer.string()?;
            if key.len() > MAX_NAME {
                return Err(self.too_long(format!("A name has more than {MAX_NAME} bytes.")));
            }
            self.lexer.take(b':')?;
            if self.keys.has(&open, &key) {
                let message = format!(
                    "The member `{}` stands here a second time; it was read the first time.",
                    shown(&key)
                );
                self.structure(&key, pos, message);
                // It is unknown which of the two is meant.
                for made in self.keys.made(&open, &key) {
                    element.mark_children_malformed(made);
                }
                element.lose(&key);
                if key == "resourceType" {
                    element.mark_malformed();
                }
                self.skip(self.path.depth())?;
            } else {
                let twin = self.keys.twin(&open, &key);
                let before = element.children().len();
                self.member(element, &key, Member { pos, twin }, owner, &mut cursor)?;
                self.keys
                    .add(&mut open, key, before..element.children().len());
            }
            if !self.lexer.more(b'}')? {
                break;
            }
        }
        self.keys.close(open);
        if self.nulls > nulls {
            self.check_gaps(element, owner);
        }
        Ok(())
    }

    fn member(
        &mut self,
        element: &mut Element,
        key: &str,
        member: Member,
        owner: Owner,
        cursor: &mut usize,
    ) -> Result<(), Issue> {
        let held = element.resource_type().is_some();
        if key == "resourceType" && (held || element.name().is_empty()) {
            let pos = self.lexer_place();
            if !held {
                let message =
                    format!("`resourceType` must be a name of at most {MAX_NAME} characters.");
                self.structure(key, pos, message);
            }
            return self.skip(self.path.depth());
        }
        let Some(of) = owner.of else {
            return self.unknown(element, key, member.pos);
        };
        if let Some(def) = key.strip_prefix('_').and_then(|name| of.element(name)) {
            let primitive = self
                .schema
                .type_of(def)
                .is_some_and(|t| t.kind == Kind::Primitive);
            if primitive && (!owner.companion || def.name == "id") {
                return self.companion(element, def, member);
            }
        }
        match of.place_from(*cursor, key) {
            Some(place) if !owner.companion || matches!(key, "id" | "extension") => {
                *cursor = place;
                self.known(element, (&of.elements[place], place), member)
            }
            _ => {
                let note = format!(
                    "`{}` is not defined in STU3 for this element; it is kept and ignored.",
                    shown(key)
                );
                self.findings
                    .undefined(self.path.text(key), member.pos, note);
                self.unknown(element, key, member.pos)
            }
        }
    }

    fn lexer_place(&mut self) -> Pos {
        self.lexer.peek();
        self.lexer.pos()
    }

    /// A member in the schema.
    fn known(
        &mut self,
        parent: &mut Element,
        (def, place): (&'static ElementDef, usize),
        member: Member,
    ) -> Result<(), Issue> {
        let is_array = self.lexer.peek() == Some(b'[');
        if is_array && !def.is_list() {
            let message = format!(
                "`{}` is a single value, not an array: write it without [ ].",
                def.name
            );
            self.structure(def.name, member.pos, message);
        }
        if !is_array && def.is_list() {
            let message = format!("`{}` is a list: write it as an array, [ … ].", def.name);
            self.structure(def.name, member.pos, message);
        }
        let malformed = is_array != def.is_list();
        if !is_array {
            let index = def.is_list().then_some(0);
            if self.one(parent, (def, place), index)? {
                parent.mark_last(false, malformed);
                join_twin(parent, member.twin.as_ref(), 0);
            }
            return Ok(());
        }
        self.lexer.take(b'[')?;
        if self.lexer.closes(b']') {
            let message = "An array must not be empty: leave the element out.";
            self.empty(def.name, member.pos, message);
            return Ok(());
        }
        for index in 0.. {
            if self.one(parent, (def, place), Some(index))? {
                parent.mark_last(true, malformed);
                join_twin(parent, member.twin.as_ref(), index);
            }
            if !self.lexer.more(b']')? {
                break;
            }
        }
        Ok(())
    }

    /// One value of a known element, appended to the parent's children. False: the value has the wrong JSON type, which was
    /// reported, and nothing was appended.
    fn one(
        &mut self,
        parent: &mut Element,
        (def, place): (&'static ElementDef, usize),
        index: Option<usize>,
    ) -> Result<bool, Issue> {
        self.count()?;
        let next = self.lexer.peek();
        let pos = self.lexer.pos();
        // Fills the element in place: moving one costs as much as reading it.
        let element = parent.open_child(def.name, place, pos);
        self.path.push_known(def.name, index);
        let of = self.schema.type_of(def);
        let read = match of.map(|t| (t, t.json_kind())) {
            Some((_, Some(kind))) => self.primitive(element, kind, index.is_some(), next)?,
            None if next == Some(b'{') => {
                self.resource(element)?;
                true
            }
            Some((of, None)) if next == Some(b'{') => {
                self.object(
                    element,
                    Owner {
                        of: Some(of),
                        companion: false,
                    },
                )?;
                true
            }
            _ => {
                self.wrong_type("an object, { … }", next)?;
                self.skip(self.path.depth())?;
                false
            }
        };
        self.path.pop();
        if !read {
            parent.children_mut().pop();
            // `null` for a single value means that there is none.
            if next != Some(b'n') || index.is_some() {
                parent.lose(def.name);
            }
        }
        Ok(read)
    }

    /// The value of a primitive. False: there is none to keep.
    fn primitive(
        &mut self,
        element: &mut Element,
        kind: JsonKind,
        in_array: bool,
        next: Option<u8>,
    ) -> Result<bool, Issue> {
        let wanted = match (kind, next) {
            (JsonKind::String | JsonKind::Xhtml, Some(b'"')) => {
                let pos = self.lexer.pos();
                let text = self.lexer.string()?;
                if text.is_empty() {
                    let message = "A string must not be empty: leave the element out.";
                    self.empty("", pos, message);
                }
                let text = SmolStr::new(text);
                element.set_value(Some(match kind {
                    JsonKind::Xhtml => Value::Xhtml(text),
                    _ => Value::String(text),
                }));
                return Ok(true);
            }
            (JsonKind::Boolean, Some(b't' | b'f'))
            | (JsonKind::Number, Some(b'-' | b'0'..=b'9')) => return self.scalar(element, next),
            // In an array, null stands for a primitive that has only extensions.
            (_, Some(b'n')) if in_array => {
                self.lexer.word("null")?;
                self.nulls += 1;
                return Ok(true);
            }
            (JsonKind::String | JsonKind::Xhtml, _) => "a string, in double quotes,",
            (JsonKind::Boolean, _) => "true or false, without quotes,",
            (JsonKind::Number, _) => "a number, without quotes,",
        };
        self.wrong_type(wanted, next)?;
        // A value of the wrong type is kept if the tree can hold it, so that nothing is lost.
        element.mark_malformed();
        self.scalar(element, next)
    }

    /// A string, number or boolean as it is. False: it is something else, which was skipped.
    fn scalar(&mut self, element: &mut Element, next: Option<u8>) -> Result<bool, Issue> {
        let value = match next {
            Some(b'"') => Value::String(SmolStr::new(self.lexer.string()?)),
            Some(b't') => {
                self.lexer.word("true")?;
                Value::Boolean(true)
            }
            Some(b'f') => {
                self.lexer.word("false")?;
                Value::Boolean(false)
            }
            Some(b'-' | b'0'..=b'9') => Value::Number(self.lexer.number()?),
            _ => {
                self.skip(self.path.depth())?;
                return Ok(false);
            }
        };
        element.set_value(Some(value));
        Ok(true)
    }

    /// Reports a value of the wrong JSON type, without reading it.
    fn wrong_type(&mut self, wanted: &str, next: Option<u8>) -> Result<(), Issue> {
        let found = match next {
            Some(b'"') => "a string",
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b't' | b'f') => "true or false",
            Some(b'n') => "null",
            Some(b'-' | b'0'..=b'9') => "a number",
            _ => return Err(self.lexer.bad_value()),
        };
        let pos = self.lexer.pos();
        self.structure(
            "",
            pos,
            format!("Here stands {found}, but {wanted} is expected."),
        );
        Ok(())
    }

    /// Reports primitives with neither value nor extension: a `null` that stands for nothing.
    fn check_gaps(&mut self, element: &Element, owner: Owner) {
        let defined = |e: &&Element| owner.of.is_some_and(|t| t.element(e.name()).is_some());
        for child in element.children().iter().filter(defined) {
            let primitive = child.value().is_none() && child.resource_type().is_none();
            if primitive && child.children().is_empty() && child.is_listed() {
                let message = "null without an extension beside it says nothing: leave it out.";
                self.structure(child.name(), child.pos(), message);
            }
        }
    }
}

/// Joins a primitive's value and its companion into one element, whichever came first: the last child becomes part of its
/// twin.
fn join_twin(parent: &mut Element, twin: Option<&Range<usize>>, index: usize) {
    let Some(at) = twin.and_then(|made| made.clone().nth(index)) else {
        return;
    };
    if at + 1 < parent.children().len()
        && let Some(half) = parent.children_mut().pop()
        && let Some(there) = parent.children_mut().get_mut(at)
    {
        there.absorb(half);
    }
}
