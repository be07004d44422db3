//! What went wrong, for people and for programs, and the exit statuses.

use crate::style::{self, Style};
use electrus::error::{Code, Error, Family};
use electrus::wire;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// The lock was not had in time: what flock(1) users and sysexits.h call "temporary failure".
const LOCK_TIMEOUT: u8 = 75;
/// As a shell gives it for a program that SIGPIPE ended.
const BROKEN_PIPE: u8 = 141;

/// Why a command stops before its end.
pub enum Failure {
    /// One of the table's errors.
    Error(Error),
    /// The lock was not had in time, by a command for which that has a status of its own.
    LockTimeout(Error),
    /// The command line itself is wrong.
    Usage(clap::Error),
    /// Whoever read our stdout has gone; nobody is left to be told.
    BrokenPipe,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Error(error)
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Failure {
        Failure::Usage(error)
    }
}

impl Failure {
    /// A failure to write to stdout.
    pub fn stdout(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::Error(Error::io(error, "stdout")),
        }
    }

    /// Tells it on stderr and gives the exit status.
    pub fn report(self, json: bool) -> ExitCode {
        match self {
            Failure::BrokenPipe => ExitCode::from(BROKEN_PIPE),
            Failure::Error(error) => told(&error, json, error.code().family() as u8),
            Failure::LockTimeout(error) => told(&error, json, LOCK_TIMEOUT),
            Failure::Usage(error) if error.use_stderr() && json => {
                let error = usage_error(&error);
                told(&error, json, error.code().family() as u8)
            }
            Failure::Usage(error) => {
                let told = error.print();
                match (error.use_stderr(), told) {
                    (true, _) => ExitCode::from(Family::Usage as u8),
                    (false, Ok(())) => ExitCode::SUCCESS,
                    (false, Err(e)) => Failure::stdout(e).report(json),
                }
            }
        }
    }
}

fn told(error: &Error, json: bool, status: u8) -> ExitCode {
    if json {
        tell_json(error)
    } else {
        tell(error)
    }
    ExitCode::from(status)
}

/// `electrus: path: words`, and what to do next. Stderr is the last resort: a failure to write there has no one to go to.
pub fn tell(error: &Error) {
    let mut text = format!("{} ", style::err(Style::Bad, "electrus:"));
    if let Some(path) = error.path() {
        let _ = write!(text, "{}: ", style::visible(&path.to_string_lossy()));
    }
    let _ = writeln!(text, "{}", style::visible(&without_number(error)));
    if let Some(hint) = hint(error) {
        let _ = writeln!(text, "  {}", style::err(Style::Faint, hint));
    }
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The words, without the operating system's number, which tells people nothing.
fn without_number(error: &Error) -> String {
    let words = error.words();
    match error.os_error() {
        Some(number) => words.replace(&format!(" (os error {number})"), ""),
        None => words,
    }
}

/// A remark that stops nothing.
pub fn warn(words: &str) {
    let _ = writeln!(io::stderr(), "{} {}", style::err(Style::Warn, "electrus:"), style::visible(words));
}

fn tell_json(error: &Error) {
    let _ = writeln!(io::stderr(), "{}", wire::error_envelope(error));
}

fn usage_error(error: &clap::Error) -> Error {
    use clap::error::ErrorKind;
    let code = match error.kind() {
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => Code::UnknownOption,
        _ => Code::InvalidArgument,
    };
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:") && !line.starts_with("tip:"));
    let words: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    Error::message(code, words.join(" ").trim_start_matches("error: ").to_owned())
}

/// What to do next.
fn hint(error: &Error) -> Option<&'static str> {
    Some(match error.code() {
        Code::UnknownAlgorithm => "known are md5, sha1, sha256, sha512, blake2b and blake3",
        Code::InvalidJson => "strings have double quotes; on a command line: '\"text\"'",
        Code::NotFound if is_about_a_name(error) => "'electrus versions NAME' tells whether its history is still there",
        Code::VersionNotFound => "'electrus versions NAME' lists those there are",
        Code::BackupNotFound => "'electrus backup list' lists those there are; --dir says where to look",
        Code::PointerNotFound => "'electrus json get NAME' shows the whole document",
        Code::NoStore => "the first 'electrus write' or 'electrus snapshot' makes one; -C BASE names another folder",
        Code::AlreadyExists => "take another name, or leave --if-absent away",
        Code::Changed => "read it again, and decide anew",
        Code::NumberConflict => {
            "'electrus versions NAME --json' gives the record of each: use that in place of the number"
        }
        Code::WouldOverwrite => {
            "--to DEST restores elsewhere; --overwrite replaces them and keeps their content as versions"
        }
        Code::ChangedWhileRead => "try again once whoever writes it has finished",
        Code::PathEscape => "-C BASE names another base folder; --allow-outside lifts the rule",
        Code::ReservedName => "names that begin like the store's own are not for files: take another",
        Code::NotAFile => "name a regular file",
        Code::LockTimeout => "'electrus locks FILE' tells who holds it",
        Code::WouldDeadlock => "give the first lock back before asking again",
        Code::StoreBusy => "try again; if a WASI writer died and left its lease: --break-leases",
        Code::PermissionDenied => "'ls -ld' on the file and its folder tells who may",
        Code::NoSpace => "the old content is intact; free some space ('electrus prune' can) and try again",
        Code::TooManyOpenFiles => "raise the limit with 'ulimit -n'",
        Code::DurabilityUnknown => {
            "the new content is there now; write it again to be sure that it survives a power cut"
        }
        Code::CrossDevice => "copy it, then delete the original",
        Code::ChecksumMismatch => "'electrus versions NAME' lists older content that is verified",
        Code::Damaged => "'electrus verify' names everything that is damaged",
        Code::FormatUnsupported => "use the version of electrus that wrote it, or a newer one",
        Code::Panic | Code::Internal => "please report this, with the command that led here",
        _ => return None,
    })
}

/// Whether a file beneath the base was missed, which may have a history, rather than an ordinary path.
fn is_about_a_name(error: &Error) -> bool {
    const ORDINARY: [&str; 4] = ["lock", "locks", "import", "backup_create"];
    error.operation().is_some_and(|operation| !ORDINARY.contains(&operation))
}

/// The exit statuses, from the table of codes: for `--help`, and for the README that a test compares with it.
pub fn statuses() -> String {
    let mut families: BTreeMap<u8, Vec<&str>> = BTreeMap::new();
    for code in Code::ALL {
        families.entry(code.family() as u8).or_default().push(code.name());
    }
    let mut text = String::from("Exit status:\n   0  done\n");
    for family in Family::ALL {
        let names = families.remove(&(*family as u8)).unwrap_or_default();
        let _ = writeln!(text, "  {:2}  {}: {}", *family as u8, family.text(), wrapped(&names));
    }
    let _ = writeln!(text, "  {LOCK_TIMEOUT}  'lock' alone: the lock was not had in time");
    text.push_str("'lock' gives the exit status of what it runs, or 128 and the number of the signal that ended it.");
    text
}

fn wrapped(names: &[&str]) -> String {
    let mut lines = vec![String::new()];
    for (i, name) in names.iter().enumerate() {
        let comma = if i + 1 < names.len() { ", " } else { "" };
        let room = if lines.len() == 1 { 50 } else { 90 };
        if lines.last().is_some_and(|line| line.len() + name.len() > room) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(name);
            line.push_str(comma);
        }
    }
    lines.iter().map(|l| l.trim_end()).collect::<Vec<_>>().join("\n      ")
}
