//! The last step: a finished temporary file takes the name.

use super::condition::{self, Expected, changed};
use super::temp::Temp;
use super::{Condition, Durability, Written};
use crate::checksum::Digest;
use crate::error::{Code, Error, IoContext, Result};
use crate::path::Location;
use crate::sys::{self, Dir, Stat, locks};
use std::fs::File;
use std::io;

const ATTEMPTS: usize = 100;

/// What a replacement took out: the file that stood under the name, looked at after the swap.
#[derive(Debug)]
pub(crate) struct Displaced {
    pub file: File,
    pub stat: Stat,
    generation: u64,
}

impl Displaced {
    fn new(file: File, stat: Stat) -> Displaced {
        Displaced { file, stat, generation: sys::process_generation() }
    }

    /// Under the temporary name it would be taken for a left-over, but for this lock. Whoever holds another keeps
    /// those who clear up away as well.
    fn hold(self) -> Displaced {
        let _ = locks::try_lock(&self.file, false);
        self
    }
}

impl Drop for Displaced {
    fn drop(&mut self) {
        // In a child forked meanwhile the lock is the parent's.
        if self.generation == sys::process_generation() {
            let _ = locks::unlock(&self.file); // closing the descriptor is the second chance
        }
    }
}

pub(super) type Examine<'a> = &'a mut dyn FnMut(&Displaced) -> Result<()>;

/// A finished temporary file that waits to take the name. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(super) target: Location,
    pub(super) temp: Temp,
    pub(super) condition: Condition,
    pub(super) expected: Option<Expected>,
    pub(super) size: u64,
    pub(super) digests: Vec<Digest>,
    pub(super) durable: bool,
}

enum Swap {
    Done,
    /// What stood under the name went or came meanwhile.
    Again,
}

impl Staged {
    /// Bytes of the new content.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// One digest for each algorithm asked for.
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// What the finished temporary file is: owner, mode and times as they will stand under the name.
    pub fn stat(&self) -> Result<Stat> {
        sys::stat_file(self.temp.file()).at(self.target.path())
    }

    /// The finished temporary file, open for reading; where its position is, is not said.
    pub fn file(&self) -> &File {
        self.temp.file()
    }

    /// Makes the content durable, if [`AtomicFile::stage`](super::AtomicFile::stage) did not.
    pub fn flush(&mut self) -> Result<()> {
        if !self.durable {
            sys::sync_file(self.temp.file()).at(self.target.path())?;
            self.durable = true;
        }
        Ok(())
    }

    /// Takes the name, and makes that durable if `sync_name` (else the caller syncs the folder). `examine` is shown what
    /// really came out from under the name, where the platform can tell (`RENAME_EXCHANGE`), before it is removed; if it
    /// fails, the exchange is undone. Elsewhere it is shown what stands under the name just before.
    ///
    /// The durability in the result is what this call and [`AtomicFile::stage`](super::AtomicFile::stage) did: a caller
    /// who flushes for many knows better.
    pub fn publish(mut self, sync_name: bool, examine: Examine<'_>) -> Result<Written> {
        self.land(Some(examine))?;
        self.finish(sync_name)
    }

    /// The same where nobody asks what was there.
    pub(super) fn replace(mut self, sync_name: bool) -> Result<Written> {
        self.land(None)?;
        self.finish(sync_name)
    }

    fn land(&mut self, examine: Option<Examine<'_>>) -> Result<()> {
        match (&self.condition, examine) {
            (Condition::Absent, _) => self.claim(),
            (Condition::Always, None) => self.rename(),
            (_, Some(examine)) => self.swap(examine),
            (_, None) => self.swap(&mut |_| Ok(())),
        }
    }

    /// After the change: what fails now leaves the new content in place, and its durability unknown.
    fn finish(mut self, sync_name: bool) -> Result<Written> {
        self.temp.unlock();
        let unknown = |e: Error| e.with_code(Code::DurabilityUnknown);
        let named = sync_name && self.dir().sync().at(self.target.path()).map_err(unknown)?;
        let stat = self.stat().map_err(unknown)?;
        let durability = match (self.durable, named) {
            (false, _) => Durability::None,
            (true, false) => Durability::Data,
            (true, true) => Durability::Full,
        };
        Ok(Written { size: self.size, digests: self.digests, durability, stat })
    }

    fn dir(&self) -> &Dir {
        self.target.dir()
    }

    fn rename(&mut self) -> Result<()> {
        self.dir().rename(self.temp.name(), self.dir(), self.target.name()).at(self.target.path())?;
        self.temp.forget_name();
        Ok(())
    }

    /// Takes a name that nobody has: in one step where the file system can, by a second name that fails if there is one
    /// where it has hard links, and last by creating the file empty and replacing it.
    fn claim(&mut self) -> Result<()> {
        match self.dir().rename_noreplace(self.temp.name(), self.dir(), self.target.name()) {
            Ok(()) => {
                self.temp.forget_name();
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::Unsupported => self.claim_by_link(),
            Err(e) => Err(Error::io(e, self.target.path())),
        }
    }

    fn claim_by_link(&mut self) -> Result<()> {
        match self.dir().link(self.temp.name(), self.dir(), self.target.name()) {
            Ok(()) => self.remove_temp(),
            // EPERM is what a Linux file system without hard links answers.
            Err(e) if matches!(sys::classify(&e), Code::Unsupported | Code::PermissionDenied) => {
                self.claim_by_creating()
            }
            Err(e) => Err(Error::io(e, self.target.path())),
        }
    }

    /// Readers may see the file empty for a moment; nobody else can take the name for theirs.
    fn claim_by_creating(&mut self) -> Result<()> {
        let empty = self.dir().create_new(self.target.name(), 0o600).at(self.target.path())?;
        self.rename().inspect_err(|_| {
            let stands = self.dir().stat(self.target.name());
            if stands.is_ok_and(|now| sys::stat_file(&empty).is_ok_and(|ours| ours.same_file(&now))) {
                let _ = self.dir().remove_file(self.target.name()); // the error of the rename is the one to tell
            }
        })
    }

    /// Removes what stands under the temporary name once the change is made.
    fn remove_temp(&mut self) -> Result<()> {
        let removed = self.temp.remove().at(self.target.path());
        removed.map_err(|e| e.with_code(Code::DurabilityUnknown))
    }

    /// Exchanges both names, so that what came out can be looked at before it goes.
    fn swap(&mut self, examine: Examine<'_>) -> Result<()> {
        for _ in 0..ATTEMPTS {
            if let Swap::Done = self.try_swap(examine)? {
                return Ok(());
            }
        }
        Err(changed(&self.target))
    }

    fn try_swap(&mut self, examine: Examine<'_>) -> Result<Swap> {
        let Some((file, stat)) = condition::open(&self.target)? else {
            return self.claim_again();
        };
        let found = Displaced::new(file, stat);
        let Some(settled) = self.settle(&found.stat)? else {
            return Ok(Swap::Again);
        };
        let found = found.hold();
        match self.dir().exchange(self.temp.name(), self.dir(), self.target.name()) {
            Ok(()) => self.judge(found, examine),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Swap::Again),
            Err(e) if e.kind() == io::ErrorKind::Unsupported && settled => self.replace_unseen(found, examine),
            Err(e) if e.kind() == io::ErrorKind::Unsupported => {
                Err(Error::message(Code::LockTimeout, "another program holds a lock on the file itself")
                    .at(self.target.path()))
            }
            Err(e) => Err(Error::io(e, self.target.path())),
        }
    }

    /// There is no file to replace: then there must not be one when ours comes.
    fn claim_again(&mut self) -> Result<Swap> {
        if self.expected.is_some() {
            return Err(changed(&self.target));
        }
        match self.claim() {
            Ok(()) => Ok(Swap::Done),
            Err(e) if e.code() == Code::AlreadyExists => Ok(Swap::Again),
            Err(e) => Err(e),
        }
    }

    /// Makes sure that what was found is the file that the condition was checked on, its content final and unchanged;
    /// `None` if another one had to be checked in its place. `false`: a foreign lock hinders us to know.
    fn settle(&mut self, found: &Stat) -> Result<Option<bool>> {
        let (Condition::Checksum(digest), Some(expected)) = (&self.condition, &self.expected) else {
            return Ok(Some(true));
        };
        if expected.is(found) {
            let settled = expected.settle();
            let now = condition::look(&self.target)?;
            if now.is_some_and(|now| expected.is(&now)) && expected.holds(false).at(self.target.path())? {
                return Ok(Some(settled));
            }
        }
        self.expected = Some(Expected::read(digest, &self.target)?);
        Ok(None)
    }

    /// The exchange is made: looks at what came out, and undoes it if that must not go.
    fn judge(&mut self, found: Displaced, examine: Examine<'_>) -> Result<Swap> {
        self.temp.forget_name();
        let verdict = self.displaced(found).and_then(|displaced| {
            self.allowed(&displaced)?;
            examine(&displaced)?;
            Ok(displaced)
        });
        match verdict {
            Ok(displaced) => {
                // A file that is removed while it is open costs the journal more than one that is not.
                drop(displaced);
                self.expected = None;
                self.remove_temp().map(|()| Swap::Done)
            }
            Err(e) => self.put_back().and(Err(e)),
        }
    }

    /// What stands under the temporary name now: the file that was found, unless another came in between.
    fn displaced(&self, mut found: Displaced) -> Result<Displaced> {
        let stat = self.dir().stat(self.temp.name()).at(self.target.path())?;
        if stat.same_file(&found.stat) {
            found.stat = stat;
            return Ok(found);
        }
        condition::regular(&self.target, &stat)?;
        let file = self.dir().open_read(self.temp.name()).at(self.target.path())?;
        Ok(Displaced::new(file, stat).hold())
    }

    fn allowed(&self, displaced: &Displaced) -> Result<()> {
        match &self.expected {
            None => Ok(()),
            Some(e) if e.is(&displaced.stat) && e.holds(true).at(self.target.path())? => Ok(()),
            Some(_) => Err(changed(&self.target)),
        }
    }

    /// Undoes the exchange. Where somebody replaced our file meanwhile, theirs is the newest and must win: so whatever
    /// comes out, if it is not what we believed to stand there, goes in again.
    fn put_back(&mut self) -> Result<()> {
        let mut ours = *self.temp.identity();
        for _ in 0..ATTEMPTS {
            let back = self.dir().stat(self.temp.name()).at(self.target.path())?;
            match self.dir().exchange(self.temp.name(), self.dir(), self.target.name()) {
                Ok(()) => {}
                // Ours was removed under its new name: the old content was not meant by that.
                Err(e) if e.kind() == io::ErrorKind::NotFound => return self.put_back_alone(),
                Err(e) => return Err(self.left_aside(e)),
            }
            if self.dir().stat(self.temp.name()).at(self.target.path())?.same_file(&ours) {
                self.temp.own_name();
                return Ok(());
            }
            ours = back;
        }
        Err(self.left_aside(io::ErrorKind::Interrupted.into()))
    }

    fn put_back_alone(&self) -> Result<()> {
        let dir = self.target.dir();
        match dir.rename_noreplace(self.temp.name(), dir, self.target.name()) {
            Ok(()) => Ok(()),
            Err(e) => Err(self.left_aside(e)),
        }
    }

    /// The old content could not be put back: it must at least not be removed.
    fn left_aside(&self, error: io::Error) -> Error {
        let aside = self.target.path().with_file_name(self.temp.name());
        let words = format!("the replacement could not be undone ({error}): the old content is in {}", aside.display());
        Error::message(Code::DurabilityUnknown, words).at(self.target.path())
    }

    /// Without an exchange: what is found just before is what is replaced, but for a window of microseconds in which
    /// only programs that are not ours can act.
    fn replace_unseen(&mut self, found: Displaced, examine: Examine<'_>) -> Result<Swap> {
        examine(&found)?;
        self.rename().map(|()| Swap::Done)
    }
}
