//! A body made of pieces: what is rendered already goes out from where it lies, and is not copied.

use crate::http::admission::untaken::Room;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// Shorter pieces are copied: each piece of its own costs about as much as copying this much.
const COPIED: usize = 4_096;

/// The pieces in their order; also the body of every response.
#[derive(Default)]
pub struct Pieces {
    pieces: VecDeque<Bytes>,
    length: u64,
    /// Memory of the pieces that are not shared with rendered days, bytes.
    own: u64,
}

impl Pieces {
    /// Number of bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// True without a byte.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Memory that this takes beside rendered days, bytes.
    pub fn own(&self) -> u64 {
        self.own
    }

    /// The same, counted until nothing holds any byte of it.
    #[must_use]
    pub(in crate::http) fn held(mut self, room: Room) -> Pieces {
        let room = Arc::new(room);
        for piece in &mut self.pieces {
            *piece = Bytes::from_owner(Held {
                bytes: std::mem::take(piece),
                _room: room.clone(),
            });
        }
        self
    }

    /// The pieces.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.pieces.iter()
    }

    /// All of it in one piece.
    pub fn join(mut self) -> Bytes {
        if self.pieces.len() == 1 {
            return self.pieces.pop_front().unwrap_or_default();
        }
        let mut all = Vec::with_capacity(usize::try_from(self.length).unwrap_or_default());
        for piece in &self.pieces {
            all.extend_from_slice(piece);
        }
        Bytes::from(all)
    }

    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.length += piece.len() as u64;
            self.pieces.push_back(piece);
        }
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Pieces {
        let mut pieces = Pieces {
            own: bytes.len() as u64,
            ..Pieces::default()
        };
        pieces.push(bytes);
        pieces
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(mut bytes: Vec<u8>) -> Pieces {
        // It may wait for long.
        bytes.shrink_to_fit();
        Bytes::from(bytes).into()
    }
}

/// A piece with the room that its answer takes.
struct Held {
    bytes: Bytes,
    _room: Arc<Room>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Pieces while they are put together.
pub struct Writing {
    /// All text of its own; the pieces of it are cut at the end, so that they share one allocation.
    text: String,
    /// What is shared, and where in the text it stands.
    shared: Vec<(usize, Bytes)>,
}

impl Writing {
    /// Begins, with room for this many bytes of text.
    pub fn new(room: usize) -> Writing {
        Writing {
            text: String::with_capacity(room),
            shared: Vec::with_capacity(8),
        }
    }

    /// The text at the end, to be written on.
    pub fn text(&mut self) -> &mut String {
        &mut self.text
    }

    /// Appends something rendered.
    pub fn rendered(&mut self, whole: &Rendered, from: usize, to: usize) {
        if to - from < COPIED {
            self.text.push_str(whole.text(from, to));
        } else {
            self.shared
                .push((self.text.len(), whole.bytes.slice(from..to)));
        }
    }

    /// Ends.
    pub fn finish(self) -> Pieces {
        let own = self.text.capacity() as u64;
        let text = Bytes::from(self.text);
        let mut done = Pieces {
            pieces: VecDeque::with_capacity(2 * self.shared.len() + 1),
            length: 0,
            own,
        };
        let mut from = 0;
        for (at, piece) in self.shared {
            done.push(text.slice(from..at));
            done.push(piece);
            from = at;
        }
        done.push(text.slice(from..));
        done
    }
}

/// A text that pieces can be taken from.
pub struct Rendered {
    bytes: Bytes,
}

impl Rendered {
    /// Number of bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    fn text(&self, from: usize, to: usize) -> &str {
        // It was a string; the places come from the one who wrote it.
        std::str::from_utf8(&self.bytes[from..to]).unwrap_or_default()
    }
}

/// How much rendered text is in memory, in the cache or in answers.
#[derive(Clone, Default)]
pub struct Alive(Arc<AtomicU64>);

impl Alive {
    /// Bytes.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A text that counts until nothing holds any byte of it.
    pub fn rendered(&self, text: String) -> Rendered {
        self.0.fetch_add(text.capacity() as u64, Ordering::Relaxed);
        let alive = self.clone();
        Rendered {
            bytes: Bytes::from_owner(Counted { text, alive }),
        }
    }
}

/// A rendered text that is counted.
struct Counted {
    text: String,
    alive: Alive,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let bytes = self.text.capacity() as u64;
        self.alive.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.pieces.pop_front();
        if let Some(piece) = &next {
            self.length -= piece.len() as u64;
        }
        Poll::Ready(next.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_pieces_are_shared_and_short_ones_copied() {
        let whole = Alive::default().rendered("x".repeat(10_000) + "tail");
        let mut writing = Writing::new(64);
        writing.text().push_str("head ");
        writing.rendered(&whole, 0, 9_000);
        writing.text().push(' ');
        writing.rendered(&whole, 10_000, 10_004);
        let pieces = writing.finish();
        assert_eq!((pieces.iter().count(), pieces.len()), (3, 9_010));
        let expected = format!("head {} tail", "x".repeat(9_000));
        assert_eq!(pieces.join(), expected.as_bytes());
    }
}
