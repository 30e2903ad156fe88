//! Whether that which a judgement stands on is written as FHIR has it (D-79).
//!
//! The codecs read on after a fault in the structure, so that content that nobody looks at does not make an answer useless
//! (CONS-SLOT-04). A `status` that is a list, stands there twice or is a number says nothing that can be relied on, though:
//! whoever wrote it may mean something else by it. Nothing here is about elements that nothing is decided by.

use crate::journey::identity::MOST;
use booking::systems;
use fhir::Element;

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
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The names as the end of a sentence for the user.
pub(crate) fn plain(names: &[&str]) -> String {
    format!(
        "it is not written as FHIR has it, so that it proves nothing ({})",
        names.join(", ")
    )
}
