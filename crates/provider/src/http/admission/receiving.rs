//! What receiving bodies may cost: memory and time.
//!
//! Memory is taken as bytes arrive, so that a body that trickles holds little; a body that comes slower than the least rate
//! is broken off. The first kilobytes of each body come from a pool of their own: large bodies that fill theirs do not keep
//! small ones out.

use crate::http::edge::body::{broken_off, too_large, too_slow};
use booking::refusal::{Refusal, Situation};
use bytes::Bytes;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// The least rate at which a body comes, bytes a second.
const LEAST_RATE: u64 = 8 << 10;

/// The bounds on bodies of one kind.
#[derive(Clone)]
pub(in crate::http) struct Bounds {
    /// What they are, for the answer to who is turned away: `referrals`.
    pub what: &'static str,
    /// Largest body, bytes.
    pub most: usize,
    /// Time for a whole body.
    pub within: Duration,
    /// In each of these a body brings what [`LEAST_RATE`] asks for.
    pub least_each: Duration,
    /// Memory for the first `small_kib` of each body, KiB.
    pub first_kib: usize,
    /// Bodies up to this size never wait for larger ones, KiB.
    pub small_kib: usize,
    /// Memory for what comes after that, KiB.
    pub further_kib: usize,
    /// Memory is taken in steps of this, KiB.
    pub step_kib: usize,
    /// How long a body waits for memory before its sender is told to come again.
    pub wait: Duration,
}

/// The memory for bodies of one kind.
pub(in crate::http) struct Receiving {
    bounds: Bounds,
    first: Arc<Semaphore>,
    further: Arc<Semaphore>,
}

/// Memory that a body holds until this is dropped.
#[derive(Default)]
pub(in crate::http) struct Share {
    first: Option<OwnedSemaphorePermit>,
    further: Option<OwnedSemaphorePermit>,
}

/// A body that arrived whole, with the memory that it holds.
pub(in crate::http) struct Received {
    pub bytes: Vec<u8>,
    pub share: Share,
}

impl Receiving {
    pub(in crate::http) fn new(bounds: Bounds) -> Receiving {
        Receiving {
            first: Arc::new(Semaphore::new(bounds.first_kib)),
            further: Arc::new(Semaphore::new(bounds.further_kib)),
            bounds,
        }
    }

    /// Grows a share so that it covers so many bytes.
    pub(in crate::http) async fn grow(
        &self,
        share: &mut Share,
        bytes: usize,
    ) -> Result<(), Refusal> {
        let (step, small) = (self.bounds.step_kib, self.bounds.small_kib);
        let wanted = bytes.div_ceil(step << 10).max(1) * step;
        let first = wanted.min(small);
        self.taken(&self.first, &mut share.first, first).await?;
        let further = wanted - first;
        self.taken(&self.further, &mut share.further, further).await
    }

    /// Takes what is missing of so many KiB from a pool.
    async fn taken(
        &self,
        pool: &Arc<Semaphore>,
        held: &mut Option<OwnedSemaphorePermit>,
        kib: usize,
    ) -> Result<(), Refusal> {
        let has = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = u32::try_from(kib.saturating_sub(has)).unwrap_or(u32::MAX);
        if missing == 0 {
            return Ok(());
        }
        match timeout(self.bounds.wait, pool.clone().acquire_many_owned(missing)).await {
            Ok(Ok(more)) => {
                match held {
                    Some(held) => held.merge(more),
                    None => *held = Some(more),
                }
                Ok(())
            }
            _ => Err(Refusal::new(
                Situation::Unavailable,
                format!(
                    "As many {} are being received as memory permits; send the same message again in a minute.",
                    self.bounds.what
                ),
            )),
        }
    }

    /// Receives a body whole. Too large: 413. Too slow: 408. No memory: 503. Broken off: 400.
    pub(in crate::http) async fn receive<B>(&self, mut body: B) -> Result<Received, Refusal>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let bounds = &self.bounds;
        // A length that is announced as too large is refused before anything is waited for.
        if body.size_hint().lower() > bounds.most as u64 {
            return Err(too_large(bounds.most));
        }
        let mut share = Share::default();
        self.grow(&mut share, 0).await?;
        // What is announced and covered already is made room for at once.
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(0);
        let mut bytes: Vec<u8> = Vec::with_capacity(announced.min(bounds.step_kib << 10));
        let mut until = Instant::now() + bounds.within;
        let mut rate = Rate::begin(bounds.least_each);
        // Ends at `until`, or earlier at a window that brought too little.
        loop {
            let frame = timeout_at(rate.ends.min(until), body.frame()).await;
            let now = Instant::now();
            if now >= until {
                return Err(too_slow(bounds.within));
            }
            rate.check(now)?;
            let frame = match frame {
                Err(_) => continue,
                Ok(None) => return Ok(Received { bytes, share }),
                Ok(Some(Err(error))) => return Err(broken_off(error.into())),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let length = bytes.len() + data.len();
            if length > bounds.most {
                return Err(too_large(bounds.most));
            }
            self.grow(&mut share, length).await?;
            // The sender does not pay for our waiting.
            let waited = now.elapsed();
            until += waited;
            rate.ends += waited;
            rate.bytes += data.len() as u64;
            bytes.extend_from_slice(&data);
        }
    }
}

/// What arrives in a window of time.
struct Rate {
    each: Duration,
    ends: Instant,
    bytes: u64,
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
        let least = u128::from(LEAST_RATE) * self.each.as_millis() / 1_000;
        if u128::from(self.bytes) < least {
            return Err(Refusal::new(
                Situation::RequestTimeout,
                format!(
                    "The body comes too slowly: at least {} KiB a second are expected.",
                    LEAST_RATE >> 10
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

    const MOST: usize = 32 << 20;

    /// Bounds that are told at once.
    fn impatient() -> Receiving {
        Receiving::new(Bounds {
            what: "bodies",
            most: MOST,
            within: Duration::from_secs(600),
            least_each: Duration::from_millis(300),
            first_kib: 32 << 10,
            small_kib: 1 << 10,
            further_kib: 64 << 10,
            step_kib: 64,
            wait: Duration::from_millis(1),
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
        let bodies = impatient();
        let slow = (0..100).map(|_| bodies.receive(body(10, 1_000, true)));
        let mut slow = std::pin::pin!(futures_util::future::join_all(slow));
        assert!((&mut slow).now_or_never().is_none());
        assert_eq!(
            bodies.bounds.first_kib - bodies.first.available_permits(),
            100 * bodies.bounds.step_kib
        );
        // A small message and a large one come through beside them.
        let small = bodies.receive(body(1, 100_000, false)).await;
        assert_eq!(small.ok().map(|r| r.bytes.len()), Some(100_000));
        let large = bodies.receive(body(30, 1 << 20, false)).await;
        assert_eq!(large.ok().map(|r| r.bytes.len()), Some(30 << 20));
        for refused in slow.await {
            let situation = refused.err().map(|r| r.situation);
            assert_eq!(situation, Some(Situation::RequestTimeout));
        }
        assert_eq!(bodies.first.available_permits(), bodies.bounds.first_kib);
        assert_eq!(
            bodies.further.available_permits(),
            bodies.bounds.further_kib
        );
    }

    /// Proves: NFR-01
    #[tokio::test]
    async fn a_body_is_as_large_as_it_may_be() {
        let bodies = Receiving::new(Bounds {
            least_each: Duration::from_secs(600),
            ..impatient().bounds
        });
        let most = bodies.receive(body(32, 1 << 20, false)).await;
        assert_eq!(most.ok().map(|r| r.bytes.len()), Some(MOST));
        let more = bodies.receive(body(33, 1 << 20, true)).await;
        assert_eq!(
            more.err().map(|r| r.situation),
            Some(Situation::BodyTooLarge)
        );
    }

    /// Proves: NFR-01
    #[tokio::test]
    async fn large_messages_leave_room_for_small_ones() {
        let bodies = impatient();
        let mut shares: Vec<Share> = Vec::new();
        for _ in 0..2 {
            let mut share = Share::default();
            let full = bodies.grow(&mut share, MOST).await;
            assert!(full.is_ok());
            shares.push(share);
        }
        let mut third = Share::default();
        assert!(
            bodies
                .grow(&mut third, bodies.bounds.small_kib << 10)
                .await
                .is_ok()
        );
        let two_more = bodies.grow(&mut third, MOST).await;
        assert_eq!(
            two_more.err().map(|r| r.situation),
            Some(Situation::Unavailable)
        );
        drop(shares);
        assert!(bodies.grow(&mut third, MOST).await.is_ok());
    }
}
