//! Both codecs: round trips, faults with their place, hostile input.

use fhir::{Element, IssueCode, Limits, Parsed, Value, json, xml};

const BOOKING: &str = include_str!("../data/booking.json");

fn read_json(text: &str) -> Parsed {
    json::parse(text.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn read_xml(text: &str) -> Parsed {
    xml::parse(text.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn compact(text: &str) -> String {
    String::from_utf8_lossy(&json::write(&read_json(text).root)).into_owned()
}

fn errors(parsed: &Parsed) -> Vec<String> {
    parsed
        .issues
        .iter()
        .filter(|i| i.is_error())
        .map(|i| format!("{}: {}", i.expression, i.message))
        .collect()
}

/// Proves: PROV-GEN-07
#[test]
fn booking_survives_json_and_xml() {
    let first = read_json(BOOKING);
    assert!(errors(&first).is_empty(), "{:?}", first.issues);
    let text = String::from_utf8(json::write(&first.root)).unwrap();
    assert_eq!(
        compact(&text),
        text,
        "writing what was read changes nothing"
    );
    let through = read_xml(std::str::from_utf8(&xml::write(&first.root)).unwrap());
    assert!(errors(&through).is_empty(), "{:?}", through.issues);
    let back = read_json(std::str::from_utf8(&json::write(&through.root)).unwrap());
    assert_eq!(xml::write(&back.root), xml::write(&first.root));
}

#[test]
fn pretty_is_the_same_resource() {
    let pretty = json::write_pretty(&read_json(BOOKING).root);
    assert!(pretty.windows(3).any(|w| w == b"\n  "));
    assert_eq!(
        compact(std::str::from_utf8(&pretty).unwrap()),
        compact(BOOKING)
    );
}

/// Proves: PROV-GEN-14
#[test]
fn unknown_members_are_kept_in_both_formats() {
    let text = r#"{"resourceType":"Slot","id":"a","novel":{"deep":[{"x":1.50},{"x":2}],"flag":true},"status":"free","listed":["p","q"]}"#;
    let parsed = read_json(text);
    assert!(errors(&parsed).is_empty());
    assert!(
        parsed
            .issues
            .iter()
            .any(|i| i.code == IssueCode::Extension && i.expression == "Slot.novel")
    );
    assert_eq!(compact(text), text);
    let xml = String::from_utf8(xml::write(&parsed.root)).unwrap();
    assert!(
        xml.contains("<novel><deep><x value=\"1.50\"/></deep>"),
        "{xml}"
    );
    assert!(errors(&read_xml(&xml)).is_empty());
}

#[test]
fn decimals_dates_and_companions_keep_their_form() {
    for text in [
        r#"{"resourceType":"Location","position":{"longitude":-1.50,"latitude":53.800}}"#,
        r#"{"resourceType":"Patient","name":[{"given":["Ada",null],"_given":[null,{"extension":[{"url":"http://example.org/e","valueString":"x"}]}]}],"birthDate":"1984-06","_birthDate":{"id":"b"}}"#,
        r#"{"resourceType":"Patient","_gender":{"extension":[{"url":"http://example.org/e","valueBoolean":false}]}}"#,
        "{\"resourceType\":\"Slot\",\"comment\":\"q\\\" b\\\\ n\\n t\\t é 😀 \\u0001\"}",
    ] {
        let parsed = read_json(text);
        assert!(errors(&parsed).is_empty(), "{:?}", parsed.issues);
        assert_eq!(compact(text), text);
        if !text.contains("u0001") {
            let xml = xml::write(&parsed.root);
            assert_eq!(
                compact(
                    std::str::from_utf8(&json::write(
                        &read_xml(std::str::from_utf8(&xml).unwrap()).root
                    ))
                    .unwrap()
                ),
                text
            );
        }
    }
}

#[test]
fn resource_type_may_stand_anywhere() {
    let parsed = read_json(
        r#"{"status":"free","contained":[{"gender":"male","resourceType":"Patient"}],"resourceType":"Slot"}"#,
    );
    assert!(errors(&parsed).is_empty(), "{:?}", parsed.issues);
    assert_eq!(parsed.root.resource_type(), Some("Slot"));
    assert_eq!(
        parsed
            .root
            .get("contained")
            .and_then(Element::resource_type),
        Some("Patient")
    );
}

#[test]
fn structural_faults_are_all_named_with_path_and_place() {
    let parsed = read_json(
        "{\"resourceType\":\"Patient\",\n \"active\":\"true\",\n \"name\":{\"given\":\"Ada\"},\n \"gender\":[\"male\"],\n \"gender\":\"male\",\n \"telecom\":[{\"rank\":\"1\"}], \"address\":[], \"photo\":[null]}",
    );
    let found = errors(&parsed);
    for path in [
        "Patient.active",
        "Patient.name",
        "Patient.name[0].given",
        "Patient.gender",
        "Patient.telecom[0].rank",
        "Patient.address",
        "Patient.photo[0]",
    ] {
        assert!(
            found.iter().any(|f| f.starts_with(&format!("{path}:"))),
            "{path}: {found:#?}"
        );
    }
    assert!(found.iter().any(|f| f.contains("second time")));
    let active = parsed
        .issues
        .iter()
        .find(|i| i.expression == "Patient.active")
        .unwrap();
    assert_eq!((active.pos.line, active.pos.column), (2, 11));
}

/// What was kept from a form that FHIR does not have says so; what stands beside it does not.
#[test]
fn what_was_kept_from_a_wrong_form_is_marked() {
    let parsed = read_json(
        r#"{"resourceType":"Slot","id":7,"status":["free"],"start":"2031-03-04T09:00:00Z","_end":{"id":"e"},
            "end":"a","end":"b","schedule":{"reference":"Schedule/x"},"identifier":{"value":"v"},
            "serviceType":[{"text":"t"}]}"#,
    );
    let odd = |root: &Element| -> Vec<String> {
        let all = root.children().iter().filter(|c| c.is_malformed());
        all.map(|c| c.name().to_owned()).collect()
    };
    assert_eq!(odd(&parsed.root), ["id", "status", "end", "identifier"]);
    assert_eq!(parsed.root.str_of("status"), Some("free"));
    let twice = read_json(r#"{"resourceType":"Slot","status":"free","resourceType":"Patient"}"#);
    assert!(twice.root.is_malformed());
    let xml = r#"<Slot xmlns="http://hl7.org/fhir"><id value="a"/><x:status xmlns:x="urn:x" value="free"/></Slot>"#;
    let other = xml::parse(xml.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(odd(&other.root), ["status"]);
}

/// What the tree cannot hold leaves its name behind, where it stood; a single `null` says that there is nothing.
#[test]
fn what_was_lost_is_named() {
    let parsed = read_json(
        r#"{"resourceType":"Bundle","type":{"value":"searchset"},"total":null,"link":["x"],"entry":[],"entry":[
            {"resource":{"resourceType":"Slot","id":"a"}}],"signature":null}"#,
    );
    let names = ["type", "link", "entry", "total", "signature", "id"];
    let lost = names.map(|name| parsed.root.has_lost(name));
    assert_eq!(lost, [true, true, true, false, false, false]);
    let listed =
        read_json(r#"{"resourceType":"Bundle","entry":[null,{"fullUrl":7,"search":"x"}]}"#);
    assert!(listed.root.has_lost("entry"));
    let entry = listed.root.get("entry").unwrap();
    assert!(entry.has_lost("search") && !entry.has_lost("fullUrl"));
}

/// Proves: ERR-04
#[test]
fn malformed_json_names_line_and_column() {
    for (text, line, column) in [
        ("", 1, 1),
        ("{", 1, 2),
        ("{\"resourceType\":\"Slot\"", 1, 23),
        ("{\"resourceType\":\"Slot\",\n  \"id\" \"a\"}", 2, 8),
        ("{\"resourceType\":\"Slot\",\n\"comment\":\"a\nb\"}", 2, 13),
        ("{\"resourceType\":\"Slot\",}", 1, 24),
        ("[1]", 1, 1),
        ("{\"resourceType\":\"Slot\"} x", 1, 25),
        ("{\"comment\":\"é\\ud800\"}", 1, 20),
        ("{\"a\":01}", 1, 6),
        ("{\"a\":nul}", 1, 6),
    ] {
        let issue = json::parse(text.as_bytes(), &Limits::default()).unwrap_err();
        assert_eq!(
            (issue.pos.line, issue.pos.column),
            (line, column),
            "{text}: {issue}"
        );
    }
    assert!(
        json::parse(b"{\"a\":\"\xff\"}", &Limits::default())
            .unwrap_err()
            .message
            .contains("UTF-8")
    );
}

/// Proves: ERR-04, PROV-GEN-14
#[test]
fn xml_out_of_order_is_a_structural_error() {
    let parsed = read_xml(
        "<Slot xmlns=\"http://hl7.org/fhir\">\n<status value=\"free\"/>\n<schedule><reference value=\"Schedule/1\"/></schedule></Slot>",
    );
    let issue = parsed.issues.iter().find(|i| i.is_error()).unwrap();
    assert_eq!(issue.expression, "Slot.schedule");
    assert_eq!(issue.pos.line, 3);
    assert!(
        issue.message.contains("`schedule` stands after `status`"),
        "{}",
        issue.message
    );
    let shuffled = "<Slot xmlns=\"http://hl7.org/fhir\"><novel value=\"1\"/><schedule><reference value=\"Schedule/1\"/></schedule><novel/><status value=\"free\"/></Slot>";
    assert!(errors(&read_xml(shuffled)).is_empty());
}

/// Proves: ERR-04
#[test]
fn dangerous_xml_is_refused() {
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]><Slot xmlns=\"http://hl7.org/fhir\"><comment value=\"&c;\"/></Slot>";
    let outside = "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><Slot xmlns=\"http://hl7.org/fhir\"/>";
    let entity = "<Slot xmlns=\"http://hl7.org/fhir\"><comment value=\"&c;\"/></Slot>";
    let pi = "<?php x?><Slot xmlns=\"http://hl7.org/fhir\"/>";
    let latin =
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><Slot xmlns=\"http://hl7.org/fhir\"/>";
    let cut = "<Slot xmlns=\"http://hl7.org/fhir\"><status value=\"free\"/>";
    let crossed = "<Slot xmlns=\"http://hl7.org/fhir\"><status></Slot></status>";
    for text in [bomb, outside, entity, pi, latin, cut, crossed, "", "plain"] {
        let issue = xml::parse(text.as_bytes(), &Limits::default()).unwrap_err();
        assert!(issue.is_error(), "{text}");
    }
    for text in [
        "<Slot/>",
        "<Slot xmlns=\"http://hl7.org/fhir\">words</Slot>",
        "<Slot xmlns=\"http://hl7.org/fhir\" id=\"x\"/>",
    ] {
        assert!(read_xml(text).has_errors(), "{text}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = format!(
        "{{\"resourceType\":\"Slot\",\"a\":{}1{}}}",
        "{\"a\":".repeat(10_000),
        "}".repeat(10_000)
    );
    assert_eq!(
        json::parse(deep.as_bytes(), &Limits::default())
            .unwrap_err()
            .code,
        IssueCode::TooLong
    );
    let arrays = format!("{{\"a\":{}", "[".repeat(100_000));
    assert!(json::parse(arrays.as_bytes(), &Limits::default()).is_err());
    let deep = format!(
        "<Slot xmlns=\"http://hl7.org/fhir\">{}",
        "<a>".repeat(10_000)
    );
    assert_eq!(
        xml::parse(deep.as_bytes(), &Limits::default())
            .unwrap_err()
            .code,
        IssueCode::TooLong
    );
    let large = vec![b' '; (1 << 20) + 1];
    assert_eq!(
        json::parse(&large, &Limits::default()).unwrap_err().code,
        IssueCode::TooLong
    );
    assert_eq!(
        xml::parse(&large, &Limits::default()).unwrap_err().code,
        IssueCode::TooLong
    );
}

#[test]
fn narrative_is_kept_as_it_stands() {
    let text = "<Slot xmlns=\"http://hl7.org/fhir\"><text><status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a &amp; <b>b</b></p></div></text><schedule><reference value=\"Schedule/1\"/></schedule></Slot>";
    let parsed = read_xml(text);
    assert!(errors(&parsed).is_empty(), "{:?}", parsed.issues);
    let div = parsed.root.at("text.div").unwrap();
    assert_eq!(
        div.value(),
        Some(&Value::Xhtml(
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a &amp; <b>b</b></p></div>".into()
        ))
    );
    let written = String::from_utf8(xml::write(&parsed.root)).unwrap();
    assert!(written.ends_with(text), "{written}");
    let through = read_json(&String::from_utf8(json::write(&parsed.root)).unwrap());
    assert_eq!(
        String::from_utf8(xml::write(&through.root)).unwrap(),
        written
    );
}

/// Every prefix and many one-byte changes of a message are read or refused, never a panic.
#[test]
fn damaged_messages_never_panic() {
    let json_text = json::write(&read_json(BOOKING).root);
    let xml_text = xml::write(&read_json(BOOKING).root);
    let mut seed = 0x9e37_79b9_u64;
    let mut next = move || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for text in [json_text, xml_text] {
        for _ in 0..4_000 {
            let mut bytes = text.clone();
            for _ in 0..1 + next() % 3 {
                let at = next() % bytes.len();
                match next() % 4 {
                    0 => bytes.truncate(at + 1),
                    1 => bytes[at] = (next() % 256) as u8,
                    2 => bytes.insert(at, b"{}[]\",:<>&/\\"[next() % 12]),
                    _ => drop(bytes.remove(at)),
                }
                if bytes.is_empty() {
                    bytes.push(b' ');
                }
            }
            for parsed in [
                json::parse(&bytes, &Limits::default()),
                xml::parse(&bytes, &Limits::default()),
            ]
            .into_iter()
            .flatten()
            {
                json::write(&parsed.root);
                xml::write(&parsed.root);
            }
        }
    }
}

/// Messages in the forms that suppliers meet, with their faults.
#[test]
fn messages_in_published_forms_are_read_as_they_are() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/forms");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".json") {
            continue;
        }
        let read = json::parse(&std::fs::read(&path).unwrap(), &Limits::default());
        match name.as_str() {
            n if n.ends_with("-malformed.json") => {
                let issue = read.unwrap_err();
                assert!(issue.pos.is_known(), "{name}");
            }
            "patient.json" => {
                let found = errors(&read.unwrap());
                for path in ["Patient.meta.profile:", "Patient.name[0].given:"] {
                    assert!(found.iter().any(|f| f.starts_with(path)), "{found:?}");
                }
            }
            _ => assert!(errors(&read.unwrap()).is_empty(), "{name}"),
        }
    }
}
