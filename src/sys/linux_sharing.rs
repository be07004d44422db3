//! What Linux lets processes know of each other: marks far beyond the end of a file, wake-ups, who holds which lock.

use super::locks;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

/// Where marks begin: no file is this long.
const BEGIN: i64 = 0x6c6f_636b_0000_0000;

/// A range of marks: byte offsets counted from far beyond the end of any file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    pub first: u32,
    pub count: u32,
}

fn range(kind: libc::c_int, marks: Marks) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: BEGIN + i64::from(marks.first),
        l_len: i64::from(marks.count),
        l_pid: 0,
    }
}

/// One `fcntl` on a lock of the open file description: it vanishes with its last descriptor, also in a crash.
#[allow(unsafe_code)]
fn control(file: &File, command: libc::c_int, lock: &mut libc::flock) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed; `lock` is a valid flock structure, and these
    // three commands read and write nothing else.
    let answer = unsafe { libc::fcntl(file.as_raw_fd(), command, lock as *mut libc::flock) };
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Leaves a mark for other processes, if it does not exclude and is not excluded. `false`: others are in the way, or
/// marks do not work here (a network file system, where they would meet the lock itself).
pub fn mark(file: &File, marks: Marks, exclusive: bool) -> bool {
    let kind = if exclusive { libc::F_WRLCK } else { libc::F_RDLCK };
    locks::CROSS_PROCESS && is_local(file) && control(file, libc::F_OFD_SETLK, &mut range(kind, marks)).is_ok()
}

/// Whether [`mark`] can work on this file at all.
pub fn can_mark(file: &File) -> bool {
    locks::CROSS_PROCESS && is_local(file)
}

/// Takes a mark away. Closing the file is the second chance.
pub fn unmark(file: &File, marks: Marks) {
    if locks::CROSS_PROCESS {
        let _ = control(file, libc::F_OFD_SETLK, &mut range(libc::F_UNLCK, marks));
    }
}

/// The first mark of others in this range. Locks that are not marks (of a tool that locks whole files with `fcntl`)
/// do not count.
pub fn marked(file: &File, marks: Marks) -> Option<u32> {
    let mut found = range(libc::F_WRLCK, marks);
    if !locks::CROSS_PROCESS || control(file, libc::F_OFD_GETLK, &mut found).is_err() {
        return None;
    }
    let ours = libc::c_int::from(found.l_type) != libc::F_UNLCK && found.l_len == 1 && found.l_start >= BEGIN;
    if ours { u32::try_from(found.l_start - BEGIN).ok() } else { None }
}

/// Whether the file system is one of this machine's own, where `/proc/locks` and marks mean what they say.
fn is_local(file: &File) -> bool {
    const LOCAL: [u32; 7] = [
        0xEF53,      // ext2, ext3, ext4
        0x5846_5342, // xfs
        0x0102_1994, // tmpfs
        0xF2F5_2010, // f2fs
        0x9123_683E, // btrfs
        0x794C_7630, // overlayfs
        0x8584_58F6, // ramfs
    ];
    rustix::fs::fstatfs(file).is_ok_and(|s| LOCAL.contains(&(s.f_type as u32)))
}

/// Wakes when the file that it watches is closed, moved, removed or otherwise changed by anybody. To be kept for the
/// next wait: the kernel takes milliseconds to close one of these.
#[derive(Debug)]
pub struct Watcher(OwnedFd);

impl Watcher {
    /// `None` where there are too many: look from time to time instead.
    pub fn new() -> Option<Watcher> {
        inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).ok().map(Watcher)
    }

    /// Begins to watch; the number is for [`Watcher::end`]. `None`: not possible (no `/proc`, too many watches).
    pub fn begin(&self, file: &File) -> Option<i32> {
        self.drain();
        let events = inotify::WatchFlags::CLOSE_WRITE
            | inotify::WatchFlags::CLOSE_NOWRITE
            | inotify::WatchFlags::DELETE_SELF
            | inotify::WatchFlags::MOVE_SELF
            | inotify::WatchFlags::ATTRIB;
        inotify::add_watch(&self.0, format!("/proc/self/fd/{}", file.as_raw_fd()), events).ok()
    }

    /// Watches no longer.
    pub fn end(&self, watch: i32) {
        let _ = inotify::remove_watch(&self.0, watch); // fails if the file is gone, and the watch with it
    }

    /// Waits for something to happen, no longer than this. Whether something did.
    pub fn wait(&self, limit: Duration) -> bool {
        let limit = Timespec { tv_sec: limit.as_secs() as _, tv_nsec: limit.subsec_nanos() as _ };
        let mut queue = [PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN)];
        let happened = poll(&mut queue, Some(&limit)).is_ok_and(|ready| ready > 0);
        if happened {
            self.drain();
        }
        happened
    }

    fn drain(&self) {
        let mut events = [0; 4096];
        while rustix::io::read(&self.0, &mut events[..]).is_ok_and(|count| count > 0) {}
    }
}

/// A whole-file lock as the kernel lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelLock {
    pub pid: u32,
    pub exclusive: bool,
    pub device: u64,
    pub inode: u64,
}

/// What the kernel says of whole-file locks.
#[derive(Debug, Default)]
pub struct KernelLocks {
    pub locks: Vec<KernelLock>,
    /// Whether every holder of a lock on the file asked about would be listed, under the file's own device.
    pub complete: bool,
}

/// The whole-file locks that this process may see, of files with this inode number (on any device: some file systems
/// show a device here that `stat` does not).
pub fn kernel_locks(inode: u64, file: Option<&File>) -> KernelLocks {
    let Ok(text) = read_small("/proc/locks", 64 << 20) else { return KernelLocks::default() };
    let locks = text.lines().filter_map(parse_lock).filter(|lock| lock.inode == inode).collect();
    KernelLocks { locks, complete: sees_every_process() && file.is_some_and(lists_own_device) }
}

/// `12: FLOCK  ADVISORY  WRITE 23973 fe:00:399890 0 EOF`; those who wait have `->` after the number.
fn parse_lock(line: &str) -> Option<KernelLock> {
    let mut words = line.split_ascii_whitespace().skip(1);
    if words.next()? != "FLOCK" {
        return None;
    }
    let exclusive = words.nth(1)? == "WRITE";
    let pid = words.next()?.parse().ok()?;
    let mut file = words.next()?.splitn(3, ':');
    let major = u32::from_str_radix(file.next()?, 16).ok()?;
    let minor = u32::from_str_radix(file.next()?, 16).ok()?;
    let inode = file.next()?.parse().ok()?;
    Some(KernelLock { pid, exclusive, device: rustix::fs::makedev(major, minor), inode })
}

/// Locks of processes in other containers are not listed, except for a process outside all of them.
fn sees_every_process() -> bool {
    const OUTSIDE: &str = "pid:[4026531836]";
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|name| name.as_os_str() == OUTSIDE)
}

fn lists_own_device(file: &File) -> bool {
    const SAME: [u32; 4] = [0xEF53, 0x5846_5342, 0x0102_1994, 0xF2F5_2010];
    rustix::fs::fstatfs(file).is_ok_and(|s| SAME.contains(&(s.f_type as u32)))
}

/// Which of these processes have the file open and the lock with it: for locks whose taker has died and left the
/// descriptor to others.
pub fn heirs(lock: &KernelLock) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| has_lock_open(*pid, lock)).collect()
}

fn has_lock_open(pid: u32, wanted: &KernelLock) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return false };
    descriptors.flatten().any(|descriptor| {
        let Ok(text) = read_small(descriptor.path(), 64 << 10) else { return false };
        text.lines().filter_map(|line| parse_lock(line.strip_prefix("lock:")?)).any(|lock| lock == *wanted)
    })
}

/// When a process started, in clock ticks since the machine did. `None`: there is no such process.
pub fn process_start(pid: u32) -> Option<u64> {
    let text = read_small(format!("/proc/{pid}/stat"), 64 << 10).ok()?;
    // The second field is the program's name, which may hold spaces and brackets.
    let after = &text[text.rfind(')')? + 1..];
    let mut fields = after.split_ascii_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" { None } else { fields.nth(18)?.parse().ok() }
}

/// Differs from one start of the machine to the next.
pub fn boot_id() -> Option<String> {
    Some(read_small("/proc/sys/kernel/random/boot_id", 256).ok()?.trim().to_owned())
}

fn read_small(path: impl AsRef<std::path::Path>, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether an error means that a name stands for something that cannot be opened like a file.
pub fn is_no_file(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::LOOP | Errno::NXIO | Errno::NODEV | Errno::ISDIR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_is_read_and_those_who_wait_are_left_out() {
        let held = parse_lock("1: FLOCK  ADVISORY  WRITE 23973 fe:0a:399890 0 EOF").unwrap();
        assert_eq!((held.pid, held.exclusive, held.inode), (23973, true, 399890));
        assert_eq!(held.device, rustix::fs::makedev(0xfe, 0x0a));
        assert_eq!(parse_lock("1: -> FLOCK  ADVISORY  WRITE 23973 fe:0a:399890 0 EOF"), None);
        assert_eq!(parse_lock("4: POSIX  ADVISORY  WRITE 23681 fe:00:398608 0 EOF"), None);
        assert_eq!(parse_lock("5: OFDLCK ADVISORY  READ -1 fe:00:398608 0 EOF"), None);
        for hostile in ["", "1:", "1: FLOCK", "1: FLOCK A W x fe:0:1", "1: FLOCK A W 1 zz:0:1", "1: FLOCK A W 1 1:1"] {
            assert_eq!(parse_lock(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn this_process_has_a_start_and_a_dead_one_has_none() {
        assert!(process_start(std::process::id()).is_some());
        assert_eq!(process_start(u32::MAX), None);
        assert_eq!(boot_id().unwrap().len(), 36);
    }
}
