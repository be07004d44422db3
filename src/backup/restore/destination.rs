//! Where restored files go: open folders, reached without following a single link.

use super::super::Home;
use super::super::manifest::Source;
use crate::error::{Code, Error, IoContext, Result};
use crate::path::{Key, Location, bytes_of, check_reserved, os_name};
use crate::sys::{Dir, FileKind};
use crate::workspace::Workspace;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Where restored files go.
pub struct Destination {
    place: Place,
    /// The workspace that the backup is of.
    workspace: Option<Workspace>,
    /// Whether a folder to restore into was named.
    pub is_named: bool,
    /// Whether files there may be in use: then they are replaced atomically, else simply created.
    pub in_place: bool,
    /// Whether the folder to restore into was made for this restore.
    pub is_new: bool,
}

enum Place {
    /// A folder that was named, with all links resolved.
    Elsewhere(Elsewhere),
    /// Beneath a base folder.
    Base(Workspace),
    /// Where each source says.
    Absolute,
}

struct Elsewhere {
    path: PathBuf,
    /// As much of it as there is.
    dir: Arc<Dir>,
    /// What is missing below.
    missing: Vec<OsString>,
    /// Whether it becomes what a source was, and is private until it has the mode of that.
    is_source: bool,
}

/// Where a source goes: an open folder and a name in it, or the folder itself.
#[derive(Clone, Debug)]
pub struct Anchor {
    pub dir: Arc<Dir>,
    pub name: Option<OsString>,
}

impl Destination {
    pub fn new(home: &Home, to: Option<&Path>, sources: &[Source]) -> Result<Destination> {
        let workspace = match home {
            Home::Workspace(workspace) => Some(workspace.clone()),
            Home::Alone => None,
        };
        let place = match (to, &workspace) {
            (Some(to), _) => Place::Elsewhere(Elsewhere::new(to, sources)?),
            (None, Some(workspace)) => Place::Base(workspace.clone()),
            (None, None) if sources.iter().any(|source| source.place.is_empty()) => {
                let why = "this backup is of a base folder: open it there, or say where to restore to";
                return Err(Error::message(Code::InvalidArgument, why));
            }
            (None, None) => Place::Absolute,
        };
        let mut new = Destination { place, workspace, is_named: to.is_some(), in_place: true, is_new: false };
        if let Place::Elsewhere(named) = &new.place {
            new.is_new = !named.missing.is_empty();
            new.in_place = !new.is_new && new.touches_base();
            new.check_reserved(&named.path).map_err(|e| e.at(&named.path))?;
        }
        Ok(new)
    }

    /// Whether files of the base folder may be replaced.
    pub fn touches_base(&self) -> bool {
        let Some(base) = self.workspace.as_ref().map(|workspace| workspace.base().path()) else { return false };
        match &self.place {
            Place::Elsewhere(named) => named.path.starts_with(base) || base.starts_with(&named.path),
            Place::Base(_) | Place::Absolute => true,
        }
    }

    /// The workspace, if its files cover this path: then nothing there is replaced but by way of the history.
    pub fn history_of(&self, path: &Path) -> Option<&Workspace> {
        self.workspace.as_ref().filter(|workspace| !self.is_named || path.starts_with(workspace.base().path()))
    }

    pub fn workspace(&self) -> Option<&Workspace> {
        self.workspace.as_ref()
    }

    /// No backup of a base folder is restored into its store, nor into that of another.
    fn check_reserved(&self, path: &Path) -> Result<()> {
        let Some(workspace) = &self.workspace else { return Ok(()) };
        path.strip_prefix(workspace.base().path()).unwrap_or(path).iter().try_for_each(check_reserved)
    }

    /// Creates what is missing of the folder to restore into.
    pub fn create(&mut self) -> Result<()> {
        match &mut self.place {
            Place::Elsewhere(named) => named.create().map_err(|e| e.at(&named.path)),
            _ => Ok(()),
        }
    }

    /// Where a source goes; `None` if folders on the way there do not exist and are not to be created.
    pub fn anchor(&self, source: &Source, create: bool) -> Result<Option<Anchor>> {
        let (dir, parts) = match &self.place {
            Place::Elsewhere(named) if !named.missing.is_empty() => return Ok(None),
            Place::Elsewhere(named) => (named.dir.clone(), parts(&source.name)),
            Place::Base(workspace) => beneath(workspace, source)?,
            Place::Absolute => absolute(&source.place)?,
        };
        let Some((name, folders)) = parts.split_last() else { return Ok(Some(Anchor { dir, name: None })) };
        let dir = descend(dir, folders, create).map_err(|e| e.at(self.path(source)))?;
        Ok(dir.map(|dir| Anchor { dir, name: Some(name.clone()) }))
    }

    /// The path of a source, for messages.
    pub fn path(&self, source: &Source) -> PathBuf {
        let name = Key::from_bytes(source.name.clone()).to_path();
        match &self.place {
            Place::Elsewhere(named) => named.path.join(name),
            Place::Base(workspace) if source.place.is_empty() => workspace.base().path().join(name),
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

impl Elsewhere {
    fn new(to: &Path, sources: &[Source]) -> Result<Elsewhere> {
        let mut path = std::path::absolute(to).at(to)?;
        let mut missing = Vec::new();
        let there = loop {
            match (std::fs::canonicalize(&path), path.file_name()) {
                (Err(e), Some(name)) if e.kind() == io::ErrorKind::NotFound => missing.push(name.to_owned()),
                (found, _) => break found.at(to)?,
            }
            path.pop();
        };
        missing.reverse();
        let dir = Arc::new(Dir::open(&there).at(to)?);
        let path = missing.iter().fold(there, |path, name| path.join(name));
        let is_source = sources.iter().any(|source| source.name.is_empty());
        Ok(Elsewhere { path, dir, missing, is_source })
    }

    fn create(&mut self) -> Result<()> {
        while !self.missing.is_empty() {
            let name = self.missing.remove(0);
            let mode = if self.missing.is_empty() && self.is_source { 0o700 } else { 0o777 };
            let made = enter_new(&self.dir, &name, mode)?;
            self.dir = Arc::new(made);
        }
        Ok(())
    }
}

/// The original place of a source in a workspace: one outside of the base folder may have come from anywhere, with the
/// backup.
fn beneath(workspace: &Workspace, source: &Source) -> Result<(Arc<Dir>, Vec<OsString>)> {
    let base = workspace.base();
    if source.place.is_empty() {
        return Ok((base.dir().clone(), parts(&source.name)));
    }
    let place = Key::from_bytes(source.place.clone()).to_path();
    match place.strip_prefix(base.path()) {
        Ok(below) => Ok((base.dir().clone(), below.iter().map(OsStr::to_owned).collect())),
        Err(_) if workspace.options().allow_outside => absolute(&source.place),
        Err(_) => {
            let why = "its original place is outside of the base folder: restore it to a folder that you name (--to), or \
                       open the base with allow_outside (--allow-outside)";
            Err(Error::message(Code::PathEscape, why).at(place))
        }
    }
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
            Err(e) if e.kind() == io::ErrorKind::NotFound => dir = Arc::new(enter_new(&dir, name, 0o777)?),
            Err(_) if dir.stat(name).is_ok_and(|stat| stat.kind == FileKind::Symlink) => {
                let why = "a symbolic link stands where a folder should be; it is not followed";
                return Err(Error::message(Code::WouldOverwrite, why));
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(Some(dir))
}

/// Makes a folder, durable as a name before anything is in it.
fn enter_new(dir: &Dir, name: &OsStr, mode: u32) -> Result<Dir> {
    dir.create_dir(name, mode)?;
    dir.sync()?;
    Ok(dir.open_dir(name)?)
}
