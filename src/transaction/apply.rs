//! Carrying out a decided transaction in the process that decided it: names change, nothing is copied any more.

use super::TransactionOptions;
use super::commit::{Effect, Name};
use super::finish::{Finished, finish, finish_all, from_store, in_order, settled};
use super::journal::Journal;
use super::recover::Found;
use super::step::{Becomes, Step};
use crate::atomic::{Durability, Written};
use crate::checksum::{Algorithm, Digest};
use crate::error::{Code, Error, IoContext, Result};
use crate::lock::LockGuard;
use crate::path::Location;
use crate::store::{Identity, Landed};
use crate::sys::{FileKind, Stat};
use crate::time::Timestamp;
use crate::workspace::{
    Change, Changed, Source, Survey, Workspace, best_digest, digest_file, open_standing, read_back, tombstone,
};
use std::io;

/// What became of a name.
struct Done {
    stat: Option<Stat>,
    digest: Option<Digest>,
    outside_edit: Option<u64>,
    version: u64,
}

/// Carries out all effects and removes the journal. One result for each name, whether it was changed or not.
pub(super) fn apply(
    workspace: &Workspace,
    names: &[Name],
    effects: Vec<Effect>,
    journal: Journal,
    guards: &[&LockGuard],
    options: &TransactionOptions<'_>,
) -> Result<Vec<Changed>> {
    let steps: Vec<Step> = effects.iter().map(|effect| effect.step.clone()).collect();
    let applying = Applying { workspace, names, journal: &journal, guards, options };
    let done = match applying.all(effects) {
        Ok(done) => done,
        // Once more, step by step, from the store; else the next open does it.
        Err(_) => applying.repeat(&steps).map_err(|e| later(&e, &journal))?,
    };
    applying.let_locks_follow(&done);
    options.pass("applied");
    journal.remove().map_err(|e| e.with_code(Code::DurabilityUnknown))?;
    options.pass("finished");
    results_of(names, done, options.algorithm).map_err(|e| e.after_change("its files could not be read back"))
}

fn later(error: &Error, journal: &Journal) -> Error {
    let words = format!("the transaction is decided, and will be carried out when the folder is next opened: {error}");
    Error::message(Code::DurabilityUnknown, words).at(error.path().unwrap_or(journal.path()))
}

struct Applying<'a, 't> {
    workspace: &'a Workspace,
    names: &'a [Name],
    journal: &'a Journal,
    guards: &'a [&'a LockGuard],
    options: &'a TransactionOptions<'t>,
}

type Outcomes = Vec<(usize, Done)>;

impl Applying<'_, '_> {
    fn all(&self, mut effects: Vec<Effect>) -> Result<Outcomes> {
        // What moves goes before its old name is cleared.
        effects.sort_by_key(|effect| (in_order(&effect.step), effect.moved_from.is_none()));
        let (from_store, rest) = self.split(effects)?;
        let mut outcomes = self.write_from_store(&from_store)?;
        for (number, effect) in rest.into_iter().enumerate() {
            let (name, path) = (effect.name, self.names[effect.name].location.path());
            outcomes.push((name, self.one(effect).map_err(|e| e.at(path))?));
            self.options.pass(&format!("step {number}"));
        }
        let changed: Vec<&Location> = outcomes.iter().map(|(name, _)| &self.names[*name].location).collect();
        self.workspace.sync_folders(&changed).into_iter().try_for_each(|synced| synced.map(drop))?;
        Ok(outcomes)
    }

    /// What was not kept beside its target is written from the store, with shared flushes.
    fn split(&self, effects: Vec<Effect>) -> Result<(Vec<Effect>, Vec<Effect>)> {
        let (mut from_store, mut rest) = (Vec::new(), Vec::new());
        for effect in effects {
            let is_copied = effect.staged.is_none() && effect.moved_from.is_none();
            let name = &self.names[effect.name];
            match (&effect.step.new, name.survey()) {
                (Becomes::File(_), Some(survey)) if is_copied && stands_as_surveyed(&name.location, survey)? => {
                    from_store.push(effect);
                }
                _ => rest.push(effect),
            }
        }
        Ok((from_store, rest))
    }

    fn write_from_store(&self, effects: &[Effect]) -> Result<Outcomes> {
        let mut changes = Vec::with_capacity(effects.len());
        for effect in effects {
            let location = self.names[effect.name].location.clone();
            let options = from_store(&effect.step, false, self.guard(&location)?);
            if let Becomes::File(state) = &effect.step.new {
                changes.push(Change { location, source: Source::Stored(state), options });
            }
        }
        let mut outcomes = Vec::with_capacity(effects.len());
        for (effect, written) in effects.iter().zip(self.workspace.write_many(changes)) {
            let written = written?;
            let location = &self.names[effect.name].location;
            let finished = settled(self.workspace, &effect.step, location, Found::Old, written.outside_edit)?;
            let outside_edit = finished.outside_edit.or(effect.outside_edit);
            outcomes.push((effect.name, Done { outside_edit, ..done(finished) }));
        }
        Ok(outcomes)
    }

    fn guard(&self, location: &Location) -> Result<&LockGuard> {
        let guard = self.guards.iter().find(|guard| guard.covers(location));
        guard.copied().ok_or_else(|| Error::new(Code::Internal))
    }

    /// Lock files get the modes that their targets were given.
    fn let_locks_follow(&self, outcomes: &Outcomes) {
        for (name, outcome) in outcomes {
            let Name { location, .. } = &self.names[*name];
            let old = self.names[*name].survey().and_then(|survey| survey.stat);
            let new = outcome.stat.filter(|new| new.kind == FileKind::File);
            if let (Some(new), Ok(guard)) = (new, self.guard(location))
                && old.is_none_or(|old| old.mode != new.mode)
            {
                guard.follow_mode(new.mode);
            }
        }
    }

    fn repeat(&self, steps: &[Step]) -> Result<Outcomes> {
        let find = |key| self.names.iter().position(|name| name.location.key() == key);
        let found: Option<Vec<usize>> = steps.iter().map(|step| find(&step.key)).collect();
        let found = found.ok_or_else(|| Error::new(Code::Internal))?;
        let locations: Vec<Location> = found.iter().map(|name| self.names[*name].location.clone()).collect();
        let finished = finish_all(self.workspace, steps, &locations, self.guards, &self.journal.id())?;
        Ok(found.into_iter().zip(finished.into_iter().map(done)).collect())
    }

    fn one(&self, effect: Effect) -> Result<Done> {
        let name = &self.names[effect.name];
        let outside_edit = effect.outside_edit;
        let step = effect.step.clone();
        let quick = match name.survey() {
            Some(survey) if stands_as_surveyed(&name.location, survey)? => self.quickly(effect, name, survey)?,
            _ => None,
        };
        let mut outcome = match quick {
            Some(outcome) => outcome,
            None => {
                let guard = self.guard(&name.location)?;
                done(finish(self.workspace, &step, &name.location, guard, &self.journal.id())?)
            }
        };
        outcome.outside_edit = outcome.outside_edit.or(outside_edit);
        Ok(outcome)
    }

    /// The usual case: what was surveyed still stands there. `None`: it does not, after all.
    fn quickly(&self, effect: Effect, name: &Name, survey: &Survey) -> Result<Option<Done>> {
        match (&effect.step.new, effect.staged, effect.moved_from) {
            (Becomes::File(_), Some(staged), _) => {
                let looked = staged.publish(false, &mut |out| {
                    let same = survey.proves(&out.stat) || is_surveyed(survey, &out.file)?;
                    if same { Ok(()) } else { Err(Error::new(Code::Changed)) }
                });
                match looked {
                    Ok(written) => self.published(&effect.step, &name.location, written).map(Some),
                    Err(e) if e.code() == Code::Changed => Ok(None),
                    Err(e) => Err(e),
                }
            }
            (Becomes::File(_), None, Some(from)) => self.renamed(&effect.step, name, survey, &self.names[from]),
            (Becomes::Nothing, ..) => self.removed(&effect.step, name, survey).map(Some),
            _ => Ok(None),
        }
    }

    fn published(&self, step: &Step, location: &Location, written: Written) -> Result<Done> {
        let identity = match self.options.verify {
            true => read_back(location, &written)?,
            false => Some(Identity::of(&written.stat)),
        };
        self.workspace.note(&step.key, step.version, Landed::Yes(identity));
        let digest = written.digests.into_iter().find(|d| d.algorithm() == self.options.algorithm);
        Ok(Done { stat: Some(written.stat), digest, outside_edit: None, version: step.version })
    }

    fn renamed(&self, step: &Step, name: &Name, survey: &Survey, from: &Name) -> Result<Option<Done>> {
        let source = from.survey().ok_or_else(|| Error::new(Code::Internal))?;
        // A target that is replaced could still be written to; step by step that is looked at.
        if survey.stat.is_some() || !stands_as_surveyed(&from.location, source)? {
            return Ok(None);
        }
        let (from, to) = (&from.location, &name.location);
        from.dir().rename(from.name(), to.dir(), to.name()).at(to.path())?;
        from.dir().sync().at(from.path())?;
        let stat = to.dir().stat(to.name()).at(to.path())?;
        self.workspace.note(&step.key, step.version, Landed::Yes(Some(Identity::of(&stat))));
        let digest = source.digest(self.options.algorithm)?;
        Ok(Some(Done { stat: Some(stat), digest, outside_edit: None, version: step.version }))
    }

    fn removed(&self, step: &Step, name: &Name, survey: &Survey) -> Result<Done> {
        let location = &name.location;
        location.dir().remove_file(location.name()).at(location.path())?;
        let late = self.workspace.late_edit(location, survey, &self.options.progress, Some(tombstone(location)))?;
        self.workspace.note(&step.key, step.version, Landed::Yes(None));
        Ok(Done { stat: None, digest: None, outside_edit: late, version: step.version })
    }
}

fn done(finished: Finished) -> Done {
    Done { stat: finished.stat, digest: None, outside_edit: finished.outside_edit, version: finished.version }
}

/// Whether nobody touched the name since it was surveyed.
fn stands_as_surveyed(location: &Location, survey: &Survey) -> Result<bool> {
    match (&survey.stat, location.dir().stat(location.name())) {
        (Some(then), Ok(now)) => Ok(crate::workspace::unchanged(then, &now)),
        (None, Err(e)) | (Some(_), Err(e)) if e.kind() == io::ErrorKind::NotFound => Ok(survey.stat.is_none()),
        (None, Ok(_)) => Ok(false),
        (_, Err(e)) => Err(Error::io(e, location.path())),
    }
}

fn is_surveyed(survey: &Survey, out: &std::fs::File) -> Result<bool> {
    match survey.state().and_then(best_digest) {
        Some(digest) => Ok(digest_file(out, digest.algorithm())? == *digest),
        None => Ok(false),
    }
}

/// The results of a transaction that comes to nothing.
pub(super) fn unchanged(names: &[Name], algorithm: Algorithm) -> Result<Vec<Changed>> {
    results_of(names, Vec::new(), algorithm)
}

fn results_of(names: &[Name], outcomes: Outcomes, algorithm: Algorithm) -> Result<Vec<Changed>> {
    let mut results: Vec<Option<Changed>> = (0..names.len()).map(|_| None).collect();
    for (name, outcome) in outcomes {
        results[name] = Some(result(&names[name], outcome, algorithm)?);
    }
    let rest = |(name, result): (&Name, Option<Changed>)| match result {
        Some(result) => Ok(result),
        None => untouched(name, algorithm),
    };
    names.iter().zip(results).map(rest).collect()
}

fn result(name: &Name, outcome: Done, algorithm: Algorithm) -> Result<Changed> {
    let location = &name.location;
    let checksum = match (outcome.digest, outcome.stat) {
        (None, Some(_)) => match open_standing(location) {
            Ok(Some((file, _))) => Some(digest_file(&file, algorithm).map_err(|e| e.at(location.path()))?),
            // A link, or changed by others already.
            _ => None,
        },
        (known, _) => known,
    };
    Ok(Changed {
        path: location.path().to_owned(),
        size: outcome.stat.map_or(0, |stat| stat.size),
        checksum,
        version: Some(outcome.version).filter(|version| *version > 0),
        outside_edit: outcome.outside_edit,
        timestamp: Timestamp::now(),
        durability: Durability::Full,
    })
}

/// Of a name that stands as it did: the operations on it came to nothing.
fn untouched(name: &Name, algorithm: Algorithm) -> Result<Changed> {
    let stat = name.survey().and_then(|survey| survey.stat);
    let digest = match name.survey() {
        Some(survey) => survey.digest(algorithm)?,
        None => None,
    };
    result(name, Done { stat, digest, outside_edit: None, version: 0 }, algorithm)
}
