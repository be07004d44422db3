//! One result as a sentence.

use super::Out;
use crate::failure::{self, Failure};
use crate::style::{self, Style};
use crate::units::{human_size, human_time};
use serde_json::Value;
use std::path::Path;

/// What was done, in one line.
pub fn sentence(operation: &str, result: &Value) -> String {
    let name = shown(result);
    match operation {
        "write" | "json_write" | "json_set" | "json_merge" | "json_patch" => {
            format!("wrote {name}: {}", facts(result))
        }
        "copy" => format!("copied to {name}: {}", facts(result)),
        "rename" => format!("renamed to {name}: {}", facts(result)),
        "snapshot" => format!("{name}: {}", facts(result)),
        "restore" => format!("restored {name}: {}", facts(result)),
        "delete" => match number(result, "version") {
            Some(version) => format!("deleted {name}: its history stays, up to version {version}"),
            None => format!("deleted {name}"),
        },
        "tag" => format!("{name}: version {}, tag {}", text(result, "version"), text(result, "tag")),
        "prune" | "backup_prune" => pruned(result),
        "backup_create" => format!(
            "backup {}: {}, {} ({} new)",
            text(result, "name"),
            several(number(result, "file_count").unwrap_or(0), "file"),
            size(result, "total_size"),
            size(result, "added_size"),
        ),
        "backup_restore" => restored(result),
        _ => result.to_string(),
    }
}

/// Everything `stat` knows, a line each.
pub fn stat(out: &mut Out, result: &Value) -> Result<(), Failure> {
    const LINES: [(&str, &str); 9] = [
        ("file", "file_path"),
        ("kind", "kind"),
        ("size", "size"),
        ("checksum", "checksum"),
        ("algorithm", "checksum_algorithm"),
        ("created", "created_at"),
        ("modified", "modified_at"),
        ("version", "version"),
        ("permissions", "permissions"),
    ];
    for (title, key) in LINES.iter().filter(|(_, key)| !result[*key].is_null()) {
        out.line(format!("{title:<12} {}", style::visible(&text(result, key))))?;
    }
    Ok(())
}

/// A unified diff, coloured line by line.
pub fn diff(out: &mut Out, result: &Value) -> Result<(), Failure> {
    for line in result["diff"].as_str().unwrap_or_default().lines() {
        let shown: String = line.split('\t').map(style::visible).collect::<Vec<_>>().join("\t");
        out.line(match line.as_bytes().first() {
            Some(b'+') => style::out(Style::Good, &shown),
            Some(b'-') => style::out(Style::Bad, &shown),
            Some(b'@') => style::out(Style::Faint, &shown),
            _ => shown,
        })?;
    }
    Ok(())
}

/// What else there is to tell: content that somebody else wrote, less durability than asked, warnings.
pub fn remarks(out: &mut Out, result: &Value) -> Result<(), Failure> {
    if let Some(version) = number(result, "outside_edit") {
        out.line(format!("  what another program had written there is kept as version {version}"))?;
    }
    for warning in entries(result, "warnings").iter().chain(entries(result, "problems")) {
        failure::warn(&match warning {
            Value::Object(_) => match text(warning, "path") {
                path if path.is_empty() => text(warning, "message"), // about all of it
                path => format!("{path}: {}", text(warning, "message")),
            },
            words => plain(words),
        });
    }
    Ok(())
}

fn facts(result: &Value) -> String {
    let mut facts = Vec::new();
    if let Some(version) = number(result, "version") {
        facts.push(format!("version {version}"));
    }
    facts.push(size(result, "size"));
    if let (Some(algorithm), Some(checksum)) = (result["algorithm"].as_str(), result["checksum"].as_str()) {
        facts.push(format!("{algorithm} {checksum}"));
    }
    if result["durability"].as_str().is_some_and(|level| level != "full") {
        facts.push(format!("durability {}", text(result, "durability")));
    }
    facts.join(", ")
}

fn pruned(result: &Value) -> String {
    let freed = number(result, "bytes_before").unwrap_or(0).saturating_sub(number(result, "bytes_after").unwrap_or(0));
    let counts = [("versions", "version"), ("backups", "backup")].map(|(key, one)| (number(result, key), one));
    let removed: Vec<String> =
        counts.iter().filter_map(|(n, one)| n.filter(|n| *n > 0).map(|n| several(n, one))).collect();
    let removed = if removed.is_empty() { "nothing".to_owned() } else { removed.join(" and ") };
    format!("removed {removed}, {} freed", human_size(freed))
}

fn restored(result: &Value) -> String {
    let mut counts = vec![several(number(result, "restored").unwrap_or(0), "file")];
    match entries(result, "skipped").len() {
        0 => {}
        n => counts.push(format!("{n} unchanged")),
    }
    match number(result, "versioned").unwrap_or(0) {
        0 => {}
        n => counts.push(format!("what {n} of them replaced is in the history")),
    }
    format!("restored backup {}: {}", text(result, "name"), counts.join(", "))
}

/// `1 file`, `2 files`.
pub fn several(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// A result's file, from the current folder if it is below.
pub fn shown(result: &Value) -> String {
    shown_path(result, "file_path")
}

/// The path under a key, from the current folder if it is below.
pub fn shown_path(result: &Value, key: &str) -> String {
    let path = result[key].as_str().unwrap_or_default();
    let here = std::env::current_dir().ok().and_then(|here| here.canonicalize().ok());
    let short = here.and_then(|here| Path::new(path).strip_prefix(here).ok().map(|p| p.to_string_lossy().into_owned()));
    style::visible(short.as_deref().filter(|s| !s.is_empty()).unwrap_or(path))
}

/// A number or text under a key, as text.
pub fn text(result: &Value, key: &str) -> String {
    plain(&result[key])
}

/// A value without the quotes of JSON.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => style::visible(text),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub fn number(result: &Value, key: &str) -> Option<u64> {
    result[key].as_u64()
}

pub fn size(result: &Value, key: &str) -> String {
    number(result, key).map(human_size).unwrap_or_default()
}

pub fn time(result: &Value, key: &str) -> String {
    result[key].as_str().map(human_time).unwrap_or_default()
}

/// A list under a key.
pub fn entries<'a>(result: &'a Value, key: &str) -> &'a [Value] {
    result[key].as_array().map_or(&[], Vec::as_slice)
}
