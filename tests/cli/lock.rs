//! lock and locks, beside flock(1).

use crate::helper::{Base, Ran, Reaped, WITH_SIGNALS, has, until_it_catches_signals};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

/// A process that holds a lock until its stdin is closed.
fn hold(base: &Base, program: &str) -> Reaped {
    let mut command = base.shell(&format!("exec {program} sh -c 'echo held; read line'"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n", "{program}");
    Reaped(child)
}

fn release(child: &mut Child) {
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_command_runs_with_its_own_stdout_status_and_environment() {
    let base = Base::new();
    base.file("f", "x");
    let ran = base.run(["lock", "f", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]).status(7);
    assert_eq!((ran.text(), ran.errors()), ("out\n".into(), "err\n".into()));
    let ran = base.run(["--json", "lock", "f", "--", "sh", "-c", "test -n \"$ELECTRUS_LOCK\" && echo yes"]).ok();
    assert_eq!(ran.text(), "yes\n");
    assert_eq!(base.feed("in", ["lock", "f", "--", "cat"]).ok().text(), "in");
    base.run(["lock", "f", "--", "sh", "-c", "kill -9 $$"]).status(128 + 9);
    base.run(["--json", "lock", "f", "--", "no-such-program-at-all"]).refused(3, "not_found");
    base.run(["--json", "lock", "f"]).refused(2, "invalid_argument");
}

#[test]
fn a_lock_that_is_held_times_out_with_75() {
    let base = Base::new();
    let mut holder = hold(&base, "electrus lock f --");
    let ran = base.run(["lock", "--timeout", "0", "f", "--", "echo", "never"]).status(75);
    assert_eq!(ran.text(), "");
    assert!(ran.errors().contains("locks"), "{}", ran.errors());
    base.run(["--json", "lock", "--shared", "--timeout", "0.1", "f", "--", "true"]).refused(75, "lock_timeout");
    let body = base.run(["--json", "write", "f", "--text", "x", "--lock-timeout", "0"]).refused(6, "lock_timeout");
    assert_eq!(body["retryable"], true);
    release(&mut holder.0);
    base.run(["lock", "--timeout", "0", "f", "--", "true"]).ok();
}

#[test]
fn shared_holders_admit_each_other_and_no_writer() {
    let base = Base::new();
    let _holder = hold(&base, "electrus lock --shared f --");
    base.run(["lock", "--shared", "--timeout", "0", "f", "--", "true"]).ok();
    base.run(["lock", "--timeout", "0", "f", "--", "true"]).status(75);
}

#[test]
fn flock_and_we_exclude_each_other() {
    if !has("flock") {
        return;
    }
    let base = Base::new();
    let mut ours = hold(&base, "electrus lock f --");
    base.sh("flock -n f.lock true").status(1);
    base.sh("flock -s -n f.lock true").status(1);
    release(&mut ours.0);
    base.sh("flock -n f.lock true").ok();
    let mut theirs = hold(&base, "flock f.lock");
    base.run(["lock", "--timeout", "0", "f", "--", "true"]).status(75);
    release(&mut theirs.0);
    let _shared = hold(&base, "flock -s f.lock");
    base.run(["lock", "--shared", "--timeout", "0", "f", "--", "true"]).ok();
    base.run(["lock", "--timeout", "0", "f", "--", "true"]).status(75);
}

#[test]
fn locks_tells_who_holds_it() {
    let base = Base::new();
    let free = base.run(["--json", "locks", "f"]).document();
    assert_eq!((&free["locked"], &free["holders"]), (&false.into(), &serde_json::json!([])));
    assert_eq!(base.run(["locks", "f"]).ok().text(), "not locked\n");
    let mut holder = hold(&base, "electrus lock f --");
    let told = base.run(["--json", "locks", "f"]).document();
    assert_eq!(told["locked"], true);
    let first = &told["holders"][0];
    assert_eq!((first["pid"].as_u64(), &first["type"]), (Some(holder.0.id().into()), &"exclusive".into()), "{told}");
    assert!(first["since"].is_string() && first["host"].is_string() && first["source"].is_string(), "{told}");
    let words = base.run(["locks", "f"]).ok().text();
    assert!(words.contains(&holder.0.id().to_string()), "{words}");
    release(&mut holder.0);
    assert_eq!(base.run(["--json", "locks", "f"]).document()["locked"], false);
}

#[test]
fn a_nested_electrus_uses_the_lock_it_runs_under() {
    let base = Base::new();
    base.sh("electrus lock f -- sh -c 'electrus write f --text one && electrus write f --text two'").ok();
    assert_eq!(base.content("f"), "two");
    let versions = base.run(["--json", "versions", "f"]).document();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 2);
    base.sh("electrus lock f -- electrus json write f --text 1").ok();
    base.sh("electrus lock f -- electrus lock --timeout 0 f -- true").ok();
    base.sh("electrus lock f -- electrus write g --text other").ok();
    assert_eq!(base.content("g"), "other");
}

#[test]
fn a_lock_that_is_only_claimed_does_not_help() {
    let base = Base::new();
    let _holder = hold(&base, "electrus lock f --");
    for claim in ["9", "9:f", "0", "-1", "nonsense", "99999999999999999999", ""] {
        let mut command = base.command(["write", "f", "--text", "x", "--lock-timeout", "0"]);
        Ran::of(command.env("ELECTRUS_LOCK", claim)).status(6);
    }
    assert!(!base.join("f").exists());
}

#[test]
fn signals_reach_the_command_and_its_answer_comes_back() {
    let base = Base::new();
    for (signal, status) in [("TERM", 128 + 15), ("INT", 128 + 2), ("HUP", 128 + 1)] {
        let mut holder = hold(&base, "env --default-signal=INT,TERM,HUP electrus lock f -- env");
        let _stdin = holder.0.stdin.take(); // or wait() closes it, and the command ends by itself
        base.sh(&format!("kill -{signal} {}", holder.0.id())).ok();
        assert_eq!(holder.0.wait().unwrap().code(), Some(status), "{signal}");
        base.run(["lock", "--timeout", "60", "f", "--", "true"]).ok();
    }
    let script = "lock f -- sh -c 'trap \"exit 42\" TERM; echo held; while :; do sleep 0.05; done'";
    let mut child = base.shell(&format!("{WITH_SIGNALS} {script}")).stdout(Stdio::piped()).spawn().unwrap();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    base.sh(&format!("kill -TERM {}", child.id())).ok();
    assert_eq!(child.wait().unwrap().code(), Some(42));
}

#[test]
fn a_signal_that_was_ignored_stays_so() {
    let base = Base::new();
    let mut holder = hold(&base, "env --default-signal=TERM --ignore-signal=HUP,INT electrus lock f --");
    base.sh(&format!("kill -HUP {0}; kill -INT {0}", holder.0.id())).ok();
    std::thread::sleep(std::time::Duration::from_millis(300));
    release(&mut holder.0);
}

#[test]
fn a_signal_during_the_wait_gives_up() {
    let base = Base::new();
    let _holder = hold(&base, "electrus lock f --");
    let mut waiting = base.shell(&format!("{WITH_SIGNALS} lock --timeout -1 f -- true"));
    let mut waiting = waiting.stderr(Stdio::null()).spawn().unwrap();
    until_it_catches_signals(waiting.id());
    base.sh(&format!("kill -INT {}", waiting.id())).ok();
    assert_eq!(waiting.wait().unwrap().code(), Some(11));
}

#[test]
fn a_holder_that_is_killed_gives_the_lock_back() {
    let base = Base::new();
    let mut holder = hold(&base, "electrus lock f -- env");
    let _stdin = holder.0.stdin.take();
    base.sh(&format!("pkill -KILL -P {0}; kill -KILL {0}", holder.0.id())).ok();
    holder.0.wait().unwrap();
    base.run(["lock", "--timeout", "60", "f", "--", "true"]).ok();
}

#[test]
fn ctrl_c_while_stdin_is_awaited_ends_cancelled() {
    let base = Base::new();
    let mut command = base.shell(&format!("{WITH_SIGNALS} write f"));
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let _stdin = child.stdin.take();
    until_it_catches_signals(child.id());
    base.sh(&format!("kill -INT {}", child.id())).ok();
    assert_eq!(child.wait().unwrap().code(), Some(11));
    assert_eq!(base.names(), [""; 0]);
}
