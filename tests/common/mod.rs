//! What several test programs share: skipping out loud, and what only some machines let them do.
#![allow(dead_code, unused_imports)] // no program uses all of it

pub mod machine;
pub mod python;

pub use machine::*;

use std::io::Write;

/// What a machine may refuse though everything is installed. All else that is missing is a failure under CI.
const EXCUSES: [&str; 4] = [NOT_ROOT, NO_MOUNTS, NO_TRACING, NO_DEVICES];
pub const NOT_ROOT: &str = "this takes root";
pub const NO_MOUNTS: &str = "the kernel lets nobody mount here";
pub const NO_TRACING: &str = "the kernel lets nobody trace here";
pub const NO_DEVICES: &str = "the kernel lets nobody make devices here";

/// Says that something is not tested here; `tests/run` repeats it at its end. A silent skip would look like a pass.
#[track_caller]
pub fn skip(why: &str) {
    let thread = std::thread::current();
    // Not by a macro: the test runner keeps to itself what tests print that pass.
    let _ = writeln!(std::io::stderr(), "\nSKIPPED: {}: {why}", thread.name().unwrap_or("?"));
    let excused = EXCUSES.contains(&why) || std::env::var_os("CI").is_none();
    assert!(excused, "{why}: tests/run installs what the tests need");
}
