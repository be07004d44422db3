//! JSON files beneath a base folder.

use super::document::{MAX_SIZE, parse, to_bytes};
use super::merge::merge;
use super::patch::patched;
use super::pointer::Pointer;
use crate::atomic::{Condition, Durability};
use crate::checksum::{self, Algorithm, Digest};
use crate::error::{Code, Error, IoContext, Result};
use crate::lock::LockType;
use crate::path::{Follow, Location};
use crate::sys::{self, FileKind};
use crate::workspace::{ChangeOptions, Changed, Hold, OpenOptions, Source, Workspace};
use serde_json::{Map, Value};
use std::io::Read;
use std::path::{Path, PathBuf};

/// How often a change starts again because a program that takes no locks changed the file meanwhile.
const ATTEMPTS: u32 = 5;

/// JSON files beneath a base folder. `Send + Sync`, cheap to clone.
///
/// Files are read as by [`parse`](super::parse) and written as by [`to_bytes`](super::to_bytes). Every change reads,
/// changes and replaces the file under its exclusive lock; it is atomic, durable and versioned as the [`ChangeOptions`]
/// say. Even a program that takes no locks cannot have its edit overwritten unseen: the change starts again on what it
/// left, and gives up with [`Code::Changed`] after a few times.
///
/// ```
/// use electrus::json::{JsonFileHandler, parse};
/// use electrus::workspace::{ChangeOptions, OpenOptions};
///
/// # let folder = tempfile::tempdir()?;
/// let files = JsonFileHandler::open(folder.path(), &OpenOptions::default())?;
/// files.set("config.json", "/debug", &parse(b"true")?, ChangeOptions::default())?;
/// files.merge("config.json", &parse(br#"{"limit": 1.10}"#)?, ChangeOptions::default())?;
/// assert_eq!(files.get("config.json", "/limit")?.data, parse(b"1.10")?);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct JsonFileHandler {
    workspace: Workspace,
}

/// What was read.
///
/// ```
/// use electrus::{json::JsonFileHandler, workspace::OpenOptions};
///
/// # let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("list.json"), "[1, 2]")?;
/// let read = JsonFileHandler::open(folder.path(), &OpenOptions::default())?.read("list.json", None)?;
/// assert_eq!((read.data.to_string(), read.size), ("[1,2]".into(), 6));
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct JsonRead {
    /// The full path.
    pub path: PathBuf,
    /// The document, or the part of it that was asked for.
    pub data: Value,
    /// Bytes of the whole file.
    pub size: u64,
    /// Digest of the whole file: sha256 unless another was asked for, or by the algorithm of the checksum that was expected.
    pub checksum: Digest,
}

impl JsonFileHandler {
    /// Opens an existing base folder.
    ///
    /// # Errors
    /// Those of [`Workspace::open`].
    pub fn open(base: impl AsRef<Path>, options: &OpenOptions) -> Result<JsonFileHandler> {
        Ok(JsonFileHandler { workspace: Workspace::open(base, options)? })
    }

    /// On an open workspace.
    pub fn new(workspace: &Workspace) -> JsonFileHandler {
        JsonFileHandler { workspace: workspace.clone() }
    }

    /// Reads a document. Takes no lock: a file that is replaced atomically is always whole.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve); `checksum_mismatch` unless the file has the `expected`
    /// checksum; those of [`parse`](super::parse), with the path; `not_found`, `not_a_file`, `permission_denied`,
    /// `io`.
    pub fn read(&self, name: impl AsRef<Path>, expected: Option<&Digest>) -> Result<JsonRead> {
        self.read_by(name, expected, expected.map_or(Algorithm::Sha256, Digest::algorithm))
    }

    /// The same, with the checksum in the result by this algorithm unless one is expected.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn read_by(&self, name: impl AsRef<Path>, expected: Option<&Digest>, algorithm: Algorithm) -> Result<JsonRead> {
        let location = self.workspace.base().resolve(name, Follow::Whole)?;
        let text = read_file(&location)?;
        let checksum = checksum::of_bytes(expected.map_or(algorithm, Digest::algorithm), &text);
        if expected.is_some_and(|expected| *expected != checksum) {
            return Err(Error::new(Code::ChecksumMismatch).at(location.path()));
        }
        let data = parse(&text).map_err(|e| e.at(location.path()))?;
        Ok(JsonRead { path: location.path().to_owned(), data, size: text.len() as u64, checksum })
    }

    /// Reads the value that a JSON Pointer names.
    ///
    /// # Errors
    /// Those of [`read`](Self::read); `pointer_not_found`; `invalid_argument` for what is no pointer.
    pub fn get(&self, name: impl AsRef<Path>, pointer: &str) -> Result<JsonRead> {
        let pointer = Pointer::parse(pointer)?;
        let read = self.read(name, None)?;
        let data = pointer.get(&read.data).map_err(|e| e.at(&read.path))?.clone();
        Ok(JsonRead { data, ..read })
    }

    /// Writes a document, whatever stood there; missing folders are created.
    ///
    /// # Errors
    /// Those of [`to_bytes`], of [`Base::resolve_creating`](crate::path::Base::resolve_creating) and of
    /// [`Workspace::write`].
    pub fn write(&self, name: impl AsRef<Path>, data: &Value, options: ChangeOptions<'_>) -> Result<Changed> {
        let text = to_bytes(data)?;
        let location = self.workspace.base().resolve_creating(name, options.durability == Durability::Full)?;
        self.workspace.write(location, Source::Bytes(&text), options)
    }

    /// Puts a value where a JSON Pointer says, as [`Pointer::set`]. A missing file is taken for `{}`.
    ///
    /// # Errors
    /// Those of [`update`](Self::update); `pointer_not_found`; `invalid_argument` for what is no pointer.
    pub fn set(
        &self,
        name: impl AsRef<Path>,
        pointer: &str,
        value: &Value,
        options: ChangeOptions<'_>,
    ) -> Result<Changed> {
        let pointer = Pointer::parse(pointer)?;
        self.update(name, options, |document| {
            let mut document = document.unwrap_or_else(empty);
            pointer.set(&mut document, value.clone())?;
            Ok(document)
        })
    }

    /// Applies a JSON Merge Patch (RFC 7396). A missing file is taken for `{}`.
    ///
    /// # Errors
    /// Those of [`update`](Self::update); `too_large` if the result would be nested too deeply.
    pub fn merge(&self, name: impl AsRef<Path>, patch: &Value, options: ChangeOptions<'_>) -> Result<Changed> {
        self.update(name, options, |document| {
            let mut document = document.unwrap_or_else(empty);
            merge(&mut document, patch)?;
            Ok(document)
        })
    }

    /// Applies a JSON Patch (RFC 6902), whole or not at all.
    ///
    /// # Errors
    /// Those of [`update`](Self::update); `not_found` for a file that is not there; `patch_failed`;
    /// `invalid_argument` for what is no patch.
    pub fn patch(&self, name: impl AsRef<Path>, patch: &Value, options: ChangeOptions<'_>) -> Result<Changed> {
        self.update(name, options, |document| match document {
            Some(document) => patched(document, patch),
            None => Err(Error::new(Code::NotFound)),
        })
    }

    /// Replaces a document by what `change` makes of it (`None`: there is no such file yet), all under the file's
    /// exclusive lock. `change` may be called again: if the file was changed meanwhile by a program that takes no locks,
    /// or if there is no such file. If it fails, or the file is not valid JSON, the file stays as it is.
    ///
    /// The condition in `options` is about the file that `change` is shown.
    ///
    /// # Errors
    /// What `change` says; those of [`read`](Self::read) and of [`Workspace::write`]; `changed` if a program that
    /// takes no locks changes the file again and again.
    ///
    /// ```
    /// use electrus::json::JsonFileHandler;
    /// use electrus::workspace::{ChangeOptions, OpenOptions};
    /// use serde_json::json;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let files = JsonFileHandler::open(folder.path(), &OpenOptions::default())?;
    /// for _ in 0..2 {
    ///     files.update("counter.json", ChangeOptions::default(), |old| {
    ///         let count = old.and_then(|old| old["count"].as_u64()).unwrap_or(0);
    ///         Ok(json!({ "count": count + 1 }))
    ///     })?;
    /// }
    /// assert_eq!(files.read("counter.json", None)?.data["count"], 2);
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn update(
        &self,
        name: impl AsRef<Path>,
        options: ChangeOptions<'_>,
        mut change: impl FnMut(Option<Value>) -> Result<Value>,
    ) -> Result<Changed> {
        let name = name.as_ref();
        self.try_on_nothing(name, &options.condition, &mut change)?;
        let location = self.workspace.base().resolve_creating(name, options.durability == Durability::Full)?;
        let taken;
        let guard = match &options.hold {
            Hold::Use(guard) if guard.covers(&location) => *guard,
            Hold::Use(_) => return Err(Error::new(Code::NotLocked).at(location.path())),
            Hold::Take(lock) => {
                taken = self.workspace.acquire(&location, LockType::Exclusive, lock)?;
                &taken
            }
        };
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            let options = ChangeOptions { hold: Hold::Use(guard), ..options.clone() };
            match self.attempt(&location, options, &mut change) {
                Err(Raced(_)) if left > 0 => {}
                Err(Raced(e)) | Err(Final(e)) => return Err(e.at(location.path())),
                Ok(changed) => return Ok(changed),
            }
        }
    }

    /// A change that fails where there is no file leaves neither folders nor a lock file behind.
    fn try_on_nothing(
        &self,
        name: &Path,
        condition: &Condition,
        change: &mut impl FnMut(Option<Value>) -> Result<Value>,
    ) -> Result<()> {
        let found = self.workspace.base().resolve(name, Follow::Whole);
        match found.and_then(|found| found.dir().stat(found.name()).map_err(Error::from)) {
            Err(e) if e.code() == Code::NotFound => {}
            there => return there.map(drop).map_err(|e| e.at(name)),
        }
        let tried = check_condition(condition, None).and_then(|()| to_bytes(&change(None)?));
        tried.map(drop).map_err(|e| e.at(self.workspace.base().path().join(name)))
    }

    fn attempt(
        &self,
        location: &Location,
        mut options: ChangeOptions<'_>,
        change: &mut impl FnMut(Option<Value>) -> Result<Value>,
    ) -> Result<Changed, Failure> {
        let before = read_if_there(location)?;
        check_condition(&options.condition, before.as_deref())?;
        // What was read must still stand there when it is replaced.
        options.condition = match &before {
            None => Condition::Absent,
            Some(text) => Condition::Checksum(checksum::of_bytes(Algorithm::Blake3, text)),
        };
        let document = before.as_deref().map(parse).transpose()?;
        let text = to_bytes(&change(document)?)?;
        self.workspace.write(location.clone(), Source::Bytes(&text), options).map_err(|e| match e.code() {
            Code::Changed | Code::AlreadyExists => Raced(e),
            _ => Final(e),
        })
    }
}

/// Why an attempt at a change failed.
enum Failure {
    /// The file was changed between reading and replacing.
    Raced(Error),
    /// Trying again would not help.
    Final(Error),
}
use Failure::{Final, Raced};

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Final(error)
    }
}

fn empty() -> Value {
    Value::Object(Map::new())
}

fn check_condition(condition: &Condition, before: Option<&[u8]>) -> Result<()> {
    match (condition, before) {
        (Condition::Always, _) | (Condition::Absent, None) => Ok(()),
        (Condition::Absent, Some(_)) => Err(Error::new(Code::AlreadyExists)),
        (Condition::Checksum(_), None) => Err(Error::new(Code::Changed)),
        (Condition::Checksum(expected), Some(text)) => {
            match checksum::of_bytes(expected.algorithm(), text) == *expected {
                true => Ok(()),
                false => Err(Error::new(Code::Changed)),
            }
        }
    }
}

fn read_if_there(location: &Location) -> Result<Option<Vec<u8>>> {
    match read_file(location) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.code() == Code::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn read_file(location: &Location) -> Result<Vec<u8>> {
    let path = location.path();
    let file = location.dir().open_read(location.name()).at(path)?;
    let stat = sys::stat_file(&file).at(path)?;
    if stat.kind != FileKind::File {
        return Err(Error::new(Code::NotAFile).at(path));
    }
    if stat.size > MAX_SIZE {
        return Err(Error::message(Code::TooLarge, format!("a JSON document has at most {MAX_SIZE} bytes")).at(path));
    }
    let mut text = Vec::new();
    let room = stat.size as usize + 1;
    text.try_reserve_exact(room).map_err(|_| Error::new(Code::OutOfMemory).at(path))?;
    // Should it grow meanwhile, the parser refuses what is too long.
    file.take(MAX_SIZE + 1).read_to_end(&mut text).at(path)?;
    Ok(text)
}
