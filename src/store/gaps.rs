//! Logs that are missing, and files that nothing refers to: what is damage, and what is litter.

use super::layout::RANDOM;
use super::model::RecordId;
use super::payload::{Fence, Role, SegmentHead};
use super::scan::Tail;
use super::view::{View, read_record};
use crate::error::{Code, Error, IoContext, Result};
use std::fs::File;
use std::io;

impl View {
    /// The log after the one being read: the next number, or where that is missing the next one that is there. The loss of
    /// one file must not hide those after it.
    pub fn next_log(&mut self) -> Result<Option<u64>> {
        let next = self.log + 1;
        if self.log != 0 && self.exists(next)? {
            return Ok(Some(next));
        }
        let now = self.layout.segments.stat_self().at(self.layout.path.join("segments"))?;
        if self.listed_at == Some((now.modified, now.changed)) {
            return Ok(None);
        }
        let found = self.listed()?.into_iter().find(|n| is_log(*n) && *n > self.log);
        match found {
            None => self.listed_at = Some((now.modified, now.changed)),
            // Whoever prunes removes logs in order: as long as this one is there, so are those after it.
            Some(found) if self.log != 0 && found != next && !self.exists(self.log)? => {
                let path = self.segment_path(self.log);
                return Err(Error::message(Code::NotFound, "the log was pruned away").at(path));
            }
            Some(_) => {}
        }
        Ok(found)
    }

    /// The log that was begun after this one, as far as it is known.
    pub fn successor(&self, log: u64) -> Option<u64> {
        self.scanned.range(log + 1..RANDOM).next().map(|(number, _)| *number)
    }

    /// What the next log says about the end of this one.
    pub fn fence_of(&mut self, log: u64) -> Option<Fence> {
        // One that is missing or damaged is told of by its own name.
        let next = self.successor(log)?;
        self.head(next).unwrap_or(None).map(|h| h.previous).filter(|f| f.segment == log)
    }

    /// The log up to which all were replaced by segments that a prune or a repair made. `None`: those that are there do
    /// not say.
    pub fn replaced_logs(&mut self) -> Result<Option<u64>> {
        let mut said = None;
        for number in self.listed()?.into_iter().filter(|n| !is_log(*n)) {
            if let Some(head) = self.head(number)?.filter(|head| head.role == Role::Made) {
                said = said.max(Some(head.previous.segment));
            }
        }
        Ok(match said {
            None => Some(0),
            Some(0) => None,
            told => told,
        })
    }

    /// Logs that must be there and are not, as ranges of numbers: they are given without gaps.
    pub fn missing_logs(&mut self) -> Result<Vec<(u64, u64)>> {
        let logs: Vec<u64> = self.listed()?.into_iter().filter(|n| is_log(*n)).collect();
        let mut before = match (self.replaced_logs()?, logs.first()) {
            (Some(replaced), _) => replaced,
            (None, first) => first.map_or(self.known_log, |first| first - 1),
        };
        let mut missing = Vec::new();
        for log in logs {
            if log > before + 1 {
                missing.push((before + 1, log - 1));
            }
            before = before.max(log);
        }
        if self.known_log > before {
            missing.push((before + 1, self.known_log));
        }
        Ok(missing)
    }

    /// Refuses to remove anything while a log is missing: what it attached would be taken for litter.
    pub fn refuse_missing_logs(&mut self) -> Result<()> {
        match self.missing_logs()?.first() {
            None => Ok(()),
            Some((first, _)) => {
                let message = "a segment is missing: repair the store before pruning it";
                Err(Error::message(Code::Damaged, message).at(self.segment_path(*first)))
            }
        }
    }
}

/// Whether a segment that nothing attaches is a pack of a writer that died, or was not even begun.
pub fn is_litter(file: &File, number: u64) -> io::Result<bool> {
    match read_record(file, RecordId { segment: number, offset: 0 }) {
        Ok((_, payload)) => Ok(SegmentHead::parse(&payload).is_some_and(|head| head.role == Role::Pack)),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Ok(Tail::read(file, 0)?.zero),
        Err(e) => Err(e),
    }
}

/// Whether this is the number of a log.
pub fn is_log(number: u64) -> bool {
    number & RANDOM == 0
}
