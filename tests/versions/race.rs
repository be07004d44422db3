//! Several writers of one file.

use super::*;
use electrus::lock::{LockOptions, Timeout};
use electrus::progress::Progress;
use electrus::workspace::Hold;
use std::collections::HashSet;
use std::fs;
use std::process::Command;

const CHILD: &str = "ELECTRUS_TEST_RACE";
const EACH: usize = 500;

fn patient() -> ChangeOptions<'static> {
    let hold = Hold::Take(LockOptions { timeout: Timeout::Forever, ..LockOptions::default() });
    ChangeOptions { hold, ..ChangeOptions::default() }
}

/// What each of the two processes does.
#[test]
fn child_of_two_processes() {
    let Some(base) = std::env::var_os(CHILD) else { return };
    let handler = open(Path::new(&base));
    for n in 0..EACH {
        let text = format!("{}-{n}", std::process::id());
        handler.secure_write("f", Source::Bytes(text.as_bytes()), patient()).unwrap();
    }
    handler.close().unwrap();
}

#[test]
fn two_processes_in_tight_loops_make_a_thousand_versions() {
    let tmp = tempfile::tempdir().unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "race::child_of_two_processes"])
            .env(CHILD, tmp.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let children = [start(), start()];
    let pids: Vec<u32> = children.iter().map(std::process::Child::id).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let handler = open(tmp.path());
    let versions = handler.versions().list_versions("f").unwrap();
    let numbers: Vec<u64> = versions.iter().map(|v| v.number).collect();
    assert_eq!(numbers, (1..=2 * EACH as u64).collect::<Vec<_>>());
    assert!(versions.iter().all(|v| v.kind.name() == "write" && !v.conflict));
    let found: HashSet<String> = contents(&handler, "f").into_iter().collect();
    let expected = pids.iter().flat_map(|pid| (0..EACH).map(move |n| format!("{pid}-{n}"))).collect();
    assert_eq!(found, expected);
    assert_eq!(handler.verify(&Progress::new()).unwrap().damaged, []);
    assert_no_litter(tmp.path());
}

#[test]
fn threads_share_one_handler() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let handler = &handler;
            scope.spawn(move || {
                for n in 0..25 {
                    let text = format!("{thread}-{n}");
                    handler.secure_write("shared", Source::Bytes(text.as_bytes()), patient()).unwrap();
                    write(handler, &format!("own{thread}"), &text);
                }
            });
        }
    });
    assert_eq!(history(&handler, "shared").len(), 100);
    for thread in 0..4 {
        assert_eq!(contents(&handler, &format!("own{thread}")).len(), 25);
    }
}

#[test]
fn an_outside_program_between_two_of_ours_loses_nothing() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    let mut expected = Vec::new();
    for n in 0..50 {
        let (ours, theirs) = (format!("ours {n}"), format!("them {n}"));
        write(&handler, "f", &ours);
        match n % 3 {
            0 => fs::write(tmp.path().join("f"), &theirs).unwrap(),
            1 => {
                fs::write(tmp.path().join("theirs"), &theirs).unwrap();
                fs::rename(tmp.path().join("theirs"), tmp.path().join("f")).unwrap();
            }
            _ => {
                fs::remove_file(tmp.path().join("f")).unwrap();
                fs::write(tmp.path().join("f"), &theirs).unwrap();
            }
        }
        expected.extend([ours, theirs]);
    }
    handler.versions().create_version("f", ChangeOptions::default()).unwrap();
    assert_eq!(contents(&handler, "f"), expected);
}

/// A program that takes no lock puts files of its own under the name for as long as it is not stopped. It exchanges
/// names, and so knows what it took out itself: the numbers of those of its files of which that is not so.
#[cfg(target_os = "linux")]
fn exchange_until(stop: &std::sync::atomic::AtomicBool, folder: &Path) -> HashSet<String> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let (theirs, file) = (folder.join("theirs"), folder.join("f"));
    let mut missing = HashSet::new();
    for n in 0.. {
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            break;
        }
        let content = format!("theirs {n}");
        fs::write(&theirs, &content).unwrap();
        renameat_with(CWD, &theirs, CWD, &file, RenameFlags::EXCHANGE).unwrap();
        missing.insert(content);
        missing.remove(&fs::read_to_string(&theirs).unwrap());
        fs::remove_file(&theirs).unwrap();
    }
    missing
}

/// What such a program wrote, and did not take out itself, one of our writes took out (or it stands there in the end):
/// all of that must be in the history.
#[test]
#[cfg(target_os = "linux")]
fn an_outside_program_in_a_loop_never_loses_what_we_replace() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = open(tmp.path());
    write(&handler, "f", "start");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let taken = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| exchange_until(&stop, tmp.path()));
        for n in 0..60 {
            write(&handler, "f", &format!("ours {n}"));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        theirs.join().unwrap()
    });
    handler.versions().create_version("f", ChangeOptions::default()).unwrap();
    let kept: HashSet<String> = contents(&handler, "f").into_iter().collect();
    let ours: HashSet<String> = (0..60).map(|n| format!("ours {n}")).collect();
    let lost: Vec<&String> = taken.union(&ours).filter(|content| !kept.contains(*content)).collect();
    assert!(lost.is_empty(), "{lost:?} are in no version");
    assert!(taken.len() > 10, "too few were taken out by us to mean anything: {}", taken.len());
    assert_eq!(contents(&handler, "f").last().unwrap(), &fs::read_to_string(tmp.path().join("f")).unwrap());
    assert_eq!(handler.verify(&Progress::new()).unwrap().damaged, []);
    assert_no_litter(tmp.path());
}
