//! The committed tables and the C header are those of the code. `ELECTRUS_REWRITE=1 cargo test --test abi` rewrites them.

mod header;

use electrus::error::Code;
use electrus::ffi::table;
use electrus::ops::abi;
use header::{Prototype, prototypes};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn compare_text(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("ELECTRUS_REWRITE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{name} is not that of the code: ELECTRUS_REWRITE=1 cargo test --test abi");
}

fn compare(name: &str, document: Value) {
    compare_text(&format!("abi/{name}"), &(serde_json::to_string_pretty(&document).unwrap() + "\n"));
}

fn made() -> String {
    std::fs::read_to_string(Path::new(env!("OUT_DIR")).join("electrus.h")).unwrap()
}

#[test]
fn operations_are_as_committed() {
    compare("operations.json", abi::operations());
}

#[test]
fn codes_are_as_committed() {
    compare("codes.json", abi::codes());
}

#[test]
fn the_header_is_as_committed() {
    compare_text("include/electrus.h", &made());
}

#[test]
fn functions_are_as_committed() {
    let mut functions = table::describe();
    let prototypes = prototypes(&made());
    for row in functions["functions"].as_array_mut().unwrap() {
        let prototype = prototypes.iter().find(|p| row["name"] == p.name.as_str());
        let Value::Object(signature) = prototype.expect("a function for each row").describe() else { unreachable!() };
        row.as_object_mut().unwrap().extend(signature);
    }
    compare("functions.json", functions);
}

#[test]
fn every_function_has_its_row_and_every_row_its_function() {
    let rows: Vec<&str> = table::functions().map(|function| function.name).collect();
    let unique: BTreeSet<&str> = rows.iter().copied().collect();
    assert_eq!(unique.len(), rows.len(), "a row stands twice");
    let header = made();
    let functions: BTreeSet<String> = prototypes(&header).into_iter().map(|p| p.name).collect();
    assert_eq!(functions, unique.iter().map(|name| (*name).to_owned()).collect());
}

#[test]
fn every_function_says_who_owns_what_which_threads_which_errors_and_where_null_is_allowed() {
    for prototype in prototypes(&made()) {
        for heading in ["Owns", "Threads", "NULL", "Errors"] {
            let said = prototype.said(heading);
            assert!(said.is_some_and(|said| said.len() > 3), "{}: {heading}", prototype.name);
        }
    }
}

/// Names in prose that no code or function has are as bad as a wrong prototype.
#[test]
fn the_header_speaks_of_codes_and_functions_that_exist() {
    let header = made();
    let codes: BTreeSet<String> = Code::ALL.iter().map(|c| format!("ELECTRUS_E_{}", c.name().to_uppercase())).collect();
    let functions: BTreeSet<&str> = table::functions().map(|function| function.name).collect();
    let words = header.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect::<Vec<_>>();
    for word in words.iter().filter(|word| word.starts_with("ELECTRUS_E_") && word.len() > "ELECTRUS_E_".len()) {
        assert!(codes.contains(*word), "{word} is no code");
    }
    for at in header.match_indices("electrus_") {
        let word: String = header[at.0..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if header[at.0 + word.len()..].starts_with("()") {
            assert!(functions.contains(word.as_str()), "{word}() is no function");
        }
    }
}

#[test]
fn no_macro_is_named_like_a_function() {
    for line in made().lines().filter(|line| line.trim_start().starts_with("#define")) {
        assert!(!line.contains("electrus_"), "{line}");
    }
    assert!(!made().contains("inline"));
}

/// Every operation of the table is reached by a function of its own, not by `electrus_handler_call` alone.
#[test]
fn every_operation_has_a_function() {
    let reached: BTreeSet<&str> = table::functions().filter_map(|function| function.operation).collect();
    for operation in electrus::ops::OPERATIONS {
        assert!(reached.contains(operation.name), "{}", operation.name);
    }
}

#[test]
fn pointers_that_may_be_null_are_named_by_their_parameter() {
    for prototype in prototypes(&made()) {
        let said = prototype.said("NULL").unwrap();
        for name in said.split('`').skip(1).step_by(2) {
            let known = |p: &Prototype| p.parameters.iter().any(|(_, parameter)| parameter == name);
            assert!(known(&prototype), "{}: `{name}` is no parameter", prototype.name);
        }
    }
}

/// The shared library that was built with these tests.
fn library() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_electrus"));
    program.parent().unwrap().join("deps").join("libelectrus.so")
}

#[cfg(target_os = "linux")]
#[test]
fn the_shared_library_exports_what_is_listed_and_nothing_else() {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    let listed: BTreeSet<&str> = table::functions().map(|function| function.name).collect();
    assert_eq!(exported, listed);
}

#[cfg(target_os = "linux")]
#[test]
fn the_shared_library_has_a_soname_with_the_major_version() {
    let output = Command::new("readelf").arg("-d").arg(library()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = format!("[libelectrus.so.{}]", env!("CARGO_PKG_VERSION_MAJOR"));
    assert!(text.lines().any(|line| line.contains("SONAME") && line.contains(&expected)), "{text}");
}
