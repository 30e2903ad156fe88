//! Warns of release rules, consumers and trials that admit nobody or show nothing.

use super::super::{Consumer, Declaration, Release, Right};
use super::{Warning, did_you_mean, warning};
use crate::diary::generate::london_date;
use booking::ids::OdsCode;
use jiff::ToSpan;
use jiff::civil::Date;
use std::collections::HashSet;

const MINUTES_OF_DAY: u32 = 24 * 60;

/// Records all of these warnings.
pub(super) fn rights(d: &Declaration, today: Date, found: &mut Vec<Warning>) {
    let used = used_rules(d);
    for release in &d.releases {
        if !used.contains(release.id.as_str()) {
            let message = "no service, template, session or slot names it, so it has no effect";
            found.push(warning("release", &release.id, message.to_owned()));
        }
        let before = found.len();
        unknown_kinds(d, release, found);
        unknown_asids(d, release, found);
        if found.len() == before && !anybody(d, release) {
            let message =
                "it is for consumers that do not exist, or may not book, so nobody books by it";
            found.push(warning("release", &release.id, message.to_owned()));
        }
        if used.contains(release.id.as_str()) {
            found.extend(unreachable_cutoff(d, release, today));
        }
    }
    consumer_kinds(d, found);
    trials(d, found);
}

fn used_rules(d: &Declaration) -> HashSet<&str> {
    let services = d.services.iter().flat_map(|s| &s.release);
    let templates = d.templates.iter().flat_map(|t| &t.release);
    let sessions = d.sessions.iter().flat_map(|s| &s.release);
    let slots = d.slots.iter().filter_map(|s| s.release.as_ref());
    let all = services.chain(templates).chain(sessions).chain(slots);
    all.map(String::as_str).collect()
}

/// The kinds that consumers have.
fn kinds(d: &Declaration) -> Vec<&str> {
    let mut kinds: Vec<&str> = d
        .consumers
        .iter()
        .filter_map(|c| c.kind.as_deref())
        .collect();
    kinds.sort_unstable();
    kinds
}

fn unknown_kinds(d: &Declaration, release: &Release, found: &mut Vec<Warning>) {
    let kinds = kinds(d);
    for kind in &release.kinds {
        if kinds.iter().any(|k| k.eq_ignore_ascii_case(kind)) {
            continue;
        }
        let hint = did_you_mean(kind, kinds.iter().copied());
        let message = format!("no consumer is of the kind `{kind}`, so it admits none by it{hint}");
        found.push(warning("release", &release.id, message));
    }
}

fn unknown_asids(d: &Declaration, release: &Release, found: &mut Vec<Warning>) {
    let declared = || d.consumers.iter().filter_map(|c| c.asid.as_ref());
    for asid in &release.asids {
        if declared().any(|a| a == asid) {
            continue;
        }
        let admits = match others_book(d) {
            true => {
                "only a system that is not declared meets it, and only through the Spine Secure Proxy"
            }
            false => "it admits none by it",
        };
        let hint = did_you_mean(asid.as_str(), declared().map(|a| a.as_str()));
        let message = format!("no consumer is declared with the ASID `{asid}`, so {admits}{hint}");
        found.push(warning("release", &release.id, message));
    }
}

fn others_book(d: &Declaration) -> bool {
    d.provider.others_may.contains(&Right::Book)
}

/// Whether a release rule admits anybody. Undeclared consumers have no kind.
fn anybody(d: &Declaration, release: &Release) -> bool {
    if release.kinds.is_empty() && release.ods.is_empty() && release.asids.is_empty() {
        return true;
    }
    let is_meant = |c: &Consumer| {
        let kind = c.kind.as_deref().unwrap_or("");
        let by_kind = release.kinds.iter().any(|k| k.eq_ignore_ascii_case(kind));
        let by_ods = release.ods.iter().any(|ods| c.acts_for(ods));
        by_kind || by_ods || c.asid.as_ref().is_some_and(|a| release.asids.contains(a))
    };
    let books = |c: &&Consumer| c.may.contains(&Right::Book);
    if d.consumers.iter().filter(books).any(is_meant) {
        return true;
    }
    let is_declared = |ods: &OdsCode| d.consumers.iter().any(|c| c.acts_for(ods));
    let undeclared = release.ods.iter().any(|ods| !is_declared(ods));
    others_book(d) && undeclared
}

/// Warns of a cutoff that ends booking before the slots are made.
fn unreachable_cutoff(d: &Declaration, release: &Release, today: Date) -> Option<Warning> {
    let cutoff = release.cutoff?.0;
    let horizon = u32::from(d.provider.horizon_days);
    if cutoff < (horizon + 1) * MINUTES_OF_DAY {
        return None;
    }
    let open = today
        .checked_add(i64::from(cutoff / MINUTES_OF_DAY).days())
        .unwrap_or(Date::MAX);
    // Imported slots may lie beyond the horizon.
    if d.slots.iter().any(|s| london_date(s.start) > open) {
        return None;
    }
    let length = match cutoff % MINUTES_OF_DAY {
        0 => format!("{} days", cutoff / MINUTES_OF_DAY),
        _ => format!("{} hours", cutoff / 60),
    };
    let message = format!(
        "its `cutoff` is {length} before the start, and slots are made {horizon} days ahead (`horizon_days`), so nobody can \
         ever book by it"
    );
    Some(warning("release", &release.id, message))
}

/// Warns of a kind that no rule names, where a similar one is named by a rule and has a consumer.
fn consumer_kinds(d: &Declaration, found: &mut Vec<Warning>) {
    let named: Vec<&str> = d
        .releases
        .iter()
        .flat_map(|r| &r.kinds)
        .map(String::as_str)
        .collect();
    let is_named = |kind: &str| named.iter().any(|k| k.eq_ignore_ascii_case(kind));
    let known: Vec<&str> = kinds(d).into_iter().filter(|k| is_named(k)).collect();
    for consumer in &d.consumers {
        let Some(kind) = consumer.kind.as_deref().filter(|k| !is_named(k)) else {
            continue;
        };
        let hint = did_you_mean(kind, known.iter().copied());
        if !hint.is_empty() {
            let message = format!("no release rule names its kind `{kind}`{hint}");
            found.push(warning("consumer", &consumer.id(), message));
        }
    }
}

/// Warns of consumers on trial without a service on trial, and the reverse.
fn trials(d: &Declaration, found: &mut Vec<Warning>) {
    let on_trial = d.provider.test || d.services.iter().any(|s| s.test);
    for consumer in d.consumers.iter().filter(|c| c.test && !on_trial) {
        let message = match consumer.live_too {
            true => "it is on trial and no service is, so `test` has no effect",
            false => {
                "it is on trial and no service is, so it is shown nothing; mark a service `test = true`, or add `live_too = true`"
            }
        };
        found.push(warning("consumer", &consumer.id(), message.to_owned()));
    }
    if d.consumers.iter().any(|c| c.test) {
        return;
    }
    for service in d.services.iter().filter(|s| s.test) {
        let message = "it is on trial and no consumer is, so nobody is shown it; mark a consumer `test = true`";
        found.push(warning("service", service.id.as_str(), message.to_owned()));
    }
}
