//! `uec provider describe`: the API's description for tools.

use crate::{Failure, Outcome, print};
use clap::{Args, ValueEnum};
use provider::config::check_origin;
use provider::http::describe;

/// Arguments of `uec provider describe`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  uec provider describe postman --base-url https://booking.example.nhs.uk > collection.json"
)]
pub struct Describe {
    /// What to print
    #[arg(value_enum)]
    format: Description,
    /// Scheme, host and port of the Provider
    #[arg(
        long,
        env = "UEC_BASE_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8001"
    )]
    base_url: String,
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
        check_origin(&self.base_url).map_err(Failure::Usage)?;
        let base = self.base_url.trim_end_matches('/');
        let value = match self.format {
            Description::Openapi => describe::openapi(base),
            Description::Postman => describe::postman(base),
        };
        print(&format!("{value:#}\n"));
        Ok(())
    }
}
