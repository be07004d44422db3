//! The tables as JSON documents, from which bindings take their constants: `abi/operations.json` and `abi/codes.json`.

use super::OPERATIONS;
use crate::error::Code;
use crate::wire::{Field, Presence, Type};
use serde_json::{Map, Value, json};

/// Operations with the keys of their requests and results, and the types of those.
pub fn operations() -> Value {
    let types: Map<String, Value> = Type::ALL.iter().map(|t| (t.name().into(), t.expected().into())).collect();
    let rows: Vec<Value> = OPERATIONS
        .iter()
        .map(|operation| {
            json!({
                "name": operation.name,
                "doc": operation.doc,
                "changes": operation.changes,
                "batch": operation.batch,
                "transaction": operation.transaction,
                "options": operation.options().map(option).collect::<Value>(),
                "results": operation.results().map(result).collect::<Value>(),
            })
        })
        .collect();
    json!({ "types": types, "operations": rows })
}

pub(crate) fn option(field: &Field) -> Value {
    let default: Value = field.default.and_then(|d| serde_json::from_str(d).ok()).unwrap_or(Value::Null);
    json!({
        "key": field.key,
        "type": field.kind.name(),
        "required": field.presence == Presence::Always,
        "default": default,
        "doc": field.doc,
    })
}

pub(crate) fn result(field: &Field) -> Value {
    let presence = match field.presence {
        Presence::Always => "always",
        Presence::OrNull => "or_null",
        Presence::Sometimes => "sometimes",
    };
    json!({ "key": field.key, "type": field.kind.name(), "presence": presence, "doc": field.doc })
}

/// Error codes: numbers and names that never change.
pub fn codes() -> Value {
    let rows = Code::ALL.iter().map(|code| {
        json!({
            "number": *code as i32,
            "name": code.name(),
            "text": code.text(),
            "family": format!("{:?}", code.family()).to_lowercase(),
            "exit_status": code.family() as i32,
            "retryable": code.retryable(),
        })
    });
    json!({ "codes": rows.collect::<Value>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn snake_case(name: &str) -> bool {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    }

    fn documented(doc: &str) -> bool {
        doc.len() > 3 && doc.ends_with('.')
    }

    #[test]
    fn every_operation_and_key_is_named_once_in_snake_case_and_documented() {
        let names: HashSet<&str> = OPERATIONS.iter().map(|o| o.name).collect();
        assert_eq!(names.len(), OPERATIONS.len());
        for operation in OPERATIONS {
            assert!(snake_case(operation.name) && documented(operation.doc), "{}", operation.name);
            for fields in [operation.options().collect::<Vec<_>>(), operation.results().collect()] {
                let keys: HashSet<&str> = fields.iter().map(|f| f.key).collect();
                assert_eq!(keys.len(), fields.len(), "{}: a key stands twice", operation.name);
                for field in fields {
                    assert!(snake_case(field.key) && documented(field.doc), "{}: {}", operation.name, field.key);
                    assert!(!field.key.ends_with("_b64"), "that suffix is for names that are not UTF-8");
                    assert_ne!(field.key, "type", "a batch names the operation there");
                }
            }
        }
        let types: HashSet<&str> = Type::ALL.iter().map(|t| t.name()).collect();
        assert_eq!(types.len(), Type::ALL.len());
    }

    #[test]
    fn defaults_are_values_of_their_type() {
        for (operation, field) in OPERATIONS.iter().flat_map(|o| o.options().map(move |f| (o, f))) {
            let Some(default) = field.default else { continue };
            let value: Value = serde_json::from_str(default).unwrap();
            assert!(field.kind.admits(&value), "{}: {}", operation.name, field.key);
        }
    }

    #[test]
    fn what_changes_nothing_is_in_no_transaction() {
        assert!(OPERATIONS.iter().all(|o| o.changes || !o.transaction));
    }
}
