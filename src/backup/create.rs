//! Makes a backup: walks, reads what changed, stores it, and writes the manifest.

use super::info::{BackupEntry, BackupInfo, Warning, WarningKind};
use super::manifest::{Entry, FileNode, Header, Node, PathKey, Writer};
use super::previous::Previous;
use super::read::{self, Failure, Large, Small};
use super::references::References;
use super::source::Root;
use super::spool::Spool;
use super::walk::{Event, Found, FoundKind, Walk};
use super::{CreateOptions, exclude::Excludes};
use crate::error::{Code, Error, Result};
use crate::pool;
use crate::progress::Progress;
use crate::store::{Content, New, NewSnapshot, Session, Store};
use crate::sys::{Dir, Stat};
use crate::time::Timestamp;
use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::Arc;

/// Small files that are read together: so many, or so many bytes.
const BATCH_FILES: usize = 512;
const BATCH_BYTES: u64 = 8 << 20;
/// Folders that are kept open for files that wait to be read.
const BATCH_FOLDERS: usize = 64;
/// Entries that wait for one before them.
const BATCH_ENTRIES: usize = 4096;
/// A manifest up to this size is kept in memory.
const MANIFEST_IN_MEMORY: usize = 16 << 20;
/// Files with several names that are remembered; of more, each name is read.
const REMEMBERED_LINKS: usize = 1 << 16;

/// A backup in the making.
pub struct Creation<'a> {
    session: Session,
    store: &'a Store,
    options: &'a CreateOptions,
    /// Where the walk is.
    key: PathKey,
    previous: Previous,
    is_repaired: bool,
    manifest: Writer<Spool>,
    references: References,
    queue: Queue,
    /// Files with several names: how many are still to come, and what is known.
    links: HashMap<(u64, u64), (u64, Entry)>,
    info: BackupInfo,
}

/// Entries in walk order, some of them still without content.
#[derive(Default)]
struct Queue {
    slots: Vec<Slot>,
    files: usize,
    bytes: u64,
    folders: usize,
    last_folder: Option<Arc<Dir>>,
}

struct Slot {
    path: Vec<u8>,
    entry: Entry,
    read: Option<Read>,
}

/// Where a file is that has to be read.
struct Read {
    dir: Arc<Dir>,
    name: OsString,
    size: u64,
}

/// Makes a backup of these sources, which all exist, under a name that is free.
pub fn create(
    store: &Store,
    name: String,
    roots: &[Root],
    excludes: &Excludes,
    options: &CreateOptions,
) -> Result<BackupInfo> {
    let header = Header { started: Timestamp::now(), sources: roots.iter().map(|r| r.source.clone()).collect() };
    let session = store.begin()?;
    let previous = Previous::find(store, &header)?;
    let folder = store.path().to_owned();
    let mut creation = Creation {
        is_repaired: session.was_repaired()?,
        session,
        store,
        options,
        key: PathKey::default(),
        previous,
        manifest: Writer::new(Spool::new(MANIFEST_IN_MEMORY, &folder), &header)?,
        references: References::new(&folder),
        queue: Queue::default(),
        links: HashMap::new(),
        info: empty(name),
    };
    creation.walk(roots, excludes)?;
    creation.flush()?;
    creation.finish()
}

pub fn empty(name: String) -> BackupInfo {
    BackupInfo {
        name,
        timestamp: Timestamp::default(),
        files: Vec::new(),
        folders: Vec::new(),
        file_count: 0,
        total_size: 0,
        read_size: 0,
        added_size: 0,
        warnings: Vec::new(),
        complete: true,
    }
}

impl Creation<'_> {
    fn walk(&mut self, roots: &[Root], excludes: &Excludes) -> Result<()> {
        let progress = self.options.progress.clone();
        let skip = super::identity_of(self.store.path());
        Walk { roots, excludes, progress: &progress, skip }.run(&mut |event| self.take(event))
    }

    fn progress(&self) -> &Progress {
        &self.options.progress
    }

    fn push(&mut self, slot: Slot) -> Result<()> {
        self.queue.push(slot);
        if self.queue.is_full() { self.flush() } else { Ok(()) }
    }

    /// Reads what waits to be read, and writes all entries that waited.
    fn flush(&mut self) -> Result<()> {
        let queue = std::mem::take(&mut self.queue);
        let progress = self.progress().clone();
        let small = read_small(&queue.slots, &progress);
        let mut stored = self.store_small(small)?.into_iter();
        for mut slot in queue.slots {
            progress.check()?;
            if let Some(read) = slot.read.take()
                && !self.settle(&mut slot, &read, stored.next().unwrap_or(Stored::Large))?
            {
                continue;
            }
            self.write(slot)?;
        }
        Ok(())
    }

    /// Puts the contents of small files into the store; one answer for each.
    fn store_small(&mut self, small: Vec<Small>) -> Result<Vec<Stored>> {
        let mut data = Vec::with_capacity(small.len());
        let mut stored = Vec::with_capacity(small.len());
        for outcome in small {
            stored.push(match outcome {
                Small::Again => Stored::Large,
                Small::Failed(e) => Stored::Failed(e),
                Small::Whole(bytes, stat, attributes) => {
                    data.push(bytes);
                    Stored::Small { stat, attributes, node: None }
                }
            });
        }
        let contents = self.session.put_many(&data)?;
        let nodes: Vec<FileNode> =
            pool::each_of(contents.into_iter().zip(&data).collect(), 1, |(c, data)| node_of(c, data));
        let mut nodes = nodes.into_iter();
        for stored in &mut stored {
            if let Stored::Small { node, .. } = stored {
                *node = nodes.next();
            }
        }
        let bytes: usize = data.iter().map(Vec::len).sum();
        self.info.read_size += bytes as u64;
        self.progress().advance(0, bytes as u64);
        Ok(stored)
    }

    /// Completes an entry by what was read. `false`: there is nothing to write.
    fn settle(&mut self, slot: &mut Slot, read: &Read, stored: Stored) -> Result<bool> {
        match stored {
            Stored::Small { stat, attributes, node: Some(node) } => {
                slot.entry =
                    Entry { attributes, ..Entry::new(slot.entry.depth, take_name(slot), &stat, Node::File(node)) };
                if let Node::File(file) = &mut slot.entry.node {
                    file.linked = stat.links > 1;
                }
                self.remember_link(&slot.entry, stat.links);
                Ok(true)
            }
            Stored::Small { node: None, .. } => Err(Error::new(Code::Internal)),
            Stored::Failed(e) => self.leave_out(slot, e),
            Stored::Large => self.settle_large(slot, read),
        }
    }

    fn settle_large(&mut self, slot: &mut Slot, read: &Read) -> Result<bool> {
        let progress = self.progress().clone();
        let Large { content, digest, stat, attributes, changed } =
            match read::large(&mut self.session, &read.dir, &read.name, &progress) {
                Ok(large) => large,
                Err(Failure::File(e)) => return self.leave_out(slot, e),
                Err(Failure::Fatal(e)) => return Err(e),
            };
        if changed {
            let message = "it kept changing while it was read; what is stored may be a mix";
            self.warn(Warning::new(&slot.path, WarningKind::ChangedWhileRead, message));
        }
        self.info.read_size += content.size;
        let digest = FileNode::known_digest(&content).unwrap_or(digest);
        let node = FileNode { content, digest, linked: stat.links > 1, changed_while_read: changed };
        slot.entry = Entry { attributes, ..Entry::new(slot.entry.depth, take_name(slot), &stat, Node::File(node)) };
        self.remember_link(&slot.entry, stat.links);
        Ok(true)
    }

    fn leave_out(&mut self, slot: &Slot, error: std::io::Error) -> Result<bool> {
        let kind = match crate::sys::classify(&error) {
            Code::TooManyOpenFiles | Code::OutOfMemory => return Err(error.into()),
            Code::NotFound => WarningKind::Vanished,
            _ => WarningKind::Unreadable,
        };
        self.warn(Warning::new(&slot.path, kind, error.to_string()));
        Ok(false)
    }

    /// Whether what an earlier backup refers to is there still. Only a repair takes away what a backup needs.
    fn is_stored(&self, known: &Entry) -> Result<bool> {
        match known.file() {
            Some(file) if self.is_repaired => self.session.holds(&file.content),
            _ => Ok(true),
        }
    }

    /// The other names of a file need not be read.
    fn remember_link(&mut self, entry: &Entry, links: u64) {
        let once = entry.file().is_some_and(|file| links > 1 && !file.changed_while_read);
        if once && entry.inode != 0 && self.links.len() < REMEMBERED_LINKS {
            self.links.insert((entry.device, entry.inode), (links - 1, entry.clone()));
        }
    }

    /// A file that another of its names has brought into the store already, if it has not changed since.
    fn linked(&mut self, stat: &Stat) -> Option<Entry> {
        let key = (stat.device, stat.inode);
        let (left, entry) = self.links.get_mut(&key)?;
        let same = (entry.size(), entry.modified, entry.changed) == (stat.size, stat.modified, stat.changed);
        *left -= 1;
        let entry = same.then(|| entry.clone());
        if *left == 0 {
            self.links.remove(&key);
        }
        entry
    }

    fn write(&mut self, slot: Slot) -> Result<()> {
        let Slot { path, mut entry, .. } = slot;
        let dropped = entry.bound_attributes();
        if dropped > 0 {
            let message = format!("{dropped} of its extended attributes are left out: together they are too large");
            self.warn(Warning::new(&path, WarningKind::Unreadable, message));
        }
        if let Some(file) = entry.file() {
            add_references(&mut self.references, &self.session, &file.content)?;
        }
        self.manifest.entry(&entry)?;
        if self.options.collect {
            let list = if entry.node == Node::Folder { &mut self.info.folders } else { &mut self.info.files };
            list.push(BackupEntry::new(path, &entry));
        }
        self.progress().advance(u64::from(entry.node != Node::Folder), 0);
        Ok(())
    }

    fn finish(mut self) -> Result<BackupInfo> {
        if let Some(warning) = self.previous.take_warning() {
            self.warn(warning);
        }
        let silent = Progress::new(); // its own bytes do not count as those of files
        let (mut manifest, totals) = self.manifest.finish()?;
        manifest.rewind()?;
        let manifest = self.session.put(&mut manifest, &silent, &mut |_| self.options.progress.check())?;
        let mut references = self.references.finish()?;
        let references = self.session.put(&mut references, &silent, &mut |_| self.options.progress.check())?;
        self.info.added_size = self.session.added();
        let name = self.info.name.clone();
        let new = NewSnapshot { name: name.clone(), manifest, references, files: totals.files, size: totals.size };
        self.options.progress.check()?;
        self.session.commit(vec![New::Snapshot(new)])?;
        self.info.timestamp = self.store.snapshot(&name)?.created;
        self.info.file_count = totals.files;
        self.info.total_size = totals.size;
        Ok(self.info)
    }
}

fn take_name(slot: &mut Slot) -> Vec<u8> {
    std::mem::take(&mut slot.entry.name)
}

fn add_references(references: &mut References, session: &Session, content: &Content) -> Result<()> {
    if content.depth == 0 {
        return content.chunks.iter().try_for_each(|(id, _)| references.add(*id));
    }
    let mut added = Ok(());
    session.chunk_ids(content, &mut |id| {
        if added.is_ok() {
            added = references.add(id);
        }
    })?;
    added
}

/// What became of a file that was to be read.
enum Stored {
    Small { stat: Stat, attributes: read::Attributes, node: Option<FileNode> },
    Large,
    Failed(std::io::Error),
}

/// Reads all small files of a queue on all cores; one answer for each file that waits, in order.
fn read_small(slots: &[Slot], progress: &Progress) -> Vec<Small> {
    let waiting: Vec<&Read> = slots.iter().filter_map(|slot| slot.read.as_ref()).collect();
    let read = |read: &&Read| match read.size > read::SMALL || progress.is_cancelled() {
        true => Small::Again,
        false => read::small(&read.dir, &read.name),
    };
    match waiting.len() {
        0..8 => waiting.iter().map(read).collect(),
        _ => pool::each(&waiting, 4, read),
    }
}

fn node_of(content: Content, data: &[u8]) -> FileNode {
    let digest = FileNode::known_digest(&content).unwrap_or_else(|| *blake3::hash(data).as_bytes());
    FileNode { content, digest, linked: false, changed_while_read: false }
}

impl Queue {
    fn push(&mut self, slot: Slot) {
        if let Some(read) = &slot.read {
            self.files += 1;
            self.bytes += read.size.min(read::SMALL);
            if !self.last_folder.as_ref().is_some_and(|last| Arc::ptr_eq(last, &read.dir)) {
                self.folders += 1;
                self.last_folder = Some(read.dir.clone());
            }
        }
        self.slots.push(slot);
    }

    fn is_full(&self) -> bool {
        self.files >= BATCH_FILES
            || self.bytes >= BATCH_BYTES
            || self.folders >= BATCH_FOLDERS
            || self.slots.len() >= BATCH_ENTRIES
    }
}

impl Creation<'_> {
    fn take(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Warning(warning) => {
                self.warn(warning);
                Ok(())
            }
            Event::Found(found) => {
                self.key.enter(found.depth, &found.name);
                let slot = self.slot(found)?;
                self.push(slot)
            }
        }
    }

    fn slot(&mut self, found: Found) -> Result<Slot> {
        let path = self.key.path();
        let Found { depth, name, stat, kind } = found;
        let (node, attributes) = match kind {
            FoundKind::Folder(attributes) => (Node::Folder, attributes),
            FoundKind::Symlink(target) => (Node::Symlink(target), Vec::new()),
            FoundKind::File(dir, os_name) => match self.known(&stat)? {
                Some(known) => (known.node, known.attributes),
                None => {
                    let read = Some(Read { dir, name: os_name, size: stat.size });
                    return Ok(Slot { path, entry: Entry::new(depth, name, &stat, Node::Folder), read });
                }
            },
        };
        Ok(Slot { path, entry: Entry { attributes, ..Entry::new(depth, name, &stat, node) }, read: None })
    }

    /// What is stored already of the file that the walk has come to.
    fn known(&mut self, stat: &Stat) -> Result<Option<Entry>> {
        match self.previous.unchanged(&self.key, stat) {
            Some(known) if self.is_stored(&known)? => Ok(Some(known)),
            _ if stat.links > 1 => Ok(self.linked(stat)),
            _ => Ok(None),
        }
    }

    fn warn(&mut self, warning: Warning) {
        self.info.complete &= !warning.kind.is_incomplete();
        self.info.warnings.push(warning);
    }
}
