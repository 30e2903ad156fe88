//! Copies a whole database into another that is empty, of either kind.
//!
//! The source is read in one transaction and never changed; the target is written in one, which is committed only after
//! everything in it was read again and found to be the same. Whatever ends a copy before, the target stays as it was.

mod batch;
mod catalogue;
mod counter;
mod digest;
mod error;
mod proof;
mod report;
mod side;
mod table;

pub use error::CopyError;
pub use report::{CopiedChain, CopiedTable, CopyOptions, CopyProgress, CopyReport, CopyStage};

use crate::store::driver::{Connection, Value};
use batch::Batch;
use digest::Digest;
use side::{Source, Target};
use std::ops::ControlFlow;
use table::{TABLES, Table};

/// Rows after which it is said how far the copy is, and asked whether to go on.
const ROWS_PER_WORD: u64 = 1_024;

/// Hears how far a copy is, and says whether to go on.
pub type CopyListener<'l> = dyn FnMut(&CopyProgress) -> ControlFlow<()> + 'l;

/// Copies everything. Addresses are as for [`Store::open`](crate::store::Store::open), or the path of a file. Blocks for
/// as long as it takes, with some tens of megabytes of memory whatever the size.
///
/// The source is kept from being written to meanwhile, and is refused while a provider is connected to it, unless the
/// options say otherwise. The target must be empty: no file, an empty database, or one with the tables and no row.
pub fn copy(
    from: &str,
    to: &str,
    options: &CopyOptions,
    listener: &mut CopyListener<'_>,
) -> Result<CopyReport, CopyError> {
    let (from, to) = side::places(from, to)?;
    let source = Source::open(&from, options)?;
    let left_behind = catalogue::check(&source.connection, &source.place)?;
    let mut reporter = Reporter(listener);
    reporter.report(CopyStage::Checking, "audit", 0, false)?;
    let chains = proof::chains(&source.connection, &source.place)?;
    let trailed: u64 = chains.iter().map(|chain| chain.rows).sum();
    reporter.report(CopyStage::Checking, "audit", trailed, true)?;
    let target = Target::open(&to, &source)?;
    let filled = fill(&source, &target, &mut reporter).and_then(|tables| {
        verify(&source, &target, &tables, &chains, &mut reporter)?;
        let live_bookings = proof::live_bookings(&target.connection)
            .map_err(|error| CopyError::at(&target.place, error))?;
        // Whoever came meanwhile waits for the lock on the source, and would go on writing there.
        source.must_be_alone()?;
        Ok((tables, live_bookings))
    });
    let (tables, live_bookings) = match filled {
        Ok(done) => done,
        Err(error) => {
            target.give_up();
            return Err(error);
        }
    };
    let report = CopyReport {
        from: source.place.clone(),
        to: target.place.clone(),
        as_of: source.as_of,
        is_whole: source.is_held,
        tables,
        chains,
        live_bookings,
        left_behind,
    };
    target.keep()?;
    Ok(report)
}

/// Reports the progress to the listener.
struct Reporter<'a, 'l>(&'a mut CopyListener<'l>);

impl Reporter<'_, '_> {
    fn report(
        &mut self,
        stage: CopyStage,
        table: &'static str,
        rows: u64,
        is_done: bool,
    ) -> Result<(), CopyError> {
        let progress = CopyProgress {
            stage,
            table,
            rows,
            is_done,
        };
        match (self.0)(&progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(CopyError::Stopped),
        }
    }
}

/// Writes all tables and sets the counters.
fn fill(
    source: &Source,
    target: &Target,
    reporter: &mut Reporter<'_, '_>,
) -> Result<Vec<CopiedTable>, CopyError> {
    let mut copied = Vec::with_capacity(TABLES.len());
    for table in TABLES.iter() {
        let mut batch = Batch::of(table, &target.connection, &target.place);
        let found = pass(
            table,
            &source.connection,
            &source.place,
            CopyStage::Copying,
            reporter,
            |row| batch.push(row),
        )?;
        batch.write()?;
        copied.push(found);
    }
    counter::copy(&source.connection, &target.connection)
        .map_err(|error| CopyError::at(&target.place, error))?;
    Ok(copied)
}

/// Reads the rows of a table, one in memory at a time, and hands them on.
fn pass(
    table: &'static Table,
    c: &Connection,
    place: &str,
    stage: CopyStage,
    reporter: &mut Reporter<'_, '_>,
    mut take: impl FnMut(&[Value<'_>]) -> Result<(), CopyError>,
) -> Result<CopiedTable, CopyError> {
    reporter.report(stage, table.name, 0, false)?;
    let mut digest = Digest::default();
    let mut failed = None;
    let width = table.columns.len();
    c.stream(&table.read(c.text(true, false)), &[], |row| {
        let values = (0..width)
            .map(|n| row.get(n))
            .collect::<Result<Vec<Value<'_>>, _>>()?;
        digest.add(&values);
        let mut outcome = take(&values);
        if outcome.is_ok() && digest.rows().is_multiple_of(ROWS_PER_WORD) {
            outcome = reporter.report(stage, table.name, digest.rows(), false);
        }
        failed = outcome.err();
        Ok(failed.is_none())
    })
    .map_err(|fault| CopyError::at(place, fault))?;
    if let Some(error) = failed {
        return Err(error);
    }
    let rows = digest.rows();
    reporter.report(stage, table.name, rows, true)?;
    Ok(CopiedTable {
        name: table.name,
        rows,
        digest: digest.end().iter().map(|b| format!("{b:02x}")).collect(),
    })
}

/// Reads the target, still in its transaction, and compares it with what the source had.
fn verify(
    source: &Source,
    target: &Target,
    tables: &[CopiedTable],
    chains: &[CopiedChain],
    reporter: &mut Reporter<'_, '_>,
) -> Result<(), CopyError> {
    let differs = |what: String| Err(CopyError::Differs { what });
    let at = |error| CopyError::at(&target.place, error);
    let c = &target.connection;
    catalogue::check_target(c, &target.place)?;
    for (table, read) in TABLES.iter().zip(tables) {
        let written = pass(
            table,
            c,
            &target.place,
            CopyStage::Verifying,
            reporter,
            |_| Ok(()),
        )?;
        if written != *read {
            return differs(format!(
                "{} has {} rows with the digest {}, and was read as {} rows with the digest {}",
                read.name, written.rows, written.digest, read.rows, read.digest
            ));
        }
    }
    let written = match proof::chains(c, &target.place) {
        Err(CopyError::Broken {
            provider,
            seq,
            what,
            ..
        }) => {
            return differs(format!(
                "the audit trail of {provider} is broken at row {seq}: {what}"
            ));
        }
        other => other?,
    };
    if written != chains {
        return differs("an audit trail ends otherwise than in the source".to_owned());
    }
    let trailed: u64 = chains.iter().map(|chain| chain.rows).sum();
    let audited = tables.iter().find(|table| table.name == "audit");
    if audited.is_none_or(|table| table.rows != trailed) {
        return differs("there are audit rows that belong to no audit trail".to_owned());
    }
    if let Some(what) = proof::faults(c).map_err(at)? {
        return differs(what);
    }
    if let Some(table) = counter::behind(&source.connection, c).map_err(at)? {
        return differs(format!("{table} would give out a key for a second time"));
    }
    Ok(())
}
