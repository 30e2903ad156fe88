//! Group S: the published tests of slot searches, and what a search finds.

use booking::count::counted;
use booking::ids::ServiceId;
use booking::situation::Situation;
use jiff::ToSpan;
use serde_json::json;

use super::answer::text;
use super::bundle::{ids, included, of_service, slots, start, told};
use super::capability::is_format;
use super::query::{self, Window, full, window};
use super::registry::Table;
use super::token::{SLOT_READ, WRITE};
use super::trial::{Ids, Step, Trial, skip};

const SEARCH: Ids = &["P11", "P14", "PROV-INT-02", "PROV-SLOT-12"];
/// A search that asks for its format in the short form.
const SHORT: Ids = &["P9", "PROV-GEN-08", "PROV-GEN-09", "PROV-INT-02"];
const FREE: &[&str] = &["free"];

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("SFFSWithValidParameters_parameter_json", |t| {
        format(t, "&_format=json", "", false)
    }),
    ("SFFSWithValidParameters_header_json", |t| {
        format(t, "", "application/fhir+json", false)
    }),
    ("SFFSWithValidParameters_parameter_xml", |t| {
        format(t, "&_format=xml", "", true)
    }),
    ("SFFSWithValidParameters_header_xml", |t| {
        format(t, "", "application/fhir+xml", true)
    }),
    (
        "SFFSWithValidParameters_JWT_NoPractitioner",
        no_practitioner,
    ),
    ("SFFSWithValidParameters_3_days", three_days),
    ("SFFSWithValidParameters_includes", all_includes),
    ("SFFSWithValidParameters_includes_slots_only", slots_only),
    ("SFFSNoSlots_HappyPath", no_slots),
    ("SFFSInvalid", invalid),
    ("SFFSForbidden", forbidden),
    ("SFFSWrongMethod", wrong_method),
    ("SFFSWithBusySlots", |t| plain(t, "busy", &["busy"])),
    ("SFFSWithNoIncludes", |t| plain(t, "free", FREE)),
    ("SFFSWithNoIncludesSlotsOnly", plain_slots_only),
    ("SFFSWithFreeAndBusySlots", |t| {
        plain(t, "free%2Cbusy", &["free", "busy"])
    }),
    ("SFFSWithFreeSlotsWithRevIncludes", rev_includes),
    ("SFFSWithFreeSlotsWithGzipEncoding", gzip),
    ("Slots_BusyAfterBooking", busy_after_booking),
    ("Slots_BoundsAreExact", exact_bounds),
    ("Slots_NoBounds", no_bounds),
];

/// A service beside the first, if one was named.
fn named<'t>(service: &'t Option<ServiceId>, what: &str, flag: &str) -> Step<&'t str> {
    match service {
        Some(service) => Ok(service.as_str()),
        None => skip(format!("no service {what} was named ({flag})")),
    }
}

fn slots_only_service<'t>(t: &Trial<'_, 't>) -> Step<&'t str> {
    let service = &t.target.service_slots_only;
    named(service, "with slots only", "--service-slots-only")
}

fn format(t: &mut Trial, parameter: &str, accept: &str, xml: bool) -> Step {
    let query = format!("{}{parameter}", full(t.service()));
    let request = t.search(&query);
    let request = match accept {
        "" => request.without("Accept"),
        accept => request.with("Accept", accept),
    };
    let ids = if accept.is_empty() { SHORT } else { SEARCH };
    let a = t.ask("search with all includes", &request).found(ids)?;
    let asked = if accept.is_empty() { parameter } else { accept };
    is_format(
        t,
        &a,
        xml,
        &["P9", "PROV-GEN-08", "PROV-GEN-09"],
        asked.trim_start_matches('&'),
    );
    slots(t, &a, Window::usual(), FREE);
    Ok(())
}

fn no_practitioner(t: &mut Trial) -> Step {
    let token = t
        .token(SLOT_READ)
        .claim("/requesting_practitioner", json!(null));
    let request = t
        .search(&full(t.service()))
        .with("Authorization", token.bearer());
    let a = t
        .ask("search without requesting_practitioner", &request)
        .found(&["P1", "NAT-JWT-11"])?;
    slots(t, &a, Window::usual(), FREE);
    Ok(())
}

fn three_days(t: &mut Trial) -> Step {
    let days = Window::days(1, 4);
    let query = format!(
        "{}{}",
        window(t.service(), days, "free"),
        query::includes("_include")
    );
    let a = t
        .ask("search three days", &t.search(&query))
        .found(SEARCH)?;
    slots(t, &a, days, FREE);
    Ok(())
}

fn all_includes(t: &mut Trial) -> Step {
    let name = t.service();
    let request = t.search(&full(name));
    let a = t.ask("search with all includes", &request).found(SEARCH)?;
    included(t, &a);
    of_service(t, &a, name);
    let has = |kind: &str| {
        a.entries("include")
            .iter()
            .any(|r| text(r, "/resourceType") == kind)
    };
    for kind in ["Schedule", "HealthcareService"] {
        t.at(&a, "Bundle.entry", &["P19", "PROV-SLOT-08"])
            .must(has(kind))
            .right("included as asked")
            .or(format!("No {kind} was included"));
    }
    Ok(())
}

fn slots_only(t: &mut Trial) -> Step {
    let name = slots_only_service(t)?;
    let request = t.search(&full(name));
    let a = t
        .ask("search a service with slots only", &request)
        .found(&["PROV-SLOT-09"])?;
    included(t, &a);
    Ok(())
}

fn no_slots(t: &mut Trial) -> Step {
    let service = &t.target.service_empty;
    let name = named(service, "without slots", "--service-empty")?;
    let request = t.search(&full(name));
    let a = t
        .ask("search a service without slots", &request)
        .searched(&["PROV-SLOT-14"])?;
    let what = format!("A service without slots: {}", told(a.total()));
    t.at(&a, "Bundle.total", &["PROV-SLOT-13", "PROV-SLOT-14"])
        .must(a.total() == Some(0))
        .right("0")
        .or(what);
    let rest = a.entries("match").len() + a.entries("include").len();
    t.at(&a, "Bundle.entry", &["PROV-SLOT-14", "D-12"])
        .must(rest == 0)
        .right("no entry, or one OperationOutcome with search mode outcome")
        .or(format!(
            "A service without slots: {} included",
            counted(
                rest,
                "entry that matches or is",
                "entries that match or are"
            )
        ));
    Ok(())
}

fn invalid(t: &mut Trial) -> Step {
    let query = full(t.service()).replacen("start=ge", "startXXXXXXX=ge", 1);
    t.ask("startXXXXXXX=ge…", &t.search(&query))
        .refused(Situation::InvalidParameter, &["PROV-SLOT-11", "D-07"])?;
    Ok(())
}

fn forbidden(t: &mut Trial) -> Step {
    let query = full(t.service());
    let elsewhere = t.token(SLOT_READ).claim("/aud", json!("notanendpoint"));
    let request = t.search(&query).with("Authorization", elsewhere.bearer());
    t.ask("aud notanendpoint", &request)
        .refused(Situation::TokenRefused, &["P3", "NAT-JWT-04"])?;
    let scope = t.token(WRITE).bearer();
    let request = t.search(&query).with("Authorization", scope);
    t.ask("scope patient/appointment.write", &request)
        .refused(Situation::TokenRefused, &["P4", "NAT-JWT-08"])?;
    Ok(())
}

fn wrong_method(t: &mut Trial) -> Step {
    let request = t.search(&full(t.service())).method("POST").body("");
    let a = t
        .ask("POST /Slot", &request)
        .refused(Situation::MethodNotAllowed, &["PROV-INT-09"])?;
    let allow = a.header("allow").unwrap_or_default().to_owned();
    t.at(&a, "header Allow", &["PROV-HDR-18"])
        .should(allow.contains("GET"))
        .right("GET")
        .or(format!("The refusal of POST /Slot says Allow: `{allow}`"));
    Ok(())
}

fn plain(t: &mut Trial, status: &str, wanted: &[&str]) -> Step {
    let query = window(t.service(), Window::usual(), status);
    let a = t
        .ask("search without includes", &t.search(&query))
        .searched(SEARCH)?;
    slots(t, &a, Window::usual(), wanted);
    let extra = a.entries("include").len();
    t.at(&a, "Bundle.entry", &["PROV-SLOT-15"])
        .must(extra == 0)
        .right("Slots only")
        .or(format!(
            "{} included unasked",
            counted(extra, "resource was", "resources were")
        ));
    Ok(())
}

fn plain_slots_only(t: &mut Trial) -> Step {
    let name = slots_only_service(t)?;
    let request = t.search(&window(name, Window::usual(), "free"));
    let a = t
        .ask("search a service with slots only", &request)
        .found(SEARCH)?;
    t.at(&a, "Bundle.entry", &["PROV-SLOT-15"])
        .must(a.entries("include").is_empty())
        .right("Slots only")
        .or("Resources were included unasked");
    Ok(())
}

fn rev_includes(t: &mut Trial) -> Step {
    let base = window(t.service(), Window::usual(), "free");
    let request = t.search(&format!("{base}{}", query::includes("_revinclude")));
    let with = t
        .ask("search with _revinclude", &request)
        .searched(&["PROV-SLOT-10"])?;
    let without = t.ask("search without", &t.search(&base)).searched(SEARCH)?;
    t.at(&with, "Bundle.entry", &["PROV-SLOT-10"])
        .must(ids(&with) == ids(&without) && with.entries("include").is_empty())
        .right("the same as without it")
        .or("_revinclude changed the result");
    Ok(())
}

fn gzip(t: &mut Trial) -> Step {
    let request = t.search(&full(t.service())).with("Accept-Encoding", "gzip");
    let a = t.ask("search gzipped", &request).found(&["PROV-GEN-13"])?;
    t.is_gzipped(&a);
    Ok(())
}

fn busy_after_booking(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let slot = super::answer::contained(&booked.message, "Slot").clone();
    let Some(at) = start(&slot) else {
        return skip("the slots have no times that can be read");
    };
    let around = Window::at(at);
    let name = t.service();
    for (status, there) in [("free", false), ("busy", true), ("", true)] {
        let request = t.search(&window(name, around, status));
        let a = t
            .ask("search for the slot that was booked", &request)
            .searched(SEARCH)?;
        let is = ids(&a).contains(text(&slot, "/id"));
        let what = format!(
            "A booked slot is {}found with status `{status}`",
            if is { "" } else { "not " }
        );
        t.at(&a, "Slot.status", &["P25", "PROV-BOOK-08", "PROV-SLOT-07"])
            .must(is == there)
            .right("busy from the moment of booking")
            .or(what);
    }
    Ok(())
}

fn exact_bounds(t: &mut Trial) -> Step {
    let slot = t.slot()?;
    let Some(at) = start(&slot) else {
        return skip("the slots have no times that can be read");
    };
    let name = t.service();
    let text_of = |minutes: i64| query::encoded(at.checked_add(minutes.minutes()).unwrap_or(at));
    let (before, exact, after) = (text_of(-1), text_of(0), text_of(1));
    for (bounds, there) in [
        (format!("start=ge{exact}&start=le{exact}"), true),
        (format!("start=gt{exact}&start=le{after}"), false),
        (format!("start=ge{before}&start=lt{exact}"), false),
        (format!("start=gt{before}&start=lt{after}"), true),
        (format!("start=eq{exact}"), true),
        (format!("start={exact}"), true),
    ] {
        let request = t.search(&format!("service={name}&status=free&{bounds}"));
        let a = t
            .ask("search at the very start of a slot", &request)
            .searched(&["PROV-SLOT-03"])?;
        let is = ids(&a).contains(text(&slot, "/id"));
        let what = format!(
            "{bounds}: the slot that starts then is {}found",
            if is { "" } else { "not " }
        );
        t.at(&a, "query start", &["P23", "PROV-SLOT-03", "PROV-SLOT-05"])
            .must(is == there)
            .right("ge, le and eq take the bound in, gt and lt leave it out")
            .or(what);
    }
    Ok(())
}

fn no_bounds(t: &mut Trial) -> Step {
    let name = t.service();
    let request = t.search(&format!("service={name}&status=free"));
    let a = t
        .ask("search without bounds", &request)
        .searched(&["PROV-SLOT-05"])?;
    let now = query::from_now(-60);
    let past = a
        .slots()
        .iter()
        .filter(|s| start(s).is_some_and(|at| at < now))
        .count();
    t.at(&a, "Slot.start", &["PROV-SLOT-05"])
        .must(past == 0)
        .right("a window that begins now")
        .or(format!(
            "{} in the past",
            counted(past, "slot lies", "slots lie")
        ));
    Ok(())
}
