//! A keep-alive HTTP/1.1 connection that costs as little as it can: it reads the status line, `Content-Length` and
//! the body, nothing else. The same for everything that is measured.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Room for one answer; it grows when an answer is larger.
const BUFFER: usize = 128 << 10;
/// Largest head of an answer; a server that sends more is not the one we think it is.
const HEAD: usize = 64 << 10;

/// A connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
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

impl Connection {
    /// Connects.
    pub async fn open(address: &str) -> Result<Connection, String> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|e| format!("cannot reach {address}: {e}"))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(Connection {
            stream,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    /// Sends a request and reads the answer.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>, String> {
        self.buffer.clear();
        let lost = |e: std::io::Error| format!("connection lost: {e}");
        self.stream.write_all(request).await.map_err(lost)?;
        let head = loop {
            if self.stream.read_buf(&mut self.buffer).await.map_err(lost)? == 0 {
                return Err("the server closed the connection".to_owned());
            }
            let seen = &self.buffer[..self.buffer.len().min(HEAD)];
            if let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            if seen.len() == HEAD {
                return Err("the head of the answer has no end".to_owned());
            }
        };
        let (status, length) = read_head(&self.buffer[..head])?;
        self.buffer
            .reserve((head + length).saturating_sub(self.buffer.len()));
        while self.buffer.len() < head + length {
            if self.stream.read_buf(&mut self.buffer).await.map_err(lost)? == 0 {
                return Err("the server closed the connection within an answer".to_owned());
            }
        }
        Ok(Answer {
            status,
            head: &self.buffer[..head],
            body: &self.buffer[head..head + length],
        })
    }
}

fn read_head(head: &[u8]) -> Result<(u16, usize), String> {
    let strange = || {
        format!(
            "a strange answer: {}",
            String::from_utf8_lossy(&head[..head.len().min(80)])
        )
    };
    let text = std::str::from_utf8(head).map_err(|_| strange())?;
    let status = text
        .get(9..12)
        .and_then(|s| s.parse().ok())
        .ok_or_else(strange)?;
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or_else(strange)?;
    Ok((status, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_length_are_found() {
        let head = b"HTTP/1.1 201 Created\r\nX-A: 1\r\nContent-Length: 17\r\n\r\n";
        assert_eq!(read_head(head), Ok((201, 17)));
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
