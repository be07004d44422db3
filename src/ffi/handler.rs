//! Handler handles: everything on one base folder.

use super::arguments::{self, Given, Out};
use super::buffer::electrus_bytes;
use super::call::{ContentOut, On, input};
use super::guard::guard;
use super::handle::{self, Handle, Kind};
use super::table::{self, Function};
use crate::error::{Code, Error, Result};
use crate::handler::AdvancedFileHandler;
use crate::ops::Input;
use crate::transaction;
use crate::wire::{self, Object};
use crate::workspace::OpenOptions;
use serde_json::{Value, json};
use std::ffi::{c_char, c_void};
use std::ptr;

/// An open base folder.
#[allow(non_camel_case_types)]
pub struct electrus_handler(());

impl Handle for electrus_handler {
    type Object = AdvancedFileHandler;
    const KIND: Kind = Kind::Handler;
}

/// Opens a base folder as the options of the function say.
///
/// # Safety
/// `base` and `options` are NULL or texts that end with a zero.
pub(super) unsafe fn open(
    function: &'static Function,
    base: *const c_char,
    options: *const c_char,
) -> Result<AdvancedFileHandler> {
    // SAFETY: as promised.
    let request = unsafe { Given::new(function, options)?.path("base", base) }?.check()?;
    let group = match request.text("shared") {
        None => false,
        Some("group") => true,
        Some(_) => return Err(Error::message(Code::InvalidArgument, "`shared` must be \"group\"")),
    };
    let options = OpenOptions {
        allow_outside: request.flag("allow_outside") == Some(true),
        group,
        read_only: request.flag("read_only") == Some(true),
        backup_dir: request.path("backup_dir")?,
        backup_anywhere: request.flag("backup_anywhere") == Some(true),
    };
    AdvancedFileHandler::open(request.name("base")?, &options)
}

pub(super) fn opened(handler: &AdvancedFileHandler) -> Value {
    let workspace = handler.workspace();
    let recovered = workspace.recovered().iter().map(wire::recovered).collect::<Value>();
    let mut result = Object::new();
    wire::put_path(&mut result, "base", workspace.base().path());
    result.insert("recovered".into(), recovered);
    Value::Object(result)
}

/// What an operation on files gives, for the exports below.
fn answer(handler: *const electrus_handler, given: Given) -> Result<Value> {
    on(handler)?.answer(given)
}

pub(super) fn on(handler: *const electrus_handler) -> Result<On> {
    Ok(On::Handler((*handle::get(handler)?).clone()))
}

/// Opens an existing base folder: every name that its functions take is beneath it. Transactions that a crash left are
/// carried out, temporary files of dead writers removed; nothing is created.
///
/// Options: `allow_outside` (names may lead out of the base), `read_only` (never change a byte), `shared` ("group": the
/// store is readable and writable by the folder's group), `backup_dir` (where backups go, relative to the base),
/// `backup_anywhere` (backups take, and restore to, ordinary paths). The result tells `base` and `recovered`, the transactions found.
///
/// Owns: the caller owns `*handler` and closes it with electrus_handler_close(); it owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: options, paths, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_NOT_A_DIRECTORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_open(
    base: *const c_char,
    options: *const c_char,
    handler: *mut *mut electrus_handler,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(handler, ptr::null_mut(), "handler")?;
            let handler = open(&table::HANDLER_OPEN, base, options)?;
            let result = opened(&handler);
            out.set(handle::open::<electrus_handler>(handler)?);
            Ok(result)
        })
    }
}

/// Closes a handler, and reports a failure to write down what was postponed. Calls that run go on to their end; handles
/// that were made from it stay open.
///
/// Owns: the handle is gone, also after an error; the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle, system.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_close(handler: *mut electrus_handler, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::close(handler)?.close().map(|()| Value::Null)) }
}

/// Runs any operation of the table by its name: the one function that a binding needs for all of them. `request` is a
/// JSON object with the operation's keys and those of every call (`owner`, `progress`); where it says `"content": N` it
/// means `contents[N]`, and `"lock": N` means the lock handle whose number, `(uintptr_t)lock`, is N. What the operation
/// reads comes back as `(*outputs)[N]`, where the result says `"content": N`.
///
/// Owns: `contents` stay the caller's and are only read during the call. The caller owns `*outputs`, one block with the
/// bytes behind it, NULL if there are none, and frees it once; it owns `*result`.
/// Threads: any.
/// NULL: `request` (no keys); `contents` if `contents_count` is 0; `outputs` or `outputs_count` (what is read is dropped
/// then); `result`.
/// Errors: handle, options, and those of the operation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_call(
    handler: *const electrus_handler,
    operation: *const c_char,
    request: *const c_char,
    contents: *const electrus_bytes,
    contents_count: usize,
    outputs: *mut *mut electrus_bytes,
    outputs_count: *mut usize,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let outs = Outputs::new(outputs, outputs_count);
            let on = on(handler)?;
            let (operation, request) = (arguments::text(operation, "operation")?, arguments::options(request)?);
            let contents = arguments::contents(contents, contents_count)?;
            let input = contents.into_iter().map(|bytes| Input::Bytes(bytes.into())).collect();
            outs.set(on.run(operation, request, input)?)
        })
    }
}

/// Places for several contents; one of them NULL where they are not wanted.
pub(super) enum Outputs {
    Dropped,
    Given(Out<*mut electrus_bytes>, Out<usize>),
}

impl Outputs {
    /// # Safety
    /// Each is NULL or may be written to as long as this lives.
    pub unsafe fn new(list: *mut *mut electrus_bytes, count: *mut usize) -> Outputs {
        // SAFETY: as promised.
        let (list, count) =
            unsafe { (Out::new(list, ptr::null_mut(), "outputs"), Out::new(count, 0, "outputs_count")) };
        match (list, count) {
            (Ok(list), Ok(count)) => Outputs::Given(list, count),
            _ => Outputs::Dropped,
        }
    }

    pub fn set(self, answer: super::call::Answer) -> Result<Value> {
        let Outputs::Given(list, count) = self else { return Ok(answer.result) };
        let (result, contents, how_many) = answer.contents()?;
        list.set(contents);
        count.set(how_many);
        Ok(result)
    }
}

/// Replaces the content of a file: locked, atomic, durable, versioned, verified. Missing folders are created.
///
/// Options and result: those of the operation `write`.
///
/// Owns: `content` stays the caller's and is only read during the call; the caller owns `*result`.
/// Threads: any.
/// NULL: `content` if `content_len` is 0; `options`; `result`.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_ALREADY_EXISTS, ELECTRUS_E_CHANGED (a condition).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_write(
    handler: *const electrus_handler,
    path: *const c_char,
    content: *const c_void,
    content_len: usize,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let on = on(handler)?;
            let given = Given::new(&table::HANDLER_WRITE, options)?.path("path", path)?.value("content", 0.into())?;
            let content = arguments::bytes(content, content_len, "content")?;
            Ok(on.call(given, input(content))?.result)
        })
    }
}

/// Reads a whole file, or a version of it, into memory. For large ones see electrus_handler_reader().
///
/// Options and result: those of the operation `read`, the content apart.
///
/// Owns: the caller owns `*content` and `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_VERSION_NOT_FOUND,
/// ELECTRUS_E_NUMBER_CONFLICT, ELECTRUS_E_CHECKSUM_MISMATCH, ELECTRUS_E_DAMAGED, ELECTRUS_E_CHANGED_WHILE_READ.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_read(
    handler: *const electrus_handler,
    path: *const c_char,
    options: *const c_char,
    content: *mut *mut c_void,
    content_len: *mut usize,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = ContentOut::new(content, content_len)?;
            let on = on(handler)?;
            let given = Given::new(&table::HANDLER_READ, options)?.path("path", path)?;
            out.set(on.call(given, Vec::new())?)
        })
    }
}

/// What is known of a file: size, checksum, times, newest version, permissions.
///
/// Options and result: those of the operation `stat`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_stat(
    handler: *const electrus_handler,
    path: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || answer(handler, Given::new(&table::HANDLER_STAT, options)?.path("path", path)?)) }
}

/// Copies a file, content and mode; the destination is written as by electrus_handler_write().
///
/// Options and result: those of the operation `copy`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_ALREADY_EXISTS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_copy(
    handler: *const electrus_handler,
    source: *const c_char,
    destination: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::HANDLER_COPY, options)?.path("source", source)?;
            answer(handler, given.path("destination", destination)?)
        })
    }
}

/// Renames a file; both histories tell of it. A symbolic link is renamed itself.
///
/// Options and result: those of the operation `rename`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_ALREADY_EXISTS,
/// ELECTRUS_E_CROSS_DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_rename(
    handler: *const electrus_handler,
    source: *const c_char,
    destination: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::HANDLER_RENAME, options)?.path("source", source)?;
            answer(handler, given.path("destination", destination)?)
        })
    }
}

/// Deletes a file (of a symbolic link, the link); its history stays, and what stood there is in it.
///
/// Options and result: those of the operation `delete`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_delete(
    handler: *const electrus_handler,
    path: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || answer(handler, Given::new(&table::HANDLER_DELETE, options)?.path("path", path)?)) }
}

/// Checksums of a file beneath the base, several in one pass.
///
/// Options and result: those of the operation `checksum`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_UNKNOWN_ALGORITHM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_checksum(
    handler: *const electrus_handler,
    path: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || answer(handler, Given::new(&table::HANDLER_CHECKSUM, options)?.path("path", path)?)) }
}

/// Who holds the lock of a file beneath the base.
///
/// Options and result: those of the operation `locks`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_locks(
    handler: *const electrus_handler,
    path: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || answer(handler, Given::new(&table::HANDLER_LOCKS, options)?.path("path", path)?)) }
}

/// Runs operations on all cores, those of one name in their order; one that fails fails alone, and the call itself
/// succeeds. `operations` is a JSON list of objects, each with its `type` and the keys of that operation.
///
/// Options and result: those of the operation `batch`. Contents as in electrus_handler_call().
///
/// Owns: as electrus_handler_call().
/// Threads: any.
/// NULL: `contents` if `contents_count` is 0; `options`; `outputs` or `outputs_count` (what is read is dropped then);
/// `result`.
/// Errors: handle, options (a lock in one of the operations that is no open lock handle included);
/// ELECTRUS_E_OUT_OF_MEMORY (all is done, but there is no room for what was read).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_batch(
    handler: *const electrus_handler,
    operations: *const c_char,
    contents: *const electrus_bytes,
    contents_count: usize,
    options: *const c_char,
    outputs: *mut *mut electrus_bytes,
    outputs_count: *mut usize,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let outs = Outputs::new(outputs, outputs_count);
            let given = Given::new(&table::HANDLER_BATCH, options)?.document("operations", operations)?;
            outs.set(several(handler, given, contents, contents_count)?)
        })
    }
}

/// Writes, deletes, renames and copies several files, all or none, whenever the machine stops. `operations` as in
/// electrus_handler_batch(). To stage one by one see electrus_transaction_begin().
///
/// Options and result: those of the operation `transaction`.
///
/// Owns: `contents` stay the caller's and are only read during the call; the caller owns `*result`.
/// Threads: any.
/// NULL: `contents` if `contents_count` is 0; `options`; `result`.
/// Errors: handle, options, names, system, writes, and those of what stands in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_transaction(
    handler: *const electrus_handler,
    operations: *const c_char,
    contents: *const electrus_bytes,
    contents_count: usize,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::HANDLER_TRANSACTION, options)?.document("operations", operations)?;
            Ok(several(handler, given, contents, contents_count)?.result)
        })
    }
}

/// # Safety
/// As `arguments::contents`.
unsafe fn several(
    handler: *const electrus_handler,
    given: Given,
    contents: *const electrus_bytes,
    count: usize,
) -> Result<super::call::Answer> {
    let on = on(handler)?;
    // SAFETY: as promised.
    let contents = unsafe { arguments::contents(contents, count) }?;
    on.call(given, contents.into_iter().map(|bytes| Input::Bytes(bytes.into())).collect())
}

/// Reads and checks every byte of the store, and changes none. That something is damaged is a result (`ok` is false),
/// and no error.
///
/// Options and result: those of the operation `verify`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, system; ELECTRUS_E_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_verify(
    handler: *const electrus_handler,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || answer(handler, Given::new(&table::HANDLER_VERIFY, options)?)) }
}

/// Rebuilds indexes and sets damage aside, so that everything else works on.
///
/// Options and result: those of the operation `repair`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, system; ELECTRUS_E_STORE_BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_repair(
    handler: *const electrus_handler,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || answer(handler, Given::new(&table::HANDLER_REPAIR, options)?)) }
}

/// Imports what the original Python Electrus left in a folder (an ordinary path), which stays as it is.
///
/// Options and result: those of the operation `import`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, paths, system, writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_import(
    handler: *const electrus_handler,
    from: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || answer(handler, Given::new(&table::HANDLER_IMPORT, options)?.path("from", from)?)) }
}

/// Carries out transactions that were decided and whose owners have died since the handler was opened: for programs that
/// run for long. The result tells `recovered`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle, system, writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_recover(handler: *const electrus_handler, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let recovered = transaction::recover(handle::get(handler)?.workspace())?;
            Ok(json!({ "recovered": recovered.iter().map(wire::recovered).collect::<Value>() }))
        })
    }
}
