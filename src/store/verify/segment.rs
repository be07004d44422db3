//! One segment from front to back.

use super::Scope;
use crate::error::{Error, IoContext, Result};
use crate::path::Key;
use crate::progress::Progress;
use crate::store::frame::Frame;
use crate::store::index::{Entry, Space};
use crate::store::model::*;
use crate::store::payload::{self, Fence, SegmentHead};
use crate::store::record::{Header, Kind};
use crate::store::scan::{Item, Stretch, Tail};
use std::fs::File;
use std::sync::Arc;

/// A segment, and how much of it is to be checked.
pub struct Span {
    pub number: u64,
    pub file: Arc<File>,
    /// For reports.
    pub relative: String,
    pub end: u64,
    pub size: u64,
    /// What the next log says about this one's end.
    pub fence: Option<Fence>,
}

/// A place that is wrong.
pub struct Wrong {
    pub segment: u64,
    pub offset: u64,
    pub what: String,
    /// The version whose record this is, as far as it can be read.
    pub name: Option<String>,
}

impl Wrong {
    pub fn to_damage(&self, scope: &Scope) -> Damage {
        let file =
            scope.spans.iter().find(|s| s.number == self.segment).map_or_else(String::new, |s| s.relative.clone());
        Damage { file, offset: self.offset, what: self.what.clone(), affected: self.name.clone().into_iter().collect() }
    }
}

/// What a segment says.
#[derive(Default)]
pub struct Found {
    pub bytes: u64,
    pub torn: u64,
    pub damaged: Vec<Wrong>,
    /// What the index should have.
    pub entries: Vec<Entry>,
    /// Whose history the records belong to, by offset.
    pub keys: Vec<(RecordId, Key)>,
    /// Chunks whose bytes are right.
    pub chunks: Vec<ChunkId>,
    /// Chunks that damaged frames seem to have held.
    pub suspects: Vec<(ChunkId, RecordId)>,
    pub versions: Vec<Version>,
    pub snapshots: Vec<Snapshot>,
}

/// Every segment of the scope, on all cores.
pub fn read_all(scope: &Scope, progress: &Progress) -> Result<Vec<Found>> {
    progress.expect(0, scope.spans.iter().map(|s| s.end).sum());
    #[cfg(not(target_os = "wasi"))]
    {
        use rayon::prelude::*;
        crate::threads::prepare();
        scope.spans.par_iter().map(|span| read_span(span, progress)).collect()
    }
    #[cfg(target_os = "wasi")]
    scope.spans.iter().map(|span| read_span(span, progress)).collect()
}

/// Reads one segment and checks all that can be checked in it.
pub fn read_span(span: &Span, progress: &Progress) -> Result<Found> {
    let mut found = Found { bytes: span.size, ..Found::default() };
    let stretch = Stretch { file: &span.file, segment: span.number, from: 0, limit: Some(span.end) };
    let mut before = 0;
    stretch.scan::<Error>(&mut |item| {
        progress.check()?;
        let at = match item {
            Item::Record(header, payload) => {
                found.record(header, payload);
                header.next()
            }
            Item::Damage { offset, what, record } => {
                found.wrong(span.number, offset, what);
                if let Some((header, payload)) = record {
                    found.identify(header, payload);
                }
                offset
            }
        };
        progress.advance(0, at.saturating_sub(before));
        before = at.max(before);
        Ok(())
    })?;
    if let Some(fence) = span.fence {
        found.check_fence(span, fence)?;
    }
    Ok(found)
}

impl Found {
    fn wrong(&mut self, segment: u64, offset: u64, what: impl Into<String>) {
        self.damaged.push(Wrong { segment, offset, what: what.into(), name: None });
    }

    fn record(&mut self, header: &Header, payload: &[u8]) {
        let id = RecordId { segment: header.segment, offset: header.offset };
        let sense = match header.kind {
            Some(Kind::Segment) => SegmentHead::parse(payload).is_some(),
            Some(Kind::Frame) => return self.frame(header, payload),
            Some(Kind::Version) => payload::parse_version(payload, id).map(|v| self.version(header, v)).is_some(),
            Some(Kind::Landed) => {
                payload::parse_landed(payload).map(|n| self.history(header, n.key, n.number, Kind::Landed)).is_some()
            }
            Some(Kind::Tag) => {
                payload::parse_tag(payload).map(|n| self.history(header, n.key, n.number, Kind::Tag)).is_some()
            }
            Some(Kind::Spent) => {
                payload::parse_spent(payload).map(|(key, n)| self.history(header, key, n, Kind::Spent)).is_some()
            }
            Some(Kind::Snapshot) => payload::parse_snapshot(payload, id).map(|s| self.snapshot(header, s)).is_some(),
            Some(Kind::Attach) => payload::parse_attach(payload).is_some(),
            None => true,
            Some(Kind::Index | Kind::Prune | Kind::Folder | Kind::Transaction | Kind::Step) => false,
        };
        if !sense {
            self.wrong(id.segment, id.offset, "a record makes no sense");
        }
    }

    /// What a damaged record was about, as far as it can still be read. Nothing of this is believed but for reports.
    fn identify(&mut self, header: &Header, payload: &[u8]) {
        let id = RecordId { segment: header.segment, offset: header.offset };
        match header.kind {
            Some(Kind::Frame) => {
                let chunks = Frame::parse(payload).map_or_else(Vec::new, |f| f.chunks);
                self.suspects.extend(chunks.into_iter().map(|(chunk, _)| (chunk, id)));
            }
            Some(Kind::Version) => {
                let name = payload::parse_version(payload, id).map(|v| format!("{}@{}", v.key, v.number));
                if let Some(wrong) = self.damaged.last_mut() {
                    wrong.name = name;
                }
            }
            _ => {}
        }
    }

    fn entry(&mut self, header: &Header, space: Space, key: [u8; 32], number: u64, extra: u64) {
        let sequence = if space == Space::Chunk { 0 } else { header.sequence };
        let (segment, offset) = (header.segment, header.offset);
        self.entries.push(Entry { space: space as u64, key, number, sequence, segment, offset, extra });
    }

    fn frame(&mut self, header: &Header, payload: &[u8]) {
        let Some(frame) = Frame::parse(payload) else {
            return self.wrong(header.segment, header.offset, "a frame makes no sense");
        };
        let data = frame.decode().unwrap_or_default();
        let mut start = 0;
        for (place, (id, size)) in frame.chunks.iter().enumerate() {
            let end = start + *size as usize;
            match data.get(start..end).is_some_and(|chunk| blake3::hash(chunk).as_bytes() == id) {
                true => self.chunks.push(*id),
                false => self.wrong(
                    header.segment,
                    header.offset,
                    format!("chunk {place} of a frame is not what its id says"),
                ),
            }
            self.entry(header, Space::Chunk, *id, 0, place as u64);
            start = end;
        }
    }

    fn history(&mut self, header: &Header, key: Key, number: u64, kind: Kind) {
        self.entry(header, Space::History, payload::history_key(&key), number, kind as u64);
        self.keys.push((RecordId { segment: header.segment, offset: header.offset }, key));
    }

    fn version(&mut self, header: &Header, version: Version) {
        self.history(header, version.key.clone(), version.number, Kind::Version);
        self.versions.push(version);
    }

    fn snapshot(&mut self, header: &Header, snapshot: Snapshot) {
        self.entry(header, Space::Snapshot, payload::snapshot_key(&snapshot.name), 0, 0);
        self.snapshots.push(snapshot);
    }

    /// The tail of a log that its successor has fenced: the same bytes still, torn or damaged as they were.
    fn check_fence(&mut self, span: &Span, fence: Fence) -> Result<()> {
        let tail = Tail::read(&span.file, fence.end).at(&span.relative)?;
        let right = match fence.tail {
            0 => tail.zero,
            size => tail.length == size && tail.digest == fence.digest,
        };
        match right {
            true => self.torn += fence.tail,
            false => self.wrong(span.number, fence.end, "the fenced tail of a log has changed"),
        }
        Ok(())
    }
}
