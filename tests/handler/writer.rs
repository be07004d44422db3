//! The streaming writer, and copies.

use super::*;
use electrus::atomic::Condition;
use electrus::store::Which;
use std::fs;
use std::io::Write;

#[test]
fn content_in_pieces_appears_whole_at_the_commit() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "f", "old");
    let piece = [7u8; 100_000];
    let mut writer = handler.writer("f", ChangeOptions::default()).unwrap();
    for _ in 0..50 {
        writer.write_all(&piece).unwrap();
    }
    assert_eq!(read(&handler, "f"), "old");
    let changed = writer.commit().unwrap();
    assert_eq!((changed.size, changed.version), (5_000_000, Some(2)));
    let stored = handler.versions().read_version("f", &Which::Number(2)).unwrap();
    assert!(stored == fs::read(tmp.path().join("f")).unwrap() && stored.len() == 5_000_000);
}

#[test]
fn a_writer_that_is_given_up_leaves_everything_as_it_was() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "f", "old");
    let writer = || {
        let mut writer = handler.writer("f", ChangeOptions::default()).unwrap();
        writer.write_all(b"new").unwrap();
        writer
    };
    writer().abort().unwrap();
    drop(writer());
    assert_eq!(read(&handler, "f"), "old");
    assert_eq!(names(tmp.path()), ["f"]);
    assert_eq!(handler.versions().list_versions("f").unwrap().len(), 1);
}

#[test]
fn a_writers_condition_holds_at_its_commit() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let options = ChangeOptions { condition: Condition::Absent, ..ChangeOptions::default() };
    let writer = handler.writer("f", options).unwrap();
    write(&handler, "f", "theirs");
    assert_eq!(writer.commit().unwrap_err().code(), Code::AlreadyExists);
    assert_eq!(read(&handler, "f"), "theirs");
    assert_eq!(handler.versions().list_versions("f").unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn a_copy_has_content_and_mode() {
    use std::os::unix::fs::PermissionsExt;
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let large = "x".repeat(3_000_000);
    for (name, text) in [("small", "s"), ("large", large.as_str())] {
        fs::write(tmp.path().join(name), text).unwrap();
        fs::set_permissions(tmp.path().join(name), fs::Permissions::from_mode(0o750)).unwrap();
        let to = format!("copies/{name}");
        let changed = handler.copy(name, &to, ChangeOptions::default()).unwrap();
        assert_eq!((changed.version, changed.size), (Some(1), text.len() as u64));
        assert!(read(&handler, &to) == text);
        assert_eq!(fs::metadata(tmp.path().join(&to)).unwrap().permissions().mode() & 0o777, 0o750);
    }
    let same = handler.copy("small", "./small", ChangeOptions::default()).unwrap_err();
    assert_eq!(same.code(), Code::InvalidArgument);
    let missing = handler.copy("none", "other", ChangeOptions::default()).unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert_eq!(names(tmp.path()), ["copies", "large", "small"]);
}

#[test]
fn copies_in_both_directions_do_not_wait_for_each_other() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "a", "a");
    write(&handler, "b", "b");
    std::thread::scope(|scope| {
        for (from, to) in [("a", "b"), ("b", "a")] {
            let handler = &handler;
            scope.spawn(move || {
                for _ in 0..20 {
                    handler.copy(from, to, ChangeOptions::default()).unwrap();
                }
            });
        }
    });
    assert_eq!(read(&handler, "a"), read(&handler, "b"));
}
