//! The stat cache: the newest earlier backup of the same things tells which files need not be read.

use super::info::{Warning, WarningKind};
use super::manifest::{Entry, FileNode, Header, PathKey, Reader};
use crate::error::Result;
use crate::store::{ContentReader, Identity, Snapshot, Store};
use crate::sys::Stat;
use crate::time::Timestamp;

/// How many backups are looked at for one of the same sources.
const CANDIDATES: usize = 16;

/// An earlier manifest, read in step with the walk.
pub struct Previous {
    reader: Option<Reader<ContentReader>>,
    started: Timestamp,
    ahead: Option<Entry>,
    name: String,
    warning: Option<Warning>,
}

impl Previous {
    /// Of a store, for a backup of these sources.
    pub fn find(store: &Store, header: &Header) -> Result<Previous> {
        let mut none =
            Previous { reader: None, started: Timestamp::default(), ahead: None, name: String::new(), warning: None };
        let mut fallback = None;
        for snapshot in store.snapshots()?.into_iter().rev().take(CANDIDATES) {
            match Previous::of(store, snapshot) {
                Ok((previous, true)) if previous.shares_sources(header) => return Ok(previous),
                Ok((previous, _)) => fallback = fallback.or(Some(previous)),
                Err((name, e)) => none.warn(&name, e),
            }
        }
        Ok(fallback.unwrap_or(none))
    }

    fn of(store: &Store, snapshot: Snapshot) -> Result<(Previous, bool), (String, crate::error::Error)> {
        let open = || Reader::new(store.reader(&snapshot.manifest)?);
        match open() {
            Ok(reader) => {
                let started = reader.header().started;
                let name = snapshot.name;
                Ok((Previous { reader: Some(reader), started, ahead: None, name, warning: None }, true))
            }
            Err(e) => Err((snapshot.name, e)),
        }
    }

    fn shares_sources(&self, header: &Header) -> bool {
        let theirs = self.reader.as_ref().map(|reader| &reader.header().sources);
        theirs.is_some_and(|theirs| theirs.iter().any(|source| header.sources.contains(source)))
    }

    /// What is stored of the file at this path if it is surely still the same. Paths must be asked for in walk order.
    pub fn unchanged(&mut self, key: &PathKey, stat: &Stat) -> Option<Entry> {
        self.advance_to(key);
        let here = self.reader.as_ref().is_some_and(|reader| reader.key().as_bytes() == key.as_bytes());
        let entry = self.ahead.take_if(|_| here)?;
        let file = entry.file()?;
        proves(self.started, &entry, file, stat).then_some(entry)
    }

    /// Why the earlier backup was of no (more) use, once.
    pub fn take_warning(&mut self) -> Option<Warning> {
        self.warning.take()
    }

    fn advance_to(&mut self, key: &PathKey) {
        let Some(reader) = &mut self.reader else { return };
        while self.ahead.is_none() || reader.key().as_bytes() < key.as_bytes() {
            match reader.next() {
                Ok(Some(entry)) => self.ahead = Some(entry),
                Ok(None) => return self.end(),
                Err(e) => {
                    let name = std::mem::take(&mut self.name);
                    self.warn(&name, e);
                    return self.end();
                }
            }
        }
    }

    fn end(&mut self) {
        self.reader = None;
        self.ahead = None;
    }

    fn warn(&mut self, name: &str, error: crate::error::Error) {
        let message = format!("the backup {name:?} cannot be compared with, so files are read again: {error}");
        self.warning.get_or_insert(Warning::new(b"", WarningKind::NoPrevious, message));
    }
}

/// Devices are numbered anew when a machine starts, so they prove nothing; inode and times do.
fn proves(started: Timestamp, entry: &Entry, file: &FileNode, now: &Stat) -> bool {
    let identity = Identity {
        device: now.device,
        inode: entry.inode,
        size: file.content.size,
        modified: entry.modified,
        changed: entry.changed,
        seen: started,
    };
    !file.changed_while_read && identity.proves(now)
}
