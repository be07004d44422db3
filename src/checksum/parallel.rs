//! Work shared among all cores by threads of our own.
//!
//! Not by a pool: a pool's thread that waits takes up other work meanwhile, and a caller that holds a file's lock must
//! not find itself inside another caller's operation.

use once_cell::race::OnceNonZeroUsize;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many threads can run at once; 1 where there are none.
pub(super) fn cores() -> usize {
    static CORES: OnceNonZeroUsize = OnceNonZeroUsize::new();
    let count = || match cfg!(target_os = "wasi") {
        true => NonZeroUsize::MIN,
        false => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    CORES.get_or_init(count).get()
}

/// Does the work for each item, in order of their start.
pub(super) fn for_each<T: Send>(
    items: impl IntoIterator<IntoIter: Send + ExactSizeIterator<Item = T>>,
    work: impl Fn(T) + Sync,
) {
    for_each_with(items, || (), |(), item| work(item));
}

/// The same, and what one thread makes once serves all of its items. Needs no thread: where none can be had, the caller's
/// does it all.
pub(super) fn for_each_with<T: Send, S>(
    items: impl IntoIterator<IntoIter: Send + ExactSizeIterator<Item = T>>,
    make: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) + Sync,
) {
    let items = items.into_iter();
    let helpers = cores().min(items.len()).saturating_sub(1);
    let queue = Mutex::new(items);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || {
        let mut own = make();
        while let Some(item) = next() {
            work(&mut own, item);
        }
    };
    thread::scope(|scope| {
        for _ in 0..helpers {
            if thread::Builder::new().spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
}
