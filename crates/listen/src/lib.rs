//! Bounds the connections of a server: how many at once, how many per peer, and how long each step may take.
//!
//! [`run`] accepts connections, [`Accepted::secure`] does the TLS handshake, [`http`] serves HTTP/1.1 or HTTP/2 over the
//! result. It closes a connection when
//! - the head of the first request is not complete [`Limits::head`] after the accept,
//! - no request has been under way for [`Limits::idle`], even if the client answers pings,
//! - the clock shows no date that HTTP can write (before 1970, after 9999),
//! - the client takes an answer more slowly than [`LEAST_RATE`] by more than [`Limits::write`], in one stream or in all.
//!
//! So no connection holds a place for ever, and no peer holds more than [`Limits::per_peer`]. The handler alone bounds its
//! work and its wait for a body.

mod accept;
mod date;
mod host;
mod peers;
mod probe;
mod serve;
mod stream;
mod watch;

pub use accept::{Accepted, Secured, run};
pub use host::names_one_host;
pub use probe::probe;
pub use serve::{Tracked, http};
pub use stream::Stream;
pub use watch::ConnectionWatch;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

/// Least rate at which a client has to take an answer, bytes a second; far below any usable line.
pub const LEAST_RATE: u64 = 8 << 10;

/// The bounds of a server's connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. Further ones wait in the listen queue.
    pub connections: usize,
    /// Connections at once per peer: a client certificate, an IPv4 address or an IPv6 /64. Further ones are closed.
    pub per_peer: usize,
    /// From accept to the head of the first request, with the TLS handshake; over HTTP/1.1 also for each further head.
    pub head: Duration,
    /// How long a connection stays open without a request. Over HTTP/1.1 [`Limits::head`] ends it if that is shorter.
    pub idle: Duration,
    /// How long a client may delay an answer, beyond the time that [`LEAST_RATE`] allows.
    pub write: Duration,
    /// How long bytes from the client are read and thrown away after the last answer.
    pub linger: Duration,
    /// Largest head of a request, bytes.
    pub head_bytes: usize,
    /// Whether HTTP/2 is offered beside HTTP/1.1.
    pub http2: bool,
    /// Streams of one HTTP/2 connection at once.
    pub streams: u32,
    /// How long requests under way may take when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    /// Limits for a small server beside the main one.
    fn default() -> Limits {
        Limits {
            connections: 512,
            per_peer: per_peer(512, 0),
            head: Duration::from_secs(15),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(30),
            linger: Duration::from_secs(2),
            head_bytes: 64 << 10,
            http2: true,
            streams: 64,
            drain: Duration::from_secs(5),
        }
    }
}

/// Connections that one peer may have, of so many in all. A `setting` of 0 means half.
pub fn per_peer(connections: usize, setting: usize) -> usize {
    match setting {
        0 => connections.div_ceil(2),
        most => most,
    }
}

/// Why the server ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The first request was not in time.
    Head,
    /// No request for too long.
    Idle,
    /// The client did not take its answers.
    Write,
    /// The peer has reached its limit.
    Peer,
    /// The TLS handshake failed or took too long.
    Handshake,
}

impl Ended {
    /// Every reason.
    pub const ALL: [Ended; 5] = [
        Ended::Head,
        Ended::Idle,
        Ended::Write,
        Ended::Peer,
        Ended::Handshake,
    ];

    /// Label value for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Ended::Head => "head",
            Ended::Idle => "idle",
            Ended::Write => "write",
            Ended::Peer => "peer",
            Ended::Handshake => "handshake",
        }
    }
}

/// Counters of a server's connections.
#[derive(Debug, Default)]
pub struct Gauges {
    open: AtomicU64,
    ended: [AtomicU64; Ended::ALL.len()],
    /// Local port of the server's own probe; 0: no probe is under way.
    probe: AtomicU16,
}

impl Gauges {
    /// Connections open now.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections that the server ended for this reason since the start.
    pub fn ended(&self, why: Ended) -> u64 {
        self.ended[why as usize].load(Ordering::Relaxed)
    }

    fn end(&self, why: Ended) {
        self.ended[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a connection is the server's own probe, which no limit of a peer counts.
    fn is_probe(&self, address: SocketAddr) -> bool {
        address.ip().is_loopback() && address.port() == self.probe.load(Ordering::Acquire)
    }
}
