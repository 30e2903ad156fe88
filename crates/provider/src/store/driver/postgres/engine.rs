//! The thread that drives the reading connections of a store.

use crate::store::error::StoreError;
use std::thread::JoinHandle;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread; it ends with this.
pub(super) struct Engine {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the thread.
    pub(super) fn start() -> Result<Engine, StoreError> {
        let failed =
            |e| StoreError::unexpected(format!("the database thread cannot be started: {e}"));
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("store-postgres".to_owned())
            .spawn(move || {
                // Ends when told, or when nobody can tell any more.
                let _ = runtime.block_on(stopped);
            })
            .map_err(failed)?;
        Ok(Engine {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.stop.take());
        let thread = self
            .thread
            .take()
            .filter(|t| t.thread().id() != std::thread::current().id());
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the database thread panicked");
        }
    }
}
