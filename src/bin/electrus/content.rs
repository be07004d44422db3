//! Contents in the JSON that people type and read: as text, or as base64 when they are not.

use electrus::error::{Code, Error, Result};
use electrus::ops::{Input, Output};
use electrus::wire;
use serde_json::{Map, Value};

/// Moves `content` and `content_base64` of an operation into `input`, and leaves the index.
pub fn extract(operation: &mut Map<String, Value>, input: &mut Vec<Input<'static>>) -> Result<()> {
    let wrong = |words: &'static str| Err(Error::message(Code::InvalidArgument, words));
    let bytes = match (operation.remove("content"), operation.remove("content_base64")) {
        (None, None) => return Ok(()),
        (Some(_), Some(_)) => return wrong("`content` and `content_base64` exclude each other"),
        (Some(Value::String(text)), None) => text.into_bytes(),
        (None, Some(Value::String(text))) => wire::from_base64(&text)?,
        (Some(_), None) => return wrong("`content` must be a string"),
        (None, Some(_)) => return wrong("`content_base64` must be a string"),
    };
    operation.insert("content".into(), input.len().into());
    input.push(Input::Bytes(bytes.into()));
    Ok(())
}

/// Puts the content that a result names where its index stands.
pub fn inline(result: &mut Value, output: &mut Vec<Output>) -> Result<()> {
    let mut contents = taken(output);
    result.as_object_mut().map_or(Ok(()), |object| inline_one(object, &mut contents))
}

/// The same in each of its `results`; one whose content cannot be had, as it changes while it is read, fails alone.
pub fn inline_each(result: &mut Value, output: &mut Vec<Output>) {
    let mut contents = taken(output);
    let results = result.get_mut("results").and_then(Value::as_array_mut).into_iter().flatten();
    for one in results.filter_map(Value::as_object_mut) {
        if let Err(error) = inline_one(one, &mut contents) {
            one.retain(|key, _| ["type", "path", "path_b64"].contains(&key.as_str()));
            put_error(one, &error);
        }
    }
}

/// Makes a result in `results` one that failed.
pub fn put_error(one: &mut Map<String, Value>, error: &Error) {
    one.insert("status".into(), "error".into());
    one.insert("error".into(), wire::error_body(error));
}

fn taken(output: &mut Vec<Output>) -> Vec<Option<Output>> {
    output.drain(..).map(Some).collect()
}

fn inline_one(object: &mut Map<String, Value>, contents: &mut [Option<Output>]) -> Result<()> {
    let Some(index) = object.get("content").and_then(Value::as_u64) else { return Ok(()) };
    let path = object.get("file_path").and_then(Value::as_str).unwrap_or_default().to_owned();
    let content = usize::try_from(index).ok().and_then(|i| contents.get_mut(i)).and_then(Option::take);
    let content = content.ok_or_else(|| Error::new(Code::Internal))?;
    let bytes = content.into_bytes().map_err(|e| if path.is_empty() { e } else { e.at(path) })?;
    object.remove("content");
    match String::from_utf8(bytes) {
        Ok(text) => object.insert("content".into(), text.into()),
        Err(e) => object.insert("content_base64".into(), wire::to_base64(e.as_bytes()).into()),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::{self, Read};

    struct Changed;

    impl Read for Changed {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(Error::new(Code::ChangedWhileRead).into())
        }
    }

    /// A large file that changed while its content was put into the answer took the answers of all others with it.
    #[test]
    fn a_content_that_changes_while_it_is_read_fails_alone() {
        let read =
            |path: &str, index: u64| json!({"type": "read", "path": path, "status": "success", "content": index});
        let mut result = json!({ "results": [read("a", 0), read("b", 1)] });
        let mut output = vec![Output::Stream(Box::new(Changed)), Output::Bytes(b"text".to_vec())];
        inline_each(&mut result, &mut output);
        let [a, b] = [&result["results"][0], &result["results"][1]];
        assert_eq!((&a["status"], &a["error"]["name"]), (&"error".into(), &"changed_while_read".into()), "{result}");
        assert_eq!((&a["path"], a.get("content")), (&"a".into(), None), "{result}");
        assert_eq!((&b["status"], &b["content"]), (&"success".into(), &"text".into()), "{result}");
    }
}
