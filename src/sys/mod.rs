//! The only place that knows which platform this is.
//!
//! [`Dir`] is an open folder; every name given to it is *one* component of a path and is never followed when it is a
//! symbolic link. Platforms differ in strength, never in signature:
//! - `posix.rs`: what Unix and WASI share (descriptors, `*at` calls).
//! - `unix.rs`: modes, `openat2`, flushing; `attributes.rs`: what a replaced file hands on; `wasi.rs`: the little that a sandbox has of that.
//! - `properties.rs`: what a restored file is given back.
//! - `windows.rs`: the same contract on paths (compiled, not yet exercised).
//! - `linux_sharing.rs` / `other_sharing.rs`: what processes can learn of each other's locks.
//! - `native_locks.rs` / `process_locks.rs`: advisory locks of the operating system, or of this process alone.

use crate::error::Code;
use crate::time::Timestamp;
use std::ffi::OsString;
use std::io;

#[cfg(any(unix, target_os = "wasi"))]
mod posix;
#[cfg(any(unix, target_os = "wasi"))]
pub use posix::*;

#[cfg(any(unix, target_os = "wasi"))]
mod properties;
#[cfg(any(unix, target_os = "wasi"))]
pub use properties::*;

#[cfg(unix)]
mod attributes;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use attributes::*;
#[cfg(unix)]
pub use unix::*;

#[cfg(target_os = "wasi")]
mod wasi;
#[cfg(target_os = "wasi")]
pub use wasi::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::*;
#[cfg(windows)]
mod windows_properties;
#[cfg(windows)]
pub use windows_properties::*;

#[cfg(not(any(feature = "process-locks", target_os = "wasi")))]
#[path = "native_locks.rs"]
pub mod locks;

#[cfg(any(feature = "process-locks", target_os = "wasi"))]
#[path = "process_locks.rs"]
pub mod locks;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[path = "linux_sharing.rs"]
pub mod sharing;

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
#[path = "other_sharing.rs"]
pub mod sharing;

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    File,
    Folder,
    Symlink,
    Fifo,
    Socket,
    Device,
    Unknown,
}

/// What the file system says about a file. Fields that a platform lacks are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub kind: FileKind,
    pub device: u64,
    pub inode: u64,
    pub links: u64,
    pub size: u64,
    /// Permission bits only (`0o7777`).
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub modified: Timestamp,
    pub changed: Timestamp,
}

impl Stat {
    /// Whether both are the same file (not merely equal ones).
    pub fn same_file(&self, other: &Stat) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// One name in a folder.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: OsString,
    /// [`FileKind::Unknown`] where the folder does not say.
    pub kind: FileKind,
}

/// The code for an operating system's error.
pub fn classify(error: &io::Error) -> Code {
    if let Some(code) = error.raw_os_error().and_then(classify_os) {
        return code;
    }
    match error.kind() {
        io::ErrorKind::NotFound => Code::NotFound,
        io::ErrorKind::AlreadyExists => Code::AlreadyExists,
        io::ErrorKind::PermissionDenied => Code::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem => Code::ReadOnly,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::NoSpace,
        io::ErrorKind::OutOfMemory => Code::OutOfMemory,
        io::ErrorKind::CrossesDevices => Code::CrossDevice,
        io::ErrorKind::IsADirectory => Code::NotAFile,
        io::ErrorKind::NotADirectory => Code::NotADirectory,
        io::ErrorKind::InvalidFilename => Code::InvalidName,
        io::ErrorKind::FileTooLarge => Code::TooLarge,
        io::ErrorKind::Unsupported => Code::Unsupported,
        _ => Code::Io,
    }
}

/// An open file and the lock on it; dropping it gives the lock back, but not in a child that was forked meanwhile: the
/// open file, and with it the lock, is the parent's.
#[derive(Debug)]
pub struct Locked(std::fs::File, u64);

impl Locked {
    /// Waits for the lock.
    pub fn wait(file: std::fs::File, exclusive: bool) -> io::Result<Locked> {
        locks::lock(&file, exclusive)?;
        Ok(Locked(file, process_generation()))
    }

    /// Takes the lock if it is free now; gives the file back if not.
    pub fn attempt(file: std::fs::File, exclusive: bool) -> io::Result<Result<Locked, std::fs::File>> {
        Ok(if locks::try_lock(&file, exclusive)? { Ok(Locked(file, process_generation())) } else { Err(file) })
    }

    /// The file that is locked.
    pub fn file(&self) -> &std::fs::File {
        &self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if self.1 == process_generation() {
            let _ = locks::unlock(&self.0); // closing the descriptor is the second chance
        }
    }
}
