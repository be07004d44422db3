//! One command from its parse to its exit status.

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::print::{self, Out};
use crate::request::{self, Request};
use crate::watch::{self, Bar};
use crate::{batch, checksum, content, lock, recovered};
use electrus::error::{Error, Family, Result};
use electrus::handler::AdvancedFileHandler;
use electrus::ops;
use electrus::path::Location;
use electrus::progress::Progress;
use electrus::workspace::OpenOptions;
use serde_json::Value;
use std::io::Read;
use std::path::PathBuf;

const DONE: u8 = 0;
const NO: u8 = Family::No as u8;

/// Runs what was typed; the exit status.
pub fn run(cli: Cli) -> Result<u8, Failure> {
    for base in &cli.base {
        std::env::set_current_dir(base).map_err(|e| Error::io(e, base))?;
    }
    match &cli.command {
        Command::Lock(options) => return lock::run(options),
        Command::Locks { file } => return holders(file, cli.json),
        Command::Checksum(options) => return checksum::run(options, cli.json),
        _ => {}
    }
    let progress = Progress::new();
    watch::cancel_on_signal(&progress);
    match &cli.command {
        Command::Batch { file } => batch::run(&cli, "batch", file, &progress),
        Command::Tx { file } => batch::run(&cli, "transaction", file, &progress),
        command => match request::of(command, &progress)? {
            Some(request) => operation(&cli, request, &progress),
            None => Ok(DONE),
        },
    }
}

fn operation(cli: &Cli, request: Request, progress: &Progress) -> Result<u8, Failure> {
    let Request { operation, mut object, mut contents, backup_dir } = request;
    if operation == "backup_create" && !cli.json {
        object.insert("list_files".into(), false.into()); // people are told how many, in flat memory
    }
    let read_only = !ops::Operation::find(operation)?.changes;
    // What is backed up is an ordinary path; what the store says where to write is not.
    let options = OpenOptions {
        allow_outside: cli.allow_outside,
        backup_anywhere: true,
        read_only,
        backup_dir,
        ..OpenOptions::default()
    };
    let handler = AdvancedFileHandler::open(".", &options)?;
    if !cli.json {
        recovered::tell(&handler);
    }
    let mut result = {
        let _bar = Bar::over(progress, cli.json);
        let mut result = ops::dispatch(&handler, operation, Value::Object(object), &mut contents, progress)?;
        if operation == "repair" {
            let found = ops::dispatch(&handler, "verify", Value::Object(Default::default()), &mut contents, progress)?;
            merge(&mut result, found);
        }
        result
    };
    match (cli.json, operation) {
        (true, _) => {
            content::inline(&mut result, &mut contents.output)?;
            recovered::put(&handler, &mut result);
            print::document(&result)?;
        }
        (false, "read" | "backup_read") => stream(&result, contents.output, progress)?,
        (false, _) => print::result(operation, &result)?,
    }
    Ok(if result["ok"] == false || result["complete"] == false { NO } else { DONE })
}

fn merge(result: &mut Value, more: Value) {
    if let (Some(result), Value::Object(more)) = (result.as_object_mut(), more) {
        result.extend(more);
    }
}

/// The bytes that were read, on stdout.
fn stream(result: &Value, output: Vec<ops::Output>, progress: &Progress) -> Result<(), Failure> {
    let path = result.get("file_path").or(result.get("path")).and_then(Value::as_str);
    let path = PathBuf::from(path.unwrap_or_default());
    let mut out = Out::new();
    for output in output {
        match output {
            ops::Output::Bytes(bytes) => out.bytes(&bytes)?,
            ops::Output::Stream(mut reader) => {
                let mut buffer = vec![0; 1 << 18];
                loop {
                    let n = reader.read(&mut buffer).map_err(|e| Error::io(e, &path))?;
                    if n == 0 {
                        break;
                    }
                    if progress.is_cancelled() {
                        return Err(Error::new(electrus::error::Code::Cancelled).at(path).into());
                    }
                    out.bytes(&buffer[..n])?;
                }
            }
        }
    }
    out.finish()
}

/// `locks FILE`: an ordinary path, no base folder and no store.
fn holders(file: &std::path::Path, json: bool) -> Result<u8, Failure> {
    let location = Location::ordinary(file)?;
    let result = lock::holders(&location)?;
    if json {
        print::document(&result)?
    } else {
        print::result("locks", &result)?
    }
    Ok(DONE)
}
