//! Sidecars that may not be written, and ones that somebody planted.

use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

/// A command that runs as nobody, from a copy of this program that anybody may run.
fn as_nobody(place: &Place, task: &str) -> Command {
    let program = place.folder.path().join("program");
    if !program.exists() {
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        std::fs::set_permissions(place.folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let direct = child::command_as(&program, task, &place.file);
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command.args(direct.get_args()).envs(direct.get_envs().filter_map(|(k, v)| Some((k, v?))));
    command
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn who_may_only_read_the_sidecar_locks_all_the_same() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: becoming somebody else takes root");
        return;
    }
    let place = Place::new();
    std::fs::write(&place.sidecar, "").unwrap();
    set_mode(&place.sidecar, 0o644);
    let theirs = Task::start(&mut as_nobody(&place, "hold-exclusive")).ready();
    assert_eq!(place.attempt(Shared), "lock_timeout");
    let holders = place.holders();
    assert_eq!((holders[0].pid, holders[0].source), (Some(theirs.id()), "kernel"));
    assert_eq!(std::fs::metadata(&place.sidecar).unwrap().len(), 0);
    theirs.finish();
    let ours = place.take(Exclusive);
    assert_eq!(child::answer(&mut as_nobody(&place, "try-shared")), "lock_timeout");
    ours.release().unwrap();
    set_mode(&place.sidecar, 0o600);
    assert_eq!(child::answer(&mut as_nobody(&place, "try-shared")), "permission_denied");
    std::fs::remove_file(&place.sidecar).unwrap();
    assert_eq!(child::answer(&mut as_nobody(&place, "try-shared")), "permission_denied");
    assert!(!place.sidecar.exists());
}

#[test]
fn a_sidecar_made_by_root_belongs_to_the_targets_owner() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: files of others take root");
        return;
    }
    let place = Place::new();
    std::fs::write(&place.file, "x").unwrap();
    set_mode(&place.file, 0o600);
    std::os::unix::fs::chown(&place.file, Some(65534), Some(65534)).unwrap();
    place.take(Exclusive).release().unwrap();
    let made = std::fs::metadata(&place.sidecar).unwrap();
    assert_eq!((made.uid(), made.gid(), made.mode() & 0o7777), (65534, 65534, 0o600));
    assert_eq!(child::answer(&mut as_nobody(&place, "try-exclusive")), "ok");
}

#[test]
fn a_sidecar_that_is_removed_under_its_holder_is_told_from_the_new_one() {
    let place = Place::new();
    let guard = place.take(Exclusive);
    std::fs::remove_file(&place.sidecar).unwrap();
    assert!(!guard.covers(&place.location()), "what others see is not what is locked");
    guard.release().unwrap();
    assert_eq!(place.attempt(Exclusive), "ok");
}
