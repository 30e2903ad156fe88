//! A request on its way: put together piece by piece, bent where a test wants it, and the body that leaves.

use crate::evidence::{Body as Kept, Exchange};
use bytes::Bytes;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::wire::gzip;

/// Size of a chunk of a chunked body: small, so that a booking has several.
const CHUNK: usize = 700;

/// A request that is still being put together.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// What follows the service root, query included: `/Slot?service=1`.
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) chunked: bool,
}

impl Request {
    pub(super) fn new(method: &str, path: impl Into<String>) -> Request {
        Request {
            method: method.to_owned(),
            path: path.into(),
            headers: Vec::new(),
            body: None,
            chunked: false,
        }
    }

    /// Sets a header, in place of an earlier one of that name.
    pub(super) fn with(self, name: &str, value: impl Into<String>) -> Request {
        self.without(name).also(name, value)
    }

    /// Adds a header beside an earlier one of that name.
    pub(super) fn also(mut self, name: &str, value: impl Into<String>) -> Request {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Request {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    pub(super) fn method(mut self, method: &str) -> Request {
        self.method = method.to_owned();
        self
    }

    pub(super) fn path(mut self, path: impl Into<String>) -> Request {
        self.path = path.into();
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = Some(body.into());
        self
    }

    /// Compresses the body that was set before.
    pub(super) fn gzipped(mut self) -> Request {
        let body = self.body.take().unwrap_or_default();
        self.with("Content-Encoding", "gzip").body(gzip(&body))
    }

    /// Sends the body in chunks, without a length.
    pub(super) fn in_chunks(mut self) -> Request {
        self.chunked = true;
        self
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter();
        let found = named.find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The request as evidence.
    pub(super) fn recorded(&self, url: &str) -> Exchange {
        let body = Kept::new(self.body.clone().unwrap_or_default());
        Exchange::sent(&self.method, url, self.headers.clone(), body)
    }
}

/// A body of a known length, or of chunks.
pub(super) struct Pieces {
    left: VecDeque<Bytes>,
    length: Option<u64>,
}

impl Pieces {
    pub(super) fn of(request: &Request) -> Pieces {
        let Some(body) = &request.body else {
            return Pieces {
                left: VecDeque::new(),
                length: Some(0),
            };
        };
        let size = match request.chunked {
            true => CHUNK,
            false => body.len().max(1),
        };
        Pieces {
            left: body.chunks(size).map(Bytes::copy_from_slice).collect(),
            length: (!request.chunked).then_some(body.len() as u64),
        }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let next = self.get_mut().left.pop_front();
        Poll::Ready(next.map(|piece| Ok(http_body::Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.length.map_or_else(
            http_body::SizeHint::default,
            http_body::SizeHint::with_exact,
        )
    }
}
