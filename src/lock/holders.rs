//! Who holds a lock: what this process knows, what the kernel says, and what holder records add to that.

use super::record::{self, Record};
use super::registry::Registry;
use super::sidecar::{Identity, Sidecar, sidecar_name};
use super::{Holder, LockType};
use crate::error::{Error, Result};
use crate::path::Location;
use crate::sys::sharing::{self, KernelLock, KernelLocks};
use crate::sys::{self, Stat, locks};
use crate::time::Timestamp;
use std::io::ErrorKind;

pub(super) fn holders(location: &Location) -> Result<Vec<Holder>> {
    let Some((identity, stat, sidecar)) = look(location)? else { return Ok(Vec::new()) };
    let registry = Registry::here();
    let kernel = match locks::CROSS_PROCESS {
        true => sharing::kernel_locks(stat.inode, sidecar.as_ref().map(|s| &s.file)),
        false => sharing::KernelLocks::default(),
    };
    let mine = registry.holders(identity);
    let mut found: Vec<Holder> = mine.iter().filter_map(|(kind, since)| Some(here(*kind, (*since)?))).collect();
    if !locks::CROSS_PROCESS {
        return Ok(found);
    }
    let pid = sys::process_id();
    let (listed, certain) = of_this_file(kernel, stat.device, pid.filter(|_| !mine.is_empty()));
    let mut others = without(listed, pid, &mine);
    if mine.is_empty() && !certain {
        match sidecar.as_ref().map(probe).transpose()?.flatten() {
            None => others.clear(),
            Some(kind) if others.is_empty() => found.push(unknown(kind)),
            Some(_) => {}
        }
    }
    let records = sidecar.and_then(|s| record::read(&s.file).ok()).unwrap_or_default();
    found.extend(others.iter().flat_map(|lock| describe(lock, &records)));
    Ok(found)
}

/// The sidecar as it stands, open if it may be read. `None`: there is none, and so no lock.
fn look(location: &Location) -> Result<Option<(Identity, Stat, Option<Sidecar>)>> {
    if let Some(sidecar) = Sidecar::look(location)? {
        return Ok(Some((sidecar.identity, sidecar.stat, Some(sidecar))));
    }
    let name = sidecar_name(location.name());
    match location.dir().stat(&name) {
        Ok(stat) => Ok(Some((sys::identity(location.dir(), &name, &stat), stat, None))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(e, location.path().with_file_name(name))),
    }
}

fn here(kind: LockType, since: Timestamp) -> Holder {
    Holder { pid: sys::process_id(), kind: Some(kind), since: Some(since), host: this_host(), source: "process" }
}

fn this_host() -> Option<String> {
    Some(sys::host_name()).filter(|host| !host.is_empty())
}

fn unknown(kind: LockType) -> Holder {
    Holder { pid: None, kind: Some(kind), since: None, host: None, source: "probe" }
}

/// The locks on this file, and whether that is certain. Some file systems (btrfs, overlay) list another device than
/// `stat` shows: then it is the device of a lock that this process (`holder`) knows it has, or only likely.
fn of_this_file(kernel: KernelLocks, device: u64, holder: Option<u32>) -> (Vec<KernelLock>, bool) {
    let mut locks = kernel.locks;
    let certain = kernel.complete || locks.iter().any(|lock| lock.device == device);
    if certain || holder.is_some() {
        let own = locks.iter().find(|lock| Some(lock.pid) == holder).map(|lock| lock.device);
        let device = if certain { Some(device) } else { own };
        locks.retain(|lock| Some(lock.device) == device);
    }
    (locks, certain)
}

/// Leaves out the locks that this process knows as its own; those of other code in it stay.
fn without(listed: Vec<KernelLock>, pid: Option<u32>, mine: &[(LockType, Option<Timestamp>)]) -> Vec<KernelLock> {
    let mut own: Vec<LockType> = mine.iter().map(|(kind, _)| *kind).collect();
    let keep = |lock: &KernelLock| {
        let known = own.iter().position(|kind| *kind == kind_of(lock)).filter(|_| Some(lock.pid) == pid);
        known.map(|index| own.swap_remove(index)).is_none()
    };
    listed.into_iter().filter(keep).collect()
}

fn kind_of(lock: &KernelLock) -> LockType {
    if lock.exclusive { LockType::Exclusive } else { LockType::Shared }
}

/// A lock that the kernel lists, with what the records know of its holder.
fn describe(lock: &KernelLock, records: &[Record]) -> Vec<Holder> {
    let kind = kind_of(lock);
    let record = records.iter().find(|r| r.process.pid == lock.pid && r.kind == kind && r.process.lives());
    if let Some(Record { process, since, .. }) = record {
        let (pid, host) = (Some(process.pid), Some(process.host.clone()));
        return vec![Holder { pid, kind: Some(kind), since: Some(*since), host, source: "record" }];
    }
    let known = |pid| Holder { pid: Some(pid), kind: Some(kind), since: None, host: this_host(), source: "kernel" };
    // The kernel names who took the lock; that one may have died and left the open file to those it started.
    let heirs = if sharing::process_start(lock.pid).is_none() { sharing::heirs(lock) } else { Vec::new() };
    if heirs.is_empty() { vec![known(lock.pid)] } else { heirs.into_iter().map(known).collect() }
}

/// Whether somebody holds it, by trying for an instant. Another open file of ours, so that this process counts too.
fn probe(sidecar: &Sidecar) -> Result<Option<LockType>> {
    for (exclusive, kind) in [(false, LockType::Exclusive), (true, LockType::Shared)] {
        if !locks::try_lock(&sidecar.file, exclusive).map_err(|e| sidecar.failed(e))? {
            return Ok(Some(kind));
        }
        locks::unlock(&sidecar.file).map_err(|e| sidecar.failed(e))?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(pid: u32, device: u64) -> KernelLock {
        KernelLock { pid, exclusive: false, device, inode: 1 }
    }

    fn list(complete: bool, locks: &[KernelLock]) -> KernelLocks {
        KernelLocks { locks: locks.to_vec(), complete }
    }

    #[test]
    fn a_file_of_the_same_number_on_another_device_is_another_file() {
        let elsewhere = [lock(1, 70), lock(2, 71)];
        assert_eq!(of_this_file(list(true, &elsewhere), 7, None), (vec![], true));
        assert_eq!(of_this_file(list(true, &elsewhere), 7, Some(1)), (vec![], true));
        let both = [lock(1, 70), lock(2, 7)];
        assert_eq!(of_this_file(list(false, &both), 7, None), (vec![lock(2, 7)], true));
    }

    #[test]
    fn where_devices_are_shown_differently_one_of_ours_tells_which_it_is() {
        let locks = [lock(1, 70), lock(2, 71), lock(3, 70)];
        assert_eq!(of_this_file(list(false, &locks), 7, Some(1)), (vec![lock(1, 70), lock(3, 70)], false));
        assert_eq!(of_this_file(list(false, &locks), 7, Some(9)), (vec![], false));
        assert_eq!(of_this_file(list(false, &locks), 7, None), (locks.to_vec(), false));
    }

    #[test]
    fn locks_of_ours_are_told_once_and_those_of_other_code_in_this_process_too() {
        let listed = vec![lock(1, 7), lock(1, 7), lock(2, 7)];
        let mine = [(LockType::Shared, None)];
        assert_eq!(without(listed.clone(), Some(1), &mine), [lock(1, 7), lock(2, 7)]);
        assert_eq!(without(listed, Some(1), &[(LockType::Exclusive, None)]).len(), 3);
    }
}
