//! Writes that go together: which may, and what they share.

use super::{Change, Source, Workspace};
use crate::atomic::Staged;
use crate::error::{Code, Error, IoContext, Result};
use crate::path::{Key, Location};
use crate::sys::{self, Dir};
use std::collections::hash_map::Entry as MapEntry;
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
fn shares_flush(files: usize) -> bool {
    files > SHARE_ABOVE && sys::flushes_file_systems() && !CANNOT_SHARE.load(Relaxed)
}

/// The file systems that a group writes to, opened before its first write: a flush tells of failures since its descriptor
/// was opened. One for each group, because a failure is told to a descriptor once.
#[derive(Debug)]
pub(crate) struct FlushPoint(HashMap<u64, Dir>);

impl FlushPoint {
    fn add(&mut self, dir: &Dir) -> io::Result<()> {
        if let MapEntry::Vacant(place) = self.0.entry(dir.stat_self()?.device) {
            place.insert(dir.open_dir(OsStr::new("."))?);
        }
        Ok(())
    }
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

#[cfg(test)]
thread_local! {
    /// Makes the next shared flush of this thread fail.
    pub(super) static FAIL: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

impl Workspace {
    /// To be made before anything of a group is written. `None`: each file of it is to be flushed by itself.
    pub(super) fn flush_point(&self, group: &VecDeque<Waiting<'_, '_>>) -> Option<FlushPoint> {
        // What a writer has spooled was written before.
        let spooled = group.iter().any(|(_, change)| matches!(change.source, Source::Spooled(_)));
        if spooled { None } else { self.flush_point_of(group.iter().map(|(_, change)| &change.location)) }
    }

    /// The same of files that are all still to be written.
    pub(crate) fn flush_point_of<'l>(
        &self,
        locations: impl Iterator<Item = &'l Location> + Clone,
    ) -> Option<FlushPoint> {
        if !shares_flush(locations.clone().count()) {
            return None;
        }
        let mut point = FlushPoint(HashMap::new());
        // A store that is not there yet will be on the file system of its parent.
        point.add(self.base().dir()).ok()?;
        if let Ok(store) = self.store_dir() {
            point.add(&store).ok()?;
        }
        locations.map(|location| location.dir()).try_for_each(|dir| point.add(dir)).ok()?;
        Some(point)
    }

    /// Makes everything durable that was staged and recorded without a flush since the point was made.
    pub(crate) fn flush_together<'a>(
        &self,
        point: &FlushPoint,
        staged: impl Iterator<Item = (&'a Location, &'a mut Staged)>,
    ) -> Result<()> {
        let (locations, files): (Vec<_>, Vec<_>) = staged.unzip();
        match self.flush_file_systems(point, &locations) {
            Err(e) if e.code() == Code::Unsupported => {
                if e.path().is_some() {
                    CANNOT_SHARE.store(true, Relaxed);
                }
                files.into_iter().try_for_each(Staged::flush)?;
                self.flush_store_files()
            }
            answer => answer,
        }
    }

    /// Each segment by itself: what was recorded without a flush may be in any of them.
    pub(super) fn flush_store_files(&self) -> Result<()> {
        let store = self.store_dir()?;
        for folder in ["segments", "guests"] {
            let path = self.store().path().join(folder);
            let segments = match store.open_dir(OsStr::new(folder)) {
                Err(e) if e.kind() == io::ErrorKind::NotFound && folder == "guests" => continue,
                segments => segments.at(&path)?,
            };
            for entry in segments.entries().at(&path)? {
                match segments.open_read(&entry.name) {
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {} // pruned meanwhile
                    file => sys::sync_file(&file.at(path.join(&entry.name))?).at(path.join(&entry.name))?,
                }
            }
            segments.sync().at(&path)?;
        }
        Ok(())
    }

    fn flush_file_systems(&self, point: &FlushPoint, locations: &[&Location]) -> Result<()> {
        #[cfg(test)]
        if FAIL.take() {
            return Err(Error::io(io::Error::other("a flush that was made to fail"), self.store().path()));
        }
        // Only those that this group has come to: others need not even answer.
        let mut devices = HashSet::from([self.store_dir()?.stat_self().at(self.store().path())?.device]);
        for location in locations {
            devices.insert(location.dir().stat_self().at(location.path())?.device);
        }
        for device in devices {
            // One that was not there when the group began: each file by itself.
            let dir = point.0.get(&device).ok_or_else(|| Error::new(Code::Unsupported))?;
            sys::sync_file_system(dir).at(self.base().path())?;
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
