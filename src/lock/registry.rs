//! Who holds or wants what in this process: first come, first served, among threads and their owners.
//!
//! One registry per process: a forked child begins an empty one, because it holds none of its parent's locks and
//! because another thread may have been inside the parent's at the moment of the fork.

use super::inherit::Inherited;
use super::record::{Prepared, Process};
use super::sidecar::Identity;
use super::wait::{CHECK, Patience};
use super::{LockType, Owner};
use crate::error::{Code, Error, Result};
use crate::process::PerProcess;
use crate::sys::{self, sharing::Watcher};
use crate::time::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

#[derive(Debug)]
pub(super) struct Registry {
    /// Differs from that of every process that this one was forked from.
    generation: u64,
    table: Mutex<Table>,
    process: OnceLock<Option<Process>>,
    pub records: Prepared,
    watchers: Mutex<Vec<Watcher>>,
    inherited: OnceLock<Vec<Inherited>>,
}

#[derive(Debug, Default)]
struct Table {
    tickets: u64,
    files: HashMap<Identity, Queue, BuildHasherDefault<Mixed>>,
}

/// Device and inode, mixed: nobody chooses them to collide, and there are as many as locks are held.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(32) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Debug, Default)]
struct Queue {
    inside: Vec<Inside>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Inside {
    ticket: u64,
    owner: Owner,
    kind: LockType,
    /// `None` as long as it waits for other processes.
    since: Option<Timestamp>,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    owner: Owner,
    kind: LockType,
    signal: Arc<Condvar>,
}

impl Registry {
    /// That of the process that asks.
    pub fn here() -> &'static Registry {
        static REGISTRY: PerProcess<Registry> = PerProcess::new();
        REGISTRY.get(Registry::new)
    }

    fn new(generation: u64) -> Registry {
        Registry {
            generation,
            table: Mutex::default(),
            process: OnceLock::new(),
            records: Prepared::default(),
            watchers: Mutex::default(),
            inherited: OnceLock::new(),
        }
    }

    /// This process, for holder records.
    pub fn process(&self) -> Option<&Process> {
        self.process.get_or_init(Process::this).as_ref()
    }

    /// The locks that this process inherited from a program that runs it under them.
    pub fn inherited(&self) -> &[Inherited] {
        self.inherited.get_or_init(Inherited::from_environment)
    }

    /// Waits until no thread of this process is in the way.
    pub fn enter(
        &'static self,
        identity: Identity,
        kind: LockType,
        owner: Owner,
        patience: &Patience<'_>,
    ) -> Result<Place> {
        let mut table = self.lock();
        table.tickets += 1;
        let ticket = table.tickets;
        let queue = table.files.entry(identity).or_default();
        if queue.knows(owner) {
            return Err(Error::new(Code::WouldDeadlock));
        }
        if let Some(signal) = queue.enter(ticket, owner, kind) {
            self.await_turn(table, identity, ticket, &signal, patience)?;
        }
        Ok(Place { registry: self, identity, ticket })
    }

    fn await_turn(
        &self,
        mut table: MutexGuard<'_, Table>,
        identity: Identity,
        ticket: u64,
        signal: &Condvar,
        patience: &Patience<'_>,
    ) -> Result<()> {
        while !table.is_inside(identity, ticket) {
            let limit = patience.turn(CHECK).inspect_err(|_| table.leave(identity, ticket))?;
            table = signal.wait_timeout(table, limit).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Who in this process holds a file's lock and since when (`None`: about to).
    pub fn holders(&self, identity: Identity) -> Vec<(LockType, Option<Timestamp>)> {
        let table = self.lock();
        let inside = table.files.get(&identity).map(|queue| queue.inside.as_slice()).unwrap_or_default();
        inside.iter().map(|holder| (holder.kind, holder.since)).collect()
    }

    /// How many stand in line for a file's lock.
    #[cfg(test)]
    pub fn waiting(&self, identity: Identity) -> usize {
        self.lock().files.get(&identity).map_or(0, |queue| queue.waiting.len())
    }

    /// Watchers that nobody uses just now.
    pub fn watchers(&self) -> MutexGuard<'_, Vec<Watcher>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing in here can be left half done by a panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn is_inside(&self, identity: Identity, ticket: u64) -> bool {
        self.files.get(&identity).is_some_and(|queue| queue.inside.iter().any(|i| i.ticket == ticket))
    }

    fn leave(&mut self, identity: Identity, ticket: u64) {
        let Some(queue) = self.files.get_mut(&identity) else { return };
        queue.inside.retain(|inside| inside.ticket != ticket);
        queue.waiting.retain(|waiting| waiting.ticket != ticket);
        queue.admit();
        if queue.inside.is_empty() {
            self.files.remove(&identity);
        }
    }
}

impl Queue {
    fn knows(&self, owner: Owner) -> bool {
        self.inside.iter().any(|i| i.owner == owner) || self.waiting.iter().any(|w| w.owner == owner)
    }

    fn admits(&self, kind: LockType) -> bool {
        !self.inside.iter().any(|inside| kind.excludes(inside.kind))
    }

    /// Who has to wait does so behind all who wait already, for the signal.
    fn enter(&mut self, ticket: u64, owner: Owner, kind: LockType) -> Option<Arc<Condvar>> {
        if self.waiting.is_empty() && self.admits(kind) {
            self.inside.push(Inside { ticket, owner, kind, since: None });
            return None;
        }
        let signal = Arc::<Condvar>::default();
        self.waiting.push_back(Waiting { ticket, owner, kind, signal: signal.clone() });
        Some(signal)
    }

    /// Lets in those at the head of the line, as long as they get on with who is inside.
    fn admit(&mut self) {
        while self.waiting.front().is_some_and(|next| self.admits(next.kind)) {
            let Some(Waiting { ticket, owner, kind, signal }) = self.waiting.pop_front() else { return };
            self.inside.push(Inside { ticket, owner, kind, since: None });
            signal.notify_one();
        }
    }
}

/// A place inside, given up when dropped (never to be dropped in a forked child).
#[derive(Debug)]
pub(super) struct Place {
    registry: &'static Registry,
    identity: Identity,
    ticket: u64,
}

impl Place {
    /// From now on it really holds the lock.
    pub fn settle(&self, since: Timestamp) {
        let mut table = self.registry.lock();
        let queue = table.files.get_mut(&self.identity);
        if let Some(inside) = queue.and_then(|queue| queue.inside.iter_mut().find(|i| i.ticket == self.ticket)) {
            inside.since = Some(since);
        }
    }

    pub fn registry(&self) -> &'static Registry {
        self.registry
    }

    /// Differs among all who ever waited in this process.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }

    /// Whether this process is the one that took it, and not a child forked from that.
    pub fn is_here(&self) -> bool {
        self.registry.generation == sys::process_generation()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.lock().leave(self.identity, self.ticket);
    }
}
