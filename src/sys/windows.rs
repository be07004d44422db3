//! The contract of `posix.rs` on Windows paths. Weaker than descriptors: a folder that is renamed while it is open is
//! not followed.

use super::{Entry, FileKind, Stat};
use crate::error::Code;
use crate::time::Timestamp;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const OPEN_REPARSE_POINT: u32 = 0x0020_0000;
const SHARE_ALL: u32 = 7;

/// An open folder.
#[derive(Debug)]
pub struct Dir(PathBuf);

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).share_mode(SHARE_ALL).custom_flags(OPEN_REPARSE_POINT);
    options
}

impl Dir {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub fn open(path: &Path) -> io::Result<Dir> {
        let path = fs::canonicalize(path)?;
        if path.is_dir() { Ok(Dir(path)) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    pub fn open_dir(&self, name: &OsStr) -> io::Result<Dir> {
        if self.stat(name)?.kind == FileKind::Folder {
            Ok(Dir(self.0.join(name)))
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    pub fn open_beneath(&self, _path: &Path) -> io::Result<Dir> {
        unsupported()
    }

    pub fn create_dir(&self, name: &OsStr, _mode: u32) -> io::Result<()> {
        fs::create_dir(self.0.join(name))
    }

    pub fn stat(&self, name: &OsStr) -> io::Result<Stat> {
        fs::symlink_metadata(self.0.join(name)).map(|m| stat_of(&m))
    }

    pub fn stat_self(&self) -> io::Result<Stat> {
        fs::metadata(&self.0).map(|m| stat_of(&m))
    }

    pub fn read_link(&self, name: &OsStr) -> io::Result<OsString> {
        fs::read_link(self.0.join(name)).map(PathBuf::into_os_string)
    }

    pub fn open_read(&self, name: &OsStr) -> io::Result<File> {
        options().open(self.0.join(name))
    }

    pub fn open_attributes(&self, name: &OsStr) -> io::Result<File> {
        self.open_read(name)
    }

    pub fn open_write(&self, name: &OsStr) -> io::Result<File> {
        options().write(true).open(self.0.join(name))
    }

    pub fn open_or_create(&self, name: &OsStr, _mode: u32) -> io::Result<File> {
        options().write(true).create(true).truncate(false).open(self.0.join(name))
    }

    pub fn create_new(&self, name: &OsStr, _mode: u32) -> io::Result<File> {
        options().write(true).create_new(true).open(self.0.join(name))
    }

    pub fn rename(&self, from: &OsStr, to_dir: &Dir, to: &OsStr) -> io::Result<()> {
        fs::rename(self.0.join(from), to_dir.0.join(to))
    }

    pub fn rename_noreplace(&self, _: &OsStr, _: &Dir, _: &OsStr) -> io::Result<()> {
        unsupported()
    }

    pub fn exchange(&self, _: &OsStr, _: &Dir, _: &OsStr) -> io::Result<()> {
        unsupported()
    }

    pub fn link(&self, from: &OsStr, to_dir: &Dir, to: &OsStr) -> io::Result<()> {
        fs::hard_link(self.0.join(from), to_dir.0.join(to))
    }

    pub fn symlink(&self, target: &OsStr, name: &OsStr) -> io::Result<()> {
        std::os::windows::fs::symlink_file(target, self.0.join(name))
    }

    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    pub fn remove_dir(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }

    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        fs::read_dir(&self.0)?
            .map(|entry| {
                let entry = entry?;
                Ok(Entry {
                    name: entry.file_name(),
                    kind: entry.metadata().map_or(FileKind::Unknown, |m| stat_of(&m).kind),
                })
            })
            .collect()
    }

    pub fn entries_once(&self) -> io::Result<Vec<Entry>> {
        self.entries()
    }

    /// NTFS journals its names; a folder cannot be flushed.
    pub fn sync(&self) -> io::Result<bool> {
        Ok(false)
    }

    pub fn try_clone(&self) -> io::Result<Dir> {
        Ok(Dir(self.0.clone()))
    }
}

pub fn stat_file(file: &File) -> io::Result<Stat> {
    file.metadata().map(|m| stat_of(&m))
}

fn stat_of(meta: &fs::Metadata) -> Stat {
    let modified = meta.modified().map(Timestamp::from).unwrap_or_default();
    let kind = if meta.is_symlink() {
        FileKind::Symlink
    } else if meta.is_dir() {
        FileKind::Folder
    } else {
        FileKind::File
    };
    Stat {
        kind,
        device: 0,
        inode: 0,
        links: 1,
        size: meta.len(),
        mode: 0o644,
        uid: 0,
        gid: 0,
        modified,
        changed: modified,
    }
}

pub fn sync_file(file: &File) -> io::Result<()> {
    file.sync_all()
}

pub fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()
}

pub fn sync_file_system(_dir: &Dir) -> io::Result<()> {
    unsupported()
}

pub fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

pub fn keep_attributes(_from: &File, _to: &File, _mode: Option<u32>) -> io::Result<()> {
    Ok(())
}

pub fn start_writeback(_file: &File, _from: u64, _to: u64) -> io::Result<()> {
    Ok(())
}

pub fn flush_by_close(_file: &File) -> io::Result<()> {
    Ok(())
}

pub fn classify_os(_code: i32) -> Option<Code> {
    None
}

pub fn is_impossible(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied)
}

pub fn set_dir_mode(_parent: &Dir, _name: &OsStr, _mode: u32) -> io::Result<()> {
    Ok(())
}

pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::os::windows::fs::FileExt;
    let mut done = 0;
    while done < buffer.len() {
        match file.seek_read(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

pub fn write_at(file: &File, mut data: &[u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !data.is_empty() {
        match file.seek_write(data, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                data = &data[count..];
                offset += count as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

pub fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Whether [`sync_file_system`] works.
pub fn flushes_file_systems() -> bool {
    false
}

/// How many files this process may have open: not known, so few.
pub fn open_file_limit() -> u64 {
    512
}

pub fn set_owner(_file: &File, _uid: u32, _gid: u32) -> io::Result<()> {
    unsupported()
}

pub fn inheritable(_file: &File) -> io::Result<(File, i32)> {
    unsupported()
}

pub fn adopt(_number: i32) -> io::Result<File> {
    unsupported()
}

/// What tells one file from all others. Stable Rust does not show NTFS's file numbers: the path has to do.
pub fn identity(dir: &Dir, name: &OsStr, _stat: &Stat) -> (u64, u64) {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    dir.0.join(name).hash(&mut hasher);
    (0, hasher.finish())
}

/// Nothing forks here.
pub fn process_generation() -> u64 {
    0
}

pub fn process_id() -> Option<u32> {
    Some(std::process::id())
}
