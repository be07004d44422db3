//! Locks between the threads of this process, for platforms without others (WASI) and to test that code natively.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::{Condvar, Mutex, PoisonError};

/// Who is excluded: this process only.
pub const SCOPE: &str = "process";
/// Whether other processes are excluded too.
pub const CROSS_PROCESS: bool = false;
/// Whether waiting makes sense: there are threads that could give a lock back meanwhile.
pub const CAN_WAIT: bool = !cfg!(target_os = "wasi");

/// Holders by file: `-1` one exclusive, `n` shared. Keyed by the file itself, as `flock` is; the
/// descriptor that holds a lock is known by its number.
#[derive(Default)]
struct Table(HashMap<(u64, u64), HashMap<i64, bool>>);

static TABLE: Mutex<Option<Table>> = Mutex::new(None);
static FREED: Condvar = Condvar::new();

fn identity(file: &File) -> io::Result<((u64, u64), i64)> {
    let stat = super::stat_file(file)?;
    Ok(((stat.device, stat.inode), descriptor(file)))
}

#[cfg(any(unix, target_os = "wasi"))]
fn descriptor(file: &File) -> i64 {
    use std::os::fd::AsRawFd;
    file.as_raw_fd().into()
}

#[cfg(windows)]
fn descriptor(file: &File) -> i64 {
    use std::os::windows::io::AsRawHandle;
    file.as_raw_handle() as i64
}

impl Table {
    fn take(&mut self, key: (u64, u64), me: i64, exclusive: bool) -> bool {
        let holders = self.0.entry(key).or_default();
        let free = holders.iter().all(|(who, theirs)| *who == me || !(exclusive || *theirs));
        if free {
            holders.insert(me, exclusive);
        }
        free
    }
}

/// Waits for the lock.
pub fn lock(file: &File, exclusive: bool) -> io::Result<()> {
    let (key, me) = identity(file)?;
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    while !table.get_or_insert_default().take(key, me, exclusive) {
        if cfg!(target_os = "wasi") {
            return Err(io::ErrorKind::Deadlock.into()); // one thread: nobody could ever give it back
        }
        table = FREED.wait(table).unwrap_or_else(PoisonError::into_inner);
    }
    Ok(())
}

/// Takes the lock if it is free now.
pub fn try_lock(file: &File, exclusive: bool) -> io::Result<bool> {
    let (key, me) = identity(file)?;
    Ok(TABLE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().take(key, me, exclusive))
}

/// Gives the lock back.
pub fn unlock(file: &File) -> io::Result<()> {
    let (key, me) = identity(file)?;
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    let table = table.get_or_insert_default();
    if let Some(holders) = table.0.get_mut(&key) {
        holders.remove(&me);
        if holders.is_empty() {
            table.0.remove(&key);
        }
    }
    FREED.notify_all();
    Ok(())
}
