//! What writers left behind who died before they could remove it.

use super::temp::{Kind, kind_of};
use crate::error::{IoContext, Result};
use crate::sys::{Dir, FileKind, Stat, locks, stat_file};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// Removes the temporary files that dead writers left in a folder, and names them.
///
/// A file whose writer lives is locked, and stays. Files of writers whose locks nobody else sees (WASI; the feature
/// `process-locks`) stay too, unless `include_unlocked` says that none of those writers is at work.
///
/// # Errors
/// What the system says to listing the folder or removing a file, with its path: `not_found`, `not_a_directory`,
/// `permission_denied`, `io`.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// let removed = electrus::atomic::remove_leftovers_in(folder.path(), false)?;
/// assert!(removed.is_empty());
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub fn remove_leftovers_in(folder: impl AsRef<Path>, include_unlocked: bool) -> Result<Vec<PathBuf>> {
    let folder = folder.as_ref();
    clear(&Dir::open(folder).at(folder)?, folder, include_unlocked)
}

/// Removes the temporary files that writers who are dead now left in this folder (at `path`): how many it removed.
pub(crate) fn remove_leftovers(dir: &Dir, path: &Path) -> Result<u64> {
    Ok(clear(dir, path, false)?.len() as u64)
}

fn clear(dir: &Dir, path: &Path, include_unlocked: bool) -> Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for entry in dir.entries().at(path)? {
        let Some(kind) = kind_of(&entry.name) else { continue };
        if (is_told_by_lock(kind) || include_unlocked) && remove(dir, &entry.name).at(path.join(&entry.name))? {
            removed.push(path.join(&entry.name));
        }
    }
    Ok(removed)
}

/// Whether a lock that can be had proves that the writer is dead: not if we do not see the locks of others.
fn is_told_by_lock(kind: Kind) -> bool {
    kind == Kind::Locked && locks::SCOPE != "process"
}

fn remove(dir: &Dir, name: &OsStr) -> io::Result<bool> {
    // For writing where that is allowed: a network file system locks no other descriptor.
    let opened = match dir.open_write(name) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => dir.open_read(name),
        opened => opened,
    };
    let file = match opened {
        Ok(file) => file,
        // Gone meanwhile, or not ours to judge.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => return Ok(false),
        // A link or a socket is none of ours.
        Err(_) if dir.stat(name).is_ok_and(|s| s.kind != FileKind::File) => return Ok(false),
        Err(e) => return Err(e),
    };
    let found = stat_file(&file)?;
    // An error is a file system without locks: nobody can tell.
    if found.kind != FileKind::File || !locks::try_lock(&file, true).unwrap_or(false) {
        return Ok(false);
    }
    let removed = still_stands(dir, name, &found).and_then(|stands| match stands {
        true => removed_by_us(dir.remove_file(name)),
        false => Ok(false),
    });
    locks::unlock(&file)?;
    removed
}

/// What a writer has displaced is unlocked a moment before it is removed: either of us may be first.
fn removed_by_us(removal: io::Result<()>) -> io::Result<bool> {
    match removal {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Its writer may have been alive when it was opened, and have given it its real name before the lock was had.
fn still_stands(dir: &Dir, name: &OsStr, found: &Stat) -> io::Result<bool> {
    match dir.stat(name) {
        Ok(now) => Ok(now.same_file(found)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}
