//! Judging the criteria of a slot search (C20, C27..C30, ASR-20, ASR-21).

use booking::instant::london;
use booking::wire::query;
use booking::wire::slot_query::{SlotQuery, Window};

use crate::consumer_suite::asked::Asked;
use crate::consumer_suite::ledger::Notes;
use crate::consumer_suite::play::search::service_of;
use crate::consumer_suite::rules::Rule;
use crate::consumer_suite::scenario::{Scenario, scenario};
use crate::consumer_suite::state::clipped;

/// The includes of the Standard, in lower case with colons (PROV-SLOT-08).
const INCLUDES: [&str; 8] = [
    "slot:schedule",
    "schedule:actor:practitioner",
    "schedule:actor:practitionerrole",
    "schedule:actor:healthcareservice",
    "schedule:actor:location",
    "healthcareservice:location",
    "healthcareservice:providedby",
    "healthcareservice:organization",
];

/// The service criterion as the test kit's simulator reads it (ASR-20).
const SERVICE: &str = "schedule.actor%3Ahealthcareservice";

/// Judges a slot search. Gives the scenario of the service that it names.
pub(crate) fn judge(asked: &Asked, notes: &mut Notes) -> Option<&'static Scenario> {
    let service = service_of(&asked.query);
    let known = service.as_ref().and_then(|s| scenario(s.as_str()));
    names_service(asked, known.is_some(), notes);
    starts(asked, notes);
    as_the_test_kit(asked, notes);
    let parameters = query::parameters(&asked.query).unwrap_or_default();
    for (name, value) in &parameters {
        match name.as_ref() {
            "status" => {
                let fine = value.split(',').all(|s| matches!(s, "free" | "busy"));
                let what = format!("status is `{}`", clipped(value));
                notes.judge(Rule::QueryStatus, fine, what);
            }
            name if name.starts_with("_include") => {
                let plain = value.to_ascii_lowercase().replace('.', ":");
                // Includes are optional, and unknown ones are ignored: never more than a note.
                let fine = INCLUDES.contains(&plain.as_str());
                let what = format!("The include `{}` is none of the Standard", clipped(value));
                notes.remark(Rule::QueryIncludes, fine, what);
            }
            _ => {}
        }
    }
    match SlotQuery::parse(&asked.query, asked.at, &london(), &Window::default()) {
        Ok(_) => notes.holds(Rule::QueryReadable),
        Err(refusal) => notes.fault(Rule::QueryReadable, Some(refusal.to_string())),
    }
    known
}

/// True for a name that a Provider understands as the service criterion (PROV-SLOT-01), encoded or not.
pub(crate) fn is_service_name(name: &str) -> bool {
    let plain = name.to_ascii_lowercase().replace("%3a", ":");
    matches!(
        plain.as_str(),
        "service"
            | "schedule.actor:healthcareservice"
            | "schedule.actor:healthcareservice.identifier"
    )
}

fn names_service(asked: &Asked, known: bool, notes: &mut Notes) {
    let pairs = asked.query.split('&').filter_map(|p| p.split_once('='));
    let named: Vec<(&str, &str)> = pairs.filter(|(name, _)| is_service_name(name)).collect();
    let what = match named.as_slice() {
        [] => format!("The search does not carry {SERVICE}"),
        [(_, value)] => format!(
            "The service `{}` is not one of the directory",
            clipped(value)
        ),
        _ => "The service is named more than once".to_owned(),
    };
    let fine = named.len() == 1 && known;
    notes.judge(Rule::QueryService, fine, what);
    let spelt = named.first().map_or("", |(name, _)| name);
    let what = format!(
        "The service is named by `{}`, to which the test kit's simulator answers 400",
        clipped(spelt)
    );
    notes.advise(Rule::QueryService, !fine || spelt == SERVICE, SERVICE, what);
}

/// What the report of the test kit wants of the criteria beside that (ASR-21).
fn as_the_test_kit(asked: &Asked, notes: &mut Notes) {
    let pairs = || asked.query.split('&').filter_map(|p| p.split_once('='));
    for (prefix, rule, right) in [
        ("lt", Rule::QueryEnd, "start=le"),
        ("gt", Rule::QueryBegin, "start=ge"),
    ] {
        let found = pairs().any(|(name, value)| name == "start" && value.starts_with(prefix));
        let what = format!("A start has the prefix {prefix}");
        // The rule about the earliest start is judged only where there is one.
        if found {
            notes.advise(rule, false, right, what);
        }
    }
    for (_, value) in pairs().filter(|(name, _)| *name == "start") {
        let lower = value.contains("%3a") || value.contains("%2b");
        let right = "le2031-03-04T08%3A15%3A00%2B00%3A00, or with Z";
        let what = "A time is encoded in lower case, %3a or %2b";
        notes.advise(Rule::QueryTimes, !lower, right, what);
        let minutes = is_time(value) && booking::instant::parse(&plain_time(value)).is_none();
        let what = "A time has no seconds";
        notes.advise(Rule::QueryTimes, !minutes, right, what);
    }
    let right = "&status=free behind another criterion";
    let there = pairs().any(|(name, _)| name == "status");
    let what = "The search has no status";
    notes.advise(Rule::QueryStatus, there, right, what);
    let first = asked.query.starts_with("status=");
    let what = "status is the first criterion";
    notes.advise(Rule::QueryStatus, !first, right, what);
}

fn starts(asked: &Asked, notes: &mut Notes) {
    let given: Vec<&str> = asked
        .query
        .split('&')
        .filter_map(|p| p.strip_prefix("start="))
        .collect();
    let of = |wanted: [&str; 2]| {
        given
            .iter()
            .filter(|v| wanted.iter().any(|w| v.starts_with(w)))
            .count()
    };
    let (upper, lower) = (of(["le", "lt"]), of(["ge", "gt"]));
    let what = "The search names no latest start (le or lt)";
    notes.judge(Rule::QueryEnd, upper > 0, what);
    if given.len() > 1 {
        let what = "The search names two starts, and none is the earliest (ge or gt)";
        notes.judge(Rule::QueryBegin, lower > 0, what);
    } else if lower > 0 {
        notes.holds(Rule::QueryBegin);
    }
    for value in &given {
        let fine = is_time(value);
        let what = format!("start is `{}`", clipped(value));
        notes.judge(Rule::QueryTimes, fine, what);
    }
}

/// A prefix, and a time with offset whose colons and plus are encoded.
fn is_time(value: &str) -> bool {
    if value.contains([':', '+', ' ']) {
        return false;
    }
    let plain = plain_time(value);
    booking::instant::parse(&plain).is_some()
        || booking::instant::parse(&with_seconds(&plain)).is_some()
}

/// The time of a bound, decoded, without its prefix.
fn plain_time(value: &str) -> String {
    let prefixes = ["le", "lt", "ge", "gt", "eq"];
    let time = prefixes.iter().find_map(|p| value.strip_prefix(p));
    time.unwrap_or(value)
        .replace("%3A", ":")
        .replace("%3a", ":")
        .replace("%2B", "+")
        .replace("%2b", "+")
        .replace("%2E", ".")
}

/// A time to the minute is one too.
fn with_seconds(time: &str) -> String {
    match time.char_indices().nth(16) {
        Some((at, 'Z' | '+' | '-')) => format!("{}:00{}", &time[..at], &time[at..]),
        _ => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: ASR-21, CONS-SLOT-01
    #[test]
    fn times_are_exact_and_encoded() {
        for right in [
            "le2031-03-04T08%3A15%3A00%2B00%3A00",
            "ge2031-03-04T08%3A15%3A00.123%2B01%3A00",
            "lt2031-03-04T08%3a15%3a00Z",
        ] {
            assert!(is_time(right), "{right}");
        }
        for wrong in [
            "le2031-03-04",
            "le2031-03-04T08:15:00Z",
            "le2031-03-04T08%3A15%3A00",
            "le2031-03-04T08%3A15%3A00+00%3A00",
            "le",
            "lenow",
        ] {
            assert!(!is_time(wrong), "{wrong}");
        }
    }
}
