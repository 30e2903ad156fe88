//! Another program holds the database, as a careless administrator does, for longer than the Provider waits.

use super::under_load::{Ending, UnderLoad};
use super::{End, figure};
use crate::Setting;

/// Locks: quick, and full.
const ROUNDS: [usize; 2] = [2, 10];

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let rounds = ROUNDS[usize::from(!setting.quick)];
    let mut play = UnderLoad::start(setting, "locked").await?;
    for round in 1..=rounds {
        play.pause(50, 300).await;
        let time = match (setting.quick, round % 2) {
            (true, 1) => play.random.between(100, 400),
            (true, _) => play.random.between(2_200, 2_500),
            (false, _) => play.random.between(100, 8_000),
        };
        let what = format!("the database is held for {time:?}");
        play.stage.ledger.fault(&what);
        let database = play.stage.database.clone();
        let held = tokio::task::spawn_blocking(move || database.hold(time));
        held.await.map_err(|e| e.to_string())??;
        play.must_book("after the lock was gone").await;
        setting.progress("locked", round, rounds);
    }
    play.prove(Ending::Runs, vec![figure("locks", rounds)])
        .await
}
