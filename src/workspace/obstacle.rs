//! What keeps a transaction that a crash interrupted from being carried out, and whether that is worth waiting for.

use crate::error::{Code, Error, Family, Result};
use crate::lock::Timeout;
use crate::path::Location;
use crate::transaction::Recovered;
use std::path::Path;
use std::time::Duration;

/// Between two attempts to carry it out.
const PAUSE: Duration = Duration::from_millis(10);
/// Who carries out a transaction is given this much time, even by those who do not want to wait for a lock.
const GRACE: Duration = Duration::from_millis(200);

/// A transaction that is to be carried out before its files may be changed: what was written now, it would undo later.
pub(super) struct Obstacle<'a> {
    id: &'a str,
    /// `None`: somebody else is at it.
    problem: Option<&'a Error>,
}

/// The first of the transactions concerning a file that has to go first.
pub(super) fn obstacle<'a>(concerning: &'a [String], recovered: &'a [Recovered]) -> Option<Obstacle<'a>> {
    let problem = |id: &String| recovered.iter().find(|r| r.id == *id).and_then(|r| r.problem.as_ref());
    concerning.iter().map(|id| Obstacle { id, problem: problem(id) }).find(|o| !o.problem.is_some_and(is_final))
}

/// Whether a journal can never be carried out: it is damaged, or none that a program of ours would write or understand.
/// One that was let out of the base folder, and so has absolute names, waits for an open that lets it out again.
fn is_final(problem: &Error) -> bool {
    match problem.code() {
        Code::Damaged | Code::FormatUnsupported | Code::ReservedName | Code::InvalidName => true,
        Code::PathEscape => !problem.path().is_some_and(Path::is_absolute),
        _ => false,
    }
}

impl Obstacle<'_> {
    /// Waits a moment for it to go; an error if it does not by itself, or the time is over.
    pub(super) fn wait(&self, location: &Location, timeout: Timeout, elapsed: Duration) -> Result<()> {
        let patience = match (self.problem, timeout) {
            (Some(problem), _) if problem.code().family() != Family::Locked => Timeout::Try,
            (None, Timeout::Try) => Timeout::After(GRACE),
            (None, Timeout::After(time)) => Timeout::After(time.max(GRACE)),
            (_, timeout) => timeout,
        };
        let left = match patience.after(elapsed) {
            Timeout::Try => Duration::ZERO,
            Timeout::After(left) => left,
            Timeout::Forever => PAUSE,
        };
        if left.is_zero() {
            return Err(self.error().at(location.path()));
        }
        std::thread::sleep(left.min(PAUSE));
        Ok(())
    }

    fn error(&self) -> Error {
        let words = "is to change this file first: a crash interrupted it after it was decided, and it";
        let (code, why) = match self.problem {
            None => (Code::LockTimeout, "is still being carried out".to_owned()),
            Some(problem) if problem.code().family() == Family::Locked => {
                (Code::LockTimeout, format!("waits for a lock: {problem}"))
            }
            Some(problem) => (problem.code(), format!("cannot be carried out: {problem}")),
        };
        Error::message(code, format!("transaction {} {words} {why}", self.id))
    }
}
