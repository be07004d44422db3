//! JSON Patch (RFC 6902).
//!
//! Our own, because the crate `json-patch` removes members by swapping in the last one, which loses the order of keys,
//! and compares numbers by their text (`1` and `1.0` would differ).

use super::document::check_depth;
use super::equal::equal;
use super::pointer::{Pointer, index, position};
use crate::error::{Code, Error, Result};
use serde_json::{Map, Value};

/// What the `copy` operations of one patch may add to a document, in bytes of memory (roughly).
const MAX_COPIED: u64 = 1 << 28;

/// Applies a patch to a document: every operation in order, or none at all.
///
/// `test` compares numbers by value (`1` is `1.0`) and objects in any order. The whole
/// document can be replaced, but not removed.
///
/// ```
/// use electrus::json::{parse, patch};
/// let mut document = parse(br#"{"tags": ["a"]}"#)?;
/// patch(&mut document, &parse(br#"[{"op": "add", "path": "/tags/-", "value": "b"}]"#)?)?;
/// assert_eq!(document, parse(br#"{"tags": ["a", "b"]}"#)?);
/// # Ok::<(), electrus::error::Error>(())
/// ```
///
/// # Errors
/// `invalid_argument` for a patch that is none, `patch_failed` for one that does not apply; both name the operation
/// by its index, from 0. `too_large` if the result would be. The document stays as it was.
pub fn patch(document: &mut Value, patch: &Value) -> Result<()> {
    *document = patched(document.clone(), patch)?;
    Ok(())
}

/// As [`patch`], for a document that need not survive a failure.
pub(super) fn patched(mut document: Value, patch: &Value) -> Result<Value> {
    let operations = read_patch(patch)?;
    let mut copied = 0;
    for (number, operation) in operations.iter().enumerate() {
        operation.apply(&mut document, &mut copied).map_err(|e| {
            let code = if e.code() == Code::TooLarge { Code::TooLarge } else { Code::PatchFailed };
            Error::message(code, format!("operation {number} ({}): {}", operation.name, e.words()))
        })?;
    }
    Ok(document)
}

fn read_patch(patch: &Value) -> Result<Vec<Operation<'_>>> {
    let Value::Array(operations) = patch else {
        return Err(Error::message(Code::InvalidArgument, "a JSON Patch is an array of operations"));
    };
    let read = |(number, operation)| {
        Operation::read(operation)
            .map_err(|e| Error::message(Code::InvalidArgument, format!("operation {number}: {}", e.words())))
    };
    operations.iter().enumerate().map(read).collect()
}

struct Operation<'p> {
    name: &'p str,
    path: Pointer,
    action: Action<'p>,
}

enum Action<'p> {
    Add(&'p Value),
    Remove,
    Replace(&'p Value),
    Move(Pointer),
    Copy(Pointer),
    Test(&'p Value),
}

impl<'p> Operation<'p> {
    /// Members that RFC 6902 does not define are ignored, as it demands.
    fn read(operation: &'p Value) -> Result<Operation<'p>> {
        let Value::Object(members) = operation else { return Err(malformed("it is not an object")) };
        let name = text(members, "op")?;
        let path = Pointer::parse(text(members, "path")?)?;
        let action = match name {
            "add" => Action::Add(value(members)?),
            "remove" => Action::Remove,
            "replace" => Action::Replace(value(members)?),
            "move" => Action::Move(Pointer::parse(text(members, "from")?)?),
            "copy" => Action::Copy(Pointer::parse(text(members, "from")?)?),
            "test" => Action::Test(value(members)?),
            _ => return Err(malformed("\"op\" is none of add, remove, replace, move, copy, test")),
        };
        Ok(Operation { name, path, action })
    }

    fn apply(&self, document: &mut Value, copied: &mut u64) -> Result<()> {
        match &self.action {
            Action::Add(value) => add(document, &self.path, (*value).clone()),
            Action::Remove => remove(document, &self.path).map(drop),
            Action::Replace(value) => {
                check_depth(value, self.path.tokens().len())?;
                *self.path.get_mut(document)? = (*value).clone();
                Ok(())
            }
            Action::Move(from) if *from == self.path => from.get(document).map(drop),
            Action::Move(from) if from.contains(&self.path) => Err(malformed("a value cannot move into itself")),
            Action::Move(from) => {
                let value = remove(document, from)?;
                add(document, &self.path, value)
            }
            Action::Copy(from) => {
                let value = from.get(document)?;
                // A few dozen copies of the whole into itself would fill any memory.
                *copied = copied.saturating_add(weight(value));
                if *copied > MAX_COPIED {
                    return Err(Error::message(Code::TooLarge, "the patch copies more than 256 MiB"));
                }
                let value = value.clone();
                add(document, &self.path, value)
            }
            Action::Test(value) => match equal(self.path.get(document)?, value) {
                true => Ok(()),
                false => Err(malformed(&format!("the value at {:#} is another", self.path))),
            },
        }
    }
}

fn malformed(what: &str) -> Error {
    Error::message(Code::InvalidArgument, what.to_owned())
}

fn text<'p>(members: &'p Map<String, Value>, key: &str) -> Result<&'p str> {
    match members.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(malformed(&format!("\"{key}\" is not a string"))),
        None => Err(malformed(&format!("\"{key}\" is missing"))),
    }
}

fn value(members: &Map<String, Value>) -> Result<&Value> {
    members.get("value").ok_or_else(|| malformed("\"value\" is missing"))
}

/// Unlike [`Pointer::set`], inserts into arrays.
fn add(document: &mut Value, path: &Pointer, value: Value) -> Result<()> {
    let Some((parent, last)) = path.split() else { return path.set(document, value) };
    match parent.get_mut(document)? {
        Value::Array(items) => {
            check_depth(&value, path.tokens().len())?;
            let place = position(last, items.len()).ok_or_else(|| path.not_found())?;
            items.insert(place, value);
            Ok(())
        }
        _ => path.set(document, value),
    }
}

fn remove(document: &mut Value, path: &Pointer) -> Result<Value> {
    let Some((parent, last)) = path.split() else { return Err(malformed("the whole document cannot be removed")) };
    let removed = match parent.get_mut(document)? {
        Value::Object(members) => members.shift_remove(last),
        Value::Array(items) => index(last).filter(|i| *i < items.len()).map(|i| items.remove(i)),
        _ => None,
    };
    removed.ok_or_else(|| path.not_found())
}

/// Roughly the bytes a value takes in memory.
fn weight(value: &Value) -> u64 {
    const NODE: u64 = 64;
    match value {
        Value::Null | Value::Bool(_) => NODE,
        Value::Number(number) => NODE + number.as_str().len() as u64,
        Value::String(text) => NODE + text.len() as u64,
        Value::Array(items) => items.iter().fold(NODE, |sum, v| sum + weight(v)),
        Value::Object(members) => members.iter().fold(NODE, |sum, (k, v)| sum + NODE + k.len() as u64 + weight(v)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{MAX_DEPTH, parse};

    fn json(text: &str) -> Value {
        parse(text.as_bytes()).unwrap()
    }

    /// The document afterwards, in its order; checks that a failure changes nothing.
    fn apply(document: &str, operations: &str) -> Result<String> {
        let mut document = json(document);
        let before = document.to_string();
        match patch(&mut document, &json(operations)) {
            Ok(()) => Ok(document.to_string()),
            Err(e) => {
                assert_eq!(document.to_string(), before);
                Err(e)
            }
        }
    }

    fn code(document: &str, operations: &str) -> Code {
        apply(document, operations).unwrap_err().code()
    }

    #[test]
    fn the_examples_of_rfc_6902_appendix_a_come_out_as_it_says() {
        for (section, document, operations, result) in [
            (
                "A.1",
                r#"{"foo":"bar"}"#,
                r#"[{"op":"add","path":"/baz","value":"qux"}]"#,
                r#"{"foo":"bar","baz":"qux"}"#,
            ),
            (
                "A.2",
                r#"{"foo":["bar","baz"]}"#,
                r#"[{"op":"add","path":"/foo/1","value":"qux"}]"#,
                r#"{"foo":["bar","qux","baz"]}"#,
            ),
            ("A.3", r#"{"baz":"qux","foo":"bar"}"#, r#"[{"op":"remove","path":"/baz"}]"#, r#"{"foo":"bar"}"#),
            (
                "A.4",
                r#"{"foo":["bar","qux","baz"]}"#,
                r#"[{"op":"remove","path":"/foo/1"}]"#,
                r#"{"foo":["bar","baz"]}"#,
            ),
            (
                "A.5",
                r#"{"baz":"qux","foo":"bar"}"#,
                r#"[{"op":"replace","path":"/baz","value":"boo"}]"#,
                r#"{"baz":"boo","foo":"bar"}"#,
            ),
            (
                "A.6",
                r#"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
                r#"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
                r#"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#,
            ),
            (
                "A.7",
                r#"{"foo":["all","grass","cows","eat"]}"#,
                r#"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
                r#"{"foo":["all","cows","eat","grass"]}"#,
            ),
            (
                "A.8",
                r#"{"baz":"qux","foo":["a",2,"c"]}"#,
                r#"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]"#,
                r#"{"baz":"qux","foo":["a",2,"c"]}"#,
            ),
            (
                "A.10",
                r#"{"foo":"bar"}"#,
                r#"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#,
                r#"{"foo":"bar","child":{"grandchild":{}}}"#,
            ),
            (
                "A.11",
                r#"{"foo":"bar"}"#,
                r#"[{"op":"add","path":"/baz","value":"qux","xyz":123}]"#,
                r#"{"foo":"bar","baz":"qux"}"#,
            ),
            ("A.14", r#"{"/":9,"~1":10}"#, r#"[{"op":"test","path":"/~01","value":10}]"#, r#"{"/":9,"~1":10}"#),
            (
                "A.16",
                r#"{"foo":["bar"]}"#,
                r#"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#,
                r#"{"foo":["bar",["abc","def"]]}"#,
            ),
        ] {
            assert_eq!(apply(document, operations).unwrap(), result, "{section}");
        }
        let a9 = r#"[{"op":"test","path":"/baz","value":"bar"}]"#;
        assert_eq!(code(r#"{"baz":"qux"}"#, a9), Code::PatchFailed);
        let a12 = r#"[{"op":"add","path":"/baz/bat","value":"qux"}]"#;
        assert_eq!(code(r#"{"foo":"bar"}"#, a12), Code::PatchFailed);
        let a13 = br#"[{"op":"add","path":"/baz","value":"qux","op":"remove"}]"#;
        assert_eq!(parse(a13).unwrap_err().code(), Code::InvalidJson);
        let a15 = r#"[{"op":"test","path":"/~01","value":"10"}]"#;
        assert_eq!(code(r#"{"/":9,"~1":10}"#, a15), Code::PatchFailed);
    }

    #[test]
    fn a_patch_applies_whole_or_not_at_all_and_names_the_operation() {
        let operations =
            r#"[{"op":"add","path":"/b","value":2},{"op":"remove","path":"/a"},{"op":"remove","path":"/x"}]"#;
        let error = apply(r#"{"a":1}"#, operations).unwrap_err();
        assert_eq!(error.code(), Code::PatchFailed);
        assert!(error.words().starts_with("operation 2 (remove): "), "{error}");
    }

    #[test]
    fn removing_and_moving_keep_the_order_of_the_other_keys() {
        let document = r#"{"a":1,"b":2,"c":3,"d":4}"#;
        assert_eq!(apply(document, r#"[{"op":"remove","path":"/a"}]"#).unwrap(), r#"{"b":2,"c":3,"d":4}"#);
        let moved = r#"[{"op":"move","from":"/b","path":"/e"}]"#;
        assert_eq!(apply(document, moved).unwrap(), r#"{"a":1,"c":3,"d":4,"e":2}"#);
    }

    #[test]
    fn tests_compare_numbers_by_value_and_objects_in_any_order() {
        let same = r#"[{"op":"test","path":"","value":{"b":[1.0],"a":1e2}}]"#;
        assert_eq!(apply(r#"{"a":100,"b":[1]}"#, same).unwrap(), r#"{"a":100,"b":[1]}"#);
        assert_eq!(code(r#"{"a":100,"b":[2]}"#, same), Code::PatchFailed);
        assert_eq!(code(r#"{"a":1}"#, r#"[{"op":"test","path":"/b","value":null}]"#), Code::PatchFailed);
    }

    #[test]
    fn places_that_do_not_exist_are_refused() {
        for operation in [
            r#"{"op":"add","path":"/a/4","value":0}"#,
            r#"{"op":"add","path":"/a/01","value":0}"#,
            r#"{"op":"add","path":"/a/-1","value":0}"#,
            r#"{"op":"add","path":"/s/x","value":0}"#,
            r#"{"op":"remove","path":"/a/-"}"#,
            r#"{"op":"remove","path":"/a/3"}"#,
            r#"{"op":"remove","path":""}"#,
            r#"{"op":"replace","path":"/a/-","value":0}"#,
            r#"{"op":"replace","path":"/x","value":0}"#,
            r#"{"op":"move","from":"/x","path":"/y"}"#,
            r#"{"op":"move","from":"/a","path":"/a/0"}"#,
            r#"{"op":"move","from":"","path":"/b"}"#,
            r#"{"op":"copy","from":"/a/-","path":"/b"}"#,
        ] {
            assert_eq!(code(r#"{"a":[1,2,3],"s":"t"}"#, &format!("[{operation}]")), Code::PatchFailed, "{operation}");
        }
    }

    #[test]
    fn values_move_and_copy_to_where_they_are_told() {
        let document = r#"{"a":[1,2,3],"o":{"k":1}}"#;
        for (operation, result) in [
            (r#"{"op":"move","from":"/a/0","path":"/a/-"}"#, r#"{"a":[2,3,1],"o":{"k":1}}"#),
            (r#"{"op":"move","from":"/a/2","path":"/a/0"}"#, r#"{"a":[3,1,2],"o":{"k":1}}"#),
            (r#"{"op":"move","from":"/o/k","path":""}"#, "1"),
            (r#"{"op":"move","from":"/o","path":"/o"}"#, document),
            (r#"{"op":"copy","from":"/o","path":"/o/self"}"#, r#"{"a":[1,2,3],"o":{"k":1,"self":{"k":1}}}"#),
            (r#"{"op":"copy","from":"/a/1","path":"/a/1"}"#, r#"{"a":[1,2,2,3],"o":{"k":1}}"#),
            (r#"{"op":"replace","path":"","value":[]}"#, "[]"),
            (r#"{"op":"add","path":"","value":null}"#, "null"),
            (r#"{"op":"add","path":"/o/k","value":2}"#, r#"{"a":[1,2,3],"o":{"k":2}}"#),
        ] {
            assert_eq!(apply(document, &format!("[{operation}]")).unwrap(), result, "{operation}");
        }
        // The place is looked for once the value is gone.
        assert_eq!(code(document, r#"[{"op":"move","from":"/a/0","path":"/a/3"}]"#), Code::PatchFailed);
    }

    #[test]
    fn a_patch_that_is_none_is_the_callers_mistake() {
        for operations in [
            "{}",
            "[1]",
            r#"[{"path":"/a"}]"#,
            r#"[{"op":1,"path":"/a"}]"#,
            r#"[{"op":"Add","path":"/a","value":1}]"#,
            r#"[{"op":"add","value":1}]"#,
            r#"[{"op":"add","path":null,"value":1}]"#,
            r#"[{"op":"add","path":"a","value":1}]"#,
            r#"[{"op":"add","path":"/a"}]"#,
            r#"[{"op":"test","path":"/a"}]"#,
            r#"[{"op":"copy","path":"/a"}]"#,
            r#"[{"op":"remove","path":"/a"},{"op":"move","path":"/a","from":"/~"}]"#,
        ] {
            assert_eq!(code(r#"{"a":1}"#, operations), Code::InvalidArgument, "{operations}");
        }
        assert_eq!(apply("{}", "[]").unwrap(), "{}");
    }

    #[test]
    fn a_patch_cannot_grow_a_document_without_bound() {
        let doubling = vec![r#"{"op":"copy","from":"","path":"/-"}"#; 60].join(",");
        assert_eq!(code("[0]", &format!("[{doubling}]")), Code::TooLarge);
        let wide = r#"{"op":"copy","from":"/a","path":"/a/-"},{"op":"copy","from":"/a","path":"/b"}"#;
        let nesting = vec![wide; 200].join(",");
        assert_eq!(code(r#"{"a":[]}"#, &format!("[{nesting}]")), Code::TooLarge);
        let deep = "[".repeat(MAX_DEPTH - 2) + &"]".repeat(MAX_DEPTH - 2);
        let add = format!(r#"[{{"op":"add","path":"/a/0","value":{deep}}}]"#);
        assert!(apply(r#"{"a":[]}"#, &add).is_ok());
        assert_eq!(code(r#"{"a":[[]]}"#, &add.replace("/a/0", "/a/0/0")), Code::TooLarge);
    }
}
