//! Results that are lists.

use super::Out;
use super::results::{entries, number, plain, several, shown, shown_path, size, text, time};
use super::table::Table;
use crate::failure::Failure;
use crate::style::{self, Style};
use serde_json::Value;

/// The versions of a file, or all files that have some.
pub fn versions(out: &mut Out, result: &Value) -> Result<(), Failure> {
    if let Some(files) = result["files"].as_array() {
        let mut table = Table::new(&["VERSIONS", "NEWEST", "FILE"]);
        for file in files {
            table.row(vec![text(file, "versions"), text(file, "newest"), shown(file)]);
        }
        return if table.is_empty() { out.line("no versions yet") } else { table.print(out) };
    }
    let mut table = Table::new(&["VERSION", "KIND", "SIZE", "TIME", "CHECKSUM", "NOTES"]);
    for version in entries(result, "versions") {
        table.row(vec![
            text(version, "version"),
            text(version, "kind"),
            size(version, "size"),
            time(version, "timestamp"),
            text(version, "checksum").chars().take(12).collect(),
            notes(version),
        ]);
    }
    if table.is_empty() { out.line("no versions yet") } else { table.print(out) }
}

fn notes(version: &Value) -> String {
    let mut notes: Vec<String> = entries(version, "tags").iter().map(|tag| format!("[{}]", plain(tag))).collect();
    if let Some(of) = number(version, "of") {
        notes.push(format!("of {of}"));
    }
    if version["other"].is_string() {
        notes.push(shown_path(version, "other"));
    }
    if version["landed"] == false {
        notes.push("never reached the file".to_owned());
    }
    if version["conflict"] == true {
        notes.push(format!("one of two with this number: {}", text(version, "record")));
    }
    notes.join(" ")
}

/// Who holds a lock.
pub fn holders(out: &mut Out, result: &Value) -> Result<(), Failure> {
    if result["locked"] != true {
        return out.line("not locked");
    }
    let mut table = Table::new(&["PID", "TYPE", "SINCE", "HOST", "SOURCE"]);
    for holder in entries(result, "holders") {
        table.row(vec![
            text(holder, "pid"),
            text(holder, "type"),
            time(holder, "since"),
            text(holder, "host"),
            text(holder, "source"),
        ]);
    }
    if table.is_empty() { out.line("locked") } else { table.print(out) }
}

/// All backups.
pub fn backups(out: &mut Out, result: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["BACKUP", "TIME", "FILES", "SIZE"]);
    for backup in entries(result, "backups") {
        table.row(vec![
            text(backup, "name"),
            time(backup, "timestamp"),
            text(backup, "file_count"),
            size(backup, "total_size"),
        ]);
    }
    if table.is_empty() { out.line("no backups yet") } else { table.print(out) }
}

/// What one backup holds.
pub fn backup(out: &mut Out, result: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["KIND", "SIZE", "CHECKSUM", "PATH"]);
    for file in entries(result, "files") {
        table.row(vec![
            text(file, "kind"),
            size(file, "size"),
            text(file, "checksum").chars().take(12).collect(),
            if file["path"] == "" { ".".to_owned() } else { text(file, "path") },
        ]);
    }
    table.print(out)
}

/// What stands in the way of a restore.
pub fn conflicts(out: &mut Out, result: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["PATH", "IN THE WAY", "WITH --overwrite"]);
    for conflict in entries(result, "conflicts") {
        let helps = if conflict["can_overwrite"] == true { "replaced" } else { "refused" };
        table.row(vec![text(conflict, "path"), text(conflict, "what"), helps.to_owned()]);
    }
    if table.is_empty() { out.line("nothing is in the way") } else { table.print(out) }
}

/// What verify found.
pub fn verified(out: &mut Out, result: &Value) -> Result<(), Failure> {
    for damage in entries(result, "damaged") {
        out.line(format!("{} {}", style::out(Style::Bad, "damaged:"), damaged(damage)))?;
        for affected in entries(damage, "affected") {
            out.line(format!("  affected: {}", plain(affected)))?;
        }
    }
    for conflict in entries(result, "conflicts") {
        out.line(format!(
            "{} two versions claim one number: {}",
            style::out(Style::Warn, "conflict:"),
            plain(conflict)
        ))?;
    }
    if result["ok"] != true {
        return Ok(());
    }
    let mut counts = Vec::new();
    for (key, one) in [("versions", "version"), ("backups", "backup")] {
        if let Some(n) = number(result, key) {
            counts.push(several(n, one));
        }
    }
    if number(result, "bytes").is_some() {
        counts.push(size(result, "bytes"));
    }
    let counts = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
    out.line(format!("{}: nothing is damaged{counts}", style::out(Style::Good, "ok")))
}

fn damaged(damage: &Value) -> String {
    match damage {
        Value::Object(_) => {
            let place = number(damage, "offset").map(|o| format!(" at byte {o}")).unwrap_or_default();
            let file = if damage["file"].is_string() { text(damage, "file") } else { text(damage, "path") };
            format!("{file}{place}: {}", text(damage, "what"))
        }
        other => plain(other),
    }
}

/// What repair did, and what verify says now.
pub fn repaired(out: &mut Out, result: &Value) -> Result<(), Failure> {
    for action in entries(result, "actions") {
        out.line(plain(action))?;
    }
    if entries(result, "actions").is_empty() {
        out.line("nothing to mend")?;
    }
    if result["ok"].is_boolean() { verified(out, result) } else { Ok(()) }
}

/// What was imported.
pub fn imported(out: &mut Out, result: &Value) -> Result<(), Failure> {
    let imported = &result["imported"];
    let counts = ["version", "backup"].map(|one| several(number(imported, &format!("{one}s")).unwrap_or(0), one));
    out.line(format!("imported {}", counts.join(" and ")))?;
    for skipped in entries(result, "skipped") {
        out.line(format!("  skipped {}", plain(skipped)))?;
    }
    Ok(())
}
