//! What is to be backed up: names resolved to open folders, in walk order, none inside another.

use super::Home;
use super::manifest::{Header, Source, key_of};
use crate::error::{Code, Error, IoContext, Result};
use crate::path::{Follow, bytes_of, is_reserved, os_name};
use crate::sys::{Dir, FileKind, Stat};
use crate::workspace::Workspace;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A source, open.
#[derive(Debug)]
pub struct Root {
    pub source: Source,
    pub at: At,
    /// For messages.
    pub path: PathBuf,
}

/// Where a source is.
#[derive(Debug)]
pub enum At {
    /// The folder itself.
    Folder(Arc<Dir>),
    /// A name in a folder, not followed.
    Name(Arc<Dir>, OsString),
}

impl Root {
    pub fn stat(&self) -> Result<Stat> {
        match &self.at {
            At::Folder(dir) => dir.stat_self(),
            At::Name(dir, name) => dir.stat(name),
        }
        .at(&self.path)
    }

    fn key(&self) -> Vec<u8> {
        key_of(&self.source.name)
    }
}

/// Resolves all sources; each must exist.
pub fn resolve<P: AsRef<Path>>(home: &Home, paths: &[P]) -> Result<Vec<Root>> {
    if paths.is_empty() {
        return Err(Error::message(Code::InvalidArgument, "nothing to back up was named"));
    }
    let mut roots = Vec::new();
    for path in paths {
        let root = match home {
            Home::Workspace(workspace) => beneath(workspace, path.as_ref())?,
            Home::Alone => ordinary(path.as_ref())?,
        };
        check_names(&root.source).map_err(|e| e.at(path.as_ref()))?;
        check_kind(&root)?;
        roots.push(root);
    }
    let roots = without_overlaps(roots)?;
    let sources: Vec<Source> = roots.iter().map(|root| root.source.clone()).collect();
    match Header::is_too_large(&sources) {
        true => Err(Error::message(Code::TooLarge, "more was named than one backup can take")),
        false => Ok(roots),
    }
}

fn check_kind(root: &Root) -> Result<()> {
    match root.stat()?.kind {
        FileKind::File | FileKind::Folder | FileKind::Symlink => Ok(()),
        _ => Err(Error::new(Code::NotAFile).at(&root.path)),
    }
}

/// A backup with reserved names would not be believed when it is read.
fn check_names(source: &Source) -> Result<()> {
    let mut parts = source.name.split(|b| *b == b'/').chain(source.place.split(|b| *b == b'/'));
    if parts.any(|part| is_reserved(&os_name(part))) { Err(Error::new(Code::ReservedName)) } else { Ok(()) }
}

/// A name in a workspace.
fn beneath(workspace: &Workspace, given: &Path) -> Result<Root> {
    let base = workspace.base();
    if bytes_of(given.as_os_str()).contains(&0) || given.as_os_str().is_empty() {
        return Err(Error::new(Code::InvalidName).at(given));
    }
    let plain: PathBuf = given.components().collect();
    let anywhere = workspace.options().allow_outside || workspace.options().backup_anywhere;
    if plain == Path::new(".") || plain == base.path() || (anywhere && is_folder(&base.path().join(given), base.path()))
    {
        let at = At::Folder(base.dir().clone());
        return Ok(Root { source: Source::default(), at, path: base.path().to_owned() });
    }
    // As with other tools, a slash at the end means the folder that a link points to.
    let follow = if is_folder_name(given) { Follow::Whole } else { Follow::Parent };
    let location = match anywhere {
        true => base.resolve_anywhere(&plain, follow)?,
        false => base.resolve(&plain, follow)?,
    };
    let key = location.key().as_bytes();
    let (name, place) = match key.strip_prefix(b"/") {
        Some(name) => (name.to_vec(), key.to_vec()),
        None => (key.to_vec(), Vec::new()),
    };
    let at = At::Name(location.dir().clone(), location.name().to_owned());
    Ok(Root { source: Source { name, place }, at, path: location.path().to_owned() })
}

/// Whether a path names this folder, and not a link to it.
fn is_folder(given: &Path, folder: &Path) -> bool {
    let is_link = !is_folder_name(given) && given.is_symlink();
    !is_link && std::fs::canonicalize(given).is_ok_and(|path| path == folder)
}

/// An ordinary path. It is called in the backup as it was given, or by its whole path if it was given as such.
fn ordinary(given: &Path) -> Result<Root> {
    if bytes_of(given.as_os_str()).contains(&0) || given.as_os_str().is_empty() {
        return Err(Error::new(Code::InvalidName).at(given));
    }
    let plain: PathBuf = given.components().collect();
    let (dir, name, path) = match plain.file_name() {
        Some(name) if !is_folder_name(given) => {
            let parent = plain.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let parent = std::fs::canonicalize(parent).at(given)?;
            (Dir::open(&parent).at(given)?, Some(name.to_owned()), parent.join(name))
        }
        _ => {
            let path = std::fs::canonicalize(&plain).at(given)?;
            (Dir::open(&path).at(given)?, None, path)
        }
    };
    let source = Source { name: recorded_name(&plain, &path), place: bytes_of(path.as_os_str()) };
    let dir = Arc::new(dir);
    let at = match name {
        Some(name) => At::Name(dir, name),
        None => At::Folder(dir),
    };
    Ok(Root { source, at, path })
}

fn recorded_name(given: &Path, absolute: &Path) -> Vec<u8> {
    let as_given = given.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    let path = if as_given { given } else { absolute };
    let parts: Vec<Vec<u8>> = path
        .components()
        .filter_map(|c| match c {
            Component::Normal(name) => Some(bytes_of(name)),
            _ => None,
        })
        .collect();
    parts.join(&b'/')
}

/// `x/` and `x/.`: the folder, not a link to it.
fn is_folder_name(path: &Path) -> bool {
    let bytes = bytes_of(path.as_os_str());
    bytes.ends_with(b"/") || bytes.ends_with(b"/.") || path.file_name().is_none()
}

/// Sorts, and drops what is in another source anyway.
fn without_overlaps(mut roots: Vec<Root>) -> Result<Vec<Root>> {
    roots.sort_by_key(Root::key);
    let mut kept: Vec<Root> = Vec::new();
    for root in roots {
        match kept.last() {
            Some(last) if contains(&last.key(), &root.key()) => check_same_place(last, &root)?,
            _ => kept.push(root),
        }
    }
    Ok(kept)
}

fn check_same_place(outer: &Root, inner: &Root) -> Result<()> {
    let inner_path = inner.path.strip_prefix(&outer.path).map(|below| bytes_of(below.as_os_str()));
    let below = inner.source.name.strip_prefix(outer.source.name.as_slice()).unwrap_or_default();
    if inner_path.is_ok_and(|path| path == below.strip_prefix(b"/").unwrap_or(below)) {
        return Ok(());
    }
    let why = format!("another source has the same name in the backup: {}", outer.path.display());
    Err(Error::message(Code::InvalidArgument, why).at(&inner.path))
}

/// Whether `inner` is `outer` or lies in it; both are keys.
pub fn contains(outer: &[u8], inner: &[u8]) -> bool {
    match inner.strip_prefix(outer) {
        Some(rest) => rest.is_empty() || outer.is_empty() || rest[0] == 0,
        None => false,
    }
}

/// A path as a person names it in a backup: relative, with `.` and empty parts dropped. `None` if it leads upwards.
pub fn plain_name(path: &Path) -> Option<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(bytes_of(name)),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            Component::ParentDir => return None,
        }
    }
    Some(parts.join(&b'/'))
}
