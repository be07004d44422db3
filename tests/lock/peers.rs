//! Other people's tools exclude us, and we them.

use super::*;
use std::process::Command;

/// `flock` that holds a sidecar until its input ends.
fn flock(sidecar: &Path, how: &str) -> Task {
    let script = "echo ANSWER ok; exec cat >/dev/null";
    Task::start(Command::new("flock").arg(how).arg(sidecar).args(["-c", script])).ready()
}

/// Whether `flock` gets it now.
fn flock_gets(sidecar: &Path, how: &str) -> bool {
    let status = Command::new("flock").args(["-n", how]).arg(sidecar).arg("true").status().unwrap();
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    status.success()
}

#[test]
fn flock_excludes_us() {
    let place = Place::new();
    let theirs = flock(&place.sidecar, "-x");
    assert_eq!((place.attempt(Exclusive), place.attempt(Shared)), ("lock_timeout", "lock_timeout"));
    theirs.finish();
    assert_eq!(place.attempt(Exclusive), "ok");
    let theirs = flock(&place.sidecar, "-s");
    assert_eq!((place.attempt(Exclusive), place.attempt(Shared)), ("lock_timeout", "ok"));
    theirs.finish();
    assert_eq!(place.attempt(Exclusive), "ok");
}

#[test]
fn we_exclude_flock() {
    let place = Place::new();
    let ours = place.take(Exclusive);
    assert!(!flock_gets(&place.sidecar, "-x") && !flock_gets(&place.sidecar, "-s"));
    ours.release().unwrap();
    let ours = place.take(Shared);
    assert!(!flock_gets(&place.sidecar, "-x") && flock_gets(&place.sidecar, "-s"));
    ours.release().unwrap();
    assert!(flock_gets(&place.sidecar, "-x"));
}

#[test]
fn flock_waits_for_us_and_we_for_flock() {
    let place = Place::new();
    let ours = place.take(Exclusive);
    let mut theirs = Task::start(Command::new("flock").arg(&place.sidecar).args(["-c", "echo ANSWER ok; exec cat"]));
    std::thread::sleep(Duration::from_millis(50));
    ours.release().unwrap();
    assert_eq!(theirs.hear(), "ok");
    std::thread::scope(|s| {
        let waiting = s.spawn(|| place.take(Exclusive));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        theirs.finish();
        waiting.join().unwrap().release().unwrap();
    });
}

#[test]
fn a_foreign_holder_is_told_by_the_kernel() {
    for (how, kind) in [("-x", Exclusive), ("-s", Shared)] {
        let place = Place::new();
        let theirs = flock(&place.sidecar, how);
        let holders = place.holders();
        assert_eq!(holders.len(), 1, "{holders:?}");
        let holder = &holders[0];
        assert_eq!((holder.pid, holder.kind, holder.source), (Some(theirs.id()), Some(kind), "kernel"));
        assert_eq!(holder.since, None);
        theirs.finish();
        assert_eq!(place.holders(), []);
        assert!(!FileLockManager.is_locked(&place.location()).unwrap());
    }
}

#[test]
fn the_heirs_of_a_dead_holder_are_told() {
    let place = Place::new();
    // flock(1) on a descriptor ends at once and leaves the lock to the shell.
    let script = format!("exec 9>'{}'; flock -x 9; echo ANSWER ok; exec cat", place.sidecar.display());
    let theirs = Task::start(Command::new("sh").args(["-c", &script])).ready();
    let holders = place.holders();
    assert_eq!(holders.iter().map(|h| h.pid).collect::<Vec<_>>(), [Some(theirs.id())], "{holders:?}");
    theirs.finish();
}

const HOLD: &str = "
import filelock, sys
with filelock.FileLock(sys.argv[1], timeout=20):
    print('ANSWER ok', flush=True)
    sys.stdin.read()
";

const TRY: &str = "
import filelock, sys
try:
    with filelock.FileLock(sys.argv[1], timeout=0):
        print('ANSWER ok')
except filelock.Timeout:
    print('ANSWER timeout')
";

/// The newest, and the last that truncated what it locked.
const FILELOCKS: [&str; 2] = ["filelock", "filelock<3.20"];

fn python(package: &str, script: &str, sidecar: &Path) -> Command {
    let mut command = Command::new(common::python::with(package).expect("a Python with filelock"));
    command.args(["-c", script]).arg(sidecar);
    command
}

#[test]
fn filelock_excludes_us() {
    for package in FILELOCKS {
        let place = Place::new();
        let theirs = Task::start(&mut python(package, HOLD, &place.sidecar)).ready();
        assert_eq!((place.attempt(Exclusive), place.attempt(Shared)), ("lock_timeout", "lock_timeout"));
        let holders = place.holders();
        assert_eq!((holders.len(), holders[0].pid, holders[0].source), (1, Some(theirs.id()), "kernel"));
        theirs.finish();
        assert_eq!(place.attempt(Exclusive), "ok");
    }
}

#[test]
fn we_exclude_filelock() {
    for package in FILELOCKS {
        for kind in [Exclusive, Shared] {
            let place = Place::new();
            let ours = place.take(kind);
            assert_eq!(child::answer(&mut python(package, TRY, &place.sidecar)), "timeout");
            assert_eq!(place.holders().len(), 1);
            ours.release().unwrap();
            assert_eq!(child::answer(&mut python(package, TRY, &place.sidecar)), "ok");
        }
    }
}

#[test]
fn a_truncated_record_is_written_again() {
    let place = Place::new();
    let ours = child::holding("hold-exclusive", &place.file);
    assert_eq!(place.holders()[0].source, "record");
    assert_eq!(child::answer(&mut python("filelock<3.20", TRY, &place.sidecar)), "timeout");
    assert_eq!(std::fs::metadata(&place.sidecar).unwrap().len(), 0, "this version truncates");
    let holders = place.holders();
    assert_eq!((holders[0].pid, holders[0].source), (Some(ours.id()), "kernel"));
    ours.finish();
    let ours = child::holding("hold-exclusive", &place.file);
    assert_eq!(place.holders()[0].source, "record");
    ours.finish();
}

#[test]
fn a_killed_holder_holds_nothing() {
    let place = Place::new();
    for kill_ours in [true, false] {
        let holder = match kill_ours {
            true => child::holding("hold-exclusive", &place.file),
            false => Task::start(&mut python("filelock", HOLD, &place.sidecar)).ready(),
        };
        std::thread::scope(|s| {
            let waiting = s.spawn(|| place.take(Exclusive));
            std::thread::sleep(Duration::from_millis(50));
            assert!(!waiting.is_finished());
            holder.kill();
            waiting.join().unwrap().release().unwrap();
        });
        assert_eq!(place.holders(), []);
    }
}

#[test]
fn an_unlock_without_a_close_is_noticed() {
    let place = Place::new();
    let script = "
import fcntl, sys
f = open(sys.argv[1], 'a')
fcntl.flock(f, fcntl.LOCK_EX)
print('ANSWER ok', flush=True)
sys.stdin.readline()
fcntl.flock(f, fcntl.LOCK_UN)
import time; time.sleep(60)
";
    let mut theirs = Task::start(Command::new("python3").args(["-c", script]).arg(&place.sidecar)).ready();
    std::thread::scope(|s| {
        let waiting = s.spawn(|| place.take(Exclusive));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!waiting.is_finished());
        theirs.tell();
        waiting.join().unwrap();
    });
}

#[test]
fn cargos_own_lock_file_survives() {
    let place = Place::new();
    let folder = place.folder.path();
    std::fs::write(folder.join("Cargo"), "a file of that name").unwrap();
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let before = std::fs::read(folder.join("Cargo.lock")).unwrap();
    let cargo = Location::ordinary(folder.join("Cargo")).unwrap();
    let guard = FileLockManager.acquire(&cargo, Exclusive, &LockOptions::default()).unwrap();
    assert!(!flock_gets(&folder.join("Cargo.lock"), "-s"));
    let other = child::answer(&mut child::command("try-shared", &folder.join("Cargo")));
    assert_eq!(other, "lock_timeout");
    guard.release().unwrap();
    assert_eq!(child::answer(&mut child::command("try-exclusive", &folder.join("Cargo"))), "ok");
    assert_eq!(std::fs::read(folder.join("Cargo.lock")).unwrap(), before);
}
