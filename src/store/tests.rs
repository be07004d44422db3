//! The store as its callers see it.

mod flips;
mod trouble;

use super::*;
use crate::checksum::{Algorithm, of_bytes};
use crate::path::Key;
use crate::progress::Progress;
use crate::time::Timestamp;
use std::io::{Read, Seek, SeekFrom};

pub fn open(dir: &Path) -> Store {
    Store::open(&Dir::open(dir).unwrap(), ".electrus", dir, StoreOptions::default()).unwrap()
}

pub fn key(name: &str) -> Key {
    Key::from_bytes(name.as_bytes().to_vec())
}

pub fn state(content: Content, data: &[u8]) -> FileState {
    let digests = vec![of_bytes(Algorithm::Sha256, data)];
    FileState { content, digests, mode: 0o644, uid: 0, gid: 0, modified: Timestamp::now() }
}

pub fn new_version(name: &str, file: Option<FileState>) -> New {
    let (kind, key) = (VersionKind::Write, key(name));
    New::Version(NewVersion { key, kind, file, of: None, other: None, wanted: None, created: None })
}

pub fn write(store: &Store, name: &str, data: &[u8]) -> u64 {
    let mut session = store.begin().unwrap();
    let content = session.put_bytes(data).unwrap();
    session.commit(vec![new_version(name, Some(state(content, data)))]).unwrap()[0].number
}

pub fn read(store: &Store, name: &str, number: u64) -> Vec<u8> {
    let version = store.version(&key(name), &Which::Number(number)).unwrap();
    store.reader(&version.file.unwrap().content).unwrap().read_all().unwrap()
}

pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

pub fn size(dir: &Path) -> u64 {
    walkdir::WalkDir::new(dir)
        .into_iter()
        .map(|e| e.unwrap().metadata().unwrap())
        .filter(|m| m.is_file())
        .map(|m| m.len())
        .sum()
}

#[test]
fn what_is_written_is_read_by_the_same_and_by_the_next_process() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    assert!(!store.exists().unwrap());
    assert!(store.versions(&key("a")).unwrap().is_empty());
    assert!(!tmp.path().join(".electrus").exists(), "asking creates nothing");
    assert_eq!(write(&store, "a", b"one"), 1);
    assert_eq!(write(&store, "b", b""), 1);
    assert_eq!(write(&store, "a", b"two"), 2);
    for store in [store, open(tmp.path())] {
        assert_eq!(read(&store, "a", 1), b"one");
        assert_eq!(read(&store, "a", 2), b"two");
        assert_eq!(read(&store, "b", 1), b"");
        assert_eq!(store.newest(&key("a")).unwrap().unwrap().number, 2);
        assert_eq!(store.keys().unwrap(), [key("a"), key("b")]);
        assert_eq!(store.version(&key("a"), &Which::Number(3)).unwrap_err().code(), Code::VersionNotFound);
    }
}

#[test]
fn numbers_go_on_across_handles_and_index_runs() {
    let tmp = tempfile::tempdir().unwrap();
    let (one, two) = (open(tmp.path()), open(tmp.path()));
    for round in 0..1500u64 {
        assert_eq!(write(&one, "f", &round.to_le_bytes()), 2 * round + 1);
        assert_eq!(write(&two, "f", &(round + 10_000).to_le_bytes()), 2 * round + 2);
    }
    assert!(std::fs::read_dir(tmp.path().join(".electrus/index")).unwrap().count() > 1, "runs are written");
    for store in [open(tmp.path()), one, two] {
        let versions = store.versions(&key("f")).unwrap();
        assert_eq!(versions.len(), 3000);
        assert!(versions.iter().enumerate().all(|(i, v)| v.number == i as u64 + 1 && !v.conflict));
        assert_eq!(read(&store, "f", 2999), 1499u64.to_le_bytes());
    }
    std::fs::remove_dir_all(tmp.path().join(".electrus/index")).unwrap();
    let store = open(tmp.path());
    assert_eq!(store.versions(&key("f")).unwrap().len(), 3000, "the index is derived");
    assert_eq!(write(&store, "f", b"x"), 3001);
}

#[test]
fn a_damaged_index_is_rebuilt() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    for round in 0..2000u64 {
        write(&store, &format!("f{}", round % 7), &round.to_le_bytes());
    }
    drop(store);
    for entry in std::fs::read_dir(tmp.path().join(".electrus/index")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let store = open(tmp.path());
        assert_eq!((0..7).map(|i| store.versions(&key(&format!("f{i}"))).unwrap().len()).sum::<usize>(), 2000);
    }
}

#[test]
fn large_contents_are_chunked_deduplicated_and_seekable() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    let mut data = noise(1, 24 << 20);
    write(&store, "big", &data);
    let first = size(tmp.path());
    data[5_000_000] ^= 1;
    data.splice(9_000_000..9_000_000, *b"inserted");
    write(&store, "big", &data);
    assert!(size(tmp.path()) - first < 1 << 20, "an edit costs little");
    let store = open(tmp.path());
    assert!(read(&store, "big", 2) == data);
    let version = store.version(&key("big"), &Which::Number(2)).unwrap();
    let mut reader = store.reader(&version.file.unwrap().content).unwrap();
    for offset in [20_000_000, 0, 8_999_999, 65_537] {
        let mut bytes = [0; 1000];
        reader.seek(SeekFrom::Start(offset as u64)).unwrap();
        reader.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, data[offset..offset + 1000]);
    }
}

#[test]
fn streams_are_stored_as_contents_in_memory_are() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    let data = noise(2, 7_654_321);
    let mut session = store.begin().unwrap();
    let mut seen = 0;
    let streamed = session
        .put(&mut data.as_slice(), &Progress::new(), &mut |block| {
            seen += block.len();
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, data.len());
    assert_eq!(session.put_bytes(&data).unwrap(), streamed);
    assert_eq!(session.put_many(std::slice::from_ref(&data)).unwrap(), [streamed]);
}

#[test]
fn tags_landings_and_wanted_numbers() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    write(&store, "f", b"1");
    write(&store, "f", b"2");
    let note = |number, landed| New::Landed { key: key("f"), number, landed };
    let tag = |tag: &str, set| New::Tag { key: key("f"), number: 1, tag: tag.to_owned(), set };
    let records =
        vec![note(1, Landed::Yes(None)), note(2, Landed::No), tag("x", true), tag("y", true), tag("x", false)];
    store.begin().unwrap().commit(records).unwrap();
    let versions = open(tmp.path()).versions(&key("f")).unwrap();
    assert_eq!(versions[0].tags, ["y"]);
    assert_eq!((versions[0].landed, versions[1].landed), (Landed::Yes(None), Landed::No));
    let wanted = |number| {
        let New::Version(version) = new_version("f", None) else { unreachable!() };
        New::Version(NewVersion { wanted: Some(number), ..version })
    };
    let given = store.begin().unwrap().commit(vec![wanted(7), wanted(5), wanted(5), wanted(1)]).unwrap();
    assert_eq!(given.iter().map(|c| c.number).collect::<Vec<_>>(), [7, 5, 8, 9]);
}

#[test]
#[cfg(not(feature = "process-locks"))] // of logs, which only writers with locks share
fn a_torn_tail_is_fenced_and_nothing_acknowledged_is_lost() {
    let tmp = tempfile::tempdir().unwrap();
    for round in 0..20u64 {
        let store = open(tmp.path());
        assert_eq!(write(&store, "f", &noise(round, 3000)), round + 1);
        drop(store);
        // A crash in the middle of the next append: header and first sectors written, the rest not.
        let mut logs: Vec<_> =
            std::fs::read_dir(tmp.path().join(".electrus/segments")).unwrap().map(|e| e.unwrap().path()).collect();
        logs.sort();
        let path = logs.pop().unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.iter().rposition(|b| *b != 0).unwrap() as u64 + 1;
        let end = record::aligned(end);
        let number = layout::number_in(path.file_name().unwrap(), ".seg").unwrap();
        let mut torn = Vec::new();
        record::append(&mut torn, end, number, 999, record::Kind::Frame, &noise(99, 3000));
        torn.truncate(1100 + 100 * round as usize);
        if round % 3 == 0 {
            torn[..128].fill(0); // even the header was lost
        }
        bytes[end as usize..end as usize + torn.len()].copy_from_slice(&torn);
        std::fs::write(&path, bytes).unwrap();
    }
    let store = open(tmp.path());
    assert_eq!(write(&store, "f", b"last"), 21);
    for round in 0..20 {
        assert_eq!(read(&store, "f", round + 1), noise(round, 3000));
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(dir).into_iter().map(|e| e.unwrap());
    all.filter(|e| e.file_type().is_file()).map(|e| e.path().to_owned()).collect()
}

#[test]
fn damage_is_named_by_what_it_reaches() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    write(&store, "one", &noise(1, 9000));
    write(&store, "two", &noise(2, 9000));
    drop(store);
    let path = files(tmp.path()).into_iter().find(|p| p.extension().is_some_and(|e| e == "seg")).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(64).position(|w| w == &noise(1, 9000)[4000..4064]).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let report = open(tmp.path()).verify(&Progress::new()).unwrap();
    assert_eq!(report.damaged.len(), 1, "{report:?}");
    assert_eq!(report.damaged[0].affected, ["one@1"]);
}

fn drop_versions(store: &Store, name: &str, numbers: &[u64]) -> PruneReport {
    store
        .prune(false, &Progress::new(), &mut |store| {
            let versions = store.versions(&key(name))?;
            let versions = versions.iter().filter(|v| numbers.contains(&v.number)).map(|v| v.record).collect();
            Ok(PrunePlan { versions, snapshots: Vec::new() })
        })
        .unwrap()
}

#[test]
#[cfg(not(feature = "process-locks"))] // of logs, which only writers with locks share
fn prune_removes_what_only_pruned_versions_needed_and_never_reuses_a_number() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    let other = open(tmp.path());
    for round in 0..20u64 {
        write(&store, "f", &noise(round, 500_000));
        write(&other, "g", &noise(round % 3, 300_000));
    }
    let big = noise(77, 9 << 20);
    write(&store, "big", &big);
    let report = drop_versions(&store, "f", &(1..=20).filter(|n| *n != 7).collect::<Vec<_>>());
    assert_eq!(report.versions, 19);
    assert!(report.bytes_before - report.bytes_after > 8 << 20, "{report:?}");
    for store in [open(tmp.path()), store, other] {
        assert_eq!(store.verify(&Progress::new()).unwrap().damaged, []);
        assert_eq!(store.versions(&key("f")).unwrap().iter().map(|v| v.number).collect::<Vec<_>>(), [7]);
        assert!(read(&store, "f", 7) == noise(6, 500_000));
        assert!(read(&store, "g", 20) == noise(1, 300_000));
        assert!(read(&store, "big", 1) == big);
    }
    let store = open(tmp.path());
    assert_eq!(write(&store, "f", b"new"), 21);
    drop_versions(&store, "big", &[1]);
    assert_eq!(write(&store, "big", &big), 2);
    assert!(read(&open(tmp.path()), "big", 2) == big);
    std::fs::remove_dir_all(tmp.path().join(".electrus/index")).unwrap();
    let store = open(tmp.path());
    assert_eq!(write(&store, "f", b"newer"), 22);
    assert_eq!(store.verify(&Progress::new()).unwrap().damaged, []);
}

/// Under process locks the segment that this writer appended to goes with the prune: what it wrote next went with it.
#[test]
fn what_is_written_after_a_prune_is_found_by_others() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    for round in 1..=3u64 {
        write(&store, "f", &noise(round, 3000));
        assert_eq!(drop_versions(&store, "f", &[round - 1]).versions, u64::from(round > 1));
        write(&store, "g", &noise(round, 3000));
        assert!(read(&open(tmp.path()), "g", round) == noise(round, 3000));
    }
    drop(store);
    let store = open(tmp.path());
    assert_eq!(store.versions(&key("g")).unwrap().len(), 3);
    assert_eq!(store.verify(&Progress::new()).unwrap().damaged, []);
}

#[test]
#[cfg(not(feature = "process-locks"))] // of logs, which only writers with locks share
fn a_prune_that_died_after_its_decision_is_finished_by_the_next_writer() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    for round in 0..5u64 {
        write(&store, "f", &noise(round, 100_000));
    }
    let before: Vec<(PathBuf, Vec<u8>)> =
        files(tmp.path()).into_iter().map(|p| (p.clone(), std::fs::read(p).unwrap())).collect();
    drop_versions(&store, "f", &[1, 2]);
    drop(store);
    // Put the state back in which the decision was published but nothing else had been done.
    let segments = tmp.path().join(".electrus/segments");
    let (mut commit, mut new) = (view::PruneCommit::default(), Vec::new());
    for path in files(&segments) {
        let number = layout::number_in(path.file_name().unwrap(), ".seg").unwrap();
        if number & layout::RANDOM != 0 {
            commit.new.insert(number);
            new.push((path.clone(), path.with_extension("new")));
        }
    }
    new.iter().for_each(|(from, to)| std::fs::rename(from, to).unwrap());
    for (path, bytes) in before {
        if path.extension().is_some_and(|e| e == "seg") {
            commit.old.insert(layout::number_in(path.file_name().unwrap(), ".seg").unwrap());
            std::fs::write(path, bytes).unwrap();
        }
    }
    std::fs::write(tmp.path().join(".electrus/prune.commit"), commit.encode()).unwrap();
    let reader = Store::open(
        &Dir::open(tmp.path()).unwrap(),
        ".electrus",
        tmp.path(),
        StoreOptions { read_only: true, group: false },
    )
    .unwrap();
    for store in [reader, open(tmp.path())] {
        assert_eq!(store.versions(&key("f")).unwrap().iter().map(|v| v.number).collect::<Vec<_>>(), [3, 4, 5]);
        assert!(read(&store, "f", 4) == noise(3, 100_000));
        assert_eq!(store.verify(&Progress::new()).unwrap().damaged, []);
    }
    let store = open(tmp.path());
    assert_eq!(write(&store, "f", b"x"), 6);
    assert!(!tmp.path().join(".electrus/prune.commit").exists());
    assert!(files(&segments).iter().all(|p| p.extension().is_some_and(|e| e == "seg")));
    assert!(read(&open(tmp.path()), "f", 4) == noise(3, 100_000));
    assert_eq!(store.verify(&Progress::new()).unwrap().damaged, []);
}

#[test]
#[cfg(not(feature = "process-locks"))] // of logs, which only writers with locks share
fn repair_sets_damage_aside_and_everything_else_works_on() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    for round in 0..5u64 {
        write(&store, &format!("f{round}"), &noise(round, 5000));
    }
    drop(store);
    let path = tmp.path().join(".electrus/segments/0000000000000001.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(64).position(|w| w == &noise(2, 5000)[100..164]).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let store = open(tmp.path());
    let report = store.repair(false, &Progress::new()).unwrap();
    assert!(report.actions.iter().any(|a| a.contains("is damaged")), "{report:?}");
    assert!(tmp.path().join(".electrus/damaged/0000000000000001.seg").exists());
    let report = store.verify(&Progress::new()).unwrap();
    assert_eq!(report.damaged.iter().flat_map(|d| &d.affected).collect::<Vec<_>>(), ["f2@1"]);
    for round in [0, 1, 3, 4u64] {
        assert!(read(&store, &format!("f{round}"), 1) == noise(round, 5000));
    }
    write(&store, "f2", &noise(2, 5000));
    assert_eq!(store.verify(&Progress::new()).unwrap().damaged, [], "the same bytes written again heal the version");
    assert!(read(&store, "f2", 1) == noise(2, 5000));
}

/// What a build without locks between processes does to a store that one with locks has written, and the other way round.
#[test]
#[cfg(feature = "process-locks")]
fn guests_write_to_segments_of_their_own_and_keep_prune_away() {
    let tmp = tempfile::tempdir().unwrap();
    let (one, two) = (open(tmp.path()), open(tmp.path()));
    for round in 0..10u64 {
        assert_eq!(write(&one, "f", &noise(round, 3000)), 2 * round + 1);
        assert_eq!(write(&two, "f", &noise(100 + round, 3000)), 2 * round + 2);
    }
    assert_eq!(files(&tmp.path().join(".electrus/guests")).len(), 2);
    let plan = &mut |_: &Store| Ok(PrunePlan::default());
    assert_eq!(one.prune(false, &Progress::new(), plan).unwrap_err().code(), Code::StoreBusy);
    drop(two);
    one.prune(false, &Progress::new(), plan).unwrap();
    assert_eq!(one.verify(&Progress::new()).unwrap().damaged, []);
    assert_eq!(one.versions(&key("f")).unwrap().len(), 20);
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Once, a segment whose first record was damaged was taken for one that is not there: the next writer put its own
/// in the same place.
#[test]
#[cfg(not(feature = "process-locks"))] // of logs, which only writers with locks share
fn a_segment_whose_first_record_is_damaged_is_still_read_and_never_replaced() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    write(&store, "a", &noise(1, 3000));
    store.0.with_created_view(|view| view.roll()).unwrap();
    write(&store, "b", &noise(2, 3000));
    drop(store);
    flip(&tmp.path().join(".electrus/segments/0000000000000002.seg"), 150);
    let _ = std::fs::remove_dir_all(tmp.path().join(".electrus/index"));
    let store = open(tmp.path());
    assert!(!store.verify(&Progress::new()).unwrap().damaged.is_empty());
    assert_eq!(write(&store, "b", b"more"), 2);
    store.0.with_created_view(|view| view.roll()).unwrap();
    assert_eq!(write(&store, "b", b"still more"), 3);
    store.repair(false, &Progress::new()).unwrap();
    for store in [open(tmp.path()), store] {
        assert_eq!(store.verify(&Progress::new()).unwrap().damaged, []);
        assert!(read(&store, "a", 1) == noise(1, 3000) && read(&store, "b", 1) == noise(2, 3000));
        assert_eq!(read(&store, "b", 3), b"still more");
    }
}

/// Once, a pack whose note of attachment was damaged was taken for litter, by repair of all things.
#[test]
#[cfg(not(feature = "process-locks"))]
fn a_pack_outlives_the_damage_of_the_record_that_attaches_it() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    let big = noise(5, 12 << 20);
    write(&store, "big", &big);
    drop(store);
    let log = tmp.path().join(".electrus/segments/0000000000000001.seg");
    let bytes = std::fs::read(&log).unwrap();
    let attach = (0..bytes.len()).step_by(128).find(|at| bytes[at + 8] == record::Kind::Attach as u8).unwrap();
    flip(&log, attach + 130);
    let _ = std::fs::remove_dir_all(tmp.path().join(".electrus/index"));
    let store = open(tmp.path());
    let none = &mut |_: &Store| Ok(PrunePlan::default());
    assert_eq!(store.prune(false, &Progress::new(), none).unwrap_err().code(), Code::Damaged);
    store.repair(false, &Progress::new()).unwrap();
    assert_eq!(store.verify(&Progress::new()).unwrap().damaged, []);
    assert!(read(&store, "big", 1) == big);
}

/// Once, an index that could not be written took its runs with it, and numbers began anew.
#[test]
fn an_index_that_cannot_be_written_loses_nothing() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    for round in 0..30u64 {
        write(&store, "f", &round.to_le_bytes());
    }
    store.0.with_created_view(|view| view.flush_index()).unwrap();
    let run =
        files(&tmp.path().join(".electrus/index")).into_iter().find(|p| p.extension().is_some_and(|e| e == "run"));
    flip(&run.unwrap(), 100);
    let store = open(tmp.path());
    store
        .0
        .with_loaded_view(|view| {
            // As many as make the run worth merging.
            (0..100).for_each(|n| view.catalog.insert(index::Entry::first(index::Space::Chunk, [9; 32], n)));
            assert!(view.flush_index().is_err(), "the run to merge with is damaged");
            Ok(())
        })
        .unwrap();
    assert_eq!(write(&store, "f", b"next"), 31);
    assert_eq!(open(tmp.path()).versions(&key("f")).unwrap().len(), 31);
}

/// An attach record that names the log it stands in, and one that names itself through a pack, end.
#[test]
fn segments_that_attach_each_other_are_read_once() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    write(&store, "f", b"1");
    for segment in [1, layout::RANDOM | 7] {
        store
            .0
            .with_created_view(|view| {
                let lock = view.lock_append()?;
                let item = append::Item::new(record::Kind::Attach, payload::encode_attach(segment, 1 << 20));
                view.append(&lock, &mut None, &[item], true).map(drop)
            })
            .unwrap();
    }
    assert_eq!(read(&open(tmp.path()), "f", 1), b"1");
}
