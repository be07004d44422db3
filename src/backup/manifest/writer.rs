//! Entries to bytes.

use super::*;
use crate::error::Result;
use std::io::Write;

/// What stands after the entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Entries of every kind.
    pub entries: u64,
    /// Regular files and symbolic links.
    pub files: u64,
    /// Bytes of the regular files.
    pub size: u64,
}

impl Totals {
    pub fn count(&mut self, entry: &Entry) {
        self.entries += 1;
        self.files += u64::from(entry.node != Node::Folder);
        self.size = self.size.saturating_add(entry.size());
    }
}

/// Writes a manifest, entry by entry in walk order.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    totals: Totals,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<W> {
    pub fn new(out: W, header: &Header) -> Result<Writer<W>> {
        let mut writer = Writer { out, totals: Totals::default(), buffer: MAGIC.to_vec() };
        let b = &mut writer.buffer;
        number(b, VERSION);
        time(b, header.started);
        number(b, header.sources.len() as u64);
        for source in &header.sources {
            bytes(b, &source.name);
            bytes(b, &source.place);
        }
        writer.flush_buffer()?;
        Ok(writer)
    }

    pub fn entry(&mut self, entry: &Entry) -> Result<()> {
        self.totals.count(entry);
        encode(&mut self.buffer, entry);
        self.flush_buffer()
    }

    /// Ends the manifest and gives back where it went.
    pub fn finish(mut self) -> Result<(W, Totals)> {
        for value in [END, self.totals.entries, self.totals.files, self.totals.size] {
            number(&mut self.buffer, value);
        }
        self.flush_buffer()?;
        self.out.flush()?;
        Ok((self.out, self.totals))
    }

    fn flush_buffer(&mut self) -> Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

fn encode(b: &mut Vec<u8>, entry: &Entry) {
    number(b, kind_and_flags(entry));
    number(b, entry.depth as u64);
    bytes(b, &entry.name);
    for value in [entry.mode, entry.uid, entry.gid] {
        number(b, value.into());
    }
    time(b, entry.modified);
    time(b, entry.changed);
    number(b, entry.inode);
    number(b, entry.device);
    if !entry.attributes.is_empty() {
        number(b, entry.attributes.len() as u64);
        for (name, value) in &entry.attributes {
            bytes(b, name);
            bytes(b, value);
        }
    }
    match &entry.node {
        Node::Folder => {}
        Node::Symlink(target) => bytes(b, target),
        Node::File(file) => encode_file(b, file),
    }
}

fn kind_and_flags(entry: &Entry) -> u64 {
    let flag = |set: bool, bit: u64| if set { bit } else { 0 };
    let kind = match &entry.node {
        Node::Folder => FOLDER,
        Node::Symlink(_) => SYMLINK,
        Node::File(file) => {
            FILE | flag(file.linked, LINKED)
                | flag(file.changed_while_read, CHANGED)
                | flag(FileNode::implied_digest(&file.content).is_none(), DIGEST)
        }
    };
    kind | flag(!entry.attributes.is_empty(), ATTRIBUTES)
}

fn encode_file(b: &mut Vec<u8>, file: &FileNode) {
    let content = &file.content;
    number(b, content.size);
    number(b, content.depth);
    number(b, content.chunks.len() as u64);
    for (id, size) in &content.chunks {
        b.extend_from_slice(id);
        number(b, *size);
    }
    if FileNode::implied_digest(content).is_none() {
        b.extend_from_slice(&file.digest);
    }
}

fn number(b: &mut Vec<u8>, value: u64) {
    b.extend_from_slice(&value.to_le_bytes());
}

fn bytes(b: &mut Vec<u8>, value: &[u8]) {
    number(b, value.len() as u64);
    b.extend_from_slice(value);
}

fn time(b: &mut Vec<u8>, time: Timestamp) {
    number(b, time.seconds as u64);
    number(b, time.nanos.into());
}
