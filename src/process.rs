//! What belongs to one process, and not to a child that was forked from it.

use crate::sys;
use once_cell::race::OnceBox;
use std::fmt;

/// A value for each process: a forked child begins with a new one, because another thread may have been changing the
/// parent's at the moment of the fork (its locks would never be given back), and because what it stands for is the
/// parent's.
///
/// Nobody waits for a value that is being made: threads that come at once each make one, and the first one stands. A child
/// that was forked in the middle would wait for ever.
pub(crate) struct PerProcess<T>(OnceBox<Node<T>>);

struct Node<T> {
    generation: u64,
    value: T,
    /// Of a child that was forked from this process.
    child: PerProcess<T>,
}

impl<T> PerProcess<T> {
    /// Nothing is made yet.
    pub const fn new() -> PerProcess<T> {
        PerProcess(OnceBox::new())
    }

    /// That of the process that asks; made from its generation the first time.
    pub fn get(&self, make: fn(u64) -> T) -> &T {
        let generation = sys::process_generation();
        let new = || Box::new(Node { generation, value: make(generation), child: PerProcess::new() });
        let mut node = self.0.get_or_init(new);
        while node.generation != generation {
            node = node.child.0.get_or_init(new);
        }
        &node.value
    }
}

impl<T: fmt::Debug> fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PerProcess").field(&self.0.get().map(|node| &node.value)).finish()
    }
}
