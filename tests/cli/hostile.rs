//! Names that attack, and targets that are no files.

use crate::helper::{Base, Ran, Reaped};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::process::Stdio;

fn write(base: &Base, name: impl AsRef<OsStr>) -> Ran {
    let mut command = base.command(["--json", "write", "--text", "x", "--"]);
    Ran::of(command.arg(name))
}

/// A base with a neighbour that nothing may touch.
fn beside_a_secret() -> (Base, Base) {
    let outer = Base::new();
    outer.file("secret", "untouched");
    let base = Base::new();
    symlink(outer.join("secret"), base.join("link-out")).unwrap();
    symlink(outer.path(), base.join("folder-out")).unwrap();
    symlink("..", base.join("up")).unwrap();
    symlink("loop", base.join("loop")).unwrap();
    (base, outer)
}

#[test]
fn names_that_lead_out_are_refused_by_every_command() {
    let (base, outer) = beside_a_secret();
    base.write("inside", "x");
    let absolute = outer.join("secret");
    let names =
        ["../x", "a/../../x", absolute.to_str().unwrap(), "link-out", "folder-out/secret", "folder-out/new", "up/x"];
    for name in names {
        for args in [
            vec!["write", name, "--text", "x"],
            vec!["read", name],
            vec!["stat", name],
            vec!["copy", "inside", name],
            vec!["copy", name, "inside"],
            vec!["mv", "inside", name],
            vec!["snapshot", name],
            vec!["restore", "inside", "--version", "1", "--to", name],
            vec!["json", "get", name],
        ] {
            let ran = base.run(["--json"].into_iter().chain(args.iter().copied()));
            let told: Value = serde_json::from_slice(&ran.err).unwrap_or_default();
            let code = told["error"]["name"].as_str().unwrap_or("none");
            let fine = code == "path_escape" || (name == "a/../../x" && code == "not_found");
            assert!(fine, "{args:?}: {code}: {}", ran.text());
        }
    }
    assert_eq!(outer.content("secret"), "untouched");
    assert_eq!(outer.names(), ["secret"]);
    write(&base, "loop").refused(5, "symlink_loop");
}

#[test]
fn allow_outside_lifts_the_rule() {
    let (base, outer) = beside_a_secret();
    let mut command = base.command(["--allow-outside", "write", "--text", "meant", "link-out"]);
    Ran::of(&mut command).ok();
    assert_eq!(outer.content("secret"), "meant");
    assert!(base.join("link-out").is_symlink(), "a link stays a link");
}

/// A folder that came with somebody's archive: its store holds a transaction that was decided where names may lead out.
fn with_a_waiting_transaction(outside: &std::path::Path) -> Base {
    use electrus::transaction::{Transaction, TransactionOptions};
    use electrus::workspace::{OpenOptions, Workspace};
    let (made, base) = (Base::new(), Base::new());
    let open = OpenOptions { allow_outside: true, ..OpenOptions::default() };
    let workspace = Workspace::open(made.path(), &open).unwrap();
    let watch = |point: &str| {
        if point == "decided" {
            made.sh(&format!("cp -a .electrus {}", base.path().display())).ok();
        }
    };
    let options = TransactionOptions { watch: Some(&watch), ..TransactionOptions::default() };
    let mut transaction = Transaction::with(&workspace, options);
    transaction.write("new folder/inside", "theirs").write(outside, "theirs");
    transaction.commit().unwrap();
    base
}

/// Every backup command opened the whole base as if `--allow-outside` had been said, and so obeyed such a store.
#[test]
fn a_store_makes_no_command_write_outside_unless_that_was_allowed() {
    let outer = Base::new();
    let victim = outer.join("victim");
    let base = with_a_waiting_transaction(&victim);
    std::fs::remove_file(&victim).unwrap();
    base.file("docs/a", "x");
    for args in [
        vec!["backup", "create", "--name", "b", "docs"],
        vec!["backup", "restore", "b"],
        vec!["backup", "prune", "--keep-last", "1"],
        vec!["write", "f", "--text", "x"],
    ] {
        let told = base.run(args).ok().errors();
        assert!(told.contains("waits") && told.contains("--allow-outside"), "{told}");
        assert!(!victim.exists() && !base.join("new folder").exists(), "nothing of it is carried out");
    }
    base.run(["--allow-outside", "write", "f", "--text", "y"]).ok();
    assert_eq!(std::fs::read(&victim).unwrap(), b"theirs");
    assert_eq!(base.content("new folder/inside"), "theirs");
}

/// A backup says itself where its files came from: also one that somebody else has made.
#[test]
fn a_backup_is_restored_to_places_outside_only_when_that_is_allowed() {
    let (base, outer) = (Base::new(), Base::new());
    outer.file("x/y", "outside");
    let outside = outer.join("x/y");
    let mut create = base.command(["backup", "create", "--name", "b"]);
    Ran::of(create.arg(&outside)).ok();
    std::fs::remove_file(&outside).unwrap();
    let told = base.run(["--json", "backup", "restore", "b"]).refused(5, "path_escape");
    assert!(told["message"].as_str().unwrap().contains("--allow-outside"), "{told}");
    assert!(!outside.exists());
    base.run(["backup", "restore", "b", "--to", "here"]).ok();
    base.run(["--allow-outside", "backup", "restore", "b"]).ok();
    assert_eq!(outer.content("x/y"), "outside");
}

/// Names led out of the base and back in again: to a second history, and into the store.
#[test]
fn a_detour_over_the_outside_leads_to_no_second_history_and_not_into_the_store() {
    let base = Base::new();
    base.write("f", "one");
    let detour = |name: &str| format!("../{}/{name}", base.path().file_name().unwrap().to_str().unwrap());
    base.run(["--allow-outside", "write", &detour("f"), "--text", "two"]).ok();
    let versions = base.run(["--json", "versions", "f"]).document();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 2, "{versions}");
    let store = detour(".electrus/x");
    base.run(["--json", "--allow-outside", "write", &store, "--text", "x"]).refused(5, "reserved_name");
    base.run(["--json", "backup", "create", &detour(".electrus")]).refused(5, "reserved_name");
}

/// Outside of the base, what a link points to was removed and renamed in its place.
#[test]
fn removing_and_renaming_a_link_outside_means_the_link() {
    let (base, outer) = (Base::new(), Base::new());
    outer.file("precious", "x");
    for name in ["link", "other"] {
        symlink("precious", outer.join(name)).unwrap();
    }
    let mut remove = base.command(["--allow-outside", "rm"]);
    Ran::of(remove.arg(outer.join("link"))).ok();
    let mut rename = base.command(["--allow-outside", "mv"]);
    Ran::of(rename.arg(outer.join("other")).arg(outer.join("renamed"))).ok();
    assert_eq!(outer.content("precious"), "x");
    assert!(!outer.join("link").is_symlink() && outer.join("renamed").is_symlink());
    let mut create = base.command(["backup", "create", "--name", "b"]);
    Ran::of(create.arg(outer.join("renamed"))).ok();
    let shown = base.run(["--json", "backup", "show", "b"]).document();
    assert_eq!(shown["files"][0]["kind"], "symlink", "{shown}");
}

#[test]
fn the_stores_own_names_are_refused() {
    let base = Base::new();
    for name in [".electrus", ".electrus/x", ".ELECTRUS/x", "a/.electrus/x", ".electrus-tmp-1"] {
        write(&base, name).refused(5, "reserved_name");
    }
}

#[test]
fn odd_names_work() {
    let base = Base::new();
    let long = "n".repeat(255);
    let names: [&[u8]; 8] = [
        long.as_bytes(),
        b"new\nline",
        b"\xff\xfe not utf-8",
        b" ",
        b"-rf",
        b"\x1b[31mred",
        b"back\\slash",
        "ünï".as_bytes(),
    ];
    for bytes in names {
        let name = OsStr::from_bytes(bytes);
        let result = write(&base, name).document();
        assert_eq!(std::fs::read(base.join(name)).unwrap(), b"x");
        assert_eq!(result["file_path_b64"].is_string(), std::str::from_utf8(bytes).is_err(), "{result}");
        let mut command = base.command(["read", "--version", "1", "--"]);
        assert_eq!(Ran::of(command.arg(name)).ok().text(), "x");
        let mut command = base.command(["versions", "--"]);
        let words = Ran::of(command.arg(name)).ok().text();
        assert!(!words.contains('\x1b'));
        let mut command = base.command(["write", "--text", "x", "--"]);
        let words = Ran::of(command.arg(name)).ok().text();
        assert_eq!(words.lines().count(), 1, "{words}");
        assert!(!words.contains('\x1b'), "{words}");
    }
    base.run(["verify"]).ok();
    assert_eq!(base.run(["--json", "versions"]).document()["files"].as_array().unwrap().len(), names.len());
    write(&base, "n".repeat(256)).refused(5, "invalid_name");
    write(&base, "").refused(5, "invalid_name");
}

#[test]
fn a_name_that_is_not_utf8_comes_back_as_base64() {
    let base = Base::new();
    let name = OsString::from_vec(b"\xff".to_vec());
    let result = write(&base, &name).document();
    let bytes = electrus::wire::from_base64(result["file_path_b64"].as_str().unwrap()).unwrap();
    assert_eq!(bytes, base.join(&name).as_os_str().as_bytes());
    let operations = r#"[{"type":"read","path_b64":"/w=="}]"#;
    let result = base.feed(operations, ["--json", "batch", "-"]).document();
    assert_eq!(result["results"][0]["content"], "x");
}

#[test]
fn what_is_no_file_is_refused_without_waiting_and_stays() {
    let base = Base::new();
    std::fs::create_dir(base.join("folder")).unwrap();
    base.sh("mkfifo fifo").ok();
    let _socket = std::os::unix::net::UnixListener::bind(base.join("socket")).unwrap();
    for name in ["folder", "fifo", "socket", ".", "folder/"] {
        for args in [vec!["write", name, "--text", "x"], vec!["read", name], vec!["stat", name], vec!["snapshot", name]]
        {
            base.run(["--json"].into_iter().chain(args)).refused(5, "not_a_file");
        }
    }
    assert!(std::fs::metadata(base.join("fifo")).unwrap().file_type().is_fifo());
    let mut device = base.command(["--json", "--allow-outside", "write", "/dev/null", "--text", "x"]);
    Ran::of(&mut device).refused(5, "not_a_file");
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    base.file("plain", "x");
    base.run(["--json", "write", "plain/below", "--text", "x"]).refused(5, "not_a_directory");
}

/// A link is swapped between a folder inside and one outside as fast as can be, while writes go through it.
#[test]
fn nothing_lands_outside_through_a_link_that_is_swapped() {
    let outer = Base::new();
    outer.file("f", "untouched");
    let base = Base::new();
    std::fs::create_dir(base.join("real")).unwrap();
    symlink("real", base.join("swapped")).unwrap();
    let swap = format!(
        "while :; do ln -sfn {} .other && mv -T .other swapped; ln -sfn real .other && mv -T .other swapped; done",
        outer.path().display()
    );
    let _swapping = Reaped(base.shell(&format!("exec bash -c '{swap}'")).stderr(Stdio::null()).spawn().unwrap());
    let rounds = if std::env::var_os("ELECTRUS_LONG").is_some() { 2000 } else { 150 };
    let (mut inside, mut refused) = (0, 0);
    for round in 0..rounds {
        let mut command = base.command(["--json", "write", "--durability", "none", "swapped/f", "--text"]);
        let ran = Ran::of(command.arg(round.to_string()));
        match ran.status {
            0 => inside += 1,
            5 => refused += 1,
            _ => panic!("{ran:?}"),
        }
        assert_eq!(outer.content("f"), "untouched", "round {round}");
    }
    let names: Vec<_> = std::fs::read_dir(outer.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["f"], "not even a lock or a temporary file");
    assert_eq!(inside + refused, rounds);
    assert!(inside > 0, "the loop never met the folder inside");
    assert!(refused > 0, "the loop never met the folder outside: nothing was shown");
}
