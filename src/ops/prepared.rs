//! Operations of a batch or transaction: checked, and each with the contents that it names.

use super::batch::Done;
use super::call::Call;
use super::contents::no_content;
use super::{Contents, Input, Operation, files};
use crate::atomic::Durability;
use crate::batch::Touch;
use crate::error::{Code, Error, Result};
use crate::handler::AdvancedFileHandler;
use crate::lock::{LockGuard, Owner};
use crate::path::{Base, Follow, Key, bytes_of};
use crate::progress::Progress;
use crate::wire::{self, Object, Request, Type};
use crate::workspace::{Change, Source};
use serde_json::Value;
use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

/// What a result repeats of its request: `type`, and the name as it was given; one that was given as base64 as text too.
pub fn label(operation: &Value) -> Object {
    let mut label = Object::new();
    let either = |name: &str, source: &str| operation.get(name).or(operation.get(source)).cloned();
    let coded = either("path_b64", "source_b64");
    let text = coded.as_ref().and_then(Value::as_str).and_then(|coded| wire::from_base64(coded).ok());
    let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned().into());
    let mut put = |key: &str, value: Option<Value>| value.map(|v| label.insert(key.into(), v));
    put("type", operation.get("type").cloned());
    put("path", either("path", "source").or(text));
    put("path_b64", coded);
    label
}

/// An operation of a batch that is ready to run, with the contents that it names and no others.
pub struct Prepared<'b> {
    pub operation: &'static Operation,
    pub request: Request,
    pub contents: Contents<'b>,
}

impl<'b> Prepared<'b> {
    pub fn run(mut self, handler: &AdvancedFileHandler, progress: &Progress) -> Result<Done> {
        let mut call = Call { handler, request: self.request, contents: &mut self.contents, progress };
        match self.operation.run(&mut call).map_err(|e| e.during(self.operation.name))? {
            Value::Object(result) => Ok(Done { result, output: self.contents.output }),
            _ => Err(Error::new(Code::Internal)),
        }
    }

    pub fn change(&mut self, handler: &AdvancedFileHandler, progress: &Progress) -> Result<Change<'_, 'b>> {
        let call = Call { handler, request: self.request.clone(), contents: &mut self.contents, progress };
        let (name, options, _) = files::write_request(&call)?;
        let durable = options.durability == Durability::Full;
        let location = handler.workspace().base().resolve_creating(name, durable)?;
        Ok(Change { location, source: self.source()?, options })
    }

    /// The content that its request names.
    pub fn source(&mut self) -> Result<Source<'_>> {
        self.contents.input.first_mut().ok_or_else(|| Error::new(Code::Internal))?.source()
    }

    /// Bytes of a write whose content is in memory: those may share their flushes.
    pub fn weight(&self) -> Option<u64> {
        match self.contents.input.first() {
            Some(Input::Bytes(bytes)) if self.operation.name == "write" => Some(bytes.len() as u64),
            _ => None,
        }
    }

    pub fn touch(&self, base: &Base) -> Touch {
        let names = || self.operation.options().filter(|f| f.kind == Type::Path);
        let names: Vec<PathBuf> = names().filter_map(|field| self.request.path(field.key).ok().flatten()).collect();
        match self.operation.everything || names.is_empty() {
            true => Touch::Everything,
            false => Touch::Names(names.iter().flat_map(|name| keys(base, name)).collect()),
        }
    }
}

/// Under what a name may be known: as a link, as what the link means, and as it is written while its folder is missing.
fn keys(base: &Base, name: &Path) -> Vec<Key> {
    let found = [Follow::Whole, Follow::Parent].map(|follow| base.resolve(name, follow).map(|l| l.key().clone()));
    let mut keys: Vec<Key> = found.into_iter().flatten().collect();
    if keys.is_empty() {
        keys.push(as_written(base, name));
    }
    keys
}

fn as_written(base: &Base, name: &Path) -> Key {
    let mut plain = PathBuf::new();
    for part in name.strip_prefix(base.path()).unwrap_or(name).components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::Normal(part) => plain.push(part),
            _ => {}
        }
    }
    Key::from_bytes(bytes_of(plain.as_os_str()))
}

/// Contents beside a batch, handed out to the operations that name them. Streams go with the call, used or not.
pub struct Sources<'b> {
    inputs: Vec<Beside<'b>>,
    locks: Vec<(u64, &'b LockGuard)>,
    owner: Owner,
}

enum Beside<'b> {
    Bytes(&'b [u8]),
    Stream(Input<'b>),
}

impl<'b> Sources<'b> {
    pub fn of<'a: 'b>(contents: &'b mut Contents<'a>) -> Sources<'b> {
        let beside = |input: &'b mut Input<'a>| match input {
            Input::Bytes(bytes) => Beside::Bytes(bytes),
            stream => Beside::Stream(std::mem::replace(stream, Input::Taken)),
        };
        Sources {
            inputs: contents.input.iter_mut().map(beside).collect(),
            locks: contents.locks.clone(),
            owner: contents.owner.unwrap_or_default(),
        }
    }

    /// Checks an operation's request, and takes the contents that it names.
    pub fn prepare(&mut self, request: Value, allowed: fn(&Operation) -> bool) -> Result<Prepared<'b>> {
        let (operation, request) = typed(request)?;
        self.fill(operation, request, allowed).map_err(|e| e.during(operation.name))
    }

    fn fill(
        &mut self,
        operation: &'static Operation,
        request: Value,
        allowed: fn(&Operation) -> bool,
    ) -> Result<Prepared<'b>> {
        if !allowed(operation) {
            return Err(Error::message(Code::InvalidArgument, format!("`{}` cannot stand here", operation.name)));
        }
        let mut request = operation.check(request)?;
        let mut contents = Contents { locks: self.locks.clone(), owner: Some(self.owner), ..Contents::default() };
        for field in operation.options().filter(|f| f.kind == Type::Content) {
            let Some(index) = request.size(field.key)? else { continue };
            request.set(field.key, contents.input.len().into());
            contents.input.push(self.take(index)?);
        }
        Ok(Prepared { operation, request, contents })
    }

    fn take(&mut self, index: usize) -> Result<Input<'b>> {
        match self.inputs.get_mut(index) {
            None => Err(no_content(index, "is not beside the request")),
            Some(Beside::Bytes(bytes)) => Ok(Input::Bytes(Cow::Borrowed(bytes))),
            Some(Beside::Stream(stream)) => stream.take(index),
        }
    }
}

/// The operation that a request names as its `type`, and the request without that.
fn typed(request: Value) -> Result<(&'static Operation, Value)> {
    let Value::Object(mut request) = request else {
        return Err(Error::message(Code::InvalidArgument, "an operation is a JSON object"));
    };
    match request.shift_remove("type") {
        Some(Value::String(name)) => Ok((Operation::find(&name)?, Value::Object(request))),
        _ => Err(Error::message(Code::InvalidArgument, "`type` must be the name of an operation")),
    }
}
