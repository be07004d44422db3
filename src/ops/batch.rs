//! The operation `batch`, and the same from Rust.

use super::call::Call;
use super::prepared::{Prepared, Sources, label};
use super::{Contents, Input, Output};
use crate::batch::{self, Task, Touch};
use crate::error::{Code, Error, Result};
use crate::handler::AdvancedFileHandler;
use crate::path::{Base, bytes_of};
use crate::progress::Progress;
use crate::wire::{self, Object};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::path::Path;

/// What one operation of a batch gave.
///
/// ```
/// use electrus::{handler::AdvancedFileHandler, ops::{Batch, Output}, progress::Progress, workspace::OpenOptions};
///
/// # let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("a"), "text")?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// let mut results = Batch::new().read("a").run(&handler, &Progress::new());
/// let mut done = results.remove(0)?;
/// assert_eq!(done.result["size"], 4);
/// assert_eq!(done.output.pop().map(Output::into_bytes).transpose()?.as_deref(), Some(&b"text"[..]));
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Done {
    /// Its result, as the table documents it; `content` is an index into `output`.
    pub result: Object,
    /// Contents that it gave.
    pub output: Vec<Output>,
}

/// Operations that are run together: on all cores, those that touch the same name in the order given, writes with shared
/// flushes. One result for each, in order; one that fails fails alone.
///
/// ```
/// # fn main() -> electrus::error::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// use electrus::{handler::AdvancedFileHandler, ops::Batch, progress::Progress, workspace::OpenOptions};
/// use serde_json::json;
///
/// let handler = AdvancedFileHandler::open(&folder, &OpenOptions::default())?;
/// let results = Batch::new()
///     .write("a.txt", "content")
///     .add("copy", json!({ "source": "a.txt", "destination": "b.txt" }))
///     .add("checksum", json!({ "path": "b.txt", "algorithm": "blake3" }))
///     .run(&handler, &Progress::new());
/// for result in results {
///     println!("{}", result?.result["checksum"]);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Batch<'a> {
    operations: Vec<Value>,
    contents: Contents<'a>,
}

impl<'a> Batch<'a> {
    /// Nothing to do yet.
    pub fn new() -> Batch<'a> {
        Batch::default()
    }

    /// Adds any operation of the table, with its request. What is wrong with it is its result.
    pub fn add(mut self, operation: &str, request: Value) -> Batch<'a> {
        let mut request = request;
        if let Value::Object(map) = &mut request {
            map.insert("type".into(), operation.into());
        }
        self.operations.push(request);
        self
    }

    /// Adds a write with the usual options.
    pub fn write(self, path: impl AsRef<Path>, content: impl Into<Vec<u8>>) -> Batch<'a> {
        self.write_with(path, Cow::Owned(content.into()), Value::Null)
    }

    /// Adds a write of borrowed or owned bytes, with options by the keys of the table.
    pub fn write_with(mut self, path: impl AsRef<Path>, content: Cow<'a, [u8]>, options: Value) -> Batch<'a> {
        let mut request = named(path.as_ref());
        request.insert("content".into(), self.contents.input.len().into());
        if let Value::Object(options) = options {
            request.extend(options);
        }
        self.contents.input.push(Input::Bytes(content));
        self.add("write", Value::Object(request))
    }

    /// Adds a read.
    pub fn read(self, path: impl AsRef<Path>) -> Batch<'a> {
        self.add("read", Value::Object(named(path.as_ref())))
    }

    /// Runs it. The `progress` is shared by all; once it is cancelled, what has not begun is not begun.
    pub fn run(mut self, handler: &AdvancedFileHandler, progress: &Progress) -> Vec<Result<Done>> {
        run(handler, self.operations, &mut self.contents, progress)
    }
}

fn named(path: &Path) -> Object {
    let mut request = Object::new();
    match path.to_str() {
        Some(text) => request.insert("path".into(), text.into()),
        None => request.insert("path_b64".into(), wire::to_base64(&bytes_of(path.as_os_str())).into()),
    };
    request
}

pub fn batch(call: &mut Call<'_, '_>) -> Result<Value> {
    let operations = call.request.list("operations").to_vec();
    let labels: Vec<Object> = operations.iter().map(label).collect();
    let results = run(call.handler, operations, call.contents, call.progress);
    let results: Vec<Value> = labels.into_iter().zip(results).map(|(label, done)| entry(call, label, done)).collect();
    Ok(json!({ "results": results }))
}

/// One entry of `results`, its contents put beside those of the others.
fn entry(call: &mut Call<'_, '_>, mut label: Object, done: Result<Done>) -> Value {
    match done {
        Ok(mut done) => {
            label.insert("status".into(), "success".into());
            for output in done.output {
                let index = call.give(output);
                done.result.insert("content".into(), index);
            }
            label.extend(done.result);
        }
        Err(error) => {
            label.insert("status".into(), "error".into());
            label.insert("error".into(), wire::error_body(&error));
        }
    }
    Value::Object(label)
}

fn run(
    handler: &AdvancedFileHandler,
    operations: Vec<Value>,
    contents: &mut Contents<'_>,
    progress: &Progress,
) -> Vec<Result<Done>> {
    let base = handler.workspace().base();
    let mut sources = Sources::of(contents);
    let tasks = operations.into_iter().map(|o| sources.prepare(o, |o| o.batch)).map(|p| task(base, p)).collect();
    batch::run(tasks, |group| run_group(handler, group, progress))
}

fn task<'b>(base: &Base, work: Result<Prepared<'b>>) -> Task<Result<Prepared<'b>>> {
    let touch = work.as_ref().map_or(Touch::Nothing, |prepared| prepared.touch(base));
    let weight = work.as_ref().ok().and_then(Prepared::weight);
    Task { touch, weight, work }
}

fn run_group(
    handler: &AdvancedFileHandler,
    mut group: Vec<Result<Prepared<'_>>>,
    progress: &Progress,
) -> Vec<Result<Done>> {
    if progress.is_cancelled() {
        return group.iter().map(|_| Err(Error::new(Code::Cancelled))).collect();
    }
    match group.len() {
        1 => group.pop().into_iter().map(|prepared| prepared?.run(handler, progress)).collect(),
        _ => write_group(handler, group, progress),
    }
}

/// Writes that share their flushes.
fn write_group(
    handler: &AdvancedFileHandler,
    mut group: Vec<Result<Prepared<'_>>>,
    progress: &Progress,
) -> Vec<Result<Done>> {
    let mut changes = Vec::new();
    let mut prepared = Vec::new();
    for write in &mut group {
        let write = write.as_mut().map_err(|_| Error::new(Code::Internal)); // what is wrong is never in a group
        let change = write.and_then(|write| write.change(handler, progress));
        prepared.push(change.map(|change| changes.push(change)));
    }
    let mut results = handler.workspace().write_many(changes).into_iter();
    let mut next = || results.next().unwrap_or_else(|| Err(Error::new(Code::Internal)));
    let done = |changed| Done { result: wire::changed(&changed), output: Vec::new() };
    prepared.into_iter().map(|p| p.and_then(|()| next()).map(done).map_err(|e| e.during("write"))).collect()
}
