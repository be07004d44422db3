//! The house itself: no forgotten file, no left-over, no unsafe code where none may be.

mod docs;

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(root().join(folder)).sort_by_file_name();
    let files = walk.into_iter().map(|entry| entry.unwrap().into_path());
    files.filter(|path| path.extension().is_some_and(|e| e == "rs")).collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn is_declared(name: &str, by: &Path) -> bool {
    by.is_file()
        && text(by).lines().map(str::trim).any(|line| {
            let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            line == format!("mod {name};") || line == format!("#[path = \"{name}.rs\"]")
        })
}

/// A file that no `mod` names is not compiled: its tests never run, and nobody notices.
#[test]
fn every_source_file_is_compiled() {
    for path in sources("src").into_iter().chain(sources("tests")) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap();
        let is_root = ["main", "lib"].contains(&stem) || folder == root().join("tests");
        if is_root {
            continue;
        }
        let (name, home) = match stem {
            "mod" => (folder.file_name().unwrap().to_str().unwrap(), folder.parent().unwrap()),
            stem => (stem, folder),
        };
        let beside = home.with_extension("rs");
        let shared = home == root().join("tests"); // tests/common/mod.rs: declared by those who use it
        let declared = match shared {
            true => sources("tests").iter().any(|test| is_declared(name, test) || text(test).contains("common/mod.rs")),
            false => {
                ["mod.rs", "main.rs", "lib.rs"].iter().any(|file| is_declared(name, &home.join(file)))
                    || is_declared(name, &beside)
            }
        };
        assert!(declared, "{} is in no module", path.display());
    }
}

#[test]
fn nothing_is_left_over() {
    let marks = ["todo!(", "unimplemented!(", "dbg!(", "FIXME", "XXX"];
    for path in
        sources("src").into_iter().chain(sources("tests")).filter(|path| !path.starts_with(root().join("tests/house")))
    {
        for (number, line) in text(&path).lines().enumerate() {
            for mark in marks {
                assert!(!line.contains(mark), "{}:{}: {mark}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn unsafe_code_is_in_its_rooms_only() {
    for path in sources("src") {
        let room = path.strip_prefix(root().join("src")).unwrap();
        if room.starts_with("sys") || room.starts_with("ffi") {
            continue;
        }
        assert!(!text(&path).contains("allow(unsafe_code)"), "{}", path.display());
    }
}
