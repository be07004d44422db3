//! Who is at work: folders in which temporary files may be left should this process die, and the leases of guests.

use super::layout::{number_in, random_number};
use super::record::{self, Kind};
use super::view::read_whole;
use super::{GUEST, Shared, Store, lock};
use crate::error::{Code, Error, IoContext, Result};
use crate::sys::{self, Dir, Locked};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;

/// No process notes more than this.
const MOST: u64 = 16 << 20;
/// Ends the name of an entry that is not locked yet.
const UNNAMED: &str = ".tmp";
const ATTEMPTS: usize = 64;

/// This process's entry in `active/`.
#[derive(Debug, Default)]
pub struct Active {
    entry: Option<Entry>,
    noted: BTreeSet<Vec<u8>>,
}

#[derive(Debug)]
struct Entry {
    dir: Dir,
    name: OsString,
    file: File,
    /// Kept for its lock.
    _lock: Option<Locked>,
    end: u64,
}

/// Folders noted by dead writers. Holds their entries locked until it is dropped.
#[derive(Debug, Default)]
pub struct LeftFolders {
    /// Their keys, each once.
    pub folders: Vec<Vec<u8>>,
    entries: Vec<(OsString, Locked)>,
}

impl LeftFolders {
    /// Whether no dead writer left anything to be forgotten.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Shared {
    /// Makes this process's entry, if it has none: for guests it is the lease that keeps prune away.
    pub fn announce(&self) -> Result<()> {
        if GUEST { self.enter_active(&mut lock(&self.state().active)) } else { Ok(()) }
    }

    fn enter_active(&self, active: &mut Active) -> Result<()> {
        if active.entry.is_some() {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            if let Some(entry) = self.new_entry()? {
                active.entry = Some(entry);
                return Ok(());
            }
        }
        Err(Error::message(Code::Io, "notes for those who clear up after this process cannot be made").at(&self.path))
    }

    /// `None`: somebody who clears up was faster than the lock.
    fn new_entry(&self) -> Result<Option<Entry>> {
        let name = OsString::from(format!("{:016x}{}", random_number()?, if GUEST { ".guest" } else { "" }));
        let path = self.path.join("active").join(&name);
        // Locked before it has its name, so that nobody takes it for that of a dead process.
        let temp = OsString::from(format!("{}{UNNAMED}", name.display()));
        let (dir, file) = self.with_created_view(|view| {
            let dir = view.layout.optional_folder("active", true)?;
            let dir = dir.ok_or_else(|| Error::new(Code::NoStore).at(&path))?;
            let file = view.layout.create_file(&dir, &temp, &path)?;
            Ok((dir, file))
        })?;
        let lock = Locked::wait(file.try_clone().at(&path)?, true).at(&path)?;
        match dir.rename(&temp, &dir, &name) {
            Ok(()) => Ok(Some(Entry { dir, name, file, _lock: Some(lock), end: 0 })),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => {
                let _ = dir.remove_file(&temp); // the first error is the one to tell
                Err(Error::io(e, path))
            }
        }
    }

    /// Removes this process's entry.
    pub fn close_active(&self) -> Result<()> {
        let mut active = lock(&self.state().active);
        active.noted.clear();
        match active.entry.take() {
            Some(entry) => entry.dir.remove_file(&entry.name).at(self.path.join("active").join(&entry.name)),
            None => Ok(()),
        }
    }

    /// Whether a writer that cannot lock has the store open.
    pub fn leases(&self) -> Result<Vec<OsString>> {
        let own = lock(&self.state().active).entry.as_ref().map(|e| e.name.clone());
        self.with_view(|view| {
            let Some(view) = view else { return Ok(Vec::new()) };
            let Some(dir) = view.layout.optional_folder("active", false)? else { return Ok(Vec::new()) };
            let entries = dir.entries().at(self.path.join("active"))?;
            let lease = |name: &OsStr| name.to_str().is_some_and(|n| n.ends_with(".guest"));
            Ok(entries.into_iter().map(|e| e.name).filter(|n| lease(n) && Some(n) != own.as_ref()).collect())
        })
    }
}

impl Store {
    /// Notes that a temporary file is about to be created in this folder (a key; empty for the base), so that the next
    /// open finds it should this process die. Cheap when repeated.
    pub fn note_folder(&self, folder: &[u8]) -> Result<()> {
        let mut active = lock(&self.0.state().active);
        if active.noted.contains(folder) {
            return Ok(());
        }
        self.0.enter_active(&mut active)?;
        let Active { entry: Some(entry), noted } = &mut *active else { return Ok(()) };
        let mut bytes = Vec::new();
        record::append(&mut bytes, entry.end, 0, 0, Kind::Folder, folder);
        sys::write_at(&entry.file, &bytes, entry.end).at(self.0.path.join("active").join(&entry.name))?;
        entry.end += bytes.len() as u64;
        noted.insert(folder.to_vec());
        Ok(())
    }

    /// Folders in which processes that are dead now may have left temporary files. Give the answer to
    /// [`Store::forget_folders`] when these are gone.
    pub fn left_folders(&self) -> Result<LeftFolders> {
        let own = lock(&self.0.state().active).entry.as_ref().map(|e| e.name.clone());
        self.0.with_view(|view| {
            let Some(view) = view else { return Ok(LeftFolders::default()) };
            let Some(dir) = view.layout.optional_folder("active", false)? else { return Ok(LeftFolders::default()) };
            let mut left = LeftFolders::default();
            let mut folders = BTreeSet::new();
            for entry in dir.entries().at(self.0.path.join("active"))? {
                let unnamed = entry.name.to_str().is_some_and(|n| n.ends_with(UNNAMED));
                if !unnamed && number_in(&entry.name, "").is_none() || Some(&entry.name) == own.as_ref() {
                    continue;
                }
                let Ok(file) = dir.open_read(&entry.name) else { continue }; // its owner has just closed
                let Ok(locked) = Locked::attempt(file, true).at(&self.0.path)? else { continue };
                let bytes = read_whole(locked.file(), MOST).at(self.0.path.join("active").join(&entry.name))?;
                folders.extend(noted_in(&bytes));
                left.entries.push((entry.name, locked));
            }
            left.folders = folders.into_iter().collect();
            Ok(left)
        })
    }

    /// Call when the temporary files of these folders are gone.
    pub fn forget_folders(&self, left: LeftFolders) -> Result<()> {
        self.0.with_view(|view| {
            let Some(view) = view else { return Ok(()) };
            let Some(dir) = view.layout.optional_folder("active", false)? else { return Ok(()) };
            for (name, _locked) in &left.entries {
                match dir.remove_file(name) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => {
                        return Err(Error::io(e, self.0.path.join("active").join(name)));
                    }
                    _ => {}
                }
            }
            Ok(())
        })
    }
}

/// The folders in one entry; a torn last note is of a temporary file that was not created.
pub fn noted_in(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut folders = Vec::new();
    let mut at = 0;
    while let Some((folder, next)) = record::unseal_at(bytes, at, Kind::Folder) {
        folders.push(folder.to_vec());
        at = next;
    }
    folders
}
