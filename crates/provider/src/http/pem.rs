//! PEM files by way of rustls; what is wrong with one is told in the words of `booking::pem`.

use booking::pem::{Unfit, Wanted, fault};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::File;
use std::path::Path;

/// The certificates of a file; `setting` names it in what is wrong.
pub fn certificates(path: &Path, setting: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(fault(setting, path, Wanted::Certificate, File::open(path))),
    }
}

/// The private key of a file.
pub fn private_key(path: &Path, setting: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|_| fault(setting, path, Wanted::PrivateKey, File::open(path)))
}

/// Why a chain and a key cannot be used together.
pub fn not_together(chain: &Path, key: &Path, error: &rustls::Error) -> String {
    let unfit = match error {
        rustls::Error::InconsistentKeys(_) => Unfit::OtherKey,
        rustls::Error::InvalidCertificate(_) => Unfit::Certificate,
        _ => Unfit::Key,
    };
    booking::pem::not_together(chain, key, unfit)
}
