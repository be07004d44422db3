//! The commands as a user runs them: the built program, its exit statuses, its JSON, its words.
#![cfg(all(unix, feature = "cli"))]

mod backup;
mod batch;
mod checksum;
#[path = "../common/mod.rs"]
mod common;
mod files;
mod helper;
mod history;
mod hostile;
mod json;
mod lock;
mod readme;
mod usage;
