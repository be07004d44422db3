//! BLAKE2b of another length than 64 bytes, whose lines `b2sum -l` prints without a word about it.

use crate::input;
use blake2::Blake2b;
use blake2::digest::DynDigest;
use blake2::digest::consts::{U16, U20, U32};
use electrus::error::{Code, Error, Result};
use electrus::progress::Progress;
use std::io::Read;
use std::path::Path;

/// Whether the file's BLAKE2b of that length is `hex`. Of what can be read only once, as a pipe, nothing is left to ask.
pub fn is_blake2b(file: &Path, hex: &str, progress: &Progress) -> Result<bool> {
    let Some(mut state) = hasher(hex.len() / 2) else { return Ok(false) };
    if file == "-" || !file.is_file() {
        return Ok(false);
    }
    let mut reader = input::open(Some(file), progress)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        match reader.read(&mut buffer).map_err(|e| Error::io(e, file))? {
            0 => break,
            n => state.update(&buffer[..n]),
        }
        if progress.is_cancelled() {
            return Err(Error::new(Code::Cancelled).at(file));
        }
    }
    Ok(state.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>() == hex)
}

/// For the lengths that another algorithm has as well: lines of any other length are not taken for checksum lines.
fn hasher(size: usize) -> Option<Box<dyn DynDigest>> {
    Some(match size {
        16 => Box::<Blake2b<U16>>::default(),
        20 => Box::<Blake2b<U20>>::default(),
        32 => Box::<Blake2b<U32>>::default(),
        _ => return None,
    })
}
