//! A connection's bytes, plain or TLS. A client that does not take what is written ends the connection.

use crate::{Ended, LEAST_RATE, Link};
use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

/// Most bytes that are read and thrown away after the last answer: a socket that is closed with bytes unread is reset, which
/// takes an answer with it that its client has not read yet. A refusal leaves while the body still comes.
const LINGER_BYTES: usize = 32 << 20;
/// Bytes that are thrown away at once.
const PIECE: usize = 4 << 10;

/// The two kinds of bytes. There is one of these per connection, so that a box saves nothing.
#[derive(Debug)]
pub(crate) enum Bytes {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection's bytes.
#[derive(Debug)]
pub struct Stream {
    bytes: Bytes,
    link: Link,
    /// Since when a write waits.
    waiting: Option<Instant>,
    /// Ends the wait.
    timer: Option<Pin<Box<Sleep>>>,
    /// How long writes have waited beyond what the bytes taken at the least rate make up for.
    waited: Duration,
    /// Our side is closed: until when the client's is read, and how many bytes at most.
    linger: Option<(Pin<Box<Sleep>>, usize)>,
}

macro_rules! each {
    ($this:expr, $stream:ident => $call:expr) => {
        match &mut $this.bytes {
            Bytes::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Bytes::Tls($stream) => {
                let $stream = Pin::new($stream.as_mut());
                $call
            }
        }
    };
}

impl Stream {
    pub(crate) fn new(bytes: Bytes, link: Link) -> Stream {
        Stream {
            bytes,
            link,
            waiting: None,
            timer: None,
            waited: Duration::ZERO,
            linger: None,
        }
    }

    /// Ready when the client has closed its side, or was waited for long enough.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let time = self.link.limits().linger;
        let begin = || (Box::pin(tokio::time::sleep(time)), LINGER_BYTES);
        let (until, most) = self.linger.get_or_insert_with(begin);
        while *most > 0 && until.as_mut().poll(cx).is_pending() {
            let mut room = [0; PIECE];
            let mut buffer = ReadBuf::new(&mut room);
            let read = ready!(each!(self, stream => stream.poll_read(cx, &mut buffer)));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            *most = most.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(())
    }

    /// Counts the time that a write waits, and ends it when that is too much. `taken`: how many bytes a result says.
    fn bounded<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<Result<T>>,
        taken: impl Fn(&T) -> usize,
    ) -> Poll<Result<T>> {
        match polled {
            Poll::Ready(Ok(done)) => {
                if let Some(since) = self.waiting.take() {
                    self.waited += since.elapsed();
                    self.timer = None;
                }
                if !self.waited.is_zero() {
                    let bytes = taken(&done) as u64;
                    let made_up = Duration::from_micros(bytes * 1_000_000 / LEAST_RATE);
                    self.waited = self.waited.saturating_sub(made_up);
                }
                Poll::Ready(Ok(done))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let since = *self.waiting.get_or_insert_with(Instant::now);
                let left = self.link.limits().write.saturating_sub(self.waited);
                let timer = self.timer.get_or_insert_with(|| {
                    Box::pin(tokio::time::sleep_until((since + left).into()))
                });
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.link.door().gauges.end(Ended::Write);
                Poll::Ready(Err(Error::new(
                    ErrorKind::TimedOut,
                    "the client does not take the answer",
                )))
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = self.get_mut();
        each!(this, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let polled = each!(this, stream => stream.poll_write(cx, bytes));
        this.bounded(cx, polled, |n| *n)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let polled = each!(this, stream => stream.poll_write_vectored(cx, slices));
        this.bounded(cx, polled, |n| *n)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.bytes {
            Bytes::Plain(stream) => stream.is_write_vectored(),
            Bytes::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let polled = each!(this, stream => stream.poll_flush(cx));
        this.bounded(cx, polled, |()| 0)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            let polled = each!(this, stream => stream.poll_shutdown(cx));
            ready!(this.bounded(cx, polled, |()| 0))?;
        }
        this.poll_linger(cx).map(Ok)
    }
}
