//! One turn at the store: begun only when something is to be kept, committed once.

use super::Workspace;
use crate::checksum::{Algorithm, Digest, Hasher, of_bytes};
use crate::error::{Code, Error, Result};
use crate::path::Location;
use crate::progress::Progress;
use crate::store::{Content, FileState, New, NewVersion, Session, Unflushed, VersionKind};
use crate::sys::Stat;
use std::io::Read;

/// Contents above this many bytes are streamed, and told unchanged by their stat where that proves it.
pub(super) const BIG: u64 = 1 << 20;

pub(crate) struct Turn<'w> {
    workspace: &'w Workspace,
    session: Option<Session>,
    records: Vec<New>,
}

/// Which of the turn's records this is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot(usize);

/// The numbers that a turn's versions were given.
pub(crate) struct Numbers(Vec<u64>);

impl Numbers {
    pub(crate) fn of(&self, slot: Option<Slot>) -> Option<u64> {
        slot.and_then(|slot| self.0.get(slot.0).copied())
    }
}

impl<'w> Turn<'w> {
    pub(crate) fn new(workspace: &'w Workspace) -> Turn<'w> {
        Turn { workspace, session: None, records: Vec::new() }
    }

    pub(crate) fn session(&mut self) -> Result<&mut Session> {
        if self.session.is_none() {
            self.session = Some(self.workspace.store().begin()?);
        }
        self.session.as_mut().ok_or_else(|| Error::new(Code::Internal))
    }

    pub(crate) fn add(&mut self, version: NewVersion) -> Slot {
        self.records.push(New::Version(version));
        Slot(self.records.len() - 1)
    }

    pub(super) fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// Keeps bytes that are in memory.
    pub(crate) fn keep_bytes(&mut self, bytes: &[u8], stat: &Stat) -> Result<FileState> {
        let content = self.session()?.put_bytes(bytes)?;
        Ok(state(content, vec![of_bytes(Algorithm::Sha256, bytes)], stat))
    }

    /// Keeps a stream.
    pub(crate) fn keep_stream(&mut self, data: &mut dyn Read, stat: &Stat, progress: &Progress) -> Result<FileState> {
        let mut hasher = Hasher::new(&[Algorithm::Sha256]);
        let content = self.session()?.put(data, progress, &mut |block| {
            hasher.update(block);
            Ok(())
        })?;
        Ok(state(content, hasher.finish(), stat))
    }

    /// Commits the records, and with them the notes that wait. Without records nothing is written.
    pub(crate) fn commit(self, flush: bool) -> Result<Numbers> {
        let (numbers, unflushed) = self.commit_with(flush)?;
        if let Some(unflushed) = unflushed {
            unflushed.leave();
        }
        Ok(numbers)
    }

    /// As [`Turn::commit`], to be flushed by the caller: dropping the second of the answer takes the records back.
    pub(crate) fn commit_unflushed(self) -> Result<(Numbers, Option<Unflushed>)> {
        self.commit_with(false)
    }

    fn commit_with(mut self, flush: bool) -> Result<(Numbers, Option<Unflushed>)> {
        let mut records = std::mem::take(&mut self.records);
        if records.is_empty() {
            return Ok((Numbers(Vec::new()), None));
        }
        self.session()?;
        let Some(session) = self.session else { return Err(Error::new(Code::Internal)) };
        let versions = records.len();
        records.extend(self.workspace.0.notes.take());
        let notes = records[versions..].to_vec();
        let committed = match flush {
            true => session.commit(records).map(|committed| (committed, None)),
            false => session.commit_unflushed(records).map(|(committed, unflushed)| (committed, Some(unflushed))),
        };
        match committed {
            Ok((committed, unflushed)) => {
                let numbers = committed.into_iter().take(versions).map(|c| c.number).collect();
                Ok((Numbers(numbers), unflushed))
            }
            Err(e) => {
                self.workspace.0.notes.put_back(notes);
                Err(e)
            }
        }
    }
}

/// A file as a version has it.
fn state(content: Content, digests: Vec<Digest>, stat: &Stat) -> FileState {
    FileState { content, digests, mode: stat.mode, uid: stat.uid, gid: stat.gid, modified: stat.modified }
}

/// A version to be recorded, without the rarer fields.
pub(crate) fn new_version(location: &Location, kind: VersionKind, file: Option<FileState>) -> NewVersion {
    NewVersion { key: location.key().clone(), kind, file, of: None, other: None, wanted: None, created: None }
}
