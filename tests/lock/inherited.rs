//! Programs that run under a lock: `ELECTRUS_LOCK`.

use super::*;
use electrus::lock::VARIABLE;
use std::process::Command;

fn nested(task: &str, place: &Place, value: &str) -> Command {
    let mut command = child::command(task, &place.file);
    command.env(VARIABLE, value);
    command
}

#[test]
fn a_program_that_inherits_the_lock_works_under_it_and_does_not_give_it_back() {
    let place = Place::new();
    let guard = place.take(Exclusive);
    let handed = guard.for_child().unwrap();
    for task in ["try-exclusive", "try-shared"] {
        assert_eq!(child::answer(&mut nested(task, &place, handed.value())), "ok");
        assert_eq!(child::answer(&mut child::command(task, &place.file)), "lock_timeout");
    }
    let flock = Command::new("flock").arg("-n").arg(&place.sidecar).arg("true").status().unwrap();
    assert_eq!(flock.code(), Some(1));
    drop(handed);
    guard.release().unwrap();
    assert_eq!(place.attempt(Exclusive), "ok");
}

#[test]
fn programs_under_one_lock_exclude_each_other() {
    let place = Place::new();
    let guard = place.take(Exclusive);
    let handed = guard.for_child().unwrap();
    let one = Task::start(&mut nested("hold-exclusive", &place, handed.value())).ready();
    assert_eq!(child::answer(&mut nested("try-exclusive", &place, handed.value())), "lock_timeout");
    assert_eq!(child::answer(&mut nested("try-shared", &place, handed.value())), "lock_timeout");
    one.finish();
    let one = Task::start(&mut nested("hold-shared", &place, handed.value())).ready();
    assert_eq!(child::answer(&mut nested("try-shared", &place, handed.value())), "ok");
    one.finish();
}

#[test]
fn a_shared_lock_is_inherited_as_shared() {
    let place = Place::new();
    let guard = place.take(Shared);
    let handed = guard.for_child().unwrap();
    assert_eq!(child::answer(&mut nested("try-shared", &place, handed.value())), "ok");
    assert_eq!(child::answer(&mut nested("try-exclusive", &place, handed.value())), "would_deadlock");
}

#[test]
fn what_the_environment_claims_is_checked() {
    let place = Place::new();
    let guard = place.take(Exclusive);
    let handed = guard.for_child().unwrap();
    let parts: Vec<&str> = handed.value().split(':').collect();
    let (device, inode) = (parts[1], parts[2]);
    let attempt = |value: &str| child::answer(&mut nested("try-exclusive", &place, value));
    for lie in [
        "",
        "0",
        ":::",
        "x;y;;",
        &format!("{}:{device}:1:x", parts[0]),
        &format!("{}:1:{inode}:x", parts[0]),
        &format!("{}:{device}:{inode}:q", parts[0]),
    ] {
        assert_eq!(attempt(lie), "lock_timeout", "{lie:?}");
    }
    assert_eq!(attempt(&format!("nonsense;{}", handed.value())), "ok");
}

/// It waited for the lock of the very program that waited for its end, until the time-out.
#[test]
fn a_program_whose_descriptor_was_closed_on_the_way_is_told_at_once() {
    let place = Place::new();
    let guard = place.take(Exclusive);
    let handed = guard.for_child().unwrap();
    let parts: Vec<&str> = handed.value().split(':').collect();
    let program = std::env::current_exe().unwrap();
    let script = format!("exec {}>&-; exec \"$0\" \"$@\"", parts[0]);
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(&program);
    let direct = nested("try-exclusive", &place, handed.value());
    command.args(direct.get_args()).envs(direct.get_envs().filter_map(|(k, v)| Some((k, v?))));
    let begin = Instant::now();
    assert_eq!(child::answer(child::seconds(&mut command, PATIENCE.as_secs_f64())), "would_deadlock");
    assert!(begin.elapsed() < PATIENCE / 2);
    // Its number may belong to another file by now, or be no number of a descriptor.
    for number in ["0", "-1", "9999"] {
        let value = format!("{number}:{}:{}:x", parts[1], parts[2]);
        assert_eq!(child::answer(&mut nested("try-shared", &place, &value)), "would_deadlock", "{number}");
    }
    let value = handed.value().replacen(parts[0], "9999", 1);
    drop(handed);
    guard.release().unwrap();
    assert_eq!(child::answer(&mut nested("try-exclusive", &place, &value)), "ok", "nobody holds it any more");
    let shared = place.take(Shared);
    let value = format!("9999:{}:s", value.split(':').skip(1).take(2).collect::<Vec<_>>().join(":"));
    assert_eq!(child::answer(&mut nested("try-shared", &place, &value)), "ok");
    assert_eq!(child::answer(&mut nested("try-exclusive", &place, &value)), "would_deadlock");
    shared.release().unwrap();
}

#[test]
fn an_open_sidecar_without_the_lock_is_no_inheritance() {
    let place = Place::new();
    let guard = place.take(Exclusive);
    let handed = guard.for_child().unwrap();
    let value = handed.value().to_owned();
    guard.release().unwrap();
    // Nobody holds it: the program takes it by itself, and keeps others out.
    let child = Task::start(&mut nested("hold-exclusive", &place, &value)).ready();
    drop(handed);
    assert_eq!(place.attempt(Exclusive), "lock_timeout");
    assert_eq!(place.holders()[0].pid, Some(child.id()));
    child.finish();
}

#[test]
fn locks_may_be_nested_around_a_program() {
    let (outer, inner) = (Place::new(), Place::new());
    let (one, two) = (outer.take(Exclusive), inner.take(Exclusive));
    let (one, two) = (one.for_child().unwrap(), two.for_child().unwrap());
    let value = format!("{};{}", one.value(), two.value());
    for place in [&outer, &inner] {
        assert_eq!(child::answer(&mut nested("try-exclusive", place, &value)), "ok");
    }
}
