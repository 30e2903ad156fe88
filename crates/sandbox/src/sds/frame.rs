//! Messages on the wire: BER values, bounded before anything is read or parsed.

use bytes::{Buf, BytesMut};
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::LdapMsg;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::codec::{Decoder, Encoder};

/// Largest message of a client: a search of the Standard has about 200 bytes, the rest is room for long filters.
pub const MAX_MESSAGE: usize = 64 << 10;
/// Deepest nesting of a message; each level of a filter is one.
pub const MAX_DEPTH: usize = 64;
/// Bytes taken from the socket at once.
const CHUNK: usize = 4 << 10;

/// Why there is no further message.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The other side closed, or the socket broke.
    Closed,
    /// What came is no LDAP message: a notice of disconnection says so.
    Malformed(&'static str),
}

/// Takes messages from a stream.
pub struct Reader<R> {
    stream: R,
    buffer: BytesMut,
    codec: LdapCodec,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// A reader of this stream.
    pub fn new(stream: R) -> Reader<R> {
        Reader {
            stream,
            buffer: BytesMut::with_capacity(CHUNK),
            codec: LdapCodec::new(Some(MAX_MESSAGE), Some(MAX_DEPTH)),
        }
    }

    /// Waits for the first byte of the next message. Can be dropped and called again.
    pub async fn ready(&mut self) -> Result<(), End> {
        match self.buffer.is_empty() {
            true => self.more().await,
            false => Ok(()),
        }
    }

    /// The next message.
    pub async fn message(&mut self) -> Result<LdapMsg, End> {
        loop {
            if let Some(length) = length(&self.buffer)? {
                if self.buffer.len() >= length {
                    let mut frame = self.buffer.split_to(length);
                    // Asked before the codec, which writes what it finds too deep to the log.
                    if !shallow(&frame, MAX_DEPTH - 1) {
                        return Err(End::Malformed("the message is nested too deeply"));
                    }
                    let decoded = self.codec.decode(&mut frame);
                    return match decoded {
                        Ok(Some(message)) if !frame.has_remaining() => Ok(message),
                        // The value is whole, so that asking for more of it means that its inside is wrong.
                        Ok(_) => Err(End::Malformed("the message is malformed")),
                        Err(_) => Err(End::Malformed("the message is malformed")),
                    };
                }
                self.buffer.reserve(length - self.buffer.len());
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), End> {
        self.buffer.reserve(CHUNK);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => Err(End::Closed),
            Ok(_) => Ok(()),
        }
    }
}

/// Length of the value at the start, its head included; `None` when the head is not whole yet.
fn length(buffer: &[u8]) -> Result<Option<usize>, End> {
    const SEQUENCE: u8 = 0x30;
    let Some(&tag) = buffer.first() else {
        return Ok(None);
    };
    if tag != SEQUENCE {
        return Err(End::Malformed("a message is a sequence"));
    }
    let Some(&first) = buffer.get(1) else {
        return Ok(None);
    };
    let (head, content) = match first {
        0..=0x7f => (2, usize::from(first)),
        // RFC 4511, section 5.1: only the definite form.
        0x80 => return Err(End::Malformed("the indefinite length form is not allowed")),
        0x81..=0x84 => {
            let bytes = usize::from(first & 0x7f);
            let Some(digits) = buffer.get(2..2 + bytes) else {
                return Ok(None);
            };
            let length = digits.iter().fold(0, |n, &d| n << 8 | usize::from(d));
            (2 + bytes, length)
        }
        _ => return Err(End::Malformed("the length is too long")),
    };
    match content <= MAX_MESSAGE - head {
        true => Ok(Some(head + content)),
        false => Err(End::Malformed("the message is too large")),
    }
}

/// True when no value is nested deeper than `left`. Where the bytes are no values, the codec says so.
fn shallow(mut bytes: &[u8], left: usize) -> bool {
    const CONSTRUCTED: u8 = 0x20;
    while let Some((tag, content, rest)) = value(bytes) {
        bytes = rest;
        if tag & CONSTRUCTED != 0 && (left == 0 || !shallow(content, left - 1)) {
            return false;
        }
    }
    true
}

/// The first value: tag, content, and what follows it.
fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        _ => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let add = |n: usize, &d: &u8| n.checked_mul(256)?.checked_add(usize::from(d));
            (digits.iter().try_fold(0, add)?, rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// A message as bytes. `None`: it cannot be written, which no message made here is.
pub fn written(message: LdapMsg) -> Option<BytesMut> {
    let mut out = BytesMut::new();
    LdapCodec::default().encode(message, &mut out).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!(length(&[]), Ok(None));
        assert_eq!(length(&[0x30, 0x05]), Ok(Some(7)));
        assert_eq!(length(&[0x30, 0x82, 0x01]), Ok(None));
        assert_eq!(length(&[0x30, 0x82, 0x01, 0x00]), Ok(Some(260)));
        for bad in [
            &[0x16, 0x03][..],
            &[0x30, 0x80],
            &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
            &[0x30, 0x85, 0, 0, 0, 0, 1],
        ] {
            assert!(length(bad).is_err(), "{bad:?}");
        }
    }
}
