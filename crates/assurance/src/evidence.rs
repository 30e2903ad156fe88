//! Evidence: what a run found, kept as a folder that a person and a machine can read.

mod body;
mod causes;
mod folder;
mod junit;
pub(crate) mod markup;
mod merge;
mod message;
mod model;
mod redact;
pub(crate) mod report;
mod table;
mod verdicts;

pub use body::{BODY_KEPT, Body, Coded};
pub use causes::{Cause, causes, errors, key as cause_key, remarks};
pub use folder::{Folder, FolderError, Record, Written, read};
pub(crate) use folder::{make_empty, write_whole};
pub use junit::junit;
pub use merge::{Replaced, merge};
pub use model::{
    About, Counts, Exchange, Finding, Headers, Id, Kind, Outcome, Run, Severity, Verdict,
};
pub use redact::Redaction;
pub(crate) use redact::redacted;
pub use report::{scal_page, write_scal};
pub(crate) use table::record;
pub use table::{Line, csv, lines};
pub use verdicts::{Cited, Mark, Standing, Trial, cited, standings};
