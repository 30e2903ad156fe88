//! Referrals, as far as a Provider sees them: the document that comes by ITK, and the appointment that it names
//! (C2..C4, REF-CON-01..06).

use crate::evidence::markup::escape;
use crate::evidence::{Body, Exchange};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use booking::bounded_xml::{self, Bounds};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{Response, StatusCode};
use http_body_util::Full;
use roxmltree::{Document, Node};
use std::io::Read;
use uuid::Uuid;

use super::MAX_BODY;
use super::asked::Asked;
use super::ledger::Notes;
use super::rules::Rule;
use super::scenario::{Play, scenario};
use super::server::plain;
use super::state::{Shown, State, clipped};

/// Where referrals are sent; the service's id behind it tells which scenario it belongs to.
pub(super) const PATH: &str = "/itk";
/// Most nodes of a message; a clinical document of 111 has some thousands.
const BOUNDS: Bounds = Bounds::nodes(200_000);

/// Whether a path is that of referrals.
pub(super) fn is_for(path: &str) -> bool {
    path == PATH
        || path
            .strip_prefix(PATH)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// What a message says of itself.
#[derive(Debug, Default)]
struct Said {
    soap: String,
    message: String,
    tracking: String,
    /// `/ClinicalDocument/id/@root`, in lower case.
    document: Option<String>,
    /// The appointment's address in the link for readers.
    link: Option<String>,
    /// The appointment's address in the coded entry.
    coded: Option<String>,
}

impl Said {
    /// The appointment's address; the link counts first (REF-PRO-05).
    fn appointment(&self) -> Option<&str> {
        self.link.as_deref().or(self.coded.as_deref())
    }
}

impl State {
    /// Takes a referral, judges it and acknowledges it.
    pub(super) fn referral(&mut self, asked: &Asked) -> (Response<Full<Bytes>>, Shown) {
        self.last = Some(asked.began);
        let id = asked
            .target
            .split(['/', '?'])
            .find(|part| scenario(part).is_some());
        let found = id.and_then(scenario);
        let said = if asked.method == "POST" {
            read(&asked.body)
        } else {
            None
        };
        let mut notes = Notes::default();
        let (status, text) = match &said {
            None => (400, "This is no ITK message with a document\n".to_owned()),
            Some(said) => (200, acknowledgement(said)),
        };
        if let Some(said) = &said {
            let booked = self.linked(said, &mut notes);
            if let Some(s) = found {
                self.tally(s).referrals += 1;
                if s.play
                    == (Play::Referral {
                        needs_booking: true,
                    })
                    && !booked
                {
                    self.trespass(
                        s,
                        "A referral without a booking came for a service that takes none"
                            .to_owned(),
                        None,
                    );
                }
            }
        }
        let url = format!("{}{}", self.root.base(), asked.target);
        let body = Body::new(asked.body.to_vec());
        let exchange = Exchange {
            purpose: "referral".to_owned(),
            at: asked.at,
            status: Some(status),
            response_body: Body::new(text.clone().into_bytes()),
            ..Exchange::sent(&asked.method, &url, Vec::new(), body)
        };
        let mut response = plain(
            StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
            &text,
        );
        if said.is_some() {
            let media = http::HeaderValue::from_static("text/xml;charset=utf-8");
            response
                .headers_mut()
                .insert(http::header::CONTENT_TYPE, media);
        }
        (response, self.keep(exchange, "referral", found, &notes))
    }

    /// Whether the document belongs to a live booking; judges what it says about it.
    fn linked(&self, said: &Said, notes: &mut Notes) -> bool {
        let id_of = |url: &str| {
            url.rsplit_once("/Appointment/").map(|(_, id)| {
                id.split('/')
                    .next()
                    .unwrap_or_default()
                    .to_ascii_lowercase()
            })
        };
        let of_document = self.appointments.iter().find(|(_, stored)| {
            let document = stored.versions.first().and_then(|(d, _)| {
                super::judge::body::contained(d, "DocumentReference")
                    .first()
                    .copied()
            });
            let value = document
                .and_then(|d| d.at("identifier.value"))
                .and_then(fhir::Element::as_str)
                .map(str::to_ascii_lowercase);
            value.is_some() && value == said.document
        });
        let named = said.appointment().and_then(id_of);
        if let Some((own, _)) = of_document {
            self.addressed(said, own, notes);
        }
        let what = match (&named, of_document) {
            (None, None) => return false,
            (Some(id), None) if self.appointments.contains_key(id) => {
                Some("The document's id is not that of the booking that it names")
            }
            (Some(_), None) => Some("The document names an appointment that was not booked here"),
            (None, Some(_)) => Some("The document of a booking does not name the appointment"),
            (Some(id), Some((own, _))) if id != own => {
                Some("The document names another appointment than its own")
            }
            _ => None,
        };
        notes.fault(Rule::ReferralAfter, what);
        of_document.is_some_and(|(_, s)| {
            s.current()
                .is_some_and(|(d, _)| d.str_of("status") == Some("booked"))
        })
    }
}

impl State {
    /// Judges where and how the document of a booking gives the appointment's address.
    fn addressed(&self, said: &Said, own: &str, notes: &mut Notes) {
        // The scheme is the proxy's business, and the letters of a UUID may be capitals.
        let plain = |url: &str| {
            let rest = url.split_once("://").map_or("", |(_, rest)| rest);
            rest.trim_end_matches('/').to_ascii_lowercase()
        };
        let right = self.url(own);
        if let Some(given) = said.appointment() {
            let what = match given.contains("/_history/") {
                true => "The document names a version of the appointment".to_owned(),
                false => format!("The document gives `{}` as the address", clipped(given)),
            };
            let fine = plain(given) == plain(&right);
            notes.judge(Rule::ReferralAddress, fine, what);
        }
        let (place, what) = match (&said.link, &said.coded) {
            (None, _) => ("linkHtml/@href", "The link for readers does not name it"),
            (_, None) => ("encounter/id/@extension", "No coded entry names it"),
            _ => (
                "linkHtml/@href",
                "Link and coded entry name different addresses",
            ),
        };
        let same = said.link.is_some() && said.link == said.coded;
        notes.at(Rule::ReferralPlaces, place).must(same).or(what);
    }
}

fn tree(text: &str) -> Option<Document<'_>> {
    bounded_xml::parse(text.trim_start_matches('\u{feff}'), BOUNDS).ok()
}

fn named<'a, 'i>(tree: &'a Document<'i>, name: &'a str) -> impl Iterator<Item = Node<'a, 'i>> {
    tree.descendants()
        .filter(move |n| n.is_element() && n.tag_name().name() == name)
}

fn read(body: &[u8]) -> Option<Said> {
    let text = std::str::from_utf8(body).ok()?;
    let message = tree(text)?;
    let envelope = named(&message, "DistributionEnvelope").next()?;
    let text_of = |name: &str| {
        named(&message, name)
            .next()
            .and_then(|n| n.text())
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let header = envelope
        .descendants()
        .find(|n| n.has_attribute("trackingid"));
    let mut said = Said {
        soap: message
            .root_element()
            .tag_name()
            .namespace()
            .unwrap_or_default()
            .to_owned(),
        message: text_of("MessageID"),
        tracking: header
            .and_then(|h| h.attribute("trackingid"))
            .unwrap_or_default()
            .to_owned(),
        ..Said::default()
    };
    match named(&message, "ClinicalDocument").next() {
        Some(_) => of_document(&message, &mut said),
        None => {
            let packed = named(&message, "payload")
                .next()
                .and_then(|p| p.text())
                .and_then(unpacked);
            if let Some(inner) = packed.as_deref().and_then(tree) {
                of_document(&inner, &mut said);
            }
        }
    }
    Some(said)
}

/// A payload in base64, compressed or not.
fn unpacked(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = STANDARD.decode(plain).ok()?;
    let bytes = match bytes.starts_with(&[0x1f, 0x8b]) {
        true => {
            let mut out = Vec::new();
            GzDecoder::new(&bytes[..])
                .take(4 * MAX_BODY as u64)
                .read_to_end(&mut out)
                .ok()?;
            out
        }
        false => bytes,
    };
    String::from_utf8(bytes).ok()
}

fn of_document(tree: &Document<'_>, said: &mut Said) {
    let document = named(tree, "ClinicalDocument").next();
    let id = document.and_then(|d| d.children().find(|n| n.tag_name().name() == "id"));
    said.document = id
        .and_then(|i| i.attribute("root"))
        .map(str::to_ascii_lowercase);
    let is_appointment = |url: &&str| url.contains("/Appointment/");
    said.link = named(tree, "linkHtml")
        .filter_map(|l| l.attribute("href"))
        .find(is_appointment)
        .map(str::to_owned);
    said.coded = named(tree, "id")
        .filter_map(|i| i.attribute("extension"))
        .find(is_appointment)
        .map(str::to_owned);
}

/// "OK", as `SimpleMessageResponse`.
fn acknowledgement(said: &Said) -> String {
    let soap = if said.soap.is_empty() {
        "http://schemas.xmlsoap.org/soap/envelope/"
    } else {
        &said.soap
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soap:Envelope xmlns:soap=\"{}\" xmlns:wsa=\"http://www.w3.org/2005/08/addressing\">\
         <soap:Header><wsa:MessageID>{}</wsa:MessageID><wsa:RelatesTo>{}</wsa:RelatesTo></soap:Header><soap:Body>\
         <itk:SimpleMessageResponse xmlns:itk=\"urn:nhs-itk:ns:201005\">OK:{}</itk:SimpleMessageResponse></soap:Body></soap:Envelope>",
        escape(soap),
        Uuid::new_v4().to_string().to_ascii_uppercase(),
        escape(&said.message),
        escape(&said.tracking),
    )
}
