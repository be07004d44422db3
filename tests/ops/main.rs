//! What the conformance cases cannot say: locks that the caller holds, streams, cancellation.

mod hostile;

use electrus::error::{Code, Error};
use electrus::handler::AdvancedFileHandler;
use electrus::lock::{LockOptions, LockType, Owner};
use electrus::ops::{self, Contents, Input, OPERATIONS, Output};
use electrus::progress::Progress;
use electrus::workspace::OpenOptions;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use tempfile::TempDir;

fn handler() -> (TempDir, AdvancedFileHandler) {
    let folder = tempfile::tempdir().unwrap();
    let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default()).unwrap();
    (folder, handler)
}

fn call(
    handler: &AdvancedFileHandler,
    operation: &str,
    request: Value,
    contents: &mut Contents<'_>,
) -> Result<Value, Error> {
    ops::dispatch(handler, operation, request, contents, &Progress::new())
}

fn bytes(content: &str) -> Vec<Input<'_>> {
    vec![Input::Bytes(content.as_bytes().into())]
}

#[test]
fn a_change_runs_under_a_lock_that_the_caller_holds() {
    let (folder, handler) = handler();
    fs::write(folder.path().join("a.json"), "{}").unwrap();
    let guard = handler.lock("a.json", LockType::Exclusive, &LockOptions::default()).unwrap();
    let mut contents = Contents { input: bytes("[]"), locks: vec![(7, &guard)], ..Contents::default() };
    for (operation, request) in [
        ("write", json!({"path": "a.json", "content": 0, "lock": 7})),
        ("json_merge", json!({"path": "a.json", "patch": {"x": 1}, "lock": 7})),
        ("snapshot", json!({"path": "a.json", "lock": 7})),
        ("restore", json!({"path": "a.json", "version": 1, "lock": 7})),
        ("batch", json!({"operations": [{"type": "write", "path": "a.json", "content": 0, "lock": 7}]})),
        ("transaction", json!({"operations": [{"type": "write", "path": "a.json", "content": 0, "lock": 7}]})),
        ("delete", json!({"path": "a.json", "lock": 7})),
    ] {
        let result = call(&handler, operation, request, &mut contents).unwrap();
        assert_ne!(result["results"][0]["status"], "error", "{operation}: {result}");
    }
    let elsewhere = json!({"path": "b", "content": 0, "lock": 7});
    assert_eq!(call(&handler, "write", elsewhere, &mut contents).unwrap_err().code(), Code::NotLocked);
}

#[test]
fn a_lock_that_is_held_is_told_and_waited_for_as_long_as_asked() {
    let (folder, handler) = handler();
    fs::write(folder.path().join("a"), "x").unwrap();
    let guard = handler.lock("a", LockType::Exclusive, &LockOptions::default()).unwrap();
    let told = call(&handler, "locks", json!({"path": "a"}), &mut Contents::default()).unwrap();
    assert_eq!(told["locked"], true);
    assert_eq!(told["holders"][0]["pid"], std::process::id());
    assert_eq!(told["holders"][0]["type"], "exclusive");

    let write = json!({"path": "a", "content": 0, "timeout": 0.01});
    let mut same = Contents { input: bytes("y"), ..Contents::default() };
    assert_eq!(call(&handler, "write", write.clone(), &mut same).unwrap_err().code(), Code::WouldDeadlock);
    let mut other = Contents { input: bytes("y"), owner: Some(Owner::new()), ..Contents::default() };
    let error = call(&handler, "write", write.clone(), &mut other).unwrap_err();
    assert_eq!(error.code(), Code::LockTimeout);
    let batch = json!({"operations": [{"type": "write", "path": "a", "content": 0, "timeout": 0}]});
    let result = call(&handler, "batch", batch, &mut other).unwrap();
    assert_eq!(result["results"][0]["error"]["name"], "lock_timeout");
    guard.release().unwrap();
    call(&handler, "write", write, &mut other).unwrap();
}

#[test]
fn a_large_content_that_changes_in_place_while_it_is_taken_is_an_error() {
    let (folder, handler) = handler();
    let path = folder.path().join("large");
    let size = 9 << 20;
    fs::write(&path, vec![1; size]).unwrap();
    let mut contents = Contents::default();
    call(&handler, "read", json!({"path": "large"}), &mut contents).unwrap();
    call(&handler, "read", json!({"path": "large"}), &mut contents).unwrap();
    let mut streams = contents.output.into_iter().map(|output| match output {
        Output::Stream(stream) => stream,
        Output::Bytes(_) => panic!("this is too large for memory"),
    });
    let mut taken = Vec::new();
    streams.next().unwrap().read_to_end(&mut taken).unwrap();
    assert_eq!(taken.len(), size);
    fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(b"edited in place").unwrap();
    let error = streams.next().unwrap().read_to_end(&mut taken).unwrap_err();
    assert_eq!(Error::from(error).code(), Code::ChangedWhileRead);
}

#[test]
fn a_transaction_takes_streams_and_bytes_that_several_name() {
    let (folder, handler) = handler();
    let streamed = vec![9_u8; 200_000];
    let input = vec![Input::Reader(Box::new(&streamed[..])), Input::Bytes(b"both"[..].into())];
    let mut contents = Contents { input, ..Contents::default() };
    let request = json!({"operations": [
        {"type": "write", "path": "a", "content": 0},
        {"type": "write", "path": "b", "content": 1},
        {"type": "write", "path": "c", "content": 1},
    ]});
    call(&handler, "transaction", request, &mut contents).unwrap();
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), streamed);
    assert_eq!(fs::read(folder.path().join("c")).unwrap(), b"both");
    for (operation, request) in [
        ("transaction", json!({"operations": [{"type": "write", "path": "d", "content": 0}]})),
        ("write", json!({"path": "d", "content": 0})),
    ] {
        assert_eq!(call(&handler, operation, request, &mut contents).unwrap_err().code(), Code::InvalidArgument);
    }
    assert!(!folder.path().join("d").exists(), "a stream that was taken is not an empty one");
}

#[test]
fn a_version_can_be_read_after_its_folder_is_gone() {
    let (folder, handler) = handler();
    let mut contents = Contents { input: bytes("kept"), ..Contents::default() };
    call(&handler, "write", json!({"path": "d/a", "content": 0}), &mut contents).unwrap();
    fs::remove_dir_all(folder.path().join("d")).unwrap();
    for (operation, request) in [
        ("read", json!({"path": "d/a", "version": 1})),
        ("versions", json!({"path": "d/a"})),
        ("tag", json!({"path": "d/a", "version": 1, "tag": "good"})),
        ("restore", json!({"path": "d/a", "version": 1})),
    ] {
        call(&handler, operation, request, &mut contents).unwrap_or_else(|e| panic!("{operation}: {e:?}"));
    }
    assert_eq!(fs::read(folder.path().join("d/a")).unwrap(), b"kept");
}

#[test]
fn an_operation_that_does_not_exist_is_named() {
    let (_folder, handler) = handler();
    let error = call(&handler, "fly", json!({}), &mut Contents::default()).unwrap_err();
    assert_eq!(error.code(), Code::UnknownOption);
    assert!(error.words().contains("fly"));
}

#[test]
fn what_changes_something_is_refused_on_a_read_only_handler_and_the_rest_is_not() {
    let (folder, handler) = handler();
    let mut contents = Contents { input: bytes("{}"), ..Contents::default() };
    call(&handler, "write", json!({"path": "a", "content": 0}), &mut contents).unwrap();
    call(&handler, "backup_create", json!({"name": "n", "paths": ["a"]}), &mut contents).unwrap();
    handler.close().unwrap();
    let options = OpenOptions { read_only: true, ..OpenOptions::default() };
    let handler = AdvancedFileHandler::open(folder.path(), &options).unwrap();
    for operation in OPERATIONS.iter().filter(|o| !["batch", "import"].contains(&o.name)) {
        let values = json!({
            "path": "a", "content": 0, "source": "a", "destination": "b", "version": 1, "from": 1, "tag": "t", "name": "n",
            "keep_last": 1, "data": 1, "pointer": "", "value": 1, "patch": [], "operations": [], "paths": ["a"],
        });
        let needed = operation.options().filter_map(|f| Some((f.key.to_owned(), values.get(f.key)?.clone())));
        let request: serde_json::Map<String, Value> = needed.collect();
        let result = call(&handler, operation.name, Value::Object(request.clone()), &mut contents);
        match result {
            Err(error) => {
                assert!(operation.changes, "{}: {error:?}", operation.name);
                assert_eq!(error.code(), Code::ReadOnly, "{}: {error:?}", operation.name);
            }
            Ok(result) => assert!(!operation.changes, "{} {request:?}: {result}", operation.name),
        }
    }
}

#[test]
fn verify_reads_the_backups_beneath_the_store_too() {
    let (folder, handler) = handler();
    fs::write(folder.path().join("a"), "to be kept").unwrap();
    call(&handler, "backup_create", json!({"name": "b", "paths": ["a"]}), &mut Contents::default()).unwrap();
    let verified = call(&handler, "verify", json!({}), &mut Contents::default()).unwrap();
    assert_eq!((&verified["ok"], &verified["backups"]), (&json!(true), &json!(1)));
    let backups = folder.path().join(".electrus/backups");
    let mut files: Vec<_> = walkdir::WalkDir::new(&backups).into_iter().map(Result::unwrap).collect();
    files.retain(|entry| entry.file_type().is_file() && entry.metadata().unwrap().len() > 0);
    for file in files {
        let mut content = fs::read(file.path()).unwrap();
        content[0] ^= 1;
        fs::write(file.path(), &content).unwrap();
        let verified = call(&handler, "verify", json!({}), &mut Contents::default()).unwrap();
        assert_eq!(verified["ok"], false, "{:?}", file.path());
        let named = verified["damaged"][0]["file"].as_str().unwrap();
        assert!(named.starts_with("backups/"), "{named}");
        content[0] ^= 1;
        fs::write(file.path(), &content).unwrap();
    }
}
