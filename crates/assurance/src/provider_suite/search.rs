//! Group S: the published tests of slot searches, and what a search finds.

use booking::count::counted;
use booking::situation::Situation;
use jiff::ToSpan;
use serde_json::json;

use super::answer::text;
use super::bundle::{found, ids, included, of_service, searched, slots, start, told};
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
        "SFFSWithValidParameters_parameter_json",
        "Full search, JSON by parameter",
        &["P9", "P11", "PROV-GEN-08", "PROV-GEN-09"],
        // The published test asks in the short form (PROV-GEN-09).
        |t| format(t, "&_format=json", "", false),
    ),
    Test::new(
        "SFFSWithValidParameters_header_json",
        "Full search, JSON by header",
        &["P9", "P11", "PROV-GEN-08"],
        |t| format(t, "", "application/fhir+json", false),
    ),
    Test::new(
        "SFFSWithValidParameters_parameter_xml",
        "Full search, XML by parameter",
        &["P9", "P14", "P23", "PROV-GEN-09", "PROV-SLOT-05"],
        |t| format(t, "&_format=xml", "", true),
    ),
    Test::new(
        "SFFSWithValidParameters_header_xml",
        "Full search, XML by header",
        &["P9", "P11", "PROV-GEN-08"],
        |t| format(t, "", "application/fhir+xml", true),
    ),
    Test::new(
        "SFFSWithValidParameters_JWT_NoPractitioner",
        "Full search with a token that names no practitioner",
        &["P1", "NAT-JWT-11"],
        no_practitioner,
    ),
    Test::new(
        "SFFSWithValidParameters_3_days",
        "Full search of three days",
        SEARCH,
        three_days,
    ),
    Test::new(
        "SFFSWithValidParameters_includes",
        "What is included belongs together",
        &[
            "P11",
            "P13",
            "P19",
            "PROV-SLOT-08",
            "PROV-SLOT-16",
            "PROV-SLOT-17",
        ],
        all_includes,
    ),
    Test::new(
        "SFFSWithValidParameters_includes_slots_only",
        "Includes of a service that holds only slots and schedules",
        &["P19", "PROV-SLOT-09"],
        slots_only,
    ),
    Test::new(
        "SFFSNoSlots_HappyPath",
        "A known service without slots",
        &["PROV-SLOT-13", "PROV-SLOT-14"],
        no_slots,
    ),
    Test::new(
        "SFFSInvalid",
        "A misspelt criterion",
        &["PROV-SLOT-11", "D-07"],
        invalid,
    ),
    Test::new(
        "SFFSForbidden",
        "A token for another Provider, and one for another scope",
        &["P3", "P4", "NAT-JWT-04", "NAT-JWT-08"],
        forbidden,
    ),
    Test::new(
        "SFFSWrongMethod",
        "POST to the search",
        &["PROV-INT-09"],
        wrong_method,
    ),
    Test::new(
        "SFFSWithBusySlots",
        "A search for busy slots",
        &["PROV-SLOT-07"],
        |t| plain(t, "busy", &["busy"]),
    ),
    Test::new(
        "SFFSWithNoIncludes",
        "A search without includes",
        &["PROV-SLOT-15"],
        |t| plain(t, "free", FREE),
    ),
    Test::new(
        "SFFSWithNoIncludesSlotsOnly",
        "A search without includes, service with slots only",
        &["PROV-SLOT-15"],
        plain_slots_only,
    ),
    Test::new(
        "SFFSWithFreeAndBusySlots",
        "A search for free and busy slots",
        &["PROV-SLOT-07"],
        |t| plain(t, "free%2Cbusy", &["free", "busy"]),
    ),
    Test::new(
        "SFFSWithFreeSlotsWithRevIncludes",
        "_revinclude changes nothing",
        &["PROV-SLOT-10"],
        rev_includes,
    ),
    Test::new(
        "SFFSWithFreeSlotsWithGzipEncoding",
        "Full search, gzipped",
        &["PROV-GEN-13"],
        gzip,
    ),
    Test::new(
        "Slots_BusyAfterBooking",
        "A booked slot is found as busy, not as free",
        &["P25", "PROV-SLOT-07", "PROV-BOOK-08"],
        busy_after_booking,
    ),
    Test::new(
        "Slots_BoundsAreExact",
        "The bounds ge, gt, le, lt and eq at the start of a slot",
        &["P23", "PROV-SLOT-03", "PROV-SLOT-05"],
        exact_bounds,
    ),
    Test::new(
        "Slots_NoBounds",
        "A search without bounds uses a window from now",
        &["PROV-SLOT-05"],
        no_bounds,
    ),
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
    let a = found(t, "search with all includes", &request, ids)?;
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
    let a = found(
        t,
        "search without requesting_practitioner",
        &request,
        &["P1", "NAT-JWT-11"],
    )?;
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
    let request = t.session.search(&query);
    let a = found(t, "search three days", &request, SEARCH)?;
    slots(t, &a, days, FREE);
    Ok(())
}

fn all_includes(t: &mut Trial) -> Step {
    let name = service(t);
    let request = t.session.search(&full(&name));
    let a = found(t, "search with all includes", &request, SEARCH)?;
    included(t, &a);
    of_service(t, &a, &name);
    let has = |kind: &str| {
        a.entries("include")
            .iter()
            .any(|r| text(r, "/resourceType") == kind)
    };
    for kind in ["Schedule", "HealthcareService"] {
        t.must(
            has(kind),
            &a,
            &["P19", "PROV-SLOT-08"],
            "Bundle.entry",
            format!("No {kind} was included"),
            "included as asked",
        );
    }
    Ok(())
}

fn slots_only(t: &mut Trial) -> Step {
    let name = slots_only_service(t)?;
    let request = t.session.search(&full(&name));
    let a = found(
        t,
        "search a service with slots only",
        &request,
        &["PROV-SLOT-09"],
    )?;
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
    let a = searched(
        t,
        "search a service without slots",
        &request,
        &["PROV-SLOT-14"],
    )?;
    let what = format!("A service without slots: {}", told(a.total()));
    t.must(
        a.total() == Some(0),
        &a,
        &["PROV-SLOT-13", "PROV-SLOT-14"],
        "Bundle.total",
        what,
        "0",
    );
    let rest = a.entries("match").len() + a.entries("include").len();
    t.must(
        rest == 0,
        &a,
        &["PROV-SLOT-14", "D-12"],
        "Bundle.entry",
        format!(
            "A service without slots: {} included",
            counted(
                rest,
                "entry that matches or is",
                "entries that match or are"
            )
        ),
        "no entry, or one OperationOutcome with search mode outcome",
    );
    Ok(())
}

fn invalid(t: &mut Trial) -> Step {
    let query = full(&service(t)).replacen("start=ge", "startXXXXXXX=ge", 1);
    let request = t.session.search(&query);
    t.refused(
        "startXXXXXXX=ge…",
        &request,
        Situation::InvalidParameter,
        &["PROV-SLOT-11", "D-07"],
    )?;
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
    t.refused(
        "aud notanendpoint",
        &request,
        Situation::TokenRefused,
        &["P3", "NAT-JWT-04"],
    )?;
    let scope = t.session.token(WRITE).bearer();
    let request = t.session.search(&query).with("Authorization", scope);
    t.refused(
        "scope patient/appointment.write",
        &request,
        Situation::TokenRefused,
        &["P4", "NAT-JWT-08"],
    )?;
    Ok(())
}

fn wrong_method(t: &mut Trial) -> Step {
    let request = t.session.search(&full(&service(t))).method("POST").body("");
    let a = t.refused(
        "POST /Slot",
        &request,
        Situation::MethodNotAllowed,
        &["PROV-INT-09"],
    )?;
    let allow = a.header("allow").unwrap_or_default().to_owned();
    t.should(
        allow.contains("GET"),
        &a,
        &["PROV-HDR-18"],
        "header Allow",
        format!("The refusal of POST /Slot says Allow: `{allow}`"),
        "GET",
    );
    Ok(())
}

fn plain(t: &mut Trial, status: &str, wanted: &[&str]) -> Step {
    let query = window(&service(t), Window::usual(), status);
    let request = t.session.search(&query);
    let a = searched(t, "search without includes", &request, SEARCH)?;
    slots(t, &a, Window::usual(), wanted);
    let extra = a.entries("include").len();
    t.must(
        extra == 0,
        &a,
        &["PROV-SLOT-15"],
        "Bundle.entry",
        format!(
            "{} included unasked",
            counted(extra, "resource was", "resources were")
        ),
        "Slots only",
    );
    Ok(())
}

fn plain_slots_only(t: &mut Trial) -> Step {
    let name = slots_only_service(t)?;
    let request = t.session.search(&window(&name, Window::usual(), "free"));
    let a = found(t, "search a service with slots only", &request, SEARCH)?;
    t.must(
        a.entries("include").is_empty(),
        &a,
        &["PROV-SLOT-15"],
        "Bundle.entry",
        "Resources were included unasked",
        "Slots only",
    );
    Ok(())
}

fn rev_includes(t: &mut Trial) -> Step {
    let base = window(&service(t), Window::usual(), "free");
    let request = t
        .session
        .search(&format!("{base}{}", query::includes("_revinclude")));
    let with = searched(t, "search with _revinclude", &request, &["PROV-SLOT-10"])?;
    let request = t.session.search(&base);
    let without = searched(t, "search without", &request, SEARCH)?;
    t.must(
        ids(&with) == ids(&without) && with.entries("include").is_empty(),
        &with,
        &["PROV-SLOT-10"],
        "Bundle.entry",
        "_revinclude changed the result",
        "the same as without it",
    );
    Ok(())
}

fn gzip(t: &mut Trial) -> Step {
    let request = t
        .session
        .search(&full(&service(t)))
        .with("Accept-Encoding", "gzip");
    let a = found(t, "search gzipped", &request, &["PROV-GEN-13"])?;
    t.must(
        a.gzipped,
        &a,
        &["PROV-GEN-13"],
        "header Content-Encoding",
        "The answer is not gzipped",
        "gzip, as Accept-Encoding asks",
    );
    Ok(())
}

fn busy_after_booking(t: &mut Trial) -> Step {
    let (message, _) = t.booked()?;
    let slot = super::answer::contained(&message, "Slot").clone();
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
        let a = searched(t, "search for the slot that was booked", &request, SEARCH)?;
        let is = ids(&a).contains(text(&slot, "/id"));
        let what = format!(
            "A booked slot is {}found with status `{status}`",
            if is { "" } else { "not " }
        );
        t.must(
            is == there,
            &a,
            &["P25", "PROV-BOOK-08", "PROV-SLOT-07"],
            "Slot.status",
            what,
            "busy from the moment of booking",
        );
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
        let a = searched(
            t,
            "search at the very start of a slot",
            &request,
            &["PROV-SLOT-03"],
        )?;
        let is = ids(&a).contains(text(&slot, "/id"));
        let what = format!(
            "{bounds}: the slot that starts then is {}found",
            if is { "" } else { "not " }
        );
        t.must(
            is == there,
            &a,
            &["P23", "PROV-SLOT-03", "PROV-SLOT-05"],
            "query start",
            what,
            "ge, le and eq take the bound in, gt and lt leave it out",
        );
    }
    Ok(())
}

fn no_bounds(t: &mut Trial) -> Step {
    let name = service(t);
    let request = t.session.search(&format!("service={name}&status=free"));
    let a = searched(t, "search without bounds", &request, &["PROV-SLOT-05"])?;
    let now = query::from_now(-60);
    let past = a
        .slots()
        .iter()
        .filter(|s| start(s).is_some_and(|at| at < now))
        .count();
    t.must(
        past == 0,
        &a,
        &["PROV-SLOT-05"],
        "Slot.start",
        format!("{} in the past", counted(past, "slot lies", "slots lie")),
        "a window that begins now",
    );
    Ok(())
}
