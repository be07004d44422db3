//! `lock FILE -- CMD…`, like flock(1), and who holds a lock.

use crate::args::Lock;
use crate::failure::Failure;
use crate::platform;
use electrus::error::{Code, Error, Result};
use electrus::lock::{ChildLock, FileLockManager, LockGuard, LockOptions, LockType, Timeout, VARIABLE};
use electrus::path::Location;
use electrus::progress::Progress;
use electrus::wire;
use serde_json::{Value, json};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};

/// Runs a command under a file's lock; its exit status.
pub fn run(options: &Lock) -> Result<u8, Failure> {
    let location = Location::ordinary(&options.file)?;
    let kind = if options.shared { LockType::Shared } else { LockType::Exclusive };
    let child = Running::default();
    let progress = Progress::new();
    child.pass_signals_on(&progress);
    let wanted = LockOptions {
        timeout: Timeout::from_seconds(options.timeout)?,
        progress: progress.clone(),
        ..LockOptions::default()
    };
    let guard = match FileLockManager.acquire(&location, kind, &wanted) {
        Err(error) if error.code() == Code::LockTimeout => return Err(Failure::LockTimeout(error)),
        guard => guard?,
    };
    let (program, arguments) = options.command.split_first().ok_or_else(|| Error::new(Code::InvalidArgument))?;
    let mut command = Command::new(program);
    command.args(arguments);
    let passed = passed_on(&guard)?;
    if let Some(lock) = &passed {
        command.env(VARIABLE, lock.value());
    }
    let status = child.run(&mut command, passed, &progress)?;
    guard.release()?;
    Ok(status)
}

/// The lock for the child's own use; none where programs inherit no descriptors.
fn passed_on(guard: &LockGuard) -> Result<Option<ChildLock>> {
    match guard.for_child() {
        Err(error) if error.code() == Code::Unsupported => Ok(None),
        lock => lock.map(Some),
    }
}

/// The child, for as long as it may be sent signals.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<Option<u32>>>);

impl Running {
    /// SIGTERM and SIGHUP reach the child; so does SIGINT, unless the terminal sent it to both of us. Before there is a
    /// child they cancel: the wait for the lock, or the start of the child.
    fn pass_signals_on(&self, progress: &Progress) {
        let (child, progress) = (self.0.clone(), progress.clone());
        platform::on_signal(move |asked| match *child.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(child) if !asked.by_terminal => platform::signal(child, asked),
            Some(_) => {}
            None => progress.cancel(),
        });
    }

    fn run(&self, command: &mut Command, lock: Option<ChildLock>, progress: &Progress) -> Result<u8> {
        let mut child = self.start(command, progress)?;
        drop(lock); // only the child keeps the descriptor
        self.end(&mut child).map_err(|e| Error::io(e, command.get_program()))
    }

    /// Once it has started, a signal finds the child; one that came before, after the wait for the lock, is found here.
    fn start(&self, command: &mut Command, progress: &Progress) -> Result<Child> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if progress.is_cancelled() {
            return Err(Error::new(Code::Cancelled));
        }
        let child = command.spawn().map_err(|e| Error::io(e, command.get_program()))?;
        *running = Some(child.id());
        Ok(child)
    }

    fn end(&self, child: &mut Child) -> std::io::Result<u8> {
        platform::wait_for_end(child)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(platform::status_of(child.wait()?))
    }
}

/// Who holds a lock, as the operation `locks` tells it.
pub fn holders(location: &Location) -> Result<Value> {
    let locks = FileLockManager;
    let holders: Vec<Value> = locks.holders(location)?.iter().map(wire::holder).collect();
    let locked = !holders.is_empty(); // asked once: a second answer could contradict the first
    let mut result = serde_json::Map::new();
    wire::put_path(&mut result, "file_path", location.path());
    result.insert("locked".into(), locked.into());
    result.insert("holders".into(), json!(holders));
    result.insert("scope".into(), locks.scope().into());
    Ok(Value::Object(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A signal between having the lock and starting the command cancelled a wait that was over: it was lost.
    #[test]
    fn a_signal_that_came_just_before_the_command_keeps_it_from_starting() {
        let progress = Progress::new();
        progress.cancel();
        let mut command = Command::new("electrus-is-not-to-start-this");
        let refused = Running::default().run(&mut command, None, &progress).unwrap_err();
        assert_eq!(refused.code(), Code::Cancelled);
    }
}
