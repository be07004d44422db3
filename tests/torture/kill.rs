//! SIGKILL at any moment, two hundred times.

use crate::worker::{acknowledged, start};
use crate::{Promises, assert_no_litter, open};
use electrus::progress::Progress;
use std::time::Duration;

const KILLS: u64 = 200;

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let tmp = tempfile::tempdir().unwrap();
    let mut promises = Promises::default();
    for kill in 0..KILLS {
        let mut child = start("all", tmp.path());
        let stdout = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || acknowledged(stdout));
        std::thread::sleep(Duration::from_millis(15 + kill * 37 % 150));
        child.kill().unwrap();
        child.wait().unwrap();
        promises.add(reader.join().unwrap());
        // The next open clears up, and nothing is wrong at any time.
        let handler = open(tmp.path());
        assert_no_litter(tmp.path());
        if kill % 20 == 19 {
            assert_eq!(handler.verify(&Progress::new()).unwrap().damaged, []);
        }
    }
    assert!(promises.versions.len() as u64 > KILLS, "the workers came to nothing: {}", promises.versions.len());
    assert!(!promises.backups.is_empty());
    promises.check(tmp.path());
}
