//! What receiving and reading referrals may cost: memory, time and places, for all senders and for each of them.
//!
//! A document costs its sender little and its reader much, so the bounds do not wait for its end. A sender has a few
//! places; memory is taken as bytes arrive, so that a message that trickles holds little; a body that comes slower
//! than the least rate is broken off. The first megabyte of each body comes from a pool of its own: large messages that
//! fill theirs do not keep small ones out. What must be computed is done by few threads ([`super::reader`]).

use super::reader::Readers;
use crate::http::body;
use crate::http::trust::Peer;
use crate::referral::BOUNDS;
use crate::referral::read::MAX_DOCUMENT;
use crate::store::REFERRAL_BYTES;
use booking::ids::Asid;
use booking::refusal::{Refusal, Situation};
use bytes::Bytes;
use http_body_util::BodyExt;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// Time for a message of full size over a slow line: about 2 Mbit/s.
const BODY_WITHIN: Duration = Duration::from_secs(120);
/// A body brings at least [`LEAST_BYTES`] in each of these.
const LEAST_RATE_EACH: Duration = Duration::from_secs(10);
/// 8 KiB a second: a usual document of 100 KiB takes 12 s at that rate.
const LEAST_BYTES: usize = 80 << 10;
/// Memory for the first [`SMALL_KIB`] of each body, KiB.
const FIRST_KIB: usize = 32 << 10;
/// Memory for what comes after that, KiB: two messages of the largest size.
const FURTHER_KIB: usize = 2 * LARGEST_KIB;
/// Messages up to this size never wait for larger ones, KiB; usual ones have a tenth of it.
const SMALL_KIB: usize = 1 << 10;
const LARGEST_KIB: usize = REFERRAL_BYTES >> 10;
/// Memory is taken in steps of this, KiB.
const STEP_KIB: usize = 64;
/// How long a message waits for a place or for memory before its sender is told to come again.
const WAIT: Duration = Duration::from_secs(15);
/// Large messages that are written to the database at the same time: each is copied on the way, some times its size.
const LARGE_FILINGS: usize = 1;

/// The most memory, bytes, that referrals take at the same time: bodies, readers at work, copies on the way to the
/// database. What the files in `deploy/` allow is above this.
pub const MOST_MEMORY: u64 = {
    let bodies = ((FIRST_KIB + FURTHER_KIB) as u64) << 10;
    // A tree; its texts with references, copied and grown; what was unpacked from it.
    let reading = BOUNDS.tree_bytes() + 3 * MAX_DOCUMENT as u64;
    let copies = 2 * REFERRAL_BYTES as u64;
    bodies + super::reader::READERS as u64 * reading + LARGE_FILINGS as u64 * copies
};

/// Who sends, as far as it is known: the address (an IPv6 network counts as one), and the system behind the Spine Secure
/// Proxy where the proxy's certificate was checked. Without that a header proves nothing and counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sender(IpAddr, Option<Asid>);

impl Sender {
    pub(super) fn of(peer: &Peer, headers: &http::HeaderMap) -> Sender {
        let address = match peer.address.ip().to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
            v4 => v4,
        };
        let said = headers.get("ssp-from").and_then(|v| v.to_str().ok());
        let system = said
            .filter(|_| peer.is_ssp)
            .and_then(|v| Asid::parse(v).ok());
        Sender(address, system)
    }
}

/// What one sender has under way; here only while it has something.
struct OfSender {
    places: Arc<Semaphore>,
    /// Messages that hold or wait for a place.
    users: usize,
}

/// How long is waited for what.
#[derive(Clone, Copy)]
struct Pace {
    /// For a whole body.
    body: Duration,
    /// For [`LEAST_BYTES`] of it.
    least: Duration,
    /// For a place or memory.
    bounds: Duration,
}

/// The bounds on receiving and reading.
pub struct Intake {
    pace: Pace,
    senders: Arc<Mutex<HashMap<Sender, OfSender>>>,
    first: Arc<Semaphore>,
    further: Arc<Semaphore>,
    large: Arc<Semaphore>,
    /// The threads that read.
    pub(super) readers: Readers,
}

/// A sender's place, given back when it is dropped.
pub(super) struct Place {
    sender: Sender,
    senders: Arc<Mutex<HashMap<Sender, OfSender>>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut senders = locked(&self.senders);
        if let Some(own) = senders.get_mut(&self.sender) {
            own.users -= 1;
            if own.users == 0 {
                senders.remove(&self.sender);
            }
        }
    }
}

/// Memory that a message holds until it is dropped.
#[derive(Default)]
pub(super) struct Share {
    first: Option<OwnedSemaphorePermit>,
    further: Option<OwnedSemaphorePermit>,
}

/// A body that arrived whole, with the memory that it holds.
pub(super) struct Received {
    pub bytes: Vec<u8>,
    pub share: Share,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn busy(what: &str) -> Refusal {
    Refusal::new(
        Situation::Unavailable,
        format!("{what}; send the same message again in a minute."),
    )
}

impl Intake {
    pub(in crate::http) fn new() -> Intake {
        Intake::at(Pace {
            body: BODY_WITHIN,
            least: LEAST_RATE_EACH,
            bounds: WAIT,
        })
    }

    fn at(pace: Pace) -> Intake {
        Intake {
            pace,
            senders: Arc::default(),
            first: Arc::new(Semaphore::new(FIRST_KIB)),
            further: Arc::new(Semaphore::new(FURTHER_KIB)),
            large: Arc::new(Semaphore::new(LARGE_FILINGS)),
            readers: Readers::start(),
        }
    }

    /// A place for one more message of this sender, of `most` that it has.
    pub(super) async fn place(&self, sender: Sender, most: usize) -> Result<Place, Refusal> {
        let places = {
            let mut senders = locked(&self.senders);
            let own = senders.entry(sender.clone()).or_insert_with(|| OfSender {
                places: Arc::new(Semaphore::new(most)),
                users: 0,
            });
            own.users += 1;
            own.places.clone()
        };
        // Made first, so that it is given back also when the sender leaves while it waits.
        let mut place = Place {
            sender,
            senders: self.senders.clone(),
            _permit: None,
        };
        match timeout(self.pace.bounds, places.acquire_owned()).await {
            Ok(Ok(permit)) => {
                place._permit = Some(permit);
                Ok(place)
            }
            _ => Err(busy(
                "As many referrals of this sender are being received as it may send at the same time",
            )),
        }
    }

    /// Grows a share so that it covers so many bytes.
    pub(super) async fn grow(&self, share: &mut Share, bytes: usize) -> Result<(), Refusal> {
        let wanted = bytes.div_ceil(STEP_KIB << 10).max(1) * STEP_KIB;
        let first = wanted.min(SMALL_KIB);
        let within = self.pace.bounds;
        taken(&self.first, &mut share.first, first, within).await?;
        taken(&self.further, &mut share.further, wanted - first, within).await
    }

    /// The same for a share that a reader was given too; it has done with it, or came too late.
    pub(super) async fn grown(
        &self,
        share: Arc<Mutex<Share>>,
        bytes: usize,
    ) -> Result<Arc<Mutex<Share>>, Refusal> {
        let mut own = std::mem::take(&mut *locked(&share));
        let grown = self.grow(&mut own, bytes).await;
        *locked(&share) = own;
        grown.map(|()| share)
    }

    /// Leave to write a message to the database; small ones need none.
    pub(super) async fn filing(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        match bytes > SMALL_KIB << 10 {
            true => self.large.clone().acquire_owned().await.ok(),
            false => None,
        }
    }

    /// Receives a body whole. Too large: 413. Too slow: 408. No memory: 503. Broken off: 400.
    pub(super) async fn receive<B>(&self, mut body: B) -> Result<Received, Refusal>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // A length that is announced as too large is refused before anything is waited for.
        if body.size_hint().lower() > REFERRAL_BYTES as u64 {
            return Err(body::too_large(REFERRAL_BYTES));
        }
        let mut share = Share::default();
        self.grow(&mut share, 0).await?;
        let mut bytes: Vec<u8> = Vec::new();
        let mut until = Instant::now() + self.pace.body;
        let mut rate = Rate::begin(self.pace.least);
        // Ends at `until`, or earlier at a window that brought too little.
        loop {
            let frame = timeout_at(rate.ends.min(until), body.frame()).await;
            let now = Instant::now();
            if now >= until {
                return Err(body::too_slow(self.pace.body));
            }
            rate.check(now)?;
            let frame = match frame {
                Err(_) => continue,
                Ok(None) => return Ok(Received { bytes, share }),
                Ok(Some(Err(error))) => return Err(body::broken_off(error.into())),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let length = bytes.len() + data.len();
            if length > REFERRAL_BYTES {
                return Err(body::too_large(REFERRAL_BYTES));
            }
            self.grow(&mut share, length).await?;
            // The sender does not pay for our waiting.
            let waited = now.elapsed();
            until += waited;
            rate.ends += waited;
            rate.bytes += data.len();
            bytes.extend_from_slice(&data);
        }
    }
}

/// Takes what is missing of so many KiB from a pool.
async fn taken(
    pool: &Arc<Semaphore>,
    held: &mut Option<OwnedSemaphorePermit>,
    kib: usize,
    within: Duration,
) -> Result<(), Refusal> {
    let has = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let missing = u32::try_from(kib.saturating_sub(has)).unwrap_or(u32::MAX);
    if missing == 0 {
        return Ok(());
    }
    match timeout(within, pool.clone().acquire_many_owned(missing)).await {
        Ok(Ok(more)) => {
            match held {
                Some(held) => held.merge(more),
                None => *held = Some(more),
            }
            Ok(())
        }
        _ => Err(busy(
            "As many referrals are being received as memory permits",
        )),
    }
}

/// What arrives in a window of time.
struct Rate {
    each: Duration,
    ends: Instant,
    bytes: usize,
}

impl Rate {
    fn begin(each: Duration) -> Rate {
        Rate {
            each,
            ends: Instant::now() + each,
            bytes: 0,
        }
    }

    fn check(&mut self, now: Instant) -> Result<(), Refusal> {
        if now < self.ends {
            return Ok(());
        }
        if self.bytes < LEAST_BYTES {
            return Err(Refusal::new(
                Situation::RequestTimeout,
                format!(
                    "The body comes too slowly: at least {} KiB are expected in {} seconds.",
                    LEAST_BYTES >> 10,
                    self.each.as_secs()
                ),
            ));
        }
        self.ends = now + self.each;
        self.bytes = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use futures_util::{FutureExt, StreamExt};
    use http_body::Frame;
    use http_body_util::StreamBody;
    use std::convert::Infallible;

    fn sender(last: u8) -> Sender {
        Sender(IpAddr::from([192, 0, 2, last]), None)
    }

    /// Bounds that are told at once.
    fn impatient() -> Intake {
        Intake::at(Pace {
            body: BODY_WITHIN,
            least: Duration::from_millis(300),
            bounds: Duration::from_millis(1),
        })
    }

    /// A body in pieces that are there; with `more` it does not end.
    fn body(
        pieces: usize,
        bytes: usize,
        more: bool,
    ) -> impl http_body::Body<Data = Bytes, Error = Infallible> + Unpin {
        let there =
            stream::iter(0..pieces).map(move |_| Ok(Frame::data(Bytes::from(vec![b'a'; bytes]))));
        let rest = match more {
            true => stream::pending().left_stream(),
            false => stream::empty().right_stream(),
        };
        StreamBody::new(Box::pin(there.chain(rest)))
    }

    /// Proves: NFR-01
    #[tokio::test]
    async fn a_body_that_trickles_holds_little_and_is_broken_off() {
        let intake = impatient();
        let slow = (0..100).map(|_| intake.receive(body(10, 1_000, true)));
        let mut slow = std::pin::pin!(futures_util::future::join_all(slow));
        assert!((&mut slow).now_or_never().is_none());
        assert_eq!(FIRST_KIB - intake.first.available_permits(), 100 * STEP_KIB);
        // A small message and a large one come through beside them.
        let small = intake.receive(body(1, 100_000, false)).await;
        assert_eq!(small.ok().map(|r| r.bytes.len()), Some(100_000));
        let large = intake.receive(body(30, 1 << 20, false)).await;
        assert_eq!(large.ok().map(|r| r.bytes.len()), Some(30 << 20));
        for refused in slow.await {
            let situation = refused.err().map(|r| r.situation);
            assert_eq!(situation, Some(Situation::RequestTimeout));
        }
        assert_eq!(intake.first.available_permits(), FIRST_KIB);
        assert_eq!(intake.further.available_permits(), FURTHER_KIB);
    }

    /// Proves: NFR-01
    #[tokio::test]
    async fn a_body_is_as_large_as_it_may_be() {
        let intake = Intake::new();
        let most = intake.receive(body(32, 1 << 20, false)).await;
        assert_eq!(most.ok().map(|r| r.bytes.len()), Some(REFERRAL_BYTES));
        let more = intake.receive(body(33, 1 << 20, true)).await;
        assert_eq!(
            more.err().map(|r| r.situation),
            Some(Situation::BodyTooLarge)
        );
    }

    /// Proves: NFR-01
    #[tokio::test]
    async fn large_messages_leave_room_for_small_ones() {
        let intake = impatient();
        let mut shares: Vec<Share> = Vec::new();
        for _ in 0..2 {
            let mut share = Share::default();
            let full = intake.grow(&mut share, REFERRAL_BYTES).await;
            assert!(full.is_ok());
            shares.push(share);
        }
        let mut third = Share::default();
        assert!(intake.grow(&mut third, SMALL_KIB << 10).await.is_ok());
        let two_more = intake.grow(&mut third, REFERRAL_BYTES).await;
        assert_eq!(
            two_more.err().map(|r| r.situation),
            Some(Situation::Unavailable)
        );
        drop(shares);
        assert!(intake.grow(&mut third, REFERRAL_BYTES).await.is_ok());
    }

    /// Proves: NFR-01
    #[tokio::test]
    async fn one_sender_leaves_places_to_others() {
        let intake = impatient();
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(intake.place(sender(1), 3).await.ok());
        }
        let more = intake.place(sender(1), 3).await;
        assert_eq!(
            more.err().map(|r| r.situation),
            Some(Situation::Unavailable)
        );
        assert!(intake.place(sender(2), 3).await.is_ok());
        held.pop();
        assert!(intake.place(sender(1), 3).await.is_ok());
        drop(held);
        assert!(
            locked(&intake.senders).is_empty(),
            "nothing is kept of who left"
        );
    }

    #[test]
    fn a_sender_is_what_was_proven() {
        let mut headers = http::HeaderMap::new();
        let peer = |address: &str, is_ssp| Peer {
            address: address.parse().expect("an address"),
            tls: is_ssp,
            is_ssp,
        };
        headers.insert("ssp-from", "918999000099".parse().expect("a value"));
        let made_up = Sender::of(&peer("192.0.2.1:1", false), &headers);
        assert_eq!(made_up, sender(1));
        let proven = Sender::of(&peer("192.0.2.1:2", true), &headers);
        assert_ne!(proven, sender(1));
        let near = |end: &str| Sender::of(&peer(&format!("[2001:db8::{end}]:1"), false), &headers);
        assert_eq!(near("1"), near("ffff"));
        assert_eq!(
            Sender::of(&peer("[::ffff:192.0.2.1]:1", false), &headers),
            sender(1)
        );
    }
}
