//! Two clusters: the primary is lost under load, the synchronous standby promoted; the Provider goes on by itself.

use super::{CLIENTS, End, blocking, figure, stage};
use crate::Setting;
use crate::database::Database;
use crate::load::Load;
use crate::postgres::Cluster;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Failovers of the full form.
const ROUNDS: usize = 5;
/// How long the Provider may take to find the new primary.
const BACK_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let rounds = if setting.quick { 1 } else { ROUNDS };
    let mut stage = stage(setting, "failover").await?;
    let mut random = stage.random.clone();
    let mut primary = stage.cluster.take().ok_or("there is no PostgreSQL")?;
    let mut standby = blocking(|| Cluster::standby(&primary, &stage.folder.join("pg-0")))?;
    let mut launch = stage.launch("provider")?;
    launch.database = primary.url_of_both(&standby);
    let ports = (primary.port, standby.port);
    let mut provider = launch.start()?;
    let load = Load::start(&stage.shared(&[provider.address()]), CLIENTS, &mut random);
    let mut longest = Duration::ZERO;
    for round in 1..=rounds {
        tokio::time::sleep(random.between(500, 1_500)).await;
        stage.ledger.fault("kill -9 of the primary");
        let began = Instant::now();
        blocking(|| primary.kill());
        tokio::time::sleep(random.between(0, 500)).await;
        blocking(|| standby.promote())?;
        if !load.goes_on(BACK_WITHIN).await {
            stage.ledger.wrong(&format!(
                "nothing was booked for {BACK_WITHIN:?} after a promotion"
            ));
        }
        longest = longest.max(began.elapsed());
        if provider.has_ended() {
            stage
                .ledger
                .wrong("the Provider ended because its primary did");
            blocking(|| provider.restart())?;
        }
        primary = standby;
        // The address names two ports: the next standby takes the one that is free.
        let free = if primary.port == ports.0 {
            ports.1
        } else {
            ports.0
        };
        let folder = stage.folder.join(format!("pg-{round}"));
        standby = blocking(|| Cluster::standby_at(&primary, &folder, free))?;
        setting.progress("failover", round, rounds);
    }
    let counts = load.stop().await?;
    blocking(|| provider.stop());
    stage.database = Database::Postgres(primary.url());
    stage.cluster = Some(primary);
    let verdict = stage.prove().await?;
    drop(standby);
    Ok(End::Proved(
        verdict,
        vec![
            figure("failovers", rounds),
            figure("longest without an answer, ms", longest.as_millis()),
            figure("booked", counts.booked.load(Ordering::Relaxed)),
        ],
    ))
}
