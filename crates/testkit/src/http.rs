//! A keep-alive HTTP/1.1 connection that costs as little as it can: it reads the status line, `Content-Length` and
//! the body, nothing else. The same for everything that is measured or broken.

use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

/// Room for the answer to a booking; it grows when an answer is larger, and stays so.
const BUFFER: usize = 8 << 10;
/// Largest head of an answer; a server that sends more is not the one we think it is.
pub const HEAD: usize = 64 << 10;
/// Largest body of an answer: a day of slots is a tenth of it.
const BODY: usize = 16 << 20;

/// A connection.
pub struct Connection {
    /// What goes over it unread is a test's own affair.
    pub stream: TcpStream,
    /// What was read, from the last answer on.
    pub buffer: Vec<u8>,
}

/// One answer, still in the connection's buffer.
pub struct Answer<'a> {
    /// Status.
    pub status: u16,
    /// Status line and headers.
    pub head: &'a [u8],
    /// Body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(self.head, name)
    }
}

impl Connection {
    /// Connects.
    pub async fn open(address: impl ToSocketAddrs) -> io::Result<Connection> {
        Ok(Connection::over(TcpStream::connect(address).await?))
    }

    /// Over a stream that is connected.
    pub fn over(stream: TcpStream) -> Connection {
        // Without it a request is only slower.
        let _ = stream.set_nodelay(true);
        Connection {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Sends a request and reads the answer.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.buffer.clear();
        self.buffer.reserve(BUFFER);
        // The server may answer and close before it has read everything: the answer counts.
        let mut unsent = self.stream.write_all(request).await.err();
        let head = loop {
            let read = self.read().await;
            if let (true, Some(error)) = (self.buffer.is_empty(), unsent.take()) {
                return Err(error);
            }
            read?;
            let seen = &self.buffer[..self.buffer.len().min(HEAD)];
            if let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            if seen.len() == HEAD {
                return Err(io::Error::other("the head of the answer has no end"));
            }
        };
        let (status, length) = read_head(&self.buffer[..head])?;
        let whole = head + length;
        self.buffer.reserve(whole.saturating_sub(self.buffer.len()));
        while self.buffer.len() < whole {
            self.read().await?;
        }
        Ok(Answer {
            status,
            head: &self.buffer[..head],
            body: &self.buffer[head..whole],
        })
    }

    async fn read(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::other("the server closed the connection")),
            _ => Ok(()),
        }
    }
}

fn header<'h>(head: &'h [u8], name: &str) -> Option<&'h str> {
    let lines = std::str::from_utf8(head).ok()?.lines();
    lines
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

fn read_head(head: &[u8]) -> io::Result<(u16, usize)> {
    let status = head.get(9..12).and_then(|s| std::str::from_utf8(s).ok());
    let status = status.and_then(|s| s.parse().ok());
    let length = header(head, "content-length").and_then(|value| value.parse().ok());
    match (status, length) {
        (Some(status), Some(length)) if length <= BODY => Ok((status, length)),
        _ => {
            let shown = String::from_utf8_lossy(&head[..head.len().min(80)]);
            Err(io::Error::other(format!("a strange answer: {shown}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_length_are_found() {
        let head = b"HTTP/1.1 201 Created\r\nX-A: 1\r\nContent-Length: 17\r\n\r\n";
        assert_eq!(read_head(head).unwrap(), (201, 17));
        assert_eq!(header(head, "x-a"), Some("1"));
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
