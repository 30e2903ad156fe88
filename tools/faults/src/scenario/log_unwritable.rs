//! Standard error is a disk without room: no line of the log can be written. Bookings go on, readiness says why the server
//! is not ready, and every line that is lost is counted.

use super::under_load::{Ending, UnderLoad};
use super::{End, blocking, figure, stage};
use crate::Setting;
use std::path::Path;
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
    let mut launch = stage.launch("provider")?;
    launch.before = Some(format!("exec 2>{FULL}"));
    // A line for each request, so that there are some to lose.
    launch.environment = vec![("RUST_LOG".to_owned(), "info".to_owned())];
    launch.settings = "[admin]\nmetrics_on_api = true\n".to_owned();
    // It is not ready, and serves.
    let provider = launch.spawn()?;
    let shared = stage.shared(&[provider.address()]);
    let play = UnderLoad::of(stage, provider, &shared);
    let ledger = play.stage.ledger.clone();
    ledger.fault("no line of the log can be written");
    play.must_book("while no line of the log could be written")
        .await;
    if !play.unready("\"log\"") {
        ledger.wrong("readiness does not say that the log cannot be written");
    }
    tokio::time::sleep(LOAD[usize::from(!setting.quick)]).await;
    play.must_book("without a log").await;
    let lost = blocking(|| play.provider.ask("/metrics"))
        .and_then(|(_, page)| lost(&page))
        .unwrap_or(0);
    if lost == 0 {
        ledger.wrong("no line that was lost is counted");
    }
    let figures = vec![figure("lines lost and counted", lost)];
    play.prove(Ending::Stopped, figures).await
}

fn lost(page: &str) -> Option<u64> {
    let line = page.lines().find(|line| line.starts_with(LOST))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
