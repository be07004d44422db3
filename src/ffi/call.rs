//! One operation, called from C: its context taken out of the options, its contents handed over.

use super::arguments::Given;
use super::buffer::{self, electrus_bytes};
use super::handle;
use super::lock::{LockObject, electrus_lock};
use super::progress::electrus_progress;
use crate::backup::BackupManager;
use crate::error::{Code, Error, Result};
use crate::handler::AdvancedFileHandler;
use crate::lock::{LockGuard, LockOptions, Owner};
use crate::ops::{self, Contents, Input, Output};
use crate::progress::Progress;
use crate::wire::{self, Field, Object, Request, Type};
use serde_json::Value;
use std::ffi::c_void;
use std::sync::{Arc, RwLockReadGuard};

/// Options of every function that runs an operation.
pub(super) const CALL: &[Field] = &[
    Field::sometimes("owner", Type::Count, "On whose behalf locks are taken; the calling thread unless given."),
    Field::sometimes("progress", Type::Count, "The number of a progress handle, by which to watch and to cancel."),
];

/// What a call runs under.
pub(super) struct Context {
    pub progress: Progress,
    pub owner: Owner,
    locks: Vec<(u64, Arc<LockObject>)>,
}

type Held<'c> = Vec<(u64, RwLockReadGuard<'c, Option<LockGuard>>)>;

impl Context {
    /// Takes the keys of [`CALL`] out of the options, and finds the locks that these name.
    pub fn take(options: &mut Object) -> Result<Context> {
        let progress = match count(options.shift_remove("progress"), "progress")? {
            Some(number) => (*handle::find::<electrus_progress>(number_of(number)?)?).clone(),
            None => Progress::new(),
        };
        let owner = count(options.shift_remove("owner"), "owner")?.map(Owner::of).transpose()?;
        Ok(Context { progress, owner: owner.unwrap_or_default(), locks: locks(options)? })
    }

    /// The same, under the locks that a request names.
    pub fn with_locks_of(&self, request: &Object) -> Result<Context> {
        Ok(Context { progress: self.progress.clone(), owner: self.owner, locks: locks(request)? })
    }

    /// The context and the request of a function that runs no operation.
    pub fn of(mut given: Given) -> Result<(Context, Request)> {
        let context = Context::take(&mut given.object)?;
        Ok((context, given.check()?))
    }

    /// How locks are taken.
    pub fn lock_options(&self, request: &Request) -> Result<LockOptions> {
        let timeout = request.timeout("timeout")?.unwrap_or_default();
        Ok(LockOptions { timeout, owner: self.owner, progress: self.progress.clone() })
    }

    /// The lock that an operation on one file is to run under; while the answer lives, it is not released.
    pub fn lock(&self) -> Option<RwLockReadGuard<'_, Option<LockGuard>>> {
        self.locks.first().map(|(_, lock)| lock.hold())
    }

    fn held(&self) -> Held<'_> {
        self.locks.iter().map(|(number, lock)| (*number, lock.hold())).collect()
    }
}

fn count(value: Option<Value>, key: &str) -> Result<Option<u64>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => Err(Error::message(Code::InvalidArgument, format!("`{key}` must be a whole number from 0"))),
        },
    }
}

fn number_of(number: u64) -> Result<usize> {
    usize::try_from(number).map_err(|_| Error::message(Code::InvalidHandle, format!("there is no handle {number}")))
}

/// The locks that a request names, or the operations in it; in one order, so that calls which hold several do not wait
/// for each other behind those who release them.
fn locks(request: &Object) -> Result<Vec<(u64, Arc<LockObject>)>> {
    let mut locks = Vec::new();
    let inner = request.get("operations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named = inner.iter().map(|operation| operation.get("lock")).chain([request.get("lock")]);
    for number in named.flatten().filter_map(Value::as_u64) {
        if !locks.iter().any(|(known, _)| *known == number) {
            locks.push((number, handle::find::<electrus_lock>(number_of(number)?)?));
        }
    }
    locks.sort_by_key(|(number, _)| *number);
    Ok(locks)
}

/// Where an operation runs.
#[derive(Clone)]
pub(super) enum On {
    Handler(AdvancedFileHandler),
    /// A backup folder of its own.
    Backups(BackupManager),
}

/// What an operation gave.
pub(super) struct Answer {
    pub result: Value,
    pub output: Vec<Output>,
}

impl On {
    /// Runs an operation with its request, and the contents that stand beside it.
    pub fn run(&self, operation: &str, mut request: Object, input: Vec<Input<'_>>) -> Result<Answer> {
        let context = Context::take(&mut request)?;
        self.run_in(&context, operation, request, input)
    }

    pub fn run_in(&self, context: &Context, operation: &str, request: Object, input: Vec<Input<'_>>) -> Result<Answer> {
        let held = context.held();
        let released = || Error::message(Code::InvalidHandle, "the lock has been released");
        let locks = held.iter().map(|(number, guard)| Ok((*number, guard.as_ref().ok_or_else(released)?)));
        let (locks, owner) = (locks.collect::<Result<Vec<_>>>()?, Some(context.owner));
        let mut contents = Contents { input, locks, owner, ..Contents::default() };
        let request = Value::Object(request);
        let result = match self {
            On::Handler(handler) => ops::dispatch(handler, operation, request, &mut contents, &context.progress),
            On::Backups(backups) => {
                ops::dispatch_on_backups(backups, operation, request, &mut contents, &context.progress)
            }
        }?;
        Ok(Answer { result, output: contents.output })
    }

    /// The same for a function with the arguments and options that it was given.
    pub fn call(&self, given: Given, input: Vec<Input<'_>>) -> Result<Answer> {
        let operation = given.operation()?;
        self.run(operation, given.object, input)
    }

    /// The same, where nothing but a result comes out.
    pub fn answer(&self, given: Given) -> Result<Value> {
        Ok(self.call(given, Vec::new())?.result)
    }
}

impl Answer {
    /// The content of an operation that gives one.
    pub fn content(self) -> Result<(Value, electrus_bytes)> {
        let Answer { mut result, output } = self;
        let content = output.into_iter().next().ok_or_else(|| Error::new(Code::Internal))?.into_bytes()?;
        if let Some(object) = result.as_object_mut() {
            object.shift_remove("content"); // it is not one of several
        }
        Ok((result, buffer::give(content)?))
    }

    /// All contents, as one block, and how many they are.
    pub fn contents(self) -> Result<(Value, *mut electrus_bytes, usize)> {
        let Answer { mut result, output } = self;
        let mut contents = Vec::new();
        for (index, content) in output.into_iter().enumerate() {
            contents.push(match content.into_bytes() {
                Ok(bytes) => bytes,
                Err(error) => {
                    fails_alone(&mut result, index, error)?;
                    Vec::new()
                }
            });
        }
        Ok((result, buffer::give_all(&contents)?, contents.len()))
    }
}

/// A content that could not be had to its end makes its operation of a batch fail, and no other.
fn fails_alone(result: &mut Value, index: usize, error: Error) -> Result<()> {
    let entries = result.get_mut("results").and_then(Value::as_array_mut).into_iter().flatten();
    let entry = entries.filter_map(Value::as_object_mut).find(|e| e.get("content") == Some(&index.into()));
    let Some(entry) = entry else { return Err(error) };
    entry.retain(|key, _| ["type", "path", "path_b64"].contains(&key.as_str()));
    entry.insert("status".into(), "error".into());
    entry.insert("error".into(), wire::error_body(&error));
    Ok(())
}

/// Places for a content that comes out.
pub(super) struct ContentOut {
    data: super::arguments::Out<*mut c_void>,
    len: super::arguments::Out<usize>,
}

impl ContentOut {
    /// # Safety
    /// Both are NULL or may be written to as long as this lives.
    pub unsafe fn new(data: *mut *mut c_void, len: *mut usize) -> Result<ContentOut> {
        use super::arguments::Out;
        // SAFETY: as promised.
        let (data, len) = unsafe { (Out::new(data, std::ptr::null_mut(), "content"), Out::new(len, 0, "content_len")) };
        Ok(ContentOut { data: data?, len: len? })
    }

    /// Hands the content of an answer over; the result.
    pub fn set(self, answer: Answer) -> Result<Value> {
        let (result, content) = answer.content()?;
        self.data.set(content.data.cast_mut());
        self.len.set(content.len);
        Ok(result)
    }
}

/// Bytes as a content that stands beside a request.
pub(super) fn input(bytes: &[u8]) -> Vec<Input<'_>> {
    vec![Input::Bytes(bytes.into())]
}
