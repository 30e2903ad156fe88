//! Connections of a server within bounds: how many at once, how many of one peer, and how long each step may take.
//!
//! [`run`] accepts connections, [`Accepted::secure`] does the TLS handshake, [`http`] serves HTTP/1.1 or HTTP/2 over the
//! result. A connection is closed when
//! - the head of its first request is not there [`Limits::head`] after it was accepted, whatever else it sends meanwhile,
//! - no request is under way for [`Limits::idle`], in both versions of HTTP, also when it answers pings,
//! - the clock shows no date of HTTP (before 1970, after 9999),
//! - its client does not take an answer at [`LEAST_RATE`], with [`Limits::write`] to spare, in one stream or in all.
//!
//! So a place is never held for ever, and a peer never holds more than [`Limits::per_peer`] of them. How long a handler
//! works on a request, and how long it waits for the body, is the handler's own business.

mod accept;
mod date;
mod host;
mod link;
mod peers;
mod probe;
mod serve;
mod stream;

pub use accept::{Accepted, Place, Secured, run};
pub use host::names_one_host;
pub use link::Link;
pub use probe::probe;
pub use serve::{Tracked, http};
pub use stream::Stream;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

/// The least rate at which a client takes an answer, bytes a second: far below any line that a service would be run over.
pub const LEAST_RATE: u64 = 8 << 10;

/// The bounds of a server's connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; a further one waits in the listen queue.
    pub connections: usize,
    /// Connections at once of one peer (a client certificate, else an address; of IPv6 a network of 64 bits); a further one is closed.
    pub per_peer: usize,
    /// From the accepted connection to the head of its first request, the TLS handshake included; and for each further head of HTTP/1.1.
    pub head: Duration,
    /// How long a connection without a request is kept. With HTTP/1.1 [`Limits::head`] ends it when that is shorter.
    pub idle: Duration,
    /// How long a client may keep an answer waiting, beyond what [`LEAST_RATE`] allows.
    pub write: Duration,
    /// How long what a client still sends is read and thrown away after the last answer.
    pub linger: Duration,
    /// Largest head of a request, bytes.
    pub head_bytes: usize,
    /// HTTP/2 is spoken too.
    pub http2: bool,
    /// Streams of one HTTP/2 connection at once.
    pub streams: u32,
    /// How long requests under way may go on when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    /// What suits a small server beside the main one.
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

/// How many of so many connections one peer may have, by a setting whose 0 means half.
pub fn per_peer(connections: usize, setting: usize) -> usize {
    match setting {
        0 => connections.div_ceil(2),
        most => most,
    }
}

/// Why a connection was ended by this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The first request did not come in time.
    Head,
    /// No request came for long.
    Idle,
    /// The client did not take its answers.
    Write,
    /// Its peer has as many as it may.
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

    /// A short name for programs.
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

/// What a server's connections are doing.
#[derive(Debug, Default)]
pub struct Gauges {
    open: AtomicU64,
    ended: [AtomicU64; Ended::ALL.len()],
    /// Local port of the server's own probe; 0: none is out.
    probe: AtomicU16,
}

impl Gauges {
    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections that this side ended for a reason, since the start.
    pub fn ended(&self, why: Ended) -> u64 {
        self.ended[why as usize].load(Ordering::Relaxed)
    }

    fn end(&self, why: Ended) {
        self.ended[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The server's own look at its door: it does not count against the limit of its peer.
    fn is_probe(&self, address: SocketAddr) -> bool {
        address.ip().is_loopback() && address.port() == self.probe.load(Ordering::Acquire)
    }
}
