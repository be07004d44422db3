//! The temporary file that becomes the new one: a random name, and a lock for as long as its writer lives.

use crate::error::{Code, Error, Result};
use crate::path::{Location, TEMP_PREFIX};
use crate::sys::{self, Dir, Stat, locks};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Marks the files of writers whose locks other processes do not see.
const UNLOCKED: &str = "w-";
const RANDOM_BYTES: usize = 8;
const ATTEMPTS: usize = 64;

/// What a name in a folder says about a temporary file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its writer lives if its lock is taken.
    Locked,
    /// Nobody can tell whether its writer lives.
    Unlocked,
}

/// Whether this is the name of a temporary file of ours, and of which kind.
pub(super) fn kind_of(name: &OsStr) -> Option<Kind> {
    let rest = name.to_str()?.strip_prefix(TEMP_PREFIX)?;
    let (kind, random) = match rest.strip_prefix(UNLOCKED) {
        Some(random) => (Kind::Unlocked, random),
        None => (Kind::Locked, rest),
    };
    let random = random.as_bytes();
    (random.len() == 2 * RANDOM_BYTES && random.iter().all(u8::is_ascii_hexdigit)).then_some(kind)
}

fn new_name() -> Result<OsString> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mark = if locks::SCOPE == "process" { UNLOCKED } else { "" };
    Ok(format!("{TEMP_PREFIX}{mark}{:016x}", u64::from_le_bytes(random)).into())
}

/// A temporary file, locked. Dropping it removes what stands under its name.
#[derive(Debug)]
pub(super) struct Temp {
    dir: Arc<Dir>,
    name: OsString,
    file: File,
    stat: Stat,
    named: bool,
    locked: bool,
    /// The process that made it: to a child forked meanwhile neither the name nor the lock belongs.
    generation: u64,
}

/// Locks a new file and tells what it is, or nothing if it was removed between its creation and the lock.
fn hold(file: &File) -> io::Result<Option<Stat>> {
    match locks::try_lock(file, true) {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        // A file system without locks: then nobody else gets this one either, and it is not taken for a left-over.
        Err(e) if sys::classify(&e) == Code::Unsupported => {}
        Err(e) => return Err(e),
    }
    let stat = sys::stat_file(file)?;
    // Where locks are seen by this process alone, nobody clears up; and not every host counts links.
    Ok((stat.links > 0 || locks::SCOPE == "process").then_some(stat))
}

impl Temp {
    /// Creates one beside the target. The umask and the folder's default list apply to `mode`.
    pub fn create(target: &Location, mode: u32) -> Result<Temp> {
        for _ in 0..ATTEMPTS {
            let name = new_name()?;
            let file = match target.dir().create_new(&name, mode) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(e) => return Err(Error::io(e, target.path())),
            };
            match hold(&file) {
                Ok(Some(stat)) => {
                    let (dir, generation) = (target.dir().clone(), sys::process_generation());
                    return Ok(Temp { dir, name, file, stat, named: true, locked: true, generation });
                }
                // Somebody who clears left-overs away was faster than our lock: the file is theirs to remove.
                Ok(None) => {}
                Err(e) => {
                    let _ = target.dir().remove_file(&name); // the error of the lock is the one to tell
                    return Err(Error::io(e, target.path()));
                }
            }
        }
        Err(Error::message(Code::Io, "no name for a temporary file is free").at(target.path()))
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// What it was when it was created: who it is.
    pub fn identity(&self) -> &Stat {
        &self.stat
    }

    /// What stands under the name is not ours to remove: nothing, or what an exchange put there.
    pub fn forget_name(&mut self) {
        self.named = false;
    }

    /// Our own file stands under the name again.
    pub fn own_name(&mut self) {
        self.named = true;
    }

    /// Removes what stands under the name.
    pub fn remove(&mut self) -> io::Result<()> {
        self.named = false;
        match self.dir.remove_file(&self.name) {
            // Who clears left-overs away was faster.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Gives the lock back: whoever waits for the outcome may go on.
    pub fn unlock(&mut self) {
        if !std::mem::take(&mut self.locked) {
            return;
        }
        let _ = locks::unlock(&self.file); // closing the descriptor is the second chance
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if self.generation != sys::process_generation() {
            return;
        }
        if self.named {
            let _ = self.remove();
        }
        self.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_we_could_have_made_are_ours() {
        let name = new_name().unwrap();
        assert!(kind_of(&name).is_some());
        assert_eq!(kind_of(OsStr::new(".electrus-tmp-0123456789abcdef")), Some(Kind::Locked));
        assert_eq!(kind_of(OsStr::new(".electrus-tmp-w-0123456789abcdef")), Some(Kind::Unlocked));
        for other in ["", "x", ".electrus-tmp-", ".electrus-tmp-notes", ".electrus-tmp-0123456789abcdef.bak"] {
            assert_eq!(kind_of(OsStr::new(other)), None, "{other}");
        }
    }

    #[test]
    fn a_temporary_file_is_locked_and_goes_when_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let target = Location::ordinary(folder.path().join("f")).unwrap();
        let temp = Temp::create(&target, 0o600).unwrap();
        let again = target.dir().open_read(temp.name()).unwrap();
        assert!(!locks::try_lock(&again, true).unwrap());
        drop(temp);
        assert_eq!(target.dir().entries().unwrap().len(), 0);
    }
}
