//! What changed between two versions, in text or in a sentence.

use super::FileVersionManager;
use crate::checksum::{Algorithm, of_bytes};
use crate::error::{Code, Error, Result};
use crate::path::Follow;
use crate::store::Which;
use crate::workspace::open_standing;
use similar::TextDiff;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// Contents above this are not compared by lines.
const LARGEST: u64 = 8 << 20;
/// After this, what is left is told as one change.
const PATIENCE: Duration = Duration::from_secs(5);
/// A NUL byte among so many first bytes says that this is not text, as git has it.
const SNIFF: usize = 8000;

/// One side: its name, its size, and the start of its bytes (all of them, if it is not too large).
struct Side {
    label: String,
    size: u64,
    digest: Option<String>,
    bytes: Vec<u8>,
}

pub(super) fn diff(history: &FileVersionManager, name: &Path, from: &Which, to: Option<&Which>) -> Result<String> {
    let old = version(history, name, from)?;
    let new = match to {
        Some(which) => version(history, name, which)?,
        None => standing(history, name)?,
    };
    if old.size == new.size && old.digest() == new.digest() {
        return Ok(String::new());
    }
    if old.is_text() && new.is_text() { Ok(by_lines(&old, &new)) } else { Ok(in_words(&old, &new)) }
}

fn version(history: &FileVersionManager, name: &Path, which: &Which) -> Result<Side> {
    let version = history.version(name, which)?;
    let label = format!("{}@{}", name.display(), version.number);
    let Some(state) = &version.file else {
        return Ok(Side { label, size: 0, digest: None, bytes: Vec::new() });
    };
    let reader = history.workspace.store().reader(&state.content).map_err(|e| e.at(name))?;
    let digest = state.digests.iter().find(|d| d.algorithm() == Algorithm::Sha256).map(|d| d.hex());
    Ok(Side { label, size: state.content.size, digest, bytes: start(reader, name)? })
}

fn standing(history: &FileVersionManager, name: &Path) -> Result<Side> {
    let location = history.workspace.base().resolve(name, Follow::Whole)?;
    let Some((file, stat)) = open_standing(&location)? else {
        return Err(Error::new(Code::NotFound).at(location.path()));
    };
    let digest = match stat.size > LARGEST {
        true => Some(crate::workspace::digest_file(&file, Algorithm::Sha256).map_err(|e| e.at(name))?.hex()),
        false => None,
    };
    let bytes = if digest.is_some() { Vec::new() } else { start(&file, name)? };
    let size = if digest.is_some() { stat.size } else { bytes.len() as u64 };
    Ok(Side { label: name.display().to_string(), size, digest, bytes })
}

fn start(reader: impl Read, name: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| Error::io(e, name))?;
    Ok(bytes)
}

impl Side {
    fn digest(&self) -> String {
        self.digest.clone().unwrap_or_else(|| of_bytes(Algorithm::Sha256, &self.bytes).hex())
    }

    fn is_text(&self) -> bool {
        self.size <= LARGEST && !self.bytes[..self.bytes.len().min(SNIFF)].contains(&0)
    }

    fn words(&self) -> String {
        format!("{} ({} bytes, sha256 {})", self.label, self.size, self.digest())
    }
}

fn by_lines(old: &Side, new: &Side) -> String {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old.bytes.as_slice(), new.bytes.as_slice());
    let mut unified = diff.unified_diff();
    let unified = unified.context_radius(3).header(&old.label, &new.label);
    let mut text = Vec::new();
    match unified.to_writer(&mut text) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => in_words(old, new), // memory does not refuse to be written to
    }
}

fn in_words(old: &Side, new: &Side) -> String {
    format!("{} and {} differ, and are not compared by lines\n", old.words(), new.words())
}
