//! Reads a message: how to answer it, who its recipients are, and its document or why it has none.

use super::cda::Facts;
use super::envelope::ExtractedDocument;
use super::reason::Reason;
use super::{envelope, fhir_document, xml};
use booking::ids::OdsCode;
use roxmltree::Node;

/// Largest unpacked document, bytes: as large as the largest message, so that compression does not evade the limit.
pub const MAX_DOCUMENT: usize = 32 << 20;

/// The SOAP 1.2 namespace.
const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";

/// How a message is wrapped. Its answer is wrapped the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// SOAP 1.1.
    Soap11,
    /// SOAP 1.2.
    Soap12,
    /// A FHIR document in JSON.
    FhirJson,
    /// A FHIR document in XML.
    FhirXml,
}

/// Data of the wrapping.
#[derive(Clone, Debug, Default)]
pub struct Wrapper {
    /// `wsa:MessageID`.
    pub message_id: Option<String>,
    /// `wsa:Action`.
    pub action: Option<String>,
    /// `trackingid` of the distribution header, or the identifier of the Bundle.
    pub tracking: Option<String>,
    /// `service` of the distribution header.
    pub service: Option<String>,
    /// Organisations to which the message is addressed.
    pub recipients: Vec<OdsCode>,
    /// Address or identity of the sender.
    pub sender: Option<String>,
    /// Whether the sender asked for an infrastructure response.
    pub wants_response: bool,
}

/// A document from a message.
#[derive(Clone)]
pub struct Document {
    /// Its bytes, unpacked.
    pub bytes: Vec<u8>,
    /// The facts that it states.
    pub facts: Facts,
    /// The other documents of the message, in manifest order.
    pub further: Vec<FurtherDocument>,
}

/// A further document of the same message, for example of an earlier call of the patient.
#[derive(Clone)]
pub struct FurtherDocument {
    /// Profile of the manifest item.
    pub profile: Option<String>,
    /// Its unpacked bytes, or why they cannot be unpacked. The message is kept either way.
    pub bytes: Result<Vec<u8>, Reason>,
}

impl Document {
    /// Feeds the leading document's element, and all further documents, to a hash. So a message with other further
    /// documents is not taken for a repeat.
    pub fn digest(&self, hasher: &mut impl sha2::Digest) {
        hasher.update(self.element());
        for further in &self.further {
            let bytes = further.bytes.as_deref().unwrap_or_default();
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        }
    }

    /// The document without byte order mark, XML declaration and surrounding white space. Documents are compared by it,
    /// since it does not depend on the packing.
    pub fn element(&self) -> &[u8] {
        let bytes = self
            .bytes
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(&self.bytes);
        let bytes = bytes.trim_ascii();
        let end = b"?>";
        match bytes.starts_with(b"<?xml") {
            true => match bytes.windows(end.len()).position(|w| w == end) {
                Some(at) => bytes[at + end.len()..].trim_ascii(),
                None => bytes,
            },
            false => bytes,
        }
    }
}

/// Keeps patient data out of logs.
impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("id", &self.facts.id)
            .field("bytes", &self.bytes.len())
            .field("further", &self.further.len())
            .finish_non_exhaustive()
    }
}

/// A message received whole.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// How it is wrapped.
    pub wire: Wire,
    /// Data of the wrapping, as far as readable.
    pub wrapper: Wrapper,
    /// The document, or why there is none.
    pub document: Result<Document, Reason>,
}

/// Reads a message. `wire` comes from its media type; the namespace of a SOAP envelope overrides it.
pub fn read(wire: Wire, body: &[u8]) -> Arrived {
    let mut arrived = Arrived {
        wire,
        wrapper: Wrapper::default(),
        document: Err(Reason::invalid("The message is empty.")),
    };
    arrived.document = match wire {
        Wire::Soap11 | Wire::Soap12 => soap(body, &mut arrived.wire, &mut arrived.wrapper),
        Wire::FhirJson | Wire::FhirXml => fhir_document::read(wire, body, &mut arrived.wrapper),
    };
    arrived
}

fn soap(body: &[u8], wire: &mut Wire, wrapper: &mut Wrapper) -> Result<Document, Reason> {
    let text = xml::text(body)?;
    // Drops the message's tree before it parses the document.
    let documents = {
        let tree = xml::parse(text, "The message")?;
        taken_out(text, tree.root_element(), wire, wrapper)?
    };
    documents.read()
}

fn taken_out(
    text: &str,
    root: Node<'_, '_>,
    wire: &mut Wire,
    wrapper: &mut Wrapper,
) -> Result<ExtractedDocument, Reason> {
    if root.tag_name().name() == "Envelope" {
        *wire = match root.tag_name().namespace() {
            Some(SOAP12) => Wire::Soap12,
            _ => Wire::Soap11,
        };
        envelope::soap_header(root, wrapper);
    }
    let found = envelope::find(root)?;
    envelope::header(found, wrapper);
    envelope::documents(text, found, wrapper)
}
