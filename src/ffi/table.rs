//! The table of exports: which operation each runs, which keys of its request are arguments, which are options.
//!
//! The header comes from the functions themselves; a test sees to it that each of them has its row here, and each row its
//! function.

use super::call::CALL;
use crate::ops::{Operation, fields::*};
use crate::wire::{Field, Type};
use serde_json::{Value, json};

/// One export.
#[derive(Debug)]
pub struct Function {
    /// Its name in the header.
    pub name: &'static str,
    /// The operation of the table that it runs.
    pub operation: Option<&'static str>,
    /// Keys of the request that are arguments of the function.
    pub arguments: &'static [&'static str],
    /// Keys beside those of the operation.
    own: &'static [&'static [Field]],
    /// Keys of its result, where that is not the operation's.
    gives: &'static [&'static [Field]],
    /// Whether it takes the options of every call.
    context: bool,
    /// Whether it takes all options of its operation.
    all: bool,
}

impl Function {
    const fn plain(name: &'static str) -> Function {
        Function { name, operation: None, arguments: &[], own: &[], gives: &[], context: false, all: false }
    }

    const fn of(name: &'static str, operation: &'static str, arguments: &'static [&'static str]) -> Function {
        Function { name, operation: Some(operation), arguments, own: &[], gives: &[], context: true, all: true }
    }

    const fn with(
        name: &'static str,
        arguments: &'static [&'static str],
        own: &'static [&'static [Field]],
        context: bool,
    ) -> Function {
        Function { name, operation: None, arguments, own, gives: &[], context, all: false }
    }

    /// A function that only notes what is to be done later, with some options of the operation.
    const fn staging(
        name: &'static str,
        operation: &'static str,
        arguments: &'static [&'static str],
        own: &'static [&'static [Field]],
    ) -> Function {
        Function { name, operation: Some(operation), arguments, own, gives: STAGED, context: false, all: false }
    }

    const fn and(mut self, own: &'static [&'static [Field]]) -> Function {
        self.own = own;
        self
    }

    const fn gives(mut self, gives: &'static [&'static [Field]]) -> Function {
        self.gives = gives;
        self
    }

    /// The keys of its result.
    pub fn results(&self) -> Vec<Field> {
        let operation = self.operation.filter(|_| self.all).and_then(|name| Operation::find(name).ok());
        let own = self.gives.iter().copied().flatten();
        operation.into_iter().flat_map(|operation| operation.results()).chain(own).copied().collect()
    }

    /// The keys of its request, arguments included, but for those of every call.
    pub fn fields(&self) -> Vec<Field> {
        let operation = self.operation.filter(|_| self.all).and_then(|name| Operation::find(name).ok());
        let own = self.own.iter().copied().flatten();
        operation.into_iter().flat_map(|operation| operation.options()).chain(own).copied().collect()
    }

    /// The keys that its argument `options` may hold.
    pub fn options(&self) -> impl Iterator<Item = Field> + use<> {
        let (arguments, context) = (self.arguments, if self.context { CALL } else { &[] });
        self.fields().into_iter().chain(context.iter().copied()).filter(move |f| !arguments.contains(&f.key))
    }
}

const OPEN_BASE: &[Field] = &[Field::always("base", Type::Path, "The folder, by an ordinary path.")];

const SHARED: Field =
    Field::sometimes("shared", Type::Text, "`group`: the folder's group may read and write the store.");

const READ_ONLY: Field = Field::default("read_only", Type::Flag, "false", "Never change a byte.");

const OPEN: &[Field] = &[
    Field::default("allow_outside", Type::Flag, "false", "Names may lead out of the base folder."),
    READ_ONLY,
    SHARED,
    Field::sometimes("backup_dir", Type::Path, "Where backups go, from the base; in its store unless given."),
    Field::default("backup_anywhere", Type::Flag, "false", "Backups take and restore to ordinary paths."),
];

const BACKUP_OPEN_OPTIONS: &[Field] = &[READ_ONLY, SHARED];

const ORDINARY: &[Field] = &[Field::always("path", Type::Path, "The file, by an ordinary path.")];

const FOLDER: &[Field] = &[Field::always("folder", Type::Path, "The folder, by an ordinary path.")];

const LOCKING: &[Field] = &[
    Field::default("type", Type::Text, "\"exclusive\"", "`exclusive` (or `write`), `shared` (or `read`)."),
    TIMEOUT[0],
];

const VERSION: &[Field] = &[Field::sometimes("version", Type::Version, "A version in place of the file as it is.")];

const RECORD: &[Field] =
    &[Field::sometimes("record", Type::Text, "One of two versions that claim a number; that is 0 then.")];

const OPENED: &[Field] = &[
    Field::always("base", Type::Path, "The full path of the base folder."),
    Field::always(
        "recovered",
        Type::List,
        "Transactions that a crash had left: `id`, `files`, and `problem` if there is one.",
    ),
];

const RECOVERED: &[Field] = &[OPENED[1]];

const BACKUPS_OPENED: &[Field] = &[Field::always("folder", Type::Path, "The full path of the backup folder.")];

const SCOPE: Field = Field::always("scope", Type::Text, "Who is excluded: `system`, or `process`.");

const LOCKED: &[Field] = &[
    Field::always("type", Type::Text, "`exclusive` or `shared`."),
    Field::always("since", Type::Time, "When it was taken."),
    SCOPE,
];

const LENT: &[Field] = &[
    Field::always("variable", Type::Text, "The environment variable to set."),
    Field::always("value", Type::Text, "What to set it to."),
];

const HOLDERS: &[Field] = &[
    Field::always("locked", Type::Flag, "Whether anybody holds it."),
    Field::always("holders", Type::List, "Who: `pid`, `type`, `since`, `host`, `source`, each null if not known."),
    SCOPE,
];

const ACHIEVED: &[Field] = &[Field::always("durability", Type::Durability, "What was achieved.")];

const REMOVED: &[Field] = &[Field::always("removed", Type::List, "Of each file that was removed: `path`.")];

const CHECKSUMS: &[Field] = &[Field::always("checksums", Type::Object, "Every checksum by the name of its algorithm.")];

const OK: &[Field] = &[Field::always("ok", Type::Flag, "Whether the file has the expected checksum.")];

const TREE: &[Field] = &[Field::always(
    "files",
    Type::List,
    "Of each: `path`, and `size`, `checksum`, `algorithm`, `checksums`, or `error`.",
)];

const STAGED: &[&[Field]] = &[&[Field::always("staged", Type::Count, "How many changes are staged.")]];

const DONE: &[Field] = &[Field::always("done", Type::Flag, "Whether the task has come to its end.")];

const USAGE: &[Field] = &[
    Field::always("handles", Type::Object, "Open handles, by kind."),
    Field::always("buffers", Type::Count, "Blocks of memory that are with the caller."),
    Field::always("bytes", Type::Count, "Bytes of them."),
];

const TABLES: &[Field] = &[
    Field::always("types", Type::Object, "What a value of each type looks like."),
    Field::always("operations", Type::List, "As in abi/operations.json."),
    Field::always("codes", Type::List, "As in abi/codes.json."),
    Field::always("functions", Type::List, "This table."),
];

const HELD: &[Field] = &[LOCK[0]];

const TIDY: &[Field] = &[Field::default(
    "include_unlocked",
    Type::Flag,
    "false",
    "Also those of writers that cannot lock, of whom none may be at work.",
)];

const IN_BACKUP: &[Field] = &[Field::always("path", Type::Path, "The file, as the backup names it.")];

const ALGORITHMS: &[Field] = &[
    Field::default("algorithm", Type::Algorithm, "\"sha256\"", "The algorithm."),
    Field::sometimes("algorithms", Type::Algorithms, "Several, in place of one."),
];

const CHUNK_SIZE: &[Field] =
    &[Field::sometimes("chunk_size", Type::Count, "Bytes to read at a time; chosen well unless given.")];

const EXPECTED_ARGUMENT: &[Field] = &[Field::always("expected", Type::Text, "The checksum, in hex digits.")];

pub static HANDLER_OPEN: Function =
    Function::with("electrus_handler_open", &["base"], &[OPEN_BASE, OPEN], false).gives(&[OPENED]);
pub static HANDLER_WRITE: Function = Function::of("electrus_handler_write", "write", &["path", "content"]);
pub static HANDLER_READ: Function = Function::of("electrus_handler_read", "read", &["path"]);
pub static HANDLER_STAT: Function = Function::of("electrus_handler_stat", "stat", &["path"]);
pub static HANDLER_COPY: Function = Function::of("electrus_handler_copy", "copy", &["source", "destination"]);
pub static HANDLER_RENAME: Function = Function::of("electrus_handler_rename", "rename", &["source", "destination"]);
pub static HANDLER_DELETE: Function = Function::of("electrus_handler_delete", "delete", &["path"]);
pub static HANDLER_CHECKSUM: Function = Function::of("electrus_handler_checksum", "checksum", &["path"]);
pub static HANDLER_LOCKS: Function = Function::of("electrus_handler_locks", "locks", &["path"]);
pub static HANDLER_BATCH: Function = Function::of("electrus_handler_batch", "batch", &["operations"]);
pub static HANDLER_TRANSACTION: Function = Function::of("electrus_handler_transaction", "transaction", &["operations"]);
pub static HANDLER_VERIFY: Function = Function::of("electrus_handler_verify", "verify", &[]);
pub static HANDLER_REPAIR: Function = Function::of("electrus_handler_repair", "repair", &[]);
pub static HANDLER_IMPORT: Function = Function::of("electrus_handler_import", "import", &["from"]);
pub static HANDLER_LOCK: Function =
    Function::with("electrus_handler_lock", &["path"], &[NAME, LOCKING], true).gives(&[LOCKED]);
pub static HANDLER_WRITER: Function = Function::with(
    "electrus_handler_writer",
    &["path"],
    &[NAME, VERSIONED, VERIFIED, ALGORITHM, DURABILITY, IF_CHECKSUM, IF_ABSENT, MODE, LOCK],
    true,
);
pub static HANDLER_READER: Function =
    Function::with("electrus_handler_reader", &["path"], &[NAME, VERSION], true).gives(&[SIZE]);
pub static LOCK_ACQUIRE: Function =
    Function::with("electrus_lock_acquire", &["path"], &[ORDINARY, LOCKING], true).gives(&[LOCKED]);
pub static ATOMIC_WRITE: Function = Function::with(
    "electrus_atomic_write",
    &["path"],
    &[ORDINARY, ALGORITHM, DURABILITY, IF_CHECKSUM, IF_ABSENT, MODE],
    false,
)
.gives(&[FILE_PATH, SIZE, DIGEST, ACHIEVED]);
pub static ATOMIC_TIDY: Function =
    Function::with("electrus_atomic_tidy", &["folder"], &[FOLDER, TIDY], false).gives(&[REMOVED]);
pub static WRITER_OPEN: Function = Function::with(
    "electrus_writer_open",
    &["path"],
    &[ORDINARY, ALGORITHM, DURABILITY, IF_CHECKSUM, IF_ABSENT, MODE],
    true,
);
pub static BACKUP_READER: Function =
    Function::with("electrus_backup_reader", &["name", "path"], &[BACKUP_NAME, IN_BACKUP], true).gives(&[SIZE]);
pub static CHECKSUM_OPEN: Function = Function::with("electrus_checksum_open", &[], &[ALGORITHMS], false);
pub static CHECKSUM_FILE: Function =
    Function::with("electrus_checksum_file", &["path"], &[ORDINARY, ALGORITHMS, CHUNK_SIZE], true)
        .gives(&[FILE_PATH, SIZE, DIGEST, CHECKSUMS]);
pub static CHECKSUM_VERIFY: Function =
    Function::with("electrus_checksum_verify", &["path", "expected"], &[ORDINARY, EXPECTED_ARGUMENT, ALGORITHM], true)
        .gives(&[FILE_PATH, OK, DIGEST]);
pub static CHECKSUM_TREE: Function =
    Function::with("electrus_checksum_tree", &["folder"], &[FOLDER, ALGORITHMS], true).gives(&[TREE]);
pub static VERSIONS_OPEN: Function =
    Function::with("electrus_versions_open", &["base"], &[OPEN_BASE, OPEN], false).gives(&[OPENED]);
pub static VERSIONS_CREATE: Function = Function::of("electrus_versions_create", "snapshot", &["path"]);
pub static VERSIONS_LIST: Function = Function::of("electrus_versions_list", "versions", &["path"]);
pub static VERSIONS_READ: Function =
    Function::of("electrus_versions_read", "read", &["path", "version"]).and(&[RECORD]);
pub static VERSIONS_DIFF: Function = Function::of("electrus_versions_diff", "diff", &["path", "from"]).and(&[RECORD]);
pub static VERSIONS_RESTORE: Function =
    Function::of("electrus_versions_restore", "restore", &["path", "version"]).and(&[RECORD]);
pub static VERSIONS_TAG: Function = Function::of("electrus_versions_tag", "tag", &["path", "version", "tag"]);
pub static VERSIONS_PRUNE: Function = Function::of("electrus_versions_prune", "prune", &["path"]);
pub static VERSIONS_VERIFY: Function = Function::of("electrus_versions_verify", "verify", &[]);
pub static JSON_OPEN: Function =
    Function::with("electrus_json_open", &["base"], &[OPEN_BASE, OPEN], false).gives(&[OPENED]);
pub static JSON_READ: Function = Function::of("electrus_json_read", "json_read", &["path"]);
pub static JSON_GET: Function = Function::of("electrus_json_get", "json_get", &["path", "pointer"]);
pub static JSON_WRITE: Function = Function::of("electrus_json_write", "json_write", &["path", "data"]);
pub static JSON_SET: Function = Function::of("electrus_json_set", "json_set", &["path", "pointer", "value"]);
pub static JSON_MERGE: Function = Function::of("electrus_json_merge", "json_merge", &["path", "patch"]);
pub static JSON_PATCH: Function = Function::of("electrus_json_patch", "json_patch", &["path", "patch"]);
pub static BACKUP_OPEN: Function =
    Function::with("electrus_backup_open", &["folder"], &[FOLDER, BACKUP_OPEN_OPTIONS], false).gives(&[BACKUPS_OPENED]);
pub static BACKUP_CREATE: Function = Function::of("electrus_backup_create", "backup_create", &["name", "paths"]);
pub static BACKUP_LIST: Function = Function::of("electrus_backup_list", "backup_list", &[]);
pub static BACKUP_SHOW: Function = Function::of("electrus_backup_show", "backup_show", &["name"]);
pub static BACKUP_READ: Function = Function::of("electrus_backup_read", "backup_read", &["name", "path"]);
pub static BACKUP_VERIFY: Function = Function::of("electrus_backup_verify", "backup_verify", &["name"]);
pub static BACKUP_RESTORE: Function = Function::of("electrus_backup_restore", "backup_restore", &["name"]);
pub static BACKUP_CONFLICTS: Function = Function::of("electrus_backup_conflicts", "backup_conflicts", &["name"]);
pub static BACKUP_PRUNE: Function = Function::of("electrus_backup_prune", "backup_prune", &[]);
pub static TRANSACTION_BEGIN: Function = Function::of("electrus_transaction_begin", "transaction", &["operations"]);
pub static TRANSACTION_WRITE: Function = Function::staging(
    "electrus_transaction_write",
    "write",
    &["path", "content"],
    &[IF_CHECKSUM, IF_ABSENT, MODE, HELD],
);
pub static TRANSACTION_DELETE: Function =
    Function::staging("electrus_transaction_delete", "delete", &["path"], &[HELD]);
pub static TRANSACTION_RENAME: Function =
    Function::staging("electrus_transaction_rename", "rename", &["source", "destination"], &[IF_ABSENT, HELD]);
pub static TRANSACTION_COPY: Function =
    Function::staging("electrus_transaction_copy", "copy", &["source", "destination"], &[IF_ABSENT, HELD]);
pub static TASK_START_LOCK: Function = Function::with("electrus_task_start_lock", &["path"], &[NAME, LOCKING], true);

/// Exports that take no options.
static PLAIN: &[Function] = &[
    Function::plain("electrus_version"),
    Function::plain("electrus_abi_version"),
    Function::plain("electrus_features"),
    Function::plain("electrus_alloc"),
    Function::plain("electrus_free"),
    Function::plain("electrus_code_name"),
    Function::plain("electrus_code_text"),
    Function::plain("electrus_library_describe").gives(&[TABLES]),
    Function::plain("electrus_library_usage").gives(&[USAGE]),
    Function::plain("electrus_owner_create"),
    Function::plain("electrus_result_integer"),
    Function::plain("electrus_result_text"),
    Function::plain("electrus_result_count"),
    Function::plain("electrus_progress_open"),
    Function::plain("electrus_progress_cancel"),
    Function::plain("electrus_progress_read"),
    Function::plain("electrus_progress_close"),
    Function::plain("electrus_handler_close"),
    Function::plain("electrus_handler_call"),
    Function::plain("electrus_handler_recover").gives(&[RECOVERED]),
    Function::plain("electrus_handler_versions"),
    Function::plain("electrus_handler_json"),
    Function::plain("electrus_handler_backup").gives(&[BACKUPS_OPENED]),
    Function::plain("electrus_lock_release"),
    Function::plain("electrus_lock_show").gives(&[LOCKED]),
    Function::plain("electrus_lock_lend").gives(&[LENT]),
    Function::plain("electrus_lock_holders").gives(&[FILE_PATH, HOLDERS]),
    Function::plain("electrus_writer_write"),
    Function::plain("electrus_writer_commit"),
    Function::plain("electrus_writer_abort"),
    Function::plain("electrus_reader_read"),
    Function::plain("electrus_reader_read_at"),
    Function::plain("electrus_reader_seek"),
    Function::plain("electrus_reader_size"),
    Function::plain("electrus_reader_close"),
    Function::plain("electrus_checksum_update"),
    Function::plain("electrus_checksum_finish").gives(&[SIZE, DIGEST, CHECKSUMS]),
    Function::plain("electrus_checksum_close"),
    Function::plain("electrus_versions_close"),
    Function::plain("electrus_json_close"),
    Function::plain("electrus_backup_close"),
    Function::plain("electrus_transaction_commit"),
    Function::plain("electrus_transaction_abort"),
    Function::plain("electrus_task_start"),
    Function::plain("electrus_task_start_backup"),
    Function::plain("electrus_task_poll").gives(&[DONE]),
    Function::plain("electrus_task_wait"),
    Function::plain("electrus_task_cancel"),
    Function::plain("electrus_task_finish"),
    Function::plain("electrus_task_lock").gives(&[LOCKED]),
    Function::plain("electrus_task_close"),
];

/// Exports that take some.
static WITH_OPTIONS: &[&Function] = &[
    &HANDLER_OPEN,
    &HANDLER_WRITE,
    &HANDLER_READ,
    &HANDLER_STAT,
    &HANDLER_COPY,
    &HANDLER_RENAME,
    &HANDLER_DELETE,
    &HANDLER_CHECKSUM,
    &HANDLER_LOCKS,
    &HANDLER_BATCH,
    &HANDLER_TRANSACTION,
    &HANDLER_VERIFY,
    &HANDLER_REPAIR,
    &HANDLER_IMPORT,
    &HANDLER_LOCK,
    &HANDLER_WRITER,
    &HANDLER_READER,
    &LOCK_ACQUIRE,
    &ATOMIC_WRITE,
    &ATOMIC_TIDY,
    &WRITER_OPEN,
    &BACKUP_READER,
    &CHECKSUM_OPEN,
    &CHECKSUM_FILE,
    &CHECKSUM_VERIFY,
    &CHECKSUM_TREE,
    &VERSIONS_OPEN,
    &VERSIONS_CREATE,
    &VERSIONS_LIST,
    &VERSIONS_READ,
    &VERSIONS_DIFF,
    &VERSIONS_RESTORE,
    &VERSIONS_TAG,
    &VERSIONS_PRUNE,
    &VERSIONS_VERIFY,
    &JSON_OPEN,
    &JSON_READ,
    &JSON_GET,
    &JSON_WRITE,
    &JSON_SET,
    &JSON_MERGE,
    &JSON_PATCH,
    &BACKUP_OPEN,
    &BACKUP_CREATE,
    &BACKUP_LIST,
    &BACKUP_SHOW,
    &BACKUP_READ,
    &BACKUP_VERIFY,
    &BACKUP_RESTORE,
    &BACKUP_CONFLICTS,
    &BACKUP_PRUNE,
    &TRANSACTION_BEGIN,
    &TRANSACTION_WRITE,
    &TRANSACTION_DELETE,
    &TRANSACTION_RENAME,
    &TRANSACTION_COPY,
    &TASK_START_LOCK,
];

/// Every export.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    WITH_OPTIONS.iter().copied().chain(PLAIN)
}

/// Every export, its operation and its options, as `abi/functions.json` has them.
pub fn describe() -> Value {
    let mut rows: Vec<&Function> = functions().collect();
    rows.sort_by_key(|function| function.name);
    let row = |function: &Function| {
        json!({
            "name": function.name,
            "operation": function.operation,
            "arguments": function.arguments,
            "results": function.results().iter().map(crate::ops::abi::result).collect::<Value>(),
            "options": function.options().map(|field| crate::ops::abi::option(&field)).collect::<Value>(),
        })
    };
    json!({ "functions": rows.into_iter().map(row).collect::<Value>() })
}
