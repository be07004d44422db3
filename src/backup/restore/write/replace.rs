//! Files that differ and are to be overwritten: atomically, and by way of the history where there is one.

use super::files::{content, set_properties};
use super::{Job, Writing};
use crate::atomic::{AtomicFile, Condition, Durability, WriteOptions};
use crate::backup::info::path_of;
use crate::error::{Code, Error, Result};
use crate::path::{Location, TEMP_PREFIX};
use crate::pool;
use crate::sys::{Dir, Open};
use crate::workspace::{Change, ChangeOptions, Changed, Source, Workspace};
use std::ffi::OsStr;
use std::io;

/// Larger files are streamed, one by one.
const SMALL: u64 = 1 << 20;

impl Writing<'_> {
    pub fn replace(&mut self, jobs: Vec<Job>) -> Result<()> {
        let has_history = |job: &Job| self.plan.destination.history_of(&job.spot.full).is_some();
        let (versioned, alone): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(has_history);
        if let Some(workspace) = self.plan.destination.workspace().cloned() {
            self.replace_versioned(&workspace, versioned)?;
        }
        alone.iter().try_for_each(|job| {
            let replaced = self.replace_alone(job);
            self.settle(job, replaced)
        })
    }

    fn replace_alone(&self, job: &Job) -> Result<()> {
        let options = WriteOptions {
            durability: Durability::Full,
            condition: Condition::Always,
            mode: Some(job.entry.mode & 0o1777),
            ..WriteOptions::default()
        };
        let mut file = AtomicFile::create(&self.location(job), &options)?;
        let mut reader = self.store.reader(content(job)?)?;
        io::copy(&mut reader, &mut file)?;
        file.commit().map(drop)
    }

    fn replace_versioned(&mut self, workspace: &Workspace, jobs: Vec<Job>) -> Result<()> {
        let (small, large): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.entry.size() <= SMALL);
        let data: Vec<Result<Vec<u8>>> = pool::each(&small, 1, |job| self.store.reader(content(job)?)?.read_all());
        let mut changes = Vec::new();
        let mut changing = Vec::new();
        for (job, data) in small.iter().zip(&data) {
            if let Ok(data) = data {
                changes.push(self.change(job, Source::Bytes(data)));
                changing.push(job);
            }
        }
        for (job, changed) in changing.into_iter().zip(workspace.write_many(changes)) {
            let counted = self.count(changed);
            self.settle(job, counted)?;
        }
        for (job, data) in small.iter().zip(data) {
            if let Err(e) = data {
                self.settle(job, Err(e))?;
            }
        }
        for job in &large {
            let mut reader = self.store.reader(content(job)?)?;
            let Change { location, source, options } = self.change(job, Source::Reader(&mut reader));
            let changed = workspace.write(location, source, options);
            let counted = self.count(changed);
            self.settle(job, counted)?;
        }
        Ok(())
    }

    fn change<'s>(&self, job: &Job, source: Source<'s>) -> Change<'s, 'static> {
        let options = ChangeOptions {
            mode: Some(job.entry.mode & 0o1777),
            progress: self.options.progress.clone(),
            ..ChangeOptions::default()
        };
        Change { location: self.location(job), source, options }
    }

    fn count(&mut self, changed: Result<Changed>) -> Result<()> {
        self.report.versioned += u64::from(changed?.outside_edit.is_some());
        Ok(())
    }

    fn location(&self, job: &Job) -> Location {
        self.plan.destination.location(&job.spot.dir, &job.spot.name, &job.spot.full)
    }

    /// Gives a replaced file the properties of the one in the backup.
    fn settle(&mut self, job: &Job, replaced: Result<()>) -> Result<()> {
        let written = replaced.and_then(|()| match job.spot.dir.open_read(&job.spot.name) {
            Ok(file) => Ok(set_properties(Open::File(&file), &job.entry)?),
            Err(_) => Ok(vec!["its owner and times could not be set".to_owned()]), // not readable even for us
        });
        if written.is_ok() {
            self.report.overwritten.push(path_of(job.spot.path.clone()));
            self.warn_unless_linked(job);
        }
        self.account(job, written.map_err(|e| e.at(&job.spot.full)))
    }
}

/// Replaces one symbolic link by another in one step.
pub fn replace_link(dir: &Dir, name: &OsStr, target: &OsStr) -> Result<()> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| Error::message(Code::Io, e.to_string()))?;
    let temp = format!("{TEMP_PREFIX}{:016x}", u64::from_le_bytes(random));
    dir.symlink(target, temp.as_ref())?;
    if let Err(e) = dir.rename(temp.as_ref(), dir, name) {
        dir.remove_file(temp.as_ref())?;
        return Err(e.into());
    }
    Ok(())
}
