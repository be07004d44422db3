//! Waiting for other processes: woken when somebody closes the sidecar, and looking from time to time all the same,
//! because a lock can be given back without closing anything.
//!
//! The kernel queues nobody fairly: a writer waits for ever behind readers that overlap, and whoever has just given a
//! lock back is the first to take it again. So those who wait leave a mark on the sidecar that every later comer of
//! ours looks for: a lock of the open file description on one byte far beyond the end, which vanishes with its process.
//! - A reader lets the first waiting writer that it finds go before it, and then competes like anybody.
//! - A writer that may wait lets whoever waits already have a moment to take the lock.

use super::registry::{Place, Registry};
use super::sidecar::Sidecar;
use super::{LockType, Timeout};
use crate::error::{Code, Error, Result};
use crate::path::Location;
use crate::progress::Progress;
use crate::sys::sharing::{self, Marks, Watcher};
use crate::sys::{self, Stat, locks};
use std::cell::OnceCell;
use std::fs::File;
use std::time::{Duration, Instant};

/// How often a wait looks for cancellation, and at the longest for a lock that was given back silently.
pub(super) const CHECK: Duration = Duration::from_millis(50);
/// The first look is after this; it is also the moment that a newcomer leaves to those who wait already.
const MOMENT: Duration = Duration::from_millis(1);

const WATCHERS_KEPT: usize = 4;
const LANES: u32 = 1 << 20;
const WRITERS: Marks = Marks { first: 0, count: LANES };
const READERS: Marks = Marks { first: LANES, count: 1 };
const ANYBODY: Marks = Marks { first: 0, count: LANES + 1 };
/// Held by those who share an inherited lock, to exclude each other.
pub(super) const NESTED: Marks = Marks { first: LANES + 1, count: 1 };

/// How long the caller is willing to wait.
pub(super) struct Patience<'a> {
    end: Timeout,
    /// The first wait: who need not wait need not look at the clock.
    from: OnceCell<Instant>,
    progress: &'a Progress,
}

impl Patience<'_> {
    pub fn new(end: Timeout, progress: &Progress) -> Patience<'_> {
        Patience { end, from: OnceCell::new(), progress }
    }

    /// Whether there is no time to be polite in.
    fn is_short(&self) -> bool {
        match self.end {
            Timeout::Try => true,
            Timeout::After(time) => time <= 2 * MOMENT,
            Timeout::Forever => false,
        }
    }

    /// How long to wait for the next look: at most `limit`. An error once the time is up, or cancelled, or where
    /// nobody could ever give the lock back.
    pub fn turn(&self, limit: Duration) -> Result<Duration> {
        self.progress.check()?;
        let left = match self.end {
            Timeout::Try => Duration::ZERO,
            Timeout::After(time) => time.saturating_sub(self.from.get_or_init(Instant::now).elapsed()),
            Timeout::Forever => limit,
        };
        if left.is_zero() {
            return Err(Error::new(Code::LockTimeout));
        }
        if !locks::CAN_WAIT {
            return Err(Error::message(Code::WouldDeadlock, "nobody here could give the lock back while this waits"));
        }
        Ok(left.min(limit))
    }
}

/// Whom a newcomer finds waiting.
enum Gate {
    Open,
    /// A reader found this writer.
    Behind(Marks),
    /// A writer found somebody, and leaves a moment.
    AfterYou,
}

impl Gate {
    fn arrive(file: &File, kind: LockType, patience: &Patience<'_>) -> Gate {
        match kind {
            LockType::Shared => {
                sharing::marked(file, WRITERS).map_or(Gate::Open, |lane| Gate::Behind(Marks { first: lane, count: 1 }))
            }
            LockType::Exclusive if patience.is_short() => Gate::Open,
            LockType::Exclusive => sharing::marked(file, ANYBODY).map_or(Gate::Open, |_| Gate::AfterYou),
        }
    }

    fn is_open(&mut self, file: &File) -> bool {
        if let Gate::Behind(writer) = self
            && sharing::marked(file, *writer).is_none()
        {
            *self = Gate::Open;
        }
        matches!(self, Gate::Open)
    }
}

/// A mark that says that somebody waits; taken away when dropped.
struct Waiting<'a> {
    file: &'a File,
    mark: Option<Marks>,
}

impl<'a> Waiting<'a> {
    fn begin(file: &'a File, kind: LockType, ticket: u64) -> Waiting<'a> {
        let mark = match kind {
            LockType::Shared => READERS,
            LockType::Exclusive => Marks { first: lane(ticket), count: 1 },
        };
        Waiting { file, mark: sharing::mark(file, mark, false).then_some(mark) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(mark) = self.mark {
            sharing::unmark(self.file, mark);
        }
    }
}

/// Watching a file by one of the watchers that this process keeps, or blindly where there is none.
struct Watch<'a> {
    registry: &'a Registry,
    watcher: Option<(Watcher, i32)>,
}

impl<'a> Watch<'a> {
    fn begin(registry: &'a Registry, file: &File) -> Watch<'a> {
        let kept = registry.watchers().pop().or_else(Watcher::new);
        let watcher = kept.and_then(|watcher| watcher.begin(file).map(|watch| (watcher, watch)));
        Watch { registry, watcher }
    }

    fn wait(&self, limit: Duration) {
        match &self.watcher {
            Some((watcher, _)) => drop(watcher.wait(limit)),
            None => std::thread::sleep(limit),
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some((watcher, watch)) = self.watcher.take() {
            watcher.end(watch);
            let mut kept = self.registry.watchers();
            if kept.len() < WATCHERS_KEPT {
                kept.push(watcher);
            }
        }
    }
}

/// Two writers in one lane are no harm but that readers take them for one.
fn lane(ticket: u64) -> u32 {
    let mixed =
        (u64::from(sys::process_id().unwrap_or(0)) << 32 | (ticket & 0xffff_ffff)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 44) as u32 % LANES
}

/// Waits for the system's lock on a sidecar; what stands under its name then. `None`: by now that is another file.
pub(super) fn for_system(
    sidecar: &Sidecar,
    location: &Location,
    kind: LockType,
    place: &Place,
    patience: &Patience<'_>,
) -> Result<Option<Stat>> {
    let attempt = || locks::try_lock(&sidecar.file, kind == LockType::Exclusive).map_err(|e| sidecar.failed(e));
    let mut gate = Gate::arrive(&sidecar.file, kind, patience);
    let taken = if matches!(gate, Gate::Open) && attempt()? {
        true
    } else {
        patience.turn(CHECK)?;
        let _waiting = Waiting::begin(&sidecar.file, kind, place.ticket());
        until(sidecar, location, place.registry(), patience, |turn| {
            if turn > 0 && matches!(gate, Gate::AfterYou) {
                gate = Gate::Open;
            }
            Ok(gate.is_open(&sidecar.file) && attempt()?)
        })?
    };
    if !taken {
        return Ok(None);
    }
    let stands = sidecar.stands(location);
    if !matches!(stands, Ok(Some(_))) {
        locks::unlock(&sidecar.file).map_err(|e| sidecar.failed(e))?;
    }
    stands
}

/// Waits for others who were started under the same inherited lock. `false`: another file stands there by now.
pub(super) fn for_nested(
    sidecar: &Sidecar,
    location: &Location,
    kind: LockType,
    place: &Place,
    patience: &Patience<'_>,
) -> Result<bool> {
    let exclusive = kind == LockType::Exclusive;
    // Without permission to write there is no exclusive mark: then siblings are not kept apart.
    if !sharing::can_mark(&sidecar.file) || (exclusive && !sidecar.writable) {
        return Ok(true);
    }
    until(sidecar, location, place.registry(), patience, |_| Ok(sharing::mark(&sidecar.file, NESTED, exclusive)))
}

/// Tries until it succeeds: whenever something happens to the sidecar, and now and then.
fn until(
    sidecar: &Sidecar,
    location: &Location,
    registry: &Registry,
    patience: &Patience<'_>,
    mut attempt: impl FnMut(u32) -> Result<bool>,
) -> Result<bool> {
    let watch = Watch::begin(registry, &sidecar.file);
    let mut pause = MOMENT;
    // The first attempt comes after the watch began: nothing that happens in between is missed.
    for turn in 0.. {
        if attempt(turn)? {
            return Ok(true);
        }
        if sidecar.stands(location)?.is_none() {
            return Ok(false);
        }
        let limit = patience.turn(pause)?;
        watch.wait(limit);
        pause = (pause * 2).min(CHECK);
    }
    Ok(false)
}
