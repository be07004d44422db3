use super::*;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Instant;

/// Long enough for a loaded machine, short enough to fail.
const PATIENCE: Duration = Duration::from_secs(60);

fn place() -> (tempfile::TempDir, Location) {
    let tmp = tempfile::tempdir().unwrap();
    let location = Location::ordinary(tmp.path().join("file")).unwrap();
    (tmp, location)
}

fn within(timeout: Timeout) -> LockOptions {
    LockOptions { timeout, ..LockOptions::default() }
}

fn another(timeout: Timeout) -> LockOptions {
    LockOptions { timeout, owner: Owner::new(), ..LockOptions::default() }
}

fn locks() -> FileLockManager {
    FileLockManager
}

fn code(answer: Result<LockGuard>) -> Code {
    answer.map(|_| ()).unwrap_err().code()
}

use LockType::{Exclusive, Shared};

#[test]
fn seconds_become_time_outs() {
    assert_eq!(Timeout::from_seconds(0.0).unwrap(), Timeout::Try);
    assert_eq!(Timeout::from_seconds(-0.0).unwrap(), Timeout::Try);
    assert_eq!(Timeout::from_seconds(-1.0).unwrap(), Timeout::Forever);
    assert_eq!(Timeout::from_seconds(-1e-300).unwrap(), Timeout::Forever);
    for endless in [f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 1e300] {
        assert_eq!(Timeout::from_seconds(endless).unwrap(), Timeout::Forever);
    }
    assert_eq!(Timeout::from_seconds(0.25).unwrap(), Timeout::After(Duration::from_millis(250)));
    assert_eq!(Timeout::from_seconds(f64::NAN).unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(Timeout::default(), Timeout::After(Duration::from_secs(10)));
}

#[test]
fn guards_may_go_to_other_threads() {
    fn sendable<T: Send + Sync>() {}
    sendable::<LockGuard>();
    sendable::<FileLockManager>();
}

#[test]
fn owners_are_never_the_same_again() {
    let here = Owner::thread();
    assert_eq!(here, Owner::thread());
    assert_ne!(here, Owner::new());
    let there = std::thread::spawn(Owner::thread).join().unwrap();
    assert_ne!(there, std::thread::spawn(Owner::thread).join().unwrap());
    assert_ne!(here, there);
}

#[test]
fn an_exclusive_lock_keeps_others_out_and_shared_ones_keep_out_writers() {
    let (_tmp, file) = place();
    let exclusive = locks().acquire(&file, Exclusive, &within(Timeout::Try)).unwrap();
    assert_eq!(code(locks().acquire(&file, Exclusive, &another(Timeout::Try))), Code::LockTimeout);
    assert_eq!(code(locks().acquire(&file, Shared, &another(Timeout::Try))), Code::LockTimeout);
    exclusive.release().unwrap();
    let one = locks().acquire(&file, Shared, &within(Timeout::Try)).unwrap();
    let two = locks().acquire(&file, Shared, &another(Timeout::Try)).unwrap();
    assert_eq!(code(locks().acquire(&file, Exclusive, &another(Timeout::Try))), Code::LockTimeout);
    drop((one, two));
    locks().acquire(&file, Exclusive, &within(Timeout::Try)).unwrap();
}

#[test]
fn the_same_owner_asking_again_is_told_at_once() {
    let (_tmp, file) = place();
    for held in [Exclusive, Shared] {
        let guard = locks().acquire(&file, held, &LockOptions::default()).unwrap();
        for asked in [Exclusive, Shared] {
            let asked = locks().acquire(&file, asked, &within(Timeout::Forever));
            assert_eq!(code(asked), Code::WouldDeadlock);
        }
        assert_eq!(guard.kind(), held);
    }
    let owner = Owner::new();
    let options = LockOptions { owner, ..LockOptions::default() };
    let guard = locks().acquire(&file, Exclusive, &options).unwrap();
    let elsewhere = std::thread::scope(|s| s.spawn(|| code(locks().acquire(&file, Shared, &options))).join().unwrap());
    assert_eq!(elsewhere, Code::WouldDeadlock);
    drop(guard);
    locks().acquire(&file, Exclusive, &options).unwrap();
}

#[test]
fn a_wait_ends_when_its_time_is_up() {
    let (_tmp, file) = place();
    let _guard = locks().acquire(&file, Exclusive, &another(Timeout::Try)).unwrap();
    let begin = Instant::now();
    let answer = locks().acquire(&file, Shared, &within(Timeout::After(Duration::from_millis(60))));
    assert_eq!(code(answer), Code::LockTimeout);
    assert!(begin.elapsed() >= Duration::from_millis(60));
    assert!(begin.elapsed() < PATIENCE);
}

#[test]
fn a_wait_for_ever_can_be_cancelled() {
    let (_tmp, file) = place();
    let _guard = locks().acquire(&file, Exclusive, &another(Timeout::Try)).unwrap();
    let options = within(Timeout::Forever);
    let progress = options.progress.clone();
    let waiter = {
        let file = file.clone();
        std::thread::spawn(move || {
            code(locks().acquire(&file, Exclusive, &LockOptions { owner: Owner::thread(), ..options }))
        })
    };
    std::thread::sleep(Duration::from_millis(30));
    progress.cancel();
    let begin = Instant::now();
    assert_eq!(waiter.join().unwrap(), Code::Cancelled);
    assert!(begin.elapsed() < PATIENCE);
}

/// How many threads stand in line for a file's lock.
fn waiting_for(file: &Location) -> usize {
    let sidecar = sidecar::Sidecar::look(file).unwrap().unwrap();
    registry::Registry::here().waiting(sidecar.identity)
}

#[test]
fn threads_hand_over_in_the_order_in_which_they_came() {
    let (_tmp, file) = place();
    let guard = locks().acquire(&file, Exclusive, &within(Timeout::Try)).unwrap();
    let (say, hear) = mpsc::channel();
    let waiters: Vec<_> = (0..4)
        .map(|number| {
            let (theirs, say) = (file.clone(), say.clone());
            let waiter = std::thread::spawn(move || {
                let _guard = locks().acquire(&theirs, Exclusive, &within(Timeout::After(PATIENCE))).unwrap();
                say.send(number).unwrap();
            });
            // The next one comes when this one is in the line, however long that takes.
            let begin = Instant::now();
            while waiting_for(&file) <= number {
                assert!(begin.elapsed() < PATIENCE, "{number} never came");
                std::thread::sleep(Duration::from_millis(1));
            }
            waiter
        })
        .collect();
    guard.release().unwrap();
    for waiter in waiters {
        waiter.join().unwrap();
    }
    assert_eq!(hear.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn a_writer_gets_in_among_readers_that_never_pause() {
    let (_tmp, file) = place();
    let done = AtomicBool::new(false);
    std::thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                while !done.load(Relaxed) {
                    let _guard = locks().acquire(&file, Shared, &LockOptions::default()).unwrap();
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
        }
        std::thread::sleep(Duration::from_millis(20));
        let answer = locks().acquire(&file, Exclusive, &within(Timeout::After(PATIENCE)));
        done.store(true, Relaxed);
        answer.unwrap();
    });
}

#[test]
fn a_thousand_increments_of_eight_threads_make_eight_thousand() {
    let (tmp, file) = place();
    let counter = tmp.path().join("counter");
    std::fs::write(&counter, [0; 8]).unwrap();
    std::thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                for _ in 0..1000 {
                    let guard = locks().acquire(&file, Exclusive, &within(Timeout::Forever)).unwrap();
                    let number = u64::from_le_bytes(std::fs::read(&counter).unwrap().try_into().unwrap());
                    let file = std::fs::File::options().write(true).open(&counter).unwrap();
                    crate::sys::write_at(&file, &(number + 1).to_le_bytes(), 0).unwrap();
                    guard.release().unwrap();
                }
            });
        }
    });
    assert_eq!(std::fs::read(&counter).unwrap(), 8000_u64.to_le_bytes());
}

#[test]
fn a_guard_knows_its_file() {
    let (tmp, file) = place();
    std::fs::write(file.path(), "x").unwrap();
    let other = Location::ordinary(tmp.path().join("other")).unwrap();
    let guard = locks().acquire(&file, Exclusive, &LockOptions::default()).unwrap();
    assert!(guard.covers(&file) && !guard.covers(&other));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("file", tmp.path().join("link")).unwrap();
        assert!(guard.covers(&Location::ordinary(tmp.path().join("link")).unwrap()));
    }
    drop(guard);
    let guard = locks().acquire(&file, Shared, &LockOptions::default()).unwrap();
    assert!(!guard.covers(&file) && guard.is_of(&file));
}

#[test]
fn holders_of_this_process_are_told_with_their_time() {
    let (_tmp, file) = place();
    assert!(!locks().is_locked(&file).unwrap());
    assert!(!file.path().with_file_name("file.lock").exists());
    let guard = locks().acquire(&file, Shared, &LockOptions::default()).unwrap();
    let holders = locks().holders(&file).unwrap();
    assert_eq!(holders.len(), 1);
    assert_eq!(holders[0].pid, Some(std::process::id()));
    assert_eq!(holders[0].kind, Some(Shared));
    assert_eq!(holders[0].since, Some(guard.since()));
    assert_eq!(holders[0].source, "process");
    guard.release().unwrap();
    assert_eq!(locks().holders(&file).unwrap(), []);
}

#[test]
fn a_sidecar_that_is_replaced_while_it_is_waited_for_is_found_again() {
    let (tmp, file) = place();
    let guard = locks().acquire(&file, Exclusive, &another(Timeout::Try)).unwrap();
    std::thread::scope(|s| {
        let waiter = s.spawn(|| locks().acquire(&file, Exclusive, &LockOptions::default()).unwrap());
        std::thread::sleep(Duration::from_millis(30));
        std::fs::remove_file(tmp.path().join("file.lock")).unwrap();
        drop(guard);
        assert!(waiter.join().unwrap().covers(&file));
    });
}

#[test]
fn ours_are_known_by_content_and_others_are_never_written() {
    let (tmp, file) = place();
    let dir = file.dir();
    locks().acquire(&file, Exclusive, &LockOptions::default()).unwrap().release().unwrap();
    assert!(is_sidecar(dir, "file.lock".as_ref()).unwrap());
    let foreign = tmp.path().join("Cargo.lock");
    for content in ["# generated by Cargo", "electrus-lock 2\n", "x", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
        std::fs::write(&foreign, content).unwrap();
        let cargo = Location::ordinary(tmp.path().join("Cargo")).unwrap();
        for kind in [Exclusive, Shared] {
            let guard = locks().acquire(&cargo, kind, &LockOptions::default()).unwrap();
            assert!(locks().is_locked(&cargo).unwrap());
            guard.release().unwrap();
        }
        assert_eq!(std::fs::read_to_string(&foreign).unwrap(), content);
        assert!(!is_sidecar(dir, "Cargo.lock".as_ref()).unwrap());
    }
    std::fs::write(tmp.path().join("empty.lock"), "").unwrap();
    assert!(!is_sidecar(dir, "empty.lock".as_ref()).unwrap());
    assert_eq!(is_sidecar(dir, "missing.lock".as_ref()).unwrap_err().code(), Code::NotFound);
}

#[test]
fn long_names_have_a_sidecar_of_their_own() {
    assert_eq!(sidecar_name("f".repeat(250).as_ref()), *format!("{}.lock", "f".repeat(250)));
    let long = sidecar_name("f".repeat(251).as_ref());
    let digest = blake3::hash("f".repeat(251).as_bytes()).to_hex();
    assert_eq!(long, *format!(".electrus-{}.lock", &digest[..32]));
    let tmp = tempfile::tempdir().unwrap();
    let file = Location::ordinary(tmp.path().join("f".repeat(255))).unwrap();
    let guard = locks().acquire(&file, Exclusive, &LockOptions::default()).unwrap();
    assert!(guard.covers(&file) && locks().is_locked(&file).unwrap());
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    #[test]
    fn what_is_no_regular_file_is_no_sidecar() {
        let (tmp, file) = place();
        let sidecar = tmp.path().join("file.lock");
        let refused = || {
            let begin = Instant::now();
            assert_eq!(code(locks().acquire(&file, Exclusive, &LockOptions::default())), Code::NotAFile);
            assert_eq!(code(locks().acquire(&file, Shared, &LockOptions::default())), Code::NotAFile);
            assert_eq!(locks().holders(&file).unwrap_err().code(), Code::NotAFile);
            assert!(begin.elapsed() < PATIENCE);
        };
        std::fs::write(tmp.path().join("victim"), "untouched").unwrap();
        symlink("victim", &sidecar).unwrap();
        refused();
        std::fs::remove_file(&sidecar).unwrap();
        symlink("nowhere", &sidecar).unwrap();
        refused();
        assert!(!tmp.path().join("nowhere").exists());
        std::fs::remove_file(&sidecar).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &sidecar, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        refused();
        std::fs::remove_file(&sidecar).unwrap();
        std::fs::create_dir(&sidecar).unwrap();
        refused();
        std::fs::remove_dir(&sidecar).unwrap();
        // Not by bind, whose addresses are shorter than many a path.
        rustix::fs::mknodat(rustix::fs::CWD, &sidecar, rustix::fs::FileType::Socket, 0o600.into(), 0).unwrap();
        refused();
        assert_eq!(std::fs::read_to_string(tmp.path().join("victim")).unwrap(), "untouched");
    }

    #[test]
    fn a_sidecar_has_the_mode_of_its_target() {
        for mode in [0o600, 0o640, 0o664, 0o666] {
            let (tmp, file) = place();
            std::fs::write(file.path(), "x").unwrap();
            std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
            locks().acquire(&file, Exclusive, &LockOptions::default()).unwrap();
            let made = std::fs::metadata(tmp.path().join("file.lock")).unwrap();
            assert_eq!(made.mode() & 0o7777, mode);
        }
        let (tmp, file) = place();
        locks().acquire(&file, Exclusive, &LockOptions::default()).unwrap();
        std::fs::write(tmp.path().join("plain"), "").unwrap();
        let mode = |name| std::fs::metadata(tmp.path().join(name)).unwrap().mode();
        assert_eq!(mode("file.lock"), mode("plain"));
    }

    #[test]
    fn nothing_missing_is_created_but_the_sidecar() {
        let (tmp, _) = place();
        let base = crate::path::Base::open(tmp.path(), false).unwrap();
        let file = base.resolve("file", crate::path::Follow::Whole).unwrap();
        locks().acquire(&file, Shared, &LockOptions::default()).unwrap();
        assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 1);
    }
}
