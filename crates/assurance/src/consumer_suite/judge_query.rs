//! Judging the criteria of a slot search (C20, C27..C30, ASR-20, ASR-21).

use booking::instant::london;
use booking::wire::query;
use booking::wire::slot_query::{SlotQuery, Window};

use super::asked::Asked;
use super::ledger::Notes;
use super::play_search::service_of;
use super::rules::Rule;
use super::scenario::{Scenario, scenario};
use super::state::clipped;
use crate::evidence::Finding;

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

/// Judges a slot search. Gives the scenario of the service that it names.
pub(super) fn judge(asked: &Asked, notes: &mut Notes) -> Option<&'static Scenario> {
    let service = service_of(&asked.query);
    let known = service.as_ref().and_then(|s| scenario(s.as_str()));
    names_service(asked, known.is_some(), notes);
    starts(asked, notes);
    let parameters = query::parameters(&asked.query).unwrap_or_default();
    for (name, value) in &parameters {
        match name.as_ref() {
            "status" => {
                let fine = value.split(',').all(|s| matches!(s, "free" | "busy"));
                notes.judge(
                    Rule::QueryStatus,
                    fine,
                    "query status",
                    format!("status is `{}`", clipped(value)),
                );
            }
            name if name.starts_with("_include") => {
                let plain = value.to_ascii_lowercase().replace('.', ":");
                // Includes are optional, and unknown ones are ignored: never more than a note.
                let fine = INCLUDES.contains(&plain.as_str());
                let finding = Finding::note(
                    Rule::QueryIncludes.row().requirements,
                    format!("The include `{}` is none of the Standard", clipped(value)),
                );
                notes.note(
                    Rule::QueryIncludes,
                    (!fine).then(|| {
                        finding
                            .at("query _include")
                            .right(Rule::QueryIncludes.row().right)
                    }),
                );
            }
            _ => {}
        }
    }
    match SlotQuery::parse(&asked.query, asked.at, &london(), &Window::default()) {
        Ok(_) => notes.judge(Rule::QueryReadable, true, "", ""),
        Err(refusal) => notes.judge(Rule::QueryReadable, false, "query", refusal.to_string()),
    };
    known
}

fn names_service(asked: &Asked, known: bool, notes: &mut Notes) {
    let literal = asked
        .query
        .split('&')
        .filter_map(|p| p.split_once('='))
        .filter(|(name, _)| name.eq_ignore_ascii_case("schedule.actor%3Ahealthcareservice"));
    let values: Vec<&str> = literal.map(|(_, value)| value).collect();
    let what = match values.as_slice() {
        [] => "The search does not carry schedule.actor%3Ahealthcareservice".to_owned(),
        [value] => format!(
            "The service `{}` is not one of the directory",
            clipped(value)
        ),
        _ => "The service is named more than once".to_owned(),
    };
    notes.judge(
        Rule::QueryService,
        values.len() == 1 && known,
        "query schedule.actor:healthcareservice",
        what,
    );
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
    notes.judge(
        Rule::QueryEnd,
        upper > 0,
        "query start",
        "The search names no latest start (le or lt)",
    );
    if given.len() > 1 {
        let what = "The search names two starts, and none is the earliest (ge or gt)";
        notes.judge(Rule::QueryBegin, lower > 0, "query start", what);
    } else if lower > 0 {
        notes.judge(Rule::QueryBegin, true, "", "");
    }
    for value in &given {
        let fine = is_time(value);
        notes.judge(
            Rule::QueryTimes,
            fine,
            "query start",
            format!("start is `{}`", clipped(value)),
        );
    }
}

/// A prefix, and a time with offset whose colons and plus are encoded.
fn is_time(value: &str) -> bool {
    let Some(time) = ["le", "lt", "ge", "gt", "eq"]
        .iter()
        .find_map(|p| value.strip_prefix(p))
        .or(Some(value))
    else {
        return false;
    };
    if time.contains([':', '+', ' ']) {
        return false;
    }
    let plain = time
        .replace("%3A", ":")
        .replace("%3a", ":")
        .replace("%2B", "+")
        .replace("%2b", "+")
        .replace("%2E", ".");
    booking::instant::parse(&plain).is_some()
        || booking::instant::parse(&with_seconds(&plain)).is_some()
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
