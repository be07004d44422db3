//! Where restored files go: open folders, reached without following a single link.

use super::super::Home;
use super::super::manifest::Source;
use crate::error::{Code, Error, IoContext, Result};
use crate::path::{Key, Location, bytes_of, os_name};
use crate::sys::{Dir, FileKind};
use crate::workspace::Workspace;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Where restored files go.
pub struct Destination {
    place: Place,
    /// Whether files there may be in use: then they are replaced atomically, else simply created.
    pub in_place: bool,
    pub workspace: Option<Workspace>,
    /// Whether the folder to restore into was made for this restore.
    pub is_new: bool,
}

enum Place {
    /// A folder, by its path; not open while it does not exist.
    Elsewhere(PathBuf, Option<Arc<Dir>>),
    /// Beneath a base folder.
    Base(Arc<Dir>, PathBuf),
    /// Where each source says.
    Absolute,
}

/// Where a source goes: an open folder and a name in it, or the folder itself.
#[derive(Clone, Debug)]
pub struct Anchor {
    pub dir: Arc<Dir>,
    pub name: Option<OsString>,
}

impl Destination {
    pub fn new(home: &Home, to: Option<&Path>, sources: &[Source]) -> Result<Destination> {
        let place = match (to, home) {
            (Some(to), _) => elsewhere(to)?,
            (None, Home::Workspace(workspace)) => beneath(workspace, sources)?,
            (None, Home::Alone) => {
                if sources.iter().any(|source| source.place.is_empty()) {
                    let why = "this backup is of a base folder: open it there, or say where to restore to";
                    return Err(Error::message(Code::InvalidArgument, why));
                }
                Place::Absolute
            }
        };
        let workspace = match home {
            Home::Workspace(workspace) if to.is_none() => Some(workspace.clone()),
            _ => None,
        };
        let is_new = matches!(place, Place::Elsewhere(_, None));
        Ok(Destination { place, in_place: to.is_none(), workspace, is_new })
    }

    /// Creates what is missing of the folder to restore into.
    pub fn create(&mut self) -> Result<()> {
        if let Place::Elsewhere(path, dir @ None) = &mut self.place {
            std::fs::create_dir_all(&*path).at(&*path)?;
            *dir = Some(Arc::new(Dir::open(path).at(&*path)?));
        }
        Ok(())
    }

    /// Where a source goes; `None` if folders on the way there do not exist and are not to be created.
    pub fn anchor(&self, source: &Source, create: bool) -> Result<Option<Anchor>> {
        let (dir, parts) = match &self.place {
            Place::Elsewhere(_, None) => return Ok(None),
            Place::Elsewhere(_, Some(dir)) => (dir.clone(), parts(&source.name)),
            Place::Base(dir, _) if source.place.is_empty() => (dir.clone(), parts(&source.name)),
            _ => absolute(&source.place)?,
        };
        let Some((name, folders)) = parts.split_last() else { return Ok(Some(Anchor { dir, name: None })) };
        let dir = descend(dir, folders, create).map_err(|e| e.at(self.path(source)))?;
        Ok(dir.map(|dir| Anchor { dir, name: Some(name.clone()) }))
    }

    /// The path of a source, for messages.
    pub fn path(&self, source: &Source) -> PathBuf {
        let name = Key::from_bytes(source.name.clone()).to_path();
        match &self.place {
            Place::Elsewhere(path, _) => path.join(name),
            Place::Base(_, path) if source.place.is_empty() => path.join(name),
            _ => Key::from_bytes(source.place.clone()).to_path(),
        }
    }

    /// A file, for those who replace files.
    pub fn location(&self, dir: &Arc<Dir>, name: &OsStr, path: &Path) -> Location {
        let key = match &self.workspace {
            Some(workspace) => path.strip_prefix(workspace.base().path()).unwrap_or(path),
            None => path,
        };
        Location::within(dir.clone(), name.to_owned(), Key::from_bytes(bytes_of(key.as_os_str())), path.to_owned())
    }
}

fn elsewhere(to: &Path) -> Result<Place> {
    match Dir::open(to) {
        Ok(dir) => Ok(Place::Elsewhere(std::fs::canonicalize(to).at(to)?, Some(Arc::new(dir)))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Place::Elsewhere(std::path::absolute(to).at(to)?, None)),
        Err(e) => Err(Error::io(e, to)),
    }
}

fn beneath(workspace: &Workspace, sources: &[Source]) -> Result<Place> {
    let outside = sources.iter().find(|source| !source.place.is_empty());
    if let Some(source) = outside.filter(|_| !workspace.options().allow_outside) {
        return Err(Error::new(Code::PathEscape).at(Key::from_bytes(source.place.clone()).to_path()));
    }
    Ok(Place::Base(workspace.base().dir().clone(), workspace.base().path().to_owned()))
}

fn parts(name: &[u8]) -> Vec<OsString> {
    name.split(|b| *b == b'/').filter(|part| !part.is_empty()).map(|part| os_name(part).into_owned()).collect()
}

/// The root that an absolute path begins with, and the names below it. The path was recorded with all links resolved.
fn absolute(place: &[u8]) -> Result<(Arc<Dir>, Vec<OsString>)> {
    let path = Key::from_bytes(place.to_vec()).to_path();
    let mut root = PathBuf::new();
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Prefix(_) | Component::RootDir => root.push(component),
            Component::Normal(name) => parts.push(name.to_owned()),
            _ => return Err(Error::new(Code::PathEscape).at(path)),
        }
    }
    if !path.is_absolute() {
        return Err(Error::new(Code::PathEscape).at(path));
    }
    Ok((Arc::new(Dir::open(&root).at(&root)?), parts))
}

/// Goes down through folders, never through a link.
pub fn descend(mut dir: Arc<Dir>, names: &[OsString], create: bool) -> Result<Option<Arc<Dir>>> {
    for name in names {
        match dir.open_dir(name) {
            Ok(inside) => dir = Arc::new(inside),
            Err(e) if e.kind() == io::ErrorKind::NotFound && !create => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                dir.create_dir(name, 0o777)?;
                dir = Arc::new(dir.open_dir(name)?);
            }
            Err(_) if dir.stat(name).is_ok_and(|stat| stat.kind == FileKind::Symlink) => {
                let why = "a symbolic link stands where a folder should be; it is not followed";
                return Err(Error::message(Code::WouldOverwrite, why));
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(Some(dir))
}
