//! Carrying out what a crash interrupted.

use super::commit::lock_all;
use super::finish::finish_all;
use super::journal::{Journal, left};
use super::step::{Becomes, Step};
use crate::error::{Code, Error, Result};
use crate::lock::{LockGuard, LockOptions, LockType, Timeout, refuse_sidecar};
use crate::path::{Follow, Location};
use crate::workspace::{Workspace, release};
use std::io;
use std::path::PathBuf;

/// What was found under a name when a transaction was carried out late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The new state: nothing was left to do.
    New,
    /// The old state, or nothing.
    Old,
    /// Neither: it went into the history first.
    Other,
}

/// One file of a transaction that was carried out late.
#[derive(Clone, Debug)]
pub struct RecoveredFile {
    /// The full path.
    pub path: PathBuf,
    /// What stood there.
    pub found: Found,
    /// The version that keeps it, if it was not in the history before.
    pub outside_edit: Option<u64>,
}

/// A transaction that a crash interrupted after it was decided.
///
/// ```
/// use electrus::workspace::{OpenOptions, Workspace};
///
/// # let folder = tempfile::tempdir()?;
/// let workspace = Workspace::open(folder.path(), &OpenOptions::default())?;
/// for transaction in workspace.recovered() {
///     match &transaction.problem {
///         None => println!("{}: {} files", transaction.id, transaction.files.len()),
///         Some(problem) => eprintln!("{}: {problem}", transaction.id),
///     }
/// }
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Recovered {
    /// Its name: 16 hex digits.
    pub id: String,
    /// Its files, all new now. Empty if there is a problem.
    pub files: Vec<RecoveredFile>,
    /// Why it could not be carried out. It stays, and is tried again when the folder is next opened; a damaged journal
    /// is never obeyed.
    pub problem: Option<Error>,
}

/// Carries out transactions that were decided and whose owners are dead; [`Workspace::open`] has done so already.
/// Call it in a program that runs for long, should another one have died meanwhile.
///
/// # Errors
/// `read_only`, `permission_denied`, `io`: the store. What keeps a transaction from being carried out is in the
/// result instead.
///
/// ```
/// use electrus::{transaction::recover, workspace::{OpenOptions, Workspace}};
///
/// # let folder = tempfile::tempdir()?;
/// let workspace = Workspace::open(folder.path(), &OpenOptions::default())?;
/// assert!(recover(&workspace)?.is_empty());
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub fn recover(workspace: &Workspace) -> Result<Vec<Recovered>> {
    recover_within(workspace, Timeout::default())
}

/// As [`recover`], waiting no longer than this for each lock.
pub(crate) fn recover_within(workspace: &Workspace, timeout: Timeout) -> Result<Vec<Recovered>> {
    workspace.writable()?;
    let left = left(workspace.store())?;
    let mut recovered: Vec<Recovered> = left
        .problems
        .into_iter()
        .map(|(id, problem)| Recovered { id, files: Vec::new(), problem: Some(problem) })
        .collect();
    for journal in left.decided {
        let id = journal.id();
        match carry_out(workspace, journal, timeout) {
            Ok(Some(files)) => recovered.push(Recovered { id, files, problem: None }),
            Ok(None) => {}
            Err(problem) => recovered.push(Recovered { id, files: Vec::new(), problem: Some(problem) }),
        }
    }
    Ok(recovered)
}

/// `None`: its owner lives after all, and has finished.
fn carry_out(workspace: &Workspace, journal: Journal, timeout: Timeout) -> Result<Option<Vec<RecoveredFile>>> {
    let (mut steps, mut locations) = (Vec::new(), Vec::new());
    let read = journal.read()?;
    check_reach(workspace, &read)?;
    for step in read {
        if let Some(location) = resolve(workspace, &step)? {
            locations.push(location);
            steps.push(step);
        }
    }
    let acquire =
        |location: &Location, options: &LockOptions| workspace.locks().acquire(location, LockType::Exclusive, options);
    let options = LockOptions { timeout, ..LockOptions::default() };
    let own = lock_all(&locations, &options, &[], acquire)?;
    if !journal.stands()? {
        return Ok(None);
    }
    check_contents(workspace, &steps)?;
    let guards: Vec<&LockGuard> = own.iter().collect();
    let finished = finish_all(workspace, &steps, &locations, &guards, &journal.id())?;
    journal.remove()?;
    release(own)?;
    let file = |(location, finished): (Location, super::finish::Finished)| RecoveredFile {
        path: location.path().to_owned(),
        found: finished.found,
        outside_edit: finished.outside_edit,
    };
    Ok(Some(locations.into_iter().zip(finished).map(file).collect()))
}

/// A transaction of which a content is lost changes nothing any more: others need not wait for it, and what they write
/// it will not undo.
fn check_contents(workspace: &Workspace, steps: &[Step]) -> Result<()> {
    for step in steps {
        if let Becomes::File(state) = &step.new {
            let mut content = workspace.store().reader(&state.content)?;
            io::copy(&mut content, &mut io::sink()).map_err(|e| Error::from(e).at(step.key.to_path()))?;
        }
    }
    Ok(())
}

/// A transaction that was let out of the base folder waits for somebody who lets it out again: the journal alone, which
/// may have come with the folder, is no permission. Looked at before anything is created.
fn check_reach(workspace: &Workspace, steps: &[Step]) -> Result<()> {
    let leads_out = |step: &&Step| step.key.to_path().is_absolute();
    match steps.iter().find(leads_out).filter(|_| !workspace.options().allow_outside) {
        Some(step) => {
            let why = "the transaction waits: it changes files outside of the base folder, which only an open with \
                       allow_outside (--allow-outside) may do";
            Err(Error::message(Code::PathEscape, why).at(step.key.to_path()))
        }
        None => Ok(()),
    }
}

/// A name of a journal is as hostile as any; and it must still lead where it led. `None`: it is to be cleared, and its
/// folder is gone.
fn resolve(workspace: &Workspace, step: &Step) -> Result<Option<Location>> {
    let base = workspace.base();
    if step.new != Becomes::Nothing {
        base.resolve_creating(step.key.to_path(), true)?;
    }
    let location = match base.resolve_key(&step.key, Follow::Parent) {
        Err(e) if e.code() == Code::NotFound && step.new == Becomes::Nothing => return Ok(None),
        resolved => resolved?,
    };
    match location.key() == &step.key {
        true => refuse_sidecar(&location).map(|()| Some(location)),
        false => Err(Error::message(Code::Changed, "this name leads elsewhere now").at(step.key.to_path())),
    }
}
