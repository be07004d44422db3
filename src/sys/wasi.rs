//! The little of Unix that a WASI sandbox has.

use super::Dir;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Dir {
    pub fn open_beneath(&self, _path: &Path) -> io::Result<Dir> {
        unsupported()
    }

    pub fn open_attributes(&self, name: &OsStr) -> io::Result<File> {
        self.open_read(name)
    }

    pub fn rename_noreplace(&self, _: &OsStr, _: &Dir, _: &OsStr) -> io::Result<()> {
        unsupported()
    }

    pub fn exchange(&self, _: &OsStr, _: &Dir, _: &OsStr) -> io::Result<()> {
        unsupported()
    }
}

pub fn sync_file(file: &File) -> io::Result<()> {
    sync_fd(file.as_fd())
}

pub fn sync_data(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fdatasync(file)?)
}

pub(super) fn sync_fd(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::fs::fsync(fd)?)
}

pub fn sync_file_system(_dir: &Dir) -> io::Result<()> {
    unsupported()
}

/// A sandbox has no permission bits.
pub fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

pub fn set_dir_mode(_parent: &Dir, _name: &OsStr, _mode: u32) -> io::Result<()> {
    Ok(())
}

pub fn host_name() -> String {
    "wasi".to_owned()
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

/// Nothing forks here.
pub fn process_generation() -> u64 {
    0
}

pub fn process_id() -> Option<u32> {
    None
}
