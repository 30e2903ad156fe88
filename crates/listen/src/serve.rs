//! Serves HTTP over one connection: chooses the version and runs the watchdog.

use crate::watch::{UnderWay, Verdict};
use crate::{ConnectionWatch, Ended, Limits, date};
use ::http::{Request, Response, Version};
use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};

/// A client that was told that the connection ends has this long to close it.
const GOODBYE: Duration = Duration::from_secs(1);
/// Interval of pings on an HTTP/2 connection. They find a client that has vanished.
const PING: Duration = Duration::from_secs(30);
/// Bytes that an HTTP/2 client may send ahead of its handler, for one request and for a whole connection.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
/// Largest piece of a body given to HTTP/2 at once, bytes. HTTP/2 buffers one such piece for each stream.
const PIECE: usize = 16 << 10;

/// Serves the requests of one connection until it ends. The error is hyper's: the client broke off, or a head is
/// unreadable.
pub async fn http<I, H, F, B, E>(
    stream: I,
    watch: &ConnectionWatch,
    handler: H,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let watched = watch.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut under_way = watched.begin();
        let in_pieces = request.version() == Version::HTTP_2;
        // The box frees the handler's memory before the answer is sent: a slow client holds the answer only.
        let answered = Box::pin(handler(request));
        async move {
            answered.await.map(|response| {
                under_way.begin_answer();
                response.map(|body| Tracked {
                    body,
                    rest: Bytes::new(),
                    in_pieces,
                    under_way,
                })
            })
        }
    });
    let (limits, server) = (watch.limits(), watch.server());
    let builder = builder(limits);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    let mut stopping = server.stopping.subscribe();
    // Deadline of the connection, once the client was told that it ends.
    let mut close_by: Option<Instant> = None;
    let mut look = Instant::now();
    loop {
        tokio::select! {
            biased;
            // Somebody may set the clock at any time. Without a date for HTTP the connection ends.
            ended = poll_fn(|cx| match date::can_be_written() {
                true => served.as_mut().poll(cx),
                false => Poll::Ready(Ok(())),
            }) => return ended,
            _ = stopping.wait_for(|stopping| *stopping), if close_by.is_none() => {
                served.as_mut().graceful_shutdown();
                close_by = Some(Instant::now() + limits.drain);
            }
            () = tokio::time::sleep_until(look.into()) => {
                let now = Instant::now();
                look = match (watch.judge(now), close_by) {
                    (Verdict::Over(Ended::Idle), None) => {
                        server.gauges.end(Ended::Idle);
                        served.as_mut().graceful_shutdown();
                        close_by = Some(now + GOODBYE);
                        now + GOODBYE
                    }
                    (_, Some(until)) if now >= until => return Ok(()),
                    (Verdict::Over(Ended::Idle), Some(until)) => until,
                    (Verdict::Over(why), _) => {
                        server.gauges.end(why);
                        return Ok(());
                    }
                    (Verdict::Until(next), close_by) => close_by.map_or(next, |until| until.min(next)),
                };
            }
        }
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes)
        .half_close(false);
    // Hyper reads up to twice the limit, so that a head over the limit gets an answer.
    let heads = u32::try_from(2 * limits.head_bytes).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(heads)
        .keep_alive_interval(PING);
    match limits.http2 {
        true => builder,
        false => builder.http1_only(),
    }
}

/// The body of an answer; its request is under way until the body is sent.
#[derive(Debug)]
pub struct Tracked<B> {
    body: B,
    rest: Bytes,
    in_pieces: bool,
    under_way: UnderWay,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Tracked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        if this.rest.has_remaining() {
            let piece = this.rest.split_to(PIECE.min(this.rest.len()));
            this.under_way.record_sent(piece.len());
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                let frame = frame.map_data(|mut data| {
                    if this.in_pieces && data.len() > PIECE {
                        this.rest = data.split_off(PIECE);
                    }
                    data
                });
                this.under_way
                    .record_sent(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Pending => {
                this.under_way.record_wait();
                Poll::Pending
            }
            over => over,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let mut hint = self.body.size_hint();
        if let Some(exact) = hint.exact() {
            hint.set_exact(exact + rest);
        }
        hint
    }
}
