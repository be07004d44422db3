//! Writes that go together: which may, and what they share.

use super::{Change, Workspace};
use crate::atomic::Staged;
use crate::error::{Code, Error, IoContext, Result};
use crate::path::{Key, Location};
use crate::sys;
use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsStr;
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// Groups above this flush whole file systems once, where the platform can.
const SHARE_ABOVE: usize = 8;
/// Most files of a group.
const MOST: usize = 1024;
/// Each file of a group has its lock and its temporary file open, and perhaps its folder.
const DESCRIPTORS_EACH: u64 = 4;

/// A change and its place among the results.
pub(super) type Waiting<'s, 'o> = (usize, Change<'s, 'o>);

/// Sorts changes into groups: in the order of their names, no name twice in a group, and a second change of a name in a
/// later group than the first.
pub(super) fn groups<'s, 'o>(changes: Vec<Change<'s, 'o>>) -> Vec<VecDeque<Waiting<'s, 'o>>> {
    let mut earlier: HashMap<Key, usize> = HashMap::new();
    let mut waves: Vec<Vec<Waiting<'s, 'o>>> = Vec::new();
    for (index, change) in changes.into_iter().enumerate() {
        let count = earlier.entry(change.location.key().clone()).or_default();
        if waves.len() == *count {
            waves.push(Vec::new());
        }
        waves[*count].push((index, change));
        *count += 1;
    }
    waves.into_iter().flat_map(split).collect()
}

fn split<'s, 'o>(mut wave: Vec<Waiting<'s, 'o>>) -> Vec<VecDeque<Waiting<'s, 'o>>> {
    wave.sort_by(|(_, a), (_, b)| a.location.key().cmp(b.location.key()));
    let most = most_at_once();
    let mut wave = wave.into_iter().peekable();
    let mut groups = Vec::new();
    while wave.peek().is_some() {
        groups.push(wave.by_ref().take(most).collect());
    }
    groups
}

fn most_at_once() -> usize {
    usize::try_from(sys::open_file_limit() / DESCRIPTORS_EACH).unwrap_or(MOST).clamp(1, MOST)
}

/// A kernel or a file system answered once that it cannot flush a whole file system.
static CANNOT_SHARE: AtomicBool = AtomicBool::new(false);

/// Whether a group of this size flushes once for all.
pub(crate) fn shares_flush(files: usize) -> bool {
    files > SHARE_ABOVE && sys::FLUSHES_FILE_SYSTEMS && !CANNOT_SHARE.load(Relaxed)
}

/// Does both at once where a thread can be had, else one after the other. Not a thread of a pool: one that waits there
/// could be given other work, under whatever locks its caller holds.
pub(super) fn both<A: Send, B>(aside: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    let mut aside = Some(aside);
    let (there, here) = thread::scope(|scope| {
        let work = || aside.take().map(|work| work());
        let thread = thread::Builder::new().spawn_scoped(scope, work);
        let here = here();
        let there = thread.ok().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        (there.flatten(), here)
    });
    match (there, aside) {
        (Some(there), _) => (there, here),
        (None, Some(work)) => (work(), here),
        (None, None) => unreachable!("work that was taken has answered or panicked"),
    }
}

impl Workspace {
    /// Makes everything durable that was staged and recorded without a flush.
    pub(crate) fn flush_together<'a>(
        &self,
        staged: impl Iterator<Item = (&'a Location, &'a mut Staged)>,
    ) -> Result<()> {
        let (locations, files): (Vec<_>, Vec<_>) = staged.unzip();
        match self.flush_file_systems(&locations) {
            Err(e) if e.code() == Code::Unsupported => {
                CANNOT_SHARE.store(true, Relaxed);
                files.into_iter().try_for_each(Staged::flush)?;
                self.flush_store_files()
            }
            answer => answer,
        }
    }

    /// Each segment by itself: what was recorded without a flush may be in any of them.
    pub(super) fn flush_store_files(&self) -> Result<()> {
        let path = self.store().path().join("segments");
        let segments = self.store_dir()?.open_dir(OsStr::new("segments")).at(&path)?;
        for entry in segments.entries().at(&path)? {
            match segments.open_read(&entry.name) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {} // pruned meanwhile
                file => sys::sync_file(&file.at(path.join(&entry.name))?).at(path.join(&entry.name))?,
            }
        }
        segments.sync().at(&path).map(drop)
    }

    fn flush_file_systems(&self, locations: &[&Location]) -> Result<()> {
        let mut flushed = HashSet::new();
        let store = self.store_dir()?;
        flushed.insert(store.stat_self().at(self.store().path())?.device);
        sys::sync_file_system(&store).at(self.store().path())?;
        for location in locations {
            let device = location.dir().stat_self().at(location.path())?.device;
            if flushed.insert(device) {
                sys::sync_file_system(location.dir()).at(location.path())?;
            }
        }
        Ok(())
    }

    /// Makes new names durable, each folder once. For each file: whether that could be done.
    pub(crate) fn sync_folders(&self, locations: &[&Location]) -> Vec<Result<bool>> {
        let mut synced: HashMap<(u64, u64), io::Result<bool>> = HashMap::new();
        locations
            .iter()
            .map(|location| {
                let stat = location.dir().stat_self().at(location.path())?;
                let answer = synced.entry((stat.device, stat.inode)).or_insert_with(|| location.dir().sync());
                match answer {
                    Ok(done) => Ok(*done),
                    Err(e) => Err(lost_power(e, location)),
                }
            })
            .collect()
    }
}

fn lost_power(error: &io::Error, location: &Location) -> Error {
    let copy = match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    };
    Error::io(copy, location.path()).with_code(Code::DurabilityUnknown)
}
