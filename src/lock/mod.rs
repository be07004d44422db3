//! Advisory locks between threads, processes and other tools: the lock of `P` is a lock on the sidecar `P.lock`.
//!
//! # How it works
//! ```text
//! open P.lock (never through a link, never truncated; created with P's mode)
//! queue in this process, first come first served     — threads wake each other at once
//! wait until no writer of another process waits      — readers only: writers do not starve
//! flock(P.lock)                                      — excludes util-linux flock, Python's filelock, …
//! stat P.lock: still the file that was locked?       — else again
//! write who holds it, if the file is empty or ours
//! ```
//! Giving back is an explicit unlock before the close, so that a child that was forked meanwhile, and has a copy of the
//! descriptor, does not keep the lock. The sidecar stays: removing it would let two holders in.
//!
//! # What it is not
//! It excludes only those who ask for it. Against *other tools'* readers a waiting writer has no precedence. Under WASI,
//! and with the feature `process-locks`, it works between the threads of one process: see [`FileLockManager::scope`].
//! There is no way from a shared lock to an exclusive one but to release and acquire: the kernel drops the first
//! before it waits for the second, and what was read under it may be old by then.
//!
//! # Forks
//! A forked child shares the open file of the parent's lock but does not hold it: dropping the child's copy of a
//! guard closes the descriptor and never unlocks, and the child may ask for the same lock (and waits).
//!
//! ```
//! use electrus::lock::{FileLockManager, LockOptions, LockType};
//! use electrus::path::Location;
//! # fn main() -> electrus::error::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("electrus-doc-lock-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder).unwrap();
//! # let path = folder.join("ledger");
//! let locks = FileLockManager::default();
//! let ledger = Location::ordinary(&path)?;
//! let guard = locks.acquire(&ledger, LockType::Exclusive, &LockOptions::default())?;
//! assert!(guard.covers(&ledger) && locks.is_locked(&ledger)?);
//! guard.release()?;
//! assert!(!locks.is_locked(&ledger)?);
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok(())
//! # }
//! ```

mod acquire;
mod guard;
mod holders;
mod inherit;
mod record;
mod registry;
mod sidecar;
mod wait;

pub use guard::LockGuard;
pub use inherit::{ChildLock, VARIABLE};
#[doc(hidden)]
pub use sidecar::is_sidecar;
pub(crate) use sidecar::refuse_sidecar;
pub use sidecar::sidecar_name;

use crate::error::{Code, Error, Result};
use crate::path::Location;
use crate::progress::Progress;
use crate::sys;
use crate::time::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What a lock admits besides itself.
///
/// ```
/// use electrus::lock::LockType;
///
/// assert_eq!(LockType::parse("write")?, LockType::Exclusive);
/// assert_eq!(LockType::Shared.name(), "shared");
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockType {
    /// Nobody else (`exclusive`, `write`).
    Exclusive,
    /// Other shared holders (`shared`, `read`).
    Shared,
}

impl LockType {
    /// The name: `exclusive` or `shared`.
    pub const fn name(self) -> &'static str {
        match self {
            LockType::Exclusive => "exclusive",
            LockType::Shared => "shared",
        }
    }

    /// From any of its names: `exclusive` = `write`, `shared` = `read`.
    ///
    /// # Errors
    /// `invalid_argument` for any other name.
    pub fn parse(name: &str) -> Result<LockType> {
        match name {
            "exclusive" | "write" => Ok(LockType::Exclusive),
            "shared" | "read" => Ok(LockType::Shared),
            _ => Err(Error::message(Code::InvalidArgument, "a lock is exclusive (write) or shared (read)")),
        }
    }

    /// Whether holders of these two types exclude each other.
    pub(crate) fn excludes(self, other: LockType) -> bool {
        self == LockType::Exclusive || other == LockType::Exclusive
    }
}

/// How long to wait for a lock. Monotonic: steps of the clock do not matter.
///
/// ```
/// use electrus::lock::Timeout;
/// use std::time::Duration;
///
/// assert_eq!(Timeout::from_seconds(2.5)?, Timeout::After(Duration::from_millis(2500)));
/// assert_eq!(Timeout::from_seconds(0.0)?, Timeout::Try);
/// assert_eq!(Timeout::from_seconds(-1.0)?, Timeout::Forever);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Timeout {
    /// Try once.
    Try,
    /// Wait this long.
    After(Duration),
    /// Wait for ever.
    Forever,
}

impl Timeout {
    /// Seconds as every face has them: 0 tries once, negative waits for ever, and so does what exceeds any clock
    /// (infinity included).
    ///
    /// # Errors
    /// `invalid_argument` for a NaN.
    pub fn from_seconds(seconds: f64) -> Result<Timeout> {
        if seconds.is_nan() {
            return Err(Error::message(Code::InvalidArgument, "a time-out that is not a number"));
        }
        if seconds == 0.0 {
            return Ok(Timeout::Try);
        }
        // Negative or too large for a Duration.
        Ok(Duration::try_from_secs_f64(seconds).map_or(Timeout::Forever, Timeout::After))
    }
}

impl Timeout {
    /// What is left of it after some time.
    pub(crate) fn after(self, elapsed: Duration) -> Timeout {
        match self {
            Timeout::After(time) => Timeout::After(time.saturating_sub(elapsed)),
            other => other,
        }
    }
}

impl Default for Timeout {
    /// Ten seconds.
    fn default() -> Timeout {
        Timeout::After(Duration::from_secs(10))
    }
}

/// Who holds a lock, as far as this process is concerned: the same owner asking again would deadlock, which is
/// [`Code::WouldDeadlock`] at once. Owners exist per process, and their numbers are never used again.
///
/// ```
/// use electrus::error::Code;
/// use electrus::lock::{FileLockManager, LockOptions, LockType, Owner, Timeout};
/// use electrus::path::Location;
///
/// # let folder = tempfile::tempdir()?;
/// let file = Location::ordinary(folder.path().join("f"))?;
/// let of = |owner| LockOptions { owner, timeout: Timeout::Try, ..LockOptions::default() };
/// let (mine, other) = (Owner::new(), Owner::new());
/// let _guard = FileLockManager.acquire(&file, LockType::Exclusive, &of(mine))?;
/// let again = FileLockManager.acquire(&file, LockType::Exclusive, &of(mine)).unwrap_err();
/// assert_eq!(again.code(), Code::WouldDeadlock);
/// let late = FileLockManager.acquire(&file, LockType::Exclusive, &of(other)).unwrap_err();
/// assert_eq!(late.code(), Code::LockTimeout);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(u64);

impl Owner {
    /// The calling thread: the default.
    pub fn thread() -> Owner {
        thread_local!(static MINE: Owner = Owner::new());
        // A destructor of another thread-local may run after this one is gone: then it is an owner of its own.
        MINE.try_with(|owner| *owner).unwrap_or_else(|_| Owner::new())
    }

    /// A new owner, for callers whose tasks are not threads.
    #[allow(clippy::new_without_default)] // the default is the thread
    pub fn new() -> Owner {
        Owner(OWNERS.fetch_add(1, Relaxed) + 1)
    }

    /// Its number, for callers that keep owners as numbers.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The owner of that number.
    ///
    /// # Errors
    /// `invalid_argument` if this process never made one of it.
    pub fn of(number: u64) -> Result<Owner> {
        match number {
            1.. if number <= OWNERS.load(Relaxed) => Ok(Owner(number)),
            _ => Err(Error::message(Code::InvalidArgument, format!("there is no owner {number}"))),
        }
    }
}

/// How many there have been.
static OWNERS: AtomicU64 = AtomicU64::new(0);

impl Default for Owner {
    fn default() -> Owner {
        Owner::thread()
    }
}

/// What is known of a holder.
///
/// ```
/// use electrus::lock::{FileLockManager, LockOptions, LockType};
/// use electrus::path::Location;
///
/// # let folder = tempfile::tempdir()?;
/// let file = Location::ordinary(folder.path().join("ledger"))?;
/// let guard = FileLockManager.acquire(&file, LockType::Exclusive, &LockOptions::default())?;
/// for holder in FileLockManager.holders(&file)? {
///     println!("process {:?}, since {:?}, told by {}", holder.pid, holder.since, holder.source);
/// }
/// # drop(guard);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// Its process.
    pub pid: Option<u32>,
    /// How it holds.
    pub kind: Option<LockType>,
    /// Since when (only of our holders).
    pub since: Option<Timestamp>,
    /// On which machine.
    pub host: Option<String>,
    /// Where this was learnt: `process` (this one), `record` (a holder record that proved true), `kernel` (`/proc/locks`),
    /// `probe` (the lock is taken, by whom is not known).
    pub source: &'static str,
}

/// Options of [`FileLockManager::acquire`].
///
/// ```
/// use electrus::lock::{LockOptions, Timeout};
///
/// let once = LockOptions { timeout: Timeout::Try, ..LockOptions::default() };
/// assert_eq!(LockOptions::default().timeout, Timeout::from_seconds(10.0)?);
/// # let _ = once;
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LockOptions {
    /// How long to wait.
    pub timeout: Timeout,
    /// On whose behalf.
    pub owner: Owner,
    /// Cancels the wait, within about 50 ms.
    pub progress: Progress,
}

/// Takes locks and tells who holds them. `Send + Sync`, cheap to clone; all managers of a process know of each other.
///
/// ```
/// use electrus::lock::{FileLockManager, LockOptions, LockType};
/// use electrus::path::Location;
///
/// # let folder = tempfile::tempdir()?;
/// let file = Location::ordinary(folder.path().join("ledger"))?;
/// let guard = FileLockManager.acquire(&file, LockType::Exclusive, &LockOptions::default())?;
/// assert!(FileLockManager.is_locked(&file)?);
/// guard.release()?;
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FileLockManager;

impl FileLockManager {
    /// Takes the lock of a file, which need not exist (its folder must).
    ///
    /// Under `electrus lock F -- CMD`, the lock of `F` is held already by way of the descriptor that `CMD` inherited:
    /// then the guard is on that one.
    ///
    /// # Errors
    /// [`Code::LockTimeout`], [`Code::WouldDeadlock`] (the owner holds it), [`Code::Cancelled`], [`Code::NotAFile`]
    /// (something else than a regular file stands where the sidecar should), and what the system says: a
    /// missing folder, no permission to create the sidecar.
    ///
    /// ```
    /// use electrus::lock::{FileLockManager, LockOptions, LockType, Timeout};
    /// use electrus::path::Location;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let file = Location::ordinary(folder.path().join("ledger"))?;
    /// let patient = LockOptions { timeout: Timeout::from_seconds(2.5)?, ..LockOptions::default() };
    /// let guard = FileLockManager.acquire(&file, LockType::Exclusive, &patient)?;
    /// // … change the file …
    /// guard.release()?;
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn acquire(&self, location: &Location, kind: LockType, options: &LockOptions) -> Result<LockGuard> {
        acquire::acquire(location, kind, options).map_err(|e| e.during("lock"))
    }

    /// Whether anybody, in this process or another, holds it. Old by the time it is known: to do something
    /// under the lock, acquire it with [`Timeout::Try`].
    ///
    /// # Errors
    /// Those of [`holders`](FileLockManager::holders).
    pub fn is_locked(&self, location: &Location) -> Result<bool> {
        Ok(!self.holders(location)?.is_empty())
    }

    /// Who holds it, this process first.
    ///
    /// # Errors
    /// `not_a_file` if something else than a regular file stands where the sidecar should; what the system says:
    /// `permission_denied`, `io`. A sidecar that is not there is held by nobody.
    pub fn holders(&self, location: &Location) -> Result<Vec<Holder>> {
        holders::holders(location).map_err(|e| e.during("locks"))
    }

    /// Who is excluded: `system` (every process on this machine) or `process` (the threads of this one).
    pub fn scope(&self) -> &'static str {
        sys::locks::SCOPE
    }
}

#[cfg(test)]
mod tests;
