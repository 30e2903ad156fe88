//! What receiving and reading referrals may cost: memory, time and places, for all senders and for each of them.
//!
//! A document costs its sender little and its reader much, so the bounds do not wait for its end. A sender has a few
//! places; memory is taken as bytes arrive, so that a message that trickles holds little; a body that comes slower
//! than the least rate is broken off. The first megabyte of each body comes from a pool of its own: large messages that
//! fill theirs do not keep small ones out. What must be computed is done by few threads ([`super::reader`]).

use super::reader::Readers;
use crate::http::admission::receiving::{Bounds, Receiving, Share};
use crate::http::trust::Peer;
use crate::referral::BOUNDS;
use crate::referral::read::MAX_DOCUMENT;
use crate::store::REFERRAL_BYTES;
use booking::ids::Asid;
use booking::refusal::{Refusal, Situation};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Time for a message of full size over a slow line: about 2 Mbit/s.
const BODY_WITHIN: Duration = Duration::from_secs(120);
/// In each of these a body brings what the least rate asks for: a usual document of 100 KiB takes 12 s at that rate.
const LEAST_EACH: Duration = Duration::from_secs(10);
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

/// The bounds on receiving and reading.
pub struct Intake {
    /// How long a message waits for a place.
    wait: Duration,
    senders: Arc<Mutex<HashMap<Sender, OfSender>>>,
    /// The bodies.
    pub(super) bodies: Receiving,
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
        Intake::waiting(WAIT)
    }

    fn waiting(wait: Duration) -> Intake {
        Intake {
            wait,
            senders: Arc::default(),
            bodies: Receiving::new(Bounds {
                what: "referrals",
                most: REFERRAL_BYTES,
                within: BODY_WITHIN,
                least_each: LEAST_EACH,
                first_kib: FIRST_KIB,
                small_kib: SMALL_KIB,
                further_kib: FURTHER_KIB,
                step_kib: STEP_KIB,
                wait,
            }),
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
        match timeout(self.wait, places.acquire_owned()).await {
            Ok(Ok(permit)) => {
                place._permit = Some(permit);
                Ok(place)
            }
            _ => Err(busy(
                "As many referrals of this sender are being received as it may send at the same time",
            )),
        }
    }

    /// Grows a share that a reader was given too; it has done with it, or came too late.
    pub(super) async fn grown(
        &self,
        share: Arc<Mutex<Share>>,
        bytes: usize,
    ) -> Result<Arc<Mutex<Share>>, Refusal> {
        let mut own = std::mem::take(&mut *locked(&share));
        let grown = self.bodies.grow(&mut own, bytes).await;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(last: u8) -> Sender {
        Sender(IpAddr::from([192, 0, 2, last]), None)
    }

    /// Proves: NFR-01
    #[tokio::test]
    async fn one_sender_leaves_places_to_others() {
        let intake = Intake::waiting(Duration::from_millis(1));
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
