//! The throw-away certificates: what they carry, who may read the keys, and that rustls takes them.

use super::spine::*;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use sandbox::pki::{self, Authority, ClientTls, Protocol, ServerTls, carries_name};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use testkit::assert_contains;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// True when both sides finish the handshake and a byte gets through.
async fn shakes(
    server: Arc<rustls::ServerConfig>,
    client: Arc<rustls::ClientConfig>,
    name: &str,
) -> bool {
    let (near, far) = tokio::io::duplex(64 << 10);
    let server = async {
        let mut stream = TlsAcceptor::from(server).accept(far).await?;
        stream.write_all(b"!").await?;
        stream.shutdown().await
    };
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let client = async {
        let mut stream = TlsConnector::from(client).connect(name, near).await?;
        stream.read_u8().await
    };
    let (served, read) = tokio::join!(server, client);
    served.is_ok() && read.is_ok()
}

/// Proves: NAT-SSP-04, NAT-SDS-01
#[tokio::test]
async fn both_sides_know_each_other_and_nobody_else() {
    let made = Certificates::new(&[CONSUMER_NAME, "other.example.nhs.uk"]);
    let server = made.server(Protocol::Http, true);
    assert_eq!(
        server.alpn_protocols,
        [b"h2".to_vec(), b"http/1.1".to_vec()]
    );
    assert!(made.server(Protocol::Ldap, true).alpn_protocols.is_empty());
    for name in ["localhost", "127.0.0.1", "::1"] {
        assert!(
            shakes(server.clone(), made.client(Some(CONSUMER_NAME)), name).await,
            "{name}"
        );
    }
    assert!(
        !shakes(
            server.clone(),
            made.client(Some(CONSUMER_NAME)),
            "example.nhs.uk"
        )
        .await
    );
    assert!(!shakes(server.clone(), made.client(None), "localhost").await);
    let strangers = Certificates::new(&[CONSUMER_NAME]);
    assert!(
        !shakes(
            server.clone(),
            strangers.client(Some(CONSUMER_NAME)),
            "localhost"
        )
        .await
    );
    // A server's certificate is none of a client.
    let identity = Some(made.files.server.clone());
    let ca = made.files.ca.clone();
    let wrong = pki::client_config(&ClientTls { ca, identity }).unwrap();
    assert!(!shakes(server, wrong, "localhost").await);
}

fn put(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Proves: NAT-SSP-04
#[tokio::test]
async fn a_revoked_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| put(folder.path(), name, text);
    let authority = Authority::new().unwrap();
    let server = authority.server(&["localhost"]).unwrap();
    let (good, bad) = (
        authority.client("good.example.nhs.uk").unwrap(),
        authority.client("bad.example.nhs.uk").unwrap(),
    );
    let ca = put("ca.pem", authority.certificate());
    let tls = ServerTls {
        certificate: put("server.pem", &server.certificate),
        key: put("server.key", &server.key),
        client_ca: Some(ca.clone()),
        revoked: Some(put(
            "revoked.pem",
            &authority.revocation_list(&[&bad]).unwrap(),
        )),
    };
    let server = pki::server_config(&tls, Protocol::Http).unwrap();
    for (name, identity, welcome) in [("good", &good, true), ("bad", &bad, false)] {
        let files = (
            put(&format!("{name}.pem"), &identity.certificate),
            put(&format!("{name}.key"), &identity.key),
        );
        let client = pki::client_config(&ClientTls {
            ca: ca.clone(),
            identity: Some(files),
        })
        .unwrap();
        assert_eq!(
            shakes(server.clone(), client, "localhost").await,
            welcome,
            "{name}"
        );
    }
    assert!(!format!("{good:?} {authority:?}").contains("KEY"));
}

/// Proves: NAT-SSP-04
#[test]
fn names_are_found_in_both_places() {
    let authority = Authority::new().unwrap();
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let both = der(&authority.client(CONSUMER_NAME).unwrap().certificate);
    assert!(carries_name(&both, CONSUMER_NAME));
    assert!(carries_name(&both, "CONSUMER.example.nhs.uk"));
    for other in [
        "example.nhs.uk",
        "x.consumer.example.nhs.uk",
        "",
        "*",
        "*.example.nhs.uk",
    ] {
        assert!(!carries_name(&both, other), "{other}");
    }
    // Only a common name, as older certificates of the Spine.
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::OrganizationName, "nhs");
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, CONSUMER_NAME);
    let only = params.self_signed(&key).unwrap();
    assert!(carries_name(only.der(), CONSUMER_NAME));
    assert!(!carries_name(only.der(), "nhs"));
    assert!(!carries_name(
        &CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]),
        CONSUMER_NAME
    ));
}

#[test]
fn files_are_replaced_and_keys_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/on/the/spot");
    let first = pki::write(&path, SSP_NAME, &[CONSUMER_NAME]).unwrap();
    let before = std::fs::read_to_string(&first.ca).unwrap();
    let again = pki::write(&path, SSP_NAME, &[CONSUMER_NAME]).unwrap();
    assert_eq!(first, again);
    assert_ne!(before, std::fs::read_to_string(&again.ca).unwrap());
    let keys = [
        &again.server.1,
        &again.provider.1,
        &again.ssp.1,
        &again.consumers[0].2,
    ];
    #[cfg(unix)]
    for key in keys {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(key).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(
        pki::write(&path, SSP_NAME, &["../escape"])
            .unwrap_err()
            .contains("host name")
    );
    let missing = ClientTls {
        ca: path.join("none.pem"),
        identity: None,
    };
    assert!(
        pki::client_config(&missing)
            .unwrap_err()
            .contains("none.pem")
    );
    // A file that holds something else is told in plain words, with what would be right.
    let wrong = path.join("wrong.pem");
    std::fs::write(&wrong, "-----BEGIN PRIVATE KEY-----\nAAAA\n").unwrap();
    let said = pki::client_config(&ClientTls {
        ca: wrong,
        identity: None,
    })
    .unwrap_err();
    assert_contains(
        &said,
        &["should hold a certificate", "cut off", "BEGIN CERTIFICATE"],
    );
    assert!(!said.contains("Missing"), "{said}");
}

#[test]
fn openssl_accepts_the_chain() {
    let made = Certificates::new(&[CONSUMER_NAME]);
    for (purpose, file) in [
        ("sslserver", &made.files.server.0),
        ("sslclient", &made.files.consumers[0].1),
    ] {
        let run = Command::new("openssl")
            .args(["verify", "-x509_strict", "-purpose", purpose, "-CAfile"])
            .arg(&made.files.ca)
            .arg(file)
            .output();
        let Ok(output) = run else { return };
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
