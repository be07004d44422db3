//! A base folder, and names resolved beneath it.
//!
//! Every name is resolved one component at a time from an open folder, so that a symbolic link swapped in between the
//! check and the use cannot lead out: what is used afterwards is the open parent folder and one last component that is
//! never followed. On Linux one `openat2` call does the common case (no links on the way); the walk is its equal and
//! serves everywhere else.

use crate::error::{Code, Error, IoContext, Result};
use crate::sys::{Dir, FileKind};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The store's folder in a base folder.
pub const STORE: &str = ".electrus";
/// How the names of temporary files begin.
pub const TEMP_PREFIX: &str = ".electrus-tmp-";
const MAX_LINKS: usize = 40;

/// What a file is known by in the store: its resolved path from the base with `/` between names, as bytes.
/// Files outside the base have their absolute path.
///
/// ```
/// use electrus::path::{Base, Follow};
///
/// # let folder = tempfile::tempdir()?;
/// let base = Base::open(folder.path(), false)?;
/// let file = base.resolve("notes.txt", Follow::Whole)?;
/// assert_eq!(file.key().as_bytes(), b"notes.txt");
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    /// From bytes of a store: to be resolved like any other name before use.
    pub fn from_bytes(bytes: Vec<u8>) -> Key {
        Key(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a path of this platform.
    pub fn to_path(&self) -> PathBuf {
        #[cfg(unix)]
        return PathBuf::from(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&self.0));
        #[cfg(not(unix))]
        PathBuf::from(String::from_utf8_lossy(&self.0).into_owned())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// A resolved name: an open folder and one component in it, which may or may not exist and is not a symbolic link
/// (unless it was resolved with [`Follow::Parent`]).
///
/// ```
/// use electrus::path::Location;
///
/// # let folder = tempfile::tempdir()?;
/// let file = Location::ordinary(folder.path().join("new.txt"))?; // it need not exist; its folder must
/// assert_eq!(file.name(), "new.txt");
/// assert!(file.path().is_absolute());
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Location {
    dir: Arc<Dir>,
    name: OsString,
    key: Key,
    path: PathBuf,
}

impl Location {
    /// The open folder that holds it.
    pub fn dir(&self) -> &Arc<Dir> {
        &self.dir
    }

    /// Its name in that folder.
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// What it is known by in the store.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The full path, for messages and results.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// One name in a folder that was reached without following links.
    pub(crate) fn within(dir: Arc<Dir>, name: OsString, key: Key, path: PathBuf) -> Location {
        Location { dir, name, key, path }
    }

    /// Its key up to the last `/` and with it; empty in the base.
    pub(crate) fn folder_key(&self) -> Key {
        let end = self.key.0.iter().rposition(|b| *b == b'/').map_or(0, |i| i + 1);
        Key(self.key.0[..end].to_vec())
    }

    /// Another name in the same folder.
    pub fn sibling(&self, name: &OsStr) -> Location {
        let Key(mut key) = self.folder_key();
        key.extend_from_slice(&bytes_of(name));
        Location { dir: self.dir.clone(), name: name.to_owned(), key: Key(key), path: self.path.with_file_name(name) }
    }

    /// Resolves an ordinary path, links included; for what works without a base folder.
    ///
    /// # Errors
    /// `invalid_name`; `not_a_file` for a root folder or a name that ends in `/`; `symlink_loop`; of the folder:
    /// `not_found`, `not_a_directory`, `permission_denied`.
    pub fn ordinary(path: impl AsRef<Path>) -> Result<Location> {
        Location::ordinary_as(path.as_ref(), Follow::Whole)
    }

    /// The same, with a link as the last component followed or kept.
    fn ordinary_as(given: &Path, follow: Follow) -> Result<Location> {
        check_name(given).map_err(|e| e.at(given))?;
        let mut path = std::path::absolute(given).at(given)?;
        for _ in 0..=MAX_LINKS {
            check_name(&path).map_err(|e| e.at(given))?;
            let Some(name) = path.file_name().map(OsStr::to_owned) else {
                return Err(Error::new(Code::NotAFile).at(given));
            };
            let parent = path.parent().unwrap_or(Path::new("/"));
            let parent = std::fs::canonicalize(parent).at(given)?;
            let dir = Dir::open(&parent).at(given)?;
            let full = parent.join(&name);
            match dir.stat(&name) {
                Ok(stat) if stat.kind == FileKind::Symlink && follow == Follow::Whole => {
                    path = parent.join(dir.read_link(&name).at(given)?);
                }
                Ok(_) => return Ok(Location::outside(dir, name, full)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Location::outside(dir, name, full)),
                Err(e) => return Err(Error::io(e, given)),
            }
        }
        Err(Error::new(Code::SymlinkLoop).at(given))
    }

    fn outside(dir: Dir, name: OsString, path: PathBuf) -> Location {
        Location { dir: Arc::new(dir), name, key: Key(bytes_of(path.as_os_str())), path }
    }
}

/// What to do about a symbolic link as the last component.
///
/// ```
/// use electrus::path::{Base, Follow};
///
/// # let folder = tempfile::tempdir()?;
/// # #[cfg(unix)] {
/// let base = Base::open(folder.path(), false)?;
/// std::os::unix::fs::symlink("target", folder.path().join("link"))?;
/// assert_eq!(base.resolve("link", Follow::Whole)?.name(), "target");
/// assert_eq!(base.resolve("link", Follow::Parent)?.name(), "link");
/// # }
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Resolve it too: reading, writing, locking mean the file it points to.
    Whole,
    /// Keep it: removing and renaming mean the link itself.
    Parent,
}

/// An open base folder. Every relative name resolves under it. `Send + Sync`.
///
/// ```
/// use electrus::{error::Code, path::{Base, Follow}};
///
/// # let folder = tempfile::tempdir()?;
/// let base = Base::open(folder.path(), false)?;
/// assert!(base.resolve("inside.txt", Follow::Whole)?.path().starts_with(base.path()));
/// assert_eq!(base.resolve("../outside.txt", Follow::Whole).unwrap_err().code(), Code::PathEscape);
/// assert_eq!(base.resolve(".Electrus", Follow::Whole).unwrap_err().code(), Code::ReservedName);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Base {
    dir: Arc<Dir>,
    path: PathBuf,
    allow_outside: bool,
    /// Use the walk even where `openat2` works (tests).
    walk_only: bool,
}

impl Base {
    /// Opens an existing folder. With `allow_outside`, names may lead out of it.
    ///
    /// # Errors
    /// `not_found`, `not_a_directory`, `permission_denied`.
    pub fn open(path: impl AsRef<Path>, allow_outside: bool) -> Result<Base> {
        let given = path.as_ref();
        let path = std::fs::canonicalize(given).at(given)?;
        let dir = Arc::new(Dir::open(&path).at(given)?);
        Ok(Base { dir, path, allow_outside, walk_only: false })
    }

    /// Never uses `openat2`.
    #[doc(hidden)]
    pub fn walk_only(mut self) -> Base {
        self.walk_only = true;
        self
    }

    /// The folder itself.
    pub fn dir(&self) -> &Arc<Dir> {
        &self.dir
    }

    /// Its absolute path, links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Resolves a name whose folder exists.
    ///
    /// # Errors
    /// `path_escape` for a name that leads out of the base, `reserved_name` for one of the store, `invalid_name`,
    /// `not_a_file` for one that ends in `/`, `symlink_loop`; of the folders on its way: `not_found`,
    /// `not_a_directory`, `permission_denied`.
    pub fn resolve(&self, name: impl AsRef<Path>, follow: Follow) -> Result<Location> {
        self.find(name.as_ref(), follow, None, self.allow_outside).map_err(|e| e.at(name.as_ref()))
    }

    /// Resolves a name that may lead out of the base, whatever the base allows: for what a caller may name anywhere.
    pub(crate) fn resolve_anywhere(&self, name: &Path, follow: Follow) -> Result<Location> {
        self.find(name, follow, None, true).map_err(|e| e.at(name))
    }

    /// Resolves a name and creates the folders that are missing on its way, each made durable if `durable`.
    ///
    /// # Errors
    /// Those of [`resolve`](Base::resolve), and what the system says to creating a folder: `read_only`, `no_space`,
    /// `durability_unknown`.
    pub fn resolve_creating(&self, name: impl AsRef<Path>, durable: bool) -> Result<Location> {
        let name = name.as_ref();
        self.find(name, Follow::Whole, Some(durable), self.allow_outside).map_err(|e| e.at(name))
    }

    /// Resolves a key that a store or a journal holds: hostile until proven harmless.
    ///
    /// # Errors
    /// Those of [`resolve`](Base::resolve).
    pub fn resolve_key(&self, key: &Key, follow: Follow) -> Result<Location> {
        self.resolve(key.to_path(), follow)
    }

    fn find(&self, name: &Path, follow: Follow, create: Option<bool>, anywhere: bool) -> Result<Location> {
        check_name(name)?;
        let Some(relative) = self.relative(name) else {
            return if anywhere { self.outside(name, follow) } else { Err(Error::new(Code::PathEscape)) };
        };
        let found = match self.find_directly(&relative, follow) {
            Some(location) => Ok(location),
            None => self.walk(&relative, follow, create),
        };
        match found {
            Err(e) if e.code() == Code::PathEscape && anywhere => self.outside(&self.path.join(relative), follow),
            found => found,
        }
    }

    /// A name that leads out of the base. If it leads back in, it is one of the base like any other: a file has one key,
    /// and the store is reached by no detour.
    fn outside(&self, name: &Path, follow: Follow) -> Result<Location> {
        let location = Location::ordinary_as(name, follow)?;
        if let Ok(back) = location.path().strip_prefix(&self.path) {
            // No link is on its way any more; one that is put there now is followed no further than the base.
            return self.walk(back, Follow::Parent, None);
        }
        location.path().iter().try_for_each(check_reserved)?;
        Ok(location)
    }

    /// The part of a name below the base, as written. `None`: an absolute name elsewhere.
    fn relative(&self, name: &Path) -> Option<PathBuf> {
        if name.is_relative() {
            return Some(name.to_owned());
        }
        if let Ok(below) = name.strip_prefix(&self.path) {
            return Some(below.to_owned());
        }
        // The way to the base may be spelled through links.
        let is_base = |above: &&Path| std::fs::canonicalize(above).is_ok_and(|above| above == self.path);
        name.ancestors().find(is_base).and_then(|base| name.strip_prefix(base).ok()).map(Path::to_owned)
    }

    /// One `openat2` for the folder and one `stat` for the name: no links, no `..`.
    fn find_directly(&self, relative: &Path, follow: Follow) -> Option<Location> {
        if self.walk_only || !relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
            return None;
        }
        let plain: PathBuf = relative.components().filter(|c| matches!(c, Component::Normal(_))).collect();
        let name = plain.file_name()?.to_owned();
        let parents: Vec<OsString> = plain.parent()?.iter().map(OsStr::to_owned).collect();
        let dir = match parents.is_empty() {
            true => self.dir.clone(),
            false => Arc::new(self.dir.open_beneath(plain.parent()?).ok()?),
        };
        if follow == Follow::Whole && dir.stat(&name).is_ok_and(|s| s.kind == FileKind::Symlink) {
            return None;
        }
        self.location(dir, parents.iter(), name).ok()
    }

    fn walk(&self, relative: &Path, follow: Follow, create: Option<bool>) -> Result<Location> {
        let mut stack: Vec<(Arc<Dir>, OsString)> = Vec::new();
        let mut pending: VecDeque<OsString> = components(relative);
        let mut links = 0;
        while let Some(name) = pending.pop_front() {
            if name == "." {
                continue;
            }
            if name == ".." {
                stack.pop().ok_or_else(|| Error::new(Code::PathEscape))?;
                continue;
            }
            let here = stack.last().map_or(&self.dir, |(dir, _)| dir).clone();
            let last = pending.is_empty();
            let stat = match here.stat(&name) {
                Ok(stat) => stat,
                Err(e) if e.kind() == io::ErrorKind::NotFound && last => {
                    return self.location(here, stack.iter().map(|s| &s.1), name);
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound && create.is_some() => {
                    check_reserved(&name)?;
                    create_folder(&here, &name, create == Some(true))?;
                    here.stat(&name)?
                }
                Err(e) => return Err(e.into()),
            };
            if last && (stat.kind != FileKind::Symlink || follow == Follow::Parent) {
                return self.location(here, stack.iter().map(|s| &s.1), name);
            }
            match stat.kind {
                FileKind::Symlink => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Error::new(Code::SymlinkLoop));
                    }
                    let target = PathBuf::from(here.read_link(&name)?);
                    let target = match target.is_absolute() {
                        true => {
                            stack.clear();
                            self.relative(&target).ok_or_else(|| Error::new(Code::PathEscape))?
                        }
                        false => target,
                    };
                    for part in components(&target).into_iter().rev() {
                        pending.push_front(part);
                    }
                }
                FileKind::Folder => stack.push((Arc::new(here.open_dir(&name)?), name)),
                _ => return Err(Error::new(Code::NotADirectory)),
            }
        }
        // The name is the base itself, or ended in `..` or a link to a folder: a folder, not a file.
        match stack.pop() {
            Some((_, name)) => {
                let here = stack.last().map_or(&self.dir, |(dir, _)| dir).clone();
                self.location(here, stack.iter().map(|s| &s.1), name)
            }
            None => Err(Error::new(Code::NotAFile)),
        }
    }

    fn location<'a>(
        &self,
        dir: Arc<Dir>,
        parents: impl Iterator<Item = &'a OsString>,
        name: OsString,
    ) -> Result<Location> {
        let mut key = Vec::new();
        let mut path = self.path.clone();
        for part in parents {
            check_reserved(part)?;
            key.extend_from_slice(&bytes_of(part));
            key.push(b'/');
            path.push(part);
        }
        check_reserved(&name)?;
        key.extend_from_slice(&bytes_of(&name));
        path.push(&name);
        Ok(Location { dir, name, key: Key(key), path })
    }
}

fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|c| !matches!(c, Component::RootDir | Component::Prefix(_)))
        .map(|c| c.as_os_str().to_owned())
        .collect()
}

fn create_folder(dir: &Dir, name: &OsStr, durable: bool) -> Result<()> {
    match dir.create_dir(name, 0o777) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(e.into()),
    }
    if durable {
        dir.sync()?;
    }
    Ok(())
}

/// Creates a folder by its ordinary path, and those that are missing above it, each made durable.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return std::fs::create_dir_all(path) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    if !parent.is_dir() {
        create_folders(parent)?;
    }
    create_folder(&Dir::open(parent)?, name, true).map_err(Into::into)
}

/// Names that no file can have, on any platform.
fn check_name(name: &Path) -> Result<()> {
    let bytes = bytes_of(name.as_os_str());
    if bytes.is_empty() {
        return Err(Error::message(Code::InvalidName, "the name is empty"));
    }
    if bytes.contains(&0) {
        return Err(Error::message(Code::InvalidName, "the name contains a NUL byte"));
    }
    if bytes.ends_with(b"/") {
        return Err(Error::message(Code::NotAFile, "a name that ends in / is a folder"));
    }
    Ok(())
}

/// Refuses what [`is_reserved`].
pub(crate) fn check_reserved(name: &OsStr) -> Result<()> {
    if is_reserved(name) { Err(Error::new(Code::ReservedName)) } else { Ok(()) }
}

/// Whether this is the store's folder or a temporary file of ours, in any spelling that some file system takes for them.
pub(crate) fn is_reserved(name: &OsStr) -> bool {
    // Folding takes away no ASCII character, so this is the usual and quick answer.
    if name.as_encoded_bytes().first().is_some_and(|b| b.is_ascii() && *b != b'.') {
        return false;
    }
    let Some(text) = name.to_str() else { return false };
    let folded = fold(text);
    folded.trim_end_matches(['.', ' ']) == STORE || folded.starts_with(TEMP_PREFIX)
}

/// Lower case, without the characters that HFS+ ignores (the trick of CVE-2014-9390).
fn fold(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(*c as u32, 0xAD | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF))
        .map(|c| if c == 'ſ' { 's' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

/// A name of bytes that a store holds, for this platform.
pub(crate) fn os_name(bytes: &[u8]) -> std::borrow::Cow<'_, OsStr> {
    #[cfg(unix)]
    return std::borrow::Cow::Borrowed(std::os::unix::ffi::OsStrExt::from_bytes(bytes));
    #[cfg(not(unix))]
    std::borrow::Cow::Owned(String::from_utf8_lossy(bytes).into_owned().into())
}

/// A name's bytes (UTF-8 where names are not bytes).
pub(crate) fn bytes_of(name: &OsStr) -> Vec<u8> {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStrExt::as_bytes(name).to_vec();
    #[cfg(not(unix))]
    name.to_string_lossy().replace('\\', "/").into_bytes()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn bases(dir: &Path) -> [Base; 2] {
        [Base::open(dir, false).unwrap(), Base::open(dir, false).unwrap().walk_only()]
    }

    fn code(base: &Base, name: &str) -> Code {
        base.resolve(name, Follow::Whole).unwrap_err().code()
    }

    #[test]
    fn names_resolve_the_same_by_either_way() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tmp.path().join("a/b")).unwrap();
        std::fs::write(tmp.path().join("a/b/f"), "x").unwrap();
        symlink("a/b", tmp.path().join("inner")).unwrap();
        symlink(tmp.path().canonicalize().unwrap().join("a"), tmp.path().join("absolute")).unwrap();
        symlink("b/f", tmp.path().join("a/link")).unwrap();
        for base in bases(tmp.path()) {
            for name in ["a/b/f", "./a/./b/f", "a/../a/b/f", "inner/f", "absolute/b/f", "a/link", "inner/../link"] {
                let found = base.resolve(name, Follow::Whole).unwrap();
                assert_eq!(found.key().as_bytes(), b"a/b/f", "{name}");
            }
            let absolute = base.path().join("a/b/f");
            assert_eq!(base.resolve(absolute, Follow::Whole).unwrap().key().as_bytes(), b"a/b/f");
            assert_eq!(base.resolve("a/link", Follow::Parent).unwrap().key().as_bytes(), b"a/link");
        }
    }

    #[test]
    fn names_that_leave_the_base_are_refused() {
        let tmp = tempfile::tempdir().unwrap();
        let inside = tmp.path().join("base");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(tmp.path().join("secret"), "x").unwrap();
        symlink("../secret", inside.join("out")).unwrap();
        symlink("..", inside.join("up")).unwrap();
        symlink("/etc/passwd", inside.join("passwd")).unwrap();
        symlink("loop", inside.join("loop")).unwrap();
        for base in bases(&inside) {
            for name in ["../secret", "x/../../secret", "/etc/passwd", "out", "up/secret", "passwd", ".."] {
                let found = code(&base, name);
                assert!(
                    found == Code::PathEscape || (name == "x/../../secret" && found == Code::NotFound),
                    "{name}: {found:?}"
                );
            }
            assert_eq!(code(&base, "loop"), Code::SymlinkLoop);
            assert_eq!(code(&base, ""), Code::InvalidName);
            assert_eq!(code(&base, "a\0b"), Code::InvalidName);
        }
        let open = Base::open(&inside, true).unwrap();
        assert!(open.resolve("../secret", Follow::Whole).is_ok());
    }

    /// With names allowed to lead out, removing and renaming followed a link that they did not follow inside.
    #[test]
    fn a_link_that_leads_out_is_kept_where_it_is_meant_itself() {
        let tmp = tempfile::tempdir().unwrap();
        let outer = tmp.path().canonicalize().unwrap();
        let inside = outer.join("base");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(outer.join("file"), "x").unwrap();
        symlink("file", outer.join("link")).unwrap();
        symlink(outer.clone(), inside.join("up")).unwrap();
        let base = Base::open(&inside, true).unwrap();
        for name in [PathBuf::from("../link"), outer.join("link"), "up/link".into()] {
            assert_eq!(base.resolve(&name, Follow::Parent).unwrap().path(), outer.join("link"));
            assert_eq!(base.resolve(&name, Follow::Whole).unwrap().path(), outer.join("file"));
        }
    }

    /// A name that left the base and came back in had a second key, and reached the store.
    #[test]
    fn a_name_that_comes_back_is_one_of_the_base() {
        let tmp = tempfile::tempdir().unwrap();
        let inside = tmp.path().canonicalize().unwrap().join("base");
        std::fs::create_dir_all(inside.join(".electrus/tx")).unwrap();
        std::fs::create_dir_all(inside.join("a")).unwrap();
        std::fs::create_dir_all(tmp.path().join("other/.electrus")).unwrap();
        std::fs::write(inside.join("a/f"), "x").unwrap();
        symlink("base", tmp.path().join("way")).unwrap();
        symlink("base/a/f", tmp.path().join("link")).unwrap();
        let base = Base::open(&inside, true).unwrap();
        for name in ["../base/a/f", "../way/a/f", "../link", "a/../../base/a/f"] {
            assert_eq!(base.resolve(name, Follow::Whole).unwrap().key().as_bytes(), b"a/f", "{name}");
        }
        for name in ["../base/.electrus/x", "../way/.Electrus/tx/x", "../other/.electrus/x", "../.electrus-tmp-1"] {
            let found = base.resolve(name, Follow::Whole).map_err(|e| e.code());
            let absent = name.contains("Electrus") && matches!(found, Err(Code::NotFound));
            assert!(absent || matches!(found, Err(Code::ReservedName)), "{name}: {found:?}");
        }
        assert_eq!(code(&base, "../base"), Code::NotAFile);
    }

    #[test]
    fn folders_are_not_counted_as_links() {
        let tmp = tempfile::tempdir().unwrap();
        let deep: PathBuf = (0..60).map(|_| "d").collect();
        std::fs::create_dir_all(tmp.path().join(&deep)).unwrap();
        std::fs::write(tmp.path().join(&deep).join("f"), "x").unwrap();
        symlink("f", tmp.path().join(&deep).join("link")).unwrap();
        for base in bases(tmp.path()) {
            let found = base.resolve(deep.join("link"), Follow::Whole).unwrap();
            assert_eq!(found.key().to_path(), deep.join("f"));
        }
    }

    #[test]
    fn an_absolute_name_may_spell_the_way_to_the_base_through_links() {
        let tmp = tempfile::tempdir().unwrap();
        let inside = tmp.path().join("base");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("f"), "x").unwrap();
        std::fs::write(tmp.path().join("secret"), "x").unwrap();
        let way = tmp.path().join("way");
        symlink("base", &way).unwrap();
        symlink(way.join("f"), inside.join("link")).unwrap();
        for base in bases(&way).into_iter().chain(bases(&inside)) {
            for name in [way.join("f"), way.join("link"), inside.join("link")] {
                assert_eq!(base.resolve(&name, Follow::Whole).unwrap().key().as_bytes(), b"f", "{name:?}");
            }
            assert_eq!(base.resolve(way.join("new"), Follow::Whole).unwrap().key().as_bytes(), b"new");
            for name in [way.join("../secret"), tmp.path().join("secret"), tmp.path().join("way.not/f")] {
                assert_eq!(base.resolve(&name, Follow::Whole).unwrap_err().code(), Code::PathEscape, "{name:?}");
            }
        }
    }

    #[test]
    fn the_stores_names_are_refused_in_every_spelling() {
        let tmp = tempfile::tempdir().unwrap();
        for base in bases(tmp.path()) {
            for name in [".electrus", ".Electrus", ".electruſ", ".electrus.", ".elec\u{200c}trus", ".electrus-tmp-1"] {
                assert_eq!(code(&base, name), Code::ReservedName, "{name}");
            }
            assert!(base.resolve("electrus", Follow::Whole).is_ok());
            assert!(base.resolve(".electrus-notes", Follow::Whole).is_ok());
        }
    }
}
