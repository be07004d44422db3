//! Files that are missing, media that take nothing, records that lie, and others who were there first.

use super::*;

/// Once, reading stopped at a log that was missing: later ones were hidden, the packs that they attached were taken for
/// litter, and the next log was given a number that was taken.
#[test]
#[cfg(not(feature = "process-locks"))] // of logs, which only writers with locks share
fn a_missing_log_hides_no_later_one_and_nothing_is_removed_until_it_is_repaired() {
    for missing in [1, 2, 3u64] {
        for with_index in [true, false] {
            let tmp = tempfile::tempdir().unwrap();
            let store = open(tmp.path());
            let big = noise(5, 12 << 20);
            write(&store, "one", &noise(1, 3000));
            store.0.with_created_view(|view| view.roll()).unwrap();
            write(&store, "two", &noise(2, 3000));
            store.0.with_created_view(|view| view.roll()).unwrap();
            write(&store, "big", &big);
            store.0.with_created_view(|view| view.flush_index()).unwrap();
            drop(store);
            if !with_index {
                if missing == 3 {
                    continue; // nothing is left that speaks of it
                }
                std::fs::remove_dir_all(tmp.path().join(".electrus/index")).unwrap();
            }
            let log = |number: u64| tmp.path().join(".electrus/segments").join(layout::segment_name(number));
            std::fs::remove_file(log(missing)).unwrap();
            let told = |store: &Store| {
                let damaged = store.verify(&Progress::new()).unwrap().damaged;
                damaged.iter().any(|d| d.what == format!("segment {missing} is missing"))
            };
            let store = open(tmp.path());
            assert!(told(&store), "{missing}");
            let none = &mut |_: &Store| Ok(PrunePlan::default());
            let refused = store.prune(false, &Progress::new(), none).unwrap_err();
            assert_eq!(refused.code(), Code::Damaged, "{missing} {refused:?}");
            assert_eq!(write(&store, "three", b"new"), 1);
            assert!(!log(missing).exists(), "its number is not given again");
            assert!(told(&open(tmp.path())), "{missing}");
            let packs =
                || files(&tmp.path().join(".electrus/segments")).iter().map(|p| p.metadata().unwrap().len()).max();
            assert!(packs() > Some(8 << 20));
            let report = store.repair(false, &Progress::new()).unwrap();
            assert!(report.actions.iter().any(|a| a.contains("is missing")), "{report:?}");
            assert!(packs() > Some(8 << 20), "what the lost log attached is kept");
            for store in [open(tmp.path()), store] {
                assert_eq!(store.verify(&Progress::new()).unwrap().damaged, []);
                store.prune(false, &Progress::new(), none).unwrap();
                assert_eq!(store.versions(&key("one")).unwrap().len(), usize::from(missing != 1));
                assert_eq!(store.versions(&key("two")).unwrap().len(), usize::from(missing != 2));
                assert_eq!(read(&store, "three", 1), b"new");
                if missing != 3 {
                    assert!(read(&store, "big", 1) == big);
                }
            }
        }
    }
}

/// What prune takes away is not missing, not even when nothing but the numbers is left.
#[test]
#[cfg(not(feature = "process-locks"))]
fn logs_that_were_pruned_are_not_missing_and_those_after_them_are() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    for round in 1..4u64 {
        write(&store, "f", &noise(round, 3000));
        drop_versions(&store, "f", &[round]);
        files(&tmp.path().join(".electrus/index")).iter().for_each(|file| std::fs::remove_file(file).unwrap());
        assert_eq!(open(tmp.path()).verify(&Progress::new()).unwrap().damaged, []);
    }
    let first = store.0.with_created_view(|view| Ok(view.log)).unwrap();
    write(&store, "f", b"in the first log after the prune");
    store.0.with_created_view(|view| view.roll()).unwrap();
    write(&store, "f", b"in the next");
    drop(store);
    let segments = tmp.path().join(".electrus/segments");
    std::fs::remove_file(segments.join(layout::segment_name(first))).unwrap();
    let damaged = open(tmp.path()).verify(&Progress::new()).unwrap().damaged;
    assert!(damaged.iter().any(|d| d.what == format!("segment {first} is missing")), "{damaged:?}");
}

/// Once, somebody who had read records that were then fenced off was told that a file was not found.
#[test]
#[cfg(not(feature = "process-locks"))]
fn records_that_are_taken_back_are_gone_for_those_who_have_read_them() {
    let tmp = tempfile::tempdir().unwrap();
    let (store, other) = (open(tmp.path()), open(tmp.path()));
    write(&store, "f", b"kept");
    let commit = |name: &str| {
        let mut session = store.begin().unwrap();
        let content = session.put_bytes(&noise(1, 3000)).unwrap();
        session.commit_unflushed(vec![new_version(name, Some(state(content, &noise(1, 3000))))]).unwrap().1
    };
    let unflushed = commit("g");
    assert_eq!(other.versions(&key("g")).unwrap().len(), 1);
    drop(unflushed);
    for store in [&other, &store, &open(tmp.path())] {
        assert!(store.versions(&key("g")).unwrap().is_empty());
        assert_eq!(read(store, "f", 1), b"kept");
    }
    commit("g").settle();
    assert_eq!(write(&other, "g", b"next"), 2);
    assert_eq!(store.verify(&Progress::new()).unwrap().damaged, []);
}

/// Once, when the medium took no fence either, the failed record stayed in force, and those written after it vanished
/// with it.
#[test]
#[cfg(not(feature = "process-locks"))]
fn where_nothing_can_be_fenced_nobody_appends_behind_a_failed_record() {
    let tmp = tempfile::tempdir().unwrap();
    let (store, other) = (open(tmp.path()), open(tmp.path()));
    write(&store, "f", b"kept");
    assert_eq!(read(&other, "f", 1), b"kept");
    let mut session = store.begin().unwrap();
    let content = session.put_bytes(b"lost").unwrap();
    let (_, unflushed) = session.commit_unflushed(vec![new_version("g", Some(state(content, b"lost")))]).unwrap();
    // No file can be created in a folder that is gone.
    let gone = tempfile::tempdir().unwrap();
    let swap =
        |dir: Dir| store.0.with_loaded_view(|view| Ok(std::mem::replace(&mut view.layout.segments, dir))).unwrap();
    let segments = swap(Dir::open(gone.path()).unwrap());
    drop(gone);
    drop(unflushed);
    swap(segments);
    assert!(store.versions(&key("g")).unwrap().is_empty());
    assert!(other.versions(&key("g")).unwrap().is_empty());
    assert_eq!(write(&other, "g", b"theirs"), 1);
    assert_eq!(write(&store, "g", b"ours"), 2);
    for store in [open(tmp.path()), store, other] {
        assert_eq!((read(&store, "g", 1), read(&store, "g", 2)), (b"theirs".to_vec(), b"ours".to_vec()));
        assert_eq!(store.verify(&Progress::new()).unwrap().damaged, []);
    }
}

/// Once, a pack that was looked at while it was created counted as read, and was never read again.
#[test]
#[cfg(not(feature = "process-locks"))]
fn a_pack_that_was_looked_at_too_early_is_read_when_it_is_attached() {
    let tmp = tempfile::tempdir().unwrap();
    let (store, other) = (open(tmp.path()), open(tmp.path()));
    write(&store, "f", b"1");
    let big = noise(5, 12 << 20);
    let mut session = store.begin().unwrap();
    let content = session.put_bytes(&big).unwrap();
    let packs = || files(&tmp.path().join(".electrus/segments")).into_iter().map(|p| p.file_name().unwrap().to_owned());
    let pack = packs().find_map(|name| layout::number_in(&name, ".seg").filter(|n| !gaps::is_log(*n))).unwrap();
    other
        .0
        .with_view(|view| {
            view.unwrap().scanned.insert(pack, index::Coverage { end: 0, closed: true });
            Ok(())
        })
        .unwrap();
    session.commit(vec![new_version("big", Some(state(content, &big)))]).unwrap();
    assert!(read(&other, "big", 1) == big);
}

/// Once, a record that claimed the highest sequence there is ended every process that wrote after it.
#[test]
#[cfg(not(feature = "process-locks"))]
fn a_record_that_claims_an_impossible_sequence_is_damage() {
    for sequence in [u64::MAX, record::MAX_SEQUENCE + 1, record::MAX_SEQUENCE] {
        let tmp = tempfile::tempdir().unwrap();
        let store = open(tmp.path());
        write(&store, "f", b"1");
        let log = tmp.path().join(".electrus/segments/0000000000000001.seg");
        let mut bytes = std::fs::read(&log).unwrap();
        let end = record::aligned(bytes.iter().rposition(|b| *b != 0).unwrap() as u64 + 1);
        let mut hostile = Vec::new();
        record::append(&mut hostile, end, 1, sequence, record::Kind::Spent, &payload::encode_spent(&key("g"), 1));
        bytes[end as usize..end as usize + hostile.len()].copy_from_slice(&hostile);
        std::fs::write(&log, bytes).unwrap();
        let store = open(tmp.path());
        let mut session = store.begin().unwrap();
        let content = session.put_bytes(b"2").unwrap();
        let file = || Some(state(content.clone(), b"2"));
        let written = session.commit(vec![new_version("f", file()), new_version("f", file())]);
        match sequence > record::MAX_SEQUENCE {
            true => assert_eq!(written.unwrap().len(), 2),
            false => assert_eq!(written.unwrap_err().code(), Code::Damaged),
        }
        assert_eq!(read(&open(tmp.path()), "f", 1), b"1");
    }
}

/// Once, lists of lists could make a small content go on for as long as anybody read it.
#[test]
fn a_content_gives_no_more_than_its_record_says() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    let data = noise(1, 5000);
    let mut session = store.begin().unwrap();
    let chunk = session.put_bytes(&data).unwrap().chunks[0];
    let nothing = (*blake3::hash(b"").as_bytes(), 0);
    let list = |(id, size): (ChunkId, u64)| -> Vec<u8> {
        std::iter::repeat_n(id.into_iter().chain(size.to_le_bytes()), 50_000).flatten().collect()
    };
    let lists = [session.put_bytes(&list(chunk)).unwrap(), session.put_bytes(&list(nothing)).unwrap()];
    session.commit(vec![new_version("f", None)]).unwrap();
    for list in lists {
        let hostile = Content { size: 2 * data.len() as u64, depth: list.depth + 1, chunks: list.chunks };
        let mut read = Vec::new();
        let failure = store.reader(&hostile).unwrap().read_to_end(&mut read).unwrap_err();
        assert!(failure.to_string().contains("not as long"), "{failure}");
        assert!(read.len() as u64 <= hostile.size);
    }
}

/// Once, what a prune had written before it failed stayed, until the next one that did not.
#[test]
fn a_prune_that_fails_leaves_nothing_behind() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    write(&store, "f", &noise(1, 100_000));
    write(&store, "f", &noise(2, 100_000));
    std::fs::create_dir(tmp.path().join(".electrus/prune.tmp")).unwrap();
    let plan = &mut |store: &Store| {
        let versions = vec![store.version(&key("f"), &Which::Number(1))?.record];
        Ok(PrunePlan { versions, snapshots: Vec::new() })
    };
    assert!(store.prune(false, &Progress::new(), plan).is_err());
    let outputs = || files(tmp.path()).into_iter().filter(|p| p.extension().is_some_and(|e| e == "new")).count();
    assert_eq!(outputs(), 0);
    std::fs::remove_dir(tmp.path().join(".electrus/prune.tmp")).unwrap();
    assert_eq!(store.prune(false, &Progress::new(), plan).unwrap().versions, 1);
    assert!(read(&open(tmp.path()), "f", 2) == noise(2, 100_000));
}

/// Once, the entry of a process that died before it was named stayed for ever.
#[test]
#[cfg(not(feature = "process-locks"))]
fn entries_of_the_dead_go_even_without_a_name() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    store.note_folder(b"folder").unwrap();
    let active = tmp.path().join(".electrus/active");
    std::fs::write(active.join("8000000000000001.tmp"), "").unwrap();
    let other = open(tmp.path());
    let left = other.left_folders().unwrap();
    assert!(!left.is_empty() && left.folders.is_empty());
    other.forget_folders(left).unwrap();
    assert_eq!(files(&active).len(), 1, "that of the living stays");
}

/// Where no prune may be while a guest is at work, one that is gone can be told to be.
#[test]
fn the_lease_of_a_guest_that_is_gone_is_broken_on_request() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    write(&store, "f", &noise(1, 3000));
    write(&store, "f", &noise(2, 3000));
    let active = tmp.path().join(".electrus/active");
    std::fs::create_dir_all(&active).unwrap();
    let lease = active.join("8000000000000007.guest");
    let none = &mut |_: &Store| Ok(PrunePlan::default());
    std::fs::write(&lease, "").unwrap();
    assert_eq!(store.prune(false, &Progress::new(), none).unwrap_err().code(), Code::StoreBusy);
    assert_eq!(store.repair(false, &Progress::new()).unwrap_err().code(), Code::StoreBusy);
    store.prune(true, &Progress::new(), none).unwrap();
    assert!(!lease.exists());
    std::fs::write(&lease, "").unwrap();
    store.repair(true, &Progress::new()).unwrap();
    assert!(!lease.exists() && read(&store, "f", 2) == noise(2, 3000));
}

#[test]
#[cfg(unix)]
fn a_store_is_its_owners_or_its_groups() {
    use std::os::unix::fs::PermissionsExt;
    for (group, folder_mode, file_mode) in [(false, 0o700, 0o600), (true, 0o2770, 0o660)] {
        let tmp = tempfile::tempdir().unwrap();
        let options = StoreOptions { group, read_only: false };
        let store = Store::open(&Dir::open(tmp.path()).unwrap(), ".electrus", tmp.path(), options).unwrap();
        write(&store, "big", &noise(1, 6 << 20));
        store.note_folder(b"folder").unwrap();
        drop_versions(&store, "big", &[]);
        write(&store, "f", b"1");
        drop_versions(&store, "f", &[1]);
        store.0.with_created_view(|view| view.flush_index()).unwrap();
        for entry in walkdir::WalkDir::new(tmp.path().join(".electrus")) {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            let expected = if entry.file_type().is_dir() { folder_mode } else { file_mode };
            assert_eq!(mode, expected, "{} {mode:o}", entry.path().display());
        }
    }
}

/// Two guests that did not know of each other claim one number: both versions are kept, and each has an address.
#[test]
#[cfg(feature = "process-locks")]
fn a_number_that_two_guests_claim_is_a_conflict_and_both_versions_are_read() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (dir, text) in [(&one, b"theirs"), (&two, b"ours  ")] {
        write(&open(dir.path()), "f", text);
    }
    for guest in files(&one.path().join(".electrus/guests")) {
        std::fs::copy(&guest, two.path().join(".electrus/guests").join(guest.file_name().unwrap())).unwrap();
    }
    let store = open(two.path());
    let failure = store.version(&key("f"), &Which::Number(1)).unwrap_err();
    assert_eq!(failure.code(), Code::NumberConflict);
    let versions = store.versions(&key("f")).unwrap();
    assert!(versions.len() == 2 && versions.iter().all(|v| v.conflict));
    let mut contents: Vec<Vec<u8>> = versions
        .iter()
        .map(|version| {
            let version = store.version(&key("f"), &Which::Record(version.record)).unwrap();
            store.reader(&version.file.unwrap().content).unwrap().read_all().unwrap()
        })
        .collect();
    contents.sort();
    assert_eq!(contents, [b"ours  ".to_vec(), b"theirs".to_vec()]);
    let report = store.verify(&Progress::new()).unwrap();
    assert_eq!((report.damaged, report.conflicts), (vec![], vec!["f@1".to_owned()]));
    assert_eq!(write(&store, "f", b"next"), 2);
}
