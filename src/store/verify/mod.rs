//! Reading every byte of a store and checking it, without changing one.
//!
//! Three passes: every segment from front to back (`segment`), the index against what the segments say (`index`), and every
//! version and backup against the chunks that turned out good (`reach`). Writers may go on meanwhile: what they add after
//! the start is not looked at, and prune is kept away.

mod files;
mod index;
mod reach;
mod segment;

pub use segment::{Found, Span, read_span};

use super::index::Coverage;
use super::layout::RANDOM;
use super::scan::{End, Tail};
use super::view::View;
use super::{Damage, Shared, Store, VerifyReport};
use crate::error::{IoContext, Result};
use crate::progress::Progress;
use crate::sys::{self, Locked};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

impl Store {
    /// Reads every byte of the store (and of nothing else) and checks it. Never changes one.
    pub fn verify(&self, progress: &Progress) -> Result<VerifyReport> {
        let _no_prune = self.0.share()?;
        let Some(scope) = self.0.with_view(|view| view.map(Scope::of).transpose())? else {
            return Ok(VerifyReport::default());
        };
        let mut report = VerifyReport { damaged: scope.damaged.clone(), torn: scope.torn, ..VerifyReport::default() };
        let found = segment::read_all(&scope, progress)?;
        let first = report.damaged.len();
        for part in &found {
            report.bytes += part.bytes;
            report.torn += part.torn;
            report.chunks += part.chunks.len() as u64;
            report.damaged.extend(part.damaged.iter().map(|d| d.to_damage(&scope)));
        }
        index::check(&scope, &found, &mut report);
        files::check(self, &scope, &mut report)?;
        reach::check(self, &found, first, &mut report, progress)?;
        Ok(report)
    }
}

impl Shared {
    /// Keeps prune away without changing anything, if there is anything to keep it from.
    fn share(&self) -> Result<Option<Locked>> {
        let file =
            self.with_view(|view| Ok(view.and_then(|v| v.layout.root.open_read(OsStr::new("store.lock")).ok())))?;
        file.map(|f| Locked::wait(f, false).map_err(|e| super::append::busy(e, &self.path))).transpose()
    }
}

/// What verify looks at: the store as it was at one moment.
pub struct Scope {
    pub spans: Vec<Span>,
    pub coverage: BTreeMap<u64, Coverage>,
    pub runs: Vec<(super::index::RunRef, Option<std::fs::File>)>,
    /// Segments that a prune has decided to remove.
    pub pruned: BTreeSet<u64>,
    damaged: Vec<Damage>,
    torn: u64,
}

impl Scope {
    fn of(view: &mut View) -> Result<Scope> {
        // The append lock, where there is one to be had: nobody is in the middle of a write while the end is looked at.
        // Shared, because to read on may need the same once more.
        let lock = view.layout.root.open_read(OsStr::new("append.lock")).ok();
        let _quiet = lock.map(|f| Locked::wait(f, false)).transpose().at(&view.layout.path)?;
        view.refresh()?;
        let mut scope = Scope {
            spans: Vec::new(),
            coverage: view.catalog.coverage.clone(),
            runs: Vec::new(),
            pruned: view.prune.as_ref().map_or_else(BTreeSet::new, |p| p.old.clone()),
            damaged: Vec::new(),
            torn: 0,
        };
        for info in view.catalog.runs() {
            let name = super::index::run_name(info.number);
            scope.runs.push((info, view.layout.index.open_read(OsStr::new(&name)).ok()));
        }
        for gap in view.missing_logs()? {
            let (file, what) = (relative(view, gap.0), words_of(&gap));
            scope.damaged.push(Damage { file, offset: 0, what, affected: Vec::new() });
        }
        for (number, coverage) in view.scanned.clone() {
            scope.span(view, number, coverage)?;
        }
        Ok(scope)
    }

    fn span(&mut self, view: &mut View, number: u64, coverage: Coverage) -> Result<()> {
        let path = view.segment_path(number);
        let file = match view.file(number) {
            Ok(file) => file,
            Err(e) => {
                self.damaged.push(Damage {
                    file: relative(view, number),
                    offset: 0,
                    what: format!("a segment of the store cannot be opened: {}", e.words()),
                    affected: Vec::new(),
                });
                return Ok(());
            }
        };
        let fence = match number & RANDOM == 0 && coverage.closed {
            true => view.fence_of(number),
            false => None,
        };
        let size = sys::stat_file(&file).at(&path)?.size;
        if fence.is_none() {
            self.check_tail(view, number, coverage.end, &file)?;
        }
        self.spans.push(Span { number, file, relative: relative(view, number), end: coverage.end, size, fence });
        Ok(())
    }

    /// What follows the last record of a segment that may still grow.
    fn check_tail(&mut self, view: &View, number: u64, end: u64, file: &std::fs::File) -> Result<()> {
        let tail = Tail::read(file, end).at(view.segment_path(number))?;
        if tail.zero {
            return Ok(());
        }
        let torn = view.end_of(number) == End::Torn || (tail.head_is_zero && tail.looks_torn);
        if torn {
            self.torn += tail.length;
        } else {
            let what = "bytes beyond the last record are neither zero nor torn".to_owned();
            self.damaged.push(Damage { file: relative(view, number), offset: end, what, affected: Vec::new() });
        }
        Ok(())
    }
}

/// Tells of logs that are missing.
pub fn words_of((first, last): &(u64, u64)) -> String {
    match first == last {
        true => format!("segment {first} is missing"),
        false => format!("segments {first} to {last} are missing"),
    }
}

fn relative(view: &View, number: u64) -> String {
    let path = view.segment_path(number);
    path.strip_prefix(&view.layout.path).unwrap_or(&path).display().to_string()
}
