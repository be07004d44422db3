//! JSON Merge Patch (RFC 7396).

use super::document::check_depth;
use crate::error::Result;
use serde_json::{Map, Value};

/// Merges a patch into a document: members of objects are added, replaced, or removed where the patch says `null`;
/// anything that is not an object replaces what stands there. Keys keep their place, new ones follow in the patch's order.
///
/// ```
/// use electrus::json::{merge, parse};
/// let mut document = parse(br#"{"title": "A", "draft": true}"#)?;
/// merge(&mut document, &parse(br#"{"draft": null, "tags": ["x"]}"#)?)?;
/// assert_eq!(document, parse(br#"{"title": "A", "tags": ["x"]}"#)?);
/// # Ok::<(), electrus::error::Error>(())
/// ```
///
/// # Errors
/// `too_large` if the patch is nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
pub fn merge(document: &mut Value, patch: &Value) -> Result<()> {
    check_depth(patch, 0)?;
    merge_into(document, patch);
    Ok(())
}

fn merge_into(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    // Removing one by one would shift all later members each time.
    if patch.values().any(Value::is_null) {
        members.retain(|key, _| !patch.get(key).is_some_and(Value::is_null));
    }
    for (key, value) in patch.iter().filter(|(_, value)| !value.is_null()) {
        merge_into(members.entry(key.as_str()).or_insert(Value::Null), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn merged(document: &str, patch: &str) -> String {
        let mut document = parse(document.as_bytes()).unwrap();
        merge(&mut document, &parse(patch.as_bytes()).unwrap()).unwrap();
        document.to_string()
    }

    #[test]
    fn every_case_of_rfc_7396_appendix_a_holds() {
        for (document, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            (r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            assert_eq!(merged(document, patch), result, "{document} {patch}");
        }
    }

    #[test]
    fn keys_keep_their_order_and_numbers_their_digits() {
        let document = r#"{"z":1.10,"y":2,"x":{"c":1,"b":2,"a":3},"w":4}"#;
        let patch = r#"{"n":1E5,"y":null,"x":{"c":null,"a":0.50}}"#;
        assert_eq!(merged(document, patch), r#"{"z":1.10,"x":{"b":2,"a":0.50},"w":4,"n":1E5}"#);
    }
}
