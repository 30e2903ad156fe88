//! Breaks the built program and everything around it, and proves that nothing was lost (`cargo xtask faults`).
//!
//! Black box: the program runs as real processes on a real database, clients talk to it over real sockets. What clients
//! did and were told goes to a ledger; after each scenario ledger, database, audit trail and answers are compared.

mod consumer;
mod database;
mod http;
mod ledger;
mod load;
mod message;
mod proof;
mod provider;
mod proxy;
mod random;
mod report;
mod scenario;
mod stage;
mod world;

use clap::Parser;
use report::Entry;
use scenario::{ALL, End, Scenario};
use stage::Kind;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// Threads of the clients: more than cores, since starting and killing processes blocks one.
const THREADS: usize = 4;
/// Rounds and attempts of the quick form.
const QUICK: (usize, usize) = (4, 20_000);

#[derive(Parser)]
#[command(
    name = "faults",
    about = "Breaks the built program and everything around it, and proves that nothing was lost"
)]
struct Arguments {
    /// Store under the program
    #[arg(long, value_enum, default_value = "sqlite")]
    database: Kind,
    /// Every decision of the run follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Kills and restarts, each under load
    #[arg(long, default_value_t = 200)]
    rounds: usize,
    /// Booking attempts that race for slots, fifty for each
    #[arg(long, default_value_t = 1_000_000)]
    attempts: usize,
    /// Only this scenario; may be repeated
    #[arg(long, value_name = "SCENARIO")]
    only: Vec<String>,
    /// Everything, but short: about half a minute
    #[arg(long)]
    quick: bool,
    /// Keep ledger, database and logs also when all holds
    #[arg(long)]
    keep: bool,
    /// Print the scenarios and break nothing
    #[arg(long)]
    list: bool,
    /// Only the proof: judge the ledger and the SQLite database that an earlier run left in this folder
    #[arg(long, value_name = "DIR")]
    prove: Option<PathBuf>,
    /// The program to break [default: `uec` beside this one]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Folder for ledgers, databases and the report [default: `faults` beside the folder of this program]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// What every scenario needs to know.
pub struct Setting {
    /// The program to break.
    pub program: PathBuf,
    /// Folder of the run.
    pub folder: PathBuf,
    /// Store under the program.
    pub store: Kind,
    /// Every decision follows from it.
    pub seed: u64,
    /// Kills and restarts.
    pub rounds: usize,
    /// Racing attempts.
    pub attempts: usize,
    /// The short form.
    pub quick: bool,
}

impl Setting {
    /// A word about progress, on a terminal only.
    pub fn progress(&self, scenario: &str, done: usize, all: usize) {
        let mut out = std::io::stderr();
        if out.is_terminal() {
            let _ = write!(out, "\r{scenario}: {done} of {all}   ");
        }
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("faults: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// True when nothing was violated.
fn run(arguments: &Arguments) -> Result<bool, String> {
    if arguments.list {
        for scenario in ALL {
            println!("{:14} {}", scenario.name, scenario.what);
        }
        return Ok(true);
    }
    let setting = setting(arguments)?;
    if let Some(folder) = &arguments.prove {
        return prove(&setting, folder);
    }
    let chosen = choose(&arguments.only, setting.store)?;
    if setting.store == Kind::Postgres
        && let Err(why) = knows_postgres(&setting.program)
    {
        println!("nothing was tried on PostgreSQL: {why}");
        // In the short form this is a part that may be left out; who asks for the full one must know.
        return Ok(setting.quick && !testkit::under_ci());
    }
    let _ = std::fs::remove_dir_all(&setting.folder);
    std::fs::create_dir_all(&setting.folder)
        .map_err(|e| format!("cannot make {}: {e}", setting.folder.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start threads: {e}"))?;
    let mut entries = Vec::new();
    for scenario in chosen {
        let entry = runtime.block_on(play(&setting, scenario));
        if std::io::stderr().is_terminal() {
            eprint!("\r{:60}\r", "");
        }
        print!("{}", entry.text());
        if entry.holds() && !arguments.keep {
            // Gigabytes after a long run; the report stays.
            let _ = std::fs::remove_dir_all(setting.folder.join(scenario.name));
        }
        entries.push(entry);
        report::write(&setting, &entries, &setting.folder)?;
    }
    println!("{}", report::sum(&setting, &entries));
    let holds = entries.iter().all(Entry::holds);
    if !holds {
        println!(
            "ledgers and databases are kept in {}",
            setting.folder.display()
        );
    }
    Ok(holds)
}

async fn play(setting: &Setting, scenario: &Scenario) -> Entry {
    let began = Instant::now();
    let outcome = (scenario.play)(setting).await;
    Entry {
        scenario: scenario.name,
        what: scenario.what,
        outcome,
        took: began.elapsed(),
    }
}

fn setting(arguments: &Arguments) -> Result<Setting, String> {
    let own = std::env::current_exe().map_err(|e| format!("cannot find the own program: {e}"))?;
    let beside = own.parent().unwrap_or(Path::new("."));
    let program = arguments
        .program
        .clone()
        .unwrap_or_else(|| beside.join("uec"));
    if !program.is_file() {
        return Err(format!(
            "{} is not there: build it with `cargo build -p uec`, or name it with --program",
            program.display()
        ));
    }
    let folder = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => beside.parent().unwrap_or(beside).join("faults"),
    };
    let absolute = |path: PathBuf| std::path::absolute(path).map_err(|e| e.to_string());
    let (rounds, attempts) = match arguments.quick {
        true => QUICK,
        false => (arguments.rounds, arguments.attempts),
    };
    Ok(Setting {
        program: absolute(program)?,
        folder: absolute(folder.join(arguments.database.name()))?,
        store: arguments.database,
        seed: arguments.seed,
        rounds,
        attempts,
        quick: arguments.quick,
    })
}

fn choose(only: &[String], store: Kind) -> Result<Vec<&'static Scenario>, String> {
    let there = || ALL.iter().filter(|s| s.stores.contains(&store));
    if let Some(unknown) = only.iter().find(|name| !there().any(|s| s.name == **name)) {
        let names: Vec<&str> = there().map(|s| s.name).collect();
        return Err(format!(
            "no scenario `{unknown}` on {}; there are: {}",
            store.name(),
            names.join(", ")
        ));
    }
    Ok(there()
        .filter(|s| only.is_empty() || only.iter().any(|name| name == s.name))
        .collect())
}

/// `Err` with the reason when PostgreSQL cannot be tried: it is not installed, or the program does not know it.
fn knows_postgres(program: &Path) -> Result<(), String> {
    if !testkit::postgres::is_installed() {
        return Err("PostgreSQL is not installed (Debian package `postgresql`)".to_owned());
    }
    // Nobody listens there: a program that knows PostgreSQL says that it cannot connect.
    let output = Command::new(program)
        .args([
            "provider",
            "audit",
            "verify",
            "--database",
            "postgres://nobody@127.0.0.1:9/none",
        ])
        .output()
        .map_err(|e| format!("cannot start {}: {e}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match said.contains("write sqlite:PATH") {
        true => Err(format!("the program does not know it ({said})")),
        false => Ok(()),
    }
}

/// Judges what an earlier run left, without HTTP.
fn prove(setting: &Setting, folder: &Path) -> Result<bool, String> {
    let database = ["provider.sqlite", "disk/provider.sqlite"]
        .map(|name| folder.join(name))
        .into_iter()
        .find(|file| file.is_file())
        .ok_or_else(|| format!("there is no database in {}", folder.display()))?;
    let at = proof::Where {
        program: &setting.program,
        folder,
        database: &database::Database::Sqlite(database),
    };
    let began = Instant::now();
    let entry = Entry {
        scenario: "prove",
        what: "what an earlier run left",
        outcome: proof::prove(&at, None).map(|verdict| End::Proved(Box::new(verdict), Vec::new())),
        took: began.elapsed(),
    };
    print!("{}", entry.text());
    Ok(entry.holds())
}
