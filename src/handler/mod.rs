//! `AdvancedFileHandler`: the parts brought together on one base folder.

mod read;
mod writer;

pub(crate) use read::read_all;
pub use read::{ReadOptions, ReadResult, Stream};
pub use writer::SecureWriter;

use crate::backup::BackupManager;
use crate::checksum::Algorithm;
use crate::error::{Code, Error, IoContext, Result};
use crate::import::ImportReport;
use crate::json::JsonFileHandler;
use crate::lock::{LockGuard, LockOptions, LockType};
use crate::metadata::FileMetadata;
use crate::ops::{Batch, Done};
use crate::path::{Follow, Location};
use crate::progress::Progress;
use crate::store::{Damage, PruneReport, RepairReport, VerifyReport};
use crate::transaction;
use crate::version::{FileVersionManager, Retention};
use crate::workspace::{ChangeOptions, Changed, Hold, OpenOptions, Source, Workspace, open_standing};
use read::Steady;
use std::path::Path;

/// Everything on one base folder. `Send + Sync`, cheap to clone: clones share the workspace.
///
/// ```
/// use electrus::handler::{AdvancedFileHandler, ReadOptions};
/// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
///
/// # let my_project = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(&my_project, &OpenOptions::default())?;
/// let written = handler.secure_write("notes/today.txt", Source::Bytes(b"precious"), ChangeOptions::default())?;
/// let expected = written.checksum;
/// let read = handler.secure_read("notes/today.txt", &ReadOptions { expected, ..ReadOptions::default() })?;
/// assert_eq!(read.content, b"precious");
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AdvancedFileHandler {
    workspace: Workspace,
}

impl AdvancedFileHandler {
    /// Opens an existing base folder.
    ///
    /// # Errors
    /// Those of [`Workspace::open`].
    pub fn open(base: impl AsRef<Path>, options: &OpenOptions) -> Result<AdvancedFileHandler> {
        Ok(AdvancedFileHandler { workspace: Workspace::open(base, options)? })
    }

    /// On a workspace that is open.
    pub fn new(workspace: &Workspace) -> AdvancedFileHandler {
        AdvancedFileHandler { workspace: workspace.clone() }
    }

    /// The workspace below.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The history of its files.
    pub fn versions(&self) -> FileVersionManager {
        FileVersionManager::new(&self.workspace)
    }

    /// JSON documents under the same base.
    pub fn json(&self) -> JsonFileHandler {
        JsonFileHandler::new(&self.workspace)
    }

    /// Backups of files under the same base.
    ///
    /// # Errors
    /// Those of [`BackupManager::for_workspace`].
    pub fn backups(&self) -> Result<BackupManager> {
        BackupManager::for_workspace(&self.workspace)
    }

    /// Runs a batch: one result for each operation, in order.
    pub fn batch(&self, batch: Batch<'_>, progress: &Progress) -> Vec<Result<Done>> {
        batch.run(self, progress)
    }

    /// Imports what the original Python Electrus left in a folder.
    ///
    /// # Errors
    /// Those of [`import`](crate::import::import).
    pub fn import(&self, from: impl AsRef<Path>, progress: &Progress) -> Result<ImportReport> {
        crate::import::import(&self.workspace, from, progress)
    }

    /// Writes a file: locked, atomic, durable, versioned, verified. Missing folders are created.
    ///
    /// # Errors
    /// Those of [`Base::resolve_creating`](crate::path::Base::resolve_creating) and of [`Workspace::write`].
    ///
    /// ```
    /// use electrus::handler::AdvancedFileHandler;
    /// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
    /// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
    /// let again = handler.secure_write("a", Source::Bytes(b"more text"), ChangeOptions::default())?;
    /// assert_eq!((again.version, again.size), (Some(2), 9));
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn secure_write(
        &self,
        name: impl AsRef<Path>,
        source: Source<'_>,
        options: ChangeOptions<'_>,
    ) -> Result<Changed> {
        let location = self.creating(&name, &options)?;
        self.workspace.write(location, source, options)
    }

    /// A writer whose content takes the name all at once when it is committed; for content larger than memory. The lock
    /// is taken at the commit.
    ///
    /// # Errors
    /// Those of [`Base::resolve_creating`](crate::path::Base::resolve_creating); `already_exists` or `changed` if the
    /// condition does not hold now, `not_a_file`, `invalid_argument` for a mode that is none, `read_only`,
    /// `no_space`, `too_many_open_files`.
    pub fn writer<'o>(&self, name: impl AsRef<Path>, options: ChangeOptions<'o>) -> Result<SecureWriter<'o>> {
        let location = self.creating(&name, &options)?;
        SecureWriter::open(&self.workspace, location, options)
    }

    /// Copies a file (content and mode); the target is written as by `secure_write`, the source locked shared.
    ///
    /// # Errors
    /// Those of [`Base::resolve_creating`](crate::path::Base::resolve_creating) and of [`Workspace::write`]; of the
    /// source `not_found`, `not_a_file`, `permission_denied` and `changed_while_read`; `invalid_argument` if both are
    /// the same file.
    ///
    /// ```
    /// use electrus::handler::AdvancedFileHandler;
    /// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
    /// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
    /// handler.copy("a", "folder/b", ChangeOptions::default())?;
    /// assert_eq!(std::fs::read(folder.path().join("folder/b"))?, b"text");
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn copy(&self, from: impl AsRef<Path>, to: impl AsRef<Path>, options: ChangeOptions<'_>) -> Result<Changed> {
        let from = self.workspace.base().resolve(from, Follow::Whole)?;
        open_standing(&from)?.ok_or_else(|| Error::new(Code::NotFound).at(from.path()))?;
        let to = self.creating(to, &options)?;
        if from.key() == to.key() {
            let words = "source and target are the same file";
            return Err(Error::message(Code::InvalidArgument, words).at(from.path()));
        }
        let guards = self.workspace.enter_both((&from, LockType::Shared), (&to, LockType::Exclusive), &options.hold)?;
        let changed = self.copy_locked(&from, to, &guards, options)?;
        guards.into_iter().try_for_each(LockGuard::release)?;
        Ok(changed)
    }

    fn copy_locked(
        &self,
        from: &Location,
        to: Location,
        guards: &[LockGuard],
        mut options: ChangeOptions<'_>,
    ) -> Result<Changed> {
        let Some((file, stat)) = open_standing(from)? else {
            return Err(Error::new(Code::NotFound).at(from.path()));
        };
        // Where there are no modes they are 0: then the copy gets that of a new file.
        options.mode = options.mode.or(Some(stat.mode & 0o777).filter(|mode| cfg!(unix) || *mode != 0));
        let hold = guards.iter().find(|guard| guard.covers(&to)).map(Hold::Use);
        let options = ChangeOptions { hold: hold.unwrap_or(options.hold.clone()), ..options };
        self.workspace.write(to, Source::Reader(&mut Steady::new(file, stat)), options)
    }

    /// Renames a file. Missing folders of the new name are created.
    ///
    /// # Errors
    /// Those of [`Base::resolve_creating`](crate::path::Base::resolve_creating) and of [`Workspace::rename`].
    ///
    /// ```
    /// use electrus::handler::AdvancedFileHandler;
    /// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
    /// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
    /// handler.rename("a", "folder/b", ChangeOptions::default())?;
    /// assert_eq!(handler.versions().list_versions("folder/b")?[0].kind.name(), "renamed_from");
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>, options: ChangeOptions<'_>) -> Result<Changed> {
        let from = self.workspace.base().resolve(from, Follow::Parent)?;
        from.dir().stat(from.name()).at(from.path())?;
        self.creating(&to, &options)?;
        let to = self.workspace.base().resolve(to, Follow::Parent)?;
        self.workspace.rename(from, to, options)
    }

    /// Deletes a file (of a symbolic link, the link); its history stays.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve) and of [`Workspace::delete`].
    ///
    /// ```
    /// use electrus::handler::AdvancedFileHandler;
    /// use electrus::store::Which;
    /// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
    /// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
    /// handler.delete("a", ChangeOptions::default())?;
    /// assert_eq!(handler.versions().read_version("a", &Which::Newest)?, b"text");
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn delete(&self, name: impl AsRef<Path>, options: ChangeOptions<'_>) -> Result<Changed> {
        let location = self.workspace.base().resolve(name, Follow::Parent)?;
        location.dir().stat(location.name()).at(location.path())?;
        self.workspace.delete(location, options)
    }

    /// Takes the lock of a file.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve) and of
    /// [`FileLockManager::acquire`](crate::lock::FileLockManager::acquire).
    ///
    /// ```
    /// use electrus::handler::AdvancedFileHandler;
    /// use electrus::lock::{LockOptions, LockType};
    /// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
    /// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
    /// let lock = handler.lock("a", LockType::Shared, &LockOptions::default())?;
    /// assert_eq!(handler.secure_read("a", &Default::default())?.content, b"text"); // no writer in between
    /// lock.release()?;
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn lock(&self, name: impl AsRef<Path>, kind: LockType, options: &LockOptions) -> Result<LockGuard> {
        let location = self.workspace.base().resolve(name, Follow::Whole)?;
        self.workspace.acquire(&location, kind, options)
    }

    /// What is known of a file.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve) and of [`FileMetadata::of`].
    ///
    /// ```
    /// use electrus::handler::AdvancedFileHandler;
    /// use electrus::checksum::Algorithm;
    /// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
    /// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
    /// let metadata = handler.metadata("a", Algorithm::Sha256)?;
    /// assert_eq!((metadata.filename.as_str(), metadata.size, metadata.version), ("a", 4, 1));
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn metadata(&self, name: impl AsRef<Path>, algorithm: Algorithm) -> Result<FileMetadata> {
        let location = self.workspace.base().resolve(name, Follow::Whole)?;
        FileMetadata::of(&self.workspace, &location, algorithm)
    }

    /// Reads every byte of the stores, of versions, of backups and of transactions, and checks it; changes none. Files
    /// of backups are named by the folder that they are in.
    ///
    /// # Errors
    /// `cancelled`, `format_unsupported`, and what the system says: `permission_denied`, `io`. What is damaged is in
    /// the report instead.
    pub fn verify(&self, progress: &Progress) -> Result<VerifyReport> {
        let mut report = self.workspace.store().verify(progress)?;
        report.damaged.extend(transaction::verify(self.workspace.store())?);
        let backups = self.backups()?;
        if let Some(store) = backups.store()? {
            let folder = self.shown(&backups.path());
            add(&mut report, store.verify(progress)?, &folder);
        }
        Ok(report)
    }

    /// Rebuilds indexes and sets damage aside so that everything else works on.
    ///
    /// # Errors
    /// `store_busy` while writers are at work or a lease is left (unless told to break it), `read_only`,
    /// `format_unsupported`, `cancelled`, `no_space`, `io`.
    pub fn repair(&self, break_leases: bool, progress: &Progress) -> Result<RepairReport> {
        let mut report = self.workspace.store().repair(break_leases, progress)?;
        report.actions.extend(transaction::set_damaged_aside(self.workspace.store())?);
        let backups = self.backups()?;
        if let Some(store) = backups.store()? {
            let folder = self.shown(&backups.path());
            let more = store.repair(break_leases, progress)?.actions.into_iter();
            report.actions.extend(more.map(|action| format!("{folder}: {action}")));
        }
        Ok(report)
    }

    /// A folder as messages name it: relative to the store where it is inside.
    fn shown(&self, folder: &Path) -> String {
        folder.strip_prefix(self.workspace.store().path()).unwrap_or(folder).display().to_string()
    }

    /// Removes versions that no rule keeps, of one file or of all.
    ///
    /// # Errors
    /// Those of [`FileVersionManager::prune`].
    pub fn prune(
        &self,
        name: Option<&Path>,
        keep: &Retention,
        break_leases: bool,
        progress: &Progress,
    ) -> Result<PruneReport> {
        self.versions().prune(name, keep, break_leases, progress)
    }

    /// Writes down what was postponed, and reports a failure to do so.
    ///
    /// # Errors
    /// Those of [`Workspace::close`].
    pub fn close(&self) -> Result<()> {
        self.workspace.close()
    }

    fn creating(&self, name: impl AsRef<Path>, options: &ChangeOptions<'_>) -> Result<Location> {
        let durable = options.durability == crate::atomic::Durability::Full;
        self.workspace.base().resolve_creating(name, durable)
    }
}

/// Adds what was found in another store.
fn add(report: &mut VerifyReport, more: VerifyReport, folder: &str) {
    let named = |damage: Damage| Damage { file: format!("{folder}/{}", damage.file), ..damage };
    report.damaged.extend(more.damaged.into_iter().map(named));
    report.conflicts.extend(more.conflicts);
    report.torn += more.torn;
    report.bytes += more.bytes;
    report.versions += more.versions;
    report.backups += more.backups;
    report.chunks += more.chunks;
}
