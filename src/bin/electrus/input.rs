//! New content: from stdin, a file or the command line.

use crate::args::Content;
use crate::platform;
use electrus::error::{Code, Error, Result};
use electrus::ops::Input;
use electrus::progress::Progress;
use serde_json::Value;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// What is up to this long is handed over in memory, which takes the store's shortest way.
const SMALL: u64 = 1 << 20;
const PIECE: usize = 1 << 18;

/// The content of a write.
pub fn content(options: &Content, progress: &Progress) -> Result<Input<'static>> {
    if let Some(text) = &options.text {
        return Ok(Input::Bytes(platform::bytes_of(text).into()));
    }
    let mut reader = open(options.from.as_deref(), progress)?;
    let mut start = Vec::new();
    (&mut reader).take(SMALL + 1).read_to_end(&mut start).map_err(|e| Error::io(e, named(options)))?;
    match start.len() as u64 > SMALL {
        true => Ok(Input::Reader(Box::new(Cursor::new(start).chain(reader)))),
        false => Ok(Input::Bytes(start.into())),
    }
}

/// A JSON document.
pub fn json(options: &Content, progress: &Progress) -> Result<Value> {
    let text = whole(options, progress)?;
    electrus::json::parse(&text).map_err(|e| if options.text.is_some() { e } else { e.at(named(options)) })
}

fn named(options: &Content) -> &Path {
    options.from.as_deref().filter(|path| *path != "-").unwrap_or(Path::new("stdin"))
}

fn whole(options: &Content, progress: &Progress) -> Result<Vec<u8>> {
    match content(options, progress)? {
        Input::Bytes(bytes) => Ok(bytes.into_owned()),
        Input::Reader(reader) => {
            let mut all = Vec::new();
            let mut reader = reader.take(electrus::json::MAX_SIZE + 1);
            reader.read_to_end(&mut all).map_err(|e| Error::io(e, named(options)))?;
            Ok(all)
        }
        Input::Taken => Err(Error::new(Code::Internal)),
    }
}

/// A file's reader; stdin for none and for `-`.
pub fn open(path: Option<&Path>, progress: &Progress) -> Result<Box<dyn Read + Send>> {
    match path {
        Some(path) if path != "-" => Ok(Box::new(File::open(path).map_err(|e| Error::io(e, path))?)),
        _ => Ok(stdin(progress)),
    }
}

/// Stdin, read in a thread of its own so that Ctrl-C ends the wait for somebody who types.
fn stdin(progress: &Progress) -> Box<dyn Read + Send> {
    let (sender, pieces) = sync_channel(4);
    let thread = std::thread::Builder::new().spawn(move || {
        loop {
            let mut piece = vec![0; PIECE];
            let read = io::stdin().read(&mut piece);
            let last = !matches!(read, Ok(1..));
            let piece = read.map(|n| {
                piece.truncate(n);
                piece
            });
            if sender.send(piece).is_err() || last {
                return;
            }
        }
    });
    match thread {
        Ok(_) => Box::new(Stdin { pieces, piece: Cursor::new(Vec::new()), ended: false, progress: progress.clone() }),
        Err(_) => Box::new(io::stdin()), // no threads here: then no signals either
    }
}

struct Stdin {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Cursor<Vec<u8>>,
    ended: bool,
    progress: Progress,
}

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(buffer)?;
            if read > 0 || self.ended || buffer.is_empty() {
                return Ok(read);
            }
            match self.pieces.recv_timeout(Duration::from_millis(50)) {
                Ok(piece) => self.piece = Cursor::new(piece?),
                Err(RecvTimeoutError::Disconnected) => self.ended = true,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.progress.is_cancelled() {
                return Err(Error::new(Code::Cancelled).into());
            }
        }
    }
}
