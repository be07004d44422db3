//! Progress handles: by which a thread watches and cancels what another one does.

use super::arguments::Out;
use super::guard::status;
use super::handle::{self, Handle, Kind};
use crate::progress::{Counts, Progress};

/// Watches and cancels the calls that name it in their option `progress`.
#[allow(non_camel_case_types)]
pub struct electrus_progress(());

impl Handle for electrus_progress {
    type Object = Progress;
    const KIND: Kind = Kind::Progress;
}

/// What has been done so far. A total of 0 is not known yet.
#[repr(C)]
#[derive(Clone, Copy, Default)]
#[allow(non_camel_case_types)]
pub struct electrus_counts {
    /// Files finished.
    pub files_done: u64,
    /// Files in all.
    pub files_total: u64,
    /// Bytes finished.
    pub bytes_done: u64,
    /// Bytes in all.
    pub bytes_total: u64,
}

impl From<Counts> for electrus_counts {
    fn from(counts: Counts) -> electrus_counts {
        let Counts { files_done, files_total, bytes_done, bytes_total } = counts;
        electrus_counts { files_done, files_total, bytes_done, bytes_total }
    }
}

/// Makes a progress handle: nothing done, not cancelled.
///
/// A call takes part when its options hold `"progress": N`, where N is the handle's number, `(uintptr_t)progress`.
/// Several calls may share one: then their counts add up, and they are cancelled together.
///
/// Owns: the caller owns `*progress` and closes it with electrus_progress_close().
/// Threads: any.
/// NULL: nothing may be.
/// Errors: ELECTRUS_E_INVALID_ARGUMENT (`progress` is NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_progress_open(progress: *mut *mut electrus_progress) -> i32 {
    status(|| {
        // SAFETY: the header says so.
        let out = unsafe { Out::new(progress, std::ptr::null_mut(), "progress") }?;
        out.set(handle::open::<electrus_progress>(Progress::new())?);
        Ok(())
    })
}

/// Asks every call that takes part to stop; each answers ELECTRUS_E_CANCELLED at its next safe point, with everything
/// as it was before it (a restore keeps the files that it has finished). It cannot be taken back.
///
/// Not from a signal handler: let that set a flag, or let a thread wait for the signal.
///
/// Owns: nothing changes hands.
/// Threads: any, also while calls run.
/// NULL: nothing may be.
/// Errors: ELECTRUS_E_INVALID_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_progress_cancel(progress: *const electrus_progress) -> i32 {
    status(|| {
        handle::get(progress)?.cancel();
        Ok(())
    })
}

/// Tells how far the calls that take part are.
///
/// Owns: `*counts` is the caller's.
/// Threads: any, also while calls run.
/// NULL: nothing may be.
/// Errors: ELECTRUS_E_INVALID_HANDLE, ELECTRUS_E_INVALID_ARGUMENT (`counts` is NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_progress_read(
    progress: *const electrus_progress,
    counts: *mut electrus_counts,
) -> i32 {
    status(|| {
        // SAFETY: the header says so.
        let out = unsafe { Out::new(counts, electrus_counts::default(), "counts") }?;
        out.set(handle::get(progress)?.counts().into());
        Ok(())
    })
}

/// Closes a progress handle. Calls that take part go on.
///
/// Owns: the handle is gone.
/// Threads: any.
/// NULL: nothing may be.
/// Errors: ELECTRUS_E_INVALID_HANDLE (closed already, or of another kind).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_progress_close(progress: *mut electrus_progress) -> i32 {
    status(|| handle::close(progress).map(drop))
}
