//! Appending to the log: under its lock, after whatever others have appended, in one write and one flush.

use super::Shared;
use super::gaps::is_log;
use super::index::Coverage;
use super::layout::{random_number, segment_name};
use super::payload::{FORMAT, Fence, Role, SegmentHead};
use super::record::{self, Header, Kind};
use super::scan::{End, Tail};
use super::view::View;
use crate::error::{Code, Error, IoContext, Result};
use crate::sys;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Logs are zeroed ahead in steps that double from the first to the last of these.
const FIRST_STEP: u64 = 64 << 10;
const LAST_STEP: u64 = 4 << 20;
/// A log that has grown to this size is followed by another.
const LOG_SIZE: u64 = 64 << 20;
/// Entries that may be outside the runs: this many records are read when a store is opened.
const TAIL: usize = 1024;

/// What is no record, and not what a crash leaves either.
const SPOILT: u8 = 0x55;

/// One record to append; its payload in parts.
pub struct Item {
    pub kind: Kind,
    pub parts: Vec<Vec<u8>>,
    /// The sequence to keep, when an old record is copied.
    pub sequence: Option<u64>,
}

impl Item {
    pub fn new(kind: Kind, payload: Vec<u8>) -> Item {
        Item { kind, parts: vec![payload], sequence: None }
    }

    /// Bytes of its record, padding included.
    fn length(&self) -> usize {
        let payload: usize = self.parts.iter().map(Vec::len).sum();
        (record::HEADER + payload).next_multiple_of(record::ALIGN as usize)
    }
}

/// The right to append, given back when dropped (but not by a child that was forked meanwhile).
#[derive(Debug)]
pub struct AppendLock(Arc<File>, Arc<AtomicBool>, u64);

impl Drop for AppendLock {
    fn drop(&mut self) {
        if self.2 != sys::process_generation() {
            return;
        }
        self.1.store(false, Relaxed);
        let _ = sys::locks::unlock(&self.0); // the next one to lock through this descriptor would notice
    }
}

/// Lets one thread of this process append at a time: all of them lock through one descriptor, which does not keep them
/// from each other.
#[derive(Debug, Default)]
pub struct Gate(Mutex<bool>, Condvar);

/// The append lock, for this thread alone.
#[derive(Debug)]
pub struct Appending {
    // Given back first.
    pub lock: AppendLock,
    _inside: Inside,
}

#[derive(Debug)]
struct Inside(Arc<Shared>, u64);

impl Drop for Inside {
    fn drop(&mut self) {
        let state = self.0.state();
        if state.generation == self.1 {
            *super::lock(&state.appending.0) = false;
            state.appending.1.notify_one();
        }
    }
}

impl Shared {
    /// Waits for the right to append, and reads what others have appended. Not to be called under it.
    pub fn begin_append(self: &Arc<Shared>) -> Result<Appending> {
        let state = self.state();
        let mut inside = super::lock(&state.appending.0);
        while *inside {
            inside = state.appending.1.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
        *inside = true;
        drop(inside);
        let inside = Inside(self.clone(), state.generation);
        let lock = self.with_created_view(|view| view.lock_append())?;
        Ok(Appending { lock, _inside: inside })
    }
}

/// A stretch of a segment that is not durable yet.
#[derive(Clone, Copy, Debug)]
pub struct Doubt {
    pub segment: u64,
    /// Before this stands nothing that a failed flush could take away.
    pub from: u64,
    pub end: u64,
}

/// Where records were appended.
pub struct Appended {
    /// Segment and offset of each.
    pub places: Vec<(u64, u64)>,
    pub doubt: Doubt,
}

impl View {
    /// Waits for the append lock and reads what others have appended.
    pub fn lock_append(&mut self) -> Result<AppendLock> {
        let file = match &self.append_file {
            Some(file) => file.clone(),
            None => {
                let file = self.layout.lock_file("append.lock")?.ok_or_else(|| Error::new(Code::ReadOnly))?;
                self.append_file.insert(Arc::new(file)).clone()
            }
        };
        sys::locks::lock(&file, true).map_err(|e| busy(e, &self.layout.path))?;
        self.held.store(true, Relaxed);
        let lock = AppendLock(file, self.held.clone(), sys::process_generation());
        self.refresh()?;
        if self.newer {
            return Err(Error::new(Code::FormatUnsupported).at(&self.layout.path));
        }
        // Whoever may append knows that no pruner is at work: it died after its decision.
        if !super::GUEST {
            self.finish_prune(&lock)?;
        }
        Ok(lock)
    }

    /// Appends records. Nothing of it is in the index if this fails.
    pub fn append(
        &mut self,
        _lock: &AppendLock,
        own: &mut Option<u64>,
        items: &[Item],
        flush: bool,
    ) -> Result<Appended> {
        let target = self.writable_segment(own, items)?;
        let file = self.writable_file(target)?;
        let start = self.scanned.get(&target).copied().unwrap_or_default().end;
        let safe = self.safe_end(target).min(start);
        self.check_sequence(items.len())?;
        let mut bytes = Vec::new();
        let mut placed = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            let parts: Vec<&[u8]> = item.parts.iter().map(Vec::as_slice).collect();
            let sequence = item.sequence.unwrap_or(self.next_sequence + place as u64);
            placed.push((target, record::append_parts(&mut bytes, start, target, sequence, item.kind, &parts)));
        }
        let end = start + bytes.len() as u64;
        let path = self.segment_path(target);
        let written = sys::write_at(&file, &bytes, start)
            .and_then(|()| if is_log(target) { grow(&file, end) } else { Ok(()) })
            .and_then(|()| if flush { sys::sync_data(&file) } else { Ok(()) });
        if let Err(e) = written {
            // What the medium has of this write is not known, and a second flush would lie: fence it off.
            self.take_back(Doubt { segment: target, from: safe, end }, own);
            return Err(Error::io(e, path));
        }
        self.absorb_bytes(target, start, &bytes)?;
        self.scanned.insert(target, Coverage { end, closed: false });
        self.durable.insert(target, if flush { end } else { safe });
        if self.catalog.tail_len() > TAIL && self.flush_index().is_err() {
            // The records are kept; the index is derived, and is tried again with the next ones. If a run of it was
            // damaged, this derives it anew.
            self.forget();
        }
        Ok(Appended { places: placed, doubt: Doubt { segment: target, from: safe, end } })
    }

    fn check_sequence(&self, records: usize) -> Result<()> {
        match self.next_sequence.checked_add(records as u64).is_some_and(|last| last <= record::MAX_SEQUENCE) {
            true => Ok(()),
            false => Err(Error::message(Code::Damaged, "no record can have a higher sequence").at(&self.layout.path)),
        }
    }

    /// Up to where a segment is known to be durable. Only landing notes are acknowledged without a flush: whatever else is
    /// in force was flushed by its writer, and all that stands before it as well.
    fn safe_end(&self, segment: u64) -> u64 {
        let indexed = self.catalog.coverage.get(&segment).map_or(0, |covered| covered.end);
        self.durable.get(&segment).copied().unwrap_or(0).max(indexed)
    }

    /// Writes the index, covering all that is known.
    pub fn flush_index(&mut self) -> Result<()> {
        // The index must not speak of records that a power cut takes away.
        self.flush_segments()?;
        self.catalog.flush(&self.layout, self.scanned.clone(), self.next_sequence)
    }

    /// Makes durable what stands in segments that may still grow.
    pub fn flush_segments(&mut self) -> Result<()> {
        let open: Vec<u64> = self.scanned.iter().filter(|(_, c)| !c.closed).map(|(n, _)| *n).collect();
        for number in open {
            let file = self.file(number)?;
            sys::sync_data(&file).at(self.segment_path(number))?;
        }
        Ok(())
    }

    fn absorb_bytes(&mut self, segment: u64, start: u64, bytes: &[u8]) -> Result<()> {
        let mut at = 0;
        while let Some(head) = bytes.get(at..at + record::HEADER) {
            let head = head.try_into().map_err(|_| Error::new(Code::Internal))?;
            let record::Parsed::Header(header) = Header::parse(head, segment, start + at as u64) else { break };
            let from = at + record::HEADER;
            self.absorb(&header, &bytes[from..from + header.length as usize])?;
            at = (header.next() - start) as usize;
        }
        Ok(())
    }

    /// The segment that takes the next records: the log, or the guest's own.
    fn writable_segment(&mut self, own: &mut Option<u64>, items: &[Item]) -> Result<u64> {
        if super::GUEST {
            // A prune may have taken the segment away, and what is appended to a file without a name is lost.
            return match own.filter(|number| self.scanned.contains_key(number)) {
                Some(number) => Ok(number),
                None => Ok(*own.insert(self.create_segment(random_number()?, Role::Guest, Fence::default())?)),
            };
        }
        // Behind the place of a log that is lost: its number is never given again, and the gap shows.
        if self.log == 0 || self.log < self.known_log {
            self.roll()?;
            return Ok(self.log);
        }
        let end = self.scanned.get(&self.log).copied().unwrap_or_default().end;
        // With the header after them, which must show as zeros.
        let length = items.iter().map(Item::length).sum::<usize>() + record::HEADER;
        let sound = !self.poisoned.contains_key(&self.log) && self.end_of(self.log) == End::Clean;
        let clean = sound && self.is_blank(end, length)?;
        if !clean || end > LOG_SIZE {
            self.roll()?;
        }
        Ok(self.log)
    }

    /// The number of the log to be created: higher than any that was ever given, as far as that is known.
    fn new_log_number(&mut self) -> Result<u64> {
        let listed = self.listed()?.into_iter().filter(|n| is_log(*n)).max().unwrap_or(0);
        let replaced = if self.log == 0 { self.replaced_logs()?.unwrap_or(0) } else { 0 };
        let number = listed.max(replaced).max(self.log).max(self.known_log) + 1;
        match is_log(number) {
            true => Ok(number),
            false => Err(Error::message(Code::Damaged, "no log can have a higher number").at(&self.layout.path)),
        }
    }

    /// Whether nothing was ever written where the next records go.
    fn is_blank(&mut self, end: u64, length: usize) -> Result<bool> {
        let file = self.file(self.log)?;
        let mut bytes = vec![0; length];
        let read = sys::read_at(&file, &mut bytes, end).at(self.segment_path(self.log))?;
        Ok(bytes[..read].iter().all(|b| *b == 0))
    }

    /// Fences the log where its last record ends and starts the next one.
    pub fn roll(&mut self) -> Result<()> {
        let number = self.new_log_number()?;
        if self.log == 0 {
            self.log = self.create_segment(number, Role::Log, Fence::default())?;
            return Ok(());
        }
        let old = self.log;
        let poisoned = self.poisoned.get(&old).copied();
        let end = poisoned.unwrap_or(self.scanned.get(&old).copied().unwrap_or_default().end);
        let fence = self.fence(old, end)?;
        if poisoned.is_none() {
            // Records that nobody flushed (landing notes) must not follow later ones into nothing.
            let file = self.writable_file(old)?;
            sys::sync_data(&file).at(self.segment_path(old))?;
        }
        let next = self.create_segment(number, Role::Log, fence)?;
        self.scanned.insert(old, Coverage { end, closed: true });
        self.poisoned.remove(&old);
        self.log = next;
        Ok(())
    }

    fn fence(&mut self, segment: u64, end: u64) -> Result<Fence> {
        let file = self.file(segment)?;
        let path = self.segment_path(segment);
        let tail = Tail::read(&file, end).at(&path)?;
        match tail.zero {
            true => Ok(Fence { segment, end, tail: 0, digest: [0; 32] }),
            false => Ok(Fence { segment, end, tail: tail.length, digest: tail.digest }),
        }
    }

    /// After a failed write or flush: nothing from here on is in force, and no record may follow in this segment. What
    /// stands there is never cut off: others may have read it.
    pub fn take_back(&mut self, doubt: Doubt, own: &mut Option<u64>) {
        let Doubt { segment, from: safe, end } = doubt;
        *own = None;
        if self.scanned.get(&segment).is_some_and(|known| known.end > safe) {
            // What was looked up in it is void.
            self.retreats += 1;
        }
        if self.catalog.coverage.get(&segment).is_some_and(|covered| covered.end > safe) {
            let _ = self.catalog.clear(&self.layout); // derived; what is left of it is found to be wrong, and rebuilt
        }
        self.durable.remove(&segment);
        self.poisoned.insert(segment, safe);
        if is_log(segment) {
            if self.log != segment {
                let _ = self.reload(); // what fails in it fails in the next call as well
            }
            // If the medium takes nothing at all, the next append of this process tries again, and that of others finds
            // a log that does not end as it should.
            if self.log != segment || self.roll().is_err() {
                let _ = self.spoil(segment, safe, end);
            }
        }
        self.forget();
    }

    /// Makes sure that other processes do not append behind what is to be fenced off.
    fn spoil(&mut self, segment: u64, safe: u64, end: u64) -> Result<()> {
        let file = self.writable_file(segment)?;
        // All of it: where one record is damaged, the next is looked for.
        let length = end.saturating_sub(safe).max(record::HEADER as u64);
        sys::write_at(&file, &vec![SPOILT; length as usize], safe).at(self.segment_path(segment))
    }

    /// Creates a segment, whole and durable before it has its name.
    fn create_segment(&mut self, number: u64, role: Role, previous: Fence) -> Result<u64> {
        let head = SegmentHead { readable_from: FORMAT, writable_from: FORMAT, number, role, previous };
        let mut bytes = Vec::new();
        record::append(&mut bytes, 0, number, self.next_sequence, Kind::Segment, &head.encode());
        let end = bytes.len() as u64;
        if role == Role::Log {
            bytes.resize(FIRST_STEP as usize, 0);
        }
        let guests;
        let dir = match role {
            Role::Guest => {
                guests = self.layout.optional_folder("guests", true)?;
                guests.as_ref().ok_or_else(|| Error::new(Code::NoStore))?
            }
            _ => &self.layout.segments,
        };
        let path = self.segment_path(number);
        let temp = format!("{:016x}.tmp", random_number()?);
        let file = self.layout.create_file(dir, OsStr::new(&temp), &path)?;
        if dir.stat(OsStr::new(&segment_name(number))).is_ok() {
            let _ = dir.remove_file(OsStr::new(&temp)); // the error below is the one to tell
            let message = "a segment stands where a new one should: the store is damaged, repair it";
            return Err(Error::message(Code::Damaged, message).at(path));
        }
        let finished = sys::write_at(&file, &bytes, 0)
            .and_then(|()| sys::sync_file(&file))
            .and_then(|()| dir.rename(OsStr::new(&temp), dir, OsStr::new(&segment_name(number))))
            .and_then(|()| dir.sync().map(drop));
        if let Err(e) = finished {
            let _ = dir.remove_file(OsStr::new(&temp)); // the first error is the one to tell
            return Err(Error::io(e, path));
        }
        self.absorb_bytes(number, 0, &bytes[..end as usize])?;
        self.scanned.insert(number, Coverage { end, closed: false });
        Ok(number)
    }

    fn writable_file(&mut self, number: u64) -> Result<Arc<File>> {
        if let Some((_, file)) = self.writable.as_ref().filter(|(n, _)| *n == number) {
            return Ok(file.clone());
        }
        let name = segment_name(number);
        let path = self.segment_path(number);
        let file = if is_log(number) {
            self.layout.segments.open_write(OsStr::new(&name)).at(path)?
        } else {
            let guests = self.layout.optional_folder("guests", false)?;
            let guests = guests.ok_or_else(|| Error::new(Code::NoStore).at(&path))?;
            guests.open_write(OsStr::new(&name)).at(path)?
        };
        let file = Arc::new(file);
        self.writable = Some((number, file.clone()));
        Ok(file)
    }
}

/// Writes zeros ahead once the records come near the end of what is allocated, up to the next step: a flush that finds
/// its blocks in place is several times quicker. Without room for that the log goes on without.
fn grow(file: &File, end: u64) -> io::Result<()> {
    // One header more, so that the end always shows as zeros.
    let needed = end + record::HEADER as u64;
    let allocated = sys::stat_file(file)?.size.max(end);
    if needed <= allocated {
        return Ok(());
    }
    let step = allocated.next_power_of_two().clamp(FIRST_STEP, LAST_STEP);
    let target = needed.div_ceil(step) * step;
    match sys::write_at(file, &vec![0; (target - end) as usize], end) {
        Err(e) if sys::classify(&e) == Code::NoSpace => Ok(()),
        answer => answer,
    }
}

/// A lock that cannot be waited for, as under WASI, is busy.
pub fn busy(error: io::Error, path: &std::path::Path) -> Error {
    match error.kind() {
        io::ErrorKind::Deadlock => Error::new(Code::StoreBusy).at(path),
        _ => Error::io(error, path),
    }
}

impl Shared {
    /// Whether appending is allowed at all.
    pub fn check_writable(&self) -> Result<()> {
        match self.options.read_only {
            true => Err(Error::new(Code::ReadOnly).at(&self.path)),
            false => Ok(()),
        }
    }
}
