//! Reading files and versions. One descriptor on a file that is replaced atomically gives old or new, never a mix: no
//! lock is needed, and none is taken.

use super::AdvancedFileHandler;
use crate::checksum::{Algorithm, Digest, of_bytes};
use crate::error::{Code, Error, Result};
use crate::path::Follow;
use crate::store::{ContentReader, Which};
use crate::sys::{self, Stat};
use crate::workspace::{open_standing, unchanged};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Options of [`AdvancedFileHandler::secure_read`].
///
/// ```
/// use electrus::handler::{AdvancedFileHandler, ReadOptions};
/// use electrus::{store::Which, workspace::{ChangeOptions, OpenOptions, Source}};
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// handler.secure_write("a", Source::Bytes(b"one"), ChangeOptions::default())?;
/// handler.secure_write("a", Source::Bytes(b"two"), ChangeOptions::default())?;
/// let first = ReadOptions { version: Some(Which::Number(1)), ..ReadOptions::default() };
/// assert_eq!(handler.secure_read("a", &first)?.content, b"one");
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// A version in place of the file as it is.
    pub version: Option<Which>,
    /// Fail with `checksum_mismatch` unless the content has this checksum.
    pub expected: Option<Digest>,
    /// The digest in the result (that of `expected`, or sha256, unless given).
    pub algorithm: Option<Algorithm>,
}

/// What was read.
///
/// ```
/// use electrus::handler::{AdvancedFileHandler, ReadOptions};
/// use electrus::workspace::OpenOptions;
///
/// # let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("a"), "text")?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// let read = handler.secure_read("a", &ReadOptions::default())?;
/// println!("{}: {} bytes, sha256 {}", read.path.display(), read.content.len(), read.checksum);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReadResult {
    /// The full path.
    pub path: PathBuf,
    /// The bytes.
    pub content: Vec<u8>,
    /// Their digest.
    pub checksum: Digest,
    /// The version that was read, if one was asked for.
    pub version: Option<u64>,
}

/// A stream from a file (one descriptor: old or new, never a mix) or from a version (verified as it is read).
///
/// ```
/// use electrus::{handler::AdvancedFileHandler, workspace::OpenOptions};
/// use std::io::Read;
///
/// # let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("a"), "text")?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// let (mut stream, size) = handler.open_stream("a", None)?;
/// let mut start = [0; 2];
/// stream.read_exact(&mut start)?;
/// assert_eq!((size, &start), (4, b"te"));
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub enum Stream {
    /// The file as it is.
    File(File),
    /// A version.
    Version(ContentReader),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::File(file) => file.read(buffer),
            Stream::Version(reader) => reader.read(buffer),
        }
    }
}

impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Stream::File(file) => file.seek(to),
            Stream::Version(reader) => reader.seek(to),
        }
    }
}

impl AdvancedFileHandler {
    /// Reads a whole file or version into memory.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve); `not_found`, `not_a_file`, `version_not_found`,
    /// `number_conflict`, `checksum_mismatch`, `damaged`, `too_large` and `out_of_memory` for what memory cannot
    /// hold, `permission_denied`, `io`.
    ///
    /// ```
    /// use electrus::handler::AdvancedFileHandler;
    /// use electrus::handler::ReadOptions;
    /// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
    /// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
    /// let read = handler.secure_read("a", &ReadOptions::default())?;
    /// assert_eq!((read.content, read.version), (b"text".to_vec(), None));
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn secure_read(&self, name: impl AsRef<Path>, options: &ReadOptions) -> Result<ReadResult> {
        let (path, version, mut stream, size) = self.find(name.as_ref(), options.version.as_ref())?;
        let content = read_all(&mut stream, size).map_err(|e| e.at(&path))?;
        if let Some(expected) = &options.expected
            && of_bytes(expected.algorithm(), &content) != *expected
        {
            return Err(Error::new(Code::ChecksumMismatch).at(path));
        }
        let expected = options.expected.as_ref().map(Digest::algorithm);
        let algorithm = options.algorithm.or(expected).unwrap_or_default();
        let checksum = of_bytes(algorithm, &content);
        Ok(ReadResult { path, content, checksum, version })
    }

    /// Opens a file or version for streaming, with its size.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve); `not_found`, `not_a_file`, `version_not_found`,
    /// `number_conflict`, `damaged`, `permission_denied`, `io`.
    pub fn open_stream(&self, name: impl AsRef<Path>, version: Option<&Which>) -> Result<(Stream, u64)> {
        let (_, _, stream, size) = self.find(name.as_ref(), version)?;
        Ok((stream, size))
    }

    /// The full path, the number of the version that was asked for, the stream and its size.
    pub(crate) fn find(&self, name: &Path, which: Option<&Which>) -> Result<(PathBuf, Option<u64>, Stream, u64)> {
        if let Some(which) = which {
            let (version, reader) = self.versions().open_version(name, which)?;
            let path = self.workspace().base().path().join(version.key.to_path());
            let size = reader.size();
            return Ok((path, Some(version.number), Stream::Version(reader), size));
        }
        let location = self.workspace().base().resolve(name, Follow::Whole)?;
        match open_standing(&location)? {
            Some((file, stat)) => Ok((location.path().to_owned(), None, Stream::File(file), stat.size)),
            None => Err(Error::new(Code::NotFound).at(location.path())),
        }
    }
}

/// Reads to the end; the size is a hint that may be wrong, or more than there is memory for.
pub(crate) fn read_all(stream: &mut Stream, size: u64) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let size = usize::try_from(size).map_err(|_| Error::new(Code::TooLarge))?;
    content.try_reserve_exact(size.saturating_add(1)).map_err(|_| Error::new(Code::OutOfMemory))?;
    stream.read_to_end(&mut content)?;
    Ok(content)
}

/// A file that must not change while it is read: its end is an error if it did.
pub(super) struct Steady {
    file: File,
    before: Stat,
}

impl Steady {
    pub(super) fn new(file: File, before: Stat) -> Steady {
        Steady { file, before }
    }
}

impl Read for Steady {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if read == 0 && !buffer.is_empty() && !unchanged(&self.before, &sys::stat_file(&self.file)?) {
            return Err(Error::new(Code::ChangedWhileRead).into());
        }
        Ok(read)
    }
}
