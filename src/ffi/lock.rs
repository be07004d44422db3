//! Lock handles.

use super::arguments::{self, Given, Out};
use super::call::Context;
use super::guard::guard;
use super::handle::{self, Handle, Kind};
use super::handler::electrus_handler;
use super::table;
use crate::error::{Code, Error, Result};
use crate::handler::AdvancedFileHandler;
use crate::lock::{ChildLock, FileLockManager, LockGuard, LockType, VARIABLE};
use crate::path::Location;
use crate::wire::{self, Request};
use serde_json::{Value, json};
use std::ffi::c_char;
use std::ptr;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

/// A lock that is held.
#[allow(non_camel_case_types)]
pub struct electrus_lock(());

impl Handle for electrus_lock {
    type Object = LockObject;
    const KIND: Kind = Kind::Lock;
}

/// A guard that calls may be running under.
pub(super) struct LockObject {
    /// `None` once released.
    guard: RwLock<Option<LockGuard>>,
    /// For programs that run under it.
    lent: Mutex<Option<ChildLock>>,
}

impl LockObject {
    pub fn new(guard: LockGuard) -> LockObject {
        LockObject { guard: RwLock::new(Some(guard)), lent: Mutex::default() }
    }

    /// Keeps it from being released.
    pub fn hold(&self) -> RwLockReadGuard<'_, Option<LockGuard>> {
        self.guard.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives it back once nothing runs under it any more.
    fn release(&self) -> Result<()> {
        let guard = self.guard.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(self.lent.lock().unwrap_or_else(PoisonError::into_inner).take());
        guard.map_or_else(|| Err(Error::new(Code::InvalidHandle)), LockGuard::release)
    }

    fn describe(&self) -> Result<Value> {
        let guard = self.hold();
        let guard = guard.as_ref().ok_or_else(|| Error::new(Code::InvalidHandle))?;
        Ok(json!({
            "type": guard.kind().name(),
            "since": guard.since().to_rfc3339(),
            "scope": FileLockManager.scope(),
        }))
    }

    fn lend(&self) -> Result<Value> {
        let guard = self.hold();
        let guard = guard.as_ref().ok_or_else(|| Error::new(Code::InvalidHandle))?;
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let child = match lent.take() {
            Some(child) => child, // it serves all
            None => guard.for_child()?,
        };
        let answer = json!({ "variable": VARIABLE, "value": child.value() });
        *lent = Some(child);
        Ok(answer)
    }
}

/// Takes the lock of a file, of an ordinary path or beneath a handler's base.
pub(super) fn acquire(
    on: Option<&AdvancedFileHandler>,
    context: &Context,
    request: &Request,
) -> Result<(LockObject, Value)> {
    let kind = LockType::parse(request.text("type").unwrap_or_default())?;
    let (name, how) = (request.name("path")?, context.lock_options(request)?);
    let guard = match on {
        Some(handler) => handler.lock(name, kind, &how)?,
        None => FileLockManager.acquire(&Location::ordinary(name)?, kind, &how)?,
    };
    let lock = LockObject::new(guard);
    let result = lock.describe()?;
    Ok((lock, result))
}

/// Takes the lock of a file by its ordinary path; the file need not exist, its folder must. The lock of `P` is an flock on
/// `P.lock`, as flock(1) and Python's filelock take it.
///
/// Options: `type` ("exclusive", the default, or "shared"), `timeout` (seconds; 0 tries once, negative waits for ever; 10
/// unless given), `owner`, `progress`. The result tells `type`, `since`, and `scope`: "system" if every process of this
/// machine is excluded, "process" if only threads of this one are.
///
/// Owns: the caller owns `*lock` and gives it back with electrus_lock_release(); it owns `*result`.
/// Threads: any. The lock belongs to its owner, not to the thread: any thread may use and release it.
/// NULL: `options` and `result` may be.
/// Errors: options, paths, system; ELECTRUS_E_LOCK_TIMEOUT, ELECTRUS_E_WOULD_DEADLOCK (the same owner holds it),
/// ELECTRUS_E_CANCELLED, ELECTRUS_E_NOT_A_FILE (something else stands where the lock file should).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_lock_acquire(
    path: *const c_char,
    options: *const c_char,
    lock: *mut *mut electrus_lock,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(lock, ptr::null_mut(), "lock")?;
            let (context, request) = Context::of(Given::new(&table::LOCK_ACQUIRE, options)?.path("path", path)?)?;
            let (lock, result) = acquire(None, &context, &request)?;
            out.set(handle::open::<electrus_lock>(lock)?);
            Ok(result)
        })
    }
}

/// The same for a file beneath a handler's base folder.
///
/// Owns: the caller owns `*lock` and gives it back with electrus_lock_release(); it owns `*result`.
/// Threads: any. The lock belongs to its owner, not to the thread: any thread may use and release it.
/// NULL: `options` and `result` may be.
/// Errors: those of electrus_lock_acquire(); handle, names.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_lock(
    handler: *const electrus_handler,
    path: *const c_char,
    options: *const c_char,
    lock: *mut *mut electrus_lock,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(lock, ptr::null_mut(), "lock")?;
            let handler = handle::get(handler)?;
            let (context, request) = Context::of(Given::new(&table::HANDLER_LOCK, options)?.path("path", path)?)?;
            let (lock, result) = acquire(Some(&handler), &context, &request)?;
            out.set(handle::open::<electrus_lock>(lock)?);
            Ok(result)
        })
    }
}

/// Gives a lock back, once no call runs under it any more (it waits for those), and closes its handle.
///
/// Owns: the handle is gone, also after an error; the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle, system; ELECTRUS_E_INVALID_HANDLE also in a child that was forked from the process that holds it, whose
/// lock stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_lock_release(lock: *mut electrus_lock, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::close(lock)?.release().map(|()| Value::Null)) }
}

/// How and since when a lock is held: `type`, `since`, `scope`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_lock_show(lock: *const electrus_lock, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::get(lock)?.describe()) }
}

/// Lets programs that this one starts use the lock: set the environment variable `variable` of the result to its `value`
/// for them. Until the lock is released, a descriptor is open that every program which is started meanwhile inherits; a
/// program that keeps it open keeps the lock.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle, system; ELECTRUS_E_UNSUPPORTED where locks end at the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_lock_lend(lock: *const electrus_lock, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::get(lock)?.lend()) }
}

/// Who holds the lock of a file, by its ordinary path, in this or another process or tool: `locked`, `holders` (of each
/// `pid`, `type`, `since`, `host`, `source`, null where that is not known), `scope`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: paths, system.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_lock_holders(path: *const c_char, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let location = Location::ordinary(arguments::path(path, "path")?)?;
            let holders = FileLockManager.holders(&location)?;
            Ok(Value::Object(wire::holders(&location, &holders, FileLockManager.scope())))
        })
    }
}
