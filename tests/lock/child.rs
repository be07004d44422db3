//! What is done in a process of its own: this test program runs itself again with a task in its environment.

use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const TASK: &str = "ELECTRUS_TEST_TASK";
const FILE: &str = "ELECTRUS_TEST_FILE";
const SECONDS: &str = "ELECTRUS_TEST_SECONDS";
const TIMES: &str = "ELECTRUS_TEST_TIMES";

/// A process that says a line when it is ready, and ends when its input does.
pub struct Task {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// A command that runs a task of this program.
pub fn command(task: &str, file: &Path) -> Command {
    command_as(&std::env::current_exe().unwrap(), task, file)
}

/// … through another program, or a copy of this one.
pub fn command_as(program: &Path, task: &str, file: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["child::entry", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(TASK, task).env(FILE, file);
    command
}

pub fn seconds(command: &mut Command, seconds: f64) -> &mut Command {
    command.env(SECONDS, seconds.to_string())
}

pub fn times(command: &mut Command, times: u32) -> &mut Command {
    command.env(TIMES, times.to_string())
}

impl Task {
    pub fn start(command: &mut Command) -> Task {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Task { child, input, output }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next answer.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the child ended without an answer");
            if let Some((_, answer)) = line.split_once("ANSWER ") {
                return answer.trim().to_owned();
            }
        }
    }

    /// Waits until it says that it holds the lock.
    pub fn ready(mut self) -> Task {
        assert_eq!(self.hear(), "ok");
        self
    }

    /// Sends it a line.
    pub fn tell(&mut self) {
        self.input.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends its input and waits for it.
    pub fn finish(mut self) {
        self.input = None;
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Another process of ours that holds the lock until it is told to end.
pub fn holding(task: &str, file: &Path) -> Task {
    Task::start(&mut command(task, file)).ready()
}

/// What a task answers that ends by itself.
pub fn answer(command: &mut Command) -> String {
    let mut task = Task::start(command);
    let answer = task.hear();
    task.finish();
    answer
}

fn say(word: &str) {
    println!("ANSWER {word}");
    std::io::stdout().flush().unwrap();
}

fn until_told() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

#[test]
fn entry() {
    let (Ok(task), Some(file)) = (std::env::var(TASK), std::env::var_os(FILE)) else { return };
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let timeout = Timeout::from_seconds(number(SECONDS)).unwrap();
    let location = Location::ordinary(file).unwrap();
    let acquire =
        |kind, timeout| FileLockManager.acquire(&location, kind, &LockOptions { timeout, ..LockOptions::default() });
    match task.as_str() {
        "try-exclusive" => say(word(acquire(Exclusive, timeout))),
        "try-shared" => say(word(acquire(Shared, timeout))),
        "hold-exclusive" => hold(acquire(Exclusive, Timeout::After(PATIENCE))),
        "hold-shared" => hold(acquire(Shared, Timeout::After(PATIENCE))),
        "read-on" => read_on(&acquire),
        "count" => count(&acquire, number(TIMES) as u32, location.path()),
        "fork" => super::fork::drop_in_child(acquire(Exclusive, Timeout::Try).unwrap(), &location),
        _ => panic!("no such task: {task}"),
    }
}

fn hold(answer: Result<LockGuard>) {
    say(answer.as_ref().map_or_else(|e: &Error| e.code().name(), |_| "ok"));
    until_told();
    if let Ok(guard) = answer {
        guard.release().unwrap();
    }
}

/// Takes the shared lock again and again, with hardly a pause, until it is killed.
fn read_on(acquire: &impl Fn(LockType, Timeout) -> Result<LockGuard>) {
    say("ok");
    loop {
        let _guard = acquire(Shared, Timeout::After(PATIENCE)).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Adds to the number that stands in a file, under its exclusive lock.
fn count(acquire: &impl Fn(LockType, Timeout) -> Result<LockGuard>, times: u32, file: &Path) {
    use std::os::unix::fs::FileExt;
    for _ in 0..times {
        let guard = acquire(Exclusive, Timeout::After(PATIENCE)).unwrap();
        let open = std::fs::File::options().read(true).write(true).open(file).unwrap();
        let mut number = [0; 8];
        open.read_exact_at(&mut number, 0).unwrap();
        open.write_all_at(&(u64::from_le_bytes(number) + 1).to_le_bytes(), 0).unwrap();
        guard.release().unwrap();
    }
    say("done");
}
