//! What goes into a backup and what does not.

use super::tree::noise;
use super::{excluding, listed, small_tree};
use electrus::backup::{BackupManager, CreateOptions, EntryKind, RestoreOptions, WarningKind};
use electrus::error::Code;
use electrus::progress::Progress;
use electrus::version::Retention;
use electrus::workspace::{OpenOptions, Workspace};
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Below the tree, as recorded.
fn files(manager: &BackupManager, name: &str, tree: &Path) -> Vec<String> {
    let info = manager.show(name).unwrap();
    let tree = tree.strip_prefix("/").unwrap();
    let below = |path: &PathBuf| path.strip_prefix(tree).unwrap().to_str().unwrap().to_owned();
    info.files.iter().map(|entry| below(&entry.path)).collect()
}

#[test]
fn the_result_tells_what_the_seed_promises() {
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    let made = manager.create(None, &[tree.join("a.txt"), tree.join("folder")], &CreateOptions::default()).unwrap();
    assert_eq!((made.files.len(), made.file_count, made.total_size), (2, 2, 11));
    assert!(made.complete && made.warnings.is_empty());
    assert_eq!(made.files[0].checksum.as_ref().unwrap().hex(), blake3::hash(b"first").to_hex().as_str());
    let listed = manager.list().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].name, listed[0].timestamp), (&made.name, made.timestamp));
    let shown = manager.show(&made.name).unwrap();
    assert_eq!((shown.files, shown.folders), (made.files, made.folders));
    let folders: Vec<_> = shown_folders(&manager, &made.name);
    assert_eq!(folders.len(), 2, "the empty folder too: {folders:?}");
    let mut text = String::new();
    manager.read(&made.name, tree.join("a.txt").strip_prefix("/").unwrap()).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "first");
}

fn shown_folders(manager: &BackupManager, name: &str) -> Vec<PathBuf> {
    let folders = manager.show(name).unwrap().folders;
    assert!(folders.iter().all(|f| f.kind == EntryKind::Folder));
    folders.into_iter().map(|f| f.path).collect()
}

#[test]
fn what_cannot_be_backed_up_is_an_error_before_anything_is_written() {
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    let create = |name: &str, source: &Path, options: &CreateOptions| {
        manager.create(Some(name), &[source], options).unwrap_err().code()
    };
    let plain = CreateOptions::default();
    assert_eq!(create("x", &tree.join("missing"), &plain), Code::NotFound);
    assert_eq!(create("x", &tree.join("missing/deeper"), &plain), Code::NotFound);
    assert_eq!(create("../x", &tree, &plain), Code::InvalidName);
    assert_eq!(create("x", &tree, &excluding(&["["])), Code::InvalidPattern);
    assert_eq!(create("x", &tree.join(".electrus"), &plain), Code::ReservedName);
    // What lies in somebody's store would be stored under a name that no backup is believed to have.
    fs::create_dir_all(tmp.path().join("other/.electrus/x")).unwrap();
    let inside = tmp.path().join("other/.electrus/x");
    assert_eq!(create("x", &inside, &plain), Code::ReservedName);
    let open = OpenOptions { backup_anywhere: true, ..OpenOptions::default() };
    let of_base = BackupManager::for_workspace(&Workspace::open(&tree, &open).unwrap()).unwrap();
    let refused = of_base.create(Some("x"), &[&inside], &plain);
    assert_eq!(refused.unwrap_err().code(), Code::ReservedName);
    let none: [&Path; 0] = [];
    assert_eq!(manager.create(Some("x"), &none, &plain).unwrap_err().code(), Code::InvalidArgument);
    assert!(!manager.path().exists());

    manager.create(Some("x"), &[&tree], &plain).unwrap();
    assert_eq!(create("x", &tree, &plain), Code::AlreadyExists);
    assert_eq!(manager.list().unwrap().len(), 1);
    assert_eq!(manager.show("y").unwrap_err().code(), Code::BackupNotFound);
}

#[test]
fn excluded_files_and_our_own_are_left_out() {
    let (tmp, _) = small_tree();
    let tree = tmp.path().join("tree");
    for path in ["target/x", "folder/target/x", "a.log", "folder/b.log", "cache/x", "folder/cache/x", "keep.lock"] {
        fs::create_dir_all(tree.join(path).parent().unwrap()).unwrap();
        fs::write(tree.join(path), "[[package]]").unwrap();
    }
    fs::create_dir_all(tree.join("folder/.electrus/segments")).unwrap();
    fs::write(tree.join("folder/.electrus/segments/x"), "x").unwrap();
    fs::write(tree.join(".electrus-tmp-0123"), "x").unwrap();
    // The backups themselves lie in what is backed up.
    let manager = BackupManager::open(tree.join("my backups"), Default::default()).unwrap();
    manager.create(Some("zero"), &[&tree], &CreateOptions::default()).unwrap();
    manager.create(Some("one"), &[&tree], &excluding(&["*.log", "target/", "/cache"])).unwrap();
    assert_eq!(files(&manager, "one", &tree), ["a.txt", "folder/b.txt", "folder/cache/x", "keep.lock"]);
}

#[test]
fn lock_sidecars_of_ours_are_told_by_their_content() {
    use electrus::lock::{FileLockManager, LockOptions, LockType};
    use electrus::path::Location;
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    fs::write(tree.join("Cargo"), "x").unwrap();
    fs::write(tree.join("Cargo.lock"), "[[package]]").unwrap();
    let location = Location::ordinary(tree.join("a.txt")).unwrap();
    let lock = FileLockManager.acquire(&location, LockType::Exclusive, &LockOptions::default()).unwrap();
    assert!(tree.join("a.txt.lock").metadata().unwrap().len() > 0);
    manager.create(Some("one"), &[&tree], &CreateOptions::default()).unwrap();
    assert_eq!(files(&manager, "one", &tree), ["Cargo", "Cargo.lock", "a.txt", "folder/b.txt"]);
    lock.release().unwrap();
}

#[test]
fn special_files_are_reported_and_not_waited_for() {
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    assert!(Command::new("mkfifo").arg(tree.join("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();
    let made = manager.create(Some("one"), &[&tree], &CreateOptions::default()).unwrap();
    let kinds: Vec<_> = made.warnings.iter().map(|w| w.kind).collect();
    assert_eq!(kinds, [WarningKind::SpecialFile, WarningKind::SpecialFile]);
    assert!(made.complete);
    assert_eq!(files(&manager, "one", &tree), ["a.txt", "folder/b.txt"]);
    let source = manager.create(Some("two"), &[tree.join("fifo")], &CreateOptions::default());
    assert_eq!(source.unwrap_err().code(), Code::NotAFile);
}

#[test]
fn an_unchanged_file_is_not_even_opened() {
    if std::env::var_os("ELECTRUS_TEST_BACKUP").is_some() {
        let base = PathBuf::from(std::env::var_os("ELECTRUS_TEST_BACKUP").unwrap());
        let manager = BackupManager::open(base.join("backups"), Default::default()).unwrap();
        let made = manager.create(None, &[base.join("tree")], &CreateOptions::default()).unwrap();
        assert_eq!(made.read_size, 5);
        return;
    }
    if !Command::new("strace").args(["-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success()) {
        eprintln!("strace is missing or may not trace: skipped");
        return;
    }
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    for number in 0..50 {
        fs::write(tree.join(format!("unchanged{number}")), noise(number, 3000)).unwrap();
    }
    std::thread::sleep(Duration::from_millis(30)); // times nearer than a tick prove nothing
    manager.create(None, &[&tree], &CreateOptions::default()).unwrap();
    fs::write(tree.join("a.txt"), "again").unwrap();

    let trace = tmp.path().join("trace");
    let run = Command::new("strace")
        .args(["-f", "-e", "trace=openat,open,openat2", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "behaviour::an_unchanged_file_is_not_even_opened"])
        .env("ELECTRUS_TEST_BACKUP", tmp.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let trace = fs::read_to_string(trace).unwrap();
    assert!(trace.contains("\"a.txt\""), "the changed file was opened");
    assert!(!trace.contains("\"unchanged"), "{trace}");
    assert!(!trace.contains("\"b.txt\""));
}

#[test]
fn times_too_near_to_the_backup_prove_nothing() {
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    for round in 0..20 {
        fs::write(tree.join("a.txt"), format!("round {round:02}")).unwrap();
        let name = format!("round {round}");
        manager.create(Some(&name), &[&tree], &CreateOptions::default()).unwrap();
        let path = tree.join("a.txt").strip_prefix("/").unwrap().to_owned();
        let mut text = String::new();
        manager.read(&name, path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("round {round:02}"));
    }
}

#[test]
fn a_file_that_keeps_changing_is_stored_and_reported() {
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    let busy = tree.join("busy");
    fs::write(&busy, noise(1, 24 << 20)).unwrap();
    let stop = AtomicBool::new(false);
    let made = std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::os::unix::fs::FileExt;
            let file = fs::OpenOptions::new().write(true).open(&busy).unwrap();
            let mut number = 0u64;
            while !stop.load(Ordering::Relaxed) {
                file.write_at(&number.to_le_bytes(), number % 1000 * 8).unwrap();
                number += 1;
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        let made = manager.create(Some("one"), &[&tree], &CreateOptions::default());
        stop.store(true, Ordering::Relaxed);
        made.unwrap()
    });
    assert_eq!(made.warnings.len(), 1, "{:?}", made.warnings);
    assert_eq!(made.warnings[0].kind, WarningKind::ChangedWhileRead);
    assert!(made.warnings[0].path.ends_with("tree/busy"));
    assert!(!made.complete && !manager.show("one").unwrap().complete);
    assert!(manager.verify(Some("one"), &Default::default()).unwrap().ok);
    // What may be a mix is never taken for unchanged.
    std::thread::sleep(Duration::from_millis(30));
    let again = manager.create(Some("two"), &[&tree], &CreateOptions::default()).unwrap();
    assert!(again.complete && again.read_size >= 24 << 20);
}

#[test]
fn a_cancelled_backup_leaves_no_backup_and_no_lock() {
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    for number in 0..200 {
        fs::write(tree.join(format!("f{number}")), noise(number, 200_000)).unwrap();
    }
    // So large that no machine is through with it before the cancel comes; quick to make.
    fs::File::create(tree.join("z")).unwrap().set_len(1 << 40).unwrap();
    let progress = Progress::new();
    let options = CreateOptions { progress: progress.clone(), ..Default::default() };
    let cancelled = std::thread::scope(|scope| {
        let making = scope.spawn(|| manager.create(Some("one"), &[&tree], &options));
        let begun = Instant::now();
        while progress.counts().bytes_done < 16 << 20 && begun.elapsed() < Duration::from_secs(60) {
            std::thread::yield_now();
        }
        progress.cancel();
        making.join().unwrap()
    });
    assert_eq!(cancelled.unwrap_err().code(), Code::Cancelled);
    assert!(manager.list().unwrap().is_empty());
    fs::remove_file(tree.join("z")).unwrap();
    let left: u64 =
        walkdir::WalkDir::new(manager.path()).into_iter().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(left < 1 << 20, "{left} bytes of what was read before the cancel are still there");
    // Prune needs the store for itself: nobody holds it.
    manager.create(Some("two"), &[&tree], &CreateOptions::default()).unwrap();
    manager.create(Some("three"), &[&tree], &CreateOptions::default()).unwrap();
    let keep = Retention { keep_last: Some(1), ..Default::default() };
    let pruned = manager.prune(&keep, false, &Progress::new()).unwrap();
    assert_eq!(pruned.snapshots, 1);
    assert_eq!(manager.list().unwrap()[0].name, "three");
    assert!(manager.verify(None, &Default::default()).unwrap().ok);
    assert_eq!(
        manager.prune(&Retention::default(), false, &Progress::new()).unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[test]
fn a_flipped_bit_is_named_by_the_file_that_suffers() {
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    fs::write(tree.join("large"), noise(5, 3 << 20)).unwrap();
    manager.create(Some("one"), &[&tree], &CreateOptions::default()).unwrap();
    assert!(manager.verify(None, &Default::default()).unwrap().ok);
    // In the middle of what does not compress, so that it is found as it is.
    flip(&manager, &noise(5, 3 << 20)[1 << 20..(1 << 20) + 32]);
    let manager = BackupManager::open(manager.path(), Default::default()).unwrap();
    for name in [None, Some("one")] {
        let found = manager.verify(name, &Default::default()).unwrap();
        assert!(!found.ok);
        let paths: Vec<_> = found.damaged.iter().map(|d| d.path.clone()).collect();
        assert!(paths.iter().any(|p| p.ends_with("tree/large")), "{found:?}");
        // The rest of the frame is lost as well, other frames are not.
        assert_eq!(found.damaged[0].backup, "one");
    }
    // Restore gives what is intact, and says what is not; never half a file.
    let to = tmp.path().join("restored");
    let options = RestoreOptions { to: Some(to.clone()), ..Default::default() };
    let refused = manager.restore("one", &options).unwrap_err();
    assert_eq!(refused.code(), Code::Damaged);
    assert!(refused.to_string().contains("tree/large"), "{refused}");
    let there = to.join(tree.strip_prefix("/").unwrap());
    assert!(!there.join("large").exists());
}

/// Flips a bit of these bytes in the store.
fn flip(manager: &BackupManager, needle: &[u8]) {
    let (segment, at) = find(&manager.path().join("segments"), needle);
    let mut bytes = fs::read(&segment).unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
}

fn find(folder: &Path, needle: &[u8]) -> (PathBuf, usize) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(needle.len()).position(|w| w == needle) {
            return (path, at);
        }
    }
    panic!("not stored as it is");
}

#[test]
fn sources_are_called_as_they_were_named() {
    let (tmp, _) = small_tree();
    symlink("tree", tmp.path().join("link")).unwrap();
    let base = Workspace::open(tmp.path(), &OpenOptions::default()).unwrap();
    let manager = BackupManager::for_workspace(&base).unwrap();
    let made = |name: &str, sources: &[&str]| {
        let made = manager.create(Some(name), sources, &CreateOptions::default()).unwrap();
        made.files.iter().map(|f| f.path.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(made("1", &["tree"]), ["tree/a.txt", "tree/folder/b.txt"]);
    assert_eq!(made("2", &["./tree/", "tree/folder"]), ["tree/a.txt", "tree/folder/b.txt"]);
    assert_eq!(made("3", &["link"]), ["link"]);
    assert_eq!(made("4", &["link/"]), ["tree/a.txt", "tree/folder/b.txt"]);
    assert_eq!(made("5", &["link/folder/b.txt", "tree/a.txt"]), ["tree/a.txt", "tree/folder/b.txt"]);
    assert_eq!(made("6", &["."]), ["link", "tree/a.txt", "tree/folder/b.txt"]);
    for source in ["..", "/etc/hostname", "tree/../../x"] {
        let code = manager.create(Some("x"), &[source], &CreateOptions::default()).unwrap_err().code();
        assert!(matches!(code, Code::PathEscape | Code::NotFound), "{source}: {code:?}");
    }
    let code = manager.create(Some("x"), &[".electrus"], &CreateOptions::default()).unwrap_err().code();
    assert_eq!(code, Code::ReservedName);
}

#[test]
fn an_unreadable_folder_does_not_keep_the_rest_from_being_backed_up() {
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    // Deeper than any path that can be named, and than folders that are kept open.
    let mut deep = tree.join("deep");
    for _ in 0..600 {
        deep.push("d");
    }
    let made = Command::new("mkdir").arg("-p").arg(&deep).status().unwrap();
    assert!(made.success());
    let info = manager.create(Some("one"), &[&tree], &CreateOptions::default()).unwrap();
    assert!(!info.complete);
    assert_eq!(info.warnings.len(), 1);
    assert_eq!(info.warnings[0].kind, WarningKind::Unreadable);
    assert_eq!(info.file_count, 2);
    let to = tmp.path().join("to");
    let options = RestoreOptions { to: Some(to.clone()), ..Default::default() };
    manager.restore("one", &options).unwrap();
    assert!(listed(&to).len() > 400);
}

#[test]
fn a_backup_after_a_repair_reads_again_what_the_repair_took_away() {
    let (tmp, manager) = small_tree();
    let tree = tmp.path().join("tree");
    fs::write(tree.join("large"), noise(5, 3 << 20)).unwrap();
    std::thread::sleep(Duration::from_millis(30));
    manager.create(Some("one"), &[&tree], &CreateOptions::default()).unwrap();
    flip(&manager, &noise(5, 3 << 20)[1 << 20..(1 << 20) + 32]);
    let manager = BackupManager::open(manager.path(), Default::default()).unwrap();
    manager.repair(false, &Progress::new()).unwrap();
    let made = manager.create(Some("two"), &[&tree], &CreateOptions::default()).unwrap();
    assert!(made.read_size >= 3 << 20, "{made:?}");
    assert!(manager.verify(Some("two"), &Default::default()).unwrap().ok);
    assert!(!manager.verify(Some("one"), &Default::default()).unwrap().ok || made.added_size > 0);
}

/// Once, only the journals of the store of versions were looked at.
#[test]
fn a_stray_file_among_the_journals_of_a_backup_store_is_told() {
    let (tmp, manager) = small_tree();
    manager.create(Some("one"), &[tmp.path().join("tree")], &CreateOptions::default()).unwrap();
    fs::create_dir(tmp.path().join("backups/tx")).unwrap();
    assert!(manager.verify(None, &Default::default()).unwrap().ok);
    fs::write(tmp.path().join("backups/tx/stray"), "x").unwrap();
    let found = manager.verify(None, &Default::default()).unwrap();
    assert!(!found.ok && found.store.unwrap().damaged[0].file == "tx/stray");
}
