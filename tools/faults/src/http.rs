//! One HTTP/1.1 connection of a client: cheap, kept open, and impatient.

use crate::ledger::Lost;
use std::net::SocketAddr;
use std::time::Duration;
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
/// Longest head of an answer.
const HEAD: usize = 64 << 10;
/// Largest answer: a day of slots is a tenth of it.
const BODY: usize = 16 << 20;

/// A connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// One answer.
pub struct Answer {
    /// Status.
    pub status: u16,
    /// The appointment in `Location`, if there is one.
    pub location: Option<Uuid>,
    /// `Retry-After` is there.
    pub retry_after: bool,
    /// Body.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Connection, Lost> {
        let stream = timeout(PATIENCE, TcpStream::connect(address))
            .await
            .map_err(|_| Lost::Unsent)?
            .map_err(|_| Lost::Unsent)?;
        let _ = stream.set_nodelay(true);
        Ok(Connection {
            stream,
            buffer: Vec::with_capacity(8 << 10),
        })
    }

    /// Connects from another address of this machine: another peer for the server.
    pub async fn open_from(
        peer: std::net::Ipv4Addr,
        address: SocketAddr,
    ) -> Result<Connection, Lost> {
        let socket = TcpSocket::new_v4().map_err(|_| Lost::Unsent)?;
        let from = SocketAddr::from((peer, 0));
        socket.bind(from).map_err(|_| Lost::Unsent)?;
        let stream = timeout(PATIENCE, socket.connect(address))
            .await
            .map_err(|_| Lost::Unsent)?
            .map_err(|_| Lost::Unsent)?;
        Ok(Connection {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Reads until the server closes: what it said.
    pub async fn until_closed(&mut self) -> &[u8] {
        // A reset is an end too.
        while let Ok(read) = self.stream.read_buf(&mut self.buffer).await
            && read > 0
            && self.buffer.len() < HEAD
        {}
        &self.buffer
    }

    /// Sends the bytes one at a time until the server closes: what it said.
    pub async fn trickle(&mut self, bytes: &[u8], every: Duration) -> &[u8] {
        let (mut from, mut to) = self.stream.split();
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
            while let Ok(read) = from.read_buf(&mut self.buffer).await
                && read > 0
                && self.buffer.len() < HEAD
            {}
        };
        tokio::select! {
            () = slowly => {}
            () = heard => {}
        }
        &self.buffer
    }

    /// Sends a request and reads its answer.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer, Lost> {
        timeout(PATIENCE, self.exchange(request))
            .await
            .unwrap_or(Err(Lost::Hung))
    }

    /// Sends without reading anything.
    pub async fn send_only(&mut self, bytes: &[u8], within: Duration) -> Result<(), Lost> {
        match timeout(within, self.stream.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Lost::Broken),
            Err(_) => Err(Lost::Hung),
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Answer, Lost> {
        self.buffer.clear();
        // The server may answer and close before it has read everything: the answer counts.
        let sent = self.stream.write_all(request).await;
        let head = loop {
            let read = self.stream.read_buf(&mut self.buffer).await;
            if sent.is_err() && self.buffer.is_empty() {
                return Err(Lost::Broken);
            }
            if read.map_err(|_| Lost::Broken)? == 0 {
                return Err(Lost::Broken);
            }
            let seen = &self.buffer[..self.buffer.len().min(HEAD)];
            if let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            if seen.len() == HEAD {
                return Err(Lost::Broken);
            }
        };
        let (mut answer, length) = read_head(&self.buffer[..head]).ok_or(Lost::Broken)?;
        if length > BODY {
            return Err(Lost::Broken);
        }
        while self.buffer.len() < head + length {
            let read = self.stream.read_buf(&mut self.buffer).await;
            if read.map_err(|_| Lost::Broken)? == 0 {
                return Err(Lost::Broken);
            }
        }
        answer.body = self.buffer[head..head + length].to_vec();
        Ok(answer)
    }
}

fn read_head(head: &[u8]) -> Option<(Answer, usize)> {
    let text = std::str::from_utf8(head).ok()?;
    let mut answer = Answer {
        status: text.get(9..12)?.parse().ok()?,
        location: None,
        retry_after: false,
        body: Vec::new(),
    };
    let mut length = None;
    for line in text.lines().skip(1) {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok();
        } else if name.eq_ignore_ascii_case("location") {
            answer.location = appointment_of(value);
        } else if name.eq_ignore_ascii_case("retry-after") {
            answer.retry_after = true;
        }
    }
    Some((answer, length?))
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
    fn status_length_and_appointment_are_found() {
        let head = b"HTTP/1.1 201 Created\r\nlocation: https://a/STU3/1/FX1/Appointment/\
            01a1fd7a-0786-723e-8ffe-f3e4f604856d/_history/1\r\nContent-Length: 17\r\n\r\n";
        let (answer, length) = read_head(head).unwrap();
        assert_eq!((answer.status, length), (201, 17));
        let id = answer.location.unwrap().to_string();
        assert_eq!(id, "01a1fd7a-0786-723e-8ffe-f3e4f604856d");
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_none());
    }
}
