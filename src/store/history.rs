//! Questions about versions and backups.

use super::Store;
use super::index::{Entry, Space};
use super::model::*;
use super::payload::{self, LandedNote, TagNote};
use super::record::Kind;
use super::view::View;
use crate::error::{Code, Error, Result};
use crate::path::Key;
use std::collections::BTreeMap;

/// A file's versions, and what of its history cannot be read.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// By number, then by record.
    pub versions: Vec<Version>,
    /// Records that are damaged: their versions are missing from the list.
    pub damaged: Vec<RecordId>,
}

impl Store {
    /// Every readable version of a file, by number (then by record), with tags and what is known of its landing.
    pub fn versions(&self, key: &Key) -> Result<Vec<Version>> {
        Ok(self.history(key)?.versions)
    }

    /// As [`Store::versions`], and the records that cannot be read.
    pub fn history(&self, key: &Key) -> Result<History> {
        let hash = payload::history_key(key);
        self.0.with_view(|view| match view {
            None => Ok(History::default()),
            Some(view) => {
                let entries = view.ask(|c| c.of_key(Space::History, hash, 0))?;
                view.history_of(&entries)
            }
        })
    }

    /// The version with the highest number. `damaged` if its record cannot be read.
    pub fn newest(&self, key: &Key) -> Result<Option<Version>> {
        let hash = payload::history_key(key);
        self.0.with_view(|view| {
            let Some(view) = view else { return Ok(None) };
            let mut bound = Entry::last(Space::History, hash);
            while let Some(entry) = view.ask(|c| c.last_below(&bound))? {
                let entries: Vec<Entry> = view
                    .ask(|c| c.range(Entry::first(Space::History, hash, entry.number), bound))?
                    .into_iter()
                    .filter(|e| e.number == entry.number)
                    .collect();
                if entries.iter().any(|e| e.extra == Kind::Version as u64) {
                    let history = view.history_of(&entries)?;
                    return match (history.versions.into_iter().next_back(), history.damaged.first()) {
                        (Some(version), _) => Ok(Some(version)),
                        (None, Some(id)) => Err(view.damaged_record(*id)),
                        (None, None) => Ok(None),
                    };
                }
                bound = Entry::first(Space::History, hash, entry.number);
            }
            Ok(None)
        })
    }

    /// One version. Errors: `version_not_found`, `number_conflict` when several records claim the number, `damaged`.
    pub fn version(&self, key: &Key, which: &Which) -> Result<Version> {
        let missing = || Error::new(Code::VersionNotFound).at(key.to_path());
        let number = match which {
            Which::Newest => return self.newest_with_content(key)?.ok_or_else(missing),
            Which::Number(number) => *number,
            Which::Record(id) => {
                let all = self.versions(key)?;
                return all.into_iter().find(|v| v.record == *id).ok_or_else(missing);
            }
        };
        let hash = payload::history_key(key);
        let history = self.0.with_view(|view| {
            let Some(view) = view else { return Ok(History::default()) };
            let to = Entry::first(Space::History, hash, number.saturating_add(1));
            let entries = view.ask(|c| c.range(Entry::first(Space::History, hash, number), to))?;
            let history = view.history_of(&entries)?;
            match history.damaged.first() {
                Some(id) if history.versions.is_empty() => Err(view.damaged_record(*id)),
                _ => Ok(history),
            }
        })?;
        let mut versions = history.versions;
        if versions.len() > 1 {
            let records: Vec<String> = versions.iter().map(|v| v.record.to_string()).collect();
            let message =
                format!("two versions claim number {number}: name one by its record ({})", records.join(", "));
            return Err(Error::message(Code::NumberConflict, message).at(key.to_path()));
        }
        versions.pop().ok_or_else(missing)
    }

    fn newest_with_content(&self, key: &Key) -> Result<Option<Version>> {
        match self.newest(key)? {
            Some(version) if version.file.is_none() => Ok(self.versions(key)?.into_iter().rfind(|v| v.file.is_some())),
            newest => Ok(newest),
        }
    }

    /// Every file that has a history, in order of its bytes.
    pub fn keys(&self) -> Result<Vec<Key>> {
        self.0.with_view(|view| {
            let Some(view) = view else { return Ok(Vec::new()) };
            let entries = view.ask(|c| c.of_space(Space::Name))?;
            let mut keys = Vec::with_capacity(entries.len());
            for entry in entries {
                if let Some(key) = view.spelled(&entry)? {
                    keys.push(key);
                }
            }
            keys.sort_unstable();
            keys.dedup();
            Ok(keys)
        })
    }

    /// Every readable backup, by time.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        self.0.with_view(|view| {
            let Some(view) = view else { return Ok(Vec::new()) };
            let mut found = Vec::new();
            for entry in view.ask(|c| c.of_space(Space::Snapshot))? {
                match view.record(entry.record()) {
                    Ok((_, payload)) => found.extend(payload::parse_snapshot(&payload, entry.record())),
                    Err(e) if e.code() == Code::Damaged => {} // verify names it; it must not hide the others
                    Err(e) => return Err(e),
                }
            }
            found.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
            found.dedup_by(|a, b| a.name == b.name && a.manifest == b.manifest);
            Ok(found)
        })
    }

    /// One backup by name, or `backup_not_found`.
    pub fn snapshot(&self, name: &str) -> Result<Snapshot> {
        let key = payload::snapshot_key(name);
        let missing =
            || Error::message(Code::BackupNotFound, format!("there is no backup named {name:?}")).at(self.path());
        self.0.with_view(|view| {
            let view = view.ok_or_else(missing)?;
            let entry = view.ask(|c| c.last(Space::Snapshot, key))?.ok_or_else(missing)?;
            let (_, payload) = view.record(entry.record())?;
            payload::parse_snapshot(&payload, entry.record()).ok_or_else(|| view.damaged_record(entry.record()))
        })
    }
}

impl View {
    pub fn damaged_record(&self, id: RecordId) -> Error {
        Error::message(Code::Damaged, format!("record {id} is damaged")).at(self.segment_path(id.segment))
    }

    /// The key that the record of a name entry spells; `None` if the record is damaged and no other spells it.
    pub fn spelled(&mut self, entry: &Entry) -> Result<Option<Key>> {
        let mut candidates = vec![*entry];
        let mut tried = 0;
        loop {
            let Some(candidate) = candidates.get(tried).copied() else { return Ok(None) };
            match self.record(candidate.record()) {
                Ok((header, payload)) => {
                    return Ok(match header.kind {
                        Some(Kind::Version) => payload::parse_version(&payload, candidate.record()).map(|v| v.key),
                        Some(Kind::Spent) => payload::parse_spent(&payload).map(|(key, _)| key),
                        Some(Kind::Landed) => payload::parse_landed(&payload).map(|n| n.key),
                        Some(Kind::Tag) => payload::parse_tag(&payload).map(|n| n.key),
                        _ => None,
                    });
                }
                Err(e) if e.code() == Code::Damaged && tried == 0 => {
                    candidates.extend(self.ask(|c| c.of_key(Space::History, entry.key, 0))?);
                }
                Err(e) if e.code() == Code::Damaged => {}
                Err(e) => return Err(e),
            }
            tried += 1;
        }
    }

    /// Versions of the records that these entries point to.
    pub fn history_of(&mut self, entries: &[Entry]) -> Result<History> {
        let mut history = History::default();
        let mut landed: BTreeMap<u64, Landed> = BTreeMap::new();
        let mut tags: BTreeMap<u64, BTreeMap<String, (u64, bool)>> = BTreeMap::new();
        for entry in entries {
            let id = entry.record();
            let (header, payload) = match self.record(id) {
                Ok(record) => record,
                Err(e) if e.code() == Code::Damaged => {
                    history.damaged.push(id);
                    continue;
                }
                Err(e) => return Err(e),
            };
            match header.kind {
                Some(Kind::Version) => match payload::parse_version(&payload, id) {
                    Some(version) => history.versions.push(version),
                    None => history.damaged.push(id),
                },
                Some(Kind::Landed) => {
                    if let Some(LandedNote { number, landed: state, .. }) = payload::parse_landed(&payload) {
                        landed.insert(number, state);
                    }
                }
                Some(Kind::Tag) => {
                    if let Some(TagNote { number, tag, set, .. }) = payload::parse_tag(&payload) {
                        let latest = tags.entry(number).or_default().entry(tag).or_insert((0, false));
                        if header.sequence >= latest.0 {
                            *latest = (header.sequence, set);
                        }
                    }
                }
                _ => {}
            }
        }
        drop_copies(&mut history.versions);
        for version in &mut history.versions {
            version.landed = landed.get(&version.number).copied().unwrap_or(Landed::Unknown);
            let set = tags.get(&version.number).into_iter().flatten();
            version.tags = set.filter(|(_, (_, set))| *set).map(|(tag, _)| tag.clone()).collect();
        }
        Ok(history)
    }
}

/// Sorts, drops copies of one record (a prune that was interrupted leaves two), and marks numbers claimed twice.
fn drop_copies(versions: &mut Vec<Version>) {
    versions.sort_by_key(|v| (v.number, v.record));
    let same = |a: &Version, b: &Version| {
        (a.number, &a.writer, a.created, &a.file, a.kind) == (b.number, &b.writer, b.created, &b.file, b.kind)
    };
    versions.dedup_by(|b, a| same(a, b));
    for place in 1..versions.len() {
        if versions[place].number == versions[place - 1].number {
            versions[place].conflict = true;
            versions[place - 1].conflict = true;
        }
    }
}
