//! A temporary base folder, and the program run in it.

use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_electrus");

/// A base folder for one test.
pub struct Base {
    dir: TempDir,
}

impl Base {
    pub fn new() -> Base {
        Base { dir: crate::common::open_folder() }
    }

    pub fn folder(&self) -> &TempDir {
        &self.dir
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// A file made by other means than the program.
    pub fn file(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn content(&self, name: impl AsRef<Path>) -> String {
        String::from_utf8(std::fs::read(self.join(name)).unwrap()).unwrap()
    }

    /// Every name below, sorted, without the store and its sidecars.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = walkdir::WalkDir::new(self.path())
            .min_depth(1)
            .into_iter()
            .filter_entry(|e| e.file_name() != ".electrus")
            .map(|e| e.unwrap().path().strip_prefix(self.path()).unwrap().to_string_lossy().into_owned())
            .filter(|name| !name.ends_with(".lock"))
            .collect();
        names.sort();
        names
    }

    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(args).current_dir(self.path()).env_remove("ELECTRUS_LOCK").stdin(Stdio::null());
        command
    }

    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        Ran::of(&mut self.command(args))
    }

    /// With this on stdin.
    pub fn feed<A: AsRef<OsStr>>(&self, input: impl AsRef<[u8]>, args: impl IntoIterator<Item = A>) -> Ran {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_ref()).unwrap();
        Ran::from(child.wait_with_output().unwrap(), &command)
    }

    /// A shell command, with the program on PATH.
    pub fn sh(&self, script: &str) -> Ran {
        Ran::of(&mut self.shell(script))
    }

    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-c", script]).current_dir(self.path()).env("PATH", path_with_program()).stdin(Stdio::null());
        command.env_remove("ELECTRUS_LOCK").env("LC_ALL", "C"); // what other tools say is compared
        command
    }

    /// A file written by the program; the result.
    pub fn write(&self, name: &str, text: &str) -> Value {
        self.run(["--json", "write", name, "--text", text]).document()
    }
}

pub fn path_with_program() -> OsString {
    let mut path = OsString::from(Path::new(PROGRAM).parent().unwrap());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

/// The program with signals as at a terminal, even if the tests run in the background, where SIGINT is ignored.
pub const WITH_SIGNALS: &str = "exec env --default-signal=INT,TERM,HUP electrus";

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
    what: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Ran {
        let output = command.output().unwrap();
        Ran::from(output, command)
    }

    fn from(output: Output, command: &Command) -> Ran {
        use std::os::unix::process::ExitStatusExt;
        let status = output.status.code().unwrap_or_else(|| 1000 + output.status.signal().unwrap());
        Ran { status, out: output.stdout, err: output.stderr, what: format!("{command:?}") }
    }

    #[track_caller]
    pub fn ok(self) -> Ran {
        self.status(0)
    }

    #[track_caller]
    pub fn status(self, expected: i32) -> Ran {
        assert_eq!(self.status, expected, "{}\nstdout: {}\nstderr: {}", self.what, self.text(), self.errors());
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }

    /// The one document on stdout of a success.
    #[track_caller]
    pub fn document(self) -> Value {
        let ran = self.ok();
        assert!(ran.err.is_empty(), "{}: stderr: {}", ran.what, ran.errors());
        ran.any_document()
    }

    /// The one document on stdout.
    #[track_caller]
    pub fn any_document(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|e| panic!("{}: {e}: {}", self.what, self.text()))
    }

    /// Failed with this status and this code's name, told as the envelope on stderr alone; the envelope's body.
    #[track_caller]
    pub fn refused(self, status: i32, name: &str) -> Value {
        let envelope: Value = serde_json::from_slice(&self.err)
            .unwrap_or_else(|e| panic!("{} ({}): {e}: {}{}", self.what, self.status, self.text(), self.errors()));
        let body = envelope["error"].clone();
        assert_eq!((self.status, body["name"].as_str()), (status, Some(name)), "{}: {body}", self.what);
        assert!(body["code"].is_i64() && body["message"].is_string(), "{body}");
        assert!(self.out.is_empty(), "{}: {}", self.what, self.text());
        body
    }
}

/// Whether a program is there to be compared with.
pub fn has(program: &str) -> bool {
    let there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success();
    if !there {
        crate::common::skip(&format!("{program} is missing"));
    }
    there
}

/// Kills and collects a child when the test ends, whichever way.
pub struct Reaped(pub Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something holds, for a generous while.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed().as_secs() < 60, "still not: {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Waits until a process catches SIGINT (where the system tells).
pub fn until_it_catches_signals(pid: u32) {
    let Ok(_) = std::fs::read_to_string("/proc/self/status") else { return };
    until("SIGINT is caught", || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim().to_owned();
        u64::from_str_radix(&caught, 16).is_ok_and(|mask| mask & 2 != 0)
    });
}
