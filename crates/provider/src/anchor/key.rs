//! Ed25519 keys that sign and verify heads. PEM files: PKCS#8 for the private key, SubjectPublicKeyInfo for the public key,
//! as written by `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout`.

use crate::audit::hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use booking::named_file;
use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use rustls::sign::Signer;
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The bytes before the 32 of a private key in PKCS#8 (RFC 8410, section 7).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// The bytes before the 32 of a public key (RFC 8410, section 4).
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// File mode of the private key: only its owner reads and writes it.
const MODE: u32 = 0o600;

/// A verifying key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a PEM file with a public key, or with the private key.
    pub fn open(path: &Path) -> Result<PublicKey, String> {
        let bytes = named_file::bytes(File::open(path), named_file::SMALL)
            .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        if let Ok(found) = SubjectPublicKeyInfoDer::from_pem_slice(&bytes) {
            return PublicKey::of(&found)
                .ok_or_else(|| format!("{} is no Ed25519 public key", path.display()));
        }
        SigningKey::open(path, "the key").map(|key| key.public)
    }

    fn of(der: &[u8]) -> Option<PublicKey> {
        let bytes = der.strip_prefix(&SPKI)?;
        Some(PublicKey(bytes.try_into().ok()?))
    }

    /// Id of the key: the first 16 hexadecimal digits of its SHA-256.
    pub fn id(&self) -> String {
        let mut digits = hex(&Sha256::digest(self.0));
        digits.truncate(16);
        digits
    }

    /// The key as PEM.
    pub fn pem(&self) -> String {
        section("PUBLIC KEY", &[&SPKI[..], &self.0].concat())
    }

    /// Whether this key made the signature over this text.
    pub(super) fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        let verified = webpki::aws_lc_rs::ED25519.verify_signature(&self.0, text, signature);
        verified.is_ok()
    }
}

/// A signing key. Its `Debug` never shows it.
pub struct SigningKey {
    signer: Box<dyn Signer>,
    public: PublicKey,
}

impl SigningKey {
    /// Reads a PEM file; errors name `setting`.
    pub fn open(path: &Path, setting: &str) -> Result<SigningKey, String> {
        let of_another_kind = || {
            format!(
                "{setting}: {} holds a key of another kind than Ed25519: make one with `uec provider audit key --make {}`, \
                 under a new name",
                path.display(),
                path.display()
            )
        };
        let PrivateKeyDer::Pkcs8(der) = pemfile::private_key(path, setting)? else {
            return Err(of_another_kind());
        };
        let key = aws_lc_rs::sign::any_eddsa_type(&der).map_err(|_| of_another_kind())?;
        let public = key.public_key().and_then(|der| PublicKey::of(&der));
        let signer = key.choose_scheme(&[SignatureScheme::ED25519]);
        let (Some(public), Some(signer)) = (public, signer) else {
            return Err(of_another_kind());
        };
        Ok(SigningKey { signer, public })
    }

    /// Makes a key and writes it to a new file that only its owner can read.
    pub fn make(path: &Path) -> Result<SigningKey, String> {
        let failed = |what: &dyn std::fmt::Display| {
            format!("the key cannot be written to {}: {what}", path.display())
        };
        let mut secret = [0; 32];
        aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut secret)
            .map_err(|_| failed(&"there are no random numbers"))?;
        let text = section("PRIVATE KEY", &[&PKCS8[..], &secret].concat());
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(path)
            .map_err(|e| match e.kind() {
                std::io::ErrorKind::AlreadyExists => failed(&"a file is there already, and stays"),
                _ => failed(&e),
            })?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|e| failed(&e))?;
        SigningKey::open(path, "the new key")
    }

    /// The matching verifying key.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    pub(super) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        self.signer
            .sign(text)
            .map_err(|e| format!("nothing could be signed: {e}"))
    }
}

fn section(label: &str, der: &[u8]) -> String {
    // An Ed25519 key fits into one line of 64 characters.
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}
