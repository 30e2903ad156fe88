//! `uec provider export`: prints a provider's declarations as a file that `apply` takes.

use super::{Database, print_json, which_provider};
use crate::{Failure, Outcome, output};
use clap::Args;
use jiff::Timestamp;
use provider::diary::export;

/// Arguments of `uec provider export`.
#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    database: Database,
    /// ODS code of the provider; needed when the database holds several
    #[arg(long, value_name = "ODS")]
    provider: Option<String>,
    /// Print JSON in place of TOML
    #[arg(long)]
    json: bool,
}

impl Export {
    pub fn run(self) -> Outcome {
        let store = self.database.open(false)?;
        let ods = which_provider(&store, self.provider.as_deref())?;
        let declaration = export::export(&store, &ods, Timestamp::now())
            .map_err(|e| e.to_string())?
            .ok_or_else(|| {
                Failure::Refused(format!("there is no provider {ods} in this database"))
            })?;
        if self.json {
            return print_json(&declaration);
        }
        output::print_exactly(&export::to_toml(&declaration).map_err(|e| e.to_string())?);
        Ok(())
    }
}
