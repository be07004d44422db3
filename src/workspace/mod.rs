//! An open base folder with its store and locks, and the one sequence by which a file is changed so that nothing is lost.
//!
//! ```text
//! write:   lock NAME.lock → temporary file: write, flush
//!          → what stands there: in history? else it goes there as `outside_edit`
//!          → version of the new content → store: flush
//!          → exchange names, look at what really came out → flush the folder
//!          → read back and compare → note that the version landed → unlock
//! ```
//!
//! A crash before the exchange leaves the old file and a version that never landed (told apart by comparing the file);
//! one after it leaves the new file, which history holds. What is not excluded: a program that takes no lock and writes
//! through a descriptor that it opened before the exchange writes into the file that was replaced. What it wrote before
//! the exchange is kept; what it writes after is lost, as with any replacement of a file.

mod change;
mod group;
mod notes;
mod obstacle;
mod remove;
mod rename;
mod snapshot;
mod survey;
mod turn;
mod write;

pub(crate) use group::shares_flush;
pub(crate) use remove::tombstone;
pub(crate) use survey::{Survey, best_digest, digest_file, landed, open_standing, same_content, unchanged};
pub(crate) use turn::{Slot, Turn, new_version};
pub(crate) use write::{check_restored, copy, keep_staged, read_back};

pub use change::{Change, ChangeOptions, Changed, Hold, Source, Spooled};

use crate::atomic;
use crate::error::{Code, Error, Family, IoContext, Result};
use crate::lock::{FileLockManager, LockGuard, LockOptions, LockType, Timeout, refuse_sidecar};
use crate::path::{Base, Follow, Location, STORE};
use crate::store::{Store, StoreOptions};
use crate::sys::Dir;
use crate::transaction::{self, Recovered};
use notes::Notes;
use obstacle::obstacle;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// What may fail after a change, in words.
pub(crate) const UNRELEASED: &str = "its lock could not be given back";
const UNKEPT: &str = "what was written to the file meanwhile could not be kept";

/// How a base folder is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Names may lead out of the base folder.
    pub allow_outside: bool,
    /// The store is readable and writable by the folder's group (`shared: group`).
    pub group: bool,
    /// Never change a byte.
    pub read_only: bool,
    /// Where backups go; `<base>/.electrus/backups` unless given.
    pub backup_dir: Option<PathBuf>,
}

/// An open base folder. `Send + Sync`, cheap to clone: clones are the same workspace.
#[derive(Clone, Debug)]
pub struct Workspace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    base: Base,
    store: Store,
    locks: FileLockManager,
    options: OpenOptions,
    notes: Notes,
    recovered: OnceLock<Vec<Recovered>>,
}

impl Workspace {
    /// Opens an existing base folder: finishes transactions that a crash left, removes temporary files of dead writers.
    /// Creates nothing.
    pub fn open(base: impl AsRef<Path>, options: &OpenOptions) -> Result<Workspace> {
        let base = Base::open(base, options.allow_outside)?;
        let how = StoreOptions { group: options.group, read_only: options.read_only };
        let store = Store::open(base.dir(), STORE, base.path(), how)?;
        let workspace = Workspace(Arc::new(Inner {
            base,
            store,
            locks: FileLockManager,
            options: options.clone(),
            notes: Notes::default(),
            recovered: OnceLock::new(),
        }));
        match workspace.tidy() {
            // Files can be read without a store that can be written, and a damaged one repaired: what needs it will say so.
            Err(e) if can_wait(&e) => Ok(workspace),
            answer => answer.map(|()| workspace),
        }
    }

    /// Finishes what dead writers began.
    fn tidy(&self) -> Result<()> {
        self.writable()?;
        let recovered = transaction::recover(self)?;
        self.0.recovered.get_or_init(|| recovered);
        self.remove_leftovers()
    }

    /// The base folder.
    pub fn base(&self) -> &Base {
        &self.0.base
    }

    /// The store of versions.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The transactions that a crash had left when this was opened: carried out, or why not.
    pub fn recovered(&self) -> &[Recovered] {
        self.0.recovered.get().map_or(&[], Vec::as_slice)
    }

    /// The lock manager.
    pub fn locks(&self) -> &FileLockManager {
        &self.0.locks
    }

    /// The options it was opened with.
    pub fn options(&self) -> &OpenOptions {
        &self.0.options
    }

    /// Replaces one file.
    pub fn write(&self, location: Location, source: Source<'_>, options: ChangeOptions<'_>) -> Result<Changed> {
        let mut results = self.write_many(vec![Change { location, source, options }]);
        results.pop().unwrap_or_else(|| Err(Error::new(Code::Internal)))
    }

    /// Writes down what was postponed and reports a failure to do so. Dropping the last clone does the same, without
    /// telling.
    pub fn close(&self) -> Result<()> {
        self.flush_notes()?;
        self.0.store.close()
    }

    /// Removes what dead writers left in the folders that they noted; those are forgotten once all are tidy. A folder that
    /// is gone, or leads elsewhere now, holds nothing of ours.
    fn remove_leftovers(&self) -> Result<()> {
        let left = self.0.store.left_folders()?;
        let tidy = |folder: &Vec<u8>| match self.folder(folder) {
            Ok((dir, path)) => atomic::remove_leftovers(&dir, &path).is_ok(),
            Err(e) => !matches!(e.code().family(), Family::Permission | Family::Resource | Family::Io),
        };
        let untidy = left.folders.iter().filter(|folder| !tidy(folder)).count();
        if untidy == 0 && !left.is_empty() { self.0.store.forget_folders(left) } else { Ok(()) }
    }

    /// A folder by the key that the store holds: hostile like any other name.
    fn folder(&self, key: &[u8]) -> Result<(Arc<Dir>, PathBuf)> {
        if key.is_empty() {
            return Ok((self.0.base.dir().clone(), self.0.base.path().to_owned()));
        }
        let name = crate::path::Key::from_bytes(key.to_vec()).to_path().join("any");
        let inside = self.0.base.resolve(name, Follow::Parent)?;
        let path = inside.path().parent().unwrap_or(Path::new("/")).to_owned();
        Ok((inside.dir().clone(), path))
    }

    /// Refuses a change where nothing may change.
    pub(crate) fn writable(&self) -> Result<()> {
        match self.0.options.read_only {
            true => Err(Error::message(Code::ReadOnly, "the folder was opened read-only")),
            false => Ok(()),
        }
    }

    /// Takes the file's lock, or makes sure that the caller's covers it (then there is none to give back).
    fn enter(&self, location: &Location, hold: &Hold<'_>) -> Result<Option<LockGuard>> {
        match hold {
            Hold::Take(options) => self.acquire(location, LockType::Exclusive, options).map(Some),
            Hold::Use(guard) if guard.covers(location) => Ok(None),
            Hold::Use(_) => Err(Error::new(Code::NotLocked).at(location.path())),
        }
    }

    /// Takes the locks of two files in the order of their names, so that two who want both do not wait for each other.
    /// A lock that the caller holds on one of them serves for that one.
    pub(crate) fn enter_both(
        &self,
        first: (&Location, LockType),
        second: (&Location, LockType),
        hold: &Hold<'_>,
    ) -> Result<Vec<LockGuard>> {
        let mut both = [first, second];
        both.sort_by(|a, b| a.0.key().cmp(b.0.key()));
        let mut changed = both.iter().filter(|(_, kind)| *kind == LockType::Exclusive);
        changed.try_for_each(|(location, _)| refuse_sidecar(location))?;
        let (held, options) = match hold {
            Hold::Take(options) => (None, options.clone()),
            Hold::Use(guard) => (Some(guard), LockOptions::default()),
        };
        let serves = |guard: &LockGuard, file: &Location, kind| match kind {
            LockType::Exclusive => guard.covers(file),
            LockType::Shared => guard.is_of(file),
        };
        let wanted: Vec<_> = both.into_iter().filter(|(l, kind)| !held.is_some_and(|g| serves(g, l, *kind))).collect();
        if held.is_some() && wanted.len() == 2 {
            return Err(Error::new(Code::NotLocked).at(first.0.path()));
        }
        wanted.into_iter().map(|(location, kind)| self.acquire(location, kind, &options)).collect()
    }

    /// Takes a file's lock, once the transaction of a process that died over this file is carried out: a change made
    /// before that would be undone by it.
    ///
    /// # Errors
    /// Where it cannot be carried out within the time-out, what keeps it from that: `lock_timeout` if somebody holds the
    /// lock of another of its files. One that never can be carried out keeps nobody from working.
    pub(crate) fn acquire(&self, location: &Location, kind: LockType, options: &LockOptions) -> Result<LockGuard> {
        let guard = self.0.locks.acquire(location, kind, options)?;
        if self.0.options.read_only || transaction::concerning(self, location)?.is_empty() {
            return Ok(guard);
        }
        guard.release()?;
        self.acquire_after_recovery(location, kind, options)
    }

    fn acquire_after_recovery(&self, location: &Location, kind: LockType, options: &LockOptions) -> Result<LockGuard> {
        let start = Instant::now();
        loop {
            options.progress.check()?;
            let recovered = transaction::recover_within(self, Timeout::Try)?;
            let left = options.timeout.after(start.elapsed());
            let guard = self.0.locks.acquire(location, kind, &LockOptions { timeout: left, ..options.clone() })?;
            let concerning = transaction::concerning(self, location)?;
            let Some(obstacle) = obstacle(&concerning, &recovered) else { return Ok(guard) };
            guard.release()?;
            obstacle.wait(location, options.timeout, start.elapsed())?;
        }
    }

    /// Notes the folder in which a temporary file is about to stand.
    fn note_folder(&self, location: &Location) -> Result<()> {
        let key = location.key().as_bytes();
        let folder = key.iter().rposition(|b| *b == b'/').map_or(&key[..0], |slash| &key[..slash]);
        self.0.store.note_folder(folder)
    }

    /// Makes sure that `.electrus` is there, private from its first moment.
    pub(crate) fn make_store_folder(&self) -> Result<()> {
        let mode = if self.0.options.group { 0o770 } else { 0o700 };
        match self.0.base.dir().create_dir(OsStr::new(STORE), mode) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(Error::io(e, self.0.store.path())),
            // Whoever made it may not have come to flush it yet.
            _ => self.0.base.dir().sync().at(self.0.store.path()).map(drop),
        }
    }

    /// The store's own folder.
    fn store_dir(&self) -> Result<Dir> {
        self.0.base.dir().open_dir(OsStr::new(STORE)).at(self.0.store.path())
    }
}

/// Whether a store that is not in order need not keep a folder from being opened.
fn can_wait(error: &Error) -> bool {
    matches!(error.code(), Code::PermissionDenied | Code::ReadOnly | Code::Damaged | Code::FormatUnsupported)
}

/// Gives locks back; a failure to do so is an error of what ran under them.
pub(crate) fn release(guards: impl IntoIterator<Item = LockGuard>) -> Result<()> {
    guards.into_iter().try_for_each(LockGuard::release)
}
