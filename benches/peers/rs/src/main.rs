//! Peers written in Rust: `peers-rs tempfile|atomic-write-file DIR SIZE COUNT`. Prints one line of JSON with times in
//! microseconds.

use atomic_write_file::AtomicWriteFile;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// The file is durable, its name is not.
fn by_tempfile(dir: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(dir)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(dir.join("f"))?;
    Ok(())
}

/// File and name are durable.
fn by_atomic_write_file(dir: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = AtomicWriteFile::open(dir.join("f"))?;
    file.write_all(content)?;
    file.commit()
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let [_, peer, dir, size, count] = &words[..] else { panic!("see the first lines of main.rs") };
    let write = match peer.as_str() {
        "tempfile" => by_tempfile,
        _ => by_atomic_write_file,
    };
    let mut content: Vec<u8> = (0..size.parse().unwrap()).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut times: Vec<Duration> = Vec::new();
    for turn in 0..count.parse().unwrap() {
        content[..8].copy_from_slice(&u64::to_le_bytes(turn));
        let start = Instant::now();
        write(dir.as_ref(), &content)?;
        times.push(start.elapsed());
    }
    times.sort();
    let at = |tenths: usize| times[(times.len() - 1) * tenths / 10].as_secs_f64() * 1e6;
    println!("{{\"n\":{},\"median_us\":{:.3},\"p10_us\":{:.3},\"p90_us\":{:.3}}}", times.len(), at(5), at(1), at(9));
    Ok(())
}
