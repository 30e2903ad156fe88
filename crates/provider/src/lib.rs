//! The Provider of the UEC Booking Standard: HTTP edge, diary, store and audit.

pub mod audit;
pub mod config;
pub mod diary;
pub mod http;
pub mod referral;
pub mod store;
mod toml_error;
