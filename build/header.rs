//! The C header, from the exports in `src/ffi` and the committed table of codes.

use std::path::Path;
use std::{env, fs};

pub fn header(root: &Path) -> cbindgen::Bindings {
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        include_guard: Some("ELECTRUS_H".to_owned()),
        header: Some(read(&root.join("src/ffi/preamble.h"))),
        after_includes: Some(codes(root)),
        cpp_compat: true,
        documentation: true,
        documentation_style: cbindgen::DocumentationStyle::Doxy,
        documentation_length: cbindgen::DocumentationLength::Full,
        line_length: 100,
        usize_is_size_t: true,
        no_includes: true,
        sys_includes: vec!["stddef.h".to_owned(), "stdint.h".to_owned()],
        ..cbindgen::Config::default()
    };
    config.function.sort_by = Some(cbindgen::SortKey::None);
    config.export.exclude.push("electrus_test_panic".to_owned());
    let mut builder = cbindgen::Builder::new().with_config(config);
    let files = [
        "library",
        "buffer",
        "handler",
        "versions",
        "json",
        "backup",
        "transaction",
        "reader",
        "writer",
        "checksum",
        "lock",
        "progress",
        "task",
    ];
    for file in files {
        builder = builder.with_src(root.join(format!("src/ffi/{file}.rs")));
    }
    builder.generate().expect("the exports can be described in C")
}

/// The codes, as the committed table has them; a test compares that with the library's own.
fn codes(root: &Path) -> String {
    let table: serde_json::Value =
        serde_json::from_str(&read(&root.join("abi/codes.json"))).expect("abi/codes.json is JSON");
    let rows = table["codes"].as_array().expect("it has codes");
    let mut text =
        format!("\n#define ELECTRUS_VERSION \"{}\"\n\n", env::var("CARGO_PKG_VERSION").expect("cargo sets it"));
    for row in rows {
        let name = row["name"].as_str().expect("a code has a name").to_uppercase();
        let (number, words) = (&row["number"], row["text"].as_str().expect("a code has a text"));
        text += &format!("/** {words} */\n#define ELECTRUS_E_{name} {number}\n");
    }
    text
}

fn read(path: &Path) -> String {
    println!("cargo:rerun-if-changed={}", path.display());
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
