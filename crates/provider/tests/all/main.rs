//! The Provider's store and diary, tried through the public functions; the suites that know no file run on both databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod diary_apply;
mod diary_closures;
mod diary_declaration;
mod diary_demo;
mod diary_generate;
mod diary_parallel;
mod diary_render;
mod diary_slots;
mod postgres;
mod store_anchor;
mod store_audit;
mod store_backup;
mod store_book;
mod store_copy;
mod store_failure;
mod store_fixture;
mod store_health;
mod store_open;
mod store_slots;
mod store_trail;
mod store_upgrade;
