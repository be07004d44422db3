//! Contents come back without this library: by coreutils, zstd and the format page.
#![cfg(unix)]

use electrus::handler::AdvancedFileHandler;
use electrus::workspace::{ChangeOptions, OpenOptions, Source};
use std::path::Path;
use std::process::Command;

fn by_hand(base: &Path, key: &str, number: u64) -> Vec<u8> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recovery/by-hand.sh");
    let out = Command::new(script).arg(base.join(".electrus")).arg(key).arg(number.to_string()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

#[test]
fn the_format_page_is_enough_to_recover_a_version() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = AdvancedFileHandler::open(tmp.path(), &OpenOptions::default()).unwrap();
    let write = |name: &str, data: &[u8]| {
        handler.secure_write(name, Source::Bytes(data), ChangeOptions::default()).unwrap();
    };
    let script = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recovery/by-hand.sh")).unwrap();
    let incompressible: Vec<u8> =
        (0..200_000u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 51) as u8).collect();
    write("notes.txt", b"first\n");
    write("notes.txt", &script);
    write("folder/data.bin", &incompressible);
    assert_eq!(by_hand(tmp.path(), "notes.txt", 1), b"first\n");
    assert_eq!(by_hand(tmp.path(), "notes.txt", 2), script);
    assert!(by_hand(tmp.path(), "folder/data.bin", 1) == incompressible);
}
