//! Tracks the requests of one connection, and decides when the connection has lasted too long.

use crate::accept::ServerState;
use crate::peers::Counted;
use crate::{Ended, LEAST_RATE, Limits};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, watch};

/// The state of one connection, shared by its bytes, its watchdog and its requests. Dropping the last clone frees the place
/// of the connection among those of its server and of its peer.
#[derive(Clone, Debug)]
pub struct ConnectionWatch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    server: Arc<ServerState>,
    state: Mutex<State>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.server.gauges.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct State {
    /// Whose connection it is; `None`: the server's own probe.
    peer: Option<Counted>,
    /// Requests that are in work or whose answer is not yet sent.
    under_way: u32,
    /// When the last request ended, or the connection was accepted.
    since: Instant,
    /// True after the first request.
    used: bool,
    /// Answers that are being sent.
    sending: Vec<Sending>,
    next: u64,
}

/// An answer that is being sent.
#[derive(Debug)]
struct Sending {
    id: u64,
    /// The client has to take what it was given by then.
    by: Instant,
    /// Set while the client waits for us; that time does not count against it.
    paused: Option<Instant>,
}

/// The watchdog's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The connection may stay; judge it again then.
    Until(Instant),
    /// The connection has to end.
    Over(Ended),
}

impl ConnectionWatch {
    pub(crate) fn new(
        server: Arc<ServerState>,
        peer: Option<Counted>,
        place: OwnedSemaphorePermit,
    ) -> ConnectionWatch {
        server.gauges.open.fetch_add(1, Ordering::Relaxed);
        ConnectionWatch(Arc::new(Shared {
            server,
            _place: place,
            state: Mutex::new(State {
                peer,
                under_way: 0,
                since: Instant::now(),
                used: false,
                sending: Vec::new(),
                next: 0,
            }),
        }))
    }

    pub(crate) fn server(&self) -> &ServerState {
        &self.0.server
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.server.limits
    }

    /// Becomes true when the server stops.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.server().stopping.subscribe()
    }

    /// Whether it is the server's own probe.
    pub(crate) fn is_probe(&self) -> bool {
        self.state().peer.is_none()
    }

    /// Counts the connection as one of this peer, and no more as one of the peer before.
    pub(crate) fn counts_as(&self, peer: Counted) {
        let before = self.state().peer.replace(peer);
        drop(before);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a request; it is under way until the result is dropped.
    pub(crate) fn begin(&self) -> UnderWay {
        let mut state = self.state();
        state.under_way += 1;
        state.used = true;
        drop(state);
        UnderWay {
            watch: self.clone(),
            answer: None,
        }
    }

    /// Time left for the head of the first request.
    pub fn head_left(&self) -> Duration {
        let limit = self.limits().head;
        limit.saturating_sub(self.state().since.elapsed())
    }

    /// Decides whether the connection has to end.
    pub(crate) fn judge(&self, now: Instant) -> Verdict {
        let (limits, state) = (self.limits(), self.state());
        let look = limits.head.min(limits.idle).min(limits.write);
        if state.under_way == 0 {
            let (limit, why) = match state.used {
                false => (limits.head, Ended::Head),
                true => (limits.idle, Ended::Idle),
            };
            let until = state.since + limit;
            return match now >= until {
                true => Verdict::Over(why),
                false => Verdict::Until(until.min(now + look)),
            };
        }
        let sending = state.sending.iter();
        let first = sending.filter(|s| s.paused.is_none()).map(|s| s.by).min();
        match first {
            Some(by) if now >= by => Verdict::Over(Ended::Write),
            Some(by) => Verdict::Until(by.min(now + look)),
            None => Verdict::Until(now + look),
        }
    }
}

/// A request under way. Its end is the drop: with its answer, or with its handler if there is no answer.
#[derive(Debug)]
pub(crate) struct UnderWay {
    watch: ConnectionWatch,
    answer: Option<u64>,
}

impl UnderWay {
    /// Records that the answer begins.
    pub fn begin_answer(&mut self) {
        let limit = self.watch.limits().write;
        let mut state = self.watch.state();
        let id = state.next;
        state.next += 1;
        state.sending.push(Sending {
            id,
            by: Instant::now() + limit,
            paused: None,
        });
        drop(state);
        self.answer = Some(id);
    }

    /// Records that the connection took so many bytes of the answer and asked for more.
    pub fn record_sent(&self, bytes: usize) {
        let limit = self.watch.limits().write;
        self.sending(|sending, now| {
            let paused = sending.paused.take().map_or(Duration::ZERO, |p| now - p);
            let earned = Duration::from_micros(bytes as u64 * 1_000_000 / LEAST_RATE);
            sending.by = (sending.by + paused + earned).min(now + limit + earned);
        });
    }

    /// Records that the connection waits for the next bytes of the answer.
    pub fn record_wait(&self) {
        self.sending(|sending, now| {
            sending.paused.get_or_insert(now);
        });
    }

    fn sending(&self, change: impl FnOnce(&mut Sending, Instant)) {
        let mut state = self.watch.state();
        let found = state.sending.iter_mut().find(|s| Some(s.id) == self.answer);
        if let Some(sending) = found {
            change(sending, Instant::now());
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.watch.state();
        if let Some(answer) = self.answer
            && let Some(at) = state.sending.iter().position(|s| s.id == answer)
        {
            state.sending.swap_remove(at);
        }
        state.under_way -= 1;
        if state.under_way == 0 {
            state.since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gauges;

    fn watched() -> (ConnectionWatch, Limits) {
        let limits = Limits {
            head: Duration::from_secs(3),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(30),
            ..Limits::default()
        };
        let server = Arc::new(ServerState::new(
            limits.clone(),
            Arc::new(Gauges::default()),
        ));
        let places = Arc::new(tokio::sync::Semaphore::new(1));
        let place = places.try_acquire_owned().unwrap();
        (ConnectionWatch::new(server, None, place), limits)
    }

    #[test]
    fn the_first_request_has_less_time_than_the_next() {
        let (watch, limits) = watched();
        let later = |by| Instant::now() + by;
        assert_eq!(watch.judge(later(limits.head)), Verdict::Over(Ended::Head));
        drop(watch.begin());
        assert!(matches!(watch.judge(later(limits.head)), Verdict::Until(_)));
        assert_eq!(watch.judge(later(limits.idle)), Verdict::Over(Ended::Idle));
        // A handler that takes long is not the client's fault.
        let _working = watch.begin();
        let much_later = later(limits.idle * 100);
        assert!(matches!(watch.judge(much_later), Verdict::Until(_)));
    }

    #[test]
    fn an_answer_that_nobody_takes_ends_the_connection_also_beside_others() {
        let (watch, limits) = watched();
        let mut stuck = watch.begin();
        stuck.begin_answer();
        stuck.record_sent(LEAST_RATE as usize * 10);
        let mut other = watch.begin();
        other.begin_answer();
        other.record_sent(LEAST_RATE as usize * 1_000);
        let at = |more| Instant::now() + limits.write + Duration::from_secs(more);
        assert!(matches!(watch.judge(at(9)), Verdict::Until(_)));
        assert_eq!(watch.judge(at(10)), Verdict::Over(Ended::Write));
        // Waiting for us is not the client's fault.
        stuck.record_wait();
        assert!(matches!(watch.judge(at(10)), Verdict::Until(_)));
        stuck.record_sent(0);
        assert_eq!(watch.judge(at(11)), Verdict::Over(Ended::Write));
        drop(stuck);
        assert!(matches!(watch.judge(at(10)), Verdict::Until(_)));
    }
}
