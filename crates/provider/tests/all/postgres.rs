//! The suite of the store, and of the diary on it, run on PostgreSQL: the same tests, the same assertions.
//!
//! Not here: `store_open` and `store_backup`, which are about the file of SQLite (damaged, locked, of another program,
//! copied while it is written; `postgres_open` and `postgres_restore` are their counterparts), and `diary_declaration` and
//! `diary_generate`, which use no database.

#![allow(
    clippy::duplicate_mod,
    reason = "a module knows by its path on which database it runs"
)]
#![allow(dead_code, reason = "what only the suites on files use")]

#[path = "diary_apply.rs"]
mod diary_apply;
#[path = "diary_closures.rs"]
mod diary_closures;
#[path = "diary_demo.rs"]
mod diary_demo;
#[path = "diary_parallel.rs"]
mod diary_parallel;
#[path = "diary_render.rs"]
mod diary_render;
#[path = "diary_slots.rs"]
mod diary_slots;
mod faults;
mod open;
mod proxy;
mod replica;
mod restore;
mod roles;
#[path = "store_anchor.rs"]
mod store_anchor;
#[path = "store_audit.rs"]
mod store_audit;
#[path = "store_book.rs"]
mod store_book;
#[path = "store_failure.rs"]
mod store_failure;
#[path = "store_fixture/mod.rs"]
mod store_fixture;
#[path = "store_health.rs"]
mod store_health;
#[path = "store_slots.rs"]
mod store_slots;
#[path = "store_trail.rs"]
mod store_trail;
#[path = "store_upgrade.rs"]
mod store_upgrade;
