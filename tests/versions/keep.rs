//! Tags, retention and differences.

use super::*;
use electrus::error::Code;
use electrus::progress::Progress;
use electrus::store::Which;
use electrus::version::Retention;
use std::fs;
use std::time::Duration;

fn last(n: u64) -> Retention {
    Retention { keep_last: Some(n), ..Retention::default() }
}

fn prune(handler: &AdvancedFileHandler, name: &str, keep: &Retention) -> u64 {
    handler.prune(Some(Path::new(name)), keep, false, &Progress::new()).unwrap().versions
}

#[test]
fn pruned_numbers_are_never_used_again() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    for text in ["1", "2", "3", "4", "5"] {
        write(&handler, "f", text);
        write(&handler, "g", text);
    }
    assert_eq!(prune(&handler, "f", &last(2)), 3);
    assert_eq!(history(&handler, "f"), ["4 write", "5 write"]);
    assert_eq!(contents(&handler, "f"), ["4", "5"]);
    assert_eq!(contents(&handler, "g"), ["1", "2", "3", "4", "5"]);
    handler.delete("f", ChangeOptions::default()).unwrap();
    assert_eq!(prune(&handler, "f", &last(0)), 1);
    drop(handler);
    let handler = open(tmp.path());
    assert_eq!(write(&handler, "f", "7").version, Some(7));
    assert_eq!(handler.verify(&Progress::new()).unwrap().damaged, []);
}

#[test]
fn the_newest_content_and_the_tagged_stay_whatever_the_rule() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    for text in ["1", "2", "3"] {
        write(&handler, "f", text);
    }
    handler.versions().tag("f", 1, "first", true).unwrap();
    handler.delete("f", ChangeOptions::default()).unwrap();
    prune(&handler, "f", &last(0));
    assert_eq!(history(&handler, "f"), ["1 write", "3 write", "4 delete"]);
    let manager = handler.versions();
    let tagged = manager.which("f", "first").unwrap();
    assert_eq!(manager.read_version("f", &tagged).unwrap(), b"1");
}

#[test]
fn a_version_stays_if_any_rule_keeps_it() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    for text in ["aaaa", "bbb", "cc", "d"] {
        write(&handler, "f", text);
    }
    let bytes = Retention { keep_under: Some(6), ..Retention::default() };
    assert_eq!(prune(&handler, "f", &bytes), 1);
    let young = Retention { keep_within: Some(Duration::from_secs(3600)), ..last(1) };
    assert_eq!(prune(&handler, "f", &young), 0);
    assert_eq!(contents(&handler, "f"), ["bbb", "cc", "d"]);
    let none = handler.prune(None, &Retention::default(), false, &Progress::new()).unwrap_err();
    assert_eq!(none.code(), Code::InvalidArgument);
    let unknown = handler.prune(Some(Path::new("none")), &last(1), false, &Progress::new()).unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

#[test]
fn pruning_all_files_touches_each() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    for name in ["a", "b", "c/d"] {
        write(&handler, name, "1");
        write(&handler, name, "2");
    }
    assert_eq!(handler.prune(None, &last(1), false, &Progress::new()).unwrap().versions, 3);
    for name in ["a", "b", "c/d"] {
        assert_eq!(contents(&handler, name), ["2"]);
    }
}

#[test]
fn a_tag_names_one_version() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "f", "1");
    write(&handler, "f", "2");
    let manager = handler.versions();
    let tag = |number, tag: &str, set| manager.tag("f", number, tag, set).map_err(|e| e.code());
    assert_eq!(tag(1, "release", true), Ok(()));
    assert_eq!(tag(1, "release", true), Ok(()));
    assert_eq!(tag(2, "release", true), Err(Code::AlreadyExists));
    assert_eq!(tag(2, "release", false), Err(Code::VersionNotFound));
    assert_eq!(tag(1, "release", false), Ok(()));
    assert_eq!(tag(2, "release", true), Ok(()));
    assert_eq!(tag(3, "other", true), Err(Code::VersionNotFound));
    for bad in ["", "a\nb", &"x".repeat(256)] {
        assert_eq!(tag(1, bad, true), Err(Code::InvalidArgument));
    }
    let tags: Vec<_> = manager.list_versions("f").unwrap().into_iter().map(|v| v.tags).collect();
    assert_eq!(tags, [vec![], vec!["release".to_owned()]]);
    assert_eq!(manager.which("f", "release").and_then(|w| manager.read_version("f", &w)).unwrap(), b"2");
    assert_eq!(manager.which("f", "none").unwrap_err().code(), Code::VersionNotFound);
}

#[test]
fn a_diff_is_unified_for_text_and_a_sentence_for_the_rest() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "f", "one\ntwo\nthree\n");
    write(&handler, "f", "one\n2\nthree\n");
    let manager = handler.versions();
    let diff = |from, to: Option<u64>| manager.diff("f", &Which::Number(from), to.map(Which::Number).as_ref()).unwrap();
    assert_eq!(diff(1, Some(2)), "--- f@1\n+++ f@2\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n");
    assert_eq!(diff(2, None), "");
    fs::write(tmp.path().join("f"), b"\0binary").unwrap();
    let words = diff(1, None);
    assert!(words.starts_with("f@1 (14 bytes, sha256 ") && words.contains("f (7 bytes, sha256 "), "{words}");
    handler.delete("f", ChangeOptions::default()).unwrap();
    assert_eq!(diff(2, Some(4)), "--- f@2\n+++ f@4\n@@ -1,3 +0,0 @@\n-one\n-2\n-three\n");
}
