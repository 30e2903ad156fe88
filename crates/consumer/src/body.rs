//! The body of an answer, read within a bound and unpacked. Content codings are compared as HTTP says: in any case, and
//! `x-gzip` is `gzip` (CONS-REQ-06).

use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use rustls::AlertDescription;
use std::error::Error;
use std::io::Read;

/// First bytes of everything that gzip packs.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Most codings of one body that are taken off.
const MAX_CODINGS: usize = 3;
/// Longest name of a coding that is quoted, characters.
const MAX_QUOTED: usize = 40;

/// Why there is no body.
#[derive(Debug)]
pub enum BodyFault {
    /// The line was cut before its end.
    BrokeOff(String),
    /// It is larger than the bound, packed or unpacked.
    TooLarge,
    /// It came whole, but cannot be unpacked.
    Packed(String),
}

/// The whole body, at most `most` bytes.
pub async fn read(response: &mut reqwest::Response, most: usize) -> Result<Vec<u8>, BodyFault> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| BodyFault::BrokeOff(reasons(error)))?
    {
        if body.len() + chunk.len() > most {
            return Err(BodyFault::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    unpacked(response.headers(), body, most)
}

fn unpacked(headers: &HeaderMap, mut body: Vec<u8>, most: usize) -> Result<Vec<u8>, BodyFault> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let names = values.flat_map(|v| v.to_str().unwrap_or("?").split(','));
    let codings: Vec<String> = names
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect();
    if codings.len() > MAX_CODINGS {
        return Err(BodyFault::Packed("it is packed too often".to_owned()));
    }
    // The last coding was put on last.
    for coding in codings.iter().rev() {
        match coding.as_str() {
            // A proxy may have unpacked the body and left the header.
            "gzip" | "x-gzip" if !body.starts_with(&GZIP) => {}
            "gzip" | "x-gzip" => body = gunzip(&body, most)?,
            other => {
                let other = crate::redact::foreign(other, MAX_QUOTED);
                return Err(BodyFault::Packed(format!("it is packed by `{other}`")));
            }
        }
    }
    Ok(body)
}

fn gunzip(body: &[u8], most: usize) -> Result<Vec<u8>, BodyFault> {
    let mut plain = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(body)
        .take(limit)
        .read_to_end(&mut plain)
        .map_err(|error| BodyFault::Packed(format!("gzip: {error}")))?;
    match plain.len() > most {
        true => Err(BodyFault::TooLarge),
        false => Ok(plain),
    }
}

/// An error with its causes, without the address: its query may name a patient.
pub fn reasons(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    // Chains have three or four links; the bound only guards against a loop.
    for _ in 0..8 {
        let Some(cause) = source else { break };
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

/// What TLS has to say about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// The other side does not take our certificate, or misses it.
    OwnCertificate,
    /// The certificate of the other side does not prove who it is.
    TheirCertificate,
}

/// Chains have some six links; the bound only guards against a loop.
const CAUSES: usize = 12;

/// Alerts by which a server says that it does not take the client's certificate, or misses one.
const OF_CERTIFICATES: [AlertDescription; 10] = [
    // A signature that cannot be verified: of an authority of the same name.
    AlertDescription::DecryptError,
    AlertDescription::NoCertificate,
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::AccessDenied,
    AlertDescription::CertificateRequired,
];

/// Whether a certificate is the reason why there is no answer.
pub fn tls_fault(error: &(dyn Error + 'static)) -> Option<TlsFault> {
    match tls_error(error) {
        Some(found) => of_rustls(found),
        None => of_text(&causes(error).last()?.to_string()),
    }
}

/// What TLS itself reports, unless HTTP/2 has kept only its text.
pub fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// An error and what it was made of.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let next = |&cause: &&'e (dyn Error + 'static)| {
        // An I/O error hides what it was made of from `source`, and clients pack one into another.
        let inner = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => cause.source(),
        }
    };
    std::iter::successors(Some(error), next).take(CAUSES)
}

fn of_rustls(error: &rustls::Error) -> Option<TlsFault> {
    match error {
        rustls::Error::AlertReceived(alert) if OF_CERTIFICATES.contains(alert) => {
            Some(TlsFault::OwnCertificate)
        }
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            Some(TlsFault::TheirCertificate)
        }
        _ => None,
    }
}

/// HTTP/2 keeps of an error of the line only its text.
fn of_text(text: &str) -> Option<TlsFault> {
    let of_alert = |alert| text.contains(&rustls::Error::AlertReceived(alert).to_string());
    OF_CERTIFICATES
        .into_iter()
        .any(of_alert)
        .then_some(TlsFault::OwnCertificate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(text: &str) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    }

    fn read(coding: &str, body: Vec<u8>) -> Result<Vec<u8>, BodyFault> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, coding.parse().unwrap());
        unpacked(&headers, body, 100)
    }

    /// Proves: CONS-REQ-06
    /// Every spelling of gzip, twice packed, unpacked on the way; what cannot be unpacked is told.
    #[test]
    fn codings() {
        for coding in [
            "gzip",
            "GZIP",
            "x-gzip",
            "X-Gzip",
            "identity, gzip",
            " gzip ",
        ] {
            assert_eq!(read(coding, packed("text")).unwrap(), b"text", "{coding}");
        }
        let twice = {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(&packed("text")).unwrap();
            out.finish().unwrap()
        };
        assert_eq!(read("gzip, x-gzip", twice).unwrap(), b"text");
        assert_eq!(read("gzip", b"text".to_vec()).unwrap(), b"text");
        assert!(matches!(
            read("br", b"x".to_vec()),
            Err(BodyFault::Packed(_))
        ));
        let mut cut = packed("text");
        cut.truncate(15);
        assert!(matches!(read("gzip", cut), Err(BodyFault::Packed(_))));
        let bomb = packed(&"x".repeat(101));
        assert!(matches!(read("gzip", bomb), Err(BodyFault::TooLarge)));
    }
}
