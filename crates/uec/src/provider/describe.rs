//! `uec provider describe`: the API's description for tools.

use crate::serve::read_settings;
use crate::{Failure, Outcome, print};
use clap::{Args, ValueEnum};
use provider::config::check_origin;
use provider::http::describe;
use std::path::PathBuf;

/// Where `uec demo` and `uec provider serve` are reached when nothing is said.
const DEFAULT_BASE: &str = "http://127.0.0.1:8001";

/// Arguments of `uec provider describe`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  uec provider describe postman --base-url https://booking.example.nhs.uk > collection.json"
)]
pub struct Describe {
    /// What to print
    #[arg(value_enum)]
    format: Description,
    /// Scheme, host and port of the Provider [default: that of the settings file, or http://127.0.0.1:8001]
    #[arg(long, env = "UEC_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// Settings file of the Provider, TOML: its `base_url` is used where none is named
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
        let from_file = settings.and_then(|settings| settings.base_url);
        let given = self.base_url.clone().or(from_file);
        let base = given.as_deref().unwrap_or(DEFAULT_BASE);
        check_origin(base).map_err(Failure::Usage)?;
        let base = base.trim_end_matches('/');
        let value = match self.format {
            Description::Openapi => describe::openapi(base),
            Description::Postman => describe::postman(base),
        };
        print(&format!("{value:#}\n"));
        Ok(())
    }
}
