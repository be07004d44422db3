//! A tree like those that people back up, and an independent tool that compares two.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Copies the Rust sources of the cargo registry, at most `files` of them, and generates what is missing.
pub fn make(root: &Path, files: usize) {
    fs::create_dir_all(root).unwrap();
    let mut made = 0;
    for crate_folder in registry() {
        if made >= files {
            break;
        }
        let name = crate_folder.file_name().unwrap();
        made += copy(&crate_folder, &root.join(name), files - made);
    }
    let mut number = 0;
    while made < files {
        let path = root.join(format!("generated/{:03}/{number}.txt", number % 200));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, noise(number as u64, number % 9000)).unwrap();
        number += 1;
        made += 1;
    }
    peculiar(root);
}

fn registry() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".cargo")));
    let Some(sources) = home.map(|home| home.join("registry/src")) else { return Vec::new() };
    let inside = |path: &Path| -> Vec<PathBuf> {
        fs::read_dir(path).map(|d| d.map(|e| e.unwrap().path()).collect()).unwrap_or_default()
    };
    let mut crates: Vec<PathBuf> = inside(&sources).iter().flat_map(|index| inside(index)).collect();
    crates.sort();
    crates
}

fn copy(from: &Path, to: &Path, limit: usize) -> usize {
    let mut made = 0;
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(target).unwrap();
        } else if entry.file_type().is_file() && made < limit {
            fs::copy(entry.path(), target).unwrap();
            made += 1;
        }
    }
    made
}

/// Names, kinds, modes and times that naive tools get wrong.
fn peculiar(root: &Path) {
    let odd = root.join("odd names");
    fs::create_dir_all(odd.join("empty/emptier")).unwrap();
    fs::write(odd.join("n".repeat(255)), "long name").unwrap();
    fs::write(odd.join(OsStr::from_bytes(b"not utf-8 \xff\xfe")), "bytes").unwrap();
    fs::write(odd.join("new\nline"), "a name of two lines").unwrap();
    fs::write(odd.join("empty file"), "").unwrap();
    fs::write(odd.join("a"), "one name").unwrap();
    fs::hard_link(odd.join("a"), odd.join("b")).unwrap();
    fs::create_dir(odd.join("c")).unwrap();
    fs::hard_link(odd.join("a"), odd.join("c/d")).unwrap();
    fs::write(odd.join("large"), noise(7, 5 << 20)).unwrap();
    fs::hard_link(odd.join("large"), odd.join("large too")).unwrap();
    fs::write(odd.join("zeros"), vec![0; 3 << 20]).unwrap();
    symlink("a", odd.join("link")).unwrap();
    symlink("/nowhere/at all", odd.join("dangling")).unwrap();
    symlink("..", odd.join("c/up")).unwrap();
    symlink(OsStr::from_bytes(b"\xff"), odd.join("link to bytes")).unwrap();
    for (number, mode) in [0o000, 0o400, 0o600, 0o755, 0o640, 0o1777, 0o4755, 0o2711].into_iter().enumerate() {
        let path = odd.join(format!("mode {number}"));
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        if fs::read(&path).is_err() {
            fs::remove_file(&path).unwrap(); // only root backs up what nobody may read
        }
    }
    let private = odd.join("private");
    fs::create_dir(&private).unwrap();
    fs::write(private.join("inside"), "x").unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o500)).unwrap();
    for (name, when) in
        [("a", "1970-01-01T00:00:00Z"), ("mode 3", "1901-12-14T00:00:00Z"), ("c", "2200-01-01T01:02:03.123456789Z")]
    {
        assert!(Command::new("touch").args(["-h", "-d", when]).arg(odd.join(name)).status().unwrap().success());
    }
}

/// The same bytes for the same seed, which do not compress.
pub fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// What rsync would do to make `copy` like `original`: nothing, if contents, kinds, modes, owners, times and hard links
/// are the same.
pub fn differences(original: &Path, copy: &Path) -> String {
    let output = Command::new("rsync")
        .args(["-aHn", "--checksum", "--itemize-changes", "--delete"])
        .arg(original.join(""))
        .arg(copy.join(""))
        .output()
        .expect("rsync is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
