//! Memory of answers that their consumers have not taken yet.
//!
//! An answer in XML or gzip is made whole, and stays in memory until its last byte has left. [`Untaken`] counts these bytes and
//! bounds them: of all answers together, and of one consumer, who has half at most. Large answers leave a quarter to small ones,
//! so that bookings go on while searches are not taken. A change asks for its room before anything is changed; an answer
//! without room is 503. The bytes are counted for as long as anything in the process holds them (`Pieces::held`).
//!
//! Rendered days that answers share are counted once, where they are rendered; what is alive of them beyond what the cache
//! may hold is kept by answers alone, and counts here too.

use crate::http::edge::answer::Body;
use crate::http::edge::pieces::Alive;
use crate::http::edge::{Edge, RequestContext};
use crate::metrics::Shed;
use crate::store::TenantKey;
use booking::ids::Asid;
use booking::refusal::{Refusal, Situation};
use http::Response;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Answers up to this size, bytes, are part of what each stream of a connection may hold ([`crate::http::STREAMS`]).
const SMALL: u64 = 4 << 10;
/// Answers above this size, bytes, leave a quarter of the room to others. A booking with all its contacts is far below.
const LARGE: u64 = 64 << 10;

/// Whose an answer is; `None`: all whose system nobody declared.
pub(in crate::http) type Holder = Option<(TenantKey, Asid)>;

/// The answers that are not taken yet.
#[derive(Clone)]
pub struct Untaken(Arc<Shared>);

struct Shared {
    most: u64,
    /// Rendered days in memory, and how much of them the cache may hold.
    rendered: Alive,
    cached: u64,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    all: u64,
    /// Whoever holds something.
    each: HashMap<Holder, u64>,
}

/// Bytes of one answer, counted until this is dropped.
pub(in crate::http) struct Room {
    shared: Arc<Shared>,
    holder: Holder,
    bytes: u64,
}

impl Untaken {
    /// Room for so many bytes, beside a cache of so many bytes of rendered days.
    pub(in crate::http) fn new(most: u64, rendered: Alive, cached: u64) -> Untaken {
        Untaken(Arc::new(Shared {
            most,
            rendered,
            cached,
            held: Mutex::default(),
        }))
    }

    /// Bytes that are held now.
    pub fn bytes(&self) -> u64 {
        self.0.held().all + self.0.pinned()
    }

    /// Room for an answer of this length that has so many bytes of its own; `None`: too much is held already.
    pub(in crate::http) fn room(&self, holder: &Holder, length: u64, own: u64) -> Option<Room> {
        let shared = &self.0;
        let most = match length > LARGE {
            true => shared.most - shared.most / 4,
            false => shared.most,
        };
        let pinned = shared.pinned();
        let mut held = shared.held();
        let of_holder = held.each.get(holder).copied().unwrap_or(0);
        // An answer that is larger than all this goes out alone.
        let fits = held.all + pinned + own <= most || held.all + pinned == 0;
        let is_fair = of_holder + own <= shared.most / 2 || of_holder == 0;
        if !fits || !is_fair {
            return None;
        }
        held.add(holder, own);
        drop(held);
        Some(Room {
            shared: shared.clone(),
            holder: holder.clone(),
            bytes: own,
        })
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rendered days that only answers hold.
    fn pinned(&self) -> u64 {
        self.rendered.bytes().saturating_sub(self.cached)
    }
}

impl Held {
    fn add(&mut self, holder: &Holder, bytes: u64) {
        self.all += bytes;
        match self.each.get_mut(holder) {
            Some(held) => *held += bytes,
            None => {
                self.each.insert(holder.clone(), bytes);
            }
        }
    }

    fn take(&mut self, holder: &Holder, bytes: u64) {
        self.all -= bytes;
        if let Some(held) = self.each.get_mut(holder) {
            *held -= bytes;
            if *held == 0 {
                self.each.remove(holder);
            }
        }
    }
}

impl Room {
    /// The same room for another number of bytes, whatever is held otherwise.
    fn resized(mut self, bytes: u64) -> Room {
        let mut held = self.shared.held();
        held.take(&self.holder, self.bytes);
        held.add(&self.holder, bytes);
        drop(held);
        self.bytes = bytes;
        self
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shared.held().take(&self.holder, self.bytes);
    }
}

impl Edge {
    /// Takes room for the answer to a change, before anything is changed: it is about as long as its request, twice in XML.
    pub(in crate::http) fn reserve(
        &self,
        ctx: &mut RequestContext,
        request: usize,
    ) -> Result<(), Refusal> {
        let bytes = 2 * request as u64;
        let room = self.untaken.room(&ctx.holder, 0, bytes);
        ctx.room = Some(room.ok_or_else(|| self.no_room())?);
        Ok(())
    }

    /// The response with its bytes counted, or 503 when there is no room for them. What stands is told in any case.
    pub(in crate::http) fn held(
        &self,
        ctx: &mut RequestContext,
        response: Response<Body>,
    ) -> Result<Response<Body>, Refusal> {
        let body = response.body();
        let (length, own) = (body.len(), body.own());
        let room = match ctx.room.take() {
            _ if length <= SMALL => return Ok(response),
            Some(room) => room.resized(own),
            None => self
                .untaken
                .room(&ctx.holder, length, own)
                .ok_or_else(|| self.no_room())?,
        };
        Ok(response.map(|body| body.held(room)))
    }

    fn no_room(&self) -> Refusal {
        self.metrics.shed(Shed::Untaken);
        Refusal::new(
            Situation::Unavailable,
            "Too many answers wait to be taken by those who asked for them; read the answers that are open, and ask again in a \
             second.",
        )
        .log(Shed::Untaken.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::edge::pieces::Pieces;
    use bytes::Bytes;

    const MOST: u64 = 1 << 20;

    fn holder(asid: &str) -> Holder {
        Some((TenantKey::of_test(1), Asid::parse(asid).unwrap()))
    }

    /// Proves: NFR-01, D-80
    #[test]
    fn one_consumer_has_half_and_large_answers_leave_a_quarter() {
        let untaken = Untaken::new(MOST, Alive::default(), 0);
        let (a, b) = (holder("918999000001"), holder("918999000002"));
        let piece = MOST / 8;
        let fill = |of: &Holder| -> Vec<Room> {
            std::iter::from_fn(|| untaken.room(of, piece, piece)).collect()
        };
        let first = fill(&a);
        assert_eq!(first.len(), 4);
        let second = fill(&b);
        assert_eq!(second.len(), 2);
        // Nobody has room for a large answer now; a small one of another consumer goes out, until all is taken.
        assert!(untaken.room(&None, piece, piece).is_none());
        let small: Vec<Room> = std::iter::from_fn(|| untaken.room(&None, LARGE, LARGE)).collect();
        assert_eq!(small.len() as u64, MOST / 4 / LARGE);
        drop((first, second, small));
        assert_eq!(untaken.bytes(), 0);
        assert!(untaken.0.held().each.is_empty());
        // What is larger than everything goes out alone.
        let alone = untaken.room(&a, 2 * MOST, 2 * MOST);
        assert!(alone.is_some());
        assert!(untaken.room(&b, 1, 1).is_none());
    }

    /// Proves: NFR-01, D-80
    #[test]
    fn bytes_count_until_the_last_piece_is_gone() {
        let untaken = Untaken::new(MOST, Alive::default(), 0);
        let pieces = Pieces::from(Bytes::from(vec![b'a'; 10_000]));
        let room = untaken.room(&None, pieces.len(), pieces.own()).unwrap();
        let held = pieces.held(room);
        let part = held.iter().next().unwrap().slice(1..2);
        drop(held);
        assert_eq!((untaken.bytes(), &part[..]), (10_000, b"a".as_slice()));
        drop(part);
        assert_eq!(untaken.bytes(), 0);
    }

    /// Proves: NFR-01, D-80
    #[test]
    fn rendered_days_that_only_answers_hold_count() {
        let alive = Alive::default();
        let untaken = Untaken::new(MOST, alive.clone(), 1_000);
        let day = alive.rendered("x".repeat(MOST as usize));
        assert_eq!(untaken.bytes(), MOST - 1_000);
        assert!(untaken.room(&None, LARGE + 1, 10).is_none());
        assert!(untaken.room(&None, 10, 10).is_some());
        drop(day);
        assert_eq!(untaken.bytes(), 0);
    }
}
