//! The manifest: what a backup knows about its files, as a stream of entries (`docs/format-backup.md`).

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::{Totals, Writer};

use crate::store::Content;
use crate::sys::Stat;
use crate::time::Timestamp;

const MAGIC: &[u8; 8] = b"ELCTRMAN";
const VERSION: u64 = 1;

/// How deep folders may be nested below a source. Deeper ones are neither written nor believed.
pub const MAX_DEPTH: usize = 500;
/// No file system has longer names, paths or link targets than this.
const MAX_NAME: u64 = 65536;
const MAX_SOURCES: u64 = 1 << 20;
/// Bytes of all that stands before the entries.
const MAX_HEADER: u64 = 64 << 20;
/// Bytes of a whole path in a backup: many wait together for their turn. Nothing is looked for in a folder whose own path
/// leaves no room for one more name.
const MAX_PATH: usize = 256 << 10;
pub const MAX_ABOVE: usize = MAX_PATH - MAX_NAME as usize - 1;
/// The kernel's limit for one attribute, and ours for those of one file: their names are listed in one piece.
const MAX_ATTRIBUTE: u64 = 65536;
const MAX_ATTRIBUTES: u64 = 1 << 14;
const MAX_ATTRIBUTE_NAMES: usize = 65536;
const MAX_ATTRIBUTE_VALUES: usize = 4 << 20;
/// What a store puts into a content directly.
const MAX_CHUNKS: u64 = 64;

const FOLDER: u64 = 1;
const FILE: u64 = 2;
const SYMLINK: u64 = 3;
const END: u64 = 255;
const KIND: u64 = 255;
const LINKED: u64 = 1 << 8;
const CHANGED: u64 = 1 << 9;
const DIGEST: u64 = 1 << 10;
const ATTRIBUTES: u64 = 1 << 11;
const FLAGS: u64 = KIND | LINKED | CHANGED | DIGEST | ATTRIBUTES;

/// What stands before the entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// When the backup began to look at files: times too near to it prove nothing.
    pub started: Timestamp,
    /// What was asked to be backed up, in order of the names.
    pub sources: Vec<Source>,
}

/// One of the files and folders that a backup was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// What its files are called in the backup; empty for the whole of a folder.
    pub name: Vec<u8>,
    /// Its absolute path; empty for the same place as the name, beneath the workspace's base.
    pub place: Vec<u8>,
}

/// One file, folder or symbolic link.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// How many folders are above it in its source; 0 is the source itself.
    pub depth: usize,
    /// Its name in the folder above; of a source its whole name, with `/` between the parts.
    pub name: Vec<u8>,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub modified: Timestamp,
    pub changed: Timestamp,
    pub inode: u64,
    pub device: u64,
    /// Extended attributes, by name.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    pub node: Node,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Folder,
    File(FileNode),
    /// And where it points.
    Symlink(Vec<u8>),
}

/// A regular file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileNode {
    pub content: Content,
    /// BLAKE3 of the content.
    pub digest: [u8; 32],
    /// It has several names: entries of one device and inode are one file.
    pub linked: bool,
    /// It kept changing while it was read: never taken for unchanged.
    pub changed_while_read: bool,
}

impl Entry {
    pub fn new(depth: usize, name: Vec<u8>, stat: &Stat, node: Node) -> Entry {
        Entry {
            depth,
            name,
            mode: stat.mode,
            uid: stat.uid,
            gid: stat.gid,
            modified: stat.modified,
            changed: stat.changed,
            inode: stat.inode,
            device: stat.device,
            attributes: Vec::new(),
            node,
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&FileNode> {
        match &self.node {
            Node::File(file) => Some(file),
            _ => None,
        }
    }

    /// Takes away attributes that are too many or too large to be recorded; how many.
    pub fn bound_attributes(&mut self) -> usize {
        let (mut room, before) = (Room::default(), self.attributes.len());
        self.attributes.retain(|(name, value)| room.take(name.len(), value.len()));
        before - self.attributes.len()
    }

    /// Bytes of content.
    pub fn size(&self) -> u64 {
        self.file().map_or(0, |file| file.content.size)
    }
}

/// What is left of the bounds for the attributes of one entry.
struct Room {
    count: u64,
    names: usize,
    values: usize,
}

impl Default for Room {
    fn default() -> Room {
        Room { count: MAX_ATTRIBUTES, names: MAX_ATTRIBUTE_NAMES, values: MAX_ATTRIBUTE_VALUES }
    }
}

impl Room {
    /// Whether there is room for one more; then it is taken.
    fn take(&mut self, name: usize, value: usize) -> bool {
        let fits = self.count > 0 && name <= self.names && value <= self.values && value as u64 <= MAX_ATTRIBUTE;
        if fits {
            (self.count, self.names, self.values) = (self.count - 1, self.names - name, self.values - value);
        }
        fits
    }
}

impl Header {
    /// Whether one with these sources would not be believed.
    pub fn is_too_large(sources: &[Source]) -> bool {
        let sum = sources.iter().fold(0, |sum: u64, source| sum.saturating_add(source.size()));
        sum > MAX_HEADER || sources.len() as u64 > MAX_SOURCES
    }
}

impl Source {
    fn size(&self) -> u64 {
        (self.name.len() + self.place.len() + 16) as u64
    }
}

impl FileNode {
    /// The digest that need not be written because the content says it: its only chunk's id, or that of nothing.
    fn implied_digest(content: &Content) -> Option<[u8; 32]> {
        match (content.depth, content.chunks.as_slice()) {
            (0, []) => Some(*blake3::hash(b"").as_bytes()),
            (0, [(id, _)]) => Some(*id),
            _ => None,
        }
    }

    /// The digest, if it is known without looking at the data.
    pub fn known_digest(content: &Content) -> Option<[u8; 32]> {
        FileNode::implied_digest(content)
    }
}

/// Where an entry is, in a form that orders like a walk: the parts of its path with NUL, which no name has, between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathKey {
    bytes: Vec<u8>,
    /// For each depth, where the parts below it begin.
    ends: Vec<usize>,
}

impl PathKey {
    /// Goes to an entry: one folder deeper, beside, or further up.
    pub fn enter(&mut self, depth: usize, name: &[u8]) {
        self.ends.truncate(depth);
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
        if depth == 0 {
            self.bytes.extend(name.iter().map(|b| if *b == b'/' { 0 } else { *b }));
        } else {
            if !self.bytes.is_empty() {
                self.bytes.push(0);
            }
            self.bytes.extend_from_slice(name);
        }
        self.ends.push(self.bytes.len());
    }

    /// Orders like a walk, bytewise.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The path with `/` between the names.
    pub fn path(&self) -> Vec<u8> {
        slashes(&self.bytes)
    }

    /// The same below the entry's source.
    pub fn below_source(&self) -> Vec<u8> {
        let start = self.ends.first().copied().unwrap_or(0);
        let below = &self.bytes[start..];
        slashes(below.strip_prefix(b"\0").unwrap_or(below))
    }
}

/// The key of a path with `/` between its names.
pub fn key_of(path: &[u8]) -> Vec<u8> {
    path.iter().map(|b| if *b == b'/' { 0 } else { *b }).collect()
}

fn slashes(key: &[u8]) -> Vec<u8> {
    key.iter().map(|b| if *b == 0 { b'/' } else { *b }).collect()
}

#[cfg(test)]
mod tests;
