//! Operations on backups: those of a base folder, or of a backup folder of its own.

use super::contents::{Contents, Output};
use crate::backup::{BackupManager, CreateOptions, RestoreOptions, VerifyOptions};
use crate::checksum;
use crate::error::Result;
use crate::progress::Progress;
use crate::wire::{self, Object, Request};
use serde_json::{Value, json};
use std::io::Seek;

/// One call of an operation on backups.
pub struct BackupCall<'c, 'a> {
    pub backups: &'c BackupManager,
    pub request: &'c Request,
    pub contents: &'c mut Contents<'a>,
    pub progress: &'c Progress,
}

impl BackupCall<'_, '_> {
    /// The table says that it must be given.
    fn name(&self) -> &str {
        self.request.text("name").unwrap_or_default()
    }

    fn restore_options(&self) -> Result<RestoreOptions> {
        Ok(RestoreOptions {
            paths: self.request.paths("paths")?,
            to: self.request.path("to")?,
            overwrite: self.request.flag("overwrite") == Some(true),
            progress: self.progress.clone(),
        })
    }
}

pub fn create(call: &mut BackupCall<'_, '_>) -> Result<Value> {
    let options = CreateOptions {
        excludes: call.request.texts("exclude").into_iter().map(str::to_owned).collect(),
        collect: call.request.flag("list_files") != Some(false),
        progress: call.progress.clone(),
    };
    let (name, paths) = (call.request.text("name"), call.request.paths("paths")?);
    let info = call.backups.create(name, &paths, &options)?;
    Ok(Value::Object(wire::backup_made(&info)))
}

pub fn list(call: &mut BackupCall<'_, '_>) -> Result<Value> {
    let backups = call.backups.list()?;
    Ok(json!({ "backups": backups.iter().map(wire::backup_summary).collect::<Value>() }))
}

pub fn show(call: &mut BackupCall<'_, '_>) -> Result<Value> {
    let info = call.backups.show(call.name())?;
    Ok(Value::Object(wire::backup(&info)))
}

pub fn read(call: &mut BackupCall<'_, '_>) -> Result<Value> {
    let path = call.request.name("path")?;
    let mut reader = call.backups.read(call.name(), &path)?;
    let algorithm = call.request.algorithm("algorithm")?.unwrap_or_default();
    let summed = checksum::of_reader(&mut reader, &[algorithm], call.progress).map_err(|e| e.at(&path))?;
    reader.rewind()?;
    let mut result = Object::new();
    result.insert("name".into(), call.name().into());
    wire::put_path(&mut result, "path", &path);
    result.insert("size".into(), summed.size.into());
    wire::put_digest(&mut result, summed.digests.first());
    call.contents.output.push(Output::Stream(Box::new(reader)));
    result.insert("content".into(), (call.contents.output.len() - 1).into());
    Ok(Value::Object(result))
}

pub fn verify(call: &mut BackupCall<'_, '_>) -> Result<Value> {
    let options = VerifyOptions { progress: call.progress.clone() };
    let report = call.backups.verify(call.request.text("name"), &options)?;
    Ok(Value::Object(wire::backup_verified(&report)))
}

pub fn restore(call: &mut BackupCall<'_, '_>) -> Result<Value> {
    let report = call.backups.restore(call.name(), &call.restore_options()?)?;
    Ok(Value::Object(wire::backup_restored(&report)))
}

pub fn conflicts(call: &mut BackupCall<'_, '_>) -> Result<Value> {
    let conflicts = call.backups.conflicts(call.name(), &call.restore_options()?)?;
    Ok(json!({ "name": call.name(), "conflicts": conflicts.iter().map(wire::conflict).collect::<Value>() }))
}

pub fn prune(call: &mut BackupCall<'_, '_>) -> Result<Value> {
    let break_leases = call.request.flag("break_leases") == Some(true);
    let report = call.backups.prune(&call.request.retention()?, break_leases, call.progress)?;
    Ok(Value::Object(wire::backups_pruned(&report)))
}
