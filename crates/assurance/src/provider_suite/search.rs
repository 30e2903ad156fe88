//! Group S: the published tests of slot searches, and what a search finds.

use booking::count::counted;
use booking::situation::Situation;
use jiff::ToSpan;
use serde_json::json;

use super::answer::text;
use super::bundle::{ids, included, of_service, slots, start, told};
use super::capability::is_format;
use super::query::{self, Window, full, window};
use super::registry::Test;
use super::token::{SLOT_READ, WRITE};
use super::trial::{Ids, Step, Stop, Trial};

const SEARCH: Ids = &["P11", "P14", "PROV-INT-02", "PROV-SLOT-12"];
/// A search that asks for its format in the short form.
const SHORT: Ids = &["P9", "PROV-GEN-08", "PROV-GEN-09", "PROV-INT-02"];
const FREE: &[&str] = &["free"];

/// The tests of this file.
pub(super) static TESTS: &[Test] = &[
    Test::new(
        "SFFSWithValidParameters_parameter_json", // The published test asks in the short form (PROV-GEN-09).
        |t| format(t, "&_format=json", "", false),
    )
    .tries("Full search, JSON by parameter")
    .of(&["P9", "P11", "PROV-GEN-08", "PROV-GEN-09"]),
    Test::new("SFFSWithValidParameters_header_json", |t| {
        format(t, "", "application/fhir+json", false)
    })
    .tries("Full search, JSON by header")
    .of(&["P9", "P11", "PROV-GEN-08"]),
    Test::new("SFFSWithValidParameters_parameter_xml", |t| {
        format(t, "&_format=xml", "", true)
    })
    .tries("Full search, XML by parameter")
    .of(&["P9", "P14", "P23", "PROV-GEN-09", "PROV-SLOT-05"]),
    Test::new("SFFSWithValidParameters_header_xml", |t| {
        format(t, "", "application/fhir+xml", true)
    })
    .tries("Full search, XML by header")
    .of(&["P9", "P11", "PROV-GEN-08"]),
    Test::new(
        "SFFSWithValidParameters_JWT_NoPractitioner",
        no_practitioner,
    )
    .tries("Full search with a token that names no practitioner")
    .of(&["P1", "NAT-JWT-11"]),
    Test::new("SFFSWithValidParameters_3_days", three_days)
        .tries("Full search of three days")
        .of(SEARCH),
    Test::new("SFFSWithValidParameters_includes", all_includes)
        .tries("What is included belongs together")
        .of(&[
            "P11",
            "P13",
            "P19",
            "PROV-SLOT-08",
            "PROV-SLOT-16",
            "PROV-SLOT-17",
        ]),
    Test::new("SFFSWithValidParameters_includes_slots_only", slots_only)
        .tries("Includes of a service that holds only slots and schedules")
        .of(&["P19", "PROV-SLOT-09"]),
    Test::new("SFFSNoSlots_HappyPath", no_slots)
        .tries("A known service without slots")
        .of(&["PROV-SLOT-13", "PROV-SLOT-14"]),
    Test::new("SFFSInvalid", invalid)
        .tries("A misspelt criterion")
        .of(&["PROV-SLOT-11", "D-07"]),
    Test::new("SFFSForbidden", forbidden)
        .tries("A token for another Provider, and one for another scope")
        .of(&["P3", "P4", "NAT-JWT-04", "NAT-JWT-08"]),
    Test::new("SFFSWrongMethod", wrong_method)
        .tries("POST to the search")
        .of(&["PROV-INT-09"]),
    Test::new("SFFSWithBusySlots", |t| plain(t, "busy", &["busy"]))
        .tries("A search for busy slots")
        .of(&["PROV-SLOT-07"]),
    Test::new("SFFSWithNoIncludes", |t| plain(t, "free", FREE))
        .tries("A search without includes")
        .of(&["PROV-SLOT-15"]),
    Test::new("SFFSWithNoIncludesSlotsOnly", plain_slots_only)
        .tries("A search without includes, service with slots only")
        .of(&["PROV-SLOT-15"]),
    Test::new("SFFSWithFreeAndBusySlots", |t| {
        plain(t, "free%2Cbusy", &["free", "busy"])
    })
    .tries("A search for free and busy slots")
    .of(&["PROV-SLOT-07"]),
    Test::new("SFFSWithFreeSlotsWithRevIncludes", rev_includes)
        .tries("_revinclude changes nothing")
        .of(&["PROV-SLOT-10"]),
    Test::new("SFFSWithFreeSlotsWithGzipEncoding", gzip)
        .tries("Full search, gzipped")
        .of(&["PROV-GEN-13"]),
    Test::new("Slots_BusyAfterBooking", busy_after_booking)
        .tries("A booked slot is found as busy, not as free")
        .of(&["P25", "PROV-SLOT-07", "PROV-BOOK-08"]),
    Test::new("Slots_BoundsAreExact", exact_bounds)
        .tries("The bounds ge, gt, le, lt and eq at the start of a slot")
        .of(&["P23", "PROV-SLOT-03", "PROV-SLOT-05"]),
    Test::new("Slots_NoBounds", no_bounds)
        .tries("A search without bounds uses a window from now")
        .of(&["PROV-SLOT-05"]),
];

fn service(t: &Trial) -> String {
    t.session.target.service.as_str().to_owned()
}

fn slots_only_service(t: &Trial) -> Step<String> {
    let given = t.session.target.service_slots_only.as_ref();
    let given = given.map(|s| s.as_str().to_owned());
    given.ok_or_else(|| {
        Stop::Skip("no service with slots only was named (--service-slots-only)".into())
    })
}

fn format(t: &mut Trial, parameter: &str, accept: &str, xml: bool) -> Step {
    let query = format!("{}{parameter}", full(&service(t)));
    let request = t.session.search(&query);
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
        .session
        .token(SLOT_READ)
        .claim("/requesting_practitioner", json!(null));
    let request = t
        .session
        .search(&full(&service(t)))
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
        window(&service(t), days, "free"),
        query::includes("_include")
    );
    let a = t
        .ask("search three days", &t.session.search(&query))
        .found(SEARCH)?;
    slots(t, &a, days, FREE);
    Ok(())
}

fn all_includes(t: &mut Trial) -> Step {
    let name = service(t);
    let request = t.session.search(&full(&name));
    let a = t.ask("search with all includes", &request).found(SEARCH)?;
    included(t, &a);
    of_service(t, &a, &name);
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
    let request = t.session.search(&full(&name));
    let a = t
        .ask("search a service with slots only", &request)
        .found(&["PROV-SLOT-09"])?;
    included(t, &a);
    Ok(())
}

fn no_slots(t: &mut Trial) -> Step {
    let Some(name) = t
        .session
        .target
        .service_empty
        .as_ref()
        .map(|s| s.as_str().to_owned())
    else {
        return Err(Stop::Skip(
            "no service without slots was named (--service-empty)".into(),
        ));
    };
    let request = t.session.search(&full(&name));
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
    let query = full(&service(t)).replacen("start=ge", "startXXXXXXX=ge", 1);
    t.ask("startXXXXXXX=ge…", &t.session.search(&query))
        .refused(Situation::InvalidParameter, &["PROV-SLOT-11", "D-07"])?;
    Ok(())
}

fn forbidden(t: &mut Trial) -> Step {
    let query = full(&service(t));
    let elsewhere = t
        .session
        .token(SLOT_READ)
        .claim("/aud", json!("notanendpoint"));
    let request = t
        .session
        .search(&query)
        .with("Authorization", elsewhere.bearer());
    t.ask("aud notanendpoint", &request)
        .refused(Situation::TokenRefused, &["P3", "NAT-JWT-04"])?;
    let scope = t.session.token(WRITE).bearer();
    let request = t.session.search(&query).with("Authorization", scope);
    t.ask("scope patient/appointment.write", &request)
        .refused(Situation::TokenRefused, &["P4", "NAT-JWT-08"])?;
    Ok(())
}

fn wrong_method(t: &mut Trial) -> Step {
    let request = t.session.search(&full(&service(t))).method("POST").body("");
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
    let query = window(&service(t), Window::usual(), status);
    let a = t
        .ask("search without includes", &t.session.search(&query))
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
    let request = t.session.search(&window(&name, Window::usual(), "free"));
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
    let base = window(&service(t), Window::usual(), "free");
    let request = t
        .session
        .search(&format!("{base}{}", query::includes("_revinclude")));
    let with = t
        .ask("search with _revinclude", &request)
        .searched(&["PROV-SLOT-10"])?;
    let without = t
        .ask("search without", &t.session.search(&base))
        .searched(SEARCH)?;
    t.at(&with, "Bundle.entry", &["PROV-SLOT-10"])
        .must(ids(&with) == ids(&without) && with.entries("include").is_empty())
        .right("the same as without it")
        .or("_revinclude changed the result");
    Ok(())
}

fn gzip(t: &mut Trial) -> Step {
    let request = t
        .session
        .search(&full(&service(t)))
        .with("Accept-Encoding", "gzip");
    let a = t.ask("search gzipped", &request).found(&["PROV-GEN-13"])?;
    t.at(&a, "header Content-Encoding", &["PROV-GEN-13"])
        .must(a.gzipped)
        .right("gzip, as Accept-Encoding asks")
        .or("The answer is not gzipped");
    Ok(())
}

fn busy_after_booking(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let slot = super::answer::contained(&booked.message, "Slot").clone();
    let Some(at) = start(&slot) else {
        return Err(Stop::Skip(
            "the slots have no times that can be read".into(),
        ));
    };
    let around = Window {
        lower: at,
        upper: at,
    };
    let name = service(t);
    for (status, there) in [("free", false), ("busy", true), ("", true)] {
        let request = t.session.search(&window(&name, around, status));
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
        return Err(Stop::Skip(
            "the slots have no times that can be read".into(),
        ));
    };
    let name = service(t);
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
        let request = t
            .session
            .search(&format!("service={name}&status=free&{bounds}"));
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
    let name = service(t);
    let request = t.session.search(&format!("service={name}&status=free"));
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
