//! The ITK distribution envelope: header, manifest and payload, checked against one another.

use super::base64_text;
use super::cda;
use super::read::{Document, MAX_DOCUMENT, Wrapper};
use super::reason::{Reason, shown};
use super::recipient::ods_of;
use super::xml::{self, at, attribute, child, children, content};
use flate2::read::MultiGzDecoder;
use roxmltree::Node;
use std::io::Read;

/// Longest identifier that is kept from an envelope.
const MAX_ID: usize = 256;
/// Most addresses that are looked at.
const MAX_ADDRESSES: usize = 50;
/// Handling keys that ask for an infrastructure response in place of the simple one.
const ACK_KEYS: [&str; 2] = [
    "urn:nhs:itk:ns:201005:infackrequested",
    "urn:nhs-itk:ns:201005:infackrequested",
];
/// What a profile id of an NHS 111 or CDA document begins with.
const PROFILE: &str = "urn:nhs-en:profile:";

/// Notes what the SOAP header says: the ids that an answer refers to.
pub(super) fn soap_header(envelope: Node<'_, '_>, wrapper: &mut Wrapper) {
    let Some(header) = child(envelope, "Header") else {
        return;
    };
    let text = |name: &str| child(header, name).and_then(content).and_then(kept);
    wrapper.message_id = text("MessageID");
    wrapper.action = text("Action");
}

/// The distribution envelope in a SOAP body, or standing alone.
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

/// Notes what the distribution header says, also of an envelope that is refused afterwards.
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

/// Checks the envelope and takes its document out.
pub(super) fn document(
    text: &str,
    envelope: Node<'_, '_>,
    wrapper: &Wrapper,
) -> Result<Document, Reason> {
    let header = child(envelope, "header")
        .ok_or_else(|| Reason::invalid("The distribution envelope has no header."))?;
    if wrapper.tracking.is_none() {
        return Err(Reason::invalid(
            "The header's trackingid is missing or too long.",
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
    let item = manifest_item(header)?;
    let payload = the_payload(envelope)?;
    match (attribute(item, "id"), attribute(payload, "id")) {
        (Some(listed), Some(found)) if listed == found => {}
        _ => {
            return Err(Reason::invalid(
                "The payload's id is missing or not the id of the manifest item.",
            ));
        }
    }
    let flag = |name: &str| {
        attribute(item, name).is_some_and(|v| v.eq_ignore_ascii_case("true") || v == "1")
    };
    if flag("encrypted") {
        return Err(Reason::refused(
            "The payload is encrypted; send it over TLS without encryption of its own.",
        ));
    }
    if flag("base64") {
        packed(payload, flag("compressed"))
    } else if flag("compressed") {
        Err(Reason::invalid("A compressed payload must be base64 too."))
    } else {
        plain(text, payload)
    }
}

/// The one item of the manifest, its profile known (REF-PRO-08).
fn manifest_item<'a, 't>(header: Node<'a, 't>) -> Result<Node<'a, 't>, Reason> {
    let manifest =
        child(header, "manifest").ok_or_else(|| Reason::invalid("The header has no manifest."))?;
    let items: Vec<_> = children(manifest, "manifestitem").take(2).collect();
    check_count(manifest, "manifest", items.len())?;
    let [item] = items.as_slice() else {
        return Err(Reason::invalid(
            "The manifest lists more than one item, or none; one document is taken at a time.",
        ));
    };
    match attribute(*item, "profileid") {
        None => Err(Reason::invalid(
            "Profile ID is missing in the manifest item.",
        )),
        Some(profile) if !profile.starts_with(PROFILE) || !profile.contains("Document") => {
            Err(Reason::invalid(format!(
                "The profile id `{}` is not one of a CDA document.",
                shown(profile)
            )))
        }
        Some(_) => Ok(*item),
    }
}

fn the_payload<'a, 't>(envelope: Node<'a, 't>) -> Result<Node<'a, 't>, Reason> {
    let payloads = child(envelope, "payloads")
        .ok_or_else(|| Reason::invalid("The distribution envelope has no payloads."))?;
    let all: Vec<_> = children(payloads, "payload").take(2).collect();
    check_count(payloads, "payloads", all.len())?;
    match all.as_slice() {
        [payload] => Ok(*payload),
        _ => Err(Reason::invalid(
            "There is more than one payload, or none; one document is taken at a time.",
        )),
    }
}

/// `@count`, where it stands, is the number of things counted.
fn check_count(node: Node<'_, '_>, what: &str, found: usize) -> Result<(), Reason> {
    match attribute(node, "count") {
        Some(count) if count.parse() != Ok(found) => Err(Reason::invalid(format!(
            "The count of the {what} is not the number of things in it."
        ))),
        _ => Ok(()),
    }
}

/// A payload in base64, possibly compressed.
fn packed(payload: Node<'_, '_>, compressed: bool) -> Result<Document, Reason> {
    if payload.children().any(|n| n.is_element()) {
        return Err(Reason::invalid(
            "The payload is said to be base64, but it holds elements.",
        ));
    }
    let text: String = payload.children().filter_map(|n| n.text()).collect();
    let bytes = base64_text::decode(&text)?;
    let bytes = match compressed {
        true => gunzip(&bytes)?,
        false => bytes,
    };
    if bytes.len() > MAX_DOCUMENT {
        return Err(too_large());
    }
    standing_alone(bytes)
}

/// Reads a document that is a file of its own.
pub(super) fn standing_alone(bytes: Vec<u8>) -> Result<Document, Reason> {
    let facts = {
        let text = xml::text(&bytes)?;
        let tree = xml::parse(text, "The document")?;
        cda::read(tree.root_element())?
    };
    Ok(Document { bytes, facts })
}

/// A payload that stands in the envelope as XML.
fn plain(text: &str, payload: Node<'_, '_>) -> Result<Document, Reason> {
    let mut elements = payload.children().filter(Node::is_element);
    let root = match (elements.next(), elements.next()) {
        (Some(root), None) => root,
        _ => return Err(Reason::invalid("The payload holds no single element.")),
    };
    let facts = cda::read(root)?;
    let bytes = text
        .get(root.range())
        .map(|cut| with_namespaces(cut, root))
        .ok_or_else(|| Reason::invalid("The payload cannot be taken out of its envelope."))?;
    Ok(Document { bytes, facts })
}

/// The element as a document of its own. One that needs prefixes declared around it gets them declared on it; any
/// other stays as it was sent, byte for byte.
fn with_namespaces(cut: &str, root: Node<'_, '_>) -> Vec<u8> {
    if xml::parse(cut, "The document").is_ok() {
        return cut.as_bytes().to_vec();
    }
    let tag_end = cut.find('>').unwrap_or(cut.len());
    let name_end = cut
        .find(|c: char| c.is_whitespace() || c == '>' || c == '/')
        .unwrap_or(tag_end);
    let own = &cut[..tag_end];
    let mut out = cut[..name_end].to_owned();
    for namespace in root.namespaces() {
        let declaration = match namespace.name() {
            Some("xml") => continue,
            Some(prefix) => format!("xmlns:{prefix}"),
            None => "xmlns".to_owned(),
        };
        let declared = own.match_indices(&declaration).any(|(at, found)| {
            own[at + found.len()..].trim_start().starts_with('=')
                && own[..at].ends_with(char::is_whitespace)
        });
        if !declared {
            let uri = namespace.uri().replace('&', "&amp;").replace('"', "&quot;");
            out.push_str(&format!(" {declaration}=\"{}\"", uri.replace('<', "&lt;")));
        }
    }
    out.push_str(&cut[name_end..]);
    out.into_bytes()
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, Reason> {
    let mut out = Vec::new();
    let mut decoder = MultiGzDecoder::new(bytes).take(MAX_DOCUMENT as u64 + 1);
    match decoder.read_to_end(&mut out) {
        Ok(_) => Ok(out),
        Err(_) => Err(Reason::invalid(
            "The payload is said to be compressed, but it is not a complete gzip stream.",
        )),
    }
}

fn too_large() -> Reason {
    Reason::invalid(format!("The document is larger than {MAX_DOCUMENT} bytes."))
}

fn kept(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= MAX_ID && !text.chars().any(char::is_control))
        .then(|| text.to_owned())
}
