//! New files: simply created where nobody can be using them, by way of a temporary file in place.

use super::{Job, Writing};
use crate::atomic::{AtomicFile, Condition, Durability, Staged, WriteOptions};
use crate::backup::info::path_of;
use crate::backup::manifest::Entry;
use crate::error::{Code, Error, IoContext, Result};
use crate::pool;
use crate::progress::Progress;
use crate::store::{Content, Store};
use crate::sys::{self, Open};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Runs of zeros that are left out of large files.
const HOLE: usize = 32 << 10;
const LARGE: u64 = 1 << 20;
const BLOCK: usize = 64 << 10;

/// What became of a file, and what could not be given back to it.
pub type Written = Result<Vec<String>>;

impl Writing<'_> {
    /// Into a folder that was there for nobody before.
    pub fn create_fresh(&mut self, jobs: Vec<Job>) -> Result<()> {
        let (store, progress) = (&self.store, &self.options.progress);
        let written: Vec<Written> =
            pool::each(&jobs, 8, |job| fresh(job, store, progress).map_err(|e| e.at(&job.spot.full)));
        jobs.iter().zip(written).try_for_each(|(job, written)| self.account(job, written))
    }

    /// Beside files that are in use: whole and durable before they take their names.
    pub fn create_in_place(&mut self, jobs: Vec<Job>) -> Result<()> {
        if jobs.is_empty() {
            return Ok(());
        }
        jobs.iter().try_for_each(|job| self.note_folder(job))?;
        let writing = &*self;
        let staged: Vec<Result<(Staged, Vec<String>)>> =
            pool::each(&jobs, 1, |job| writing.stage(job).map_err(|e| e.at(&job.spot.full)));
        let synced = self.sync_file_systems()?;
        for (job, staged) in jobs.iter().zip(staged) {
            let written = staged.and_then(|(mut staged, missed)| {
                if !synced {
                    staged.flush()?;
                }
                staged.publish(false, &mut |_| Ok(()))?;
                Ok(missed)
            });
            self.account(job, written)?;
        }
        Ok(())
    }

    fn stage(&self, job: &Job) -> Result<(Staged, Vec<String>)> {
        let location = self.plan.destination.location(&job.spot.dir, &job.spot.name, &job.spot.full);
        let options = WriteOptions {
            durability: Durability::None,
            condition: Condition::Absent,
            mode: Some(0o600),
            ..WriteOptions::default()
        };
        let mut file = AtomicFile::create(&location, &options)?;
        let content = content(job)?;
        let mut reader = self.store.reader(content)?;
        copy(&mut reader, &mut file, &self.options.progress)?;
        let staged = file.stage(false)?;
        let missed = set_properties(Open::File(staged.file()), &job.entry)?;
        Ok((staged, missed))
    }

    /// A process that dies leaves temporary files; the next one that opens the workspace removes them.
    fn note_folder(&self, job: &Job) -> Result<()> {
        let Some(workspace) = self.plan.destination.history_of(&job.spot.full) else { return Ok(()) };
        let location = self.plan.destination.location(&job.spot.dir, &job.spot.name, &job.spot.full);
        let key = location.key().as_bytes();
        workspace.store().note_folder(&key[..key.iter().rposition(|b| *b == b'/').unwrap_or(0)])
    }

    fn sync_file_systems(&self) -> Result<bool> {
        for dir in self.file_systems.values() {
            match sys::sync_file_system(dir) {
                Err(e) if e.kind() == io::ErrorKind::Unsupported => return Ok(false),
                answer => answer?,
            }
        }
        Ok(true)
    }

    /// Files that stand there with the right content.
    pub fn keep(&mut self, jobs: Vec<Job>) -> Result<()> {
        for job in jobs {
            let missed = match job.spot.dir.open_read(&job.spot.name) {
                Ok(file) => {
                    let link = sys::stat_file(&file).at(&job.spot.full)?.kind != sys::FileKind::File;
                    if link { Vec::new() } else { set_properties(Open::File(&file), &job.entry).at(&job.spot.full)? }
                }
                Err(e) => vec![format!("its mode and times stay as they are: {e}")],
            };
            self.report.skipped.push(path_of(job.spot.path.clone()));
            self.warn_all(&job.spot.path, missed);
            self.warn_unless_linked(&job);
            self.options.progress.advance(1, job.entry.size());
        }
        Ok(())
    }

    /// A file whose stored content is damaged does not keep the others from being restored.
    pub fn account(&mut self, job: &Job, written: Written) -> Result<()> {
        match written {
            Ok(missed) => {
                self.done(job);
                self.warn_all(&job.spot.path, missed);
                Ok(())
            }
            Err(e) if e.code() == Code::Damaged => {
                self.damaged.push(path_of(job.spot.path.clone()));
                Ok(())
            }
            Err(e) if e.code() == Code::AlreadyExists => Err(e.with_code(Code::WouldOverwrite)),
            Err(e) => Err(e),
        }
    }
}

/// The content of a file of the backup.
pub fn content(job: &Job) -> Result<&Content> {
    job.entry.file().map(|file| &file.content).ok_or_else(|| Error::new(Code::Internal))
}

fn fresh(job: &Job, store: &Store, progress: &Progress) -> Written {
    let mut reader = store.reader(content(job)?)?;
    let mut file = job.spot.dir.create_new(&job.spot.name, 0o600)?;
    let written = copy_sparsely(&mut reader, &mut file, job.entry.size(), progress);
    if let Err(e) = written {
        job.spot.dir.remove_file(&job.spot.name)?; // half a file is worse than none
        return Err(e);
    }
    let missed = set_properties(Open::File(&file), &job.entry)?;
    #[cfg(not(target_os = "linux"))]
    sys::sync_file(&file)?;
    Ok(missed)
}

fn copy(from: &mut dyn Read, to: &mut dyn Write, progress: &Progress) -> Result<()> {
    let mut block = vec![0; BLOCK];
    loop {
        progress.check()?;
        match from.read(&mut block)? {
            0 => return Ok(()),
            count => {
                to.write_all(&block[..count])?;
                progress.advance(0, count as u64);
            }
        }
    }
}

/// Large files get holes where they have zeros.
fn copy_sparsely(from: &mut dyn Read, file: &mut File, size: u64, progress: &Progress) -> Result<()> {
    if size < LARGE {
        return copy(from, file, progress);
    }
    let mut holes = Holes { file };
    copy(from, &mut holes, progress)?;
    Ok(file.set_len(size)?)
}

struct Holes<'a> {
    file: &'a mut File,
}

impl Write for Holes<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() >= HOLE && data.iter().all(|b| *b == 0) {
            self.file.seek(SeekFrom::Current(data.len() as i64))?;
            return Ok(data.len());
        }
        self.file.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Owner, attributes, mode, times: in this order, for each takes something from those before. Gives what was not possible.
pub fn set_properties(open: Open<'_>, entry: &Entry) -> io::Result<Vec<String>> {
    let mut missed = Vec::new();
    let mut mode = entry.mode;
    let mut is_owned = entry.uid == sys::effective_user();
    if sys::may_set_owner() {
        match open.set_owner(entry.uid, entry.gid) {
            Ok(()) => is_owned = true,
            Err(e) => missed.push(format!("its owner could not be set: {e}")),
        }
    }
    for (name, value) in &entry.attributes {
        if let Err(e) = open.set_attribute(name, value) {
            missed.push(format!("its attribute {} could not be set: {e}", String::from_utf8_lossy(name)));
        }
    }
    if !is_owned {
        mode &= 0o1777; // setuid and setgid would lend another's rights
    }
    if_possible(open.set_mode(mode), "its mode could not be set", &mut missed)?;
    if_possible(open.set_modified(entry.modified), "its time could not be set", &mut missed)?;
    Ok(missed)
}

/// What the file system, or this user, cannot do at all keeps nothing else from being restored: it is told.
pub fn if_possible(answer: io::Result<()>, what: &str, missed: &mut Vec<String>) -> io::Result<()> {
    match answer {
        Err(e) if sys::is_impossible(&e) => missed.push(format!("{what}: {e}")),
        answer => answer?,
    }
    Ok(())
}
