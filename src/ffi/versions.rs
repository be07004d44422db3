//! Version manager handles: the history of the files of a base folder.

use super::arguments::{Given, Out};
use super::call::{ContentOut, On};
use super::guard::guard;
use super::handle::{self, Handle, Kind};
use super::handler::{self, electrus_handler};
use super::table;
use crate::error::Result;
use crate::handler::AdvancedFileHandler;
use serde_json::Value;
use std::ffi::{c_char, c_void};
use std::ptr;

/// The history of the files of a base folder.
#[allow(non_camel_case_types)]
pub struct electrus_versions(());

impl Handle for electrus_versions {
    type Object = AdvancedFileHandler;
    const KIND: Kind = Kind::Versions;
}

fn on(versions: *const electrus_versions) -> Result<On> {
    Ok(On::Handler((*handle::get(versions)?).clone()))
}

/// Opens the history of a base folder; the options are those of electrus_handler_open().
///
/// Owns: the caller owns `*versions` and closes it with electrus_versions_close(); it owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: those of electrus_handler_open().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_versions_open(
    base: *const c_char,
    options: *const c_char,
    versions: *mut *mut electrus_versions,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(versions, ptr::null_mut(), "versions")?;
            let handler = handler::open(&table::VERSIONS_OPEN, base, options)?;
            let result = handler::opened(&handler);
            out.set(handle::open::<electrus_versions>(handler)?);
            Ok(result)
        })
    }
}

/// The same, on the base folder that a handler has open.
///
/// Owns: the caller owns `*versions` and closes it with electrus_versions_close(), before or after the handler; it owns
/// `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_versions(
    handler: *const electrus_handler,
    versions: *mut *mut electrus_versions,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(versions, ptr::null_mut(), "versions")?;
            out.set(handle::open::<electrus_versions>((*handle::get(handler)?).clone())?);
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
pub unsafe extern "C" fn electrus_versions_close(versions: *mut electrus_versions, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::close(versions)?.close().map(|()| Value::Null)) }
}

/// Records a file as it stands, whoever wrote it; the newest version again if it is that.
///
/// Options and result: those of the operation `snapshot`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_versions_create(
    versions: *const electrus_versions,
    path: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::VERSIONS_CREATE, options)?.path("path", path)?;
            on(versions)?.answer(given)
        })
    }
}

/// The versions of a file by number, or, if `path` is NULL, every file that has some.
///
/// Options and result: those of the operation `versions`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `path`, `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_versions_list(
    versions: *const electrus_versions,
    path: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::VERSIONS_LIST, options)?.path_or_null("path", path)?;
            on(versions)?.answer(given)
        })
    }
}

/// Reads a version into memory. `version` is its number; one of two that claim a number is named by the option `record`
/// (text, as the list gives it) instead, with `version` 0.
///
/// Options and result: those of the operation `read`, the content apart.
///
/// Owns: the caller owns `*content` and `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_VERSION_NOT_FOUND,
/// ELECTRUS_E_NUMBER_CONFLICT, ELECTRUS_E_CHECKSUM_MISMATCH, ELECTRUS_E_DAMAGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_versions_read(
    versions: *const electrus_versions,
    path: *const c_char,
    version: u64,
    options: *const c_char,
    content: *mut *mut c_void,
    content_len: *mut usize,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = ContentOut::new(content, content_len)?;
            let on = on(versions)?;
            out.set(on.call(
                Given::new(&table::VERSIONS_READ, options)?.path("path", path)?.which("version", version)?,
                Vec::new(),
            )?)
        })
    }
}

/// What changed from one version to another, or, if the option `to` is left out, to the file as it is.
///
/// Options and result: those of the operation `diff`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_VERSION_NOT_FOUND, ELECTRUS_E_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_versions_diff(
    versions: *const electrus_versions,
    path: *const c_char,
    from: u64,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::VERSIONS_DIFF, options)?.path("path", path)?.which("from", from)?;
            on(versions)?.answer(given)
        })
    }
}

/// Puts a version back: verified before it replaces, atomic, and recorded as a new version.
///
/// Options and result: those of the operation `restore`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_VERSION_NOT_FOUND, ELECTRUS_E_DAMAGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_versions_restore(
    versions: *const electrus_versions,
    path: *const c_char,
    version: u64,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::VERSIONS_RESTORE, options)?.path("path", path)?.which("version", version)?;
            on(versions)?.answer(given)
        })
    }
}

/// Tags a version, so that prune keeps it, or (with the option `remove`) takes the tag away.
///
/// Options and result: those of the operation `tag`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_VERSION_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_versions_tag(
    versions: *const electrus_versions,
    path: *const c_char,
    version: u64,
    tag: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::VERSIONS_TAG, options)?
                .path("path", path)?
                .value("version", version.into())?
                .text("tag", tag)?;
            on(versions)?.answer(given)
        })
    }
}

/// Removes versions that no rule keeps, of one file or, if `path` is NULL, of all; the newest and the tagged stay.
///
/// Options and result: those of the operation `prune`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `path`, `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_STORE_BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_versions_prune(
    versions: *const electrus_versions,
    path: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::VERSIONS_PRUNE, options)?.path_or_null("path", path)?;
            on(versions)?.answer(given)
        })
    }
}

/// Reads and checks every byte of the store, as electrus_handler_verify().
///
/// Options and result: those of the operation `verify`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, system; ELECTRUS_E_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_versions_verify(
    versions: *const electrus_versions,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::VERSIONS_VERIFY, options)?;
            on(versions)?.answer(given)
        })
    }
}
