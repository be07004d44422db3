//! Work on all cores, also where no thread can be had.

/// To be called on a thread before it hands work to rayon, which panics when its threads cannot be started (a limit of the
/// user or the container). The thread then does the work alone.
#[cfg(not(target_os = "wasi"))]
pub(crate) fn prepare() {
    use std::error::Error;
    use std::sync::OnceLock;
    static THERE_ARE: OnceLock<bool> = OnceLock::new();
    let there_are = *THERE_ARE.get_or_init(|| match rayon::ThreadPoolBuilder::new().build_global() {
        Ok(()) => true,
        Err(e) => e.source().is_none(), // the program has made them before us
    });
    if !there_are && rayon::current_thread_index().is_none() {
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
        std::mem::forget(alone); // this thread belongs to it for good
    }
}

/// Here rayon itself does without.
#[cfg(target_os = "wasi")]
pub(crate) fn prepare() {}
