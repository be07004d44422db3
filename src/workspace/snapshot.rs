//! Bringing into history what stands there, without changing it.

use super::survey::{History, Survey, open_standing};
use super::turn::{Turn, new_version};
use super::{ChangeOptions, Changed, Workspace, release};
use crate::atomic::Durability;
use crate::error::{Code, Error, Result};
use crate::path::Location;
use crate::progress::Progress;
use crate::store::{Identity, Landed, VersionKind};
use crate::time::Timestamp;

impl Workspace {
    /// Records what stands there now, whoever wrote it, as a version (kind `snapshot`). The newest version again if it
    /// is that.
    ///
    /// # Errors
    /// `not_found`, `not_a_file`, `lock_timeout`, `would_deadlock`, `not_locked`, `cancelled`, `changed_while_read`,
    /// `read_only`, `permission_denied`, `no_space`, `io`.
    pub fn snapshot(&self, location: Location, options: ChangeOptions<'_>) -> Result<Changed> {
        self.snapshot_at(&location, &options).map_err(|e| e.at(location.path()))
    }

    fn snapshot_at(&self, location: &Location, options: &ChangeOptions<'_>) -> Result<Changed> {
        self.writable()?;
        // A lock file for a file that is not there would be litter.
        open_standing(location)?.ok_or_else(|| Error::new(Code::NotFound))?;
        let guard = self.enter(location, &options.hold)?;
        let mut turn = Turn::new(self);
        let survey = self.survey(location, true, &options.progress, &mut turn)?;
        let Some(stat) = survey.stat else { return Err(Error::new(Code::NotFound)) };
        survey.allows(&options.condition)?;
        let checksum = survey.digest(options.algorithm)?;
        let version = self.keep_as(location, &survey, VersionKind::Snapshot, options.durability, turn)?;
        release(guard)?;
        Ok(Changed {
            path: location.path().to_owned(),
            size: stat.size,
            checksum,
            version: Some(version),
            outside_edit: None,
            timestamp: Timestamp::now(),
            durability: options.durability,
        })
    }

    /// The version that holds what was found: one that exists, or a new one.
    fn keep_as(
        &self,
        location: &Location,
        survey: &Survey,
        kind: VersionKind,
        durability: Durability,
        mut turn: Turn<'_>,
    ) -> Result<u64> {
        let state = match &survey.history {
            History::Holds(version) => return Ok(version.number),
            History::Lacks(state) => state.clone(),
            History::Untold => return Err(Error::new(Code::Internal)),
        };
        let slot = turn.add(new_version(location, kind, Some(state)));
        let number = turn.commit(durability > Durability::None)?.of(Some(slot));
        let number = number.ok_or_else(|| Error::new(Code::Internal))?;
        if let Some(stat) = &survey.stat {
            let identity = Identity { seen: survey.seen, ..Identity::of(stat) };
            self.note(location.key(), number, Landed::Yes(Some(identity)));
        }
        Ok(number)
    }

    /// Brings into history what stands there now if its newest landed version is not that: the number of the
    /// `outside_edit`, or `None`. The caller holds the lock.
    pub(crate) fn keep_outside_edit(&self, location: &Location) -> Result<Option<u64>> {
        let mut turn = Turn::new(self);
        let survey = self.survey(location, true, &Progress::new(), &mut turn)?;
        match survey.lacks() {
            Some(_) => self.keep_as(location, &survey, VersionKind::OutsideEdit, Durability::Full, turn).map(Some),
            None => Ok(None),
        }
    }
}
