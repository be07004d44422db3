//! Writers, pruner, backups and verifier at once, in processes of their own: together for minutes, and killed at any
//! moment. What one of them acknowledged must be there afterwards.
//!
//! The workers are this test binary again, told by the environment what to do. They print a line for each thing that they
//! were told is kept.
#![cfg(unix)]

mod kill;
mod together;
mod worker;

use electrus::error::Code;
use electrus::handler::AdvancedFileHandler;
use electrus::progress::Progress;
use electrus::store::Which;
use electrus::workspace::OpenOptions;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use worker::Said;

/// One test at a time: five busy processes beside it would make the other's moments all the same one.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(base: &Path) -> AdvancedFileHandler {
    AdvancedFileHandler::open(base, &OpenOptions::default()).unwrap()
}

/// Everything that was acknowledged, and what was removed of it on purpose.
#[derive(Default)]
struct Promises {
    versions: BTreeMap<(String, u64), String>,
    backups: BTreeSet<(String, u64)>,
    removed: BTreeSet<(String, u64)>,
    removed_versions: u64,
    removed_backups: u64,
    verified: u64,
}

impl Promises {
    fn add(&mut self, said: Said) {
        match said {
            Said::Version { name, number, text } => {
                let before = self.versions.insert((name.clone(), number), text);
                assert!(before.is_none(), "{name}@{number} was given twice");
            }
            Said::Backup(series, number) => {
                self.backups.insert((series, number));
            }
            Said::Removing(name, number) => {
                assert!(!name.starts_with("kept"), "{name}@{number} is not the pruner's");
                self.removed.insert((name, number));
            }
            Said::Removed(versions, backups) => {
                self.removed_versions += versions;
                self.removed_backups += backups;
            }
            Said::Verified => self.verified += 1,
            Said::Begun => {}
        }
    }

    /// Whether none of the workers was idle; or this would prove nothing.
    fn all_happened(&self) -> bool {
        let made = self.versions.len() >= 60 && self.backups.len() >= 10;
        made && self.removed_versions > 0 && self.removed_backups > 0
    }

    /// So much was done, in words.
    fn tally(&self) -> String {
        let (versions, backups) = (self.versions.len(), self.backups.len());
        let removed = (self.removed_versions, self.removed_backups);
        format!("{versions} versions and {backups} backups, of which {} and {} were removed", removed.0, removed.1)
    }

    /// All of it is there, every byte of the store is right, and nothing was left lying about.
    fn check(&self, base: &Path) {
        println!("{}", self.tally());
        assert!(self.all_happened(), "too little happened: {}", self.tally());
        let handler = open(base);
        assert_no_litter(base);
        let kept = |key: &&(String, u64)| !self.removed.contains(*key);
        let mut lost = Vec::new();
        for key in self.versions.keys().filter(kept) {
            match handler.versions().read_version(&key.0, &Which::Number(key.1)) {
                Ok(bytes) => assert!(bytes == self.versions[key].as_bytes(), "{key:?} is not what was acknowledged"),
                Err(e) if e.code() == Code::VersionNotFound => lost.push(key),
                Err(e) => panic!("{key:?}: {e:?}"),
            }
        }
        let backups: BTreeSet<String> =
            handler.backups().unwrap().list().unwrap().into_iter().map(|b| b.name).collect();
        lost.extend(self.backups.iter().filter(kept).filter(|(s, n)| !backups.contains(&format!("{s}-{n}"))));
        let there =
            |name: &str| handler.versions().list_versions(name).map(|all| all.iter().map(|v| v.number).collect());
        let versions: Vec<Vec<u64>> = lost.iter().filter_map(|(name, _)| there(name).ok()).collect();
        assert!(lost.is_empty(), "{lost:?} were acknowledged and are gone; {versions:?} and {backups:?} are there");
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
