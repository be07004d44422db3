//! The committed tables are those of the code. `ELECTRUS_REWRITE=1 cargo test --test abi` rewrites them.

use electrus::ops::abi;
use serde_json::Value;
use std::path::Path;

fn compare(name: &str, document: Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("abi").join(name);
    let mut text = serde_json::to_string_pretty(&document).unwrap();
    text.push('\n');
    if std::env::var_os("ELECTRUS_REWRITE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{name} is not that of the code: ELECTRUS_REWRITE=1 cargo test --test abi");
}

#[test]
fn operations_are_as_committed() {
    compare("operations.json", abi::operations());
}

#[test]
fn codes_are_as_committed() {
    compare("codes.json", abi::codes());
}
