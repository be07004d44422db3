//! What a store holds, as callers see it.

use crate::checksum::Digest;
use crate::path::Key;
use crate::sys::Stat;
use crate::time::Timestamp;
use std::fmt;

/// The id of a chunk: its BLAKE3 digest.
#[doc(hidden)]
pub type ChunkId = [u8; 32];

/// Where a content is: its size, and the chunks it is made of, directly or by lists of chunks that are contents themselves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Content {
    /// Bytes.
    pub size: u64,
    /// 0: `chunks` are the data. n: they are a content of depth n-1 that lists the ids.
    pub depth: u64,
    /// Ids and sizes, in order.
    pub chunks: Vec<(ChunkId, u64)>,
}

/// Names one record of a store: a segment and an offset in it. Displays as `<segment>-<offset>` in hex.
///
/// ```
/// use electrus::store::RecordId;
///
/// let record = RecordId::parse("0000000000000001-80").unwrap();
/// assert_eq!((record.segment, record.offset), (1, 128));
/// assert_eq!(record.to_string(), "0000000000000001-80");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId {
    /// The segment.
    pub segment: u64,
    /// The offset of the record's header.
    pub offset: u64,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:x}", self.segment, self.offset)
    }
}

impl RecordId {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<RecordId> {
        let (segment, offset) = text.split_once('-')?;
        Some(RecordId {
            segment: u64::from_str_radix(segment, 16).ok()?,
            offset: u64::from_str_radix(offset, 16).ok()?,
        })
    }
}

/// Which version of a file is meant.
///
/// ```
/// use electrus::handler::AdvancedFileHandler;
/// use electrus::store::Which;
/// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
/// assert_eq!(handler.versions().read_version("a", &Which::Number(1))?, b"text");
/// assert_eq!(handler.versions().read_version("a", &Which::Newest)?, b"text");
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By number.
    Number(u64),
    /// By record, for numbers that two records claim.
    Record(RecordId),
    /// The newest that has content.
    Newest,
}

/// What made a version.
///
/// ```
/// use electrus::store::VersionKind;
///
/// assert_eq!(VersionKind::OutsideEdit.name(), "outside_edit");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum VersionKind {
    /// A write of ours.
    Write = 1,
    /// Content that something else wrote, kept before we replaced it.
    OutsideEdit = 2,
    /// Taken of what stood there, on request.
    Snapshot = 3,
    /// An older version put back (`of` says which).
    Restore = 4,
    /// The file was deleted: a version without content.
    Delete = 5,
    /// The file was renamed to `other`: a version without content.
    RenamedTo = 6,
    /// The file came here by a rename from `other`.
    RenamedFrom = 7,
    /// Imported from another tool's folder.
    Import = 8,
}

impl VersionKind {
    /// All kinds.
    pub const ALL: [VersionKind; 8] = [
        VersionKind::Write,
        VersionKind::OutsideEdit,
        VersionKind::Snapshot,
        VersionKind::Restore,
        VersionKind::Delete,
        VersionKind::RenamedTo,
        VersionKind::RenamedFrom,
        VersionKind::Import,
    ];

    /// Its name in results.
    pub const fn name(self) -> &'static str {
        match self {
            VersionKind::Write => "write",
            VersionKind::OutsideEdit => "outside_edit",
            VersionKind::Snapshot => "snapshot",
            VersionKind::Restore => "restore",
            VersionKind::Delete => "delete",
            VersionKind::RenamedTo => "renamed_to",
            VersionKind::RenamedFrom => "renamed_from",
            VersionKind::Import => "import",
        }
    }
}

/// A file as a version has it.
#[derive(Clone, Debug, PartialEq)]
pub struct FileState {
    /// Its bytes.
    pub content: Content,
    /// Digests of the bytes; at least one.
    pub digests: Vec<Digest>,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last modification.
    pub modified: Timestamp,
}

/// Whether a version's content reached its file.
///
/// ```
/// use electrus::handler::AdvancedFileHandler;
/// use electrus::store::Landed;
/// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
/// let version = handler.versions().list_versions("a")?.remove(0);
/// assert!(matches!(version.landed, Landed::Yes(_)));
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landed {
    /// It stood there, as the file system said then.
    Yes(Option<Identity>),
    /// Not known: the writer died, or is still at it. Compare the file.
    Unknown,
    /// It never did: the writer died before.
    No,
}

/// What tells a file unchanged without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Identity {
    /// Device.
    pub device: u64,
    /// Inode.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Time of last modification.
    pub modified: Timestamp,
    /// Time of last change of the inode.
    pub changed: Timestamp,
    /// When this was looked at: times too near to it prove nothing.
    pub seen: Timestamp,
}

impl Identity {
    /// Whether a file that looks so now is surely the file of then: equal in everything, and its times old enough
    /// at the time of the first look that a later write in the same tick of the clock would show (git's racy rule).
    pub fn proves(&self, now: &Stat) -> bool {
        const TICK_NANOS: i128 = 10_000_000; // the coarsest clock tick of Linux file systems, 100 Hz
        let nanos = |t: Timestamp| t.seconds as i128 * 1_000_000_000 + t.nanos as i128;
        (self.device, self.inode, self.size) == (now.device, now.inode, now.size)
            && (self.modified, self.changed) == (now.modified, now.changed)
            && nanos(self.seen) - nanos(self.modified.max(self.changed)) > TICK_NANOS
    }

    /// Of a file looked at now.
    pub fn of(stat: &Stat) -> Identity {
        Identity {
            device: stat.device,
            inode: stat.inode,
            size: stat.size,
            modified: stat.modified,
            changed: stat.changed,
            seen: Timestamp::now(),
        }
    }
}

/// One version of one file.
///
/// ```
/// use electrus::handler::AdvancedFileHandler;
/// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
/// for version in handler.versions().list_versions("a")? {
///     let size = version.file.map(|file| file.content.size);
///     println!("{} {} {:?} {}", version.number, version.kind.name(), size, version.created.to_rfc3339());
/// }
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Whose.
    pub key: Key,
    /// From 1, never used twice.
    pub number: u64,
    /// What made it.
    pub kind: VersionKind,
    /// When it was recorded. Orders nothing: numbers do.
    pub created: Timestamp,
    /// The file, unless this version says that there is none.
    pub file: Option<FileState>,
    /// For [`VersionKind::Restore`]: the number that was put back.
    pub of: Option<u64>,
    /// For renames: the other name.
    pub other: Option<Key>,
    /// Who wrote it: `pid@host`.
    pub writer: String,
    /// Where its record is.
    pub record: RecordId,
    /// Whether it reached the file.
    pub landed: Landed,
    /// Its tags, in order of their bytes.
    pub tags: Vec<String>,
    /// Another record claims the same number.
    pub conflict: bool,
}

/// A version to be recorded.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct NewVersion {
    /// Whose.
    pub key: Key,
    /// What made it.
    pub kind: VersionKind,
    /// The file, unless there is none any more.
    pub file: Option<FileState>,
    /// For restores.
    pub of: Option<u64>,
    /// For renames.
    pub other: Option<Key>,
    /// A number to take if it is still free, as imports want; else the next one.
    pub wanted: Option<u64>,
    /// When it was made, if not now (imports).
    pub created: Option<Timestamp>,
}

/// A record to be written.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub enum New {
    /// A version; its number is given at the commit.
    Version(NewVersion),
    /// That a version reached its file, or never did (`identity` is ignored then). Never waits for the medium on its own account.
    Landed {
        /// Whose.
        key: Key,
        /// Which.
        number: u64,
        /// Whether.
        landed: Landed,
    },
    /// A tag set on or removed from a version.
    Tag {
        /// Whose.
        key: Key,
        /// Which.
        number: u64,
        /// The tag.
        tag: String,
        /// Set or removed.
        set: bool,
    },
    /// A backup; `already_exists` if its name is taken.
    Snapshot(NewSnapshot),
}

/// What became of a [`New`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Committed {
    /// The version's number; 0 for other records.
    pub number: u64,
    /// Where the record is.
    pub record: RecordId,
}

/// A backup to be recorded.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct NewSnapshot {
    /// Its name.
    pub name: String,
    /// The manifest: what the backup room wrote about the files.
    pub manifest: Content,
    /// Every content the manifest refers to, for prune and verify, as a content that lists chunk ids
    /// (32 bytes each, sorted, each once).
    pub references: Content,
    /// Files in it.
    pub files: u64,
    /// Bytes of those files.
    pub size: u64,
}

/// A backup.
#[derive(Clone, Debug, PartialEq)]
#[doc(hidden)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// When it was recorded.
    pub created: Timestamp,
    /// The manifest.
    pub manifest: Content,
    /// The ids of all chunks its files need.
    pub references: Content,
    /// Files in it.
    pub files: u64,
    /// Bytes of those files.
    pub size: u64,
    /// Where its record is.
    pub record: RecordId,
}

/// One place that is damaged.
#[derive(Clone, Debug, PartialEq)]
pub struct Damage {
    /// The file, relative to the store.
    pub file: String,
    /// The first bad byte, or the start of the record that holds it.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
    /// Versions (`NAME@N`) and backups (`backup NAME`) that cannot be restored because of it.
    pub affected: Vec<String>,
}

/// What verify found.
///
/// ```
/// use electrus::handler::AdvancedFileHandler;
/// use electrus::progress::Progress;
/// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
/// let report = handler.verify(&Progress::new())?;
/// assert_eq!((report.damaged.len(), report.versions), (0, 1));
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VerifyReport {
    /// Everything damaged; empty when all is well.
    pub damaged: Vec<Damage>,
    /// `NAME@N` of numbers that two records claim. Not damage.
    pub conflicts: Vec<String>,
    /// Torn tails of crashes, fenced or yet to be fenced: bytes that nobody was told are kept. Not damage.
    pub torn: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Versions checked.
    pub versions: u64,
    /// Backups checked.
    pub backups: u64,
    /// Chunks checked.
    pub chunks: u64,
}

/// What repair did.
///
/// ```
/// use electrus::handler::AdvancedFileHandler;
/// use electrus::progress::Progress;
/// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
/// for action in handler.repair(false, &Progress::new())?.actions {
///     println!("{action}");
/// }
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RepairReport {
    /// Sentences, one for each thing done.
    pub actions: Vec<String>,
}

/// What to remove.
#[derive(Clone, Debug, Default)]
#[doc(hidden)]
pub struct PrunePlan {
    /// Versions.
    pub versions: Vec<RecordId>,
    /// Backups.
    pub snapshots: Vec<RecordId>,
}

/// What prune did.
///
/// ```
/// use electrus::handler::AdvancedFileHandler;
/// use electrus::{progress::Progress, version::Retention};
/// use electrus::workspace::{ChangeOptions, OpenOptions, Source};
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// handler.secure_write("a", Source::Bytes(b"text"), ChangeOptions::default())?;
/// let keep = Retention { keep_last: Some(10), ..Retention::default() };
/// let report = handler.prune(None, &keep, false, &Progress::new())?;
/// assert_eq!(report.versions, 0);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Versions removed.
    pub versions: u64,
    /// Backups removed.
    pub snapshots: u64,
    /// Bytes of the store before.
    pub bytes_before: u64,
    /// Bytes of the store after.
    pub bytes_after: u64,
}
