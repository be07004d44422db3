//! From a reader into a hasher, the reading overlapped with the hashing.

use super::Hasher;
use super::parallel;
use crate::error::{Code, Error, Result};
use crate::progress::Progress;
use std::io::{self, Read};
use std::sync::{Arc, mpsc};
use std::thread;

/// The first buffer: most files end in it, and a larger one would cost more than hashing them.
const FIRST: usize = 16 << 10;
/// Buffer of the sequential part: small enough to stay in a core's cache.
const SMALL: usize = 128 << 10;
/// Each buffer of the overlapped part: all of them fit into a core's second cache, and hashing one takes far longer than
/// waking the thread that does it.
const LARGE: usize = 256 << 10;
/// How many of those there are: one is read, one is hashed, and some let the slower side catch up.
const BLOCKS: usize = 4;
/// What is shorter is hashed before a thread is up.
const OVERLAP_FROM: u64 = 1 << 20;
/// A caller's buffers are never larger than this.
const LIMIT: usize = 64 << 20;

/// In what pieces to read, and from where on with a second thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    small: usize,
    large: usize,
    overlap_from: u64,
}

impl Default for Blocks {
    /// Content that is not small is read ahead.
    fn default() -> Blocks {
        Blocks { small: SMALL, large: LARGE, overlap_from: OVERLAP_FROM }
    }
}

impl Blocks {
    /// In pieces of this many bytes. Small ones are for callers short of memory: one buffer, no thread.
    pub(super) fn of(chunk_size: usize) -> Blocks {
        let size = chunk_size.clamp(1, LIMIT);
        let overlap_from = if size < SMALL { u64::MAX } else { OVERLAP_FROM };
        Blocks { small: size, large: size, overlap_from }
    }

    /// As a caller chose, or well if it did not.
    pub(super) fn chosen(chunk_size: Option<usize>) -> Result<Blocks> {
        match chunk_size {
            None => Ok(Blocks::default()),
            Some(0) => Err(Error::message(Code::InvalidArgument, "a chunk has at least one byte")),
            Some(size) => Ok(Blocks::of(size)),
        }
    }

    /// For one of many files that are read at the same time: threads of its own only if it is huge.
    pub(super) fn one_of_many() -> Blocks {
        Blocks { overlap_from: 32 << 20, ..Blocks::default() }
    }
}

/// Hashes everything that is left in the reader; its length in bytes.
pub(super) fn feed(reader: &mut dyn Read, hasher: &mut Hasher, blocks: Blocks, progress: &Progress) -> Result<u64> {
    let overlap_from = if parallel::cores() > 1 { blocks.overlap_from } else { u64::MAX };
    let mut buffer = Buffer::new(blocks.small.min(FIRST));
    let mut size = 0;
    while size < overlap_from {
        progress.check()?;
        buffer.fill(reader)?;
        hasher.update(buffer.filled());
        size += buffer.account(progress);
        if buffer.at_end {
            return Ok(size);
        }
        if buffer.data.len() < blocks.small {
            buffer = Buffer::new(blocks.small);
        }
    }
    drop(buffer);
    match overlapped(reader, hasher, blocks.large, progress) {
        Some(rest) => Ok(size + rest?),
        None => Ok(size + feed(reader, hasher, Blocks { overlap_from: u64::MAX, ..blocks }, progress)?),
    }
}

/// This thread reads while one thread for each algorithm hashes. `None`, and nothing read, where such threads cannot be had.
fn overlapped(reader: &mut dyn Read, hasher: &mut Hasher, size: usize, progress: &Progress) -> Option<Result<u64>> {
    thread::scope(|scope| {
        let (home, returned) = mpsc::channel();
        let mut hashers = Vec::new();
        for state in hasher.states() {
            let (sender, blocks) = mpsc::channel::<Arc<Block>>();
            let work = move || blocks.iter().for_each(|block| state.update(block.buffer.filled()));
            thread::Builder::new().spawn_scoped(scope, work).ok()?;
            hashers.push(sender);
        }
        for _ in 0..BLOCKS {
            home.send(Buffer::new(size)).ok()?;
        }
        Some(read_into(reader, &hashers, &returned, &home, progress))
    })
}

/// Reads into whichever buffer comes back, and hands it to every hasher.
fn read_into(
    reader: &mut dyn Read,
    hashers: &[mpsc::Sender<Arc<Block>>],
    returned: &mpsc::Receiver<Buffer>,
    home: &mpsc::Sender<Buffer>,
    progress: &Progress,
) -> Result<u64> {
    let mut size = 0;
    loop {
        progress.check()?;
        let mut buffer = returned.recv().map_err(|_| Error::new(Code::Internal))?;
        buffer.fill(reader)?;
        size += buffer.account(progress);
        let at_end = buffer.at_end;
        let block = Arc::new(Block { buffer, home: home.clone() });
        for hasher in hashers {
            hasher.send(block.clone()).map_err(|_| Error::new(Code::Internal))?;
        }
        if at_end {
            return Ok(size);
        }
    }
}

/// A filled buffer that goes home when the last hasher is done with it.
struct Block {
    buffer: Buffer,
    home: mpsc::Sender<Buffer>,
}

impl Drop for Block {
    fn drop(&mut self) {
        // Where nobody waits for it, the reading is over.
        let _ = self.home.send(std::mem::take(&mut self.buffer));
    }
}

#[derive(Default)]
struct Buffer {
    data: Vec<u8>,
    len: usize,
    at_end: bool,
}

impl Buffer {
    fn new(size: usize) -> Buffer {
        Buffer { data: vec![0; size], len: 0, at_end: false }
    }

    fn filled(&self) -> &[u8] {
        &self.data[..self.len]
    }

    /// Until it is full or the reader ends.
    fn fill(&mut self, reader: &mut dyn Read) -> io::Result<()> {
        self.len = 0;
        while self.len < self.data.len() {
            match reader.read(&mut self.data[self.len..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(n) => self.len += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn account(&self, progress: &Progress) -> u64 {
        progress.advance(0, self.len as u64);
        self.len as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::{Algorithm, of_bytes};
    use crate::error::Code;

    /// Gives little at a time, is interrupted now and then, and fails at the end if asked to.
    struct Awkward<'a> {
        data: &'a [u8],
        step: usize,
        fails: bool,
    }

    impl Read for Awkward<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.step += 1;
            if self.step.is_multiple_of(7) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if self.data.is_empty() && self.fails {
                return Err(io::Error::from_raw_os_error(5));
            }
            let n = self.data.len().min(buffer.len()).min(100_003);
            buffer[..n].copy_from_slice(&self.data[..n]);
            self.data = &self.data[n..];
            Ok(n)
        }
    }

    fn read(data: &[u8], fails: bool, blocks: Blocks, progress: &Progress) -> Result<(u64, String)> {
        let mut hasher = Hasher::new(&[Algorithm::Sha1, Algorithm::Blake3]);
        let size = feed(&mut Awkward { data, step: 0, fails }, &mut hasher, blocks, progress)?;
        Ok((size, hasher.finish()[0].hex()))
    }

    #[test]
    fn every_size_of_block_and_content_gives_the_same_digest() {
        let data: Vec<u8> = (0..9_000_001u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        for size in [0, 1, FIRST, FIRST + 1, SMALL - 1, SMALL, SMALL + 1, 1 << 20, (1 << 20) + LARGE, data.len()] {
            let expected = of_bytes(Algorithm::Sha1, &data[..size]).hex();
            for blocks in
                [Blocks::default(), Blocks::one_of_many(), Blocks::of(4096), Blocks::of(300_000), Blocks::of(0)]
            {
                if blocks.small == 1 && size > 1 << 20 {
                    continue;
                }
                let progress = Progress::new();
                let found = read(&data[..size], false, blocks, &progress).unwrap();
                assert_eq!(found, (size as u64, expected.clone()), "{size} {blocks:?}");
                assert_eq!(progress.counts().bytes_done, size as u64);
            }
        }
    }

    #[test]
    fn an_error_of_the_reader_is_reported_wherever_it_happens() {
        for size in [0, 1000, 1 << 20, 2 << 20, 10 << 20] {
            let error = read(&vec![7; size], true, Blocks::default(), &Progress::new()).unwrap_err();
            assert_eq!(error.os_error(), Some(5), "{size}");
        }
    }

    #[test]
    fn a_cancelled_pass_stops() {
        let progress = Progress::new();
        progress.cancel();
        assert_eq!(read(&[1], false, Blocks::default(), &progress).unwrap_err().code(), Code::Cancelled);
        assert_eq!(read(&[1], false, Blocks::of(1 << 20), &progress).unwrap_err().code(), Code::Cancelled);
    }
}
