//! Walks the sources, folder by open folder, in order of the names' bytes and following no links.

use super::exclude::Excludes;
use super::info::{Warning, WarningKind};
use super::manifest::{MAX_ABOVE, MAX_DEPTH, PathKey};
use super::read::Attributes;
use super::source::{At, Root};
use crate::error::{Code, Error, Result};
use crate::lock;
use crate::path::{bytes_of, is_reserved};
use crate::pool;
use crate::progress::Progress;
use crate::sys::{Dir, Entry, FileKind, Open, Stat};
use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::Arc;

/// Folders with more names than this are looked at by all cores.
const MANY: usize = 64;
/// No sidecar of ours is larger.
const SIDECAR_LIMIT: u64 = 4096;
/// What the walk may be ahead: a few batches of so many things, or in so many open folders.
const BATCH: usize = 256;
const BATCH_FOLDERS: usize = 16;
const BATCHES: usize = 2;

/// What the walk tells, in walk order.
#[derive(Debug)]
pub enum Event {
    Found(Found),
    /// Something is left out that was not meant to be.
    Warning(Warning),
}

/// Something the walk came to.
#[derive(Debug)]
pub struct Found {
    /// How many folders are above it in its source.
    pub depth: usize,
    /// What its entry is called.
    pub name: Vec<u8>,
    pub stat: Stat,
    pub kind: FoundKind,
}

#[derive(Debug)]
pub enum FoundKind {
    Folder(Attributes),
    /// Where it can be opened.
    File(Arc<Dir>, OsString),
    /// Where it points.
    Symlink(Vec<u8>),
}

/// What to walk through, and how.
pub struct Walk<'a> {
    pub roots: &'a [Root],
    pub excludes: &'a Excludes,
    pub progress: &'a Progress,
    /// Device and inode of a folder to leave out: where the backups are.
    pub skip: Option<(u64, u64)>,
}

impl Walk<'_> {
    /// Walks, in a thread of its own where one can be had (under WASI there is none), and tells.
    pub fn run(&self, tell: &mut dyn FnMut(Event) -> Result<()>) -> Result<()> {
        let (send, receive) = std::sync::mpsc::sync_channel::<Vec<Event>>(BATCHES);
        std::thread::scope(|scope| {
            let walk = move || {
                let mut ahead = Ahead { batch: Vec::new(), folders: 0, send };
                self.all(&mut |event| ahead.tell(event))?;
                ahead.flush()
            };
            let Ok(walking) = std::thread::Builder::new().spawn_scoped(scope, walk) else {
                return self.all(tell);
            };
            let told = receive.iter().flatten().try_for_each(tell);
            drop(receive); // the walk ends when nobody listens any more
            let walked = walking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            told.and(walked)
        })
    }

    fn all(&self, tell: &mut dyn FnMut(Event) -> Result<()>) -> Result<()> {
        let mut walker = Walker { walk: self, tell, key: PathKey::default() };
        self.roots.iter().try_for_each(|root| walker.root(root))
    }
}

/// Collects what is told from a thread.
struct Ahead {
    batch: Vec<Event>,
    folders: usize,
    send: std::sync::mpsc::SyncSender<Vec<Event>>,
}

impl Ahead {
    fn tell(&mut self, event: Event) -> Result<()> {
        self.folders += usize::from(matches!(&event, Event::Found(Found { kind: FoundKind::Folder(_), .. })));
        self.batch.push(event);
        if self.batch.len() >= BATCH || self.folders >= BATCH_FOLDERS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.folders = 0;
        self.send.send(std::mem::take(&mut self.batch)).map_err(|_| Error::new(Code::Cancelled))
    }
}

struct Walker<'w, 'a> {
    walk: &'w Walk<'a>,
    tell: &'w mut dyn FnMut(Event) -> Result<()>,
    key: PathKey,
}

/// How a folder was come by.
#[derive(Clone, Copy, PartialEq)]
enum Opened {
    JustNow,
    Before,
}

impl Walker<'_, '_> {
    /// A source and everything in it.
    fn root(&mut self, root: &Root) -> Result<()> {
        let name = root.source.name.clone();
        self.key.enter(0, &name);
        match &root.at {
            At::Folder(dir) => {
                let stat = dir.stat_self().map_err(|e| Error::io(e, &root.path))?;
                self.folder(dir.clone(), Opened::Before, 0, name, stat)
            }
            At::Name(dir, os_name) => match root.stat()? {
                Stat { kind: FileKind::Folder, .. } => self.named_folder(dir, os_name, 0, name),
                stat => self.named(dir, os_name.clone(), 0, name, stat),
            },
        }
    }

    fn named_folder(&mut self, dir: &Dir, os_name: &OsStr, depth: usize, name: Vec<u8>) -> Result<()> {
        match open_folder(dir, os_name) {
            Ok((inside, stat)) => self.folder(inside, Opened::JustNow, depth, name, stat),
            Err(e) => self.warn_about(e),
        }
    }

    fn named(&mut self, dir: &Arc<Dir>, os_name: OsString, depth: usize, name: Vec<u8>, stat: Stat) -> Result<()> {
        let kind = match stat.kind {
            FileKind::File => FoundKind::File(dir.clone(), os_name),
            FileKind::Symlink => match dir.read_link(&os_name) {
                Ok(target) => FoundKind::Symlink(bytes_of(&target)),
                Err(e) => return self.warn_about(e),
            },
            _ => return self.warn(WarningKind::SpecialFile, "neither a file nor a folder nor a link".to_owned()),
        };
        (self.tell)(Event::Found(Found { depth, name, stat, kind }))
    }

    fn folder(&mut self, dir: Arc<Dir>, opened: Opened, depth: usize, name: Vec<u8>, stat: Stat) -> Result<()> {
        self.walk.progress.check()?;
        if self.walk.skip == Some((stat.device, stat.inode)) && stat.inode != 0 {
            return Ok(());
        }
        let attributes = match Open::Folder(&dir).attributes() {
            Ok(attributes) => attributes,
            Err(e) => {
                self.warn_about(e)?;
                Attributes::new()
            }
        };
        (self.tell)(Event::Found(Found { depth, name, stat, kind: FoundKind::Folder(attributes) }))?;
        if depth >= MAX_DEPTH || self.key.as_bytes().len() > MAX_ABOVE {
            return self.warn(WarningKind::Unreadable, "folders are nested too deep".to_owned());
        }
        let names = if opened == Opened::JustNow { dir.entries_once() } else { dir.entries() };
        match names {
            Ok(names) => self.inside(&dir, depth + 1, names),
            Err(e) => self.warn_about(e),
        }
    }

    fn inside(&mut self, dir: &Arc<Dir>, depth: usize, mut names: Vec<Entry>) -> Result<()> {
        names.retain(|entry| !is_reserved(&entry.name));
        names.sort_by(|a, b| a.name.as_encoded_bytes().cmp(b.name.as_encoded_bytes()));
        for (os_name, looked) in look_at(dir, names) {
            self.walk.progress.check()?;
            let name = bytes_of(&os_name);
            self.key.enter(depth, &name);
            let looked = match looked {
                Ok(looked) => looked,
                Err(e) => {
                    self.warn_about(e)?;
                    continue;
                }
            };
            if self.is_left_out(dir, &os_name, &looked) {
                continue;
            }
            match looked {
                Looked::Folder => self.named_folder(dir, &os_name, depth, name)?,
                Looked::Other(stat) => self.named(dir, os_name, depth, name, stat)?,
            }
        }
        Ok(())
    }

    fn is_left_out(&self, dir: &Dir, name: &OsStr, looked: &Looked) -> bool {
        let is_folder = matches!(looked, Looked::Folder);
        if self.walk.excludes.matches(name.as_ref(), || self.key.below_source(), is_folder) {
            return true;
        }
        let Looked::Other(stat) = looked else { return false };
        let is_candidate =
            stat.kind == FileKind::File && stat.size <= SIDECAR_LIMIT && name.as_encoded_bytes().ends_with(b".lock");
        // One that cannot be read is nobody's sidecar here: reading it as a file will tell.
        is_candidate && lock::is_sidecar(dir, name).unwrap_or(false)
    }

    fn warn_about(&mut self, error: io::Error) -> Result<()> {
        match crate::sys::classify(&error) {
            Code::TooManyOpenFiles | Code::OutOfMemory => Err(error.into()),
            Code::NotFound => self.warn(WarningKind::Vanished, error.to_string()),
            _ => self.warn(WarningKind::Unreadable, error.to_string()),
        }
    }

    fn warn(&mut self, kind: WarningKind, message: String) -> Result<()> {
        (self.tell)(Event::Warning(Warning::new(&self.key.path(), kind, message)))
    }
}

fn open_folder(dir: &Dir, name: &OsStr) -> io::Result<(Arc<Dir>, Stat)> {
    let inside = dir.open_dir(name)?;
    let stat = inside.stat_self()?;
    Ok((Arc::new(inside), stat))
}

/// What stands under a name; a folder is looked at when it is open.
enum Looked {
    Folder,
    Other(Stat),
}

fn look_at(dir: &Dir, names: Vec<Entry>) -> Vec<(OsString, io::Result<Looked>)> {
    let look = |entry: Entry| {
        let looked = match entry.kind {
            FileKind::Folder => Ok(Looked::Folder),
            _ => dir.stat(&entry.name).map(|stat| match stat.kind {
                FileKind::Folder => Looked::Folder,
                _ => Looked::Other(stat),
            }),
        };
        (entry.name, looked)
    };
    match names.len() {
        0..MANY => names.into_iter().map(look).collect(),
        _ => pool::each_of(names, MANY / 2, look),
    }
}
