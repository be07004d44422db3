//! backup create, list, show, verify, restore, prune.

use crate::helper::{Base, Ran, WITH_SIGNALS, has, until_it_catches_signals};
use std::os::unix::fs::symlink;
use std::process::Stdio;

fn tree(base: &Base) {
    base.file("docs/a.txt", "alpha");
    base.file("docs/deep/b.txt", "beta");
    base.file("docs/skip.tmp", "no");
    std::fs::create_dir(base.join("docs/empty")).unwrap();
    symlink("a.txt", base.join("docs/link")).unwrap();
}

fn same(base: &Base, a: &str, b: &str) {
    let mut rsync = std::process::Command::new("rsync");
    rsync.args(["-aHn", "--checksum", "--delete", "--itemize-changes"]);
    let ran = Ran::of(rsync.arg(format!("{a}/")).arg(format!("{b}/")).current_dir(base.path())).ok();
    assert_eq!(ran.text(), "", "{a} and {b} differ");
}

#[test]
fn a_backup_comes_back_elsewhere_as_it_was() {
    let base = Base::new();
    tree(&base);
    let result = base.run(["--json", "backup", "create", "--name", "first", "docs"]).document();
    assert_eq!(result["name"], "first");
    assert!(result["files"].as_array().unwrap().iter().any(|f| f["path"].as_str().unwrap().ends_with("a.txt")));
    assert_eq!((result["file_count"].as_u64().is_some(), &result["total_size"]), (true, &11.into()));
    base.run(["backup", "restore", "first", "--to", "out"]).ok();
    same(&base, "docs", "out/docs");
    base.run(["--json", "backup", "create", "--name", "first", "docs"]).refused(4, "already_exists");
    base.run(["--json", "backup", "create", "nothing"]).refused(3, "not_found");
    base.run(["--json", "backup", "restore", "nope"]).refused(3, "backup_not_found");
}

#[test]
fn list_show_and_verify_tell_what_there_is() {
    let base = Base::new();
    tree(&base);
    assert_eq!(base.run(["--json", "backup", "list"]).document()["backups"], serde_json::json!([]));
    base.run(["backup", "create", "--name", "one", "--exclude", "*.tmp", "docs"]).ok();
    let name = base.run(["--json", "backup", "create", "docs/a.txt"]).document()["name"].as_str().unwrap().to_owned();
    let list = base.run(["--json", "backup", "list"]).document()["backups"].as_array().unwrap().clone();
    assert_eq!(list.iter().map(|b| b["name"].as_str().unwrap()).collect::<Vec<_>>(), ["one", &name]);
    assert!(list[0]["timestamp"].is_string() && list[0]["file_count"].is_u64() && list[0]["total_size"].is_u64());
    let shown = base.run(["backup", "show", "one"]).ok().text();
    assert!(shown.contains("docs/deep/b.txt") && !shown.contains("skip.tmp"), "{shown}");
    assert_eq!(base.run(["--json", "backup", "verify"]).document()["ok"], true);
    base.run(["backup", "verify", "one"]).ok();
    base.run(["--json", "backup", "show", "nope"]).refused(3, "backup_not_found");
    base.run(["--json", "backup", "verify", "nope"]).refused(3, "backup_not_found");
}

#[test]
fn one_file_is_read_and_a_dry_run_tells_what_is_in_the_way() {
    let base = Base::new();
    tree(&base);
    base.run(["backup", "create", "--name", "b", "docs"]).ok();
    assert_eq!(base.run(["backup", "read", "b", "docs/deep/b.txt"]).ok().text(), "beta");
    assert_eq!(base.run(["--json", "backup", "read", "b", "docs/a.txt"]).document()["content"], "alpha");
    base.run(["--json", "backup", "read", "b", "docs/nope"]).refused(3, "not_found");
    base.run(["--json", "backup", "read", "b", "docs/link"]).refused(5, "not_a_file");
    assert_eq!(base.run(["backup", "restore", "b", "--dry-run"]).ok().text(), "nothing is in the way\n");
    base.file("docs/a.txt", "changed since");
    let told = base.run(["--json", "backup", "restore", "b", "--dry-run"]).document();
    let conflicts = told["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1, "{told}");
    assert!(conflicts[0]["path"].as_str().unwrap().ends_with("docs/a.txt") && conflicts[0]["can_overwrite"] == true);
    assert!(base.run(["backup", "restore", "b", "--dry-run"]).ok().text().contains("docs/a.txt"));
    assert_eq!(base.content("docs/a.txt"), "changed since");
}

#[test]
fn restore_in_place_refuses_to_overwrite_what_changed() {
    let base = Base::new();
    tree(&base);
    base.run(["backup", "create", "--name", "b", "docs"]).ok();
    base.file("docs/a.txt", "changed since");
    std::fs::remove_file(base.join("docs/deep/b.txt")).unwrap();
    base.run(["--json", "backup", "restore", "b"]).refused(4, "would_overwrite");
    assert_eq!(base.content("docs/a.txt"), "changed since");
    base.run(["backup", "restore", "b", "docs/deep"]).ok();
    assert_eq!(base.content("docs/deep/b.txt"), "beta");
    base.run(["backup", "restore", "b", "--overwrite"]).ok();
    assert_eq!(base.content("docs/a.txt"), "alpha");
    let kept = base.run(["--json", "versions", "docs/a.txt"]).document();
    assert!(kept.to_string().contains("outside_edit"), "what it replaced is in the history: {kept}");
}

#[test]
fn a_backup_folder_elsewhere_and_sources_outside_are_ordinary_paths() {
    let base = Base::new();
    tree(&base);
    let other = Base::new();
    other.file("x/y", "outside");
    let dir = other.join("backups");
    let outside = other.join("x");
    let mut command = base.command(["backup", "--dir"]);
    Ran::of(command.arg(&dir).args(["create", "--name", "b", "docs"]).arg(&outside)).ok();
    assert!(dir.is_dir() && !base.join(".electrus/backups").exists());
    let mut command = base.command(["backup", "--dir"]);
    Ran::of(command.arg(&dir).args(["restore", "b", "--to"]).arg(other.join("out"))).ok();
    let found: Vec<_> = walkdir::WalkDir::new(other.join("out")).into_iter().map(|e| e.unwrap().into_path()).collect();
    assert!(found.iter().any(|p| p.ends_with("docs/a.txt")), "{found:?}");
    assert!(found.iter().any(|p| p.ends_with("x/y")), "{found:?}");
}

/// With `--to`, a restore into the base replaced files without their history and locks.
#[test]
fn restoring_into_the_base_by_name_overwrites_nothing_that_history_does_not_hold() {
    let base = Base::new();
    tree(&base);
    base.run(["backup", "create", "--name", "b", "docs"]).ok();
    let name = base.path().file_name().unwrap().to_str().unwrap().to_owned();
    for (number, to) in [".", "", "../X", "sub/.."].iter().map(|to| to.replace('X', &name)).enumerate() {
        let to = if to.is_empty() { base.path().to_str().unwrap().to_owned() } else { to };
        std::fs::create_dir_all(base.join("sub")).unwrap();
        let edited = format!("edited {number}");
        base.file("docs/a.txt", &edited);
        base.run(["--json", "backup", "restore", "b", "--to", &to]).refused(4, "would_overwrite");
        let told = base.run(["--json", "backup", "restore", "b", "--to", &to, "--overwrite"]).document();
        assert_eq!(told["versioned"], 1, "{to}: {told}");
        assert_eq!(base.content("docs/a.txt"), "alpha");
        let kept = base.run(["--json", "versions", "docs/a.txt"]).document()["versions"].as_array().unwrap().len();
        let last = base.run(["read", "docs/a.txt", "--version", &(kept - 1).to_string()]).ok().text();
        assert_eq!(last, edited, "{to}");
    }
    // From above, too.
    let store = Base::new();
    let dir = store.join("backups");
    let above = base.path().parent().unwrap().to_owned();
    let mut create = base.command(["backup", "--dir"]);
    create.current_dir(above).arg(&dir).args(["create", "--name", "above"]).arg(format!("{name}/docs"));
    Ran::of(&mut create).ok();
    base.file("docs/a.txt", "edited last");
    let mut restore = base.command(["--json", "backup", "--dir"]);
    let told = Ran::of(restore.arg(&dir).args(["restore", "above", "--to", "..", "--overwrite"])).document();
    assert_eq!(told["versioned"], 1, "{told}");
    // Locks count.
    base.file("docs/a.txt", "edited");
    let mut holder = base.shell("exec electrus lock docs/a.txt -- sh -c 'touch held; exec sleep 30'").spawn().unwrap();
    crate::helper::until("the lock is held", || base.join("held").exists());
    let mut restore = base.command(["--json", "backup", "restore", "b", "--to", ".", "--overwrite"]);
    let mut waiting = restore.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(base.content("docs/a.txt"), "edited");
    for child in [&mut holder, &mut waiting] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    for to in [".electrus", ".electrus/x", "new/.Electrus/x"] {
        base.run(["--json", "backup", "restore", "b", "--to", to]).refused(5, "reserved_name");
    }
}

#[test]
fn words_for_people_count_what_was_done() {
    let base = Base::new();
    tree(&base);
    base.sh("mkfifo docs/fifo").ok();
    let ran = base.run(["backup", "create", "--name", "b", "docs"]).ok();
    assert!(ran.text().starts_with("backup b: 4 files, 11 B ("), "{}", ran.text());
    assert!(ran.errors().contains("docs/fifo: "), "{}", ran.errors());
    base.file("docs/a.txt", "changed since");
    let words = base.run(["backup", "restore", "b"]).status(4).errors();
    assert!(words.contains("docs/a.txt") && words.contains("--overwrite"), "{words}");
    let words = base.run(["backup", "restore", "b", "--overwrite"]).ok().text();
    assert!(words.starts_with("restored backup b: 1 file") && words.contains("history"), "{words}");
    assert!(base.run(["backup", "verify", "b"]).ok().text().starts_with("ok: nothing is damaged"));
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_the_answer_is_no() {
    let base = Base::new();
    tree(&base);
    base.sh("chmod 000 docs/a.txt").ok();
    if std::fs::read(base.join("docs/a.txt")).is_ok() {
        // Root reads everything: an ordinary user tries in our place.
        if !has("setpriv") {
            return;
        }
        base.sh("chmod 777 . docs docs/deep; chown -R 65534 .").ok();
        let program = base.join("electrus");
        std::fs::copy(crate::helper::PROGRAM, &program).unwrap();
        base.sh("chmod 755 electrus").ok();
        let ran = base.sh("setpriv --reuid 65534 --regid 65534 --clear-groups ./electrus backup create --name b docs");
        assert_eq!(ran.status, 1, "{}{}", ran.text(), ran.errors());
        assert!(ran.errors().contains("docs/a.txt"), "{}", ran.errors());
        return;
    }
    let ran = base.run(["backup", "create", "--name", "b", "docs"]).status(1);
    assert!(ran.errors().contains("docs/a.txt"), "{}", ran.errors());
}

/// Runs the program as an ordinary user in a base that is made theirs, with limits of prlimit(1); `None` where that cannot
/// be tried.
fn as_somebody(base: &Base, limits: &str, args: &str) -> Option<Ran> {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root || !has("setpriv") {
        eprintln!("only root can become an ordinary user: skipped");
        return None;
    }
    let program = base.join("electrus");
    if !program.exists() {
        std::fs::copy(crate::helper::PROGRAM, program).unwrap();
        base.sh("chmod 755 electrus; chmod 777 .").ok();
    }
    // A user that nobody else is, for limits count what all processes of the user have.
    let user = 60000 + std::process::id() % 5000;
    let become_them = format!("setpriv --reuid {user} --regid {user} --clear-groups");
    base.sh(&format!("find . -uid 0 ! -name 'of root*' -exec chown -h {user} {{}} +")).ok();
    Some(base.sh(&format!("{become_them} prlimit {limits} ./electrus {args}")))
}

/// Threads that could not be started were a panic.
#[test]
fn where_no_thread_can_be_had_one_does_all() {
    let base = Base::new();
    tree(&base);
    for number in 0..300 {
        base.file(format!("docs/many/{number}"), number.to_string());
    }
    for args in
        ["backup create --name b docs", "backup restore b --to out", "backup verify", "backup verify b", "verify"]
    {
        let Some(ran) = as_somebody(&base, "--nproc=1", args) else { return };
        assert_eq!(ran.status, 0, "{args}: {}", ran.errors());
    }
    assert_eq!(base.content("out/docs/many/299"), "299");
}

/// One file of somebody else's, as it should be but for its mode, ended the whole restore half way.
#[test]
fn a_property_that_cannot_be_set_is_told_and_keeps_nothing_else_from_being_restored() {
    let base = Base::new();
    base.file("docs/of root", "the same");
    base.file("docs/z", "lost");
    let Some(ran) = as_somebody(&base, "--core=0", "backup create --name b docs") else { return };
    ran.ok();
    std::fs::remove_file(base.join("docs/z")).unwrap();
    base.sh("touch 'docs/of root'; chmod 604 'docs/of root'").ok();
    let ran = as_somebody(&base, "--core=0", "backup restore b").unwrap().ok();
    assert_eq!(base.content("docs/z"), "lost");
    assert!(ran.errors().contains("docs/of root: its mode could not be set"), "{}", ran.errors());
    assert!(ran.errors().contains("docs/of root: its time could not be set"), "{}", ran.errors());
}

#[test]
fn where_there_can_be_no_symbolic_links_the_rest_is_restored() {
    let base = Base::new();
    tree(&base);
    base.run(["backup", "create", "--name", "b", "docs"]).ok();
    let refusing = "strace -f -o /dev/null -e trace=symlinkat -e inject=symlinkat:error=EPERM";
    if !has("strace") || base.sh("strace -o /dev/null true").status != 0 {
        eprintln!("nothing can be traced here: skipped");
        return;
    }
    let ran = base.sh(&format!("{refusing} electrus backup restore b --to out")).ok();
    assert!(ran.errors().contains("docs/link: not restored"), "{}", ran.errors());
    assert_eq!(base.content("out/docs/deep/b.txt"), "beta");
}

/// Flips a bit so that the list of files of a backup cannot be read, and the backup is known all the same.
fn break_list_of_files(base: &Base, name: &str) {
    let folder = base.join(".electrus/backups");
    let is_broken = || {
        let manager = electrus::backup::BackupManager::open(&folder, Default::default()).unwrap();
        manager.list().is_ok_and(|list| list.len() == 1) && manager.show(name).is_err()
    };
    for segment in std::fs::read_dir(folder.join("segments")).unwrap().map(|entry| entry.unwrap().path()) {
        let whole = std::fs::read(&segment).unwrap();
        for at in (0..whole.len()).rev().step_by(8).filter(|at| whole[*at] != 0) {
            let mut broken = whole.clone();
            broken[at] ^= 1;
            std::fs::write(&segment, broken).unwrap();
            if is_broken() {
                return;
            }
            std::fs::write(&segment, &whole).unwrap();
        }
    }
    panic!("the list of files was not found");
}

/// A remark about no file in particular began with an empty name.
#[test]
fn a_remark_about_the_whole_names_no_file() {
    let base = Base::new();
    tree(&base);
    base.run(["backup", "create", "--name", "b", "docs"]).ok();
    break_list_of_files(&base, "b");
    let told = base.run(["backup", "create", "--name", "c", "docs"]).errors();
    assert!(told.contains("electrus: the backup \"b\" cannot be compared with"), "{told}");
}

#[test]
fn ctrl_c_during_a_backup_leaves_none() {
    let base = Base::new();
    for n in 0..4 {
        let file = std::fs::File::create(base.join(format!("big{n}"))).unwrap();
        file.set_len(1 << 31).unwrap(); // sparse: slow to read, quick to make
    }
    let mut command = base.shell(&format!("{WITH_SIGNALS} backup create --name b ."));
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    until_it_catches_signals(child.id());
    base.sh(&format!("kill -INT {}", child.id())).ok();
    assert_eq!(child.wait().unwrap().code(), Some(11));
    assert_eq!(base.run(["--json", "backup", "list"]).document()["backups"], serde_json::json!([]));
    base.run(["verify"]).ok();
}

#[test]
fn prune_keeps_the_last() {
    let base = Base::new();
    tree(&base);
    for n in 1..=3 {
        base.file("docs/a.txt", format!("content {n}"));
        base.run(["backup", "create", "--name", &format!("b{n}"), "docs"]).ok();
    }
    let result = base.run(["--json", "backup", "prune", "--keep-last", "1"]).document();
    assert_eq!(result["backups"], 2);
    let list = base.run(["--json", "backup", "list"]).document();
    assert_eq!(list["backups"][0]["name"], "b3");
    base.run(["backup", "verify"]).ok();
    base.run(["--json", "backup", "prune"]).refused(2, "invalid_argument");
}
