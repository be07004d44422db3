//! What the records say: payloads to and from bytes.

use super::fields::{FieldReader, FieldWriter};
use super::model::*;
use crate::checksum::{Algorithm, Digest};
use crate::path::Key;
use crate::time::Timestamp;

/// This program reads and writes format 1.
pub const FORMAT: u64 = 1;

/// Who may write a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Role {
    Log = 1,
    Pack = 2,
    Guest = 3,
    Made = 4,
}

/// Where the log before this one ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    pub segment: u64,
    pub end: u64,
    pub tail: u64,
    pub digest: [u8; 32],
}

/// The first record of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHead {
    pub readable_from: u64,
    pub writable_from: u64,
    pub number: u64,
    pub role: Role,
    pub previous: Fence,
}

impl SegmentHead {
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = FieldWriter::default();
        fields.u64(self.readable_from).u64(self.writable_from).u64(self.number).u64(self.role as u64);
        fields.u64(1).u64(super::chunker::MIN as u64).u64(super::chunker::AVERAGE as u64);
        fields.u64(super::chunker::MAX as u64).u64(6).time(Timestamp::now());
        let fence = &self.previous;
        fields.u64(fence.segment).u64(fence.end).u64(fence.tail).raw(&fence.digest);
        fields.0
    }

    /// Only the two versions are read of a segment that is too new.
    pub fn versions(payload: &[u8]) -> Option<(u64, u64)> {
        let mut fields = FieldReader::new(payload);
        Some((fields.u64()?, fields.u64()?))
    }

    pub fn parse(payload: &[u8]) -> Option<SegmentHead> {
        let mut fields = FieldReader::new(payload);
        let (readable_from, writable_from) = (fields.u64()?, fields.u64()?);
        let number = fields.u64()?;
        let role = match fields.u64()? {
            1 => Role::Log,
            2 => Role::Pack,
            3 => Role::Guest,
            4 => Role::Made,
            _ => return None,
        };
        for _chunker_minimum_average_maximum_ids in 0..5 {
            fields.u64()?;
        }
        fields.time()?;
        let previous = Fence { segment: fields.u64()?, end: fields.u64()?, tail: fields.u64()?, digest: fields.id()? };
        fields.end()?;
        Some(SegmentHead { readable_from, writable_from, number, role, previous })
    }
}

/// A landed note.
#[derive(Clone, Debug, PartialEq)]
pub struct LandedNote {
    pub key: Key,
    pub number: u64,
    pub landed: Landed,
}

/// A tag set or removed.
#[derive(Clone, Debug, PartialEq)]
pub struct TagNote {
    pub key: Key,
    pub number: u64,
    pub set: bool,
    pub tag: String,
}

pub fn encode_content(fields: &mut FieldWriter, content: &Content) {
    fields.u64(content.size).u64(content.depth).u64(content.chunks.len() as u64);
    for (id, size) in &content.chunks {
        fields.raw(id).u64(*size);
    }
}

pub fn parse_content(fields: &mut FieldReader<'_>) -> Option<Content> {
    let (size, depth) = (fields.u64()?, fields.u64().filter(|d| *d <= 8)?);
    let count = fields.count(40)?;
    let chunks: Vec<(ChunkId, u64)> = (0..count).map(|_| Some((fields.id()?, fields.u64()?))).collect::<Option<_>>()?;
    let sum = chunks.iter().try_fold(0u64, |sum, (_, size)| sum.checked_add(*size))?;
    (depth > 0 || sum == size).then_some(Content { size, depth, chunks })
}

pub fn encode_version(version: &NewVersion, number: u64, created: Timestamp, writer: &str) -> Vec<u8> {
    let mut fields = FieldWriter::default();
    fields.bytes(version.key.as_bytes()).u64(number).u64(version.kind as u64).time(created);
    fields.bytes(writer.as_bytes()).u64(version.of.unwrap_or(0));
    fields.bytes(version.other.as_ref().map_or(&[], |k| k.as_bytes()));
    match &version.file {
        None => {
            fields.u64(0);
        }
        Some(file) => {
            encode_file(fields.u64(1), file);
        }
    }
    fields.0
}

pub fn encode_file(fields: &mut FieldWriter, file: &FileState) {
    fields.u64(file.mode.into()).u64(file.uid.into()).u64(file.gid.into()).time(file.modified);
    fields.u64(file.digests.len() as u64);
    for digest in &file.digests {
        encode_digest(fields, digest);
    }
    encode_content(fields, &file.content);
}

pub fn encode_digest(fields: &mut FieldWriter, digest: &Digest) {
    let number = Algorithm::ALL.iter().position(|a| *a == digest.algorithm()).unwrap_or(0) + 1;
    fields.u64(number as u64).bytes(digest.as_bytes());
}

pub fn parse_version(payload: &[u8], record: RecordId) -> Option<Version> {
    let mut fields = FieldReader::new(payload);
    let key = Key::from_bytes(fields.bytes()?.to_vec());
    let number = fields.u64().filter(|n| *n > 0)?;
    let kind = fields.u64()?;
    let kind = VersionKind::ALL.into_iter().find(|k| *k as u64 == kind)?;
    let created = fields.time()?;
    let writer = fields.text()?;
    let of = Some(fields.u64()?).filter(|n| *n > 0);
    let other = Some(fields.bytes()?).filter(|k| !k.is_empty()).map(|k| Key::from_bytes(k.to_vec()));
    let file = if fields.flag()? { Some(parse_file(&mut fields)?) } else { None };
    fields.end()?;
    Some(Version {
        key,
        number,
        kind,
        created,
        file,
        of,
        other,
        writer,
        record,
        landed: Landed::Unknown,
        tags: Vec::new(),
        conflict: false,
    })
}

pub fn parse_file(fields: &mut FieldReader<'_>) -> Option<FileState> {
    let (mode, uid, gid, modified) = (fields.u32()?, fields.u32()?, fields.u32()?, fields.time()?);
    let count = fields.count(16)?;
    let digests = (0..count).map(|_| parse_digest(fields)).collect::<Option<_>>()?;
    Some(FileState { mode, uid, gid, modified, digests, content: parse_content(fields)? })
}

pub fn parse_digest(fields: &mut FieldReader<'_>) -> Option<Digest> {
    let number = usize::try_from(fields.u64()?).ok()?;
    let algorithm = *Algorithm::ALL.get(number.checked_sub(1)?)?;
    Digest::new(algorithm, fields.bytes()?.to_vec()).ok()
}

pub fn encode_landed(key: &Key, number: u64, landed: Landed) -> Vec<u8> {
    let mut fields = FieldWriter::default();
    let (state, identity) = match landed {
        Landed::Yes(identity) => (1, identity),
        Landed::No | Landed::Unknown => (2, None),
    };
    fields.bytes(key.as_bytes()).u64(number).u64(state).u64(identity.is_some().into());
    if let Some(i) = identity {
        fields.u64(i.device).u64(i.inode).u64(i.size).time(i.modified).time(i.changed).time(i.seen);
    }
    fields.0
}

pub fn parse_landed(payload: &[u8]) -> Option<LandedNote> {
    let mut fields = FieldReader::new(payload);
    let key = Key::from_bytes(fields.bytes()?.to_vec());
    let (number, state) = (fields.u64()?, fields.u64()?);
    let identity = match fields.flag()? {
        true => Some(Identity {
            device: fields.u64()?,
            inode: fields.u64()?,
            size: fields.u64()?,
            modified: fields.time()?,
            changed: fields.time()?,
            seen: fields.time()?,
        }),
        false => None,
    };
    fields.end()?;
    let landed = match state {
        1 => Landed::Yes(identity),
        2 => Landed::No,
        _ => return None,
    };
    Some(LandedNote { key, number, landed })
}

pub fn encode_tag(note: &TagNote) -> Vec<u8> {
    let mut fields = FieldWriter::default();
    fields.bytes(note.key.as_bytes()).u64(note.number).u64(note.set.into()).bytes(note.tag.as_bytes());
    fields.0
}

pub fn parse_tag(payload: &[u8]) -> Option<TagNote> {
    let mut fields = FieldReader::new(payload);
    let key = Key::from_bytes(fields.bytes()?.to_vec());
    let note = TagNote { key, number: fields.u64()?, set: fields.flag()?, tag: fields.text()? };
    fields.end()?;
    Some(note)
}

pub fn encode_spent(key: &Key, number: u64) -> Vec<u8> {
    let mut fields = FieldWriter::default();
    fields.bytes(key.as_bytes()).u64(number);
    fields.0
}

pub fn parse_spent(payload: &[u8]) -> Option<(Key, u64)> {
    let mut fields = FieldReader::new(payload);
    let key = Key::from_bytes(fields.bytes()?.to_vec());
    let number = fields.u64()?;
    fields.end()?;
    Some((key, number))
}

pub fn encode_snapshot(snapshot: &NewSnapshot, created: Timestamp) -> Vec<u8> {
    let mut fields = FieldWriter::default();
    fields.bytes(snapshot.name.as_bytes()).time(created).u64(snapshot.files).u64(snapshot.size);
    encode_content(&mut fields, &snapshot.manifest);
    encode_content(&mut fields, &snapshot.references);
    fields.0
}

pub fn parse_snapshot(payload: &[u8], record: RecordId) -> Option<Snapshot> {
    let mut fields = FieldReader::new(payload);
    let (name, created) = (fields.text()?, fields.time()?);
    let (files, size) = (fields.u64()?, fields.u64()?);
    let (manifest, references) = (parse_content(&mut fields)?, parse_content(&mut fields)?);
    fields.end()?;
    Some(Snapshot { name, created, manifest, references, files, size, record })
}

pub fn encode_attach(segment: u64, end: u64) -> Vec<u8> {
    let mut fields = FieldWriter::default();
    fields.u64(segment).u64(end);
    fields.0
}

pub fn parse_attach(payload: &[u8]) -> Option<(u64, u64)> {
    let mut fields = FieldReader::new(payload);
    let found = (fields.u64()?, fields.u64()?);
    fields.end()?;
    Some(found)
}

/// The index key of a file's history.
pub fn history_key(key: &Key) -> [u8; 32] {
    *blake3::Hasher::new().update(b"history\0").update(key.as_bytes()).finalize().as_bytes()
}

/// The index key of a backup.
pub fn snapshot_key(name: &str) -> [u8; 32] {
    *blake3::Hasher::new().update(b"snapshot\0").update(name.as_bytes()).finalize().as_bytes()
}
