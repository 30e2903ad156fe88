//! Group H: the headers of requests, one by one (`provider-api.md` section 3).

use booking::situation::Situation;

use super::answer::Answer;
use super::messages::uuid;
use super::registry::Table;
use super::request::Request;
use super::session::INTERACTION;
use super::trial::{Ids, Step, Trial, answered};

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("Header_Ssp-TraceID", |t| {
        bad(
            t,
            "Ssp-TraceID",
            &["", "not-a-uuid", "12345"],
            &["PROV-HDR-02"],
        )
    }),
    ("Header_Ssp-From", |t| {
        bad(
            t,
            "Ssp-From",
            &["", "91899900009", "9189990000999", "91899900009X"],
            &["PROV-HDR-03"],
        )
    }),
    ("Header_Ssp-To", |t| {
        bad(
            t,
            "Ssp-To",
            &["", "91899900001", "abcdefghijkl"],
            &["PROV-HDR-03"],
        )
    }),
    ("Header_Ssp-InteractionID", |t| {
        let other = "urn:nhs:names:services:gpconnect:fhir:rest:search:slot";
        bad(
            t,
            "Ssp-InteractionID",
            &["", "search:slot", other],
            &["PROV-HDR-04"],
        )
    }),
    ("Header_InteractionFits", fits),
    ("Header_Case", case),
    ("Header_X-Request-ID", request_id),
    ("Header_X-Correlation-ID", echo),
    ("Header_Others", others),
    ("Header_KeepAlive", keep_alive),
    ("Header_NoRouting", no_routing),
];

fn bad(t: &mut Trial, name: &str, values: &[&str], ids: Ids) -> Step {
    let request = t.usual_search().without(name);
    refused(t, name, &format!("no {name}"), &request, ids)?;
    for value in values {
        let request = t.usual_search().with(name, *value);
        refused(t, name, &format!("{name}: {value}"), &request, ids)?;
    }
    let request = t.usual_search();
    let value = request.header(name).unwrap_or_default().to_owned();
    let a = t.send(&format!("{name} twice"), &request.also(name, value))?;
    ambiguous(t, &a, ids, &format!("{name} twice"));
    Ok(())
}

/// A header that stands twice is refused by the careful; the catalogue says nothing of it.
pub(super) fn ambiguous(t: &mut Trial, a: &Answer, ids: Ids, about: &str) {
    let what = answered(about, a);
    let fits = matches!(a.status, 200 | 400 | 403);
    t.at(a, "status", ids)
        .must(fits)
        .right("400 or 403; or 200")
        .or(what);
}

fn refused(t: &mut Trial, name: &str, about: &str, request: &Request, ids: Ids) -> Step {
    let a = t
        .ask(about, request)
        .refused(Situation::HeaderInvalid, ids)?;
    let named = a
        .text
        .to_ascii_lowercase()
        .contains(&name.to_ascii_lowercase());
    t.at(&a, "OperationOutcome.issue.diagnostics", &["ERR-02"])
        .should(a.status != 400 || named)
        .right("the name of the header")
        .or(format!("The refusal of “{about}” does not name the header"));
    Ok(())
}

fn fits(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let other = t.message()?;
    let wrong = [
        ("metadata as search:slot", t.metadata(), "search:slot"),
        (
            "search as create:appointment",
            t.usual_search(),
            "create:appointment",
        ),
        (
            "book as update:appointment",
            t.book(&other),
            "update:appointment",
        ),
        ("read as search:slot", t.read(&booked.id), "search:slot"),
        (
            "cancel as create:appointment",
            t.cancellation(&booked),
            "create:appointment",
        ),
    ];
    for (about, request, suffix) in wrong {
        let request = request.with("Ssp-InteractionID", format!("{INTERACTION}{suffix}"));
        t.ask(about, &request)
            .refused(Situation::HeaderInvalid, &["PROV-HDR-04"])?;
    }
    Ok(())
}

fn case(t: &mut Trial) -> Step {
    let trace = uuid().to_uppercase();
    let request = t.usual_search().with("ssp-traceid", trace);
    let a = t.send("a trace id in capitals", &request)?;
    let _ = t.status(
        &a,
        200,
        &["PROV-HDR-02", "RES-GEN-05"],
        "a trace id in capitals",
    );
    let mut request = t.usual_search();
    for (name, _) in &mut request.headers {
        *name = name.to_ascii_uppercase();
    }
    let a = t.send("names of headers in capitals", &request)?;
    let _ = t.status(&a, 200, &["PROV-HDR-01"], "names of headers in capitals");
    Ok(())
}

fn request_id(t: &mut Trial) -> Step {
    let ids: Ids = &["PROV-HDR-05", "D-21"];
    let request = t.usual_search().without("X-Request-ID");
    let a = t.send("a search without X-Request-ID", &request)?;
    let _ = t.status(&a, 200, ids, "a search without X-Request-ID");
    let booked = t.booked()?;
    let other = t.message()?;
    let put = t.cancellation(&booked).without("X-Request-ID");
    let post = t.book(&other).without("X-Request-ID");
    for (about, request) in [
        ("a cancellation without X-Request-ID", put),
        ("a booking without X-Request-ID", post),
    ] {
        t.ask(about, &request)
            .refused(Situation::RequestIdMissing, ids)?;
    }
    Ok(())
}

fn echo(t: &mut Trial) -> Step {
    for id in [
        uuid(),
        uuid().to_uppercase(),
        format!("{{{}}}", uuid()),
        "case-17:a.b_c~1".to_owned(),
    ] {
        let request = t.usual_search().with("X-Request-ID", id.clone());
        let a = t.send("a search with this X-Request-ID", &request)?;
        let back = a.header("x-correlation-id").unwrap_or_default().to_owned();
        t.at(&a, "header X-Correlation-ID", &["PROV-HDR-11"])
            .must(back == id)
            .right("the same, byte for byte")
            .or(format!("`{back}` came back for `{id}`"));
    }
    Ok(())
}

fn others(t: &mut Trial) -> Step {
    let message = t.message()?;
    let request = t
        .book(&message)
        .with("Prefer", "return=minimal")
        .with("Location", "https://elsewhere.example.nhs.uk/")
        .with("Forwarded", "for=192.0.2.1;proto=https;by=192.0.2.2");
    t.ask("book with headers that are to be ignored", &request)
        .succeeds(201, "Appointment", &["PROV-HDR-07"])
        .map(drop)
}

fn no_routing(t: &mut Trial) -> Step {
    let request = t.usual_search();
    let a = t.send("search with the right Ssp-To", &request)?;
    t.status(&a, 200, &["PROV-GEN-05"], "search")?;
    // The last digit changed: another ASID, well formed.
    let to = t.target.to.as_str();
    let (head, last) = to.split_at(to.len().saturating_sub(1));
    let other = format!("{head}{}", if last == "7" { "8" } else { "7" });
    let request = request.with("Ssp-To", other);
    let b = t.send("search with another Ssp-To", &request)?;
    // A Provider that knows its own systems refuses (PROV-HDR-08).
    if b.status == 400 {
        return Ok(());
    }
    t.status(
        &b,
        200,
        &["PROV-GEN-05"],
        "another Ssp-To: 400, or the same as with the right one",
    )?;
    t.at(&b, "Bundle.total", &["PROV-GEN-05"])
        .must(a.total() == b.total())
        .right("the same: only the URL routes and selects")
        .or("Another Ssp-To found other slots");
    Ok(())
}

fn keep_alive(t: &mut Trial) -> Step {
    let requests = [t.metadata(), t.usual_search(), t.metadata()];
    for a in t.in_turn("several requests over one connection", &requests)? {
        let _ = t.status(
            &a,
            200,
            &["PROV-GEN-06"],
            "a request over a connection that is kept",
        );
    }
    Ok(())
}
