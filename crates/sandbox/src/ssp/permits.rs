//! Limits the requests under way, in all (503) and per sender (429).

use super::refusal::{Kind, Refusal};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts requests under way.
#[derive(Debug)]
pub struct RequestPermits {
    most: usize,
    per_sender: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    all: usize,
    // Only registered systems get here, so the directory bounds the map.
    senders: HashMap<String, usize>,
}

/// A request's place, freed when dropped.
#[derive(Debug)]
pub struct RequestPermit {
    permits: Arc<RequestPermits>,
    sender: String,
}

impl RequestPermits {
    /// Limits in all and per sender.
    pub fn new(most: usize, per_sender: usize) -> Arc<RequestPermits> {
        Arc::new(RequestPermits {
            most,
            per_sender,
            state: Mutex::default(),
        })
    }

    /// Takes a place for a registered sender.
    pub fn take(self: &Arc<RequestPermits>, sender: &str) -> Result<RequestPermit, Refusal> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.all >= self.most {
            return Err(Refusal::new(
                Kind::Overload,
                "Too many requests are under way; try again shortly.",
            ));
        }
        let own = state.senders.entry(sender.to_owned()).or_insert(0);
        if *own >= self.per_sender {
            return Err(Refusal::new(
                Kind::Throttled,
                format!("The sender {sender} has too many requests under way; try again shortly."),
            ));
        }
        *own += 1;
        state.all += 1;
        Ok(RequestPermit {
            permits: self.clone(),
            sender: sender.to_owned(),
        })
    }
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        let mut state = self
            .permits
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.all = state.all.saturating_sub(1);
        if let Some(own) = state.senders.get_mut(&self.sender) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                state.senders.remove(&self.sender);
            }
        }
    }
}
