//! Processes of ours among themselves.

use super::*;

#[test]
fn processes_exclude_each_other() {
    let place = Place::new();
    let attempt = |task| child::answer(&mut child::command(task, &place.file));
    let held = child::holding("hold-exclusive", &place.file);
    assert_eq!((attempt("try-exclusive").as_str(), place.attempt(Shared)), ("lock_timeout", "lock_timeout"));
    held.finish();
    let held = child::holding("hold-shared", &place.file);
    assert_eq!((attempt("try-exclusive").as_str(), place.attempt(Shared)), ("lock_timeout", "ok"));
    assert_eq!(attempt("try-shared"), "ok");
    held.finish();
    assert_eq!(attempt("try-exclusive"), "ok");
}

#[test]
fn holders_in_other_processes_are_told_with_their_time() {
    let place = Place::new();
    let before = electrus::time::Timestamp::now();
    let others = [child::holding("hold-shared", &place.file), child::holding("hold-shared", &place.file)];
    let own = place.take(Shared);
    let holders = place.holders();
    assert_eq!(holders.len(), 3, "{holders:?}");
    assert_eq!((holders[0].pid, holders[0].source), (Some(std::process::id()), "process"));
    for other in &others {
        let holder = holders.iter().find(|h| h.pid == Some(other.id())).unwrap();
        assert_eq!((holder.kind, holder.source), (Some(Shared), "record"));
        assert!(
            holder.since.unwrap().seconds >= before.seconds
                && holder.since.unwrap() <= electrus::time::Timestamp::now()
        );
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(holder.host.as_deref(), Some(host.trim()));
    }
    drop(own);
    drop(others);
    assert_eq!(place.holders(), []);
}

#[test]
fn a_record_that_lies_is_not_believed() {
    let place = Place::new();
    let held = child::holding("hold-exclusive", &place.file);
    let told = std::fs::read_to_string(&place.sidecar).unwrap();
    let start = told.split_whitespace().nth(4).unwrap().to_owned();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for (was, lie) in [(start.as_str(), "1"), (boot.trim(), "00000000-0000-0000-0000-000000000000")] {
        std::fs::write(&place.sidecar, told.replace(was, &format!("{lie:<width$}", width = was.len()))).unwrap();
        let holders = place.holders();
        assert_eq!((holders[0].pid, holders[0].since, holders[0].source), (Some(held.id()), None, "kernel"));
    }
    for garbage in [&b"electrus-lock 1\n"[..], b"electrus-lock 1\nx", &[0xff; 5000], &told.as_bytes()[..100]] {
        std::fs::write(&place.sidecar, garbage).unwrap();
        assert_eq!(place.holders()[0].source, "kernel");
    }
    std::fs::write(&place.sidecar, &told).unwrap();
    assert_eq!(place.holders()[0].source, "record");
    held.finish();
    assert_eq!(place.holders(), [], "a record without a lock is not a holder");
}

#[test]
fn a_symbolic_link_and_its_target_share_one_lock() {
    let place = Place::new();
    std::fs::write(&place.file, "x").unwrap();
    let link = place.folder.path().join("link");
    std::os::unix::fs::symlink("file", &link).unwrap();
    let held = child::holding("hold-exclusive", &link);
    assert_eq!(place.attempt(Shared), "lock_timeout");
    assert!(!place.folder.path().join("link.lock").exists());
    held.finish();
}

#[test]
fn a_waiting_process_is_woken_by_the_release() {
    let place = Place::new();
    for _ in 0..5 {
        let guard = place.take(Exclusive);
        let mut command = child::command("try-exclusive", &place.file);
        let mut waiting = Task::start(child::seconds(&mut command, -1.0));
        std::thread::sleep(Duration::from_millis(100));
        guard.release().unwrap();
        assert_eq!(waiting.hear(), "ok");
        waiting.finish();
    }
}

#[test]
fn increments_of_four_processes_are_all_counted() {
    let place = Place::new();
    std::fs::write(&place.file, 0_u64.to_le_bytes()).unwrap();
    let mut counting: Vec<_> =
        (0..4).map(|_| Task::start(child::times(&mut child::command("count", &place.file), 500))).collect();
    counting.iter_mut().for_each(|task| assert_eq!(task.hear(), "done"));
    assert_eq!(std::fs::read(&place.file).unwrap(), 2000_u64.to_le_bytes());
}
