//! Looks at what stands where restored files would go. Changes nothing.

use super::super::manifest::{Entry, Node, Reader};
use super::destination::Destination;
use super::{Conflict, Plan, Relation, Selection, full_path};
use crate::error::{IoContext, Result};
use crate::path::{bytes_of, os_name};
use crate::pool;
use crate::progress::Progress;
use crate::store::{ContentReader, Snapshot};
use crate::sys::{Dir, FileKind};
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// Files that are compared together.
const BATCH: usize = 256;
const BATCH_FOLDERS: usize = 64;
const BLOCK: usize = 256 << 10;

/// What stands where an entry goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Missing,
    /// What the backup has; of folders: a folder.
    Same,
    /// A file or link, but another.
    Differs,
    /// Something of another kind.
    InTheWay,
}

pub fn survey(
    mut reader: Reader<ContentReader>,
    snapshot: Snapshot,
    selection: Selection,
    destination: Destination,
    progress: &Progress,
) -> Result<Plan> {
    let plan =
        Plan { snapshot, selection, destination, outcomes: Vec::new(), conflicts: Vec::new(), files: 0, bytes: 0 };
    let mut survey = Survey { plan, folders: Vec::new(), path: PathBuf::new(), waiting: Vec::new(), open: 0, progress };
    while let Some(entry) = reader.next()? {
        progress.check()?;
        let relation = survey.plan.selection.relation(reader.key());
        if relation != Relation::Outside {
            survey.look(&reader, &entry)?;
        }
    }
    survey.compare()?;
    survey.plan.selection.check()?;
    let Survey { mut plan, .. } = survey;
    plan.conflicts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(plan)
}

struct Survey<'a> {
    plan: Plan,
    /// The folders on the way to the entry, where they exist.
    folders: Vec<Option<Arc<Dir>>>,
    /// Of the source.
    path: PathBuf,
    waiting: Vec<Waiting>,
    open: usize,
    progress: &'a Progress,
}

/// A file that is to be compared.
struct Waiting {
    dir: Arc<Dir>,
    name: OsString,
    digest: [u8; 32],
    path: PathBuf,
    outcome: usize,
}

impl Survey<'_> {
    fn look(&mut self, reader: &Reader<ContentReader>, entry: &Entry) -> Result<()> {
        self.folders.truncate(entry.depth);
        if entry.node != Node::Folder {
            self.plan.files += 1;
            self.plan.bytes = self.plan.bytes.saturating_add(entry.size());
        }
        if entry.depth == 0 {
            return self.look_at_source(reader, entry);
        }
        let parent = self.folders.last().cloned().flatten();
        let path = full_path(&self.path, reader.key());
        self.look_in(parent, &os_name(&entry.name), entry, path)
    }

    fn look_at_source(&mut self, reader: &Reader<ContentReader>, entry: &Entry) -> Result<()> {
        let Some(source) = reader.header().sources.iter().find(|source| source.name == entry.name) else {
            return Ok(()); // the reader has made sure
        };
        self.path = self.plan.destination.path(source);
        let path = self.path.clone();
        match self.plan.destination.anchor(source, false)? {
            None => self.look_in(None, "".as_ref(), entry, path),
            Some(anchor) => match anchor.name {
                Some(name) => self.look_in(Some(anchor.dir), &name, entry, path),
                None => {
                    let is_folder = entry.node == Node::Folder;
                    self.note(if is_folder { Outcome::Same } else { Outcome::InTheWay }, path);
                    self.folders.push(Some(anchor.dir));
                    Ok(())
                }
            },
        }
    }

    fn look_in(&mut self, dir: Option<Arc<Dir>>, name: &std::ffi::OsStr, entry: &Entry, path: PathBuf) -> Result<()> {
        let stat = match dir.as_ref().map(|dir| dir.stat(name)) {
            None => None,
            Some(Ok(stat)) => Some(stat),
            Some(Err(e)) if e.kind() == io::ErrorKind::NotFound => None,
            Some(Err(e)) => return Err(crate::error::Error::io(e, path)),
        };
        let (Some(stat), Some(dir)) = (stat, dir) else {
            self.note(Outcome::Missing, path);
            if entry.node == Node::Folder {
                self.folders.push(None);
            }
            return Ok(());
        };
        match (&entry.node, stat.kind) {
            (Node::Folder, FileKind::Folder) => {
                let inside = dir.open_dir(name).at(&path)?;
                self.note(Outcome::Same, path);
                self.folders.push(Some(Arc::new(inside)));
            }
            (Node::Folder, _) => {
                self.note(Outcome::InTheWay, path);
                self.folders.push(None);
            }
            (Node::File(file), FileKind::File) if stat.size == file.content.size => {
                return self.compare_later(dir, name, file.digest, path);
            }
            (Node::File(_), FileKind::File) => self.note(Outcome::Differs, path),
            (Node::Symlink(target), FileKind::Symlink) => {
                let same = bytes_of(&dir.read_link(name).at(&path)?) == *target;
                self.note(if same { Outcome::Same } else { Outcome::Differs }, path);
            }
            _ => self.note(Outcome::InTheWay, path),
        }
        Ok(())
    }

    fn note(&mut self, outcome: Outcome, path: PathBuf) {
        self.plan.outcomes.push(outcome);
        self.conflict(outcome, path);
    }

    fn conflict(&mut self, outcome: Outcome, path: PathBuf) {
        let (what, can_overwrite) = match outcome {
            Outcome::Missing | Outcome::Same => return,
            Outcome::Differs => ("it differs", true),
            Outcome::InTheWay => ("something else stands there", false),
        };
        self.plan.conflicts.push(Conflict { path, what, can_overwrite });
    }

    fn compare_later(&mut self, dir: Arc<Dir>, name: &std::ffi::OsStr, digest: [u8; 32], path: PathBuf) -> Result<()> {
        let outcome = self.plan.outcomes.len();
        self.plan.outcomes.push(Outcome::Same);
        if !self.waiting.last().is_some_and(|last| Arc::ptr_eq(&last.dir, &dir)) {
            self.open += 1;
        }
        self.waiting.push(Waiting { dir, name: name.to_owned(), digest, path, outcome });
        match self.waiting.len() >= BATCH || self.open >= BATCH_FOLDERS {
            true => self.compare(),
            false => Ok(()),
        }
    }

    fn compare(&mut self) -> Result<()> {
        self.open = 0;
        let waiting = std::mem::take(&mut self.waiting);
        let progress = self.progress;
        let same: Vec<Result<bool>> = pool::each(&waiting, 1, |file| is_same(file, progress));
        for (file, same) in waiting.into_iter().zip(same) {
            let outcome = if same? { Outcome::Same } else { Outcome::Differs };
            self.plan.outcomes[file.outcome] = outcome;
            self.conflict(outcome, file.path);
        }
        Ok(())
    }
}

fn is_same(waiting: &Waiting, progress: &Progress) -> Result<bool> {
    let mut file = waiting.dir.open_read(&waiting.name).at(&waiting.path)?;
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0; BLOCK];
    loop {
        progress.check()?;
        match file.read(&mut block) {
            Ok(0) => break,
            Ok(count) => drop(hasher.update(&block[..count])),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(crate::error::Error::io(e, &waiting.path)),
        }
    }
    Ok(*hasher.finalize().as_bytes() == waiting.digest)
}
