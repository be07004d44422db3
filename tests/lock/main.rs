//! Locks against util-linux `flock`, Python's `filelock` and other processes of ours.
#![cfg(all(target_os = "linux", not(feature = "process-locks")))]

mod child;
#[path = "../common/mod.rs"]
mod common;
mod fairness;
mod fork;
mod inherited;
mod ours;
mod peers;
mod sidecar;

use child::Task;
use electrus::error::{Code, Error, Result};
use electrus::lock::{FileLockManager, Holder, LockGuard, LockOptions, LockType, Owner, Timeout};
use electrus::path::Location;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use LockType::{Exclusive, Shared};

/// Long enough for a loaded machine, short enough to fail.
const PATIENCE: Duration = Duration::from_secs(30);

struct Place {
    folder: tempfile::TempDir,
    file: PathBuf,
    sidecar: PathBuf,
}

impl Place {
    fn new() -> Place {
        let folder = common::open_folder();
        let file = folder.path().join("file");
        let sidecar = folder.path().join("file.lock");
        Place { folder, file, sidecar }
    }

    fn location(&self) -> Location {
        Location::ordinary(&self.file).unwrap()
    }

    fn acquire(&self, kind: LockType, timeout: Timeout) -> Result<LockGuard> {
        FileLockManager.acquire(&self.location(), kind, &LockOptions { timeout, ..LockOptions::default() })
    }

    fn take(&self, kind: LockType) -> LockGuard {
        self.acquire(kind, Timeout::After(PATIENCE)).unwrap()
    }

    /// `ok`, or the name of the error.
    fn attempt(&self, kind: LockType) -> &'static str {
        word(self.acquire(kind, Timeout::Try))
    }

    fn holders(&self) -> Vec<Holder> {
        FileLockManager.holders(&self.location()).unwrap()
    }
}

fn word(answer: Result<LockGuard>) -> &'static str {
    answer.map_or_else(|e| e.code().name(), |_| "ok")
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
