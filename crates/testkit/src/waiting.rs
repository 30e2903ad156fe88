//! Waiting until something holds, however slow the machine is.

use std::time::{Duration, Instant};

/// How long a test waits for what becomes true by itself. It is the bound of a hang, not a limit of speed: a machine that is
/// busy with several builds needs a hundred times what an idle one needs.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until something holds; `what` says what that is.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    found(what, || holds().then_some(()));
}

/// Waits until something is there, and returns it.
#[track_caller]
pub fn found<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    // Ends when it is there or patience is over.
    loop {
        if let Some(it) = look() {
            return it;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(PAUSE);
    }
}

/// [`until`] for a test on a runtime: other tasks go on meanwhile.
pub async fn until_async(what: &str, mut holds: impl FnMut() -> bool) {
    found_async(what, || holds().then_some(())).await;
}

/// [`found`] for a test on a runtime: other tasks go on meanwhile.
pub async fn found_async<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    // Ends when it is there or patience is over.
    loop {
        if let Some(it) = look() {
            return it;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
