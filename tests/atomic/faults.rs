//! What is asked of the kernel and in which order, and what happens when it says no: strace watches and injects.

use super::child::Options as _;
use super::*;
use electrus::error::Code;
use std::path::PathBuf;

struct Run {
    answer: String,
    /// What happened to the files of the folder, in order.
    events: Vec<&'static str>,
    folder: tempfile::TempDir,
}

impl Run {
    fn file(&self) -> PathBuf {
        self.folder.path().join("f")
    }

    fn content(&self) -> Option<Vec<u8>> {
        assert!(names(self.folder.path()).iter().all(|name| name == "f"), "{:?}", names(self.folder.path()));
        fs::read(self.file()).ok()
    }

    fn count(&self, event: &str) -> usize {
        self.events.iter().filter(|e| **e == event).count()
    }
}

/// Runs a task below strace, on a file that stands there or not.
fn run(old: Option<&str>, task: &str, injected: &[&str], options: impl FnOnce(&mut Command)) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let file = folder.path().join("f");
    if let Some(old) = old {
        fs::write(&file, old).unwrap();
    }
    let calls = "trace=openat,write,fsync,fdatasync,rename,renameat,renameat2,linkat,flock,sync_file_range";
    let mut arguments = vec!["-f", "-y", "-o", log.path().to_str().unwrap(), "-e", calls];
    let injected: Vec<String> = injected.iter().map(|what| format!("inject={what}")).collect();
    for what in &injected {
        arguments.extend(["-e", what]);
    }
    let mut command = child::below("strace", &arguments, task, &file);
    options(&mut command);
    let answer = command.answer();
    let path = folder.path().canonicalize().unwrap();
    let log = fs::read_to_string(log.path()).unwrap();
    let events = log.lines().filter_map(|line| event(line, path.to_str().unwrap())).collect();
    Run { answer, events, folder }
}

fn event(line: &str, folder: &str) -> Option<&'static str> {
    let call = line.split_once(' ')?.1.trim_start();
    let on_temp = call.contains(&format!("<{folder}/.electrus-tmp-"));
    let on_folder = call.contains(&format!("<{folder}>"));
    match call.split_once('(')?.0 {
        "write" if on_temp => Some("write"),
        "fsync" | "fdatasync" if on_temp => Some("fsync file"),
        "fsync" | "fdatasync" if on_folder => Some("fsync folder"),
        name if name.starts_with("rename") && on_folder => Some("rename"),
        "linkat" if on_folder => Some("link"),
        "sync_file_range" if on_temp => Some("start flushing"),
        _ => None,
    }
}

#[test]
fn each_durability_has_its_order_of_calls() {
    if !can_trace() {
        return;
    }
    let expected: [(&str, &[&str]); 3] = [
        ("full", &["write", "fsync file", "rename", "fsync folder"]),
        ("data", &["write", "fsync file", "rename"]),
        ("none", &["write", "rename"]),
    ];
    for (durability, events) in expected {
        for (old, condition) in [(None, None), (Some("old"), None), (None, Some("absent")), (Some("old"), Some("old"))]
        {
            let run = run(old, "write", &[], |command| {
                command.durability(durability);
                condition.map(|condition| command.condition(condition));
            });
            assert_eq!(run.answer, format!("ok {durability}"));
            assert_eq!(run.events, events);
            assert_eq!(run.content().unwrap(), b"new");
        }
    }
}

#[test]
fn much_content_is_flushed_while_it_is_written() {
    if !can_trace() {
        return;
    }
    let run = run(None, "write-much", &[], |c| {
        c.durability("full");
    });
    assert_eq!(run.count("start flushing"), 3);
    assert_eq!(run.content().unwrap().len(), 3 << 20);
}

#[test]
fn a_failed_fsync_is_final() {
    if !can_trace() {
        return;
    }
    for durability in ["full", "data"] {
        let run = run(Some("old"), "write", &["fsync:error=EIO:when=1"], |c| {
            c.durability(durability);
        });
        assert_eq!(run.answer, Code::Io.name());
        assert_eq!(run.events, ["write", "fsync file"]);
        assert_eq!(run.content().unwrap(), b"old");
    }
}

#[test]
fn what_fails_after_the_rename_says_that_the_change_was_made() {
    if !can_trace() {
        return;
    }
    let run = run(Some("old"), "write", &["fsync:error=EIO:when=2"], |c| {
        c.durability("full");
    });
    assert_eq!(run.answer, Code::DurabilityUnknown.name());
    assert_eq!(run.count("fsync folder"), 1);
    assert_eq!(run.content().unwrap(), b"new");
}

#[test]
fn a_folder_that_cannot_be_flushed_shows_in_what_was_achieved() {
    if !can_trace() {
        return;
    }
    let run = run(Some("old"), "write", &["fsync:error=EINVAL:when=2"], |c| {
        c.durability("full");
    });
    assert_eq!(run.answer, "ok data");
}

#[test]
fn a_failed_rename_leaves_the_old_content() {
    if !can_trace() {
        return;
    }
    for (errno, code) in [("EXDEV", Code::CrossDevice), ("EROFS", Code::ReadOnly), ("EPERM", Code::PermissionDenied)] {
        for condition in [None, Some("old")] {
            let rename = format!("rename,renameat,renameat2:error={errno}");
            let run = run(Some("old"), "write", &[&rename], |command| {
                condition.map(|condition| command.condition(condition));
            });
            assert_eq!(run.answer, code.name());
            assert_eq!(run.content().unwrap(), b"old");
        }
    }
}

#[test]
fn interrupted_writes_go_on() {
    if !can_trace() {
        return;
    }
    let run = run(Some("old"), "write-much", &["write:error=EINTR:when=1+2"], |c| {
        c.durability("data");
    });
    assert_eq!(run.answer, "ok data");
    assert!(run.count("write") > 3);
    assert_eq!(run.content().unwrap(), vec![b'n'; 3 << 20]);
}

#[test]
fn file_systems_without_special_renames_have_the_same_conditions() {
    if !can_trace() {
        return;
    }
    let no_link = ["renameat2:error=EINVAL", "linkat:error=EPERM"];
    for injected in [&no_link[..1], &no_link[..]] {
        let cases = [
            (None, "absent", "ok none", Some("new")),
            (Some("old"), "absent", "already_exists", Some("old")),
            (Some("old"), "old", "ok none", Some("new")),
            (Some("old"), "other", "changed", Some("old")),
            (None, "other", "changed", None),
        ];
        for (old, condition, answer, content) in cases {
            // Plain replacement may go by the same call, without flags.
            let run = run(old, "write", injected, |c| {
                c.condition(condition);
            });
            assert_eq!(run.answer, answer, "{old:?} {condition} {:?}", run.events);
            assert_eq!(run.content().as_deref(), content.map(str::as_bytes));
        }
    }
}

#[test]
fn file_systems_without_locks_work() {
    if !can_trace() {
        return;
    }
    for errno in ["ENOLCK", "EOPNOTSUPP", "ENOSYS"] {
        let run = run(Some("old"), "write", &[&format!("flock:error={errno}")], |_| {});
        assert_eq!(run.answer, "ok none", "{errno}");
        assert_eq!(run.content().unwrap(), b"new");
    }
}

#[test]
fn a_kernel_that_cannot_flush_early_is_no_error() {
    if !can_trace() {
        return;
    }
    for (errno, answer) in [("ENOSYS", "ok full"), ("EPERM", "ok full"), ("EIO", Code::Io.name())] {
        let injected = format!("sync_file_range:error={errno}");
        let run = run(None, "write-much", &[&injected], |c| {
            c.durability("full");
        });
        assert_eq!(run.answer, answer);
        assert_eq!(run.content().is_some(), answer.starts_with("ok"));
    }
}
