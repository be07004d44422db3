//! `FileMetadata` against stat(1), and its version number against the store.
#![cfg(target_os = "linux")]

use electrus::checksum::Algorithm;
use electrus::error::Code;
use electrus::handler::AdvancedFileHandler;
use electrus::metadata::FileMetadata;
use electrus::path::Follow;
use electrus::workspace::{ChangeOptions, OpenOptions, Source};
use std::path::Path;
use std::process::Command;

fn of(handler: &AdvancedFileHandler, name: &str) -> electrus::error::Result<FileMetadata> {
    let location = handler.workspace().base().resolve(name, Follow::Whole)?;
    FileMetadata::of(handler.workspace(), &location, Algorithm::Sha256)
}

/// What stat(1) prints for a format.
fn stat(path: &Path, format: &str) -> String {
    let output = Command::new("stat").args(["--format", format]).arg(path).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// `date` turns what stat(1) prints into RFC 3339, in UTC with offset.
fn in_utc(time: &str) -> String {
    let output = Command::new("date").args(["--utc", "--rfc-3339=ns", "--date", time]).output().unwrap();
    assert!(output.status.success(), "{time}");
    String::from_utf8(output.stdout).unwrap().trim().replace(' ', "T")
}

#[test]
fn the_fields_are_what_stat_says() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = AdvancedFileHandler::open(tmp.path(), &OpenOptions::default()).unwrap();
    let path = tmp.path().join("folder/my file");
    handler.secure_write("folder/my file", Source::Bytes(b"content"), ChangeOptions::default()).unwrap();
    assert!(
        Command::new("touch")
            .args(["--date", "2024-02-29 12:34:56.789012345 -0700"])
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    assert!(Command::new("chmod").arg("640").arg(&path).status().unwrap().success());

    let found = of(&handler, "folder/my file").unwrap();
    assert_eq!(found.filename, "my file");
    assert_eq!(found.size.to_string(), stat(&path, "%s"));
    assert_eq!(found.permissions, stat(&path, "%a"));
    assert_eq!(found.modified_at.to_rfc3339(), in_utc(&stat(&path, "%y")));
    assert_eq!(found.modified_at.to_rfc3339(), "2024-02-29T19:34:56.789012345+00:00");
    match stat(&path, "%w").as_str() {
        "-" => assert_eq!(found.created_at, found.modified_at), // this file system keeps no birth times
        born => {
            let found = electrus::time::Timestamp::parse(&found.created_at.to_rfc3339()).unwrap();
            assert_eq!(found, electrus::time::Timestamp::parse(&in_utc(born)).unwrap());
        }
    }
}

#[test]
fn the_version_is_the_newest_in_the_store_and_0_without_history() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = AdvancedFileHandler::open(tmp.path(), &OpenOptions::default()).unwrap();
    std::fs::write(tmp.path().join("f"), "by an editor").unwrap();
    assert_eq!(of(&handler, "f").unwrap().version, 0);
    assert!(!tmp.path().join(".electrus").exists(), "asking makes no store");
    for content in ["one", "two"] {
        let written = handler.secure_write("f", Source::Bytes(content.as_bytes()), ChangeOptions::default()).unwrap();
        let found = of(&handler, "f").unwrap();
        assert_eq!(Some(found.version), written.version);
        assert_eq!(Some(found.digest().unwrap()), written.checksum);
    }
    assert_eq!(of(&handler, "f").unwrap().version, 3, "what the editor wrote is a version too");
    assert_eq!(of(&handler, "nothing").unwrap_err().code(), Code::NotFound);
    assert_eq!(of(&handler, "../f").unwrap_err().code(), Code::PathEscape);
}
