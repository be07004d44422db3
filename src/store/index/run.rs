//! An index run: an immutable B+tree of checksummed blocks in one file.

use super::entry::{Entry, SIZE};
use crate::sys;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

const BLOCK: usize = 4096;
const BLOCK_HEAD: usize = 24;
const PER_BLOCK: usize = (BLOCK - BLOCK_HEAD) / SIZE;
/// Blocks kept in memory for each run.
const CACHED: usize = 256;

/// What `index/current` says of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunRef {
    pub number: u64,
    pub blocks: u64,
    pub entries: u64,
}

/// A block, checked and decoded.
struct Block {
    level: u32,
    entries: Vec<Entry>,
}

/// An open run.
pub struct Run {
    pub info: RunRef,
    file: File,
    cache: Mutex<HashMap<u64, Arc<Block>>>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.info.fmt(f)
    }
}

fn damaged() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

impl Run {
    pub fn new(file: File, info: RunRef) -> Run {
        Run { info, file, cache: Mutex::new(HashMap::new()) }
    }

    fn block(&self, number: u64) -> io::Result<Arc<Block>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = cache.get(&number) {
            return Ok(block.clone());
        }
        let block = Arc::new(self.read(number)?);
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(number, block.clone());
        Ok(block)
    }

    fn read(&self, number: u64) -> io::Result<Block> {
        if number >= self.info.blocks {
            return Err(damaged());
        }
        let mut bytes = [0; BLOCK];
        let read = sys::read_at(&self.file, &mut bytes, number * BLOCK as u64)?;
        if read < BLOCK || checksum(self.info.number, number, &bytes[16..]) != bytes[..16] {
            return Err(damaged());
        }
        let field = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap_or_default());
        let (level, count) = (field(16), field(20) as usize);
        if count > PER_BLOCK || count == 0 {
            return Err(damaged());
        }
        let entries = bytes[BLOCK_HEAD..].as_chunks::<SIZE>().0.iter().take(count).map(Entry::parse).collect();
        Ok(Block { level, entries })
    }

    /// The leaf in which `bound` would stand, and the place in it of the first entry that is not below it.
    fn seek(&self, bound: &Entry) -> io::Result<(u64, usize)> {
        let mut number = self.info.blocks.checked_sub(1).ok_or_else(damaged)?;
        loop {
            let block = self.block(number)?;
            if block.level == 0 {
                return Ok((number, block.entries.partition_point(|e| e < bound)));
            }
            let child = block.entries.partition_point(|e| e <= bound).saturating_sub(1);
            let next = block.entries[child].extra;
            if next >= number {
                return Err(damaged());
            }
            number = next;
        }
    }

    /// The greatest entry below `bound`.
    pub fn last_below(&self, bound: &Entry) -> io::Result<Option<Entry>> {
        let (leaf, place) = self.seek(bound)?;
        match place {
            // Every inner entry is its child's first: only in the very first leaf is there nothing below.
            0 if leaf == 0 => Ok(None),
            0 => Ok(self.block(leaf - 1)?.entries.last().copied()),
            place => Ok(Some(self.block(leaf)?.entries[place - 1])),
        }
    }

    /// All entries from `bound` on, in order.
    pub fn from(self: &Arc<Run>, bound: &Entry) -> io::Result<RunIter> {
        let (leaf, place) = self.seek(bound)?;
        Ok(RunIter { run: self.clone(), leaf, place })
    }
}

/// Entries of a run, in order.
pub struct RunIter {
    run: Arc<Run>,
    leaf: u64,
    place: usize,
}

impl Iterator for RunIter {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<io::Result<Entry>> {
        loop {
            if self.leaf >= self.run.info.blocks {
                return None;
            }
            let block = match self.run.block(self.leaf) {
                Ok(block) => block,
                Err(e) => {
                    self.leaf = u64::MAX;
                    return Some(Err(e));
                }
            };
            if block.level != 0 {
                return None; // leaves come first
            }
            if let Some(entry) = block.entries.get(self.place) {
                self.place += 1;
                return Some(Ok(*entry));
            }
            self.leaf += 1;
            self.place = 0;
        }
    }
}

fn checksum(run: u64, block: u64, rest: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&run.to_le_bytes()).update(&block.to_le_bytes()).update(rest);
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    short
}

/// Writes a run of sorted entries.
pub fn write_run(
    out: &mut dyn Write,
    number: u64,
    entries: &mut dyn Iterator<Item = io::Result<Entry>>,
) -> io::Result<RunRef> {
    let mut writer = RunWriter { out, number, blocks: 0 };
    let mut count = 0;
    let mut leaf = Vec::with_capacity(PER_BLOCK);
    let mut parents = Vec::new();
    for entry in entries {
        leaf.push(entry?);
        count += 1;
        if leaf.len() == PER_BLOCK {
            parents.push(writer.block(0, &leaf)?);
            leaf.clear();
        }
    }
    if !leaf.is_empty() {
        parents.push(writer.block(0, &leaf)?);
    }
    let mut level = 1;
    while parents.len() > 1 {
        parents = parents.chunks(PER_BLOCK).map(|c| writer.block(level, c)).collect::<io::Result<_>>()?;
        level += 1;
    }
    Ok(RunRef { number, blocks: writer.blocks, entries: count })
}

struct RunWriter<'a> {
    out: &'a mut dyn Write,
    number: u64,
    blocks: u64,
}

impl RunWriter<'_> {
    /// Writes one block; gives the entry that stands for it in its parent.
    fn block(&mut self, level: u32, entries: &[Entry]) -> io::Result<Entry> {
        let mut bytes = Vec::with_capacity(BLOCK);
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(&level.to_le_bytes());
        bytes.extend_from_slice(&(entries.len() as u32).to_le_bytes());
        entries.iter().for_each(|e| e.encode(&mut bytes));
        bytes.resize(BLOCK, 0);
        let sum = checksum(self.number, self.blocks, &bytes[16..]);
        bytes[..16].copy_from_slice(&sum);
        self.out.write_all(&bytes)?;
        let parent = Entry { extra: self.blocks, ..entries[0] };
        self.blocks += 1;
        Ok(parent)
    }
}

/// Checks every block of a run; gives its entries.
pub fn check_run(file: File, info: RunRef) -> io::Result<Vec<Entry>> {
    let size = sys::stat_file(&file)?.size;
    if info.blocks.checked_mul(BLOCK as u64) != Some(size) {
        return Err(damaged());
    }
    let run = Run::new(file, info);
    let mut entries = Vec::new();
    for number in 0..info.blocks {
        let block = run.read(number)?;
        if block.level == 0 {
            entries.extend_from_slice(&block.entries);
        }
    }
    let sorted = entries.windows(2).all(|w| w[0] < w[1]);
    if sorted && entries.len() as u64 == info.entries { Ok(entries) } else { Err(damaged()) }
}
