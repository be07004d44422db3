//! What things cost as a store grows: counted in bytes and system calls, never in time.
#![cfg(target_os = "linux")]

use electrus::atomic::Durability;
use electrus::handler::AdvancedFileHandler;
use electrus::store::Which;
use electrus::workspace::{ChangeOptions, OpenOptions, Source};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

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
        let text = format!("{round} {}", "some text that stays as it is ".repeat(20));
        // Flushes are the same for each; without them the count is quick.
        let options = ChangeOptions { durability: Durability::None, ..ChangeOptions::default() };
        handler.secure_write("f", Source::Bytes(text.as_bytes()), options).unwrap();
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

/// 1 GiB, 1 % of it edited in 256 places of 42 KB, and 8 insertions of 100 bytes.
#[test]
fn an_edit_of_one_percent_grows_the_store_by_at_most_three() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (whole, places) = (1u64 << 30, 256);
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let source = tmp.path().join("big");
    let mut file = std::fs::File::create(&source).unwrap();
    for block in 0..whole >> 20 {
        file.write_all(&noise(block, 1 << 20)).unwrap();
    }
    handler.versions().create_version("big", ChangeOptions::default()).unwrap();
    let before = store_size(tmp.path());
    let mut file = std::fs::OpenOptions::new().write(true).open(&source).unwrap();
    for place in 0..places {
        let span = whole / places;
        let offset = place * span + (place * 2_654_435_761) % (span - 42_000);
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(&noise(1 << 40 | place, 42_000)).unwrap();
    }
    drop(file);
    insert(&source, whole, 8);
    handler.versions().create_version("big", ChangeOptions::default()).unwrap();
    let growth = store_size(tmp.path()) - before;
    println!("{} MiB grew by {} KiB, {:.2} %", whole >> 20, growth >> 10, growth as f64 * 100.0 / whole as f64);
    assert!(growth * 100 <= whole * 3, "{growth} bytes more for an edit of {} bytes", whole / 100);
    let (_, mut stored) = handler.versions().open_version("big", &Which::Number(2)).unwrap();
    let mut expected = std::fs::File::open(&source).unwrap();
    assert!(same(&mut stored, &mut expected));
}

/// Inserts 100 bytes in so many places.
fn insert(path: &Path, whole: u64, places: u64) {
    let old = std::fs::read(path).unwrap();
    let mut file = std::fs::File::create(path).unwrap();
    let step = (whole / places) as usize;
    for (place, part) in old.chunks(step).enumerate() {
        let (head, tail) = part.split_at(part.len() / 3);
        for bytes in [head, &noise(1 << 41 | place as u64, 100), tail] {
            file.write_all(bytes).unwrap();
        }
    }
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
