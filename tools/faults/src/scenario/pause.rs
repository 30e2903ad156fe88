//! Processes are stopped (SIGSTOP) for seconds and continued, as a virtual machine that is moved, or a swapping one.

use super::under_load::{Ending, UnderLoad};
use super::{End, blocking, figure, stage};
use crate::Setting;
use testkit::process;

/// Pauses: quick, and full.
const ROUNDS: [usize; 2] = [2, 12];

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let rounds = ROUNDS[usize::from(!setting.quick)];
    let longest = if setting.quick { 700 } else { 6_000 };
    let stage = stage(setting, "pause").await?;
    let provider = stage.launch("provider")?.start()?;
    let mut other = stage.launch("provider-2")?.start()?;
    let shared = stage.shared(&[provider.address(), other.address()]);
    let mut play = UnderLoad::of(stage, provider, &shared);
    for round in 1..=rounds {
        play.pause(50, 500).await;
        let database = play.stage.cluster.as_ref();
        let stopped = match (round % 3, database) {
            (0, Some(cluster)) => cluster.processes(),
            (1, _) => vec![play.provider.id()],
            _ => vec![other.id()],
        };
        let what = format!("SIGSTOP of {} processes", stopped.len());
        play.stage.ledger.fault(&what);
        blocking(|| process::signal_all(&stopped, "STOP"));
        play.pause(300, longest).await;
        blocking(|| process::signal_all(&stopped, "CONT"));
        play.must_book("after a pause").await;
        setting.progress("pause", round, rounds);
    }
    let end = play.prove(Ending::Stopped, vec![figure("pauses", rounds)]);
    let end = end.await;
    blocking(|| other.stop());
    end
}
