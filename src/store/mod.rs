//! The store: versions and backups on disk, in one format (`docs/format.md`).
//!
//! Opened on a folder, it holds *contents* (chunked, deduplicated, compressed) and *records* about them: versions of
//! files and snapshots of trees. Opening and writing cost the same whatever it holds.
//!
//! From leaf to face: `fields`, `record` (framing), `payload` (what records say), `chunker`, `codec`, `frame`, `scan`
//! (a segment from front to back), `layout` (folders and names), `index`, `view` (what one process knows), `gaps` (what
//! is missing in it), `append`, `session`, `reader`, `history`; `verify`, `prune` and `repair` work on all of it; `active`
//! remembers who is at work.

mod active;
mod append;
mod chunker;
mod codec;
pub(crate) mod fields;
mod frame;
mod gaps;
mod history;
mod index;
mod layout;
mod model;
pub(crate) mod payload;
mod prune;
mod reader;
pub(crate) mod record;
mod repair;
mod rewrite;
mod scan;
mod session;
mod side;
mod verify;
mod view;

#[cfg(test)]
mod tests;

#[doc(hidden)]
pub use active::LeftFolders;
pub use model::*;
pub use reader::ContentReader;
#[doc(hidden)]
pub use session::{Session, Unflushed};

use crate::error::{Code, Error, Result};
use crate::process::PerProcess;
use crate::sys::{Dir, Locked};
use append::Gate;
use layout::Layout;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use view::View;

/// Whether this build cannot exclude other processes: it then writes only to segments of its own.
const GUEST: bool = cfg!(any(feature = "process-locks", target_os = "wasi"));

/// How a store is opened.
#[derive(Clone, Copy, Debug, Default)]
#[doc(hidden)]
pub struct StoreOptions {
    /// Readable and writable by the folder's group; else by its owner only.
    pub group: bool,
    /// Never write a byte, not even to create it.
    pub read_only: bool,
}

/// An open store. `Send + Sync`; cheap to clone: clones are the same store.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Store(Arc<Shared>);

/// What clones and sessions of one open store share.
#[derive(Debug)]
struct Shared {
    parent: Dir,
    name: OsString,
    path: PathBuf,
    options: StoreOptions,
    state: PerProcess<State>,
}

/// What a process knows and holds of an open store. A forked child begins a new one, and leaves that of its parent as it
/// is: the locks in it are the parent's, and a thread that does not exist in the child may be in the middle of anything.
#[derive(Debug)]
struct State {
    generation: u64,
    view: Mutex<Option<View>>,
    /// Taken before the view, for as long as this process has the append lock.
    appending: Gate,
    /// How many sessions keep prune away, and the lock by which they do.
    writers: Mutex<(usize, Option<Locked>)>,
    frames: reader::FrameCache,
    active: Mutex<active::Active>,
    /// The guest segment of this process.
    own: Mutex<Option<u64>>,
}

impl Store {
    /// Opens the store `name` in `parent` (an open folder whose path is `path`). Nothing is created before the first write.
    pub(crate) fn open(parent: &Dir, name: &str, path: &Path, options: StoreOptions) -> Result<Store> {
        let parent = parent.try_clone().map_err(|e| Error::io(e, path))?;
        Ok(Store(Arc::new(Shared {
            parent,
            name: name.into(),
            path: path.join(name),
            options,
            state: PerProcess::new(),
        })))
    }

    /// Its path, for messages.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether it exists on disk yet.
    pub fn exists(&self) -> Result<bool> {
        self.0.with_view(|view| Ok(view.is_some()))
    }

    /// Starts to write. Contents that are put are found again by others once [`Session::commit`] has returned.
    pub fn begin(&self) -> Result<Session> {
        Session::begin(self.0.clone())
    }

    /// Closes what this process holds open. Dropping the last clone does the same, without telling.
    pub fn close(&self) -> Result<()> {
        self.0.close_active()?;
        *lock(&self.0.state().view) = None;
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = self.close_active(); // `close` tells of errors
    }
}

impl State {
    fn new(generation: u64) -> State {
        State {
            generation,
            view: Mutex::default(),
            appending: Gate::default(),
            writers: Mutex::default(),
            frames: reader::FrameCache::default(),
            active: Mutex::default(),
            own: Mutex::default(),
        }
    }
}

impl Shared {
    /// That of the process that asks.
    fn state(&self) -> &State {
        self.state.get(State::new)
    }

    /// Looks at the store as it is now; `None` if there is none.
    ///
    /// A segment that is gone was pruned away since the index was read: that is read again, once.
    fn with_view<R>(&self, mut look: impl FnMut(Option<&mut View>) -> Result<R>) -> Result<R> {
        let mut guard = lock(&self.state().view);
        match &mut *guard {
            Some(view) => view.refresh()?,
            empty => {
                let layout = Layout::open(&self.parent, &self.name, &self.path, self.options)?;
                *empty = layout.map(View::load).transpose()?;
            }
        }
        match (look(guard.as_mut()), guard.as_mut()) {
            (Err(e), Some(view)) if e.code() == Code::NotFound => {
                view.reload()?;
                look(Some(view))
            }
            (answer, _) => answer,
        }
    }

    /// As [`Shared::with_view`], creating the store if need be.
    fn with_created_view<R>(&self, work: impl FnOnce(&mut View) -> Result<R>) -> Result<R> {
        self.check_writable()?;
        let mut guard = lock(&self.state().view);
        if guard.is_none() {
            let layout = match Layout::open(&self.parent, &self.name, &self.path, self.options)? {
                Some(layout) => layout,
                None => Layout::create(&self.parent, &self.name, &self.path, self.options)?,
            };
            *guard = Some(View::load(layout)?);
        }
        let view = guard.as_mut().ok_or_else(|| Error::new(Code::Internal))?;
        view.layout.settle(&self.parent)?;
        work(view)
    }

    /// Looks at the store without reading on.
    fn with_loaded_view<R>(&self, look: impl FnOnce(&mut View) -> Result<R>) -> Result<R> {
        if let Some(view) = &mut *lock(&self.state().view) {
            return look(view);
        }
        self.with_view(|_| Ok(()))?;
        look(lock(&self.state().view).as_mut().ok_or_else(|| Error::new(Code::NoStore).at(&self.path))?)
    }

    /// Keeps prune away. Give it back with [`Shared::leave`], in the process whose generation this answers.
    fn enter(&self) -> Result<u64> {
        let state = self.state();
        let mut writers = lock(&state.writers);
        if writers.0 == 0 {
            let file = self.with_created_view(|view| view.layout.lock_file("store.lock"))?;
            let file = file.ok_or_else(|| Error::new(Code::ReadOnly).at(&self.path))?;
            writers.1 = Some(Locked::wait(file, false).map_err(|e| append::busy(e, &self.path))?);
        }
        writers.0 += 1;
        Ok(state.generation)
    }

    fn leave(&self) {
        let mut writers = lock(&self.state().writers);
        writers.0 = writers.0.saturating_sub(1);
        if writers.0 == 0 {
            writers.1 = None;
        }
    }

    /// The store for this process alone: no writer, in this process or another. Waits a little, then `store_busy`.
    fn exclude_writers(&self) -> Result<Locked> {
        let mut file = self
            .with_created_view(|view| view.layout.lock_file("store.lock"))?
            .ok_or_else(|| Error::new(Code::ReadOnly).at(&self.path))?;
        for _ in 0..1000 {
            match Locked::attempt(file, true).map_err(|e| append::busy(e, &self.path))? {
                Ok(locked) => return Ok(locked),
                Err(back) => file = back,
            }
            if !cfg!(target_os = "wasi") {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
        Err(Error::new(Code::StoreBusy).at(&self.path))
    }
}

/// A panic elsewhere leaves nothing half-done that the next user could not read again from disk.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
