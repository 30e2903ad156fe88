//! The database takes no writes any more under load. SQLite: as on a file system that fell back to read-only, since `strace`
//! has every write of the Provider to a file fail with EROFS. PostgreSQL: `default_transaction_read_only`, and all sessions
//! begin anew. Bookings are refused with 503, readiness says why, and all goes on by itself when writes are possible again.

use super::{BACK_WITHIN, CLIENTS, End, blocking, figure, none_acknowledged, stage};
use crate::Setting;
use crate::load::Load;
use crate::postgres::Cluster;
use crate::process::{Guarded, find};
use crate::provider::Provider;
use crate::stage::{Kind, Stage};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often: quick, and full.
const ROUNDS: [usize; 2] = [3, 30];
/// The same on PostgreSQL.
const ROUNDS_POSTGRES: [usize; 2] = [1, 10];
/// How long `strace` may take to let go.
const LET_GO: Duration = Duration::from_secs(5);
/// What readiness says.
const REASON: &str = "database-write";

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let is_file = setting.store == Kind::Sqlite;
    if is_file && find("strace").is_none() {
        return Ok(End::Skipped(
            "strace, which has the writes fail, is not installed".to_owned(),
        ));
    }
    let rounds = match is_file {
        true => ROUNDS,
        false => ROUNDS_POSTGRES,
    }[usize::from(!setting.quick)];
    let stage = stage(setting, "read-only").await?;
    let mut random = stage.random.clone();
    let mut provider = stage.launch("provider")?.start()?;
    let load = Load::start(&stage.shared(&[provider.address()]), CLIENTS, &mut random);
    let mut refused = 0;
    for round in 1..=rounds {
        if !load.goes_on(BACK_WITHIN).await {
            stage.ledger.wrong("nothing was booked before");
        }
        stage.ledger.fault("the database takes no writes");
        let mut broken = Broken::begin(&stage, &provider)?;
        if !blocking(|| provider.unready(REASON, BACK_WITHIN)) {
            if broken.has_ended() {
                return Ok(End::Skipped(
                    "strace may not trace here (ptrace is forbidden)".to_owned(),
                ));
            }
            stage
                .ledger
                .wrong(&format!("readiness does not say {REASON}"));
        }
        refused += none_acknowledged(&stage, &provider, &mut random).await?;
        blocking(|| broken.end())?;
        if !load.goes_on(BACK_WITHIN).await {
            stage.ledger.wrong(&format!(
                "nothing was booked for {BACK_WITHIN:?} after it took writes again"
            ));
        }
        blocking(|| provider.ready())?;
        setting.progress("read-only", round, rounds);
    }
    let counts = load.stop().await?;
    let verdict = stage.prove_with(&provider).await?;
    blocking(|| provider.stop());
    Ok(End::Proved(
        verdict,
        vec![
            figure("read-only", format!("{rounds} times")),
            figure("refused 503 meanwhile, of those asked", refused),
            figure("booked", counts.booked.load(Ordering::Relaxed)),
        ],
    ))
}

/// What keeps writes away.
enum Broken<'a> {
    File(Guarded),
    Server(&'a Cluster),
}

impl Broken<'_> {
    fn begin<'a>(stage: &'a Stage, provider: &Provider) -> Result<Broken<'a>, String> {
        match &stage.cluster {
            None => Ok(Broken::File(no_writes(provider.id())?)),
            Some(cluster) => {
                blocking(|| read_only(cluster, "on"))?;
                // A session that is open says by itself that it writes.
                let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                           WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
                blocking(|| cluster.sql(end))?;
                Ok(Broken::Server(cluster))
            }
        }
    }

    fn has_ended(&mut self) -> bool {
        match self {
            Broken::File(strace) => strace.ended().is_some(),
            Broken::Server(_) => false,
        }
    }

    fn end(self) -> Result<(), String> {
        match self {
            Broken::File(mut strace) => {
                strace.stop(LET_GO);
                Ok(())
            }
            Broken::Server(cluster) => read_only(cluster, "off"),
        }
    }
}

fn read_only(cluster: &Cluster, to: &str) -> Result<(), String> {
    cluster.sql(&format!(
        "ALTER SYSTEM SET default_transaction_read_only = {to}"
    ))?;
    cluster.sql("SELECT pg_reload_conf()").map(|_| ())
}

/// Attaches to the process and all its threads.
fn no_writes(process: u32) -> Result<Guarded, String> {
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64"])
        .args(["-e", "inject=pwrite64:error=EROFS"])
        .args(["-p", &process.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Guarded::start(strace)
}
