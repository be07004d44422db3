//! Checksums against tools that we did not write: coreutils, openssl and the Python package `blake3`.
#![cfg(target_os = "linux")]

#[path = "common/mod.rs"]
mod common;

use common::{NOBODY, set_mode};
use electrus::checksum::{self, Algorithm, ChecksumCalculator, Digest, Hasher, sums};
use electrus::error::Code;
use electrus::progress::Progress;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What coreutils and openssl call the algorithms that they know.
const TOOLS: [(Algorithm, &str, &str); 5] = [
    (Algorithm::Md5, "md5sum", "md5"),
    (Algorithm::Sha1, "sha1sum", "sha1"),
    (Algorithm::Sha256, "sha256sum", "sha256"),
    (Algorithm::Sha512, "sha512sum", "sha512"),
    (Algorithm::Blake2b, "b2sum", "blake2b512"),
];

fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

fn openssl(name: &str, path: &Path) -> String {
    first_word(&output(Command::new("openssl").args(["dgst", &format!("-{name}"), "-r"]).arg(path)))
}

fn ours(path: &Path, algorithm: Algorithm) -> String {
    ChecksumCalculator::calculate_checksum(path, algorithm, None).unwrap().hex()
}

/// Bytes without a pattern, the same in every run.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..size).map(|_| step()).collect()
}

fn blake3_of_python(python: &Path, path: &Path) -> String {
    const PROGRAM: &str =
        "import blake3, sys; print(blake3.blake3(max_threads=1).update_mmap(sys.argv[1]).hexdigest())";
    first_word(&output(Command::new(python).args(["-c", PROGRAM]).arg(path)))
}

#[test]
fn every_algorithm_agrees_with_coreutils_and_openssl() {
    let tmp = tempfile::tempdir().unwrap();
    for size in [0, 1, 1 << 20, (5 << 20) + 3] {
        let path = tmp.path().join(size.to_string());
        fs::write(&path, noise(size)).unwrap();
        let together =
            ChecksumCalculator::calculate_checksums(&path, &TOOLS.map(|t| t.0), None, &Progress::new()).unwrap();
        assert_eq!(together.size, size as u64);
        for ((algorithm, coreutils, name), digest) in TOOLS.into_iter().zip(together.digests) {
            let found = ours(&path, algorithm);
            assert_eq!(found, digest.hex());
            assert_eq!(found, first_word(&output(Command::new(coreutils).arg(&path))), "{coreutils} {size}");
            assert_eq!(found, openssl(name, &path), "openssl {name} {size}");
        }
    }
}

#[test]
fn blake3_agrees_with_its_published_vectors_and_with_python() {
    let vectors: [(&[u8], &str); 3] = [
        (b"", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (b"\0", "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
        (b"abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
    ];
    for (input, hex) in vectors {
        assert_eq!(checksum::of_bytes(Algorithm::Blake3, input).hex(), hex);
    }
    let Some(python) = common::python::with("blake3") else { return };
    let tmp = tempfile::tempdir().unwrap();
    for size in [0, 1, 1023, 1025, 1 << 20, (9 << 20) + 5] {
        let path = tmp.path().join(size.to_string());
        fs::write(&path, noise(size)).unwrap();
        assert_eq!(ours(&path, Algorithm::Blake3), blake3_of_python(&python, &path), "{size}");
    }
}

const SPARSE: u64 = 3 << 30;
const SPARSE_FILE: &str = "ELECTRUS_TEST_SPARSE";

/// In a process of its own: what other tests need at the same time is none of this one's memory.
#[test]
fn child_that_sums_in_flat_memory() {
    let Some(path) = std::env::var_os(SPARSE_FILE) else { return };
    let before = peak_memory();
    let progress = Progress::new();
    let found = ChecksumCalculator::calculate_checksums(path, &Algorithm::ALL, None, &progress).unwrap();
    assert_eq!(found.size, SPARSE);
    assert_eq!(progress.counts().bytes_done, SPARSE);
    assert!(peak_memory() - before < 64 << 10, "{} KiB more than before", peak_memory() - before);
    found.digests.iter().for_each(|digest| println!("\nDIGEST {digest}"));
}

/// 3 GiB with holes, marked where 31 bits end and at the end. All digests in one pass of ours.
#[test]
fn a_sparse_file_of_3_gib_is_summed_in_one_pass_and_flat_memory() {
    let tmp = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = tmp.path().join("sparse");
    let file = File::create(&path).unwrap();
    file.set_len(SPARSE).unwrap();
    for mark in [(1 << 31) - 2, SPARSE - 4] {
        file.write_all_at(b"mark", mark).unwrap();
    }

    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_that_sums_in_flat_memory", "--nocapture"]).env(SPARSE_FILE, &path);
    let said = output(&mut child);
    let found: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("DIGEST ")).collect();
    assert_eq!(found.len(), Algorithm::ALL.len());

    let others: Vec<_> = TOOLS
        .map(|(_, _, name)| {
            let path = path.clone();
            std::thread::spawn(move || openssl(name, &path))
        })
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    assert_eq!(found[..others.len()], others);
    if let Some(python) = common::python::with("blake3") {
        assert_eq!(found[5], blake3_of_python(&python, &path));
    }
}

/// The most memory this process ever had, in KiB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    first_word(line).parse().unwrap()
}

#[test]
fn each_reads_the_sums_that_the_other_wrote() {
    let tmp = tempfile::tempdir().unwrap();
    let names = ["plain", "with space", "back\\slash", "line\nfeed", "return\r", " lead", "*star", "ünï"];
    for (number, name) in names.iter().enumerate() {
        fs::write(tmp.path().join(name), noise(number * 1000)).unwrap();
    }
    for (algorithm, tool, _) in TOOLS {
        let digest_of = |name: &str| checksum::of_file(tmp.path().join(name), algorithm).unwrap();
        for form in [sums::format_line, sums::format_tagged_line] {
            let ours: Vec<u8> = names.iter().flat_map(|name| form(name.as_bytes(), &digest_of(name))).collect();
            fs::write(tmp.path().join("SUMS"), ours).unwrap();
            output(Command::new(tool).args(["--check", "--strict", "SUMS"]).current_dir(&tmp));
        }
        for option in ["--text", "--binary", "--tag"] {
            let theirs = output(Command::new(tool).args([option, "--"]).args(names).current_dir(&tmp));
            let lines: Vec<&str> = theirs.lines().collect();
            assert_eq!(lines.len(), names.len());
            for (line, name) in lines.into_iter().zip(names) {
                let expected = (name.as_bytes().to_vec(), digest_of(name));
                assert_eq!(sums::parse_line(line.as_bytes(), algorithm), Some(expected), "{tool} {option}");
            }
        }
    }
}

#[test]
fn a_tree_agrees_with_find_and_sha256sum() {
    let tmp = tempfile::tempdir().unwrap();
    for number in 0..300 {
        let folder = tmp.path().join(format!("{}/{}", number % 7, number % 3));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("f{number}")), noise(number * 97)).unwrap();
    }
    std::os::unix::fs::symlink("0", tmp.path().join("link")).unwrap();
    fs::write(tmp.path().join("large"), noise(3 << 20)).unwrap();

    let found = checksum::tree(tmp.path(), &[Algorithm::Sha256], &Progress::new()).unwrap();
    let mut ours: Vec<String> = found
        .into_iter()
        .map(|entry| format!("{}  ./{}", entry.result.unwrap().digests[0], entry.path.display()))
        .collect();
    ours.sort();
    let script = "find . -type f -print0 | xargs -0 sha256sum | LC_ALL=C sort";
    let theirs = output(Command::new("sh").args(["-c", script]).current_dir(&tmp));
    assert_eq!(ours, theirs.lines().collect::<Vec<_>>());
}

const TREE: &str = "ELECTRUS_TEST_TREE";

#[test]
fn child_that_may_not_read_b() {
    let Some(tree) = std::env::var_os(TREE) else { return };
    let found = checksum::tree(Path::new(&tree), &[Algorithm::Md5], &Progress::new()).unwrap();
    let read: Vec<_> = found.iter().map(|entry| entry.result.as_ref().err().map(|e| e.code())).collect();
    assert_eq!(read, [None, Some(Code::PermissionDenied), None]);
}

#[test]
fn a_tree_reads_on_where_a_file_may_not_be_read() {
    let tmp = common::open_folder();
    let tree = tmp.path().join("tree");
    fs::create_dir(&tree).unwrap();
    for (name, mode) in [("a", 0o644), ("b", 0o000), ("c", 0o644)] {
        fs::write(tree.join(name), name).unwrap();
        set_mode(&tree.join(name), mode);
    }
    set_mode(&tree, 0o755);
    let program = common::copy_for_everybody(&std::env::current_exe().unwrap(), &tmp);
    let mut child = Command::new("env");
    child.arg(program).args(["--exact", "child_that_may_not_read_b", "--nocapture"]).env(TREE, &tree);
    if rustix::process::geteuid().is_root() {
        child.uid(NOBODY).gid(NOBODY); // root reads everything
    }
    assert!(output(&mut child).contains("1 passed"));
}

#[test]
fn every_chunk_size_gives_the_same_digest() {
    let tmp = tempfile::NamedTempFile::new().unwrap();
    fs::write(tmp.path(), noise((2 << 20) + 17)).unwrap();
    let expected = openssl("sha256", tmp.path());
    for chunk_size in [97, 4096, 128 << 10, 1 << 20, 64 << 20, usize::MAX] {
        let found = ChecksumCalculator::calculate_checksum(tmp.path(), Algorithm::Sha256, Some(chunk_size)).unwrap();
        assert_eq!(found.hex(), expected, "{chunk_size}");
    }
}

#[test]
fn a_stream_is_summed_by_copying_into_a_hasher() {
    let tmp = tempfile::NamedTempFile::new().unwrap();
    fs::write(tmp.path(), noise(3 << 20)).unwrap();
    let mut hasher = Hasher::new(&[Algorithm::Sha512, Algorithm::Md5]);
    std::io::copy(&mut File::open(tmp.path()).unwrap(), &mut hasher).unwrap();
    let found: Vec<String> = hasher.finish().iter().map(Digest::hex).collect();
    assert_eq!(found, [openssl("sha512", tmp.path()), openssl("md5", tmp.path())]);
}
