//! Open folders and files by descriptor: what Unix and WASI share.

use super::{Entry, FileKind, Stat};
use crate::error::Code;
use crate::time::Timestamp;
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

#[cfg(unix)]
use std::os::unix::ffi::{OsStrExt, OsStringExt};
#[cfg(target_os = "wasi")]
use std::os::wasi::ffi::{OsStrExt, OsStringExt};

/// An open folder.
#[derive(Debug)]
pub struct Dir(OwnedFd);

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const PLAIN: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

impl Dir {
    /// Opens a folder by an ordinary path; symbolic links are followed.
    pub fn open(path: &Path) -> io::Result<Dir> {
        Ok(Dir(fs::open(path, FOLDER, Mode::empty())?))
    }

    /// Opens a folder in this one.
    pub fn open_dir(&self, name: &OsStr) -> io::Result<Dir> {
        Ok(Dir(fs::openat(&self.0, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?))
    }

    /// Creates a folder; the process's umask applies.
    pub fn create_dir(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        Ok(fs::mkdirat(&self.0, name, Mode::from_raw_mode(mode as _))?)
    }

    /// What stands under a name, the link itself if it is one.
    pub fn stat(&self, name: &OsStr) -> io::Result<Stat> {
        Ok(stat_of(&fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// What this folder is.
    pub fn stat_self(&self) -> io::Result<Stat> {
        Ok(stat_of(&fs::fstat(&self.0)?))
    }

    /// Where a symbolic link points.
    pub fn read_link(&self, name: &OsStr) -> io::Result<OsString> {
        Ok(OsString::from_vec(fs::readlinkat(&self.0, name, Vec::new())?.into_bytes()))
    }

    /// Opens for reading. Never waits for a FIFO's writer: check the kind of what was opened.
    pub fn open_read(&self, name: &OsStr) -> io::Result<File> {
        Ok(fs::openat(&self.0, name, PLAIN | OFlags::RDONLY, Mode::empty())?.into())
    }

    /// Opens an existing file for reading and writing.
    pub fn open_write(&self, name: &OsStr) -> io::Result<File> {
        Ok(fs::openat(&self.0, name, PLAIN | OFlags::RDWR, Mode::empty())?.into())
    }

    /// Opens for reading and writing, creating it if it is not there (the umask applies to `mode`).
    pub fn open_or_create(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let flags = PLAIN | OFlags::RDWR | OFlags::CREATE;
        Ok(fs::openat(&self.0, name, flags, Mode::from_raw_mode(mode as _))?.into())
    }

    /// Creates a file that must not exist, for reading and writing (the umask applies to `mode`).
    pub fn create_new(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let flags = PLAIN | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        Ok(fs::openat(&self.0, name, flags, Mode::from_raw_mode(mode as _))?.into())
    }

    /// Renames, replacing what stands under `to`.
    pub fn rename(&self, from: &OsStr, to_dir: &Dir, to: &OsStr) -> io::Result<()> {
        Ok(fs::renameat(&self.0, from, &to_dir.0, to)?)
    }

    /// A second name for a file; fails if `to` exists.
    pub fn link(&self, from: &OsStr, to_dir: &Dir, to: &OsStr) -> io::Result<()> {
        Ok(fs::linkat(&self.0, from, &to_dir.0, to, AtFlags::empty())?)
    }

    /// Creates a symbolic link.
    pub fn symlink(&self, target: &OsStr, name: &OsStr) -> io::Result<()> {
        Ok(fs::symlinkat(target, &self.0, name)?)
    }

    /// Removes a file or a link.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes an empty folder.
    pub fn remove_dir(&self, name: &OsStr) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// All names in it but `.` and `..`, in no order.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                entries.push(Entry { name: name.to_owned(), kind: kind_of(entry.file_type()) });
            }
        }
        Ok(entries)
    }

    /// As [`Dir::entries`], with fewer calls, of a folder that was opened just now and is listed only once.
    #[cfg(target_os = "linux")]
    pub fn entries_once(&self) -> io::Result<Vec<Entry>> {
        let mut buffer = Vec::with_capacity(32 << 10);
        let mut listing = fs::RawDir::new(&self.0, buffer.spare_capacity_mut());
        let mut entries = Vec::new();
        while let Some(entry) = listing.next() {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                entries.push(Entry { name: name.to_owned(), kind: kind_of(entry.file_type()) });
            }
        }
        Ok(entries)
    }

    /// As [`Dir::entries`].
    #[cfg(not(target_os = "linux"))]
    pub fn entries_once(&self) -> io::Result<Vec<Entry>> {
        self.entries()
    }

    /// Makes the names in this folder durable. `false`: the platform or the file system cannot.
    pub fn sync(&self) -> io::Result<bool> {
        match super::sync_fd(self.0.as_fd()) {
            Ok(()) => Ok(true),
            // EINVAL: network file systems (SMB) that flush no folders.
            Err(e) if matches!(Errno::from_io_error(&e), Some(Errno::INVAL | Errno::NOTSUP)) => Ok(false),
            // EBADF: wasmtime opens folders without the right to sync them.
            Err(e) if cfg!(target_os = "wasi") && Errno::from_io_error(&e) == Some(Errno::BADF) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// A second handle to the same folder.
    pub fn try_clone(&self) -> io::Result<Dir> {
        Ok(Dir(self.0.try_clone()?))
    }

    #[cfg_attr(target_os = "wasi", allow(dead_code))]
    pub(super) fn from_fd(fd: OwnedFd) -> Dir {
        Dir(fd)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What an open file is.
pub fn stat_file(file: &File) -> io::Result<Stat> {
    Ok(stat_of(&fs::fstat(file)?))
}

/// What tells one file from all others: device and inode.
pub fn identity(_dir: &Dir, _name: &OsStr, stat: &Stat) -> (u64, u64) {
    (stat.device, stat.inode)
}

// The fields' types differ between platforms.
#[allow(clippy::unnecessary_cast)]
fn stat_of(stat: &fs::Stat) -> Stat {
    Stat {
        kind: kind_of(fs::FileType::from_raw_mode(stat.st_mode as _)),
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
        links: stat.st_nlink as u64,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mode: (stat.st_mode as u32) & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        modified: modified_of(stat),
        changed: changed_of(stat),
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_cast)] // as above
fn modified_of(stat: &fs::Stat) -> Timestamp {
    Timestamp { seconds: stat.st_mtime as i64, nanos: stat.st_mtime_nsec as u32 }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_cast)] // as above
fn changed_of(stat: &fs::Stat) -> Timestamp {
    Timestamp { seconds: stat.st_ctime as i64, nanos: stat.st_ctime_nsec as u32 }
}

#[cfg(target_os = "wasi")]
fn modified_of(stat: &fs::Stat) -> Timestamp {
    Timestamp { seconds: stat.st_mtim.tv_sec, nanos: stat.st_mtim.tv_nsec as u32 }
}

#[cfg(target_os = "wasi")]
fn changed_of(stat: &fs::Stat) -> Timestamp {
    Timestamp { seconds: stat.st_ctim.tv_sec, nanos: stat.st_ctim.tv_nsec as u32 }
}

fn kind_of(kind: fs::FileType) -> FileKind {
    match kind {
        fs::FileType::RegularFile => FileKind::File,
        fs::FileType::Directory => FileKind::Folder,
        fs::FileType::Symlink => FileKind::Symlink,
        #[cfg(unix)]
        fs::FileType::Fifo => FileKind::Fifo,
        #[cfg(unix)]
        fs::FileType::Socket => FileKind::Socket,
        fs::FileType::CharacterDevice | fs::FileType::BlockDevice => FileKind::Device,
        _ => FileKind::Unknown,
    }
}

/// Sorts an errno that the standard library's kinds do not tell apart.
pub fn classify_os(errno: i32) -> Option<Code> {
    Some(match Errno::from_raw_os_error(errno) {
        Errno::LOOP => Code::SymlinkLoop,
        Errno::NAMETOOLONG | Errno::ILSEQ => Code::InvalidName,
        Errno::ISDIR => Code::NotAFile,
        Errno::NOTDIR => Code::NotADirectory,
        Errno::XDEV => Code::CrossDevice,
        Errno::PERM | Errno::ACCESS => Code::PermissionDenied,
        #[cfg(target_os = "wasi")]
        Errno::NOTCAPABLE => Code::PathEscape,
        Errno::ROFS => Code::ReadOnly,
        Errno::NOSPC | Errno::DQUOT => Code::NoSpace,
        Errno::MFILE | Errno::NFILE => Code::TooManyOpenFiles,
        Errno::NOMEM => Code::OutOfMemory,
        Errno::FBIG => Code::TooLarge,
        // NOLCK: a file system without locks.
        Errno::NOTSUP | Errno::NOSYS | Errno::NOLCK => Code::Unsupported,
        _ => return None,
    })
}

/// Whether an error says that the file system, or this user, cannot do that at all: whoever can do without goes on.
pub fn is_impossible(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::PERM | Errno::NOTSUP | Errno::NOSYS))
        || error.kind() == io::ErrorKind::Unsupported
}

/// Reads at an offset until the buffer is full or the file ends; gives the number of bytes.
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match rustix::io::pread(file, &mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(done)
}

/// Writes all of it at an offset.
pub fn write_at(file: &File, mut data: &[u8], mut offset: u64) -> io::Result<()> {
    while !data.is_empty() {
        match rustix::io::pwrite(file, data, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                data = &data[count..];
                offset += count as u64;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}
