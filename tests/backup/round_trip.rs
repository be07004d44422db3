//! A tree of 20,000 files there and back.

use super::tree::{differences, make};
use electrus::backup::{BackupManager, CreateOptions, RestoreOptions, VerifyOptions};
use electrus::progress::Progress;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One file of a hundred edited, and some of everything else.
fn change(tree: &Path) -> usize {
    let files: Vec<PathBuf> = walkdir::WalkDir::new(tree)
        .into_iter()
        .map(|e| e.unwrap())
        .filter(|e| e.file_type().is_file() && !e.path().starts_with(tree.join("odd names")))
        .map(|e| e.into_path())
        .collect();
    let mut read = 0;
    for (number, path) in files.iter().enumerate() {
        match number % 1000 {
            n if n % 100 == 7 => {
                let mut content = fs::read(path).unwrap();
                let middle = content.len() / 2;
                content.splice(middle..middle, *b"edited here");
                fs::write(path, content).unwrap();
                read += 1;
            }
            11 => fs::remove_file(path).unwrap(),
            13 => {
                fs::rename(path, path.with_extension("renamed")).unwrap();
                read += 1;
            }
            17 => {
                fs::set_permissions(path, fs::Permissions::from_mode(0o751)).unwrap();
                read += 1;
            }
            19 => {
                fs::write(path.with_extension("added"), format!("new {number}")).unwrap();
                read += 1;
            }
            23 => {
                fs::remove_file(path).unwrap();
                symlink("elsewhere", path).unwrap();
            }
            29 => {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            }
            _ => {}
        }
    }
    let odd = tree.join("odd names");
    fs::rename(odd.join("empty"), odd.join("emptied")).unwrap();
    fs::remove_file(odd.join("link")).unwrap();
    symlink("b", odd.join("link")).unwrap();
    read
}

fn restore(manager: &BackupManager, name: &str, to: &Path) {
    let options = RestoreOptions { to: Some(to.to_owned()), ..Default::default() };
    let report = manager.restore(name, &options).unwrap();
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    assert_eq!(options.progress.counts().files_done, options.progress.counts().files_total);
    assert_eq!(options.progress.counts().bytes_done, options.progress.counts().bytes_total);
}

#[test]
fn twenty_thousand_files_come_back_from_both_backups_as_rsync_sees_it() {
    let tmp = tempfile::tempdir().unwrap();
    let (tree, first_state) = (tmp.path().join("tree"), tmp.path().join("first state"));
    make(&tree, 20_000);
    let copied = Command::new("cp").arg("-a").args([&tree, &first_state]).status().unwrap();
    assert!(copied.success());
    let manager = BackupManager::open(tmp.path().join("backups"), Default::default()).unwrap();

    let first = manager.create(Some("first"), &[&tree], &CreateOptions::default()).unwrap();
    assert!(first.complete && first.warnings.is_empty(), "{:?}", first.warnings);
    assert_eq!(first.files.len() as u64, first.file_count);
    assert!(first.added_size > 0 && first.added_size < first.total_size);

    let again = manager.create(Some("again"), &[&tree], &CreateOptions::default()).unwrap();
    assert_eq!((again.file_count, again.total_size), (first.file_count, first.total_size));
    let fresh = first.files.iter().filter(|f| f.path.starts_with("odd names")).count();
    assert!(again.read_size <= first.read_size / 10, "{} bytes read, {fresh}", again.read_size);

    let changed = change(&tree);
    let second = manager.create(Some("second"), &[&tree], &CreateOptions::default()).unwrap();
    assert!(second.read_size < first.total_size / 20, "{changed} files changed, {} bytes read", second.read_size);
    assert!(second.added_size < first.total_size / 20);

    for name in [Some("first"), Some("second"), None] {
        let options = VerifyOptions { progress: Progress::new() };
        let verified = manager.verify(name, &options).unwrap();
        assert!(verified.ok, "{name:?}: {:?} {:?}", verified.damaged, verified.store);
    }
    let inside = |name: &str| tmp.path().join(name).join(tree.strip_prefix("/").unwrap());
    restore(&manager, "first", &tmp.path().join("restored first"));
    restore(&manager, "second", &tmp.path().join("restored second"));
    assert_eq!(differences(&first_state, &inside("restored first")), "");
    assert_eq!(differences(&tree, &inside("restored second")), "");
}
