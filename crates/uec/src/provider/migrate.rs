//! `uec provider migrate`: the schema alone, for the user that owns the tables.

use super::Database;
use crate::{Outcome, print};
use clap::Args;

/// Arguments of `uec provider migrate`.
#[derive(Args)]
pub struct Migrate {
    #[command(flatten)]
    database: Database,
}

impl Migrate {
    pub(super) fn run(self) -> Outcome {
        let store = self.database.open(true)?;
        print(&format!(
            "{}: the schema is that of this version\n",
            store.shown()
        ));
        store.close();
        Ok(())
    }
}
