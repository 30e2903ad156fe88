//! The HTTP client and the TLS settings that everything is sent with: certificates of the national services checked
//! against the configured authorities, own certificate shown, no redirects, nothing taken from the environment.

use crate::config::{ConfigError, ConsumerConfig, Tls};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;

/// Idle connections are given up before the usual minute of servers and proxies, so that a request does not meet one
/// that is just being closed.
const IDLE: Duration = Duration::from_secs(30);
/// Most idle connections per host: a look-up of free times has a handful under way.
const IDLE_PER_HOST: usize = 16;

/// The HTTP client for DoS, SSP, Providers and referral endpoints. Time-outs of whole requests are the caller's: they
/// differ. Wrong certificates are told here, at the start.
pub fn http(config: &ConsumerConfig) -> Result<reqwest::Client, ConfigError> {
    let mut builder = reqwest::Client::builder()
        // An address behind a redirect has passed none of the checks.
        .redirect(reqwest::redirect::Policy::none())
        // Patient data goes where the settings say, whatever the environment's proxies are.
        .no_proxy()
        .connect_timeout(config.timeouts.connect)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        // Bodies are unpacked by `body`, which knows every spelling of the coding.
        .gzip(false)
        .default_headers(default_headers())
        .user_agent(concat!("uec/", env!("CARGO_PKG_VERSION")));
    let tls = match &config.tls {
        Some(tls) => tls_settings(tls)?,
        // Nothing encrypted is configured, so no authority is trusted either.
        None => without_identity(RootCertStore::empty())?,
    };
    let mut tls = (*tls).clone();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    builder = builder.tls_backend_preconfigured(tls);
    builder
        .build()
        .map_err(|error| ConfigError(format!("the HTTP client cannot be set up: {error}")))
}

fn default_headers() -> http::HeaderMap {
    let gzip = http::HeaderValue::from_static("gzip");
    http::HeaderMap::from_iter([(http::header::ACCEPT_ENCODING, gzip)])
}

/// TLS as a client: authorities, and the own certificate for mutual authentication. Without ALPN, as LDAP has it.
pub fn tls_settings(tls: &Tls) -> Result<Arc<ClientConfig>, ConfigError> {
    let roots = pemfile::authorities(&tls.ca, "tls.ca").map_err(ConfigError)?;
    let Some((certificate, key)) = &tls.identity else {
        return without_identity(roots);
    };
    let chain = pemfile::certificates(certificate, "tls.certificate").map_err(ConfigError)?;
    let private = pemfile::private_key(key, "tls.key").map_err(ConfigError)?;
    let config = builder()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, private)
        .map_err(|error| ConfigError(pemfile::not_together(certificate, key, &error)))?;
    Ok(Arc::new(config))
}

fn without_identity(roots: RootCertStore) -> Result<Arc<ClientConfig>, ConfigError> {
    let config = builder()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, ConfigError> {
    // One crypto provider for all, named here: the process may have no default.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError(format!("TLS cannot be set up: {error}")))
}
