//! All at once, for two minutes (`ELECTRUS_LONG`: for twenty).

use crate::worker::{self, Said};
use crate::{Promises, alone};
use std::time::Duration;

/// The pruner ends first, and by itself: beside others it knows only afterwards all that it removed.
const ROLES: [&str; 5] = ["prune", "write", "write", "backup", "verify"];

#[test]
fn writers_pruner_backups_and_verifier_at_once() {
    let _alone = alone();
    let seconds = if std::env::var_os("ELECTRUS_LONG").is_some() { 1200 } else { 120 };
    let tmp = tempfile::tempdir().unwrap();
    let workers: Vec<_> = ROLES
        .iter()
        .zip(0..)
        .map(|(role, life)| {
            let mut child = worker::start(role, tmp.path(), life, 0);
            let stdout = child.stdout.take().unwrap();
            let reader = std::thread::spawn(move || {
                let mut said = Vec::new();
                worker::listen(stdout, |one| said.push(one));
                said
            });
            (role, child, reader)
        })
        .collect();
    std::thread::sleep(Duration::from_secs(seconds));
    let mut promises = Promises::default();
    for (role, child, reader) in workers {
        let end = if *role == "prune" { worker::finish } else { worker::kill };
        end(child, &format!("the {role} worker"));
        let said = reader.join().unwrap();
        let done = said.iter().any(|one| one.is_acknowledgement() || matches!(one, Said::Verified));
        assert!(done, "the {role} worker came to nothing");
        said.into_iter().for_each(|one| promises.add(one));
    }
    promises.assert_all_happened();
    promises.check(tmp.path());
}
