//! Locks, uncontended and handed over: `cargo bench --bench lock`. The floors are the same system calls bare.

use criterion::{Criterion, criterion_group, criterion_main};
use electrus::lock::{FileLockManager, LockOptions, LockType};
use electrus::path::Location;
use std::path::Path;
use std::time::{Duration, Instant};

fn options() -> LockOptions {
    LockOptions::default()
}

/// Acquires and releases once.
fn once(file: &Location, kind: LockType) {
    FileLockManager.acquire(file, kind, &options()).expect("the lock").release().expect("its release");
}

#[cfg(unix)]
fn bare(sidecar: &Path) {
    use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
    let file =
        open(sidecar, OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE, Mode::from_raw_mode(0o666)).expect("open");
    flock(&file, FlockOperation::LockExclusive).expect("the lock");
    flock(&file, FlockOperation::Unlock).expect("its release");
}

#[cfg(not(unix))]
fn bare(_sidecar: &Path) {}

/// How long `turns` turns take two threads that want the same lock all the time.
fn two_threads(turns: u64, turn: impl Fn() + Sync) -> Duration {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for half in [turns / 2, turns - turns / 2] {
            let turn = &turn;
            scope.spawn(move || (0..half).for_each(|_| turn()));
        }
    });
    begin.elapsed()
}

fn lock(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = Location::ordinary(folder.path().join("file")).expect("a location");
    let sidecar = folder.path().join("bare.lock");
    let mut group = criterion.benchmark_group("lock");
    group.bench_function("uncontended/floor", |bencher| bencher.iter(|| bare(&sidecar)));
    group.bench_function("uncontended/exclusive", |bencher| bencher.iter(|| once(&file, LockType::Exclusive)));
    group.bench_function("uncontended/shared", |bencher| bencher.iter(|| once(&file, LockType::Shared)));
    group.bench_function("two threads/floor", |bencher| bencher.iter_custom(|n| two_threads(n, || bare(&sidecar))));
    group.bench_function("two threads/exclusive", |bencher| {
        bencher.iter_custom(|n| two_threads(n, || once(&file, LockType::Exclusive)));
    });
    group.bench_function("holders", |bencher| {
        let _guard = FileLockManager.acquire(&file, LockType::Exclusive, &options()).expect("the lock");
        bencher.iter(|| FileLockManager.holders(&file).expect("its holders"));
    });
    group.finish();
}

criterion_group!(benches, lock);
criterion_main!(benches);
