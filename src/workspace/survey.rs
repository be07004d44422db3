//! What stands under a name now, and whether history holds it.

use super::Workspace;
use super::turn::{BIG, Turn};
use crate::atomic::Condition;
use crate::checksum::{Algorithm, Digest, Hasher};
use crate::error::{Code, Error, IoContext, Result};
use crate::path::Location;
use crate::progress::Progress;
use crate::store::{FileState, Identity, Landed, Version, VersionKind};
use crate::sys::{self, FileKind, Stat};
use crate::time::Timestamp;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// What contents are compared by.
pub(super) const BEST: Algorithm = Algorithm::Sha256;
/// How often a file that changes while it is read is read again.
const TRIES: u32 = 5;

/// What was found under a name.
#[derive(Debug)]
pub(crate) struct Survey {
    /// What the file is, unless there is none.
    pub stat: Option<Stat>,
    /// The file itself, while it is of use.
    pub file: Option<File>,
    /// Whether history holds it.
    pub history: History,
    /// Whether history is to hold whatever stands there.
    pub guarded: bool,
    /// When this was looked at.
    pub seen: Timestamp,
}

/// What history says to what stands there.
#[derive(Debug)]
pub(crate) enum History {
    /// Nothing is there, or nobody wants a history of it.
    Untold,
    /// It is this version.
    Holds(Box<Version>),
    /// It is not: this is what it is, kept by the turn and to be recorded.
    Lacks(FileState),
}

impl Survey {
    /// Of a name under which nothing stands that could be lost.
    pub(crate) fn nothing() -> Survey {
        Survey { stat: None, file: None, history: History::Untold, guarded: false, seen: Timestamp::now() }
    }

    /// What stands there, as history has it or is about to.
    pub(crate) fn state(&self) -> Option<&FileState> {
        match &self.history {
            History::Untold => None,
            History::Holds(version) => version.file.as_ref(),
            History::Lacks(state) => Some(state),
        }
    }

    /// What history lacks.
    pub(crate) fn lacks(&self) -> Option<&FileState> {
        match &self.history {
            History::Lacks(state) => Some(state),
            _ => None,
        }
    }

    /// Whether a file that was taken out from under the name is surely what was surveyed. The exchange of names is a
    /// change of the inode, so that time says nothing; nor does the other if it was too recent then.
    pub(crate) fn proves(&self, out: &Stat) -> bool {
        let identity = |stat: &Stat| Identity { seen: self.seen, changed: stat.modified, ..Identity::of(stat) };
        let out = Stat { changed: out.modified, ..*out };
        self.stat.as_ref().is_some_and(|then| identity(then).proves(&out))
    }

    /// The digest of what stands there, if something does.
    pub(crate) fn digest(&self, algorithm: Algorithm) -> Result<Option<Digest>> {
        let Some(file) = &self.file else { return Ok(None) };
        let known = self.state().and_then(|state| digest_of(state, algorithm));
        match known {
            Some(digest) => Ok(Some(digest.clone())),
            None => digest_file(file, algorithm).map(Some),
        }
    }

    /// Whether the caller's condition for replacing it is met.
    pub(crate) fn allows(&self, condition: &Condition) -> Result<()> {
        match condition {
            Condition::Always => Ok(()),
            Condition::Absent if self.stat.is_none() => Ok(()),
            Condition::Absent => Err(Error::new(Code::AlreadyExists)),
            Condition::Checksum(wanted) => match self.digest(wanted.algorithm())? {
                Some(found) if found == *wanted => Ok(()),
                _ => Err(Error::new(Code::Changed)),
            },
        }
    }
}

impl Workspace {
    /// Looks at what stands there. With `record`, a file without any history is one whose content history lacks.
    pub(crate) fn survey(
        &self,
        location: &Location,
        record: bool,
        progress: &Progress,
        turn: &mut Turn<'_>,
    ) -> Result<Survey> {
        let newest = self.newest(location)?;
        let (guarded, seen) = (record || newest.is_some(), Timestamp::now());
        let Some((file, stat)) = open_standing(location)? else {
            self.note_removed(location, newest.as_ref());
            return Ok(Survey { stat: None, file: None, history: History::Untold, guarded, seen });
        };
        let history = match newest {
            None if !record => History::Untold,
            Some(version) if proved(&version, &stat) => History::Holds(Box::new(version)),
            newest => {
                let standing = Standing::read(&file, &stat, progress, turn).map_err(|e| e.at(location.path()))?;
                match self.holder(location, newest, &standing)? {
                    Some(version) => {
                        self.note_identity(location, &version, Identity { seen, ..Identity::of(&stat) }, &stat);
                        History::Holds(Box::new(version))
                    }
                    None => History::Lacks(standing.keep(turn)?),
                }
            }
        };
        Ok(Survey { stat: Some(stat), file: Some(file), history, guarded, seen })
    }

    /// The newest version that can be read: a damaged record must not stop a file from being written.
    fn newest(&self, location: &Location) -> Result<Option<Version>> {
        match self.store().newest(location.key()) {
            Err(e) if e.code() == Code::Damaged => Ok(self.store().versions(location.key())?.pop()),
            answer => answer,
        }
    }

    /// The version that this is: the newest one that landed, or a newer one of which that is not known.
    fn holder(&self, location: &Location, newest: Option<Version>, standing: &Standing) -> Result<Option<Version>> {
        let Some(newest) = newest else { return Ok(None) };
        match self.landed(&newest) {
            Landed::Yes(_) => return Ok(standing.is_version(&newest).then_some(newest)),
            Landed::Unknown if standing.is_version(&newest) => {
                self.note(location.key(), newest.number, Landed::Yes(None));
                return Ok(Some(newest));
            }
            _ => {}
        }
        let mut never_landed = Vec::new();
        for version in self.store().versions(location.key())?.into_iter().rev() {
            let same = standing.is_version(&version);
            match self.landed(&version) {
                Landed::No => {}
                Landed::Yes(_) if !same => return Ok(None),
                Landed::Unknown if !same => never_landed.push((version.number, version.kind)),
                _ => {
                    self.note_landed(location, &version, &never_landed);
                    return Ok(Some(version));
                }
            }
        }
        Ok(None)
    }

    /// What stands there proves that this version landed, and that those recorded after it did not.
    fn note_landed(&self, location: &Location, version: &Version, never: &[(u64, VersionKind)]) {
        if self.landed(version) == Landed::Unknown {
            self.note(location.key(), version.number, Landed::Yes(None));
        }
        // An imported version never meant to stand there.
        for (number, _) in never.iter().filter(|(_, kind)| *kind != VersionKind::Import) {
            self.note(location.key(), *number, Landed::No);
        }
    }

    /// A big file that had to be read need not be read again, if its times are old enough to prove something.
    fn note_identity(&self, location: &Location, version: &Version, identity: Identity, stat: &Stat) {
        if stat.size > BIG && identity.proves(stat) {
            self.note(location.key(), version.number, Landed::Yes(Some(identity)));
        }
    }

    /// Whether a version reached its file, as far as the store or this process knows.
    pub(crate) fn landed(&self, version: &Version) -> Landed {
        match landed(version) {
            Landed::Unknown => self.noted(&version.key, version.number).unwrap_or(Landed::Unknown),
            known => known,
        }
    }

    /// A version that says that the file is gone landed, if it is gone.
    fn note_removed(&self, location: &Location, newest: Option<&Version>) {
        if let Some(version) = newest.filter(|v| v.file.is_none() && self.landed(v) == Landed::Unknown) {
            self.note(location.key(), version.number, Landed::Yes(None));
        }
    }
}

/// Whether a version reached its file: one that was taken of the file did.
pub(crate) fn landed(version: &Version) -> Landed {
    match (version.landed, version.kind) {
        (Landed::Unknown, VersionKind::OutsideEdit | VersionKind::Snapshot) => Landed::Yes(None),
        (landed, _) => landed,
    }
}

/// Whether the stat alone proves that a big file is this version. A small one is read: that is as quick, and surer.
fn proved(version: &Version, stat: &Stat) -> bool {
    stat.size > BIG && matches!(version.landed, Landed::Yes(Some(identity)) if identity.proves(stat))
}

/// Opens what stands under a name; `None` if nothing does. Anything but a regular file is refused.
pub(crate) fn open_standing(location: &Location) -> Result<Option<(File, Stat)>> {
    let file = match location.dir().open_read(location.name()) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(refused(location, e)),
    };
    let stat = sys::stat_file(&file).at(location.path())?;
    match stat.kind {
        FileKind::File => Ok(Some((file, stat))),
        _ => Err(Error::new(Code::NotAFile).at(location.path())),
    }
}

/// Sockets and devices without a driver fail to open with errors of their own.
fn refused(location: &Location, error: io::Error) -> Error {
    let kind = location.dir().stat(location.name()).map(|stat| stat.kind);
    match kind {
        Ok(FileKind::File | FileKind::Unknown) | Err(_) => Error::io(error, location.path()),
        Ok(_) => Error::new(Code::NotAFile).at(location.path()),
    }
}

/// A file that was read: a small one is in memory, a big one is with the turn already.
pub(super) enum Standing {
    Small(Vec<u8>, Stat),
    Big(FileState),
}

impl Standing {
    /// Reads all of it, once more if it changed meanwhile.
    pub(super) fn read(file: &File, stat: &Stat, progress: &Progress, turn: &mut Turn<'_>) -> Result<Standing> {
        let mut before = *stat;
        for _ in 0..TRIES {
            let standing = Standing::read_once(file, &before, progress, turn)?;
            let after = sys::stat_file(file)?;
            if unchanged(&before, &after) {
                return Ok(standing);
            }
            before = after;
        }
        Err(Error::new(Code::ChangedWhileRead))
    }

    fn read_once(mut file: &File, stat: &Stat, progress: &Progress, turn: &mut Turn<'_>) -> Result<Standing> {
        file.seek(SeekFrom::Start(0))?;
        if stat.size > BIG {
            return turn.keep_stream(&mut file, stat, progress).map(Standing::Big);
        }
        let mut bytes = Vec::with_capacity(stat.size as usize + 1);
        file.take(BIG + 1).read_to_end(&mut bytes)?;
        Ok(Standing::Small(bytes, *stat))
    }

    /// Whether it is what this version has.
    pub(super) fn is_version(&self, version: &Version) -> bool {
        version.file.as_ref().is_some_and(|state| self.is(state))
    }

    /// Whether the bytes are those of a recorded file.
    pub(super) fn is(&self, state: &FileState) -> bool {
        match self {
            Standing::Small(bytes, _) => holds(state, bytes),
            Standing::Big(mine) => same_content(mine, state),
        }
    }

    /// Keeps it in the store.
    pub(super) fn keep(self, turn: &mut Turn<'_>) -> Result<FileState> {
        match self {
            Standing::Small(bytes, stat) => turn.keep_bytes(&bytes, &stat),
            Standing::Big(state) => Ok(state),
        }
    }
}

/// Whether two looks at one file saw the same.
pub(crate) fn unchanged(before: &Stat, after: &Stat) -> bool {
    before.same_file(after)
        && before.size == after.size
        && before.modified == after.modified
        && before.changed == after.changed
}

/// Whether a recorded file has these bytes: by its chunk where there is one alone, else by its best digest.
fn holds(state: &FileState, bytes: &[u8]) -> bool {
    if state.content.size != bytes.len() as u64 {
        return false;
    }
    match (state.content.depth, &state.content.chunks[..]) {
        (0, []) => true,
        (0, [(id, _)]) => blake3::hash(bytes).as_bytes() == id,
        _ => best_digest(state).is_some_and(|d| crate::checksum::of_bytes(d.algorithm(), bytes) == *d),
    }
}

/// Whether two recorded files have the same bytes.
pub(crate) fn same_content(one: &FileState, other: &FileState) -> bool {
    one.content == other.content
        || one.content.size == other.content.size
            && one.digests.iter().any(|d| !broken(d.algorithm()) && other.digests.contains(d))
}

fn digest_of(state: &FileState, algorithm: Algorithm) -> Option<&Digest> {
    state.digests.iter().find(|d| d.algorithm() == algorithm)
}

/// The digest to compare by: not one for which somebody could have made another content.
pub(crate) fn best_digest(state: &FileState) -> Option<&Digest> {
    state.digests.iter().find(|d| !broken(d.algorithm())).or(state.digests.first())
}

/// Whether equal digests do not prove equal contents.
pub(super) fn broken(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::Md5 | Algorithm::Sha1)
}

/// The digest of all that an open file holds.
pub(crate) fn digest_file(mut file: &File, algorithm: Algorithm) -> Result<Digest> {
    let mut hasher = Hasher::new(&[algorithm]);
    let mut block = vec![0; 1 << 17];
    file.seek(SeekFrom::Start(0))?;
    loop {
        match file.read(&mut block) {
            Ok(0) => break,
            Ok(n) => hasher.update(&block[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    hasher.finish().pop().ok_or_else(|| Error::new(Code::Internal))
}
