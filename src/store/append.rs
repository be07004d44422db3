//! Appending to the log: under its lock, after whatever others have appended, in one write and one flush.

use super::Shared;
use super::index::Coverage;
use super::layout::{random_number, segment_name};
use super::payload::{FORMAT, Fence, Role, SegmentHead};
use super::record::{self, Header, Kind};
use super::scan::{End, Tail};
use super::view::{View, is_log};
use crate::error::{Code, Error, IoContext, Result};
use crate::sys;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Logs are zeroed ahead in steps that double from the first to the last of these.
const FIRST_STEP: u64 = 64 << 10;
const LAST_STEP: u64 = 4 << 20;
/// A log that has grown to this size is followed by another.
const LOG_SIZE: u64 = 64 << 20;
/// Entries that may be outside the runs: this many records are read when a store is opened.
const TAIL: usize = 1024;

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
}

/// The right to append, given back when dropped.
pub struct AppendLock(Arc<File>, Arc<AtomicBool>);

impl Drop for AppendLock {
    fn drop(&mut self) {
        self.1.store(false, Relaxed);
        let _ = sys::locks::unlock(&self.0); // the next one to lock through this descriptor would notice
    }
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
        let lock = AppendLock(file, self.held.clone());
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

    /// Appends records; gives their offsets. Nothing of it is in the index if this fails.
    pub fn append(
        &mut self,
        _lock: &AppendLock,
        own: &mut Option<u64>,
        items: &[Item],
        flush: bool,
    ) -> Result<Vec<(u64, u64)>> {
        let target = self.writable_segment(own, items)?;
        let file = self.writable_file(target)?;
        let start = self.scanned.get(&target).copied().unwrap_or_default().end;
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
            self.abandon(target, start);
            *own = None;
            return Err(Error::io(e, path));
        }
        self.absorb_bytes(target, start, &bytes)?;
        self.scanned.insert(target, Coverage { end, closed: false });
        if self.catalog.tail_len() > TAIL && self.flush_index().is_err() {
            // The records are kept; the index is derived, and is tried again with the next ones. If a run of it was
            // damaged, this derives it anew.
            self.forget();
        }
        Ok(placed)
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
        let length: usize = items.iter().flat_map(|i| &i.parts).map(|p| p.len() + 2 * record::HEADER).sum();
        let clean = self.end_of(self.log) == End::Clean && self.is_blank(end, length)?;
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
        let end = self.scanned.get(&self.log).copied().unwrap_or_default().end;
        let fence = self.fence(self.log, end)?;
        let old = self.log;
        // Records that nobody flushed (landing notes) must not follow later ones into nothing.
        let file = self.writable_file(old)?;
        sys::sync_data(&file).at(self.segment_path(old))?;
        let next = self.create_segment(number, Role::Log, fence)?;
        self.scanned.insert(old, Coverage { end, closed: true });
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

    /// After a failed write: no record may follow it in this segment.
    fn abandon(&mut self, segment: u64, start: u64) {
        self.scanned.insert(segment, Coverage { end: start, closed: false });
        self.ends.insert(segment, End::Damaged);
        if is_log(segment) {
            let fenced = self.fence(segment, start).and_then(|fence| {
                let number = self.new_log_number()?;
                let next = self.create_segment(number, Role::Log, fence)?;
                self.scanned.insert(segment, Coverage { end: start, closed: true });
                self.log = next;
                Ok(())
            });
            // If the medium takes nothing at all, the next append of whoever comes tries again. What stands there is
            // never cut off: others may have read it.
            let _ = fenced;
        }
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
