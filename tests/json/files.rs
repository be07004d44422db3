//! Changes of files: under the lock, whole, kept in the history.

use electrus::atomic::Condition;
use electrus::checksum::{Algorithm, of_bytes};
use electrus::error::{Code, Error};
use electrus::json::{JsonFileHandler, parse};
use electrus::lock::{LockOptions, LockType, Timeout};
use electrus::path::Follow;
use electrus::workspace::{ChangeOptions, Hold, OpenOptions};
use serde_json::Value;
use std::fs;

struct Folder {
    root: tempfile::TempDir,
    handler: JsonFileHandler,
}

fn folder() -> Folder {
    let root = tempfile::tempdir().unwrap();
    let handler = JsonFileHandler::open(root.path(), &OpenOptions::default()).unwrap();
    Folder { root, handler }
}

impl Folder {
    fn put(&self, name: &str, text: &str) {
        fs::write(self.root.path().join(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.root.path().join(name)).unwrap()
    }
}

fn json(text: &str) -> Value {
    parse(text.as_bytes()).unwrap()
}

fn options<'a>() -> ChangeOptions<'a> {
    ChangeOptions::default()
}

#[test]
fn a_document_is_read_as_it_was_written() {
    let folder = folder();
    let document = json(r#"{"z": 1.10, "a": [1E5, null], "漢": "😀"}"#);
    let written = folder.handler.write("sub/config.json", &document, options()).unwrap();
    let checksum = written.checksum.unwrap();
    let read = folder.handler.read("sub/config.json", Some(&checksum)).unwrap();
    assert_eq!((read.data, read.size, read.checksum), (document, written.size, checksum));
    assert_eq!(written.version, Some(1));
    let part = folder.handler.get("sub/config.json", "/a/0").unwrap();
    assert_eq!(part.data.to_string(), "1E5");
    assert_eq!(folder.handler.get("sub/config.json", "/b").unwrap_err().code(), Code::PointerNotFound);
    let other = of_bytes(Algorithm::Md5, b"other");
    assert_eq!(folder.handler.read("sub/config.json", Some(&other)).unwrap_err().code(), Code::ChecksumMismatch);
    assert_eq!(folder.handler.read("none.json", None).unwrap_err().code(), Code::NotFound);
}

#[test]
fn what_is_not_json_is_named_with_its_place_and_left_alone() {
    let folder = folder();
    folder.put("bad.json", "{\"a\": 1,\n\"a\": 2}");
    for error in [
        folder.handler.read("bad.json", None).unwrap_err(),
        folder.handler.set("bad.json", "/b", &json("1"), options()).unwrap_err(),
        folder.handler.merge("bad.json", &json("{}"), options()).unwrap_err(),
        folder.handler.patch("bad.json", &json("[]"), options()).unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::InvalidJson);
        assert!(error.to_string().contains("bad.json: line 2, column 1: "), "{error}");
    }
    assert_eq!(folder.text("bad.json"), "{\"a\": 1,\n\"a\": 2}");
    let changed = folder.handler.write("bad.json", &json("{}"), options()).unwrap();
    assert_eq!(folder.text("bad.json"), "{}\n");
    assert_eq!((changed.outside_edit, changed.version), (Some(1), Some(2)));
}

#[test]
fn changes_touch_only_what_they_name() {
    let folder = folder();
    folder.put("f.json", r#"{"z":1.10,"y":{"b":1,"a":2},"x":[1,2]}"#);
    folder.handler.set("f.json", "/y/b", &json("1E2"), options()).unwrap();
    folder.handler.merge("f.json", &json(r#"{"y":{"a":null},"new":true}"#), options()).unwrap();
    let patch = json(r#"[{"op":"test","path":"/y/b","value":100},{"op":"add","path":"/x/0","value":0}]"#);
    let changed = folder.handler.patch("f.json", &patch, options()).unwrap();
    assert_eq!(json(&folder.text("f.json")).to_string(), r#"{"z":1.10,"y":{"b":1E2},"x":[0,1,2],"new":true}"#);
    assert_eq!(changed.version, Some(4));
    let error = folder.handler.patch("f.json", &json(r#"[{"op":"remove","path":"/q"}]"#), options()).unwrap_err();
    assert_eq!(error.code(), Code::PatchFailed);
    assert!(error.to_string().contains("operation 0"));
}

#[test]
fn a_missing_file_is_an_empty_object_to_set_and_merge_but_not_to_patch() {
    let folder = folder();
    folder.handler.set("a.json", "/k", &json("1"), options()).unwrap();
    folder.handler.merge("b.json", &json(r#"{"k":{"l":null}}"#), options()).unwrap();
    assert_eq!(folder.text("a.json"), "{\n  \"k\": 1\n}\n");
    assert_eq!(folder.text("b.json"), "{\n  \"k\": {}\n}\n");
    let patch = json(r#"[{"op":"add","path":"","value":{}}]"#);
    assert_eq!(folder.handler.patch("c.json", &patch, options()).unwrap_err().code(), Code::NotFound);
    assert!(!folder.root.path().join("c.json.lock").exists());
}

#[test]
fn a_condition_is_about_the_document_that_is_changed() {
    let folder = folder();
    folder.put("f.json", "{}");
    let only = |condition| ChangeOptions { condition, ..options() };
    let wrong = only(Condition::Checksum(of_bytes(Algorithm::Sha256, b"[]")));
    let right = only(Condition::Checksum(of_bytes(Algorithm::Sha256, b"{}")));
    let set = |name: &str, options| folder.handler.set(name, "/a", &json("1"), options).map_err(|e| e.code());
    assert_eq!(set("f.json", wrong).unwrap_err(), Code::Changed);
    assert_eq!(set("f.json", only(Condition::Absent)).unwrap_err(), Code::AlreadyExists);
    assert_eq!(folder.text("f.json"), "{}");
    set("f.json", right).unwrap();
    set("g.json", only(Condition::Absent)).unwrap();
}

#[test]
fn a_change_runs_under_the_lock_it_is_given_and_waits_for_others() {
    let folder = folder();
    let workspace = electrus::workspace::Workspace::open(folder.root.path(), &OpenOptions::default()).unwrap();
    let handler = JsonFileHandler::new(&workspace);
    let location = |name: &str| workspace.base().resolve(name, Follow::Whole).unwrap();
    let owner = electrus::lock::Owner::new();
    let lock = LockOptions { owner, ..LockOptions::default() };
    let guard = workspace.locks().acquire(&location("f.json"), LockType::Exclusive, &lock).unwrap();
    let under = ChangeOptions { hold: Hold::Use(&guard), ..options() };
    handler.set("f.json", "/a", &json("1"), under.clone()).unwrap();
    assert_eq!(handler.set("g.json", "/a", &json("1"), under).unwrap_err().code(), Code::NotLocked);
    let impatient = LockOptions { timeout: Timeout::Try, ..LockOptions::default() };
    let without = ChangeOptions { hold: Hold::Take(impatient), ..options() };
    assert_eq!(handler.set("f.json", "/a", &json("2"), without).unwrap_err().code(), Code::LockTimeout);
    assert_eq!(folder.text("f.json"), "{\n  \"a\": 1\n}\n");
}

#[test]
fn updates_of_many_threads_are_all_there() {
    let folder = folder();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let handler = folder.handler.clone();
            scope.spawn(move || {
                for n in 0..10 {
                    handler.set("count.json", &format!("/{thread}-{n}"), &json("true"), options()).unwrap();
                }
            });
        }
    });
    assert_eq!(folder.handler.read("count.json", None).unwrap().data.as_object().unwrap().len(), 40);
}

#[test]
fn an_edit_that_takes_no_lock_is_not_overwritten_unseen() {
    let folder = folder();
    folder.put("f.json", r#"{"n":1}"#);
    let path = folder.root.path().join("f.json");
    let mut calls = 0;
    folder
        .handler
        .update("f.json", options(), |document| {
            calls += 1;
            if calls == 1 {
                fs::write(&path, r#"{"n":1,"editor":true}"#).unwrap();
            }
            let mut document = document.unwrap();
            document["n"] = json("2");
            Ok(document)
        })
        .unwrap();
    assert_eq!(calls, 2);
    assert_eq!(json(&folder.text("f.json")).to_string(), r#"{"n":2,"editor":true}"#);
}

#[test]
fn a_change_that_fails_leaves_the_file() {
    let folder = folder();
    folder.put("f.json", "{}");
    let refuse = |_| Err(electrus::error::Error::message(Code::InvalidArgument, "no"));
    assert_eq!(folder.handler.update("f.json", options(), refuse).unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(folder.text("f.json"), "{}");
    fs::create_dir(folder.root.path().join("folder")).unwrap();
    assert_eq!(folder.handler.read("folder", None).unwrap_err().code(), Code::NotAFile);
}

/// A change that failed on a file that was not there left its folder and its lock file.
#[test]
fn a_change_that_fails_leaves_nothing_behind() {
    let folder = folder();
    let code = |answer: electrus::error::Result<electrus::workspace::Changed>| answer.unwrap_err().code();
    let refused = folder.handler.set("new/y.json", "/a/b/c", &json("1"), options());
    assert_eq!(code(refused), Code::PointerNotFound);
    assert_eq!(code(folder.handler.patch("new/y.json", &json("[]"), options())), Code::NotFound);
    let expecting = ChangeOptions { condition: Condition::Checksum(of_bytes(Algorithm::Sha256, b"x")), ..options() };
    assert_eq!(code(folder.handler.set("new/y.json", "/a", &json("1"), expecting)), Code::Changed);
    assert_eq!(code(folder.handler.set("y.json", "/a/b/c", &json("1"), options())), Code::PointerNotFound);
    assert_eq!(code(folder.handler.update("y.json", options(), |_| Err(Error::new(Code::Cancelled)))), Code::Cancelled);
    let left: Vec<_> = fs::read_dir(folder.root.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    folder.handler.set("new/y.json", "/a", &json("1"), options()).unwrap();
    assert_eq!(folder.text("new/y.json"), "{\n  \"a\": 1\n}\n");
}
