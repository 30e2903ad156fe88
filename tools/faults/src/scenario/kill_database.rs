//! `kill -9` of PostgreSQL, all of it, at random moments. The Provider is not restarted.

use super::{BACK_WITHIN, CLIENTS, End, blocking, figure, stage};
use crate::Setting;
use crate::load::Load;
use std::sync::atomic::Ordering;

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let mut stage = stage(setting, "kill-database").await?;
    let mut random = stage.random.clone();
    let mut cluster = stage.cluster.take().ok_or("there is no PostgreSQL")?;
    let mut provider = stage.launch("provider")?.start()?;
    let load = Load::start(&stage.shared(&[provider.address()]), CLIENTS, &mut random);
    for round in 1..=setting.rounds {
        tokio::time::sleep(random.between(50, 400)).await;
        stage.ledger.fault("kill -9 of PostgreSQL");
        blocking(|| cluster.kill());
        tokio::time::sleep(random.between(0, 200)).await;
        blocking(|| cluster.start())?;
        if !load.goes_on(BACK_WITHIN).await {
            stage.ledger.wrong(&format!(
                "nothing was booked for {BACK_WITHIN:?} after PostgreSQL was back"
            ));
        }
        if provider.has_ended() {
            stage
                .ledger
                .wrong("the Provider ended because PostgreSQL did");
            blocking(|| provider.restart())?;
        }
        setting.progress("kill-database", round, setting.rounds);
    }
    let counts = load.stop().await?;
    blocking(|| provider.stop());
    stage.cluster = Some(cluster);
    let verdict = stage.prove().await?;
    Ok(End::Proved(
        verdict,
        vec![
            figure("kills", setting.rounds),
            figure("booked", counts.booked.load(Ordering::Relaxed)),
            figure("cancelled", counts.cancelled.load(Ordering::Relaxed)),
        ],
    ))
}
