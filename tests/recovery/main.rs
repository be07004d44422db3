//! Contents come back without this library: by dd, zstd, sha256sum and the format page.
#![cfg(target_os = "linux")]

use electrus::handler::AdvancedFileHandler;
use electrus::workspace::{ChangeOptions, OpenOptions, Source};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recovery/by-hand.sh")
}

fn by_hand(base: &Path, key: &str, number: u64) -> Output {
    Command::new(script()).arg(base.join(".electrus")).arg(key).arg(number.to_string()).output().unwrap()
}

fn recovered(base: &Path, key: &str, number: u64) -> Vec<u8> {
    let out = by_hand(base, key, number);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// Bytes that do not compress and do not repeat.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

fn opened(base: &Path) -> AdvancedFileHandler {
    AdvancedFileHandler::open(base, &OpenOptions::default()).unwrap()
}

fn write(handler: &AdvancedFileHandler, name: &str, data: &[u8]) {
    handler.secure_write(name, Source::Bytes(data), ChangeOptions::default()).unwrap();
}

#[test]
fn the_format_page_is_enough_to_recover_a_version() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = opened(tmp.path());
    let text = std::fs::read(script()).unwrap();
    write(&handler, "notes.txt", b"first\n");
    write(&handler, "notes.txt", &text);
    write(&handler, "folder/data.bin", &noise(200_000));
    assert_eq!(recovered(tmp.path(), "notes.txt", 1), b"first\n");
    assert_eq!(recovered(tmp.path(), "notes.txt", 2), text);
    assert!(recovered(tmp.path(), "folder/data.bin", 1) == noise(200_000));
    assert!(!by_hand(tmp.path(), "notes.txt", 3).status.success(), "there is none");
}

/// More than 64 chunks: a list of them stands in place of the data.
#[test]
fn a_long_content_is_recovered_by_way_of_its_list() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = opened(tmp.path());
    let content = noise(3 << 20);
    write(&handler, "long", &content);
    let versions = handler.versions().list_versions("long").unwrap();
    assert_eq!(versions[0].file.as_ref().unwrap().content.depth, 1);
    assert!(recovered(tmp.path(), "long", 1) == content);
}

#[test]
fn what_is_damaged_is_found_by_its_digest() {
    let tmp = tempfile::tempdir().unwrap();
    let content = noise(50_000);
    write(&opened(tmp.path()), "f", &content);
    let segments = std::fs::read_dir(tmp.path().join(".electrus/segments")).unwrap();
    let path = segments.map(|e| e.unwrap().path()).next().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(64).position(|window| window == &content[40_000..40_064]).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let out = by_hand(tmp.path(), "f", 1);
    assert!(!out.status.success() && out.stdout.is_empty());
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(told.contains("content: FAILED"), "{told}");
}
