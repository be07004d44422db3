//! What is done in a process of its own: this test program runs itself again with a task in its environment.

use super::*;
use electrus::atomic::{AtomicFile, write};
use electrus::error::{Code, Result};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Stdio};

const TASK: &str = "ELECTRUS_TEST_TASK";
const FILE: &str = "ELECTRUS_TEST_FILE";
const DURABILITY: &str = "ELECTRUS_TEST_DURABILITY";
const CONDITION: &str = "ELECTRUS_TEST_CONDITION";

/// A command that runs a task on a file.
pub fn command(task: &str, file: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    prepare(&mut command, task, file);
    command
}

/// The same below another program (strace, sh) that runs what follows its arguments.
pub fn below(program: &str, arguments: &[&str], task: &str, file: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(std::env::current_exe().unwrap());
    prepare(&mut command, task, file);
    command
}

fn prepare(command: &mut Command, task: &str, file: &Path) {
    command.args(["child::entry", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(TASK, task).env(FILE, file).stdin(Stdio::null()).stdout(Stdio::piped());
}

pub trait Options {
    fn durability(&mut self, name: &str) -> &mut Self;
    /// `absent`, or the content that is expected.
    fn condition(&mut self, text: &str) -> &mut Self;
    /// What the task answered: `ok` and the durability achieved, or the name of an error.
    fn answer(&mut self) -> String;
    /// Runs until it says that it is ready.
    fn until_ready(&mut self) -> Child;
}

impl Options for Command {
    fn durability(&mut self, name: &str) -> &mut Command {
        self.env(DURABILITY, name)
    }

    fn condition(&mut self, text: &str) -> &mut Command {
        self.env(CONDITION, text)
    }

    fn answer(&mut self) -> String {
        let output = self.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match text.split_once("ANSWER ") {
            Some((_, answer)) => answer.lines().next().unwrap().to_owned(),
            None => panic!("no answer: {text}{}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    fn until_ready(&mut self) -> Child {
        let mut child = self.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("READY")));
        child
    }
}

#[test]
fn entry() {
    let Ok(task) = std::env::var(TASK) else { return };
    let file = PathBuf::from(std::env::var_os(FILE).unwrap());
    let answer = match run(&task, &file) {
        Ok(answer) => answer,
        Err(e) => e.code().name().to_owned(),
    };
    println!("\nANSWER {answer}");
}

fn run(task: &str, file: &Path) -> Result<String> {
    match task {
        "write" => write_once(file, b"new"),
        "write-much" => write_once(file, &vec![b'n'; 3 << 20]),
        "write-without-descriptors" => {
            let target = at(file);
            let mut taken = Vec::new();
            while let Ok(file) = fs::File::open("/dev/null") {
                taken.push(file);
            }
            write(&target, b"new", &options()).map(|_| "ok".to_owned())
        }
        "begin-and-wait" => {
            let mut new = AtomicFile::create(&at(file), &options())?;
            new.write_all(b"unfinished")?;
            println!("\nREADY");
            std::thread::sleep(std::time::Duration::from_secs(600));
            Ok("waited".to_owned())
        }
        "write-for-ever" => {
            write(&at(file), &[0; 1 << 16], &options())?;
            println!("\nREADY");
            for round in (0_u8..=255).cycle() {
                write(&at(file), &vec![round; 1 << 16], &options())?;
            }
            unreachable!()
        }
        task => {
            races::increment(file, task.parse().unwrap());
            Ok("ok".to_owned())
        }
    }
}

fn write_once(file: &Path, content: &[u8]) -> Result<String> {
    let written = write(&at(file), content, &options())?;
    Ok(format!("ok {:?}", written.durability).to_lowercase())
}

fn options() -> WriteOptions {
    let durability = match std::env::var(DURABILITY).as_deref() {
        Ok("full") => Durability::Full,
        Ok("data") => Durability::Data,
        _ => Durability::None,
    };
    let condition = match std::env::var(CONDITION).as_deref() {
        Ok("absent") => Condition::Absent,
        Ok(content) => if_content(content.as_bytes()).condition,
        Err(_) => Condition::Always,
    };
    WriteOptions { durability, condition, algorithms: vec![Algorithm::Sha256], ..WriteOptions::default() }
}

#[test]
fn the_temporary_file_of_a_killed_writer_goes_and_that_of_a_living_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, "old").unwrap();
    let mut doomed = command("begin-and-wait", &file).until_ready();
    let mut living = command("begin-and-wait", &file).until_ready();
    assert_eq!(names(folder.path()).len(), 3);
    assert!(electrus::atomic::remove_leftovers_in(folder.path(), false).unwrap().is_empty());
    doomed.kill().unwrap();
    doomed.wait().unwrap();
    let removed = electrus::atomic::remove_leftovers_in(folder.path(), false).unwrap();
    assert_eq!(removed.len(), if cfg!(feature = "process-locks") { 0 } else { 1 });
    assert!(names(folder.path()).len() >= 2, "the living writer's file");
    living.kill().unwrap();
    living.wait().unwrap();
    electrus::atomic::remove_leftovers_in(folder.path(), cfg!(feature = "process-locks")).unwrap();
    assert_eq!(names(folder.path()), ["f"]);
    assert_eq!(fs::read(&file).unwrap(), b"old");
}

#[test]
fn a_writer_killed_at_any_moment_leaves_old_or_new() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    for round in 0..12 {
        let mut writer = command("write-for-ever", &file).until_ready();
        std::thread::sleep(std::time::Duration::from_millis(5 + 3 * round));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let content = fs::read(&file).unwrap();
        assert_eq!(content.len(), 1 << 16);
        assert!(content.iter().all(|b| *b == content[0]));
        electrus::atomic::remove_leftovers_in(folder.path(), true).unwrap();
        assert!(names(folder.path()).iter().all(|name| name == "f"));
    }
}

#[test]
fn a_new_file_obeys_the_umask_of_its_process() {
    let folder = tempfile::tempdir().unwrap();
    for (umask, mode) in [("000", 0o666), ("022", 0o644), ("077", 0o600), ("027", 0o640)] {
        let file = folder.path().join(umask);
        let script = format!("umask {umask}; exec \"$@\"");
        assert_eq!(below("sh", &["-c", &script, "sh"], "write", &file).answer(), "ok none");
        assert_eq!(attributes::mode(&file), mode);
    }
}

#[test]
fn without_free_descriptors_the_old_content_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, "old").unwrap();
    let script = "ulimit -n 64; exec \"$@\"";
    let answer = below("sh", &["-c", script, "sh"], "write-without-descriptors", &file).answer();
    assert_eq!(answer, Code::TooManyOpenFiles.name());
    assert_eq!(fs::read(&file).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["f"]);
}
