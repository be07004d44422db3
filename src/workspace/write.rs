//! Replacing files: one, or several that share their flushes.

use super::change::{Change, ChangeOptions, Changed, Source};
use super::group::{FlushPoint, Waiting, both, groups};
use super::survey::{BEST, History, Standing, Survey, best_digest, broken, digest_file, open_standing, unchanged};
use super::turn::{BIG, Numbers, Slot, Turn, new_version};
use super::{UNRELEASED, Workspace, release};
use crate::atomic::{AtomicFile, Condition, Displaced, Durability, Staged, WriteOptions, Written};
use crate::checksum::Algorithm;
use crate::error::{Code, Error, IoContext, Result};
use crate::lock::{LockGuard, refuse_sidecar};
use crate::path::Location;
use crate::progress::Progress;
use crate::store::{FileState, Identity, Landed, NewVersion, Store, Unflushed, VersionKind};
use crate::sys::{self, Stat};
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// What may fail after the change.
const UNREAD: &str = "it could not be read back";

/// A change whose temporary file is complete.
struct Staging<'s, 'o> {
    index: usize,
    location: Location,
    options: ChangeOptions<'o>,
    guard: Option<LockGuard>,
    staged: Staged,
    /// The content, where it is in memory anyway.
    bytes: Option<&'s [u8]>,
}

/// A change whose versions are in the store.
struct Recorded<'o> {
    index: usize,
    location: Location,
    options: ChangeOptions<'o>,
    guard: Option<LockGuard>,
    staged: Option<Staged>,
    survey: Survey,
    state: Option<FileState>,
    slots: (Option<Slot>, Option<Slot>),
    outside_edit: Option<u64>,
    version: Option<u64>,
}

/// One result for each change, as they become known.
struct Results(Vec<Option<Result<Changed>>>);

impl Results {
    /// Passes a success on; a failure is the change's result.
    fn keep<T>(&mut self, index: usize, answer: Result<T>) -> Option<T> {
        answer.map_err(|e| self.set(index, Err(e))).ok()
    }

    fn set(&mut self, index: usize, result: Result<Changed>) {
        self.0[index] = Some(result);
    }
}

impl Workspace {
    /// Replaces several files, each atomically and with the same guarantees as alone; flushes are shared. One result for
    /// each in order; one that fails fails alone. Locks are taken in one sorted order; a name that comes twice is
    /// written twice, in order.
    #[doc(hidden)]
    pub fn write_many(&self, changes: Vec<Change<'_, '_>>) -> Vec<Result<Changed>> {
        let mut results = Results((0..changes.len()).map(|_| None).collect());
        for mut group in groups(changes) {
            let point = self.flush_point(&group);
            while !group.is_empty() {
                let staged = self.stage_all(&mut group, &mut results);
                let recorded = self.record_all(staged, point.as_ref(), &mut results);
                self.publish_all(recorded, &mut results);
            }
        }
        results.0.into_iter().map(|r| r.unwrap_or_else(|| Err(Error::new(Code::Internal)))).collect()
    }

    /// Locks files and writes their temporary ones, as many as there are descriptors for.
    fn stage_all<'s, 'o>(&self, group: &mut VecDeque<Waiting<'s, 'o>>, results: &mut Results) -> Vec<Staging<'s, 'o>> {
        let mut done: Vec<Staging> = Vec::new();
        while let Some((index, change)) = group.pop_front() {
            match self.open_temp(&change) {
                Ok((guard, temp)) => {
                    let path = change.location.path().to_owned();
                    let staged = stage(self.store(), index, change, guard, temp).map_err(|e| e.at(path));
                    done.extend(results.keep(index, staged));
                }
                // The files that are open already go first, and give theirs back.
                Err(e) if e.code() == Code::TooManyOpenFiles && !done.is_empty() => {
                    group.push_front((index, change));
                    break;
                }
                Err(e) => results.set(index, Err(e)),
            }
        }
        done
    }

    fn open_temp(&self, change: &Change<'_, '_>) -> Result<(Option<LockGuard>, Option<AtomicFile>)> {
        self.writable()?;
        refuse_sidecar(&change.location)?;
        let guard = self.enter(&change.location, &change.options.hold)?;
        if matches!(change.source, Source::Spooled(_)) {
            return Ok((guard, None));
        }
        let also = match &change.source {
            Source::Stored(state) => best_digest(state).map(|d| d.algorithm()),
            _ => None,
        };
        Ok((guard, Some(self.temp(&change.location, &change.options, also)?)))
    }

    /// A temporary file beside its target, noted so that it is found should this process die.
    pub(crate) fn temp(
        &self,
        location: &Location,
        options: &ChangeOptions<'_>,
        also: Option<Algorithm>,
    ) -> Result<AtomicFile> {
        self.note_folder(location)?;
        AtomicFile::create(location, &write_options(options, also))
    }

    /// Brings into the store what is new, one commit for all.
    fn record_all<'o>(
        &self,
        items: Vec<Staging<'_, 'o>>,
        shared: Option<&FlushPoint>,
        results: &mut Results,
    ) -> Vec<Recorded<'o>> {
        let mut turn = Turn::new(self);
        let mut ready = Vec::new();
        for item in items {
            let (index, path) = (item.index, item.location.path().to_owned());
            let recorded = self.record(item, &mut turn).map_err(|e| e.at(path));
            ready.extend(results.keep(index, recorded));
        }
        let durable = ready.iter().any(|r| r.survey.lacks().is_some() || r.options.durability > Durability::None);
        match shared {
            Some(point) => self.flush_shared(turn, point, durable, &mut ready, results),
            None => self.flush_each(turn, durable, &mut ready, results),
        }
        ready
    }

    /// One flush for all that was written. If it fails, what was recorded is taken back: a later write must not rely on
    /// bytes that may be lost.
    fn flush_shared(
        &self,
        turn: Turn<'_>,
        point: &FlushPoint,
        durable: bool,
        ready: &mut Vec<Recorded<'_>>,
        results: &mut Results,
    ) {
        let (numbers, unflushed) = match turn.commit_unflushed() {
            Ok((numbers, unflushed)) => (Ok(numbers), unflushed),
            Err(e) => (Err(e), None),
        };
        number_all(numbers, ready, results);
        if !durable || ready.is_empty() {
            unflushed.into_iter().for_each(Unflushed::leave);
            return;
        }
        let staged = ready.iter_mut().filter_map(|r| Some((&r.location, r.staged.as_mut()?)));
        match self.flush_together(point, staged) {
            Ok(()) => unflushed.into_iter().for_each(Unflushed::settle),
            Err(e) => {
                drop(unflushed);
                fail_all(&e, std::mem::take(ready), results);
            }
        }
    }

    /// Large contents and the store are flushed at the same time: neither needs the other before the names are exchanged.
    /// For small ones a thread costs more than it saves: a record in the log is flushed in a fraction of the time.
    fn flush_each(&self, turn: Turn<'_>, durable: bool, ready: &mut Vec<Recorded<'_>>, results: &mut Results) {
        let mut files: Vec<(usize, &mut Staged)> = ready
            .iter_mut()
            .filter(|r| r.options.durability > Durability::None)
            .filter_map(|r| Some((r.index, r.staged.as_mut()?)))
            .collect();
        let large = files.iter().map(|(_, file)| file.size()).sum::<u64>() > BIG;
        let mut flush = || files.iter_mut().map(|(index, file)| (*index, file.flush())).collect::<Vec<_>>();
        let (flushed, committed) = match durable && large && turn.has_records() {
            true => both(flush, || turn.commit(true)),
            false => (flush(), turn.commit(durable)),
        };
        number_all(committed, ready, results);
        for (index, error) in flushed.into_iter().filter_map(|(index, flushed)| Some((index, flushed.err()?))) {
            for item in extract(ready, |r| r.index == index) {
                results.set(index, Err(self.not_landed(&item, error.again())));
            }
        }
    }

    fn record<'o>(&self, item: Staging<'_, 'o>, turn: &mut Turn<'_>) -> Result<Recorded<'o>> {
        let Staging { index, location, options, guard, mut staged, bytes } = item;
        let survey = self.survey(&location, options.create_version, &options.progress, turn)?;
        survey.allows(&options.condition)?;
        let state = match options.create_version {
            true => Some(keep_staged(&mut staged, bytes, &options.progress, turn)?),
            false => None,
        };
        let edit = survey.lacks().cloned();
        let edit = edit.map(|old| turn.add(new_version(&location, VersionKind::OutsideEdit, Some(old))));
        let version = state.clone().map(|new| turn.add(version_of(&location, &options, new)));
        let slots = (edit, version);
        let staged = Some(staged);
        Ok(Recorded {
            index,
            location,
            options,
            guard,
            staged,
            survey,
            state,
            slots,
            outside_edit: None,
            version: None,
        })
    }

    /// Lets the new contents take their names.
    fn publish_all(&self, items: Vec<Recorded<'_>>, results: &mut Results) {
        let alone = items.len() == 1;
        let mut published = Vec::new();
        for mut item in items {
            let sync_name = alone && item.options.durability == Durability::Full;
            let written = self.publish(&mut item, sync_name).map_err(|e| self.not_landed(&item, e));
            if let Some(written) = results.keep(item.index, written) {
                published.push((item, written));
            }
        }
        if !alone {
            self.sync_names(&mut published, results);
        }
        for (item, written) in published {
            let (index, path) = (item.index, item.location.path().to_owned());
            let concluded = self.conclude(item, written).map_err(|e| e.at(path));
            results.set(index, concluded);
        }
    }

    fn publish(&self, item: &mut Recorded<'_>, sync_name: bool) -> Result<Written> {
        self.look_again(item)?;
        // The last descriptor of a file that is gone frees its blocks: not after the flush that can do that for nothing.
        item.survey.file = None;
        let staged = item.staged.take().ok_or_else(|| Error::new(Code::Internal))?;
        staged.publish(sync_name, &mut |out| self.examine(item, out))
    }

    /// A version whose content did not take the name never landed; unless it did, and only its durability is unknown.
    fn not_landed(&self, item: &Recorded<'_>, error: Error) -> Error {
        if let (Some(number), true) = (item.version, error.code() != Code::DurabilityUnknown) {
            self.note(item.location.key(), number, Landed::No);
        }
        error.at(item.location.path())
    }

    /// Whether what stands there is still what was surveyed; what is not goes into history first.
    fn look_again(&self, item: &mut Recorded<'_>) -> Result<()> {
        let now = match item.location.dir().stat(item.location.name()) {
            Ok(stat) => Some(stat),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::io(e, item.location.path())),
        };
        match (&item.survey.stat, &now) {
            (None, None) => return Ok(()),
            (Some(then), Some(now)) if unchanged(then, now) => return Ok(()),
            _ if !item.survey.guarded => return Ok(()),
            _ => {}
        }
        let Some((file, stat)) = open_standing(&item.location)? else {
            return match item.options.condition {
                Condition::Checksum(_) => Err(Error::new(Code::Changed)),
                _ => Ok(()),
            };
        };
        self.amend(item, &file, &stat)?;
        item.survey.seen = Timestamp::now();
        item.survey.stat = Some(stat);
        Ok(())
    }

    /// Looks at what really came out from under the name.
    fn examine(&self, item: &mut Recorded<'_>, out: &Displaced) -> Result<()> {
        match item.survey.guarded && !item.survey.proves(&out.stat) {
            true => self.amend(item, &out.file, &out.stat),
            false => Ok(()),
        }
    }

    /// Something else was written there meanwhile: history has that next, and our version once more after it, so that
    /// the newest version is what will stand there.
    fn amend(&self, item: &mut Recorded<'_>, file: &File, stat: &Stat) -> Result<()> {
        let mut turn = Turn::new(self);
        let standing = Standing::read(file, stat, &item.options.progress, &mut turn)?;
        if item.survey.state().is_some_and(|state| standing.is(state)) {
            return Ok(());
        }
        match item.options.condition {
            Condition::Always => {}
            Condition::Absent => return Err(Error::new(Code::AlreadyExists)),
            Condition::Checksum(_) => return Err(Error::new(Code::Changed)),
        }
        let found = standing.keep(&mut turn)?;
        let edit = turn.add(new_version(&item.location, VersionKind::OutsideEdit, Some(found.clone())));
        let version = item.state.clone().map(|new| turn.add(version_of(&item.location, &item.options, new)));
        let numbers = turn.commit(true)?;
        if let Some(superseded) = item.version {
            self.note(item.location.key(), superseded, Landed::No);
        }
        item.outside_edit = numbers.of(Some(edit));
        item.version = numbers.of(version);
        item.survey.history = History::Lacks(found);
        Ok(())
    }

    /// Makes the names of a group durable; a failure is that of each file in the folder.
    fn sync_names(&self, published: &mut Vec<(Recorded<'_>, Written)>, results: &mut Results) {
        let (full, rest): (Vec<_>, Vec<_>) =
            std::mem::take(published).into_iter().partition(|(item, _)| item.options.durability == Durability::Full);
        *published = rest;
        // A shared flush is not known to the file itself.
        published.iter_mut().for_each(|(item, written)| written.durability = item.options.durability);
        let locations: Vec<&Location> = full.iter().map(|(item, _)| &item.location).collect();
        let answers = self.sync_folders(&locations);
        for ((item, mut written), answer) in full.into_iter().zip(answers) {
            let answer = answer.map_err(|e| e.after_change("its folder could not be flushed"));
            if let Some(synced) = results.keep(item.index, answer) {
                written.durability = if synced { Durability::Full } else { Durability::Data };
                published.push((item, written));
            }
        }
    }

    fn conclude(&self, item: Recorded<'_>, written: Written) -> Result<Changed> {
        let seen = Timestamp::now();
        let identity = match item.options.verify {
            true => read_back(&item.location, &written).map_err(|e| e.after_change(UNREAD))?,
            false => Some(Identity { seen, ..Identity::of(&written.stat) }),
        };
        if let Some(number) = item.version {
            self.note(item.location.key(), number, Landed::Yes(identity));
        }
        if written.size > BIG {
            // Others tell a big file unchanged by this note alone; without it they read it, no worse.
            let _ = self.flush_notes();
        }
        if item.survey.stat.is_none_or(|old| old.mode != written.stat.mode)
            && let Some(guard) = item.guard.as_ref().or(item.options.hold.held())
        {
            guard.follow_mode(written.stat.mode);
        }
        release(item.guard).map_err(|e| e.after_change(UNRELEASED))?;
        Ok(Changed {
            path: item.location.path().to_owned(),
            size: written.size,
            checksum: written.digests.into_iter().find(|d| d.algorithm() == item.options.algorithm),
            version: item.version,
            outside_edit: item.outside_edit,
            timestamp: Timestamp::now(),
            durability: written.durability,
        })
    }
}

impl Recorded<'_> {
    fn records(&self) -> bool {
        self.slots.0.is_some() || self.slots.1.is_some()
    }

    fn number(&mut self, numbers: &Numbers) {
        self.outside_edit = numbers.of(self.slots.0);
        self.version = numbers.of(self.slots.1);
    }
}

/// Tells what was recorded its numbers; if nothing was, it is the failure of all that needed it.
fn number_all(committed: Result<Numbers>, ready: &mut Vec<Recorded<'_>>, results: &mut Results) {
    match committed {
        Ok(numbers) => ready.iter_mut().for_each(|r| r.number(&numbers)),
        Err(e) => fail_all(&e, extract(ready, Recorded::records), results),
    }
}

/// Takes out those for which `which` holds.
fn extract<T>(items: &mut Vec<T>, which: impl Fn(&T) -> bool) -> Vec<T> {
    let (taken, left) = std::mem::take(items).into_iter().partition(which);
    *items = left;
    taken
}

fn fail_all(error: &Error, items: Vec<Recorded<'_>>, results: &mut Results) {
    for item in items {
        results.set(item.index, Err(error.again().at(item.location.path())));
    }
}

/// What the atomic write is to do: everything but the comparison of checksums, which the survey has done.
fn write_options(options: &ChangeOptions<'_>, also: Option<Algorithm>) -> WriteOptions {
    let mut algorithms = vec![options.algorithm];
    // A version is never known by a digest alone for which another content can be made.
    let more = broken(options.algorithm).then_some(BEST);
    algorithms.extend(more.into_iter().chain(also).filter(|a| *a != options.algorithm));
    algorithms.dedup();
    let condition = match options.condition {
        Condition::Absent => Condition::Absent,
        _ => Condition::Always,
    };
    WriteOptions { durability: options.durability, condition, algorithms, mode: options.mode }
}

fn stage<'s, 'o>(
    store: &Store,
    index: usize,
    change: Change<'s, 'o>,
    guard: Option<LockGuard>,
    temp: Option<AtomicFile>,
) -> Result<Staging<'s, 'o>> {
    let Change { location, source, options } = change;
    let (temp, bytes, expected) = fill(store, temp, source, &options.progress)?;
    let staged = temp.stage(false)?;
    if let Some(state) = expected {
        check_restored(&staged, state)?;
    }
    Ok(Staging { index, location, options, guard, staged, bytes })
}

type Filled<'s> = (AtomicFile, Option<&'s [u8]>, Option<&'s FileState>);

fn fill<'s>(store: &Store, temp: Option<AtomicFile>, source: Source<'s>, progress: &Progress) -> Result<Filled<'s>> {
    let internal = || Error::new(Code::Internal);
    match source {
        Source::Spooled(spooled) => Ok((*spooled.0, None, None)),
        Source::Bytes(bytes) => {
            let mut temp = temp.ok_or_else(internal)?;
            temp.write_all(bytes)?;
            Ok((temp, Some(bytes), None))
        }
        Source::Reader(reader) => {
            let mut temp = temp.ok_or_else(internal)?;
            copy(reader, &mut temp, progress)?;
            Ok((temp, None, None))
        }
        Source::Stored(state) => {
            let mut temp = temp.ok_or_else(internal)?;
            copy(&mut store.reader(&state.content)?, &mut temp, progress)?;
            Ok((temp, None, Some(state)))
        }
    }
}

/// Copies a stream in bounded memory.
pub(crate) fn copy(from: &mut dyn Read, to: &mut dyn Write, progress: &Progress) -> Result<()> {
    let mut block = vec![0; 1 << 17];
    loop {
        progress.check()?;
        match from.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                to.write_all(&block[..n])?;
                progress.advance(0, n as u64);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// What came out of the store must be what went in, before it replaces anything.
pub(crate) fn check_restored(staged: &Staged, state: &FileState) -> Result<()> {
    let same_size = staged.size() == state.content.size;
    let same = best_digest(state).is_none_or(|d| staged.digests().contains(d));
    match same_size && same {
        true => Ok(()),
        false => Err(Error::message(Code::Damaged, "the stored content does not have the recorded checksum")),
    }
}

/// Brings the content of a finished temporary file into the store.
pub(crate) fn keep_staged(
    staged: &mut Staged,
    bytes: Option<&[u8]>,
    progress: &Progress,
    turn: &mut Turn<'_>,
) -> Result<FileState> {
    let stat = staged.stat()?;
    let content = match bytes {
        Some(bytes) if bytes.len() as u64 <= BIG => turn.session()?.put_bytes(bytes)?,
        Some(mut bytes) => turn.session()?.put(&mut bytes, progress, &mut |_| Ok(()))?,
        None => put_file(staged.file(), staged.size(), progress, turn)?,
    };
    let digests = staged.digests().to_vec();
    Ok(FileState { content, digests, mode: stat.mode, uid: stat.uid, gid: stat.gid, modified: stat.modified })
}

fn put_file(mut file: &File, size: u64, progress: &Progress, turn: &mut Turn<'_>) -> Result<crate::store::Content> {
    file.seek(SeekFrom::Start(0))?;
    if size > BIG {
        return turn.session()?.put(&mut file, progress, &mut |_| Ok(()));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.read_to_end(&mut bytes)?;
    turn.session()?.put_bytes(&bytes)
}

fn version_of(location: &Location, options: &ChangeOptions<'_>, state: FileState) -> NewVersion {
    let new = new_version(location, options.kind, Some(state));
    NewVersion { of: options.of, other: options.other.clone(), ..new }
}

/// Reads the file back through a descriptor of its own; what it is after that, if it is still ours. One that somebody
/// else replaced, changed or took our permission for meanwhile is theirs.
pub(crate) fn read_back(location: &Location, written: &Written) -> Result<Option<Identity>> {
    let Some(wanted) = written.digests.first() else { return Ok(None) };
    let file = match location.dir().open_read(location.name()) {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => return Ok(None),
        Err(e) => return Err(Error::io(e, location.path())),
    };
    let ours = |stat: &Stat| stat.same_file(&written.stat) && stat.modified == written.stat.modified;
    if !ours(&sys::stat_file(&file).at(location.path())?) {
        return Ok(None);
    }
    let found = digest_file(&file, wanted.algorithm())?;
    let seen = Timestamp::now();
    let stat = sys::stat_file(&file).at(location.path())?;
    match found == *wanted {
        _ if !ours(&stat) => Ok(None),
        true => Ok(Some(Identity { seen, ..Identity::of(&stat) })),
        false => Err(Error::message(Code::ChecksumMismatch, "what reads back is not what was written")),
    }
}

#[cfg(all(test, unix))]
mod tests;
