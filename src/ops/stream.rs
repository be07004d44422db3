//! Streams that are checked while the caller takes them.

use crate::checksum::{Digest, Hasher};
use crate::error::{Code, Error};
use crate::handler::Stream;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A stream that must have this digest; told at its end.
pub struct Checked {
    stream: Stream,
    hasher: Option<Hasher>,
    expected: Digest,
    path: PathBuf,
}

impl Checked {
    pub fn new(stream: Stream, expected: Digest, path: &Path) -> Checked {
        let hasher = Some(Hasher::new(&[expected.algorithm()]));
        Checked { stream, hasher, expected, path: path.to_owned() }
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        if count > 0 {
            self.hasher.iter_mut().for_each(|h| h.update(&buffer[..count]));
        } else if !buffer.is_empty()
            && let Some(hasher) = self.hasher.take()
            && hasher.finish() != [self.expected.clone()]
        {
            return Err(Error::new(Code::ChangedWhileRead).at(&self.path).into());
        }
        Ok(count)
    }
}
