//! What comes in through a pointer: checked before it is used.

use super::buffer::electrus_bytes;
use super::table::Function;
use crate::error::{Code, Error, Result};
use crate::json;
use crate::path::Key;
use crate::wire::{self, Object, Request};
use serde_json::Value;
use std::ffi::{CStr, c_char, c_void};
use std::path::PathBuf;
use std::slice;

/// The largest text that is taken for options, a name or a checksum; documents have their own limit.
const TEXT_MAX: usize = 64 << 20;

fn null(what: &str) -> Error {
    Error::message(Code::InvalidArgument, format!("`{what}` is NULL"))
}

/// The bytes of a text that ends with a zero.
///
/// # Safety
/// `text` is NULL or such a text, which lives as long as the answer.
unsafe fn zero_ended<'a>(text: *const c_char, what: &str) -> Result<&'a [u8]> {
    if text.is_null() {
        return Err(null(what));
    }
    // SAFETY: the caller vouches for it.
    Ok(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// A text.
///
/// # Safety
/// As [`zero_ended`].
pub(super) unsafe fn text<'a>(text: *const c_char, what: &str) -> Result<&'a str> {
    // SAFETY: as above.
    let bytes = unsafe { zero_ended(text, what) }?;
    if bytes.len() > TEXT_MAX {
        return Err(Error::message(Code::TooLarge, format!("`{what}` is longer than {TEXT_MAX} bytes")));
    }
    std::str::from_utf8(bytes).map_err(|_| Error::message(Code::NotUtf8, format!("`{what}` is not UTF-8")))
}

/// A name or path: bytes where names are bytes, UTF-8 elsewhere.
///
/// # Safety
/// As [`zero_ended`].
pub(super) unsafe fn path(path: *const c_char, what: &str) -> Result<PathBuf> {
    // SAFETY: as above.
    let bytes = unsafe { zero_ended(path, what) }?;
    if !cfg!(unix) && std::str::from_utf8(bytes).is_err() {
        return Err(Error::message(Code::InvalidName, format!("`{what}` is not UTF-8, as names are here")));
    }
    Ok(Key::from_bytes(bytes.to_vec()).to_path())
}

/// A JSON document, strictly.
///
/// # Safety
/// As [`zero_ended`].
pub(super) unsafe fn document(text: *const c_char, what: &str) -> Result<Value> {
    // SAFETY: as above.
    let bytes = unsafe { zero_ended(text, what) }?;
    json::parse(bytes).map_err(|e| Error::message(e.code(), format!("`{what}`: {}", e.words())))
}

/// Options: a JSON object, or NULL for none.
///
/// # Safety
/// As [`zero_ended`].
pub(super) unsafe fn options(text: *const c_char) -> Result<Object> {
    if text.is_null() {
        return Ok(Object::new());
    }
    // SAFETY: as above.
    match unsafe { document(text, "options") }? {
        Value::Object(object) => Ok(object),
        Value::Null => Ok(Object::new()),
        _ => Err(Error::message(Code::InvalidArgument, "`options` must be a JSON object")),
    }
}

/// Bytes; none if the length is 0, whatever the pointer.
///
/// # Safety
/// `data` points to `len` bytes that live and do not change as long as the answer.
pub(super) unsafe fn bytes<'a>(data: *const c_void, len: usize, what: &str) -> Result<&'a [u8]> {
    match len {
        0 => Ok(&[]),
        _ if data.is_null() => Err(null(what)),
        _ if isize::try_from(len).is_err() => Err(impossible(what)),
        // SAFETY: the caller vouches for it.
        _ => Ok(unsafe { slice::from_raw_parts(data.cast(), len) }),
    }
}

/// Bytes of the caller's, for what goes on after the call.
pub(super) fn copy(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| Error::new(Code::OutOfMemory))?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Room for bytes.
///
/// # Safety
/// `data` points to `len` bytes that nobody else uses as long as the answer lives.
pub(super) unsafe fn room<'a>(data: *mut c_void, len: usize, what: &str) -> Result<&'a mut [u8]> {
    match len {
        0 => Ok(&mut []),
        _ if data.is_null() => Err(null(what)),
        _ if isize::try_from(len).is_err() => Err(impossible(what)),
        // SAFETY: the caller vouches for it.
        _ => Ok(unsafe { slice::from_raw_parts_mut(data.cast(), len) }),
    }
}

/// Several contents.
///
/// # Safety
/// `contents` points to `count` of them, each pointing to its bytes; all live and do not change as long as the answer.
pub(super) unsafe fn contents<'a>(contents: *const electrus_bytes, count: usize) -> Result<Vec<&'a [u8]>> {
    if count > 0 && contents.is_null() {
        return Err(null("contents"));
    }
    if count.checked_mul(size_of::<electrus_bytes>()).is_none_or(|size| isize::try_from(size).is_err()) {
        return Err(impossible("contents"));
    }
    // SAFETY: the caller vouches for it.
    let list = if count == 0 { &[] } else { unsafe { slice::from_raw_parts(contents, count) } };
    // SAFETY: the same.
    list.iter().map(|content| unsafe { bytes(content.data, content.len, "contents") }).collect()
}

fn impossible(what: &str) -> Error {
    Error::message(Code::InvalidArgument, format!("the length of `{what}` is more than there can be"))
}

/// A place for what comes out, cleared first so that it is never left as it was.
pub(super) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// # Safety
    /// `place` is NULL or may be written to as long as this lives.
    pub unsafe fn new(place: *mut T, empty: T, what: &str) -> Result<Out<T>> {
        if place.is_null() {
            return Err(null(what));
        }
        // SAFETY: the caller vouches for it.
        unsafe { place.write(empty) };
        Ok(Out(place))
    }

    pub fn set(self, value: T) {
        // SAFETY: `new` was promised that it may be written to.
        unsafe { self.0.write(value) };
    }
}

/// Options with those of their keys that are arguments of the function put in.
pub(super) struct Given {
    pub function: &'static Function,
    pub object: Object,
}

impl Given {
    /// # Safety
    /// As [`options`].
    pub unsafe fn new(function: &'static Function, text: *const c_char) -> Result<Given> {
        // SAFETY: as promised.
        let object = unsafe { options(text) }?;
        Ok(Given { function, object })
    }

    /// # Safety
    /// As [`zero_ended`].
    pub unsafe fn path(self, key: &str, path: *const c_char) -> Result<Given> {
        // SAFETY: as promised.
        let path = unsafe { self::path(path, key) }?;
        match path.to_str() {
            Some(text) => self.value(key, text.into()),
            None => {
                let bytes = wire::to_base64(path.as_os_str().as_encoded_bytes());
                self.put(key, format!("{key}_b64"), bytes.into())
            }
        }
    }

    /// # Safety
    /// As [`zero_ended`].
    pub unsafe fn text(self, key: &str, text: *const c_char) -> Result<Given> {
        // SAFETY: as promised.
        let text = unsafe { self::text(text, key) }?;
        self.value(key, text.into())
    }

    /// # Safety
    /// As [`zero_ended`].
    pub unsafe fn document(self, key: &str, text: *const c_char) -> Result<Given> {
        // SAFETY: as promised.
        let value = unsafe { document(text, key) }?;
        self.value(key, value)
    }

    /// The same, left out if it is NULL.
    ///
    /// # Safety
    /// As [`zero_ended`].
    pub unsafe fn path_or_null(self, key: &str, path: *const c_char) -> Result<Given> {
        // SAFETY: as promised.
        if path.is_null() { Ok(self) } else { unsafe { self.path(key, path) } }
    }

    /// The same, left out if it is NULL.
    ///
    /// # Safety
    /// As [`zero_ended`].
    pub unsafe fn text_or_null(self, key: &str, text: *const c_char) -> Result<Given> {
        // SAFETY: as promised.
        if text.is_null() { Ok(self) } else { unsafe { self.text(key, text) } }
    }

    /// The same, left out if it is NULL.
    ///
    /// # Safety
    /// As [`zero_ended`].
    pub unsafe fn document_or_null(self, key: &str, text: *const c_char) -> Result<Given> {
        // SAFETY: as promised.
        if text.is_null() { Ok(self) } else { unsafe { self.document(key, text) } }
    }

    /// A version by its number, or, with 0 for that, by the option `record`.
    pub fn which(mut self, key: &str, number: u64) -> Result<Given> {
        match (number, self.object.shift_remove("record").filter(|record| !record.is_null())) {
            (0, Some(Value::String(record))) => self.value(key, record.into()),
            (0, Some(_)) => Err(Error::message(Code::InvalidArgument, "`record` must be a string")),
            (_, Some(_)) => Err(Error::message(Code::InvalidArgument, format!("with `record`, `{key}` must be 0"))),
            (number, None) => self.value(key, number.into()),
        }
    }

    /// The operation that the function runs.
    pub fn operation(&self) -> Result<&'static str> {
        self.function.operation.ok_or_else(|| Error::new(Code::Internal))
    }

    /// For a function that runs it later: an error for options that it does not take.
    pub fn known(&self) -> Result<()> {
        let options: Vec<_> = self.function.options().collect();
        let given = self.object.keys().filter(|key| !self.is_argument(key));
        match given.into_iter().find(|key| !options.iter().any(|field| field.key == key.as_str())) {
            Some(key) => {
                Err(Error::message(Code::UnknownOption, format!("unknown option: `{}`", wire::shortened(key))))
            }
            None => Ok(()),
        }
    }

    fn is_argument(&self, key: &str) -> bool {
        self.function.arguments.iter().any(|known| *known == key || key.strip_suffix("_b64") == Some(known))
    }

    /// For a function that runs none: its request, checked.
    pub fn check(self) -> Result<Request> {
        Request::check(&self.function.fields(), Value::Object(self.object))
    }

    /// An argument by its key, which the options must not have as well.
    pub fn value(self, key: &str, value: Value) -> Result<Given> {
        self.put(key, key.to_owned(), value)
    }

    fn put(mut self, key: &str, place: String, value: Value) -> Result<Given> {
        debug_assert!(self.function.arguments.contains(&key));
        if self.object.contains_key(key) || self.object.contains_key(&format!("{key}_b64")) {
            let words = format!("`{key}` is an argument of the function, and not one of its options");
            return Err(Error::message(Code::UnknownOption, words));
        }
        self.object.insert(place, value);
        Ok(self)
    }
}
