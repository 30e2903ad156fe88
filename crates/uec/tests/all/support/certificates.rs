//! Certificates that tests make.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use std::path::{Path, PathBuf};

use super::operations::written;

/// An authority that signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: Certificate,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let (key, mut params) = (key(), params(&[]));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("a certificate");
        Authority {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// A certificate for this host.
    pub fn server(&self, host: &str) -> Identity {
        self.server_with(host, |_| ())
    }

    /// The same with something else about it.
    pub fn server_with(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        self.sign(host, ExtendedKeyUsagePurpose::ServerAuth, change)
    }

    /// A certificate of the client with this name.
    pub fn client(&self, name: &str) -> Identity {
        self.sign(name, ExtendedKeyUsagePurpose::ClientAuth, |_| ())
    }

    fn sign(
        &self,
        name: &str,
        purpose: ExtendedKeyUsagePurpose,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let (key, mut params) = (key(), params(&[name]));
        params.extended_key_usages = vec![purpose];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity { certificate, key }
    }
}

/// A certificate with its key.
pub struct Identity {
    pub certificate: Certificate,
    pub key: KeyPair,
}

impl Identity {
    /// One that nobody else signed, with something else about it.
    pub fn alone(host: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let (key, mut params) = (key(), params(&[host]));
        change(&mut params);
        let certificate = params.self_signed(&key).expect("a certificate");
        Identity { certificate, key }
    }

    /// Its files in a folder: the certificate `NAME.pem` and the key `NAME.key`.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let chain = written(folder, &format!("{name}.pem"), &self.certificate.pem());
        let key = written(folder, &format!("{name}.key"), &self.key.serialize_pem());
        (chain, key)
    }

    /// Its files in a folder as `server`, and the arguments with which a Provider shows it.
    pub fn served(&self, folder: &Path) -> Vec<String> {
        let (chain, key) = self.write(folder, "server");
        let pairs = [("--tls-certificate", chain), ("--tls-key", key)];
        let words = pairs.map(|(flag, file)| [flag.to_owned(), file.display().to_string()]);
        words.concat()
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn params(hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    CertificateParams::new(hosts).expect("parameters")
}
