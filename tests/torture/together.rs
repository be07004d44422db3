//! All at once, for two minutes (`ELECTRUS_LONG`: for twenty).

use crate::Promises;
use crate::worker::{acknowledged, start};
use std::time::Duration;

#[test]
fn writers_pruner_backups_and_verifier_at_once() {
    let seconds = if std::env::var_os("ELECTRUS_LONG").is_some() { 1200 } else { 120 };
    let tmp = tempfile::tempdir().unwrap();
    let roles = ["write", "write", "prune", "backup", "verify"];
    let workers = roles.map(|role| {
        let mut child = start(role, tmp.path());
        let stdout = child.stdout.take().unwrap();
        (role, child, std::thread::spawn(move || acknowledged(stdout)))
    });
    std::thread::sleep(Duration::from_secs(seconds));
    let mut promises = Promises::default();
    for (role, mut child, reader) in workers {
        assert!(child.try_wait().unwrap().is_none(), "the {role} worker failed: see its output above");
        child.kill().unwrap();
        child.wait().unwrap();
        let acks = reader.join().unwrap();
        assert!(!acks.is_empty(), "the {role} worker came to nothing");
        promises.add(acks);
    }
    promises.check(tmp.path());
}
