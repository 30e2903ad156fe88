//! Finds what a cancellation changes besides `status` (PROV-CAN-02), comparing FHIR data rather than bytes.

use crate::careconnect::conformance;
use crate::ids::is_uuid;
use crate::instant;
use crate::systems;
use fhir::schema::{Kind, Schema, TypeDef};
use fhir::{Element, Value};

/// Most paths collected. An answer shows fewer.
pub const MAX_PATHS: usize = 200;

const APPOINTMENT: &str = "Appointment";

/// FHIRPaths at which the submitted Appointment differs from the stored one, in document order. An index counts in the
/// submitted body, or in the stored one if the submitted body lacks the element.
///
/// Ignored are: the order of `contained`; `id`, `meta`, `text`; the Appointment's `status`, `language` and `created` (the
/// server sets them); spellings of an instant; the case of UUIDs; names of local references that lead to equal resources;
/// the contained Slot's `status` of `free` or `busy`; and what the Provider may have added to the stored Appointment:
/// `identifier` and extensions of the Appointment, extensions of contained resources, `participant.status`, a Patient's
/// local identifier. Also ignored, at every depth, is the absence of what a consumer's library may not know: elements that
/// STU3 does not define, and extensions that CareConnect does not define.
pub fn changed_paths(stored: &Element, submitted: &Element) -> Vec<String> {
    let mut walk = Walk {
        stored,
        submitted,
        paths: Vec::new(),
    };
    walk.appointment();
    walk.paths
}

struct Walk<'a> {
    stored: &'a Element,
    submitted: &'a Element,
    paths: Vec<String>,
}

/// The STU3 type of the current element. `None`: STU3 does not define it, and all of it is compared.
type Type = Option<&'static TypeDef>;

impl<'a> Walk<'a> {
    fn appointment(&mut self) {
        let of = Schema::stu3().resource(APPOINTMENT);
        self.children(self.stored, self.submitted, APPOINTMENT, of);
        self.contained();
    }

    fn add(&mut self, path: String) {
        if self.paths.len() < MAX_PATHS {
            self.paths.push(path);
        }
    }

    /// Pairs contained resources by type; the Standard allows one of each (RES-APPT-04).
    fn contained(&mut self) {
        let (stored, submitted) = (self.stored, self.submitted);
        let same_type = |a: &Element, b: &Element| a.resource_type() == b.resource_type();
        let mut used = vec![false; stored.count("contained")];
        for (i, new) in submitted.all("contained").enumerate() {
            let path = format!("Appointment.contained[{i}]");
            let found = stored
                .all("contained")
                .enumerate()
                .find(|(k, old)| !used[*k] && same_type(old, new));
            match found {
                None => self.add(path),
                Some((k, old)) => {
                    used[k] = true;
                    // The server sets these elements in the Appointment only.
                    let of = new.resource_type().filter(|of| *of != APPOINTMENT);
                    let of = of.and_then(|of| Schema::stu3().resource(of));
                    self.children(old, new, &path, of);
                }
            }
        }
        for (k, _) in stored
            .all("contained")
            .enumerate()
            .filter(|(k, _)| !used[*k])
        {
            self.add(format!("Appointment.contained[{k}]"));
        }
    }

    /// Compares children by name. Order matters only within a name.
    fn children(&mut self, old: &'a Element, new: &'a Element, path: &str, of: Type) {
        let mut seen: Vec<&str> = Vec::with_capacity(16);
        for child in new.children().iter().chain(old.children()) {
            let name = child.name();
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            if is_ignored(of, name) || server_sets(of, name) {
                continue;
            }
            if name == "extension" {
                self.extensions(old, new, path, of);
            } else {
                self.named(old, new, name, path, of);
            }
        }
    }

    /// Pairs extensions by url, in order, and reports a missing one unless it may be missing.
    fn extensions(&mut self, old: &'a Element, new: &'a Element, path: &str, of: Type) {
        let stored: Vec<&'a Element> = old.all("extension").collect();
        let path_of = |i: usize| format!("{path}.extension[{i}]");
        let mut next = 0;
        for (i, extension) in new.all("extension").enumerate() {
            // Each extension without a partner is compared with all that are left.
            if self.paths.len() >= MAX_PATHS {
                return;
            }
            let url = extension.str_of("url");
            let Some(skipped) = stored[next..].iter().position(|e| e.str_of("url") == url) else {
                self.add(path_of(i));
                continue;
            };
            for (k, left_out) in stored.iter().enumerate().skip(next).take(skipped) {
                self.left_out(left_out, of, path_of(k));
            }
            next += skipped;
            self.element(stored[next], extension, &path_of(i), of);
            next += 1;
        }
        for (k, left_out) in stored.iter().enumerate().skip(next) {
            self.left_out(left_out, of, path_of(k));
        }
    }

    fn left_out(&mut self, stored: &Element, of: Type, path: String) {
        let added = of.is_some_and(|of| of.kind == Kind::Resource);
        if !added && !unknown(stored, of) {
            self.add(path);
        }
    }

    fn named(&mut self, old: &'a Element, new: &'a Element, name: &'a str, path: &str, of: Type) {
        let submitted = |e: &&'a Element| !added_here(of, e);
        let mut before: Vec<&'a Element> = old.all(name).filter(submitted).collect();
        let after: Vec<&'a Element> = new.all(name).filter(submitted).collect();
        // A consumer may return or omit the Provider's additions, but not change them.
        let additions: Vec<&Element> = old.all(name).filter(|e| added_here(of, e)).collect();
        for (i, e) in new.all(name).enumerate().filter(|(_, e)| added_here(of, e)) {
            if !additions.iter().any(|a| self.equal(a, e, of)) {
                self.add(format!("{path}.{name}[{i}]"));
            }
        }
        if after.is_empty() && (may_be_absent(of, name) || is_undefined(of, name)) {
            return;
        }
        if before.len() != after.len() && !is_undefined(of, name) {
            // An element with only unknown content may be missing altogether.
            before.retain(|e| !unknown(e, of));
        }
        let many = before.len().max(after.len()) > 1
            || new
                .get(name)
                .or(old.get(name))
                .is_some_and(Element::is_listed);
        for i in 0..before.len().max(after.len()) {
            let path = if many {
                format!("{path}.{name}[{i}]")
            } else {
                format!("{path}.{name}")
            };
            match (before.get(i), after.get(i)) {
                (Some(old), Some(new)) => self.element(old, new, &path, of),
                _ => self.add(path),
            }
        }
    }

    /// Compares two elements of a name; `parent` is the type of their parent.
    fn element(&mut self, old: &'a Element, new: &'a Element, path: &str, parent: Type) {
        if !self.same_value(old, new, parent) || old.resource_type() != new.resource_type() {
            self.add(path.to_owned());
        }
        if old.children().is_empty() && new.children().is_empty() {
            return;
        }
        self.children(old, new, path, type_of(parent, new.name()));
    }

    fn same_value(&self, old: &Element, new: &Element, parent: Type) -> bool {
        let (Some(a), Some(b)) = (old.value(), new.value()) else {
            return old.value().is_none() && new.value().is_none();
        };
        if a.as_str() == b.as_str() && old.name() != "reference" {
            return true;
        }
        match new.name() {
            "reference" => {
                let (x, y) = (a.as_str(), b.as_str());
                let (was, is) = (target(self.stored, x), target(self.submitted, y));
                // A missing resource is reported itself, not again at its references.
                was == is || (x == y && is == y)
            }
            "status" if is(parent, "Slot") => {
                [a, b].iter().all(|v| matches!(v.as_str(), "free" | "busy"))
            }
            _ => same_text(a, b),
        }
    }

    fn equal(&self, old: &'a Element, new: &'a Element, parent: Type) -> bool {
        let mut inner = Walk {
            stored: self.stored,
            submitted: self.submitted,
            paths: Vec::new(),
        };
        inner.element(old, new, "", parent);
        inner.paths.is_empty()
    }
}

/// The target of a reference: for a local one, or the old `Slot/<id>`, the contained resource by type.
fn target<'a>(document: &'a Element, reference: &'a str) -> &'a str {
    let is = |e: &&Element, id: &str| e.str_of("id") == Some(id);
    let local = |id: &str| {
        document
            .all("contained")
            .find(|e| is(e, id))
            .and_then(Element::resource_type)
    };
    let slot = |id: &str| local(id).filter(|t| *t == "Slot");
    if let Some(id) = reference.strip_prefix('#') {
        return local(id).unwrap_or(reference);
    }
    reference
        .strip_prefix("Slot/")
        .and_then(slot)
        .unwrap_or(reference)
}

fn is(of: Type, name: &str) -> bool {
    of.is_some_and(|of| of.name == name)
}

/// The type of a child. The type of a primitive does not list its extensions.
fn type_of(parent: Type, name: &str) -> Type {
    let schema = Schema::stu3();
    if name == "extension" {
        return parent.and_then(|_| schema.type_def("Extension"));
    }
    schema.type_of(parent?.element(name)?)
}

/// Never compared: ids within the message, server metadata, the human-readable copy, and `fhir_comments`, which older JSON
/// writers leave.
fn is_ignored(of: Type, name: &str) -> bool {
    match name {
        "id" | "fhir_comments" => true,
        "meta" | "text" => of.is_some_and(|of| of.kind == Kind::Resource),
        _ => false,
    }
}

fn server_sets(of: Type, name: &str) -> bool {
    is(of, APPOINTMENT) && matches!(name, "status" | "language" | "created" | "contained")
}

/// A Patient's identifiers other than NHS numbers are the Provider's, if it gives them (D-17).
fn added_here(of: Type, e: &Element) -> bool {
    is(of, "Patient")
        && e.name() == "identifier"
        && e.str_of("system")
            .is_some_and(|system| system != systems::NHS_NUMBER)
}

fn may_be_absent(of: Type, name: &str) -> bool {
    match name {
        "identifier" => is(of, APPOINTMENT),
        "status" => is(of, "Appointment.participant"),
        _ => false,
    }
}

/// True for a child that STU3 does not define in its parent.
fn is_undefined(parent: Type, name: &str) -> bool {
    parent.is_some_and(|of| of.element(name).is_none()) && !matches!(name, "id" | "extension")
}

/// True for what a consumer's library may not know and therefore omit: an element that STU3 does not define, an extension
/// that CareConnect does not define, or an element with nothing else. The parts of an extension are its content.
fn unknown(e: &Element, parent: Type) -> bool {
    let name = e.name();
    if is_ignored(parent, name) || is_undefined(parent, name) {
        return true;
    }
    if name == "extension" {
        let known = |url| conformance().knows_extension(url);
        return parent.is_some_and(|of| of.name != "Extension")
            && !e.str_of("url").is_some_and(known);
    }
    let of = type_of(parent, name);
    of.is_some() && e.value().is_none() && e.children().iter().all(|child| unknown(child, of))
}

/// The same text, instant, UUID or number.
fn same_text(a: &Value, b: &Value) -> bool {
    let (x, y) = (a.as_str(), b.as_str());
    if let (Some(x), Some(y)) = (instant::parse(x), instant::parse(y)) {
        return x == y;
    }
    if is_uuid(x) && is_uuid(y) {
        return x.eq_ignore_ascii_case(y);
    }
    let number = matches!(a, Value::Number(_)) || matches!(b, Value::Number(_));
    number && plain_number(x).is_some() && plain_number(x) == plain_number(y)
}

/// A decimal without exponent as sign, whole part and fraction, without insignificant zeros.
fn plain_number(text: &str) -> Option<(bool, &str, &str)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let legal = !whole.is_empty()
        && whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit());
    legal.then(|| {
        (
            negative,
            whole.trim_start_matches('0'),
            fraction.trim_end_matches('0'),
        )
    })
}
