//! What a worker process does, and what it says.

use crate::open;
use electrus::backup::CreateOptions;
use electrus::error::{Code, Result};
use electrus::handler::AdvancedFileHandler;
use electrus::progress::Progress;
use electrus::version::Retention;
use electrus::workspace::{ChangeOptions, Source};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const ROLE: &str = "ELECTRUS_TEST_ROLE";
const BASE: &str = "ELECTRUS_TEST_BASE";
const LIFE: &str = "ELECTRUS_TEST_LIFE";
const STEP: &str = "ELECTRUS_TEST_STEP";
/// Versions of a pruned file, and backups, that the pruner leaves.
pub const KEPT: u64 = 5;
pub const KEPT_BACKUPS: u64 = 3;

/// What a worker says.
pub enum Said {
    /// It runs, and is about to open the folder.
    Begun,
    /// It was told that this version is kept, with this content.
    Version { name: String, number: u64, text: String },
    /// It was told that this backup is kept.
    Backup(String, u64),
    /// It may remove this version or backup from now on, or has removed it.
    Removing(String, u64),
    /// It has removed so many versions and so many backups.
    Removed(u64, u64),
    /// It found everything right.
    Verified,
}

impl Said {
    /// That something is done: written, backed up, pruned.
    pub fn is_acknowledgement(&self) -> bool {
        matches!(self, Said::Version { .. } | Said::Backup(..) | Said::Removed(..))
    }
}

/// Starts a worker. `life` differs for each; `step` is where it begins in its round.
pub fn start(role: &str, base: &Path, life: u64, step: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker::work", "--nocapture"])
        .env(ROLE, role)
        .env(BASE, base)
        .env(LIFE, life.to_string())
        .env(STEP, step.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills a worker, which must have lived until now: one that failed has ended by itself.
pub fn kill(mut worker: Child, what: &str) {
    use std::os::unix::process::ExitStatusExt;
    worker.kill().unwrap();
    let status = worker.wait().unwrap();
    assert_eq!(status.signal(), Some(9), "{what} failed ({status}): see its output above");
}

/// Lets a worker bring to an end what it is at, and say so.
pub fn finish(mut worker: Child, what: &str) {
    drop(worker.stdin.take());
    let status = worker.wait().unwrap();
    assert!(status.success(), "{what} failed ({status}): see its output above");
}

/// Hands on what it says until it ends; the last line may be torn.
pub fn listen(stdout: impl Read, mut hear: impl FnMut(Said)) {
    let mut lines = BufReader::new(stdout);
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        if line.ends_with('\n') {
            parse(line.trim_end()).map(&mut hear);
        }
        line.clear();
    }
}

fn parse(line: &str) -> Option<Said> {
    let number = |text: &str| text.parse().unwrap();
    Some(match line.split(' ').collect::<Vec<_>>()[..] {
        ["begun"] => Said::Begun,
        ["version", name, n, text] => Said::Version { name: name.to_owned(), number: number(n), text: text.to_owned() },
        ["backup", series, n] => Said::Backup(series.to_owned(), number(n)),
        ["removing", name, n] => Said::Removing(name.to_owned(), number(n)),
        ["removed", versions, backups] => Said::Removed(number(versions), number(backups)),
        ["verified"] => Said::Verified,
        _ => return None, // what the test runner prints
    })
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A line of its own, whatever the test runner printed before.
    write!(out, "\n{line}\n").unwrap();
    out.flush().unwrap();
}

#[test]
fn work() {
    let (Some(role), Some(base)) = (std::env::var_os(ROLE), std::env::var_os(BASE)) else { return };
    // Dead at once, or the kill that comes next would hide that it failed.
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(std::io::stderr(), "a worker failed: {panic}");
        std::process::abort();
    }));
    let number = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    say("begun");
    let worker = Worker { handler: open(Path::new(&base)), life: number(LIFE) };
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Relaxed);
    });
    for step in number(STEP).. {
        if stop.load(Relaxed) {
            return;
        }
        match role.to_str().unwrap() {
            "write" => worker.write(step),
            "prune" => worker.prune(),
            "backup" => worker.back_up(step),
            "verify" => worker.verify(),
            "all" => worker.do_something(step),
            role => panic!("no role {role}"),
        }
    }
}

struct Worker {
    handler: AdvancedFileHandler,
    life: u64,
}

impl Worker {
    /// Four writes, a backup, a prune; wherever a life begins, the rest of the round follows.
    fn do_something(&self, step: u64) {
        match step % 6 {
            4 => self.back_up(step),
            5 => self.prune(),
            _ => self.write(step),
        }
    }

    fn write(&self, step: u64) {
        let kind = if step.is_multiple_of(3) { "pruned" } else { "kept" };
        let name = format!("{kind}{}/f", step / 6 % 4);
        let text = format!("{}-{step}-{}", self.life, "x".repeat((step as usize * 7919) % 40_000));
        let write = || self.handler.secure_write(&name, Source::Bytes(text.as_bytes()), ChangeOptions::default());
        let version = patiently(write).unwrap().version.unwrap();
        say(&format!("version {name} {version} {text}"));
    }

    fn back_up(&self, step: u64) {
        let name = format!("b{}-{step}", self.life);
        let backups = self.handler.backups().unwrap();
        patiently(|| backups.create(Some(&name), &["."], &CreateOptions::default())).unwrap();
        say(&format!("backup b{} {step}", self.life));
    }

    fn verify(&self) {
        let report = patiently(|| self.handler.verify(&Progress::new())).unwrap();
        assert_eq!(report.damaged, [], "while others are at work");
        say("verified");
    }

    fn prune(&self) {
        let mut versions = 0;
        for file in 0..4 {
            let name = format!("pruned{file}/f");
            let keep = Retention { keep_last: Some(KEPT), ..Retention::default() };
            let prune = || self.handler.versions().prune(Some(Path::new(&name)), &keep, false, &Progress::new());
            versions += prune_some(|| self.list_versions(&name), KEPT, || prune().map(|report| report.versions));
        }
        let backups = self.handler.backups().unwrap();
        let keep = Retention { keep_last: Some(KEPT_BACKUPS), ..Retention::default() };
        let prune = || backups.prune(&keep, false, &Progress::new()).map(|report| report.snapshots);
        let removed = prune_some(|| self.list_backups(), KEPT_BACKUPS, prune);
        say(&format!("removed {versions} {removed}"));
        std::thread::sleep(Duration::from_millis(20));
    }

    /// Oldest first, as pruning counts them.
    fn list_versions(&self, name: &str) -> Vec<(String, u64)> {
        match self.handler.versions().list_versions(name) {
            Ok(versions) => versions.into_iter().map(|v| (name.to_owned(), v.number)).collect(),
            Err(e) if e.code() == Code::NotFound => Vec::new(), // before its first write
            Err(e) => panic!("{e:?}"),
        }
    }

    fn list_backups(&self) -> Vec<(String, u64)> {
        let parse = |name: &str| {
            let (series, number) = name.split_once('-').unwrap();
            (series.to_owned(), number.parse().unwrap())
        };
        self.handler.backups().unwrap().list().unwrap().iter().map(|backup| parse(&backup.name)).collect()
    }
}

/// Prunes what a listing shows, and says beforehand what of that will go and afterwards what else went; how many.
fn prune_some(list: impl Fn() -> Vec<(String, u64)>, keep: u64, prune: impl Fn() -> Result<u64>) -> u64 {
    let before = list();
    let Some((series, newest)) = before.last().cloned() else { return 0 };
    for (name, number) in &before[..before.len().saturating_sub(keep as usize)] {
        say(&format!("removing {name} {number}"));
    }
    let removed = match prune() {
        Ok(removed) => removed,
        Err(e) if e.code() == Code::StoreBusy => return 0, // the others never left the store alone
        Err(e) => panic!("{e:?}"),
    };
    let after: BTreeSet<(String, u64)> = list().into_iter().collect();
    // What others made after the first look may be gone as well: their numbers follow each other.
    let last = after.range((series.clone(), 0)..=(series.clone(), u64::MAX)).last().map_or(newest, |(_, n)| *n);
    let since = (newest + 1..last).map(|number| (series.clone(), number));
    let gone: Vec<_> = before.into_iter().chain(since).filter(|one| !after.contains(one)).collect();
    for (name, number) in &gone {
        say(&format!("removing {name} {number}"));
    }
    assert_eq!(gone.len() as u64, removed, "pruning removed {removed}, and {gone:?} are gone");
    removed
}

/// Tries again, for a minute, what a later attempt may help: a store that others keep busy is no failure.
fn patiently<T>(attempt: impl Fn() -> Result<T>) -> Result<T> {
    let begin = Instant::now();
    loop {
        match attempt() {
            Err(e) if e.retryable() && begin.elapsed() < Duration::from_secs(60) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            answer => return answer,
        }
    }
}
