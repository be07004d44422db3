//! Setting damage aside, so that everything else works on.

use super::gaps::{is_litter, is_log};
use super::layout::{Layout, RANDOM, segment_name};
use super::model::RepairReport;
use super::record::Kind;
use super::rewrite::{Rewriter, known};
use super::scan::{Item, Stretch};
use super::verify::words_of;
use super::view::{PruneCommit, View};
use super::{Shared, Store};
use crate::error::{Code, Error, IoContext, Result};
use crate::progress::Progress;
use crate::sys::{self, Dir};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;

impl Store {
    /// Rebuilds the index and replaces segments that hold damage by what of them is good; the originals are kept under
    /// `damaged/`. What damage reached stays listed, and stays unreadable, until it is pruned. Refuses with `store_busy`
    /// while a writer has the store open, or while one that cannot lock has a lease, unless `break_leases`.
    pub fn repair(&self, break_leases: bool, progress: &Progress) -> Result<RepairReport> {
        self.0.check_writable()?;
        let mut report = RepairReport::default();
        self.0.set_prune_aside(&mut report)?;
        if !self.exists()? {
            return Ok(report);
        }
        self.0.refuse_leases(break_leases)?;
        let _alone = self.0.exclude_writers()?;
        let appending = self.0.begin_append()?;
        let lock = &appending.lock;
        self.0.with_created_view(|view| {
            view.finish_prune(lock)?;
            view.rescan()?;
            view.remove_temporary()?;
            let bad = view.damaged_segments(progress)?;
            let missing = view.missing_logs()?;
            report.actions.extend(
                missing.iter().map(|gap| format!("{}: what the others hold was kept, and every pack", words_of(gap))),
            );
            if !bad.is_empty() || !missing.is_empty() {
                view.replace(lock, bad, !missing.is_empty(), &mut report)?;
            }
            view.catalog.clear(&view.layout)?;
            view.rescan()?;
            view.flush_index()?;
            report.actions.push("the index was rebuilt".to_owned());
            let removed = view.remove_litter()?;
            if removed > 0 {
                report.actions.push(format!("{removed} bytes of left-over files were removed"));
            }
            Ok(())
        })?;
        Ok(report)
    }
}

/// Gives a segment a second name, or where that cannot be, copies it.
fn keep_aside(dir: &Dir, aside: &Dir, name: &str, layout: &Layout) -> io::Result<()> {
    match dir.link(OsStr::new(name), aside, OsStr::new(name)) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // EPERM is what a Linux file system without hard links answers.
        Err(e) if matches!(sys::classify(&e), Code::Unsupported | Code::PermissionDenied) => {
            copy_aside(dir, aside, name, layout)
        }
        linked => linked,
    }
}

fn copy_aside(dir: &Dir, aside: &Dir, name: &str, layout: &Layout) -> io::Result<()> {
    let from = dir.open_read(OsStr::new(name))?;
    let temp = format!("{name}.tmp");
    match aside.remove_file(OsStr::new(&temp)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let to = layout.create_file(aside, OsStr::new(&temp), &layout.path.join("damaged").join(name))?;
    let (mut at, mut block) = (0, vec![0; 1 << 20]);
    loop {
        let read = sys::read_at(&from, &mut block, at)?;
        if read == 0 {
            break;
        }
        sys::write_at(&to, &block[..read], at)?;
        at += read as u64;
    }
    sys::sync_file(&to)?;
    aside.rename(OsStr::new(&temp), aside, OsStr::new(name))
}

impl Shared {
    /// A damaged `prune.commit` would keep the store from opening. The segments it spoke of are all still there.
    fn set_prune_aside(&self, report: &mut RepairReport) -> Result<()> {
        match self.with_view(|_| Ok(())) {
            Err(e) if e.code() == Code::Damaged && e.path().is_some_and(|p| p.ends_with("prune.commit")) => {}
            _ => return Ok(()),
        }
        let root = self.parent.open_dir(&self.name).at(&self.path)?;
        let name = OsStr::new("prune.commit");
        root.rename(name, &root, OsStr::new("prune.tmp")).at(self.path.join(name))?;
        root.sync().at(&self.path)?;
        report.actions.push("a damaged prune.commit was set aside".to_owned());
        Ok(())
    }
}

impl View {
    /// Segments in which something is wrong, the fenced tails of logs included.
    fn damaged_segments(&mut self, progress: &Progress) -> Result<BTreeSet<u64>> {
        let mut bad = BTreeSet::new();
        for (number, coverage) in self.scanned.clone() {
            let file = match self.file(number) {
                Ok(file) => file,
                Err(e) if e.code() == Code::NotFound => continue,
                Err(e) => return Err(e),
            };
            let fence = match coverage.closed && number & RANDOM == 0 {
                true => self.fence_of(number),
                false => None,
            };
            let size = crate::sys::stat_file(&file).at(self.segment_path(number))?.size;
            let end = coverage.end;
            let span = super::verify::Span { number, file, relative: segment_name(number), end, size, fence };
            let found = super::verify::read_span(&span, progress)?;
            if !found.damaged.is_empty() || self.end_of(number) == super::scan::End::Damaged {
                bad.insert(number);
            }
        }
        for number in self.listed()?.into_iter().filter(|n| !is_log(*n)) {
            let hidden = !self.scanned.contains_key(&number);
            if hidden && !is_litter(&*self.file(number)?, number).at(self.segment_path(number))? {
                bad.insert(number);
            }
        }
        Ok(bad)
    }

    fn replace(
        &mut self,
        lock: &super::append::AppendLock,
        mut bad: BTreeSet<u64>,
        all_logs: bool,
        report: &mut RepairReport,
    ) -> Result<()> {
        let aside = self.layout.optional_folder("damaged", true)?.ok_or_else(|| Error::new(Code::NoStore))?;
        let guests = self.layout.optional_folder("guests", false)?;
        for number in &bad {
            let name = segment_name(*number);
            let dir = if self.segment_path(*number).parent().is_some_and(|p| p.ends_with("guests")) {
                &guests
            } else {
                &None
            };
            let dir = dir.as_ref().unwrap_or(&self.layout.segments);
            keep_aside(dir, &aside, &name, &self.layout).at(self.segment_path(*number))?;
            report
                .actions
                .push(format!("{name} is damaged: its good records were kept, the original is damaged/{name}"));
        }
        aside.sync().at(&self.layout.path)?;
        let mut replaced = 0;
        if all_logs || bad.iter().any(|n| n & RANDOM == 0) {
            // Logs go together, so that those that stay have no gap.
            bad.extend(self.scanned.keys().copied().filter(|n| n & RANDOM == 0));
            self.roll()?;
            bad.remove(&self.log);
            replaced = self.log - 1;
        }
        let new = self.keep_good(&bad, replaced)?;
        self.publish_prune(lock, PruneCommit { new, old: bad })
    }

    /// Packs that no record attaches, up to where they are good: the record that did may be what is damaged.
    fn unattached(&mut self) -> Result<Vec<(u64, u64)>> {
        let mut found = Vec::new();
        for number in self.listed()? {
            if number & RANDOM == 0 || self.scanned.contains_key(&number) {
                continue;
            }
            let file = self.file(number)?;
            let stretch = Stretch { file: &file, segment: number, from: 0, limit: None };
            let mut good = 0;
            stretch.scan::<Error>(&mut |item| {
                if let Item::Record(header, _) = item {
                    good = header.next();
                }
                Ok(())
            })?;
            found.extend((good > 0).then_some((number, good)));
        }
        Ok(found)
    }

    fn keep_good(&mut self, bad: &BTreeSet<u64>, replaced: u64) -> Result<BTreeSet<u64>> {
        let mut copies = Vec::new();
        for number in bad {
            copies.push((*number, self.file(*number)?, self.scanned.get(number).map(|c| c.end)));
        }
        let unattached = self.unattached()?;
        let mut writer = Rewriter::new(self, bad, replaced)?;
        for (number, file, limit) in &copies {
            let stretch = Stretch { file, segment: *number, from: 0, limit: *limit };
            stretch.scan::<Error>(&mut |item| {
                let Item::Record(header, payload) = item else { return Ok(()) };
                match known(header)? {
                    Kind::Segment => Ok(()),
                    Kind::Frame => writer.copy_frame(header, payload, &|_| true),
                    Kind::Attach => match super::payload::parse_attach(payload) {
                        Some((segment, _)) if bad.contains(&segment) => Ok(()),
                        _ => writer.copy(Kind::Attach, header.sequence, payload),
                    },
                    kind => writer.copy(kind, header.sequence, payload),
                }
            })?;
        }
        for (number, end) in unattached {
            writer.copy(Kind::Attach, 0, &super::payload::encode_attach(number, end))?;
        }
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreOptions;

    #[test]
    fn what_cannot_have_a_second_name_is_copied() {
        let tmp = tempfile::tempdir().unwrap();
        let parent = Dir::open(tmp.path()).unwrap();
        let layout = Layout::create(&parent, OsStr::new("store"), &tmp.path().join("store"), StoreOptions::default());
        let layout = layout.unwrap();
        let aside = layout.optional_folder("damaged", true).unwrap().unwrap();
        let bytes: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
        std::fs::write(tmp.path().join("store/segments/s.seg"), &bytes).unwrap();
        std::fs::write(tmp.path().join("store/damaged/s.seg.tmp"), "of one that died").unwrap();
        copy_aside(&layout.segments, &aside, "s.seg", &layout).unwrap();
        assert!(std::fs::read(tmp.path().join("store/damaged/s.seg")).unwrap() == bytes);
        assert_eq!(std::fs::read_dir(tmp.path().join("store/damaged")).unwrap().count(), 1);
    }
}
