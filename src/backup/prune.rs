//! Which backups stay.

use crate::error::Result;
use crate::progress::Progress;
use crate::store::{PrunePlan, PruneReport, RecordId, Snapshot, Store};
use crate::time::Timestamp;
use crate::version::Retention;
use std::time::Duration;

pub fn prune(store: Option<&Store>, keep: &Retention, break_leases: bool, progress: &Progress) -> Result<PruneReport> {
    keep.check()?;
    let Some(store) = store else { return Ok(PruneReport::default()) };
    if store.snapshots()?.is_empty() {
        return Ok(PruneReport::default());
    }
    store.prune(break_leases, progress, &mut |store| {
        let snapshots = surplus(keep, &store.snapshots()?, Timestamp::now());
        Ok(PrunePlan { snapshots, ..PrunePlan::default() })
    })
}

/// Those, of all by time, that nothing keeps.
fn surplus(keep: &Retention, snapshots: &[Snapshot], now: Timestamp) -> Vec<RecordId> {
    let mut bytes = 0u64;
    let newest_first = snapshots.iter().rev().enumerate();
    let stays = newest_first.map(|(place, snapshot)| {
        bytes = bytes.saturating_add(snapshot.size);
        let last = keep.keep_last.is_some_and(|n| (place as u64) < n);
        let young = keep.keep_within.is_some_and(|age| is_younger(snapshot.created, age, now));
        let small = keep.keep_under.is_some_and(|most| bytes <= most);
        (place == 0 || last || young || small, snapshot.record)
    });
    stays.filter(|(stays, _)| !stays).map(|(_, record)| record).collect()
}

fn is_younger(created: Timestamp, age: Duration, now: Timestamp) -> bool {
    let nanos = |t: Timestamp| i128::from(t.seconds) * 1_000_000_000 + i128::from(t.nanos);
    nanos(now) - nanos(created) <= i128::try_from(age.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Content;

    fn backups(count: i64) -> Vec<Snapshot> {
        let content = Content { size: 0, depth: 0, chunks: Vec::new() };
        let one = |n: i64| Snapshot {
            name: format!("b{n}"),
            created: Timestamp { seconds: n * 100, nanos: 0 },
            manifest: content.clone(),
            references: content.clone(),
            files: 1,
            size: 10,
            record: RecordId { segment: 1, offset: n as u64 },
        };
        (0..count).map(one).collect()
    }

    fn gone(keep: Retention) -> Vec<u64> {
        let now = Timestamp { seconds: 450, nanos: 0 };
        let mut gone: Vec<u64> = surplus(&keep, &backups(5), now).iter().map(|r| r.offset).collect();
        gone.sort();
        gone
    }

    #[test]
    fn a_backup_stays_if_any_rule_keeps_it_and_the_newest_always() {
        let none = Retention::default();
        assert_eq!(gone(Retention { keep_last: Some(2), ..none.clone() }), [0, 1, 2]);
        assert_eq!(gone(Retention { keep_last: Some(0), ..none.clone() }), [0, 1, 2, 3]);
        assert_eq!(gone(Retention { keep_last: Some(u64::MAX), ..none.clone() }), [0u64; 0]);
        assert_eq!(gone(Retention { keep_within: Some(Duration::from_secs(250)), ..none.clone() }), [0, 1]);
        assert_eq!(gone(Retention { keep_within: Some(Duration::MAX), ..none.clone() }), [0u64; 0]);
        assert_eq!(gone(Retention { keep_under: Some(39), ..none.clone() }), [0, 1]);
        assert_eq!(gone(Retention { keep_last: Some(1), keep_under: Some(30), ..none }), [0, 1]);
    }
}
