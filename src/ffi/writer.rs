//! Writer handles: content that comes in pieces, and takes its name all at once.

use super::arguments::{self, Given, Out};
use super::call::Context;
use super::guard::guard;
use super::handle::{self, Handle, Kind};
use super::handler::electrus_handler;
use super::table;
use crate::atomic::{self, AtomicFile, WriteOptions};
use crate::checksum::Algorithm;
use crate::error::{Code, Error, Result};
use crate::handler::SecureWriter;
use crate::ops;
use crate::path::Location;
use crate::progress::Progress;
use crate::wire::{self, Request};
use crate::workspace::Hold;
use serde_json::{Value, json};
use std::ffi::{c_char, c_void};
use std::io::Write;
use std::ptr;
use std::sync::{Mutex, PoisonError};

/// A file that is being written.
#[allow(non_camel_case_types)]
pub struct electrus_writer(());

impl Handle for electrus_writer {
    type Object = WriterObject;
    const KIND: Kind = Kind::Writer;
}

/// A writer and what it was opened with.
pub(super) struct WriterObject {
    /// `None` once it is committed or given up.
    writer: Mutex<Option<Open>>,
    context: Context,
}

struct Open {
    writer: Writer,
    /// A write did not come to its end: what is there is not what was meant.
    failed: bool,
}

enum Writer {
    /// On an ordinary path.
    Atomic(Box<AtomicFile>, Location),
    /// Beneath a base folder.
    Secure(Box<SecureWriter<'static>>),
}

impl WriterObject {
    fn new(writer: Writer, context: Context) -> WriterObject {
        WriterObject { writer: Mutex::new(Some(Open { writer, failed: false })), context }
    }

    fn write(&self, data: &[u8]) -> Result<()> {
        let mut open = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.as_mut().ok_or_else(|| Error::new(Code::InvalidHandle))?;
        open.failed |= !data.is_empty();
        self.context.progress.check()?;
        match &mut open.writer {
            Writer::Atomic(file, _) => file.write_all(data)?,
            Writer::Secure(writer) => writer.write_all(data)?,
        }
        open.failed = false;
        self.context.progress.advance(0, data.len() as u64);
        Ok(())
    }

    fn take(&self) -> Result<Open> {
        let taken = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| Error::new(Code::InvalidHandle))
    }

    fn commit(&self) -> Result<Value> {
        let Open { writer, failed } = self.take()?;
        if failed {
            return Err(Error::message(Code::Io, "an earlier write to this file failed"));
        }
        match writer {
            Writer::Atomic(file, location) => Ok(written(&location, &file.commit()?)),
            Writer::Secure(writer) => {
                let held = self.context.lock();
                let changed = match held.as_ref().map(|held| held.as_ref()) {
                    None => writer.commit(),
                    Some(Some(guard)) => writer.under(Hold::Use(guard)).commit(),
                    Some(None) => Err(Error::new(Code::NotLocked)),
                };
                Ok(Value::Object(wire::changed(&changed?)))
            }
        }
    }

    fn abort(&self) -> Result<()> {
        match self.take()?.writer {
            Writer::Atomic(file, _) => file.abort(),
            Writer::Secure(writer) => writer.abort(),
        }
    }
}

fn written(location: &Location, written: &atomic::Written) -> Value {
    let mut result = wire::about(location.path());
    result.insert("size".into(), written.size.into());
    wire::put_digest(&mut result, written.digests.first());
    result.insert("durability".into(), json!(wire::durability_name(written.durability)));
    Value::Object(result)
}

fn write_options(request: &Request) -> Result<WriteOptions> {
    let algorithm = request.algorithm("algorithm")?.unwrap_or(Algorithm::Sha256);
    Ok(WriteOptions {
        durability: request.durability("durability")?.unwrap_or_default(),
        condition: ops::condition(request, algorithm)?,
        algorithms: vec![algorithm],
        mode: request.mode("mode")?,
    })
}

/// Replaces the content of a file by its ordinary path, atomically and durably, or creates it; no lock, no history.
///
/// Options: `durability`, `if_checksum`, `if_absent`, `mode`, `algorithm`. The result tells `file_path`, `size`, `checksum`,
/// `algorithm`, and the `durability` that was achieved.
///
/// Owns: `content` stays the caller's and is only read during the call; the caller owns `*result`.
/// Threads: any.
/// NULL: `content` if `content_len` is 0; `options`; `result`.
/// Errors: options, paths, system, writes; ELECTRUS_E_ALREADY_EXISTS, ELECTRUS_E_CHANGED (a condition).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_atomic_write(
    path: *const c_char,
    content: *const c_void,
    content_len: usize,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let request = Given::new(&table::ATOMIC_WRITE, options)?.path("path", path)?.check()?;
            let content = arguments::bytes(content, content_len, "content")?;
            let location = Location::ordinary(request.name("path")?)?;
            let done = atomic::write(&location, content, &write_options(&request)?)?;
            Ok(written(&location, &done))
        })
    }
}

/// Removes the temporary files that dead writers left in a folder (an ordinary path): `removed`, a list of `path`.
///
/// Options: `include_unlocked` (also those of writers that cannot lock, under WASI: true only if none of those is at
/// work).
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: options, paths, system.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_atomic_tidy(
    folder: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let request = Given::new(&table::ATOMIC_TIDY, options)?.path("folder", folder)?.check()?;
            let unlocked = request.flag("include_unlocked") == Some(true);
            let removed = atomic::remove_leftovers_in(request.name("folder")?, unlocked)?;
            let path = |path: &std::path::PathBuf| {
                let mut object = wire::Object::new();
                wire::put_path(&mut object, "path", path);
                Value::Object(object)
            };
            Ok(json!({ "removed": removed.iter().map(path).collect::<Value>() }))
        })
    }
}

/// Opens a writer on an ordinary path: what is written takes the name all at once at electrus_writer_commit(); until then
/// readers see the old content. No lock, no history. For content that is larger than memory.
///
/// Options: those of electrus_atomic_write(), and `progress`.
///
/// Owns: the caller owns `*writer` and closes it with electrus_writer_commit() or electrus_writer_abort(); it owns
/// `*result`.
/// Threads: any; calls with the same writer wait for each other.
/// NULL: `options` and `result` may be.
/// Errors: options, paths, system, writes; ELECTRUS_E_ALREADY_EXISTS, ELECTRUS_E_CHANGED (a condition).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_writer_open(
    path: *const c_char,
    options: *const c_char,
    writer: *mut *mut electrus_writer,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(writer, ptr::null_mut(), "writer")?;
            let (context, request) = Context::of(Given::new(&table::WRITER_OPEN, options)?.path("path", path)?)?;
            let location = Location::ordinary(request.name("path")?)?;
            let file = AtomicFile::create(&location, &write_options(&request)?)?;
            let object = WriterObject::new(Writer::Atomic(Box::new(file), location), context);
            out.set(handle::open::<electrus_writer>(object)?);
            Ok(Value::Null)
        })
    }
}

/// Opens a writer beneath a handler's base: at electrus_writer_commit() the file is locked, versioned, verified and
/// replaced as by electrus_handler_write(), whose options it takes.
///
/// Owns: the caller owns `*writer` and closes it with electrus_writer_commit() or electrus_writer_abort(); it owns
/// `*result`.
/// Threads: any; calls with the same writer wait for each other.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_ALREADY_EXISTS, ELECTRUS_E_CHANGED (a condition).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_writer(
    handler: *const electrus_handler,
    path: *const c_char,
    options: *const c_char,
    writer: *mut *mut electrus_writer,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(writer, ptr::null_mut(), "writer")?;
            let handler = handle::get(handler)?;
            let (context, request) = Context::of(Given::new(&table::HANDLER_WRITER, options)?.path("path", path)?)?;
            let mut how = ops::change_options(&request, Progress::clone(&context.progress))?;
            how.hold = Hold::Take(context.lock_options(&request)?);
            let secure = handler.writer(request.name("path")?, how)?;
            let object = WriterObject::new(Writer::Secure(Box::new(secure)), context);
            out.set(handle::open::<electrus_writer>(object)?);
            Ok(Value::Null)
        })
    }
}

/// Writes more. After an error the writer can only be given up.
///
/// Owns: `data` stays the caller's and is only read during the call; the caller owns `*result`.
/// Threads: any; calls with the same writer wait for each other.
/// NULL: `data` if `data_len` is 0; `result`.
/// Errors: handle, system; ELECTRUS_E_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_writer_write(
    writer: *const electrus_writer,
    data: *const c_void,
    data_len: usize,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let writer = handle::get(writer)?;
            writer.write(arguments::bytes(data, data_len, "data")?).map(|()| Value::Null)
        })
    }
}

/// Lets what was written take the name, durably, and closes the writer. After an error the old content stands, unless it is
/// ELECTRUS_E_DURABILITY_UNKNOWN. The result is that of electrus_atomic_write() or electrus_handler_write().
///
/// Owns: the handle is gone, also after an error; the caller owns `*result`.
/// Threads: any; it waits for a write that runs.
/// NULL: `result` may be.
/// Errors: handle, system, writes; ELECTRUS_E_ALREADY_EXISTS, ELECTRUS_E_CHANGED (a condition), ELECTRUS_E_NOT_LOCKED (the
/// lock that it was to use is released).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_writer_commit(writer: *mut electrus_writer, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::close(writer)?.commit()) }
}

/// Gives up what was written, and closes the writer: everything is as it was before.
///
/// Owns: the handle is gone, also after an error; the caller owns `*result`.
/// Threads: any; it waits for a write that runs.
/// NULL: `result` may be.
/// Errors: handle, system (the temporary file could not be removed).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_writer_abort(writer: *mut electrus_writer, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::close(writer)?.abort().map(|()| Value::Null)) }
}
