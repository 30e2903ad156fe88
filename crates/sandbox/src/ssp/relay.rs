//! Streams bodies through the proxy, with a limit on bytes and pauses.

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::Sleep;

/// Body of every answer.
pub type Body = UnsyncBoxBody<Bytes, Broken>;

/// A body from bytes in memory.
pub fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Why a body ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It exceeds the limit.
    #[error("the body is too large")]
    TooLarge,
    /// A pause was too long.
    #[error("the body stopped arriving")]
    TooSlow,
    /// The sender broke off.
    #[error("the body broke off")]
    Off,
}

/// Progress of a body, shared with the task that waits for the other side.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    last_ms: AtomicU64,
    ended: AtomicU8,
}

impl Progress {
    /// Nothing yet.
    pub fn new() -> Arc<Progress> {
        Arc::new(Progress {
            started: Instant::now(),
            last_ms: AtomicU64::new(0),
            ended: AtomicU8::new(0),
        })
    }

    /// Time of the last piece.
    pub fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }

    /// Why the body ended early, if it did.
    pub fn broken(&self) -> Option<Broken> {
        match self.ended.load(Ordering::Acquire) {
            1 => Some(Broken::TooLarge),
            2 => Some(Broken::TooSlow),
            3 => Some(Broken::Off),
            _ => None,
        }
    }

    fn moved(&self) {
        let passed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(passed, Ordering::Relaxed);
    }

    fn ended(&self, why: Broken) {
        let code = match why {
            Broken::TooLarge => 1,
            Broken::TooSlow => 2,
            Broken::Off => 3,
        };
        self.ended.store(code, Ordering::Release);
    }
}

/// A forwarded body. `G` is kept until the body ends: the request's place.
pub struct Relay<G> {
    inner: Incoming,
    left: u64,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    progress: Arc<Progress>,
    _guard: G,
}

impl<G> Relay<G> {
    /// Forwards at most `limit` bytes, each piece within `idle` of the last.
    pub fn new(
        inner: Incoming,
        limit: u64,
        idle: Duration,
        progress: Arc<Progress>,
        guard: G,
    ) -> Relay<G> {
        Relay {
            inner,
            left: limit,
            idle,
            timer: Box::pin(tokio::time::sleep(idle)),
            progress,
            _guard: guard,
        }
    }
}

impl<G: Unpin> http_body::Body for Relay<G> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let broken = match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                match this.left.checked_sub(size) {
                    Some(left) => {
                        this.left = left;
                        this.progress.moved();
                        this.timer
                            .as_mut()
                            .reset(tokio::time::Instant::now() + this.idle);
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    None => Broken::TooLarge,
                }
            }
            Poll::Ready(Some(Err(_))) => Broken::Off,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => match this.timer.as_mut().poll(cx) {
                Poll::Ready(()) => Broken::TooSlow,
                Poll::Pending => return Poll::Pending,
            },
        };
        this.progress.ended(broken);
        Poll::Ready(Some(Err(broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
