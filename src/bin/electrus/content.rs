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

/// Puts each content that a result (or each of its `results`) names where its index stands.
pub fn inline(result: &mut Value, output: &mut Vec<Output>) -> Result<()> {
    let mut contents: Vec<Option<Output>> = output.drain(..).map(Some).collect();
    inline_one(result, &mut contents)?;
    for one in result.get_mut("results").and_then(Value::as_array_mut).into_iter().flatten() {
        inline_one(one, &mut contents)?;
    }
    Ok(())
}

fn inline_one(result: &mut Value, contents: &mut [Option<Output>]) -> Result<()> {
    let Some(object) = result.as_object_mut() else { return Ok(()) };
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
