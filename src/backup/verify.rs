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

/// The store checks each of its bytes once; only if something is wrong are the files looked for that suffer from it.
fn all(manager: &BackupManager, options: &VerifyOptions) -> Result<BackupVerify> {
    let Some(store) = manager.store()? else { return Ok(BackupVerify::default()) };
    let mut found = store.verify(&options.progress)?;
    found.damaged.extend(transaction::verify(&store)?);
    let snapshots = store.snapshots()?;
    let mut check = Check::new(store, options);
    for snapshot in &snapshots {
        match found.damaged.is_empty() {
            true => check.count(snapshot),
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

    fn snapshot(&mut self, manager: &BackupManager, snapshot: &Snapshot) -> Result<()> {
        self.count(snapshot);
        let read = self.entries(manager, snapshot);
        self.flush(&snapshot.name)?;
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
