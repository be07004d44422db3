//! Replacing segments as a whole: what prune and repair share.
//!
//! New segments are written under names that nobody reads, flushed, and take the place of the old ones by the publication
//! of `prune.commit`; from then on anyone who opens the store for writing finishes the work.

use super::append::AppendLock;
use super::frame::{Frame, RawFrame, TARGET};
use super::gaps::{is_litter, is_log};
use super::layout::{random_number, segment_name};
use super::model::*;
use super::payload::{FORMAT, Fence, Role, SegmentHead};
use super::record::{self, Header, Kind};
use super::view::{PruneCommit, View};
use crate::error::{Code, Error, IoContext, Result};
use crate::sys::{self, Dir};
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::PathBuf;

const SEGMENT_SIZE: u64 = 64 << 20;

/// Writes segments of role `made`.
pub struct Rewriter<'a> {
    view: &'a mut View,
    out: Option<Out>,
    made: BTreeSet<u64>,
    /// All logs up to this one are replaced by this, or were before.
    replaced: u64,
    open: RawFrame,
    /// Chunks that have a place in the new segments.
    written: HashSet<ChunkId>,
    pub damaged_frames: u64,
}

/// What is not finished leaves nothing behind: a cancelled prune must not cost space.
impl Drop for Rewriter<'_> {
    fn drop(&mut self) {
        self.view.remove_unpublished(&self.made);
    }
}

struct Out {
    number: u64,
    file: File,
    path: PathBuf,
    end: u64,
}

impl<'a> Rewriter<'a> {
    /// To take the place of these segments, and of logs that are missing below `replaced`.
    pub fn new(view: &'a mut View, old: &BTreeSet<u64>, replaced: u64) -> Result<Rewriter<'a>> {
        let logs = old.iter().copied().filter(|n| is_log(*n)).max().unwrap_or(0);
        let replaced = replaced.max(logs).max(view.replaced_logs()?.unwrap_or(0));
        let (open, written) = (RawFrame::default(), HashSet::new());
        Ok(Rewriter { view, out: None, made: BTreeSet::new(), replaced, open, written, damaged_frames: 0 })
    }

    /// Copies a record as it is, under its old sequence.
    pub fn copy(&mut self, kind: Kind, sequence: u64, payload: &[u8]) -> Result<()> {
        let out = self.out()?;
        let mut bytes = Vec::new();
        record::append(&mut bytes, out.end, out.number, sequence, kind, payload);
        sys::write_at(&out.file, &bytes, out.end).at(&out.path)?;
        out.end += bytes.len() as u64;
        Ok(())
    }

    /// Copies the chunks of a frame that are wanted and not yet copied.
    pub fn copy_frame(&mut self, header: &Header, payload: &[u8], wanted: &dyn Fn(&ChunkId) -> bool) -> Result<()> {
        let Some(frame) = Frame::parse(payload) else {
            self.damaged_frames += 1;
            return Ok(());
        };
        let take: Vec<bool> = frame.chunks.iter().map(|(id, _)| wanted(id) && !self.written.contains(id)).collect();
        if !take.contains(&true) {
            return Ok(());
        }
        if !take.contains(&false) {
            self.written.extend(frame.chunks.iter().map(|(id, _)| *id));
            return self.copy(Kind::Frame, header.sequence, payload);
        }
        let Ok(data) = frame.decode() else {
            self.damaged_frames += 1;
            return Ok(());
        };
        let mut start = 0;
        for ((id, size), take) in frame.chunks.iter().zip(take) {
            let end = start + *size as usize;
            if take && self.written.insert(*id) {
                self.open.push(*id, &data[start..end]);
            }
            start = end;
        }
        if self.open.data.len() >= TARGET { self.close_frame() } else { Ok(()) }
    }

    fn close_frame(&mut self) -> Result<()> {
        let frame = std::mem::take(&mut self.open);
        if frame.chunks.is_empty() {
            return Ok(());
        }
        let (mut payload, packed) = frame.encode()?;
        payload.extend_from_slice(packed.as_ref().unwrap_or(&frame.data));
        self.copy(Kind::Frame, 0, &payload)
    }

    fn out(&mut self) -> Result<&mut Out> {
        if self.out.as_ref().is_some_and(|out| out.end > SEGMENT_SIZE) {
            self.close_segment()?;
        }
        match &mut self.out {
            Some(out) => Ok(out),
            empty => {
                let number = random_number()?;
                let name = segment_name(number).replace(".seg", ".new");
                let path = self.view.layout.path.join("segments").join(&name);
                let file = self.view.layout.create_file(&self.view.layout.segments, OsStr::new(&name), &path)?;
                let head = SegmentHead {
                    readable_from: FORMAT,
                    writable_from: FORMAT,
                    number,
                    role: Role::Made,
                    previous: Fence { segment: self.replaced, ..Fence::default() },
                };
                let mut bytes = Vec::new();
                record::append(&mut bytes, 0, number, 0, Kind::Segment, &head.encode());
                sys::write_at(&file, &bytes, 0).at(&path)?;
                self.made.insert(number);
                Ok(empty.insert(Out { number, file, path, end: bytes.len() as u64 }))
            }
        }
    }

    fn close_segment(&mut self) -> Result<()> {
        match self.out.take() {
            Some(out) => sys::sync_file(&out.file).at(&out.path),
            None => Ok(()),
        }
    }

    /// Makes the new segments durable. They are not in force yet.
    pub fn finish(mut self) -> Result<BTreeSet<u64>> {
        self.close_frame()?;
        if self.made.is_empty() && self.replaced > 0 {
            // Where nothing stays, something must still say that no log is missing.
            self.out()?;
        }
        self.close_segment()?;
        self.view.layout.segments.sync().at(&self.view.layout.path)?;
        Ok(std::mem::take(&mut self.made))
    }
}

impl View {
    /// The point of no return: the new segments take the place of the old.
    pub fn publish_prune(&mut self, lock: &AppendLock, commit: PruneCommit) -> Result<()> {
        let path = self.layout.path.join("prune.commit");
        self.publish_commit(&commit).inspect_err(|_| self.remove_unpublished(&commit.new))?;
        self.layout.root.sync().at(&path)?;
        self.prune = Some(commit);
        self.finish_prune(lock)
    }

    /// Removes outputs that no decision speaks of. What cannot be removed is litter.
    fn remove_unpublished(&self, made: &BTreeSet<u64>) {
        for number in made {
            let name = segment_name(*number).replace(".seg", ".new");
            let _ = self.layout.segments.remove_file(OsStr::new(&name));
        }
    }

    fn publish_commit(&self, commit: &PruneCommit) -> Result<()> {
        let path = self.layout.path.join("prune.commit");
        let temp = OsStr::new("prune.tmp");
        match self.layout.root.remove_file(temp) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Error::io(e, path)),
            _ => {}
        }
        let file = self.layout.create_file(&self.layout.root, temp, &path)?;
        sys::write_at(&file, &commit.encode(), 0).at(&path)?;
        sys::sync_file(&file).at(&path)?;
        self.layout.root.rename(temp, &self.layout.root, OsStr::new("prune.commit")).at(&path)
    }

    /// Carries out a prune that was decided, by this process or by one that died since.
    pub fn finish_prune(&mut self, _lock: &AppendLock) -> Result<()> {
        let Some(commit) = self.prune.clone() else { return Ok(()) };
        let segments = &self.layout.segments;
        for number in &commit.new {
            let name = segment_name(*number);
            let temp = name.replace(".seg", ".new");
            ignore_missing(segments.rename(OsStr::new(&temp), segments, OsStr::new(&name))).at(&self.layout.path)?;
        }
        segments.sync().at(&self.layout.path)?;
        let guests = self.layout.optional_folder("guests", false)?;
        for number in &commit.old {
            for dir in [Some(segments), guests.as_ref()].into_iter().flatten() {
                ignore_missing(dir.remove_file(OsStr::new(&segment_name(*number)))).at(&self.layout.path)?;
            }
        }
        for dir in [Some(segments), guests.as_ref()].into_iter().flatten() {
            dir.sync().at(&self.layout.path)?;
        }
        self.catalog.clear(&self.layout)?;
        self.rescan()?;
        self.flush_index()?;
        self.layout.index.sync().at(&self.layout.path)?;
        ignore_missing(self.layout.root.remove_file(OsStr::new("prune.commit"))).at(&self.layout.path)?;
        self.layout.root.sync().at(&self.layout.path)?;
        self.prune = None;
        Ok(())
    }

    /// Removes files that never got their names. The caller has the store for itself.
    pub fn remove_temporary(&mut self) -> Result<u64> {
        let mut removed = 0;
        let guests = self.layout.optional_folder("guests", false)?;
        let path = self.layout.path.clone();
        for dir in [Some(&self.layout.segments), guests.as_ref(), Some(&self.layout.index)].into_iter().flatten() {
            for entry in dir.entries().at(&path)? {
                let name = entry.name.to_string_lossy();
                if name.ends_with(".tmp") || name.ends_with(".new") {
                    removed += remove(dir, &entry.name).at(&path)?;
                }
            }
        }
        Ok(removed)
    }

    /// Removes what crashes have left: files that no record refers to. The caller has the store for itself.
    pub fn remove_litter(&mut self) -> Result<u64> {
        self.refuse_missing_logs()?;
        let mut removed = self.remove_temporary()?;
        let path = self.layout.path.clone();
        let runs: BTreeSet<String> = self.catalog.runs().iter().map(|r| super::index::run_name(r.number)).collect();
        for entry in self.layout.index.entries().at(&path)? {
            let name = entry.name.to_string_lossy().into_owned();
            if name.ends_with(".run") && !runs.contains(&name) {
                removed += remove(&self.layout.index, &entry.name).at(&path)?;
            }
        }
        for number in self.listed()? {
            // Only what is known to be a pack: anything else is damage, and not ours to remove.
            if self.scanned.contains_key(&number) || is_log(number) {
                continue;
            }
            let file = self.file(number)?;
            if is_litter(&file, number).at(&path)? {
                removed += remove(&self.layout.segments, OsStr::new(&segment_name(number))).at(&path)?;
            }
        }
        Ok(removed)
    }

    /// Bytes of all segments and of the index.
    pub fn size(&self) -> Result<u64> {
        let guests = self.layout.optional_folder("guests", false)?;
        let mut size = 0;
        for dir in [Some(&self.layout.segments), guests.as_ref(), Some(&self.layout.index)].into_iter().flatten() {
            for entry in dir.entries().at(&self.layout.path)? {
                size += dir.stat(&entry.name).map_or(0, |s| s.size);
            }
        }
        Ok(size)
    }
}

fn remove(dir: &Dir, name: &OsStr) -> io::Result<u64> {
    let size = dir.stat(name)?.size;
    dir.remove_file(name)?;
    Ok(size)
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Refuses to rewrite what this version of the program does not know.
pub fn known(header: &Header) -> Result<Kind> {
    header.kind.ok_or_else(|| Error::message(Code::FormatUnsupported, "the store holds records of a newer version"))
}
