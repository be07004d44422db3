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
}
