use super::*;
use crate::error::Code;

fn time(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 7 }
}

fn entry(depth: usize, name: &[u8], node: Node) -> Entry {
    Entry {
        depth,
        name: name.to_vec(),
        mode: 0o644,
        uid: 1,
        gid: 2,
        modified: time(-5),
        changed: time(6),
        inode: 8,
        device: 9,
        attributes: Vec::new(),
        node,
    }
}

fn file(chunks: &[u64]) -> Node {
    let chunks: Vec<_> = chunks.iter().map(|size| ([*size as u8; 32], *size)).collect();
    let content = Content { size: chunks.iter().map(|c| c.1).sum(), depth: 0, chunks };
    let digest = FileNode::known_digest(&content).unwrap_or([3; 32]);
    Node::File(FileNode { content, digest, linked: true, changed_while_read: true })
}

fn header() -> Header {
    let source = |name: &str, place: &str| Source { name: name.into(), place: place.into() };
    Header { started: time(1), sources: vec![source("a/b", ""), source("z", "/somewhere/z")] }
}

fn tree() -> Vec<Entry> {
    let mut entries = vec![
        entry(0, b"a/b", Node::Folder),
        entry(1, b"deep", Node::Folder),
        entry(2, b"empty", file(&[])),
        entry(2, b"one", file(&[10])),
        entry(1, b"deep!", file(&[10, 20])),
        entry(1, b"\xff\n", Node::Symlink(b"../\xfe".to_vec())),
        entry(0, b"z", file(&[1])),
    ];
    entries[1].attributes = vec![(b"user.x".to_vec(), vec![0, 1]), (b"user.y".to_vec(), Vec::new())];
    entries
}

fn write(header: &Header, entries: &[Entry]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), header).unwrap();
    entries.iter().for_each(|e| writer.entry(e).unwrap());
    writer.finish().unwrap().0
}

fn read(bytes: &[u8]) -> Result<(Header, Vec<Entry>), crate::error::Error> {
    let mut reader = Reader::new(bytes)?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.next()? {
        entries.push(entry);
    }
    Ok((reader.header().clone(), entries))
}

fn refused(entries: &[Entry]) {
    assert_eq!(read(&write(&header(), entries)).unwrap_err().code(), Code::Damaged, "{entries:?}");
}

#[test]
fn everything_comes_back() {
    assert_eq!(read(&write(&header(), &tree())).unwrap(), (header(), tree()));
}

#[test]
fn keys_order_like_a_walk() {
    let mut reader = Reader::new(&*Box::leak(write(&header(), &tree()).into_boxed_slice())).unwrap();
    let mut paths = Vec::new();
    while reader.next().unwrap().is_some() {
        paths.push((reader.key().path(), reader.key().below_source()));
    }
    assert_eq!(paths[2], (b"a/b/deep/empty".to_vec(), b"deep/empty".to_vec()));
    assert_eq!(paths[4], (b"a/b/deep!".to_vec(), b"deep!".to_vec()));
    assert_eq!(paths[6], (b"z".to_vec(), b"".to_vec()));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["..", ".", "", "a/b", "/etc", "nul\0", ".electrus", ".ELECTRUS", ".electrus-tmp-1"] {
        refused(&[entry(0, b"a/b", Node::Folder), entry(1, name.as_bytes(), file(&[1]))]);
    }
    for name in ["../x", "/x", "x//y", "x/./y", "x/.electrus/y"] {
        let mut header = header();
        header.sources[0].name = name.into();
        assert_eq!(read(&write(&header, &[])).unwrap_err().code(), Code::Damaged, "{name}");
    }
}

/// A place names where a restore writes.
#[test]
fn places_that_lead_elsewhere_are_refused() {
    for place in ["/x/../y", "/x/./y", "../x", "/x/.electrus/y", "/x/.Electrus", "/x\0"] {
        let mut header = header();
        header.sources[1].place = place.into();
        assert_eq!(read(&write(&header, &[])).unwrap_err().code(), Code::Damaged, "{place}");
    }
}

/// A few bytes, packed, could demand gigabytes.
#[test]
fn what_one_entry_and_the_header_may_take_is_bounded() {
    let mut entries = tree();
    let attribute = |number: usize| (format!("user.{number:05}").into_bytes(), vec![0; 65536]);
    entries[1].attributes = (0..64).map(attribute).collect();
    assert!(read(&write(&header(), &entries)).is_ok());
    entries[1].attributes.push(attribute(64));
    refused(&entries);
    assert_eq!(entries[1].bound_attributes(), 1);
    assert!(read(&write(&header(), &entries)).is_ok());
    entries[1].attributes = vec![(vec![b'n'; 40000], Vec::new()), (vec![b'o'; 40000], Vec::new())];
    refused(&entries);
    assert_eq!(entries[1].bound_attributes(), 1);

    let deep: Vec<Entry> = (0..5).map(|depth| entry(depth, &[b'x'; 60000], Node::Folder)).collect();
    let source = Source { name: vec![b'x'; 60000], place: Vec::new() };
    let header = Header { started: time(1), sources: vec![source.clone()] };
    assert!(read(&write(&header, &deep[..4])).is_ok());
    assert_eq!(read(&write(&header, &deep)).unwrap_err().code(), Code::Damaged);

    let many = Header { started: time(1), sources: vec![source; 1200] };
    assert!(Header::is_too_large(&many.sources));
    assert_eq!(read(&write(&many, &[])).unwrap_err().code(), Code::Damaged);
}

#[test]
fn entries_out_of_place_or_order_are_refused() {
    let folder = entry(0, b"a/b", Node::Folder);
    refused(&[entry(1, b"x", file(&[1]))]);
    refused(&[entry(0, b"other", Node::Folder)]);
    refused(&[folder.clone(), entry(2, b"x", file(&[1]))]);
    refused(&[folder.clone(), entry(1, b"x", file(&[1])), entry(2, b"y", file(&[1]))]);
    refused(&[folder.clone(), entry(1, b"x", Node::Symlink(b"/".to_vec())), entry(2, b"y", file(&[1]))]);
    refused(&[folder.clone(), entry(1, b"x", file(&[1])), entry(1, b"x", file(&[1]))]);
    refused(&[folder.clone(), entry(1, b"y", file(&[1])), entry(1, b"x", file(&[1]))]);
    refused(&[folder.clone(), folder]);
}

#[test]
fn a_manifest_that_ends_early_or_late_is_refused() {
    let whole = write(&header(), &tree());
    for length in 0..whole.len() {
        assert_eq!(read(&whole[..length]).unwrap_err().code(), Code::Damaged, "{length} bytes");
    }
    let longer = [whole.as_slice(), &[0]].concat();
    assert_eq!(read(&longer).unwrap_err().code(), Code::Damaged);
}

#[test]
fn no_garbage_makes_it_panic_or_allocate() {
    let whole = write(&header(), &tree());
    for at in 0..whole.len() {
        for value in [0xff, 0x80, 0x7f, 0, 1] {
            let mut garbage = whole.clone();
            garbage[at] = value;
            let _ = read(&garbage); // any answer will do
        }
    }
}
