//! Every sync takes long: `strace` delays it in the processes that write.

use super::under_load::{Ending, UnderLoad};
use super::{End, LET_GO, blocking, figure, may_not_trace, strace};
use crate::Setting;
use std::time::Duration;
use testkit::process::{Guarded, find};

/// How long a sync takes, and how long that lasts, milliseconds: quick, and full.
const SLOW: [&[(usize, usize)]; 2] = [
    &[(40, 1_200), (400, 1_600)],
    &[
        (20, 5_000),
        (100, 5_000),
        (500, 8_000),
        (3_000, 20_000),
        (12_000, 30_000),
    ],
];

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    if find("strace").is_none() {
        return Ok(End::Skipped(
            "strace, which delays the syncs, is not installed".to_owned(),
        ));
    }
    let play = UnderLoad::start(setting, "slow-disk").await?;
    let mut slowed = Vec::new();
    for (sync, time) in SLOW[usize::from(!setting.quick)] {
        let processes = match &play.stage.cluster {
            Some(cluster) => cluster.processes(),
            None => vec![play.provider.id()],
        };
        let before = play.load.answered();
        play.stage.ledger.fault(&format!("a sync takes {sync} ms"));
        let mut strace = slow(&processes, *sync)?;
        tokio::time::sleep(Duration::from_millis(*time as u64)).await;
        if strace.ended().is_some() {
            return Ok(may_not_trace());
        }
        blocking(|| strace.stop(LET_GO));
        slowed.push(format!(
            "{sync} ms: {}",
            (play.load.answered() - before) * 1_000 / time
        ));
        play.must_book("after the disk was fast again").await;
    }
    let slowed = slowed.join(", ");
    let figures = vec![figure("answers a second by time of a sync", slowed)];
    play.prove(Ending::Runs, figures).await
}

/// Delays the syncs of the processes, their threads and what they start.
fn slow(processes: &[u32], sync_ms: usize) -> Result<Guarded, String> {
    let delay = format!("inject=fsync,fdatasync:delay_enter={}", sync_ms * 1_000);
    strace("trace=fsync,fdatasync", &delay, processes)
}
