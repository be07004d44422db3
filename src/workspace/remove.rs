//! Deleting a file: a version without content is durable before the file goes.

use super::survey::{Standing, Survey, unchanged};
use super::turn::{Turn, new_version};
use super::{ChangeOptions, Changed, UNKEPT, UNRELEASED, Workspace, release};
use crate::atomic::Durability;
use crate::error::{Code, Error, IoContext, Result};
use crate::lock::refuse_sidecar;
use crate::path::Location;
use crate::progress::Progress;
use crate::store::{Landed, NewVersion, VersionKind};
use crate::sys::{self, FileKind};
use crate::time::Timestamp;

impl Workspace {
    /// Removes one file (or a symbolic link: the link alone). A version without content is recorded before.
    ///
    /// The file that goes is looked at once more after it went: what was written to it between the first look and its
    /// end is kept as an `outside_edit`. One that another program *replaces* in that instant cannot be told.
    ///
    /// # Errors
    /// `not_found`, `not_a_file`, `changed` if the condition does not hold; `lock_timeout`, `would_deadlock`,
    /// `not_locked`, `cancelled`, `changed_while_read`, `read_only`, `permission_denied`, `no_space`, `io`;
    /// `durability_unknown`: it is gone now.
    pub fn delete(&self, location: Location, options: ChangeOptions<'_>) -> Result<Changed> {
        self.delete_at(&location, &options).map_err(|e| e.at(location.path()))
    }

    fn delete_at(&self, location: &Location, options: &ChangeOptions<'_>) -> Result<Changed> {
        self.writable()?;
        refuse_sidecar(location)?;
        let guard = self.enter(location, &options.hold)?;
        let kind = location.dir().stat(location.name()).at(location.path())?.kind;
        let mut changed = match kind {
            FileKind::Symlink => {
                unlink(location)?;
                gone(location, sync_names(&[location], options.durability)?)
            }
            FileKind::File => self.delete_file(location, options)?,
            _ => return Err(Error::new(Code::NotAFile)),
        };
        release(guard).map_err(|e| e.after_change(UNRELEASED))?;
        changed.timestamp = Timestamp::now();
        Ok(changed)
    }

    fn delete_file(&self, location: &Location, options: &ChangeOptions<'_>) -> Result<Changed> {
        let mut turn = Turn::new(self);
        let survey = self.survey(location, options.create_version, &options.progress, &mut turn)?;
        if survey.stat.is_none() {
            return Err(Error::new(Code::NotFound));
        }
        survey.allows(&options.condition)?;
        let edit = survey.lacks().cloned();
        let edit = edit.map(|old| turn.add(new_version(location, VersionKind::OutsideEdit, Some(old))));
        let stone = options.create_version.then(|| turn.add(tombstone(location)));
        let numbers = turn.commit(edit.is_some() || options.durability > Durability::None)?;
        let stone = numbers.of(stone);
        let removed = self.check_still(location, &survey).and_then(|()| unlink(location));
        removed.inspect_err(|_| self.note_stone(location, stone, Landed::No))?;
        self.note_stone(location, stone, Landed::Yes(None));
        // Kept also where the flush fails: the file is gone all the same.
        let synced = sync_names(&[location], options.durability);
        let again = options.create_version.then(|| tombstone(location));
        let late = self.late_edit(location, &survey, &options.progress, again).map_err(|e| e.after_change(UNKEPT))?;
        let outside_edit = late.or(numbers.of(edit));
        Ok(Changed { version: stone, outside_edit, ..gone(location, synced?) })
    }

    /// Refuses to remove what was not surveyed.
    pub(super) fn check_still(&self, location: &Location, survey: &Survey) -> Result<()> {
        let now = location.dir().stat(location.name()).at(location.path())?;
        match &survey.stat {
            Some(then) if survey.guarded && !unchanged(then, &now) => Err(Error::new(Code::ChangedWhileRead)),
            _ => Ok(()),
        }
    }

    fn note_stone(&self, location: &Location, stone: Option<u64>, landed: Landed) {
        if let Some(number) = stone {
            self.note(location.key(), number, landed);
        }
    }

    /// Keeps what was written to a file between its survey and its end, and after that once more the version that says
    /// what stands there now, so that this is the newest.
    pub(crate) fn late_edit(
        &self,
        location: &Location,
        survey: &Survey,
        progress: &Progress,
        newest: Option<NewVersion>,
    ) -> Result<Option<u64>> {
        let (Some(file), Some(then), true) = (&survey.file, &survey.stat, survey.guarded) else { return Ok(None) };
        let now = sys::stat_file(file).at(location.path())?;
        if now.size == then.size && survey.proves(&now) {
            return Ok(None);
        }
        let mut turn = Turn::new(self);
        let standing = Standing::read(file, &now, progress, &mut turn)?;
        if survey.state().is_some_and(|state| standing.is(state)) {
            return Ok(None);
        }
        let found = standing.keep(&mut turn)?;
        let edit = turn.add(new_version(location, VersionKind::OutsideEdit, Some(found)));
        newest.map(|version| turn.add(version));
        Ok(turn.commit(true)?.of(Some(edit)))
    }
}

fn unlink(location: &Location) -> Result<()> {
    location.dir().remove_file(location.name()).at(location.path())
}

fn gone(location: &Location, durability: Durability) -> Changed {
    Changed {
        path: location.path().to_owned(),
        size: 0,
        checksum: None,
        version: None,
        outside_edit: None,
        timestamp: Timestamp::now(),
        durability,
    }
}

/// The version that says that a file is gone.
pub(crate) fn tombstone(location: &Location) -> NewVersion {
    new_version(location, VersionKind::Delete, None)
}

/// Makes names durable that were removed or renamed: what was achieved.
pub(super) fn sync_names(locations: &[&Location], wanted: Durability) -> Result<Durability> {
    if wanted < Durability::Full {
        return Ok(wanted);
    }
    let mut all = true;
    for location in locations {
        let synced = location.dir().sync().at(location.path());
        all &= synced.map_err(|e| e.with_code(Code::DurabilityUnknown))?;
    }
    Ok(if all { Durability::Full } else { Durability::Data })
}
