//! `kill -9` of the Provider at random moments; sometimes again while it starts.

use super::{BACK_WITHIN, CLIENTS, End, blocking, figure, stage};
use crate::Setting;
use crate::load::Load;
use crate::proof;
use std::sync::atomic::Ordering;

/// Of a hundred kills, so many are followed by another within the start.
const AGAIN: usize = 20;
/// Rounds after which the audit trail is verified while the Provider runs.
const VERIFY_EVERY: usize = 40;

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let mut stage = stage(setting, "kill-provider").await?;
    let mut random = stage.random.clone();
    let mut provider = stage.launch("provider")?.start()?;
    let load = Load::start(&stage.shared(&[provider.address()]), CLIENTS, &mut random);
    let mut kills = 0;
    for round in 1..=setting.rounds {
        tokio::time::sleep(random.between(30, 350)).await;
        stage.ledger.fault("kill -9 of the Provider");
        blocking(|| provider.kill());
        kills += 1;
        if random.percent(AGAIN) {
            blocking(|| provider.respawn())?;
            tokio::time::sleep(random.between(0, 40)).await;
            stage
                .ledger
                .fault("kill -9 of the Provider while it starts");
            kills += 1;
        }
        blocking(|| provider.restart())?;
        if !load.goes_on(BACK_WITHIN).await {
            stage.ledger.wrong(&format!(
                "nothing was booked for {BACK_WITHIN:?} after a restart"
            ));
        }
        if round % VERIFY_EVERY == 0 {
            blocking(|| proof::verify_running(&stage.program, &stage.database.url()))?;
        }
        setting.progress("kill-provider", round, setting.rounds);
    }
    let counts = load.stop().await?;
    blocking(|| provider.kill());
    stage.random = random;
    let verdict = stage.prove().await?;
    Ok(End::Proved(
        verdict,
        vec![
            figure("kills", kills),
            figure("booked", counts.booked.load(Ordering::Relaxed)),
            figure("cancelled", counts.cancelled.load(Ordering::Relaxed)),
        ],
    ))
}
