//! Transactions: all or none, in order, in the history, under locks; and after crashes at every point.

mod crash;

use electrus::atomic::Condition;
use electrus::checksum::{Algorithm, of_bytes};
use electrus::error::Code;
use electrus::lock::{LockOptions, LockType, Owner, Timeout};
use electrus::path::Follow;
use electrus::store::{VersionKind, Which};
use electrus::transaction::{Transaction, TransactionOptions, WriteHow};
use electrus::version::FileVersionManager;
use electrus::workspace::{OpenOptions, Source, Workspace};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

pub type State = BTreeMap<String, String>;

pub fn open(path: &Path) -> Workspace {
    Workspace::open(path, &OpenOptions::default()).unwrap()
}

/// Every file in the folder but those of the store, the locks and the temporary ones; of links the target.
pub fn state(path: &Path) -> State {
    let mut state = State::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.path().strip_prefix(path).unwrap().to_str().unwrap().to_owned();
            let kind = entry.file_type().unwrap();
            if name == ".electrus" || name.ends_with(".lock") || name.contains(".electrus-tmp-") {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_symlink() {
                state.insert(name, format!("-> {}", fs::read_link(entry.path()).unwrap().display()));
            } else {
                state.insert(name, fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    state
}

pub fn files(pairs: &[(&str, &str)]) -> State {
    pairs.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
}

fn folder(pairs: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in pairs {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn kinds(workspace: &Workspace, name: &str) -> Vec<VersionKind> {
    FileVersionManager::new(workspace).list_versions(name).unwrap().into_iter().map(|v| v.kind).collect()
}

#[test]
fn all_kinds_of_operations_are_made_together_and_told_in_the_history() {
    let folder = folder(&[("a", "one"), ("b", "two"), ("c", "three"), ("d", "four")]);
    let workspace = open(folder.path());
    let mut transaction = Transaction::new(&workspace);
    let mut stream: &[u8] = b"from a stream";
    transaction.write("a", "ONE").write("new/folder/n", "N").write_from(
        "s",
        Source::Reader(&mut stream),
        WriteHow::default(),
    );
    transaction.delete("b").rename("c", "moved/c").copy("d", "e");
    assert_eq!(transaction.len(), 6);
    let done = transaction.commit().unwrap();
    let expected = [
        ("a", "ONE"),
        ("new/folder/n", "N"),
        ("s", "from a stream"),
        ("moved/c", "three"),
        ("d", "four"),
        ("e", "four"),
    ];
    assert_eq!(state(folder.path()), files(&expected));
    assert_eq!(done.id.len(), 16);
    let a = &done.results[0];
    assert_eq!((a.size, a.version, a.outside_edit), (3, Some(2), Some(1)));
    assert_eq!(a.checksum, Some(of_bytes(Algorithm::Sha256, b"ONE")));
    assert_eq!(done.results[3].checksum, None);
    assert_eq!(done.results[4].checksum, Some(of_bytes(Algorithm::Sha256, b"three")));
    assert_eq!(kinds(&workspace, "a"), [VersionKind::OutsideEdit, VersionKind::Write]);
    assert_eq!(kinds(&workspace, "b"), [VersionKind::OutsideEdit, VersionKind::Delete]);
    assert_eq!(kinds(&workspace, "c"), [VersionKind::OutsideEdit, VersionKind::RenamedTo]);
    assert_eq!(kinds(&workspace, "moved/c"), [VersionKind::RenamedFrom]);
    assert_eq!(kinds(&workspace, "e"), [VersionKind::Write]);
    let versions = FileVersionManager::new(&workspace);
    assert_eq!(versions.read_version("c", &Which::Number(1)).unwrap(), b"three");
    assert_eq!(versions.read_version("b", &Which::Newest).unwrap(), b"two");
    assert_eq!(fs::read_dir(folder.path().join(".electrus/tx")).unwrap().count(), 0);
}

#[test]
fn operations_see_what_those_before_them_did() {
    let folder = folder(&[("a", "one"), ("b", "two")]);
    let workspace = open(folder.path());
    let mut transaction = Transaction::new(&workspace);
    transaction.rename("a", "t").rename("b", "a").rename("t", "b");
    transaction.commit().unwrap();
    assert_eq!(state(folder.path()), files(&[("a", "two"), ("b", "one")]));

    let mut transaction = Transaction::new(&workspace);
    transaction.write("x", "1").copy("x", "y").write("x", "2").rename("y", "z").delete("a").copy("b", "a").delete("b");
    let done = transaction.commit().unwrap();
    assert_eq!(state(folder.path()), files(&[("a", "one"), ("x", "2"), ("z", "1")]));
    assert_eq!((done.results[0].size, done.results[0].version), (1, Some(1)));
    assert_eq!(kinds(&workspace, "x"), [VersionKind::Write]);
    // A file that nobody changed in between has every content in its history once.
    assert_eq!(*kinds(&workspace, "a").last().unwrap(), VersionKind::RenamedFrom);
}

#[test]
fn one_operation_that_cannot_be_made_prevents_all() {
    let pairs = [("a", "one"), ("b", "two")];
    let folder = folder(&pairs);
    fs::create_dir(folder.path().join("dir")).unwrap();
    let workspace = open(folder.path());
    let wrong = of_bytes(Algorithm::Sha256, b"other");
    let with = |condition| WriteHow { condition, mode: None };
    let refused = |stage: &dyn Fn(&mut Transaction<'_>)| {
        let mut transaction = Transaction::new(&workspace);
        transaction.write("a", "changed").write("new", "n").rename("b", "c");
        stage(&mut transaction);
        let error = transaction.commit().unwrap_err();
        assert_eq!(state(folder.path()), files(&pairs), "{error}");
        error.code()
    };
    assert_eq!(refused(&|t| _ = t.delete("none")), Code::NotFound);
    assert_eq!(refused(&|t| _ = t.delete("b")), Code::NotFound);
    assert_eq!(refused(&|t| _ = t.rename("b", "d")), Code::NotFound);
    assert_eq!(refused(&|t| _ = t.write("../out", "x")), Code::PathEscape);
    assert_eq!(refused(&|t| _ = t.write(".electrus/x", "x")), Code::ReservedName);
    assert_eq!(refused(&|t| _ = t.write("dir", "x")), Code::NotAFile);
    assert_eq!(refused(&|t| _ = t.delete("dir")), Code::NotAFile);
    assert_eq!(refused(&|t| _ = t.copy_if("a", "c", Condition::Absent)), Code::AlreadyExists);
    assert_eq!(refused(&|t| _ = t.write_from("a", Source::Bytes(b"x"), with(Condition::Absent))), Code::AlreadyExists);
    assert_eq!(
        refused(&|t| _ = t.write_from("a", Source::Bytes(b"x"), with(Condition::Checksum(wrong.clone())))),
        Code::Changed
    );
    let failing = || -> Box<dyn std::io::Read + Send> { Box::new(Failing) };
    let mut reader = failing();
    let mut transaction = Transaction::new(&workspace);
    transaction.write("a", "changed").write_from("new", Source::Reader(&mut *reader), WriteHow::default());
    transaction.commit().unwrap_err();
    assert_eq!(state(folder.path()), files(&pairs));
    let mut transaction = Transaction::new(&workspace);
    transaction.write("a", "changed");
    transaction.abort();
    assert_eq!(state(folder.path()), files(&pairs));
}

struct Failing;

impl std::io::Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("the source fails"))
    }
}

#[test]
fn conditions_that_hold_let_it_through() {
    let folder = folder(&[("a", "one")]);
    let workspace = open(folder.path());
    let how = |condition, mode| WriteHow { condition, mode };
    let mut transaction = Transaction::new(&workspace);
    let right = Condition::Checksum(of_bytes(Algorithm::Md5, b"one"));
    let then = Condition::Checksum(of_bytes(Algorithm::Blake3, b"two"));
    transaction.write_from("a", Source::Bytes(b"two"), how(right, None));
    transaction.write_from("a", Source::Bytes(b"three"), how(then, Some(0o600)));
    transaction.write_from("b", Source::Bytes(b"b"), how(Condition::Absent, Some(0o640)));
    transaction.commit().unwrap();
    assert_eq!(state(folder.path()), files(&[("a", "three"), ("b", "b")]));
    #[cfg(unix)]
    for (name, mode) in [("a", 0o600), ("b", 0o640)] {
        let found =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(folder.path().join(name)).unwrap().permissions());
        assert_eq!(found & 0o777, mode);
    }
}

#[cfg(unix)]
#[test]
fn links_are_written_through_and_moved_and_removed_as_themselves() {
    use std::os::unix::fs::symlink;
    let folder = folder(&[("real", "one"), ("other", "two")]);
    symlink("real", folder.path().join("l")).unwrap();
    symlink("real", folder.path().join("m")).unwrap();
    symlink("real", folder.path().join("n")).unwrap();
    let workspace = open(folder.path());
    let mut transaction = Transaction::new(&workspace);
    transaction.write("l", "ONE").rename("m", "other").delete("n");
    transaction.commit().unwrap();
    assert_eq!(state(folder.path()), files(&[("real", "ONE"), ("l", "-> real"), ("other", "-> real")]));
    let other = workspace.base().resolve("other", Follow::Parent).unwrap();
    let history: Vec<VersionKind> = workspace.store().versions(other.key()).unwrap().iter().map(|v| v.kind).collect();
    assert_eq!(history, [VersionKind::OutsideEdit], "what the link replaced is kept");
    let mut transaction = Transaction::new(&workspace);
    transaction.write("l", "x").delete("l");
    assert_eq!(transaction.commit().unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn an_edit_by_other_means_is_in_the_history_and_seen_as_such() {
    let folder = folder(&[("a", "one")]);
    let workspace = open(folder.path());
    let mut transaction = Transaction::new(&workspace);
    transaction.write("a", "two");
    transaction.commit().unwrap();
    fs::write(folder.path().join("a"), "edited").unwrap();
    let mut transaction = Transaction::new(&workspace);
    transaction.delete("a");
    let done = transaction.commit().unwrap();
    assert_eq!(done.results[0].outside_edit, Some(3));
    let bytes = FileVersionManager::new(&workspace).read_version("a", &Which::Number(3)).unwrap();
    assert_eq!(bytes, b"edited");
}

#[test]
fn an_edit_between_the_look_and_the_change_is_kept_too() {
    let folder = folder(&[("a", "one"), ("b", "two"), ("c", "three"), ("d", "four")]);
    let workspace = open(folder.path());
    let edit = |point: &str| {
        if point == "decided" {
            for name in ["a", "b", "c", "d"] {
                fs::write(folder.path().join(name), format!("{name} edited")).unwrap();
            }
        }
    };
    let options = TransactionOptions { watch: Some(&edit), ..TransactionOptions::default() };
    let mut transaction = Transaction::with(&workspace, options);
    transaction.write("a", "A").delete("b").rename("c", "e").copy("a", "d");
    let done = transaction.commit().unwrap();
    assert_eq!(state(folder.path()), files(&[("a", "A"), ("d", "A"), ("e", "three")]));
    let versions = FileVersionManager::new(&workspace);
    for name in ["a", "b", "c", "d"] {
        let all = versions.list_versions(name).unwrap();
        let kept = all.iter().find(|v| v.kind == VersionKind::OutsideEdit && v.number > 1).expect(name);
        let bytes = versions.read_version(name, &Which::Number(kept.number)).unwrap();
        assert_eq!(bytes, format!("{name} edited").into_bytes());
    }
    let newest = versions.read_version("a", &Which::Newest).unwrap();
    assert_eq!(newest, b"A", "the newest version is what stands there");
    assert!(done.results[0].outside_edit.is_some());
}

#[test]
fn nobody_carries_out_a_transaction_whose_owner_lives() {
    let folder = folder(&[("a", "old"), ("b", "old")]);
    let (reached, wait_reached) = mpsc::channel();
    let (go_on, wait_go_on) = mpsc::channel::<()>();
    let wait_go_on = std::sync::Mutex::new(wait_go_on);
    std::thread::scope(|scope| {
        let path = folder.path();
        scope.spawn(move || {
            let workspace = open(path);
            let reached = std::sync::Mutex::new(reached);
            let watch = |point: &str| {
                if point == "decided" {
                    reached.lock().unwrap().send(()).unwrap();
                    wait_go_on.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap();
                }
            };
            let options = TransactionOptions { watch: Some(&watch), ..TransactionOptions::default() };
            let mut transaction = Transaction::with(&workspace, options);
            transaction.write("a", "new").write("b", "new");
            transaction.commit().unwrap();
        });
        wait_reached.recv().unwrap();
        let other = open(folder.path());
        assert!(other.recovered().is_empty());
        assert_eq!(state(folder.path()), files(&[("a", "old"), ("b", "old")]));
        go_on.send(()).unwrap();
    });
    assert_eq!(state(folder.path()), files(&[("a", "new"), ("b", "new")]));
}

#[test]
fn transactions_that_name_the_same_files_in_any_order_wait_for_each_other() {
    let folder = folder(&[]);
    let names = ["a", "b", "c", "d"];
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let workspace = open(folder.path());
            scope.spawn(move || {
                for round in 0..8 {
                    let content = format!("{thread}-{round}");
                    let mut transaction = Transaction::new(&workspace);
                    for i in 0..4 {
                        transaction.write(names[(i + thread) % 4], &content);
                    }
                    transaction.commit().unwrap();
                }
            });
        }
    });
    let end = state(folder.path());
    assert_eq!(end.len(), 4);
    assert!(end.values().all(|content| content == &end["a"]), "{end:?}");
    assert_eq!(kinds(&open(folder.path()), "a").len(), 32);
}

#[test]
fn it_runs_under_locks_that_the_caller_holds_and_respects_those_of_others() {
    let folder = folder(&[("a", "one"), ("b", "two")]);
    let workspace = open(folder.path());
    let owner = Owner::new();
    let location = workspace.base().resolve("a", Follow::Whole).unwrap();
    let lock = LockOptions { owner, ..LockOptions::default() };
    let guard = workspace.locks().acquire(&location, LockType::Exclusive, &lock).unwrap();
    let impatient = LockOptions { timeout: Timeout::Try, ..LockOptions::default() };
    let without = TransactionOptions { lock: impatient, ..TransactionOptions::default() };
    let mut transaction = Transaction::with(&workspace, without.clone());
    transaction.write("a", "1").write("b", "1");
    assert_eq!(transaction.commit().unwrap_err().code(), Code::LockTimeout);
    assert_eq!(state(folder.path()), files(&[("a", "one"), ("b", "two")]));
    let mut transaction = Transaction::with(&workspace, TransactionOptions { held: vec![&guard], ..without });
    transaction.write("a", "1").write("b", "1");
    transaction.commit().unwrap();
    assert_eq!(state(folder.path()), files(&[("a", "1"), ("b", "1")]));
    assert!(guard.covers(&location));
}

#[test]
fn large_and_many_files_go_through() {
    let folder = folder(&[]);
    let workspace = open(folder.path());
    let large: Vec<u8> = (0..3_000_000u32).flat_map(|i| (i.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
    let mut transaction = Transaction::new(&workspace);
    transaction.write("large", &large).copy("large", "twin");
    let many: Vec<(String, String)> = (0..100).map(|n| (format!("many/{n}"), format!("content {n}"))).collect();
    for (name, content) in &many {
        transaction.write(name, content);
    }
    let done = transaction.commit().unwrap();
    assert_eq!(done.results.len(), 102);
    assert_eq!(fs::read(folder.path().join("twin")).unwrap(), large);
    let mut transaction = Transaction::new(&workspace);
    transaction.rename("large", "twin");
    for (name, _) in &many {
        transaction.delete(name);
    }
    transaction.commit().unwrap();
    assert_eq!(fs::read(folder.path().join("twin")).unwrap(), large);
    assert_eq!(fs::read_dir(folder.path()).unwrap().filter(|e| e.as_ref().unwrap().path().is_file()).count(), 3);
    assert_eq!(kinds(&workspace, "many/7"), [VersionKind::Write, VersionKind::Delete]);
}

#[test]
fn a_folder_that_is_opened_read_only_is_not_changed() {
    let folder = folder(&[("a", "one")]);
    let options = OpenOptions { read_only: true, ..OpenOptions::default() };
    let workspace = Workspace::open(folder.path(), &options).unwrap();
    let mut transaction = Transaction::new(&workspace);
    transaction.write("a", "x");
    assert_eq!(transaction.commit().unwrap_err().code(), Code::ReadOnly);
    assert!(!folder.path().join(".electrus").exists());
}

#[test]
fn an_empty_transaction_does_nothing() {
    let folder = folder(&[]);
    let workspace = open(folder.path());
    assert!(Transaction::new(&workspace).is_empty());
    assert!(Transaction::new(&workspace).commit().unwrap().results.is_empty());
    assert!(!folder.path().join(".electrus").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn more_files_than_there_are_descriptors_for_all_of_them_at_once() {
    use electrus::error::Error;
    let folder = folder(&[]);
    for (limit, count) in [("400", 300), ("100", 300)] {
        let mut command = std::process::Command::new("sh");
        let program = std::env::current_exe().unwrap();
        let script = format!("ulimit -n {limit}; exec \"$0\" --exact child_with_few_descriptors --nocapture --ignored");
        let child = command.arg("-c").arg(script).arg(program).env("ELECTRUS_TEST_FOLDER", folder.path());
        let output = child.env("ELECTRUS_TEST_COUNT", count.to_string()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match limit {
            "400" => assert!(text.contains("done 300"), "{text}"),
            _ => assert!(text.contains(&Error::new(Code::TooManyOpenFiles).to_string()), "{text}"),
        }
        let workspace = open(folder.path());
        assert!(workspace.recovered().is_empty());
        let found = state(folder.path());
        assert_eq!(found.len(), 300);
        assert!(found.values().all(|content| content == "400"), "{limit}");
    }
}

#[test]
#[ignore = "run by another test, in a process with few descriptors"]
fn child_with_few_descriptors() {
    let Ok(folder) = std::env::var("ELECTRUS_TEST_FOLDER") else { return };
    let count: usize = std::env::var("ELECTRUS_TEST_COUNT").unwrap().parse().unwrap();
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let limit = limits.lines().find(|l| l.starts_with("Max open files")).unwrap().split_whitespace().nth(3).unwrap();
    let workspace = open(Path::new(&folder));
    let mut transaction = Transaction::new(&workspace);
    for number in 0..count {
        transaction.write(format!("sub{}/{number}", number % 3), limit);
    }
    match transaction.commit() {
        Ok(done) => println!("done {}", done.results.len()),
        Err(e) => println!("{e}"),
    }
}
