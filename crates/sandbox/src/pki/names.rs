//! Names in a client's certificate.

use rustls::pki_types::{CertificateDer, ServerName};

/// 2.5.4.3, the common name.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SET: u8 = 0x31;
const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// UTF8String, PrintableString, TeletexString, IA5String: the single-byte kinds that host names come in.
const TEXTS: [u8; 4] = [0x0c, 0x13, 0x14, 0x16];

/// True when the (already verified) certificate carries `name` as a DNS name or as its common name, as the
/// certificates of the Spine's authorities do (NAT-SSP-04).
pub fn carries_name(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else {
        return false;
    };
    let alternative = ServerName::try_from(name)
        .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok());
    alternative
        || common_names(certificate.subject())
            .iter()
            .any(|held| held.eq_ignore_ascii_case(name))
}

/// The common names of a subject: the content of its RDNSequence.
fn common_names(mut subject: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((tag, set, rest)) = value(subject) {
        subject = rest;
        let mut set = set;
        while let (SET, Some((SEQUENCE, pair, others))) = (tag, value(set)) {
            set = others;
            if let Some((OBJECT_IDENTIFIER, COMMON_NAME, text)) = value(pair)
                && let Some((kind, text, _)) = value(text)
                && TEXTS.contains(&kind)
                && let Ok(text) = std::str::from_utf8(text)
            {
                found.push(text.to_owned());
            }
        }
    }
    found
}

/// The first DER value: its tag, its content, and what follows. `None` at the end and where it is no DER.
fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (
            usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])),
            rest.get(2..)?,
        ),
        _ => return None,
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}
