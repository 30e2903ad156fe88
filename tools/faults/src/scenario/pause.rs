//! Processes are stopped (SIGSTOP) for seconds and continued, as a virtual machine that is moved, or a swapping one.

use super::{BACK_WITHIN, CLIENTS, End, blocking, figure, stage};
use crate::Setting;
use crate::load::Load;
use crate::process;
use std::sync::atomic::Ordering;

/// Pauses: quick, and full.
const ROUNDS: [usize; 2] = [2, 12];

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let rounds = ROUNDS[usize::from(!setting.quick)];
    let longest = if setting.quick { 700 } else { 6_000 };
    let stage = stage(setting, "pause").await?;
    let mut random = stage.random.clone();
    let mut provider = stage.launch("provider")?.start()?;
    let mut other = stage.launch("provider-2")?.start()?;
    let addresses = [provider.address(), other.address()];
    let load = Load::start(&stage.shared(&addresses), CLIENTS, &mut random);
    for round in 1..=rounds {
        tokio::time::sleep(random.between(50, 500)).await;
        let database = stage
            .cluster
            .as_ref()
            .map(|c| c.processes())
            .unwrap_or_default();
        let stopped = match round % 3 {
            0 if !database.is_empty() => database,
            1 => vec![provider.id()],
            _ => vec![other.id()],
        };
        stage
            .ledger
            .fault(&format!("SIGSTOP of {} processes", stopped.len()));
        blocking(|| process::signal_all(&stopped, "STOP"));
        tokio::time::sleep(random.between(300, longest)).await;
        blocking(|| process::signal_all(&stopped, "CONT"));
        if !load.goes_on(BACK_WITHIN).await {
            stage.ledger.wrong(&format!(
                "nothing was booked for {BACK_WITHIN:?} after a pause"
            ));
        }
        setting.progress("pause", round, rounds);
    }
    let counts = load.stop().await?;
    blocking(|| (provider.stop(), other.stop()));
    let verdict = stage.prove().await?;
    Ok(End::Proved(
        verdict,
        vec![
            figure("pauses", rounds),
            figure("booked", counts.booked.load(Ordering::Relaxed)),
        ],
    ))
}
