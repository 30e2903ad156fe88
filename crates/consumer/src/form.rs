//! Whether that which a judgement stands on is written as FHIR has it (D-79).
//!
//! The codecs read on after a fault in the structure, so that content that nobody looks at does not make an answer useless
//! (CONS-SLOT-04). A `status` that is a list, stands there twice or is a number says nothing that can be relied on, though:
//! whoever wrote it may mean something else by it. Nothing here is about elements that nothing is decided by.

use booking::systems;
use fhir::Element;

/// Most references and identifiers of one resource that are looked at; a booking has one or two of each.
pub(crate) const MOST: usize = 20;

/// Whether an element of the name is there in a form that FHIR does not give it.
pub(crate) fn is_odd(of: &Element, name: &str) -> bool {
    if of.has_lost(name) {
        return true;
    }
    let mut all = of.all(name).peekable();
    let mut several = false;
    while let Some(element) = all.next() {
        several |= all.peek().is_some();
        // In XML nothing but the number tells a single value from a list.
        if element.is_malformed() || (several && !element.is_listed()) {
            return true;
        }
    }
    false
}

/// Those of the names that are odd.
pub(crate) fn odd<'n>(of: &Element, names: &[&'n str]) -> Vec<&'n str> {
    let found = names.iter().filter(|name| is_odd(of, name));
    found.copied().collect()
}

/// The elements of an Appointment by which it is told from any other and that are not written as FHIR has them.
pub(crate) fn of_appointment(appointment: &Element) -> Vec<&'static str> {
    let mut names = odd(
        appointment,
        &[
            "id",
            "status",
            "start",
            "end",
            "slot",
            "contained",
            "participant",
        ],
    );
    if appointment.is_malformed() {
        names.push("resourceType");
    }
    let lists = ["slot", "contained", "participant"];
    names.extend(
        lists
            .into_iter()
            .filter(|list| is_endless(appointment, list)),
    );
    for slot in appointment.all("slot").take(MOST) {
        names.extend(odd(slot, &["reference", "identifier"]));
        let identifiers = slot.all("identifier").take(1);
        names.extend(identifiers.flat_map(|i| odd(i, &["value"])));
    }
    let contained = appointment.all("contained").take(MOST);
    let actors = appointment.all("participant").take(MOST).flat_map(|p| {
        names.extend(odd(p, &["actor"]));
        p.all("actor")
    });
    let actors: Vec<&Element> = actors.collect();
    for part in contained.chain(actors) {
        let of_patient = match part.resource_type() {
            Some("Slot" | "DocumentReference") => false,
            Some("Patient") | None => true,
            Some(_) => continue,
        };
        if !of_patient {
            names.extend(odd(part, &["id", "start"]));
        }
        let all = part.all("identifier").chain(part.all("masterIdentifier"));
        for identifier in all.take(MOST) {
            // A patient's other numbers are not looked at.
            let system = identifier.str_of("system").map(str::trim);
            if of_patient && system != Some(systems::NHS_NUMBER) {
                continue;
            }
            names.extend(odd(identifier, &["system", "value"]));
            if identifier.is_malformed() {
                names.push("identifier");
            }
        }
        if is_endless(part, "identifier") || is_endless(part, "masterIdentifier") {
            names.push("identifier");
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether there are more of a name than are looked at: what comes behind may say the opposite.
fn is_endless(of: &Element, name: &str) -> bool {
    of.all(name).nth(MOST).is_some()
}

/// The names as the end of a sentence for the user.
pub(crate) fn plain(names: &[&str]) -> String {
    format!(
        "it is not written as FHIR has it, so that it proves nothing ({})",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn names(appointment: &Value) -> Vec<&'static str> {
        let text = appointment.to_string();
        let parsed = fhir::json::parse(text.as_bytes(), &fhir::Limits::default());
        of_appointment(&parsed.expect("JSON").root)
    }

    /// Proves: D-79
    /// Nothing is judged by the first parts of a list that goes on beyond what is looked at.
    #[test]
    fn what_lies_beyond_is_not_passed_over() {
        let other = json!({ "system": systems::NHS_NUMBER, "value": "9990000018" });
        let patient = |identifiers: Vec<Value>| json!([{ "resourceType": "Patient", "id": "p", "identifier": identifiers }]);
        let filled = |filler: Value, last: Value| {
            let mut all = vec![filler; MOST];
            all.push(last);
            all
        };
        let of = |name: &str, value: Value| {
            let mut appointment =
                json!({ "resourceType": "Appointment", "id": "a", "status": "booked" });
            appointment[name] = value;
            names(&appointment)
        };
        let basic = json!({ "resourceType": "Basic", "id": "b" });
        let local = json!({ "system": "https://vendor.example/number", "value": "1" });
        let slot = |id: &str| json!({ "reference": format!("Slot/{id}") });
        let actor = json!({ "actor": { "display": "Room" } });
        for (name, all, what) in [
            (
                "contained",
                filled(basic, patient(vec![other.clone()])[0].clone()),
                "contained",
            ),
            ("slot", filled(slot("a"), slot("b")), "slot"),
            (
                "participant",
                filled(actor, json!({ "actor": { "identifier": other } })),
                "participant",
            ),
        ] {
            let (fits, beyond) = (all[1..].to_vec(), all);
            assert!(of(name, json!(fits)).is_empty(), "{name}");
            assert_eq!(of(name, json!(beyond)), [what]);
        }
        let beyond = filled(local, other);
        assert_eq!(of("contained", patient(beyond)), ["identifier"]);
    }
}
