//! `ChecksumCalculator`: checksums of files by ordinary paths.

use super::stream::Blocks;
use super::{Algorithm, Digest, Summed, open_regular, sum};
use crate::error::{Code, Error, Result};
use crate::path::Location;
use crate::progress::Progress;
use std::path::Path;

/// Checksums of files by ordinary paths. Stateless: every function may be called from any thread.
///
/// ```
/// use electrus::checksum::{Algorithm, ChecksumCalculator};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("greeting");
/// std::fs::write(&path, "hello world")?;
/// let digest = ChecksumCalculator::calculate_checksum(&path, Algorithm::Md5, None)?;
/// assert_eq!(digest.hex(), "5eb63bbbe01eeed093cb22bb8f5acdc3");
/// assert!(ChecksumCalculator::verify_integrity(&path, "5EB63BBBE01EEED093CB22BB8F5ACDC3", Algorithm::Md5)?);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ChecksumCalculator;

impl ChecksumCalculator {
    /// The digest of a file's content, symbolic links followed.
    ///
    /// `chunk_size` is how many bytes are read at a time (at most 64 MiB are): below 128 KiB with one buffer and no
    /// thread, else with four buffers of that size and reading ahead. `None` chooses well.
    ///
    /// # Errors
    /// `not_a_file` for anything but a regular file, `invalid_argument` for a chunk of 0 bytes, `invalid_name`,
    /// `symlink_loop`, and what the system says: `not_found`, `permission_denied`, `io`.
    pub fn calculate_checksum(
        path: impl AsRef<Path>,
        algorithm: Algorithm,
        chunk_size: Option<usize>,
    ) -> Result<Digest> {
        let summed = Self::calculate_checksums(path, &[algorithm], chunk_size, &Progress::new())?;
        summed.digests.into_iter().next().ok_or_else(|| Error::new(Code::Internal))
    }

    /// Several digests of a file's content in one pass over it, and its size. As
    /// [`calculate_checksum`](Self::calculate_checksum), with progress and cancel.
    ///
    /// # Errors
    /// Those of [`calculate_checksum`](Self::calculate_checksum), and `cancelled`.
    pub fn calculate_checksums(
        path: impl AsRef<Path>,
        algorithms: &[Algorithm],
        chunk_size: Option<usize>,
        progress: &Progress,
    ) -> Result<Summed> {
        let path = path.as_ref();
        let blocks = Blocks::chosen(chunk_size)?;
        let location = Location::ordinary(path)?;
        let mut file = open_regular(location.dir(), location.name()).map_err(|e| e.at(path))?;
        sum(&mut file, algorithms, blocks, progress).map_err(|e| e.at(path))
    }

    /// Whether a file's content has this checksum: hex in any case, with or without its algorithm before a colon
    /// (`sha256:…`, which then counts instead of `algorithm`).
    ///
    /// # Errors
    /// `invalid_argument` or `unknown_algorithm` for text that is no checksum, which is not a "no"; those of
    /// [`calculate_checksum`](Self::calculate_checksum).
    pub fn verify_integrity(path: impl AsRef<Path>, expected: &str, algorithm: Algorithm) -> Result<bool> {
        let expected = Digest::parse(expected, algorithm)?;
        Ok(Self::calculate_checksum(path, expected.algorithm(), None)? == expected)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn code(path: &Path) -> Code {
        ChecksumCalculator::calculate_checksum(path, Algorithm::Md5, None).unwrap_err().code()
    }

    #[test]
    fn what_is_not_a_regular_file_is_refused_without_waiting() {
        let tmp = tempfile::tempdir().unwrap();
        let fifo = tmp.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        std::os::unix::fs::symlink(&fifo, tmp.path().join("link")).unwrap();
        // Not by bind, whose addresses are shorter than many a path.
        let socket = rustix::fs::FileType::Socket;
        rustix::fs::mknodat(rustix::fs::CWD, tmp.path().join("socket"), socket, 0o600.into(), 0).unwrap();
        for path in [&fifo, &tmp.path().join("link"), &tmp.path().join("socket"), tmp.path()] {
            assert_eq!(code(path), Code::NotAFile, "{path:?}");
        }
        for path in ["/dev/null", "/", ".", ".."] {
            assert_eq!(code(Path::new(path)), Code::NotAFile, "{path}");
        }
        assert_eq!(code(&tmp.path().join("nothing")), Code::NotFound);
        assert_eq!(code(Path::new("")), Code::InvalidName);
    }

    #[test]
    fn an_error_names_the_path_that_was_given() {
        let error = ChecksumCalculator::calculate_checksum("no/such/file", Algorithm::Md5, None).unwrap_err();
        assert_eq!(error.path(), Some(Path::new("no/such/file")));
    }

    #[test]
    fn files_that_tell_no_size_are_read_to_their_end() {
        let summed =
            ChecksumCalculator::calculate_checksums("/proc/version", &[Algorithm::Sha256], None, &Progress::new());
        let content = std::fs::read("/proc/version").unwrap();
        let expected = crate::checksum::of_bytes(Algorithm::Sha256, &content);
        assert_eq!(summed.unwrap(), Summed { size: content.len() as u64, digests: vec![expected] });
    }

    #[test]
    fn what_is_no_checksum_is_an_error_and_not_a_no() {
        let tmp = tempfile::NamedTempFile::new().unwrap();
        let verify = |text: &str| ChecksumCalculator::verify_integrity(tmp.path(), text, Algorithm::Md5);
        assert!(verify("d41d8cd98f00b204e9800998ecf8427e").unwrap());
        assert!(verify("sha1:DA39A3EE5E6B4B0D3255BFEF95601890AFD80709").unwrap());
        assert!(!verify("d41d8cd98f00b204e9800998ecf8427f").unwrap());
        for text in ["", "xyz", "d41d", "d41d8cd98f00b204e9800998ecf8427", "é41d8cd98f00b204e9800998ecf8427e"] {
            assert_eq!(verify(text).unwrap_err().code(), Code::InvalidArgument, "{text}");
        }
        assert_eq!(verify("crc:00").unwrap_err().code(), Code::UnknownAlgorithm);
        let zero = ChecksumCalculator::calculate_checksum(tmp.path(), Algorithm::Md5, Some(0));
        assert_eq!(zero.unwrap_err().code(), Code::InvalidArgument);
    }
}
