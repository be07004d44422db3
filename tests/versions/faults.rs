//! What the system refuses after a change was made, or while a transaction is decided: strace injects it.
#![cfg(all(target_os = "linux", not(feature = "process-locks")))]

use super::*;
use electrus::backup::CreateOptions;
use electrus::error::Code;
use electrus::transaction::Transaction;
use electrus::workspace::Change;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const TASK: &str = "ELECTRUS_TEST_FAULT";
const FOLDER: &str = "ELECTRUS_TEST_FOLDER";

#[test]
fn child_that_meets_a_fault() {
    let (Ok(task), Some(folder)) = (std::env::var(TASK), std::env::var_os(FOLDER)) else { return };
    let handler = open(Path::new(&folder));
    let options = ChangeOptions::default();
    let answer = match task.as_str() {
        "write" => handler.secure_write("f", Source::Bytes(b"new"), options).map(drop),
        "write-deep" => handler.secure_write("d/e/f", Source::Bytes(b"new"), options).map(drop),
        "backup" => {
            let elsewhere = Path::new(&folder).join("x/y/z");
            let handler = AdvancedFileHandler::open(
                &folder,
                &OpenOptions { backup_dir: Some(elsewhere), ..OpenOptions::default() },
            );
            let backups = handler.and_then(|handler| handler.backups()).unwrap();
            backups.create(Some("b"), &["f"], &CreateOptions::default()).map(drop)
        }
        "write-one-by-one" => names().try_for_each(|name| {
            let written = handler.secure_write(name, Source::Bytes(b"new"), ChangeOptions::default());
            written.map(drop)
        }),
        "write-together" => {
            let change = |name: String| Change {
                location: handler.workspace().base().resolve_creating(name, true).unwrap(),
                source: Source::Bytes(b"new"),
                options: ChangeOptions::default(),
            };
            let written = handler.workspace().write_many(names().map(change).collect());
            written.into_iter().try_for_each(|written| written.map(drop))
        }
        "delete" => handler.delete("f", options).map(drop),
        "rename" => handler.rename("g", "f", options).map(drop),
        "transaction" => {
            let mut transaction = Transaction::new(handler.workspace());
            transaction.write("f", "new").write("h", "new").rename("g", "i");
            transaction.commit().map(drop)
        }
        "transaction-rename" => {
            let mut transaction = Transaction::new(handler.workspace());
            transaction.rename("g", "f");
            transaction.commit().map(drop)
        }
        _ => panic!("no such task: {task}"),
    };
    match answer {
        Ok(()) => println!("\nANSWER ok"),
        Err(e) => println!("\nANSWER {} {} {}", e.code().name(), e.os_error().unwrap_or(0), e.words()),
    }
}

/// More than are flushed one by one in any case.
fn names() -> impl Iterator<Item = String> {
    (0..40).map(|n| format!("n{n}"))
}

struct Run {
    folder: tempfile::TempDir,
    answer: String,
    log: Vec<String>,
}

impl Run {
    fn content(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.path().join(name)).ok()
    }

    fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// Where in the log the first call stands whose line has all these; `@` is the folder.
    fn first(&self, marks: &[&str]) -> usize {
        let marks: Vec<String> = marks.iter().map(|m| m.replace('@', self.path().to_str().unwrap())).collect();
        let found = self.log.iter().position(|line| marks.iter().all(|mark| line.contains(mark.as_str())));
        found.unwrap_or_else(|| panic!("nothing has {marks:?} in {:#?}", self.log))
    }

    /// The injection that hits one call of those whose line has all `marks` (`@` is the folder), counted from the last.
    fn fault(&self, call: &str, marks: &[&str], from_end: usize, errno: &str) -> String {
        let marks: Vec<String> = marks.iter().map(|m| m.replace('@', self.path().to_str().unwrap())).collect();
        let begins =
            |line: &&String| line.split_once(' ').is_some_and(|(_, c)| c.trim().starts_with(&format!("{call}(")));
        let calls: Vec<&String> = self.log.iter().filter(begins).collect();
        let hits = |line: &str| marks.iter().all(|mark| line.contains(mark.as_str()));
        let hit = (0..calls.len()).rev().filter(|i| hits(calls[*i])).nth(from_end);
        let hit = hit.unwrap_or_else(|| panic!("no {call} has {marks:?} in {:#?}", self.log));
        // Calls are counted for each thread.
        let thread = |line: &str| line.split_once(' ').unwrap().0.to_owned();
        let when = calls[..=hit].iter().filter(|line| thread(line) == thread(calls[hit])).count();
        format!("inject={call}:error={errno}:when={when}")
    }
}

/// Runs a task on a folder with `f` and `g`, below strace. `None`, loudly, where that cannot be.
fn run(task: &str, faults: &[&str]) -> Option<Run> {
    let folder = tempfile::tempdir().unwrap();
    let handler = open(folder.path());
    for name in ["f", "g"] {
        write(&handler, name, "old");
    }
    handler.close().unwrap();
    fs::create_dir(folder.path().join(".electrus/tx")).unwrap();
    // So young that its times prove nothing: whoever wants to know it unchanged must read it.
    let young = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    fs::File::open(folder.path().join("f")).unwrap().set_modified(young).unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-o"]).arg(log.path());
    command.args(["-e", "trace=openat,read,pread64,fsync,fdatasync,syncfs,unlinkat,renameat,renameat2"]);
    command.args(faults.iter().flat_map(|fault| ["-e", fault]));
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", "faults::child_that_meets_a_fault", "--nocapture", "--test-threads=1"]);
    let Ok(output) = command.env(TASK, task).env(FOLDER, folder.path()).output() else {
        eprintln!("SKIPPED: strace is missing");
        return None;
    };
    let out = String::from_utf8_lossy(&output.stdout);
    let Some(answer) = out.lines().find_map(|line| line.strip_prefix("ANSWER ")) else {
        eprintln!("SKIPPED: strace may not trace: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    };
    let log = fs::read_to_string(log.path()).unwrap().lines().map(str::to_owned).collect();
    Some(Run { folder, answer: answer.to_owned(), log })
}

/// Such a fault was told as `too_many_open_files`, retryable, as if nothing had happened.
#[test]
fn a_file_that_cannot_be_read_back_has_been_changed_and_the_error_says_so() {
    let Some(usual) = run("write", &[]) else { return };
    assert_eq!(usual.answer, "ok");
    let fault = usual.fault("openat", &["<@>", "\"f\""], 0, "EMFILE");
    let run = run("write", &[&fault]).unwrap();
    let expected = format!("{} 24 the change was made, but it could not be read back", Code::DurabilityUnknown.name());
    assert!(run.answer.starts_with(&expected), "{}", run.answer);
    assert!(!Code::DurabilityUnknown.retryable());
    assert_eq!(run.content("f").unwrap(), "new");
    assert_eq!(write(&open(run.folder.path()), "f", "next").outside_edit, None);
}

#[test]
fn what_fails_after_a_file_is_gone_says_that_it_is_gone() {
    for task in ["delete", "rename"] {
        let Some(usual) = run(task, &[]) else { return };
        assert_eq!(usual.answer, "ok");
        // The last look at the file that went: at what was written to it meanwhile.
        let fault = usual.fault("read", &["<@/f", "\"old\""], 0, "EIO");
        let run = run(task, &[&fault]).unwrap();
        assert!(run.answer.starts_with("durability_unknown 5 the change was made, but what was"), "{}", run.answer);
        assert_eq!(run.content("f").as_deref(), (task == "rename").then_some("old"));
        assert_eq!(run.content("g").is_none(), task == "rename");
    }
}

/// A transaction promises that any other error means that all files are as they were.
#[test]
fn a_transaction_that_cannot_tell_its_results_has_been_made() {
    let Some(usual) = run("transaction-rename", &[]) else { return };
    assert_eq!(usual.answer, "ok");
    let last = |marks: [&str; 2]| usual.log.iter().rposition(|line| marks.iter().all(|mark| line.contains(mark)));
    assert!(last(["unlinkat(", "/tx>"]) < last(["read(", "/f>, \"old\""]), "{:#?}", usual.log);
    let fault = usual.fault("read", &["<@/f>, \"old\""], 0, "EIO");
    let run = run("transaction-rename", &[&fault]).unwrap();
    assert!(run.answer.starts_with("durability_unknown 5 the change was made, but"), "{}", run.answer);
    assert_eq!((run.content("f"), run.content("g")), (Some("old".into()), None));
    assert!(open(run.folder.path()).workspace().recovered().is_empty());
}

/// The failure was told also where the decision could not be taken back, and the next open carried it out.
#[test]
fn a_decision_that_cannot_be_made_durable_is_taken_back_or_not_known() {
    let Some(usual) = run("transaction", &[]) else { return };
    let no_flush = usual.fault("fsync", &["<@/.electrus/tx>"], 1, "EIO");
    let old = |run: &Run| (run.content("f"), run.content("h")) == (Some("old".to_owned()), None);

    let taken_back = run("transaction", &[&no_flush]).unwrap();
    assert!(taken_back.answer.starts_with("io 5 "), "{}", taken_back.answer);
    assert!(old(&taken_back) && open(taken_back.folder.path()).workspace().recovered().is_empty());
    assert!(old(&taken_back));

    let no_removal = taken_back.fault("unlinkat", &["<@/.electrus/tx>"], 0, "EIO");
    let not_known = run("transaction", &[&no_flush, &no_removal]).unwrap();
    assert!(not_known.answer.starts_with("durability_unknown "), "{}", not_known.answer);
    assert!(old(&not_known));
    assert_eq!(open(not_known.folder.path()).workspace().recovered().len(), 1);
    assert_eq!((not_known.content("f"), not_known.content("h")), (Some("new".into()), Some("new".into())));
}

/// Others may have made a folder and died, or not come to flush it yet: what is acknowledged must not stand in it.
#[test]
fn a_process_acknowledges_nothing_before_the_folders_of_the_store_are_durable() {
    let Some(run) = run("write", &[]) else { return };
    let first_record = run.first(&["fdatasync(", "@/.electrus/segments/"]);
    for folder in ["<@>", "<@/.electrus>", "<@/.electrus/segments>"] {
        assert!(run.first(&["fsync(", folder]) < first_record, "{folder}");
    }
    let fault = run.fault("fsync", &["<@/.electrus>"], 0, "EIO");
    let refused = self::run("write", &[&fault]).unwrap();
    assert!(refused.answer.starts_with("io 5 "), "{}", refused.answer);
    assert_eq!(refused.content("f").unwrap(), "old");
}

#[test]
fn a_transaction_is_decided_in_a_folder_that_is_durable_whoever_made_it() {
    let Some(run) = run("transaction", &[]) else { return };
    let decided = run.first(&["renameat", "/.electrus/tx>"]);
    let opened =
        run.log[..decided].iter().rposition(|line| line.contains("openat") && line.contains("\"tx\"")).unwrap();
    let flushed = |line: &String| line.contains("fsync(") && line.contains("/.electrus>");
    assert!(run.log[..opened].iter().rev().take(4).any(flushed), "{:#?}", &run.log[..decided]);
}

#[test]
fn each_level_of_folders_that_is_created_is_flushed() {
    let Some(run) = run("write-deep", &[]) else { return };
    assert_eq!(run.answer, "ok");
    let named = run.first(&["renameat", "<@/d/e>"]);
    for folder in ["<@>", "<@/d>"] {
        assert!(run.first(&["fsync(", folder]) < named, "{folder}");
    }
    assert!(run.first(&["fsync(", "<@/d/e>"]) > named);
    let Some(run) = self::run("backup", &[]) else { return };
    assert_eq!(run.answer, "ok");
    let first_record = run.first(&["fdatasync(", "@/x/y/z"]);
    for folder in ["<@>", "<@/x>", "<@/x/y>", "<@/x/y/z>"] {
        assert!(run.first(&["fsync(", folder]) < first_record, "{folder}");
    }
}

#[test]
fn writes_that_go_together_share_their_flushes() {
    let flushes = |task| {
        let run = run(task, &[])?;
        assert_eq!(run.answer, "ok");
        let is_flush = |line: &&String| ["fsync(", "fdatasync(", "syncfs("].iter().any(|call| line.contains(call));
        Some(run.log.iter().filter(is_flush).count())
    };
    let (Some(alone), Some(together)) = (flushes("write-one-by-one"), flushes("write-together")) else { return };
    // Alone: the file, the store, the folder.
    assert!(alone >= 3 * names().count(), "{alone}");
    assert!(together <= alone / 2, "{together} of {alone}");
}
