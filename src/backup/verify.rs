//! Reads every file of a backup, and names those that are damaged.

use super::BackupManager;
use super::info::{BackupVerify, DamagedEntry, path_of};
use super::manifest::{FileNode, Node};
use crate::error::{Code, Error, Result};
use crate::pool;
use crate::progress::Progress;
use crate::store::{Snapshot, Store};
use crate::transaction;
use std::collections::HashMap;
use std::io::Read;

/// Files that are checked together.
const BATCH: usize = 1024;
const BLOCK: usize = 256 << 10;
/// Results that are remembered for contents that come again.
const REMEMBERED: usize = 1 << 20;

/// How to verify.
///
/// ```
/// use electrus::progress::Progress;
/// use electrus::backup::{BackupManager, CreateOptions, VerifyOptions};
///
/// # let folder = tempfile::tempdir()?;
/// # let documents = folder.path().join("documents");
/// # std::fs::create_dir(&documents)?;
/// # std::fs::write(documents.join("a.txt"), "text")?;
/// let backups = BackupManager::open(folder.path().join("backups"), Default::default())?;
/// let made = backups.create(Some("monday"), &[&documents], &CreateOptions::default())?;
/// let progress = Progress::new();
/// backups.verify(Some(&made.name), &VerifyOptions { progress: progress.clone() })?;
/// assert_eq!(progress.counts().files_done, 1);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Progress (files and bytes) and cancel.
    pub progress: Progress,
}

pub fn verify(manager: &BackupManager, name: Option<&str>, options: &VerifyOptions) -> Result<BackupVerify> {
    let mut report = match name {
        Some(name) => one(manager, manager.snapshot(name)?, options)?,
        None => all(manager, options)?,
    };
    report.ok = report.damaged.is_empty() && report.store.as_ref().is_none_or(|store| store.damaged.is_empty());
    Ok(report)
}

fn one(manager: &BackupManager, snapshot: Snapshot, options: &VerifyOptions) -> Result<BackupVerify> {
    options.progress.expect(snapshot.files, snapshot.size);
    let mut check = Check::new(manager.existing_store()?, options);
    check.snapshot(manager, &snapshot)?;
    Ok(check.report)
}

/// The store checks each of its bytes once; only if something is wrong are the files looked for that suffer from it. That
/// every backup can be read is seen in its list of files.
fn all(manager: &BackupManager, options: &VerifyOptions) -> Result<BackupVerify> {
    let Some(store) = manager.store()? else { return Ok(BackupVerify::default()) };
    let mut found = store.verify(&options.progress)?;
    found.damaged.extend(transaction::verify(&store)?);
    let snapshots = store.snapshots()?;
    let mut check = Check::new(store, options);
    for snapshot in &snapshots {
        match found.damaged.is_empty() {
            true => check.list(manager, snapshot)?,
            false => check.snapshot(manager, snapshot)?,
        }
    }
    check.report.store = Some(found);
    Ok(check.report)
}

struct Check<'a> {
    store: Store,
    options: &'a VerifyOptions,
    /// What is known of contents by their digest: intact, or what is wrong.
    known: HashMap<[u8; 32], Option<String>>,
    waiting: Vec<(Vec<u8>, FileNode)>,
    report: BackupVerify,
}

impl<'a> Check<'a> {
    fn new(store: Store, options: &'a VerifyOptions) -> Check<'a> {
        Check { store, options, known: HashMap::new(), waiting: Vec::new(), report: BackupVerify::default() }
    }

    fn count(&mut self, snapshot: &Snapshot) {
        self.report.backups += 1;
        self.report.files += snapshot.files;
        self.report.bytes += snapshot.size;
    }

    /// Reads a list of files, and none of them.
    fn list(&mut self, manager: &BackupManager, snapshot: &Snapshot) -> Result<()> {
        self.count(snapshot);
        let read = manager.manifest(snapshot).and_then(|mut reader| {
            while reader.next()?.is_some() {
                self.options.progress.check()?;
            }
            Ok(())
        });
        self.judge(snapshot, read)
    }

    fn snapshot(&mut self, manager: &BackupManager, snapshot: &Snapshot) -> Result<()> {
        self.count(snapshot);
        let read = self.entries(manager, snapshot);
        self.flush(&snapshot.name)?;
        self.judge(snapshot, read)
    }

    /// What reading a list of files came to.
    fn judge(&mut self, snapshot: &Snapshot, read: Result<()>) -> Result<()> {
        match read {
            Err(e) if is_answer(&e) => {
                self.damaged(&snapshot.name, Vec::new(), format!("the list of its files is damaged: {}", e.words()));
                Ok(())
            }
            read => read,
        }
    }

    fn entries(&mut self, manager: &BackupManager, snapshot: &Snapshot) -> Result<()> {
        let mut reader = manager.manifest(snapshot)?;
        while let Some(entry) = reader.next()? {
            self.options.progress.check()?;
            if let Node::File(file) = entry.node {
                self.waiting.push((reader.key().path(), file));
            }
            if self.waiting.len() >= BATCH {
                self.flush(&snapshot.name)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, backup: &str) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let answers: Vec<Result<Option<String>>> = pool::each(&waiting, 16, |(_, file)| self.file(file));
        for ((path, file), answer) in waiting.into_iter().zip(answers) {
            let answer = answer?;
            if self.known.len() < REMEMBERED {
                self.known.insert(file.digest, answer.clone());
            }
            if let Some(what) = answer {
                self.damaged(backup, path, what);
            }
        }
        Ok(())
    }

    fn damaged(&mut self, backup: &str, path: Vec<u8>, what: String) {
        self.report.damaged.push(DamagedEntry { backup: backup.to_owned(), path: path_of(path), what });
    }

    fn file(&self, file: &FileNode) -> Result<Option<String>> {
        let answer = match self.known.get(&file.digest) {
            Some(known) => Ok(known.clone()),
            None => match self.read(file) {
                Err(e) if is_answer(&e) => Ok(Some(e.words())),
                Err(e) => Err(e),
                Ok(()) => Ok(None),
            },
        };
        self.options.progress.advance(1, 0);
        answer
    }

    fn read(&self, file: &FileNode) -> Result<()> {
        let mut reader = self.store.reader(&file.content)?;
        let mut hasher = blake3::Hasher::new();
        let mut block = vec![0; BLOCK.min(file.content.size as usize + 1)];
        loop {
            self.options.progress.check()?;
            match reader.read(&mut block)? {
                0 => break,
                count => {
                    hasher.update(&block[..count]);
                    self.options.progress.advance(0, count as u64);
                }
            }
        }
        match *hasher.finalize().as_bytes() == file.digest && hasher.count() == file.content.size {
            true => Ok(()),
            false => Err(Error::message(Code::Damaged, "its content is not the one that was backed up")),
        }
    }
}

/// Errors that say something about the backup, not about the attempt to read it.
fn is_answer(error: &Error) -> bool {
    matches!(error.code(), Code::Damaged | Code::FormatUnsupported | Code::NotFound | Code::Io)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::{BackupManager, CreateOptions};
    use crate::store::{New, NewSnapshot};

    /// A backup whose list of files is whole, byte for byte, and still cannot be read was called intact.
    #[test]
    fn a_list_of_files_that_cannot_be_read_is_found_in_a_store_without_damage() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::write(tmp.path().join("f"), "x").unwrap();
        let manager = BackupManager::open(tmp.path().join("backups"), Default::default()).unwrap();
        manager.create(Some("good"), &[tmp.path().join("f")], &CreateOptions::default()).unwrap();
        assert!(manager.verify(None, &VerifyOptions::default()).unwrap().ok);

        let mut session = manager.existing_store().unwrap().begin().unwrap();
        let [manifest, references] = ["no list of files", ""]
            .map(|text| session.put(&mut text.as_bytes(), &Progress::new(), &mut |_| Ok(())).unwrap());
        let bad = NewSnapshot { name: "bad".into(), manifest, references, files: 0, size: 0 };
        session.commit(vec![New::Snapshot(bad)]).unwrap();
        for name in [None, Some("bad")] {
            let found = manager.verify(name, &VerifyOptions::default()).unwrap();
            assert!(!found.ok && found.store.is_none_or(|store| store.damaged.is_empty()));
            let [damaged] = found.damaged.as_slice() else { panic!("{:?}", found.damaged) };
            assert_eq!(damaged.backup, "bad");
        }
        assert!(manager.verify(Some("good"), &VerifyOptions::default()).unwrap().ok);
    }
}
