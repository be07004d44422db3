//! The library itself: versions, features, memory, codes, results.

use super::arguments::{self, Out};
use super::guard::{guard, status, value};
use super::{buffer, handle};
use crate::checksum::Algorithm;
use crate::error::{Code, Error, Result};
use crate::json::Pointer;
use crate::lock::{FileLockManager, Owner};
use crate::ops::abi;
use once_cell::race::OnceBox;
use serde_json::{Value, json};
use std::ffi::{CString, c_char, c_void};
use std::ptr;

/// The number of this interface. It grows when something that programs rely on changes; functions, options and keys of
/// results are added without that.
pub const ELECTRUS_ABI_VERSION: i32 = 1;

/// The status of a call that did what it was asked to do.
pub const ELECTRUS_OK: i32 = 0;

/// The version of the library, as in "1.2.3".
///
/// Owns: the library owns the text, for ever.
/// Threads: any.
/// NULL: never given.
/// Errors: none.
#[unsafe(no_mangle)]
pub extern "C" fn electrus_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// The number of the interface that this library has: compare it with ELECTRUS_ABI_VERSION of the header.
///
/// Owns: nothing changes hands.
/// Threads: any.
/// NULL: does not apply.
/// Errors: none; the number is no status.
#[unsafe(no_mangle)]
pub extern "C" fn electrus_abi_version() -> i32 {
    ELECTRUS_ABI_VERSION
}

/// What this build can do, as a JSON object: `version`, `abi_version`, `platform`, `algorithms`, `lock_scope` ("system":
/// locks exclude every process of this machine; "process": the threads of this one), `threads` (whether work runs beside
/// the caller), `panics` ("caught", or "trap" where a defect ends the program), `durability` (the most that can be
/// achieved), `modes`, `links`, `attributes` (what of a file is kept).
///
/// Owns: the library owns the text, for ever.
/// Threads: any.
/// NULL: never given.
/// Errors: none.
#[unsafe(no_mangle)]
pub extern "C" fn electrus_features() -> *const c_char {
    static FEATURES: OnceBox<CString> = OnceBox::new();
    let text = || Box::new(CString::new(features().to_string()).unwrap_or_default());
    value(ptr::null(), || FEATURES.get_or_init(text).as_ptr())
}

fn features() -> Value {
    let wasi = cfg!(target_os = "wasi");
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "abi_version": ELECTRUS_ABI_VERSION,
        "platform": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        "algorithms": Algorithm::ALL.map(|algorithm| algorithm.name()),
        "lock_scope": FileLockManager.scope(),
        "threads": !wasi,
        "panics": if wasi { "trap" } else { "caught" },
        "durability": if wasi { "data" } else { "full" },
        "modes": cfg!(unix),
        "links": cfg!(any(unix, target_os = "wasi")),
        "attributes": cfg!(target_os = "linux"),
    })
}

/// Memory for `size` bytes of zeros, for callers that have none of their own to hand in (a WebAssembly host).
///
/// Owns: the caller owns it and gives it back with electrus_free().
/// Threads: any.
/// NULL: given if there is no memory, never for a size of 0.
/// Errors: none but NULL.
#[unsafe(no_mangle)]
pub extern "C" fn electrus_alloc(size: usize) -> *mut c_void {
    value(ptr::null_mut(), || buffer::allocate(size))
}

/// Gives back what a function of this library gave: results, contents, memory of electrus_alloc(). NULL, and what was
/// given back already or never came from here, is left alone.
///
/// Owns: the memory is gone.
/// Threads: any.
/// NULL: allowed.
/// Errors: none.
#[unsafe(no_mangle)]
pub extern "C" fn electrus_free(memory: *mut c_void) {
    value((), || buffer::free(memory));
}

/// The stable name of a status, as in "not_found"; "ok" for 0, "unknown" for a number that is no code.
///
/// Owns: the library owns the text, for ever.
/// Threads: any.
/// NULL: never given.
/// Errors: none.
#[unsafe(no_mangle)]
pub extern "C" fn electrus_code_name(code: i32) -> *const c_char {
    value(ptr::null(), || words(code).0.as_ptr())
}

/// What a status means, in plain words.
///
/// Owns: the library owns the text, for ever.
/// Threads: any.
/// NULL: never given.
/// Errors: none.
#[unsafe(no_mangle)]
pub extern "C" fn electrus_code_text(code: i32) -> *const c_char {
    value(ptr::null(), || words(code).1.as_ptr())
}

type Words = (i32, CString, CString);

fn words(code: i32) -> (&'static CString, &'static CString) {
    static WORDS: OnceBox<Vec<Words>> = OnceBox::new();
    let words = WORDS.get_or_init(|| {
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let codes = Code::ALL.iter().map(|code| (*code as i32, text(code.name()), text(code.text())));
        let others = [(ELECTRUS_OK, text("ok"), text("done")), (-1, text("unknown"), text("no code has this number"))];
        Box::new(others.into_iter().chain(codes).collect())
    });
    let found = words.iter().find(|(number, ..)| *number == code).unwrap_or(&words[1]);
    (&found.1, &found.2)
}

/// The tables of this library as one JSON object: `operations` with the keys of their requests and results, `types`,
/// `codes`, `functions` with theirs.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: none but ELECTRUS_E_PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_library_describe(result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let mut tables = abi::operations();
            if let (Some(tables), Value::Object(codes), Value::Object(functions)) =
                (tables.as_object_mut(), abi::codes(), super::table::describe())
            {
                tables.extend(codes.into_iter().chain(functions));
            }
            Ok(tables)
        })
    }
}

/// What is open and what is with the caller: `handles` (a number for each kind), `buffers` and their `bytes`. For tests
/// that look for leaks.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: none but ELECTRUS_E_PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_library_usage(result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let (buffers, bytes) = buffer::count();
            let handles: serde_json::Map<String, Value> =
                handle::count().into_iter().map(|(kind, count)| (kind.into(), count.into())).collect();
            Ok(json!({ "handles": handles, "buffers": buffers, "bytes": bytes }))
        })
    }
}

/// Panics, for the test of what becomes of it.
#[cfg(feature = "test-panic")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_test_panic(result: *mut *mut c_char) -> i32 {
    // SAFETY: the test says so.
    unsafe { guard(result, || panic!("forced by a test")) }
}

/// Makes an owner of locks, for programs whose tasks are not threads: pass its number as the option `owner`. An owner that
/// asks for a lock which it holds is told ELECTRUS_E_WOULD_DEADLOCK at once. Nothing needs to be given back.
///
/// Owns: `*owner` is the caller's.
/// Threads: any.
/// NULL: nothing may be.
/// Errors: ELECTRUS_E_INVALID_ARGUMENT (`owner` is NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_owner_create(owner: *mut u64) -> i32 {
    status(|| {
        // SAFETY: the header says so.
        let out = unsafe { Out::new(owner, 0, "owner") }?;
        out.set(Owner::new().number());
        Ok(())
    })
}

/// The value that a JSON Pointer (RFC 6901) names in a result (or in any JSON document).
///
/// # Safety
/// Both are NULL or texts that end with a zero.
unsafe fn find(result: *const c_char, pointer: *const c_char) -> Result<Value> {
    // SAFETY: the header says so.
    let (document, pointer) = unsafe { (arguments::document(result, "result"), arguments::text(pointer, "pointer")) };
    Ok(Pointer::parse(pointer?)?.get(&document?)?.clone())
}

fn no(expected: &str) -> Error {
    Error::message(Code::InvalidArgument, format!("the value is not {expected}"))
}

/// Reads a whole number out of a result: electrus_result_integer(result, "/version", &version). True is 1, false is 0.
///
/// Owns: `*value` is the caller's; `result` is only read.
/// Threads: any.
/// NULL: nothing may be.
/// Errors: ELECTRUS_E_POINTER_NOT_FOUND; ELECTRUS_E_INVALID_ARGUMENT (NULL, or the value is none that fits);
/// ELECTRUS_E_INVALID_JSON; ELECTRUS_E_NOT_UTF8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_result_integer(
    result: *const c_char,
    pointer: *const c_char,
    value: *mut i64,
) -> i32 {
    status(|| {
        // SAFETY: the header says so.
        let (out, found) = unsafe { (Out::new(value, 0, "value")?, find(result, pointer)?) };
        let number = found.as_i64().or(found.as_bool().map(i64::from));
        out.set(number.ok_or_else(|| no("a whole number of 64 bits"))?);
        Ok(())
    })
}

/// Reads a text out of a result: electrus_result_text(result, "/checksum", &checksum). Numbers and other values are given
/// as JSON.
///
/// Owns: the caller owns `*text`; `result` is only read.
/// Threads: any.
/// NULL: nothing may be.
/// Errors: those of electrus_result_integer(), and ELECTRUS_E_OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_result_text(
    result: *const c_char,
    pointer: *const c_char,
    text: *mut *mut c_char,
) -> i32 {
    status(|| {
        // SAFETY: the header says so.
        let (out, found) = unsafe { (Out::new(text, ptr::null_mut(), "text")?, find(result, pointer)?) };
        out.set(buffer::give_text(found.as_str().map_or_else(|| found.to_string(), str::to_owned))?);
        Ok(())
    })
}

/// How many items a list in a result has, or keys an object: electrus_result_count(result, "/versions", &count).
///
/// Owns: `*count` is the caller's; `result` is only read.
/// Threads: any.
/// NULL: nothing may be.
/// Errors: those of electrus_result_integer().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_result_count(
    result: *const c_char,
    pointer: *const c_char,
    count: *mut usize,
) -> i32 {
    status(|| {
        // SAFETY: the header says so.
        let (out, found) = unsafe { (Out::new(count, 0, "count")?, find(result, pointer)?) };
        let items = found.as_array().map(Vec::len).or(found.as_object().map(serde_json::Map::len));
        out.set(items.ok_or_else(|| no("a list or an object"))?);
        Ok(())
    })
}
