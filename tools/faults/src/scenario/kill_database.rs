//! `kill -9` of PostgreSQL, all of it, at random moments. The Provider is not restarted.

use super::under_load::{Ending, UnderLoad};
use super::{End, blocking, figure};
use crate::Setting;

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let mut play = UnderLoad::start(setting, "kill-database").await?;
    let cluster = play.stage.cluster.take().ok_or("there is no PostgreSQL")?;
    for round in 1..=setting.rounds {
        play.pause(50, 400).await;
        play.stage.ledger.fault("kill -9 of PostgreSQL");
        blocking(|| cluster.kill_9());
        play.pause(0, 200).await;
        blocking(|| cluster.up());
        play.must_book("after PostgreSQL was back").await;
        play.must_run("PostgreSQL did")?;
        setting.progress("kill-database", round, setting.rounds);
    }
    play.stage.cluster = Some(cluster);
    play.prove(Ending::Stopped, vec![figure("kills", setting.rounds)])
        .await
}
