//! Writes the ITK distribution envelope in SOAP 1.1.

use super::cda::upper;
use super::endpoint::{Endpoint, Wrapping};
use super::model::Referral;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use booking::xml_writer::XmlWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use uuid::Uuid;

/// Profile of the document, for the manifest.
const PROFILE: &str = "urn:nhs-en:profile:nhs111CDADocument-v2-0";
/// Handling keys.
const INTERACTION_KEY: &str = "urn:nhs-itk:ns:201005:interaction";
const RESPONSE_KEY: &str = "urn:nhs-itk:ns:201005:infackrequested";

/// Writes the message. `tracking` is its id, the same for every try.
pub(super) fn write(
    referral: &Referral,
    cda: &str,
    endpoint: &Endpoint,
    tracking: Uuid,
) -> std::io::Result<String> {
    let (base64, compressed) = match endpoint.wrapping {
        Wrapping::ItkCompressed => (true, true),
        Wrapping::ItkBase64 => (true, false),
        _ => (false, false),
    };
    let flag = |set: bool| if set { "true" } else { "false" };
    let (service, tracking) = (endpoint.service(), upper(tracking));
    let item = format!("uuid_{}", upper(referral.document_id));
    let mut xml = XmlWriter::document();
    soap_head(&mut xml, referral, endpoint, &tracking);
    xml.start(
        "itk:DistributionEnvelope",
        &[("xmlns:itk", "urn:nhs-itk:ns:201005")],
    );
    xml.start(
        "itk:header",
        &[("service", service), ("trackingid", &tracking)],
    );
    xml.start("itk:addresslist", &[]);
    let to = format!("urn:nhs-uk:addressing:ods:{}", referral.recipient.ods);
    xml.empty("itk:address", &[("uri", &to)]);
    xml.end();
    xml.start("itk:auditIdentity", &[]);
    let identity = format!(
        "urn:nhs-uk:identity:ods:{}",
        referral.author.organisation.ods
    );
    xml.empty("itk:id", &[("uri", &identity)]);
    xml.end();
    xml.start("itk:manifest", &[("count", "1")]);
    xml.empty(
        "itk:manifestitem",
        &[
            ("id", &item),
            ("mimetype", "text/xml"),
            ("profileid", PROFILE),
            ("base64", flag(base64)),
            ("compressed", flag(compressed)),
            ("encrypted", "false"),
        ],
    );
    xml.end();
    xml.empty("itk:senderAddress", &[("uri", &sender(referral))]);
    xml.start("itk:handlingSpecification", &[]);
    xml.empty("itk:spec", &[("key", RESPONSE_KEY), ("value", "false")]);
    if !endpoint.interaction.is_empty() {
        xml.empty(
            "itk:spec",
            &[("key", INTERACTION_KEY), ("value", &endpoint.interaction)],
        );
    }
    xml.end();
    xml.end();
    xml.start("itk:payloads", &[("count", "1")]);
    match base64 {
        true => {
            let bytes = match compressed {
                true => gzip(cda.as_bytes())?,
                false => cda.as_bytes().to_vec(),
            };
            xml.text("itk:payload", &[("id", &item)], &STANDARD.encode(bytes));
        }
        false => {
            xml.start("itk:payload", &[("id", &item)]);
            xml.embed(without_declaration(cda));
            xml.end();
        }
    }
    Ok(xml.finish())
}

/// Opens envelope and body, with the addressing header. The message id is the tracking id, so a repeat is the same message.
fn soap_head(xml: &mut XmlWriter, referral: &Referral, endpoint: &Endpoint, tracking: &str) {
    xml.start(
        "soap:Envelope",
        &[
            ("xmlns:soap", "http://schemas.xmlsoap.org/soap/envelope/"),
            ("xmlns:wsa", "http://www.w3.org/2005/08/addressing"),
        ],
    );
    xml.start("soap:Header", &[]);
    xml.text("wsa:MessageID", &[], tracking);
    xml.text("wsa:Action", &[], endpoint.service());
    xml.text("wsa:To", &[], &endpoint.address);
    xml.start("wsa:From", &[]);
    xml.text("wsa:Address", &[], &sender(referral));
    xml.end();
    xml.end();
    xml.start("soap:Body", &[]);
}

fn sender(referral: &Referral) -> String {
    format!(
        "urn:nhs-uk:addressing:ods:{}",
        referral.author.organisation.ods
    )
}

fn without_declaration(cda: &str) -> &str {
    match cda
        .strip_prefix("<?xml")
        .and_then(|rest| rest.split_once("?>"))
    {
        Some((_, rest)) => rest.trim_start(),
        None => cda,
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}
