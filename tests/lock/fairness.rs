//! Nobody starves behind processes of ours.

use super::*;

#[test]
fn a_writer_gets_in_among_eight_readers_in_processes_of_their_own() {
    let place = Place::new();
    let readers: Vec<_> = (0..8).map(|_| child::holding("read-on", &place.file)).collect();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(30));
        place.acquire(Exclusive, Timeout::After(PATIENCE)).unwrap().release().unwrap();
    }
    readers.into_iter().for_each(Task::kill);
}

#[test]
fn a_writer_that_waits_keeps_new_readers_out_until_it_gives_up() {
    let place = Place::new();
    let reader = place.take(Shared);
    let mut command = child::command("try-exclusive", &place.file);
    let mut writer = Task::start(child::seconds(&mut command, 10.0)); // for the slowest machine to see it wait
    let other = || {
        let options = LockOptions { timeout: Timeout::Try, owner: Owner::new(), ..LockOptions::default() };
        word(FileLockManager.acquire(&place.location(), Shared, &options))
    };
    eventually("the gate closes", || other() == "lock_timeout");
    assert_eq!(child::answer(&mut child::command("try-shared", &place.file)), "lock_timeout");
    assert_eq!(writer.hear(), "lock_timeout");
    assert_eq!(other(), "ok");
    drop(reader);
}

#[test]
fn a_killed_waiting_writer_keeps_nobody_out() {
    let place = Place::new();
    let reader = place.take(Shared);
    let mut command = child::command("try-exclusive", &place.file);
    let writer = Task::start(child::seconds(&mut command, -1.0));
    eventually("the gate closes", || child::answer(&mut child::command("try-shared", &place.file)) == "lock_timeout");
    writer.kill();
    assert_eq!(child::answer(&mut child::command("try-shared", &place.file)), "ok");
    drop(reader);
}

#[test]
fn a_process_that_takes_the_lock_again_and_again_lets_others_in() {
    let place = Place::new();
    std::fs::write(&place.file, 0_u64.to_le_bytes()).unwrap();
    let greedy = Task::start(child::times(&mut child::command("count", &place.file), 1_000_000));
    eventually("it counts", || std::fs::read(&place.file).unwrap() != 0_u64.to_le_bytes());
    for kind in [Exclusive, Shared, Exclusive, Shared] {
        place.acquire(kind, Timeout::After(PATIENCE)).unwrap().release().unwrap();
    }
    greedy.kill();
}

#[test]
fn a_reader_gets_in_among_writers_that_never_pause() {
    let place = Place::new();
    std::fs::write(&place.file, 0_u64.to_le_bytes()).unwrap();
    let writers: Vec<_> =
        (0..3).map(|_| Task::start(child::times(&mut child::command("count", &place.file), 1_000_000))).collect();
    eventually("they count", || std::fs::read(&place.file).unwrap() != 0_u64.to_le_bytes());
    for _ in 0..5 {
        place.acquire(Shared, Timeout::After(PATIENCE)).unwrap().release().unwrap();
    }
    writers.into_iter().for_each(Task::kill);
}
