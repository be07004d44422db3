//! What belongs to one process, and not to a child that was forked from it.

use crate::sys;
use std::sync::OnceLock;

/// A value for each process: a forked child begins with a new one, because another thread may have been changing the
/// parent's at the moment of the fork (its locks would never be given back), and because what it stands for is the
/// parent's.
#[derive(Debug)]
pub(crate) struct PerProcess<T>(OnceLock<Node<T>>);

#[derive(Debug)]
struct Node<T> {
    generation: u64,
    value: T,
    /// Of a child that was forked from this process.
    child: OnceLock<Box<Node<T>>>,
}

impl<T> PerProcess<T> {
    /// Nothing is made yet.
    pub const fn new() -> PerProcess<T> {
        PerProcess(OnceLock::new())
    }

    /// That of the process that asks; made from its generation the first time.
    pub fn get(&self, make: fn(u64) -> T) -> &T {
        let generation = sys::process_generation();
        let new = || Node { generation, value: make(generation), child: OnceLock::new() };
        let mut node = self.0.get_or_init(new);
        while node.generation != generation {
            node = node.child.get_or_init(|| Box::new(new()));
        }
        &node.value
    }
}
