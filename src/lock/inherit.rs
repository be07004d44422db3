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
    /// A descriptor of our own of the open file that carries the lock. Never unlocked. `None`: it was closed on the way
    /// here, as some programs do with all that they do not know.
    file: Option<File>,
    device: u64,
    inode: u64,
    kind: LockType,
}

impl Inherited {
    /// Those that the environment names; what is not what it says is nobody's lock.
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
        let is_it = |file: &File| {
            let stat = sys::stat_file(file);
            stat.is_ok_and(|stat| stat.kind == FileKind::File && (stat.device, stat.inode) == (device, inode))
        };
        let file = sys::adopt(number).ok().filter(is_it);
        Some(Inherited { file, device, inode, kind })
    }

    /// Whether it is on this sidecar.
    pub fn is_of(&self, sidecar: &Sidecar) -> bool {
        (self.device, self.inode) == (sidecar.stat.device, sidecar.stat.inode)
    }

    /// Whether the lock is really held, and through this descriptor: another open file of the sidecar does not get
    /// what this one has. An error if a lock of the type `wanted` would have to wait for the program that runs this one.
    pub fn serves(&self, sidecar: &Sidecar, wanted: LockType) -> Result<bool> {
        let Some(file) = &self.file else { return self.is_lost(sidecar, wanted).map(|()| false) };
        let exclusive = self.kind == LockType::Exclusive;
        if is_free(sidecar, !exclusive)? || !locks::try_lock(file, exclusive).map_err(|e| sidecar.failed(e))? {
            return Ok(false);
        }
        match (self.kind, wanted) {
            (LockType::Shared, LockType::Exclusive) => {
                Err(Error::message(Code::WouldDeadlock, "this program runs under a shared lock on the file"))
            }
            _ => Ok(true),
        }
    }

    /// The program that runs this one under the lock gives it back when this one ends: nobody should wait for that.
    fn is_lost(&self, sidecar: &Sidecar, wanted: LockType) -> Result<()> {
        if !self.kind.excludes(wanted) || is_free(sidecar, wanted == LockType::Exclusive)? {
            return Ok(());
        }
        let words = "this program was started under a lock on the file, but the descriptor that carries it was closed \
                     on the way: whoever starts programs in between must leave it open (in Python: close_fds=False)";
        Err(Error::message(Code::WouldDeadlock, words))
    }
}

/// Whether nobody holds what excludes such a lock.
fn is_free(sidecar: &Sidecar, exclusive: bool) -> Result<bool> {
    let free = locks::try_lock(&sidecar.file, exclusive).map_err(|e| sidecar.failed(e))?;
    if free {
        locks::unlock(&sidecar.file).map_err(|e| sidecar.failed(e))?;
    }
    Ok(free)
}
