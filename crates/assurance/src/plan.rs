//! The three published operational test plans as guided, recorded checklists (OPS-*, DEP-06): who does what, what is
//! expected, what was seen, by whom, with what to show for it; signed by each actor.
//!
//! [`PlanFolder`] is a run on the disk; [`Plan`] is what it holds; [`steps`] are the rows; [`standing`] says what is open;
//! [`write_report`] makes it readable. With the settings of a consumer, [`automatic`] does what a program can do.

mod actors;
mod attachment;
pub mod automatic;
mod change;
mod check;
mod folder;
mod kind;
mod model;
mod particulars;
mod progress;
mod published;
mod report;
mod step;
mod table;

pub use actors::{Actor, NOBODY, Role};
pub use attachment::{FOLDER as ATTACHMENTS, MAX_BYTES, MAX_COUNT};
pub use change::Given;
pub use folder::{PLAN, PlanError, PlanFolder, read};
pub use kind::{Part, PlanKind};
pub use model::{
    Answer, Attachment, Check, Contact, Earlier, Outcome, Plan, Signature, ToolSeen, Voided,
};
pub use particulars::services;
pub use progress::{Standing, attachment_faults, standing};
pub use published::{
    Field, Holds, Prerequisite, Ready, Row, Side, Task, field_of, fields, prerequisite_of,
    prerequisites,
};
pub use report::{Reports, write_report};
pub use step::{Step, find, steps};
pub use table::csv;
