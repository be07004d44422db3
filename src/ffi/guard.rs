//! The boundary: whatever happens inside becomes a status and one JSON document.

use super::buffer;
use crate::error::{Code, Error, Result};
use crate::wire;
use serde_json::Value;
use std::any::Any;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs an export: its status, and in `result`, unless that is NULL, its result or its error.
///
/// # Safety
/// `result` is NULL or may be written to.
pub(super) unsafe fn guard(result: *mut *mut c_char, work: impl FnOnce() -> Result<Value>) -> i32 {
    if !result.is_null() {
        // SAFETY: the caller of the export vouches for it.
        unsafe { result.write(std::ptr::null_mut()) };
    }
    let told = caught(|| match work()? {
        Value::Null => Ok(String::new()),
        value => Ok(if result.is_null() { String::new() } else { value.to_string() }),
    });
    let (status, text) = match told {
        Ok(text) => (0, text),
        Err(error) => (error.code() as i32, caught(|| Ok(envelope(&error, result))).unwrap_or_default()),
    };
    if !result.is_null() && !text.is_empty() {
        // SAFETY: as above.
        unsafe { result.write(buffer::give_text(text).unwrap_or(std::ptr::null_mut())) };
    }
    status
}

/// The same for exports that tell nothing but a status.
pub(super) fn status(work: impl FnOnce() -> Result<()>) -> i32 {
    caught(work).map_or_else(|error| error.code() as i32, |()| 0)
}

/// The same for exports that give something else: `otherwise` after a panic.
pub(super) fn value<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    caught(|| Ok(work())).unwrap_or(otherwise)
}

fn envelope(error: &Error, result: *mut *mut c_char) -> String {
    if result.is_null() { String::new() } else { wire::error_envelope(error).to_string() }
}

/// A panic is an error, and so is one while its payload is dropped.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(panicked(payload)))
}

fn panicked(payload: Box<dyn Any + Send>) -> Error {
    let said = catch_unwind(AssertUnwindSafe(|| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned())
    }));
    let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    match said {
        Ok(Some(said)) => Error::message(Code::Panic, format!("{}: {said}", Code::Panic.text())),
        _ => Error::new(Code::Panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;
    use std::ptr;

    fn told(work: impl FnOnce() -> Result<Value>) -> (i32, Value) {
        let mut result = ptr::null_mut();
        // SAFETY: it is a place of our own, and what is put there is a text that ends with a zero.
        unsafe {
            let status = guard(&mut result, work);
            let text = CStr::from_ptr(result).to_str().unwrap().to_owned();
            buffer::free(result.cast());
            (status, serde_json::from_str(&text).unwrap())
        }
    }

    #[test]
    fn a_panic_is_a_status_with_its_words() {
        for number in [1, 2] {
            let (status, told) = told(|| panic!("number {number}"));
            assert_eq!(status, Code::Panic as i32);
            assert!(told["error"]["message"].as_str().unwrap().ends_with(&format!("number {number}")), "{told}");
        }
    }

    /// A payload may panic again while it is dropped: that must not leave the boundary either.
    #[test]
    fn a_payload_that_panics_when_it_is_dropped_is_still_a_status() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                if !std::thread::panicking() {
                    panic!("again");
                }
            }
        }
        let (status, _) = told(|| std::panic::panic_any(Bomb));
        assert_eq!(status, Code::Panic as i32);
    }
}
