//! What the old folder says: entries of `metadata.json`, and files that speak for themselves.

use super::{ImportReport, read_text, within};
use crate::checksum::{Algorithm, Digest};
use crate::error::{Code, Error, IoContext, Result};
use crate::sys::{Dir, FileKind};
use crate::time::Timestamp;
use chrono::{Local, NaiveDateTime, TimeZone};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

pub(super) const VERSIONS: &str = ".versions";
pub(super) const BACKUPS: &str = ".backups";
const METADATA: &str = "metadata.json";

/// One version of the old folder.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// Of which file, as the old folder has it: hostile.
    pub name: PathBuf,
    pub number: u64,
    /// The copy, in `.versions`.
    pub file: OsString,
    pub checksum: Option<Digest>,
    pub created: Option<Timestamp>,
    pub modified: Option<Timestamp>,
    pub mode: Option<u32>,
}

/// A folder in the old one that is a folder, not a link.
pub(super) fn subfolder(dir: &Dir, name: &str, from: &Path) -> Result<Option<Dir>> {
    match dir.open_dir(OsStr::new(name)) {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(e, from.join(name))),
    }
}

/// Every version there is: what the metadata tells, completed by the files that it does not.
pub(super) fn entries(dir: &Dir, from: &Path, report: &mut ImportReport) -> Result<Vec<Entry>> {
    let path = within(from, &[OsStr::new(VERSIONS), OsStr::new(METADATA)]);
    let told = match read_text(dir, METADATA, &path) {
        Ok(Some(text)) => told(&text, &path, report),
        Ok(None) => {
            report.problem(path.display(), "is missing; names and numbers are taken from the files");
            Vec::new()
        }
        Err(e) if matches!(e.code(), Code::TooLarge | Code::NotAFile | Code::PermissionDenied) => {
            report.problem(path.display(), e.words());
            Vec::new()
        }
        Err(e) => return Err(e),
    };
    let mut by_file: HashMap<OsString, Vec<Entry>> = HashMap::new();
    for entry in told {
        by_file.entry(entry.file.clone()).or_default().push(entry);
    }
    let mut found: BTreeMap<OsString, Vec<Entry>> = BTreeMap::new();
    for file in dir.entries().at(from.join(VERSIONS))? {
        if file.name == METADATA || file.kind == FileKind::Folder {
            continue;
        }
        let known = by_file.remove(&file.name);
        match known.or_else(|| derived(&file.name).map(|entry| vec![entry])) {
            Some(entries) => drop(found.insert(file.name, entries)),
            None => report.skip(from.join(VERSIONS).join(&file.name).display(), "is no version"),
        }
    }
    for entry in by_file.into_values().flatten() {
        report.problem(from.join(VERSIONS).join(&entry.file).display(), "is in the metadata, but not in the folder");
    }
    Ok(found.into_values().flatten().collect())
}

/// What the metadata tells: a map from names to lists, a list, or a map from names to single versions.
fn told(text: &[u8], path: &Path, report: &mut ImportReport) -> Vec<Entry> {
    let document: Value = match serde_json::from_slice(text) {
        Ok(document) => document,
        Err(e) => {
            report.problem(path.display(), format!("{e}; names and numbers are taken from the files"));
            return Vec::new();
        }
    };
    let mut pairs: Vec<(Option<&str>, &Value)> = Vec::new();
    match &document {
        Value::Array(list) => pairs.extend(list.iter().map(|v| (None, v))),
        Value::Object(map) => {
            for (name, value) in map {
                match value {
                    Value::Array(list) => pairs.extend(list.iter().map(|v| (Some(name.as_str()), v))),
                    value => pairs.push((Some(name.as_str()), value)),
                }
            }
        }
        _ => report.problem(path.display(), "is neither a map nor a list"),
    }
    pairs.into_iter().filter_map(|(name, value)| told_one(name, value, path, report)).collect()
}

fn told_one(name: Option<&str>, value: &Value, path: &Path, report: &mut ImportReport) -> Option<Entry> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let name = name.or_else(|| text("filename"));
    let number = value.get("version").and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok()));
    let (Some(name), Some(number @ 1..)) = (name, number) else {
        report.problem(path.display(), format!("an entry has no name or no number: {}", shortened(value)));
        return None;
    };
    let algorithm = text("checksum_algorithm").and_then(|a| Algorithm::parse(a).ok()).unwrap_or_default();
    let checksum = text("checksum").and_then(|hex| Digest::parse(hex, algorithm).ok());
    Some(Entry {
        name: PathBuf::from(name),
        number,
        file: file_of(Path::new(name), number)?,
        checksum,
        created: text("created_at").and_then(time),
        modified: text("modified_at").and_then(time),
        mode: text("permissions").and_then(mode),
    })
}

fn shortened(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}

/// `NAME_vN.EXT`, as the original named its copies.
fn file_of(name: &Path, number: u64) -> Option<OsString> {
    let (stem, suffix) = split(name.file_name()?);
    let mut file = stem;
    file.push(format!("_v{number}"));
    file.push(suffix);
    Some(file)
}

/// The name and the number that a copy's name tells.
fn derived(file: &OsStr) -> Option<Entry> {
    let (stem, suffix) = split(file);
    let whole = (file.to_owned(), OsString::new());
    let (mut name, number, suffix) = [(stem, suffix), whole].into_iter().find_map(|(stem, suffix)| {
        let text = stem.to_str()?;
        let (name, digits) = text.rsplit_once("_v")?;
        let plain = !name.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        let number = digits.parse().ok().filter(|_| plain)?;
        Some((OsString::from(name), number, suffix))
    })?;
    name.push(suffix);
    let entry = Entry {
        name: PathBuf::from(name),
        number,
        file: file.to_owned(),
        checksum: None,
        created: None,
        modified: None,
        mode: None,
    };
    Some(entry)
}

/// Stem and suffix as Python's `pathlib` has them: no suffix for `.name` and `name.`.
fn split(name: &OsStr) -> (OsString, OsString) {
    let path = Path::new(name);
    match (path.file_stem(), path.extension()) {
        (Some(stem), Some(extension)) if !extension.is_empty() => {
            let mut suffix = OsString::from(".");
            suffix.push(extension);
            (stem.to_owned(), suffix)
        }
        _ => (name.to_owned(), OsString::new()),
    }
}

/// ISO 8601 with offset, or without (Python's `datetime.now()`): then the time of this machine's zone.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    if let Some(time) = Timestamp::parse(text) {
        return Some(time);
    }
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let naive = naive.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    let local = Local.from_local_datetime(&naive).earliest()?;
    Some(Timestamp { seconds: local.timestamp(), nanos: local.timestamp_subsec_nanos().min(999_999_999) })
}

/// Permission bits: `644`, `0644`, `0o644`, or the whole mode with the file's kind.
fn mode(text: &str) -> Option<u32> {
    let digits = text.trim_start_matches("0o");
    u32::from_str_radix(digits, 8).ok().map(|mode| mode & 0o777).filter(|mode| *mode != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_copies_are_taken_apart_as_they_were_made() {
        for name in ["notes.txt", "a.tar.gz", ".bashrc", "plain", "x_v1.txt", "dot.", "ünï.txt"] {
            for number in [1, 10, 123] {
                let file = file_of(Path::new(name), number).unwrap();
                let entry = derived(&file).unwrap();
                assert_eq!((entry.name.as_path(), entry.number), (Path::new(name), number), "{file:?}");
            }
        }
        for other in ["metadata.json", "_v1", "f_v", "f_v0", "f_v01", "f_v-1", "f_vx.txt", "f_v99999999999999999999"] {
            assert_eq!(derived(OsStr::new(other)), None, "{other}");
        }
    }

    #[test]
    fn times_are_read_with_and_without_offset() {
        let with = time("2025-01-15T10:30:00.5+01:00").unwrap();
        assert_eq!((with.seconds, with.nanos), (1_736_933_400, 500_000_000));
        assert!(time("2025-01-15T10:30:00.123456").is_some());
        assert!(time("2025-01-15T10:30:00").is_some());
        assert_eq!(time("yesterday"), None);
    }
}
