//! One HTTP/1.1 connection of a client: cheap, kept open, and impatient.

use crate::ledger::Lost;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use testkit::http::{self, HEAD};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use uuid::Uuid;

/// The Provider's answer limit: a request that takes longer hangs.
pub const LIMIT: Duration = Duration::from_secs(30);
/// What may be added to it: the wait for a place in the Provider's queue, and that of a process for a core.
pub const GRACE: Duration = Duration::from_secs(3);
/// How long a client waits: a little more than the limit, so that an answer just behind it is told from none.
const PATIENCE: Duration = Duration::from_secs(35);

/// A connection.
pub struct Connection(http::Connection);

/// One answer.
pub struct Answer {
    /// Status.
    pub status: u16,
    /// The appointment in `Location`, if there is one.
    pub location: Option<Uuid>,
    /// Body.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Connection, Lost> {
        Connection::of(TcpStream::connect(address)).await
    }

    /// Connects from another address of this machine: another peer for the server.
    pub async fn open_from(
        peer: std::net::Ipv4Addr,
        address: SocketAddr,
    ) -> Result<Connection, Lost> {
        let socket = TcpSocket::new_v4().map_err(|_| Lost::Unsent)?;
        let from = SocketAddr::from((peer, 0));
        socket.bind(from).map_err(|_| Lost::Unsent)?;
        Connection::of(socket.connect(address)).await
    }

    async fn of(
        connecting: impl Future<Output = io::Result<TcpStream>>,
    ) -> Result<Connection, Lost> {
        match timeout(PATIENCE, connecting).await {
            Ok(Ok(stream)) => Ok(Connection(http::Connection::over(stream))),
            _ => Err(Lost::Unsent),
        }
    }

    /// Reads until the server closes: what it said.
    pub async fn until_closed(&mut self) -> &[u8] {
        // A reset is an end too.
        while let Ok(read) = self.0.stream.read_buf(&mut self.0.buffer).await
            && read > 0
            && self.0.buffer.len() < HEAD
        {}
        &self.0.buffer
    }

    /// Sends the bytes one at a time until the server closes: what it said.
    pub async fn trickle(&mut self, bytes: &[u8], every: Duration) -> &[u8] {
        let (mut from, mut to) = self.0.stream.split();
        let slowly = async {
            for byte in bytes {
                tokio::time::sleep(every).await;
                if to.write_all(std::slice::from_ref(byte)).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        let heard = async {
            while let Ok(read) = from.read_buf(&mut self.0.buffer).await
                && read > 0
                && self.0.buffer.len() < HEAD
            {}
        };
        tokio::select! {
            () = slowly => {}
            () = heard => {}
        }
        &self.0.buffer
    }

    /// Sends a request and reads its answer.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer, Lost> {
        let answer = timeout(PATIENCE, self.0.send(request)).await;
        let answer = answer.map_err(|_| Lost::Hung)?.map_err(|_| Lost::Broken)?;
        Ok(Answer {
            status: answer.status,
            location: answer.header("location").and_then(appointment_of),
            body: answer.body.to_vec(),
        })
    }

    /// Sends without reading anything.
    pub async fn send_only(&mut self, bytes: &[u8], within: Duration) -> Result<(), Lost> {
        match timeout(within, self.0.stream.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Lost::Broken),
            Err(_) => Err(Lost::Hung),
        }
    }
}

/// The id in the URL of an appointment or of one of its versions.
fn appointment_of(url: &str) -> Option<Uuid> {
    let (_, rest) = url.split_once("/Appointment/")?;
    rest.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_appointment_of_a_version_is_found() {
        let id = "01a1fd7a-0786-723e-8ffe-f3e4f604856d";
        let url = format!("https://a/STU3/1/FX1/Appointment/{id}/_history/1");
        assert_eq!(appointment_of(&url).unwrap().to_string(), id);
    }
}
