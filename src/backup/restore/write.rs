//! Writes what was planned: folders on the way down, files in batches on all cores, and properties of folders last,
//! deepest first.

use super::super::BackupManager;
use super::super::info::{Warning, WarningKind, path_of};
use super::super::manifest::{Entry, Node, Reader};
use super::destination::{Anchor, descend};
use super::survey::Outcome;
use super::{Plan, Relation, RestoreOptions, RestoreReport, full_path, link_key};
use crate::error::{Code, Error, IoContext, Result};
use crate::path::os_name;
use crate::store::{ContentReader, Store};
use crate::sys::{self, Dir, Open};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

mod files;
mod replace;

/// Files that are written together: so many, so many bytes, in so many open folders.
const BATCH: usize = 512;
/// Where each is an open temporary file.
const BATCH_IN_PLACE: usize = 128;
const BATCH_BYTES: u64 = 16 << 20;
const BATCH_FOLDERS: usize = 64;

pub fn write(manager: &BackupManager, plan: Plan, options: &RestoreOptions) -> Result<RestoreReport> {
    let reader = manager.manifest(&plan.snapshot)?;
    let store = manager.existing_store()?;
    let name = plan.snapshot.name.clone();
    let mut writing = Writing {
        plan,
        options,
        store,
        outcomes: 0,
        anchor: None,
        source_path: PathBuf::new(),
        folders: Vec::new(),
        left: Vec::new(),
        batch: Vec::new(),
        bytes: 0,
        open: 0,
        links: HashMap::new(),
        file_systems: HashMap::new(),
        damaged: Vec::new(),
        report: RestoreReport { name, ..RestoreReport::default() },
    };
    writing.plan.destination.create()?;
    writing.all(reader)?;
    writing.finish()
}

struct Writing<'a> {
    plan: Plan,
    options: &'a RestoreOptions,
    store: Store,
    /// How many of the plan's outcomes are used up.
    outcomes: usize,
    /// Where the source goes that the entries are of.
    anchor: Option<Anchor>,
    source_path: PathBuf,
    /// Those on the way to the entry.
    folders: Vec<Folder>,
    /// Those that nothing more comes into, deepest first.
    left: Vec<Folder>,
    batch: Vec<Job>,
    bytes: u64,
    open: usize,
    /// Where files with several names have got their first.
    links: HashMap<(u64, u64), FirstName>,
    /// One folder of each file system that was written to.
    file_systems: HashMap<u64, Arc<Dir>>,
    damaged: Vec<PathBuf>,
    report: RestoreReport,
}

struct Folder {
    dir: Arc<Dir>,
    entry: Entry,
    path: Vec<u8>,
    /// Whether it gets the properties that the backup has of it.
    is_ours: bool,
}

#[derive(Clone)]
struct FirstName {
    anchor: Anchor,
    below_source: Vec<u8>,
}

/// Where an entry goes, and what stands there.
struct Spot {
    dir: Arc<Dir>,
    name: OsString,
    /// In the backup.
    path: Vec<u8>,
    below_source: Vec<u8>,
    /// Of the file system, for messages.
    full: PathBuf,
    outcome: Outcome,
    relation: Relation,
}

/// A file to be written.
struct Job {
    spot: Spot,
    entry: Entry,
    how: How,
    /// The first name of the same file, unless it is that itself.
    first: Option<FirstName>,
}

enum How {
    Create,
    Replace,
    /// It stands there as it should; only its properties are set.
    Keep,
    /// Another name for a file that was restored before.
    Link,
}

impl Writing<'_> {
    fn all(&mut self, mut reader: Reader<ContentReader>) -> Result<()> {
        while let Some(entry) = reader.next()? {
            self.options.progress.check()?;
            match self.plan.selection.relation(reader.key()) {
                Relation::Outside => {}
                relation => self.entry(&reader, entry, relation)?,
            }
        }
        self.leave_to(0);
        self.flush()
    }

    fn entry(&mut self, reader: &Reader<ContentReader>, entry: Entry, relation: Relation) -> Result<()> {
        self.leave_to(entry.depth);
        let outcome = self.plan.outcomes.get(self.outcomes).copied();
        let outcome = outcome.ok_or_else(|| Error::new(Code::Internal))?;
        self.outcomes += 1;
        if entry.depth == 0 {
            self.enter_source(reader, &entry)?;
        }
        let key = reader.key();
        let (dir, name) = match (self.folders.last(), self.anchor.clone()) {
            (Some(folder), _) if entry.depth > 0 => (folder.dir.clone(), os_name(&entry.name).into_owned()),
            (_, Some(Anchor { dir, name: Some(name) })) => (dir, name),
            (_, Some(Anchor { dir, name: None })) => {
                let is_ours = self.owns_root(relation);
                return self.enter(dir, entry, key.path(), is_ours);
            }
            _ => return Err(Error::new(Code::Internal)),
        };
        let full = full_path(&self.source_path, key);
        self.place(
            Spot { dir, name, path: key.path(), below_source: key.below_source(), full, outcome, relation },
            entry,
        )
    }

    /// The folder that was named to restore into keeps its own properties, unless there was none.
    fn owns_root(&self, relation: Relation) -> bool {
        let destination = &self.plan.destination;
        destination.is_new || (!destination.is_named && relation == Relation::Inside)
    }

    fn enter_source(&mut self, reader: &Reader<ContentReader>, entry: &Entry) -> Result<()> {
        let source = reader.header().sources.iter().find(|source| source.name == entry.name);
        let source = source.ok_or_else(|| Error::new(Code::Internal))?;
        self.anchor = self.plan.destination.anchor(source, true)?;
        self.source_path = self.plan.destination.path(source);
        if let Some(anchor) = &self.anchor {
            let device = anchor.dir.stat_self().at(&self.source_path)?.device;
            self.file_systems.entry(device).or_insert_with(|| anchor.dir.clone());
        }
        Ok(())
    }

    fn place(&mut self, spot: Spot, entry: Entry) -> Result<()> {
        match &entry.node {
            Node::Folder => self.folder(spot, entry),
            Node::Symlink(target) => self.symlink(&spot, &entry, &os_name(target)),
            Node::File(_) => self.file(spot, entry),
        }
    }

    fn folder(&mut self, spot: Spot, entry: Entry) -> Result<()> {
        if spot.outcome == Outcome::Missing {
            spot.dir.create_dir(&spot.name, 0o700).at(&spot.full)?;
        }
        let inside = Arc::new(spot.dir.open_dir(&spot.name).at(&spot.full)?);
        let is_ours = spot.relation == Relation::Inside || spot.outcome == Outcome::Missing;
        self.enter(inside, entry, spot.path, is_ours)
    }

    fn enter(&mut self, dir: Arc<Dir>, entry: Entry, path: Vec<u8>, is_ours: bool) -> Result<()> {
        let device = dir.stat_self()?.device;
        self.file_systems.entry(device).or_insert_with(|| dir.clone());
        self.folders.push(Folder { dir, entry, path, is_ours });
        Ok(())
    }

    /// Nothing more comes into folders at this depth and below.
    fn leave_to(&mut self, depth: usize) {
        while self.folders.len() > depth {
            self.left.extend(self.folders.pop());
        }
    }

    fn symlink(&mut self, spot: &Spot, entry: &Entry, target: &OsStr) -> Result<()> {
        self.options.progress.advance(1, 0);
        match spot.outcome {
            Outcome::Same => self.report.skipped.push(path_of(spot.path.clone())),
            Outcome::Differs => {
                self.report.overwritten.push(path_of(spot.path.clone()));
                replace::replace_link(&spot.dir, &spot.name, target).map_err(|e| e.at(&spot.full))?;
            }
            _ => match spot.dir.symlink(target, &spot.name) {
                Err(e) if sys::is_impossible(&e) => {
                    self.warn(&spot.path, format!("not restored, for there can be no symbolic links here: {e}"));
                    return Ok(());
                }
                made => made.at(&spot.full)?,
            },
        }
        self.report.restored += u64::from(spot.outcome != Outcome::Same);
        self.set_link_properties(spot, entry)
    }

    fn set_link_properties(&mut self, spot: &Spot, entry: &Entry) -> Result<()> {
        let mut missed = Vec::new();
        if sys::may_set_owner() {
            let set = spot.dir.set_owner(&spot.name, entry.uid, entry.gid);
            files::if_possible(set, "its owner could not be set", &mut missed).at(&spot.full)?;
        }
        match spot.dir.set_modified(&spot.name, entry.modified) {
            // Some file systems keep no times of links, and nobody misses them.
            Err(e) if sys::classify(&e) == Code::Unsupported => {}
            set => files::if_possible(set, "its time could not be set", &mut missed).at(&spot.full)?,
        }
        self.warn_all(&spot.path, missed);
        Ok(())
    }

    fn file(&mut self, spot: Spot, entry: Entry) -> Result<()> {
        let (how, first) = self.how(&spot, &entry)?;
        if !self.batch.last().is_some_and(|last| Arc::ptr_eq(&last.spot.dir, &spot.dir)) {
            self.open += 1;
        }
        self.bytes += entry.size();
        self.batch.push(Job { spot, entry, how, first });
        let limit = if self.plan.destination.in_place { BATCH_IN_PLACE } else { BATCH };
        let is_full = self.batch.len() >= limit || self.bytes >= BATCH_BYTES;
        if is_full || self.open + self.left.len() >= BATCH_FOLDERS { self.flush() } else { Ok(()) }
    }

    fn how(&mut self, spot: &Spot, entry: &Entry) -> Result<(How, Option<FirstName>)> {
        let how = match spot.outcome {
            Outcome::Missing => How::Create,
            Outcome::Same => How::Keep,
            Outcome::Differs => How::Replace,
            Outcome::InTheWay => return Err(Error::new(Code::WouldOverwrite).at(&spot.full)),
        };
        let (Some(link), Some(anchor)) = (link_key(entry), &self.anchor) else { return Ok((how, None)) };
        match self.links.get(&link) {
            Some(first) if spot.outcome == Outcome::Missing => Ok((How::Link, Some(first.clone()))),
            Some(first) => Ok((how, Some(first.clone()))),
            None => {
                let first = FirstName { anchor: anchor.clone(), below_source: spot.below_source.clone() };
                self.links.insert(link, first);
                Ok((how, None))
            }
        }
    }

    /// Writes the files that wait, then finishes the folders that were left.
    fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        (self.bytes, self.open) = (0, 0);
        let (links, files): (Vec<Job>, Vec<Job>) = batch.into_iter().partition(|job| matches!(job.how, How::Link));
        self.write_files(files)?;
        let mut copies = Vec::new();
        for job in links {
            if let Some(job) = self.link(job)? {
                copies.push(job);
            }
        }
        self.write_files(copies)?;
        for folder in std::mem::take(&mut self.left) {
            self.finish_folder(folder)?;
        }
        Ok(())
    }

    fn write_files(&mut self, jobs: Vec<Job>) -> Result<()> {
        let (replace, others): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|j| matches!(j.how, How::Replace));
        let (create, keep): (Vec<Job>, Vec<Job>) = others.into_iter().partition(|j| matches!(j.how, How::Create));
        match self.plan.destination.in_place {
            true => self.create_in_place(create)?,
            false => self.create_fresh(create)?,
        }
        self.replace(replace)?;
        self.keep(keep)
    }

    /// A second name for a file; given back if it has to be written as a file of its own.
    fn link(&mut self, mut job: Job) -> Result<Option<Job>> {
        let Some(first) = &job.first else { return Ok(Some(job)) };
        match link(first, &job.spot.dir, &job.spot.name) {
            Ok(()) => {
                self.options.progress.advance(0, job.entry.size());
                self.done(&job);
                Ok(None)
            }
            Err(e) if matches!(e.code(), Code::NoSpace | Code::ReadOnly) => Err(e.at(&job.spot.full)),
            Err(e) => {
                self.warn(&job.spot.path, format!("restored as a file of its own, not as another name: {}", e.words()));
                job.how = How::Create;
                Ok(Some(job))
            }
        }
    }

    /// Two names of one file that are two files now: neither is put in the place of the other, for somebody may have parted
    /// them on purpose.
    fn warn_unless_linked(&mut self, job: &Job) {
        let Some(first) = &job.first else { return };
        let same = first.find().and_then(|(dir, name)| {
            let (one, other) = (dir.stat(&name)?, job.spot.dir.stat(&job.spot.name)?);
            Ok(one.same_file(&other))
        });
        if !same.unwrap_or(false) {
            let message =
                "a file of its own now; in the backup it is another name of a file that was restored before it";
            self.warn(&job.spot.path, message.to_owned());
        }
    }

    fn finish_folder(&mut self, folder: Folder) -> Result<()> {
        if folder.is_ours {
            let missed = files::set_properties(Open::Folder(&folder.dir), &folder.entry)
                .map_err(|e| Error::io(e, path_of(folder.path.clone())))?;
            self.warn_all(&folder.path, missed);
        }
        #[cfg(not(target_os = "linux"))]
        folder.dir.sync()?;
        Ok(())
    }

    fn done(&mut self, job: &Job) {
        self.report.restored += 1;
        self.report.bytes += job.entry.size();
        self.options.progress.advance(1, 0);
    }

    fn warn(&mut self, path: &[u8], message: String) {
        self.report.warnings.push(Warning::new(path, WarningKind::Incomplete, message));
    }

    fn warn_all(&mut self, path: &[u8], messages: Vec<String>) {
        messages.into_iter().for_each(|message| self.warn(path, message));
    }

    /// Makes everything durable, and tells of what could not be restored at all.
    fn finish(self) -> Result<RestoreReport> {
        for dir in self.file_systems.values() {
            match sys::sync_file_system(dir) {
                Err(e) if e.kind() == std::io::ErrorKind::Unsupported => {} // each file was flushed
                Err(e) => return Err(Error::from(e).with_code(Code::DurabilityUnknown)),
                Ok(()) => {}
            }
        }
        match self.damaged.first() {
            None => Ok(self.report),
            Some(first) => {
                let named: Vec<String> =
                    self.damaged.iter().take(super::NAMED).map(|p| p.display().to_string()).collect();
                let count = self.damaged.len();
                let message = format!(
                    "{count} files could not be restored because what is stored of them is damaged ({}); \
                     everything else is restored",
                    named.join(", ")
                );
                Err(Error::message(Code::Damaged, message).at(first))
            }
        }
    }
}

fn link(first: &FirstName, dir: &Dir, name: &OsStr) -> Result<()> {
    let (from, from_name) = first.find()?;
    Ok(from.link(&from_name, dir, name)?)
}

impl FirstName {
    /// The folder that it is in, and its name there.
    fn find(&self) -> Result<(Arc<Dir>, OsString)> {
        let below = os_name(&self.below_source).into_owned();
        let mut parts: Vec<OsString> = PathBuf::from(below).iter().map(OsStr::to_owned).collect();
        match (&self.anchor.name, parts.pop()) {
            (Some(name), None) => Ok((self.anchor.dir.clone(), name.clone())),
            (Some(root), Some(last)) => {
                let folders: Vec<OsString> = std::iter::once(root.clone()).chain(parts).collect();
                Ok((open(self.anchor.dir.clone(), &folders)?, last))
            }
            (None, Some(last)) => Ok((open(self.anchor.dir.clone(), &parts)?, last)),
            (None, None) => Err(Error::new(Code::Internal)),
        }
    }
}

fn open(dir: Arc<Dir>, folders: &[OsString]) -> Result<Arc<Dir>> {
    descend(dir, folders, false)?.ok_or_else(|| Error::new(Code::NotFound))
}
