//! Frames: neighbouring chunks compressed together.

use super::codec;
use super::fields::{FieldReader, FieldWriter};
use super::model::ChunkId;
use std::io;

/// A frame is closed when it holds this much.
pub const TARGET: usize = 1 << 20;
/// No frame holds more: what claims to is damaged.
pub const MAX: u64 = 4 << 20;
const ENTRY: usize = 40;

/// Chunks on their way into a frame.
#[derive(Debug, Default)]
pub struct RawFrame {
    pub chunks: Vec<(ChunkId, u64)>,
    pub data: Vec<u8>,
}

impl RawFrame {
    pub fn push(&mut self, id: ChunkId, chunk: &[u8]) {
        self.chunks.push((id, chunk.len() as u64));
        self.data.extend_from_slice(chunk);
    }

    /// The payload of its record: the table, and the data.
    pub fn encode(&self) -> io::Result<(Vec<u8>, Option<Vec<u8>>)> {
        let packed = codec::compress(&self.data)?;
        let mut table = FieldWriter(Vec::with_capacity(24 + ENTRY * self.chunks.len()));
        table.u64(packed.is_some().into()).u64(self.data.len() as u64).u64(self.chunks.len() as u64);
        for (id, size) in &self.chunks {
            table.raw(id).u64(*size);
        }
        Ok((table.0, packed))
    }
}

/// A frame as its record has it, not yet decompressed.
pub struct Frame<'a> {
    compressed: bool,
    size: usize,
    pub chunks: Vec<(ChunkId, u64)>,
    data: &'a [u8],
}

impl<'a> Frame<'a> {
    pub fn parse(payload: &'a [u8]) -> Option<Frame<'a>> {
        let mut fields = FieldReader::new(payload);
        let compressed = fields.flag()?;
        let size = fields.u64().filter(|s| *s <= MAX)?;
        let count = fields.count(ENTRY)?;
        let chunks: Vec<(ChunkId, u64)> =
            (0..count).map(|_| Some((fields.id()?, fields.u64()?))).collect::<Option<_>>()?;
        let sum = chunks.iter().try_fold(0u64, |sum, (_, size)| sum.checked_add(*size))?;
        let data = fields.rest();
        (sum == size && (compressed || data.len() as u64 == size)).then_some(Frame {
            compressed,
            size: size as usize,
            chunks,
            data,
        })
    }

    /// Its chunks, one after the other. Ids are not checked here.
    pub fn decode(&self) -> io::Result<Vec<u8>> {
        if self.compressed { codec::decompress(self.data, self.size) } else { Ok(self.data.to_vec()) }
    }
}
