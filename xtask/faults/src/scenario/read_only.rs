//! The disk takes no writes any more under load, as a file system that fell back to read-only: `strace` has every write of
//! the Provider to a file fail with EROFS. Bookings are refused with 503, readiness says why, and all goes on by itself when
//! writes are possible again.

use super::{BACK_WITHIN, CLIENTS, End, blocking, figure, none_acknowledged, stage};
use crate::Setting;
use crate::load::Load;
use crate::process::{Guarded, find};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often: quick, and full.
const ROUNDS: [usize; 2] = [3, 30];
/// How long `strace` may take to let go.
const LET_GO: Duration = Duration::from_secs(5);
/// What readiness says.
const REASON: &str = "database-write";

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    if find("strace").is_none() {
        return Ok(End::Skipped(
            "strace, which has the writes fail, is not installed".to_owned(),
        ));
    }
    let rounds = ROUNDS[usize::from(!setting.quick)];
    let stage = stage(setting, "read-only").await?;
    let mut random = stage.random.clone();
    let mut provider = stage.launch("provider")?.start()?;
    let load = Load::start(&stage.shared(&[provider.address()]), CLIENTS, &mut random);
    let mut refused = 0;
    for round in 1..=rounds {
        if !load.goes_on(BACK_WITHIN).await {
            stage.ledger.wrong("nothing was booked before");
        }
        stage.ledger.fault("the disk takes no writes");
        let mut strace = no_writes(provider.id())?;
        if !blocking(|| provider.unready(REASON, BACK_WITHIN)) {
            if strace.ended().is_some() {
                return Ok(End::Skipped(
                    "strace may not trace here (ptrace is forbidden)".to_owned(),
                ));
            }
            stage
                .ledger
                .wrong(&format!("readiness does not say {REASON}"));
        }
        refused += none_acknowledged(&stage, &provider, &mut random).await?;
        blocking(|| strace.stop(LET_GO));
        if !load.goes_on(BACK_WITHIN).await {
            stage.ledger.wrong(&format!(
                "nothing was booked for {BACK_WITHIN:?} after the disk took writes again"
            ));
        }
        blocking(|| provider.ready())?;
        setting.progress("read-only", round, rounds);
    }
    let counts = load.stop().await?;
    let verdict = stage.prove_with(&provider).await?;
    blocking(|| provider.stop());
    Ok(End::Proved(
        verdict,
        vec![
            figure("read-only", format!("{rounds} times")),
            figure("refused 503 meanwhile, of those asked", refused),
            figure("booked", counts.booked.load(Ordering::Relaxed)),
        ],
    ))
}

/// Attaches to the process and all its threads.
fn no_writes(process: u32) -> Result<Guarded, String> {
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64"])
        .args(["-e", "inject=pwrite64:error=EROFS"])
        .args(["-p", &process.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Guarded::start(strace)
}
