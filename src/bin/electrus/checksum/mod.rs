//! `checksum`: prints and checks like sha256sum(1), so that each can check the other's output.

mod check;
mod ordered;
mod short;

use crate::args::Checksum;
use crate::failure::{self, Failure};
use crate::print::Out;
use crate::watch::{self, Bar};
use crate::{input, platform};
use electrus::checksum::{self, Algorithm, Digest, Summed, sums};
use electrus::error::Result;
use electrus::progress::Progress;
use electrus::wire;
use serde_json::{Map, Value};
use std::path::Path;

/// Prints the checksums of files, or checks them.
pub fn run(options: &Checksum, json: bool) -> Result<u8, Failure> {
    let algorithm = options.digest.algorithm.as_deref().map(Algorithm::parse).transpose()?;
    let progress = Progress::new();
    watch::cancel_on_signal(&progress);
    match options.check {
        true => check::run(options, algorithm, json, &progress),
        false => sum(options, algorithm.unwrap_or_default(), json, &progress),
    }
}

fn sum(options: &Checksum, algorithm: Algorithm, json: bool, progress: &Progress) -> Result<u8, Failure> {
    let bar = Bar::over(progress, json);
    let mut out = Out::new();
    let mut files = Vec::new();
    let mut first_error = None;
    ordered::map(
        &options.files,
        |file| of(file, &[algorithm], progress),
        |file, summed| {
            let shown = if json { list(&mut files, file, &summed) } else { line(&mut out, options, file, &summed) };
            if let Err(error) = summed {
                if !json {
                    failure::tell(&error);
                }
                first_error.get_or_insert(error);
            }
            shown
        },
    )?;
    drop(bar);
    if json {
        out.line(document(files).to_string())?;
    }
    out.finish()?;
    match first_error {
        Some(error) if json => Err(error.into()),
        Some(error) => Ok(error.code().family() as u8),
        None => Ok(0),
    }
}

/// Size and digests of a file, whatever its kind: a pipe is read to its end. `-` is stdin.
fn of(file: &Path, algorithms: &[Algorithm], progress: &Progress) -> Result<Summed> {
    let mut reader = input::open(Some(file), progress)?;
    checksum::of_reader(&mut *reader, algorithms, progress).map_err(|e| e.at(file))
}

fn line(out: &mut Out, options: &Checksum, file: &Path, summed: &Result<Summed>) -> Result<(), Failure> {
    let Some(digest) = summed.as_ref().ok().and_then(|s| s.digests.first()) else { return Ok(()) };
    let name = platform::bytes_of(file.as_os_str());
    out.bytes(&match options.tag {
        true => sums::format_tagged_line(&name, digest),
        false => marked(sums::format_line(&name, digest), digest, options.binary),
    })
}

/// The line with `*` in place of the second space where the file counts as binary.
fn marked(mut line: Vec<u8>, digest: &Digest, binary: bool) -> Vec<u8> {
    let escaped = usize::from(line.starts_with(b"\\"));
    if let (Some(mark), true) = (line.get_mut(escaped + digest.hex().len() + 1), binary) {
        *mark = b'*';
    }
    line
}

fn list(files: &mut Vec<Value>, file: &Path, summed: &Result<Summed>) -> Result<(), Failure> {
    let mut object = Map::new();
    wire::put_path(&mut object, "file_path", file);
    match summed {
        Ok(summed) => {
            object.insert("size".into(), summed.size.into());
            wire::put_digest(&mut object, summed.digests.first());
        }
        Err(error) => {
            object.insert("error".into(), wire::error_body(error));
        }
    }
    files.push(Value::Object(object));
    Ok(())
}

/// One file's keys stand at the top as well, as the operation `checksum` has them.
fn document(files: Vec<Value>) -> Value {
    let mut document = match files.as_slice() {
        [Value::Object(only)] => only.clone(),
        _ => Map::new(),
    };
    document.insert("files".into(), files.into());
    Value::Object(document)
}

/// The name as sha256sum shows it in its answers: as it is, unless a line feed would make two lines of it; then escaped,
/// with a backslash at the start to tell so.
fn printed(name: &[u8], digest: &Digest) -> Vec<u8> {
    if !name.contains(&b'\n') {
        return name.to_vec();
    }
    let line = sums::format_line(name, digest);
    let escaped = line.get(1 + digest.hex().len() + 2..line.len() - 1).unwrap_or(name);
    [b"\\", escaped].concat()
}
