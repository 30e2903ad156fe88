//! The diary: what a provider declares, and the slots made from it.
//!
//! [`declaration`] reads a file, [`plan`] compares it with the store, [`apply`] stores the difference. [`generate`] makes
//! slots from clinics. [`catalogue`] and [`render`] serve searches and bookings.

pub mod allowance;
pub mod apply;
pub mod catalogue;
pub mod declaration;
pub mod demo;
pub mod export;
pub mod generate;
pub mod plan;
mod plan_text;
pub mod reconcile;
pub mod render;
pub mod slot_counts;
pub mod slots;
pub mod trial;
mod written;
