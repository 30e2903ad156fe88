//! Benchmarks of the built program (`cargo xtask bench`).
//!
//! Every figure is a ratio, or a time against a bound, taken within one run on one machine. The server is the release
//! binary in a process of its own, on a real socket and a real disk; what it is compared with runs in the same minute.

mod bare;
mod fixture;
mod load;
mod message;
mod place;
mod report;
mod rows;
mod server;

use clap::Parser;
use place::{Place, Stores};
use report::Measure;
use rows::{Row, Run};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use tokio::runtime::Runtime;

/// The same allocator as the program has, so that neither side of a ratio has an advantage.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "bench",
    about = "Benchmarks of the built program, as ratios within one run"
)]
struct Arguments {
    /// Rows to measure [default: all of them]
    rows: Vec<String>,
    /// A few seconds per row: smaller data, shorter rounds
    #[arg(long)]
    quick: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write the page of figures to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Database to measure with; PostgreSQL is started from its installed programs
    #[arg(long, value_enum, default_value = "both")]
    store: Stores,
    /// The program to measure [default: `uec` beside this one]
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// Folder for databases, on the disk to be measured [default: beside this program]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Serves the stored answer in this file; what the search is compared with
    #[arg(long, value_name = "FILE", hide = true)]
    bare: Option<PathBuf>,
}

/// What every row needs to know.
pub struct Setting {
    /// The program to measure.
    pub program: PathBuf,
    /// Folder for this run's files.
    pub data: PathBuf,
    /// Smaller and shorter.
    pub quick: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("bench: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// True when every target is met.
fn run(arguments: Arguments) -> Result<bool, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start threads: {e}"))?;
    if let Some(file) = &arguments.bare {
        runtime.block_on(bare::serve(file))?;
        return Ok(true);
    }
    let chosen = rows::choose(&arguments.rows)?;
    let setting = setting(&arguments)?;
    let began = Instant::now();
    let measured = measure(&runtime, &setting, arguments.store, &chosen);
    // Databases of gigabytes; if they cannot be removed the next run does it.
    let _ = std::fs::remove_dir_all(&setting.data);
    let measures = measured?;
    let facts = report::Facts::gather(&setting, began.elapsed());
    match arguments.json {
        true => println!("{}", report::json(&facts, &measures)),
        false => print!("{}", report::table(&measures)),
    }
    if let Some(file) = &arguments.write {
        std::fs::write(file, report::page(&facts, &measures))
            .map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    }
    Ok(measures.iter().all(|m| m.met != Some(false)))
}

/// One row after the other, each on every store.
fn measure(
    runtime: &Runtime,
    setting: &Setting,
    stores: Stores,
    rows: &[&Row],
) -> Result<Vec<Measure>, String> {
    let places = match rows.iter().all(|row| matches!(row.run, Run::Alone(_))) {
        true => Vec::new(),
        false => Place::all(stores, &setting.data)?,
    };
    let mut measures = Vec::new();
    for row in rows {
        let failed = |on: &str| {
            let (name, on) = (row.name, on.to_owned());
            move |reason: String| format!("row `{name}`{on}: {reason}")
        };
        match row.run {
            Run::Alone(run) => {
                eprintln!("{}: {}", row.name, row.what);
                measures.extend(runtime.block_on(run(setting)).map_err(failed(""))?);
            }
            Run::On(run) => {
                for place in &places {
                    let on = format!(" on {}", place.name());
                    eprintln!("{}{on}: {}", row.name, row.what);
                    let found = runtime.block_on(run(setting, place)).map_err(failed(&on))?;
                    measures.extend(found.into_iter().map(|m| m.on(place.name())));
                }
            }
        }
    }
    Ok(measures)
}

fn setting(arguments: &Arguments) -> Result<Setting, String> {
    let own = std::env::current_exe().map_err(|e| format!("cannot find the own program: {e}"))?;
    let beside = own.parent().unwrap_or(Path::new("."));
    let program = arguments
        .server
        .clone()
        .unwrap_or_else(|| beside.join("uec"));
    if !program.is_file() {
        return Err(format!(
            "{} is not there: build it with `cargo build --profile dist -p uec`, or name it with --server",
            program.display()
        ));
    }
    let data = arguments
        .data
        .clone()
        .unwrap_or_else(|| beside.to_owned())
        .join("bench-data");
    let _ = std::fs::remove_dir_all(&data);
    std::fs::create_dir_all(&data).map_err(|e| format!("cannot make {}: {e}", data.display()))?;
    Ok(Setting {
        program,
        data,
        quick: arguments.quick,
    })
}
