//! A writer that is killed at any moment loses nothing that it acknowledged.

use super::*;
use electrus::progress::Progress;
use electrus::version::Retention;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const CHILD: &str = "ELECTRUS_TEST_KILL";
const FILES: u64 = 4;

/// Kills: many in a full run, few otherwise.
fn kills() -> u64 {
    if std::env::var_os("ELECTRUS_LONG").is_some() { 200 } else { 30 }
}

/// Writes for ever, and tells each version once it is acknowledged.
#[test]
fn child_that_is_killed() {
    let Some(base) = std::env::var_os(CHILD) else { return };
    let handler = open(Path::new(&base));
    let mut out = std::io::stdout();
    for round in 0u64.. {
        let name = format!("d{}/f", round % FILES);
        let text = format!("{}-{round}-{}", std::process::id(), "x".repeat((round as usize % 7) * 3000));
        let version = write(&handler, &name, &text).version.unwrap();
        writeln!(out, "\nack {name} {version} {text}").unwrap();
        out.flush().unwrap();
        if round % 50 == 49 {
            let keep = Retention { keep_last: Some(1_000_000), ..Retention::default() };
            handler.prune(None, &keep, false, &Progress::new()).unwrap();
        }
    }
}

fn start(base: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child_that_is_killed", "--nocapture"])
        .env(CHILD, base)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// What it acknowledged before it died; the last line may be torn.
fn acknowledged(stdout: impl Read) -> Vec<(String, u64, String)> {
    let mut lines = BufReader::new(stdout);
    let mut found = Vec::new();
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        let parts: Vec<&str> = line.trim_end().split(' ').collect();
        if let (["ack", name, version, text], true) = (parts.as_slice(), line.ends_with('\n')) {
            found.push((name.to_string(), version.parse().unwrap(), text.to_string()));
        }
        line.clear();
    }
    found
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let tmp = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for kill in 0..kills() {
        let mut child = start(tmp.path());
        let reader = std::thread::spawn({
            let stdout = child.stdout.take().unwrap();
            move || acknowledged(stdout)
        });
        std::thread::sleep(Duration::from_millis(20 + kill * 37 % 120));
        assert!(child.try_wait().unwrap().is_none(), "the writer stopped by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        all.extend(reader.join().unwrap());
    }
    assert!(!all.is_empty());
    let handler = open(tmp.path());
    assert_no_litter(tmp.path());
    for (name, version, text) in &all {
        let which = electrus::store::Which::Number(*version);
        let bytes = handler.versions().read_version(name, &which).unwrap();
        assert!(bytes == text.as_bytes(), "{name}@{version} is not what was acknowledged");
    }
    let report = handler.verify(&Progress::new()).unwrap();
    assert_eq!(report.damaged, []);
    assert!(report.conflicts.is_empty());
    for file in 0..FILES {
        let name = format!("d{file}/f");
        let written = write(&handler, &name, "after");
        assert_eq!(written.outside_edit, None, "a killed writer's content is in history already");
    }
}
