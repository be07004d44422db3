//! The contract of `linux_sharing.rs` where processes learn nothing of each other: no marks, no wake-ups.

use std::fs::File;
use std::io;
use std::time::Duration;

/// A range of marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    pub first: u32,
    pub count: u32,
}

pub fn mark(_file: &File, _marks: Marks, _exclusive: bool) -> bool {
    false
}

pub fn can_mark(_file: &File) -> bool {
    false
}

pub fn unmark(_file: &File, _marks: Marks) {}

pub fn marked(_file: &File, _marks: Marks) -> Option<u32> {
    None
}

#[derive(Debug)]
pub struct Watcher;

impl Watcher {
    pub fn new() -> Option<Watcher> {
        None
    }

    pub fn begin(&self, _file: &File) -> Option<i32> {
        None
    }

    pub fn end(&self, _watch: i32) {}

    pub fn wait(&self, limit: Duration) -> bool {
        std::thread::sleep(limit);
        false
    }
}

/// A whole-file lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelLock {
    pub pid: u32,
    pub exclusive: bool,
    pub device: u64,
    pub inode: u64,
}

#[derive(Debug, Default)]
pub struct KernelLocks {
    pub locks: Vec<KernelLock>,
    pub complete: bool,
}

pub fn kernel_locks(_inode: u64, _file: Option<&File>) -> KernelLocks {
    KernelLocks::default()
}

pub fn heirs(_lock: &KernelLock) -> Vec<u32> {
    Vec::new()
}

pub fn process_start(_pid: u32) -> Option<u64> {
    None
}

pub fn boot_id() -> Option<String> {
    None
}

/// `ELOOP` and its like: a name that stands for something that cannot be opened like a file.
pub fn is_no_file(error: &io::Error) -> bool {
    matches!(super::classify(error), crate::error::Code::SymlinkLoop | crate::error::Code::NotAFile)
}
