//! Reads the SOAP envelope of a request: SOAP version, service version, operation, credentials.

use super::fault::DosFault;
use super::fields::{Fields, text_of};
use super::{NAMESPACE, SOAP_11, SOAP_12};
use booking::bounded_xml::{self, Bounds};
use roxmltree::{Document, Node};

/// Most nodes of a request. A hundred discriminators and every optional field make some 300.
const BOUNDS: Bounds = Bounds::nodes(4_000);
/// Longest user name or password.
const MAX_CREDENTIAL: usize = 256;

/// An operation of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Services for a clinical need (NAT-DOS-03).
    CheckCapacitySummary,
    /// One service with its endpoints (NAT-DOS-05).
    ServiceDetailsById,
}

impl Operation {
    /// Both operations.
    pub const ALL: [Operation; 2] = [
        Operation::CheckCapacitySummary,
        Operation::ServiceDetailsById,
    ];

    /// Name of the request's element, and end of the SOAPAction.
    pub fn name(self) -> &'static str {
        match self {
            Operation::CheckCapacitySummary => "CheckCapacitySummary",
            Operation::ServiceDetailsById => "ServiceDetailsById",
        }
    }

    /// The element with the criteria.
    fn payload(self) -> &'static str {
        match self {
            Operation::CheckCapacitySummary => "c",
            Operation::ServiceDetailsById => "serviceId",
        }
    }
}

/// Parses a request's bytes: UTF-8, no DTD, bounded.
pub fn document(text: &str) -> Result<Document<'_>, DosFault> {
    bounded_xml::parse(text, BOUNDS).map_err(|fault| {
        DosFault::malformed(format_args!(
            "the SOAP message is not valid XML: it {fault}"
        ))
    })
}

/// The parts of a request common to all operations.
pub struct Envelope<'a, 'i> {
    /// The operation.
    pub operation: Operation,
    /// `serviceVersion`, if sent.
    pub version: Option<String>,
    /// User name and password, if both were sent.
    pub credentials: Option<(String, String)>,
    /// The element with the criteria.
    pub payload: Option<Node<'a, 'i>>,
}

impl<'a, 'i> Envelope<'a, 'i> {
    /// Reads the envelope. `strict` refuses unknown elements, wrong order and missing namespaces.
    pub fn read(document: &'a Document<'i>, strict: bool) -> Result<Envelope<'a, 'i>, DosFault> {
        let root = document.root_element();
        match (root.tag_name().namespace(), root.tag_name().name()) {
            (Some(SOAP_12), "Envelope") => {}
            (Some(SOAP_11), "Envelope") => {
                return Err(DosFault::malformed(format_args!(
                    "the envelope is of SOAP 1.1; this service speaks SOAP 1.2 only: use the namespace {SOAP_12} \
                     and the media type application/soap+xml"
                )));
            }
            _ => {
                return Err(DosFault::malformed(format_args!(
                    "unable to identify the SOAP version: the first element must be an Envelope in the namespace {SOAP_12}"
                )));
            }
        }
        let (header, body) = parts(root)?;
        let version = match header {
            Some(header) => version(header, strict)?,
            None => None,
        };
        let (operation, request) = operation(body)?;
        let fields = Fields::read(request, &["userInfo", operation.payload()], strict)?;
        let credentials = match fields.get("userInfo") {
            Some(info) => credentials(info, strict)?,
            None => None,
        };
        Ok(Envelope {
            operation,
            version,
            credentials,
            payload: fields.get(operation.payload()),
        })
    }
}

/// Header and Body, in this order, and nothing else.
fn parts<'a, 'i>(envelope: Node<'a, 'i>) -> Result<(Option<Node<'a, 'i>>, Node<'a, 'i>), DosFault> {
    let (mut header, mut body) = (None, None);
    for child in envelope.children().filter(Node::is_element) {
        let tag = child.tag_name();
        match (tag.namespace(), tag.name()) {
            (Some(SOAP_12), "Header") if header.is_none() && body.is_none() => header = Some(child),
            (Some(SOAP_12), "Body") if body.is_none() => body = Some(child),
            _ => {
                return Err(DosFault::malformed(format_args!(
                    "an Envelope holds at most one Header, then one Body; `{}` does not belong there",
                    tag.name()
                )));
            }
        }
    }
    let body = body.ok_or_else(|| DosFault::malformed("the Envelope has no Body"))?;
    Ok((header, body))
}

fn version(header: Node<'_, '_>, strict: bool) -> Result<Option<String>, DosFault> {
    let mut found = None;
    for block in header.children().filter(Node::is_element) {
        let ours = block.tag_name().namespace() == Some(NAMESPACE)
            || (!strict && block.tag_name().namespace().is_none());
        if ours && block.tag_name().name() == "serviceVersion" {
            if found.is_some() {
                return Err(DosFault::malformed(
                    "serviceVersion stands twice in the SOAP header",
                ));
            }
            found = Some(text_of(block)?);
            continue;
        }
        // SOAP 1.2 part 1, 5.2.3: a mandatory block must not be ignored.
        let demanded = block.attribute((SOAP_12, "mustUnderstand"));
        if matches!(demanded.map(str::trim), Some("true" | "1")) {
            return Err(DosFault::malformed(format_args!(
                "the header block `{}` must be understood, and is not known here",
                block.tag_name().name()
            )));
        }
    }
    Ok(found.flatten())
}

fn operation<'a, 'i>(body: Node<'a, 'i>) -> Result<(Operation, Node<'a, 'i>), DosFault> {
    let mut elements = body.children().filter(Node::is_element);
    let (Some(request), None) = (elements.next(), elements.next()) else {
        return Err(DosFault::malformed(
            "the Body holds exactly one element, the operation",
        ));
    };
    let tag = request.tag_name();
    if tag.namespace() != Some(NAMESPACE) {
        return Err(DosFault::malformed(format_args!(
            "the operation `{}` is not in the namespace {NAMESPACE}",
            tag.name()
        )));
    }
    match Operation::ALL.into_iter().find(|o| o.name() == tag.name()) {
        Some(operation) => Ok((operation, request)),
        None => Err(DosFault::malformed(format_args!(
            "there is no operation `{}`; there are CheckCapacitySummary and ServiceDetailsById",
            tag.name()
        ))),
    }
}

fn credentials(info: Node<'_, '_>, strict: bool) -> Result<Option<(String, String)>, DosFault> {
    let fields = Fields::read(info, &["username", "password"], strict)?;
    let (Some(username), Some(password)) = (fields.text("username")?, fields.text("password")?)
    else {
        return Ok(None);
    };
    if username.len() > MAX_CREDENTIAL || password.len() > MAX_CREDENTIAL {
        return Err(DosFault::new(302));
    }
    Ok(Some((username, password)))
}
