//! Two clusters: the primary is lost under load, the synchronous standby promoted; the Provider goes on by itself.

use super::under_load::{Ending, UnderLoad};
use super::{End, blocking, figure, stage};
use crate::Setting;
use crate::database::Database;
use crate::stage::DATABASE;
use std::time::{Duration, Instant};
use testkit::postgres::Server;

/// Failovers of the full form.
const ROUNDS: usize = 5;
/// How long the Provider may take to find the new primary.
const BACK_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let rounds = if setting.quick { 1 } else { ROUNDS };
    let mut stage = stage(setting, "failover").await?;
    let mut primary = stage.cluster.take().ok_or("there is no PostgreSQL")?;
    let ports = (primary.port, testkit::port());
    let folder = stage.folder.clone();
    let standby_of = |primary: &Server, round: usize| {
        // The address names two ports: the next standby takes the one that is free.
        let port = match primary.port == ports.0 {
            true => ports.1,
            false => ports.0,
        };
        let folder = folder.join(format!("pg-{round}"));
        blocking(|| primary.synchronous_standby(&folder, port))
    };
    let mut standby = standby_of(&primary, 0);
    let mut launch = stage.launch("provider")?;
    launch.database = format!(
        "postgres://uec@127.0.0.1:{},127.0.0.1:{}/{DATABASE}?sslmode=disable&target_session_attrs=read-write",
        ports.0, ports.1
    );
    let mut play = UnderLoad::launch(stage, &launch)?;
    let mut longest = Duration::ZERO;
    for round in 1..=rounds {
        play.pause(500, 1_500).await;
        play.stage.ledger.fault("kill -9 of the primary");
        let began = Instant::now();
        blocking(|| primary.kill_9());
        play.pause(0, 500).await;
        blocking(|| standby.promote());
        play.must_book_within(BACK_WITHIN, "after a promotion")
            .await;
        longest = longest.max(began.elapsed());
        play.must_run("its primary did")?;
        primary = standby;
        standby = standby_of(&primary, round);
        setting.progress("failover", round, rounds);
    }
    play.stage.database = Database::Postgres(primary.url(DATABASE));
    play.stage.cluster = Some(primary);
    let figures = vec![
        figure("failovers", rounds),
        figure("longest without an answer, ms", longest.as_millis()),
    ];
    let end = play.prove(Ending::Stopped, figures).await;
    drop(standby);
    end
}
