//! Operations on backups.

use super::call::Call;
use crate::backup::{CreateOptions, RestoreOptions, VerifyOptions};
use crate::error::Result;
use crate::wire;
use serde_json::{Value, json};

pub fn create(call: &mut Call<'_, '_>) -> Result<Value> {
    let options = CreateOptions {
        excludes: call.request.texts("exclude").into_iter().map(str::to_owned).collect(),
        collect: call.request.flag("list_files") != Some(false),
        progress: call.progress.clone(),
    };
    let (name, paths) = (call.request.text("name"), call.request.paths("paths")?);
    let info = call.handler.backups()?.create(name, &paths, &options)?;
    Ok(Value::Object(wire::backup_made(&info)))
}

pub fn list(call: &mut Call<'_, '_>) -> Result<Value> {
    let backups = call.handler.backups()?.list()?;
    Ok(json!({ "backups": backups.iter().map(wire::backup_summary).collect::<Value>() }))
}

pub fn show(call: &mut Call<'_, '_>) -> Result<Value> {
    let info = call.handler.backups()?.show(name(call))?;
    Ok(Value::Object(wire::backup(&info)))
}

pub fn verify(call: &mut Call<'_, '_>) -> Result<Value> {
    let options = VerifyOptions { progress: call.progress.clone() };
    let report = call.handler.backups()?.verify(call.request.text("name"), &options)?;
    Ok(Value::Object(wire::backup_verified(&report)))
}

pub fn restore(call: &mut Call<'_, '_>) -> Result<Value> {
    let options = RestoreOptions {
        paths: call.request.paths("paths")?,
        to: call.request.path("to")?,
        overwrite: call.request.flag("overwrite") == Some(true),
        progress: call.progress.clone(),
    };
    let report = call.handler.backups()?.restore(name(call), &options)?;
    Ok(Value::Object(wire::backup_restored(&report)))
}

pub fn prune(call: &mut Call<'_, '_>) -> Result<Value> {
    let break_leases = call.request.flag("break_leases") == Some(true);
    let report = call.handler.backups()?.prune(&call.retention()?, break_leases, call.progress)?;
    Ok(Value::Object(wire::backups_pruned(&report)))
}

/// The table says that it must be given.
fn name<'c>(call: &'c Call<'_, '_>) -> &'c str {
    call.request.text("name").unwrap_or_default()
}
