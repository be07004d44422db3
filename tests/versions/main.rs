//! The history of files: what is recorded, what comes back, and what survives.

mod faults;
mod history;
mod keep;
mod kill;
mod race;

use electrus::handler::{AdvancedFileHandler, ReadOptions};
use electrus::store::Version;
use electrus::workspace::{ChangeOptions, Changed, OpenOptions, Source};
use std::path::Path;

fn open(base: &Path) -> AdvancedFileHandler {
    AdvancedFileHandler::open(base, &OpenOptions::default()).unwrap()
}

fn write(handler: &AdvancedFileHandler, name: &str, text: &str) -> Changed {
    handler.secure_write(name, Source::Bytes(text.as_bytes()), ChangeOptions::default()).unwrap()
}

fn read(handler: &AdvancedFileHandler, name: &str) -> String {
    String::from_utf8(handler.secure_read(name, &ReadOptions::default()).unwrap().content).unwrap()
}

/// Numbers and kinds, as `1 write`.
fn kinds(versions: &[Version]) -> Vec<String> {
    versions.iter().map(|v| format!("{} {}", v.number, v.kind.name())).collect()
}

fn history(handler: &AdvancedFileHandler, name: &str) -> Vec<String> {
    kinds(&handler.versions().list_versions(name).unwrap())
}

/// What each version holds; `-` for those that say that the file is gone.
fn contents(handler: &AdvancedFileHandler, name: &str) -> Vec<String> {
    let manager = handler.versions();
    let versions = manager.list_versions(name).unwrap();
    versions
        .iter()
        .map(|version| match version.file {
            Some(_) => {
                let which = electrus::store::Which::Record(version.record);
                String::from_utf8(manager.read_version(name, &which).unwrap()).unwrap()
            }
            None => "-".to_owned(),
        })
        .collect()
}

/// No temporary file anywhere below.
fn assert_no_litter(base: &Path) {
    for entry in walkdir::WalkDir::new(base) {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(!name.starts_with(".electrus-tmp-"), "{name} was left in {}", base.display());
    }
}
