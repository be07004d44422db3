//! Carrying out steps from what a journal says and the store holds. Every step can be repeated.

use super::commit::read_link;
use super::recover::Found;
use super::step::{Becomes, Old, Step};
use crate::checksum::Digest;
use crate::error::{Code, Error, IoContext, Result};
use crate::lock::LockGuard;
use crate::path::{Follow, Key, Location, TEMP_PREFIX};
use crate::store::{FileState, Identity, Landed, NewVersion, VersionKind};
use crate::sys::{FileKind, Stat};
use crate::workspace::{
    ChangeOptions, Hold, Source, Turn, Workspace, best_digest, digest_file, new_version, open_standing,
};
use std::ffi::OsString;
use std::fs::File;
use std::io;

/// What a step came to.
pub(super) struct Finished {
    pub found: Found,
    pub stat: Option<Stat>,
    pub version: u64,
    pub outside_edit: Option<u64>,
}

/// Steps that put something under a name come before those that clear one: what moves is still there then.
pub(super) fn in_order(step: &Step) -> bool {
    step.new == Becomes::Nothing
}

/// Carries out all steps and makes the names durable. One answer for each step, in the order given.
pub(super) fn finish_all(
    workspace: &Workspace,
    steps: &[Step],
    locations: &[Location],
    guards: &[&LockGuard],
    id: &str,
) -> Result<Vec<Finished>> {
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|i| in_order(&steps[*i]));
    let mut finished: Vec<(usize, Finished)> = Vec::with_capacity(steps.len());
    for i in order {
        let location = &locations[i];
        let guard = guards.iter().find(|guard| guard.covers(location)).ok_or_else(|| Error::new(Code::Internal))?;
        let answer = finish(workspace, &steps[i], location, guard, id).map_err(|e| e.at(location.path()))?;
        finished.push((i, answer));
    }
    let all: Vec<&Location> = locations.iter().collect();
    workspace.sync_folders(&all).into_iter().try_for_each(|synced| synced.map(drop))?;
    finished.sort_by_key(|(i, _)| *i);
    Ok(finished.into_iter().map(|(_, answer)| answer).collect())
}

/// What stands under a name.
enum Stands {
    Nothing,
    File(File),
    Link(Key),
}

fn look(location: &Location) -> Result<Stands> {
    let kind = match location.dir().stat(location.name()) {
        Ok(stat) => stat.kind,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Stands::Nothing),
        Err(e) => return Err(Error::io(e, location.path())),
    };
    if kind == FileKind::Symlink {
        return Ok(Stands::Link(read_link(location)?));
    }
    Ok(open_standing(location)?.map_or(Stands::Nothing, |(file, _)| Stands::File(file)))
}

fn has(file: &File, digest: &Digest) -> Result<bool> {
    Ok(digest_file(file, digest.algorithm())? == *digest)
}

fn is_new(stands: &Stands, new: &Becomes) -> Result<bool> {
    match (stands, new) {
        (Stands::Nothing, Becomes::Nothing) => Ok(true),
        (Stands::Link(found), Becomes::Link(target)) => Ok(found == target),
        (Stands::File(file), Becomes::File(state)) => best_digest(state).map_or(Ok(false), |digest| has(file, digest)),
        _ => Ok(false),
    }
}

/// Whether what stands there may go: it is what the transaction found, or nothing.
fn is_old(stands: &Stands, old: &Old) -> Result<bool> {
    match (stands, old) {
        (Stands::Nothing, _) => Ok(true),
        (Stands::Link(found), Old::Link(target)) => Ok(found == target),
        (Stands::File(file), Old::File(digest)) => has(file, digest),
        _ => Ok(false),
    }
}

/// Carries out one step, under the file's lock.
pub(super) fn finish(
    workspace: &Workspace,
    step: &Step,
    location: &Location,
    guard: &LockGuard,
    id: &str,
) -> Result<Finished> {
    let stands = look(location)?;
    if is_new(&stands, &step.new)? {
        return concluded(workspace, step, location, Found::New, None);
    }
    let old = is_old(&stands, &step.old)?;
    let options = from_store(step, !old, guard);
    let (version, outside_edit) = match &step.new {
        Becomes::File(state) => put_file(workspace, step, state, location, &stands, old, options)?,
        Becomes::Nothing => {
            let deleted = workspace.delete(location.clone(), options)?;
            (deleted.version, deleted.outside_edit)
        }
        Becomes::Link(target) => {
            let kept = if let Stands::File(_) = stands { workspace.keep_outside_edit(location)? } else { None };
            put_link(location, target, id)?;
            return concluded(workspace, step, location, if old { Found::Old } else { Found::Other }, kept);
        }
    };
    match version {
        Some(newer) => {
            workspace.note(&step.key, step.version, Landed::No);
            let stat = stat_of(location)?;
            Ok(Finished { found: Found::Other, stat, version: newer, outside_edit })
        }
        None => settled(workspace, step, location, Found::Old, outside_edit),
    }
}

/// How a step is made from what the store holds. What was not expected goes into history, and with `again` this
/// version after it once more: the newest is what stands there.
pub(super) fn from_store<'g>(step: &Step, again: bool, guard: &'g LockGuard) -> ChangeOptions<'g> {
    let mut options = ChangeOptions {
        create_version: again,
        hold: Hold::Use(guard),
        kind: step.kind,
        other: step.other.clone(),
        ..ChangeOptions::default()
    };
    if let Becomes::File(state) = &step.new {
        options.mode = Some(state.mode);
        options.algorithm = best_digest(state).map_or(options.algorithm, Digest::algorithm);
    }
    options
}

/// After a step that recorded no version of its own: if an edit came between, ours is recorded once more after it.
pub(super) fn settled(
    workspace: &Workspace,
    step: &Step,
    location: &Location,
    found: Found,
    outside_edit: Option<u64>,
) -> Result<Finished> {
    if outside_edit.is_none() {
        return concluded(workspace, step, location, found, None);
    }
    let file = match &step.new {
        Becomes::File(state) => Some(state.clone()),
        _ => None,
    };
    let mut turn = Turn::new(workspace);
    let version = NewVersion { other: step.other.clone(), ..new_version(location, step.kind, file) };
    let slot = turn.add(version);
    let number = turn.commit(true)?.of(Some(slot)).ok_or_else(|| Error::new(Code::Internal))?;
    workspace.note(&step.key, step.version, Landed::No);
    let step = Step { version: number, ..step.clone() };
    concluded(workspace, &step, location, Found::Other, outside_edit)
}

fn stat_of(location: &Location) -> Result<Option<Stat>> {
    match location.dir().stat(location.name()) {
        Ok(stat) => Ok(Some(stat)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(e, location.path())),
    }
}

fn concluded(
    workspace: &Workspace,
    step: &Step,
    location: &Location,
    found: Found,
    outside_edit: Option<u64>,
) -> Result<Finished> {
    let stat = stat_of(location)?;
    if step.version > 0 {
        workspace.note(&step.key, step.version, Landed::Yes(stat.as_ref().map(Identity::of)));
    }
    Ok(Finished { found, stat, version: step.version, outside_edit })
}

/// The version that was recorded, and the one that keeps what was found.
type Made = (Option<u64>, Option<u64>);

fn put_file(
    workspace: &Workspace,
    step: &Step,
    state: &FileState,
    location: &Location,
    stands: &Stands,
    old: bool,
    options: ChangeOptions<'_>,
) -> Result<Made> {
    if let Stands::Link(_) = stands {
        location.dir().remove_file(location.name()).at(location.path())?;
    }
    if old && step.kind == VersionKind::RenamedFrom && move_file(workspace, step, state, location, stands)? {
        return Ok((None, None));
    }
    let changed = workspace.write(location.clone(), Source::Stored(state), options)?;
    Ok((changed.version, changed.outside_edit))
}

/// Renames the file if it still stands under its old name, to keep what the store does not: times, links, attributes.
/// A target that would be replaced is written to instead, where what comes out is looked at.
fn move_file(
    workspace: &Workspace,
    step: &Step,
    state: &FileState,
    location: &Location,
    stands: &Stands,
) -> Result<bool> {
    let (Some(from), Stands::Nothing, Some(digest)) = (&step.other, stands, best_digest(state)) else {
        return Ok(false);
    };
    let Ok(from) = workspace.base().resolve_key(from, Follow::Parent) else { return Ok(false) };
    let is_it = match look(&from)? {
        Stands::File(file) => has(&file, digest)?,
        _ => false,
    };
    if !is_it {
        return Ok(false);
    }
    match from.dir().rename(from.name(), location.dir(), location.name()) {
        Ok(()) => from.dir().sync().at(from.path()).map(|_| true),
        Err(_) => Ok(false),
    }
}

/// Puts a symbolic link under a name, in place of what stands there.
fn put_link(location: &Location, target: &Key, id: &str) -> Result<()> {
    let (dir, path) = (location.dir(), location.path());
    let (target, temp) = (target.to_path(), OsString::from(format!("{TEMP_PREFIX}{id}")));
    match dir.symlink(target.as_os_str(), &temp) {
        // Left by who carried this out before, and died.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            dir.remove_file(&temp).at(path)?;
            dir.symlink(target.as_os_str(), &temp).at(path)?;
        }
        made => made.at(path)?,
    }
    dir.rename(&temp, dir, location.name()).at(path)
}
