//! Waiting in a thread for what another thread drives.

use std::cell::OnceCell;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, RuntimeFlavor};

/// How long one wait is; it is only begun again.
const BLOCKING: Duration = Duration::from_secs(60);

/// Wakes one thread.
struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

thread_local! {
    static SLEEPER: OnceCell<(Arc<Sleeper>, Waker)> = const { OnceCell::new() };
}

/// Waits for a future that other threads make progress with; `None` when it is not ready in time. It must not need a
/// runtime around it.
pub(super) fn wait<F: Future>(future: F, within: Duration) -> Option<F::Output> {
    let (sleeper, waker) = SLEEPER.with(|cell| {
        let (sleeper, waker) = cell.get_or_init(|| {
            let sleeper = Arc::new(Sleeper {
                thread: std::thread::current(),
                woken: AtomicBool::new(false),
            });
            (sleeper.clone(), Waker::from(sleeper))
        });
        (sleeper.clone(), waker.clone())
    });
    let until = Instant::now() + within;
    // In a task, tokio lets only so much be ready before the task yields, and wakes it only then; a task that waits here
    // never yields, and would wait for ever.
    let mut future = pin!(tokio::task::unconstrained(future));
    let mut context = Context::from_waker(&waker);
    loop {
        sleeper.woken.store(false, Ordering::Release);
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        while !sleeper.woken.load(Ordering::Acquire) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            std::thread::park_timeout(left);
        }
    }
}

/// Runs what may wait for the database without holding up the other tasks of a server's thread.
pub(in crate::store) fn run_blocking<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Waits for a future that bounds its own time.
pub(in crate::store) fn blocking<F: Future>(future: F) -> F::Output {
    run_blocking(|| {
        let mut future = pin!(future);
        loop {
            if let Some(value) = wait(future.as_mut(), BLOCKING) {
                return value;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More looks than tokio lets one task make before it yields.
    #[tokio::test]
    async fn a_task_that_never_yields_may_wait_any_number_of_times() {
        let lock = tokio::sync::Mutex::new(0_u32);
        for n in 1..=1_000 {
            let counted = wait(
                async {
                    let mut count = lock.lock().await;
                    *count += 1;
                    *count
                },
                BLOCKING,
            );
            assert_eq!(counted, Some(n));
        }
    }
}
