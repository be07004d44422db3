//! Threads for work that is divided among all cores: one pool for each process.
//!
//! Not rayon's own pool: in a child that was forked from a process that has used it, its threads do not exist, and whoever
//! gave it work would wait for ever.

/// Does the work for each, on all cores where there are several, no fewer than `least` at a time on one; the answers are
/// in order.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], least: usize, work: impl Fn(&T) -> R + Send + Sync) -> Vec<R> {
    each_of(items.iter().collect(), least, work)
}

/// As [`each`], of things that are given away.
#[cfg(not(target_os = "wasi"))]
pub(crate) fn each_of<T: Send, R: Send>(items: Vec<T>, least: usize, work: impl Fn(T) -> R + Send + Sync) -> Vec<R> {
    use rayon::prelude::*;
    match threads() {
        Some(pool) if items.len() > least => {
            pool.install(|| items.into_par_iter().with_min_len(least).map(work).collect())
        }
        _ => items.into_iter().map(work).collect(),
    }
}

/// As [`each`], of things that are given away.
#[cfg(target_os = "wasi")]
pub(crate) fn each_of<T: Send, R: Send>(items: Vec<T>, _least: usize, work: impl Fn(T) -> R + Send + Sync) -> Vec<R> {
    items.into_iter().map(work).collect()
}

/// The pool of this process; `None` where no thread can be had.
#[cfg(not(target_os = "wasi"))]
fn threads() -> Option<&'static rayon::ThreadPool> {
    use crate::process::PerProcess;
    static POOL: PerProcess<Option<rayon::ThreadPool>> = PerProcess::new();
    POOL.get(|_| rayon::ThreadPoolBuilder::new().thread_name(|n| format!("electrus-{n}")).build().ok()).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_in_order_and_work_may_divide_its_own() {
        let items: Vec<u32> = (0..1000).collect();
        let sums = each(&items, 1, |n| each_of(vec![*n, 1], 1, |n| n).into_iter().sum::<u32>());
        assert!(sums.iter().zip(&items).all(|(sum, n)| *sum == n + 1));
        assert!(each_of(Vec::<u32>::new(), 1, |n| n).is_empty());
    }
}
