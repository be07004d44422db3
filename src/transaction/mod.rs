//! Transactions: writes, deletes, renames and copies of several files, all or none.
//!
//! ```text
//! commit:  lock all files, in the order of their names
//!          → what stands there: in history? else it goes there as `outside_edit`
//!          → new contents: temporary files beside their targets, and versions in the store; flush
//!          → journal: write, flush, rename to its final name, flush its folder        = decided
//!          → each file: exchange names (or remove, or rename), looking at what came out → flush the folders
//!          → remove the journal, flush → unlock
//! ```
//!
//! # What is guaranteed
//!
//! A crash at any point leaves all files old if the journal was not decided, and all new once the folder is next
//! opened if it was: [`Workspace::open`] carries out what is left ([`recover`]). Whoever carries out a journal holds a
//! lock on it, so that nobody else does; each step can be repeated. Content found under a name that is neither the old
//! nor the new goes into the history first, and is reported. Names in a journal resolve beneath the base like any other.
//!
//! # What is not
//!
//! - **Isolation from programs that take no locks.** They can see some files new and others still old for the moment
//!   in which names change, and after a crash until the folder is opened again. Programs that lock what they read
//!   (shared) see all or nothing.
//! - Folders that are missing are created first; a transaction that fails then leaves them, empty.
//! - Transactions are always durable in full and always versioned: the versions are what a recovery works from.

mod apply;
mod commit;
mod finish;
mod journal;
mod plan;
mod recover;
mod step;

pub(crate) use journal::{concerning, set_damaged_aside, verify, versions_needed};
pub(crate) use recover::recover_within;
pub use recover::{Found, Recovered, RecoveredFile, recover};

use crate::atomic::Condition;
use crate::checksum::Algorithm;
use crate::error::Result;
use crate::lock::{LockGuard, LockOptions};
use crate::progress::Progress;
use crate::workspace::{Changed, Source, Workspace};
use std::fmt;
use std::path::{Path, PathBuf};

/// Options of a transaction.
///
/// ```
/// use electrus::transaction::{Transaction, TransactionOptions};
/// use electrus::workspace::{OpenOptions, Workspace};
///
/// # let folder = tempfile::tempdir()?;
/// let workspace = Workspace::open(folder.path(), &OpenOptions::default())?;
/// let options = TransactionOptions { verify: false, ..TransactionOptions::default() };
/// let mut transaction = Transaction::with(&workspace, options);
/// transaction.write("a", "one").write("b", "two");
/// transaction.commit()?;
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone)]
pub struct TransactionOptions<'t> {
    /// The digest in the results. Default sha256.
    pub algorithm: Algorithm,
    /// Read files back after they were written, and compare. Default true.
    pub verify: bool,
    /// How its locks are taken; the time-out is for all of them together.
    pub lock: LockOptions,
    /// Exclusive locks that the caller holds: files they cover are not locked again.
    pub held: Vec<&'t LockGuard>,
    /// Progress and cancel. Once the transaction is decided it is carried out.
    pub progress: Progress,
    /// Called as the commit passes each point, for tests that stop it there.
    #[doc(hidden)]
    pub watch: Option<&'t (dyn Fn(&str) + Sync)>,
}

impl Default for TransactionOptions<'_> {
    fn default() -> Self {
        TransactionOptions {
            algorithm: Algorithm::Sha256,
            verify: true,
            lock: LockOptions::default(),
            held: Vec::new(),
            progress: Progress::new(),
            watch: None,
        }
    }
}

impl TransactionOptions<'_> {
    fn pass(&self, point: &str) {
        if let Some(watch) = self.watch {
            watch(point);
        }
    }
}

/// How a transaction writes one file.
///
/// ```
/// use electrus::atomic::Condition;
/// use electrus::transaction::{Transaction, WriteHow};
/// use electrus::workspace::{OpenOptions, Source, Workspace};
///
/// # let folder = tempfile::tempdir()?;
/// let workspace = Workspace::open(folder.path(), &OpenOptions::default())?;
/// let new = WriteHow { condition: Condition::Absent, ..WriteHow::default() };
/// let mut transaction = Transaction::new(&workspace);
/// transaction.write_from("a", Source::Bytes(b"one"), new);
/// transaction.commit()?;
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct WriteHow {
    /// When to replace; checked once all locks are held.
    pub condition: Condition,
    /// Permission bits, in place of those of the replaced file (or of 0666 less the umask).
    pub mode: Option<u32>,
}

/// One staged operation.
enum Operation<'t> {
    Write { name: PathBuf, source: Source<'t>, how: WriteHow },
    Delete { name: PathBuf },
    Rename { from: PathBuf, to: PathBuf, condition: Condition },
    Copy { from: PathBuf, to: PathBuf, condition: Condition },
}

/// Several changes that are made all or none.
///
/// Staging only collects them: nothing is read, locked or changed before [`commit`](Transaction::commit), and a
/// transaction that is dropped instead has done nothing. Operations are in order: each sees what those before it did.
///
/// ```
/// use electrus::{transaction::Transaction, workspace::{OpenOptions, Workspace}};
///
/// # fn main() -> electrus::error::Result<()> {
/// # let folder = std::env::temp_dir().join(format!("electrus-tx-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let workspace = Workspace::open(&folder, &OpenOptions::default())?;
/// let mut transaction = Transaction::new(&workspace);
/// transaction.write("accounts/a", b"90").write("accounts/b", b"110");
/// let done = transaction.commit()?;
/// assert_eq!(done.results.len(), 2);
///
/// let mut transaction = Transaction::new(&workspace);
/// transaction.rename("accounts/a", "closed/a").delete("accounts/b");
/// transaction.commit()?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a transaction that is not committed does nothing"]
pub struct Transaction<'t> {
    workspace: Workspace,
    options: TransactionOptions<'t>,
    operations: Vec<Operation<'t>>,
}

/// What a transaction did.
///
/// ```
/// use electrus::transaction::Transaction;
/// use electrus::workspace::{OpenOptions, Workspace};
///
/// # let folder = tempfile::tempdir()?;
/// let workspace = Workspace::open(folder.path(), &OpenOptions::default())?;
/// let mut transaction = Transaction::new(&workspace);
/// transaction.write("a", "one").write("b", "two");
/// let committed = transaction.commit()?;
/// assert_eq!(committed.results.iter().map(|file| file.version).collect::<Vec<_>>(), [Some(1), Some(1)]);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Committed {
    /// Names the transaction: 16 hex digits.
    pub id: String,
    /// One for each operation, in order: its file as the whole transaction leaves it. A file that several operations
    /// touch gains one version.
    pub results: Vec<Changed>,
}

impl<'t> Transaction<'t> {
    /// An empty transaction with the usual options.
    pub fn new(workspace: &Workspace) -> Transaction<'t> {
        Transaction::with(workspace, TransactionOptions::default())
    }

    /// An empty transaction.
    pub fn with(workspace: &Workspace, options: TransactionOptions<'t>) -> Transaction<'t> {
        Transaction { workspace: workspace.clone(), options, operations: Vec::new() }
    }

    /// Stages the replacement of a file by bytes in memory. Missing folders are created by the commit.
    pub fn write(&mut self, name: impl AsRef<Path>, bytes: &'t (impl AsRef<[u8]> + ?Sized)) -> &mut Self {
        self.write_from(name, Source::Bytes(bytes.as_ref()), WriteHow::default())
    }

    /// Stages the replacement of a file; a stream is read by the commit.
    pub fn write_from(&mut self, name: impl AsRef<Path>, source: Source<'t>, how: WriteHow) -> &mut Self {
        self.stage(Operation::Write { name: name.as_ref().to_owned(), source, how })
    }

    /// Stages the removal of a file (of a symbolic link: the link alone).
    pub fn delete(&mut self, name: impl AsRef<Path>) -> &mut Self {
        self.stage(Operation::Delete { name: name.as_ref().to_owned() })
    }

    /// Stages a rename (of a symbolic link: the link itself); what stands under the new name is replaced.
    pub fn rename(&mut self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> &mut Self {
        self.rename_if(from, to, Condition::Always)
    }

    /// Stages a rename with a condition on what stands under the new name.
    pub fn rename_if(&mut self, from: impl AsRef<Path>, to: impl AsRef<Path>, condition: Condition) -> &mut Self {
        self.stage(Operation::Rename { from: from.as_ref().to_owned(), to: to.as_ref().to_owned(), condition })
    }

    /// Stages a copy of content and mode.
    pub fn copy(&mut self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> &mut Self {
        self.copy_if(from, to, Condition::Always)
    }

    /// Stages a copy with a condition on what stands under the new name.
    pub fn copy_if(&mut self, from: impl AsRef<Path>, to: impl AsRef<Path>, condition: Condition) -> &mut Self {
        self.stage(Operation::Copy { from: from.as_ref().to_owned(), to: to.as_ref().to_owned(), condition })
    }

    fn stage(&mut self, operation: Operation<'t>) -> &mut Self {
        self.operations.push(operation);
        self
    }

    /// How many operations are staged.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether none is staged.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Gives it up; the same as dropping it.
    pub fn abort(self) {}

    /// Makes all changes or none.
    ///
    /// # Errors
    /// `durability_unknown`: the transaction is decided, and what could not be carried out now will be when the folder
    /// is next opened; or, as the words then say, whether it is decided shows when the folder is next opened, or all was
    /// made and what followed failed. Any other: every file is as it was. Those of the single operations, with the path; `lock_timeout`;
    /// `changed_while_read` if a program that takes no locks keeps changing one of the files.
    pub fn commit(self) -> Result<Committed> {
        commit::commit(self)
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("operations", &self.operations.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
