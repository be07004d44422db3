//! The ids of all chunks that a backup needs, sorted, each once: sorted outside of memory when there are many.

use super::spool::Spool;
use crate::error::Result;
use crate::store::ChunkId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{BufReader, Read, Write};
use std::path::Path;

/// Ids that are kept in memory: 16 MiB.
const IN_MEMORY: usize = 1 << 19;

/// Collects ids in any order, many times each.
#[derive(Debug)]
pub struct References {
    ids: Vec<ChunkId>,
    runs: Vec<Spool>,
    limit: usize,
    folder: std::path::PathBuf,
}

impl References {
    /// Spills into `folder` what memory should not hold.
    pub fn new(folder: &Path) -> References {
        References { ids: Vec::new(), runs: Vec::new(), limit: IN_MEMORY, folder: folder.to_owned() }
    }

    pub fn add(&mut self, id: ChunkId) -> Result<()> {
        self.ids.push(id);
        if self.ids.len() >= self.limit { self.compact() } else { Ok(()) }
    }

    /// What was collected, as a stream of sorted ids.
    pub fn finish(mut self) -> Result<Box<dyn Read>> {
        self.sort();
        if self.runs.is_empty() {
            return Ok(Box::new(std::io::Cursor::new(self.ids.into_flattened())));
        }
        self.spill()?;
        Ok(Box::new(Merge::new(self.runs)?))
    }

    /// Repetitions often are all there is to spill.
    fn compact(&mut self) -> Result<()> {
        self.sort();
        if self.ids.len() > self.limit / 2 { self.spill() } else { Ok(()) }
    }

    fn sort(&mut self) {
        self.ids.sort_unstable();
        self.ids.dedup();
    }

    fn spill(&mut self) -> Result<()> {
        let mut spool = Spool::new(0, &self.folder);
        spool.write_all(self.ids.as_flattened())?;
        spool.rewind()?;
        self.runs.push(spool);
        self.ids.clear();
        Ok(())
    }
}

/// Merges sorted runs into one stream of bytes.
struct Merge {
    runs: Vec<BufReader<Spool>>,
    heads: BinaryHeap<Reverse<(ChunkId, usize)>>,
    current: ChunkId,
    given: usize,
}

impl Merge {
    fn new(runs: Vec<Spool>) -> Result<Merge> {
        let runs = runs.into_iter().map(|run| BufReader::with_capacity(1 << 16, run)).collect();
        let mut merge = Merge { runs, heads: BinaryHeap::new(), current: [0; 32], given: 32 };
        for run in 0..merge.runs.len() {
            merge.advance(run)?;
        }
        Ok(merge)
    }

    fn advance(&mut self, run: usize) -> std::io::Result<()> {
        let mut id = [0; 32];
        match self.runs[run].read_exact(&mut id) {
            Ok(()) => self.heads.push(Reverse((id, run))),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// The next id that is not the last one again.
    fn next(&mut self) -> std::io::Result<bool> {
        let mut next = None;
        while let Some(Reverse((id, run))) = self.heads.peek().copied() {
            if next.is_some_and(|next| next != id) {
                break;
            }
            next = Some(id);
            self.heads.pop();
            self.advance(run)?;
        }
        if let Some(id) = next {
            (self.current, self.given) = (id, 0);
        }
        Ok(next.is_some())
    }
}

impl Read for Merge {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() && (self.given < 32 || self.next()?) {
            let count = (32 - self.given).min(buffer.len() - done);
            buffer[done..done + count].copy_from_slice(&self.current[self.given..self.given + count]);
            self.given += count;
            done += count;
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(limit: usize, ids: impl Iterator<Item = u64>) -> Vec<u64> {
        let tmp = tempfile::tempdir().unwrap();
        let mut references = References::new(tmp.path());
        references.limit = limit;
        for id in ids {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&id.to_be_bytes());
            references.add(bytes).unwrap();
        }
        let mut all = Vec::new();
        references.finish().unwrap().read_to_end(&mut all).unwrap();
        all.chunks(32).map(|c| u64::from_be_bytes(c[..8].try_into().unwrap())).collect()
    }

    #[test]
    fn ids_come_out_sorted_and_once_however_little_memory_there_is() {
        let expected: Vec<u64> = (0..1000).collect();
        for limit in [2, 3, 64, 999, 10_000] {
            assert_eq!(collected(limit, (0..5000).map(|i| i * 7919 % 1000)), expected, "limit {limit}");
        }
        assert!(collected(4, std::iter::empty()).is_empty());
    }
}
