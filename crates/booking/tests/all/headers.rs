//! Headers, interactions and formats.

use booking::refusal::Situation;
use booking::wire::format::{Coding, Format, body_format, content_coding, response_format};
use booking::wire::headers::{Headers, IfMatch, read_if_match, read_request_id, read_ssp};
use booking::wire::interaction::{Interaction, URN_PREFIX};
use booking::wire::query;

struct Sent(Vec<(&'static str, &'static str)>);

impl Headers for Sent {
    fn values<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
        let same = |(n, _): &&(&str, &str)| n.eq_ignore_ascii_case(name);
        self.0
            .iter()
            .filter(same)
            .map(|(_, v)| v.as_bytes())
            .collect()
    }
}

const GOOD: [(&str, &str); 4] = [
    ("ssp-traceid", "09a01679-2564-0fb4-5129-aecc81ea2706"),
    ("SSP-FROM", "918999000099"),
    ("Ssp-To", "918999000011"),
    (
        "Ssp-InteractionID",
        "urn:nhs:names:services:careconnect:fhir:rest:search:slot",
    ),
];

/// Proves: PROV-HDR-02, PROV-HDR-03, PROV-HDR-04, ERR-02
#[test]
fn the_four_ssp_headers_are_read_and_every_fault_is_named() {
    let read = read_ssp(&Sent(GOOD.to_vec()), Interaction::SearchSlots).unwrap();
    assert_eq!(read.from.as_str(), "918999000099");
    for (i, (name, _)) in GOOD.iter().enumerate() {
        let mut missing = GOOD.to_vec();
        missing.remove(i);
        let mut twice = GOOD.to_vec();
        twice.push(GOOD[i]);
        let mut malformed = GOOD.to_vec();
        malformed[i].1 = "x";
        for bad in [missing, twice, malformed] {
            let refusal = read_ssp(&Sent(bad), Interaction::SearchSlots).unwrap_err();
            assert_eq!(refusal.situation, Situation::HeaderInvalid);
            let place = refusal.findings[0].location.as_deref().unwrap();
            assert!(
                place.eq_ignore_ascii_case(&format!("http.{name}")),
                "{place}"
            );
        }
    }
    let refusal = read_ssp(&Sent(vec![]), Interaction::Book).unwrap_err();
    assert_eq!(refusal.findings.len(), 4);
}

/// Proves: PROV-INT-01, PROV-INT-02, PROV-INT-03, PROV-INT-04, PROV-INT-05, PROV-INT-06, PROV-INT-07, PROV-INT-08, D-22, D-23
#[test]
fn interactions_accept_their_ids_and_need_their_scopes() {
    let table = [
        (
            Interaction::Capability,
            "read:metadata",
            "organization/slot.read",
        ),
        (
            Interaction::SearchSlots,
            "search:slot",
            "organization/slot.read",
        ),
        (
            Interaction::SearchSlots,
            "read:slot",
            "organization/slot.read",
        ),
        (
            Interaction::Book,
            "create:appointment",
            "patient/appointment.write",
        ),
        (
            Interaction::Read,
            "read:appointment",
            "patient/appointment.read",
        ),
        (
            Interaction::VersionRead,
            "read:appointment",
            "patient/appointment.read",
        ),
        (
            Interaction::History,
            "read:appointment",
            "patient/appointment.read",
        ),
        (
            Interaction::Cancel,
            "update:appointment",
            "patient/appointment.write",
        ),
        (
            Interaction::SearchAppointments,
            "search:appointment",
            "patient/appointment.read",
        ),
    ];
    for (interaction, suffix, scope) in table {
        assert!(interaction.accepts(&format!("{URN_PREFIX}{suffix}")));
        assert!(interaction.suffixes().any(|s| s == suffix));
        assert_eq!(interaction.scope(), scope);
        let expected = table.iter().filter(|(i, ..)| *i == interaction).count();
        assert_eq!(interaction.urns().len(), expected);
    }
    assert!(
        !Interaction::Book.accepts("urn:nhs:names:services:gpconnect:fhir:rest:create:appointment")
    );
    assert!(!Interaction::Book.accepts("create:appointment"));
}

/// Proves: PROV-HDR-05, PROV-HDR-11, D-21
#[test]
fn request_ids_are_kept_byte_for_byte() {
    assert_eq!(read_request_id(&Sent(vec![])).unwrap(), None);
    let id = read_request_id(&Sent(vec![("X-Request-ID", "AbC-1")]))
        .unwrap()
        .unwrap();
    assert_eq!(id.as_str(), "AbC-1");
    let long: &'static str = "x".repeat(129).leak();
    for bad in [
        vec![("X-Request-ID", "a b")],
        vec![("X-Request-ID", "")],
        vec![("X-Request-ID", long)],
        vec![("X-Request-ID", "a"), ("x-request-id", "a")],
    ] {
        assert_eq!(read_request_id(&Sent(bad)).unwrap_err().status(), 400);
    }
}

/// Proves: PROV-HDR-06, PROV-CAN-03
#[test]
fn if_match_in_weak_and_strong_form_and_otherwise_malformed() {
    let read = |value| read_if_match(&Sent(vec![("If-Match", value)]));
    assert_eq!(read_if_match(&Sent(vec![])), IfMatch::Missing);
    assert_eq!(read("W/\"1\""), IfMatch::Version("1".to_owned()));
    assert_eq!(read("\"12\""), IfMatch::Version("12".to_owned()));
    for bad in [
        "1",
        "*",
        "W/1",
        "W/\"1",
        "W/\"\"",
        "W/\"1\", W/\"2\"",
        "\"W/\"1\"\"",
        "w/\"1\"",
        "",
        "W/\"A\"",
    ] {
        assert!(matches!(read(bad), IfMatch::Malformed(_)), "{bad}");
    }
    let two = Sent(vec![("If-Match", "\"1\""), ("If-Match", "\"1\"")]);
    assert!(matches!(read_if_match(&two), IfMatch::Malformed(_)));
}

fn format(query: &str, accept: &[&str], content_type: Option<&str>) -> Result<Format, u16> {
    let accept: Vec<&[u8]> = accept.iter().map(|a| a.as_bytes()).collect();
    response_format(query, &accept, content_type.map(str::as_bytes)).map_err(|r| r.status())
}

/// Proves: PROV-GEN-08, PROV-GEN-09, PROV-GEN-10, PROV-GEN-11, D-14, D-24
#[test]
fn the_response_format_is_negotiated() {
    use Format::{Json, Xml};
    for (value, wanted) in [
        ("json", Json),
        ("xml", Xml),
        ("application/json", Json),
        ("application/xml", Xml),
        ("text/xml", Xml),
        ("application/fhir+json", Json),
        ("application/fhir+xml", Xml),
        ("application/fhir%2Bxml", Xml),
        ("application%2Ffhir%2Bjson", Json),
        ("application/fhir+xml;charset=utf-8", Xml),
        ("", Json),
    ] {
        assert_eq!(
            format(&format!("a=1&_format={value}"), &[], None),
            Ok(wanted),
            "{value}"
        );
    }
    // The parameter beats the header, the header the request's own type, and JSON is the last resort.
    assert_eq!(
        format(
            "_format=xml",
            &["application/fhir+json"],
            Some("application/fhir+json")
        ),
        Ok(Xml)
    );
    assert_eq!(
        format("", &["application/fhir+xml"], Some("application/fhir+json")),
        Ok(Xml)
    );
    assert_eq!(
        format("", &[], Some("application/fhir+xml; charset=UTF-8")),
        Ok(Xml)
    );
    assert_eq!(format("", &[], Some("application/xml")), Ok(Json));
    assert_eq!(format("", &[], None), Ok(Json));
    for (accept, wanted) in [
        ("*/*", Json),
        ("application/*", Json),
        ("application/fhir+xml; charset=utf-8", Xml),
        ("APPLICATION/FHIR+XML;CHARSET=UTF-8", Xml),
        ("application/xml+fhir", Xml),
        ("application/json+fhir", Json),
        ("application/fhir+json;q=0.5, application/fhir+xml", Xml),
        ("text/html, application/fhir+xml;q=0.1", Xml),
        ("application/fhir+xml;q=0, */*;q=0.1", Json),
        ("application/json", Json),
        ("", Json),
    ] {
        assert_eq!(format("", &[accept], None), Ok(wanted), "{accept}");
    }
    assert_eq!(
        format("", &["text/html", "application/fhir+xml"], None),
        Ok(Xml)
    );
    assert_eq!(format("_format=turtle", &[], None), Err(415));
    assert_eq!(format("_format=xml&_format=json", &[], None), Err(400));
    for accept in [
        "text/html",
        "application/fhir+json;charset=iso-8859-1",
        "image/*",
        "application/fhir+json;q=0",
    ] {
        assert_eq!(format("", &[accept], None), Err(415), "{accept}");
    }
    // Faults elsewhere in the query are not looked at here.
    assert_eq!(format("a=%zz&_format=xml", &[], None), Ok(Xml));
}

/// Proves: PROV-GEN-07, PROV-GEN-10, PROV-GEN-11, PROV-GEN-12, ERR-14
#[test]
fn bodies_are_fhir_json_or_fhir_xml() {
    let read = |t: &str| body_format(Some(t.as_bytes())).map_err(|r| r.status());
    assert_eq!(read("application/fhir+json"), Ok(Format::Json));
    assert_eq!(read("application/fhir+xml;charset=UTF-8"), Ok(Format::Xml));
    assert_eq!(
        read("application/json+fhir; charset=\"utf-8\""),
        Ok(Format::Json)
    );
    for bad in [
        "application/xml",
        "application/json",
        "text/plain",
        "application/fhir+json;charset=latin1",
        "",
    ] {
        assert_eq!(read(bad), Err(415), "{bad}");
    }
    assert_eq!(body_format(None).unwrap_err().status(), 415);
    assert_eq!(
        Format::Json.media_type(),
        "application/fhir+json;charset=utf-8"
    );
}

/// Proves: PROV-GEN-13
#[test]
fn bodies_may_be_gzipped_once() {
    let read = |v: &[&str]| {
        content_coding(&v.iter().map(|v| v.as_bytes()).collect::<Vec<_>>()).map_err(|r| r.status())
    };
    assert_eq!(read(&[]), Ok(Coding::Identity));
    assert_eq!(read(&["identity"]), Ok(Coding::Identity));
    assert_eq!(read(&["GZIP"]), Ok(Coding::Gzip));
    assert_eq!(read(&["gzip, identity"]), Ok(Coding::Gzip));
    for bad in [
        &["br"][..],
        &["gzip, gzip"],
        &["gzip", "gzip"],
        &["deflate"],
    ] {
        assert_eq!(read(bad), Err(415), "{bad:?}");
    }
}

/// Proves: PROV-READ-03
#[test]
fn reads_take_no_parameter_but_format() {
    assert!(query::only_format("_format=json&").is_ok());
    let refusal = query::only_format("_format=json&_summary=true").unwrap_err();
    assert_eq!(
        (refusal.status(), refusal.findings[0].location.as_deref()),
        (400, Some("http._summary"))
    );
}
