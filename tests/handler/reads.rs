//! Reading.

use super::*;
use electrus::checksum::{Algorithm, of_bytes};
use electrus::store::Which;
use std::fs;
use std::io::Read;

#[test]
fn a_read_is_checked_against_what_is_expected() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let written = write(&handler, "f", "content");
    let expect = |expected| ReadOptions { expected: Some(expected), ..ReadOptions::default() };
    let read = handler.secure_read("f", &expect(written.checksum.unwrap())).unwrap();
    assert_eq!(read.content, b"content");
    assert_eq!(read.checksum, of_bytes(Algorithm::Sha256, b"content"));
    let md5 = handler.secure_read("f", &expect(of_bytes(Algorithm::Md5, b"content"))).unwrap();
    assert_eq!(md5.checksum.algorithm(), Algorithm::Md5);
    let other = handler.secure_read("f", &expect(of_bytes(Algorithm::Sha256, b"other"))).unwrap_err();
    assert_eq!(other.code(), Code::ChecksumMismatch);
}

#[test]
fn reading_leaves_no_trace() {
    let tmp = tempfile::tempdir().unwrap();
    fs::write(tmp.path().join("f"), "x").unwrap();
    let handler = open(tmp.path());
    assert_eq!(read(&handler, "f"), "x");
    handler.metadata("f", Algorithm::Md5).unwrap();
    handler.open_stream("f", None).unwrap();
    handler.close().unwrap();
    drop(handler);
    let left: Vec<_> = fs::read_dir(tmp.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["f"]);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_without_waiting() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    fs::create_dir(tmp.path().join("folder")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(tmp.path().join("fifo")).status().unwrap();
    assert!(made.success());
    crate::common::make_socket(&tmp.path().join("socket"));
    for name in ["folder", "fifo", "socket"] {
        let code = handler.secure_read(name, &ReadOptions::default()).unwrap_err().code();
        assert_eq!(code, Code::NotAFile, "{name}");
        assert_eq!(try_write(&handler, name, b"x"), Err(Code::NotAFile), "{name}");
        let deleted = handler.delete(name, ChangeOptions::default()).unwrap_err().code();
        assert_eq!(deleted, Code::NotAFile, "{name}");
        let taken = handler.versions().create_version(name, ChangeOptions::default()).unwrap_err().code();
        assert_eq!(taken, Code::NotAFile, "{name}");
    }
    assert_eq!(names(tmp.path()), ["fifo", "folder", "socket"]);
    assert_eq!(handler.secure_read("none", &ReadOptions::default()).unwrap_err().code(), Code::NotFound);
}

#[test]
fn versions_are_read_as_streams_too() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let large: String = (0..400_000).map(|n| format!("{n}\n")).collect();
    write(&handler, "f", &large);
    write(&handler, "f", "small");
    let (mut stream, size) = handler.open_stream("f", Some(&Which::Number(1))).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text == large && size == large.len() as u64);
    let options = ReadOptions { version: Some(Which::Number(1)), ..ReadOptions::default() };
    let read = handler.secure_read("f", &options).unwrap();
    assert_eq!(read.version, Some(1));
    assert!(read.content == large.as_bytes());
}

#[test]
fn metadata_tells_the_newest_version() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "d/f", "1");
    write(&handler, "d/f", "22");
    let metadata = handler.metadata("d/f", Algorithm::Sha256).unwrap();
    assert_eq!((metadata.filename.as_str(), metadata.size, metadata.version), ("f", 2, 2));
}
