//! What one process knows of a store: its index, and how far it has read each segment.

use super::frame::Frame;
use super::gaps::is_log;
use super::index::{Catalog, Coverage, Entry, Space};
use super::layout::{self, Layout, RANDOM, number_in, segment_name};
use super::model::RecordId;
use super::payload::{self, FORMAT, Fence, Role, SegmentHead};
use super::record::{self, HEADER, Header, Kind, Parsed};
use super::scan::{End, Item, Stretch};
use crate::error::{Code, Error, IoContext, Result};
use crate::path::Key;
use crate::sys::{self, Locked};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Open segment files kept.
const OPEN_FILES: usize = 64;
/// Most records are read with one call of this size.
const GUESS: usize = 1024;

/// One process's view of a store that exists.
#[derive(Debug)]
pub struct View {
    pub layout: Layout,
    pub catalog: Catalog,
    /// How much of each segment the catalog covers, runs and tail together.
    pub scanned: BTreeMap<u64, Coverage>,
    /// The log that is appended to; 0: none yet.
    pub log: u64,
    /// The highest log that the index has ever spoken of: it stays given out should its file be lost.
    pub known_log: u64,
    /// The folder of segments when it was listed last, and held no log beyond the one appended to.
    pub listed_at: Option<(Timestamp, Timestamp)>,
    /// How segments that may still grow ended when they were last read.
    pub ends: HashMap<u64, End>,
    pub next_sequence: u64,
    /// A prune that was decided: new segments take the place of old ones.
    pub prune: Option<PruneCommit>,
    files: HashMap<u64, Arc<File>>,
    /// The segment appended to, and the lock file for that.
    pub writable: Option<(u64, Arc<File>)>,
    pub append_file: Option<Arc<File>>,
    /// Whether this process holds the append lock: then no record is in the making.
    pub held: Arc<AtomicBool>,
    /// How often bytes that were believed to be records turned out to be fenced off: what was looked up before is void.
    pub retreats: u64,
    /// Up to where segments are known to be durable, as far as this process flushed them or saw it in them.
    pub durable: HashMap<u64, u64>,
    /// Segments in which a write or a flush of this process failed: from where on nothing is in force.
    pub poisoned: BTreeMap<u64, u64>,
    /// Whether reading came to its end; if not, what is known is a part.
    whole: bool,
    /// An attached segment is being read: it attaches no others.
    attaching: bool,
    /// This format may be read but not written.
    pub newer: bool,
}

/// The content of `prune.commit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneCommit {
    pub new: BTreeSet<u64>,
    pub old: BTreeSet<u64>,
}

impl PruneCommit {
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = super::fields::FieldWriter::default();
        for list in [&self.new, &self.old] {
            fields.u64(list.len() as u64);
            list.iter().for_each(|n| {
                fields.u64(*n);
            });
        }
        record::sealed(Kind::Prune, &fields.0)
    }

    pub fn parse(bytes: &[u8]) -> Option<PruneCommit> {
        let mut fields = super::fields::FieldReader::new(record::unseal(bytes, Kind::Prune)?);
        let mut lists = [BTreeSet::new(), BTreeSet::new()];
        for list in &mut lists {
            for _ in 0..fields.count(8)? {
                list.insert(fields.u64()?);
            }
        }
        fields.end()?;
        let [new, old] = lists;
        Some(PruneCommit { new, old })
    }
}

impl View {
    /// Reads the index and what is newer than it.
    pub fn load(layout: Layout) -> Result<View> {
        let mut view = View {
            layout,
            catalog: Catalog::default(),
            scanned: BTreeMap::new(),
            log: 0,
            known_log: 0,
            listed_at: None,
            ends: HashMap::new(),
            next_sequence: 1,
            prune: None,
            files: HashMap::new(),
            writable: None,
            append_file: None,
            held: Arc::default(),
            retreats: 0,
            durable: HashMap::new(),
            poisoned: BTreeMap::new(),
            whole: false,
            attaching: false,
            newer: false,
        };
        view.reload()?;
        Ok(view)
    }

    /// Forgets everything and reads it again.
    pub fn reload(&mut self) -> Result<()> {
        match self.try_reload() {
            // The index names a segment that is not there: others have pruned since it was read, or it is wrong.
            Err(e) if e.code() == Code::NotFound => self.rescan(),
            answer => answer,
        }
    }

    fn try_reload(&mut self) -> Result<()> {
        self.whole = false;
        self.files.clear();
        self.writable = None;
        self.log = 0;
        self.listed_at = None;
        self.ends.clear();
        self.durable.clear();
        self.prune = self.read_prune()?;
        let usable = self.prune.is_none();
        self.catalog = if usable { Catalog::load(&self.layout) } else { Catalog::default() };
        self.scanned = self.catalog.coverage.clone();
        self.known_log = self.scanned.keys().copied().filter(|n| is_log(*n)).max().unwrap_or(0);
        if self.scanned.is_empty() {
            self.read_all()?;
        } else {
            self.log = self.known_log;
            self.next_sequence = self.next_sequence.max(self.catalog.sequence);
        }
        self.read_new()?;
        self.whole = true;
        Ok(())
    }

    /// Reads what others have written since.
    pub fn refresh(&mut self) -> Result<()> {
        let pruning = self.layout.root.stat(OsStr::new("prune.commit")).is_ok();
        if !self.whole || pruning != self.prune.is_some() || self.catalog.is_stale(&self.layout) {
            return self.reload();
        }
        self.whole = false;
        match self.read_new() {
            // Others have pruned, or fenced off what was read, since.
            Err(e) if e.code() == Code::NotFound => return self.reload(),
            answer => answer?,
        }
        self.whole = true;
        Ok(())
    }

    /// The next look reads everything again.
    pub fn forget(&mut self) {
        self.whole = false;
    }

    /// Starts from nothing but the segments: the index was damaged.
    pub fn rescan(&mut self) -> Result<()> {
        self.whole = false;
        self.prune = self.read_prune()?;
        self.catalog = Catalog::default();
        self.scanned.clear();
        self.files.clear();
        self.writable = None;
        self.ends.clear();
        self.durable.clear();
        self.log = 0;
        self.listed_at = None;
        self.read_all()?;
        self.read_new()?;
        self.whole = true;
        Ok(())
    }

    fn read_prune(&self) -> Result<Option<PruneCommit>> {
        let path = self.layout.path.join("prune.commit");
        match self.layout.root.open_read(OsStr::new("prune.commit")) {
            Ok(file) => {
                let bytes = read_whole(&file, 16 << 20).at(&path)?;
                match PruneCommit::parse(&bytes) {
                    Some(commit) => Ok(Some(commit)),
                    None => Err(Error::message(Code::Damaged, "prune.commit fails its checksum").at(path)),
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io(e, path)),
        }
    }

    /// Every segment that stands by itself: segments made by prune or repair, and logs but the newest.
    fn read_all(&mut self) -> Result<()> {
        for number in self.listed()? {
            if number & RANDOM == 0 {
                continue;
            }
            // One whose first record is damaged may be one of those: what can be read of it counts.
            if self.head(number)?.is_none_or(|head| head.role == Role::Made) {
                self.read_stretch(number, None)?;
                match self.scanned.get_mut(&number) {
                    // Else nothing was ever written to it that is there: a pack that a writer or a crash has just begun.
                    Some(coverage) if coverage.end > 0 || self.ends.get(&number) != Some(&End::Clean) => {
                        coverage.closed = true;
                    }
                    _ => drop(self.scanned.remove(&number)),
                }
            }
        }
        Ok(())
    }

    /// The numbers of all segments in force, by name.
    pub fn listed(&self) -> Result<Vec<u64>> {
        let entries = self.layout.segments.entries().at(self.layout.path.join("segments"))?;
        let mut numbers: Vec<u64> = entries
            .iter()
            .filter_map(|e| {
                let made =
                    number_in(&e.name, ".new").filter(|n| self.prune.as_ref().is_some_and(|p| p.new.contains(n)));
                made.or_else(|| number_in(&e.name, ".seg"))
            })
            .filter(|n| !self.prune.as_ref().is_some_and(|p| p.old.contains(n)))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    /// Log by log from where reading stopped, then guests.
    fn read_new(&mut self) -> Result<()> {
        if self.log == 0 {
            match self.next_log()? {
                Some(first) => self.log = first,
                None => return self.read_guests(),
            }
        }
        loop {
            let next = self.next_log()?;
            let fence = match next {
                Some(next) => self.head(next)?.map(|h| h.previous).filter(|f| f.segment == self.log),
                None => None,
            };
            let limit = match fence {
                Some(Fence { end, .. }) => {
                    self.poisoned.remove(&self.log);
                    Some(end)
                }
                None => self.poisoned.get(&self.log).copied(),
            };
            self.read_stretch(self.log, limit)?;
            let Some(next) = next else { break };
            self.scanned.entry(self.log).or_default().closed = true;
            self.log = next;
        }
        self.read_guests()
    }

    fn read_guests(&mut self) -> Result<()> {
        for number in self.guests()? {
            self.read_stretch(number, self.poisoned.get(&number).copied())?;
        }
        Ok(())
    }

    /// The numbers of all guest segments.
    pub fn guests(&self) -> Result<Vec<u64>> {
        let Some(dir) = self.layout.optional_folder("guests", false)? else { return Ok(Vec::new()) };
        let entries = dir.entries().at(self.layout.path.join("guests"))?;
        let mut numbers: Vec<u64> = entries
            .iter()
            .filter_map(|e| number_in(&e.name, ".seg"))
            .filter(|n| !self.prune.as_ref().is_some_and(|p| p.old.contains(n)))
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    pub fn exists(&self, number: u64) -> Result<bool> {
        match self.layout.segments.stat(OsStr::new(&segment_name(number))) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io(e, self.layout.path.join("segments"))),
        }
    }

    /// Reads on in one segment.
    fn read_stretch(&mut self, number: u64, limit: Option<u64>) -> Result<()> {
        let covered = self.scanned.get(&number).copied().unwrap_or_default();
        if covered.closed {
            return Ok(());
        }
        let file = self.file(number)?;
        let size = sys::stat_file(&file).at(self.segment_path(number))?.size;
        if covered.end > limit.unwrap_or(size) || covered.end > size {
            // What was read there was fenced off or lost since.
            self.retreats += 1;
            return Err(
                Error::message(Code::NotFound, "a part of the store was taken back").at(self.segment_path(number))
            );
        }
        let sure = limit.is_some() || self.held.load(Relaxed);
        if let Some(doubt) = self.read_part(number, &file, limit, sure)? {
            // Bytes that look damaged may be a record in the making. Where nobody can be at it, they are what they seem.
            let _quiet = self.wait_for_quiet()?;
            debug_assert!(doubt >= covered.end);
            self.read_part(number, &file, limit, true)?;
        }
        Ok(())
    }

    /// Reads on to the end; unless `sure`, to the first damage, whose place is the answer.
    fn read_part(&mut self, number: u64, file: &File, limit: Option<u64>, sure: bool) -> Result<Option<u64>> {
        let from = self.scanned.get(&number).copied().unwrap_or_default().end;
        let stretch = Stretch { file, segment: number, from, limit };
        let (mut found, mut doubt) = (Vec::new(), None);
        let (end, how) = stretch.scan::<Error>(&mut |item| {
            match item {
                Item::Damage { offset, .. } if !sure && doubt.is_none() => doubt = Some(offset),
                Item::Record(header, payload) if doubt.is_none() => {
                    // Frames are large: only their table is needed.
                    let kept = match header.kind {
                        Some(Kind::Frame) => payload.len().min(table_length(payload)),
                        _ => payload.len(),
                    };
                    found.push((header.clone(), payload[..kept].to_vec()));
                }
                _ => {}
            }
            Ok(())
        })?;
        for (header, payload) in &found {
            self.absorb(header, payload)?;
        }
        self.scanned.insert(number, Coverage { end: doubt.unwrap_or(end), closed: false });
        self.ends.insert(number, how);
        Ok(doubt)
    }

    /// Waits until no record is in the making, and keeps it so while the answer lives, if this process can.
    fn wait_for_quiet(&self) -> Result<Option<Locked>> {
        if super::GUEST {
            std::thread::sleep(std::time::Duration::from_millis(20));
            return Ok(None);
        }
        match self.layout.root.open_read(OsStr::new("append.lock")) {
            Ok(file) => Locked::wait(file, false).map(Some).at(&self.layout.path),
            // Nobody has ever appended, or nobody can.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io(e, self.layout.path.join("append.lock"))),
        }
    }

    /// Adds what a record says to the index.
    pub fn absorb(&mut self, header: &Header, payload: &[u8]) -> Result<()> {
        self.next_sequence = self.next_sequence.max(header.sequence.saturating_add(1));
        let id = RecordId { segment: header.segment, offset: header.offset };
        if header.kind != Some(Kind::Landed) {
            self.durable.insert(header.segment, header.next());
        }
        let damaged =
            || Error::message(Code::Damaged, format!("record {id} makes no sense")).at(self.segment_path(id.segment));
        match header.kind {
            Some(Kind::Segment) => {
                let (readable, writable) = SegmentHead::versions(payload).ok_or_else(damaged)?;
                if readable > FORMAT {
                    return Err(Error::new(Code::FormatUnsupported).at(&self.layout.path));
                }
                self.newer |= writable > FORMAT;
            }
            Some(Kind::Frame) => {
                for (place, chunk) in table(payload).into_iter().enumerate() {
                    self.catalog.insert(entry(Space::Chunk, chunk, 0, header, place as u64));
                }
            }
            Some(Kind::Version) => {
                if let Some(version) = payload::parse_version(payload, id) {
                    self.absorb_history(&version.key, version.number, header, Kind::Version)?;
                }
            }
            Some(Kind::Landed) => {
                if let Some(note) = payload::parse_landed(payload) {
                    self.absorb_history(&note.key, note.number, header, Kind::Landed)?;
                }
            }
            Some(Kind::Tag) => {
                if let Some(note) = payload::parse_tag(payload) {
                    self.absorb_history(&note.key, note.number, header, Kind::Tag)?;
                }
            }
            Some(Kind::Spent) => {
                if let Some((key, number)) = payload::parse_spent(payload) {
                    self.absorb_history(&key, number, header, Kind::Spent)?;
                }
            }
            Some(Kind::Snapshot) => {
                if let Some(snapshot) = payload::parse_snapshot(payload, id) {
                    let key = payload::snapshot_key(&snapshot.name);
                    self.catalog.insert(entry(Space::Snapshot, key, 0, header, 0));
                }
            }
            Some(Kind::Attach) => {
                let found = payload::parse_attach(payload).filter(|(segment, _)| segment & RANDOM != 0);
                if let (Some((segment, end)), false) = (found, self.attaching) {
                    self.attaching = true;
                    let attached = self.attach(segment, end);
                    self.attaching = false;
                    attached?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn absorb_history(&mut self, key: &Key, number: u64, header: &Header, kind: Kind) -> Result<()> {
        let hash = payload::history_key(key);
        self.catalog.insert(entry(Space::History, hash, number, header, kind as u64));
        let spells = matches!(kind, Kind::Version | Kind::Spent);
        // A damaged index is found and rebuilt by the next question; until then a second spelling does no harm.
        if spells && self.catalog.last(Space::Name, hash).unwrap_or(None).is_none() {
            let name = Entry { sequence: 0, ..entry(Space::Name, hash, 0, header, kind as u64) };
            self.catalog.insert(name);
        }
        Ok(())
    }

    fn attach(&mut self, segment: u64, end: u64) -> Result<()> {
        if self.prune.as_ref().is_some_and(|p| p.old.contains(&segment)) {
            return Ok(());
        }
        // Read before it was attached, it was not all there.
        if self.scanned.get(&segment).is_some_and(|known| known.closed && known.end < end) {
            self.scanned.entry(segment).or_default().closed = false;
        }
        match self.read_stretch(segment, Some(end)) {
            Ok(()) => self.scanned.entry(segment).or_default().closed = true,
            // Its loss is told by whoever needs a chunk of it, and by verify.
            Err(e) if e.code() == Code::NotFound => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// How a segment ended when it was last read.
    pub fn end_of(&self, number: u64) -> End {
        self.ends.get(&number).copied().unwrap_or(End::Clean)
    }

    /// The path of a segment, for messages.
    pub fn segment_path(&self, number: u64) -> PathBuf {
        let folder = if self.is_guest(number) { "guests" } else { "segments" };
        self.layout.path.join(folder).join(segment_name(number))
    }

    fn is_guest(&self, number: u64) -> bool {
        number & RANDOM != 0 && !self.exists(number).unwrap_or(true)
    }

    /// An open segment.
    pub fn file(&mut self, number: u64) -> Result<Arc<File>> {
        if let Some(file) = self.files.get(&number) {
            return Ok(file.clone());
        }
        let file = Arc::new(self.open_segment(number)?);
        if self.files.len() >= OPEN_FILES {
            self.files.clear();
        }
        self.files.insert(number, file.clone());
        Ok(file)
    }

    fn open_segment(&self, number: u64) -> Result<File> {
        let name = segment_name(number);
        let made = layout::segment_name(number).replace(".seg", ".new");
        let missing = |e: &io::Error| e.kind() == io::ErrorKind::NotFound;
        match self.layout.segments.open_read(OsStr::new(&name)) {
            Err(e) if missing(&e) && self.prune.as_ref().is_some_and(|p| p.new.contains(&number)) => {
                self.layout.segments.open_read(OsStr::new(&made)).at(self.segment_path(number))
            }
            Err(e) if missing(&e) && number & RANDOM != 0 => match self.layout.optional_folder("guests", false)? {
                Some(guests) => guests.open_read(OsStr::new(&name)).at(self.layout.path.join("guests").join(name)),
                None => Err(Error::io(e, self.segment_path(number))),
            },
            file => file.at(self.segment_path(number)),
        }
    }

    /// The first record of a segment; `None` if it is damaged.
    pub fn head(&mut self, number: u64) -> Result<Option<SegmentHead>> {
        let file = self.file(number)?;
        match read_record(&file, RecordId { segment: number, offset: 0 }) {
            Ok((header, payload)) if header.kind == Some(Kind::Segment) => Ok(SegmentHead::parse(&payload)),
            Ok(_) => Ok(None),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => Ok(None),
            Err(e) => Err(Error::io(e, self.segment_path(number))),
        }
    }

    /// Asks the index; a damaged one is thrown away and derived anew.
    pub fn ask<R>(&mut self, question: impl Fn(&Catalog) -> io::Result<R>) -> Result<R> {
        match question(&self.catalog) {
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::NotFound) => {
                self.rescan()?;
                question(&self.catalog).at(&self.layout.path)
            }
            answer => answer.at(&self.layout.path),
        }
    }

    /// One record, checked.
    pub fn record(&mut self, id: RecordId) -> Result<(Header, Vec<u8>)> {
        let file = self.file(id.segment)?;
        read_record(&file, id).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidData => {
                Error::message(Code::Damaged, format!("record {id} is damaged")).at(self.segment_path(id.segment))
            }
            _ => Error::io(e, self.segment_path(id.segment)),
        })
    }
}

fn entry(space: Space, key: [u8; 32], number: u64, header: &Header, extra: u64) -> Entry {
    let sequence = if space == Space::Chunk { 0 } else { header.sequence };
    Entry { space: space as u64, key, number, sequence, segment: header.segment, offset: header.offset, extra }
}

fn table_length(payload: &[u8]) -> usize {
    Frame::parse(payload).map_or(0, |frame| 24 + 40 * frame.chunks.len())
}

/// The ids in the table of a frame, whose data may have been cut off.
fn table(payload: &[u8]) -> Vec<[u8; 32]> {
    let count = payload.get(16..24).and_then(|c| c.try_into().ok()).map_or(0, u64::from_le_bytes);
    let entries = payload.get(24..).unwrap_or(&[]).as_chunks::<40>().0;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    entries.iter().take(count).filter_map(|e| e[..32].try_into().ok()).collect()
}

/// One record at a known place; `InvalidData` if it is not there or fails a check.
pub fn read_record(file: &File, id: RecordId) -> io::Result<(Header, Vec<u8>)> {
    let mut bytes = vec![0; GUESS];
    let read = sys::read_at(file, &mut bytes, id.offset)?;
    bytes.truncate(read);
    let head: &[u8; HEADER] = bytes.first_chunk().ok_or(io::ErrorKind::InvalidData)?;
    let Parsed::Header(header) = Header::parse(head, id.segment, id.offset) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let length = header.length as usize; // bounded by MAX_PAYLOAD
    let mut payload = bytes.split_off(HEADER);
    let have = payload.len().min(length);
    payload.resize(length, 0);
    if have < length {
        let read = sys::read_at(file, &mut payload[have..], header.payload_offset() + have as u64)?;
        payload.truncate(have + read);
    }
    if header.matches(&payload) { Ok((header, payload)) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// A small file whole; `InvalidData` if it is larger than `most`.
pub fn read_whole(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let size = sys::stat_file(file)?.size;
    if size > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; size as usize];
    let read = sys::read_at(file, &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}
