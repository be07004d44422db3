//! A forked child shares the open file of its parent's lock, and must not give the lock back.

use super::*;

#[test]
fn dropping_a_guard_in_a_forked_child_leaves_the_parents_lock() {
    let place = Place::new();
    assert_eq!(child::answer(&mut child::command("fork", &place.file)), "kept");
}

/// In a process of its own, where no other test's threads are about.
pub fn drop_in_child(guard: LockGuard, location: &Location) {
    // SAFETY: the child only drops, asks and exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let covers = guard.covers(location);
        let refused = guard.release().is_err_and(|e| e.code() == Code::NotLocked);
        let options = LockOptions { timeout: Timeout::Try, ..LockOptions::default() };
        let locked_out = word(FileLockManager.acquire(location, Shared, &options)) == "lock_timeout";
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(if !covers && refused && locked_out { 7 } else { 8 }) };
    }
    let mut status = 0;
    // SAFETY: waits for the child that was just made.
    unsafe { libc::waitpid(child, &mut status, 0) };
    let sidecar = location.path().with_file_name("file.lock");
    let flock = std::process::Command::new("flock").arg("-n").arg(sidecar).arg("true").status().unwrap();
    let kept = libc::WEXITSTATUS(status) == 7 && flock.code() == Some(1) && guard.covers(location);
    println!("ANSWER {}", if kept { "kept" } else { "lost" });
}
