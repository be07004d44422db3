//! Writers, pruner, backups and verifier at once, in processes of their own: together for minutes, and killed at any
//! moment. What one of them acknowledged must be there afterwards.
//!
//! The workers are this test binary again, told by the environment what to do. They print a line for each thing that they
//! were told is kept.
#![cfg(unix)]

mod kill;
mod together;
mod worker;

use electrus::handler::AdvancedFileHandler;
use electrus::progress::Progress;
use electrus::store::Which;
use electrus::workspace::OpenOptions;
use std::collections::BTreeMap;
use std::path::Path;
use worker::Ack;

fn open(base: &Path) -> AdvancedFileHandler {
    AdvancedFileHandler::open(base, &OpenOptions::default()).unwrap()
}

/// Everything that was acknowledged, and what the retention of the pruner says of it.
#[derive(Default)]
struct Promises {
    versions: BTreeMap<(String, u64), String>,
    backups: Vec<String>,
}

impl Promises {
    fn add(&mut self, acks: Vec<Ack>) {
        for ack in acks {
            match ack {
                Ack::Version { name, number, text } => {
                    let before = self.versions.insert((name.clone(), number), text);
                    assert!(before.is_none(), "{name}@{number} was given twice");
                }
                Ack::Backup(name) => self.backups.push(name),
                Ack::Other => {}
            }
        }
    }

    /// All of it is there, every byte of the store is right, and nothing was left lying about.
    fn check(&self, base: &Path) {
        let handler = open(base);
        assert_no_litter(base);
        let versions = handler.versions();
        let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, number) in self.versions.keys() {
            newest.insert(name, *number);
        }
        for ((name, number), text) in &self.versions {
            // Pruned files keep their last ones only.
            if name.starts_with("pruned") && number + worker::KEPT <= newest[name.as_str()] {
                continue;
            }
            let bytes = versions.read_version(name, &Which::Number(*number)).unwrap();
            assert!(bytes == text.as_bytes(), "{name}@{number} is not what was acknowledged");
        }
        let backups: Vec<String> = handler.backups().unwrap().list().unwrap().into_iter().map(|b| b.name).collect();
        for name in self.backups.iter().rev().take(worker::KEPT_BACKUPS as usize) {
            assert!(backups.contains(name), "backup {name} was acknowledged and is gone");
        }
        let report = handler.verify(&Progress::new()).unwrap();
        assert_eq!(report.damaged, []);
        assert!(report.conflicts.is_empty(), "{:?}", report.conflicts);
    }
}

fn assert_no_litter(base: &Path) {
    for entry in walkdir::WalkDir::new(base) {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(!name.starts_with(".electrus-tmp-"), "{name} was left in {}", base.display());
    }
}
