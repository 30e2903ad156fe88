//! What is broken, one file each. Every scenario ends in the same proof.

mod clock;
mod crowd;
mod cut;
mod cut_database;
mod failover;
mod file_removed;
mod forged;
mod full_disk;
mod hostile_documents;
mod kill_database;
mod kill_provider;
mod locked;
mod log_unwritable;
mod lost_wal;
mod memory;
mod pause;
mod race;
mod read_only;
mod silent_crowd;
mod slow_disk;
mod stuck;
mod under_load;

use crate::Setting;
use crate::http::Connection;
use crate::proof::Verdict;
use crate::provider::Provider;
use crate::random::Random;
use crate::stage::{Kind, Stage};
use crate::world::Size;
use std::future::Future;
use std::pin::Pin;
use std::process::{Command, Stdio};
use testkit::process::Guarded;

/// Clients of the mixed load.
const CLIENTS: usize = 24;
/// How long a Provider may answer nothing after what was broken is whole again.
const BACK_WITHIN: std::time::Duration = std::time::Duration::from_secs(15);

/// How a scenario ended.
pub enum End {
    /// It was played and judged.
    Proved(Box<Verdict>, Vec<Figure>),
    /// It cannot be played here.
    Skipped(String),
}

/// A figure for the report.
pub struct Figure {
    /// What was counted.
    pub name: &'static str,
    /// How many.
    pub value: String,
}

/// A figure.
pub fn figure(name: &'static str, value: impl ToString) -> Figure {
    Figure {
        name,
        value: value.to_string(),
    }
}

type Played<'a> = Pin<Box<dyn Future<Output = Result<End, String>> + 'a>>;

/// A scenario.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is broken.
    pub what: &'static str,
    /// The stores that have it.
    pub stores: &'static [Kind],
    /// Plays it.
    pub play: for<'a> fn(&'a Setting) -> Played<'a>,
}

const BOTH: &[Kind] = &[Kind::Sqlite, Kind::Postgres];
const SQLITE: &[Kind] = &[Kind::Sqlite];
const POSTGRES: &[Kind] = &[Kind::Postgres];

/// All of them, in the order in which they are played.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "kill-provider",
        what: "kill -9 of the Provider under load, and restart",
        stores: BOTH,
        play: |s| Box::pin(kill_provider::play(s)),
    },
    Scenario {
        name: "kill-database",
        what: "kill -9 of PostgreSQL and all its processes under load, and restart",
        stores: POSTGRES,
        play: |s| Box::pin(kill_database::play(s)),
    },
    Scenario {
        name: "failover",
        what: "loss of the primary under load, promotion of its synchronous standby",
        stores: POSTGRES,
        play: |s| Box::pin(failover::play(s)),
    },
    Scenario {
        name: "cut",
        what: "the connection to the client cut at every step of a booking and a cancellation",
        stores: BOTH,
        play: |s| Box::pin(cut::play(s)),
    },
    Scenario {
        name: "cut-database",
        what: "the connection to PostgreSQL cut at every step of a booking and a cancellation",
        stores: POSTGRES,
        play: |s| Box::pin(cut_database::play(s)),
    },
    Scenario {
        name: "race",
        what: "several processes, many clients for each slot",
        stores: BOTH,
        play: |s| Box::pin(race::play(s)),
    },
    Scenario {
        name: "crowd",
        what: "thousands of clients for one slot at the same moment",
        stores: BOTH,
        play: |s| Box::pin(crowd::play(s)),
    },
    Scenario {
        name: "pause",
        what: "processes stopped for seconds under load, and continued",
        stores: BOTH,
        play: |s| Box::pin(pause::play(s)),
    },
    Scenario {
        name: "stuck",
        what: "clients that never read, never finish, or vanish",
        stores: BOTH,
        play: |s| Box::pin(stuck::play(s)),
    },
    Scenario {
        name: "silent-crowd",
        what: "more silent, half-spoken and trickling connections than there are places",
        stores: BOTH,
        play: |s| Box::pin(silent_crowd::play(s)),
    },
    Scenario {
        name: "hostile-documents",
        what: "documents that are made to cost much, at /itk and as bookings",
        stores: SQLITE,
        play: |s| Box::pin(hostile_documents::play(s)),
    },
    Scenario {
        name: "locked",
        what: "another program holds the database under load",
        stores: BOTH,
        play: |s| Box::pin(locked::play(s)),
    },
    Scenario {
        name: "slow-disk",
        what: "every sync of the disk takes long",
        stores: BOTH,
        play: |s| Box::pin(slow_disk::play(s)),
    },
    Scenario {
        name: "full-disk",
        what: "the disk is full under load, and has room again",
        stores: BOTH,
        play: |s| Box::pin(full_disk::play(s)),
    },
    Scenario {
        name: "memory",
        what: "little memory, large requests; what the limit kills is started again",
        stores: BOTH,
        play: |s| Box::pin(memory::play(s)),
    },
    Scenario {
        name: "clock",
        what: "the clock jumps forward and back under load",
        stores: BOTH,
        play: |s| Box::pin(clock::play(s)),
    },
    Scenario {
        name: "lost-wal",
        what: "the log of a file is lost with acknowledged bookings: what was signed tells it",
        stores: SQLITE,
        play: |s| Box::pin(lost_wal::play(s)),
    },
    Scenario {
        name: "file-removed",
        what: "the database file, or its log, is removed or replaced under load",
        stores: SQLITE,
        play: |s| Box::pin(file_removed::play(s)),
    },
    Scenario {
        name: "read-only",
        what: "the database takes no writes any more under load, and takes them again",
        stores: BOTH,
        play: |s| Box::pin(read_only::play(s)),
    },
    Scenario {
        name: "log-unwritable",
        what: "no line of the log can be written",
        stores: BOTH,
        play: |s| Box::pin(log_unwritable::play(s)),
    },
    Scenario {
        name: "forged",
        what: "the proof itself: a lost booking, a double one and a broken chain are forged and must be found",
        stores: BOTH,
        play: |s| Box::pin(forged::play(s)),
    },
];

/// The diary of scenarios with mixed load.
fn diary(setting: &Setting) -> Size {
    match setting.quick {
        true => Size {
            clinics: 3,
            days: 3,
        },
        false => Size {
            clinics: 8,
            days: 14,
        },
    }
}

/// A stage with that diary.
async fn stage(setting: &Setting, name: &str) -> Result<Stage, String> {
    Stage::set(setting, name, diary(setting)).await
}

/// How long `strace` may take to let go.
const LET_GO: std::time::Duration = std::time::Duration::from_secs(5);

/// Has `strace` attach to processes and their threads and tamper with these calls.
fn strace(trace: &str, inject: &str, processes: &[u32]) -> Result<Guarded, String> {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-o", "/dev/null", "-e", trace, "-e", inject])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for process in processes {
        command.args(["-p", &process.to_string()]);
    }
    Guarded::start(command)
}

/// The end of a scenario whose `strace` gave up at once.
fn may_not_trace() -> End {
    End::Skipped("strace may not trace here (ptrace is forbidden)".to_owned())
}

/// Runs what blocks without holding up the clients.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// Bookings that are sent while nothing can be stored.
const ASKED: usize = 16;

/// Sends some bookings at once while nothing can be stored: none may be acknowledged. How many were refused with 503.
async fn none_acknowledged(
    stage: &Stage,
    provider: &Provider,
    random: &mut Random,
) -> Result<usize, String> {
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..ASKED {
        let number = random.below(stage.slots.len());
        let request = random.uuid();
        let bytes = stage.heads.book(request, &stage.slots[number]);
        let (ledger, address) = (stage.ledger.clone(), provider.address());
        asked.spawn(async move {
            let mut connection = Connection::open(address)
                .await
                .map_err(|e| format!("a client cannot connect: {}", e.word()))?;
            ledger.book(request, number);
            let began = std::time::Instant::now();
            match connection.send(&bytes).await {
                Ok(answer) => {
                    let (status, named) = (answer.status, answer.location);
                    ledger.told(request, status, named, began.elapsed());
                    // A slot that is taken, or a cap, may be known from before.
                    if !matches!(status, 403 | 422 | 503) {
                        ledger.wrong(&format!(
                            "a booking was answered {status} while nothing could be stored"
                        ));
                    }
                    Ok::<bool, String>(status == 503)
                }
                Err(lost) => {
                    ledger.lost(request, lost, began.elapsed());
                    Ok(false)
                }
            }
        });
    }
    let mut refused = 0;
    while let Some(ended) = asked.join_next().await {
        refused += usize::from(ended.map_err(|e| e.to_string())??);
    }
    Ok(refused)
}
