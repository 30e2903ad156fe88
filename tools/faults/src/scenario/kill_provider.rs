//! `kill -9` of the Provider at random moments; sometimes again while it starts.

use super::under_load::{Ending, UnderLoad};
use super::{End, blocking, figure};
use crate::Setting;
use crate::proof;

/// Of a hundred kills, so many are followed by another within the start.
const AGAIN: usize = 20;
/// Rounds after which the audit trail is verified while the Provider runs.
const VERIFY_EVERY: usize = 40;

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let mut play = UnderLoad::start(setting, "kill-provider").await?;
    let mut kills = 0;
    for round in 1..=setting.rounds {
        play.pause(30, 350).await;
        play.stage.ledger.fault("kill -9 of the Provider");
        blocking(|| play.provider.kill());
        kills += 1;
        if play.random.percent(AGAIN) {
            blocking(|| play.provider.respawn())?;
            play.pause(0, 40).await;
            let what = "kill -9 of the Provider while it starts";
            play.stage.ledger.fault(what);
            kills += 1;
        }
        blocking(|| play.provider.restart())?;
        play.must_book("after a restart").await;
        if round % VERIFY_EVERY == 0 {
            let url = play.stage.database.url();
            blocking(|| proof::verify_running(&play.stage.program, &url))?;
        }
        setting.progress("kill-provider", round, setting.rounds);
    }
    play.prove(Ending::Killed, vec![figure("kills", kills)])
        .await
}
