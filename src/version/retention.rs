//! Which versions stay.

use crate::error::{Code, Error, Result};
use crate::store::{Landed, RecordId, Version};
use crate::time::Timestamp;
use crate::workspace::landed;
use std::collections::HashSet;
use std::time::Duration;

/// What retention keeps. A version stays if any rule keeps it; the newest and the tagged always stay.
///
/// ```
/// use electrus::version::Retention;
/// use std::time::Duration;
///
/// let week = Duration::from_secs(7 * 24 * 3600);
/// let keep = Retention { keep_last: Some(10), keep_within: Some(week), ..Retention::default() };
/// # let _ = keep;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Retention {
    /// The last N of each file (of all backups).
    pub keep_last: Option<u64>,
    /// Those younger than this.
    pub keep_within: Option<Duration>,
    /// The newest whose sizes add up to at most this many bytes.
    pub keep_under: Option<u64>,
}

impl Retention {
    /// No rule at all would remove everything: an error.
    pub(crate) fn check(&self) -> Result<()> {
        match *self == Retention::default() {
            true => Err(Error::message(Code::InvalidArgument, "no rule says what to keep")),
            false => Ok(()),
        }
    }

    /// The versions of one file (by number) that nothing keeps.
    pub(crate) fn surplus(&self, versions: &[Version], now: Timestamp) -> HashSet<RecordId> {
        let kept: HashSet<RecordId> = protected(versions).chain(self.kept(versions, now)).collect();
        versions.iter().map(|v| v.record).filter(|record| !kept.contains(record)).collect()
    }

    fn kept<'v>(&self, versions: &'v [Version], now: Timestamp) -> impl Iterator<Item = RecordId> + use<'v> {
        let last = self.keep_last.map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let since = self.keep_within.map(|age| before(now, age));
        let under = self.keep_under;
        let mut bytes = 0u64;
        versions.iter().rev().enumerate().filter_map(move |(place, version)| {
            bytes = bytes.saturating_add(version.file.as_ref().map_or(0, |file| file.content.size));
            let young = since.is_some_and(|since| version.created >= since);
            let small = under.is_some_and(|most| bytes <= most);
            (place < last || young || small).then_some(version.record)
        })
    }
}

/// What stays whatever the rules say: the newest, the newest content, the tagged, and what may be about to land.
fn protected(versions: &[Version]) -> impl Iterator<Item = RecordId> {
    let newest = versions.iter().map(|v| v.number).max().unwrap_or(0);
    let with_content = |v: &&Version| v.file.is_some();
    let content = versions.iter().rev().find(with_content).map(|v| v.record);
    let stood = versions.iter().rev().filter(with_content).find(|v| matches!(landed(v), Landed::Yes(_)));
    let stood = stood.map(|v| v.record);
    let known = versions.iter().filter(|v| matches!(landed(v), Landed::Yes(_))).map(|v| v.number).max().unwrap_or(0);
    versions
        .iter()
        .filter(move |v| {
            let pending = v.number > known && landed(v) == Landed::Unknown;
            let best = Some(v.record) == content || Some(v.record) == stood;
            v.number == newest || best || pending || !v.tags.is_empty()
        })
        .map(|v| v.record)
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    let seconds = i64::try_from(age.as_secs()).map_or(i64::MIN, |s| now.seconds.saturating_sub(s));
    match now.nanos.checked_sub(age.subsec_nanos()) {
        Some(nanos) => Timestamp { seconds, nanos },
        None => Timestamp { seconds: seconds.saturating_sub(1), nanos: now.nanos + 1_000_000_000 - age.subsec_nanos() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Key;
    use crate::store::{Content, FileState, VersionKind};

    /// A version of `size` bytes, made at `second`; no size is a tombstone.
    fn version(number: u64, size: Option<u64>, second: i64, landed: Landed) -> Version {
        let file = size.map(|size| FileState {
            content: Content { size, depth: 0, chunks: Vec::new() },
            digests: Vec::new(),
            mode: 0o644,
            uid: 0,
            gid: 0,
            modified: Timestamp::default(),
        });
        Version {
            key: Key::from_bytes(b"f".to_vec()),
            number,
            kind: VersionKind::Write,
            created: Timestamp { seconds: second, nanos: 0 },
            file,
            of: None,
            other: None,
            writer: String::new(),
            record: RecordId { segment: 1, offset: number },
            landed,
            tags: Vec::new(),
            conflict: false,
        }
    }

    fn left(keep: &Retention, versions: &[Version]) -> Vec<u64> {
        let gone = keep.surplus(versions, Timestamp { seconds: 100, nanos: 0 });
        versions.iter().filter(|v| !gone.contains(&v.record)).map(|v| v.number).collect()
    }

    fn ten() -> Vec<Version> {
        (1..=10).map(|n| version(n, Some(10), n as i64 * 10, Landed::Yes(None))).collect()
    }

    #[test]
    fn each_rule_keeps_what_it_says_and_any_of_them_suffices() {
        let keep = |last, within, under| Retention {
            keep_last: last,
            keep_within: Some(within).filter(|w| *w > 0).map(Duration::from_secs),
            keep_under: under,
        };
        assert_eq!(left(&keep(Some(3), 0, None), &ten()), [8, 9, 10]);
        assert_eq!(left(&keep(None, 15, None), &ten()), [9, 10]);
        assert_eq!(left(&keep(None, 0, Some(49)), &ten()), [7, 8, 9, 10]);
        assert_eq!(left(&keep(Some(2), 35, Some(10)), &ten()), [7, 8, 9, 10]);
        assert_eq!(left(&keep(Some(u64::MAX), 0, None), &ten()).len(), 10);
        assert_eq!(left(&keep(None, u64::MAX, None), &ten()).len(), 10);
        assert!(Retention::default().check().is_err());
    }

    #[test]
    fn what_may_be_about_to_land_and_what_stood_last_stays() {
        let none = Retention { keep_last: Some(0), ..Retention::default() };
        assert_eq!(left(&none, &ten()), [10]);
        let mut versions = ten();
        versions[0].tags.push("release".into());
        versions[8].landed = Landed::Unknown;
        versions[9].landed = Landed::Unknown;
        assert_eq!(left(&none, &versions), [1, 8, 9, 10]);
        versions[8].landed = Landed::No;
        assert_eq!(left(&none, &versions), [1, 8, 10]);
        versions.push(version(11, None, 110, Landed::Yes(None)));
        assert_eq!(left(&none, &versions), [1, 8, 10, 11]);
        assert!(left(&none, &[]).is_empty());
    }
}
