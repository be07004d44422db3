//! The folders and files of a store: names, modes, opening and creating.

use super::StoreOptions;
use crate::error::{Code, Error, IoContext, Result};
use crate::sys::{self, Dir, FileKind};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Segment numbers with this bit are random.
pub const RANDOM: u64 = 1 << 63;

/// The open folders of a store that exists.
#[derive(Debug)]
pub struct Layout {
    pub root: Dir,
    pub segments: Dir,
    pub index: Dir,
    pub path: PathBuf,
    options: StoreOptions,
    /// Whether the folders above are known to be durable.
    settled: AtomicBool,
    /// The optional ones that are.
    durable: Mutex<BTreeSet<String>>,
}

impl Layout {
    /// Opens the folders. `None`: there is no store.
    pub fn open(parent: &Dir, name: &OsStr, path: &Path, options: StoreOptions) -> Result<Option<Layout>> {
        let root = match parent.open_dir(name) {
            Ok(root) => root,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(e, path)),
        };
        let segments = Layout::folder(&root, "segments", path)?;
        if segments.is_none() && Layout::folder(&root, "guests", path)?.is_none() {
            return Ok(None);
        }
        let segments = Layout::found_or_made(segments, &root, "segments", path, options)?;
        let index = Layout::folder(&root, "index", path)?;
        let index = Layout::found_or_made(index, &root, "index", path, options)?;
        let (settled, durable) = Default::default();
        Ok(Some(Layout { root, segments, index, path: path.to_owned(), options, settled, durable }))
    }

    /// Makes the folders durable, once: whoever made them may not have come to flush them yet, and nothing is to be
    /// acknowledged that stands in a folder which can vanish.
    pub fn settle(&self, parent: &Dir) -> Result<()> {
        if !self.settled.load(Relaxed) {
            for dir in [&self.segments, &self.root, parent] {
                dir.sync().at(&self.path)?;
            }
            self.settled.store(true, Relaxed);
        }
        Ok(())
    }

    /// Tools that copy a store may leave out folders that are empty. Where nothing may be written, the root stands in:
    /// no name that is looked for stands there.
    fn found_or_made(found: Option<Dir>, root: &Dir, name: &str, path: &Path, options: StoreOptions) -> Result<Dir> {
        match found {
            Some(dir) => Ok(dir),
            None if options.read_only => root.try_clone().at(path),
            None => {
                make_folder(root, OsStr::new(name), &path.join(name), options)?;
                root.open_dir(OsStr::new(name)).at(path.join(name))
            }
        }
    }

    fn folder(root: &Dir, name: &str, path: &Path) -> Result<Option<Dir>> {
        match root.open_dir(OsStr::new(name)) {
            Ok(dir) => Ok(Some(dir)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io(e, path.join(name))),
        }
    }

    /// Creates what is missing, and opens it; durable once it is [settled](Layout::settle).
    pub fn create(parent: &Dir, name: &OsStr, path: &Path, options: StoreOptions) -> Result<Layout> {
        if options.read_only {
            return Err(Error::new(Code::ReadOnly).at(path));
        }
        make_folder(parent, name, path, options)?;
        let root = parent.open_dir(name).at(path)?;
        for folder in ["segments", "index"] {
            make_folder(&root, OsStr::new(folder), &path.join(folder), options)?;
        }
        Layout::open(parent, name, path, options)?.ok_or_else(|| Error::new(Code::NoStore).at(path))
    }

    pub fn file_mode(&self) -> u32 {
        if self.options.group { 0o660 } else { 0o600 }
    }

    /// Opens a lock file, creating it unless the store may not be written.
    pub fn lock_file(&self, name: &str) -> Result<Option<File>> {
        let path = self.path.join(name);
        let name = OsStr::new(name);
        let file = match (self.options.read_only, self.options.group) {
            (true, _) => self.root.open_read(name),
            (false, false) => self.root.open_or_create(name, self.file_mode()),
            (false, true) => self.group_lock(name),
        };
        match file {
            Ok(file) => Ok(Some(file)),
            Err(e) if self.options.read_only && e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io(e, path)),
        }
    }

    /// The mode of a lock file must let the group in, whatever the umask of whoever creates it.
    fn group_lock(&self, name: &OsStr) -> io::Result<File> {
        match self.root.create_new(name, self.file_mode()) {
            Ok(file) => sys::set_mode(&file, self.file_mode()).map(|()| file),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => self.root.open_write(name),
            Err(e) => Err(e),
        }
    }

    /// Creates a new file of the store with the store's mode, whatever the umask.
    pub fn create_file(&self, dir: &Dir, name: &OsStr, path: &Path) -> Result<File> {
        let file = dir.create_new(name, self.file_mode()).at(path)?;
        if self.options.group {
            sys::set_mode(&file, self.file_mode()).at(path)?;
        }
        Ok(file)
    }

    /// A folder that only some stores have, created when first needed, and then durable whoever created it.
    pub fn optional_folder(&self, name: &str, create: bool) -> Result<Option<Dir>> {
        if !create || super::lock(&self.durable).contains(name) {
            let found = Layout::folder(&self.root, name, &self.path)?;
            if found.is_some() || !create {
                return Ok(found);
            }
        }
        let path = self.path.join(name);
        make_folder(&self.root, OsStr::new(name), &path, self.options)?;
        self.root.sync().at(&path)?;
        super::lock(&self.durable).insert(name.to_owned());
        Layout::folder(&self.root, name, &self.path)
    }
}

fn dir_mode(options: StoreOptions) -> u32 {
    if options.group { 0o770 } else { 0o700 }
}

fn make_folder(parent: &Dir, name: &OsStr, path: &Path, options: StoreOptions) -> Result<()> {
    match parent.create_dir(name, dir_mode(options)) {
        Ok(()) if options.group => sys::set_dir_mode(parent, name, 0o2770).at(path),
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match parent.stat(name).at(path)?.kind {
            FileKind::Folder => Ok(()),
            _ => Err(Error::new(Code::NotADirectory).at(path)),
        },
        Err(e) => Err(Error::io(e, path)),
    }
}

/// The file name of a segment.
pub fn segment_name(number: u64) -> String {
    format!("{number:016x}.seg")
}

/// The number in a file name with this extension.
pub fn number_in(name: &OsStr, extension: &str) -> Option<u64> {
    let digits = name.to_str()?.strip_suffix(extension)?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    (digits == format!("{number:016x}")).then_some(number)
}

/// A random number with the top bit set.
pub fn random_number() -> Result<u64> {
    let number = getrandom::u64().map_err(|e| Error::message(Code::Io, format!("no randomness: {e}")))?;
    Ok(number | RANDOM)
}
