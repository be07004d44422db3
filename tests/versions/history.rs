//! What each change leaves in history.

use super::*;
use electrus::atomic::Condition;
use electrus::checksum::{Algorithm, of_bytes};
use electrus::error::Code;
use electrus::store::{Landed, Which};
use std::fs;

#[test]
fn the_first_write_makes_version_1_and_the_next_version_2() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let first = write(&handler, "f", "one");
    assert_eq!((first.version, first.outside_edit), (Some(1), None));
    let second = write(&handler, "f", "two");
    assert_eq!((second.version, second.outside_edit), (Some(2), None));
    assert_eq!(history(&handler, "f"), ["1 write", "2 write"]);
    assert_eq!(contents(&handler, "f"), ["one", "two"]);
    assert_eq!(read(&handler, "f"), "two");
}

#[test]
fn history_is_the_same_after_closing_and_opening_again() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "f", "one");
    handler.close().unwrap();
    drop(handler);
    let handler = open(tmp.path());
    assert_eq!(write(&handler, "f", "two").outside_edit, None);
    handler.close().unwrap();
    let versions = handler.versions().list_versions("f").unwrap();
    assert!(versions.iter().all(|v| matches!(v.landed, Landed::Yes(_))), "{versions:?}");
}

#[test]
fn what_stood_there_before_the_first_write_is_version_1() {
    let tmp = tempfile::tempdir().unwrap();
    fs::write(tmp.path().join("f"), "precious").unwrap();
    let handler = open(tmp.path());
    let changed = write(&handler, "f", "new");
    assert_eq!((changed.outside_edit, changed.version), (Some(1), Some(2)));
    assert_eq!(history(&handler, "f"), ["1 outside_edit", "2 write"]);
    assert_eq!(contents(&handler, "f"), ["precious", "new"]);
}

#[test]
fn an_edit_by_other_means_is_in_history_before_it_is_replaced() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    for size in [10, 100_000, 3_000_000] {
        let name = format!("f{size}");
        write(&handler, &name, &"a".repeat(size));
        let edit = "b".repeat(size); // of the same size, and within the same tick of the clock
        fs::write(tmp.path().join(&name), &edit).unwrap();
        let changed = write(&handler, &name, "c");
        assert_eq!((changed.outside_edit, changed.version), (Some(2), Some(3)));
        assert_eq!(contents(&handler, &name)[1], edit);
    }
}

#[test]
fn touching_a_file_is_no_edit() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let large = "x".repeat(2_000_000);
    for (name, text) in [("small", "x"), ("large", large.as_str())] {
        write(&handler, name, text);
        fs::write(tmp.path().join(name), text).unwrap();
        assert_eq!(write(&handler, name, "y").outside_edit, None, "{name}");
    }
}

#[test]
fn an_unversioned_write_keeps_only_what_would_be_lost() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let plain = || ChangeOptions { create_version: false, ..ChangeOptions::default() };
    let changed = handler.secure_write("new", Source::Bytes(b"1"), plain()).unwrap();
    assert_eq!((changed.version, changed.outside_edit), (None, None));
    let changed = handler.secure_write("new", Source::Bytes(b"2"), plain()).unwrap();
    assert_eq!((changed.version, changed.outside_edit), (None, None));
    assert!(handler.versions().list_versions("new").unwrap().is_empty());

    write(&handler, "f", "one");
    assert_eq!(handler.secure_write("f", Source::Bytes(b"two"), plain()).unwrap().outside_edit, None);
    assert_eq!(handler.secure_write("f", Source::Bytes(b"three"), plain()).unwrap().outside_edit, Some(2));
    assert_eq!(contents(&handler, "f"), ["one", "two"]);
    assert_eq!(read(&handler, "f"), "three");
}

#[test]
fn restoring_an_older_version_can_itself_be_undone() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "f", "one");
    write(&handler, "f", "two");
    fs::write(tmp.path().join("f"), "edited").unwrap();
    let manager = handler.versions();
    let changed = manager.restore_version("f", &Which::Number(1), None, ChangeOptions::default()).unwrap();
    assert_eq!((changed.outside_edit, changed.version), (Some(3), Some(4)));
    assert_eq!(read(&handler, "f"), "one");
    let versions = manager.list_versions("f").unwrap();
    assert_eq!(kinds(&versions), ["1 write", "2 write", "3 outside_edit", "4 restore"]);
    assert_eq!(versions[3].of, Some(1));
    manager.restore_version("f", &Which::Number(3), None, ChangeOptions::default()).unwrap();
    assert_eq!(read(&handler, "f"), "edited");
}

#[test]
fn a_version_is_restored_elsewhere_with_a_history_there() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "f", "one");
    write(&handler, "f", "two");
    let to = Path::new("new/folder/g");
    let manager = handler.versions();
    manager.restore_version("f", &Which::Number(1), Some(to), ChangeOptions::default()).unwrap();
    assert_eq!(read(&handler, "new/folder/g"), "one");
    assert_eq!(read(&handler, "f"), "two");
    let there = manager.list_versions(to).unwrap();
    assert_eq!(kinds(&there), ["1 restore"]);
    assert_eq!(there[0].other.as_ref().map(|k| k.to_string()).as_deref(), Some("f"));
}

#[test]
fn a_deleted_file_leaves_a_tombstone_and_comes_back() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "d/f", "one");
    let changed = handler.delete("d/f", ChangeOptions::default()).unwrap();
    assert_eq!((changed.version, changed.size), (Some(2), 0));
    assert!(!tmp.path().join("d/f").exists());
    assert_eq!(contents(&handler, "d/f"), ["one", "-"]);
    let gone = handler.versions().read_version("d/f", &Which::Number(2)).unwrap_err();
    assert_eq!(gone.code(), Code::VersionNotFound);

    fs::remove_file(tmp.path().join("d/f.lock")).unwrap();
    fs::remove_dir(tmp.path().join("d")).unwrap();
    assert_eq!(history(&handler, "d/f"), ["1 write", "2 delete"]);
    let newest = handler.versions().restore_version("d/f", &Which::Newest, None, ChangeOptions::default()).unwrap();
    assert_eq!((newest.version, newest.outside_edit), (Some(3), None));
    assert_eq!(read(&handler, "d/f"), "one");
}

#[test]
fn deleting_keeps_what_history_lacks() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    fs::write(tmp.path().join("f"), "never seen").unwrap();
    handler.delete("f", ChangeOptions::default()).unwrap();
    assert_eq!(contents(&handler, "f"), ["never seen", "-"]);
    assert_eq!(handler.delete("f", ChangeOptions::default()).unwrap_err().code(), Code::NotFound);
    assert!(!tmp.path().join("g.lock").exists());
    assert_eq!(handler.delete("g", ChangeOptions::default()).unwrap_err().code(), Code::NotFound);
    assert!(!tmp.path().join("g.lock").exists());
}

#[test]
fn a_rename_links_both_histories() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "old", "content");
    fs::write(tmp.path().join("new"), "replaced").unwrap();
    let changed = handler.rename("old", "new", ChangeOptions::default()).unwrap();
    assert_eq!((changed.outside_edit, changed.version), (Some(1), Some(2)));
    assert_eq!(read(&handler, "new"), "content");
    assert!(!tmp.path().join("old").exists());
    let old = handler.versions().list_versions("old").unwrap();
    assert_eq!(kinds(&old), ["1 write", "2 renamed_to"]);
    assert_eq!(old[1].other.as_ref().unwrap().as_bytes(), b"new");
    let new = handler.versions().list_versions("new").unwrap();
    assert_eq!(kinds(&new), ["1 outside_edit", "2 renamed_from"]);
    assert_eq!(new[1].other.as_ref().unwrap().as_bytes(), b"old");
    assert_eq!(contents(&handler, "new"), ["replaced", "content"]);
    assert_eq!(write(&handler, "new", "next").outside_edit, None);
}

#[test]
fn a_rename_refuses_an_existing_target_when_asked() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "a", "a");
    write(&handler, "b", "b");
    let absent = || ChangeOptions { condition: Condition::Absent, ..ChangeOptions::default() };
    assert_eq!(handler.rename("a", "b", absent()).unwrap_err().code(), Code::AlreadyExists);
    assert_eq!((read(&handler, "a"), read(&handler, "b")), ("a".into(), "b".into()));
    assert_eq!(handler.rename("a", "c/d", absent()).unwrap().version, Some(1));
    assert_eq!(read(&handler, "c/d"), "a");
}

#[test]
fn two_names_of_one_file_become_one() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "a", "same");
    fs::hard_link(tmp.path().join("a"), tmp.path().join("b")).unwrap();
    handler.rename("a", "b", ChangeOptions::default()).unwrap();
    assert!(!tmp.path().join("a").exists());
    assert_eq!(read(&handler, "b"), "same");
}

#[cfg(unix)]
#[test]
fn a_link_and_its_target_share_one_history() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "target", "one");
    std::os::unix::fs::symlink("target", tmp.path().join("link")).unwrap();
    assert_eq!(write(&handler, "link", "two").version, Some(2));
    assert!(tmp.path().join("link").is_symlink());
    assert_eq!(history(&handler, "link"), history(&handler, "target"));
    handler.delete("link", ChangeOptions::default()).unwrap();
    assert_eq!(read(&handler, "target"), "two");
    assert_eq!(history(&handler, "target"), ["1 write", "2 write"]);
}

#[test]
fn a_snapshot_is_taken_once() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    fs::write(tmp.path().join("f"), "as it is").unwrap();
    let manager = handler.versions();
    let taken = manager.create_version("f", ChangeOptions::default()).unwrap();
    assert_eq!(taken.version, Some(1));
    assert_eq!(taken.checksum, Some(of_bytes(Algorithm::Sha256, b"as it is")));
    assert_eq!(manager.create_version("f", ChangeOptions::default()).unwrap().version, Some(1));
    assert_eq!(history(&handler, "f"), ["1 snapshot"]);
    assert_eq!(write(&handler, "f", "ours").outside_edit, None);
    assert_eq!(manager.create_version("f", ChangeOptions::default()).unwrap().version, Some(2));
    assert_eq!(manager.create_version("none", ChangeOptions::default()).unwrap_err().code(), Code::NotFound);
    assert!(!tmp.path().join("none.lock").exists());
}

#[test]
fn only_a_name_that_never_was_is_not_found() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    fs::write(tmp.path().join("plain"), "x").unwrap();
    assert!(handler.versions().list_versions("plain").unwrap().is_empty());
    assert_eq!(handler.versions().list_versions("none").unwrap_err().code(), Code::NotFound);
    assert_eq!(handler.versions().list_versions("no/folder").unwrap_err().code(), Code::NotFound);
    assert!(!tmp.path().join(".electrus").exists(), "looking must not create a store");
}

#[test]
fn a_write_on_condition_replaces_only_what_was_read() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let when = |condition| ChangeOptions { condition, ..ChangeOptions::default() };
    let seen = |text: &str| Condition::Checksum(of_bytes(Algorithm::Blake2b, text.as_bytes()));
    handler.secure_write("f", Source::Bytes(b"one"), when(Condition::Absent)).unwrap();
    let again = handler.secure_write("f", Source::Bytes(b"two"), when(Condition::Absent)).unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
    handler.secure_write("f", Source::Bytes(b"two"), when(seen("one"))).unwrap();
    let stale = handler.secure_write("f", Source::Bytes(b"three"), when(seen("one"))).unwrap_err();
    assert_eq!(stale.code(), Code::Changed);
    let missing = handler.secure_write("g", Source::Bytes(b"three"), when(seen("one"))).unwrap_err();
    assert_eq!(missing.code(), Code::Changed);
    assert_eq!(contents(&handler, "f"), ["one", "two"]);
    assert_no_litter(tmp.path());
}

#[cfg(unix)]
#[test]
fn permission_bits_come_back_with_a_version() {
    use std::os::unix::fs::PermissionsExt;
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let mode = |mode| ChangeOptions { mode: Some(mode), ..ChangeOptions::default() };
    handler.secure_write("f", Source::Bytes(b"one"), mode(0o640)).unwrap();
    handler.secure_write("f", Source::Bytes(b"two"), mode(0o755)).unwrap();
    handler.versions().restore_version("f", &Which::Number(1), None, ChangeOptions::default()).unwrap();
    let bits = fs::metadata(tmp.path().join("f")).unwrap().permissions().mode();
    assert_eq!(bits & 0o7777, 0o640);
}

#[test]
fn a_weak_digest_is_never_the_only_one_of_a_version() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let options = ChangeOptions { algorithm: Algorithm::Md5, ..ChangeOptions::default() };
    let changed = handler.secure_write("f", Source::Bytes(b"x"), options).unwrap();
    assert_eq!(changed.checksum.unwrap().algorithm(), Algorithm::Md5);
    let version = handler.versions().version("f", &Which::Number(1)).unwrap();
    let digests: Vec<Algorithm> = version.file.unwrap().digests.iter().map(|d| d.algorithm()).collect();
    assert_eq!(digests, [Algorithm::Md5, Algorithm::Sha256]);
}
