//! Benchmarks of the built program (`cargo xtask bench`).
//!
//! Every figure is a ratio, or a time against a bound, taken within one run on one machine. The server is the release
//! binary in a process of its own, on a real socket and a real disk; what it is compared with runs in the same minute.

mod bare;
mod client;
mod fixture;
mod load;
mod message;
mod report;
mod rows;
mod server;

use clap::Parser;
use report::Measure;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

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
    let mut measures: Vec<Measure> = Vec::new();
    let mut failed = None;
    for row in chosen {
        eprintln!("{}: {}", row.name, row.what);
        match runtime.block_on((row.run)(&setting)) {
            Ok(found) => measures.extend(found),
            Err(reason) => failed = Some(format!("row `{}`: {reason}", row.name)),
        }
        if failed.is_some() {
            break;
        }
    }
    // Databases of gigabytes; if they cannot be removed the next run does it.
    let _ = std::fs::remove_dir_all(&setting.data);
    if let Some(reason) = failed {
        return Err(reason);
    }
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

fn setting(arguments: &Arguments) -> Result<Setting, String> {
    let own = std::env::current_exe().map_err(|e| format!("cannot find the own program: {e}"))?;
    let beside = own.parent().unwrap_or(Path::new("."));
    let program = arguments
        .server
        .clone()
        .unwrap_or_else(|| beside.join("uec"));
    if !program.is_file() {
        return Err(format!(
            "{} is not there: build it with `cargo build --release -p uec`, or name it with --server",
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
