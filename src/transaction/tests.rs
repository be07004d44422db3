//! Journals that nobody here would write.

use super::journal::{Journal, set_damaged_aside, verify};
use super::step::{Becomes, Old, Step};
use crate::checksum::{Algorithm, of_bytes};
use crate::error::Code;
use crate::path::{Follow, Key};
use crate::store::{Content, FileState, VersionKind};
use crate::time::Timestamp;
use crate::workspace::{ChangeOptions, OpenOptions, Source, Workspace};
use std::fs;
use std::path::Path;

fn open(path: &Path) -> Workspace {
    Workspace::open(path, &OpenOptions::default()).unwrap()
}

fn step(key: &str, old: Old, new: Becomes) -> Step {
    Step { key: Key::from_bytes(key.into()), old, new, version: 0, kind: VersionKind::Write, other: None }
}

/// A content that no store has.
fn lost() -> Becomes {
    Becomes::File(FileState {
        content: Content { size: 4, depth: 0, chunks: vec![([9; 32], 4)] },
        digests: vec![of_bytes(Algorithm::Sha256, b"lost")],
        mode: 0o644,
        uid: 0,
        gid: 0,
        modified: Timestamp::default(),
    })
}

fn decided(workspace: &Workspace, steps: &[Step]) {
    drop(Journal::draft(workspace.store(), steps).unwrap().decide().unwrap());
}

/// Opens a folder whose journal has these steps: the problem that it reports.
fn problem(folder: &Path, steps: &[Step]) -> Option<Code> {
    decided(&open(folder), steps);
    let workspace = open(folder);
    let [recovered] = workspace.recovered() else { panic!("{:?}", workspace.recovered()) };
    recovered.problem.as_ref().map(|problem| problem.code())
}

#[test]
fn a_journal_cannot_reach_out_of_the_folder_or_into_the_store() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("base");
    fs::create_dir(&folder).unwrap();
    fs::write(outside.path().join("secret"), "kept").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("..", folder.join("up")).unwrap();
    let absolute = outside.path().join("secret").to_str().unwrap().to_owned();
    let mut names = vec!["../secret", &absolute, "a/../../secret", ".electrus/store.lock", ".electrus/tx", "x\0y"];
    if cfg!(unix) {
        names.push("up/secret");
    }
    for name in names {
        for new in [Becomes::Nothing, lost(), Becomes::Link(Key::from_bytes(b"x".to_vec()))] {
            let found = problem(&folder, &[step(name, Old::Nothing, new)]);
            assert!(
                matches!(found, Some(Code::PathEscape | Code::ReservedName | Code::InvalidName))
                    || found.is_none() && name == "a/../../secret",
                "{name}: {found:?}"
            );
            assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "kept");
            fs::remove_dir_all(folder.join(".electrus/tx")).unwrap();
            fs::remove_dir_all(folder.join("a")).ok();
        }
    }
}

/// Part of such a transaction used to be carried out at every open, over what was written since.
#[test]
fn a_journal_whose_content_is_lost_stays_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let names = ["f", "g"];
    names.iter().for_each(|name| fs::write(path(name), "old").unwrap());
    let old = || Old::File(of_bytes(Algorithm::Sha256, b"old"));
    let found = problem(folder.path(), &[step("f", old(), Becomes::Nothing), step("g", old(), lost())]);
    assert_eq!(found, Some(Code::Damaged));
    names.iter().for_each(|name| assert_eq!(fs::read_to_string(path(name)).unwrap(), "old"));
    let workspace = open(folder.path());
    assert_eq!(workspace.recovered().len(), 1);
    for name in names {
        let location = workspace.base().resolve(name, Follow::Whole).unwrap();
        workspace.write(location, Source::Bytes(b"later"), ChangeOptions::default()).unwrap();
    }
    assert_eq!(open(folder.path()).recovered().len(), 1);
    names.iter().for_each(|name| assert_eq!(fs::read_to_string(path(name)).unwrap(), "later"));
}

#[test]
fn what_a_journal_clears_may_be_gone_with_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let clear = step("gone/f", Old::File(of_bytes(Algorithm::Sha256, b"old")), Becomes::Nothing);
    assert_eq!(problem(folder.path(), &[clear]), None);
    assert!(open(folder.path()).recovered().is_empty());
}

#[test]
fn a_draft_of_a_dead_writer_is_removed_and_that_of_a_living_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = open(folder.path());
    let draft = Journal::draft(workspace.store(), &[]).unwrap();
    let journals = folder.path().join(".electrus/tx");
    open(folder.path());
    assert_eq!(fs::read_dir(&journals).unwrap().count(), 1);
    drop(draft);
    assert_eq!(fs::read_dir(&journals).unwrap().count(), 0);
    fs::write(journals.join("0123456789abcdef.new"), "half of one").unwrap();
    open(folder.path());
    if crate::sys::locks::SCOPE != "process" {
        assert_eq!(fs::read_dir(&journals).unwrap().count(), 0);
    }
}

#[test]
fn every_flipped_bit_of_a_journal_is_found_by_verify() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = open(folder.path());
    let target = Becomes::Link(Key::from_bytes(b"target".to_vec()));
    decided(&workspace, &[step("a", Old::Nothing, lost()), step("l", Old::Nothing, target)]);
    let journals = folder.path().join(".electrus/tx");
    let path = fs::read_dir(&journals).unwrap().next().unwrap().unwrap().path();
    let good = fs::read(&path).unwrap();
    assert_eq!(verify(workspace.store()).unwrap(), []);
    for bit in (0..good.len() * 8).step_by(7) {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bad).unwrap();
        let found = verify(workspace.store()).unwrap();
        assert_eq!(found.len(), 1, "bit {bit}");
        assert!(found[0].file.starts_with("tx/") && found[0].offset <= (bit / 8) as u64, "{found:?}");
    }
    set_damaged_aside(workspace.store()).unwrap();
    assert!(!path.exists());
    assert_eq!(verify(workspace.store()).unwrap(), []);
    fs::write(&path, &good).unwrap();
    assert_eq!(set_damaged_aside(workspace.store()).unwrap().len(), 0);
    fs::write(journals.join("notes.txt"), "x").unwrap();
    assert_eq!(verify(workspace.store()).unwrap()[0].what, "not part of a store");
}

#[test]
fn prune_leaves_what_a_transaction_works_from() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = open(folder.path());
    let handler = crate::handler::AdvancedFileHandler::new(&workspace);
    for text in ["1", "2", "3"] {
        let source = Source::Bytes(text.as_bytes());
        handler.secure_write("f", source, Default::default()).unwrap();
    }
    decided(&workspace, &[Step { version: 2, ..step("f", Old::Nothing, lost()) }]);
    let keep = crate::version::Retention { keep_last: Some(1), ..Default::default() };
    assert_eq!(handler.prune(None, &keep, false, &Default::default()).unwrap().versions, 1);
    let left: Vec<u64> = handler.versions().list_versions("f").unwrap().iter().map(|v| v.number).collect();
    assert_eq!(left, [2, 3]);
}
