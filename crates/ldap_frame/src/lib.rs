//! LDAP messages over a stream, for client and server. Lengths, nesting and amount are bounded before anything is parsed.

use bytes::{Buf, BytesMut};
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::LdapMsg;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::codec::{Decoder, Encoder};

/// Bytes taken from the stream at once.
const CHUNK: usize = 8 << 10;
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
/// The bit of a tag whose value holds further values.
const CONSTRUCTED: u8 = 0x20;
/// Most bytes of a message's tag and length.
const MAX_HEAD: usize = 6;

/// What is accepted from the other side.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest message, bytes.
    pub message: usize,
    /// Most bytes of all messages together.
    pub total: usize,
    /// Deepest nesting of a message.
    pub depth: usize,
    /// First bytes of the operations that the other side may send; `None`: all that the codec knows. The codec prints
    /// what it does not know.
    pub operations: Option<&'static [u8]>,
}

/// Why there is no further message.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The other side closed, or the stream broke.
    #[error(transparent)]
    Stream(#[from] io::Error),
    /// What came is no LDAP message.
    #[error("{0}")]
    Malformed(&'static str),
}

/// A stream of messages.
pub struct Framed<S> {
    stream: S,
    limits: Limits,
    codec: LdapCodec,
    buffer: BytesMut,
    taken: usize,
}

impl<S> Framed<S> {
    /// Over a stream that is connected.
    pub fn new(stream: S, limits: Limits) -> Framed<S> {
        Framed {
            stream,
            limits,
            codec: LdapCodec::new(Some(limits.message), Some(limits.depth)),
            buffer: BytesMut::with_capacity(CHUNK),
            taken: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> Framed<S> {
    /// Waits for the first byte of the next message. Can be dropped and called again.
    pub async fn ready(&mut self) -> Result<(), Broken> {
        match self.buffer.is_empty() {
            true => self.more().await,
            false => Ok(()),
        }
    }

    /// Waits for the next message.
    pub async fn receive(&mut self) -> Result<LdapMsg, Broken> {
        loop {
            let length = self.limits.length(&self.buffer)?;
            if let Some(length) = length.filter(|length| *length <= self.buffer.len()) {
                let mut frame = self.buffer.split_to(length);
                self.limits.check(&frame)?;
                return match self.codec.decode(&mut frame) {
                    Ok(Some(message)) if !frame.has_remaining() => Ok(message),
                    // The value is whole, so that asking for more of it means that its inside is wrong.
                    _ => Err(Broken::Malformed("the message is malformed")),
                };
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), Broken> {
        self.buffer.reserve(CHUNK);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            read => self.taken = self.taken.saturating_add(read),
        }
        match self.taken <= self.limits.total {
            true => Ok(()),
            false => Err(Broken::Malformed("the messages are too large")),
        }
    }
}

impl<S: AsyncWrite + Unpin> Framed<S> {
    /// Sends a message.
    pub async fn send(&mut self, message: LdapMsg) -> io::Result<()> {
        self.stream.write_all(&written(message)?).await?;
        self.stream.flush().await
    }
}

/// A message as bytes.
pub fn written(message: LdapMsg) -> io::Result<BytesMut> {
    let mut out = BytesMut::new();
    LdapCodec::default().encode(message, &mut out)?;
    Ok(out)
}

impl Limits {
    /// Length of the message at the start, its head included; `None` while the head is not whole.
    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        match head(bytes)? {
            None => Ok(None),
            Some((SEQUENCE, head, _)) if head > MAX_HEAD => Err(TOO_LONG),
            Some((SEQUENCE, head, content)) if content <= self.message - head => {
                Ok(Some(head + content))
            }
            Some((SEQUENCE, ..)) => Err(Broken::Malformed("the message is too large")),
            Some(_) => Err(Broken::Malformed("a message is a sequence")),
        }
    }

    /// Looks at a whole message before the codec, which prints what it does not know and what is nested too deeply.
    fn check(&self, frame: &[u8]) -> Result<(), Broken> {
        let operation = || {
            let (_, content, _) = value(frame)?;
            let (tag, _, rest) = value(content)?;
            rest.first().filter(|_| tag == INTEGER)
        };
        let is_sent = |all: &[u8]| operation().is_some_and(|byte| all.contains(byte));
        if !self.operations.is_none_or(is_sent) {
            return Err(Broken::Malformed("the message is none of the other side"));
        }
        match is_shallow(frame, self.depth - 1) {
            true => Ok(()),
            false => Err(Broken::Malformed("the message is nested too deeply")),
        }
    }
}

const TOO_LONG: Broken = Broken::Malformed("the length is too long");

/// Tag, length of the head and length of the content of the value at the start; `None` while the head is not whole.
fn head(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, Broken> {
    let [tag, first, rest @ ..] = bytes else {
        return Ok(None);
    };
    let digits = match first {
        0..=0x7f => return Ok(Some((*tag, 2, usize::from(*first)))),
        // RFC 4511, section 5.1: only the definite form.
        0x80 => {
            return Err(Broken::Malformed(
                "the indefinite length form is not allowed",
            ));
        }
        _ => rest.get(..usize::from(first & 0x7f)),
    };
    let Some(digits) = digits else {
        return Ok(None);
    };
    let add = |n: usize, d: &u8| n.checked_mul(256)?.checked_add(usize::from(*d));
    let length = digits.iter().try_fold(0, add).ok_or(TOO_LONG)?;
    Ok(Some((*tag, 2 + digits.len(), length)))
}

/// The first value: tag, content, and what follows it.
fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, head, length) = head(bytes).ok()??;
    let (content, rest) = bytes.get(head..)?.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// True when no value is nested deeper than `left`. Where the bytes are no values, the codec says so.
fn is_shallow(mut bytes: &[u8], left: usize) -> bool {
    while let Some((tag, content, rest)) = value(bytes) {
        bytes = rest;
        if tag & CONSTRUCTED != 0 && (left == 0 || !is_shallow(content, left - 1)) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        message: 64 << 10,
        total: usize::MAX,
        depth: 3,
        operations: Some(&[0x65]),
    };

    #[test]
    fn lengths_are_believed_within_the_bound_only() {
        let length = |bytes: &[u8]| LIMITS.length(bytes).ok();
        assert_eq!(length(&[]), Some(None));
        assert_eq!(length(&[0x30]), Some(None));
        assert_eq!(length(&[0x30, 5]), Some(Some(7)));
        assert_eq!(length(&[0x30, 0x82, 1]), Some(None));
        assert_eq!(length(&[0x30, 0x82, 1, 0]), Some(Some(260)));
        for bad in [
            &[0x16, 3][..],
            &[0x30, 0x80],
            &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x85, 0, 0, 0, 0, 1],
            b"HTTP/1.1",
        ] {
            assert_eq!(length(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn operations_and_depth_are_looked_at_first() {
        let check = |bytes: &[u8]| LIMITS.check(bytes).is_ok();
        assert!(check(&[0x30, 5, 2, 1, 1, 0x65, 0]));
        assert!(!check(&[0x30, 5, 2, 1, 1, 0x7f, 0]), "another operation");
        assert!(!check(&[0x30, 2, 2, 0x84]) && !check(&[0x30, 0]));
        assert!(
            !check(&[0x30, 7, 2, 1, 1, 0x65, 2, 0x30, 0]),
            "three levels"
        );
    }
}
