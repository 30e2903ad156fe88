//! Input that wants to harm: it is refused with its place, or read in time that stays in proportion to its size.

use fhir::{Element, Issue, IssueCode, Limits, Parsed, Value, json, xml};

fn read_json(text: &str) -> Result<Parsed, Issue> {
    json::parse(text.as_bytes(), &Limits::default())
}

fn read_xml(text: &str) -> Result<Parsed, Issue> {
    xml::parse(text.as_bytes(), &Limits::default())
}

fn slot_xml(inside: &str) -> String {
    format!("<Slot xmlns=\"http://hl7.org/fhir\">{inside}</Slot>")
}

/// Reads, and writes what was read.
fn through(text: &str) {
    for parsed in [read_json(text), read_xml(text)].into_iter().flatten() {
        json::write(&parsed.root);
        xml::write(&parsed.root);
    }
}

/// Reads and writes a text as long as usual ones of its size take.
fn in_time(what: &str, text: &str) {
    const ENTRY: &str = r#"{"resource":{"resourceType":"Slot","status":"free","comment":"usual"}}"#;
    let entries = many(text.len() / ENTRY.len() + 1, |_| ENTRY.to_owned(), ",");
    let usual =
        format!("{{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[{entries}]}}");
    testkit::in_proportion(what, || through(&usual), || through(text));
}

fn many(count: usize, one: impl Fn(usize) -> String, between: &str) -> String {
    (0..count).map(one).collect::<Vec<_>>().join(between)
}

#[test]
fn time_stays_in_proportion_in_json() {
    let members = many(60_000, |i| format!("\"a{i}\":1"), ",");
    in_time(
        "many undefined members",
        &format!("{{\"resourceType\":\"Slot\",{members}}}"),
    );
    let twins = many(
        30_000,
        |i| format!("\"a{i}\":1,\"_a{i}\":{{\"id\":\"x\"}}"),
        ",",
    );
    in_time(
        "many undefined companions",
        &format!("{{\"resourceType\":\"Slot\",{twins}}}"),
    );
    let same = many(90_000, |_| "\"status\":\"free\"".to_owned(), ",");
    in_time(
        "one member many times",
        &format!("{{\"resourceType\":\"Slot\",{same}}}"),
    );
    let given = many(80_000, |_| "\"a\"".to_owned(), ",");
    let beside = many(40_000, |_| "null".to_owned(), ",");
    in_time(
        "a long list with companions",
        &format!(
            "{{\"resourceType\":\"Patient\",\"name\":[{{\"_given\":[{beside}],\"x\":1,\"given\":[{given}]}}]}}"
        ),
    );
    let entries = many(
        40_000,
        |_| "{\"resource\":{\"resourceType\":\"Slot\"}}".to_owned(),
        ",",
    );
    in_time(
        "many resources",
        &format!("{{\"resourceType\":\"Bundle\",\"entry\":[{entries}]}}"),
    );
    let unnamed = format!(
        "{}{}",
        "{\"contained\":[".repeat(70),
        "{\"a\":1},".repeat(100_000)
    );
    in_time("resources without a type inside one another", &unnamed);
    let wide = many(40_000, |_| "{\"a\":{}}".to_owned(), ",");
    in_time(
        "many faults",
        &format!("{{\"resourceType\":\"Slot\",\"identifier\":[{wide}]}}"),
    );
    let name = "n".repeat(500_000);
    in_time(
        "a long name",
        &format!("{{\"resourceType\":\"Slot\",\"{name}\":[{given}]}}"),
    );
    let escapes = "\\u00e9".repeat(150_000);
    in_time(
        "many escapes",
        &format!("{{\"resourceType\":\"Slot\",\"comment\":\"{escapes}\"}}"),
    );
}

#[test]
fn time_stays_in_proportion_in_xml() {
    in_time(
        "many undefined elements",
        &slot_xml(&many(80_000, |i| format!("<a{i}/>"), "")),
    );
    in_time(
        "many attributes",
        &slot_xml(&format!(
            "<a {}/>",
            many(90_000, |i| format!("a{i}=''"), " ")
        )),
    );
    let namespaces = many(40_000, |i| format!("xmlns:a{i}='u'"), " ");
    in_time(
        "many namespaces",
        &slot_xml(&format!("<a {namespaces}>{}</a>", "<b/>".repeat(40_000))),
    );
    let nested = many(
        60,
        |i| format!("<a {}>", many(30, |j| format!("xmlns:a{i}-{j}='u'"), " ")),
        "",
    );
    in_time(
        "nested namespaces",
        &slot_xml(&format!("{nested}{}", "<b/>".repeat(80_000))),
    );
    in_time("many texts", &slot_xml(&"<a/>t".repeat(90_000)));
    in_time(
        "many references",
        &slot_xml(&format!("<comment value=\"{}\"/>", "&#10;".repeat(150_000))),
    );
    in_time(
        "a long comment",
        &slot_xml(&format!("<!--{}-->", "- ".repeat(400_000))),
    );
    let list = "<identifier><value value=\"a\"/></identifier>".repeat(20_000);
    in_time("a long list", &slot_xml(&list));
    let markup = format!(
        "<text><status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div></text>",
        "<p a='b'>x</p>".repeat(60_000)
    );
    in_time("a long narrative", &slot_xml(&markup));
    let attributes = many(60_000, |i| format!("a{i}='b'"), " ");
    let markup = markup.replacen("<p a='b'>", &format!("<p {attributes}>"), 1);
    in_time("a narrative with many attributes", &slot_xml(&markup));
}

#[test]
fn numbers_and_names_are_bounded() {
    let digits = "9".repeat(1_000);
    for text in [
        format!("{{\"resourceType\":\"Location\",\"position\":{{\"longitude\":{digits}}}}}"),
        format!("{{\"resourceType\":\"Slot\",\"a\":-{digits}}}"),
        format!("{{\"resourceType\":\"Slot\",\"{digits}\":1}}"),
    ] {
        let issue = read_json(&text).unwrap_err();
        assert!(
            issue.is_error() && issue.pos.line == 1 && issue.message.len() < 200,
            "{issue}"
        );
    }
    let xml = slot_xml(&format!("<overbooked value=\"{digits}\"/>"));
    assert!(read_xml(&xml).unwrap().has_errors());
    assert_eq!(
        read_xml(&slot_xml(&format!("<a{digits}/>")))
            .unwrap_err()
            .code,
        IssueCode::TooLong
    );
}

/// A flood of notes must not hide the one error.
#[test]
fn notes_do_not_crowd_out_errors() {
    let notes = many(1_000, |i| format!("\"a{i}\":1"), ",");
    let parsed = read_json(&format!(
        "{{\"resourceType\":\"Slot\",{notes},\"status\":1}}"
    ))
    .unwrap();
    assert!(parsed.has_errors());
    assert!(parsed.issues.len() <= 2 * Limits::default().max_issues);
    let notes = many(1_000, |i| format!("<a{i}/>"), "");
    let parsed = read_xml(&slot_xml(&format!("{notes}<status value=\"\"/>"))).unwrap();
    assert!(parsed.has_errors());
}

#[test]
fn surrogates_and_control_characters() {
    let read = |inside: &str| {
        read_json(&format!(
            "{{\"resourceType\":\"Slot\",\"comment\":\"{inside}\"}}"
        ))
    };
    let pair = read("\\uD83D\\uDE00").unwrap();
    assert_eq!(pair.root.str_of("comment"), Some("\u{1f600}"));
    for bad in [
        "\\uD83D",
        "\\uDE00",
        "\\uD83Dx",
        "\\uD83D\\n",
        "\\uD83D\\uD83D",
        "\\u12G4",
        "\\u12",
        "\\x41",
        "\u{1}",
        "a\tb",
    ] {
        let issue = read(bad).unwrap_err();
        assert_eq!(issue.pos.line, 1, "{bad:?}");
        assert!(issue.pos.column > 34, "{bad:?}: {issue}");
    }
    for bad in [
        "&#0;",
        "&#x1;",
        "&#xFFFE;",
        "&#xD800;",
        "&#+65;",
        "&#x110000;",
        "&nbsp;",
        "&amp",
        "&",
        "<",
    ] {
        let text = slot_xml(&format!("<comment value=\"{bad}\"/>"));
        assert!(read_xml(&text).unwrap_err().pos.is_known(), "{bad}");
    }
    for raw in ["\u{1}", "\u{ffff}", "\u{fffe}"] {
        assert!(
            read_xml(&slot_xml(&format!("<comment value=\"{raw}\"/>"))).is_err(),
            "{raw:?}"
        );
    }
    let kept = read_xml(&slot_xml(
        "<comment value=\"a&#10;b&#x9;c\r\nd&quot;&apos;&lt;&gt;&amp;\u{fffd}\"/>",
    ))
    .unwrap();
    assert_eq!(kept.root.str_of("comment"), Some("a\nb\tc d\"'<>&\u{fffd}"));
}

/// A message cut off anywhere is refused, and the place is where it ends.
#[test]
fn truncated_messages_name_the_place() {
    let text = "{\"resourceType\":\"Slot\",\n\"status\":\"free\",\n\"identifier\":[{\"value\":\"\u{e9}\"}]}";
    let xml = slot_xml(
        "\n<comment value=\"a\"/>\n<text><div xmlns=\"http://www.w3.org/1999/xhtml\">a</div></text>",
    );
    for (at, _) in text.char_indices() {
        let issue = read_json(&text[..at]).unwrap_err();
        assert!(issue.pos.is_known(), "{at}: {issue}");
        if at > 40 {
            assert_eq!(issue.pos.line, 3, "{at}: {issue}");
        }
    }
    for (at, _) in xml.char_indices() {
        assert!(read_xml(&xml[..at]).unwrap_err().pos.is_known(), "{at}");
    }
}

/// Names and narrative of JSON cannot put markup of their own into XML.
#[test]
fn nothing_from_json_becomes_markup() {
    let quote = |text: &str| text.replace('"', "\\\"");
    for div in [
        "</div><status value=\"x\"/><div>",
        "<div>no namespace</div>",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\">open",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"/><status value=\"x\"/>",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\">&nbsp;</div>",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><a b=\"<\"/></div>",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><x:a/></div>",
        "<!DOCTYPE a><div xmlns=\"http://www.w3.org/1999/xhtml\"/>",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\">\\u0001</div>",
        "plain & simple",
    ] {
        let text = format!(
            "{{\"resourceType\":\"Slot\",\"text\":{{\"status\":\"generated\",\"div\":\"{}\"}},\"a><b\":1,\"x y\":{{\"c\":1}}}}",
            quote(div)
        );
        let parsed = read_json(&text).unwrap();
        let written = String::from_utf8(xml::write(&parsed.root)).unwrap();
        let back = read_xml(&written).unwrap();
        assert!(!back.has_errors(), "{written}: {:?}", back.issues);
        assert_eq!(back.root.children().len(), 1, "{written}");
        let markup = back.root.at("text.div").and_then(Element::value);
        assert!(matches!(markup, Some(Value::Xhtml(_))), "{written}");
    }
    let typed = read_json("{\"resourceType\":\"a b=''\",\"id\":\"x\"}").unwrap();
    assert!(typed.has_errors());
    assert!(read_xml(&String::from_utf8(xml::write(&typed.root)).unwrap()).is_ok());
}

#[test]
fn xml_that_is_not_one_fhir_resource() {
    let fhir = "xmlns=\"http://hl7.org/fhir\"";
    for text in [
        format!("<a:Slot xmlns:b=\"u\" {fhir}/>"),
        format!("<Slot {fhir}/><Slot {fhir}/>"),
        format!("<Slot {fhir}/>tail"),
        format!("<Slot {fhir}></Slot><?xml version=\"1.0\"?>"),
        format!(" <?xml version=\"1.0\"?><Slot {fhir}/>"),
        format!("<?xml version=\"1.1\"?><Slot {fhir}/>"),
        format!("<Slot {fhir}><?pi?></Slot>"),
        format!("<Slot {fhir}><status value=\"a\" value=\"b\"/></Slot>"),
        format!("<Slot {fhir}><!-- a -- b --></Slot>"),
        format!("<Slot {fhir}><1a/></Slot>"),
        format!("<Slot {fhir}>&other;</Slot>"),
    ] {
        let read = read_xml(&text);
        assert!(read.as_ref().map_or(true, Parsed::has_errors), "{text}");
    }
    for (inside, path) in [
        ("<contained/>", "Slot.contained[0]"),
        (
            "<contained><Patient><id value=\"a\"/></Patient><Patient><id value=\"b\"/></Patient></contained>",
            "Slot.contained[0]",
        ),
        ("<status>free</status>", "Slot.status"),
        ("<status/>", "Slot.status"),
        ("<status code=\"free\"/>", "Slot.status"),
        ("<overbooked value=\"yes\"/>", "Slot.overbooked"),
        (
            "<status value=\"free\"><valueCode value=\"x\"/><extension/></status>",
            "Slot.status.extension[0]",
        ),
        (
            "<text><status value=\"generated\"/><div>a</div></text>",
            "Slot.text.div",
        ),
        (
            "<identifier><value value=\"a\"/><system value=\"s\"/></identifier>",
            "Slot.identifier[0].system",
        ),
    ] {
        let parsed = read_xml(&slot_xml(inside)).unwrap();
        let found: Vec<&str> = parsed
            .issues
            .iter()
            .filter(|i| i.is_error())
            .map(|i| i.expression.as_str())
            .collect();
        assert!(found.contains(&path), "{inside}: {:?}", parsed.issues);
    }
}

/// XHTML by prefix is the same XHTML: what the message around it declares is declared in the markup, which stands alone
/// in JSON.
///
/// Proves: D-59
#[test]
fn narrative_by_prefix_is_read_and_stands_alone() {
    const XHTML: &str = "http://www.w3.org/1999/xhtml";
    for (root, inside, kept) in [
        (
            format!("xmlns=\"http://hl7.org/fhir\" xmlns:h=\"{XHTML}\""),
            "<h:div id=\"a\">a<h:b>b</h:b></h:div>".to_owned(),
            format!("<h:div xmlns:h=\"{XHTML}\" id=\"a\">a<h:b>b</h:b></h:div>"),
        ),
        (
            "xmlns=\"http://hl7.org/fhir\"".to_owned(),
            format!("<h:div xmlns:h=\"{XHTML}\">a</h:div>"),
            format!("<h:div xmlns:h=\"{XHTML}\">a</h:div>"),
        ),
        (
            "xmlns=\"http://hl7.org/fhir\"".to_owned(),
            format!(" <!-- x --> <div xmlns=\"{XHTML}\">a</div>\n"),
            format!("<div xmlns=\"{XHTML}\">a</div>"),
        ),
    ] {
        let text =
            format!("<Slot {root}><text><status value=\"generated\"/>{inside}</text></Slot>");
        let parsed = read_xml(&text).unwrap();
        assert!(!parsed.has_errors(), "{inside}: {:?}", parsed.issues);
        assert_eq!(parsed.root.at("text.div").unwrap().as_str(), Some(&*kept));
        let again = read_xml(&String::from_utf8(xml::write(&parsed.root)).unwrap()).unwrap();
        assert_eq!(again.root, parsed.root, "{inside}");
    }
    let fhir_by_prefix = format!(
        "<f:Slot xmlns:f=\"http://hl7.org/fhir\" xmlns=\"{XHTML}\"><f:text><f:status value=\"generated\"/>\
         <div>a</div></f:text></f:Slot>"
    );
    let parsed = read_xml(&fhir_by_prefix).unwrap();
    assert!(!parsed.has_errors(), "{:?}", parsed.issues);
    let kept = format!("<div xmlns=\"{XHTML}\">a</div>");
    assert_eq!(parsed.root.at("text.div").unwrap().as_str(), Some(&*kept));
    for other in [
        "<div>a</div>",
        "<h:p>a</h:p>",
        "<k:div>a</k:div>",
        "<h:div h:a=\"b\" k:a=\"b\">a</h:div>",
    ] {
        let text = format!(
            "<Slot xmlns=\"http://hl7.org/fhir\" xmlns:h=\"{XHTML}\" xmlns:k=\"u\"><text><status value=\"generated\"/>\
             {other}</text></Slot>"
        );
        let issues = read_xml(&text).unwrap().issues;
        assert!(
            issues
                .iter()
                .any(|i| i.is_error() && i.expression.starts_with("Slot.text.")),
            "{other}: {issues:?}"
        );
    }
    // White space and comments around the div are no part of it.
    let around = format!(
        "{{\"resourceType\":\"Slot\",\"text\":{{\"status\":\"generated\",\"div\":\" <div xmlns=\\\"{XHTML}\\\">a</div><!-- b -->\\n\"}}}}"
    );
    let parsed = read_json(&around).unwrap();
    assert_eq!(
        String::from_utf8(json::write(&parsed.root)).unwrap(),
        around
    );
    let back = read_xml(&String::from_utf8(xml::write(&parsed.root)).unwrap()).unwrap();
    assert_eq!(back.root.at("text.div").unwrap().as_str(), Some(&*kept));
}

/// Prefixes of FHIR's own namespace.
#[test]
fn fhir_by_prefix_is_read() {
    let prefixed = "<f:Slot xmlns:f=\"http://hl7.org/fhir\" xmlns:xsi=\"u\" xsi:schemaLocation=\"a b\"><f:comment value=\"a\"/></f:Slot>";
    let parsed = read_xml(prefixed).unwrap();
    assert!(!parsed.has_errors(), "{:?}", parsed.issues);
    assert_eq!(parsed.root.str_of("comment"), Some("a"));
}

/// Resource types outside the table are known as such: noted, kept, no error. Others are an error.
#[test]
fn other_resource_types() {
    for (name, error) in [
        ("Encounter", false),
        ("HumanName", true),
        ("Nonsense", true),
    ] {
        let text = format!("{{\"resourceType\":\"{name}\",\"id\":\"a\",\"x\":[{{\"y\":1}}]}}");
        let parsed = read_json(&text).unwrap();
        assert_eq!(parsed.has_errors(), error, "{name}");
        assert_eq!(parsed.issues.len(), 1, "{name}");
        assert_eq!(String::from_utf8(json::write(&parsed.root)).unwrap(), text);
    }
}

#[test]
fn byte_order_mark_is_passed_over() {
    let json = read_json("\u{feff}{\"resourceType\":\"Slot\",\"id\":}").unwrap_err();
    assert_eq!((json.pos.line, json.pos.column), (1, 29));
    assert!(read_xml(&format!("\u{feff}{}", slot_xml("<id value=\"a\"/>"))).is_ok());
}

/// Rounds of damage in the ordinary test run; `CODEC_ROUNDS` asks for more.
const ROUNDS: usize = 3_000;

/// Whatever damage leaves readable is written so that it reads the same again.
#[test]
fn what_is_read_from_damaged_messages_is_written_faithfully() {
    const MESSAGE: &str = r#"{"resourceType":"Patient","id":"p","_birthDate":{"extension":[{"url":"urn:x","valueDecimal":1.50}]},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a &amp; b</div>"},"contained":[{"gender":"male","resourceType":"Patient"}],"active":true,"name":[{"given":["Ada",null],"_given":[null,{"id":"g"}],"family":"Testwell"}],"telecom":[{"rank":1}],"novel":[{"a":[1,2]},null,"x\n\u00e9"]}"#;
    const PIECES: [&str; 14] = [
        "{", "}", "[", "]", "\"", ":", ",", "null", "_", "\\u00", "<", "&", "'", "/>",
    ];
    let rounds = std::env::var("CODEC_ROUNDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(ROUNDS);
    let mut seed = 0x5eed_u64;
    let mut roll = move |sides: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % sides
    };
    let tree = read_json(MESSAGE).unwrap();
    assert!(!tree.has_errors(), "{:?}", tree.issues);
    let (json_text, xml_text) = (json::write(&tree.root), xml::write(&tree.root));
    let mut clean = 0;
    for round in 0..rounds {
        let mut bytes = if round % 2 == 0 {
            json_text.clone()
        } else {
            xml_text.clone()
        };
        for _ in 0..=roll(2) {
            let (at, to) = (roll(bytes.len()), roll(bytes.len()));
            match roll(5) {
                0 => bytes[at] = roll(256) as u8,
                1 => drop(bytes.splice(at..at, PIECES[roll(PIECES.len())].bytes())),
                2 => drop(bytes.drain(at.min(to)..at.max(to).min(at.min(to) + 12))),
                3 => {
                    let copied = bytes[at.min(to)..at.max(to).min(at.min(to) + 40)].to_vec();
                    drop(bytes.splice(at..at, copied));
                }
                _ => bytes.swap(at, to),
            }
        }
        let read = if round % 2 == 0 {
            json::parse
        } else {
            xml::parse
        };
        let Ok(parsed) = read(&bytes, &Limits::default()) else {
            continue;
        };
        let (as_json, as_xml) = (json::write(&parsed.root), xml::write(&parsed.root));
        let what = String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            xml::parse(&as_xml, &Limits::default()).is_ok(),
            "{what}\n{}",
            String::from_utf8_lossy(&as_xml)
        );
        let again = json::parse(&as_json, &Limits::default());
        assert!(again.is_ok(), "{what}\n{again:?}");
        if !parsed.has_errors() {
            clean += 1;
            if round % 2 == 0 {
                assert_eq!(again.unwrap().root, parsed.root, "{what}");
            } else {
                let twice = json::write(&again.unwrap().root);
                assert_eq!(
                    String::from_utf8_lossy(&twice),
                    String::from_utf8_lossy(&as_json),
                    "{what}"
                );
            }
        }
    }
    assert!(
        clean > rounds / 50,
        "only {clean} of {rounds} were still readable"
    );
}

/// An id that stands as an attribute and as an element could be written only as the same attribute twice.
#[test]
fn an_attribute_stands_once() {
    for (inside, twice) in [
        ("<identifier id=\"a\"><id value=\"b\"/></identifier>", true),
        (
            "<identifier><id value=\"a\"/><id value=\"b\"/></identifier>",
            true,
        ),
        (
            "<extension url=\"u:a\"><url value=\"u:b\"/><valueCode value=\"c\"/></extension>",
            true,
        ),
        ("<odd id=\"a\"><id value=\"b\"/></odd>", true),
        (
            "<identifier id=\"a\"><value value=\"b\"/></identifier>",
            false,
        ),
        (
            "<extension url=\"u:a\" id=\"a\"><valueCode value=\"c\"/></extension>",
            false,
        ),
    ] {
        let parsed = read_xml(&slot_xml(inside)).expect("XML");
        assert_eq!(parsed.has_errors(), twice, "{inside}: {:?}", parsed.issues);
        let told = parsed
            .issues
            .iter()
            .any(|i| i.message.contains("stands once"));
        assert_eq!(told, twice, "{inside}: {:?}", parsed.issues);
    }
}
