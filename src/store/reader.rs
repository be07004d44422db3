//! Reading contents: chunks found by the index, frames decoded once, every chunk checked against its id.

use super::frame::Frame;
use super::index::{Entry, Space};
use super::model::*;
use super::record::Kind;
use super::scan::{Item, Stretch};
use super::view::read_record;
use super::{Shared, Store, lock};
use crate::error::{Code, Error, Result};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex};

/// Decoded frames kept by a store: about a MiB each.
const CACHED: usize = 12;

/// Frames decoded lately.
#[derive(Default)]
pub struct FrameCache(Mutex<VecDeque<(RecordId, Arc<Decoded>)>>);

impl std::fmt::Debug for FrameCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FrameCache")
    }
}

/// A frame's chunks in memory.
pub struct Decoded {
    chunks: Vec<(ChunkId, u64)>,
    data: Vec<u8>,
}

impl Decoded {
    fn find(&self, place: u64, id: &ChunkId) -> Option<&[u8]> {
        let place =
            usize::try_from(place).ok().filter(|p| self.chunks.get(*p).is_some_and(|(other, _)| other == id))?;
        let start: u64 = self.chunks[..place].iter().map(|(_, size)| size).sum();
        let end = start + self.chunks[place].1;
        self.data.get(start as usize..end as usize)
    }
}

impl FrameCache {
    fn get(&self, id: RecordId) -> Option<Arc<Decoded>> {
        let mut cache = lock(&self.0);
        let place = cache.iter().position(|(other, _)| *other == id)?;
        let entry = cache.remove(place)?;
        cache.push_front(entry.clone());
        Some(entry.1)
    }

    fn put(&self, id: RecordId, frame: Arc<Decoded>) {
        let mut cache = lock(&self.0);
        cache.truncate(CACHED - 1);
        cache.push_front((id, frame));
    }
}

impl Shared {
    /// A chunk's bytes, checked.
    pub fn chunk(&self, id: &ChunkId, size: u64) -> Result<Vec<u8>> {
        let known = self.with_loaded_view(|view| view.ask(|c| c.of_key(Space::Chunk, *id, 0)))?;
        match self.chunk_at(&known, id, size) {
            Ok(chunk) => Ok(chunk),
            // Somebody may have pruned, or written it, since the store was last looked at.
            Err(_) => {
                let known = self.with_view(|view| match view {
                    Some(view) => view.ask(|c| c.of_key(Space::Chunk, *id, 0)),
                    None => Ok(Vec::new()),
                })?;
                self.chunk_at(&known, id, size)
            }
        }
    }

    fn chunk_at(&self, known: &[Entry], id: &ChunkId, size: u64) -> Result<Vec<u8>> {
        let mut failure = None;
        for entry in known {
            match self.frame(entry.record()) {
                Ok(frame) => match frame.find(entry.extra, id) {
                    Some(chunk) if chunk.len() as u64 == size && blake3::hash(chunk).as_bytes() == id => {
                        return Ok(chunk.to_vec());
                    }
                    _ => failure = Some(self.damaged(entry.record())),
                },
                Err(e) => failure = Some(e),
            }
        }
        Err(failure
            .unwrap_or_else(|| Error::message(Code::Damaged, "a chunk is missing from the store").at(&self.path)))
    }

    fn frame(&self, id: RecordId) -> Result<Arc<Decoded>> {
        if let Some(frame) = self.state().frames.get(id) {
            return Ok(frame);
        }
        let file = self.with_loaded_view(|view| view.file(id.segment))?;
        let (header, payload) = read_record(&file, id).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidData => self.damaged(id),
            _ => Error::io(e, &self.path),
        })?;
        let frame =
            Frame::parse(&payload).filter(|_| header.kind == Some(Kind::Frame)).ok_or_else(|| self.damaged(id))?;
        let data = frame.decode().map_err(|_| self.damaged(id))?;
        let decoded = Arc::new(Decoded { chunks: frame.chunks, data });
        self.state().frames.put(id, decoded.clone());
        Ok(decoded)
    }

    fn damaged(&self, id: RecordId) -> Error {
        let path =
            self.with_loaded_view(|view| Ok(view.segment_path(id.segment))).unwrap_or_else(|_| self.path.clone());
        Error::message(Code::Damaged, format!("stored data is damaged (record {id})")).at(path)
    }
}

/// No list of chunks that is held in memory is longer: it would be of a content of some 40 TB.
const LONGEST_LIST: usize = 128 << 20;

pub fn bound_list(list: &[u8], path: &std::path::Path) -> Result<()> {
    match list.len() > LONGEST_LIST {
        true => Err(Error::message(Code::Damaged, "a list of chunks is longer than any can be").at(path)),
        false => Ok(()),
    }
}

/// The entries of a list of chunks.
pub fn parse_list(list: &[u8]) -> Option<Vec<(ChunkId, u64)>> {
    let (entries, rest) = list.as_chunks::<40>();
    if !rest.is_empty() {
        return None;
    }
    entries.iter().map(|e| Some((e[..32].try_into().ok()?, u64::from_le_bytes(e[32..].try_into().ok()?)))).collect()
}

/// A chunk in a segment that no index knows yet, by reading it through.
pub fn find_in_segment(file: &File, segment: u64, end: u64, id: &ChunkId) -> io::Result<Option<Vec<u8>>> {
    let mut found = None;
    Stretch { file, segment, from: 0, limit: Some(end) }.scan::<io::Error>(&mut |item| {
        if let Item::Record(header, payload) = item
            && header.kind == Some(Kind::Frame)
            && let Some(frame) = Frame::parse(payload)
            && let Some(place) = frame.chunks.iter().position(|(other, _)| other == id)
        {
            let data = frame.decode()?;
            found = Decoded { chunks: frame.chunks, data }.find(place as u64, id).map(<[u8]>::to_vec);
        }
        Ok(())
    })?;
    Ok(found)
}

impl Store {
    /// Reads a content: every byte is verified before it is given out.
    pub fn reader(&self, content: &Content) -> Result<ContentReader> {
        Ok(ContentReader::new(self.0.clone(), content))
    }
}

/// Reads one content, in bounded memory; `Read + Seek`. A damaged chunk is an error (an [`Error`] of code `damaged`
/// inside the `io::Error`), never wrong bytes.
///
/// ```
/// use electrus::handler::AdvancedFileHandler;
/// use electrus::store::Which;
/// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
/// let (version, mut reader) = handler.versions().open_version("a", &Which::Newest)?;
/// assert_eq!((version.number, reader.size()), (1, 4));
/// assert_eq!(reader.read_all()?, b"text");
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub struct ContentReader {
    shared: Arc<Shared>,
    content: Content,
    list: List,
    /// The chunk being read, and how much of it was.
    chunk: Vec<u8>,
    taken: usize,
    position: u64,
}

/// The chunks that are still to come.
enum List {
    Direct(std::vec::IntoIter<(ChunkId, u64)>),
    Nested(Box<ContentReader>),
}

impl ContentReader {
    fn new(shared: Arc<Shared>, content: &Content) -> ContentReader {
        let list = List::of(&shared, content);
        ContentReader { shared, content: content.clone(), list, chunk: Vec::new(), taken: 0, position: 0 }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.content.size
    }

    /// All of it in memory; for contents whose size the caller has looked at.
    ///
    /// # Errors
    /// `damaged` if a byte is not what was stored; `too_large` and `out_of_memory` for what memory cannot hold; `io`.
    pub fn read_all(mut self) -> Result<Vec<u8>> {
        // Not reserved in advance: the size is a claim of the record until the chunks have proved it.
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        match bytes.len() as u64 == self.content.size {
            true => Ok(bytes),
            false => Err(self.wrong_size()),
        }
    }

    fn wrong_size(&self) -> Error {
        Error::message(Code::Damaged, "a content is not as long as its record says").at(&self.shared.path)
    }

    /// The next chunk of the list. It has at least one byte: lists of nothing could go on for ever.
    fn next_chunk(&mut self) -> Result<Option<(ChunkId, u64)>> {
        match self.list.next()? {
            Some((_, 0)) => Err(self.wrong_size()),
            next => Ok(next),
        }
    }

    /// Makes the next chunk the current one; `false` at the end.
    fn advance(&mut self) -> Result<bool> {
        let Some((id, size)) = self.next_chunk()? else {
            return match self.position == self.content.size {
                true => Ok(false),
                false => Err(self.wrong_size()),
            };
        };
        // Lists of lists could say far more than the record does.
        if self.position.checked_add(size).is_none_or(|end| end > self.content.size) {
            return Err(self.wrong_size());
        }
        self.chunk = self.shared.chunk(&id, size)?;
        self.taken = 0;
        Ok(true)
    }
}

impl List {
    fn of(shared: &Arc<Shared>, content: &Content) -> List {
        match content.depth {
            0 => List::Direct(content.chunks.clone().into_iter()),
            depth => {
                let size = content.chunks.iter().map(|(_, size)| size).fold(0, |a: u64, b| a.saturating_add(*b));
                // At depth 1 the sum is the list's size; deeper lists are as long as their own lists say.
                let inner = Content { size, depth: depth - 1, chunks: content.chunks.clone() };
                List::Nested(Box::new(ContentReader::new(shared.clone(), &inner)))
            }
        }
    }

    fn next(&mut self) -> Result<Option<(ChunkId, u64)>> {
        match self {
            List::Direct(chunks) => Ok(chunks.next()),
            List::Nested(reader) => {
                let mut entry = [0; 40];
                match reader.read_entry(&mut entry)? {
                    true => Ok(parse_list(&entry).and_then(|list| list.first().copied())),
                    false => Ok(None),
                }
            }
        }
    }
}

impl ContentReader {
    /// One entry of a list; `false` where the list ends.
    fn read_entry(&mut self, entry: &mut [u8; 40]) -> Result<bool> {
        let mut done = 0;
        while done < entry.len() {
            if self.taken == self.chunk.len() {
                match self.next_chunk()? {
                    Some((id, size)) => self.chunk = self.shared.chunk(&id, size)?,
                    None if done == 0 => return Ok(false),
                    None => return Err(self.wrong_size()),
                }
                self.taken = 0;
                continue;
            }
            let count = (entry.len() - done).min(self.chunk.len() - self.taken);
            entry[done..done + count].copy_from_slice(&self.chunk[self.taken..self.taken + count]);
            self.taken += count;
            done += count;
        }
        Ok(true)
    }
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.chunk.len() {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.chunk.len() - self.taken);
        buffer[..count].copy_from_slice(&self.chunk[self.taken..self.taken + count]);
        self.taken += count;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for ContentReader {
    /// Beyond the end is the end. Backwards starts over: chunks on the way are passed by, not read.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.content.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let target = target.ok_or(io::ErrorKind::InvalidInput)?.min(self.content.size);
        if target < self.position {
            *self = ContentReader::new(self.shared.clone(), &self.content);
        }
        while self.position < target {
            let left = (self.chunk.len() - self.taken) as u64;
            if left > 0 {
                let step = left.min(target - self.position);
                self.taken += step as usize;
                self.position += step;
                continue;
            }
            let Some((id, size)) = self.next_chunk()? else { return Err(self.wrong_size().into()) };
            if size <= target - self.position {
                self.position += size;
            } else {
                self.chunk = self.shared.chunk(&id, size)?;
                self.taken = 0;
            }
        }
        Ok(self.position)
    }
}
