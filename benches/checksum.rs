//! Hashing alone, and files with their reading: `cargo bench --bench checksum`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use electrus::checksum::{self, Algorithm, ChecksumCalculator, Hasher};
use electrus::progress::Progress;
use std::hint::black_box;

fn in_memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("memory");
    for size in [4 << 10, 1 << 20] {
        let data = vec![0x5a; size];
        group.throughput(Throughput::Bytes(size as u64));
        for algorithm in Algorithm::ALL {
            group.bench_with_input(BenchmarkId::new(algorithm.name(), size), &data, |bencher, data| {
                bencher.iter(|| checksum::of_bytes(algorithm, black_box(data)));
            });
        }
    }
    let data = vec![0x5a; 8 << 20];
    group.throughput(Throughput::Bytes(data.len() as u64));
    group.bench_function("all in one pass", |bencher| {
        bencher.iter(|| {
            let mut hasher = Hasher::new(&Algorithm::ALL);
            hasher.update(black_box(&data));
            hasher.finish()
        });
    });
    group.finish();
}

fn of_files(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("file");
    group.sample_size(10);
    for size in [4 << 10, 64 << 20] {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), vec![0x5a; size]).expect("space for it");
        group.throughput(Throughput::Bytes(size as u64));
        for algorithm in [Algorithm::Sha256, Algorithm::Blake3] {
            group.bench_function(BenchmarkId::new(algorithm.name(), size), |bencher| {
                bencher
                    .iter(|| ChecksumCalculator::calculate_checksum(file.path(), algorithm, None).expect("readable"));
            });
        }
    }
    group.finish();
}

fn of_trees(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for number in 0..1000 {
        std::fs::write(dir.path().join(number.to_string()), vec![number as u8; 4 << 10]).expect("space for it");
    }
    let mut group = criterion.benchmark_group("tree of 1000 files of 4 KiB");
    group.sample_size(20).throughput(Throughput::Elements(1000));
    group.bench_function("sha256", |bencher| {
        bencher.iter(|| checksum::tree(dir.path(), &[Algorithm::Sha256], &Progress::new()).expect("readable"));
    });
    group.finish();
}

criterion_group!(benches, in_memory, of_files, of_trees);
criterion_main!(benches);
