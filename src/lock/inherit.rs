//! Locks that go from a program to those it starts: `electrus lock F -- CMD`.

use super::LockType;
use super::sidecar::Sidecar;
use crate::error::{Code, Error, Result};
use crate::sys::{self, FileKind, locks};
use std::fs::File;

/// The environment variable that tells a program of the locks that it runs under.
pub const VARIABLE: &str = "ELECTRUS_LOCK";
/// More than this many locks around one program are not believed.
const ENTRIES_MAX: usize = 64;

/// What a program that is to run under a lock needs: set the environment variable [`VARIABLE`] to
/// [`value`](ChildLock::value) and start it while this lives. Its descriptor, open for every program that this process
/// starts meanwhile, closes when this is dropped; the lock stays with the guard, and with the program as long as that
/// keeps its copy open.
///
/// ```no_run
/// use electrus::lock::{FileLockManager, LockOptions, LockType};
/// use electrus::path::Location;
///
/// # let folder = tempfile::tempdir()?;
/// let file = Location::ordinary(folder.path().join("ledger"))?;
/// let guard = FileLockManager.acquire(&file, LockType::Exclusive, &LockOptions::default())?;
/// let lock = guard.for_child()?;
/// let mut command = std::process::Command::new("make");
/// command.env(electrus::lock::VARIABLE, lock.value()).spawn()?.wait()?;
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Debug)]
pub struct ChildLock {
    value: String,
    _descriptor: Option<File>,
}

impl ChildLock {
    /// `DESCRIPTOR:DEVICE:INODE:x` (or `s`, shared), one for each lock, between semicolons.
    pub fn value(&self) -> &str {
        &self.value
    }

    pub(super) fn new(sidecar: &Sidecar, kind: LockType) -> Result<ChildLock> {
        if !locks::CROSS_PROCESS {
            return Err(Error::message(Code::Unsupported, "locks end at this process here"));
        }
        let (descriptor, number) = sys::inheritable(&sidecar.file).map_err(|e| sidecar.failed(e))?;
        let letter = if kind == LockType::Exclusive { 'x' } else { 's' };
        let entry = format!("{number}:{}:{}:{letter}", sidecar.stat.device, sidecar.stat.inode);
        let value = match std::env::var(VARIABLE) {
            Ok(outer) if !outer.is_empty() => format!("{outer};{entry}"),
            _ => entry,
        };
        Ok(ChildLock { value, _descriptor: Some(descriptor) })
    }

    /// A lock that was inherited is inherited again, by the same number.
    pub(super) fn passed_on() -> Result<ChildLock> {
        let value = std::env::var(VARIABLE).map_err(|_| Error::new(Code::NotLocked))?;
        Ok(ChildLock { value, _descriptor: None })
    }
}

/// A lock that this process was started under.
#[derive(Debug)]
pub(super) struct Inherited {
    /// A descriptor of our own of the open file that carries the lock. Never unlocked.
    file: File,
    device: u64,
    inode: u64,
    kind: LockType,
}

impl Inherited {
    /// Those that the environment names and that are what it says; anything else is nobody's lock.
    pub fn from_environment() -> Vec<Inherited> {
        let Ok(value) = std::env::var(VARIABLE) else { return Vec::new() };
        value.split(';').take(ENTRIES_MAX).filter_map(Inherited::parse).collect()
    }

    fn parse(entry: &str) -> Option<Inherited> {
        let mut parts = entry.split(':');
        let number = parts.next()?.parse().ok()?;
        let (device, inode) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let kind = match parts.next()? {
            "x" => LockType::Exclusive,
            "s" => LockType::Shared,
            _ => return None,
        };
        let file = sys::adopt(number).ok()?;
        let stat = sys::stat_file(&file).ok()?;
        let same = stat.kind == FileKind::File && (stat.device, stat.inode) == (device, inode);
        same.then_some(Inherited { file, device, inode, kind })
    }

    /// Whether it is on this sidecar.
    pub fn is_of(&self, sidecar: &Sidecar) -> bool {
        (self.device, self.inode) == (sidecar.stat.device, sidecar.stat.inode)
    }

    /// Whether the lock is really held, and through this descriptor: another open file of the sidecar does not get
    /// what this one has.
    pub fn is_held(&self, sidecar: &Sidecar) -> Result<bool> {
        let exclusive = self.kind == LockType::Exclusive;
        if locks::try_lock(&sidecar.file, !exclusive).map_err(|e| sidecar.failed(e))? {
            locks::unlock(&sidecar.file).map_err(|e| sidecar.failed(e))?;
            return Ok(false);
        }
        locks::try_lock(&self.file, exclusive).map_err(|e| sidecar.failed(e))
    }

    /// An error if a lock of this type would have to wait for the program that runs this one.
    pub fn serves(&self, kind: LockType) -> Result<()> {
        match (self.kind, kind) {
            (LockType::Shared, LockType::Exclusive) => {
                Err(Error::message(Code::WouldDeadlock, "this program runs under a shared lock on the file"))
            }
            _ => Ok(()),
        }
    }
}
