//! JSON handler handles: documents in a base folder.

use super::arguments::{Given, Out};
use super::call::On;
use super::guard::guard;
use super::handle::{self, Handle, Kind};
use super::handler::{self, electrus_handler};
use super::table;
use crate::error::Result;
use crate::handler::AdvancedFileHandler;
use serde_json::Value;
use std::ffi::c_char;
use std::ptr;

/// JSON documents in a base folder.
#[allow(non_camel_case_types)]
pub struct electrus_json(());

impl Handle for electrus_json {
    type Object = AdvancedFileHandler;
    const KIND: Kind = Kind::Json;
}

fn on(json: *const electrus_json) -> Result<On> {
    Ok(On::Handler((*handle::get(json)?).clone()))
}

/// Opens the JSON documents of a base folder; the options are those of electrus_handler_open().
///
/// Owns: the caller owns `*json` and closes it with electrus_json_close(); it owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: those of electrus_handler_open().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_json_open(
    base: *const c_char,
    options: *const c_char,
    json: *mut *mut electrus_json,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(json, ptr::null_mut(), "json")?;
            let handler = handler::open(&table::JSON_OPEN, base, options)?;
            let result = handler::opened(&handler);
            out.set(handle::open::<electrus_json>(handler)?);
            Ok(result)
        })
    }
}

/// The same, on the base folder that a handler has open.
///
/// Owns: the caller owns `*json` and closes it with electrus_json_close(), before or after the handler; it owns
/// `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_json(
    handler: *const electrus_handler,
    json: *mut *mut electrus_json,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(json, ptr::null_mut(), "json")?;
            out.set(handle::open::<electrus_json>((*handle::get(handler)?).clone())?);
            Ok(Value::Null)
        })
    }
}

/// Closes the handle. Calls that run go on to their end.
///
/// Owns: the handle is gone, also after an error; the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle, system.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_json_close(json: *mut electrus_json, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::close(json)?.close().map(|()| Value::Null)) }
}

/// Reads a JSON document: `data` in the result, numbers digit for digit.
///
/// Options and result: those of the operation `json_read`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_INVALID_JSON, ELECTRUS_E_NOT_FOUND,
/// ELECTRUS_E_CHECKSUM_MISMATCH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_json_read(
    json: *const electrus_json,
    path: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::JSON_READ, options)?.path("path", path)?;
            on(json)?.answer(given)
        })
    }
}

/// Reads the value that a JSON Pointer (RFC 6901) names in a document.
///
/// Options and result: those of the operation `json_get`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_INVALID_JSON, ELECTRUS_E_NOT_FOUND,
/// ELECTRUS_E_POINTER_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_json_get(
    json: *const electrus_json,
    path: *const c_char,
    pointer: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::JSON_GET, options)?.path("path", path)?.text("pointer", pointer)?;
            on(json)?.answer(given)
        })
    }
}

/// Replaces a JSON document: UTF-8, indented by 2, keys in their order, numbers digit for digit. `data` is JSON.
///
/// Options and result: those of the operation `json_write`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_INVALID_JSON,
/// ELECTRUS_E_ALREADY_EXISTS, ELECTRUS_E_CHANGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_json_write(
    json: *const electrus_json,
    path: *const c_char,
    data: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::JSON_WRITE, options)?.path("path", path)?.document("data", data)?;
            on(json)?.answer(given)
        })
    }
}

/// Sets one value in a JSON document, under the file's lock. `value` is JSON: a text has its quotes.
///
/// Options and result: those of the operation `json_set`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_INVALID_JSON,
/// ELECTRUS_E_POINTER_NOT_FOUND, ELECTRUS_E_CHANGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_json_set(
    json: *const electrus_json,
    path: *const c_char,
    pointer: *const c_char,
    value: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::JSON_SET, options)?
                .path("path", path)?
                .text("pointer", pointer)?
                .document("value", value)?;
            on(json)?.answer(given)
        })
    }
}

/// Merges into a JSON document (RFC 7396), under the file's lock. `patch` is JSON; null removes a key.
///
/// Options and result: those of the operation `json_merge`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_INVALID_JSON,
/// ELECTRUS_E_CHANGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_json_merge(
    json: *const electrus_json,
    path: *const c_char,
    patch: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::JSON_MERGE, options)?.path("path", path)?.document("patch", patch)?;
            on(json)?.answer(given)
        })
    }
}

/// Applies a JSON Patch (RFC 6902), all of it or nothing, under the file's lock. `patch` is JSON.
///
/// Options and result: those of the operation `json_patch`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_INVALID_JSON,
/// ELECTRUS_E_PATCH_FAILED, ELECTRUS_E_POINTER_NOT_FOUND, ELECTRUS_E_CHANGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_json_patch(
    json: *const electrus_json,
    path: *const c_char,
    patch: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::JSON_PATCH, options)?.path("path", path)?.document("patch", patch)?;
            on(json)?.answer(given)
        })
    }
}
