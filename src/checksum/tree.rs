//! Checksums of every file below a folder, on all cores.

use super::stream::Blocks;
use super::{Algorithm, Summed, open_regular, parallel, sum};
use crate::error::{Code, Error, IoContext, Result};
use crate::progress::Progress;
use crate::sys::Dir;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use walkdir::WalkDir;

/// One file of a tree, or one place in it that could not be read.
///
/// ```
/// use electrus::{checksum::{Algorithm, tree}, progress::Progress};
///
/// # let folder = tempfile::tempdir()?;
/// # std::fs::write(folder.path().join("a"), "hello")?;
/// for entry in tree(folder.path(), &[Algorithm::Sha256], &Progress::new())? {
///     match entry.result {
///         Ok(summed) => println!("{}  {}", summed.digests[0], entry.path.display()),
///         Err(error) => eprintln!("{error}"),
///     }
/// }
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Debug)]
pub struct TreeEntry {
    /// Its path from the tree's root.
    pub path: PathBuf,
    /// What it holds, or why that is not known.
    pub result: Result<Summed>,
}

/// Digests of every file below a folder: one entry for each, sorted by path component by component.
///
/// Symbolic links are neither followed nor listed. A file or folder that cannot be read, and a FIFO, socket or device, is an
/// entry with its error; the others are not affected.
///
/// # Errors
/// `cancelled`; of the folder itself: `not_found`, `not_a_directory`, `permission_denied`, `io`.
///
/// ```
/// use electrus::{checksum::{Algorithm, tree}, progress::Progress};
///
/// # let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("a"), "hello")?;
/// let entries = tree(folder.path(), &[Algorithm::Sha256], &Progress::new())?;
/// assert_eq!(entries[0].path.to_str(), Some("a"));
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub fn tree(root: impl AsRef<Path>, algorithms: &[Algorithm], progress: &Progress) -> Result<Vec<TreeEntry>> {
    let root = root.as_ref();
    let dir = Dir::open(root).at(root)?;
    let mut found = list(root, progress)?;
    let cursor = || Cursor { root: &dir, folder: None };
    parallel::for_each_with(found.iter_mut(), cursor, |cursor, slot| slot.fill(cursor, root, algorithms, progress));
    progress.check()?;
    Ok(found.into_iter().map(Slot::into_entry).collect())
}

/// An entry whose result is not there yet.
struct Slot {
    path: PathBuf,
    result: Option<Result<Summed>>,
}

impl Slot {
    fn fill(&mut self, cursor: &mut Cursor<'_>, root: &Path, algorithms: &[Algorithm], progress: &Progress) {
        if self.result.is_none() && !progress.is_cancelled() {
            let result = cursor
                .open(&self.path)
                .and_then(|mut file| sum(&mut file, algorithms, Blocks::one_of_many(), progress));
            self.result = Some(result.map_err(|e| e.at(root.join(&self.path))));
            progress.advance(1, 0);
        }
    }

    fn into_entry(self) -> TreeEntry {
        TreeEntry { path: self.path, result: self.result.unwrap_or_else(|| Err(Error::new(Code::Cancelled))) }
    }
}

fn list(root: &Path, progress: &Progress) -> Result<Vec<Slot>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(root).min_depth(1).follow_root_links(true).sort_by_file_name() {
        progress.check()?;
        let slot = match entry {
            Ok(entry) if entry.file_type().is_dir() || entry.file_type().is_symlink() => continue,
            Ok(entry) => {
                progress.expect(1, entry.metadata().map_or(0, |m| m.len()));
                Slot { path: beneath(root, entry.path()), result: None }
            }
            Err(error) => {
                Slot { path: beneath(root, error.path().unwrap_or(root)), result: Some(Err(walk_error(error))) }
            }
        };
        found.push(slot);
    }
    Ok(found)
}

fn beneath(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

fn walk_error(error: walkdir::Error) -> Error {
    let path = error.path().map(Path::to_owned);
    let error = error.into_io_error().map_or_else(|| Error::new(Code::SymlinkLoop), Error::from);
    match path {
        Some(path) => error.at(path),
        None => error,
    }
}

/// Opens files beneath the root; neighbours share their open folder.
struct Cursor<'a> {
    root: &'a Dir,
    folder: Option<(PathBuf, Dir)>,
}

impl Cursor<'_> {
    /// Opens a regular file. A link that took some folder's place since it was listed is not followed.
    fn open(&mut self, path: &Path) -> Result<File> {
        let name = path.file_name().ok_or_else(|| Error::new(Code::NotAFile))?;
        let parent = path.parent().unwrap_or(Path::new(""));
        if parent.as_os_str().is_empty() {
            return open_regular(self.root, name);
        }
        if self.folder.as_ref().is_none_or(|(open, _)| open != parent) {
            self.folder = Some((parent.to_owned(), folder_beneath(self.root, parent)?));
        }
        let (_, folder) = self.folder.as_ref().ok_or_else(|| Error::new(Code::Internal))?;
        open_regular(folder, name)
    }
}

fn folder_beneath(root: &Dir, path: &Path) -> io::Result<Dir> {
    match root.open_beneath(path) {
        Err(e) if e.kind() == io::ErrorKind::Unsupported => {}
        answer => return answer,
    }
    let mut dir = root.try_clone()?;
    for part in path.components() {
        if let Component::Normal(name) = part {
            dir = dir.open_dir(name)?;
        }
    }
    Ok(dir)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::checksum::of_bytes;
    use std::fs;

    #[test]
    fn a_tree_has_every_file_in_order_and_errors_stay_with_their_file() {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir_all(tmp.path().join("b/deep")).unwrap();
        fs::create_dir(tmp.path().join("empty")).unwrap();
        for name in ["a", "b/deep/2", "b/deep/10", "b-", "c"] {
            fs::write(tmp.path().join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("a", tmp.path().join("link")).unwrap();
        std::os::unix::fs::symlink(".", tmp.path().join("b/round")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(tmp.path().join("fifo")).status().unwrap().success());

        let progress = Progress::new();
        let entries = tree(tmp.path(), &[Algorithm::Sha256, Algorithm::Md5], &progress).unwrap();
        let names: Vec<&str> = entries.iter().map(|e| e.path.to_str().unwrap()).collect();
        assert_eq!(names, ["a", "b/deep/10", "b/deep/2", "b-", "c", "fifo"]);
        for entry in &entries[..5] {
            let content = entry.path.to_str().unwrap().as_bytes();
            let summed = entry.result.as_ref().unwrap();
            assert_eq!(summed.size, content.len() as u64);
            assert_eq!(summed.digests, [Algorithm::Sha256, Algorithm::Md5].map(|a| of_bytes(a, content)));
        }
        let error = entries[5].result.as_ref().unwrap_err();
        assert_eq!(error.code(), Code::NotAFile);
        assert_eq!(error.path(), Some(tmp.path().join("fifo").as_path()));
        let counts = progress.counts();
        assert_eq!((counts.files_done, counts.files_total), (6, 6));
        assert_eq!((counts.bytes_done, counts.bytes_total), (21, 21));
    }

    #[test]
    fn a_folder_that_is_not_there_or_a_cancelled_tree_is_an_error() {
        let tmp = tempfile::tempdir().unwrap();
        fs::write(tmp.path().join("a"), "").unwrap();
        let missing = tree(tmp.path().join("x"), &[Algorithm::Md5], &Progress::new());
        assert_eq!(missing.unwrap_err().code(), Code::NotFound);
        let file = tree(tmp.path().join("a"), &[Algorithm::Md5], &Progress::new());
        assert_eq!(file.unwrap_err().code(), Code::NotADirectory);
        let progress = Progress::new();
        progress.cancel();
        assert_eq!(tree(tmp.path(), &[Algorithm::Md5], &progress).unwrap_err().code(), Code::Cancelled);
    }
}
