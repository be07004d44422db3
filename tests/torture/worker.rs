//! What a worker process does, and what it says.

use crate::open;
use electrus::backup::CreateOptions;
use electrus::error::Code;
use electrus::progress::Progress;
use electrus::version::Retention;
use electrus::workspace::{ChangeOptions, Source};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const ROLE: &str = "ELECTRUS_TEST_ROLE";
const BASE: &str = "ELECTRUS_TEST_BASE";
/// Versions of a pruned file, and backups, that the pruner leaves.
pub const KEPT: u64 = 5;
pub const KEPT_BACKUPS: u64 = 3;

/// What a worker was told is kept.
pub enum Ack {
    Version { name: String, number: u64, text: String },
    Backup(String),
    Other,
}

pub fn start(role: &str, base: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker::work", "--nocapture"])
        .env(ROLE, role)
        .env(BASE, base)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What it acknowledged; the last line may be torn.
pub fn acknowledged(stdout: impl Read) -> Vec<Ack> {
    let mut lines = BufReader::new(stdout);
    let (mut found, mut line) = (Vec::new(), String::new());
    while lines.read_line(&mut line).unwrap() > 0 {
        if line.ends_with('\n') {
            found.push(match line.trim_end().split(' ').collect::<Vec<_>>()[..] {
                ["version", name, number, text] => {
                    Ack::Version { name: name.to_owned(), number: number.parse().unwrap(), text: text.to_owned() }
                }
                ["backup", name] => Ack::Backup(name.to_owned()),
                _ => Ack::Other,
            });
        }
        line.clear();
    }
    found
}

#[test]
fn work() {
    let (Some(role), Some(base)) = (std::env::var_os(ROLE), std::env::var_os(BASE)) else { return };
    let base = Path::new(&base);
    match role.to_str().unwrap() {
        "write" => write_for_ever(base),
        "prune" => prune_for_ever(base),
        "backup" => back_up_for_ever(base),
        "verify" => verify_for_ever(base),
        "all" => do_everything(base),
        role => panic!("no role {role}"),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A line of its own, whatever the test runner printed before.
    write!(out, "\n{line}\n").unwrap();
    out.flush().unwrap();
}

fn write_once(base: &Path, handler: &electrus::handler::AdvancedFileHandler, round: u64) {
    let kind = if round.is_multiple_of(3) { "pruned" } else { "kept" };
    let name = format!("{kind}{}/f", round % 4);
    let text = format!("{}-{round}-{}", std::process::id(), "x".repeat((round as usize * 7919) % 40_000));
    let _ = base;
    let written = handler.secure_write(&name, Source::Bytes(text.as_bytes()), ChangeOptions::default()).unwrap();
    say(&format!("version {name} {} {text}", written.version.unwrap()));
}

fn write_for_ever(base: &Path) {
    let handler = open(base);
    for round in 0u64.. {
        write_once(base, &handler, round);
    }
}

fn prune_once(handler: &electrus::handler::AdvancedFileHandler) {
    let keep = Retention { keep_last: Some(KEPT), ..Retention::default() };
    for file in 0..4 {
        let name = format!("pruned{file}/f");
        match handler.versions().prune(Some(Path::new(&name)), &keep, false, &Progress::new()) {
            Ok(_) => say("pruned"),
            // Before the first write of it, or while the others never leave the store alone.
            Err(e) if matches!(e.code(), Code::NotFound | Code::StoreBusy) => {}
            Err(e) => panic!("{e:?}"),
        }
    }
    let keep = Retention { keep_last: Some(KEPT_BACKUPS), ..Retention::default() };
    match handler.backups().unwrap().prune(&keep, false, &Progress::new()) {
        Ok(_) => say("pruned"),
        Err(e) if e.code() == Code::StoreBusy => {}
        Err(e) => panic!("{e:?}"),
    }
}

fn prune_for_ever(base: &Path) {
    let handler = open(base);
    loop {
        prune_once(&handler);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn back_up_once(handler: &electrus::handler::AdvancedFileHandler, round: u64) {
    let name = format!("b{}-{round}", std::process::id());
    let made = handler.backups().unwrap().create(Some(&name), &["."], &CreateOptions::default());
    match made {
        Ok(_) => say(&format!("backup {name}")),
        Err(e) => panic!("{e:?}"),
    }
}

fn back_up_for_ever(base: &Path) {
    let handler = open(base);
    for round in 0.. {
        back_up_once(&handler, round);
    }
}

fn verify_for_ever(base: &Path) {
    let handler = open(base);
    loop {
        let report = handler.verify(&Progress::new()).unwrap();
        assert_eq!(report.damaged, [], "while others are at work");
        say("verified");
    }
}

fn do_everything(base: &Path) {
    let handler = open(base);
    for round in 0u64.. {
        for write in 0..4 {
            write_once(base, &handler, round * 4 + write);
        }
        match round % 4 {
            1 => back_up_once(&handler, round),
            3 => prune_once(&handler),
            _ => {}
        }
    }
}
