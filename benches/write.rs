//! Writes, reads and versions of one file: `cargo bench --bench write`. In the folder of temporary files (`TMPDIR`): set
//! it to the disk that you mean.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use electrus::atomic::{self, Durability, WriteOptions};
use electrus::handler::{AdvancedFileHandler, ReadOptions};
use electrus::path::Location;
use electrus::workspace::{ChangeOptions, OpenOptions, Source};

const SIZES: [usize; 2] = [4 << 10, 1 << 20];

fn handler(folder: &tempfile::TempDir) -> AdvancedFileHandler {
    AdvancedFileHandler::open(folder.path(), &OpenOptions::default()).expect("a folder")
}

/// Content that is new each time.
fn next(content: &mut [u8], turn: &mut u64) {
    *turn += 1;
    content[..8].copy_from_slice(&turn.to_le_bytes());
}

fn atomic_writes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("atomic write");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        for durability in [Durability::None, Durability::Full] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let location = Location::ordinary(folder.path().join("f")).expect("a name");
            let options = WriteOptions { durability, ..WriteOptions::default() };
            let (mut content, mut turn) = (vec![0x5a; size], 0);
            group.bench_function(BenchmarkId::new(format!("{durability:?}"), size), |bencher| {
                bencher.iter(|| {
                    next(&mut content, &mut turn);
                    atomic::write(&location, &content, &options).expect("written")
                });
            });
        }
    }
    group.finish();
}

fn secure_writes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("secure_write");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        for (name, create_version) in [("unversioned", false), ("versioned", true)] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let handler = handler(&folder);
            let (mut content, mut turn) = (vec![0x5a; size], 0);
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| {
                    next(&mut content, &mut turn);
                    let options = ChangeOptions { create_version, ..ChangeOptions::default() };
                    handler.secure_write("f", Source::Bytes(&content), options).expect("written")
                });
            });
        }
    }
    group.finish();
}

fn secure_reads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("secure_read");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let handler = handler(&folder);
        handler.secure_write("f", Source::Bytes(&vec![0x5a; size]), ChangeOptions::default()).expect("written");
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| handler.secure_read("f", &ReadOptions::default()).expect("read"));
        });
    }
    group.finish();
}

criterion_group!(benches, atomic_writes, secure_writes, secure_reads);
criterion_main!(benches);
