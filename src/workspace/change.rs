//! What a change is asked to do, and what it did.

use crate::atomic::{AtomicFile, Condition, Durability};
use crate::checksum::{Algorithm, Digest};
use crate::lock::{LockGuard, LockOptions};
use crate::path::{Key, Location};
use crate::progress::Progress;
use crate::store::{FileState, VersionKind};
use crate::time::Timestamp;
use std::io::Read;
use std::path::PathBuf;

/// New content for a file.
///
/// ```
/// use electrus::handler::AdvancedFileHandler;
/// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// handler.secure_write("a", Source::Bytes(b"in memory"), ChangeOptions::default())?;
/// let mut stream = std::io::Read::take(std::io::repeat(b'x'), 100_000);
/// let written = handler.secure_write("b", Source::Reader(&mut stream), ChangeOptions::default())?;
/// assert_eq!(written.size, 100_000);
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub enum Source<'a> {
    /// In memory.
    Bytes(&'a [u8]),
    /// From a stream, in bounded memory.
    Reader(&'a mut (dyn Read + Send)),
    /// What a version in the store holds.
    Stored(&'a FileState),
    /// What was written to a temporary file beside the target.
    #[doc(hidden)]
    Spooled(Spooled),
}

/// Content that waits in a temporary file beside its target.
#[derive(Debug)]
#[doc(hidden)]
pub struct Spooled(pub(crate) Box<AtomicFile>);

/// Under which lock an operation runs.
///
/// ```
/// use electrus::handler::AdvancedFileHandler;
/// use electrus::lock::{LockOptions, LockType};
/// use electrus::workspace::{ChangeOptions, Hold, OpenOptions, Source};
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// let lock = handler.lock("a", LockType::Exclusive, &LockOptions::default())?;
/// for text in ["one", "two"] {
///     let under = ChangeOptions { hold: Hold::Use(&lock), ..ChangeOptions::default() };
///     handler.secure_write("a", Source::Bytes(text.as_bytes()), under)?;
/// }
/// lock.release()?;
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Hold<'a> {
    /// Take the file's lock for the time of the operation.
    Take(LockOptions),
    /// Use a lock that the caller holds; `not_locked` if it does not cover the file.
    Use(&'a LockGuard),
}

impl Hold<'_> {
    /// The lock that the caller holds.
    pub(crate) fn held(&self) -> Option<&LockGuard> {
        match self {
            Hold::Take(_) => None,
            Hold::Use(guard) => Some(guard),
        }
    }
}

impl Default for Hold<'_> {
    fn default() -> Self {
        Hold::Take(LockOptions::default())
    }
}

/// Options of a change.
///
/// ```
/// use electrus::atomic::Condition;
/// use electrus::handler::AdvancedFileHandler;
/// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// let new = ChangeOptions { condition: Condition::Absent, mode: Some(0o600), ..ChangeOptions::default() };
/// handler.secure_write("key", Source::Bytes(b"secret"), new)?;
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ChangeOptions<'a> {
    /// Record versions (of the new content, and of what it replaces if history does not hold that). Default true.
    pub create_version: bool,
    /// Read the file back after the write and compare. Default true.
    pub verify: bool,
    /// The digest in the result. Default sha256.
    pub algorithm: Algorithm,
    /// What to survive. Default `Full`.
    pub durability: Durability,
    /// When to replace.
    pub condition: Condition,
    /// Permission bits, in place of the old ones.
    pub mode: Option<u32>,
    /// Under which lock.
    pub hold: Hold<'a>,
    /// What kind of version this makes, and of which older one.
    #[doc(hidden)]
    pub kind: VersionKind,
    #[doc(hidden)]
    pub of: Option<u64>,
    #[doc(hidden)]
    pub other: Option<Key>,
    /// Progress and cancel, for streams.
    pub progress: Progress,
}

impl Default for ChangeOptions<'_> {
    fn default() -> Self {
        ChangeOptions {
            create_version: true,
            verify: true,
            algorithm: Algorithm::Sha256,
            durability: Durability::Full,
            condition: Condition::Always,
            mode: None,
            hold: Hold::default(),
            kind: VersionKind::Write,
            of: None,
            other: None,
            progress: Progress::new(),
        }
    }
}

/// One write of several that share their flushes.
#[doc(hidden)]
pub struct Change<'s, 'o> {
    /// The file, resolved (missing folders created).
    pub location: Location,
    /// Its new content.
    pub source: Source<'s>,
    /// How.
    pub options: ChangeOptions<'o>,
}

/// What a change did.
///
/// ```
/// use electrus::handler::AdvancedFileHandler;
/// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// handler.secure_write("a", Source::Bytes(b"ours"), ChangeOptions::default())?;
/// std::fs::write(folder.path().join("a"), "theirs")?;
/// let changed = handler.secure_write("a", Source::Bytes(b"ours again"), ChangeOptions::default())?;
/// assert_eq!((changed.version, changed.outside_edit), (Some(3), Some(2)));
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Changed {
    /// The full path.
    pub path: PathBuf,
    /// Bytes now (0 after a delete).
    pub size: u64,
    /// Digest of the content now, by the algorithm asked for.
    pub checksum: Option<Digest>,
    /// The version it made, if versions were asked for.
    pub version: Option<u64>,
    /// The version that keeps what was found there and was not in the history.
    pub outside_edit: Option<u64>,
    /// When.
    pub timestamp: Timestamp,
    /// What was achieved.
    pub durability: Durability,
}
