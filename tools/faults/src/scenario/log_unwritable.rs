//! Standard error is a disk without room: no line of the log can be written. Bookings go on, readiness says why the server
//! is not ready, and every line that is lost is counted.

use super::{BACK_WITHIN, CLIENTS, End, blocking, figure, stage};
use crate::Setting;
use crate::load::Load;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A file that has no room, ever.
const FULL: &str = "/dev/full";
/// How long there is load: quick, and full.
const LOAD: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(20)];
/// The metric of lines that are lost.
const LOST: &str = "uec_log_lines_lost_total";

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    if !Path::new(FULL).exists() {
        return Ok(End::Skipped(format!("there is no {FULL}")));
    }
    let stage = stage(setting, "log-unwritable").await?;
    let mut random = stage.random.clone();
    let mut launch = stage.launch("provider")?;
    launch.before = Some(format!("exec 2>{FULL}"));
    // A line for each request, so that there are some to lose.
    launch.environment = vec![("RUST_LOG".to_owned(), "info".to_owned())];
    launch.settings = "[admin]\nmetrics_on_api = true\n".to_owned();
    // It is not ready, and serves.
    let mut provider = launch.spawn()?;
    let load = Load::start(&stage.shared(&[provider.address()]), CLIENTS, &mut random);
    stage.ledger.fault("no line of the log can be written");
    if !load.goes_on(BACK_WITHIN).await {
        stage
            .ledger
            .wrong("nothing was booked while no line of the log could be written");
    }
    if !blocking(|| provider.unready("\"log\"", BACK_WITHIN)) {
        stage
            .ledger
            .wrong("readiness does not say that the log cannot be written");
    }
    tokio::time::sleep(LOAD[usize::from(!setting.quick)]).await;
    if !load.goes_on(BACK_WITHIN).await {
        stage.ledger.wrong("bookings did not go on");
    }
    let counts = load.stop().await?;
    let lost = blocking(|| provider.ask("/metrics"))
        .and_then(|(_, page)| lost(&page))
        .unwrap_or(0);
    if lost == 0 {
        stage.ledger.wrong("no line that was lost is counted");
    }
    let verdict = stage.prove_with(&provider).await?;
    if !blocking(|| provider.stop()) {
        stage.ledger.wrong("the server did not end by itself");
    }
    Ok(End::Proved(
        verdict,
        vec![
            figure("lines lost and counted", lost),
            figure(
                "booked without a log",
                counts.booked.load(Ordering::Relaxed),
            ),
        ],
    ))
}

fn lost(page: &str) -> Option<u64> {
    let line = page.lines().find(|line| line.starts_with(LOST))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
