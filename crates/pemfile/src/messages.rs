//! Error messages about PEM files: which file, what it holds, and what it should hold.

use std::fmt::Write as _;
use std::path::Path;

/// Most sections named in a message.
const NAMED: usize = 5;
/// Start of a section's first line.
const BEGIN: &str = "-----BEGIN ";
/// Start of a section's last line.
const END: &str = "-----END ";

/// What a file should hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// At least one certificate.
    Certificate,
    /// A private key without passphrase.
    PrivateKey,
    /// A revocation list.
    RevocationList,
}

impl Wanted {
    fn words(self) -> &'static str {
        match self {
            Wanted::Certificate => "a certificate",
            Wanted::PrivateKey => "a private key",
            Wanted::RevocationList => "a revocation list",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Wanted::Certificate => "CERTIFICATE",
            Wanted::PrivateKey => "PRIVATE KEY",
            Wanted::RevocationList => "X509 CRL",
        }
    }
}

/// Why a certificate and a key cannot be used together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The key belongs to another certificate.
    OtherKey,
    /// The certificate cannot be read.
    Certificate,
    /// The key is of no kind that TLS uses.
    Key {
        /// Kind and size, where they could be read.
        kind: Option<String>,
    },
}

/// The error message for a file without anything of the wanted kind. `setting` is the setting that names the file.
pub fn fault(setting: &str, path: &Path, wanted: Wanted, bytes: &[u8]) -> String {
    let file = path.display();
    let text = String::from_utf8_lossy(bytes);
    let found = sections(&text);
    let why = why(&text, &found, wanted);
    let mut out = format!(
        "{setting}: {file} should hold {}, but {why}. ",
        wanted.words()
    );
    // Writing into a String cannot fail.
    let _ = match found.is_empty() {
        true => write!(
            out,
            "No PEM section was found: is it a DER or PKCS#12 file? "
        ),
        false => write!(out, "Found: {}. ", found.join(", ")),
    };
    if found.iter().any(|label| label == "ENCRYPTED PRIVATE KEY") {
        out.push_str("The key is encrypted with a passphrase; write one without: openssl pkey -in FILE -out KEY");
    } else {
        let _ = write!(
            out,
            "Right would be a section that begins with {BEGIN}{}-----",
            wanted.label()
        );
    }
    out
}

/// The error message for a chain and a key that could be read but do not fit together.
pub fn not_together(chain: &Path, key: &Path, unfit: Mismatch) -> String {
    let (chain, key) = (chain.display(), key.display());
    match unfit {
        Mismatch::OtherKey => format!(
            "tls: the private key in {key} does not belong to the first certificate in {chain}: give the key that this \
             certificate was made with; in the chain, one's own certificate comes first"
        ),
        Mismatch::Certificate => format!(
            "tls: the first certificate in {chain} cannot be used: it is no X.509 certificate that TLS understands"
        ),
        Mismatch::Key { kind } => {
            let is = kind.map_or_else(String::new, |kind| format!(" it is {kind};"));
            format!(
                "tls: the private key in {key} cannot be used with the certificate in {chain}:{is} right would be an RSA key \
                 of 2048 to 8192 bits, an EC key of the curve P-256, P-384 or P-521, or an Ed25519 key, and a certificate that \
                 was made with it"
            )
        }
    }
}

/// The error message for a CERTIFICATE section among the authorities that holds something else.
pub fn no_authority(setting: &str, path: &Path) -> String {
    format!(
        "{setting}: {}: a section named CERTIFICATE holds something else: it should hold the certificates of the \
         authorities, as PEM",
        path.display()
    )
}

fn why(text: &str, found: &[String], wanted: Wanted) -> &'static str {
    let starts = text.lines().filter(|l| l.trim().starts_with(BEGIN)).count();
    let ends = text.lines().filter(|l| l.trim().starts_with(END)).count();
    let damaged = |l: &str| l.trim().starts_with(BEGIN) && !l.trim().ends_with("-----");
    if text.lines().any(damaged) {
        "a BEGIN line is damaged"
    } else if starts > ends {
        "a section begins and has no END line: the file is cut off"
    } else if found.iter().any(|label| label.ends_with(wanted.label()))
        && !found.iter().any(|label| label.starts_with("ENCRYPTED"))
    {
        "the text between BEGIN and END is damaged: it is not base64"
    } else {
        "none is in it"
    }
}

/// The labels of the sections in a file.
fn sections(text: &str) -> Vec<String> {
    let labels = text.lines().filter_map(|line| {
        let label = line.trim().strip_prefix(BEGIN)?.strip_suffix("-----")?;
        let plain = |c: &char| c.is_ascii_alphanumeric() || *c == ' ';
        Some(label.chars().filter(plain).collect())
    });
    labels.take(NAMED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(wanted: Wanted, text: &str) -> String {
        fault("tls.ca", Path::new("x.pem"), wanted, text.as_bytes())
    }

    #[test]
    fn each_fault_of_a_file_has_its_own_words() {
        let cases = [
            (
                Wanted::Certificate,
                "",
                "none is in it. No PEM section was found",
            ),
            (
                Wanted::Certificate,
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "none is in it. Found: PRIVATE KEY. Right would be a section that begins with -----BEGIN CERTIFICATE-----",
            ),
            (
                Wanted::Certificate,
                "-----BEGIN CERTIFICATE-----\nAAAA\n",
                "the file is cut off",
            ),
            (
                Wanted::Certificate,
                "-----BEGIN CERTIFICATE\nAAAA\n-----END CERTIFICATE-----\n",
                "a BEGIN line is damaged",
            ),
            (
                Wanted::Certificate,
                "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
                "it is not base64",
            ),
            (
                Wanted::PrivateKey,
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
                "none is in it. Found: ENCRYPTED PRIVATE KEY. The key is encrypted with a passphrase",
            ),
        ];
        for (wanted, text, words) in cases {
            let said = told(wanted, text);
            assert!(said.starts_with("tls.ca: x.pem should hold "), "{said}");
            assert!(said.contains(words), "{said}");
        }
    }
}
