//! LDAP messages on the wire, bounded before they are parsed: a length is believed only within the bound, and the
//! codec counts the nesting.

use bytes::{Buf, BytesMut};
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::LdapMsg;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::codec::{Decoder, Encoder};

/// Largest message: an entry with several hundred interactions has some ten kilobytes.
const MAX_MESSAGE: usize = 256 << 10;
/// Most bytes of one look-up; three searches with an entry each have less than a hundred kilobytes.
const MAX_BYTES: usize = 2 << 20;
/// Deepest nesting: an entry has five levels.
const MAX_DEPTH: usize = 16;
/// Bytes taken from the socket at once.
const CHUNK: usize = 8 << 10;
/// First bytes of the operations that a server sends: bind, entry, end, reference, extended, intermediate.
const OPERATIONS: [u8; 6] = [0x61, 0x64, 0x65, 0x73, 0x78, 0x79];

/// A stream that messages go over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Messages in both directions.
pub struct Framed {
    stream: Box<dyn Stream>,
    codec: LdapCodec,
    buffer: BytesMut,
    taken: usize,
}

impl Framed {
    /// Over a stream that is connected.
    pub fn new(stream: Box<dyn Stream>) -> Framed {
        Framed {
            stream,
            codec: LdapCodec::new(Some(MAX_MESSAGE), Some(MAX_DEPTH)),
            buffer: BytesMut::with_capacity(CHUNK),
            taken: 0,
        }
    }

    /// Sends a message.
    pub async fn send(&mut self, message: LdapMsg) -> io::Result<()> {
        let mut out = BytesMut::new();
        self.codec.encode(message, &mut out)?;
        self.stream.write_all(&out).await?;
        self.stream.flush().await
    }

    /// Waits for the next message.
    pub async fn receive(&mut self) -> io::Result<LdapMsg> {
        loop {
            if let Some(length) = whole(&self.buffer)? {
                if self.buffer.len() >= length {
                    let mut frame = self.buffer.split_to(length);
                    check(&frame)?;
                    return match self.codec.decode(&mut frame)? {
                        Some(message) if !frame.has_remaining() => Ok(message),
                        _ => Err(malformed("the message is malformed")),
                    };
                }
                self.buffer.reserve(length - self.buffer.len());
            }
            self.buffer.reserve(CHUNK);
            match self.stream.read_buf(&mut self.buffer).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.taken += read,
            }
            if self.taken > MAX_BYTES {
                return Err(malformed("the answers are too large"));
            }
        }
    }
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

/// The length of the message that begins here, head included; `None` while the head is not complete.
fn whole(bytes: &[u8]) -> io::Result<Option<usize>> {
    match bytes.first() {
        None => return Ok(None),
        Some(0x30) => {}
        Some(_) => return Err(malformed("this is no LDAP")),
    }
    let Some((head, length)) = length(&bytes[1..])? else {
        return Ok(None);
    };
    match length <= MAX_MESSAGE - 16 {
        true => Ok(Some(1 + head + length)),
        false => Err(malformed("a message is too large")),
    }
}

/// A length of BER: how many bytes it takes, and the length. Indefinite lengths are not for LDAP (RFC 4511, 5.1).
fn length(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    match bytes.first() {
        None => Ok(None),
        Some(short @ 0..=0x7f) => Ok(Some((1, usize::from(*short)))),
        Some(long @ 0x81..=0x84) => {
            let count = usize::from(long - 0x80);
            let Some(digits) = bytes.get(1..=count) else {
                return Ok(None);
            };
            let length = digits.iter().fold(0, |sum, b| sum << 8 | usize::from(*b));
            Ok(Some((1 + count, length)))
        }
        Some(_) => Err(malformed("a length is malformed")),
    }
}

/// That the message is one of a server, looked at before the codec, which prints what it does not know.
fn check(frame: &[u8]) -> io::Result<()> {
    let operation = || {
        let (head, _) = length(frame.get(1..)?).ok()??;
        let id = frame.get(1 + head..)?;
        let (size, length) = length(id.get(1..)?).ok()??;
        (*id.first()? == 2).then_some(())?;
        id.get(1 + size + length).copied()
    };
    match operation() {
        Some(byte) if OPERATIONS.contains(&byte) => Ok(()),
        _ => Err(malformed("the message is none of a server")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_believed_within_the_bound_only() {
        assert_eq!(whole(&[]).unwrap(), None);
        assert_eq!(whole(&[0x30]).unwrap(), None);
        assert_eq!(whole(&[0x30, 5]).unwrap(), Some(7));
        assert_eq!(whole(&[0x30, 0x82, 1]).unwrap(), None);
        assert_eq!(whole(&[0x30, 0x82, 1, 0]).unwrap(), Some(260));
        for bad in [
            &[0x30, 0x80][..],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x85, 0, 0, 0, 0, 1],
            b"HTTP/1.1",
        ] {
            assert!(whole(bad).is_err(), "{bad:?}");
        }
        assert!(check(&[0x30, 5, 2, 1, 1, 0x65, 0]).is_ok());
        assert!(check(&[0x30, 5, 2, 1, 1, 0x7f, 0]).is_err());
        assert!(check(&[0x30, 2, 2, 0x84]).is_err());
        assert!(check(&[0x30, 0]).is_err());
    }
}
