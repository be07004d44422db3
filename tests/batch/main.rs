//! Batches: order where names meet, all cores where they do not, and failures that stay alone.

use electrus::error::Code;
use electrus::handler::AdvancedFileHandler;
use electrus::ops::{self, Batch, Contents, Input, Output};
use electrus::progress::Progress;
use electrus::workspace::OpenOptions;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

fn handler() -> (TempDir, AdvancedFileHandler) {
    let folder = tempfile::tempdir().unwrap();
    let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default()).unwrap();
    (folder, handler)
}

fn bytes(output: Output) -> Vec<u8> {
    match output {
        Output::Bytes(bytes) => bytes,
        Output::Stream(_) => panic!("this should be in memory"),
    }
}

#[test]
fn thousands_of_writes_all_land_with_their_versions() {
    let (folder, handler) = handler();
    let content = |i: usize| format!("content of file {i}\n").repeat(i % 50);
    let batch = (0..1200).fold(Batch::new(), |b, i| b.write(format!("d{}/f{i}", i % 20), content(i)));
    for (i, done) in batch.run(&handler, &Progress::new()).into_iter().enumerate() {
        assert_eq!(done.unwrap().result["version"], 1, "{i}");
    }
    for i in 0..1200 {
        assert_eq!(fs::read_to_string(folder.path().join(format!("d{}/f{i}", i % 20))).unwrap(), content(i));
    }
    let batch = (0..1200).fold(Batch::new(), |b, i| b.read(format!("d{}/f{i}", i % 20)));
    for (i, done) in batch.run(&handler, &Progress::new()).into_iter().enumerate() {
        assert_eq!(bytes(done.unwrap().output.pop().unwrap()), content(i).as_bytes());
    }
}

#[test]
fn one_that_fails_fails_alone_even_among_writes_that_share_a_flush() {
    let (folder, handler) = handler();
    fs::create_dir(folder.path().join("folder")).unwrap();
    let name = |i: usize| match i % 10 {
        3 => format!("../escape{i}"),
        7 => "folder".to_owned(),
        _ => format!("f{i}"),
    };
    let batch = (0..200).fold(Batch::new(), |b, i| b.write(name(i), "x"));
    for (i, done) in batch.run(&handler, &Progress::new()).into_iter().enumerate() {
        match i % 10 {
            3 => assert_eq!(done.unwrap_err().code(), Code::PathEscape),
            7 => assert_eq!(done.unwrap_err().code(), Code::NotAFile),
            _ => assert_eq!(done.unwrap().result["size"], 1),
        }
    }
}

#[test]
fn the_same_file_is_written_in_order_under_all_its_names() {
    let (folder, handler) = handler();
    fs::create_dir(folder.path().join("d")).unwrap();
    fs::write(folder.path().join("d/f"), "0").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("d", folder.path().join("link")).unwrap();
    #[cfg(not(unix))]
    fs::create_dir(folder.path().join("link")).unwrap();
    let names = ["d/f", "./d/../d/f", "link/f", "d//f"];
    let names: &[&str] = if cfg!(unix) { &names } else { &names[..2] };
    let mut batch = Batch::new();
    for i in 0..40 {
        batch = batch.write(names[i % names.len()], i.to_string()).read(names[(i / 2) % names.len()]);
    }
    let results = batch.run(&handler, &Progress::new());
    for (i, pair) in results.into_iter().map(Result::unwrap).collect::<Vec<_>>().chunks_mut(2).enumerate() {
        assert_eq!(pair[0].result["version"], i + 2, "the first was an edit by other means");
        assert_eq!(bytes(pair[1].output.pop().unwrap()), i.to_string().as_bytes());
    }
}

#[test]
fn a_name_whose_folder_does_not_exist_yet_is_touched_in_order_too() {
    let (_folder, handler) = handler();
    let mut batch = Batch::new();
    for i in 0..20 {
        let name = format!("new{}/deep/file", i % 3);
        batch = batch.write(&name, i.to_string()).read(format!("new{}/./deep/file", i % 3));
    }
    for (i, pair) in batch.run(&handler, &Progress::new()).chunks_mut(2).enumerate() {
        let read = pair[1].as_mut().unwrap().output.pop().unwrap();
        assert_eq!(bytes(read), i.to_string().as_bytes());
    }
}

#[test]
fn a_cancelled_batch_begins_nothing_more() {
    let (folder, handler) = handler();
    let progress = Progress::new();
    progress.cancel();
    let results = Batch::new().write("a", "x").write("b", "x").read("a").run(&handler, &progress);
    assert!(results.into_iter().all(|r| r.unwrap_err().code() == Code::Cancelled));
    assert!(!folder.path().join("a").exists());
}

#[test]
fn a_stream_serves_one_operation_and_bytes_serve_several() {
    let (folder, handler) = handler();
    let streamed = vec![7_u8; 300_000];
    let mut contents = Contents::default();
    contents.input.push(Input::Reader(Box::new(&streamed[..])));
    contents.input.push(Input::Bytes(b"shared"[..].into()));
    let request = json!({ "operations": [
        { "type": "write", "path": "a", "content": 0 },
        { "type": "write", "path": "b", "content": 0 },
        { "type": "write", "path": "c", "content": 1 },
        { "type": "write", "path": "d", "content": 1 },
    ]});
    let result = ops::dispatch(&handler, "batch", request, &mut contents, &Progress::new()).unwrap();
    let statuses: Vec<&Value> = result["results"].as_array().unwrap().iter().map(|r| &r["status"]).collect();
    assert_eq!(statuses, ["success", "error", "success", "success"]);
    assert_eq!(result["results"][1]["error"]["name"], "invalid_argument");
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), streamed);
    assert_eq!(fs::read(folder.path().join("d")).unwrap(), b"shared");
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_go_in_and_out() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let (folder, handler) = handler();
    let name = OsStr::from_bytes(b"caf\xe9\n.txt");
    let results = Batch::new().write(name, "x").read(name).run(&handler, &Progress::new());
    for done in results {
        let done = done.unwrap();
        let bytes = electrus::wire::from_base64(done.result["file_path_b64"].as_str().unwrap()).unwrap();
        assert!(bytes.ends_with(name.as_bytes()));
    }
    assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"x");
}
