//! snapshot, versions, diff, restore, tag, prune, verify, import.

use crate::helper::Base;
use serde_json::Value;

fn versions(base: &Base, name: &str) -> Vec<Value> {
    base.run(["--json", "versions", name]).document()["versions"].as_array().unwrap().clone()
}

#[test]
fn versions_lists_every_one_with_integers_and_kinds() {
    let base = Base::new();
    base.write("a", "one");
    base.file("a", "by an editor");
    base.write("a", "three");
    let list = versions(&base, "a");
    let told: Vec<_> = list.iter().map(|v| (v["version"].as_u64().unwrap(), v["kind"].as_str().unwrap())).collect();
    assert_eq!(told, [(1, "write"), (2, "outside_edit"), (3, "write")]);
    for version in &list {
        assert!(version["size"].is_u64() && version["tags"].is_array(), "{version}");
        assert_eq!(version["checksum"].as_str().unwrap().len(), 64);
        assert!(version["timestamp"].as_str().unwrap().ends_with("+00:00"));
    }
    let words = base.run(["versions", "a"]).ok().text();
    assert!(words.starts_with("VERSION  KIND") && words.lines().count() == 4, "{words}");
    base.run(["--json", "versions", "nothing"]).refused(3, "not_found");
}

#[test]
fn versions_without_a_name_lists_the_files() {
    let base = Base::new();
    base.write("b", "1");
    base.write("a", "1");
    base.write("a", "2");
    let files = base.run(["--json", "versions"]).document()["files"].as_array().unwrap().clone();
    let told: Vec<_> = files.iter().map(|f| (f["file_path"].as_str().unwrap(), f["versions"].as_u64())).collect();
    assert_eq!(told.len(), 2);
    assert!(told[0].0.ends_with('a') && told[0].1 == Some(2) && told[1].0.ends_with('b'), "{told:?}");
    let words = base.run(["versions"]).ok().text();
    assert!(words.contains("  a\n") && words.contains("  b\n"), "{words}");
}

#[test]
fn snapshot_records_what_stands_there_once() {
    let base = Base::new();
    base.file("a", "by other means");
    assert_eq!(base.run(["--json", "snapshot", "a"]).document()["version"], 1);
    assert_eq!(base.run(["--json", "snapshot", "a"]).document()["version"], 1);
    assert_eq!(versions(&base, "a")[0]["kind"], "snapshot");
    base.run(["--json", "snapshot", "nothing"]).refused(3, "not_found");
}

#[test]
fn diff_shows_what_changed() {
    let base = Base::new();
    base.write("a", "same\nold\n");
    base.write("a", "same\nnew\n");
    let words = base.run(["diff", "a", "1", "2"]).ok().text();
    assert!(words.contains("\n-old\n+new\n") && words.contains("\n same\n"), "{words}");
    base.file("a", "same\nnewer\n");
    assert!(base.run(["diff", "a", "2"]).ok().text().contains("+newer"));
    let result = base.run(["--json", "diff", "a", "1", "1"]).document();
    assert_eq!((&result["identical"], &result["from"]), (&true.into(), &1.into()));
    base.run(["--json", "diff", "a", "1", "7"]).refused(3, "version_not_found");
}

#[test]
fn restore_puts_a_version_back_and_keeps_what_it_replaces() {
    let base = Base::new();
    base.write("a", "one");
    base.write("a", "two");
    base.file("a", "edited");
    let result = base.run(["--json", "restore", "a", "--version", "1"]).document();
    assert_eq!((&result["version"], base.content("a")), (&4.into(), "one".into()));
    let list = versions(&base, "a");
    assert_eq!(
        (&list[3]["kind"], &list[3]["of"], &list[2]["kind"]),
        (&"restore".into(), &1.into(), &"outside_edit".into())
    );
    base.run(["restore", "a", "--version", "2", "--to", "deep/b"]).ok();
    assert_eq!((base.content("a"), base.content("deep/b")), ("one".into(), "two".into()));
    base.run(["--json", "restore", "a", "--version", "9"]).refused(3, "version_not_found");
    base.run(["--json", "restore", "a", "--version", "1", "--to", "../out"]).refused(5, "path_escape");
    base.run(["--json", "restore", "a"]).refused(2, "invalid_argument");
}

#[test]
fn tagged_versions_outlive_prune() {
    let base = Base::new();
    for n in 1..=6 {
        base.write("a", &format!("content {n}"));
    }
    base.run(["tag", "a", "2", "good"]).ok();
    assert_eq!(versions(&base, "a")[1]["tags"], serde_json::json!(["good"]));
    assert!(base.run(["versions", "a"]).ok().text().contains("[good]"));
    let result = base.run(["--json", "prune", "a", "--keep-last", "2"]).document();
    assert_eq!(result["versions"], 3);
    assert!(result["bytes_before"].is_u64() && result["bytes_after"].is_u64());
    let left: Vec<_> = versions(&base, "a").iter().map(|v| v["version"].as_u64().unwrap()).collect();
    assert_eq!(left, [2, 5, 6]);
    assert_eq!(base.run(["read", "a", "--version", "2"]).ok().text(), "content 2");
    base.run(["tag", "a", "2", "good", "--remove"]).ok();
    base.run(["prune", "--keep-last", "1"]).ok();
    let list = versions(&base, "a");
    assert_eq!((list.len(), &list[0]["version"]), (1, &6.into()));
    assert_eq!(base.write("a", "next")["version"], 7, "numbers are never used again");
    base.run(["--json", "tag", "a", "99", "x"]).refused(3, "version_not_found");
}

#[test]
fn verify_says_ok_and_names_what_is_damaged() {
    let base = Base::new();
    base.run(["verify"]).ok();
    for n in 0..20 {
        base.write("a", &format!("{n} {}", "some content ".repeat(200 + n)));
    }
    let result = base.run(["--json", "verify"]).document();
    assert_eq!((&result["ok"], &result["damaged"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(result["versions"], 20);
    assert!(base.run(["verify"]).ok().text().starts_with("ok: "));

    let victim = largest(&base);
    let mut bytes = std::fs::read(&victim).unwrap();
    let middle = bytes.iter().rposition(|b| *b != 0).unwrap() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&victim, &bytes).unwrap();
    let result = base.run(["--json", "verify"]).status(1).any_document();
    assert_eq!(result["ok"], false);
    assert!(!result["damaged"].as_array().unwrap().is_empty(), "{result}");
    let words = base.run(["verify"]).status(1).text();
    assert!(words.contains(victim.file_name().unwrap().to_str().unwrap()), "{words}");

    base.run(["verify", "--repair"]);
    base.run(["--json", "verify", "--repair"]).any_document();
    base.write("a", "still works");
    assert_eq!(base.content("a"), "still works");
}

fn largest(base: &Base) -> std::path::PathBuf {
    let files = walkdir::WalkDir::new(base.join(".electrus")).into_iter().map(|e| e.unwrap());
    files.filter(|e| e.file_type().is_file()).max_by_key(|e| e.metadata().unwrap().len()).unwrap().into_path()
}

#[test]
fn import_brings_in_what_the_original_left_and_again_changes_nothing() {
    let base = Base::new();
    base.file("old/.versions/doc_v1.txt", "first");
    base.file("old/.versions/doc_v2.txt", "second");
    let entry = |version: u64, content: &str| {
        serde_json::json!({
            "filename": "doc.txt", "size": content.len(), "checksum": "", "checksum_algorithm": "sha256",
            "created_at": "2025-01-15T10:30:00", "modified_at": "2025-01-15T10:30:00",
            "version": version, "permissions": "644",
        })
    };
    let metadata = serde_json::json!({ "doc.txt": [entry(1, "first"), entry(2, "second")] });
    base.file("old/.versions/metadata.json", metadata.to_string());
    let result = base.run(["--json", "import", "old"]).document();
    assert_eq!(result["imported"]["versions"], 2, "{result}");
    assert_eq!(base.run(["read", "doc.txt", "--version", "1"]).ok().text(), "first");
    let again = base.run(["--json", "import", "old"]).document();
    assert_eq!(again["imported"]["versions"], 0, "{again}");
    assert_eq!(base.content("old/.versions/doc_v1.txt"), "first");
    base.run(["--json", "import", "nowhere"]).refused(3, "not_found");
}
