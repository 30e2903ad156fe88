//! Group S: every spelling of the parameters that Consumers use gives the same result.

use booking::count::counted;
use std::collections::{BTreeSet, HashSet};

use super::answer::{Answer, text};
use super::bundle::{ids, later_pages, named};
use super::query::{INCLUDES, Window, full, midnight, window};
use super::registry::Table;
use super::trial::{Ids, Step, Trial};
use booking::instant::london;

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("Slots_ServiceSpellings", services),
    ("Slots_IncludeSpellings", includes),
    ("Slots_IncludesOneByOne", one_by_one),
    ("Slots_UnknownIncludes", unknown_includes),
    ("Slots_TimeSpellings", times),
    ("Slots_StatusSpellings", statuses),
    ("Slots_UnknownParameters", unknown_parameters),
    ("Slots_InteractionSpellings", interactions),
];

/// Kinds and ids of everything in a Bundle.
fn content(a: &Answer) -> HashSet<(String, String)> {
    let all = a.entries("match").into_iter().chain(a.entries("include"));
    all.map(named).collect()
}

/// What the usual spelling finds: every other one has to find the same.
struct Usual {
    found: HashSet<(String, String)>,
    at: &'static str,
    ids: Ids,
}

impl Usual {
    fn of(a: &Answer, at: &'static str, ids: Ids) -> Usual {
        let found = content(a);
        Usual { found, at, ids }
    }

    /// Searches in another spelling.
    fn same(&self, t: &mut Trial, query: &str, spelling: &str) -> Step {
        let request = t.search(query);
        let mut a = t.send("search in another spelling", &request)?;
        if t.status(&a, 200, self.ids, spelling).is_ok() {
            later_pages(t, &mut a, &request)?;
            let given = content(&a);
            t.at(&a, self.at, self.ids)
                .must(given == self.found)
                .right("the same result in every spelling")
                .or(format!(
                    "{spelling}: {} instead of {}",
                    counted(given.len(), "resource", "resources"),
                    self.found.len()
                ));
        }
        Ok(())
    }
}

fn services(t: &mut Trial) -> Step {
    let name = t.service();
    let bounds = format!("{}&status=free", Window::usual().query());
    let request = t.search(&window(name, Window::usual(), "free"));
    let a = t
        .ask("search in the usual spelling", &request)
        .found(&["PROV-SLOT-01"])?;
    let usual = Usual::of(&a, "query service", &["PROV-SLOT-01"]);
    for parameter in [
        "schedule.actor:healthcareservice",
        "schedule.actor:HealthcareService",
        "schedule.actor%3AHealthcareService",
        "schedule.actor:HEALTHCARESERVICE",
        "schedule.actor:HealthcareService.identifier",
        "schedule.actor%3AHealthcareService.identifier",
        "service",
    ] {
        let query = format!("{parameter}={name}{bounds}");
        usual.same(t, &query, parameter)?;
    }
    let system = "https%3A%2F%2Ffhir.nhs.uk%2FId%2Fdos-service-id";
    for value in [
        format!("{system}%7C{name}"),
        format!("https://fhir.nhs.uk/Id/dos-service-id|{name}"),
        format!("%7C{name}"),
        format!("HealthcareService/{name}"),
        format!("HealthcareService%2F{name}"),
    ] {
        let query = format!("schedule.actor:healthcareservice={value}{bounds}");
        usual.same(t, &query, &value)?;
    }
    // The order of the parameters means nothing.
    let query = format!("status=free{}&service={name}", Window::usual().query());
    usual.same(t, &query, "another order")
}

fn includes(t: &mut Trial) -> Step {
    let name = t.service();
    let base = window(name, Window::usual(), "free");
    let request = t.search(&full(name));
    let a = t
        .ask("search in the usual spelling", &request)
        .found(&["PROV-SLOT-08"])?;
    let usual = Usual::of(&a, "query _include", &["PROV-SLOT-08"]);
    let all = |name: &str, value: fn(&str) -> String| -> String {
        INCLUDES
            .iter()
            .map(|i| format!("&{name}={}", value(i)))
            .collect()
    };
    let plain: fn(&str) -> String = str::to_owned;
    for (spelling, query) in [
        ("_include, plain colons", all("_include", plain)),
        ("_include:iterate", all("_include:iterate", plain)),
        ("_include%3Aiterate", all("_include%3Aiterate", plain)),
        ("_include:recurse", all("_include:recurse", plain)),
        ("lower case", all("_include", |i| i.to_lowercase())),
        ("upper case", all("_include", |i| i.to_uppercase())),
        (
            "points for colons",
            all("_include", |i| i.replace(':', ".")),
        ),
        (
            "HealthcareService:Location and :organization",
            all("_include", |i| {
                i.replace(":location", ":Location")
                    .replace(":providedBy", ":organization")
            }),
        ),
        (
            "HealthcareService:Organization",
            all("_include", |i| i.replace(":providedBy", ":Organization")),
        ),
        ("each twice", format!("{0}{0}", all("_include", plain))),
    ] {
        usual.same(t, &format!("{base}{query}"), spelling)?;
    }
    let reversed: String = INCLUDES
        .iter()
        .rev()
        .map(|i| format!("&_include={i}"))
        .collect();
    usual.same(t, &format!("{base}{reversed}"), "in reverse order")
}

fn one_by_one(t: &mut Trial) -> Step {
    let name = t.service();
    let base = window(name, Window::usual(), "free");
    let first = "&_include=Slot:schedule";
    for (query, allowed) in [
        (first.to_owned(), &["Schedule"][..]),
        (
            format!("{first}&_include=Schedule:actor:HealthcareService"),
            &["Schedule", "HealthcareService"],
        ),
        (
            format!("{first}&_include=Schedule:actor:Practitioner"),
            &["Schedule", "Practitioner"],
        ),
    ] {
        let request = t.search(&format!("{base}{query}"));
        let a = t
            .ask("search with some includes", &request)
            .found(&["PROV-SLOT-08"])?;
        let included = a.entries("include").into_iter();
        let kinds: BTreeSet<&str> = included.map(|r| text(r, "/resourceType")).collect();
        let more = kinds.iter().copied().filter(|kind| !allowed.contains(kind));
        let more: Vec<&str> = more.collect();
        t.at(&a, "query _include", &["PROV-SLOT-15"])
            .must(more.is_empty())
            .right("only what was asked for")
            .or(format!("{query} brought {} as well", more.join(", ")));
        t.at(&a, "query _include", &["PROV-SLOT-08"])
            .must(kinds.contains("Schedule"))
            .right("the Schedule of each slot")
            .or(format!("{query} brought no Schedule"));
    }
    Ok(())
}

fn unknown_includes(t: &mut Trial) -> Step {
    let base = window(t.service(), Window::usual(), "free");
    let a = t
        .ask("search without includes", &t.search(&base))
        .found(&["PROV-SLOT-09"])?;
    let usual = Usual::of(&a, "query _include", &["PROV-SLOT-09"]);
    for value in ["Slot:nonsense", "Patient:link", "Slot:*", ""] {
        usual.same(
            t,
            &format!("{base}&_include={value}"),
            &format!("_include={value}"),
        )?;
    }
    Ok(())
}

fn times(t: &mut Trial) -> Step {
    let name = t.service();
    let request = t.search(&window(name, Window::usual(), "free"));
    let a = t
        .ask("search in the usual spelling", &request)
        .found(&["PROV-SLOT-03"])?;
    let usual = Usual::of(&a, "query start", &["PROV-SLOT-03", "PROV-SLOT-04"]);
    let (lower, upper) = (midnight(1), midnight(5));
    let local = |pattern: &str| {
        let at = |t: jiff::Timestamp| t.to_zoned(london()).strftime(pattern).to_string();
        (at(lower), at(upper))
    };
    let utc = |pattern: &str| {
        (
            lower.strftime(pattern).to_string(),
            upper.strftime(pattern).to_string(),
        )
    };
    let offset = |pattern: &str, plus: &str| {
        let (l, u) = local(pattern);
        (l.replace('+', plus), u.replace('+', plus))
    };
    for (spelling, (l, u)) in [
        ("UTC with Z", utc("%Y-%m-%dT%H:%M:%SZ")),
        ("UTC with Z, encoded", utc("%Y-%m-%dT%H%%3A%M%%3A%SZ")),
        ("fraction of a second", utc("%Y-%m-%dT%H:%M:%S.000Z")),
        ("offset, + encoded", offset("%Y-%m-%dT%H:%M:%S%:z", "%2B")),
        ("offset, + raw", offset("%Y-%m-%dT%H:%M:%S%:z", "+")),
        (
            "offset, + as a space",
            offset("%Y-%m-%dT%H:%M:%S%:z", "%20"),
        ),
        ("local time without offset", local("%Y-%m-%dT%H:%M:%S")),
    ] {
        let query = format!("service={name}&status=free&start=ge{l}&start=le{u}");
        usual.same(t, &query, spelling)?;
    }
    let (l, u) = local("%Y-%m-%d");
    // `le` of a whole day takes the day in, `lt` leaves it out.
    let query = format!("service={name}&status=free&start=ge{l}&start=lt{u}");
    let a = t
        .ask("search with dates only", &t.search(&query))
        .searched(&["PROV-SLOT-04"])?;
    let starts: HashSet<String> = usual.found.iter().map(|(_, id)| id.clone()).collect();
    let given = ids(&a);
    // A slot at exactly midnight of the last day is in the one and not in the other.
    let fits = given.is_subset(&starts) && given.len() + 8 >= starts.len() && !given.is_empty();
    t.at(&a, "query start", &["PROV-SLOT-04", "D-19"])
        .must(fits)
        .right("dates are whole days in UK local time")
        .or(format!(
            "ge{l} and lt{u} found {} instead of about {}",
            counted(given.len(), "slot", "slots"),
            starts.len()
        ));
    Ok(())
}

fn statuses(t: &mut Trial) -> Step {
    let name = t.service();
    let base = format!("service={name}{}", Window::usual().query());
    let both = format!("{base}&status=free,busy");
    let a = t
        .ask("search for free and busy slots", &t.search(&both))
        .searched(&["PROV-SLOT-07"])?;
    let usual = Usual::of(&a, "query status", &["PROV-SLOT-07"]);
    for spelling in [
        "&status=free%2Cbusy",
        "&status=busy,free",
        "&status=free&status=busy",
    ] {
        usual.same(t, &format!("{base}{spelling}"), spelling)?;
    }
    for status in ["busy-unavailable", "busy-tentative", "entered-in-error"] {
        let request = t.search(&format!("{base}&status={status}"));
        let a = t
            .ask("search for another status", &request)
            .searched(&["PROV-SLOT-07"])?;
        let others = a
            .slots()
            .iter()
            .filter(|s| text(s, "/status") != status)
            .count();
        t.at(&a, "Slot.status", &["PROV-SLOT-07"])
            .must(others == 0)
            .right("only slots of the status asked for")
            .or(format!(
                "status={status} found {} of other statuses",
                counted(others, "slot", "slots")
            ));
    }
    let a = t
        .ask("search without status", &t.search(&base))
        .searched(&["PROV-SLOT-07", "D-11"])?;
    t.at(&a, "query status", &["PROV-SLOT-07", "D-11"])
        .must(content(&a).is_superset(&usual.found))
        .right("slots of every status")
        .or("Without status fewer slots were found than with free and busy");
    Ok(())
}

fn unknown_parameters(t: &mut Trial) -> Step {
    let base = window(t.service(), Window::usual(), "free");
    let a = t.ask("search", &t.search(&base)).found(&["PROV-SLOT-11"])?;
    let usual = Usual::of(&a, "query", &["PROV-SLOT-11"]);
    let query = format!("{base}&colour=blue&_summary=false");
    usual.same(t, &query, "an unknown parameter")?;
    let request = t.search(&query);
    let a = t
        .ask("search with an unknown parameter", &request)
        .searched(&["PROV-SLOT-11"])?;
    let links = super::answer::list(&a.resource, "/link").iter();
    let told = links
        .filter(|l| text(l, "/relation") == "self")
        .any(|l| text(l, "/url").contains("colour"));
    t.at(&a, "Bundle.link", &["PROV-SLOT-11", "PROV-SLOT-12"])
        .must(!told)
        .right("the criteria as understood")
        .or("The self link holds a parameter that was not understood");
    Ok(())
}

fn interactions(t: &mut Trial) -> Step {
    let query = window(t.service(), Window::usual(), "free");
    for suffix in ["search:slot", "read:slot"] {
        let name = format!("{}{suffix}", super::session::INTERACTION);
        let request = t.search(&query).with("Ssp-InteractionID", name);
        let a = t.send("search under this interaction", &request)?;
        let _ = t.status(&a, 200, &["PROV-INT-02", "D-22"], suffix);
    }
    Ok(())
}
