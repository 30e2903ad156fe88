//! `uec sandbox …`: the national services, stand-ins for tests.

use crate::output::announce;
use crate::serve::{runtime, stop_signal};
use crate::{Failure, Outcome, log, output, print};
use ::sandbox::world::{Addresses, DEMO, World};
use ::sandbox::{Listeners, Ports, Sandbox as Running, Setup, Source};
use booking::count::counted;
use booking::named_file;
use clap::{Args, Subcommand};
use provider::config::LogFormat;
use serde_json::json;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Largest world file that is read; a region's directory is smaller.
const MAX_FILE: u64 = 8 << 20;

/// Stand-ins for the national services: DoS, SDS and SSP.
#[derive(Subcommand)]
pub enum Sandbox {
    /// Run the national services, all or some of them
    Serve(Serve),
    /// Print the world of the demonstration, a file to start from
    World,
    /// Check a world file: mistakes, and entries that consumers stumble over
    Check(Check),
}

impl Sandbox {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        match self {
            Sandbox::Serve(serve) => serve.run(),
            Sandbox::World => {
                print(DEMO);
                Ok(())
            }
            Sandbox::Check(check) => check.run(),
        }
    }
}

/// Run the national services: the parts whose port is given, or all of them (SSP 8002, DoS 8003, SDS 8004).
#[derive(Args)]
pub struct Serve {
    /// Address to listen on
    #[arg(
        long,
        env = "UEC_SANDBOX_LISTEN",
        value_name = "HOST",
        default_value = "127.0.0.1"
    )]
    listen: String,
    /// Run the Directory of Services (SOAP) on this port; 0 takes a free one
    #[arg(long, value_name = "PORT")]
    dos: Option<u16>,
    /// Run the Spine Directory Service (LDAP) on this port; 0 takes a free one
    #[arg(long, value_name = "PORT")]
    sds: Option<u16>,
    /// Run the Spine Secure Proxy on this port; 0 takes a free one
    #[arg(long, value_name = "PORT")]
    ssp: Option<u16>,
    /// World file, TOML [default: the world of the demonstration]
    #[arg(long, env = "UEC_SANDBOX_WORLD", value_name = "FILE")]
    world: Option<PathBuf>,
    /// The Provider that `{provider}` in the world stands for [default: http://127.0.0.1:8001]
    #[arg(long, env = "UEC_SANDBOX_PROVIDER", value_name = "URL")]
    provider: Option<String>,
    /// TLS with the certificates of this folder; made, throw-away, when they are not there
    #[arg(long, env = "UEC_SANDBOX_TLS", value_name = "DIR")]
    tls: Option<PathBuf>,
}

impl Serve {
    fn run(self) -> Outcome {
        log::start(LogFormat::Text, "info");
        let source = match &self.world {
            None => Source::Demo,
            Some(path) => Source::File {
                name: path.display().to_string(),
                text: read(path)?,
            },
        };
        let given = Ports {
            dos: self.dos,
            sds: self.sds,
            ssp: self.ssp,
        };
        let ports = match given == Ports::default() {
            true => Ports::DEMO,
            false => given,
        };
        // The embedded world is wrong in places on purpose.
        let with_remarks = source != Source::Demo;
        let setup = Setup {
            source,
            provider: self.provider,
            tls: self.tls,
            observer: Default::default(),
        };
        runtime()?.block_on(async {
            let bound = Listeners::bind(&self.listen, &ports).await;
            let listeners = bound.map_err(Failure::Usage)?;
            let running = Running::start(listeners, setup)
                .await
                .map_err(Failure::Usage)?;
            let stop = stop_signal();
            announce(&told(&running, with_remarks));
            stop.await;
            running.stop().await;
            announce("Stopped.\n");
            Ok(())
        })
    }
}

/// What runs where.
fn told(running: &Running, with_remarks: bool) -> String {
    let mut text = String::new();
    for (part, address) in running.running() {
        let more = match part {
            "DoS" => "/app/api/webservices",
            _ => "",
        };
        text.push_str(&format!("{part}  {address}{more}\n"));
    }
    if let Some(files) = running.certificates() {
        text.push_str(&format!("Trust {}\n", files.ca.display()));
        for (name, certificate, key) in &files.consumers {
            text.push_str(&format!(
                "{name}: {} and {}\n",
                certificate.display(),
                key.display()
            ));
        }
    }
    for remark in running.remarks().iter().filter(|_| with_remarks) {
        text.push_str(&format!("note, line {}: {}\n", remark.line, remark.text));
    }
    text.push_str("Ready (stop with Ctrl-C)\n");
    text
}

/// Check a world file. Mistakes exit with 1; entries that consumers stumble over are told, and exit with 1 if `--strict`.
#[derive(Args)]
pub struct Check {
    /// World file, TOML
    file: PathBuf,
    /// Entries that consumers stumble over are failures too
    #[arg(long)]
    strict: bool,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    fn run(self) -> Outcome {
        let name = self.file.display().to_string();
        let text = read(&self.file)?;
        let (world, remarks) = match World::read(&text, &name, &Addresses::default()) {
            Ok(read) => read,
            Err(faults) if self.json => {
                let text = json!({ "faults": faults.0, "remarks": [] });
                output::print_json(&format!("{text}\n"));
                return Err(Failure::Refused(format!("{name} cannot be served")));
            }
            Err(faults) => {
                return Err(Failure::Refused(format!(
                    "{name} cannot be served\n{faults}"
                )));
            }
        };
        if self.json {
            let list: Vec<_> = remarks
                .iter()
                .map(|r| json!({ "line": r.line, "text": r.text }))
                .collect();
            let text = json!({ "faults": [], "remarks": list });
            output::print_json(&format!("{text}\n"));
        } else {
            for remark in &remarks {
                print(&format!("{name}, line {}: {}\n", remark.line, remark.text));
            }
            print(&format!(
                "{name}: {}, {}, {}, {}; it can be served\n",
                counted(world.services.len(), "service", "services"),
                counted(world.accounts.len(), "account", "accounts"),
                counted(world.postcodes.len(), "postcode", "postcodes"),
                counted(world.directory.systems.len(), "system", "systems")
            ));
        }
        match self.strict && !remarks.is_empty() {
            true => Err(Failure::Refused(format!(
                "consumers stumble over {}",
                counted(remarks.len(), "entry", "entries")
            ))),
            false => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let fail = |e: std::io::Error| Failure::Usage(format!("cannot read {}: {e}", path.display()));
    named_file::text(File::open(path), MAX_FILE).map_err(fail)
}
