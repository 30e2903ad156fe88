//! What `/itk` takes, what it answers, and what it keeps of what it does not take.

use super::referral_fixture::*;
use super::support;
use super::support::{Call, Server, uuid};
use base64::Engine as _;
use booking::bounded_xml::Bounds;
use serde_json::{Value, json};
use testkit::assert_contains;

/// Proves: REF-PRO-08
#[test]
fn soap_in_both_versions() {
    let server = Server::shared(module_path!());
    let message = Itk::new(&Cda::new(&uuid()).xml());
    let response = accepted(server, &message);
    assert_eq!(
        response.header("content-type"),
        Some("text/xml;charset=utf-8")
    );
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let text = response.text();
    assert_contains(
        &text,
        &[
            "http://schemas.xmlsoap.org/soap/envelope/",
            &format!("{REPORT}Response"),
            &format!("<wsa:RelatesTo>M-{}", message.tracking),
        ],
    );
    let message = Itk::new(&Cda::new(&uuid()).xml()).soap12();
    let response = accepted(server, &message);
    assert_eq!(
        response.header("content-type"),
        Some("application/soap+xml;charset=utf-8")
    );
    response.says(&["http://www.w3.org/2003/05/soap-envelope"]);
    let mut bad = Itk::new(&Cda::new(&uuid()).xml()).soap12();
    bad.count = "2".to_owned();
    faulted(server, &bad, "1000");
    // Asked for, an infrastructure response.
    let mut message = Itk::new(&Cda::new(&uuid()).xml());
    message.response = true;
    let text = send_itk(server, &message).text();
    let tree = booking::bounded_xml::parse(&text, Bounds::nodes(100_000)).expect("XML");
    let node = tree
        .descendants()
        .find(|n| n.tag_name().name() == "InfrastructureResponse")
        .expect("response");
    assert_eq!(node.attribute("result"), Some("OK"));
    assert_eq!(
        node.attribute("trackingIdRef"),
        Some(message.tracking.as_str())
    );
}

/// Proves: REF-PRO-01
#[test]
fn packed_in_every_way() {
    let server = Server::shared(module_path!());
    for (base64, compressed, gzip) in [
        (false, false, true),
        (true, false, false),
        (true, true, false),
        (true, true, true),
    ] {
        let cda = Cda::new(&uuid());
        let mut message = Itk::new(&cda.xml());
        (message.base64, message.compressed) = (base64, compressed);
        let call = Call::new(server.address, "POST", "/itk")
            .with("Content-Type", "text/xml")
            .with("Connection", "close")
            .body(message.xml());
        let call = if gzip { call.gzipped() } else { call };
        send(&call).expect("an answer").with(200);
        assert_eq!(original(server, &cda.id), cda.xml());
    }
    // Prefixes declared on the envelope go with the document when it is taken out.
    let id = uuid();
    let cda = format!(
        "<h:ClinicalDocument xmlns:h=\"urn:hl7-org:v3\"><h:id root=\"{id}\"/><itk:x/></h:ClinicalDocument>"
    );
    accepted(server, &Itk::new(&cda));
    let taken_out = original(server, &id);
    let document = booking::bounded_xml::parse(&taken_out, Bounds::nodes(100_000));
    document.expect("it stands alone");
}

/// The same XML with this prefix on each element that has none.
fn prefixed(xml: &str, prefix: &str) -> String {
    let mut out = String::new();
    let mut parts = xml.split('<');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (slash, name) = match part.strip_prefix('/') {
            Some(name) => ("/", name),
            None => ("", part),
        };
        let end = name.find([' ', '/', '>']).unwrap_or(name.len());
        let has_one = name[..end].contains(':') || name.starts_with(['?', '!']);
        let prefix = if has_one { "" } else { prefix };
        out.push_str(&format!("<{slash}{prefix}{name}"));
    }
    out
}

/// Proves: REF-PRO-01, REF-PRO-05
/// A document is read whichever prefix its elements have, and wherever that is declared.
#[test]
fn every_element_may_have_a_prefix() {
    let server = Server::shared(module_path!());
    let cda = |id: &str| {
        let mut cda = Cda::new(id).booked("https://provider.example/STU3/1/FX101/Appointment/a");
        cda.nhs_number = Some("9990123454".to_owned());
        cda.xml()
    };
    let shown = |id: &str| -> Value {
        let output = uec(server, format!("show {id} --provider FX101 --json")).with(0);
        let mut shown: Value = output.json;
        for own in [
            "id", "case", "received", "document", "tracking", "bytes", "bookings",
        ] {
            shown[own] = Value::Null;
        }
        shown
    };
    let plain = uuid();
    accepted(server, &Itk::new(&cda(&plain)));
    let expected = shown(&plain);
    assert!(expected["appointmentUrl"].is_string(), "{expected}");
    let here = |xml: String| xml.replacen(" xmlns=", " xmlns:cda=", 1);
    let around = |xml: String| xml.replacen(" xmlns=\"urn:hl7-org:v3\"", "", 1);
    for (declared, base64) in [(true, false), (true, true), (false, false)] {
        let id = uuid();
        let xml = prefixed(&cda(&id), "cda:");
        assert!(xml.contains("</cda:ClinicalDocument>") && !xml.contains("<id"));
        let mut message = Itk::new(&if declared { here(xml) } else { around(xml) });
        message.base64 = base64;
        let mut bytes = message.xml();
        if !declared {
            let text = String::from_utf8(bytes).expect("text");
            let envelope = "<soap:Envelope xmlns:cda=\"urn:hl7-org:v3\"";
            bytes = text.replacen("<soap:Envelope", envelope, 1).into_bytes();
        }
        post(server, "/itk", message.media_type(), &bytes).with(200);
        assert_eq!(shown(&id), expected, "{declared} {base64}");
    }
    // An envelope without any prefix at all.
    let id = uuid();
    let mut message = Itk::new(&cda(&id));
    message.base64 = true;
    let text = String::from_utf8(message.xml()).expect("text");
    let text = text.replace("<itk:", "<").replace("</itk:", "</");
    let text = text.replacen(
        "<DistributionEnvelope>",
        "<DistributionEnvelope xmlns=\"urn:nhs-itk:ns:201005\">",
        1,
    );
    post(server, "/itk", message.media_type(), text.as_bytes()).with(200);
    assert_eq!(shown(&id), expected);
}

fn bundle(cda: &str, document: &str, tracking: &str) -> Value {
    let content = base64::engine::general_purpose::STANDARD.encode(cda);
    json!({"resourceType": "Bundle", "identifier": {"system": "https://tools.ietf.org/html/rfc4122", "value": tracking},
        "type": "document", "entry": [
        {"fullUrl": "urn:uuid:0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01", "resource": {"resourceType": "Composition",
            "status": "final", "title": "Integrated Urgent Care Report"}},
        {"fullUrl": "urn:uuid:0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d02", "resource": {"resourceType": "DocumentReference",
            "identifier": [{"system": "https://tools.ietf.org/html/rfc4122", "value": document}],
            "status": "current"}},
        {"fullUrl": "urn:uuid:0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d03", "resource": {"resourceType": "Binary",
            "contentType": "application/hl7-v3+xml", "content": content}}]})
}

/// Proves: REF-PRO-01, REF-PRO-02
#[test]
fn fhir_documents() {
    let server = Server::shared(module_path!());
    let id = uuid();
    let body = bundle(&Cda::new(&id.to_ascii_uppercase()).xml(), &id, &uuid());
    let response = post_fhir(server, "/itk", &body).with(200);
    assert_eq!(response.json()["resourceType"], "OperationOutcome");
    assert_eq!(show(server, &id)["state"], "unmatched");
    // As XML, and the same document in SOAP is a repeat.
    post(
        server,
        "/itk",
        "application/fhir+xml",
        support::to_xml(&body).as_bytes(),
    )
    .with(200);
    accepted(server, &Itk::new(&Cda::new(&id.to_ascii_uppercase()).xml()));
    // The reference and the document disagree.
    let other = uuid();
    let body = bundle(&Cda::new(&other).xml(), &uuid(), &uuid());
    let response = post_fhir(server, "/itk/FX101", &body).with(400);
    response.says(&["identifier"]);
    let cut = b"{\"resourceType\":\"Bundle\"";
    post(server, "/itk/FX101", "application/fhir+json", cut).with(400);
}

/// A message with further payloads: manifest item and payload of each.
fn with_further(leading: &Itk, further: &[(&str, &str, &str)]) -> Vec<u8> {
    let text = String::from_utf8(leading.xml()).expect("text");
    let count = format!("count=\"{}\"", further.len() + 1);
    let (mut items, mut payloads) = (String::new(), String::new());
    for (id, attributes, content) in further {
        items.push_str(&format!(
            "<itk:manifestitem id=\"{id}\" mimetype=\"text/xml\" {attributes}/>"
        ));
        payloads.push_str(&format!("<itk:payload id=\"{id}\">{content}</itk:payload>"));
    }
    text.replace("count=\"1\"", &count)
        .replace("</itk:manifest>", &format!("{items}</itk:manifest>"))
        .replace("</itk:payloads>", &format!("{payloads}</itk:payloads>"))
        .into_bytes()
}

/// A repeat caller's set: the report of this call leads, those of the calls before it are kept with it.
/// Proves: REF-PRO-01, REF-PRO-08
#[test]
fn a_repeat_callers_set_is_kept_whole() {
    use base64::Engine as _;
    let server = Server::shared(module_path!());
    let documents = [
        Cda::new(&uuid()),
        Cda::new(&uuid()),
        Cda::new(&uuid()),
        Cda::new(&uuid()),
    ];
    let [now, first, second, third] = documents.map(|cda| (cda.id.clone(), cda.xml()));
    let leading = Itk::new(&now.1);
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let plain = format!("profileid=\"{PROFILE}\"");
    let packed = format!("profileid=\"{PROFILE}\" base64=\"true\"");
    let pressed = format!("{packed} compressed=\"true\"");
    let (second_packed, third_packed) = (
        base64(second.1.as_bytes()),
        base64(&support::http::gzip(third.1.as_bytes())),
    );
    let further = [
        ("uuid_first", plain.as_str(), first.1.as_str()),
        ("uuid_second", packed.as_str(), second_packed.as_str()),
        ("uuid_third", pressed.as_str(), third_packed.as_str()),
    ];
    let body = with_further(&leading, &further);
    let response = post(server, "/itk", leading.media_type(), &body).with(200);
    response.says(&[&format!("OK:{}", leading.tracking)]);
    let shown = show(server, &now.0);
    assert_eq!(shown["document"], now.0.to_ascii_lowercase());
    let note = shown["note"].as_str().expect("a note");
    assert!(note.contains("3 more documents"), "{note}");
    let file = server.folder.join(format!("{}.set", now.0));
    let path = file.to_str().expect("path");
    uec(
        server,
        format!("show '{}' --provider FX101 --original '{path}'", now.0),
    )
    .with(0);
    let read = |suffix: &str| std::fs::read_to_string(format!("{path}{suffix}")).expect("written");
    assert_eq!(
        [read(""), read(".2"), read(".3"), read(".4")],
        [now.1.clone(), first.1.clone(), second.1, third.1]
    );
    // The same set is acknowledged again; another set under the same id is not taken for it, and kept.
    post(server, "/itk", leading.media_type(), &body).with(200);
    let other = Itk::new(&now.1);
    let fewer = with_further(&other, &further[..1]);
    let refused = post(server, "/itk", other.media_type(), &fewer);
    check_fault(&refused, "2200");
    let kept = referrals(server, "list --quarantined --provider FX101 --json");
    let is_it = |r: &Value| r["tracking"] == other.tracking.as_str();
    assert!(
        kept.as_array().expect("a list").iter().any(is_it),
        "it is kept"
    );

    // The first document leads, whatever stands before it; what cannot be taken out is told, and kept as it was sent.
    let cda = Cda::new(&uuid());
    let mut odd = Itk::new("<note xmlns=\"urn:example\">seen</note>");
    odd.profile = "urn:example:note".to_owned();
    let further = [
        ("uuid_report", plain.as_str(), cda.xml()),
        ("uuid_broken", packed.as_str(), "***".to_owned()),
    ];
    let further: Vec<_> = further
        .iter()
        .map(|(a, b, c)| (*a, *b, c.as_str()))
        .collect();
    post(
        server,
        "/itk",
        odd.media_type(),
        &with_further(&odd, &further),
    )
    .with(200);
    let shown = show(server, &cda.id);
    let note = shown["note"].as_str().expect("a note");
    assert_contains(note, &["2 more documents", "1 of them cannot"]);

    // What does not pair is refused for what is wrong.
    let lone = Itk::new(&Cda::new(&uuid()).xml());
    let text = String::from_utf8(with_further(&lone, &[("uuid_a", &plain, "<a/>")])).expect("text");
    for (bent, said) in [
        (
            text.replace("payload id=\"uuid_a\"", "payload id=\"uuid_b\""),
            "not the id of the manifest item",
        ),
        (
            text.replace("<itk:payload id=\"uuid_a\"><a/></itk:payload>", ""),
            "count of the payloads",
        ),
    ] {
        let response = post(server, "/itk", lone.media_type(), bent.as_bytes());
        let told = check_fault(&response, "1000");
        assert!(told.contains(said), "{told}");
    }
}

/// Every message is wrong in one way; each gets its fault and is kept.
///
/// Proves: REF-PRO-06, REF-PRO-08
#[test]
fn wrong_envelopes_and_documents() {
    let server = Server::shared(module_path!());
    let good = || Itk::new(&Cda::new(&uuid()).xml());
    let bent = |bend: &dyn Fn(&mut Itk)| {
        let mut message = good();
        bend(&mut message);
        message
    };
    #[rustfmt::skip] // a message a line
    let cases: Vec<(&str, Itk, &str)> = vec![
        ("no tracking id", bent(&|m| m.tracking.clear()), "1000"),
        ("no service", bent(&|m| m.service.clear()), "1000"),
        ("another action", bent(&|m| m.action = "urn:nhs-itk:services:201005:Other".into()), "1000"),
        ("no profile", bent(&|m| m.profile.clear()), "1000"),
        ("another profile", bent(&|m| m.profile = "urn:nhs-en:profile:somethingElse".into()), "1000"),
        ("wrong count", bent(&|m| m.count = "2".into()), "1000"),
        ("wrong payload id", bent(&|m| m.payload_id = "uuid_other".into()), "1000"),
        ("not base64", bent(&|m| { m.base64 = true; m.payload = vec![]; }), "1000"),
        ("no document", Itk::new("<other/>"), "1000"),
        ("no id", Itk::new("<ClinicalDocument/>"), "1000"),
        ("id no UUID", Itk::new(&Cda::new("1234").xml()), "1000"),
        ("text in place of a document", Itk::new("hello"), "1000"),
    ];
    let before = aside(server);
    for (what, message, code) in &cases {
        let said = faulted(server, message, code);
        assert!(!said.is_empty(), "{what}");
    }
    assert_eq!(aside(server), before + cases.len(), "each is kept");
    let said = faulted(server, &bent(&|m| m.profile.clear()), "1000");
    assert!(said.contains("Profile ID is missing"), "{said}");
}

fn aside(server: &Server) -> usize {
    let all = referrals(server, "list --quarantined --provider FX101 --json");
    all.as_array().expect("a list").len()
}

/// Proves: REF-PRO-06, D-69
#[test]
fn an_identifier_with_a_control_character_is_kept_aside() {
    let server = Server::shared(module_path!());
    // No other test here sends to this provider.
    let aside = || {
        let list = "list --quarantined --provider FX202 --json";
        referrals(server, list).as_array().expect("a list").len()
    };
    for bad in ["a\u{0}b", "\u{0}", "a\u{7}b", "a\nb", "a\u{85}b", ""] {
        let id = uuid();
        let body = bundle(&Cda::new(&id).xml(), &id, bad);
        let before = aside();
        for _ in 0..2 {
            post_fhir(server, "/itk/FX202", &body).with(400);
        }
        assert_eq!(aside(), before + 1, "{bad:?}: kept, and once");
    }
}

/// Proves: NFR-01, REF-PRO-08
#[test]
fn hostile_xml_is_bounded() {
    let server = Server::shared(module_path!());
    let nested = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    let attributes: String = (0..2_000).map(|i| format!(" a{i}=\"\"")).collect();
    let bombs = [
        (
            "1000",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".to_owned(),
        ),
        ("1000", "<!DOCTYPE a><a/>".to_owned()),
        ("2200", nested(100_000)),
        ("2200", nested(1_000)),
        ("2200", format!("<a{attributes}/>")),
        ("1000", "<a/>".repeat(2)),
        (
            "1000",
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>".to_owned(),
        ),
        ("1000", "\u{0}".to_owned()),
    ];
    for (code, bomb) in bombs {
        let response = post(server, "/itk/FX101", "text/xml", bomb.as_bytes()).with(500);
        check_fault(&response, code);
        let inside = faulted(server, &Itk::new(&bomb), code);
        assert!(!inside.is_empty());
    }
    let response = post(server, "/itk/FX101", "text/xml", b"\xff\xfe<a/>");
    check_fault(&response, "1000");
    // A small message that unpacks into a large one.
    let bomb = support::http::gzip(&vec![b' '; 80 << 20]);
    let call = Call::new(server.address, "POST", "/itk")
        .with("Content-Type", "text/xml")
        .with("Content-Encoding", "gzip")
        .with("Connection", "close")
        .body(bomb);
    assert_eq!(send(&call).expect("an answer").status, 413);
}

/// Proves: REF-PRO-08, PROV-GEN-11
#[test]
fn what_is_not_received_at_all() {
    let server = Server::shared(module_path!());
    let call = |method: &str, path: &str| {
        Call::new(server.address, method, path)
            .with("Content-Type", "text/xml")
            .with("Connection", "close")
    };
    let got = send(&call("GET", "/itk")).expect("an answer");
    assert_eq!((got.status, got.header("allow")), (405, Some("POST")));
    assert_eq!(
        send(&call("POST", "/itk").body(""))
            .expect("an answer")
            .status,
        400
    );
    assert_eq!(
        send(&call("POST", "/itk/FX999").body("<a/>"))
            .expect("an answer")
            .status,
        404
    );
    let text = call("POST", "/itk")
        .with("Content-Type", "text/plain")
        .body("hello");
    assert_eq!(send(&text).expect("an answer").status, 415);
    let large = call("POST", "/itk")
        .with("Content-Length", &(33 << 20).to_string())
        .body("<a");
    let response = send(&large).expect("an answer").with(413);
    check_fault(&response, "1000");
}

/// Proves: REF-PRO-01, REF-PRO-06
#[test]
fn whose_it_is() {
    let server = Server::shared(module_path!());
    let at = |provider: &str, id: &str| {
        uec(server, format!("show {id} --provider '{provider}'")).code == 0
    };
    // The path wins.
    let cda = Cda::new(&uuid());
    let mut message = Itk::new(&cda.xml());
    message.address = None;
    post(server, "/itk/fx202", message.media_type(), &message.xml()).with(200);
    assert!(
        at("FX202", &cda.id) && !at("FX101", &cda.id),
        "no provider sees another's referrals"
    );
    // Then the envelope, then the document.
    let mut cda = Cda::new(&uuid());
    cda.recipient = Some("FX202".to_owned());
    files(server, &cda);
    assert!(at("FX101", &cda.id));
    let mut cda = Cda::new(&uuid());
    cda.recipient = Some("FX202".to_owned());
    let mut message = Itk::new(&cda.xml());
    message.address = None;
    accepted(server, &message);
    assert!(at("FX202", &cda.id));
    // Then the booking that it points at.
    let (booking, _) = server.booked();
    let mut cda = Cda::new(&booking.document_id);
    cda.recipient = None;
    let mut message = Itk::new(&cda.xml());
    message.address = None;
    accepted(server, &message);
    assert!(at("FX101", &cda.id));
    // Nobody's mail is kept, and its sender told.
    let mut cda = Cda::new(&uuid());
    cda.recipient = Some("FX777".to_owned());
    let mut message = Itk::new(&cda.xml());
    message.address = Some("urn:nhs-uk:addressing:ods:FX777".to_owned());
    let said = faulted(server, &message, "2200");
    assert!(said.contains("/itk/"), "{said}");
    let kept = referrals(server, "quarantine --unassigned --json");
    assert!(
        kept.as_array()
            .expect("a list")
            .iter()
            .any(|r| r["document"] == cda.id.as_str()),
        "{kept}"
    );
}

/// A document of 20 MB, plain and in base64.
///
/// Proves: REF-PRO-01, REF-PRO-02
#[test]
fn twenty_megabytes() {
    let server = Server::shared(module_path!());
    let (booking, _) = server.booked();
    let mut cda = Cda::new(&booking.document_id);
    cda.narrative = "Lorem ipsum ".repeat((20 << 20) / 12);
    let xml = cda.xml();
    accepted(server, &Itk::new(&xml));
    let shown = show(server, &booking.document_id);
    assert_eq!(shown["state"], "linked");
    assert!(shown["bytes"].as_u64().is_some_and(|b| b > 20 << 20));
    let mut packed = Itk::new(&xml);
    packed.base64 = true;
    accepted(server, &packed);
    let id = uuid();
    let mut other = cda.clone();
    other.id.clone_from(&id);
    let body = bundle(&other.xml(), &id, &uuid());
    post_fhir(server, "/itk", &body).with(200);
    // Bookings go on meanwhile.
    server.booked();
    let kept = original(server, &booking.document_id);
    assert!(kept == xml, "byte for byte");
}
