//! `FileVersionManager`: the history of each file under a base folder.

mod diff;
mod retention;

pub use retention::Retention;

use crate::error::{Code, Error, Result};
use crate::lock::{LockOptions, LockType};
use crate::path::{Follow, Key, bytes_of, check_reserved};
use crate::progress::Progress;
use crate::store::{ContentReader, FileState, New, PrunePlan, PruneReport, RecordId, Version, VersionKind};
use crate::store::{VerifyReport, Which};
use crate::time::Timestamp;
use crate::workspace::{ChangeOptions, Changed, Source, Workspace};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Bytes of a tag, at most.
const LONGEST_TAG: usize = 255;

/// The history of each file under a base folder. `Send + Sync`, cheap to clone.
///
/// ```
/// use electrus::version::FileVersionManager;
/// use electrus::workspace::{ChangeOptions, OpenOptions, Workspace};
///
/// # let my_project = tempfile::tempdir()?;
/// # std::fs::write(my_project.path().join("important_doc.txt"), "text")?;
/// let workspace = Workspace::open(&my_project, &OpenOptions::default())?;
/// let history = FileVersionManager::new(&workspace);
/// let made = history.create_version("important_doc.txt", ChangeOptions::default())?;
/// println!("version {:?}", made.version);
/// for version in history.list_versions("important_doc.txt")? {
///     println!("{} {} {}", version.number, version.kind.name(), version.created.to_rfc3339());
/// }
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileVersionManager {
    workspace: Workspace,
}

impl FileVersionManager {
    /// On an open workspace.
    pub fn new(workspace: &Workspace) -> FileVersionManager {
        FileVersionManager { workspace: workspace.clone() }
    }

    /// Records the file as it stands.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve) and of [`Workspace::snapshot`].
    pub fn create_version(&self, name: impl AsRef<Path>, options: ChangeOptions<'_>) -> Result<Changed> {
        let location = self.workspace.base().resolve(name, Follow::Whole)?;
        self.workspace.snapshot(location, options)
    }

    /// Every file that has a history, in the order of its bytes.
    ///
    /// # Errors
    /// `damaged`, `format_unsupported`, `permission_denied`, `io`: the store.
    pub fn files(&self) -> Result<Vec<Key>> {
        self.workspace.store().keys()
    }

    /// All versions of a file, by number. A file without history has none.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve); `not_found` for a name that never was;
    /// `format_unsupported`, `permission_denied`, `io`: the store. What is damaged is missing from the list; `verify`
    /// tells.
    pub fn list_versions(&self, name: impl AsRef<Path>) -> Result<Vec<Version>> {
        let key = self.key(&name)?;
        let mut versions = self.workspace.store().versions(&key)?;
        if versions.is_empty() {
            self.must_exist(name.as_ref())?;
        }
        versions.iter_mut().for_each(|version| version.landed = self.workspace.landed(version));
        Ok(versions)
    }

    /// One version of a file.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve); `version_not_found`, `number_conflict` if two records
    /// claim the number, `damaged`, `io`.
    pub fn version(&self, name: impl AsRef<Path>, which: &Which) -> Result<Version> {
        let key = self.key(&name)?;
        let version = self.workspace.store().version(&key, which).map_err(|e| e.at(name.as_ref()))?;
        Ok(Version { landed: self.workspace.landed(&version), ..version })
    }

    /// What a person writes for a version: a number, a record's id, `newest`, or a tag.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve); `version_not_found` if no version has such a tag;
    /// `io`.
    pub fn which(&self, name: impl AsRef<Path>, text: &str) -> Result<Which> {
        if text == "newest" {
            return Ok(Which::Newest);
        }
        if let Ok(number) = text.parse() {
            return Ok(Which::Number(number));
        }
        if let Some(record) = RecordId::parse(text) {
            return Ok(Which::Record(record));
        }
        let versions = self.workspace.store().versions(&self.key(&name)?)?;
        let tagged = versions.iter().find(|v| v.tags.iter().any(|tag| tag == text));
        match tagged {
            Some(version) => Ok(Which::Record(version.record)),
            None => {
                Err(Error::message(Code::VersionNotFound, format!("no version is tagged {text:?}")).at(name.as_ref()))
            }
        }
    }

    /// The bytes of a version, verified.
    ///
    /// # Errors
    /// Those of [`open_version`](Self::open_version); `damaged` if a byte is not what was stored; `too_large` and
    /// `out_of_memory` for what memory cannot hold.
    pub fn read_version(&self, name: impl AsRef<Path>, which: &Which) -> Result<Vec<u8>> {
        let (_, mut reader) = self.open_version(&name, which)?;
        let mut bytes = Vec::new();
        let size = usize::try_from(reader.size()).map_err(|_| Error::new(Code::TooLarge).at(name.as_ref()))?;
        bytes.try_reserve_exact(size).map_err(|_| Error::new(Code::OutOfMemory).at(name.as_ref()))?;
        reader.read_to_end(&mut bytes).map_err(|e| Error::io(e, name.as_ref()))?;
        Ok(bytes)
    }

    /// A version and a reader of its content, which verifies what it gives out.
    ///
    /// # Errors
    /// Those of [`version`](Self::version); `version_not_found` for one that says that the file is gone.
    pub fn open_version(&self, name: impl AsRef<Path>, which: &Which) -> Result<(Version, ContentReader)> {
        let version = self.version(&name, which)?;
        let state = with_content(&version).map_err(|e| e.at(name.as_ref()))?;
        let reader = self.workspace.store().reader(&state.content).map_err(|e| e.at(name.as_ref()))?;
        Ok((version, reader))
    }

    /// Puts a version back, at its own name or at another: verified before it replaces, atomic, and recorded as a new
    /// version (kind `restore`). What it replaces is in history first. Permission bits come back with it; owners do not.
    ///
    /// # Errors
    /// Those of [`open_version`](Self::open_version), of
    /// [`Base::resolve_creating`](crate::path::Base::resolve_creating) and of [`Workspace::write`]; `damaged`: the
    /// file stays as it is.
    ///
    /// ```
    /// use electrus::handler::AdvancedFileHandler;
    /// use electrus::store::Which;
    /// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
    /// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
    /// handler.secure_write("a", Source::Bytes(b"worse"), ChangeOptions::default())?;
    /// let restored = handler.versions().restore_version("a", &Which::Number(1), None, ChangeOptions::default())?;
    /// assert_eq!(restored.version, Some(3));
    /// assert_eq!(std::fs::read(folder.path().join("a"))?, b"text");
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn restore_version(
        &self,
        name: impl AsRef<Path>,
        which: &Which,
        to: Option<&Path>,
        mut options: ChangeOptions<'_>,
    ) -> Result<Changed> {
        let version = self.version(&name, which)?;
        let state = with_content(&version).map_err(|e| e.at(name.as_ref()))?;
        let durable = options.durability == crate::atomic::Durability::Full;
        let location = self.workspace.base().resolve_creating(to.unwrap_or(name.as_ref()), durable)?;
        options.kind = VersionKind::Restore;
        options.of = Some(version.number);
        options.other = (*location.key() != version.key).then(|| version.key.clone());
        options.mode = options.mode.or(match state.mode & 0o777 {
            0 => None, // written where there are no permission bits
            mode => Some(mode),
        });
        self.workspace.write(location, Source::Stored(state), options)
    }

    /// What changed from one version to another (or to the file as it is): a unified diff of text, or a sentence about
    /// contents that are not text or too large to compare by lines. Empty if nothing did.
    ///
    /// # Errors
    /// Those of [`open_version`](Self::open_version); `not_found` if there is no file to compare with; `damaged`,
    /// `out_of_memory`.
    ///
    /// ```
    /// use electrus::handler::AdvancedFileHandler;
    /// use electrus::store::Which;
    /// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
    /// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
    /// handler.secure_write("a", Source::Bytes(b"other text"), ChangeOptions::default())?;
    /// let diff = handler.versions().diff("a", &Which::Number(1), None)?;
    /// assert!(diff.contains("-text") && diff.contains("+other text"));
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn diff(&self, name: impl AsRef<Path>, from: &Which, to: Option<&Which>) -> Result<String> {
        diff::diff(self, name.as_ref(), from, to)
    }

    /// Tags a version, or takes the tag away. A tag names one version of a file: to move it, take it away first.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve); `invalid_argument` for an empty tag, one of more than
    /// 255 bytes or with control characters; `version_not_found` if there is no such version, or it has not the tag
    /// that is to go; `already_exists` if another version has it; `lock_timeout`, `would_deadlock`, `read_only`,
    /// `no_space`, `io`.
    ///
    /// ```
    /// use electrus::handler::AdvancedFileHandler;
    /// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
    /// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
    /// let history = handler.versions();
    /// history.tag("a", 1, "release", true)?;
    /// let tagged = history.which("a", "release")?;
    /// assert_eq!(history.read_version("a", &tagged)?, b"text");
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn tag(&self, name: impl AsRef<Path>, number: u64, tag: &str, set: bool) -> Result<()> {
        check_tag(tag)?;
        let key = self.key(&name)?;
        let guard = match self.workspace.base().resolve(&name, Follow::Whole) {
            Ok(file) => Some(self.workspace.acquire(&file, LockType::Exclusive, &LockOptions::default())?),
            Err(_) => None, // its folder is gone, and nobody else writes there either
        };
        self.version(&name, &Which::Number(number))?; // a store is not made only to say that it has no such version
        // Prune keeps away from a session alone: what is looked up before one may be gone by the time the tag is written.
        let session = self.workspace.store().begin()?;
        let version = self.version(&name, &Which::Number(number))?;
        match (set, version.tags.iter().any(|t| t == tag)) {
            (true, true) => return Ok(()),
            (true, false) => self.tag_is_free(&key, tag).map_err(|e| e.at(name.as_ref()))?,
            (false, true) => {}
            (false, false) => {
                let words = format!("version {number} has no tag {tag:?}");
                return Err(Error::message(Code::VersionNotFound, words).at(name.as_ref()));
            }
        }
        session.commit(vec![New::Tag { key, number, tag: tag.to_owned(), set }])?;
        guard.map_or(Ok(()), |guard| guard.release())
    }

    fn tag_is_free(&self, key: &Key, tag: &str) -> Result<()> {
        match self.workspace.store().versions(key)?.iter().find(|v| v.tags.iter().any(|t| t == tag)) {
            Some(other) => {
                Err(Error::message(Code::AlreadyExists, format!("version {} has the tag {tag:?}", other.number)))
            }
            None => Ok(()),
        }
    }

    /// Removes versions that no rule keeps, of one file or of all. The newest version of a file, its newest content,
    /// the tagged, those of which it is not known yet whether they landed, and those that an interrupted transaction
    /// works from always stay.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve); `invalid_argument` when no rule is given, `not_found`
    /// for a name that never was, `store_busy` while writers are at work or a lease is left (unless told to break
    /// it), `damaged`, `cancelled`, `read_only`, `no_space`, `io`.
    pub fn prune(
        &self,
        name: Option<&Path>,
        keep: &Retention,
        break_leases: bool,
        progress: &Progress,
    ) -> Result<PruneReport> {
        keep.check()?;
        let only = name.map(|name| self.key(name)).transpose()?;
        if let (Some(name), Some(key)) = (name, &only)
            && self.workspace.store().newest(key)?.is_none()
        {
            self.must_exist(name)?;
        }
        self.workspace.flush_notes()?; // what is known to have landed decides what stays
        let now = Timestamp::now();
        self.workspace.store().prune(break_leases, progress, &mut |store| {
            let keys = only.clone().map_or_else(|| store.keys(), |key| Ok(vec![key]))?;
            let needed = crate::transaction::versions_needed(store)?;
            let mut plan = PrunePlan::default();
            for key in keys {
                progress.check()?;
                let mut versions = store.versions(&key)?;
                let surplus = keep.surplus(&versions, now);
                versions.retain(|v| surplus.contains(&v.record) && !needed.contains(&(key.clone(), v.number)));
                plan.versions.extend(versions.iter().map(|v| v.record));
            }
            Ok(plan)
        })
    }

    /// Reads every byte of the store and checks it; changes none.
    ///
    /// # Errors
    /// `cancelled`, `format_unsupported`, and what the system says: `permission_denied`, `io`. What is damaged is in
    /// the report instead.
    pub fn verify(&self, progress: &Progress) -> Result<VerifyReport> {
        self.workspace.store().verify(progress)
    }

    /// What a file is known by, also if it and its folder are gone.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve) but for missing folders.
    pub fn key(&self, name: impl AsRef<Path>) -> Result<Key> {
        match self.workspace.base().resolve(&name, Follow::Whole) {
            Ok(location) => Ok(location.key().clone()),
            Err(e) if matches!(e.code(), Code::NotFound | Code::NotADirectory) => {
                as_written(self.workspace.base().path(), name.as_ref())?.ok_or(e)
            }
            Err(e) => Err(e),
        }
    }

    fn must_exist(&self, name: &Path) -> Result<()> {
        let location = self.workspace.base().resolve(name, Follow::Whole)?;
        location.dir().stat(location.name()).map(drop).map_err(|e| Error::io(e, location.path()))
    }
}

/// The key of a plain name below the base.
fn as_written(base: &Path, name: &Path) -> Result<Option<Key>> {
    let below = if name.is_absolute() { name.strip_prefix(base).unwrap_or(name) } else { name };
    let mut plain = PathBuf::new();
    for part in below.components().filter(|part| *part != Component::CurDir) {
        let Component::Normal(part) = part else { return Ok(None) };
        check_reserved(part).map_err(|e| e.at(name))?;
        plain.push(part);
    }
    Ok(Some(Key::from_bytes(bytes_of(plain.as_os_str()))))
}

/// The content of a version; one that says that the file is gone has none.
fn with_content(version: &Version) -> Result<&FileState> {
    version.file.as_ref().ok_or_else(|| {
        let words = format!("version {} has no content: it says {}", version.number, version.kind.name());
        Error::message(Code::VersionNotFound, words)
    })
}

fn check_tag(tag: &str) -> Result<()> {
    let words = if tag.is_empty() {
        "a tag is not empty"
    } else if tag.len() > LONGEST_TAG {
        "a tag has at most 255 bytes"
    } else if tag.chars().any(char::is_control) {
        "a tag has no control characters"
    } else {
        return Ok(());
    };
    Err(Error::message(Code::InvalidArgument, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::OpenOptions;
    use std::time::Duration;

    /// The version was looked up before the store kept prune away: prune took it in between, and a tag that was
    /// acknowledged named nothing.
    #[test]
    fn a_version_that_is_pruned_while_it_is_tagged_is_not_acknowledged_as_tagged() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Workspace::open(folder.path(), &OpenOptions::default()).unwrap();
        let (pruner, tagger) = (open(), FileVersionManager::new(&open()));
        for text in ["1", "2"] {
            let location = pruner.base().resolve("f", Follow::Whole).unwrap();
            pruner.write(location, Source::Bytes(text.as_bytes()), ChangeOptions::default()).unwrap();
        }
        let number = Which::Number(1);
        tagger.version("f", &number).unwrap();
        let tagged = std::thread::scope(|scope| {
            let mut thread = None;
            let mut plan = |store: &crate::store::Store| {
                // From here on writers wait for the prune; this one may do before what it can.
                thread = Some(scope.spawn(|| tagger.tag("f", 1, "kept", true)));
                std::thread::sleep(Duration::from_millis(300));
                let version = store.version(&Key::from_bytes(b"f".to_vec()), &number)?;
                Ok(PrunePlan { versions: vec![version.record], ..PrunePlan::default() })
            };
            pruner.store().prune(false, &Progress::new(), &mut plan).unwrap();
            thread.unwrap().join().unwrap()
        });
        assert_eq!(tagged.unwrap_err().code(), Code::VersionNotFound);
        assert_eq!(tagger.list_versions("f").unwrap().len(), 1);
        tagger.tag("f", 2, "kept", true).unwrap();
    }
}
