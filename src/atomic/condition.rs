//! What a write replaces, and whether that is what the caller expected.

use super::Condition;
use crate::checksum::{Algorithm, Digest, Hasher};
use crate::error::{Code, Error, IoContext, Result};
use crate::path::Location;
use crate::sys::{self, FileKind, Stat, locks};
use crate::time::Timestamp;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::thread::sleep;
use std::time::{Duration, Instant};

const BUFFER: usize = 256 * 1024;
/// The coarsest clock that a file system keeps (FAT): a change within it may leave the times as they were.
const COARSEST_CLOCK: i64 = 2;
/// How long to wait for a program that holds a lock on the very file that is to be replaced.
const PATIENCE: Duration = Duration::from_secs(5);

/// What stands under the name, if anything does.
pub(super) fn look(target: &Location) -> Result<Option<Stat>> {
    match target.dir().stat(target.name()) {
        Ok(stat) => Ok(Some(stat)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(e, target.path())),
    }
}

/// Only a regular file can be replaced.
pub(super) fn regular(target: &Location, stat: &Stat) -> Result<()> {
    match stat.kind {
        FileKind::File => Ok(()),
        _ => Err(Error::new(Code::NotAFile).at(target.path())),
    }
}

/// Opens what stands under the name for reading, if anything does.
pub(super) fn open(target: &Location) -> Result<Option<(File, Stat)>> {
    let opened = target.dir().open_read(target.name());
    checked(target, opened)
}

/// The same, where its attributes matter and its content does not.
pub(super) fn open_attributes(target: &Location) -> Result<Option<(File, Stat)>> {
    let opened = target.dir().open_attributes(target.name());
    checked(target, opened)
}

fn checked(target: &Location, opened: io::Result<File>) -> Result<Option<(File, Stat)>> {
    let file = match opened {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            // A socket and a link answer in words of their own.
            look(target)?.map_or(Ok(()), |stat| regular(target, &stat))?;
            return Err(Error::io(e, target.path()));
        }
    };
    let stat = sys::stat_file(&file).at(target.path())?;
    regular(target, &stat)?;
    Ok(Some((file, stat)))
}

/// The file that a conditional write replaces, held open so that its inode stays its own.
#[derive(Debug)]
pub(super) struct Expected {
    file: File,
    stat: Stat,
    digest: Digest,
    hashed_at: Timestamp,
}

impl Expected {
    /// Refuses with `not_a_file`, `already_exists` or `changed` what cannot or must not be replaced.
    pub fn check(condition: &Condition, target: &Location, found: Option<&Stat>) -> Result<Option<Expected>> {
        match (condition, found) {
            (Condition::Absent, Some(_)) => Err(Error::new(Code::AlreadyExists).at(target.path())),
            (Condition::Checksum(digest), found) => {
                found.map_or(Ok(()), |stat| regular(target, stat))?;
                Expected::read(digest, target).map(Some)
            }
            (Condition::Always, Some(stat)) => regular(target, stat).map(|()| None),
            (_, None) => Ok(None),
        }
    }

    /// Reads what stands under the name now, and compares.
    pub fn read(digest: &Digest, target: &Location) -> Result<Expected> {
        let Some((file, _)) = open(target)? else { return Err(changed(target)) };
        let hashed_at = Timestamp::now();
        let stat = sys::stat_file(&file).at(target.path())?;
        let expected = Expected { file, stat, digest: digest.clone(), hashed_at };
        match expected.hash().at(target.path())? == *digest {
            true => Ok(expected),
            false => Err(changed(target)),
        }
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn is(&self, other: &Stat) -> bool {
        self.stat.same_file(other)
    }

    /// Waits until whoever put this file in place, or is about to take it away, has done so. `false`: a program holds it
    /// that is none of ours.
    pub fn settle(&self) -> bool {
        let start = Instant::now();
        let mut pause = Duration::from_micros(50);
        loop {
            match locks::try_lock(&self.file, true) {
                Ok(false) if start.elapsed() < PATIENCE => sleep(pause),
                Ok(false) => return false,
                // An error is a file system that cannot lock (a file open for reading): then nobody holds it either.
                Ok(true) | Err(_) => return true,
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Whether the file still has the content, by its size and times where they can be trusted, else by reading it.
    /// `renamed`: it was moved since, which is a change of its own.
    pub fn holds(&self, renamed: bool) -> io::Result<bool> {
        let now = sys::stat_file(&self.file)?;
        let same = now.size == self.stat.size
            && now.modified == self.stat.modified
            && (renamed || now.changed == self.stat.changed);
        if same && !self.is_racy() {
            return Ok(true);
        }
        Ok(now.size == self.stat.size && self.hash()? == self.digest)
    }

    /// It was young when it was read: a change right after may have left the times as they were.
    fn is_racy(&self) -> bool {
        self.stat.changed.max(self.stat.modified).seconds + COARSEST_CLOCK >= self.hashed_at.seconds
    }

    fn hash(&self) -> io::Result<Digest> {
        hash_file(&self.file, self.stat.size, self.digest.algorithm())
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        let _ = locks::unlock(&self.file); // closing the descriptor is the second chance
    }
}

/// What the caller saw is not what stands there.
pub(super) fn changed(target: &Location) -> Error {
    Error::new(Code::Changed).at(target.path())
}

fn hash_file(mut file: &File, size: u64, algorithm: Algorithm) -> io::Result<Digest> {
    let mut hasher = Hasher::new(&[algorithm]);
    let mut buffer = vec![0; usize::try_from(size).unwrap_or(BUFFER).saturating_add(1).min(BUFFER)];
    file.rewind()?;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => hasher.update(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    hasher.finish().pop().ok_or_else(|| Error::new(Code::Internal).into())
}
