//! Checksum handles, and checksums of files by ordinary paths.

use super::arguments::{self, Given, Out};
use super::call::Context;
use super::guard::guard;
use super::handle::{self, Handle, Kind};
use super::table;
use crate::checksum::{self, Algorithm, ChecksumCalculator, Digest, Hasher, Summed, TreeEntry};
use crate::error::{Code, Error, Result};
use crate::wire::{self, Object, Request};
use serde_json::{Value, json};
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};

/// A checksum of data that comes in pieces.
#[allow(non_camel_case_types)]
pub struct electrus_checksum(());

impl Handle for electrus_checksum {
    type Object = ChecksumObject;
    const KIND: Kind = Kind::Checksum;
}

/// A hasher, and how much it has seen.
pub(super) struct ChecksumObject(Mutex<Option<(Hasher, u64)>>);

impl ChecksumObject {
    fn update(&self, data: &[u8]) -> Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (hasher, size) = state.as_mut().ok_or_else(|| Error::new(Code::InvalidHandle))?;
        hasher.update(data);
        *size += data.len() as u64;
        Ok(())
    }

    fn finish(&self) -> Result<Value> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (hasher, size) = state.ok_or_else(|| Error::new(Code::InvalidHandle))?;
        Ok(Value::Object(summed(Object::new(), &Summed { size, digests: hasher.finish() })))
    }
}

fn algorithms(request: &Request) -> Result<Vec<Algorithm>> {
    let mut algorithms = request.algorithms("algorithms")?;
    if algorithms.is_empty() {
        algorithms.push(request.algorithm("algorithm")?.unwrap_or_default());
    }
    Ok(algorithms)
}

fn summed(mut result: Object, summed: &Summed) -> Object {
    result.insert("size".into(), summed.size.into());
    wire::put_digests(&mut result, &summed.digests);
    result
}

fn entry(entry: TreeEntry) -> Value {
    let mut object = Object::new();
    wire::put_path(&mut object, "path", &entry.path);
    Value::Object(match entry.result {
        Ok(sums) => summed(object, &sums),
        Err(error) => {
            object.insert("error".into(), wire::error_body(&error));
            object
        }
    })
}

/// Begins a checksum, or several in one pass, of data that comes in pieces.
///
/// Options: `algorithm` ("md5", "sha1", "sha256", which is the default, "sha512", "blake2b" or "blake3"), or `algorithms`, a
/// list of them.
///
/// Owns: the caller owns `*checksum` and closes it with electrus_checksum_finish() or electrus_checksum_close(); it owns
/// `*result`.
/// Threads: any; calls with the same handle wait for each other.
/// NULL: `options` and `result` may be.
/// Errors: options; ELECTRUS_E_UNKNOWN_ALGORITHM.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_checksum_open(
    options: *const c_char,
    checksum: *mut *mut electrus_checksum,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(checksum, ptr::null_mut(), "checksum")?;
            let request = Given::new(&table::CHECKSUM_OPEN, options)?.check()?;
            let hasher = Hasher::new(&algorithms(&request)?);
            out.set(handle::open::<electrus_checksum>(ChecksumObject(Mutex::new(Some((hasher, 0)))))?);
            Ok(Value::Null)
        })
    }
}

/// Takes more data in.
///
/// Owns: `data` stays the caller's and is only read during the call; the caller owns `*result`.
/// Threads: any; calls with the same handle wait for each other.
/// NULL: `data` if `data_len` is 0; `result`.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_checksum_update(
    checksum: *const electrus_checksum,
    data: *const c_void,
    data_len: usize,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let checksum = handle::get(checksum)?;
            checksum.update(arguments::bytes(data, data_len, "data")?).map(|()| Value::Null)
        })
    }
}

/// Ends it and closes the handle: `size`, `checksum`, `algorithm`, and `checksums` by the name of each algorithm.
///
/// Owns: the handle is gone; the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_checksum_finish(checksum: *mut electrus_checksum, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::close(checksum)?.finish()) }
}

/// Closes the handle without a checksum.
///
/// Owns: the handle is gone; the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_checksum_close(checksum: *mut electrus_checksum, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::close(checksum).map(|_| Value::Null)) }
}

/// Checksums of a file by its ordinary path, several in one pass: `file_path`, `size`, `checksum`, `algorithm`, `checksums`.
///
/// Options: `algorithm`, `algorithms`, `chunk_size` (bytes to read at a time; chosen well unless given), `progress`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: options, paths, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_UNKNOWN_ALGORITHM, ELECTRUS_E_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_checksum_file(
    path: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let (context, request) = Context::of(Given::new(&table::CHECKSUM_FILE, options)?.path("path", path)?)?;
            let (path, chunk_size) = (request.name("path")?, request.size("chunk_size")?);
            let algorithms = algorithms(&request)?;
            let sums = ChecksumCalculator::calculate_checksums(&path, &algorithms, chunk_size, &context.progress)?;
            Ok(Value::Object(summed(wire::about(&path), &sums)))
        })
    }
}

/// Whether a file, by its ordinary path, has a checksum (hex digits, with or without `ALGORITHM:` before them): `ok`, and
/// what it has, `checksum` and `algorithm`.
///
/// Options: `algorithm` (where `expected` names none), `progress`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: options, paths, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_UNKNOWN_ALGORITHM, ELECTRUS_E_INVALID_ARGUMENT
/// (`expected` is no checksum), ELECTRUS_E_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_checksum_verify(
    path: *const c_char,
    expected: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::CHECKSUM_VERIFY, options)?.path("path", path)?;
            let (context, request) = Context::of(given.text("expected", expected)?)?;
            let algorithm = request.algorithm("algorithm")?.unwrap_or_default();
            let expected = request.checksum("expected", algorithm)?.ok_or_else(|| Error::new(Code::Internal))?;
            let (path, algorithms) = (request.name("path")?, [expected.algorithm()]);
            let sums = ChecksumCalculator::calculate_checksums(&path, &algorithms, None, &context.progress)?;
            Ok(verdict(&path, &sums, &expected))
        })
    }
}

fn verdict(path: &std::path::Path, sums: &Summed, expected: &Digest) -> Value {
    let mut result = wire::about(path);
    result.insert("ok".into(), sums.digests.first().is_some_and(|found| found == expected).into());
    wire::put_digest(&mut result, sums.digests.first());
    Value::Object(result)
}

/// Checksums of every file below a folder (an ordinary path), on all cores: `files`, sorted, of each `path` from the
/// folder, and `size`, `checksum`, `algorithm`, `checksums`, or `error`.
///
/// Options: `algorithm`, `algorithms`, `progress`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: options, paths, system; ELECTRUS_E_NOT_FOUND, ELECTRUS_E_UNKNOWN_ALGORITHM, ELECTRUS_E_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_checksum_tree(
    folder: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let (context, request) = Context::of(Given::new(&table::CHECKSUM_TREE, options)?.path("folder", folder)?)?;
            let files = checksum::tree(request.name("folder")?, &algorithms(&request)?, &context.progress)?;
            Ok(json!({ "files": files.into_iter().map(entry).collect::<Value>() }))
        })
    }
}
