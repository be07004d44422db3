//! Behaviours that need what is not public: staging, publishing, what came out.

use super::*;
use crate::checksum;
use std::fs;
use std::path::Path;

fn at(folder: &Path, name: &str) -> Location {
    Location::ordinary(folder.join(name)).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn staged(target: &Location, content: &[u8], options: &WriteOptions) -> Staged {
    let mut file = AtomicFile::create(target, options).unwrap();
    file.write_all(content).unwrap();
    file.stage(true).unwrap()
}

fn if_checksum(content: &[u8]) -> WriteOptions {
    let digest = checksum::of_bytes(Algorithm::Sha256, content);
    WriteOptions { condition: Condition::Checksum(digest), ..WriteOptions::default() }
}

fn nothing(_: &Displaced) -> Result<()> {
    Ok(())
}

#[test]
fn a_write_creates_and_replaces_and_tells_size_digest_and_durability() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    let options = WriteOptions { algorithms: vec![Algorithm::Sha256, Algorithm::Md5], ..WriteOptions::default() };
    for content in [&b"first"[..], b"", &vec![7; 3 * STEP as usize + 5]] {
        let written = write(&target, content, &options).unwrap();
        assert_eq!(fs::read(target.path()).unwrap(), content);
        assert_eq!(written.size, content.len() as u64);
        assert_eq!(written.stat.size, written.size);
        assert_eq!(written.digests[0], checksum::of_bytes(Algorithm::Sha256, content));
        assert_eq!(written.digests[1], checksum::of_bytes(Algorithm::Md5, content));
        assert_eq!(written.durability, Durability::Full);
        assert_eq!(names(folder.path()), ["f"]);
    }
}

#[test]
fn what_is_given_up_or_dropped_leaves_the_old_content_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    write(&target, b"old", &WriteOptions::default()).unwrap();
    let start = || {
        let mut file = AtomicFile::create(&target, &WriteOptions::default()).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        file
    };
    start().abort().unwrap();
    drop(start());
    drop(start().stage(true).unwrap());
    assert_eq!(names(folder.path()), ["f"]);
    assert_eq!(fs::read(target.path()).unwrap(), b"old");
}

#[test]
fn durability_is_what_was_done() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    for durability in [Durability::None, Durability::Data, Durability::Full] {
        let options = WriteOptions { durability, ..WriteOptions::default() };
        assert_eq!(write(&target, b"x", &options).unwrap().durability, durability);
    }
    let mut later = AtomicFile::create(&target, &WriteOptions::default()).unwrap().stage(false).unwrap();
    later.flush().unwrap();
    assert_eq!(later.publish(false, &mut nothing).unwrap().durability, Durability::Data);
}

#[test]
fn what_came_out_is_shown_and_then_removed() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    let new = staged(&target, b"new", &WriteOptions::default());
    // Written by somebody else after ours was finished.
    fs::write(target.path(), b"outside").unwrap();
    let mut seen = Vec::new();
    new.publish(true, &mut |displaced| {
        let mut file = &displaced.file;
        io::Read::read_to_end(&mut file, &mut seen)?;
        assert_eq!(displaced.stat.size, 7);
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, b"outside");
    assert_eq!(fs::read(target.path()).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["f"]);
}

#[test]
fn a_replacement_that_is_refused_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    write(&target, b"old", &WriteOptions::default()).unwrap();
    let inode = target.dir().stat(target.name()).unwrap().inode;
    let new = staged(&target, b"new", &WriteOptions::default());
    let refused = new.publish(true, &mut |_| Err(Error::new(Code::Cancelled)));
    assert_eq!(refused.unwrap_err().code(), Code::Cancelled);
    assert_eq!(fs::read(target.path()).unwrap(), b"old");
    assert_eq!(target.dir().stat(target.name()).unwrap().inode, inode);
    assert_eq!(names(folder.path()), ["f"]);
}

#[cfg(target_os = "linux")]
#[test]
fn undoing_never_takes_away_what_came_after() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    write(&target, b"old", &WriteOptions::default()).unwrap();
    let new = staged(&target, b"new", &WriteOptions::default());
    let refused = new.publish(true, &mut |_| {
        fs::write(folder.path().join("other"), b"newest")?;
        fs::rename(folder.path().join("other"), target.path())?;
        Err(Error::new(Code::Cancelled))
    });
    assert_eq!(refused.unwrap_err().code(), Code::Cancelled);
    assert_eq!(fs::read(target.path()).unwrap(), b"newest");
    assert_eq!(names(folder.path()), ["f"]);
}

#[cfg(target_os = "linux")]
#[test]
fn undoing_brings_the_old_content_back_though_ours_was_removed() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    write(&target, b"old", &WriteOptions::default()).unwrap();
    let new = staged(&target, b"new", &WriteOptions::default());
    let refused = new.publish(true, &mut |_| {
        fs::remove_file(target.path())?;
        Err(Error::new(Code::Cancelled))
    });
    assert_eq!(refused.unwrap_err().code(), Code::Cancelled);
    assert_eq!(fs::read(target.path()).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["f"]);
}

#[cfg(target_os = "linux")]
#[test]
fn what_came_out_is_not_taken_for_a_left_over_while_it_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    write(&target, b"old", &WriteOptions::default()).unwrap();
    let new = staged(&target, b"new", &WriteOptions::default());
    let _ = new.publish(true, &mut |_| {
        assert_eq!(names(folder.path()).len(), 2);
        assert_eq!(remove_leftovers(target.dir(), folder.path()).unwrap(), 0);
        Err(Error::new(Code::Cancelled))
    });
    assert_eq!(fs::read(target.path()).unwrap(), b"old");
}

#[test]
fn if_absent_refuses_what_exists_then_and_now() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    let options = WriteOptions { condition: Condition::Absent, ..WriteOptions::default() };
    let late = staged(&target, b"late", &options);
    write(&target, b"first", &options).unwrap();
    assert_eq!(late.publish(true, &mut nothing).unwrap_err().code(), Code::AlreadyExists);
    assert_eq!(write(&target, b"again", &options).unwrap_err().code(), Code::AlreadyExists);
    assert_eq!(fs::read(target.path()).unwrap(), b"first");
    assert_eq!(names(folder.path()), ["f"]);
}

#[test]
fn if_checksum_refuses_what_changed_before_writing_began() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    assert_eq!(write(&target, b"x", &if_checksum(b"")).unwrap_err().code(), Code::Changed);
    fs::write(target.path(), b"one").unwrap();
    write(&target, b"two", &if_checksum(b"one")).unwrap();
    assert_eq!(write(&target, b"three", &if_checksum(b"one")).unwrap_err().code(), Code::Changed);
    assert_eq!(fs::read(target.path()).unwrap(), b"two");
    assert_eq!(names(folder.path()), ["f"]);
}

#[test]
fn if_checksum_refuses_what_changed_while_writing() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    let changes: [&dyn Fn(); 4] = [
        &|| fs::write(target.path(), b"two").unwrap(),
        &|| {
            fs::write(folder.path().join("g"), b"two").unwrap();
            fs::rename(folder.path().join("g"), target.path()).unwrap();
        },
        &|| fs::remove_file(target.path()).unwrap(),
        &|| {
            // Same size, and the times put back.
            let before = fs::metadata(target.path()).unwrap().modified().unwrap();
            fs::write(target.path(), b"eno").unwrap();
            fs::File::options().write(true).open(target.path()).unwrap().set_modified(before).unwrap();
        },
    ];
    for (number, change) in changes.iter().enumerate() {
        fs::write(target.path(), b"one").unwrap();
        let new = staged(&target, b"new", &if_checksum(b"one"));
        change();
        let left = fs::read(target.path()).ok();
        let refused = new.publish(true, &mut nothing);
        assert_eq!(refused.unwrap_err().code(), Code::Changed, "{number}");
        assert_eq!(fs::read(target.path()).ok(), left, "{number}");
        assert!(names(folder.path()).len() <= 1, "{number}");
    }
}

#[test]
fn if_checksum_accepts_the_same_content_in_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    fs::write(target.path(), b"one").unwrap();
    let new = staged(&target, b"two", &if_checksum(b"one"));
    fs::write(folder.path().join("g"), b"one").unwrap();
    fs::rename(folder.path().join("g"), target.path()).unwrap();
    new.publish(true, &mut nothing).unwrap();
    assert_eq!(fs::read(target.path()).unwrap(), b"two");
}

#[test]
fn a_writer_whose_write_failed_cannot_commit() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    let mut file = AtomicFile::create(&target, &WriteOptions::default()).unwrap();
    file.failed = true;
    assert_eq!(file.commit().unwrap_err().code(), Code::Io);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn left_overs_go_and_living_writers_stay() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    let living = AtomicFile::create(&target, &WriteOptions::default()).unwrap();
    let stranger = folder.path().join(".electrus-tmp-notes");
    fs::write(&stranger, b"").unwrap();
    let dead = folder.path().join(".electrus-tmp-00000000000000ff");
    fs::write(&dead, b"").unwrap();
    let sandboxed = folder.path().join(".electrus-tmp-w-00000000000000ff");
    fs::write(&sandboxed, b"").unwrap();
    let expected = u64::from(sys::locks::SCOPE == "system");
    assert_eq!(remove_leftovers(target.dir(), folder.path()).unwrap(), expected);
    assert!(sandboxed.exists() && stranger.exists());
    remove_leftovers_in(folder.path(), true).unwrap();
    assert!(!sandboxed.exists() && !dead.exists() && stranger.exists());
    living.commit().unwrap();
    assert!(target.path().exists());
}

#[test]
fn a_mode_beyond_the_bits_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = WriteOptions { mode: Some(0o10000), ..WriteOptions::default() };
    assert_eq!(write(&at(folder.path(), "f"), b"", &options).unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn if_checksum_waits_for_who_holds_the_file_and_then_relies_on_the_exchange() {
    let folder = tempfile::tempdir().unwrap();
    let target = at(folder.path(), "f");
    fs::write(target.path(), b"one").unwrap();
    let held = target.dir().open_read(target.name()).unwrap();
    assert!(sys::locks::try_lock(&held, true).unwrap());
    let new = staged(&target, b"two", &if_checksum(b"one"));
    let release = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        sys::locks::unlock(&held).unwrap();
    });
    new.publish(true, &mut nothing).unwrap();
    release.join().unwrap();
    assert_eq!(fs::read(target.path()).unwrap(), b"two");
}
