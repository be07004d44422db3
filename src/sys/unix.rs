//! What Unix has and WASI has not: modes, owners, atomic variants of rename, flushing.

use super::Dir;
use once_cell::race::OnceBool;
use rustix::fs;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

impl Dir {
    /// Opens a folder some levels below, through no symbolic link and not out of this folder.
    /// `Unsupported` where the kernel has no such call: walk instead.
    #[cfg(target_os = "linux")]
    pub fn open_beneath(&self, path: &Path) -> io::Result<Dir> {
        use rustix::fs::{Mode, OFlags, ResolveFlags};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let rules = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match fs::openat2(self.as_fd(), path, flags, Mode::empty(), rules) {
            Ok(fd) => Ok(Dir::from_fd(fd)),
            // EPERM: some sandboxes (seccomp) answer it for calls that they do not know.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => Err(io::ErrorKind::Unsupported.into()),
            Err(e) => Err(e.into()),
        }
    }

    /// Not on this platform: walk instead.
    #[cfg(not(target_os = "linux"))]
    pub fn open_beneath(&self, _path: &Path) -> io::Result<Dir> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Opens a file to see what it is and has; where its content may not be read, as a mere place.
    pub fn open_attributes(&self, name: &OsStr) -> io::Result<File> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{Mode, OFlags};
            match self.open_read(name) {
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {}
                opened => return opened,
            }
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(fs::openat(self.as_fd(), name, flags, Mode::empty())?.into())
        }
        #[cfg(not(target_os = "linux"))]
        self.open_read(name)
    }

    /// Renames unless `to` exists. `Unsupported` where the file system cannot.
    pub fn rename_noreplace(&self, from: &OsStr, to_dir: &Dir, to: &OsStr) -> io::Result<()> {
        rename_with(self, from, to_dir, to, Special::NoReplace)
    }

    /// Swaps two names in one step. `Unsupported` where the file system cannot.
    pub fn exchange(&self, from: &OsStr, to_dir: &Dir, to: &OsStr) -> io::Result<()> {
        rename_with(self, from, to_dir, to, Special::Exchange)
    }
}

enum Special {
    NoReplace,
    Exchange,
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_with(dir: &Dir, from: &OsStr, to_dir: &Dir, to: &OsStr, how: Special) -> io::Result<()> {
    use rustix::io::Errno;
    let flags = match how {
        Special::NoReplace => fs::RenameFlags::NOREPLACE,
        Special::Exchange => fs::RenameFlags::EXCHANGE,
    };
    match fs::renameat_with(dir.as_fd(), from, to_dir.as_fd(), to, flags) {
        Ok(()) => Ok(()),
        // EINVAL: a file system without the flag (old NFS, FUSE); ENOSYS: a kernel before 3.15.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(io::ErrorKind::Unsupported.into()),
        Err(e) => Err(e.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn rename_with(_: &Dir, _: &OsStr, _: &Dir, _: &OsStr, _: Special) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes a file's content and metadata durable. A failure is final: the kernel may have dropped the pages.
pub fn sync_file(file: &File) -> io::Result<()> {
    sync_fd(file.as_fd())
}

/// Makes a file's content, and the size needed to read it back, durable.
pub fn sync_data(file: &File) -> io::Result<()> {
    #[cfg(target_vendor = "apple")]
    return sync_fd(file.as_fd());
    #[cfg(not(target_vendor = "apple"))]
    Ok(fs::fdatasync(file)?)
}

pub(super) fn sync_fd(fd: BorrowedFd<'_>) -> io::Result<()> {
    #[cfg(target_vendor = "apple")]
    match fs::fcntl_fullfsync(fd) {
        Ok(()) => return Ok(()),
        // Network file systems know no F_FULLFSYNC.
        Err(rustix::io::Errno::NOTSUP | rustix::io::Errno::INVAL | rustix::io::Errno::NOTTY) => {}
        Err(e) => return Err(e.into()),
    }
    Ok(fs::fsync(fd)?)
}

/// Makes everything written to the file system of `dir` durable. `Unsupported` where there is no such call, or where it
/// does not tell of failures. Those since `dir` was opened, or since the last such call on it, are told.
pub fn sync_file_system(dir: &Dir) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return match flushes_file_systems() {
        true => Ok(fs::syncfs(dir.as_fd())?),
        false => Err(io::ErrorKind::Unsupported.into()),
    };
    #[cfg(not(target_os = "linux"))]
    {
        let _ = dir;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Sets permission bits.
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    Ok(fs::fchmod(file, fs::Mode::from_raw_mode(mode as _))?)
}

/// Sets the permission bits of a folder in this one.
pub fn set_dir_mode(parent: &Dir, name: &OsStr, mode: u32) -> io::Result<()> {
    let dir = parent.open_dir(name)?;
    Ok(fs::fchmod(dir.as_fd(), fs::Mode::from_raw_mode(mode as _))?)
}

/// The name of this machine.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Lets the kernel begin to write these bytes of a file to the medium, while the caller does something else. A hint: it
/// promises nothing.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub fn start_writeback(file: &File, from: u64, to: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let (Ok(offset), Ok(length)) = (i64::try_from(from), i64::try_from(to.saturating_sub(from))) else {
        return Ok(());
    };
    // SAFETY: takes numbers only; the descriptor is open as long as `file` is borrowed.
    let answer = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, length, libc::SYNC_FILE_RANGE_WRITE) };
    if answer == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match rustix::io::Errno::from_io_error(&error) {
        // Not that kind of file or file system, or a sandbox that does not know the call.
        Some(
            rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL | rustix::io::Errno::SPIPE | rustix::io::Errno::PERM,
        ) => Ok(()),
        _ => Err(error),
    }
}

/// Not on this platform.
#[cfg(not(target_os = "linux"))]
pub fn start_writeback(_file: &File, _from: u64, _to: u64) -> io::Result<()> {
    Ok(())
}

/// Closes a second descriptor of a file, which is when a network file system tells that earlier writes failed.
#[allow(unsafe_code)]
pub fn flush_by_close(file: &File) -> io::Result<()> {
    use std::os::fd::IntoRawFd;
    let copy = file.try_clone()?.into_raw_fd();
    // SAFETY: the descriptor was made in the line above, and nobody else owns it.
    if unsafe { libc::close(copy) } == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        // The descriptor is closed all the same.
        e if e.kind() == io::ErrorKind::Interrupted => Ok(()),
        e => Err(e),
    }
}

/// Whether [`sync_file_system`] works: before Linux 5.8 the call did not tell that writing back had failed.
pub fn flushes_file_systems() -> bool {
    static WORKS: OnceBool = OnceBool::new();
    cfg!(target_os = "linux")
        && WORKS.get_or_init(|| reports_failures(&rustix::system::uname().release().to_string_lossy()))
}

/// Whether this release of Linux is 5.8 or later.
fn reports_failures(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0u32));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (5, 8)
}

/// How many descriptors this process may have open.
pub fn open_file_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Gives a file to an owner and group. Only root may give files away; a member may choose the group.
pub fn set_owner(file: &File, uid: u32, gid: u32) -> io::Result<()> {
    Ok(fs::fchown(file, Some(fs::Uid::from_raw(uid)), Some(fs::Gid::from_raw(gid)))?)
}

/// Another descriptor of the same open file, which programs started from now on inherit, and its number.
pub fn inheritable(file: &File) -> io::Result<(File, i32)> {
    use std::os::fd::AsRawFd;
    let copy = File::from(rustix::io::dup(file)?);
    let number = copy.as_raw_fd();
    Ok((copy, number))
}

/// A descriptor of our own of the open file that this process inherited under a number, if it did.
#[allow(unsafe_code)]
pub fn adopt(number: i32) -> io::Result<File> {
    if number < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the number is only lent to one fcntl, which answers EBADF if nothing is open under it; it is not -1.
    let lent = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(rustix::io::fcntl_dupfd_cloexec(lent, 3)?.into())
}

/// Tells a process from the one that it was forked from, without asking the kernel every time.
#[allow(unsafe_code)]
pub fn process_generation() -> u64 {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static FORKS: AtomicU32 = AtomicU32::new(0);
    extern "C" fn forked() {
        FORKS.fetch_add(1, Relaxed);
    }
    // Two threads that come at once both register, and forks count twice: that is as good.
    static COUNTED: OnceBool = OnceBool::new();
    // SAFETY: the handler touches nothing but an atomic number, which is allowed in a child of a process with threads.
    let counted = COUNTED.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(forked)) } == 0);
    // Process numbers are never 0 and fit 32 bits: the two ways do not meet.
    if counted { u64::from(FORKS.load(Relaxed)) << 32 } else { u64::from(std::process::id()) }
}

/// The number of this process.
pub fn process_id() -> Option<u32> {
    Some(std::process::id())
}

#[cfg(test)]
mod tests {
    #[test]
    fn file_systems_are_flushed_whole_only_where_failures_are_told() {
        for (release, told) in
            [("6.18.44-x", true), ("5.8", true), ("5.8.0-rc1", true), ("5.7.19", false), ("4.4.0", false)]
        {
            assert_eq!(super::reports_failures(release), told, "{release}");
        }
        assert!(!super::reports_failures("") && !super::reports_failures("unknown"));
    }
}
