//! Operations on the history of files.

use super::call::Call;
use crate::error::{Code, Error, Result};
use crate::version::FileVersionManager;
use crate::wire;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

impl Call<'_, '_> {
    fn history(&self) -> FileVersionManager {
        FileVersionManager::new(self.handler.workspace())
    }

    /// The full path of a file, also if it and its folder are gone.
    fn full_path(&self, name: &Path) -> Result<PathBuf> {
        let base = self.handler.workspace().base().path();
        Ok(base.join(self.history().key(name)?.to_path()))
    }
}

pub fn snapshot(call: &mut Call<'_, '_>) -> Result<Value> {
    let name = call.request.name("path")?;
    let changed = call.history().create_version(name, call.change_options()?)?;
    Ok(Value::Object(wire::changed(&changed)))
}

pub fn versions(call: &mut Call<'_, '_>) -> Result<Value> {
    let Some(name) = call.request.path("path")? else { return files(call) };
    let versions = call.history().list_versions(&name)?;
    let base = call.handler.workspace().base().path();
    let mut result = wire::about(&call.full_path(&name)?);
    result.insert("versions".into(), versions.iter().map(|version| wire::version(version, base)).collect());
    Ok(Value::Object(result))
}

fn files(call: &mut Call<'_, '_>) -> Result<Value> {
    let store = call.handler.workspace().store();
    let base = call.handler.workspace().base().path();
    let mut files = Vec::new();
    for key in store.keys()? {
        call.progress.check()?;
        files.push(wire::file_with_history(&key, &store.versions(&key)?, base));
    }
    Ok(json!({ "files": files }))
}

pub fn diff(call: &mut Call<'_, '_>) -> Result<Value> {
    let name = call.request.name("path")?;
    let from =
        call.request.version("from").ok_or_else(|| Error::message(Code::InvalidArgument, "`from` is missing"))?;
    let to = call.request.version("to");
    let diff = call.history().diff(&name, &from, to.as_ref())?;
    let mut result = wire::about(&call.full_path(&name)?);
    result.insert("from".into(), wire::which(&from));
    result.insert("to".into(), to.as_ref().map_or(Value::Null, wire::which));
    result.insert("identical".into(), diff.is_empty().into());
    result.insert("diff".into(), diff.into());
    Ok(Value::Object(result))
}

pub fn restore(call: &mut Call<'_, '_>) -> Result<Value> {
    let name = call.request.name("path")?;
    let to = call.request.path("to")?;
    let which =
        call.request.version("version").ok_or_else(|| Error::message(Code::InvalidArgument, "`version` is missing"))?;
    let changed = call.history().restore_version(name, &which, to.as_deref(), call.change_options()?)?;
    Ok(Value::Object(wire::changed(&changed)))
}

pub fn tag(call: &mut Call<'_, '_>) -> Result<Value> {
    let name = call.request.name("path")?;
    let number = call.request.count("version").unwrap_or_default();
    let tag = call.request.text("tag").unwrap_or_default();
    call.history().tag(&name, number, tag, call.request.flag("remove") != Some(true))?;
    let mut result = wire::about(&call.full_path(&name)?);
    result.insert("version".into(), number.into());
    result.insert("tag".into(), tag.into());
    Ok(Value::Object(result))
}

pub fn prune(call: &mut Call<'_, '_>) -> Result<Value> {
    let name = call.request.path("path")?;
    let break_leases = call.request.flag("break_leases") == Some(true);
    let report = call.history().prune(name.as_deref(), &call.request.retention()?, break_leases, call.progress)?;
    Ok(Value::Object(wire::pruned(&report)))
}
