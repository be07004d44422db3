//! A lock that is held.

use super::LockType;
use super::inherit::ChildLock;
use super::registry::Place;
use super::sidecar::{Sidecar, sidecar_name};
use super::wait::NESTED;
use crate::error::{Code, Error, Result};
use crate::path::Location;
use crate::sys::{self, locks, sharing};
use crate::time::Timestamp;

/// A lock that is held, until it is released or dropped. `Send + Sync`: it belongs to its owner, not to a thread.
///
/// ```
/// use electrus::lock::{FileLockManager, LockOptions, LockType};
/// use electrus::path::Location;
///
/// # let folder = tempfile::tempdir()?;
/// let file = Location::ordinary(folder.path().join("ledger"))?;
/// let guard = FileLockManager.acquire(&file, LockType::Exclusive, &LockOptions::default())?;
/// assert!(guard.covers(&file));
/// guard.release()?; // dropping it gives it back too, and tells nobody if that failed
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Debug)]
pub struct LockGuard {
    /// `None` once given back.
    held: Option<Held>,
    kind: LockType,
    since: Timestamp,
}

#[derive(Debug)]
struct Held {
    sidecar: Sidecar,
    place: Place,
    /// The system's lock belongs to a program that runs this one under it, and stays with it.
    inherited: bool,
}

impl LockGuard {
    pub(super) fn new(sidecar: Sidecar, place: Place, kind: LockType, since: Timestamp) -> LockGuard {
        place.settle(since);
        LockGuard { held: Some(Held { sidecar, place, inherited: false }), kind, since }
    }

    pub(super) fn inherited(sidecar: Sidecar, place: Place, kind: LockType, since: Timestamp) -> LockGuard {
        place.settle(since);
        LockGuard { held: Some(Held { sidecar, place, inherited: true }), kind, since }
    }

    /// Whether this lock is exclusive and on this very file, also when the name reaches it through a symbolic link
    /// or is another name in the same folder for the same lock file. `false` in a forked child.
    pub fn covers(&self, location: &Location) -> bool {
        self.kind == LockType::Exclusive && self.is_of(location)
    }

    /// Whether this lock, of either type, is on this very file: enough to read under.
    pub fn is_of(&self, location: &Location) -> bool {
        let Some(held) = self.held.as_ref().filter(|held| held.place.is_here()) else { return false };
        let name = sidecar_name(location.name());
        let found = location.dir().stat(&name);
        found.is_ok_and(|stat| sys::identity(location.dir(), &name, &stat) == held.sidecar.identity)
    }

    /// After the target was given a mode: the lock file, if it is ours, gets that too.
    pub(crate) fn follow_mode(&self, target: u32) {
        if let Some(held) = self.held.as_ref().filter(|held| held.place.is_here()) {
            held.sidecar.follow_mode(target);
        }
    }

    /// How it is held.
    pub fn kind(&self) -> LockType {
        self.kind
    }

    /// Since when, by the system's clock.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Lets a program that is started while the answer lives use this lock: see [`ChildLock`].
    ///
    /// # Errors
    /// `unsupported` where programs inherit no descriptors or locks end at the process; `not_locked` in a forked child;
    /// `too_many_open_files`.
    pub fn for_child(&self) -> Result<ChildLock> {
        match &self.held {
            Some(held) if held.inherited => ChildLock::passed_on(),
            Some(held) if held.place.is_here() => ChildLock::new(&held.sidecar, self.kind),
            _ => Err(Error::new(Code::NotLocked)),
        }
    }

    /// Gives it back and reports a failure to do so.
    ///
    /// # Errors
    /// `not_locked` in a forked child: the parent's lock stays; what the system says to the unlock: `io`.
    pub fn release(mut self) -> Result<()> {
        self.held.take().map_or(Ok(()), Held::give_back).map_err(|e| e.during("unlock"))
    }
}

impl Held {
    fn give_back(self) -> Result<()> {
        let Held { sidecar, place, inherited } = self;
        if !place.is_here() {
            // The open file is the parent's too: unlocking here would unlock there.
            std::mem::forget(place);
            return Err(Error::new(Code::NotLocked).at(sidecar.path()));
        }
        let answer = match inherited {
            true => {
                sharing::unmark(&sidecar.file, NESTED);
                Ok(())
            }
            false => locks::unlock(&sidecar.file).map_err(|e| sidecar.failed(e)),
        };
        // Closed before the next thread is let in, so that it finds no lock of ours.
        drop(sidecar);
        drop(place);
        answer
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            let _ = held.give_back(); // closing the descriptor was the second chance; `release` reports
        }
    }
}
