//! Renaming a file: both histories tell of it before it happens.

use super::remove::sync_names;
use super::survey::Survey;
use super::turn::{Turn, new_version};
use super::{ChangeOptions, Changed, UNKEPT, UNRELEASED, Workspace, release};
use crate::atomic::{Condition, Durability};
use crate::error::{Code, Error, IoContext, Result};
use crate::lock::LockType;
use crate::path::Location;
use crate::store::{FileState, Identity, Landed, NewVersion, VersionKind};
use crate::sys::FileKind;
use crate::time::Timestamp;
use std::io;

/// The versions that a rename makes.
#[derive(Default)]
struct Told {
    left: Option<u64>,
    arrived: Option<u64>,
    outside_edit: Option<u64>,
    state: Option<FileState>,
}

impl Workspace {
    /// Renames a file; both histories tell of it. With `Condition::Absent` an existing target is refused; otherwise what
    /// it replaces is in its history first (a checksum condition is about the target). A symbolic link is renamed as
    /// such, and a target that is one is replaced.
    ///
    /// # Errors
    /// `not_found`; `not_a_file` for a folder; `already_exists` or `changed` if the condition on the new name does
    /// not hold; `invalid_argument` if both names are one file; `lock_timeout`, `would_deadlock`, `not_locked`,
    /// `cancelled`, `changed_while_read`, `cross_device`, `read_only`, `permission_denied`, `no_space`, `io`;
    /// `durability_unknown`: it has the new name now.
    pub fn rename(&self, from: Location, to: Location, options: ChangeOptions<'_>) -> Result<Changed> {
        self.rename_at(&from, &to, &options).map_err(|e| e.at(from.path()))
    }

    fn rename_at(&self, from: &Location, to: &Location, options: &ChangeOptions<'_>) -> Result<Changed> {
        self.writable()?;
        if from.key() == to.key() {
            return Err(Error::message(Code::InvalidArgument, "source and target are the same file"));
        }
        let both = (LockType::Exclusive, LockType::Exclusive);
        let guards = self.enter_both((from, both.0), (to, both.1), &options.hold)?;
        let kind = from.dir().stat(from.name()).at(from.path())?.kind;
        let changed = match kind {
            FileKind::Symlink => self.rename_link(from, to, options)?,
            FileKind::File => self.rename_file(from, to, options)?,
            _ => return Err(Error::new(Code::NotAFile)),
        };
        if let (FileKind::File, Some(guard)) = (kind, guards.iter().chain(options.hold.held()).find(|g| g.covers(to))) {
            let _ = to.dir().stat(to.name()).map(|stat| guard.follow_mode(stat.mode));
        }
        release(guards).map_err(|e| e.after_change(UNRELEASED))?;
        Ok(changed)
    }

    fn rename_file(&self, from: &Location, to: &Location, options: &ChangeOptions<'_>) -> Result<Changed> {
        let mut turn = Turn::new(self);
        let source = self.survey(from, options.create_version, &options.progress, &mut turn)?;
        let target = self.survey_target(to, options, &mut turn)?;
        target.allows(&options.condition).map_err(|e| e.at(to.path()))?;
        let told = tell(turn, (from, &source), (to, &target), options)?;
        let moved = self
            .check_still(from, &source)
            .and_then(|()| if target.stat.is_some() { self.check_still(to, &target) } else { Ok(()) })
            .and_then(|()| move_name(from, to, options));
        moved.inspect_err(|_| self.note_rename(from, to, &told, false))?;
        self.note_rename(from, to, &told, true);
        // Kept also where the flush fails: what was replaced is gone all the same.
        let synced = sync_names(&[from, to], options.durability);
        let here = told.arrived.map(|_| came_from(from, to, told.state.clone()));
        let late = self.late_edit(to, &target, &options.progress, here).map_err(|e| e.after_change(UNKEPT))?;
        let changed = renamed(to, options, &told, synced?)?;
        Ok(Changed { outside_edit: late.or(told.outside_edit), ..changed })
    }

    /// A target that is a symbolic link is replaced, and has no content of its own.
    fn survey_target(&self, to: &Location, options: &ChangeOptions<'_>, turn: &mut Turn<'_>) -> Result<Survey> {
        match to.dir().stat(to.name()) {
            Ok(stat) if stat.kind == FileKind::Symlink => match options.condition {
                Condition::Always => Ok(Survey::nothing()),
                Condition::Absent => Err(Error::new(Code::AlreadyExists).at(to.path())),
                Condition::Checksum(_) => Err(Error::new(Code::NotAFile).at(to.path())),
            },
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io(e, to.path())),
            _ => self.survey(to, options.create_version, &options.progress, turn),
        }
    }

    fn rename_link(&self, from: &Location, to: &Location, options: &ChangeOptions<'_>) -> Result<Changed> {
        let mut turn = Turn::new(self);
        let target = self.survey_target(to, options, &mut turn)?;
        target.allows(&options.condition).map_err(|e| e.at(to.path()))?;
        let edit = target.lacks().cloned();
        let edit = edit.map(|old| turn.add(new_version(to, VersionKind::OutsideEdit, Some(old))));
        let outside_edit = turn.commit(true)?.of(edit);
        move_name(from, to, options)?;
        let durability = sync_names(&[from, to], options.durability)?;
        let told = Told { outside_edit, ..Told::default() };
        renamed(to, options, &told, durability)
    }

    fn note_rename(&self, from: &Location, to: &Location, told: &Told, done: bool) {
        let stands = to.dir().stat(to.name()).ok().map(|stat| Identity::of(&stat));
        let landed = |identity| if done { Landed::Yes(identity) } else { Landed::No };
        if let Some(number) = told.left {
            self.note(from.key(), number, landed(None));
        }
        if let Some(number) = told.arrived {
            self.note(to.key(), number, landed(stands));
        }
    }
}

/// What stands under the new name now.
fn renamed(to: &Location, options: &ChangeOptions<'_>, told: &Told, durability: Durability) -> Result<Changed> {
    let stat = to.dir().stat(to.name()).at(to.path()).map_err(|e| e.after_change("it could not be looked at"))?;
    let digests = told.state.as_ref().map(|state| &state.digests[..]).unwrap_or_default();
    Ok(Changed {
        path: to.path().to_owned(),
        size: stat.size,
        checksum: digests.iter().find(|d| d.algorithm() == options.algorithm).cloned(),
        version: told.arrived,
        outside_edit: told.outside_edit,
        timestamp: Timestamp::now(),
        durability,
    })
}

fn came_from(from: &Location, to: &Location, state: Option<FileState>) -> NewVersion {
    NewVersion { other: Some(from.key().clone()), ..new_version(to, VersionKind::RenamedFrom, state) }
}

/// Records what history lacks of both files, and that the one becomes the other.
fn tell(
    mut turn: Turn<'_>,
    (from, source): (&Location, &Survey),
    (to, target): (&Location, &Survey),
    options: &ChangeOptions<'_>,
) -> Result<Told> {
    if source.stat.is_none() {
        return Err(Error::new(Code::NotFound));
    }
    let edit = |survey: &Survey, location: &Location, turn: &mut Turn<'_>| {
        survey.lacks().cloned().map(|old| turn.add(new_version(location, VersionKind::OutsideEdit, Some(old))))
    };
    edit(source, from, &mut turn);
    let replaced = edit(target, to, &mut turn);
    let state = source.state().cloned();
    let (mut left, mut arrived) = (None, None);
    if options.create_version {
        let gone = new_version(from, VersionKind::RenamedTo, None);
        left = Some(turn.add(NewVersion { other: Some(to.key().clone()), ..gone }));
        arrived = Some(turn.add(came_from(from, to, state.clone())));
    }
    let numbers = turn.commit(true)?;
    Ok(Told { left: numbers.of(left), arrived: numbers.of(arrived), outside_edit: numbers.of(replaced), state })
}

/// The rename itself, refusing an existing target if that is wanted.
fn move_name(from: &Location, to: &Location, options: &ChangeOptions<'_>) -> Result<()> {
    if options.condition != Condition::Absent {
        return replace_name(from, to);
    }
    match from.dir().rename_noreplace(from.name(), to.dir(), to.name()) {
        // A second name fails if the target exists, as the missing call would.
        Err(e) if e.kind() == io::ErrorKind::Unsupported => {
            from.dir().link(from.name(), to.dir(), to.name()).at(to.path())?;
            from.dir().remove_file(from.name()).at(from.path())
        }
        answer => answer.at(to.path()),
    }
}

/// `rename` leaves two names of one file as they are; the one is to go all the same.
fn replace_name(from: &Location, to: &Location) -> Result<()> {
    let stats = (from.dir().stat(from.name()), to.dir().stat(to.name()));
    match stats {
        (Ok(a), Ok(b)) if a.links > 1 && a.same_file(&b) => from.dir().remove_file(from.name()).at(from.path()),
        _ => from.dir().rename(from.name(), to.dir(), to.name()).at(to.path()),
    }
}
