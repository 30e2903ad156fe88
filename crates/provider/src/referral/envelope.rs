//! Checks the ITK distribution envelope: header, manifest and payloads have to agree.

use super::cda::{self, Facts};
use super::read::{Document, FurtherDocument, MAX_DOCUMENT, Wrapper};
use super::reason::{Reason, shown};
use super::recipient::ods_of;
use super::unpack::{self, Unpacked};
use super::xml::{self, at, attribute, child, children, content};
use booking::bounded_xml;
use quick_xml::Reader;
use quick_xml::events::Event;
use roxmltree::Node;

/// Longest identifier kept.
const MAX_ID: usize = 256;
/// Most payloads of one message. A repeat caller's message has a document for each earlier call.
const MAX_PAYLOADS: usize = 100;
/// Most addresses read.
const MAX_ADDRESSES: usize = 50;
/// Handling keys that ask for an infrastructure response instead of the simple one.
const ACK_KEYS: [&str; 2] = [
    "urn:nhs:itk:ns:201005:infackrequested",
    "urn:nhs-itk:ns:201005:infackrequested",
];
/// Prefix of the profile ids of NHS 111 and CDA documents.
const PROFILE: &str = "urn:nhs-en:profile:";

/// Records the ids of the SOAP header, to which an answer refers.
pub(super) fn soap_header(envelope: Node<'_, '_>, wrapper: &mut Wrapper) {
    let Some(header) = child(envelope, "Header") else {
        return;
    };
    let text = |name: &str| child(header, name).and_then(content).and_then(kept);
    wrapper.message_id = text("MessageID");
    wrapper.action = text("Action");
}

/// The distribution envelope, in a SOAP body or alone.
pub(super) fn find<'a, 't>(root: Node<'a, 't>) -> Result<Node<'a, 't>, Reason> {
    let missing = || Reason::invalid("The SOAP body has no itk:DistributionEnvelope.");
    match root.tag_name().name() {
        "DistributionEnvelope" => Ok(root),
        "Envelope" => child(root, "Body")
            .and_then(|body| child(body, "DistributionEnvelope"))
            .ok_or_else(missing),
        other => Err(Reason::invalid(format!(
            "The message is `{}`, neither a SOAP envelope nor a distribution envelope.",
            shown(other)
        ))),
    }
}

/// Records the distribution header, even if the envelope is refused later.
pub(super) fn header(envelope: Node<'_, '_>, wrapper: &mut Wrapper) {
    let Some(header) = child(envelope, "header") else {
        return;
    };
    wrapper.tracking = attribute(header, "trackingid").and_then(kept);
    wrapper.service = attribute(header, "service").and_then(kept);
    if let Some(list) = child(header, "addresslist") {
        wrapper.recipients = children(list, "address")
            .take(MAX_ADDRESSES)
            .filter_map(|a| attribute(a, "uri").and_then(ods_of))
            .collect();
    }
    wrapper.sender = child(header, "senderAddress")
        .or_else(|| at(header, &["auditIdentity", "id"]))
        .and_then(|n| attribute(n, "uri"))
        .and_then(kept);
    wrapper.wants_response = child(header, "handlingSpecification").is_some_and(|handling| {
        children(handling, "spec").any(|spec| {
            attribute(spec, "key").is_some_and(|k| ACK_KEYS.contains(&k))
                && attribute(spec, "value").is_some_and(|v| v.eq_ignore_ascii_case("true"))
        })
    });
}

/// The documents of a message. They outlive the message's XML tree.
pub(super) struct ExtractedDocument {
    leading: Leading,
    further: Vec<FurtherDocument>,
}

enum Leading {
    /// A separate file, not parsed yet.
    Packed(Vec<u8>),
    /// Parsed in place.
    Plain(Box<Facts>, Vec<u8>),
}

impl ExtractedDocument {
    /// Parses the leading document.
    pub(super) fn read(self) -> Result<Document, Reason> {
        let document = match self.leading {
            Leading::Packed(bytes) => standing_alone(bytes)?,
            Leading::Plain(facts, bytes) => Document {
                bytes,
                facts: *facts,
                further: Vec::new(),
            },
        };
        Ok(Document {
            further: self.further,
            ..document
        })
    }
}

/// Checks the envelope and takes its documents out. The first one leads; the others are kept with it.
pub(super) fn documents(
    text: &str,
    envelope: Node<'_, '_>,
    wrapper: &Wrapper,
) -> Result<ExtractedDocument, Reason> {
    let header = child(envelope, "header")
        .ok_or_else(|| Reason::invalid("The distribution envelope has no header."))?;
    if wrapper.tracking.is_none() {
        return Err(Reason::invalid(
            "The header's trackingid is missing, too long, or holds a control character.",
        ));
    }
    let service = wrapper
        .service
        .as_deref()
        .ok_or_else(|| Reason::invalid("The header's service is missing or too long."))?;
    if let Some(action) = wrapper.action.as_deref().filter(|a| *a != service) {
        return Err(Reason::invalid(format!(
            "The header's service `{}` is not the wsa:Action `{}`.",
            shown(service),
            shown(action)
        )));
    }
    let items = manifest_items(header)?;
    let payloads = payloads(envelope)?;
    let pairs = paired(&items, &payloads)?;
    let leading = leading(&items)?;
    let mut room = MAX_DOCUMENT;
    let (item, payload) = pairs[leading];
    let bytes = content_of(text, item, payload, &mut room)?;
    let leading_document = match is_packed(item) {
        true => Leading::Packed(bytes),
        false => Leading::Plain(Box::new(cda::read(only_element(payload)?)?), bytes),
    };
    let others = pairs.iter().enumerate().filter(|(n, _)| *n != leading);
    let further = others
        .map(|(_, (item, payload))| FurtherDocument {
            profile: attribute(*item, "profileid").and_then(kept),
            bytes: content_of(text, *item, *payload, &mut room),
        })
        .collect();
    Ok(ExtractedDocument {
        leading: leading_document,
        further,
    })
}

fn flag(item: Node<'_, '_>, name: &str) -> bool {
    attribute(item, name).is_some_and(|v| v.eq_ignore_ascii_case("true") || v == "1")
}

fn is_packed(item: Node<'_, '_>) -> bool {
    flag(item, "base64")
}

/// The bytes of a payload, unpacked as its manifest item says. `room` is what is left of the limit for all payloads, broken
/// ones included.
fn content_of(
    text: &str,
    item: Node<'_, '_>,
    payload: Node<'_, '_>,
    room: &mut usize,
) -> Result<Vec<u8>, Reason> {
    if flag(item, "encrypted") {
        return Err(Reason::refused(
            "The payload is encrypted; send it over TLS without encryption of its own.",
        ));
    }
    let bytes = match (is_packed(item), flag(item, "compressed")) {
        (true, compressed) => packed(payload, compressed, room)?,
        (false, true) => {
            return Err(Reason::invalid("A compressed payload must be base64 too."));
        }
        (false, false) => plain(text, payload)?,
    };
    *room = room.checked_sub(bytes.len()).ok_or_else(too_large)?;
    Ok(bytes)
}

/// The items of the manifest (REF-PRO-08).
fn manifest_items<'a, 't>(header: Node<'a, 't>) -> Result<Vec<Node<'a, 't>>, Reason> {
    let manifest =
        child(header, "manifest").ok_or_else(|| Reason::invalid("The header has no manifest."))?;
    let items: Vec<_> = children(manifest, "manifestitem")
        .take(MAX_PAYLOADS + 1)
        .collect();
    counted(manifest, "manifest", items)
}

fn payloads<'a, 't>(envelope: Node<'a, 't>) -> Result<Vec<Node<'a, 't>>, Reason> {
    let payloads = child(envelope, "payloads")
        .ok_or_else(|| Reason::invalid("The distribution envelope has no payloads."))?;
    let all: Vec<_> = children(payloads, "payload")
        .take(MAX_PAYLOADS + 1)
        .collect();
    counted(payloads, "payloads", all)
}

/// Checks that there is at least one, not too many, and as many as the parent says.
fn counted<'a, 't>(
    parent: Node<'a, 't>,
    what: &str,
    found: Vec<Node<'a, 't>>,
) -> Result<Vec<Node<'a, 't>>, Reason> {
    match found.len() {
        0 => Err(Reason::invalid(format!("There is nothing in the {what}."))),
        1..=MAX_PAYLOADS => check_count(parent, what, found.len()).map(|()| found),
        _ => Err(Reason::refused(format!(
            "There are more than {MAX_PAYLOADS} things in the {what}; send them in several messages."
        ))),
    }
}

/// Pairs each manifest item with its payload, in manifest order.
fn paired<'a, 't>(
    items: &[Node<'a, 't>],
    payloads: &[Node<'a, 't>],
) -> Result<Vec<(Node<'a, 't>, Node<'a, 't>)>, Reason> {
    let mismatch =
        || Reason::invalid("The payload's id is missing or not the id of the manifest item.");
    if items.len() != payloads.len() {
        return Err(Reason::invalid(format!(
            "The manifest lists {} documents, and there are {} payloads.",
            items.len(),
            payloads.len()
        )));
    }
    let mut left = payloads.to_vec();
    items
        .iter()
        .map(|item| {
            let id = attribute(*item, "id").ok_or_else(mismatch)?;
            let at = left.iter().position(|p| attribute(*p, "id") == Some(id));
            Ok((*item, left.remove(at.ok_or_else(mismatch)?)))
        })
        .collect()
}

/// Index of the leading item: the first with the profile of a CDA document.
fn leading(items: &[Node<'_, '_>]) -> Result<usize, Reason> {
    let profile = |item: &Node<'_, '_>| attribute(*item, "profileid").map(str::to_owned);
    let is_document = |p: String| p.starts_with(PROFILE) && p.contains("Document");
    let found = items
        .iter()
        .position(|item| profile(item).is_some_and(is_document));
    found.ok_or_else(|| match items.first().and_then(profile) {
        None => Reason::invalid("Profile ID is missing in the manifest item."),
        Some(profile) => Reason::invalid(format!(
            "The profile id `{}` is not one of a CDA document.",
            shown(&profile)
        )),
    })
}

/// Checks that `@count`, if present, is the number of items.
fn check_count(node: Node<'_, '_>, what: &str, found: usize) -> Result<(), Reason> {
    match attribute(node, "count") {
        Some(count) if count.parse() != Ok(found) => Err(Reason::invalid(format!(
            "The count of the {what} is not the number of things in it."
        ))),
        _ => Ok(()),
    }
}

/// A base64 payload, possibly compressed.
fn packed(payload: Node<'_, '_>, compressed: bool, room: &mut usize) -> Result<Vec<u8>, Reason> {
    if payload.children().any(|n| n.is_element()) {
        return Err(Reason::invalid(
            "The payload is said to be base64, but it holds elements.",
        ));
    }
    let bytes = unpack::base64(payload.children().filter_map(|n| n.text()))?;
    if !compressed {
        return Ok(bytes);
    }
    match unpack::gunzip(&bytes, *room) {
        Unpacked::Whole(out) => Ok(out),
        Unpacked::TooLarge => {
            *room = 0;
            Err(too_large())
        }
        Unpacked::Broken(unpacked) => {
            *room = room.saturating_sub(unpacked);
            Err(Reason::invalid(
                "The payload is said to be compressed, but it is not a complete gzip stream.",
            ))
        }
    }
}

/// Reads a document in a file of its own.
pub(super) fn standing_alone(bytes: Vec<u8>) -> Result<Document, Reason> {
    let facts = {
        let text = xml::text(&bytes)?;
        let tree = xml::parse(text, "The document")?;
        cda::read(tree.root_element())?
    };
    Ok(Document {
        bytes,
        facts,
        further: Vec::new(),
    })
}

fn only_element<'a, 't>(payload: Node<'a, 't>) -> Result<Node<'a, 't>, Reason> {
    let mut elements = payload.children().filter(Node::is_element);
    match (elements.next(), elements.next()) {
        (Some(root), None) => Ok(root),
        _ => Err(Reason::invalid("The payload holds no single element.")),
    }
}

/// A payload in XML inside the envelope.
fn plain(text: &str, payload: Node<'_, '_>) -> Result<Vec<u8>, Reason> {
    let root = only_element(payload)?;
    text.get(root.range())
        .map(|cut| with_namespaces(cut, root))
        .ok_or_else(|| Reason::invalid("The payload cannot be taken out of its envelope."))
}

/// The element as a separate document. If it uses prefixes declared outside, they are declared on it; otherwise it stays as
/// sent, byte for byte.
fn with_namespaces(cut: &str, root: Node<'_, '_>) -> Vec<u8> {
    // It is part of a bounded text, so it exceeds no bound.
    if !bounded_xml::measure(cut, xml::BOUNDS).is_ok_and(|cost| cost.undeclared) {
        return cut.as_bytes().to_vec();
    }
    let own = own_declarations(cut);
    let tag_end = cut.find('>').unwrap_or(cut.len());
    let name_end = cut
        .find(|c: char| c.is_whitespace() || c == '>' || c == '/')
        .unwrap_or(tag_end);
    let mut out = cut[..name_end].to_owned();
    for namespace in root.namespaces() {
        let declaration = match namespace.name() {
            Some("xml") => continue,
            Some(prefix) => format!("xmlns:{prefix}"),
            None => "xmlns".to_owned(),
        };
        if !own.contains(&declaration) {
            let uri = namespace.uri().replace('&', "&amp;").replace('"', "&quot;");
            out.push_str(&format!(" {declaration}=\"{}\"", uri.replace('<', "&lt;")));
        }
    }
    out.push_str(&cut[name_end..]);
    out.into_bytes()
}

/// The declarations in the first start tag.
fn own_declarations(cut: &str) -> Vec<String> {
    let Ok(Event::Start(tag) | Event::Empty(tag)) = Reader::from_str(cut).read_event() else {
        return Vec::new();
    };
    tag.attributes()
        .with_checks(false)
        .flatten()
        .map(|a| a.key.into_inner().to_owned())
        .filter(|name| name.starts_with("xmlns"))
        .collect()
}

fn too_large() -> Reason {
    Reason::invalid(format!(
        "The document, or all documents of the message together, are larger than {MAX_DOCUMENT} bytes."
    ))
}

/// An identifier worth keeping: short, not empty, without control characters.
pub(super) fn kept(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= MAX_ID && !text.chars().any(char::is_control))
        .then(|| text.to_owned())
}
