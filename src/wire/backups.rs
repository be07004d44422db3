//! Results about backups.

use super::{Object, put_path};
use crate::backup::{BackupEntry, BackupInfo, BackupSummary, BackupVerify, Conflict, RestoreReport, Warning};
use crate::store::PruneReport;
use serde_json::{Value, json};
use std::path::Path;

/// A backup that is shown.
pub fn backup(info: &BackupInfo) -> Object {
    let mut object = Object::new();
    object.insert("name".into(), info.name.as_str().into());
    object.insert("files".into(), info.files.iter().chain(&info.folders).map(entry).collect());
    object.insert("file_count".into(), info.file_count.into());
    object.insert("total_size".into(), info.total_size.into());
    object.insert("timestamp".into(), info.timestamp.to_rfc3339().into());
    object.insert("complete".into(), info.complete.into());
    object
}

/// A backup that was just made.
pub fn backup_made(info: &BackupInfo) -> Object {
    let mut object = backup(info);
    object.insert("read_size".into(), info.read_size.into());
    object.insert("added_size".into(), info.added_size.into());
    object.insert("warnings".into(), info.warnings.iter().map(warning).collect());
    object
}

/// A backup in a list.
pub fn backup_summary(summary: &BackupSummary) -> Value {
    json!({
        "name": summary.name,
        "timestamp": summary.timestamp.to_rfc3339(),
        "file_count": summary.file_count,
        "total_size": summary.total_size,
    })
}

fn entry(entry: &BackupEntry) -> Value {
    let mut object = Object::new();
    put_path(&mut object, "path", &entry.path);
    object.insert("kind".into(), entry.kind.name().into());
    object.insert("size".into(), entry.size.into());
    object.insert("permissions".into(), format!("{:03o}", entry.mode).into());
    object.insert("modified_at".into(), entry.modified.to_rfc3339().into());
    if let Some(digest) = &entry.checksum {
        super::put_digest(&mut object, Some(digest));
    }
    if let Some(target) = &entry.target {
        put_path(&mut object, "target", target);
    }
    if entry.changed_while_read {
        object.insert("changed_while_read".into(), true.into());
    }
    Value::Object(object)
}

fn warning(warning: &Warning) -> Value {
    let mut object = Object::new();
    put_path(&mut object, "path", &warning.path);
    object.insert("kind".into(), warning.kind.name().into());
    object.insert("message".into(), warning.message.as_str().into());
    Value::Object(object)
}

/// What the verification of backups found: files that cannot be restored, and damaged places of the store.
pub fn backup_verified(report: &BackupVerify) -> Object {
    let mut damaged = Vec::new();
    for entry in &report.damaged {
        let mut object = Object::new();
        object.insert("backup".into(), entry.backup.as_str().into());
        put_path(&mut object, "path", &entry.path);
        object.insert("what".into(), entry.what.as_str().into());
        damaged.push(Value::Object(object));
    }
    damaged.extend(report.store.iter().flat_map(|store| &store.damaged).map(super::damage));
    let mut object = Object::new();
    object.insert("ok".into(), report.ok.into());
    object.insert("damaged".into(), damaged.into());
    object.insert("backups".into(), report.backups.into());
    object.insert("files".into(), report.files.into());
    object.insert("bytes".into(), report.bytes.into());
    object
}

/// What a restore did.
pub fn backup_restored(report: &RestoreReport) -> Object {
    let mut object = Object::new();
    object.insert("name".into(), report.name.as_str().into());
    object.insert("restored".into(), report.restored.into());
    object.insert("bytes".into(), report.bytes.into());
    object.insert("versioned".into(), report.versioned.into());
    object.insert("warnings".into(), report.warnings.iter().map(warning).collect());
    for (key, paths) in [("skipped", &report.skipped), ("overwritten", &report.overwritten)] {
        object.insert(key.into(), paths.iter().map(|path| named(path)).collect());
    }
    object
}

fn named(path: &Path) -> Value {
    let mut object = Object::new();
    put_path(&mut object, "path", path);
    Value::Object(object)
}

/// What stands in the way of a restore.
pub fn conflict(conflict: &Conflict) -> Value {
    let mut object = Object::new();
    put_path(&mut object, "path", &conflict.path);
    object.insert("what".into(), conflict.what.into());
    object.insert("can_overwrite".into(), conflict.can_overwrite.into());
    Value::Object(object)
}

/// What prune removed.
pub fn backups_pruned(report: &PruneReport) -> Object {
    let mut object = Object::new();
    object.insert("backups".into(), report.snapshots.into());
    object.insert("bytes_before".into(), report.bytes_before.into());
    object.insert("bytes_after".into(), report.bytes_after.into());
    object
}
