//! The small files beside the segments, and files that do not belong there.

use super::Scope;
use crate::error::{IoContext, Result};
use crate::store::gaps::{is_litter, is_log};
use crate::store::layout::number_in;
use crate::store::model::{Damage, VerifyReport};
use crate::store::record::{self, Kind};
use crate::store::view::{PruneCommit, read_whole};
use crate::store::{Shared, Store};
use crate::sys::{self, Dir, FileKind, Locked};
use std::ffi::OsStr;

const MOST: u64 = 64 << 20;

pub fn check(store: &Store, scope: &Scope, report: &mut VerifyReport) -> Result<()> {
    let root = store.0.with_view(|view| view.map(|v| v.layout.root.try_clone().at(&v.layout.path)).transpose())?;
    let Some(root) = root else { return Ok(()) };
    let check = Check { shared: &store.0, scope };
    for entry in root.entries().at(&store.0.path)? {
        let name = entry.name.to_string_lossy().into_owned();
        match name.as_str() {
            // Locks carry nothing; the others are checked by the rooms they belong to.
            "store.lock" | "append.lock" | "prune.tmp" | "tx" | "backups" | "damaged" => {}
            "segments" | "guests" | "index" | "active" => check.folder(&root, &name, report)?,
            "prune.commit" => check.prune(&root, report)?,
            _ => report.damaged.push(stranger(&name)),
        }
    }
    Ok(())
}

struct Check<'a> {
    shared: &'a Shared,
    scope: &'a Scope,
}

impl Check<'_> {
    fn folder(&self, root: &Dir, folder: &str, report: &mut VerifyReport) -> Result<()> {
        let path = self.shared.path.join(folder);
        let dir = root.open_dir(OsStr::new(folder)).at(&path)?;
        for entry in dir.entries().at(&path)? {
            let name = entry.name.to_string_lossy().into_owned();
            let shown = format!("{folder}/{name}");
            if name.ends_with(".tmp") || name.ends_with(".new") {
                continue; // litter of a crash: nothing refers to it
            }
            match folder {
                "segments" | "guests" if number_in(&entry.name, ".seg").is_some() => {
                    self.unattached(&dir, folder, &entry.name, report)?;
                }
                "index" if name == "current" => self.current(&dir, report)?,
                "index" if number_in(&entry.name, ".run").is_some() => {}
                "active" if dir.stat(&entry.name).is_ok_and(|s| s.kind == FileKind::File) => {
                    self.active(&dir, &entry.name, &shown, report)?;
                }
                _ => report.damaged.push(stranger(&shown)),
            }
        }
        Ok(())
    }

    /// A pack that no record attaches holds nothing that anybody was told is kept, and what was begun after the look is not
    /// looked at. Anything else that is not read is hidden by damage.
    fn unattached(&self, dir: &Dir, folder: &str, name: &OsStr, report: &mut VerifyReport) -> Result<()> {
        let read = |n: &u64| self.scope.pruned.contains(n) || self.scope.spans.iter().any(|s| s.number == *n);
        let Some(number) = number_in(name, ".seg").filter(|n| !read(n)) else { return Ok(()) };
        let Ok(file) = dir.open_read(name) else { return Ok(()) };
        let hidden = match is_log(number) {
            true => self.scope.spans.iter().any(|s| is_log(s.number) && s.number > number),
            false => folder == "segments" && !is_litter(&file, number).at(self.shared.path.join(folder).join(name))?,
        };
        match hidden {
            true => {
                let name = format!("{folder}/{}", name.display());
                report.damaged.push(wrong(&name, "a segment that cannot be read"));
            }
            false if is_log(number) => {}
            false => report.torn += sys::stat_file(&file).map_or(0, |s| s.size),
        }
        Ok(())
    }

    fn current(&self, dir: &Dir, report: &mut VerifyReport) -> Result<()> {
        let path = self.shared.path.join("index/current");
        let Ok(file) = dir.open_read(OsStr::new("current")) else { return Ok(()) };
        let bytes = read_whole(&file, MOST).at(path)?;
        report.bytes += bytes.len() as u64;
        if record::unseal(&bytes, Kind::Index).is_none() {
            report.damaged.push(wrong(
                "index/current",
                "the list of index runs fails its checksum (the next writer rebuilds it)",
            ));
        }
        Ok(())
    }

    fn prune(&self, root: &Dir, report: &mut VerifyReport) -> Result<()> {
        let path = self.shared.path.join("prune.commit");
        let Ok(file) = root.open_read(OsStr::new("prune.commit")) else { return Ok(()) };
        let bytes = read_whole(&file, MOST).at(path)?;
        report.bytes += bytes.len() as u64;
        if PruneCommit::parse(&bytes).is_none() {
            report.damaged.push(wrong("prune.commit", "fails its checksum"));
        }
        Ok(())
    }

    /// Notes of a writer that lives may be in the making; those of a dead one end whole or torn.
    fn active(&self, dir: &Dir, name: &OsStr, shown: &str, report: &mut VerifyReport) -> Result<()> {
        let Ok(file) = dir.open_read(name) else { return Ok(()) };
        let Ok(locked) = Locked::attempt(file, false).at(&self.shared.path)? else { return Ok(()) };
        let bytes = read_whole(locked.file(), MOST).at(self.shared.path.join(shown))?;
        report.bytes += bytes.len() as u64;
        let mut at = 0;
        while let Some((_, next)) = record::unseal_at(&bytes, at, Kind::Folder) {
            at = next;
        }
        if at < bytes.len() && !record::ends_early(&bytes[at..], at as u64) {
            report.damaged.push(wrong(shown, "a note of folders fails its checksum"));
        }
        Ok(())
    }
}

fn wrong(file: &str, what: &str) -> Damage {
    Damage { file: file.to_owned(), offset: 0, what: what.to_owned(), affected: Vec::new() }
}

fn stranger(name: &str) -> Damage {
    wrong(name, "does not belong to the store")
}
