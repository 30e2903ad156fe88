//! Reads the validity of X.509 certificates and revocation lists from their DER, and checks a server's chain.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::time::Duration;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Validity of a certificate or list (RFC 5280, 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First moment.
    pub from: Timestamp,
    /// Last moment.
    pub until: Timestamp,
}

impl Validity {
    /// Seconds until it ends; negative afterwards.
    pub fn seconds_left(&self, now: Timestamp) -> i64 {
        self.until.as_second() - now.as_second()
    }
}

/// Validity of a certificate. `None`: not a certificate.
pub fn validity(der: &[u8]) -> Option<Validity> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut body, _) = element(certificate, SEQUENCE)?;
    if body.first() == Some(&VERSION) {
        body = element(body, VERSION)?.1;
    }
    // Skips serial number, signature algorithm and issuer.
    for _ in 0..3 {
        body = element(body, *body.first()?)?.1;
    }
    let (validity, _) = element(body, SEQUENCE)?;
    let (from, rest) = time(validity)?;
    let (until, _) = time(rest)?;
    Some(Validity { from, until })
}

/// Validity of a revocation list (RFC 5280, 5.1.2.4 and 5.1.2.5). `None`: it states none, or the bytes are no list.
pub fn list_validity(der: &[u8]) -> Option<Validity> {
    let (list, _) = element(der, SEQUENCE)?;
    let (mut body, _) = element(list, SEQUENCE)?;
    if body.first() == Some(&INTEGER) {
        body = element(body, INTEGER)?.1;
    }
    // Skips signature algorithm and issuer.
    for _ in 0..2 {
        body = element(body, SEQUENCE)?.1;
    }
    let (from, rest) = time(body)?;
    let (until, _) = time(rest)?;
    Some(Validity { from, until })
}

/// Splits the bytes into the content of the first element and the rest. `None`: it has another tag.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    if found != tag {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        // Certificates are shorter than 16 MB.
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            let length = digits.iter().fold(0, |n, b| n << 8 | usize::from(*b));
            (length, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let tag = *bytes.first()?;
    let (text, rest) = element(bytes, tag)?;
    let text = std::str::from_utf8(text).ok()?;
    // UTCTime has two digits of the year; 50 and above are 19xx.
    let full = match (tag, text.len()) {
        (GENERALIZED_TIME, 15) => text.to_owned(),
        (UTC_TIME, 13) => match text.get(..2)?.parse::<u8>().ok()? {
            0..50 => format!("20{text}"),
            _ => format!("19{text}"),
        },
        _ => return None,
    };
    let at = DateTime::strptime("%Y%m%d%H%M%SZ", &full).ok()?;
    Some((at.to_zoned(TimeZone::UTC).ok()?.timestamp(), rest))
}

/// What is wrong with a server's chain: a certificate that the next one did not sign, or that is not for servers. It may
/// have expired.
pub fn chain_fault(chain: &[CertificateDer<'_>]) -> Option<String> {
    let (first, rest) = chain.split_first()?;
    let (last, between) = rest.split_last()?;
    let when = chain
        .iter()
        .map(|der| validity(der).map(|v| v.from.as_second()))
        .collect::<Option<Vec<_>>>()
        .and_then(|all| all.into_iter().max())?;
    let anchor = match webpki::anchor_from_trusted_cert(last) {
        Ok(anchor) => anchor,
        Err(error) => return Some(format!("the last certificate cannot be read: {error}")),
    };
    let own = match webpki::EndEntityCert::try_from(first) {
        Ok(own) => own,
        Err(error) => return Some(format!("the first certificate cannot be read: {error}")),
    };
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(when).unwrap_or(0) + 1));
    own.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &[anchor],
        between,
        at,
        webpki::KeyUsage::server_auth(),
        None,
        None,
    )
    .err()
    .map(|error| format!("the chain does not hold together: {error}"))
}

/// True when a server certificate covers this DNS name or address.
pub fn is_for(der: &CertificateDer<'_>, name: &str) -> bool {
    let Ok(certificate) = webpki::EndEntityCert::try_from(der) else {
        return false;
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(name)
        .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_forms() {
        let utc = b"\x17\x0D310304081502Z";
        let (at, rest) = time(utc).unwrap();
        assert_eq!(
            (at.to_string().as_str(), rest.len()),
            ("2031-03-04T08:15:02Z", 0)
        );
        let general = b"\x18\x0F20510304081502Z!";
        let (at, rest) = time(general).unwrap();
        assert_eq!(
            (at.to_string().as_str(), rest),
            ("2051-03-04T08:15:02Z", &b"!"[..])
        );
        assert!(time(b"\x17\x0D310304081502").is_none());
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        for bytes in [
            &b""[..],
            b"\x30",
            b"\x30\x84\xFF\xFF\xFF\xFF",
            b"\x30\x05\x30\x03\x02\x01\x01",
        ] {
            assert!(validity(bytes).is_none());
        }
    }
}
