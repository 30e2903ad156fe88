//! What was asked for, how far it is, what came of it.

use jiff::Timestamp;

/// How to copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct CopyOptions {
    /// Copies what the source holds at one moment while providers go on in it: a rehearsal.
    pub while_running: bool,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyStage {
    /// The audit trails of the source are checked.
    Checking,
    /// Rows are copied.
    Copying,
    /// The rows of the target are read again.
    Verifying,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug)]
pub struct CopyProgress {
    /// What is being done.
    pub stage: CopyStage,
    /// With which table.
    pub table: &'static str,
    /// Rows of it so far.
    pub rows: u64,
    /// True when the table is done.
    pub is_done: bool,
}

/// A copy that was made and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyReport {
    /// The source, without password.
    pub from: String,
    /// The target, without password.
    pub to: String,
    /// The moment at which the source was as the target is now.
    pub as_of: Timestamp,
    /// True when nobody could write to the source meanwhile.
    pub is_whole: bool,
    /// Every table.
    pub tables: Vec<CopiedTable>,
    /// Every provider's audit trail, the same in both.
    pub chains: Vec<CopiedChain>,
    /// Live bookings, each in a slot of its own.
    pub live_bookings: u64,
    /// Tables in the source that are not of this program, and were not copied.
    pub left_behind: Vec<String>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub name: &'static str,
    /// Rows, the same number in both.
    pub rows: u64,
    /// SHA-256 over the rows, hexadecimal: the same in both, and the same for the same rows on either database.
    pub digest: String,
}

/// An audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedChain {
    /// ODS code of the provider.
    pub provider: String,
    /// Rows.
    pub rows: u64,
    /// Hash of the last row, hexadecimal.
    pub head: String,
}
