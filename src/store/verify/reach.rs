//! Every version and backup against the chunks that turned out good.

use super::Found;
use crate::error::Result;
use crate::path::Key;
use crate::progress::Progress;
use crate::store::Store;
use crate::store::index::Space;
use crate::store::model::*;
use crate::store::payload::history_key;
use crate::store::record::Kind;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Names the versions and backups that damage reaches, and numbers that two records claim. In the report, the damage
/// that was found in segments begins at `first`.
pub fn check(
    store: &Store,
    found: &[Found],
    first: usize,
    report: &mut VerifyReport,
    progress: &Progress,
) -> Result<()> {
    let good: HashSet<&ChunkId> = found.iter().flat_map(|f| &f.chunks).collect();
    let mut reach = Reach { store, good, lists: HashMap::new(), whole: HashSet::new() };
    let places = damaged_places(store, found)?;
    let wrong = found.iter().flat_map(|f| &f.damaged).enumerate();
    let order: HashMap<RecordId, usize> =
        wrong.map(|(i, w)| (RecordId { segment: w.segment, offset: w.offset }, first + i)).collect();
    let mut numbers: BTreeMap<(&Key, u64), Vec<&Version>> = BTreeMap::new();
    for version in found.iter().flat_map(|f| &f.versions) {
        progress.check()?;
        report.versions += 1;
        numbers.entry((&version.key, version.number)).or_default().push(version);
        let Some(file) = &version.file else { continue };
        if let Some(missing) = reach.missing(&file.content)? {
            let name = format!("{}@{}", version.key, version.number);
            blame(report, &places, &order, &missing, name);
        }
    }
    for snapshot in found.iter().flat_map(|f| &f.snapshots) {
        progress.check()?;
        report.backups += 1;
        let missing = match reach.missing(&snapshot.manifest)? {
            Some(missing) => Some(missing),
            None => reach.missing_reference(snapshot)?,
        };
        if let Some(missing) = missing {
            blame(report, &places, &order, &missing, format!("backup {}", snapshot.name));
        }
    }
    name_lost_records(store, found, report, &order)?;
    for ((key, number), mut versions) in numbers {
        versions.dedup_by(|a, b| (a.created, &a.writer, &a.file) == (b.created, &b.writer, &b.file));
        if versions.len() > 1 {
            report.conflicts.push(format!("{key}@{number}"));
        }
    }
    Ok(())
}

struct Reach<'a> {
    store: &'a Store,
    good: HashSet<&'a ChunkId>,
    /// Contents already looked at: many versions share one.
    lists: HashMap<Content, Option<ChunkId>>,
    whole: HashSet<Vec<(ChunkId, u64)>>,
}

impl Reach<'_> {
    /// A chunk that a content needs and that is not good.
    fn missing(&mut self, content: &Content) -> Result<Option<ChunkId>> {
        if let Some((id, _)) = content.chunks.iter().find(|(id, _)| !self.good.contains(id)) {
            return Ok(Some(*id));
        }
        if content.depth == 0 || self.whole.contains(&content.chunks) {
            return Ok(None);
        }
        if let Some(known) = self.lists.get(content) {
            return Ok(*known);
        }
        let mut missing = None;
        let good = &self.good;
        let walked = self.store.chunk_ids(content, &mut |id| {
            if missing.is_none() && !good.contains(&id) {
                missing = Some(id);
            }
        });
        if let (Err(e), None) = (walked, missing) {
            return Err(e);
        }
        self.lists.insert(content.clone(), missing);
        if missing.is_none() {
            self.whole.insert(content.chunks.clone());
        }
        Ok(missing)
    }

    fn missing_reference(&mut self, snapshot: &Snapshot) -> Result<Option<ChunkId>> {
        if let Some(missing) = self.missing(&snapshot.references)? {
            return Ok(Some(missing));
        }
        let list = self.store.reader(&snapshot.references)?.read_all()?;
        Ok(list.as_chunks::<32>().0.iter().find(|id| !self.good.contains(id)).copied())
    }
}

/// Which chunks stood in damaged records, by the index and by what can be read of the records.
fn damaged_places(store: &Store, found: &[Found]) -> Result<HashMap<ChunkId, RecordId>> {
    let bad: BTreeSet<RecordId> =
        found.iter().flat_map(|f| &f.damaged).map(|w| RecordId { segment: w.segment, offset: w.offset }).collect();
    if bad.is_empty() {
        return Ok(HashMap::new());
    }
    store.0.with_view(|view| {
        let Some(view) = view else { return Ok(HashMap::new()) };
        let chunks = view.ask(|c| c.of_space(Space::Chunk))?;
        let indexed = chunks.into_iter().filter(|e| bad.contains(&e.record())).map(|e| (e.key, e.record()));
        Ok(found.iter().flat_map(|f| f.suspects.iter().copied()).chain(indexed).collect())
    })
}

fn blame(
    report: &mut VerifyReport,
    places: &HashMap<ChunkId, RecordId>,
    order: &HashMap<RecordId, usize>,
    missing: &ChunkId,
    name: String,
) {
    let place = places.get(missing).and_then(|id| order.get(id));
    match place.and_then(|place| report.damaged.get_mut(*place)) {
        Some(damage) => damage.affected.push(name),
        None => report.damaged.push(Damage {
            file: "segments".to_owned(),
            offset: 0,
            what: format!("a chunk that {name} needs is missing"),
            affected: vec![name],
        }),
    }
}

/// Records that are damaged themselves: the index still knows whose they were.
fn name_lost_records(
    store: &Store,
    found: &[Found],
    report: &mut VerifyReport,
    order: &HashMap<RecordId, usize>,
) -> Result<()> {
    if order.is_empty() {
        return Ok(());
    }
    let names: HashMap<[u8; 32], &Key> = found.iter().flat_map(|f| &f.keys).map(|(_, k)| (history_key(k), k)).collect();
    let lost = store.0.with_view(|view| match view {
        None => Ok(Vec::new()),
        Some(view) => Ok([Space::History, Space::Snapshot]
            .into_iter()
            .map(|space| view.ask(|c| c.of_space(space)))
            .collect::<Result<Vec<_>>>()?
            .concat()),
    })?;
    for entry in lost {
        let Some(damage) = order.get(&entry.record()).and_then(|place| report.damaged.get_mut(*place)) else {
            continue;
        };
        if entry.space == Space::Snapshot as u64 {
            damage.affected.push("a backup whose record this was".to_owned());
        } else if entry.extra == Kind::Version as u64 {
            let name = names.get(&entry.key).map_or_else(|| "a file".to_owned(), |key| key.to_string());
            let name = format!("{name}@{}", entry.number);
            if !damage.affected.contains(&name) {
                damage.affected.push(name);
            }
        }
    }
    Ok(())
}
