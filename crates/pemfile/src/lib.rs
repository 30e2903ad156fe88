//! Reads certificates, keys and revocation lists from files that a user names, for rustls.
//!
//! Every program reads such files through this crate. A bound ends the reading of a device or a wrong file. [`messages`] says
//! what is wrong. `setting` is the setting that names the file, for the error message.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))] // They panic when the stream is broken.

mod key;
mod messages;

use booking::named_file::{self, SMALL};
use messages::{Mismatch, Wanted, fault};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::fs::File;
use std::path::Path;

/// Largest file of revocation lists, bytes. The national list has some hundred kilobytes.
const LISTS: u64 = 16 << 20;

/// The certificates of a file, at least one.
pub fn certificates(path: &Path, setting: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(path, setting, SMALL)?;
    match CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(fault(setting, path, Wanted::Certificate, &bytes)),
    }
}

/// The certificates of a file as trusted authorities.
pub fn authorities(path: &Path, setting: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, setting)? {
        let added = roots.add(certificate);
        added.map_err(|_| messages::no_authority(setting, path))?;
    }
    Ok(roots)
}

/// The private key of a file.
pub fn private_key(path: &Path, setting: &str) -> Result<PrivateKeyDer<'static>, String> {
    let bytes = read(path, setting, SMALL)?;
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| fault(setting, path, Wanted::PrivateKey, &bytes))
}

/// The revocation lists of a file, PEM or DER, at least one.
pub fn revocation_lists(
    path: &Path,
    setting: &str,
) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    const SEQUENCE: u8 = 0x30;
    let bytes = read(path, setting, LISTS)?;
    if bytes.first() == Some(&SEQUENCE) {
        return Ok(vec![CertificateRevocationListDer::from(bytes)]);
    }
    match CertificateRevocationListDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(fault(setting, path, Wanted::RevocationList, &bytes)),
    }
}

/// The error message for a chain and a key that do not fit together.
pub fn not_together(chain: &Path, key: &Path, error: &rustls::Error) -> String {
    let unfit = match error {
        rustls::Error::InconsistentKeys(_) => Mismatch::OtherKey,
        rustls::Error::InvalidCertificate(_) => Mismatch::Certificate,
        _ => Mismatch::Key {
            kind: private_key(key, "tls").ok().and_then(|k| key::kind(&k)),
        },
    };
    messages::not_together(chain, key, unfit)
}

fn read(path: &Path, setting: &str, most: u64) -> Result<Vec<u8>, String> {
    named_file::bytes(File::open(path), most)
        .map_err(|e| format!("{setting}: cannot read {}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: NFR-01
    #[cfg(unix)]
    #[test]
    fn a_file_without_end_is_read_to_the_bound_only() {
        let zero = Path::new("/dev/zero");
        let told = [
            certificates(zero, "tls.ca").unwrap_err(),
            authorities(zero, "tls.ca").unwrap_err(),
            private_key(zero, "tls.ca").unwrap_err(),
            revocation_lists(zero, "tls.ca").unwrap_err(),
        ];
        for said in told {
            let begins = "tls.ca: cannot read /dev/zero: it is larger than 1";
            assert!(said.starts_with(begins), "{said}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_as_such() {
        let said = private_key(Path::new("/no/such/k.pem"), "tls.key").unwrap_err();
        assert!(
            said.starts_with("tls.key: cannot read /no/such/k.pem: "),
            "{said}"
        );
    }
}
