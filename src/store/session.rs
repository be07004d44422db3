//! One writer's turn: contents first, then records, then one flush for all of it.

use super::append::{Appending, Doubt, Item};
use super::chunker;
use super::frame::{RawFrame, TARGET};
use super::index::{Entry, Space};
use super::layout::{RANDOM, random_number};
use super::model::*;
use super::payload::{self, FORMAT, Fence, Role, SegmentHead, TagNote};
use super::record::{self, Kind};
use super::view::View;
use super::{GUEST, Shared, Store};
use crate::error::{Code, Error, IoContext, Result};
use crate::path::Key;
use crate::pool;
use crate::process::PerProcess;
use crate::progress::Progress;
use crate::sys;
use crate::time::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// A content that needs more chunks lists them in chunks of their own.
const INLINE: usize = 64;
/// So many frames are compressed and written at a time; more than that go to a pack.
const SPILL: usize = 4;
/// Streams are read in blocks of this size.
const BLOCK: usize = 2 << 20;
/// Smaller contents are hashed on one core.
const PARALLEL: usize = 256 << 10;
/// A pack that has grown to this size is followed by another.
const PACK_SIZE: u64 = 64 << 20;

/// One writer's turn: contents first, then records, then one flush for all of it. It keeps prune away while it lives.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    /// The process that began it: a child forked meanwhile has no part in it.
    generation: u64,
    open: RawFrame,
    full: Vec<RawFrame>,
    /// Chunks of this session that the index does not know yet.
    fresh: HashMap<ChunkId, u64>,
    packs: Vec<Pack>,
    added: u64,
    /// Segments of guests that hold chunks this session relies on: to be flushed with it.
    borrowed: BTreeSet<u64>,
    /// Chunks were lost on their way: nothing of this session may be acknowledged.
    broken: bool,
    retreats: u64,
    /// From here on a record may say that the packs are part of the store.
    decided: bool,
}

/// Records that stand in the log and are not durable yet. Nobody else appends meanwhile, so that they can be taken back as
/// long as nobody builds on them: which is what happens when this is dropped without [`Unflushed::settle`].
#[derive(Debug)]
#[must_use]
pub struct Unflushed {
    doubt: Option<Doubt>,
    _appending: Appending,
    session: Session,
}

impl Unflushed {
    /// They are durable now.
    pub fn settle(mut self) {
        if let Some(doubt) = self.doubt.take() {
            let _ = self.session.shared.with_loaded_view(|view| {
                view.durable.insert(doubt.segment, doubt.end);
                Ok(())
            });
        }
    }

    /// They need not be durable.
    pub fn leave(mut self) {
        self.doubt = None;
    }
}

impl Drop for Unflushed {
    fn drop(&mut self) {
        let Some(doubt) = self.doubt.take().filter(|_| self.session.is_here()) else { return };
        let shared = &self.session.shared;
        // A store that cannot even be looked at any more takes no records of this process either.
        let _ = shared.with_created_view(|view| {
            view.take_back(doubt, &mut super::lock(&shared.state().own));
            Ok(())
        });
    }
}

/// A segment that this session alone fills.
#[derive(Debug)]
struct Pack {
    number: u64,
    file: File,
    path: PathBuf,
    end: u64,
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.is_here() {
            return;
        }
        // Before prune may come. What cannot be removed now is litter, as after a crash.
        if !self.decided && !GUEST {
            let _ = self.remove_packs();
        }
        self.shared.leave();
    }
}

impl Session {
    pub(super) fn begin(shared: Arc<Shared>) -> Result<Session> {
        let generation = shared.enter()?;
        let mut session = Session {
            shared,
            generation,
            open: RawFrame::default(),
            full: Vec::new(),
            fresh: HashMap::new(),
            packs: Vec::new(),
            added: 0,
            borrowed: BTreeSet::new(),
            broken: false,
            retreats: 0,
            decided: false,
        };
        // The lease of a guest comes before its first look.
        session.shared.announce()?;
        session.retreats = session.shared.with_view(|view| Ok(view.map_or(0, |v| v.retreats)))?;
        Ok(session)
    }

    /// Bytes that were new to the store, before compression.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Stores bytes that are in memory.
    pub fn put_bytes(&mut self, data: &[u8]) -> Result<Content> {
        let chunks = self.add(data, &chunker::cut(data, true))?;
        self.content(data.len() as u64, chunks)
    }

    /// Stores many small contents, hashed on all cores.
    pub fn put_many(&mut self, data: &[Vec<u8>]) -> Result<Vec<Content>> {
        let hash = |data: &Vec<u8>| -> Vec<_> {
            chunker::cut(data, true).into_iter().map(|r| (*blake3::hash(&data[r.clone()]).as_bytes(), r)).collect()
        };
        let hashed = pool::each(data, 1, hash);
        let mut contents = Vec::with_capacity(data.len());
        for (data, hashed) in data.iter().zip(hashed) {
            let chunks = self.keep(data, hashed)?;
            contents.push(self.content(data.len() as u64, chunks)?);
        }
        Ok(contents)
    }

    /// Stores a stream in bounded memory. `watch` sees every block that is read (to hash it, to write it elsewhere).
    pub fn put(
        &mut self,
        data: &mut dyn Read,
        progress: &Progress,
        watch: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Content> {
        let mut buffer: Vec<u8> = Vec::new();
        let mut chunks = Vec::new();
        let mut size = 0;
        loop {
            progress.check()?;
            let old = buffer.len();
            buffer.resize(old + BLOCK, 0);
            let read = fill(data, &mut buffer[old..])?;
            buffer.truncate(old + read);
            watch(&buffer[old..])?;
            size += read as u64;
            let last = read < BLOCK;
            let ranges = chunker::cut(&buffer, last);
            let done = ranges.last().map_or(0, |r| r.end);
            chunks.extend(self.add(&buffer, &ranges)?);
            buffer.drain(..done);
            progress.advance(0, read as u64);
            if last {
                return self.content(size, chunks);
            }
        }
    }

    fn add(&mut self, data: &[u8], ranges: &[std::ops::Range<usize>]) -> Result<Vec<(ChunkId, u64)>> {
        let hash = |range: &std::ops::Range<usize>| (*blake3::hash(&data[range.clone()]).as_bytes(), range.clone());
        let hashed = match data.len() < PARALLEL {
            true => ranges.iter().map(hash).collect(),
            false => pool::each(ranges, 4, hash),
        };
        self.keep(data, hashed)
    }

    /// Puts those chunks into frames that are new.
    fn keep(&mut self, data: &[u8], hashed: Vec<(ChunkId, std::ops::Range<usize>)>) -> Result<Vec<(ChunkId, u64)>> {
        self.check_whole()?;
        let known = self.find(&hashed)?;
        let mut chunks = Vec::with_capacity(hashed.len());
        for ((id, range), known) in hashed.into_iter().zip(known) {
            let size = range.len() as u64;
            chunks.push((id, size));
            if known || self.fresh.insert(id, size).is_some() {
                continue;
            }
            self.added += size;
            self.open.push(id, &data[range]);
            if self.open.data.len() >= TARGET {
                self.full.push(std::mem::take(&mut self.open));
                if self.full.len() >= SPILL {
                    self.spill().inspect_err(|_| self.broken = true)?;
                }
            }
        }
        Ok(chunks)
    }

    /// Which of these chunks this session or the store has already.
    fn find(&mut self, hashed: &[(ChunkId, std::ops::Range<usize>)]) -> Result<Vec<bool>> {
        let (fresh, borrowed) = (&self.fresh, &mut self.borrowed);
        self.shared.with_loaded_view(|view| {
            let mut known = Vec::with_capacity(hashed.len());
            for (id, _) in hashed {
                let found = match fresh.contains_key(id) {
                    true => None,
                    false => view.ask(|c| c.chunk(id))?,
                };
                if let Some(entry) = &found
                    && entry.segment & RANDOM != 0
                    && view.scanned.get(&entry.segment).is_some_and(|c| !c.closed)
                {
                    borrowed.insert(entry.segment);
                }
                known.push(found.is_some() || fresh.contains_key(id));
            }
            Ok(known)
        })
    }

    fn is_here(&self) -> bool {
        self.generation == sys::process_generation()
    }

    fn check_whole(&self) -> Result<()> {
        match self.broken {
            _ if !self.is_here() => {
                let message = "this was begun by the process that this one was forked from";
                Err(Error::message(Code::InvalidHandle, message).at(&self.shared.path))
            }
            true => Err(Error::message(Code::Io, "an earlier part of this could not be stored").at(&self.shared.path)),
            false => Ok(()),
        }
    }

    fn content(&mut self, size: u64, chunks: Vec<(ChunkId, u64)>) -> Result<Content> {
        if chunks.len() <= INLINE {
            return Ok(Content { size, depth: 0, chunks });
        }
        let list: Vec<u8> = chunks.iter().flat_map(|(id, size)| id.iter().copied().chain(size.to_le_bytes())).collect();
        let inner = self.add(&list, &chunker::cut(&list, true))?;
        let inner = self.content(list.len() as u64, inner)?;
        Ok(Content { size, depth: inner.depth + 1, chunks: inner.chunks })
    }

    /// Compresses the full frames and writes them to a pack.
    fn spill(&mut self) -> Result<()> {
        for item in encode(std::mem::take(&mut self.full))? {
            self.write_to_pack(&item)?;
        }
        Ok(())
    }

    fn write_to_pack(&mut self, item: &Item) -> Result<()> {
        if self.packs.last().is_none_or(|p| p.end > PACK_SIZE) {
            let pack = self.new_pack()?;
            self.packs.push(pack);
        }
        let Some(pack) = self.packs.last_mut() else { return Err(Error::new(Code::Internal)) };
        let parts: Vec<&[u8]> = item.parts.iter().map(Vec::as_slice).collect();
        let mut bytes = Vec::new();
        record::append_parts(&mut bytes, pack.end, pack.number, 0, item.kind, &parts);
        sys::write_at(&pack.file, &bytes, pack.end).at(&pack.path)?;
        pack.end += bytes.len() as u64;
        Ok(())
    }

    /// Creates a pack whose first record is whole before it has its name: others take what stands there for what it says.
    fn new_pack(&self) -> Result<Pack> {
        let number = random_number()?;
        let role = if GUEST { Role::Guest } else { Role::Pack };
        self.shared.with_loaded_view(|view| {
            let name = super::layout::segment_name(number);
            let guests = if GUEST { view.layout.optional_folder("guests", true)? } else { None };
            let dir = guests.as_ref().unwrap_or(&view.layout.segments);
            let path = view.layout.path.join(if GUEST { "guests" } else { "segments" }).join(&name);
            let temp = format!("{number:016x}.tmp");
            let file = view.layout.create_file(dir, OsStr::new(&temp), &path)?;
            let head =
                SegmentHead { readable_from: FORMAT, writable_from: FORMAT, number, role, previous: Fence::default() };
            let mut bytes = Vec::new();
            record::append(&mut bytes, 0, number, 0, Kind::Segment, &head.encode());
            let named =
                sys::write_at(&file, &bytes, 0).and_then(|()| dir.rename(OsStr::new(&temp), dir, OsStr::new(&name)));
            if let Err(e) = named {
                let _ = dir.remove_file(OsStr::new(&temp)); // the first error is the one to tell
                return Err(Error::io(e, path));
            }
            Ok(Pack { number, file, path, end: bytes.len() as u64 })
        })
    }

    /// Gives back the space of packs that no record will ever attach.
    fn remove_packs(&mut self) -> Result<()> {
        let packs = std::mem::take(&mut self.packs);
        if packs.is_empty() {
            return Ok(());
        }
        self.shared.with_loaded_view(|view| {
            for pack in packs {
                let name = super::layout::segment_name(pack.number);
                view.layout.segments.remove_file(OsStr::new(&name)).at(&pack.path)?;
            }
            Ok(())
        })
    }

    /// Appends records and makes them, and the contents they need, durable. Numbers of new versions are given here; the
    /// answer has one entry for each record, in order. Each record survives a crash whole or not at all; several records
    /// of one call may survive in part, in order.
    pub fn commit(self, records: Vec<New>) -> Result<Vec<Committed>> {
        let only_notes = !records.is_empty() && records.iter().all(|r| matches!(r, New::Landed { .. }));
        let (committed, unflushed) = self.commit_with(records, !only_notes)?;
        unflushed.leave(); // flushed already, or not worth it
        Ok(committed)
    }

    /// As [`Session::commit`] but without waiting for the medium: the caller flushes the file system before it acknowledges,
    /// and tells by [`Unflushed::settle`] that this went well. Until then nobody else appends.
    pub fn commit_unflushed(self, records: Vec<New>) -> Result<(Vec<Committed>, Unflushed)> {
        self.commit_with(records, false)
    }

    fn commit_with(mut self, records: Vec<New>, flush: bool) -> Result<(Vec<Committed>, Unflushed)> {
        self.check_whole()?;
        let mut items = self.finish_frames()?;
        let contents = items.len();
        let shared = self.shared.clone();
        let (retreats, borrowed) = (self.retreats, std::mem::take(&mut self.borrowed));
        let appending = shared.begin_append()?;
        let mut doubt = None;
        let committed = shared.with_created_view(|view| {
            if view.retreats != retreats {
                return Err(
                    Error::message(Code::StoreBusy, "a failed write of another was taken back").at(&shared.path)
                );
            }
            if flush {
                for number in borrowed.iter().copied() {
                    let file = view.file(number)?;
                    sys::sync_data(&file).at(view.segment_path(number))?;
                }
            }
            let mut numbers = Numbers::default();
            let mut given = Vec::with_capacity(records.len());
            for record in &records {
                let (item, number) = numbers.item(view, record)?;
                given.push(number);
                items.push(item);
            }
            if items.is_empty() {
                // The caller wants what was committed without a flush to be durable now.
                return if flush { view.flush_segments().map(|()| Vec::new()) } else { Ok(Vec::new()) };
            }
            self.decided = true;
            let appended = view.append(&appending.lock, &mut super::lock(&shared.state().own), &items, flush)?;
            doubt = Some(appended.doubt).filter(|_| !flush);
            let placed = appended.places.into_iter().skip(contents);
            let record = |(segment, offset)| RecordId { segment, offset };
            Ok(given.into_iter().zip(placed).map(|(number, at)| Committed { number, record: record(at) }).collect())
        })?;
        Ok((committed, Unflushed { doubt, _appending: appending, session: self }))
    }

    /// All frames, as records for the log or in packs that are flushed, with the records that attach those.
    fn finish_frames(&mut self) -> Result<Vec<Item>> {
        if !self.open.chunks.is_empty() {
            let last = std::mem::take(&mut self.open);
            self.full.push(last);
        }
        if self.packs.is_empty() {
            return encode(std::mem::take(&mut self.full));
        }
        self.spill()?;
        for pack in &self.packs {
            sys::sync_file(&pack.file).at(&pack.path)?;
        }
        self.shared.with_loaded_view(|view| {
            let guests = if GUEST { view.layout.optional_folder("guests", false)? } else { None };
            guests.as_ref().unwrap_or(&view.layout.segments).sync().at(&view.layout.path).map(drop)
        })?;
        let attach = |p: &Pack| Item::new(Kind::Attach, payload::encode_attach(p.number, p.end));
        Ok(if GUEST { Vec::new() } else { self.packs.iter().map(attach).collect() })
    }

    /// Whether a repair has ever set damage aside here: then what an old record refers to need not be in the store any more.
    pub(crate) fn was_repaired(&self) -> Result<bool> {
        self.shared.with_loaded_view(|view| Ok(view.layout.optional_folder("damaged", false)?.is_some()))
    }

    /// Whether all chunks of a content are in the store, as the index says; their bytes are not looked at.
    pub(crate) fn holds(&self, content: &Content) -> Result<bool> {
        let mut ids = Vec::new();
        match self.chunk_ids(content, &mut |id| ids.push(id)) {
            Err(e) if e.code() == Code::Damaged => return Ok(false),
            answer => answer?,
        }
        self.shared.with_loaded_view(|view| {
            for id in &ids {
                if !self.fresh.contains_key(id) && view.ask(|c| c.chunk(id))?.is_none() {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// The ids of all chunks of a content, those of its lists included.
    pub fn chunk_ids(&self, content: &Content, out: &mut dyn FnMut(ChunkId)) -> Result<()> {
        // Lists of this session are not readable before the commit, but they are still in its frames.
        let mut depth = content.depth;
        let mut chunks = content.chunks.clone();
        loop {
            chunks.iter().for_each(|(id, _)| out(*id));
            if depth == 0 {
                return Ok(());
            }
            let mut list = Vec::new();
            for (id, size) in &chunks {
                list.extend_from_slice(&self.chunk(id, *size)?);
                super::reader::bound_list(&list, &self.shared.path)?;
            }
            chunks = super::reader::parse_list(&list).ok_or_else(|| Error::new(Code::Damaged).at(&self.shared.path))?;
            depth -= 1;
        }
    }

    fn chunk(&self, id: &ChunkId, size: u64) -> Result<Vec<u8>> {
        for frame in self.full.iter().chain([&self.open]) {
            let mut at = 0;
            for (other, size) in &frame.chunks {
                let end = at + *size as usize;
                if other == id {
                    return Ok(frame.data[at..end].to_vec());
                }
                at = end;
            }
        }
        for pack in &self.packs {
            if let Some(chunk) = super::reader::find_in_segment(&pack.file, pack.number, pack.end, id).at(&pack.path)? {
                return Ok(chunk);
            }
        }
        self.shared.chunk(id, size)
    }
}

/// Frames as records, compressed on all cores.
fn encode(frames: Vec<RawFrame>) -> Result<Vec<Item>> {
    let one = |frame: RawFrame| {
        let (table, packed) = frame.encode()?;
        Ok(Item { kind: Kind::Frame, parts: vec![table, packed.unwrap_or(frame.data)], sequence: None })
    };
    pool::each_of(frames, 1, one).into_iter().collect()
}

/// Numbers given in one commit: for each key the highest, and those below it that an import wanted.
#[derive(Default)]
struct Numbers(HashMap<Key, (u64, BTreeSet<u64>)>);

impl Numbers {
    fn item(&mut self, view: &mut View, record: &New) -> Result<(Item, u64)> {
        Ok(match record {
            New::Version(version) => {
                let number = self.give(view, version)?;
                let created = version.created.unwrap_or_else(Timestamp::now);
                (Item::new(Kind::Version, payload::encode_version(version, number, created, writer())), number)
            }
            New::Landed { key, number, landed } => {
                (Item::new(Kind::Landed, payload::encode_landed(key, *number, *landed)), 0)
            }
            New::Tag { key, number, tag, set } => {
                let note = TagNote { key: key.clone(), number: *number, set: *set, tag: tag.clone() };
                (Item::new(Kind::Tag, payload::encode_tag(&note)), 0)
            }
            New::Snapshot(snapshot) => {
                let key = payload::snapshot_key(&snapshot.name);
                if view.ask(|c| c.last(Space::Snapshot, key))?.is_some() {
                    let message = format!("a backup named {:?} exists already", snapshot.name);
                    return Err(Error::message(Code::AlreadyExists, message).at(&view.layout.path));
                }
                (Item::new(Kind::Snapshot, payload::encode_snapshot(snapshot, Timestamp::now())), 0)
            }
        })
    }

    fn give(&mut self, view: &mut View, version: &NewVersion) -> Result<u64> {
        let hash = payload::history_key(&version.key);
        if !self.0.contains_key(&version.key) {
            let highest = view.ask(|c| c.last(Space::History, hash))?.map_or(0, |e| e.number);
            self.0.insert(version.key.clone(), (highest, BTreeSet::new()));
        }
        let (highest, given) = self.0.entry(version.key.clone()).or_default();
        let number = match version.wanted.filter(|n| *n > 0 && !given.contains(n)) {
            Some(wanted) if wanted > *highest || is_free(view, hash, wanted)? => wanted,
            _ => highest.checked_add(1).ok_or_else(|| Error::new(Code::TooLarge))?,
        };
        *highest = number.max(*highest);
        given.insert(number);
        Ok(number)
    }
}

/// Whether a number below the highest was never used: no record has it, and none that was pruned can have had it.
fn is_free(view: &mut View, hash: [u8; 32], number: u64) -> Result<bool> {
    let later = view.ask(|c| c.of_key(Space::History, hash, number))?;
    let used = |e: &Entry| e.number == number || e.extra == Kind::Spent as u64;
    Ok(!later.iter().any(used))
}

/// `pid@host`, as version records have it.
fn writer() -> &'static str {
    static WRITER: PerProcess<String> = PerProcess::new();
    WRITER.get(|_| format!("{}@{}", std::process::id(), sys::host_name()))
}

/// Reads until the buffer is full or the stream ends.
fn fill(data: &mut dyn Read, buffer: &mut [u8]) -> Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match data.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(done)
}

impl Store {
    /// The ids of all chunks of a content, those of its lists included.
    pub fn chunk_ids(&self, content: &Content, out: &mut dyn FnMut(ChunkId)) -> Result<()> {
        let mut content = content.clone();
        loop {
            content.chunks.iter().for_each(|(id, _)| out(*id));
            if content.depth == 0 {
                return Ok(());
            }
            let mut list = Vec::new();
            for (id, size) in &content.chunks {
                list.extend_from_slice(&self.0.chunk(id, *size)?);
                super::reader::bound_list(&list, self.path())?;
            }
            let chunks = super::reader::parse_list(&list).ok_or_else(|| Error::new(Code::Damaged).at(self.path()))?;
            content = Content { size: content.size, depth: content.depth - 1, chunks };
        }
    }
}
