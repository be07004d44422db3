//! Hostile names, and machines that are out of space, descriptors or permission.

use super::*;
use std::fs;

#[test]
fn hostile_names_are_refused_and_odd_ones_served() {
    let tmp = tempfile::tempdir().unwrap();
    let base = tmp.path().join("base");
    fs::create_dir(&base).unwrap();
    fs::write(tmp.path().join("secret"), "secret").unwrap();
    let handler = open(&base);
    let long = "x".repeat(255);
    let too_long = "x".repeat(256);
    for (name, code) in [
        ("../secret", Code::PathEscape),
        ("/etc/passwd", Code::PathEscape),
        ("a/../../secret", Code::PathEscape),
        (".electrus/store", Code::ReservedName),
        (".ELECTRUS/store", Code::ReservedName),
        ("", Code::InvalidName),
        ("a\0b", Code::InvalidName),
        ("folder/", Code::NotAFile),
        (too_long.as_str(), Code::InvalidName),
    ] {
        assert_eq!(try_write(&handler, name, b"x"), Err(code), "{name:?}");
        let listed = handler.versions().list_versions(name).unwrap_err().code();
        assert!(listed == code || listed == Code::NotFound, "{name:?}: {listed:?}");
    }
    for name in [long.as_str(), "new\nline", "-rf", "ünï", "f.lock", "con", "a b"] {
        assert_eq!(try_write(&handler, name, name.as_bytes()), Ok(Some(1)), "{name:?}");
        assert_eq!(read(&handler, name), name);
    }
    assert_eq!(fs::read_to_string(tmp.path().join("secret")).unwrap(), "secret");
    let mut outside: Vec<_> = fs::read_dir(tmp.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    outside.sort();
    assert_eq!(outside, ["base", "secret"]);
}

#[test]
fn a_folder_opened_read_only_is_never_changed() {
    let tmp = tempfile::tempdir().unwrap();
    write(&open(tmp.path()), "f", "1");
    let options = OpenOptions { read_only: true, ..OpenOptions::default() };
    let handler = AdvancedFileHandler::open(tmp.path(), &options).unwrap();
    assert_eq!(read(&handler, "f"), "1");
    assert_eq!(handler.versions().list_versions("f").unwrap().len(), 1);
    assert_eq!(try_write(&handler, "f", b"2"), Err(Code::ReadOnly));
    let code = |answer: electrus::error::Result<Changed>| answer.unwrap_err().code();
    assert_eq!(code(handler.delete("f", ChangeOptions::default())), Code::ReadOnly);
    assert_eq!(code(handler.rename("f", "g", ChangeOptions::default())), Code::ReadOnly);
    assert_eq!(code(handler.copy("f", "g", ChangeOptions::default())), Code::ReadOnly);
    assert_eq!(code(handler.versions().create_version("f", ChangeOptions::default())), Code::ReadOnly);
    assert!(handler.writer("f", ChangeOptions::default()).is_err());
}

#[cfg(unix)]
mod unix {
    use super::*;
    use crate::common::{self, Mounted, NOBODY, as_root, set_mode};
    use electrus::backup::{CreateOptions, VerifyOptions};
    use electrus::progress::Progress;
    use electrus::store::Which;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::{Duration, Instant};

    #[test]
    fn names_that_are_not_utf_8_are_names() {
        let tmp = tempfile::tempdir().unwrap();
        let handler = open(tmp.path());
        let name = OsStr::from_bytes(b"\xff\xfe\x80");
        assert_eq!(try_write(&handler, name, b"x"), Ok(Some(1)));
        assert_eq!(try_write(&handler, name, b"y"), Ok(Some(2)));
        assert_eq!(handler.versions().files().unwrap()[0].as_bytes(), name.as_bytes());
    }

    /// A copy of a file that nobody may read was there for everybody.
    #[test]
    fn a_copy_has_the_mode_of_its_source_also_if_that_is_none() {
        let tmp = tempfile::tempdir().unwrap();
        let handler = open(tmp.path());
        let mode = |name: &str| fs::metadata(tmp.path().join(name)).unwrap().permissions().mode() & 0o7777;
        for bits in [0o000, 0o400, 0o640] {
            write(&handler, "secret", "x");
            fs::set_permissions(tmp.path().join("secret"), fs::Permissions::from_mode(bits)).unwrap();
            if fs::read(tmp.path().join("secret")).is_ok() {
                handler.copy("secret", "copy", ChangeOptions::default()).unwrap();
                assert_eq!(mode("copy"), bits);
                let mut transaction = electrus::transaction::Transaction::new(handler.workspace());
                transaction.copy("secret", "another");
                transaction.commit().unwrap();
                assert_eq!(mode("another"), bits);
            }
            for name in ["secret", "copy", "another"] {
                let _ = fs::remove_file(tmp.path().join(name));
            }
        }
    }

    /// Says so when it is dropped: a failed assertion must not leave the other thread running, and the test waiting.
    struct Stop<'a>(&'a AtomicBool);

    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }

    #[test]
    fn a_link_that_is_swapped_all_the_time_never_leads_out() {
        let tmp = tempfile::tempdir().unwrap();
        let base = tmp.path().join("base");
        fs::create_dir_all(base.join("inside")).unwrap();
        fs::create_dir(tmp.path().join("outside")).unwrap();
        symlink("inside", base.join("link")).unwrap();
        let handler = open(&base);
        let stop = AtomicBool::new(false);
        let begin = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    for target in ["../outside", "inside"] {
                        symlink(target, base.join("next")).unwrap();
                        fs::rename(base.join("next"), base.join("link")).unwrap();
                    }
                }
            });
            let _stop = Stop(&stop);
            // Until each way was met many times; a minute is long for that.
            let (mut written, mut refused) = (0, 0);
            for n in 0.. {
                match try_write(&handler, "link/f", n.to_string().as_bytes()) {
                    Ok(_) => written += 1,
                    Err(Code::PathEscape) => refused += 1,
                    Err(other) => panic!("{other:?}"),
                }
                if n >= 300 && (written.min(refused) >= 20 || begin.elapsed() > Duration::from_secs(60)) {
                    break;
                }
            }
            assert!(written > 0 && refused > 0, "{written} were written and {refused} refused");
        });
        assert_eq!(fs::read_dir(tmp.path().join("outside")).unwrap().count(), 0);
    }

    const CHILD: &str = "ELECTRUS_TEST_TROUBLE";

    /// Runs a test of this file in a process of its own, by a command that is given its program and arguments.
    fn child(test: &str, base: &Path, command: &mut Command, program: &Path) {
        command.arg(program).args(["--exact", &format!("trouble::unix::{test}"), "--nocapture"]).env(CHILD, base);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }

    /// … with so many descriptors.
    fn child_with_descriptors(most: u32, test: &str, base: &Path) {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {most}; exec \"$@\""), "sh"]);
        child(test, base, &mut shell, &std::env::current_exe().unwrap());
    }

    #[test]
    fn a_full_disk_leaves_the_old_content_and_no_litter() {
        let Some(small) = Mounted::tmpfs("size=2m") else { return };
        let base = small.path();
        let handler = open(base);
        write(&handler, "f", "precious");
        let noise: Vec<u8> = (0..4_000_000u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
        assert_eq!(try_write(&handler, "f", &noise), Err(Code::NoSpace));
        assert_eq!(read(&handler, "f"), "precious");
        assert_eq!(names(base), ["f"]);

        // Room for the file but not for its version.
        let mut version = 2;
        let last = loop {
            match try_write(&handler, "f", &noise[version * 1000..][..200_000]) {
                Ok(_) => version += 1,
                Err(code) => break code,
            }
            assert!(version < 100);
        };
        assert_eq!(last, Code::NoSpace);
        let kept = fs::read(base.join("f")).unwrap();
        assert!(kept == b"precious" || noise.windows(kept.len()).any(|w| w == kept));
        assert_eq!(names(base), ["f"]);
        drop(handler);
        let handler = open(base);
        assert_eq!(handler.versions().list_versions("f").unwrap().len(), version - 1);
        assert_eq!(handler.versions().read_version("f", &Which::Number(1)).unwrap(), b"precious");
    }

    #[test]
    fn child_without_descriptors() {
        let Some(base) = std::env::var_os(CHILD) else { return };
        let handler = open(Path::new(&base));
        write(&handler, "f", "old");
        let mut held = Vec::new();
        while let Ok(file) = fs::File::open("/dev/null") {
            held.push(file);
        }
        for free in 0..16 {
            match try_write(&handler, "f", b"new") {
                Err(code) => assert_eq!(code, Code::TooManyOpenFiles, "with {free} free"),
                Ok(_) => return,
            }
            held.pop();
            assert_eq!(fs::read(Path::new(&base).join("f")).unwrap(), b"old", "with {free} free");
            held.push(fs::File::open("/dev/null").unwrap());
            held.pop();
        }
        panic!("16 descriptors must be enough");
    }

    #[test]
    fn without_descriptors_the_error_says_so_and_nothing_changes() {
        let tmp = tempfile::tempdir().unwrap();
        child_with_descriptors(64, "child_without_descriptors", tmp.path());
        assert_eq!(names(tmp.path()), ["f"]);
    }

    #[test]
    fn child_with_few_descriptors() {
        let Some(base) = std::env::var_os(CHILD) else { return };
        let handler = open(Path::new(&base));
        let changes = (0..100).map(|n| electrus::workspace::Change {
            location: handler.workspace().base().resolve(format!("f{n}"), electrus::path::Follow::Whole).unwrap(),
            source: Source::Bytes(b"x"),
            options: ChangeOptions::default(),
        });
        let results = handler.workspace().write_many(changes.collect());
        assert!(results.iter().all(|r| r.is_ok()), "{results:?}");
    }

    #[test]
    fn a_group_larger_than_the_descriptors_is_written_all_the_same() {
        let tmp = tempfile::tempdir().unwrap();
        child_with_descriptors(48, "child_with_few_descriptors", tmp.path());
        assert_eq!(names(tmp.path()).len(), 100);
    }

    #[test]
    fn child_without_permission() {
        let Some(base) = std::env::var_os(CHILD) else { return };
        let base = Path::new(&base);
        let handler = open(base);
        assert_eq!(read(&handler, "f"), "old");
        assert_eq!(try_write(&handler, "f", b"new"), Err(Code::PermissionDenied));
        assert_eq!(try_write(&handler, "g", b"new"), Err(Code::PermissionDenied));
        let deleted = handler.delete("f", ChangeOptions::default()).unwrap_err();
        assert_eq!(deleted.code(), Code::PermissionDenied);
        assert_eq!(handler.versions().list_versions("f").unwrap_err().code(), Code::PermissionDenied);
    }

    #[test]
    fn without_permission_the_old_content_stays() {
        if !as_root() {
            return;
        }
        let tmp = common::open_folder();
        let base = tmp.path().join("base");
        fs::create_dir(&base).unwrap();
        let handler = open(&base);
        write(&handler, "f", "old");
        handler.close().unwrap();
        drop(handler);
        // Readable for everybody, whatever the umask is.
        set_mode(&base, 0o755);
        set_mode(&base.join("f"), 0o644);
        let before = listing(&base);
        let program = common::copy_for_everybody(&std::env::current_exe().unwrap(), &tmp);
        let mut nobody = Command::new("env");
        child("child_without_permission", &base, nobody.uid(NOBODY).gid(NOBODY), &program);
        assert_eq!(listing(&base), before);
    }

    #[test]
    fn a_read_only_file_system_is_readable_and_says_so_to_writers() {
        let Some(small) = Mounted::tmpfs("size=4m") else { return };
        let base = small.path();
        let handler = open(base);
        write(&handler, "f", "1");
        handler.backups().unwrap().create(Some("b"), &["f"], &CreateOptions::default()).unwrap();
        handler.close().unwrap();
        drop(handler);
        small.make_read_only();
        let options = OpenOptions { read_only: true, ..OpenOptions::default() };
        for options in [options, OpenOptions::default()] {
            let handler = AdvancedFileHandler::open(base, &options).unwrap();
            assert_eq!(read(&handler, "f"), "1");
            assert_eq!(handler.versions().list_versions("f").unwrap().len(), 1);
            assert_eq!(handler.versions().read_version("f", &Which::Number(1)).unwrap(), b"1");
            let report = handler.verify(&Progress::new()).unwrap();
            assert_eq!((report.damaged, report.versions), (Vec::new(), 1));
            let backups = handler.backups().unwrap();
            assert_eq!(backups.list().unwrap().len(), 1);
            assert_eq!(backups.show("b").unwrap().files.len(), 1);
            assert_eq!(backups.verify(Some("b"), &VerifyOptions::default()).unwrap().damaged, []);
            assert_eq!(try_write(&handler, "f", b"2"), Err(Code::ReadOnly));
            assert_eq!(try_write(&handler, "g", b"2"), Err(Code::ReadOnly));
            let created = backups.create(Some("c"), &["f"], &CreateOptions::default());
            assert_eq!(created.unwrap_err().code(), Code::ReadOnly);
        }
    }

    fn listing(base: &Path) -> Vec<(std::path::PathBuf, u64, std::time::SystemTime)> {
        let entries = walkdir::WalkDir::new(base).sort_by_file_name().into_iter().map(|e| e.unwrap());
        entries
            .map(|e| {
                let metadata = e.metadata().unwrap();
                (e.path().to_owned(), metadata.len(), metadata.modified().unwrap())
            })
            .collect()
    }
}

#[test]
fn a_folder_whose_store_is_damaged_can_be_opened_and_repaired() {
    let tmp = tempfile::tempdir().unwrap();
    write(&open(tmp.path()), "f", "content");
    fs::write(tmp.path().join(".electrus/prune.commit"), "damage").unwrap();
    let handler = open(tmp.path());
    assert_eq!(read(&handler, "f"), "content");
    assert_eq!(try_write(&handler, "f", b"new"), Err(Code::Damaged));
    handler.repair(false, &electrus::progress::Progress::new()).unwrap();
    drop(handler);
    let handler = open(tmp.path());
    assert_eq!(try_write(&handler, "f", b"new"), Ok(Some(2)));
}
