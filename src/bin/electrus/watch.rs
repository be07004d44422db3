//! Progress bars on work longer than a second, and Ctrl-C.

use crate::platform;
use electrus::error::Family;
use electrus::progress::{Counts, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, stderr};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);

/// Lets Ctrl-C (and SIGTERM, SIGHUP) cancel: the operation stops at its next safe point; the second ends the program at once.
pub fn cancel_on_signal(progress: &Progress) {
    let progress = progress.clone();
    platform::on_signal(move |_| {
        if progress.is_cancelled() {
            std::process::exit(Family::Cancelled as i32);
        }
        progress.cancel();
    });
}

/// Shows a bar on stderr while it lives, if that is a terminal and the work takes its time.
pub struct Bar(Option<(Sender<()>, JoinHandle<()>)>);

impl Bar {
    /// No bar with `--json`: its stderr is for errors alone.
    pub fn over(progress: &Progress, json: bool) -> Bar {
        if json || !stderr().is_terminal() {
            return Bar(None);
        }
        let (stop, stopped) = mpsc::channel();
        let progress = progress.clone();
        // Where no thread can be had there is no bar: it is an ornament.
        let thread = std::thread::Builder::new().spawn(move || {
            if stopped.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let bar = bar.with_elapsed(PATIENCE); // the work began before the bar did
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                show(&bar, progress.counts());
            }
            bar.finish_and_clear();
        });
        Bar(thread.ok().map(|thread| (stop, thread)))
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            let _ = thread.join(); // a bar that failed has nothing left to clear
        }
    }
}

fn show(bar: &ProgressBar, counts: Counts) {
    let template = match (counts.bytes_total, counts.files_total) {
        (0, 0) => "{spinner} {elapsed} {bytes} {msg}",
        (0, _) => "{elapsed} [{wide_bar}] {pos}/{len} files",
        _ => "{elapsed} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {msg}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    match (counts.bytes_total, counts.files_total) {
        (0, 0) => bar.set_position(counts.bytes_done),
        (0, files) => {
            bar.set_length(files);
            bar.set_position(counts.files_done);
        }
        (bytes, _) => {
            bar.set_length(bytes);
            bar.set_position(counts.bytes_done);
        }
    }
    if counts.files_done > 0 {
        bar.set_message(format!("{} files", counts.files_done));
    }
    bar.tick();
}
