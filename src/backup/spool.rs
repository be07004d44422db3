//! What is written now and read back once, in memory or, when it grows, in a file without a name.

use crate::error::Result;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// At least so much goes to the file at once.
const BLOCK: usize = 1 << 20;

/// Write, [`Spool::rewind`], read.
#[derive(Debug)]
pub struct Spool {
    memory: Vec<u8>,
    read: usize,
    file: Option<std::fs::File>,
    limit: usize,
    folder: PathBuf,
}

impl Spool {
    /// Keeps up to `limit` bytes in memory; more go to a nameless file in `folder`.
    pub fn new(limit: usize, folder: &Path) -> Spool {
        Spool { memory: Vec::new(), read: 0, file: None, limit: limit.max(BLOCK), folder: folder.to_owned() }
    }

    /// From writing to reading.
    pub fn rewind(&mut self) -> Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(&self.memory)?;
            file.rewind()?;
            self.memory = Vec::new();
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = nameless(&self.folder)?;
            self.limit = BLOCK;
        }
        match &mut self.file {
            Some(file) => {
                file.write_all(&self.memory)?;
                self.memory.clear();
            }
            None => self.limit = usize::MAX,
        }
        Ok(())
    }
}

/// `None` where there are no such files: then memory has to do.
#[cfg(not(target_os = "wasi"))]
fn nameless(folder: &Path) -> io::Result<Option<std::fs::File>> {
    tempfile::tempfile_in(folder).map(Some)
}

#[cfg(target_os = "wasi")]
fn nameless(_folder: &Path) -> io::Result<Option<std::fs::File>> {
    Ok(None)
}

impl Write for Spool {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.memory.extend_from_slice(data);
        if self.memory.len() >= self.limit {
            self.spill()?;
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Spool {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.file {
            return file.read(buffer);
        }
        let count = (&self.memory[self.read..]).read(buffer)?;
        self.read += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_or_large_what_went_in_comes_out() {
        let tmp = tempfile::tempdir().unwrap();
        for blocks in [0, 1, 5] {
            let mut spool = Spool::new(0, tmp.path());
            let data: Vec<u8> = (0..blocks * BLOCK / 2 + 5).map(|i| (i % 251) as u8).collect();
            data.chunks(1000).for_each(|part| spool.write_all(part).unwrap());
            assert_eq!(spool.file.is_some(), blocks >= 2);
            spool.rewind().unwrap();
            let mut back = Vec::new();
            spool.read_to_end(&mut back).unwrap();
            assert!(back == data);
            assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
        }
    }
}
