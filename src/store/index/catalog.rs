//! All entries together: those of the runs, and those of records too new to be in one.

use super::entry::{Entry, Space};
use super::run::{Run, RunRef, write_run};
use crate::error::{IoContext, Result};
use crate::store::fields::{FieldReader, FieldWriter};
use crate::store::layout::Layout;
use crate::store::record::{self, Kind};
use crate::sys;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::iter::Peekable;
use std::sync::Arc;

/// New entries are merged with runs smaller than this many times their number: few runs, each entry rewritten rarely.
const GROWTH: u64 = 3;
/// `index/current` is never larger.
const MAX_CURRENT: u64 = 64 << 20;

/// How much of a segment the runs cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    pub end: u64,
    pub closed: bool,
}

/// The index of a store, as one process sees it.
#[derive(Debug, Default)]
pub struct Catalog {
    runs: Vec<Arc<Run>>,
    tail: BTreeSet<Entry>,
    generation: u64,
    /// No record that the runs cover has this sequence or a higher one.
    pub sequence: u64,
    /// What the runs cover.
    pub coverage: BTreeMap<u64, Coverage>,
    /// `index/current` as it was loaded: another file means that somebody wrote a new one.
    loaded: Option<(u64, u64, crate::time::Timestamp)>,
}

impl Catalog {
    /// What `index/current` describes; empty if it is missing or fails any check.
    pub fn load(layout: &Layout) -> Catalog {
        Catalog::try_load(layout).unwrap_or_default()
    }

    fn try_load(layout: &Layout) -> Option<Catalog> {
        let file = layout.index.open_read(OsStr::new("current")).ok()?;
        let stat = sys::stat_file(&file).ok().filter(|s| s.size <= MAX_CURRENT)?;
        let mut bytes = vec![0; stat.size as usize];
        sys::read_at(&file, &mut bytes, 0).ok()?;
        let current = Current::parse(record::unseal(&bytes, Kind::Index)?)?;
        let mut runs = Vec::new();
        for info in &current.runs {
            let file = layout.index.open_read(OsStr::new(&run_name(info.number))).ok()?;
            runs.push(Arc::new(Run::new(file, *info)));
        }
        let loaded = Some((stat.inode, stat.size, stat.modified));
        let Current { generation, sequence, coverage, .. } = current;
        Some(Catalog { runs, tail: BTreeSet::new(), generation, sequence, coverage, loaded })
    }

    /// Whether somebody has written another index since this one was loaded.
    pub fn is_stale(&self, layout: &Layout) -> bool {
        let now = layout.index.stat(OsStr::new("current")).ok().map(|s| (s.inode, s.size, s.modified));
        now != self.loaded
    }

    /// Adds an entry of a record that no run covers.
    pub fn insert(&mut self, entry: Entry) {
        self.tail.insert(entry);
    }

    /// Entries that are in no run.
    pub fn tail_len(&self) -> usize {
        self.tail.len()
    }

    /// The greatest entry of a key.
    pub fn last(&self, space: Space, key: [u8; 32]) -> io::Result<Option<Entry>> {
        self.last_below(&Entry::last(space, key))
    }

    /// The greatest entry below `bound` that has its key.
    pub fn last_below(&self, bound: &Entry) -> io::Result<Option<Entry>> {
        let mut best = self.tail.range(..*bound).next_back().copied();
        for run in &self.runs {
            best = best.max(run.last_below(bound)?);
        }
        Ok(best.filter(|e| e.space == bound.space && e.key == bound.key))
    }

    /// The entry of a chunk, if any.
    pub fn chunk(&self, id: &[u8; 32]) -> io::Result<Option<Entry>> {
        self.last(Space::Chunk, *id)
    }

    /// All entries from `from` up to, not including, `to`, in order, each once.
    pub fn range(&self, from: Entry, to: Entry) -> io::Result<Vec<Entry>> {
        let mut found: Vec<Entry> = self.tail.range(from..to).copied().collect();
        for run in &self.runs {
            for entry in run.from(&from)? {
                let entry = entry?;
                if entry >= to {
                    break;
                }
                found.push(entry);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// All entries of a key from this number on.
    pub fn of_key(&self, space: Space, key: [u8; 32], from: u64) -> io::Result<Vec<Entry>> {
        self.range(Entry::first(space, key, from), Entry::last(space, key))
    }

    /// All entries of a space.
    pub fn of_space(&self, space: Space) -> io::Result<Vec<Entry>> {
        self.range(Entry::first(space, [0; 32], 0), Entry::last(space, [255; 32]))
    }

    /// What is in the runs alone, for verify.
    pub fn runs(&self) -> Vec<RunRef> {
        self.runs.iter().map(|r| r.info).collect()
    }

    /// Moves the tail into a run, merged with those that are not much larger, and publishes it. The caller holds the append lock.
    pub fn flush(&mut self, layout: &Layout, coverage: BTreeMap<u64, Coverage>, sequence: u64) -> Result<()> {
        let mut total = self.tail.len() as u64;
        let mut keep = self.runs.len();
        while keep > 0 && self.runs[keep - 1].info.entries < GROWTH * total {
            keep -= 1;
            total += self.runs[keep].info.entries;
        }
        let mut runs = self.runs.clone();
        let merged = runs.split_off(keep);
        let generation = self.generation.wrapping_add(1);
        if !self.tail.is_empty() || !merged.is_empty() {
            runs.push(Arc::new(write_merged(layout, &merged, &self.tail)?));
        }
        let infos = runs.iter().map(|r| r.info).collect();
        let current = Current { generation, sequence, runs: infos, coverage };
        publish(layout, &current)?;
        // Only now: a failure above leaves everything known as it was.
        self.runs = runs;
        self.tail.clear();
        self.generation = generation;
        self.sequence = sequence;
        self.coverage = current.coverage;
        self.loaded = layout.index.stat(OsStr::new("current")).ok().map(|s| (s.inode, s.size, s.modified));
        for run in merged {
            // Readers that still have it open keep it; a left-over is harmless and removed by the next rebuild.
            let _ = layout.index.remove_file(OsStr::new(&run_name(run.info.number)));
        }
        Ok(())
    }

    /// Throws the index away, files and all.
    pub fn clear(&mut self, layout: &Layout) -> Result<()> {
        *self = Catalog { generation: self.generation, ..Catalog::default() };
        for entry in layout.index.entries().at(&layout.path)? {
            let name = entry.name.to_string_lossy();
            if name == "current" || name.ends_with(".run") || name.ends_with(".tmp") {
                layout.index.remove_file(&entry.name).at(layout.path.join("index").join(&entry.name))?;
            }
        }
        Ok(())
    }
}

fn write_merged(layout: &Layout, merged: &[Arc<Run>], tail: &BTreeSet<Entry>) -> Result<Run> {
    let number = crate::store::layout::random_number()?;
    let name = run_name(number);
    let path = layout.path.join("index").join(&name);
    let file = layout.create_file(&layout.index, OsStr::new(&name), &path)?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let info = merge(merged, tail)
        .and_then(|mut entries| write_run(&mut out, number, &mut entries))
        .and_then(|info| out.flush().map(|()| info))
        .at(&path);
    match (info, out.into_inner()) {
        (Ok(info), Ok(file)) => Ok(Run::new(file, info)),
        (Err(e), _) => {
            let _ = layout.index.remove_file(OsStr::new(&name)); // the first error is the one to tell
            Err(e)
        }
        (_, Err(e)) => Err(crate::error::Error::io(e.into_error(), path)),
    }
}

/// Entries of several sources in one order, each once.
fn merge<'a>(runs: &[Arc<Run>], tail: &'a BTreeSet<Entry>) -> io::Result<impl Iterator<Item = io::Result<Entry>> + 'a> {
    type Source<'s> = Peekable<Box<dyn Iterator<Item = io::Result<Entry>> + 's>>;
    let mut sources: Vec<Source<'a>> = Vec::new();
    let all: Box<dyn Iterator<Item = io::Result<Entry>> + 'a> = Box::new(tail.iter().map(|e| Ok(*e)));
    sources.push(all.peekable());
    for run in runs {
        let all: Box<dyn Iterator<Item = io::Result<Entry>> + 'a> =
            Box::new(run.from(&Entry::first(Space::Chunk, [0; 32], 0))?);
        sources.push(all.peekable());
    }
    let mut last: Option<Entry> = None;
    Ok(std::iter::from_fn(move || {
        loop {
            let mut least: Option<(usize, Entry)> = None;
            for (place, source) in sources.iter_mut().enumerate() {
                match source.peek() {
                    Some(Ok(entry)) if least.is_none_or(|(_, l)| *entry < l) => least = Some((place, *entry)),
                    Some(Err(_)) => return source.next(),
                    _ => {}
                }
            }
            let (place, entry) = least?;
            sources[place].next();
            if last.replace(entry) != Some(entry) {
                return Some(Ok(entry));
            }
        }
    }))
}

/// The file name of a run.
pub fn run_name(number: u64) -> String {
    format!("{number:016x}.run")
}

fn publish(layout: &Layout, current: &Current) -> Result<()> {
    let name = format!("{:016x}.tmp", crate::store::layout::random_number()?);
    let path = layout.path.join("index/current");
    let file = layout.create_file(&layout.index, OsStr::new(&name), &path)?;
    sys::write_at(&file, &record::sealed(Kind::Index, &current.encode()), 0).at(&path)?;
    layout.index.rename(OsStr::new(&name), &layout.index, OsStr::new("current")).at(&path)
}

struct Current {
    generation: u64,
    sequence: u64,
    runs: Vec<RunRef>,
    coverage: BTreeMap<u64, Coverage>,
}

impl Current {
    fn encode(&self) -> Vec<u8> {
        let mut fields = FieldWriter::default();
        fields.u64(self.generation).u64(self.sequence).u64(self.runs.len() as u64);
        for run in &self.runs {
            fields.u64(run.number).u64(run.blocks).u64(run.entries);
        }
        fields.u64(self.coverage.len() as u64);
        for (segment, coverage) in &self.coverage {
            fields.u64(*segment).u64(coverage.end).u64(coverage.closed.into());
        }
        fields.0
    }

    fn parse(payload: &[u8]) -> Option<Current> {
        let mut fields = FieldReader::new(payload);
        let (generation, sequence) = (fields.u64()?, fields.u64().filter(|s| *s <= record::MAX_SEQUENCE + 1)?);
        let count = fields.count(24)?;
        let runs = (0..count)
            .map(|_| Some(RunRef { number: fields.u64()?, blocks: fields.u64()?, entries: fields.u64()? }))
            .collect::<Option<_>>()?;
        let count = fields.count(24)?;
        let coverage = (0..count)
            .map(|_| Some((fields.u64()?, Coverage { end: fields.u64()?, closed: fields.flag()? })))
            .collect::<Option<_>>()?;
        fields.end()?;
        Some(Current { generation, sequence, runs, coverage })
    }
}
