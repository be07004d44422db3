//! What callers learn about backups.

use super::manifest::{Entry, Node};
use crate::checksum::{Algorithm, Digest};
use crate::path::Key;
use crate::store::{Snapshot, VerifyReport};
use crate::time::Timestamp;
use std::path::PathBuf;

/// A backup, as it was made or is shown.
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
/// assert!(made.complete && made.warnings.is_empty());
/// assert_eq!((made.file_count, made.total_size), (1, 4));
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BackupInfo {
    /// Its name.
    pub name: String,
    /// When it was recorded.
    pub timestamp: Timestamp,
    /// Regular files and symbolic links, in walk order; empty if they were not asked for.
    pub files: Vec<BackupEntry>,
    /// Folders, likewise.
    pub folders: Vec<BackupEntry>,
    /// Regular files and symbolic links.
    pub file_count: u64,
    /// Bytes of the regular files.
    pub total_size: u64,
    /// Bytes that were read because nothing said that they had not changed since the backup before. Only of a backup
    /// that was just made.
    pub read_size: u64,
    /// Bytes that were not in the store yet. Only of a backup that was just made.
    pub added_size: u64,
    /// What was left out or may be inconsistent. Only of a backup that was just made, but for files that changed while
    /// they were read: these are marked in the backup.
    pub warnings: Vec<Warning>,
    /// Whether everything that was asked for is in the backup, each file as it was at one moment. Special files do not
    /// count, nor do files that vanished.
    pub complete: bool,
}

/// A backup in a list.
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
/// for backup in backups.list()? {
///     println!("{} of {}: {} files", backup.name, backup.timestamp.to_rfc3339(), backup.file_count);
/// }
/// # drop(made);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BackupSummary {
    /// Its name.
    pub name: String,
    /// When it was recorded.
    pub timestamp: Timestamp,
    /// Regular files and symbolic links.
    pub file_count: u64,
    /// Bytes of the regular files.
    pub total_size: u64,
}

impl From<Snapshot> for BackupSummary {
    fn from(snapshot: Snapshot) -> BackupSummary {
        BackupSummary {
            name: snapshot.name,
            timestamp: snapshot.created,
            file_count: snapshot.files,
            total_size: snapshot.size,
        }
    }
}

/// What an entry of a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
}

impl EntryKind {
    /// Its name in results: `file`, `folder`, `symlink`.
    pub const fn name(self) -> &'static str {
        match self {
            EntryKind::File => "file",
            EntryKind::Folder => "folder",
            EntryKind::Symlink => "symlink",
        }
    }
}

/// One file, folder or link in a backup.
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
/// let file = &backups.show(&made.name)?.files[0];
/// assert_eq!((file.path.file_name(), file.size), (Some("a.txt".as_ref()), 4));
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BackupEntry {
    /// Its path in the backup, relative.
    pub path: PathBuf,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes (of a regular file).
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Time of last modification.
    pub modified: Timestamp,
    /// BLAKE3 of a regular file's content.
    pub checksum: Option<Digest>,
    /// Where a link points.
    pub target: Option<PathBuf>,
    /// It kept changing while it was read; what is stored may be a mix.
    pub changed_while_read: bool,
}

impl BackupEntry {
    pub(super) fn new(path: Vec<u8>, entry: &Entry) -> BackupEntry {
        let file = entry.file();
        BackupEntry {
            path: path_of(path),
            kind: match &entry.node {
                Node::Folder => EntryKind::Folder,
                Node::File(_) => EntryKind::File,
                Node::Symlink(_) => EntryKind::Symlink,
            },
            size: entry.size(),
            mode: entry.mode,
            modified: entry.modified,
            checksum: file.and_then(|file| Digest::new(Algorithm::Blake3, file.digest.to_vec()).ok()),
            target: match &entry.node {
                Node::Symlink(target) => Some(path_of(target.clone())),
                _ => None,
            },
            changed_while_read: file.is_some_and(|file| file.changed_while_read),
        }
    }
}

/// Something a backup or a restore could not do as it should; the rest is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// The path in the backup.
    pub path: PathBuf,
    /// What happened.
    pub kind: WarningKind,
    /// In words.
    pub message: String,
}

impl Warning {
    pub(super) fn new(path: &[u8], kind: WarningKind, message: impl Into<String>) -> Warning {
        Warning { path: path_of(path.to_vec()), kind, message: message.into() }
    }
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WarningKind {
    /// A file kept changing while it was read: stored as it was read the last time.
    ChangedWhileRead,
    /// A FIFO, socket or device: left out.
    SpecialFile,
    /// It could not be read: left out.
    Unreadable,
    /// It was there when its folder was listed and is gone now.
    Vanished,
    /// The backup before could not be read, so everything was read again.
    NoPrevious,
    /// Restored, but without something: its owner, an attribute, its link to another name.
    Incomplete,
}

impl WarningKind {
    /// Its name in results, in snake_case.
    pub const fn name(self) -> &'static str {
        match self {
            WarningKind::ChangedWhileRead => "changed_while_read",
            WarningKind::SpecialFile => "special_file",
            WarningKind::Unreadable => "unreadable",
            WarningKind::Vanished => "vanished",
            WarningKind::NoPrevious => "no_previous",
            WarningKind::Incomplete => "incomplete",
        }
    }

    /// Whether a backup with such a warning lacks something that was asked for.
    pub const fn is_incomplete(self) -> bool {
        matches!(self, WarningKind::ChangedWhileRead | WarningKind::Unreadable)
    }
}

/// What [`verify`](super::BackupManager::verify) found.
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
/// let verified = backups.verify(Some(&made.name), &Default::default())?;
/// assert!(verified.ok && verified.damaged.is_empty());
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct BackupVerify {
    /// Nothing is damaged.
    pub ok: bool,
    /// Files that cannot be restored.
    pub damaged: Vec<DamagedEntry>,
    /// What the store says about its own bytes, if all backups were verified.
    pub store: Option<VerifyReport>,
    /// Backups checked.
    pub backups: u64,
    /// Files checked.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// A file of a backup that cannot be restored.
#[derive(Clone, Debug, PartialEq)]
pub struct DamagedEntry {
    /// The backup.
    pub backup: String,
    /// The path in it; empty if the list of its files itself is damaged.
    pub path: PathBuf,
    /// What is wrong.
    pub what: String,
}

pub(super) fn path_of(bytes: Vec<u8>) -> PathBuf {
    Key::from_bytes(bytes).to_path()
}
