//! Operations on JSON documents.

use super::call::Call;
use crate::error::{Code, Error, Result};
use crate::json::{JsonFileHandler, Pointer};
use crate::wire;
use crate::workspace::Changed;
use serde_json::Value;

impl Call<'_, '_> {
    fn documents(&self) -> JsonFileHandler {
        JsonFileHandler::new(self.handler.workspace())
    }

    /// A JSON value that the table says must be given.
    fn value(&self, key: &str) -> Result<Value> {
        let missing = || Error::message(Code::InvalidArgument, format!("`{key}` is missing"));
        self.request.json(key).cloned().ok_or_else(missing)
    }
}

pub fn get(call: &mut Call<'_, '_>) -> Result<Value> {
    let pointer = Pointer::parse(call.request.text("pointer").unwrap_or_default())?;
    let algorithm = call.request.algorithm("algorithm")?.unwrap_or_default();
    let expected = call.request.checksum("expected_checksum", algorithm)?;
    let read = call.documents().read_by(call.request.name("path")?, expected.as_ref(), algorithm)?;
    let mut result = wire::about(&read.path);
    result.insert("data".into(), pointer.get(&read.data).map_err(|e| e.at(&read.path))?.clone());
    result.insert("size".into(), read.size.into());
    wire::put_digest(&mut result, Some(&read.checksum));
    Ok(Value::Object(result))
}

pub fn write(call: &mut Call<'_, '_>) -> Result<Value> {
    let (name, data) = (call.request.name("path")?, call.value("data")?);
    changed(call.documents().write(name, &data, call.change_options()?))
}

pub fn set(call: &mut Call<'_, '_>) -> Result<Value> {
    let (name, value) = (call.request.name("path")?, call.value("value")?);
    let pointer = call.request.text("pointer").unwrap_or_default();
    changed(call.documents().set(name, pointer, &value, call.change_options()?))
}

pub fn merge(call: &mut Call<'_, '_>) -> Result<Value> {
    let (name, patch) = (call.request.name("path")?, call.value("patch")?);
    changed(call.documents().merge(name, &patch, call.change_options()?))
}

pub fn patch(call: &mut Call<'_, '_>) -> Result<Value> {
    let (name, patch) = (call.request.name("path")?, call.value("patch")?);
    changed(call.documents().patch(name, &patch, call.change_options()?))
}

fn changed(changed: Result<Changed>) -> Result<Value> {
    Ok(Value::Object(wire::changed(&changed?)))
}
