//! What happens between the steps of a write, and after a death there.

use super::*;
use crate::checksum::of_bytes;
use crate::path::Follow;
use crate::store::{Version, Which};
use crate::version::FileVersionManager;
use crate::workspace::{OpenOptions, tombstone};
use std::fs;
use std::path::Path;

fn open(base: &Path) -> Workspace {
    Workspace::open(base, &OpenOptions::default()).unwrap()
}

fn change<'s>(workspace: &Workspace, content: &'s [u8], options: ChangeOptions<'static>) -> Change<'s, 'static> {
    let location = workspace.base().resolve("f", Follow::Whole).unwrap();
    Change { location, source: Source::Bytes(content), options }
}

fn write(workspace: &Workspace, content: &str) -> Changed {
    let Change { location, source, options } = change(workspace, content.as_bytes(), ChangeOptions::default());
    workspace.write(location, source, options).unwrap()
}

/// A write of `f` with `between` done after its version is recorded, before it takes the name.
fn write_with(
    workspace: &Workspace,
    content: &str,
    options: ChangeOptions<'static>,
    between: impl FnOnce(),
) -> Result<Changed> {
    let mut results = Results(vec![None]);
    let mut group = [(0, change(workspace, content.as_bytes(), options))].into_iter().collect();
    let staged = workspace.stage_all(&mut group, &mut results);
    let recorded = workspace.record_all(staged, None, &mut results);
    between();
    workspace.publish_all(recorded, &mut results);
    results.0.pop().flatten().unwrap()
}

/// A writer that dies after its version is recorded, before it takes the name.
fn die_before_landing(workspace: &Workspace, content: &str) {
    let mut results = Results(vec![None]);
    let mut group = [(0, change(workspace, content.as_bytes(), ChangeOptions::default()))].into_iter().collect();
    let staged = workspace.stage_all(&mut group, &mut results);
    assert_eq!(workspace.record_all(staged, None, &mut results).len(), 1);
}

fn versions(workspace: &Workspace) -> Vec<Version> {
    FileVersionManager::new(workspace).list_versions("f").unwrap()
}

/// `number kind content landed` of each version.
fn told(workspace: &Workspace) -> Vec<String> {
    let manager = FileVersionManager::new(workspace);
    let tell = |version: &Version| {
        let content = match version.file {
            Some(_) => manager.read_version("f", &Which::Number(version.number)).unwrap(),
            None => b"-".to_vec(),
        };
        let landed = match version.landed {
            Landed::Yes(_) => "yes",
            Landed::Unknown => "unknown",
            Landed::No => "no",
        };
        format!("{} {} {} {landed}", version.number, version.kind.name(), String::from_utf8(content).unwrap())
    };
    versions(workspace).iter().map(tell).collect()
}

#[test]
fn an_edit_between_the_look_and_the_exchange_is_history_before_it_goes() {
    type Edit = fn(&Path);
    let in_place: Edit = |f| fs::write(f, "edit").unwrap();
    let replaced: Edit = |f| {
        fs::write(f.with_file_name("other"), "edit").unwrap();
        fs::rename(f.with_file_name("other"), f).unwrap();
    };
    for edit in [in_place, replaced] {
        let tmp = tempfile::tempdir().unwrap();
        let workspace = open(tmp.path());
        write(&workspace, "ours");
        let changed = write_with(&workspace, "next", ChangeOptions::default(), || edit(&tmp.path().join("f"))).unwrap();
        assert_eq!((changed.outside_edit, changed.version), (Some(3), Some(4)));
        assert_eq!(fs::read(tmp.path().join("f")).unwrap(), b"next");
        let expected = ["1 write ours yes", "2 write next no", "3 outside_edit edit yes", "4 write next yes"];
        assert_eq!(told(&workspace), expected);
        assert_eq!(write(&workspace, "last").outside_edit, None);
    }
}

#[test]
fn a_file_that_appears_between_the_look_and_the_exchange_is_kept() {
    let tmp = tempfile::tempdir().unwrap();
    let workspace = open(tmp.path());
    let appear = || fs::write(tmp.path().join("f"), "appeared").unwrap();
    let changed = write_with(&workspace, "new", ChangeOptions::default(), appear).unwrap();
    assert_eq!((changed.outside_edit, changed.version), (Some(2), Some(3)));
    assert_eq!(told(&workspace)[1], "2 outside_edit appeared yes");

    let plain = || ChangeOptions { create_version: false, ..ChangeOptions::default() };
    let edit = || fs::write(tmp.path().join("f"), "edited").unwrap();
    let changed = write_with(&workspace, "unversioned", plain(), edit).unwrap();
    assert_eq!((changed.outside_edit, changed.version), (Some(4), None));
}

/// A write of `f`, with `after` done between its taking the name and the reading back.
fn write_and(workspace: &Workspace, options: ChangeOptions<'static>, after: impl FnOnce(&Path)) -> Result<Changed> {
    let mut results = Results(vec![None]);
    let mut group = [(0, change(workspace, b"written", options))].into_iter().collect();
    let staged = workspace.stage_all(&mut group, &mut results);
    let mut item = workspace.record_all(staged, None, &mut results).pop().unwrap();
    let written = workspace.publish(&mut item, true).unwrap();
    after(item.location.path());
    workspace.conclude(item, written)
}

/// Other bytes, and the time that the file had: a medium that does not give back what was written to it.
fn rot(path: &Path) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(path, "wr1tten").unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

#[test]
fn what_does_not_read_back_as_it_was_written_is_an_error_if_that_is_asked_for() {
    let verify = |verify| ChangeOptions { verify, ..ChangeOptions::default() };
    let tmp = tempfile::tempdir().unwrap();
    let workspace = open(tmp.path());
    assert_eq!(write_and(&workspace, verify(true), rot).unwrap_err().code(), Code::ChecksumMismatch);
    let outside_edit = write(&workspace, "next").outside_edit;
    assert_eq!(outside_edit, Some(2), "what stood there is not what version 1 has");
    assert!(write_and(&workspace, verify(false), rot).is_ok());
}

#[test]
fn a_file_that_somebody_changes_before_it_is_read_back_is_theirs() {
    type Edit = fn(&Path);
    let in_place: Edit = |f| fs::write(f, "theirs").unwrap();
    let replaced: Edit = |f| {
        fs::write(f.with_file_name("other"), "theirs").unwrap();
        fs::rename(f.with_file_name("other"), f).unwrap();
    };
    let removed: Edit = |f| fs::remove_file(f).unwrap();
    for edit in [in_place, replaced, removed] {
        let tmp = tempfile::tempdir().unwrap();
        let workspace = open(tmp.path());
        let edit = |f: &Path| {
            // So that the clock of the file system has moved on.
            std::thread::sleep(std::time::Duration::from_millis(20));
            edit(f);
        };
        assert_eq!(write_and(&workspace, ChangeOptions::default(), edit).unwrap().version, Some(1));
    }
}

#[test]
fn an_edit_between_the_look_and_the_exchange_fails_a_condition() {
    let tmp = tempfile::tempdir().unwrap();
    let workspace = open(tmp.path());
    write(&workspace, "ours");
    let condition = Condition::Checksum(of_bytes(Algorithm::Sha256, b"ours"));
    let options = ChangeOptions { condition, ..ChangeOptions::default() };
    let edit = || fs::write(tmp.path().join("f"), "edit").unwrap();
    let refused = write_with(&workspace, "next", options, edit).unwrap_err();
    assert_eq!(refused.code(), Code::Changed);
    assert_eq!(fs::read(tmp.path().join("f")).unwrap(), b"edit");
    assert_eq!(told(&workspace), ["1 write ours yes", "2 write next no"]);
    assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 3, "f, f.lock and .electrus");
}

#[test]
fn removing_the_file_meanwhile_is_no_edit() {
    let tmp = tempfile::tempdir().unwrap();
    let workspace = open(tmp.path());
    write(&workspace, "ours");
    let remove = || fs::remove_file(tmp.path().join("f")).unwrap();
    let changed = write_with(&workspace, "next", ChangeOptions::default(), remove).unwrap();
    assert_eq!((changed.outside_edit, changed.version), (None, Some(2)));
    assert_eq!(fs::read(tmp.path().join("f")).unwrap(), b"next");
}

#[test]
fn a_version_that_never_reached_the_file_is_told_apart() {
    let tmp = tempfile::tempdir().unwrap();
    let workspace = open(tmp.path());
    write(&workspace, "one");
    die_before_landing(&workspace, "two");
    die_before_landing(&workspace, "three");
    assert_eq!(told(&workspace)[1..], ["2 write two no", "3 write three unknown"]);
    assert_eq!(write(&workspace, "four").outside_edit, None);
    let expected = ["1 write one yes", "2 write two no", "3 write three no", "4 write four yes"];
    assert_eq!(told(&workspace), expected);
    workspace.close().unwrap();
    assert_eq!(told(&open(tmp.path())), expected);
}

#[test]
fn a_version_whose_note_was_lost_is_known_by_its_content() {
    for size in [10, 3_000_000] {
        let tmp = tempfile::tempdir().unwrap();
        let workspace = open(tmp.path());
        write(&workspace, "one");
        write(&workspace, &"2".repeat(size));
        workspace.0.notes.take();
        assert_eq!(write(&workspace, "three").outside_edit, None);
        assert!(versions(&workspace).iter().all(|v| matches!(v.landed, Landed::Yes(_))));
    }
}

#[test]
fn one_note_is_written_for_each_version() {
    let tmp = tempfile::tempdir().unwrap();
    let workspace = open(tmp.path());
    for n in 0..5 {
        write(&workspace, &n.to_string());
        assert_eq!(workspace.0.notes.waiting(), 1, "the note of the version before went with this one");
    }
}

#[test]
fn a_big_file_is_known_unchanged_without_being_read() {
    let tmp = tempfile::tempdir().unwrap();
    let workspace = open(tmp.path());
    let location = workspace.base().resolve("f", Follow::Whole).unwrap();
    let proved = || {
        let newest = workspace.store().newest(location.key()).unwrap().unwrap();
        let stat = location.dir().stat(location.name()).unwrap();
        matches!(newest.landed, Landed::Yes(Some(identity)) if identity.proves(&stat))
    };
    fs::write(tmp.path().join("f"), "x".repeat(2_000_000)).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(30));
    workspace.snapshot(location.clone(), ChangeOptions::default()).unwrap();
    workspace.flush_notes().unwrap();
    assert!(proved());
    fs::write(tmp.path().join("f"), "x".repeat(2_000_000)).unwrap();
    assert!(!proved());
    std::thread::sleep(std::time::Duration::from_millis(30));
    workspace.snapshot(location.clone(), ChangeOptions::default()).unwrap();
    workspace.flush_notes().unwrap();
    assert!(proved(), "it was read once, and found to be the same");
    assert_eq!(versions(&workspace).len(), 1);
}

#[test]
fn what_is_written_to_a_file_while_it_is_deleted_is_kept() {
    let tmp = tempfile::tempdir().unwrap();
    let workspace = open(tmp.path());
    write(&workspace, "one");
    let location = workspace.base().resolve("f", Follow::Whole).unwrap();
    let options = ChangeOptions::default();
    let mut turn = Turn::new(&workspace);
    let survey = workspace.survey(&location, true, &options.progress, &mut turn).unwrap();
    drop(turn);
    let mut theirs = fs::OpenOptions::new().write(true).open(tmp.path().join("f")).unwrap();
    fs::remove_file(tmp.path().join("f")).unwrap();
    theirs.write_all(b"two").unwrap();
    assert_eq!(
        workspace.late_edit(&location, &survey, &options.progress, Some(tombstone(&location))).unwrap(),
        Some(2)
    );
    assert_eq!(told(&workspace)[1], "2 outside_edit two yes");
    assert_eq!(versions(&workspace).last().unwrap().kind, VersionKind::Delete);
}

#[test]
fn where_no_file_system_is_flushed_at_once_each_file_is() {
    let tmp = tempfile::tempdir().unwrap();
    let workspace = open(tmp.path());
    write(&workspace, "one");
    workspace.flush_store_files().unwrap();
    fs::remove_dir_all(tmp.path().join(".electrus/segments")).unwrap();
    assert_eq!(workspace.flush_store_files().unwrap_err().code(), Code::NotFound);
}

/// Once, what was recorded stayed in force when the flush of a group failed: a retry found its chunks known, and relied on
/// bytes that the medium may never have had.
#[test]
#[cfg(not(feature = "process-locks"))] // where nothing can be taken back from others
fn a_group_whose_flush_fails_leaves_nothing_in_the_store() {
    if !sys::flushes_file_systems() {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let (workspace, other) = (open(tmp.path()), open(tmp.path()));
    write(&workspace, "before");
    let texts: Vec<String> = (0..10).map(|n| format!("text {n} ").repeat(1000)).collect();
    let group = || {
        let change = |n: usize| {
            let location = workspace.base().resolve(format!("g{n}"), Follow::Whole).unwrap();
            Change { location, source: Source::Bytes(texts[n].as_bytes()), options: ChangeOptions::default() }
        };
        workspace.write_many((0..10).map(change).collect())
    };
    super::super::group::FAIL.set(true);
    assert!(group().into_iter().all(|result| result.unwrap_err().code() == Code::Io));
    for workspace in [&workspace, &other, &open(tmp.path())] {
        let location = workspace.base().resolve("g0", Follow::Whole).unwrap();
        assert!(workspace.store().versions(location.key()).unwrap().is_empty());
        assert_eq!(versions(workspace).len(), 1, "what was acknowledged stays");
    }
    let mut session = workspace.store().begin().unwrap();
    session.put_bytes(texts[0].as_bytes()).unwrap();
    assert_eq!(session.added(), texts[0].len() as u64, "its chunks are not relied on");
    drop(session);
    assert!(group().into_iter().all(|result| result.unwrap().version == Some(1)));
    let report = open(tmp.path()).store().verify(&Progress::new()).unwrap();
    assert_eq!((report.damaged, report.versions), (vec![], 11));
}
