//! Threads that run what is ready. They are the pool's own and not rayon's: a task that waits there for parts of itself
//! could otherwise be made to run another task meanwhile, under whatever it holds.

use super::plan::Plan;
use super::{GROUP_BYTES, GROUP_TASKS, Task};
use crate::error::{Code, Error, Result};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Tasks wait for the medium and for locks more than they compute, so that a few more than cores serve.
const MOST_THREADS: usize = 32;

pub(super) struct Pool<T, R> {
    followers: Vec<Vec<usize>>,
    weights: Vec<Option<u64>>,
    state: Mutex<State<T, R>>,
    changed: Condvar,
}

struct State<T, R> {
    work: Vec<Option<T>>,
    results: Vec<Option<Result<R>>>,
    waits: Vec<usize>,
    /// Tasks that wait for nothing, in order.
    ready: BTreeSet<usize>,
    /// Tasks without a result.
    left: usize,
}

impl<T: Send, R: Send> Pool<T, R> {
    pub fn new(tasks: Vec<Task<T>>) -> Pool<T, R> {
        let plan = Plan::of(&tasks.iter().map(|t| &t.touch).collect::<Vec<_>>());
        let count = tasks.len();
        let ready = (0..count).filter(|i| plan.waits[*i] == 0).collect();
        let weights = tasks.iter().map(|t| t.weight).collect();
        let work = tasks.into_iter().map(|t| Some(t.work)).collect();
        let results = (0..count).map(|_| None).collect();
        let state = State { work, results, waits: plan.waits, ready, left: count };
        Pool { followers: plan.followers, weights, state: Mutex::new(state), changed: Condvar::new() }
    }

    pub fn run(self, run: &(impl Fn(Vec<T>) -> Vec<Result<R>> + Sync)) -> Vec<Result<R>> {
        let threads = self.threads();
        thread::scope(|scope| {
            for _ in 1..threads {
                // Where there are no more threads to be had, fewer do the work; this one always does.
                if thread::Builder::new().spawn_scoped(scope, || self.work(run)).is_err() {
                    break;
                }
            }
            self.work(run);
        });
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.results.into_iter().map(|r| r.unwrap_or_else(|| Err(Error::new(Code::Internal)))).collect()
    }

    fn threads(&self) -> usize {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        self.weights.len().min((cores + 2).min(MOST_THREADS))
    }

    fn work(&self, run: &(impl Fn(Vec<T>) -> Vec<Result<R>> + Sync)) {
        while let Some((group, work)) = self.next() {
            let results = catch_unwind(AssertUnwindSafe(|| run(work)));
            self.finish(&group, results.unwrap_or_default());
        }
    }

    /// The first task that is ready, with those that may run with it; `None` once nothing is left to do.
    fn next(&self) -> Option<(Vec<usize>, Vec<T>)> {
        let mut state = self.lock();
        while state.ready.is_empty() && state.left > 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let group = self.group(&state.ready);
        for index in &group {
            state.ready.remove(index);
        }
        let work = group.iter().filter_map(|i| state.work[*i].take()).collect();
        if group.is_empty() { None } else { Some((group, work)) }
    }

    fn group(&self, ready: &BTreeSet<usize>) -> Vec<usize> {
        let Some(first) = ready.first().copied() else { return Vec::new() };
        let Some(mut bytes) = self.weights[first] else { return vec![first] };
        let mut group = vec![first];
        for index in ready.iter().copied().skip(1) {
            let Some(weight) = self.weights[index] else { continue };
            if group.len() == GROUP_TASKS || bytes.saturating_add(weight) > GROUP_BYTES {
                break;
            }
            bytes += weight;
            group.push(index);
        }
        group
    }

    /// Notes results (a panic left none) and lets followers go.
    fn finish(&self, group: &[usize], results: Vec<Result<R>>) {
        let mut state = self.lock();
        let mut results = results.into_iter();
        for index in group.iter().copied() {
            state.results[index] = Some(results.next().unwrap_or_else(|| Err(Error::new(Code::Panic))));
            state.left -= 1;
            for follower in self.followers[index].iter().copied() {
                state.waits[follower] -= 1;
                if state.waits[follower] == 0 {
                    state.ready.insert(follower);
                }
            }
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Touch, run};
    use super::*;
    use crate::path::Key;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    fn task(name: &str, weight: Option<u64>, work: usize) -> Task<usize> {
        Task { touch: Touch::Names(vec![Key::from_bytes(name.into())]), weight, work }
    }

    #[test]
    fn results_come_in_the_order_of_the_tasks() {
        let tasks = (0..500).map(|i| task(&format!("f{}", i % 7), None, i)).collect();
        let results = run(tasks, |work| work.into_iter().map(|i| Ok(i * 2)).collect());
        assert_eq!(
            results.into_iter().map(Result::unwrap).collect::<Vec<_>>(),
            (0..1000).step_by(2).collect::<Vec<_>>()
        );
        assert!(run(Vec::new(), |work: Vec<()>| work.into_iter().map(Ok).collect()).is_empty());
    }

    #[test]
    fn one_name_is_never_touched_by_two_at_once_and_in_order() {
        let next: Vec<AtomicUsize> = (0..5).map(|_| AtomicUsize::new(0)).collect();
        let tasks = (0..500).map(|i| task(&format!("f{}", i % 5), (i % 3 == 0).then_some(1), i)).collect();
        let results = run(tasks, |work| {
            let check = |i: usize| {
                let turn = next[i % 5].load(SeqCst);
                thread::yield_now();
                next[i % 5].store(turn + 1, SeqCst);
                Ok(turn == i / 5)
            };
            work.into_iter().map(check).collect()
        });
        assert!(results.into_iter().all(|r| r.unwrap()));
    }

    #[test]
    fn groups_keep_to_their_limits() {
        let largest = AtomicUsize::new(0);
        let count = |work: Vec<usize>| {
            largest.fetch_max(work.len(), SeqCst);
            work.into_iter().map(Ok).collect()
        };
        run((0..3000).map(|i| task(&i.to_string(), Some(1), i)).collect(), count);
        assert_eq!(largest.swap(0, SeqCst), GROUP_TASKS);
        run((0..9).map(|i| task(&i.to_string(), Some(GROUP_BYTES / 3), i)).collect(), count);
        assert_eq!(largest.swap(0, SeqCst), 3);
        run((0..9).map(|i| task(&i.to_string(), Some(u64::MAX), i)).collect(), count);
        assert_eq!(largest.swap(0, SeqCst), 1);
        run((0..9).map(|i| task(&i.to_string(), None, i)).collect(), count);
        assert_eq!(largest.swap(0, SeqCst), 1);
    }

    #[test]
    fn a_panic_is_the_result_of_the_one_that_panicked() {
        let tasks = (0..20).map(|i| task(&(i % 4).to_string(), None, i)).collect();
        let results =
            run(tasks, |work| work.into_iter().map(|i| if i == 7 { panic!("on purpose") } else { Ok(i) }).collect());
        for (index, result) in results.into_iter().enumerate() {
            match result {
                Ok(found) => assert_eq!(found, index),
                Err(e) => assert_eq!((index, e.code()), (7, Code::Panic)),
            }
        }
    }
}
