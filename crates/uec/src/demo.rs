//! `uec demo`: a seeded Provider on this machine, and a booking to paste.

mod tour;

use crate::serve::{prepare, runtime, start_logging, stop_signal};
use crate::{Failure, Outcome, print};
use clap::Args;
use provider::config::{LogFormat, Settings};
use provider::http::server;
use provider::store::{Options, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tour::Tour;

/// Run a seeded Provider on this machine and print a booking to paste.
#[derive(Args)]
pub struct Demo {
    /// First port of the demo; the Provider API listens on the next one
    #[arg(long, env = "UEC_PORT", default_value_t = 8000, value_parser = clap::value_parser!(u16).range(1..=65530))]
    pub port: u16,
    /// Folder for the demo's database and files; made when it is not there
    #[arg(long, env = "UEC_DATA", value_name = "DIR", default_value = "uec-demo")]
    pub data: PathBuf,
}

impl Demo {
    /// Runs until it is told to stop.
    pub fn run(self) -> Outcome {
        start_logging(LogFormat::Text);
        std::fs::create_dir_all(&self.data).map_err(|e| {
            Failure::Refused(format!(
                "cannot make the folder {}: {e}",
                self.data.display()
            ))
        })?;
        let database = format!("sqlite:{}", self.data.join("provider.sqlite").display());
        let listen = format!("127.0.0.1:{}", self.port + 1);
        runtime()?.block_on(async {
            let listener = server::bind(&listen)
                .await
                .map_err(|e| e.replace("--listen", "--port"))?;
            let store = Store::open(&database, &Options::default()).map_err(|e| e.to_string())?;
            let front = server::bind(&format!("127.0.0.1:{}", self.port))
                .await
                .map_err(|e| e.replace("--listen", "--port"))?;
            let running = prepare(listener, store.clone(), Settings::default(), true).await?;
            let tour = Arc::new(Tour {
                listen,
                port: self.port,
                data: absolute(&self.data),
            });
            let front = tokio::spawn(tour::serve(front, tour.clone()));
            let printing = tokio::spawn(async move {
                match tour.text().await {
                    Ok(text) => print(&text),
                    Err(reason) => print(&format!("The tour could not be written: {reason}\n")),
                }
            });
            running.run(stop_signal()).await;
            front.abort();
            printing.abort();
            store.close();
            print("Stopped. The demo's bookings are kept; start again to go on.\n");
            Ok(())
        })
    }
}

/// The folder as an absolute path, so that what is printed can be pasted anywhere.
fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}
