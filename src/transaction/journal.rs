//! Journals on disk: `docs/format-transaction.md`. A journal under its final name is the decision to carry it out.

use super::step::Step;
use crate::error::{Code, Error, IoContext, Result};
use crate::path::{Key, Location, STORE};
use crate::store::fields::{FieldReader, FieldWriter};
use crate::store::payload::FORMAT;
use crate::store::record::{self, ALIGN, Kind};
use crate::store::{Damage, Store};
use crate::sys::{self, Dir, FileKind, Locked, locks};
use crate::time::Timestamp;
use crate::workspace::Workspace;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The folder of journals in a store.
pub(super) const FOLDER: &str = "tx";
const DECIDED: &str = ".tx";
const DRAFT: &str = ".new";
/// A draft of a writer whose lock others cannot see.
const GUEST_DRAFT: &str = ".guest";
/// Nobody takes this long to write a journal, so such a draft is a dead writer's.
const GUEST_PATIENCE: i64 = 24 * 60 * 60;
/// Names that one transaction may touch.
pub(super) const MAX_STEPS: usize = 1 << 16;
/// No journal is longer.
const MAX_SIZE: u64 = 1 << 28;
const ATTEMPTS: usize = 64;

/// A journal that stands under its final name, and the lock of who carries it out.
#[derive(Debug)]
pub(super) struct Journal {
    dir: Dir,
    name: OsString,
    path: PathBuf,
    lock: Locked,
}

impl Journal {
    /// Writes a draft; the transaction is decided once [`Draft::decide`] has given it its final name.
    pub fn draft(store: &Store, steps: &[Step]) -> Result<Draft> {
        let bytes = encode(steps)?;
        let dir = store.side_folder(FOLDER, true)?.ok_or_else(|| Error::new(Code::NoStore).at(store.path()))?;
        for _ in 0..ATTEMPTS {
            let name = OsString::from(new_id()? + if is_guest() { GUEST_DRAFT } else { DRAFT });
            let path = store.path().join(FOLDER).join(&name);
            let file = store.create_in(&dir, FOLDER, &name)?;
            let Ok(lock) = Locked::attempt(file, true).at(&path)? else { continue };
            // Somebody who clears drafts away may have been faster than the lock.
            if !is_guest() && sys::stat_file(lock.file()).at(&path)?.links == 0 {
                continue;
            }
            let mut draft = Draft { journal: Some(Journal { dir, name, path, lock }) };
            draft.fill(&bytes)?;
            return Ok(draft);
        }
        Err(Error::message(Code::Io, "no name for a journal is free").at(store.path()))
    }

    /// Names the transaction.
    pub fn id(&self) -> String {
        id_of(&self.name)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it; [`Code::Damaged`] if it is not what was written.
    pub fn read(&self) -> Result<Vec<Step>> {
        let file = self.lock.file();
        parse(&read_bounded(file, &self.path)?).map_err(|bad| bad.error().at(&self.path))
    }

    /// Removes it, durably: one that came back after a crash would undo what was written since.
    pub fn remove(self) -> Result<()> {
        match self.dir.remove_file(&self.name) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            removed => removed.at(&self.path)?,
        }
        self.dir.sync().at(&self.path).map(drop)
    }

    /// Takes back a decision that could not be made durable: the answer to that, which says so if this fails too.
    fn undecide(self, error: Error) -> Error {
        let path = self.path.clone();
        match self.remove() {
            Ok(()) => error,
            Err(e) => {
                let words = "the decision could neither be made durable nor taken back: the transaction may be \
                             carried out when the folder is next opened";
                Error::message(Code::DurabilityUnknown, format!("{words} ({}, then {})", error.words(), e.words()))
                    .at(path)
            }
        }
    }

    /// Moves it where nobody takes it for a journal.
    fn set_aside(self, aside: &Dir) -> Result<()> {
        self.dir.rename(&self.name, aside, &self.name).at(&self.path)?;
        aside.sync().at(&self.path)?;
        self.dir.sync().at(&self.path).map(drop)
    }

    /// Whether it still stands under its name.
    pub fn stands(&self) -> Result<bool> {
        let own = sys::stat_file(self.lock.file()).at(&self.path)?;
        match self.dir.stat(&self.name) {
            Ok(now) => Ok(now.same_file(&own)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io(e, &self.path)),
        }
    }
}

/// A journal that is written and flushed but not decided. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Draft {
    journal: Option<Journal>,
}

impl Draft {
    fn fill(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(journal) = &self.journal else { return Err(Error::new(Code::Internal)) };
        let mut file = journal.lock.file();
        file.write_all(bytes).at(&journal.path)?;
        sys::sync_file(file).at(&journal.path)
    }

    /// The moment of decision: before it all is old, after it all will be new.
    pub fn decide(mut self) -> Result<Journal> {
        let Some(journal) = &mut self.journal else { return Err(Error::new(Code::Internal)) };
        let name = OsString::from(journal.id() + DECIDED);
        journal.dir.rename(&journal.name, &journal.dir, &name).at(&journal.path)?;
        // A decision that is not durable must not stand.
        journal.path.set_file_name(&name);
        journal.name = name;
        let synced = journal.dir.sync().at(&journal.path);
        let journal = self.journal.take().ok_or_else(|| Error::new(Code::Internal))?;
        match synced {
            Ok(_) => Ok(journal),
            Err(e) => Err(journal.undecide(e)),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(journal) = self.journal.take() {
            // A draft that stays is removed by the next open.
            let _ = journal.remove();
        }
    }
}

/// Whether locks of this process are invisible to others, and theirs to it.
fn is_guest() -> bool {
    locks::SCOPE == "process"
}

/// A name for a transaction.
pub(super) fn new_id() -> Result<String> {
    Ok(format!("{:016x}", getrandom::u64().map_err(io::Error::other)?))
}

fn id_of(name: &OsStr) -> String {
    let name = name.to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn encode(steps: &[Step]) -> Result<Vec<u8>> {
    let mut head = FieldWriter::default();
    let writer = format!("{}@{}", std::process::id(), sys::host_name());
    head.u64(FORMAT).u64(steps.len() as u64).time(Timestamp::now()).bytes(writer.as_bytes());
    let mut bytes = record::sealed(Kind::Transaction, &head.0);
    for step in steps {
        record::append(&mut bytes, 0, 0, 0, Kind::Step, &step.encode());
    }
    match steps.len() <= MAX_STEPS && bytes.len() as u64 <= MAX_SIZE {
        true => Ok(bytes),
        false => Err(Error::message(Code::TooLarge, format!("a transaction touches at most {MAX_STEPS} names"))),
    }
}

/// Why a file is not a journal that can be carried out.
#[derive(Debug, PartialEq)]
pub(super) enum Bad {
    /// What is wrong, in the record at this offset.
    Damaged(u64, &'static str),
    TooNew,
}

impl Bad {
    fn error(self) -> Error {
        match self {
            Bad::Damaged(_, what) => Error::message(Code::Damaged, format!("the journal is damaged: {what}")),
            Bad::TooNew => Error::new(Code::FormatUnsupported),
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<Step>, Bad> {
    let bad = |at: usize, what| Bad::Damaged(at as u64, what);
    let (head, mut at) = record::unseal_at(bytes, 0, Kind::Transaction).ok_or(bad(0, "its head"))?;
    let mut fields = FieldReader::new(head);
    if fields.u64().ok_or(bad(0, "its head"))? > FORMAT {
        return Err(Bad::TooNew);
    }
    let count = parse_head(fields).ok_or(bad(0, "its head"))?;
    // Each step is a record of its own.
    if count > MAX_STEPS.min(bytes.len() / ALIGN as usize) {
        return Err(bad(0, "more steps than it has room for"));
    }
    let mut steps = Vec::with_capacity(count);
    for _ in 0..count {
        let (payload, next) = record::unseal_at(bytes, at, Kind::Step).ok_or(bad(at, "a step"))?;
        steps.push(Step::parse(payload).ok_or(bad(at, "a step"))?);
        at = next;
    }
    if at == bytes.len() { Ok(steps) } else { Err(bad(at, "more than its steps")) }
}

fn parse_head(mut fields: FieldReader<'_>) -> Option<usize> {
    let count = usize::try_from(fields.u64()?).ok()?;
    fields.time()?;
    fields.text()?;
    fields.end()?;
    Some(count)
}

fn read_bounded(file: &File, path: &Path) -> Result<Vec<u8>> {
    let stat = sys::stat_file(file).at(path)?;
    if stat.kind != FileKind::File || stat.size > MAX_SIZE {
        return Err(Error::message(Code::Damaged, "this is no journal").at(path));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).at(path)?;
    Ok(bytes)
}

/// What stands in the folder of journals.
pub(super) struct Left {
    /// Decided, and their owners are dead.
    pub decided: Vec<Journal>,
    /// What could not be looked at, and stays.
    pub problems: Vec<(String, Error)>,
}

/// Finds the journals of dead owners, and removes the drafts of dead writers.
pub(super) fn left(store: &Store) -> Result<Left> {
    let mut left = Left { decided: Vec::new(), problems: Vec::new() };
    let Some(dir) = store.side_folder(FOLDER, false)? else { return Ok(left) };
    let folder = store.path().join(FOLDER);
    for entry in dir.entries().at(&folder)? {
        let path = folder.join(&entry.name);
        match look(&dir, &entry.name, path) {
            Ok(Some(journal)) => left.decided.push(journal),
            Ok(None) => {}
            Err(e) => left.problems.push((id_of(&entry.name), e)),
        }
    }
    left.decided.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(left)
}

fn look(dir: &Dir, name: &OsStr, path: PathBuf) -> Result<Option<Journal>> {
    let text = name.to_string_lossy();
    let is_decided = text.ends_with(DECIDED);
    let is_draft = text.ends_with(DRAFT) && !is_guest();
    if !is_decided && !is_draft {
        return if text.ends_with(GUEST_DRAFT) { clear_guest(dir, name, &path).map(|()| None) } else { Ok(None) };
    }
    let file = match dir.open_write(name) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.at(&path)?,
    };
    let Ok(lock) = Locked::attempt(file, true).at(&path)? else { return Ok(None) };
    let journal = Journal { dir: dir.try_clone().at(&path)?, name: name.to_owned(), path, lock };
    // Its owner may have finished between the look at the folder and the lock.
    if !journal.stands()? {
        return Ok(None);
    }
    if is_draft {
        return journal.remove().map(|()| None);
    }
    Ok(Some(journal))
}

fn clear_guest(dir: &Dir, name: &OsStr, path: &Path) -> Result<()> {
    let stat = dir.stat(name).at(path)?;
    match is_abandoned(Timestamp::now().seconds, stat.modified.seconds) {
        true => dir.remove_file(name).at(path),
        false => Ok(()),
    }
}

/// A file can have any time.
fn is_abandoned(now: i64, modified: i64) -> bool {
    now.saturating_sub(modified) > GUEST_PATIENCE
}

/// The transactions that are decided, not finished, and to change this file. Who holds the file's lock and is told of
/// one knows that its owner is dead: living ones hold that lock themselves.
pub(crate) fn concerning(workspace: &Workspace, location: &Location) -> Result<Vec<String>> {
    let mut concerning = Vec::new();
    let Some(dir) = open_folder(workspace)? else { return Ok(concerning) };
    let folder = workspace.store().path().join(FOLDER);
    for entry in dir.entries().at(&folder)? {
        if !entry.name.to_string_lossy().ends_with(DECIDED) {
            continue;
        }
        let path = folder.join(&entry.name);
        let read = dir.open_read(&entry.name).at(&path).and_then(|file| read_bounded(&file, &path));
        match read.map(|bytes| parse(&bytes)) {
            Ok(Ok(steps)) if steps.iter().any(|step| step.key == *location.key()) => {
                concerning.push(id_of(&entry.name));
            }
            // Damaged ones are never obeyed; one that is gone is carried out.
            _ => {}
        }
    }
    Ok(concerning)
}

/// The folder of journals, opened by hand: this is asked before every change, and the store need not be looked at.
fn open_folder(workspace: &Workspace) -> Result<Option<Dir>> {
    let store = workspace.base().dir().open_dir(OsStr::new(STORE));
    match store.and_then(|store| store.open_dir(OsStr::new(FOLDER))) {
        Ok(dir) => Ok(Some(dir)),
        // Who may not look into the store may not carry out either.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => Ok(None),
        Err(e) => Err(Error::io(e, workspace.store().path())),
    }
}

/// Checks every byte of the journals in the folder `tx` of a store, and names what is damaged. Changes nothing.
/// Drafts are passed over: nobody relies on them.
pub(crate) fn verify(store: &Store) -> Result<Vec<Damage>> {
    let Some(dir) = store.side_folder(FOLDER, false)? else { return Ok(Vec::new()) };
    let folder = store.path().join(FOLDER);
    let mut damaged = Vec::new();
    for entry in dir.entries().at(&folder)? {
        let name = entry.name.to_string_lossy().into_owned();
        if name.ends_with(DRAFT) || name.ends_with(GUEST_DRAFT) {
            continue;
        }
        let damage =
            |offset, what: String| Damage { file: format!("{FOLDER}/{name}"), offset, what, affected: Vec::new() };
        let path = folder.join(&entry.name);
        let bytes = match dir.open_read(&entry.name).at(&path).and_then(|file| read_bounded(&file, &path)) {
            Ok(bytes) => bytes,
            Err(e) if e.code() == Code::NotFound => continue,
            Err(e) => {
                damaged.push(damage(0, e.words()));
                continue;
            }
        };
        match parse(&bytes) {
            _ if !name.ends_with(DECIDED) => damaged.push(damage(0, "not part of a store".into())),
            Ok(_) => {}
            Err(Bad::Damaged(offset, what)) => damaged.push(damage(offset, format!("journal: {what}"))),
            Err(Bad::TooNew) => return Err(Bad::TooNew.error().at(path)),
        }
    }
    Ok(damaged)
}

/// The versions that decided transactions work from, each by file and number. Takes no lock and changes nothing.
pub(crate) fn versions_needed(store: &Store) -> Result<HashSet<(Key, u64)>> {
    let mut needed = HashSet::new();
    let Some(dir) = store.side_folder(FOLDER, false)? else { return Ok(needed) };
    let folder = store.path().join(FOLDER);
    for entry in dir.entries().at(&folder)?.into_iter().filter(|e| e.name.to_string_lossy().ends_with(DECIDED)) {
        let path = folder.join(&entry.name);
        let bytes = match dir.open_read(&entry.name).at(&path).and_then(|file| read_bounded(&file, &path)) {
            Err(e) if e.code() == Code::NotFound => continue, // carried out meanwhile
            read => read?,
        };
        let steps = parse(&bytes).map_err(|bad| bad.error().at(&path))?;
        needed.extend(steps.into_iter().map(|step| (step.key, step.version)));
    }
    Ok(needed)
}

/// Sets damaged journals of dead owners aside, under `damaged/`: a sentence for each. What they decided is not known any
/// more; the versions they would have written are in the history.
pub(crate) fn set_damaged_aside(store: &Store) -> Result<Vec<String>> {
    let mut actions = Vec::new();
    for journal in left(store)?.decided {
        match journal.read() {
            Err(e) if e.code() == Code::Damaged => {}
            _ => continue,
        }
        let aside = store.side_folder("damaged", true)?.ok_or_else(|| Error::new(Code::NoStore).at(store.path()))?;
        let name = journal.name.display().to_string();
        journal.set_aside(&aside)?;
        actions.push(format!("the journal of transaction {name} is damaged: it is damaged/{name} now"));
    }
    Ok(actions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::step::tests::examples;

    #[test]
    fn a_journal_comes_back_as_it_was() {
        assert_eq!(parse(&encode(&examples()).unwrap()), Ok(examples()));
        assert_eq!(parse(&encode(&[]).unwrap()), Ok(vec![]));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let mut bytes = encode(&examples()).unwrap();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!((0..bytes.len()).all(|end| parse(&bytes[..end]).is_err()));
        assert!(parse(&[&bytes[..], &[0; 128]].concat()).is_err());
        assert!(parse(&[0xFF; 4096]).is_err());
    }

    #[test]
    fn a_guests_draft_may_have_any_time() {
        let abandoned = [i64::MIN, 0, 1_999_000_000];
        let fresh = [2_000_000_000 - 60, 2_000_000_000 + 60, i64::MAX];
        assert!(abandoned.iter().all(|modified| is_abandoned(2_000_000_000, *modified)));
        assert!(!fresh.iter().any(|modified| is_abandoned(2_000_000_000, *modified)));
    }

    #[test]
    fn a_journal_of_a_later_format_is_not_taken_for_damaged() {
        let mut head = FieldWriter::default();
        head.u64(FORMAT + 1).u64(9);
        assert_eq!(parse(&record::sealed(Kind::Transaction, &head.0)), Err(Bad::TooNew));
    }
}
