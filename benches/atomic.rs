//! One durable replacement beside the bare calls it needs: `cargo bench --bench atomic`.
//!
//! On a machine that does nothing else, and on the disk that matters (`TMPDIR` says which): a flush takes from 0.1 to
//! 10 ms. Compare within one run.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use electrus::atomic::{self, Condition, Durability, WriteOptions};
use electrus::checksum::{self, Algorithm};
use electrus::path::Location;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// What cannot be left out: a temporary file, its content, flush, rename, flush of the folder.
fn floor(folder: &Path, handle: &File, content: &[u8], durability: Durability) {
    let temp = folder.join("floor.tmp");
    let mut file = File::options().write(true).create_new(true).open(&temp).expect("a free name");
    file.write_all(content).expect("space");
    if durability >= Durability::Data {
        file.sync_all().expect("a disk that works");
    }
    drop(file);
    fs::rename(&temp, folder.join("floor")).expect("a folder that we may write");
    if durability == Durability::Full {
        handle.sync_all().expect("a disk that works");
    }
}

fn replace(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let handle = File::open(folder.path()).expect("the folder itself");
    let target = Location::ordinary(folder.path().join("ours")).expect("a name");
    for durability in [Durability::None, Durability::Data, Durability::Full] {
        let mut group = criterion.benchmark_group(format!("replace {durability:?}").to_lowercase());
        group.sample_size(30);
        for size in [4 << 10, 1 << 20] {
            let content = vec![0x5a; size];
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::new("floor", size), |bencher| {
                bencher.iter(|| floor(folder.path(), &handle, &content, durability));
            });
            for algorithms in [vec![], vec![Algorithm::Sha256], vec![Algorithm::Blake3]] {
                let name = algorithms.first().map_or("electrus", |a| a.name());
                let options = WriteOptions { durability, algorithms, ..WriteOptions::default() };
                group.bench_function(BenchmarkId::new(name, size), |bencher| {
                    bencher.iter(|| atomic::write(&target, &content, &options).expect("a write"));
                });
            }
        }
        group.finish();
    }
}

fn conditional(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = Location::ordinary(folder.path().join("f")).expect("a name");
    let content = vec![0x5a; 4 << 10];
    let condition = Condition::Checksum(checksum::of_bytes(Algorithm::Sha256, &content));
    let always = WriteOptions { durability: Durability::None, ..WriteOptions::default() };
    atomic::write(&target, &content, &always).expect("a write");
    let options = WriteOptions { condition, ..always };
    criterion.bench_function("compare and swap, 4096, none", |bencher| {
        bencher.iter(|| atomic::write(&target, &content, &options).expect("a write"));
    });
}

criterion_group!(benches, replace, conditional);
criterion_main!(benches);
