//! The bytes of a connection, plain or TLS. It ends a connection whose client does not take its answer.

use crate::{ConnectionWatch, Ended, LEAST_RATE};
use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// Most bytes read and thrown away after the last answer. Closing a socket with unread bytes resets it, and the reset
/// destroys an answer that the client has not read. A refusal is sent while the body still arrives.
const LINGER_BYTES: usize = 32 << 20;
/// Bytes thrown away per read.
const PIECE: usize = 4 << 10;

/// A connection's bytes.
#[derive(Debug)]
pub struct Stream {
    bytes: Either<TcpStream, Box<TlsStream<TcpStream>>>,
    watch: ConnectionWatch,
    /// When the current wait of a write began.
    waiting: Option<Instant>,
    /// Fires when the wait has been too long.
    timer: Option<Pin<Box<Sleep>>>,
    /// Total wait of the writes, less the time that the bytes taken are worth at the least rate.
    waited: Duration,
    /// Set when our side is closed: until when the client's bytes are read, and how many at most.
    linger: Option<(Pin<Box<Sleep>>, usize)>,
}

impl Stream {
    /// Of plain bytes, or of encrypted ones.
    pub(crate) fn new(
        bytes: Either<TcpStream, Box<TlsStream<TcpStream>>>,
        watch: ConnectionWatch,
    ) -> Stream {
        Stream {
            bytes,
            watch,
            waiting: None,
            timer: None,
            waited: Duration::ZERO,
            linger: None,
        }
    }

    /// Ready when the client has closed its side, or the time or the bytes for lingering are used up.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let time = self.watch.limits().linger;
        let begin = || (Box::pin(tokio::time::sleep(time)), LINGER_BYTES);
        let (until, most) = self.linger.get_or_insert_with(begin);
        while *most > 0 && until.as_mut().poll(cx).is_pending() {
            let mut room = [0; PIECE];
            let mut buffer = ReadBuf::new(&mut room);
            let read = ready!(Pin::new(&mut self.bytes).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            *most = most.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(())
    }

    /// Counts the wait of a write, and fails the write when the wait is too long. `taken` gives the bytes of a result.
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
                let left = self.watch.limits().write.saturating_sub(self.waited);
                let timer = self.timer.get_or_insert_with(|| {
                    Box::pin(tokio::time::sleep_until((since + left).into()))
                });
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.watch.server().gauges.end(Ended::Write);
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
        Pin::new(&mut this.bytes).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.bytes).poll_write(cx, bytes);
        this.bounded(cx, polled, |n| *n)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.bytes).poll_write_vectored(cx, slices);
        this.bounded(cx, polled, |n| *n)
    }

    fn is_write_vectored(&self) -> bool {
        self.bytes.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.bytes).poll_flush(cx);
        this.bounded(cx, polled, |()| 0)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            let polled = Pin::new(&mut this.bytes).poll_shutdown(cx);
            ready!(this.bounded(cx, polled, |()| 0))?;
        }
        this.poll_linger(cx).map(Ok)
    }
}
