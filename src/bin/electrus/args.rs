//! What can be typed: every command and option, with the help that people read.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Keeps files safe: atomic, durable, locked, versioned and verifiable writes, backups and JSON updates.
///
/// The base folder (the current one, or BASE) keeps its history in .electrus; a NAME is a file in or below it.
/// Nothing that Electrus writes destroys content that the history does not hold.
#[derive(Debug, Parser)]
#[command(name = "electrus", version, arg_required_else_help = true, subcommand_required = true)]
#[command(after_help = "'electrus COMMAND --help' tells more; 'electrus --help' lists the exit statuses.")]
#[command(after_long_help = crate::failure::statuses())]
pub struct Cli {
    /// Work as if started in BASE, which is the base folder
    #[arg(short = 'C', value_name = "BASE", global = true, help_heading = "Global options")]
    pub base: Vec<PathBuf>,

    /// One JSON document on stdout; an error as JSON on stderr
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,

    /// Let a NAME lead out of the base folder, and files of backups and transactions go back to places outside
    #[arg(long, global = true, help_heading = "Global options")]
    pub allow_outside: bool,

    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replace a file's content: atomic, durable, locked, versioned
    Write(Write),
    /// Put a file's bytes, or a version's, on stdout
    Read(Read),
    /// What is known of a file: size, checksum, times, version, permissions
    Stat {
        /// The file
        name: OsString,
        #[command(flatten)]
        digest: Digest,
    },
    /// Copy a file within the base folder; what it replaces stays in the history
    Copy(Transfer),
    /// Rename a file; both histories tell of it
    Mv(Transfer),
    /// Delete a file; its history stays, so 'restore' brings it back
    Rm {
        /// The file
        name: OsString,
        /// Delete only a file that has this checksum (H, or ALGO:H)
        #[arg(long, value_name = "H")]
        if_checksum: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Print checksums, or check them, like sha256sum(1)
    Checksum(Checksum),
    /// Run a command under a file's lock, like flock(1)
    Lock(Lock),
    /// Who holds the lock of a file, in this or another process or tool
    Locks {
        /// The file (an ordinary path)
        file: PathBuf,
    },
    /// Record a file as it stands, whoever wrote it
    Snapshot {
        /// The file
        name: OsString,
        #[command(flatten)]
        digest: Digest,
    },
    /// List the versions of a file, or all files that have some
    Versions {
        /// The file
        name: Option<OsString>,
    },
    /// Show what changed from version N to M, or to the file as it is
    Diff {
        /// The file
        name: OsString,
        /// From this version (a number, or a record's id)
        #[arg(value_name = "N")]
        from: String,
        /// To this version; the file as it is unless given
        #[arg(value_name = "M")]
        to: Option<String>,
    },
    /// Put a version back; what it replaces stays in the history
    Restore {
        /// The file
        name: OsString,
        /// Which version (a number, or a record's id)
        #[arg(long, value_name = "N")]
        version: String,
        /// Put it at this name (in the base folder) instead
        #[arg(long, value_name = "T")]
        to: Option<OsString>,
        #[command(flatten)]
        durability: DurabilityOption,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Give a version a name; a tagged version is never pruned
    Tag {
        /// The file
        name: OsString,
        /// The version
        #[arg(value_name = "N")]
        version: u64,
        /// The tag
        tag: String,
        /// Take the tag away
        #[arg(long)]
        remove: bool,
    },
    /// Remove old versions that no --keep rule keeps, of one file or of all
    ///
    /// A version stays if any rule keeps it. The newest of each file and the tagged ones always stay.
    Prune {
        /// The file; every file unless given
        name: Option<OsString>,
        #[command(flatten)]
        keep: Keep,
        #[command(flatten)]
        leases: Leases,
    },
    /// Read and change JSON documents, atomically and under the lock
    #[command(subcommand)]
    Json(Json),
    /// Named snapshots of files and folders, incremental by content
    Backup {
        /// Where the backups are (an ordinary path; default: .electrus/backups in the base folder)
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        #[command(subcommand)]
        action: Backup,
    },
    /// Run many operations on all cores, given as JSON; one that fails fails alone
    #[command(after_long_help = crate::batch::HELP)]
    Batch {
        /// A file with a JSON list of operations; - is stdin
        file: PathBuf,
    },
    /// The same, all or none: writes, deletes, renames and copies that a crash cannot split
    #[command(after_long_help = crate::batch::HELP)]
    Tx {
        /// A file with a JSON list of operations; - is stdin
        file: PathBuf,
    },
    /// Check everything in the store, every byte; exit status 1 if something is damaged
    Verify {
        /// Mend what can be mended, then check
        #[arg(long)]
        repair: bool,
        #[command(flatten)]
        leases: Leases,
    },
    /// Bring in what the original Python Electrus left in DIR (.versions, .backups); DIR is not changed
    Import {
        /// The folder (an ordinary path)
        dir: PathBuf,
    },
}

/// Where new content comes from: stdin unless one of these is given.
#[derive(Debug, Args)]
pub struct Content {
    /// Read the content from FILE (an ordinary path; - is stdin)
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub from: Option<PathBuf>,
    /// The content itself
    #[arg(long, value_name = "S", allow_hyphen_values = true)]
    pub text: Option<OsString>,
}

#[derive(Debug, Args)]
pub struct Digest {
    /// Checksum: md5, sha1, sha256 (default), sha512, blake2b or blake3
    #[arg(short = 'a', long = "algorithm", value_name = "ALGO")]
    pub algorithm: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Durability {
    /// Content and name survive a power cut once the command returns
    Full,
    /// The content does; the old name may come back
    Data,
    /// Atomic, but a power cut may lose it
    None,
}

#[derive(Debug, Args)]
pub struct DurabilityOption {
    /// What must survive a power cut (default: full)
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub durability: Option<Durability>,
}

#[derive(Debug, Args)]
pub struct Waiting {
    /// Seconds to wait for the file's lock (default 10); 0 tries once, a negative number waits for ever
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub lock_timeout: Option<f64>,
}

/// Options of every change.
#[derive(Debug, Args)]
pub struct Change {
    /// Keep no version of this change
    #[arg(long)]
    pub no_version: bool,
    #[command(flatten)]
    pub durability: DurabilityOption,
    #[command(flatten)]
    pub waiting: Waiting,
}

/// Options of what stores new content.
#[derive(Debug, Args)]
pub struct Store {
    #[command(flatten)]
    pub change: Change,
    /// Replace only a file that has this checksum (H, or ALGO:H)
    #[arg(long, value_name = "H", conflicts_with = "if_absent")]
    pub if_checksum: Option<String>,
    /// Only if there is no such file yet
    #[arg(long)]
    pub if_absent: bool,
    #[command(flatten)]
    pub digest: Digest,
}

#[derive(Debug, Args)]
pub struct Write {
    /// The file; missing folders on its way are made
    pub name: OsString,
    #[command(flatten)]
    pub content: Content,
    #[command(flatten)]
    pub store: Store,
    /// Permissions in octal, in place of the old file's
    #[arg(long, value_name = "MODE")]
    pub mode: Option<String>,
}

#[derive(Debug, Args)]
pub struct Read {
    /// The file
    pub name: OsString,
    /// A version (a number, or a record's id) in place of the file as it is
    #[arg(long, value_name = "N")]
    pub version: Option<String>,
    /// Fail with exit status 1 unless the content has this checksum (H, or ALGO:H)
    #[arg(long, value_name = "H")]
    pub expect: Option<String>,
    #[command(flatten)]
    pub digest: Digest,
}

#[derive(Debug, Args)]
pub struct Transfer {
    /// The file
    #[arg(value_name = "SRC")]
    pub source: OsString,
    /// Its new place
    #[arg(value_name = "DST")]
    pub destination: OsString,
    #[command(flatten)]
    pub change: Change,
    /// Replace only a file that has this checksum (H, or ALGO:H)
    #[arg(long, value_name = "H", conflicts_with = "if_absent")]
    pub if_checksum: Option<String>,
    /// Only if there is no such file yet
    #[arg(long)]
    pub if_absent: bool,
    #[command(flatten)]
    pub digest: Digest,
}

#[derive(Debug, Args)]
pub struct Checksum {
    /// The files (ordinary paths; - is stdin, and the default)
    #[arg(value_name = "FILE", default_value = "-")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub digest: Digest,
    /// Read checksums from each FILE and check them; without -a, each line's length tells the algorithm
    #[arg(short = 'c', long)]
    pub check: bool,
    /// Name the algorithm in each line, as 'sha256sum --tag' does
    #[arg(long, conflicts_with = "check")]
    pub tag: bool,
    /// Mark the names with '*', as 'sha256sum -b' does; all files are read as they are
    #[arg(short, long, conflicts_with = "check", overrides_with = "text")]
    pub binary: bool,
    /// Mark the names with a space, which is the default
    #[arg(short, long, conflicts_with_all = ["check", "tag"], overrides_with = "binary")]
    pub text: bool,
    /// With -c: do not print OK lines
    #[arg(long, requires = "check")]
    pub quiet: bool,
    /// With -c: print nothing, the exit status tells
    #[arg(long, requires = "check")]
    pub status: bool,
    /// With -c: do not fail for files that are not there
    #[arg(long, requires = "check")]
    pub ignore_missing: bool,
    /// With -c: name each line that is no checksum line
    #[arg(short, long, requires = "check")]
    pub warn: bool,
    /// With -c: fail for lines that are no checksum lines
    #[arg(long, requires = "check")]
    pub strict: bool,
}

#[derive(Debug, Args)]
pub struct Lock {
    /// Admit other shared holders
    #[arg(long)]
    pub shared: bool,
    /// Seconds to wait; 0 tries once, a negative number waits for ever
    #[arg(long, value_name = "S", default_value = "10", allow_negative_numbers = true)]
    pub timeout: f64,
    /// The file (an ordinary path); its lock is FILE.lock
    pub file: PathBuf,
    /// What to run; its exit status is given on, 75 means that the lock was not had in time
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// What stays.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Keep {
    /// Keep the last N
    #[arg(long, value_name = "N")]
    pub keep_last: Option<u64>,
    /// Keep those younger than this: 90s, 30m, 12h, 7d, 4w
    #[arg(long, value_name = "AGE", value_parser = crate::units::duration)]
    pub keep_within: Option<f64>,
    /// Keep the newest whose sizes add up to at most this: 500M, 2G
    #[arg(long, value_name = "SIZE", value_parser = crate::units::size)]
    pub keep_under: Option<u64>,
}

#[derive(Debug, Args)]
pub struct Leases {
    /// Go on although a WASI writer left its lease (it may have died, or be at work)
    #[arg(long)]
    pub break_leases: bool,
}

/// Commands on JSON documents.
#[derive(Debug, Subcommand)]
pub enum Json {
    /// Print the value that a JSON Pointer (RFC 6901) names; the whole document without one
    Get {
        /// The file
        name: OsString,
        /// For example /users/0/name
        #[arg(default_value = "")]
        pointer: String,
    },
    /// Set the value that a JSON Pointer names
    Set {
        /// The file
        name: OsString,
        /// For example /debug, or /users/- to append
        pointer: String,
        /// The new value as JSON; strings have their quotes: '"text"'
        #[arg(allow_negative_numbers = true)]
        value: String,
        #[command(flatten)]
        store: JsonStore,
    },
    /// Apply a JSON Merge Patch (RFC 7396) from stdin, --from or --text
    Merge {
        /// The file
        name: OsString,
        #[command(flatten)]
        content: Content,
        #[command(flatten)]
        store: JsonStore,
    },
    /// Apply a JSON Patch (RFC 6902) from stdin, --from or --text
    Patch {
        /// The file
        name: OsString,
        #[command(flatten)]
        content: Content,
        #[command(flatten)]
        store: JsonStore,
    },
    /// Replace the document with the one on stdin, --from or --text, checked and indented
    Write {
        /// The file
        name: OsString,
        #[command(flatten)]
        content: Content,
        #[command(flatten)]
        store: Store,
    },
}

/// Options of an update of a document that is there.
#[derive(Debug, Args)]
pub struct JsonStore {
    #[command(flatten)]
    pub change: Change,
    /// Change only a file that has this checksum (H, or ALGO:H)
    #[arg(long, value_name = "H")]
    pub if_checksum: Option<String>,
    #[command(flatten)]
    pub digest: Digest,
}

/// Commands on backups.
#[derive(Debug, Subcommand)]
pub enum Backup {
    /// Back up files and folders; what has not changed is not read again
    ///
    /// The exit status is 1 if a file could not be read, or changed all the while: the backup stands without it, or as it was read.
    Create {
        /// Its name (default: made from the time)
        #[arg(long, value_name = "B")]
        name: Option<String>,
        /// Leave out what matches, for example '*.tmp' or 'target/**'
        #[arg(long, value_name = "GLOB")]
        exclude: Vec<String>,
        /// Files and folders (ordinary paths)
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
    /// List the backups
    List,
    /// List what a backup holds
    Show {
        /// Its name
        #[arg(value_name = "B")]
        name: String,
    },
    /// Print one file of a backup
    Read {
        /// The backup's name
        #[arg(value_name = "B")]
        name: String,
        /// The file, as 'show' lists it
        #[arg(value_name = "PATH")]
        path: PathBuf,
    },
    /// Read a backup back, or all, every byte; exit status 1 if something is damaged
    Verify {
        /// Its name
        #[arg(value_name = "B")]
        name: Option<String>,
    },
    /// Bring back a backup, whole or in part
    Restore {
        /// Its name
        #[arg(value_name = "B")]
        name: String,
        /// Restore into this folder (an ordinary path) in place of the original places
        #[arg(long, value_name = "DEST")]
        to: Option<PathBuf>,
        /// Replace files that have changed since; what was in the base folder goes into the history first, what was
        /// elsewhere (with --to) is lost
        #[arg(long)]
        overwrite: bool,
        /// Change nothing: list what stands in the way
        #[arg(long, conflicts_with = "overwrite")]
        dry_run: bool,
        /// Only these (as 'show' lists them)
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Remove old backups that no --keep rule keeps
    Prune {
        #[command(flatten)]
        keep: Keep,
        #[command(flatten)]
        leases: Leases,
    },
}
