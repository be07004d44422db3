//! What a restored file or folder is given back: owner, mode, times, extended attributes. By descriptor, never by path.

use super::Dir;
use crate::time::Timestamp;
use rustix::fs::{self, AtFlags, Timespec, Timestamps};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Something open that has properties.
#[derive(Clone, Copy, Debug)]
pub enum Open<'a> {
    File(&'a File),
    Folder(&'a Dir),
}

impl Open<'_> {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Open::File(file) => file.as_fd(),
            Open::Folder(dir) => dir.as_fd(),
        }
    }

    /// Sets the time of last modification; that of last access stays.
    pub fn set_modified(self, time: Timestamp) -> io::Result<()> {
        Ok(fs::futimens(self.fd(), &times(time))?)
    }

    /// Sets permission bits.
    #[cfg(unix)]
    pub fn set_mode(self, mode: u32) -> io::Result<()> {
        Ok(fs::fchmod(self.fd(), fs::Mode::from_raw_mode(mode as _))?)
    }

    /// Sets owner and group. Clears setuid and setgid: set the mode afterwards.
    #[cfg(unix)]
    pub fn set_owner(self, uid: u32, gid: u32) -> io::Result<()> {
        Ok(fs::fchown(self.fd(), Some(fs::Uid::from_raw(uid)), Some(fs::Gid::from_raw(gid)))?)
    }

    /// A sandbox has no permission bits.
    #[cfg(not(unix))]
    pub fn set_mode(self, _mode: u32) -> io::Result<()> {
        Ok(())
    }

    /// A sandbox has no owners.
    #[cfg(not(unix))]
    pub fn set_owner(self, _uid: u32, _gid: u32) -> io::Result<()> {
        Ok(())
    }

    /// Extended attributes of users and access control lists, by name. None where the file system has none.
    #[cfg(target_os = "linux")]
    pub fn attributes(self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        linux::attributes(self.fd())
    }

    /// Sets one of [`Open::attributes`].
    #[cfg(target_os = "linux")]
    pub fn set_attribute(self, name: &[u8], value: &[u8]) -> io::Result<()> {
        linux::set_attribute(self.fd(), name, value)
    }

    /// Not on this platform.
    #[cfg(not(target_os = "linux"))]
    pub fn attributes(self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        Ok(Vec::new())
    }

    /// Not on this platform.
    #[cfg(not(target_os = "linux"))]
    pub fn set_attribute(self, _name: &[u8], _value: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Dir {
    /// Sets the time of last modification of what stands under a name, the link itself if it is one.
    pub fn set_modified(&self, name: &OsStr, time: Timestamp) -> io::Result<()> {
        Ok(fs::utimensat(self.as_fd(), name, &times(time), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Sets owner and group of what stands under a name, the link itself if it is one.
    #[cfg(unix)]
    pub fn set_owner(&self, name: &OsStr, uid: u32, gid: u32) -> io::Result<()> {
        let (uid, gid) = (Some(fs::Uid::from_raw(uid)), Some(fs::Gid::from_raw(gid)));
        Ok(fs::chownat(self.as_fd(), name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// A sandbox has no owners.
    #[cfg(not(unix))]
    pub fn set_owner(&self, _name: &OsStr, _uid: u32, _gid: u32) -> io::Result<()> {
        Ok(())
    }
}

/// Whether this process may give files away.
pub fn may_set_owner() -> bool {
    cfg!(unix) && effective_user() == 0
}

/// Whose files this process creates.
pub fn effective_user() -> u32 {
    #[cfg(unix)]
    return rustix::process::geteuid().as_raw();
    #[cfg(not(unix))]
    0
}

fn times(modified: Timestamp) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT },
        last_modification: Timespec { tv_sec: modified.seconds as _, tv_nsec: modified.nanos as _ },
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use rustix::fs::XattrFlags;
    use rustix::io::Errno;

    /// The kernel's own limits for a list of names and for a value.
    const LIMIT: usize = 65536;
    const ACLS: [&[u8]; 2] = [b"system.posix_acl_access", b"system.posix_acl_default"];

    pub fn attributes(fd: BorrowedFd<'_>) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut found = Vec::new();
        let names = grown(|buffer| fs::flistxattr(fd, buffer))?;
        for name in names.split(|b| *b == 0).filter(|name| is_kept(name)) {
            match grown(|buffer| fs::fgetxattr(fd, name, buffer)) {
                Ok(value) => found.push((name.to_vec(), value)),
                Err(e) if Errno::from_io_error(&e) == Some(Errno::NODATA) => {} // removed since it was listed
                Err(e) => return Err(e),
            }
        }
        found.sort();
        Ok(found)
    }

    pub fn set_attribute(fd: BorrowedFd<'_>, name: &[u8], value: &[u8]) -> io::Result<()> {
        if !is_kept(name) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(fs::fsetxattr(fd, name, value, XattrFlags::empty())?)
    }

    /// Only what belongs to the owner: never `security.*` or `trusted.*`, which can lend rights.
    fn is_kept(name: &[u8]) -> bool {
        name.starts_with(b"user.") || ACLS.contains(&name)
    }

    fn grown(mut ask: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 256];
        loop {
            match ask(&mut buffer) {
                Ok(size) => {
                    buffer.truncate(size);
                    return Ok(buffer);
                }
                Err(Errno::RANGE) if buffer.len() < LIMIT => buffer.resize(LIMIT, 0),
                Err(Errno::NOTSUP) => return Ok(Vec::new()),
                Err(e) => return Err(e.into()),
            }
        }
    }
}
