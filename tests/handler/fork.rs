//! A forked child has its parent's descriptors, and none of its locks and threads.

use super::*;
use electrus::backup::CreateOptions;
use electrus::progress::Progress;
use std::fs;
use std::process::Command;

const CHILD: &str = "ELECTRUS_TEST_FORK";

/// Runs a test of this file in a process of its own, where no other test's threads are about.
fn alone(test: &str, base: &Path) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("fork::{test}"), "--nocapture"]).env(CHILD, base);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Forks a child that does this and ends; its process number.
fn fork(work: impl FnOnce()) -> i32 {
    // SAFETY: only this thread goes on in the child, and it waits for no other.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_ok();
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(if done { 7 } else { 8 }) };
    }
    child
}

/// Whether the child did all its work. One that waits for what never comes is ended after a minute.
fn succeeded(child: i32) -> bool {
    for _ in 0..6000 {
        let mut status = 0;
        // SAFETY: asks for the state of a child of this process.
        if unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } == child {
            return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // SAFETY: as above; it has not been waited for, so the number is still its own.
    unsafe { libc::kill(child, libc::SIGKILL) };
    false
}

fn active(base: &Path) -> usize {
    fs::read_dir(base.join(".electrus/active")).unwrap().count()
}

/// Once, parent and children appended at the same time, because the lock of an open file that they share keeps none of
/// them out; and the first child to end gave back what kept its parent's temporary files.
#[test]
#[cfg(not(feature = "process-locks"))] // whose locks are of one process
fn children_write_through_an_inherited_handler_as_any_other_process_does() {
    let Some(base) = std::env::var_os(CHILD) else {
        let tmp = tempfile::tempdir().unwrap();
        return alone("children_write_through_an_inherited_handler_as_any_other_process_does", tmp.path());
    };
    let base = Path::new(&base);
    // Each process drops its own.
    let mut held = Some(open(base));
    let handler = held.clone().unwrap();
    write(&handler, "common", "first");
    let mut session = Some(handler.workspace().store().begin().unwrap());
    let noted = active(base);
    let work = |handler: &AdvancedFileHandler, name: &str| {
        for n in 0..40 {
            assert_eq!(write(handler, name, &format!("{name} {n}")).version, Some(n + 1));
            write(handler, "common", &format!("{n} of {name}"));
        }
    };
    let children: Vec<i32> = (0..4)
        .map(|child| {
            fork(|| {
                drop(session.take());
                work(&handler, &format!("child {child}"));
                handler.close().unwrap();
                drop(held.take());
            })
        })
        .collect();
    work(&handler, "parent");
    assert!(children.into_iter().all(succeeded));
    assert_eq!(active(base), noted, "the parent's entry stays, those of the children went with them");
    drop(session.take());
    for handler in [open(base), handler] {
        assert_eq!(handler.verify(&Progress::new()).unwrap().damaged, []);
        assert_eq!(handler.versions().list_versions("common").unwrap().len(), 201);
        for name in ["parent", "child 0", "child 1", "child 2", "child 3"] {
            let versions = handler.versions().list_versions(name).unwrap();
            assert_eq!(versions.len(), 40, "{name}");
            assert_eq!(read(&handler, name), format!("{name} 39"));
        }
    }
}

/// Once, work that was divided waited for ever in a child: the threads that it was given to are the parent's.
#[test]
fn a_child_of_a_process_that_used_all_cores_uses_them_too() {
    let Some(base) = std::env::var_os(CHILD) else {
        let tmp = tempfile::tempdir().unwrap();
        return alone("a_child_of_a_process_that_used_all_cores_uses_them_too", tmp.path());
    };
    let base = Path::new(&base);
    for n in 0..100 {
        fs::write(base.join(format!("f{n}")), vec![n; 5000]).unwrap();
    }
    let handler = open(base);
    let noise: String = (0..3_000_000u64).map(|n| (b'a' + (n * n % 10_007 % 26) as u8) as char).collect();
    write(&handler, "big", &noise);
    let use_all = |name: &str| {
        let backups = handler.backups().unwrap();
        backups.create(Some(name), &["."], &CreateOptions::default()).unwrap();
        assert!(backups.verify(Some(name), &Default::default()).unwrap().ok);
        assert_eq!(handler.verify(&Progress::new()).unwrap().damaged, []);
    };
    use_all("parent");
    assert!(succeeded(fork(|| use_all("child"))));
    assert_eq!(handler.backups().unwrap().list().unwrap().len(), 2);
}

/// What a child drops that its parent is writing stays.
#[test]
fn a_child_does_not_remove_the_temporary_file_of_its_parent() {
    let Some(base) = std::env::var_os(CHILD) else {
        let tmp = tempfile::tempdir().unwrap();
        return alone("a_child_does_not_remove_the_temporary_file_of_its_parent", tmp.path());
    };
    use std::io::Write;
    let handler = open(Path::new(&base));
    let mut held = Some(handler.writer("f", ChangeOptions::default()).unwrap());
    let writer = held.as_mut().unwrap();
    writer.write_all(b"whole").unwrap();
    assert!(succeeded(fork(|| drop(held.take()))));
    let other = open(Path::new(&base)); // clears away what the dead have left
    held.take().unwrap().commit().unwrap();
    assert_eq!(read(&other, "f"), "whole");
}
