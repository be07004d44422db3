//! Our side of `benches/peers/run`: one task a call, timed inside, so that no start of a process is in the numbers.
//!
//!     ours write DIR SIZE COUNT atomic | unversioned | versioned [VERSIONS]    one durable write after the other
//!     ours batch DIR SIZE COUNT one-by-one | together                           COUNT different files
//!     ours snapshot DIR SIZE COUNT                                              somebody else edits, we record
//!     ours lock FILE COUNT                                                      acquire and release, nobody else there
//!     ours hand FILE STATE ROUNDS HOLD_US                                       one side of a hand-over (start two)
//!     ours sum FILE ALGORITHM…                                                  one pass over a large file
//!     ours tree DIR ALGORITHM                                                   every file of a folder
//!
//! Each prints one line of JSON with times in microseconds.

use electrus::atomic::{self, Durability, WriteOptions};
use electrus::checksum::{self, Algorithm, ChecksumCalculator};
use electrus::error::{Code, Error, Result};
use electrus::handler::AdvancedFileHandler;
use electrus::lock::{FileLockManager, LockOptions, LockType};
use electrus::path::Location;
use electrus::progress::Progress;
use electrus::workspace::{Change, ChangeOptions, OpenOptions, Source};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (times, each) = match arguments[..] {
        ["write", dir, size, count, mode] => (write(dir.as_ref(), number(size)?, number(count)?, mode, 0)?, 1),
        ["write", dir, size, count, mode, versions] => {
            (write(dir.as_ref(), number(size)?, number(count)?, mode, number(versions)?)?, 1)
        }
        ["batch", dir, size, count, mode] => {
            (batch(dir.as_ref(), number(size)?, number(count)?, mode)?, number(count)?)
        }
        ["snapshot", dir, size, count] => (snapshot(dir.as_ref(), number(size)?, number(count)?)?, 1),
        ["lock", file, count] => (lock(file.as_ref(), number(count)?)?, number(count)?),
        ["hand", file, state, rounds, hold] => {
            (hand_over(file.as_ref(), state.as_ref(), number(rounds)?, number(hold)?)?, 1)
        }
        ["sum", file, ref algorithms @ ..] => (sum(file.as_ref(), algorithms)?, 1),
        ["tree", dir, algorithm] => (tree(dir.as_ref(), algorithm)?, 1),
        _ => return Err(Error::message(Code::InvalidArgument, "see the first lines of ours.rs")),
    };
    report(times, each);
    Ok(())
}

fn number(text: &str) -> Result<usize> {
    text.parse().map_err(|_| Error::message(Code::InvalidArgument, format!("{text} is no number")))
}

/// Times of single operations, or of `each` operations together.
fn report(mut times: Vec<Duration>, each: usize) {
    times.sort();
    let at = |tenths: usize| times[(times.len() - 1) * tenths / 10].as_secs_f64() * 1e6 / each as f64;
    println!(
        "{{\"n\":{},\"median_us\":{:.3},\"p10_us\":{:.3},\"p90_us\":{:.3}}}",
        times.len() * each,
        at(5),
        at(1),
        at(9)
    );
}

fn timed(count: usize, mut work: impl FnMut(usize) -> Result<()>) -> Result<Vec<Duration>> {
    (0..count)
        .map(|turn| {
            let start = Instant::now();
            work(turn)?;
            Ok(start.elapsed())
        })
        .collect()
}

/// Bytes that no compressor makes smaller.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..size).map(|_| step()).collect()
}

/// The same bytes but for a number in them, so that no two writes are equal.
fn stamp(content: &mut [u8], turn: usize) {
    let bytes = turn.to_le_bytes();
    let length = content.len().min(bytes.len());
    content[..length].copy_from_slice(&bytes[..length]);
}

fn write(dir: &Path, size: usize, count: usize, mode: &str, versions: usize) -> Result<Vec<Duration>> {
    let mut content = noise(size);
    if mode == "atomic" {
        let options = WriteOptions::default();
        return timed(count, |turn| {
            stamp(&mut content, turn);
            atomic::write(&Location::ordinary(dir.join("f"))?, &content, &options).map(drop)
        });
    }
    let handler = AdvancedFileHandler::open(dir, &OpenOptions::default())?;
    let create_version = mode == "versioned";
    let mut write = |turn: usize, durability: Durability| {
        stamp(&mut content, turn);
        let options = ChangeOptions { create_version, durability, ..ChangeOptions::default() };
        handler.secure_write("f", Source::Bytes(&content), options).map(drop)
    };
    // The store and the sidecar exist before the first that counts.
    (0..=versions).try_for_each(|turn| write(turn, Durability::None))?;
    timed(count, |turn| write(versions + 1 + turn, Durability::Full))
}

fn batch(dir: &Path, size: usize, count: usize, mode: &str) -> Result<Vec<Duration>> {
    let handler = AdvancedFileHandler::open(dir, &OpenOptions::default())?;
    let mut content = noise(size);
    let contents: Vec<Vec<u8>> = (0..count)
        .map(|turn| {
            stamp(&mut content, turn);
            content.clone()
        })
        .collect();
    handler.secure_write("first", Source::Bytes(b"first"), ChangeOptions::default())?;
    timed(1, |_| {
        let changes = contents.iter().enumerate().map(|(number, content)| {
            let location = handler.workspace().base().resolve_creating(format!("f{number}"), true)?;
            Ok(Change { location, source: Source::Bytes(content), options: ChangeOptions::default() })
        });
        match mode {
            "together" => handler
                .workspace()
                .write_many(changes.collect::<Result<Vec<_>>>()?)
                .into_iter()
                .try_for_each(|result| result.map(drop)),
            _ => changes.into_iter().try_for_each(|change| {
                let Change { location, source, options } = change?;
                handler.workspace().write(location, source, options).map(drop)
            }),
        }
    })
}

fn snapshot(dir: &Path, size: usize, count: usize) -> Result<Vec<Duration>> {
    let handler = AdvancedFileHandler::open(dir, &OpenOptions::default())?;
    let mut content = noise(size);
    let mut edit = |turn: usize| {
        stamp(&mut content, turn);
        fs::write(dir.join("f"), &content).map_err(Error::from)
    };
    let record = || {
        let location = handler.workspace().base().resolve_creating("f", true)?;
        handler.workspace().snapshot(location, ChangeOptions::default())
    };
    edit(usize::MAX)?;
    record()?;
    timed(count, |turn| {
        edit(turn)?;
        record().map(drop)
    })
}

fn lock(file: &Path, count: usize) -> Result<Vec<Duration>> {
    let (manager, options) = (FileLockManager, LockOptions::default());
    let location = Location::ordinary(file)?;
    let start = Instant::now();
    for _ in 0..count {
        manager.acquire(&location, LockType::Exclusive, &options)?.release()?;
    }
    Ok(vec![start.elapsed()])
}

/// The state file holds who had the lock last and when it was given back, in microseconds.
fn hand_over(file: &Path, state: &Path, rounds: usize, hold: usize) -> Result<Vec<Duration>> {
    let (manager, options) = (FileLockManager, LockOptions::default());
    let location = Location::ordinary(file)?;
    let me = u64::from(std::process::id());
    let end = Instant::now() + Duration::from_secs(60);
    let mut times = Vec::new();
    while times.len() < rounds && Instant::now() < end {
        let guard = manager.acquire(&location, LockType::Exclusive, &options)?;
        let now = micros();
        let (last, released) = read_state(state);
        if last != 0 && last != me {
            times.push(Duration::from_micros(now.saturating_sub(released)));
        }
        write_state(state, me, 0)?; // the other one starts to wait
        std::thread::sleep(Duration::from_micros(hold as u64));
        write_state(state, me, micros())?;
        guard.release()?;
        let patience = Instant::now() + Duration::from_millis(500);
        while read_state(state).0 == me && Instant::now() < patience {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    Ok(times)
}

fn micros() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}

fn read_state(path: &Path) -> (u64, u64) {
    let bytes = fs::read(path).unwrap_or_default();
    let field = |at: usize| bytes.get(at..at + 8).map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap_or_default()));
    (field(0), field(8))
}

fn write_state(path: &Path, who: u64, when: u64) -> Result<()> {
    use std::io::Write;
    let mut file = fs::File::options().write(true).create(true).truncate(false).open(path)?;
    Ok(file.write_all(&[who.to_le_bytes(), when.to_le_bytes()].concat())?)
}

fn sum(file: &Path, algorithms: &[&str]) -> Result<Vec<Duration>> {
    let algorithms = algorithms.iter().map(|name| Algorithm::parse(name)).collect::<Result<Vec<_>>>()?;
    timed(1, |_| ChecksumCalculator::calculate_checksums(file, &algorithms, None, &Progress::new()).map(drop))
}

fn tree(dir: &Path, algorithm: &str) -> Result<Vec<Duration>> {
    let algorithm = Algorithm::parse(algorithm)?;
    timed(1, |_| checksum::tree(dir, &[algorithm], &Progress::new()).map(drop))
}
