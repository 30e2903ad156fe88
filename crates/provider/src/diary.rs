//! The diary: what a provider declares, the slots made from it, and the difference that a new declaration makes.
//!
//! A declaration file is read ([`declaration`]), compared with what is stored ([`plan`]) and made true ([`apply`]);
//! [`generate`] makes slots from clinics, [`catalogue`] and [`render`] serve searches and bookings.

pub mod allowance;
pub mod apply;
pub mod catalogue;
pub mod declaration;
pub mod export;
pub mod generate;
pub mod plan;
mod plan_text;
pub mod reconcile;
pub mod render;
pub mod seed;
pub mod slot_counts;
pub mod slots;
pub mod trial;
mod written;
