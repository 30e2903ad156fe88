//! One write, with the means to answer it.

use super::group::Group;
use super::shard::Shard;
use crate::store::error::{StoreError, WriteError};
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A write. It can be done again when its transaction was lost for no fault of its own.
pub(super) trait Job: Send {
    /// Does the work, and keeps its outcome until it is known whether the transaction is stored. False when the store failed it; a
    /// refusal is no failure.
    fn run(&mut self, group: &mut Group<'_>) -> bool;
    /// Answers: with the outcome, or with the reason why nothing was stored.
    fn answer(self: Box<Self>, stored: Result<(), StoreError>);
}

pub(super) struct Write<T, F> {
    pub(super) work: F,
    pub(super) outcome: Option<Result<T, WriteError>>,
    pub(super) answer: oneshot::Sender<Result<T, WriteError>>,
}

impl<T, F> Job for Write<T, F>
where
    T: Send + 'static,
    F: FnMut(&mut Group<'_>) -> Result<T, WriteError> + Send,
{
    fn run(&mut self, group: &mut Group<'_>) -> bool {
        let outcome = self.outcome.insert((self.work)(group));
        match outcome {
            Ok(_) | Err(WriteError::Refused(_) | WriteError::DiaryChanged) => true,
            Err(WriteError::Store(error)) => {
                matches!(
                    error,
                    StoreError::Conflict { .. } | StoreError::Unsupported { .. }
                )
            }
        }
    }

    fn answer(self: Box<Self>, stored: Result<(), StoreError>) {
        let unheard = || StoreError::unexpected("a write was stored without being done").into();
        let answer = match stored {
            Ok(()) => self.outcome.unwrap_or_else(|| Err(unheard())),
            Err(error) => Err(error.into()),
        };
        // Nobody listens any more when the caller has gone away; what was committed stays.
        let _ = self.answer.send(answer);
    }
}

/// A job and its place in the queue.
pub(super) struct Queued {
    pub(super) shard: Shard,
    pub(super) job: Box<dyn Job>,
    pub(super) since: Instant,
    pub(super) _place: OwnedSemaphorePermit,
}
