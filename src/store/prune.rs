//! Removing versions and backups, and what only they needed.

use super::append::AppendLock;
use super::frame::Frame;
use super::layout::RANDOM;
use super::model::*;
use super::payload;
use super::record::Kind;
use super::rewrite::{Rewriter, known};
use super::scan::{Item, Stretch};
use super::view::{PruneCommit, View};
use super::{Shared, Store};
use crate::error::{Code, Error, Result};
use crate::path::Key;
use crate::progress::Progress;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A pack is rewritten when more than one part in this many of it is not needed any more.
const WASTE: u64 = 5;

impl Store {
    /// Removes versions and backups, and what only they needed. `choose` is asked while nobody else writes.
    /// Refuses with `store_busy` while a writer that cannot lock has a lease, unless `break_leases`.
    pub fn prune(
        &self,
        break_leases: bool,
        progress: &Progress,
        choose: &mut dyn FnMut(&Store) -> Result<PrunePlan>,
    ) -> Result<PruneReport> {
        self.0.check_writable()?;
        if !self.exists()? {
            return Ok(PruneReport::default());
        }
        self.0.refuse_leases(break_leases)?;
        let _alone = self.0.exclude_writers()?;
        let appending = self.0.begin_append()?;
        let lock = &appending.lock;
        let bytes_before = self.0.with_created_view(|view| {
            view.finish_prune(lock)?;
            // What is removed must not rest on an index that may be wrong.
            view.rescan()?;
            view.refuse_missing_logs()?;
            view.remove_temporary()?;
            view.size()
        })?;
        let plan = choose(self)?;
        let survey = Survey::of(self, &plan, progress)?;
        progress.check()?;
        self.0.with_created_view(|view| survey.carry_out(view, lock, progress))?;
        let bytes_after = self.0.with_created_view(|view| view.remove_litter().and_then(|_| view.size()))?;
        let (versions, snapshots) = (survey.dropped.len() as u64, survey.dropped_snapshots.len() as u64);
        Ok(PruneReport { versions, snapshots, bytes_before, bytes_after })
    }
}

impl Shared {
    pub fn refuse_leases(&self, break_leases: bool) -> Result<()> {
        let leases = self.leases()?;
        let dir = self.with_view(|view| match view {
            Some(view) => view.layout.optional_folder("active", false),
            None => Ok(None),
        })?;
        match (leases.is_empty(), break_leases, dir) {
            (true, _, _) | (_, _, None) => Ok(()),
            (false, true, Some(dir)) => leases.iter().try_for_each(|name| {
                dir.remove_file(name).map_err(|e| Error::io(e, self.path.join("active").join(name)))
            }),
            (false, false, _) => {
                let message = format!(
                    "{} writers that cannot lock have the store open (break their leases if they are gone)",
                    leases.len()
                );
                Err(Error::message(Code::StoreBusy, message).at(&self.path))
            }
        }
    }
}

/// What stays and what goes.
struct Survey {
    dropped: HashSet<RecordId>,
    dropped_numbers: HashSet<(Key, u64)>,
    dropped_snapshots: HashSet<RecordId>,
    /// The highest number of each key that loses a version.
    spent: BTreeMap<Key, u64>,
    live: HashSet<ChunkId>,
}

impl Survey {
    fn of(store: &Store, plan: &PrunePlan, progress: &Progress) -> Result<Survey> {
        let wanted: HashSet<RecordId> = plan.versions.iter().copied().collect();
        let mut survey = Survey {
            dropped: HashSet::new(),
            dropped_numbers: HashSet::new(),
            dropped_snapshots: plan.snapshots.iter().copied().collect(),
            spent: BTreeMap::new(),
            live: HashSet::new(),
        };
        for key in store.keys()? {
            progress.check()?;
            survey.history(store, &key, &wanted)?;
        }
        for snapshot in store.snapshots()? {
            progress.check()?;
            if !survey.dropped_snapshots.contains(&snapshot.record) {
                survey.snapshot(store, &snapshot)?;
            }
        }
        Ok(survey)
    }

    fn history(&mut self, store: &Store, key: &Key, wanted: &HashSet<RecordId>) -> Result<()> {
        let history = store.history(key)?;
        if let Some(id) = history.damaged.first() {
            let message = format!("record {id} of its history is damaged: repair the store before pruning it");
            return Err(Error::message(Code::Damaged, message).at(key.to_path()));
        }
        let highest = history.versions.last().map_or(0, |v| v.number);
        for version in &history.versions {
            if wanted.contains(&version.record) {
                self.dropped.insert(version.record);
                self.spent.insert(key.clone(), highest);
                if !version.conflict {
                    self.dropped_numbers.insert((key.clone(), version.number));
                }
            } else if let Some(file) = &version.file {
                self.keep(store, &file.content, || format!("{key}@{}", version.number))?;
            }
        }
        Ok(())
    }

    fn snapshot(&mut self, store: &Store, snapshot: &Snapshot) -> Result<()> {
        let name = || format!("backup {}", snapshot.name);
        self.keep(store, &snapshot.manifest, name)?;
        self.keep(store, &snapshot.references, name)?;
        let list = store.reader(&snapshot.references)?.read_all()?;
        self.live.extend(list.as_chunks::<32>().0);
        Ok(())
    }

    fn keep(&mut self, store: &Store, content: &Content, name: impl Fn() -> String) -> Result<()> {
        let live = &mut self.live;
        store
            .chunk_ids(content, &mut |id| {
                live.insert(id);
            })
            .map_err(|e| match e.code() {
                Code::Damaged => {
                    let message =
                        format!("{} cannot be read: remove it too, or repair the store before pruning it", name());
                    Error::message(Code::Damaged, message).at(store.path())
                }
                _ => e,
            })
    }

    fn carry_out(&self, view: &mut View, lock: &AppendLock, progress: &Progress) -> Result<()> {
        let any = !self.dropped.is_empty() || !self.dropped_snapshots.is_empty();
        let mut old = BTreeSet::new();
        let candidates: Vec<u64> = view.scanned.keys().copied().collect();
        for number in candidates {
            progress.check()?;
            // Looked at in any case: what a damaged record attached must not be taken for litter.
            let wasteful = self.is_wasteful(view, number)?;
            if if number & RANDOM == 0 { any } else { wasteful } {
                old.insert(number);
            }
        }
        if old.is_empty() {
            return Ok(());
        }
        // Logs go together, so that those that stay have no gap.
        old.extend(view.scanned.keys().copied().filter(|n| n & RANDOM == 0));
        if view.log != 0 {
            view.roll()?;
        }
        old.remove(&view.log);
        let new = self.rewrite(view, &old, progress)?;
        view.publish_prune(lock, PruneCommit { new, old })
    }

    /// Whether a segment holds a record that goes, or too much that nobody needs.
    fn is_wasteful(&self, view: &mut View, number: u64) -> Result<bool> {
        let (mut total, mut dead, mut goes) = (0u64, 0u64, false);
        self.visit(view, number, &mut |header, payload| {
            let id = RecordId { segment: header.segment, offset: header.offset };
            goes |= self.dropped.contains(&id) || self.dropped_snapshots.contains(&id);
            if let (Some(Kind::Frame), Some(frame)) = (header.kind, Frame::parse(payload)) {
                for (id, size) in &frame.chunks {
                    total += size;
                    dead += if self.live.contains(id) { 0 } else { *size };
                }
            }
            Ok(())
        })?;
        Ok(goes || dead * WASTE > total)
    }

    fn visit(
        &self,
        view: &mut View,
        number: u64,
        look: &mut dyn FnMut(&super::record::Header, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let file = view.file(number)?;
        let limit = view.scanned.get(&number).map(|c| c.end);
        let path = view.segment_path(number);
        let stretch = Stretch { file: &file, segment: number, from: 0, limit };
        stretch.scan::<Error>(&mut |item| match item {
            Item::Record(header, payload) => look(header, payload),
            Item::Damage { .. } => {
                let message = "a segment is damaged: repair the store before pruning it";
                Err(Error::message(Code::Damaged, message).at(&path))
            }
        })?;
        Ok(())
    }

    fn rewrite(&self, view: &mut View, old: &BTreeSet<u64>, progress: &Progress) -> Result<BTreeSet<u64>> {
        let mut copies = Vec::new();
        for number in old {
            copies.push((
                *number,
                view.file(*number)?,
                view.scanned.get(number).map(|c| c.end),
                view.segment_path(*number),
            ));
        }
        let sequence = view.next_sequence;
        let mut writer = Rewriter::new(view, old, 0)?;
        for (number, file, limit, path) in &copies {
            let stretch = Stretch { file, segment: *number, from: 0, limit: *limit };
            stretch.scan::<Error>(&mut |item| {
                progress.check()?;
                match item {
                    Item::Record(header, payload) => self.copy(&mut writer, old, header, payload),
                    Item::Damage { .. } => Err(Error::new(Code::Damaged).at(path)),
                }
            })?;
        }
        for (key, number) in &self.spent {
            writer.copy(Kind::Spent, sequence, &payload::encode_spent(key, *number))?;
        }
        writer.finish()
    }

    fn copy(
        &self,
        writer: &mut Rewriter<'_>,
        old: &BTreeSet<u64>,
        header: &super::record::Header,
        payload: &[u8],
    ) -> Result<()> {
        let id = RecordId { segment: header.segment, offset: header.offset };
        let gone = |key: &Key, number: u64| self.dropped_numbers.contains(&(key.clone(), number));
        let kind = known(header)?;
        let stays = match kind {
            Kind::Frame => return writer.copy_frame(header, payload, &|id| self.live.contains(id)),
            Kind::Version => !self.dropped.contains(&id),
            Kind::Snapshot => !self.dropped_snapshots.contains(&id),
            Kind::Landed => payload::parse_landed(payload).is_some_and(|n| !gone(&n.key, n.number)),
            Kind::Tag => payload::parse_tag(payload).is_some_and(|n| !gone(&n.key, n.number)),
            Kind::Attach => payload::parse_attach(payload).is_some_and(|(segment, _)| !old.contains(&segment)),
            Kind::Spent => true,
            Kind::Segment | Kind::Index | Kind::Prune | Kind::Folder | Kind::Transaction | Kind::Step => false,
        };
        if stays { writer.copy(kind, header.sequence, payload) } else { Ok(()) }
    }
}
