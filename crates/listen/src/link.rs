//! What is under way on one connection, and when that has lasted too long.

use crate::accept::Door;
use crate::{Ended, LEAST_RATE, Limits};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// One connection, as its watchdog and its requests see it.
#[derive(Clone, Debug)]
pub struct Link(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    door: Arc<Door>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests whose answers are not taken yet.
    under_way: u32,
    /// Since when there is none.
    since: Instant,
    /// A request came at all.
    used: bool,
    /// Answers that are being sent.
    sending: Vec<Sending>,
    next: u64,
}

/// An answer that is being sent.
#[derive(Debug)]
struct Sending {
    id: u64,
    /// By when its client has to take what it was given.
    by: Instant,
    /// Since when the rest of the answer is waited for, which is not the client's fault.
    paused: Option<Instant>,
}

/// What the watchdog finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well; look again then.
    Until(Instant),
    /// It is over.
    Over(Ended),
}

impl Link {
    pub(crate) fn new(door: Arc<Door>) -> Link {
        Link(Arc::new(Shared {
            door,
            state: Mutex::new(State {
                under_way: 0,
                since: Instant::now(),
                used: false,
                sending: Vec::new(),
                next: 0,
            }),
        }))
    }

    pub(crate) fn door(&self) -> &Door {
        &self.0.door
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.door.limits
    }

    /// True from when the server stops.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.door().stopping.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request came.
    pub(crate) fn begin(&self) -> UnderWay {
        let mut state = self.state();
        state.under_way += 1;
        state.used = true;
        drop(state);
        UnderWay {
            link: self.clone(),
            answer: None,
        }
    }

    /// The time that is left for the head of the first request.
    pub fn head_left(&self) -> Duration {
        let limit = self.limits().head;
        limit.saturating_sub(self.state().since.elapsed())
    }

    /// Whether the connection has lasted too long in what it does.
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

/// A request that is under way until this is dropped: with its answer, or with its handler when there is none.
#[derive(Debug)]
pub(crate) struct UnderWay {
    link: Link,
    answer: Option<u64>,
}

impl UnderWay {
    /// Its answer begins.
    pub fn answers(&mut self) {
        let limit = self.link.limits().write;
        let mut state = self.link.state();
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

    /// So many bytes of its answer were given to the connection, which asked for more.
    pub fn gave(&self, bytes: usize) {
        let limit = self.link.limits().write;
        self.sending(|sending, now| {
            let paused = sending.paused.take().map_or(Duration::ZERO, |p| now - p);
            let earned = Duration::from_micros(bytes as u64 * 1_000_000 / LEAST_RATE);
            sending.by = (sending.by + paused + earned).min(now + limit + earned);
        });
    }

    /// The connection asked for more of its answer than there is yet.
    pub fn pauses(&self) {
        self.sending(|sending, now| {
            sending.paused.get_or_insert(now);
        });
    }

    fn sending(&self, change: impl FnOnce(&mut Sending, Instant)) {
        let mut state = self.link.state();
        let found = state.sending.iter_mut().find(|s| Some(s.id) == self.answer);
        if let Some(sending) = found {
            change(sending, Instant::now());
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.link.state();
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

    fn link() -> (Link, Limits) {
        let limits = Limits {
            head: Duration::from_secs(3),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(30),
            ..Limits::default()
        };
        let door = Arc::new(Door::new(limits.clone(), Arc::new(Gauges::default())));
        (Link::new(door), limits)
    }

    #[test]
    fn the_first_request_has_less_time_than_the_next() {
        let (link, limits) = link();
        let later = |by| Instant::now() + by;
        assert_eq!(link.judge(later(limits.head)), Verdict::Over(Ended::Head));
        drop(link.begin());
        assert!(matches!(link.judge(later(limits.head)), Verdict::Until(_)));
        assert_eq!(link.judge(later(limits.idle)), Verdict::Over(Ended::Idle));
        // Work that takes long is not the connection's fault.
        let _working = link.begin();
        let much_later = later(limits.idle * 100);
        assert!(matches!(link.judge(much_later), Verdict::Until(_)));
    }

    #[test]
    fn an_answer_that_nobody_takes_ends_the_connection_also_beside_others() {
        let (link, limits) = link();
        let mut stuck = link.begin();
        stuck.answers();
        stuck.gave(LEAST_RATE as usize * 10);
        let mut other = link.begin();
        other.answers();
        other.gave(LEAST_RATE as usize * 1_000);
        let at = |more| Instant::now() + limits.write + Duration::from_secs(more);
        assert!(matches!(link.judge(at(9)), Verdict::Until(_)));
        assert_eq!(link.judge(at(10)), Verdict::Over(Ended::Write));
        // What our side waits for is not its fault.
        stuck.pauses();
        assert!(matches!(link.judge(at(10)), Verdict::Until(_)));
        stuck.gave(0);
        assert_eq!(link.judge(at(11)), Verdict::Over(Ended::Write));
        drop(stuck);
        assert!(matches!(link.judge(at(10)), Verdict::Until(_)));
    }
}
