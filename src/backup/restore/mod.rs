//! Puts a backup back: first looks at everything that is in the way, then writes.

mod destination;
mod survey;
mod write;

use super::BackupManager;
use super::info::Warning;
use super::manifest::{Entry, PathKey};
use super::source;
use crate::error::{Code, Error, Result};
use crate::progress::Progress;
use crate::store::Snapshot;
use destination::Destination;
use std::path::{Path, PathBuf};
use survey::Outcome;

/// So many names are spelled out in an error.
const NAMED: usize = 20;

/// What to restore, and where to.
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions {
    /// Files and folders in the backup, as [`show`](BackupManager::show) names them (or by the absolute path they had); everything if empty.
    pub paths: Vec<PathBuf>,
    /// A folder to restore into (an ordinary path); created if need be. Where the files came from unless given.
    pub to: Option<PathBuf>,
    /// Overwrite files and links that differ. The content of files beneath a workspace's base goes into the history first,
    /// and their locks are taken; what was anywhere else is lost.
    pub overwrite: bool,
    /// Progress (files and bytes) and cancel. What was restored before a cancel stays.
    pub progress: Progress,
}

/// What a restore did.
#[derive(Clone, Debug, Default)]
pub struct RestoreReport {
    /// The backup.
    pub name: String,
    /// Files and links that were written.
    pub restored: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Files and links that stood there as they are in the backup: paths in the backup. Their modes and times are set.
    pub skipped: Vec<PathBuf>,
    /// Files that were overwritten: paths in the backup.
    pub overwritten: Vec<PathBuf>,
    /// Of those, how many were brought into the history because it did not hold them.
    pub versioned: u64,
    /// What could not be given back: owners, attributes, links.
    pub warnings: Vec<Warning>,
}

/// Something that stands in the way of a restore.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// Where.
    pub path: PathBuf,
    /// What is there.
    pub what: &'static str,
    /// Whether `overwrite` helps.
    pub can_overwrite: bool,
}

/// Everything that has to be known before anything is changed.
struct Plan {
    snapshot: Snapshot,
    selection: Selection,
    destination: Destination,
    /// For each selected entry, in order.
    outcomes: Vec<Outcome>,
    conflicts: Vec<Conflict>,
    files: u64,
    bytes: u64,
}

pub fn conflicts(manager: &BackupManager, name: &str, options: &RestoreOptions) -> Result<Vec<Conflict>> {
    Ok(plan(manager, name, options)?.conflicts)
}

pub fn restore(manager: &BackupManager, name: &str, options: &RestoreOptions) -> Result<RestoreReport> {
    let plan = plan(manager, name, options)?;
    let fatal: Vec<&Conflict> = plan.conflicts.iter().filter(|c| !(options.overwrite && c.can_overwrite)).collect();
    if !fatal.is_empty() {
        return Err(would_overwrite(&fatal));
    }
    let read_only = plan.destination.workspace().filter(|workspace| workspace.options().read_only);
    if let Some(workspace) = read_only.filter(|_| plan.destination.touches_base()) {
        return Err(Error::new(Code::ReadOnly).at(workspace.base().path()));
    }
    options.progress.expect(plan.files, plan.bytes);
    write::write(manager, plan, options)
}

fn would_overwrite(conflicts: &[&Conflict]) -> Error {
    let named: Vec<String> =
        conflicts.iter().take(NAMED).map(|c| format!("{} ({})", c.path.display(), c.what)).collect();
    let more = conflicts.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!("restoring would overwrite what differs; nothing was changed: {}{more}", named.join(", "));
    Error::message(Code::WouldOverwrite, message).at(&conflicts[0].path)
}

fn plan(manager: &BackupManager, name: &str, options: &RestoreOptions) -> Result<Plan> {
    crate::threads::prepare();
    let snapshot = manager.snapshot(name)?;
    let reader = manager.manifest(&snapshot)?;
    let selection = Selection::new(&options.paths, &reader.header().sources)?;
    let destination = Destination::new(&manager.0.home, options.to.as_deref(), &reader.header().sources)?;
    survey::survey(reader, snapshot, selection, destination, &options.progress)
}

/// Which entries are meant.
struct Selection {
    /// Keys and the paths they were given as; all entries if there are none.
    wanted: Vec<(Vec<u8>, PathBuf)>,
    found: Vec<bool>,
}

/// How an entry relates to a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// It is meant.
    Inside,
    /// It is a folder on the way to something that is meant.
    Above,
    /// It is not needed.
    Outside,
}

impl Selection {
    fn new(paths: &[PathBuf], sources: &[super::manifest::Source]) -> Result<Selection> {
        let wanted = paths.iter().map(|path| Ok((key_in_backup(path, sources)?, path.clone())));
        let wanted: Vec<_> = wanted.collect::<Result<_>>()?;
        Ok(Selection { found: vec![false; wanted.len()], wanted })
    }

    fn relation(&mut self, key: &PathKey) -> Relation {
        if self.wanted.is_empty() {
            return Relation::Inside;
        }
        let mut relation = Relation::Outside;
        for ((wanted, _), found) in self.wanted.iter().zip(&mut self.found) {
            if source::contains(wanted, key.as_bytes()) {
                *found = true;
                relation = Relation::Inside;
            } else if relation == Relation::Outside && source::contains(key.as_bytes(), wanted) {
                relation = Relation::Above;
            }
        }
        relation
    }

    /// An error for the first path that nothing in the backup has.
    fn check(&self) -> Result<()> {
        match self.wanted.iter().zip(&self.found).find(|(_, found)| !**found) {
            Some(((_, path), _)) => Err(Error::message(Code::NotFound, "the backup has no such file").at(path)),
            None => Ok(()),
        }
    }
}

fn key_in_backup(path: &Path, sources: &[super::manifest::Source]) -> Result<Vec<u8>> {
    let bytes = crate::path::bytes_of(path.as_os_str());
    let placed = sources.iter().filter(|s| !s.place.is_empty()).find_map(|source| {
        let below = bytes.strip_prefix(source.place.as_slice())?;
        let fits = below.is_empty() || below.starts_with(b"/") || source.place.ends_with(b"/");
        fits.then(|| [source.name.as_slice(), b"/", below].concat())
    });
    let name = match placed {
        Some(name) => crate::path::Key::from_bytes(name).to_path(),
        None => path.to_owned(),
    };
    let plain = source::plain_name(&name).ok_or_else(|| Error::new(Code::PathEscape).at(path))?;
    Ok(super::manifest::key_of(&plain))
}

/// Where an entry goes, for messages.
fn full_path(source: &Path, key: &PathKey) -> PathBuf {
    let below = key.below_source();
    if below.is_empty() { source.to_owned() } else { source.join(&*crate::path::os_name(&below)) }
}

/// Whether two names are one file, as far as a backup can tell.
fn link_key(entry: &Entry) -> Option<(u64, u64)> {
    entry.file().filter(|file| file.linked && entry.inode != 0).map(|_| (entry.device, entry.inode))
}
