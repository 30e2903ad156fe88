//! Another program holds the database, as a careless administrator does, for longer than the Provider waits.

use super::{BACK_WITHIN, CLIENTS, End, blocking, figure, stage};
use crate::Setting;
use crate::load::Load;
use std::sync::atomic::Ordering;

/// Locks: quick, and full.
const ROUNDS: [usize; 2] = [2, 10];

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let rounds = ROUNDS[usize::from(!setting.quick)];
    let stage = stage(setting, "locked").await?;
    let mut random = stage.random.clone();
    let mut provider = stage.launch("provider")?.start()?;
    let load = Load::start(&stage.shared(&[provider.address()]), CLIENTS, &mut random);
    for round in 1..=rounds {
        tokio::time::sleep(random.between(50, 300)).await;
        let time = match (setting.quick, round % 2) {
            (true, 1) => random.between(100, 400),
            (true, _) => random.between(2_200, 2_500),
            (false, _) => random.between(100, 8_000),
        };
        stage
            .ledger
            .fault(&format!("the database is held for {time:?}"));
        let database = stage.database.clone();
        let held = tokio::task::spawn_blocking(move || database.hold(time));
        held.await.map_err(|e| e.to_string())??;
        if !load.goes_on(BACK_WITHIN).await {
            stage.ledger.wrong(&format!(
                "nothing was booked for {BACK_WITHIN:?} after the lock was gone"
            ));
        }
        setting.progress("locked", round, rounds);
    }
    let counts = load.stop().await?;
    let verdict = stage.prove_with(&provider).await?;
    blocking(|| provider.stop());
    Ok(End::Proved(
        verdict,
        vec![
            figure("locks", rounds),
            figure("booked", counts.booked.load(Ordering::Relaxed)),
        ],
    ))
}
