//! Writes that go together.

use super::*;
use electrus::atomic::{Condition, Durability};
use electrus::checksum::{Algorithm, of_bytes};
use electrus::store::Which;
use electrus::workspace::Change;
use std::fs;

fn change<'s>(handler: &AdvancedFileHandler, name: &str, content: &'s [u8]) -> Change<'s, 'static> {
    Change {
        location: handler.workspace().base().resolve_creating(name, true).unwrap(),
        source: Source::Bytes(content),
        options: ChangeOptions::default(),
    }
}

#[test]
fn each_of_a_group_is_as_if_it_were_alone() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    for n in (0..60).step_by(3) {
        fs::create_dir_all(tmp.path().join(format!("d{}", n % 5))).unwrap();
        fs::write(tmp.path().join(format!("d{}/f{n}", n % 5)), format!("old {n}")).unwrap();
    }
    let contents: Vec<String> = (0..60).map(|n| format!("new {n}")).collect();
    let changes = (0..60).map(|n| change(&handler, &format!("d{}/f{n}", n % 5), contents[n].as_bytes()));
    let results = handler.workspace().write_many(changes.collect());
    for (n, result) in results.into_iter().enumerate() {
        let changed = result.unwrap();
        let existed = n % 3 == 0;
        assert_eq!(changed.outside_edit, existed.then_some(1), "{n}");
        assert_eq!(changed.version, Some(if existed { 2 } else { 1 }), "{n}");
        assert_eq!(changed.durability, Durability::Full);
        assert_eq!(changed.checksum, Some(of_bytes(Algorithm::Sha256, contents[n].as_bytes())));
        let name = format!("d{}/f{n}", n % 5);
        assert_eq!(read(&handler, &name), contents[n]);
        if existed {
            let old = handler.versions().read_version(&name, &Which::Number(1)).unwrap();
            assert_eq!(old, format!("old {n}").as_bytes());
        }
    }
    for folder in 0..5 {
        assert_eq!(names(&tmp.path().join(format!("d{folder}"))).len(), 12);
    }
}

#[test]
fn one_that_fails_fails_alone() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    fs::create_dir(tmp.path().join("folder")).unwrap();
    fs::write(tmp.path().join("there"), "x").unwrap();
    let mut failing = FailingReader;
    let mut changes: Vec<Change> = (0..20).map(|n| change(&handler, &format!("f{n:02}"), b"x")).collect();
    changes[3] = change(&handler, "folder", b"x");
    changes[7] = change(&handler, "there", b"x");
    changes[7].options.condition = Condition::Absent;
    changes[11].source = Source::Reader(&mut failing);
    changes[15].options.condition = Condition::Checksum(of_bytes(Algorithm::Sha256, b"never"));
    let results = handler.workspace().write_many(changes);
    let codes: Vec<Option<Code>> = results.iter().map(|r| r.as_ref().err().map(|e| e.code())).collect();
    for (n, code) in codes.into_iter().enumerate() {
        let expected = match n {
            3 => Some(Code::NotAFile),
            7 => Some(Code::AlreadyExists),
            11 => Some(Code::Io),
            15 => Some(Code::Changed),
            _ => None,
        };
        assert_eq!(code, expected, "{n}");
    }
    assert_eq!(names(tmp.path()).len(), 18);
    assert!(handler.versions().list_versions("there").unwrap().is_empty());
}

struct FailingReader;

impl std::io::Read for FailingReader {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("the source is gone"))
    }
}

#[test]
fn a_name_that_comes_twice_is_written_twice_in_order() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let texts: Vec<String> = (0..12).map(|n| n.to_string()).collect();
    let changes = texts.iter().enumerate().map(|(n, text)| change(&handler, ["b", "a"][n % 2], text.as_bytes()));
    let numbers: Vec<u64> =
        handler.workspace().write_many(changes.collect()).into_iter().map(|r| r.unwrap().version.unwrap()).collect();
    assert_eq!(numbers, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
    assert_eq!((read(&handler, "a"), read(&handler, "b")), ("11".into(), "10".into()));
}

#[test]
fn durability_is_told_as_it_was_achieved() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let all = [Durability::None, Durability::Data, Durability::Full];
    for count in [1, 3, 30] {
        let mut changes: Vec<Change> = (0..count).map(|n| change(&handler, &format!("{count}-{n}"), b"x")).collect();
        for (n, change) in changes.iter_mut().enumerate() {
            change.options.durability = all[n % 3];
        }
        for (n, result) in handler.workspace().write_many(changes).into_iter().enumerate() {
            assert_eq!(result.unwrap().durability, all[n % 3], "{n} of {count}");
        }
    }
}
