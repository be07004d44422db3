//! Every byte counts.

use super::*;

fn small_store(dir: &Path) -> Store {
    let store = open(dir);
    for round in 0..4u64 {
        write(&store, &format!("f{}", round % 2), &noise(round, 300));
    }
    write(&store, "text", "so it compresses ".repeat(30).as_bytes());
    let tag = New::Tag { key: key("f1"), number: 1, tag: "t".to_owned(), set: true };
    let note = New::Landed { key: key("f0"), number: 2, landed: Landed::Yes(None) };
    store.begin().unwrap().commit(vec![tag, note]).unwrap();
    write_packed(&store, "packed", &noise(9, 900));
    store.0.with_created_view(|view| view.flush_index()).unwrap();
    // An entry as a process that died leaves it.
    store.note_folder(b"folder").unwrap();
    let entry = files(&dir.join(".electrus/active")).pop().unwrap();
    std::fs::copy(&entry, entry.with_file_name("8000000000000001")).unwrap();
    store
}

/// As [`write`], of a content that is in a pack though it is small.
fn write_packed(store: &Store, name: &str, data: &[u8]) {
    let number = layout::random_number().unwrap();
    let (readable_from, writable_from) = (payload::FORMAT, payload::FORMAT);
    let (role, previous) = (payload::Role::Pack, payload::Fence::default());
    let head = payload::SegmentHead { readable_from, writable_from, number, role, previous };
    let chunk = (*blake3::hash(data).as_bytes(), data.len() as u64);
    let mut frame = frame::RawFrame::default();
    frame.push(chunk.0, data);
    let (mut framed, packed) = frame.encode().unwrap();
    framed.extend(packed.as_deref().unwrap_or(data));
    let mut bytes = Vec::new();
    record::append(&mut bytes, 0, number, 0, record::Kind::Segment, &head.encode());
    record::append(&mut bytes, 0, number, 0, record::Kind::Frame, &framed);
    std::fs::write(store.path().join("segments").join(layout::segment_name(number)), &bytes).unwrap();
    let attach = append::Item::new(record::Kind::Attach, payload::encode_attach(number, bytes.len() as u64));
    let appending = store.0.begin_append().unwrap();
    let append = |view: &mut View| view.append(&appending.lock, &mut lock(&store.0.state().own), &[attach], true);
    store.0.with_created_view(append).unwrap();
    drop(appending);
    let content = Content { size: chunk.1, depth: 0, chunks: vec![chunk] };
    store.begin().unwrap().commit(vec![new_version(name, Some(state(content, data)))]).unwrap();
}

/// Flips bits of every file of a store, one at a time; which, is told from what the file holds.
fn flip_each(dir: &Path, bits: impl Fn(&[u8]) -> Vec<usize> + Sync) {
    use rayon::prelude::*;
    assert_eq!(open(dir).verify(&Progress::new()).unwrap().damaged, []);
    (0..4usize).into_par_iter().for_each(|part| {
        let copy = tempfile::tempdir().unwrap();
        for path in files(dir) {
            let to = copy.path().join(path.strip_prefix(dir).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(path, to).unwrap();
        }
        for path in files(copy.path()) {
            let bytes = std::fs::read(&path).unwrap();
            let flips = bits(&bytes).into_iter().skip(part).step_by(4);
            flips.for_each(|bit| check_flip(copy.path(), &path, &bytes, bit));
            std::fs::write(&path, &bytes).unwrap();
        }
    });
}

/// The bytes up to the last one that is set, and a sample of the zeros after it.
fn places(bytes: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |p| p + 1);
    (0..end).chain((end..bytes.len()).step_by(997))
}

/// Of a log, the index and its pages: all eight bits of each byte.
#[test]
fn every_flipped_bit_is_found_and_never_returned_as_good() {
    let tmp = tempfile::tempdir().unwrap();
    let store = open(tmp.path());
    write(&store, "f0", &noise(0, 300));
    store.0.with_created_view(|view| view.flush_index()).unwrap();
    drop(store);
    flip_each(tmp.path(), |bytes| places(bytes).flat_map(|at| (0..8).map(move |bit| at * 8 + bit)).collect());
}

/// Of a log, a pack, the index, an entry of `active/`: one bit of each byte.
#[test]
fn every_flipped_byte_of_a_store_with_everything_in_it_is_found() {
    let tmp = tempfile::tempdir().unwrap();
    drop(small_store(tmp.path()));
    flip_each(tmp.path(), |bytes| places(bytes).map(|at| at * 8 + (at ^ at >> 3 ^ at >> 6) % 8).collect());
}

fn check_flip(dir: &Path, path: &Path, bytes: &[u8], bit: usize) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let at = (bit / 8) as u64;
    file.write_all_at(&[bytes[bit / 8] ^ 1 << (bit % 8)], at).unwrap();
    let store = open(dir);
    let report = store.verify(&Progress::new()).unwrap();
    assert!(!report.damaged.is_empty(), "{} bit {bit} {report:?} {:?}", path.display(), files(dir));
    for round in 0..4u64 {
        let version = store.version(&key(&format!("f{}", round % 2)), &Which::Number(round / 2 + 1));
        let read = version.and_then(|v| store.reader(&v.file.unwrap().content)?.read_all());
        assert!(read.is_err() || read.unwrap() == noise(round, 300), "{} bit {bit}", path.display());
    }
    let packed = store.version(&key("packed"), &Which::Number(1));
    let packed = packed.and_then(|v| store.reader(&v.file.unwrap().content)?.read_all());
    assert!(packed.is_err() || packed.unwrap() == noise(9, 900), "{} bit {bit}", path.display());
    file.write_all_at(&bytes[bit / 8..=bit / 8], at).unwrap();
}

#[test]
fn every_flipped_bit_of_a_decided_prune_is_found() {
    let tmp = tempfile::tempdir().unwrap();
    write(&open(tmp.path()), "f", b"1");
    let commit = view::PruneCommit { new: [layout::RANDOM | 7].into(), old: [layout::RANDOM | 8, 9].into() };
    let (path, bytes) = (tmp.path().join(".electrus/prune.commit"), commit.encode());
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, flipped).unwrap();
        match open(tmp.path()).verify(&Progress::new()) {
            Ok(report) => assert!(!report.damaged.is_empty(), "bit {bit}"),
            Err(e) => assert_eq!(e.code(), Code::Damaged, "bit {bit}"),
        }
    }
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(open(tmp.path()).verify(&Progress::new()).unwrap().damaged, []);
}
