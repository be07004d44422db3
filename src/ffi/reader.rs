//! Reader handles: a file or version as a stream, and any part of it.

use super::arguments::{self, Given, Out};
use super::backup::electrus_backup;
use super::call::Context;
use super::guard::guard;
use super::handle::{self, Handle, Kind};
use super::handler::electrus_handler;
use super::table;
use crate::error::{Code, Error, Result};
use crate::handler::Stream;
use crate::progress::Progress;
use serde_json::{Value, json};
use std::ffi::{c_char, c_void};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Beyond every file, and no reading from there can pass the largest offset that there is.
const FARTHEST: u64 = 1 << 62;

/// A file or version that is being read.
#[allow(non_camel_case_types)]
pub struct electrus_reader(());

impl Handle for electrus_reader {
    type Object = ReaderObject;
    const KIND: Kind = Kind::Reader;
}

/// A stream, where it comes from, and how long it was when it was opened.
pub(super) struct ReaderObject {
    at: Mutex<At>,
    path: PathBuf,
    size: u64,
    progress: Progress,
}

struct At {
    stream: Stream,
    /// Where the next read begins.
    position: u64,
    /// Whether the stream may stand elsewhere: after a part was read, or an error.
    astray: bool,
}

impl ReaderObject {
    fn new(stream: Stream, path: PathBuf, size: u64, progress: Progress) -> ReaderObject {
        progress.expect(0, size);
        ReaderObject { at: Mutex::new(At { stream, position: 0, astray: false }), path, size, progress }
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads on; after an error the next read begins where this one did.
    fn read(&self, room: &mut [u8]) -> Result<usize> {
        let mut at = self.at();
        if at.astray {
            let position = at.position;
            self.go(&mut at.stream, position)?;
        }
        at.astray = true;
        let filled = self.fill(&mut at.stream, room)?;
        (at.astray, at.position) = (false, at.position + filled as u64);
        Ok(filled)
    }

    /// A part, wherever the next read begins.
    fn read_at(&self, offset: u64, room: &mut [u8]) -> Result<usize> {
        self.check(offset)?;
        let mut at = self.at();
        at.astray = true;
        self.go(&mut at.stream, offset)?;
        self.fill(&mut at.stream, room)
    }

    fn seek(&self, offset: u64) -> Result<()> {
        self.check(offset)?;
        let mut at = self.at();
        (at.astray, at.position) = (true, offset);
        Ok(())
    }

    fn check(&self, offset: u64) -> Result<()> {
        match i64::try_from(offset) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::message(Code::InvalidArgument, "the offset is beyond every file").at(&self.path)),
        }
    }

    fn go(&self, stream: &mut Stream, offset: u64) -> Result<()> {
        let sought = match stream.seek(SeekFrom::Start(offset.min(FARTHEST))) {
            // Beyond what the file system can have, and so beyond the end.
            Err(e) if e.kind() == std::io::ErrorKind::InvalidInput => stream.seek(SeekFrom::End(0)),
            sought => sought,
        };
        sought.map(drop).map_err(|e| Error::io(e, &self.path))
    }

    /// Fills the room as far as there is content.
    fn fill(&self, stream: &mut Stream, room: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < room.len() {
            self.progress.check()?;
            match stream.read(&mut room[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::io(e, &self.path)),
            }
        }
        self.progress.advance(0, filled as u64);
        Ok(filled)
    }

    fn describe(&self) -> Value {
        json!({ "size": self.size })
    }
}

/// Opens a file beneath a handler's base, or (with the option `version`) a version of it, to be read in pieces: one
/// descriptor, so the file as it was at one moment even if it is replaced meanwhile. What a version gives is verified as it
/// is read.
///
/// Options: `version` (a number, or a record as text), `progress`. The result tells `size` in bytes.
///
/// Owns: the caller owns `*reader` and closes it with electrus_reader_close(); it owns `*result`.
/// Threads: any; calls with the same reader wait for each other.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_VERSION_NOT_FOUND,
/// ELECTRUS_E_NUMBER_CONFLICT, ELECTRUS_E_DAMAGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_reader(
    handler: *const electrus_handler,
    path: *const c_char,
    options: *const c_char,
    reader: *mut *mut electrus_reader,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(reader, ptr::null_mut(), "reader")?;
            let handler = handle::get(handler)?;
            let (context, request) = Context::of(Given::new(&table::HANDLER_READER, options)?.path("path", path)?)?;
            let which = request.version("version");
            let (path, _, stream, size) = handler.find(&request.name("path")?, which.as_ref())?;
            let object = ReaderObject::new(stream, path, size, context.progress);
            let result = object.describe();
            out.set(handle::open::<electrus_reader>(object)?);
            Ok(result)
        })
    }
}

/// The same for a file of a backup.
///
/// Options: `progress`. The result tells `size` in bytes.
///
/// Owns: the caller owns `*reader` and closes it with electrus_reader_close(); it owns `*result`.
/// Threads: any; calls with the same reader wait for each other.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_BACKUP_NOT_FOUND, ELECTRUS_E_NOT_FOUND, ELECTRUS_E_NOT_A_FILE,
/// ELECTRUS_E_DAMAGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_backup_reader(
    backup: *const electrus_backup,
    name: *const c_char,
    path: *const c_char,
    options: *const c_char,
    reader: *mut *mut electrus_reader,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(reader, ptr::null_mut(), "reader")?;
            let backups = handle::get(backup)?;
            let given = Given::new(&table::BACKUP_READER, options)?.text("name", name)?.path("path", path)?;
            let (context, request) = Context::of(given)?;
            let path = request.name("path")?;
            let stream = backups.read(request.text("name").unwrap_or_default(), &path)?;
            let size = stream.size();
            let object = ReaderObject::new(Stream::Version(stream), path, size, context.progress);
            let result = object.describe();
            out.set(handle::open::<electrus_reader>(object)?);
            Ok(result)
        })
    }
}

/// Reads on: fills `buffer`, or as much of it as there is content left. `*count` says how much that was; less than `len`
/// only at the end, 0 at the end itself.
///
/// Owns: `buffer` stays the caller's and is written to during the call; the caller owns `*result`.
/// Threads: any; calls with the same reader wait for each other.
/// NULL: `buffer` if `len` is 0; `result`.
/// Errors: handle, system; ELECTRUS_E_DAMAGED, ELECTRUS_E_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_reader_read(
    reader: *const electrus_reader,
    buffer: *mut c_void,
    len: usize,
    count: *mut usize,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(count, 0, "count")?;
            let reader = handle::get(reader)?;
            let room = arguments::room(buffer, len, "buffer")?;
            out.set(reader.read(room)?);
            Ok(Value::Null)
        })
    }
}

/// Reads a part: `len` bytes from `offset` on, wherever electrus_reader_read() stands, and without moving that. `*count`
/// is less than `len` only where the content ends.
///
/// Owns: `buffer` stays the caller's and is written to during the call; the caller owns `*result`.
/// Threads: any; calls with the same reader wait for each other.
/// NULL: `buffer` if `len` is 0; `result`.
/// Errors: handle, system; ELECTRUS_E_DAMAGED, ELECTRUS_E_CANCELLED, ELECTRUS_E_INVALID_ARGUMENT (an offset beyond 2^63).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_reader_read_at(
    reader: *const electrus_reader,
    offset: u64,
    buffer: *mut c_void,
    len: usize,
    count: *mut usize,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(count, 0, "count")?;
            let reader = handle::get(reader)?;
            out.set(reader.read_at(offset, arguments::room(buffer, len, "buffer")?)?);
            Ok(Value::Null)
        })
    }
}

/// Lets electrus_reader_read() go on at `offset`, which may be beyond the end.
///
/// Owns: the caller owns `*result`.
/// Threads: any; calls with the same reader wait for each other.
/// NULL: `result` may be.
/// Errors: handle, system; ELECTRUS_E_INVALID_ARGUMENT (an offset beyond 2^63).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_reader_seek(
    reader: *const electrus_reader,
    offset: u64,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::get(reader)?.seek(offset).map(|()| Value::Null)) }
}

/// How long the content was when the reader was opened, in bytes.
///
/// Owns: `*size` is the caller's; it owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_reader_size(
    reader: *const electrus_reader,
    size: *mut u64,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(size, 0, "size")?;
            out.set(handle::get(reader)?.size);
            Ok(Value::Null)
        })
    }
}

/// Closes a reader.
///
/// Owns: the handle is gone; the caller owns `*result`.
/// Threads: any; a read that runs goes on to its end.
/// NULL: `result` may be.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_reader_close(reader: *mut electrus_reader, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::close(reader).map(|_| Value::Null)) }
}
