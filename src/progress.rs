//! Progress that is polled, and cancellation: what a long operation shares with whoever waits for it.

use crate::error::{Code, Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Shared by a long operation and its watchers. Clones are the same progress; every method may be called from any thread.
///
/// ```
/// use electrus::{checksum::{self, Algorithm}, error::Code, progress::Progress};
///
/// let progress = Progress::new();
/// let watcher = progress.clone(); // for another thread
/// watcher.cancel();
/// let stopped = checksum::of_reader(&mut std::io::repeat(0), &[Algorithm::Md5], &progress).unwrap_err();
/// assert_eq!(stopped.code(), Code::Cancelled);
/// ```
#[derive(Clone, Default, Debug)]
pub struct Progress(Arc<State>);

#[derive(Default, Debug)]
struct State {
    cancelled: AtomicBool,
    files_done: AtomicU64,
    files_total: AtomicU64,
    bytes_done: AtomicU64,
    bytes_total: AtomicU64,
}

/// What has been done so far. A total of 0 is not known yet.
///
/// ```
/// use electrus::{checksum::{self, Algorithm}, progress::Progress};
///
/// let progress = Progress::new();
/// checksum::of_reader(&mut &b"hello"[..], &[Algorithm::Md5], &progress)?;
/// assert_eq!(progress.counts().bytes_done, 5);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Files finished.
    pub files_done: u64,
    /// Files in all.
    pub files_total: u64,
    /// Bytes finished.
    pub bytes_done: u64,
    /// Bytes in all.
    pub bytes_total: u64,
}

impl Progress {
    /// Nothing done, not cancelled.
    pub fn new() -> Progress {
        Progress::default()
    }

    /// Asks the operation to stop; it answers with [`Code::Cancelled`] at the next safe point.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Relaxed);
    }

    /// Whether it was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Relaxed)
    }

    /// The state now.
    pub fn counts(&self) -> Counts {
        Counts {
            files_done: self.0.files_done.load(Relaxed),
            files_total: self.0.files_total.load(Relaxed),
            bytes_done: self.0.bytes_done.load(Relaxed),
            bytes_total: self.0.bytes_total.load(Relaxed),
        }
    }

    /// A safe point: an error once cancelled.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::new(Code::Cancelled)) } else { Ok(()) }
    }

    pub(crate) fn expect(&self, files: u64, bytes: u64) {
        self.0.files_total.fetch_add(files, Relaxed);
        self.0.bytes_total.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn advance(&self, files: u64, bytes: u64) {
        self.0.files_done.fetch_add(files, Relaxed);
        self.0.bytes_done.fetch_add(bytes, Relaxed);
    }
}
