//! Checksums: six algorithms, several in one pass, files, streams and whole trees.
//!
//! Large content is read by one thread while others hash it, one for each algorithm.
//! Memory is flat whatever the size. Where there are no threads (WASI) the same calls work in sequence.
//!
//! ```
//! use electrus::checksum::{self, Algorithm, Hasher};
//!
//! let mut hasher = Hasher::new(&[Algorithm::Sha256, Algorithm::Md5]);
//! hasher.update(b"hello ");
//! hasher.update(b"world");
//! let digests = hasher.finish();
//! assert_eq!(digests[0], checksum::of_bytes(Algorithm::Sha256, b"hello world"));
//! assert_eq!(digests[1].hex(), "5eb63bbbe01eeed093cb22bb8f5acdc3");
//! ```

mod algorithm;
mod calculator;
mod hasher;
mod parallel;
mod stream;
pub mod sums;
mod tree;

pub use algorithm::{Algorithm, Digest};
pub use calculator::ChecksumCalculator;
pub use hasher::Hasher;
pub use tree::{TreeEntry, tree};

use crate::error::{Code, Error, Result};
use crate::path::Location;
use crate::progress::Progress;
use crate::sys::{self, Dir, FileKind};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use stream::Blocks;

/// How long a content is, and its digests.
///
/// ```
/// use electrus::{checksum::{self, Algorithm}, progress::Progress};
///
/// let summed = checksum::of_reader(&mut &b"hello"[..], &[Algorithm::Md5, Algorithm::Sha1], &Progress::new())?;
/// assert_eq!((summed.size, summed.digests.len()), (5, 2));
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summed {
    /// Bytes.
    pub size: u64,
    /// One digest for each algorithm, in the order they were asked for.
    pub digests: Vec<Digest>,
}

/// The digest of bytes in memory.
///
/// ```
/// use electrus::checksum::{self, Algorithm};
///
/// assert_eq!(checksum::of_bytes(Algorithm::Md5, b"").hex(), "d41d8cd98f00b204e9800998ecf8427e");
/// ```
pub fn of_bytes(algorithm: Algorithm, data: &[u8]) -> Digest {
    let mut hasher = hasher::State::new(algorithm);
    hasher.update(data);
    hasher.finish()
}

/// The digest of a file's content; one descriptor, streamed. Anything but a regular file is `not_a_file`.
///
/// # Errors
/// Those of [`ChecksumCalculator::calculate_checksum`].
///
/// ```
/// use electrus::checksum::{self, Algorithm};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("empty");
/// std::fs::write(&path, "")?;
/// assert_eq!(checksum::of_file(&path, Algorithm::Md5)?, checksum::of_bytes(Algorithm::Md5, b""));
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub fn of_file(path: impl AsRef<Path>, algorithm: Algorithm) -> Result<Digest> {
    ChecksumCalculator::calculate_checksum(path, algorithm, None)
}

/// All digests of what a stream still holds, in one pass and bounded memory.
///
/// # Errors
/// What the reader says (an error of this crate that it carries comes back as it is), and `cancelled`.
///
/// ```
/// use electrus::{checksum::{self, Algorithm}, progress::Progress};
///
/// let summed = checksum::of_reader(&mut std::io::empty(), &[Algorithm::Md5], &Progress::new())?;
/// assert_eq!(summed.digests[0].hex(), "d41d8cd98f00b204e9800998ecf8427e");
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub fn of_reader(reader: &mut dyn Read, algorithms: &[Algorithm], progress: &Progress) -> Result<Summed> {
    sum(reader, algorithms, Blocks::default(), progress)
}

/// All digests of a resolved file in one pass. Anything but a regular file is `not_a_file`.
///
/// # Errors
/// `not_a_file`, `cancelled`, and what the system says: `not_found`, `permission_denied`, `io`.
///
/// ```
/// use electrus::{checksum::{self, Algorithm}, path::Location, progress::Progress};
///
/// # let folder = tempfile::tempdir()?;
/// # std::fs::write(folder.path().join("data"), "hello")?;
/// let file = Location::ordinary(folder.path().join("data"))?;
/// assert_eq!(checksum::of_location(&file, &[Algorithm::Blake3], &Progress::new())?.size, 5);
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub fn of_location(location: &Location, algorithms: &[Algorithm], progress: &Progress) -> Result<Summed> {
    of_location_by(location, algorithms, None, progress)
}

/// The same, reading so many bytes at a time (see [`ChecksumCalculator::calculate_checksum`]).
pub(crate) fn of_location_by(
    location: &Location,
    algorithms: &[Algorithm],
    chunk_size: Option<usize>,
    progress: &Progress,
) -> Result<Summed> {
    let blocks = Blocks::chosen(chunk_size)?;
    let mut file = open_regular(location.dir(), location.name()).map_err(|e| e.at(location.path()))?;
    sum(&mut file, algorithms, blocks, progress).map_err(|e| e.at(location.path()))
}

fn sum(reader: &mut dyn Read, algorithms: &[Algorithm], blocks: Blocks, progress: &Progress) -> Result<Summed> {
    let mut hasher = Hasher::new(algorithms);
    let size = stream::feed(reader, &mut hasher, blocks, progress)?;
    Ok(Summed { size, digests: hasher.finish() })
}

/// Opens a regular file without ever waiting for one that is not (a FIFO without a writer, a tape).
pub(crate) fn open_regular(dir: &Dir, name: &OsStr) -> Result<File> {
    check_regular(dir.stat(name)?.kind)?;
    let file = dir.open_read(name)?;
    check_regular(sys::stat_file(&file)?.kind)?; // it may have been swapped since
    Ok(file)
}

fn check_regular(kind: FileKind) -> Result<()> {
    if kind == FileKind::File { Ok(()) } else { Err(Error::new(Code::NotAFile)) }
}
