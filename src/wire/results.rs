//! Results: the JSON of each Rust type that an operation gives back.

use super::put_path;
use crate::checksum::{Algorithm, Digest};
use crate::import::ImportReport;
use crate::lock::{Holder, LockType};
use crate::path::{Key, Location};
use crate::store::{Damage, FileState, Landed, PruneReport, VerifyReport, Version, Which};
use crate::transaction::{Recovered, RecoveredFile};
use crate::workspace::Changed;
use serde_json::{Map, Value, json};
use std::path::Path;

/// An object of a result.
pub type Object = Map<String, Value>;

/// An object that begins with `file_path` (and `file_path_b64` where the name is not UTF-8).
pub fn about(path: &Path) -> Object {
    let mut object = Object::new();
    put_path(&mut object, "file_path", path);
    object
}

/// A digest as `checksum` and `algorithm`; nulls where there is none.
pub fn put_digest(object: &mut Object, digest: Option<&Digest>) {
    object.insert("checksum".into(), digest.map(Digest::hex).into());
    object.insert("algorithm".into(), digest.map(|d| d.algorithm().name()).into());
}

/// Several digests: the first one thus, and all of them as `checksums`.
pub fn put_digests(object: &mut Object, digests: &[Digest]) {
    put_digest(object, digests.first());
    let all: Object = digests.iter().map(|d| (d.algorithm().name().into(), d.hex().into())).collect();
    object.insert("checksums".into(), all.into());
}

/// What a write, copy, rename, snapshot or restore did.
pub fn changed(changed: &Changed) -> Object {
    let mut object = about(&changed.path);
    object.insert("size".into(), changed.size.into());
    put_digest(&mut object, changed.checksum.as_ref());
    put_change(&mut object, changed);
    object
}

/// What a delete did: nothing is left to have a size or a checksum.
pub fn deleted(changed: &Changed) -> Object {
    let mut object = about(&changed.path);
    object.insert("size".into(), Value::Null);
    put_digest(&mut object, None);
    put_change(&mut object, changed);
    object
}

fn put_change(object: &mut Object, changed: &Changed) {
    object.insert("version_created".into(), changed.version.is_some().into());
    object.insert("version".into(), changed.version.into());
    if let Some(number) = changed.outside_edit {
        object.insert("outside_edit".into(), number.into());
    }
    object.insert("timestamp".into(), changed.timestamp.to_rfc3339().into());
    object.insert("durability".into(), super::durability_name(changed.durability).into());
}

/// One version in a list; paths are full, beneath `base`.
pub fn version(version: &Version, base: &Path) -> Value {
    let file = version.file.as_ref();
    let mut object = Object::new();
    object.insert("version".into(), version.number.into());
    object.insert("kind".into(), version.kind.name().into());
    object.insert("size".into(), file.map(|f| f.content.size).into());
    put_digest(&mut object, file.and_then(preferred));
    object.insert("timestamp".into(), version.created.to_rfc3339().into());
    object.insert("tags".into(), json!(version.tags));
    object.insert("record".into(), version.record.to_string().into());
    object.insert("landed".into(), landed(version.landed));
    object.insert("conflict".into(), version.conflict.into());
    if let Some(number) = version.of {
        object.insert("of".into(), number.into());
    }
    if let Some(other) = &version.other {
        put_path(&mut object, "other", &base.join(other.to_path()));
    }
    Value::Object(object)
}

/// The digest to show: sha256 where it is held.
fn preferred(file: &FileState) -> Option<&Digest> {
    file.digests.iter().find(|d| d.algorithm() == Algorithm::Sha256).or(file.digests.first())
}

/// True, false, or null where it is not known.
fn landed(landed: Landed) -> Value {
    match landed {
        Landed::Yes(_) => true.into(),
        Landed::No => false.into(),
        Landed::Unknown => Value::Null,
    }
}

/// A file in the list of all that have a history; its path is full, beneath `base`.
pub fn file_with_history(key: &Key, versions: &[Version], base: &Path) -> Value {
    let mut object = about(&base.join(key.to_path()));
    object.insert("versions".into(), versions.len().into());
    object.insert("newest".into(), versions.last().map(|v| v.number).into());
    Value::Object(object)
}

/// Which version is meant, as requests say it.
pub fn which(which: &Which) -> Value {
    match which {
        Which::Number(number) => (*number).into(),
        Which::Record(record) => record.to_string().into(),
        Which::Newest => Value::Null,
    }
}

/// Who holds a lock.
pub fn holder(holder: &Holder) -> Value {
    let kind = |kind| match kind {
        LockType::Exclusive => "exclusive",
        LockType::Shared => "shared",
    };
    json!({
        "pid": holder.pid,
        "type": holder.kind.map(kind),
        "since": holder.since.map(|s| s.to_rfc3339()),
        "host": holder.host,
        "source": holder.source,
    })
}

/// One damaged place.
pub fn damage(damage: &Damage) -> Value {
    json!({ "file": damage.file, "offset": damage.offset, "what": damage.what, "affected": damage.affected })
}

/// Who holds the lock of a file.
pub fn holders(location: &Location, holders: &[Holder], scope: &str) -> Object {
    let mut object = about(location.path());
    object.insert("locked".into(), (!holders.is_empty()).into());
    object.insert("holders".into(), holders.iter().map(holder).collect());
    object.insert("scope".into(), scope.into());
    object
}

/// A transaction that a crash had left.
pub fn recovered(recovered: &Recovered) -> Value {
    let mut object = Object::new();
    object.insert("id".into(), recovered.id.as_str().into());
    object.insert("files".into(), recovered.files.iter().map(recovered_file).collect());
    if let Some(problem) = &recovered.problem {
        object.insert("problem".into(), super::error_body(problem));
    }
    Value::Object(object)
}

fn recovered_file(file: &RecoveredFile) -> Value {
    let mut object = about(&file.path);
    if let Some(version) = file.outside_edit {
        object.insert("outside_edit".into(), version.into());
    }
    Value::Object(object)
}

/// What verify found.
pub fn verified(report: &VerifyReport) -> Object {
    let mut object = Object::new();
    object.insert("ok".into(), report.damaged.is_empty().into());
    object.insert("damaged".into(), report.damaged.iter().map(damage).collect());
    object.insert("conflicts".into(), json!(report.conflicts));
    object.insert("torn".into(), report.torn.into());
    object.insert("bytes".into(), report.bytes.into());
    object.insert("versions".into(), report.versions.into());
    object.insert("backups".into(), report.backups.into());
    object
}

/// What prune removed.
pub fn pruned(report: &PruneReport) -> Object {
    let mut object = Object::new();
    object.insert("versions".into(), report.versions.into());
    object.insert("backups".into(), report.snapshots.into());
    object.insert("bytes_before".into(), report.bytes_before.into());
    object.insert("bytes_after".into(), report.bytes_after.into());
    object
}

/// What an import did.
pub fn imported(report: &ImportReport) -> Object {
    let mut object = Object::new();
    object.insert("imported".into(), json!({ "versions": report.versions, "backups": report.backups }));
    object.insert("skipped".into(), json!(report.skipped));
    object.insert("problems".into(), json!(report.problems));
    object
}
