//! SIGKILL at any moment, two hundred times.

use crate::worker::{self, Said};
use crate::{Promises, alone, assert_no_litter, open};
use electrus::progress::Progress;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

const KILLS: u64 = 200;
/// Long enough for any machine to begin.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let _alone = alone();
    let tmp = tempfile::tempdir().unwrap();
    let mut promises = Promises::default();
    for kill in 0..KILLS {
        live_and_die(tmp.path(), kill, &mut promises);
        // The next open clears up, and nothing is wrong at any time.
        let handler = open(tmp.path());
        assert_no_litter(tmp.path());
        if kill % 20 == 19 {
            assert_eq!(handler.verify(&Progress::new()).unwrap().damaged, []);
        }
    }
    promises.check(tmp.path());
}

/// One life: it is killed some time after it was told the first time that something is done, so that each brings
/// something to an end on the slowest disk; every fourth some time after it began, so that some die as they clear up.
fn live_and_die(base: &Path, kill: u64, promises: &mut Promises) {
    let early = kill % 4 == 3;
    // Where in its round a life begins is without a pattern, and the same in every run.
    let step = (kill.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 1000;
    let mut child = worker::start("all", base, kill, step);
    let stdout = child.stdout.take().unwrap();
    let (tell, told) = mpsc::channel();
    let said = std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut said = Vec::new();
            worker::listen(stdout, |one| {
                let _ = tell.send(one.is_acknowledgement());
                said.push(one);
            });
            said
        });
        // Ends as well when the worker does; then it is not killed by us, and that is told.
        while told.recv_timeout(PATIENCE).is_ok_and(|acknowledged| !early && !acknowledged) {}
        std::thread::sleep(Duration::from_millis(kill * 37 % if early { 40 } else { 150 }));
        worker::kill(child, "the worker");
        reader.join().unwrap()
    });
    assert!(early || said.iter().any(Said::is_acknowledgement), "life {kill} came to nothing in {PATIENCE:?}");
    said.into_iter().for_each(|one| promises.add(one));
}
