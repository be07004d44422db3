//! Parsing, help, exit statuses, errors for people and for programs, `-C`.

use crate::helper::{Base, Ran, Reaped};
use electrus::error::{Code, Family};
use std::fs::File;
use std::io::Read;
use std::process::{ChildStdout, Command, Stdio};

#[test]
fn help_names_every_command_and_every_exit_status() {
    let help = Base::new().run(["--help"]).ok().text();
    let commands = [
        "write", "read", "stat", "copy", "mv", "rm", "checksum", "lock", "locks", "snapshot", "versions", "diff",
        "restore", "tag", "prune", "json", "backup", "batch", "tx", "verify", "import",
    ];
    for command in commands {
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
    }
    for family in Family::ALL {
        assert!(help.contains(&format!("{:4}  {}: ", *family as u8, family.text())), "{family:?}");
    }
    for code in Code::ALL {
        assert!(help.contains(code.name()), "{code:?}");
    }
    assert!(help.contains("75"));
}

#[test]
fn every_command_has_help() {
    let base = Base::new();
    for command in ["write", "json", "backup", "batch", "tx", "lock", "checksum", "prune"] {
        let help = base.run([command, "--help"]).ok().text();
        assert!(help.contains("Usage: electrus"), "{command}");
    }
    assert!(base.run(["batch", "--help"]).ok().text().contains("content_base64"));
    base.run(["--version"]).ok();
}

#[test]
fn a_wrong_command_line_is_status_2_and_an_envelope_with_json() {
    let base = Base::new();
    base.run(["--json", "frobnicate"]).refused(2, "unknown_option");
    base.run(["--json", "write", "f", "--colour"]).refused(2, "unknown_option");
    base.run(["--json", "write"]).refused(2, "invalid_argument");
    base.run(["write", "f", "--durability", "some", "--json"]).refused(2, "invalid_argument");
    base.run(["--json", "write", "f", "--text", "x", "--if-absent", "--if-checksum", "00"])
        .refused(2, "invalid_argument");
    base.run(["--json", "prune"]).refused(2, "invalid_argument");
    base.run(["--json", "prune", "--keep-within", "soon"]).refused(2, "invalid_argument");
    base.run(["--json", "checksum", "-a", "crc32", "f"]).refused(2, "unknown_algorithm");
    base.run(["--json", "checksum", "--quiet", "f"]).refused(2, "invalid_argument");
    let words = base.run(["write", "f", "--colour"]).status(2).errors();
    assert!(words.contains("--colour") && words.contains("--help"), "{words}");
    base.run::<&str>([]).status(2);
    assert_eq!(base.names(), [""; 0], "nothing is made on the way");
}

#[test]
fn an_error_for_people_says_what_which_file_and_what_next() {
    let base = Base::new();
    let words = base.run(["checksum", "no/such\nfile"]).status(3).errors();
    assert!(words.starts_with("electrus: no/such\\nfile: the file does not exist"), "{words}");
    assert!(!words.contains("os error"), "{words}");
    let words = base.run(["checksum", "-a", "crc32", "f"]).status(2).errors();
    assert!(words.contains("crc32") && words.contains("blake3"), "{words}");
    assert!(!words.contains('\x1b'), "no colour when nobody looks");
}

#[test]
fn dash_c_works_as_if_started_there() {
    let base = Base::new();
    base.file("deep/er/data", "1");
    let base_path = base.join("deep");
    let out = base.run(["-C", "deep", "checksum", "er/data"]).ok().text();
    assert!(out.ends_with("  er/data\n"), "{out}");
    let out = base.run(["-C", "deep", "-C", "er", "checksum", "data"]).ok().text();
    assert!(out.ends_with("  data\n"), "{out}");
    base.run(["-C", "deep", "write", "er/new", "--from", "er/data"]).ok();
    assert_eq!(base.content("deep/er/new"), "1");
    assert!(base_path.join(".electrus").is_dir() && !base.join(".electrus").exists());
    let body = base.run(["--json", "-C", "nowhere", "versions"]).refused(3, "not_found");
    assert_eq!(body["path"], "nowhere");
}

#[test]
fn a_reader_that_goes_away_is_no_error_message() {
    let base = Base::new();
    let names: Vec<String> = (0..3000).map(|i| format!("a-rather-long-name-to-fill-the-pipe-with-{i:05}")).collect();
    for name in &names {
        base.file(name, "x");
    }
    let mut child = base.command(["checksum"]);
    let mut child = child.args(&names).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(141));
}

#[test]
fn a_full_stdout_is_an_error() {
    let base = Base::new();
    base.file("f", "x");
    for args in [vec!["checksum", "f"], vec!["--json", "checksum", "f"], vec!["--help"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = base.command(&args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(8), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn colour_is_for_terminals_and_no_color_turns_it_off() {
    if !crate::helper::has("script") {
        return;
    }
    let base = Base::new();
    let on_terminal = |environment: &str| {
        let line = format!("{environment} {} checksum nothing", crate::helper::PROGRAM);
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env_remove("NO_COLOR").current_dir(base.path());
        Ran::of(command.stdin(Stdio::null())).status(3).text()
    };
    assert!(on_terminal("env").contains("\x1b["));
    assert!(!on_terminal("env NO_COLOR=1").contains("\x1b["));
    assert!(!on_terminal("env TERM=dumb").contains("\x1b["));
}

/// The bar comes after a second, and tells the time since the work began: it used to start from 0 then.
#[test]
fn work_that_takes_its_time_shows_a_bar_on_a_terminal_alone() {
    if !crate::helper::has("script") {
        return;
    }
    let base = Base::new();
    let mut slow = Slow::start(&base, "");
    let shown = slow.until_it_shows("s ");
    assert!(!shown.contains("0s"), "the bar tells the time: {shown:?}");
    slow.end();
    assert!(base.content("out").ends_with("  -\n"));
    let slow = Slow::start(&base, "--json");
    std::thread::sleep(std::time::Duration::from_millis(1800)); // a bar would have been there for 0.8 s
    assert_eq!(slow.end(), "");
}

/// A checksum on a terminal of a stdin that stays open until it is told to end.
struct Slow {
    script: Reaped,
    terminal: ChildStdout,
    stdin: File,
}

impl Slow {
    fn start(base: &Base, options: &str) -> Slow {
        let _ = std::fs::remove_file(base.join("pipe"));
        base.sh("mkfifo pipe").ok();
        let line = format!("{} {options} checksum < pipe > out", crate::helper::PROGRAM);
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").current_dir(base.path());
        let mut script = Reaped(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
        let terminal = script.0.stdout.take().unwrap();
        let stdin = File::options().write(true).open(base.join("pipe")).unwrap();
        Slow { script, terminal, stdin }
    }

    fn until_it_shows(&mut self, sign: &str) -> String {
        let mut shown = String::new();
        while !shown.contains(sign) {
            let mut piece = [0; 4096];
            let read = self.terminal.read(&mut piece).unwrap();
            assert!(read > 0, "ended without: {shown:?}");
            shown.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        shown
    }

    /// Closes stdin, and gives what the terminal showed from then on.
    fn end(mut self) -> String {
        drop(self.stdin);
        let mut rest = String::new();
        self.terminal.read_to_string(&mut rest).unwrap();
        assert!(self.script.0.wait().unwrap().success(), "{rest}");
        rest
    }
}

#[test]
fn commands_without_a_base_open_none() {
    let base = Base::new();
    base.file("f", "x");
    base.run(["checksum", "f"]).ok();
    base.run(["lock", "f", "--", "true"]).ok();
    base.run(["locks", "f"]).ok();
    assert!(!base.join(".electrus").exists());
}
