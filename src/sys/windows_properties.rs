//! The contract of `properties.rs` on Windows: times only.

use super::Dir;
use crate::time::Timestamp;
use std::ffi::OsStr;
use std::fs::{File, FileTimes, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::time::{Duration, SystemTime};

const WRITE_ATTRIBUTES: u32 = 0x100;
const BACKUP_SEMANTICS_AND_REPARSE_POINT: u32 = 0x0220_0000;

#[derive(Clone, Copy, Debug)]
pub enum Open<'a> {
    File(&'a File),
    Folder(&'a Dir),
}

impl Open<'_> {
    pub fn set_modified(self, time: Timestamp) -> io::Result<()> {
        match self {
            Open::File(file) => file.set_times(times(time)),
            Open::Folder(dir) => set_modified_of(dir.path(), time),
        }
    }

    pub fn set_mode(self, _mode: u32) -> io::Result<()> {
        Ok(())
    }

    pub fn set_owner(self, _uid: u32, _gid: u32) -> io::Result<()> {
        Ok(())
    }

    pub fn attributes(self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        Ok(Vec::new())
    }

    pub fn set_attribute(self, _name: &[u8], _value: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Dir {
    pub fn set_modified(&self, name: &OsStr, time: Timestamp) -> io::Result<()> {
        set_modified_of(&self.path().join(name), time)
    }

    pub fn set_owner(&self, _name: &OsStr, _uid: u32, _gid: u32) -> io::Result<()> {
        Ok(())
    }
}

pub fn may_set_owner() -> bool {
    false
}

pub fn effective_user() -> u32 {
    0
}

fn set_modified_of(path: &std::path::Path, time: Timestamp) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.access_mode(WRITE_ATTRIBUTES).custom_flags(BACKUP_SEMANTICS_AND_REPARSE_POINT);
    options.open(path)?.set_times(times(time))
}

fn times(time: Timestamp) -> FileTimes {
    let nanos = Duration::from_nanos(time.nanos.into());
    let seconds = Duration::from_secs(time.seconds.unsigned_abs());
    let whole = match time.seconds {
        0.. => SystemTime::UNIX_EPOCH.checked_add(seconds),
        _ => SystemTime::UNIX_EPOCH.checked_sub(seconds),
    };
    let at = whole.and_then(|whole| whole.checked_add(nanos));
    at.map_or(FileTimes::new(), |at| FileTimes::new().set_modified(at))
}
