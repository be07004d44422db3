//! Transaction handles: changes that are staged one by one, and done all or none.

use super::arguments::{self, Given, Out};
use super::call::{Context, On};
use super::guard::guard;
use super::handle::{self, Handle, Kind};
use super::handler::{self, electrus_handler};
use super::table;
use crate::error::{Code, Error, Result};
use crate::ops::Input;
use crate::wire::Object;
use serde_json::{Value, json};
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};

/// Changes that are staged.
#[allow(non_camel_case_types)]
pub struct electrus_transaction(());

impl Handle for electrus_transaction {
    type Object = TransactionObject;
    const KIND: Kind = Kind::Transaction;
}

/// Where it is to happen, and what.
pub(super) struct TransactionObject {
    on: On,
    /// Its owner and progress, from the begin.
    context: Context,
    options: Object,
    staged: Mutex<Option<Staged>>,
}

#[derive(Default)]
struct Staged {
    operations: Vec<Value>,
    contents: Vec<Vec<u8>>,
}

impl TransactionObject {
    fn stage(&self, given: Given, content: Option<&[u8]>) -> Result<Value> {
        given.known()?;
        let operation = given.operation()?;
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        let staged = staged.as_mut().ok_or_else(|| Error::new(Code::InvalidHandle))?;
        let given = match content {
            Some(content) => {
                let given = given.value("content", staged.contents.len().into())?;
                staged.contents.push(arguments::copy(content)?);
                given
            }
            None => given,
        };
        let mut request = given.object;
        request.insert("type".into(), operation.into());
        staged.operations.push(Value::Object(request));
        Ok(json!({ "staged": staged.operations.len() }))
    }

    fn commit(&self) -> Result<Value> {
        let staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner).take();
        let staged = staged.ok_or_else(|| Error::new(Code::InvalidHandle))?;
        let mut request = self.options.clone();
        request.insert("operations".into(), staged.operations.into());
        let input = staged.contents.into_iter().map(|content| Input::Bytes(content.into())).collect();
        let context = self.context.with_locks_of(&request)?;
        Ok(self.on.run_in(&context, "transaction", request, input)?.result)
    }
}

/// Begins a transaction beneath a handler's base: stage what is to be done, then commit it. Nothing is locked, read or
/// written before that.
///
/// Options: those of the operation `transaction`, and those of every call.
///
/// Owns: the caller owns `*transaction` and closes it with electrus_transaction_commit() or electrus_transaction_abort();
/// it owns `*result`.
/// Threads: any; calls with the same transaction wait for each other.
/// NULL: `options` and `result` may be.
/// Errors: handle, options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_transaction_begin(
    handler: *const electrus_handler,
    options: *const c_char,
    transaction: *mut *mut electrus_transaction,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(transaction, ptr::null_mut(), "transaction")?;
            let on = handler::on(handler)?;
            let mut given = Given::new(&table::TRANSACTION_BEGIN, options)?.value("operations", json!([]))?;
            let context = Context::take(&mut given.object)?;
            let options = given.object.clone();
            let request = given.check()?; // what is wrong with them is told now
            request.algorithm("algorithm")?;
            request.timeout("timeout")?;
            let staged = Mutex::new(Some(Staged::default()));
            out.set(handle::open::<electrus_transaction>(TransactionObject { on, context, options, staged })?);
            Ok(Value::Null)
        })
    }
}

/// Stages a write.
///
/// Options: `if_checksum`, `if_absent`, `mode`, `lock`. The result tells `staged`, how many there are. What is wrong with it
/// is told by electrus_transaction_commit().
///
/// Owns: `content` is copied; the caller owns `*result`.
/// Threads: any; calls with the same transaction wait for each other.
/// NULL: `content` if `content_len` is 0; `options`; `result`.
/// Errors: handle, options; ELECTRUS_E_OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_transaction_write(
    transaction: *const electrus_transaction,
    path: *const c_char,
    content: *const c_void,
    content_len: usize,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let transaction = handle::get(transaction)?;
            let given = Given::new(&table::TRANSACTION_WRITE, options)?.path("path", path)?;
            transaction.stage(given, Some(arguments::bytes(content, content_len, "content")?))
        })
    }
}

/// Stages a delete.
///
/// Options: `lock`. The result tells `staged`. What is wrong with it is told by electrus_transaction_commit().
///
/// Owns: the caller owns `*result`.
/// Threads: any; calls with the same transaction wait for each other.
/// NULL: `options` and `result` may be.
/// Errors: handle, options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_transaction_delete(
    transaction: *const electrus_transaction,
    path: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let transaction = handle::get(transaction)?;
            transaction.stage(Given::new(&table::TRANSACTION_DELETE, options)?.path("path", path)?, None)
        })
    }
}

/// Stages a rename.
///
/// Options: `if_absent`, `lock`. The result tells `staged`. What is wrong with it is told by electrus_transaction_commit().
///
/// Owns: the caller owns `*result`.
/// Threads: any; calls with the same transaction wait for each other.
/// NULL: `options` and `result` may be.
/// Errors: handle, options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_transaction_rename(
    transaction: *const electrus_transaction,
    source: *const c_char,
    destination: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let transaction = handle::get(transaction)?;
            let given = Given::new(&table::TRANSACTION_RENAME, options)?.path("source", source)?;
            transaction.stage(given.path("destination", destination)?, None)
        })
    }
}

/// Stages a copy.
///
/// Options: `if_absent`, `lock`. The result tells `staged`. What is wrong with it is told by electrus_transaction_commit().
///
/// Owns: the caller owns `*result`.
/// Threads: any; calls with the same transaction wait for each other.
/// NULL: `options` and `result` may be.
/// Errors: handle, options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_transaction_copy(
    transaction: *const electrus_transaction,
    source: *const c_char,
    destination: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let transaction = handle::get(transaction)?;
            let given = Given::new(&table::TRANSACTION_COPY, options)?.path("source", source)?;
            transaction.stage(given.path("destination", destination)?, None)
        })
    }
}

/// Does all that is staged, or nothing, whenever the machine stops, and closes the transaction. The result is that of the
/// operation `transaction`.
///
/// Owns: the handle is gone, also after an error; the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle, options, names, system, writes, and those of what is staged; except after
/// ELECTRUS_E_DURABILITY_UNKNOWN, nothing was changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_transaction_commit(
    transaction: *mut electrus_transaction,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::close(transaction)?.commit()) }
}

/// Forgets what is staged, and closes the transaction.
///
/// Owns: the handle is gone; the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_transaction_abort(
    transaction: *mut electrus_transaction,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::close(transaction).map(|_| Value::Null)) }
}
