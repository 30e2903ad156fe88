//! Reports empty lists. An absent list means everybody or everything, the opposite of what an empty one seems to say.

use super::Declaration;
use sheet::Sheet;

/// Records each of them. A parsed empty list looks like an absent one, so this looks for the key in the file.
pub(super) fn lists(d: &Declaration, sheet: &mut Sheet<'_>) {
    let mut refuse = |section, index: usize, key, is_empty: bool, without: &str| {
        let mut table = sheet.table(section, index);
        if is_empty && table.has(key) {
            let what = format!(
                "is an empty list, and without the key {without}; name at least one, or leave the key out"
            );
            table.fault(key, what);
        }
    };
    for (i, rule) in d.releases.iter().enumerate() {
        let without = "the rule is not limited by it: without any of `kinds`, `ods` and `asids` it releases to everyone";
        refuse("release", i, "kinds", rule.kinds.is_empty(), without);
        refuse("release", i, "ods", rule.ods.is_empty(), without);
        refuse("release", i, "asids", rule.asids.is_empty(), without);
    }
    for (i, closure) in d.closures.iter().enumerate() {
        let without = "the closure is not limited by it: without `locations` and `services` it closes the whole provider";
        let (locations, services) = (&closure.locations, &closure.services);
        refuse("closure", i, "locations", locations.is_empty(), without);
        refuse("closure", i, "services", services.is_empty(), without);
    }
    let without = "its slots are for everyone";
    for (i, service) in d.services.iter().enumerate() {
        refuse("service", i, "release", service.release.is_empty(), without);
    }
    let without = "the rules of the service count, or its slots are for everyone";
    for (i, template) in d.templates.iter().enumerate() {
        refuse(
            "template",
            i,
            "release",
            template.release.is_empty(),
            without,
        );
    }
    for (i, session) in d.sessions.iter().enumerate() {
        refuse("session", i, "release", session.release.is_empty(), without);
    }
}
