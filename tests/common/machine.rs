//! Rights, mounts, odd files.

use super::{NO_DEVICES, NO_MOUNTS, NO_TRACING, NOT_ROOT, skip};
use rustix::fs::{CWD, FileType};
use rustix::io::Errno;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Nobody's number, as user and as group.
pub const NOBODY: u32 = 65534;

/// Whether this is root; said out loud where not.
#[track_caller]
pub fn as_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip(NOT_ROOT);
    }
    root
}

/// A folder that every user can reach and read, under a path that leaves room for a socket's address: the folder of the
/// ordinary temporary files may be below one's own, and anywhere.
pub fn open_folder() -> TempDir {
    let everybody = |folder: &Path| {
        let mode = |folder: &Path| std::fs::metadata(folder).map_or(0, |m| m.permissions().mode());
        folder.ancestors().all(|folder| mode(folder) & 0o001 != 0)
    };
    let places = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()];
    let place = places.into_iter().find(|place| place.as_os_str().len() < 60 && everybody(place));
    let place = place.expect("no temporary folder is everybody's");
    let folder = tempfile::tempdir_in(place).unwrap();
    set_mode(folder.path(), 0o755);
    folder
}

/// A copy of a program in such a folder: the build may be where only its owner gets.
pub fn copy_for_everybody(program: &Path, folder: &TempDir) -> PathBuf {
    let copy = folder.path().join("program");
    // By another process: a child that is born meanwhile would hold a descriptor of ours, and the copy be "text busy".
    assert!(Command::new("cp").arg(program).arg(&copy).status().unwrap().success());
    set_mode(&copy, 0o755);
    copy
}

pub fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// A socket, though the path be longer than the address of one may be.
pub fn make_socket(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::Socket, 0o600.into(), 0).unwrap();
}

/// `/dev/null` under another name, where that is allowed.
pub fn make_device(path: &Path) -> bool {
    match rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, 0o600.into(), rustix::fs::makedev(1, 3)) {
        Ok(()) => true,
        Err(Errno::PERM) => {
            skip(NO_DEVICES);
            false
        }
        Err(e) => panic!("mknod: {e}"),
    }
}

/// Whether strace may trace here.
pub fn can_trace() -> bool {
    match Command::new("strace").args(["-o", "/dev/null", "true"]).output() {
        Ok(output) if output.status.success() => return true,
        Ok(output) if is_forbidden(&output) => skip(NO_TRACING),
        Ok(output) => panic!("strace: {}", String::from_utf8_lossy(&output.stderr)),
        Err(e) => skip(&format!("strace: {e}")),
    }
    false
}

fn is_forbidden(output: &Output) -> bool {
    let words = String::from_utf8_lossy(&output.stderr).to_lowercase();
    words.contains("permission denied") || words.contains("not permitted")
}

/// Mounts something; `false`, out loud, where nobody may.
fn mount(arguments: &[&str], on: &Path) -> bool {
    if !as_root() {
        return false;
    }
    match Command::new("mount").args(arguments).arg(on).env("LC_ALL", "C").output() {
        Ok(output) if output.status.success() => return true,
        Ok(output) if is_forbidden(&output) => skip(NO_MOUNTS),
        Ok(output) => panic!("mount: {}", String::from_utf8_lossy(&output.stderr)),
        Err(e) => skip(&format!("mount: {e}")),
    }
    false
}

/// Something that is mounted until it is dropped.
pub struct Mounted {
    place: PathBuf,
    folder: Option<TempDir>,
}

impl Mounted {
    /// A small file system of its own, with options as `size=1m`.
    pub fn tmpfs(options: &str) -> Option<Mounted> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = mount(&["-t", "tmpfs", "-o", options, "tmpfs"], folder.path());
        mounted.then(|| Mounted { place: folder.path().to_owned(), folder: Some(folder) })
    }

    /// One file or folder over another.
    pub fn bind(what: &Path, over: &Path) -> Option<Mounted> {
        let mounted = mount(&["--bind", what.to_str().unwrap()], over);
        mounted.then(|| Mounted { place: over.to_owned(), folder: None })
    }

    pub fn path(&self) -> &Path {
        &self.place
    }

    /// From now on nobody writes there, not even root.
    pub fn make_read_only(&self) {
        assert!(mount(&["-o", "remount,ro"], &self.place), "a mount of ours can be changed");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.place).status();
        drop(self.folder.take());
    }
}
