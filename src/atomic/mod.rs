//! Atomic durable replacement of a file: whole content, or a streaming writer.
//!
//! ```
//! use electrus::atomic::{self, AtomicFile, WriteOptions};
//! use electrus::path::Location;
//! use std::io::Write;
//!
//! # fn main() -> electrus::error::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("electrus-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let report = Location::ordinary(folder.join("report.txt"))?;
//! atomic::write(&report, b"all of it, or nothing", &WriteOptions::default())?;
//!
//! let mut file = AtomicFile::create(&report, &WriteOptions::default())?;
//! writeln!(file, "more than memory holds, piece by piece")?;
//! let written = file.commit()?; // until here, readers see the old content
//! assert_eq!(written.size, 39);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! ```text
//! stat(target)                                   a regular file, or none
//! openat(folder, random name, O_EXCL|O_NOFOLLOW) 0600 if it replaces a file, else 0666 less the umask
//! flock(temp)                                    for its whole life: who clears up sees that we live
//! write(temp) …                                  hashed on the way
//! fchown, ACL and xattrs, fchmod                 from the file that is replaced
//! fsync(temp)                                    durability `data` and `full`
//! renameat(temp, target)                         or renameat2 with NOREPLACE or EXCHANGE
//! fsync(folder)                                  durability `full`
//! ```
//!
//! Every call goes through one descriptor of the folder. A failed fsync is never repeated (the kernel has dropped the
//! pages and would say yes): the temporary file is removed, the old content stays, the error is reported. What fails
//! after the rename is [`durability_unknown`](crate::error::Code::DurabilityUnknown).
//!
//! # Limits
//!
//! - A program that holds the old file open goes on with the old content; hard links of it keep it.
//! - A file that is a mount point, as container runtimes bind single files, cannot be replaced (`EBUSY`).
//! - A compare-and-swap is exact between programs that use this crate. A program that writes through a descriptor it
//!   opened before is noticed if it writes before the swap is judged, not after. On file systems without
//!   `RENAME_EXCHANGE` a foreign replacement within the last microseconds before ours goes unnoticed.
//! - A crash in the microseconds between an exchange and its undoing leaves the new content in place; what a foreign
//!   program put there just before is then a left-over.
//! - `if_absent` is one step where the file system has `RENAME_NOREPLACE` or hard links. Elsewhere (some FUSE file
//!   systems, some WASI hosts) the name is claimed by an empty file first, which readers may see for a moment, and which
//!   a crash in that moment leaves.
//! - While a replacement is judged, its writer holds an `flock` on the new file and one on the old.

mod condition;
mod leftovers;
mod staged;
mod temp;

use crate::checksum::{Algorithm, Digest, Hasher};
use crate::error::{Code, Error, IoContext, Result};
use crate::path::Location;
use crate::sys::{self, Stat};
use condition::Expected;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::thread;
use temp::Temp;

pub(crate) use leftovers::remove_leftovers;
pub use leftovers::remove_leftovers_in;
#[allow(unused_imports)]
pub(crate) use staged::{Displaced, Staged};

/// The mode of a temporary file that replaces another, until it gets that one's.
const PRIVATE: u32 = 0o600;
/// The mode of a new file, less the umask.
const NEW: u32 = 0o666;
/// How much is written before the kernel is told to begin flushing it, and at most at once.
const STEP: u64 = 1024 * 1024;
/// From here on a second thread hashes: starting it takes a few per cent of what hashing takes.
const BESIDE: usize = 256 * 1024;

/// What a write promises to survive.
///
/// ```
/// use electrus::atomic::Durability;
///
/// assert_eq!(Durability::default(), Durability::Full);
/// assert!(Durability::None < Durability::Data && Durability::Data < Durability::Full);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Nothing: atomic to other programs, lost or kept at a power cut.
    None,
    /// The content is on the medium before it takes the name; the name itself may be lost.
    Data,
    /// Content and name are on the medium when the call returns.
    #[default]
    Full,
}

/// When to replace.
///
/// ```
/// use electrus::atomic::{self, Condition, WriteOptions};
/// use electrus::{error::Code, path::Location};
///
/// # let folder = tempfile::tempdir()?;
/// let file = Location::ordinary(folder.path().join("once"))?;
/// let only_new = WriteOptions { condition: Condition::Absent, ..WriteOptions::default() };
/// atomic::write(&file, b"first", &only_new)?;
/// assert_eq!(atomic::write(&file, b"second", &only_new).unwrap_err().code(), Code::AlreadyExists);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Condition {
    /// Always.
    #[default]
    Always,
    /// Only if there is no such file.
    Absent,
    /// Only if the file has this checksum.
    Checksum(Digest),
}

/// Options of a write.
///
/// ```
/// use electrus::{atomic::{self, WriteOptions}, checksum::Algorithm, path::Location};
///
/// # let folder = tempfile::tempdir()?;
/// let file = Location::ordinary(folder.path().join("key"))?;
/// let options = WriteOptions { mode: Some(0o600), algorithms: vec![Algorithm::Blake3], ..WriteOptions::default() };
/// assert_eq!(atomic::write(&file, b"secret", &options)?.digests.len(), 1);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// What to survive.
    pub durability: Durability,
    /// When to replace.
    pub condition: Condition,
    /// Digests to compute on the way.
    pub algorithms: Vec<Algorithm>,
    /// Permission bits (at most `0o7777`), exactly, in place of those of the replaced file and of its access control list
    /// (or of 0666 less the umask).
    pub mode: Option<u32>,
}

/// What a write did.
///
/// ```
/// use electrus::{atomic::{self, Durability, WriteOptions}, path::Location};
///
/// # let folder = tempfile::tempdir()?;
/// let file = Location::ordinary(folder.path().join("report"))?;
/// let written = atomic::write(&file, b"seven b", &WriteOptions::default())?;
/// assert_eq!(written.size, 7);
/// if written.durability < Durability::Full {
///     eprintln!("this platform cannot flush the name");
/// }
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Written {
    /// Bytes.
    pub size: u64,
    /// One digest for each algorithm asked for.
    pub digests: Vec<Digest>,
    /// What was achieved; less than asked only where the platform cannot do more.
    pub durability: Durability,
    /// What stands under the name now.
    pub(crate) stat: Stat,
}

/// A writer whose content takes the name all at once on [`commit`](AtomicFile::commit).
/// Dropping it without committing leaves the old file as it was.
///
/// Not buffered: each [`write`](Write::write) is at least one system call, so wrap it in a
/// [`BufWriter`](io::BufWriter) for small pieces. `Send`; one thread at a time.
///
/// ```
/// use electrus::{atomic::{AtomicFile, WriteOptions}, path::Location};
/// use std::io::Write;
///
/// # let folder = tempfile::tempdir()?;
/// let target = Location::ordinary(folder.path().join("log"))?;
/// let mut file = AtomicFile::create(&target, &WriteOptions::default())?;
/// file.write_all(b"piece by piece")?;
/// assert!(!target.path().exists());
/// file.commit()?;
/// assert_eq!(std::fs::read(target.path())?, b"piece by piece");
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub struct AtomicFile {
    target: Location,
    options: WriteOptions,
    temp: Temp,
    expected: Option<Expected>,
    /// What stood under the name when writing began.
    replaced: Option<Stat>,
    hasher: Option<Hasher>,
    size: u64,
    /// How far the kernel was told to flush.
    flushing: u64,
    failed: bool,
}

impl AtomicFile {
    /// Opens a temporary file beside the target.
    ///
    /// # Errors
    /// `not_a_file` if a folder, FIFO, socket, device or symbolic link stands there; `already_exists` or `changed` if
    /// the condition does not hold; `invalid_argument` for a mode beyond `0o7777`; what the system says otherwise.
    pub fn create(target: &Location, options: &WriteOptions) -> Result<AtomicFile> {
        check_mode(options.mode).map_err(|e| e.at(target.path()))?;
        let replaced = condition::look(target)?;
        let expected = Expected::check(&options.condition, target, replaced.as_ref())?;
        let is_new = replaced.is_none() && options.mode.is_none();
        Ok(AtomicFile {
            target: target.clone(),
            temp: Temp::create(target, if is_new { NEW } else { PRIVATE })?,
            expected,
            replaced,
            hasher: (!options.algorithms.is_empty()).then(|| Hasher::new(&options.algorithms)),
            options: options.clone(),
            size: 0,
            flushing: 0,
            failed: false,
        })
    }

    /// Finishes, makes durable as asked, and replaces the target.
    ///
    /// # Errors
    /// `durability_unknown`: the new content stands under the name, but may not survive a power cut. Any other: the old
    /// content stands, and the temporary file is gone. `already_exists`, `changed`: the condition does not hold any more.
    pub fn commit(self) -> Result<Written> {
        let durability = self.options.durability;
        self.stage(durability != Durability::None)?.replace(durability == Durability::Full)
    }

    /// Gives up and removes the temporary file, reporting a failure to do so.
    ///
    /// # Errors
    /// What the system says to the removal, as `permission_denied` or `io`; the old content stands in any case.
    pub fn abort(mut self) -> Result<()> {
        self.temp.remove().at(self.target.path())
    }

    /// Everything but the replacement: owner, mode and attributes are set, and content is durable unless `flush` is
    /// false (then the caller flushes the file system before it calls [`Staged::publish`]).
    pub(crate) fn stage(self, flush: bool) -> Result<Staged> {
        if self.failed {
            return Err(Error::message(Code::Io, "an earlier write to this file failed").at(self.target.path()));
        }
        self.keep_attributes()?;
        match flush {
            true => sys::sync_file(self.temp.file()),
            false => sys::flush_by_close(self.temp.file()),
        }
        .at(self.target.path())?;
        Ok(Staged {
            target: self.target,
            temp: self.temp,
            condition: self.options.condition,
            expected: self.expected,
            size: self.size,
            digests: self.hasher.map(Hasher::finish).unwrap_or_default(),
            durable: flush,
        })
    }

    /// Takes over what the file has that is replaced: the one that stands there now, for writing may have taken long.
    fn keep_attributes(&self) -> Result<()> {
        let found = match (&self.expected, &self.options.condition) {
            (Some(expected), _) => {
                return sys::keep_attributes(expected.file(), self.temp.file(), self.options.mode)
                    .at(self.target.path());
            }
            (None, Condition::Absent) => None,
            (None, _) => condition::open_attributes(&self.target)?,
        };
        match (found, self.options.mode, &self.replaced) {
            (Some((old, _)), mode, _) => sys::keep_attributes(&old, self.temp.file(), mode),
            (None, Some(mode), _) => sys::set_mode(self.temp.file(), mode),
            // Removed since writing began: the umask can no longer be asked, so what stood there decides.
            (None, None, Some(gone)) => sys::set_mode(self.temp.file(), gone.mode & 0o777),
            (None, None, None) => Ok(()),
        }
        .at(self.target.path())
    }

    fn take(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() >= BESIDE && self.hasher.is_some() {
            return self.take_hashing_beside(data);
        }
        let taken = self.put(data)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&data[..taken]);
        }
        Ok(taken)
    }

    /// Copying into the kernel takes about as long as hashing: much content does both at once. Where no thread can be
    /// had, one after the other.
    fn take_hashing_beside(&mut self, data: &[u8]) -> io::Result<usize> {
        let Some(mut hasher) = self.hasher.take() else { return Err(Error::new(Code::Internal).into()) };
        let shared = Mutex::new(&mut hasher);
        let hash = || shared.lock().unwrap_or_else(PoisonError::into_inner).update(data);
        thread::scope(|scope| {
            let beside = thread::Builder::new().spawn_scoped(scope, hash);
            let put = self.put_all(data);
            match beside {
                Ok(beside) => beside.join().map_err(|_| io::Error::from(Error::new(Code::Internal)))?,
                Err(_) => hash(),
            }
            put
        })?;
        self.hasher = Some(hasher);
        Ok(data.len())
    }

    fn put_all(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let put = self.put(data)?;
            data = &data[put..];
        }
        Ok(())
    }

    fn put(&mut self, data: &[u8]) -> io::Result<usize> {
        let data = &data[..data.len().min(STEP as usize)];
        let put = loop {
            match self.temp.file().write(data) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) if !data.is_empty() => return Err(io::ErrorKind::WriteZero.into()),
                answer => break answer?,
            }
        };
        self.size += put as u64;
        self.start_flushing()?;
        Ok(put)
    }

    fn start_flushing(&mut self) -> io::Result<()> {
        if self.size - self.flushing < STEP || self.options.durability == Durability::None {
            return Ok(());
        }
        sys::start_writeback(self.temp.file(), self.flushing, self.size)?;
        self.flushing = self.size;
        Ok(())
    }
}

impl Write for AtomicFile {
    /// After an error the file can only be given up.
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.take(data).map_err(|e| {
            self.failed = true;
            Error::io(e, self.target.path()).into()
        })
    }

    /// Nothing is buffered: durability comes with [`commit`](AtomicFile::commit).
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for AtomicFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicFile").field("target", &self.target.path()).field("size", &self.size).finish()
    }
}

fn check_mode(mode: Option<u32>) -> Result<()> {
    match mode {
        Some(mode) if mode > 0o7777 => Err(Error::message(Code::InvalidArgument, format!("no such mode: {mode:o}"))),
        _ => Ok(()),
    }
}

/// Replaces the content of a file, or creates it.
///
/// # Errors
/// Those of [`AtomicFile::create`] and [`AtomicFile::commit`].
///
/// ```
/// use electrus::{atomic::{self, WriteOptions}, path::Location};
///
/// # let folder = tempfile::tempdir()?;
/// let file = Location::ordinary(folder.path().join("greeting"))?;
/// atomic::write(&file, b"hello", &WriteOptions::default())?;
/// assert_eq!(std::fs::read(file.path())?, b"hello");
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub fn write(target: &Location, content: &[u8], options: &WriteOptions) -> Result<Written> {
    let mut file = AtomicFile::create(target, options)?;
    file.write_all(content)?;
    file.commit()
}

#[cfg(test)]
mod tests;
