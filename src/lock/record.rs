//! Who holds a lock, written into the sidecar for others to read: a line of magic and some lines of fixed length.
//!
//! The record is a courtesy. It is never proof: it is believed only where the kernel, or a process that lives, agrees.
//! It is not erased when the lock is given back: whoever reads it asks the kernel first, and erasing might hit what
//! somebody else has written meanwhile.

use super::LockType;
use super::registry::Registry;
use super::sidecar::{Identity, Sidecar};
use crate::sys::{self, Stat, sharing};
use crate::time::Timestamp;
use std::fs::File;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

const MAGIC: &[u8; 16] = b"electrus-lock 1\n";
const SLOT: usize = 192;
/// One for the exclusive holder, and all of them for shared ones; more of those overwrite each other.
const SLOTS: usize = 8;
/// The magic and the first slot.
const FIRST: usize = MAGIC.len() + SLOT;
const WHOLE: usize = MAGIC.len() + SLOT * SLOTS;
const HOST_MAX: usize = 64;

type Slot = [u8; SLOT];

/// A process, as nobody else ever is it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub pid: u32,
    /// In clock ticks since the machine started.
    pub start: u64,
    pub boot: String,
    pub host: String,
}

impl Process {
    /// The one that runs this. `None` where processes have no such marks.
    pub fn this() -> Option<Process> {
        let pid = sys::process_id()?;
        let host = sys::host_name();
        let host = host.chars().filter(char::is_ascii_graphic).take(HOST_MAX).collect();
        Some(Process { pid, start: sharing::process_start(pid)?, boot: sharing::boot_id()?, host })
    }

    /// Whether it still runs on this machine.
    pub fn lives(&self) -> bool {
        sharing::process_start(self.pid) == Some(self.start) && sharing::boot_id().as_deref() == Some(&self.boot)
    }
}

/// One holder, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub process: Process,
    pub kind: LockType,
    pub since: Timestamp,
}

impl Record {
    /// `x 4711 123456 6f1e…-boot-id 2026-01-15T10:30:00+00:00 host`, padded with spaces to one line of [`SLOT`] bytes.
    /// The time is given to the second: whoever takes the lock again within it has nothing to write.
    fn to_slot(kind: LockType, since: Timestamp, process: &Process) -> Option<Slot> {
        use io::Write;
        let mut slot = [b' '; SLOT];
        let letter = if kind == LockType::Exclusive { 'x' } else { 's' };
        let Process { pid, start, boot, host } = process;
        let host = if host.is_empty() { "-" } else { host };
        let since = Timestamp { nanos: 0, ..since }.to_rfc3339();
        write!(&mut slot[..SLOT - 1], "{letter} {pid} {start} {boot} {since} {host}").ok()?;
        slot[SLOT - 1] = b'\n';
        Some(slot)
    }

    /// Hostile until proven harmless: anything that is not exactly a record is none.
    fn from_slot(slot: &[u8]) -> Option<Record> {
        let text = std::str::from_utf8(slot).ok()?.strip_suffix('\n')?;
        let mut words = text.split_ascii_whitespace();
        let kind = match words.next()? {
            "x" => LockType::Exclusive,
            "s" => LockType::Shared,
            _ => return None,
        };
        let (pid, start) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (boot, since, host) = (words.next()?, Timestamp::parse(words.next()?)?, words.next()?);
        let harmless = |word: &str| word.len() <= HOST_MAX && word.chars().all(|c| c.is_ascii_graphic());
        if words.next().is_some() || !harmless(boot) || !harmless(host) {
            return None;
        }
        let process = Process { pid, start, boot: boot.to_owned(), host: host.to_owned() };
        Some(Record { process, kind, since })
    }
}

/// Whether the file begins with our magic.
pub(super) fn is_ours(file: &File, size: u64) -> io::Result<bool> {
    let mut begin = [0; MAGIC.len()];
    Ok(size >= MAGIC.len() as u64 && sys::read_at(file, &mut begin, 0)? == begin.len() && begin == *MAGIC)
}

/// What this process wrote last, so that it need not be put together, or even looked for, again.
#[derive(Debug, Default)]
pub(super) struct Prepared(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By type, with their second.
    slots: [Option<(i64, Slot)>; 2],
    seen: Option<Seen>,
}

/// A sidecar in which a record of ours stood, and how it looked then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    identity: Identity,
    kind: LockType,
    second: i64,
    size: u64,
    modified: Timestamp,
    changed: Timestamp,
}

impl Prepared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, kind: LockType, since: Timestamp, process: &Process) -> Option<Slot> {
        let slot = &mut self.known().slots[usize::from(kind == LockType::Shared)];
        if slot.is_none_or(|(second, _)| second != since.seconds) {
            *slot = Record::to_slot(kind, since, process).map(|slot| (since.seconds, slot));
        }
        slot.map(|(_, slot)| slot)
    }
}

/// Notes a holder, if the file is empty or ours; anybody else's content is left alone. To be called under the lock,
/// with what was `found` under it. Whatever fails here does not matter to the lock: a full disk must not keep anybody
/// from locking.
pub(super) fn write(sidecar: &Sidecar, found: &Stat, kind: LockType, since: Timestamp, registry: &Registry) {
    let Stat { size, modified, changed, .. } = *found;
    let now = Seen { identity: sidecar.identity, kind, second: since.seconds, size, modified, changed };
    if !sidecar.writable || registry.records.known().seen == Some(now) {
        return;
    }
    let process = registry.process();
    let slot = process.and_then(|process| registry.records.slot(kind, since, process));
    let stood = try_write(&sidecar.file, size, kind, slot, process.map_or(0, |process| process.pid));
    if stood.unwrap_or(false) {
        registry.records.known().seen = Some(now);
    }
}

/// Whether the record stood there already.
fn try_write(file: &File, size: u64, kind: LockType, slot: Option<Slot>, pid: u32) -> io::Result<bool> {
    let mut content = [0; WHOLE];
    let size = usize::try_from(size).unwrap_or(WHOLE).clamp(FIRST, WHOLE);
    let length = sys::read_at(file, &mut content[..size], 0)?;
    if length > 0 && !content[..length].starts_with(MAGIC) {
        return Ok(false);
    }
    match (slot, kind) {
        (None, _) if length > 0 => Ok(true),
        (None, _) => sys::write_at(file, MAGIC, 0).map(|()| false),
        (Some(slot), LockType::Exclusive) => write_only(file, &mut content, length, &slot),
        (Some(slot), LockType::Shared) => write_among(file, &content[..length], &slot, pid),
    }
}

/// The only holder: what other slots say is over.
fn write_only(file: &File, content: &mut [u8; WHOLE], length: usize, slot: &Slot) -> io::Result<bool> {
    let (first, rest) = content.split_at_mut(FIRST);
    let over = rest[..length.saturating_sub(FIRST)].iter().any(|byte| !matches!(byte, 0 | b' '));
    if length >= FIRST && first[MAGIC.len()..] == *slot && !over {
        return Ok(true);
    }
    first[..MAGIC.len()].copy_from_slice(MAGIC);
    first[MAGIC.len()..].copy_from_slice(slot);
    rest.fill(b' ');
    sys::write_at(file, &content[..if over { length.max(FIRST) } else { FIRST }], 0).map(|()| false)
}

fn write_among(file: &File, content: &[u8], slot: &Slot, pid: u32) -> io::Result<bool> {
    let known = content.strip_prefix(MAGIC).unwrap_or_default();
    if known.chunks_exact(SLOT).any(|other| other == slot) {
        return Ok(true);
    }
    let begin = MAGIC.len() + choose_slot(content, pid) * SLOT;
    sys::write_at(file, slot, begin as u64)?;
    // After it, also where it stood already: a tool that truncated the file meanwhile must not leave it beginning
    // with a hole, which would be nobody's.
    sys::write_at(file, MAGIC, 0).map(|()| false)
}

/// The slot that this process used before, or else a free one, or else one that its number points to.
fn choose_slot(content: &[u8], pid: u32) -> usize {
    let own = slots(content).position(|record| record.is_some_and(|record| record.process.pid == pid));
    let free = || slots(content).position(|record| record.is_none());
    own.or_else(free).unwrap_or_else(|| {
        let used = slots(content).count();
        if used < SLOTS { used } else { pid as usize % SLOTS }
    })
}

/// The records of those who hold it or once held it.
pub(super) fn read(file: &File) -> io::Result<Vec<Record>> {
    let mut content = [0; WHOLE];
    let length = sys::read_at(file, &mut content, 0)?;
    Ok(slots(&content[..length]).flatten().collect())
}

fn slots(content: &[u8]) -> impl Iterator<Item = Option<Record>> + '_ {
    let records = content.strip_prefix(MAGIC).unwrap_or_default();
    records.chunks_exact(SLOT).map(Record::from_slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32) -> Process {
        Process { pid, start: 7, boot: "0".repeat(36), host: "host".to_owned() }
    }

    fn slot(kind: LockType, pid: u32) -> Slot {
        Record::to_slot(kind, Timestamp { seconds: 1_800_000_000, nanos: 5 }, &process(pid)).unwrap()
    }

    fn pids(file: &File) -> Vec<u32> {
        read(file).unwrap().iter().map(|record| record.process.pid).collect()
    }

    fn write_one(file: &File, kind: LockType, pid: u32) {
        let mut content = [0; WHOLE];
        let length = sys::read_at(file, &mut content, 0).unwrap();
        match kind {
            LockType::Exclusive => write_only(file, &mut content, length, &slot(kind, pid)),
            LockType::Shared => write_among(file, &content[..length], &slot(kind, pid), pid),
        }
        .unwrap();
    }

    #[test]
    fn a_record_reads_as_it_was_written_and_fits_with_the_longest_of_everything() {
        let longest =
            Process { pid: u32::MAX, start: u64::MAX, boot: "b".repeat(HOST_MAX), host: "h".repeat(HOST_MAX) };
        for process in [process(1), longest] {
            let since = Timestamp { seconds: 1_800_000_000, nanos: 0 };
            let slot = Record::to_slot(LockType::Shared, since, &process).unwrap();
            let record = Record { process, kind: LockType::Shared, since };
            assert_eq!(Record::from_slot(&slot), Some(record));
        }
    }

    #[test]
    fn a_record_with_any_byte_changed_is_another_or_none() {
        let good = slot(LockType::Exclusive, 4711);
        for index in 0..SLOT {
            for byte in [0, b'\n', b' ', b'9', 0xff] {
                let mut changed = good;
                changed[index] = byte;
                let same = Record::from_slot(&changed) == Record::from_slot(&good);
                let both_spaces = good[index].is_ascii_whitespace() && byte.is_ascii_whitespace();
                assert!(!same || changed == good || both_spaces, "{index}: {byte}");
            }
        }
        assert_eq!(Record::from_slot(&[b' '; SLOT]), None);
        assert_eq!(Record::from_slot(&[0; SLOT]), None);
        assert_eq!(Record::from_slot(b""), None);
    }

    #[test]
    fn shared_holders_have_a_slot_each_and_the_exclusive_one_ends_them() {
        let file = tempfile::tempfile().unwrap();
        for pid in [11, 12, 13, 12] {
            write_one(&file, LockType::Shared, pid);
        }
        assert_eq!(pids(&file), [11, 12, 13]);
        write_one(&file, LockType::Exclusive, 14);
        assert_eq!(pids(&file), [14]);
        assert_eq!(file.metadata().unwrap().len() as usize, MAGIC.len() + 3 * SLOT, "never truncated");
        write_one(&file, LockType::Shared, 15);
        assert_eq!(pids(&file), [14, 15]);
    }

    #[test]
    fn more_holders_than_slots_never_make_the_file_longer() {
        let file = tempfile::tempfile().unwrap();
        for pid in 1..100 {
            write_one(&file, LockType::Shared, pid);
        }
        assert_eq!(file.metadata().unwrap().len() as usize, WHOLE);
        assert!(pids(&file).contains(&99));
    }

    #[test]
    fn a_file_truncated_between_look_and_write_stays_ours() {
        let file = tempfile::tempfile().unwrap();
        for pid in [11, 12] {
            write_one(&file, LockType::Shared, pid);
        }
        let mut content = [0; WHOLE];
        let length = sys::read_at(&file, &mut content, 0).unwrap();
        file.set_len(0).unwrap();
        write_among(&file, &content[..length], &slot(LockType::Shared, 13), 13).unwrap();
        assert!(is_ours(&file, WHOLE as u64).unwrap());
        assert_eq!(pids(&file), [13]);
    }
}
