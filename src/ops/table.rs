//! The table of operations: one row each.

use super::fields::*;
use super::{Operation, backup, batch, files, history, json, store, transaction};
use crate::wire::Field;
use crate::wire::Type::*;

/// Every operation, by the name that all faces use.
pub static OPERATIONS: &[Operation] = &[
    Operation::new(
        "write",
        files::write,
        "Replaces the content of a file: locked, atomic, durable, versioned, verified.",
    )
    .takes(&[
        NAME,
        &[Field::always("content", Content, "The new content.")],
        VERSIONED,
        VERIFIED,
        ALGORITHM,
        DURABILITY,
        IF_CHECKSUM,
        IF_ABSENT,
        MODE,
        LOCK,
    ])
    .gives(CHANGED)
    .changes()
    .in_batch()
    .in_transaction(),
    Operation::new("read", files::read, "Reads a file, or a version of it; large contents come as a stream.")
        .takes(&[
            NAME,
            &[Field::sometimes("version", Version, "A version in place of the file as it is.")],
            EXPECTED,
            ALGORITHM,
        ])
        .gives(&[
            FILE_PATH,
            SIZE,
            DIGEST,
            &[
                Field::or_null("version", Count, "The version that was read, if one was asked for."),
                Field::always("content", Content, "The content."),
            ],
        ])
        .in_batch(),
    Operation::new("stat", files::stat, "What is known of a file.")
        .takes(&[NAME, ALGORITHM])
        .gives(&[
            &[Field::always("filename", Text, "Its name without folders.")],
            SIZE,
            &[
                Field::always("checksum", Checksum, "Checksum of the content, in hex digits."),
                Field::always("checksum_algorithm", Algorithm, "Its algorithm."),
                Field::always(
                    "created_at",
                    Time,
                    "When it was born; where that is not kept, the earliest time known of it.",
                ),
                Field::always("modified_at", Time, "When its content was last modified."),
                Field::always("version", Count, "Its newest version; 0 if it has none."),
                Field::always("permissions", Mode, "Permission bits in octal."),
            ],
            FILE_PATH,
            &[Field::always("kind", Text, "`file`.")],
        ])
        .in_batch(),
    Operation::new("copy", files::copy, "Copies a file, content and mode; the destination is written as by `write`.")
        .takes(&[TWO_NAMES, VERSIONED, VERIFIED, ALGORITHM, DURABILITY, IF_DESTINATION, IF_ABSENT, LOCK])
        .gives(CHANGED)
        .changes()
        .in_batch()
        .in_transaction(),
    Operation::new("rename", files::rename, "Renames a file; both histories tell of it.")
        .takes(&[TWO_NAMES, VERSIONED, ALGORITHM, DURABILITY, IF_DESTINATION, IF_ABSENT, LOCK])
        .gives(CHANGED)
        .changes()
        .in_batch()
        .in_transaction(),
    Operation::new("delete", files::delete, "Deletes a file; its history stays, and what stood there is in it.")
        .takes(&[NAME, VERSIONED, DURABILITY, IF_CHECKSUM, LOCK])
        .gives(DELETED)
        .changes()
        .in_batch()
        .in_transaction(),
    Operation::new("checksum", files::checksum, "Checksums of a file, several in one pass.")
        .takes(&[
            NAME,
            &[
                Field::default("algorithm", Algorithm, "\"sha256\"", "The algorithm."),
                Field::sometimes("algorithms", Algorithms, "Several, in place of one."),
                Field::sometimes("chunk_size", Count, "Bytes to read at a time; chosen well unless given."),
            ],
        ])
        .gives(&[
            FILE_PATH,
            SIZE,
            DIGEST,
            &[Field::always("checksums", Object, "Every checksum by the name of its algorithm.")],
        ])
        .in_batch(),
    Operation::new("locks", files::locks, "Who holds the lock of a file, in this or another process or tool.")
        .takes(&[NAME])
        .gives(&[
            FILE_PATH,
            &[
                Field::always("locked", Flag, "Whether anybody does."),
                Field::always(
                    "holders",
                    List,
                    "Who: `pid`, `type`, `since`, `host`, `source`, each null if not known.",
                ),
                Field::always(
                    "scope",
                    Text,
                    "Who is excluded: `system`, every process on this machine, or `process`, the threads of this one.",
                ),
            ],
        ])
        .in_batch(),
    Operation::new(
        "snapshot",
        history::snapshot,
        "Records a file as it stands, whoever wrote it; the newest version again if it is that.",
    )
    .takes(&[NAME, ALGORITHM, LOCK])
    .gives(CHANGED)
    .changes()
    .in_batch(),
    Operation::new("versions", history::versions, "The versions of a file, or every file that has some.")
        .takes(&[&[Field::sometimes("path", Path, "The file; all of them unless given.")]])
        .gives(&[&[
            Field::sometimes("file_path", Path, "The full path of the file, if one was named."),
            Field::sometimes(
                "versions",
                List,
                concat!(
                    "By number: `version`, `kind`, `size`, `checksum`, `algorithm`, `timestamp`, `tags`, `record`, ",
                    "`landed` (null: not known), `conflict`, and where it has them `of` and `other` (a full path)."
                ),
            ),
            Field::sometimes("files", List, "Without a name: `file_path` (full), `versions` (how many), `newest`."),
        ]])
        .in_batch(),
    Operation::new("diff", history::diff, "What changed from one version to another, or to the file as it is.")
        .takes(&[
            NAME,
            &[
                Field::always("from", Version, "The older."),
                Field::sometimes("to", Version, "The newer; the file as it is unless given."),
            ],
        ])
        .gives(&[
            FILE_PATH,
            &[
                Field::always("from", Version, "The older."),
                Field::or_null("to", Version, "The newer; null is the file."),
                Field::always("diff", Text, "A unified diff of text, or a sentence about bytes."),
                Field::always("identical", Flag, "Whether nothing differs."),
            ],
        ])
        .in_batch(),
    Operation::new(
        "restore",
        history::restore,
        "Puts a version back: verified before it replaces, atomic, and recorded as a new version.",
    )
    .takes(&[
        NAME,
        &[
            Field::always("version", Version, "Which."),
            Field::sometimes("to", Path, "Another name; its own unless given."),
        ],
        ALGORITHM,
        DURABILITY,
        LOCK,
    ])
    .gives(CHANGED)
    .changes()
    .in_batch(),
    Operation::new("tag", history::tag, "Tags a version, so that prune keeps it, or takes the tag away.")
        .takes(&[
            NAME,
            &[
                Field::always("version", Count, "Which."),
                Field::always("tag", Text, "The tag."),
                Field::default("remove", Flag, "false", "Take it away."),
            ],
        ])
        .gives(&[FILE_PATH, &[Field::always("version", Count, "Which."), Field::always("tag", Text, "The tag.")]])
        .changes()
        .in_batch(),
    Operation::new(
        "prune",
        history::prune,
        "Removes versions that no rule keeps, of one file or of all; the newest and the tagged stay.",
    )
    .takes(&[&[Field::sometimes("path", Path, "The file; all of them unless given.")], RETENTION, BREAK_LEASES])
    .gives(&[
        &[Field::always("versions", Count, "Versions removed."), Field::always("backups", Count, "Backups removed.")],
        SPACE,
    ])
    .changes()
    .in_batch_alone(),
    Operation::new(
        "json_read",
        json::get,
        "Reads a JSON document, or the value a JSON Pointer (RFC 6901) names in it.",
    )
    .takes(&[NAME, POINTER, EXPECTED, ALGORITHM])
    .gives(JSON_VALUE)
    .in_batch(),
    Operation::new("json_get", json::get, "The same as `json_read`.")
        .takes(&[NAME, POINTER, EXPECTED, ALGORITHM])
        .gives(JSON_VALUE)
        .in_batch(),
    Operation::new(
        "json_write",
        json::write,
        "Replaces a JSON document: UTF-8, indented by 2, keys in their order, numbers digit for digit.",
    )
    .takes(&[
        NAME,
        &[Field::always("data", Json, "The document.")],
        VERSIONED,
        ALGORITHM,
        DURABILITY,
        IF_CHECKSUM,
        IF_ABSENT,
        LOCK,
    ])
    .gives(CHANGED)
    .changes()
    .in_batch(),
    Operation::new("json_set", json::set, "Sets one value in a JSON document, under the file's lock.")
        .takes(&[
            NAME,
            &[
                Field::always("pointer", Text, "Where (RFC 6901); `/-` at the end appends to a list."),
                Field::always("value", Json, "The value."),
            ],
            VERSIONED,
            ALGORITHM,
            DURABILITY,
            IF_CHECKSUM,
            LOCK,
        ])
        .gives(CHANGED)
        .changes()
        .in_batch(),
    Operation::new("json_merge", json::merge, "Merges into a JSON document (RFC 7396), under the file's lock.")
        .takes(&[
            NAME,
            &[Field::always("patch", Json, "The merge patch; null removes a key.")],
            VERSIONED,
            ALGORITHM,
            DURABILITY,
            IF_CHECKSUM,
            LOCK,
        ])
        .gives(CHANGED)
        .changes()
        .in_batch(),
    Operation::new(
        "json_patch",
        json::patch,
        "Applies a JSON Patch (RFC 6902), all of it or nothing, under the file's lock.",
    )
    .takes(&[
        NAME,
        &[Field::always("patch", Json, "The list of steps.")],
        VERSIONED,
        ALGORITHM,
        DURABILITY,
        IF_CHECKSUM,
        LOCK,
    ])
    .gives(CHANGED)
    .changes()
    .in_batch(),
    Operation::on_backups(
        "backup_create",
        backup::create,
        "Backs files and folders up under a new name; what did not change is not stored again.",
    )
    .takes(&[&[
        Field::sometimes("name", Text, "Its name; one with the time unless given. One that exists is refused."),
        Field::default("paths", Paths, "[\".\"]", "Files and folders, beneath the base folder."),
        Field::sometimes("exclude", Texts, "Patterns of what to leave out, as gitignore has them."),
        Field::default("list_files", Flag, "true", "List every file in the result; without, memory stays flat."),
    ]])
    .gives(BACKUP_MADE)
    .changes()
    .in_batch_alone(),
    Operation::on_backups("backup_list", backup::list, "Every backup, by time.")
        .gives(&[&[Field::always("backups", List, "Each: `name`, `timestamp`, `file_count`, `total_size`.")]])
        .in_batch_alone(),
    Operation::on_backups("backup_show", backup::show, "What a backup holds.")
        .takes(&[BACKUP_NAME])
        .gives(BACKUP)
        .in_batch_alone(),
    Operation::on_backups("backup_read", backup::read, "Reads one file of a backup, verified.")
        .takes(&[
            BACKUP_NAME,
            &[Field::always("path", Path, "The file, as `backup_show` names it.")],
            ALGORITHM,
        ])
        .gives(&[
            BACKUP_NAME,
            &[Field::always("path", Path, "The file.")],
            SIZE,
            DIGEST,
            &[Field::always("content", Content, "The content.")],
        ])
        .in_batch_alone(),
    Operation::on_backups("backup_verify", backup::verify, "Reads and checks every byte of a backup, or of all.")
        .takes(&[&[Field::sometimes("name", Text, "The backup; all of them unless given.")]])
        .gives(&[&[
            Field::always("ok", Flag, "Whether nothing is damaged."),
            Field::always(
                "damaged",
                List,
                "Files that cannot be restored (`backup`, `path`, `what`), and places of the store as `verify` has them.",
            ),
            Field::always("backups", Count, "Backups checked."),
            Field::always("files", Count, "Files checked."),
            Field::always("bytes", Count, "Bytes of them."),
        ]])
        .in_batch_alone(),
    Operation::on_backups(
        "backup_restore",
        backup::restore,
        "Restores a backup or a part of it, to its place or elsewhere; what it replaces is in history first.",
    )
    .takes(&[
        BACKUP_NAME,
        &[
            Field::default("overwrite", Flag, "false", "Overwrite files that have changed since; refused otherwise."),
        ],
        RESTORED_PART,
    ])
    .gives(&[
        BACKUP_NAME,
        &[
            Field::always("restored", Count, "Files and links that were written."),
            Field::always("bytes", Count, "Bytes of them."),
            Field::always("skipped", List, "Those that stood there as they are in the backup: `path`."),
            Field::always("overwritten", List, "Those that were overwritten: `path`."),
            Field::always("versioned", Count, "Of those, how many went into history because it did not hold them."),
            Field::always("warnings", List, "What could not be given back: `path`, `kind`, `message`."),
        ],
    ])
    .changes()
    .in_batch_alone(),
    Operation::on_backups(
        "backup_conflicts",
        backup::conflicts,
        "What stands in the way of a restore; nothing is changed.",
    )
    .takes(&[BACKUP_NAME, RESTORED_PART])
    .gives(&[
        BACKUP_NAME,
        &[Field::always("conflicts", List, "Each: `path`, `what` is there, whether `can_overwrite` helps.")],
    ])
    .in_batch_alone(),
    Operation::on_backups("backup_prune", backup::prune, "Removes backups that no rule keeps; the newest stays.")
        .takes(&[RETENTION, BREAK_LEASES])
        .gives(&[&[Field::always("backups", Count, "Backups removed.")], SPACE])
        .changes()
        .in_batch_alone(),
    Operation::new(
        "batch",
        batch::batch,
        "Runs operations on all cores, those of one name in their order; one that fails fails alone.",
    )
    .takes(&[OPERATIONS_OPTION])
    .gives(&[RESULTS])
    .changes(),
    Operation::new(
        "transaction",
        transaction::transaction,
        "Writes, deletes, renames and copies several files, all or none, whenever the machine stops.",
    )
    .takes(&[OPERATIONS_OPTION, VERIFIED, ALGORITHM, TIMEOUT])
    .gives(&[RESULTS, &[Field::always("id", Text, "Names the transaction.")]])
    .changes(),
    Operation::new("verify", store::verify, "Reads and checks every byte of the store, and changes none.")
        .gives(&[&[
            Field::always("ok", Flag, "Whether nothing is damaged."),
            Field::always("damaged", List, "Where something is: `file`, `offset`, `what`, `affected`."),
            Field::always("conflicts", List, "`NAME@N` of numbers that two records claim."),
            Field::always("torn", Count, "Tails that crashes left; nobody was told that they are kept."),
            Field::always("bytes", Count, "Bytes read."),
            Field::always("versions", Count, "Versions checked."),
            Field::always("backups", Count, "Backups checked."),
        ]])
        .in_batch_alone(),
    Operation::new(
        "repair",
        store::repair,
        "Rebuilds indexes and sets damage aside, so that everything else works on.",
    )
    .takes(&[BREAK_LEASES])
    .gives(&[&[Field::always("actions", Texts, "What was done.")]])
    .changes(),
    Operation::new(
        "import",
        store::import,
        "Imports what the original Python Electrus left in a folder, which stays as it is.",
    )
    .takes(&[&[Field::always("from", Path, "That folder: an ordinary path.")]])
    .gives(&[&[
        Field::always("imported", Object, "How many `versions` and `backups`."),
        Field::always("skipped", Texts, "What was left out, and why."),
        Field::always("problems", Texts, "What is wrong there."),
    ]])
    .changes()
    .in_batch_alone(),
];
