//! Every operation in one table, by name: what the command line, the C ABI and all bindings call.
//!
//! A request is one JSON object, a result another; file contents are never inside them but travel beside them in
//! [`Contents`], named by index.

#[doc(hidden)]
pub mod abi;
mod backup;
mod batch;
mod call;
mod contents;
pub(crate) mod fields;
mod files;
mod history;
mod json;
mod prepared;
mod store;
mod stream;
mod table;
mod transaction;

pub use crate::wire::{self, Field, Presence, Type};
pub use batch::{Batch, Done};
#[cfg(feature = "capi")]
pub(crate) use call::{change_options, condition};
pub use contents::{Contents, Input, Output};
#[doc(hidden)]
pub use prepared::label;
pub use table::OPERATIONS;

use crate::backup::BackupManager;
use crate::error::{Code, Error, Result};
use crate::handler::AdvancedFileHandler;
use crate::progress::Progress;
use crate::wire::Request;
use backup::BackupCall;
use call::Call;
use serde_json::Value;
use std::fmt;

/// One row of the table.
///
/// ```
/// use electrus::ops::Operation;
///
/// let write = Operation::find("write")?;
/// assert!(write.changes && write.batch && write.transaction);
/// assert!(write.options().any(|field| field.key == "durability"));
/// assert!(write.results().any(|field| field.key == "version"));
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub struct Operation {
    /// The name that every face uses, in snake_case.
    pub name: &'static str,
    /// What it does, in a line.
    pub doc: &'static str,
    options: &'static [&'static [Field]],
    results: &'static [&'static [Field]],
    /// Whether it may stand in a batch.
    pub batch: bool,
    /// Whether it may touch any file or all of history, so that nothing of a batch runs beside it.
    everything: bool,
    /// Whether it may stand in a transaction.
    pub transaction: bool,
    /// Whether it changes anything: files, history or backups.
    pub changes: bool,
    run: Run,
}

/// What runs it: on a handler, or on its backups, which may be a folder of their own.
#[derive(Clone, Copy)]
enum Run {
    Handler(fn(&mut Call<'_, '_>) -> Result<Value>),
    Backups(fn(&mut BackupCall<'_, '_>) -> Result<Value>),
}

impl Operation {
    const fn new(name: &'static str, run: fn(&mut Call<'_, '_>) -> Result<Value>, doc: &'static str) -> Operation {
        Operation::row(name, Run::Handler(run), doc)
    }

    const fn on_backups(
        name: &'static str,
        run: fn(&mut BackupCall<'_, '_>) -> Result<Value>,
        doc: &'static str,
    ) -> Operation {
        Operation::row(name, Run::Backups(run), doc)
    }

    const fn row(name: &'static str, run: Run, doc: &'static str) -> Operation {
        Operation {
            name,
            doc,
            options: &[],
            results: &[],
            batch: false,
            everything: false,
            transaction: false,
            changes: false,
            run,
        }
    }

    const fn takes(mut self, options: &'static [&'static [Field]]) -> Operation {
        self.options = options;
        self
    }

    const fn gives(mut self, results: &'static [&'static [Field]]) -> Operation {
        self.results = results;
        self
    }

    const fn in_batch(mut self) -> Operation {
        self.batch = true;
        self
    }

    const fn in_batch_alone(mut self) -> Operation {
        self.everything = true;
        self.in_batch()
    }

    const fn in_transaction(mut self) -> Operation {
        self.transaction = true;
        self
    }

    const fn changes(mut self) -> Operation {
        self.changes = true;
        self
    }

    /// The keys of its requests.
    pub fn options(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.options.iter().copied().flatten()
    }

    /// The keys of its results.
    pub fn results(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.results.iter().copied().flatten()
    }

    /// The row of that name.
    ///
    /// # Errors
    /// `unknown_option` if there is none.
    pub fn find(name: &str) -> Result<&'static Operation> {
        let unknown = || Error::message(Code::UnknownOption, format!("unknown operation: `{}`", wire::shortened(name)));
        OPERATIONS.iter().find(|o| o.name == name).ok_or_else(unknown)
    }

    fn call(
        &self,
        handler: &AdvancedFileHandler,
        request: Value,
        contents: &mut Contents<'_>,
        progress: &Progress,
    ) -> Result<Value> {
        let request = self.check(request)?;
        self.run(&mut Call { handler, request, contents, progress })
    }

    /// A request with the keys that this operation takes.
    fn check(&self, request: Value) -> Result<Request> {
        let fields: Vec<Field> = self.options().copied().collect();
        Request::check(&fields, request)
    }

    fn run(&self, call: &mut Call<'_, '_>) -> Result<Value> {
        match self.run {
            Run::Handler(run) => run(call),
            Run::Backups(run) => {
                let backups = call.handler.backups()?;
                run(&mut BackupCall {
                    backups: &backups,
                    request: &call.request,
                    contents: call.contents,
                    progress: call.progress,
                })
            }
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Operation").field(&self.name).finish()
    }
}

/// Runs one operation of the table.
///
/// ```
/// use electrus::{handler::AdvancedFileHandler, ops::{self, Contents, Input}, progress::Progress, workspace::OpenOptions};
/// use serde_json::json;
///
/// # let folder = tempfile::tempdir()?;
/// let handler = AdvancedFileHandler::open(folder.path(), &OpenOptions::default())?;
/// let mut contents = Contents { input: vec![Input::Bytes(b"hello"[..].into())], ..Contents::default() };
/// let request = json!({ "path": "a.txt", "content": 0 });
/// let result = ops::dispatch(&handler, "write", request, &mut contents, &Progress::new())?;
/// assert_eq!(result["version"], 1);
/// # Ok::<(), electrus::error::Error>(())
/// ```
///
/// # Errors
/// `unknown_option` for an operation or key that does not exist, `invalid_argument` for a value of a wrong type, and
/// whatever the operation itself meets; the error names the operation.
pub fn dispatch(
    handler: &AdvancedFileHandler,
    operation: &str,
    request: Value,
    contents: &mut Contents<'_>,
    progress: &Progress,
) -> Result<Value> {
    let operation = Operation::find(operation)?;
    operation.call(handler, request, contents, progress).map_err(|e| e.during(operation.name))
}

/// Runs one operation on backups in a folder of their own, as [`dispatch`] does on those of a handler.
///
/// # Errors
/// As `dispatch`; `invalid_argument` for an operation that is not on backups.
///
/// ```
/// use electrus::{backup::BackupManager, ops::{self, Contents}, progress::Progress};
/// use serde_json::json;
///
/// # let folder = tempfile::tempdir()?;
/// let backups = BackupManager::open(folder.path().join("backups"), Default::default())?;
/// let list = ops::dispatch_on_backups(&backups, "backup_list", json!({}), &mut Contents::default(), &Progress::new())?;
/// assert_eq!(list["backups"], json!([]));
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub fn dispatch_on_backups(
    backups: &BackupManager,
    operation: &str,
    request: Value,
    contents: &mut Contents<'_>,
    progress: &Progress,
) -> Result<Value> {
    let operation = Operation::find(operation)?;
    let Run::Backups(run) = operation.run else {
        return Err(Error::message(Code::InvalidArgument, format!("`{}` is not on backups", operation.name)));
    };
    let mut call = |request: &Request| run(&mut BackupCall { backups, request, contents, progress });
    operation.check(request).and_then(|request| call(&request)).map_err(|e| e.during(operation.name))
}
