//! Backups of the old folder, taken over as backups of the same name.

use super::legacy::BACKUPS;
use super::{ImportReport, read_text, within};
use crate::backup::{BackupManager, BackupOptions, CreateOptions};
use crate::error::{Code, IoContext, Result};
use crate::progress::Progress;
use crate::sys::{Dir, FileKind};
use crate::workspace::Workspace;
use std::ffi::OsStr;
use std::path::Path;

const INFO: &str = "backup_info.json";

/// Each folder becomes a backup with all that is in it, `backup_info.json` included.
pub(super) fn import(
    workspace: &Workspace,
    from: &Path,
    dir: &Dir,
    progress: &Progress,
    report: &mut ImportReport,
) -> Result<()> {
    let folder = within(from, &[OsStr::new(BACKUPS)]);
    let manager = manager(workspace, &folder)?;
    let mut entries = dir.entries().at(&folder)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in entries {
        progress.check()?;
        let path = folder.join(&entry.name);
        match dir.stat(&entry.name).at(&path)?.kind {
            FileKind::Folder => one(&manager, &dir.open_dir(&entry.name).at(&path)?, &path, progress, report)?,
            _ => report.skip(path.display(), "is no backup"),
        }
    }
    Ok(())
}

/// A folder beneath the base is backed up as such, another by its ordinary path.
fn manager(workspace: &Workspace, folder: &Path) -> Result<BackupManager> {
    let beneath = BackupManager::for_workspace(workspace)?;
    let real = std::fs::canonicalize(folder).at(folder)?;
    if real.starts_with(workspace.base().path()) {
        return Ok(beneath);
    }
    let options = BackupOptions { group: workspace.options().group, read_only: false };
    if beneath.path().starts_with(workspace.store().path()) {
        workspace.make_store_folder()?;
    }
    BackupManager::open(beneath.path(), options)
}

fn one(manager: &BackupManager, dir: &Dir, path: &Path, progress: &Progress, report: &mut ImportReport) -> Result<()> {
    let name = name_of(dir, path, report);
    let source = std::fs::canonicalize(path).at(path)?;
    let options = CreateOptions { progress: progress.clone(), collect: false, ..CreateOptions::default() };
    match manager.create(Some(&name), &[source], &options) {
        Ok(made) => {
            report.backups += 1;
            let warnings = made.warnings.iter().map(|w| w.message.clone());
            warnings.for_each(|warning| report.problem(path.display(), warning));
        }
        Err(e) if e.code() == Code::AlreadyExists => {
            report.skip(path.display(), format!("a backup named {name:?} exists already"));
        }
        Err(e) if e.code() == Code::InvalidName => report.problem(path.display(), e.words()),
        Err(e) => return Err(e),
    }
    Ok(())
}

/// The name that its description tells, or that of the folder. A damaged description is told of, and no hindrance.
fn name_of(dir: &Dir, path: &Path, report: &mut ImportReport) -> String {
    let fallback = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let told = match read_text(dir, INFO, &path.join(INFO)) {
        Ok(Some(text)) => serde_json::from_slice::<serde_json::Value>(&text).map_err(|e| e.to_string()),
        Ok(None) => Err("is missing".to_owned()),
        Err(e) => Err(e.words()),
    };
    match told {
        Ok(info) => info.get("name").and_then(|name| name.as_str()).map_or(fallback, str::to_owned),
        Err(why) => {
            report.problem(path.join(INFO).display(), format!("{why}; the name is taken from the folder"));
            fallback
        }
    }
}
