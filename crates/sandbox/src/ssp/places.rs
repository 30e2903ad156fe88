//! Limits the requests under way, in all (503) and per sender (429).

use super::refusal::{Kind, Refusal};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts requests under way.
#[derive(Debug)]
pub struct Places {
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
pub struct Place {
    places: Arc<Places>,
    sender: String,
}

impl Places {
    /// Limits in all and per sender.
    pub fn new(most: usize, per_sender: usize) -> Arc<Places> {
        Arc::new(Places {
            most,
            per_sender,
            state: Mutex::default(),
        })
    }

    /// Takes a place for a registered sender.
    pub fn take(self: &Arc<Places>, sender: &str) -> Result<Place, Refusal> {
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
        Ok(Place {
            places: self.clone(),
            sender: sender.to_owned(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self
            .places
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
