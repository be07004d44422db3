//! Sidecars that may not be written, and ones that somebody planted.

use super::*;
use electrus::handler::AdvancedFileHandler;
use electrus::lock::is_sidecar;
use electrus::transaction::{Transaction, WriteHow};
use electrus::workspace::{ChangeOptions, OpenOptions, Source};
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

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

/// The lock was taken before the file was there, and anybody could lock what its owner alone could read.
#[test]
fn a_sidecar_has_the_mode_that_its_target_was_given() {
    let place = Place::new();
    let handler = AdvancedFileHandler::open(place.folder.path(), &OpenOptions::default()).unwrap();
    let sidecar = |name: &str| place.folder.path().join(format!("{name}.lock"));
    let with_mode = |mode| ChangeOptions { mode: Some(mode), ..ChangeOptions::default() };
    for mode in [0o600, 0o640, 0o600] {
        handler.secure_write("file", Source::Bytes(b"x"), with_mode(mode)).unwrap();
        assert_eq!(mode_of(&place.sidecar), mode);
    }
    handler.copy("file", "copy", ChangeOptions::default()).unwrap();
    handler.rename("file", "renamed", ChangeOptions::default()).unwrap();
    let mut transaction = Transaction::new(handler.workspace());
    transaction.copy("copy", "second").write_from("third", Source::Bytes(b"y"), how(0o600)).rename("renamed", "fourth");
    transaction.commit().unwrap();
    for name in ["copy", "renamed", "second", "third", "fourth"] {
        assert_eq!(mode_of(&sidecar(name)), 0o600, "{name}");
    }
    std::fs::write(sidecar("theirs"), "[[package]]").unwrap();
    set_mode(&sidecar("theirs"), 0o644);
    handler.secure_write("theirs", Source::Bytes(b"x"), with_mode(0o600)).unwrap();
    assert_eq!(mode_of(&sidecar("theirs")), 0o644, "not ours");
}

fn how(mode: u32) -> WriteHow {
    WriteHow { mode: Some(mode), ..WriteHow::default() }
}

/// Whoever had locked the old one and whoever locked what replaced it both held the lock.
#[test]
fn a_lock_file_of_ours_is_not_replaced_or_removed_like_a_file() {
    let place = Place::new();
    let handler = AdvancedFileHandler::open(place.folder.path(), &OpenOptions::default()).unwrap();
    let options = ChangeOptions::default;
    let write = |name: &str| handler.secure_write(name, Source::Bytes(b"x"), options()).map(drop);
    write("file").unwrap();
    let transaction = |stage: fn(&mut Transaction<'static>)| {
        let mut transaction = Transaction::new(handler.workspace());
        stage(&mut transaction);
        transaction.commit().map(drop)
    };
    let attempts = [
        write("file.lock"),
        handler.delete("file.lock", options()).map(drop),
        handler.rename("file.lock", "other", options()).map(drop),
        handler.rename("file", "file.lock", options()).map(drop),
        handler.copy("file", "file.lock", options()).map(drop),
        handler.writer("file.lock", options()).and_then(|writer| writer.commit()).map(drop),
        transaction(|t| _ = t.write("file.lock", b"x")),
        transaction(|t| _ = t.delete("file.lock")),
        transaction(|t| _ = t.rename("file", "file.lock")),
        transaction(|t| _ = t.rename("file.lock", "other")),
        transaction(|t| _ = t.copy("file", "file.lock")),
    ];
    for (number, attempt) in attempts.into_iter().enumerate() {
        let refused = attempt.unwrap_err();
        assert_eq!((number, refused.code()), (number, Code::ReservedName));
        assert!(refused.words().contains("lock file") && refused.path().unwrap().ends_with("file.lock"), "{refused}");
    }
    assert!(is_sidecar(place.location().dir(), "file.lock".as_ref()).unwrap());
    assert!(!place.folder.path().join("file.lock.lock").exists());
    // An empty one may be anybody's, and what begins otherwise is not ours.
    for content in ["", "[[package]]"] {
        std::fs::write(place.folder.path().join("Cargo.lock"), content).unwrap();
        write("Cargo.lock").unwrap();
        handler.rename("Cargo.lock", "moved", options()).unwrap();
    }
}
