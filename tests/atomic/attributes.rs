//! What a file keeps when it is replaced, and what must not come along.

use super::*;
use electrus::atomic::{AtomicFile, write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

pub fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().mode() & 0o7777
}

fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

fn file_in(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let file = folder.path().join("f");
    fs::write(&file, "old").unwrap();
    file
}

#[test]
fn the_mode_is_kept_that_of_a_read_only_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(&folder);
    for bits in [0o600, 0o644, 0o755, 0o444, 0o400, 0o666, 0o2755, 0o4711, 0o1644] {
        set_mode(&file, bits);
        let bits = mode(&file);
        put(&file, b"new").unwrap();
        assert_eq!(mode(&file), bits, "{bits:o}");
        write(&at(&file), b"new", &if_content(b"new")).unwrap();
        assert_eq!(mode(&file), bits, "{bits:o}");
    }
}

#[test]
fn a_mode_that_is_asked_for_is_exact() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    for bits in [0o600, 0o666, 0o777, 0o440] {
        let options = WriteOptions { mode: Some(bits), ..fast() };
        write(&at(&file), b"new", &options).unwrap();
        assert_eq!(mode(&file), bits);
        write(&at(&file), b"again", &options).unwrap();
        assert_eq!(mode(&file), bits);
    }
}

#[test]
fn what_replaces_a_private_file_is_private_from_the_first_byte() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(&folder);
    set_mode(&file, 0o644);
    let new = AtomicFile::create(&at(&file), &fast()).unwrap();
    let temp = names(folder.path()).into_iter().find(|name| name != "f").unwrap();
    assert_eq!(mode(&folder.path().join(temp)), 0o600);
    drop(new);
}

#[test]
fn the_owner_is_kept() {
    if !as_root() {
        return;
    }
    let folder = open_folder();
    let file = file_in(&folder);
    std::os::unix::fs::chown(&file, Some(1234), Some(5678)).unwrap();
    set_mode(&file, 0o6755);
    put(&file, b"new").unwrap();
    let after = fs::metadata(&file).unwrap();
    assert_eq!((after.uid(), after.gid(), after.mode() & 0o7777), (1234, 5678, 0o6755));
}

#[test]
fn an_owner_that_cannot_be_kept_takes_setuid_and_the_groups_rights_along() {
    if !as_root() {
        return;
    }
    let folder = open_folder();
    let file = file_in(&folder);
    std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    for (old, new) in [(0o6775, 0o755), (0o664, 0o644), (0o4755, 0o755), (0o660, 0o600)] {
        let _ = fs::remove_file(&file);
        fs::write(&file, "old").unwrap();
        set_mode(&file, old);
        as_user(NOBODY, || put(&file, b"new")).unwrap();
        let after = fs::metadata(&file).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!((after.uid(), after.gid()), (NOBODY, NOBODY));
        assert_eq!(after.mode() & 0o7777, new, "{old:o}");
    }
}

#[test]
fn a_group_of_ours_is_kept_though_the_owner_is_not() {
    if !as_root() {
        return;
    }
    let folder = open_folder();
    let file = file_in(&folder);
    std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    std::os::unix::fs::chown(&file, Some(0), Some(NOBODY)).unwrap();
    set_mode(&file, 0o4664);
    as_user(NOBODY, || put(&file, b"new")).unwrap();
    let after = fs::metadata(&file).unwrap();
    assert_eq!((after.uid(), after.gid(), after.mode() & 0o7777), (NOBODY, NOBODY, 0o664));
}

#[test]
fn extended_attributes_are_kept_and_capabilities_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(&folder);
    let path = file.to_str().unwrap();
    let long = "v".repeat(3000);
    for (name, value) in [("user.one", "1"), ("user.empty", ""), ("user.long", &long)] {
        if tool("setfattr", &["-n", name, "-v", value, path]).is_none() {
            return;
        }
    }
    let before = tool("getfattr", &["-d", "-m", "^user", path]).unwrap();
    assert!(before.contains("user.long"));
    let all = || tool("getfattr", &["-d", "-m", "-", path]).unwrap();
    if as_root() {
        tool("setcap", &["cap_net_raw+ep", path]).unwrap();
        assert!(all().contains("security.capability"));
    }
    put(&file, b"new").unwrap();
    assert_eq!(tool("getfattr", &["-d", "-m", "^user", path]).unwrap(), before);
    assert!(!all().contains("security.capability"));
}

#[test]
fn the_access_control_list_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(&folder);
    let path = file.to_str().unwrap();
    if tool("setfacl", &["-m", "u:1234:rw,g:5678:r,m::rw", path]).is_none() {
        return;
    }
    let before = tool("getfacl", &["-n", path]).unwrap();
    put(&file, b"new").unwrap();
    write(&at(&file), b"newer", &if_content(b"new")).unwrap();
    assert_eq!(tool("getfacl", &["-n", path]).unwrap(), before);
    assert!(before.contains("user:1234:rw-"));
}

#[test]
fn a_folders_default_list_opens_new_files_and_never_replaced_ones() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(&folder);
    set_mode(&file, 0o640);
    if tool("setfacl", &["-d", "-m", "u:1234:rw", folder.path().to_str().unwrap()]).is_none() {
        return;
    }
    put(&file, b"new").unwrap();
    let replaced = tool("getfacl", &["-n", file.to_str().unwrap()]).unwrap();
    assert!(!replaced.contains("1234"), "{replaced}");
    assert_eq!(mode(&file), 0o640);
    let fresh = folder.path().join("fresh");
    put(&fresh, b"new").unwrap();
    assert!(tool("getfacl", &["-n", fresh.to_str().unwrap()]).unwrap().contains("user:1234:rw-"));
}

#[test]
fn a_file_that_we_may_replace_but_not_read_keeps_its_rights() {
    if !as_root() {
        return;
    }
    let folder = open_folder();
    let file = file_in(&folder);
    for path in [folder.path(), &file] {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    set_mode(&file, 0o060);
    if tool("setfacl", &["-m", "u:1234:rw", file.to_str().unwrap()]).is_none() {
        return;
    }
    let before = tool("getfacl", &["-n", file.to_str().unwrap()]).unwrap();
    as_user(NOBODY, || put(&file, b"new")).unwrap();
    assert_eq!(mode(&file), 0o060);
    assert_eq!(tool("getfacl", &["-n", file.to_str().unwrap()]).unwrap(), before);
}

#[test]
fn what_the_file_got_while_we_wrote_is_kept() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(&folder);
    set_mode(&file, 0o600);
    let mut new = AtomicFile::create(&at(&file), &fast()).unwrap();
    new.write_all(b"new").unwrap();
    set_mode(&file, 0o604);
    new.commit().unwrap();
    assert_eq!(mode(&file), 0o604);
}
