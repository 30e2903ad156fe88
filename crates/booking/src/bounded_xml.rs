//! Parses foreign XML that is not FHIR (SOAP, ITK, CDA), after checking what a tree of it would cost.
//!
//! [`parse`] is the only way from text to a tree in this program; `clippy.toml` forbids the others. The tree's parser is
//! fast for ordinary documents only: it copies the namespaces in scope to each element that declares one, and compares
//! names pair by pair. So one pass without a tree counts the tree's size and cost first, and stops at the first bound that
//! is exceeded.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use roxmltree::{Document, ParsingOptions};
use std::fmt;

/// Deepest nesting. A CDA with nested sections and tables has about 40 levels.
pub const MAX_DEPTH: usize = 200;
/// Most attributes and declarations of one element; a CDA's root has about ten.
pub const MAX_ATTRIBUTES: usize = 64;
/// Most prefixes in scope at one place; an ITK message has about ten.
pub const MAX_IN_SCOPE: usize = 64;
/// Longest name of an element, attribute or prefix, and longest URI of a namespace, bytes.
pub const MAX_NAME: usize = 256;
/// Most name comparisons per node, on average. Twice the cost of an element with two declarations and five attributes where
/// ten prefixes are in scope.
const WORK_EACH: u64 = 250;
/// Documents with fewer nodes are judged as if they had so many.
const LEAST: u32 = 1_000;
/// Most attributes and declarations per node, on average.
const ATTRIBUTES_EACH: usize = 2;
/// Most `=` per node, on average: the tree's parser reserves an attribute for each one, even in text.
const EQUALS_EACH: usize = 8;

/// Bounds of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most elements, texts, comments and processing instructions.
    nodes: u32,
}

impl Bounds {
    /// Bounds for so many elements, texts, comments and processing instructions, and twice as many attributes.
    pub const fn nodes(nodes: u32) -> Bounds {
        Bounds { nodes }
    }

    fn work(self) -> u64 {
        u64::from(self.nodes.max(LEAST)) * WORK_EACH
    }

    /// Most bytes of a tree within these bounds, without the document's text and the texts with references, which the tree
    /// copies. A node or attribute takes about 80 bytes; shrinking the vectors copies them.
    pub const fn tree_bytes(self) -> u64 {
        const EACH: u64 = 80;
        self.nodes as u64 * (1 + ATTRIBUTES_EACH as u64) * EACH * 2
    }
}

/// The cost of a tree, counted without building it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Elements, texts, comments and processing instructions.
    pub nodes: u32,
    /// Attributes, with declarations.
    pub attributes: u32,
    /// Name comparisons while the tree is built.
    pub work: u64,
    /// A used prefix is not declared: the text is part of a document that declares it.
    pub undeclared: bool,
}

/// Why there is no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Malformed at this line and column, from 1.
    Malformed(u32, u32),
    /// It has a document type, which is never read.
    DocType,
    /// The cost exceeds a bound: which, and its value.
    Costly(&'static str, u64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Malformed(line, column) => {
                write!(f, "is not well-formed XML (line {line}, column {column})")
            }
            Fault::DocType => f.write_str("has a DOCTYPE, which is never read"),
            Fault::Costly(what, most) => {
                write!(f, "has more than {most} {what}, which is more than is read")
            }
        }
    }
}

/// Reads a document within its bounds.
pub fn parse(text: &str, bounds: Bounds) -> Result<Document<'_>, Fault> {
    measure(text, bounds)?;
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: bounds.nodes.saturating_add(1),
        ..ParsingOptions::default()
    };
    #[expect(clippy::disallowed_methods)] // The one place: measured in the line above.
    let read = Document::parse_with_options(text, options);
    read.map_err(|error| match error {
        roxmltree::Error::DtdDetected => Fault::DocType,
        roxmltree::Error::NodesLimitReached => Fault::Costly(NODES, u64::from(bounds.nodes)),
        error => {
            let at = error.pos();
            Fault::Malformed(at.row, at.col)
        }
    })
}

const NODES: &str = "elements and texts";

/// Counts size and cost of a tree of this text. The error is the first bound that is exceeded.
pub fn measure(text: &str, bounds: Bounds) -> Result<Cost, Fault> {
    let most = bounds.nodes.max(LEAST) as usize;
    let count = |wanted: u8| text.bytes().filter(|b| *b == wanted).count();
    // The parser reserves a node for each `<` and an attribute for each `=`.
    if count(b'<') > 2 * most {
        return Err(Fault::Costly("signs `<`", 2 * most as u64));
    }
    if count(b'=') > EQUALS_EACH * most {
        return Err(Fault::Costly("signs `=`", (EQUALS_EACH * most) as u64));
    }
    let mut reader = Reader::from_str(text);
    let mut scope = Scope::default();
    let mut cost = Cost::default();
    // Texts and the references between them make one text.
    let mut in_text = false;
    // Ends with the text: every event consumes a character.
    loop {
        let event = reader.read_event();
        let goes_on = in_text;
        in_text = matches!(event, Ok(Event::Text(_) | Event::GeneralRef(_)));
        let broken = || malformed(text, reader.error_position());
        match event {
            Err(_) => return Err(broken()),
            Ok(Event::Eof) if scope.marks.is_empty() => return Ok(cost),
            Ok(Event::Eof) => return Err(malformed(text, text.len() as u64)),
            Ok(Event::DocType(_)) => return Err(Fault::DocType),
            Ok(Event::Start(start)) => {
                element(&start, &mut scope, &mut cost).map_err(|f| f.unwrap_or_else(broken))?
            }
            Ok(Event::Empty(start)) => {
                element(&start, &mut scope, &mut cost).map_err(|f| f.unwrap_or_else(broken))?;
                scope.leave();
            }
            Ok(Event::End(_)) => {
                scope.leave();
                continue;
            }
            Ok(_) if in_text && goes_on => continue,
            Ok(_) => cost.nodes = cost.nodes.saturating_add(1),
        }
        if cost.nodes > bounds.nodes {
            return Err(Fault::Costly(NODES, u64::from(bounds.nodes)));
        }
        if cost.attributes as usize > ATTRIBUTES_EACH * most {
            return Err(Fault::Costly("attributes", (ATTRIBUTES_EACH * most) as u64));
        }
        if cost.work > bounds.work() {
            return Err(Fault::Costly(
                "comparisons of names and namespaces to make",
                bounds.work(),
            ));
        }
    }
}

/// The prefixes in scope, each once, as the tree's parser keeps them.
#[derive(Default)]
struct Scope {
    prefixes: Vec<String>,
    /// Length of `prefixes` outside each open element.
    marks: Vec<usize>,
}

impl Scope {
    fn has(&self, prefix: &str) -> bool {
        self.prefixes.iter().any(|p| p == prefix)
    }

    fn leave(&mut self) {
        let outside = self.marks.pop().unwrap_or(0);
        self.prefixes.truncate(outside);
    }
}

/// Counts one start tag. An error without a fault means malformed.
fn element(
    start: &BytesStart<'_>,
    scope: &mut Scope,
    cost: &mut Cost,
) -> Result<(), Option<Fault>> {
    let long = || {
        Some(Fault::Costly(
            "bytes in a name or the URI of a namespace",
            MAX_NAME as u64,
        ))
    };
    if scope.marks.len() >= MAX_DEPTH {
        return Err(Some(Fault::Costly("levels of nesting", MAX_DEPTH as u64)));
    }
    if start.name().as_ref().len() > MAX_NAME {
        return Err(long());
    }
    scope.marks.push(scope.prefixes.len());
    let (mut all, mut declared) = (0_u32, 0_u64);
    // Prefixes to look up: the element's, and those of its attributes.
    let mut used: Vec<&str> = Vec::new();
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| None)?;
        let key = attribute.key.into_inner();
        all += 1;
        if all as usize > MAX_ATTRIBUTES {
            let most = MAX_ATTRIBUTES as u64;
            return Err(Some(Fault::Costly("attributes of one element", most)));
        }
        if key.len() > MAX_NAME {
            return Err(long());
        }
        let prefix = match key.split_once(':') {
            Some(("xmlns", prefix)) => prefix,
            None if key == "xmlns" => "",
            Some((prefix, _)) => {
                used.push(prefix);
                continue;
            }
            None => continue,
        };
        if attribute.value.len() > MAX_NAME {
            return Err(long());
        }
        declared += 1;
        if !scope.has(prefix) {
            scope.prefixes.push(prefix.to_owned());
        }
        if scope.prefixes.len() > MAX_IN_SCOPE {
            let most = MAX_IN_SCOPE as u64;
            return Err(Some(Fault::Costly("namespace prefixes in scope", most)));
        }
    }
    let looked_up = 1 + used.len() as u64;
    used.extend(
        start
            .name()
            .into_inner()
            .split_once(':')
            .map(|(prefix, _)| prefix),
    );
    cost.undeclared |= used.iter().any(|p| *p != "xml" && !scope.has(p));
    let in_scope = scope.prefixes.len() as u64;
    let copied = if declared > 0 { in_scope * in_scope } else { 0 };
    cost.nodes = cost.nodes.saturating_add(1);
    cost.attributes = cost.attributes.saturating_add(all);
    cost.work += copied + looked_up * in_scope + u64::from(all) * u64::from(all);
    Ok(())
}

fn malformed(text: &str, offset: u64) -> Fault {
    let offset = usize::try_from(offset)
        .unwrap_or(usize::MAX)
        .min(text.len());
    let before = &text.as_bytes()[..offset];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let last = before.rsplit(|b| *b == b'\n').next().unwrap_or(&[]);
    let column = last.iter().filter(|b| **b & 0xC0 != 0x80).count() + 1;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Fault::Malformed(number(line), number(column))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    const BOUNDS: Bounds = Bounds::nodes(10_000);

    fn costly(text: &str) -> &'static str {
        match parse(text, BOUNDS) {
            Err(Fault::Costly(what, _)) => what,
            other => panic!("{:?}", other.map(|_| "a tree")),
        }
    }

    fn declarations(from: usize, most: usize) -> String {
        (from..from + most).fold(String::new(), |mut out, n| {
            let _ = write!(out, " xmlns:n{n}=\"urn:{n}\"");
            out
        })
    }

    /// Nested elements that each declare a prefix: each copies the prefixes in scope.
    #[test]
    fn namespaces_times_elements_are_bounded() {
        let nested: String = (0..100)
            .map(|n| format!("<a{}>", declarations(n * 20, 20)))
            .collect();
        let text = format!("{nested}{}", "</a>".repeat(100));
        assert!(text.len() < 60_000);
        assert_eq!(costly(&text), "namespace prefixes in scope");
        // The most prefixes in scope, and a declaration on every element.
        let inner = "<a xmlns:n0=\"urn:1\"/>".repeat(9_000);
        let text = format!("<r{}>{inner}</r>", declarations(0, 60));
        assert_eq!(costly(&text), "comparisons of names and namespaces to make");
        // A prefix lookup for every attribute.
        let many: String = (0..60).map(|n| format!(" n59:a{n}=\"\"")).collect();
        let inner = format!("<a{many}/>").repeat(160);
        let text = format!("<r{}>{inner}</r>", declarations(0, 60));
        assert!(parse(&text, BOUNDS).is_ok(), "few enough");
    }

    #[test]
    fn what_grows_is_bounded() {
        let attributes = |n: usize| (0..n).map(|i| format!(" a{i}=\"\"")).collect::<String>();
        for (what, text) in [
            (
                "attributes of one element",
                format!("<r{}/>", attributes(65)),
            ),
            (
                "attributes",
                format!("<r>{}</r>", format!("<a{}/>", attributes(60)).repeat(400)),
            ),
            (
                "levels of nesting",
                format!("{}{}", "<a>".repeat(201), "</a>".repeat(201)),
            ),
            (NODES, format!("<r>{}</r>", "<a/>".repeat(10_000))),
            (NODES, format!("<r>{}</r>", "<a>b</a>".repeat(5_001))),
            (
                "signs `<`",
                format!("<r><![CDATA[{}]]></r>", "<".repeat(20_001)),
            ),
            ("signs `=`", format!("<r>{}</r>", "=".repeat(80_001))),
            (
                "bytes in a name or the URI of a namespace",
                format!("<r xmlns=\"{}\"/>", "u".repeat(257)),
            ),
            (
                "bytes in a name or the URI of a namespace",
                format!("<r {}=\"\"/>", "u".repeat(257)),
            ),
            (
                "bytes in a name or the URI of a namespace",
                format!("<{}/>", "u".repeat(257)),
            ),
        ] {
            assert_eq!(costly(&text), what);
        }
    }

    #[test]
    fn documents_as_they_are_pass() {
        // A default namespace and a prefix on every element, as some libraries write.
        let inner =
            "<a xmlns=\"urn:hl7-org:v3\" xmlns:x=\"urn:x\" x:b=\"1\" c=\"2\">d</a>".repeat(3_000);
        let text = format!("<r{}>{inner}</r>", declarations(0, 8));
        let cost = measure(&text, BOUNDS).expect("within its bounds");
        assert_eq!(cost.nodes, 6_001);
        assert_eq!(cost.attributes, 12_008);
        assert!(!cost.undeclared);
        let references = format!("<a>{}</a>", "b &amp; &#99; ".repeat(20_000));
        assert_eq!(measure(&references, BOUNDS).map(|cost| cost.nodes), Ok(2));
        let cut = "<x:a xml:lang=\"en\"><b y:c=\"\" xmlns:y=\"urn:y\"/></x:a>";
        assert!(measure(cut, BOUNDS).expect("within its bounds").undeclared);
        assert!(parse(&text, Bounds::nodes(20_000)).is_ok());
    }

    #[test]
    fn faults_have_a_place() {
        for (text, fault) in [
            ("<a>\n<b></a>", Fault::Malformed(2, 4)),
            ("<a", Fault::Malformed(1, 1)),
            ("<a>", Fault::Malformed(1, 4)),
            ("<!DOCTYPE a><a/>", Fault::DocType),
        ] {
            assert_eq!(parse(text, BOUNDS).err(), Some(fault), "{text}");
        }
        assert!(matches!(parse("", BOUNDS), Err(Fault::Malformed(..))));
        assert!(matches!(
            parse("<a/><b/>", BOUNDS),
            Err(Fault::Malformed(..))
        ));
        assert!(matches!(parse("<n:a/>", BOUNDS), Err(Fault::Malformed(..))));
    }
}
