//! `checksum -c`: reads lines of checksums and names, and tells which files have them.

use super::{of, ordered, printed, short};
use crate::args::Checksum;
use crate::failure::{self, Failure};
use crate::input;
use crate::platform;
use crate::print::Out;
use crate::watch::Bar;
use electrus::checksum::{Algorithm, Digest, sums};
use electrus::error::{Code, Error, Family, Result};
use electrus::progress::Progress;
use electrus::wire;
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// No line that means something is longer: a name has at most 4,096 bytes, each maybe escaped.
const LONGEST_LINE: u64 = 1 << 16;

/// A line: a name, and what its content may have. Several digests where the length alone does not tell the algorithm.
struct Line {
    name: Vec<u8>,
    digests: Vec<Digest>,
    /// Nothing but its length said which algorithms to try.
    guessed: bool,
}

/// What a file has that should be a list of lines.
#[derive(Default)]
struct List {
    lines: Vec<Line>,
    improper: u64,
    /// Why it ends early.
    error: Option<Error>,
}

/// What was found, in numbers.
#[derive(Default)]
struct Tally {
    good: u64,
    wrong: u64,
    unreadable: u64,
    improper: u64,
    empty: bool,
    files: Vec<Value>,
    errors: Vec<Error>,
}

/// Checks every line of every file.
pub fn run(options: &Checksum, algorithm: Option<Algorithm>, json: bool, progress: &Progress) -> Result<u8, Failure> {
    let bar = Bar::over(progress, json);
    let mut out = Out::new();
    let mut tally = Tally::default();
    for file in &options.files {
        tally.check(options, file, read(file, algorithm, options.warn && !json, progress), &mut out, json, progress)?;
    }
    drop(bar);
    let ok = tally.is_ok(options);
    if json {
        out.line(tally.document(ok).to_string())?;
    } else if !options.status {
        tally.warn();
    }
    out.finish()?;
    Ok(if ok { 0 } else { Family::No as u8 })
}

/// Everything that can be read, also if it ends in an error.
fn read(file: &Path, algorithm: Option<Algorithm>, warn: bool, progress: &Progress) -> List {
    let mut list = List::default();
    list.error = fill(&mut list, file, algorithm, warn, progress).err();
    list
}

fn fill(list: &mut List, file: &Path, algorithm: Option<Algorithm>, warn: bool, progress: &Progress) -> Result<()> {
    let mut reader = BufReader::new(input::open(Some(file), progress)?);
    for number in 1u64.. {
        let mut line = Vec::new();
        let limited = &mut std::io::Read::take(&mut reader, LONGEST_LINE);
        if limited.read_until(b'\n', &mut line).map_err(|e| Error::io(e, file))? == 0 {
            break;
        }
        if line.len() as u64 == LONGEST_LINE {
            return Err(Error::message(Code::TooLarge, "a line is too long for a list of checksums").at(file));
        }
        match parse(&line, algorithm) {
            Some(line) => list.lines.push(line),
            None if means_nothing(&line) => {}
            None => {
                list.improper += 1;
                if warn {
                    failure::warn(&format!("{}: {number}: improperly formatted checksum line", file.display()));
                }
            }
        }
    }
    Ok(())
}

/// A comment, or an empty line, as sha256sum passes over them.
fn means_nothing(line: &[u8]) -> bool {
    line.starts_with(b"#") || matches!(line, b"\n" | b"\r\n" | b"\r")
}

fn parse(line: &[u8], algorithm: Option<Algorithm>) -> Option<Line> {
    let tried = algorithm.as_ref().map_or(&Algorithm::ALL[..], std::slice::from_ref);
    let found: Vec<_> = tried.iter().filter_map(|algorithm| sums::parse_line(line, *algorithm)).collect();
    let guessed = found.len() < tried.len(); // a line that names its algorithm is understood whichever is tried
    let mut digests = Vec::new();
    let name = found.first()?.0.clone();
    for (_, digest) in found {
        if !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    Some(Line { name, digests, guessed })
}

/// Whether the file has one of the digests.
fn check(line: &Line, progress: &Progress) -> Result<bool> {
    let file = PathBuf::from(platform::name_of(line.name.clone()));
    let algorithms: Vec<Algorithm> = line.digests.iter().map(Digest::algorithm).collect();
    let summed = of(&file, &algorithms, progress)?;
    let found = summed.digests.iter().any(|digest| line.digests.contains(digest));
    Ok(found || (line.guessed && short::is_blake2b(&file, &line.digests[0].hex(), progress)?))
}

impl Tally {
    /// Checks the lines of one list, and tells what is wrong with the list itself.
    fn check(
        &mut self,
        options: &Checksum,
        file: &Path,
        list: List,
        out: &mut Out,
        json: bool,
        progress: &Progress,
    ) -> Result<(), Failure> {
        self.improper += list.improper;
        let before = self.checked();
        let sink = |line: &Line, found| self.count(options, line, found, out, json);
        ordered::map(&list.lines, |line| check(line, progress), sink)?;
        match list.error {
            Some(error) if error.code() == Code::Cancelled => return Err(error.into()),
            Some(error) => {
                if !json {
                    failure::tell(&error);
                }
                self.errors.push(error);
            }
            None if list.lines.is_empty() => self.found_empty(file, "no properly formatted checksum lines found", json),
            None if options.ignore_missing && before == self.checked() => {
                self.found_empty(file, "no file was verified", json);
            }
            None => {}
        }
        Ok(())
    }

    fn found_empty(&mut self, file: &Path, words: &str, json: bool) {
        self.empty = true;
        if !json {
            failure::warn(&format!("{}: {words}", file.display()));
        }
    }

    fn checked(&self) -> u64 {
        self.good + self.wrong + self.unreadable
    }

    fn is_ok(&self, options: &Checksum) -> bool {
        let improper = options.strict && self.improper > 0;
        self.wrong == 0 && self.unreadable == 0 && self.errors.is_empty() && !self.empty && !improper
    }

    fn count(
        &mut self,
        options: &Checksum,
        line: &Line,
        found: Result<bool>,
        out: &mut Out,
        json: bool,
    ) -> Result<(), Failure> {
        let (words, error) = match found {
            Err(error) if error.code() == Code::Cancelled => return Err(error.into()),
            Err(error) if error.code() == Code::NotFound && options.ignore_missing => return Ok(()),
            Err(error) => ("FAILED open or read", Some(error)),
            Ok(true) => ("OK", None),
            Ok(false) => ("FAILED", None),
        };
        match words {
            "OK" => self.good += 1,
            "FAILED" => self.wrong += 1,
            _ => self.unreadable += 1,
        }
        if json {
            self.files.push(described(line, words, error.as_ref()));
            return Ok(());
        }
        if let (Some(error), false) = (&error, options.status) {
            failure::tell(error);
        }
        if options.status || (options.quiet && words == "OK") {
            return Ok(());
        }
        out.bytes(&[printed(&line.name, &line.digests[0]).as_slice(), b": ", words.as_bytes(), b"\n"].concat())
    }

    fn warn(&self) {
        let warning = |count: u64, one: &str, several: &str| match count {
            0 => {}
            1 => failure::warn(&format!("WARNING: 1 {one}")),
            n => failure::warn(&format!("WARNING: {n} {several}")),
        };
        warning(self.improper, "line is improperly formatted", "lines are improperly formatted");
        warning(self.unreadable, "listed file could not be read", "listed files could not be read");
        warning(self.wrong, "computed checksum did NOT match", "computed checksums did NOT match");
    }

    fn document(self, ok: bool) -> Value {
        let errors: Vec<Value> = self.errors.iter().map(wire::error_body).collect();
        json!({ "ok": ok, "files": self.files, "improper": self.improper, "errors": errors })
    }
}

fn described(line: &Line, words: &str, error: Option<&Error>) -> Value {
    let mut object = Map::new();
    wire::put_path(&mut object, "file_path", Path::new(&platform::name_of(line.name.clone())));
    object.insert("ok".into(), (words == "OK").into());
    if let Some(error) = error {
        object.insert("error".into(), wire::error_body(error));
    }
    Value::Object(object)
}
