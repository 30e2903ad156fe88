//! Requests whose head cannot be read: hyper answers them by itself, without a body, before any code of ours runs. Here its
//! bare answer is replaced on its way out by one with an OperationOutcome (PROV-GEN-17).

use crate::http::edge::Edge;
use crate::http::edge::answer;
use crate::http::trust::Peer;
use crate::metrics::requests::RequestKind;
use booking::refusal::{Refusal, Situation};
use bytes::Bytes;
use http::{Method, Request, Response, Version, header};
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Largest request head; a token of 16 KiB and its headers fit.
pub(in crate::http) const HEAD_BYTES: usize = 64 << 10;
/// Bytes of a head that are kept to say what is wrong with it: the request line and the headers of most requests.
const KEPT: usize = 4 << 10;
/// Longest bare answer of hyper's: status line, `content-length`, `date`, `connection`.
const BARE: usize = 256;

/// A connection on which heads that cannot be read are answered with an OperationOutcome.
pub(in crate::http) struct Answering<S> {
    stream: S,
    edge: Arc<Edge>,
    peer: Peer,
    /// The first bytes since the last answer.
    seen: Vec<u8>,
    /// An answer began: what is read next is another request.
    answered: bool,
    /// An answer that stands in for hyper's, and how much of it was sent.
    instead: Option<(Bytes, usize)>,
}

impl<S> Answering<S> {
    pub(in crate::http) fn new(stream: S, edge: Arc<Edge>, peer: Peer) -> Answering<S> {
        Answering {
            stream,
            edge,
            peer,
            seen: Vec::new(),
            answered: false,
            instead: None,
        }
    }

    /// Keeps the beginning of what was read.
    fn note(&mut self, read: &[u8]) {
        if std::mem::take(&mut self.answered) {
            self.seen.clear();
        }
        let room = KEPT.saturating_sub(self.seen.len()).min(read.len());
        self.seen.extend_from_slice(&read[..room]);
    }
}

impl<S: AsyncWrite + Unpin> Answering<S> {
    /// Sends what stands in for hyper's answer.
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while let Some((bytes, sent)) = &mut self.instead {
            if *sent == bytes.len() {
                self.instead = None;
                break;
            }
            let n = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[*sent..]))?;
            if n == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            *sent += n;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Answering<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        this.note(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Answering<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        let own = match bare_answer(bytes) {
            // Hyper writes nothing after it.
            Some((0, status)) => {
                let answer = this.edge.unreadable_head(&this.peer, status, &this.seen);
                this.instead = Some((answer, 0));
                // Taken: it is sent with the next flush.
                return Poll::Ready(Ok(bytes.len()));
            }
            Some((before, _)) => &bytes[..before],
            None => bytes,
        };
        this.answered = true;
        Pin::new(&mut this.stream).poll_write(cx, own)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        // A bare answer has no body: it is alone.
        if let [one] = slices {
            return self.poll_write(cx, one);
        }
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        this.answered = true;
        Pin::new(&mut this.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

/// Where hyper's own bare answer begins at the end of these bytes, and its status. Answers of ours have more headers.
fn bare_answer(bytes: &[u8]) -> Option<(usize, u16)> {
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let tail = bytes.len().saturating_sub(BARE);
    let text = std::str::from_utf8(&bytes[tail..]).ok()?;
    let at = text.rfind("HTTP/1.")?;
    let mut lines = text[at..].trim_end().split("\r\n");
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let bare = lines.all(|line| {
        let name = line.split(':').next().unwrap_or_default();
        ["content-length", "connection", "date"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    });
    (bare && matches!(status, 400 | 414 | 431)).then_some((tail + at, status))
}

impl Edge {
    /// The whole answer to a request whose head hyper could not read, as bytes.
    fn unreadable_head(&self, peer: &Peer, status: u16, seen: &[u8]) -> Bytes {
        let refusal = match status {
            431 | 414 => head_too_large(),
            _ => what_is_wrong(seen),
        };
        let mut response = self.refuse_head(peer, &refusal);
        let body: Vec<u8> = response.body().iter().flatten().copied().collect();
        let close = header::HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
        let status = response.status();
        let mut out = format!(
            "HTTP/1.1 {} {}\r\ndate: {}\r\ncontent-length: {}\r\n",
            status.as_u16(),
            status.canonical_reason().unwrap_or_default(),
            answer::http_date(crate::clock::now()),
            body.len()
        )
        .into_bytes();
        for (name, value) in response.headers() {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&body);
        out.into()
    }

    /// Refuses, logs and counts a request of which nothing else is known.
    pub(in crate::http) fn refuse_head(
        &self,
        peer: &Peer,
        refusal: &Refusal,
    ) -> Response<answer::Body> {
        let started = Instant::now();
        let mut nothing = Request::new(());
        *nothing.method_mut() = Method::GET;
        let mut x = self.open_context(peer.clone(), &nothing.into_parts().0);
        x.entry.method.clear();
        x.entry.path.clear();
        x.refused = Some(refusal.situation);
        crate::http::edge::log::refusal(&x, refusal);
        let response = answer::refuse(&x, refusal, None, None);
        self.answered(&x, RequestKind::Nothing, &response, started.elapsed());
        response
    }
}

/// 431 for a head over the limit.
pub(in crate::http) fn head_too_large() -> Refusal {
    Refusal::new(
        Situation::HeadTooLarge,
        format!(
            "The request line and the headers are together larger than {HEAD_BYTES} bytes, or more than 100 headers: \
             that is the most that is read."
        ),
    )
}

/// Whether the headers of a request over HTTP/2 are together over the limit, counted as RFC 9113 does (section 10.5.1).
pub(in crate::http) fn is_head_too_large<B>(request: &Request<B>) -> bool {
    const OVERHEAD: usize = 32;
    if request.version() != Version::HTTP_2 {
        return false;
    }
    let headers = request.headers().iter();
    let bytes: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len() + OVERHEAD)
        .sum();
    bytes + request.uri().path().len() + request.uri().query().map_or(0, str::len) > HEAD_BYTES
}

/// 400 with what is wrong with a head of HTTP/1.1, as far as it was kept. Names of headers are told, values never.
fn what_is_wrong(seen: &[u8]) -> Refusal {
    let refused = |said: String| Refusal::new(Situation::HeadUnreadable, said);
    let mut lines = seen.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end);
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    if let Some(said) = request_line(line) {
        return refused(said.to_owned());
    }
    let mut lengths: Vec<&[u8]> = Vec::new();
    for (at, line) in lines.enumerate() {
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|b| *b == b':');
        let (name, value) = match colon {
            Some(colon) => (&line[..colon], line[colon + 1..].trim_ascii()),
            None => (line, &line[..0]),
        };
        if colon.is_none() || !is_token(name) {
            let said = format!("Header line {} is not a name, a colon and a value.", at + 1);
            return refused(said);
        }
        let shown = String::from_utf8_lossy(name);
        if value.iter().any(|b| b.is_ascii_control() && *b != b'\t') {
            return refused(format!("The header {shown} has a control character."));
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            lengths.push(value);
        }
    }
    let number = |value: &&[u8]| {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(value).unwrap_or_default();
        digits && text.parse::<u64>().is_ok_and(|n| n < u64::MAX - 1)
    };
    let one = lengths.windows(2).all(|pair| pair[0] == pair[1]);
    match lengths.iter().all(number) && one {
        true => refused("The request line or a header is malformed.".to_owned()),
        false => refused("The header Content-Length is not one decimal number.".to_owned())
            .location("http.Content-Length"),
    }
}

/// What is wrong with a request line.
fn request_line(line: &[u8]) -> Option<&'static str> {
    let parts: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
    let [method, target, version] = parts.as_slice() else {
        return Some(
            "The request line is malformed: it is a method, a path and HTTP/1.1, each after one space.",
        );
    };
    if !is_token(method) {
        return Some("The request line begins with no method, such as GET.");
    }
    if !target.iter().all(u8::is_ascii_graphic) || target.is_empty() {
        return Some(
            "The path of the request line has a character that is not visible ASCII: percent-encode it.",
        );
    }
    let known = [b"HTTP/1.1".as_slice(), b"HTTP/1.0"].contains(version);
    (!known).then_some("The request line ends with another version than HTTP/1.1.")
}

/// A token of RFC 9110.
fn is_token(name: &[u8]) -> bool {
    let inside = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    !name.is_empty() && name.iter().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_answer_is_replaced() {
        let bare =
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        assert_eq!(bare_answer(bare), Some((0, 431)));
        let after = [b"{\"a\":1}".as_slice(), bare].concat();
        assert_eq!(bare_answer(&after), Some((7, 431)));
        for other in [
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\nx-request-id: a\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n\r\nhello",
            "\r\n\r\n",
            "",
        ] {
            assert_eq!(bare_answer(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (head, words) in [
            ("GET\r\n\r\n", "request line is malformed"),
            ("G(T / HTTP/1.1\r\n\r\n", "no method"),
            ("GET /\u{e9} HTTP/1.1\r\n\r\n", "percent-encode"),
            ("GET / HTTP/9.1\r\n\r\n", "another version"),
            ("GET / HTTP/1.1\r\nA b: c\r\n\r\n", "Header line 1"),
            ("GET / HTTP/1.1\r\na: c\r\nb\r\n\r\n", "Header line 2"),
            ("GET / HTTP/1.1\r\na: \u{1}\r\n\r\n", "header a has"),
            (
                "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                "Content-Length",
            ),
            (
                "GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
                "Content-Length",
            ),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n",
                "or a header",
            ),
            ("", "request line is malformed"),
        ] {
            let refusal = what_is_wrong(head.as_bytes());
            assert!(refusal.to_string().contains(words), "{head}: {refusal}");
            assert_eq!(refusal.status(), 400);
        }
    }
}
