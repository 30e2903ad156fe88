//! Lets a server check its own socket from outside, for its health report.

use crate::Gauges;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

/// Asks a server of this process for its health through its socket. True when it begins to answer in time. Over TLS the
/// first bytes of the handshake are enough; the certificate is not checked.
pub async fn probe(address: SocketAddr, tls: bool, gauges: &Gauges, within: Duration) -> bool {
    let asked = ask(address, tls, gauges);
    let answered = matches!(tokio::time::timeout(within, asked).await, Ok(Ok(true)));
    gauges.probe.store(0, Ordering::Release);
    answered
}

async fn ask(address: SocketAddr, tls: bool, gauges: &Gauges) -> std::io::Result<bool> {
    let (loopback, socket) = match address {
        SocketAddr::V4(_) => (IpAddr::V4(Ipv4Addr::LOCALHOST), TcpSocket::new_v4()?),
        SocketAddr::V6(_) => (IpAddr::V6(Ipv6Addr::LOCALHOST), TcpSocket::new_v6()?),
    };
    let target = match address.ip().is_unspecified() {
        true => SocketAddr::new(loopback, address.port()),
        false => address,
    };
    if target.ip().is_loopback() {
        socket.bind(SocketAddr::new(loopback, 0))?;
        // The server has to know the port before it sees the connection.
        let own = socket.local_addr()?.port();
        gauges.probe.store(own, Ordering::Release);
    }
    let mut stream = socket.connect(target).await?;
    let hello = match tls {
        true => hello()?,
        false => {
            format!("GET /health/live HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n")
                .into_bytes()
        }
    };
    stream.write_all(&hello).await?;
    let mut first = [0; 1];
    Ok(stream.read(&mut first).await? == 1)
}

/// The first message of a TLS handshake.
fn hello() -> std::io::Result<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
    let mut client =
        ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes)?;
    Ok(bytes)
}
