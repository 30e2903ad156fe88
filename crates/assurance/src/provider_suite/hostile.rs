//! Group X: input that no Consumer sends by intent. It is answered with a 4xx or the connection is closed; nothing is
//! booked, nothing comes out, and the server goes on serving.

use serde_json::{Value, json};
use std::fmt::Write as _;

use super::messages::{to_xml, with};
use super::registry::Table;
use super::request::Request;
use super::trial::{Ids, Step, Trial, answered};
use super::wire::gzip;

const SAFE: Ids = &["P35", "P36", "PROV-GEN-17"];
/// Nesting that no reader should follow, and small enough for the limits on bodies.
const DEEP: usize = 20_000;
/// What a small gzip body swells to: far more than any booking.
const BOMB: usize = 48 << 20;
/// Levels of entities that swell tenfold each.
const LAUGHS: usize = 10;
/// A header and a query that are longer than servers take.
const LONG: usize = 300 << 10;

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("Hostile_Json", json_that_is_none),
    ("Hostile_Bytes", bytes),
    ("Hostile_Depth", depth),
    ("Hostile_XmlEntities", entities),
    ("Hostile_GzipBomb", bombs),
    ("Hostile_Queries", queries),
    ("Hostile_Ids", ids),
    ("Hostile_Texts", texts),
    ("Hostile_Heads", heads),
    ("Hostile_LongHeads", long_heads),
];

fn still_serves(t: &mut Trial) -> Step {
    let a = t.send("search afterwards", &t.usual_search())?;
    t.status(&a, 200, &["PROV-META-01"], "a search afterwards")
}

/// Wants a 4xx, one of these if any are named, or the connection closed: nobody has to read such input to its end.
fn refused(t: &mut Trial, about: &str, request: &Request, allowed: &[u16]) -> Step {
    let Some(a) = t.send_or_closed(about, request)? else {
        return still_serves(t);
    };
    let fits = match allowed {
        [] => (400..500).contains(&a.status),
        allowed => allowed.contains(&a.status),
    };
    let right = match allowed {
        [] => "a 4xx with an OperationOutcome".to_owned(),
        allowed => {
            let all: Vec<String> = allowed.iter().map(u16::to_string).collect();
            format!("{} with an OperationOutcome", all.join(" or "))
        }
    };
    t.at(&a, "status", SAFE)
        .must(fits)
        .right(&right)
        .or(answered(about, &a));
    // What was booked nevertheless does not stand in the way of the next step.
    t.tidy();
    Ok(())
}

fn post(t: &Trial, body: impl Into<Vec<u8>>) -> Request {
    t.book(&Value::Null).body(body)
}

fn json_that_is_none(t: &mut Trial) -> Step {
    let text = t.message()?.to_string();
    for (about, body) in [
        ("spaces", " ".to_owned()),
        ("an open brace", "{".to_owned()),
        (
            "a comma too many",
            "{\"resourceType\":\"Appointment\",}".to_owned(),
        ),
        ("a brace too many", format!("{text}}}")),
        ("NaN", text.replace("\"rank\":1", "\"rank\":NaN")),
        ("half a surrogate", text.replace("Conformance", "\\ud800")),
        (
            "XML as JSON",
            "<Appointment xmlns=\"http://hl7.org/fhir\"/>".to_owned(),
        ),
        ("a number as resource", "17".to_owned()),
        (
            "a list in contained",
            text.replace("\"contained\":[", "\"contained\":[[],"),
        ),
    ] {
        let request = post(t, body);
        refused(t, about, &request, &[400])?;
    }
    still_serves(t)
}

fn bytes(t: &mut Trial) -> Step {
    let text = t.message()?.to_string();
    let Some((head, tail)) = text.split_once("Conformance") else {
        return Ok(());
    };
    for bad in [&b"\xff\xfe"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xc0\xaf"] {
        let request = post(t, [head.as_bytes(), bad, tail.as_bytes()].concat());
        refused(t, "bytes that are no UTF-8", &request, &[400])?;
    }
    still_serves(t)
}

fn depth(t: &mut Trial) -> Step {
    for (open, close) in [("[", "]"), ("{\"extension\":[", "]}")] {
        let deep = format!("{}1{}", open.repeat(DEEP), close.repeat(DEEP));
        let body = format!("{{\"resourceType\":\"Appointment\",\"extension\":[{deep}]}}");
        let request = post(t, body);
        refused(t, "deep JSON", &request, &[400, 413, 422])?;
    }
    let body = format!(
        "<Appointment xmlns=\"http://hl7.org/fhir\">{}{}</Appointment>",
        "<extension url=\"a\">".repeat(DEEP),
        "</extension>".repeat(DEEP)
    );
    let request = t.book_xml(body.into_bytes());
    refused(t, "deep XML", &request, &[400, 413, 422])?;
    still_serves(t)
}

fn entities(t: &mut Trial) -> Step {
    let good = String::from_utf8_lossy(&to_xml(&t.message()?)).into_owned();
    let mut laughs = String::from("<!DOCTYPE a [<!ENTITY l0 \"ha\">");
    for level in 1..LAUGHS {
        let inner = format!("&l{};", level - 1).repeat(10);
        let _ = write!(laughs, "<!ENTITY l{level} \"{inner}\">");
    }
    laughs.push_str("]>");
    let last = format!("&l{};", LAUGHS - 1);
    for (about, doctype, entity) in [
        (
            "an entity that names a file",
            "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/hostname\">]>",
            "&x;",
        ),
        (
            "a document type elsewhere",
            "<!DOCTYPE a SYSTEM \"http://192.0.2.1/x.dtd\">",
            "x",
        ),
        ("entities that swell", laughs.as_str(), last.as_str()),
        ("an entity that is not declared", "", "&undefined;"),
    ] {
        let body = format!("{doctype}{}", good.replace("Conformance", entity));
        let request = t.book_xml(body.into_bytes());
        refused(t, about, &request, &[400])?;
    }
    still_serves(t)
}

fn bombs(t: &mut Trial) -> Step {
    let message = t.message()?;
    let whole = gzip(message.to_string().as_bytes());
    let cut = whole
        .get(..whole.len().saturating_sub(6))
        .unwrap_or_default()
        .to_vec();
    for (about, body) in [
        ("a gzip bomb", gzip(&vec![b' '; BOMB])),
        ("gzip that is cut off", cut),
        ("no gzip at all", b"{}".to_vec()),
    ] {
        let request = post(t, body).with("Content-Encoding", "gzip");
        refused(t, about, &request, &[400, 413])?;
    }
    still_serves(t)
}

fn queries(t: &mut Trial) -> Step {
    let service = t.service();
    for bad in ["&start=%", "&start=%zz", "&status=%ff%fe", "&start=ge%00"] {
        let request = t.search(&format!("service={service}{bad}"));
        refused(t, bad, &request, &[400])?;
    }
    for value in [
        "'%20OR%20'1'='1",
        "1;DROP%20TABLE%20slot",
        "..%2f..%2fetc%2fhostname",
        "%3Cscript%3E",
        "$%7Bjndi:x%7D",
    ] {
        let request = t.search(&format!("service={value}"));
        refused(t, value, &request, &[400, 404])?;
    }
    let many = "&_include=Slot:schedule".repeat(2_000);
    let request = t.search(&format!("service={service}{many}"));
    // To answer it is as right as to refuse it: each of the parameters is a good one.
    if let Some(a) = t.send_or_closed("two thousand parameters", &request)? {
        t.at(&a, "status", SAFE)
            .must(a.status < 500)
            .right("200, or a 4xx with an OperationOutcome")
            .or(answered("two thousand parameters", &a));
    }
    still_serves(t)
}

fn ids(t: &mut Trial) -> Step {
    for id in [
        "%2e%2e",
        "..%2f..%2fmetadata",
        "%00",
        "%ff",
        "a%2fb",
        "'%20OR%201=1",
        "$%7Bjndi:x%7D",
    ] {
        let request = t.read(id);
        refused(t, id, &request, &[400, 404])?;
    }
    let long = "a".repeat(5_000);
    let request = t.read(&long);
    refused(t, "an id of 5000 characters", &request, &[400, 404, 414])?;
    still_serves(t)
}

fn texts(t: &mut Trial) -> Step {
    let odd = "'; DROP TABLE slot; -- <script>alert(1)</script> ${jndi:x} \u{202e}é日本";
    let message = with(t.message()?, "/description", json!(odd));
    let a = t
        .ask("book with an odd description", &t.book(&message))
        .succeeds(201, "Appointment", &["PROV-BOOK-09"])?;
    let same = a.resource.get("description") == Some(&json!(odd));
    t.at(
        &a,
        "Appointment.description",
        &["PROV-BOOK-09", "PROV-GEN-12"],
    )
    .must(same)
    .right("as it was sent, character by character")
    .or("Another description came back");
    still_serves(t)
}

/// Sends bytes that are not quite HTTP; wants a 4xx or a closed connection.
fn raw(t: &mut Trial, about: &str, bytes: &[u8]) -> Step {
    use crate::evidence::Finding;
    let (index, status, broken) = t.raw(about, bytes)?;
    let fits = status.is_none_or(|s| (400..500).contains(&s) || s == 505 || s == 501);
    if !fits {
        let what = format!(
            "The request “{about}” was answered with {}",
            status.unwrap_or_default()
        );
        t.note(
            Finding::error(&["PROV-GEN-06"], what)
                .at("status")
                .right("A 4xx, or the connection closed.")
                .in_exchange(index),
        );
    }
    if let Some(why) = broken.filter(|why| why.starts_with("neither")) {
        t.note(
            Finding::warning(&["PROV-GEN-06"], format!("The request “{about}” got {why}"))
                .at("response")
                .right("A 4xx, or the connection closed, in good time.")
                .in_exchange(index),
        );
    }
    Ok(())
}

fn heads(t: &mut Trial) -> Step {
    let path = format!("{}/Appointment", t.target.endpoint.path);
    let host = t.target.endpoint.authority();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close");
    let smuggled = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for extra in [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: -1",
        "Content-Length: 0x10",
        "Content-Length: 18446744073709551616",
        "Transfer-Encoding: xchunked",
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Content-Length : 3",
        "NoColon",
        "X-Bad: a\u{0}b",
    ] {
        let bytes = format!("{head}\r\n{extra}\r\n\r\n0\r\n\r\n{smuggled}");
        raw(t, extra, bytes.as_bytes())?;
    }
    raw(t, "no HTTP at all", b"nonsense\r\n\r\n")?;
    raw(
        t,
        "another protocol",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    )?;
    still_serves(t)
}

fn long_heads(t: &mut Trial) -> Step {
    let path = format!("{}/metadata", t.target.endpoint.path);
    let host = t.target.endpoint.authority();
    let long = "a".repeat(LONG);
    for (about, head) in [
        (
            "a long header",
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Long: {long}"),
        ),
        (
            "a long token",
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {long}"),
        ),
        (
            "a long query",
            format!("GET {path}?x={long} HTTP/1.1\r\nHost: {host}"),
        ),
    ] {
        raw(
            t,
            about,
            format!("{head}\r\nConnection: close\r\n\r\n").as_bytes(),
        )?;
    }
    still_serves(t)
}
