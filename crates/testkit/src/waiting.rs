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

/// Processor time that this thread has used so far; nothing where the system does not tell it so finely.
fn used() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// How many times as much processor time something odd may take as something usual of the same size, or as the same in some
/// hundred pieces. What grows with the square of a size of some ten thousand takes a thousand times as much.
const PROPORTION: u32 = 100;

/// Does something usual and something odd of the same size, and fails when the odd takes out of all proportion. Only their
/// relation counts, in processor time of this thread: neither the machine's speed nor what else it does.
#[track_caller]
pub fn in_proportion(what: &str, usual: impl FnOnce(), odd: impl FnOnce()) {
    let before = used();
    usual();
    let between = used();
    odd();
    let after = used();
    let (Some(before), Some(between), Some(after)) = (before, between, after) else {
        return;
    };
    let (usual, odd) = (
        between.saturating_sub(before),
        after.saturating_sub(between),
    );
    assert!(
        odd <= usual * PROPORTION,
        "{what}: {odd:?}, where something usual of the same size takes {usual:?}"
    );
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
