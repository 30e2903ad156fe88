//! Every sync takes long: `strace` delays it in the processes that write.

use super::{BACK_WITHIN, CLIENTS, End, blocking, figure, stage};
use crate::Setting;
use crate::load::Load;
use crate::process::{Guarded, find};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

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
    let stage = stage(setting, "slow-disk").await?;
    let mut random = stage.random.clone();
    let mut provider = stage.launch("provider")?.start()?;
    let load = Load::start(&stage.shared(&[provider.address()]), CLIENTS, &mut random);
    let mut slowed = Vec::new();
    for (sync, time) in SLOW[usize::from(!setting.quick)] {
        let processes = match &stage.cluster {
            Some(cluster) => cluster.processes(),
            None => vec![provider.id()],
        };
        let before = load.answered();
        stage.ledger.fault(&format!("a sync takes {sync} ms"));
        let mut strace = slow(&processes, *sync)?;
        tokio::time::sleep(Duration::from_millis(*time as u64)).await;
        if strace.ended().is_some() {
            return Ok(End::Skipped(
                "strace may not trace here (ptrace is forbidden)".to_owned(),
            ));
        }
        blocking(|| strace.stop(Duration::from_secs(5)));
        slowed.push(format!(
            "{sync} ms: {}",
            (load.answered() - before) * 1_000 / time
        ));
        if !load.goes_on(BACK_WITHIN).await {
            stage.ledger.wrong(&format!(
                "nothing was booked for {BACK_WITHIN:?} after the disk was fast again"
            ));
        }
    }
    let counts = load.stop().await?;
    let verdict = stage.prove_with(&provider).await?;
    blocking(|| provider.stop());
    Ok(End::Proved(
        verdict,
        vec![
            figure("answers a second by time of a sync", slowed.join(", ")),
            figure("booked", counts.booked.load(Ordering::Relaxed)),
        ],
    ))
}

/// Attaches to the processes, their threads and what they start.
fn slow(processes: &[u32], sync_ms: usize) -> Result<Guarded, String> {
    let mut command = Command::new("strace");
    command
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=fsync,fdatasync",
            "-e",
        ])
        .arg(format!(
            "inject=fsync,fdatasync:delay_enter={}",
            sync_ms * 1_000
        ))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for process in processes {
        command.args(["-p", &process.to_string()]);
    }
    Guarded::start(command)
}
