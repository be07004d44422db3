//! Compression of frames: Zstandard by the C library, or in Rust under WASI. The only place that knows which.

use std::io;

/// As restic and tar users have it: level 3.
#[cfg(not(target_os = "wasi"))]
const LEVEL: i32 = 3;

/// Compresses, unless that is not worth it.
pub fn compress(data: &[u8]) -> io::Result<Option<Vec<u8>>> {
    if data.len() < 64 || !promising(data)? {
        return Ok(None);
    }
    let packed = zstd(data)?;
    Ok((packed.len() < data.len() - data.len() / 32).then_some(packed))
}

/// Looks at three small samples of a large frame before the whole is tried.
fn promising(data: &[u8]) -> io::Result<bool> {
    const SAMPLE: usize = 16 << 10;
    if data.len() < 8 * SAMPLE {
        return Ok(true);
    }
    for part in 0..3 {
        let at = (data.len() - SAMPLE) / 2 * part;
        if zstd(&data[at..at + SAMPLE])?.len() < SAMPLE - SAMPLE / 32 {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(not(target_os = "wasi"))]
fn zstd(data: &[u8]) -> io::Result<Vec<u8>> {
    thread_local! {
        static PACKER: std::cell::RefCell<Option<zstd::bulk::Compressor<'static>>> = const { std::cell::RefCell::new(None) };
    }
    PACKER.with_borrow_mut(|packer| match packer {
        Some(packer) => packer.compress(data),
        None => packer.insert(zstd::bulk::Compressor::new(LEVEL)?).compress(data),
    })
}

/// Decompresses to exactly `size` bytes; never allocates more, whatever the data claim.
#[cfg(not(target_os = "wasi"))]
pub fn decompress(data: &[u8], size: usize) -> io::Result<Vec<u8>> {
    thread_local! {
        static UNPACKER: std::cell::RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { std::cell::RefCell::new(None) };
    }
    let out = UNPACKER.with_borrow_mut(|unpacker| match unpacker {
        Some(unpacker) => unpacker.decompress(data, size),
        None => unpacker.insert(zstd::bulk::Decompressor::new()?).decompress(data, size),
    })?;
    exactly(out, size)
}

#[cfg(target_os = "wasi")]
fn zstd(data: &[u8]) -> io::Result<Vec<u8>> {
    Ok(ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest))
}

/// Decompresses to exactly `size` bytes; never allocates more, whatever the data claim.
#[cfg(target_os = "wasi")]
pub fn decompress(data: &[u8], size: usize) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let decoder = ruzstd::decoding::StreamingDecoder::new(data).map_err(io::Error::other)?;
    let mut out = Vec::with_capacity(size);
    decoder.take(size as u64 + 1).read_to_end(&mut out)?;
    exactly(out, size)
}

fn exactly(out: Vec<u8>, size: usize) -> io::Result<Vec<u8>> {
    if out.len() == size { Ok(out) } else { Err(io::Error::from(io::ErrorKind::InvalidData)) }
}
