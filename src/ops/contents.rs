//! What travels beside a request and a result.

use crate::error::{Code, Error, Result};
use crate::lock::{LockGuard, Owner};
use crate::workspace::Source;
use std::borrow::Cow;
use std::fmt;
use std::io::Read;

/// File contents on their way in and out, named by index, and locks that the caller holds, by numbers of its own.
///
/// ```
/// use electrus::{handler::AdvancedFileHandler, ops::{self, Contents, Input}, progress::Progress, workspace::OpenOptions};
/// use serde_json::json;
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// let mut contents = Contents { input: vec![Input::Bytes(b"hello"[..].into())], ..Contents::default() };
/// ops::dispatch(&handler, "write", json!({ "path": "a", "content": 0 }), &mut contents, &Progress::new())?;
/// let read = ops::dispatch(&handler, "read", json!({ "path": "a" }), &mut contents, &Progress::new())?;
/// assert_eq!(read["content"], 0);
/// assert_eq!(contents.output.remove(0).into_bytes()?, b"hello");
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Contents<'a> {
    /// What requests mean with `"content": <index>`.
    pub input: Vec<Input<'a>>,
    /// What results mean with `"content": <index>`; operations append to it.
    pub output: Vec<Output>,
    /// What requests mean with `"lock": <number>`: run under the lock that has this number here instead of taking one.
    pub locks: Vec<(u64, &'a LockGuard)>,
    /// On whose behalf locks are taken; the calling thread unless given.
    pub owner: Option<Owner>,
}

/// A content that goes in.
///
/// ```
/// use electrus::{handler::AdvancedFileHandler, ops::{self, Contents, Input}, progress::Progress, workspace::OpenOptions};
/// use serde_json::json;
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// let stream = Input::Reader(Box::new(std::io::Read::take(std::io::repeat(0), 100_000)));
/// let mut contents = Contents { input: vec![stream], ..Contents::default() };
/// ops::dispatch(&handler, "write", json!({ "path": "zeros", "content": 0 }), &mut contents, &Progress::new())?;
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub enum Input<'a> {
    /// In memory, borrowed or owned; several operations may name it.
    Bytes(Cow<'a, [u8]>),
    /// A stream; one operation may name it.
    Reader(Box<dyn Read + Send + 'a>),
    /// A stream that a call has taken.
    Taken,
}

/// A content that comes out.
///
/// ```
/// use electrus::{handler::AdvancedFileHandler, ops::{self, Contents, Output}, progress::Progress, workspace::OpenOptions};
/// use serde_json::json;
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// std::fs::write(folder.path().join("a"), "text")?;
/// let mut contents = Contents::default();
/// ops::dispatch(&handler, "read", json!({ "path": "a" }), &mut contents, &Progress::new())?;
/// match contents.output.remove(0) {
///     Output::Bytes(bytes) => assert_eq!(bytes, b"text"),
///     Output::Stream(mut stream) => drop(std::io::copy(&mut stream, &mut std::io::stdout())?),
/// }
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub enum Output {
    /// In memory.
    Bytes(Vec<u8>),
    /// A stream that was too large for that; it fails with `changed_while_read` at its end if the file was changed in place.
    Stream(Box<dyn Read + Send>),
}

impl Output {
    /// All of it, in memory.
    ///
    /// # Errors
    /// What the stream says: `changed_while_read`, `damaged`, `io`.
    pub fn into_bytes(self) -> Result<Vec<u8>> {
        match self {
            Output::Bytes(bytes) => Ok(bytes),
            Output::Stream(mut stream) => {
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        }
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Input::Reader(_) => f.write_str("a stream"),
            Input::Taken => f.write_str("a stream that was taken"),
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Output::Stream(_) => f.write_str("a stream"),
        }
    }
}

impl<'a> Contents<'a> {
    /// The lock of that number.
    pub(super) fn lock(&self, number: u64) -> Result<&'a LockGuard> {
        let missing = || Error::message(Code::InvalidHandle, format!("there is no lock {number} beside the request"));
        self.locks.iter().find(|(known, _)| *known == number).map(|(_, guard)| *guard).ok_or_else(missing)
    }

    /// The content of that index: bytes are borrowed, a stream is taken.
    pub(super) fn take(&mut self, index: usize) -> Result<Input<'_>> {
        match self.input.get_mut(index).ok_or_else(|| no_content(index, "is not beside the request"))? {
            Input::Bytes(bytes) => Ok(Input::Bytes(Cow::Borrowed(bytes))),
            stream => stream.take(index),
        }
    }
}

pub(super) fn no_content(index: usize, why: &str) -> Error {
    Error::message(Code::InvalidArgument, format!("content {index} {why}"))
}

impl<'a> Input<'a> {
    /// The whole of it; a stream can be taken once.
    pub(super) fn take(&mut self, index: usize) -> Result<Input<'a>> {
        match std::mem::replace(self, Input::Taken) {
            Input::Taken => Err(no_content(index, "is a stream that was taken: it serves one operation")),
            content => Ok(content),
        }
    }
}

impl Input<'_> {
    pub(super) fn source(&mut self) -> Result<Source<'_>> {
        match self {
            Input::Bytes(bytes) => Ok(Source::Bytes(bytes)),
            Input::Reader(reader) => Ok(Source::Reader(&mut **reader)),
            Input::Taken => Err(Error::new(Code::Internal)),
        }
    }
}
