//! `uec provider migrate`: the schema alone, for the user that owns the tables.

use super::Database;
use crate::{Outcome, print};
use clap::Args;
use provider::store;

/// Arguments of `uec provider migrate`.
#[derive(Args)]
pub struct Migrate {
    #[command(flatten)]
    database: Database,
}

impl Migrate {
    pub(super) fn run(self) -> Outcome {
        // A file that is not there was mistyped; PostgreSQL's database is there before its tables are.
        let is_file = store::backed_up_elsewhere(&self.database.url()?).is_none();
        let store = self.database.open(!is_file)?;
        print(&format!(
            "{}: the schema is that of this version\n",
            store.shown()
        ));
        store.close();
        Ok(())
    }
}
