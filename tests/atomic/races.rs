//! Many at once.

use super::child::Options as _;
use super::*;
use electrus::atomic::{remove_leftovers_in, write};
use electrus::error::Code;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[test]
fn of_many_who_create_a_file_exactly_one_does() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let target = at(folder.path().join(round.to_string()));
        let start = Barrier::new(8);
        let winners: Vec<u8> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8_u8)
                .map(|me| {
                    let (target, start) = (&target, &start);
                    scope.spawn(move || {
                        start.wait();
                        match write(target, &[me], &if_absent()) {
                            Ok(_) => Some(me),
                            Err(e) if e.code() == Code::AlreadyExists => None,
                            Err(e) => panic!("{e}"),
                        }
                    })
                })
                .collect();
            threads.into_iter().filter_map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(winners.len(), 1);
        assert_eq!(fs::read(target.path()).unwrap(), winners);
    }
    assert_eq!(names(folder.path()).len(), 20);
}

/// Adds one, so many times, each time only if nobody else did meanwhile.
pub fn increment(file: &Path, times: u32) {
    let target = at(file);
    for _ in 0..times {
        loop {
            let seen = fs::read(file).unwrap();
            let number: u64 = std::str::from_utf8(&seen).unwrap().parse().unwrap();
            match write(&target, (number + 1).to_string().as_bytes(), &if_content(&seen)) {
                Ok(_) => break,
                Err(e) if e.code() == Code::Changed => {}
                Err(e) => panic!("{e}"),
            }
        }
    }
}

#[test]
fn no_increment_of_many_threads_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counter");
    fs::write(&file, "0").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| increment(&file, 60));
        }
    });
    assert_eq!(fs::read_to_string(&file).unwrap(), "360");
    assert_eq!(names(folder.path()), ["counter"]);
}

#[cfg(not(feature = "process-locks"))]
#[test]
fn no_increment_of_several_processes_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counter");
    fs::write(&file, "0").unwrap();
    let children: Vec<_> = (0..3).map(|_| child::command("80", &file).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "240");
    assert_eq!(child::command("1", &file).answer(), "ok");
}

#[test]
fn clearing_up_never_takes_a_living_writers_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counter");
    fs::write(&file, "0").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                remove_leftovers_in(folder.path(), false).unwrap();
            }
        });
        let writers = [0, 1].map(|me| {
            let (file, folder) = (&file, &folder);
            scope.spawn(move || {
                increment(file, 100);
                for round in 0..100 {
                    put(folder.path().join(format!("{me}-{round}")), b"x").unwrap();
                }
            })
        });
        let writers = writers.map(|w| w.join());
        done.store(true, Relaxed);
        assert!(writers.iter().all(Result::is_ok));
    });
    assert_eq!(fs::read_to_string(&file).unwrap(), "200");
    assert_eq!(names(folder.path()).len(), 201);
}
