//! What a cancellation changes besides `status` (PROV-CAN-02): a comparison of FHIR data, not of bytes.

use crate::ids::is_uuid;
use crate::instant;
use crate::systems;
use fhir::schema::Schema;
use fhir::{Element, Value};

/// Most paths collected; an answer shows fewer, and a body that differs more is another body.
pub const MAX_PATHS: usize = 200;

/// Never compared, at whatever depth: ids within the message, server metadata, the human-readable copy.
/// (`fhir_comments` is what older JSON writers leave behind.)
const IGNORED: [&str; 4] = ["id", "meta", "text", "fhir_comments"];

/// FHIRPaths of the submitted Appointment at which it differs from the stored one, in document order. Paths with
/// an index count in the submitted body, or in the stored one where the submitted body lacks the element.
///
/// Left out of the comparison: the order of `contained`; `id`, `meta`, `text`; the Appointment's `status`,
/// `language` and `created` (the server sets them; a consumer may send its own or the returned `created`);
/// spellings of one instant; the case of UUIDs; names of local references, as long as they lead to equal
/// resources; the contained Slot's `status`, `free` or `busy`; and whatever is only in the stored Appointment
/// because the Provider may have added it: `identifier` and extensions of the Appointment, extensions of
/// contained resources, `participant.status`, a Patient's local identifier. So are elements of a resource that STU3
/// does not define.
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

/// Where in the document a comparison stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Appointment,
    Participant,
    Patient,
    Slot,
    OtherContained,
    Deeper,
}

impl<'a> Walk<'a> {
    fn appointment(&mut self) {
        self.children(
            self.stored,
            self.submitted,
            "Appointment",
            Place::Appointment,
        );
        self.contained();
    }

    fn add(&mut self, path: String) {
        if self.paths.len() < MAX_PATHS {
            self.paths.push(path);
        }
    }

    /// Contained resources are paired by type: the Standard allows one of each (RES-APPT-04).
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
                    let place = match new.resource_type() {
                        Some("Patient") => Place::Patient,
                        Some("Slot") => Place::Slot,
                        _ => Place::OtherContained,
                    };
                    self.children(old, new, &path, place);
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

    /// Compares children by name: the order of different names means nothing, that within a name does.
    fn children(&mut self, old: &'a Element, new: &'a Element, path: &str, place: Place) {
        let mut seen: Vec<&str> = Vec::with_capacity(16);
        for child in new.children().iter().chain(old.children()) {
            let name = child.name();
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            if IGNORED.contains(&name) || server_sets(place, name) {
                continue;
            }
            self.named(old, new, name, path, place);
        }
    }

    fn named(
        &mut self,
        old: &'a Element,
        new: &'a Element,
        name: &'a str,
        path: &str,
        place: Place,
    ) {
        let before: Vec<&'a Element> = old.all(name).filter(|e| !added_here(place, e)).collect();
        let after: Vec<&'a Element> = new.all(name).filter(|e| !added_here(place, e)).collect();
        // The Provider's own additions may be sent back or left out, but not changed.
        let additions: Vec<&Element> = old.all(name).filter(|e| added_here(place, e)).collect();
        for (i, e) in new
            .all(name)
            .enumerate()
            .filter(|(_, e)| added_here(place, e))
        {
            if !additions.iter().any(|a| self.equal(a, e)) {
                self.add(format!("{path}.{name}[{i}]"));
            }
        }
        if after.is_empty() && (may_be_absent(place, name) || is_undefined(new, name)) {
            return;
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
                (Some(old), Some(new)) => self.element(old, new, &path, place),
                _ => self.add(path),
            }
        }
    }

    fn element(&mut self, old: &'a Element, new: &'a Element, path: &str, place: Place) {
        if !self.same_value(old, new, place) || old.resource_type() != new.resource_type() {
            self.add(path.to_owned());
        }
        if old.children().is_empty() && new.children().is_empty() {
            return;
        }
        let below = match (place, new.name()) {
            (Place::Appointment, "participant") => Place::Participant,
            _ => Place::Deeper,
        };
        self.children(old, new, path, below);
    }

    fn same_value(&self, old: &Element, new: &Element, place: Place) -> bool {
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
                // A resource that went missing is named itself, not once more by what pointed to it.
                was == is || (x == y && is == y)
            }
            "status" if place == Place::Slot => {
                [a, b].iter().all(|v| matches!(v.as_str(), "free" | "busy"))
            }
            _ => same_text(a, b),
        }
    }

    fn equal(&self, old: &'a Element, new: &'a Element) -> bool {
        let mut inner = Walk {
            stored: self.stored,
            submitted: self.submitted,
            paths: Vec::new(),
        };
        inner.element(old, new, "", Place::Deeper);
        inner.paths.is_empty()
    }
}

/// What a reference means: a local one, or the legacy `Slot/<id>`, its contained resource by type.
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

fn server_sets(place: Place, name: &str) -> bool {
    place == Place::Appointment && matches!(name, "status" | "language" | "created" | "contained")
}

/// Identifiers of a Patient that are not NHS numbers are the Provider's, where it gives them (D-17).
fn added_here(place: Place, e: &Element) -> bool {
    place == Place::Patient
        && e.name() == "identifier"
        && e.str_of("system")
            .is_some_and(|system| system != systems::NHS_NUMBER)
}

fn may_be_absent(place: Place, name: &str) -> bool {
    match place {
        Place::Appointment => matches!(name, "identifier" | "extension"),
        Place::Participant => name == "status",
        Place::Patient | Place::Slot | Place::OtherContained => name == "extension",
        Place::Deeper => false,
    }
}

/// True for a child of a resource that STU3 does not define there: a consumer whose library does not know it leaves it
/// out of what it sends back, as it does with extensions.
fn is_undefined(resource: &Element, name: &str) -> bool {
    let of = resource.resource_type();
    of.and_then(|of| Schema::stu3().resource(of))
        .is_some_and(|of| of.element(name).is_none())
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

/// A decimal without exponent as sign, whole part and fraction, without zeros that mean nothing.
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
