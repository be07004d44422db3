//! `batch` and `tx`: operations as people and scripts type them, with contents in the JSON.

use crate::args::{Cli, Content};
use crate::failure::{self, Failure};
use crate::print::{self, Out};
use crate::style::{self, Style};
use crate::watch::Bar;
use crate::{content, input, recovered};
use electrus::error::{Code, Error, Family, Result};
use electrus::handler::AdvancedFileHandler;
use electrus::ops::{self, Contents};
use electrus::progress::Progress;
use electrus::workspace::OpenOptions;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Shown by `batch --help` and `tx --help`.
pub const HELP: &str = r#"The list, or an object with it under "operations":
  [ {"type": "write", "path": "a.txt", "content": "text"},
    {"type": "write", "path": "b.bin", "content_base64": "AAEC"},
    {"type": "read", "path": "c.txt"},
    {"type": "checksum", "path": "d.txt", "algorithm": "blake3"} ]
'batch' takes every operation on files, JSON documents and versions: write, read, stat, copy, rename, delete, checksum,
snapshot, versions, diff, restore, tag, json_read, json_write, json_get, json_set, json_merge, json_patch, …
'tx' takes write, delete, rename and copy: all are done or none.
'batch' exits with 1 if an operation failed; 'tx' with the status of the error that undid it."#;

/// Operations with the contents that they name, and those of which that cannot be: where they stood, and what is wrong.
struct Operations {
    list: Vec<Value>,
    contents: Contents<'static>,
    wrong: Vec<(usize, Value, Error)>,
}

/// Runs the operations in `file` as one.
pub fn run(cli: &Cli, operation: &'static str, file: &Path, progress: &Progress) -> Result<u8, Failure> {
    let Operations { list, mut contents, wrong } = read(file, operation == "batch", progress)?;
    let options = OpenOptions { allow_outside: cli.allow_outside, ..OpenOptions::default() };
    let handler = AdvancedFileHandler::open(".", &options)?;
    if !cli.json {
        recovered::tell(&handler);
    }
    let mut result = {
        let _bar = Bar::over(progress, cli.json);
        ops::dispatch(&handler, operation, json!({ "operations": list }), &mut contents, progress)?
    };
    put_back(&mut result, wrong);
    if cli.json {
        content::inline_each(&mut result, &mut contents.output);
        recovered::put(&handler, &mut result);
        print::document(&result)?;
    } else {
        tell(&result)?;
    }
    let failed = results(&result).iter().any(|one| one["status"] == "error");
    Ok(if failed { Family::No as u8 } else { 0 })
}

/// What is wrong with one content is that operation's result if each is `alone`, and refuses all otherwise.
fn read(file: &Path, alone: bool, progress: &Progress) -> Result<Operations> {
    let from = Content { from: Some(PathBuf::from(file)), text: None };
    let list = match input::json(&from, progress)? {
        Value::Object(mut object) if object.len() == 1 => object.remove("operations").unwrap_or_default(),
        list => list,
    };
    let Value::Array(list) = list else {
        return Err(Error::message(Code::InvalidArgument, "a JSON list of operations is expected").at(file));
    };
    let mut operations = Operations { list: Vec::new(), contents: Contents::default(), wrong: Vec::new() };
    for (index, operation) in list.into_iter().enumerate() {
        let Value::Object(mut object) = operation else {
            let words = format!("operation {index} is not an object");
            return Err(Error::message(Code::InvalidArgument, words).at(file));
        };
        match content::extract(&mut object, &mut operations.contents.input) {
            Ok(()) => operations.list.push(Value::Object(object)),
            Err(e) if alone => operations.wrong.push((index, Value::Object(object), e)),
            Err(e) => return Err(Error::message(e.code(), format!("operation {index}: {}", e.words())).at(file)),
        }
    }
    Ok(operations)
}

/// Puts those that were not run among the results, each where it stood.
fn put_back(result: &mut Value, wrong: Vec<(usize, Value, Error)>) {
    let Some(results) = result.get_mut("results").and_then(Value::as_array_mut) else { return };
    for (index, operation, error) in wrong {
        let mut entry = ops::label(&operation);
        content::put_error(&mut entry, &error);
        results.insert(index.min(results.len()), Value::Object(entry));
    }
}

/// A line for each: what happened to which file.
fn tell(result: &Value) -> Result<(), Failure> {
    let mut out = Out::new();
    for one in results(result) {
        let path = print::plain(if one["path"].is_string() { &one["path"] } else { &one["file_path"] });
        match one["status"].as_str() {
            Some("error") => {
                failure::warn(&format!("{path}: {}", print::plain(&one["error"]["message"])));
                out.line(format!("{path}: {}", style::out(Style::Bad, "error")))?;
            }
            status => out.line(format!("{path}: {}", style::out(Style::Good, status.unwrap_or("success"))))?,
        }
    }
    out.finish()
}

fn results(result: &Value) -> &[Value] {
    result["results"].as_array().map_or(&[], Vec::as_slice)
}
