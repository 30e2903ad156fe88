//! What a searchset of slots has to hold.

use booking::count::counted as number_of;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::HashSet;

use booking::systems;

use super::answer::{Answer, list, shortened, text};
use super::messages::uuid;
use super::paging::{self, MAX_PAGES};
use super::query::Window;
use super::request::Request;
use super::trial::{Ids, Step, Trial};

/// Sends a search that has to answer a Bundle.
pub(super) fn searched(t: &mut Trial, purpose: &str, request: &Request, ids: Ids) -> Step<Answer> {
    let mut a = t.succeeds(purpose, request, 200, "Bundle", ids)?;
    form(t, &a);
    let whole = later_pages(t, &mut a, request)?;
    counted(t, &a, whole);
    Ok(a)
}

/// PROV-SLOT-20: follows the links to the next page, and puts what is on the pages into the first answer. True when
/// the last page was reached.
pub(super) fn later_pages(t: &mut Trial, a: &mut Answer, first: &Request) -> Step<bool> {
    let ids: Ids = &["PROV-SLOT-20"];
    let mut seen = HashSet::from([first.path.clone()]);
    let mut page = a.clone();
    for _ in 1..MAX_PAGES {
        let path = match paging::next(&page.resource, t.session.target) {
            None => return Ok(true),
            Some(Ok(path)) => path,
            Some(Err(url)) => {
                let what = format!("The link to the next page is `{}`", shortened(&url));
                let right = "an address below the service root";
                t.must(false, &page, ids, "Bundle.link", what, right);
                return Ok(false);
            }
        };
        if !seen.insert(path.clone()) {
            let what = "The link to the next page leads to a page that came before";
            let right = "the address of the page that follows; none on the last page";
            t.must(false, &page, ids, "Bundle.link", what, right);
            return Ok(false);
        }
        let request = first.clone().path(path).with("X-Request-ID", uuid());
        page = t.succeeds("get the next page", &request, 200, "Bundle", ids)?;
        form(t, &page);
        join(t, a, &page);
    }
    Ok(false)
}

/// Adds the entries of a later page. What is included may stand on every page that uses it; a Slot stands once.
fn join(t: &mut Trial, a: &mut Answer, page: &Answer) {
    let key = |e: &Value| {
        (
            text(e, "/resource/resourceType").to_owned(),
            text(e, "/resource/id").to_owned(),
        )
    };
    let before: HashSet<_> = list(&a.resource, "/entry").iter().map(key).collect();
    let again = |e: &&Value| before.contains(&key(e));
    let slots = list(&page.resource, "/entry").iter().filter(again);
    let twice = slots
        .filter(|e| text(e, "/resource/resourceType") == "Slot")
        .count();
    t.must(
        twice == 0,
        page,
        &["PROV-SLOT-15", "P11"],
        "Bundle.entry",
        format!("{twice} Slots of this page stand on an earlier page as well"),
        "each Slot once over all pages",
    );
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
    t.must(
        fits,
        a,
        &["PROV-SLOT-13", "D-13"],
        "Bundle.total",
        format!("There are {count} matching Slots and {}", told(total)),
        "the number of matching Slots",
    );
}

/// Sends a search that has to find slots.
pub(super) fn found(t: &mut Trial, purpose: &str, request: &Request, ids: Ids) -> Step<Answer> {
    let a = searched(t, purpose, request, ids)?;
    let some = a.total().is_some_and(|total| total > 0);
    let what = format!("“{purpose}” found no slot ({})", told(a.total()));
    match t.must(
        some,
        &a,
        ids,
        "Bundle.total",
        what,
        "total > 0: the service has free slots from tomorrow on",
    ) {
        true => Ok(a),
        false => Err(super::trial::Stop::Failed),
    }
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
        t.must(
            holds,
            a,
            ids,
            at,
            format!("{at} is missing or has another value"),
            right,
        );
    }
    let to_self = list(&b, "/link")
        .iter()
        .find(|l| text(l, "/relation") == "self");
    let absolute = to_self.is_some_and(|l| text(l, "/url").contains("://"));
    t.must(
        absolute,
        a,
        ids,
        "Bundle.link",
        "No absolute self link",
        "the self link with the criteria as understood",
    );
    let full = list(&b, "/entry")
        .iter()
        .all(|e| text(e, "/fullUrl").contains("://") || text(e, "/search/mode") == "outcome");
    t.must(
        full,
        a,
        ids,
        "Bundle.entry.fullUrl",
        "An entry has no absolute fullUrl",
        "an absolute URL on each entry",
    );
    let modes = || list(&b, "/entry").iter().map(|e| text(e, "/search/mode"));
    let (at, right) = ("Bundle.entry.search.mode", "match, include or outcome");
    t.must(
        modes().all(|m| matches!(m, "" | "match" | "include" | "outcome")),
        a,
        ids,
        at,
        "An entry has another search mode",
        right,
    );
    // The published test kit tells matches and included resources apart by their type.
    t.advise(
        modes().all(|m| !m.is_empty()),
        a,
        ids,
        at,
        "An entry has no search mode",
        right,
    );
    let slots_only = a.slots().iter().all(|s| text(s, "/resourceType") == "Slot");
    t.must(
        slots_only,
        a,
        ids,
        "Bundle.entry.search.mode",
        "An entry that matches is no Slot",
        "match for Slots, include for others",
    );
    let mut seen = HashSet::new();
    let once = list(&b, "/entry")
        .iter()
        .filter_map(|e| e.get("resource"))
        .all(|r| {
            seen.insert((
                text(r, "/resourceType").to_owned(),
                text(r, "/id").to_owned(),
            ))
        });
    t.must(
        once,
        a,
        &["PROV-SLOT-15", "P11"],
        "Bundle.entry",
        "A resource stands more than once",
        "each resource once, however many slots use it",
    );
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
        t.must(
            count == 0,
            a,
            ids,
            at,
            format!("{count} of {} slots {what}", a.slots().len()),
            right,
        );
    }
}

/// PROV-SLOT-16, PROV-SLOT-17: what was included belongs together.
pub(super) fn included(t: &mut Trial, a: &Answer) {
    let included: Vec<Value> = a.entries("include").into_iter().cloned().collect();
    let of = |kind: &str| -> Vec<&Value> {
        included
            .iter()
            .filter(|r| text(r, "/resourceType") == kind)
            .collect()
    };
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
        t.must(
            has(reference),
            a,
            &["PROV-SLOT-08", "P11"],
            "Slot.schedule",
            format!("{reference} is not in the Bundle"),
            "the Schedule of each slot, when included",
        );
    }
    for schedule in of("Schedule") {
        let own = format!("Schedule/{}", text(schedule, "/id"));
        t.must(
            used.contains(own.as_str()),
            a,
            &["PROV-SLOT-15"],
            "Bundle.entry",
            format!("{own} belongs to no returned slot"),
            "only what returned slots use",
        );
        identified(t, a, schedule, &["RES-SCH-01"]);
        let actors: Vec<&str> = list(schedule, "/actor")
            .iter()
            .map(|r| text(r, "/reference"))
            .collect();
        let services = actors
            .iter()
            .filter(|r| r.starts_with("HealthcareService/"))
            .count();
        t.must(
            services == 1,
            a,
            &["P13", "PROV-SLOT-17", "RES-SCH-02"],
            "Schedule.actor",
            format!(
                "{own} has {}",
                number_of(
                    services,
                    "HealthcareService actor",
                    "HealthcareService actors"
                )
            ),
            "exactly one",
        );
        people(t, a, &own, &actors);
        for actor in actors {
            let relative = !actor.contains("://") && actor.contains('/');
            t.must(
                relative,
                a,
                &["PROV-SLOT-16"],
                "Schedule.actor",
                format!("{own} has the actor {actor}"),
                "a relative reference",
            );
            t.must(
                !relative || has(actor),
                a,
                &["P19", "PROV-SLOT-17"],
                "Schedule.actor",
                format!("{actor} is not in the Bundle"),
                "every referenced resource, when included",
            );
        }
    }
    for practitioner in of("Practitioner") {
        let identifiers = list(practitioner, "/identifier").iter();
        let roles: Vec<&str> = identifiers
            .filter(|i| text(i, "/system") == systems::SDS_ROLE_PROFILE)
            .map(|i| text(i, "/value"))
            .collect();
        let one = roles.len() == 1;
        t.must(
            one,
            a,
            &["PROV-SLOT-17", "RES-PRA-01"],
            "Practitioner.identifier",
            number_of(
                roles.len(),
                "sds-role-profile-id identifier",
                "sds-role-profile-id identifiers",
            ),
            "exactly one",
        );
        let there = roles
            .first()
            .is_none_or(|role| has(&format!("PractitionerRole/{role}")));
        t.must(
            there,
            a,
            &["P19", "PROV-SLOT-17", "RES-ROL-01"],
            "PractitionerRole.id",
            "The role of a Practitioner is not in the Bundle",
            "a PractitionerRole whose id is the sds-role-profile-id",
        );
    }
    for service in of("HealthcareService") {
        identified(t, a, service, &["RES-HCS-02"]);
        let places = list(service, "/location").len();
        t.must(
            places <= 1,
            a,
            &["RES-HCS-04"],
            "HealthcareService.location",
            format!(
                "HealthcareService/{} has {places} locations",
                text(service, "/id")
            ),
            "at most one Location: the place where the patient is seen",
        );
        for (name, kind) in [
            ("/providedBy/reference", "Organization"),
            ("/location/0/reference", "Location"),
        ] {
            let reference = text(service, name);
            if reference.is_empty() {
                continue;
            }
            t.must(
                has(reference),
                a,
                &["P19", "PROV-SLOT-17"],
                "HealthcareService",
                format!("{reference} is not in the Bundle"),
                &format!("the {kind} of the service, when included"),
            );
        }
    }
    let (organizations, services) = (of("Organization").len(), of("HealthcareService").len());
    t.must(
        organizations <= services,
        a,
        &["RES-ORG-01"],
        "Bundle.entry",
        format!(
            "{} for {}",
            number_of(organizations, "Organization", "Organizations"),
            number_of(services, "service", "services")
        ),
        "one HealthcareService for each Organization",
    );
}

/// RES-SCH-02: how many actors a Schedule has, and how many of each kind.
fn people(t: &mut Trial, a: &Answer, own: &str, actors: &[&str]) {
    let ids: Ids = &["RES-SCH-02", "D-33"];
    let (at, right) = (
        "Schedule.actor",
        "at most three, among them at most one Practitioner, one PractitionerRole and one Location",
    );
    let many = actors.len();
    t.must(
        many <= 3,
        a,
        ids,
        at,
        format!("{own} has {many} actors"),
        right,
    );
    for kind in ["Practitioner", "PractitionerRole", "Location"] {
        let of_kind = |r: &&&str| r.split('/').rev().nth(1) == Some(kind);
        let count = actors.iter().filter(of_kind).count();
        let what = format!(
            "{own} has {} of the type {kind}",
            number_of(count, "actor", "actors")
        );
        t.must(count <= 1, a, ids, at, what, right);
    }
}

/// RES-SCH-01, RES-HCS-02: a resource of a kind that has exactly one identifier.
fn identified(t: &mut Trial, a: &Answer, resource: &Value, ids: Ids) {
    let kind = text(resource, "/resourceType");
    let count = list(resource, "/identifier").len();
    t.must(
        count == 1,
        a,
        ids,
        &format!("{kind}.identifier"),
        format!(
            "{kind}/{} has {}",
            text(resource, "/id"),
            number_of(count, "identifier", "identifiers")
        ),
        "exactly one",
    );
}

/// The service of the search is that of the schedules (RES-HCS-01).
pub(super) fn of_service(t: &mut Trial, a: &Answer, service: &str) {
    let services = a
        .entries("include")
        .into_iter()
        .filter(|r| text(r, "/resourceType") == "HealthcareService");
    let others = services.filter(|r| text(r, "/id") != service).count();
    t.must(
        others == 0,
        a,
        &["RES-HCS-01", "PROV-SLOT-15"],
        "HealthcareService.id",
        format!("{others} other services than {service}"),
        "the service id of the search",
    );
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
