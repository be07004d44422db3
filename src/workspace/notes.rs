//! Notes that a version landed: worth writing, never worth waiting for. They ride with the next commit.

use super::{Inner, Workspace};
use crate::error::Result;
use crate::path::Key;
use crate::process::PerProcess;
use crate::store::{Landed, New};
use std::sync::{Mutex, PoisonError};

const MOST: usize = 4096;

/// A forked child has none: its parent writes them.
#[derive(Debug)]
pub(super) struct Notes(PerProcess<Mutex<Vec<New>>>);

impl Default for Notes {
    fn default() -> Notes {
        Notes(PerProcess::new())
    }
}

impl Notes {
    fn waiting_here(&self) -> &Mutex<Vec<New>> {
        self.0.get(|_| Mutex::default())
    }

    pub(super) fn take(&self) -> Vec<New> {
        std::mem::take(&mut *self.waiting_here().lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds notes; answers how many wait.
    fn add(&self, notes: impl IntoIterator<Item = New>) -> usize {
        let mut waiting = self.waiting_here().lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(notes);
        waiting.len()
    }

    fn of(&self, wanted: &Key, of: u64) -> Option<Landed> {
        let waiting = self.waiting_here().lock().unwrap_or_else(PoisonError::into_inner);
        waiting.iter().rev().find_map(|note| match note {
            New::Landed { key, number, landed } if key == wanted && *number == of => Some(*landed),
            _ => None,
        })
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting_here().lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn put_back(&self, notes: Vec<New>) {
        self.add(notes);
    }
}

impl Workspace {
    /// Notes whether a version reached its file.
    pub(crate) fn note(&self, key: &Key, number: u64, landed: Landed) {
        if self.0.notes.add([New::Landed { key: key.clone(), number, landed }]) >= MOST {
            // Lost notes cost a comparison later, nothing else; they stay queued.
            let _ = self.flush_notes();
        }
    }

    /// What is noted of a version and not written yet.
    pub(super) fn noted(&self, key: &Key, number: u64) -> Option<Landed> {
        self.0.notes.of(key, number)
    }

    /// Writes the notes that wait.
    pub(crate) fn flush_notes(&self) -> Result<()> {
        self.0.flush_notes()
    }
}

impl Inner {
    fn flush_notes(&self) -> Result<()> {
        let notes = self.notes.take();
        if notes.is_empty() {
            return Ok(());
        }
        let written = self.store.begin().and_then(|session| session.commit(notes.clone()));
        if written.is_err() {
            self.notes.put_back(notes);
        }
        written.map(drop)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without the notes the next writer compares contents; `close` is where a failure is told.
        let _ = self.flush_notes();
    }
}
