//! rustls configurations from PEM files: TLS 1.2 and 1.3, one crypto provider.

use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ServerConfig};
use std::path::PathBuf;
use std::sync::Arc;

/// What is spoken inside TLS; decides the protocols offered by ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/2 and HTTP/1.1.
    Http,
    /// LDAP, which has no ALPN name.
    Ldap,
}

/// Files of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of the clients' certificates; when set, every client must show one (mutual TLS).
    pub client_ca: Option<PathBuf>,
    /// Revocation list of clients' certificates.
    pub revoked: Option<PathBuf>,
}

/// Files of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// Authorities of the servers' certificates.
    pub ca: PathBuf,
    /// Certificate chain and private key to show, when asked.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Builds a server's configuration; the error names the file.
pub fn server_config(tls: &ServerTls, protocol: Protocol) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("tls: {e}"))?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut verifier = WebPkiClientVerifier::builder_with_provider(
                Arc::new(pemfile::authorities(path, "ca")?),
                provider,
            );
            if let Some(list) = &tls.revoked {
                verifier = verifier
                    .with_crls(pemfile::revocation_lists(list, "revoked")?)
                    .only_check_end_entity_revocation();
            }
            let verifier = verifier
                .build()
                .map_err(|e| format!("{}: {e}", path.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = pemfile::certificates(&tls.certificate, "certificate")?;
    let key = pemfile::private_key(&tls.key, "key")?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|e| pemfile::not_together(&tls.certificate, &tls.key, &e))?;
    if protocol == Protocol::Http {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    Ok(Arc::new(config))
}

/// Builds a client's configuration; the error names the file. ALPN is left to the client.
pub fn client_config(tls: &ClientTls) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("tls: {e}"))?
        .with_root_certificates(pemfile::authorities(&tls.ca, "ca")?);
    let config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                pemfile::certificates(certificate, "certificate")?,
                pemfile::private_key(key, "key")?,
            )
            .map_err(|e| pemfile::not_together(certificate, key, &e))?,
    };
    Ok(Arc::new(config))
}
