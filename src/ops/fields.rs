//! Keys that several operations share.

use crate::wire::Field;
use crate::wire::Type::*;

pub const NAME: &[Field] = &[Field::always("path", Path, "The file, by its name beneath the base folder.")];

pub const TWO_NAMES: &[Field] = &[
    Field::always("source", Path, "The file as it is called now."),
    Field::always("destination", Path, "The other name; missing folders are created."),
];

const WAIT: Field =
    Field::default("timeout", Seconds, "10", "How long to wait for the lock; 0 tries once, negative waits for ever.");

pub const TIMEOUT: &[Field] = &[WAIT];

pub const LOCK: &[Field] =
    &[Field::sometimes("lock", Lock, "Run under this lock, which the caller holds, instead of taking one."), WAIT];

pub const DURABILITY: &[Field] = &[Field::default(
    "durability",
    Durability,
    "\"full\"",
    "What to survive: `full` a power cut, `data` one that may lose the name, `none` only crashes of programs.",
)];

pub const VERSIONED: &[Field] = &[Field::default(
    "create_version",
    Flag,
    "true",
    "Record the new content in history, and what it replaces if history does not hold that.",
)];

pub const VERIFIED: &[Field] =
    &[Field::default("verify_integrity", Flag, "true", "Read the file back after the write and compare.")];

pub const ALGORITHM: &[Field] = &[Field::default("algorithm", Algorithm, "\"sha256\"", "The checksum in the result.")];

pub const IF_ABSENT: &[Field] =
    &[Field::default("if_absent", Flag, "false", "Fail with `already_exists` if there is such a file.")];

pub const IF_CHECKSUM: &[Field] =
    &[Field::sometimes("if_checksum", Checksum, "Fail with `changed` unless the file has this checksum now.")];

pub const IF_DESTINATION: &[Field] =
    &[Field::sometimes("if_checksum", Checksum, "Fail with `changed` unless the destination has this checksum now.")];

pub const MODE: &[Field] = &[Field::sometimes(
    "mode",
    Mode,
    "Permission bits; those of the replaced file, or 666 less the umask, unless given.",
)];

pub const RETENTION: &[Field] = &[
    Field::sometimes("keep_last", Count, "Keep the last N."),
    Field::sometimes("keep_within", Seconds, "Keep those younger than this."),
    Field::sometimes("keep_under", Count, "Keep the newest whose sizes add up to at most this many bytes."),
];

pub const BREAK_LEASES: &[Field] =
    &[Field::default("break_leases", Flag, "false", "Go on although a writer that cannot lock left a lease.")];

pub const OPERATIONS_OPTION: &[Field] =
    &[Field::always("operations", Operations, "Requests, each with the name of its operation as `type`.")];

pub const FILE_PATH: &[Field] = &[Field::always("file_path", Path, "The full path.")];

pub const DIGEST: &[Field] = &[
    Field::always("checksum", Checksum, "Checksum of the content, in hex digits."),
    Field::always("algorithm", Algorithm, "Its algorithm."),
];

pub const SIZE: &[Field] = &[Field::always("size", Count, "Bytes.")];

pub const CHANGE: &[Field] = &[
    Field::always("version_created", Flag, "Whether history holds what stands there now."),
    Field::or_null("version", Count, "Its number."),
    Field::sometimes("outside_edit", Count, "The version that keeps what something else had written there before."),
    Field::always("timestamp", Time, "When."),
    Field::always("durability", Durability, "What was achieved."),
];

pub const CHANGED: &[&[Field]] = &[FILE_PATH, SIZE, DIGEST, CHANGE];

/// Of what is gone: the keys of every change.
pub const DELETED: &[&[Field]] = &[
    FILE_PATH,
    &[
        Field::or_null("size", Count, "Null: nothing is left to have one."),
        Field::or_null("checksum", Checksum, "Null, as the size."),
        Field::or_null("algorithm", Algorithm, "Null, as the size."),
    ],
    CHANGE,
];

pub const SPACE: &[Field] = &[
    Field::always("bytes_before", Count, "Bytes of the store before."),
    Field::always("bytes_after", Count, "Bytes of the store after."),
];

pub const RESULTS: &[Field] = &[Field::always(
    "results",
    List,
    concat!(
        "One for each operation, in order: `type`, `path` (as it was given), `status` (`success` or `error`), ",
        "and the keys of its result, or `error`."
    ),
)];

pub const BACKUP_NAME: &[Field] = &[Field::always("name", Text, "The backup.")];

pub const RESTORED_PART: &[Field] = &[
    Field::sometimes("to", Path, "A folder (an ordinary path); where the files came from unless given."),
    Field::sometimes("paths", Paths, "A part: these files and folders; everything unless given."),
];

const BACKUP_KEYS: &[Field] = &[
    Field::always(
        "files",
        List,
        concat!(
            "What it holds: `path`, `kind` (`file`, `symlink`, `folder`), `size`, `permissions`, `modified_at`, ",
            "of files `checksum` and `algorithm`, of links `target`; `changed_while_read` if it may be a mix."
        ),
    ),
    Field::always("file_count", Count, "Files and links in it."),
    Field::always("total_size", Count, "Bytes of those files."),
    Field::always("timestamp", Time, "When it was made."),
    Field::always("complete", Flag, "Whether all is in it that was asked for, each file as it was at one moment."),
];

pub const BACKUP: &[&[Field]] = &[BACKUP_NAME, BACKUP_KEYS];

pub const BACKUP_MADE: &[&[Field]] = &[
    BACKUP_NAME,
    BACKUP_KEYS,
    &[
        Field::always("read_size", Count, "Bytes that were read, as nothing said that they had not changed."),
        Field::always("added_size", Count, "Bytes that were not in the store yet."),
        Field::always("warnings", List, "What is not as it should be: `path`, `kind`, `message`."),
    ],
];

pub const JSON_VALUE: &[&[Field]] = &[
    FILE_PATH,
    &[Field::always("data", Json, "The value.")],
    &[Field::always("size", Count, "Bytes of the whole file.")],
    DIGEST,
];

pub const POINTER: &[Field] = &[Field::default("pointer", Text, "\"\"", "Which value (RFC 6901); empty is all.")];

pub const EXPECTED: &[Field] = &[Field::sometimes(
    "expected_checksum",
    Checksum,
    "Fail with `checksum_mismatch` unless the content has this checksum.",
)];
