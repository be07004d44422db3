//! `checksum -c`: reads lines of checksums and names, and tells which files have them.

use super::{of, ordered, printed};
use crate::args::Checksum;
use crate::failure::{self, Failure};
use crate::input;
use crate::platform;
use crate::print::Out;
use crate::watch::Bar;
use electrus::checksum::{Algorithm, Digest, Summed, sums};
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
}

/// Checks every line of every file.
pub fn run(options: &Checksum, algorithm: Option<Algorithm>, json: bool, progress: &Progress) -> Result<u8, Failure> {
    let bar = Bar::over(progress, json);
    let mut out = Out::new();
    let mut tally = Tally::default();
    for file in &options.files {
        let (lines, improper) = read(file, algorithm, progress)?;
        tally.improper += improper;
        let checked = tally.good + tally.wrong + tally.unreadable;
        ordered::map(
            &lines,
            |line| check(line, progress),
            |line, summed| tally.count(options, line, summed, &mut out, json),
        )?;
        if lines.is_empty() {
            tally.empty = true;
            if !json {
                failure::warn(&format!("{}: no properly formatted checksum lines found", file.display()));
            }
        } else if options.ignore_missing && checked == tally.good + tally.wrong + tally.unreadable {
            tally.empty = true;
            if !json {
                failure::warn(&format!("{}: no file was verified", file.display()));
            }
        }
    }
    drop(bar);
    let ok = tally.wrong == 0 && tally.unreadable == 0 && !tally.empty && !(options.strict && tally.improper > 0);
    if json {
        out.line(tally.document(ok).to_string())?;
    } else if !options.status {
        tally.warn();
    }
    out.finish()?;
    Ok(if ok { 0 } else { Family::No as u8 })
}

fn read(file: &Path, algorithm: Option<Algorithm>, progress: &Progress) -> Result<(Vec<Line>, u64)> {
    let mut reader = BufReader::new(input::open(Some(file), progress)?);
    let (mut lines, mut improper) = (Vec::new(), 0);
    loop {
        let mut line = Vec::new();
        let limited = &mut std::io::Read::take(&mut reader, LONGEST_LINE);
        if limited.read_until(b'\n', &mut line).map_err(|e| Error::io(e, file))? == 0 {
            return Ok((lines, improper));
        }
        if line.len() as u64 == LONGEST_LINE {
            return Err(Error::message(Code::TooLarge, "a line is too long for a list of checksums").at(file));
        }
        match parse(&line, algorithm) {
            Some(line) => lines.push(line),
            None if line.starts_with(b"#") => {}
            None => improper += 1,
        }
    }
}

fn parse(line: &[u8], algorithm: Option<Algorithm>) -> Option<Line> {
    let tried = algorithm.as_ref().map_or(&Algorithm::ALL[..], std::slice::from_ref);
    let mut found: Option<Line> = None;
    for (name, digest) in tried.iter().filter_map(|algorithm| sums::parse_line(line, *algorithm)) {
        let line = found.get_or_insert(Line { name, digests: Vec::new() });
        if !line.digests.contains(&digest) {
            line.digests.push(digest);
        }
    }
    found
}

fn check(line: &Line, progress: &Progress) -> Result<Summed> {
    let algorithms: Vec<Algorithm> = line.digests.iter().map(Digest::algorithm).collect();
    of(&PathBuf::from(platform::name_of(line.name.clone())), &algorithms, progress)
}

impl Tally {
    fn count(
        &mut self,
        options: &Checksum,
        line: &Line,
        summed: Result<Summed>,
        out: &mut Out,
        json: bool,
    ) -> Result<(), Failure> {
        let (words, error) = match summed {
            Err(error) if error.code() == Code::Cancelled => return Err(error.into()),
            Err(error) if error.code() == Code::NotFound && options.ignore_missing => return Ok(()),
            Err(error) => ("FAILED open or read", Some(error)),
            Ok(summed) if summed.digests.iter().any(|digest| line.digests.contains(digest)) => ("OK", None),
            Ok(_) => ("FAILED", None),
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
        json!({ "ok": ok, "files": self.files, "improper": self.improper })
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
