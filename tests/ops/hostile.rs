//! Requests of every wrong shape: an answer each time, and never a panic.

use super::{call, handler};
use electrus::error::Code;
use electrus::ops::{Contents, Input, OPERATIONS};
use serde_json::{Map, Value, json};
use std::fs;

/// A request that is all right, for any operation.
fn usual(key: &str) -> Option<Value> {
    let values = json!({
        "path": "a", "content": 0, "source": "a", "destination": "b", "version": 1, "from": 1, "tag": "t", "name": "n",
        "keep_last": 1, "data": 1, "pointer": "", "value": 1, "patch": [], "operations": [], "paths": ["a"],
    });
    values.get(key).cloned()
}

fn odd_values() -> Vec<Value> {
    let mut deep = json!(0);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let huge: Value = serde_json::from_str("[18446744073709551616, 1e999, -1e999, 1e-999, -1]").unwrap();
    let mut values = huge.as_array().unwrap().clone();
    values.extend([deep, json!(null), json!(true), json!(u64::MAX), json!(0), json!(1.5), json!([]), json!({})]);
    values.extend(
        ["", "\0", "/", ".", "..", "../x", "a/../../x", "~2", "-", "ffffffffffffffff-ffffffffffffffff"]
            .map(Value::from),
    );
    values.extend([json!("x".repeat(5000)), json!(["a", 1]), json!([{}]), json!([{"type": "batch"}]), json!([[]])]);
    values
}

#[test]
fn every_option_takes_every_odd_value_without_a_panic() {
    let (folder, handler) = handler();
    fs::write(folder.path().join("a"), "{}").unwrap();
    let odd = odd_values();
    for operation in OPERATIONS {
        let request: Map<String, Value> =
            operation.options().filter_map(|f| Some((f.key.to_owned(), usual(f.key)?))).collect();
        for key in operation.options().map(|f| f.key).chain(["path_b64", "unknown"]) {
            let ordinary = operation.options().any(|f| f.key == key && f.doc.contains("ordinary path"));
            // An ordinary path may lead anywhere, and then writes there.
            for value in odd.iter().filter(|value| !(ordinary && value.is_string())) {
                let mut request = request.clone();
                request.insert("durability".into(), "none".into());
                request.retain(|key, _| operation.options().any(|f| f.key == key));
                request.insert(key.to_owned(), value.clone());
                let mut contents = Contents { input: vec![Input::Bytes(b"{}"[..].into())], ..Contents::default() };
                if let Err(error) = call(&handler, operation.name, Value::Object(request), &mut contents) {
                    assert!(
                        ![Code::Panic, Code::Internal].contains(&error.code()),
                        "{} with `{key}` {value}: {error:?}",
                        operation.name
                    );
                }
            }
        }
    }
}

#[test]
fn requests_that_are_no_objects_are_refused() {
    let (_folder, handler) = handler();
    for operation in OPERATIONS {
        for request in [json!([]), json!("a"), json!(1), json!(true)] {
            let error = call(&handler, operation.name, request, &mut Contents::default()).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{}", operation.name);
        }
    }
}

#[test]
fn operations_of_every_odd_shape_fail_alone_in_a_batch() {
    let (_folder, handler) = handler();
    let operations: Vec<Value> = OPERATIONS
        .iter()
        .flat_map(|o| {
            [json!({"type": o.name}), json!({"type": o.name, "path": 1}), json!({"type": o.name, "path": ".."})]
        })
        .chain([json!({}), json!({"type": null}), json!({"type": 7}), json!({"type": ""})])
        .collect();
    let count = operations.len();
    let result = call(&handler, "batch", json!({"operations": operations}), &mut Contents::default()).unwrap();
    let results = result["results"].as_array().unwrap();
    assert_eq!(results.len(), count);
    let internal = |r: &&Value| ["panic", "internal"].contains(&r["error"]["name"].as_str().unwrap_or(""));
    assert_eq!(results.iter().find(internal), None);
}
