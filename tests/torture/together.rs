//! All at once, for two minutes (`ELECTRUS_LONG`: for twenty).

use crate::worker;
use crate::{Promises, alone};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The pruner ends first, and by itself: beside others it knows only afterwards all that it removed.
const ROLES: [&str; 5] = ["prune", "write", "write", "backup", "verify"];
/// How much longer it may take on a machine where pruning hardly ever gets in.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn writers_pruner_backups_and_verifier_at_once() {
    let _alone = alone();
    let seconds = if std::env::var_os("ELECTRUS_LONG").is_some() { 1200 } else { 120 };
    let (begin, enough) = (Instant::now(), Duration::from_secs(seconds));
    let tmp = tempfile::tempdir().unwrap();
    let promises = Mutex::new(Promises::default());
    std::thread::scope(|scope| {
        let workers: Vec<_> = ROLES
            .iter()
            .zip(0..)
            .map(|(role, life)| {
                let mut child = worker::start(role, tmp.path(), life, 0);
                let stdout = child.stdout.take().unwrap();
                let add = |one| promises.lock().unwrap().add(one);
                scope.spawn(move || worker::listen(stdout, add));
                (role, child)
            })
            .collect();
        let all_happened = || promises.lock().unwrap().all_happened();
        while begin.elapsed() < enough || (begin.elapsed() < enough + PATIENCE && !all_happened()) {
            std::thread::sleep(Duration::from_millis(200));
        }
        for (role, child) in workers {
            let end = if *role == "prune" { worker::finish } else { worker::kill };
            end(child, &format!("the {role} worker"));
        }
    });
    let promises = promises.into_inner().unwrap();
    assert!(promises.verified > 0, "the verify worker came to nothing");
    promises.check(tmp.path());
}
