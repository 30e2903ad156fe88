//! TLS of the simulator: its own certificate, and client certificates if an authority is named.

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use std::path::PathBuf;
use std::sync::Arc;

/// PEM files.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
    /// Authorities of the client certificates that are then demanded.
    pub client_ca: Option<PathBuf>,
}

/// The configuration: TLS 1.2 and 1.3, HTTP/1.1.
pub(super) fn server_config(files: &Certificates) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS: {e}"))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = pemfile::authorities(path, "client CA")?;
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(
                verifier.map_err(|e| format!("{}: {e}", path.display()))?,
            )
        }
    };
    let chain = pemfile::certificates(&files.certificate, "certificate")?;
    let key = pemfile::private_key(&files.key, "key")?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|e| pemfile::not_together(&files.certificate, &files.key, &e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
