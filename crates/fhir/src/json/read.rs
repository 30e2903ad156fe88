//! JSON text to element tree. Every structural fault is reported with its path and place; only text that is not
//! JSON, or goes over a limit, stops the reading.

use super::lexer::Lexer;
use crate::codec::{Limits, Parsed, Path, shown};
use crate::issue::{Issue, IssueCode, Pos, Severity, Stage};
use crate::schema::{ElementDef, JsonKind, Kind, Schema, TypeDef};
use crate::tree::{Element, Value};
use smol_str::SmolStr;

/// Reads one resource. The error is the place where the text stops being JSON or goes over a limit; everything
/// else that is wrong is in [`Parsed::issues`].
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed, Issue> {
    if bytes.len() > limits.max_bytes {
        return Err(Issue::error(
            Stage::Syntax,
            IssueCode::TooLong,
            format!(
                "The text has {} bytes; at most {} are read.",
                bytes.len(),
                limits.max_bytes
            ),
        )
        .severity(Severity::Fatal));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| not_utf8(bytes, e.valid_up_to()))?;
    let mut reader = Reader {
        lexer: Lexer::new(text),
        schema: Schema::stu3(),
        limits,
        path: Path::default(),
        elements: 0,
        issues: Vec::new(),
    };
    let pos = {
        reader.lexer.peek();
        reader.lexer.pos()
    };
    if reader.lexer.peek() != Some(b'{') {
        return Err(reader
            .lexer
            .fail("A FHIR resource in JSON is an object: `{` is expected."));
    }
    let root = reader.resource(Element::default().at_pos(pos))?;
    reader.lexer.at_end()?;
    Ok(Parsed {
        root,
        issues: reader.issues,
    })
}

fn not_utf8(bytes: &[u8], valid: usize) -> Issue {
    let good = String::from_utf8_lossy(&bytes[..valid]).into_owned();
    let line = good.matches('\n').count() + 1;
    let column = good.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    let pos = Pos {
        line: line as u32,
        column: column as u32,
    };
    Issue::error(
        Stage::Syntax,
        IssueCode::Invalid,
        "The text is not UTF-8 here.",
    )
    .severity(Severity::Fatal)
    .pos(pos)
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    schema: &'static Schema,
    limits: &'a Limits,
    path: Path,
    elements: usize,
    issues: Vec<Issue>,
}

/// What an object's members belong to.
#[derive(Clone, Copy)]
struct Owner {
    of: Option<&'static TypeDef>,
    /// Only `id` and `extension` may stand here: the companion of a primitive.
    companion: bool,
}

impl Reader<'_> {
    fn report(&mut self, issue: Issue) {
        if self.issues.len() < self.limits.max_issues {
            self.issues.push(issue);
        }
    }

    fn structure(&mut self, name: &str, pos: Pos, message: String) {
        let at = self.path.text(name);
        self.report(
            Issue::error(Stage::Structure, IssueCode::Structure, message)
                .at(at)
                .pos(pos),
        );
    }

    fn count(&mut self) -> Result<(), Issue> {
        self.elements += 1;
        if self.elements > self.limits.max_elements {
            let most = self.limits.max_elements;
            return Err(too_long(
                self.lexer
                    .fail(format!("The text has more than {most} elements.")),
            ));
        }
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), Issue> {
        if self.path.depth() > self.limits.max_depth {
            let most = self.limits.max_depth;
            return Err(too_long(
                self.lexer
                    .fail(format!("The text is nested deeper than {most} levels.")),
            ));
        }
        Ok(())
    }

    /// A resource at its opening brace; `element` has its name and place.
    fn resource(&mut self, element: Element) -> Result<Element, Issue> {
        let pos = self.lexer.pos();
        let name = self.peek_resource_type()?;
        let root = self.path.depth() == 0;
        if root {
            self.path.push(name.as_deref().unwrap_or("Resource"), None);
        }
        let mut element = element;
        let of = match &name {
            None => {
                let message =
                    "`resourceType` is missing: it names the type of the resource.".to_owned();
                self.structure("", pos, message);
                None
            }
            Some(name) => {
                element = element.with_resource_type(name);
                let of = self.schema.resource(name);
                if of.is_none() {
                    let known = match self.schema.type_def(name) {
                        Some(_) => "is a data type, not a resource type",
                        None => "is not a resource type in use here",
                    };
                    self.structure("", pos, format!("`{}` {known}.", shown(name)));
                }
                of
            }
        };
        let element = self.object(
            element,
            Owner {
                of,
                companion: false,
            },
        )?;
        if root {
            self.path.pop();
        }
        Ok(element)
    }

    /// Looks ahead for `resourceType` of the object that opens here, wherever it stands among its members.
    fn peek_resource_type(&mut self) -> Result<Option<SmolStr>, Issue> {
        let mark = self.lexer.mark();
        let found = self.scan_for_type()?;
        self.lexer.reset(mark);
        Ok(found)
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
                    Some(b'"') => self.lexer.string().map(Some),
                    _ => Ok(None),
                };
            }
            self.skip(0)?;
            if !self.lexer.more(b'}')? {
                return Ok(None);
            }
        }
    }

    /// Steps over a value.
    fn skip(&mut self, depth: usize) -> Result<(), Issue> {
        if depth > self.limits.max_depth {
            let most = self.limits.max_depth;
            return Err(too_long(
                self.lexer
                    .fail(format!("The text is nested deeper than {most} levels.")),
            ));
        }
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

    /// The members of an object, from its opening brace to its closing one.
    fn object(&mut self, mut element: Element, owner: Owner) -> Result<Element, Issue> {
        self.deeper()?;
        let pos = self.lexer.pos();
        self.lexer.take(b'{')?;
        if self.lexer.closes(b'}') {
            self.structure(
                "",
                pos,
                "An object must not be empty: leave the element out.".to_owned(),
            );
            return Ok(element);
        }
        let mut seen: Vec<SmolStr> = Vec::with_capacity(16);
        loop {
            self.lexer.peek();
            let pos = self.lexer.pos();
            let key = self.lexer.string()?;
            self.lexer.take(b':')?;
            if seen.contains(&key) {
                self.structure(
                    &key,
                    pos,
                    format!(
                        "The member `{}` stands here a second time; it was read the first time.",
                        shown(&key)
                    ),
                );
                self.skip(0)?;
            } else {
                self.member(&mut element, &key, pos, owner)?;
                seen.push(key);
            }
            if !self.lexer.more(b'}')? {
                break;
            }
        }
        self.check_gaps(&element);
        Ok(element)
    }

    fn member(
        &mut self,
        element: &mut Element,
        key: &SmolStr,
        pos: Pos,
        owner: Owner,
    ) -> Result<(), Issue> {
        if key == "resourceType" && element.resource_type().is_some() {
            return self.lexer.string().map(drop);
        }
        if key == "resourceType" && element.name().is_empty() {
            let place = self.lexer.pos();
            self.structure(key, place, "`resourceType` must be a string.".to_owned());
            return self.skip(0);
        }
        if let Some(name) = key.strip_prefix('_') {
            let def = owner.of.and_then(|t| t.element(name));
            let primitive = def
                .and_then(|d| self.schema.type_of(d))
                .is_none_or(|t| t.kind == Kind::Primitive);
            if primitive && matches!(self.lexer.peek(), Some(b'{' | b'[')) && !name.is_empty() {
                return self.companion(element, name, def);
            }
        }
        let allowed = !owner.companion || key == "id" || key == "extension";
        match owner.of.and_then(|t| t.element(key)).filter(|_| allowed) {
            Some(def) => self.known(element, def, pos),
            None => {
                if owner.of.is_some() {
                    let at = self.path.text(key);
                    let note = format!(
                        "`{}` is not defined in STU3 for this element; it is kept and ignored.",
                        shown(key)
                    );
                    self.report(
                        Issue::error(Stage::Structure, IssueCode::Extension, note)
                            .severity(Severity::Information)
                            .at(at)
                            .pos(pos),
                    );
                }
                self.unknown(element, key, pos)
            }
        }
    }

    /// A member that the schema knows.
    fn known(
        &mut self,
        parent: &mut Element,
        def: &'static ElementDef,
        pos: Pos,
    ) -> Result<(), Issue> {
        let is_array = self.lexer.peek() == Some(b'[');
        if is_array && !def.is_list() {
            self.structure(
                def.name,
                pos,
                format!(
                    "`{}` is a single value, not an array: write it without [ ].",
                    def.name
                ),
            );
        }
        if !is_array && def.is_list() {
            self.structure(
                def.name,
                pos,
                format!("`{}` is a list: write it as an array, [ … ].", def.name),
            );
        }
        if !is_array {
            let index = def.is_list().then_some(0);
            if let Some(child) = self.one(def, index)? {
                merge(parent, def.name, 0, child);
            }
            return Ok(());
        }
        self.lexer.take(b'[')?;
        if self.lexer.closes(b']') {
            self.structure(
                def.name,
                pos,
                "An array must not be empty: leave the element out.".to_owned(),
            );
            return Ok(());
        }
        for index in 0.. {
            if let Some(child) = self.one(def, Some(index))? {
                merge(parent, def.name, index, child.in_list());
            }
            if !self.lexer.more(b']')? {
                break;
            }
        }
        Ok(())
    }

    /// One value of a known element; `None` when it has the wrong JSON type (reported).
    fn one(
        &mut self,
        def: &'static ElementDef,
        index: Option<usize>,
    ) -> Result<Option<Element>, Issue> {
        self.count()?;
        let next = self.lexer.peek();
        let element = Element::new(def.name).at_pos(self.lexer.pos());
        self.path.push(def.name, index);
        let of = self.schema.type_of(def);
        let read = match of.map(|t| (t, t.json_kind())) {
            Some((_, Some(kind))) => self.primitive(element, kind, index.is_some(), next),
            None if next == Some(b'{') => self.resource(element).map(Some),
            Some((of, None)) if next == Some(b'{') => self
                .object(
                    element,
                    Owner {
                        of: Some(of),
                        companion: false,
                    },
                )
                .map(Some),
            _ => self.wrong_type("an object, { … }", next).map(|()| None),
        };
        self.path.pop();
        read
    }

    fn primitive(
        &mut self,
        element: Element,
        kind: JsonKind,
        in_array: bool,
        next: Option<u8>,
    ) -> Result<Option<Element>, Issue> {
        let value = match (kind, next) {
            (JsonKind::String, Some(b'"')) => Value::String(self.non_empty()?),
            (JsonKind::Xhtml, Some(b'"')) => Value::Xhtml(self.non_empty()?),
            (JsonKind::Boolean, Some(b't')) => {
                self.lexer.word("true")?;
                Value::Boolean(true)
            }
            (JsonKind::Boolean, Some(b'f')) => {
                self.lexer.word("false")?;
                Value::Boolean(false)
            }
            (JsonKind::Number, Some(b'-' | b'0'..=b'9')) => Value::Number(self.lexer.number()?),
            // In an array, null keeps the place of a primitive that has extensions only.
            (_, Some(b'n')) if in_array => {
                self.lexer.word("null")?;
                return Ok(Some(element));
            }
            (kind, next) => {
                let wanted = match kind {
                    JsonKind::String | JsonKind::Xhtml => "a string, in double quotes",
                    JsonKind::Boolean => "true or false, without quotes",
                    JsonKind::Number => "a number, without quotes",
                };
                self.wrong_type(wanted, next)?;
                return Ok(None);
            }
        };
        Ok(Some(element.with_value(value)))
    }

    fn non_empty(&mut self) -> Result<SmolStr, Issue> {
        let pos = self.lexer.pos();
        let text = self.lexer.string()?;
        if text.is_empty() {
            self.structure(
                "",
                pos,
                "A string must not be empty: leave the element out.".to_owned(),
            );
        }
        Ok(text)
    }

    /// Reports a value of the wrong JSON type and steps over it.
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
            format!("Here stands {found}; {wanted}, is expected."),
        );
        self.skip(0)
    }

    /// `_name`: id and extensions of the primitive `name`.
    fn companion(
        &mut self,
        parent: &mut Element,
        name: &str,
        def: Option<&'static ElementDef>,
    ) -> Result<(), Issue> {
        let extension = self.schema.type_def("Extension");
        let owner = Owner {
            of: extension,
            companion: true,
        };
        let listed = def.map(|d| d.is_list());
        let pos = self.lexer.pos();
        let is_array = self.lexer.peek() == Some(b'[');
        if listed.is_some_and(|l| l != is_array) {
            let form = if is_array {
                "an object, as the element is single"
            } else {
                "an array, as the element is a list"
            };
            self.structure(
                &format!("_{name}"),
                pos,
                format!("`_{}` must be {form}.", shown(name)),
            );
        }
        if !is_array {
            self.count()?;
            self.path.push(name, listed.unwrap_or(false).then_some(0));
            let read = self.object(Element::new(name).at_pos(pos), owner);
            self.path.pop();
            merge(parent, name, 0, read?);
            return Ok(());
        }
        self.lexer.take(b'[')?;
        if self.lexer.closes(b']') {
            self.structure(
                &format!("_{name}"),
                pos,
                "An array must not be empty: leave it out.".to_owned(),
            );
            return Ok(());
        }
        for index in 0.. {
            self.count()?;
            let next = self.lexer.peek();
            let element = Element::new(name).at_pos(self.lexer.pos()).in_list();
            self.path.push(name, Some(index));
            let read = match next {
                Some(b'n') => self.lexer.word("null").map(|()| Some(element)),
                Some(b'{') => self.object(element, owner).map(Some),
                _ => self.wrong_type("an object or null", next).map(|()| None),
            };
            self.path.pop();
            if let Some(child) = read? {
                merge(parent, name, index, child);
            }
            if !self.lexer.more(b']')? {
                break;
            }
        }
        Ok(())
    }

    /// A member that STU3 does not define: any JSON, kept as it is.
    fn unknown(&mut self, parent: &mut Element, key: &str, pos: Pos) -> Result<(), Issue> {
        if self.lexer.peek() != Some(b'[') {
            if let Some(child) = self.anything(key, None)? {
                merge(parent, key, 0, child);
            }
            return Ok(());
        }
        self.lexer.take(b'[')?;
        if self.lexer.closes(b']') {
            self.structure(
                key,
                pos,
                "An array must not be empty: leave the element out.".to_owned(),
            );
            return Ok(());
        }
        for index in 0.. {
            if let Some(child) = self.anything(key, Some(index))? {
                merge(parent, key, index, child.in_list());
            }
            if !self.lexer.more(b']')? {
                break;
            }
        }
        Ok(())
    }

    fn anything(&mut self, name: &str, index: Option<usize>) -> Result<Option<Element>, Issue> {
        self.count()?;
        let next = self.lexer.peek();
        let element = Element::new(name).at_pos(self.lexer.pos());
        self.path.push(name, index);
        let read = match next {
            Some(b'"') => self
                .lexer
                .string()
                .map(|s| Some(element.with_value(Value::String(s)))),
            Some(b't') => self
                .lexer
                .word("true")
                .map(|()| Some(element.with_value(Value::Boolean(true)))),
            Some(b'f') => self
                .lexer
                .word("false")
                .map(|()| Some(element.with_value(Value::Boolean(false)))),
            Some(b'-' | b'0'..=b'9') => self
                .lexer
                .number()
                .map(|n| Some(element.with_value(Value::Number(n)))),
            Some(b'{') => self
                .object(
                    element,
                    Owner {
                        of: None,
                        companion: false,
                    },
                )
                .map(Some),
            Some(b'n') if index.is_some() => self.lexer.word("null").map(|()| Some(element)),
            _ => self
                .wrong_type(
                    "a value that FHIR has (no null, no array inside an array)",
                    next,
                )
                .map(|()| None),
        };
        self.path.pop();
        read
    }

    /// Primitives that were left without a value and without an extension: a `null` that keeps no place.
    fn check_gaps(&mut self, element: &Element) {
        for child in element.children() {
            let empty = child.value().is_none()
                && child.children().is_empty()
                && child.resource_type().is_none();
            if empty && child.is_listed() {
                let message =
                    "null without an extension beside it says nothing: leave the member out."
                        .to_owned();
                self.structure(child.name(), child.pos(), message);
            }
        }
    }
}

/// Puts a value or a companion at its place among the elements of its name: a primitive's value and its companion
/// are one element, whichever came first.
fn merge(parent: &mut Element, name: &str, index: usize, child: Element) {
    let slot = parent
        .children_mut()
        .iter_mut()
        .filter(|e| e.name() == name)
        .nth(index);
    match slot {
        None => parent.push(child),
        Some(there) => {
            if child.value().is_some() {
                there.set_value(child.value().cloned());
            }
            there
                .children_mut()
                .extend(child.children().iter().cloned());
        }
    }
}

fn too_long(mut issue: Issue) -> Issue {
    issue.code = IssueCode::TooLong;
    issue
}
