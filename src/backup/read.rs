//! Reads files that may be changed by others meanwhile.

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::store::{Content, Session};
use crate::sys::{Dir, FileKind, Open, Stat, stat_file};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};

/// Files up to this size are read whole, many at a time.
pub const SMALL: u64 = 1 << 20;
/// A file that changes while it is read is read again so often.
const ATTEMPTS: usize = 3;

pub type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// What reading a small file gave.
pub enum Small {
    /// The file as it was at one moment.
    Whole(Vec<u8>, Stat, Attributes),
    /// It changed, or has grown: read it as a large one.
    Again,
    /// It is not a regular file any more, or cannot be read.
    Failed(io::Error),
}

/// Reads a small file once.
pub fn small(dir: &Dir, name: &OsStr) -> Small {
    read_small(dir, name).unwrap_or_else(Small::Failed)
}

fn read_small(dir: &Dir, name: &OsStr) -> io::Result<Small> {
    let (mut file, before) = open(dir, name)?;
    if before.size > SMALL {
        return Ok(Small::Again);
    }
    // That it has grown, its size tells: no need to look for its end.
    let mut data = vec![0; before.size as usize];
    let read = fill(&mut file, &mut data)?;
    let attributes = Open::File(&file).attributes()?;
    let unchanged = read == data.len() && is_same(&before, &stat_file(&file)?);
    Ok(if unchanged { Small::Whole(data, before, attributes) } else { Small::Again })
}

fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// What storing a large file gave.
pub struct Large {
    pub content: Content,
    pub digest: [u8; 32],
    pub stat: Stat,
    pub attributes: Attributes,
    pub changed: bool,
}

/// Why a large file was not stored.
pub enum Failure {
    /// The file's fault.
    File(io::Error),
    /// Ours, or the store's.
    Fatal(Error),
}

/// Streams a file into the store; again, if it changed meanwhile, and in the end as it was read. Never more than the size
/// it has when it is opened, so that a log that grows all the time is stored as far as it had come.
pub fn large(session: &mut Session, dir: &Dir, name: &OsStr, progress: &Progress) -> Result<Large, Failure> {
    let mut attempt = 1;
    loop {
        let read = once(session, dir, name, progress)?;
        if !read.changed || attempt == ATTEMPTS {
            return Ok(read);
        }
        attempt += 1;
    }
}

fn once(session: &mut Session, dir: &Dir, name: &OsStr, progress: &Progress) -> Result<Large, Failure> {
    let (file, before) = open(dir, name).map_err(Failure::File)?;
    let mut source = Watched { input: (&file).take(before.size), failure: None };
    let mut hasher = blake3::Hasher::new();
    let stored = session.put(&mut source, progress, &mut |block| {
        hasher.update(block);
        Ok(())
    });
    let content = match (stored, source.failure) {
        (Ok(content), None) => content,
        (_, Some(e)) => return Err(Failure::File(e)),
        (Err(e), None) => return Err(Failure::Fatal(e)),
    };
    let after = stat_file(&file).map_err(Failure::File)?;
    let attributes = Open::File(&file).attributes().map_err(Failure::File)?;
    let changed = content.size != before.size || !is_same(&before, &after);
    Ok(Large { content, digest: *hasher.finalize().as_bytes(), stat: before, attributes, changed })
}

/// Opens a file and looks at what was really opened.
fn open(dir: &Dir, name: &OsStr) -> io::Result<(File, Stat)> {
    let file = dir.open_read(name)?;
    let stat = stat_file(&file)?;
    if stat.kind != FileKind::File {
        return Err(io::Error::other("it is not a regular file any more"));
    }
    Ok((file, stat))
}

fn is_same(before: &Stat, after: &Stat) -> bool {
    (before.size, before.modified, before.changed) == (after.size, after.modified, after.changed)
}

/// Keeps an error of the file apart from those of the store.
struct Watched<R> {
    input: R,
    failure: Option<io::Error>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer).map_err(|e| match e.kind() {
            io::ErrorKind::Interrupted => e,
            _ => {
                self.failure = Some(e);
                io::ErrorKind::Other.into()
            }
        })
    }
}
