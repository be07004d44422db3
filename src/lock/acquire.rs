//! The steps of taking a lock, in order.

use super::guard::LockGuard;
use super::registry::{Place, Registry};
use super::sidecar::Sidecar;
use super::wait::{self, Patience};
use super::{LockOptions, LockType, record};
use crate::error::{Code, Error, Result};
use crate::path::Location;
use crate::time::Timestamp;

/// How often the sidecar may be replaced under us before that counts as somebody else's doing.
const REPLACEMENTS: usize = 1000;

pub(super) fn acquire(location: &Location, kind: LockType, options: &LockOptions) -> Result<LockGuard> {
    let name = |e: Error| e.at(location.path());
    options.progress.check().map_err(name)?;
    let patience = Patience::new(options.timeout, &options.progress);
    let registry = Registry::here();
    registry.inherited(); // before this process opens anything that could be taken for one of them
    for _ in 0..REPLACEMENTS {
        let sidecar = Sidecar::open(location)?;
        let place = registry.enter(sidecar.identity, kind, options.owner, &patience).map_err(name)?;
        if let Some(guard) = take(location, sidecar, place, kind, registry, &patience).map_err(name)? {
            return Ok(guard);
        }
    }
    Err(Error::message(Code::LockTimeout, "the lock file is being replaced all the time").at(location.path()))
}

/// `None`: the sidecar was replaced meanwhile.
fn take(
    location: &Location,
    sidecar: Sidecar,
    place: Place,
    kind: LockType,
    registry: &Registry,
    patience: &Patience<'_>,
) -> Result<Option<LockGuard>> {
    for inherited in registry.inherited().iter().filter(|inherited| inherited.is_of(&sidecar)) {
        if !inherited.serves(&sidecar, kind)? {
            continue;
        }
        let alone = wait::for_nested(&sidecar, location, kind, &place, patience)?;
        return Ok(alone.then(|| LockGuard::inherited(sidecar, place, kind, Timestamp::now())));
    }
    let Some(found) = wait::for_system(&sidecar, location, kind, &place, patience)? else { return Ok(None) };
    let since = Timestamp::now();
    record::write(&sidecar, &found, kind, since, registry);
    Ok(Some(LockGuard::new(sidecar, place, kind, since)))
}
