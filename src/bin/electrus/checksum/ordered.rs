//! Work on all cores, its results in the order of the items, each as soon as those before it are there; on the calling
//! thread where no other can be had.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Hands `sink` each item with its result; stops at the first failure of `sink`.
pub fn map<T: Sync, R: Send, E>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut sink: impl FnMut(&T, R) -> Result<(), E>,
) -> Result<(), E> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if items.len() < 2 || cores < 2 {
        return one_by_one(items, &work, sink);
    }
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::sync_channel(cores * 4);
    thread::scope(|scope| {
        let mut workers = 0;
        for _ in 0..cores.min(items.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            let worker = move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    if sender.send((index, work(item))).is_err() {
                        return;
                    }
                }
            };
            workers += usize::from(thread::Builder::new().spawn_scoped(scope, worker).is_ok());
        }
        drop(sender);
        if workers == 0 {
            return one_by_one(items, &work, sink);
        }
        let mut waiting = BTreeMap::new();
        let mut ready = 0;
        for (index, result) in results {
            waiting.insert(index, result);
            while let Some(result) = waiting.remove(&ready) {
                sink(&items[ready], result)?;
                ready += 1;
            }
        }
        Ok(())
    })
}

fn one_by_one<T, R, E>(
    items: &[T],
    work: &impl Fn(&T) -> R,
    mut sink: impl FnMut(&T, R) -> Result<(), E>,
) -> Result<(), E> {
    items.iter().try_for_each(|item| sink(item, work(item)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_a_failure_stops() {
        let items: Vec<u64> = (0..1000).collect();
        let mut seen = Vec::new();
        let work = |n: &u64| {
            thread::sleep(std::time::Duration::from_micros(n % 7 * 30));
            n * 2
        };
        map(&items, work, |n, double| {
            seen.push((*n, double));
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!(seen, items.iter().map(|n| (*n, n * 2)).collect::<Vec<_>>());
        assert_eq!(map(&items, work, |n, _| if *n == 5 { Err(*n) } else { Ok(()) }), Err(5));
    }
}
