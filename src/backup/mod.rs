//! Backups: named snapshots of files and folders, incremental by content.
//!
//! A backup records structure, empty folders, symbolic links (as links), hard links (once; linked again on restore), modes,
//! owners, times to the nanosecond, and extended attributes of users and access control lists. Its contents lie in a
//! store, each chunk once however many backups have it. A file is not even read if inode, size and times are those of
//! the backup before (and old enough to prove something).
//!
//! Left out are: what [`CreateOptions::excludes`] says, `.electrus` folders, temporary files and lock sidecars of ours
//! (told by their content), the backup folder itself, and FIFOs, sockets and devices, of which the result warns.
//!
//! # What happens to files that are changed meanwhile
//! Each file is read by one descriptor. If its size or times changed while it was read, it is read again, three times in all; then it is
//! stored as it was read, marked, and reported as [`WarningKind::ChangedWhileRead`]. A file that cannot be read is left
//! out and reported. In both cases the backup stands, and [`BackupInfo::complete`] is false. Different files may be of
//! different moments.
//!
//! # Example
//! ```
//! use electrus::backup::{BackupManager, CreateOptions, RestoreOptions, VerifyOptions};
//!
//! # fn main() -> electrus::error::Result<()> {
//! # let tmp = tempfile::tempdir()?;
//! # let (documents, elsewhere) = (tmp.path().join("documents"), tmp.path().join("elsewhere"));
//! # std::fs::create_dir(&documents)?;
//! # std::fs::write(documents.join("a.txt"), "text")?;
//! let backups = BackupManager::open(tmp.path().join("backups"), Default::default())?;
//! let made = backups.create(Some("monday"), &[&documents], &CreateOptions::default())?;
//! assert!(made.complete);
//! assert!(backups.verify(Some("monday"), &VerifyOptions::default())?.ok);
//! let to = Some(elsewhere);
//! let restored = backups.restore("monday", &RestoreOptions { to, ..Default::default() })?;
//! assert_eq!(restored.restored, made.file_count);
//! # Ok(())
//! # }
//! ```

mod create;
mod exclude;
mod info;
mod manifest;
mod previous;
mod prune;
mod read;
mod references;
mod restore;
mod source;
mod spool;
mod verify;
mod walk;

pub use info::{BackupEntry, BackupInfo, BackupSummary, BackupVerify, DamagedEntry, EntryKind, Warning, WarningKind};
pub use restore::{Conflict, RestoreOptions, RestoreReport};
pub use verify::VerifyOptions;

use crate::error::{Code, Error, IoContext, Result};
use crate::path::{STORE, create_folders};
use crate::progress::Progress;
use crate::store::{ContentReader, PruneReport, RepairReport, Snapshot, Store, StoreOptions};
use crate::sys::Dir;
use crate::version::Retention;
use crate::workspace::Workspace;
use exclude::Excludes;
use manifest::{Node, Reader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How a backup folder of its own is opened.
///
/// ```
/// use electrus::backup::{BackupManager, BackupOptions};
///
/// # let folder = tempfile::tempdir()?;
/// let options = BackupOptions { read_only: true, ..BackupOptions::default() };
/// assert!(BackupManager::open(folder.path().join("backups"), options)?.list()?.is_empty());
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BackupOptions {
    /// Readable and writable by the folder's group; else by its owner only.
    pub group: bool,
    /// Never change a byte of the backup folder.
    pub read_only: bool,
}

/// How a backup is made.
///
/// ```
/// use electrus::backup::{BackupManager, CreateOptions};
///
/// # let folder = tempfile::tempdir()?;
/// # let documents = folder.path().join("documents");
/// # std::fs::create_dir(&documents)?;
/// # std::fs::write(documents.join("a.txt"), "text")?;
/// let backups = BackupManager::open(folder.path().join("backups"), Default::default())?;
/// let options = CreateOptions { excludes: vec!["*.txt".into()], ..CreateOptions::default() };
/// assert_eq!(backups.create(None, &[&documents], &options)?.file_count, 0);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CreateOptions {
    /// Patterns of what to leave out, as gitignore has them: without a slash (or with one at the end only) they match
    /// any name, with one they match the path below the source (the folder that was named); `*` and `?` match no slash,
    /// `**` does; a slash at the end means folders only. A folder that is left out is left out with all that is in it. There are no
    /// exceptions (`!`). A source itself is never left out.
    pub excludes: Vec<String>,
    /// Whether the result lists every file. Without, memory stays flat however many there are.
    pub collect: bool,
    /// Progress (files done, and bytes *read*; totals are not known) and cancel.
    pub progress: Progress,
}

impl Default for CreateOptions {
    fn default() -> CreateOptions {
        CreateOptions { excludes: Vec::new(), collect: true, progress: Progress::new() }
    }
}

/// Makes, shows, verifies, restores and prunes backups. `Send + Sync`, cheap to clone: clones are the same manager.
///
/// ```
/// use electrus::backup::{BackupManager, CreateOptions};
///
/// # let folder = tempfile::tempdir()?;
/// # let documents = folder.path().join("documents");
/// # std::fs::create_dir(&documents)?;
/// # std::fs::write(documents.join("a.txt"), "text")?;
/// let backups = BackupManager::open(folder.path().join("backups"), Default::default())?;
/// let made = backups.create(Some("monday"), &[&documents], &CreateOptions::default())?;
/// assert_eq!(backups.list()?[0].name, made.name);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BackupManager(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    home: Home,
    /// The backup folder: its parent and name.
    parent: PathBuf,
    name: String,
    options: StoreOptions,
    store: Mutex<Option<Store>>,
}

/// Where sources and restored files are.
#[derive(Clone, Debug)]
enum Home {
    /// Anywhere: ordinary paths.
    Alone,
    /// Beneath a base folder.
    Workspace(Workspace),
}

impl BackupManager {
    /// Opens a backup folder of its own; it need not exist yet, and is created by the first backup. Sources are
    /// ordinary paths.
    ///
    /// # Errors
    /// `invalid_name`; of the folder's parent: `not_found`, `not_a_directory`, `permission_denied`.
    pub fn open(dir: impl AsRef<Path>, options: BackupOptions) -> Result<BackupManager> {
        let options = StoreOptions { group: options.group, read_only: options.read_only };
        BackupManager::new(Home::Alone, dir.as_ref(), options)
    }

    /// The backups of a base folder, in `<base>/.electrus/backups` or where [`backup_dir`](crate::workspace::OpenOptions)
    /// says (relative to the base). Sources are relative to the base and do not lead out of it, unless the workspace was
    /// opened with `backup_anywhere` or `allow_outside`.
    ///
    /// # Errors
    /// Those of [`Base::resolve`](crate::path::Base::resolve) for the backup folder that the options name.
    pub fn for_workspace(workspace: &Workspace) -> Result<BackupManager> {
        let options = StoreOptions { group: workspace.options().group, read_only: workspace.options().read_only };
        let base = workspace.base().path();
        let dir = match &workspace.options().backup_dir {
            Some(dir) => base.join(dir),
            None => base.join(STORE).join("backups"),
        };
        BackupManager::new(Home::Workspace(workspace.clone()), &dir, options)
    }

    fn new(home: Home, dir: &Path, options: StoreOptions) -> Result<BackupManager> {
        let plain: PathBuf = std::path::absolute(dir).at(dir)?.components().collect();
        let path = if plain.is_dir() { std::fs::canonicalize(&plain).at(dir)? } else { plain };
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let (Some(name), Some(parent)) = (name, path.parent()) else {
            return Err(Error::message(Code::InvalidName, "this cannot be a backup folder").at(dir));
        };
        Ok(BackupManager(Arc::new(Inner { home, parent: parent.to_owned(), name, options, store: Mutex::default() })))
    }

    /// The backup folder.
    pub fn path(&self) -> PathBuf {
        self.0.parent.join(&self.0.name)
    }

    /// Makes a backup of files and folders, each with all that is in it.
    ///
    /// The name may have up to 255 bytes, no slash, no control character, and no dash or dot in front; by default it is
    /// the time and a few random digits.
    ///
    /// # Errors
    /// Before anything is written: `already_exists` (the name), `not_found` (a source), `invalid_name`,
    /// `invalid_pattern`, `path_escape`, `read_only`. `cancelled`, `no_space` and `io` leave no backup.
    ///
    /// ```
    /// use electrus::backup::{BackupManager, CreateOptions};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let documents = folder.path().join("documents");
    /// # std::fs::create_dir(&documents)?;
    /// # std::fs::write(documents.join("a.txt"), "text")?;
    /// let backups = BackupManager::open(folder.path().join("backups"), Default::default())?;
    /// let made = backups.create(Some("monday"), &[&documents], &CreateOptions::default())?;
    /// assert_eq!((made.file_count, made.complete), (1, true));
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn create<P: AsRef<Path>>(
        &self,
        name: Option<&str>,
        sources: &[P],
        options: &CreateOptions,
    ) -> Result<BackupInfo> {
        let name = match name {
            Some(name) => checked_name(name)?,
            None => default_name()?,
        };
        if self.0.options.read_only {
            return Err(Error::new(Code::ReadOnly).at(self.path()));
        }
        let excludes = Excludes::new(&options.excludes)?;
        let roots = source::resolve(&self.0.home, sources)?;
        options.progress.check()?;
        let store = self.store_to_write()?;
        if store.snapshots()?.iter().any(|snapshot| snapshot.name == name) {
            let message = format!("a backup named {name:?} exists already");
            return Err(Error::message(Code::AlreadyExists, message).at(store.path()));
        }
        create::create(&store, name, &roots, &excludes, options)
    }

    /// All backups, oldest first.
    ///
    /// # Errors
    /// `damaged`, `format_unsupported`, `permission_denied`, `io`: the store.
    pub fn list(&self) -> Result<Vec<BackupSummary>> {
        Ok(self.snapshots()?.into_iter().map(BackupSummary::from).collect())
    }

    /// One backup with its files, in walk order. For very many files see [`BackupManager::for_each`].
    ///
    /// # Errors
    /// `backup_not_found`; `damaged` if the list of its files is; `io`.
    pub fn show(&self, name: &str) -> Result<BackupInfo> {
        let snapshot = self.snapshot(name)?;
        let mut info = create::empty(snapshot.name.clone());
        info.timestamp = snapshot.created;
        info.file_count = snapshot.files;
        info.total_size = snapshot.size;
        self.for_each(name, &mut |entry| {
            if entry.changed_while_read {
                info.complete = false;
                let path = entry.path.as_os_str().as_encoded_bytes();
                let message = "it kept changing while it was read; what is stored may be a mix";
                info.warnings.push(Warning::new(path, WarningKind::ChangedWhileRead, message));
            }
            match entry.kind {
                EntryKind::Folder => info.folders.push(entry),
                _ => info.files.push(entry),
            }
            Ok(())
        })?;
        Ok(info)
    }

    /// Gives every entry of a backup to `each`, in walk order and flat memory; an error of `each` ends it.
    ///
    /// # Errors
    /// Those of [`show`](BackupManager::show), and what `each` says.
    pub fn for_each(&self, name: &str, each: &mut dyn FnMut(BackupEntry) -> Result<()>) -> Result<()> {
        let snapshot = self.snapshot(name)?;
        let mut reader = self.manifest(&snapshot)?;
        while let Some(entry) = reader.next().map_err(|e| e.at(self.path()))? {
            each(BackupEntry::new(reader.key().path(), &entry))?;
        }
        Ok(())
    }

    /// Reads one file of a backup, verified. The path is as [`BackupManager::show`] gives it.
    ///
    /// # Errors
    /// `backup_not_found`; `not_found` for a path that it does not have, `not_a_file` for one that is no regular
    /// file; `damaged`; `io`.
    ///
    /// ```
    /// use electrus::backup::{BackupManager, CreateOptions};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let documents = folder.path().join("documents");
    /// # std::fs::create_dir(&documents)?;
    /// # std::fs::write(documents.join("a.txt"), "text")?;
    /// let backups = BackupManager::open(folder.path().join("backups"), Default::default())?;
    /// let made = backups.create(Some("monday"), &[&documents], &CreateOptions::default())?;
    /// let path = &backups.show(&made.name)?.files[0].path;
    /// assert_eq!(backups.read(&made.name, path)?.read_all()?, b"text");
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn read(&self, name: &str, path: impl AsRef<Path>) -> Result<ContentReader> {
        let path = path.as_ref();
        let snapshot = self.snapshot(name)?;
        let wanted = source::plain_name(path).ok_or_else(|| Error::new(Code::PathEscape).at(path))?;
        let wanted = manifest::key_of(&wanted);
        let mut reader = self.manifest(&snapshot)?;
        while let Some(entry) = reader.next()? {
            if reader.key().as_bytes() != wanted {
                continue;
            }
            return match entry.node {
                Node::File(file) => self.existing_store()?.reader(&file.content),
                _ => Err(Error::new(Code::NotAFile).at(path)),
            };
        }
        Err(Error::new(Code::NotFound).at(path))
    }

    /// Reads every byte of one backup, or of all and of the store they are in, and names the files that are damaged.
    /// Never changes a byte.
    ///
    /// # Errors
    /// `backup_not_found`, `cancelled`, `format_unsupported`, `permission_denied`, `io`. What is damaged is in the
    /// result instead.
    pub fn verify(&self, name: Option<&str>, options: &VerifyOptions) -> Result<BackupVerify> {
        verify::verify(self, name, options)
    }

    /// What stands in the way of a restore without `overwrite`; in walk order. Nothing is changed.
    ///
    /// # Errors
    /// `backup_not_found`; `not_found` for a path that it does not have; `damaged`, `path_escape`, `cancelled`,
    /// `permission_denied`, `io`.
    pub fn conflicts(&self, name: &str, options: &RestoreOptions) -> Result<Vec<Conflict>> {
        restore::conflicts(self, name, options)
    }

    /// Restores a backup, or a part of it, to where it came from or elsewhere.
    ///
    /// Everything is looked at before anything is changed: a file or link that differs from the backup's is a conflict,
    /// and all conflicts are named in one `would_overwrite`, unless [`RestoreOptions::overwrite`]. Where a folder stands in the place of
    /// a file, or anything but a folder in the place of a folder, not even that helps. Symbolic links in the destination
    /// are never followed. In a workspace, what is overwritten is in the history first. Files that the backup does not have are left alone.
    ///
    /// Owners are restored by root only; without, setuid and setgid are dropped from what belonged to others.
    ///
    /// # Errors
    /// Those of [`conflicts`](BackupManager::conflicts); `would_overwrite`: nothing was changed; `read_only`,
    /// `no_space`, `lock_timeout`. After one that comes in the middle, what was restored stays, each file whole.
    ///
    /// ```
    /// use electrus::backup::{BackupManager, CreateOptions};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let documents = folder.path().join("documents");
    /// # std::fs::create_dir(&documents)?;
    /// # std::fs::write(documents.join("a.txt"), "text")?;
    /// let backups = BackupManager::open(folder.path().join("backups"), Default::default())?;
    /// let made = backups.create(Some("monday"), &[&documents], &CreateOptions::default())?;
    /// std::fs::remove_file(documents.join("a.txt"))?;
    /// let restored = backups.restore(&made.name, &Default::default())?; // to where it was
    /// assert_eq!(restored.restored, 1);
    /// # Ok::<(), electrus::error::Error>(())
    /// ```
    pub fn restore(&self, name: &str, options: &RestoreOptions) -> Result<RestoreReport> {
        restore::restore(self, name, options)
    }

    /// Removes backups that no rule keeps, and what only they needed. The newest always stays.
    ///
    /// # Errors
    /// `invalid_argument` when no rule is given, `store_busy` while others are at work or a lease is left (unless
    /// told to break it), `damaged`, `cancelled`, `read_only`, `no_space`, `io`.
    pub fn prune(&self, keep: &Retention, break_leases: bool, progress: &Progress) -> Result<PruneReport> {
        if self.0.options.read_only {
            return Err(Error::new(Code::ReadOnly).at(self.path()));
        }
        prune::prune(self.store()?.as_ref(), keep, break_leases, progress)
    }

    /// Sets damage in the backup folder aside, so that everything else works on; the next backup reads again what is
    /// missing then.
    ///
    /// # Errors
    /// `store_busy`, as for [`prune`](BackupManager::prune); `read_only`, `format_unsupported`, `cancelled`,
    /// `no_space`, `io`.
    pub fn repair(&self, break_leases: bool, progress: &Progress) -> Result<RepairReport> {
        if self.0.options.read_only {
            return Err(Error::new(Code::ReadOnly).at(self.path()));
        }
        match self.store()? {
            Some(store) => store.repair(break_leases, progress),
            None => Ok(RepairReport::default()),
        }
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>> {
        match self.store()? {
            Some(store) => store.snapshots(),
            None => Ok(Vec::new()),
        }
    }

    fn snapshot(&self, name: &str) -> Result<Snapshot> {
        match self.store()? {
            Some(store) => store.snapshot(name),
            None => Err(Error::message(Code::BackupNotFound, format!("there is no backup named {name:?}"))),
        }
    }

    fn manifest(&self, snapshot: &Snapshot) -> Result<Reader<ContentReader>> {
        Reader::new(self.existing_store()?.reader(&snapshot.manifest)?).map_err(|e| e.at(self.path()))
    }

    fn existing_store(&self) -> Result<Store> {
        self.store()?.ok_or_else(|| Error::new(Code::NoStore).at(self.path()))
    }

    /// The store, if its folder's parent exists. Nothing is created.
    pub(crate) fn store(&self) -> Result<Option<Store>> {
        let mut open = self.0.store.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            match Dir::open(&self.0.parent) {
                Ok(parent) => *open = Some(Store::open(&parent, &self.0.name, &self.0.parent, self.0.options)?),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(Error::io(e, &self.0.parent)),
            }
        }
        Ok(open.clone())
    }

    fn store_to_write(&self) -> Result<Store> {
        if !self.0.parent.is_dir() {
            self.create_parent()?;
        }
        self.existing_store()
    }

    fn create_parent(&self) -> Result<()> {
        // `.electrus` is private from its first moment.
        if let Home::Workspace(workspace) = &self.0.home
            && self.0.parent == workspace.base().path().join(STORE)
        {
            let mode = if self.0.options.group { 0o770 } else { 0o700 };
            return match workspace.base().dir().create_dir(STORE.as_ref(), mode) {
                Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(Error::io(e, &self.0.parent)),
                _ => workspace.base().dir().sync().map(drop).at(&self.0.parent),
            };
        }
        create_folders(&self.0.parent).at(&self.0.parent)
    }
}

/// Device and inode of a folder, if it exists and the platform tells.
fn identity_of(path: &Path) -> Option<(u64, u64)> {
    let stat = Dir::open(path).and_then(|dir| dir.stat_self()).ok()?;
    (stat.inode != 0).then_some((stat.device, stat.inode))
}

fn checked_name(name: &str) -> Result<String> {
    let why = match name {
        "" => "the name of a backup is empty",
        _ if name.len() > 255 => "the name of a backup has more than 255 bytes",
        _ if name.contains('/') => "the name of a backup contains a slash",
        _ if name.chars().any(char::is_control) => "the name of a backup contains a control character",
        _ if name.starts_with(['-', '.']) => "the name of a backup begins with a dash or a dot",
        _ => return Ok(name.to_owned()),
    };
    Err(Error::message(Code::InvalidName, why))
}

/// The time, and enough chance that two of one second do not meet.
fn default_name() -> Result<String> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|e| Error::message(Code::Io, e.to_string()))?;
    let time = chrono::Utc::now().format("%Y%m%dT%H%M%SZ");
    Ok(format!("{time}-{:08x}", u32::from_le_bytes(random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_a_person_can_type_and_a_file_could_have() {
        for name in ["a", "monday 2", "ä", "x.y", "20260101T000000Z-0a1b2c3d", &"n".repeat(255)] {
            assert_eq!(checked_name(name).unwrap(), name);
        }
        for name in ["", "a/b", "-x", ".x", "..", "a\n", "a\0", "\u{7f}", &"n".repeat(256)] {
            assert_eq!(checked_name(name).unwrap_err().code(), Code::InvalidName, "{name:?}");
        }
    }

    #[test]
    fn default_names_are_valid_and_differ() {
        let (one, two) = (default_name().unwrap(), default_name().unwrap());
        assert_ne!(one, two);
        assert_eq!(checked_name(&one).unwrap(), one);
    }
}
