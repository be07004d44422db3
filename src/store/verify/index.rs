//! The index against what the segments say.

use super::{Found, Scope};
use crate::path::Key;
use crate::store::index::{Entry, Space, check_run, run_name};
use crate::store::model::{Damage, RecordId, VerifyReport};
use crate::store::payload::history_key;
use std::collections::{HashMap, HashSet};

/// Checks every block of every run, and that together they say exactly what the segments say.
pub fn check(scope: &Scope, found: &[Found], report: &mut VerifyReport) {
    let mut indexed = HashSet::new();
    let keys: HashMap<RecordId, &Key> = found.iter().flat_map(|f| &f.keys).map(|(id, key)| (*id, key)).collect();
    let expected: HashMap<EntryKey, u64> =
        found.iter().flat_map(|f| &f.entries).map(|e| (entry_key(e), e.extra)).collect();
    let unreadable: HashSet<RecordId> =
        found.iter().flat_map(|f| &f.damaged).map(|w| RecordId { segment: w.segment, offset: w.offset }).collect();
    let mut whole = true;
    for (info, file) in &scope.runs {
        let name = format!("index/{}", run_name(info.number));
        let entries = file.as_ref().and_then(|f| check_run(f.try_clone().ok()?, *info).ok());
        let Some(entries) = entries else {
            whole = false;
            report.damaged.push(damage(
                &name,
                "an index run fails its checksums (it is rebuilt by the next writer, or by repair)",
            ));
            continue;
        };
        report.bytes += info.blocks * 4096;
        for entry in entries {
            let right = match entry.space == Space::Name as u64 {
                true => keys.get(&entry.record()).is_some_and(|key| history_key(key) == entry.key),
                false => expected.get(&entry_key(&entry)) == Some(&entry.extra),
            };
            if !right && !unreadable.contains(&entry.record()) {
                report.damaged.push(damage(&name, &format!("an index entry for record {} is wrong", entry.record())));
            }
            indexed.insert(entry_key(&entry));
        }
    }
    let covered = |e: &Entry| scope.coverage.get(&e.segment).is_some_and(|c| e.offset < c.end);
    let missing =
        found.iter().flat_map(|f| &f.entries).filter(|e| covered(e) && !indexed.contains(&entry_key(e))).count();
    if whole && missing > 0 {
        report.damaged.push(damage("index/current", &format!("{missing} records are missing from the index")));
    }
}

type EntryKey = (u64, [u8; 32], u64, u64, RecordId);

fn entry_key(e: &Entry) -> EntryKey {
    (e.space, e.key, e.number, e.sequence, e.record())
}

fn damage(file: &str, what: &str) -> Damage {
    Damage { file: file.to_owned(), offset: 0, what: what.to_owned(), affected: Vec::new() }
}
