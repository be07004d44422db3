//! write, read, stat, copy, mv, rm.

use crate::common::{Mounted, NOBODY, copy_for_everybody};
use crate::helper::{self, Base, Ran};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn write_takes_text_a_file_or_stdin_and_tells_what_it_did() {
    let base = Base::new();
    let result = base.write("a.txt", "hello");
    assert_eq!(result["file_path"], base.join("a.txt").to_str().unwrap());
    assert_eq!((&result["size"], &result["checksum"]), (&5.into(), &HELLO.into()));
    assert_eq!((&result["version_created"], &result["version"]), (&true.into(), &1.into()));
    assert_eq!((&result["algorithm"], &result["durability"]), (&"sha256".into(), &"full".into()));
    assert!(result["timestamp"].as_str().unwrap().ends_with("+00:00"), "{result}");
    assert_eq!(base.content("a.txt"), "hello");

    base.file("source", "from a file");
    base.run(["write", "deep/er/b", "--from", "source"]).ok();
    assert_eq!(base.content("deep/er/b"), "from a file");
    base.feed("from stdin", ["write", "c"]).ok();
    assert_eq!(base.content("c"), "from stdin");
    base.feed("again", ["write", "c", "--from", "-"]).ok();
    assert_eq!(base.content("c"), "again");
    base.run(["write", "empty", "--text", ""]).ok();
    assert_eq!(base.content("empty"), "");
}

#[test]
fn write_says_in_words_what_it_did() {
    let base = Base::new();
    let words = base.run(["write", "a", "--text", "hello"]).ok().text();
    assert_eq!(words, format!("wrote a: version 1, 5 B, sha256 {HELLO}\n"));
    base.file("a", "an edit by other means");
    let words = base.run(["write", "a", "--text", "hello"]).ok().text();
    assert!(words.starts_with("wrote a: version 3, ") && words.contains("kept as version 2"), "{words}");
}

#[test]
fn more_than_fits_in_memory_pieces_is_streamed() {
    let base = Base::new();
    let result: Value = base.sh("head -c 9000000 /dev/zero | tr '\\0' x | electrus --json write big").document();
    assert_eq!(result["size"], 9_000_000);
    base.sh("electrus read big | cmp - big && electrus read big --version 1 | cmp - big").ok();
    base.sh("electrus read big | head -c 5").ok();
    base.sh("electrus write copy --from big && cmp big copy").ok();
}

#[test]
fn no_version_keeps_none() {
    let base = Base::new();
    let result = base.run(["--json", "write", "a", "--text", "x", "--no-version"]).document();
    assert_eq!((&result["version_created"], &result["version"]), (&false.into(), &Value::Null));
}

#[test]
fn durability_algorithm_and_mode_are_as_asked() {
    let base = Base::new();
    for level in ["full", "data", "none"] {
        let result = base.run(["--json", "write", "a", "--text", level, "--durability", level]).document();
        assert_eq!(result["durability"], level);
    }
    let result = base.run(["--json", "write", "a", "--text", "", "-a", "md5", "--mode", "600"]).document();
    assert_eq!(result["checksum"], "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(std::fs::metadata(base.join("a")).unwrap().permissions().mode() & 0o7777, 0o600);
    base.run(["--json", "write", "a", "--text", "", "--mode", "9"]).refused(2, "invalid_argument");
    base.run(["--json", "write", "a", "--text", "", "-a", "crc32"]).refused(2, "unknown_algorithm");
}

#[test]
fn conditions_compare_and_swap() {
    let base = Base::new();
    base.run(["write", "a", "--text", "hello", "--if-absent"]).ok();
    base.run(["--json", "write", "a", "--text", "x", "--if-absent"]).refused(4, "already_exists");
    base.run(["--json", "write", "a", "--text", "x", "--if-checksum", NOTHING]).refused(4, "changed");
    assert_eq!(base.content("a"), "hello");
    base.run(["write", "a", "--text", "x", "--if-checksum", HELLO]).ok();
    let tagged = "sha1:11f6ad8ec52a2984abaafd7c3b516503785c2072";
    base.run(["write", "a", "--text", "y", "--if-checksum", tagged]).ok();
    base.run(["--json", "write", "a", "--text", "z", "--if-checksum", "xyz"]).refused(2, "invalid_argument");
    assert_eq!(base.content("a"), "y");
}

#[test]
fn read_gives_the_bytes_and_nothing_else() {
    let base = Base::new();
    base.file("binary", b"\x00\xff\n\x00");
    assert_eq!(base.run(["read", "binary"]).ok().out, b"\x00\xff\n\x00");
    assert!(!base.join(".electrus").exists(), "reading makes no store");
    base.run(["--json", "read", "nothing"]).refused(3, "not_found");
}

#[test]
fn read_as_json_has_content_or_content_base64() {
    let base = Base::new();
    base.write("a", "hellö");
    let result = base.run(["--json", "read", "a"]).document();
    assert_eq!((&result["content"], &result["size"]), (&"hellö".into(), &6.into()));
    assert_eq!(result["version"], Value::Null);
    base.file("binary", b"\x00\xff");
    let result = base.run(["--json", "read", "binary"]).document();
    assert_eq!((&result["content"], &result["content_base64"]), (&Value::Null, &"AP8=".into()));
}

#[test]
fn read_with_an_expectation_answers_yes_or_no() {
    let base = Base::new();
    base.file("a", "hello");
    base.run(["read", "a", "--expect", HELLO]).ok();
    base.run(["read", "a", "--expect", "md5:5d41402abc4b2a76b9719d911017c592"]).ok();
    let body = base.run(["--json", "read", "a", "--expect", NOTHING]).refused(1, "checksum_mismatch");
    assert_eq!(body["path"], base.join("a").to_str().unwrap());
    assert_eq!(base.run(["read", "a", "--expect", NOTHING]).status(1).text(), "", "nothing of it is given out");
}

#[test]
fn read_of_a_version_gives_what_it_was() {
    let base = Base::new();
    base.write("a", "one");
    base.write("a", "two");
    assert_eq!(base.run(["read", "a", "--version", "1"]).ok().text(), "one");
    let result = base.run(["--json", "read", "a", "--version", "2"]).document();
    assert_eq!((&result["content"], &result["version"]), (&"two".into(), &2.into()));
    base.run(["--json", "read", "a", "--version", "9"]).refused(3, "version_not_found");
    base.run(["--json", "read", "a", "--version", "last"]).refused(2, "invalid_argument");
}

#[test]
fn stat_has_the_eight_fields() {
    let base = Base::new();
    base.write("deep/a", "hello");
    let result = base.run(["--json", "stat", "deep/a"]).document();
    assert_eq!((&result["filename"], &result["size"]), (&"a".into(), &5.into()));
    assert_eq!((&result["checksum"], &result["checksum_algorithm"]), (&HELLO.into(), &"sha256".into()));
    assert_eq!(result["version"], 1);
    assert!(result["permissions"].as_str().unwrap().starts_with('6'), "{result}");
    assert!(result["modified_at"].as_str().unwrap().starts_with("20"), "{result}");
    assert!(result.get("created_at").is_some());
    let words = base.run(["stat", "deep/a", "-a", "md5"]).ok().text();
    assert!(words.contains("5d41402abc4b2a76b9719d911017c592"), "{words}");
    base.run(["--json", "stat", "nothing"]).refused(3, "not_found");
}

#[test]
fn copy_keeps_the_source_and_versions_the_target() {
    let base = Base::new();
    base.write("a", "new");
    base.write("b", "old");
    let result = base.run(["--json", "copy", "a", "b"]).document();
    assert_eq!((&result["file_path"], &result["version"]), (&base.join("b").to_str().unwrap().into(), &2.into()));
    assert_eq!((base.content("a"), base.content("b")), ("new".into(), "new".into()));
    assert_eq!(base.run(["read", "b", "--version", "1"]).ok().text(), "old");
    base.run(["--json", "copy", "a", "b", "--if-absent"]).refused(4, "already_exists");
    base.run(["--json", "copy", "nothing", "b"]).refused(3, "not_found");
}

#[test]
fn mv_renames_and_history_follows() {
    let base = Base::new();
    base.write("a", "x");
    base.run(["mv", "a", "folder/b"]).ok();
    assert_eq!((base.content("folder/b"), base.join("a").exists()), ("x".into(), false));
    let kinds = |name: &str| -> Vec<String> {
        let list = base.run(["--json", "versions", name]).document();
        list["versions"].as_array().unwrap().iter().map(|v| v["kind"].as_str().unwrap().into()).collect()
    };
    assert_eq!(kinds("a").last().unwrap(), "renamed_to");
    assert_eq!(kinds("folder/b").last().unwrap(), "renamed_from");
    base.write("a", "y");
    base.run(["--json", "mv", "a", "folder/b", "--if-absent"]).refused(4, "already_exists");
    base.run(["--json", "mv", "nothing", "c"]).refused(3, "not_found");
}

#[test]
fn rm_deletes_and_restore_brings_back() {
    let base = Base::new();
    base.write("a", "x");
    let result = base.run(["--json", "rm", "a"]).document();
    assert_eq!(result["version"], 2);
    assert!(!base.join("a").exists());
    base.run(["restore", "a", "--version", "1"]).ok();
    assert_eq!(base.content("a"), "x");
    base.run(["--json", "rm", "nothing"]).refused(3, "not_found");
}

/// What reads must go on reading where nothing can be written; `refusal` is how a write is refused there.
fn is_read_and_not_written(run: impl Fn(&[&str]) -> Ran, refusal: &str) {
    assert_eq!(run(&["read", "a"]).ok().text(), "x");
    assert_eq!(run(&["read", "a", "--version", "1"]).ok().text(), "x");
    assert_eq!(run(&["--json", "stat", "a"]).document()["version"], 1);
    assert_eq!(run(&["--json", "versions", "a"]).document()["versions"].as_array().unwrap().len(), 1);
    let verified = run(&["--json", "verify"]).document();
    assert_eq!((&verified["ok"], &verified["versions"], &verified["backups"]), (&true.into(), &1.into(), &1.into()));
    assert_eq!(run(&["--json", "backup", "list"]).document()["backups"][0]["name"], "kept");
    assert_eq!(run(&["--json", "backup", "verify", "kept"]).document()["ok"], true);
    run(&["backup", "show", "kept"]).ok();
    run(&["checksum", "a"]).ok();
    for write in [&["write", "a", "--text", "y"][..], &["write", "b", "--text", "y"], &["rm", "a"], &["mv", "a", "b"]] {
        run(&[&["--json"], write].concat()).refused(7, refusal);
    }
}

fn prepare(run: impl Fn(&[&str]) -> Ran) {
    run(&["write", "a", "--text", "x"]).ok();
    run(&["backup", "create", "a", "--name", "kept"]).ok();
}

#[test]
fn a_read_only_file_system_is_read_and_not_written() {
    let Some(mounted) = Mounted::tmpfs("size=8m") else { return };
    let base = Base::new();
    let run = |arguments: &[&str]| Ran::of(base.command(arguments).current_dir(mounted.path()));
    prepare(run);
    mounted.make_read_only();
    is_read_and_not_written(run, "read_only");
}

/// `rm` gave no size and no checksum, and `versions` no path, or one from the base.
#[test]
fn every_change_has_the_same_keys_and_every_file_path_is_full() {
    let base = Base::new();
    let full = |name: &str| Value::from(base.join(name).to_str().unwrap());
    let commands = [
        (vec!["write", "a", "--text", "x"], "a"),
        (vec!["copy", "a", "b"], "b"),
        (vec!["mv", "b", "c"], "c"),
        (vec!["snapshot", "c"], "c"),
        (vec!["json", "write", "d", "--text", "1"], "d"),
        (vec!["json", "set", "d", "", "2"], "d"),
        (vec!["restore", "d", "--version", "1"], "d"),
        (vec!["rm", "a"], "a"),
    ];
    for (command, name) in commands {
        let result = base.run([vec!["--json"], command.clone()].concat()).document();
        for key in ["size", "checksum", "algorithm", "version_created", "version", "timestamp", "durability"] {
            assert!(result.get(key).is_some(), "{command:?}: no {key}: {result}");
        }
        assert_eq!(result["file_path"], full(name), "{command:?}");
    }
    let one = base.run(["--json", "versions", "c"]).document();
    assert_eq!((&one["file_path"], &one["versions"][0]["other"]), (&full("c"), &full("b")));
    let all = base.run(["--json", "versions"]).document();
    let paths: Vec<&Value> = all["files"].as_array().unwrap().iter().map(|file| &file["file_path"]).collect();
    assert_eq!(paths, ["a", "b", "c", "d"].map(full).iter().collect::<Vec<_>>());
    let words = base.run(["versions"]).ok().text();
    assert!(words.lines().skip(1).all(|line| !line.contains('/')), "people see names from where they are: {words}");
}

#[test]
fn a_read_only_folder_is_read_and_not_written() {
    let base = Base::new();
    std::fs::create_dir(base.join("folder")).unwrap();
    let root = rustix::process::geteuid().is_root();
    let program = copy_for_everybody(helper::PROGRAM.as_ref(), base.folder());
    let run = |arguments: &[&str]| {
        let mut command = Command::new("env");
        command.arg(&program).args(arguments).current_dir(base.join("folder")).env_remove("ELECTRUS_LOCK");
        if root {
            command.uid(NOBODY).gid(NOBODY); // nothing is read-only to root
        }
        Ran::of(&mut command)
    };
    if root {
        std::os::unix::fs::chown(base.join("folder"), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    prepare(run);
    let change_modes = |how: &str| Ran::of(Command::new("chmod").args(["-R", how]).arg(base.join("folder"))).ok();
    change_modes("a-w");
    let names = base.names();
    is_read_and_not_written(run, "permission_denied");
    assert_eq!((base.content("folder/a"), base.names()), ("x".into(), names));
    change_modes("u+w");
}
