//! The TLS handshake with a server, and no HTTP: what the server says of a connection that it does not want.

use reqwest::Url;
use rustls::{ClientConfig, ClientConnection};
use rustls_platform_verifier::ConfigVerifierExt;
use std::io::Read;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// Why the server at `base` refuses a connection of TLS; `None` if it does not, or nothing is heard `within`.
pub async fn refusal(base: &str, within: Duration) -> Option<rustls::Error> {
    let url = Url::parse(base).ok()?;
    tokio::task::spawn_blocking(move || heard(&url, within))
        .await
        .ok()?
}

/// Nothing is sent after the handshake, so nothing can reset the connection before the refusal is read.
fn heard(url: &Url, within: Duration) -> Option<rustls::Error> {
    let host = url.host_str()?.trim_matches(['[', ']']);
    let mut addresses = (host, url.port_or_known_default()?)
        .to_socket_addrs()
        .ok()?;
    let mut line = TcpStream::connect_timeout(&addresses.next()?, within).ok()?;
    line.set_read_timeout(Some(within)).ok()?;
    line.set_write_timeout(Some(within)).ok()?;
    let mut config = ClientConfig::with_platform_verifier().ok()?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let server = host.to_owned().try_into().ok()?;
    let mut session = ClientConnection::new(Arc::new(config), server).ok()?;
    let error = rustls::Stream::new(&mut session, &mut line)
        .read(&mut [0])
        .err()?;
    error.get_ref()?.downcast_ref().cloned()
}
