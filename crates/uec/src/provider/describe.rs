//! `uec provider describe`: the API's description for tools.

use crate::serve::{DEFAULT_LISTEN, as_reached_here, check_address, read_settings};
use crate::{Failure, Outcome, print};
use clap::{Args, ValueEnum};
use provider::config::{Settings, check_origin};
use provider::http::operators::describe;
use std::path::PathBuf;

/// Arguments of `uec provider describe`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  uec provider describe postman --base-url https://booking.example.nhs.uk > collection.json"
)]
pub struct Describe {
    /// What to print
    #[arg(value_enum)]
    format: Description,
    /// Scheme, host and port of the Provider [default: `base_url` of the settings file, else its `listen`, else http://127.0.0.1:8001]
    #[arg(long, env = "UEC_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// Settings file of the Provider, TOML: its `base_url` or `listen` is used where none is named
    #[arg(long, env = "UEC_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Forms of the API's description.
#[derive(Clone, Copy, ValueEnum)]
enum Description {
    /// OpenAPI 3.0
    Openapi,
    /// Postman collection 2.1: the journey in order
    Postman,
}

impl Describe {
    pub(super) fn run(self) -> Outcome {
        let settings = self.config.as_deref().map(read_settings).transpose()?;
        let settings = settings.unwrap_or_default();
        let base = match self.base_url.clone().or(settings.base_url.clone()) {
            Some(named) => named,
            None => local(&settings)?,
        };
        check_origin(&base).map_err(Failure::Usage)?;
        let base = base.trim_end_matches('/');
        let value = match self.format {
            Description::Openapi => describe::openapi(base),
            Description::Postman => describe::postman(base),
        };
        print(&format!("{value:#}\n"));
        Ok(())
    }
}

/// Where a tool on the same machine reaches a Provider with these settings.
fn local(settings: &Settings) -> Result<String, Failure> {
    let listen = settings.listen.as_deref().unwrap_or(DEFAULT_LISTEN);
    check_address("listen", listen)?;
    let scheme = match settings.tls {
        Some(_) => "https",
        None => "http",
    };
    let reached = listen.parse().map(as_reached_here);
    Ok(format!(
        "{scheme}://{}",
        reached.unwrap_or_else(|_| listen.to_owned())
    ))
}
