//! What a searchset of slots has to hold.

use booking::count::counted as number_of;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::HashSet;

use booking::systems;

use super::answer::{Answer, is, list, resources, shortened, text, texts};
use super::ask::Ask;
use super::messages::uuid;
use super::paging::{self, MAX_PAGES};
use super::query::Window;
use super::request::Request;
use super::trial::{Ids, Step, Stop, Trial};

impl Ask<'_, '_, '_> {
    /// A search that has to answer a Bundle.
    pub(super) fn searched(self, ids: Ids) -> Step<Answer> {
        let Ask {
            t,
            purpose,
            request,
        } = self;
        let mut a = t.ask(purpose, request).succeeds(200, "Bundle", ids)?;
        form(t, &a);
        let whole = later_pages(t, &mut a, request)?;
        counted(t, &a, whole);
        Ok(a)
    }

    /// A search that has to find slots.
    pub(super) fn found(self, ids: Ids) -> Step<Answer> {
        let Ask {
            t,
            purpose,
            request,
        } = self;
        let a = t.ask(purpose, request).searched(ids)?;
        let what = format!("“{purpose}” found no slot ({})", told(a.total()));
        t.at(&a, "Bundle.total", ids)
            .must(a.total().is_some_and(|total| total > 0))
            .right("total > 0: the service has free slots from tomorrow on")
            .or(what)
            .then_some(a)
            .ok_or(Stop::Failed)
    }
}

/// PROV-SLOT-20: follows the links to the next page, and puts what is on the pages into the first answer. True when
/// the last page was reached.
pub(super) fn later_pages(t: &mut Trial, a: &mut Answer, first: &Request) -> Step<bool> {
    let ids: Ids = &["PROV-SLOT-20"];
    let mut seen = HashSet::from([first.path.clone()]);
    let mut page = a.clone();
    for _ in 1..MAX_PAGES {
        let path = match paging::next(&page.resource, t.target) {
            None => return Ok(true),
            Some(Ok(path)) => path,
            Some(Err(url)) => {
                let what = format!("The link to the next page is `{}`", shortened(&url));
                let right = "an address below the service root";
                t.at(&page, "Bundle.link", ids)
                    .must(false)
                    .right(right)
                    .or(what);
                return Ok(false);
            }
        };
        if !seen.insert(path.clone()) {
            let what = "The link to the next page leads to a page that came before";
            let right = "the address of the page that follows; none on the last page";
            t.at(&page, "Bundle.link", ids)
                .must(false)
                .right(right)
                .or(what);
            return Ok(false);
        }
        let request = first.clone().path(path).with("X-Request-ID", uuid());
        page = t
            .ask("get the next page", &request)
            .succeeds(200, "Bundle", ids)?;
        form(t, &page);
        join(t, a, &page);
    }
    Ok(false)
}

/// Adds the entries of a later page. What is included may stand on every page that uses it; a Slot stands once.
fn join(t: &mut Trial, a: &mut Answer, page: &Answer) {
    let key = |e: &Value| named(e.get("resource").unwrap_or(&Value::Null));
    let before: HashSet<_> = list(&a.resource, "/entry").iter().map(key).collect();
    let again = |e: &&Value| before.contains(&key(e));
    let entries = list(&page.resource, "/entry").iter().filter(again);
    let twice = entries.filter(|e| key(e).0 == "Slot").count();
    t.at(page, "Bundle.entry", &["PROV-SLOT-15", "P11"])
        .must(twice == 0)
        .right("each Slot once over all pages")
        .or(format!(
            "{twice} Slots of this page stand on an earlier page as well"
        ));
    let new: Vec<Value> = list(&page.resource, "/entry")
        .iter()
        .filter(|e| !again(e))
        .cloned()
        .collect();
    match a.resource.get_mut("entry").and_then(Value::as_array_mut) {
        Some(entries) => entries.extend(new),
        None => super::messages::set(&mut a.resource, "/entry", Value::from(new)),
    }
}

/// PROV-SLOT-13: `total` is the number of matching Slots, on all pages together.
fn counted(t: &mut Trial, a: &Answer, whole: bool) {
    let (total, count) = (a.total(), a.slots().len() as u64);
    // A Provider may cap the result (PROV-SLOT-20): it says so in an outcome, and `total` counts what is left out.
    let more = !whole || !a.entries("outcome").is_empty();
    let fits = total == Some(count) || (more && total.is_some_and(|t| t > count));
    t.at(a, "Bundle.total", &["PROV-SLOT-13", "D-13"])
        .must(fits)
        .right("the number of matching Slots")
        .or(format!(
            "There are {count} matching Slots and {}",
            told(total)
        ));
}

/// A `Bundle.total` in words.
pub(super) fn told(total: Option<u64>) -> String {
    match total {
        Some(total) => format!("total is {total}"),
        None => "no total is given".to_owned(),
    }
}

/// PROV-SLOT-12, PROV-SLOT-13: what every searchset has.
fn form(t: &mut Trial, a: &Answer) {
    let b = a.resource.clone();
    let ids: Ids = &["PROV-SLOT-12", "P11"];
    let own = [
        ("Bundle.type", text(&b, "/type") == "searchset", "searchset"),
        ("Bundle.id", !text(&b, "/id").is_empty(), "an id"),
        (
            "Bundle.meta.lastUpdated",
            !text(&b, "/meta/lastUpdated").is_empty(),
            "the time of the search",
        ),
    ];
    for (at, holds, right) in own {
        t.at(a, at, ids)
            .must(holds)
            .right(right)
            .or(format!("{at} is missing or has another value"));
    }
    let to_self = list(&b, "/link")
        .iter()
        .find(|l| text(l, "/relation") == "self");
    let absolute = to_self.is_some_and(|l| text(l, "/url").contains("://"));
    t.at(a, "Bundle.link", ids)
        .must(absolute)
        .right("the self link with the criteria as understood")
        .or("No absolute self link");
    let full = list(&b, "/entry")
        .iter()
        .all(|e| text(e, "/fullUrl").contains("://") || text(e, "/search/mode") == "outcome");
    t.at(a, "Bundle.entry.fullUrl", ids)
        .must(full)
        .right("an absolute URL on each entry")
        .or("An entry has no absolute fullUrl");
    let modes = || texts(&b, "/entry", "/search/mode");
    let (at, right) = ("Bundle.entry.search.mode", "match, include or outcome");
    t.at(a, at, ids)
        .must(modes().all(|m| matches!(m, "" | "match" | "include" | "outcome")))
        .right(right)
        .or("An entry has another search mode");
    // The published test kit tells matches and included resources apart by their type.
    t.at(a, at, ids)
        .advise(modes().all(|m| !m.is_empty()))
        .right(right)
        .or("An entry has no search mode");
    let slots_only = a.slots().iter().all(|s| text(s, "/resourceType") == "Slot");
    t.at(a, "Bundle.entry.search.mode", ids)
        .must(slots_only)
        .right("match for Slots, include for others")
        .or("An entry that matches is no Slot");
    let mut seen = HashSet::new();
    let once = resources(&b).all(|r| seen.insert(named(r)));
    t.at(a, "Bundle.entry", &["PROV-SLOT-15", "P11"])
        .must(once)
        .right("each resource once, however many slots use it")
        .or("A resource stands more than once");
}

/// P14: all slots are as a search for free ones in this window must find them.
pub(super) fn slots(t: &mut Trial, a: &Answer, window: Window, statuses: &[&str]) {
    let (mut wrong_status, mut outside, mut times, mut schedule, mut identifier) = (0, 0, 0, 0, 0);
    for slot in a.slots() {
        wrong_status += usize::from(!statuses.contains(&text(slot, "/status")));
        let at = |name: &str| booking::instant::parse(text(slot, name));
        match (at("/start"), at("/end")) {
            (Some(start), Some(end)) => {
                outside += usize::from(start < window.lower || start > window.upper);
                times += usize::from(end <= start);
            }
            _ => times += 1,
        }
        schedule += usize::from(!text(slot, "/schedule/reference").starts_with("Schedule/"));
        let value = text(slot, "/identifier/0/value");
        let one = list(slot, "/identifier").len() == 1
            && text(slot, "/identifier/0/system") == systems::UUID
            && uuid::Uuid::parse_str(value).is_ok_and(|u| u.to_string() == value);
        identifier += usize::from(!one);
    }
    let all: [(usize, Ids, &str, &str, &str); 5] = [
        (
            wrong_status,
            &["P14", "PROV-SLOT-07"],
            "Slot.status",
            "have another status than asked for",
            "the statuses of the query",
        ),
        (
            outside,
            &["P23", "PROV-SLOT-05"],
            "Slot.start",
            "start outside the window",
            "`start` within the bounds of the query",
        ),
        (
            times,
            &["P14", "RES-SLOT-05", "RES-GEN-02", "RES-GEN-04"],
            "Slot.start",
            "have no instants with offset, or end before they start",
            "instants with offset, the end after the start",
        ),
        (
            schedule,
            &["P14", "PROV-SLOT-16", "RES-SLOT-03"],
            "Slot.schedule",
            "have no relative reference to a Schedule",
            "`Schedule/<id>`",
        ),
        (
            identifier,
            &["RES-SLOT-02", "RES-GEN-05"],
            "Slot.identifier",
            "have not exactly one identifier that is a UUID in lower case",
            "one identifier of the UUID system, in lower case",
        ),
    ];
    for (count, ids, at, what, right) in all {
        t.at(a, at, ids)
            .must(count == 0)
            .right(right)
            .or(format!("{count} of {} slots {what}", a.slots().len()));
    }
}

/// PROV-SLOT-16, PROV-SLOT-17: what was included belongs together.
pub(super) fn included(t: &mut Trial, a: &Answer) {
    let included: Vec<Value> = a.entries("include").into_iter().cloned().collect();
    let of = |kind: &str| -> Vec<&Value> { included.iter().filter(|r| is(r, kind)).collect() };
    let has = |reference: &str| {
        let Some((kind, id)) = reference.split_once('/') else {
            return false;
        };
        of(kind).iter().any(|r| text(r, "/id") == id)
    };
    let used: HashSet<&str> = a
        .slots()
        .iter()
        .map(|s| text(s, "/schedule/reference"))
        .collect();
    for reference in &used {
        t.at(a, "Slot.schedule", &["PROV-SLOT-08", "P11"])
            .must(has(reference))
            .right("the Schedule of each slot, when included")
            .or(format!("{reference} is not in the Bundle"));
    }
    for schedule in of("Schedule") {
        let own = format!("Schedule/{}", text(schedule, "/id"));
        t.at(a, "Bundle.entry", &["PROV-SLOT-15"])
            .must(used.contains(own.as_str()))
            .right("only what returned slots use")
            .or(format!("{own} belongs to no returned slot"));
        identified(t, a, schedule, &["RES-SCH-01"]);
        let actors: Vec<&str> = texts(schedule, "/actor", "/reference").collect();
        let is_service = |r: &&&str| r.starts_with("HealthcareService/");
        let services = actors.iter().filter(is_service).count();
        t.at(a, "Schedule.actor", &["P13", "PROV-SLOT-17", "RES-SCH-02"])
            .must(services == 1)
            .right("exactly one")
            .or(format!(
                "{own} has {}",
                many(services, "HealthcareService actor")
            ));
        people(t, a, &own, &actors);
        for actor in actors {
            let relative = !actor.contains("://") && actor.contains('/');
            t.at(a, "Schedule.actor", &["PROV-SLOT-16"])
                .must(relative)
                .right("a relative reference")
                .or(format!("{own} has the actor {actor}"));
            t.at(a, "Schedule.actor", &["P19", "PROV-SLOT-17"])
                .must(!relative || has(actor))
                .right("every referenced resource, when included")
                .or(format!("{actor} is not in the Bundle"));
        }
    }
    for practitioner in of("Practitioner") {
        let identifiers = list(practitioner, "/identifier").iter();
        let roles: Vec<&str> = identifiers
            .filter(|i| text(i, "/system") == systems::SDS_ROLE_PROFILE)
            .map(|i| text(i, "/value"))
            .collect();
        let one = roles.len() == 1;
        t.at(
            a,
            "Practitioner.identifier",
            &["PROV-SLOT-17", "RES-PRA-01"],
        )
        .must(one)
        .right("exactly one")
        .or(many(roles.len(), "sds-role-profile-id identifier"));
        let there = roles
            .first()
            .is_none_or(|role| has(&format!("PractitionerRole/{role}")));
        t.at(
            a,
            "PractitionerRole.id",
            &["P19", "PROV-SLOT-17", "RES-ROL-01"],
        )
        .must(there)
        .right("a PractitionerRole whose id is the sds-role-profile-id")
        .or("The role of a Practitioner is not in the Bundle");
    }
    for service in of("HealthcareService") {
        identified(t, a, service, &["RES-HCS-02"]);
        let places = list(service, "/location").len();
        t.at(a, "HealthcareService.location", &["RES-HCS-04"])
            .must(places <= 1)
            .right("at most one Location: the place where the patient is seen")
            .or(format!(
                "HealthcareService/{} has {places} locations",
                text(service, "/id")
            ));
        for (name, kind) in [
            ("/providedBy/reference", "Organization"),
            ("/location/0/reference", "Location"),
        ] {
            let reference = text(service, name);
            if reference.is_empty() {
                continue;
            }
            t.at(a, "HealthcareService", &["P19", "PROV-SLOT-17"])
                .must(has(reference))
                .right(format!("the {kind} of the service, when included"))
                .or(format!("{reference} is not in the Bundle"));
        }
    }
    let (organizations, services) = (of("Organization").len(), of("HealthcareService").len());
    t.at(a, "Bundle.entry", &["RES-ORG-01"])
        .must(organizations <= services)
        .right("one HealthcareService for each Organization")
        .or(format!(
            "{} for {}",
            many(organizations, "Organization"),
            many(services, "service")
        ));
}

/// Type and id of a resource.
pub(super) fn named(resource: &Value) -> (String, String) {
    let of = |pointer: &str| text(resource, pointer).to_owned();
    (of("/resourceType"), of("/id"))
}

/// A number of things whose plural is regular.
fn many(count: usize, thing: &str) -> String {
    number_of(count, thing, &format!("{thing}s"))
}

/// RES-SCH-02: how many actors a Schedule has, and how many of each kind.
fn people(t: &mut Trial, a: &Answer, own: &str, actors: &[&str]) {
    let ids: Ids = &["RES-SCH-02", "D-33"];
    let (at, right) = (
        "Schedule.actor",
        "at most three, among them at most one Practitioner, one PractitionerRole and one Location",
    );
    t.at(a, at, ids)
        .must(actors.len() <= 3)
        .right(right)
        .or(format!("{own} has {} actors", actors.len()));
    for kind in ["Practitioner", "PractitionerRole", "Location"] {
        let of_kind = |r: &&&str| r.split('/').rev().nth(1) == Some(kind);
        let count = actors.iter().filter(of_kind).count();
        let what = format!("{own} has {} of the type {kind}", many(count, "actor"));
        t.at(a, at, ids).must(count <= 1).right(right).or(what);
    }
}

/// RES-SCH-01, RES-HCS-02: a resource of a kind that has exactly one identifier.
fn identified(t: &mut Trial, a: &Answer, resource: &Value, ids: Ids) {
    let kind = text(resource, "/resourceType");
    let count = list(resource, "/identifier").len();
    t.at(a, format!("{kind}.identifier"), ids)
        .must(count == 1)
        .right("exactly one")
        .or(format!(
            "{kind}/{} has {}",
            text(resource, "/id"),
            many(count, "identifier")
        ));
}

/// The service of the search is that of the schedules (RES-HCS-01).
pub(super) fn of_service(t: &mut Trial, a: &Answer, service: &str) {
    let included = a.entries("include").into_iter();
    let services = included.filter(|r| is(r, "HealthcareService"));
    let others = services.filter(|r| text(r, "/id") != service).count();
    t.at(a, "HealthcareService.id", &["RES-HCS-01", "PROV-SLOT-15"])
        .must(others == 0)
        .right("the service id of the search")
        .or(format!("{others} other services than {service}"));
}

/// Ids of the matching slots, in no order.
pub(super) fn ids(a: &Answer) -> HashSet<String> {
    a.slots()
        .iter()
        .map(|s| text(s, "/id").to_owned())
        .collect()
}

/// The start of a slot.
pub(super) fn start(slot: &Value) -> Option<Timestamp> {
    booking::instant::parse(text(slot, "/start"))
}
