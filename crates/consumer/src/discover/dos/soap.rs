//! SOAP envelopes: ours are written, theirs are read by local names in any spelling (NAT-DOS-01, NAT-DOS-08, D-31).

use super::fault::DosFault;
use crate::config::Account;
use booking::bounded_xml::{self, Bounds};
use booking::foreign::Foreign;
use booking::xml_writer::XmlWriter;
use roxmltree::{Document, Node};

/// Namespace of the web service.
const NAMESPACE: &str = "https://nww.pathwaysdos.nhs.uk/app/api/webservices";
/// Version of the web service.
const VERSION: &str = "1.5";
/// Most nodes of an answer: a service has about two hundred.
const BOUNDS: Bounds = Bounds::nodes(200_000);
/// Longest text of an element that is kept, characters: some services print a page.
const MAX_TEXT: usize = 8_000;

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The services that suit a clinical need.
    CheckCapacitySummary,
    /// One service.
    ServiceDetailsById,
}

impl Operation {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Operation::CheckCapacitySummary => "CheckCapacitySummary",
            Operation::ServiceDetailsById => "ServiceDetailsById",
        }
    }

    /// Its SOAPAction.
    pub fn action(self) -> String {
        format!("{NAMESPACE}/{}", self.name())
    }
}

/// A request: version in the header, credentials in the body (NAT-DOS-01).
pub fn request(
    operation: Operation,
    account: &Account,
    inner: impl FnOnce(&mut XmlWriter),
) -> String {
    let mut xml = XmlWriter::fragment("w:");
    xml.embed(&format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:w=\"{NAMESPACE}\"><soap:Header>"
    ));
    xml.value("serviceVersion", VERSION);
    xml.embed("</soap:Header><soap:Body>");
    xml.element(operation.name(), |xml| {
        xml.element("userInfo", |xml| {
            xml.value("username", &account.username);
            xml.value("password", account.password.reveal());
        });
        inner(xml);
    });
    xml.embed("</soap:Body></soap:Envelope>");
    xml.finish()
}

/// Why an envelope gives no answer.
#[derive(Debug)]
pub enum Answered {
    /// The DoS says no.
    Fault(DosFault),
    /// It cannot be understood.
    Unreadable(String),
}

/// Parses within bounds; document types are refused.
fn parse(text: &str) -> Result<Document<'_>, String> {
    // A fault names what is wrong and where, and quotes nothing.
    bounded_xml::parse(text, BOUNDS).map_err(|fault| format!("the answer {fault}"))
}

/// Whether the text is a SOAP envelope with a fault.
pub fn is_fault(text: &str) -> bool {
    parse(text).is_ok_and(|document| {
        let root = document.root_element();
        let body = child(root, "Body").filter(|_| is(root, "Envelope"));
        body.and_then(|body| child(body, "Fault")).is_some()
    })
}

/// Reads an answer: a fault, or what `read` makes of the Body.
pub fn read<T>(
    text: &str,
    read: impl FnOnce(Node<'_, '_>) -> Result<T, String>,
) -> Result<T, Answered> {
    let document = parse(text).map_err(Answered::Unreadable)?;
    let root = document.root_element();
    let body = child(root, "Body").filter(|_| is(root, "Envelope"));
    let body = body.ok_or_else(|| Answered::Unreadable("the envelope has no Body".to_owned()))?;
    match child(body, "Fault") {
        Some(fault) => Err(Answered::Fault(DosFault::read(fault))),
        None => read(body).map_err(Answered::Unreadable),
    }
}

/// Whether an element has this local name, in any namespace and any case.
pub fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name().eq_ignore_ascii_case(name)
}

/// The first child of this name.
pub fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|n| is(*n, name))
}

/// All elements of this name below a node, however deep.
pub fn below<'a, 'i: 'a>(
    node: Node<'a, 'i>,
    name: &'a str,
) -> impl Iterator<Item = Node<'a, 'i>> + 'a {
    node.descendants().filter(move |n| is(*n, name))
}

/// The text of an element: trimmed, bounded; none when it is empty.
pub fn text(node: Node<'_, '_>) -> Option<String> {
    let texts = node
        .children()
        .filter(Node::is_text)
        .filter_map(|t| t.text());
    let all: String = texts.flat_map(str::chars).take(MAX_TEXT).collect();
    let all = all.trim();
    (!all.is_empty()).then(|| all.to_owned())
}

/// The text of the first child of this name, to be shown.
pub fn shown_of(node: Node<'_, '_>, name: &str) -> Option<Foreign> {
    text_of(node, name).map(Foreign::from)
}

/// The text of the first child of this name.
pub fn text_of(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name).and_then(text)
}
