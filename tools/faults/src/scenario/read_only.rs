//! The database takes no writes any more under load. SQLite: as on a file system that fell back to read-only, since `strace`
//! has every write of the Provider to a file fail with EROFS. PostgreSQL: `default_transaction_read_only`, and all sessions
//! begin anew. Bookings are refused with 503, readiness says why, and all goes on by itself when writes are possible again.

use super::under_load::{Ending, UnderLoad};
use super::{End, LET_GO, blocking, figure, may_not_trace, none_acknowledged, strace};
use crate::Setting;
use crate::provider::Provider;
use crate::stage::{Kind, Stage};
use testkit::postgres::Server;
use testkit::process::{Guarded, find};

/// How often: quick, and full.
const ROUNDS: [usize; 2] = [3, 30];
/// The same on PostgreSQL.
const ROUNDS_POSTGRES: [usize; 2] = [1, 10];
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
    let mut play = UnderLoad::start(setting, "read-only").await?;
    let mut refused = 0;
    for round in 1..=rounds {
        play.must_book("before").await;
        play.stage.ledger.fault("the database takes no writes");
        let mut broken = Broken::begin(&play.stage, &play.provider)?;
        if !play.unready(REASON) {
            if broken.has_ended() {
                return Ok(may_not_trace());
            }
            let what = format!("readiness does not say {REASON}");
            play.stage.ledger.wrong(&what);
        }
        refused += none_acknowledged(&play.stage, &play.provider, &mut play.random).await?;
        blocking(|| broken.end())?;
        play.must_book("after it took writes again").await;
        blocking(|| play.provider.ready())?;
        setting.progress("read-only", round, rounds);
    }
    let figures = vec![
        figure("read-only", format!("{rounds} times")),
        figure("refused 503 meanwhile, of those asked", refused),
    ];
    play.prove(Ending::Runs, figures).await
}

/// What keeps writes away.
enum Broken<'a> {
    File(Guarded),
    Server(&'a Server),
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
                blocking(|| cluster.psql(end))?;
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

fn read_only(cluster: &Server, to: &str) -> Result<(), String> {
    cluster.set("default_transaction_read_only", to)
}

/// Has every write of the process to a file fail.
fn no_writes(process: u32) -> Result<Guarded, String> {
    let fails = "inject=pwrite64:error=EROFS";
    strace("trace=pwrite64", fails, &[process])
}
