//! Where restored files go, and what stands in their way.

use super::small_tree;
use super::tree::differences;
use electrus::backup::{BackupManager, CreateOptions, RestoreOptions};
use electrus::error::Code;
use electrus::store::{VersionKind, Which};
use electrus::version::FileVersionManager;
use electrus::workspace::{ChangeOptions, OpenOptions, Workspace};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

fn plain() -> RestoreOptions {
    RestoreOptions::default()
}

fn overwriting() -> RestoreOptions {
    RestoreOptions { overwrite: true, ..plain() }
}

fn to(folder: &Path) -> RestoreOptions {
    RestoreOptions { to: Some(folder.to_owned()), ..plain() }
}

/// A workspace whose `tree` was backed up as `one` and is also kept aside as it was.
fn backed_up() -> (tempfile::TempDir, Workspace, BackupManager) {
    let (tmp, _) = small_tree();
    let base = Workspace::open(tmp.path(), &OpenOptions::default()).unwrap();
    let manager = BackupManager::for_workspace(&base).unwrap();
    manager.create(Some("one"), &["tree"], &CreateOptions::default()).unwrap();
    let kept = Command::new("cp").arg("-a").args(["tree", "kept"]).current_dir(tmp.path()).status().unwrap();
    assert!(kept.success());
    (tmp, base, manager)
}

#[test]
fn a_lost_tree_comes_back_to_its_place() {
    let (tmp, _, manager) = backed_up();
    fs::remove_dir_all(tmp.path().join("tree")).unwrap();
    let report = manager.restore("one", &plain()).unwrap();
    assert_eq!((report.restored, report.skipped.len()), (2, 0));
    assert_eq!(differences(&tmp.path().join("kept"), &tmp.path().join("tree")), "");
    let again = manager.restore("one", &plain()).unwrap();
    assert_eq!((again.restored, again.skipped.len()), (0, 2));
    assert_eq!(differences(&tmp.path().join("kept"), &tmp.path().join("tree")), "");
}

#[test]
fn a_backup_manager_alone_restores_to_absolute_places() {
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    manager.create(Some("one"), &[&tree], &CreateOptions::default()).unwrap();
    let kept = tmp.path().join("kept");
    fs::rename(&tree, &kept).unwrap();
    manager.restore("one", &plain()).unwrap();
    assert_eq!(differences(&kept, &tree), "");
    fs::write(tree.join("a.txt"), "changed").unwrap();
    assert_eq!(manager.restore("one", &plain()).unwrap_err().code(), Code::WouldOverwrite);
    let report = manager.restore("one", &overwriting()).unwrap();
    assert_eq!(report.overwritten.len(), 1);
    assert_eq!(differences(&kept, &tree), "");
}

#[test]
fn changed_files_are_refused_before_anything_is_changed_and_all_named() {
    let (tmp, _, manager) = backed_up();
    let tree = tmp.path().join("tree");
    fs::write(tree.join("a.txt"), "FIRST").unwrap();
    fs::write(tree.join("folder/b.txt"), "longer than before").unwrap();
    fs::remove_dir(tree.join("folder/empty")).unwrap();
    let refused = manager.restore("one", &plain()).unwrap_err();
    assert_eq!(refused.code(), Code::WouldOverwrite);
    for path in ["tree/a.txt", "tree/folder/b.txt"] {
        assert!(refused.to_string().contains(path), "{refused}");
    }
    assert!(!tree.join("folder/empty").exists());
    assert_eq!(manager.conflicts("one", &plain()).unwrap().len(), 2);
    assert_eq!(fs::read(tree.join("a.txt")).unwrap(), b"FIRST");
}

#[test]
fn what_is_overwritten_is_in_the_history_first() {
    let (tmp, base, manager) = backed_up();
    let tree = tmp.path().join("tree");
    fs::write(tree.join("a.txt"), "edited by hand").unwrap();
    fs::set_permissions(tree.join("a.txt"), fs::Permissions::from_mode(0o600)).unwrap();
    let report = manager.restore("one", &overwriting()).unwrap();
    assert_eq!((report.overwritten.len(), report.versioned, report.skipped.len()), (1, 1, 1));
    assert_eq!(differences(&tmp.path().join("kept"), &tree).replace("*deleting   a.txt.lock\n", ""), "");
    let versions = FileVersionManager::new(&base);
    let kinds: Vec<VersionKind> = versions.list_versions("tree/a.txt").unwrap().iter().map(|v| v.kind).collect();
    assert_eq!(kinds, [VersionKind::OutsideEdit, VersionKind::Write]);
    assert_eq!(versions.read_version("tree/a.txt", &Which::Number(1)).unwrap(), b"edited by hand");
    versions.restore_version("tree/a.txt", &Which::Number(1), None, ChangeOptions::default()).unwrap();
    assert_eq!(fs::read(tree.join("a.txt")).unwrap(), b"edited by hand");
}

#[test]
fn a_part_is_restored_by_name_and_a_name_that_is_not_there_is_an_error() {
    let (tmp, _, manager) = backed_up();
    let tree = tmp.path().join("tree");
    fs::write(tree.join("a.txt"), "not to be touched").unwrap();
    fs::remove_dir_all(tree.join("folder")).unwrap();
    let part = |paths: &[&str]| RestoreOptions { paths: paths.iter().map(PathBuf::from).collect(), ..plain() };
    assert_eq!(manager.restore("one", &part(&["tree/folder", "tree/nothing"])).unwrap_err().code(), Code::NotFound);
    assert_eq!(manager.restore("one", &part(&["../tree"])).unwrap_err().code(), Code::PathEscape);
    assert!(!tree.join("folder").exists());
    let report = manager.restore("one", &part(&["./tree/folder/b.txt"])).unwrap();
    assert_eq!(report.restored, 1);
    assert_eq!(fs::read(tree.join("folder/b.txt")).unwrap(), b"second");
    assert!(!tree.join("folder/empty").exists());
    assert_eq!(fs::read(tree.join("a.txt")).unwrap(), b"not to be touched");
}

#[test]
fn nothing_is_overwritten_elsewhere_either() {
    let (tmp, _, manager) = backed_up();
    let elsewhere = tmp.path().join("else/where");
    manager.restore("one", &to(&elsewhere)).unwrap();
    assert_eq!(differences(&tmp.path().join("kept"), &elsewhere.join("tree")), "");
    // Elsewhere, but beneath the same base: what is overwritten there was locked, and went into the history.
    fs::write(elsewhere.join("tree/a.txt"), "changed").unwrap();
    assert_eq!(manager.restore("one", &to(&elsewhere)).unwrap_err().code(), Code::WouldOverwrite);
    let options = RestoreOptions { overwrite: true, ..to(&elsewhere) };
    assert_eq!(manager.restore("one", &options).unwrap().overwritten.len(), 1);
    let found = differences(&tmp.path().join("kept"), &elsewhere.join("tree"));
    assert_eq!(found.replace("*deleting   a.txt.lock\n", ""), "");
}

#[test]
fn links_in_the_destination_are_never_followed() {
    let (tmp, _, manager) = backed_up();
    let tree = tmp.path().join("tree");
    let victim = tmp.path().join("victim");
    fs::create_dir(&victim).unwrap();
    let is_untouched = || fs::read_dir(&victim).unwrap().count() == 0;

    fs::remove_dir_all(tree.join("folder")).unwrap();
    symlink(&victim, tree.join("folder")).unwrap();
    for options in [plain(), overwriting()] {
        assert_eq!(manager.restore("one", &options).unwrap_err().code(), Code::WouldOverwrite);
    }
    fs::remove_dir_all(&tree).unwrap();
    symlink(&victim, &tree).unwrap();
    for options in [plain(), overwriting()] {
        assert_eq!(manager.restore("one", &options).unwrap_err().code(), Code::WouldOverwrite);
    }
    fs::remove_file(&tree).unwrap();
    fs::create_dir(&tree).unwrap();
    symlink(victim.join("new"), tree.join("a.txt")).unwrap();
    for options in [plain(), overwriting()] {
        assert_eq!(manager.restore("one", &options).unwrap_err().code(), Code::WouldOverwrite);
    }
    assert!(is_untouched());
}

#[test]
fn a_folder_is_never_removed_for_a_file_nor_a_file_for_a_folder() {
    let (tmp, _, manager) = backed_up();
    let tree = tmp.path().join("tree");
    fs::remove_file(tree.join("a.txt")).unwrap();
    fs::create_dir(tree.join("a.txt")).unwrap();
    fs::write(tree.join("a.txt/precious"), "x").unwrap();
    fs::remove_dir(tree.join("folder/empty")).unwrap();
    fs::write(tree.join("folder/empty"), "precious").unwrap();
    let conflicts = manager.conflicts("one", &overwriting()).unwrap();
    assert_eq!(conflicts.len(), 2);
    assert!(conflicts.iter().all(|c| !c.can_overwrite));
    assert_eq!(manager.restore("one", &overwriting()).unwrap_err().code(), Code::WouldOverwrite);
}

#[test]
fn hard_links_are_linked_again_and_only_among_themselves() {
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    fs::hard_link(tree.join("a.txt"), tree.join("folder/also a")).unwrap();
    fs::hard_link(tree.join("a.txt"), tmp.path().join("outside")).unwrap();
    let made = manager.create(Some("one"), &[&tree], &CreateOptions::default()).unwrap();
    assert_eq!(made.file_count, 3);
    let there = tmp.path().join("there");
    manager.restore("one", &to(&there)).unwrap();
    let there = there.join(tree.strip_prefix("/").unwrap());
    let inode = |path: &str| fs::metadata(there.join(path)).unwrap();
    assert_eq!(inode("a.txt").ino(), inode("folder/also a").ino());
    assert_eq!(inode("a.txt").nlink(), 2);
    // A part that has only the other name gets a file.
    let part = tmp.path().join("part");
    let options = RestoreOptions { paths: vec![tree.join("folder")], ..to(&part) };
    manager.restore("one", &options).unwrap();
    let path = part.join(tree.strip_prefix("/").unwrap()).join("folder/also a");
    assert_eq!(fs::read(path).unwrap(), b"first");
}

/// What the tools of the system say of attributes and access lists below a folder.
fn attributes_of(folder: &Path) -> String {
    let said = |program: &str, args: &[&str]| {
        let ran = Command::new(program).args(args).arg(".").current_dir(folder).output().unwrap();
        assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    said("getfattr", &["-R", "-d", "-m", "user."]) + &said("getfacl", &["-R", "-n"])
}

#[test]
fn attributes_and_access_lists_come_back() {
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    let set = "setfattr -n user.note -v kept a.txt folder && setfacl -m u:4711:rw,g:4712:r a.txt && \
               setfacl -m u:4711:rx,d:u:4711:rwx,d:g:4712:rx folder";
    let set = Command::new("sh").args(["-c", set]).current_dir(&tree).output().unwrap();
    if !set.status.success() {
        let installed = Command::new("getfacl").arg("--version").output().is_ok();
        assert!(installed || std::env::var_os("CI").is_none(), "tests/run installs acl");
        eprintln!("no extended attributes here: skipped ({})", String::from_utf8_lossy(&set.stderr));
        return;
    }
    let expected = attributes_of(&tree);
    assert!(expected.contains("user.note=") && expected.contains("user:4711:rw-"), "{expected}");
    assert!(expected.contains("default:group:4712:r-x"), "{expected}");
    manager.create(Some("one"), &[&tree], &CreateOptions::default()).unwrap();
    let there = tmp.path().join("there");
    let report = manager.restore("one", &to(&there)).unwrap();
    assert!(report.warnings.is_empty());
    assert_eq!(attributes_of(&there.join(tree.strip_prefix("/").unwrap())), expected);
    // In place, too, where the files are whole before they take their names.
    fs::remove_dir_all(&tree).unwrap();
    manager.restore("one", &plain()).unwrap();
    assert_eq!(attributes_of(&tree), expected);
}

/// Two names of a file that are restored as two files were told of nowhere.
#[test]
fn a_link_that_is_lost_is_told() {
    let (tmp, _) = small_tree();
    let tree = tmp.path().join("tree");
    fs::hard_link(tree.join("a.txt"), tree.join("also a")).unwrap();
    let base = Workspace::open(tmp.path(), &OpenOptions::default()).unwrap();
    let manager = BackupManager::for_workspace(&base).unwrap();
    manager.create(Some("one"), &["tree"], &CreateOptions::default()).unwrap();
    assert!(manager.restore("one", &plain()).unwrap().warnings.is_empty(), "they are linked still");
    fs::write(tree.join("a.txt"), "edited").unwrap();
    for _ in 0..2 {
        let report = manager.restore("one", &overwriting()).unwrap();
        let paths: Vec<_> = report.warnings.iter().map(|warning| warning.path.to_str().unwrap()).collect();
        assert_eq!(paths, ["tree/also a"], "{:?}", report.warnings);
    }
    fs::remove_file(tree.join("also a")).unwrap();
    assert!(manager.restore("one", &plain()).unwrap().warnings.is_empty(), "linked again");
}

/// A private base was open to everyone for as long as it took to restore it.
#[test]
fn a_folder_that_is_made_for_a_private_tree_is_private_from_its_first_moment() {
    let (tmp, _) = small_tree();
    fs::set_permissions(tmp.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let base = Workspace::open(tmp.path(), &OpenOptions::default()).unwrap();
    let manager = BackupManager::for_workspace(&base).unwrap();
    fs::write(tmp.path().join("large"), super::tree::noise(3, 8 << 20)).unwrap();
    manager.create(Some("one"), &["."], &CreateOptions::default()).unwrap();
    let other = tempfile::tempdir().unwrap();
    let new = other.path().join("a/b");
    let options = to(&new);
    let mode = |path: &Path| fs::metadata(path).map(|m| m.permissions().mode() & 0o7777);
    let seen = std::thread::scope(|scope| {
        let restoring = scope.spawn(|| manager.restore("one", &options));
        let mut seen = Vec::new();
        while !restoring.is_finished() {
            seen.extend(mode(&new).ok());
        }
        restoring.join().unwrap().unwrap();
        seen
    });
    assert!(!seen.is_empty() && seen.iter().all(|mode| *mode == 0o700), "{seen:?}");
    // A part of it, too.
    let part = other.path().join("part");
    let options = RestoreOptions { paths: vec!["tree/a.txt".into()], ..to(&part) };
    manager.restore("one", &options).unwrap();
    assert_eq!(mode(&part).unwrap(), 0o700);
    // The folder for a tree that has a folder of its own is as any.
    manager.create(Some("two"), &["tree"], &CreateOptions::default()).unwrap();
    let any = other.path().join("any");
    manager.restore("two", &to(&any)).unwrap();
    fs::create_dir(other.path().join("usual")).unwrap();
    assert_eq!(mode(&any).unwrap(), mode(&other.path().join("usual")).unwrap());
}

#[test]
fn a_cancelled_restore_stops() {
    let (tmp, _, manager) = backed_up();
    let options = to(&tmp.path().join("there"));
    options.progress.cancel();
    assert_eq!(manager.restore("one", &options).unwrap_err().code(), Code::Cancelled);
    assert!(!tmp.path().join("there").exists());
}
