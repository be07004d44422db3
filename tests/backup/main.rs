//! Backups, compared with what rsync(1), strace(1) and the file system itself say.
#![cfg(unix)]

mod behaviour;
mod restoring;
mod round_trip;
mod tree;

use electrus::backup::{BackupManager, CreateOptions};
use std::path::Path;

/// A manager on a folder of its own, and a tree of a few files.
fn small_tree() -> (tempfile::TempDir, BackupManager) {
    let tmp = tempfile::tempdir().unwrap();
    let tree = tmp.path().join("tree");
    std::fs::create_dir_all(tree.join("folder/empty")).unwrap();
    std::fs::write(tree.join("a.txt"), "first").unwrap();
    std::fs::write(tree.join("folder/b.txt"), "second").unwrap();
    let manager = BackupManager::open(tmp.path().join("backups"), Default::default()).unwrap();
    (tmp, manager)
}

fn excluding(patterns: &[&str]) -> CreateOptions {
    CreateOptions { excludes: patterns.iter().map(|p| p.to_string()).collect(), ..Default::default() }
}

/// Paths below `root`, sorted, folders with a slash at the end.
fn listed(root: &Path) -> Vec<String> {
    let mut paths: Vec<String> = walkdir::WalkDir::new(root)
        .min_depth(1)
        .into_iter()
        .map(|entry| {
            let entry = entry.unwrap();
            let path = entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned();
            if entry.file_type().is_dir() { path + "/" } else { path }
        })
        .collect();
    paths.sort();
    paths
}
