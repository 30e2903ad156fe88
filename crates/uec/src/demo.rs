//! `uec demo`: a seeded Provider and the national services on this machine, and a tour to paste.

mod booking;
mod consumer;
mod front;
mod page;
mod tour;

pub use consumer::PATIENT_FILE;

use crate::output::announce;
use crate::serve::{prepare, runtime, stop_signal};
use crate::{Failure, Outcome, log};
use ::booking::named_file;
use ::sandbox::{Listeners, Ports, SSP_NAME, Sandbox, Setup};
use clap::Args;
use provider::config::{LogFormat, Settings, Tls, Unsigned};
use provider::http::server;
use provider::store::{Options, Store};
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tour::Tour;

/// Name of the consumer whose certificate the tour shows to the SSP, as the sandbox's world has it.
const CONSUMER_NAME: &str = "consumer.fernhill111.example";

/// File in the demo's folder that a running demo holds.
const LOCK: &str = "demo.lock";

/// Run everything on this machine with seeded data, and print a guided tour to paste.
///
/// The front page is on the first port, the Provider API on the next, then SSP, DoS (SOAP) and SDS (LDAP).
#[derive(Args)]
pub struct Demo {
    /// First port of the demo; it takes this one and the four after it
    #[arg(long, env = "UEC_PORT", default_value_t = 8000, value_parser = clap::value_parser!(u16).range(1..=65530))]
    pub port: u16,
    /// Folder for the demo's databases and files; made when it is not there
    #[arg(long, env = "UEC_DATA", value_name = "DIR", default_value = "uec-demo")]
    pub data: PathBuf,
    /// TLS everywhere, with certificates made on the spot; the Provider then believes the SSP's certificate only
    #[arg(long)]
    pub tls: bool,
}

impl Demo {
    /// Runs until it is told to stop.
    pub fn run(self) -> Outcome {
        log::start(LogFormat::Text, "info");
        let data = absolute(&self.data);
        std::fs::create_dir_all(&data).map_err(|e| {
            Failure::Refused(format!("cannot make the folder {}: {e}", data.display()))
        })?;
        let _alone = self.hold(&data)?;
        let database = format!("sqlite:{}", data.join("provider.sqlite").display());
        runtime()?.block_on(async {
            let with_port = |e: String| {
                e.replace("another port with --listen", "others with --port")
                    .replace("another port", "others with --port")
            };
            let address = |offset: u16| format!("127.0.0.1:{}", self.port + offset);
            let api = server::bind(&address(1)).await.map_err(with_port)?;
            let front = server::bind(&address(0)).await.map_err(with_port)?;
            let ports = Ports {
                ssp: Some(self.port + 2),
                dos: Some(self.port + 3),
                sds: Some(self.port + 4),
            };
            let listeners = Listeners::bind("127.0.0.1", &ports)
                .await
                .map_err(with_port)?;
            // Nobody in it is real, and it shall run wherever it is tried.
            let options = Options {
                allow_shared_files: true,
                ..Options::default()
            };
            let store = Store::open(&database, &options).map_err(|e| e.to_string())?;
            let sandbox = Sandbox::start(listeners, self.setup(&data)).await?;
            let settings = settings(&sandbox, &address(1));
            let running = prepare(api, store.clone(), settings, true, Arc::default()).await?;
            let tour = Arc::new(Tour::new(self.port, data, &sandbox)?);
            consumer::write(&tour)?;
            let front = tokio::spawn(front::serve(front, tour.clone()));
            let stop = stop_signal();
            let printing = tokio::spawn(async move {
                match tour.text().await {
                    Ok(text) => announce(&text),
                    Err(reason) => announce(&format!("The tour could not be written: {reason}\n")),
                }
            });
            running.run(stop).await;
            front.abort();
            printing.abort();
            sandbox.stop().await;
            store.close();
            announce("Stopped. The demo's bookings are kept; start again to go on.\n");
            Ok(())
        })
    }

    /// Keeps the folder for this demo while the file that it returns is open, or says which other demo has it.
    fn hold(&self, data: &Path) -> Result<File, Failure> {
        let path = data.join(LOCK);
        let failed = |e: std::io::Error| {
            Failure::Refused(format!("cannot keep {} for this demo: {e}", path.display()))
        };
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) => {
                let whose = named_file::text(File::open(&path), named_file::SMALL);
                let whose = whose.unwrap_or_default();
                return Err(Failure::Refused(format!(
                    "the data in {} is in use by another demo{}: stop that one, or give this one a folder of its own with \
                     --data",
                    data.display(),
                    whose.trim_end()
                )));
            }
        }
        file.set_len(0)
            .and_then(|()| {
                writeln!(
                    file,
                    " (process {}, --port {})",
                    std::process::id(),
                    self.port
                )
            })
            .map_err(failed)?;
        Ok(file)
    }

    fn setup(&self, data: &Path) -> Setup {
        let scheme = if self.tls { "https" } else { "http" };
        Setup {
            provider: Some(format!("{scheme}://127.0.0.1:{}", self.port + 1)),
            tls: self.tls.then(|| data.join("tls")),
            ..Setup::default()
        }
    }
}

/// The Provider's settings: with certificates it believes only the SSP.
fn settings(sandbox: &Sandbox, listen: &str) -> Settings {
    let mut settings = Settings::default();
    settings.admin.metrics_on_api = true;
    if let Some(files) = sandbox.certificates() {
        settings.base_url = Some(format!("https://{listen}"));
        settings.tls = Some(Tls {
            certificate: files.provider.0.clone(),
            key: files.provider.1.clone(),
            client_ca: Some(files.ca.clone()),
            client_crl: Vec::new(),
        });
        settings.trust.ssp_names = vec![SSP_NAME.to_owned()];
    } else {
        settings.trust.unsigned = Unsigned::Any;
    }
    settings
}

/// The folder as an absolute path, so that what is printed can be pasted anywhere.
fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}
