//! Import of what the original Python Electrus left in a folder.
//!
//! It kept `.versions/metadata.json` with flat copies `NAME_vN.EXT` beside it, and `.backups/<name>/backup_info.json`
//! with flat copies beside that. Versions are imported as kind `import` under the numbers they had, where those are
//! free. The folder is only read, and everything in it is hostile: names resolve beneath the base like any other, sizes
//! and texts are bounded, symbolic links are not followed. Files count where the metadata is damaged or silent.

mod backups;
mod legacy;

use crate::checksum::{Algorithm, Digest, Hasher};
use crate::error::{Code, Error, IoContext, Result};
use crate::path::Key;
use crate::progress::Progress;
use crate::store::{FileState, New, NewVersion, Session, Version, VersionKind};
use crate::sys::{self, Dir, FileKind, Stat};
use crate::version::FileVersionManager;
use crate::workspace::{Workspace, same_content};
use legacy::{Entry, VERSIONS};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// So many versions are committed at a time.
const BATCH: usize = 256;

/// What an import did.
///
/// ```
/// use electrus::{import::import, progress::Progress, workspace::{OpenOptions, Workspace}};
///
/// # let folder = tempfile::tempdir()?;
/// std::fs::create_dir_all(folder.path().join("old/.versions"))?;
/// std::fs::write(folder.path().join("old/.versions/doc_v1.txt"), "first")?;
/// let workspace = Workspace::open(folder.path(), &OpenOptions::default())?;
/// let report = import(&workspace, folder.path().join("old"), &Progress::new())?;
/// println!("{} new versions; skipped: {:?}; problems: {:?}", report.versions, report.skipped, report.problems);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Versions that are new.
    pub versions: u64,
    /// Backups that are new.
    pub backups: u64,
    /// What was left out for a good reason, such as having been imported before: sentences.
    pub skipped: Vec<String>,
    /// What is wrong in the folder, and what could not be imported because of it: sentences.
    pub problems: Vec<String>,
}

impl ImportReport {
    fn skip(&mut self, what: impl ToString, why: impl ToString) {
        self.skipped.push(format!("{}: {}", what.to_string(), why.to_string()));
    }

    fn problem(&mut self, what: impl ToString, why: impl ToString) {
        self.problems.push(format!("{}: {}", what.to_string(), why.to_string()));
    }
}

/// Imports versions and backups from a folder. Again, it imports only what is new.
///
/// ```
/// use electrus::{import::import, progress::Progress, workspace::{OpenOptions, Workspace}};
///
/// # let folder = tempfile::tempdir()?;
/// # let (my_project, old_project) = (folder.path(), folder.path().join("old"));
/// # std::fs::create_dir_all(old_project.join(".versions"))?;
/// let workspace = Workspace::open(my_project, &OpenOptions::default())?;
/// let report = import(&workspace, old_project, &Progress::new())?;
/// println!("{} versions, {} problems", report.versions, report.problems.len());
/// # Ok::<(), electrus::error::Error>(())
/// ```
///
/// # Errors
/// `not_found` if neither `.versions` nor `.backups` is there; what reading or writing says otherwise. What is wrong with
/// single files is in the report instead.
pub fn import(workspace: &Workspace, from: impl AsRef<Path>, progress: &Progress) -> Result<ImportReport> {
    if workspace.options().read_only {
        return Err(Error::message(Code::ReadOnly, "the folder was opened read-only").at(workspace.base().path()));
    }
    let from = from.as_ref();
    let dir = Dir::open(from).at(from)?;
    let mut report = ImportReport::default();
    let versions = legacy::subfolder(&dir, VERSIONS, from)?;
    let backups = legacy::subfolder(&dir, legacy::BACKUPS, from)?;
    if versions.is_none() && backups.is_none() {
        return Err(Error::message(Code::NotFound, "the folder has neither .versions nor .backups").at(from));
    }
    if let Some(versions) = versions {
        import_versions(workspace, from, &versions, progress, &mut report)?;
    }
    if let Some(backups) = backups {
        backups::import(workspace, from, &backups, progress, &mut report)?;
    }
    Ok(report)
}

fn import_versions(
    workspace: &Workspace,
    from: &Path,
    dir: &Dir,
    progress: &Progress,
    report: &mut ImportReport,
) -> Result<()> {
    let entries = legacy::entries(dir, from, report)?;
    progress.expect(entries.len() as u64, 0);
    for (key, entries) in by_key(workspace, from, entries, report) {
        for batch in entries.chunks(BATCH) {
            let mut import = Import { workspace, from, dir, progress, report };
            import.batch(&key, batch)?;
        }
    }
    Ok(())
}

/// Sorts entries under the files that they are versions of, each by number. Names that lead elsewhere are refused.
fn by_key(
    workspace: &Workspace,
    from: &Path,
    entries: Vec<Entry>,
    report: &mut ImportReport,
) -> BTreeMap<Key, Vec<Entry>> {
    let manager = FileVersionManager::new(workspace);
    let mut sorted: BTreeMap<Key, Vec<Entry>> = BTreeMap::new();
    for entry in entries {
        let name = entry.name.strip_prefix(from).map(Path::to_owned).unwrap_or(entry.name.clone());
        match manager.key(&name) {
            Ok(key) => sorted.entry(key).or_default().push(entry),
            Err(e) => report.problem(entry.name.display(), e.words()),
        }
    }
    sorted.values_mut().for_each(|entries| entries.sort_by_key(|e| e.number));
    sorted
}

struct Import<'a> {
    workspace: &'a Workspace,
    from: &'a Path,
    dir: &'a Dir,
    progress: &'a Progress,
    report: &'a mut ImportReport,
}

impl Import<'_> {
    fn batch(&mut self, key: &Key, entries: &[Entry]) -> Result<()> {
        let known = self.workspace.store().versions(key)?;
        let mut session = self.workspace.store().begin()?;
        let mut records = Vec::new();
        for entry in entries {
            self.progress.check()?;
            if let Some(version) = self.read(key, entry, &known, &mut session)? {
                records.push(New::Version(version));
            }
            self.progress.advance(1, 0);
        }
        if !records.is_empty() {
            self.report.versions += records.len() as u64;
            session.commit(records)?;
        }
        Ok(())
    }

    /// One version of the old folder, unless it is here already or cannot be had.
    fn read(
        &mut self,
        key: &Key,
        entry: &Entry,
        known: &[Version],
        session: &mut Session,
    ) -> Result<Option<NewVersion>> {
        let path = self.from.join(VERSIONS).join(&entry.file);
        let (file, stat) = match open(self.dir, &entry.file, &path) {
            Ok(opened) => opened,
            Err(e) => {
                self.report.problem(path.display(), e.words());
                return Ok(None);
            }
        };
        let state = keep(&file, &stat, entry, session, self.progress).map_err(|e| e.at(&path))?;
        if let Some(wanted) = &entry.checksum
            && !state.digests.contains(wanted)
        {
            self.report.problem(path.display(), "the content does not have the recorded checksum; imported as it is");
        }
        let created = entry.created.unwrap_or(stat.modified);
        let same = |v: &&Version| {
            let imported = v.kind == VersionKind::Import && v.created == created;
            v.file.as_ref().is_some_and(|f| same_content(f, &state)) && (v.number == entry.number || imported)
        };
        if let Some(version) = known.iter().find(same) {
            self.report.skip(path.display(), format!("is here already as {key}@{}", version.number));
            return Ok(None);
        }
        Ok(Some(NewVersion {
            key: key.clone(),
            kind: VersionKind::Import,
            file: Some(state),
            of: None,
            other: None,
            wanted: Some(entry.number),
            created: Some(created),
        }))
    }
}

fn open(dir: &Dir, name: &OsStr, path: &Path) -> Result<(File, Stat)> {
    let file = dir.open_read(name).at(path)?;
    let stat = sys::stat_file(&file).at(path)?;
    match stat.kind {
        FileKind::File => Ok((file, stat)),
        _ => Err(Error::new(Code::NotAFile).at(path)),
    }
}

/// Brings a file into the store, with sha256 and the digest that its metadata has.
fn keep(mut file: &File, stat: &Stat, entry: &Entry, session: &mut Session, progress: &Progress) -> Result<FileState> {
    let mut algorithms = vec![Algorithm::Sha256];
    algorithms.extend(entry.checksum.as_ref().map(Digest::algorithm).filter(|a| *a != Algorithm::Sha256));
    let mut hasher = Hasher::new(&algorithms);
    file.seek(SeekFrom::Start(0))?;
    let content = session.put(&mut file, progress, &mut |block| {
        hasher.update(block);
        Ok(())
    })?;
    Ok(FileState {
        content,
        digests: hasher.finish(),
        mode: entry.mode.unwrap_or(stat.mode & 0o777),
        uid: stat.uid,
        gid: stat.gid,
        modified: entry.modified.unwrap_or(stat.modified),
    })
}

/// Reads a text file of the old folder, if it has a sensible size.
fn read_text(dir: &Dir, name: &str, path: &Path) -> Result<Option<Vec<u8>>> {
    // As a document in memory it takes many times its size.
    const LARGEST: u64 = 32 << 20;
    let (file, stat) = match open(dir, OsStr::new(name), path) {
        Ok(opened) => opened,
        Err(e) if e.code() == Code::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    if stat.size > LARGEST {
        return Err(Error::new(Code::TooLarge).at(path));
    }
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).at(path)?;
    Ok(Some(text))
}

/// A path in the old folder, for messages.
fn within(from: &Path, parts: &[&OsStr]) -> PathBuf {
    parts.iter().fold(from.to_owned(), |path, part| path.join(part))
}
