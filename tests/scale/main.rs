//! What things cost as a store grows: counted in bytes and system calls, never in time.
#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;

use electrus::atomic::Durability;
use electrus::checksum::Algorithm;
use electrus::handler::AdvancedFileHandler;
use electrus::store::Which;
use electrus::workspace::{ChangeOptions, OpenOptions, Source};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

/// What is counted is of the whole process: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn open(base: &Path) -> AdvancedFileHandler {
    AdvancedFileHandler::open(base, &OpenOptions::default()).unwrap()
}

/// System calls and bytes of reads and writes of this process so far.
fn cost() -> [u64; 4] {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    ["syscr", "syscw", "rchar", "wchar"].map(|name| {
        let line = io.lines().find(|l| l.starts_with(name)).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    })
}

fn store_size(base: &Path) -> u64 {
    let files = walkdir::WalkDir::new(base.join(".electrus")).into_iter().map(|e| e.unwrap().metadata().unwrap());
    files.filter(|m| m.is_file()).map(|m| m.len()).sum()
}

/// Bytes that do not compress and do not repeat.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// A folder with room: that of the temporary files may be in memory.
fn roomy_folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn text(round: u64) -> String {
    format!("{round} {}", "some text that stays as it is ".repeat(20))
}

fn write(handler: &AdvancedFileHandler, round: u64) {
    // Flushes are the same for each; without them the count is quick.
    let options = ChangeOptions { durability: Durability::None, ..ChangeOptions::default() };
    handler.secure_write("f", Source::Bytes(text(round).as_bytes()), options).unwrap();
}

#[test]
fn the_last_of_ten_thousand_versions_cost_what_the_first_did() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let mut marks = Vec::new();
    for round in 0..10_000u64 {
        if round % 100 == 0 {
            marks.push(cost());
        }
        write(&handler, round);
    }
    marks.push(cost());
    let hundred = |n: usize| -> Vec<u64> { marks[n + 1].iter().zip(marks[n]).map(|(b, a)| b - a).collect() };
    // Every few hundred versions the index is written: a typical hundred is the middle one of nine.
    let typical = |from: usize| -> Vec<u64> {
        (0..4)
            .map(|what| {
                let mut costs: Vec<u64> = (from..from + 9).map(|n| hundred(n)[what]).collect();
                costs.sort_unstable();
                costs[4]
            })
            .collect()
    };
    for (what, (first, last)) in typical(0).into_iter().zip(typical(91)).enumerate() {
        let name = ["reads", "writes", "bytes read", "bytes written"][what];
        println!("{name}: {first} for a hundred of the first, {last} for a hundred of the last");
        assert!(last * 2 <= first * 3, "{name}: {first} for the first, {last} for the last hundred");
    }
    assert_eq!(handler.versions().list_versions("f").unwrap().len(), 10_000);
    let first = handler.versions().read_version("f", &Which::Number(1)).unwrap();
    assert!(first.starts_with(b"0 some text"));
}

/// The calls on files that a command makes from its start to its end: the same ones in every run.
#[cfg(feature = "cli")]
fn calls(base: &Path, arguments: &[&str]) -> u64 {
    let counts = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-e", "trace=%file,%desc", "-o"]).arg(counts.path()).arg(env!("CARGO_BIN_EXE_electrus"));
    let output = strace.args(arguments).current_dir(base).env_remove("ELECTRUS_LOCK").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let table = std::fs::read_to_string(counts.path()).unwrap();
    let total = table.lines().find(|line| line.ends_with(" total")).unwrap();
    total.split_whitespace().nth(3).unwrap().parse().unwrap()
}

/// What a new handler costs that tells the newest version of a file.
fn opening(base: &Path) -> [u64; 4] {
    let before = cost();
    assert!(open(base).metadata("f", Algorithm::Sha256).unwrap().version > 0);
    let after = cost();
    [0, 1, 2, 3].map(|n| after[n] - before[n])
}

#[cfg(feature = "cli")]
#[test]
fn programs_make_the_same_calls_at_the_tenth_version_and_at_the_ten_thousandth() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    if !common::can_trace() {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    for (from, to) in [(0, 10), (10, 10_000)] {
        let handler = open(tmp.path());
        (from..to).for_each(|round| write(&handler, round));
        handler.close().unwrap();
        drop(handler);
        let write = calls(tmp.path(), &["write", "f", "--text", "other"]);
        let stat = calls(tmp.path(), &["stat", "f"]);
        let read = calls(tmp.path(), &["read", "f", "--version", "1"]);
        let open = opening(tmp.path());
        println!("at {to}: write {write}, stat {stat}, read {read} calls; opening {open:?}");
        found.push([write, stat, read, open[0], open[1], open[2]]);
    }
    for (first, last) in found[0].into_iter().zip(found[1]).take(5) {
        assert!(last <= first + 20, "{found:?}");
    }
    // Bytes depend on how long ago the index was written, and not on how much there is.
    assert!(found[1][5] <= found[0][5] + (512 << 10), "{found:?}");
}

/// Makes a file without a pattern.
fn fill(path: &Path, whole: u64) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for block in 0..whole >> 20 {
        file.write_all(&noise(block, 1 << 20)).unwrap();
    }
    file.flush().unwrap();
}

/// Overwrites so many bytes in each of so many places all over a file.
fn edit(path: &Path, whole: u64, places: u64, bytes: u64) {
    let mut file = File::options().write(true).open(path).unwrap();
    let span = whole / places;
    for place in 0..places {
        let offset = place * span + (place * 2_654_435_761) % (span - bytes);
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(&noise(1 << 40 | bytes << 20 | place, bytes as usize)).unwrap();
    }
}

/// Inserts 100 bytes in so many places.
fn insert(path: &Path, whole: u64, places: u64) {
    let old = path.with_file_name("old");
    std::fs::rename(path, &old).unwrap();
    let mut old_file = File::open(&old).unwrap();
    let mut file = BufWriter::new(File::create(path).unwrap());
    let step = whole / places;
    for place in 0..places {
        std::io::copy(&mut (&mut old_file).take(step / 3), &mut file).unwrap();
        file.write_all(&noise(1 << 41 | place, 100)).unwrap();
        std::io::copy(&mut (&mut old_file).take(step - step / 3), &mut file).unwrap();
    }
    file.flush().unwrap();
    std::fs::remove_file(old).unwrap();
}

/// How much the store grows by a version of what stands there now.
fn growth(handler: &AdvancedFileHandler, base: &Path, whole: u64, what: &str) -> u64 {
    let before = store_size(base);
    handler.versions().create_version("big", ChangeOptions::default()).unwrap();
    let growth = store_size(base) - before;
    println!("{what}: {} MiB grew by {} KiB, {:.2} %", whole >> 20, growth >> 10, growth as f64 * 100.0 / whole as f64);
    growth
}

/// 1 GiB, 1 % of it edited in 256 places of 42 KB, and 8 insertions of 100 bytes.
#[test]
fn an_edit_of_one_percent_grows_the_store_by_at_most_three() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let whole = 1u64 << 30;
    let tmp = roomy_folder();
    let handler = open(tmp.path());
    let source = tmp.path().join("big");
    fill(&source, whole);
    handler.versions().create_version("big", ChangeOptions::default()).unwrap();
    edit(&source, whole, 256, 42_000);
    insert(&source, whole, 8);
    let growth = growth(&handler, tmp.path(), whole, "256 edits of 42 KB and 8 insertions");
    assert!(growth * 100 <= whole * 3, "{growth} bytes more for an edit of {} bytes", whole / 100);
    let (_, mut stored) = handler.versions().open_version("big", &Which::Number(2)).unwrap();
    let mut expected = File::open(&source).unwrap();
    assert!(same(&mut stored, &mut expected));
}

/// Each small edit costs the chunks that it touches, however little of them it changes: measured, without a target.
#[test]
fn edits_of_4_kib_are_measured() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let whole = 64u64 << 20;
    let tmp = roomy_folder();
    let handler = open(tmp.path());
    let source = tmp.path().join("big");
    fill(&source, whole);
    handler.versions().create_version("big", ChangeOptions::default()).unwrap();
    edit(&source, whole, whole / 100 / 4096, 4096);
    growth(&handler, tmp.path(), whole, "1 % in edits of 4 KiB");
    let (_, mut stored) = handler.versions().open_version("big", &Which::Number(2)).unwrap();
    assert!(same(&mut stored, &mut File::open(&source).unwrap()));
}

fn same(one: &mut dyn std::io::Read, other: &mut dyn std::io::Read) -> bool {
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let mut filled = [0, 0];
        for (stream, (buffer, filled)) in
            [one as &mut dyn std::io::Read, other].into_iter().zip([&mut a, &mut b].into_iter().zip(&mut filled))
        {
            while *filled < buffer.len() {
                match stream.read(&mut buffer[*filled..]).unwrap() {
                    0 => break,
                    n => *filled += n,
                }
            }
        }
        if filled[0] != filled[1] || a[..filled[0]] != b[..filled[1]] {
            return false;
        }
        if filled[0] == 0 {
            return true;
        }
    }
}
