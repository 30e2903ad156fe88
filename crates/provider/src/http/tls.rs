//! HTTPS with client certificates (PROV-GEN-04): reading the PEM files and recognising the Spine Secure Proxy.

use crate::config::Tls;
use crate::revocation::Revocation;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use std::sync::Arc;

/// What is needed for the handshakes of a server.
#[derive(Clone)]
pub struct ServerTls {
    /// For rustls.
    pub config: Arc<ServerConfig>,
    /// The revocation lists, where some are configured; they have to be watched.
    pub revocation: Option<Arc<Revocation>>,
}

/// Builds the TLS configuration: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN, client certificates required
/// when `client_ca` is set, and looked up in the lists of `client_crl`.
pub fn server_config(tls: &Tls) -> Result<ServerTls, String> {
    let mut revocation = None;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("tls: {e}"))?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(pemfile::authorities(path, "tls.client_ca")?);
            if tls.client_crl.is_empty() {
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .build()
                    .map_err(|e| format!("tls.client_ca: {}: {e}", path.display()))?;
                builder.with_client_cert_verifier(verifier)
            } else {
                let lists = Arc::new(Revocation::open(tls, roots, provider)?);
                revocation = Some(lists.clone());
                builder.with_client_cert_verifier(lists)
            }
        }
    };
    let chain = pemfile::certificates(&tls.certificate, "tls.certificate")?;
    let key = pemfile::private_key(&tls.key, "tls.key")?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|e| pemfile::not_together(&tls.certificate, &tls.key, &e))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if revocation.is_some() {
        // A session that is taken up again would not show its certificate.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(ServerTls {
        config: Arc::new(config),
        revocation,
    })
}

/// True when the (already verified) client certificate carries one of `names` as a DNS name (NAT-SSP-04).
pub fn carries_name(certificates: Option<&[CertificateDer<'_>]>, names: &[String]) -> bool {
    let Some(first) = certificates.and_then(<[_]>::first) else {
        return false;
    };
    let Ok(certificate) = webpki::EndEntityCert::try_from(first) else {
        return false;
    };
    names.iter().any(|name| {
        ServerName::try_from(name.as_str())
            .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    })
}
