//! Bytes to entries. The bytes are hostile: every length is bounded, nothing is allocated before it was read, names
//! are one harmless component each, and entries come in walk order, each once.

use super::*;
use crate::error::{Code, Error, Result};
use crate::path::{is_reserved, os_name};
use std::io::{BufReader, Read};

/// Reads a manifest, entry by entry.
#[derive(Debug)]
pub struct Reader<R: Read> {
    fields: Fields<R>,
    header: Header,
    key: PathKey,
    before: Vec<u8>,
    /// The depth that the next entry may have at most.
    open: usize,
    first: bool,
    totals: Totals,
    ended: bool,
}

impl<R: Read> Reader<R> {
    pub fn new(input: R) -> Result<Reader<R>> {
        let mut fields = Fields(BufReader::with_capacity(1 << 17, input));
        let header = fields.header()?;
        Ok(Reader {
            fields,
            header,
            key: PathKey::default(),
            before: Vec::new(),
            open: 0,
            first: true,
            totals: Totals::default(),
            ended: false,
        })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the entry is that [`Reader::next`] gave last.
    pub fn key(&self) -> &PathKey {
        &self.key
    }

    /// The next entry; `None` once after the last, when the totals and the end of the stream have been checked.
    pub fn next(&mut self) -> Result<Option<Entry>> {
        if self.ended {
            return Ok(None);
        }
        let tag = self.fields.number()?;
        if tag == END {
            self.finish()?;
            return Ok(None);
        }
        let entry = self.fields.entry(tag)?;
        self.place(&entry)?;
        self.totals.count(&entry);
        Ok(Some(entry))
    }

    fn place(&mut self, entry: &Entry) -> Result<()> {
        if entry.depth > self.open {
            return Err(damaged("an entry lies in no folder"));
        }
        if entry.depth == 0 && !self.header.sources.iter().any(|source| source.name == entry.name) {
            return Err(damaged("an entry belongs to no source"));
        }
        if entry.depth > 0 {
            check_name(&entry.name)?;
        }
        self.before.clear();
        self.before.extend_from_slice(self.key.as_bytes());
        self.key.enter(entry.depth, &entry.name);
        if self.key.as_bytes().len() > MAX_PATH {
            return Err(damaged("a path is too long"));
        }
        if !self.first && self.before.as_slice() >= self.key.as_bytes() {
            return Err(damaged("entries are not in order"));
        }
        self.first = false;
        self.open = entry.depth + usize::from(entry.node == Node::Folder);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let stated =
            Totals { entries: self.fields.number()?, files: self.fields.number()?, size: self.fields.number()? };
        if stated != self.totals {
            return Err(damaged("the totals do not fit the entries"));
        }
        if self.fields.0.read(&mut [0])? != 0 {
            return Err(damaged("something follows the end"));
        }
        self.ended = true;
        Ok(())
    }
}

/// Names that can be given to a folder that was opened without following links, and nothing else.
fn check_name(name: &[u8]) -> Result<()> {
    let bad = name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') || name.contains(&0);
    if bad || (cfg!(windows) && name.iter().any(|b| matches!(b, b'\\' | b':'))) {
        return Err(damaged("an entry has an impossible name"));
    }
    if is_reserved(&os_name(name)) {
        return Err(damaged("an entry has a reserved name"));
    }
    Ok(())
}

fn check_source(source: &Source) -> Result<()> {
    if !source.name.is_empty() {
        source.name.split(|b| *b == b'/').try_for_each(check_name)?;
    }
    if source.place.contains(&0) || source.place.split(|b| *b == b'/').any(leads_astray) {
        return Err(damaged("a source has an impossible place"));
    }
    Ok(())
}

/// No place that was recorded has such a part.
fn leads_astray(part: &[u8]) -> bool {
    part == b"." || part == b".." || is_reserved(&os_name(part))
}

fn damaged(what: &'static str) -> Error {
    Error::message(Code::Damaged, format!("the manifest is damaged: {what}"))
}

#[derive(Debug)]
struct Fields<R: Read>(BufReader<R>);

impl<R: Read> Fields<R> {
    fn exact<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut buffer = [0; N];
        self.0.read_exact(&mut buffer).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => damaged("it ends early"),
            _ => e.into(),
        })?;
        Ok(buffer)
    }

    fn number(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.exact()?))
    }

    fn at_most(&mut self, limit: u64) -> Result<u64> {
        let value = self.number()?;
        if value > limit { Err(damaged("a number is out of bounds")) } else { Ok(value) }
    }

    fn small(&mut self) -> Result<u32> {
        Ok(self.at_most(u32::MAX.into())? as u32)
    }

    fn bytes(&mut self, limit: u64) -> Result<Vec<u8>> {
        let length = self.at_most(limit)?;
        let mut value = Vec::with_capacity(length.min(512) as usize);
        if (&mut self.0).take(length).read_to_end(&mut value)? as u64 != length {
            return Err(damaged("it ends early"));
        }
        Ok(value)
    }

    fn time(&mut self) -> Result<Timestamp> {
        Ok(Timestamp { seconds: self.number()? as i64, nanos: self.at_most(999_999_999)? as u32 })
    }

    fn header(&mut self) -> Result<Header> {
        if &self.exact::<8>()? != MAGIC {
            return Err(damaged("it does not begin like one"));
        }
        if self.number()? != VERSION {
            return Err(Error::new(Code::FormatUnsupported));
        }
        let started = self.time()?;
        let mut sources = Vec::new();
        let mut room = MAX_HEADER;
        for _ in 0..self.at_most(MAX_SOURCES)? {
            let source = Source { name: self.bytes(MAX_NAME)?, place: self.bytes(MAX_NAME)? };
            check_source(&source)?;
            room = room.checked_sub(source.size()).ok_or_else(|| damaged("its sources are too many"))?;
            sources.push(source);
        }
        Ok(Header { started, sources })
    }

    fn entry(&mut self, tag: u64) -> Result<Entry> {
        if tag & !FLAGS != 0 {
            return Err(damaged("an entry has unknown properties"));
        }
        Ok(Entry {
            depth: self.at_most(MAX_DEPTH as u64)? as usize,
            name: self.bytes(MAX_NAME)?,
            mode: self.at_most(0o7777)? as u32,
            uid: self.small()?,
            gid: self.small()?,
            modified: self.time()?,
            changed: self.time()?,
            inode: self.number()?,
            device: self.number()?,
            attributes: if tag & ATTRIBUTES != 0 { self.attributes()? } else { Vec::new() },
            node: self.node(tag)?,
        })
    }

    fn attributes(&mut self) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut attributes = Vec::new();
        let mut room = Room::default();
        for _ in 0..self.at_most(MAX_ATTRIBUTES)? {
            let (name, value) = (self.bytes(MAX_ATTRIBUTE)?, self.bytes(MAX_ATTRIBUTE)?);
            if !room.take(name.len(), value.len()) {
                return Err(damaged("the attributes of an entry are too large"));
            }
            attributes.push((name, value));
        }
        Ok(attributes)
    }

    fn node(&mut self, tag: u64) -> Result<Node> {
        match tag & (KIND | LINKED | CHANGED | DIGEST) {
            FOLDER => Ok(Node::Folder),
            SYMLINK => Ok(Node::Symlink(self.bytes(MAX_NAME)?)),
            flags if flags & KIND == FILE => Ok(Node::File(self.file(tag)?)),
            _ => Err(damaged("an entry is of no known kind")),
        }
    }

    fn file(&mut self, tag: u64) -> Result<FileNode> {
        let content = self.content()?;
        let digest = match (FileNode::implied_digest(&content), tag & DIGEST != 0) {
            (Some(digest), false) => digest,
            (None, true) => self.exact()?,
            _ => return Err(damaged("a digest is missing or needless")),
        };
        Ok(FileNode { content, digest, linked: tag & LINKED != 0, changed_while_read: tag & CHANGED != 0 })
    }

    fn content(&mut self) -> Result<Content> {
        let (size, depth) = (self.number()?, self.number()?);
        let mut chunks = Vec::new();
        for _ in 0..self.at_most(MAX_CHUNKS)? {
            chunks.push((self.exact()?, self.number()?));
        }
        let sum = chunks.iter().try_fold(0u64, |sum, (_, size)| sum.checked_add(*size));
        if depth == 0 && sum != Some(size) {
            return Err(damaged("a content's chunks do not add up to its size"));
        }
        Ok(Content { size, depth, chunks })
    }
}
