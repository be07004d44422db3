//! Advisory locks of the operating system (`flock` on Unix, `LockFileEx` on Windows), by way of fs2.

use fs2::FileExt;
use std::fs::File;
use std::io;

/// Who is excluded: every process on this machine.
pub const SCOPE: &str = "system";
/// Whether other processes are excluded too.
pub const CROSS_PROCESS: bool = true;
/// Whether waiting makes sense: there are threads or processes that could give a lock back meanwhile.
pub const CAN_WAIT: bool = true;

/// Waits for the lock.
pub fn lock(file: &File, exclusive: bool) -> io::Result<()> {
    loop {
        let answer = if exclusive { FileExt::lock_exclusive(file) } else { FileExt::lock_shared(file) };
        match answer {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}

/// Takes the lock if it is free now.
pub fn try_lock(file: &File, exclusive: bool) -> io::Result<bool> {
    let answer = if exclusive { FileExt::try_lock_exclusive(file) } else { FileExt::try_lock_shared(file) };
    match answer {
        Ok(()) => Ok(true),
        Err(e) if e.raw_os_error() == fs2::lock_contended_error().raw_os_error() => Ok(false),
        Err(e) => Err(e),
    }
}

/// Gives the lock back. Explicit, because a child forked meanwhile may hold a copy of the descriptor.
pub fn unlock(file: &File) -> io::Result<()> {
    FileExt::unlock(file)
}
