//! `AdvancedFileHandler` as callers use it, and what it does when the machine does not play along.

#[cfg(unix)]
#[path = "../common/mod.rs"]
mod common;
#[cfg(unix)]
mod fork;
mod group;
mod locks;
mod reads;
mod trouble;
mod writer;

use electrus::error::Code;
use electrus::handler::{AdvancedFileHandler, ReadOptions};
use electrus::workspace::{ChangeOptions, Changed, OpenOptions, Source};
use std::path::Path;

fn open(base: &Path) -> AdvancedFileHandler {
    AdvancedFileHandler::open(base, &OpenOptions::default()).unwrap()
}

fn write(handler: &AdvancedFileHandler, name: &str, text: &str) -> Changed {
    handler.secure_write(name, Source::Bytes(text.as_bytes()), ChangeOptions::default()).unwrap()
}

fn try_write(handler: &AdvancedFileHandler, name: impl AsRef<Path>, content: &[u8]) -> Result<Option<u64>, Code> {
    let changed = handler.secure_write(name, Source::Bytes(content), ChangeOptions::default());
    changed.map(|c| c.version).map_err(|e| e.code())
}

fn read(handler: &AdvancedFileHandler, name: &str) -> String {
    String::from_utf8(handler.secure_read(name, &ReadOptions::default()).unwrap().content).unwrap()
}

/// The names in a folder but the store and lock files, sorted.
fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|n| n != ".electrus" && !n.ends_with(".lock")).collect();
    names.sort();
    names
}
