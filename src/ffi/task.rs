//! Task handles: operations that run on a thread of the library, polled and cancelled by the caller.
//!
//! Where there are no threads (WASI), a task has run to its end when it is started.

use super::arguments::{self, Given, Out};
use super::backup::{self, electrus_backup};
use super::buffer::electrus_bytes;
use super::call::{Answer, Context, On};
use super::guard::{caught, guard, status};
use super::handle::{self, Handle, Kind};
use super::handler::{self, Outputs, electrus_handler};
use super::lock::{self, LockObject, electrus_lock};
use super::progress::electrus_counts;
use super::table;
use crate::error::{Code, Error, Result};
use crate::lock::Timeout;
use crate::ops::Input;
use crate::progress::Progress;
use serde_json::{Value, json};
use std::ffi::c_char;
use std::ptr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// An operation that runs beside the caller.
#[allow(non_camel_case_types)]
pub struct electrus_task(());

impl Handle for electrus_task {
    type Object = TaskObject;
    const KIND: Kind = Kind::Task;
}

/// What a task gives in the end.
enum Gift {
    Answer(Answer),
    Lock(Box<LockObject>, Value),
}

#[derive(Default)]
struct State {
    done: bool,
    /// Until it is fetched.
    gift: Option<Result<Gift>>,
}

/// A task, shared by its thread and its handle.
pub(super) struct TaskObject {
    shared: Arc<(Mutex<State>, Condvar)>,
    progress: Progress,
}

impl TaskObject {
    fn start(progress: Progress, work: impl FnOnce() -> Result<Gift> + Send + 'static) -> Result<TaskObject> {
        let shared = Arc::<(Mutex<State>, Condvar)>::default();
        let task = TaskObject { shared: shared.clone(), progress };
        let run = move || {
            let gift = caught(work);
            let mut state = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
            (state.done, state.gift) = (true, Some(gift));
            shared.1.notify_all();
        };
        if cfg!(target_os = "wasi") {
            run();
        } else {
            let spawned = std::thread::Builder::new().name("electrus-task".into()).spawn(run);
            spawned.map_err(|e| Error::from(e).with_code(Code::OutOfMemory))?;
        }
        Ok(task)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is done; waits for that as long as the time-out says.
    fn wait(&self, timeout: Timeout) -> bool {
        let begin = Instant::now();
        let mut state = self.state();
        while !state.done {
            state = match timeout {
                Timeout::Try => return false,
                Timeout::Forever => self.shared.1.wait(state).unwrap_or_else(PoisonError::into_inner),
                Timeout::After(time) => match time.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
                    Some(left) => self.shared.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                    None => return false,
                },
            };
        }
        true
    }

    fn fetch(&self) -> Result<Gift> {
        self.state().gift.take().unwrap_or_else(|| Err(Error::new(Code::InvalidHandle)))
    }
}

/// A task that is done, and closed; until then its handle serves others, to look and to cancel.
fn finished(task: *mut electrus_task) -> Result<Arc<TaskObject>> {
    handle::get(task)?.wait(Timeout::Forever);
    handle::close(task)
}

/// # Safety
/// The texts are NULL or end with a zero; `contents` points to `count` contents.
unsafe fn operate(
    on: On,
    operation: *const c_char,
    request: *const c_char,
    contents: *const electrus_bytes,
    count: usize,
) -> Result<TaskObject> {
    // SAFETY: as promised.
    let (operation, mut request, contents) = unsafe {
        (
            arguments::text(operation, "operation")?.to_owned(),
            arguments::options(request)?,
            arguments::contents(contents, count)?,
        )
    };
    let copies = contents.into_iter().map(arguments::copy).collect::<Result<Vec<_>>>()?;
    let input: Vec<Input<'static>> = copies.into_iter().map(|bytes| Input::Bytes(bytes.into())).collect();
    let context = Context::take(&mut request)?;
    let progress = context.progress.clone();
    TaskObject::start(progress, move || on.run_in(&context, &operation, request, input).map(Gift::Answer))
}

/// Starts any operation of the table, as electrus_handler_call() runs it, on a thread of the library. A lock is taken on
/// behalf of the thread that starts it, unless the request names an `owner`.
///
/// Owns: `contents` are copied. The caller owns `*task` and closes it with electrus_task_finish() or
/// electrus_task_close(); it owns `*result`.
/// Threads: any.
/// NULL: `request` (no keys); `contents` if `contents_count` is 0; `result`.
/// Errors: handle, options; ELECTRUS_E_OUT_OF_MEMORY (no thread can be had). What the operation meets is told by
/// electrus_task_finish().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_task_start(
    handler: *const electrus_handler,
    operation: *const c_char,
    request: *const c_char,
    contents: *const electrus_bytes,
    contents_count: usize,
    task: *mut *mut electrus_task,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(task, ptr::null_mut(), "task")?;
            let started = operate(handler::on(handler)?, operation, request, contents, contents_count)?;
            out.set(handle::open::<electrus_task>(started)?);
            Ok(Value::Null)
        })
    }
}

/// The same for operations on backups, with a backup handle.
///
/// Owns: the caller owns `*task` and closes it with electrus_task_finish() or electrus_task_close(); it owns `*result`.
/// Threads: any.
/// NULL: `request` (no keys); `result`.
/// Errors: handle, options; ELECTRUS_E_OUT_OF_MEMORY (no thread can be had).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_task_start_backup(
    backup: *const electrus_backup,
    operation: *const c_char,
    request: *const c_char,
    task: *mut *mut electrus_task,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(task, ptr::null_mut(), "task")?;
            let started = operate(backup::on(backup)?, operation, request, ptr::null(), 0)?;
            out.set(handle::open::<electrus_task>(started)?);
            Ok(Value::Null)
        })
    }
}

/// Starts to wait for a lock, of an ordinary path (`handler` NULL) or beneath a handler's base, on a thread of the library.
/// electrus_task_lock() gives it.
///
/// Options: those of electrus_lock_acquire().
///
/// Owns: the caller owns `*task` and closes it with electrus_task_lock() or electrus_task_close(); it owns `*result`.
/// Threads: any.
/// NULL: `handler`, `options` and `result` may be.
/// Errors: handle, options; ELECTRUS_E_OUT_OF_MEMORY (no thread can be had).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_task_start_lock(
    handler: *const electrus_handler,
    path: *const c_char,
    options: *const c_char,
    task: *mut *mut electrus_task,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(task, ptr::null_mut(), "task")?;
            let handler = if handler.is_null() { None } else { Some(handle::get(handler)?) };
            let (context, request) = Context::of(Given::new(&table::TASK_START_LOCK, options)?.path("path", path)?)?;
            let progress = context.progress.clone();
            let started = TaskObject::start(progress, move || {
                let (lock, result) = lock::acquire(handler.as_deref(), &context, &request)?;
                Ok(Gift::Lock(Box::new(lock), result))
            })?;
            out.set(handle::open::<electrus_task>(started)?);
            Ok(Value::Null)
        })
    }
}

/// How far a task is: `*counts`, and `done` in the result. It does not wait.
///
/// Owns: `*counts` is the caller's; it owns `*result`.
/// Threads: any.
/// NULL: `counts` and `result` may be.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_task_poll(
    task: *const electrus_task,
    counts: *mut electrus_counts,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out =
                (!counts.is_null()).then(|| Out::new(counts, electrus_counts::default(), "counts")).transpose()?;
            let task = handle::get(task)?;
            if let Some(out) = out {
                out.set(task.progress.counts().into());
            }
            Ok(json!({ "done": task.wait(Timeout::Try) }))
        })
    }
}

/// Waits until a task is done, at most so many seconds (0 looks, negative waits for ever): `*done` is 1 or 0.
///
/// Owns: `*done` is the caller's.
/// Threads: any.
/// NULL: nothing may be.
/// Errors: handle; ELECTRUS_E_INVALID_ARGUMENT (`done` is NULL, `seconds` no number).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_task_wait(task: *const electrus_task, seconds: f64, done: *mut i32) -> i32 {
    status(|| {
        // SAFETY: the header says so.
        let out = unsafe { Out::new(done, 0, "done") }?;
        let task = handle::get(task)?;
        out.set(i32::from(task.wait(Timeout::from_seconds(seconds)?)));
        Ok(())
    })
}

/// Asks a task to stop; it answers ELECTRUS_E_CANCELLED at its next safe point.
///
/// Owns: nothing changes hands.
/// Threads: any.
/// NULL: nothing may be.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_task_cancel(task: *const electrus_task) -> i32 {
    status(|| {
        handle::get(task)?.progress.cancel();
        Ok(())
    })
}

/// Waits for the end of an operation, gives what electrus_handler_call() would have given, and closes the task.
///
/// Owns: the handle is gone, also after an error. The caller owns `*outputs`, one block, and `*result`.
/// Threads: any.
/// NULL: `outputs` or `outputs_count` (what is read is dropped then); `result`.
/// Errors: handle, and those of the operation; ELECTRUS_E_INVALID_ARGUMENT (the task takes a lock: it is given back).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_task_finish(
    task: *mut electrus_task,
    outputs: *mut *mut electrus_bytes,
    outputs_count: *mut usize,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let outs = Outputs::new(outputs, outputs_count);
            match finished(task)?.fetch()? {
                Gift::Answer(answer) => outs.set(answer),
                Gift::Lock(..) => {
                    Err(Error::message(Code::InvalidArgument, "this task gives a lock, which is released"))
                }
            }
        })
    }
}

/// Waits for the end of a task that takes a lock, gives what electrus_lock_acquire() would have given, and closes the task.
///
/// Owns: the task's handle is gone, also after an error. The caller owns `*lock` and gives it back with
/// electrus_lock_release(); it owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle, and those of electrus_lock_acquire(); ELECTRUS_E_INVALID_ARGUMENT (the task gives no lock).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_task_lock(
    task: *mut electrus_task,
    lock: *mut *mut electrus_lock,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(lock, ptr::null_mut(), "lock");
            let (task, out) = (finished(task)?, out?);
            match task.fetch()? {
                Gift::Lock(lock, result) => {
                    out.set(handle::open::<electrus_lock>(*lock)?);
                    Ok(result)
                }
                Gift::Answer(_) => Err(Error::message(Code::InvalidArgument, "this task gives no lock")),
            }
        })
    }
}

/// Cancels a task and closes it without waiting: what it gives in the end is dropped, a lock released.
///
/// Owns: the handle is gone; the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_task_close(task: *mut electrus_task, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            handle::close(task)?.progress.cancel();
            Ok(Value::Null)
        })
    }
}
