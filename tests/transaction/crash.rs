//! Crashes: a child process is killed, at a point or at any moment, and the folder is opened again.

use super::{State, files, open, state};
use electrus::error::Code;
use electrus::handler::AdvancedFileHandler;
use electrus::lock::{FileLockManager, LockOptions, LockType, Owner, Timeout};
use electrus::path::Location;
use electrus::store::{VersionKind, Which};
use electrus::transaction::{Found, Transaction, TransactionOptions};
use electrus::version::FileVersionManager;
use electrus::workspace::{ChangeOptions, Hold, OpenOptions, Source, Workspace};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const FOLDER: &str = "ELECTRUS_TEST_FOLDER";
const POINT: &str = "ELECTRUS_TEST_POINT";

/// Runs one test of this program, alone in a process of its own.
fn child(test: &str, folder: &Path, point: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--ignored"])
        .env(FOLDER, folder)
        .env(POINT, point)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn die() {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
}

/// Long enough for a machine with slow flushes.
const PATIENCE: Duration = Duration::from_secs(60);

const BEFORE: [(&str, &str); 5] = [("a", "a old"), ("b", "b old"), ("c", "c old"), ("d", "d old"), ("e", "e old")];

fn after() -> State {
    let mut after = files(&[("a", "a new"), ("n/m", "m new"), ("x", "c old"), ("d", "a new"), ("y", "e old")]);
    after.insert("e".into(), "d old".into());
    after
}

fn stage(transaction: &mut Transaction<'_>) {
    transaction.write("a", "a new").write("n/m", "m new").delete("b").rename("c", "x");
    transaction.rename("e", "y").rename("d", "e").copy("a", "d");
}

fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in BEFORE {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

#[test]
#[ignore = "run by others, in a process that dies"]
fn child_that_dies_at_a_point() {
    let (Ok(folder), Ok(at)) = (std::env::var(FOLDER), std::env::var(POINT)) else { return };
    let workspace = open(Path::new(&folder));
    let watch = |point: &str| {
        if point == at {
            die();
        }
    };
    let options = TransactionOptions { watch: Some(&watch), ..TransactionOptions::default() };
    let mut transaction = Transaction::with(&workspace, options);
    stage(&mut transaction);
    transaction.commit().unwrap();
}

fn crash_at(folder: &Path, point: &str) {
    let status = child("crash::child_that_dies_at_a_point", folder, point).wait().unwrap();
    assert!(!status.success(), "the child passed no point `{point}`");
}

/// Nothing of the transaction is left over in the folder; but where locks are those of one process only, nobody can
/// tell whose writer is dead: such files are marked, and stay until somebody says so.
fn assert_tidy(path: &Path) {
    let journals = path.join(".electrus/tx");
    if journals.exists() {
        let left = fs::read_dir(journals).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        assert_eq!(left.filter(|name| !name.ends_with(".guest")).count(), 0);
    }
    for folder in [path.to_owned(), path.join("n")] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.starts_with(".electrus-tmp-") || name.starts_with(".electrus-tmp-w-"), "{name}");
        }
    }
}

/// What stands there is in the history once the next change was made, and that change is the newest version.
fn assert_history_is_right(workspace: &Workspace, path: &Path) {
    let versions = FileVersionManager::new(workspace);
    for (name, content) in state(path) {
        let mut transaction = Transaction::new(workspace);
        transaction.write(&name, "next");
        let number = transaction.commit().unwrap().results[0].version.unwrap();
        let all = versions.list_versions(&name).unwrap();
        assert_eq!(all.last().unwrap().number, number);
        let read = |number| versions.read_version(&name, &Which::Number(number));
        let held = all.iter().any(|v| read(v.number).is_ok_and(|bytes| bytes == content.as_bytes()));
        assert!(held, "{name}: {content} is in no version");
    }
}

#[test]
fn before_the_decision_all_is_old_and_after_it_all_is_new() {
    let steps = (0..8).map(|step| format!("step {step}"));
    let points = ["locked", "staged", "recorded", "drafted", "decided"].map(str::to_owned).into_iter();
    let points = points.chain(steps).chain(["applied", "finished"].map(str::to_owned));
    let mut decided = false;
    for point in points {
        decided |= point == "decided";
        let folder = prepared();
        crash_at(folder.path(), &point);
        if !decided {
            assert_eq!(
                state(folder.path()).into_iter().filter(|(n, _)| !n.contains(".electrus-tmp")).collect::<State>(),
                files(&BEFORE),
                "{point}: even before it is opened"
            );
        }
        let workspace = open(folder.path());
        let expected = if decided { after() } else { files(&BEFORE) };
        assert_eq!(state(folder.path()), expected, "{point}");
        assert_eq!(workspace.recovered().len(), usize::from(decided && point != "finished"), "{point}");
        assert!(workspace.recovered().iter().all(|r| r.problem.is_none()), "{point}: {:?}", workspace.recovered());
        assert_tidy(folder.path());
        assert!(open(folder.path()).recovered().is_empty(), "{point}");
        assert_history_is_right(&workspace, folder.path());
    }
}

#[test]
fn a_crash_while_recovering_is_recovered_from() {
    let folder = prepared();
    crash_at(folder.path(), "step 2");
    // Whoever recovers may find any part of it done.
    for (name, content) in [("a", "a new"), ("x", "c old")] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    fs::remove_file(folder.path().join("b")).ok();
    open(folder.path());
    assert_eq!(state(folder.path()), after());
    assert_tidy(folder.path());
}

#[test]
fn what_is_neither_old_nor_new_goes_into_the_history_and_is_reported() {
    let folder = prepared();
    crash_at(folder.path(), "decided");
    for name in ["a", "b", "c", "n/m"] {
        fs::create_dir_all(folder.path().join("n")).unwrap();
        fs::write(folder.path().join(name), format!("{name} edited")).unwrap();
    }
    let workspace = open(folder.path());
    assert_eq!(state(folder.path()), after());
    let [recovered] = workspace.recovered() else { panic!("{:?}", workspace.recovered()) };
    let versions = FileVersionManager::new(&workspace);
    for name in ["a", "b", "c", "n/m"] {
        let file = recovered.files.iter().find(|f| f.path.ends_with(name)).unwrap();
        assert_eq!(file.found, Found::Other, "{name}");
        let number = file.outside_edit.expect(name);
        assert_eq!(versions.read_version(name, &Which::Number(number)).unwrap(), format!("{name} edited").as_bytes());
        let newest = versions.list_versions(name).unwrap().pop().unwrap();
        assert!(newest.number > number && newest.kind != VersionKind::OutsideEdit, "{name}: {newest:?}");
    }
    assert_eq!(recovered.files.iter().filter(|f| f.found == Found::Old).count(), recovered.files.len() - 4);
}

#[test]
fn a_change_by_a_program_that_runs_on_comes_after_the_transaction() {
    type Change = fn(&AdvancedFileHandler);
    type After = &'static [(&'static str, Option<&'static str>)];
    let changes: [(&str, Change, After); 5] = [
        ("write", |h| drop(h.secure_write("a", Source::Bytes(b"later"), options()).unwrap()), &[("a", Some("later"))]),
        ("delete", |h| drop(h.delete("a", options()).unwrap()), &[("a", None)]),
        ("rename", |h| drop(h.rename("x", "z", options()).unwrap()), &[("x", None), ("z", Some("c old"))]),
        ("lock", |h| drop(h.lock("a", LockType::Shared, &LockOptions::default()).unwrap()), &[]),
        (
            "transaction",
            |h| {
                let mut transaction = Transaction::new(h.workspace());
                transaction.write("a", "later").rename("y", "b");
                transaction.commit().unwrap();
            },
            &[("a", Some("later")), ("y", None), ("b", Some("e old"))],
        ),
    ];
    for (name, change, differences) in changes {
        let folder = prepared();
        let running = AdvancedFileHandler::open(folder.path(), &OpenOptions::default()).unwrap();
        crash_at(folder.path(), "step 1");
        if name == "rename" {
            fs::write(folder.path().join("c"), "c old").unwrap();
            fs::write(folder.path().join("x"), "c old").unwrap();
        }
        change(&running);
        let mut expected = after();
        for (file, content) in differences {
            match content {
                Some(content) => drop(expected.insert((*file).into(), (*content).into())),
                None => drop(expected.remove(*file)),
            }
        }
        assert_eq!(state(folder.path()), expected, "{name}");
        assert!(open(folder.path()).recovered().is_empty(), "{name}");
        assert_eq!(state(folder.path()), expected, "{name}");
        assert_tidy(folder.path());
    }
}

/// While another tool held the lock of one of the other files, a write went ahead and was acknowledged; later the
/// transaction was carried out all the same, and took the write back.
#[test]
fn a_change_that_an_interrupted_transaction_would_undo_is_refused_until_that_is_carried_out() {
    let folder = prepared();
    let running = AdvancedFileHandler::open(folder.path(), &OpenOptions::default()).unwrap();
    crash_at(folder.path(), "decided");
    let journal = fs::read_dir(folder.path().join(".electrus/tx")).unwrap().next().unwrap().unwrap().path();
    let id = journal.file_stem().unwrap().to_str().unwrap().to_owned();
    let other = Location::ordinary(folder.path().join("b")).unwrap();
    let theirs = LockOptions { owner: Owner::new(), ..LockOptions::default() };
    let held = FileLockManager.acquire(&other, LockType::Exclusive, &theirs).unwrap();
    let write = |timeout| {
        let hold = Hold::Take(LockOptions { timeout, ..LockOptions::default() });
        running.secure_write("a", Source::Bytes(b"later"), ChangeOptions { hold, ..options() })
    };
    for timeout in [Timeout::Try, Timeout::After(Duration::from_millis(300))] {
        let start = Instant::now();
        let refused = write(timeout).unwrap_err();
        assert_eq!(refused.code(), Code::LockTimeout);
        assert!(refused.words().contains(&id) && refused.path().unwrap().ends_with("a"), "{refused}");
        assert!(timeout == Timeout::Try || start.elapsed() >= Duration::from_millis(300));
    }
    assert_eq!(state(folder.path()), files(&BEFORE));
    running.secure_write("unrelated", Source::Bytes(b"x"), options()).unwrap();

    let patient = std::thread::scope(|scope| {
        let patient = scope.spawn(|| write(Timeout::After(Duration::from_secs(30))));
        std::thread::sleep(Duration::from_millis(100));
        held.release().unwrap();
        patient.join().unwrap()
    });
    assert_eq!(patient.unwrap().outside_edit, None);
    let mut expected = after();
    expected.extend([("a".to_owned(), "later".to_owned()), ("unrelated".to_owned(), "x".to_owned())]);
    assert_eq!(state(folder.path()), expected);
    assert!(open(folder.path()).recovered().is_empty());
    assert_eq!(state(folder.path()), expected);
}

fn options<'a>() -> ChangeOptions<'a> {
    ChangeOptions::default()
}

#[test]
fn a_damaged_journal_is_reported_and_never_obeyed() {
    let folder = prepared();
    crash_at(folder.path(), "decided");
    let journals = folder.path().join(".electrus/tx");
    let journal = fs::read_dir(&journals).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&journal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&journal, &bytes).unwrap();
    for _ in 0..2 {
        let workspace = open(folder.path());
        let [recovered] = workspace.recovered() else { panic!() };
        assert_eq!(recovered.problem.as_ref().unwrap().code(), Code::Damaged);
        assert_eq!(state(folder.path()), files(&BEFORE));
        assert_eq!(fs::read(&journal).unwrap(), bytes);
    }
    // A folder that is opened to be read only is looked at, and left.
    bytes[middle] ^= 4;
    fs::write(&journal, &bytes).unwrap();
    let read_only = OpenOptions { read_only: true, ..OpenOptions::default() };
    Workspace::open(folder.path(), &read_only).unwrap();
    assert_eq!(state(folder.path()), files(&BEFORE));
    open(folder.path());
    assert_eq!(state(folder.path()), after());
}

#[test]
#[ignore = "run by others, in a process that dies"]
fn child_that_keeps_two_files_equal() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let workspace = open(Path::new(&folder));
    let read = |name: &str| fs::read_to_string(Path::new(&folder).join(name)).unwrap_or_default();
    let start: u64 = read("a").split_whitespace().next().unwrap_or("0").parse().unwrap();
    for number in start + 1.. {
        let content = format!("{number} {}", "x".repeat((number as usize * 7919) % 70_000));
        let mut transaction = Transaction::new(&workspace);
        transaction.write("a", &content).write("sub/b", &content);
        match number % 3 {
            0 => transaction.rename("extra", "other").write("extra", &content),
            1 => transaction.write("extra", &content),
            _ => transaction.copy("a", "extra"),
        };
        transaction.commit().unwrap();
        println!("done {number}");
    }
}

#[test]
fn two_files_stay_equal_however_often_their_writer_is_killed() {
    let kills: u64 = std::env::var("ELECTRUS_TEST_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(50);
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for kill in 0..kills {
        let mut writer = child("crash::child_that_keeps_two_files_equal", folder.path(), "");
        let output = BufReader::new(writer.stdout.take().unwrap());
        let (begun, begins) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            let done = |line: String| line.strip_prefix("done ").map(|n| n.parse::<u64>().unwrap());
            let begun = |_: &u64| begun.send(()).unwrap_or_default();
            output.lines().map_while(Result::ok).filter_map(done).inspect(begun).last()
        });
        // Most are killed at work, however slow that is here; some while they recover or open the folder.
        if kill % 4 > 0 {
            begins.recv_timeout(PATIENCE).expect("the writer gets to work");
        }
        std::thread::sleep(Duration::from_millis(kill * 37 % 60));
        assert!(writer.try_wait().unwrap().is_none(), "the writer stopped by itself");
        writer.kill().unwrap();
        writer.wait().unwrap();
        acknowledged = reader.join().unwrap().unwrap_or(acknowledged);
        // The next writer recovers, and may be killed at that too.
        if kill % 3 == 1 {
            continue;
        }
        let workspace = open(folder.path());
        assert!(workspace.recovered().iter().all(|r| r.problem.is_none()), "{:?}", workspace.recovered());
        let found = state(folder.path());
        let number = |name: &str| found.get(name).map(|c| c.split_whitespace().next().unwrap().parse::<u64>().unwrap());
        assert_eq!(found.get("a"), found.get("sub/b"), "kill {kill}");
        assert_eq!(found.get("a"), found.get("extra"), "kill {kill}");
        assert!(number("a").unwrap_or(0) >= acknowledged, "kill {kill}: {acknowledged} was acknowledged");
        assert_tidy(folder.path());
    }
    assert!(acknowledged > kills / 2, "too few transactions to mean anything: {acknowledged}");
}
