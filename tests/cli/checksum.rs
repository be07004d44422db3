//! `checksum`, against the coreutils in both directions.

use crate::helper::{Base, Ran, has};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

const TOOLS: [(&str, &str); 5] =
    [("md5", "md5sum"), ("sha1", "sha1sum"), ("sha256", "sha256sum"), ("sha512", "sha512sum"), ("blake2b", "b2sum")];

/// Ours, and theirs if it is there.
fn both() -> impl Iterator<Item = &'static str> {
    ["electrus checksum", "sha256sum"].into_iter().filter(|program| *program != "sha256sum" || has(program))
}

/// Files whose names need care, and one with content.
fn odd_names(base: &Base) {
    for name in [&b"plain"[..], b"two  spaces", b"back\\slash", b"line\nfeed", b"return\r", b"not utf8 \xff", b"*star"]
    {
        base.file(OsStr::from_bytes(name), name);
    }
    base.file("empty", "");
    base.file("large", vec![7; 1 << 20]);
}

#[test]
fn prints_what_the_coreutils_print_and_each_checks_the_other() {
    let base = Base::new();
    odd_names(&base);
    for (algorithm, tool) in TOOLS.iter().filter(|(_, tool)| has(tool)) {
        for tag in ["", "--tag"] {
            let ours = base.sh(&format!("electrus checksum -a {algorithm} {tag} -- *")).ok().out;
            let theirs = base.sh(&format!("{tool} {tag} -- *")).ok().out;
            assert_eq!(ours, theirs, "{tool} {tag}");
            base.sh(&format!("electrus checksum -a {algorithm} {tag} -- * | {tool} -c --strict --quiet -")).ok();
            let checked = base.sh(&format!("{tool} {tag} -- * | electrus checksum -c --strict")).ok();
            assert_eq!(checked.text().lines().filter(|l| l.ends_with(": OK")).count(), 9, "{}", checked.text());
            let theirs = base.sh(&format!("{tool} {tag} -- * | {tool} -c")).ok().out;
            assert_eq!(checked.out, theirs);
        }
    }
}

#[test]
fn a_changed_file_fails_in_both_directions() {
    let base = Base::new();
    odd_names(&base);
    for (algorithm, tool) in TOOLS.iter().filter(|(_, tool)| has(tool)) {
        base.file("plain", "plain");
        base.sh(&format!("electrus checksum -a {algorithm} plain large > ours; {tool} plain large > theirs")).ok();
        base.file("plain", "pla1n");
        base.sh(&format!("{tool} -c --status ours")).status(1);
        let ran = base.run(["checksum", "-c", "theirs"]).status(1);
        assert_eq!(ran.text(), "plain: FAILED\nlarge: OK\n");
        assert!(ran.errors().contains("1 computed checksum did NOT match"), "{}", ran.errors());
        let ran = base.run(["checksum", "-c", "-a", algorithm, "--quiet", "theirs"]).status(1);
        assert_eq!(ran.text(), "plain: FAILED\n");
        let ran = base.run(["checksum", "-c", "--status", "theirs"]).status(1);
        assert_eq!((ran.text(), ran.errors()), (String::new(), String::new()));
    }
}

#[test]
fn missing_files_and_improper_lines_are_told_and_fail() {
    let base = Base::new();
    base.file("a", "a");
    base.file("b", "b");
    base.sh("electrus checksum a b > sums; rm b; echo 'no checksum' >> sums").ok();
    let ran = base.run(["checksum", "-c", "sums"]).status(1);
    assert_eq!(ran.text(), "a: OK\nb: FAILED open or read\n");
    assert!(ran.errors().contains("1 line is improperly formatted"));
    assert!(ran.errors().contains("1 listed file could not be read"));
    base.run(["checksum", "-c", "--ignore-missing", "sums"]).ok();
    base.run(["checksum", "-c", "--ignore-missing", "--strict", "sums"]).status(1);
    base.sh("rm a").ok();
    base.run(["checksum", "-c", "--ignore-missing", "sums"]).status(1);
    base.file("sums", "nothing that fits\n");
    let ran = base.run(["checksum", "-c", "sums"]).status(1);
    assert!(ran.errors().contains("no properly formatted checksum lines"));
}

/// A list that cannot be read used to end it all: the lists after it were not checked, and with --json there was no document.
#[test]
fn a_list_that_cannot_be_read_does_not_stop_the_others() {
    let base = Base::new();
    base.file("a", "a");
    base.sh("electrus checksum a > sums").ok();
    let ran = base.run(["checksum", "-c", "nowhere", "sums"]).status(1);
    assert_eq!(ran.text(), "a: OK\n");
    assert!(ran.errors().contains("electrus: nowhere: "), "{}", ran.errors());
    let document = base.run(["--json", "checksum", "-c", "nowhere", "sums"]).status(1).any_document();
    assert_eq!((&document["ok"], &document["files"][0]["ok"]), (&false.into(), &true.into()), "{document}");
    let error = &document["errors"][0];
    assert_eq!((&error["name"], &error["path"]), (&"not_found".into(), &"nowhere".into()), "{document}");
    std::fs::write(base.join("long"), [std::fs::read(base.join("sums")).unwrap(), vec![b'x'; 1 << 17]].concat())
        .unwrap();
    let ran = base.run(["checksum", "-c", "long", "sums"]).status(1);
    assert_eq!(ran.text(), "a: OK\na: OK\n", "what was read before the trouble is checked");
}

/// sha256sum passes over empty lines, which were counted as improper ones.
#[test]
fn empty_lines_and_comments_are_not_improper() {
    let base = Base::new();
    base.file("a", "a");
    base.sh("(echo; echo '# comment'; electrus checksum a; printf '\\r\\n'; echo) > sums").ok();
    for program in both() {
        let ran = base.sh(&format!("{program} -c --strict sums")).ok();
        assert_eq!((ran.text(), ran.errors()), ("a: OK\n".into(), String::new()), "{program}");
    }
    base.sh("echo ' ' >> sums").ok();
    base.run(["checksum", "-c", "--strict", "sums"]).status(1);
}

#[test]
fn improper_lines_are_named_when_asked() {
    let base = Base::new();
    base.file("a", "a");
    base.sh("electrus checksum a > sums; echo 'no checksum' >> sums").ok();
    for program in both() {
        for option in ["-w", "--warn"] {
            let errors = base.sh(&format!("{program} -c {option} sums")).ok().errors();
            assert!(errors.contains("sums: 2: improperly formatted"), "{program}: {errors}");
        }
    }
    base.run(["--json", "checksum", "-w", "a"]).refused(2, "invalid_argument");
}

#[test]
fn binary_and_text_are_marked_as_sha256sum_does() {
    let base = Base::new();
    odd_names(&base);
    for options in ["-b", "--binary", "-t", "--text", "-b -t", "-t -b", "--tag -b"] {
        let ours = base.sh(&format!("electrus checksum {options} -- *")).ok();
        if has("sha256sum") {
            assert_eq!(ours.out, base.sh(&format!("sha256sum {options} -- *")).ok().out, "{options}");
        }
        base.feed(&ours.out, ["checksum", "-c", "--strict"]).ok();
    }
    base.run(["--json", "checksum", "--tag", "-t", "plain"]).refused(2, "invalid_argument");
    base.run(["--json", "checksum", "-c", "-b", "plain"]).refused(2, "invalid_argument");
}

/// Its lines look like those of other algorithms of that length: they were all called FAILED.
#[test]
fn shorter_blake2b_is_checked_as_b2sum_does() {
    if !has("b2sum") {
        return;
    }
    let base = Base::new();
    base.file("a", "a");
    for length in [128, 160, 256] {
        base.sh(&format!("b2sum -l {length} a > sums")).ok();
        assert_eq!(base.run(["checksum", "-c", "--strict", "sums"]).ok().text(), "a: OK\n", "{length}");
    }
    base.file("a", "b");
    assert_eq!(base.run(["checksum", "-c", "sums"]).status(1).text(), "a: FAILED\n");
    base.sh("b2sum -l 384 a > sums").ok();
    let ran = base.run(["checksum", "-c", "-w", "sums"]).status(1);
    assert!(ran.errors().contains("sums: 1: improperly formatted"), "{}", ran.errors());
}

/// With stacks larger than the address space no thread can be had: that was a panic.
#[test]
fn where_no_thread_can_be_had_the_work_is_done_without() {
    let base = Base::new();
    base.file("a", "a");
    base.file("b", "b");
    let expected = base.run(["checksum", "a", "b", "a"]).ok().text();
    let mut command = base.command(["checksum", "a", "b", "a"]);
    let ran = Ran::of(command.env("RUST_MIN_STACK", (1u64 << 47).to_string())).ok();
    assert_eq!((ran.text(), ran.errors()), (expected, String::new()));
}

#[test]
fn stdin_and_pipes_are_read() {
    let base = Base::new();
    let expected = "73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac";
    assert_eq!(base.feed("x\n", ["checksum"]).ok().text(), format!("{expected}  -\n"));
    assert_eq!(base.feed("x\n", ["checksum", "-"]).ok().text(), format!("{expected}  -\n"));
    base.sh(&format!("echo x | electrus checksum -c <(echo '{expected}  -')")).ok();
    assert!(base.sh("electrus checksum <(echo x)").ok().text().starts_with(expected));
}

#[test]
fn one_that_cannot_be_read_does_not_stop_the_others() {
    let base = Base::new();
    base.file("a", "a");
    std::fs::create_dir(base.join("folder")).unwrap();
    let ran = base.run(["checksum", "nothing", "a", "folder"]).status(3);
    assert!(ran.text().ends_with("  a\n") && ran.text().lines().count() == 1);
    assert!(ran.errors().contains("electrus: nothing: ") && ran.errors().contains("electrus: folder: "));
    base.run(["checksum", "folder"]).status(5);
}

#[test]
fn json_has_the_keys_of_the_operation() {
    let base = Base::new();
    base.file("a", "a");
    let sha256 = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    let one = base.run(["--json", "checksum", "a"]).document();
    assert_eq!((one["file_path"].as_str(), one["size"].as_u64()), (Some("a"), Some(1)));
    assert_eq!((one["checksum"].as_str(), one["algorithm"].as_str()), (Some(sha256), Some("sha256")));
    let two = base.run(["--json", "checksum", "-a", "MD5", "a", "a"]).document();
    assert_eq!(two["files"].as_array().unwrap().len(), 2);
    assert_eq!(two["files"][1]["checksum"], "0cc175b9c0f1b6a831c399e269772661");
    base.file("sums", format!("{sha256}  a\n{sha256}  b\n"));
    let checked = base.run(["--json", "checksum", "-c", "sums"]).status(1).any_document();
    assert_eq!((&checked["ok"], &checked["files"][0]["ok"]), (&false.into(), &true.into()));
    assert_eq!(checked["files"][1]["error"]["name"], "not_found");
}
