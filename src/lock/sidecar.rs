//! The file that carries the lock: its name, and how it is opened without harming whoever else uses it.

use super::record;
use crate::error::{Code, Error, IoContext, Result};
use crate::path::{Location, bytes_of};
use crate::sys::{self, Dir, FileKind, Stat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// The longest name that file systems take, in bytes.
const NAME_MAX: usize = 255;
const SUFFIX: &str = ".lock";
/// Nobody executes a lock file.
const READ_WRITE: u32 = 0o666;
const PERMISSIONS: u32 = 0o7777;

/// What tells one sidecar from all others: device and inode.
pub(super) type Identity = (u64, u64);

/// The name of the sidecar of a file: `NAME.lock`, or `.electrus-HASH.lock` where that would be too long (HASH: the
/// first 32 hexadecimal digits of the name's BLAKE3).
///
/// ```
/// assert_eq!(electrus::lock::sidecar_name("ledger".as_ref()), "ledger.lock");
/// ```
pub fn sidecar_name(name: &OsStr) -> OsString {
    let bytes = bytes_of(name);
    if bytes.len() + SUFFIX.len() <= NAME_MAX {
        let mut sidecar = OsString::with_capacity(bytes.len() + SUFFIX.len());
        sidecar.push(name);
        sidecar.push(SUFFIX);
        return sidecar;
    }
    let hash = blake3::hash(&bytes).to_hex();
    OsString::from(format!(".electrus-{}{SUFFIX}", &hash[..32]))
}

/// Whether a file is a lock sidecar of ours, by its content (empty files are not).
pub fn is_sidecar(dir: &Dir, name: &OsStr) -> Result<bool> {
    let file = match dir.open_read(name) {
        Err(e) if sys::sharing::is_no_file(&e) => return Ok(false),
        file => file.at(name)?,
    };
    let stat = sys::stat_file(&file).at(name)?;
    Ok(stat.kind == FileKind::File && record::is_ours(&file, stat.size).at(name)?)
}

/// Refuses to change a lock file of ours: who holds the lock on one that is replaced or removed does not exclude whoever
/// finds the next. An empty one, or anybody else's, is an ordinary file.
pub(crate) fn refuse_sidecar(location: &Location) -> Result<()> {
    let is_candidate = location.name().as_encoded_bytes().ends_with(SUFFIX.as_bytes());
    // One that cannot be read is taken for nobody's.
    match is_candidate && is_sidecar(location.dir(), location.name()).unwrap_or(false) {
        true => Err(Error::message(Code::ReservedName, "this is a lock file of electrus").at(location.path())),
        false => Ok(()),
    }
}

/// An open sidecar.
#[derive(Debug)]
pub(super) struct Sidecar {
    pub file: File,
    name: OsString,
    target: PathBuf,
    pub identity: Identity,
    pub stat: Stat,
    /// Whether holder records can be written.
    pub writable: bool,
}

impl Sidecar {
    /// Opens the sidecar of a file, creating it if it is not there.
    pub fn open(location: &Location) -> Result<Sidecar> {
        let name = sidecar_name(location.name());
        let (file, writable) = open_or_create(location, &name).map_err(|e| refused(e, location, &name))?;
        Sidecar::new(file, writable, location, name)
    }

    /// Opens a sidecar that is there, for looking at it. `None`: there is none, or it must not be read.
    pub fn look(location: &Location) -> Result<Option<Sidecar>> {
        let name = sidecar_name(location.name());
        match location.dir().open_read(&name) {
            Ok(file) => Sidecar::new(file, false, location, name).map(Some),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => Ok(None),
            Err(e) => Err(refused(e, location, &name)),
        }
    }

    fn new(file: File, writable: bool, location: &Location, name: OsString) -> Result<Sidecar> {
        let stat = sys::stat_file(&file).map_err(|e| refused(e, location, &name))?;
        if stat.kind != FileKind::File {
            return Err(not_a_file(location, &name));
        }
        let identity = sys::identity(location.dir(), &name, &stat);
        Ok(Sidecar { file, name, target: location.path().to_owned(), identity, stat, writable })
    }

    /// What stands under its name, if that is still this file: a lock on one that others cannot find excludes nobody.
    pub fn stands(&self, location: &Location) -> Result<Option<Stat>> {
        match location.dir().stat(&self.name) {
            Ok(found) => Ok(found.same_file(&self.stat).then_some(found)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.failed(e)),
        }
    }

    /// Gives it the mode that its target has been given, so that whoever may use that may lock it, and nobody else.
    /// One that is not ours, or belongs to somebody else, stays as it is.
    pub fn follow_mode(&self, target: u32) {
        let mode = target & READ_WRITE;
        let now = sys::stat_file(&self.file).ok().filter(|now| now.mode & PERMISSIONS != mode);
        if now.is_some_and(|now| record::is_ours(&self.file, now.size).unwrap_or(false)) {
            let _ = sys::set_mode(&self.file, mode); // the lock works all the same
        }
    }

    /// For messages.
    pub fn path(&self) -> PathBuf {
        self.target.with_file_name(&self.name)
    }

    /// What the system said about it.
    pub fn failed(&self, error: io::Error) -> Error {
        Error::io(error, self.path())
    }
}

fn not_a_file(location: &Location, name: &OsStr) -> Error {
    let path = location.path().with_file_name(name);
    Error::message(Code::NotAFile, "the lock file is not a regular file").at(path)
}

fn refused(error: io::Error, location: &Location, name: &OsStr) -> Error {
    match sys::sharing::is_no_file(&error) {
        true => not_a_file(location, name),
        false => Error::io(error, location.path().with_file_name(name)),
    }
}

/// The file, and whether it may be written.
fn open_or_create(location: &Location, name: &OsStr) -> io::Result<(File, bool)> {
    let dir = location.dir();
    loop {
        match dir.open_write(name) {
            Ok(file) => return Ok((file, true)),
            Err(e) if e.kind() == ErrorKind::NotFound => match create(location, name) {
                // Others created it at the same moment.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                created => return created.map(|file| (file, true)),
            },
            // A lock needs no permission to write.
            Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
                return dir.open_read(name).map(|file| (file, false));
            }
            Err(e) => return Err(e),
        }
    }
}

/// Creates it so that whoever may use the target may lock it: with its mode and, where that is allowed, its owner.
fn create(location: &Location, name: &OsStr) -> io::Result<File> {
    let target = match location.dir().stat(location.name()) {
        Ok(stat) if stat.kind == FileKind::File => stat,
        Ok(_) => return location.dir().create_new(name, READ_WRITE),
        Err(e) if e.kind() == ErrorKind::NotFound => return location.dir().create_new(name, READ_WRITE),
        Err(e) => return Err(e),
    };
    let mode = target.mode & READ_WRITE;
    let file = location.dir().create_new(name, mode)?;
    let made = sys::stat_file(&file)?;
    if (made.uid, made.gid) != (target.uid, target.gid) {
        // Only root may give files away; for others the lock file stays theirs.
        let _ = sys::set_owner(&file, target.uid, target.gid);
    }
    if made.mode != mode {
        sys::set_mode(&file, mode)?;
    }
    Ok(file)
}
