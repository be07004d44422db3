//! What stands under a name, before, during and after; and what cannot be replaced.

use super::*;
use electrus::atomic::{AtomicFile, write};
use electrus::error::Code;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[test]
fn readers_see_old_or_new_and_never_a_mix() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    put(&file, &[0; 1 << 16]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    let seen = fs::read(&file).unwrap();
                    assert_eq!(seen.len(), 1 << 16);
                    assert!(seen.iter().all(|b| *b == seen[0]));
                }
            });
        }
        for round in 0..200_u8 {
            let mut new = AtomicFile::create(&at(&file), &fast()).unwrap();
            for _ in 0..16 {
                new.write_all(&[round; 1 << 12]).unwrap();
            }
            new.commit().unwrap();
        }
        done.store(true, Relaxed);
    });
}

#[test]
fn what_is_written_in_pieces_is_hashed_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    let content: Vec<u8> = (0..5_000_000_u32).map(|i| (i % 251) as u8).collect();
    let options = WriteOptions { algorithms: Algorithm::ALL.to_vec(), ..WriteOptions::default() };
    let mut new = AtomicFile::create(&at(&file), &options).unwrap();
    for piece in content.chunks(77_777) {
        new.write_all(piece).unwrap();
    }
    let written = new.commit().unwrap();
    assert_eq!(written.size, 5_000_000);
    for digest in &written.digests {
        assert_eq!(*digest, of_bytes(digest.algorithm(), &content));
    }
    if let Some(printed) = tool("sha256sum", &[file.to_str().unwrap()]) {
        assert_eq!(printed.split(' ').next().unwrap(), of_bytes(Algorithm::Sha256, &content).hex());
    }
}

#[test]
fn a_symbolic_link_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("there")).unwrap();
    fs::write(folder.path().join("there/f"), "old").unwrap();
    symlink("there/f", folder.path().join("link")).unwrap();
    put(folder.path().join("link"), b"new").unwrap();
    assert_eq!(fs::read_link(folder.path().join("link")).unwrap(), Path::new("there/f"));
    assert_eq!(fs::read(folder.path().join("there/f")).unwrap(), b"new");
    assert_eq!(names(&folder.path().join("there")), ["f"]);
    symlink("there/new", folder.path().join("dangling")).unwrap();
    put(folder.path().join("dangling"), b"new").unwrap();
    assert_eq!(fs::read(folder.path().join("there/new")).unwrap(), b"new");
}

#[test]
fn a_link_put_in_place_of_the_file_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path().join("f"));
    fs::write(folder.path().join("victim"), "precious").unwrap();
    let mut new = AtomicFile::create(&target, &fast()).unwrap();
    new.write_all(b"new").unwrap();
    symlink("victim", folder.path().join("f")).unwrap();
    assert_eq!(new.commit().unwrap_err().code(), Code::NotAFile);
    assert_eq!(write(&target, b"new", &fast()).unwrap_err().code(), Code::NotAFile);
    assert_eq!(fs::read(folder.path().join("victim")).unwrap(), b"precious");
    assert_eq!(names(folder.path()), ["f", "victim"]);
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |name: &str| folder.path().join(name);
    fs::create_dir(in_folder("folder")).unwrap();
    common::make_socket(&in_folder("socket"));
    tool("mkfifo", &[in_folder("fifo").to_str().unwrap()]).unwrap();
    let mut refused = vec!["folder", "socket", "fifo"];
    if as_root() && common::make_device(&in_folder("device")) {
        refused.push("device");
    }
    let before = names(folder.path());
    for name in refused {
        let target = at(in_folder(name));
        for options in [fast(), if_content(b"x")] {
            assert_eq!(write(&target, b"new", &options).unwrap_err().code(), Code::NotAFile, "{name}");
        }
        assert_eq!(write(&target, b"new", &if_absent()).unwrap_err().code(), Code::AlreadyExists, "{name}");
    }
    assert_eq!(write(&at("/dev/null"), b"new", &fast()).unwrap_err().code(), Code::NotAFile);
    assert_eq!(names(folder.path()), before);
}

#[test]
fn any_name_works_that_the_file_system_takes() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(255);
    for name in [long.as_bytes(), b"not \xff utf-8", b"new\nline", b"-rf", b" "] {
        let file = folder.path().join(OsStr::from_bytes(name));
        put(&file, b"one").unwrap();
        put(&file, b"two").unwrap();
        write(&at(&file), b"three", &if_content(b"two")).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"three");
    }
    assert_eq!(names(folder.path()).len(), 5);
    let too_long = folder.path().join("x".repeat(256));
    let refused = Location::ordinary(&too_long).and_then(|target| write(&target, b"", &fast()));
    assert_eq!(refused.unwrap_err().code(), Code::InvalidName);
}

#[test]
fn an_open_reader_keeps_the_old_content() {
    use std::io::Read;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    put(&file, b"old").unwrap();
    let mut open = fs::File::open(&file).unwrap();
    put(&file, b"new").unwrap();
    let mut seen = String::new();
    open.read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "old");
}

#[test]
fn a_folder_that_may_not_be_written_is_left_as_it_is() {
    if !as_root() {
        return;
    }
    let folder = open_folder();
    fs::write(folder.path().join("f"), "old").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let refused = as_user(NOBODY, || put(folder.path().join("f"), b"new"));
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(refused.path().unwrap().file_name().unwrap(), "f");
    assert_eq!(names(folder.path()), ["f"]);
    assert_eq!(fs::read(folder.path().join("f")).unwrap(), b"old");
}

#[test]
fn a_full_disk_leaves_the_old_content_and_no_litter() {
    let Some(disk) = Mounted::tmpfs("size=256k") else { return };
    let file = disk.path().join("f");
    put(&file, &[1; 100_000]).unwrap();
    let failed = put(&file, &[2; 200_000]).unwrap_err();
    assert_eq!(failed.code(), Code::NoSpace);
    assert!(failed.retryable());
    assert_eq!(failed.path().unwrap(), at(&file).path());
    assert_eq!(fs::read(&file).unwrap(), [1; 100_000]);
    assert_eq!(names(disk.path()), ["f"]);
    put(&file, &[3; 100_000]).unwrap();
}

#[test]
fn without_inodes_the_old_content_stays() {
    let Some(disk) = Mounted::tmpfs("size=1m,nr_inodes=2") else { return };
    let file = disk.path().join("f");
    put(&file, b"old").unwrap();
    assert_eq!(put(&file, b"new").unwrap_err().code(), Code::NoSpace);
    assert_eq!(fs::read(&file).unwrap(), b"old");
}

#[test]
fn a_file_that_is_a_mount_point_is_not_copied_over_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let [file, other] = ["f", "other"].map(|name| folder.path().join(name));
    fs::write(&file, "below").unwrap();
    fs::write(&other, "above").unwrap();
    let Some(mounted) = Mounted::bind(&other, &file) else { return };
    let refused = put(&file, b"new");
    let seen = fs::read(&file).unwrap();
    drop(mounted);
    assert_eq!(refused.unwrap_err().code(), Code::Io);
    assert_eq!(seen, b"above");
    assert_eq!(names(folder.path()), ["f", "other"]);
}
