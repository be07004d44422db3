//! Folders as the original Python Electrus wrote them, whole, damaged and hostile.

use electrus::handler::AdvancedFileHandler;
use electrus::import::ImportReport;
use electrus::progress::Progress;
use electrus::store::Which;
use electrus::workspace::{ChangeOptions, OpenOptions, Source};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// An old folder beside a new base.
struct Old {
    tmp: tempfile::TempDir,
}

impl Old {
    fn new() -> Old {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir_all(tmp.path().join("old/.versions")).unwrap();
        fs::create_dir(tmp.path().join("base")).unwrap();
        Old { tmp }
    }

    fn path(&self) -> PathBuf {
        self.tmp.path().join("old")
    }

    fn version(&self, file: &str, content: &str) {
        fs::write(self.path().join(".versions").join(file), content).unwrap();
    }

    fn metadata(&self, value: &Value) {
        fs::write(self.path().join(".versions/metadata.json"), serde_json::to_string_pretty(value).unwrap()).unwrap();
    }

    fn open(&self) -> AdvancedFileHandler {
        AdvancedFileHandler::open(self.tmp.path().join("base"), &OpenOptions::default()).unwrap()
    }

    fn import(&self, handler: &AdvancedFileHandler) -> ImportReport {
        let before = listing(&self.path());
        let report = handler.import(self.path(), &Progress::new()).unwrap();
        assert_eq!(listing(&self.path()), before, "the old folder stays as it is");
        report
    }
}

fn listing(folder: &Path) -> Vec<(PathBuf, std::time::SystemTime, u64)> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    let look = |e: walkdir::DirEntry| {
        let metadata = e.metadata().unwrap();
        (e.path().to_owned(), metadata.modified().unwrap(), metadata.len())
    };
    entries.map(look).collect()
}

fn entry(name: &str, number: u64, content: &str) -> Value {
    let checksum: String = Sha256::digest(content).iter().map(|b| format!("{b:02x}")).collect();
    json!({
        "filename": name, "size": content.len(), "checksum": checksum, "checksum_algorithm": "sha256",
        "created_at": format!("2025-01-15T10:30:0{}.123456", number % 10), "modified_at": "2025-01-15T10:00:00",
        "version": number, "permissions": "640"
    })
}

/// `number kind content` of each version.
fn versions(handler: &AdvancedFileHandler, name: &str) -> Vec<String> {
    let manager = handler.versions();
    let read = |v: &electrus::store::Version| {
        let bytes = manager.read_version(name, &Which::Record(v.record)).unwrap();
        format!("{} {} {}", v.number, v.kind.name(), String::from_utf8(bytes).unwrap())
    };
    manager.list_versions(name).unwrap().iter().map(read).collect()
}

#[test]
fn versions_keep_their_numbers_and_what_is_known_of_them() {
    let old = Old::new();
    old.version("notes_v1.txt", "one");
    old.version("notes_v2.txt", "two");
    old.version("a.tar_v7.gz", "archive");
    old.metadata(&json!({
        "notes.txt": [entry("notes.txt", 1, "one"), entry("notes.txt", 2, "two")],
        "a.tar.gz": [entry("a.tar.gz", 7, "archive")],
    }));
    let handler = old.open();
    let report = old.import(&handler);
    assert_eq!((report.versions, report.problems.len(), report.skipped.len()), (3, 0, 0), "{report:?}");
    assert_eq!(versions(&handler, "notes.txt"), ["1 import one", "2 import two"]);
    assert_eq!(versions(&handler, "a.tar.gz"), ["7 import archive"]);
    let version = handler.versions().version("notes.txt", &Which::Number(2)).unwrap();
    let file = version.file.unwrap();
    assert_eq!((file.mode, version.created.nanos), (0o640, 123_456_000));
    assert!(file.modified.seconds < version.created.seconds);

    handler.versions().restore_version("notes.txt", &Which::Number(1), None, ChangeOptions::default()).unwrap();
    assert_eq!(versions(&handler, "notes.txt")[2], "3 restore one");
    assert_eq!(handler.verify(&Progress::new()).unwrap().damaged, []);
}

#[test]
fn importing_again_imports_only_what_is_new() {
    let old = Old::new();
    old.version("f_v1", "one");
    old.version("f_v2", "one");
    old.metadata(&json!([entry("f", 1, "one"), entry("f", 2, "one")]));
    let handler = old.open();
    let write = |text: &str| handler.secure_write("f", Source::Bytes(text.as_bytes()), ChangeOptions::default());
    write("ours").unwrap();
    assert_eq!(old.import(&handler).versions, 2);
    let after = ["1 write ours", "2 import one", "3 import one"];
    assert_eq!(versions(&handler, "f"), after);
    let again = old.import(&handler);
    assert_eq!((again.versions, again.skipped.len(), again.problems.len()), (0, 2, 0));
    assert_eq!(versions(&handler, "f"), after);
    old.version("f_v3", "three");
    assert_eq!(old.import(&handler).versions, 1);
    // The file as it stands is version 1, however many were imported since.
    assert_eq!(write("next").unwrap().outside_edit, None);
}

#[test]
fn files_count_where_the_metadata_is_damaged() {
    let old = Old::new();
    old.version("f_v1.txt", "one");
    old.version("f_v2.txt", "two");
    old.version("stray.txt", "no version");
    fs::write(old.path().join(".versions/metadata.json"), "{\"f.txt\": [{\"version\": 1,").unwrap();
    let handler = old.open();
    let report = old.import(&handler);
    assert_eq!((report.versions, report.problems.len(), report.skipped.len()), (2, 1, 1), "{report:?}");
    assert_eq!(versions(&handler, "f.txt"), ["1 import one", "2 import two"]);
    fs::remove_file(old.path().join(".versions/metadata.json")).unwrap();
    assert_eq!(old.import(&handler).versions, 0);
}

/// As a document in memory it would take gigabytes.
#[test]
fn metadata_of_no_sensible_size_is_not_read() {
    let old = Old::new();
    old.version("f_v1.txt", "one");
    let metadata = fs::File::create(old.path().join(".versions/metadata.json")).unwrap();
    metadata.set_len((32 << 20) + 1).unwrap();
    let handler = old.open();
    let report = old.import(&handler);
    assert!(matches!(&report.problems[..], [problem] if problem.contains("exceeds a limit")), "{report:?}");
    assert_eq!(versions(&handler, "f.txt"), ["1 import one"]);
}

#[test]
fn what_does_not_fit_together_is_reported_and_the_rest_imported() {
    let old = Old::new();
    old.version("f_v1", "one");
    old.version("f_v2", "changed since");
    old.metadata(&json!({
        "f": [entry("f", 1, "one"), entry("f", 2, "two"), entry("f", 3, "missing"), {"version": 0}, 7, null],
        "g": "nonsense",
    }));
    let handler = old.open();
    let report = old.import(&handler);
    assert_eq!((report.versions, report.problems.len()), (2, 6), "{report:?}");
    assert_eq!(versions(&handler, "f"), ["1 import one", "2 import changed since"]);
}

#[test]
fn hostile_names_lead_nowhere() {
    let old = Old::new();
    let secret = old.tmp.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    for name in ["passwd", "escape", "config", "deep"] {
        old.version(&format!("{name}_v1"), "x");
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(&secret, old.path().join(".versions/link_v1")).unwrap();
    old.metadata(&json!({
        "/etc/passwd": [entry("passwd", 1, "x")],
        "../../escape": [entry("escape", 1, "x")],
        ".electrus/config": [entry("config", 1, "x")],
        "new/folder/deep": [entry("deep", 1, "x")],
    }));
    let handler = old.open();
    let report = old.import(&handler);
    assert_eq!(report.versions, 1, "{report:?}");
    assert_eq!(report.problems.len(), if cfg!(unix) { 4 } else { 3 }, "{report:?}");
    let keys: Vec<String> = handler.versions().files().unwrap().iter().map(|k| k.to_string()).collect();
    assert_eq!(keys, ["new/folder/deep"]);
    assert!(!old.tmp.path().join("base/new").exists(), "an import makes history, not files");
}

#[test]
fn names_under_the_old_folder_become_names_under_the_base() {
    let old = Old::new();
    old.version("f_v1.txt", "one");
    let absolute = old.path().join("docs/f.txt");
    old.metadata(&json!({ absolute.to_str().unwrap(): [entry("f.txt", 1, "one")] }));
    let handler = old.open();
    assert_eq!(old.import(&handler).versions, 1);
    assert_eq!(versions(&handler, "docs/f.txt"), ["1 import one"]);
}

#[test]
fn backups_become_backups_of_the_same_name() {
    let old = Old::new();
    let backup = |folder: &str, info: Option<&str>| {
        let path = old.path().join(".backups").join(folder);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("data.txt"), format!("data of {folder}")).unwrap();
        if let Some(info) = info {
            fs::write(path.join("backup_info.json"), info).unwrap();
        }
    };
    backup("monday", Some(r#"{"name": "monday", "created_at": "2025-01-15T10:30:00", "files": [], "total_size": 15}"#));
    backup("tuesday", Some("{damaged"));
    backup("wednesday", None);
    let handler = old.open();
    let report = old.import(&handler);
    assert_eq!((report.backups, report.versions), (3, 0));
    let backups = handler.backups().unwrap();
    let mut names: Vec<String> = backups.list().unwrap().into_iter().map(|b| b.name).collect();
    names.sort();
    assert_eq!(names, ["monday", "tuesday", "wednesday"]);
    let files = backups.show("tuesday").unwrap().files;
    let data = files.iter().find(|f| f.path.ends_with("data.txt")).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut backups.read("tuesday", &data.path).unwrap(), &mut text).unwrap();
    assert_eq!(text, "data of tuesday");
    let again = old.import(&handler);
    assert_eq!((again.backups, again.skipped.len()), (0, 3));
    assert_eq!(handler.verify(&Progress::new()).unwrap().damaged, []);
}

#[test]
fn a_folder_that_the_original_never_saw_is_refused() {
    let tmp = tempfile::tempdir().unwrap();
    let handler = AdvancedFileHandler::open(tmp.path(), &OpenOptions::default()).unwrap();
    let code = |from: &Path| handler.import(from, &Progress::new()).unwrap_err().code();
    assert_eq!(code(tmp.path()), electrus::error::Code::NotFound);
    assert_eq!(code(&tmp.path().join("none")), electrus::error::Code::NotFound);
    assert!(!tmp.path().join(".electrus").exists());
}
