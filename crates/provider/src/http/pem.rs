//! What is wrong with a PEM file, in plain words: which file, what was found in it, what would be right.

use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt::Write as _;
use std::path::Path;

/// Largest file that is looked through for what it holds.
const LOOKED_THROUGH: u64 = 1 << 20;
/// Most sections that are named.
const NAMED: usize = 5;
/// How a section of a PEM file begins.
const BEGIN: &str = "-----BEGIN ";

/// The certificates of a file; `setting` names it in what is wrong.
pub fn certificates(path: &Path, setting: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>());
    match read {
        Ok(found) if found.is_empty() => {
            Err(told(path, setting, "a certificate", &Error::NoItemsFound))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(told(path, setting, "a certificate", &error)),
    }
}

/// The private key of a file.
pub fn private_key(path: &Path, setting: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| told(path, setting, "a private key", &error))
}

/// Why a chain and a key cannot be used together.
pub fn not_together(chain: &Path, key: &Path, error: &rustls::Error) -> String {
    let (chain, key) = (chain.display(), key.display());
    match error {
        rustls::Error::InconsistentKeys(_) => format!(
            "tls: the private key in {key} does not belong to the first certificate in {chain}: give the key that this \
             certificate was made with; in the chain, the server's own certificate comes first"
        ),
        rustls::Error::InvalidCertificate(_) => format!(
            "tls: the first certificate in {chain} cannot be used: it is no X.509 certificate that TLS understands"
        ),
        other => {
            format!("tls: the certificate in {chain} and the key in {key} cannot be used: {other}")
        }
    }
}

fn told(path: &Path, setting: &str, wanted: &str, error: &Error) -> String {
    let file = path.display();
    let why = match error {
        Error::Io(error) => return format!("{setting}: cannot read {file}: {error}"),
        Error::NoItemsFound => "none is in it".to_owned(),
        Error::MissingSectionEnd { .. } => {
            "a section begins and has no END line: the file is cut off".to_owned()
        }
        Error::IllegalSectionStart { .. } => "a BEGIN line is damaged".to_owned(),
        Error::Base64Decode(_) => {
            "the text between BEGIN and END is damaged: it is not base64".to_owned()
        }
        _ => "it is not a PEM file that can be read".to_owned(),
    };
    let mut out = format!("{setting}: {file} should hold {wanted}, but {why}. ");
    let found = sections(path);
    let _ = match found.is_empty() {
        // Writing into a String cannot fail.
        true => write!(
            out,
            "No PEM section was found: is it a DER or PKCS#12 file? "
        ),
        false => write!(out, "Found: {}. ", found.join(", ")),
    };
    if found.iter().any(|label| label == "ENCRYPTED PRIVATE KEY") {
        out.push_str("The key is encrypted with a passphrase; write one without: openssl pkey -in FILE -out KEY");
    } else {
        let label = if wanted == "a certificate" {
            "CERTIFICATE"
        } else {
            "PRIVATE KEY"
        };
        let _ = write!(
            out,
            "Right would be a section that begins with {BEGIN}{label}-----"
        );
    }
    out
}

/// The labels of the sections in a file.
fn sections(path: &Path) -> Vec<String> {
    let small = std::fs::metadata(path).is_ok_and(|m| m.len() <= LOOKED_THROUGH);
    let bytes = if small {
        std::fs::read(path).unwrap_or_default()
    } else {
        Vec::new()
    };
    let text = String::from_utf8_lossy(&bytes);
    let labels = text.lines().filter_map(|line| {
        let label = line.trim().strip_prefix(BEGIN)?.strip_suffix("-----")?;
        Some(
            label
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == ' ')
                .collect(),
        )
    });
    labels.take(NAMED).collect()
}
