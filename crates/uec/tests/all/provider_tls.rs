//! HTTPS with certificates on both sides, as the SSP calls.

use super::support;
use std::io::{BufReader, Write as _};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version,
};

use super::support::certificates::{Authority, Identity};
use super::support::http::connect;
use super::support::operations::written;
use super::support::{Response, Server};

/// The authority both sides trust, the client's certificate, and one that nobody trusts.
struct Parties {
    authority: Authority,
    client: Identity,
    stranger: Identity,
}

fn write_files(folder: &Path, authority: &Authority) -> Vec<String> {
    let ca = written(folder, "ca.pem", &authority.certificate.pem());
    let mut arguments = authority.server("127.0.0.1").served(folder);
    arguments.extend(["--tls-client-ca".to_owned(), ca.display().to_string()]);
    arguments
}

/// One request over TLS; nothing when the connection is refused.
fn https(
    server: &Server,
    parties: &Parties,
    identity: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
    request: &[u8],
) -> Option<Response> {
    let mut roots = RootCertStore::empty();
    roots
        .add(parties.authority.certificate.der().clone())
        .expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let chain: Vec<CertificateDer<'static>> = vec![identity.certificate.der().clone()];
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));
            config
                .with_client_auth_cert(chain, key)
                .expect("an identity")
        }
    };
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = StreamOwned::new(client, connect(server.address));
    stream.write_all(request).ok()?;
    stream.flush().ok()?;
    Response::read(&mut BufReader::new(stream))
}

/// Proves: PROV-GEN-04, PROV-HDR-17, NFR-01
#[test]
fn https_wants_certificates_on_both_sides_and_says_so_to_come() {
    let (authority, other) = (
        Authority::new("Test Authority"),
        Authority::new("Somebody Else"),
    );
    let parties = Parties {
        client: authority.client("ssp.example.nhs.uk"),
        stranger: other.client("ssp.example.nhs.uk"),
        authority,
    };
    let server = Server::spawn("tls", true, |folder| {
        write_files(folder, &parties.authority)
    });
    let ready = b"GET /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let both = [&version::TLS12, &version::TLS13];
    let known = Some(&parties.client);
    server.wait_until(|server| {
        let listening = std::net::TcpStream::connect(server.address).is_ok();
        listening && https(server, &parties, known, &both, ready).is_some_and(|r| r.status == 200)
    });
    let call = server.plain_search();
    let request = call.clone().with("Connection", "close").bytes();
    for versions in [&[&version::TLS12][..], &[&version::TLS13], &both] {
        let response = https(&server, &parties, known, versions, &request)
            .expect("an answer")
            .with(200);
        response.check(&call);
        let hsts = response.header("strict-transport-security").expect("HSTS");
        assert!(hsts.contains("max-age="), "{hsts}");
    }
    let refused = call.without("Authorization");
    let bytes = refused.clone().with("Connection", "close").bytes();
    let response = https(&server, &parties, known, &both, &bytes)
        .expect("an answer")
        .with(403);
    assert!(
        response.header("strict-transport-security").is_some(),
        "on refusals as well"
    );
    assert!(
        https(&server, &parties, None, &both, &request).is_none(),
        "no certificate, no answer"
    );
    let stranger = Some(&parties.stranger);
    assert!(
        https(&server, &parties, stranger, &both, &request).is_none(),
        "unknown authority"
    );
    assert!(
        support::http::exchange(server.address, &request).is_none_or(|r| r.status == 400),
        "not plain"
    );
    server.kill();
}
