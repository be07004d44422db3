//! From a command to a request of the table of operations.

use crate::args::{self, Backup, Change, Command, Durability, Json, Keep, Leases, Waiting};
use crate::{input, platform};
use electrus::error::{Error, Result};
use electrus::ops::Contents;
use electrus::progress::Progress;
use electrus::wire;
use serde_json::{Map, Value};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// An operation with all that it needs.
pub struct Request {
    /// Its name in the table.
    pub operation: &'static str,
    /// Its request.
    pub object: Map<String, Value>,
    /// The contents that the request names.
    pub contents: Contents<'static>,
    /// Where the backups are, if it says so.
    pub backup_dir: Option<PathBuf>,
}

impl Request {
    fn new(operation: &'static str) -> Request {
        Request { operation, object: Map::new(), contents: Contents::default(), backup_dir: None }
    }

    fn set(mut self, key: &str, value: impl Into<Value>) -> Request {
        self.object.insert(key.to_owned(), value.into());
        self
    }

    fn set_some(self, key: &str, value: Option<impl Into<Value>>) -> Request {
        match value {
            Some(value) => self.set(key, value),
            None => self,
        }
    }

    /// A flag that is only said when it differs from the default `false`.
    fn flag(self, key: &str, value: bool) -> Request {
        if value { self.set(key, true) } else { self }
    }

    /// A name: as text, or as the base64 of its bytes when it is not UTF-8.
    fn name(self, key: &str, name: &OsStr) -> Request {
        match name.to_str() {
            Some(text) => self.set(key, text),
            None => self.set(&format!("{key}_b64"), wire::to_base64(&platform::bytes_of(name))),
        }
    }

    /// Several names: as base64 all of them when one is not UTF-8.
    fn names(self, key: &str, names: &[PathBuf]) -> Request {
        let texts: Option<Vec<&str>> = names.iter().map(|name| name.to_str()).collect();
        match texts {
            Some(texts) => self.set(key, texts),
            None => {
                let coded = |name: &PathBuf| wire::to_base64(&platform::bytes_of(name.as_os_str()));
                self.set(&format!("{key}_b64"), names.iter().map(coded).collect::<Vec<_>>())
            }
        }
    }

    fn content(mut self, from: &args::Content, progress: &Progress) -> Result<Request> {
        self.contents.input.push(input::content(from, progress)?);
        Ok(self.set("content", 0))
    }

    fn change(self, change: &Change) -> Request {
        let kept = if change.no_version { self.set("create_version", false) } else { self };
        kept.durability(change.durability.durability).waiting(&change.waiting)
    }

    fn waiting(self, waiting: &Waiting) -> Request {
        self.set_some("timeout", waiting.lock_timeout)
    }

    fn durability(self, durability: Option<Durability>) -> Request {
        let name = durability.map(|level| match level {
            Durability::Full => "full",
            Durability::Data => "data",
            Durability::None => "none",
        });
        self.set_some("durability", name)
    }

    fn digest(self, digest: &args::Digest) -> Request {
        self.set_some("algorithm", digest.algorithm.as_deref())
    }

    fn store(self, store: &args::Store) -> Request {
        self.change(&store.change)
            .set_some("if_checksum", store.if_checksum.as_deref())
            .flag("if_absent", store.if_absent)
            .digest(&store.digest)
    }

    fn json_store(self, store: &args::JsonStore) -> Request {
        self.change(&store.change).set_some("if_checksum", store.if_checksum.as_deref()).digest(&store.digest)
    }

    fn keep(self, keep: &Keep, leases: &Leases) -> Request {
        self.set_some("keep_last", keep.keep_last)
            .set_some("keep_within", keep.keep_within)
            .set_some("keep_under", keep.keep_under)
            .flag("break_leases", leases.break_leases)
    }
}

/// The request of a command; `None` for commands that are none of the table (checksum, lock, locks, batch, tx).
pub fn of(command: &Command, progress: &Progress) -> Result<Option<Request>> {
    Ok(Some(match command {
        Command::Write(write) => Request::new("write")
            .name("path", &write.name)
            .store(&write.store)
            .set_some("mode", write.mode.as_deref())
            .content(&write.content, progress)?,
        Command::Read(read) => Request::new("read")
            .name("path", &read.name)
            .set_some("version", read.version.as_deref().map(version))
            .set_some("expected_checksum", read.expect.as_deref())
            .digest(&read.digest),
        Command::Stat { name, digest } => Request::new("stat").name("path", name).digest(digest),
        Command::Copy(transfer) => of_transfer("copy", transfer),
        Command::Mv(transfer) => of_transfer("rename", transfer),
        Command::Rm { name, if_checksum, change } => {
            Request::new("delete").name("path", name).set_some("if_checksum", if_checksum.as_deref()).change(change)
        }
        Command::Snapshot { name, digest } => Request::new("snapshot").name("path", name).digest(digest),
        Command::Versions { name: Some(name) } => Request::new("versions").name("path", name),
        Command::Versions { name: None } => Request::new("versions"),
        Command::Diff { name, from, to } => Request::new("diff")
            .name("path", name)
            .set("from", version(from))
            .set_some("to", to.as_deref().map(version)),
        Command::Restore { name, version: which, to, durability, waiting } => {
            let request = Request::new("restore").name("path", name).set("version", version(which));
            let request = to.iter().fold(request, |request, to| request.name("to", to));
            request.durability(durability.durability).waiting(waiting)
        }
        Command::Tag { name, version, tag, remove } => Request::new("tag")
            .name("path", name)
            .set("version", *version)
            .set("tag", tag.as_str())
            .flag("remove", *remove),
        Command::Prune { name, keep, leases } => {
            let request = Request::new("prune").keep(keep, leases);
            name.iter().fold(request, |request, name| request.name("path", name))
        }
        Command::Json(json) => of_json(json, progress)?,
        Command::Backup { dir, action } => Request { backup_dir: dir.clone(), ..of_backup(action)? },
        Command::Verify { repair: false, .. } => Request::new("verify"),
        Command::Verify { repair: true, leases } => Request::new("repair").flag("break_leases", leases.break_leases),
        Command::Import { dir } => Request::new("import").name("from", dir.as_os_str()),
        Command::Checksum(_)
        | Command::Lock(_)
        | Command::Locks { .. }
        | Command::Batch { .. }
        | Command::Tx { .. } => {
            return Ok(None);
        }
    }))
}

fn of_transfer(operation: &'static str, transfer: &args::Transfer) -> Request {
    Request::new(operation)
        .name("source", &transfer.source)
        .name("destination", &transfer.destination)
        .change(&transfer.change)
        .set_some("if_checksum", transfer.if_checksum.as_deref())
        .flag("if_absent", transfer.if_absent)
        .digest(&transfer.digest)
}

fn of_json(json: &Json, progress: &Progress) -> Result<Request> {
    let parsed = |content| input::json(content, progress);
    Ok(match json {
        Json::Get { name, pointer } => Request::new("json_get").name("path", name).set("pointer", pointer.as_str()),
        Json::Set { name, pointer, value, store } => Request::new("json_set")
            .name("path", name)
            .set("pointer", pointer.as_str())
            .set("value", electrus::json::parse(value.as_bytes())?)
            .json_store(store),
        Json::Merge { name, content, store } => {
            Request::new("json_merge").name("path", name).set("patch", parsed(content)?).json_store(store)
        }
        Json::Patch { name, content, store } => {
            Request::new("json_patch").name("path", name).set("patch", parsed(content)?).json_store(store)
        }
        Json::Write { name, content, store } => {
            Request::new("json_write").name("path", name).set("data", parsed(content)?).store(store)
        }
    })
}

fn of_backup(action: &Backup) -> Result<Request> {
    Ok(match action {
        Backup::Create { name, exclude, paths } => Request::new("backup_create")
            .set_some("name", name.as_deref())
            .set_some("exclude", (!exclude.is_empty()).then(|| exclude.clone()))
            .names("paths", &paths.iter().map(|path| named(path)).collect::<Result<Vec<_>>>()?),
        Backup::List => Request::new("backup_list"),
        Backup::Show { name } => Request::new("backup_show").set("name", name.as_str()),
        Backup::Read { name, path } => {
            Request::new("backup_read").set("name", name.as_str()).name("path", path.as_os_str())
        }
        Backup::Verify { name } => Request::new("backup_verify").set_some("name", name.as_deref()),
        Backup::Restore { name, to, overwrite, dry_run, paths } => {
            let operation = if *dry_run { "backup_conflicts" } else { "backup_restore" };
            let request = Request::new(operation).set("name", name.as_str()).flag("overwrite", *overwrite);
            let request = to.iter().fold(request, |request, to| request.name("to", to.as_os_str()));
            if paths.is_empty() { request } else { request.names("paths", paths) }
        }
        Backup::Prune { keep, leases } => Request::new("backup_prune").keep(keep, leases),
    })
}

/// A folder that is given as `..` or the like, by its name.
fn named(path: &Path) -> Result<PathBuf> {
    match path.file_name().is_none() && path != "." && !path.as_os_str().is_empty() {
        true => path.canonicalize().map_err(|e| Error::io(e, path)),
        false => Ok(path.to_owned()),
    }
}

/// A version's number, or the id of its record.
fn version(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| text.into(), Value::from)
}
