//! Trees made at random from the schema survive both codecs, in any order of members, with anything unknown.

use fhir::schema::{ElementDef, JsonKind, Kind, Schema, TypeDef};
use fhir::{Element, Limits, Value, json, xml};
use proptest::prelude::*;

/// Deep enough for an extension in a contained resource.
const MAX_DEPTH: usize = 4;

/// Small pseudo-random numbers, so that a failing case is one seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

const TEXTS: [&str; 10] = [
    "plain",
    "two words",
    "quote \" back \\ slash / end",
    "line\nbreak\ttab\rreturn",
    "<b>&amp;</b> ]]> 'x'",
    "Zo\u{eb} \u{1f600} \u{2028}\u{85}\u{7f}",
    " leading and trailing ",
    "\u{e000}\u{fffd}\u{ffef}",
    "http://example.org/a?b=c&d=e",
    "eight888",
];
const NUMBERS: [&str; 7] = [
    "0",
    "-1",
    "1.50",
    "0.00",
    "12345678901234567890.000",
    "1e3",
    "-2.5E-7",
];
const MARKUP: [&str; 3] = [
    "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p a=\"b\">x &amp; <i/>y</p></div>",
    "<div xmlns=\"http://www.w3.org/1999/xhtml\">\r\n<p title=\"a\r\n\tb\">x\ry\n\t&#10;</p>\r</div>",
    "<div xmlns='http://www.w3.org/1999/xhtml'><!-- \"it's --><p title='\"\r>'>&lt;\r<![CDATA[ <&\t]]></p></div>",
];
const UNKNOWN: [&str; 4] = ["novel", "_novel", "x-y.z", "n\u{e9}"];
/// Names that JSON can write and XML cannot.
const ODD: [&str; 5] = ["", "a b", "a><b", "1a", "a:b\"\\"];

struct Maker {
    dice: Dice,
    unknown: bool,
    odd: bool,
}

impl Maker {
    fn new(seed: u64) -> Maker {
        Maker {
            dice: Dice(seed),
            unknown: false,
            odd: false,
        }
    }

    fn resource(&mut self, depth: usize) -> Element {
        let name = self.dice.pick(&[
            "Appointment",
            "Patient",
            "Slot",
            "Bundle",
            "OperationOutcome",
            "Location",
            "Parameters",
        ]);
        let mut element = Element::resource(name);
        if let Some(of) = Schema::stu3().resource(name) {
            self.fill(&mut element, of, depth);
        }
        if element.children().is_empty() {
            element.push(Element::text("id", "a"));
        }
        element
    }

    fn fill(&mut self, element: &mut Element, of: &TypeDef, depth: usize) {
        let mut groups: Vec<Vec<Element>> = Vec::new();
        for def in &of.elements {
            if self.dice.roll(of.elements.len()) < 4 {
                let times = if def.is_list() {
                    1 + self.dice.roll(3)
                } else {
                    1
                };
                let group: Vec<Element> = (0..times).filter_map(|_| self.one(def, depth)).collect();
                groups.push(group);
            }
        }
        if self.unknown && self.dice.roll(3) == 0 {
            groups.push(self.novelty(depth));
        }
        while !groups.is_empty() {
            let at = self.dice.roll(groups.len());
            element.children_mut().extend(groups.swap_remove(at));
        }
    }

    fn one(&mut self, def: &ElementDef, depth: usize) -> Option<Element> {
        let mut element = Element::new(def.name);
        if def.is_list() {
            element = element.in_list();
        }
        let Some(of) = Schema::stu3().type_of(def) else {
            let held = (depth > 0)
                .then(|| self.resource(depth - 1))?
                .named(def.name);
            return Some(if def.is_list() { held.in_list() } else { held });
        };
        if of.kind != Kind::Primitive {
            if depth > 0 {
                self.fill(&mut element, of, depth - 1);
            }
            if element.children().is_empty() {
                // Every type has an id.
                element.push(Element::text("id", self.dice.pick(&TEXTS)));
            }
            return Some(element);
        }
        let plain =
            def.name == "id" || def.name == "url" || of.json_kind() == Some(JsonKind::Xhtml);
        let extended = depth > 0 && !plain && self.dice.roll(6) == 0;
        if !extended || self.dice.roll(2) == 0 {
            element.set_value(Some(self.value(of)));
        }
        if extended {
            let extension = Element::new("extension").in_list();
            element.push(
                extension
                    .with(Element::text("url", "urn:x"))
                    .with(Element::text("valueCode", "c")),
            );
        }
        Some(element)
    }

    fn value(&mut self, of: &TypeDef) -> Value {
        match of.json_kind() {
            Some(JsonKind::Boolean) => Value::Boolean(self.dice.roll(2) == 0),
            Some(JsonKind::Number) => Value::Number(self.dice.pick(&NUMBERS).into()),
            Some(JsonKind::Xhtml) => Value::Xhtml(self.dice.pick(&MARKUP).into()),
            _ => Value::String(self.dice.pick(&TEXTS).into()),
        }
    }

    /// Elements of one undefined name: scalars, objects, lists of both.
    fn novelty(&mut self, depth: usize) -> Vec<Element> {
        let name = if self.odd {
            self.dice.pick(&ODD)
        } else {
            self.dice.pick(&UNKNOWN)
        };
        let times = 1 + self.dice.roll(3);
        let listed = times > 1 || self.dice.roll(2) == 0;
        let mut made = Vec::new();
        for _ in 0..times {
            let mut element = Element::new(name);
            match self.dice.roll(4) {
                0 => element.set_value(Some(Value::Boolean(true))),
                1 => element.set_value(Some(Value::Number(self.dice.pick(&NUMBERS).into()))),
                2 if depth > 0 => element.children_mut().extend(self.novelty(depth - 1)),
                _ => element.set_value(Some(Value::String(self.dice.pick(&TEXTS).into()))),
            }
            made.push(if listed { element.in_list() } else { element });
        }
        made
    }
}

/// Children in the order of STU3, so that only content is compared.
fn sorted(element: &Element, of: Option<&TypeDef>) -> Element {
    let schema = Schema::stu3();
    let of = element
        .resource_type()
        .map_or(of, |name| schema.resource(name));
    let def = |child: &Element| of.and_then(|t| t.element(child.name()));
    let mut children: Vec<Element> = element
        .children()
        .iter()
        .map(|child| {
            let kind = def(child).and_then(|d| schema.type_of(d));
            sorted(
                child,
                kind.filter(|t| t.kind != Kind::Primitive)
                    .or_else(|| schema.type_def("Extension")),
            )
        })
        .collect();
    children.sort_by_key(|child| def(child).map_or(u32::MAX, |d| d.order));
    let mut out = element.clone();
    *out.children_mut() = children;
    out
}

fn read_json(text: &[u8]) -> Result<Element, TestCaseError> {
    let parsed = json::parse(text, &Limits::default())
        .map_err(|e| TestCaseError::fail(format!("{e}: {}", String::from_utf8_lossy(text))))?;
    prop_assert!(
        !parsed.has_errors(),
        "{:?}: {}",
        parsed.issues,
        String::from_utf8_lossy(text)
    );
    Ok(parsed.root)
}

fn read_xml(text: &[u8]) -> Result<Element, TestCaseError> {
    let parsed = xml::parse(text, &Limits::default())
        .map_err(|e| TestCaseError::fail(format!("{e}: {}", String::from_utf8_lossy(text))))?;
    prop_assert!(
        !parsed.has_errors(),
        "{:?}: {}",
        parsed.issues,
        String::from_utf8_lossy(text)
    );
    Ok(parsed.root)
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Proves: PROV-GEN-14
    #[test]
    fn json_gives_back_any_tree_in_its_order(seed: u64, odd: bool) {
        let mut maker = Maker::new(seed);
        maker.unknown = true;
        maker.odd = odd;
        let tree = maker.resource(MAX_DEPTH);
        let text = json::write(&tree);
        let back = read_json(&text)?;
        prop_assert_eq!(&back, &tree);
        prop_assert_eq!(shown(&json::write(&back)), shown(&text));
        prop_assert_eq!(read_json(&json::write_pretty(&tree))?, tree);
    }

    /// Proves: PROV-GEN-07
    #[test]
    fn both_formats_say_the_same(seed: u64) {
        let tree = Maker::new(seed).resource(MAX_DEPTH);
        let text = xml::write(&tree);
        let through = read_xml(&text)?;
        prop_assert_eq!(sorted(&through, None), sorted(&tree, None));
        prop_assert_eq!(shown(&xml::write(&through)), shown(&text));
        let back = read_json(&json::write(&through))?;
        prop_assert_eq!(shown(&xml::write(&back)), shown(&text));
    }

    /// A narrative keeps its line ends on the way through XML, and a reader of XML sees no raw one that it would change.
    ///
    /// Proves: PROV-GEN-07, PROV-GEN-14
    #[test]
    fn a_narrative_keeps_its_white_space(title in "[a\\r\\n\\t >']{0,8}", text in "[a\\r\\n\\t \"'>]{0,12}") {
        let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p title=\"{title}\">x{text}</p></div>");
        let div = div.replace("]]>", "]]&gt;");
        let mut narrative = Element::new("text").with(Element::text("status", "generated"));
        narrative.push(Element::new("div").with_value(Value::Xhtml(div.as_str().into())));
        let tree = Element::resource("Patient").with(narrative);
        let json_text = json::write(&tree);
        let xml_text = xml::write(&read_json(&json_text)?);
        prop_assert!(!xml_text.contains(&b'\r'), "{}", shown(&xml_text));
        let back = read_xml(&xml_text)?;
        prop_assert_eq!(shown(&json::write(&back)), shown(&json_text));
        prop_assert_eq!(shown(&xml::write(&back)), shown(&xml_text));
    }

    /// Unknown members, names that XML cannot write among them, never make XML that cannot be read.
    #[test]
    fn xml_of_anything_is_well_formed(seed: u64, odd: bool) {
        let mut maker = Maker::new(seed);
        maker.unknown = true;
        maker.odd = odd;
        let tree = maker.resource(MAX_DEPTH);
        let text = xml::write(&tree);
        let parsed = xml::parse(&text, &Limits::default());
        prop_assert!(parsed.is_ok(), "{:?}: {}", parsed, String::from_utf8_lossy(&text));
    }

    /// Text of any kind is read or refused with a place, and what is read can be written in both formats.
    #[test]
    fn any_text_is_read_or_refused(text in "[\\PC\\x00-\\x20]{0,60}", json_like in "[{}\\[\\]\",:a_1tn\\\\ -]{0,40}", xml_like in "<[<>/a=\"' &;#!?\\[\\]x-]{0,40}") {
        for text in [text, format!("{{\"resourceType\":\"Slot\",{json_like}"), format!("<Slot xmlns=\"http://hl7.org/fhir\">{xml_like}")] {
            for parsed in [json::parse(text.as_bytes(), &Limits::default()), xml::parse(text.as_bytes(), &Limits::default())] {
                match parsed {
                    Ok(parsed) => {
                        json::write(&parsed.root);
                        xml::write(&parsed.root);
                    }
                    Err(issue) => prop_assert!(issue.pos.is_known(), "{}", issue),
                }
            }
        }
    }
}

/// A message that was read and only changes its order of members comes back in that order, byte for byte.
#[test]
fn order_of_members_is_kept() {
    for text in [
        r#"{"resourceType":"Slot","end":"2031-03-04T09:40:00.000+00:00","status":"free","novel":[{"b":1},null,"x"],"identifier":[{"value":"v","system":"s"}],"_odd":{"a":[1,2]},"id":"s"}"#,
        r#"{"resourceType":"Patient","name":[{"_family":{"id":"f"},"given":["Ada","Bea"],"_given":[{"id":"g"},null]}],"contained":[{"resourceType":"Encounter","status":"planned","class":{"code":"AMB"}}]}"#,
    ] {
        let parsed = json::parse(text.as_bytes(), &Limits::default()).unwrap();
        assert!(!parsed.has_errors(), "{:?}", parsed.issues);
        assert_eq!(String::from_utf8_lossy(&json::write(&parsed.root)), text);
    }
}

/// A companion is one element with its value, whichever stands first and however far apart.
#[test]
fn companions_meet_their_values() {
    let first = r#"{"resourceType":"Patient","name":[{"given":["Ada",null],"family":"T","_given":[null,{"id":"x"}]}]}"#;
    let second = r#"{"resourceType":"Patient","name":[{"_given":[null,{"id":"x"}],"family":"T","given":["Ada",null]}]}"#;
    let read = |text: &str| json::parse(text.as_bytes(), &Limits::default()).unwrap();
    let (first, second) = (read(first), read(second));
    assert!(
        !first.has_errors() && !second.has_errors(),
        "{:?} {:?}",
        first.issues,
        second.issues
    );
    assert_eq!(json::write(&first.root), json::write(&second.root));
    let given: Vec<&Element> = first.root.children()[0].all("given").collect();
    assert_eq!(
        (given.len(), given[0].as_str(), given[1].as_str()),
        (2, Some("Ada"), None)
    );
    assert_eq!(given[1].str_of("id"), Some("x"));
}

/// A slot search answer with what suppliers meet in published examples: includes out of order, a
/// Practitioner reached only from the Schedule, white space and tabs of all kinds, escapes that need none.
///
/// Proves: PROV-GEN-07
#[test]
fn slot_search_answer_with_peculiarities() {
    let text = "\u{feff}{\t\"resourceType\" : \"Bundle\",\r\n \"type\":\"searchset\", \"total\":1,\n \"entry\":  [\n\
        {\"fullUrl\":\"https:\\/\\/provider.example.nhs.uk\\/Slot\\/s-1\",\"search\":{\"mode\":\"match\"},\"resource\":{\"id\":\"s-1\",\"status\":\"free\",\
        \"resourceType\":\"Slot\",\"schedule\":{\"reference\":\"Schedule/sch-1\"},\"start\":\"2031-03-04T09:30:00.000+00:00\",\"end\":\"2031-03-04T09:40:00Z\"}},\n\
        {\"resource\":{\"resourceType\":\"Location\",\"id\":\"loc-2\",\"position\":{\"longitude\":-0.10,\"latitude\":51.500},\"name\":\"Caf\\u00e9\"}},\n\
        {\"resource\":{\"resourceType\":\"Schedule\",\"id\":\"sch-1\",\"actor\":[{\"reference\":\"Practitioner/p-1\"}]}} ] }\n";
    let parsed = json::parse(text.as_bytes(), &Limits::default()).unwrap();
    assert!(parsed.issues.is_empty(), "{:?}", parsed.issues);
    let types: Vec<_> = parsed
        .root
        .all("entry")
        .filter_map(|e| e.at("resource")?.resource_type())
        .collect();
    assert_eq!(types, ["Slot", "Location", "Schedule"]);
    let compact = String::from_utf8(json::write(&parsed.root)).unwrap();
    assert!(compact.contains("\"fullUrl\":\"https://provider.example.nhs.uk/Slot/s-1\""));
    assert!(
        compact
            .contains("{\"resourceType\":\"Slot\",\"id\":\"s-1\",\"status\":\"free\",\"schedule\""),
        "{compact}"
    );
    assert!(compact.contains("{\"longitude\":-0.10,\"latitude\":51.500},\"name\":\"Caf\u{e9}\""));
    let in_xml = xml::write(&parsed.root);
    let through = xml::parse(&in_xml, &Limits::default()).unwrap();
    assert!(through.issues.is_empty(), "{:?}", through.issues);
    assert_eq!(sorted(&through.root, None), sorted(&parsed.root, None));
}
