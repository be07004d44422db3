//! Many tasks at once: those that touch the same name in the order given, all others on all cores, and tasks of the same
//! kind that are ready together as one group, so that they can share their flushes.
//!
//! ```text
//! for each task: it waits for the last task before it that touches one of its names (a task that touches everything
//!     waits for all before it, and all after it wait for it)
//! on each core: take the first task that waits for nothing
//!     if it may be grouped: and all others that may and wait for nothing, up to 1024 or 64 MiB
//!     run them; a panic is contained, and is their result
//!     whoever waited for them waits no longer
//! ```

mod plan;
mod pool;

use crate::error::Result;
use crate::path::Key;

/// How many tasks a group holds at most.
pub const GROUP_TASKS: usize = 1024;
/// How many bytes a group holds at most (one task may be larger, and is then alone).
pub const GROUP_BYTES: u64 = 64 << 20;

/// What a task touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Nothing that another could mind.
    Nothing,
    /// These files.
    Names(Vec<Key>),
    /// Possibly any file.
    Everything,
}

/// One task.
#[derive(Debug)]
pub(crate) struct Task<T> {
    /// What it touches.
    pub touch: Touch,
    /// Its bytes, if it may run in a group with others.
    pub weight: Option<u64>,
    /// What to do, for whoever runs it.
    pub work: T,
}

/// Runs tasks on all cores; one result for each, in order. `run` is given one task, or a group of those that have a
/// weight, and gives one result for each. Runs on the calling thread too, and on it alone where there are no others.
pub(crate) fn run<T, R>(tasks: Vec<Task<T>>, run: impl Fn(Vec<T>) -> Vec<Result<R>> + Sync) -> Vec<Result<R>>
where
    T: Send,
    R: Send,
{
    pool::Pool::new(tasks).run(&run)
}
