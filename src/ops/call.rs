//! One call of an operation, and what many of them need.

use super::{Contents, Output};
use crate::atomic::Condition;
use crate::checksum::Algorithm;
use crate::error::{Code, Error, Result};
use crate::handler::AdvancedFileHandler;
use crate::lock::LockOptions;
use crate::progress::Progress;
use crate::wire::Request;
use crate::workspace::{ChangeOptions, Hold};
use serde_json::Value;

/// One call of an operation: its checked request, and what travels beside it.
pub struct Call<'c, 'a> {
    pub handler: &'c AdvancedFileHandler,
    pub request: Request,
    pub contents: &'c mut Contents<'a>,
    pub progress: &'c Progress,
}

impl<'c, 'a> Call<'c, 'a> {
    /// The options of a change, as far as the operation has them.
    pub fn change_options(&self) -> Result<ChangeOptions<'a>> {
        let options = change_options(&self.request, self.progress.clone())?;
        Ok(ChangeOptions { hold: self.hold()?, ..options })
    }

    fn hold(&self) -> Result<Hold<'a>> {
        match self.request.count("lock") {
            Some(number) => Ok(Hold::Use(self.contents.lock(number)?)),
            None => Ok(Hold::Take(self.lock_options()?)),
        }
    }

    /// How locks are taken.
    pub fn lock_options(&self) -> Result<LockOptions> {
        let mut lock = LockOptions { progress: self.progress.clone(), ..LockOptions::default() };
        lock.timeout = self.request.timeout("timeout")?.unwrap_or(lock.timeout);
        lock.owner = self.contents.owner.unwrap_or(lock.owner);
        Ok(lock)
    }

    /// Puts a content beside the result, and gives its index.
    pub fn give(&mut self, content: Output) -> Value {
        self.contents.output.push(content);
        (self.contents.output.len() - 1).into()
    }
}

/// The options of a change, but for the lock that it takes.
pub fn change_options(request: &Request, progress: Progress) -> Result<ChangeOptions<'static>> {
    let mut options = ChangeOptions { progress, ..ChangeOptions::default() };
    options.create_version = request.flag("create_version").unwrap_or(options.create_version);
    options.verify = request.flag("verify_integrity").unwrap_or(options.verify);
    options.algorithm = request.algorithm("algorithm")?.unwrap_or(options.algorithm);
    options.durability = request.durability("durability")?.unwrap_or(options.durability);
    options.condition = condition(request, options.algorithm)?;
    options.mode = request.mode("mode")?;
    Ok(options)
}

/// When to change a file.
pub fn condition(request: &Request, algorithm: Algorithm) -> Result<Condition> {
    match (request.checksum("if_checksum", algorithm)?, request.flag("if_absent")) {
        (Some(_), Some(true)) => {
            Err(Error::message(Code::InvalidArgument, "`if_checksum` and `if_absent` exclude each other"))
        }
        (Some(digest), _) => Ok(Condition::Checksum(digest)),
        (None, Some(true)) => Ok(Condition::Absent),
        (None, _) => Ok(Condition::Always),
    }
}
