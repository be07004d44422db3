//! One error type, and the one table of codes that every face shares.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What every function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Which kind of trouble an error belongs to; the command line's exit status.
///
/// ```
/// use electrus::error::{Code, Family};
///
/// assert_eq!(Code::LockTimeout.family(), Family::Locked);
/// assert_eq!(Family::Missing as u8, 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Family {
    /// The answer is no: a checksum differs, something is damaged.
    No = 1,
    /// The call itself is wrong.
    Usage = 2,
    /// What was asked for is not there.
    Missing = 3,
    /// What is there stands in the way.
    Conflict = 4,
    /// The name is refused.
    Name = 5,
    /// Somebody else holds it.
    Locked = 6,
    /// The operating system forbids it.
    Permission = 7,
    /// Space, memory, descriptors or a limit ran out.
    Resource = 8,
    /// Reading or writing failed.
    Io = 9,
    /// Not possible here.
    Unsupported = 10,
    /// Cancelled by the caller.
    Cancelled = 11,
    /// A defect of this library.
    Internal = 12,
}

impl Family {
    /// Every family, by number.
    pub const ALL: &'static [Family] = &[
        Family::No,
        Family::Usage,
        Family::Missing,
        Family::Conflict,
        Family::Name,
        Family::Locked,
        Family::Permission,
        Family::Resource,
        Family::Io,
        Family::Unsupported,
        Family::Cancelled,
        Family::Internal,
    ];

    /// What it means, in plain words.
    pub const fn text(self) -> &'static str {
        match self {
            Family::No => "the answer is no",
            Family::Usage => "the call itself is wrong",
            Family::Missing => "it is not there",
            Family::Conflict => "what is there stands in the way",
            Family::Name => "the name is refused",
            Family::Locked => "somebody else holds it",
            Family::Permission => "the system forbids it",
            Family::Resource => "something ran out",
            Family::Io => "reading or writing failed",
            Family::Unsupported => "not possible here",
            Family::Cancelled => "cancelled",
            Family::Internal => "a defect of electrus",
        }
    }
}

macro_rules! codes {
    ($( $(#[doc = $doc:literal])* $variant:ident = $number:literal, $name:literal, $family:ident, $retry:literal, $text:literal; )*) => {
        /// What went wrong, as a number and a name that never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum Code { $( #[doc = $text] $(#[doc = $doc])* $variant = $number, )* }

        impl Code {
            /// Every code, by number.
            pub const ALL: &'static [Code] = &[ $( Code::$variant, )* ];

            /// The stable name, in snake_case.
            pub const fn name(self) -> &'static str { match self { $( Code::$variant => $name, )* } }

            /// What it means, in plain words.
            pub const fn text(self) -> &'static str { match self { $( Code::$variant => $text, )* } }

            /// The family, which is the command line's exit status.
            pub const fn family(self) -> Family { match self { $( Code::$variant => Family::$family, )* } }

            /// Whether the same call may succeed later, with nothing changed by the caller.
            pub const fn retryable(self) -> bool { match self { $( Code::$variant => $retry, )* } }
        }
    };
}

// Numbers and names are a contract: never reuse one, keep a retired one here as a comment.
codes! {
    InvalidArgument = 1, "invalid_argument", Usage, false, "an argument is not valid";
    UnknownOption = 2, "unknown_option", Usage, false, "an option or operation of that name does not exist";
    UnknownAlgorithm = 3, "unknown_algorithm", Usage, false, "no checksum algorithm has that name";
    InvalidJson = 4, "invalid_json", Usage, false, "the text is not valid JSON";
    InvalidPattern = 5, "invalid_pattern", Usage, false, "a pattern is not valid";
    PatchFailed = 6, "patch_failed", Conflict, false, "a JSON patch does not apply to this document";
    NotUtf8 = 7, "not_utf8", Usage, false, "the content is not valid UTF-8 text";

    NotFound = 20, "not_found", Missing, false, "the file does not exist";
    VersionNotFound = 21, "version_not_found", Missing, false, "the file has no such version";
    BackupNotFound = 22, "backup_not_found", Missing, false, "there is no backup of that name";
    PointerNotFound = 23, "pointer_not_found", Missing, false, "the JSON Pointer names nothing in this document";
    NoStore = 24, "no_store", Missing, false, "this folder has no store yet";

    AlreadyExists = 40, "already_exists", Conflict, false, "something of that name exists already";
    Changed = 41, "changed", Conflict, false, "the file is not what the caller expected it to be";
    NumberConflict = 42, "number_conflict", Conflict, false, "two versions claim one number: name one by its record";
    WouldOverwrite = 43, "would_overwrite", Conflict, false, "restoring would overwrite a file that has changed since";
    ChangedWhileRead = 44, "changed_while_read", Conflict, true, "the file kept changing while it was read";

    PathEscape = 60, "path_escape", Name, false, "the name leads out of the base folder";
    ReservedName = 61, "reserved_name", Name, false, "the name is reserved for the store";
    InvalidName = 62, "invalid_name", Name, false, "the name is not valid here";
    NotAFile = 63, "not_a_file", Name, false, "this is not a regular file";
    NotADirectory = 64, "not_a_directory", Name, false, "this is not a folder";
    SymlinkLoop = 65, "symlink_loop", Name, false, "too many symbolic links";

    LockTimeout = 80, "lock_timeout", Locked, true, "somebody else holds the lock, and the time-out has passed";
    WouldDeadlock = 81, "would_deadlock", Locked, false, "the same owner holds this lock already";
    StoreBusy = 82, "store_busy", Locked, true, "other writers have the store open";
    NotLocked = 83, "not_locked", Locked, false, "the lock handle does not hold a lock on this file";

    PermissionDenied = 100, "permission_denied", Permission, false, "permission denied";
    ReadOnly = 101, "read_only", Permission, false, "the file system or the handle is read-only";

    NoSpace = 120, "no_space", Resource, true, "no space or quota left";
    TooManyOpenFiles = 121, "too_many_open_files", Resource, true, "too many open files";
    OutOfMemory = 122, "out_of_memory", Resource, true, "not enough memory";
    TooLarge = 123, "too_large", Resource, false, "this exceeds a limit";

    Io = 140, "io", Io, false, "reading or writing failed";
    /// The change stands in the file system; whether it survives a power cut is not known.
    DurabilityUnknown = 141, "durability_unknown", Io, false, "the change was made, but making it durable failed";
    CrossDevice = 142, "cross_device", Io, false, "source and target are on different file systems";

    ChecksumMismatch = 160, "checksum_mismatch", No, false, "the content does not have the expected checksum";
    Damaged = 161, "damaged", No, false, "stored data is damaged";
    FormatUnsupported = 162, "format_unsupported", Unsupported, false, "the store was written by a newer version";

    Unsupported = 180, "unsupported", Unsupported, false, "not supported here";
    Cancelled = 181, "cancelled", Cancelled, false, "cancelled";
    InvalidHandle = 182, "invalid_handle", Usage, false, "the handle is closed or is not of this kind";
    Panic = 183, "panic", Internal, false, "a defect of this library was caught";
    Internal = 184, "internal", Internal, false, "a defect of this library";
}

/// An error: what went wrong, doing what, at which path, and what the operating system said.
///
/// ```
/// use electrus::{checksum::{Algorithm, of_file}, error::Code};
///
/// let error = of_file("no/such/file", Algorithm::Md5).unwrap_err();
/// assert_eq!((error.code(), error.code().name()), (Code::NotFound, "not_found"));
/// assert_eq!(error.path().and_then(|path| path.to_str()), Some("no/such/file"));
/// assert!(!error.retryable());
/// let as_io: std::io::Error = error.into(); // and back, without loss
/// assert_eq!(electrus::error::Error::from(as_io).code(), Code::NotFound);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    code: Code,
    operation: Option<&'static str>,
    path: Option<PathBuf>,
    message: Option<Cow<'static, str>>,
    source: Option<io::Error>,
}

impl Error {
    /// An error that says no more than its code.
    pub fn new(code: Code) -> Error {
        Error(Box::new(Inner { code, operation: None, path: None, message: None, source: None }))
    }

    /// An error with words of its own in place of the code's text.
    pub fn message(code: Code, message: impl Into<Cow<'static, str>>) -> Error {
        let mut error = Error::new(code);
        error.0.message = Some(message.into());
        error
    }

    /// What the operating system said about `path`.
    pub fn io(source: io::Error, path: impl Into<PathBuf>) -> Error {
        Error::from(source).at(path)
    }

    /// Names the path, unless one is named already.
    pub fn at(mut self, path: impl Into<PathBuf>) -> Error {
        if self.0.path.is_none() {
            self.0.path = Some(path.into());
        }
        self
    }

    /// Names the operation, unless one is named already.
    pub fn during(mut self, operation: &'static str) -> Error {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// The same error under another code (the operating system's word is kept).
    pub fn with_code(mut self, code: Code) -> Error {
        self.0.code = code;
        self
    }

    /// What failed once a change was made: not as if nothing had happened, nor as if a retry were harmless. `what` says
    /// what could not be done any more. That the content is wrong is worth more than that.
    pub(crate) fn after_change(mut self, what: &str) -> Error {
        if matches!(self.0.code, Code::ChecksumMismatch | Code::DurabilityUnknown) {
            return self;
        }
        let words = match self.os_error() {
            // The system's words follow by themselves.
            Some(_) => format!("the change was made, but {what}"),
            None => format!("the change was made, but {what}: {}", self.words()),
        };
        self.0.message = Some(words.into());
        self.with_code(Code::DurabilityUnknown)
    }

    /// The same error once more, for each of several that one cause let down.
    pub(crate) fn again(&self) -> Error {
        Error(Box::new(Inner {
            code: self.0.code,
            operation: self.0.operation,
            path: self.0.path.clone(),
            message: self.0.message.clone(),
            source: self.0.source.as_ref().map(|e| match e.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::new(e.kind(), e.to_string()),
            }),
        }))
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The path it is about, if it is about one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The operation that failed, if it was noted.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// What the operating system said (`errno`), if it was asked.
    pub fn os_error(&self) -> Option<i32> {
        self.0.source.as_ref().and_then(io::Error::raw_os_error)
    }

    /// Whether the same call may succeed later, with nothing changed by the caller.
    pub fn retryable(&self) -> bool {
        self.0.code.retryable()
    }

    /// The words alone, without the path.
    pub fn words(&self) -> String {
        let text = self.0.message.as_deref().unwrap_or(self.0.code.text());
        match &self.0.source {
            Some(source) if source.raw_os_error().is_some() => format!("{text} ({source})"),
            Some(source) if self.0.message.is_none() => source.to_string(),
            _ => text.to_owned(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.0.path {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.words())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.0.code)
            .field("operation", &self.0.operation)
            .field("path", &self.0.path)
            .field("message", &self.words())
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|e| e as _)
    }
}

impl From<io::Error> for Error {
    /// Sorts an operating system's error under a code. An `io::Error` that carries one of ours gives it back.
    fn from(source: io::Error) -> Error {
        if source.get_ref().is_some_and(|inner| inner.is::<Error>()) {
            match source.into_inner().map(|inner| inner.downcast::<Error>()) {
                Some(Ok(error)) => return *error,
                _ => return Error::new(Code::Internal),
            }
        }
        let mut error = Error::new(crate::sys::classify(&source));
        error.0.source = Some(source);
        error
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        // Never `Interrupted`: everyone retries that, so that a reader which was cancelled would be read for ever.
        let kind = match error.code() {
            Code::NotFound => io::ErrorKind::NotFound,
            Code::AlreadyExists => io::ErrorKind::AlreadyExists,
            Code::PermissionDenied => io::ErrorKind::PermissionDenied,
            Code::LockTimeout => io::ErrorKind::TimedOut,
            Code::InvalidArgument => io::ErrorKind::InvalidInput,
            Code::Damaged | Code::ChecksumMismatch => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// Adds the path where an I/O error happens.
pub(crate) trait IoContext<T> {
    fn at(self, path: impl AsRef<Path>) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|e| Error::from(e).at(path.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_and_names_are_used_once() {
        let numbers: HashSet<i32> = Code::ALL.iter().map(|c| *c as i32).collect();
        let names: HashSet<&str> = Code::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(numbers.len(), Code::ALL.len());
        assert_eq!(names.len(), Code::ALL.len());
        assert!(names.iter().all(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')));
    }

    #[test]
    fn an_error_survives_the_way_through_io() {
        let error = Error::from(io::Error::from(Error::new(Code::WouldDeadlock).at("x")));
        assert_eq!(error.code(), Code::WouldDeadlock);
        assert_eq!(error.path(), Some(Path::new("x")));
    }

    #[test]
    fn a_reader_that_was_cancelled_is_not_read_again() {
        struct Cancelled;
        impl io::Read for Cancelled {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(Error::new(Code::Cancelled).into())
            }
        }
        let error = io::Read::read_to_end(&mut Cancelled, &mut Vec::new()).unwrap_err();
        assert_eq!(Error::from(error).code(), Code::Cancelled);
    }
}
