//! An exchange as two files that any editor opens, and where they lie in the folder.

use super::body::Body;
use super::model::{Exchange, Headers, Kind};
use booking::foreign::visible_text;
use std::fmt::Write;

/// Longest part of a file name taken from a test id: file systems allow 255 bytes, and some tools far less for a path.
const NAME_KEPT: usize = 60;

/// Which half of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Request,
    Response,
}

impl Half {
    pub fn word(self) -> &'static str {
        match self {
            Half::Request => "request",
            Half::Response => "response",
        }
    }

    pub fn body(self, exchange: &Exchange) -> &Body {
        match self {
            Half::Request => &exchange.request_body,
            Half::Response => &exchange.response_body,
        }
    }
}

/// The folder of one outcome's messages, relative to the evidence folder.
pub(super) fn folder(run: usize, kind: Kind, place: usize, id: &str) -> String {
    let kind = match kind {
        Kind::Provider => "provider",
        Kind::Consumer => "consumer",
    };
    format!(
        "messages/{}-{kind}/{:04}-{}",
        run + 1,
        place + 1,
        file_name(id)
    )
}

/// The file of one half, relative to the evidence folder. Always `.txt`: opened from a report, a body that pretends to
/// be a page is shown as text and not run.
pub(super) fn file(folder: &str, exchange: usize, half: Half) -> String {
    format!("{folder}/{:03}-{}.txt", exchange + 1, half.word())
}

/// The file of a body that is not text.
pub(super) fn body_file(folder: &str, exchange: usize, half: Half) -> String {
    format!("{folder}/{:03}-{}-body.bin", exchange + 1, half.word())
}

fn file_name(id: &str) -> String {
    let safe = |c: char| match c.is_ascii_alphanumeric() || c == '_' {
        true => c,
        false => '-',
    };
    id.chars().take(NAME_KEPT).map(safe).collect()
}

/// The start line and headers of one half.
pub(super) fn head(exchange: &Exchange, half: Half) -> String {
    let mut out = String::new();
    match half {
        Half::Request => {
            let _ = writeln!(
                out,
                "{} {}",
                visible_text(&exchange.method),
                visible_text(&exchange.url)
            );
            headers(&mut out, &exchange.request_headers);
        }
        Half::Response => {
            match exchange.status {
                Some(status) => {
                    let _ = writeln!(out, "{status}");
                }
                None => out.push_str("No answer\n"),
            }
            headers(&mut out, &exchange.response_headers);
            if let Some(why) = &exchange.broken {
                let _ = writeln!(out, "(not whole: {})", visible_text(why));
            }
        }
    }
    out
}

fn headers(out: &mut String, headers: &Headers) {
    for (name, value) in headers {
        let _ = writeln!(out, "{}: {}", visible_text(name), visible_text(value));
    }
}

/// One half as a text file: when, start line, headers, an empty line, the body.
pub(super) fn text(exchange: &Exchange, half: Half, body_file: &str) -> Vec<u8> {
    let body = half.body(exchange);
    let mut out = head(exchange, half);
    let _ = match half {
        Half::Request => writeln!(
            out,
            "(at {}; {})",
            exchange.at,
            visible_text(&exchange.purpose)
        ),
        Half::Response => {
            writeln!(
                out,
                "(after {:.1} ms)",
                exchange.took.as_secs_f64() * 1000.0
            )
        }
    };
    if let Some(coded) = body.coded() {
        let _ = writeln!(
            out,
            "(body shown decoded; {} bytes of {} on the wire)",
            coded.length,
            visible_text(&coded.coding)
        );
    }
    if body.is_cut() {
        let _ = writeln!(
            out,
            "(first {} of {} bytes kept)",
            body.bytes().len(),
            body.length()
        );
    }
    out.push('\n');
    match body.text() {
        Some(text) => out.push_str(text),
        None => {
            let name = body_file.rsplit('/').next().unwrap_or(body_file);
            let _ = writeln!(out, "(body is not text: see {name})");
        }
    }
    out.into_bytes()
}
