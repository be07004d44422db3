//! Changes under locks that somebody holds.

use super::*;
use electrus::lock::{LockOptions, LockType, Timeout};
use electrus::workspace::Hold;
use std::process::{Command, Stdio};

fn under(guard: &electrus::lock::LockGuard) -> ChangeOptions<'_> {
    ChangeOptions { hold: Hold::Use(guard), ..ChangeOptions::default() }
}

fn try_once() -> ChangeOptions<'static> {
    let hold = Hold::Take(LockOptions { timeout: Timeout::Try, ..LockOptions::default() });
    ChangeOptions { hold, ..ChangeOptions::default() }
}

#[test]
fn changes_run_under_a_lock_that_is_held() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let guard = handler.lock("f", LockType::Exclusive, &LockOptions::default()).unwrap();
    assert_eq!(handler.secure_write("f", Source::Bytes(b"1"), under(&guard)).unwrap().version, Some(1));
    let twice = handler.secure_write("f", Source::Bytes(b"2"), try_once()).unwrap_err();
    assert_eq!(twice.code(), Code::WouldDeadlock);
    let other = handler.secure_write("g", Source::Bytes(b"1"), under(&guard)).unwrap_err();
    assert_eq!(other.code(), Code::NotLocked);
    handler.copy("f", "copy", under(&guard)).unwrap();
    handler.rename("f", "moved", under(&guard)).unwrap();
    assert_eq!(handler.rename("copy", "copy2", under(&guard)).unwrap_err().code(), Code::NotLocked);
    guard.release().unwrap();
    assert_eq!(read(&handler, "moved"), "1");
    assert_eq!(names(tmp.path()), ["copy", "moved"]);
}

#[test]
fn a_shared_lock_does_not_serve_for_a_write() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "f", "1");
    let guard = handler.lock("f", LockType::Shared, &LockOptions::default()).unwrap();
    let refused = handler.secure_write("f", Source::Bytes(b"2"), under(&guard)).unwrap_err();
    assert_eq!(refused.code(), Code::NotLocked);
    handler.copy("f", "copy", under(&guard)).unwrap();
}

#[cfg(unix)]
#[test]
fn another_tools_lock_keeps_writes_away_and_reads_not() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "f", "1");
    let script = "echo ready; read line; true";
    let mut tool = Command::new("flock")
        .arg(tmp.path().join("f.lock"))
        .args(["sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(tool.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let locked = handler.secure_write("f", Source::Bytes(b"2"), try_once()).unwrap_err();
    assert_eq!(locked.code(), Code::LockTimeout);
    assert_eq!(read(&handler, "f"), "1");
    drop(tool.stdin.take());
    assert!(tool.wait().unwrap().success());
    assert_eq!(write(&handler, "f", "2").version, Some(2));
}
