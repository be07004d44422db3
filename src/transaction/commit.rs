//! Committing: everything that can fail is done before the journal is decided.

use super::apply::{apply, unchanged};
use super::journal::{Journal, MAX_STEPS, new_id};
use super::plan::{Ends, Move, Origin, outcome};
use super::recover::recover_within;
use super::step::{Becomes, Old, Step};
use super::{Committed, Operation, Transaction, TransactionOptions};
use crate::atomic::{Condition, Staged};
use crate::checksum::of_bytes;
use crate::error::{Code, Error, IoContext, Result};
use crate::lock::{LockGuard, LockOptions, LockType, Timeout, refuse_sidecar};
use crate::path::{Base, Follow, Key, Location, bytes_of};
use crate::store::{FileState, Landed, NewVersion, Unflushed, VersionKind};
use crate::sys::{FileKind, stat_file};
use crate::workspace::{
    ChangeOptions, Changed, FlushPoint, Slot, Source, Survey, Turn, UNRELEASED, Workspace, best_digest, check_restored,
    copy, keep_staged, new_version, release,
};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

/// Temporary files that wait at the same time, each with a descriptor. What is beyond is written from the store later.
const MAX_STAGED: usize = 64;

pub(super) fn commit(transaction: Transaction<'_>) -> Result<Committed> {
    let Transaction { workspace, options, operations } = transaction;
    workspace.writable()?;
    let Resolved { locations, moves, mut sources } = resolve(workspace.base(), operations)?;
    let acquire =
        |location: &Location, options: &LockOptions| workspace.acquire(location, LockType::Exclusive, options);
    recover_within(&workspace, Timeout::Try)?;
    let own = lock_all(&locations, &options.lock, &options.held, acquire)?;
    let guards: Vec<&LockGuard> = own.iter().chain(options.held.iter().copied()).collect();
    options.pass("locked");

    let mut turn = Turn::new(&workspace);
    let mut names = survey_all(&workspace, locations, &options, &mut turn)?;
    let ends = decide_ends(&moves, &names, &sources)?;
    close_replaced(&mut names, &ends);
    let mut effects = Effects::prepare(&workspace, &names, &ends, &mut sources, &options, &mut turn)?;
    options.pass("staged");
    if effects.list.is_empty() {
        let results = unchanged(&names, options.algorithm)?;
        release(own)?;
        return Ok(Committed { id: new_id()?, results: in_order(&moves, &results) });
    }
    effects.record(&names, turn)?;
    let decided = effects.flush(&workspace, &names).and_then(|()| {
        options.pass("recorded");
        let draft = Journal::draft(workspace.store(), &effects.steps())?;
        options.pass("drafted");
        draft.decide()
    });
    let journal = decided.inspect_err(|e| effects.note_never(&workspace, e))?;
    options.pass("decided");
    let id = journal.id();
    let results = apply(&workspace, &names, effects.list, journal, &guards, &options)?;
    release(own).map_err(|e| e.after_change(UNRELEASED))?;
    Ok(Committed { id, results: in_order(&moves, &results) })
}

/// One result for each operation: that of its name.
fn in_order(moves: &[Move], results: &[Changed]) -> Vec<Changed> {
    moves.iter().map(|step| results[step.subject()].clone()).collect()
}

/// Operations with their names resolved; names that come twice are one.
struct Resolved<'t> {
    locations: Vec<Location>,
    moves: Vec<Move>,
    /// For each operation, what it writes.
    sources: Vec<Option<Writing<'t>>>,
}

struct Writing<'t> {
    source: Source<'t>,
    mode: Option<u32>,
}

#[derive(Default)]
struct Names {
    locations: Vec<Location>,
    index: HashMap<Key, usize>,
    /// For each folder, the first name in it.
    folders: HashMap<Key, usize>,
    /// Symbolic links that were followed.
    links: HashSet<Key>,
}

impl Names {
    fn add(&mut self, location: Location) -> usize {
        // Names in one folder share its descriptor.
        let location = match self.folders.get(&location.folder_key()) {
            Some(known) => self.locations[*known].sibling(location.name()),
            None => location,
        };
        self.folders.entry(location.folder_key()).or_insert(self.locations.len());
        *self.index.entry(location.key().clone()).or_insert_with(|| {
            self.locations.push(location);
            self.locations.len() - 1
        })
    }

    /// The file that a name means, through links; missing folders are created.
    fn written(&mut self, base: &Base, name: &Path) -> Result<usize> {
        let whole = base.resolve_creating(name, true)?;
        refuse_sidecar(&whole)?;
        self.follow(base, name, whole)
    }

    /// The file that a name means, through links.
    fn read(&mut self, base: &Base, name: &Path) -> Result<usize> {
        let whole = base.resolve(name, Follow::Whole)?;
        self.follow(base, name, whole)
    }

    fn follow(&mut self, base: &Base, name: &Path, whole: Location) -> Result<usize> {
        let link = base.resolve(name, Follow::Parent)?;
        if link.key() != whole.key() {
            self.links.insert(link.key().clone());
        }
        Ok(self.add(whole))
    }

    /// The name itself, even if it is a link.
    fn itself(&mut self, base: &Base, name: &Path) -> Result<usize> {
        let location = base.resolve(name, Follow::Parent)?;
        refuse_sidecar(&location)?;
        Ok(self.add(location))
    }

    fn check(&self) -> Result<()> {
        match self.links.iter().find(|link| self.index.contains_key(link)) {
            None if self.locations.len() <= MAX_STEPS => Ok(()),
            None => Err(Error::message(Code::TooLarge, format!("a transaction touches at most {MAX_STEPS} names"))),
            Some(link) => {
                let words = "one transaction cannot change a symbolic link and write through it";
                Err(Error::message(Code::InvalidArgument, words).at(link.to_path()))
            }
        }
    }
}

fn resolve<'t>(base: &Base, operations: Vec<Operation<'t>>) -> Result<Resolved<'t>> {
    let mut names = Names::default();
    let (mut moves, mut sources) = (Vec::new(), Vec::new());
    for operation in operations {
        let (step, writing) = match operation {
            Operation::Write { name, source, how } => {
                let to = names.written(base, &name)?;
                let writing = Writing { source, mode: how.mode };
                (Move::Write { to, condition: how.condition }, Some(writing))
            }
            Operation::Delete { name } => (Move::Delete { from: names.itself(base, &name)? }, None),
            Operation::Rename { from, to, condition } => {
                let from = names.itself(base, &from)?;
                base.resolve_creating(&to, true)?;
                (Move::Rename { from, to: names.itself(base, &to)?, condition }, None)
            }
            Operation::Copy { from, to, condition } => {
                let from = names.read(base, &from)?;
                (Move::Copy { from, to: names.written(base, &to)?, condition }, None)
            }
        };
        moves.push(step);
        sources.push(writing);
    }
    names.check()?;
    Ok(Resolved { locations: names.locations, moves, sources })
}

/// Takes all locks in the order of the names, so that two who want some of the same do not wait for each other.
pub(super) fn lock_all(
    locations: &[Location],
    options: &LockOptions,
    held: &[&LockGuard],
    acquire: impl Fn(&Location, &LockOptions) -> Result<LockGuard>,
) -> Result<Vec<LockGuard>> {
    let start = Instant::now();
    let mut wanted: Vec<&Location> =
        locations.iter().filter(|location| !held.iter().any(|guard| guard.covers(location))).collect();
    wanted.sort_by(|a, b| a.key().cmp(b.key()));
    let take = |location: &&Location| {
        let timeout = options.timeout.after(start.elapsed());
        acquire(location, &LockOptions { timeout, ..options.clone() })
    };
    wanted.iter().map(take).collect()
}

/// A name that the transaction touches, and what it found there.
pub(super) struct Name {
    pub location: Location,
    pub standing: Standing,
}

pub(super) enum Standing {
    /// A file, or nothing.
    File(Survey),
    /// A symbolic link, with its target.
    Link(Key),
}

impl Name {
    pub fn survey(&self) -> Option<&Survey> {
        match &self.standing {
            Standing::File(survey) => Some(survey),
            Standing::Link(_) => None,
        }
    }

    fn is_there(&self) -> bool {
        self.survey().is_none_or(|survey| survey.stat.is_some())
    }

    fn old(&self) -> Result<Old> {
        Ok(match &self.standing {
            Standing::Link(target) => Old::Link(target.clone()),
            Standing::File(survey) if survey.stat.is_none() => Old::Nothing,
            Standing::File(survey) => {
                let digest = survey.state().and_then(best_digest);
                Old::File(digest.cloned().ok_or_else(|| Error::new(Code::Internal))?)
            }
        })
    }
}

fn survey_all(
    workspace: &Workspace,
    locations: Vec<Location>,
    options: &TransactionOptions<'_>,
    turn: &mut Turn<'_>,
) -> Result<Vec<Name>> {
    let mut names = Vec::with_capacity(locations.len());
    for location in locations {
        options.progress.check()?;
        let is_link = location.dir().stat(location.name()).is_ok_and(|stat| stat.kind == FileKind::Symlink);
        let standing = match is_link {
            true => Standing::Link(read_link(&location)?),
            false => Standing::File(
                workspace.survey(&location, true, &options.progress, turn).map_err(|e| e.at(location.path()))?,
            ),
        };
        names.push(Name { location, standing });
    }
    Ok(names)
}

pub(super) fn read_link(location: &Location) -> Result<Key> {
    let target = location.dir().read_link(location.name()).at(location.path())?;
    Ok(Key::from_bytes(bytes_of(&target)))
}

fn decide_ends(moves: &[Move], names: &[Name], sources: &[Option<Writing<'_>>]) -> Result<Ends> {
    let found: Vec<bool> = names.iter().map(Name::is_there).collect();
    let meets = |origin, condition: &Condition| {
        let Condition::Checksum(wanted) = condition else { return Ok(true) };
        match origin {
            Origin::Found(name) => match names[name].survey() {
                Some(survey) => Ok(survey.digest(wanted.algorithm())?.as_ref() == Some(wanted)),
                None => Err(Error::new(Code::NotAFile)),
            },
            Origin::Written(operation) => match &sources[operation] {
                Some(Writing { source: Source::Bytes(bytes), .. }) => {
                    Ok(of_bytes(wanted.algorithm(), bytes) == *wanted)
                }
                _ => Err(Error::message(
                    Code::InvalidArgument,
                    "a condition on what the same transaction writes from a stream cannot be checked",
                )),
            },
        }
    };
    outcome(moves, &found, meets).map_err(|(name, e)| e.at(names[name].location.path()))
}

/// Files that are replaced and not copied have been looked at for the last time.
fn close_replaced(names: &mut [Name], ends: &Ends) {
    for (number, name) in names.iter_mut().enumerate() {
        let is_source = !ends.users(Origin::Found(number)).is_empty();
        match &mut name.standing {
            Standing::File(survey) if ends.of(number).is_some() && !is_source => survey.file = None,
            _ => {}
        }
    }
}

/// What happens to one name.
pub(super) struct Effect {
    /// Which name.
    pub name: usize,
    pub step: Step,
    /// The new content, beside its target.
    pub staged: Option<Staged>,
    /// The name whose file only has to be renamed.
    pub moved_from: Option<usize>,
    pub outside_edit: Option<u64>,
    slots: (Option<Slot>, Option<Slot>),
}

struct Effects {
    list: Vec<Effect>,
    /// Flushes are shared: contents and records are not durable yet.
    shared: Option<FlushPoint>,
    unflushed: Option<Unflushed>,
}

impl Effects {
    fn prepare<'t>(
        workspace: &Workspace,
        names: &[Name],
        ends: &Ends,
        sources: &mut [Option<Writing<'t>>],
        options: &TransactionOptions<'_>,
        turn: &mut Turn<'_>,
    ) -> Result<Effects> {
        let changes = |name: usize| match ends.of(name) {
            Some(origin) => origin != Origin::Found(name),
            None => names[name].is_there(),
        };
        let changed: Vec<usize> = (0..names.len()).filter(|name| changes(*name)).collect();
        let written = changed.iter().filter(|name| ends.of(**name).is_some());
        let spooled = sources.iter().flatten().any(|writing| matches!(writing.source, Source::Spooled(_)));
        let shared = match spooled {
            true => None,
            false => workspace.flush_point_of(written.map(|name| &names[*name].location)),
        };
        let mut preparing =
            Preparing { workspace, names, ends, options, turn, shared: shared.is_some(), list: Vec::new() };
        for name in changed {
            let prepared = preparing.effect(name, sources);
            let effect = prepared.map_err(|e| e.at(names[name].location.path()))?;
            preparing.list.push(effect);
        }
        Ok(Effects { list: preparing.list, shared, unflushed: None })
    }

    /// Records what is replaced and not in history, and what is to be.
    fn record(&mut self, names: &[Name], mut turn: Turn<'_>) -> Result<()> {
        for effect in &mut self.list {
            let Name { location, standing } = &names[effect.name];
            if let Standing::File(survey) = standing {
                let edit = survey.lacks().cloned();
                effect.slots.0 = edit.map(|old| turn.add(new_version(location, VersionKind::OutsideEdit, Some(old))));
            }
            effect.slots.1 = effect.version(location, standing).map(|version| turn.add(version));
        }
        let numbers = match &self.shared {
            None => turn.commit(true)?,
            Some(_) => {
                let (numbers, unflushed) = turn.commit_unflushed()?;
                self.unflushed = unflushed;
                numbers
            }
        };
        for effect in &mut self.list {
            effect.outside_edit = numbers.of(effect.slots.0);
            effect.step.version = numbers.of(effect.slots.1).unwrap_or(0);
        }
        Ok(())
    }

    fn flush(&mut self, workspace: &Workspace, names: &[Name]) -> Result<()> {
        let Some(point) = &self.shared else { return Ok(()) };
        let staged = self.list.iter_mut().filter_map(|e| Some((&names[e.name].location, e.staged.as_mut()?)));
        let flushed = workspace.flush_together(point, staged);
        match (&flushed, self.unflushed.take()) {
            (Ok(()), unflushed) => unflushed.into_iter().for_each(Unflushed::settle),
            // They are taken back, and their numbers with them.
            (Err(_), unflushed) => {
                drop(unflushed);
                self.list.iter_mut().for_each(|effect| effect.step.version = 0);
            }
        }
        flushed
    }

    fn steps(&self) -> Vec<Step> {
        self.list.iter().map(|effect| effect.step.clone()).collect()
    }

    /// Unless the decision may still stand, and be carried out.
    fn note_never(&self, workspace: &Workspace, error: &Error) {
        if error.code() == Code::DurabilityUnknown {
            return;
        }
        for step in self.list.iter().map(|effect| &effect.step).filter(|step| step.version > 0) {
            workspace.note(&step.key, step.version, Landed::No);
        }
    }
}

impl Effect {
    /// Links have no versions, as they have no content.
    fn version(&self, location: &Location, standing: &Standing) -> Option<NewVersion> {
        let file = match (&self.step.new, standing) {
            (Becomes::Link(_), _) | (Becomes::Nothing, Standing::Link(_)) => return None,
            (Becomes::Nothing, _) => None,
            (Becomes::File(state), _) => Some(state.clone()),
        };
        Some(NewVersion { other: self.step.other.clone(), ..new_version(location, self.step.kind, file) })
    }
}

/// Makes the temporary files and steps of a transaction.
struct Preparing<'p, 't, 'w> {
    workspace: &'p Workspace,
    names: &'p [Name],
    ends: &'p Ends,
    options: &'p TransactionOptions<'t>,
    turn: &'p mut Turn<'w>,
    shared: bool,
    list: Vec<Effect>,
}

impl Preparing<'_, '_, '_> {
    fn effect(&mut self, name: usize, sources: &mut [Option<Writing<'_>>]) -> Result<Effect> {
        let (kind, other) = self.told(name);
        let old = self.names[name].old()?;
        let moved_from = self.moved_from(name);
        let (new, staged) = match self.ends.of(name) {
            None => (Becomes::Nothing, None),
            Some(Origin::Written(operation)) => self.written(name, operation, sources)?,
            Some(Origin::Found(from)) => match &self.names[from].standing {
                Standing::Link(target) => (Becomes::Link(target.clone()), None),
                Standing::File(survey) if moved_from.is_some() => (Becomes::File(state_of(survey)?.clone()), None),
                Standing::File(survey) => self.copied(name, survey)?,
            },
        };
        let key = self.names[name].location.key().clone();
        let other = other.map(|other| self.names[other].location.key().clone());
        let step = Step { key, old, new, version: 0, kind, other };
        Ok(Effect { name, step, staged, moved_from, outside_edit: None, slots: (None, None) })
    }

    /// What the history is to say.
    fn told(&self, name: usize) -> (VersionKind, Option<usize>) {
        match self.ends.of(name) {
            Some(Origin::Found(from)) if self.ends.left_for(from) == Some(name) => {
                (VersionKind::RenamedFrom, Some(from))
            }
            Some(_) => (VersionKind::Write, None),
            None => match self.ends.left_for(name) {
                Some(to) => (VersionKind::RenamedTo, Some(to)),
                None => (VersionKind::Delete, None),
            },
        }
    }

    /// Whether renaming is all there is to do: the old name is free in the end, and on the same file system.
    fn moved_from(&self, name: usize) -> Option<usize> {
        let Some(Origin::Found(from)) = self.ends.of(name) else { return None };
        let device = |name: usize| self.names[name].location.dir().stat_self().ok().map(|stat| stat.device);
        let alone = self.ends.of(from).is_none() && self.ends.left_for(from) == Some(name);
        let is_file = self.names[from].survey().is_some();
        (alone && is_file && device(from).is_some() && device(from) == device(name)).then_some(from)
    }

    fn written(
        &mut self,
        name: usize,
        operation: usize,
        sources: &mut [Option<Writing<'_>>],
    ) -> Result<(Becomes, Option<Staged>)> {
        if let Some(Writing { source, mode }) = sources[operation].take() {
            let bytes = if let Source::Bytes(bytes) = &source { Some(*bytes) } else { None };
            let mut staged = self.stage(name, Content::Source(source), mode)?;
            let state = keep_staged(&mut staged, bytes, &self.options.progress, self.turn)?;
            let waits = self.list.len() < MAX_STAGED || self.ends.users(Origin::Written(operation)).len() > 1;
            return Ok((Becomes::File(state), waits.then_some(staged)));
        }
        // Written once already, under another name.
        let twin = self.ends.users(Origin::Written(operation)).first();
        let twin = twin.and_then(|first| self.list.binary_search_by_key(first, |effect| effect.name).ok());
        let twin = &self.list[twin.ok_or_else(|| Error::new(Code::Internal))?];
        let (Becomes::File(state), Some(first)) = (&twin.step.new, &twin.staged) else {
            return Err(Error::new(Code::Internal));
        };
        let (state, file) = (state.clone(), first.file().try_clone()?);
        self.again(name, &file, state)
    }

    fn copied(&mut self, name: usize, survey: &Survey) -> Result<(Becomes, Option<Staged>)> {
        let Some(file) = &survey.file else { return Err(Error::new(Code::Internal)) };
        // What history knows of the content may be older than the mode; and a copy has another owner, to whom setuid would
        // lend rights.
        let mode = stat_file(file)?.mode & 0o777;
        self.again(name, file, FileState { mode, ..state_of(survey)?.clone() })
    }

    /// Another copy of a content that the store has, or is about to have.
    fn again(&mut self, name: usize, file: &File, state: FileState) -> Result<(Becomes, Option<Staged>)> {
        let staged = self.stage(name, Content::File(file, &state), Some(state.mode))?;
        check_restored(&staged, &state).map_err(|_| Error::new(Code::ChangedWhileRead))?;
        let stat = staged.stat()?;
        let state = FileState { uid: stat.uid, gid: stat.gid, modified: stat.modified, ..state };
        Ok((Becomes::File(state), (self.list.len() < MAX_STAGED).then_some(staged)))
    }

    fn stage(&self, name: usize, content: Content<'_, '_>, mode: Option<u32>) -> Result<Staged> {
        let progress = &self.options.progress;
        let change = ChangeOptions {
            algorithm: self.options.algorithm,
            mode,
            progress: progress.clone(),
            ..ChangeOptions::default()
        };
        let known = match &content {
            Content::File(_, state) | Content::Source(Source::Stored(state)) => best_digest(state),
            Content::Source(_) => None,
        };
        let mut temp =
            self.workspace.temp(&self.names[name].location, &change, known.map(|digest| digest.algorithm()))?;
        let mut stored = None;
        match content {
            Content::Source(Source::Bytes(bytes)) => temp.write_all(bytes)?,
            Content::Source(Source::Reader(reader)) => copy(reader, &mut temp, progress)?,
            Content::Source(Source::Stored(state)) => {
                copy(&mut self.workspace.store().reader(&state.content)?, &mut temp, progress)?;
                stored = Some(state);
            }
            Content::Source(Source::Spooled(_)) => {
                return Err(Error::message(Code::InvalidArgument, "spooled content is for one write alone"));
            }
            Content::File(mut file, _) => {
                file.seek(SeekFrom::Start(0))?;
                copy(&mut file, &mut temp, progress)?;
            }
        }
        let staged = temp.stage(!self.shared)?;
        if let Some(state) = stored {
            check_restored(&staged, state)?;
        }
        Ok(staged)
    }
}

enum Content<'s, 't> {
    Source(Source<'t>),
    File(&'s File, &'s FileState),
}

fn state_of(survey: &Survey) -> Result<&FileState> {
    survey.state().ok_or_else(|| Error::new(Code::Internal))
}
