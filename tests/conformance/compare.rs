//! Comparing what came with what a case says.

use electrus::ops::Operation;
use electrus::wire::{Presence, Type};
use serde_json::Value;
use std::path::Path;

/// Puts the base's path in place of `$BASE` in every text.
pub fn replace_base(value: &mut Value, base: &Path) {
    match value {
        Value::String(text) => *text = text.replace("$BASE", base.to_str().unwrap()),
        Value::Array(list) => list.iter_mut().for_each(|v| replace_base(v, base)),
        Value::Object(map) => map.values_mut().for_each(|v| replace_base(v, base)),
        _ => {}
    }
}

/// Puts values of earlier results in place of `{"$result": [step, pointer]}`.
pub fn replace_results(value: &mut Value, results: &[Value]) {
    if let Some(reference) = value.get("$result") {
        let step = reference[0].as_u64().unwrap() as usize;
        *value = results[step].pointer(reference[1].as_str().unwrap()).unwrap().clone();
        return;
    }
    match value {
        Value::Array(list) => list.iter_mut().for_each(|v| replace_results(v, results)),
        Value::Object(map) => map.values_mut().for_each(|v| replace_results(v, results)),
        _ => {}
    }
}

/// Whether everything that is expected is there.
pub fn contains(found: &Value, expected: &Value, at: &str) -> Result<(), String> {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => expected.iter().try_for_each(|(key, value)| {
            let at = format!("{at}/{key}");
            contains(found.get(key).ok_or_else(|| format!("{at} is missing"))?, value, &at)
        }),
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            let pairs = found.iter().zip(expected).enumerate();
            pairs.into_iter().try_for_each(|(i, (found, expected))| contains(found, expected, &format!("{at}/{i}")))
        }
        _ if found == expected => Ok(()),
        _ => Err(format!("{at} is {found} and not {expected}")),
    }
}

/// Whether a result has the keys that the table gives its operation, of the types given there, and no others.
pub fn documented(operation: &str, result: &Value) -> Result<(), String> {
    let operation = Operation::find(operation).map_err(|e| e.to_string())?;
    let result = result.as_object().ok_or("the result is no object")?;
    for field in operation.results() {
        match result.get(field.key) {
            None if field.presence != Presence::Sometimes => return Err(format!("{} is missing", field.key)),
            Some(Value::Null) if field.presence == Presence::OrNull => {}
            Some(value) if !field.kind.admits(value) => return Err(format!("{} is {value}", field.key)),
            _ => {}
        }
    }
    let known = |key: &str| {
        operation.results().any(|f| f.key == key)
            || operation.results().any(|f| f.kind == Type::Path && key.strip_suffix("_b64") == Some(f.key))
    };
    match result.keys().find(|key| !known(key)) {
        Some(key) => Err(format!("{key} is not documented")),
        None => Ok(()),
    }
}
